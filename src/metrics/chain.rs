//! Metrics layer: which block stands on which, who builds on what, and what is left of it at the
//! end. The collectors of blocks and of consensus share it.

use std::cmp::Reverse;

use serde::Serialize;

use super::figures::ppm;
use crate::base::id::{NodeId, NodeMap, NodeSet};
use crate::base::slot::Slot;
use crate::base::time::Time;

/// Most blocks whose parents are remembered, 32 bytes each: four days of slots of 400 ms.
const MOST_LINKS: usize = 1_000_000;

/// The chain that the cluster made, and how it came about. A node that is down has no say at the
/// end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct ChainSummary {
    /// Blocks from genesis to the highest block that was made.
    pub longest: u64,
    /// Blocks of the canonical chain: the head that most stake builds on at the end, and all that
    /// it stands on. `None` if no node is up, or there were too many blocks (over a million) to
    /// tell.
    pub canonical: Option<u64>,
    /// Blocks that are not part of it.
    pub forks: Option<u64>,
    /// How often a node left blocks of its chain for others.
    pub reorganisations: u64,
    /// Most blocks that were left at once.
    pub reorganisation_max: u64,
    /// Share of the nodes that build on the most common head.
    pub head_agreement_ppm: Option<u64>,
}

/// A block and the place of the one it stands on.
struct Link {
    block: u64,
    made: Time,
    parent: u32,
    slot: Slot,
    height: u32,
}

/// A block by its number: they are counted from one as they are made, and zero stands for genesis.
/// What is not known, because too many blocks were made before, counts as genesis too.
pub(super) type Number = u32;

/// The number of genesis.
pub(super) const GENESIS: Number = 0;

/// How a block stands to the canonical chain at the end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Standing {
    /// It is part of it.
    Canonical,
    /// It stands on its end.
    Ahead,
    /// The chain left the block, or one that it stands on, aside.
    Losing,
}

/// The place of a parent that is not among the links: genesis.
const NOWHERE: u32 = u32::MAX;

/// What a node builds on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Head {
    height: u32,
    block: u64,
}

impl Head {
    /// Where every node starts. The block's hash does not matter: no other has this height.
    const GENESIS: Self = Self { height: 0, block: 0 };
}

/// The nodes with the same head.
struct Party {
    head: Head,
    nodes: u64,
    stake: u128,
}

/// Knows all blocks by hash, and the head of each node.
pub(super) struct Chain {
    links: Vec<Link>,
    heads: NodeMap<Head>,
    longest: u32,
    reorganisations: u64,
    reorganisation_max: u32,
}

impl Chain {
    pub(super) fn new(nodes: usize) -> Self {
        Self {
            links: Vec::new(),
            heads: NodeMap::filled(nodes, Head::GENESIS),
            longest: 0,
            reorganisations: 0,
            reorganisation_max: 0,
        }
    }

    /// A block was made: its place among the links, unless there are too many.
    pub(super) fn on_made(
        &mut self,
        (at, slot): (Time, Slot),
        (block, parent): (u64, u64),
        height: u32,
    ) -> Option<usize> {
        self.longest = self.longest.max(height);
        if self.links.len() >= MOST_LINKS {
            return None;
        }
        // Parents are recent as a rule, so the search from the end is short.
        let parent = self.place(parent).map_or(NOWHERE, |place| place as u32);
        self.links.push(Link { block, made: at, parent, slot, height });
        Some(self.links.len() - 1)
    }

    pub(super) fn on_head(&mut self, node: NodeId, (block, height): (u64, u32), reorganised: u32) {
        self.heads[node] = if height == 0 { Head::GENESIS } else { Head { height, block } };
        self.reorganisations += u64::from(reorganised > 0);
        self.reorganisation_max = self.reorganisation_max.max(reorganised);
    }

    /// A node forgot everything and starts anew from genesis.
    pub(super) fn on_forgot(&mut self, node: NodeId) {
        self.heads[node] = Head::GENESIS;
    }

    /// Blocks from genesis to the highest block that was made.
    pub(super) const fn longest(&self) -> u32 {
        self.longest
    }

    /// How many different heads nodes that are up have.
    pub(super) fn distinct_heads(&self, up: &NodeSet) -> u64 {
        self.parties(up, &NodeMap::filled(self.heads.len(), 0)).len() as u64
    }

    /// Which links are part of the canonical chain; `None` if nobody can tell. Among heads with
    /// equal stake the higher one counts, then the one with the smaller hash.
    pub(super) fn verdicts(&self, up: &NodeSet, stakes: &NodeMap<u64>) -> Option<Vec<bool>> {
        let parties = self.parties(up, stakes);
        let rank = |party: &&Party| (party.stake, party.head.height, Reverse(party.head.block));
        let head = parties.iter().max_by_key(rank)?.head;
        let mut canonical = vec![false; self.links.len()];
        if head != Head::GENESIS {
            let mut place = self.place(head.block)?;
            // A parent was made before its child, so this goes down and ends.
            while let Some(link) = self.links.get(place) {
                canonical[place] = true;
                place = link.parent as usize;
            }
        }
        Some(canonical)
    }

