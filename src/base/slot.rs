//! Base layer: slots, the numbered stretches of time in each of which one leader may make a block.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A slot's number, from zero. A run has fewer than 2^32 slots; the scenario reader refuses more.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Slot(u32);

impl Slot {
    /// The first slot.
    pub const ZERO: Self = Self(0);

    /// The slot with this number.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }

    /// The slot after it.
    ///
    /// # Panics
    /// After the last of all slots, which no run reaches.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.checked_add(1).expect("a run has fewer than 2^32 slots"))
    }

    /// The slot so many later, at most the last of all.
    #[must_use]
    pub const fn plus(self, slots: u32) -> Self {
        Self(self.0.saturating_add(slots))
    }

    /// The slot so many earlier, at least the first.
    #[must_use]
    pub const fn minus(self, slots: u32) -> Self {
        Self(self.0.saturating_sub(slots))
    }

    /// How many slots it lies behind an earlier one; zero if that is not earlier.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u32 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slot {}", self.0)
    }
}
