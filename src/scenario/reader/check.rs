//! Scenario layer, reader: checks a tree of TOML values against the JSON Schema, before serde sees
//! it. Serde stops at the first error, and loses the place inside tables that come in kinds.

use super::FormatCheck;
use super::path;
use super::schema::{Bound, Rest, Shape};
use super::tree::{Data, Finding, Node, Spot};
use super::words::{expected, found, nearest, one_of, suggestion};
use crate::base::quantity::Chance;
use crate::scenario::error::ScenarioError;

/// What the check found.
#[derive(Default)]
pub(super) struct Report {
    /// Errors, in the order of the walk.
    pub(super) errors: Vec<Finding>,
    /// Keys that the chosen kind of their table never reads.
    pub(super) notes: Vec<Finding>,
}

/// Checks the tree and takes out the keys that the chosen kind of a table does not read but
/// another kind does: they get a note, so that a kind can be switched by one key.
pub(super) fn check(tree: &mut Node, schema: &Shape<'_>, formats: &[FormatCheck]) -> Report {
    let mut checker = Checker { formats, path: String::new(), report: Report::default() };
    checker.value(tree, *schema);
    checker.report
}

struct Checker<'a> {
    formats: &'a [FormatCheck],
    path: String,
    report: Report,
}

impl Checker<'_> {
    fn error(&mut self, spot: Spot, message: String, hint: Option<String>) {
        let mut error = ScenarioError::new(self.path.clone(), message);
        error.hint = hint;
        self.report.errors.push(Finding::new(spot, error));
    }

    /// Does something one key further down.
    fn within(&mut self, key: &str, act: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        path::push_key(&mut self.path, key);
        act(self);
        self.path.truncate(length);
    }

    fn value(&mut self, node: &mut Node, shape: Shape<'_>) {
        self.any_of(node, &shape.alternatives());
    }

    /// A value that has to fit one of these alternatives.
    fn any_of(&mut self, node: &mut Node, all: &[Shape<'_>]) {
        let name = type_name(node);
        let mut fitting = all.to_vec();
        fitting.retain(|leaf| leaf.takes(name));
        match &node.data {
            // Nothing is known about a value without alternatives.
            _ if all.is_empty() => {}
            _ if fitting.is_empty() => {
                let message = format!("expected {}, found {}", expected(all), found(node));
                self.error(node.value, message, self.mismatch_hint(node, all));
            }
            Data::Leaf(toml::Value::String(text)) => self.text(node.value, text, &fitting),
            Data::Leaf(value) => {
                let refusals: Vec<_> = fitting.iter().map(|leaf| refuse(value, *leaf)).collect();
                if let Some(Some(why)) = refusals.iter().min_by_key(|why| why.is_some()) {
                    self.error(node.value, why.clone(), None);
                }
            }
            Data::Table(_) => self.table(node, fitting),
            Data::Array(_) => {
                let leaf = self.best(node, &fitting);
                self.array(node, leaf);
            }
        }
    }

    /// A way out of a value of the wrong type.
    fn mismatch_hint(&self, node: &Node, leaves: &[Shape<'_>]) -> Option<String> {
        let takes = |name| leaves.iter().any(|leaf| leaf.types().contains(&name));
        match &node.data {
            // Inside a list the header has no numbers, so the path is not what to write.
            Data::Table(_) if takes("array") && !self.path.contains('[') => {
                Some(format!("write [[{}]] in front of every entry", self.path))
            }
            Data::Array(entries) if takes("object") && !self.path.contains('[') => {
                let tables = !entries.is_empty()
                    && entries.iter().all(|entry| matches!(entry.data, Data::Table(_)));
                tables.then(|| format!("write [{}], and that once", self.path))
            }
            Data::Leaf(toml::Value::String(text)) => {
                let number = text.parse::<f64>().is_ok() && (takes("integer") || takes("number"));
                let flag = matches!(text.as_str(), "true" | "false") && takes("boolean");
                (number || flag).then(|| format!("write {text} without quotes"))
            }
            // Counts such as 10:10 are not meant as a time of day.
            Data::Leaf(toml::Value::Datetime(date)) if date.date.is_none() && takes("string") => {
                Some(format!("write \"{date}\" with quotes"))
            }
            _ => None,
        }
    }

    /// The alternative under which a list or table has the fewest errors; the first of several.
    fn best<'s>(&self, node: &Node, leaves: &[Shape<'s>]) -> Shape<'s> {
        let errors = |leaf: &Shape<'_>| {
            let mut trial =
                Checker { formats: self.formats, path: String::new(), report: Report::default() };
            let mut copy = node.clone();
            match copy.data {
                Data::Array(_) => trial.array(&mut copy, *leaf),
                _ => trial.object(&mut copy, *leaf, &[]),
            }
            trial.report.errors.len()
        };
        match leaves {
            [only] => *only,
            // The trials copy the value: several alternatives of the same type are rare.
            several => *several
                .iter()
                .min_by_key(|leaf| errors(leaf))
                .expect("the caller has at least one fitting alternative"),
        }
    }

    fn text(&mut self, spot: Spot, text: &str, leaves: &[Shape<'_>]) {
        let constants: Vec<_> = leaves.iter().flat_map(|leaf| leaf.constants()).collect();
        if constants.contains(&text) {
            return;
        }
        let free = leaves.iter().filter(|leaf| leaf.constants().is_empty());
        let refusals: Vec<_> = free.map(|leaf| self.refuse_text(text, *leaf)).collect();
        if refusals.iter().any(Option::is_none) {
            return;
        }
        match refusals.into_iter().flatten().next() {
            Some(why) => {
                let hint = (!constants.is_empty()).then(|| format!("or {}", one_of(&constants)));
                self.error(spot, why, hint);
            }
            None => {
                let message = format!("\"{text}\" is not known here");
                let hint = suggestion(text, &constants, "known are");
                self.error(spot, message, Some(hint));
            }
        }
    }

    /// Why this alternative refuses the text.
    fn refuse_text(&self, text: &str, leaf: Shape<'_>) -> Option<String> {
        let length = text.chars().count() as u64;
        let limit = |keyword| leaf.get(keyword).and_then(serde_json::Value::as_u64);
        if limit("minLength").is_some_and(|least| length < least) {
            let least = limit("minLength").unwrap_or_default();
            return Some(format!("the text \"{text}\" is shorter than {least} characters"));
        }
        if limit("maxLength").is_some_and(|most| length > most) {
            let most = limit("maxLength").unwrap_or_default();
            return Some(format!("a text of {length} characters is longer than {most}"));
        }
        let format = leaf.format()?;
        let (_, check) = self.formats.iter().find(|(name, _)| *name == format)?;
        check(text).err()
    }

    fn array(&mut self, node: &mut Node, shape: Shape<'_>) {
        let spot = node.value;
        let Data::Array(entries) = &mut node.data else { return };
        let length = entries.len() as u64;
        let limit = |keyword| shape.get(keyword).and_then(serde_json::Value::as_u64);
        let (least, most) = (limit("minItems").unwrap_or(0), limit("maxItems"));
        if length < least || most.is_some_and(|most| length > most) {
            let (wanted, limit) = match most {
                Some(most) if most == least => ("exactly", most),
                Some(most) if length > most => ("at most", most),
                _ => ("at least", least),
            };
            let entries = if limit == 1 { "entry" } else { "entries" };
            let message = format!("expected {wanted} {limit} {entries}, found {length}");
            self.error(spot, message, None);
        }
        // Long lists of numbers are common: what all entries share is worked out once.
        let fixed = shape.get("prefixItems").is_some();
        let shared = shape.item(0).map(Shape::alternatives).unwrap_or_default();
        for (index, entry) in entries.iter_mut().enumerate() {
            let length = self.path.len();
            path::push_index(&mut self.path, index);
            match fixed.then(|| shape.item(index)).flatten() {
                Some(own) => self.value(entry, own),
                None if fixed => {}
                None => self.any_of(entry, &shared),
            }
            self.path.truncate(length);
        }
    }

    fn table(&mut self, node: &mut Node, leaves: Vec<Shape<'_>>) {
        let (tagged, plain): (Vec<_>, Vec<_>) =
            leaves.into_iter().partition(|leaf| leaf.tag().is_some());
        let tag = tagged.first().and_then(|leaf| leaf.tag()).map(|(tag, _)| tag);
        match tag {
            Some(tag) if plain.is_empty() || node.get(tag).is_some() => {
                self.tagged(node, tag, &tagged);
            }
            _ => {
                let leaf = self.best(node, &plain);
                self.object(node, leaf, &[]);
            }
        }
    }

    /// A table whose `tag` says of which kind it is.
    fn tagged(&mut self, node: &mut Node, tag: &str, kinds: &[Shape<'_>]) {
        let names: Vec<_> = kinds.iter().filter_map(|kind| kind.tag()).map(|(_, n)| n).collect();
        let at_table = node.value;
        let Some(written) = node.get(tag) else {
            let hint = Some(format!("it is {}", one_of(&names)));
            return self.within(tag, |c| c.error(at_table, MISSING.to_owned(), hint));
        };
        let spot = written.value;
        let Some(name) = written.text() else {
            let message = format!("expected {}, found {}", one_of(&names), found(written));
            return self.within(tag, |c| c.error(spot, message, None));
        };
        match kinds.iter().find(|kind| kind.tag().is_some_and(|(_, text)| text == name)) {
            Some(kind) => self.object(node, *kind, kinds),
            None => {
                let message = format!("unknown {tag} \"{name}\"");
                let hint = Some(suggestion(name, &names, "known are"));
                self.within(tag, |c| c.error(spot, message, hint));
            }
        }
    }

    /// A table of one shape; `kinds` are all shapes that it could have had with another tag.
    fn object(&mut self, node: &mut Node, shape: Shape<'_>, kinds: &[Shape<'_>]) {
        let at_table = node.value;
        let Data::Table(table) = &mut node.data else { return };
        let names: Vec<_> = shape.properties().into_iter().map(|(name, _)| name).collect();
        let keys: Vec<_> = table.keys().map(String::as_str).collect();
        self.missing(at_table, &keys, &names, shape);
        let mut unread = Vec::new();
        for (key, child) in table.iter_mut() {
            let length = self.path.len();
            path::push_key(&mut self.path, key);
            match (shape.property(key), shape.rest()) {
                (Some(property), _) | (None, Rest::Each(property)) => self.value(child, property),
                (None, Rest::Anything) => {}
                (None, Rest::Nothing) if kinds.iter().any(|k| k.property(key).is_some()) => {
                    self.note_unread(child.key, key, shape, kinds);
                    unread.push(key.clone());
                }
                (None, Rest::Nothing) => self.unknown_key(child.key, key, &names),
            }
            self.path.truncate(length);
        }
        unread.iter().for_each(|key| drop(table.remove(key)));
    }

    /// Reports the required keys that a table with these `keys` does not have.
    fn missing(&mut self, at_table: Spot, keys: &[&str], names: &[&str], shape: Shape<'_>) {
        let closed = matches!(shape.rest(), Rest::Nothing);
        let unknown = || keys.iter().filter(|key| closed && !names.contains(key));
        for name in shape.required() {
            // A misspelt key gets one error, not a second one for the key that it was to be.
            if keys.contains(&name) || unknown().any(|key| nearest(key, names) == Some(name)) {
                continue;
            }
            let leaves = shape.property(name).map(Shape::alternatives).unwrap_or_default();
            let words = expected(&leaves);
            let hint = (!words.is_empty()).then(|| format!("it takes {words}"));
            self.within(name, |c| c.error(at_table, MISSING.to_owned(), hint));
        }
    }

    fn unknown_key(&mut self, spot: Spot, key: &str, names: &[&str]) {
        let hint = if names.is_empty() {
            "this table takes no keys".to_owned()
        } else {
            suggestion(key, names, "the keys here are")
        };
        self.error(spot, "unknown key".to_owned(), Some(hint));
    }

    fn note_unread(&mut self, spot: Spot, key: &str, shape: Shape<'_>, kinds: &[Shape<'_>]) {
        let readers = kinds.iter().filter(|kind| kind.property(key).is_some());
        let readers: Vec<_> = readers.filter_map(|kind| kind.tag()).map(|(_, n)| n).collect();
        let (tag, name) = shape.tag().unwrap_or_default();
        let message = format!("{tag} \"{name}\" does not read this key");
        let readers: Vec<_> = readers.iter().map(|name| format!("\"{name}\"")).collect();
        let hint = format!("it belongs to {tag} {}", readers.join(" and "));
        let note = ScenarioError::new(self.path.clone(), message).hint(hint);
        self.report.notes.push(Finding::new(spot, note));
    }
}

