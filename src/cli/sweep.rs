//! Command line: `headwater sweep`, `merge` and `compare`: experiments of many runs.

mod compare;
mod forecast;
mod list;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;

use super::budget::{BudgetArguments, Guard};
use super::progress::Tally;
use super::verdict::exit_code as code_of;
use super::{
    EXIT_BUDGET, EXIT_FAILED, EXIT_INTERNAL, EXIT_INTERRUPTED, EXIT_IO, EXIT_OK, EXIT_USAGE,
    Failure, ScenarioArguments, complain, interrupt, print,
};
use crate::expect;
use crate::experiment::schedule::{Records, Run, precision_in_words};
use crate::experiment::shard::Shard;
use crate::experiment::shown::shown;
use crate::experiment::store::Store;
use crate::experiment::sweep::{self, Conditions, Judged, Outcome, Report, Stop, Watch};
use crate::experiment::{
    Axis, Changes, Experiment, POINTS_FILE, RUNS_FILE, across, many, merge as join,
};
use crate::run::Progress;
use crate::scenario::reader::{Override, Source};
use crate::scenario::schema::sweep::Seeds;

pub(super) use self::compare::{CompareArguments, compare};

#[derive(Args, Debug)]
pub(super) struct SweepArguments {
    #[command(flatten)]
    scenario: ScenarioArguments,
    /// A key and its values: KEY=A,B,C or KEY=FROM..=TO, with :STEP or *FACTOR. May be repeated.
    #[arg(long, value_name = "KEY=VALUES")]
    axis: Vec<String>,
    /// Axes that go together, value by value, in place of all combinations.
    #[arg(long, value_name = "KEY,KEY")]
    zip: Vec<String>,
    /// The seeds of every point, such as 1..=20 [default: those of the scenario].
    #[arg(long, value_name = "SEEDS")]
    seeds: Option<Seeds>,
    /// Add seeds to a point until the 95 % interval of the mean is this narrow to either side.
    #[arg(long, value_name = "METRIC=SHARE")]
    until_precise: Option<String>,
    /// Most seeds of a point that is not precise enough, at least 5 [default: 200].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    most_seeds: Option<u32>,
    /// Folder for records and tables [default: results/NAME-sweep, with a short key when an option
    /// changed the scenario or its axes].
    #[arg(long, short, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Replace another sweep in the output folder.
    #[arg(long)]
    force: bool,
    /// Runs side by side [default: one per core].
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Make only a part of the runs: I/N, or auto or auto/N to ask the scheduler which.
    #[arg(long, value_name = "I/N")]
    shard: Option<String>,
    /// List the points, and what they would cost, without a run.
    #[arg(long, conflicts_with = "commands")]
    dry_run: bool,
    /// Print a command for each run, one per line, without a run.
    #[arg(long)]
    commands: bool,
    /// Start even if there are more than 10,000 runs.
    #[arg(long)]
    yes: bool,
    /// Print this key figure for each point, such as rumors.latency.p50_ns. May be repeated.
    #[arg(long, value_name = "METRIC")]
    show: Vec<String>,
    /// Print nothing but errors.
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    budget: BudgetArguments,
}

#[derive(Args, Debug)]
pub(super) struct MergeArguments {
    /// Folders of parts of one sweep.
    #[arg(required = true, value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// Folder for the whole sweep.
    #[arg(long, short, value_name = "DIR")]
    output: PathBuf,
    /// Replace another sweep in the output folder.
    #[arg(long)]
    force: bool,
}

/// More runs than this need a word of consent: an axis too many is quickly written.
const MANY_RUNS: u128 = 10_000;

