//! Metrics layer: tables as data (name, columns, units, meaning) and the sink that rows go to.
//!
//! A recorder writes rows through [`RowSink`], so a large table streams to its file and never has
//! to fit in memory. Cells of run tables are integers, texts or empty; "never happened" is an empty
//! cell, not a number that stands for it.

mod memory;

use std::borrow::Cow;
use std::fmt;

use crate::base::digest::Digest;
use crate::base::id::NodeId;
use crate::base::quantity::Bytes;
use crate::base::time::{Span, Time};

pub use memory::{MemorySink, SomeTables};

/// What the numbers of a column count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// Nanoseconds: a length, or a moment since the start of the run.
    Nanoseconds,
    /// Bytes.
    Bytes,
    /// Parts per million of something the column's text names.
    PartsPerMillion,
    /// Bits per second.
    BitsPerSecond,
    /// How many; or a plain number such as a height or a serial.
    Count,
    /// The number of a node, from zero.
    Node,
    /// The number of a slot, from zero.
    Slot,
    /// Stake, in the scenario's own unit.
    Stake,
    /// Yes (1) or no (0).
    Flag,
    /// A text: a name, a kind, a hash in hexadecimal digits.
    Text,
}

impl Unit {
    /// Every unit.
    pub const ALL: [Self; 10] = [
        Self::Nanoseconds,
        Self::Bytes,
        Self::PartsPerMillion,
        Self::BitsPerSecond,
        Self::Count,
        Self::Node,
        Self::Slot,
        Self::Stake,
        Self::Flag,
        Self::Text,
    ];

    /// How the name of a column of this unit ends; empty where the name is free.
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Nanoseconds => "_ns",
            Self::Bytes => "_bytes",
            Self::PartsPerMillion => "_ppm",
            Self::BitsPerSecond => "_bps",
            _ => "",
        }
    }

    /// Whether a cell of this kind may stand in a column of this unit. Any cell may be empty.
    #[must_use]
    pub const fn accepts(self, cell: &Cell<'_>) -> bool {
        match (self, cell) {
            (_, Cell::Empty) | (Self::Text, Cell::Text(_)) => true,
            (Self::Text, _) | (_, Cell::Text(_)) => false,
            (Self::Flag, Cell::Integer(value)) => *value <= 1,
            (_, Cell::Integer(_)) => true,
            // A difference of moments or of counts may be negative; the rest cannot be.
            (Self::Nanoseconds | Self::Count, Cell::Signed(_)) => true,
            (_, Cell::Signed(_)) => false,
        }
    }

    /// Whether a column of this name may have this unit: the ending that belongs to the unit, and
    /// not the ending of another.
    fn fits(self, column: &str) -> bool {
        let ending = Self::ALL.into_iter().map(Self::suffix).find(|suffix| {
            !suffix.is_empty() && (column.ends_with(suffix) || column == &suffix[1..])
        });
        ending.unwrap_or("") == self.suffix()
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nanoseconds => "nanoseconds",
            Self::Bytes => "bytes",
            Self::PartsPerMillion => "parts per million",
            Self::BitsPerSecond => "bits per second",
            Self::Count => "count",
            Self::Node => "node number",
            Self::Slot => "slot number",
            Self::Stake => "stake",
            Self::Flag => "1 or 0",
            Self::Text => "text",
        })
    }
}

/// A column of a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Column {
    /// Name in the header: snake case, ending in [`Unit::suffix`].
    pub name: &'static str,
    /// What its numbers count.
    pub unit: Unit,
    /// What it means, for `results/README.md`: a sentence or a phrase in Markdown, on one line.
    pub doc: &'static str,
}

impl Column {
    /// A column, in the short form that long tables are declared by.
    #[must_use]
    pub const fn new(name: &'static str, unit: Unit, doc: &'static str) -> Self {
        Self { name, unit, doc }
    }
}

/// Runs of columns as one, for tables that have some in common. `N` is how many there are in all:
/// any other number does not compile where this makes a constant.
#[must_use]
pub(super) const fn joined<const N: usize>(parts: &[&[Column]]) -> [Column; N] {
    let mut columns = [Column::new("", Unit::Text, ""); N];
    let (mut count, mut part) = (0, 0);
    while part < parts.len() {
        let mut place = 0;
        while place < parts[part].len() {
            columns[count] = parts[part][place];
            (count, place) = (count + 1, place + 1);
        }
        part += 1;
    }
    assert!(count == N, "as many columns as there are");
    columns
}

