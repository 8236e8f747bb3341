//! Command line: `headwater diff`: what differs between two results: the scenario key by key, the
//! metrics, paired where seeds match, and the first event.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;

use super::rerun::{self, parting_words, plan_of};
use super::{EXIT_OK, Failure, complain, print};
use crate::expect::value::{Exact, written};
use crate::experiment::definition::Definition;
use crate::metrics::catalogue::{Figure, Found, figures, look_up};
use crate::results::manifest::Manifest;
use crate::results::{ResultsError, altered};
use crate::run::trail::parting;

#[derive(Args, Debug)]
pub(super) struct DiffArguments {
    /// A result folder, or a folder of results that differ in their seeds.
    #[arg(value_name = "A")]
    a: PathBuf,
    /// What it is compared with.
    #[arg(value_name = "B")]
    b: PathBuf,
    /// Show every metric that moved, not only those that moved most.
    #[arg(long)]
    all: bool,
    /// Do not run anything again to find the first event that differs.
    #[arg(long)]
    no_events: bool,
    /// Folder in which the files that the scenarios name start.
    #[arg(long, value_name = "DIR")]
    base: Option<PathBuf>,
}

/// A result.
struct Stored {
    folder: PathBuf,
    manifest: Manifest,
    summary: Value,
}

pub(super) fn diff(arguments: &DiffArguments) -> Result<u8, Failure> {
    let pairs = pairs(read(&arguments.a)?, read(&arguments.b)?, arguments)?;
    let Some((a, b)) = pairs.first() else { return Ok(EXIT_OK) };
    let mut text = format!("A  {}\nB  {}\n", arguments.a.display(), arguments.b.display());
    text += &in_pairs(&pairs);
    text += &scenarios(&a.manifest, &b.manifest)?;
    text += &verdicts(&pairs);
    text += &metrics(&pairs, arguments.all);
    print(&text)?;
    if arguments.no_events {
        return Ok(EXIT_OK);
    }
    print(&events(a, b, arguments.base.as_deref()))
}

/// The result in a folder, or those in the folders in it, sorted by name.
fn read(path: &Path) -> Result<Vec<Stored>, Failure> {
    let is_one = [Manifest::FILE, Definition::FILE].iter().any(|file| path.join(file).is_file());
    if is_one || !path.is_dir() {
        return Ok(vec![read_one(path)?]);
    }
    let failed = |error| Failure::io("read", path, &error);
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let folder = entry.map_err(failed)?.path();
        if folder.join(Manifest::FILE).is_file() {
            folders.push(folder);
        }
    }
    folders.sort();
    if folders.is_empty() {
        let message = format!("{} is no result folder and holds none", path.display());
        return Err(Failure::usage(message));
    }
    folders.iter().map(|folder| read_one(folder)).collect()
}

fn read_one(folder: &Path) -> Result<Stored, Failure> {
    let manifest = rerun::manifest(folder)?;
    let altered = altered(folder, &manifest)?;
    if !altered.is_empty() {
        let (folder, files) = (folder.display(), altered.join(", "));
        let message = format!("{folder}: no longer as the run wrote them, or missing: {files}");
        complain("warning", &message);
    }
    let path = folder.join("summary.json");
    let bytes = std::fs::read(&path).map_err(|error| Failure::io("read", &path, &error))?;
    let summary = serde_json::from_slice(&bytes).map_err(|error| {
        let reason = format!("is no JSON: {error}");
        Failure::from(ResultsError::Damaged { path, reason })
    })?;
    Ok(Stored { folder: folder.to_path_buf(), manifest, summary })
}

