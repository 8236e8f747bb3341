//! Command line: `headwater run`, from a scenario to a result folder and a summary.

use std::path::PathBuf;

use clap::Args;

use super::budget::{BudgetArguments, Guard};
use super::events::EventLog;
use super::progress::Bar;
use super::record::{self, Asked, Stopwatch, Written};
use super::verdict::{exit_code, in_short};
use super::{
    EXIT_BUDGET, EXIT_INTERRUPTED, EXIT_OK, Failure, ScenarioArguments, complain, describe,
    interrupt, print, violation,
};
use crate::base::id::NodeSet;
use crate::base::time::{Span, Time};
use crate::fact::{Deaf, Observer};
use crate::metrics::TABLES;
use crate::results::folder::{Folder, Outcome};
use crate::results::writer::CsvSink;
use crate::run::{self, Finished, Go};
use crate::scenario::plan::Plan;
use crate::scenario::population::selector::Selector;
use crate::scenario::shipped;

#[derive(Args, Debug)]
pub(super) struct RunArguments {
    #[command(flatten)]
    scenario: ScenarioArguments,
    /// Folder for the results [default: results/NAME-SEED, with a short key when --set or
    /// --duration changed something].
    #[arg(long, short, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Replace the results of another run in the output folder.
    #[arg(long)]
    force: bool,
    /// Print nothing but errors.
    #[arg(long, short)]
    quiet: bool,
    /// Print the summary as JSON.
    #[arg(long, conflicts_with_all = ["quiet", "events"])]
    json: bool,
    /// Print a readable log of what happened, before the summary.
    #[arg(long, conflicts_with = "quiet")]
    events: bool,
    /// The log of events of these nodes only, such as 3, "0..10" or "region:east-asia".
    #[arg(long, value_name = "NODES", conflicts_with_all = ["quiet", "json"])]
    events_nodes: Option<String>,
    /// The log of events from this moment on.
    #[arg(long, value_name = "TIME", conflicts_with_all = ["quiet", "json"])]
    events_from: Option<String>,
    /// The log of events up to this moment.
    #[arg(long, value_name = "TIME", conflicts_with_all = ["quiet", "json"])]
    events_until: Option<String>,
    /// The log of events with every single message: sent, delivered, lost.
    #[arg(long, conflicts_with_all = ["quiet", "json"])]
    events_messages: bool,
    #[command(flatten)]
    budget: BudgetArguments,
}

pub(super) fn run(arguments: &RunArguments) -> Result<u8, Failure> {
    let source = arguments.scenario.source()?;
    let mut overrides = arguments.scenario.overrides()?;
    overrides.extend(arguments.budget.overrides()?);
    let plan = shipped::plan(&source, &overrides)?;
    let mut control = Control::new(arguments)?;
    let key = plan.key();
    let changed = overrides.iter().any(|set| set.key() != "seed");
    let target = arguments.output.clone().unwrap_or_else(|| {
        let suffix = if changed { format!("-{}", key.short(8)) } else { String::new() };
        PathBuf::from("results").join(format!("{}-{}{suffix}", plan.scenario.name, plan.seed.0))
    });
    // Before anything is written: a wrong selector leaves no trace.
    let events = event_log(arguments, &plan)?;
    let folder = Folder::prepare(&target, key, arguments.force)?;
    let sink = folder.sink(TABLES)?;
    if !arguments.quiet {
        plan.notes.iter().for_each(|note| complain("note", note));
    }
    let stopwatch = Stopwatch::start();
    let mut finished = match events {
        Some(log) => control.drive(&plan, sink, log),
        None => control.drive(&plan, sink, Deaf),
    };
    let elapsed = Span::from_nanos(stopwatch.elapsed());
    let mut text = describe::summary(&plan, &finished, elapsed);
    let asked = Asked::new(&arguments.scenario.scenario, &overrides);
    let violation = finished.violation.take();
    let stopped = control.stopped.as_ref().map(|(why, _)| why.as_str());
    let written = record::write(&plan, &asked, folder, finished, &stopwatch, stopped)?;
    let Written { verdict, summary, digest, outcome } = written;
    let code = control.stopped.map_or_else(|| exit_code(verdict.outcome), |(_, code)| code);
    if let Some(violation) = &violation {
        text += &violation::in_full(violation, &asked.command(plan.seed.0));
    }
    if arguments.json {
        let json = serde_json::to_string_pretty(&summary).unwrap_or_default();
        print(&format!("{json}\n"))?;
        if violation.is_some() {
            complain("error", &verdict.to_string());
        }
    } else if !arguments.quiet {
        text += &format!("\n  digest   {digest}\n  results  {}", target.display());
        text += in_words(outcome);
        let expected = in_short(&verdict);
        if !expected.is_empty() {
            text += &format!("  expect   {expected}\n");
        }
        text += &format!("  verdict  {verdict}\n");
        print(&text)?;
    } else if code != EXIT_OK {
        complain("error", &verdict.to_string());
    }
    Ok(code)
}

