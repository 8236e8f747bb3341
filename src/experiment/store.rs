//! Experiment layer: the folder of a sweep, with `sweep.json`, a record for each run, and tables
//! once all of them are there. Several threads, processes and machines may fill one at a time.

use std::fs;
use std::path::{Path, PathBuf};

use super::ExperimentError;
use super::across::{ACROSS_FILE, across, across_csv};
use super::definition::Definition;
use super::record::Record;
use super::schedule::{Records, Run, wanted};
use super::tables::{POINTS_FILE, RUNS_FILE, points_csv, runs_csv};
use crate::results::ResultsError;
use crate::results::drafts::Drafts;

/// Name of the folder with records.
pub const RECORDS: &str = "records";

/// The folder of a sweep, to be filled.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    drafts: Drafts,
    definition: Definition,
}

/// What the records of a folder hold.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Those of runs that the sweep may have, whatever their number of seeds.
    pub records: Records,
    /// Files that are no records, each with why not.
    pub damaged: Vec<String>,
    /// Files of runs that the sweep does not have, such as of a scenario that has changed since.
    strays: Vec<PathBuf>,
}

impl Store {
    /// Gets ready to fill a folder with the records of a sweep, or to go on filling it.
    ///
    /// # Errors
    /// [`ResultsError::Occupied`] if the folder belongs to something else; with `force` another
    /// sweep there is replaced. [`ResultsError::Io`].
    pub fn open(
        folder: &Path,
        definition: Definition,
        force: bool,
    ) -> Result<Self, ExperimentError> {
        let refuse = |reason: String| ResultsError::Occupied {
            folder: folder.to_path_buf(),
            reason,
            kept: None,
        };
        let mut before = Definition::read(folder)?;
        if before.is_none() && is_taken(folder)? {
            // Another process may have said in between what sweep it is.
            before = Definition::read(folder)?;
            if before.is_none() {
                let why = "is not the folder of a sweep and not empty; choose another folder";
                return Err(refuse(why.to_owned()).into());
            }
        }
        if let Some(before) = &before {
            let why = definition.differs_from(before).or_else(|| fewer(&definition, before));
            if let Some(why) = why.filter(|_| !force) {
                let way = "choose another folder or replace it with --force";
                return Err(refuse(format!("{why}; {way}")).into());
            }
        }
        let drafts = Drafts::open(&folder.join(RECORDS))?;
        let store = Self { folder: folder.to_path_buf(), drafts, definition };
        if before.as_ref() != Some(&store.definition) {
            // Tables of other runs than those that the definition promises would be a trap.
            for table in [RUNS_FILE, POINTS_FILE, ACROSS_FILE] {
                remove(&folder.join(table))?;
            }
            let text = store.definition.to_text();
            let name = format!("../{}", Definition::FILE);
            if before.is_some() {
                store.drafts.put(&name, text.as_bytes())?;
            } else if !store.drafts.put_new(&name, text.as_bytes())? {
                // Another process was quicker.
                store.is_mine()?;
            }
        }
        Ok(store)
    }

    /// Refuses a folder that another sweep has taken since it was opened.
    fn is_mine(&self) -> Result<(), ExperimentError> {
        let now = Definition::read(&self.folder)?;
        let Some(why) = now.and_then(|now| self.definition.differs_from(&now)) else {
            return Ok(());
        };
        let reason = format!("{why}, which has taken the folder in the meantime; choose another");
        let folder = self.folder.clone();
        Err(ResultsError::Occupied { folder, reason, kept: None }.into())
    }

    /// Where files are written before they appear.
    #[must_use]
    pub fn hidden(&self) -> &Path {
        self.drafts.hidden()
    }

    /// What the sweep is.
    #[must_use]
    pub const fn definition(&self) -> &Definition {
        &self.definition
    }

    /// Reads all records.
    ///
    /// # Errors
    /// As [`load`].
    pub fn load(&self) -> Result<Found, ExperimentError> {
        load(&self.folder, &self.definition)
    }

    /// The record of this key; `None` if there is none, or a damaged one.
    ///
    /// # Errors
    /// [`ResultsError::Io`].
    pub fn find(&self, key: crate::base::digest::Digest) -> Result<Option<Record>, ResultsError> {
        let bytes = Drafts::read(&self.folder.join(RECORDS).join(format!("{key}.json")))?;
        let record = bytes.and_then(|bytes| Record::parse(&bytes).ok());
        Ok(record.filter(|record| record.key == key))
    }

    /// Keeps a record; it appears whole or not at all. `before` is what is known of the same run,
    /// of another key if an input file has changed since: it goes first, so that there are never
    /// two.
    ///
    /// # Errors
    /// [`ResultsError::Io`].
    pub fn put(&self, record: &Record, before: Option<&Record>) -> Result<(), ResultsError> {
        if let Some(before) = before.filter(|before| before.key != record.key) {
            remove(&self.folder.join(RECORDS).join(before.file_name()))?;
        }
        self.drafts.put(&record.file_name(), record.to_text().as_bytes())
    }

