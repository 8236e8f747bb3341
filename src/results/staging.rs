//! Results layer: the hidden siblings in which a result folder is made, and what becomes of those
//! that a killed run left behind.
//!
//! For a target `NAME`, process number `PID` and the first free number `N`, the siblings are
//!
//! - `.NAME.PID-N.lock`, a file made first and removed last, held under an advisory lock of the
//!   operating system for as long as the process lives (a killed process loses it);
//! - `.NAME.PID-N.partial`, the folder that the results are written to and that is renamed to the
//!   target in one step when all files are on the disk;
//! - `.NAME.PID-N.old`, the folder that a forced run is about to replace, between two renames.
//!
//! Who is about to write `NAME` first looks at the lock files of that name. One that can be locked
//! belongs to a run that is gone: its partial folder is removed; its old folder is removed too, or
//! renamed back if the target is missing because the run was killed between the two renames. A lock
//! that is held belongs to a run that still goes on, on this host or, where the file system carries
//! locks, on another. Where the file system has no locks at all, leftovers stay and do no harm.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::ResultsError;

/// The hidden siblings of one run; removed when dropped.
#[derive(Debug)]
pub(super) struct Staging {
    siblings: Siblings,
    /// Held open, and so locked, until the siblings are gone.
    _lock: File,
}

#[derive(Debug)]
struct Siblings {
    lock: PathBuf,
    partial: PathBuf,
    old: PathBuf,
}

impl Staging {
    /// Makes an empty partial folder for a target whose parent exists.
    pub(super) fn open(target: &Path) -> Result<Self, ResultsError> {
        let mut number = 0_u64;
        loop {
            let siblings = Siblings::new(target, &format!("{}-{number}", std::process::id()));
            match siblings.claim() {
                Ok(Some(lock)) => return Ok(Self { siblings, _lock: lock }),
                Ok(None) => number += 1,
                Err(error) => return Err(ResultsError::io("create", &siblings.partial)(error)),
            }
        }
    }

    /// The folder to write to.
    pub(super) fn partial(&self) -> &Path {
        &self.siblings.partial
    }

    /// Where the folder that is to be replaced stands between the two renames.
    pub(super) fn old(&self) -> &Path {
        &self.siblings.old
    }
}

impl Drop for Staging {
    /// Errors are ignored: what cannot be removed now keeps its lock file and is tried again by the
    /// next run of the same target.
    fn drop(&mut self) {
        self.siblings.remove();
    }
}

impl Siblings {
    fn new(target: &Path, number: &str) -> Self {
        let name = target.file_name().unwrap_or_default();
        let sibling = |kind: &str| {
            let mut hidden = OsString::from(".");
            hidden.push(name);
            hidden.push(format!(".{number}.{kind}"));
            target.with_file_name(hidden)
        };
        Self { lock: sibling("lock"), partial: sibling("partial"), old: sibling("old") }
    }

