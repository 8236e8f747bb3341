//! Scenario layer: input files, read whole. Only regular files of a bounded size: a device or a
//! pipe would never end, or never begin, and a run must be able to read its files again.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::error::ScenarioError;

/// Largest file that a scenario may name: 256 MiB.
pub(super) const MAX_INPUT_BYTES: u64 = 256 << 20;

/// Why a file was not read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct InputError {
    /// What is wrong, to stand after the name of the file.
    pub(super) message: String,
    /// Whether the system failed, and not whoever named the file.
    unreadable: bool,
}

impl InputError {
    fn refused(message: impl Into<String>) -> Self {
        Self { message: message.into(), unreadable: false }
    }

    fn of(error: &io::Error) -> Self {
        let unreadable = error.kind() != io::ErrorKind::NotFound;
        Self { message: format!("cannot be read: {error}"), unreadable }
    }

    /// The same as an error about the key that names the file.
    pub(super) fn at(self, key: impl Into<String>, path: &Path) -> ScenarioError {
        let error = ScenarioError::new(key, format!("{} {}", path.display(), self.message));
        if self.unreadable { error.unreadable() } else { error }
    }
}

/// Reads a file that a scenario names.
///
/// # Errors
/// If there is no such file, if it is not a regular file, is larger than [`MAX_INPUT_BYTES`], or
/// cannot be read.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, InputError> {
    read_up_to(path, MAX_INPUT_BYTES)
}

/// Reads a file of at most so many bytes.
///
/// # Errors
/// As [`read`].
pub(super) fn read_up_to(path: &Path, limit: u64) -> Result<Vec<u8>, InputError> {
    // Asked before it is opened: opening a pipe waits for somebody who writes.
    let found = std::fs::metadata(path).map_err(|error| InputError::of(&error))?;
    if found.is_dir() {
        return Err(InputError::refused("is a directory; expected a file"));
    }
    if !found.is_file() {
        return Err(InputError::refused("is a device or a pipe; expected a regular file"));
    }
    if found.len() > limit {
        return Err(too_large(limit));
    }
    let file = File::open(path).map_err(|error| InputError::of(&error))?;
    read_stream(file, limit)
}

/// Reads a stream of at most so many bytes to its end.
///
/// # Errors
/// If it is longer, or cannot be read.
pub(super) fn read_stream(stream: impl Read, limit: u64) -> Result<Vec<u8>, InputError> {
    let mut bytes = Vec::new();
    // One byte more than allowed is enough to know.
    let mut limited = stream.take(limit + 1);
    limited.read_to_end(&mut bytes).map_err(|error| InputError::of(&error))?;
    if bytes.len() as u64 > limit { Err(too_large(limit)) } else { Ok(bytes) }
}

fn too_large(limit: u64) -> InputError {
    InputError::refused(format!("is larger than {} MiB, the limit", limit >> 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_the_limit_and_not_beyond() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("large.csv");
        let file = File::create(&path).expect("a file");
        file.set_len(2 << 20).expect("a sparse file");
        assert_eq!(read_up_to(&path, 2 << 20).map(|bytes| bytes.len()), Ok(2 << 20));
        file.set_len((2 << 20) + 1).expect("a sparse file");
        let error = read_up_to(&path, 2 << 20).expect_err("too large");
        assert_eq!(error, InputError::refused("is larger than 2 MiB, the limit"));
        file.set_len(MAX_INPUT_BYTES + 1).expect("a sparse file");
        let error = read(&path).expect_err("too large");
        assert_eq!(error.message, "is larger than 256 MiB, the limit");
        // A stream has no size that could be asked for beforehand.
        let error = read_stream(io::repeat(b'x'), 1 << 20).expect_err("endless");
        assert_eq!(error.message, "is larger than 1 MiB, the limit");
    }

    #[test]
    fn what_is_no_file_is_refused_and_what_the_system_fails_at_is_told_apart() {
        let folder = tempfile::tempdir().expect("a folder");
        let error = read(folder.path()).expect_err("a directory");
        assert_eq!(error, InputError::refused("is a directory; expected a file"));
        let error = read(&folder.path().join("none")).expect_err("nothing");
        assert!(!error.unreadable && error.message.starts_with("cannot be read: "), "{error:?}");
        let denied = InputError::of(&io::ErrorKind::PermissionDenied.into());
        assert!(denied.at("key", Path::new("a.csv")).unreadable);
    }

    #[cfg(unix)]
    #[test]
    fn devices_and_pipes_are_refused_without_opening_them() {
        let endless = read(Path::new("/dev/zero")).expect_err("a device");
        assert_eq!(endless.message, "is a device or a pipe; expected a regular file");
    }
}
