//! Scenario layer: `[[expect]]` resolved, and notes about expectations that cannot be judged.

use super::Plan;
use crate::expect::setting::ExpectConfig;
use crate::expect::{self, Expectation, Refusal};
use crate::protocol::gossip::Style;
use crate::protocol::leading::Content;
use crate::scenario::error::ScenarioError;
use crate::scenario::population::near_name;
use crate::scenario::schema::output::RowsConfig;

/// Finds every name of the expectations of a scenario.
///
/// # Errors
/// The first name that is not known, or value that does not fit.
pub fn resolve(configs: &[ExpectConfig]) -> Result<Vec<Expectation>, ScenarioError> {
    let resolve = |(place, config)| {
        Expectation::resolve(place, config).map_err(|refusal| refused(place, refusal))
    };
    configs.iter().enumerate().map(resolve).collect()
}

/// Refuses the name of a metric that no summary has, as the value of `key`.
///
/// # Errors
/// What is wrong with the name, with a near one.
pub fn known_metric(key: &str, metric: &str) -> Result<(), ScenarioError> {
    expect::known_metric(metric).map_err(|refusal| refused_at(key.to_owned(), refusal))
}

/// Refuses expectations across the points of a sweep about axes that it does not have.
///
/// # Errors
/// The first axis that is not there, with a near name.
pub fn know_axes(expectations: &[Expectation], axes: &[&str]) -> Result<(), ScenarioError> {
    for expectation in expectations {
        let Some(trial) = expectation.across() else { continue };
        for (key, axis) in trial.axes() {
            if axes.contains(&axis) {
                continue;
            }
            let key = format!("expect[{}].{key}", expectation.place);
            let error = ScenarioError::new(key, format!("the sweep has no axis {axis:?}"));
            return Err(match near_name(axis, axes.iter().copied()) {
                Some(near) => error.hint(format!("did you mean \"{near}\"?")),
                None if axes.is_empty() => error.hint("it has no axes"),
                None => error.hint(format!("its axes are {}", axes.join(", "))),
            });
        }
    }
    Ok(())
}

/// A refusal as an error with its key.
fn refused(place: usize, refusal: Refusal) -> ScenarioError {
    let key = if refusal.key.is_empty() { String::new() } else { format!(".{}", refusal.key) };
    refused_at(format!("expect[{place}]{key}"), refusal)
}

/// The same of any key.
fn refused_at(key: String, refusal: Refusal) -> ScenarioError {
    let Refusal { message, hint, unknown, .. } = refusal;
    let error = ScenarioError::new(key, message);
    let near = unknown.and_then(|(name, all)| {
        let names: Vec<&str> = all.iter().map(String::as_str).collect();
        let near = near_name(&name, names.iter().copied());
        let few = names.len() <= MOST_LISTED;
        let near = near.map(|near| format!("did you mean \"{near}\"?"));
        near.or_else(|| few.then(|| format!("known are {}", names.join(", "))))
    });
    match hint.or(near) {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// So many names are listed when none is near.
const MOST_LISTED: usize = 30;

/// What a reader should know of the expectations, one sentence each.
pub(super) fn notes(plan: &Plan) -> Vec<String> {
    let mut notes = Vec::new();
    for expectation in &plan.expectations {
        let key = format!("expect[{}]", expectation.place);
        if let Some((table, why)) =
            expectation.table().and_then(|table| Some((table, no_rows(table.name, plan)?)))
        {
            let file = table.file_name();
            notes.push(format!("{key}.metric: {file} has no rows in this run: {why}"));
        }
        let figures = expectation.figures();
        let absent = figures.iter().find_map(|figure| {
            let section = figure.split('.').next().unwrap_or_default();
            Some((section, no_section(section, plan)?))
        });
        if let Some((section, why)) = absent {
            notes.push(format!("{key}.metric: {section} is null in this summary: {why}"));
        }
        if expectation.across().is_some() {
            notes.push(format!("{key}: judged on the points of a sweep, not on a single run"));
        }
    }
    let sometimes = plan.expectations.iter().any(|expectation| expectation.kind() == "sometimes");
    if !plan.faults.is_empty() && !plan.expectations.is_empty() && !sometimes {
        notes.push(
            "expect: there are faults and expectations, but none of kind = \"sometimes\" says \
             what has to happen at least once, so a pass may be empty"
                .into(),
        );
    }
    notes
}

/// Why a table has no rows in this run.
fn no_rows(table: &str, plan: &Plan) -> Option<String> {
    let scenario = &plan.scenario;
    let output = &scenario.output;
    let off = |key: &str, value: &str| Some(format!("{key} = \"{value}\""));
    match table {
        "timeline" if output.timeline.is_some_and(|every| every.is_zero()) => {
            off("output.timeline", "0s")
        }
        "node_timeline" if output.node_timeline.is_some_and(|every| every.is_zero()) => {
            off("output.node_timeline", "0s")
        }
        "gossip_values" if output.timeline.is_some_and(|every| every.is_zero()) => {
            off("output.timeline", "0s")
        }
        "deliveries" if output.deliveries == RowsConfig::None => off("output.deliveries", "none"),
        "block_arrivals" if output.block_arrivals == RowsConfig::None => {
            off("output.block_arrivals", "none")
        }
        "peers" if !output.peers && output.peers_at.is_empty() => {
            Some("output.peers = false".into())
        }
        "topology" if plan.overlay.complete => Some("the overlay is complete".into()),
        "faults" if plan.faults.is_empty() => Some("the scenario has no faults".into()),
        "rumors" | "deliveries" if plan.streams.is_empty() => {
            Some("the scenario has no rumors".into())
        }
        "block_arrivals" | "slots" => no_section("blocks", plan),
        "convergence" => no_section("registry", plan),
        other => no_section(other, plan),
    }
}

/// Why a part of the summary is null in this run.
fn no_section(section: &str, plan: &Plan) -> Option<String> {
    let style = plan.validators.gossip.style;
    let why = match section {
        "registry" if style == Style::Off => "gossip.style = \"off\"",
        "gossip_values" if style != Style::Solana => "gossip.style is not \"solana\"",
        "transactions" if plan.transactions.is_empty() => "the scenario has no transactions",
        "blocks" | "repair" if plan.scenario.blocks.content == Content::Off => {
            "blocks.content = \"off\""
        }
        "repair" if !plan.validators.blocks.as_ref().is_some_and(|blocks| blocks.repairs()) => {
            "repair.style = \"off\""
        }
        _ => return None,
    };
    Some(why.into())
}
