//! Repair in whole runs: nobody asks where nothing is lost, every block becomes whole everywhere
//! where much is, and a node that was away catches up.

use std::collections::{BTreeMap, BTreeSet};

use headwater::base::time::Time;
use headwater::fact::{Census, Fact, MessageKind, Observer, World};
use headwater::metrics::{MESSAGES, REPAIR};

use crate::support::{Ran, plan, ran_heard};

/// What became of blocks.
#[derive(Default)]
struct Blocks {
    made: BTreeMap<u64, (u64, Time)>,
    whole: BTreeMap<u64, BTreeSet<u32>>,
    /// The height of each node's head.
    heads: BTreeMap<u32, u32>,
    repaired: u64,
    /// Shreds that node 1 received down the tree, and that it sent on.
    passed: (u64, u64),
}

struct Listen<'a>(&'a mut Blocks);

impl Observer for Listen<'_> {
    fn on_fact(&mut self, at: Time, fact: &Fact) {
        match *fact {
            Fact::BlockMade { node, block, .. } => {
                self.0.made.insert(block, (node.number().into(), at));
                self.0.whole.entry(block).or_default().insert(node.number());
            }
            Fact::BlockWhole { node, block, .. } => {
                self.0.whole.entry(block).or_default().insert(node.number());
            }
            Fact::HeadChanged { node, height, .. } => {
                self.0.heads.insert(node.number(), height);
            }
            Fact::ShredsCounted { node, repaired, turbine, .. } => {
                self.0.repaired += u64::from(repaired);
                if node.number() == 1 {
                    self.0.passed.0 += u64::from(turbine);
                }
            }
            Fact::Sent(sent) if sent.kind == MessageKind::BlockChunk => {
                self.0.passed.1 += u64::from(sent.from.number() == 1);
            }
            _ => {}
        }
    }
    fn next_sample(&self) -> Option<Time> {
        None
    }
    fn on_sample(&mut self, _: Time, _: &World, _: &dyn Census) {}
}

impl Blocks {
    /// Nodes that lack a block made before a moment (in seconds), with the block's place in time.
    fn lacking(&self, nodes: u32, before: u64) -> Vec<(u32, u64)> {
        let early = self.made.iter().filter(|(_, (_, at))| at.as_nanos() < before * 1_000_000_000);
        let lacking = early.flat_map(|(block, (_, at))| {
            let whole = &self.whole[block];
            (0..nodes).filter(|node| !whole.contains(node)).map(|node| (node, at.as_nanos()))
        });
        lacking.collect()
    }

    /// The lowest and the highest head.
    fn heads(&self) -> (u32, u32) {
        let heights = || self.heads.values().copied();
        (heights().min().unwrap_or(0), heights().max().unwrap_or(0))
    }
}

/// Twenty nodes, blocks of 64 data shreds every 400 ms.
fn scenario(duration: &str, turbine: &str, repair: &str, rest: &str) -> String {
    format!(
        "seed = 3\nduration = \"{duration}\"\n[output]\ntimeline = \"0s\"\nnode_timeline = \"0s\"\n\
         peers = false\n[nodes]\ncount = 20\n[blocks]\ncontent = \"synthetic\"\nbytes = \"60kB\"\n\
         [turbine]\n{turbine}\n[repair]\n{repair}\n[network]\nlatency = \"30ms\"\n{rest}\n"
    )
}

const CODED: &str =
    "tree = \"stake-weighted\"\nfanout = 4\nchunk_size = \"1kB\"\ncoding = \"32:32\"";
const PLAIN: &str = "tree = \"stake-weighted\"\nfanout = 4\nchunk_size = \"1kB\"";

fn run(text: &str) -> (Ran, Blocks) {
    let mut blocks = Blocks::default();
    let ran = ran_heard(&plan(text), Listen(&mut blocks));
    (ran, blocks)
}

