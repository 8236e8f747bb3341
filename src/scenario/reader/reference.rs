//! Scenario layer, reader: the key reference in Markdown, generated from the JSON Schema, so that
//! it cannot differ from what the reader accepts.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

use super::schema::{Bound, Rest, Shape};
use super::words::{spoken, type_word};

/// Tables and lists inside each other are described down to this depth, because a type may contain
/// itself; scenario types have three or four levels.
const MAX_LEVELS: usize = 8;

/// The key reference: one section for every table, in the order of the types, with the keys of the
/// top level first. `schema` is what [`super::json_schema`] returns.
#[must_use]
pub fn reference(schema: &Value) -> String {
    let mut writer =
        Writer { text: String::new(), described: BTreeMap::new(), explained: Vec::new() };
    let root = Shape::of_root(schema);
    writer.text.push_str("## Top level\n");
    writer.table(&Section { path: Vec::new(), in_list: false, level: 0 }, &[root]);
    writer.text
}

/// Where a table stands.
struct Section {
    /// Its keys from the top; `NAME` stands for a key that the user chooses.
    path: Vec<String>,
    /// Whether there are several of it, written `[[...]]`.
    in_list: bool,
    /// In how many tables and lists it is.
    level: usize,
}

impl Section {
    fn heading(&self) -> String {
        let path = self.path.join(".");
        if self.in_list { format!("[[{path}]]") } else { format!("[{path}]") }
    }

    fn listed(&self) -> Self {
        Self { path: self.path.clone(), in_list: true, level: self.level + 1 }
    }

    fn child(&self, key: &str) -> Self {
        let mut path = self.path.clone();
        path.push(key.to_owned());
        Self { path, in_list: false, level: self.level + 1 }
    }
}

struct Writer {
    text: String,
    /// Definitions that have a section, and its heading.
    described: BTreeMap<String, String>,
    /// Lines about values that the section has.
    explained: Vec<String>,
}

