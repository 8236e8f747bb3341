//! Protocol layer: who may vote with how much stake: fixed for a run, or changing where an epoch
//! begins. Public: every node knows it.

use crate::base::id::{NodeId, NodeMap};
use crate::base::slot::Slot;

/// The stakes that count from a slot on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stakes {
    from: Slot,
    stakes: NodeMap<u64>,
    total: u64,
}

impl Stakes {
    fn new(from: Slot, stakes: NodeMap<u64>) -> Self {
        let total = stakes.values().sum();
        Self { from, stakes, total }
    }

    /// A node's stake.
    #[must_use]
    pub fn of(&self, node: NodeId) -> u64 {
        self.stakes[node]
    }

    /// The stake of all nodes together.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// Whether some stake is strictly more than a part of all, such as `(2, 3)`.
    #[must_use]
    pub fn exceeds(&self, stake: u64, (part, of): (u64, u64)) -> bool {
        u128::from(stake) * u128::from(of) > u128::from(self.total) * u128::from(part)
    }
}

/// The stakes of all epochs of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Electorate {
    /// In the order of time; the first from slot 0 on.
    epochs: Vec<Stakes>,
    counts: bool,
}

impl Electorate {
    /// The same stakes for the whole run.
    #[must_use]
    pub fn new(stakes: NodeMap<u64>) -> Self {
        Self { epochs: vec![Stakes::new(Slot::ZERO, stakes)], counts: true }
    }

    /// For a run in which nobody votes.
    #[must_use]
    pub fn silent(self) -> Self {
        Self { counts: false, ..self }
    }

    /// Other stakes from a slot on, which is later than those of all changes before.
    #[must_use]
    pub fn changing(mut self, from: Slot, stakes: NodeMap<u64>) -> Self {
        self.epochs.push(Stakes::new(from, stakes));
        self
    }

    /// Whether there are votes to count.
    #[must_use]
    pub const fn counts(&self) -> bool {
        self.counts
    }

    /// The stakes at a slot.
    #[must_use]
    pub fn at(&self, slot: Slot) -> &Stakes {
        let begun = self.epochs.partition_point(|epoch| epoch.from <= slot);
        &self.epochs[begun.saturating_sub(1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_strict_and_stakes_change_with_the_epoch() {
        let electorate = Electorate::new(NodeMap::from_vec(vec![66, 34]))
            .changing(Slot::new(100), NodeMap::from_vec(vec![67, 33]));
        let (node, early, late) = (NodeId::new(0), Slot::new(99), Slot::new(100));
        assert_eq!((electorate.at(early).of(node), electorate.at(late).of(node)), (66, 67));
        assert!(!electorate.at(early).exceeds(66, (2, 3)));
        assert!(electorate.at(late).exceeds(67, (2, 3)));
        let thirds = Electorate::new(NodeMap::from_vec(vec![2, 1]));
        assert!(!thirds.at(early).exceeds(2, (2, 3)), "exactly two thirds are not more");
        assert_eq!(electorate.at(Slot::new(1_000)).total(), 100);
    }
}
