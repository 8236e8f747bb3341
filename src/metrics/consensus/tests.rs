//! Metrics layer, tests only: the collector of consensus, facts in, rows and figures out.

use super::super::chain::{Chain, Standing};
use super::super::plan::{FaultInfo, NodeInfo};
use super::super::table::{Cell, MemorySink, TableSpec};
use super::*;
use crate::fact::Abstention;

/// Blocks 1 <- 2 <- 3 and 2 <- 4 <- 5 with their numbers as hashes, in slots of their numbers, and
/// made at their numbers, thousandfold.
pub(super) fn forked() -> Chain {
    let mut chain = Chain::new(1);
    for (block, parent, height) in [(1, 99, 1), (2, 1, 2), (3, 2, 3), (4, 2, 3), (5, 4, 4)] {
        let (at, slot) = (Time::from_nanos(block * 1_000), Slot::new(block as u32));
        chain.on_made((at, slot), (block, parent), height);
    }
    chain
}

/// How these blocks stand if 3 is the end of the winning chain.
pub(super) const CANONICAL_3: [Standing; 5] = [
    Standing::Canonical,
    Standing::Canonical,
    Standing::Canonical,
    Standing::Losing,
    Standing::Losing,
];

const fn at(nanos: u64) -> Time {
    Time::from_nanos(nanos)
}

const fn node(number: u32) -> NodeId {
    NodeId::new(number)
}

/// The collectors of blocks and of consensus, and their rows.
struct Bench {
    blocks: Blocks,
    consensus: Consensus,
    sink: MemorySink,
}

impl Bench {
    /// Nodes with these stakes, all up from the start, one partition in the plan, and a patience of
    /// 100 ns.
    fn new(stakes: &[u64], adversaries: &[usize]) -> Self {
        let info = |place: usize| NodeInfo {
            stake: stakes[place],
            adversary: adversaries.contains(&place),
            ..NodeInfo::default()
        };
        let partition = FaultInfo {
            kind: "partition".into(),
            describe: "splits".into(),
            begin: at(1),
            end: None,
            may_miss: false,
            heals: true,
            hinders: true,
        };
        let nodes = NodeMap::from_vec((0..stakes.len()).map(info).collect());
        let mut plan = RecorderPlan {
            blocks: true,
            votes: true,
            patience: Some(Span::from_nanos(100)),
            faults: vec![partition],
            ..RecorderPlan::new(nodes, at(1_000))
        };
        let nodes = stakes.len();
        let stakes = NodeMap::from_vec(stakes.to_vec());
        let mut bench = Self {
            consensus: Consensus::new(&plan, stakes.clone()),
            blocks: Blocks::new(&mut plan, stakes),
            sink: MemorySink::new(),
        };
        NodeId::all(nodes).for_each(|node| bench.fact(0, Fact::NodeUp { node }));
        bench
    }

    fn fact(&mut self, nanos: u64, fact: Fact) {
        self.blocks.on_fact(at(nanos), &fact, &mut self.sink);
        self.consensus.on_fact(at(nanos), &fact, self.blocks.chain());
        if let Fact::FaultEnded { fault } = fact {
            self.consensus.on_healed(at(nanos), fault, self.blocks.chain());
        }
    }

    /// A node makes a block in the slot of its number.
    fn made(&mut self, nanos: u64, leader: u32, (block, parent, height): (u64, u64, u32)) {
        let (node, slot) = (node(leader), Slot::new(block as u32));
        self.fact(nanos, Fact::BlockMade { node, slot, block, parent, height });
    }

    /// Nodes build on a block and vote for it.
    fn follow(&mut self, nanos: u64, nodes: &[u32], (block, height, left): (u64, u32, u32)) {
        for n in nodes {
            let (node, slot) = (node(*n), Slot::new(block as u32));
            self.fact(nanos, Fact::VoteCast { node, slot, block, switched: left > 0 });
            self.fact(nanos, Fact::HeadChanged { node, block, height, reorganised: left });
        }
    }

    /// Votes for a slot are put into a block in the slot of its number.
    fn landed(&mut self, nanos: u64, block: u64, slot: u32, voters: &[u32]) {
        for voter in voters {
            let (voter, delay) = (node(*voter), block as u32 - slot);
            self.fact(nanos, Fact::VoteLanded { block, voter, slot: Slot::new(slot), delay });
        }
    }

    fn rooted(&mut self, nanos: u64, of: u32, block: u64) {
        let slot = Slot::new(block as u32);
        self.fact(nanos, Fact::Rooted { node: node(of), slot, block });
    }

    fn fill(&mut self, end: u64) -> ConsensusSummary {
        self.blocks.fill(at(end), &mut self.sink);
        self.consensus.fill(at(end), &self.blocks, &mut self.sink)
    }

    fn texts(&self, table: &TableSpec, column: &str) -> Vec<String> {
        self.sink.column(table, column).expect("a column").map(Cell::to_string).collect()
    }
}

