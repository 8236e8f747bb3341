//! Scenario layer: `[network]`, links, uplinks and downlinks as written.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::distribution::DistributionOrSpan;
use crate::base::quantity::{Bytes, Chance, Rate};
use crate::base::time::Span;
use crate::scenario::population::geography::{DEFAULT_ACCESS, DEFAULT_INFLATION};
use crate::scenario::population::selector::Selector;

/// Links, uplinks and downlinks (`[network]`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkConfig {
    /// One-way latency of a directed link, jitter apart: a time or a distribution. Only one of
    /// `latency`, `geography` and `matrix` may be given; without any of them it is 50ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency: Option<DistributionOrSpan>,
    /// Whether a latency distribution is drawn once per directed link or for every message.
    pub latency_per: LatencyPer,
    /// Latency from the great-circle distance between the sites of the nodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub geography: Option<GeographyConfig>,
    /// Latency from a CSV file with one row and one column per site: the header and the first
    /// column name the sites, cells are one-way times such as "35ms" (or numbers of milliseconds).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matrix: Option<PathBuf>,
    /// Added to the latency of every message: a time or a distribution. It makes messages overtake
    /// one another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter: Option<DistributionOrSpan>,
    /// How messages get lost: independently with a probability, or in Gilbert-Elliott bursts.
    pub loss: LossConfig,
    /// Probability that a message arrives twice.
    pub duplicate: Chance,
    /// Probability that a message arrives damaged; the receiver drops it, and it is counted as
    /// corrupted.
    pub corrupt: Chance,
    /// Whether messages on a directed link arrive in the order they were handed over.
    pub in_order: bool,
    /// Bytes added to every message on the wire.
    pub header: Bytes,
    /// Largest payload of a message, header apart; larger ones are dropped and counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_limit: Option<Bytes>,
    /// Every node's uplink: a rate, or rate and buffer. Without it uplinks are infinitely fast.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uplink: Option<PipeConfig>,
    /// Every node's downlink: a rate, or rate and buffer. Without it downlinks are infinitely fast.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub downlink: Option<PipeConfig>,
    /// Buffer of each link that has a rate of its own (`rate` in a topology): bytes, or a number of
    /// messages.
    pub link_buffer: BufferConfig,
    /// Links that differ from the rest. Where several match, later ones win key by key.
    pub link: Vec<LinkConfig>,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self {
            latency: None,
            latency_per: LatencyPer::default(),
            geography: None,
            matrix: None,
            jitter: None,
            loss: LossConfig::default(),
            duplicate: Chance::NEVER,
            corrupt: Chance::NEVER,
            in_order: false,
            header: Bytes(0),
            message_limit: None,
            uplink: None,
            downlink: None,
            link_buffer: BufferConfig::default(),
            link: Vec::new(),
        }
    }
}

/// How often a latency distribution is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LatencyPer {
    /// Once for each directed link.
    #[default]
    Link,
    /// For every message.
    Message,
}

/// Latency from great-circle distances: one way = (access + inflation * round trip of light in
/// fibre at 2/3 c) / 2.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GeographyConfig {
    /// The part of the round trip that does not depend on distance.
    pub access: Span,
    /// Length of the real path as a multiple of the great circle's.
    #[schemars(range(min = 1.0, max = 10.0))]
    pub inflation: f64,
}

impl Default for GeographyConfig {
    fn default() -> Self {
        Self { access: DEFAULT_ACCESS, inflation: DEFAULT_INFLATION }
    }
}

/// How a link loses messages.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum LossConfig {
    /// Each message by itself, with this probability.
    Independent(Chance),
    /// In bursts.
    Bursts(BurstConfig),
}

impl Default for LossConfig {
    fn default() -> Self {
        Self::Independent(Chance::NEVER)
    }
}

/// Gilbert-Elliott loss: a link is good or bad, takes one step for each message, and loses messages
/// with a probability of its state. It starts in its stationary state.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BurstConfig {
    /// Probability of a step from good to bad.
    pub good_to_bad: Chance,
    /// Probability of a step from bad to good.
    pub bad_to_good: Chance,
    /// Probability that a message is lost while the link is good.
    #[serde(default)]
    pub loss_good: Chance,
    /// Probability that a message is lost while the link is bad.
    #[serde(default = "always")]
    pub loss_bad: Chance,
}

const fn always() -> Chance {
    Chance::ALWAYS
}

/// An uplink or downlink.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum PipeConfig {
    /// A rate, with the default buffer.
    Rate(Rate),
    /// Rate and buffer.
    Full(FullPipeConfig),
}

/// Rate and buffer of an uplink or downlink; a rate alone may stand in place of the table.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FullPipeConfig {
    /// How fast messages leave the buffer, one after another.
    pub rate: Rate,
    /// How much may wait, the message being transmitted apart: bytes, or a number of messages. A
    /// message that finds no room is dropped.
    #[serde(default)]
    pub buffer: BufferConfig,
}

/// A limit of waiting bytes ("1MiB") or messages (100).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum BufferConfig {
    /// Bytes.
    Bytes(Bytes),
    /// Messages.
    Messages(u32),
}

impl Default for BufferConfig {
    fn default() -> Self {
        Self::Bytes(Bytes(64 << 20))
    }
}

/// Links that differ from the rest (`[[network.link]]`): only the keys that are given change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkConfig {
    /// The nodes at one end.
    pub from: Selector,
    /// The nodes at the other end.
    pub to: Selector,
    /// Whether the links from `to` to `from` are meant too.
    #[serde(default = "yes")]
    pub both_ways: bool,
    /// One-way latency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<DistributionOrSpan>,
    /// Added to the latency of every message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter: Option<DistributionOrSpan>,
    /// How messages get lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<LossConfig>,
    /// Probability that a message arrives twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duplicate: Option<Chance>,
    /// Probability that a message arrives damaged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corrupt: Option<Chance>,
    /// Whether messages arrive in the order they were handed over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_order: Option<bool>,
}

pub(super) const fn yes() -> bool {
    true
}
