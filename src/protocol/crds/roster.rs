//! Protocol layer: the peers a node may gossip with, by the bit length of their stake, and draws
//! among them by weight. It is what a weighted shuffle gives, one entry at a time.

use crate::base::id::{NodeId, NodeMap};
use crate::base::rng::Rng;

/// Bit lengths of a stake: 0 to 64.
const CLASSES: usize = 65;

/// The highest bucket of a stake (Agave, gossip/src/push_active_set.rs: 25 entries).
const LAST_BUCKET: u8 = 24;

/// The bit length of a stake in whole SOL.
pub(super) const fn bit_length(stake: u64) -> u8 {
    (u64::BITS - stake.leading_zeros()) as u8
}

/// The stake bucket of a bit length.
pub(super) const fn bucket(bits: u8) -> u8 {
    if bits < LAST_BUCKET { bits } else { LAST_BUCKET }
}

/// The weight of a peer when the active set of a bucket is rotated.
pub(super) fn push_weight(bits: u8, entry: u8) -> u64 {
    let weight = u64::from(bucket(bits).min(entry)) + 1;
    weight * weight
}

/// The weight of a peer as receiver of a pull request.
pub(super) fn pull_weight(bits: u8, own: u8) -> u64 {
    let weight = u64::from(bits.min(own)) + 1;
    weight * weight
}

/// Peers in groups of equal bit length, in increasing order within each.
#[derive(Clone, Debug)]
pub(super) struct Roster {
    nodes: Vec<NodeId>,
    /// Where each group starts, and the end of the last.
    starts: [u32; CLASSES + 1],
}

impl Roster {
    /// Nobody.
    pub(super) const fn empty() -> Self {
        Self { nodes: Vec::new(), starts: [0; CLASSES + 1] }
    }

    /// These peers, in increasing order.
    pub(super) fn fill(&mut self, peers: &[NodeId], classes: &NodeMap<u8>) {
        self.starts.fill(0);
        for peer in peers {
            self.starts[usize::from(classes[*peer]) + 1] += 1;
        }
        for class in 0..CLASSES {
            self.starts[class + 1] += self.starts[class];
        }
        let mut next = self.starts;
        self.nodes.clear();
        self.nodes.resize(peers.len(), NodeId::new(0));
        for peer in peers {
            let place = &mut next[usize::from(classes[*peer])];
            self.nodes[*place as usize] = *peer;
            *place += 1;
        }
    }

    fn group(&self, class: usize) -> &[NodeId] {
        &self.nodes[self.starts[class] as usize..self.starts[class + 1] as usize]
    }

    /// One peer that is not among `excluded`, with a chance in proportion to the weight of its bit
    /// length; `None` if nobody is left. Drawing again with the one drawn excluded is a weighted
    /// shuffle.
    pub(super) fn draw(
        &self,
        rng: &mut Rng,
        weight: impl Fn(u8) -> u64,
        excluded: &[NodeId],
        classes: &NodeMap<u8>,
    ) -> Option<NodeId> {
        let mut left = [0_u64; CLASSES];
        for (class, left) in left.iter_mut().enumerate() {
            *left = self.group(class).len() as u64;
        }
        for node in excluded {
            let class = usize::from(classes[*node]);
            left[class] -= u64::from(self.group(class).binary_search(node).is_ok());
        }
        let weights = || left.iter().enumerate().map(|(class, left)| left * weight(class as u8));
        let total: u64 = weights().sum();
        if total == 0 {
            return None;
        }
        let mut drawn = rng.below(total);
        for (class, sum) in weights().enumerate() {
            if drawn < sum {
                return Some(self.pick(class, drawn / weight(class as u8), excluded));
            }
            drawn -= sum;
        }
        None
    }

    /// The peer at a place of a group, not counting those excluded.
    fn pick(&self, class: usize, place: u64, excluded: &[NodeId]) -> NodeId {
        let group = self.group(class);
        // Every excluded one at or before the place moves it on; count again until it stays.
        let mut at = place as usize;
        loop {
            let before = excluded
                .iter()
                .filter(|node| group.binary_search(node).is_ok_and(|excluded| excluded <= at));
            let moved = place as usize + before.count();
            if moved == at {
                return group[at];
            }
            at = moved;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::{Purpose, Seed};

    #[test]
    fn buckets_and_weights_are_those_of_the_fact_sheet() {
        // min(bit length of whole SOL, 24): 2^23 has 24 bits, and so has everything above here.
        let stakes = [0, 1, 2, 3, 4, 125_149, 8_388_607, 8_388_608, 13_827_531, u64::MAX];
        let buckets = stakes.map(|stake| bucket(bit_length(stake)));
        assert_eq!(buckets, [0, 1, 2, 2, 3, 17, 23, 24, 24, 24]);
        // (min(bucket of the peer, k) + 1)^2.
        assert_eq!([push_weight(17, 24), push_weight(17, 3), push_weight(0, 24)], [324, 16, 1]);
        assert_eq!([push_weight(64, 24), push_weight(5, 0)], [625, 1]);
        assert_eq!([pull_weight(30, 40), pull_weight(30, 2)], [961, 9]);
    }

    #[test]
    fn draws_follow_the_weights_and_leave_the_excluded_out() {
        // Bit lengths 0, 0, 1, 3, 3, 3, 0; node 6 is no peer.
        let classes = NodeMap::from_vec(vec![0, 0, 1, 3, 3, 3, 0]);
        let peers: Vec<NodeId> = NodeId::all(6).collect();
        let mut roster = Roster::empty();
        roster.fill(&peers, &classes);
        let mut rng = Rng::of_cluster(Seed(5), Purpose::ClusterInfo);
        let excluded = [1, 3, 6].map(NodeId::new);
        let mut counts = [0_u32; 7];
        for _ in 0..38_000 {
            let drawn = roster.draw(&mut rng, |bits| push_weight(bits, 2), &excluded, &classes);
            counts[drawn.expect("somebody is left").index()] += 1;
        }
        // Left with weights in entry 2: node 0 with 1, node 2 with 4, nodes 4 and 5 with 9: of 23.
        // 38,000/23 = 1652; deviations 40, 74, 93, 93; five of them.
        for (node, expected, five) in [(0, 1_652, 200), (2, 6_609, 370), (4, 14_870, 475)] {
            assert!(counts[node].abs_diff(expected) < five, "{counts:?}");
        }
        assert_eq!([counts[1], counts[3], counts[6]], [0; 3]);
        assert_eq!(counts.iter().sum::<u32>(), 38_000);
        let all: Vec<NodeId> = NodeId::all(7).collect();
        assert_eq!(roster.draw(&mut rng, |_| 1, &all, &classes), None);
    }

    #[test]
    fn a_shuffle_of_draws_comes_to_everybody_once() {
        let classes = NodeMap::build(40, |node| (node.number() % 7) as u8);
        let peers: Vec<NodeId> = NodeId::all(40).collect();
        let mut roster = Roster::empty();
        roster.fill(&peers, &classes);
        let mut rng = Rng::of_cluster(Seed(6), Purpose::ClusterInfo);
        let mut drawn = Vec::new();
        while let Some(next) = roster.draw(&mut rng, |b| push_weight(b, 24), &drawn, &classes) {
            drawn.push(next);
        }
        drawn.sort_unstable();
        assert_eq!(drawn, peers);
    }
}
