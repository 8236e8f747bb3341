//! What is made of all runs of a sweep together: the merged tables, byte for byte the same whatever
//! built the program, and what is expected across points.

use std::fmt::Write as _;

use headwater::base::digest::Digest;

use super::Desk;
use crate::support::golden;

/// A part of a shipped experiment that takes a moment: twelve runs.
const SHIPPED: &str = "sweep gossip-fanout-by-interval --axis gossip.fanout=1,4 \
                       --axis gossip.interval=500ms,1s,2s --seeds 1,2 --set nodes.count=24 \
                       --duration 6s --quiet";

/// The tables of a folder with their rows and digests.
fn account(desk: &Desk, folder: &str) -> String {
    let files = desk.files(folder);
    let mut text = String::new();
    for name in ["runs.csv", "points.csv"] {
        let (rows, digest) = (files[name].split(|byte| *byte == b'\n').count() - 2, &files[name]);
        let digest = Digest::of(digest);
        writeln!(text, "{name:<10} {rows:>4} rows  {digest}").expect("text");
    }
    text
}

/// `cargo test` and `cargo agree` compare the tables of a debug and a release build with the same
/// file, so they agree with each other.
#[test]
fn golden_tables_of_a_merged_sweep_for_any_shards_and_jobs() {
    let desk = Desk::new();
    desk.ok(&format!("{SHIPPED} -o whole"));
    let whole = account(&desk, "whole");
    let text = format!("# BLESS=1 cargo test golden writes this file anew.\n{whole}");
    golden("tests/golden/sweep.txt", &text, "a result moved, or a key or a figure was added");
    for jobs in [1, 2] {
        for count in [1, 2, 3, 7] {
            let part = |index: u32| format!("part-{jobs}-{count}-{index}");
            for index in 1..=count {
                let shard = format!("--shard {index}/{count} --jobs {jobs}");
                desk.ok(&format!("{SHIPPED} {shard} -o {}", part(index)));
            }
            let folders: Vec<String> = (1..=count).map(part).collect();
            desk.ok(&format!("merge -o merged-{jobs}-{count} {}", folders.join(" ")));
            let merged = account(&desk, &format!("merged-{jobs}-{count}"));
            assert_eq!(merged, whole, "{count} shards, {jobs} jobs");
        }
    }
}

/// Ten nodes on a ring, a rumor that is flooded: every node passes it on once, so by how much loss
/// thins the messages out is known in advance.
const RING: &str = r#"
name = "ring"
duration = "2s"
[nodes]
count = 10
[topology]
kind = "complete"
[network]
latency = "10ms"
[[rumors]]
count = 40
every = "10ms"
spread = "flood"
[sweep]
seeds = "1..=3"
[[sweep.axis]]
key = "network.loss"
values = ["0%", "10%", "50%"]
"#;

/// The three kinds of expectations across points, all true: more loss loses more messages, and
/// among ten nodes that all know each other a rumor reaches everybody although half is lost, so as
/// many messages are sent (each node sends a rumor once to all others it did not get it from).
const HELD: &str = r#"
[[expect]]
name = "loss costs messages"
kind = "across"
metric = "messages.dropped"
axis = "network.loss"
trend = "rising"
[[expect]]
name = "as much is sent"
kind = "across"
metric = "messages.sent"
a = { "network.loss" = "50%" }
b = { "network.loss" = "0%" }
within = "5%"
"#;

#[test]
fn expectations_across_points_are_judged_on_a_sweep_and_kept() {
    let desk = Desk::new();
    desk.write("held.toml", &format!("{RING}{HELD}"));
    let said = desk.ok("sweep held.toml -o held");
    assert!(said.contains("across   loss costs messages: held (2 steps)"), "{said}");
    assert!(said.contains("across   as much is sent: held (1 pair of points)"), "{said}");
    let kept = String::from_utf8(desk.files("held")["across.csv"].clone()).expect("UTF-8");
    let lines: Vec<&str> = kept.lines().collect();
    assert_eq!(lines[0], "expectation,kind,name,ruling,expected,found,outcome");
    assert!(lines[1].starts_with("0,across,loss costs messages,held,"), "{kept}");
    assert!(lines[2].ends_with(",1 pair of points,pass") && lines.len() == 3, "{kept}");
    // A run by itself cannot say.
    let alone = desk.call("run held.toml -o alone");
    assert!(alone.code == 0 && alone.out.contains("2 for a sweep"), "{}", alone.out);
}

