//! Layer 5, the command line: the only printer, and the only place that looks at the wall clock.

mod budget;
mod calibrate;
mod check;
mod describe;
mod diff;
mod documents;
mod events;
mod interrupt;
mod progress;
mod record;
mod rerun;
mod run;
mod sweep;
mod topology;
mod verdict;
mod verify;
mod violation;

use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

pub use self::documents::{key_reference, results_readme, scenarios_readme};

use crate::experiment::ExperimentError;
use crate::results::ResultsError;
use crate::scenario::error::ScenarioError;
use crate::scenario::population::near_name;
use crate::scenario::reader::{Override, Source, json_schema};
use crate::scenario::schema::Scenario;
use crate::scenario::shipped::{self, EXPERIMENTS, SCENARIOS, Shipped};

/// Everything as expected.
pub const EXIT_OK: u8 = 0;
/// An expectation or invariant failed: an answer, do not retry.
pub const EXIT_FAILED: u8 = 1;
/// Wrong usage, a wrong scenario, an input that is not there, or an output folder that is taken.
pub const EXIT_USAGE: u8 = 2;
/// The same run gave other bytes than before.
pub const EXIT_DIVERGED: u8 = 3;
/// A bug.
pub const EXIT_INTERNAL: u8 = 4;
/// A limit was reached.
pub const EXIT_BUDGET: u8 = 5;
/// Reading or writing failed, or runs of a sweep are missing.
pub const EXIT_IO: u8 = 6;
/// Interrupted; what is missing can be made up for.
pub const EXIT_INTERRUPTED: u8 = 75;

/// The exit code of several: the gravest, which is the one that says most about what can still be
/// relied on. The program (4), then that runs repeat (3), then that there is an answer (6, 5, 75),
/// then that the question was right (2), and last the answer itself (1).
#[must_use]
pub fn gravest(codes: impl IntoIterator<Item = u8>) -> u8 {
    const ORDER: [u8; 7] = [
        EXIT_FAILED,
        EXIT_USAGE,
        EXIT_INTERRUPTED,
        EXIT_BUDGET,
        EXIT_IO,
        EXIT_DIVERGED,
        EXIT_INTERNAL,
    ];
    let rank = |code: &u8| ORDER.iter().position(|other| other == code);
    codes.into_iter().max_by_key(rank).unwrap_or(EXIT_OK)
}

const EXIT_CODES: &str = "\
Exit codes:
  0  everything as expected
  1  an expectation failed (one of the scenario, a fault that touched nothing, rumors that never
     appeared, a broken invariant)
  2  wrong usage or scenario, an input that is not there, or an output folder that is taken
  3  the same run gave other bytes than before
  4  a bug in headwater
  5  a limit was reached
  6  reading or writing failed, or runs of a sweep that is merged or checked are missing
  75 interrupted by a signal; the same command goes on or starts again";

const EXAMPLES: &str = "\
Examples:
  headwater run                                   the quick start, a few seconds
  headwater run partition-heal --seed 7           a shipped scenario with another seed
  headwater run my.toml --set gossip.fanout=8     any key of a scenario can be overridden
  headwater init partition-heal > my.toml         a shipped scenario as a starting point
  headwater show my.toml                          everything resolved, defaults filled in";

