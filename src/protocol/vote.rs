//! Protocol layer: votes, kept once for the whole cluster, and what the votes in the blocks of a
//! fork amount to, worked out once per block. A node uses of a vote only what a message or a block
//! that it has received would tell it.

mod standings;

pub use self::standings::Standings;

use std::collections::BTreeMap;

use super::block::BlockId;
use super::content::mix;
use super::tower::{Lockout, Tower};
use crate::base::id::NodeId;
use crate::base::slot::Slot;

/// Bytes of a vote as a transaction of one signer: in a message and in a block (fact sheet of
/// Agave 4.4, section 6.9).
pub const VOTE_BYTES: u32 = 352;

/// Names a vote of the run, in the order in which they were cast.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct VoteId(pub u32);

/// A vote: for a block, and so for everything that it stands on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Vote {
    /// Its name.
    pub id: VoteId,
    /// Whose.
    pub voter: NodeId,
    /// The slot of the block.
    pub slot: Slot,
    /// The block.
    pub block: BlockId,
    /// The voter's root at that time.
    pub root: Slot,
}

impl Vote {
    /// A number that depends on the content alone.
    #[must_use]
    pub fn content(&self) -> u64 {
        let who = u64::from(self.voter.number()) << 32 | u64::from(self.slot.number());
        mix(mix(who) ^ self.block.0)
    }

    /// What a block's hash is made of: voter (4), slot (4), block (8) and root (4), little-endian.
    #[must_use]
    pub fn canonical_bytes(&self) -> [u8; 20] {
        let mut bytes = [0; 20];
        bytes[0..4].copy_from_slice(&self.voter.number().to_le_bytes());
        bytes[4..8].copy_from_slice(&self.slot.number().to_le_bytes());
        bytes[8..16].copy_from_slice(&self.block.0.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.root.number().to_le_bytes());
        bytes
    }
}

/// Entries of a tower for slots in a row, each with one confirmation less than the one before.
#[derive(Clone, Copy, Debug)]
struct Row {
    first: Lockout,
    length: u8,
}

/// All votes of the run, each with the tower that it carries.
#[derive(Clone, Debug, Default)]
pub struct Ballots {
    votes: Vec<(Vote, u32)>,
    /// The towers, one after the other; a vote knows where its own begins, and it ends where the
    /// next one's does.
    rows: Vec<Row>,
    /// The last vote of every node that has cast one.
    last: Vec<Option<VoteId>>,
    /// Votes that another one of the same voter speaks against, and the first such one.
    contradicted: BTreeMap<VoteId, VoteId>,
}

impl Ballots {
    /// Most votes of a run: some 3 GB. The scenario reader refuses runs that could pass it.
    pub const MOST: usize = 50_000_000;

    /// Keeps a new vote with the tower after it; `None` beyond [`Ballots::MOST`].
    pub fn cast(
        &mut self,
        voter: NodeId,
        (slot, block): (Slot, BlockId),
        root: Slot,
        tower: &Tower,
    ) -> Option<Vote> {
        if self.votes.len() >= Self::MOST {
            return None;
        }
        let id = VoteId(self.votes.len() as u32);
        let vote = Vote { id, voter, slot, block, root };
        let begin = self.rows.len();
        for entry in tower.entries() {
            let joins = |row: &Row| {
                row.first.slot.plus(row.length.into()) == entry.slot
                    && row.first.confirmations == entry.confirmations + row.length
            };
            match self.rows[begin..].last_mut() {
                Some(row) if joins(row) => row.length += 1,
                _ => self.rows.push(Row { first: *entry, length: 1 }),
            }
        }
        self.votes.push((vote, begin as u32));
        self.compare(&vote);
        Some(vote)
    }

    /// Notes whether a new vote and the one that its voter cast before speak against each other.
    fn compare(&mut self, vote: &Vote) {
        let place = vote.voter.index();
        if self.last.len() <= place {
            self.last.resize(place + 1, None);
        }
        let Some(before) = self.last[place].replace(vote.id) else { return };
        if self.contradict(before, vote.id) {
            self.contradicted.insert(vote.id, before);
            self.contradicted.entry(before).or_insert(vote.id);
        }
    }

