//! Results layer: what a run leaves on disk. A folder with tables, a manifest and a summary that
//! appears whole or not at all; nothing in it but `run.meta.json` depends on when, where or how
//! fast it was made. This layer knows tables and files, never the simulator.

use std::io;
use std::path::{Path, PathBuf};

pub mod checkpoints;
mod difference;
pub mod drafts;
pub mod folder;
pub mod manifest;
pub mod reader;
pub mod readme;
mod staging;
pub mod writer;

pub use difference::{Difference, altered, difference_of};

/// Why results could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResultsError {
    /// The file system refused: full disk, no permission, a file where a folder should be.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, such as "write".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The target may not be overwritten.
    #[error("{} {reason}{}", folder.display(), kept_note(kept.as_deref()))]
    Occupied {
        /// The target.
        folder: PathBuf,
        /// What is there and what to do, to be read after the folder's name.
        reason: String,
        /// Where the new results are, if the run had already been made.
        kept: Option<PathBuf>,
    },
    /// The path cannot name a result folder: it ends in `..` or is a root.
    #[error("{} names no folder that results could be put in", path.display())]
    NoName {
        /// The path as given.
        path: PathBuf,
    },
    /// A run of the same key gave other results before.
    #[error(transparent)]
    DeterminismViolated(Box<DeterminismViolated>),
    /// A file is not a manifest that this program can read.
    #[error("{} {reason}", path.display())]
    NotAManifest {
        /// The file.
        path: PathBuf,
        /// Why not, to be read after the file's name.
        reason: String,
    },
    /// A file of a result folder is not what its name says.
    #[error("{} {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong, to be read after the file's name.
        reason: String,
    },
}

impl ResultsError {
    /// For `map_err`: an error of the file system with what was tried, and on which path.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { action, path, source }
    }
}

fn kept_note(kept: Option<&Path>) -> String {
    kept.map_or_else(String::new, |kept| format!("; the new results are in {}", kept.display()))
}

/// Two runs of one key, that is of one scenario, seed and version, gave different results.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the same run gave other results than those in {}: {difference}{}; the new results are in {}",
    folder.display(),
    if *altered { " (that file was changed after it was written: its SHA-256 is not the one in its \
                  manifest)" } else { "" },
    kept.display()
)]
pub struct DeterminismViolated {
    /// The folder that was there before; untouched.
    pub folder: PathBuf,
    /// Where the new results were put.
    pub kept: PathBuf,
    /// The first difference.
    pub difference: Difference,
    /// The older file does not match its own manifest, so it is the folder that was changed.
    pub altered: bool,
}
