//! Protocol layer: which votes a leader puts into its block, and whether its blocks reach others.

use super::{Consensus, Style};
use crate::base::id::NodeId;
use crate::base::slot::Slot;
use crate::protocol::block::{Block, BlockId};
use crate::protocol::chain::{Chain, Link};
use crate::protocol::cluster::Cluster;
use crate::protocol::vote::Vote;

/// Blocks of a fork that a vote may be for (Agave: `MAX_ENTRIES` of the slot hashes).
pub(super) const WINDOW: usize = 512;

/// Own blocks that are remembered.
const OWN: usize = 64;

impl Consensus {
    /// The votes that a block upon `parent` can hold, in the order of the voters: for each the
    /// latest that the node knows, if it is for one of the last 512 blocks of this fork and newer
    /// than the voter's last one in it.
    #[must_use]
    pub fn landing(
        &self,
        cluster: &Cluster,
        chain: &Chain,
        link: &Link,
        parent: &Block,
    ) -> Vec<Vote> {
        let recent: Vec<(Slot, BlockId)> =
            chain.path(link.id).take(WINDOW).map(|it| (it.slot(), it.id)).collect();
        let votes = self.heard.iter().map(|id| cluster.ballots.get(id));
        let lands = |vote: &Vote| {
            let last = parent.standings.of(vote.voter).map(|id| cluster.ballots.get(id).slot);
            let found = recent.binary_search_by(|(slot, _)| vote.slot.cmp(slot));
            last.is_none_or(|last| vote.slot > last)
                && found.is_ok_and(|place| recent[place].1 == vote.block)
        };
        votes.filter(lands).collect()
    }

    /// The node has made a block.
    pub fn on_made(&mut self, block: BlockId) {
        self.own.push((block, false));
        if self.own.len() > OWN {
            self.own.remove(0);
        }
    }

    /// Whether a leader may begin a window upon a block: more than a third of the stake has its
    /// last block on that fork, or that is of the same window.
    pub fn may_lead(
        &mut self,
        cluster: &Cluster,
        chain: &Chain,
        head: BlockId,
        (slot, window): (Slot, u32),
    ) -> bool {
        let Some(place) = self.own_upon(chain, head) else { return true };
        let last = chain.link(self.own[place].0).map(Link::slot);
        last.is_some_and(|last| slot.since(last) < window) || self.reaches(cluster, chain, place)
    }

    /// Whether enough of the stake has the node's last block on the fork of this one.
    pub(super) fn is_propagated(
        &mut self,
        cluster: &Cluster,
        chain: &Chain,
        block: BlockId,
    ) -> bool {
        self.own_upon(chain, block).is_none_or(|place| self.reaches(cluster, chain, place))
    }

    /// The node's latest block on the fork of this one, where that matters.
    fn own_upon(&self, chain: &Chain, block: BlockId) -> Option<usize> {
        let checks = self.config.propagation && self.config.style == Style::Tower;
        let upon = |(own, _): &(BlockId, bool)| chain.leads_to(*own, block);
        self.own.iter().rposition(upon).filter(|_| checks)
    }

    fn reaches(&mut self, cluster: &Cluster, chain: &Chain, place: usize) -> bool {
        let (own, reached) = self.own[place];
        if !reached {
            let slot = chain.link(own).map_or(Slot::ZERO, Link::slot);
            let stakes = cluster.electorate.at(slot);
            let seen = self.seen.iter().enumerate();
            let upon = seen.filter(|(_, seen)| seen.0 >= slot && chain.leads_to(own, seen.1));
            let stake = upon.map(|(voter, _)| stakes.of(NodeId::from_index(voter))).sum();
            self.own[place].1 = stakes.exceeds(stake, (1, 3));
        }
        self.own[place].1
    }
}
