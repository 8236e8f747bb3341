//! Protocol layer: the trees of the latest shreds, so that each is drawn once for all nodes.
//!
//! A bounded table in sets of four rows. A set replaces its rows in turn, so what is remembered
//! depends on nothing but the order of the questions, and what is answered does not even on that.

use super::ShredKey;
use crate::base::id::NodeId;

/// Rows that a key can stand in.
const WAYS: usize = 4;
/// Most rows: two slots of 1,024 data and as many coding shreds, all of them on the way at once.
const MOST_ROWS: usize = 4_096;
/// Most bytes of all rows; a cluster for which that is less than [`MOST_ROWS`] has fewer.
const MOST_BYTES: usize = 256 << 20;

/// For every row the nodes in the order of its tree, and for every node one more than its place in
/// that order, zero if it has none.
#[derive(Clone, Debug)]
struct Table<T> {
    order: Vec<T>,
    places: Vec<T>,
}

impl<T: Copy + Default> Table<T> {
    fn new(values: usize) -> Self {
        Self { order: vec![T::default(); values], places: vec![T::default(); values] }
    }

    /// Writes the row that starts at `base`.
    fn write(&mut self, base: usize, nodes: usize, order: &[NodeId], pack: impl Fn(u32) -> T) {
        let places = &mut self.places[base..base + nodes];
        places.fill(T::default());
        let cells = self.order[base..base + nodes].iter_mut();
        for ((cell, node), place) in cells.zip(order).zip(1..) {
            *cell = pack(node.number());
            places[node.index()] = pack(place);
        }
    }
}

/// Two bytes a value wherever they hold all of them, because the rows of a slot should fit into the
/// cache.
#[derive(Clone, Debug)]
enum Packed {
    Narrow(Table<u16>),
    Wide(Table<u32>),
}

/// Where the tree of a shred stands; good until the next question.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Row(usize);

/// The trees by shred: the order of each, and a bit for every node that has children.
#[derive(Clone, Debug)]
pub(super) struct Memo {
    /// The keys of each set of rows; not a single set if nothing is to be remembered.
    keys: Vec<[Option<ShredKey>; WAYS]>,
    /// Which row of a set is replaced next.
    next: Vec<u8>,
    nodes: usize,
    orders: Packed,
    inner: Vec<u64>,
    /// What was found last: the same shred is asked for several times in a row.
    last: Option<(ShredKey, Row)>,
}

impl Memo {
    /// A table for so many nodes; `remember = false` keeps a single row that no question finds.
    pub(super) fn new(nodes: usize, remember: bool) -> Self {
        // Numbers end below `nodes`, places plus one at `nodes`.
        let narrow = nodes <= usize::from(u16::MAX);
        let bytes = nodes.max(1) * if narrow { 4 } else { 8 };
        let rows = (MOST_BYTES / bytes).clamp(WAYS, MOST_ROWS);
        let sets = if remember { 1 << (rows / WAYS).ilog2() } else { 0 };
        let rows = (sets * WAYS).max(1);
        let values = rows * nodes;
        // Zeroed memory of this size is not touched before it is used.
        Self {
            keys: vec![[None; WAYS]; sets],
            next: vec![0; sets],
            nodes,
            orders: match narrow {
                true => Packed::Narrow(Table::new(values)),
                false => Packed::Wide(Table::new(values)),
            },
            inner: vec![0; rows * nodes.div_ceil(64)],
            last: None,
        }
    }

    /// The row of a shred whose tree is remembered.
    #[inline]
    pub(super) fn find(&mut self, key: &ShredKey) -> Option<Row> {
        if let Some((known, row)) = &self.last
            && known == key
        {
            return Some(*row);
        }
        let row = self.look_up(key)?;
        self.last = Some((*key, row));
        Some(row)
    }

    /// The same, as if it were not asked.
    #[inline]
    pub(super) fn look_up(&self, key: &ShredKey) -> Option<Row> {
        if self.keys.is_empty() {
            return None;
        }
        let set = self.set_of(key);
        let way = self.keys[set].iter().position(|known| known.as_ref() == Some(key))?;
        Some(Row(set * WAYS + way))
    }

    /// Remembers a tree: the nodes in its order, of which the first `inner` have children.
    pub(super) fn insert(&mut self, key: &ShredKey, order: &[NodeId], inner: usize) -> Row {
        // The row may have been that of the shred found last.
        self.last = None;
        let row = self.claim(key);
        let base = row * self.nodes;
        match &mut self.orders {
            Packed::Narrow(table) => table.write(base, self.nodes, order, |value| value as u16),
            Packed::Wide(table) => table.write(base, self.nodes, order, |value| value),
        }
        let words = self.nodes.div_ceil(64);
        let bits = &mut self.inner[row * words..(row + 1) * words];
        bits.fill(0);
        for node in &order[..inner] {
            bits[node.index() / 64] |= 1 << (node.index() % 64);
        }
        Row(row)
    }

