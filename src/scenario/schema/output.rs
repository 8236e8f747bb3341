//! Scenario layer: `[output]` and `[limits]` as written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::time::Span;

/// What is written into the result folder (`[output]`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OutputConfig {
    /// Time from one row of `timeline.csv` to the next; "0s" leaves the table empty. Without it
    /// "1s", or for runs beyond 27 hours as many whole seconds as keep the table within 100,000
    /// rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeline: Option<Span>,
    /// Time from one sample of all nodes in `node_timeline.csv` to the next; "0s" leaves the table
    /// empty. Without it "5s", or the shortest multiple of that which keeps the table within
    /// 2,000,000 rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_timeline: Option<Span>,
    /// Whether `peers.csv` lists who knows whom at the end. On a complete overlay of more than
    /// 1,000 nodes the list is left out.
    pub peers: bool,
    /// Further moments at which `peers.csv` lists who knows whom.
    pub peers_at: Vec<Span>,
    /// How many rows `deliveries.csv` gets.
    pub deliveries: RowsConfig,
    /// Only these rumors in `deliveries.csv`, by number; an empty list means all of them.
    pub deliveries_of: Vec<u32>,
    /// Only first receipts from this moment on in `deliveries.csv`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deliveries_from: Option<Span>,
    /// Only first receipts up to this moment in `deliveries.csv`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deliveries_until: Option<Span>,
    /// How many rows `block_arrivals.csv` gets.
    pub block_arrivals: RowsConfig,
    /// Only blocks of this slot and later ones in `block_arrivals.csv`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block_arrivals_from: Option<u32>,
    /// Only blocks of slots up to this one in `block_arrivals.csv`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block_arrivals_until: Option<u32>,
}

impl Default for OutputConfig {
    fn default() -> Self {
        Self {
            timeline: None,
            node_timeline: None,
            peers: true,
            peers_at: Vec::new(),
            deliveries: RowsConfig::default(),
            deliveries_of: Vec::new(),
            deliveries_from: None,
            deliveries_until: None,
            block_arrivals: RowsConfig::default(),
            block_arrivals_from: None,
            block_arrivals_until: None,
        }
    }
}

/// How much of a table is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RowsConfig {
    /// Up to 1,000,000 rows; the summary says how many were left out.
    #[default]
    Auto,
    /// All rows.
    All,
    /// None.
    None,
}

/// What must never happen (`[invariants]`): no two honest validators root conflicting blocks, roots
/// only grow, votes keep to their lockouts, a block's hash is that of its bytes, and no fork makes
/// or loses money.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct InvariantsConfig {
    /// Whether all of it is watched. The first violation ends the run with exit code 1.
    pub watch: bool,
}

impl Default for InvariantsConfig {
    fn default() -> Self {
        Self { watch: true }
    }
}

/// Limits of queues and buffers (`[limits]`); reaching one is reported.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Most events that may be pending (32 bytes of memory each); beyond it the run stops with
    /// exit code 5.
    #[schemars(range(min = 1_000, max = 1_000_000_000))]
    pub pending_events: u32,
    /// Most events that may wait for one node's processor; further messages are dropped.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub inbox: u32,
    /// How many rumors, counted back from the newest, a node can tell apart; it ignores older ones.
    #[schemars(range(min = 64, max = 1_048_576))]
    pub rumors: u32,
    /// How many transactions, counted back from the newest, are followed at a time; older ones are
    /// written into `transactions.csv` as they are at that moment.
    #[schemars(range(min = 64, max = 16_777_216))]
    pub transactions: u32,
    /// Most events of the run; when they are used up it stops with exit code 5 and keeps what is
    /// known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub events: Option<u64>,
    /// Longest virtual time of the run, whatever `duration` asks for; it stops there with exit code
    /// 5 and keeps what is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub virtual_time: Option<Span>,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            pending_events: 20_000_000,
            inbox: 1_000_000,
            rumors: 8_192,
            transactions: 65_536,
            events: None,
            virtual_time: None,
        }
    }
}