impl Writer {
    /// The keys of a table, and then the sections of the tables inside.
    fn table(&mut self, section: &Section, leaves: &[Shape<'_>]) {
        self.explained.clear();
        self.text.push('\n');
        let shared = shared_keys(leaves);
        if let (Some(kind), false) = (kind_with(leaves, &shared), shared.is_empty()) {
            let _ = writeln!(self.text, "Keys of every kind{}:\n", but(leaves, &shared));
            let is_shared = |&(key, ..): &Key<'_>| shared.contains(&key);
            keys_of(kind).into_iter().filter(is_shared).for_each(|key| self.key("", section, key));
            self.text.push_str("\nKinds, with keys of their own:\n\n");
        }
        for leaf in leaves {
            let indent = match leaf.tag() {
                Some((tag, name)) => {
                    let text = colon(&leaf.description());
                    let _ = writeln!(self.text, "- `{tag} = \"{name}\"`{text}");
                    "  "
                }
                None => "",
            };
            let is_own = |&(key, ..): &Key<'_>| !shared.contains(&key);
            let own = keys_of(*leaf).into_iter().filter(is_own);
            own.for_each(|key| self.key(indent, section, key));
        }
        for (key, shape, _) in leaves.iter().copied().flat_map(keys_of) {
            self.inside(section.child(key), shape);
        }
    }

    /// The section of a value if it is a table, or a list or map of tables.
    fn inside(&mut self, mut section: Section, shape: Shape<'_>) {
        let mut shape = shape;
        while let Some((inner, is_list)) = container(shape, section.level) {
            section = if is_list { section.listed() } else { section.child("NAME") };
            shape = inner;
        }
        let mut leaves = shape.alternatives();
        leaves.retain(|leaf| leaf.types().contains(&"object"));
        if leaves.is_empty() || section.level > MAX_LEVELS {
            return;
        }
        let heading = section.heading();
        let name = shape.definition().unwrap_or_default();
        match self.described.get(name) {
            // Two kinds of a table have the same key with the same type.
            Some(first) if *first == heading => {}
            Some(first) => {
                let text = format!("\n## `{heading}`\n\nThe keys are those of `{first}`.\n");
                self.text.push_str(&text);
            }
            None => {
                let _ = writeln!(self.text, "\n## `{heading}`");
                // The only table among other forms is described by its own type.
                let described = match leaves.as_slice() {
                    [leaf] if leaf.definition().is_some() => leaf,
                    _ => &shape,
                };
                // Types say which table they are, which stands right above here.
                let itself = format!(" (`{heading}`)");
                let description = described.definition_description().replacen(&itself, "", 1);
                if !description.is_empty() {
                    let _ = writeln!(self.text, "\n{description}");
                }
                if !name.is_empty() {
                    self.described.insert(name.to_owned(), heading);
                }
                self.table(&section, &leaves);
            }
        }
    }

    /// The line of one key, and one for each value that has a meaning of its own, unless the
    /// section has explained the values already.
    fn key(&mut self, indent: &str, section: &Section, (key, shape, needed): Key<'_>) {
        let mut facts = vec![type_of(shape, &section.child(key))];
        facts.push(match default_of(shape) {
            _ if needed => "required".to_owned(),
            Some(default) => format!("default `{default}`"),
            None => "optional".to_owned(),
        });
        let facts = facts.join("; ");
        let text = colon(&shape.description());
        let _ = writeln!(self.text, "{indent}- `{key}` ({facts}){text}");
        for leaf in shape.alternatives() {
            let doc = leaf.description();
            // A text with a meaning of its own; several texts in one leaf have none.
            if let ([name], false) = (leaf.constants().as_slice(), doc.is_empty()) {
                let line = format!("  - `\"{name}\"`: {doc}");
                if !self.explained.contains(&line) {
                    let _ = writeln!(self.text, "{indent}{line}");
                    self.explained.push(line);
                }
            }
        }
    }
}

/// A key of a table: its name, what may stand there, and whether something must.
type Key<'s> = (&'s str, Shape<'s>, bool);

/// The keys of a table, without the one that tells its kind.
fn keys_of(leaf: Shape<'_>) -> Vec<Key<'_>> {
    let (tag, required) = (leaf.tag(), leaf.required());
    let is_tag = |key: &str| tag.is_some_and(|(tag, _)| tag == key);
    let keys = leaf.properties().into_iter().filter(|(key, _)| !is_tag(key));
    keys.map(|(key, shape)| (key, shape, required.contains(&key))).collect()
}

/// The keys that at least three kinds of a table have, and all kinds but at most one, with the same
/// type, default and meaning.
fn shared_keys<'s>(leaves: &[Shape<'s>]) -> Vec<&'s str> {
    let kinds: Vec<_> = leaves.iter().copied().filter(|leaf| leaf.tag().is_some()).collect();
    let least = kinds.len().saturating_sub(1).max(3);
    let mut shared = Vec::new();
    for (key, shape, needed) in kinds.iter().copied().flat_map(keys_of) {
        let same = |other: &Key<'_>| other.0 == key && other.1.is(shape) && other.2 == needed;
        let count = kinds.iter().filter(|kind| keys_of(**kind).iter().any(same)).count();
        let differs =
            |kind: &Shape<'_>| keys_of(*kind).iter().any(|other| other.0 == key && !same(other));
        if count >= least && !shared.contains(&key) && !kinds.iter().any(differs) {
            shared.push(key);
        }
    }
    shared
}

/// The first kind that has all of these keys.
fn kind_with<'s>(leaves: &[Shape<'s>], keys: &[&str]) -> Option<Shape<'s>> {
    leaves.iter().copied().find(|leaf| keys.iter().all(|key| leaf.property(key).is_some()))
}

