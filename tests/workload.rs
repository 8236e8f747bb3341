//! What the workload hands in, and when it comes in: at once, later if the node is paused or busy,
//! or never; and how often a run is sampled unless the scenario says so.

use headwater::base::time::{Span, Time};
use headwater::metrics::{BLOCKS, FAULTS, RUMORS, TIMELINE};

use crate::support::{plan, ran};

const MS: u64 = 1_000_000;

/// Two nodes, 50 ms apart; rumors of node 0 go straight to node 1.
fn two_nodes(rest: &str) -> String {
    format!(
        "duration = \"10s\"\nnetwork.latency = \"50ms\"\n[nodes]\ncount = 2\n\
         [output]\ntimeline = \"0s\"\nnode_timeline = \"0s\"\n{rest}"
    )
}

const DIRECT: &str = "[[rumors]]\nspread = \"direct\"\nnode = 0\nto = 1\n";
const PAUSE: &str = "[[faults]]\nkind = \"pause\"\nnodes = 0\nat = \"1s\"\n";

#[test]
fn a_paused_node_takes_a_rumor_when_it_goes_on() {
    let text = two_nodes(&format!("{DIRECT}at = \"1500ms\"\n{PAUSE}for = \"2s\"\n"));
    let ran = ran(&text);
    // It wakes up at 3 s, and the message is 50 ms under way.
    assert_eq!(ran.integers(&RUMORS, "injected_ns"), [3_000 * MS]);
    let deliveries = ran.deliveries();
    assert_eq!(deliveries.iter().map(|d| d.at).collect::<Vec<_>>(), [3_050 * MS]);
    assert_eq!(ran.integers(&FAULTS, "affected"), [1], "the pause touched it");
}

#[test]
fn what_waits_comes_in_by_turns() {
    // A message at 1.25 s and one at 1.35 s, between them a rumor of the paused node's own.
    let stream =
        |at: &str| format!("[[rumors]]\nspread = \"direct\"\nnode = 1\nto = 0\nat = \"{at}\"\n");
    let own = format!("{DIRECT}at = \"1300ms\"\n");
    let text = two_nodes(&format!(
        "[cost]\nmessage = \"100ms\"\n{}{}{own}{PAUSE}for = \"1s\"\n",
        stream("1200ms"),
        stream("1300ms")
    ));
    let ran = ran(&text);
    // At 2 s the first message is handled, which takes 100 ms; then the rumor, which takes no
    // time; then the second message.
    assert_eq!(ran.integers(&RUMORS, "injected_ns"), [1_200 * MS, 1_300 * MS, 2_100 * MS]);
    let at: Vec<u64> = ran.deliveries().iter().map(|d| d.at).collect();
    assert_eq!(at, [2_000 * MS, 2_100 * MS, 2_150 * MS]);
}

#[test]
fn a_rumor_that_its_node_cannot_take_is_missed() {
    let missed = |rest: &str| {
        let rumors = ran(&two_nodes(rest)).0.summary.rumors;
        (rumors.injected, rumors.missed)
    };
    let rumors = format!("{DIRECT}at = \"1500ms\"\ncount = 3\n");
    assert_eq!(missed(&format!("{rumors}{PAUSE}for = \"2s\"\n")), (3, 0));
    // The run is over before the pause is.
    assert_eq!(missed(&format!("{rumors}{PAUSE}")), (0, 3));
    // One has room to wait.
    assert_eq!(missed(&format!("{rumors}{PAUSE}for = \"2s\"\n[limits]\ninbox = 1\n")), (1, 2));
    let crash = "[[faults]]\nkind = \"crash\"\nnodes = 0\nfor = \"1s\"\n";
    assert_eq!(missed(&format!("{rumors}{PAUSE}for = \"2s\"\n{crash}at = \"2s\"\n")), (0, 3));
    assert_eq!(missed(&format!("{rumors}{crash}at = \"1s\"\n")), (0, 3));
}

#[test]
fn a_run_of_a_year_has_a_hundred_thousand_samples() {
    let year = plan("duration = \"8784h\"\nnodes.count = 200\n");
    // 31,622,400 s in 99,999 intervals are 316.2 s each. With 200 nodes there are 10,000 samples of
    // each: 31,622,400 s in 9,999 intervals of a multiple of 5 s are 3,165 s each.
    let output = &year.scenario.output;
    assert_eq!(output.timeline, Some(Span::from_secs(317)));
    assert_eq!(output.node_timeline, Some(Span::from_secs(3_165)));
    let short = plan("duration = \"1min\"\nnodes.count = 200\n").scenario.output;
    assert_eq!(short.timeline, Some(Span::from_secs(1)));
    assert_eq!(short.node_timeline, Some(Span::from_secs(5)));
    let own = "duration = \"8784h\"\n[output]\ntimeline = \"1h\"\nnode_timeline = \"0s\"\n\
               [gossip]\nstyle = \"off\"\n";
    let samples = ran(own).integers(&TIMELINE, "time_ns");
    assert_eq!(samples.len(), 8_785, "every hour and the end");
    let end = Time::ZERO + Span::from_secs(8_784 * 3_600);
    assert_eq!(samples.last(), Some(&end.as_nanos()));
}

#[test]
fn blocks_of_listed_slots_have_the_sizes_that_are_listed() {
    let ran = ran("duration = \"5500ms\"\nnodes.count = 3\n[slots]\nduration = \"1s\"\n\
         schedule = \"round-robin\"\n[blocks]\ncontent = \"synthetic\"\nbytes = \"20kB\"\n\
         [[blocks.explicit]]\nslot = 4\nshreds = 7\n\
         [[blocks.explicit]]\nslot = 2\nbytes = \"5kB\"\n\
         [[blocks.explicit]]\nslot = 9\nbytes = \"6kB\"\n\
         [turbine]\nchunk_size = \"1kB\"\ntree = \"star\"\n");
    assert_eq!(ran.integers(&BLOCKS, "slot"), [1, 2, 3, 4, 5]);
    let sizes = [20_000, 5_000, 20_000, 7_000, 20_000];
    assert_eq!(ran.integers(&BLOCKS, "size_bytes"), sizes);
    assert_eq!(ran.integers(&BLOCKS, "data_shreds"), sizes.map(|bytes| bytes / 1_000));
    assert_eq!(ran.integers(&BLOCKS, "whole"), [3; 5], "all nodes have them");
}
