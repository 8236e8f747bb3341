//! Metrics layer, invariants: the tree of all blocks of the run, as leaders stated them.

use std::collections::{BTreeMap, VecDeque};

use crate::base::slot::Slot;

/// A block of the run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Known {
    pub(super) id: u64,
    pub(super) slot: Slot,
    pub(super) height: u32,
    /// The number of its parent; `None` if that is genesis or not known any more.
    parent: Option<u64>,
}

/// Blocks in the order in which they were made, each with a number of its own.
#[derive(Debug, Default)]
pub(super) struct Tree {
    blocks: VecDeque<Known>,
    /// The number of the first of them.
    first: u64,
    numbers: BTreeMap<u64, u64>,
    /// Blocks that were forgotten although they lay above the floor.
    overflown: u64,
}

/// Most blocks that are remembered, some 100 bytes each: 29 hours of slots of 400 ms in which
/// somebody roots nothing.
pub(super) const MOST: usize = 1 << 18;

impl Tree {
    /// A leader made a block.
    pub(super) fn add(&mut self, id: u64, slot: Slot, parent: u64, height: u32) {
        if self.numbers.contains_key(&id) {
            return;
        }
        let parent = self.numbers.get(&parent).copied();
        self.numbers.insert(id, self.first + self.blocks.len() as u64);
        self.blocks.push_back(Known { id, slot, height, parent });
        if self.blocks.len() > MOST {
            self.forget_oldest();
            self.overflown += 1;
        }
    }

    /// A block; `None` if nobody made it, or if it is forgotten.
    pub(super) fn get(&self, id: u64) -> Option<&Known> {
        self.at(*self.numbers.get(&id)?)
    }

    fn at(&self, number: u64) -> Option<&Known> {
        self.blocks.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    /// A block and its ancestors, newest first, as far as they are remembered.
    pub(super) fn path(&self, id: u64) -> impl Iterator<Item = &Known> + '_ {
        std::iter::successors(self.get(id), |block| self.at(block.parent?))
    }

    /// Forgets blocks that lie below a height, the oldest first.
    pub(super) fn forget_below(&mut self, height: u32) {
        while self.blocks.front().is_some_and(|oldest| oldest.height < height) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some(oldest) = self.blocks.pop_front() {
            self.numbers.remove(&oldest.id);
            self.first += 1;
        }
    }

    /// Blocks that were forgotten for want of room.
    pub(super) const fn overflown(&self) -> u64 {
        self.overflown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_genesis_and_what_lies_deep_is_forgotten() {
        let mut tree = Tree::default();
        for height in 1..=3_000_u32 {
            let id = u64::from(height);
            tree.add(id, Slot::new(height * 2), id - 1, height);
        }
        tree.add(5_000, Slot::new(7), 2_990, 2_991);
        let path: Vec<u64> = tree.path(5_000).map(|block| block.id).take(3).collect();
        assert_eq!(path, [5_000, 2_990, 2_989]);
        assert_eq!(tree.path(3_000).count(), 3_000);
        tree.forget_below(2_900);
        assert!(tree.get(2_899).is_none() && tree.get(2_900).is_some());
        assert_eq!((tree.path(3_000).count(), tree.overflown()), (101, 0));
        for id in 10_000..10_000 + MOST as u64 {
            tree.add(id, Slot::new(8_000), id - 1, 8_000);
        }
        // 101 of the line and one beside it made room.
        assert_eq!((tree.blocks.len(), tree.overflown()), (MOST, 102));
    }
}
