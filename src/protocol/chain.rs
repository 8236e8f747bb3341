//! Protocol layer: the tree of blocks that a node has whole, back to genesis, and the head it would
//! build on.

use std::collections::BTreeMap;

use super::block::{Block, BlockId};
use crate::base::slot::Slot;
use crate::sim::body::BodyId;

/// A block of the tree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Link {
    /// Its name.
    pub id: BlockId,
    /// The name of the block it stands on.
    pub parent: BlockId,
    /// Blocks from genesis to it; zero for genesis.
    pub height: u32,
    /// The first slot that a block on top of it may have: the one after its own. Slot 0 is that of
    /// genesis.
    pub next_slot: Slot,
    /// Its body, which the node holds; `None` for genesis.
    pub body: Option<BodyId>,
}

impl Link {
    /// The link of a whole block.
    #[must_use]
    pub fn of(block: &Block, body: BodyId) -> Self {
        let (id, parent) = (block.id(), block.parent_id());
        let next_slot = block.slot.next();
        Self { id, parent, height: block.height, next_slot, body: Some(body) }
    }

    /// Whether it is the better head: the longer chain, and of equally long ones the one with the
    /// earlier slot, then the smaller name. Votes, where there are any, decide in its place.
    fn beats(&self, other: &Self) -> bool {
        let rank = |link: &Self| (std::cmp::Reverse(link.height), link.next_slot, link.id);
        rank(self) < rank(other)
    }
}

/// What came of a block.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Added {
    /// The head before, if there is another one now.
    pub left: Option<Link>,
    /// Bodies that the tree no longer refers to.
    pub dropped: Vec<BodyId>,
}

/// The blocks of a node.
#[derive(Clone, Debug)]
pub struct Chain {
    /// Those with a path to genesis.
    connected: BTreeMap<BlockId, Link>,
    /// Whole ones whose parent is not there yet, oldest first.
    waiting: Vec<Link>,
    head: Link,
    /// How many heights below the head are kept; also the limit of waiting blocks.
    depth: u32,
}

impl Chain {
    /// A chain of nothing but genesis.
    #[must_use]
    pub fn new(genesis: BlockId, depth: u32) -> Self {
        let head = Link {
            id: genesis,
            parent: genesis,
            height: 0,
            next_slot: Slot::ZERO.next(),
            body: None,
        };
        Self { connected: BTreeMap::from([(genesis, head)]), waiting: Vec::new(), head, depth }
    }

    /// The block to build on.
    #[must_use]
    pub const fn head(&self) -> &Link {
        &self.head
    }

    /// A block with a path to genesis.
    #[must_use]
    pub fn link(&self, id: BlockId) -> Option<&Link> {
        self.connected.get(&id)
    }

    /// Whether the node has a block whole, with or without a path to genesis.
    #[must_use]
    pub fn has(&self, id: BlockId) -> bool {
        self.connected.contains_key(&id) || self.waiting.iter().any(|link| link.id == id)
    }

    /// Whole blocks whose parent is not there yet, in the order in which they became whole.
    #[must_use]
    pub fn waiting(&self) -> &[Link] {
        &self.waiting
    }

