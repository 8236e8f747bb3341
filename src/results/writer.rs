//! Results layer: streams tables into CSV files, and counts and hashes every file while writing it.
//!
//! The format is RFC 4180 with LF line ends: a header row, also when a table has no rows; quotes
//! only around cells that need them; nothing between two commas for an empty cell.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::ResultsError;
use super::manifest::FileRecord;
use crate::base::digest::StreamDigest;
use crate::metrics::table::{Cell, RowSink, TableSpec};

/// Bytes collected per table before they are hashed and written.
const BUFFER: usize = 64 * 1024;

/// Writes every table into a file of its own, `<name>.csv`, row by row as they come.
///
/// After the first error nothing more is written; [`CsvSink::finish`] reports it.
#[derive(Debug)]
pub struct CsvSink {
    sheets: Vec<Sheet>,
    number: String,
    failure: Option<ResultsError>,
}

#[derive(Debug)]
struct Sheet {
    table: &'static TableSpec,
    path: PathBuf,
    writer: csv::Writer<HashedFile>,
}

impl CsvSink {
    /// Creates the file of each table in `folder`, with its header row.
    ///
    /// # Errors
    /// [`ResultsError::Io`] if a file cannot be created.
    ///
    /// # Panics
    /// In debug builds, if a table breaks the rules of [`TableSpec::check`].
    pub fn create(folder: &Path, tables: &[&'static TableSpec]) -> Result<Self, ResultsError> {
        let sheets = tables.iter().map(|table| Sheet::create(folder, table));
        let sheets = sheets.collect::<Result<_, _>>()?;
        Ok(Self { sheets, number: String::new(), failure: None })
    }

    /// Closes every file and says what was written, in the order in which tables were declared.
    ///
    /// # Errors
    /// The first [`ResultsError::Io`] of any row, or of closing a file.
    pub fn finish(self) -> Result<Vec<FileRecord>, ResultsError> {
        match self.failure {
            Some(failure) => Err(failure),
            None => self.sheets.into_iter().map(Sheet::finish).collect(),
        }
    }
}

impl RowSink for CsvSink {
    /// # Panics
    /// If the table was not declared, or as in [`TableSpec::assert_row`].
    fn row(&mut self, table: &'static TableSpec, cells: &[Cell<'_>]) {
        table.assert_row(cells);
        if self.failure.is_some() {
            return;
        }
        let sheet = self
            .sheets
            .iter_mut()
            .find(|sheet| sheet.table.name == table.name)
            .expect("every table is declared before the first row");
        if let Err(error) = sheet.row(&mut self.number, cells) {
            self.failure = Some(ResultsError::io("write", &sheet.path)(error));
        }
    }

    fn failed(&self) -> bool {
        self.failure.is_some()
    }
}

impl Sheet {
    fn create(folder: &Path, table: &'static TableSpec) -> Result<Self, ResultsError> {
        debug_assert_eq!(table.check(), Ok(()));
        let file = HashedFile::create(folder, table.file_name())?;
        let path = file.path.clone();
        let mut writer = csv::WriterBuilder::new().buffer_capacity(BUFFER).from_writer(file);
        writer
            .write_record(table.columns.iter().map(|column| column.name))
            .map_err(|error| ResultsError::io("write", &path)(io_error(error)))?;
        Ok(Self { table, path, writer })
    }

    /// Writes one row; `number` is room for the digits of a number.
    fn row(&mut self, number: &mut String, cells: &[Cell<'_>]) -> io::Result<()> {
        for cell in cells {
            if let Cell::Text(text) = cell {
                self.writer.write_field(text.as_bytes()).map_err(io_error)?;
            } else {
                number.clear();
                write!(number, "{cell}").expect("writing to a text does not fail");
                self.writer.write_field(&*number).map_err(io_error)?;
            }
        }
        self.writer.write_record(None::<&[u8]>).map_err(io_error)
    }

    fn finish(mut self) -> Result<FileRecord, ResultsError> {
        self.writer.flush().map_err(ResultsError::io("write", &self.path))?;
        // Nothing is left in the buffer, so taking the file out has nothing to write.
        let file = self.writer.into_inner().map_err(|error| {
            let source = io::Error::new(error.error().kind(), error.to_string());
            ResultsError::io("write", &self.path)(source)
        })?;
        file.close()
    }
}

/// The error of the file system inside, so that its kind and number are not lost.
fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

/// A file that is counted and hashed while it is written.
#[derive(Debug)]
pub(super) struct HashedFile {
    name: String,
    path: PathBuf,
    file: File,
    digest: StreamDigest,
}

impl HashedFile {
    pub(super) fn create(folder: &Path, name: String) -> Result<Self, ResultsError> {
        let path = folder.join(&name);
        let file = File::create(&path).map_err(ResultsError::io("create", &path))?;
        Ok(Self { name, path, file, digest: StreamDigest::default() })
    }

