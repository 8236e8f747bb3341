//! Protocol layer: what every node may know for free: public facts of the cluster that are the same
//! for all nodes. No node's private state is ever here.

use super::block::Block;
use super::crds::Shared;
use super::electorate::Electorate;
use super::ledger::Accounts;
use super::price::Prices;
use super::rumor::Rules;
use super::schedule::Schedule;
use super::turbine::tree::{Branch, Trees};
use super::vote::{Ballots, Vote};
use crate::base::id::{NodeId, NodeMap};
use crate::base::rng::Seed;
use crate::crypto::Suite;

/// Public knowledge of a run.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// The seed of the run, for the streams that parts draw from.
    pub seed: Seed,
    /// Stake of each node; zero for observers.
    pub stakes: NodeMap<u64>,
    /// 32 bytes that tell a node from all others.
    pub identities: NodeMap<[u8; 32]>,
    /// The rules of each stream of rumors.
    pub rumors: Vec<Rules>,
    /// Who leads which slot.
    pub schedule: Schedule,
    /// The trees of shreds; `None` if nodes choose among their own peers instead.
    pub trees: Option<Trees>,
    /// Whom a node is about to send a shred to; kept for its room.
    pub branches: Vec<Branch>,
    /// The block that all nodes begin with, and the state of the ledger at that.
    pub genesis: Block,
    /// Who the accounts belong to.
    pub accounts: Accounts,
    /// How signatures are made and checked.
    pub crypto: Suite,
    /// What operations cost.
    pub prices: Prices,
    /// Who may vote with how much stake.
    pub electorate: Electorate,
    /// All votes of the run.
    pub ballots: Ballots,
    /// Votes that a message of gossip has just brought; kept for its room.
    pub arrived: Vec<Vote>,
    /// What all nodes share of gossip by Solana's rules; `None` if there is none.
    pub crds: Option<Box<Shared>>,
}

impl Cluster {
    /// Number of nodes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.stakes.len()
    }

    /// Whether there is no node.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.stakes.is_empty()
    }

    /// Whether a node has stake.
    #[must_use]
    pub fn is_validator(&self, node: NodeId) -> bool {
        self.stakes[node] > 0
    }
}
