//! Scenario layer, reader: from a place in a text to a line and a column.

use std::path::PathBuf;

use super::path::{self, Step};
use super::tree::{Data, Finding, Node, Origin, Spot};
use crate::scenario::error::{Location, ScenarioError};

/// Where every key of a scenario was written: in the file, in its preset or in an override.
#[derive(Clone, Debug)]
pub struct Locations {
    pub(super) root: Node,
    pub(super) texts: Texts,
}

/// The texts that a scenario is made of.
#[derive(Clone, Debug)]
pub(super) struct Texts {
    pub(super) file: (PathBuf, String),
    pub(super) preset: Option<(PathBuf, String)>,
    /// Where each override comes from, in words, and a place in a file if it stands in one.
    pub(super) overrides: Vec<(String, Option<Location>)>,
}

impl Locations {
    /// Adds the line and column to an error that names a key, or the override that set the key.
    ///
    /// If the key itself was not written (it has its default), the place is that of the table
    /// around it; an error about a top-level key that was not written is returned as it is.
    #[must_use]
    pub fn locate(&self, error: ScenarioError) -> ScenarioError {
        if error.location.is_some() || error.key.is_empty() {
            return error;
        }
        let Ok((steps, _)) = path::parse(&error.key) else { return error };
        let mut node = &self.root;
        let mut found = None;
        for step in &steps {
            let next = match (&node.data, step) {
                (Data::Table(table), Step::Key(key)) => table.get(key),
                (Data::Array(array), Step::Index(index)) => array.get(*index),
                _ => None,
            };
            let Some(next) = next else { break };
            (node, found) = (next, Some(next.value));
        }
        match found {
            Some(spot) => self.texts.place(Finding::new(spot, error)),
            None => error,
        }
    }
}

impl Texts {
    /// The error with its line and column, or with the override that caused it.
    pub(super) fn place(&self, finding: Finding) -> ScenarioError {
        let Finding { spot, mut error } = finding;
        match spot.origin {
            Origin::File => error.location = Some(location(&self.file, spot)),
            Origin::Preset => {
                error.location = self.preset.as_ref().map(|preset| location(preset, spot));
            }
            Origin::Override(number) => {
                let Some((text, place)) = self.overrides.get(number) else { return error };
                error.message = format!("{} (from {text})", error.message);
                error.location.clone_from(place);
            }
        }
        error
    }
}

fn location((file, text): &(PathBuf, String), spot: Spot) -> Location {
    let (line, column) = position(text.as_bytes(), spot.offset);
    Location { file: file.clone(), line, column }
}

/// Line and column, both from 1, of an offset in bytes; the column counts characters. The text may
/// stop being UTF-8 at the offset.
pub(super) fn position(text: &[u8], offset: usize) -> (usize, usize) {
    let before = &text[..offset.min(text.len())];
    let start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    let line = 1 + before[..start].iter().filter(|&&byte| byte == b'\n').count();
    // A byte-order mark is not a column.
    let in_line = &before[start..];
    let in_line = in_line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(in_line);
    // Every character of UTF-8 has exactly one byte that does not start with the bits 10.
    let column = 1 + in_line.iter().filter(|&&byte| byte & 0xC0 != 0x80).count();
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::position;

    #[test]
    fn columns_count_characters_and_lines_end_in_either_way() {
        let text = "\u{feff}a = 'ü€😀' x\r\nb\n\nc".as_bytes();
        // Before the x stand: a, space, =, space, ', three characters, ', space = 10.
        let x = text.iter().position(|&byte| byte == b'x').expect("there is an x");
        assert_eq!(position(text, x), (1, 11));
        assert_eq!(position(text, x + 3), (2, 1));
        assert_eq!(position(text, text.len() - 1), (4, 1));
        assert_eq!(position(text, text.len() + 9), (4, 2));
        assert_eq!(position(b"", 0), (1, 1));
    }
}
