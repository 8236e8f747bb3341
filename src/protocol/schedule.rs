//! Protocol layer: leader schedules: who may make the block of a slot. Public: every node computes
//! the same one.

mod epoch;
pub mod poh;
pub mod stakes;
#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::epoch::Epochs;
use self::poh::TickChain;
use self::stakes::Cumulated;
use crate::base::digest::Digest;
use crate::base::id::{NodeId, NodeMap};
use crate::base::rng::Seed;
use crate::base::slot::Slot;
use crate::protocol::setting::{SettingError, at_least_one};

/// How the leaders of slots are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Drawn by stake from the hash that a public chain of ticks has at the slot (the classroom's
    /// way).
    Poh,
    /// Drawn by stake for a whole epoch at a time (Solana's way, exact to the bit).
    #[default]
    Epoch,
    /// The nodes with stake in turn, in increasing order of their numbers.
    RoundRobin,
    /// An explicit list, repeated.
    List,
}

/// Who leads which slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How the leaders are found.
    pub kind: Kind,
    /// How many slots in a row a leader has each time it is chosen. Without this key 4 in the kinds
    /// "epoch" and "round-robin", 1 in "poh" and "list".
    #[schemars(range(min = 1))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<u32>,
    /// Slots of an epoch, in the kind "epoch"; a window that its end cuts short is not continued.
    #[schemars(range(min = 1))]
    pub slots_per_epoch: u32,
    /// The number of the epoch that starts with slot 0, in the kind "epoch". Its leaders follow
    /// from this number and the stakes alone, not from the seed of the run.
    pub first_epoch: u32,
    /// Hashes of the public chain of ticks in one slot, in the kind "poh".
    #[schemars(range(min = 1, max = 1_000_000))]
    pub hashes_per_slot: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            kind: Kind::default(),
            window: None,
            // Solana's mainnet: two days of slots of 0.4 s.
            slots_per_epoch: 432_000,
            first_epoch: 0,
            // The classroom's.
            hashes_per_slot: 1_000,
        }
    }
}

impl Config {
    /// Most hashes per slot: about a tenth of a second of computation for every slot.
    pub const MOST_HASHES: u32 = 1_000_000;

    /// Refuses what cannot work.
    ///
    /// # Errors
    /// Names the setting and what was expected.
    pub fn check(&self) -> Result<(), SettingError> {
        at_least_one("window", self.window())?;
        at_least_one("slots_per_epoch", self.slots_per_epoch)?;
        at_least_one("hashes_per_slot", self.hashes_per_slot)?;
        if self.hashes_per_slot > Self::MOST_HASHES {
            return Err(SettingError {
                field: "hashes_per_slot",
                message: format!(
                    "{} is too many; expected at most {}",
                    self.hashes_per_slot,
                    Self::MOST_HASHES
                ),
            });
        }
        Ok(())
    }

    /// The number of slots of a window.
    #[must_use]
    pub fn window(&self) -> u32 {
        self.window.unwrap_or(match self.kind {
            // `NUM_CONSECUTIVE_LEADER_SLOTS` of Agave 4.4.
            Kind::Epoch | Kind::RoundRobin => 4,
            Kind::Poh | Kind::List => 1,
        })
    }
}

/// Who leads each slot of a run. Computed when asked and remembered; the answers do not depend on
/// what was asked before.
#[derive(Clone, Debug)]
pub struct Schedule {
    source: Source,
    window: u32,
    /// What each node's search for its next window has found.
    searches: NodeMap<Search>,
    /// Nodes that never lead need not search.
    leads: NodeMap<bool>,
    /// Slots from which on stakes are others, and the leaders from there on.
    later: Vec<(u32, Source)>,
}

#[derive(Clone, Debug)]
enum Source {
    Poh(Cumulated, TickChain),
    Epoch(Epochs),
    List(Vec<Option<NodeId>>),
}

/// From slot `from` on and before slot `end`, a node leads none.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct Search {
    from: u32,
    end: u32,
}

impl Schedule {
    /// The schedule over these nodes. `list` is read in the kind [`Kind::List`] only: the leader of
    /// each window, `None` for nobody; an empty list leaves all slots without a leader.
    ///
    /// # Panics
    /// If the configuration fails its [`Config::check`], if the maps differ in length, or if a
    /// listed node does not exist.
    #[must_use]
    pub fn new(
        config: &Config,
        seed: Seed,
        stakes: &NodeMap<u64>,
        identities: &NodeMap<[u8; 32]>,
        list: &[Option<NodeId>],
    ) -> Self {
        assert_eq!(config.check(), Ok(()), "settings are checked before they are used");
        assert_eq!(stakes.len(), identities.len(), "one stake and one identity for every node");
        let staked = || stakes.iter().filter(|(_, stake)| **stake > 0).map(|(node, _)| node);
        let mut leads = NodeMap::build(stakes.len(), |node| stakes[node] > 0);
        let source = match config.kind {
            Kind::Poh => {
                let all = stakes.iter().map(|(node, stake)| (node, *stake));
                Source::Poh(Cumulated::new(all), TickChain::new(seed, config.hashes_per_slot))
            }
            Kind::Epoch => Source::Epoch(Epochs::new(config, stakes, identities)),
            Kind::RoundRobin => Source::List(staked().map(Some).collect()),
            Kind::List => {
                leads.values_mut().for_each(|leads| *leads = false);
                list.iter().flatten().for_each(|node| leads[*node] = true);
                Source::List(list.to_vec())
            }
        };
        let searches = NodeMap::filled(stakes.len(), Search::default());
        Self { source, window: config.window(), searches, leads, later: Vec::new() }
    }