/// A deterministic simulator of gossip, block propagation and consensus networks.
///
/// A run is a pure function of a scenario file and a seed: the same bytes on every machine.
#[derive(Debug, Parser)]
#[command(name = "headwater", version, max_term_width = 100)]
#[command(after_help = EXIT_CODES, after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a scenario and write its results.
    ///
    /// Results go to a folder (results/NAME-SEED by default) that appears when it is complete.
    Run(Box<run::RunArguments>),
    /// Run scenarios and judge what they expect, or judge results again.
    ///
    /// Scenarios are run side by side, without leaving results; result folders are judged as they
    /// are. The exit code is the gravest of all: 4, 3, 6, 5, 75, 2, 1, 0.
    Check(Box<check::CheckArguments>),
    /// Run a result again from its manifest, and compare every byte.
    ///
    /// On a difference the files and lines are named, and where the runs part.
    Verify(verify::VerifyArguments),
    /// Say what differs between two results: scenario, metrics, first event.
    ///
    /// Results with the same seed are paired. Both are run again to find the first event that
    /// differs.
    Diff(diff::DiffArguments),
    /// Run a scenario with several values of its keys and several seeds, side by side.
    ///
    /// Axes and seeds stand in the [sweep] of the scenario or behind --axis and --seeds. Every run
    /// leaves a record; a sweep that was stopped goes on where it was, and a finished one only
    /// makes its tables, runs.csv and points.csv.
    Sweep(Box<sweep::SweepArguments>),
    /// Join the folders in which parts of a sweep were made.
    Merge(sweep::MergeArguments),
    /// Show differences between runs of the same seed: along an axis of a sweep, or between two.
    Compare(sweep::CompareArguments),
    /// Check a scenario without running it.
    Validate {
        #[command(flatten)]
        scenario: ScenarioArguments,
    },
    /// Print a scenario with everything resolved and all defaults filled in.
    Show {
        #[command(flatten)]
        scenario: ScenarioArguments,
    },
    /// Print the overlay of a scenario, and write it as DOT and SVG.
    Topology {
        #[command(flatten)]
        scenario: ScenarioArguments,
        /// Folder for topology.dot and topology.svg [default: only describe it].
        #[arg(long, short, value_name = "DIR")]
        output: Option<PathBuf>,
        /// Replace drawings that are in the folder already.
        #[arg(long, requires = "output")]
        force: bool,
    },
    /// Print a commented starter, or a shipped scenario, to begin from.
    Init {
        /// A shipped scenario; see `headwater list`.
        name: Option<String>,
        /// Write to this file instead of stdout; an existing one is not overwritten.
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// List the scenarios that are part of the program.
    List,
    /// Measure what work takes on this machine, and print a [cost] table for scenarios.
    ///
    /// Runs never look at a clock: they take the prices of work from the scenario.
    Calibrate {
        /// Print the prices as JSON, in nanoseconds.
        #[arg(long)]
        json: bool,
    },
    /// Print the JSON Schema of scenario files, for editors.
    Schema,
    /// Print the reference of all scenario keys, in Markdown.
    Keys,
    /// Print a completion script for a shell.
    Completions {
        /// Which shell.
        shell: Shell,
    },
}

/// A scenario and what is changed in it.
#[derive(Args, Clone, Debug)]
struct ScenarioArguments {
    /// A scenario file, the name of a shipped scenario, or - for the standard input.
    #[arg(default_value = "quick-start", value_name = "SCENARIO")]
    scenario: String,
    /// Override a key: KEY=VALUE, such as gossip.fanout=8 or faults[0].at=5s. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Seed of all chance: short for --set seed=N.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Length of the run in virtual time: short for --set duration=TIME.
    #[arg(long, value_name = "TIME")]
    duration: Option<String>,
}

impl ScenarioArguments {
    fn source(&self) -> Result<Source, Failure> {
        if self.scenario == "-" {
            return Ok(Source::read("standard input", std::io::stdin().lock())?);
        }
        Ok(shipped::find(&self.scenario)?)
    }

    fn overrides(&self) -> Result<Vec<Override>, Failure> {
        let mut all = Vec::new();
        for text in &self.set {
            all.push(Override::parse(text)?);
        }
        if let Some(seed) = self.seed {
            let seed = i64::try_from(seed).map_err(|_| {
                Failure::usage(format!("--seed {seed}: expected at most {}", i64::MAX))
            })?;
            all.push(Override::new("seed", toml::Value::Integer(seed))?);
        }
        if let Some(duration) = &self.duration {
            all.push(Override::new("duration", toml::Value::String(duration.clone()))?);
        }
        Ok(all)
    }
}

/// Why a command ends with a code other than zero.
#[derive(Debug)]
struct Failure {
    code: u8,
    messages: Vec<String>,
}

impl Failure {
    fn new(code: u8, message: impl fmt::Display) -> Self {
        Self { code, messages: vec![message.to_string()] }
    }

    fn usage(message: impl fmt::Display) -> Self {
        Self::new(EXIT_USAGE, message)
    }

    fn io(action: &str, path: &Path, error: &std::io::Error) -> Self {
        Self::new(EXIT_IO, format!("cannot {action} {}: {error}", path.display()))
    }
}

impl From<ScenarioError> for Failure {
    fn from(error: ScenarioError) -> Self {
        vec![error].into()
    }
}

impl From<Vec<ScenarioError>> for Failure {
    fn from(errors: Vec<ScenarioError>) -> Self {
        let messages = errors.iter().map(ToString::to_string).collect();
        let unreadable = errors.iter().any(|error| error.unreadable);
        Self { code: if unreadable { EXIT_IO } else { EXIT_USAGE }, messages }
    }
}

impl From<ExperimentError> for Failure {
    fn from(error: ExperimentError) -> Self {
        match error {
            ExperimentError::Scenario(errors) => errors.into(),
            ExperimentError::Results(error) => error.into(),
            ExperimentError::Incomplete(why) => Self::new(EXIT_IO, why),
            ExperimentError::Diverged(why) => Self::new(EXIT_DIVERGED, why),
            ExperimentError::Usage(why) => Self::usage(why),
        }
    }
}

