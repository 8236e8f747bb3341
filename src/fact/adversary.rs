//! Layer 0': the words of facts about adversaries. All lists are closed, and their numbers part of
//! the digest.

/// What an adversary does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Lie {
    /// It makes two blocks for one slot.
    Equivocate,
    /// It keeps shreds to itself that it should send.
    WithholdShreds,
    /// It sends shreds late.
    DelayShreds,
    /// It makes blocks that the ledger, their hash or the schedule speaks against.
    InvalidBlocks,
    /// It makes blocks whose proof of history does not follow from the parent's.
    BadPoh,
    /// It votes on every fork.
    DoubleVote,
    /// It neither votes nor leads.
    Silent,
    /// It leads and does not vote.
    WithholdVotes,
    /// It floods leaders with transactions.
    Spam,
    /// It spreads false entries of validators.
    LieInGossip,
    /// It floods nodes with announcements of peers.
    FloodPeers,
}

impl Lie {
    /// All kinds in the order of their numbers.
    pub const ALL: [Self; 11] = [
        Self::Equivocate,
        Self::WithholdShreds,
        Self::DelayShreds,
        Self::InvalidBlocks,
        Self::BadPoh,
        Self::DoubleVote,
        Self::Silent,
        Self::WithholdVotes,
        Self::Spam,
        Self::LieInGossip,
        Self::FloodPeers,
    ];

    /// Its name in tables and scenarios.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Equivocate => "equivocate",
            Self::WithholdShreds => "withhold-shreds",
            Self::DelayShreds => "delay-shreds",
            Self::InvalidBlocks => "invalid-blocks",
            Self::BadPoh => "bad-poh",
            Self::DoubleVote => "double-vote",
            Self::Silent => "silent",
            Self::WithholdVotes => "withhold-votes",
            Self::Spam => "spam",
            Self::LieInGossip => "lie-in-gossip",
            Self::FloodPeers => "flood-peers",
        }
    }
}

/// What a node caught another at, beside blocks that it refused and proofs of two blocks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Offence {
    /// A shred of a block whose maker does not lead its slot: it is not taken in.
    WrongLeader,
    /// Two votes of which one breaks what the other promised: for two blocks of a slot, or without
    /// an entry of its tower that had not expired.
    DoubleVote,
    /// An entry that the validator which it is about has not signed: it is not taken in.
    FalseEntry,
    /// An entry of a node about itself that names an address where another node answers: it is not
    /// taken in.
    FalseAddress,
}

impl Offence {
    /// All kinds in the order of their numbers.
    pub const ALL: [Self; 4] =
        [Self::WrongLeader, Self::DoubleVote, Self::FalseEntry, Self::FalseAddress];

    /// Its name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::WrongLeader => "wrong_leader",
            Self::DoubleVote => "double_vote",
            Self::FalseEntry => "false_entry",
            Self::FalseAddress => "false_address",
        }
    }
}

/// Numbers of transactions from here on are those of spam, which no workload counts: the eight bits
/// below tell the adversary's place in the scenario, the rest count its transactions.
pub const SPAM: u32 = 1 << 31;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_stands_at_its_number() {
        for (i, lie) in Lie::ALL.into_iter().enumerate() {
            assert_eq!(lie as usize, i);
        }
        for (i, offence) in Offence::ALL.into_iter().enumerate() {
            assert_eq!(offence as usize, i);
        }
    }
}
