//! Protocol layer: which of the latest rumors a node has, one bit each in a ring.

/// A set of rumor numbers within a window below the highest one.
pub(super) struct Seen {
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
        Self { words: vec![0; words].into_boxed_slice(), top: 0, count: 0 }
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
        let (word, bit) = self.place(rumor);
        let fresh = self.words[word] & bit == 0;
        self.words[word] |= bit;
        self.count += u32::from(fresh);
        fresh
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.words.fill(0);
        self.count = 0;
    }

    #[inline]
    fn place(&self, rumor: u32) -> (usize, u64) {
        ((rumor / 64) as usize & (self.words.len() - 1), 1 << (rumor % 64))
    }

    /// Moves the window up to a new highest number.
    fn rise(&mut self, rumor: u32) {
        let steps = rumor - self.top + 1;
        if steps as usize >= self.words.len() * 64 {
            self.words.fill(0);
        } else {
            for passed in self.top..=rumor {
                let (word, bit) = self.place(passed);
                self.words[word] &= !bit;
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
