//! Protocol layer, tests: two blocks for one slot.

use super::*;

#[test]
fn a_slot_with_two_blocks_is_no_candidate_until_more_than_52_percent_have_chosen() {
    let mut bench = Bench::new(&[1, 51, 1, 47], |_| {});
    bench.block((1, 0, 1), &[]);
    bench.block((2, 1, 2), &[]);
    assert_eq!((bench.cast(), bench.head), (vec![1, 2], 2));
    bench.prove(1);
    assert_eq!((bench.head, bench.withheld()), (0, vec![Abstention::Rollback]));
    // What joins upon it is no candidate either.
    bench.block((3, 2, 3), &[]);
    assert_eq!((bench.head, bench.cast()), (0, vec![]));
    // The proof is stated once.
    bench.prove(1);
    let proven = bench.take(|fact| match fact {
        Fact::EquivocationProven { slot, leader, .. } => Some((slot.number(), leader.number())),
        _ => None,
    });
    assert_eq!(proven, [(1, 1)]);
    // The node's own vote and 51 are 52 of 100: not more.
    let votes = [bench.vote(1, &[1], 1)];
    bench.hear(&votes);
    assert_eq!((bench.head, bench.confirmed(Level::Duplicate)), (0, vec![]));
    let votes = [bench.vote(2, &[1], 1)];
    bench.hear(&votes);
    assert_eq!(bench.confirmed(Level::Duplicate), [1]);
    assert_eq!((bench.head, bench.cast()), (3, vec![3]));
}

#[test]
fn the_version_that_the_others_have_chosen_takes_the_place_of_the_own() {
    let mut bench = Bench::new(&[10, 53, 37], |_| {});
    bench.block((1, 0, 1), &[]);
    bench.block((2, 1, 2), &[]);
    bench.cast();
    let (slot, other) = (Slot::new(1), BlockId(11));
    assert!(!bench.consensus.prefers(slot, other));
    let votes = [bench.vote(1, &[1], 11)];
    bench.hear(&votes);
    // The node does not have that one yet, but those of its own go.
    assert!(bench.consensus.prefers(slot, other));
    assert!(bench.chain.link(BlockId(1)).is_none() && bench.chain.link(BlockId(2)).is_none());
    assert_eq!(bench.head, 0);
    assert_eq!(bench.act(|consensus, _, _| consensus.take_released().count()), 2);
    // Its last vote, for slot 2, went with them: nothing holds it, but that a vote is for a later
    // slot, and that lockouts are by slots: 2, with one confirmation, ends at 4.
    bench.block((11, 0, 1), &[]);
    bench.block((13, 11, 3), &[]);
    assert_eq!((bench.head, bench.cast()), (13, vec![]));
    assert_eq!(bench.withheld(), [Abstention::LockedOut; 2]);
    bench.block((15, 13, 5), &[]);
    assert_eq!((bench.head, bench.cast()), (15, vec![5]));
    // The other one comes again.
    bench.block((1, 0, 1), &[]);
    assert_eq!(bench.head, 15);
    assert!(!bench.chain.is_candidate(BlockId(1)));
}

#[test]
fn a_dumped_fork_takes_its_votes_along_and_leaves_the_others() {
    let mut bench = Bench::new(&[0, 30, 53, 17], |_| {});
    bench.block((1, 0, 1), &[]);
    bench.block((2, 1, 2), &[]);
    let votes = [bench.vote(1, &[1], 1), bench.vote(3, &[2], 2)];
    bench.block((3, 2, 3), &votes[..1]);
    bench.block((4, 1, 4), &votes[1..]);
    assert_eq!(bench.chain.weight(BlockId(1)), 47);
    let choice = [bench.vote(2, &[2], 12)];
    bench.hear(&choice);
    // The block of slot 2 is gone with the one of slot 3, and the vote for it.
    assert_eq!((bench.head, bench.chain.weight(BlockId(1))), (4, 30));
    bench.block((12, 1, 2), &[]);
    bench.block((13, 12, 5), &choice);
    assert_eq!((bench.head, bench.chain.weight(BlockId(1))), (13, 83));
}

#[test]
fn a_fork_with_two_blocks_for_a_slot_is_built_on_until_blocks_upon_it_tell_who_chose_it() {
    let mut bench = Bench::new(&[10, 43, 37, 10], |_| {});
    bench.block((1, 0, 1), &[]);
    bench.block((2, 1, 2), &[]);
    let other = bench.vote(2, &[1, 3], 3);
    bench.block((3, 1, 3), &[]);
    bench.block((4, 3, 4), &[other]);
    assert_eq!((bench.cast(), bench.head), (vec![1, 2], 2), "37 of 100 let nobody switch");
    bench.prove(2);
    bench.block((5, 2, 5), &[]);
    assert_eq!((bench.head, bench.cast()), (5, vec![]));
    // Of 53 that stand behind block 2, its own vote and that of node 1 for a block upon it, no
    // block has more than 43 of its own; and by slot 16 both lockouts are over.
    let votes = [bench.vote(0, &[1, 2], 2), bench.vote(1, &[1, 5], 5)];
    bench.block((16, 5, 16), &votes);
    assert_eq!(bench.confirmed(Level::Duplicate), [2]);
    assert_eq!((bench.head, bench.cast()), (16, vec![16]));
}

