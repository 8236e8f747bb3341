//! Experiment layer: what a scenario expects across the points of its sweep, judged on records
//! alone, and `across.csv`, in which that is kept beside the other tables.

use serde_json::Value;

use super::definition::Definition;
use super::record::Record;
use super::schedule::Records;
use super::tables::Table;
use super::{ExperimentError, many};
use crate::expect::across::{SweepRun, judge};
use crate::expect::{EXPECTATIONS, Expectation, Judged, Outcome, judge_figure};
use crate::scenario::plan;
use crate::scenario::reader::Source;
use crate::scenario::shipped;

/// Name of the table of expectations across points; there is none without such expectations.
pub const ACROSS_FILE: &str = "across.csv";

/// Judges the runs that came to their end by the scenario in the definition.
///
/// # Errors
/// [`ExperimentError::Scenario`] if that scenario does not resolve.
pub fn across(definition: &Definition, records: &Records) -> Result<Vec<Judged>, ExperimentError> {
    let source = Source::embedded(Definition::FILE, &definition.resolved);
    let read = shipped::read(&source, &[]).map_err(ExperimentError::Scenario)?;
    let expectations = plan::expectations(&read.value.expect)
        .map_err(|error| ExperimentError::Scenario(vec![error]))?;
    Ok(across_by(&expectations, definition, records))
}

/// The same by other expectations than those that the sweep was made with.
#[must_use]
pub fn across_by(
    expectations: &[Expectation],
    definition: &Definition,
    records: &Records,
) -> Vec<Judged> {
    if expectations.iter().all(|expectation| expectation.across().is_none()) {
        return Vec::new();
    }
    let keys = || definition.axes.iter().map(|axis| axis.key.clone());
    let complete = records.values().filter(|record| record.complete);
    let runs: Vec<SweepRun> = complete
        .map(|record| SweepRun {
            axes: keys().zip(record.axes.iter().cloned()).collect(),
            metrics: record
                .metrics
                .iter()
                .filter_map(|metric| Some((metric.name.clone(), metric.value?)))
                .collect(),
        })
        .collect();
    judge(expectations, &runs)
}

/// Judges what is expected of every run, as far as its record can tell: expectations on numbers of
/// the summary. For each expectation, what came of it in the first run in which it did not hold, or
/// how many held; others than those are not judged here.
#[must_use]
pub fn of_runs(
    expectations: &[Expectation],
    definition: &Definition,
    records: &Records,
) -> Vec<Judged> {
    let runs: Vec<(&Record, Value)> =
        records.values().filter(|it| it.complete).map(|it| (it, it.summary())).collect();
    let judged = expectations.iter().filter_map(|expectation| {
        let (mut first, mut broken, mut last) = (None, 0, None);
        for (record, summary) in &runs {
            let judged = judge_figure(expectation, summary)?;
            if judged.outcome() == Outcome::Pass {
                last = Some(judged);
            } else {
                broken += 1;
                first.get_or_insert((record, judged));
            }
        }
        let all = runs.len();
        Some(match first {
            None => Judged { found: many(all, "run"), ..last? },
            Some((record, judged)) => {
                let axes = definition.axes.iter().zip(&record.axes);
                let axes: String =
                    axes.map(|(axis, label)| format!("{} = {label}, ", axis.key)).collect();
                let (seed, found) = (record.seed, &judged.found);
                let found =
                    format!("{found} ({axes}seed {seed}; the first of {broken} of {all} runs)");
                Judged { found, ..judged }
            }
        })
    });
    judged.collect()
}

/// A row per expectation, with the columns of `expectations.csv` of a run; `None` without any.
pub(super) fn across_csv(judged: &[Judged]) -> Option<String> {
    if judged.is_empty() {
        return None;
    }
    let mut table = Table::default();
    table.row(EXPECTATIONS.columns.iter().map(|column| column.name.to_owned()).collect());
    for judged in judged {
        table.row(vec![
            judged.place.map_or_else(String::new, |place| place.to_string()),
            judged.kind.into(),
            judged.label.clone(),
            judged.ruling.word().into(),
            judged.expected.clone(),
            judged.found.clone(),
            judged.outcome().word().into(),
        ]);
    }
    Some(table.text)
}
