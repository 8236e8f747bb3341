//! Command line: `headwater check`: scenarios are run side by side, results are judged again, and a
//! table says at a glance which expectations failed.

mod annotations;
mod case;
mod junit;
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use self::case::{Case, Checked, State};
use super::budget::{BudgetArguments, Guard};
use super::{EXIT_INTERNAL, EXIT_INTERRUPTED, Failure, complain, gravest, interrupt, print};
use crate::expect::Ruling;
use crate::scenario::reader::Override;

#[derive(Args, Debug)]
pub(super) struct CheckArguments {
    /// Scenario files, names of shipped scenarios, folders of results or sweeps, folders of these
    /// [default: all shipped scenarios].
    #[arg(value_name = "PATH")]
    paths: Vec<String>,
    /// Run every scenario with these seeds, such as 7 or 1..=5 [default: that of the scenario].
    #[arg(long, value_name = "SEEDS")]
    seeds: Option<String>,
    /// Override a key in every scenario: KEY=VALUE. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Judge result folders by the expectations of this scenario instead of their own.
    #[arg(long, value_name = "SCENARIO")]
    expect: Option<String>,
    /// How many runs go on at the same time [default: one per processor].
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Also write the outcome as JUnit XML into this file.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Also print the failures as annotations for GitHub workflows.
    #[arg(long)]
    github: bool,
    /// Print every expectation, not only those that failed.
    #[arg(long, short)]
    verbose: bool,
    #[command(flatten)]
    budget: BudgetArguments,
}

pub(super) fn check(arguments: &CheckArguments) -> Result<u8, Failure> {
    let mut overrides: Vec<Override> =
        arguments.set.iter().map(|text| Override::parse(text)).collect::<Result<_, _>>()?;
    overrides.extend(arguments.budget.overrides()?);
    let seeds = arguments.seeds.as_deref().map(targets::seeds).transpose()?;
    let cases = targets::collect(
        &arguments.paths,
        seeds.as_deref(),
        &overrides,
        arguments.expect.as_deref(),
    )?;
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = arguments.jobs.map_or(processors, usize::from).min(cases.len()).max(1);
    let guard = arguments.budget.guard(workers)?;
    interrupt::listen()?;
    let checked = all(&cases, workers, &guard);
    print(&table(&checked, arguments.verbose))?;
    if arguments.github {
        print(&annotations::annotations(&checked))?;
    }
    if let Some(path) = &arguments.junit {
        let text = junit::document(&checked).map_err(|error| Failure::io("write", path, &error))?;
        replace(path, &text).map_err(|error| Failure::io("write", path, &error))?;
    }
    let unfinished = checked.iter().filter(|checked| checked.state == State::Unfinished).count();
    if unfinished > 0 {
        let (done, all) = (checked.len() - unfinished, checked.len());
        complain("error", &format!("interrupted with {done} of {all} checked, which are shown"));
    }
    Ok(gravest(checked.iter().map(|checked| checked.code)))
}

/// Writes a file whole or not at all: on a full disk an earlier report stays as it is.
fn replace(path: &Path, text: &[u8]) -> std::io::Result<()> {
    if std::fs::metadata(path).is_ok_and(|about| !about.is_file()) {
        // A device or a pipe.
        return std::fs::write(path, text);
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let draft = path.with_file_name(format!(".{name}.partial"));
    let written = std::fs::write(&draft, text).and_then(|()| std::fs::rename(&draft, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&draft);
    }
    written
}

/// Checks all cases side by side; what comes of them is in their order. After a signal no more are
/// begun.
fn all(cases: &[Case], workers: usize, guard: &Guard) -> Vec<Checked> {
    let next = AtomicUsize::new(0);
    let done: Vec<Mutex<Option<Checked>>> = cases.iter().map(|_| Mutex::new(None)).collect();
    let bar = bar(cases.len());
    std::thread::scope(|scope| {
        let (next, done, bar) = (&next, &done, &bar);
        for worker in 0..workers {
            scope.spawn(move || {
                while let Some((place, case)) = take(next, cases) {
                    let checked = if interrupt::asked() {
                        Checked::refused(case, EXIT_INTERRUPTED, Vec::new())
                    } else {
                        guarded(case, guard, worker)
                    };
                    if let Ok(mut slot) = done[place].lock() {
                        *slot = Some(checked);
                    }
                    bar.inc(1);
                }
            });
        }
    });
    bar.finish_and_clear();
    let made = |(slot, case): (Mutex<Option<Checked>>, &Case)| {
        slot.into_inner().ok().flatten().unwrap_or_else(|| panicked(case))
    };
    done.into_iter().zip(cases).map(made).collect()
}

fn take<'a>(next: &AtomicUsize, cases: &'a [Case]) -> Option<(usize, &'a Case)> {
    let place = next.fetch_add(1, Ordering::Relaxed);
    cases.get(place).map(|case| (place, case))
}

