//! Scenario layer, reader: TOML values that know where they were written.

use toml::de::{DeTable, DeValue};
use toml::map::Map;

use super::path;
use super::syntax;
use crate::scenario::error::ScenarioError;

/// Deeper nesting is refused, so that no recursive walk can exhaust the stack. The parser itself
/// stops at 80 brackets, but every bracket may hold a dotted key of 80 parts.
pub(super) const MAX_DEPTH: usize = 64;

/// Which text a value comes from. The order is the order in which errors are reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Origin {
    /// The user's file.
    File,
    /// The preset that the file names.
    Preset,
    /// The override with this number.
    Override(usize),
}

/// A place in one of the texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Spot {
    pub(super) origin: Origin,
    /// Offset in bytes; zero in an override.
    pub(super) offset: usize,
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Where its key stands, or the value itself in a list.
    pub(super) key: Spot,
    /// Where the value stands; for `[table]` the opening bracket.
    pub(super) value: Spot,
    pub(super) data: Data,
}

/// A value.
#[derive(Clone, Debug)]
pub(super) enum Data {
    Table(Map<String, Node>),
    Array(Vec<Node>),
    /// Anything that holds no other values.
    Leaf(toml::Value),
}

/// An error and where it stands, before the place becomes a line and a column.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    pub(super) spot: Spot,
    pub(super) error: ScenarioError,
}

impl Finding {
    /// A finding with its texts made fit for one line of a terminal.
    pub(super) fn new(spot: Spot, mut error: ScenarioError) -> Self {
        error.key = one_line(&error.key, 200);
        error.message = one_line(&error.message, 400);
        error.hint = error.hint.map(|hint| one_line(&hint, 1_000));
        Self { spot, error }
    }
}

/// The text with control characters escaped and at most `limit` characters.
#[must_use]
pub fn one_line(text: &str, limit: usize) -> String {
    let mut line = String::new();
    for (at, c) in text.chars().enumerate() {
        if at == limit {
            line.push('…');
            break;
        }
        if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}

impl Node {
    /// A value given from outside a file, for example by an override.
    pub(super) fn of_value(value: &toml::Value, spot: Spot) -> Self {
        let child = |value| Self::of_value(value, spot);
        let data = match value {
            toml::Value::Table(table) => {
                Data::Table(table.iter().map(|(key, value)| (key.clone(), child(value))).collect())
            }
            toml::Value::Array(array) => Data::Array(array.iter().map(child).collect()),
            leaf => Data::Leaf(leaf.clone()),
        };
        Self { key: spot, value: spot, data }
    }

    /// An empty table.
    pub(super) fn empty_table(spot: Spot) -> Self {
        Self { key: spot, value: spot, data: Data::Table(Map::new()) }
    }

    /// An empty list.
    pub(super) const fn empty_list(spot: Spot) -> Self {
        Self { key: spot, value: spot, data: Data::Array(Vec::new()) }
    }

    /// The plain TOML value.
    pub(super) fn to_value(&self) -> toml::Value {
        match &self.data {
            Data::Table(table) => toml::Value::Table(
                table.iter().map(|(key, node)| (key.clone(), node.to_value())).collect(),
            ),
            Data::Array(array) => toml::Value::Array(array.iter().map(Self::to_value).collect()),
            Data::Leaf(value) => value.clone(),
        }
    }

    /// The value of this key, if this is a table that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        match &self.data {
            Data::Table(table) => table.get(key),
            Data::Array(_) | Data::Leaf(_) => None,
        }
    }

    /// The text, if this is one.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.data {
            Data::Leaf(value) => value.as_str(),
            Data::Table(_) | Data::Array(_) => None,
        }
    }
}

/// Whether the value is nested no deeper than [`MAX_DEPTH`].
pub(super) fn is_shallow(value: &toml::Value) -> bool {
    // A list of values to look at instead of recursion: the depth is what is in doubt.
    let mut left = vec![(value, 0)];
    while let Some((value, depth)) = left.pop() {
        if depth > MAX_DEPTH {
            return false;
        }
        match value {
            toml::Value::Table(table) => left.extend(table.values().map(|v| (v, depth + 1))),
            toml::Value::Array(array) => left.extend(array.iter().map(|v| (v, depth + 1))),
            _ => {}
        }
    }
    true
}

/// Parses a TOML document.
///
/// # Errors
/// The first syntax error of the text, or every number and table that cannot be represented.
pub(super) fn parse(text: &str, origin: Origin) -> Result<Node, Vec<Finding>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut builder = Builder { origin, path: String::new(), findings: Vec::new() };
    if let Some((offset, error)) = syntax::first(text, &errors) {
        return Err(vec![Finding::new(builder.spot(offset), error)]);
    }
    let data = builder.table(document.get_ref(), 0);
    let start = builder.spot(0);
    if builder.findings.is_empty() {
        Ok(Node { key: start, value: start, data })
    } else {
        Err(builder.findings)
    }
}

/// Turns the parser's tables into nodes.
struct Builder {
    origin: Origin,
    path: String,
    findings: Vec<Finding>,
}

impl Builder {
    const fn spot(&self, offset: usize) -> Spot {
        Spot { origin: self.origin, offset }
    }

    fn table(&mut self, table: &DeTable<'_>, depth: usize) -> Data {
        let mut nodes = Map::new();
        for (key, value) in table {
            let length = self.path.len();
            path::push_key(&mut self.path, key.get_ref());
            let (at, value_at) = (self.spot(key.span().start), self.spot(value.span().start));
            let data = self.value(value.get_ref(), value_at, depth + 1);
            nodes.insert(key.get_ref().to_string(), Node { key: at, value: value_at, data });
            self.path.truncate(length);
        }
        Data::Table(nodes)
    }

    fn value(&mut self, value: &DeValue<'_>, spot: Spot, depth: usize) -> Data {
        if depth > MAX_DEPTH {
            self.report(spot, format!("nested deeper than {MAX_DEPTH} levels"));
            return Data::Array(Vec::new());
        }
        Data::Leaf(match value {
            DeValue::Table(table) => return self.table(table, depth),
            DeValue::Array(array) => {
                let mut nodes = Vec::with_capacity(array.len());
                for (index, entry) in array.iter().enumerate() {
                    let length = self.path.len();
                    path::push_index(&mut self.path, index);
                    let at = self.spot(entry.span().start);
                    let data = self.value(entry.get_ref(), at, depth + 1);
                    nodes.push(Node { key: at, value: at, data });
                    self.path.truncate(length);
                }
                return Data::Array(nodes);
            }
            DeValue::String(text) => toml::Value::String(text.to_string()),
            DeValue::Boolean(flag) => toml::Value::Boolean(*flag),
            DeValue::Datetime(date) => toml::Value::Datetime(*date),
            DeValue::Integer(digits) => match syntax::integer(digits) {
                Ok(number) => toml::Value::Integer(number),
                Err(why) => self.refuse(spot, why),
            },
            DeValue::Float(digits) => match syntax::float(digits) {
                Ok(number) => toml::Value::Float(number),
                Err(why) => self.refuse(spot, why),
            },
        })
    }

    fn report(&mut self, spot: Spot, message: String) {
        self.findings.push(Finding::new(spot, ScenarioError::new(self.path.clone(), message)));
    }

    /// Reports a number that does not fit; the value only stands in until the errors are returned.
    fn refuse(&mut self, spot: Spot, message: String) -> toml::Value {
        self.report(spot, message);
        toml::Value::Boolean(false)
    }
}
