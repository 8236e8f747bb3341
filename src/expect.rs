//! Expectation layer: what a scenario expects of its runs, and the verdict on a run. Judged from
//! the record alone, that is from the summary and the tables that a run left, so that results can
//! be judged again, by other expectations too, without running anything.
//!
//! [`setting`] is what a scenario says, [`Expectation`] the same with every name found, [`judge`]
//! the verdict. [`invariant`] holds what is asked of every run; [`across`] judges the points of a
//! sweep.

pub mod across;
mod bounds;
pub mod invariant;
mod judging;
mod metric;
mod record;
mod resolving;
pub mod setting;
pub mod statistic;
pub mod value;

#[cfg(test)]
mod tests;

use std::fmt;

use serde::Serialize;

use self::across::Trial;
use self::bounds::Bounds;
use self::invariant::Invariant;
use self::metric::Rows;
use self::setting::ShareOf;
use self::statistic::Statistic;
use self::value::Exact;
use crate::base::time::Span;
use crate::metrics::catalogue::Figure;
use crate::metrics::table::{Cell, Column, RowSink, TableSpec, Unit};
use crate::metrics::{FAULTS, NODES};

pub use self::invariant::MADE_IN_VAIN;
pub use self::judging::{judge, judge_figure};
pub use self::metric::known as known_metric;
pub use self::record::{InFolder, Record, STOPPED, Tables, summary_json};

/// Why a setting of an expectation is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The key within the expectation, such as `at_most`; empty for the expectation as a whole.
    pub key: String,
    /// One sentence without the key and without a full stop.
    pub message: String,
    /// A way out.
    pub hint: Option<String>,
    /// A name that is not known, and those that are.
    pub unknown: Option<(String, Vec<String>)>,
}

impl Refusal {
    fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { key: key.into(), message: message.into(), hint: None, unknown: None }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn names(mut self, name: &str, all: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.unknown = Some((name.to_owned(), all.into_iter().map(Into::into).collect()));
        self
    }
}

/// An expectation of a run with every name found; made by [`Expectation::resolve`].
#[derive(Clone, Debug)]
pub struct Expectation {
    /// Its place in the scenario, from zero.
    pub place: usize,
    /// What it is called, or is about in words.
    pub label: String,
    /// What a run is called in which it does not hold.
    pub breach: Outcome,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    /// A number of the summary, perhaps divided by another.
    Figure { figure: Figure, per: Option<Figure>, bounds: Bounds },
    /// A statistic over rows, in this unit.
    Statistic { rows: Rows, statistic: Statistic, bounds: Bounds },
    /// At least this share is within bounds.
    Share { rows: Rows, bounds: Bounds, share: Exact, of: ShareOf },
    /// Something comes true in time.
    Eventually(Coming),
    /// Every row is within bounds.
    Always { rows: Rows, bounds: Bounds },
    /// A named invariant.
    Invariant(&'static Invariant),
    /// A number of the summary is as bounded.
    SometimesFigure { figure: Figure, bounds: Bounds },
    /// At least one row is.
    Sometimes { rows: Rows, bounds: Bounds },
    /// Judged on the points of a sweep.
    Across(Box<Trial>),
}

/// Something that has to come true within a time after marks.
#[derive(Clone, Debug)]
struct Coming {
    rows: Rows,
    time: usize,
    bounds: Bounds,
    share: Option<(Exact, ShareOf)>,
    within: Span,
    after: Mark,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Moment(Span),
    Heals,
    LastFault,
}

impl Expectation {
    /// The kind as written.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self.what {
            What::Figure { .. } | What::Statistic { .. } | What::Share { .. } => "bound",
            What::Eventually(_) => "eventually",
            What::Always { .. } | What::Invariant(_) => "always",
            What::SometimesFigure { .. } | What::Sometimes { .. } => "sometimes",
            What::Across(_) => "across",
        }
    }

    /// The table that it reads rows of.
    #[must_use]
    pub const fn table(&self) -> Option<&'static TableSpec> {
        match &self.what {
            What::Statistic { rows, .. }
            | What::Share { rows, .. }
            | What::Always { rows, .. }
            | What::Sometimes { rows, .. } => Some(rows.table),
            What::Eventually(coming) => Some(coming.rows.table),
            _ => None,
        }
    }

    /// The numbers of the summary that it reads, by name.
    #[must_use]
    pub fn figures(&self) -> Vec<&str> {
        match &self.what {
            What::Figure { figure, per, .. } => {
                std::iter::once(figure).chain(per).map(|figure| figure.name.as_str()).collect()
            }
            What::SometimesFigure { figure, .. } => vec![&figure.name],
            What::Across(trial) => vec![&trial.metric.name],
            _ => Vec::new(),
        }
    }

    /// What is judged on the points of a sweep; `None` for what is judged on a run.
    #[must_use]
    pub const fn across(&self) -> Option<&Trial> {
        match &self.what {
            What::Across(trial) => Some(trial),
            _ => None,
        }
    }
}

