//! Protocol layer: drawing one node by stake.

use crate::base::digest::Digest;
use crate::base::id::NodeId;

/// Nodes with the running sums of their stakes. A stake that would lift the sum above `u64::MAX`
/// counts as zero.
#[derive(Clone, Debug, Default)]
pub struct Cumulated {
    nodes: Vec<NodeId>,
    /// Sum of the stakes up to and including each node's.
    sums: Vec<u64>,
}

impl Cumulated {
    /// The nodes in this order, which is a part of every draw.
    #[must_use]
    pub fn new(stakes: impl Iterator<Item = (NodeId, u64)>) -> Self {
        let mut all = Self::default();
        for (node, stake) in stakes {
            if let Some(sum) = all.total().checked_add(stake) {
                all.nodes.push(node);
                all.sums.push(sum);
            }
        }
        all
    }

    /// Sum of all stakes.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.sums.last().copied().unwrap_or(0)
    }

    /// The first node whose running sum exceeds `sum`; `None` from the total on.
    #[must_use]
    pub fn at(&self, sum: u64) -> Option<NodeId> {
        self.nodes.get(self.sums.partition_point(|up_to| *up_to <= sum)).copied()
    }

    /// The node that a hash draws by stake: with `h` its first 16 bytes as a little-endian number
    /// and `total` the sum of the stakes, the node at `h * total / 2^128`, rounded down. No node's
    /// probability differs from its share by more than 2^-64. `None` if nobody has stake.
    #[must_use]
    pub fn drawn_by(&self, hash: &Digest) -> Option<NodeId> {
        self.at(scaled(hash, self.total()))
    }
}

/// The node of a list that a hash draws by stake, by the rule of [`Cumulated::drawn_by`]; for nodes
/// that know only a part of the stakes. Who lists the same in the same order draws the same.
#[must_use]
pub fn drawn_by_hash(hash: &Digest, stakes: &[(NodeId, u64)]) -> Option<NodeId> {
    let total = stakes.iter().fold(0_u64, |sum, (_, stake)| sum.checked_add(*stake).unwrap_or(sum));
    let mut left = scaled(hash, total);
    let mut sum = 0_u64;
    for (node, stake) in stakes {
        let Some(with) = sum.checked_add(*stake) else { continue };
        sum = with;
        match left.checked_sub(*stake) {
            Some(rest) => left = rest,
            None => return Some(*node),
        }
    }
    None
}

/// `h * total / 2^128` rounded down, with `h` the first 16 bytes of the hash.
fn scaled(hash: &Digest, total: u64) -> u64 {
    let mut high = [0; 8];
    high.copy_from_slice(&hash.0[8..16]);
    let (low, high) = (u128::from(hash.low_u64()), u128::from(u64::from_le_bytes(high)));
    let total = u128::from(total);
    // (2^64 - 1)^2 + (2^64 - 1) is below 2^128.
    ((high * total + ((low * total) >> 64)) >> 64) as u64
}
