//! Kernel layer: the queue of future events, a two-level calendar of sorted runs.
//!
//! A comparison heap is bound by cache misses once some ten thousand events are pending. Here an
//! event is appended to an unsorted bucket of `WIDTH_BITS` and each bucket is sorted once, when
//! the clock enters it, while it sits in the cache. Order is exact: by time, then first scheduled,
//! first served. The parts, from near to far:
//!
//! - the *run*: the bucket the clock is in, sorted; and a small heap of *late* events that were
//!   scheduled into it (or before it) after it was sorted;
//! - the *near* ring: buckets of the present and the next half-turn;
//! - the *far* ring: one unsorted bucket per half-turn, for about nine minutes;
//! - the *beyond*: an ordered map of half-turns.
//!
//! Buckets are chains of fixed blocks from one pool, so that a queue in a steady state allocates
//! nothing and wastes at most one block per bucket in use.

mod pool;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use self::pool::{Chain, Pool};
use crate::base::time::Time;

/// Log2 of a bucket's width in nanoseconds: 0.52 ms. Affects speed only, never the order; 200 to
/// 4,000 events per bucket is the flat optimum.
const WIDTH_BITS: u32 = 19;
/// Log2 of the buckets in a half-turn: 0.54 s.
const HALF_BITS: u32 = 10;
const HALF: u64 = 1 << HALF_BITS;
const NEAR: usize = 2 * HALF as usize;
const FAR: usize = 1 << 10;

/// An event and its time. The event is small and copied, never boxed.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Entry<E> {
    at: Time,
    event: E,
}

/// An entry of the late heap: ordered by time and then by the order of scheduling.
#[derive(Clone, Copy)]
struct Late<E> {
    key: (Time, u64),
    event: E,
}

impl<E> PartialEq for Late<E> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}
impl<E> Eq for Late<E> {}
impl<E> PartialOrd for Late<E> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<E> Ord for Late<E> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
    }
}

/// Future events in the order (time, first scheduled).
///
/// An event may be scheduled at any time not before the last one popped; looking at the next event
/// does not raise that bound.
pub struct EventQueue<E> {
    pool: Pool<Entry<E>>,
    near: Box<[Chain]>,
    near_used: [u64; NEAR / 64],
    far: Box<[Chain]>,
    beyond: BTreeMap<u64, Chain>,
    /// Number of the bucket that `run` was made of.
    bucket: u64,
    run: Chain,
    order: Vec<u64>,
    scratch: Vec<u64>,
    next: usize,
    /// When [`Self::is_time_to_look`] again, in places of the run.
    look_at: usize,
    late: BinaryHeap<Reverse<Late<E>>>,
    late_serial: u64,
    len: usize,
    popped: Time,
}

impl<E: Copy + Default> EventQueue<E> {
    /// A queue of nothing, with the clock at zero.
    #[must_use]
    pub fn new() -> Self {
        Self {
            pool: Pool::new(),
            near: vec![Chain::EMPTY; NEAR].into_boxed_slice(),
            near_used: [0; NEAR / 64],
            far: vec![Chain::EMPTY; FAR].into_boxed_slice(),
            beyond: BTreeMap::new(),
            bucket: 0,
            run: Chain::EMPTY,
            order: Vec::new(),
            scratch: Vec::new(),
            next: 0,
            look_at: 0,
            late: BinaryHeap::new(),
            late_serial: 0,
            len: 0,
            popped: Time::ZERO,
        }
    }

    /// Number of events that are still to come.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is to come any more.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Schedules an event.
    ///
    /// # Panics
    /// If `at` is before the last event popped: time never runs backwards.
    #[inline(always)]
    pub fn push(&mut self, at: Time, event: E) {
        assert!(
            at >= self.popped,
            "event scheduled at {at}, before the last event at {}",
            self.popped
        );
        self.len += 1;
        let bucket = at.as_nanos() >> WIDTH_BITS;
        if bucket <= self.bucket {
            self.late_serial += 1;
            self.late.push(Reverse(Late { key: (at, self.late_serial), event }));
        } else if (bucket >> HALF_BITS) - (self.bucket >> HALF_BITS) < 2 {
            self.push_near(bucket, Entry { at, event });
        } else {
            self.push_far(bucket >> HALF_BITS, Entry { at, event });
        }
    }

