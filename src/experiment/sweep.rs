//! Experiment layer: makes the runs of a sweep, side by side, and keeps a record of each.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::definition::Definition;
use super::record::{Record, metrics};
use super::schedule::{Records, Run, wanted};
use super::shard::Shard;
use super::store::{Found, Store};
use super::{Experiment, ExperimentError};
use crate::base::digest::Digest;
use crate::base::quantity::Chance;
use crate::expect::across::compare_values;
use crate::expect::{self, Verdict, summary_json};
use crate::fact::Deaf;
use crate::metrics::table::{Cell, MemorySink, RowSink, TableSpec};
use crate::run::{self, Ending, Finished, Go, Progress};
use crate::scenario::error::ScenarioError;
use crate::scenario::plan::{MODEL_VERSION, Plan};

/// Why a run is to stop before its end, as whoever looks at clocks, memory and signals says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Somebody wants the whole sweep to stop. Nothing is kept of the run.
    Interrupted,
    /// The run has used up a budget of its own, named in a sentence. It is kept as it is.
    Budget(String),
}

/// What the world outside of the runs has to say. Workers are numbered from zero.
pub trait Watch: Sync {
    /// A worker begins a run.
    fn begin(&self, worker: usize);
    /// Asked now and then during a run: a reason to stop.
    fn check(&self, worker: usize, progress: Progress) -> Option<Stop>;
    /// A worker is done with a run, of so many that are to be made now.
    fn end(&self, worker: usize, done: usize, of: usize);
    /// Whether no run is to be begun any more.
    fn interrupted(&self) -> bool;
}