    /// Makes the tables if no run is missing, and clears away what does not belong to the sweep;
    /// says how many runs are missing.
    ///
    /// # Errors
    /// [`ExperimentError`] as of reading and writing, or if the folder is another sweep's by now:
    /// nothing is removed then.
    pub fn finish(&self) -> Result<(Records, usize), ExperimentError> {
        self.is_mine()?;
        let Found { mut records, strays, .. } = self.load()?;
        let runs = wanted(&self.definition, &records)?;
        let missing = runs.iter().filter(|run| !records.contains_key(run)).count();
        let more: Vec<Run> = records.keys().filter(|run| !runs.contains(run)).copied().collect();
        if missing == 0 {
            for path in &strays {
                remove(path)?;
            }
            for run in more {
                if let Some(record) = records.remove(&run) {
                    remove(&self.folder.join(RECORDS).join(record.file_name()))?;
                }
            }
            let tables = [
                (RUNS_FILE, Some(runs_csv(&self.definition, &records))),
                (POINTS_FILE, Some(points_csv(&self.definition, &records)?)),
                (ACROSS_FILE, across_csv(&across(&self.definition, &records)?)),
            ];
            for (name, text) in tables {
                let Some(text) = text else { continue };
                let now = Drafts::read(&self.folder.join(name))?;
                if now.as_deref() != Some(text.as_bytes()) {
                    self.drafts.put(&format!("../{name}"), text.as_bytes())?;
                }
            }
        }
        Ok((records, missing))
    }
}

/// The records of a folder that may belong to the sweep.
///
/// # Errors
/// [`ResultsError::Io`]; [`ExperimentError::Usage`] if the definition is damaged.
pub fn load(folder: &Path, definition: &Definition) -> Result<Found, ExperimentError> {
    let points = definition.points()?;
    let mut place_of: Vec<(&Vec<String>, usize)> =
        points.iter().enumerate().map(|(place, labels)| (labels, place)).collect();
    place_of.sort_unstable();
    let folder = folder.join(RECORDS);
    let mut found = Found::default();
    for path in files(&folder)? {
        let Some(bytes) = Drafts::read(&path)? else { continue };
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let record = match Record::parse(&bytes) {
            Ok(record) if record.file_name() == name => record,
            Ok(_) => {
                found.damaged.push(format!("{} is called otherwise than its key", path.display()));
                continue;
            }
            Err(why) => {
                found.damaged.push(format!("{} {why}", path.display()));
                continue;
            }
        };
        if record.model_version != definition.model_version
            || record.program_version != definition.program_version
        {
            let (path, version, model) =
                (path.display(), &record.program_version, record.model_version);
            found.damaged.push(format!("{path} was made by headwater {version} (model {model})"));
        }
        let point = place_of.binary_search_by(|(labels, _)| (*labels).cmp(&record.axes));
        let of_sweep = record.program_version == definition.program_version
            && record.model_version == definition.model_version;
        let Some(point) = point.ok().filter(|_| of_sweep).map(|place| place_of[place].1) else {
            found.strays.push(path);
            continue;
        };
        let run = Run { point, seed: record.seed };
        if let Some(other) = found.records.insert(run, record) {
            let other = folder.join(other.file_name());
            let (other, path, seed) = (other.display(), path.display(), run.seed);
            return Err(ExperimentError::Usage(format!(
                "{other} and {path} are of one point and seed {seed}, but of different input \
                 files; remove the older one"
            )));
        }
    }
    Ok(found)
}

/// The files of a folder that end in `.json`, sorted; none if there is no such folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>, ResultsError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(ResultsError::io("read", folder)(error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(ResultsError::io("read", folder))?.path();
        if path.extension().is_some_and(|end| end == "json") {
            paths.push(path);
        }
    }
    paths.sort_unstable();
    Ok(paths)
}

/// What a sweep with these seeds would lose of the one that is there.
fn fewer(new: &Definition, old: &Definition) -> Option<String> {
    let kept = new.seeds.all();
    let lost = old.seeds.all().iter().find(|seed| !kept.contains(seed))?;
    Some(format!("has seeds that this sweep does not have, such as {lost}"))
}

fn is_taken(folder: &Path) -> Result<bool, ResultsError> {
    match fs::read_dir(folder) {
        // Hidden files are those of a process that was killed before it said what sweep it is.
        Ok(mut entries) => Ok(entries.any(|entry| {
            let name = entry.map(|entry| entry.file_name()).unwrap_or_default();
            let name = name.to_string_lossy();
            !name.starts_with('.') && name != RECORDS
        })),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(ResultsError::io("read the folder", folder)(error)),
    }
}

fn remove(path: &Path) -> Result<(), ResultsError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(ResultsError::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}
