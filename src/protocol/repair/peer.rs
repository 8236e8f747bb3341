//! Protocol layer: whom a node of Solana's style asks: a peer drawn by stake.

use crate::base::id::{NodeId, NodeMap};
use crate::base::rng::Rng;
use crate::protocol::peers::Peers;

/// How often each node is asked in proportion to the others; shared by all nodes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Weights {
    /// Sum of the weights of all nodes before each, and of all at the end.
    sums: Vec<u64>,
}

/// A peer's weight for a slot. Agave: `max(1, stake / 2 + support / 2)`, support being the stake
/// again if the peer has advertised the slot and zero if not, and the plain stake if nobody has
/// advertised it. As slots are not advertised here, that is the plain stake, at least 1.
const fn weight(stake: u64) -> u64 {
    if stake == 0 { 1 } else { stake }
}

impl Weights {
    /// The weights that follow from stakes.
    #[must_use]
    pub fn new(stakes: &NodeMap<u64>) -> Self {
        let mut sums = vec![0_u64];
        let mut sum = 0_u64;
        for stake in stakes.values() {
            // What does not fit weighs nothing.
            sum = sum.saturating_add(weight(*stake));
            sums.push(sum);
        }
        Self { sums }
    }

    const fn before(&self, node: NodeId) -> u64 {
        self.sums.as_slice()[node.index()]
    }

    const fn of(&self, node: NodeId) -> u64 {
        self.sums.as_slice()[node.index() + 1] - self.before(node)
    }

    /// A peer, each with a chance in proportion to its weight; `None` if there is none.
    pub fn draw(&self, peers: &Peers, rng: &mut Rng) -> Option<NodeId> {
        match peers {
            Peers::AllBut { nodes, except } => {
                let all = self.sums[*nodes as usize];
                let rest = except.iter().fold(all, |rest, node| rest - self.of(*node));
                if rest == 0 {
                    return None;
                }
                let mut at = rng.below(rest);
                // A place in the row without the gaps becomes one in the row with them.
                for gap in except {
                    if at >= self.before(*gap) {
                        at += self.of(*gap);
                    }
                }
                Some(NodeId::from_index(self.sums.partition_point(|sum| *sum <= at) - 1))
            }
            Peers::Listed(list) => {
                let all = list.iter().fold(0_u64, |sum, node| sum + self.of(*node));
                if all == 0 {
                    return None;
                }
                let mut at = rng.below(all);
                let chosen = list.iter().find(|node| {
                    let weight = self.of(**node);
                    let here = at < weight;
                    at = at.wrapping_sub(weight);
                    here
                });
                chosen.copied()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::{Purpose, Seed};

    #[test]
    fn peers_are_drawn_by_weight_and_others_never() {
        // Weights 5, 1, 10, 1, 4; node 2 asks, node 0 is gone: 1, 1 and 4 of 6 are left.
        let weights = Weights::new(&NodeMap::from_vec(vec![5, 0, 10, 1, 4]));
        let mut dense = Peers::everyone(NodeId::new(2), 5);
        dense.remove(NodeId::new(0));
        let listed = Peers::listed(vec![NodeId::new(4), NodeId::new(1), NodeId::new(3)]);
        for peers in [dense, listed] {
            let mut rng = Rng::of_cluster(Seed(1), Purpose::Repair);
            let mut counts = [0_u32; 5];
            for _ in 0..60_000 {
                counts[weights.draw(&peers, &mut rng).expect("a peer").index()] += 1;
            }
            // Means 10,000, 10,000 and 40,000; deviations below 116, six of them are 696.
            assert_eq!((counts[0], counts[2]), (0, 0));
            for (node, mean) in [(1, 10_000), (3, 10_000), (4, 40_000)] {
                assert!(counts[node].abs_diff(mean) < 696, "{counts:?}");
            }
        }
    }

    #[test]
    fn a_node_without_peers_draws_nobody() {
        let weights = Weights::new(&NodeMap::from_vec(vec![7]));
        let mut rng = Rng::of_cluster(Seed(1), Purpose::Repair);
        assert_eq!(weights.draw(&Peers::everyone(NodeId::new(0), 1), &mut rng), None);
        assert_eq!(weights.draw(&Peers::listed(Vec::new()), &mut rng), None);
    }
}