    /// The slots of the links, in the order of their places.
    pub(super) fn slots(&self) -> impl Iterator<Item = Slot> {
        self.links.iter().map(|link| link.slot)
    }

    /// How each link stands to the canonical chain, from what [`Self::verdicts`] says.
    pub(super) fn standings(&self, verdicts: &[bool]) -> Vec<Standing> {
        // The end of the chain is the last that was made of it.
        let tip = verdicts.iter().rposition(|canonical| *canonical);
        let tip = tip.map_or(NOWHERE, |place| place as u32);
        let mut standings: Vec<Standing> = Vec::with_capacity(self.links.len());
        for (link, canonical) in self.links.iter().zip(verdicts) {
            let parent = standings.get(link.parent as usize);
            standings.push(match parent {
                _ if *canonical => Standing::Canonical,
                _ if link.parent == tip || parent == Some(&Standing::Ahead) => Standing::Ahead,
                _ => Standing::Losing,
            });
        }
        standings
    }

    /// The number of a block; that of genesis if it is not known.
    pub(super) fn number(&self, block: u64) -> Number {
        self.place(block).map_or(GENESIS, |place| place as u32 + 1)
    }

    /// How many blocks have a number, genesis not counted.
    pub(super) const fn len(&self) -> usize {
        self.links.len()
    }

    /// The block that a block stands on; genesis stands on itself.
    pub(super) fn below(&self, number: Number) -> Number {
        // `NOWHERE` becomes genesis.
        self.link(number).map_or(GENESIS, |link| link.parent.wrapping_add(1))
    }

    /// Whether a block is another's ancestor, or that block itself.
    pub(super) fn leads_to(&self, ancestor: Number, mut block: Number) -> bool {
        while block > ancestor {
            block = self.below(block);
        }
        block == ancestor
    }

    /// The first 64 bits of a block's hash; `None` for genesis.
    pub(super) fn hash(&self, number: Number) -> Option<u64> {
        self.link(number).map(|link| link.block)
    }

    /// When a block was made; genesis, at the start of the run.
    pub(super) fn made(&self, number: Number) -> Time {
        self.link(number).map_or(Time::ZERO, |link| link.made)
    }

    /// The slot of a block.
    pub(super) fn slot(&self, number: Number) -> Slot {
        self.link(number).map_or(Slot::ZERO, |link| link.slot)
    }

    /// Blocks from genesis to a block.
    pub(super) fn height(&self, number: Number) -> u32 {
        self.link(number).map_or(0, |link| link.height)
    }

    fn link(&self, number: Number) -> Option<&Link> {
        self.links.get((number as usize).wrapping_sub(1))
    }

    /// How it looks from the end; `made` is how many blocks there are.
    pub(super) fn summary(
        &self,
        made: u64,
        up: &NodeSet,
        verdicts: Option<&[bool]>,
    ) -> ChainSummary {
        let parties = self.parties(up, &NodeMap::filled(self.heads.len(), 0));
        let agreeing = parties.iter().map(|party| party.nodes).max();
        let canonical =
            verdicts.map(|all| all.iter().filter(|canonical| **canonical).count() as u64);
        ChainSummary {
            longest: self.longest.into(),
            canonical,
            forks: canonical.map(|canonical| made - canonical),
            reorganisations: self.reorganisations,
            reorganisation_max: self.reorganisation_max.into(),
            head_agreement_ppm: agreeing.and_then(|nodes| ppm(nodes, up.len() as u64)),
        }
    }

    /// The nodes that are up, by their heads.
    fn parties(&self, up: &NodeSet, stakes: &NodeMap<u64>) -> Vec<Party> {
        let mut heads: Vec<(Head, u64)> =
            up.iter().map(|node| (self.heads[node], stakes[node])).collect();
        heads.sort_unstable();
        let same = heads.chunk_by(|one, other| one.0 == other.0);
        same.map(|party| Party {
            head: party[0].0,
            nodes: party.len() as u64,
            stake: party.iter().map(|(_, stake)| u128::from(*stake)).sum(),
        })
        .collect()
    }

    fn place(&self, block: u64) -> Option<usize> {
        self.links.iter().rposition(|link| link.block == block)
    }
}

