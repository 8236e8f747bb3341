//! Command line: from a finished run to its result folder: tables, checkpoints, the verdict, the
//! summary and the manifest.

use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::Failure;
use crate::base::checkpoint::checkpoints;
use crate::base::digest::Digest;
use crate::expect::{self, EXPECTATIONS, InFolder, Record, Verdict, summary_json};
use crate::results::checkpoints::{self, CHECKPOINTS};
use crate::results::folder::{Folder, Outcome};
use crate::results::manifest::{InputRecord, Manifest, RunMeta};
use crate::results::writer::CsvSink;
use crate::run::{Ending, Finished};
use crate::scenario::plan::{MODEL_VERSION, Plan};
use crate::scenario::reader::Override;

/// How a run was asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    /// The scenario as it was named.
    pub(super) source: String,
    /// What was changed in it, each as `key=value`.
    pub(super) overrides: Vec<String>,
}

impl Asked {
    pub(super) fn new(source: &str, overrides: &[Override]) -> Self {
        let overrides = overrides.iter().map(|set| set.text().to_owned()).collect();
        Self { source: source.into(), overrides }
    }

    /// The command that makes the same run again.
    pub(super) fn command(&self, seed: u64) -> String {
        let mut command = format!("headwater run {}", quoted(&self.source));
        for set in self.overrides.iter().filter(|set| !set.starts_with("seed=")) {
            command += &match set.strip_prefix("duration=").and_then(unquoted) {
                Some(duration) => format!(" --duration {}", quoted(duration)),
                None => format!(" --set {}", quoted(set)),
            };
        }
        command + &format!(" --seed {seed}")
    }
}

/// A text as a shell takes it for one word.
pub(super) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,%+@".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// What stands between the quotes of a TOML text.
fn unquoted(text: &str) -> Option<&str> {
    text.strip_prefix('"')?.strip_suffix('"').filter(|inner| !inner.contains(['"', '\\']))
}

/// The wall clock of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stopwatch {
    started_unix_ms: u64,
    begin: Instant,
}

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "wall-clock facts go to run.meta.json alone")]
    pub(super) fn start() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { started_unix_ms: since.as_millis() as u64, begin: Instant::now() }
    }

    /// Nanoseconds since the start.
    pub(super) fn elapsed(&self) -> u64 {
        self.begin.elapsed().as_nanos() as u64
    }
}

/// What was written.
pub(super) struct Written {
    pub(super) verdict: Verdict,
    /// The summary as it stands in its file.
    pub(super) summary: Value,
    pub(super) digest: Digest,
    pub(super) outcome: Outcome,
}

/// Judges a finished run and publishes its results. `stopped` says why it was stopped from outside,
/// if it was.
pub(super) fn write(
    plan: &Plan,
    asked: &Asked,
    mut folder: Folder,
    finished: Finished<CsvSink>,
    stopwatch: &Stopwatch,
    stopped: Option<&str>,
) -> Result<Written, Failure> {
    let elapsed = stopwatch.elapsed();
    let stopped = stopped.map(str::to_owned).or_else(|| finished.ending.reason());
    let mut summary = summary_json(&finished.summary, stopped.as_deref());
    folder.close(finished.sink)?;
    let record = Record { summary: &summary, tables: &InFolder(folder.partial()) };
    let verdict = expect::judge(&plan.expectations, &record)?;
    if let Value::Object(keys) = &mut summary {
        keys.insert("verdict".into(), verdict.to_json());
    }
    let mut sink = folder.sink(&[&EXPECTATIONS, &CHECKPOINTS])?;
    verdict.rows(&mut sink);
    let points = checkpoints(&finished.checkpoints, finished.checkpoint_spacing);
    checkpoints::write(&points, &mut sink);
    folder.close(sink)?;
    folder.write_json("summary.json", &summary)?;
    let manifest = Manifest {
        format: Manifest::FORMAT,
        program: Manifest::PROGRAM.into(),
        program_version: env!("CARGO_PKG_VERSION").into(),
        model_version: MODEL_VERSION,
        scenario: plan.scenario.name.clone(),
        seed: plan.seed.0,
        key: plan.key(),
        plan_digest: plan.digest(),
        event_digest: finished.digest,
        duration_ns: plan.end.as_nanos(),
        reached_ns: finished.reached.as_nanos(),
        complete: finished.ending == Ending::Complete,
        verdict: verdict.to_string(),
        source: asked.source.clone(),
        overrides: asked.overrides.clone(),
        command: asked.command(plan.seed.0),
        inputs: inputs(plan),
        files: Vec::new(),
        resolved: plan.resolved(),
    };
    let started = stopwatch.started_unix_ms;
    let meta = RunMeta::new(started, elapsed, finished.handled, peak_memory());
    let outcome = folder.publish(manifest, &meta)?;
    Ok(Written { verdict, summary, digest: finished.digest, outcome })
}

fn inputs(plan: &Plan) -> Vec<InputRecord> {
    let record = |file: &crate::scenario::inputs::InputFile| InputRecord {
        path: file.path.display().to_string(),
        bytes: file.bytes,
        sha256: file.sha256,
    };
    plan.inputs.iter().map(record).collect()
}

/// The folder in which the files that a scenario names start.
pub(super) fn base_of(source: &str) -> &Path {
    Path::new(source).parent().unwrap_or_else(|| Path::new(""))
}

/// Largest resident set of the process so far, where the system tells it in a file.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes * 1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_can_be_pasted_into_a_shell() {
        let asked = |source: &str, overrides: &[&str]| Asked {
            source: source.into(),
            overrides: overrides.iter().map(|set| (*set).to_owned()).collect(),
        };
        let plain = asked("quick-start", &["seed=7", "duration=\"5s\"", "network.loss=2%"]);
        let expected = "headwater run quick-start --duration 5s --set network.loss=2% --seed 7";
        assert_eq!(plain.command(7), expected);
        let odd = asked("it's here.toml", &["name=\"a b\""]);
        let expected = r#"headwater run 'it'\''s here.toml' --set 'name="a b"' --seed 1"#;
        assert_eq!(odd.command(1), expected);
    }
}
