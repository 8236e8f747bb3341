//! Metrics layer, tests only: the block collector, facts in, rows and figures out.

use super::super::plan::{NodeInfo, SlotTimes};
use super::super::spread::{SHARES, TimeToShare};
use super::super::table::{Cell, MemorySink, TableSpec};
use super::*;
use crate::fact::{Decline, Level};

const fn at(nanos: u64) -> Time {
    Time::from_nanos(nanos)
}

const fn node(number: u32) -> NodeId {
    NodeId::new(number)
}

/// A collector that has heard nothing, and its rows.
struct Bench {
    blocks: Blocks,
    sink: MemorySink,
}

impl Bench {
    /// All nodes are up from the start, and nobody votes.
    fn new(stakes: &[u64], window: usize, leaders: &[u32]) -> Self {
        Self::voting(stakes, (window, leaders), false)
    }

    fn voting(stakes: &[u64], (window, leaders): (usize, &[u32]), votes: bool) -> Self {
        let nodes = NodeMap::filled(stakes.len(), NodeInfo::default());
        let mut plan = RecorderPlan {
            block_window: window,
            votes,
            leaders: leaders.iter().map(|leader| Some(node(*leader))).collect(),
            slot_times: SlotTimes { length: Span::from_nanos(1_000), ..SlotTimes::UNKNOWN },
            ..RecorderPlan::new(nodes, at(1))
        };
        let stakes = NodeMap::from_vec(stakes.to_vec());
        let nodes = stakes.len();
        let mut bench = Self { blocks: Blocks::new(&mut plan, stakes), sink: MemorySink::new() };
        NodeId::all(nodes).for_each(|node| bench.fact(0, Fact::NodeUp { node }));
        bench
    }

    fn fact(&mut self, nanos: u64, fact: Fact) {
        self.blocks.on_fact(at(nanos), &fact, &mut self.sink);
    }

    /// A block in the slot of its number is made on the one before it.
    fn made(&mut self, nanos: u64, leader: u32, block: u64) {
        let (slot, height) = (Slot::new(block as u32), block as u32);
        let (node, parent) = (node(leader), block - 1);
        self.fact(nanos, Fact::BlockMade { node, slot, block, parent, height });
    }

    fn first(&mut self, nanos: u64, to: u32, block: u64) {
        let (node, slot) = (node(to), Slot::new(block as u32));
        self.fact(nanos, Fact::BlockFirstShred { node, slot, block });
    }

    /// A node has a block whole, with so many shreds by path.
    fn whole(&mut self, nanos: u64, to: u32, block: u64, first: u64, shreds: [u32; 4]) {
        let (node, slot, first) = (node(to), Slot::new(block as u32), at(first));
        self.fact(nanos, Fact::BlockWhole { node, slot, block, first });
        self.counted(nanos, to, block, shreds);
    }

    fn counted(&mut self, nanos: u64, to: u32, block: u64, shreds: [u32; 4]) {
        let [turbine, recovered, repaired, duplicate] = shreds;
        let node = node(to);
        let fact =
            Fact::ShredsCounted { node, block, turbine, recovered, repaired, duplicate, hops: 2 };
        self.fact(nanos, fact);
    }

    fn head(&mut self, of: u32, block: u64, height: u32, reorganised: u32) {
        self.fact(9, Fact::HeadChanged { node: node(of), block, height, reorganised });
    }

    fn fill(&mut self, end: u64) -> BlocksSummary {
        self.blocks.fill(at(end), &mut self.sink)
    }

    fn texts(&self, table: &TableSpec, column: &str) -> Vec<String> {
        self.sink.column(table, column).expect("a column").map(Cell::to_string).collect()
    }

    /// The columns `to_50_...` to `to_100_...` of nodes or stake.
    fn times(&self, row: usize, what: &str) -> [Option<u64>; 7] {
        SHARES.map(|share| self.sink.integer(&BLOCKS, row, &format!("to_{share}_{what}_ns")))
    }
}

