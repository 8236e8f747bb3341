//! Protocol layer: the trees of the latest shreds, so that each is drawn once for all nodes.
//!
//! Shreds of one kind and slot with neighbouring numbers form a cohort of 32, a FEC set of Solana's
//! shape. Cohorts stand in a bounded table in sets of four. A set replaces its cohorts in turn, so
//! what is remembered depends on nothing but the order of the questions, and what is answered does
//! not even on that.

use super::ShredKey;
use super::arrangement::Arrangement;
use crate::base::fetch::fetch_at;
use crate::base::id::NodeId;
use crate::base::slot::Slot;

/// Shreds of a cohort, as a power of two: a bit each fits one word.
const COHORT_BITS: u32 = 5;
const COHORT: usize = 1 << COHORT_BITS;
/// Cohorts of a set.
const WAYS: usize = 4;
/// Most rows: two slots of 1,024 data and as many coding shreds, all of them on the way at once.
const MOST_ROWS: usize = 4_096;
/// Most bytes of all rows; a cluster for which that is less than [`MOST_ROWS`] has fewer, though
/// at least one set of cohorts.
const MOST_BYTES: usize = 256 << 20;

/// The nodes of each row in the order of an [`Arrangement`]: two bytes each wherever they hold the
/// number of every node, because the rows of a slot should fit into the cache.
#[derive(Clone, Debug)]
enum Orders {
    Narrow(Vec<u16>),
    Wide(Vec<u32>),
}

/// Which cohort.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct CohortKey {
    slot: Slot,
    leader: NodeId,
    /// The number of the cohort among those of its kind, doubled, and one more for coding shreds.
    number: u32,
}

impl CohortKey {
    #[inline]
    const fn of(key: &ShredKey) -> Self {
        let number = key.index >> COHORT_BITS << 1 | key.coding as u32;
        Self { slot: key.slot, leader: key.leader, number }
    }
}

/// Where the tree of a shred stands; good until the next question.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Row(usize);

/// The trees by shred: the order of each, and who passes which of them on.
#[derive(Clone, Debug)]
pub(super) struct Memo {
    /// The keys of each set of cohorts; not a single set if nothing is to be remembered.
    keys: Vec<[Option<CohortKey>; WAYS]>,
    /// Which cohort of a set is replaced next.
    next: Vec<u8>,
    nodes: usize,
    orders: Orders,
    /// For every cohort which of its trees have been drawn.
    drawn: Vec<u32>,
    /// For every cohort and node in which of these trees the node has children.
    inner: Vec<u32>,
    /// What was found last: the same cohort is asked for several times in a row.
    last: Option<(CohortKey, usize)>,
}

impl Memo {
    /// A table for so many nodes; `remember = false` keeps a single row that no question finds.
    pub(super) fn new(nodes: usize, remember: bool) -> Self {
        let narrow = nodes <= 1 << u16::BITS;
        let bytes = nodes.max(1) * if narrow { 2 } else { 4 };
        let rows = (MOST_BYTES / bytes).clamp(COHORT * WAYS, MOST_ROWS);
        let sets = if remember { 1 << (rows / COHORT / WAYS).ilog2() } else { 0 };
        let (cohorts, rows) = ((sets * WAYS).max(1), (sets * WAYS * COHORT).max(1));
        // Zeroed memory of this size is not touched before it is used.
        Self {
            keys: vec![[None; WAYS]; sets],
            next: vec![0; sets],
            nodes,
            orders: match narrow {
                true => Orders::Narrow(vec![0; rows * nodes]),
                false => Orders::Wide(vec![0; rows * nodes]),
            },
            drawn: vec![0; cohorts],
            inner: vec![0; cohorts * nodes],
            last: None,
        }
    }

    /// Whether it remembers any tree but the last.
    pub(super) fn remembers(&self) -> bool {
        !self.keys.is_empty()
    }

