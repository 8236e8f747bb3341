//! Protocol layer: the list of nodes that trees are built from.

use std::cmp::Reverse;

use crate::base::id::{NodeId, NodeMap, NodeSet};
use crate::protocol::shuffle::weighted::Weights;

/// Stands for the place of a node that is not in the list.
const ABSENT: u32 = u32::MAX;

/// The nodes of a tree, by number and by stake; built once for as long as nobody comes or goes.
#[derive(Clone, Debug)]
pub struct View {
    identities: NodeMap<[u8; 32]>,
    /// The members by number.
    members: Vec<NodeId>,
    /// Where among the members a node is.
    places: NodeMap<u32>,
    /// The members by (stake, identity), both descending (Agave 4.4 `cluster_nodes.rs`).
    ranked: Vec<NodeId>,
    /// Where in that order a node is.
    ranks: NodeMap<u32>,
    /// The stakes in that order.
    weights: Weights,
}

impl View {
    /// The list of these members with the stakes of all nodes and the 32 bytes that stand for
    /// their public keys.
    ///
    /// # Panics
    /// If a member has no stake or identity in the maps, or if the maps differ in length.
    #[must_use]
    pub fn new(members: &NodeSet, stakes: &NodeMap<u64>, identities: &NodeMap<[u8; 32]>) -> Self {
        assert_eq!(stakes.len(), identities.len(), "one stake and one identity for every node");
        let members: Vec<NodeId> = members.iter().collect();
        let mut ranked = members.clone();
        ranked.sort_unstable_by_key(|node| Reverse((stakes[*node], identities[*node])));
        let weights: Vec<u64> = ranked.iter().map(|node| stakes[*node]).collect();
        Self {
            identities: identities.clone(),
            places: places(&members, stakes.len()),
            ranks: places(&ranked, stakes.len()),
            members,
            ranked,
            weights: Weights::new(&weights),
        }
    }

    /// Number of members.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is no member.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Number of nodes of the cluster, members or not.
    #[must_use]
    pub const fn nodes(&self) -> usize {
        self.identities.len()
    }

    /// What stands for a node's public key.
    #[must_use]
    pub fn identity(&self, node: NodeId) -> &[u8; 32] {
        &self.identities[node]
    }

    /// The members by (stake, identity), both descending.
    #[must_use]
    pub fn ranked(&self) -> &[NodeId] {
        &self.ranked
    }

    /// The stakes in the order of [`View::ranked`].
    #[must_use]
    pub const fn weights(&self) -> &Weights {
        &self.weights
    }

    /// Where a member is among [`View::ranked`].
    #[must_use]
    pub fn rank(&self, node: NodeId) -> Option<u32> {
        Some(self.ranks[node]).filter(|rank| *rank != ABSENT)
    }

    /// Number of members that are not `leader`.
    #[must_use]
    pub fn others(&self, leader: NodeId) -> usize {
        self.members.len() - usize::from(self.places[leader] != ABSENT)
    }

    /// The member at a place among those that are not `leader`, in increasing order.
    ///
    /// # Panics
    /// If there are not that many.
    #[inline]
    #[must_use]
    pub fn other(&self, leader: NodeId, place: usize) -> NodeId {
        self.members[place + usize::from(self.places[leader] as usize <= place)]
    }

    /// The place of [`View::other`]; `None` for the leader and for nodes that are no members.
    #[inline]
    #[must_use]
    pub fn place(&self, leader: NodeId, node: NodeId) -> Option<usize> {
        let place = self.places[node];
        let is_other = place != ABSENT && node != leader;
        is_other.then(|| place as usize - usize::from(self.places[leader] < place))
    }
}

/// The place of every listed node in its list.
fn places(list: &[NodeId], nodes: usize) -> NodeMap<u32> {
    let mut places = NodeMap::filled(nodes, ABSENT);
    for (place, node) in (0..).zip(list) {
        places[*node] = place;
    }
    places
}