/// The end of a run that is long enough for every block to settle.
const LATE: u64 = 10_000_000_000;

#[test]
fn a_block_is_measured_against_all_nodes_and_all_stake() {
    let mut bench = Bench::new(&[10, 0, 60, 30], 8, &[]);
    bench.made(1_000, 0, 7);
    let (bytes, data, coding, transactions) = (900, 32, 30, 4);
    bench.fact(1_000, Fact::BlockSize { block: 7, bytes, data, coding, transactions });
    bench.first(1_004, 3, 7);
    bench.first(1_006, 2, 7);
    bench.first(1_007, 2, 7);
    bench.whole(1_010, 3, 7, 1_004, [20, 12, 0, 1]);
    bench.whole(1_020, 2, 7, 1_006, [8, 21, 3, 8]);
    // Node 3 forgot everything and gets it again; the leader has it anyway.
    bench.whole(1_030, 3, 7, 1_025, [99, 99, 99, 99]);
    bench.whole(1_031, 0, 7, 1_000, [99, 99, 99, 99]);
    bench.head(2, 7, 7, 0);
    let summary = bench.fill(LATE);
    // Of 4 nodes 1, 2, 3 have it at 0, 10, 20 ns: 50 % at 10, 67 % (2.68) at 20, 80 % (3.2) never.
    let never = None;
    assert_eq!(bench.times(0, "nodes"), [Some(10), Some(20), never, never, never, never, never]);
    // Of 100 stake 10, 40, 100 have it at 0, 10, 20 ns.
    assert_eq!(bench.times(0, "stake"), [Some(20); 7]);
    for (column, value) in [
        ("slot", 7),
        ("height", 7),
        ("leader", 0),
        ("made_ns", 1_000),
        ("size_bytes", 900),
        ("data_shreds", 32),
        ("coding_shreds", 30),
        ("transactions", 4),
        ("up", 4),
        ("first_shreds", 2),
        ("whole", 3),
        ("coverage_ppm", 750_000),
        ("first_shred_mean_ns", 5),
        ("turbine", 28),
        ("recovered", 33),
        ("repaired", 3),
        ("duplicate", 9),
        ("expired", 0),
        ("canonical", 1),
    ] {
        assert_eq!(bench.sink.integer(&BLOCKS, 0, column), Some(value), "{column}");
    }
    assert_eq!(bench.texts(&BLOCKS, "block"), ["0000000000000007"]);
    assert_eq!(bench.texts(&BLOCKS, "parent"), ["0000000000000006"]);
    assert_eq!((summary.made, summary.whole_pairs, summary.late), (1, 2, 0));
    assert_eq!((summary.whole.min_ns, summary.whole.mean_ns), (Some(10), Some(15)));
    assert_eq!(summary.first_shred.mean_ns, Some(5));
    let to_half = TimeToShare { reached: 1, mean_ns: Some(10), max_ns: Some(10) };
    assert_eq!((summary.to.nodes(50), summary.to.nodes(90)), (to_half, TimeToShare::default()));
    // 28 + 33 + 3 = 64 shreds were of use: 0.4375, 0.515625, 0.046875; 9 more are 0.140625.
    let shreds = summary.shreds;
    let shares = [shreds.turbine_ppm, shreds.recovered_ppm, shreds.repaired_ppm];
    assert_eq!(shares, [437_500, 515_625, 46_875].map(Some));
    assert_eq!(shreds.redundancy_ppm, Some(140_625));
    assert_eq!(summary.arrivals, ArrivalsSummary { written: 2, left_out: 0 });
    assert_eq!(bench.texts(&BLOCK_ARRIVALS, "node"), ["3", "2"]);
    assert_eq!(bench.texts(&BLOCK_ARRIVALS, "first_ns"), ["4", "6"]);
    assert_eq!(bench.texts(&BLOCK_ARRIVALS, "whole_ns"), ["10", "20"]);
    assert_eq!(bench.texts(&BLOCK_ARRIVALS, "recovered"), ["12", "21"]);
}