    /// When the next event is due.
    #[inline]
    pub fn peek(&mut self) -> Option<Time> {
        let run = self.run_head();
        match (run, self.late.peek()) {
            (Some(run), Some(Reverse(late))) => Some(run.min(late.key.0)),
            (Some(run), None) => Some(run),
            (None, Some(Reverse(late))) => Some(late.key.0),
            (None, None) => self.open_next_bucket().then(|| self.run_head()).flatten(),
        }
    }

    /// Takes the next event.
    #[inline]
    pub fn pop(&mut self) -> Option<(Time, E)> {
        self.pop_until(Time::MAX)
    }

    /// Takes the next event if it is due at `limit` or before.
    #[inline]
    pub fn pop_until(&mut self, limit: Time) -> Option<(Time, E)> {
        // What is in the run was scheduled before anything late: it goes first at equal times.
        if let Some(&key) = self.order.get(self.next)
            && self.late.is_empty()
        {
            let Entry { at, event } = *self.pool.get(key as u32);
            if at > limit {
                return None;
            }
            self.next += 1;
            self.popped = at;
            self.len -= 1;
            return Some((at, event));
        }
        self.pop_late(limit)
    }

    /// The same when events were scheduled into the bucket that is being drained, or it is empty.
    fn pop_late(&mut self, limit: Time) -> Option<(Time, E)> {
        let at = self.peek().filter(|at| *at <= limit)?;
        let event = if self.run_head() == Some(at) {
            let place = self.order[self.next] as u32;
            self.next += 1;
            self.pool.get(place).event
        } else {
            self.late.pop()?.0.event
        };
        debug_assert!(at >= self.popped, "time runs backwards");
        self.popped = at;
        self.len -= 1;
        Some((at, event))
    }

    /// The events that are taken later, from the one so many after the next on, as far as is
    /// known: events may be scheduled meanwhile, and those of later buckets have no order yet. Good
    /// for preparing only.
    #[inline]
    pub(super) fn ahead(&self, distance: usize, count: usize) -> impl Iterator<Item = &E> {
        self.keys_ahead(distance, count).map(|key| &self.pool.get(*key as u32).event)
    }

    /// Fetches the events that [`Self::ahead`] shows.
    #[inline]
    pub(super) fn fetch(&self, distance: usize, count: usize) {
        self.keys_ahead(distance, count).for_each(|key| self.pool.fetch(*key as u32));
    }

