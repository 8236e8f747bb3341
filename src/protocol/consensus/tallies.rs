//! Protocol layer: who has voted for which block, in one node's eyes.

use crate::base::id::NodeId;
use crate::base::slot::Slot;
use crate::fact::Level;
use crate::protocol::block::BlockId;
use crate::protocol::chain::Chain;
use crate::protocol::vote::Vote;

/// The votes for a block.
struct Tally {
    slot: Slot,
    block: BlockId,
    /// A bit for each voter.
    voters: Box<[u64]>,
    stake: u64,
    /// Which levels it has reached, by their numbers.
    told: [bool; Level::ALL.len()],
    /// Whether the block was in the chain, and in which edition of that.
    stood: Option<(u32, bool)>,
}

/// A vote that counts from now on.
pub(super) struct Counted {
    /// The place of its block among the others, until the next call that changes anything.
    pub(super) place: usize,
    /// The stake behind its block.
    pub(super) sum: u64,
}

impl Tally {
    fn voters(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.voters.iter().enumerate().flat_map(|(word, bits)| {
            let set = (0..64).filter(move |bit| bits >> bit & 1 == 1);
            set.map(move |bit| NodeId::from_index(word * 64 + bit))
        })
    }

    fn holds(&self, voter: NodeId) -> bool {
        self.voters[voter.index() / 64] >> (voter.index() % 64) & 1 == 1
    }
}

/// Blocks with votes, above the root. The newest stand last, where most votes go.
pub(super) struct Tallies {
    list: Vec<Tally>,
    words: usize,
}

/// Most blocks whose votes are told apart; beyond it those of the earliest slot are forgotten. An
/// hour of slots of 400 ms without a root.
const MOST: usize = 9_000;

impl Tallies {
    pub(super) fn new(nodes: usize) -> Self {
        Self { list: Vec::new(), words: nodes.div_ceil(64) }
    }

    fn place(&self, slot: Slot, block: BlockId) -> Option<usize> {
        self.list.iter().rposition(|tally| (tally.slot, tally.block) == (slot, block))
    }

    /// Counts a vote for a slot above the root; `None` if it counts already.
    #[inline]
    pub(super) fn add(&mut self, vote: &Vote, stake: u64) -> Option<Counted> {
        let known = self.place(vote.slot, vote.block);
        let place = known.unwrap_or_else(|| self.open(vote.slot, vote.block));
        let tally = &mut self.list[place];
        let (word, bit) = (vote.voter.index() / 64, 1 << (vote.voter.index() % 64));
        if tally.voters[word] & bit != 0 {
            return None;
        }
        tally.voters[word] |= bit;
        tally.stake += stake;
        Some(Counted { place, sum: tally.stake })
    }

    /// Makes room for the votes for a block.
    fn open(&mut self, slot: Slot, block: BlockId) -> usize {
        let (voters, told) = (vec![0; self.words].into(), Default::default());
        self.list.push(Tally { slot, block, voters, stake: 0, told, stood: None });
        self.make_room();
        self.list.len() - 1
    }

    /// Whether a block with votes is in the chain, which is looked up once in each edition of it.
    #[inline]
    pub(super) fn stands(&mut self, place: usize, chain: &Chain) -> bool {
        let (tally, edition) = (&mut self.list[place], chain.edition());
        match tally.stood {
            Some((then, stood)) if then == edition => stood,
            _ => {
                let stands = chain.link(tally.block).is_some();
                tally.stood = Some((edition, stands));
                stands
            }
        }
    }

    /// The newest stays in its place at the end.
    fn make_room(&mut self) {
        if self.list.len() > MOST {
            let all = self.list[..MOST].iter().enumerate();
            if let Some((place, _)) = all.min_by_key(|(_, tally)| tally.slot) {
                self.list.remove(place);
            }
        }
    }

    /// Who voted for a block.
    pub(super) fn voters(&self, slot: Slot, block: BlockId) -> impl Iterator<Item = NodeId> + '_ {
        let tally = self.place(slot, block).map(|place| &self.list[place]);
        tally.into_iter().flat_map(Tally::voters)
    }

    /// Who voted for other blocks of the slot of a block, and not for that.
    pub(super) fn voters_of_others(
        &self,
        slot: Slot,
        block: BlockId,
    ) -> impl Iterator<Item = NodeId> + '_ {
        let own = self.place(slot, block).map(|place| &self.list[place]);
        let others = self.list.iter().filter(move |it| it.slot == slot && it.block != block);
        let voters = others.flat_map(Tally::voters);
        voters.filter(move |voter| !own.is_some_and(|own| own.holds(*voter)))
    }

    /// Whether a vote counts.
    pub(super) fn knows(&self, vote: &Vote) -> bool {
        let place = self.place(vote.slot, vote.block);
        place.is_some_and(|place| self.list[place].holds(vote.voter))
    }

    /// Whether a block has reached a level.
    pub(super) fn has(&self, slot: Slot, block: BlockId, level: Level) -> bool {
        self.place(slot, block).is_some_and(|place| self.list[place].told[level as usize])
    }

    /// The block of a slot that has reached a level.
    pub(super) fn reached(&self, slot: Slot, level: Level) -> Option<BlockId> {
        let reached = |tally: &&Tally| tally.slot == slot && tally.told[level as usize];
        self.list.iter().rev().find(reached).map(|tally| tally.block)
    }

    /// Notes that a block has reached a level; false if that was known.
    pub(super) fn tell(&mut self, slot: Slot, block: BlockId, level: Level) -> bool {
        let Some(place) = self.place(slot, block) else { return false };
        !std::mem::replace(&mut self.list[place].told[level as usize], true)
    }

    /// Forgets everything up to the new root.
    pub(super) fn forget(&mut self, root: Slot) {
        self.list.retain(|tally| tally.slot > root);
    }
}
