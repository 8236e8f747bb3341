//! Protocol layer: which votes a leader puts into its block.

use super::Consensus;
use crate::base::slot::Slot;
use crate::protocol::block::{Block, BlockId};
use crate::protocol::chain::{Chain, Link};
use crate::protocol::cluster::Cluster;
use crate::protocol::vote::Vote;

/// Blocks of a fork that a vote may be for (Agave: `MAX_ENTRIES` of the slot hashes).
pub(super) const WINDOW: usize = 512;

impl Consensus {
    /// The votes that a block upon `parent` can hold, in the order of the voters: for each the
    /// latest that the node knows, if it is for one of the last 512 blocks of this fork and newer
    /// than the voter's last one in it.
    #[must_use]
    pub fn landing(
        &mut self,
        cluster: &Cluster,
        chain: &Chain,
        link: &Link,
        parent: &Block,
    ) -> Vec<Vote> {
        let recent: Vec<(Slot, BlockId)> =
            chain.path(link.id).take(WINDOW).map(|it| (it.slot(), it.id)).collect();
        self.known.settle(&cluster.ballots);
        let votes = self.known.all_heard().map(|id| cluster.ballots.get(id));
        let lands = |vote: &Vote| {
            let last = parent.standings.of(vote.voter).map(|id| cluster.ballots.get(id).slot);
            let found = recent.binary_search_by(|(slot, _)| vote.slot.cmp(slot));
            last.is_none_or(|last| vote.slot > last)
                && found.is_ok_and(|place| recent[place].1 == vote.block)
        };
        votes.filter(lands).collect()
    }
}