/// Two results are a pair; of more, those with the same seed are.
fn pairs(
    mut a: Vec<Stored>,
    mut b: Vec<Stored>,
    arguments: &DiffArguments,
) -> Result<Vec<(Stored, Stored)>, Failure> {
    if let (1, 1) = (a.len(), b.len()) {
        return Ok(a.drain(..).zip(b.drain(..)).collect());
    }
    let by_seed = |all: Vec<Stored>, path: &Path| {
        let mut seeds: BTreeMap<u64, Stored> = BTreeMap::new();
        for result in all {
            let seed = result.manifest.seed;
            if seeds.insert(seed, result).is_some() {
                let path = path.display();
                let message = format!("{path} holds several results with the seed {seed}");
                return Err(Failure::usage(message));
            }
        }
        Ok(seeds)
    };
    let (a, mut b) = (by_seed(a, &arguments.a)?, by_seed(b, &arguments.b)?);
    let pair = |(seed, first)| b.remove(&seed).map(|second| (first, second));
    let pairs: Vec<_> = a.into_iter().filter_map(pair).collect();
    if pairs.is_empty() {
        return Err(Failure::usage("the two folders have no seed in common"));
    }
    Ok(pairs)
}

fn in_pairs(pairs: &[(Stored, Stored)]) -> String {
    match pairs {
        [(a, b)] if a.manifest.seed == b.manifest.seed => {
            format!("   paired: both have the seed {}\n", a.manifest.seed)
        }
        [(a, b)] => {
            let (a, b) = (a.manifest.seed, b.manifest.seed);
            format!("   not paired: seeds {a} and {b}, so chance differs, too\n")
        }
        several => {
            let seeds: Vec<_> = several.iter().map(|(a, _)| a.manifest.seed.to_string()).collect();
            format!("   {} pairs by their seeds: {}\n", several.len(), seeds.join(", "))
        }
    }
}

/// What differs in the scenarios, key by key.
fn scenarios(a: &Manifest, b: &Manifest) -> Result<String, Failure> {
    let flat = |manifest: &Manifest| {
        let table: toml::Table = manifest.resolved.parse().map_err(|error| {
            Failure::usage(format!("the scenario of {} is no TOML: {error}", manifest.scenario))
        })?;
        let mut keys = BTreeMap::new();
        flatten("", &toml::Value::Table(table), &mut keys);
        Ok::<_, Failure>(keys)
    };
    let (first, second) = (flat(a)?, flat(b)?);
    let keys: std::collections::BTreeSet<&String> = first.keys().chain(second.keys()).collect();
    let mut text = String::from("\nscenario\n");
    let before = text.len();
    for key in keys {
        let side = |keys: &BTreeMap<String, String>| {
            keys.get(key).cloned().unwrap_or_else(|| "(not there)".into())
        };
        let (old, new) = (side(&first), side(&second));
        if old != new {
            text += &format!("  {key}: {old} -> {new}\n");
        }
    }
    let inputs: BTreeMap<_, _> = a.inputs.iter().map(|input| (&input.path, input.sha256)).collect();
    for input in &b.inputs {
        if inputs.get(&input.path).is_some_and(|sha256| *sha256 != input.sha256) {
            text += &format!("  the file {} has another content\n", input.path);
        }
    }
    if text.len() == before {
        text += "  the same\n";
    }
    Ok(text)
}

fn flatten(key: &str, value: &toml::Value, keys: &mut BTreeMap<String, String>) {
    match value {
        toml::Value::Table(table) => {
            for (name, value) in table {
                let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                flatten(&key, value, keys);
            }
        }
        toml::Value::Array(entries) if entries.iter().any(toml::Value::is_table) => {
            for (place, entry) in entries.iter().enumerate() {
                flatten(&format!("{key}[{place}]"), entry, keys);
            }
        }
        other => {
            keys.insert(key.to_owned(), other.to_string());
        }
    }
}

fn verdicts(pairs: &[(Stored, Stored)]) -> String {
    let mut text = String::from("\nverdict\n");
    let before = text.len();
    for (a, b) in pairs.iter().filter(|(a, b)| a.manifest.verdict != b.manifest.verdict) {
        let seed = a.manifest.seed;
        text += &format!("  seed {seed}: {} -> {}\n", a.manifest.verdict, b.manifest.verdict);
    }
    if text.len() == before {
        text += "  the same\n";
    }
    text
}

/// How a metric moved.
struct Moved {
    line: String,
    /// By how much of its size, in parts per million; never to a number or back is the most.
    by: u128,
}

