//! Metrics layer, tests: every invariant is broken once, by facts that no honest program states,
//! and each time the watch says so, at once and only once.

use super::*;

const NODES: usize = 4;

fn watch(lockouts: bool) -> Watch {
    let (honest, voters) = (NodeSet::full(NODES), NodeSet::full(NODES));
    Watch::new(WatchPlan { nodes: NODES, honest, voters, lockouts })
}

fn node(number: u32) -> NodeId {
    NodeId::new(number)
}

/// A watch that has heard some facts, one a second.
struct Heard {
    watch: Watch,
    seconds: u64,
}

impl Heard {
    fn new(lockouts: bool) -> Self {
        Self { watch: watch(lockouts), seconds: 0 }
    }

    fn hear(&mut self, fact: Fact) -> &mut Self {
        self.seconds += 1;
        self.watch.on_fact(Time::from_nanos(self.seconds * 1_000_000_000), &fact);
        self
    }

    /// A block whose name is its slot, or that and a multiple of 1,000 on other forks.
    fn made(&mut self, block: u64, parent: u64, height: u32) -> &mut Self {
        let slot = Slot::new((block % 1_000) as u32);
        self.hear(Fact::BlockMade { node: node(0), slot, block, parent, height })
    }

    /// `1..=last` upon genesis.
    fn line(&mut self, last: u32) -> &mut Self {
        for slot in 1..=last {
            self.made(slot.into(), u64::from(slot) - 1, slot);
        }
        self
    }

    fn vote(&mut self, by: u32, block: u64) -> &mut Self {
        let slot = Slot::new((block % 1_000) as u32);
        self.hear(Fact::VoteCast { node: node(by), slot, block, switched: false })
    }

    fn root(&mut self, by: u32, block: u64) -> &mut Self {
        let slot = Slot::new((block % 1_000) as u32);
        self.hear(Fact::Rooted { node: node(by), slot, block })
    }

    fn audited(&mut self, by: u32, block: u64, audit: Audit) -> &mut Self {
        self.hear(Fact::BlockAudited { node: node(by), block, audit })
    }

    fn broken(&self) -> Option<(Invariant, Vec<u32>, Vec<u64>)> {
        assert_eq!(self.watch.halted(), self.watch.violation().is_some());
        let violation = self.watch.violation()?;
        let nodes = violation.nodes.iter().map(|node| node.number()).collect();
        Some((violation.invariant, nodes, violation.blocks.clone()))
    }
}

#[test]
fn two_nodes_that_root_conflicting_blocks_break_the_one_chain() {
    let mut heard = Heard::new(false);
    // 0 - 1 - 2 - 3 - 4
    //      \ - 1003 - 1004
    heard.line(4).made(1_003, 1, 2).made(1_004, 1_003, 3);
    heard.root(0, 1).root(1, 3).root(2, 2).root(3, 1);
    assert_eq!(heard.broken(), None, "all on one chain, in whatever order");
    heard.root(3, 1_004);
    // At height 3 node 1 has rooted 3.
    assert_eq!(heard.broken(), Some((Invariant::OneChain, vec![1, 3], vec![3, 1_004])));
    let violation = heard.watch.violation().expect("broken");
    assert_eq!(violation.at, Time::from_nanos(11_000_000_000));
    assert_eq!(violation.facts.len(), 3, "what both rooted: {:?}", violation.facts);
    // The first stays.
    heard.root(0, 1_003);
    assert_eq!(heard.watch.violation().map(|it| it.nodes.len()), Some(2));
}

#[test]
fn a_conflict_is_found_whether_the_root_lies_above_or_below_the_others() {
    for (first, second) in [(4, 1_003), (1_003, 4), (2, 1_004), (1_004, 2)] {
        let mut heard = Heard::new(false);
        heard.line(4).made(1_003, 1, 2).made(1_004, 1_003, 3);
        heard.root(0, first).root(1, second);
        let found = heard.broken().map(|(invariant, nodes, _)| (invariant, nodes));
        assert_eq!(found, Some((Invariant::OneChain, vec![0, 1])), "{first} {second}");
    }
}

#[test]
fn a_root_that_goes_back_or_aside_breaks_growth() {
    for (before, after) in [(3, 2), (3, 3), (3, 1_004)] {
        let mut heard = Heard::new(false);
        heard.line(4).made(1_003, 1, 2).made(1_004, 1_003, 3);
        heard.root(2, 1).root(2, before);
        assert_eq!(heard.broken(), None);
        heard.root(2, after);
        let expected = Some((Invariant::RootsGrow, vec![2], vec![before, after]));
        assert_eq!(heard.broken(), expected, "{before} {after}");
    }
}

