//! Results layer: a result folder, which appears whole or not at all.
//!
//! Everything is written to a hidden sibling of the target (see `staging`), file by file onto the
//! disk, the manifest after the files it lists and the wall-clock record after that; then one
//! rename makes it the target. A run that is killed at any moment leaves the target as it was, and
//! the next run of the same target clears the rest away. Only a forced replacement needs two
//! renames; killed between them, the old folder is put back by that next run.
//!
//! What is at the target decides what happens to new results:
//!
//! | there | new results |
//! | --- | --- |
//! | nothing, or an empty folder | take the place |
//! | the same key, equal | are dropped, the old folder stays untouched |
//! | the same key, different | are kept beside it as `NAME.differs`: determinism is violated |
//! | the same key, but that run was ended early | take the place |
//! | another key | are refused, or take the place if forced |
//! | anything else | are refused, forced or not |
//!
//! Another version of the model makes another key. Forcing removes the whole folder that is
//! replaced, including files that were put into it later.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::difference::{first_difference, is_altered};
use super::manifest::{FileRecord, Manifest, RunMeta, is_plain_name, json_text};
use super::staging::{Staging, clear_leftovers};
use super::writer::{CsvSink, HashedFile};
use super::{DeterminismViolated, ResultsError};
use crate::base::digest::Digest;
use crate::metrics::table::TableSpec;

/// A result folder in the making. Dropped without [`Folder::publish`], it leaves nothing.
#[derive(Debug)]
pub struct Folder {
    target: PathBuf,
    key: Digest,
    force: bool,
    staging: Staging,
    files: Vec<FileRecord>,
}

/// What became of new results.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Outcome {
    /// They are a new folder.
    Created,
    /// The folder that was there holds the same results and was left untouched.
    Unchanged,
    /// The new run was ended early, and the folder holds the whole run: it was left untouched, and
    /// what there was of the new one is gone.
    Whole,
    /// They took the place of another run, or of the same run that was ended early.
    Replaced,
}

impl Folder {
    /// Gets ready to write the results of the run `key` to `target`: makes missing parents, clears
    /// away what killed runs left, and checks that the target is free. To be called before the run,
    /// so that nobody waits for results that cannot be kept.
    ///
    /// With `force`, results of another run may be replaced.
    ///
    /// # Errors
    /// [`ResultsError::Occupied`], [`ResultsError::NoName`], [`ResultsError::Io`].
    pub fn prepare(target: &Path, key: Digest, force: bool) -> Result<Self, ResultsError> {
        let target = resolve_link(target)?;
        let parent = parent_of(&target)?;
        fs::create_dir_all(parent).map_err(ResultsError::io("create the folder", parent))?;
        clear_leftovers(&target, parent)?;
        if let Some(reason) = Occupant::at(&target)?.refusal(key, force) {
            return Err(ResultsError::Occupied { folder: target, reason, kept: None });
        }
        let staging = Staging::open(&target)?;
        Ok(Self { target, key, force, staging, files: Vec::new() })
    }

    /// Where the results will be.
    #[must_use]
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Where the files are until the folder is published.
    #[must_use]
    pub fn partial(&self) -> &Path {
        self.staging.partial()
    }

    /// A sink that writes these tables. To be given back to [`Folder::close`].
    ///
    /// # Errors
    /// [`ResultsError::Io`] if a file cannot be created.
    pub fn sink(&self, tables: &[&'static TableSpec]) -> Result<CsvSink, ResultsError> {
        CsvSink::create(self.staging.partial(), tables)
    }

    /// Closes a sink of this folder; its files go into the manifest.
    ///
    /// # Errors
    /// The first [`ResultsError::Io`] of any row, or of closing a file.
    pub fn close(&mut self, sink: CsvSink) -> Result<(), ResultsError> {
        self.files.extend(sink.finish()?);
        Ok(())
    }

    /// Writes a file of which equal runs must have equal bytes.
    ///
    /// # Errors
    /// [`ResultsError::Io`].
    ///
    /// # Panics
    /// If the name has a folder in it, is hidden, or is one of the two that [`Folder::publish`]
    /// writes.
    pub fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), ResultsError> {
        let is_free = is_plain_name(name) && name != Manifest::FILE && name != RunMeta::FILE;
        assert!(is_free, "`{name}` cannot be a file of a result folder");
        self.files.push(HashedFile::whole(self.staging.partial(), name, bytes)?);
        Ok(())
    }