/// The tables that judging reads.
#[must_use]
pub fn tables(expectations: &[Expectation]) -> Vec<&'static TableSpec> {
    let mut tables: Vec<&'static TableSpec> = vec![&NODES, &FAULTS];
    for table in expectations.iter().filter_map(Expectation::table) {
        if !tables.iter().any(|known| known.name == table.name) {
            tables.push(table);
        }
    }
    tables
}

/// What a run is called, from the best to the gravest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub enum Outcome {
    /// Everything as expected.
    #[serde(rename = "pass")]
    Pass,
    /// The run says nothing about what it was made for: something expected was never exercised.
    #[serde(rename = "invalid")]
    Invalid,
    /// Something is not as expected.
    #[serde(rename = "failed")]
    Failed,
    /// What should have come did not.
    #[serde(rename = "no progress")]
    NoProgress,
    /// Nodes hold what contradicts each other.
    #[serde(rename = "diverged")]
    Diverged,
    /// Honest nodes broke what must never be broken.
    #[serde(rename = "violated")]
    Violated,
    /// A limit ended the run early.
    #[serde(rename = "stopped")]
    Stopped,
    /// A bug of the program.
    #[serde(rename = "bug")]
    Bug,
}

impl Outcome {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Invalid => "invalid",
            Self::Failed => "failed",
            Self::NoProgress => "no progress",
            Self::Diverged => "diverged",
            Self::Violated => "violated",
            Self::Stopped => "stopped",
            Self::Bug => "bug",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// How one expectation was judged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ruling {
    /// It holds.
    Held,
    /// It does not.
    Broken,
    /// It could not be judged: there was nothing that it is about.
    Unexercised,
    /// It is about the points of a sweep, not about a run.
    Elsewhere,
}

impl Ruling {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Broken => "broken",
            Self::Unexercised => "unexercised",
            Self::Elsewhere => "sweep",
        }
    }
}

/// One expectation or invariant, judged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Judged {
    /// Place in the scenario; `None` for an invariant that it does not name.
    pub place: Option<usize>,
    /// The kind as written.
    pub kind: &'static str,
    /// What it is called.
    pub label: String,
    /// How it was judged.
    pub ruling: Ruling,
    /// What was expected, in words.
    pub expected: String,
    /// What was found, in words.
    pub found: String,
    /// What a run is called in which it does not hold.
    pub breach: Outcome,
}

impl Judged {
    /// What it makes of the run.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        match self.ruling {
            Ruling::Held | Ruling::Elsewhere => Outcome::Pass,
            Ruling::Broken => self.breach,
            Ruling::Unexercised => Outcome::Invalid,
        }
    }

    /// What speaks against the run, in a sentence.
    #[must_use]
    pub fn complaint(&self) -> String {
        match self.place {
            Some(place) => {
                let Self { label, expected, found, .. } = self;
                format!("expect[{place}] ({label}): expected {expected}, found {found}")
            }
            None => self.found.clone(),
        }
    }
}

