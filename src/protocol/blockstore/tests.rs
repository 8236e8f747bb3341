//! Protocol layer, tests only: the block store against a plain count of what came.

use std::collections::BTreeSet;

use super::*;
use crate::base::digest::Digest;
use crate::base::id::NodeId;
use crate::base::rng::{Purpose, Rng, Seed};
use crate::protocol::block::Cut;
use crate::sim::body::Bodies;

const fn at(millis: u64) -> Time {
    Time::from_nanos(millis * 1_000_000)
}

const LIMITS: Limits = Limits { partial: 3, expiry: Span::from_secs(10), history: 4 };

fn cut(set_data: u16, set_coding: u16) -> Cut {
    Cut { chunk: 100, last_chunk: 100, set_data, set_coding, ..Cut::default() }
}

fn block(slot: u32, cut: &Cut, data: u32) -> Block {
    let mut hash = Digest::default();
    hash.0[..4].copy_from_slice(&(slot + 1).to_le_bytes());
    Block {
        slot: Slot::new(slot),
        height: slot + 1,
        leader: NodeId::new(0),
        hash,
        parent: Digest::default(),
        bytes: data * 100,
        shape: cut.shape(data * 100),
        ..Block::blank()
    }
}

/// A store with an arena of bodies, and what it gave up.
struct Bench {
    store: Blockstore,
    bodies: Bodies<()>,
    dropped: Vec<(BodyId, bool)>,
}

impl Bench {
    fn new(recovers: bool) -> Self {
        let store = Blockstore::new(LIMITS, recovers);
        Self { store, bodies: Bodies::new(), dropped: Vec::new() }
    }

    fn open(&mut self, now: Time, block: &Block) -> BodyId {
        let body = self.bodies.store(());
        self.bodies.hold(body);
        let dropped = &mut self.dropped;
        self.store.make_room(now, |expired, given_up| dropped.push((expired.body, given_up)));
        self.store.open(now, body, block);
        body
    }

    fn take(&mut self, body: BodyId, block: &Block, at: ShredAt, path: Path) -> Received {
        self.store.receive(Time::ZERO, body, block, at, path).expect("a block that is known")
    }

    /// Gives all data shreds of a block to the store.
    fn complete(&mut self, body: BodyId, block: &Block) {
        for index in 0..block.shape.data() {
            self.take(body, block, block.shape.data_at(index), Path::Turbine(1));
        }
        self.store.settle_full(body, block);
    }
}

#[test]
fn a_set_decodes_with_exactly_as_many_different_shreds_as_it_has_data_whatever_they_are() {
    let mut rng = Rng::of_cluster(Seed(5), Purpose::Workload);
    for (data, coding) in [(32, 32), (32, 0), (1, 3), (20, 44), (100, 156), (255, 1)] {
        for recovers in [false, true] {
            let cut = cut(data, coding);
            let block = block(1, &cut, 3 * u32::from(data) - u32::from(coding == 0 && data > 1));
            let shape = block.shape;
            let mut bench = Bench::new(recovers);
            let body = bench.open(Time::ZERO, &block);
            // Every shred twice, in any order.
            let all = (0..shape.shreds()).flat_map(|ordinal| [shape.at(ordinal); 2]);
            let mut arrivals: Vec<ShredAt> = all.collect();
            rng.shuffle(&mut arrivals);
            let mut came: Vec<BTreeSet<u8>> = vec![BTreeSet::new(); shape.sets() as usize];
            let mut filled = vec![false; shape.sets() as usize];
            let mut expected = Tally { hops: 1, ..Tally::default() };
            let mut decoded = 0;
            for shred in arrivals {
                let of = usize::from(shred.set);
                let set = &mut came[of];
                let needed = shape.needed(shred.set) as usize;
                let done = set.len() >= needed;
                let new = set.insert(shred.place) && !filled[of];
                let received = bench.take(body, &block, shred, Path::Turbine(1));
                let decodes = new && !done && set.len() == needed;
                decoded += u32::from(decodes);
                assert_eq!(
                    (received.is(Received::FRESH), received.is(Received::DECODES)),
                    (new, decodes),
                    "{shred:?}"
                );
                // Where all data came by itself, nothing is worked out.
                let lacks = (0..needed as u8).any(|place| !set.contains(&place));
                let rest =
                    if decodes && lacks { shape.width(shred.set) - needed as u32 } else { 0 };
                let recovered = bench.store.recovered().iter().map(|w| w.count_ones()).sum();
                let recovered: u32 = if decodes { recovered } else { 0 };
                assert_eq!(recovered, rest, "the others of the set");
                filled[of] |= recovers && rest > 0;
                expected.turbine += u32::from(new);
                expected.duplicate += u32::from(!new);
                expected.recovered += rest;
                assert_eq!(received.is(Received::WHOLE), decodes && decoded == shape.sets());
                if received.is(Received::WHOLE) {
                    let (_, tally) = bench.store.tally(body).expect("not settled");
                    assert_eq!(tally, expected);
                }
            }
            assert!(bench.store.is_whole(body) && bench.store.partial() == 0);
            bench.store.settle_full(body, &block);
            assert!(bench.store.tally(body).is_none(), "all shreds came: it is settled");
        }
    }
}

