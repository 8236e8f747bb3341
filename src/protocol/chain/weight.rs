//! Protocol layer: votes in the tree of blocks: which fork has the most stake behind it, and what
//! becomes of the others when a block is rooted.
//!
//! Rules: Agave 4.4, `core/src/consensus/heaviest_subtree_fork_choice.rs`. Pointers to the best
//! block are not kept at every block; the way to it is, and is walked anew from the lowest block
//! that something changed at. Votes are moved no further down than to where their old and their new
//! block part. So a cluster that roots nothing does not slow down as its chain grows.

use std::collections::BTreeMap;

use super::{Chain, Knot, Link};
use crate::base::slot::Slot;
use crate::protocol::block::BlockId;
use crate::sim::body::BodyId;

/// The votes for a block.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Weight {
    /// Stake that stands behind it or behind a block that stands on it.
    subtree: u64,
    /// Whether it is no candidate, nor what stands on it: its leader made another block for its
    /// slot, and it is not known which one to have.
    barred: bool,
}

impl Knot {
    pub(super) fn new(link: Link, sibling: Option<BlockId>) -> Self {
        Self { link, child: None, sibling, weight: Weight::default(), aside: false }
    }
}

impl Chain {
    /// The same for a cluster that votes: the root decides what is kept, and the caller where the
    /// head is.
    #[must_use]
    pub fn voted(self) -> Self {
        Self { weighs: true, ..self }
    }

    /// Puts stake behind a block, and so behind all its ancestors down to the root. A block that
    /// is not there, or lies before the root, has no say any more.
    pub fn support(&mut self, block: BlockId, stake: u64) {
        self.weigh(block, |weight| weight.subtree += stake);
    }

    /// Takes away what [`Chain::support`] gave.
    pub fn withdraw(&mut self, block: BlockId, stake: u64) {
        self.weigh(block, |weight| weight.subtree -= stake);
    }

    /// Takes all stake away from all blocks.
    pub fn forget_votes(&mut self) {
        self.connected.values_mut().for_each(|knot| knot.weight.subtree = 0);
        self.best.truncate(1);
    }

    /// Withdraws stake from some blocks and puts stake behind others, all at once: below where they
    /// part nothing changes if as much comes as goes.
    pub fn shift(&mut self, gone: &[(BlockId, u64)], come: &[(BlockId, u64)]) {
        let floor = self.root.height;
        let mut open: BTreeMap<(u32, BlockId), (u64, u64)> = BTreeMap::new();
        let mut add = |chain: &Self, block: BlockId, (plus, minus): (u64, u64)| {
            if let Some(link) = chain.link(block).filter(|link| link.height >= floor) {
                let sum = open.entry((link.height, block)).or_default();
                *sum = (sum.0 + plus, sum.1 + minus);
            }
        };
        come.iter().for_each(|(block, stake)| add(self, *block, (*stake, 0)));
        gone.iter().for_each(|(block, stake)| add(self, *block, (0, *stake)));
        while let Some(((height, id), (plus, minus))) = open.pop_last() {
            let Some(knot) = self.connected.get_mut(&id).filter(|_| plus != minus) else {
                continue;
            };
            knot.weight.subtree = knot.weight.subtree + plus - minus;
            let parent = knot.link.parent;
            self.unsettle(height);
            if height > floor {
                let sum = open.entry((height - 1, parent)).or_default();
                *sum = (sum.0 + plus, sum.1 + minus);
            }
        }
    }

    /// Something has changed at a block of this height: which block of its parent's is the best is
    /// to be found anew.
    pub(super) fn unsettle(&mut self, height: u32) {
        self.best.truncate((height.saturating_sub(self.root.height) as usize).max(1));
    }

    /// Where most of the stake leads from the root on.
    pub fn heaviest_of_all(&mut self) -> BlockId {
        let mut end = self.best.last().copied().unwrap_or(self.root.id);
        while let Some(next) = self.best_child(end) {
            self.best.push(next);
            end = next;
        }
        end
    }

    fn weigh(&mut self, block: BlockId, change: impl Fn(&mut Weight)) {
        let floor = self.root.height;
        let mut next = block;
        while let Some(knot) = self.connected.get_mut(&next)
            && knot.link.height >= floor
        {
            change(&mut knot.weight);
            if knot.link.height == floor {
                break;
            }
            next = knot.link.parent;
        }
        self.best.truncate(1);
    }

