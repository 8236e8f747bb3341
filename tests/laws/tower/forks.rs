//! Law 9: when a validator leaves the fork of its last vote.

use headwater::base::id::NodeId;
use headwater::fact::{Abstention, Fact};
use headwater::world::World;

use super::{roots, tower, votes};

/// A minority of 20 % has voted for its own blocks in slots 1 to m while it was cut off. The rest
/// begins with slot m + 1 upon genesis, from where on nothing is cut any more.
fn outvoted(m: u32, threshold_depth: u32) -> World {
    let free = (1 << m) + 2;
    // Node 0 is the minority; the others lead in turn from slot m + 1 on.
    let leader = |slot: u32| if slot <= m { 0 } else { 1 + slot as usize % 4 };
    let leaders: Vec<usize> = (0..free + 20).map(leader).collect();
    let duration = format!("{}ms", 100 * (free + 20) - 1);
    let world = tower(&[20, 20, 20, 20, 20], &leaders, &duration)
        // Its blocks reach 20 % of the stake, so otherwise it would not lead again.
        .set("consensus.propagation=false")
        .set(&format!("consensus.threshold_depth={threshold_depth}"))
        .build();
    let mut world = world.expect("a world");
    world.cut(&["0", "rest"]).expect("a cut");
    world.run_until(&format!("{}ms", 100 * (m + 1))).expect("a run");
    world.heal().expect("it was cut");
    world.run_until(&duration).expect("a run");
    world
}

#[test]
fn a_minority_that_voted_m_times_in_a_row_unlocks_at_two_to_the_m_plus_two() {
    // Its first vote, in slot 1 with m confirmations, locks out slots up to 1 + 2^m. Long before
    // that it has seen 80 % of the stake elsewhere: votes for slot m + 1 are in block m + 2. Up to
    // eight votes need no threshold; for more the check is left out.
    for (m, threshold_depth) in [(1, 8), (2, 8), (3, 8), (5, 8), (8, 8), (9, 0)] {
        let world = outvoted(m, threshold_depth);
        let free = (1 << m) + 2;
        let expected = (1..=m).map(|slot| (slot, false));
        let later = (free..free + 20).map(|slot| (slot, slot == free));
        let expected: Vec<(u32, bool)> = expected.chain(later).collect();
        assert_eq!(votes(&world, NodeId::new(0)), expected, "{m} votes");
        let withheld: Vec<u32> = world
            .facts()
            .iter()
            .filter_map(|(_, fact)| match *fact {
                Fact::VoteWithheld { node, slot, reason: Abstention::LockedOut, .. }
                    if node == NodeId::new(0) =>
                {
                    Some(slot.number())
                }
                _ => None,
            })
            .collect();
        // From the first block that outweighs its own fork to the last that is locked out.
        assert_eq!(withheld, (m + 2..free).collect::<Vec<u32>>(), "{m} votes");
    }
}

/// Two sides of these stakes, cut from each other for 40 slots, and the rest of 100 silent from the
/// beginning: down. The minority, node 1, leads slot 1, and both in turn after that.
fn split(larger: u64, smaller: u64) -> World {
    let stakes = [larger, smaller, 100 - larger - smaller];
    let world = tower(&stakes, &[0, 1], "60s")
        .set("repair.style=solana")
        // Neither side's blocks reach a third of the stake for sure.
        .set("consensus.propagation=false")
        .build();
    let mut world = world.expect("a world");
    world.cut(&["0", "rest"]).expect("a cut");
    world.crash(NodeId::new(2)).expect("it is up");
    world.run_until("4s").expect("a run");
    world.heal().expect("it was cut");
    world.run_until("60s").expect("a run");
    world
}

fn both(world: &World) -> [u64; 2] {
    [0, 1].map(|node| world.head(NodeId::new(node)).id.0)
}

#[test]
fn with_exactly_38_percent_elsewhere_a_fork_is_never_left() {
    let world = split(38, 37);
    let switched = |node| votes(&world, NodeId::new(node)).iter().any(|(_, switched)| *switched);
    assert!(!switched(0) && !switched(1));
    assert_eq!(roots(&world), []);
    let [larger, smaller] = both(&world);
    assert_ne!(larger, smaller, "60 s later each is on its own fork");
}

#[test]
fn with_39_percent_elsewhere_the_minority_waits_its_lockout_out_and_joins() {
    let world = split(39, 35);
    // It votes for slots 1, 3, 5 ... 15: eight votes, and for the ninth the first would need two
    // thirds behind it. When entries at the top expire, others take their place, but none is as
    // high as the first, which keeps its 8 confirmations and locks out up to 1 + 256; those upon
    // it end earlier: 3 with 7 at 131, and one of slot 43 with 7 would end at 171. It has got the
    // other fork by repair some slots after the heal, at slot 40.
    let votes = votes(&world, NodeId::new(1));
    let first = votes.iter().find(|(_, switched)| *switched);
    assert_eq!(first, Some(&(258, true)));
    assert!(votes.iter().all(|(slot, _)| *slot <= 43 || *slot >= 258));
    assert!(!world.facts().iter().any(|(_, fact)| {
        matches!(fact, Fact::VoteCast { node, switched: true, .. } if node.number() == 0)
    }));
    // 39 + 35 of 100 are more than two thirds.
    let [larger, smaller] = both(&world);
    assert_eq!(larger, smaller);
    assert!(world.honest_roots_agree());
    let rooted = |node: u32| roots(&world).iter().any(|(_, of, _)| of.number() == node);
    assert!(rooted(0) && rooted(1) && !rooted(2));
}
