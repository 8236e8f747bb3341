//! Command line: of `check`, one case: a scenario that is run, or results that are judged again.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::cli::budget::Guard;
use crate::cli::record::{Asked, Stopwatch};
use crate::cli::verdict::exit_code;
use crate::cli::{EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK, Failure, gravest, interrupt};
use crate::expect::{self, Expectation, InFolder, Outcome, Record, Verdict, summary_json};
use crate::experiment::definition::Definition;
use crate::experiment::store::{self, Found};
use crate::experiment::{across_by, many, merge, of_runs};
use crate::fact::Deaf;
use crate::metrics::table::SomeTables;
use crate::results::manifest::Manifest;
use crate::results::{ResultsError, altered};
use crate::run::{Ending, Go, run};
use crate::scenario::error::{Location, ScenarioError};
use crate::scenario::plan::{Plan, expectations};
use crate::scenario::reader::{Locations, Override, Source};
use crate::scenario::shipped;

/// What is checked.
#[derive(Clone, Debug)]
pub(super) enum Case {
    /// A scenario that is run.
    Scenario {
        /// As it was named.
        name: String,
        /// Whether it may be passed over if it expects nothing.
        in_folder: bool,
        /// What is changed in it.
        overrides: Vec<Override>,
    },
    /// A result folder that is judged again.
    Results {
        folder: PathBuf,
        /// The scenario whose expectations are asked, in place of its own.
        by: Option<String>,
    },
    /// The folder of a sweep, of which the expectations across points are judged again.
    Sweep {
        folder: PathBuf,
        /// As of results.
        by: Option<String>,
    },
}

/// What a case came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// It has a verdict.
    Judged(Outcome),
    /// It could not be run or read.
    Refused,
    /// It expects nothing.
    Unasked,
    /// A signal came before it was done.
    Unfinished,
}

/// A case and what came of it.
#[derive(Clone, Debug)]
pub(super) struct Checked {
    /// What it is called in the table.
    pub(super) name: String,
    pub(super) seed: Option<u64>,
    pub(super) state: State,
    pub(super) code: u8,
    pub(super) verdict: Option<Verdict>,
    /// Errors and remarks.
    pub(super) messages: Vec<String>,
    /// How long it took.
    pub(super) elapsed: Option<Duration>,
    /// The command that makes the same run.
    pub(super) command: Option<String>,
    /// Where each expectation stands, as far as that is known.
    pub(super) places: Vec<Option<Location>>,
    /// The file that is to blame for an error.
    pub(super) file: Option<PathBuf>,
}

impl Checked {
    /// A case that could not be judged, or was interrupted, as its exit code says.
    pub(super) fn refused(case: &Case, code: u8, messages: Vec<String>) -> Self {
        let (name, file) = match case {
            Case::Scenario { name, .. } => {
                (name.clone(), Path::new(name).exists().then(|| name.into()))
            }
            Case::Results { folder, .. } | Case::Sweep { folder, .. } => {
                (folder.display().to_string(), Some(folder.clone()))
            }
        };
        Self {
            name,
            seed: None,
            state: if code == EXIT_INTERRUPTED { State::Unfinished } else { State::Refused },
            code,
            verdict: None,
            messages,
            elapsed: None,
            command: None,
            places: Vec::new(),
            file,
        }
    }
}

impl Case {
    /// Runs or reads it and judges it. The guard stops a run that has used up its budget.
    pub(super) fn check(&self, guard: &Guard, worker: usize) -> Checked {
        let checked = match self {
            Self::Scenario { name, in_folder, overrides } => {
                self.run(name, *in_folder, overrides, &|| guard.check(worker))
            }
            Self::Results { folder, by } => self.judge_again(folder, by.as_deref()),
            Self::Sweep { folder, by } => self.judge_sweep(folder, by.as_deref()),
        };
        checked.unwrap_or_else(|Failure { code, messages }| Checked::refused(self, code, messages))
    }

    fn run(
        &self,
        name: &str,
        lenient: bool,
        sets: &[Override],
        budget: &dyn Fn() -> Option<String>,
    ) -> Result<Checked, Failure> {
        let source = shipped::find(name)?;
        let read = shipped::read(&source, sets)?;
        let unasked = Checked::refused(self, EXIT_OK, Vec::new());
        if read.value.expect.is_empty() && lenient {
            return Ok(Checked { state: State::Unasked, ..unasked });
        }
        let places = places(&read.locations, read.value.expect.len());
        let plan = Plan::of(&read, &source.base_dir)?;
        let stopwatch = Stopwatch::start();
        let tables = expect::tables(&plan.expectations);
        let mut spent = None;
        let finished = run(&plan, SomeTables::new(tables), Deaf, &mut |_| {
            spent = budget();
            if spent.is_some() || interrupt::asked() { Go::Stop } else { Go::On }
        });
        if finished.ending == Ending::Stopped && spent.is_none() {
            return Err(Failure { code: EXIT_INTERRUPTED, messages: Vec::new() });
        }
        let stopped = spent.or_else(|| finished.ending.reason());
        let summary = summary_json(&finished.summary, stopped.as_deref());
        let record = Record { summary: &summary, tables: finished.sink.kept() };
        let verdict = expect::judge(&plan.expectations, &record)?;
        Ok(Checked {
            seed: Some(plan.seed.0),
            state: State::Judged(verdict.outcome),
            code: exit_code(verdict.outcome),
            verdict: Some(verdict),
            elapsed: Some(Duration::from_nanos(stopwatch.elapsed())),
            command: Some(Asked::new(name, sets).command(plan.seed.0)),
            places,
            ..unasked
        })
    }

