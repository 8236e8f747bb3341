//! Base layer: dense node identities, vectors indexed by them, and sets of them.

use std::fmt;
use std::ops::{Index, IndexMut};

/// A node of the cluster: its number, dense from zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u32);

impl NodeId {
    /// The node with this number.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The node at this place of a dense vector.
    ///
    /// # Panics
    /// If there were more than `u32::MAX` nodes, which the scenario reader refuses.
    #[must_use]
    pub fn from_index(index: usize) -> Self {
        Self(u32::try_from(index).expect("a cluster has at most 2^32 nodes"))
    }

    /// The node's number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }

    /// The node's place in a dense vector.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The nodes `0..count` in order.
    pub fn all(count: usize) -> impl DoubleEndedIterator<Item = Self> + Clone + ExactSizeIterator {
        (0..count).map(Self::from_index)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node {}", self.0)
    }
}

/// One value per node; can only be indexed by [`NodeId`].
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct NodeMap<T>(Vec<T>);

impl<T> NodeMap<T> {
    /// Takes one value per node, in the order of their numbers.
    #[must_use]
    pub const fn from_vec(values: Vec<T>) -> Self {
        Self(values)
    }

    /// The same value for `count` nodes.
    #[must_use]
    pub fn filled(count: usize, value: T) -> Self
    where
        T: Clone,
    {
        Self(vec![value; count])
    }

    /// One value per node, made from its identity.
    pub fn build(count: usize, make: impl FnMut(NodeId) -> T) -> Self {
        Self(NodeId::all(count).map(make).collect())
    }

    /// Number of nodes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no node at all.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The values in the order of the nodes.
    pub fn values(&self) -> std::slice::Iter<'_, T> {
        self.0.iter()
    }

    /// The values in the order of the nodes, to change.
    pub fn values_mut(&mut self) -> std::slice::IterMut<'_, T> {
        self.0.iter_mut()
    }

    /// Nodes and their values in order.
    pub fn iter(&self) -> impl Iterator<Item = (NodeId, &T)> {
        self.0.iter().enumerate().map(|(i, value)| (NodeId::from_index(i), value))
    }

    /// The values as a plain slice, for code that works on all of them at once.
    #[must_use]
    pub fn as_slice(&self) -> &[T] {
        &self.0
    }
}

impl<T> Index<NodeId> for NodeMap<T> {
    type Output = T;
    #[inline]
    fn index(&self, node: NodeId) -> &T {
        &self.0[node.index()]
    }
}

impl<T> IndexMut<NodeId> for NodeMap<T> {
    #[inline]
    fn index_mut(&mut self, node: NodeId) -> &mut T {
        &mut self.0[node.index()]
    }
}

/// A set of nodes: one bit each.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct NodeSet {
    words: Vec<u64>,
    count: usize,
}

impl NodeSet {
    /// The empty set, with room for `nodes` nodes.
    #[must_use]
    pub fn empty(nodes: usize) -> Self {
        Self { words: vec![0; nodes.div_ceil(64)], count: 0 }
    }

    /// All of `nodes` nodes.
    #[must_use]
    pub fn full(nodes: usize) -> Self {
        NodeId::all(nodes).collect()
    }

    /// Adds a node; true if it was not there yet.
    #[inline]
    pub fn insert(&mut self, node: NodeId) -> bool {
        let (word, bit) = (node.index() / 64, 1_u64 << (node.index() % 64));
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        let fresh = self.words[word] & bit == 0;
        self.words[word] |= bit;
        self.count += usize::from(fresh);
        fresh
    }

    /// Takes a node out; true if it was there.
    pub fn remove(&mut self, node: NodeId) -> bool {
        let had = self.contains(node);
        if had {
            self.words[node.index() / 64] &= !(1_u64 << (node.index() % 64));
            self.count -= 1;
        }
        had
    }

    /// Whether the node is in the set.
    #[inline]
    #[must_use]
    pub fn contains(&self, node: NodeId) -> bool {
        self.words.get(node.index() / 64).is_some_and(|word| word & (1 << (node.index() % 64)) != 0)
    }

    /// How many nodes are in the set.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether no node is in the set.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Takes every node out and keeps the room.
    pub fn clear(&mut self) {
        self.words.fill(0);
        self.count = 0;
    }

    /// The nodes in increasing order.
    pub fn iter(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.words.iter().enumerate().flat_map(|(i, &word)| {
            (0..64)
                .filter(move |bit| word >> bit & 1 == 1)
                .map(move |b| NodeId::from_index(i * 64 + b))
        })
    }
}

impl FromIterator<NodeId> for NodeSet {
    fn from_iter<I: IntoIterator<Item = NodeId>>(nodes: I) -> Self {
        let mut set = Self::default();
        for node in nodes {
            set.insert(node);
        }
        set
    }
}

impl fmt::Debug for NodeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_counts_each_node_once_and_lists_them_in_order() {
        let mut set = NodeSet::empty(10);
        assert!(set.insert(NodeId::new(130)));
        assert!(set.insert(NodeId::new(3)));
        assert!(!set.insert(NodeId::new(3)));
        assert_eq!(set.len(), 2);
        assert_eq!(set.iter().map(NodeId::number).collect::<Vec<_>>(), [3, 130]);
        assert!(set.remove(NodeId::new(3)) && !set.remove(NodeId::new(3)));
        assert!(!set.contains(NodeId::new(3)) && !set.contains(NodeId::new(5_000)));
    }
}
