//! Scenario layer: `[[rumors]]`, streams of payloads as written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::quantity::Bytes;
use crate::base::time::Span;
use crate::protocol::gossip::{ChooseFrom, Phase};
use crate::protocol::rumor::Style;
use crate::scenario::population::selector::Selector;

/// A stream of rumors (`[[rumors]]`): payloads without meaning that spread from node to node. One
/// rumor, several at once (`count`), a constant stream (`every`) or a Poisson one (`per_second`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RumorConfig {
    /// When the first rumor appears (of a Poisson stream: when the stream begins).
    pub at: Span,
    /// Where rumors appear: one of these nodes, drawn anew for each rumor.
    pub node: Selector,
    /// Payload of each rumor, without the network's header.
    pub size: Bytes,
    /// How many rumors. Without it there is one, or with `until` as many as fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub count: Option<u32>,
    /// Time from one rumor to the next of a constant stream; without it all come at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every: Option<Span>,
    /// Mean rumors per second of a Poisson stream, in place of `every`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_second: Option<f64>,
    /// No rumor of the stream appears after this moment; without it the end of the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Span>,
    /// How rumors spread.
    pub spread: Style,
    /// The receivers of direct rumors: one of these nodes, drawn anew for each rumor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Selector>,
    /// How many random peers a node sends to (or asks) per round, or on first receipt.
    #[schemars(range(min = 1, max = 100_000))]
    pub fanout: u32,
    /// Length of a round of push, pull and push-pull.
    pub interval: Span,
    /// For how many rounds a node pushes a rumor after it received it; 0 means for ever.
    pub rounds: u32,
    /// When the rounds of a node take place; the first one comes after its start, not at it.
    pub phase: Phase,
    /// From whom the random peers are drawn.
    pub choose_from: ChooseFrom,
    /// Whether flooding sends a rumor back to the peer it came from.
    pub echo: bool,
}

impl Default for RumorConfig {
    fn default() -> Self {
        Self {
            at: Span::ZERO,
            node: Selector::Node(0),
            size: Bytes(1_000),
            count: None,
            every: None,
            per_second: None,
            until: None,
            spread: Style::Flood,
            to: None,
            fanout: 3,
            interval: Span::from_secs(1),
            rounds: 0,
            phase: Phase::Random,
            choose_from: ChooseFrom::Peers,
            echo: false,
        }
    }
}