    /// The stake behind a block and everything that stands on it; zero for one that is not there.
    #[must_use]
    pub fn weight(&self, block: BlockId) -> u64 {
        self.connected.get(&block).map_or(0, |knot| knot.weight.subtree)
    }

    /// Where most of the stake leads from a block on: to the child with the most stake behind it,
    /// of equals the one with the earlier slot, then the smaller name, and so on to the end.
    #[must_use]
    pub fn heaviest(&self, from: BlockId) -> BlockId {
        std::iter::successors(Some(from), |best| self.best_child(*best)).last().unwrap_or(from)
    }

    fn best_child(&self, of: BlockId) -> Option<BlockId> {
        let candidates = self.children(of).filter(|knot| !knot.weight.barred);
        let rank = |knot: &&Knot| {
            (std::cmp::Reverse(knot.weight.subtree), knot.link.next_slot, knot.link.id)
        };
        candidates.min_by_key(rank).map(|knot| knot.link.id)
    }

    /// The block with the most blocks below it among those that stand on a block or are it,
    /// candidates or not: of equals the one with more stake behind it, then the earlier slot, then
    /// the smaller name.
    #[must_use]
    pub fn deepest(&self, from: BlockId) -> BlockId {
        let ends = self.tips().into_iter().filter(|tip| self.leads_to(from, tip.id));
        let rank = |tip: &Link| {
            (tip.height, self.weight(tip.id), std::cmp::Reverse((tip.next_slot, tip.id)))
        };
        ends.max_by_key(rank).map_or(from, |tip| tip.id)
    }

    fn children(&self, of: BlockId) -> impl Iterator<Item = &Knot> {
        let first = self.connected.get(&of).and_then(|knot| knot.child);
        let first = first.and_then(|id| self.connected.get(&id));
        std::iter::successors(first, |knot| self.connected.get(&knot.sibling?))
    }

    /// The ends of all forks from the root on, candidates or not, by their names.
    #[must_use]
    pub fn tips(&self) -> Vec<Link> {
        self.ends.iter().filter_map(|id| self.link(*id)).copied().collect()
    }

    /// Blocks of a slot, by their names.
    pub fn of_slot(&self, slot: Slot) -> impl Iterator<Item = &Link> {
        let of_slot = self.slots.range((slot, BlockId(0))..=(slot, BlockId(u64::MAX)));
        of_slot.filter_map(|(_, id)| self.link(*id))
    }

    /// A block is no candidate any more.
    pub fn bar(&mut self, block: BlockId) {
        let Some(knot) = self.connected.get_mut(&block) else { return };
        let height = knot.link.height;
        if !std::mem::replace(&mut knot.weight.barred, true) {
            self.barred += 1;
            self.unsettle(height);
        }
    }

    /// A block and all its ancestors are candidates.
    pub fn clear_bar(&mut self, block: BlockId) {
        let floor = self.root.height;
        let mut next = block;
        while let Some(knot) = self.connected.get_mut(&next)
            && knot.link.height > floor
            && self.barred > 0
        {
            let height = knot.link.height;
            next = knot.link.parent;
            if std::mem::take(&mut knot.weight.barred) {
                self.barred -= 1;
                self.unsettle(height);
            }
        }
    }

    /// Whether a block and all its ancestors from the root on are candidates.
    #[must_use]
    pub fn is_candidate(&self, block: BlockId) -> bool {
        let floor = self.root.height;
        let above = self.path(block).take_while(|link| link.height > floor);
        let bars =
            |link: &Link| self.connected.get(&link.id).is_some_and(|knot| knot.weight.barred);
        let barred = || above.copied().any(|link| bars(&link));
        self.connected.contains_key(&block) && (self.barred == 0 || !barred())
    }

