//! Command line: what `verify` and `diff` share: results run again from their manifests, and where
//! two runs part, in words.

use std::path::{Path, PathBuf};

use super::events::EventLog;
use super::record::base_of;
use super::{EXIT_DIVERGED, EXIT_IO, Failure};
use crate::base::digest::Digest;
use crate::base::time::Time;
use crate::experiment::definition::Definition;
use crate::fact::Observer;
use crate::results::manifest::Manifest;
use crate::run::trail::{Parting, Step};
use crate::scenario::plan::{MODEL_VERSION, Plan};
use crate::scenario::reader::Source;
use crate::scenario::shipped;

/// The manifest of a result; a sweep has none, and is told apart.
pub(super) fn manifest(folder: &Path) -> Result<Manifest, Failure> {
    if folder.join(Definition::FILE).is_file() {
        let folder = folder.display();
        return Err(Failure::usage(format!(
            "{folder} is the folder of a sweep, not of a run; `headwater check {folder}` judges it \
             again, `headwater compare` compares sweeps, and any run of it is made once more by \
             `headwater run` with the values of its axes as --set and its --seed"
        )));
    }
    if let Err(error) = std::fs::metadata(folder)
        && error.kind() == std::io::ErrorKind::NotFound
    {
        // What was named is not there, as with a scenario: nothing has failed.
        return Err(Failure::usage(format!(
            "cannot read the folder {}: {error}",
            folder.display()
        )));
    }
    Ok(Manifest::read(folder)?)
}

/// The plan of a result, from its manifest alone. Files that the scenario names are looked for in
/// `base`, or else where they were, and must be the same.
pub(super) fn plan_of(
    folder: &Path,
    manifest: &Manifest,
    base: Option<&Path>,
) -> Result<Plan, Failure> {
    let version = env!("CARGO_PKG_VERSION");
    if manifest.program_version != version || manifest.model_version != MODEL_VERSION {
        let (theirs, model) = (&manifest.program_version, manifest.model_version);
        return Err(Failure::usage(format!(
            "{} was made by headwater {theirs} (model {model}); this is {version} (model \
             {MODEL_VERSION}), whose runs may differ",
            folder.display()
        )));
    }
    let base = base.unwrap_or_else(|| base_of(&manifest.source));
    for input in &manifest.inputs {
        let path = base.join(&input.path);
        let bytes = std::fs::read(&path).map_err(|error| {
            let way_out = "say with --base where the files of the scenario are";
            Failure::new(EXIT_IO, format!("cannot read {}: {error}; {way_out}", path.display()))
        })?;
        if Digest::of(&bytes) != input.sha256 {
            let (path, sha256) = (path.display(), input.sha256);
            return Err(Failure::usage(format!(
                "{path} is not the file that the run had: its SHA-256 is not {sha256}"
            )));
        }
    }
    let name = folder.join(Manifest::FILE);
    let embedded = Source::embedded(&name.display().to_string(), &manifest.resolved);
    let source = Source { base_dir: PathBuf::from(base), ..embedded };
    let plan = shipped::plan(&source, &[])?;
    if plan.key() != manifest.key {
        let (found, expected) = (plan.key().short(8), manifest.key.short(8));
        return Err(Failure::new(
            EXIT_DIVERGED,
            format!(
                "{}: the scenario in it has the key {found}, but the run had {expected}; the \
                 manifest was changed after it was written",
                name.display()
            ),
        ));
    }
    Ok(plan)
}

/// Where two runs part: the number and moment of the first record that differs, and both sides.
pub(super) fn parting_words(parting: &Parting, names: [&str; 2]) -> String {
    let sides = [parting.first, parting.second];
    let at = sides.iter().flatten().map(|step| step.record.at).min().unwrap_or(Time::ZERO);
    let mut text = format!("first difference: record {} at {at}\n", parting.number);
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    for (name, side) in names.iter().zip(sides) {
        let words = side.map_or("nothing more: the run has ended".into(), |step| step_words(&step));
        text += &format!("  {name:<width$}  {words}\n");
    }
    if let (Some(a), Some(b)) = (sides[0], sides[1])
        && a.fact == b.fact
        && a.record.at == b.record.at
    {
        let [a, b] = [a, b].map(|step| step.record.words[2]);
        text += &format!("  what differs is the content: {a:016x} and {b:016x}\n");
    }
    text
}

/// A record in words.
pub(super) fn step_words(step: &Step) -> String {
    let Some(fact) = &step.fact else {
        let [a, b, c] = step.record.words;
        return format!("{}  record {a:016x} {b:016x} {c:016x}", step.record.at);
    };
    let mut out = Vec::new();
    EventLog::new(&mut out, None, (Time::ZERO, Time::MAX), true).on_fact(step.record.at, fact);
    let told = String::from_utf8_lossy(&out).trim().to_owned();
    if told.is_empty() { format!("{}  {fact:?}", step.record.at) } else { told }
}
