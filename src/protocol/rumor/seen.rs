//! Protocol layer: which of the latest rumors a node has, one bit each in a ring.

/// A set of rumor numbers within a window below the highest one.
pub(super) struct Seen {
    /// The latest 64 numbers that begin at a multiple of 64. Nearly every rumor that arrives is
    /// one of them, and they stand in the node itself, not one step further in memory.
    latest: u64,
    /// All before, 64 to a word, in a ring.
    words: Box<[u64]>,
    /// One above the highest number ever inserted.
    top: u32,
    count: u32,
}

impl Seen {
    /// Tells at least the latest `window` numbers apart.
    pub(super) fn new(window: usize) -> Self {
        // A power of two, so that the ring has no gap where numbers wrap around it.
        let words = window.div_ceil(64).max(1).next_power_of_two();
        Self { latest: 0, words: vec![0; words].into_boxed_slice(), top: 0, count: 0 }
    }

    /// Numbers inserted since the start.
    pub(super) const fn count(&self) -> u32 {
        self.count
    }

    /// Inserts a number; true if it is new. One that has left the window counts as known.
    #[inline]
    pub(super) fn insert(&mut self, rumor: u32) -> bool {
        if rumor >= self.top {
            self.rise(rumor);
        } else if (self.top - rumor) as usize > self.words.len() * 64 {
            return false;
        }
        let bit = 1 << (rumor % 64);
        let word = if rumor / 64 == (self.top - 1) / 64 {
            &mut self.latest
        } else {
            let place = self.place(rumor / 64);
            &mut self.words[place]
        };
        let fresh = *word & bit == 0;
        *word |= bit;
        self.count += u32::from(fresh);
        fresh
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.latest = 0;
        self.words.fill(0);
        self.count = 0;
    }

    /// Where the 64 numbers from `64 * number` on stand in the ring.
    const fn place(&self, number: u32) -> usize {
        number as usize & (self.words.len() - 1)
    }

    /// Moves the window up to a new highest number.
    fn rise(&mut self, rumor: u32) {
        let (old, new) = (self.top.saturating_sub(1) / 64, rumor / 64);
        if new > old {
            self.words[self.place(old)] = std::mem::take(&mut self.latest);
            // Of the numbers passed over none is had.
            for passed in (old + 1..new).take(self.words.len()) {
                self.words[self.place(passed)] = 0;
            }
        }
        self.top = rumor + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::{Purpose, Rng, Seed};

    #[test]
    fn it_is_a_set_within_its_window() {
        let mut rng = Rng::of_cluster(Seed(4), Purpose::Rumors);
        let mut seen = Seen::new(100);
        let mut all = std::collections::BTreeSet::new();
        let mut top = 0_u32;
        for _ in 0..20_000 {
            // Around the top, sometimes with a leap.
            let leap = if rng.below(500) == 0 { 300 } else { 0 };
            let rumor = (top + 3 + leap).saturating_sub(rng.below(60) as u32);
            top = top.max(rumor);
            assert_eq!(seen.insert(rumor), all.insert(rumor), "rumor {rumor} below {top}");
        }
        assert_eq!(seen.count() as usize, all.len());
        assert!(!seen.insert(top - 5_000), "what has left the window counts as known");
    }
}
