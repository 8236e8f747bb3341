//! Protocol layer: proof of history in its classroom form: a chain of SHA-256 in which every hash
//! is made from the one before, so that it shows that time has passed; what a block holds is mixed
//! in, so that it shows when the block was made.
//!
//! Each slot has the same number of hashes (1,000 in the classroom). A block goes on from its
//! parent's entry with the hashes of all slots since; what it holds is mixed into the last one. A
//! block that holds nothing mixes nothing in, so a chain of empty blocks is the chain of plain
//! hashes from which leaders of coming slots can be predicted.
//!
//! Entries enter the hashes of blocks, so they are always really computed, once, by whoever makes
//! the block. Only their check is modelled: see [`Block::verify_poh`].
//!
//! [`Block::verify_poh`]: super::ledger::Block::verify_poh

use crate::base::digest::Digest;
use crate::base::slot::Slot;

/// Hashes of one slot in the classroom.
pub const CLASSROOM_SLOT_HASHES: u32 = 1_000;

/// A place in the chain of hashes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct PohEntry {
    /// How many hashes there were since the genesis.
    pub counter: u64,
    /// The last of them.
    pub hash: Digest,
}

impl PohEntry {
    /// The entry so many hashes later. What is mixed in goes into the last one, which is
    /// SHA-256(hash before, mixin) instead of SHA-256(hash before); with no hashes there is nothing
    /// to mix it into.
    #[must_use]
    pub fn advance(self, hashes: u64, mixin: Option<Digest>) -> Self {
        let counter = self.counter + hashes;
        let hash = match mixin {
            Some(mixin) if hashes > 0 => {
                let before = chain(self.hash, hashes - 1);
                let mut bytes = [0; 64];
                bytes[..32].copy_from_slice(&before.0);
                bytes[32..].copy_from_slice(&mixin.0);
                Digest::of(&bytes)
            }
            _ => chain(self.hash, hashes),
        };
        Self { counter, hash }
    }

    /// Whether `self` is what [`PohEntry::advance`] makes of the parent's entry: all of its hashes
    /// once more.
    #[must_use]
    pub fn verify(&self, parent: &Self, hashes: u64, mixin: Option<Digest>) -> bool {
        parent.advance(hashes, mixin) == *self
    }
}

/// The hash so many plain hashes after `start`.
#[must_use]
pub fn chain(start: Digest, hashes: u64) -> Digest {
    (0..hashes).fold(start, |hash, _| Digest::of(&hash.0))
}

/// How many hashes lie between a block and its parent.
#[must_use]
pub const fn hashes_between(parent: Slot, slot: Slot, slot_hashes: u32) -> u64 {
    slot.since(parent) as u64 * slot_hashes as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: PohEntry = PohEntry { counter: 0, hash: Digest([0; 32]) };

    #[test]
    fn entries_are_those_of_an_independent_calculation() {
        // Python: h = bytes(32); 1,000 times h = sha256(h).digest(); and with sha256(h + b"\x07" *
        // 32) in the place of the last one.
        let plain = START.advance(1_000, None);
        let mixed = START.advance(1_000, Some(Digest([7; 32])));
        assert_eq!((plain.counter, mixed.counter), (1_000, 1_000));
        assert_eq!(plain.hash.to_string(), PLAIN);
        assert_eq!(mixed.hash.to_string(), MIXED);
    }

    const PLAIN: &str = "36c1cb4f826ae42ceba848227e0c5f786178ca9dceca6772e5d728d09c30a2f6";
    const MIXED: &str = "cba793ccea89dd7bdf74d9beb1dda428c074242296a75cc22618c6d0f66d0ea9";

    #[test]
    fn a_chain_in_pieces_is_the_whole_chain() {
        let mixin = Some(Digest([9; 32]));
        assert_eq!(START.advance(70, None).advance(30, mixin), START.advance(100, mixin));
        assert_eq!(START.advance(0, mixin), START);
        assert_eq!(hashes_between(Slot::new(4), Slot::new(7), 1_000), 3_000);
    }

    #[test]
    fn only_the_true_entry_is_accepted() {
        let mixin = Some(Digest([9; 32]));
        let entry = START.advance(50, mixin);
        assert!(entry.verify(&START, 50, mixin));
        assert!(!entry.verify(&START, 49, mixin));
        assert!(!entry.verify(&START, 50, None));
        assert!(!entry.verify(&START, 50, Some(Digest([8; 32]))));
        let other = PohEntry { hash: Digest([1; 32]), ..START };
        assert!(!entry.verify(&other, 50, mixin), "another start");
        let counted = PohEntry { counter: 51, ..entry };
        assert!(!counted.verify(&START, 50, mixin));
    }
}
