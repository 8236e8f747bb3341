//! Protocol layer: which values one node has: a version per key, and how it came by it.

use super::prune::Scores;
use super::value::{Label, Layout, MOST_HOPS, MOST_VERSIONS, Spot};
use crate::base::fetch::{fetch, fetch_at};
use crate::base::id::NodeId;
use crate::base::time::{Span, Time};

/// What a node makes of a value's name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Standing {
    /// It has none of that key, or an older one.
    New,
    /// It has it, after so many pushes of it (3 stands for any more).
    Known {
        /// Earlier pushes.
        pushes: u8,
    },
    /// It has a newer one.
    Outdated,
}

/// The bits of a word that count pushes; hops stand above them, the version above those.
const PUSHES: u32 = 0b11;
const HOPS_AT: u32 = PUSHES.count_ones();
const VERSION_AT: u32 = 8;

/// Who pushes the values of an origin, and the word of its epoch slots: what all pushes need, in a
/// quarter of a line of the cache.
#[derive(Clone, Copy, Debug)]
#[repr(align(16))]
struct Row {
    epoch_slots: u32,
    scores: Scores,
}

const _: () = assert!(size_of::<Row>() == 16);

impl Row {
    const EMPTY: Self = Self { epoch_slots: 0, scores: Scores::EMPTY };
}

/// The values of a node, one word per key, and the scores of relayers beside them. Takes no memory
/// before the node connects.
#[derive(Clone, Debug)]
pub(super) struct Store {
    layout: Layout,
    rows: Vec<Row>,
    rest: Vec<u32>,
    held: u32,
    replaced: Recent,
}

impl Store {
    /// A store without room.
    pub(super) fn new(layout: Layout) -> Self {
        let replaced = Recent::default();
        Self { layout, rows: Vec::new(), rest: Vec::new(), held: 0, replaced }
    }

    /// Makes room, if there is none yet; false if there is.
    pub(super) fn open(&mut self) -> bool {
        let fresh = self.rest.is_empty();
        if fresh {
            self.rows = vec![Row::EMPTY; self.layout.rows()];
            self.rest = vec![0; self.layout.rest()];
        }
        fresh
    }

    /// How many keys there is room for.
    pub(super) const fn keys(&self) -> usize {
        if self.rest.is_empty() { 0 } else { self.layout.keys() }
    }

    #[inline]
    fn word(&self, key: u32) -> Option<u32> {
        match self.layout.spot(key) {
            Spot::Row(origin) => self.rows.get(origin).map(|row| row.epoch_slots),
            Spot::Rest(place) => self.rest.get(place).copied(),
        }
    }

    #[inline]
    fn word_mut(&mut self, key: u32) -> &mut u32 {
        match self.layout.spot(key) {
            Spot::Row(origin) => &mut self.rows[origin].epoch_slots,
            Spot::Rest(place) => &mut self.rest[place],
        }
    }

    /// Where a value stands.
    #[inline]
    pub(super) fn standing(&self, label: &Label) -> Standing {
        let word = self.word(label.key).unwrap_or(0);
        match label.version.cmp(&(word >> VERSION_AT)) {
            std::cmp::Ordering::Greater => Standing::New,
            std::cmp::Ordering::Less => Standing::Outdated,
            std::cmp::Ordering::Equal => Standing::Known { pushes: (word & PUSHES) as u8 },
        }
    }

    /// Takes a new value in. True if the key was empty.
    #[inline]
    pub(super) fn insert(&mut self, label: &Label, now: Time) -> bool {
        debug_assert!(label.version <= MOST_VERSIONS && label.hops <= MOST_HOPS);
        let word = self.word_mut(label.key);
        let empty = *word == 0;
        *word = label.version << VERSION_AT | u32::from(label.hops) << HOPS_AT;
        if empty {
            self.held += 1;
        } else {
            self.replaced.add(now);
        }
        empty
    }

    /// Counts one more push of the value of a key, up to three.
    #[inline]
    pub(super) fn count_push(&mut self, key: u32) {
        let word = self.word_mut(key);
        *word += u32::from(*word & PUSHES < PUSHES);
    }

    /// Fetches what leads to values.
    #[inline]
    pub(super) fn fetch(&self) {
        fetch(&self.rows);
        fetch(&self.rest);
    }

    /// Fetches what a push of a value will need.
    #[inline]
    pub(super) fn fetch_value(&self, label: &Label) {
        fetch_at(&self.rows, label.origin.index());
        if let Spot::Rest(place) = self.layout.spot(label.key) {
            fetch_at(&self.rest, place);
        }
    }

