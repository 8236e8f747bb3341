//! Metrics layer: how often nodes foresee the leader of a slot.

use std::collections::BTreeMap;

use crate::base::id::NodeId;
use crate::base::slot::Slot;

/// Slots that are remembered: predictions and blocks of one meet in this time.
const REMEMBERED: usize = 1_024;

/// Predictions of the latest slots, and sums over those before.
#[derive(Default)]
pub(super) struct Predictions {
    slots: BTreeMap<Slot, OfSlot>,
    judged: u64,
    hits: u64,
}

/// Of one slot: who made a block, and how often each leader was predicted.
#[derive(Default)]
struct OfSlot {
    leaders: Vec<NodeId>,
    predicted: BTreeMap<NodeId, u64>,
}

impl OfSlot {
    /// Predictions and how many were right; a slot without a block proves nothing.
    fn judge(&self) -> (u64, u64) {
        if self.leaders.is_empty() {
            return (0, 0);
        }
        let hits = self.leaders.iter().filter_map(|leader| self.predicted.get(leader)).sum();
        (self.predicted.values().sum(), hits)
    }
}

impl Predictions {
    pub(super) fn on_predicted(&mut self, slot: Slot, leader: NodeId) {
        if let Some(of) = self.of(slot) {
            *of.predicted.entry(leader).or_insert(0) += 1;
        }
    }

    pub(super) fn on_made(&mut self, slot: Slot, leader: NodeId) {
        if let Some(of) = self.of(slot)
            && !of.leaders.contains(&leader)
        {
            of.leaders.push(leader);
        }
    }

    /// What is remembered of a slot; `None` if it is too long ago.
    fn of(&mut self, slot: Slot) -> Option<&mut OfSlot> {
        if self.slots.len() >= REMEMBERED && !self.slots.contains_key(&slot) {
            let oldest = self.slots.first_entry().filter(|oldest| *oldest.key() < slot)?;
            let (judged, hits) = oldest.remove().judge();
            self.judged += judged;
            self.hits += hits;
        }
        Some(self.slots.entry(slot).or_default())
    }

    /// Predictions of slots in which somebody made a block, and how many of them were right.
    pub(super) fn judged(&self) -> (u64, u64) {
        self.slots
            .values()
            .map(OfSlot::judge)
            .fold((self.judged, self.hits), |(judged, hits), (more, right)| {
                (judged + more, hits + right)
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prediction_is_right_if_that_node_made_a_block_in_the_slot() {
        let mut all = Predictions::default();
        let (slot, node) = (Slot::new, NodeId::new);
        for (of, leader) in [(5, 1), (5, 1), (5, 2), (6, 1), (7, 3)] {
            all.on_predicted(slot(of), node(leader));
        }
        assert_eq!(all.judged(), (0, 0), "nobody has made a block");
        all.on_made(slot(5), node(1));
        all.on_made(slot(6), node(2));
        // Two of three for slot 5, none of one for slot 6; slot 7 proves nothing.
        assert_eq!(all.judged(), (4, 2));
        all.on_made(slot(6), node(1));
        assert_eq!(all.judged(), (4, 3), "two leaders, one of them foreseen");
        (8..5_000).for_each(|later| all.on_made(slot(later), node(1)));
        assert_eq!((all.judged(), all.slots.len()), ((4, 3), REMEMBERED));
        all.on_predicted(slot(5), node(9));
        assert_eq!(all.judged(), (4, 3), "too late to be judged");
    }
}