    #[inline]
    fn keys_ahead(&self, distance: usize, count: usize) -> std::slice::Iter<'_, u64> {
        let start = (self.next + distance).min(self.order.len());
        self.order[start..(start + count).min(self.order.len())].iter()
    }

    /// True for the first event of a bucket, and then after so many of it have been taken; those
    /// that were scheduled late do not count.
    #[inline]
    pub(super) const fn is_time_to_look(&mut self, count: usize) -> bool {
        let due = self.next >= self.look_at;
        if due {
            self.look_at = self.next + count;
        }
        due
    }

    /// All events still to come, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &E> {
        let chains = self.near.iter().chain(self.far.iter()).chain(self.beyond.values());
        let run = self.order[self.next..].iter().map(|&key| &self.pool.get(key as u32).event);
        let late = self.late.iter().map(|Reverse(late)| &late.event);
        chains
            .flat_map(|chain| self.pool.iter(*chain))
            .map(|entry| &entry.event)
            .chain(run)
            .chain(late)
    }

    #[inline]
    fn run_head(&self) -> Option<Time> {
        self.order.get(self.next).map(|&key| self.pool.get(key as u32).at)
    }

    #[inline(always)]
    fn push_near(&mut self, bucket: u64, entry: Entry<E>) {
        let slot = bucket as usize % NEAR;
        self.near_used[slot / 64] |= 1 << (slot % 64);
        self.pool.push(&mut self.near[slot], entry);
    }

    fn push_far(&mut self, half: u64, entry: Entry<E>) {
        let now = self.bucket >> HALF_BITS;
        if half - now < FAR as u64 {
            self.pool.push(&mut self.far[half as usize % FAR], entry);
        } else {
            self.pool.push(self.beyond.entry(half).or_insert(Chain::EMPTY), entry);
        }
    }

    /// Moves the clock to the next bucket with events and sorts it; false if there is none.
    fn open_next_bucket(&mut self) -> bool {
        if self.len == 0 {
            return false;
        }
        loop {
            if let Some(bucket) = self.next_near_bucket() {
                self.enter(bucket);
                self.sort_run();
                return true;
            }
            // Nothing is left of this half-turn and the next: jump to the one before the first
            // far bucket, which pulls that one into the near ring.
            let half = self.next_far_half();
            self.enter((half - 1) << HALF_BITS);
        }
    }

    /// The first used bucket after the present one.
    fn next_near_bucket(&self) -> Option<u64> {
        let end = ((self.bucket >> HALF_BITS) + 2) << HALF_BITS;
        let mut bucket = self.bucket + 1;
        while bucket < end {
            let slot = bucket as usize % NEAR;
            let ahead = self.near_used[slot / 64] >> (slot % 64);
            if ahead != 0 {
                return Some(bucket + u64::from(ahead.trailing_zeros()));
            }
            bucket += 64 - (slot as u64 % 64);
        }
        None
    }

    /// The first half-turn in the far ring or beyond it. Only called when one exists.
    fn next_far_half(&self) -> u64 {
        let now = self.bucket >> HALF_BITS;
        let far =
            (now + 2..now + FAR as u64).find(|half| !self.far[*half as usize % FAR].is_empty());
        far.or_else(|| self.beyond.keys().next().copied())
            .expect("the events that are counted stand in some bucket")
    }

    /// Moves the clock to `bucket`, pulling far buckets nearer at every half-turn.
    fn enter(&mut self, bucket: u64) {
        let (old, new) = (self.bucket >> HALF_BITS, bucket >> HALF_BITS);
        self.bucket = bucket;
        if new == old {
            return;
        }
        // Everything of half-turns new and new + 1 goes to the near ring. Events of one half-turn
        // were all scheduled before any that goes to the near ring directly, so their order holds.
        for half in (old + 2).max(new)..new + 2 {
            let mut chain = std::mem::replace(&mut self.far[half as usize % FAR], Chain::EMPTY);
            if let Some(early) = self.beyond.remove(&half) {
                debug_assert!(chain.is_empty(), "a half-turn is either far or beyond");
                chain = early;
            }
            self.spread(chain);
        }
        while let Some(entry) = self.beyond.first_entry() {
            if *entry.key() - new >= FAR as u64 {
                break;
            }
            let (half, chain) = entry.remove_entry();
            self.far[half as usize % FAR] = chain;
        }
    }

    fn spread(&mut self, chain: Chain) {
        let mut cursor = self.pool.start(chain);
        while let Some(entry) = self.pool.take_next(&mut cursor) {
            self.push_near(entry.at.as_nanos() >> WIDTH_BITS, entry);
        }
    }

    /// Makes the present bucket the run. Its entries stay where they are; sorted are keys of the
    /// time within the bucket (19 bits), the rank in the order of scheduling (13 bits, enough where
    /// whole keys are compared) and the place in the pool (32 bits).
    fn sort_run(&mut self) {
        let slot = self.bucket as usize % NEAR;
        self.near_used[slot / 64] &= !(1 << (slot % 64));
        self.pool.free(std::mem::replace(&mut self.run, self.near[slot]));
        self.near[slot] = Chain::EMPTY;
        (self.next, self.look_at) = (0, 0);
        self.order.clear();
        let (order, mask) = (&mut self.order, (1 << WIDTH_BITS) - 1);
        self.pool.each(self.run, |place, entry| {
            let rank = order.len() as u64 & RANK_MASK;
            let offset = entry.at.as_nanos() & mask;
            order.push(offset << OFFSET_SHIFT | rank << 32 | u64::from(place));
        });
        if self.order.len() < RADIX_FROM {
            self.order.sort_unstable();
        } else {
            radix_sort(&mut self.order, &mut self.scratch);
        }
    }
}

