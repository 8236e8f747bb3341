//! Expectation layer: what is judged: the summary of a run and its tables, wherever they are.

use std::path::Path;

use serde_json::Value;

use super::value::Exact;
use crate::metrics::catalogue::{Found, look_up};
use crate::metrics::table::{Cell, MemorySink, TableSpec};
use crate::metrics::{FAULTS, NODES, Summary};
use crate::results::{ResultsError, reader};

/// Where tables can be read, as often as needed.
pub trait Tables {
    /// Hands every row of a table to `each`, in order.
    ///
    /// # Errors
    /// If the table cannot be read.
    fn each_row(
        &self,
        table: &'static TableSpec,
        each: &mut dyn FnMut(&[Cell<'_>]),
    ) -> Result<(), ResultsError>;
}

impl Tables for MemorySink {
    fn each_row(
        &self,
        table: &'static TableSpec,
        each: &mut dyn FnMut(&[Cell<'_>]),
    ) -> Result<(), ResultsError> {
        self.rows(table).iter().for_each(|row| each(row));
        Ok(())
    }
}

/// The tables of a result folder.
#[derive(Clone, Copy, Debug)]
pub struct InFolder<'a>(pub &'a Path);

impl Tables for InFolder<'_> {
    fn each_row(
        &self,
        table: &'static TableSpec,
        each: &mut dyn FnMut(&[Cell<'_>]),
    ) -> Result<(), ResultsError> {
        reader::each_row(self.0, table, each)
    }
}

/// All that a verdict is made from.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    /// The summary as JSON, as [`summary_json`] makes it.
    pub summary: &'a Value,
    /// The tables.
    pub tables: &'a dyn Tables,
}

/// The key of the summary that says why a run ended early; null if it did not.
pub const STOPPED: &str = "stopped";

/// A summary as JSON, and why the run ended early, if it did.
#[must_use]
pub fn summary_json(summary: &Summary, stopped: Option<&str>) -> Value {
    let mut json = serde_json::to_value(summary).unwrap_or_default();
    if let Value::Object(keys) = &mut json {
        keys.insert(STOPPED.into(), stopped.into());
    }
    json
}

impl Record<'_> {
    /// A number of the summary.
    pub(super) fn figure(&self, name: &str) -> Found {
        look_up(self.summary, name)
    }

    /// A count of the summary; zero if it is not there.
    pub(super) fn count(&self, name: &str) -> u64 {
        match self.figure(name) {
            Found::Number(number) => u64::try_from(number).unwrap_or(0),
            Found::Never | Found::Absent => 0,
        }
    }

    /// A list of places of the summary.
    pub(super) fn places(&self, section: &str, key: &str) -> Vec<u64> {
        let entries = self.summary.get(section).and_then(|section| section.get(key));
        let entries = entries.and_then(Value::as_array).into_iter().flatten();
        entries.filter_map(Value::as_u64).collect()
    }

    /// A text of the summary.
    pub(super) fn text(&self, section: &str, key: &str) -> Option<&str> {
        self.summary.get(section)?.get(key)?.as_str()
    }

    /// What became of the votes, in a word.
    pub(super) fn consensus(&self) -> Option<&str> {
        self.summary.get("consensus")?.get("verdict")?.get("is")?.as_str()
    }

    /// What comes with that word.
    fn with_verdict(&self, key: &str) -> Option<&Value> {
        self.summary.get("consensus")?.get("verdict")?.get(key)
    }

    /// A number that comes with it.
    pub(super) fn of_verdict(&self, key: &str) -> u64 {
        self.with_verdict(key).and_then(Value::as_u64).unwrap_or(0)
    }

    /// Why the cluster was not judged; empty if it was.
    pub(super) fn because(&self) -> &str {
        self.with_verdict("because").and_then(Value::as_str).unwrap_or_default()
    }

    /// When forks parted on which a cluster stands still, if it does so on forks.
    pub(super) fn parted(&self) -> Option<u64> {
        self.with_verdict("parted_ns")?.as_u64()
    }

    /// Why the run ended early.
    pub(super) fn stopped(&self) -> Option<&str> {
        self.summary.get(STOPPED)?.as_str()
    }

    /// When the run ended, in nanoseconds.
    pub(super) fn end(&self) -> u64 {
        self.count("end_ns")
    }

    /// The stake of every node.
    pub(super) fn stakes(&self) -> Result<Vec<u64>, ResultsError> {
        let place = NODES.position("stake");
        let mut stakes = Vec::new();
        self.tables.each_row(&NODES, &mut |row| {
            stakes.push(match place.map(|place| &row[place]) {
                Some(Cell::Integer(stake)) => *stake,
                _ => 0,
            });
        })?;
        Ok(stakes)
    }

    /// When partitions ended, in order, each moment once.
    pub(super) fn heals(&self) -> Result<Vec<u64>, ResultsError> {
        let mut heals = Vec::new();
        let end = self.end();
        self.each_fault(&mut |kind, _, until| {
            heals.extend(until.filter(|until| kind == "partition" && *until <= end));
        })?;
        heals.sort_unstable();
        heals.dedup();
        Ok(heals)
    }

    /// When the last fault ended; `None` if there is none, or if one never ends.
    pub(super) fn last_fault(&self) -> Result<Option<u64>, ResultsError> {
        let mut last = Some(0);
        let mut any = false;
        self.each_fault(&mut |kind, begin, until| {
            any = true;
            let until = if kind == "heal" { Some(begin) } else { until };
            last = last.zip(until).map(|(last, until)| last.max(until));
        })?;
        let end = self.end();
        Ok(last.filter(|last| any && *last <= end))
    }

    /// Kind, begin and end of every fault.
    fn each_fault(&self, each: &mut dyn FnMut(&str, u64, Option<u64>)) -> Result<(), ResultsError> {
        let places = ["kind", "begin_ns", "end_ns"].map(|name| FAULTS.position(name));
        let [Some(kind), Some(begin), Some(end)] = places else { return Ok(()) };
        self.tables.each_row(&FAULTS, &mut |row| {
            let moment = |place: usize| match row[place] {
                Cell::Integer(at) => Some(at),
                _ => None,
            };
            each(&row[kind].to_string(), moment(begin).unwrap_or(0), moment(end));
        })
    }
}

/// A share of a whole in parts per million, exactly.
pub(super) fn share_of(part: u128, whole: u128) -> Option<Exact> {
    // Stakes and counts have 64 bits; their sums may need a few more.
    let shift = 128_u32.saturating_sub(whole.leading_zeros()).saturating_sub(64);
    let below = u64::try_from(whole >> shift).ok()?;
    Exact::fraction(i128::try_from((part >> shift).checked_mul(1_000_000)?).ok()?, below)
}
