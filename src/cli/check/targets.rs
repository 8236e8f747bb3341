//! Command line: of `check`, what is meant by the paths of a command line.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::case::Case;
use crate::cli::Failure;
use crate::experiment::definition::Definition;
use crate::results::manifest::Manifest;
use crate::scenario::reader::Override;
use crate::scenario::shipped::{self, SCENARIOS};

/// So many cases are checked at most, and so many seeds are named.
const MOST: usize = 100_000;

/// All cases, in the order of the command line, those of a folder by their names.
pub(super) fn collect(
    paths: &[String],
    seeds: Option<&[u64]>,
    overrides: &[Override],
    by: Option<&str>,
) -> Result<Vec<Case>, Failure> {
    let overrides_of_seeds = with_seeds(overrides, seeds)?;
    let mut found =
        Found { overrides: overrides_of_seeds, by, cases: Vec::new(), seen: BTreeSet::new() };
    if paths.is_empty() {
        SCENARIOS.iter().for_each(|shipped| found.scenario(shipped.name, true));
    }
    for path in paths {
        let (name, path) = (path, Path::new(path));
        if !path.is_dir() {
            // Not found is said now, not in the middle of the table.
            shipped::find(name)?;
            found.scenario(name, false);
            continue;
        }
        let before = found.cases.len();
        found.seen.clear();
        found.folder(path, 0)?;
        if found.cases.len() == before {
            let message = format!("{name} holds neither scenarios (*.toml) nor results");
            return Err(Failure::usage(message));
        }
    }
    if found.cases.len() > MOST {
        let count = found.cases.len();
        return Err(Failure::usage(format!("{count} cases; expected at most {MOST}")));
    }
    let results = |case: &Case| !matches!(case, Case::Scenario { .. });
    let changed = !overrides.is_empty() || seeds.is_some();
    if changed && found.cases.iter().all(results) {
        let message =
            "--set, --seeds and limits change what is run, but results are only judged again";
        return Err(Failure::usage(message));
    }
    if by.is_some() && !found.cases.iter().any(results) {
        return Err(Failure::usage("--expect is about results, but there are only scenarios"));
    }
    Ok(found.cases)
}

/// The overrides of each seed; one list without seeds.
fn with_seeds(
    overrides: &[Override],
    seeds: Option<&[u64]>,
) -> Result<Vec<Vec<Override>>, Failure> {
    let Some(seeds) = seeds else { return Ok(vec![overrides.to_vec()]) };
    let with = |seed: &u64| {
        let number = i64::try_from(*seed).map_err(|_| {
            Failure::usage(format!("--seeds: {seed} is too large; expected at most {}", i64::MAX))
        })?;
        let mut all = overrides.to_vec();
        all.push(Override::new("seed", toml::Value::Integer(number))?);
        Ok(all)
    };
    seeds.iter().map(with).collect()
}

/// Reads `7`, `1,5,9`, `1..5` (the end not included) or `1..=5`.
pub(super) fn seeds(text: &str) -> Result<Vec<u64>, Failure> {
    let refused =
        || Failure::usage(format!("--seeds {text}: expected seeds such as 7, 1,5,9 or 1..=5"));
    let number = |text: &str| text.trim().parse::<u64>().map_err(|_| refused());
    let mut seeds = Vec::new();
    for part in text.split(',') {
        let (first, last) = match (part.split_once("..="), part.split_once("..")) {
            (Some((first, last)), _) => (number(first)?, number(last)?),
            (None, Some((first, end))) => {
                (number(first)?, number(end)?.checked_sub(1).ok_or_else(refused)?)
            }
            (None, None) => (number(part)?, number(part)?),
        };
        if last < first || last - first >= MOST as u64 {
            return Err(refused());
        }
        seeds.extend(first..=last);
    }
    if seeds.len() > MOST { Err(refused()) } else { Ok(seeds) }
}

struct Found<'a> {
    overrides: Vec<Vec<Override>>,
    by: Option<&'a str>,
    cases: Vec<Case>,
    /// Folders that were looked into, as links may lead to them again.
    seen: BTreeSet<PathBuf>,
}

impl Found<'_> {
    fn scenario(&mut self, name: &str, in_folder: bool) {
        let case = |overrides: &Vec<Override>| Case::Scenario {
            name: name.to_owned(),
            in_folder,
            overrides: overrides.clone(),
        };
        let cases: Vec<Case> = self.overrides.iter().map(case).collect();
        self.cases.extend(cases);
    }

    /// A result folder or that of a sweep, or all scenarios and results in a folder and below.
    fn folder(&mut self, folder: &Path, depth: usize) -> Result<(), Failure> {
        /// Folders in folders; a link to a parent would have no end.
        const DEEPEST: usize = 16;
        if folder.join(Manifest::FILE).is_file() {
            let by = self.by.map(str::to_owned);
            self.cases.push(Case::Results { folder: folder.to_path_buf(), by });
            return Ok(());
        }
        if folder.join(Definition::FILE).is_file() {
            let by = self.by.map(str::to_owned);
            self.cases.push(Case::Sweep { folder: folder.to_path_buf(), by });
            return Ok(());
        }
        let failed = |error| Failure::io("read", folder, &error);
        if !self.seen.insert(std::fs::canonicalize(folder).map_err(failed)?) {
            return Ok(());
        }
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            entries.push(entry.map_err(failed)?.path());
        }
        entries.sort();
        let hidden = |path: &PathBuf| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
        };
        for path in entries.into_iter().filter(|path| !hidden(path)) {
            if path.is_dir() && depth < DEEPEST {
                self.folder(&path, depth + 1)?;
            } else if path.extension().is_some_and(|extension| extension == "toml") {
                self.scenario(&path.display().to_string(), true);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_numbers_lists_and_ranges() {
        let read = |text: &str| seeds(text).map_err(|failure| failure.messages.join(""));
        assert_eq!(read("7"), Ok(vec![7]));
        assert_eq!(read("1..=3, 9"), Ok(vec![1, 2, 3, 9]));
        assert_eq!(read("1..3"), Ok(vec![1, 2]));
        for wrong in ["", "x", "3..=1", "1..1", "0..0", "1..", "0..=99999999999", "-1"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
