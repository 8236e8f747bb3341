//! Protocol layer: what adversaries do, when and which nodes, resolved.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::id::{NodeId, NodeSet};
use crate::base::quantity::Chance;
use crate::base::time::{Span, Time};
use crate::fact::Lie;

/// What is wrong with a block that a liar makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Forgery {
    /// It holds a transaction with a forged signature.
    #[default]
    Transactions,
    /// Its hash is not that of its bytes.
    Hash,
    /// It is for the next slot that somebody else leads.
    Leader,
}

/// Which shreds a liar does something to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Those of its own blocks.
    Own,
    /// Those that it should pass on.
    Relayed,
    /// All that it should send.
    #[default]
    All,
}

impl Scope {
    /// Whether it means the shreds of a block of its own, or of another leader.
    #[must_use]
    pub const fn concerns(self, own: bool) -> bool {
        match self {
            Self::Own => own,
            Self::Relayed => !own,
            Self::All => true,
        }
    }
}

/// What is in the transactions of a flood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Spam {
    /// Their signatures are forged.
    #[default]
    Invalid,
    /// They are valid and move nothing from the liar's own account.
    Dust,
}

/// Whom the false entries of a liar are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum About {
    /// Other nodes, which have not signed them: whoever gets one refuses it.
    #[default]
    Others,
    /// The liar itself, signed by it, with the address of a node drawn at random for its own.
    /// Whoever gets one asks at that address first, is answered by somebody else, and refuses it.
    Itself,
}

/// What an adversary does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conduct {
    /// Makes two blocks for one slot.
    Equivocate {
        /// Who gets the second.
        to: Arc<NodeSet>,
    },
    /// Keeps shreds to itself.
    WithholdShreds {
        /// The share of the shreds.
        share: Chance,
        /// Which ones.
        of: Scope,
        /// Whether it answers requests for shreds all the same.
        answers: bool,
    },
    /// Sends shreds late.
    DelayShreds {
        /// By so much.
        by: Span,
        /// Which ones.
        of: Scope,
    },
    /// Floods leaders with transactions.
    Spam {
        /// Time from one to the next.
        every: Span,
        /// What is in them.
        content: Spam,
        /// Bytes of further data in each.
        data: u32,
    },
    /// Spreads false entries of validators.
    LieInGossip {
        /// Time from one round to the next.
        every: Span,
        /// To how many peers in each.
        fanout: u32,
        /// Bytes of each.
        size: u16,
        /// Whom they are about.
        about: About,
    },
    /// Floods nodes with announcements.
    FloodPeers {
        /// Time from one round to the next.
        every: Span,
        /// To how many nodes in each.
        fanout: u32,
        /// Whom it floods, in turn.
        to: Arc<[NodeId]>,
    },
    /// Makes blocks that nobody accepts.
    InvalidBlocks {
        /// What is wrong with them.
        forgery: Forgery,
    },
    /// Makes blocks with a false proof of history.
    BadPoh,
    /// Votes on every fork.
    DoubleVote,
    /// Neither votes nor leads.
    Silent,
    /// Leads and does not vote.
    WithholdVotes,
}

/// An entry of the scenario's list of adversaries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its place in the list.
    pub place: u32,
    /// Which nodes.
    pub nodes: Arc<NodeSet>,
    /// What they do.
    pub conduct: Conduct,
    /// From when on.
    pub begin: Time,
    /// Until when, that moment not included; `None` for ever.
    pub end: Option<Time>,
}

impl Role {
    /// Whether it is in force.
    #[must_use]
    pub fn is_active(&self, now: Time) -> bool {
        self.begin <= now && self.end.is_none_or(|end| now < end)
    }

    /// Time from one act to the next, for what is done by the clock.
    #[must_use]
    pub const fn interval(&self) -> Option<Span> {
        match self.conduct {
            Conduct::Spam { every, .. }
            | Conduct::LieInGossip { every, .. }
            | Conduct::FloodPeers { every, .. } => Some(every),
            _ => None,
        }
    }

    /// The kind of what it does.
    #[must_use]
    pub const fn lie(&self) -> Lie {
        match self.conduct {
            Conduct::Equivocate { .. } => Lie::Equivocate,
            Conduct::WithholdShreds { .. } => Lie::WithholdShreds,
            Conduct::DelayShreds { .. } => Lie::DelayShreds,
            Conduct::Spam { .. } => Lie::Spam,
            Conduct::LieInGossip { .. } => Lie::LieInGossip,
            Conduct::FloodPeers { .. } => Lie::FloodPeers,
            Conduct::InvalidBlocks { .. } => Lie::InvalidBlocks,
            Conduct::BadPoh => Lie::BadPoh,
            Conduct::DoubleVote => Lie::DoubleVote,
            Conduct::Silent => Lie::Silent,
            Conduct::WithholdVotes => Lie::WithholdVotes,
        }
    }
}
