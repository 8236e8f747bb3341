//! Scenario layer: `[[transactions]]`, streams of transactions as written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::quantity::{Bytes, Chance};
use crate::base::time::Span;
use crate::scenario::population::selector::Selector;

/// A stream of transactions (`[[transactions]]`) that clients hand to nodes. A single one, several
/// at once (`burst`), a constant stream (`every`) or a Poisson one (`per_second`). A transaction
/// names the block that the node where it comes in builds on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TransactionsConfig {
    /// When the first transaction comes (of a Poisson stream: when the stream begins).
    pub at: Span,
    /// No transaction of the stream comes after this moment; without it the end of the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Span>,
    /// How many transactions. Without it there is one burst, or with `every` or `per_second` as
    /// many as fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// Time from one transaction (or burst) to the next of a constant stream; without it all come
    /// at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every: Option<Span>,
    /// Mean transactions per second of a Poisson stream, in place of `every`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_second: Option<f64>,
    /// How many transactions come at once.
    #[schemars(range(min = 1))]
    pub burst: u32,
    /// Where transactions come in: one of these nodes, drawn anew for each.
    pub node: Selector,
    /// The account that pays; without it one is drawn for each transaction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<u32>,
    /// The account that is paid; without it one is drawn for each transaction, never the sender.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receiver: Option<u32>,
    /// How accounts are drawn.
    pub choose: Choose,
    /// How much each transaction moves.
    pub amount: u64,
    /// Bytes of a transaction beside its own 180, at most 1,052.
    pub data: Bytes,
    /// Probability that a transaction has a forged signature.
    pub forged: Chance,
    /// Probability that a transaction moves more than there is.
    pub overspent: Chance,
    /// Probability that, in place of a new transaction, the last one that came in at the node is
    /// handed in once more; a node that none came in at yet gets a new one.
    pub repeated: Chance,
}

/// How accounts are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Choose {
    /// All equally often.
    #[default]
    Uniform,
    /// By Zipf's law: account i (from 1) in proportion to 1 / i^exponent.
    Zipf {
        /// The exponent, 0 to 10; 0 is the same as "uniform".
        #[serde(default = "one")]
        #[schemars(range(min = 0.0, max = 10.0))]
        exponent: f64,
    },
}

const fn one() -> f64 {
    1.0
}

impl Default for TransactionsConfig {
    fn default() -> Self {
        Self {
            at: Span::ZERO,
            until: None,
            count: None,
            every: None,
            per_second: None,
            burst: 1,
            node: Selector::Node(0),
            sender: None,
            receiver: None,
            choose: Choose::default(),
            amount: 1,
            data: Bytes(0),
            forged: Chance::NEVER,
            overspent: Chance::NEVER,
            repeated: Chance::NEVER,
        }
    }
}
