//! Scenario layer: how a scenario names nodes, such as `all`, `0..10` or `stake:33%`.

mod resolution;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserializer, Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use crate::base::id::NodeId;
use crate::base::quantity::Chance;

use super::near_name;

pub use self::resolution::{Overlap, resolve_groups};

/// Some nodes, as a scenario names them.
///
/// Written as a text, a node number, or a list of those; in a text, commas separate the parts of a
/// list too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// `all`: every node.
    All,
    /// `validators`: the nodes with stake.
    Validators,
    /// `observers`: the nodes without stake.
    Observers,
    /// `rest`: in a list of groups, everyone in no other group.
    Rest,
    /// `7`: one node.
    Node(u32),
    /// `0..10` (the end excluded) or `0..=9`: consecutive nodes.
    Range {
        /// The first node.
        start: u32,
        /// The node after the last one.
        end: u32,
    },
    /// `region:NAME`: the nodes in a region.
    Region(String),
    /// `city:NAME`: the nodes at the site of this name.
    City(String),
    /// `stake:33%`: nodes with stake in an order drawn from the seed, each taken if the stake taken
    /// stays at or below this share of the total.
    Stake(Chance),
    /// `top-stake:33%`: the largest stakes (equal ones by number) until they reach this share.
    TopStake(Chance),
    /// `random:10`: so many nodes, drawn from the seed.
    RandomCount(u32),
    /// `random:25%`: this share of the nodes (rounded down), drawn from the seed.
    RandomShare(Chance),
    /// Everyone whom at least one of the parts names.
    AnyOf(Vec<Self>),
}

/// Why a text names no nodes: one sentence without the key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SelectorError(String);

/// First words of a selector, and how each is used.
const FORMS: [(&str, &str); 9] = [
    ("all", "all"),
    ("validators", "validators"),
    ("observers", "observers"),
    ("rest", "rest"),
    ("region", "region:NAME"),
    ("city", "city:NAME"),
    ("stake", "stake:33%"),
    ("top-stake", "top-stake:33%"),
    ("random", "random:10"),
];

impl Selector {
    /// Exactly these nodes, one or more in increasing order; consecutive ones are written as a
    /// range.
    #[must_use]
    pub fn of(nodes: impl IntoIterator<Item = NodeId>) -> Self {
        let mut parts: Vec<Self> = Vec::new();
        for node in nodes.into_iter().map(NodeId::number) {
            let joined = match parts.last() {
                Some(Self::Node(last)) if last + 1 == node => Some(*last),
                Some(Self::Range { start, end }) if *end == node => Some(*start),
                _ => None,
            };
            if let Some(start) = joined {
                parts.pop();
                parts.push(Self::Range { start, end: node + 1 });
            } else {
                parts.push(Self::Node(node));
            }
        }
        if parts.len() == 1 { parts.remove(0) } else { Self::AnyOf(parts) }
    }

    /// Several parts as one selector.
    fn any_of(parts: Vec<Self>) -> Result<Self, SelectorError> {
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Self::AnyOf(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        if flat.len() > 1 && flat.contains(&Self::Rest) {
            return Err(SelectorError("\"rest\" must stand alone, not in a list of nodes".into()));
        }
        match flat.len() {
            0 => Err(SelectorError("an empty list names no nodes".into())),
            1 => Ok(flat.remove(0)),
            _ => Ok(Self::AnyOf(flat)),
        }
    }
}

impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        let parts: Result<_, _> = text.split(',').map(|part| parse_part(part.trim())).collect();
        Self::any_of(parts?)
    }
}