const MISSING: &str = "this key is required and missing";

/// The JSON type of a value.
fn type_name(node: &Node) -> &'static str {
    match &node.data {
        Data::Table(_) => "object",
        Data::Array(_) => "array",
        Data::Leaf(toml::Value::String(_)) => "string",
        Data::Leaf(toml::Value::Integer(_)) => "integer",
        Data::Leaf(toml::Value::Float(_)) => "number",
        Data::Leaf(toml::Value::Boolean(_)) => "boolean",
        Data::Leaf(_) => "date",
    }
}

/// Why this alternative refuses a number.
fn refuse(value: &toml::Value, leaf: Shape<'_>) -> Option<String> {
    let number = value.as_float().or_else(|| value.as_integer().map(|whole| whole as f64))?;
    if leaf.format() == Some("probability") {
        return Chance::try_from(number).err().map(|error| error.to_string());
    }
    let (least, most) = leaf.bounds();
    // Integers are compared as such: a double does not hold all of them.
    let below = |bound: Bound| match (value, bound) {
        (toml::Value::Integer(whole), Bound::Whole(bound)) => *whole < bound,
        _ => number < bound.as_f64(),
    };
    let above = |bound: Bound| match (value, bound) {
        (toml::Value::Integer(whole), Bound::Whole(bound)) => *whole > bound,
        _ => number > bound.as_f64(),
    };
    match (least, most) {
        (Some(least), _) if below(least) => Some(format!("{value} is below the minimum {least}")),
        (_, Some(most)) if above(most) => Some(format!("{value} is above the maximum {most}")),
        _ => None,
    }
}
