//! Metrics layer: the canonical chain as a run goes on: the head that most stake builds on, and all
//! that it stands on. A node that is down has no say.

use std::collections::BTreeMap;

use crate::base::id::{NodeId, NodeMap};

/// Follows the heads of all nodes.
pub(super) struct Canonical {
    stakes: NodeMap<u64>,
    heads: NodeMap<Head>,
    up: NodeMap<bool>,
    /// Parents of all blocks.
    parents: BTreeMap<u64, u64>,
    /// Stake on each head that somebody has.
    votes: BTreeMap<Head, u64>,
    /// The canonical chain by height, from height 1.
    chain: Vec<u64>,
    /// The same by name, with their heights.
    heights: BTreeMap<u64, u32>,
}

/// A block that nodes build on. Of two with equal stake the higher counts, then the larger number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
struct Head {
    height: u32,
    block: u64,
}

impl Canonical {
    pub(super) fn new(stakes: NodeMap<u64>) -> Self {
        let nodes = stakes.len();
        Self {
            stakes,
            heads: NodeMap::filled(nodes, Head::default()),
            up: NodeMap::filled(nodes, false),
            parents: BTreeMap::new(),
            votes: BTreeMap::new(),
            chain: Vec::new(),
            heights: BTreeMap::new(),
        }
    }

    /// Whether a block is part of the canonical chain.
    pub(super) fn holds(&self, block: u64) -> bool {
        self.heights.contains_key(&block)
    }

    pub(super) fn on_made(&mut self, block: u64, parent: u64) {
        self.parents.insert(block, parent);
    }

    pub(super) fn on_up(&mut self, node: NodeId) {
        self.up[node] = true;
        self.vote(node, self.heads[node]);
    }

    pub(super) fn on_down(&mut self, node: NodeId, forgets: bool) {
        self.unvote(node);
        self.up[node] = false;
        if forgets {
            self.heads[node] = Head::default();
        }
        self.settle();
    }

    pub(super) fn on_head(&mut self, node: NodeId, block: u64, height: u32) {
        self.unvote(node);
        self.vote(node, Head { height, block });
    }

    fn unvote(&mut self, node: NodeId) {
        let head = self.heads[node];
        if let Some(stake) = self.votes.get_mut(&head).filter(|_| self.up[node]) {
            *stake -= self.stakes[node];
            if *stake == 0 {
                self.votes.remove(&head);
            }
        }
    }

    fn vote(&mut self, node: NodeId, head: Head) {
        self.heads[node] = head;
        if self.up[node] && self.stakes[node] > 0 {
            *self.votes.entry(head).or_insert(0) += self.stakes[node];
            self.settle();
        }
    }

    /// Makes the chain that of the head with most stake. With nobody up it stays as it is.
    fn settle(&mut self) {
        let best = self.votes.iter().max_by_key(|(head, stake)| (**stake, **head));
        let Some((&Head { height, block }, _)) = best else { return };
        let (mut at, mut level) = (block, height as usize);
        self.cut(level);
        // What is missing of the new chain, newest first, down to where it meets the old one.
        let mut missing = Vec::new();
        while level > 0 && self.chain.get(level - 1) != Some(&at) {
            missing.push(at);
            level -= 1;
            match self.parents.get(&at) {
                Some(parent) => at = *parent,
                None => break,
            }
        }
        self.cut(level);
        for block in missing.into_iter().rev() {
            self.chain.push(block);
            self.heights.insert(block, self.chain.len() as u32);
        }
    }

    /// Takes off the chain what lies above a height.
    fn cut(&mut self, height: usize) {
        for block in self.chain.drain(height.min(self.chain.len())..) {
            self.heights.remove(&block);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(number: u32) -> NodeId {
        NodeId::new(number)
    }

    #[test]
    fn most_stake_decides_and_those_who_are_down_have_no_say() {
        let mut chain = Canonical::new(NodeMap::from_vec(vec![3, 2, 2, 0]));
        NodeId::all(4).for_each(|node| chain.on_up(node));
        // 11 - 12 - 13 and 11 - 22 - 23.
        for (block, parent) in [(11, 0), (12, 11), (13, 12), (22, 11), (23, 22)] {
            chain.on_made(block, parent);
        }
        let held = |chain: &Canonical| [11, 12, 13, 22, 23].map(|block| chain.holds(block));
        chain.on_head(node(3), 13, 3);
        assert_eq!(held(&chain), [false; 5], "no stake, no say");
        chain.on_head(node(0), 13, 3);
        assert_eq!(held(&chain), [false; 5], "four of seven are at genesis");
        chain.on_head(node(1), 22, 2);
        assert_eq!(held(&chain), [true, true, true, false, false]);
        chain.on_head(node(2), 22, 2);
        assert_eq!(held(&chain), [true, false, false, true, false], "four against three");
        chain.on_down(node(2), false);
        assert_eq!(held(&chain), [true, true, true, false, false]);
        chain.on_up(node(2));
        chain.on_head(node(1), 23, 3);
        assert_eq!(held(&chain), [true, true, true, false, false], "three, two and two");
        chain.on_head(node(2), 23, 3);
        assert_eq!(held(&chain), [true, false, false, true, true]);
        chain.on_down(node(1), true);
        chain.on_up(node(1));
        assert_eq!(held(&chain), [true, true, true, false, false], "node 1 is back at genesis");
    }
}