#[test]
fn a_vote_against_a_lockout_and_a_root_without_votes_break_lockouts() {
    let forked = || {
        let mut heard = Heard::new(true);
        heard.line(4).made(1_005, 1, 2).made(1_006, 1, 2);
        heard.vote(0, 2).vote(0, 3);
        heard
    };
    // Two votes stand on that for 2, so it locks out up to slot 6.
    assert_eq!(forked().vote(0, 1_006).broken(), Some((Invariant::Lockouts, vec![0], vec![1_006])));
    assert_eq!(forked().vote(1, 1_006).broken(), None, "another node");
    assert_eq!(forked().made(1_007, 1, 2).vote(0, 1_007).broken(), None);
    assert_eq!(forked().vote(0, 3).broken(), Some((Invariant::Lockouts, vec![0], vec![3])));
    assert_eq!(forked().root(0, 2).broken(), Some((Invariant::Lockouts, vec![0], vec![2])));
    let mut patient = Heard::new(true);
    patient.line(40);
    (1..=32).for_each(|slot| {
        patient.vote(3, slot);
    });
    assert_eq!(patient.root(3, 1).broken(), None);
}

#[test]
fn nodes_that_lie_or_have_lost_their_memory_break_nothing() {
    let mut heard = Heard::new(true);
    heard.watch.plan.honest.remove(node(0));
    heard.line(4).made(1_005, 1, 2);
    heard.vote(0, 3).vote(0, 1_005).root(0, 3);
    heard.vote(1, 3).hear(Fact::NodeDown { node: node(1), forgets: true });
    heard.vote(1, 1_005).root(1, 1_005);
    heard.vote(2, 3).hear(Fact::NodeDown { node: node(2), forgets: false });
    assert_eq!(heard.broken(), None);
    heard.vote(2, 1_005);
    assert_eq!(heard.broken(), Some((Invariant::Lockouts, vec![2], vec![1_005])));
}

#[test]
fn a_bad_block_is_nobodys_fault_until_somebody_honest_relies_on_it() {
    let bad = [
        (Audit { hashed: false, ..Audit::CLEAN }, Invariant::BlockHash),
        (Audit { covered: false, ..Audit::CLEAN }, Invariant::Balances),
        (Audit { conserved: false, ..Audit::CLEAN }, Invariant::Balances),
    ];
    for (audit, invariant) in bad {
        let liar = || {
            let mut heard = Heard::new(false);
            heard.watch.plan.honest.remove(node(0));
            // The third stands on the second, which is bad.
            heard.line(1).made(2, 1, 2).audited(0, 2, audit).made(3, 2, 3);
            heard.audited(0, 3, Audit::CLEAN);
            heard
        };
        assert_eq!(liar().vote(0, 3).broken(), None);
        let expected = Some((invariant, vec![1], vec![3]));
        assert_eq!(liar().vote(1, 3).broken(), expected);
        assert_eq!(liar().root(1, 3).broken(), expected);
        let changed = Fact::HeadChanged { node: node(1), block: 3, height: 3, reorganised: 0 };
        assert_eq!(liar().hear(changed).broken(), expected);
        let slot = Slot::new(4);
        let upon = Fact::BlockMade { node: node(1), slot, block: 4, parent: 3, height: 4 };
        assert_eq!(liar().hear(upon).broken(), expected);
        let mut honest = Heard::new(false);
        honest.line(1).audited(0, 1, audit);
        assert_eq!(honest.broken(), Some((invariant, vec![0], vec![1])), "made by the honest");
    }
}

#[test]
fn what_cannot_be_judged_is_counted() {
    let mut heard = Heard::new(true);
    heard.line(2).vote(0, 900);
    assert_eq!((heard.broken(), heard.watch.unknown()), (None, 1));
    let mut heard = Heard::new(false);
    heard.line(2).root(1, 901);
    assert_eq!((heard.broken(), heard.watch.unknown()), (None, 1));
}

#[test]
fn memory_is_bounded_and_a_long_run_stays_judged() {
    let mut heard = Heard::new(false);
    for height in 1..=20_000_u64 {
        let slot = Slot::new(height as u32);
        let (block, parent) = (height, height - 1);
        let made = Fact::BlockMade { node: node(0), slot, block, parent, height: height as u32 };
        heard.hear(made);
        if height > 32 {
            for by in 0..NODES as u32 {
                let (slot, block) = (Slot::new(height as u32 - 32), height - 32);
                heard.hear(Fact::Rooted { node: node(by), slot, block });
            }
        }
    }
    assert_eq!((heard.broken(), heard.watch.unknown()), (None, 0));
    assert!(heard.watch.tree.path(20_000).count() < 2_000);
    let (slot, block) = (Slot::new(19_990), 99_999);
    let made = Fact::BlockMade { node: node(0), slot, block, parent: 19_960, height: 19_961 };
    heard.hear(made).hear(Fact::Rooted { node: node(2), slot, block });
    assert_eq!(heard.broken().map(|found| found.0), Some(Invariant::RootsGrow));
}