impl From<ResultsError> for Failure {
    fn from(error: ResultsError) -> Self {
        let code = match &error {
            ResultsError::Occupied { .. } | ResultsError::NoName { .. } => EXIT_USAGE,
            ResultsError::DeterminismViolated(_) => EXIT_DIVERGED,
            _ => EXIT_IO,
        };
        Self::new(code, error)
    }
}

/// Carries out the command and says how it ended; errors go to stderr, one line each.
#[must_use]
pub fn main(arguments: &Arguments) -> ExitCode {
    match dispatch(&arguments.command) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            for message in &failure.messages {
                complain("error", message);
            }
            ExitCode::from(failure.code)
        }
    }
}

fn dispatch(command: &Command) -> Result<u8, Failure> {
    match command {
        Command::Run(arguments) => run::run(arguments),
        Command::Check(arguments) => check::check(arguments),
        Command::Verify(arguments) => verify::verify(arguments),
        Command::Diff(arguments) => diff::diff(arguments),
        Command::Sweep(arguments) => sweep::sweep(arguments),
        Command::Merge(arguments) => sweep::merge(arguments),
        Command::Compare(arguments) => sweep::compare(arguments),
        Command::Validate { scenario } => validate(scenario),
        Command::Show { scenario } => describe::show(scenario),
        Command::Topology { scenario, output, force } => {
            topology::topology(scenario, output.as_deref(), *force)
        }
        Command::Init { name, output } => init(name.as_deref(), output.as_deref()),
        Command::List => list(),
        Command::Calibrate { json } => calibrate::calibrate(*json),
        Command::Schema => {
            let schema = json_schema::<Scenario>();
            print(&format!("{}\n", serde_json::to_string_pretty(&schema).unwrap_or_default()))
        }
        Command::Keys => print(&key_reference()),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Arguments::command(), "headwater", &mut script);
            print(&String::from_utf8_lossy(&script))
        }
    }
}

/// Prints a line to stderr; that nobody can read it any more is no reason to panic, as `eprintln`
/// does.
fn complain(what: &str, text: &str) {
    let _ = writeln!(std::io::stderr(), "{what}: {text}");
}

/// Prints to stdout; a reader that has gone away is no error.
fn print(text: &str) -> Result<u8, Failure> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::new(EXIT_IO, format!("cannot write to stdout: {error}")))
        }
        _ => Ok(EXIT_OK),
    }
}

/// A word of a command as a shell reads it back.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,%+@".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

fn validate(arguments: &ScenarioArguments) -> Result<u8, Failure> {
    let source = arguments.source()?;
    let plan = shipped::plan(&source, &arguments.overrides()?)?;
    sweep::validate(&source, arguments.overrides()?)?;
    for note in &plan.notes {
        complain("note", note);
    }
    print(&format!("{}: valid ({})\n", source.name.display(), describe::in_short(&plan)))
}

fn list() -> Result<u8, Failure> {
    let width = Shipped::all().map(|shipped| shipped.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (command, all) in [("run", SCENARIOS), ("sweep", EXPERIMENTS)] {
        text += &format!("headwater {command} NAME\n");
        for shipped in all {
            let description = match shipped::read(&shipped.source(), &[]) {
                Ok(read) => read.value.description,
                Err(errors) => return Err(errors.into()),
            };
            text += &format!("  {:<width$}  {description}\n", shipped.name);
        }
    }
    print(&text)
}

fn init(name: Option<&str>, output: Option<&Path>) -> Result<u8, Failure> {
    let text = match name {
        None => include_str!("cli/starter.toml"),
        Some(name) => match Shipped::find(name) {
            Some(shipped) => shipped.text,
            None => {
                let near = near_name(name, Shipped::all().map(|shipped| shipped.name));
                let hint = match near {
                    Some(near) => format!("did you mean \"{near}\"?"),
                    None => "`headwater list` names them".to_owned(),
                };
                return Err(Failure::usage(format!(
                    "no shipped scenario is called {name:?}; {hint}"
                )));
            }
        },
    };
    let Some(path) = output else { return print(text) };
    let file = std::fs::File::create_new(path);
    match file.and_then(|mut file| file.write_all(text.as_bytes())) {
        Ok(()) => Ok(EXIT_OK),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(Failure::usage(format!("{} exists already; it stays as it is", path.display())))
        }
        Err(error) => Err(Failure::io("write", path, &error)),
    }
}
