//! Expectation layer: judges a record.

use std::collections::BTreeMap;

use serde_json::Value;

use super::bounds::{Bounds, cell_words};
use super::invariant::{Finding, INVARIANTS};
use super::metric::{Rows, integer};
use super::record::{Record, share_of};
use super::setting::{Empty, ShareOf};
use super::statistic::{Statistic, Taken, Values};
use super::value::{Exact, SHARE, written};
use super::{Coming, Expectation, Judged, Mark, Outcome, Ruling, Verdict, What};
use crate::metrics::catalogue::{Figure, Found};
use crate::metrics::table::{Cell, MemorySink, Unit};
use crate::results::ResultsError;

/// How something was judged, what was expected and what was found.
type Opinion = (Ruling, String, String);

/// The verdict on a run: every expectation and every invariant, judged on the record alone.
///
/// # Errors
/// If a table cannot be read.
pub fn judge(expectations: &[Expectation], record: &Record<'_>) -> Result<Verdict, ResultsError> {
    let (mut judged, mut warnings) = (Vec::new(), Vec::new());
    for expectation in expectations {
        let (ruling, expected, found) = opinion(&expectation.what, record)?;
        judged.push(Judged {
            place: Some(expectation.place),
            kind: expectation.kind(),
            label: expectation.label.clone(),
            ruling,
            expected,
            found,
            breach: expectation.breach,
        });
    }
    let is_named = |name: &str| {
        expectations.iter().any(|e| matches!(e.what, What::Invariant(i) if i.name == name))
    };
    for invariant in INVARIANTS {
        let finding = invariant.judge(record)?;
        if is_named(invariant.name) {
            warnings.extend(finding.warnings);
            continue;
        }
        let (ruling, found) = ruling_of(&finding);
        warnings.extend(finding.warnings);
        judged.push(Judged {
            place: None,
            kind: "always",
            label: invariant.name.into(),
            ruling,
            expected: invariant.doc.into(),
            found,
            breach: invariant.breach,
        });
    }
    let stopped = record.stopped().map(str::to_owned);
    let gravest = judged.iter().map(Judged::outcome).max().unwrap_or(Outcome::Pass);
    // A run that a limit ended proves nothing by what it lacks, but a bug is a bug.
    let outcome = match &stopped {
        Some(_) if gravest != Outcome::Bug => Outcome::Stopped,
        _ => gravest,
    };
    Ok(Verdict { outcome, stopped, judged, warnings })
}

/// Judges one expectation on numbers of a summary alone; `None` if it is about rows of tables, an
/// invariant, or points of a sweep.
#[must_use]
pub fn judge_figure(expectation: &Expectation, summary: &Value) -> Option<Judged> {
    if !matches!(expectation.what, What::Figure { .. } | What::SometimesFigure { .. }) {
        return None;
    }
    let record = Record { summary, tables: &MemorySink::new() };
    let (ruling, expected, found) = opinion(&expectation.what, &record).ok()?;
    Some(Judged {
        place: Some(expectation.place),
        kind: expectation.kind(),
        label: expectation.label.clone(),
        ruling,
        expected,
        found,
        breach: expectation.breach,
    })
}

fn ruling_of(finding: &Finding) -> (Ruling, String) {
    match finding.failures.join("; ") {
        broken if !broken.is_empty() => (Ruling::Broken, broken),
        _ if finding.unjudged => (Ruling::Held, "not judged".into()),
        _ => (Ruling::Held, "it holds".into()),
    }
}

const fn ruled(holds: bool) -> Ruling {
    if holds { Ruling::Held } else { Ruling::Broken }
}