    /// Writes a value as JSON, such as `summary.json`; keys in the order of its fields.
    ///
    /// # Errors
    /// [`ResultsError::Io`], also if the value cannot be written as JSON (a map whose keys are not
    /// texts).
    pub fn write_json<T: Serialize + ?Sized>(
        &mut self,
        name: &str,
        value: &T,
    ) -> Result<(), ResultsError> {
        let path = self.staging.partial().join(name);
        let text = json_text(value).map_err(|e| ResultsError::io("write", &path)(e.into()))?;
        self.write(name, text.as_bytes())
    }

    /// Writes the manifest, whose `files` are filled in here, and the wall-clock record, and puts
    /// the folder in its place.
    ///
    /// # Errors
    /// [`ResultsError::DeterminismViolated`] if the target holds other results of the same key;
    /// [`ResultsError::Occupied`] if something else took the target during the run (the results are
    /// kept beside it); [`ResultsError::Io`].
    ///
    /// # Panics
    /// If the manifest has another key than the folder was prepared for, or a file was added twice.
    pub fn publish(
        mut self,
        mut manifest: Manifest,
        meta: &RunMeta,
    ) -> Result<Outcome, ResultsError> {
        assert!(manifest.key == self.key, "a folder is published under the key it was made for");
        self.files.sort_by(|a, b| a.name.cmp(&b.name));
        assert!(self.files.is_sorted_by(|a, b| a.name < b.name), "a file was added twice");
        manifest.files = std::mem::take(&mut self.files);
        let partial = self.staging.partial();
        HashedFile::whole(partial, Manifest::FILE, manifest.to_text().as_bytes())?;
        let meta = json_text(meta).expect("the record holds only texts and numbers");
        HashedFile::whole(partial, RunMeta::FILE, meta.as_bytes())?;
        sync_folder(partial)?;
        let outcome = self.settle(&manifest)?;
        sync_folder(parent_of(&self.target)?)?;
        Ok(outcome)
    }

    /// Looks at the target and acts, again if another run took the target in between.
    fn settle(&self, new: &Manifest) -> Result<Outcome, ResultsError> {
        // Every turn but the last means that another run published here in that very instant.
        const TURNS: u32 = 16;
        for _ in 0..TURNS {
            let occupant = Occupant::at(&self.target)?;
            if let Some(reason) = occupant.refusal(self.key, self.force) {
                let kept = Some(self.keep_beside("kept")?);
                return Err(ResultsError::Occupied { folder: self.target.clone(), reason, kept });
            }
            let (done, outcome) = match &occupant {
                Occupant::Run(old) if old.key != new.key => (self.replace()?, Outcome::Replaced),
                Occupant::Run(old) if !new.complete && old.complete => (true, Outcome::Whole),
                Occupant::Run(old) if !old.complete => (self.replace()?, Outcome::Replaced),
                Occupant::Run(old) => (self.compare(old, new)?, Outcome::Unchanged),
                _ => (self.move_in()?, Outcome::Created),
            };
            if done {
                return Ok(outcome);
            }
        }
        let source = io::Error::other("the target changes all the time");
        Err(ResultsError::io("put the results in place at", &self.target)(source))
    }

    /// The one rename; `false` if something is in the way.
    fn move_in(&self) -> Result<bool, ResultsError> {
        match fs::rename(self.staging.partial(), &self.target) {
            Ok(()) => Ok(true),
            Err(error) if is_in_the_way(&error) => Ok(false),
            Err(error) => Err(ResultsError::io("put the results in place at", &self.target)(error)),
        }
    }