    /// Parents that are not there, of blocks that wait for them: oldest first, each once.
    pub fn missing(&self) -> impl Iterator<Item = BlockId> + '_ {
        let parents = self.waiting.iter().enumerate().filter(|(place, link)| {
            !self.waiting.iter().any(|other| other.id == link.parent)
                && !self.waiting[..*place].iter().any(|other| other.parent == link.parent)
        });
        parents.map(|(_, link)| link.parent)
    }

    /// The head and its ancestors, newest first, as far as they are kept.
    pub fn canonical(&self) -> impl Iterator<Item = &Link> + '_ {
        let parent = |link: &&Link| self.connected.get(&link.parent).filter(|p| p.id != link.id);
        std::iter::successors(self.connected.get(&self.head.id), parent)
    }

    /// How many blocks below their common ancestor a former head lies: the depth of a
    /// reorganisation, zero if the new head stands on it.
    #[must_use]
    pub fn depth_of_fork(&self, left: &Link) -> u32 {
        let (mut a, mut b) = (*left, self.head);
        while a.id != b.id {
            let step = if a.height >= b.height { &mut a } else { &mut b };
            match self.connected.get(&step.parent) {
                Some(parent) if step.height > 0 => *step = *parent,
                _ => return left.height,
            }
        }
        left.height - a.height
    }

    /// What became of the chain since `left` was its head: the blocks that it no longer has, and
    /// those that it has now, each newest first, as far as they are kept.
    #[must_use]
    pub fn since(&self, left: &Link) -> (Vec<BodyId>, Vec<BodyId>) {
        let (mut gone, mut come) = (Vec::new(), Vec::new());
        let (mut a, mut b) = (Some(*left), Some(self.head));
        while let (Some(old), Some(new)) = (a, b)
            && old.id != new.id
        {
            let (step, list) =
                if old.height >= new.height { (&mut a, &mut gone) } else { (&mut b, &mut come) };
            *step = step.and_then(|link| {
                list.extend(link.body.filter(|_| self.connected.contains_key(&link.id)));
                self.connected.get(&link.parent).copied()
            });
        }
        (gone, come)
    }

    /// Adds a whole block, whose body the caller holds for the tree, and every block that waited
    /// for it.
    pub fn add(&mut self, link: Link) -> Added {
        let mut added = Added::default();
        if self.has(link.id) || self.is_too_deep(&link) {
            added.dropped.extend(link.body);
            return added;
        }
        if !self.connected.contains_key(&link.parent) {
            self.wait(link, &mut added);
            return added;
        }
        let before = self.head;
        let mut next = vec![link];
        while let Some(link) = next.pop() {
            self.connected.insert(link.id, link);
            if link.beats(&self.head) {
                self.head = link;
            }
            next.extend(self.waiting.extract_if(.., |waiting| waiting.parent == link.id));
        }
        if self.head.id != before.id {
            added.left = Some(before);
            self.prune(&mut added);
        }
        added
    }

    /// Forgets everything but genesis; the bodies to give back.
    pub fn clear(&mut self) -> Vec<BodyId> {
        let bodies = self.connected.values().chain(&self.waiting).filter_map(|link| link.body);
        let bodies = bodies.collect();
        let genesis = self.connected.values().find(|link| link.body.is_none()).map(|g| g.id);
        *self = Self::new(genesis.unwrap_or(self.head.id), self.depth);
        bodies
    }

    fn is_too_deep(&self, link: &Link) -> bool {
        link.height.saturating_add(self.depth) < self.head.height
    }

    fn wait(&mut self, link: Link, added: &mut Added) {
        self.waiting.push(link);
        if self.waiting.len() > self.depth as usize {
            added.dropped.extend(self.waiting.remove(0).body);
        }
    }

    /// Drops what lies too deep below the head; genesis stays, as a name costs nothing.
    fn prune(&mut self, added: &mut Added) {
        let floor = self.head.height.saturating_sub(self.depth);
        let deep = |link: &Link| link.height < floor && link.body.is_some();
        let dropped = self.connected.values().filter(|link| deep(link));
        added.dropped.extend(dropped.filter_map(|link| link.body));
        self.connected.retain(|_, link| !deep(link));
        let late = self.waiting.extract_if(.., |link| deep(link));
        added.dropped.extend(late.filter_map(|link| link.body));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::body::Bodies;

    fn link(id: u64, parent: u64, height: u32, slot: u32) -> Link {
        let next_slot = Slot::new(slot).next();
        Link { id: BlockId(id), parent: BlockId(parent), height, next_slot, body: None }
    }

    #[test]
    fn the_longest_chain_leads_and_of_equals_the_earlier_slot() {
        let mut chain = Chain::new(BlockId(0), 100);
        assert_eq!(chain.add(link(1, 0, 1, 5)).left.map(|left| left.id), Some(BlockId(0)));
        assert_eq!(chain.add(link(2, 0, 1, 6)).left, None, "as long, but later");
        assert_eq!(chain.add(link(3, 0, 1, 4)).left.map(|left| left.id), Some(BlockId(1)));
        let left = chain.add(link(4, 2, 2, 7)).left.expect("a longer chain");
        assert_eq!(
            (left.id, chain.head().id, chain.depth_of_fork(&left)),
            (BlockId(3), BlockId(4), 1)
        );
        let canonical: Vec<u64> = chain.canonical().map(|link| link.id.0).collect();
        assert_eq!(canonical, [4, 2, 0]);
    }

    #[test]
    fn a_block_waits_for_its_parent_and_brings_its_own_children() {
        let mut chain = Chain::new(BlockId(0), 100);
        chain.add(link(3, 2, 3, 3));
        chain.add(link(2, 1, 2, 2));
        assert_eq!(chain.head().height, 0);
        assert_eq!(chain.missing().collect::<Vec<_>>(), [BlockId(1)]);
        chain.add(link(1, 0, 1, 1));
        assert_eq!((chain.head().id, chain.missing().count()), (BlockId(3), 0));
    }

    #[test]
    fn memory_is_bounded_by_the_depth() {
        let mut chain = Chain::new(BlockId(0), 10);
        for height in 1..1_000 {
            chain.add(link(height, height - 1, height as u32, height as u32));
        }
        // All links of this test are without body, as genesis is, so none is dropped; those that
        // come too late are refused by their height.
        assert!(!chain.has(BlockId(5_000)));
        chain.add(link(5_000, 3, 4, 4));
        assert!(!chain.has(BlockId(5_000)), "985 below the head");
        for id in 0..100 {
            chain.add(link(10_000 + id, 20_000 + id, 990, 990));
        }
        assert_eq!(chain.missing().count(), 10);
    }

    /// Links with bodies, each held once: what is dropped plus what is kept is all there was.
    struct Bodied {
        chain: Chain,
        bodies: Bodies<()>,
        dropped: Vec<BodyId>,
    }

    impl Bodied {
        fn new(depth: u32) -> Self {
            let chain = Chain::new(BlockId(0), depth);
            Self { chain, bodies: Bodies::new(), dropped: Vec::new() }
        }

        fn add(&mut self, id: u64, parent: u64, height: u32) -> BodyId {
            let body = self.bodies.store(());
            let added =
                self.chain.add(Link { body: Some(body), ..link(id, parent, height, height) });
            self.dropped.extend(added.dropped);
            body
        }
    }

    #[test]
    fn bodies_far_below_the_head_are_given_back_once_and_genesis_stays() {
        let mut bodied = Bodied::new(10);
        let all: Vec<BodyId> =
            (1..=1_000).map(|height| bodied.add(height, height - 1, height as u32)).collect();
        // The head is at 1,000: 990 and above are kept.
        assert_eq!(bodied.dropped, all[..989]);
        assert!(
            bodied.chain.link(BlockId(0)).is_some() && bodied.chain.link(BlockId(989)).is_none()
        );
        let heights: Vec<u32> = bodied.chain.canonical().map(|link| link.height).collect();
        assert_eq!(heights, (990..=1_000).rev().collect::<Vec<u32>>());
        let mut rest = bodied.chain.clear();
        rest.sort();
        assert_eq!(rest, all[989..]);
        assert_eq!((bodied.chain.head().id, bodied.chain.canonical().count()), (BlockId(0), 1));
    }

    #[test]
    fn forks_and_waiting_blocks_that_fall_behind_are_given_back_too() {
        let mut bodied = Bodied::new(5);
        let fork = bodied.add(100, 0, 1);
        let waiting = bodied.add(200, 199, 3);
        for height in 1..=9 {
            bodied.add(height, height - 1, height as u32);
        }
        // The head is at 9: what is below 4 goes.
        assert!(bodied.dropped.contains(&fork) && bodied.dropped.contains(&waiting));
        assert_eq!((bodied.dropped.len(), bodied.chain.waiting().len()), (5, 0));
        // The same block again, and one that is too old, are given back at once.
        let (again, old) = (bodied.add(9, 8, 9), bodied.add(300, 3, 3));
        assert_eq!(bodied.dropped[5..], [again, old]);
    }

    #[test]
    fn of_too_many_waiting_blocks_the_one_that_came_first_goes() {
        let mut bodied = Bodied::new(3);
        let first = bodied.add(10, 9, 10);
        for id in 11..14 {
            bodied.add(id, id + 100, id as u32);
        }
        assert_eq!((bodied.dropped.as_slice(), bodied.chain.waiting().len()), (&[first][..], 3));
        assert!(!bodied.chain.has(BlockId(10)) && bodied.chain.has(BlockId(13)));
    }
}
