//! Protocol layer: which values one node has: a version per key, and how it came by it.

use super::value::{Label, MOST_HOPS, MOST_VERSIONS};
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

/// The values of a node, one word per key, so that a push of a known value touches one place only.
/// Takes no memory before the node connects.
#[derive(Clone, Debug, Default)]
pub(super) struct Store {
    words: Vec<u32>,
    held: u32,
    replaced: Recent,
}

impl Store {
    /// Makes room for so many keys, if there is none yet; false if there is.
    pub(super) fn open(&mut self, keys: usize) -> bool {
        let fresh = self.words.is_empty();
        if fresh {
            self.words = vec![0; keys];
        }
        fresh
    }

    /// How many keys there is room for.
    pub(super) const fn keys(&self) -> usize {
        self.words.len()
    }

    /// Where a value stands.
    #[inline]
    pub(super) fn standing(&self, label: &Label) -> Standing {
        let word = self.words[label.key as usize];
        match label.version.cmp(&(word >> VERSION_AT)) {
            std::cmp::Ordering::Greater => Standing::New,
            std::cmp::Ordering::Less => Standing::Outdated,
            std::cmp::Ordering::Equal => Standing::Known { pushes: (word & PUSHES) as u8 },
        }
    }

    /// Takes a new value in. True if the key was empty.
    pub(super) fn insert(&mut self, label: &Label, now: Time) -> bool {
        debug_assert!(label.version <= MOST_VERSIONS && label.hops <= MOST_HOPS);
        let word = &mut self.words[label.key as usize];
        let empty = *word == 0;
        if empty {
            self.held += 1;
        } else {
            self.replaced.add(now);
        }
        *word = label.version << VERSION_AT | u32::from(label.hops) << HOPS_AT;
        empty
    }

    /// Counts one more push of the value of a key, up to three.
    #[inline]
    pub(super) fn count_push(&mut self, key: u32) {
        let word = &mut self.words[key as usize];
        *word += u32::from(*word & PUSHES < PUSHES);
    }

    /// The version of a key; 0 for none.
    #[inline]
    pub(super) fn version(&self, key: u32) -> u32 {
        self.words.get(key as usize).map_or(0, |word| word >> VERSION_AT)
    }

    /// Links that the value of a key has travelled.
    pub(super) fn hops(&self, key: u32) -> u8 {
        (self.words[key as usize] >> HOPS_AT) as u8 & MOST_HOPS
    }

    /// Values held and values replaced within 75 s, whose hashes are still remembered so that they
    /// are not offered again.
    pub(super) fn items(&mut self, now: Time) -> u32 {
        self.held + self.replaced.count(now)
    }

    /// Forgets everything but the values of some keys.
    pub(super) fn keep_only(&mut self, mut keep: impl FnMut(u32) -> bool) {
        for (key, word) in (0_u32..).zip(&mut self.words) {
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
    use crate::base::id::NodeId;

    fn label(key: u32, version: u32, hops: u8) -> Label {
        let (origin, place) = (NodeId::new(0), Place::CONTACT_INFO);
        Label { key, version, number: 0, origin, size: 180, place, hops }
    }

    const fn at(seconds: u64) -> Time {
        Time::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn only_later_versions_are_new_and_pushes_are_counted_to_three() {
        let mut store = Store::default();
        store.open(4);
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
        let mut store = Store::default();
        store.open(1);
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