    /// Takes a block and all that stand on it out of the tree, for another version of it; never
    /// the root or what lies before it. The bodies that are no longer needed. The caller counts the
    /// votes anew, see [`Chain::forget_votes`].
    pub fn dump(&mut self, block: BlockId) -> Vec<BodyId> {
        let mut dropped = Vec::new();
        let Some(link) = self.link(block).copied().filter(|it| it.height > self.root.height) else {
            return dropped;
        };
        self.unlink(&link);
        self.drop_subtree(block, &mut dropped);
        let is_end = |parent: &Knot| parent.child.is_none() && !parent.aside;
        if self.connected.get(&link.parent).is_some_and(is_end) {
            self.ends.insert(link.parent);
        }
        self.unsettle(link.height);
        if !self.connected.contains_key(&self.head.id) {
            self.head = self.link(link.parent).copied().unwrap_or(self.root);
        }
        dropped
    }

    /// Takes a child off its parent's list.
    fn unlink(&mut self, link: &Link) {
        let after = self.connected.get(&link.id).and_then(|knot| knot.sibling);
        let Some(parent) = self.connected.get_mut(&link.parent) else { return };
        if parent.child == Some(link.id) {
            parent.child = after;
            return;
        }
        let mut next = parent.child;
        while let Some(knot) = next.and_then(|id| self.connected.get_mut(&id)) {
            if knot.sibling == Some(link.id) {
                knot.sibling = after;
                return;
            }
            next = knot.sibling;
        }
    }

    /// Makes a descendant of the root the new one: forks that do not lead through it are dropped.
    /// The bodies that are no longer needed.
    pub fn root_at(&mut self, block: BlockId) -> Vec<BodyId> {
        let mut dropped = Vec::new();
        let floor = self.root.height;
        let above = self.path(block).take_while(|link| link.height > floor);
        let mut path: Vec<BlockId> = above.map(|link| link.id).collect();
        let Some(oldest) = path.last().and_then(|id| self.link(*id)) else { return dropped };
        if oldest.parent != self.root.id {
            return dropped;
        }
        let mut parent = self.root.id;
        while let Some(step) = path.pop() {
            let children: Vec<BlockId> = self.children(parent).map(|knot| knot.link.id).collect();
            let others = children.into_iter().filter(|child| *child != step);
            others.for_each(|child| self.drop_subtree(child, &mut dropped));
            if let Some(knot) = self.connected.get_mut(&parent) {
                knot.child = Some(step);
            }
            if let Some(knot) = self.connected.get_mut(&step) {
                knot.sibling = None;
            }
            parent = step;
        }
        let before = self.root.height;
        self.root = self.link(block).copied().unwrap_or(self.root);
        let root = self.root;
        // What was on the way to the new root has been left behind.
        let passed = (root.height - before) as usize;
        if self.best.get(passed) == Some(&root.id) {
            self.best.drain(..passed);
        } else {
            self.best = vec![root.id];
        }
        let late = self.waiting.extract_if(.., |link| link.next_slot <= root.next_slot);
        dropped.extend(late.filter_map(|link| link.body));
        dropped.extend(self.trim_rooted());
        dropped
    }

    fn drop_subtree(&mut self, block: BlockId, dropped: &mut Vec<BodyId>) {
        self.edition = self.edition.wrapping_add(1);
        let mut open = vec![block];
        while let Some(id) = open.pop() {
            open.extend(self.children(id).map(|knot| knot.link.id));
            // Its children are found through it, so it goes after they are listed.
            if let Some(knot) = self.connected.remove(&id) {
                self.slots.remove(&(knot.link.slot(), id));
                self.ends.remove(&id);
                self.barred -= u32::from(knot.weight.barred);
                dropped.extend(knot.link.body);
            }
        }
    }

    /// Drops what lies too far before the root, which is one line of blocks.
    pub(super) fn trim_rooted(&mut self) -> Vec<BodyId> {
        let floor = self.root.height.saturating_sub(self.depth);
        let mut dropped = Vec::new();
        while let Some(knot) = self.connected.get(&self.oldest)
            && knot.link.height < floor
            && let Some(next) = knot.child
        {
            dropped.extend(knot.link.body);
            self.slots.remove(&(knot.link.slot(), self.oldest));
            self.barred -= u32::from(knot.weight.barred);
            self.connected.remove(&self.oldest);
            self.edition = self.edition.wrapping_add(1);
            self.oldest = next;
        }
        dropped
    }

