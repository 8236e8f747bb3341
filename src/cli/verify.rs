//! Command line: `headwater verify`: runs a result again from its manifest and compares every byte.

use std::path::{Path, PathBuf};

use clap::Args;

use super::record::{self, Asked, Stopwatch, quoted};
use super::rerun::{self, parting_words, plan_of, step_words};
use super::{EXIT_DIVERGED, EXIT_OK, Failure, print};
use crate::base::checkpoint::bracket;
use crate::base::digest::Digest;
use crate::expect;
use crate::fact::Deaf;
use crate::metrics::TABLES;
use crate::results::folder::Folder;
use crate::results::manifest::{Manifest, RunMeta};
use crate::results::{self, checkpoints};
use crate::run::{self, Go, trail};
use crate::scenario::plan::Plan;

#[derive(Args, Debug)]
pub(super) struct VerifyArguments {
    /// A result folder.
    #[arg(value_name = "RESULT")]
    result: PathBuf,
    /// Folder in which the files that the scenario names start [default: that of the scenario when
    /// it was run].
    #[arg(long, value_name = "DIR")]
    base: Option<PathBuf>,
    /// Keep the results of the new run in this folder.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

pub(super) fn verify(arguments: &VerifyArguments) -> Result<u8, Failure> {
    let folder = arguments.result.as_path();
    let manifest = rerun::manifest(folder)?;
    // A run that a broken invariant has ended is all there is of it.
    if !manifest.complete && manifest.verdict.starts_with(expect::ENDED_EARLY) {
        let message = format!(
            "{} was ended early ({}); only runs that came to their own end can be verified",
            folder.display(),
            manifest.verdict
        );
        return Err(Failure::usage(message));
    }
    let plan = plan_of(folder, &manifest, arguments.base.as_deref())?;
    let again = Again::run(&plan, &manifest, arguments.keep.as_deref())?;
    let differences = differences(folder, &again.folder)?;
    let mut text = String::new();
    if differences.is_empty() {
        let bytes: u64 = manifest.files.iter().map(|file| file.bytes).sum();
        let (files, digest) = (manifest.files.len() + 1, manifest.event_digest);
        text += &format!(
            "{}: verified: the run again gave the same {files} files ({bytes} bytes)\n  digest   \
             {digest}\n  again    {}\n",
            folder.display(),
            manifest.command
        );
        print(&text)?;
        return Ok(EXIT_OK);
    }
    text += &format!("{}: the run again gave other results\n", folder.display());
    for (name, what) in &differences {
        let altered = if is_altered(folder, &manifest, name)? {
            " (it was changed after it was written: its SHA-256 is not the one in the manifest)"
        } else {
            ""
        };
        text += &format!("  {name}: {what}{altered}\n");
    }
    if manifest.event_digest != again.digest {
        text += &format!(
            "  event digest: {} in the manifest, {} now\n",
            manifest.event_digest, again.digest
        );
        text += &search(folder, &plan, &again)?;
    } else {
        text += "  event digest: the same, so the events are; the files are not\n";
    }
    match &arguments.keep {
        Some(keep) => text += &format!("  the new results are in {}\n", keep.display()),
        None => {
            let path = quoted(&folder.display().to_string());
            text += &format!("  to keep the new results: headwater verify {path} --keep DIR\n");
        }
    }
    print(&text)?;
    Ok(EXIT_DIVERGED)
}

/// The results of the new run; removed when dropped, unless they are to be kept.
struct Again {
    folder: PathBuf,
    digest: Digest,
    keep: bool,
}

impl Again {
    fn run(plan: &Plan, manifest: &Manifest, keep: Option<&Path>) -> Result<Self, Failure> {
        let target = match keep {
            Some(folder) => folder.to_path_buf(),
            None => {
                let name = format!("headwater-verify-{}", std::process::id());
                std::env::temp_dir().join(name)
            }
        };
        let folder = Folder::prepare(&target, plan.key(), false)?;
        let mut again =
            Self { folder: target, digest: manifest.event_digest, keep: keep.is_some() };
        let stopwatch = Stopwatch::start();
        let sink = folder.sink(TABLES)?;
        let finished = run::run(plan, sink, Deaf, &mut |_| Go::On);
        let asked =
            Asked { source: manifest.source.clone(), overrides: manifest.overrides.clone() };
        let written = record::write(plan, &asked, folder, finished, &stopwatch, None)?;
        again.digest = written.digest;
        Ok(again)
    }
}

impl Drop for Again {
    fn drop(&mut self) {
        if !self.keep {
            // Left behind in the folder for temporary files, it does no harm.
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

/// Every compared file that differs, and where first. Also the manifests, byte by byte.
fn differences(old: &Path, new: &Path) -> Result<Vec<(String, String)>, Failure> {
    let (before, now) = (Manifest::read(old)?, Manifest::read(new)?);
    let all = before.files.iter().chain(&now.files).map(|file| file.name.as_str());
    let names: std::collections::BTreeSet<&str> = all.chain([Manifest::FILE]).collect();
    let mut found = Vec::new();
    for name in names {
        if let Some(difference) = results::difference_of(name, old, new)? {
            let (line, before, now) = (difference.line, difference.before, difference.now);
            found.push((name.to_owned(), format!("line {line}, stored {before}, now {now}")));
        }
    }
    // The record of the wall clock differs by nature, but it has to be one.
    let meta = std::fs::read(old.join(RunMeta::FILE));
    let readable = meta.is_ok_and(|bytes| serde_json::from_slice::<RunMeta>(&bytes).is_ok());
    if !readable {
        found.push((RunMeta::FILE.into(), "is missing or cannot be read".into()));
    }
    Ok(found)
}

fn is_altered(folder: &Path, manifest: &Manifest, name: &str) -> Result<bool, Failure> {
    let Some(record) = manifest.files.iter().find(|file| file.name == name) else {
        return Ok(false);
    };
    let path = folder.join(name);
    match std::fs::read(&path) {
        Ok(bytes) => Ok(Digest::of(&bytes) != record.sha256),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(Failure::io("read", &path, &error)),
    }
}

/// Where the stored run and the new one part, as far as that can be told: the stored one cannot be
/// run again if the program now goes another way.
fn search(folder: &Path, plan: &Plan, again: &Again) -> Result<String, Failure> {
    let stored = checkpoints::read(folder).unwrap_or_default();
    let first = checkpoints::read(&again.folder)?;
    let mut text = String::new();
    // Does the program agree with itself?
    let second = trail::trail(plan);
    if second.digest != again.digest {
        let (from, until) = bracket(&first, &second.checkpoints);
        let (a, b) = (trail::steps(plan, from, until), trail::steps(plan, from, until));
        text += "  two runs of this very program differ, too: it is not deterministic\n";
        if let Some(parting) = trail::compare(&a, &b, from) {
            text += &format!("  {}", parting_words(&parting, ["one run", "another"]));
        }
        return Ok(text);
    }
    text += "  this program agrees with itself, so the stored results are of other rules, another \
             machine, or were changed\n";
    let (from, until) = bracket(&stored, &first);
    let place = |point: Option<crate::base::checkpoint::Checkpoint>, none: &str| {
        point.map_or(none.to_owned(), |point| format!("record {} ({})", point.record, point.at))
    };
    if until.is_none() && !stored.is_empty() && stored == first {
        text += "  all checkpoints agree; the stored digest differs after the last of them\n";
    }
    text += &format!(
        "  the runs part between {} and {}\n",
        place(from, "the beginning"),
        place(until, "the end")
    );
    let steps = trail::steps(plan, from, until);
    for step in steps.iter().take(SHOWN) {
        text += &format!("    now: {}\n", step_words(step));
    }
    if steps.len() > SHOWN {
        text += &format!("    and {} more records of the new run\n", steps.len() - SHOWN);
    }
    Ok(text)
}

/// So many records of an interval are shown.
const SHOWN: usize = 3;
