//! Protocol layer, tests: which votes go into a block, and when a leader may lead again.

use super::super::landing::WINDOW;
use super::*;

/// The voters and slots of the votes that a block upon this one would hold.
fn landing(bench: &mut Bench, parent: u64) -> Vec<(u32, u32)> {
    let link = bench.chain.link(BlockId(parent)).expect("a block of the chain");
    let parent = &bench.made[&parent];
    let votes = bench.consensus.landing(&bench.cluster, &bench.chain, link, parent);
    votes.iter().map(|vote| (vote.voter.number(), vote.slot.number())).collect()
}

#[test]
fn a_block_holds_the_latest_votes_for_its_ancestors_that_are_newer_than_those_in_them() {
    let mut bench = Bench::new(&[0, 20, 20, 20, 40], |_| {});
    bench.line(0, 1..=3);
    bench.block((13, 2, 3), &[]);
    let landed = bench.vote(3, &[1, 2], 2);
    bench.block((4, 3, 4), &[landed]);
    let votes = [
        bench.vote(4, &[2], 2),
        bench.vote(4, &[2, 4], 4),
        bench.vote(2, &[3], 13),
        bench.vote(1, &[1], 1),
        bench.vote(3, &[1], 1),
    ];
    bench.hear(&votes);
    // In the order of the voters. Of node 4 only the later vote; that of node 2 is for another
    // fork; node 3 has a newer one in block 4.
    assert_eq!(landing(&mut bench, 4), [(1, 1), (4, 4)]);
    assert_eq!(landing(&mut bench, 13), [(1, 1), (2, 3), (3, 2)]);
    assert_eq!(landing(&mut bench, 1), [(1, 1)], "3 voted for 2 last, which is not there yet");
}

#[test]
fn a_vote_lands_within_512_blocks() {
    let mut bench = Bench::new(&[0, 50, 50], |_| {});
    let newest = WINDOW as u32 + 1;
    bench.line(0, 1..=newest);
    let votes = [bench.vote(1, &[1], 1), bench.vote(2, &[2], 2)];
    bench.hear(&votes);
    // Slots 2 to 513 are 512 blocks.
    assert_eq!(landing(&mut bench, newest.into()), [(2, 2)]);
    assert_eq!(landing(&mut bench, u64::from(newest) - 1), [(1, 1), (2, 2)]);
}

#[test]
fn a_leader_waits_until_more_than_a_third_has_voted_for_its_last_block() {
    for (checks, waits) in [(true, true), (false, false)] {
        let mut bench = Bench::new(&[32, 1, 1, 66], |config| config.propagation = checks);
        bench.consensus.on_made(ME, (Slot::new(1), BlockId(1)), Time::ZERO);
        bench.block_of(ME, (1, 0, 1), &[]);
        bench.block((2, 0, 2), &[]);
        bench.block((3, 1, 3), &[]);
        let may_lead = |bench: &mut Bench, head: u64, slot: u32| {
            let (slot, window) = (Slot::new(slot), 2);
            let upon = BlockId(head);
            bench.act(|consensus, desk, _| {
                consensus.may_lead(desk.cluster, desk.chain, upon, (slot, window, Time::ZERO))
            })
        };
        assert!(may_lead(&mut bench, 1, 2), "the same window");
        assert!(may_lead(&mut bench, 2, 4), "it is not on that fork");
        assert_eq!(may_lead(&mut bench, 3, 4), !waits);
        // Its own 32 and one more are 33 of 100: not more than a third. A vote for a block upon its
        // own counts, one for an earlier slot does not.
        let votes = [bench.vote(1, &[3], 3)];
        bench.hear(&votes);
        assert_eq!(may_lead(&mut bench, 3, 4), !waits);
        let votes = [bench.vote(2, &[1], 1)];
        bench.hear(&votes);
        assert!(may_lead(&mut bench, 3, 4), "34 of 100");
    }
}

#[test]
fn who_tells_that_it_has_a_slot_counts_and_a_block_that_nobody_has_is_sent_again() {
    let mut bench = Bench::new(&[30, 4, 66], |_| {});
    bench.consensus.on_made(ME, (Slot::new(1), BlockId(1)), Time::ZERO);
    bench.block_of(ME, (1, 0, 1), &[]);
    bench.block((2, 1, 2), &[]);
    let may_lead = |bench: &mut Bench, seconds: u64| {
        let now = Time::ZERO + Span::from_secs(seconds);
        let may = bench.act(|consensus, desk, _| {
            consensus.may_lead(desk.cluster, desk.chain, BlockId(2), (Slot::new(9), 4, now))
        });
        (may, bench.consensus.take_resent())
    };
    assert_eq!(may_lead(&mut bench, 4), (false, None));
    assert_eq!(may_lead(&mut bench, 5), (false, Some(BlockId(1))), "after 5 s");
    assert_eq!(may_lead(&mut bench, 14), (false, None));
    assert_eq!(may_lead(&mut bench, 15), (false, Some(BlockId(1))), "and 10 s more");
    // Slot 2 and the one before it: 34 of 100 with its own.
    bench.consensus.on_complete(NodeId::new(1), (Slot::new(2), 0b10));
    assert_eq!(may_lead(&mut bench, 16), (false, None), "slot 0 and 2 are not slot 1");
    bench.consensus.on_complete(NodeId::new(1), (Slot::new(2), 0b1));
    assert_eq!(may_lead(&mut bench, 17), (true, None));
}
