//! Metrics layer, invariants: the chain that honest validators have rooted together.

use std::collections::VecDeque;

use super::tree::{MOST, Tree};
use crate::base::id::{NodeId, NodeMap};
use crate::base::slot::Slot;

/// A block that somebody rooted, or that lies below one.
#[derive(Clone, Copy, Debug)]
struct Step {
    block: u64,
    /// Who was the first to root it or a block upon it.
    by: NodeId,
}

/// The last root of a validator.
#[derive(Clone, Copy, Debug)]
struct Root {
    block: u64,
    slot: Slot,
    height: u32,
}

/// The highest root of every validator, and the chain up to the highest of all.
#[derive(Debug)]
pub(super) struct Roots {
    of: NodeMap<Option<Root>>,
    /// From the lowest height that is remembered on.
    chain: VecDeque<Step>,
    /// The height of the first of them.
    lowest: u32,
}

/// What came of a root.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Judged {
    /// It is on the chain of all others.
    Fine,
    /// It lies too far back, or nobody is known to have made the block.
    Unknown,
    /// The validator had rooted this block, which the new one does not stand on.
    NotAbove(u64),
    /// This validator has rooted this block, which conflicts with it.
    Conflict(NodeId, u64),
}

impl Roots {
    pub(super) fn new(nodes: usize) -> Self {
        Self { of: NodeMap::filled(nodes, None), chain: VecDeque::new(), lowest: 1 }
    }

    /// A validator has a new root.
    pub(super) fn add(&mut self, tree: &Tree, node: NodeId, (slot, block): (Slot, u64)) -> Judged {
        let before = self.of[node];
        // Whatever has become of the block: what stands on another one has a later slot.
        if let Some(before) = before.filter(|before| slot <= before.slot) {
            return Judged::NotAbove(before.block);
        }
        let Some(height) = tree.get(block).map(|known| known.height) else {
            return Judged::Unknown;
        };
        if let Some(before) = before.filter(|before| !leads_to(tree, before, block)) {
            return Judged::NotAbove(before.block);
        }
        let judged = self.judge(tree, block, height);
        if judged == Judged::Fine {
            self.extend(tree, node, block, height);
        }
        if !matches!(judged, Judged::Conflict(..)) {
            self.of[node] = Some(Root { block, slot, height });
        }
        judged
    }

    /// Whether a new root and the chain are one line.
    fn judge(&self, tree: &Tree, block: u64, height: u32) -> Judged {
        if self.chain.is_empty() {
            return Judged::Fine;
        }
        let common = height.min(self.lowest + self.chain.len() as u32 - 1);
        let step = common.checked_sub(self.lowest).and_then(|place| self.chain.get(place as usize));
        let own = tree.path(block).find(|it| it.height <= common);
        match (step, own) {
            (Some(step), Some(own)) if own.id == step.block => Judged::Fine,
            (Some(step), Some(own)) if own.height == common => {
                Judged::Conflict(step.by, step.block)
            }
            _ => Judged::Unknown,
        }
    }

    /// Appends what lies between the chain and a root above it.
    fn extend(&mut self, tree: &Tree, node: NodeId, block: u64, height: u32) {
        let next = self.lowest + self.chain.len() as u32;
        if height < next {
            return;
        }
        let steps: Vec<(u64, u32)> = tree
            .path(block)
            .take_while(|it| it.height >= next)
            .map(|it| (it.id, it.height))
            .collect();
        if self.chain.is_empty() {
            self.lowest = steps.last().map_or(next, |(_, oldest)| *oldest);
        }
        self.chain.extend(steps.iter().rev().map(|(block, _)| Step { block: *block, by: node }));
        self.forget_below((self.lowest + self.chain.len() as u32).saturating_sub(MOST as u32));
    }

    /// The lowest root of these validators, by height; zero if one of them has none.
    pub(super) fn lowest_of(&self, nodes: impl Iterator<Item = NodeId>) -> u32 {
        let heights = nodes.map(|node| self.of[node].map_or(0, |root| root.height));
        heights.min().unwrap_or(0)
    }

    /// Forgets the chain below a height.
    pub(super) fn forget_below(&mut self, height: u32) {
        while self.lowest < height && self.chain.len() > 1 {
            self.chain.pop_front();
            self.lowest += 1;
        }
    }
}

fn leads_to(tree: &Tree, ancestor: &Root, block: u64) -> bool {
    let below = tree.path(block).find(|it| it.height <= ancestor.height);
    // Where the path is no longer remembered, nothing can be said.
    below.is_none_or(|below| below.id == ancestor.block)
}
