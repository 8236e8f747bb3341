//! Protocol layer: the tree of blocks that a node has whole, back to genesis, and the head it would
//! build on.

mod weight;

use std::collections::{BTreeMap, BTreeSet};

use self::weight::Weight;
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

    /// Its slot.
    #[must_use]
    pub const fn slot(&self) -> Slot {
        self.next_slot.minus(1)
    }

    /// Whether it is the better head where nobody votes: the longer chain, and of equally long ones
    /// the one with the earlier slot, then the smaller name.
    fn beats(&self, other: &Self) -> bool {
        let rank = |link: &Self| (std::cmp::Reverse(link.height), link.next_slot, link.id);
        rank(self) < rank(other)
    }
}

/// A block of the tree, its place in it and the votes for it.
#[derive(Clone, Copy, Debug)]
struct Knot {
    link: Link,
    /// The child that came last.
    child: Option<BlockId>,
    /// The child of the same parent that came before.
    sibling: Option<BlockId>,
    weight: Weight,
    /// It stands on a block before the root, and so not on the root.
    aside: bool,
}

/// What came of a block.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Added {
    /// Blocks that have a path to genesis now, parents first.
    pub joined: Vec<Link>,
    /// Bodies that the tree no longer refers to.
    pub dropped: Vec<BodyId>,
}