/// A table: what its file is called and what its columns mean.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TableSpec {
    /// Name in snake case; `messages` is written to `messages.csv`.
    pub name: &'static str,
    /// What one row stands for, and the order of rows: one line of Markdown.
    pub doc: &'static str,
    /// The columns from left to right.
    pub columns: &'static [Column],
}

impl TableSpec {
    /// The name of the file that holds the table.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}.csv", self.name)
    }

    /// The place of a column, counted from zero.
    #[must_use]
    pub fn position(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|candidate| candidate.name == column)
    }

    /// Whether names, units and texts keep the rules of this module.
    ///
    /// # Errors
    /// The first broken rule as a sentence that names the table and the column.
    pub fn check(&self) -> Result<(), String> {
        let table = self.name;
        if !is_snake_case(table) || !is_one_line(self.doc) || self.columns.is_empty() {
            return Err(format!("table `{table}` needs a snake-case name, a text and a column"));
        }
        for (i, Column { name, unit, doc }) in self.columns.iter().enumerate() {
            if !is_snake_case(name) || !is_one_line(doc) {
                return Err(format!("`{table}.{name}` needs a snake-case name and a line of text"));
            }
            if !unit.fits(name) {
                return Err(format!(
                    "`{table}.{name}` has an ending that is not of its unit, {unit}"
                ));
            }
            if self.position(name) != Some(i) {
                return Err(format!("`{table}.{name}` stands there twice"));
            }
        }
        Ok(())
    }

    /// Stops the program if a row does not have one cell per column; in debug builds also if a cell
    /// does not fit its unit. Every [`RowSink`] calls this first.
    ///
    /// # Panics
    /// On such a row, which only a mistake in a recorder can make.
    pub fn assert_row(&self, cells: &[Cell<'_>]) {
        let (table, expected) = (self.name, self.columns.len());
        assert!(cells.len() == expected, "`{table}` has {expected} columns, not {}", cells.len());
        debug_assert!(
            self.columns.iter().zip(cells).all(|(column, cell)| column.unit.accepts(cell)),
            "a cell does not fit the unit of its column in `{table}`: {cells:?}"
        );
    }
}

fn is_snake_case(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn is_one_line(text: &str) -> bool {
    !text.trim().is_empty() && !text.contains(['\n', '\r'])
}

/// One cell of a row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cell<'a> {
    /// A whole number.
    Integer(u64),
    /// A whole number that may be negative.
    Signed(i64),
    /// A text. An empty text and [`Cell::Empty`] look alike in a file.
    Text(Cow<'a, str>),
    /// Nothing: it never happened, or the column does not apply to this row.
    Empty,
}

impl Cell<'_> {
    /// The same cell with a text of its own.
    #[must_use]
    pub fn into_owned(self) -> Cell<'static> {
        match self {
            Self::Integer(value) => Cell::Integer(value),
            Self::Signed(value) => Cell::Signed(value),
            Self::Text(text) => Cell::Text(Cow::Owned(text.into_owned())),
            Self::Empty => Cell::Empty,
        }
    }
}

/// The text of the cell as it stands in a file, before quoting.
impl fmt::Display for Cell<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(value) => value.fmt(f),
            Self::Signed(value) => value.fmt(f),
            Self::Text(text) => f.write_str(text),
            Self::Empty => Ok(()),
        }
    }
}

impl From<u64> for Cell<'_> {
    fn from(value: u64) -> Self {
        Self::Integer(value)
    }
}

impl From<u32> for Cell<'_> {
    fn from(value: u32) -> Self {
        Self::Integer(value.into())
    }
}

impl From<usize> for Cell<'_> {
    fn from(value: usize) -> Self {
        Self::Integer(value as u64)
    }
}

impl From<i64> for Cell<'_> {
    fn from(value: i64) -> Self {
        Self::Signed(value)
    }
}

/// 1 for yes, 0 for no.
impl From<bool> for Cell<'_> {
    fn from(value: bool) -> Self {
        Self::Integer(value.into())
    }
}

/// Nanoseconds since the start of the run.
impl From<Time> for Cell<'_> {
    fn from(time: Time) -> Self {
        Self::Integer(time.as_nanos())
    }
}

/// Nanoseconds.
impl From<Span> for Cell<'_> {
    fn from(span: Span) -> Self {
        Self::Integer(span.as_nanos())
    }
}

impl From<Bytes> for Cell<'_> {
    fn from(bytes: Bytes) -> Self {
        Self::Integer(bytes.get())
    }
}

