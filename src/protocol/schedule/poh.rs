//! Protocol layer: the public chain of ticks that the classroom's leaders are drawn from. It holds
//! no transactions, so everybody can compute it ahead.

use crate::base::digest::Digest;
use crate::base::rng::Seed;
use crate::base::slot::Slot;

/// The chain's hash at each slot: at slot 0 SHA-256 of a tag and the seed of the run (each preceded
/// by its length), and from one slot to the next SHA-256 as many times as a slot has hashes.
#[derive(Clone, Debug)]
pub struct TickChain {
    hashes_per_slot: u32,
    /// The hashes of the slots asked for up to now: 32 bytes per slot.
    known: Vec<Digest>,
}

impl TickChain {
    /// The chain of a run.
    #[must_use]
    pub fn new(seed: Seed, hashes_per_slot: u32) -> Self {
        let first = Digest::of_parts(&[b"headwater poh", &seed.0.to_le_bytes()]);
        Self { hashes_per_slot, known: vec![first] }
    }

    /// The hash at a slot. The first question for a slot computes the chain up to it.
    pub fn hash(&mut self, slot: Slot) -> Digest {
        let place = slot.number() as usize;
        while self.known.len() <= place {
            let last = self.known[self.known.len() - 1];
            self.known.push((0..self.hashes_per_slot).fold(last, |hash, _| Digest::of(&hash.0)));
        }
        self.known[place]
    }
}