    /// Whether no honest voter casts both of two votes: they are for two blocks of a slot, or the
    /// tower of the one for the later slot lacks an entry that the other one's promises to keep
    /// until after that slot. What lies before the later one's root counts as kept.
    fn contradict(&self, one: VoteId, other: VoteId) -> bool {
        let (one, other) = (self.get(one), self.get(other));
        if one.slot == other.slot {
            return one.block != other.block;
        }
        let (early, late) = if one.slot < other.slot { (one, other) } else { (other, one) };
        let mut kept = self.entries(late.id).map(|entry| entry.slot).peekable();
        let locked = |entry: &Lockout| entry.last_locked() >= u64::from(late.slot.number());
        let mut promised = self.entries(early.id).filter(locked);
        // Both run from the newest entry to the oldest.
        !promised.all(|entry| {
            while kept.next_if(|slot| *slot > entry.slot).is_some() {}
            entry.slot <= late.root || kept.peek() == Some(&entry.slot)
        })
    }

    /// A vote of the same voter that speaks against this one, if there is any in the run.
    #[must_use]
    pub fn contradicted(&self, vote: VoteId) -> Option<VoteId> {
        self.contradicted.get(&vote).copied()
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.votes.len()
    }

    /// Whether nobody has voted yet.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.votes.is_empty()
    }

    /// The vote of this name.
    #[must_use]
    pub fn get(&self, id: VoteId) -> Vote {
        self.votes[id.0 as usize].0
    }

    fn rows(&self, id: VoteId) -> &[Row] {
        let place = id.0 as usize;
        let end = self.votes.get(place + 1).map_or(self.rows.len(), |next| next.1 as usize);
        &self.rows[self.votes[place].1 as usize..end]
    }

    /// The entries of the tower that a vote carries, the newest first.
    pub fn entries(&self, id: VoteId) -> impl Iterator<Item = Lockout> + '_ {
        self.rows(id).iter().rev().flat_map(|row| {
            (0..row.length).rev().map(|i| Lockout {
                slot: row.first.slot.plus(i.into()),
                confirmations: row.first.confirmations - i,
            })
        })
    }

    /// The newest entry of a vote's tower that a vote for a slot would leave in place.
    #[must_use]
    pub fn left_at(&self, id: VoteId, slot: Slot) -> Option<Slot> {
        let stays = |entry: &Lockout| entry.last_locked() >= u64::from(slot.number());
        self.entries(id).find(stays).map(|entry| entry.slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vote_carries_its_tower_whatever_its_shape() {
        let mut ballots = Ballots::default();
        let mut tower = Tower::default();
        let mut expected = Vec::new();
        // Gaps of many lengths: every shape of rows.
        let slots = [1, 2, 3, 4, 9, 10, 11, 30, 31, 33, 34, 35, 200, 201, 202, 203, 204, 205];
        for slot in slots.map(Slot::new) {
            tower.vote(slot);
            let vote = ballots.cast(NodeId::new(3), (slot, BlockId(7)), Slot::ZERO, &tower);
            expected.push((vote.map(|vote| vote.id), tower));
        }
        for (id, tower) in expected {
            let id = id.expect("there is room");
            let kept: Vec<Lockout> = ballots.entries(id).collect();
            let entries: Vec<Lockout> = tower.entries().iter().rev().copied().collect();
            assert_eq!(kept, entries);
            for slot in 0..300 {
                let mut left = tower;
                left.expire(Slot::new(slot));
                let newest = left.last().map(|entry| entry.slot);
                assert_eq!(ballots.left_at(id, Slot::new(slot)), newest);
            }
        }
    }

    #[test]
    fn what_a_vote_says_enters_its_content_and_its_number_does_not() {
        let vote = Vote {
            id: VoteId(1),
            voter: NodeId::new(2),
            slot: Slot::new(3),
            block: BlockId(4),
            root: Slot::new(0),
        };
        let others = [
            Vote { voter: NodeId::new(9), ..vote },
            Vote { slot: Slot::new(9), ..vote },
            Vote { block: BlockId(9), ..vote },
        ];
        for other in others {
            assert_ne!(other.content(), vote.content());
            assert_ne!(other.canonical_bytes(), vote.canonical_bytes());
        }
        assert_eq!(Vote { id: VoteId(5), ..vote }.content(), vote.content());
    }
}