    /// Takes these names, or `None` if another run has them.
    fn claim(&self) -> io::Result<Option<File>> {
        let lock = match File::options().write(true).create_new(true).open(&self.lock) {
            Ok(lock) => lock,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
            Err(error) => return Err(error),
        };
        match lock.try_lock() {
            // Another run took the new file for a leftover in this instant and will remove it.
            Err(TryLockError::WouldBlock) => return Ok(None),
            // No locks on this file system: the names alone must do.
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        if !self.lock.exists() {
            return Ok(None);
        }
        match fs::create_dir(&self.partial) {
            Ok(()) => Ok(Some(lock)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
            Err(error) => {
                self.remove();
                Err(error)
            }
        }
    }

    /// Removes what is there; the lock file only when everything else is gone.
    fn remove(&self) {
        if is_removed(&self.partial) && is_removed(&self.old) {
            // Left behind, it is removed by the next run of the target.
            let _ = fs::remove_file(&self.lock);
        }
    }
}

fn is_removed(folder: &Path) -> bool {
    match fs::remove_dir_all(folder) {
        Ok(()) => true,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// Clears away what killed runs of this target left in its parent, and puts back a folder that one
/// of them had moved aside. Leftovers that cannot be removed are left.
pub(super) fn clear_leftovers(target: &Path, parent: &Path) -> Result<(), ResultsError> {
    let name = target.file_name().unwrap_or_default();
    for entry in fs::read_dir(parent).map_err(ResultsError::io("read", parent))? {
        let entry = entry.map_err(ResultsError::io("read", parent))?;
        let Some(number) = number_of_lock(&entry.file_name(), name) else { continue };
        let siblings = Siblings::new(target, &number);
        let Ok(lock) = File::options().write(true).open(&siblings.lock) else { continue };
        if lock.try_lock().is_err() {
            continue;
        }
        if !target.exists() {
            // Fails if there is no old folder, which is the usual case.
            let _ = fs::rename(&siblings.old, target);
        }
        siblings.remove();
    }
    Ok(())
}

/// The `PID-N` of the name of a lock file, if it belongs to the target called `name`.
fn number_of_lock(file: &OsStr, name: &OsStr) -> Option<String> {
    let rest = file.as_encoded_bytes().strip_prefix(b".")?;
    let rest = rest.strip_prefix(name.as_encoded_bytes())?.strip_prefix(b".")?;
    let number = std::str::from_utf8(rest.strip_suffix(b".lock")?).ok()?;
    let (process, count) = number.split_once('-')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    (is_number(process) && is_number(count)).then(|| number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder").map(|entry| {
            entry.expect("an entry").file_name().into_string().expect("a name in ASCII")
        });
        let mut names: Vec<_> = entries.collect();
        names.sort();
        names
    }

    /// What a run of `name` leaves if it is killed: nobody holds the lock.
    fn leave_behind(parent: &Path, name: &str, kinds: &[&str]) {
        for kind in kinds {
            let folder = parent.join(format!(".{name}.999999-0.{kind}"));
            fs::create_dir(&folder).expect("a folder");
            fs::write(folder.join("votes.csv"), kind).expect("a file");
        }
        fs::write(parent.join(format!(".{name}.999999-0.lock")), "").expect("a file");
    }

    #[test]
    fn the_leftovers_of_a_killed_run_go_and_those_of_other_targets_stay() {
        let parent = tempfile::tempdir().expect("a folder");
        let parent = parent.path();
        leave_behind(parent, "a", &["partial"]);
        leave_behind(parent, "a.b", &["partial"]);
        clear_leftovers(&parent.join("a"), parent).expect("cleared");
        assert_eq!(entries(parent), [".a.b.999999-0.lock", ".a.b.999999-0.partial"]);
    }

    #[test]
    fn a_run_that_still_goes_on_is_left_alone_and_shares_no_names() {
        let parent = tempfile::tempdir().expect("a folder");
        let target = parent.path().join("a");
        let first = Staging::open(&target).expect("opened");
        clear_leftovers(&target, parent.path()).expect("cleared");
        assert!(first.partial().exists());
        let second = Staging::open(&target).expect("opened");
        assert_ne!(first.partial(), second.partial());
        drop((first, second));
        assert_eq!(entries(parent.path()), [""; 0]);
    }

    #[test]
    fn a_folder_moved_aside_comes_back_if_nothing_took_its_place() {
        let parent = tempfile::tempdir().expect("a folder");
        let parent = parent.path();
        let target = parent.join("a");
        leave_behind(parent, "a", &["partial", "old"]);
        clear_leftovers(&target, parent).expect("cleared");
        assert_eq!(entries(parent), ["a"]);
        assert_eq!(fs::read_to_string(target.join("votes.csv")).expect("a file"), "old");

        leave_behind(parent, "a", &["old"]);
        fs::write(target.join("votes.csv"), "new").expect("written");
        clear_leftovers(&target, parent).expect("cleared");
        assert_eq!(entries(parent), ["a"]);
        assert_eq!(fs::read_to_string(target.join("votes.csv")).expect("a file"), "new");
    }

    #[test]
    fn only_names_of_the_scheme_are_taken_for_leftovers() {
        let number = |file: &str| number_of_lock(OsStr::new(file), OsStr::new("a"));
        assert_eq!(number(".a.12-3.lock").as_deref(), Some("12-3"));
        for other in [".a.lock", ".a.12.lock", ".a.x-3.lock", ".a.-3.lock", "a.12-3.lock"] {
            assert_eq!(number(other), None, "{other}");
        }
        assert_eq!(number(".a.1-0.12-3.lock"), None);
        assert_eq!(number(".a.12-3.partial"), None);
    }
}
