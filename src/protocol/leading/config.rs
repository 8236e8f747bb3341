//! Protocol layer: the settings of slots and blocks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::quantity::Bytes;
use crate::base::slot::Slot;
use crate::base::time::{Span, Time};
use crate::protocol::block::{Cut, Erasure, Shape};
use crate::protocol::ledger::{BLOCK_HEADER_BYTES, Transaction};
use crate::protocol::mempool::BlockLimits;
use crate::protocol::schedule::{self, Kind};
use crate::protocol::setting::{SettingError, at_least_one};

/// When a node begins its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// When its own clock says so: slot k begins at `begin` plus k times `duration`.
    #[default]
    Clock,
    /// When its count of ticks since the block it switched to last says so, as in Solana.
    Poh,
}

/// What nodes know of the validators' stakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Registry {
    /// All of it from the start.
    #[default]
    Genesis,
    /// What gossip told them.
    Gossip,
}

/// Slots and their leaders (`[slots]`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SlotsConfig {
    /// How long a slot takes.
    pub duration: Span,
    /// When slot 0, which is that of the genesis block, begins with start = "clock". The first slot
    /// that anybody leads is slot 1.
    pub begin: Span,
    /// When a node begins its slot.
    pub start: Start,
    /// How much faster than `duration` a leader ticks through its slot with start = "poh" (Agave:
    /// "50ms").
    pub adjustment: Span,
    /// How leaders are chosen.
    pub schedule: Kind,
    /// How many slots in a row a leader has each time it is chosen. Without this key 4 with the
    /// schedules "epoch" and "round-robin", 1 with "poh" and "list".
    #[schemars(range(min = 1, max = 10_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<u32>,
    /// Slots of an epoch, for which the schedule "epoch" is drawn.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub slots_per_epoch: u32,
    /// The number of the epoch that starts with slot 0, for the schedule "epoch".
    pub first_epoch: u32,
    /// SHA-256 hashes of a slot: of every block's proof of history, and of the chain of ticks that
    /// the schedule "poh" draws from.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub hashes_per_slot: u32,
    /// The leaders one after the other for the schedule "list", each for a window; repeated. The
    /// first has the window of slot 0, which nobody leads.
    pub leaders: Vec<u32>,
    /// What nodes know of the stakes that leaders are drawn by. With "gossip", which needs the
    /// schedule "poh" and start = "clock", every node draws by the stakes of those validators that
    /// it has heard of, so nodes may disagree.
    pub registry: Registry,
}

impl Default for SlotsConfig {
    fn default() -> Self {
        let schedule = schedule::Config::default();
        Self {
            duration: Span::from_millis(400),
            begin: Span::ZERO,
            start: Start::Clock,
            adjustment: Span::ZERO,
            schedule: Kind::Epoch,
            window: None,
            slots_per_epoch: schedule.slots_per_epoch,
            first_epoch: schedule.first_epoch,
            hashes_per_slot: schedule.hashes_per_slot,
            leaders: Vec::new(),
            registry: Registry::Genesis,
        }
    }
}

/// Shortest slot.
const SHORTEST_SLOT: Span = Span::from_millis(1);

impl SlotsConfig {
    /// How leaders are found.
    #[must_use]
    pub const fn schedule(&self) -> schedule::Config {
        schedule::Config {
            kind: self.schedule,
            window: self.window,
            slots_per_epoch: self.slots_per_epoch,
            first_epoch: self.first_epoch,
            hashes_per_slot: self.hashes_per_slot,
        }
    }

    /// How long a slot takes: by ticks it may be shorter than by the clock.
    #[must_use]
    pub fn length(&self) -> Span {
        match self.start {
            Start::Clock => self.duration,
            Start::Poh => self.duration.saturating_sub(self.adjustment),
        }
    }

    /// A slot and when it begins, if nothing delays it: by ticks all begin to count at slot 1.
    #[must_use]
    pub fn first(&self) -> (Slot, Time) {
        match self.start {
            Start::Clock => (Slot::new(0), self.begins(Slot::new(0))),
            Start::Poh => (Slot::new(1), Time::ZERO),
        }
    }

    /// The number of the last slot that a run can come to.
    #[must_use]
    pub fn last(&self, end: Time) -> u64 {
        let (first, begins) = self.first();
        let passed = end.since(begins).as_nanos() / self.length().as_nanos().max(1);
        u64::from(first.number()).saturating_add(passed)
    }

    /// When a slot begins by the clock.
    #[must_use]
    pub fn begins(&self, slot: Slot) -> Time {
        let after = self.duration.scaled(slot.number().into(), 1);
        (Time::ZERO + self.begin).saturating_add(after)
    }

    /// The slot that the clock is in; slot 0 before the first.
    #[must_use]
    pub fn slot_at(&self, now: Time) -> Slot {
        let passed = now.since(Time::ZERO + self.begin).as_nanos();
        let number = passed / self.duration.as_nanos().max(1);
        Slot::new(u32::try_from(number).unwrap_or(u32::MAX))
    }