#[test]
fn coverage_is_of_the_nodes_that_were_up_and_of_blocks_that_had_time() {
    let mut bench = Bench::new(&[1; 4], 8, &[]);
    bench.fact(5, Fact::NodeDown { node: node(3), forgets: false });
    bench.made(10, 0, 1);
    bench.fact(11, Fact::NodeUp { node: node(3) });
    // Of nodes 0, 1, 2 only 0 and 1 get it; that 3 does later changes nothing.
    bench.whole(20, 1, 1, 15, [1, 0, 0, 0]);
    bench.whole(30, 3, 1, 25, [0, 0, 1, 0]);
    bench.made(40, 0, 2);
    (1..4).for_each(|to| bench.whole(50, to, 2, 45, [1, 0, 0, 0]));
    // One nanosecond less than two seconds before the end.
    bench.made(41, 0, 3);
    let summary = bench.fill(2_000_000_040);
    assert_eq!((summary.settled, summary.complete), (2, 1));
    assert_eq!(summary.coverage_mean_ppm, Some(833_333), "2/3 and 1");
    assert_eq!(summary.coverage_min_ppm, Some(666_666));
    assert_eq!(bench.texts(&BLOCKS, "up"), ["3", "4", "4"]);
    assert_eq!(bench.texts(&BLOCKS, "whole"), ["3", "4", "1"]);
    assert_eq!(bench.texts(&BLOCKS, "coverage_ppm"), ["666666", "1000000", "250000"]);
    assert_eq!(summary.to.nodes(50).reached, 2, "times count whenever a share was reached");
}

#[test]
fn a_block_that_is_given_up_is_told_apart_from_one_that_arrived() {
    let mut bench = Bench::new(&[1; 3], 8, &[]);
    bench.made(10, 0, 1);
    let (slot, block) = (Slot::new(1), 1);
    bench.first(12, 1, 1);
    bench.fact(90, Fact::BlockExpired { node: node(1), slot, block });
    bench.counted(90, 1, 1, [5, 1, 2, 3]);
    bench.whole(95, 2, 1, 94, [7, 0, 0, 0]);
    for (of, reason) in [(0, Flaw::Poh), (1, Flaw::Poh), (2, Flaw::Hash)] {
        bench.fact(96, Fact::BlockRefused { node: node(of), slot, block, reason });
    }
    let summary = bench.fill(LATE);
    assert_eq!((summary.expired, summary.whole_pairs), (1, 1));
    assert!(summary.refused.iter().eq([(Flaw::Hash, 1), (Flaw::Poh, 2)]));
    let json = serde_json::to_value(summary).expect("JSON");
    let refused = "{\"parent\":0,\"hash\":1,\"poh\":2,\"transactions\":0}";
    assert_eq!(json["refused"], serde_json::from_str::<serde_json::Value>(refused).expect("JSON"));
    // Two of three nodes, the leader and node 2, from 85 ns on.
    assert_eq!(json["to_50_nodes"]["mean_ns"], 85);
    assert_eq!((json["to_67_nodes"]["reached"].as_u64(), json.get("to")), (Some(0), None));
    assert_eq!(summary.shreds.turbine, 7, "shreds of what was given up do not count");
    assert_eq!(bench.texts(&BLOCKS, "expired"), ["1"]);
    assert_eq!(bench.texts(&BLOCK_ARRIVALS, "whole_ns"), ["", "85"]);
    assert_eq!(bench.texts(&BLOCK_ARRIVALS, "turbine"), ["5", "7"]);
    assert_eq!(bench.texts(&BLOCK_ARRIVALS, "duplicate"), ["3", "0"]);
}