fn opinion(what: &What, record: &Record<'_>) -> Result<Opinion, ResultsError> {
    match what {
        What::Figure { figure, per, bounds } => {
            Ok(figure_opinion(figure, per.as_ref(), bounds, record))
        }
        What::Statistic { rows, statistic, bounds } => {
            statistic_opinion(rows, *statistic, bounds, record)
        }
        What::Share { rows, bounds, share, of } => {
            let expected = format!("at least {} of {}", written(*share, SHARE), of.words());
            let mut tally = Tally::new(*of, record)?;
            each(rows, record, &mut |row, cell| tally.add(rows, row, bounds.hold_cell(cell)))?;
            let (ruling, found) = match tally.share() {
                None => (Ruling::Unexercised, NO_ROWS.into()),
                Some(found) => (ruled(found >= *share), written(found, SHARE)),
            };
            Ok((ruling, expected, found))
        }
        What::Eventually(coming) => eventually(coming, record),
        What::Always { rows, bounds } => always(rows, bounds, record),
        What::Invariant(invariant) => {
            let (ruling, found) = ruling_of(&invariant.judge(record)?);
            Ok((ruling, invariant.doc.into(), found))
        }
        What::SometimesFigure { figure, bounds } => {
            let expected = bounds.words();
            let (ruling, found) = match record.figure(&figure.name) {
                Found::Number(number) => {
                    let exact = Exact::whole(number);
                    (ruled(bounds.hold(exact)), written(exact, figure.unit))
                }
                Found::Never => (Ruling::Broken, "never".into()),
                Found::Absent => (Ruling::Broken, ABSENT.into()),
            };
            Ok((ruling, expected, found))
        }
        What::Sometimes { rows, bounds } => {
            let (mut all, mut held) = (0_u64, 0_u64);
            each(rows, record, &mut |_, cell| {
                all += 1;
                held += u64::from(bounds.hold_cell(cell) == Some(true));
            })?;
            let found = format!("{held} of {all} rows");
            Ok((ruled(held > 0), format!("one row {}", bounds.words()), found))
        }
        What::Across(trial) => {
            Ok((Ruling::Elsewhere, trial.words(), "judged on the points of a sweep".into()))
        }
    }
}

const ABSENT: &str = "no such thing in this run";
const NO_ROWS: &str = "no rows";

fn figure_opinion(
    figure: &Figure,
    per: Option<&Figure>,
    bounds: &Bounds,
    record: &Record<'_>,
) -> Opinion {
    let expected = bounds.words();
    let absent = |found: &str| (Ruling::Unexercised, expected.clone(), found.to_owned());
    let number = match record.figure(&figure.name) {
        Found::Number(number) => number,
        // A moment that never came is later than every bound.
        Found::Never if figure.unit == Unit::Nanoseconds => {
            return (Ruling::Broken, expected, "never".into());
        }
        Found::Never => return absent("no value"),
        Found::Absent => return absent(ABSENT),
    };
    let exact = match per.map(|per| (per, record.figure(&per.name))) {
        None => Some(Exact::whole(number)),
        Some((_, Found::Number(whole))) => {
            // In parts per million, the unit of shares.
            let parts = number.checked_mul(1_000_000);
            parts.and_then(|parts| Exact::fraction(parts, u64::try_from(whole).ok()?))
        }
        Some(_) => None,
    };
    match exact {
        Some(exact) => (ruled(bounds.hold(exact)), expected, written(exact, bounds.unit)),
        None => absent("nothing to divide by"),
    }
}

fn statistic_opinion(
    rows: &Rows,
    statistic: Statistic,
    bounds: &Bounds,
    record: &Record<'_>,
) -> Result<Opinion, ResultsError> {
    let mut values = Values::new(statistic, bounds.side());
    let mut fits = true;
    let counts = statistic == Statistic::Count;
    each(rows, record, &mut |_, cell| {
        let value = match cell {
            // A text counts as one; what else is taken of texts was refused.
            Cell::Text(_) => Some(1),
            Cell::Empty if counts => return,
            other => integer(other),
        };
        fits &= values.add(value);
    })?;
    let (ruling, found) = match values.take() {
        _ if !fits => {
            let most = Values::MOST;
            (Ruling::Unexercised, format!("more than {most} values, which cannot be ordered"))
        }
        Taken::Number(exact) => (ruled(bounds.hold(exact)), written(exact, bounds.unit)),
        Taken::Never => (Ruling::Broken, "never".into()),
        Taken::Nothing => (Ruling::Unexercised, NO_ROWS.into()),
    };
    Ok((ruling, bounds.words(), found))
}

