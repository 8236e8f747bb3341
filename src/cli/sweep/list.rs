//! Command line: what a sweep would do: `headwater sweep --dry-run` and `--commands`.

use std::path::Path;

use super::super::{EXIT_OK, Failure, print, quoted};
use super::SweepArguments;
use super::forecast::forecast;
use crate::experiment::schedule::{Records, wanted};
use crate::experiment::sweep::Conditions;
use crate::experiment::{Experiment, many};

/// Points that are listed one by one.
const LISTED: usize = 100;

/// Points that are resolved to see whether they are right; a sweep resolves all of its own.
pub(super) const CHECKED: usize = 256;

/// Lists points and seeds, and predicts what the runs cost.
pub(super) fn dry_run(experiment: &Experiment, conditions: Conditions) -> Result<u8, Failure> {
    let definition = experiment.definition();
    let points = definition.points()?;
    let runs = wanted(definition, &Records::new())?;
    let mine = (0..runs.len()).filter(|place| conditions.shard.holds(*place)).count();
    let mut text = format!(
        "{} (sweep {}): {} with seeds {}, {}",
        definition.scenario,
        definition.key.short(8),
        many(points.len(), "point"),
        definition.seeds,
        many(runs.len(), "run")
    );
    text += &match &definition.until_precise {
        Some(precision) => format!(
            " at least, up to {} until {} is precise\n",
            points.len() * precision.most_seeds as usize,
            precision.metric
        ),
        None => "\n".to_owned(),
    };
    for (number, labels) in points.iter().enumerate().take(LISTED) {
        let axes = definition.axes.iter().zip(labels);
        let axes: Vec<String> =
            axes.map(|(axis, label)| format!("{} = {label}", axis.key)).collect();
        text += &format!("  {number:>4}  {}\n", axes.join(", "));
    }
    if points.len() > LISTED {
        text += &format!("        and {} more\n", many(points.len() - LISTED, "point"));
    }
    if points.len() > CHECKED {
        text += &format!("{CHECKED} points, evenly spread, were looked at for mistakes\n");
    }
    if !conditions.shard.is_whole() {
        text += &format!("part {}: {}\n", conditions.shard, many(mine, "run"));
    }
    text += &forecast(experiment, mine, conditions.jobs)?;
    print(&text)
}

/// Prints a command for each run. All of them fill the same folder, and the last one to end makes
/// the tables.
pub(super) fn commands(
    arguments: &SweepArguments,
    experiment: &Experiment,
    output: &Path,
) -> Result<u8, Failure> {
    let scenario = &arguments.scenario;
    if scenario.scenario == "-" {
        return Err(Failure::usage(
            "--commands needs a file: the standard input is read only once",
        ));
    }
    if experiment.definition().until_precise.is_some() || arguments.shard.is_some() {
        return Err(Failure::usage(
            "--commands lists all runs, which neither --until-precise nor --shard allows",
        ));
    }
    let mut words = vec!["headwater".into(), "sweep".into(), scenario.scenario.clone()];
    let mut option = |name: &str, values: &[String]| {
        for value in values {
            words.extend([format!("--{name}"), value.clone()]);
        }
    };
    option("set", &scenario.set);
    option("duration", scenario.duration.as_slice());
    option("axis", &arguments.axis);
    option("zip", &arguments.zip);
    option("seeds", &[experiment.definition().seeds.to_string()]);
    option("output", &[output.display().to_string()]);
    option("jobs", &["1".to_owned()]);
    words.extend(arguments.budget.words());
    words.extend(arguments.budget.words_of_machine());
    if arguments.yes {
        words.push("--yes".to_owned());
    }
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    let common = words.join(" ");
    let runs = experiment.least_runs();
    for index in 1..=runs {
        let code = print(&format!("{common} --quiet --shard {index}/{runs}\n"))?;
        debug_assert_eq!(code, EXIT_OK);
    }
    Ok(EXIT_OK)
}