/// How a run of a sweep ended, for the judge.
#[derive(Clone, Copy, Debug)]
pub enum Outcome<'a> {
    /// It ran until it came to its end or reached a limit of its scenario.
    Ran(&'a Plan, &'a Verdict),
    /// A budget of the command line stopped it.
    Stopped(&'a str),
    /// Its scenario cannot be resolved with its seed.
    Refused(&'a [ScenarioError]),
    /// It panicked, which is a bug.
    Panicked(&'a str),
}

/// What becomes of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// In words.
    pub verdict: String,
    /// The exit code of the run by itself.
    pub exit_code: u8,
    /// What became of each expectation, a line each.
    pub expectations: Vec<String>,
}

/// Who says what becomes of a run.
pub type Judge<'a> = &'a (dyn Fn(Outcome<'_>) -> Judged + Sync);

/// How a sweep is to be made.
#[derive(Clone, Copy, Debug)]
pub struct Conditions {
    /// Runs side by side.
    pub jobs: usize,
    /// The part that is to be made here.
    pub shard: Shard,
}

/// What came of a sweep.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Runs of this part that have a record.
    pub part: BTreeSet<Run>,
    /// Runs that have been made now; the rest had been made before.
    pub made: usize,
    /// Runs of the whole sweep that have no record yet.
    pub missing: usize,
    /// What is known of the whole sweep.
    pub records: Records,
    /// Whether it was interrupted.
    pub interrupted: bool,
    /// What is not an error but should be said.
    pub notes: Vec<String>,
}

/// Makes all runs of a part that are not there yet, and the tables if no run of the whole sweep is
/// missing then. Records and tables do not depend on the conditions. A run whose scenario is wrong
/// is judged like every other; [`check`] finds such before.
///
/// # Errors
/// Those of [`ExperimentError`] that have to do with files, when a record cannot be kept: what has
/// been is kept.
pub fn sweep(
    experiment: &Experiment,
    store: &Store,
    conditions: Conditions,
    watch: &dyn Watch,
    judge: Judge<'_>,
) -> Result<Report, ExperimentError> {
    let found = store.load()?;
    let mut report = Report { notes: found.damaged.clone(), ..Report::default() };
    let work = Work { experiment, store, found: &found, watch, judge };
    // With seeds that are added, each round asks for what the one before makes necessary.
    let mut known = found.records.clone();
    let mut checked: BTreeSet<Run> = BTreeSet::new();
    while !watch.interrupted() {
        let runs = wanted(experiment.definition(), &known)?;
        let mine = runs.iter().enumerate().filter(|(place, _)| conditions.shard.holds(*place));
        let open: Vec<Run> = mine.map(|(_, run)| *run).filter(|r| !checked.contains(r)).collect();
        if open.is_empty() {
            break;
        }
        let (records, made) = work.make(&open, conditions.jobs)?;
        report.made += made;
        checked.extend(records.keys());
        known.extend(records);
    }
    report.interrupted = watch.interrupted();
    report.part = checked;
    (report.records, report.missing) = store.finish()?;
    report.notes.extend(without_effect(experiment, &report.records));
    Ok(report)
}

/// Resolves each point of a part with its first seed, so that a mistake is found before the first
/// run and not after hours; of more than `most` points that many, evenly spread.
///
/// # Errors
/// [`ExperimentError::Scenario`] for the first point that is wrong, with the number of others.
pub fn check(
    experiment: &Experiment,
    records: &Records,
    conditions: Conditions,
    watch: &dyn Watch,
    most: usize,
) -> Result<(), ExperimentError> {
    let runs = wanted(experiment.definition(), records)?;
    let mine = runs.iter().enumerate().filter(|(place, _)| conditions.shard.holds(*place));
    let mut points: Vec<usize> = mine.map(|(_, run)| run.point).collect();
    points.dedup();
    let (all, most) = (points.len(), most.max(1));
    if all > most {
        points = (0..most).map(|place| points[place * (all - 1) / (most - 1).max(1)]).collect();
    }
    let seed = experiment.definition().first_seeds().first().copied().unwrap_or_default();
    let refused: Mutex<Vec<(usize, Vec<ScenarioError>)>> = Mutex::new(Vec::new());
    let keys: Mutex<Vec<(Digest, usize)>> = Mutex::new(Vec::new());
    side_by_side(points.len(), conditions.jobs, |_, place| {
        match experiment.plan(points[place], seed) {
            Ok(plan) => {
                let mut keys = keys.lock().unwrap_or_else(|poison| poison.into_inner());
                keys.push((plan.key(), points[place]));
            }
            Err(errors) => {
                let mut refused = refused.lock().unwrap_or_else(|poison| poison.into_inner());
                refused.push((points[place], errors));
            }
        }
        !watch.interrupted()
    });
    let mut refused = refused.into_inner().unwrap_or_else(|poison| poison.into_inner());
    refused.sort_by_key(|(point, _)| *point);
    let others = refused.len().saturating_sub(1);
    let Some((_, mut errors)) = refused.into_iter().next() else {
        let keys = keys.into_inner().unwrap_or_else(|poison| poison.into_inner());
        return no_value_twice(experiment.definition(), keys);
    };
    if others > 0 {
        let points = if others == 1 { "point is" } else { "points are" };
        errors.push(ScenarioError::new("", format!("{others} more {points} refused")));
    }
    Err(ExperimentError::Scenario(errors))
}

/// Refuses two spellings of one value as two points. Points that are equal because nothing reads
/// what differs are told of when the runs are there.
fn no_value_twice(
    definition: &Definition,
    mut keys: Vec<(Digest, usize)>,
) -> Result<(), ExperimentError> {
    keys.sort_unstable();
    let points = definition.points()?;
    for pair in keys.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
        let (a, b) = (&points[pair[0].1], &points[pair[1].1]);
        let values = || a.iter().zip(b).zip(&definition.axes);
        let differ = values().find(|((a, b), _)| a != b);
        if let Some(((a, b), axis)) = differ
            && values().all(|((a, b), _)| same_value(a, b))
        {
            let message = format!("{a} stands twice in the axis {}, once as {b}", axis.key);
            return Err(ExperimentError::Usage(message));
        }
    }
    Ok(())
}

/// Whether two labels may be spellings of one value: a share may also be a plain number.
fn same_value(a: &str, b: &str) -> bool {
    let chance = |text: &str| {
        let plain = || Chance::try_from(text.parse::<f64>().ok()?).ok();
        text.parse::<Chance>().ok().or_else(plain)
    };
    compare_values(a, b).is_eq() || chance(a).is_some_and(|a| Some(a) == chance(b))
}

/// Calls `act` with the number of a worker and each place below `count`, on `jobs` threads, in
/// turn, until one of the calls says no.
fn side_by_side(count: usize, jobs: usize, act: impl Fn(usize, usize) -> bool + Sync) {
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let worker = |number: usize| {
        while !stop.load(Ordering::Relaxed) {
            let place = next.fetch_add(1, Ordering::Relaxed);
            if place >= count {
                break;
            }
            if !act(number, place) {
                stop.store(true, Ordering::Relaxed);
            }
        }
    };
    std::thread::scope(|scope| {
        let worker = &worker;
        // This thread is one of the workers.
        for number in 1..jobs.min(count) {
            scope.spawn(move || worker(number));
        }
        worker(0);
    });
}

/// What all workers share.
struct Work<'a> {
    experiment: &'a Experiment,
    store: &'a Store,
    found: &'a Found,
    watch: &'a dyn Watch,
    judge: Judge<'a>,
}

