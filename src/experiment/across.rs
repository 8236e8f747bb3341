//! Experiment layer: what a scenario expects across the points of its sweep, judged on records
//! alone, and `across.csv`, in which that is kept beside the other tables.

use super::ExperimentError;
use super::definition::Definition;
use super::schedule::Records;
use super::tables::Table;
use crate::expect::across::{SweepRun, judge};
use crate::expect::{EXPECTATIONS, Expectation, Judged};
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
