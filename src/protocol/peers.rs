//! Protocol layer: the peers a node knows. On a complete overlay of thousands of nodes nobody keeps
//! a list of everybody: the set is "everyone but these few".

use crate::base::id::NodeId;
use crate::base::rng::Rng;

/// The peers of one node, in increasing order; never the node itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Peers {
    /// All of the first `nodes` nodes except some; the node itself is one of them.
    AllBut {
        /// Number of nodes.
        nodes: u32,
        /// Those that are not peers, in increasing order.
        except: Vec<NodeId>,
    },
    /// These, in increasing order.
    Listed(Vec<NodeId>),
}

impl Peers {
    /// Everyone but `me`.
    #[must_use]
    pub fn everyone(me: NodeId, nodes: usize) -> Self {
        Self::AllBut { nodes: NodeId::from_index(nodes).number(), except: vec![me] }
    }

    /// Just these.
    #[must_use]
    pub fn listed(mut peers: Vec<NodeId>) -> Self {
        peers.sort_unstable();
        peers.dedup();
        Self::Listed(peers)
    }

    /// Number of peers.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::AllBut { nodes, except } => *nodes as usize - except.len(),
            Self::Listed(peers) => peers.len(),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a node is a peer.
    #[must_use]
    pub fn contains(&self, node: NodeId) -> bool {
        match self {
            Self::AllBut { nodes, except } => {
                node.number() < *nodes && except.binary_search(&node).is_err()
            }
            Self::Listed(peers) => peers.binary_search(&node).is_ok(),
        }
    }

    /// The peer at a place of the increasing order.
    ///
    /// # Panics
    /// If there are not that many.
    #[must_use]
    pub fn get(&self, place: usize) -> NodeId {
        match self {
            Self::AllBut { except, .. } => {
                assert!(place < self.len(), "a place among the peers");
                let skip =
                    |number: usize, gap: &NodeId| number + usize::from(gap.index() <= number);
                NodeId::from_index(except.iter().fold(place, skip))
            }
            Self::Listed(peers) => peers[place],
        }
    }

    /// How many peers have a smaller number than a node: the place of the first that has not.
    #[must_use]
    pub fn rank(&self, node: NodeId) -> usize {
        match self {
            Self::AllBut { nodes, except } => {
                let below = node.number().min(*nodes) as usize;
                below - except.partition_point(|gap| gap.index() < below)
            }
            Self::Listed(peers) => peers.partition_point(|peer| *peer < node),
        }
    }

    /// Adds a peer; true if it is new. Nobody adds the node itself.
    pub fn insert(&mut self, node: NodeId) -> bool {
        match self {
            Self::AllBut { except, .. } => {
                except.binary_search(&node).map(|place| except.remove(place)).is_ok()
            }
            Self::Listed(peers) => match peers.binary_search(&node) {
                Ok(_) => false,
                Err(place) => {
                    peers.insert(place, node);
                    true
                }
            },
        }
    }

    /// Takes a peer out; true if it was one.
    pub fn remove(&mut self, node: NodeId) -> bool {
        match self {
            Self::AllBut { nodes, except } => {
                let Err(place) = except.binary_search(&node) else { return false };
                if node.number() < *nodes {
                    except.insert(place, node);
                }
                node.number() < *nodes
            }
            Self::Listed(peers) => {
                peers.binary_search(&node).map(|place| peers.remove(place)).is_ok()
            }
        }
    }

    /// The peers in increasing order.
    pub fn iter(&self) -> impl Iterator<Item = NodeId> + '_ {
        (0..self.len()).map(|place| self.get(place))
    }

    /// Up to `count` different peers, uniformly, in the order drawn; `into` is cleared first.
    pub fn sample(
        &self,
        rng: &mut Rng,
        count: usize,
        into: &mut Vec<NodeId>,
        places: &mut Vec<u32>,
    ) {
        rng.sample(self.len(), count, places);
        into.clear();
        into.extend(places.iter().map(|&place| self.get(place as usize)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::{Purpose, Seed};

    #[test]
    fn everyone_but_a_few_behaves_like_the_list() {
        let mut rng = Rng::of_cluster(Seed(1), Purpose::Discovery);
        let me = NodeId::new(3);
        let mut dense = Peers::everyone(me, 12);
        let mut list = Peers::listed(NodeId::all(12).filter(|node| *node != me).collect());
        for _ in 0..500 {
            let node = NodeId::new(rng.below(12) as u32);
            if node == me {
                continue;
            }
            if rng.below(2) == 0 {
                assert_eq!(dense.insert(node), list.insert(node));
            } else {
                assert_eq!(dense.remove(node), list.remove(node));
            }
            assert!(dense.iter().eq(list.iter()));
            assert_eq!(dense.len(), list.len());
            assert_eq!(dense.contains(node), list.contains(node));
            let smaller = list.iter().filter(|peer| *peer < node).count();
            assert_eq!((dense.rank(node), list.rank(node)), (smaller, smaller));
        }
        let (mut picked, mut places) = (Vec::new(), Vec::new());
        dense.sample(&mut rng, 100, &mut picked, &mut places);
        picked.sort_unstable();
        assert!(picked.into_iter().eq(list.iter()));
    }
}