#[test]
fn what_is_missing_is_what_did_not_come_until_the_set_decodes() {
    let block = block(1, &cut(32, 32), 64);
    let shape = block.shape;
    let mut bench = Bench::new(true);
    let body = bench.open(at(0), &block);
    let mut rng = Rng::of_cluster(Seed(6), Purpose::Workload);
    let mut arrivals: Vec<ShredAt> = (0..shape.shreds()).map(|ordinal| shape.at(ordinal)).collect();
    rng.shuffle(&mut arrivals);
    let mut came = BTreeSet::new();
    for shred in arrivals.into_iter().take(90) {
        bench.take(body, &block, shred, Path::Turbine(1));
        came.insert((shred.set, shred.place));
        let Some(part) = bench.store.part(body) else { break };
        let mut end = 0;
        for set in 0..2 {
            let here = came.iter().filter(|(of, _)| *of == set).count();
            let lacks = (0..32).filter(|place| here < 32 && !came.contains(&(set, *place)));
            let missing = part.missing(&shape, set).map(|at| at.place);
            assert!(missing.eq(lacks.clone()), "set {set} with {here}");
            let last = (0..32_u8).rev().find(|place| !lacks.clone().any(|lack| lack == *place));
            end = last.map_or(end, |last| u32::from(set) * 32 + u32::from(last) + 1);
        }
        assert_eq!((part.data_end(), part.is_end_known()), (end, end == 64));
        let below = |at: &ShredAt| shape.index(*at) < end;
        let gap = (0..2).any(|set| part.missing(&shape, set).any(|at| below(&at)));
        assert_eq!(part.is_gapless(), !gap);
    }
}

#[test]
fn the_end_of_a_block_is_known_by_its_last_shred_or_its_last_set_or_the_proposal() {
    let block = block(1, &cut(32, 32), 64);
    let last = block.shape.data_at(63);
    type Tell = fn(&mut Bench, BodyId, &Block);
    let by_set: Tell = |bench, body, block| {
        for place in 32..64 {
            let known = bench.store.part(body).expect("incomplete").is_end_known();
            assert!(!known, "coding shreds alone do not tell");
            bench.take(body, block, ShredAt { set: 1, place }, Path::Turbine(1));
        }
    };
    let by_shred: Tell = |bench, body, block| {
        let last = block.shape.data_at(63);
        bench.take(body, block, last, Path::Repair);
    };
    let by_proposal: Tell = |bench, body, _| bench.store.learn_end(body);
    for tell in [by_set, by_shred, by_proposal] {
        let mut bench = Bench::new(true);
        let body = bench.open(at(0), &block);
        bench.take(body, &block, ShredAt { set: 0, place: 3 }, Path::Turbine(1));
        assert!(!bench.store.part(body).expect("incomplete").is_end_known());
        tell(&mut bench, body, &block);
        assert!(bench.store.part(body).expect("incomplete").is_end_known());
    }
    let mut bench = Bench::new(true);
    let body = bench.open(at(0), &block);
    let received = bench.take(body, &block, last, Path::Repair);
    let part = bench.store.part(body).expect("incomplete");
    assert!(
        received.is(Received::FIRST_DATA)
            && received.is(Received::EXTENDS)
            && received.is(Received::OPENS_SET)
    );
    assert!(part.is_repaired(last) && part.tally().repaired == 1);
    assert!(!part.is_repaired(block.shape.data_at(0)));
}

