//! The verdict of a run: rumors that never appear and blocks in vain do not pass in silence.

use super::{Desk, json};

/// Two nodes and one stream of rumors.
fn stream(rest: &str) -> String {
    format!("name = \"s\"\nduration = \"5s\"\nnodes.count = 2\n[[rumors]]\n{rest}")
}

fn verdict(text: &str, code: i32) -> String {
    let desk = Desk::new();
    desk.write("s.toml", text);
    let said = desk.call("run s.toml -o here");
    assert_eq!(said.code, code, "{text}: {}{}", said.out, said.err);
    let manifest = json(&desk.files("here")["manifest.json"]);
    let verdict = manifest["verdict"].as_str().expect("a text").to_owned();
    assert!(said.out.contains(&format!("\n  verdict  {verdict}\n")), "{}", said.out);
    verdict
}

const DOWN: &str = "[[faults]]\nkind = \"crash\"\nnodes = 0\nat = \"1s\"\nfor = \"1s\"\n";

#[test]
fn rumors_that_never_appear_fail_the_run() {
    assert_eq!(verdict(&stream(""), 0), "pass");
    assert_eq!(
        verdict(&stream("at = \"6s\"\n"), 1),
        "failed: rumors[0] never appeared: due after the end of the run"
    );
    let second = stream("[[rumors]]\nat = \"6s\"\n");
    let expected = "failed: rumors[1] never appeared: due after the end of the run";
    assert_eq!(verdict(&second, 1), expected);
    let missed = "their nodes were down, or too busy to take them";
    let down = stream(&format!("at = \"1500ms\"\ncount = 3\n{DOWN}"));
    assert_eq!(verdict(&down, 1), format!("failed: none of 3 rumors appeared: {missed}"));
    // Due at 0.5, 1 (the crash comes first), 1.5, 2 (it is back before) and 2.5 s.
    let some = stream(&format!("at = \"500ms\"\nevery = \"500ms\"\ncount = 5\n{DOWN}"));
    let expected = format!("pass (warning: 2 of 5 rumors never appeared: {missed})");
    assert_eq!(verdict(&some, 0), expected);
}

#[test]
fn rumors_that_chance_left_out_are_a_warning() {
    // One in an hour on average: that one comes within 5 s is as likely as one in 720.
    let expected = "pass (warning: by chance no rumor of rumors[0] appeared)";
    assert_eq!(verdict(&stream("per_second = 0.00028\n"), 0), expected);
}

#[test]
fn blocks_that_nobody_else_gets_are_a_warning() {
    let blocks = |nodes: u32, loss: &str| {
        format!(
            "name = \"s\"\nduration = \"2s\"\nnodes.count = {nodes}\nnetwork.loss = \"{loss}\"\n\
             [slots]\nschedule = \"round-robin\"\n[blocks]\ncontent = \"synthetic\"\n"
        )
    };
    let found = "no progress: no block became whole at any node but its leader";
    assert_eq!(verdict(&blocks(3, "100%"), 0), format!("pass (warning: {found})"));
    let desk = Desk::new();
    desk.write("s.toml", &blocks(3, "100%"));
    let out = desk.ok("run s.toml -o here");
    assert!(out.contains(&format!(" made)\n    {found}\n")), "{out}");
    assert_eq!(verdict(&blocks(3, "0%"), 0), "pass");
    assert_eq!(verdict(&blocks(1, "0%"), 0), "pass", "there is nobody else");
}

/// Halves of a cluster that vote without the threshold check, and so root two chains.
const TWO_CHAINS: &str = r#"
name = "two-chains"
duration = "120s"
nodes.count = 4
network.latency = "20ms"
slots = { duration = "400ms", start = "poh" }
blocks = { content = "synthetic", bytes = "2kB" }
repair = { style = "solana" }
turbine = { tree = "star", coding = "none" }
consensus = { style = "tower", spread = "peers", threshold_depth = 0 }
[[faults]]
kind = "partition"
groups = ["0..2", "rest"]
at = "2s"
"#;

#[test]
fn a_broken_invariant_is_told_with_the_command_that_shows_how_it_came_about() {
    let desk = Desk::new();
    desk.write("s.toml", TWO_CHAINS);
    let said = desk.call("run s.toml -o here");
    assert_eq!(said.code, 1, "{}{}", said.out, said.err);
    let manifest = json(&desk.files("here")["manifest.json"]);
    let verdict = manifest["verdict"].as_str().expect("a text");
    assert!(verdict.starts_with("violated: one chain: node "), "{verdict}");
    assert_eq!(manifest["complete"], false);
    assert!(said.out.contains(&format!("\n  verdict  {verdict}\n")), "{}", said.out);
    let command = said.out.lines().find(|line| line.contains("--events-until")).expect("a command");
    let command = command.trim().strip_prefix("headwater ").expect("a command of headwater");
    let again = desk.call(&format!("{command} -o again"));
    let what = verdict.split(": ").nth(2).expect("what happened");
    // "node 3 roots block 0123 of slot 40", and then against whom.
    let told = what.split(", and").next().expect("the first half");
    let log = again.out.split("\n  violated: ").next().expect("the log");
    assert!(log.lines().any(|line| line.ends_with(told)), "{told}: {}", again.out);
    assert_eq!(desk.call("run s.toml -o here --quiet").code, 1, "the same again");
    desk.call("run s.toml --set invariants.watch=false -o blind");
    assert_eq!(json(&desk.files("blind")["manifest.json"])["complete"], true);
}

#[test]
fn a_cluster_that_cannot_agree_fails_the_run() {
    let cluster = |leaders: &str| {
        format!(
            "name = \"s\"\nduration = \"10s\"\nnodes.count = 3\nnetwork.loss = \"100%\"\n\
             [slots]\nduration = \"100ms\"\nschedule = \"list\"\nleaders = [{leaders}]\n\
             [blocks]\ncontent = \"synthetic\"\nbytes = \"20kB\"\n\
             [turbine]\ntree = \"stake-weighted\"\ncoding = \"none\"\n\
             [consensus]\nstyle = \"classroom\"\n"
        )
    };
    // Only its leader has a block: one third of the stake votes for it.
    let expected = "no progress: nothing was rooted since 0s";
    assert_eq!(verdict(&cluster("0"), 1), expected);
    // Every node builds a chain of its own upon genesis, and nobody roots anything.
    let expected =
        "no progress: nothing was rooted since 0s; nodes build on forks that parted at 0s";
    assert_eq!(verdict(&cluster("0, 1, 2"), 1), expected);
}
