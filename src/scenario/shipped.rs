//! Scenario layer: the scenarios and presets that are part of the program, and reading of any
//! scenario with them.

use std::path::Path;
use std::sync::OnceLock;

use super::error::ScenarioError;
use super::plan::Plan;
use super::population::near_name;
use super::population::selector::Selector;
use super::reader::{self, FormatCheck, Override, Read, Source};
use super::schema::Scenario;
use super::schema::sweep::Seeds;
use crate::protocol::turbine::config::Coding;

/// A scenario that is part of the program.
#[derive(Clone, Copy, Debug)]
pub struct Shipped {
    /// Its name, by which `headwater run` finds it.
    pub name: &'static str,
    /// The TOML text.
    pub text: &'static str,
}

macro_rules! shipped {
    ($folder:literal: $($name:literal),* $(,)?) => {
        &[$(Shipped {
            name: $name,
            text: include_str!(concat!("../../scenarios/", $folder, $name, ".toml")),
        }),*]
    };
}

/// All shipped scenarios, the quick start first.
pub const SCENARIOS: &[Shipped] = shipped!["":
    "quick-start",
    "three-validators",
    "classroom",
    "gossip-coverage",
    "partition-heal",
    "loss-and-crash",
    "forwarding",
    "geographic-cluster",
    "broadcast",
    "whole-block-tree",
    "chunked-trees",
    "erasure-coding",
    "solana-cluster",
    "repair",
    "solana-gossip",
    "split-in-halves",
    "split-80-20",
    "three-way-split",
    "flapping-partition",
    "rolling-crashes",
    "leader-crash",
    "equivocating-leader",
    "safety-violation",
    "lossy-cluster",
    "chaos",
    "mainnet-dissemination",
    "mainnet",
    "w3",
];

/// All shipped experiments: scenarios with a `[sweep]`.
pub const EXPERIMENTS: &[Shipped] = shipped!["experiments/":
    "fanout-by-chunk-size",
    "loss-by-coding",
    "gossip-fanout-by-interval",
    "partition-length",
    "lookahead-by-latency",
];

/// The sets of rules that `rules = "NAME"` chooses from.
pub const PRESETS: &[(&str, &str)] = &[
    ("classroom", include_str!("preset/classroom.toml")),
    ("solana", include_str!("preset/solana.toml")),
];

/// Checks of text formats that the base layer does not know.
const FORMATS: &[FormatCheck] = &[
    ("nodes", |text| text.parse::<Selector>().map(drop).map_err(|error| error.to_string())),
    ("coding", |text| text.parse::<Coding>().map(drop)),
    ("seeds", |text| text.parse::<Seeds>().map(drop)),
];

impl Shipped {
    /// Everything that is shipped: scenarios, then experiments.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        SCENARIOS.iter().chain(EXPERIMENTS)
    }

    /// The shipped scenario or experiment of this name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        Self::all().find(|shipped| shipped.name == name)
    }

    /// It as a source to read.
    #[must_use]
    pub fn source(&self) -> Source {
        Source::embedded(self.name, self.text)
    }

    /// The opening comment: what it shows.
    #[must_use]
    pub fn comment(&self) -> String {
        let lines = self.text.lines().take_while(|line| line.starts_with('#'));
        let words = lines.map(|line| line.trim_start_matches('#').trim());
        words.collect::<Vec<_>>().join(" ").trim().to_owned()
    }
}

/// Finds a scenario: a file, or the name of a shipped one.
///
/// # Errors
/// If there is neither.
pub fn find(name: &str) -> Result<Source, ScenarioError> {
    let path = Path::new(name);
    if path.exists() {
        return Source::load(path);
    }
    if let Some(shipped) = Shipped::find(name) {
        return Ok(shipped.source());
    }
    // What looks like a path was meant as one.
    let near = near_name(name, Shipped::all().map(|shipped| shipped.name));
    match near {
        Some(near) if path.components().count() == 1 => {
            let message = format!("there is no file and no shipped scenario {name:?}");
            Err(ScenarioError::new("", message).hint(format!("did you mean \"{near}\"?")))
        }
        _ => Source::load(path).map_err(|error| {
            error.hint("`headwater list` names the scenarios that are part of the program")
        }),
    }
}

/// Reads a scenario with all presets and formats.
///
/// # Errors
/// Up to 20 errors in the order of the file.
pub fn read(source: &Source, overrides: &[Override]) -> Result<Read<Scenario>, Vec<ScenarioError>> {
    static SCHEMA: OnceLock<serde_json::Value> = OnceLock::new();
    let schema = SCHEMA.get_or_init(reader::json_schema::<Scenario>);
    reader::read_by(schema, source, PRESETS, overrides, FORMATS)
}

/// Reads and resolves a scenario.
///
/// # Errors
/// All that [`read`] finds, or the first thing that does not fit together.
pub fn plan(source: &Source, overrides: &[Override]) -> Result<Plan, Vec<ScenarioError>> {
    let read = read(source, overrides)?;
    Plan::of(&read, &source.base_dir).map_err(|error| vec![error])
}