/// A panic is a bug of one case, and the others go on.
fn guarded(case: &Case, guard: &Guard, worker: usize) -> Checked {
    guard.begin(worker);
    let checked = catch_unwind(AssertUnwindSafe(|| case.check(guard, worker)));
    guard.end(worker);
    checked.unwrap_or_else(|_| panicked(case))
}

fn panicked(case: &Case) -> Checked {
    let message = "this is a bug in headwater; please report it".to_owned();
    Checked::refused(case, EXIT_INTERNAL, vec![message])
}

fn bar(length: usize) -> ProgressBar {
    let target = ProgressDrawTarget::stderr_with_hz(8);
    let bar = ProgressBar::with_draw_target(Some(length as u64), target);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos} of {len}  {elapsed}") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}

/// The table that people read: a line per case, and under it what speaks against it.
fn table(checked: &[Checked], verbose: bool) -> String {
    let titles = ["scenario", "seed", "verdict", "expectations", "time"];
    let lines: Vec<[String; 5]> = checked.iter().map(cells).collect();
    let width = |column: usize| {
        let all = lines.iter().map(|line| line[column].chars().count());
        all.chain([titles[column].len()]).max().unwrap_or(0)
    };
    let widths: [usize; 5] = std::array::from_fn(width);
    let line = |cells: [&str; 5]| {
        let [name, seed, verdict, held, time] = cells;
        let [w0, w1, w2, w3, w4] = widths;
        let text = format!("{name:<w0$}  {seed:>w1$}  {verdict:<w2$}  {held:<w3$}  {time:>w4$}");
        text.trim_end().to_owned() + "\n"
    };
    let mut text = line(titles);
    for (checked, cells) in checked.iter().zip(&lines) {
        text += &line(cells.each_ref().map(String::as_str));
        text += &details(checked, verbose);
    }
    text + &totals(checked)
}

fn cells(checked: &Checked) -> [String; 5] {
    let seed = checked.seed.map_or(String::new(), |seed| seed.to_string());
    let held = checked.verdict.as_ref().map_or(String::new(), super::verdict::in_short);
    let time = checked.elapsed.map_or(String::new(), |time| format!("{:.2} s", time.as_secs_f64()));
    [checked.name.clone(), seed, checked.state.word().to_owned(), held, time]
}

fn details(checked: &Checked, verbose: bool) -> String {
    let mut text = String::new();
    for message in &checked.messages {
        text += &format!("    {message}\n");
    }
    let Some(verdict) = &checked.verdict else { return text };
    if let Some(why) = &verdict.stopped {
        text += &format!("    stopped: {why}\n");
    }
    if verbose {
        for judged in &verdict.judged {
            let (ruling, label) = (judged.ruling.word(), &judged.label);
            let (expected, found) = (&judged.expected, &judged.found);
            text += &format!("    {ruling:<11}  {label}: expected {expected}, found {found}\n");
        }
    } else {
        for judged in verdict.complaints() {
            text += &format!("    {}: {}\n", judged.outcome(), judged.complaint());
        }
    }
    for warning in &verdict.warnings {
        text += &format!("    warning: {warning}\n");
    }
    if let (false, Some(command)) = (verdict.passed(), &checked.command) {
        text += &format!("    again: {command}\n");
    }
    text
}

fn totals(checked: &[Checked]) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for state in checked.iter().map(|checked| checked.state.word()) {
        match counts.iter_mut().find(|(word, _)| *word == state) {
            Some((_, count)) => *count += 1,
            None => counts.push((state, 1)),
        }
    }
    let counts: Vec<String> =
        counts.into_iter().map(|(word, count)| format!("{count} {word}")).collect();
    let held = |ruling| {
        let verdicts = checked.iter().filter_map(|checked| checked.verdict.as_ref());
        verdicts.map(|verdict| verdict.count(ruling)).sum::<usize>()
    };
    let (all, broken) = (held(Ruling::Held), held(Ruling::Broken) + held(Ruling::Unexercised));
    format!(
        "\n{} checked: {}; {all} expectations held, {broken} did not\n",
        checked.len(),
        counts.join(", ")
    )
}

impl State {
    const fn word(self) -> &'static str {
        match self {
            Self::Judged(outcome) => outcome.word(),
            Self::Refused => "error",
            Self::Unasked => "skipped",
            Self::Unfinished => "unfinished",
        }
    }
}
