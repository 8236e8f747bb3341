//! Other engines and headwater side by side on the workloads W1 and W2: processor time per unit and
//! memory. `cargo engines [w1 w2 simcore nexosim desim headwater --quick --runs 5]` in the
//! project's root; see the README beside this package.

#![feature(coroutine_trait)]

#[path = "../../bench/alone.rs"]
mod alone;
mod desim;
#[path = "../../bench/hold.rs"]
mod hold;
#[path = "../../bench/measured.rs"]
mod measured;
#[path = "../../bench/mix.rs"]
mod mix;
mod nexosim;
#[path = "../../bench/push.rs"]
mod push;
mod simcore;
#[path = "../../bench/whole.rs"]
mod whole;
#[path = "../../bench/work.rs"]
mod work;

use std::process::ExitCode;

use self::measured::{Measured, Runs};

/// An engine on one kind of workload.
struct Engine {
    name: &'static str,
    version: &'static str,
    workload: &'static str,
    run: fn(u64) -> Measured,
    /// What one unit takes, roughly; `--quick` leaves out what would take long.
    nanos: u64,
}

const OURS: &str = "headwater";
/// The whole simulator, with the real node, the recorder and all its tables.
const WHOLE: &str = "headwater, whole";

/// Headwater first: the others are compared with it.
const ENGINES: &[Engine] = &[
    engine(OURS, "here", "w1", hold::run, 70),
    engine("simcore", "0.1.0", "w1", simcore::hold, 1_000),
    engine("desim", "0.4.0", "w1", desim::hold, 1_000),
    engine("nexosim", "1.0.0", "w1", nexosim::hold, 1_600),
    engine(OURS, "here", "w2", push::run, 100),
    engine(WHOLE, "here", "w2", whole::run_scenario, 250),
    engine("simcore", "0.1.0", "w2", simcore::push, 400),
    engine("desim", "0.4.0", "w2", desim::push, 400),
    engine("nexosim", "1.0.0", "w2", nexosim::push, 3_000),
];

const fn engine(
    name: &'static str,
    version: &'static str,
    workload: &'static str,
    run: fn(u64) -> Measured,
    nanos: u64,
) -> Engine {
    Engine { name, version, workload, run, nanos }
}

/// The sizes of each workload: events pending, or nodes; and about how many units they are.
const SIZES: &[(&str, u64, u64)] = &[
    ("w1", 1_000, 1_000_000),
    ("w1", 100_000, 1_000_000),
    ("w1", 1_000_000, 2_000_000),
    ("w2", 1_000, 800_000),
    ("w2", 10_000, 8_000_000),
];

/// A run that `--quick` leaves out takes longer than this.
const QUICK_NANOS: u64 = 15_000_000_000;

/// What was asked for.
struct Asked {
    quick: bool,
    runs: usize,
    /// Workloads and engines; empty for all.
    workloads: Vec<String>,
    engines: Vec<String>,
}

impl Asked {
    fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut asked = Self { quick: false, runs: 5, workloads: Vec::new(), engines: Vec::new() };
        let mut rest = arguments.iter();
        let mut runs = None;
        while let Some(argument) = rest.next() {
            let known = |name: &dyn Fn(&Engine) -> bool| ENGINES.iter().any(name);
            match argument.as_str() {
                "--quick" => asked.quick = true,
                "--runs" => {
                    let number = rest.next().and_then(|number| number.parse().ok());
                    let number = number.filter(|number| *number > 0);
                    runs = Some(number.ok_or("--runs takes a number of at least 1")?);
                }
                name if known(&|e| e.workload == name) => asked.workloads.push(name.to_owned()),
                name if known(&|e| e.name == name) => asked.engines.push(name.to_owned()),
                other => {
                    return Err(format!(
                        "unknown argument {other:?}: expected w1, w2, the \
                    name of an engine (headwater, simcore, desim, nexosim), --quick or --runs N"
                    ));
                }
            }
        }
        asked.runs = runs.unwrap_or(if asked.quick { 1 } else { 5 });
        Ok(asked)
    }

    fn wants(&self, engine: &Engine, units: u64) -> bool {
        let among = |names: &[String], name: &str| {
            names.is_empty() || names.iter().any(|known| known == name)
        };
        let short = !self.quick || engine.nanos * units < QUICK_NANOS;
        // Headwater is what the others are compared with.
        let named = engine.name == OURS || among(&self.engines, engine.name);
        among(&self.workloads, engine.workload) && named && short
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == alone::ONE) {
        return child(&arguments[1..]);
    }
    let done = Asked::parse(&arguments).and_then(|asked| compare(&asked));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// One engine, one workload, one run.
fn child(arguments: &[String]) -> ExitCode {
    let [name, workload, size] = arguments else {
        return ExitCode::FAILURE;
    };
    let engine = ENGINES.iter().find(|e| e.name == name && e.workload == workload);
    let (Some(engine), Ok(size)) = (engine, size.parse()) else {
        return ExitCode::FAILURE;
    };
    alone::report((engine.run)(size));
    ExitCode::SUCCESS
}

/// All that is asked for, engines alternating from run to run.
fn compare(asked: &Asked) -> Result<(), String> {
    println!(
        "{:<18} {:<8} {:<15} {:>10} {:>30} {:>10} {:>10} {:>14}",
        "engine",
        "version",
        "workload",
        "units",
        "ns per unit [min..max]",
        "M units/s",
        "peak MiB",
        "x headwater"
    );
    for &(workload, size, units) in SIZES {
        let taken = |engine: &&Engine| engine.workload == workload && asked.wants(engine, units);
        let engines: Vec<&Engine> = ENGINES.iter().filter(taken).collect();
        let mut measured: Vec<Vec<Measured>> = vec![Vec::new(); engines.len()];
        for _ in 0..asked.runs {
            for (engine, all) in engines.iter().zip(&mut measured) {
                all.push(alone::measure(&[engine.name, workload, &size.to_string()])?);
            }
        }
        let mut ours = None;
        for (engine, all) in engines.iter().zip(measured) {
            let runs = Runs::new(all);
            let nanos = runs.median().nanos();
            let ratio = nanos / *ours.get_or_insert(nanos);
            row(engine, size, &runs, ratio);
        }
        if ENGINES.iter().any(|e| e.workload == workload && !asked.wants(e, units)) {
            let left = ENGINES.iter().filter(|e| e.workload == workload);
            let left = left.filter(|e| !asked.wants(e, units)).map(|e| e.name);
            println!("{:<18} not run: {}", "", left.collect::<Vec<_>>().join(", "));
        }
    }
    Ok(())
}

fn row(engine: &Engine, size: u64, runs: &Runs, ratio: f64) {
    let letter = if engine.workload == "w1" { 'P' } else { 'N' };
    let workload = format!("{} {letter}={size}", engine.workload.to_uppercase());
    println!(
        "{:<18} {:<8} {:<15} {:>10} {:>30} {:>10.2} {:>10} {:>14.2}",
        engine.name,
        engine.version,
        workload,
        runs.median().units,
        runs.spread(),
        1e3 / runs.median().nanos(),
        runs.peak_mebibytes(),
        ratio
    );
}