    /// Who pushes the values of an origin.
    #[inline]
    pub(super) fn scores(&mut self, origin: NodeId) -> &mut Scores {
        &mut self.rows[origin.index()].scores
    }

    /// Forgets who pushes what.
    pub(super) fn clear_scores(&mut self) {
        self.rows.iter_mut().for_each(|row| row.scores = Scores::EMPTY);
    }

    /// The version of a key; 0 for none.
    #[inline]
    pub(super) fn version(&self, key: u32) -> u32 {
        self.word(key).map_or(0, |word| word >> VERSION_AT)
    }

    /// Links that the value of a key has travelled.
    pub(super) fn hops(&self, key: u32) -> u8 {
        self.word(key).map_or(0, |word| (word >> HOPS_AT) as u8 & MOST_HOPS)
    }

    /// Values held and values replaced within 75 s, whose hashes are still remembered so that they
    /// are not offered again.
    pub(super) fn items(&mut self, now: Time) -> u32 {
        self.held + self.replaced.count(now)
    }

    /// Forgets everything but the values of some keys.
    pub(super) fn keep_only(&mut self, mut keep: impl FnMut(u32) -> bool) {
        for key in 0..self.keys() as u32 {
            let word = self.word_mut(key);
            if *word > 0 && !keep(key) {
                *word = 0;
                self.held -= 1;
            }
        }
        self.replaced = Recent::default();
    }
}

/// Bins of 5 s, 15 of them: how long Agave remembers what it has replaced.
const BINS: usize = 15;
const BIN: Span = Span::from_secs(5);

/// Counts what happened within the last 75 s, to within 5 s.
#[derive(Clone, Debug, Default)]
struct Recent {
    bins: [u32; BINS],
    sum: u32,
    bin: u64,
}

impl Recent {
    fn add(&mut self, now: Time) {
        self.pass_to(now);
        let bin = &mut self.bins[self.bin as usize % BINS];
        *bin = bin.saturating_add(1);
        self.sum = self.sum.saturating_add(1);
    }

    fn count(&mut self, now: Time) -> u32 {
        self.pass_to(now);
        self.sum
    }

    fn pass_to(&mut self, now: Time) {
        let bin = now.as_nanos() / BIN.as_nanos();
        // A clock that was set back counts into the bin it has left.
        let passed = bin.saturating_sub(self.bin).min(BINS as u64);
        for later in 1..=passed {
            let old = &mut self.bins[(self.bin + later) as usize % BINS];
            self.sum = self.sum.saturating_sub(std::mem::take(old));
        }
        self.bin = self.bin.max(bin);
    }
}

#[cfg(test)]
mod tests {
    use super::super::value::Place;
    use super::*;

    fn label(key: u32, version: u32, hops: u8) -> Label {
        let (origin, place) = (NodeId::new(0), Place::CONTACT_INFO);
        Label { key, version, number: 0, origin, size: 180, place, hops }
    }

    const fn at(seconds: u64) -> Time {
        Time::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn only_later_versions_are_new_and_pushes_are_counted_to_three() {
        let mut store = Store::new(Layout::new(1, 4));
        store.open();
        assert_eq!(store.standing(&label(2, 3, 0)), Standing::New);
        assert!(store.insert(&label(2, 3, 7), at(0)));
        assert_eq!((store.version(2), store.hops(2), store.items(at(0))), (3, 7, 1));
        for pushes in [0, 1, 2, 3, 3] {
            assert_eq!(store.standing(&label(2, 3, 0)), Standing::Known { pushes });
            store.count_push(2);
        }
        assert_eq!(store.hops(2), 7, "counting leaves the hops alone");
        assert_eq!(store.standing(&label(2, 2, 0)), Standing::Outdated);
        assert!(!store.insert(&label(2, 4, 1), at(0)));
        assert_eq!(store.standing(&label(2, 4, 0)), Standing::Known { pushes: 0 });
        store.insert(&label(1, 1, 0), at(0));
        store.keep_only(|key| key == 1);
        assert_eq!((store.version(2), store.version(1), store.items(at(0))), (0, 1, 1));
    }

    #[test]
    fn what_was_replaced_counts_for_75_seconds() {
        let mut store = Store::new(Layout::new(1, 1));
        store.open();
        for (version, seconds) in [(1, 0), (2, 2), (3, 7), (4, 72)] {
            store.insert(&label(0, version, 0), at(seconds));
        }
        // One held; replaced at 2, 7 and 72 s. The bin of 2 s ends with the one that starts at 75.
        assert_eq!(store.items(at(74)), 4);
        assert_eq!(store.items(at(75)), 3);
        assert_eq!(store.items(at(80)), 2);
        assert_eq!(store.items(at(1_000)), 1);
    }
}