    /// The same until a slot, which is later than those of all changes before, and another one from
    /// there on.
    #[must_use]
    pub fn until(mut self, slot: Slot, then: Self) -> Self {
        for (leads, later) in self.leads.values_mut().zip(then.leads.values()) {
            *leads |= later;
        }
        self.later.push((slot.number(), then.source));
        self
    }

    /// What counts at a slot.
    fn source_at(&mut self, slot: u32) -> &mut Source {
        match self.later.iter_mut().rev().find(|(from, _)| *from <= slot) {
            Some((_, source)) => source,
            None => &mut self.source,
        }
    }

    /// The leader of a slot; `None` if nobody has stake or the list says so.
    pub fn leader(&mut self, slot: Slot) -> Option<NodeId> {
        let length = self.window;
        let window = slot.number() / length;
        match self.source_at(slot.number()) {
            Source::Poh(stakes, chain) => stakes.drawn_by(&chain.hash(Slot::new(window * length))),
            Source::Epoch(epochs) => epochs.leader(slot),
            Source::List(list) if list.is_empty() => None,
            Source::List(list) => list[window as usize % list.len()],
        }
    }

    /// The hash of the public chain of ticks at a slot, from which nodes that know only a part of
    /// the stakes draw with [`stakes::drawn_by_hash`]; `None` in kinds other than [`Kind::Poh`].
    /// In windows of several slots all draw from the hash of the first.
    pub fn poh_hash(&mut self, slot: Slot) -> Option<Digest> {
        match &mut self.source {
            Source::Poh(_, chain) => {
                Some(chain.hash(Slot::new(slot.number() / self.window * self.window)))
            }
            Source::Epoch(_) | Source::List(_) => None,
        }
    }

    /// The next slots in a row that `me` leads, first and last: the first is `from` or one of the
    /// `horizon` - 1 slots after it; the row ends with the last that `me` leads, but after at most
    /// `horizon` slots. `None` if there is none.
    ///
    /// Repeated calls with growing `from` look at each window once; in the kind [`Kind::Poh`] a
    /// call hashes up to the slot it looks at, so the horizon should not pass the end of the run.
    pub fn next_window(&mut self, me: NodeId, from: Slot, horizon: u32) -> Option<(Slot, Slot)> {
        if !self.leads[me] || horizon == 0 {
            return None;
        }
        let limit = from.plus(horizon - 1);
        let first = self.next_slot(me, from, limit)?;
        let (mut last, end) = (first, first.plus(horizon - 1));
        while last < end && self.leader(last.next()) == Some(me) {
            last = last.next();
        }
        Some((first, last))
    }

    /// The first slot from `from` to `limit` that `me` leads.
    fn next_slot(&mut self, me: NodeId, from: Slot, limit: Slot) -> Option<Slot> {
        let known = self.searches[me];
        let covered = known.from <= from.number() && from.number() <= known.end;
        let mut at = if covered { known.end } else { from.number() };
        let found = loop {
            if at > limit.number() {
                break None;
            }
            if self.leader(Slot::new(at)) == Some(me) {
                break Some(Slot::new(at));
            }
            // The rest of the window has the same leader, unless the end of an epoch cuts it.
            let Some(next) = self.next_change(at) else { break None };
            at = next;
        };
        let from = if covered { known.from } else { from.number() };
        self.searches[me] = Search { from, end: at };
        found
    }

    /// The first slot after one whose leader is found anew; `None` after the last of all slots.
    fn next_change(&self, slot: u32) -> Option<u32> {
        let next = match &self.source {
            Source::Epoch(epochs) => epochs.next_window(slot),
            Source::Poh(..) | Source::List(_) => {
                (slot / self.window).checked_add(1)?.checked_mul(self.window)
            }
        };
        // Where stakes change there may be another leader in the middle of a window.
        let change = self.later.iter().map(|(from, _)| *from).find(|from| *from > slot);
        next.map_or(change, |next| Some(change.map_or(next, |change| next.min(change))))
    }
}