/// Two halves of two nodes each go two ways from block 1 at 300 ns, and meet on block 6 at 800 ns.
fn split() -> Bench {
    let mut bench = Bench::new(&[10, 10, 10, 10], &[]);
    bench.made(100, 0, (1, 99, 1));
    bench.follow(150, &[0, 1, 2, 3], (1, 1, 0));
    bench.fact(200, Fact::FaultBegan { fault: 0 });
    bench.made(300, 0, (2, 1, 2));
    bench.landed(300, 2, 1, &[0]);
    bench.follow(310, &[0, 1], (2, 2, 0));
    bench.made(400, 2, (3, 1, 2));
    bench.landed(400, 3, 1, &[2, 3]);
    bench.follow(420, &[2, 3], (3, 2, 0));
    bench.consensus.sample(at(500), bench.blocks.chain(), &mut bench.sink);
    bench.fact(600, Fact::FaultEnded { fault: 0 });
    bench.made(700, 1, (6, 2, 3));
    bench.landed(700, 6, 2, &[0]);
    bench.follow(710, &[0, 1], (6, 3, 0));
    let (block, reason) = (6, Abstention::Switch);
    bench.fact(720, Fact::VoteWithheld { node: node(2), slot: Slot::new(6), block, reason });
    bench.follow(800, &[2, 3], (6, 3, 1));
    bench
}

#[test]
fn a_split_and_its_heal_are_told_by_node_and_by_fork() {
    let mut bench = split();
    let summary = bench.fill(1_000);
    assert_eq!(bench.texts(&VOTES, "cast"), ["3"; 4]);
    assert_eq!(bench.texts(&VOTES, "switched"), ["0", "0", "1", "1"]);
    assert_eq!(bench.texts(&VOTES, "landed"), ["2", "0", "1", "1"]);
    // Those of 2 and 3 landed in block 3, which the chain left; of 0, after 1 and after 4 slots.
    assert_eq!(bench.texts(&VOTES, "landed_canonical"), ["2", "0", "0", "0"]);
    assert_eq!(bench.texts(&VOTES, "delay_1"), ["1", "0", "0", "0"]);
    assert_eq!(bench.texts(&VOTES, "delay_2"), ["0"; 4]);
    assert_eq!(bench.texts(&VOTES, "late"), ["1", "0", "0", "0"]);
    assert_eq!(bench.texts(&VOTES, "delay_sum"), ["5", "0", "0", "0"]);
    assert_eq!(bench.texts(&VOTES, "never_landed"), ["1", "3", "2", "2"]);
    assert_eq!(bench.texts(&VOTES, "withheld_switch"), ["0", "0", "1", "0"]);
    // On block 3 from 420 to 800.
    assert_eq!(bench.texts(&VOTES, "losing_ns"), ["0", "0", "380", "380"]);
    assert_eq!(bench.texts(&VOTES, "reorganisation_max"), ["0", "0", "1", "1"]);
    let votes = summary.votes;
    assert_eq!((votes.cast, votes.landed, votes.never_landed), (12, 4, 8));
    assert_eq!((votes.delay_1, votes.late, votes.withheld.switch), (Some(1), Some(1), 1));
    assert_eq!((votes.losing_mean_ns, votes.losing_max_ns), (Some(190), Some(380)));
    assert_eq!(bench.texts(&FORKS, "first_slot"), ["3"]);
    assert_eq!(bench.texts(&FORKS, "most_stake"), ["20"]);
    assert_eq!(bench.texts(&FORKS, "left_ns"), ["800"]);
    assert_eq!(summary.forks.length_1, Some(1));
    assert_eq!(bench.texts(&FORK_STAKE, "tip_slot"), ["2", "3"]);
    assert_eq!(bench.texts(&FORK_STAKE, "parted_slot"), ["1", "1"]);
    assert_eq!(bench.texts(&FORK_STAKE, "head_stake"), ["20", "20"]);
    assert_eq!(bench.texts(&FORK_STAKE, "vote_stake"), ["20", "20"]);
    let (heads_ns, roots_ns) = (Some(200), None);
    assert_eq!(summary.heals, [Reunion { fault: 0, healed_ns: 600, heads_ns, roots_ns }]);
}

#[test]
fn roots_count_from_the_vote_that_made_them_and_end_the_wait_after_a_heal() {
    let mut bench = split();
    bench.made(850, 3, (37, 6, 4));
    bench.follow(860, &[0, 1, 2, 3], (37, 4, 0));
    for n in 0..4 {
        bench.rooted(900 + u64::from(n) * 10, n, 6);
    }
    let summary = bench.fill(1_000);
    // By all four: block 6 after 31 slots, 2 after 35, 1 after 36. The sixth of twelve is 35.
    let expected = RootsSummary {
        highest_slot: Some(6),
        lowest_slot: Some(6),
        last_ns: Some(900),
        slots_min: Some(31),
        slots_p50: Some(35),
        slots_max: Some(36),
        conflicting: 0,
    };
    assert_eq!(summary.roots, expected);
    // Block 6 was made after the heal, and node 3 was the last to root it.
    assert_eq!(summary.heals[0].roots_ns, Some(330));
    assert_eq!(summary.verdict, ConsensusVerdict::Pass, "100 ns before the end");
    assert_eq!(bench.texts(&VOTES, "root_slot"), ["6"; 4]);
}