#[test]
fn the_window_bounds_memory_and_writes_the_oldest_down() {
    let mut bench = Bench::new(&[1; 3], 2, &[]);
    for block in 1..=4 {
        bench.made(block * 10, 0, block);
        assert!(bench.blocks.followed.len() <= 2 && bench.blocks.hashes.len() <= 2);
        bench.whole(block * 10 + 5, 1, block, block * 10 + 3, [1, 0, 0, 0]);
    }
    // A second time is not a second block.
    bench.made(41, 0, 4);
    // 1 and 2 fell out; 3 did not.
    bench.whole(60, 2, 1, 59, [1, 0, 0, 0]);
    bench.whole(61, 2, 3, 59, [1, 0, 0, 0]);
    (0..3).for_each(|of| bench.head(of, 3, 3, 0));
    let summary = bench.fill(LATE);
    assert_eq!(bench.texts(&BLOCKS, "slot"), ["1", "2", "3", "4"]);
    assert_eq!(bench.texts(&BLOCKS, "whole"), ["2", "2", "3", "2"]);
    assert_eq!(bench.texts(&BLOCKS, "canonical"), ["", "", "1", "0"]);
    assert_eq!(bench.texts(&SLOTS, "canonical"), ["", "1", "1", "1", "0"], "known all the same");
    assert_eq!((summary.made, summary.whole_pairs, summary.late), (4, 5, 1));
    assert_eq!(summary.arrivals, ArrivalsSummary { written: 5, left_out: 1 });
    assert_eq!((summary.chain.canonical, summary.chain.forks), (Some(3), Some(1)));
    // 1 and 2 settled as well, by falling out: 2/3, 2/3, 1, 2/3.
    assert_eq!((summary.settled, summary.complete), (4, 1));
}

#[test]
fn slots_and_heads_tell_of_a_fork_a_decline_and_a_crash() {
    // Slots of 1,000 ns led by 0, 0, 1, 1, 2, 2.
    let mut bench = Bench::new(&[50, 30, 20], 8, &[0, 0, 1, 1, 2, 2]);
    bench.made(1_500, 0, 1);
    bench.fact(1_900, Fact::NodeDown { node: node(1), forgets: true });
    bench.fact(2_100, Fact::NodeUp { node: node(1) });
    let reason = Decline::Passed;
    bench.fact(3_000, Fact::LeadDeclined { node: node(1), slot: Slot::new(3), reason });
    assert_eq!(bench.blocks.progress(), BlockProgress { made: 1, height_max: 1, heads: 1 });
    // Node 2 does not know block 1 and builds on genesis.
    let (slot, block, parent, height) = (Slot::new(4), 9, 0, 1);
    bench.fact(4_000, Fact::BlockMade { node: node(2), slot, block, parent, height });
    bench.head(0, 1, 1, 0);
    bench.head(2, 9, 1, 0);
    bench.head(1, 9, 1, 0);
    bench.head(1, 1, 1, 1);
    assert_eq!(bench.blocks.progress(), BlockProgress { made: 2, height_max: 1, heads: 2 });
    let summary = bench.fill(LATE);
    // Slots 2 and 3 before the block of slot 4; slot 0 is that of genesis, slot 5 is not over yet.
    let slots = SlotsSummary {
        made: 2,
        skipped: 2,
        passed: 1,
        has_shreds: 0,
        unpropagated: 0,
        nothing_rooted: 0,
        leader_down: 1,
        unexplained: 0,
        skip_rate_ppm: Some(500_000),
    };
    assert_eq!(summary.slots, slots);
    assert_eq!(bench.texts(&SLOTS, "reason"), ["", "", "leader_down", "passed", ""]);
    let chain = ChainSummary {
        longest: 1,
        canonical: Some(1),
        forks: Some(1),
        reorganisations: 1,
        reorganisation_max: 1,
        head_agreement_ppm: Some(666_666),
    };
    assert_eq!(summary.chain, chain);
    assert_eq!(bench.texts(&BLOCKS, "canonical"), ["1", "0"]);
}

