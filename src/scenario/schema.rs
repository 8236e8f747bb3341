//! Scenario layer: the shapes of the TOML: documented keys and defaults, no opinion about the
//! world. Every doc comment here becomes part of the key reference and of the editor's schema.

pub mod adversary;
pub mod chaos;
pub mod cost;
pub mod fault;
pub mod network;
pub mod output;
pub mod sweep;
pub mod transactions;
pub mod workload;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::adversary::AdversaryConfig;
use self::chaos::ChaosConfig;
use self::cost::CostConfig;
use self::fault::FaultConfig;
use self::network::NetworkConfig;
use self::output::{InvariantsConfig, LimitsConfig, OutputConfig};
use self::sweep::SweepConfig;
use self::transactions::TransactionsConfig;
use self::workload::RumorConfig;
use super::population::NodesConfig;
use super::population::selector::Selector;
use super::topology::TopologyConfig;
use crate::base::time::Span;
use crate::crypto::Suite;
use crate::expect::setting::ExpectConfig;
use crate::protocol::leading::{BlocksConfig, SlotsConfig};
use crate::protocol::{consensus, discovery, forward, gossip, ledger, mempool, repair, turbine};

/// A scenario: everything a run depends on but the program itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Scenario {
    /// Name of the scenario; the result folder is named after it.
    pub name: String,
    /// What it shows, in a sentence.
    pub description: String,
    /// A preset: a set of rules whose values stand in for keys that are not given: "classroom" or
    /// "solana".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rules: Option<String>,
    /// Seed of all chance in the run.
    pub seed: u64,
    /// How long the run lasts in virtual time; what happens at the last instant still counts.
    pub duration: Span,
    /// When everything heals: faults still in force end. Up to then a run is judged by what must
    /// never happen, after it also by what must happen at last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heal_at: Option<Span>,
    /// How signatures are made and checked: a run has the same digest either way, and work costs
    /// what `[cost]` says.
    pub crypto: Suite,
    /// The nodes of the cluster.
    pub nodes: NodesConfig,
    /// The overlay: who knows whom when a node connects.
    pub topology: TopologyConfig,
    /// Links, uplinks and downlinks.
    pub network: NetworkConfig,
    /// Prices of work on a node's processor; without any, work takes no time.
    pub cost: CostConfig,
    /// How nodes find further peers and notice that one is gone.
    pub discovery: DiscoveryConfig,
    /// How validators become known: gossip of the registry.
    pub gossip: gossip::Config,
    /// Slots and their leaders.
    pub slots: SlotsConfig,
    /// What leaders put into blocks; without it there are none.
    pub blocks: BlocksConfig,
    /// How a block is cut into shreds, and how these reach everybody.
    pub turbine: turbine::Config,
    /// How nodes get what is missing of blocks.
    pub repair: repair::Config,
    /// Votes: which fork nodes build on, and what is final.
    pub consensus: consensus::Config,
    /// The ledger: accounts, and how long transactions are valid.
    pub ledger: ledger::Config,
    /// Transactions that wait at a node for a block.
    pub mempool: mempool::Config,
    /// How transactions reach the leaders that put them into blocks.
    pub forward: forward::Config,
    /// Streams of rumors: payloads without meaning, to study dissemination and links alone.
    pub rumors: Vec<RumorConfig>,
    /// Streams of transactions that clients hand to nodes.
    pub transactions: Vec<TransactionsConfig>,
    /// What goes wrong, and when.
    pub faults: Vec<FaultConfig>,
    /// What is expected of every run; `headwater run` and `headwater check` judge it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expect: Vec<ExpectConfig>,
    /// Nodes that do not follow the rules.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub adversaries: Vec<AdversaryConfig>,
    /// Further faults, drawn from the seed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chaos: Option<ChaosConfig>,
    /// What must never happen.
    pub invariants: InvariantsConfig,
    /// What is written into the result folder.
    pub output: OutputConfig,
    /// Limits of queues and buffers; reaching one is reported.
    pub limits: LimitsConfig,
    /// An experiment: values of keys and seeds that `headwater sweep` runs the scenario with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sweep: Option<SweepConfig>,
}

/// How nodes find each other and notice that a peer is gone (`[discovery]`).
// No deny_unknown_fields: serde cannot combine it with flatten; the reader refuses unknown keys.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(extend("additionalProperties" = false))]
pub struct DiscoveryConfig {
    /// Nodes to which every node announces itself when it connects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bootstrap: Option<Selector>,
    /// All else.
    #[serde(flatten)]
    pub rules: discovery::Config,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            name: "unnamed".into(),
            description: String::new(),
            rules: None,
            seed: 1,
            duration: Span::from_secs(10),
            heal_at: None,
            crypto: Suite::default(),
            nodes: NodesConfig::default(),
            topology: TopologyConfig::default(),
            network: NetworkConfig::default(),
            cost: CostConfig::default(),
            discovery: DiscoveryConfig::default(),
            gossip: gossip::Config::default(),
            slots: SlotsConfig::default(),
            blocks: BlocksConfig::default(),
            turbine: turbine::Config::default(),
            repair: repair::Config::default(),
            consensus: consensus::Config::default(),
            ledger: ledger::Config::default(),
            mempool: mempool::Config::default(),
            forward: forward::Config::default(),
            rumors: Vec::new(),
            transactions: Vec::new(),
            faults: Vec::new(),
            expect: Vec::new(),
            adversaries: Vec::new(),
            chaos: None,
            invariants: InvariantsConfig::default(),
            output: OutputConfig::default(),
            limits: LimitsConfig::default(),
            sweep: None,
        }
    }
}
