//! Scenario layer: the one error type of everything that reads a scenario.

use std::fmt;
use std::path::PathBuf;

/// A place in a scenario file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The file, or the name of a shipped scenario.
    pub file: PathBuf,
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
}

/// Why a scenario cannot run: the key, what was found, what was expected.
///
/// Code that knows only the key makes one with [`ScenarioError::new`]; the reader adds the line and
/// column, because it alone has seen the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioError {
    /// Dotted key such as `network.loss` or `faults[2].at`; empty if no key is to blame.
    pub key: String,
    /// One sentence without the key and without a full stop.
    pub message: String,
    /// A near name or another way out.
    pub hint: Option<String>,
    /// Where the key stands, when it stands in a file.
    pub location: Option<Location>,
    /// Whether the system failed to read a file (no permission, a broken disk): nothing is wrong
    /// with the scenario.
    pub unreadable: bool,
}

impl ScenarioError {
    /// An error about a dotted key (empty if no key is to blame).
    pub fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        let (key, message) = (key.into(), message.into());
        Self { key, message, hint: None, location: None, unreadable: false }
    }

    /// The same error as one of the system, see [`Self::unreadable`](field@Self::unreadable).
    #[must_use]
    pub fn unreadable(mut self) -> Self {
        self.unreadable = true;
        self
    }

    /// The same error of a table that stands elsewhere: `at` takes the place of `of` in the key.
    #[must_use]
    pub fn moved(mut self, of: &str, at: &str) -> Self {
        if let Some(rest) = self.key.strip_prefix(of) {
            self.key = format!("{at}{rest}");
        }
        self
    }

    /// The same error with a near name or another way out.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Location { file, line, column }) = &self.location {
            write!(f, "{}:{line}:{column}: ", file.display())?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ScenarioError {}
