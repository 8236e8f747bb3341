//! Protocol layer, tests: which fork leads, the threshold, roots, votes sent again, and the
//! classroom's rules.

use super::*;

#[test]
fn of_equal_forks_the_earlier_slot_leads_and_only_votes_in_blocks_weigh() {
    // What leads; node 0 itself keeps to its tower.
    let leads = |bench: &Bench| bench.chain.heaviest(bench.chain.root().id).0;
    let mut bench = Bench::new(&[0, 40, 60], |_| {});
    bench.block((1, 0, 1), &[]);
    bench.block((7, 1, 3), &[]);
    bench.block((5, 1, 2), &[]);
    assert_eq!(leads(&bench), 5, "slot 2 is earlier than 3");
    let vote = bench.vote(2, &[3], 7);
    bench.hear(&[vote]);
    assert_eq!((leads(&bench), bench.chain.weight(BlockId(7))), (5, 0), "it came by gossip");
    let vote = bench.vote(1, &[3], 7);
    bench.block((9, 7, 4), &[vote]);
    assert_eq!((leads(&bench), bench.chain.weight(BlockId(7))), (9, 40));
    let vote = bench.vote(2, &[2], 5);
    bench.block((10, 5, 5), &[vote]);
    assert_eq!(leads(&bench), 10, "60 are more than 40");
}

#[test]
fn a_newer_vote_moves_its_stake_and_of_two_for_one_slot_the_smaller_name_counts() {
    let mut bench = Bench::new(&[0, 40, 60], |_| {});
    // Two blocks of slot 2, and what stands on them.
    bench.block((1, 0, 1), &[]);
    bench.block((6, 1, 2), &[]);
    bench.block((5, 1, 2), &[]);
    let (larger, smaller) = (bench.vote(1, &[2], 6), bench.vote(1, &[2], 5));
    let weights = |bench: &Bench| [1, 5, 6].map(|name| bench.chain.weight(BlockId(name)));
    bench.block((7, 6, 3), &[larger]);
    assert_eq!(weights(&bench), [40, 0, 40]);
    bench.block((8, 5, 4), &[smaller]);
    assert_eq!(weights(&bench), [40, 40, 0], "5 is smaller than 6");
    bench.block((9, 7, 5), &[larger]);
    assert_eq!(weights(&bench), [40, 40, 0], "and stays");
    let newer = bench.vote(1, &[2, 3], 7);
    bench.block((10, 9, 6), &[newer]);
    assert_eq!(weights(&bench), [40, 0, 40]);
    bench.block((11, 8, 7), &[smaller]);
    assert_eq!(weights(&bench), [40, 0, 40], "an older one changes nothing");
}

#[test]
fn the_ninth_vote_in_a_row_needs_two_thirds_behind_the_first() {
    let mut bench = Bench::new(&[30, 70], |_| {});
    bench.line(0, 1..=16);
    // Nobody's votes are in blocks. After eight votes the ninth would lie eight above slot 1. Slot
    // 8, with one confirmation, ends at 10: at 11 its place is free; 7 with two at 11 and 11 with
    // one at 13: at 14 two places are free, and those two are taken at 14 and 15.
    let expected: Vec<u32> = (1..=8).chain([11, 14, 15]).collect();
    assert_eq!(bench.cast(), expected);
    assert_eq!(bench.withheld(), [Abstention::Threshold; 5], "at 9, 10, 12, 13, 16");
    for (others, passes) in [(37, true), (36, false)] {
        // Blocks tell that all have voted for slots 1 to 8: after a vote at 9 the one for 8 stands.
        let mut bench = Bench::new(&[30, others, 70 - others], |_| {});
        bench.line(0, 1..=8);
        let slots: Vec<u32> = (1..=8).collect();
        let votes = [bench.vote(0, &slots, 8), bench.vote(1, &slots, 8)];
        bench.block((9, 8, 9), &votes);
        // 67 of 100 are more than two thirds, 66 are not.
        assert_eq!(bench.cast().contains(&9), passes);
    }
}

#[test]
fn what_lay_as_deep_before_needs_no_threshold() {
    let mut bench = Bench::new(&[100], |_| {});
    bench.line(0, 1..=12);
    bench.consensus.tower = Tower::default();
    (1..=9).for_each(|slot| {
        bench.consensus.tower.vote(Slot::new(slot));
    });
    let mut passes = |slot: u64, support: u64| {
        let link = *bench.chain.link(BlockId(slot)).expect("a block of the line");
        bench.act(|consensus, desk, _| consensus.passes_threshold(desk, &link, |_| support))
    };
    // A tenth vote would give slot 2 nine confirmations, one more than it has.
    assert!(passes(10, 67) && !passes(10, 66));
    // At slot 12 the vote for 9, which ended at 11, gives its place: eight below the new one lies
    // slot 1 with nine confirmations, as before.
    assert!(passes(12, 0));
}