    /// Whether votes decide.
    pub(super) const fn votes(&self) -> bool {
        self.weighs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::{Purpose, Rng, Seed};
    use crate::sim::body::Bodies;

    struct Tree {
        chain: Chain,
        bodies: Bodies<()>,
    }

    impl Tree {
        /// Blocks as (id, parent); the id is also the slot.
        fn new(depth: u32, blocks: &[(u64, u64)]) -> Self {
            let chain = Chain::new(BlockId(0), depth).voted();
            let mut tree = Self { chain, bodies: Bodies::new() };
            blocks.iter().for_each(|(id, parent)| tree.add(*id, *parent));
            tree
        }

        fn add(&mut self, id: u64, parent: u64) {
            let height = self.chain.link(BlockId(parent)).map_or(1, |link| link.height + 1);
            let body = Some(self.bodies.store(()));
            let next_slot = Slot::new(id as u32).next();
            let link = Link { id: BlockId(id), parent: BlockId(parent), height, next_slot, body };
            assert!(self.chain.add(link).dropped.is_empty());
        }

        fn heaviest(&self) -> u64 {
            self.chain.heaviest(self.chain.root().id).0
        }

        /// Compares what is kept with what a walk through the whole tree finds.
        fn agrees(&mut self) {
            assert_eq!(self.chain.heaviest_of_all().0, self.heaviest());
            let (mut ends, mut open) = (Vec::new(), vec![self.chain.root.id]);
            while let Some(id) = open.pop() {
                let before = open.len();
                open.extend(self.chain.children(id).map(|knot| knot.link.id));
                if open.len() == before {
                    ends.push(id);
                }
            }
            ends.sort_unstable();
            let kept: Vec<BlockId> = self.chain.tips().iter().map(|link| link.id).collect();
            assert_eq!(kept, ends);
            for link in self.chain.connected.values().map(|knot| knot.link) {
                assert!(self.chain.of_slot(link.slot()).any(|it| it.id == link.id));
            }
            assert_eq!(self.chain.slots.len(), self.chain.connected.len());
            let barred = self.chain.connected.values().filter(|knot| knot.weight.barred).count();
            assert_eq!(self.chain.barred as usize, barred);
        }
    }

    /// 0 - 1 - 2 - 4 - 6
    ///      \ - 3 - 5
    const FORKED: [(u64, u64); 6] = [(1, 0), (2, 1), (3, 1), (4, 2), (5, 3), (6, 4)];

    #[test]
    fn the_heaviest_subtree_leads_and_of_equals_the_earlier_slot() {
        let mut tree = Tree::new(100, &FORKED);
        assert_eq!(tree.heaviest(), 6, "slot 2 is earlier than 3");
        tree.chain.support(BlockId(5), 10);
        assert_eq!(tree.heaviest(), 5);
        tree.chain.support(BlockId(4), 6);
        tree.chain.support(BlockId(2), 5);
        assert_eq!((tree.heaviest(), tree.chain.weight(BlockId(1))), (6, 21));
        tree.chain.withdraw(BlockId(2), 5);
        tree.chain.support(BlockId(3), 5);
        assert_eq!((tree.heaviest(), tree.chain.weight(BlockId(3))), (5, 15));
        assert_eq!(tree.chain.heaviest(BlockId(2)).0, 6, "from there on");
    }

    #[test]
    fn a_barred_block_is_no_candidate_but_still_carries_stake() {
        let mut tree = Tree::new(100, &FORKED);
        tree.chain.support(BlockId(6), 10);
        tree.chain.bar(BlockId(4));
        assert_eq!(tree.heaviest(), 2, "its fork is heavier, up to the barred block");
        assert!(!tree.chain.is_candidate(BlockId(6)) && tree.chain.is_candidate(BlockId(2)));
        tree.chain.clear_bar(BlockId(6));
        assert_eq!(tree.heaviest(), 6);
    }

    #[test]
    fn a_root_drops_all_other_forks_and_gives_their_bodies_back() {
        let mut tree = Tree::new(100, &FORKED);
        let dropped = tree.chain.root_at(BlockId(4));
        assert_eq!(dropped.len(), 2, "3 and 5");
        assert!(tree.chain.link(BlockId(3)).is_none() && tree.chain.link(BlockId(5)).is_none());
        assert_eq!((tree.heaviest(), tree.chain.tips().len()), (6, 1));
        // What stands on a dropped block, or lies before the root, is not waited for.
        let link = |id, parent| Link {
            id: BlockId(id),
            parent: BlockId(parent),
            height: 3,
            next_slot: Slot::new(id as u32).next(),
            body: None,
        };
        tree.chain.add(link(3, 1));
        assert!(!tree.chain.has(BlockId(3)));
        // A block that does not descend from the root cannot become one.
        assert!(tree.chain.root_at(BlockId(2)).is_empty());
        assert_eq!(tree.chain.root().id, BlockId(4));
    }

    #[test]
    fn so_many_blocks_are_kept_before_the_root() {
        let line: Vec<(u64, u64)> = (1..=50).map(|id| (id, id - 1)).collect();
        let mut tree = Tree::new(10, &line);
        let dropped = tree.chain.root_at(BlockId(40));
        // 30 to 50 are kept; genesis had no body.
        assert_eq!(dropped.len(), 29);
        assert!(tree.chain.link(BlockId(29)).is_none() && tree.chain.link(BlockId(30)).is_some());
        let mut all = tree.chain.clear();
        all.extend(dropped);
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 50, "each body once");
    }