/// ` but ...`: the kind that does not have these keys, if there is one.
fn but(leaves: &[Shape<'_>], keys: &[&str]) -> String {
    let lacks = |leaf: &&Shape<'_>| keys.iter().any(|key| leaf.property(key).is_none());
    let name = leaves.iter().find(lacks).and_then(|leaf| leaf.tag());
    name.map_or_else(String::new, |(tag, name)| format!(" but `{tag} = \"{name}\"`"))
}

/// `: text`, or nothing.
fn colon(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

/// What is inside a list of tables (true) or a map (false).
fn container(shape: Shape<'_>, level: usize) -> Option<(Shape<'_>, bool)> {
    let has_table = |item: &Shape<'_>| has_table(*item, level + 1);
    shape.alternatives().into_iter().find_map(|leaf| match leaf.types().as_slice() {
        ["array"] => leaf.item(0).filter(has_table).map(|item| (item, true)),
        ["object"] => map_of(leaf).map(|each| (each, false)),
        _ => None,
    })
}

/// The values of a table whose keys are all up to the user.
fn map_of(leaf: Shape<'_>) -> Option<Shape<'_>> {
    match leaf.rest() {
        Rest::Each(each) if leaf.properties().is_empty() => Some(each),
        _ => None,
    }
}

/// Whether a table may stand here, or a list or map of them.
fn has_table(shape: Shape<'_>, level: usize) -> bool {
    let is_table = |leaf: &Shape<'_>| leaf.types().contains(&"object");
    let is_here = shape.alternatives().iter().any(is_table);
    is_here || level <= MAX_LEVELS && container(shape, level).is_some()
}

/// The type in the words of the user, with its range.
fn type_of(shape: Shape<'_>, section: &Section) -> String {
    if section.level > MAX_LEVELS {
        return "the same again".to_owned();
    }
    let leaves = shape.alternatives();
    let mut words: Vec<String> = Vec::new();
    let constants: Vec<_> = leaves.iter().flat_map(|leaf| leaf.constants()).collect();
    if !constants.is_empty() {
        let names: Vec<_> = constants.iter().map(|name| format!("`\"{name}\"`")).collect();
        words.push(format!("one of {}", names.join(", ")));
    }
    for leaf in spoken(&leaves).filter(|leaf| leaf.constants().is_empty()) {
        let word = match leaf.types().as_slice() {
            ["array"] => list_of(*leaf, section),
            ["object"] => match map_of(*leaf) {
                Some(each) => format!("one {} per NAME", type_of(each, &section.child("NAME"))),
                None if section.in_list => format!("tables `{}`", section.heading()),
                None => format!("table `{}`", section.heading()),
            },
            _ => format!("{}{}", type_word(*leaf), range_of(*leaf)),
        };
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words.join(" or ")
}

/// `list of ...`, with its length if that is limited.
fn list_of(leaf: Shape<'_>, section: &Section) -> String {
    let limit = |keyword| leaf.get(keyword).and_then(Value::as_u64);
    let length = match (limit("minItems").filter(|&least| least > 0), limit("maxItems")) {
        (Some(least), Some(most)) if least == most => format!(" of exactly {least}"),
        (Some(least), Some(most)) => format!(" of {least} to {most}"),
        (Some(least), None) => format!(" of at least {least}"),
        (None, Some(most)) => format!(" of at most {most}"),
        (None, None) => String::new(),
    };
    // A list with a type for every entry shows all of them.
    let entries = leaf.get("prefixItems").and_then(Value::as_array).map_or(1, Vec::len);
    let entries = (0..entries).filter_map(|index| leaf.item(index));
    let words: Vec<_> = entries.map(|entry| type_of(entry, &section.listed())).collect();
    let item = if words.is_empty() { "anything".to_owned() } else { words.join(", ") };
    if length.is_empty() { format!("list of {item}") } else { format!("list{length}: {item}") }
}

/// `, 1 to 100`, `, at least 1`, or nothing if only the obvious limits of the type apply.
fn range_of(leaf: Shape<'_>) -> String {
    let written = |keyword| leaf.get(keyword).is_some();
    if leaf.format() == Some("probability") || !written("minimum") && !written("maximum") {
        return String::new();
    }
    match leaf.bounds() {
        (Some(least), Some(most)) if written("maximum") => {
            format!(", {} to {}", grouped(&least), grouped(&most))
        }
        (None, Some(most)) => format!(", at most {}", grouped(&most)),
        // That a count is not negative goes without saying.
        (Some(Bound::Whole(0)), _) if leaf.types() == ["integer"] => String::new(),
        (Some(least), _) => format!(", at least {}", grouped(&least)),
        _ => String::new(),
    }
}

/// The default as TOML; `None` if it is nothing, or what the table's own keys say.
fn default_of(shape: Shape<'_>) -> Option<String> {
    let default = shape.get("default")?;
    if default.as_array().is_some_and(Vec::is_empty) {
        return None;
    }
    if let Value::Object(keys) = default {
        let own = |key: &str| {
            shape.alternatives().iter().find_map(|leaf| leaf.property(key)?.get("default"))
        };
        // Keys whose default here differs from the one that their own line shows.
        let special =
            |(key, value): &(&String, &Value)| !value.is_null() && own(key) != Some(value);
        let special: Vec<_> = keys.iter().filter(special).map(pair).collect();
        return (!special.is_empty()).then(|| format!("{{ {} }}", special.join(", ")));
    }
    (!default.is_null()).then(|| toml_text(default))
}

fn pair((key, value): (&String, &Value)) -> String {
    format!("{key} = {}", toml_text(value))
}

/// A JSON value as inline TOML; keys that are `null` are absent.
fn toml_text(value: &Value) -> String {
    match value {
        Value::Array(list) => {
            format!("[{}]", list.iter().map(toml_text).collect::<Vec<_>>().join(", "))
        }
        Value::Object(keys) => {
            let pairs: Vec<_> = keys.iter().filter(|(_, v)| !v.is_null()).map(pair).collect();
            if pairs.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", pairs.join(", ")) }
        }
        Value::Number(number) if !number.is_f64() => grouped(number),
        // Texts, numbers and booleans of these schemas are spelled alike in JSON and TOML.
        leaf => leaf.to_string(),
    }
}

/// A whole number as TOML lets people write it: from 10_000 on in groups of three digits.
fn grouped(number: &impl ToString) -> String {
    let text = number.to_string();
    let digits = text.strip_prefix('-').unwrap_or(&text);
    if digits.len() < 5 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return text;
    }
    let mut grouped = text[..text.len() - digits.len()].to_owned();
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push('_');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::super::example::Example;
    use super::super::json_schema;
    use super::{grouped, reference};

    /// A type that contains itself, as a table and as a list.
    #[derive(schemars::JsonSchema)]
    #[expect(dead_code, reason = "only the schema is used")]
    struct Endless {
        /// More of it.
        more: Option<Box<Endless>>,
        /// Lists in lists.
        lists: Lists,
        plain: i64,
    }

    #[derive(schemars::JsonSchema)]
    #[expect(dead_code, reason = "only the schema is used")]
    struct Lists(Vec<Lists>);

    #[test]
    fn every_table_has_one_section_in_the_order_of_the_types() {
        let text = reference(&json_schema::<Example>());
        let headings: Vec<_> = text.lines().filter(|line| line.starts_with("## ")).collect();
        let expected = [
            "## Top level",
            "## `[network]`",
            "## `[topology]`",
            "## `[[faults]]`",
            "## `[[faults.groups]]`",
            "## `[sites.NAME]`",
            "## `[gossip]`",
            "## `[gossip.push]`",
            "## `[stakes]`",
        ];
        assert_eq!(headings, expected);
        assert_eq!(text, reference(&json_schema::<Example>()));
        assert!(!text.contains("\n\n\n") && !text.contains("null"));
    }

    #[test]
    fn a_line_says_type_range_default_and_meaning() {
        let text = reference(&json_schema::<Example>());
        for line in [
            "- `name` (text; required): Name of the run.",
            "- `duration` (time; default `\"10s\"`): When the run ends.",
            "- `topology` (table `[topology]`; default `{ kind = \"k-out\", k = 8 }`): \
             Who neighbours whom.",
            "- `faults` (list of tables `[[faults]]`; optional): What goes wrong, in any order.",
            "- `sites` (one table `[sites.NAME]` per NAME; optional): Places on the map.",
            "- `stakes` (integer or list of integer or table `[stakes]`; default `1`): \
             Who holds the stake.",
            "- `network` (table `[network]`; optional): The weather of all links.",
            "- `uplink` (rate; optional): How fast a node sends; unlimited if absent.",
            "- `buffer` (size; default `\"64KiB\"`): How much may wait for the uplink.",
            "- `loss` (probability; default `\"0%\"`): How likely a message is lost.",
            "- `matrix` (list of list of time; optional): Latency between regions as a matrix.",
            "- `spread` (list of exactly 2: number; default `[0.5, 2.0]`): \
             Lower and upper bound of a factor.",
            "- `meets` (one of `\"votes\"`, `\"all\"`, `\"block-chunks\"`; default `\"all\"`): \
             Which messages the loss meets.",
            "  - `\"block-chunks\"`: Shreds and repaired shreds.",
            "- `weights` (list of number; optional): One number per region.",
            "  - `exponent` (number, at least 0; required): The exponent.",
            "- `rests` (list of exactly 2: time, integer; optional): \
             How long a value rests, and how often.",
            "- `ordered` (true or false; default `false`): Whether messages keep their order.",
            "- `classes` (one rate per NAME; optional): Rates by class of node.",
            "- `kind = \"k-out\"`: Each node knows some random others.",
            "  - `k` (integer, 1 to 100; required): How many.",
            "  - `near` (integer; default `2`): Neighbours on each side.",
            "  - `nodes` (nodes; required): Which nodes.",
            "  - `groups` (list of at least 2: nodes or tables `[[faults.groups]]`; required): \
             The groups.",
            "- `latitude` (number, -90 to 90; required): Degrees north.",
            "- `weight` (integer, 0 to 255; default `0`): Small number.",
            "- `fanout` (integer, at least 1; default `6`): Peers told per round.",
        ] {
            assert!(text.lines().any(|written| written == line), "{line} is not in\n{text}");
        }
        // The doc sentence of a section is that of the type, not of the key.
        assert!(text.contains("## `[[faults]]`\n\nSomething that goes wrong.\n\n- `kind"));
    }

    /// Three kinds that share a key, one that does not have it.
    #[derive(schemars::JsonSchema)]
    #[expect(dead_code, reason = "only the schema is used")]
    struct Kinds {
        /// What happens.
        event: Event,
    }

    #[derive(schemars::JsonSchema)]
    #[serde(tag = "kind", rename_all = "kebab-case")]
    #[expect(dead_code, reason = "only the schema is used")]
    enum Event {
        Rain { at: u64, order: Order, depth: u64 },
        Snow { at: u64, order: Order, depth: Option<u64> },
        Hail { at: u64 },
        Calm {},
    }

    #[derive(schemars::JsonSchema)]
    #[serde(rename_all = "kebab-case")]
    #[expect(dead_code, reason = "only the schema is used")]
    enum Order {
        /// As they come.
        First,
        /// As they go.
        Last,
    }

    #[test]
    fn what_kinds_share_is_said_once() {
        let text = reference(&json_schema::<Kinds>());
        let shared = "Keys of every kind but `kind = \"calm\"`:\n\n- `at` (integer; required)\n\n\
                      Kinds, with keys of their own:\n\n- `kind = \"rain\"`\n  - `order`";
        assert!(text.contains(shared), "{text}");
        assert_eq!(text.matches("`at`").count(), 1, "{text}");
        // A key that differs between two kinds stands with both.
        assert_eq!(text.matches("`depth`").count(), 2, "{text}");
        // Two kinds have the key, the values are explained at the first.
        assert_eq!(text.matches("`order`").count(), 2, "{text}");
        assert_eq!(text.matches("`\"last\"`: As they go.").count(), 1, "{text}");
    }

    #[test]
    fn large_numbers_are_written_in_groups_as_toml_allows() {
        for (number, text) in [
            (9_999_i64, "9999"),
            (10_000, "10_000"),
            (-123_456, "-123_456"),
            (1_000_000_000, "1_000_000_000"),
        ] {
            assert_eq!(grouped(&number), text);
            let read: toml::Table = toml::from_str(&format!("n = {text}")).expect("TOML");
            assert_eq!(read["n"].as_integer(), Some(number));
        }
        assert_eq!(grouped(&0.123_456), "0.123456");
    }

    #[test]
    fn a_type_inside_itself_ends() {
        let text = reference(&json_schema::<Endless>());
        assert_eq!(text.matches("## `[more]`").count(), 1);
        assert!(text.contains("- `plain` (integer; required)\n"), "{text}");
        assert!(text.contains("the same again"), "{text}");
        assert!(text.len() < 5_000, "{text}");
    }
}