#[test]
fn a_run_without_a_block_has_empty_figures() {
    let summary = Bench::new(&[1; 3], 8, &[0; 9]).fill(LATE);
    assert_eq!((summary.made, summary.settled, summary.coverage_mean_ppm), (0, 0, None));
    assert_eq!((summary.slots.skipped, summary.slots.skip_rate_ppm), (0, None));
    assert_eq!(summary.shreds.redundancy_ppm, None);
    assert_eq!(summary.chain.head_agreement_ppm, Some(1_000_000), "all on genesis");
}

#[test]
fn what_validators_think_of_a_block_they_think_of_all_below_it() {
    let mut bench = Bench::voting(&[30, 30, 30, 10, 0], (8, &[]), true);
    (1..=3).for_each(|block| bench.made(block * 100, 0, block));
    let confirmed = |n: u32, block: u64, level| {
        let (node, slot) = (node(n), Slot::new(block as u32));
        Fact::BlockConfirmed { node, slot, block, level }
    };
    // Stake 10, then 40 with block 3, so with block 2 and 1 too, then 70; the observer has no say.
    bench.fact(310, confirmed(4, 3, Level::Optimistic));
    bench.fact(320, confirmed(3, 2, Level::Optimistic));
    bench.fact(330, confirmed(0, 3, Level::Optimistic));
    bench.fact(340, confirmed(1, 2, Level::Optimistic));
    bench.fact(350, confirmed(1, 2, Level::Duplicate));
    bench.fact(360, confirmed(2, 1, Level::Duplicate));
    bench.fact(390, confirmed(2, 1, Level::Finalized));
    let (voter, delay) = (node(2), 1);
    bench.fact(391, Fact::VoteLanded { block: 2, voter, slot: Slot::new(1), delay });
    for (at, n, slot) in [(400, 1, 33), (410, 0, 40), (420, 2, 40)] {
        let (node, slot) = (node(n), Slot::new(slot));
        bench.fact(at, Fact::VoteCast { node, slot, block: 99, switched: false });
        let (slot, block) = (Slot::new(2), 2);
        bench.fact(at, Fact::Rooted { node, slot, block });
    }
    bench.fill(LATE);
    for (column, cells) in [
        ("votes", ["0", "1", "0"]),
        ("duplicate_50_ns", ["260", "", ""]),
        ("optimistic_first_ns", ["220", "120", "30"]),
        ("optimistic_50_ns", ["240", "140", ""]),
        ("optimistic_95_ns", ["", "", ""]),
        ("finalized_first_ns", ["290", "", ""]),
        ("finalized_50_ns", ["", "", ""]),
        ("rooted_first_ns", ["300", "200", ""]),
        ("rooted_67_ns", ["320", "220", ""]),
        ("slots_to_root", ["32", "31", ""]),
        ("losing", ["0", "0", "0"]),
    ] {
        assert_eq!(bench.texts(&BLOCKS, column), cells, "{column}");
    }
    let confirmation = bench.blocks.confirmation();
    // 240 and 140; nothing finalized for half of the stake; 320 and 220.
    assert_eq!(confirmation.optimistic.mean_ns, Some(190));
    assert_eq!(confirmation.finalized.mean_ns, None);
    assert_eq!(confirmation.rooted.max_ns, Some(320));
}

#[test]
fn a_run_without_votes_tells_nothing_of_them() {
    let mut bench = Bench::new(&[1; 3], 8, &[]);
    bench.made(100, 0, 1);
    bench.made(150, 1, 1_000);
    (0..2).for_each(|of| bench.head(of, 1, 1, 0));
    bench.fill(LATE);
    assert_eq!(bench.texts(&BLOCKS, "votes"), ["", ""]);
    assert_eq!(bench.texts(&BLOCKS, "slots_to_root"), ["", ""]);
    assert_eq!(bench.texts(&BLOCKS, "losing"), ["0", "1"]);
}
