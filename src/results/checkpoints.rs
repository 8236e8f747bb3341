//! Results layer: checkpoints of a run's digest (`checkpoints.csv`), by which two runs of millions
//! of events are compared to a few thousand of them.

use std::path::Path;

use super::{ResultsError, reader};
use crate::base::checkpoint::Checkpoint;
use crate::base::time::Time;
use crate::metrics::table::{Cell, Column, RowSink, TableSpec, Unit};

/// `checkpoints.csv`.
pub static CHECKPOINTS: TableSpec = TableSpec {
    name: "checkpoints",
    doc: "One row per so many records of the digest, a record being the outcome of a message or a \
          fact: two runs went the same way up to the last row that they share. No rows in a run of \
          fewer than 65,536 records.",
    columns: &[
        Column::new("record", Unit::Count, "Records up to here."),
        Column::new("time_ns", Unit::Nanoseconds, "When the last of them was."),
        Column::new(
            "digest",
            Unit::Text,
            "The digest of all of them: its last 64 bits, as 16 hexadecimal digits.",
        ),
    ],
};

/// Writes one row per checkpoint.
pub fn write(checkpoints: &[Checkpoint], sink: &mut impl RowSink) {
    for checkpoint in checkpoints {
        let digest = format!("{:016x}", checkpoint.digest);
        sink.row(&CHECKPOINTS, &[checkpoint.record.into(), checkpoint.at.into(), digest.into()]);
    }
}

/// Reads the checkpoints of a result folder.
///
/// # Errors
/// If the table cannot be read.
pub fn read(folder: &Path) -> Result<Vec<Checkpoint>, ResultsError> {
    let mut found = Vec::new();
    let mut fits = true;
    reader::each_row(folder, &CHECKPOINTS, &mut |row| {
        let point = match row {
            [Cell::Integer(record), Cell::Integer(at), Cell::Text(digest)] => {
                u64::from_str_radix(digest, 16).ok().map(|digest| Checkpoint {
                    record: *record,
                    at: Time::from_nanos(*at),
                    digest,
                })
            }
            _ => None,
        };
        fits &= point.is_some();
        found.extend(point);
    })?;
    if !fits || !found.is_sorted_by(|a, b| a.record < b.record) {
        let path = folder.join(CHECKPOINTS.file_name());
        return Err(ResultsError::Damaged { path, reason: "is no list of checkpoints".into() });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::checkpoint::checkpoints;
    use crate::results::writer::CsvSink;

    #[test]
    fn checkpoints_read_back_as_they_were_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let points = [(Time::from_nanos(7), 1), (Time::from_nanos(9), u64::MAX)];
        let all = checkpoints(&points, 100);
        let mut sink = CsvSink::create(folder.path(), &[&CHECKPOINTS]).expect("created");
        write(&all, &mut sink);
        sink.finish().expect("written");
        assert_eq!(read(folder.path()).expect("read"), all);
        let file = folder.path().join("checkpoints.csv");
        std::fs::write(&file, "record,time_ns,digest\n1,2,xyz\n").expect("written");
        assert!(read(folder.path()).is_err());
    }
}