/// What became of a run that was due.
enum Due {
    /// Its record had been there.
    There(Record),
    /// It has been made.
    Made(Record),
    /// It was interrupted.
    Not,
}

impl Work<'_> {
    /// Makes these runs as far as they are not there; gives their records and how many are new.
    fn make(&self, runs: &[Run], jobs: usize) -> Result<(Records, usize), ExperimentError> {
        let (done, new) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let records: Mutex<Records> = Mutex::new(Records::new());
        let failure: Mutex<Option<ExperimentError>> = Mutex::new(None);
        side_by_side(runs.len(), jobs, |worker, place| {
            let run = runs[place];
            let due = match self.due(worker, run) {
                Ok(due) => due,
                Err(error) => {
                    let mut failure = failure.lock().unwrap_or_else(|poison| poison.into_inner());
                    failure.get_or_insert(error);
                    return false;
                }
            };
            let record = match due {
                Due::There(record) => record,
                Due::Made(record) => {
                    new.fetch_add(1, Ordering::Relaxed);
                    record
                }
                Due::Not => return false,
            };
            let mut records = records.lock().unwrap_or_else(|poison| poison.into_inner());
            records.insert(run, record);
            drop(records);
            self.watch.end(worker, done.fetch_add(1, Ordering::Relaxed) + 1, runs.len());
            !self.watch.interrupted()
        });
        match failure.into_inner().unwrap_or_else(|poison| poison.into_inner()) {
            Some(error) => Err(error),
            None => {
                let records = records.into_inner().unwrap_or_else(|poison| poison.into_inner());
                Ok((records, new.into_inner()))
            }
        }
    }

    /// One run: found, or made and kept.
    fn due(&self, worker: usize, run: Run) -> Result<Due, ExperimentError> {
        let plan = self.experiment.plan(run.point, run.seed);
        let axes = self.axes(run.point);
        let key = Record::key_of(self.key(run, &plan), &axes);
        let before = self.found.records.get(&run);
        let there = before.filter(|record| record.key == key).cloned();
        // Another process may have made it since.
        let there = match there {
            Some(record) => Some(record),
            None => self.store.find(key)?,
        };
        if let Some(record) = there.filter(|record| record.repeatable) {
            return Ok(Due::There(record));
        }
        let record = Record {
            format: Record::FORMAT,
            program_version: env!("CARGO_PKG_VERSION").into(),
            model_version: MODEL_VERSION,
            key,
            scenario: self.experiment.definition().scenario.clone(),
            seed: run.seed,
            axes,
            complete: false,
            repeatable: true,
            verdict: String::new(),
            exit_code: 0,
            expectations: Vec::new(),
            event_digest: None,
            reached_ns: 0,
            events: 0,
            metrics: Vec::new(),
        };
        let record = match plan {
            Err(errors) => Some(self.judged(record, Outcome::Refused(&errors))),
            Ok(plan) => {
                let run = || self.run(worker, &plan, record.clone());
                // What a run owns goes down with it, and nothing is shared with others.
                catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
                    Some(self.judged(record, Outcome::Panicked(text_of(&*panic))))
                })
            }
        };
        let Some(record) = record else { return Ok(Due::Not) };
        self.store.put(&record, before)?;
        Ok(Due::Made(record))
    }

    /// The key of a run. One that cannot be resolved has none of its own.
    fn key(&self, run: Run, plan: &Result<Plan, Vec<ScenarioError>>) -> Digest {
        match plan {
            Ok(plan) => plan.key(),
            Err(_) => {
                let sweep = &self.experiment.definition().key;
                Digest::of_parts(&[b"headwater refused", &sweep.0, &run.seed.to_le_bytes()])
            }
        }
    }

    fn axes(&self, point: usize) -> Vec<String> {
        let places = self.experiment.grid.places(point).into_iter();
        let axes = places.zip(&self.experiment.definition().axes);
        axes.map(|(place, axis)| axis.values[place].clone()).collect()
    }

    fn judged(&self, record: Record, outcome: Outcome<'_>) -> Record {
        let Judged { verdict, exit_code, expectations } = (self.judge)(outcome);
        Record { verdict, exit_code, expectations, ..record }
    }

    /// Runs a plan; `None` if it was interrupted.
    fn run(&self, worker: usize, plan: &Plan, record: Record) -> Option<Record> {
        let mut stop = None;
        self.watch.begin(worker);
        // Rows are kept only where something is expected of them.
        let sink = Asked { kept: MemorySink::new(), wanted: !plan.expectations.is_empty() };
        let finished = run::run(plan, sink, Deaf, &mut |progress| {
            stop = self.watch.check(worker, progress);
            if stop.is_some() { Go::Stop } else { Go::On }
        });
        let Finished { summary, digest, ending, reached, handled, sink, .. } = finished;
        let record = Record {
            complete: ending == Ending::Complete,
            repeatable: stop.is_none(),
            event_digest: Some(digest),
            reached_ns: reached.as_nanos(),
            events: handled,
            metrics: metrics(&summary),
            ..record
        };
        match stop {
            Some(Stop::Interrupted) => None,
            Some(Stop::Budget(why)) => Some(self.judged(record, Outcome::Stopped(&why))),
            None => {
                let summary = summary_json(&summary, ending.reason().as_deref());
                let found = expect::Record { summary: &summary, tables: &sink.kept };
                let verdict = expect::judge(&plan.expectations, &found);
                // Tables in memory can always be read.
                verdict.ok().map(|verdict| self.judged(record, Outcome::Ran(plan, &verdict)))
            }
        }
    }
}

/// The words of a panic.
fn text_of(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no words")
}

/// A sink for rows that nobody may want: of a run in a sweep only the summary is kept.
struct Asked {
    kept: MemorySink,
    wanted: bool,
}

impl RowSink for Asked {
    fn row(&mut self, table: &'static TableSpec, cells: &[Cell<'_>]) {
        if self.wanted {
            self.kept.row(table, cells);
        }
    }
}

/// A note for each axis whose values all gave the very same runs.
fn without_effect(experiment: &Experiment, records: &Records) -> Vec<String> {
    let definition = experiment.definition();
    let grid = &experiment.grid;
    let idle = |axis: usize| {
        let mut seen = std::collections::BTreeMap::new();
        let mut compared = false;
        for (run, record) in records {
            let mut others = grid.places(run.point);
            others[axis] = 0;
            match seen.insert((others, run.seed), record.event_digest) {
                Some(before) if before != record.event_digest => return false,
                Some(_) => compared = true,
                None => {}
            }
        }
        compared
    };
    let axes = definition.axes.iter().enumerate().filter(|(place, _)| idle(*place));
    axes.map(|(_, axis)| format!("the axis {} changed nothing: all its runs are equal", axis.key))
        .collect()
}