/// The first 64 bits of a hash as they stand in tables.
pub(super) fn hex(block: u64) -> String {
    format!("{block:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn node(number: u32) -> NodeId {
        NodeId::new(number)
    }

    /// Blocks 1 <- 2 <- 3 and 2 <- 4 <- 5 in slots of their numbers, and five nodes.
    fn fork() -> Chain {
        let mut chain = Chain::new(5);
        for (block, parent, height) in [(1, 99, 1), (2, 1, 2), (3, 2, 3), (4, 2, 3), (5, 4, 4)] {
            let slot = Slot::new(block as u32);
            let place = chain.on_made((Time::from_nanos(block), slot), (block, parent), height);
            assert_eq!(place, Some(block as usize - 1));
        }
        chain
    }

    #[test]
    fn the_canonical_chain_is_that_of_most_stake_and_what_it_stands_on() {
        let mut chain = fork();
        let stakes = NodeMap::from_vec(vec![10, 10, 10, 15, 14]);
        for (n, head, height, left) in [(0, 3, 3, 0), (1, 5, 4, 1), (2, 5, 4, 3), (3, 3, 3, 0)] {
            chain.on_head(node(n), (head, height), left);
        }
        // Stake 25 on block 3, 20 on block 5, 14 on genesis.
        let up = NodeSet::full(5);
        let verdicts = chain.verdicts(&up, &stakes).expect("nodes are up");
        assert_eq!(verdicts, [true, true, true, false, false]);
        assert_eq!(chain.distinct_heads(&up), 3);
        let expected = ChainSummary {
            longest: 4,
            canonical: Some(3),
            forks: Some(2),
            reorganisations: 2,
            reorganisation_max: 3,
            head_agreement_ppm: Some(400_000),
        };
        assert_eq!(chain.summary(5, &up, Some(&verdicts)), expected);
    }

    #[test]
    fn blocks_off_the_canonical_chain_are_ahead_of_it_or_lose() {
        let chain = fork();
        use Standing::{Ahead, Canonical, Losing};
        let standings = |verdicts: [bool; 5]| chain.standings(&verdicts);
        let expected = [Canonical, Canonical, Canonical, Losing, Losing];
        assert_eq!(standings([true, true, true, false, false]), expected);
        assert_eq!(
            standings([true, true, false, false, false]),
            [Canonical, Canonical, Ahead, Ahead, Ahead]
        );
        assert_eq!(standings([false; 5]), [Ahead; 5], "everybody stands on genesis");
    }

    #[test]
    fn numbers_count_blocks_and_lead_to_genesis() {
        let chain = fork();
        assert_eq!([1, 4, 5, 99].map(|block| chain.number(block)), [1, 4, 5, GENESIS]);
        assert_eq!([0, 1, 3, 4, 5].map(|number| chain.below(number)), [0, 0, 2, 2, 4]);
        assert!(chain.leads_to(2, 5) && chain.leads_to(5, 5) && chain.leads_to(GENESIS, 3));
        assert!(!chain.leads_to(3, 5) && !chain.leads_to(5, 2));
        assert_eq!((chain.hash(4), chain.hash(GENESIS), chain.len()), (Some(4), None, 5));
        assert_eq!((chain.slot(5), chain.height(5), chain.height(0)), (Slot::new(5), 4, 0));
        assert_eq!((chain.made(3), chain.made(0)), (Time::from_nanos(3), Time::ZERO));
    }

    #[test]
    fn equal_stakes_leave_it_to_the_height_and_then_to_the_smaller_hash() {
        let mut chain = fork();
        let stakes = NodeMap::filled(5, 7);
        chain.on_head(node(0), (3, 3), 0);
        chain.on_head(node(1), (5, 4), 0);
        let up: NodeSet = [0, 1].map(node).into_iter().collect();
        assert_eq!(chain.verdicts(&up, &stakes), Some(vec![true, true, false, true, true]));
        chain.on_head(node(1), (4, 3), 0);
        assert_eq!(chain.verdicts(&up, &stakes), Some(vec![true, true, true, false, false]));
    }

    #[test]
    fn nodes_that_are_down_have_no_say_and_those_that_forgot_stand_on_genesis() {
        let mut chain = fork();
        let stakes = NodeMap::from_vec(vec![1, 100, 0, 0, 0]);
        chain.on_head(node(0), (3, 3), 0);
        chain.on_head(node(1), (5, 4), 0);
        let alone: NodeSet = [0].map(node).into_iter().collect();
        assert_eq!(chain.verdicts(&alone, &stakes), Some(vec![true, true, true, false, false]));
        assert_eq!(chain.verdicts(&NodeSet::empty(5), &stakes), None);
        chain.on_forgot(node(1));
        assert_eq!(chain.verdicts(&NodeSet::full(5), &stakes), Some(vec![false; 5]));
        // A head of which nobody knows where it came from.
        chain.on_head(node(1), (77, 9), 0);
        assert_eq!(chain.verdicts(&NodeSet::full(5), &stakes), None);
        let summary = chain.summary(5, &NodeSet::full(5), None);
        assert_eq!((summary.canonical, summary.forks), (None, None));
        assert_eq!(summary.head_agreement_ppm, Some(600_000), "three on genesis");
    }
}
