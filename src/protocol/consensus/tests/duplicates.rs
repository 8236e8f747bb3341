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
