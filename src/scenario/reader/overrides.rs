//! Scenario layer, reader: single keys set from outside the file, by `--set` or by a sweep.

use super::path::{self, Step};
use super::tree::{Data, Finding, MAX_DEPTH, Node, Origin, Spot, is_shallow, one_line};
use super::words::found;
use crate::scenario::error::{Location, ScenarioError};

/// One key and the value that it gets after the file and its preset have been merged.
#[derive(Clone, Debug, PartialEq)]
pub struct Override {
    steps: Vec<Step>,
    value: toml::Value,
    text: String,
    flag: &'static str,
    location: Option<Location>,
}

impl Override {
    /// Reads `KEY=VALUE`. The key is dotted, list entries are written `faults[0].at` or
    /// `faults.0.at`. The value is TOML if it can be read as such and else a plain text, so that
    /// `network.loss=2%` needs no quotes.
    ///
    /// # Errors
    /// If there is no `=`, or key or value cannot be read.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        let (steps, value) = split(text)?;
        if let Some(why) = unreadable(value) {
            return Err(malformed(&one_line(text, 80), &why));
        }
        Self::checked(steps, Self::value_of(value), text.to_owned())
    }

    /// The dotted key of `KEY=VALUE` and the value as it is written, without spaces around it.
    ///
    /// # Errors
    /// As [`Override::parse`].
    pub fn key_and_value(text: &str) -> Result<(String, &str), ScenarioError> {
        split(text).map(|(steps, value)| (path::print(&steps), value))
    }

    /// The value that a text outside a file stands for: TOML if it can be read as such, and else
    /// the text itself.
    #[must_use]
    pub fn value_of(text: &str) -> toml::Value {
        // No key takes a date, but "20:44", which TOML takes for a time, may be counts.
        let read = text.parse().ok().filter(|value| !matches!(value, toml::Value::Datetime(_)));
        read.unwrap_or_else(|| toml::Value::String(text.to_owned()))
    }

    /// The same as a value of an axis of a sweep, for errors, with the place of the axis in the
    /// file if it stands there.
    #[must_use]
    pub fn of_axis(self, location: Option<Location>) -> Self {
        Self { flag: "the axis", location, ..self }
    }

    /// Where the value comes from, for errors: the flag and `KEY=VALUE`, and a place in a file.
    pub(super) fn origin(&self) -> (String, Option<Location>) {
        (format!("{} {}", self.flag, one_line(&self.text, 80)), self.location.clone())
    }

    /// Sets the dotted key to this value.
    ///
    /// # Errors
    /// If the key cannot be read.
    pub fn new(key: &str, value: toml::Value) -> Result<Self, ScenarioError> {
        let text = format!("{key}={value}");
        match path::parse(key) {
            Ok((steps, "")) => Self::checked(steps, value, text),
            Ok(_) => Err(malformed(&text, "a key with \"=\" needs quotes")),
            Err(why) => Err(malformed(&text, &why)),
        }
    }

    fn checked(steps: Vec<Step>, value: toml::Value, text: String) -> Result<Self, ScenarioError> {
        if steps.len() > MAX_DEPTH || !is_shallow(&value) {
            return Err(malformed(&text, &format!("nested deeper than {MAX_DEPTH} levels")));
        }
        Ok(Self { steps, value, text, flag: "--set", location: None })
    }

    /// The dotted key, list entries written as `[0]`.
    #[must_use]
    pub fn key(&self) -> String {
        path::print(&self.steps)
    }

    /// The value that the key gets.
    #[must_use]
    pub const fn value(&self) -> &toml::Value {
        &self.value
    }

    /// `KEY=VALUE` as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Puts the value into the tree; tables on the way are made if they are missing.
    pub(super) fn apply(&self, root: &mut Node, number: usize) -> Result<(), Box<Finding>> {
        let spot = Spot { origin: Origin::Override(number), offset: 0 };
        let mut here = root;
        for (at, step) in self.steps.iter().enumerate() {
            here = enter(here, step, self.steps.get(at + 1), spot).map_err(|message| {
                let key = path::print(&self.steps[..=at]);
                Box::new(Finding::new(spot, ScenarioError::new(key, message)))
            })?;
        }
        *here = Node::of_value(&self.value, spot);
        Ok(())
    }
}

/// The value that one step leads to, made if it is missing in a table; `next` is the step after.
fn enter<'n>(
    here: &'n mut Node,
    step: &Step,
    next: Option<&Step>,
    spot: Spot,
) -> Result<&'n mut Node, String> {
    let index = match step {
        Step::Index(index) => Some(*index),
        Step::Key(key) => key.parse().ok(),
    };
    let what = found(here);
    match (&mut here.data, step, index) {
        (Data::Array(entries), _, Some(index)) => {
            let length = entries.len();
            entries.get_mut(index).ok_or_else(|| no_entry(index, length))
        }
        (Data::Table(table), Step::Key(key), _) => {
            // A list is not made out of nothing: its first entry would have no number. It stays
            // empty, so that the check can tell whether there is such a key at all.
            if let (None, Some(Step::Index(index))) = (table.get(key), next) {
                table.insert(key.clone(), Node::empty_list(spot));
                return Err(no_entry(*index, 0));
            }
            Ok(table.entry(key.clone()).or_insert_with(|| Node::empty_table(spot)))
        }
        (Data::Table(_), Step::Index(_), _) => {
            Err("a number in brackets needs a list, found a table".to_owned())
        }
        (Data::Array(_), ..) => Err("expected the number of a list entry".to_owned()),
        (Data::Leaf(_), ..) => Err(format!("there are no keys in {what}")),
    }
}

fn split(text: &str) -> Result<(Vec<Step>, &str), ScenarioError> {
    let (steps, rest) = path::parse(text).map_err(|why| malformed(text, &why))?;
    match rest.strip_prefix('=') {
        Some(value) => Ok((steps, value.trim())),
        None => Err(malformed(text, "\"=\" and a value are missing")),
    }
}

/// What is wrong with a value that is meant as TOML and is none: an integer beyond 64 bits, a list
/// or a table with a mistake in it.
fn unreadable(value: &str) -> Option<String> {
    if let Ok(number) = value.replace('_', "").parse::<i128>() {
        return match i64::try_from(number) {
            Err(_) if number > 0 => Some(format!("{number} is above the maximum {}", i64::MAX)),
            Err(_) => Some(format!("{number} is below the minimum {}", i64::MIN)),
            Ok(_) => None,
        };
    }
    if !value.starts_with(['{', '[']) {
        return None;
    }
    let error = value.parse::<toml::Value>().err()?;
    Some(format!("the value is no TOML: {}", one_line(error.message(), 120)))
}

fn no_entry(index: usize, length: usize) -> String {
    let entries = if length == 1 { "entry" } else { "entries" };
    format!("there is no entry {index}, the list has {length} {entries}")
}

fn malformed(text: &str, why: &str) -> ScenarioError {
    let spot = Spot { origin: Origin::Override(0), offset: 0 };
    let error = ScenarioError::new("", format!("--set {text}: {why}"));
    Finding::new(spot, error.hint("expected KEY=VALUE such as gossip.fanout=8")).error
}