#[test]
fn a_broken_expectation_across_points_fails_the_sweep_its_parts_together_and_no_run() {
    let desk = Desk::new();
    let broken = HELD.replace("\"rising\"", "\"falling\"").replace("\"5%\"", "\"0%\"");
    desk.write(
        "broken.toml",
        &format!("{RING}{broken}").replace("messages.sent", "bytes.delivered"),
    );
    let said = desk.call("sweep broken.toml -o whole");
    assert_eq!(said.code, 1, "{}{}", said.out, said.err);
    // No loss drops nothing, and half of the bytes do not arrive.
    assert!(said.out.contains("across   loss costs messages: broken (0, then "), "{}", said.out);
    assert!(said.out.contains("across   as much is sent: broken ("), "{}", said.out);
    assert!(said.out.contains("verdicts 9 as expected"), "{}", said.out);
    let kept = String::from_utf8(desk.files("whole")["across.csv"].clone()).expect("UTF-8");
    assert_eq!(kept.lines().filter(|line| line.ends_with(",failed")).count(), 2, "{kept}");
    // Found again, nothing is made and the answer is the same, also where only errors are said.
    let said = desk.call("sweep broken.toml -o whole --quiet");
    assert_eq!((said.code, said.out.as_str()), (1, ""));
    assert!(said.err.contains("9 as expected; across loss costs messages: broken"), "{}", said.err);
    // Parts cannot tell before they are joined.
    for part in ["1/2", "2/2"] {
        let folder = part.replace('/', "-");
        desk.ok(&format!("sweep broken.toml --shard {part} -o {folder} --quiet"));
        assert!(!desk.path(&folder).join("across.csv").exists());
    }
    let said = desk.call("merge -o merged 1-2 2-2");
    assert_eq!(said.code, 1, "{}{}", said.out, said.err);
    assert!(said.out.contains("across   loss costs messages: broken"), "{}", said.out);
    assert_eq!(desk.files("merged")["across.csv"], desk.files("whole")["across.csv"]);
}

#[test]
fn what_is_expected_across_points_is_judged_again_without_a_run() {
    let desk = Desk::new();
    desk.write("ring.toml", &format!("{RING}{HELD}"));
    desk.ok("sweep ring.toml -o ring --quiet");
    let before = desk.files("ring");
    let said = desk.call("check ring");
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert!(said.out.contains("1 checked: 1 pass; 2 expectations held"), "{}", said.out);
    // By another file, whatever else is in it.
    desk.write("other.toml", &HELD.replace("\"rising\"", "\"falling\""));
    let said = desk.call("check ring --expect other.toml");
    assert_eq!(said.code, 1, "{}{}", said.out, said.err);
    assert!(said.out.contains("failed: expect[0] (loss costs messages)"), "{}", said.out);
    // Also what is expected of every run, as far as it is about numbers of the summary.
    let bound = "[[expect]]\nname = \"few are lost\"\nkind = \"bound\"\n\
                 metric = \"messages.dropped\"\nper = \"messages.sent\"\nat_most = ";
    let row = "[[expect]]\nkind = \"always\"\nmetric = \"rumors.reached\"\nat_least = 1\n";
    desk.write("bounds.toml", &format!("{bound}\"30%\"\n{row}"));
    let said = desk.call("check ring --expect bounds.toml");
    assert_eq!(said.code, 1, "{}{}", said.out, said.err);
    let why = "(few are lost): expected at most 30%, found ";
    let run = "(network.loss = 50%, seed 1; the first of 3 of 9 runs)";
    assert!(said.out.contains(why) && said.out.contains(run), "{}", said.out);
    assert!(said.out.contains("1 of 2 expectations need the tables of runs"), "{}", said.out);
    desk.write("bounds.toml", &format!("{bound}\"90%\"\n"));
    let said = desk.call("check ring --expect bounds.toml --verbose");
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert!(said.out.contains("expected at most 90%, found 9 runs"), "{}", said.out);
    assert_eq!(desk.files("ring"), before, "judging changes nothing");
    // A hole is told, and what is damaged is named.
    let name = desk.names("ring/records").swap_remove(0);
    desk.write(&format!("ring/records/{name}"), "{");
    let said = desk.call("check ring");
    assert_eq!(said.code, 6, "{}", said.out);
    let why = said.out.contains("1 of 9 runs is missing") && said.out.contains("is damaged");
    assert!(why, "{}", said.out);
    let err = desk.fails(6, "merge -o merged ring");
    assert!(err.contains("1 of 9 runs is missing") && err.contains("is damaged"), "{err}");
}

