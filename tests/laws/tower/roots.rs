//! Law 9: how long a root takes, and how much stake it takes.

use headwater::base::id::NodeId;
use headwater::base::slot::Slot;
use headwater::base::time::{Span, Time};
use headwater::fact::{Fact, Level};
use headwater::world::World;

use super::{roots, tower, votes};

/// When slot k begins.
fn begins(slot: Slot) -> Time {
    Time::ZERO + Span::from_millis(100) * u64::from(slot.number())
}

/// Blocks confirmed to a level: when, in whose eyes, of which slot.
fn confirmed(world: &World, of: Level) -> Vec<(Time, NodeId, Slot)> {
    let confirmed = world.facts().iter().filter_map(|(at, fact)| match *fact {
        Fact::BlockConfirmed { node, slot, level, .. } if level == of => Some((*at, node, slot)),
        _ => None,
    });
    confirmed.collect()
}

#[test]
fn a_block_is_rooted_thirty_one_slots_after_it_and_final_one_later() {
    let mut world = tower(&[10, 10, 10, 10, 10], &[0, 1, 2, 3, 4], "10s").build().expect("a world");
    world.run_until("10s").expect("a run");
    let ms = Span::from_millis(1);
    // The leader of slot k is node k modulo 5.
    let leads = |node: NodeId, slot: Slot| slot.number() % 5 == node.number();
    let roots = roots(&world);
    for (at, node, slot) in &roots {
        // 32 votes in a row, for slot and the 31 after it. The last is cast when its block is
        // there: at once by its leader, 1 ms later by everybody else.
        let last = slot.plus(31);
        let expected = begins(last) + if leads(*node, last) { Span::ZERO } else { ms };
        assert_eq!(*at, expected, "{node:?} roots {slot:?}");
    }
    // Slots 1 to 99 have blocks: those up to 68 are rooted by everyone.
    assert_eq!(roots.len(), 5 * 68);

    // The votes that root a slot are in the block after that.
    let finals = confirmed(&world, Level::Finalized);
    for (at, node, slot) in &finals {
        let block = slot.plus(32);
        let expected = begins(block) + if leads(*node, block) { Span::ZERO } else { ms };
        assert_eq!(*at, expected, "{slot:?} is final to {node:?}");
    }
    assert_eq!(finals.len(), 5 * 67);

    // The leader votes when its block is made, the others 1 ms later. Four of five are more than
    // two thirds, three are not. The leader's vote comes to the others at 1 ms, just before their
    // own; everybody else's at 2 ms: that makes four.
    for (at, node, slot) in confirmed(&world, Level::Optimistic) {
        assert_eq!(at, begins(slot) + ms * 2, "{slot:?} in the eyes of {node:?}");
    }
}

#[test]
fn two_thirds_and_a_little_more_are_enough_and_exactly_two_thirds_are_not() {
    // Nodes 0 and 1 are cut off from node 2. Alone they are exactly two thirds, or more by one
    // part in 300; or 66 and 67 of 100.
    for (stakes, enough) in
        [([1, 1, 1], false), ([100, 101, 100], true), ([33, 33, 34], false), ([33, 34, 33], true)]
    {
        let mut world = tower(&stakes, &[0, 1, 2], "20s").build().expect("a world");
        world.cut(&["0..2", "2"]).expect("a cut");
        world.run_until("20s").expect("a run");
        let larger = |node: &NodeId| node.number() < 2;
        let rooted: Vec<NodeId> = roots(&world).into_iter().map(|(_, node, _)| node).collect();
        assert_eq!(rooted.iter().any(larger), enough, "{stakes:?}");
        assert!(rooted.iter().all(larger), "{stakes:?}: never on the smaller side");
        for level in [Level::Optimistic, Level::Finalized] {
            let confirmed = confirmed(&world, level);
            assert_eq!(confirmed.iter().any(|(_, node, _)| larger(node)), enough, "{stakes:?}");
            assert!(confirmed.iter().all(|(_, node, _)| larger(node)), "{stakes:?}");
        }
    }
}

#[test]
fn the_classroom_too_finalizes_with_strictly_more_than_two_thirds() {
    for (stakes, enough) in [([1, 1, 1], false), ([100, 101, 100], true)] {
        let world = tower(&stakes, &[0, 1, 2], "5s").set("consensus.style=classroom").build();
        let mut world = world.expect("a world");
        world.cut(&["0..2", "2"]).expect("a cut");
        world.run_until("5s").expect("a run");
        assert_eq!(roots(&world).is_empty(), !enough, "{stakes:?}");
    }
}

#[test]
fn a_split_into_equal_halves_finalizes_nothing_and_after_it_all_root_one_chain() {
    // Both sides go on with blocks and with up to eight votes upon the cut, where a vote would need
    // two thirds behind its first. A vote for slot s with m upon it locks out up to s + 2^(m + 1).
    let stakes = [25, 25, 25, 25];
    let world = tower(&stakes, &[0, 2, 1, 3], "60s")
        .set("repair.style=solana")
        // Votes stop for a while, so a block's spread would not be seen from them.
        .set("consensus.propagation=false")
        .build();
    let mut world = world.expect("a world");
    world.cut(&["0..2", "2..4"]).expect("a cut");
    world.run_until("6s").expect("a run");
    assert!(!world.heads_agree());
    assert_eq!(roots(&world), []);
    assert_eq!(confirmed(&world, Level::Optimistic), []);
    world.heal().expect("it was cut");
    // Of equal forks the one with the earlier slot leads, slot 1: the side of node 0, whose first
    // vote was for slot 2 and has eight confirmations, is free after 2 + 256.
    world.run_until("25910ms").expect("a run");
    for node in [0, 1] {
        let votes = votes(&world, NodeId::new(node));
        let switches: Vec<_> = votes.into_iter().filter(|(_, switched)| *switched).collect();
        assert_eq!(switches, [(259, true)]);
    }
    // 32 votes later everybody has a root.
    let rooted = |world: &World| world.nodes().all(|node| world.root(node).height > 0);
    assert!(world.run_until_holds("32s", rooted).expect("a run"), "all have a root");
    world.run_until("60s").expect("a run");
    assert!(world.honest_roots_agree());
    assert!(world.heads_agree());
    let last = Slot::new(600 - 31);
    assert!(world.nodes().all(|node| world.root(node).slot() >= last.minus(3)));
}