    /// The row of a shred whose tree is remembered.
    #[inline]
    pub(super) fn find(&mut self, key: &ShredKey) -> Option<Row> {
        let cohort = CohortKey::of(key);
        let place = match self.last {
            Some((known, place)) if known == cohort => place,
            _ => {
                let place = self.place(&cohort)?;
                self.last = Some((cohort, place));
                place
            }
        };
        self.row(key, place)
    }

    /// The same, as if it were not asked.
    #[inline]
    pub(super) fn look_up(&self, key: &ShredKey) -> Option<Row> {
        self.row(key, self.place(&CohortKey::of(key))?)
    }

    #[inline]
    fn place(&self, cohort: &CohortKey) -> Option<usize> {
        if self.keys.is_empty() {
            return None;
        }
        let set = self.set_of(cohort);
        let way = self.keys[set].iter().position(|known| known.as_ref() == Some(cohort))?;
        Some(set * WAYS + way)
    }

    #[inline]
    fn row(&self, key: &ShredKey, cohort: usize) -> Option<Row> {
        let tree = key.index as usize % COHORT;
        (self.drawn[cohort] >> tree & 1 == 1).then_some(Row(cohort * COHORT + tree))
    }

    /// Remembers a tree: the nodes in its order. `kept` says where each is kept, and the first
    /// `inner` have children.
    pub(super) fn insert(&mut self, key: &ShredKey, order: &[NodeId], tree: &Arrangement) -> Row {
        let cohort = self.claim(key);
        let tree_bit = match self.keys.is_empty() {
            true => 0,
            false => key.index as usize % COHORT,
        };
        let row = cohort * COHORT + tree_bit;
        let cells = row * self.nodes..(row + 1) * self.nodes;
        match &mut self.orders {
            Orders::Narrow(orders) => {
                write(&mut orders[cells], order, tree, |node| node as u16);
            }
            Orders::Wide(orders) => write(&mut orders[cells], order, tree, |node| node),
        }
        let inner = &mut self.inner[cohort * self.nodes..(cohort + 1) * self.nodes];
        for node in &order[..tree.inner()] {
            inner[node.index()] |= 1 << tree_bit;
        }
        self.drawn[cohort] |= 1 << tree_bit;
        Row(row)
    }

    /// The cohort of a new tree.
    fn claim(&mut self, key: &ShredKey) -> usize {
        let cohort = CohortKey::of(key);
        if let Some(place) = self.place(&cohort) {
            return place;
        }
        // The place may have been that of the cohort found last.
        self.last = None;
        let place = match self.keys.is_empty() {
            true => 0,
            false => {
                let set = self.set_of(&cohort);
                let way = usize::from(self.next[set]);
                self.next[set] = ((way + 1) % WAYS) as u8;
                self.keys[set][way] = Some(cohort);
                set * WAYS + way
            }
        };
        self.drawn[place] = 0;
        self.inner[place * self.nodes..(place + 1) * self.nodes].fill(0);
        place
    }

    /// Neighbours in a slot go to neighbouring sets, so that a slot fills all sets evenly.
    #[inline]
    fn set_of(&self, cohort: &CohortKey) -> usize {
        let sets = self.keys.len() as u64; // a power of two
        let kind = if cohort.number & 1 == 1 { sets / 2 } else { 0 };
        // At most 2^32 * 2^31 and two small numbers: no overflow.
        let start = u64::from(cohort.slot.number()) * 0x1E37_79B9;
        ((start + u64::from(cohort.number >> 1) + kind) & (sets - 1)) as usize
    }

    /// The node that is kept at a place of a row.
    #[inline]
    pub(super) fn node(&self, Row(row): Row, at: usize) -> NodeId {
        let at = row * self.nodes + at;
        NodeId::new(match &self.orders {
            Orders::Narrow(orders) => u32::from(orders[at]),
            Orders::Wide(orders) => orders[at],
        })
    }

    /// Fetches a place of a row.
    #[inline]
    pub(super) fn fetch(&self, Row(row): Row, at: usize) {
        let at = row * self.nodes + at;
        match &self.orders {
            Orders::Narrow(orders) => fetch_at(orders, at),
            Orders::Wide(orders) => fetch_at(orders, at),
        }
    }