    /// The row that a new key takes.
    fn claim(&mut self, key: &ShredKey) -> usize {
        if self.keys.is_empty() {
            return 0;
        }
        let set = self.set_of(key);
        let way = usize::from(self.next[set]);
        self.next[set] = ((way + 1) % WAYS) as u8;
        self.keys[set][way] = Some(*key);
        set * WAYS + way
    }

    /// Neighbours in a slot go to neighbouring sets, so that a slot fills all sets evenly.
    #[inline]
    fn set_of(&self, key: &ShredKey) -> usize {
        let sets = self.keys.len() as u64; // a power of two
        let kind = if key.coding { sets / 2 } else { 0 };
        // At most 2^32 * 2^31 and two small numbers: no overflow.
        let start = u64::from(key.slot.number()) * 0x1E37_79B9;
        ((start + u64::from(key.index) + kind) & (sets - 1)) as usize
    }

    /// The node at a place of the order.
    #[inline]
    pub(super) fn node(&self, Row(row): Row, place: usize) -> NodeId {
        let at = row * self.nodes + place;
        NodeId::new(match &self.orders {
            Packed::Narrow(table) => u32::from(table.order[at]),
            Packed::Wide(table) => table.order[at],
        })
    }

    /// The place of a node in the order; `None` if it is not in it.
    #[inline]
    pub(super) fn place(&self, Row(row): Row, node: NodeId) -> Option<usize> {
        let at = row * self.nodes + node.index();
        let place = match &self.orders {
            Packed::Narrow(table) => usize::from(table.places[at]),
            Packed::Wide(table) => table.places[at] as usize,
        };
        place.checked_sub(1)
    }

    /// Reads what is known of a node; the answer means nothing. Without a branch, which would wait
    /// for what it depends on.
    #[inline]
    pub(super) fn touch(&self, Row(row): Row, node: NodeId) -> u64 {
        self.inner[row * self.nodes.div_ceil(64) + node.index() / 64]
    }

    /// Whether a node has children.
    #[inline]
    pub(super) fn is_inner(&self, Row(row): Row, node: NodeId) -> bool {
        let word = self.inner[row * self.nodes.div_ceil(64) + node.index() / 64];
        word >> (node.index() % 64) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::slot::Slot;

    fn key(slot: u32, index: u32, coding: bool) -> ShredKey {
        ShredKey { slot: Slot::new(slot), index, coding, leader: NodeId::new(0) }
    }

    #[test]
    fn what_was_inserted_last_is_found_and_the_table_stays_bounded() {
        let mut memo = Memo::new(3, true);
        let order = [NodeId::new(2), NodeId::new(1)];
        let shreds = |slot| (0..4_096).map(move |i| key(slot, i / 2, i % 2 == 1));
        for shred in (0..4).flat_map(shreds) {
            memo.insert(&shred, &order, 1);
        }
        // 2,048 data and as many coding shreds: each kind goes twice around the 1,024 sets of four,
        // so that a slot fills the table exactly.
        let known = |slot| shreds(slot).filter(|shred| memo.look_up(shred).is_some()).count();
        assert_eq!([known(0), known(2), known(3)], [0, 0, 4_096]);
        let row = memo.find(&key(3, 9, false)).expect("just inserted");
        assert_eq!([0, 1].map(|place| memo.node(row, place)), order);
        let places = [0, 1, 2].map(|node| memo.place(row, NodeId::new(node)));
        assert_eq!(places, [None, Some(1), Some(0)]);
        let inner = [0, 1, 2].map(|node| memo.is_inner(row, NodeId::new(node)));
        assert_eq!(inner, [false, false, true]);
        assert_eq!(memo.find(&key(2, 9, true)), None);
    }

    #[test]
    fn two_bytes_hold_all_that_they_are_used_for() {
        // 65,535 nodes: the largest number is 65,534 and the largest place plus one 65,535.
        for nodes in [65_535_u32, 65_536, 70_000] {
            let mut memo = Memo::new(nodes as usize, false);
            let order: Vec<NodeId> = NodeId::all(nodes as usize).rev().collect();
            let row = memo.insert(&key(0, 0, false), &order, 0);
            assert_eq!(memo.node(row, 0), NodeId::new(nodes - 1));
            assert_eq!(memo.place(row, NodeId::new(0)), Some(nodes as usize - 1));
            assert!(memo.inner.iter().all(|word| *word == 0));
        }
    }
}