#[test]
fn voters_of_the_other_version_count_for_a_switch_though_the_node_lacks_what_they_voted_for() {
    // 39 voted for block 11 in slot 1, where the node has block 1; nobody has chosen yet.
    let stuck = |stakes: &[u64], proven: bool| {
        let mut bench = Bench::new(stakes, |_| {});
        bench.block((1, 0, 1), &[]);
        if proven {
            bench.prove(1);
        }
        bench.block((4, 0, 4), &[]);
        bench
    };
    let mut bench = stuck(&[10, 39, 51], true);
    assert_eq!((bench.head, bench.withheld().last()), (1, Some(&Abstention::Switch)));
    let other = bench.vote(1, &[1], 11);
    bench.hear(&[other]);
    bench.poll();
    assert_eq!((bench.head, bench.cast()), (4, vec![1, 4]));
    // 38 are not enough; nor are 39 if the slot has one block as far as the node knows.
    for (stakes, proven) in [([10, 38, 52], true), ([10, 39, 51], false)] {
        let mut bench = stuck(&stakes, proven);
        let other = bench.vote(1, &[1], 11);
        bench.hear(&[other]);
        bench.poll();
        assert_eq!(bench.cast(), [1], "{stakes:?}");
    }
}

#[test]
fn a_voter_of_the_other_version_counts_as_long_as_its_tower_holds_that_vote() {
    // The node's last vote is for slot 9, upon block 1; the lockout of slot 1 alone ends at 3.
    let after = |towers: &[(&[u32], u64)]| {
        let mut bench = Bench::new(&[10, 39, 51], |_| {});
        bench.block((1, 0, 1), &[]);
        bench.block((9, 1, 9), &[]);
        bench.prove(1);
        bench.block((12, 0, 12), &[]);
        for (slots, block) in towers {
            let vote = bench.vote(1, slots, *block);
            bench.hear(&[vote]);
        }
        bench.poll();
        bench.cast()
    };
    let first: (&[u32], u64) = (&[1], 11);
    assert_eq!(after(&[first]), [1, 9], "its lockout ends before slot 9");
    // Votes on top of it: a later one than the node's, then lockouts that reach it.
    assert_eq!(after(&[first, (&[1, 2, 10], 20)]), [1, 9], "slot 1 has expired by slot 10");
    assert_eq!(after(&[first, (&[1, 2, 3, 4, 10], 20)]), [1, 9, 12]);
    assert_eq!(after(&[first, (&[1, 2, 3, 4], 20)]), [1, 9, 12], "slot 1 is kept until 17");
    // Whoever has voted for both versions proves nothing.
    assert_eq!(after(&[first, (&[1], 1), (&[1, 2, 3, 4, 10], 20)]), [1, 9]);
}

#[test]
fn a_proof_by_gossip_counts_when_all_parts_of_one_maker_are_there() {
    let mut bench = Bench::new(&[1, 51, 48], |_| {});
    bench.block((1, 0, 1), &[]);
    let mut part = |by: u32, part: u8| {
        bench.consensus.completes_proof(NodeId::new(by), Slot::new(1), (part, 3))
    };
    assert!(!part(1, 0) && !part(2, 1) && !part(1, 2) && !part(1, 2) && !part(2, 2));
    assert!(part(1, 1));
    bench.prove(1);
    assert!(!bench.consensus.completes_proof(NodeId::new(2), Slot::new(1), (0, 3)), "known");
    // What came by gossip is not published again, what the node has seen itself is, once.
    let by_shreds = |bench: &mut Bench, slot| {
        let proof = (Slot::new(slot), NodeId::new(1));
        bench.act(|consensus, desk, ctx| consensus.on_duplicate(desk, ctx, proof)).0
    };
    assert!(!by_shreds(&mut bench, 1) && by_shreds(&mut bench, 2) && !by_shreds(&mut bench, 2));
    let published: Vec<(Slot, NodeId)> = bench.consensus.take_proofs().collect();
    assert_eq!(published, [(Slot::new(2), NodeId::new(1))]);
}

#[test]
fn a_version_that_others_build_upon_is_taken_in_beside_the_own_and_neither_is_a_candidate() {
    let mut bench = Bench::new(&[10, 45, 45], |_| {});
    bench.block((1, 0, 1), &[]);
    bench.prove(1);
    assert!(!bench.consensus.awaits(&bench.chain, BlockId(11)));
    let parent = Block { hash: named(11), height: 1, ..bench.made[&1].clone() };
    bench.made.insert(11, parent);
    bench.block((12, 11, 2), &[]);
    assert!(bench.consensus.awaits(&bench.chain, BlockId(11)));
    bench.block((11, 0, 1), &[]);
    assert!(bench.chain.link(BlockId(12)).is_some() && bench.chain.link(BlockId(1)).is_some());
    for block in [1, 11, 12] {
        assert!(!bench.chain.is_candidate(BlockId(block)), "{block}");
    }
}

#[test]
fn what_was_dumped_and_comes_back_weighs_what_has_counted_for_it_since() {
    let mut bench = Bench::new(&[0, 30, 53, 17], |_| {});
    bench.block((1, 0, 1), &[]);
    let first = bench.vote(1, &[1], 1);
    bench.block((2, 1, 2), &[first]);
    // 53 choose another version of slot 1, and what the node has of it goes.
    let choice = bench.vote(2, &[1], 11);
    bench.hear(&[choice]);
    assert!(bench.chain.link(BlockId(1)).is_none());
    bench.block((1, 0, 1), &[]);
    assert_eq!(bench.chain.weight(BlockId(1)), 30);
    // A later vote of that voter takes its stake away again.
    let second = bench.vote(1, &[4], 4);
    bench.block((4, 0, 4), &[]);
    bench.block((5, 4, 5), &[second]);
    assert_eq!((bench.chain.weight(BlockId(1)), bench.chain.weight(BlockId(4))), (0, 30));
}
