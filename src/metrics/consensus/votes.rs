//! Metrics layer: what became of each validator's votes (`votes.csv`).

use std::collections::VecDeque;

use serde::Serialize;

use super::super::table::{Cell, Column, RowSink, TableSpec, Unit};
use super::held::Settled;
use crate::base::id::NodeId;
use crate::base::slot::Slot;
use crate::fact::Abstention;

/// `votes.csv`.
pub static VOTES: TableSpec = TableSpec {
    name: "votes",
    doc: "One row per validator, by node number. The winning chain is the canonical one of \
          `blocks.csv`: that which most stake builds on at the end. No rows in a run without \
          votes.",
    columns: &[
        Column::new("node", Unit::Node, "The validator."),
        Column::new("stake", Unit::Stake, STAKE),
        Column::new("cast", Unit::Count, "Votes that it cast."),
        Column::new("switched", Unit::Count, "Of them, for another fork than the one before."),
        Column::new("landed", Unit::Count, "Of them, in any block that was made."),
        Column::new("landed_canonical", Unit::Count, CANONICAL),
        Column::new("delay_1", Unit::Count, "Of those, one slot after the block voted for."),
        Column::new("delay_2", Unit::Count, "Of those, two slots after it."),
        Column::new("late", Unit::Count, LATE),
        Column::new("delay_sum", Unit::Count, "The slots it took, added up over those votes."),
        Column::new("never_landed", Unit::Count, NEVER),
        Column::new("withheld_locked_out", Unit::Count, LOCKED_OUT),
        Column::new("withheld_threshold", Unit::Count, THRESHOLD),
        Column::new("withheld_switch", Unit::Count, SWITCH),
        Column::new("withheld_unpropagated", Unit::Count, UNPROPAGATED),
        Column::new("withheld_rollback", Unit::Count, ROLLBACK),
        Column::new("roots", Unit::Count, "How often it had a new root."),
        Column::new("root_slot", Unit::Slot, "The slot of its last root; empty without one."),
        Column::new("losing_ns", Unit::Nanoseconds, LOSING),
        Column::new("reorganisations", Unit::Count, "How often it left blocks of its chain."),
        Column::new("reorganisation_max", Unit::Count, "Most blocks that it left at once."),
    ],
};

const STAKE: &str = "Its stake at the start; `nodes.epochs` may have changed it since.";

const CANONICAL: &str = "Of the votes, in a block of the winning chain; this, the next four columns \
                         and `losing_ns` are empty if that chain cannot be told.";
const LATE: &str =
    "Of those, three or more slots after it: beyond the grace of timely vote credits.";
const NEVER: &str = "Votes that were in no block by the end of the run, the last ones among them.";
const LOCKED_OUT: &str = "Blocks that it considered and did not vote for, as a vote in its tower \
                          locked it out; a block counts once per reason in a row.";
const THRESHOLD: &str = "The same, as too little stake stood behind the vote deep in its tower.";
const SWITCH: &str = "The same, as too little stake was locked out of its own fork.";
const UNPROPAGATED: &str = "The same, as its own last block had not reached enough of the stake.";
const ROLLBACK: &str = "The same, as the block lay before its last vote.";
const LOSING: &str = "How long it was up and built on a block that the winning chain left aside.";

/// Votes of a node that may still land for the first time. A leader takes only the newest vote that
/// it knows of a voter, so one that is so many votes behind does not land any more.
const RECENT: usize = 64;

/// Votes withheld by reason. Each block counts once per reason in a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct WithheldCounts {
    /// A vote in the tower locked the node out.
    pub locked_out: u64,
    /// Too little stake stood behind the vote deep in the tower.
    pub threshold: u64,
    /// Too little stake was locked out of the node's own fork.
    pub switch: u64,
    /// The node's own last block had not reached enough of the stake.
    pub unpropagated: u64,
    /// The block lay before the last vote.
    pub rollback: u64,
}

impl WithheldCounts {
    const fn of(&mut self, reason: Abstention) -> &mut u64 {
        match reason {
            Abstention::LockedOut => &mut self.locked_out,
            Abstention::Threshold => &mut self.threshold,
            Abstention::Switch => &mut self.switch,
            Abstention::Unpropagated => &mut self.unpropagated,
            Abstention::Rollback => &mut self.rollback,
        }
    }

    const fn all(self) -> [u64; Abstention::ALL.len()] {
        let Self { locked_out, threshold, switch, unpropagated, rollback } = self;
        [locked_out, threshold, switch, unpropagated, rollback]
    }

    fn add(&mut self, other: Self) {
        for (reason, count) in Abstention::ALL.into_iter().zip(other.all()) {
            *self.of(reason) += count;
        }
    }
}

/// Votes of all validators. What cannot be told without a winning chain is `None`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct VotesSummary {
    /// Votes cast.
    pub cast: u64,
    /// Of them, for another fork than the voter's vote before.
    pub switched: u64,
    /// Of them, in any block.
    pub landed: u64,
    /// Of them, in a block of the winning chain.
    pub landed_canonical: Option<u64>,
    /// Of those, one slot after the block voted for.
    pub delay_1: Option<u64>,
    /// Of those, two slots after it.
    pub delay_2: Option<u64>,
    /// Of those, later.
    pub late: Option<u64>,
    /// Votes that were in no block by the end, the last ones of every voter among them.
    pub never_landed: u64,
    /// Votes withheld.
    pub withheld: WithheldCounts,
    /// Nanoseconds that validators were up on a losing fork, on average ...
    pub losing_mean_ns: Option<u64>,
    /// ... and the most of one of them.
    pub losing_max_ns: Option<u64>,
}