#[test]
fn a_sweep_that_does_not_become_precise_says_how_far_it_came() {
    let desk = Desk::new();
    desk.write("ring.toml", RING);
    let precise = "--until-precise messages.dropped=0.01% --most-seeds 6 -o here";
    let said = desk.ok(&format!("sweep ring.toml {precise}"));
    assert!(said.contains("seeds 1..=3 and more where needed"), "{said}");
    // Without loss nothing is dropped, which is precise; 10 % of few messages is not.
    let line = said.lines().find(|line| line.starts_with("  precise  ")).expect("a line");
    assert!(
        line.contains("1 of 3 points within 0.01 % of messages.dropped; the widest: "),
        "{line}"
    );
    assert!(
        line.contains("network.loss = 10%, ±") && line.ends_with("after 6 seeds (--most-seeds)")
    );
    for (wrong, why) in [
        ("--most-seeds 5", "which is not asked for"),
        (
            "--until-precise messages.sent=2% --most-seeds 2",
            "--most-seeds: 2 is less than the 5 seeds that every point gets before any are added; \
             expected at least 5",
        ),
        ("--until-precise messages.sent=2% --most-seeds 6 --seeds 1..=7", "expected at least 7"),
        ("--until-precise messages.sent=-2%", "\"messages.sent=-2%\": \"-2%\" is negative"),
    ] {
        let err = desk.fails(2, &format!("sweep ring.toml {wrong} -o there"));
        assert!(err.contains(why), "{err}");
    }
}

#[test]
fn runs_that_a_limit_stopped_are_not_called_never() {
    let desk = Desk::new();
    desk.write("ring.toml", RING);
    let said = desk.call("sweep ring.toml --max-virtual-time 1s --show messages.sent -o here");
    assert_eq!(said.code, 5, "{}", said.err);
    let rows = said.out.lines().filter(|line| line.ends_with("  stopped"));
    assert_eq!(rows.count(), 3, "{}", said.out);
}

#[test]
fn validate_reads_the_sweep_of_a_scenario_too() {
    let desk = Desk::new();
    desk.write("good.toml", RING);
    assert_eq!(desk.call("validate good.toml").code, 0);
    for (from, to, why) in [
        (
            "\"10%\", \"50%\"",
            "\"10%\", \"500%\"",
            "network.loss: \"500%\" is a probability above one",
        ),
        ("[\"0%\", \"10%\", \"50%\"]", "[]", "the axis network.loss has no values"),
        (
            "\"network.loss\"",
            "\"network.los\"",
            "wrong.toml:17:7: network.los: unknown key (from the axis network.los=\"0%\")",
        ),
        (
            "[[sweep.axis]]",
            "until_precise = \"messages.snet=2%\"\n[[sweep.axis]]",
            "sweep.until_precise: there is no metric \"messages.snet\"; did you mean \
             \"messages.sent\"?",
        ),
        (
            "[[sweep.axis]]",
            "show = [\"end_ns\", \"messages.snet\"]\n[[sweep.axis]]",
            "sweep.show[1]: there is no metric \"messages.snet\"",
        ),
        (
            "[[sweep.axis]]",
            "until_precise = \"messages.sent=2%\"\nmost_seeds = 4\n[[sweep.axis]]",
            "sweep.most_seeds: 4 is less than the 5 seeds",
        ),
    ] {
        desk.write("wrong.toml", &RING.replace(from, to));
        let err = desk.fails(2, "validate wrong.toml");
        assert!(err.contains(why), "{err}");
    }
}

#[test]
fn an_axis_that_an_expectation_names_must_be_there() {
    let desk = Desk::new();
    let misspelt = HELD.replace("axis = \"network.loss\"", "axis = \"network.los\"");
    desk.write("wrong.toml", &format!("{RING}{misspelt}"));
    let why =
        "expect[0].axis: the sweep has no axis \"network.los\"; did you mean \"network.loss\"?";
    for command in ["validate wrong.toml", "sweep wrong.toml -o here"] {
        let err = desk.fails(2, command);
        assert!(err.starts_with("error: wrong.toml:") && err.contains(why), "{err}");
    }
    assert!(!desk.path("here").exists());
    // Axes may come from the command line: before they do, nothing is known to be wrong.
    let (bare, _) = RING.split_once("[[sweep.axis]]").expect("an axis");
    desk.write("bare.toml", &format!("{bare}{misspelt}"));
    assert_eq!(desk.call("validate bare.toml").code, 0);
    let err = desk.fails(2, "sweep bare.toml --axis network.loss=0%,10%,50% -o here");
    assert!(err.contains(why) && !desk.path("here").exists(), "{err}");
    desk.write("bare.toml", &format!("{bare}{HELD}"));
    desk.ok("sweep bare.toml --axis network.loss=0%,10%,50% -o here");
}
