//! Results layer: checkpoints of a run's digest (`checkpoints.csv`), by which two runs of millions
//! of events are compared to a few thousand of them.

use std::path::Path;

use super::{ResultsError, reader};
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

/// A point that a run passed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Checkpoint {
    /// Records up to here.
    pub record: u64,
    /// When the last of them was.
    pub at: Time,
    /// 64 bits of the digest of all of them.
    pub digest: u64,
}

/// Checkpoints as a run tells them: one per `spacing` records.
#[must_use]
pub fn checkpoints(points: &[(Time, u64)], spacing: u64) -> Vec<Checkpoint> {
    let numbered = points.iter().zip(1_u64..);
    let checkpoint = |((at, digest), place): (&(Time, u64), u64)| Checkpoint {
        record: place * spacing,
        at: *at,
        digest: *digest,
    };
    numbered.map(checkpoint).collect()
}

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

/// Between which records two runs part: the last checkpoint that they share, and the first at which
/// they differ, if there is one. Checkpoints that only one of them has say nothing.
#[must_use]
pub fn bracket(a: &[Checkpoint], b: &[Checkpoint]) -> (Option<Checkpoint>, Option<Checkpoint>) {
    let mut shared = None;
    for point in a {
        let Ok(place) = b.binary_search_by_key(&point.record, |other| other.record) else {
            continue;
        };
        if b[place] != *point {
            return (shared, Some(*point));
        }
        shared = Some(*point);
    }
    (shared, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::writer::CsvSink;

    fn point(record: u64, digest: u64) -> Checkpoint {
        Checkpoint { record, at: Time::from_nanos(record * 10), digest }
    }

    #[test]
    fn checkpoints_read_back_as_they_were_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let points = [(Time::from_nanos(7), 1), (Time::from_nanos(9), u64::MAX)];
        let all = checkpoints(&points, 100);
        assert_eq!((all[0].record, all[1].record), (100, 200));
        let mut sink = CsvSink::create(folder.path(), &[&CHECKPOINTS]).expect("created");
        write(&all, &mut sink);
        sink.finish().expect("written");
        assert_eq!(read(folder.path()).expect("read"), all);
        let file = folder.path().join("checkpoints.csv");
        std::fs::write(&file, "record,time_ns,digest\n1,2,xyz\n").expect("written");
        assert!(read(folder.path()).is_err());
    }

    #[test]
    fn the_bracket_is_between_the_last_equal_and_the_first_different_checkpoint() {
        let a = [point(1, 5), point(2, 6), point(3, 7), point(4, 8)];
        // Twice the spacing, and another digest from record 4 on.
        let b = [point(2, 6), point(4, 9)];
        assert_eq!(bracket(&a, &b), (Some(a[1]), Some(a[3])));
        assert_eq!(bracket(&b, &a), (Some(a[1]), Some(b[1])));
        assert_eq!(bracket(&a, &a), (Some(a[3]), None));
        assert_eq!(bracket(&a, &[]), (None, None));
    }
}