/// What became of the results, to be read after the folder's name.
const fn in_words(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Created => "\n",
        Outcome::Unchanged => " (the same bytes as before)\n",
        Outcome::Whole => " (an earlier run to the end, which stays; this one is not kept)\n",
        Outcome::Replaced => " (replaced)\n",
    }
}

/// What may end a run before its time, and what shows how it is going.
struct Control {
    bar: Bar,
    guard: Guard,
    /// Why the run was stopped, and the exit code.
    stopped: Option<(String, u8)>,
}

impl Control {
    fn new(arguments: &RunArguments) -> Result<Self, Failure> {
        interrupt::listen()?;
        let guard = arguments.budget.guard(1)?;
        Ok(Self { bar: Bar::new(arguments.quiet), guard, stopped: None })
    }

    fn drive<L: Observer>(&mut self, plan: &Plan, sink: CsvSink, listener: L) -> Finished<CsvSink> {
        self.guard.begin(0);
        let finished = run::run(plan, sink, listener, &mut |progress| {
            self.bar.show(progress);
            if interrupt::asked() {
                let why = "a signal; the same command makes the whole run";
                self.stopped = Some((why.to_owned(), EXIT_INTERRUPTED));
            } else if let Some(why) = self.guard.check(0) {
                self.stopped = Some((why, EXIT_BUDGET));
            }
            if self.stopped.is_some() { Go::Stop } else { Go::On }
        });
        self.bar.finish();
        finished
    }
}

fn event_log(
    arguments: &RunArguments,
    plan: &Plan,
) -> Result<Option<EventLog<std::io::BufWriter<std::io::Stdout>>>, Failure> {
    let chosen = [&arguments.events_nodes, &arguments.events_from, &arguments.events_until];
    let chosen = chosen.iter().any(|choice| choice.is_some());
    if !(arguments.events || arguments.events_messages || chosen) {
        return Ok(None);
    }
    let time = |text: &Option<String>, flag: &str, default: Time| match text {
        None => Ok(default),
        Some(text) => text
            .parse::<Span>()
            .map(|span| Time::ZERO + span)
            .map_err(|error| Failure::usage(format!("--{flag}: {error}"))),
    };
    let nodes = match &arguments.events_nodes {
        None => None,
        Some(text) => {
            let selector: Selector =
                text.parse().map_err(|error| Failure::usage(format!("--events-nodes: {error}")))?;
            let set: NodeSet =
                selector.resolve(&plan.population, plan.seed, u32::MAX, "--events-nodes")?;
            Some(set)
        }
    };
    let from = time(&arguments.events_from, "events-from", Time::ZERO)?;
    let until = time(&arguments.events_until, "events-until", Time::MAX)?;
    let out = std::io::BufWriter::new(std::io::stdout());
    Ok(Some(EventLog::new(out, nodes, (from, until), arguments.events_messages)))
}