    /// The highest slot that can have begun anywhere by now: the one that it would be if no leader
    /// had ever been waited for.
    #[must_use]
    pub fn newest_slot(&self, now: Time) -> Slot {
        let (first, begins) = self.first();
        let passed = now.since(begins).as_nanos() / self.length().as_nanos().max(1);
        first.plus(u32::try_from(passed).unwrap_or(u32::MAX))
    }

    /// Checks what can be checked without knowing the nodes.
    ///
    /// # Errors
    /// If slots are too short, or leaders are listed where nobody reads them.
    pub fn check(&self) -> Result<(), SettingError> {
        let refuse = |field, message| Err(SettingError { field, message });
        if self.duration < SHORTEST_SLOT {
            let message = format!(
                "{} is too short for a slot; expected at least {SHORTEST_SLOT}",
                self.duration
            );
            return refuse("duration", message);
        }
        if self.adjustment >= self.duration {
            let message = format!(
                "{} leaves nothing of a slot of {}; expected less",
                self.adjustment, self.duration
            );
            return refuse("adjustment", message);
        }
        self.schedule().check()?;
        if self.registry == Registry::Gossip {
            if self.schedule != Kind::Poh {
                let message = "leaders drawn from what gossip tells need schedule = \"poh\"";
                return refuse("registry", message.into());
            }
            if self.start != Start::Clock {
                let message = "leaders drawn from what gossip tells need start = \"clock\"";
                return refuse("registry", message.into());
            }
        }
        if self.schedule == Kind::List && self.leaders.is_empty() {
            let message = "no leader is listed, and schedule = \"list\" knows no others; expected \
                           numbers of nodes such as [0, 1]";
            return refuse("leaders", message.into());
        }
        Ok(())
    }
}

/// What blocks consist of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// There are no blocks.
    #[default]
    Off,
    /// A given number of bytes or shreds, without meaning.
    Synthetic,
    /// Transactions that wait at the leader.
    Transactions,
}

/// What leaders put into blocks (`[blocks]`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BlocksConfig {
    /// What blocks consist of.
    pub content: Content,
    /// Bytes of a synthetic block, its header of 96 B included: no block is smaller than that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<Bytes>,
    /// Shreds of a synthetic block, data and coding together, in place of `bytes`; rounded up to
    /// whole FEC sets if there is coding.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65_536))]
    pub shreds: Option<u32>,
    /// Most transactions of a block.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_transactions: u32,
    /// Most bytes of transactions in a block, signatures included; at least one transaction of the
    /// smallest size (180 B). Without this key their number is the only limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<Bytes>,
    /// Sizes of the synthetic blocks of single slots, in place of that of all others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub explicit: Vec<ExplicitBlock>,
    /// How blocks are cut; taken from `[turbine]`.
    #[serde(skip)]
    pub cut: Cut,
    /// Whether the bytes of their shreds exist; taken from `[turbine]`.
    #[serde(skip)]
    pub erasure: Erasure,
}

/// The size of the block of one slot (`[[blocks.explicit]]`): either `bytes` or `shreds`, which
/// mean the same as in `[blocks]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExplicitBlock {
    /// The slot, from 1; if it is skipped, so is this size.
    #[schemars(range(min = 1))]
    pub slot: u32,
    /// Bytes of its block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<Bytes>,
    /// Shreds of its block, in place of `bytes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65_536))]
    pub shreds: Option<u32>,
}

impl Default for BlocksConfig {
    fn default() -> Self {
        Self {
            content: Content::Off,
            bytes: None,
            shreds: None,
            // The classroom's.
            max_transactions: 10,
            max_bytes: None,
            explicit: Vec::new(),
            cut: Cut::default(),
            erasure: Erasure::default(),
        }
    }
}

/// Bytes of a synthetic block that says nothing of its size.
const DEFAULT_BYTES: u32 = 100_000;

/// Bytes of a block with nothing in it.
const SMALLEST_BYTES: u32 = BLOCK_HEADER_BYTES as u32;

/// Most shreds of a block: Solana allows 32,768 data shreds and as many coding shreds at 400 ms.
const MOST_SHREDS: u32 = 65_536;

/// Largest block, in bytes.
const LARGEST_BLOCK: u64 = 1 << 31;

impl BlocksConfig {
    /// Bytes and shape of a synthetic block of which nothing else is said.
    #[must_use]
    pub fn size(&self) -> (u32, Shape) {
        self.size_of(self.bytes, self.shreds)
    }

    /// Bytes and shape of the synthetic block of a slot.
    #[must_use]
    pub fn size_in(&self, slot: Slot) -> (u32, Shape) {
        let explicit = self.explicit.iter().find(|block| block.slot == slot.number());
        explicit.map_or_else(|| self.size(), |block| self.size_of(block.bytes, block.shreds))
    }