impl SweepArguments {
    fn experiment(&self) -> Result<Experiment, Failure> {
        let axes = self.axis.iter().map(|text| Axis::parse(text));
        let seeds = match (&self.seeds, self.scenario.seed) {
            (Some(_), Some(_)) => {
                return Err(Failure::usage("--seed and --seeds exclude each other"));
            }
            (None, Some(seed)) => Some(Seeds::one(seed)),
            (seeds, None) => seeds.clone(),
        };
        let keys = |zip: &String| zip.split(',').map(|key| key.trim().to_owned()).collect();
        let changes = Changes {
            axes: axes.collect::<Result<_, _>>()?,
            zips: self.zip.iter().map(keys).collect(),
            seeds,
            until_precise: self.until_precise.clone(),
            most_seeds: self.most_seeds,
            show: self.show.clone(),
            open: false,
        };
        let mut overrides = self.scenario.overrides()?;
        overrides.extend(self.budget.overrides()?);
        Ok(Experiment::read(self.scenario.source()?, overrides, changes)?)
    }

    fn output(&self, experiment: &Experiment) -> PathBuf {
        let definition = experiment.definition();
        let changed = !(self.axis.is_empty()
            && self.zip.is_empty()
            && self.scenario.set.is_empty()
            && self.scenario.duration.is_none()
            && self.budget.words().is_empty());
        let suffix = if changed { format!("-{}", definition.key.short(8)) } else { String::new() };
        let name = format!("{}-sweep{suffix}", definition.scenario);
        self.output.clone().unwrap_or_else(|| PathBuf::from("results").join(name))
    }

    fn shard(&self, experiment: &Experiment) -> Result<Shard, Failure> {
        let Some(text) = &self.shard else { return Ok(Shard::WHOLE) };
        #[expect(clippy::disallowed_methods, reason = "schedulers number tasks in the environment")]
        let (shard, used) = Shard::parse(text, &|name| std::env::var(name).ok())?;
        if !shard.is_whole() && experiment.definition().until_precise.is_some() {
            return Err(Failure::usage(
                "--shard and --until-precise exclude each other: which seeds are added depends on \
                 all runs of a point",
            ));
        }
        if let Some(used) = used.filter(|_| !self.quiet) {
            complain("note", &format!("part {shard} by {used}"));
        }
        Ok(shard)
    }
}

pub(super) fn sweep(arguments: &SweepArguments) -> Result<u8, Failure> {
    let experiment = arguments.experiment()?;
    let processors = || std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = arguments.jobs.map_or_else(processors, usize::from);
    let shard = arguments.shard(&experiment)?;
    let conditions = Conditions { jobs, shard };
    let watch = Eyes {
        guard: arguments.budget.guard(jobs)?,
        bar: Tally::new(arguments.quiet || arguments.dry_run || arguments.commands),
    };
    if arguments.dry_run {
        sweep::check(&experiment, &Records::new(), conditions, &watch, list::CHECKED)?;
        return list::dry_run(&experiment, conditions);
    }
    let runs = experiment.least_runs();
    if runs > MANY_RUNS && !arguments.yes {
        return Err(Failure::usage(format!(
            "the sweep has {runs} runs ({} points); --yes starts more than {MANY_RUNS}, --dry-run \
             tells what they would cost",
            experiment.points()
        )));
    }
    let output = arguments.output(&experiment);
    if arguments.commands {
        return list::commands(arguments, &experiment, &output);
    }
    interrupt::listen()?;
    // What is wrong with a point is found before a folder is made.
    sweep::check(&experiment, &Records::new(), conditions, &watch, usize::MAX)?;
    let store = Store::open(&output, experiment.definition().clone(), arguments.force)?;
    let report = sweep::sweep(&experiment, &store, conditions, &watch, &judge);
    watch.bar.finish();
    let report = report?;
    for note in report.notes.iter().filter(|_| !arguments.quiet) {
        complain("note", note);
    }
    if report.interrupted {
        let kept = report.part.len();
        complain(
            "error",
            &format!(
                "interrupted with {kept} runs done, all of them kept in {}; the same command goes \
                 on from there",
                output.display()
            ),
        );
        return Ok(EXIT_INTERRUPTED);
    }
    outcome(arguments, &experiment, &report, (shard, &output))
}

