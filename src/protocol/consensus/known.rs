//! Protocol layer: the latest vote of every node that this one knows of. A vote that comes is noted
//! at the end of a list and looked at later, together with many others: sorting each in at once
//! would fetch a line of a large table from memory for it.

use super::Latest;
use crate::base::id::NodeId;
use crate::base::slot::Slot;
use crate::protocol::block::BlockId;
use crate::protocol::vote::{Ballots, Vote, VoteId};

/// Votes that are noted before they are looked at.
const MOST: usize = 256;

/// A vote that was noted.
#[derive(Clone, Copy)]
struct Noted {
    vote: VoteId,
    /// Its block was in the chain.
    stands: bool,
}

/// The latest votes of all nodes. What was noted is in it after [`Known::settle`].
pub(super) struct Known {
    /// By whatever way: what goes into blocks.
    heard: Latest,
    /// For which block of the chain: what proves that a fork may be left, and that the node's own
    /// blocks reach others.
    seen: Box<[(Slot, BlockId)]>,
    noted: Vec<Noted>,
}

impl Known {
    pub(super) fn new(nodes: usize) -> Self {
        let seen = vec![(Slot::ZERO, BlockId(0)); nodes].into();
        Self { heard: Latest::new(nodes), seen, noted: Vec::new() }
    }

    /// How many nodes there are.
    pub(super) const fn nodes(&self) -> usize {
        self.seen.len()
    }

    /// A vote came, which is for a block of the chain if it `stands`.
    #[inline]
    pub(super) fn note(&mut self, ballots: &Ballots, vote: &Vote, stands: bool) {
        self.noted.push(Noted { vote: vote.id, stands });
        if self.noted.len() >= MOST {
            self.settle(ballots);
        }
    }

    /// Looks at what was noted, in the order in which it came.
    pub(super) fn settle(&mut self, ballots: &Ballots) {
        let Self { heard, seen, noted } = self;
        for Noted { vote, stands } in noted.drain(..) {
            let vote = ballots.get(vote);
            let newest = heard.of(vote.voter).map(|id| ballots.get(id).slot);
            if newest.is_none_or(|newest| vote.slot > newest) {
                heard.set(vote.voter, vote.id);
            }
            if stands {
                see(&mut seen[vote.voter.index()], vote.slot, vote.block);
            }
        }
    }

    /// These have voted for a block that has joined the chain.
    pub(super) fn see(&mut self, voters: impl Iterator<Item = NodeId>, slot: Slot, block: BlockId) {
        debug_assert!(self.noted.is_empty(), "earlier votes were looked at");
        voters.for_each(|voter| see(&mut self.seen[voter.index()], slot, block));
    }

    /// The latest vote of a node by whatever way.
    pub(super) fn heard(&self, voter: NodeId) -> Option<VoteId> {
        debug_assert!(self.noted.is_empty(), "what was noted was looked at");
        self.heard.of(voter)
    }

    /// The latest votes of all nodes by whatever way, in the order of the voters.
    pub(super) fn all_heard(&self) -> impl Iterator<Item = VoteId> + '_ {
        debug_assert!(self.noted.is_empty(), "what was noted was looked at");
        self.heard.iter()
    }

    /// The latest block of the chain that each node voted for.
    pub(super) fn seen(&self) -> &[(Slot, BlockId)] {
        debug_assert!(self.noted.is_empty(), "what was noted was looked at");
        &self.seen
    }
}

/// Replaces what was seen of a voter by something later.
fn see(seen: &mut (Slot, BlockId), slot: Slot, block: BlockId) {
    if slot > seen.0 {
        *seen = (slot, block);
    }
}