impl From<NodeId> for Cell<'_> {
    fn from(node: NodeId) -> Self {
        Self::Integer(node.number().into())
    }
}

/// 64 hexadecimal digits.
impl From<Digest> for Cell<'_> {
    fn from(digest: Digest) -> Self {
        Self::Text(digest.to_string().into())
    }
}

impl<'a> From<&'a str> for Cell<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Cell<'_> {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

/// `None` is an empty cell.
impl<'a, T: Into<Cell<'a>>> From<Option<T>> for Cell<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Empty, Into::into)
    }
}

/// Where recorders write rows.
///
/// Observers do not steer a run, so writing a row returns nothing: a sink that fails remembers its
/// first error, ignores later rows and reports the error when it is closed.
pub trait RowSink {
    /// Adds a row at the end of a table.
    ///
    /// # Panics
    /// If the row does not have one cell per column, see [`TableSpec::assert_row`].
    fn row(&mut self, table: &'static TableSpec, cells: &[Cell<'_>]);

    /// Whether a row has been lost, so that going on is of no use.
    fn failed(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn column(name: &'static str, unit: Unit) -> Column {
        Column::new(name, unit, "Something.")
    }

    pub(super) static ARRIVALS: TableSpec = TableSpec {
        name: "arrivals",
        doc: "One row per arrival.",
        columns: &[
            column("node", Unit::Node),
            column("at_ns", Unit::Nanoseconds),
            column("kind", Unit::Text),
            column("first", Unit::Flag),
        ],
    };

    fn check(name: &'static str, unit: Unit) -> Result<(), String> {
        // A test may leak a column: specifications live as long as the program.
        let columns = Box::leak(Box::new([column(name, unit)]));
        TableSpec { name: "t", doc: "Rows.", columns }.check()
    }

    #[test]
    fn the_name_of_a_column_ends_in_its_unit_and_in_no_other() {
        let ending = [
            (Unit::Nanoseconds, "delay_ns"),
            (Unit::Bytes, "sent_bytes"),
            (Unit::PartsPerMillion, "coverage_ppm"),
            (Unit::BitsPerSecond, "uplink_bps"),
        ];
        for (unit, name) in ending {
            for other in Unit::ALL {
                assert_eq!(check(name, other).is_ok(), other == unit, "{name} as {other}");
            }
            assert!(check("delay", unit).is_err(), "{unit} without an ending");
        }
        for free in [Unit::Count, Unit::Node, Unit::Slot, Unit::Stake, Unit::Flag, Unit::Text] {
            assert_eq!(check("delay", free), Ok(()), "{free}");
        }
        assert!(check("bytes", Unit::Count).is_err(), "a bare unit as a name");
    }

    #[test]
    fn a_table_without_a_text_or_with_a_name_twice_is_refused() {
        const TWICE: &[Column] = &[column("a", Unit::Count), column("a", Unit::Count)];
        assert_eq!(ARRIVALS.check(), Ok(()));
        assert!(TableSpec { doc: " ", ..ARRIVALS }.check().is_err());
        assert!(TableSpec { name: "Arrivals", ..ARRIVALS }.check().is_err());
        assert!(TableSpec { columns: &[], ..ARRIVALS }.check().is_err());
        let error = TableSpec { columns: TWICE, ..ARRIVALS }.check().expect_err("twice");
        assert!(error.contains("arrivals.a"), "{error}");
        assert!(check("two words", Unit::Count).is_err());
    }

    #[test]
    fn units_refuse_cells_of_another_kind() {
        let text = Cell::from("three");
        assert!(Unit::ALL.iter().all(|unit| unit.accepts(&Cell::Empty)));
        assert!(Unit::ALL.iter().all(|&unit| unit.accepts(&text) == (unit == Unit::Text)));
        assert!(!Unit::Flag.accepts(&Cell::Integer(2)));
        assert!(Unit::Nanoseconds.accepts(&Cell::Signed(-5)));
        assert!(!Unit::Node.accepts(&Cell::Signed(-5)));
    }

    #[test]
    fn cells_print_as_they_stand_in_a_file() {
        let cells = [Cell::Integer(u64::MAX), Cell::Signed(-1), "a,b".into(), Cell::Empty];
        assert_eq!(cells.map(|cell| cell.to_string()), ["18446744073709551615", "-1", "a,b", ""]);
        let digest = Digest::of(b"");
        assert_eq!(Cell::from(digest), Cell::Text(digest.to_string().into()));
    }
}