    fn judge_again(&self, folder: &Path, by: Option<&str>) -> Result<Checked, Failure> {
        let stopwatch = Stopwatch::start();
        let manifest = Manifest::read(folder)?;
        if let Some(file) = altered(folder, &manifest)?.first() {
            let reason = "is not the file that the run wrote (its SHA-256 stands in manifest.json)";
            return Err(ResultsError::Damaged { path: folder.join(file), reason: reason.into() })?;
        }
        let (asked, places) = match by {
            Some(name) => asked_by(&shipped::find(name)?)?,
            None => {
                let file = folder.join(Manifest::FILE).display().to_string();
                (asked_by(&Source::embedded(&file, &manifest.resolved))?.0, Vec::new())
            }
        };
        let summary = read_summary(folder)?;
        let tables = InFolder(folder);
        let verdict = expect::judge(&asked, &Record { summary: &summary, tables: &tables })?;
        let mut messages = Vec::new();
        if by.is_none() && verdict.to_string() != manifest.verdict {
            messages.push(format!("when it was run, the verdict was: {}", manifest.verdict));
        }
        Ok(Checked {
            seed: Some(manifest.seed),
            state: State::Judged(verdict.outcome),
            code: exit_code(verdict.outcome),
            verdict: Some(verdict),
            elapsed: Some(Duration::from_nanos(stopwatch.elapsed())),
            command: Some(manifest.command),
            places,
            ..Checked::refused(self, EXIT_OK, messages)
        })
    }
}

impl Case {
    /// What is expected of numbers of the summary, and across points, is judged by the records;
    /// what else became of the runs stands in these.
    fn judge_sweep(&self, folder: &Path, by: Option<&str>) -> Result<Checked, Failure> {
        let stopwatch = Stopwatch::start();
        let definition = Definition::of_folder(folder)?;
        let Found { records, damaged, .. } = store::load(folder, &definition)?;
        merge::complete(&definition, &records, &damaged)?;
        let (asked, places) = match by {
            Some(name) => asked_by(&shipped::find(name)?)?,
            None => {
                let file = folder.join(Definition::FILE).display().to_string();
                (asked_by(&Source::embedded(&file, &definition.resolved))?.0, Vec::new())
            }
        };
        let mut judged = of_runs(&asked, &definition, &records);
        judged.extend(across_by(&asked, &definition, &records));
        judged.sort_by_key(|judged| judged.place);
        // What a run broke of its own expectations is another matter if it is judged by others.
        let counts = |code: u8| code != EXIT_OK && (by.is_none() || code != EXIT_FAILED);
        let failed: Vec<_> = records.values().filter(|record| counts(record.exit_code)).collect();
        let mut messages = Vec::new();
        let rest = asked.len() - judged.len();
        if rest > 0 {
            messages
                .push(format!("{rest} of {} expectations need the tables of runs", asked.len()));
        }
        if let Some(first) = failed.first() {
            let (count, all, verdict) = (failed.len(), records.len(), &first.verdict);
            let all = many(all, "run");
            messages.push(format!(
                "{count} of {all} did not end as expected when made; the first: {verdict}"
            ));
        }
        let outcomes = judged.iter().map(expect::Judged::outcome);
        let outcome = outcomes.max_by_key(|outcome| exit_code(*outcome)).unwrap_or(Outcome::Pass);
        let codes = failed.iter().map(|record| record.exit_code).chain([exit_code(outcome)]);
        let code = gravest(codes);
        let outcome = if code == EXIT_OK || exit_code(outcome) != EXIT_OK {
            outcome
        } else {
            Outcome::Failed
        };
        Ok(Checked {
            state: State::Judged(outcome),
            code,
            verdict: Some(Verdict { outcome, stopped: None, judged, warnings: Vec::new() }),
            elapsed: Some(Duration::from_nanos(stopwatch.elapsed())),
            places,
            ..Checked::refused(self, EXIT_OK, messages)
        })
    }
}

/// The expectations of a scenario, without the rest of it, and where they stand.
fn asked_by(source: &Source) -> Result<(Vec<Expectation>, Vec<Option<Location>>), Failure> {
    let read = shipped::read(source, &[])?;
    let locate = |error| Locations::locate(&read.locations, error);
    let found = expectations(&read.value.expect).map_err(locate)?;
    Ok((found, places(&read.locations, read.value.expect.len())))
}

fn places(locations: &Locations, count: usize) -> Vec<Option<Location>> {
    let place = |place| {
        let key = format!("expect[{place}]");
        locations.locate(ScenarioError::new(key, "")).location
    };
    (0..count).map(place).collect()
}

/// The summary of a result folder.
fn read_summary(folder: &Path) -> Result<Value, Failure> {
    let path = folder.join("summary.json");
    let bytes = std::fs::read(&path).map_err(|error| Failure::io("read", &path, &error))?;
    serde_json::from_slice(&bytes).map_err(|error| {
        ResultsError::Damaged { path, reason: format!("is no JSON: {error}") }.into()
    })
}