    /// Whether a node has children.
    #[inline]
    pub(super) fn is_inner(&self, Row(row): Row, node: NodeId) -> bool {
        let (cohort, tree) = (row / COHORT, row % COHORT);
        self.inner[cohort * self.nodes + node.index()] >> tree & 1 == 1
    }
}

fn write<T>(cells: &mut [T], order: &[NodeId], tree: &Arrangement, pack: impl Fn(u32) -> T) {
    for (node, at) in order.iter().zip(tree.kept()) {
        cells[*at as usize] = pack(node.number());
    }
}

#[cfg(test)]
mod tests {
    use super::super::layout::Layout;
    use super::*;

    fn key(slot: u32, index: u32, coding: bool) -> ShredKey {
        ShredKey { slot: Slot::new(slot), index, coding, leader: NodeId::new(0) }
    }

    fn chain(len: usize) -> Arrangement {
        Arrangement::new(Layout::Heap, 1, len)
    }

    #[test]
    fn what_was_inserted_last_is_found_and_the_table_stays_bounded() {
        let mut memo = Memo::new(3, true);
        let order = [NodeId::new(2), NodeId::new(1)];
        let shreds = |slot| (0..4_096).map(move |i| key(slot, i / 2, i % 2 == 1));
        for shred in (0..4).flat_map(shreds) {
            memo.insert(&shred, &order, &chain(2));
        }
        // 2,048 data and as many coding shreds are 64 cohorts each, and each kind goes twice around
        // the 32 sets of four, so that a slot fills the table exactly.
        let known = |slot| shreds(slot).filter(|shred| memo.look_up(shred).is_some()).count();
        assert_eq!([known(0), known(2), known(3)], [0, 0, 4_096]);
        let row = memo.find(&key(3, 9, false)).expect("just inserted");
        assert_eq!([0, 1].map(|place| memo.node(row, place)), order);
        let inner = [0, 1, 2].map(|node| memo.is_inner(row, NodeId::new(node)));
        assert_eq!(inner, [false, false, true]);
        assert_eq!(memo.find(&key(2, 9, true)), None);
    }

    #[test]
    fn trees_of_a_cohort_are_told_apart() {
        let mut memo = Memo::new(3, true);
        let orders = [[1, 0], [2, 1], [0, 2]].map(|order| order.map(NodeId::new));
        memo.insert(&key(1, 33, false), &orders[0], &chain(2));
        assert_eq!(memo.find(&key(1, 34, false)), None, "not drawn yet");
        memo.insert(&key(1, 34, false), &orders[1], &chain(2));
        memo.insert(&key(1, 34, true), &orders[2], &chain(2));
        let shreds = [key(1, 33, false), key(1, 34, false), key(1, 34, true)];
        for (shred, order) in shreds.iter().zip(orders) {
            let row = memo.find(shred).expect("drawn");
            assert_eq!([0, 1].map(|place| memo.node(row, place)), order);
            let inner = NodeId::all(3).filter(|node| memo.is_inner(row, *node));
            assert_eq!(inner.collect::<Vec<_>>(), order[..1]);
        }
    }

    #[test]
    fn two_bytes_hold_all_that_they_are_used_for() {
        for nodes in [65_535_u32, 65_536, 65_537, 70_000] {
            let mut memo = Memo::new(nodes as usize, false);
            let order: Vec<NodeId> = NodeId::all(nodes as usize).rev().collect();
            let alone = Arrangement::new(Layout::Heap, nodes as usize, nodes as usize);
            let row = memo.insert(&key(0, 7, false), &order, &alone);
            assert_eq!(memo.node(row, 0), NodeId::new(nodes - 1));
            assert_eq!(memo.node(row, nodes as usize - 1), NodeId::new(0));
            assert_eq!(memo.find(&key(0, 7, false)), None);
        }
    }
}