/// Reads a selector without commas.
fn parse_part(text: &str) -> Result<Selector, SelectorError> {
    if text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+')) {
        return parse_numbers(text);
    }
    let (word, value) = match text.split_once(':') {
        Some((word, value)) => (word.trim_end(), Some(value.trim_start())),
        None => (text, None),
    };
    match (word, value) {
        ("all", None) => Ok(Selector::All),
        ("validators", None) => Ok(Selector::Validators),
        ("observers", None) => Ok(Selector::Observers),
        ("rest", None) => Ok(Selector::Rest),
        ("region", Some(name)) if !name.is_empty() => Ok(Selector::Region(name.to_owned())),
        ("city", Some(name)) if !name.is_empty() => Ok(Selector::City(name.to_owned())),
        ("stake", Some(share)) => parse_share(text, share).map(Selector::Stake),
        ("top-stake", Some(share)) => parse_share(text, share).map(Selector::TopStake),
        ("random", Some(count)) if count.bytes().all(|b| b.is_ascii_digit()) => {
            parse_number(text, count).map(Selector::RandomCount)
        }
        ("random", Some(share)) if share.starts_with(|c: char| c.is_ascii_digit()) => {
            parse_share(text, share).map(Selector::RandomShare)
        }
        ("random", Some(_)) => {
            let message = format!("\"{text}\" names no nodes; expected random:10 or random:25%");
            Err(SelectorError(message))
        }
        _ => Err(unknown(text, word)),
    }
}

/// Reads `7`, `0..10` or `0..=9`.
fn parse_numbers(text: &str) -> Result<Selector, SelectorError> {
    let Some((start, end)) = text.split_once("..") else {
        return parse_number(text, text).map(Selector::Node);
    };
    let start = parse_number(text, start.trim_end())?;
    let end = match end.trim_start().strip_prefix('=') {
        Some(last) => parse_number(text, last.trim_start())?.saturating_add(1),
        None => parse_number(text, end.trim_start())?,
    };
    if start >= end {
        return Err(SelectorError(format!("the range \"{text}\" is empty")));
    }
    Ok(Selector::Range { start, end })
}

fn parse_number(text: &str, number: &str) -> Result<u32, SelectorError> {
    // `parse` alone would take a leading plus sign.
    let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    let parsed = if digits { number.parse().ok().filter(|&n| n < u32::MAX) } else { None };
    parsed.ok_or_else(|| {
        let example = "a node is a whole number from 0, a range is 0..10 or 0..=9";
        SelectorError(format!("\"{text}\" is not a number of nodes; {example}"))
    })
}

fn parse_share(text: &str, share: &str) -> Result<Chance, SelectorError> {
    let parsed: Chance = share
        .parse()
        .map_err(|why| SelectorError(format!("\"{text}\" has no share such as 33%: {why}")))?;
    if parsed.is_never() {
        return Err(SelectorError(format!("\"{text}\" names nobody; a share is above 0")));
    }
    Ok(parsed)
}

fn unknown(text: &str, word: &str) -> SelectorError {
    let near = near_name(word, FORMS.iter().map(|(word, _)| *word));
    let form = FORMS.iter().find(|(word, _)| near == Some(*word));
    let way_out = match form {
        Some((_, form)) => format!("did you mean \"{form}\"?"),
        None => {
            let forms: Vec<&str> = FORMS.iter().map(|(_, form)| *form).collect();
            format!("expected a node number, a range such as 0..10, {}", forms.join(", "))
        }
    };
    SelectorError(format!("\"{text}\" names no nodes; {way_out}"))
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Validators => f.write_str("validators"),
            Self::Observers => f.write_str("observers"),
            Self::Rest => f.write_str("rest"),
            Self::Node(node) => write!(f, "{node}"),
            Self::Range { start, end } => write!(f, "{start}..{end}"),
            Self::Region(name) => write!(f, "region:{name}"),
            Self::City(name) => write!(f, "city:{name}"),
            Self::Stake(share) => write!(f, "stake:{share}"),
            Self::TopStake(share) => write!(f, "top-stake:{share}"),
            Self::RandomCount(count) => write!(f, "random:{count}"),
            Self::RandomShare(share) => write!(f, "random:{share}"),
            Self::AnyOf(parts) => parts.iter().enumerate().try_for_each(|(i, part)| {
                let comma = if i == 0 { "" } else { ", " };
                write!(f, "{comma}{part}")
            }),
        }
    }
}

