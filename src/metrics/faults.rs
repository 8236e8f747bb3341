//! Metrics layer, collector: what each fault of the scenario met and touched (`faults.csv`).

use serde::Serialize;

use super::plan::FaultInfo;
use super::table::{Column, RowSink, TableSpec, Unit};

/// `faults.csv`.
pub static FAULTS: TableSpec = TableSpec {
    name: "faults",
    doc: "One row per fault, in the order of the scenario.",
    columns: &[
        Column::new("fault", Unit::Count, "Its place, from zero."),
        Column::new("kind", Unit::Text, "Its kind as in the scenario."),
        Column::new("description", Unit::Text, "What it does."),
        Column::new("begin_ns", Unit::Nanoseconds, "When it is to begin."),
        Column::new("end_ns", Unit::Nanoseconds, "When it is to end; empty for never."),
        Column::new("exposed", Unit::Count, "Messages or nodes that met it while it was active."),
        Column::new("affected", Unit::Count, "Messages or nodes that it changed something for."),
        Column::new(
            "verdict",
            Unit::Text,
            "`touched`; `touched nothing`: something met it, to no effect; `missed`: nothing met \
             it; `missed, as allowed`: likewise, but `may_miss` is set; `never began`: the run was \
             over before.",
        ),
    ],
};

/// What became of the faults; lists hold places from zero.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct FaultsSummary {
    /// Faults of the scenario.
    pub count: u64,
    /// Faults that had an effect.
    pub touched: u64,
    /// Faults that something met, to no effect.
    pub touched_nothing: Vec<u32>,
    /// Faults that nothing met although they must not miss.
    pub missed: Vec<u32>,
    /// Faults that nothing met, as their `may_miss` allows.
    pub missed_as_allowed: Vec<u32>,
    /// Faults that were to begin after the end of the run.
    pub never_began: Vec<u32>,
    /// Those of them whose `may_miss` does not allow it.
    pub late: Vec<u32>,
}

/// Remembers which faults began.
pub(super) struct Faults {
    faults: Vec<FaultInfo>,
    began: Vec<bool>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Touched,
    TouchedNothing,
    Missed,
    MissedAsAllowed,
    NeverBegan,
}

impl Verdict {
    const fn name(self) -> &'static str {
        match self {
            Self::Touched => "touched",
            Self::TouchedNothing => "touched nothing",
            Self::Missed => "missed",
            Self::MissedAsAllowed => "missed, as allowed",
            Self::NeverBegan => "never began",
        }
    }
}

impl Faults {
    pub(super) fn new(faults: Vec<FaultInfo>) -> Self {
        Self { began: vec![false; faults.len()], faults }
    }

    pub(super) fn on_began(&mut self, fault: u32) {
        self.began[fault as usize] = true;
    }

    /// Whether the end of a fault is a heal.
    pub(super) fn heals(&self, fault: u32) -> bool {
        self.faults[fault as usize].heals
    }

    /// Writes a row per fault; `tallies` are exposed and affected in the order of the plan.
    pub(super) fn fill(&self, tallies: &[(u64, u64)], sink: &mut impl RowSink) -> FaultsSummary {
        assert_eq!(tallies.len(), self.faults.len(), "one tally per fault of the plan");
        let mut summary =
            FaultsSummary { count: self.faults.len() as u64, ..FaultsSummary::default() };
        for (place, (fault, tally)) in (0_u32..).zip(self.faults.iter().zip(tallies)) {
            let verdict = self.verdict(place, *tally);
            match verdict {
                Verdict::Touched => summary.touched += 1,
                Verdict::TouchedNothing => summary.touched_nothing.push(place),
                Verdict::Missed => summary.missed.push(place),
                Verdict::MissedAsAllowed => summary.missed_as_allowed.push(place),
                Verdict::NeverBegan => {
                    summary.never_began.push(place);
                    summary.late.extend((!fault.may_miss).then_some(place));
                }
            }
            sink.row(
                &FAULTS,
                &[
                    place.into(),
                    fault.kind.as_str().into(),
                    fault.describe.as_str().into(),
                    fault.begin.into(),
                    fault.end.into(),
                    tally.0.into(),
                    tally.1.into(),
                    verdict.name().into(),
                ],
            );
        }
        summary
    }

    fn verdict(&self, place: u32, (exposed, affected): (u64, u64)) -> Verdict {
        let place = place as usize;
        match (self.began[place], exposed, affected) {
            (false, ..) => Verdict::NeverBegan,
            (true, _, 1..) => Verdict::Touched,
            (true, 1.., 0) => Verdict::TouchedNothing,
            (true, 0, 0) if self.faults[place].may_miss => Verdict::MissedAsAllowed,
            (true, 0, 0) => Verdict::Missed,
        }
    }
}
