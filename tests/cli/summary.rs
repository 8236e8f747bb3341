//! The summary of a run, word by word.

use super::{Desk, json};

/// The summary of a scenario; whatever becomes of it.
fn summary(text: &str) -> String {
    let desk = Desk::new();
    desk.write("s.toml", text);
    desk.call("run s.toml -o here").out
}

#[test]
fn partitions_that_heal_together_have_one_line() {
    let split = |group: &str, until: &str| {
        format!(
            "[[faults]]\nkind = \"partition\"\nat = \"2s\"\nuntil = \"{until}\"\n\
             groups = [\"{group}\", \"rest\"]\n"
        )
    };
    let text = "duration = \"20s\"\nnodes.count = 10\n[gossip]\nstyle = \"push\"\n\
                refresh = \"1s\"\n";
    let out = summary(&format!("{text}{}{}", split("0..3", "5s"), split("5..7", "5s")));
    let healed: Vec<&str> = out.lines().filter(|line| line.contains("healed at")).collect();
    assert_eq!(healed.len(), 1, "{out}");
    assert!(healed[0].starts_with("    healed at 5.00 s (2 partitions): the registries"), "{out}");
    let out = summary(&format!("{text}{}{}", split("0..3", "5s"), split("5..7", "6s")));
    let healed: Vec<&str> = out.lines().filter(|line| line.contains("healed at")).collect();
    assert!(healed.len() == 2 && !out.contains("partitions)"), "{out}");
}

#[test]
fn one_is_not_many() {
    let out = summary(
        "duration = \"2s\"\nnodes.count = 1\n[gossip]\nstyle = \"push\"\n[[rumors]]\n\
         [[faults]]\nkind = \"crash\"\nat = \"1s\"\nfor = \"500ms\"\nnodes = 0\n\
         [[faults]]\nkind = \"clock\"\nat = \"1s\"\nnodes = 0\ndrift_ppm = 5\n",
    );
    assert!(out.contains("\n  1 node, 2.00 s of virtual time"), "{out}");
    assert!(out.contains("    every node knew the only validator after"), "{out}");
    assert!(out.contains("crash 1 of 1 node (1 node met it, 1 affected)"), "{out}");
    assert!(out.contains("clocks of 1 node: drift 5 ppm (1 node met it, 1 affected)"), "{out}");
    let desk = Desk::new();
    desk.write("s.toml", "nodes.count = 1\n[[rumors]]\n[[rumors]]\n");
    let valid = desk.ok("validate s.toml");
    assert_eq!(valid, "s.toml: valid (1 node for 10s, 2 streams of rumors)\n");
}

#[test]
fn faults_say_what_met_them_and_leave_out_what_they_do_not_do() {
    let out = summary(
        "duration = \"4s\"\nnodes.count = 3\n[cost]\nmessage = \"1ms\"\n\
         [[rumors]]\nat = \"1500ms\"\n\
         [[faults]]\nkind = \"pause\"\nat = \"1s\"\nuntil = \"2s\"\nnodes = 0\n\
         [[faults]]\nkind = \"clock\"\nat = \"1s\"\nnodes = \"0..2\"\nbehind = \"1s\"\n\
         [[faults]]\nkind = \"slow\"\nat = \"1s\"\nnodes = \"1..3\"\nfactor = 2\n\
         [[faults]]\nkind = \"slow\"\nat = \"1s\"\nnodes = 1\nper_message = \"2ms\"\n\
         [[faults]]\nkind = \"loss\"\nat = \"0s\"\nprobability = \"0.1%\"\n",
    );
    assert!(out.contains("pause 1 of 3 nodes (1 event met it, 1 affected)"), "{out}");
    assert!(out.contains("clocks of 2 nodes: 1s behind (2 nodes met it, 2 affected)"), "{out}");
    assert!(out.contains("slow 2 of 3 nodes 2-fold ("), "{out}");
    assert!(out.contains("slow 1 of 3 nodes: 2ms more per message ("), "{out}");
    assert!(out.contains(" messages met it"), "{out}");
    assert!(!out.contains(" 0s") && !out.contains(" 0 ppm"), "{out}");
}

#[test]
fn a_description_cannot_command_the_terminal() {
    let out = summary("description = \"red \\u001B[31m\\nand more\"\nduration = \"1s\"\n");
    assert!(out.starts_with("unnamed (seed 1): red \\u{1b}[31m\\nand more\n"), "{out:?}");
}

#[test]
fn refused_newcomers_are_counted_in_the_summary_and_by_node() {
    let desk = Desk::new();
    // All announce themselves to node 0, which knows node 1 and has room for no other.
    desk.write(
        "s.toml",
        "duration = \"2s\"\nnodes.count = 10\ntopology.kind = \"line\"\n\
         [discovery]\nenabled = true\nbootstrap = 0\nmax_peers = 1\n",
    );
    let out = desk.ok("run s.toml -o here");
    let files = desk.files("here");
    let text = String::from_utf8(files["nodes.csv"].clone()).expect("UTF-8");
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    let column = rows[0].iter().position(|name| *name == "peers_refused").expect("a column");
    let refused: Vec<u64> =
        rows[1..].iter().map(|row| row[column].parse().expect("a number")).collect();
    assert!(refused[0] >= 8, "{refused:?}");
    let all: u64 = refused.iter().sum();
    assert_eq!(json(&files["summary.json"])["peers"]["refused"], all);
    assert!(out.contains(&format!("\n  peers\n    {all} newcomers refused for want")), "{out}");
}