#[test]
fn a_cluster_that_confirms_nothing_makes_no_progress() {
    let mut bench = split();
    let verdict = bench.fill(1_000).verdict;
    let stalled = |since_ns| ConsensusVerdict::NoProgress { since_ns, parted_ns: None };
    assert_eq!(verdict, stalled(600), "since the heal");
    let level = Level::Optimistic;
    let mut bench = split();
    let confirmed = Fact::BlockConfirmed { node: node(0), slot: Slot::new(6), block: 6, level };
    bench.fact(950, confirmed);
    bench.rooted(950, 0, 6);
    assert_eq!(bench.fill(1_000).verdict, ConsensusVerdict::Pass);
    // The same again is no news.
    let mut bench = split();
    bench.fact(810, confirmed);
    bench.fact(950, confirmed);
    let verdict = bench.fill(1_000).verdict;
    assert_eq!(verdict, stalled(810));
    // Two of four are not more than two thirds of the stake.
    let mut bench = split();
    for n in 0..2 {
        bench.fact(810, Fact::NodeDown { node: node(n), forgets: false });
    }
    let because = NotJudged::Outnumbered;
    assert_eq!(bench.fill(1_000).verdict, ConsensusVerdict::NotJudged { because });
}

#[test]
fn a_split_that_outlives_its_heal_is_divergence() {
    let run = |back: bool| {
        let mut bench = Bench::new(&[10; 4], &[]);
        bench.made(100, 0, (1, 99, 1));
        bench.made(200, 0, (2, 1, 2));
        bench.made(200, 1, (3, 1, 2));
        bench.follow(210, &[0, 1, 2], (2, 2, 0));
        bench.follow(210, &[3], (3, 2, 0));
        if back {
            bench.follow(990, &[3], (2, 2, 1));
        }
        bench.rooted(950, 0, 2);
        bench.fill(1_000).verdict
    };
    assert_eq!(run(false), ConsensusVerdict::Diverged { since_ns: 100 });
    assert_eq!(run(true), ConsensusVerdict::Pass);
}

#[test]
fn conflicting_roots_are_found_unless_it_is_an_adversary_that_lies() {
    for (adversaries, verdict) in [
        (&[][..], ConsensusVerdict::ConflictingRoots { at_ns: 470, node: 2, slot: 3 }),
        (&[2], ConsensusVerdict::NotJudged { because: NotJudged::Hindered }),
    ] {
        let mut bench = Bench::new(&[10; 4], adversaries);
        bench.made(100, 0, (1, 99, 1));
        bench.made(300, 0, (2, 1, 2));
        bench.made(400, 2, (3, 1, 2));
        bench.fact(420, Fact::FaultBegan { fault: 0 });
        bench.rooted(450, 0, 2);
        bench.rooted(460, 1, 1);
        bench.rooted(470, 2, 3);
        let summary = bench.fill(1_000);
        assert_eq!(summary.verdict, verdict);
        assert_eq!(summary.roots.conflicting, u32::from(adversaries.is_empty()));
        assert_eq!(summary.roots.lowest_slot, None, "node 3 has none");
    }
}

#[test]
fn a_node_that_is_down_stands_nowhere() {
    let mut bench = split();
    // Too late to change what was, but from now on alone on the fork, and then away from it.
    bench.fact(810, Fact::HeadChanged { node: node(3), block: 3, height: 2, reorganised: 2 });
    bench.fact(830, Fact::NodeDown { node: node(3), forgets: false });
    bench.fact(900, Fact::NodeUp { node: node(3) });
    bench.fact(907, Fact::NodeDown { node: node(3), forgets: true });
    bench.fact(950, Fact::NodeUp { node: node(3) });
    bench.fill(1_000);
    // 380, then 20 and 7; on genesis nothing is lost.
    assert_eq!(bench.texts(&VOTES, "losing_ns"), ["0", "0", "380", "407"]);
    assert_eq!(bench.texts(&FORKS, "left_ns"), ["907"]);
}

#[test]
fn records_are_settled_on_the_way_when_there_are_many() {
    let mut bench = split();
    bench.made(850, 3, (37, 6, 4));
    (0..3).for_each(|n| bench.rooted(900, n, 6));
    for round in 0..50_000_u64 {
        bench.follow(1_000 + 10 * round, &[3], (3, 2, 1));
        bench.follow(1_007 + 10 * round, &[3], (6, 3, 1));
    }
    let waiting = bench.consensus.held.waiting();
    assert!(waiting < 50_000, "{waiting} records wait, of more than 100,000");
    bench.fill(1_000_000);
    // Seven in ten nanoseconds of each round, and 380 before.
    assert_eq!(bench.texts(&VOTES, "losing_ns")[3], "350380");
}