/// Sums over validators, still to be divided.
#[derive(Default)]
pub(super) struct Sum {
    votes: VotesSummary,
    settled: Settled,
    losing_max: u64,
    count: u64,
}

impl Sum {
    /// The figures; `told` is whether there is a winning chain.
    pub(super) fn summary(self, told: bool) -> VotesSummary {
        let Settled { landed, in_time: [one, two], late, losing, .. } = self.settled;
        let told = |figure: u64| told.then_some(figure);
        VotesSummary {
            landed_canonical: told(landed),
            delay_1: told(one),
            delay_2: told(two),
            late: told(late),
            losing_mean_ns: losing.checked_div(self.count).and_then(told),
            losing_max_ns: told(self.losing_max),
            ..self.votes
        }
    }
}

/// One validator's votes.
#[derive(Default)]
pub(super) struct Votes {
    cast: u64,
    switched: u64,
    landed: u64,
    withheld: WithheldCounts,
    roots: u64,
    root: Option<Slot>,
    reorganisations: u64,
    reorganisation_max: u32,
    /// The newest votes, and whether they have been in a block.
    recent: VecDeque<(Slot, bool)>,
}

impl Votes {
    pub(super) fn on_cast(&mut self, slot: Slot, switched: bool) {
        self.cast += 1;
        self.switched += u64::from(switched);
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back((slot, false));
    }

    pub(super) fn on_landed(&mut self, slot: Slot) {
        let vote = self.recent.iter_mut().rev().find(|(voted, _)| *voted == slot);
        if let Some((_, landed)) = vote {
            self.landed += u64::from(!*landed);
            *landed = true;
        }
    }

    pub(super) const fn on_withheld(&mut self, reason: Abstention) {
        *self.withheld.of(reason) += 1;
    }

    pub(super) const fn on_rooted(&mut self, slot: Slot) {
        self.roots += 1;
        self.root = Some(slot);
    }

    pub(super) fn on_head(&mut self, reorganised: u32) {
        self.reorganisations += u64::from(reorganised > 0);
        self.reorganisation_max = self.reorganisation_max.max(reorganised);
    }

    /// The last root.
    pub(super) const fn root(&self) -> Option<Slot> {
        self.root
    }

    /// Adds the validator to the figures of all.
    pub(super) fn add_to(&self, sum: &mut Sum, settled: &Settled) {
        let Sum { votes, settled: all, losing_max, count } = sum;
        votes.cast += self.cast;
        votes.switched += self.switched;
        votes.landed += self.landed;
        votes.never_landed += self.cast - self.landed;
        votes.withheld.add(self.withheld);
        all.landed += settled.landed;
        all.late += settled.late;
        all.losing += settled.losing;
        all.in_time.iter_mut().zip(settled.in_time).for_each(|(sum, more)| *sum += more);
        *losing_max = (*losing_max).max(settled.losing);
        *count += 1;
    }

    /// Writes the validator's row; `settled` is `None` without a winning chain.
    pub(super) fn row(
        &self,
        (node, stake): (NodeId, u64),
        settled: Option<&Settled>,
        sink: &mut impl RowSink,
    ) {
        let told = |figure: fn(&Settled) -> u64| Cell::from(settled.map(figure));
        let mut cells: Vec<Cell<'_>> = vec![
            node.into(),
            stake.into(),
            self.cast.into(),
            self.switched.into(),
            self.landed.into(),
            told(|settled| settled.landed),
            told(|settled| settled.in_time[0]),
            told(|settled| settled.in_time[1]),
            told(|settled| settled.late),
            told(|settled| settled.delays),
            (self.cast - self.landed).into(),
        ];
        cells.extend(self.withheld.all().map(Cell::from));
        cells.extend([
            self.roots.into(),
            self.root.map(Slot::number).into(),
            told(|settled| settled.losing),
            self.reorganisations.into(),
            self.reorganisation_max.into(),
        ]);
        sink.row(&VOTES, &cells);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_column_and_its_count() {
        let mut counts = WithheldCounts::default();
        for (place, reason) in Abstention::ALL.into_iter().enumerate() {
            *counts.of(reason) += place as u64 + 1;
            let column = VOTES.position(&format!("withheld_{}", reason.name()));
            assert_eq!(column, VOTES.position("withheld_locked_out").map(|first| first + place));
        }
        assert_eq!(counts.all(), [1, 2, 3, 4, 5]);
    }

    #[test]
    fn a_vote_lands_once_however_many_blocks_hold_it() {
        let mut votes = Votes::default();
        (1..=3).for_each(|slot| votes.on_cast(Slot::new(slot), slot == 2));
        [2, 2, 1, 7].into_iter().for_each(|slot| votes.on_landed(Slot::new(slot)));
        assert_eq!((votes.cast, votes.switched, votes.landed), (3, 1, 2));
        (4..100).for_each(|slot| votes.on_cast(Slot::new(slot), false));
        votes.on_landed(Slot::new(3));
        assert_eq!((votes.recent.len(), votes.landed), (RECENT, 2), "too old to be known");
    }
}
