//! Metrics layer, tests: where transactions end, step by step.

use super::*;
use crate::metrics::table::MemorySink;

/// A cluster of three nodes with equal stakes, and what the collector hears.
struct World {
    all: Transactions,
    sink: MemorySink,
    at: u64,
}

fn node(number: u32) -> NodeId {
    NodeId::new(number)
}

impl World {
    fn new(window: usize) -> Self {
        let all = Transactions::new(NodeMap::filled(3, 10), window);
        let mut world = Self { all, sink: MemorySink::new(), at: 0 };
        NodeId::all(3).for_each(|node| world.hear(Fact::NodeUp { node }));
        world
    }

    fn hear(&mut self, fact: Fact) {
        self.at += 1;
        self.all.on_fact(Time::from_nanos(self.at), &fact, &mut self.sink);
    }

    fn step(&mut self, at: u32, transaction: u32, step: Step) {
        self.hear(Fact::Transaction { node: node(at), transaction, step });
    }

    fn submit(&mut self, transaction: u32) {
        self.step(0, transaction, Step::Submitted { size: 180 });
        self.step(0, transaction, Step::Received { leads: false });
    }

    fn block(&mut self, leader: u32, block: u64, parent: u64, height: u32, heads: &[u32]) {
        let slot = crate::base::slot::Slot::new(height);
        self.hear(Fact::BlockMade { node: node(leader), slot, block, parent, height });
        for head in heads {
            self.hear(Fact::HeadChanged { node: node(*head), block, height, reorganised: 0 });
        }
    }

    fn states(&mut self) -> Vec<String> {
        self.all.fill(&mut self.sink);
        let place = TRANSACTIONS.position("state").expect("a column");
        self.sink.rows(&TRANSACTIONS).iter().map(|row| row[place].to_string()).collect()
    }
}

#[test]
fn each_ends_in_the_first_state_of_the_list_that_holds() {
    let mut world = World::new(100);
    (0..9).for_each(|transaction| world.submit(transaction));
    world.block(1, 11, 0, 1, &[1, 2]);
    world.block(0, 99, 0, 1, &[0]);
    let canonical = Step::Included { block: 11 };
    let fork = Step::Included { block: 99 };
    // 0: in the chain, though also expired and held.
    world.step(1, 0, Step::Received { leads: true });
    world.step(1, 0, canonical);
    world.step(2, 0, Step::Dropped(Loss::Expired));
    // 1: in a fork, and still somewhere. 2: in a fork only. 3: expired after that.
    (1..=3).for_each(|transaction| world.step(0, transaction, fork));
    world.step(1, 1, Step::Received { leads: false });
    world.step(1, 3, Step::Received { leads: false });
    world.step(1, 3, Step::Dropped(Loss::Expired));
    // 4: waits. 5: evicted at one node, waits at another. 6: at nobody.
    world.step(2, 5, Step::Received { leads: false });
    world.step(0, 5, Step::Dropped(Loss::Evicted));
    world.step(0, 6, Step::Dropped(Loss::Crashed));
    // 7: copies that were never taken in change nothing. 8: dropped, and refused elsewhere.
    world.step(2, 7, Step::Dropped(Loss::Full));
    world.step(2, 7, Step::Dropped(Loss::Duplicate));
    world.step(0, 8, Step::Dropped(Loss::Evicted));
    world.step(1, 8, Step::Refused(Refusal::ShortBalance));
    let expected = [
        "included", "waiting", "orphaned", "expired", "waiting", "waiting", "dropped", "waiting",
        "refused",
    ];
    assert_eq!(world.states(), expected);
    let summary = world.all.summary();
    assert!(summary.conserved && summary.submitted == 9, "{summary:?}");
    assert_eq!((summary.waiting, summary.dropped.crashed, summary.duplicates), (4, 1, 1));
    // Three nodes come up, then nine times two steps, of which number 0's are the first, and five
    // facts about blocks: it is at a leader with the 27th fact, and was submitted with the 4th.
    assert_eq!((summary.to_leader.max_ns, summary.to_block.max_ns), (Some(23), Some(24)));
}

#[test]
fn memory_is_a_ring_and_what_falls_out_is_written_as_it_is() {
    let mut world = World::new(4);
    for transaction in 0..10 {
        world.submit(transaction);
        // By now numbers 1 to 4 are followed.
        if transaction == 4 {
            world.step(0, 0, Step::Dropped(Loss::Evicted));
        }
    }
    assert_eq!(world.all.slots.len(), 4);
    let states = world.states();
    let (outside, followed) = states.split_at(6);
    assert_eq!(outside, ["unfollowed"; 6], "what happens to those outside is too late");
    assert_eq!(followed, ["waiting"; 4]);
    let summary = world.all.summary();
    assert_eq!((summary.unfollowed, summary.waiting, summary.conserved), (6, 4, true));
}

#[test]
fn one_that_comes_in_after_its_time_replaces_nobody() {
    let mut world = World::new(2);
    [0, 2, 3, 1].into_iter().for_each(|transaction| world.submit(transaction));
    world.step(0, 4, Step::Missed { size: 180 });
    // Number 0 fell out when 2 came in, number 1 came in when 2 and 3 were followed, 2 made way
    // for 4.
    assert_eq!(world.states(), ["unfollowed", "unfollowed", "waiting", "missed"]);
    let summary = world.all.summary();
    assert_eq!((summary.submitted, summary.conserved), (5, true));
    assert_eq!((summary.unfollowed, summary.waiting, summary.missed), (3, 1, 1));
}
