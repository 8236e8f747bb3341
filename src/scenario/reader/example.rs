//! Scenario layer, tests only: a small root type with every shape that scenario types have.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::quantity::{Bytes, Chance, Rate};
use crate::base::time::Span;

/// A whole example scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Example {
    /// Name of the run.
    pub name: String,
    /// Preset under this file.
    #[serde(default)]
    pub rules: Option<String>,
    /// When the run ends.
    #[serde(default = "ten_seconds")]
    pub duration: Span,
    /// The weather of all links.
    #[serde(default)]
    pub network: Network,
    /// Who neighbours whom.
    #[serde(default)]
    pub topology: Topology,
    /// What goes wrong, in any order.
    #[serde(default)]
    pub faults: Vec<Fault>,
    /// Places on the map.
    #[serde(default)]
    pub sites: BTreeMap<String, Site>,
    /// Settings of gossip; without it there is none.
    #[serde(default)]
    pub gossip: Option<Gossip>,
    /// Who holds the stake.
    #[serde(default)]
    pub stakes: Stakes,
}

const fn ten_seconds() -> Span {
    Span::from_secs(10)
}

/// The weather of all links.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Network {
    /// How long every message travels.
    pub latency: Span,
    /// How likely a message is lost.
    pub loss: Chance,
    /// How fast a node sends; unlimited if absent.
    pub uplink: Option<Rate>,
    /// How much may wait for the uplink.
    pub buffer: Bytes,
    /// Latency between regions as a matrix.
    pub matrix: Vec<Vec<Span>>,
    /// Lower and upper bound of a factor.
    pub spread: [f64; 2],
    /// Which messages the loss meets.
    pub meets: Meets,
    /// One number per region.
    pub weights: Option<Vec<f64>>,
    /// Whether messages keep their order.
    pub ordered: bool,
    /// Rates by class of node.
    pub classes: BTreeMap<String, Rate>,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            latency: Span::from_millis(80),
            loss: Chance::NEVER,
            uplink: None,
            buffer: Bytes(65_536),
            matrix: Vec::new(),
            spread: [0.5, 2.0],
            meets: Meets::All,
            weights: None,
            ordered: false,
            classes: BTreeMap::new(),
        }
    }
}

/// Which messages.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Meets {
    /// Every message.
    All,
    /// Shreds and repaired shreds.
    BlockChunks,
    Votes,
}

/// Who neighbours whom.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Topology {
    /// Everyone knows everyone.
    Complete,
    /// Each node knows some random others.
    KOut {
        /// How many.
        #[schemars(range(min = 1, max = 100))]
        k: u32,
    },
    /// A ring in which some links are moved.
    SmallWorld {
        /// Neighbours on each side.
        #[serde(default = "two")]
        near: u32,
        /// How likely a link is moved.
        #[serde(default)]
        rewire: Chance,
    },
}

const fn two() -> u32 {
    2
}

impl Default for Topology {
    fn default() -> Self {
        Self::KOut { k: 8 }
    }
}

/// Something that goes wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Fault {
    /// Nodes stop.
    Crash {
        /// When they stop.
        at: Span,
        /// Which nodes.
        #[schemars(extend("format" = "nodes"))]
        nodes: String,
        /// After what time they come back; never if absent.
        #[serde(default)]
        back: Option<Span>,
    },
    /// Links between groups break.
    Partition {
        /// When they break.
        at: Span,
        /// The groups.
        #[schemars(length(min = 2))]
        groups: Vec<Group>,
    },
}

/// A side of a partition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Group {
    /// A selector.
    Selector(#[schemars(extend("format" = "nodes"))] String),
    /// A selector and a share.
    Share(Share),
}

/// A selector and a share of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Share {
    /// Which nodes.
    #[schemars(extend("format" = "nodes"))]
    pub nodes: String,
    /// How many of them.
    pub share: Chance,
}

/// A place on the map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Site {
    /// Degrees north.
    #[schemars(range(min = -90.0, max = 90.0))]
    pub latitude: f64,
    /// Small number.
    #[serde(default)]
    pub weight: u8,
}

/// Settings of gossip.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Gossip {
    /// Peers told per round.
    #[schemars(range(min = 1))]
    pub fanout: u32,
    /// Time between rounds.
    pub period: Span,
    /// Tags put on everything.
    pub tags: Vec<String>,
    /// Push settings.
    pub push: Push,
}

impl Default for Gossip {
    fn default() -> Self {
        Self { fanout: 6, period: Span::from_millis(100), tags: vec![], push: Push::default() }
    }
}

/// Settings of push.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Push {
    /// How long a value lives.
    pub life: Option<Span>,
    /// How long a value rests, and how often.
    pub rests: Option<(Span, u32)>,
}

/// Who holds the stake: one number for all, a list, or a rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Stakes {
    /// The same for everyone.
    Same(u64),
    /// One number per node.
    List(Vec<u64>),
    /// A rule.
    Rule(StakeRule),
}

impl Default for Stakes {
    fn default() -> Self {
        Self::Same(1)
    }
}

/// A rule for stakes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum StakeRule {
    /// Zipf's law.
    Zipf {
        /// The exponent.
        #[schemars(range(min = 0))]
        exponent: f64,
    },
    /// From another table.
    Table(Share),
}
