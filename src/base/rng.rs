//! Base layer: the randomness that node logic and the plan draw from: one ChaCha8 stream for every
//! (seed, purpose, node), so that an extra draw in one place moves nothing anywhere else.
//!
//! Only the raw 64-bit output of ChaCha8 is used; integers, choices and shuffles are made from it
//! here, so that no library release can change a result. The streams are frozen by golden vectors.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng};

use super::digest::Digest;
use super::id::NodeId;
use super::quantity::Chance;

/// The seed of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seed(pub u64);

/// What a stream of chance is for. Numbers are part of the format: append, never renumber.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Purpose {
    /// Random topologies.
    Topology = 1,
    /// Stakes drawn from a distribution.
    Stakes = 2,
    /// Where nodes are placed.
    Placement = 3,
    /// Node selectors such as `random:10` and `stake:33%`.
    Selection = 4,
    /// Faults drawn at plan time: churn and random groups.
    Faults = 5,
    /// Node identities and key pairs.
    Identity = 6,
    /// When and where the rumor workload injects.
    Workload = 7,
    /// Choices of peer discovery.
    Discovery = 8,
    /// Choices of gossip about validators.
    Gossip = 9,
    /// Choices of rumor spreading.
    Rumors = 10,
    /// Weather: loss of messages.
    Loss = 11,
    /// Weather: base latency of a link or message.
    Latency = 12,
    /// Weather: jitter of a message.
    Jitter = 13,
    /// Weather: duplication of messages.
    Duplication = 14,
    /// Weather: corruption of messages.
    Corruption = 15,
    /// Weather: loss by a fault of the scenario.
    FaultLoss = 16,
    /// Weather: duplication by a fault of the scenario.
    FaultDuplication = 17,
    /// Weather: extra latency by a fault of the scenario.
    FaultLatency = 18,
    /// Weather: the initial state and steps of Gilbert-Elliott chains.
    LossState = 19,
    /// Choices of Solana's gossip.
    ClusterInfo = 20,
    /// Choices of block propagation.
    Turbine = 21,
    /// Choices of repair.
    Repair = 22,
    /// Choices of forwarding.
    Forwarding = 23,
    /// When, where and between whom the transaction workload injects.
    Transactions = 24,
    /// Synthetic blocks and the genesis of the chain.
    Blocks = 25,
    /// What adversaries choose.
    Adversary = 26,
    /// The faults of `[chaos]`, a stream for each of them.
    Chaos = 27,
    /// The adversaries of `[chaos]`, a stream for each of them.
    ChaosAdversaries = 28,
}

/// Format number of the streams; raising it moves every draw of every run.
const STREAM_FORMAT: u32 = 1;

/// The 32-byte key of a stream: SHA-256 over tag, format, seed, purpose and node.
pub(super) fn stream_key(seed: Seed, purpose: Purpose, node: u32) -> Digest {
    Digest::of_parts(&[
        b"headwater stream",
        &STREAM_FORMAT.to_le_bytes(),
        &seed.0.to_le_bytes(),
        &(purpose as u32).to_le_bytes(),
        &node.to_le_bytes(),
    ])
}

/// One stream of random integers.
#[derive(Clone, Debug)]
pub struct Rng(ChaCha8Rng);

impl Rng {
    /// The stream of one node for one purpose.
    #[must_use]
    pub fn of_node(seed: Seed, purpose: Purpose, node: NodeId) -> Self {
        Self(ChaCha8Rng::from_seed(stream_key(seed, purpose, node.number()).0))
    }

    /// The stream of the whole cluster for one purpose (used while the plan is made).
    #[must_use]
    pub fn of_cluster(seed: Seed, purpose: Purpose) -> Self {
        Self(ChaCha8Rng::from_seed(stream_key(seed, purpose, u32::MAX).0))
    }

