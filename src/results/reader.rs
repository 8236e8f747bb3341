//! Results layer: reads a table of a result folder back, row by row, so that a large one never has
//! to fit in memory.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::ResultsError;
use crate::metrics::table::{Cell, TableSpec, Unit};

/// Hands every row of a table in `folder` to `each`, in the order of the file, with one cell per
/// column of `table`. A column that the file does not have, because an older version wrote it, has
/// empty cells.
///
/// # Errors
/// [`ResultsError::Io`] if the file cannot be read; [`ResultsError::Damaged`] if it is no such
/// table.
pub fn each_row(
    folder: &Path,
    table: &TableSpec,
    each: &mut dyn FnMut(&[Cell<'_>]),
) -> Result<(), ResultsError> {
    let path = folder.join(table.file_name());
    let file = File::open(&path).map_err(ResultsError::io("read", &path))?;
    let mut reader = csv::ReaderBuilder::new().buffer_capacity(64 * 1024).from_reader(file);
    let header = reader.headers().map_err(|error| broken(&path, error))?.clone();
    let places: Vec<Option<usize>> = table
        .columns
        .iter()
        .map(|column| header.iter().position(|name| name == column.name))
        .collect();
    if places.iter().all(Option::is_none) {
        return Err(damaged(&path, format!("has none of the columns of `{}`", table.name)));
    }
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(|error| broken(&path, error))? {
        let cell = |(place, column): (&Option<usize>, _)| match place {
            Some(place) => read_cell(record.get(*place).unwrap_or(""), column),
            None => Some(Cell::Empty),
        };
        let columns = table.columns.iter().map(|column| column.unit);
        let row: Option<Vec<Cell<'_>>> = places.iter().zip(columns).map(cell).collect();
        let Some(row) = row else {
            let line = record.position().map_or(0, csv::Position::line);
            return Err(damaged(&path, format!("has a cell in line {line} that is no number")));
        };
        each(&row);
    }
    Ok(())
}

fn read_cell(text: &str, unit: Unit) -> Option<Cell<'_>> {
    if text.is_empty() {
        return Some(Cell::Empty);
    }
    if unit == Unit::Text {
        return Some(Cell::from(text));
    }
    let integer = text.parse().ok().map(Cell::Integer);
    integer.or_else(|| text.parse().ok().map(Cell::Signed))
}

fn damaged(path: &Path, reason: String) -> ResultsError {
    ResultsError::Damaged { path: path.to_path_buf(), reason }
}

fn broken(path: &Path, error: csv::Error) -> ResultsError {
    let path = PathBuf::from(path);
    match error.into_kind() {
        csv::ErrorKind::Io(source) => ResultsError::Io { action: "read", path, source },
        csv::ErrorKind::UnequalLengths { expected_len, len, pos } => {
            let line = pos.map_or(0, |pos| pos.line());
            let reason = format!("has {len} cells in line {line}; expected {expected_len}");
            ResultsError::Damaged { path, reason }
        }
        _ => ResultsError::Damaged { path, reason: "is no CSV file in UTF-8".into() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::table::{MemorySink, RowSink};
    use crate::results::writer::CsvSink;
    use crate::results::writer::tests::MESSAGES;

    fn read(folder: &Path) -> Result<MemorySink, ResultsError> {
        let mut sink = MemorySink::new();
        each_row(folder, &MESSAGES, &mut |row| sink.row(&MESSAGES, row))?;
        Ok(sink)
    }

    #[test]
    fn a_table_reads_back_as_it_was_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut memory, tables) = (MemorySink::new(), [&MESSAGES]);
        let mut file = CsvSink::create(folder.path(), &tables).expect("created");
        for row in [
            ["a,\"b\"".into(), 7_u64.into(), Cell::Empty],
            ["vote".into(), u64::MAX.into(), 0_u64.into()],
        ] {
            memory.row(&MESSAGES, &row);
            file.row(&MESSAGES, &row);
        }
        file.finish().expect("written");
        assert_eq!(read(folder.path()).expect("read"), memory);
    }

    #[test]
    fn what_is_no_such_table_is_refused_with_its_path_and_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let refusal = |text: &str| {
            std::fs::write(folder.path().join("messages.csv"), text).expect("written");
            read(folder.path()).expect_err("refused").to_string()
        };
        assert!(refusal("x,y\n1,2\n").contains("messages.csv has none of the columns"));
        let names: Vec<_> = MESSAGES.columns.iter().map(|column| column.name).collect();
        let header = names.join(",");
        assert!(refusal(&format!("{header}\nvote,x,1\n")).contains("line 2 that is no number"));
        assert!(refusal(&format!("{header}\nvote,1\n")).contains("2 cells in line 2; expected 3"));
        std::fs::remove_file(folder.path().join("messages.csv")).expect("removed");
        assert!(read(folder.path()).expect_err("gone").to_string().starts_with("cannot read "));
    }
}
