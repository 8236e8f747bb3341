//! Scenario layer: `[chaos]` as written: a random disaster, drawn from the seed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::quantity::Chance;
use crate::base::time::Span;

/// What chaos may do: faults of `[[faults]]` with random nodes, moments and strengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ChaosKind {
    /// Nodes crash and come back with what a real one has on disk.
    Crash,
    /// Nodes stand still.
    Pause,
    /// The nodes fall apart into two groups, or three one time out of four.
    Partition,
    /// Some nodes do not reach the others any more, but hear them.
    OneWay,
    /// Messages of some nodes, and to them, are lost.
    Loss,
    /// They come later.
    Delay,
    /// They come twice.
    Duplicate,
    /// Messages of some nodes never leave them.
    Mute,
    /// Some nodes ignore all messages.
    Deaf,
}

impl ChaosKind {
    /// All kinds.
    pub const ALL: [Self; 9] = [
        Self::Crash,
        Self::Pause,
        Self::Partition,
        Self::OneWay,
        Self::Loss,
        Self::Delay,
        Self::Duplicate,
        Self::Mute,
        Self::Deaf,
    ];
}

/// Faults that are drawn from the seed (`[chaos]`). They join the list of `[[faults]]`: `headwater
/// show` prints them, and the manifest of a run has them, as if they had been written there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ChaosConfig {
    /// Which kinds of faults are drawn, all equally often.
    pub kinds: Vec<ChaosKind>,
    /// How many faults.
    #[schemars(range(min = 0, max = 1_000))]
    pub count: u32,
    /// When the first may begin.
    pub from: Span,
    /// When all of them are over; without it at `heal_at`, or else at the end of the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Span>,
    /// How long a fault lasts at least.
    pub shortest: Span,
    /// How long a fault lasts at most.
    pub longest: Span,
    /// Most stake that crash, pause, mute and deaf take away at a time, all of them together. A
    /// fault that finds no node left within it is not drawn.
    pub most_stake: Chance,
    /// Highest probability of loss and of duplication.
    pub most_loss: Chance,
    /// Longest delay.
    pub most_delay: Span,
}

impl Default for ChaosConfig {
    fn default() -> Self {
        Self {
            kinds: ChaosKind::ALL.to_vec(),
            count: 8,
            from: Span::ZERO,
            until: None,
            shortest: Span::from_secs(1),
            longest: Span::from_secs(10),
            most_stake: THIRD,
            most_loss: HALF,
            most_delay: Span::from_secs(1),
        }
    }
}

/// Just below a third: votes go on.
const THIRD: Chance = match Chance::from_ppb(330_000_000) {
    Some(share) => share,
    None => Chance::NEVER,
};

const HALF: Chance = match Chance::from_ppb(500_000_000) {
    Some(chance) => chance,
    None => Chance::NEVER,
};