/// Says what came of a sweep that was not interrupted, and with which code it ends.
fn outcome(
    arguments: &SweepArguments,
    experiment: &Experiment,
    report: &Report,
    (shard, output): (Shard, &Path),
) -> Result<u8, Failure> {
    let across = match report.missing {
        0 => across(experiment.definition(), &report.records)?,
        _ => Vec::new(),
    };
    let (lines, of_points) = across_in_words(&across);
    let code = super::gravest([exit_code(&report.records, &report.part), of_points]);
    if !arguments.quiet {
        let mut text = told(experiment, report, shard, output) + &lines;
        if report.missing == 0 && !experiment.show().is_empty() {
            let (table, unknown) =
                shown(experiment.definition(), &report.records, experiment.show())?;
            text += &format!("\n{table}");
            unknown.iter().for_each(|why| complain("note", why));
        }
        print(&text)?;
    } else if code != EXIT_OK {
        let broken = across.iter().filter(|judged| judged.outcome() != expect::Outcome::Pass);
        let broken: String =
            broken.map(|judged| format!("; across {}", in_words(judged))).collect();
        complain("error", &(verdicts(report) + &broken));
    }
    Ok(code)
}

/// What came of a sweep, in words.
fn told(experiment: &Experiment, report: &Report, shard: Shard, output: &Path) -> String {
    let definition = experiment.definition();
    let Report { part, made, missing, .. } = report;
    let mut text = format!("{} (sweep {})\n", definition.scenario, definition.key.short(8));
    for axis in &definition.axes {
        let all = &axis.values;
        let shown: Vec<&str> = all.iter().take(12).map(String::as_str).collect();
        let more = all.len().saturating_sub(shown.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        text += &format!("  axis     {} = {}{more}\n", axis.key, shown.join(", "));
    }
    let found = part.len() - made;
    let more = if definition.until_precise.is_some() { " and more where needed" } else { "" };
    text += &format!("  points   {}, seeds {}{more}\n", experiment.points(), definition.seeds);
    text += &format!("  runs     {} ({made} made now, {found} found)\n", part.len());
    if !shard.is_whole() {
        text += &format!("  part     {shard}\n");
    }
    text += &format!("  verdicts {}\n", verdicts(report));
    if let (Ok(Some(words)), 0) = (precision_in_words(definition, &report.records), report.missing)
    {
        text += &format!("  precise  {words}\n");
    }
    let folder = output.display();
    text += &match missing {
        0 => format!("  results  {folder}/{RUNS_FILE}, {folder}/{POINTS_FILE}\n"),
        missing => {
            format!("  results  {folder}; {missing} runs of other parts are missing there\n")
        }
    };
    text
}

/// How many runs of the part ended in which way.
fn verdicts(report: &Report) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for run in &report.part {
        let code = report.records.get(run).map_or(EXIT_IO, |record| record.exit_code);
        *counts.entry(word(code)).or_default() += 1;
    }
    let counts: Vec<String> =
        counts.iter().map(|(word, count)| format!("{count} {word}")).collect();
    counts.join(", ")
}

const fn word(code: u8) -> &'static str {
    match code {
        EXIT_OK => "as expected",
        EXIT_FAILED => "failed",
        EXIT_BUDGET => "stopped by a limit",
        EXIT_USAGE => "refused",
        EXIT_IO => "gone (somebody has removed their records)",
        _ => "broken (a bug)",
    }
}

/// The gravest code of the runs of a part.
fn exit_code(records: &Records, part: &std::collections::BTreeSet<Run>) -> u8 {
    let code = |run| records.get(run).map_or(EXIT_IO, |record| record.exit_code);
    let has = |wanted: &u8| part.iter().any(|run| code(run) == *wanted);
    let gravest = [EXIT_INTERNAL, EXIT_IO, EXIT_USAGE, EXIT_FAILED, EXIT_BUDGET];
    gravest.into_iter().find(has).unwrap_or(EXIT_OK)
}

