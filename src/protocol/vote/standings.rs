//! Protocol layer: what the votes in a block and its ancestors amount to: the same for every node
//! that has the block, so worked out once, when it is made.

use super::{Ballots, Vote, VoteId};
use crate::base::id::NodeId;
use crate::base::slot::Slot;
use crate::protocol::electorate::Electorate;

/// The votes that have landed on a fork up to a block, and what follows from them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Standings {
    /// The latest vote of each node, by its number; empty where there are no votes.
    landed: Box<[u32]>,
    /// Slots and the stake that stands for them or for something upon them, newest first.
    supported: Vec<(Slot, u64)>,
    finalized: Slot,
}

/// No vote.
const NONE: u32 = u32::MAX;

impl Standings {
    /// Those of the genesis block.
    #[must_use]
    pub fn genesis(nodes: usize) -> Self {
        let landed = vec![NONE; nodes].into();
        Self { landed, supported: Vec::new(), finalized: Slot::ZERO }
    }

    /// Those of a block of `slot` that brings `votes`, upon its parent's.
    #[must_use]
    pub fn upon(
        parent: &Self,
        slot: Slot,
        votes: &[Vote],
        ballots: &Ballots,
        electorate: &Electorate,
    ) -> Self {
        let mut landed = parent.landed.clone();
        for vote in votes {
            landed[vote.voter.index()] = vote.id.0;
        }
        let mut standings = Self { landed, supported: Vec::new(), finalized: parent.finalized };
        if electorate.counts() {
            standings.count(slot, ballots, electorate);
        }
        standings
    }

    fn count(&mut self, slot: Slot, ballots: &Ballots, electorate: &Electorate) {
        let stakes = electorate.at(slot);
        let mut roots = Vec::new();
        let mut supported = Vec::new();
        for (voter, id) in self.votes() {
            let stake = stakes.of(voter);
            if let Some(left) = ballots.left_at(id, slot) {
                add(&mut supported, left, stake);
            }
            add(&mut roots, ballots.get(id).root, stake);
        }
        for list in [&mut supported, &mut roots] {
            list.sort_unstable_by_key(|(slot, _)| std::cmp::Reverse(*slot));
            let mut above = 0;
            for (_, stake) in list {
                above += *stake;
                *stake = above;
            }
        }
        let rooted = roots.iter().find(|(_, stake)| stakes.exceeds(*stake, (2, 3)));
        self.supported = supported;
        self.finalized = self.finalized.max(rooted.map_or(Slot::ZERO, |(root, _)| *root));
    }

    /// The latest vote of a node that has landed on this fork.
    #[must_use]
    pub fn of(&self, voter: NodeId) -> Option<VoteId> {
        self.landed.get(voter.index()).filter(|id| **id != NONE).map(|id| VoteId(*id))
    }

    /// All of them, in the order of the voters.
    pub fn votes(&self) -> impl Iterator<Item = (NodeId, VoteId)> + '_ {
        let all = self.landed.iter().enumerate().filter(|(_, id)| **id != NONE);
        all.map(|(voter, id)| (NodeId::from_index(voter), VoteId(*id)))
    }

    /// The stake of those voters whose tower, after a vote for this block, has its newest entry
    /// but that vote at this slot or upon it (fact sheet, section 6.2). A slot of another fork has
    /// none of its own, so ask for ancestors only.
    #[must_use]
    pub fn support(&self, slot: Slot) -> u64 {
        let upon = self.supported.iter().take_while(|(supported, _)| *supported >= slot);
        upon.last().map_or(0, |(_, stake)| *stake)
    }

    /// The newest slot that voters with more than two thirds of the stake have rooted.
    #[must_use]
    pub const fn finalized(&self) -> Slot {
        self.finalized
    }
}

/// Few slots are voted for at a time, so a list is searched faster than a map.
fn add(list: &mut Vec<(Slot, u64)>, slot: Slot, stake: u64) {
    match list.iter_mut().find(|(listed, _)| *listed == slot) {
        Some((_, sum)) => *sum += stake,
        None => list.push((slot, stake)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::NodeMap;
    use crate::protocol::block::BlockId;
    use crate::protocol::tower::Tower;

    /// Votes of a voter for slots in a row, with a root.
    fn cast(ballots: &mut Ballots, voter: u32, slots: &[u32], root: u32) -> Vote {
        let mut tower = Tower::default();
        slots.iter().for_each(|slot| {
            tower.vote(Slot::new(*slot));
        });
        let last = Slot::new(*slots.last().expect("a slot"));
        let block = (last, BlockId(last.number().into()));
        ballots.cast(NodeId::new(voter), block, Slot::new(root), &tower).expect("room")
    }

    #[test]
    fn support_is_counted_below_the_simulated_vote_and_roots_by_stake() {
        let electorate = Electorate::new(NodeMap::from_vec(vec![10, 20, 30, 40]));
        let mut ballots = Ballots::default();
        let votes = [
            cast(&mut ballots, 0, &[1, 2, 3], 1),
            // The vote for 5 ends at 7; at 8 the one for 4 is left, which ends at 8.
            cast(&mut ballots, 1, &[4, 5], 2),
            cast(&mut ballots, 2, &[7], 5),
        ];
        let genesis = Standings::genesis(4);
        let block = Standings::upon(&genesis, Slot::new(8), &votes, &ballots, &electorate);
        // Voter 0: 3 ends at 5, 2 at 6, 1 at 9: slot 1 is left.
        let support: Vec<u64> = [8, 7, 6, 4, 3, 1, 0].map(|s| block.support(Slot::new(s))).into();
        assert_eq!(support, [0, 30, 30, 50, 50, 60, 60]);
        // 30 of 100 rooted 5, 50 rooted 2, 60 rooted 1: none more than two thirds.
        assert_eq!(block.finalized(), Slot::ZERO);
        let last = [cast(&mut ballots, 3, &[8], 3)];
        let next = Standings::upon(&block, Slot::new(9), &last, &ballots, &electorate);
        // Now 70 rooted 3 or later, 90 2 or later.
        assert_eq!(next.finalized(), Slot::new(3));
        assert_eq!(next.of(NodeId::new(1)), Some(votes[1].id));
        assert_eq!(block.of(NodeId::new(3)), None);
        assert_eq!(next.votes().count(), 4);
    }
}