#[test]
fn sets_that_are_skipped_count_from_the_moment_when_a_later_one_is_heard_of() {
    let block = block(1, &cut(32, 32), 160);
    let mut bench = Bench::new(true);
    let body = bench.open(at(0), &block);
    for (millis, set) in [(10, 1_u16), (30, 3), (50, 2), (70, 0)] {
        let shred = ShredAt { set, place: 40 };
        bench.store.receive(at(millis), body, &block, shred, Path::Turbine(1));
    }
    let part = bench.store.part(body).expect("incomplete");
    let since: Vec<Time> = (0..5).map(|set| part.since(set)).collect();
    assert_eq!(since, [at(10), at(10), at(30), at(30), Time::MAX]);
    assert_eq!((part.known_sets(), part.observed(4), part.last()), (4, at(30), at(70)));
}

#[test]
fn the_oldest_incomplete_block_makes_room_for_a_new_one() {
    let cut = cut(2, 0);
    let blocks: Vec<Block> = (0..5).map(|slot| block(slot, &cut, 4)).collect();
    let mut bench = Bench::new(false);
    let bodies: Vec<BodyId> = blocks[..3].iter().map(|b| bench.open(at(0), b)).collect();
    bench.complete(bodies[0], &blocks[0]);
    bench.open(at(1), &blocks[3]);
    assert_eq!((bench.store.partial(), bench.dropped.len()), (3, 0), "a whole one does not count");
    bench.open(at(2), &blocks[4]);
    assert_eq!((bench.store.partial(), &bench.dropped[..]), (3, &[(bodies[1], true)][..]));
    assert!(!bench.store.knows(bodies[1]) && bench.store.knows(bodies[0]));
}

#[test]
fn incomplete_blocks_expire_by_age_and_whole_ones_leave_by_number() {
    let cut = cut(2, 0);
    let mut bench = Bench::new(false);
    let old = block(0, &cut, 4);
    let partial = bench.open(at(0), &old);
    bench.store.receive(at(0), partial, &old, old.shape.data_at(0), Path::Turbine(1));
    let wholes: Vec<BodyId> = (1..8)
        .map(|slot| {
            let block = block(slot, &cut, 4);
            let body = bench.open(at(10), &block);
            bench.complete(body, &block);
            body
        })
        .collect();
    // Four are kept when a block comes; the one that came last was not counted yet.
    let left: Vec<(BodyId, bool)> = wholes[..2].iter().map(|body| (*body, false)).collect();
    assert_eq!(bench.dropped, left);
    bench.dropped.clear();
    let mut expired = Vec::new();
    bench.store.expire(at(10_000), |gone, given_up| expired.push((gone.body, given_up)));
    assert_eq!(expired, [(wholes[2], false)], "10 s are not more than 10 s");
    expired.clear();
    let mut tally = Tally::default();
    bench.store.expire(at(10_001), |gone, given_up| {
        expired.push((gone.body, given_up));
        tally = gone.tally;
    });
    assert_eq!((&expired[..], tally.turbine), (&[(partial, true)][..], 1));
    assert_eq!(bench.store.partial(), 0);
}

#[test]
fn own_blocks_leave_the_history_like_others() {
    let mut bench = Bench::new(false);
    for slot in 0..50 {
        let body = bench.bodies.store(());
        bench.store.insert_own(body, Slot::new(slot), BlockId(slot.into()));
        let dropped = &mut bench.dropped;
        bench.store.make_room(at(0), |expired, given_up| dropped.push((expired.body, given_up)));
    }
    assert_eq!(bench.dropped.len(), 46);
    assert!(bench.store.of_slot(Slot::new(45)).is_none());
    assert!(bench.store.of_slot(Slot::new(46)).is_some());
}