impl Serialize for Selector {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Reads a selector from a text, a number or a list.
struct SelectorVisitor;

impl<'de> Visitor<'de> for SelectorVisitor {
    type Value = Selector;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nodes: a text such as \"all\" or \"0..10\", a node number, or a list of those")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Selector, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Selector, E> {
        parse_numbers(&number.to_string()).map_err(E::custom)
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Selector, E> {
        parse_numbers(&number.to_string()).map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Selector, A::Error> {
        let mut parts = Vec::new();
        while let Some(part) = list.next_element()? {
            parts.push(part);
        }
        Selector::any_of(parts).map_err(A::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Selector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SelectorVisitor)
    }
}

impl JsonSchema for Selector {
    fn schema_name() -> Cow<'static, str> {
        "nodes".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [
            {"type": "string", "format": "nodes"},
            {"type": "integer", "minimum": 0},
            {"type": "array", "minItems": 1, "items": {"anyOf": [
                {"type": "string", "format": "nodes"},
                {"type": "integer", "minimum": 0},
            ]}},
        ]})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_parses_back() {
        for text in [
            "all",
            "validators",
            "observers",
            "rest",
            "7",
            "0..10",
            "region:north-america",
            "city:São Paulo",
            "stake:33%",
            "top-stake:33.4%",
            "random:10",
            "random:0.5%",
            "1, 3..5, city:Tokyo",
        ] {
            let selector: Selector = text.parse().expect(text);
            assert_eq!(selector.to_string(), text);
            let json = serde_json::to_string(&selector).expect("JSON");
            assert_eq!(serde_json::from_str::<Selector>(&json).expect("a selector"), selector);
        }
        assert_eq!("0..=9".parse::<Selector>().expect("a range").to_string(), "0..10");
    }

    #[test]
    fn toml_takes_texts_numbers_and_lists() {
        #[derive(Deserialize)]
        struct Table {
            who: Selector,
        }
        let read = |value: &str| toml::from_str::<Table>(&format!("who = {value}"));
        for (value, text) in [
            ("\"0..=4\"", "0..5"),
            ("7", "7"),
            ("[0, \"5..7\", \"city:Paris\"]", "0, 5..7, city:Paris"),
            ("[\"1, 2\", 3]", "1, 2, 3"),
            ("[4]", "4"),
        ] {
            assert_eq!(read(value).expect(value).who.to_string(), text);
        }
        for (value, reason) in [
            ("-1", "not a number of nodes"),
            ("[]", "an empty list"),
            ("[0, \"rest\"]", "must stand alone"),
            ("1.5", "a node number, or a list"),
            ("99999999999", "not a number of nodes"),
        ] {
            let error = read(value).err().unwrap_or_else(|| panic!("{value} was accepted"));
            assert!(error.to_string().contains(reason), "{value}: {error}");
        }
    }

    #[test]
    fn the_schema_allows_a_text_a_number_or_a_list() {
        let schema = serde_json::to_value(schemars::schema_for!(Selector)).expect("JSON");
        assert_eq!(schema["anyOf"][0]["format"], "nodes");
        let types: Vec<&str> = (0..3).filter_map(|i| schema["anyOf"][i]["type"].as_str()).collect();
        assert_eq!(types, ["string", "integer", "array"]);
    }

    #[test]
    fn texts_that_name_no_nodes_are_refused_with_a_way_out() {
        for (text, reason) in [
            ("al", "did you mean \"all\"?"),
            ("validator", "did you mean \"validators\"?"),
            ("regoin:x", "did you mean \"region:NAME\"?"),
            ("stake", "did you mean \"stake:33%\"?"),
            ("topstake:5%", "did you mean \"top-stake:33%\"?"),
            ("xyz", "expected a node number"),
            ("", "expected a node number"),
            ("city:", "did you mean \"city:NAME\"?"),
            ("5..5", "is empty"),
            ("5..", "not a number of nodes"),
            ("+5", "not a number of nodes"),
            ("1.5", "not a number of nodes"),
            ("stake:33", "has no unit"),
            ("stake:0%", "names nobody"),
            ("random:101%", "above one"),
            ("random:many", "expected random:10 or random:25%"),
            ("1,,2", "expected a node number"),
        ] {
            let error = text.parse::<Selector>().expect_err(text).to_string();
            assert!(error.contains(reason), "{text:?}: {error}");
        }
    }
}
