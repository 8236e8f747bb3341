//! Expectation layer: metrics by name: a number of the summary, or rows of a table and one of their
//! columns.

use std::collections::BTreeMap;

use super::Refusal;
use super::setting::Empty;
use super::value::Literal;
use crate::base::time::Span;
use crate::metrics::TABLES;
use crate::metrics::catalogue::{Figure, figures};
use crate::metrics::table::{Cell, TableSpec, Unit};

/// Some rows of a table and the column whose values are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rows {
    pub(super) table: &'static TableSpec,
    pub(super) column: usize,
    /// Cells as they stand in a file.
    only: Vec<(usize, String)>,
    /// First and last moment in nanoseconds, by the time column.
    window: Option<(usize, u64, u64)>,
    pub(super) empty: Empty,
}

/// The column that says when a row was, for tables that have one.
const TIMES: &[(&str, &str)] = &[
    ("timeline", "time_ns"),
    ("node_timeline", "time_ns"),
    ("peers", "time_ns"),
    ("rumors", "injected_ns"),
    ("deliveries", "received_ns"),
    ("transactions", "submitted_ns"),
    ("blocks", "made_ns"),
    ("convergence", "mark_ns"),
    ("gossip_values", "from_ns"),
    ("faults", "begin_ns"),
];

/// Which rows a setting means.
#[derive(Clone, Copy)]
pub(super) struct Chosen<'a> {
    pub(super) only: &'a BTreeMap<String, Literal>,
    pub(super) from: Option<Span>,
    pub(super) until: Option<Span>,
    pub(super) empty: Option<Empty>,
}

impl Rows {
    /// The rows of `TABLE.COLUMN`.
    pub(super) fn resolve(metric: &str, chosen: &Chosen<'_>) -> Result<Self, Refusal> {
        let (table, column) = column_of(metric)?;
        let mut only = Vec::new();
        for (name, value) in chosen.only {
            let at = |message| Refusal::new(format!("where.{name}"), message);
            let place = table.position(name).ok_or_else(|| {
                let message = format!("{} has no column {name:?}", table.file_name());
                Refusal::new("where", message).names(name, table.columns.iter().map(|c| c.name))
            })?;
            only.push((place, value.cell(table.columns[place].unit).map_err(at)?));
        }
        let unit = table.columns[column].unit;
        let never = if unit == Unit::Nanoseconds { Empty::Never } else { Empty::Skip };
        let empty = chosen.empty.unwrap_or(never);
        let mut rows = Self { table, column, only, window: None, empty };
        if let Some((key, _)) =
            [("from", chosen.from), ("until", chosen.until)].iter().find(|(_, at)| at.is_some())
        {
            let time = rows.time().ok_or_else(|| {
                Refusal::new(*key, format!("the rows of {} have no time", table.file_name()))
            })?;
            let from = chosen.from.unwrap_or(Span::ZERO);
            let until = chosen.until.unwrap_or(Span::from_nanos(u64::MAX));
            if until < from {
                return Err(Refusal::new("until", format!("{until} is before from = \"{from}\"")));
            }
            rows.window = Some((time, from.as_nanos(), until.as_nanos()));
        }
        Ok(rows)
    }

    /// The unit of the values.
    pub(super) const fn unit(&self) -> Unit {
        self.table.columns[self.column].unit
    }

    /// The place of the column that says when a row was.
    pub(super) fn time(&self) -> Option<usize> {
        let (_, column) = TIMES.iter().find(|(table, _)| *table == self.table.name)?;
        self.table.position(column)
    }

    /// The place of the column that says whose row it is.
    pub(super) fn node(&self) -> Option<usize> {
        self.table.position("node")
    }

    /// Whether a row is meant.
    pub(super) fn mean(&self, row: &[Cell<'_>]) -> bool {
        let fits = self.window.is_none_or(|(time, from, until)| {
            integer(&row[time]).is_some_and(|at| i128::from(from) <= at && at <= until.into())
        });
        fits && self.only.iter().all(|(place, text)| is(&row[*place], text))
    }
}

/// Whether a cell stands in a file as this text.
pub(super) fn is(cell: &Cell<'_>, text: &str) -> bool {
    match cell {
        Cell::Text(found) => found == text,
        Cell::Empty => text.is_empty(),
        Cell::Integer(_) | Cell::Signed(_) => cell.to_string() == text,
    }
}

/// The number in a cell.
pub(super) const fn integer(cell: &Cell<'_>) -> Option<i128> {
    match cell {
        Cell::Integer(number) => Some(*number as i128),
        Cell::Signed(number) => Some(*number as i128),
        Cell::Text(_) | Cell::Empty => None,
    }
}

/// A number of the summary.
pub(super) fn figure_of(key: &str, metric: &str) -> Result<Figure, Refusal> {
    let all = figures();
    if let Some(figure) = all.iter().find(|figure| figure.name == metric) {
        return Ok(figure.clone());
    }
    if column_of(metric).is_ok() {
        let message = format!("{metric:?} is a column with many values");
        let way_out = "say which: statistic = \"max\" for instance, or a share";
        return Err(Refusal::new(key, message).hint(way_out));
    }
    let section = format!("{metric}.");
    let within: Vec<&str> =
        all.iter().filter_map(|figure| figure.name.strip_prefix(&section)).collect();
    if !within.is_empty() {
        let message = format!("{metric:?} is a part of the summary, not a number");
        let hint = format!("its numbers are {}", within.join(", "));
        return Err(Refusal::new(key, message).hint(hint));
    }
    let columns = TABLES.iter().flat_map(|table| {
        table.columns.iter().map(|column| format!("{}.{}", table.name, column.name))
    });
    let names: Vec<String> = all.iter().map(|figure| figure.name.clone()).chain(columns).collect();
    Err(Refusal::new(key, format!("there is no metric {metric:?}")).names(metric, names))
}

/// Whether a run may have a number of this name, where there is no choice of rows.
///
/// # Errors
/// What is wrong with the name, with numbers of the summary that have a like one.
pub fn known(metric: &str) -> Result<(), Refusal> {
    // Entries of lists have numbers of their own, and how many there are only a run tells.
    if metric.contains('[') {
        return Ok(());
    }
    figure_of("", metric).map(drop).map_err(|refusal| {
        if column_of(metric).is_ok() {
            return refusal.hint("expected a number of summary.json");
        }
        match refusal.unknown {
            Some(_) => refusal.names(metric, figures().iter().map(|figure| figure.name.clone())),
            None => refusal,
        }
    })
}

/// A table and a column of it.
fn column_of(metric: &str) -> Result<(&'static TableSpec, usize), Refusal> {
    let refusal = |message: String| Refusal::new("metric", message);
    let (name, column) = metric.split_once('.').unwrap_or((metric, ""));
    let tables = || TABLES.iter().map(|table| table.name);
    let Some(table) = TABLES.iter().find(|table| table.name == name) else {
        let message = format!("{metric:?} is no column TABLE.COLUMN: there is no table {name:?}");
        return Err(refusal(message).names(name, tables()));
    };
    match table.position(column) {
        Some(place) => Ok((table, place)),
        None => {
            let message = format!("{} has no column {column:?}", table.file_name());
            Err(refusal(message).names(column, table.columns.iter().map(|column| column.name)))
        }
    }
}
