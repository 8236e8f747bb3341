//! Scenario layer, reader: the text of a scenario and where it comes from.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::locate::position;
use crate::scenario::error::{Location, ScenarioError};
use crate::scenario::input::{self, InputError};

/// Largest scenario file in bytes. Big tables (latencies, stakes) belong into files of their own.
pub const MAX_BYTES: u64 = 16 << 20;

/// The text of a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The file, or the name of a shipped scenario; stands in front of errors.
    pub name: PathBuf,
    /// The TOML text.
    pub text: String,
    /// Where relative paths in the scenario start: the directory of the file.
    pub base_dir: PathBuf,
}

impl Source {
    /// Reads a scenario file.
    ///
    /// # Errors
    /// If there is no such file, if it cannot be read, is no regular file, is larger than
    /// [`MAX_BYTES`] or not UTF-8.
    pub fn load(path: &Path) -> Result<Self, ScenarioError> {
        let base_dir = path.parent().unwrap_or(Path::new("")).to_owned();
        Self::of_bytes(path, input::read_up_to(path, MAX_BYTES), base_dir)
    }

    /// Reads a scenario from a stream, such as the standard input, to its end. `name` stands in
    /// front of errors; relative paths in the scenario start at the current directory.
    ///
    /// # Errors
    /// If it cannot be read, is empty, larger than [`MAX_BYTES`] or not UTF-8.
    pub fn read(name: &str, stream: impl Read) -> Result<Self, ScenarioError> {
        let bytes = input::read_stream(stream, MAX_BYTES);
        let source = Self::of_bytes(Path::new(name), bytes, PathBuf::new())?;
        if source.text.trim().is_empty() {
            // A command before the pipe has failed: its message is lost among others.
            return Err(ScenarioError::new("", format!("{name} is empty; expected a scenario")));
        }
        Ok(source)
    }

    fn of_bytes(
        name: &Path,
        bytes: Result<Vec<u8>, InputError>,
        base_dir: PathBuf,
    ) -> Result<Self, ScenarioError> {
        let bytes = bytes.map_err(|error| error.at("", name))?;
        let text = String::from_utf8(bytes).map_err(|error| not_utf8(name, &error))?;
        Ok(Self { name: name.to_owned(), text, base_dir })
    }

    /// A scenario that is part of the program; relative paths in it start at the current directory.
    #[must_use]
    pub fn embedded(name: &str, text: &str) -> Self {
        Self { name: PathBuf::from(name), text: text.to_owned(), base_dir: PathBuf::new() }
    }
}

fn not_utf8(path: &Path, error: &std::string::FromUtf8Error) -> ScenarioError {
    let offset = error.utf8_error().valid_up_to();
    let (line, column) = position(error.as_bytes(), offset);
    let byte = error.as_bytes().get(offset).copied().unwrap_or_default();
    let message = format!("byte {byte:#04x} at offset {offset} is not UTF-8");
    let mut error = ScenarioError::new("", message).hint("save the file as UTF-8");
    error.location = Some(Location { file: path.to_owned(), line, column });
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_with_its_directory() {
        let directory = tempfile::tempdir().expect("a directory for the test");
        let path = directory.path().join("s.toml");
        std::fs::write(&path, "name = 'ü'\r\n").expect("the test can write");
        let source = Source::load(&path).expect("the file is fine");
        assert_eq!(source.text, "name = 'ü'\r\n");
        assert_eq!(source.base_dir, directory.path());
    }

    #[test]
    fn what_cannot_be_read_is_an_error_that_says_why() {
        let directory = tempfile::tempdir().expect("a directory for the test");
        let path = directory.path().join("s.toml");
        let reason = || Source::load(&path).expect_err("not readable").to_string();
        let name = path.display();
        assert!(reason().starts_with(&format!("{name} cannot be read: ")), "{}", reason());

        // Two lines of text, then two characters of three bytes in all, then the bad byte.
        std::fs::write(&path, b"a = 1\nb = '\xC3\xBCx\xFF'").expect("the test can write");
        let expected = format!("{name}:2:8: byte 0xff at offset 14 is not UTF-8");
        assert_eq!(reason(), expected + "; save the file as UTF-8");

        let file = std::fs::File::create(&path).expect("the test can write");
        file.set_len(MAX_BYTES + 1).expect("a sparse file");
        assert_eq!(reason(), format!("{name} is larger than 16 MiB, the limit"));
        file.set_len(MAX_BYTES).expect("a sparse file");
        assert!(Source::load(&path).is_ok());

        let reason = Source::load(directory.path()).expect_err("a directory").to_string();
        assert!(reason.ends_with(" is a directory; expected a file"), "{reason}");
    }
}
