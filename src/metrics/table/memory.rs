//! Metrics layer: the sink that keeps rows in memory.

use super::{Cell, RowSink, TableSpec};

/// A sink that keeps every row in memory, for tests and users of the library.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MemorySink {
    tables: Vec<(&'static TableSpec, Vec<Vec<Cell<'static>>>)>,
}

impl MemorySink {
    /// A sink without rows.
    #[must_use]
    pub const fn new() -> Self {
        Self { tables: Vec::new() }
    }

    /// The tables that have rows, in the order of their first row.
    pub fn tables(&self) -> impl Iterator<Item = &'static TableSpec> {
        self.tables.iter().map(|(table, _)| *table)
    }

    /// The rows of a table in the order they were written.
    #[must_use]
    pub fn rows(&self, table: &TableSpec) -> &[Vec<Cell<'static>>] {
        let same = self.tables.iter().find(|(candidate, _)| candidate.name == table.name);
        same.map_or(&[], |(_, rows)| rows)
    }

    /// One cell; `None` if the table has no such row (counted from zero) or column.
    #[must_use]
    pub fn cell(&self, table: &TableSpec, row: usize, column: &str) -> Option<&Cell<'static>> {
        self.rows(table).get(row)?.get(table.position(column)?)
    }

    /// The number in a cell; `None` if there is no such cell or it holds no unsigned number.
    #[must_use]
    pub fn integer(&self, table: &TableSpec, row: usize, column: &str) -> Option<u64> {
        match self.cell(table, row, column)? {
            Cell::Integer(value) => Some(*value),
            _ => None,
        }
    }

    /// The cells of a column from top to bottom; `None` if the table has no such column.
    pub fn column(
        &self,
        table: &TableSpec,
        column: &str,
    ) -> Option<impl Iterator<Item = &Cell<'static>>> {
        let position = table.position(column)?;
        Some(self.rows(table).iter().map(move |row| &row[position]))
    }
}

impl RowSink for MemorySink {
    fn row(&mut self, table: &'static TableSpec, cells: &[Cell<'_>]) {
        table.assert_row(cells);
        let row = cells.iter().cloned().map(Cell::into_owned).collect();
        match self.tables.iter_mut().find(|(candidate, _)| candidate.name == table.name) {
            Some((_, rows)) => rows.push(row),
            None => self.tables.push((table, vec![row])),
        }
    }
}

/// A sink that keeps the rows of some tables and lets all others go.
#[derive(Clone, Debug, Default)]
pub struct SomeTables {
    tables: Vec<&'static TableSpec>,
    kept: MemorySink,
}

impl SomeTables {
    /// A sink for these tables.
    #[must_use]
    pub const fn new(tables: Vec<&'static TableSpec>) -> Self {
        Self { tables, kept: MemorySink::new() }
    }

    /// What was kept.
    #[must_use]
    pub const fn kept(&self) -> &MemorySink {
        &self.kept
    }
}

impl RowSink for SomeTables {
    fn row(&mut self, table: &'static TableSpec, cells: &[Cell<'_>]) {
        if self.tables.iter().any(|kept| kept.name == table.name) {
            self.kept.row(table, cells);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::ARRIVALS;
    use super::*;
    use crate::base::id::NodeId;
    use crate::base::time::Time;

    #[test]
    fn rows_are_found_again_by_table_row_and_column() {
        let mut sink = MemorySink::new();
        let never: Option<Time> = None;
        let at = Time::from_nanos(7);
        let node = NodeId::new(3);
        sink.row(&ARRIVALS, &[node.into(), at.into(), "vote".into(), true.into()]);
        sink.row(&ARRIVALS, &[node.into(), never.into(), "vote".into(), false.into()]);
        assert_eq!(sink.rows(&ARRIVALS).len(), 2);
        assert_eq!(sink.integer(&ARRIVALS, 0, "at_ns"), Some(7));
        assert_eq!(sink.integer(&ARRIVALS, 0, "node"), Some(3));
        assert_eq!(sink.cell(&ARRIVALS, 0, "kind"), Some(&Cell::Text("vote".into())));
        assert_eq!(sink.cell(&ARRIVALS, 1, "at_ns"), Some(&Cell::Empty));
        assert_eq!(sink.cell(&ARRIVALS, 2, "at_ns"), None);
        assert_eq!(sink.cell(&ARRIVALS, 0, "elsewhere"), None);
        let first = sink.column(&ARRIVALS, "first").expect("a column");
        assert_eq!(first.collect::<Vec<_>>(), [&Cell::Integer(1), &Cell::Integer(0)]);
        assert_eq!(sink.tables().map(|table| table.name).collect::<Vec<_>>(), ["arrivals"]);
        assert!(!sink.failed());
    }

    #[test]
    #[should_panic(expected = "`arrivals` has 4 columns, not 1")]
    fn a_short_row_is_a_mistake_in_the_recorder() {
        MemorySink::new().row(&ARRIVALS, &[Cell::Empty]);
    }
}
