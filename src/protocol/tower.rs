//! Protocol layer: a validator's tower: its last votes, each with a lockout that doubles with every
//! vote on top of it. Pure data; who votes for what is decided in `consensus`.
//!
//! Rules: Agave 4.4, `core/src/consensus/tower_vote_state.rs`.

use crate::base::slot::Slot;

/// Most entries of a tower (Agave: `MAX_LOCKOUT_HISTORY`): one more vote roots the lowest.
pub const MOST_ENTRIES: usize = 31;

/// A vote in a tower.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lockout {
    /// The slot voted for.
    pub slot: Slot,
    /// Votes that stand for it, itself included: 1 to 31.
    pub confirmations: u8,
}

impl Lockout {
    /// The last slot that it locks out on other forks: its own plus 2 to the power of its
    /// confirmations. It may lie behind the last slot there can be.
    #[must_use]
    pub fn last_locked(self) -> u64 {
        u64::from(self.slot.number()) + (1 << self.confirmations.min(MOST_ENTRIES as u8))
    }
}

/// A stack of votes, the oldest at the bottom.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tower {
    entries: [Lockout; MOST_ENTRIES],
    length: u8,
}

impl Default for Tower {
    fn default() -> Self {
        let none = Lockout { slot: Slot::ZERO, confirmations: 0 };
        Self { entries: [none; MOST_ENTRIES], length: 0 }
    }
}

impl Tower {
    /// The entries, the oldest first.
    #[must_use]
    pub fn entries(&self) -> &[Lockout] {
        &self.entries[..usize::from(self.length)]
    }

    /// The last vote.
    #[must_use]
    pub fn last(&self) -> Option<Lockout> {
        self.entries().last().copied()
    }

    /// The entry with so many others above it.
    #[must_use]
    pub fn below_top(&self, others: usize) -> Option<Lockout> {
        self.entries().iter().rev().nth(others).copied()
    }

    /// Drops what no longer locks out a slot: from the top, as far as entries have expired. What
    /// lies below one that has not stays, expired or not.
    pub fn expire(&mut self, slot: Slot) {
        let over = |entry: Lockout| entry.last_locked() < u64::from(slot.number());
        while self.last().is_some_and(over) {
            self.length -= 1;
        }
    }

    /// Votes for a slot. A slot that is not after the last vote changes nothing. Returns the slot
    /// that becomes the root.
    pub fn vote(&mut self, slot: Slot) -> Option<Slot> {
        if self.last().is_some_and(|last| slot <= last.slot) {
            return None;
        }
        self.expire(slot);
        let full = usize::from(self.length) == MOST_ENTRIES;
        let rooted = full.then(|| {
            self.entries.rotate_left(1);
            self.length -= 1;
            self.entries[MOST_ENTRIES - 1].slot
        });
        self.entries[usize::from(self.length)] = Lockout { slot, confirmations: 1 };
        self.length += 1;
        let length = usize::from(self.length);
        for (place, entry) in self.entries[..length].iter_mut().enumerate() {
            if length > place + usize::from(entry.confirmations) {
                entry.confirmations += 1;
            }
        }
        rooted
    }

    /// Votes as [`Tower::vote`] does, on a copy.
    #[must_use]
    pub fn after(&self, slot: Slot) -> Self {
        let mut tower = *self;
        tower.vote(slot);
        tower
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voted(slots: impl IntoIterator<Item = u32>) -> (Tower, Vec<u32>) {
        let mut tower = Tower::default();
        let roots = slots.into_iter().filter_map(|slot| tower.vote(Slot::new(slot)));
        let roots = roots.map(Slot::number).collect();
        (tower, roots)
    }

    fn listed(tower: &Tower) -> Vec<(u32, u8)> {
        tower.entries().iter().map(|entry| (entry.slot.number(), entry.confirmations)).collect()
    }

    #[test]
    fn the_thirty_second_vote_in_a_row_roots_the_first() {
        assert!(voted(1..=31).1.is_empty());
        let (tower, roots) = voted(1..=32);
        assert_eq!(roots, [1]);
        // From slot 2 with 31 votes down to slot 32 with one.
        let expected: Vec<(u32, u8)> = (2..=32).zip((1..=31).rev()).collect();
        assert_eq!(listed(&tower), expected);
        assert_eq!(voted(1..=40).1, (1..=9).collect::<Vec<u32>>());
    }

    #[test]
    fn a_tower_of_m_votes_in_a_row_unlocks_after_two_to_the_m_and_one_more() {
        // Law 9: the first of m votes, for slot 1, has m confirmations: it locks out up to slot
        // 1 + 2^m, so the first slot it lets through is 2^m + 2. Those above it end earlier:
        // vote i has m - i + 1 of them and ends at i + 2^(m - i + 1).
        for m in 1..=20 {
            let (tower, _) = voted(1..=m);
            let free = |slot| {
                let mut tower = tower;
                tower.expire(Slot::new(slot));
                tower.entries().is_empty()
            };
            assert!(!free(1 + (1 << m)) && free(2 + (1 << m)), "{m} votes");
        }
    }

    #[test]
    fn expiry_is_from_the_top_and_older_entries_double_only_above_their_former_depth() {
        // Worked by hand from the rules of the fact sheet, section 6.1.
        let (mut tower, _) = voted([1, 2, 3, 4]);
        assert_eq!(listed(&tower), [(1, 4), (2, 3), (3, 2), (4, 1)]);
        // Slot 9: 4 ends at 6, 3 at 7, 2 at 10.
        tower.vote(Slot::new(9));
        assert_eq!(listed(&tower), [(1, 4), (2, 3), (9, 1)]);
        tower.vote(Slot::new(10));
        assert_eq!(listed(&tower), [(1, 4), (2, 3), (9, 2), (10, 1)]);
        // Now the stack is deeper than it was.
        tower.vote(Slot::new(11));
        assert_eq!(listed(&tower), [(1, 5), (2, 4), (9, 3), (10, 2), (11, 1)]);
    }

    #[test]
    fn an_expired_entry_below_one_that_is_not_stays() {
        // Entry 1 with one confirmation ends at 3, but 2 lies above it.
        let (tower, _) = voted([1, 2]);
        let mut at_six = tower;
        at_six.expire(Slot::new(6));
        // 2 + 2^1 = 4 and 1 + 2^2 = 5 have both ended.
        assert!(at_six.entries().is_empty());
        let mut at_five = tower;
        at_five.expire(Slot::new(5));
        assert_eq!(listed(&at_five), [(1, 2)]);
        let odd = Tower {
            length: 2,
            entries: {
                let mut entries = Tower::default().entries;
                entries[0] = Lockout { slot: Slot::new(1), confirmations: 1 };
                entries[1] = Lockout { slot: Slot::new(2), confirmations: 5 };
                entries
            },
        };
        let mut later = odd;
        later.expire(Slot::new(20));
        assert_eq!(later, odd);
    }

    #[test]
    fn a_vote_that_is_not_newer_changes_nothing() {
        let (tower, _) = voted([5, 6]);
        assert_eq!(tower.after(Slot::new(6)), tower);
        assert_eq!(tower.after(Slot::new(4)), tower);
        assert_eq!(tower.below_top(1).map(|entry| entry.slot), Some(Slot::new(5)));
        assert_eq!(tower.below_top(2), None);
    }
}
