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
    /// Nodes crash and come back with nothing but their identity. What they promised before binds
    /// nobody any more, so it is drawn only if it is listed, and their stake counts as taken away
    /// from then on.
    Amnesia,
}

impl ChaosKind {
    /// Those that are drawn unless others are listed: all that leave honest nodes honest.
    pub const USUAL: [Self; 9] = [
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

/// What adversaries of chaos may do: entries of `[[adversaries]]` with random nodes, moments and
/// strengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ChaosLie {
    /// They make two blocks for every slot that they lead.
    Equivocate,
    /// They keep shreds to themselves.
    WithholdShreds,
    /// They send shreds late.
    DelayShreds,
    /// They spread false entries of validators.
    LieInGossip,
    /// They make blocks that nobody accepts.
    InvalidBlocks,
    /// They make blocks with a false proof of history.
    BadPoh,
    /// They vote on every fork.
    DoubleVote,
    /// They neither vote nor lead.
    Silent,
    /// They lead and do not vote.
    WithholdVotes,
}

impl ChaosLie {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Equivocate,
        Self::WithholdShreds,
        Self::DelayShreds,
        Self::LieInGossip,
        Self::InvalidBlocks,
        Self::BadPoh,
        Self::DoubleVote,
        Self::Silent,
        Self::WithholdVotes,
    ];
}

/// Faults and adversaries that are drawn from the seed (`[chaos]`). They join the lists of
/// `[[faults]]` and `[[adversaries]]`: `headwater show` prints them, and the manifest of a run has
/// them, as if they had been written there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ChaosConfig {
    /// Which kinds of faults are drawn, all equally often.
    pub kinds: Vec<ChaosKind>,
    /// How many faults.
    #[schemars(range(min = 0, max = 1_000))]
    pub count: u32,
    /// How many adversaries are drawn, beside the faults. Each begins at a moment of its own.
    #[schemars(range(min = 0, max = 256))]
    pub adversaries: u32,
    /// What adversaries do, all equally often.
    pub does: Vec<ChaosLie>,
    /// When the first may begin.
    pub from: Span,
    /// When all of them are over; without it at `heal_at`, or else at the end of the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Span>,
    /// How long a fault lasts at least.
    pub shortest: Span,
    /// How long a fault lasts at most.
    pub longest: Span,
    /// Most stake that crash, pause, mute and deaf take away at a time, all of them together, with
    /// that of all adversaries, listed ones too, and of those who lose their memory. A fault or an
    /// adversary that finds no node left within it is not drawn.
    pub most_stake: Chance,
    /// Highest probability of loss and of duplication.
    pub most_loss: Chance,
    /// Longest delay.
    pub most_delay: Span,
}

impl Default for ChaosConfig {
    fn default() -> Self {
        Self {
            kinds: ChaosKind::USUAL.to_vec(),
            count: 8,
            adversaries: 0,
            does: ChaosLie::ALL.to_vec(),
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