    /// Writes a whole file at once and closes it.
    pub(super) fn whole(
        folder: &Path,
        name: &str,
        bytes: &[u8],
    ) -> Result<FileRecord, ResultsError> {
        let mut file = Self::create(folder, name.to_string())?;
        file.write_all(bytes).map_err(ResultsError::io("write", &file.path.clone()))?;
        file.close()
    }

    /// Waits until the bytes are on the disk.
    fn close(self) -> Result<FileRecord, ResultsError> {
        self.file.sync_all().map_err(ResultsError::io("write", &self.path))?;
        let (bytes, sha256) = (self.digest.bytes(), self.digest.value());
        Ok(FileRecord { name: self.name, bytes, sha256 })
    }
}

impl Write for HashedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.digest.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::fs;

    use super::*;
    use crate::base::digest::Digest;
    use crate::metrics::table::{Column, Unit};

    pub(in crate::results) static MESSAGES: TableSpec = TableSpec {
        name: "messages",
        doc: "One row per kind of message.",
        columns: &[
            Column { name: "kind", unit: Unit::Text, doc: "The kind." },
            Column { name: "sent", unit: Unit::Count, doc: "How many were sent." },
            Column { name: "first_ns", unit: Unit::Nanoseconds, doc: "When the first was sent." },
        ],
    };

    pub(in crate::results) static FORKS: TableSpec = TableSpec {
        name: "forks",
        doc: "One row per fork.",
        columns: &[Column { name: "slot", unit: Unit::Slot, doc: "The slot." }],
    };

    #[test]
    fn cells_are_quoted_only_where_needed_and_never_is_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut sink = CsvSink::create(folder.path(), &[&MESSAGES, &FORKS]).expect("created");
        let never = Cell::Empty;
        sink.row(&MESSAGES, &["vote".into(), 3_u64.into(), Cell::Signed(-4)]);
        sink.row(&MESSAGES, &["a,b \"c\"\nd".into(), Cell::Integer(u64::MAX), never]);
        assert!(!sink.failed());
        sink.finish().expect("written");
        let text = fs::read_to_string(folder.path().join("messages.csv")).expect("a file");
        // RFC 4180, rules 5 to 7: such a cell stands in quotes, a quote inside is doubled.
        let expected = "kind,sent,first_ns\nvote,3,-4\n\
                        \"a,b \"\"c\"\"\nd\",18446744073709551615,\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_table_without_rows_has_its_header() {
        let folder = tempfile::tempdir().expect("a folder");
        let sink = CsvSink::create(folder.path(), &[&MESSAGES, &FORKS]).expect("created");
        sink.finish().expect("written");
        let read = |name| fs::read_to_string(folder.path().join(name)).expect("a file");
        assert_eq!(read("forks.csv"), "slot\n");
        assert_eq!(read("messages.csv"), "kind,sent,first_ns\n");
    }

    #[test]
    fn the_record_of_a_file_is_what_an_independent_read_finds() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut sink = CsvSink::create(folder.path(), &[&FORKS]).expect("created");
        // 30,000 rows of 5 or 6 bytes are more than two buffers.
        for slot in 10_000..40_000_u64 {
            sink.row(&FORKS, &[slot.into()]);
        }
        let records = sink.finish().expect("written");
        let bytes = fs::read(folder.path().join("forks.csv")).expect("a file");
        let sha256 = Digest::of(&bytes);
        assert_eq!(bytes.len(), "slot\n".len() + 30_000 * "10000\n".len());
        let bytes = bytes.len() as u64;
        assert_eq!(records, [FileRecord { name: "forks.csv".into(), bytes, sha256 }]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_remembered_and_reported_at_the_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("forks.csv");
        std::os::unix::fs::symlink("/dev/full", &path).expect("a link");
        let mut sink = CsvSink::create(folder.path(), &[&FORKS]).expect("created");
        let mut rows = 0;
        // A row takes 2 bytes, so the buffer must have been written out after BUFFER of them.
        while !sink.failed() && rows < BUFFER {
            sink.row(&FORKS, &[1_u64.into()]);
            rows += 1;
        }
        assert!(sink.failed());
        sink.row(&FORKS, &[1_u64.into()]);
        match sink.finish() {
            Err(ResultsError::Io { action: "write", path: blamed, source }) => {
                assert_eq!((blamed, source.kind()), (path, io::ErrorKind::StorageFull));
            }
            other => panic!("the disk was full, but: {other:?}"),
        }
    }

    #[test]
    #[should_panic(expected = "every table is declared")]
    fn a_table_that_was_not_declared_is_a_mistake_in_the_recorder() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut sink = CsvSink::create(folder.path(), &[]).expect("created");
        sink.row(&FORKS, &[1_u64.into()]);
    }
}