impl<E: Copy + Default> Default for EventQueue<E> {
    fn default() -> Self {
        Self::new()
    }
}

/// Below this many keys a comparison sort is faster.
const RADIX_FROM: usize = 192;
/// Where the time within the bucket stands in a key.
const OFFSET_SHIFT: u32 = u64::BITS - WIDTH_BITS;
/// What of the rank fits between time and place.
const RANK_MASK: u64 = (1 << (OFFSET_SHIFT - 32)) - 1;
const _: () = assert!(RADIX_FROM as u64 <= RANK_MASK, "ranks of small runs are exact");

/// Sorts keys by the time within the bucket, stably: they come in the order of scheduling.
fn radix_sort(keys: &mut [u64], scratch: &mut Vec<u64>) {
    const DIGIT: u32 = WIDTH_BITS.div_ceil(2);
    const RADIX: usize = 1 << DIGIT;
    let digit = |key: u64, pass: u32| (key >> (OFFSET_SHIFT + DIGIT * pass)) as usize % RADIX;
    let mut counts = [[0_u32; RADIX]; 2];
    for &key in keys.iter() {
        counts[0][digit(key, 0)] += 1;
        counts[1][digit(key, 1)] += 1;
    }
    // Every place is written before it is read: what is left there from earlier does no harm.
    scratch.resize(scratch.len().max(keys.len()), 0);
    let scratch = &mut scratch[..keys.len()];
    let [low, high] = &mut counts;
    let deal = |pass: u32, counts: &mut [u32; RADIX], from: &[u64], to: &mut [u64]| {
        let mut start = 0;
        for count in counts.iter_mut() {
            start += std::mem::replace(count, start);
        }
        for &key in from {
            let place = &mut counts[digit(key, pass)];
            to[*place as usize] = key;
            *place += 1;
        }
    };
    deal(0, low, keys, scratch);
    deal(1, high, scratch, keys);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::{Purpose, Rng, Seed};

    /// The reference: a binary heap of (time, serial, event).
    #[derive(Default)]
    struct Reference {
        heap: BinaryHeap<Reverse<(Time, u64, u32)>>,
        serial: u64,
    }

    impl Reference {
        fn push(&mut self, at: Time, event: u32) {
            self.serial += 1;
            self.heap.push(Reverse((at, self.serial, event)));
        }
        fn pop(&mut self) -> Option<(Time, u32)> {
            self.heap.pop().map(|Reverse((at, _, event))| (at, event))
        }
    }

    /// A delay of one of the kinds that hurt: none, equal ones, within the bucket, within the near
    /// ring, into the far ring, beyond it.
    fn delay(rng: &mut Rng) -> u64 {
        match rng.below(8) {
            0 => 0,
            1 => 1_000_000 * rng.below(4),
            2 => rng.below(1 << WIDTH_BITS),
            3 | 4 => rng.below(200_000_000),
            5 => rng.below(3_000_000_000),
            6 => rng.below(700_000_000_000),
            _ => rng.below(3_000_000_000_000),
        }
    }

    #[test]
    fn the_order_is_that_of_a_stable_binary_heap() {
        for seed in 0..10 {
            let mut rng = Rng::of_cluster(Seed(seed), Purpose::Workload);
            let (mut queue, mut reference) = (EventQueue::new(), Reference::default());
            let (mut now, mut event) = (0, 0);
            for step in 0..60_000_u64 {
                // Growth and drain phases take turns; a peek must change nothing.
                let growing = step / 6_000 % 2 == 0;
                if rng.below(10) < 3 {
                    let due = reference.heap.peek().map(|Reverse((at, ..))| *at);
                    assert_eq!(queue.peek(), due);
                }
                if rng.below(10) < if growing { 7 } else { 3 } {
                    let at = Time::from_nanos(now + delay(&mut rng));
                    queue.push(at, event);
                    reference.push(at, event);
                    event += 1;
                } else {
                    let popped = queue.pop();
                    assert_eq!(popped, reference.pop(), "seed {seed}, step {step}");
                    now = popped.map_or(now, |(at, _)| at.as_nanos());
                }
                assert_eq!(queue.len(), reference.heap.len());
            }
            assert_eq!(queue.iter().count(), queue.len());
            while let Some(popped) = queue.pop() {
                assert_eq!(Some(popped), reference.pop());
            }
            assert!(reference.pop().is_none() && queue.is_empty());
        }
    }

    #[test]
    fn looking_ahead_does_not_raise_the_lower_bound() {
        let mut queue = EventQueue::new();
        queue.push(Time::from_nanos(5_000_000_000), 'z');
        assert_eq!(queue.peek(), Some(Time::from_nanos(5_000_000_000)));
        queue.push(Time::from_nanos(7), 'a');
        queue.push(Time::from_nanos(4_999_999_999), 'b');
        assert_eq!(queue.pop(), Some((Time::from_nanos(7), 'a')));
        assert_eq!(queue.pop(), Some((Time::from_nanos(4_999_999_999), 'b')));
        assert_eq!(queue.pop(), Some((Time::from_nanos(5_000_000_000), 'z')));
        assert_eq!(queue.pop(), None);
    }

    #[test]
    fn what_is_shown_ahead_is_what_comes() {
        let mut rng = Rng::of_cluster(Seed(4), Purpose::Workload);
        let mut queue = EventQueue::new();
        // All in one bucket, so that all of them are in order once the first has been taken.
        for event in 0..100 {
            queue.push(Time::from_nanos((1 << 30) + rng.below(50)), event);
        }
        assert_eq!(queue.ahead(0, 8).count(), 0, "no bucket has been entered");
        queue.pop();
        let shown: Vec<i32> =
            [0, 10, 95].iter().flat_map(|&at| queue.ahead(at, 10)).copied().collect();
        let all: Vec<i32> = std::iter::from_fn(|| queue.pop()).map(|(_, event)| event).collect();
        assert_eq!(queue.ahead(0, 8).count(), 0, "all are taken");
        assert_eq!(shown, [&all[..20], &all[95..]].concat(), "nothing stands beyond the last");
    }

    #[test]
    fn large_buckets_are_sorted_like_small_ones() {
        // 5,000 events within one bucket pass the radix sort; equal times keep their order.
        let mut rng = Rng::of_cluster(Seed(9), Purpose::Workload);
        let (mut queue, mut reference) = (EventQueue::new(), Reference::default());
        for event in 0..5_000 {
            let at = Time::from_nanos((1 << 30) + rng.below(2_000));
            queue.push(at, event);
            reference.push(at, event);
        }
        while let Some(popped) = queue.pop() {
            assert_eq!(Some(popped), reference.pop());
        }
    }

    #[test]
    #[should_panic(expected = "before the last event")]
    fn scheduling_into_the_past_panics() {
        let mut queue = EventQueue::new();
        queue.push(Time::from_nanos(10), ());
        queue.pop();
        queue.push(Time::from_nanos(9), ());
    }
}