/// What becomes of a run of a sweep: the same as of a run by itself.
fn judge(outcome: Outcome<'_>) -> Judged {
    let mut expectations = Vec::new();
    let (verdict, exit_code) = match outcome {
        Outcome::Ran(_, verdict) => {
            let own = verdict.judged.iter().filter(|judged| judged.place.is_some());
            expectations.extend(own.map(in_words));
            (verdict.to_string(), code_of(verdict.outcome))
        }
        Outcome::Stopped(why) => (format!("stopped: {why}"), EXIT_BUDGET),
        Outcome::Refused(errors) => {
            let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
            (format!("refused: {}", errors.join("; ")), EXIT_USAGE)
        }
        Outcome::Panicked(why) => (format!("failed: {why}, which is a bug"), EXIT_INTERNAL),
    };
    Judged { verdict, exit_code, expectations }
}

/// What became of an expectation, in a line.
fn in_words(judged: &expect::Judged) -> String {
    format!("{}: {} ({})", judged.label, judged.ruling.word(), judged.found)
}

/// What came of the expectations across the points of a finished sweep, in words and as a code.
fn across_in_words(judged: &[expect::Judged]) -> (String, u8) {
    let lines = judged.iter().map(|judged| format!("  across   {}\n", in_words(judged)));
    let failed = judged.iter().any(|judged| judged.outcome() != expect::Outcome::Pass);
    (lines.collect(), if failed { EXIT_FAILED } else { EXIT_OK })
}

/// Refuses a scenario whose `[sweep]` does not make sense; points are looked at as in a dry run.
pub(super) fn validate(source: &Source, overrides: Vec<Override>) -> Result<(), Failure> {
    /// There is nothing to stop.
    struct Blind;
    impl Watch for Blind {
        fn begin(&self, _: usize) {}
        fn check(&self, _: usize, _: Progress) -> Option<Stop> {
            None
        }
        fn end(&self, _: usize, _: usize, _: usize) {}
        fn interrupted(&self) -> bool {
            false
        }
    }
    let changes = Changes { open: true, ..Changes::default() };
    let experiment = Experiment::read(source.clone(), overrides, changes)?;
    let conditions = Conditions { jobs: 1, shard: Shard::WHOLE };
    Ok(sweep::check(&experiment, &Records::new(), conditions, &Blind, list::CHECKED)?)
}

/// Looks at clocks, memory and signals for the runs of a sweep.
struct Eyes {
    guard: Guard,
    bar: Tally,
}

impl Watch for Eyes {
    fn begin(&self, worker: usize) {
        self.guard.begin(worker);
    }

    fn check(&self, worker: usize, _: Progress) -> Option<Stop> {
        if interrupt::asked() {
            return Some(Stop::Interrupted);
        }
        self.guard.check(worker).map(Stop::Budget)
    }

    fn end(&self, worker: usize, done: usize, of: usize) {
        self.guard.end(worker);
        self.bar.show(done, of);
    }

    fn interrupted(&self) -> bool {
        interrupt::asked()
    }
}

pub(super) fn merge(arguments: &MergeArguments) -> Result<u8, Failure> {
    let merged = join::merge(&arguments.folders, &arguments.output, arguments.force)?;
    for note in &merged.damaged {
        complain("note", note);
    }
    let (runs, folders) = (merged.records.len(), arguments.folders.len());
    let (runs, folders) = (many(runs, "run"), many(folders, "folder"));
    let mut text = format!("{runs} of {folders} joined");
    if merged.duplicates > 0 {
        text += &format!(", {} of them found twice with equal bytes", merged.duplicates);
    }
    let folder = arguments.output.display();
    let (lines, code) = across_in_words(&merged.across);
    print(&format!("{text}\n  results  {folder}/{RUNS_FILE}, {folder}/{POINTS_FILE}\n{lines}"))?;
    Ok(code)
}