#[test]
fn without_loss_nobody_asks_for_anything() {
    // With "by-set" the last set of a block goes out at the moment when the next slot begins.
    let emissions = ["at-once", "by-set", "by-shred"];
    for (emission, style) in emissions.iter().flat_map(|e| [(e, "classroom"), (e, "solana")]) {
        for turbine in [CODED, PLAIN] {
            // A set of 32 of 60 shreds takes 213 of 400 ms to go out one by one.
            let delay = if *emission == "by-shred" { "400ms" } else { "250ms" };
            let repair = format!("style = \"{style}\"\ndelay = \"{delay}\"");
            let turbine = format!("{turbine}\nemission = \"{emission}\"");
            let (ran, blocks) = run(&scenario("10s", &turbine, &repair, ""));
            let summary = ran.0.summary.repair.expect("there is repair");
            assert_eq!((summary.requests, blocks.repaired), (0, 0), "{style}, {emission}");
            // The blocks of the last two slots are on their way.
            assert_eq!(blocks.lacking(20, 9), [], "{style}, {emission}");
            assert_eq!(blocks.made.len(), 25, "slots at 0.4, 0.8, ..., 10 s");
        }
    }
}

#[test]
fn with_loss_every_block_becomes_whole_everywhere_and_not_without_repair() {
    for turbine in [CODED, PLAIN] {
        let lossy = |repair: &str| run(&scenario("16s", turbine, repair, "loss = \"15%\""));
        let (_, without) = lossy("style = \"off\"");
        // What is lost on the way from the leader to the root of a tree only the leader has, and
        // one peer of nineteen is asked at a time: the classroom needs more than five attempts.
        let patient = "style = \"classroom\"\ntimeout = \"200ms\"\nretry = \"200ms\"\nbackoff = 1\n\
                       attempts = 1000";
        for style in [patient, "style = \"solana\""] {
            let (ran, blocks) = lossy(style);
            // From 8 to 16 s are 30 rounds of 150 to 260 ms for a request and its answer. In each
            // a node gets a missing shred with 72 % (0.85 squared) times the share of those that
            // have it: the share x that has not becomes x - 0.72 x (1 - x), which is 0.5 after six
            // rounds from 18/19, below 0.001 after six more and then falls to 28 % in each: 18
            // rounds later it is below 1e-12.
            assert_eq!(blocks.lacking(20, 8), [], "{style} {turbine}");
            let summary = ran.0.summary.repair.expect("there is repair");
            // With coding a node would have to lose 33 of 64 shreds, and recovered ones are passed
            // on: hardly anything is left for repair.
            assert!(turbine == CODED || blocks.repaired > 0, "{summary:?}");
            assert!(summary.useful <= summary.answers, "{summary:?}");
            let sent = ran.integers(&REPAIR, "served_shreds").iter().sum::<u64>();
            let answers = ran.lookup(&MESSAGES, "kind", "repair_response", "sent");
            assert_eq!(answers.unwrap_or(0), sent);
            let requests = ran.lookup(&MESSAGES, "kind", "repair_request", "sent");
            assert_eq!(requests.unwrap_or(0), summary.requests);
        }
        if turbine == PLAIN {
            assert!(without.lacking(20, 8).len() > 100, "loss is felt");
        }
    }
}

#[test]
fn erasure_coding_saves_repair() {
    let requests = |turbine| {
        let text = scenario("10s", turbine, "style = \"solana\"", "loss = \"5%\"");
        run(&text).0.0.summary.repair.expect("there is repair").requests
    };
    // Without coding every lost shred has to be asked for: a block has 60 and a node is two links
    // from the leader, so 10 % of them; with it 33 of 64 would have to be lost.
    let (coded, plain) = (requests(CODED), requests(PLAIN));
    assert!(plain > 2_000 && coded * 10 < plain, "{coded} with coding, {plain} without");
}