fn metrics(pairs: &[(Stored, Stored)], all: bool) -> String {
    /// So many are shown unasked.
    const SHOWN: usize = 25;
    let mut moved: Vec<Moved> =
        figures().iter().filter_map(|figure| movement(figure, pairs)).collect();
    let count = moved.len();
    if !all {
        moved.sort_by_key(|moved| std::cmp::Reverse(moved.by));
        moved.truncate(SHOWN);
    }
    let mut text = String::from("\nmetrics\n");
    if count == 0 {
        text += "  the same\n";
    }
    moved.iter().for_each(|moved| text += &moved.line);
    if count > moved.len() {
        let more = count - moved.len();
        text += &format!("  and {more} more that moved less (--all shows them)\n");
    }
    text
}

fn movement(figure: &Figure, pairs: &[(Stored, Stored)]) -> Option<Moved> {
    let number = |result: &Stored| match look_up(&result.summary, &figure.name) {
        Found::Number(number) => Some(number),
        Found::Never | Found::Absent => None,
    };
    let values: Vec<_> = pairs.iter().map(|(a, b)| (number(a), number(b))).collect();
    if values.iter().all(|(a, b)| a == b) {
        return None;
    }
    let both: Vec<(i128, i128)> = values.iter().filter_map(|(a, b)| a.zip(*b)).collect();
    let words = |sum: i128| {
        Exact::fraction(sum, both.len() as u64)
            .map_or("never".into(), |mean| written(mean, figure.unit))
    };
    let name = &figure.name;
    if both.len() < values.len() {
        let side = |value: &Option<i128>| {
            value.map_or("never".into(), |value| written(Exact::whole(value), figure.unit))
        };
        let shown = values.iter().find(|(a, b)| a.is_none() != b.is_none());
        let (a, b) = shown.map(|(a, b)| (side(a), side(b))).unwrap_or_default();
        let (some, of) = (values.len() - both.len(), values.len());
        let pairs = if of > 1 { format!(" (in {some} of {of} pairs)") } else { String::new() };
        return Some(Moved { line: format!("  {name}: {a} -> {b}{pairs}\n"), by: u128::MAX });
    }
    let (a, b): (i128, i128) =
        both.iter().fold((0, 0), |sum, pair| (sum.0 + pair.0, sum.1 + pair.1));
    let gap = b - a;
    let by = gap.unsigned_abs().saturating_mul(1_000_000).checked_div(a.unsigned_abs());
    let sign = if gap >= 0 { "+" } else { "" };
    let percent = by.map_or(String::new(), |by| {
        let sign = if gap >= 0 { "+" } else { "-" };
        let tenths = by / 1_000;
        format!(", {sign}{}.{} %", tenths / 10, tenths % 10)
    });
    let mut line =
        format!("  {name}: {} -> {} ({sign}{}{percent})", words(a), words(b), words(gap));
    if both.len() > 1 {
        let up = both.iter().filter(|(a, b)| b > a).count();
        let down = both.iter().filter(|(a, b)| b < a).count();
        line += &format!("; up in {up}, down in {down} of {} pairs", both.len());
    }
    // From nothing to something is a large step, too.
    Some(Moved { line: line + "\n", by: by.unwrap_or(u128::MAX - 1) })
}

/// The first event that differs between two results, found by running both again.
fn events(a: &Stored, b: &Stored, base: Option<&Path>) -> String {
    let mut text = String::from("\nevents\n");
    if a.manifest.event_digest == b.manifest.event_digest {
        return text + "  the same\n";
    }
    let plan = |result: &Stored| match plan_of(&result.folder, &result.manifest, base) {
        Ok(plan) => Some(plan),
        Err(failure) => {
            failure.messages.iter().for_each(|message| complain("note", message));
            None
        }
    };
    let (Some(first), Some(second)) = (plan(a), plan(b)) else {
        return text + "  they differ; not both can be run again to find where\n";
    };
    text += &match parting(&first, &second) {
        Some(parting) => format!("  {}", parting_words(&parting, ["A", "B"])),
        None => "  they differ in the results, but not when they are run again\n".into(),
    };
    text
}
