//! Protocol layer: pulling: filters of what a node has, answers with what they lack, and the budget
//! that answers must keep to (Agave, gossip/src/crds_gossip_pull.rs and cluster_info.rs).
//!
//! A filter of `b` mask bits covers one of `2^b` parts of all values. Real parts are made of the
//! first bits of hashes; here they are made of keys modulo `2^b`, which deals values out as evenly
//! and needs no index. The filter itself is an exact list of versions, and a coin that errs as
//! often as a bloom filter of that size would.

use super::config::Config;
use super::message::{Body, Message, Request};
use super::shared::{Scratch, Shared, within_window};
use super::store::Store;
use super::value::{Label, Place};
use crate::base::id::NodeId;
use crate::base::rng::Rng;
use crate::base::time::{Span, Time};
use crate::fact::ValueKind;
use crate::protocol::content::mix;
use crate::sim::protocol::{Local, Mail, Shelf};

/// Items that a node reckons with at least.
const LEAST_ITEMS: u32 = 65_536;
/// Requests with fewer mask bits are refused, so none has fewer.
const LEAST_MASK_BITS: u8 = 6;
/// One in so many filters is sent each time, and at most so many.
const SAMPLE: u32 = 8;
const MOST_REQUESTS: u32 = 1_024;
/// Values newer than the asker's clock plus up to this are not sent.
const JITTER: Span = Span::from_millis(3_750);
/// Bytes of answers that each validator of the cluster adds to a node's budget, and how often.
const BUDGET_BYTES: u64 = 1_024;
const BUDGET_INTERVAL: Span = Span::from_millis(100);
const BUDGET_BURST: u64 = 5;
/// An answer's value is worth one more for each of these until it expires.
const WORTH: Span = Span::from_secs(15);

/// A message of an answer that is not sent yet: its values as a range, its weight and bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet {
    from: u32,
    to: u32,
    weight: u64,
    size: u32,
}

/// Bits of a mask: so that `items` spread over filters for `per_filter` each.
pub(super) fn mask_bits(items: u32, per_filter: u32) -> u8 {
    let filters = f64::from(items.max(LEAST_ITEMS)) / f64::from(per_filter);
    // Exact: both are below 2^32, and a power of two is compared with their quotient.
    let enough = |bits: &u8| f64::from(1_u32 << bits) >= filters;
    (LEAST_MASK_BITS..31).find(enough).unwrap_or(31)
}

/// How many requests go out in one round.
pub(super) const fn requests(mask_bits: u8) -> u32 {
    let some = (1_u32 << mask_bits).div_ceil(SAMPLE);
    if some < MOST_REQUESTS { some } else { MOST_REQUESTS }
}

/// The keys of one part.
fn keys_of(part: u32, mask_bits: u8, keys: usize) -> impl Iterator<Item = u32> {
    (part..keys as u32).step_by(1 << mask_bits)
}

/// A request for one part. `items` is how many values the asker reckons with in all.
pub(super) fn request(
    store: &Store,
    (part, mask_bits, items): (u32, u8, u32),
    contact: Option<Label>,
    (at, salt): (Time, u64),
    shared: &Shared,
) -> Request {
    let versions = keys_of(part, mask_bits, store.keys()).map(|key| store.version(key)).collect();
    let errors = shared.pull_filter.false_positives(items >> mask_bits);
    let size = shared.config.packet.0 as u32;
    Request { part, mask_bits, at, contact, versions, salt, errors, size }
}

/// Bytes of answers that a node may still send.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    bytes: u64,
    filled: Time,
}

impl Budget {
    /// A full one.
    pub(super) fn full(now: Time, validators: u32) -> Self {
        Self { bytes: Self::most(validators), filled: now }
    }

    fn most(validators: u32) -> u64 {
        BUDGET_BURST * BUDGET_BYTES * u64::from(validators)
    }

    /// Adds what the time since the last call has brought, in whole intervals.
    fn fill(&mut self, now: Time, validators: u32) {
        let passed = now.since(self.filled).as_nanos() / BUDGET_INTERVAL.as_nanos();
        let more = passed.min(BUDGET_BURST) * BUDGET_BYTES * u64::from(validators);
        self.bytes = (self.bytes + more).min(Self::most(validators));
        let whole = Span::from_nanos(passed * BUDGET_INTERVAL.as_nanos());
        self.filled = self.filled.saturating_add(whole);
    }

    /// Takes bytes out; false if there are not that many.
    fn take(&mut self, bytes: u32) -> bool {
        let enough = self.bytes >= u64::from(bytes);
        self.bytes -= if enough { u64::from(bytes) } else { 0 };
        enough
    }
}

