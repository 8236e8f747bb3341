//! Protocol layer, tests: when a node leaves the fork of its last vote.

use super::*;

#[test]
fn a_fork_is_left_for_more_than_38_percent_and_not_for_38() {
    let mut bench = Bench::new(&[10, 38, 1, 51], |_| {});
    bench.block((1, 0, 1), &[]);
    bench.block((2, 1, 2), &[]);
    assert_eq!(bench.cast(), [1, 2]);
    // Upon genesis, with 38 % behind it: heavier than the node's own fork, in whose blocks there
    // are no votes.
    bench.block((13, 0, 3), &[]);
    let vote = bench.vote(1, &[3], 13);
    bench.block((14, 13, 4), &[vote]);
    assert_eq!((bench.head, bench.withheld()), (2, vec![Abstention::Switch]));
    // Its own fork grows: it builds on that, without a vote.
    bench.block((6, 2, 6), &[]);
    assert_eq!((bench.head, bench.cast()), (6, vec![]));
    // One more percent, but slot 1 has two confirmations and ends at 5, slot 2 at 4.
    let vote = bench.vote(2, &[4], 14);
    bench.block((15, 14, 5), &[vote]);
    assert_eq!((bench.head, bench.cast()), (15, vec![]));
    assert!(bench.withheld().contains(&Abstention::LockedOut));
    bench.block((16, 15, 6), &[]);
    let switched = bench.take(|fact| match fact {
        Fact::VoteCast { slot, switched, .. } => Some((slot.number(), *switched)),
        _ => None,
    });
    assert_eq!((bench.head, switched), (16, vec![(6, true)]));
}

#[test]
fn a_lockout_counts_if_it_reaches_the_last_vote() {
    let mut bench = Bench::new(&[10, 39, 51], |_| {});
    // The vote for slot 1 ends at 3, so its place goes to the one for slot 9.
    bench.block((1, 0, 1), &[]);
    bench.block((9, 1, 9), &[]);
    assert_eq!(bench.cast(), [1, 9]);
    for (name, parent, slot) in [(12, 0, 2), (13, 12, 3), (14, 13, 4)] {
        bench.block((name, parent, slot), &[]);
    }
    // One confirmation of slot 2 ends at 4, before 9.
    let short = bench.vote(1, &[2], 12);
    bench.block((20, 14, 10), &[short]);
    assert_eq!((bench.head, bench.withheld().last()), (9, Some(&Abstention::Switch)));
    // Three of them end at 10.
    let long = bench.vote(1, &[2, 3, 4], 14);
    bench.block((21, 20, 12), &[long]);
    assert_eq!((bench.head, bench.cast()), (21, vec![12]));
}

/// A node on the fork of slot 1 sees 38 % on another one, of slots 5 and 6.
fn nearly() -> Bench {
    let mut bench = Bench::new(&[10, 38, 1, 51], |_| {});
    bench.block((1, 0, 1), &[]);
    bench.block((15, 0, 5), &[]);
    let vote = bench.vote(1, &[5], 15);
    bench.block((16, 15, 6), &[vote]);
    assert_eq!((bench.head, bench.cast()), (1, vec![1]));
    bench
}

#[test]
fn votes_by_gossip_count_for_a_switch_though_they_weigh_nothing() {
    let mut bench = nearly();
    let vote = bench.vote(2, &[5], 15);
    bench.hear(&[vote]);
    assert_eq!(bench.head, 1, "it looks 100 ms later");
    bench.poll();
    assert_eq!((bench.head, bench.cast()), (16, vec![6]));
}

#[test]
fn votes_by_gossip_count_only_for_blocks_that_the_node_has_on_other_forks() {
    let mut bench = nearly();
    bench.block((17, 1, 7), &[]);
    for (slots, block) in [(&[8][..], 99), (&[7], 17)] {
        let vote = bench.vote(2, slots, block);
        bench.hear(&[vote]);
        bench.poll();
        assert_eq!((bench.head, bench.cast()), (17, vec![]), "a vote for {block}");
    }
    // A vote before the last one says nothing of where its voter is now: slot 1 is that.
    let mut bench = nearly();
    bench.block((11, 0, 1), &[]);
    let vote = bench.vote(2, &[1], 11);
    bench.hear(&[vote]);
    bench.poll();
    assert_eq!((bench.head, bench.cast()), (1, vec![]));
}

/// 0 - 1 - 2           the node's last vote, for slot 2
///  \    \ - 3 - 4     with `above` behind it
///   \ - 5 - 6         with `below` behind it
fn forked(above: u64, below: u64) -> Bench {
    let mut bench = Bench::new(&[10, above, below, 90 - above - below], |_| {});
    bench.block((1, 0, 1), &[]);
    bench.block((2, 1, 2), &[]);
    bench.cast();
    bench.block((3, 1, 3), &[]);
    let vote = bench.vote(1, &[3], 3);
    bench.block((5, 0, 5), &[]);
    bench.block((4, 3, 4), &[vote]);
    let vote = bench.vote(2, &[5], 5);
    bench.block((6, 5, 6), &[vote]);
    bench
}

#[test]
fn forks_that_part_from_the_last_vote_after_the_target_does_do_not_count() {
    // To 6, which parts from the last vote at genesis: 30 stand there, and 20 on a branch of the
    // node's own fork, which do not count.
    let mut bench = forked(20, 30);
    assert_eq!((bench.head, bench.cast()), (2, vec![]));
    assert_eq!(bench.withheld().last(), Some(&Abstention::Switch));
    // To 4, which parts at 1: 35 stand there, and 30 part before, which count. By then slot 4 is
    // locked out by slot 2 (two confirmations for 1, one for 2: both end before 6).
    let mut bench = forked(35, 30);
    assert_eq!((bench.head, bench.cast()), (4, vec![]));
    bench.block((7, 4, 7), &[]);
    assert_eq!((bench.head, bench.cast()), (7, vec![7]));
    // 35 alone are not enough.
    assert_eq!(forked(35, 0).head, 2);
}