#[test]
fn the_thirty_second_vote_in_a_row_roots_the_first() {
    let mut bench = Bench::new(&[100], |config| config.threshold_depth = 0);
    bench.line(0, 1..=31);
    assert!(bench.rooted().is_empty());
    bench.line(31, 32..=40);
    assert_eq!(bench.rooted(), (1..=9).collect::<Vec<u32>>());
    assert_eq!(bench.chain.root().id, BlockId(9));
    assert_eq!(bench.consensus.tower().entries().len(), 31);
}

#[test]
fn a_vote_that_did_not_land_is_sent_again_after_16_blocks_and_5_seconds() {
    // The node's own block has not reached a third of the stake, so it votes for nothing else.
    let mut bench = Bench::new(&[30, 70], |_| {});
    bench.consensus.on_made(ME, (Slot::new(1), BlockId(1)), Time::ZERO);
    bench.block_of(ME, (1, 0, 1), &[]);
    assert_eq!((bench.cast(), std::mem::take(&mut bench.sent)), (vec![1], vec![Slot::new(1)]));
    let again = |bench: &mut Bench, seconds, slots: std::ops::RangeInclusive<u32>| {
        bench.now = Time::ZERO + Span::from_secs(seconds);
        let parent = u64::from(*slots.start()) - 1;
        bench.line(parent, slots);
        std::mem::take(&mut bench.sent)
    };
    // It was sent with a fork of one block at 0 s.
    assert_eq!(again(&mut bench, 4, 2..=20), []);
    assert_eq!(again(&mut bench, 5, 21..=21), [Slot::new(1)]);
    // And now with one of 21 blocks at 5 s.
    assert_eq!(again(&mut bench, 10, 22..=37), []);
    assert_eq!(again(&mut bench, 10, 38..=38), [Slot::new(1)]);
    // It lands.
    let vote = bench.vote(0, &[1], 1);
    bench.block((39, 38, 39), &[vote]);
    assert_eq!(again(&mut bench, 20, 40..=70), []);
    assert_eq!(bench.withheld(), [Abstention::Unpropagated; 69], "once for each block");
}

#[test]
fn optimistic_confirmation_takes_more_than_two_thirds_that_voted_for_that_very_block() {
    for (stake, confirms) in [(57, true), (56, false)] {
        let mut bench = Bench::new(&[10, stake, 90 - stake], |_| {});
        bench.line(0, 1..=2);
        let vote = bench.vote(1, &[1, 2], 2);
        bench.hear(&[vote]);
        // 10 + 57 of 100. A vote for a later slot does not count for an earlier one.
        let expected: &[u32] = if confirms { &[2] } else { &[] };
        assert_eq!(bench.confirmed(Level::Optimistic), expected);
        assert_eq!(bench.confirmed(Level::Duplicate), [2], "more than 52 % in both cases");
    }
}

#[test]
fn what_is_final_has_more_than_two_thirds_that_rooted_it() {
    let mut bench = Bench::new(&[0, 66, 1, 33], |_| {});
    bench.line(0, 1..=3);
    let rooted = |bench: &mut Bench, voter, root| {
        let vote = bench.vote(voter, &[3], 3);
        let (id, root) = (vote.id, Slot::new(root));
        let tower = Tower::default().after(Slot::new(3));
        assert_eq!(bench.cluster.ballots.get(id), vote);
        let vote = bench.cluster.ballots.cast(vote.voter, (vote.slot, vote.block), root, &tower);
        vote.expect("there is room")
    };
    let vote = rooted(&mut bench, 1, 2);
    bench.block((4, 3, 4), &[vote]);
    assert!(bench.confirmed(Level::Finalized).is_empty(), "66 of 100 are not enough");
    let vote = rooted(&mut bench, 2, 1);
    bench.block((5, 4, 5), &[vote]);
    assert_eq!(
        bench.confirmed(Level::Finalized),
        [1],
        "67 of 100 have rooted slot 1 or a later one"
    );
}

fn classroom(stakes: &[u64]) -> Bench {
    Bench::new(stakes, |config| config.style = Style::Classroom)
}

#[test]
fn in_the_classroom_more_than_two_thirds_of_the_votes_make_a_block_final() {
    for (stake, confirms) in [(57, true), (56, false)] {
        let mut bench = classroom(&[10, stake, 90 - stake]);
        bench.block((1, 0, 1), &[]);
        assert_eq!(bench.cast(), [1]);
        let vote = bench.vote(1, &[1], 1);
        bench.hear(&[vote]);
        assert_eq!(bench.confirmed(Level::Optimistic).len(), usize::from(confirms));
        assert_eq!(bench.rooted().len(), usize::from(confirms));
    }
}