/// Answers a request with what it lacks, as far as the budget goes.
pub(super) fn answer(
    store: &Store,
    budget: &mut Budget,
    rng: &mut Rng,
    shared: &mut Shared,
    ctx: &mut (impl Local + Mail<Message> + Shelf<Body>),
    (from, body): (NodeId, crate::sim::body::BodyId),
) {
    let now = ctx.now();
    let Body::Request(request, _) = ctx.body(body) else { return };
    if !within_window(now, request.at) {
        return;
    }
    let jitter = Span::from_nanos(rng.below(JITTER.as_nanos()));
    let newest = request.at.saturating_add(jitter);
    find_lacking(store, request, (ctx.me(), now, newest), shared);
    if shared.scratch.answer.is_empty() {
        return;
    }
    let validators = shared.validators();
    budget.fill(now, validators);
    pack(&mut shared.scratch, shared.config.room());
    let Scratch { answer, packets, .. } = &mut shared.scratch;
    let mut total: u64 = packets.iter().map(|packet| packet.weight).sum();
    while total > 0 {
        let packet = take_weighted(packets, rng.below(total));
        total -= packet.weight;
        if !budget.take(packet.size) {
            return;
        }
        let values = &answer[packet.from as usize..packet.to as usize];
        let body = ctx.store(Body::values(values.iter().map(|(label, _)| *label).collect()));
        ctx.send(from, Message::PullResponse(body));
    }
}

/// Collects the values that a request lacks and may have.
fn find_lacking(
    store: &Store,
    request: &Request,
    (me, now, newest): (NodeId, Time, Time),
    shared: &mut Shared,
) {
    let mut answer = std::mem::take(&mut shared.scratch.answer);
    answer.clear();
    let keys = keys_of(request.part, request.mask_bits, store.keys());
    for (key, theirs) in keys.zip(&request.versions) {
        let mine = store.version(key);
        if mine <= *theirs {
            continue;
        }
        let Some(content) = shared.contents.find(key, mine) else { continue };
        let errs = mix(request.salt ^ content.label.content()) < request.errors;
        let origin = content.label.origin;
        let kept = content.label.place.kind() != ValueKind::ContactInfo
            && content.label.place != Place::RUMOR
            && !shared.relays(origin);
        if errs || kept || content.wallclock > newest {
            continue;
        }
        if origin != me && is_expired(store, key, now, shared) {
            continue;
        }
        let label = Label { hops: store.hops(key), ..content.label };
        answer.push((label, worth(shared, &label, now, content.wallclock)));
    }
    shared.scratch.answer = answer;
}

/// Whether a value's time is over: it is older than its origin's expiry, and so is the origin's
/// contact info.
pub(super) fn is_expired(store: &Store, key: u32, now: Time, shared: &Shared) -> bool {
    let Some(content) = shared.contents.find(key, store.version(key)) else { return true };
    let expiry = shared.expiry(content.label.origin);
    if now.since(content.wallclock) <= expiry {
        return false;
    }
    let contact = shared.layout.key(content.label.origin, Place::CONTACT_INFO);
    let contact = shared.contents.find(contact, store.version(contact));
    contact.is_none_or(|contact| now.since(contact.wallclock) > expiry)
}

/// The weight of a value: one for each 15 s that it has left, at least one; twice that if its
/// origin is a validator, and twice that if it is a contact info.
fn worth(shared: &Shared, label: &Label, now: Time, wallclock: Time) -> u64 {
    let left = shared.expiry(label.origin).saturating_sub(now.since(wallclock));
    let mut worth = (left.as_nanos() / WORTH.as_nanos()).max(1);
    if shared.stakes[label.origin] > 0 {
        worth *= 2;
    }
    if label.place == Place::CONTACT_INFO {
        worth *= 2;
    }
    worth
}

/// Packs an answer into messages, each with the weight of its best value.
fn pack(scratch: &mut Scratch, room: u32) {
    let Scratch { answer, packets, .. } = scratch;
    packets.clear();
    let (mut from, mut values, mut weight) = (0, 0, 0);
    for (place, (label, worth)) in (0_u32..).zip(answer.iter()) {
        let size = u32::from(label.size);
        if values + size > room && place > from {
            packets.push(Packet { from, to: place, weight, size: Config::HEAD + values });
            (from, values, weight) = (place, 0, 0);
        }
        values += size;
        weight = weight.max(*worth);
    }
    let to = answer.len() as u32;
    packets.push(Packet { from, to, weight, size: Config::HEAD + values });
}