    /// 64 uniform bits.
    #[inline]
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A uniform integer below `bound`, without bias (Lemire, "Fast random integer generation in an
    /// interval", 2019).
    ///
    /// # Panics
    /// If `bound` is zero.
    #[inline]
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "nothing is below zero");
        loop {
            let product = u128::from(self.bits()) * u128::from(bound);
            let low = product as u64;
            // The exact rejection bound costs a division and is needed only when `low` is small.
            if low >= bound || low >= bound.wrapping_neg() % bound {
                return (product >> 64) as u64;
            }
        }
    }

    /// A uniform place in a list of `len` entries.
    ///
    /// # Panics
    /// If the list is empty.
    #[inline]
    pub fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    /// Whether something of this probability happens.
    #[inline]
    pub fn chance(&mut self, chance: Chance) -> bool {
        chance.hit(self.bits())
    }

    /// A uniform entry of the list, or `None` if it is empty.
    pub fn pick<'a, T>(&mut self, list: &'a [T]) -> Option<&'a T> {
        if list.is_empty() { None } else { Some(&list[self.index(list.len())]) }
    }

    /// A uniform order (Fisher and Yates, from the end).
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            let other = self.index(last + 1);
            list.swap(last, other);
        }
    }

    /// `count` different places out of `len`, uniform without replacement, in the order drawn; all
    /// of them if `count` is larger. Written into `into`, which is cleared first.
    ///
    /// Floyd's method: `count` draws whatever `len` is, so it is cheap to pick 3 of 10,000.
    pub fn sample(&mut self, len: usize, count: usize, into: &mut Vec<u32>) {
        into.clear();
        let count = count.min(len);
        for last in len - count..len {
            let drawn = self.index(last + 1) as u32;
            let place = if into.contains(&drawn) { last as u32 } else { drawn };
            into.push(place);
        }
        // Floyd's set is uniform but its order is not: a late place is more often `last`.
        self.shuffle(into);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_streams_are_frozen() {
        // Independent of this code: SHA-256 of the parts with 8-byte little-endian lengths gives
        // the key, and ChaCha8 with that key, nonce zero and counter zero gives the words (checked
        // with Python's hashlib and a twenty-line ChaCha written from RFC 8439 with 8 rounds).
        let key = stream_key(Seed(42), Purpose::Gossip, 7);
        assert_eq!(
            key.to_string(),
            "129be089b2b54609589a94502712e0015c8fd04ca0f982b0e0426891869b6f2c"
        );
        let mut rng = Rng::of_node(Seed(42), Purpose::Gossip, NodeId::new(7));
        assert_eq!([rng.bits(), rng.bits()], [0x5317_b9e2_9481_f54a, 0x85ec_bfd5_f1e4_cec6]);
    }

    #[test]
    fn streams_differ_by_seed_purpose_and_node() {
        let first =
            |seed, purpose, node| Rng::of_node(Seed(seed), purpose, NodeId::new(node)).bits();
        let all = [
            first(1, Purpose::Gossip, 0),
            first(2, Purpose::Gossip, 0),
            first(1, Purpose::Rumors, 0),
            first(1, Purpose::Gossip, 1),
        ];
        for (i, a) in all.iter().enumerate() {
            assert!(all[i + 1..].iter().all(|b| a != b));
        }
    }

    #[test]
    fn below_is_uniform() {
        let mut rng = Rng::of_cluster(Seed(1), Purpose::Workload);
        let mut counts = [0_u32; 7];
        for _ in 0..70_000 {
            counts[rng.index(7)] += 1;
        }
        // Chi-square with 6 degrees of freedom: 99.99 % of uniform samples stay below 27.9.
        let excess = |n: u32| {
            let off = f64::from(n) - 10_000.0;
            off * off / 10_000.0
        };
        let chi_square: f64 = counts.iter().map(|&n| excess(n)).sum();
        assert!(chi_square < 27.9, "{counts:?}");
    }

    #[test]
    fn a_sample_has_different_places_and_every_place_comes_equally_often() {
        let mut rng = Rng::of_cluster(Seed(3), Purpose::Workload);
        let (mut places, mut counts, mut firsts) = (Vec::new(), [0_u32; 10], [0_u32; 10]);
        for _ in 0..20_000 {
            rng.sample(10, 3, &mut places);
            let mut sorted = places.clone();
            sorted.sort_unstable();
            sorted.dedup();
            assert_eq!(sorted.len(), 3);
            places.iter().for_each(|&place| counts[place as usize] += 1);
            firsts[places[0] as usize] += 1;
        }
        // 20,000 draws of probability 0.3: mean 6,000, deviation 65; six of them are 390. As the
        // first place: probability 0.1, mean 2,000, deviation 42; six of them are 255.
        assert!(counts.iter().all(|&n| n.abs_diff(6_000) < 390), "{counts:?}");
        assert!(firsts.iter().all(|&n| n.abs_diff(2_000) < 255), "{firsts:?}");
        rng.sample(4, 9, &mut places);
        assert_eq!(places.len(), 4);
    }
}
