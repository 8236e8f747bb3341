//! Metrics layer, invariants: what a validator has promised by its votes, worked out from the facts
//! of its votes alone and from the definition of a lockout, not from the program's tower.
//!
//! A vote is *confirmed* as often as, at the most, votes have stood on it, itself included. It
//! locks its voter out of other forks for 2 to the power of that many slots after its own. It ends
//! when a later one comes for a slot beyond its lockout and every vote upon it has ended; with 31
//! votes upon it, it is the root. (Fact sheet of Agave 4.4, section 6.1.)

use super::tree::Tree;
use crate::base::slot::Slot;

/// Votes upon a vote that make it the root.
const ROOTED_BY: usize = 31;

/// A vote that has not ended.
#[derive(Clone, Copy, Debug)]
struct Cast {
    slot: Slot,
    /// Most votes that have ever stood on it, itself included.
    confirmed: u32,
}

impl Cast {
    /// The last slot of its lockout.
    fn until(&self) -> u64 {
        u64::from(self.slot.number()) + 2_u64.pow(self.confirmed)
    }
}

/// The promises of one validator.
#[derive(Clone, Debug, Default)]
pub(super) struct Promises {
    /// The oldest first.
    votes: Vec<Cast>,
    rooted: Option<Slot>,
}

/// A promise that was broken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Broken {
    /// A vote for a slot that is not after that of the last vote.
    Backwards(Slot),
    /// A vote for a block that does not stand on the one of this slot, before the last slot of its
    /// lockout has passed.
    Lockout(Slot, u64),
    /// A root without 31 votes upon it.
    Root,
}

impl Promises {
    /// The validator votes for a block; whether that breaks a promise. Lockouts are about slots: of
    /// two blocks that a leader made for one, either will do.
    pub(super) fn vote(&mut self, tree: &Tree, slot: Slot, block: u64) -> Result<(), Broken> {
        if let Some(last) = self.votes.last().filter(|last| slot <= last.slot) {
            return Err(Broken::Backwards(last.slot));
        }
        let now = u64::from(slot.number());
        let mut path = tree.path(block).peekable();
        let mut lowest = u32::MAX;
        for vote in self.votes.iter().rev().filter(|vote| now <= vote.until()) {
            while let Some(above) = path.next_if(|below| below.slot > vote.slot) {
                lowest = above.height;
            }
            let stands_on_it = match path.peek() {
                Some(below) => below.slot == vote.slot,
                // Below that of height 1 there is only genesis; where the path is no longer
                // remembered, nothing can be said.
                None => lowest > 1,
            };
            if !stands_on_it {
                return Err(Broken::Lockout(vote.slot, vote.until()));
            }
        }
        let open = self.votes.iter().rposition(|vote| now <= vote.until());
        self.votes.truncate(open.map_or(0, |place| place + 1));
        self.votes.push(Cast { slot, confirmed: 0 });
        if self.votes.len() > ROOTED_BY {
            self.rooted = Some(self.votes.remove(0).slot);
        }
        for (upon, vote) in (1..).zip(self.votes.iter_mut().rev()) {
            vote.confirmed = vote.confirmed.max(upon);
        }
        Ok(())
    }

    /// The validator says that it has a new root.
    pub(super) fn root(&self, slot: Slot) -> Result<(), Broken> {
        if self.rooted == Some(slot) { Ok(()) } else { Err(Broken::Root) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 0 - 1 - 2 - ... - 40 and another fork that leaves it after a block.
    fn forked(after: u32, other: std::ops::RangeInclusive<u32>) -> Tree {
        let mut tree = Tree::default();
        for slot in 1..=40_u32 {
            tree.add(slot.into(), Slot::new(slot), u64::from(slot) - 1, slot);
        }
        let mut parent = u64::from(after);
        for (slot, height) in other.zip(after + 1..) {
            tree.add(1_000 + u64::from(slot), Slot::new(slot), parent, height);
            parent = 1_000 + u64::from(slot);
        }
        tree
    }

    fn voted(tree: &Tree, slots: std::ops::RangeInclusive<u32>) -> Promises {
        let mut promises = Promises::default();
        for slot in slots {
            promises.vote(tree, Slot::new(slot), slot.into()).expect("the same fork");
        }
        promises
    }

    #[test]
    fn a_vote_elsewhere_is_allowed_in_the_slot_after_the_lockout_and_not_before() {
        // Votes for 1, 2 and 3 in a row: 3 votes stand on that for slot 1, which locks out up to
        // slot 1 + 8; those above end before.
        let tree = forked(0, 4..=12);
        for slot in 4..=12 {
            let mut promises = voted(&tree, 1..=3);
            let result = promises.vote(&tree, Slot::new(slot), 1_000 + u64::from(slot));
            assert_eq!(result.is_ok(), slot > 9, "slot {slot}: {result:?}");
        }
        // The fork leaves after slot 2: only the vote for 3 is in the way, up to slot 5.
        let tree = forked(2, 4..=12);
        for slot in 4..=12 {
            let mut promises = voted(&tree, 1..=3);
            let result = promises.vote(&tree, Slot::new(slot), 1_000 + u64::from(slot));
            assert_eq!(result.is_ok(), slot > 5, "slot {slot}: {result:?}");
        }
    }

    #[test]
    fn the_thirty_second_vote_in_a_row_roots_the_first_and_no_other_root_is_true() {
        let tree = forked(0, 1..=1);
        assert_eq!(voted(&tree, 1..=31).root(Slot::new(1)), Err(Broken::Root));
        let promises = voted(&tree, 1..=32);
        assert_eq!(promises.root(Slot::new(1)), Ok(()));
        assert_eq!(promises.root(Slot::new(2)), Err(Broken::Root));
        let again = voted(&tree, 1..=32).vote(&tree, Slot::new(32), 32);
        assert_eq!(again, Err(Broken::Backwards(Slot::new(32))));
    }

    #[test]
    fn a_vote_below_one_that_has_not_ended_stays() {
        // 1, 2, 3, 4, then 9: the vote for 4 ends at 6 and that for 3 at 7, so they are gone; that
        // for 2 lasts up to 10, that for 1 up to 17 and that for 9 up to 11. A fork that leaves
        // after slot 1 is free at 12, one that leaves at genesis at 18.
        let votes = |tree: &Tree| {
            let mut promises = voted(tree, 1..=4);
            promises.vote(tree, Slot::new(9), 9).map(|()| promises)
        };
        for (after, slot, allowed) in [(1, 11, false), (1, 12, true), (0, 12, false), (0, 18, true)]
        {
            let tree = forked(after, slot..=slot);
            let mut promises = votes(&tree).expect("the same fork");
            let result = promises.vote(&tree, Slot::new(slot), 1_000 + u64::from(slot));
            assert_eq!(result.is_ok(), allowed, "after {after} in slot {slot}: {result:?}");
        }
    }
}
