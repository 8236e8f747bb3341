//! Metrics layer: the names of all numbers of `summary.json`, for those who ask for one by name.

use std::sync::LazyLock;

use serde_json::Value;

use super::table::{Cell, RowSink, TableSpec, Unit};
use super::{AdversaryInfo, Ending, NodeInfo, Recorder, RecorderPlan, Summary};
use crate::base::id::{NodeId, NodeMap, NodeSet};
use crate::base::time::Time;
use crate::fact::{Census, Lie, MessageKind, Status, World};

/// A number of `summary.json`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Figure {
    /// Its keys from the top, joined by dots: `rumors.latency.p99_ns`. A list counts as its length.
    pub name: String,
    /// What it counts.
    pub unit: Unit,
}

/// All numbers that `summary.json` may hold, in its order.
#[must_use]
pub fn figures() -> &'static [Figure] {
    // The same in every run of the program, and asked for with every name.
    static FIGURES: LazyLock<Vec<Figure>> = LazyLock::new(|| {
        let mut found = Vec::new();
        let whole = serde_json::to_value(full()).unwrap_or_default();
        collect("", &whole, &mut found);
        found
    });
    &FIGURES
}

/// Message kinds that occurred are the keys of this part of the summary.
const SENT: &str = "sent";

fn collect(path: &str, value: &Value, found: &mut Vec<Figure>) {
    let within = |key: &str| if path.is_empty() { key.into() } else { format!("{path}.{key}") };
    match value {
        Value::Object(_) if path == SENT => {
            let names = MessageKind::ALL.into_iter().map(|kind| within(kind.name()));
            found.extend(names.map(|name| Figure { name, unit: Unit::Count }));
        }
        Value::Object(keys) => keys.iter().for_each(|(key, value)| {
            collect(&within(key), value, found);
        }),
        Value::String(_) => {}
        Value::Bool(_) => found.push(Figure { name: path.into(), unit: Unit::Flag }),
        Value::Null | Value::Number(_) | Value::Array(_) => {
            found.push(Figure { name: path.into(), unit: unit(path) });
        }
    }
}

/// The unit that the ending of a name tells.
fn unit(path: &str) -> Unit {
    let units = [Unit::Nanoseconds, Unit::Bytes, Unit::PartsPerMillion, Unit::BitsPerSecond];
    let told = units.into_iter().find(|unit| path.ends_with(unit.suffix()));
    match told {
        Some(unit) => unit,
        None if path.starts_with("bytes.") => Unit::Bytes,
        None => Unit::Count,
    }
}

/// The value of a figure in a summary as JSON.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found {
    /// A number.
    Number(i128),
    /// It never happened, or nothing can be said.
    Never,
    /// The part of the summary that it belongs to does not apply to the run.
    Absent,
}

/// Looks a figure up in a summary that was written as JSON.
#[must_use]
pub fn look_up(summary: &Value, name: &str) -> Found {
    let (mut here, steps) = (summary, name.split('.'));
    let kinds = name.strip_prefix(SENT).is_some_and(|rest| rest.starts_with('.'));
    for step in steps {
        match here.get(step) {
            Some(next) => here = next,
            // A kind of message that did not occur has no key.
            None if kinds && here.is_object() => return Found::Number(0),
            None => return Found::Absent,
        }
    }
    match here {
        Value::Null => Found::Never,
        Value::Bool(flag) => Found::Number((*flag).into()),
        Value::Array(entries) => Found::Number(entries.len() as i128),
        Value::Number(number) => {
            let number = number.as_i64().map(i128::from).or(number.as_u64().map(i128::from));
            number.map_or(Found::Absent, Found::Number)
        }
        Value::String(_) | Value::Object(_) => Found::Absent,
    }
}

/// The summary of a run in which everything is measured and nothing happened.
fn full() -> Summary {
    let nodes = NodeMap::filled(1, NodeInfo { stake: 1, ..NodeInfo::default() });
    let plan = RecorderPlan {
        gossip: true,
        repair: true,
        gossip_values: true,
        transaction_window: 1,
        rumor_window: 1,
        blocks: true,
        votes: true,
        adversaries: vec![AdversaryInfo {
            lie: Lie::Silent,
            nodes: NodeSet::empty(1),
            stake: 0,
            begin: Time::ZERO,
            end: None,
            may_miss: true,
        }],
        block_window: 1,
        ..RecorderPlan::new(nodes, Time::ZERO)
    };
    let busy = NodeMap::filled(1, [None, None]);
    let ending = Ending {
        end: Time::ZERO,
        world: &World::default(),
        census: &Nobody,
        busy: &busy,
        tallies: &[],
        in_flight: (0, 0),
    };
    Recorder::new(plan, Nowhere).finish(&ending).0
}

struct Nobody;

impl Census for Nobody {
    fn status(&self, _: NodeId) -> Option<Status> {
        None
    }
    fn peers(&self, _: NodeId, _: &mut dyn FnMut(NodeId)) {}
}

struct Nowhere;

impl RowSink for Nowhere {
    fn row(&mut self, _: &'static TableSpec, _: &[Cell<'_>]) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_the_summary_has_a_name_and_a_unit() {
        let figures = figures();
        let unit = |name: &str| figures.iter().find(|f| f.name == name).map(|f| f.unit);
        assert_eq!(unit("end_ns"), Some(Unit::Nanoseconds));
        assert_eq!(unit("messages.dropped"), Some(Unit::Count));
        assert_eq!(unit("bytes.sent"), Some(Unit::Bytes));
        assert_eq!(unit("sent.block_chunk"), Some(Unit::Count));
        assert_eq!(unit("conservation.holds"), Some(Unit::Flag));
        assert_eq!(unit("rumors.latency.p99_ns"), Some(Unit::Nanoseconds));
        assert_eq!(unit("registry.agreement_ppm"), Some(Unit::PartsPerMillion));
        assert_eq!(unit("repair.requests"), Some(Unit::Count));
        assert_eq!(unit("faults.missed"), Some(Unit::Count), "a list counts as its length");
        for section in ["blocks.", "transactions.", "gossip_values."] {
            assert!(figures.iter().any(|f| f.name.starts_with(section)), "{section}");
        }
    }

    #[test]
    fn what_never_happened_differs_from_what_does_not_apply_and_from_zero() {
        let summary = serde_json::json!({
            "registry": null,
            "latency": {"p99_ns": null},
            "sent": {"rumor": 7},
            "conservation": {"holds": true, "unaccounted": -2},
            "faults": {"missed": [1, 4]},
        });
        let found = |name| look_up(&summary, name);
        assert_eq!(found("registry.converged_ns"), Found::Absent);
        assert_eq!(found("latency.p99_ns"), Found::Never);
        assert_eq!((found("sent.rumor"), found("sent.ping")), (Found::Number(7), Found::Number(0)));
        assert_eq!(found("conservation.holds"), Found::Number(1));
        assert_eq!(found("conservation.unaccounted"), Found::Number(-2));
        assert_eq!(found("faults.missed"), Found::Number(2));
        assert_eq!(found("faults"), Found::Absent);
    }
}
