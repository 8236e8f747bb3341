//! Scenario layer: `[[adversaries]]`, who lies, and how, as written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::quantity::{Bytes, Chance};
use crate::base::time::Span;
use crate::protocol::adversary::{About, Forgery, Scope, Spam};
use crate::scenario::population::selector::Selector;

/// When an adversary is at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TermConfig {
    /// When it begins.
    pub from: Span,
    /// When it ends.
    pub until: Option<Span>,
    /// Whether it may never come to act.
    pub may_miss: bool,
}

/// Writes the enum with the keys that every kind shares repeated in each variant: serde can flatten
/// a struct of them or refuse unknown keys, but not both.
macro_rules! adversaries {
    ($(
        $(#[$doc:meta])*
        $variant:ident $name:literal {
            $( $(#[$field_doc:meta])* $field:ident: $type:ty, )*
        }
    )*) => {
        /// Nodes that do not follow the rules (`[[adversaries]]`). A node may be named by several:
        /// it then does all of it. The same choice of nodes that is drawn, such as `stake:20%`,
        /// names the same nodes in every entry. One that never came to act fails the run unless it
        /// says `may_miss = true`.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(tag = "does", rename_all = "kebab-case", deny_unknown_fields)]
        pub enum AdversaryConfig {
            $(
                $(#[$doc])*
                $variant {
                    /// Which nodes.
                    who: Selector,
                    /// When they begin, by their own clocks.
                    #[serde(default)]
                    from: Span,
                    /// When they begin to follow the rules again, by their own clocks. Without this
                    /// they never do.
                    #[serde(default, skip_serializing_if = "Option::is_none")]
                    until: Option<Span>,
                    /// Whether they may never come to act without failing the run.
                    #[serde(default)]
                    may_miss: bool,
                    $( $(#[$field_doc])* $field: $type, )*
                },
            )*
        }

        impl AdversaryConfig {
            /// What it does, as written.
            #[must_use]
            pub const fn does(&self) -> &'static str {
                match self { $( Self::$variant { .. } => $name, )* }
            }

            /// Which nodes.
            #[must_use]
            pub const fn who(&self) -> &Selector {
                match self { $( Self::$variant { who, .. } => who, )* }
            }

            /// When it is at work.
            #[must_use]
            pub const fn term(&self) -> TermConfig {
                match *self {
                    $( Self::$variant { from, until, may_miss, .. } => {
                        TermConfig { from, until, may_miss }
                    } )*
                }
            }
        }
    };
}

adversaries! {
    /// In every slot that they lead they make two blocks: one goes down the tree, the other
    /// straight to some of the nodes. Proofs spread by Solana's gossip, or without it as a shred of
    /// each sent to all peers. A slot with two blocks is no candidate until more than 52 % of the
    /// stake have voted for one of them. Where votes are split so evenly that neither gets that,
    /// each half leaves its version with more than 38 % of the stake elsewhere, for which the votes
    /// for the other version count, and a block beside both goes on. (Agave, which counts only
    /// votes for blocks that a node has, promises that for 10 % of the stake or less:
    /// `DUPLICATE_LIVENESS_THRESHOLD`.)
    Equivocate "equivocate" {
        /// Who gets the second block.
        #[serde(default = "half")]
        to: Selector,
    }
    /// They keep shreds to themselves that they should send.
    WithholdShreds "withhold-shreds" {
        /// The share of the shreds that they keep.
        #[serde(default = "always")]
        share: Chance,
        /// Which shreds.
        #[serde(default)]
        of: Scope,
        /// Whether they answer requests for shreds all the same.
        #[serde(default)]
        answers: bool,
    }
    /// They send shreds late.
    DelayShreds "delay-shreds" {
        /// How late.
        by: Span,
        /// Which shreds.
        #[serde(default)]
        of: Scope,
    }
    /// They flood the coming leaders with transactions.
    Spam "spam" {
        /// Transactions of each node per second.
        #[serde(default = "hundred")]
        #[schemars(range(min = 1, max = 1_000_000))]
        per_second: u32,
        /// What is in them.
        #[serde(default)]
        content: Spam,
        /// Bytes of each beside its own 180, at most 1,052.
        #[serde(default)]
        data: Bytes,
    }
    /// They send false entries: about validators that have not signed them, with false stakes and
    /// addresses, or about themselves, with the address of somebody else.
    LieInGossip "lie-in-gossip" {
        /// Time from one round to the next.
        #[serde(default = "second")]
        every: Span,
        /// To how many of its peers a node sends one in each round.
        #[serde(default = "three")]
        #[schemars(range(min = 1))]
        fanout: u32,
        /// Whom the entries are about.
        #[serde(default)]
        about: About,
    }
    /// They announce themselves to nodes again and again, to take up all the room that these have
    /// for peers, and name nobody but each other to those who ask for peers.
    FloodPeers "flood-peers" {
        /// Time from one round to the next.
        #[serde(default = "second")]
        every: Span,
        /// To how many nodes in each round, one after the other in turn.
        #[serde(default = "ten")]
        #[schemars(range(min = 1))]
        fanout: u32,
        /// Whom they flood.
        #[serde(default = "everyone")]
        to: Selector,
    }
    /// They make blocks that no honest node accepts, one in every slot that they lead.
    InvalidBlocks "invalid-blocks" {
        /// What is wrong with them.
        #[serde(default)]
        flaw: Forgery,
    }
    /// They make blocks whose proof of history does not follow from the parent's.
    BadPoh "bad-poh" {}
    /// They vote on every fork, whatever their towers forbid, and tell every node the vote for the
    /// fork that it is on itself. On a cluster without forks they have nothing to do, and the run
    /// fails as with every adversary that never acted: let a partition make some.
    DoubleVote "double-vote" {}
    /// They neither vote nor make blocks; they still pass on what others send.
    Silent "silent" {}
    /// They make blocks and do not vote.
    WithholdVotes "withhold-votes" {}
}

/// Half of the nodes, drawn from the seed.
fn half() -> Selector {
    Selector::RandomShare(Chance::from_ppb(500_000_000).unwrap_or(Chance::ALWAYS))
}

const fn hundred() -> u32 {
    100
}

const fn ten() -> u32 {
    10
}

const fn three() -> u32 {
    3
}

const fn second() -> Span {
    Span::from_secs(1)
}

const fn everyone() -> Selector {
    Selector::All
}

const fn always() -> Chance {
    Chance::ALWAYS
}