#[test]
fn what_came_by_repair_is_never_passed_on() {
    // A tree of six: node 0 leads and serves 1 and 2, node 1 serves 3 and 4. Half of what goes from
    // 0 to 1 is lost. The leader goes after 4 s, so that all blocks become whole.
    for order in ["chunk-major", "child-major", "whole-block"] {
        let text = format!(
            "duration = \"20s\"\n[nodes]\ncount = 6\n[blocks]\ncontent = \"synthetic\"\n\
             bytes = \"60kB\"\n[turbine]\ntree = \"kary\"\nfanout = 2\nchunk_size = \"1kB\"\n\
             order = \"{order}\"\n[repair]\nstyle = \"solana\"\n[slots]\nschedule = \"list\"\n\
             leaders = [0]\n[network]\nlatency = \"10ms\"\n[[faults]]\nkind = \"loss\"\n\
             at = \"0s\"\nfrom = 0\nto = 1\nprobability = \"50%\"\n\
             [[faults]]\nkind = \"crash\"\nat = \"3900ms\"\nnodes = 0"
        );
        let (_, blocks) = run(&text);
        assert_eq!(blocks.lacking(6, 20), [], "{order}");
        let (received, sent) = blocks.passed;
        // Ten blocks of 60 shreds, half of them: 300, deviation 12; six of them are 73.
        assert!(received.abs_diff(300) < 73, "{order}: {received}");
        assert_eq!(sent, 2 * received, "{order}");
    }
}

#[test]
fn a_node_that_was_cut_off_catches_up() {
    // 40 slots (16 s) apart, then 14 s to catch up: two nodes lack 40 blocks of 64 data shreds.
    let fault = "[[faults]]\nkind = \"partition\"\nat = \"4s\"\nfor = \"16s\"\n\
                 groups = [\"0..18\", \"18..20\"]";
    catches_up("34s", 40, &format!("[slots]\nschedule = \"list\"\nleaders = [0, 1, 2]\n{fault}"));
}

#[test]
fn a_node_that_crashed_with_or_without_memory_catches_up() {
    for memory in ["kept", "lost"] {
        let fault = format!(
            "[[faults]]\nkind = \"crash\"\nnodes = \"18..20\"\nat = \"4s\"\nfor = \"10s\"\n\
             memory = \"{memory}\""
        );
        let slots = "[slots]\nschedule = \"list\"\nleaders = [0, 1, 2]";
        // Ten seconds, or 14 from the beginning.
        let lacking = if memory == "lost" { 35 } else { 25 };
        catches_up("28s", lacking, &format!("{slots}\n{fault}"));
    }
}

#[test]
fn a_node_that_starts_late_catches_up() {
    let rest = "[slots]\nschedule = \"list\"\nleaders = [0, 1, 2]\n\
                [[nodes.class]]\nnodes = \"18..20\"\nstart = \"12s\"";
    catches_up("26s", 30, rest);
}

/// Two nodes of twenty that lack so many blocks have them when the run is over.
fn catches_up(duration: &str, lacking: u64, rest: &str) {
    for style in ["classroom", "solana"] {
        let repair = format!("style = \"{style}\"");
        let (ran, blocks) = run(&scenario(duration, CODED, &repair, rest));
        let (lowest, highest) = blocks.heads();
        let heads = &blocks.heads;
        assert!(highest > 60 && highest - lowest <= 1, "{style}: {heads:?}");
        assert_eq!(heads.len(), 20);
        let summary = ran.0.summary.repair.expect("there is repair");
        // Blocks that were on their way at the ends of the time came in part by themselves.
        assert!(summary.useful > (lacking - 2) * 64 * 2, "{style}: {summary:?}");
    }
}

#[test]
fn gossip_of_recent_blocks_brings_what_was_lost_and_none_does_not() {
    // Turbine as in the classroom: only the leader sends, each chunk to two of nineteen peers.
    let turbine =
        "tree = \"round-robin\"\nfanout = 2\nforward_received = false\nchunk_size = \"1kB\"";
    let with = |count: u32| {
        let rest = format!(
            "[gossip]\nstyle = \"push\"\ninterval = \"200ms\"\nfanout = 6\nrecent_blocks = {count}"
        );
        let (ran, blocks) = run(&scenario("6s", turbine, "", &rest));
        (ran.lookup(&MESSAGES, "kind", "block_chunk", "sent").unwrap_or(0), blocks.heads.len())
    };
    let ((none, few), (five, all)) = (with(0), with(5));
    // Slots 1 to 15 begin by 6 s: fifteen blocks of 60 chunks to two peers each; only leaders have
    // their own blocks whole.
    assert_eq!(none, 15 * 60 * 2);
    assert!(few < 20, "{few} nodes have a chain");
    assert!(five > 3 * none && all > few, "{five} chunks, {all} nodes have a chain");
}