    #[test]
    fn a_dumped_block_takes_what_stands_on_it_along() {
        let mut tree = Tree::new(100, &FORKED);
        tree.chain.support(BlockId(6), 10);
        tree.chain.support(BlockId(5), 3);
        assert_eq!(tree.chain.dump(BlockId(4)).len(), 2);
        tree.chain.forget_votes();
        tree.chain.support(BlockId(5), 3);
        assert_eq!((tree.heaviest(), tree.chain.weight(BlockId(1))), (5, 3));
        assert_eq!(tree.chain.tips().len(), 2, "2 is an end again");
        tree.add(4, 2);
        assert_eq!(tree.chain.weight(BlockId(4)), 0);
    }

    #[test]
    fn what_is_kept_of_the_tree_is_what_a_walk_through_it_finds() {
        let mut rng = Rng::of_cluster(Seed(7), Purpose::Stakes);
        for _ in 0..200 {
            let mut tree = Tree::new(8, &[]);
            let (mut votes, mut next) = (Vec::new(), 1);
            for _ in 0..60 {
                let blocks: Vec<u64> = tree.chain.connected.keys().map(|id| id.0).collect();
                let any = |rng: &mut Rng| BlockId(blocks[rng.index(blocks.len())]);
                match rng.below(10) {
                    0..4 => {
                        tree.add(next, any(&mut rng).0);
                        next += 1;
                    }
                    // Votes move, some from nowhere.
                    4..8 => {
                        let (come, stake) = (any(&mut rng), 1 + rng.below(5));
                        let gone = votes.pop().filter(|_| rng.below(3) > 0);
                        let gone: Vec<(BlockId, u64)> = gone.into_iter().collect();
                        tree.chain.shift(&gone, &[(come, stake)]);
                        votes.insert(0, (come, stake));
                    }
                    8 => tree.chain.bar(any(&mut rng)),
                    _ if rng.below(2) == 0 => tree.chain.clear_bar(any(&mut rng)),
                    _ if rng.below(3) == 0 => drop(tree.chain.root_at(any(&mut rng))),
                    _ => {
                        tree.chain.dump(any(&mut rng));
                        tree.chain.forget_votes();
                        votes.retain(|(block, _)| tree.chain.link(*block).is_some());
                        tree.chain.shift(&[], &votes);
                    }
                }
                votes.retain(|(block, _)| {
                    let root = tree.chain.root().id;
                    tree.chain.leads_to(root, *block)
                });
                tree.agrees();
            }
        }
    }

    #[test]
    fn forks_part_where_their_last_common_block_is() {
        let tree = Tree::new(100, &FORKED);
        let common = |a, b| tree.chain.common(BlockId(a), BlockId(b)).map(|link| link.id.0);
        assert_eq!(common(6, 5), Some(1));
        assert_eq!(common(6, 2), Some(2));
        assert_eq!(common(6, 99), None);
        assert!(tree.chain.leads_to(BlockId(2), BlockId(6)));
        assert!(!tree.chain.leads_to(BlockId(3), BlockId(6)));
        assert!(tree.chain.leads_to(BlockId(6), BlockId(6)));
    }
}