/// The verdict on a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// What the run is called: the gravest of what the expectations make of it.
    pub outcome: Outcome,
    /// Why it ended early.
    pub stopped: Option<String>,
    /// Every expectation in the order of the scenario, then the invariants that it does not name.
    pub judged: Vec<Judged>,
    /// What is no failure but should be known.
    pub warnings: Vec<String>,
}

impl Verdict {
    /// Whether everything is as expected.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.outcome == Outcome::Pass
    }

    /// What speaks against the run, the gravest first; of equals what is asked of every run first.
    pub fn complaints(&self) -> impl Iterator<Item = &Judged> {
        let mut against: Vec<_> =
            self.judged.iter().filter(|judged| judged.outcome() != Outcome::Pass).collect();
        against.sort_by_key(|judged| (std::cmp::Reverse(judged.outcome()), judged.place));
        against.into_iter()
    }

    /// How many expectations of the scenario were judged like this.
    #[must_use]
    pub fn count(&self, ruling: Ruling) -> usize {
        let own = self.judged.iter().filter(|judged| judged.place.is_some());
        own.filter(|judged| judged.ruling == ruling).count()
    }

    /// The verdict as a part of `summary.json`.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "outcome": self.outcome.word(),
            "held": self.count(Ruling::Held),
            "broken": self.count(Ruling::Broken),
            "unexercised": self.count(Ruling::Unexercised),
        })
    }

    /// Writes one row per expectation.
    pub fn rows(&self, sink: &mut impl RowSink) {
        for judged in &self.judged {
            let cells: [Cell<'_>; 7] = [
                judged.place.into(),
                judged.kind.into(),
                judged.label.as_str().into(),
                judged.ruling.word().into(),
                judged.expected.as_str().into(),
                judged.found.as_str().into(),
                judged.outcome().word().into(),
            ];
            sink.row(&EXPECTATIONS, &cells);
        }
    }
}

/// The verdict in a line: `pass`, or the word for it with everything that speaks against the run.
/// How the verdict of a run begins that was ended by a limit or from outside.
pub const ENDED_EARLY: &str = "stopped";

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(why) = &self.stopped {
            return write!(f, "{ENDED_EARLY}: {why}");
        }
        let against: Vec<String> = self.complaints().map(Judged::complaint).collect();
        match self.outcome {
            Outcome::Pass if self.warnings.is_empty() => f.write_str("pass"),
            Outcome::Pass => write!(f, "pass (warning: {})", self.warnings.join("; ")),
            // A bug is told of as a failure.
            Outcome::Bug => write!(f, "failed: {}", against.join("; ")),
            outcome => write!(f, "{outcome}: {}", against.join("; ")),
        }
    }
}

/// `expectations.csv`.
pub static EXPECTATIONS: TableSpec = TableSpec {
    name: "expectations",
    doc: "One row per expectation in the order of the scenario, then one per invariant that it \
          does not name.",
    columns: &[
        Column::new("expectation", Unit::Count, "Its place, from zero; empty for an invariant."),
        Column::new("kind", Unit::Text, "Its kind as in the scenario."),
        Column::new("name", Unit::Text, "What it is called, or is about in words."),
        Column::new(
            "ruling",
            Unit::Text,
            "`held`, `broken`; `unexercised`: there was nothing that it is about; `sweep`: it is \
             about the points of a sweep.",
        ),
        Column::new("expected", Unit::Text, "What was expected."),
        Column::new("found", Unit::Text, "What was found."),
        Column::new(
            "outcome",
            Unit::Text,
            "What it makes of the run: `pass`, `invalid`, `failed`, `no progress`, `diverged` or \
             `bug`.",
        ),
    ],
};