    /// Moves the old folder aside and the new one in; the old one goes when the staging is dropped.
    /// `false` if another run was quicker.
    fn replace(&self) -> Result<bool, ResultsError> {
        let old = self.staging.old();
        match fs::rename(&self.target, old) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(ResultsError::io("replace", &self.target)(error)),
        }
        match self.move_in() {
            Ok(true) => Ok(true),
            Ok(false) => {
                // What was to be replaced is replaced, if by another; a next turn needs the name.
                fs::remove_dir_all(old).map_err(ResultsError::io("remove", old))?;
                Ok(false)
            }
            Err(error) => {
                fs::rename(old, &self.target)
                    .map_err(ResultsError::io("put back the old results at", &self.target))?;
                Err(error)
            }
        }
    }

    /// `true` if the results at the target are equal to the new ones.
    fn compare(&self, old: &Manifest, new: &Manifest) -> Result<bool, ResultsError> {
        let (folder, partial) = (self.target.as_path(), self.staging.partial());
        let Some(difference) = first_difference((folder, old), (partial, new))? else {
            return Ok(true);
        };
        let altered = is_altered(folder, old, &difference.file)?;
        let kept = self.keep_beside("differs")?;
        let folder = self.target.clone();
        let violation = DeterminismViolated { folder, kept, difference, altered };
        Err(ResultsError::DeterminismViolated(Box::new(violation)))
    }

    /// Keeps the new results as `NAME.SUFFIX`, or `NAME.SUFFIX.2` and so on if that is taken.
    fn keep_beside(&self, suffix: &str) -> Result<PathBuf, ResultsError> {
        let mut number = 1_u64;
        loop {
            let mut name = self.target.file_name().unwrap_or_default().to_os_string();
            name.push(format!(".{suffix}"));
            if number > 1 {
                name.push(format!(".{number}"));
            }
            let kept = self.target.with_file_name(name);
            number += 1;
            if fs::symlink_metadata(&kept).is_ok() {
                continue;
            }
            match fs::rename(self.staging.partial(), &kept) {
                Ok(()) => return Ok(kept),
                Err(error) if is_in_the_way(&error) => {}
                Err(error) => return Err(ResultsError::io("keep the results at", &kept)(error)),
            }
        }
    }
}

/// What is at a target.
enum Occupant {
    /// Nothing, or an empty folder.
    Nothing,
    /// The results of a run.
    Run(Box<Manifest>),
    /// Something that headwater did not make, and why it thinks so.
    Foreign(String),
}

impl Occupant {
    fn at(target: &Path) -> Result<Self, ResultsError> {
        match fs::metadata(target) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::Nothing),
            Err(error) => return Err(ResultsError::io("look at", target)(error)),
            Ok(found) if !found.is_dir() => {
                return Ok(Self::Foreign("is a file, not a folder".to_string()));
            }
            Ok(_) => {}
        }
        match Manifest::read(target) {
            Ok(manifest) => Ok(Self::Run(Box::new(manifest))),
            Err(ResultsError::NotAManifest { reason, .. }) => {
                let file = Manifest::FILE;
                Ok(Self::Foreign(format!("is not a result folder: its {file} {reason}")))
            }
            Err(ResultsError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                let mut entries = fs::read_dir(target).map_err(ResultsError::io("read", target))?;
                Ok(match entries.next() {
                    None => Self::Nothing,
                    Some(_) => Self::Foreign(
                        "is not a result folder (it has no manifest.json) and not empty".into(),
                    ),
                })
            }
            Err(error) => Err(error),
        }
    }

    /// Why results of the run `key` may not take this place; to be read after the folder's name.
    fn refusal(&self, key: Digest, force: bool) -> Option<String> {
        match self {
            Self::Foreign(reason) => Some(format!("{reason}; choose another folder")),
            Self::Run(old) if old.key != key && !force => {
                let Manifest { scenario, seed, key: other, .. } = &**old;
                let (other, key) = (other.short(8), key.short(8));
                Some(format!(
                    "holds another run (scenario {scenario}, seed {seed}, key {other}; this run \
                     has key {key}); choose another folder or replace it with --force"
                ))
            }
            Self::Nothing | Self::Run(_) => None,
        }
    }
}

/// A link to a folder stands for that folder: a rename would replace the link.
fn resolve_link(target: &Path) -> Result<PathBuf, ResultsError> {
    match fs::symlink_metadata(target) {
        Ok(found) if found.is_symlink() => {
            fs::canonicalize(target).map_err(ResultsError::io("follow the link", target))
        }
        _ => Ok(target.to_path_buf()),
    }
}

fn parent_of(target: &Path) -> Result<&Path, ResultsError> {
    match (target.file_name(), target.parent()) {
        (Some(_), Some(parent)) if parent.as_os_str().is_empty() => Ok(Path::new(".")),
        (Some(_), Some(parent)) => Ok(parent),
        _ => Err(ResultsError::NoName { path: target.to_path_buf() }),
    }
}

/// Whether a rename failed because the new name belongs to something; systems differ in the code.
fn is_in_the_way(error: &io::Error) -> bool {
    use io::ErrorKind::{AlreadyExists, DirectoryNotEmpty, NotADirectory};
    matches!(error.kind(), AlreadyExists | DirectoryNotEmpty | NotADirectory)
}

/// Waits until the names in a folder are on the disk, where the system lets a folder be opened.
fn sync_folder(folder: &Path) -> Result<(), ResultsError> {
    if cfg!(unix) {
        let opened = File::open(folder).and_then(|opened| opened.sync_all());
        opened.map_err(ResultsError::io("write", folder))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
