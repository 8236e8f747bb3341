//! Protocol layer: whom a node of Solana's style asks: a peer drawn by stake, those that have told
//! by gossip that they have the slot twice as often (Agave 4.4,
//! `core/src/cluster_slots_service/cluster_slots.rs`, `core/src/repair/serve_repair.rs`).

use std::collections::BTreeMap;

use crate::base::id::{NodeId, NodeMap, NodeSet};
use crate::base::rng::Rng;
use crate::base::slot::Slot;
use crate::base::time::{Span, Time};
use crate::protocol::peers::Peers;

/// How often each node is asked in proportion to the others; shared by all nodes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Weights {
    /// Sum of the weights of all nodes before each, and of all at the end.
    sums: Vec<u64>,
}

/// A peer's weight where nobody has advertised the slot: the plain stake, at least 1.
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

    /// Number of nodes.
    pub(super) const fn nodes(&self) -> usize {
        self.sums.len() - 1
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

/// How long a node goes on with what it knew of a slot when it first asked for it, and of how many
/// slots (Agave, `REPAIR_PEERS_CACHE_TTL` and `REPAIR_PEERS_CACHE_CAPACITY`).
const KEPT: Span = Span::from_secs(10);
const KEPT_SLOTS: usize = 128;
/// Advertisements that are noted before they are sorted in.
const MOST_NOTED: usize = 256;

/// What a node has heard in gossip of who has which slots.
///
/// Agave weighs a peer for a slot `max(1, stake / 2 + support / 2)`, support being the stake once
/// more if the peer has advertised the slot and zero if not. Where it has, that is the plain stake,
/// and otherwise half of it. So a peer is drawn by the plain stake here, and one that has not
/// advertised the slot is taken only every other time: the same odds (but for halves of one unit
/// of stake) without a table of weights for each slot. Without Solana's gossip nobody advertises
/// slots, and peers are drawn by the plain stake, as where nobody has advertised the slot.
#[derive(Clone, Debug, Default)]
pub(super) struct Support {
    /// By node: the latest slot that it has whole and, in bits, which of the 64 before it. Slots
    /// that are further behind count as not advertised.
    heard: Vec<Option<(Slot, u64)>>,
    /// What came last and is not in `heard` yet: sorting each in at once would fetch a line of a
    /// large table from memory for it.
    noted: Vec<(NodeId, Slot, u64)>,
    /// Who had advertised a slot when the node looked last, and when that was.
    looked: BTreeMap<Slot, (Time, NodeSet)>,
}

impl Support {
    /// A validator has told which slots it has.
    #[inline]
    pub(super) fn hear(&mut self, nodes: usize, who: NodeId, (latest, before): (Slot, u64)) {
        if self.heard.is_empty() {
            self.heard.resize(nodes, None);
        }
        self.noted.push((who, latest, before));
        if self.noted.len() >= MOST_NOTED {
            self.settle();
        }
    }

    fn settle(&mut self) {
        for (who, latest, before) in self.noted.drain(..) {
            let heard = &mut self.heard[who.index()];
            // What somebody says of slots long ago does not replace what it said of the latest.
            if heard.is_none_or(|(before, _)| before <= latest) {
                *heard = Some((latest, before));
            }
        }
    }

    /// A peer to ask about a slot; `None` if there is none.
    pub(super) fn draw(
        &mut self,
        weights: &Weights,
        (slot, now): (Slot, Time),
        peers: &Peers,
        rng: &mut Rng,
    ) -> Option<NodeId> {
        let holders = self.holders(slot, now);
        let Some(holders) = holders.filter(|holders| !holders.is_empty()) else {
            return weights.draw(peers, rng);
        };
        loop {
            let peer = weights.draw(peers, rng)?;
            // A weight is at least 1, so half of one unit is one too.
            if holders.contains(peer) || weights.of(peer) == 1 || rng.below(2) == 0 {
                return Some(peer);
            }
        }
    }

    /// Who had advertised a slot when the node looked, which is now and then.
    fn holders(&mut self, slot: Slot, now: Time) -> Option<&NodeSet> {
        if self.heard.is_empty() {
            return None;
        }
        let fresh = |at: &Time| *at <= now && now.since(*at) < KEPT;
        if !self.looked.get(&slot).is_some_and(|(at, _)| fresh(at)) {
            self.settle();
            let mut holders = NodeSet::empty(self.heard.len());
            for (node, heard) in self.heard.iter().enumerate() {
                if heard.is_some_and(|slots| holds(slots, slot)) {
                    holders.insert(NodeId::from_index(node));
                }
            }
            if self.looked.len() >= KEPT_SLOTS {
                let oldest = self.looked.iter().min_by_key(|(_, (at, _))| *at);
                let oldest = oldest.map(|(slot, _)| *slot);
                oldest.map(|slot| self.looked.remove(&slot));
            }
            self.looked.insert(slot, (now, holders));
        }
        self.looked.get(&slot).map(|(_, holders)| holders)
    }
}

/// Whether a slot is among those that a node has advertised.
fn holds((latest, before): (Slot, u64), slot: Slot) -> bool {
    let bit = latest.since(slot).checked_sub(1);
    slot == latest || bit.is_some_and(|bit| bit < 64 && before >> bit & 1 == 1)
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
    fn peers_that_advertise_the_slot_are_asked_twice_as_often() {
        let weights = Weights::new(&NodeMap::from_vec(vec![8, 0, 20, 10, 4]));
        let (slot, me) = (Slot::new(9), NodeId::new(2));
        let peers = Peers::everyone(me, 5);
        let draws = |support: &mut Support, at| {
            let mut rng = Rng::of_cluster(Seed(1), Purpose::Repair);
            let mut counts = [0_u32; 5];
            for _ in 0..60_000 {
                let peer = support.draw(&weights, (slot, at), &peers, &mut rng);
                counts[peer.expect("a peer").index()] += 1;
            }
            counts
        };
        // Agave's weights: node 3 has slot 9 as the second before its latest, node 4 has only
        // others: 8 / 2, 1, 10 / 2 + 10 / 2 and 4 / 2 make 17.
        let mut support = Support::default();
        support.hear(5, NodeId::new(3), (Slot::new(11), 0b10));
        support.hear(5, NodeId::new(4), (Slot::new(11), 0b01));
        let counts = draws(&mut support, Time::ZERO);
        for (node, weight) in [(0, 4), (1, 1), (2, 0), (3, 10), (4, 2)] {
            // Deviations are below 121, six of them are 726.
            let mean = 60_000 * weight / 17;
            assert!(counts[node].abs_diff(mean) < 730, "{counts:?}");
        }
        // What is heard after the first look counts 10 s later.
        support.hear(5, NodeId::new(4), (Slot::new(11), 0b10));
        // What it says of slots long ago replaces nothing.
        support.hear(5, NodeId::new(4), (Slot::new(3), 0));
        let just_before = Time::ZERO + KEPT.saturating_sub(Span::from_nanos(1));
        assert_eq!(draws(&mut support, just_before), counts);
        let later = draws(&mut support, Time::ZERO + KEPT);
        assert!(later[4].abs_diff(60_000 * 4 / 19) < 730, "{later:?}");
        // Where nobody has the slot, and where nobody has told of any, it is the plain stake.
        let mut other = Support::default();
        let plain = draws(&mut other, Time::ZERO);
        other.hear(5, NodeId::new(4), (Slot::new(8), u64::MAX));
        assert_eq!(draws(&mut other, Time::ZERO), plain);
    }

    #[test]
    fn no_more_slots_are_kept_than_agave_keeps() {
        let weights = Weights::new(&NodeMap::from_vec(vec![8, 8]));
        let mut rng = Rng::of_cluster(Seed(1), Purpose::Repair);
        let (mut support, peers) = (Support::default(), Peers::everyone(NodeId::new(0), 2));
        support.hear(2, NodeId::new(1), (Slot::new(5), 0));
        for slot in 0..300 {
            let now = Time::ZERO + Span::from_millis(slot.into());
            support.draw(&weights, (Slot::new(slot), now), &peers, &mut rng);
        }
        assert_eq!(support.looked.len(), KEPT_SLOTS);
        assert!(support.looked.keys().all(|slot| slot.number() >= 172), "the oldest go first");
    }

    #[test]
    fn a_node_without_peers_draws_nobody() {
        let weights = Weights::new(&NodeMap::from_vec(vec![7]));
        let mut rng = Rng::of_cluster(Seed(1), Purpose::Repair);
        assert_eq!(weights.draw(&Peers::everyone(NodeId::new(0), 1), &mut rng), None);
        assert_eq!(weights.draw(&Peers::listed(Vec::new()), &mut rng), None);
    }
}