#[test]
fn a_settled_block_takes_every_further_shred_for_a_duplicate() {
    let coded = block(1, &cut(2, 2), 4);
    // Two sets of 2 + 2 shreds decode with their data, or with one data and one coding shred.
    for (recovers, place, settles) in [(true, 1, false), (true, 2, true), (false, 2, false)] {
        let mut bench = Bench::new(recovers);
        let body = bench.open(at(0), &coded);
        for set in 0..2 {
            for place in [0, place] {
                bench.take(body, &coded, ShredAt { set, place }, Path::Turbine(1));
            }
        }
        bench.store.settle_full(body, &coded);
        assert!(bench.store.is_whole(body));
        assert_eq!(bench.store.tally(body).is_none(), settles, "{recovers} {place}");
        assert!(bench.store.part(body).is_none(), "nothing is missing of a whole block");
        let late = bench.take(body, &coded, ShredAt { set: 0, place: 3 }, Path::Turbine(1));
        assert_eq!(late.is(Received::FRESH), !settles, "passed on, if it was not recovered");
        assert!(!late.is(Received::DECODES | Received::WHOLE));
    }
    // Storage is used again, and remembers nothing.
    let mut bench = Bench::new(true);
    let body = bench.open(at(0), &coded);
    bench.complete(body, &coded);
    let other = block(2, &cut(2, 2), 2);
    let again = bench.open(at(5), &other);
    let part = bench.store.part(again).expect("incomplete");
    assert_eq!((part.first(), part.data_end(), part.known_sets()), (at(5), 0, 0));
    assert_eq!(part.missing(&other.shape, 0).count(), 2);
}

#[test]
fn blocks_are_found_by_name_and_slot_and_by_what_there_is_of_them() {
    let cut = cut(2, 2);
    let (whole, part) = (block(3, &cut, 4), block(4, &cut, 4));
    let mut rival = block(3, &cut, 4);
    rival.hash = Digest::of(b"another block of slot 3");
    let mut bench = Bench::new(true);
    let [a, b, c] = [&whole, &part, &rival].map(|block| bench.open(at(0), block));
    bench.complete(a, &whole);
    bench.take(b, &part, part.shape.data_at(1), Path::Turbine(1));
    let store = &bench.store;
    assert_eq!(store.by_id(part.id()), Some(b));
    assert!(store.versions(Slot::new(3)).eq([c, a]));
    assert_eq!((store.data_end(a, &whole), store.data_end(b, &part)), (4, 2));
    assert_eq!(
        [0, 1, 2, 4].map(|index| store.has_data(b, &part, index)),
        [false, true, false, false]
    );
    assert_eq!([0, 3, 4].map(|index| store.has_data(a, &whole, index)), [true, true, false]);
    assert!(store.parts().map(|(body, _)| body).eq([b, c]));
    let mut released = Vec::new();
    bench.store.clear(|body| released.push(body));
    assert_eq!((released.len(), bench.store.partial()), (3, 0));
}

#[test]
fn a_set_that_decodes_to_other_bytes_makes_the_node_refuse_the_block() {
    let cut = cut(4, 4);
    // Two sets; the node gets data shreds 0 and 1 and coding shreds 4 and 5 of each.
    let shape = block(1, &cut, 8).shape;
    let places = [0, 1, 4, 5];
    let shreds = |set| places.map(|place| ShredAt { set, place });
    let whole = block(1, &cut, 8).with_bytes(&cut);
    let mut bench = Bench::new(true);
    let body = bench.open(Time::ZERO, &whole);
    for at in [shreds(0), shreds(1)].concat() {
        let received = bench.take(body, &whole, at, Path::Turbine(1));
        let expected = (at.place == 5, at.place == 5 && at.set == 1);
        assert_eq!(
            (received.is(Received::DECODES), received.is(Received::WHOLE)),
            expected,
            "true bytes are as none"
        );
        assert!(!received.is(Received::MISCODED));
    }
    let mut damaged = whole.clone();
    let coded = damaged.coded.as_mut().expect("it has bytes");
    coded.damage(1, 4);
    let mut bench = Bench::new(true);
    let body = bench.open(Time::ZERO, &damaged);
    for at in shreds(0) {
        bench.take(body, &damaged, at, Path::Turbine(1));
    }
    let last = shreds(1).map(|at| bench.take(body, &damaged, at, Path::Turbine(1)));
    assert!(
        last[..3]
            .iter()
            .all(|received| received.is(Received::FRESH) && !received.is(Received::MISCODED))
    );
    assert_eq!(last[3], Received::MISCODED);
    assert_eq!((bench.store.partial(), bench.store.part(body).is_some()), (0, false));
    for at in (0..2).flat_map(|set| shape.set(set)) {
        assert_eq!(bench.take(body, &damaged, at, Path::Repair), Received::DUPLICATE);
    }
    // What held its place is used again by the next block.
    let next = block(2, &cut, 8);
    let body = bench.open(at(1), &next);
    assert!(
        bench.take(body, &next, ShredAt { set: 0, place: 0 }, Path::Turbine(1)).is(Received::FRESH)
    );
}