/// The blocks of a node.
#[derive(Clone, Debug)]
pub struct Chain {
    /// Those with a path to genesis.
    connected: BTreeMap<BlockId, Knot>,
    /// Counts how often blocks were added to those or taken out.
    edition: u32,
    /// Their slots, and the ends of forks from the root on.
    slots: BTreeSet<(Slot, BlockId)>,
    ends: BTreeSet<BlockId>,
    /// Blocks that are barred.
    barred: u32,
    /// The way from the root to the heaviest block, as far as nothing has changed it.
    best: Vec<BlockId>,
    /// Whole ones whose parent is not there yet, oldest first.
    waiting: Vec<Link>,
    head: Link,
    /// The best block where nobody votes.
    longest: Link,
    /// The block that the node will never leave; genesis until votes say more.
    root: Link,
    /// The oldest block that is kept of those before the root.
    oldest: BlockId,
    genesis: BlockId,
    /// How many heights below the head, or before the root, are kept; also the limit of waiting
    /// blocks.
    depth: u32,
    /// Whether votes decide.
    weighs: bool,
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
        Self {
            connected: BTreeMap::from([(genesis, Knot::new(head, None))]),
            edition: 0,
            slots: BTreeSet::from([(Slot::ZERO, genesis)]),
            ends: BTreeSet::from([genesis]),
            barred: 0,
            best: vec![genesis],
            waiting: Vec::new(),
            head,
            longest: head,
            root: head,
            oldest: genesis,
            genesis,
            depth,
            weighs: false,
        }
    }

    /// The block to build on.
    #[must_use]
    pub const fn head(&self) -> &Link {
        &self.head
    }

    /// The end of the longest chain: the head where nobody votes.
    #[must_use]
    pub const fn longest(&self) -> BlockId {
        self.longest.id
    }

    /// The block that the node will never leave; genesis at first.
    #[must_use]
    pub const fn root(&self) -> &Link {
        &self.root
    }

    /// A block with a path to genesis.
    #[must_use]
    pub fn link(&self, id: BlockId) -> Option<&Link> {
        self.connected.get(&id).map(|knot| &knot.link)
    }

    /// A number that is another one after every change of which blocks have a path to genesis.
    #[must_use]
    pub const fn edition(&self) -> u32 {
        self.edition
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
        self.path(self.head.id)
    }

    /// A block and its ancestors, newest first, as far as they are kept.
    pub fn path(&self, from: BlockId) -> impl Iterator<Item = &Link> + '_ {
        let parent = |link: &&Link| self.link(link.parent).filter(|p| p.id != link.id);
        std::iter::successors(self.link(from), parent)
    }

    /// Where two blocks part: the last one that both stand on, or are. `None` if one of them is
    /// not there, or that lies too far back to be kept.
    #[must_use]
    pub fn common(&self, a: BlockId, b: BlockId) -> Option<&Link> {
        let (mut a, mut b) = (self.link(a)?, self.link(b)?);
        while a.id != b.id {
            let step = if a.height >= b.height { &mut a } else { &mut b };
            if step.height == 0 {
                return None;
            }
            *step = self.link(step.parent)?;
        }
        Some(a)
    }

    /// Whether a block is another's ancestor, or that block itself.
    #[must_use]
    pub fn leads_to(&self, ancestor: BlockId, block: BlockId) -> bool {
        let Some(height) = self.link(ancestor).map(|link| link.height) else { return false };
        let below = self.path(block).find(|link| link.height <= height);
        below.is_some_and(|link| link.id == ancestor)
    }

    /// How many blocks below their common ancestor a former head lies: the depth of a
    /// reorganisation, zero if the new head stands on it.
    #[must_use]
    pub fn depth_of_fork(&self, left: &Link) -> u32 {
        let (mut a, mut b) = (*left, self.head);
        while a.id != b.id {
            let step = if a.height >= b.height { &mut a } else { &mut b };
            match self.link(step.parent) {
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
                self.link(link.parent).copied()
            });
        }
        (gone, come)
    }

    /// Adds a whole block, whose body the caller holds for the tree, and every block that waited
    /// for it. The head stays where it is until the caller moves it.
    pub fn add(&mut self, link: Link) -> Added {
        let mut added = Added::default();
        if self.has(link.id) || self.is_too_old(&link) {
            added.dropped.extend(link.body);
            return added;
        }
        if !self.connected.contains_key(&link.parent) {
            self.wait(link, &mut added);
            return added;
        }
        let mut next = vec![link];
        while let Some(link) = next.pop() {
            self.connect(link);
            if link.beats(&self.longest) {
                self.longest = link;
            }
            added.joined.push(link);
            next.extend(self.waiting.extract_if(.., |waiting| waiting.parent == link.id));
        }
        added
    }

    fn connect(&mut self, link: Link) {
        let sibling =
            self.connected.get_mut(&link.parent).and_then(|parent| parent.child.replace(link.id));
        self.edition = self.edition.wrapping_add(1);
        let parent = self.connected.get(&link.parent);
        let aside = parent.is_some_and(|it| it.aside || it.link.height < self.root.height);
        self.connected.insert(link.id, Knot { aside, ..Knot::new(link, sibling) });
        self.slots.insert((link.slot(), link.id));
        if !aside {
            self.ends.remove(&link.parent);
            self.ends.insert(link.id);
            self.unsettle(link.height);
        }
    }

    /// Makes a block of the tree the one to build on. Returns the former head if it is another one,
    /// and bodies that are no longer needed.
    pub fn switch(&mut self, head: BlockId) -> (Option<Link>, Vec<BodyId>) {
        let before = self.head;
        match self.link(head) {
            Some(link) if link.id != before.id => self.head = *link,
            _ => return (None, Vec::new()),
        }
        (Some(before), self.trim())
    }

    /// Forgets everything but genesis; the bodies to give back.
    pub fn clear(&mut self) -> Vec<BodyId> {
        let connected = self.connected.values().map(|knot| &knot.link);
        let bodies = connected.chain(&self.waiting).filter_map(|link| link.body).collect();
        let edition = self.edition.wrapping_add(1);
        *self = Self { weighs: self.weighs, edition, ..Self::new(self.genesis, self.depth) };
        bodies
    }

    /// Whether a block comes too late to matter: no candidate stands on it any more.
    fn is_too_old(&self, link: &Link) -> bool {
        if self.votes() {
            return link.next_slot <= self.root.next_slot;
        }
        link.height.saturating_add(self.depth) < self.head.height
    }

    fn wait(&mut self, link: Link, added: &mut Added) {
        self.waiting.push(link);
        if self.waiting.len() > self.depth as usize {
            added.dropped.extend(self.waiting.remove(0).body);
        }
    }

    /// Drops what lies too deep below the head and cannot be left any more.
    fn trim(&mut self) -> Vec<BodyId> {
        if self.votes() { self.trim_rooted() } else { self.trim_deep() }
    }

    /// Where nobody votes, everything far below the head goes; genesis stays, as a name costs
    /// nothing.
    fn trim_deep(&mut self) -> Vec<BodyId> {
        let floor = self.head.height.saturating_sub(self.depth);
        let deep = |link: &Link| link.height < floor && link.body.is_some();
        let dropped = self.connected.values().map(|knot| knot.link).filter(deep);
        let mut bodies: Vec<BodyId> = dropped.filter_map(|link| link.body).collect();
        self.connected.retain(|_, knot| !deep(&knot.link));
        self.edition = self.edition.wrapping_add(1);
        let connected = &self.connected;
        self.slots.retain(|(_, id)| connected.contains_key(id));
        self.ends.retain(|id| connected.contains_key(id));
        let late = self.waiting.extract_if(.., |link| deep(link));
        bodies.extend(late.filter_map(|link| link.body));
        bodies
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

    /// Adds a block and moves the head to the end of the longest chain: the former head, and all
    /// bodies that are no longer needed.
    fn follow(chain: &mut Chain, link: Link) -> (Option<Link>, Vec<BodyId>) {
        let mut dropped = chain.add(link).dropped;
        let (left, trimmed) = chain.switch(chain.longest());
        dropped.extend(trimmed);
        (left, dropped)
    }

    #[test]
    fn the_longest_chain_leads_and_of_equals_the_earlier_slot() {
        let mut chain = Chain::new(BlockId(0), 100);
        assert_eq!(follow(&mut chain, link(1, 0, 1, 5)).0.map(|left| left.id), Some(BlockId(0)));
        assert_eq!(follow(&mut chain, link(2, 0, 1, 6)).0, None, "as long, but later");
        assert_eq!(follow(&mut chain, link(3, 0, 1, 4)).0.map(|left| left.id), Some(BlockId(1)));
        let left = follow(&mut chain, link(4, 2, 2, 7)).0.expect("a longer chain");
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
        follow(&mut chain, link(3, 2, 3, 3));
        follow(&mut chain, link(2, 1, 2, 2));
        assert_eq!(chain.head().height, 0);
        assert_eq!(chain.missing().collect::<Vec<_>>(), [BlockId(1)]);
        follow(&mut chain, link(1, 0, 1, 1));
        assert_eq!((chain.head().id, chain.missing().count()), (BlockId(3), 0));
    }

    #[test]
    fn memory_is_bounded_by_the_depth() {
        let mut chain = Chain::new(BlockId(0), 10);
        for height in 1..1_000 {
            follow(&mut chain, link(height, height - 1, height as u32, height as u32));
        }
        // All links of this test are without body, as genesis is, so none is dropped; those that
        // come too late are refused by their height.
        assert!(!chain.has(BlockId(5_000)));
        follow(&mut chain, link(5_000, 3, 4, 4));
        assert!(!chain.has(BlockId(5_000)), "985 below the head");
        for id in 0..100 {
            follow(&mut chain, link(10_000 + id, 20_000 + id, 990, 990));
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
            let link = Link { body: Some(body), ..link(id, parent, height, height) };
            self.dropped.extend(follow(&mut self.chain, link).1);
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
