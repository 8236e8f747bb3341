//! Metrics layer: how firmly a block stands, in whose eyes, and since when.
//!
//! What holds for a block holds for all it stands on: whoever takes a block as confirmed, or roots
//! it, does so with its ancestors.

use serde::Serialize;

use super::super::figures::{Latency, Spans};
use super::super::spread::{SHARES, Spread};
use super::super::table::Cell;
use crate::base::id::{NodeId, NodeSet};
use crate::base::slot::Slot;
use crate::base::time::Span;
use crate::fact::Level;

/// How far a block has come in the eyes of a validator.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    Duplicate,
    Optimistic,
    Finalized,
    Rooted,
}

impl Stage {
    /// The stage of a level of confirmation.
    pub(super) const fn of(level: Level) -> Self {
        match level {
            Level::Duplicate => Self::Duplicate,
            Level::Optimistic => Self::Optimistic,
            Level::Finalized => Self::Finalized,
        }
    }
}

/// How long it took until blocks were confirmed, since they were made. Blocks that never were do
/// not count; mean and ends are exact.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct ConfirmationSummary {
    /// Until validators with half of the stake saw more than two thirds of it vote for the block,
    /// or for one upon it.
    pub optimistic: Latency,
    /// Until validators with half of the stake saw that more than two thirds of it had rooted the
    /// block.
    pub finalized: Latency,
    /// Until validators with 67 % of the stake had rooted the block.
    pub rooted: Latency,
}

/// The same while the run goes on.
#[derive(Default)]
pub(super) struct Confirmations {
    optimistic: Spans,
    finalized: Spans,
    rooted: Spans,
}

impl Confirmations {
    /// Takes in a block that is written down.
    pub(super) fn add(&mut self, of: &Confirmed) {
        for (spans, stage, percent) in [
            (&mut self.optimistic, Stage::Optimistic, 50),
            (&mut self.finalized, Stage::Finalized, 50),
            (&mut self.rooted, Stage::Rooted, 67),
        ] {
            of.stages[stage as usize].to(percent).into_iter().for_each(|took| spans.record(took));
        }
    }

    pub(super) fn summary(&self) -> ConfirmationSummary {
        ConfirmationSummary {
            optimistic: self.optimistic.latency(),
            finalized: self.finalized.latency(),
            rooted: self.rooted.latency(),
        }
    }
}

/// Who is at one stage with a block.
struct Reach {
    nodes: NodeSet,
    stake: Spread,
    first: Option<Span>,
}

impl Reach {
    fn to(&self, percent: u64) -> Option<Span> {
        let place = SHARES.iter().position(|share| *share == percent)?;
        self.stake.times[place]
    }
}

/// What validators make of a block.
pub(super) struct Confirmed {
    stages: [Reach; 4],
    /// Votes in it.
    pub(super) votes: u64,
    /// Slots from it to the vote with which somebody rooted it first.
    slots_to_root: Option<u32>,
}

impl Confirmed {
    /// Cells of a block.
    pub(super) const CELLS: usize = 10;

    /// A block of which nobody thinks anything yet; `total` is the stake of all.
    pub(super) fn new(nodes: usize, total: u64) -> Self {
        let reach =
            || Reach { nodes: NodeSet::empty(nodes), stake: Spread::new(total, 0), first: None };
        Self { stages: std::array::from_fn(|_| reach()), votes: 0, slots_to_root: None }
    }

    /// A validator is at a stage with the block, so long after it was made; false if it was before.
    pub(super) fn on_reached(
        &mut self,
        stage: Stage,
        (node, stake): (NodeId, u64),
        after: Span,
    ) -> bool {
        let reach = &mut self.stages[stage as usize];
        if !reach.nodes.insert(node) {
            return false;
        }
        reach.stake.add(stake, after);
        reach.first.get_or_insert(after);
        true
    }

    /// Somebody's vote for a slot rooted the block of `slot`.
    pub(super) fn on_rooted(&mut self, voted: Slot, slot: Slot) {
        self.slots_to_root.get_or_insert(voted.number().saturating_sub(slot.number()));
    }

    /// The cells of a block, empty where nobody votes.
    pub(super) fn cells(of: Option<&Self>) -> [Cell<'static>; Self::CELLS] {
        let Some(of) = of else { return [const { Cell::Empty }; Self::CELLS] };
        let [duplicate, optimistic, finalized, rooted] = &of.stages;
        [
            of.votes.into(),
            duplicate.to(50).into(),
            optimistic.first.into(),
            optimistic.to(50).into(),
            optimistic.to(95).into(),
            finalized.first.into(),
            finalized.to(50).into(),
            rooted.first.into(),
            rooted.to(67).into(),
            of.slots_to_root.into(),
        ]
    }
}