#[test]
fn in_the_classroom_votes_that_come_before_their_block_count_when_it_is_there() {
    let mut bench = classroom(&[0, 60, 40, 27]);
    bench.block((1, 0, 1), &[]);
    let votes = [bench.vote(1, &[3], 3), bench.vote(3, &[3], 3)];
    bench.hear(&votes);
    assert_eq!(bench.confirmed(Level::Optimistic), [3], "87 of 127 are more than two thirds");
    bench.block((2, 1, 2), &[]);
    assert_eq!((bench.head, bench.rooted()), (2, vec![]));
    bench.block((3, 1, 3), &[]);
    assert_eq!((bench.head, bench.rooted()), (3, vec![3]));
    assert!(bench.chain.link(BlockId(2)).is_none(), "it cannot be built on any more");
}

#[test]
fn in_the_classroom_every_new_end_of_the_chain_gets_a_vote_and_the_heavier_fork_leads() {
    let mut bench = classroom(&[10, 30, 60]);
    bench.block((1, 0, 1), &[]);
    bench.block((2, 1, 2), &[]);
    // Upon the same block: its own vote stands behind the other.
    bench.block((3, 1, 3), &[]);
    assert_eq!((bench.cast(), bench.head), (vec![1, 2], 2));
    let vote = bench.vote(1, &[3], 3);
    bench.hear(&[vote]);
    // 30 against 10; and then it votes for that one too, which the classroom allows.
    assert_eq!((bench.cast(), bench.head), (vec![3], 3));
}

#[test]
fn in_the_classroom_the_latest_vote_of_a_node_counts_and_of_equal_forks_the_earlier() {
    let mut bench = classroom(&[0, 50, 50]);
    // Block 1, and on it 2, and 3 with 4, 5 and 6 upon it: many votes of node 2 for the latter.
    bench.line(0, 1..=1);
    bench.block((3, 1, 3), &[]);
    bench.line(3, 4..=6);
    let votes = [3, 4, 5, 6].map(|slot| bench.vote(2, &[slot], slot.into()));
    bench.hear(&votes);
    assert_eq!(bench.head, 6);
    bench.block((2, 1, 2), &[]);
    assert_eq!(bench.head, 6, "nobody has voted for slot 2");
    // One vote for slot 2, heard late: 50 against 50, and slot 2 comes before slot 3.
    let vote = bench.vote(1, &[2], 2);
    bench.hear(&[vote]);
    assert_eq!(bench.head, 2);
    // The same node goes over.
    let vote = bench.vote(1, &[6], 6);
    bench.hear(&[vote]);
    assert_eq!(bench.head, 6);
}

#[test]
fn in_the_classroom_a_vote_that_goes_on_as_its_block_comes_weighs_once() {
    // Node 1 has voted for block 3, which is not there. It comes with block 2, in which stands that
    // the node has gone on to 4; node 2 is told there to have voted for 3.
    let mut bench = classroom(&[0, 50, 40, 60]);
    bench.line(0, 1..=1);
    let early = bench.vote(1, &[3], 3);
    bench.hear(&[early]);
    let landed = [bench.vote(1, &[3, 4], 4), bench.vote(2, &[3], 3)];
    let second = bench.make(NodeId::new(1), (2, 1, 2), &landed);
    let third = bench.make(NodeId::new(1), (3, 2, 3), &[]);
    bench.join(&third);
    bench.join(&second);
    let weights = |bench: &Bench| [1, 2, 3, 4].map(|name| bench.chain.weight(BlockId(name)));
    assert_eq!(weights(&bench), [40, 40, 40, 0]);
    bench.block((4, 3, 4), &[]);
    assert_eq!(weights(&bench), [90, 90, 90, 50]);
}

#[test]
fn a_node_without_memory_is_silent_until_it_roots_what_it_cannot_have_voted_for() {
    let mut bench = Bench::new(&[10, 90], |config| config.threshold_depth = 0);
    bench.consensus.on_crash(Memory::Lost, Slot::new(3));
    bench.line(0, 1..=34);
    // It follows the others and roots 1 to 3, but may have voted up to 3.
    assert_eq!((bench.cast(), bench.rooted(), bench.sent.len()), (vec![], vec![1, 2, 3], 0));
    assert!(bench.consensus.is_waiting());
    // Slot 35 roots 4, and the next vote is heard.
    bench.line(34, 35..=36);
    assert_eq!((bench.cast(), bench.consensus.is_waiting()), (vec![36], false));
    // With its memory it goes on where it was.
    bench.consensus.on_crash(Memory::Kept, Slot::new(90));
    bench.line(36, 37..=37);
    assert_eq!(bench.cast(), [37]);
}
