//! Layer 0': the words of facts about votes. All lists are closed, and their numbers part of the
//! digest.

/// How firmly a block stands in a node's eyes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Level {
    /// More than 52 % of the stake voted for this block of the slot: it is the one to have, should
    /// its leader have made two.
    Duplicate,
    /// More than two thirds of the stake voted for it last, or for it at all by the classroom's
    /// rules.
    Optimistic,
    /// More than two thirds of the stake rooted it or a block that stands on it.
    Finalized,
}

impl Level {
    /// All levels in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Duplicate, Self::Optimistic, Self::Finalized];

    /// Its name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Duplicate => "duplicate",
            Self::Optimistic => "optimistic",
            Self::Finalized => "finalized",
        }
    }
}

/// Why a validator did not vote for the block that it would build on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Abstention {
    /// A vote in its tower still locks it out.
    LockedOut,
    /// Too little stake stands behind the vote that lies deep enough in its tower.
    Threshold,
    /// Too little stake is locked out of the fork that it voted on last: it stays on that one.
    Switch,
    /// Its own last block has not reached enough of the stake.
    Unpropagated,
    /// It would go back to a block before its last vote, because that one is no candidate any more.
    Rollback,
}

impl Abstention {
    /// All reasons in the order of their numbers.
    pub const ALL: [Self; 5] =
        [Self::LockedOut, Self::Threshold, Self::Switch, Self::Unpropagated, Self::Rollback];

    /// Its name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LockedOut => "locked_out",
            Self::Threshold => "threshold",
            Self::Switch => "switch",
            Self::Unpropagated => "unpropagated",
            Self::Rollback => "rollback",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_and_reason_stands_at_its_number() {
        for (i, level) in Level::ALL.into_iter().enumerate() {
            assert_eq!(level as usize, i);
        }
        for (i, reason) in Abstention::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, i);
        }
    }
}
