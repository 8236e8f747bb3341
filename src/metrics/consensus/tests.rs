//! Metrics layer, tests only: the collector of consensus, facts in, rows and figures out.

use super::super::chain::{Chain, Standing};
use crate::base::slot::Slot;
use crate::base::time::Time;

/// Blocks 1 <- 2 <- 3 and 2 <- 4 <- 5 with their numbers as hashes, in slots of their numbers, and
/// made at their numbers, thousandfold.
pub(super) fn forked() -> Chain {
    let mut chain = Chain::new(1);
    for (block, parent, height) in [(1, 99, 1), (2, 1, 2), (3, 2, 3), (4, 2, 3), (5, 4, 4)] {
        let (at, slot) = (Time::from_nanos(block * 1_000), Slot::new(block as u32));
        chain.on_made((at, slot), (block, parent), height);
    }
    chain
}

/// How these blocks stand if 3 is the end of the winning chain.
pub(super) const CANONICAL_3: [Standing; 5] = [
    Standing::Canonical,
    Standing::Canonical,
    Standing::Canonical,
    Standing::Losing,
    Standing::Losing,
];
