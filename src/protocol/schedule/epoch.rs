//! Protocol layer: Solana's leader schedule, exact to the bit (Agave 4.4, `leader-schedule`).
//!
//! Solana keys the stakes by vote account; here the identity of the node stands for it.

use std::cmp::Reverse;

use super::Config;
use super::stakes::Cumulated;
use crate::base::id::{NodeId, NodeMap};
use crate::base::slot::Slot;
use crate::protocol::shuffle::{ChaCha, Generator};

/// Epochs that are remembered; the nodes of a cluster ask for the present one and the next few.
const REMEMBERED: usize = 8;
/// Windows drawn at a time.
const BLOCK: usize = 1_024;

/// The schedules of all epochs, drawn as far as they were asked for.
#[derive(Clone, Debug)]
pub(super) struct Epochs {
    /// By (stake, identity), both descending.
    stakes: Cumulated,
    slots_per_epoch: u32,
    window: u32,
    first_epoch: u32,
    /// The epochs asked for last, in the order in which they were first asked for.
    known: Vec<Epoch>,
}

/// The leaders of an epoch's windows, as far as they are drawn.
#[derive(Clone, Debug)]
struct Epoch {
    number: u64,
    random: ChaCha,
    leaders: Vec<NodeId>,
}

impl Epochs {
    pub(super) fn new(
        config: &Config,
        stakes: &NodeMap<u64>,
        identities: &NodeMap<[u8; 32]>,
    ) -> Self {
        let mut ranked: Vec<(NodeId, u64)> = stakes.iter().map(|(node, s)| (node, *s)).collect();
        ranked.sort_unstable_by_key(|(node, stake)| Reverse((*stake, identities[*node])));
        Self {
            stakes: Cumulated::new(ranked.into_iter()),
            slots_per_epoch: config.slots_per_epoch,
            window: config.window(),
            first_epoch: config.first_epoch,
            known: Vec::new(),
        }
    }

    /// The leader of a slot.
    pub(super) fn leader(&mut self, slot: Slot) -> Option<NodeId> {
        let total = self.stakes.total();
        if total == 0 {
            return None;
        }
        let number = u64::from(self.first_epoch) + u64::from(slot.number() / self.slots_per_epoch);
        let window = (slot.number() % self.slots_per_epoch / self.window) as usize;
        let epoch = self.epoch(number);
        let Epoch { random, leaders, .. } = &mut self.known[epoch];
        if window >= leaders.len() {
            let all = self.slots_per_epoch.div_ceil(self.window) as usize;
            let until = (window + 1).next_multiple_of(BLOCK).min(all);
            leaders.extend((leaders.len()..until).map(|_| {
                let drawn = random.below_fixed(total);
                self.stakes.at(drawn).expect("a draw below the total finds a node")
            }));
        }
        Some(leaders[window])
    }

    /// The first slot of the window after the one of `slot`; `None` after the last of all slots.
    pub(super) fn next_window(&self, slot: u32) -> Option<u32> {
        let (epoch, within) = (slot / self.slots_per_epoch, slot % self.slots_per_epoch);
        let next = (u64::from(within / self.window) + 1) * u64::from(self.window);
        let next = next.min(u64::from(self.slots_per_epoch));
        u32::try_from(u64::from(epoch) * u64::from(self.slots_per_epoch) + next).ok()
    }

    /// Where an epoch is remembered.
    fn epoch(&mut self, number: u64) -> usize {
        if let Some(place) = self.known.iter().position(|epoch| epoch.number == number) {
            return place;
        }
        if self.known.len() == REMEMBERED {
            self.known.remove(0);
        }
        let mut key = [0; 32];
        key[..8].copy_from_slice(&number.to_le_bytes());
        let random = ChaCha::new(Generator::Chacha20, key);
        self.known.push(Epoch { number, random, leaders: Vec::new() });
        self.known.len() - 1
    }
}