    /// Bytes and shape of the largest blocks that leaders may make without an explicit size.
    #[must_use]
    pub fn largest(&self) -> (u32, Shape) {
        if self.content != Content::Transactions {
            return self.size();
        }
        let bytes = u32::try_from(self.largest_bytes()).unwrap_or(u32::MAX);
        (bytes, self.cut.shape(bytes))
    }

    /// Bytes and shape of each explicit block.
    pub fn explicit_sizes(&self) -> impl Iterator<Item = (u32, Shape)> + '_ {
        self.explicit.iter().map(|block| self.size_of(block.bytes, block.shreds))
    }

    fn size_of(&self, bytes: Option<Bytes>, shreds: Option<u32>) -> (u32, Shape) {
        match (shreds, bytes) {
            (Some(shreds), _) => {
                let shape = self.cut.shape_of_shreds(shreds);
                let bytes = self.cut.bytes_of(&shape);
                if bytes < SMALLEST_BYTES {
                    (SMALLEST_BYTES, self.cut.shape(SMALLEST_BYTES))
                } else {
                    (bytes, shape)
                }
            }
            (None, bytes) => {
                let bytes = bytes.map_or(DEFAULT_BYTES, |bytes| bytes.0 as u32);
                let bytes = bytes.max(SMALLEST_BYTES);
                (bytes, self.cut.shape(bytes))
            }
        }
    }

    /// Most that a block takes of what waits at its leader.
    #[must_use]
    pub fn limits(&self) -> BlockLimits {
        let bytes = self.max_bytes.map_or(u64::MAX, Bytes::get);
        BlockLimits { transactions: self.max_transactions, bytes }
    }

    /// Bytes of the largest block of transactions that can be made.
    fn largest_bytes(&self) -> u64 {
        let BlockLimits { transactions, bytes } = self.limits();
        let all = u64::from(transactions) * u64::from(Transaction::LARGEST_BYTES);
        BLOCK_HEADER_BYTES + all.min(bytes)
    }

    /// Checks sizes against each other and against what a block may have.
    ///
    /// # Errors
    /// If a block is empty or has more shreds than [`MOST_SHREDS`].
    pub fn check(&self) -> Result<(), SettingError> {
        let refuse = |field, message| Err(SettingError { field, message });
        if let (Some(_), Some(_)) = (self.bytes, self.shreds) {
            return refuse("shreds", "a block has either bytes or shreds, not both".into());
        }
        match self.content {
            Content::Off => return Ok(()),
            Content::Transactions => return self.check_limits(),
            Content::Synthetic => {}
        }
        if let Some(bytes) = self.bytes.filter(|b| b.0 == 0 || b.0 > LARGEST_BLOCK) {
            let most = Bytes(LARGEST_BLOCK);
            return refuse(
                "bytes",
                format!("{bytes} is no size of a block; expected 1B to {most}"),
            );
        }
        if let Some(shreds) = self.shreds.filter(|shreds| !(1..=MOST_SHREDS).contains(shreds)) {
            return refuse("shreds", format!("{shreds} is no count; expected 1 to {MOST_SHREDS}"));
        }
        let shreds = self.size().1.shreds();
        if shreds > MOST_SHREDS {
            if self.shreds.is_some() {
                let message = format!(
                    "rounded up to whole FEC sets a block would have {shreds} shreds, the limit is \
                     {MOST_SHREDS}"
                );
                return refuse("shreds", message);
            }
            let message = format!(
                "a block would have {shreds} shreds, the limit is {MOST_SHREDS}; \
                 make the block smaller or turbine.chunk_size larger"
            );
            return refuse("bytes", message);
        }
        Ok(())
    }

    /// Checks the limits of blocks of transactions.
    fn check_limits(&self) -> Result<(), SettingError> {
        let refuse = |field, message| Err(SettingError { field, message });
        if let (Some(_), _) | (_, Some(_)) = (self.bytes, self.shreds) {
            let field = if self.bytes.is_some() { "bytes" } else { "shreds" };
            let message = "only synthetic blocks have a given size; \
                           blocks of transactions have max_bytes";
            return refuse(field, message.into());
        }
        at_least_one("max_transactions", self.max_transactions)?;
        let least = Bytes(Transaction::SMALLEST_BYTES.into());
        if let Some(bytes) = self.max_bytes.filter(|bytes| *bytes < least) {
            let message = format!("{bytes} holds no transaction; expected at least {least}");
            return refuse("max_bytes", message);
        }
        let largest = self.largest_bytes();
        let size = u32::try_from(largest).ok().filter(|_| largest <= LARGEST_BLOCK);
        let shreds = size.map(|bytes| self.cut.shape(bytes).shreds());
        if shreds.is_none_or(|shreds| shreds > MOST_SHREDS) {
            let field = if self.max_bytes.is_some() { "max_bytes" } else { "max_transactions" };
            let message = format!(
                "a block might have {}, more than {MOST_SHREDS} shreds hold; make it less or \
                 turbine.chunk_size larger",
                Bytes(largest)
            );
            return refuse(field, message);
        }
        Ok(())
    }
}
