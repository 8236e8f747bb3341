//! Command line: `headwater compare`, paired differences in words or as CSV.

use std::path::{Path, PathBuf};

use clap::Args;

use super::super::{Failure, complain, print};
use crate::experiment::ExperimentError;
use crate::experiment::compare::{Difference, Sweep, along, between, differences, to_csv};
use crate::experiment::definition::Definition;
use crate::experiment::merge::missing;
use crate::experiment::schedule::Records;
use crate::experiment::statistics::decimal;
use crate::experiment::store::load;

#[derive(Args, Debug)]
pub(in crate::cli) struct CompareArguments {
    /// The folder of a sweep; the one that counts as before, if there are two.
    folder: PathBuf,
    /// The folder of a sweep with the same axes and another scenario: compared point by point.
    #[arg(conflicts_with = "by")]
    after: Option<PathBuf>,
    /// Compare the values of this axis.
    #[arg(long, value_name = "KEY")]
    by: Option<String>,
    /// The value that the others are compared with [default: the first].
    #[arg(long, value_name = "VALUE", requires = "by")]
    base: Option<String>,
    /// A key figure, such as rumors.latency.p50_ns; may be repeated [default: all that differ
    /// clearly].
    #[arg(long, short, value_name = "NAME")]
    metric: Vec<String>,
    /// Print CSV, with all key figures unless some are named.
    #[arg(long)]
    csv: bool,
}

pub(in crate::cli) fn compare(arguments: &CompareArguments) -> Result<u8, Failure> {
    let before = read(&arguments.folder, true)?;
    let (groups, records): (_, Records);
    let after;
    match (&arguments.after, &arguments.by) {
        (Some(folder), _) => {
            let again = same_folder(&arguments.folder, folder);
            after = read(folder, !again)?;
            let name = |path: &Path| path.display().to_string();
            groups = between(&before, &after, (&name(&arguments.folder), &name(folder)))?;
            records = before.records.clone();
        }
        (None, None) => {
            let axes = before.definition.axes.iter().map(|axis| axis.key.as_str());
            let axes = axes.collect::<Vec<_>>().join(", ");
            let message =
                format!("name an axis with --by ({axes}), or the folder of another sweep");
            return Err(Failure::usage(message));
        }
        (None, Some(by)) => {
            groups = along(&before, by, arguments.base.as_deref())?;
            records = before.records.clone();
        }
    }
    let all = differences(&groups, &records, &arguments.metric)?;
    if arguments.csv {
        return print(&to_csv(&all));
    }
    let chosen = !arguments.metric.is_empty();
    let shown: Vec<&Difference> = all.iter().filter(|d| chosen || d.is_clear()).collect();
    let mut text = String::new();
    let mut last = None;
    for difference in &shown {
        let here = (&difference.axes, &difference.sides);
        if last.replace(here) != Some(here) {
            let axes = difference.axes.iter().map(|(key, label)| format!(", {key} = {label}"));
            let (from, to) = &difference.sides;
            text += &format!("{from} -> {to}{}\n", axes.collect::<String>());
        }
        text += &in_words(difference);
    }
    let left_out = all.len() - shown.len();
    if left_out > 0 {
        text += &format!(
            "{left_out} differences have intervals that hold zero, or none (--csv shows all)\n"
        );
    }
    print(&text)
}

/// A line about a key figure.
fn in_words(difference: &Difference) -> String {
    let Difference { metric, unit, before, figures, .. } = difference;
    let text = |value: Option<f64>| value.map_or_else(|| "never".to_owned(), decimal);
    let share = difference.share().map_or_else(String::new, |share| {
        format!(", {}{:.1} %", if share < 0.0 { "" } else { "+" }, share * 100.0)
    });
    let interval = figures.interval.map_or_else(String::new, |(low, high)| {
        format!(", 95 % between {} and {}", decimal(low), decimal(high))
    });
    let (n, unit) = (figures.n, if unit == "count" { "" } else { unit });
    let change = figures.mean.map_or_else(
        || "no pair has both".to_owned(),
        |mean| {
            let sign = if mean < 0.0 { "" } else { "+" };
            format!("{} {sign}{}{share}{interval}", text(*before), decimal(mean))
        },
    );
    let pairs = if n == 1 { "pair" } else { "pairs" };
    let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
    format!("  {metric}  {change}{unit} ({n} {pairs})\n")
}

/// Whether two paths lead to one folder.
fn same_folder(a: &Path, b: &Path) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    real(a).is_some_and(|a| Some(a) == real(b))
}

/// The sweep of a folder; `noted` says on stderr what of it is damaged or missing.
fn read(folder: &Path, noted: bool) -> Result<Sweep, ExperimentError> {
    let definition = Definition::of_folder(folder)?;
    let found = load(folder, &definition)?;
    if noted {
        let missing = missing(&definition, &found.records)?;
        let missing = missing.map(|missing| format!("{}: {missing}", folder.display()));
        found.damaged.iter().chain(&missing).for_each(|note| complain("note", note));
    }
    Ok(Sweep { definition, records: found.records })
}
