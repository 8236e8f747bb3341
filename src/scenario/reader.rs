//! Scenario layer, the reader: from TOML text to a typed value. It knows keys, types, units, lines
//! and columns, and nothing about what a scenario means: it works for every type with a schema.
//!
//! The order of events: parse the file, lay it over the preset that it names, apply the overrides,
//! check the result against the schema of the type, and only then let serde build the value.

mod check;
mod locate;
mod merge;
mod overrides;
mod path;
mod reference;
mod schema;
mod source;
mod syntax;
mod tree;
mod words;

#[cfg(test)]
mod example;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod malformed;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

pub use locate::Locations;
pub use overrides::Override;
pub use reference::reference;
pub use source::{MAX_BYTES, Source};
pub use tree::one_line;

use super::error::ScenarioError;
use crate::base::quantity::{Bytes, Chance, Rate};
use crate::base::time::Span;
use locate::Texts;
use path::Step;
use schema::Shape;
use tree::{Finding, Node, Origin};

/// The key that says of which kind a table is.
const TAG: &str = "kind";

/// The top-level key that names a preset.
const RULES: &str = "rules";

/// So many errors are reported at once.
const MAX_ERRORS: usize = 20;

/// The name of a string format in the schema, and what checks a text of that format: `Err` holds
/// one sentence without the key.
pub type FormatCheck = (&'static str, fn(&str) -> Result<(), String>);

/// What was read.
#[derive(Clone, Debug)]
pub struct Read<T> {
    /// The scenario.
    pub value: T,
    /// The same as TOML: file over preset, with overrides, without keys that nothing reads.
    pub table: toml::Table,
    /// Where every key was written.
    pub locations: Locations,
    /// What is not an error but should be printed: keys that the chosen kind of a table does not
    /// read. They are not in `table`.
    pub notes: Vec<ScenarioError>,
}

/// Reads a scenario.
///
/// `presets` are the names and TOML texts that the top-level key `rules` may choose from; without
/// any, `rules` is a key like every other. An override of `rules` chooses the preset too; all other
/// overrides apply after the merge. `formats` are the checks of string formats besides those of
/// the base layer (time, size, rate, probability).
///
/// # Errors
/// Up to 20 errors in the order of the file, then of the preset, then of the overrides.
pub fn read<T: DeserializeOwned + JsonSchema>(
    source: &Source,
    presets: &[(&str, &str)],
    overrides: &[Override],
    formats: &[FormatCheck],
) -> Result<Read<T>, Vec<ScenarioError>> {
    read_by(&json_schema::<T>(), source, presets, overrides, formats)
}

/// The same with the type's [`json_schema`] at hand: who reads often makes it once, because it
/// takes longer than the rest.
///
/// # Errors
/// As [`read`].
pub fn read_by<T: DeserializeOwned>(
    schema: &serde_json::Value,
    source: &Source,
    presets: &[(&str, &str)],
    overrides: &[Override],
    formats: &[FormatCheck],
) -> Result<Read<T>, Vec<ScenarioError>> {
    let mut texts = Texts {
        file: (source.name.clone(), source.text.clone()),
        preset: None,
        overrides: overrides.iter().map(Override::origin).collect(),
    };
    let placed = |findings, texts: &Texts| Err(place_all(findings, texts));
    let mut root = match merged(source, presets, overrides, &mut texts) {
        Ok(root) => root,
        Err(findings) => return placed(findings, &texts),
    };
    let set = |(number, set): (usize, &Override)| set.apply(&mut root, number).err();
    let refusals = overrides.iter().enumerate().filter_map(set);
    let mut findings: Vec<Finding> = refusals.map(|refusal| *refusal).collect();
    let all_formats: Vec<_> = formats.iter().chain(BASE_FORMATS).copied().collect();
    let report = check::check(&mut root, &Shape::of_root(schema), &all_formats);
    // That a key does not exist says more than that an override found no list there.
    findings.retain(|refusal| report.errors.iter().all(|error| error.spot != refusal.spot));
    findings.extend(report.errors);
    if !findings.is_empty() {
        return placed(findings, &texts);
    }
    let notes = place_all(report.notes, &texts);
    build(Locations { root, texts }, notes).map_err(|error| vec![error])
}

/// The JSON Schema of a type, for editors and for [`reference()`].
#[must_use]
pub fn json_schema<T: JsonSchema>() -> serde_json::Value {
    schemars::SchemaGenerator::default().into_root_schema_for::<T>().to_value()
}

/// The formats of the base layer; their own errors are the messages.
const BASE_FORMATS: &[FormatCheck] = &[
    ("time", |text| text.parse::<Span>().map(drop).map_err(|error| error.to_string())),
    ("size", |text| text.parse::<Bytes>().map(drop).map_err(|error| error.to_string())),
    ("rate", |text| text.parse::<Rate>().map(drop).map_err(|error| error.to_string())),
    ("probability", |text| text.parse::<Chance>().map(drop).map_err(|error| error.to_string())),
];

/// The file on top of its preset.
fn merged(
    source: &Source,
    presets: &[(&str, &str)],
    overrides: &[Override],
    texts: &mut Texts,
) -> Result<Node, Vec<Finding>> {
    let mut root = tree::parse(&source.text, Origin::File)?;
    if presets.is_empty() {
        return Ok(root);
    }
    // `rules` has done its work before the other overrides apply: it decides what they apply to.
    let is_rules = |set: &&Override| set.key() == RULES;
    let last = overrides.iter().enumerate().rfind(|(_, set)| is_rules(set));
    if let Some((number, set)) = last {
        set.apply(&mut root, number).map_err(|finding| vec![*finding])?;
    }
    // Something else than a text is left to the check against the schema.
    let Some((name, spot)) = root.get(RULES).and_then(|node| Some((node.text()?, node.value)))
    else {
        return Ok(root);
    };
    let Some((name, text)) = presets.iter().find(|(preset, _)| *preset == name) else {
        let names: Vec<_> = presets.iter().map(|(name, _)| *name).collect();
        let error = ScenarioError::new(RULES, format!("there are no rules \"{name}\""))
            .hint(words::suggestion(name, &names, "known are"));
        return Err(vec![Finding::new(spot, error)]);
    };
    texts.preset = Some((PathBuf::from(format!("rules {name}")), (*text).to_owned()));
    Ok(merge::merge(tree::parse(text, Origin::Preset)?, root))
}

/// The value from a checked tree.
fn build<T: DeserializeOwned>(
    locations: Locations,
    notes: Vec<ScenarioError>,
) -> Result<Read<T>, ScenarioError> {
    let toml::Value::Table(table) = locations.root.to_value() else {
        return Err(ScenarioError::new("", "a scenario is a table of keys"));
    };
    match serde_path_to_error::deserialize(toml::Value::Table(table.clone())) {
        Ok(value) => Ok(Read { value, table, locations, notes }),
        Err(error) => {
            let message = error.inner().message().trim().to_owned();
            let error = ScenarioError::new(key_of(error.path()), message);
            // Made fit for one line like every other error; the spot is not used.
            let error = Finding::new(locations.root.value, error).error;
            Err(locations.locate(error))
        }
    }
}

/// The dotted key of serde's path.
fn key_of(serde_path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let steps = serde_path.iter().map_while(|segment| match segment {
        Segment::Seq { index } => Some(Step::Index(*index)),
        Segment::Map { key } => Some(Step::Key(key.clone())),
        // The name of a variant is not a key, and nothing below an unknown segment is sure.
        Segment::Enum { .. } | Segment::Unknown => None,
    });
    path::print(&steps.collect::<Vec<_>>())
}

/// The findings in the order of the texts, with line and column.
fn place_all(mut findings: Vec<Finding>, texts: &Texts) -> Vec<ScenarioError> {
    findings.sort_by_key(|finding| finding.spot);
    let more = findings.len().saturating_sub(MAX_ERRORS);
    findings.truncate(MAX_ERRORS);
    let mut errors: Vec<_> = findings.into_iter().map(|finding| texts.place(finding)).collect();
    if more > 0 {
        let plural = if more == 1 { "" } else { "s" };
        errors.push(ScenarioError::new("", format!("{more} more error{plural} not shown")));
    }
    errors
}
