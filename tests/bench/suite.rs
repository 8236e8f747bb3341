//! What the benchmarks share: arguments, a child process for each run, the printed table.

use std::process::ExitCode;

use crate::alone;
use crate::measured::{Measured, Runs};

/// A piece of work with a name.
pub(crate) struct Workload {
    pub(crate) group: &'static str,
    pub(crate) name: String,
    pub(crate) run: Box<Run>,
    /// Most runs, whatever is asked for: fewer for what takes long.
    pub(crate) most_runs: usize,
}

/// Does the work, for so much virtual time if the caller says so.
pub(crate) type Run = dyn Fn(Option<&str>) -> Measured;

impl Workload {
    pub(crate) fn new(
        group: &'static str,
        name: String,
        run: impl Fn(Option<&str>) -> Measured + 'static,
    ) -> Self {
        Self { group, name, run: Box::new(run), most_runs: usize::MAX }
    }
}

/// A benchmark: its groups of workloads, and how it makes them, quick ones or whole ones.
pub(crate) struct Suite {
    pub(crate) groups: &'static [&'static str],
    pub(crate) workloads: fn(quick: bool) -> Vec<Workload>,
}

/// What was asked for.
#[derive(Default)]
struct Asked {
    quick: bool,
    runs: Option<usize>,
    /// Virtual time of scenarios, such as "2s".
    duration: Option<String>,
    groups: Vec<String>,
}

impl Suite {
    pub(crate) fn main(&self) -> ExitCode {
        // Cargo adds an argument of its own, and `cargo kernel -- w1` hands on the dashes.
        let arguments = std::env::args().skip(1).filter(|a| a != "--bench" && a != "--");
        let mut arguments: Vec<String> = arguments.collect();
        let one = arguments.first().is_some_and(|first| first == alone::ONE);
        let one = if one { arguments.drain(..2).nth(1) } else { None };
        let done = self.asked(&arguments).and_then(|asked| match one {
            Some(number) => self.child(&asked, &number),
            None => self.table(&asked, &arguments),
        });
        match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::FAILURE
            }
        }
    }

    fn asked(&self, arguments: &[String]) -> Result<Asked, String> {
        let mut asked = Asked::default();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match argument.as_str() {
                "--quick" => asked.quick = true,
                "--runs" => {
                    let number = rest.next().and_then(|number| number.parse().ok());
                    let number = number.filter(|number| *number > 0);
                    asked.runs = Some(number.ok_or("--runs takes a number of at least 1")?);
                }
                "--for" => {
                    asked.duration = Some(rest.next().ok_or("--for takes a time: \"2s\"")?.clone());
                }
                group if self.groups.contains(&group) => asked.groups.push(group.to_owned()),
                other => {
                    let groups = self.groups.join(", ");
                    return Err(format!(
                        "unknown argument {other:?}: expected {groups}, --quick, --runs N or --for TIME"
                    ));
                }
            }
        }
        Ok(asked)
    }

    /// One run of one workload, in a process of its own.
    fn child(&self, asked: &Asked, number: &str) -> Result<(), String> {
        let all = (self.workloads)(asked.quick);
        let workload = number.parse().ok().and_then(|number: usize| all.get(number));
        let workload = workload.ok_or_else(|| format!("there is no workload {number}"))?;
        alone::report((workload.run)(asked.duration.as_deref()));
        Ok(())
    }

    fn table(&self, asked: &Asked, arguments: &[String]) -> Result<(), String> {
        let runs = asked.runs.unwrap_or(if asked.quick { 1 } else { 5 });
        println!(
            "{:<28} {:>11} {:>26} {:>9} {:>8} {:>11} {:>9} {:>9} {:>14}",
            "workload",
            "units",
            "ns per unit [min..max]",
            "M units/s",
            "CPU s",
            "virtual s/s",
            "peak MiB",
            "B/node",
            "B/msg in flight"
        );
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        for (number, workload) in (self.workloads)(asked.quick).iter().enumerate() {
            if !asked.groups.is_empty() && !asked.groups.iter().any(|g| g == workload.group) {
                continue;
            }
            let number = number.to_string();
            let all = [&[number.as_str()], arguments.as_slice()].concat();
            let measured = (0..runs.min(workload.most_runs)).map(|_| alone::measure(&all));
            row(&workload.name, &Runs::new(measured.collect::<Result<_, _>>()?));
        }
        Ok(())
    }
}

/// A dash for what was not looked at.
fn or_dash(known: bool, value: f64, digits: usize) -> String {
    if known { format!("{value:.digits$}") } else { "-".to_owned() }
}

fn row(name: &str, runs: &Runs) {
    let median = runs.median();
    let Measured { units, seconds, virtual_seconds, nodes, in_flight, before, built, peak } =
        median;
    let per_node = built.saturating_sub(before) as f64 / nodes as f64;
    let per_message = peak.saturating_sub(built) as f64 / in_flight as f64;
    println!(
        "{name:<28} {units:>11} {:>26} {:>9.2} {seconds:>8.2} {:>11} {:>9} {:>9} {:>14}",
        runs.spread(),
        1e3 / median.nanos(),
        or_dash(virtual_seconds > 0.0, virtual_seconds / seconds, 2),
        runs.peak_mebibytes(),
        or_dash(nodes > 0 && built > 0, per_node, 0),
        or_dash(in_flight > 0 && peak > 0, per_message, 0),
    );
}