/// Every row that is meant, with its cell; those left out whose cell is empty and says nothing.
fn each(
    rows: &Rows,
    record: &Record<'_>,
    act: &mut dyn FnMut(&[Cell<'_>], &Cell<'_>),
) -> Result<(), ResultsError> {
    record.tables.each_row(rows.table, &mut |row| {
        let cell = &row[rows.column];
        let silent = rows.empty == Empty::Skip && *cell == Cell::Empty;
        if !silent && rows.mean(row) {
            act(row, cell);
        }
    })
}

/// How much of rows, nodes or stake is within bounds.
struct Tally {
    of: ShareOf,
    stakes: Vec<u64>,
    /// By row: within bounds, and all.
    rows: (u64, u64),
    /// Nodes that have rows, and whether all of these are within bounds.
    nodes: BTreeMap<u64, bool>,
}

impl Tally {
    fn new(of: ShareOf, record: &Record<'_>) -> Result<Self, ResultsError> {
        let stakes = if of == ShareOf::Rows { Vec::new() } else { record.stakes()? };
        Ok(Self { of, stakes, rows: (0, 0), nodes: BTreeMap::new() })
    }

    /// One more row; `None` for what never came.
    fn add(&mut self, rows: &Rows, row: &[Cell<'_>], within: Option<bool>) {
        let within = within.unwrap_or(false);
        self.rows.0 += u64::from(within);
        self.rows.1 += 1;
        let node = rows.node().filter(|_| self.of != ShareOf::Rows);
        if let Some(Cell::Integer(node)) = node.map(|place| &row[place]) {
            *self.nodes.entry(*node).or_insert(true) &= within;
        }
    }

    fn clear(&mut self) {
        self.rows = (0, 0);
        self.nodes.clear();
    }

    /// The share; `None` if there were no rows.
    fn share(&self) -> Option<Exact> {
        if self.rows.1 == 0 {
            return None;
        }
        let weight = |node: usize| match self.of {
            ShareOf::Stake => u128::from(self.stakes.get(node).copied().unwrap_or(0)),
            _ => 1,
        };
        match self.of {
            ShareOf::Rows => share_of(self.rows.0.into(), self.rows.1.into()),
            ShareOf::Nodes | ShareOf::Stake => {
                let within = self.nodes.iter().filter(|(_, within)| **within);
                let part = within.map(|(node, _)| weight(*node as usize)).sum();
                share_of(part, (0..self.stakes.len()).map(weight).sum())
            }
        }
    }
}

fn always(rows: &Rows, bounds: &Bounds, record: &Record<'_>) -> Result<Opinion, ResultsError> {
    let (mut all, mut against, mut first) = (0_u64, 0_u64, None);
    each(rows, record, &mut |row, cell| {
        all += 1;
        if bounds.hold_cell(cell) != Some(true) {
            against += 1;
            let place = match rows.time().and_then(|time| integer(&row[time])) {
                Some(at) => format!("at {}", written(Exact::whole(at), Unit::Nanoseconds)),
                None => format!("in row {all}"),
            };
            first.get_or_insert_with(|| format!("{} {place}", cell_words(cell, rows.unit())));
        }
    })?;
    let expected = format!("every row {}", bounds.words());
    Ok(match first {
        Some(first) => (Ruling::Broken, expected, format!("{first}, {against} of {all} rows")),
        None if all == 0 => (Ruling::Unexercised, expected, NO_ROWS.into()),
        None => (Ruling::Held, expected, format!("{all} rows")),
    })
}

/// How it went after one mark.
struct Wait {
    /// The mark and the last moment, in nanoseconds.
    window: (u64, u64),
    /// When it came true.
    came: Option<u64>,
    /// What was seen last before it came true.
    last: Option<String>,
}

impl Wait {
    /// What was at a moment.
    fn see(&mut self, at: u64, holds: bool, words: impl FnOnce() -> String) {
        if self.came.is_some() || !(self.window.0..=self.window.1).contains(&at) {
            return;
        }
        if holds {
            self.came = Some(at);
        } else {
            self.last = Some(words());
        }
    }
}

fn eventually(coming: &Coming, record: &Record<'_>) -> Result<Opinion, ResultsError> {
    let marks = match coming.after {
        Mark::Moment(at) => vec![at.as_nanos()],
        Mark::Heals => record.heals()?,
        Mark::LastFault => record.last_fault()?.into_iter().collect(),
    };
    let within = coming.within.as_nanos();
    let wait =
        |mark: u64| Wait { window: (mark, mark.saturating_add(within)), came: None, last: None };
    let mut waits: Vec<Wait> = marks.into_iter().map(wait).collect();
    match coming.share {
        None => by_rows(coming, record, &mut waits)?,
        Some((share, of)) => by_shares(coming, record, &mut waits, (share, of))?,
    }
    let expected = format!("within {}", coming.within);
    let words = |nanos: u64| written(Exact::whole(nanos.into()), Unit::Nanoseconds);
    let after = |wait: &Wait| match coming.after {
        Mark::Moment(at) if at.is_zero() => String::new(),
        _ => format!(" after {}", words(wait.window.0)),
    };
    if waits.is_empty() {
        let none = match coming.after {
            Mark::Heals => "no partition healed",
            _ => "no fault ended, or one never does",
        };
        return Ok((Ruling::Unexercised, expected, none.into()));
    }
    if let Some(wait) = waits.iter().find(|wait| wait.came.is_none()) {
        // What may still come after the end of the run is neither true nor false.
        let early = record.end() < wait.window.1;
        let last = wait.last.as_ref().map_or(NO_ROWS.into(), |last| format!("last {last}"));
        let found = if early {
            format!("not{} by the end of the run at {} ({last})", after(wait), words(record.end()))
        } else {
            format!("not{} ({last})", after(wait))
        };
        return Ok((if early { Ruling::Unexercised } else { Ruling::Broken }, expected, found));
    }
    let took = |wait: &&Wait| wait.came.unwrap_or(0).saturating_sub(wait.window.0);
    let slowest = waits.iter().max_by_key(took);
    let found = slowest.map(|wait| format!("{}{}", words(took(&wait)), after(wait)));
    Ok((Ruling::Held, expected, found.unwrap_or_default()))
}

fn by_rows(coming: &Coming, record: &Record<'_>, waits: &mut [Wait]) -> Result<(), ResultsError> {
    let Coming { rows, time, bounds, .. } = coming;
    each(rows, record, &mut |row, cell| {
        let Cell::Integer(at) = row[*time] else { return };
        let holds = bounds.hold_cell(cell) == Some(true);
        waits.iter_mut().for_each(|wait| wait.see(at, holds, || cell_words(cell, rows.unit())));
    })
}

/// Rows of one moment stand together in tables of samples.
fn by_shares(
    coming: &Coming,
    record: &Record<'_>,
    waits: &mut [Wait],
    (share, of): (Exact, ShareOf),
) -> Result<(), ResultsError> {
    let Coming { rows, time, bounds, .. } = coming;
    let mut tally = Tally::new(of, record)?;
    let mut moment = None;
    let mut close = |moment: Option<u64>, tally: &mut Tally| {
        if let (Some(at), Some(found)) = (moment, tally.share()) {
            let words = || written(found, SHARE);
            waits.iter_mut().for_each(|wait| wait.see(at, found >= share, words));
        }
        tally.clear();
    };
    each(rows, record, &mut |row, cell| {
        let Cell::Integer(at) = row[*time] else { return };
        if moment != Some(at) {
            close(moment, &mut tally);
            moment = Some(at);
        }
        tally.add(rows, row, bounds.hold_cell(cell));
    })?;
    close(moment, &mut tally);
    Ok(())
}
