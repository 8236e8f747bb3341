//! Results layer: finds the first difference between two result folders of one run key.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use super::ResultsError;
use super::manifest::Manifest;
use crate::base::digest::{Digest, StreamDigest};

/// Where two result folders first differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The file.
    pub file: String,
    /// The line, counted from 1.
    pub line: u64,
    /// What stands there in the older folder: the part of the line around the difference, in
    /// quotes, or in words that there is no such line or file.
    pub before: String,
    /// The same for the newer folder.
    pub now: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, before, now } = self;
        write!(f, "{file} differs first in line {line} (before: {before}, now: {now})")
    }
}

/// The first difference between the files that either manifest lists, in the order of their names,
/// then between the manifests. Files that no manifest lists are not looked at: `run.meta.json`, and
/// whatever was put beside the results later.
pub(super) fn first_difference(
    (old_folder, old): (&Path, &Manifest),
    (new_folder, new): (&Path, &Manifest),
) -> Result<Option<Difference>, ResultsError> {
    let names: BTreeSet<&str> =
        old.files.iter().chain(&new.files).map(|file| file.name.as_str()).collect();
    for name in names {
        if let Some(difference) = difference_of(name, old_folder, new_folder)? {
            return Ok(Some(difference));
        }
    }
    let (before, now) = (old.to_text(), new.as_asked_by(old).to_text());
    let difference = first_line(before.as_bytes(), now.as_bytes())
        .map_err(ResultsError::io("compare", old_folder))?;
    Ok(difference.map(|(line, before, now)| Difference {
        file: Manifest::FILE.to_string(),
        line,
        before,
        now,
    }))
}

/// The first difference between the files of this name in two folders; a missing file differs from
/// an existing one.
///
/// # Errors
/// [`ResultsError::Io`] if one cannot be read.
pub fn difference_of(
    name: &str,
    old: &Path,
    new: &Path,
) -> Result<Option<Difference>, ResultsError> {
    let (old_path, new_path) = (old.join(name), new.join(name));
    let difference = match (open(&old_path)?, open(&new_path)?) {
        (None, None) => None,
        (Some(_), None) => Some((1, "a file".to_string(), "no such file".to_string())),
        (None, Some(_)) => Some((1, "no such file".to_string(), "a file".to_string())),
        (Some(before), Some(now)) => {
            first_line(before, now).map_err(ResultsError::io("compare", &old_path))?
        }
    };
    Ok(difference.map(|(line, before, now)| Difference {
        file: name.to_string(),
        line,
        before,
        now,
    }))
}

/// The files that are no longer those that the manifest of their folder lists, or are missing.
///
/// # Errors
/// [`ResultsError::Io`] if one cannot be read.
pub fn altered(folder: &Path, manifest: &Manifest) -> Result<Vec<String>, ResultsError> {
    let mut altered = Vec::new();
    for record in &manifest.files {
        if is_altered(folder, manifest, &record.name)? {
            altered.push(record.name.clone());
        }
    }
    Ok(altered)
}

/// Whether a file is no longer the one that its manifest lists.
pub(super) fn is_altered(
    folder: &Path,
    manifest: &Manifest,
    file: &str,
) -> Result<bool, ResultsError> {
    let Some(record) = manifest.files.iter().find(|record| record.name == file) else {
        return Ok(false);
    };
    let path = folder.join(file);
    let Some(reader) = open(&path)? else { return Ok(true) };
    Ok(digest_of(reader).map_err(ResultsError::io("read", &path))? != record.sha256)
}

fn open(path: &Path) -> Result<Option<BufReader<File>>, ResultsError> {
    match File::open(path) {
        Ok(file) => Ok(Some(BufReader::with_capacity(64 * 1024, file))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ResultsError::io("read", path)(error)),
    }
}

fn digest_of(mut reader: impl Read) -> io::Result<Digest> {
    let mut digest = StreamDigest::default();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(digest.value()),
            length => digest.update(&buffer[..length]),
        }
    }
}

/// The number of the first differing line, and the line on either side.
fn first_line(
    mut before: impl BufRead,
    mut now: impl BufRead,
) -> io::Result<Option<(u64, String, String)>> {
    let (mut old, mut new) = (Vec::new(), Vec::new());
    for line in 1.. {
        old.clear();
        new.clear();
        before.read_until(b'\n', &mut old)?;
        now.read_until(b'\n', &mut new)?;
        if old != new {
            let common = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
            return Ok(Some((line, excerpt(&old, common), excerpt(&new, common))));
        }
        if old.is_empty() {
            break;
        }
    }
    Ok(None)
}

/// The part of a line around a place, in quotes.
fn excerpt(line: &[u8], place: usize) -> String {
    const BEFORE: usize = 40;
    const AFTER: usize = 40;
    if line.is_empty() {
        return "the end of the file".to_string();
    }
    let from = place.saturating_sub(BEFORE);
    let to = line.len().min(place + AFTER);
    format!("{:?}", String::from_utf8_lossy(&line[from..to]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(before: &str, now: &str) -> Option<(u64, String, String)> {
        first_line(before.as_bytes(), now.as_bytes()).expect("memory can be read")
    }

    #[test]
    fn the_first_differing_line_is_named_with_both_sides() {
        let text = |line, before: &str, now: &str| Some((line, before.into(), now.into()));
        assert_eq!(first("a\nb\nc\n", "a\nb\nc\n"), None);
        assert_eq!(first("", ""), None);
        assert_eq!(first("a\nb\nc\n", "a\nX\nY\n"), text(2, "\"b\\n\"", "\"X\\n\""));
        assert_eq!(first("a\n", "a\nb\n"), text(2, "the end of the file", "\"b\\n\""));
        assert_eq!(first("a\nb\n", "a\n"), text(2, "\"b\\n\"", "the end of the file"));
        assert_eq!(first("a\n", "a"), text(1, "\"a\\n\"", "\"a\""));
    }

    #[test]
    fn of_a_long_line_the_part_around_the_difference_is_shown() {
        let (before, now) = ("x".repeat(5_000), "x".repeat(4_000) + "y");
        let (line, before, now) = first(&before, &now).expect("a difference");
        // 40 bytes before the difference; 40 from there on, or what is left of the line.
        let expected_before = format!("{:?}", "x".repeat(80));
        let expected_now = format!("{:?}", "x".repeat(40) + "y");
        assert_eq!((line, before, now), (1, expected_before, expected_now));
    }
}
