//! Layer 0': what can be said of transactions and of what blocks hold.

/// What an audit of a block found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Audit {
    /// The block's hash is that of its bytes.
    pub hashed: bool,
    /// No account holds less than nothing.
    pub covered: bool,
    /// All accounts together hold as much as before the block.
    pub conserved: bool,
}

impl Audit {
    /// Nothing is wrong.
    pub const CLEAN: Self = Self { hashed: true, covered: true, conserved: true };
}

/// Why the ledger refuses a transaction. If several reasons hold, it is the first of this list.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Refusal {
    /// The signature is not the sender's.
    BadSignature,
    /// The block it names is not among the recent ones.
    Expired,
    /// The ledger holds it already.
    Repeated,
    /// The sender's or the receiver's account does not exist.
    UnknownAccount,
    /// The sender has less than the amount.
    ShortBalance,
}

impl Refusal {
    /// All reasons in the order of their numbers.
    pub const ALL: [Self; 5] = [
        Self::BadSignature,
        Self::Expired,
        Self::Repeated,
        Self::UnknownAccount,
        Self::ShortBalance,
    ];

    /// Its name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BadSignature => "bad_signature",
            Self::Expired => "expired",
            Self::Repeated => "repeated",
            Self::UnknownAccount => "unknown_account",
            Self::ShortBalance => "short_balance",
        }
    }
}

/// Why a node refuses a whole block. If several reasons hold, it is the first of this list.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Flaw {
    /// The block it stands on is refused.
    Parent,
    /// Its hash is not that of its bytes.
    Hash,
    /// Its proof of history does not follow from its parent's.
    Poh,
    /// The ledger refuses one of its transactions.
    Transactions,
}

impl Flaw {
    /// All reasons in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Parent, Self::Hash, Self::Poh, Self::Transactions];

    /// Its name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Parent => "parent",
            Self::Hash => "hash",
            Self::Poh => "poh",
            Self::Transactions => "transactions",
        }
    }
}

/// Why a transaction does not wait at a node any longer, or never did.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Loss {
    /// It waits there already, or the node's ledger holds it: this copy is not taken in.
    Duplicate,
    /// There was no room: it is not taken in.
    Full,
    /// It made way for a newcomer.
    Evicted,
    /// The block that it names is too old.
    Expired,
    /// The node crashed.
    Crashed,
    /// A block of the node's chain holds it.
    Included,
}

impl Loss {
    /// All reasons in the order of their numbers.
    pub const ALL: [Self; 6] =
        [Self::Duplicate, Self::Full, Self::Evicted, Self::Expired, Self::Crashed, Self::Included];

    /// Its name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Duplicate => "duplicate",
            Self::Full => "full",
            Self::Evicted => "evicted",
            Self::Expired => "expired",
            Self::Crashed => "crashed",
            Self::Included => "included",
        }
    }

    /// Whether the transaction waited at the node until then.
    #[must_use]
    pub const fn waited(self) -> bool {
        !matches!(self, Self::Duplicate | Self::Full)
    }
}

/// A step in the life of a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// A client handed it to the node.
    Submitted {
        /// Bytes on the wire.
        size: u32,
    },
    /// A client had it for the node, which was down, whose inbox was full, or that did not get to
    /// it before it crashed or the run was over.
    Missed {
        /// Bytes on the wire.
        size: u32,
    },
    /// The node took it in: it waits there from now on.
    Received {
        /// Whether the node leads one of the next slots, as many as nodes look ahead.
        leads: bool,
    },
    /// The node sent it on.
    Forwarded {
        /// To so many nodes.
        copies: u32,
        /// Coming leaders whose address the node does not know: somebody else was chosen.
        strangers: u32,
    },
    /// The node put it into a block that it made; it no longer waits there.
    Included {
        /// The block.
        block: u64,
    },
    /// The node's ledger refuses it: it is not taken in.
    Refused(Refusal),
    /// It does not wait at the node any longer, or this copy never did.
    Dropped(Loss),
}

impl Step {
    /// A number for the kind of step and one for what is special about it, for the digest; `None`
    /// for a step that follows from the outcomes of messages.
    pub(super) const fn canonical(self) -> Option<(u64, u64)> {
        match self {
            Self::Submitted { size } => Some((0xE0, size as u64)),
            Self::Received { leads } => Some((0xE1, leads as u64)),
            Self::Forwarded { .. } => None,
            Self::Included { block } => Some((0xE2, block)),
            Self::Refused(reason) => Some((0xE3, reason as u64)),
            Self::Dropped(reason) => Some((0xE4, reason as u64)),
            Self::Missed { size } => Some((0xE5, size as u64)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_stand_at_their_numbers_with_names_of_their_own() {
        let places = |numbers: &[u8]| numbers.iter().copied().eq(0..numbers.len() as u8);
        assert!(places(&Refusal::ALL.map(|reason| reason as u8)));
        assert!(places(&Flaw::ALL.map(|reason| reason as u8)));
        assert!(places(&Loss::ALL.map(|reason| reason as u8)));
        for names in [
            Refusal::ALL.map(Refusal::name).as_mut_slice(),
            Flaw::ALL.map(Flaw::name).as_mut_slice(),
            Loss::ALL.map(Loss::name).as_mut_slice(),
        ] {
            names.sort_unstable();
            assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
        }
    }
}