/// Takes the packet out in whose share of the total weight a draw falls.
fn take_weighted(packets: &mut Vec<Packet>, mut drawn: u64) -> Packet {
    let falls = |packet: &Packet| match drawn.checked_sub(packet.weight) {
        Some(rest) => {
            drawn = rest;
            false
        }
        None => true,
    };
    let place = packets.iter().position(falls).expect("a draw below the total weight");
    packets.remove(place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::NodeMap;
    use crate::base::rng::{Purpose, Seed};
    use crate::protocol::gossip::Phase;

    #[test]
    fn masks_and_requests_are_those_of_the_formulas() {
        // Python: log2(65536 / 1302) = 5.65, log2(304000 / 1302) = 7.87, log2(3e6 / 1302) = 11.17.
        assert_eq!([0, 65_536, 304_000, 3_000_000].map(|n| mask_bits(n, 1_302)), [6, 6, 8, 12]);
        assert_eq!([1_302 * 64, 1_302 * 64 + 1].map(|n| mask_bits(n, 1_302)), [6, 7]);
        assert_eq!([6, 8, 12, 13, 20].map(requests), [8, 32, 512, 1_024, 1_024]);
        assert_eq!(mask_bits(u32::MAX, 1), 31);
        assert_eq!(mask_bits(0, u32::MAX), 6, "receivers refuse fewer");
    }

    #[test]
    fn every_key_is_in_exactly_one_part() {
        let mut seen = [0; 1_000];
        (0..64).flat_map(|part| keys_of(part, 6, 1_000)).for_each(|key| seen[key as usize] += 1);
        assert_eq!(seen, [1; 1_000]);
    }

    #[test]
    fn a_budget_fills_by_validators_and_holds_half_a_second() {
        let at = |millis: u64| Time::from_nanos(millis * 1_000_000);
        let mut budget = Budget::full(at(0), 10);
        // 5 * 1024 * 10 = 51,200; every 100 ms bring 10,240.
        assert!(budget.take(51_200) && !budget.take(1));
        budget.fill(at(99), 10);
        assert!(!budget.take(1));
        budget.fill(at(250), 10);
        assert!(!budget.take(20_481) && budget.take(20_480));
        // The half interval is not lost.
        budget.fill(at(300), 10);
        assert!(budget.take(10_240) && !budget.take(1));
        budget.fill(at(60_000), 10);
        assert_eq!(budget.bytes, 51_200);
    }

    #[test]
    fn values_are_worth_what_they_have_left() {
        let stakes = NodeMap::from_vec(vec![0, 5]);
        let shared = Shared::new(Config::default(), Phase::Random, &stakes, 0);
        let worth = |origin: u32, place, age: u64| {
            let origin = NodeId::new(origin);
            let key = shared.layout.key(origin, place);
            let label = Label { key, version: 1, number: 0, origin, size: 1, place, hops: 0 };
            let now = Time::ZERO + Span::from_secs(200_000);
            super::worth(&shared, &label, now, Time::from_nanos((200_000 - age) * 1_000_000_000))
        };
        // Two days are 11,520 times 15 s.
        assert_eq!(worth(1, Place::vote(3), 0), 23_040);
        assert_eq!(worth(1, Place::CONTACT_INFO, 1), 4 * 11_519);
        assert_eq!([worth(0, Place::CONTACT_INFO, 0), worth(0, Place::vote(0), 60)], [2, 1]);
    }

    #[test]
    fn packets_hold_at_most_the_room_and_come_in_a_weighted_order() {
        let mut scratch = Scratch::default();
        let label = |size| {
            let (origin, place) = (NodeId::new(0), Place::vote(0));
            Label { key: 0, version: 1, number: 0, origin, size, place, hops: 0 }
        };
        scratch.answer =
            [(461, 1), (461, 3), (461, 2), (928, 1), (180, 9)].map(|(s, w)| (label(s), w)).into();
        pack(&mut scratch, 1_188);
        let shape: Vec<_> =
            scratch.packets.iter().map(|p| (p.from, p.to, p.weight, p.size)).collect();
        assert_eq!(shape, [(0, 2, 3, 966), (2, 3, 2, 505), (3, 5, 9, 1_152)]);
        let mut rng = Rng::of_cluster(Seed(2), Purpose::ClusterInfo);
        let mut firsts = [0_u32; 3];
        for _ in 0..14_000 {
            let first = take_weighted(&mut scratch.packets.clone(), rng.below(14));
            firsts[[0, 2, 3].iter().position(|from| *from == first.from).expect("one")] += 1;
        }
        // Means 3000, 2000, 9000; deviations 49, 41, 57; five of them.
        let means = [3_000, 2_000, 9_000_u32];
        assert!(firsts.iter().zip(means).all(|(n, mean)| n.abs_diff(mean) < 285), "{firsts:?}");
    }
}
