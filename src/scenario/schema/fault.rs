//! Scenario layer: `[[faults]]`, a timed list of what goes wrong, as written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::network::{BufferConfig, yes};
use crate::base::distribution::DistributionOrSpan;
use crate::base::quantity::{Chance, Rate};
use crate::base::time::Span;
use crate::scenario::population::selector::Selector;

/// What is left of a node that was down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MemoryConfig {
    /// It keeps what a real node writes to disk.
    #[default]
    Kept,
    /// It forgets everything but its identity.
    Lost,
}

/// When a fault is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowConfig {
    /// When it begins.
    pub at: Span,
    /// How long it lasts.
    pub lasting: Option<Span>,
    /// When it ends.
    pub until: Option<Span>,
    /// Whether it may touch nothing.
    pub may_miss: bool,
}

/// Writes the enum with the keys that every kind shares, and those of kinds that act on paths,
/// repeated in each variant: serde can flatten a struct of them or refuse unknown keys, but not
/// both.
macro_rules! faults {
    ($(
        $(#[$doc:meta])*
        $variant:ident $name:literal $( paths($from:ident, $to:ident, $both_ways:ident) )? {
            $( $(#[$field_doc:meta])* $field:ident: $type:ty, )*
        }
    )*) => {
        /// Something that goes wrong at a time (`[[faults]]`). Every fault counts what met it and
        /// what it touched; one that met nothing fails the run unless it says `may_miss = true`.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
        pub enum FaultConfig {
            $(
                $(#[$doc])*
                $variant {
                    /// When it begins.
                    at: Span,
                    /// How long it lasts. Without this and `until` it lasts to the end of the run.
                    #[serde(rename = "for", default, skip_serializing_if = "Option::is_none")]
                    lasting: Option<Span>,
                    /// When it ends, in place of `for`.
                    #[serde(default, skip_serializing_if = "Option::is_none")]
                    until: Option<Span>,
                    /// Whether it may meet nothing without failing the run.
                    #[serde(default)]
                    may_miss: bool,
                    $(
                        /// The nodes at one end.
                        #[serde(default = "everyone")]
                        $from: Selector,
                        /// The nodes at the other end.
                        #[serde(default = "everyone")]
                        $to: Selector,
                        /// Whether messages from `to` to `from` are meant too.
                        #[serde(default = "yes")]
                        $both_ways: bool,
                    )?
                    $( $(#[$field_doc])* $field: $type, )*
                },
            )*
        }

        impl FaultConfig {
            /// The fault's kind as written.
            #[must_use]
            pub const fn kind(&self) -> &'static str {
                match self { $( Self::$variant { .. } => $name, )* }
            }

            /// When it is in force.
            #[must_use]
            pub const fn window(&self) -> WindowConfig {
                match *self {
                    $( Self::$variant { at, lasting, until, may_miss, .. } => {
                        WindowConfig { at, lasting, until, may_miss }
                    } )*
                }
            }
        }
    };
}

faults! {
    /// Splits the nodes into groups that cannot reach each other. With one group, the rest is the
    /// other one. A node named by two groups stands on both sides (not of a one-way cut).
    Partition "partition" {
        /// The groups, up to 64; "rest" is everyone in no other group. Every node must
        /// be in a group, unless the cut is one-way.
        groups: Vec<Selector>,
        /// Cuts only what goes from the first of two groups to the second.
        #[serde(default)]
        one_way: bool,
    }
    /// Ends all partitions in force.
    Heal "heal" {}
    /// Loses messages on some paths.
    Loss "loss" paths(from, to, both_ways) {
        /// Probability of loss, on top of the link's own.
        probability: Chance,
    }
    /// Delays messages on some paths.
    Delay "delay" paths(from, to, both_ways) {
        /// Extra latency of every message: a time or a distribution.
        extra: DistributionOrSpan,
    }
    /// Duplicates messages on some paths.
    Duplicate "duplicate" paths(from, to, both_ways) {
        /// Probability of a second copy.
        probability: Chance,
    }
    /// Limits the rate at which each sender's messages pass on some paths.
    Throttle "throttle" paths(from, to, both_ways) {
        /// The rate that each sender has on these paths together.
        rate: Rate,
        /// How much of each sender may wait: bytes, or a number of messages.
        #[serde(default)]
        buffer: BufferConfig,
    }
    /// Takes nodes down; they come back at the end of the window.
    Crash "crash" {
        /// Which nodes.
        nodes: Selector,
        /// What is left of a node while it is away.
        #[serde(default)]
        memory: MemoryConfig,
    }
    /// Nodes leave and come back at random moments of the window.
    Churn "churn" {
        /// Which nodes take part.
        nodes: Selector,
        /// Mean time from one departure to the next in the whole cluster (Poisson).
        every: Span,
        /// How long a node stays away: a time or a distribution.
        downtime: DistributionOrSpan,
        /// What is left of a node while it is away.
        #[serde(default)]
        memory: MemoryConfig,
    }
    /// Nodes stand still: what arrives waits, alarms go off late.
    Pause "pause" {
        /// Which nodes.
        nodes: Selector,
    }
    /// Nodes work more slowly.
    Slow "slow" {
        /// Which nodes.
        nodes: Selector,
        /// All work takes this many times as long.
        #[serde(default = "one")]
        #[schemars(range(min = 1, max = 1_000_000))]
        factor: u32,
        /// Time added to the handling of every message.
        #[serde(default)]
        per_message: Span,
    }
    /// Messages of these nodes never leave them.
    Mute "mute" {
        /// Which nodes.
        nodes: Selector,
    }
    /// These nodes ignore all messages.
    Deaf "deaf" {
        /// Which nodes.
        nodes: Selector,
    }
    /// Clocks of these nodes are off.
    Clock "clock" {
        /// Which nodes.
        nodes: Selector,
        /// How far they are ahead.
        #[serde(default)]
        ahead: Span,
        /// How far they are behind, in place of `ahead`.
        #[serde(default)]
        behind: Span,
        /// How much they gain, in parts per million; a negative number makes them lose.
        #[serde(default)]
        #[schemars(range(min = -500_000, max = 500_000))]
        drift_ppm: i32,
    }
}

const fn everyone() -> Selector {
    Selector::All
}

const fn one() -> u32 {
    1
}
