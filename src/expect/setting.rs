//! Expectation layer: `[[expect]]` as written. Every doc comment here becomes part of the key
//! reference of scenarios.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::value::Literal;
use crate::base::time::Span;

/// Writes a kind of expectation with the keys that say which values are meant and what is asked of
/// them, repeated in each kind: serde can flatten a struct of them or refuse unknown keys, but not
/// both.
macro_rules! about_values {
    (
        $(#[$doc:meta])*
        $kind:ident { $( $(#[$field_doc:meta])* $field:ident: $type:ty, )* }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $kind {
            /// What it is called in tables; without a name it is described in words.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub name: Option<String>,
            $( $(#[$field_doc])* pub $field: $type, )*
            /// Only rows with these values, such as `{ kind = "total" }`.
            #[serde(rename = "where", default, skip_serializing_if = "BTreeMap::is_empty")]
            pub only: BTreeMap<String, Literal>,
            /// Only rows from this moment on, by the time column of the table.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub from: Option<Span>,
            /// Only rows up to this moment.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub until: Option<Span>,
            /// The value is this or less. Values are written in the unit of the metric: "80ms",
            /// "64kB", "1Mbit/s", "95%", 3, true.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub at_most: Option<Literal>,
            /// The value is this or more.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub at_least: Option<Literal>,
            /// The value is less.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub below: Option<Literal>,
            /// The value is more.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub above: Option<Literal>,
            /// The value is exactly this.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub equals: Option<Literal>,
            /// What an empty cell counts as. Without it, an empty time is "never" and anything else
            /// is left out.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub empty: Option<Empty>,
            /// What a run is called in which it does not hold.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub verdict: Option<Breach>,
        }
    };
}

/// Something that is expected of a run (`[[expect]]`), judged on its results alone. Metrics are the
/// numbers of `summary.json`, such as "rumors.latency.p99_ns", and the columns of the tables, such
/// as "rumors.to_95_nodes_ns" with a statistic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ExpectConfig {
    /// A metric lies within bounds.
    Bound(Bound),
    /// Something comes true within a time, by a table whose rows have a time.
    Eventually(Eventually),
    /// Every row is within bounds, or a named invariant holds.
    Always(Always),
    /// Something happens at least once: without it, a pass would say nothing. A run in which it
    /// does not is invalid.
    Sometimes(Sometimes),
    /// How a metric changes from one point of a sweep to another; judged on a sweep, not on a run.
    Across(Across),
}

about_values! {
    /// A metric lies within bounds.
    Bound {
        /// A number of the summary; or, with `statistic` or `share`, a column TABLE.COLUMN.
        metric: String,
        /// What is taken of the rows' values: "min", "max", "mean", "median", "sum", "count",
        /// "first", "last", or a percentile such as "p99" (by nearest rank).
        #[serde(skip_serializing_if = "Option::is_none")]
        statistic: Option<String>,
        /// A number of the summary to divide by: the bounds are then those of the share, such as
        /// "2%".
        #[serde(skip_serializing_if = "Option::is_none")]
        per: Option<String>,
        /// In place of a statistic: at least this share of what `of` says is within the bounds.
        #[serde(skip_serializing_if = "Option::is_none")]
        share: Option<Literal>,
        /// Of what a share is meant.
        #[serde(skip_serializing_if = "Option::is_none")]
        of: Option<ShareOf>,
    }
}

about_values! {
    /// Something comes true within a time.
    Eventually {
        /// A column TABLE.COLUMN of a table whose rows have a time.
        metric: String,
        /// How long it may take.
        within: Span,
        /// From when on: "start", "heal" (the end of each partition), "faults" (the end of the
        /// last fault), or a moment such as "5s".
        #[serde(skip_serializing_if = "Option::is_none")]
        after: Option<String>,
        /// At one and the same moment, at least this share of what `of` says is within the bounds;
        /// without it one row is enough.
        #[serde(skip_serializing_if = "Option::is_none")]
        share: Option<Literal>,
        /// Of what a share is meant.
        #[serde(skip_serializing_if = "Option::is_none")]
        of: Option<ShareOf>,
    }
}

about_values! {
    /// Every row is within bounds, or a named invariant holds.
    Always {
        /// An invariant in place of a metric: "conservation", "erasure", "faults", "rumors" or
        /// "transactions". All of them are judged on every run, named or not.
        #[serde(skip_serializing_if = "Option::is_none")]
        invariant: Option<String>,
        /// A column TABLE.COLUMN.
        #[serde(skip_serializing_if = "Option::is_none")]
        metric: Option<String>,
    }
}

about_values! {
    /// Something happens at least once.
    Sometimes {
        /// A number of the summary, or a column TABLE.COLUMN. Without bounds it is above zero; of a
        /// column at least one row is.
        metric: String,
    }
}

/// How a metric changes across the points of a sweep. Each point counts with a statistic over its
/// seeds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Across {
    /// What it is called in tables; without a name it is described in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A number of the summary.
    pub metric: String,
    /// What is taken of the seeds of a point: as in a bound; without it the median.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statistic: Option<String>,
    /// The axis along which the metric has a trend: a key of the scenario that the sweep varies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub axis: Option<String>,
    /// What the trend is, from each value of the axis to the next larger one; all other axes held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trend: Option<Trend>,
    /// By how much of the smaller value a step may go against the trend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<Literal>,
    /// Only points with these values on the axes.
    #[serde(rename = "where", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub only: BTreeMap<String, Literal>,
    /// In place of an axis: the points with these values, compared with those of `b` that agree
    /// with them on all other axes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub a: BTreeMap<String, Literal>,
    /// What the points of `a` are compared with.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub b: BTreeMap<String, Literal>,
    /// A differs from B by at most this share of B.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within: Option<Literal>,
    /// A is at most this share of B, such as "50%".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_most: Option<Literal>,
    /// A is at least this share of B, such as "200%".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_least: Option<Literal>,
    /// What a sweep is called in which it does not hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Breach>,
}

/// How a metric changes as an axis grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Trend {
    /// Each step up.
    Rising,
    /// Each step down.
    Falling,
    /// No step down.
    NeverFalling,
    /// No step up.
    NeverRising,
}

/// Of what a share is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ShareOf {
    /// Of the rows.
    #[default]
    Rows,
    /// Of all nodes: one counts if it has rows and each of them is within the bounds.
    Nodes,
    /// Of all stake: a node counts with its stake.
    Stake,
}

/// What an empty cell counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Empty {
    /// It never happened: the cell is beyond every bound.
    Never,
    /// It says nothing: the row is left out.
    Skip,
}

/// What a run is called in which an expectation does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Breach {
    /// Something is not as expected; bound and always, if they do not say otherwise.
    Failed,
    /// Something that should have come did not; eventually, if it does not say otherwise.
    NoProgress,
    /// Nodes hold what contradicts each other.
    Diverged,
    /// The run says nothing about what it was made for; sometimes, if it does not say otherwise.
    Invalid,
}
