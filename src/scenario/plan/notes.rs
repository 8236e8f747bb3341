//! Scenario layer: what a reader should know of a plan that is valid but may not be what was meant.

use super::Plan;
use crate::base::quantity::Bytes;
use crate::base::time::Span;
use crate::protocol::ledger::Transaction;

/// One sentence for each key that comes to nothing.
pub(super) fn of(plan: &Plan) -> Vec<String> {
    let scenario = &plan.scenario;
    let mut notes = Vec::new();
    let late = |key: String, at: Span| {
        let end = scenario.duration;
        (at > end).then(|| format!("{key}: {at} is after the end of the run, {end}"))
    };
    for (place, stream) in scenario.rumors.iter().enumerate() {
        notes.extend(late(format!("rumors[{place}].at"), stream.at));
        let limit = scenario.network.message_limit.filter(|limit| stream.size > *limit);
        notes.extend(limit.map(|limit| {
            let size = stream.size;
            let dropped = "every message with such a rumor is dropped";
            format!(
                "rumors[{place}].size: {size} is above network.message_limit, {limit}: {dropped}"
            )
        }));
    }
    for (place, stream) in scenario.transactions.iter().enumerate() {
        notes.extend(late(format!("transactions[{place}].at"), stream.at));
        let size = Bytes(stream.data.get() + u64::from(Transaction::SMALLEST_BYTES));
        for (limit, key, then) in [
            (scenario.network.message_limit, "network.message_limit", "is sent in vain"),
            (scenario.blocks.max_bytes, "blocks.max_bytes", "has no room in any block"),
        ] {
            let limit = limit.filter(|limit| size > *limit);
            notes.extend(limit.map(|limit| {
                format!("transactions[{place}].data: {size} is above {key}, {limit}: each {then}")
            }));
        }
    }
    for (place, fault) in scenario.faults.iter().enumerate() {
        notes.extend(late(format!("faults[{place}].at"), fault.window().at));
    }
    for (place, at) in scenario.output.peers_at.iter().enumerate() {
        notes.extend(late(format!("output.peers_at[{place}]"), *at));
    }
    let never = plan.simulation.starts.values().filter(|start| **start > plan.end).count();
    if never > 0 {
        let of = plan.population.count();
        notes.push(format!("nodes: {never} of {of} nodes start after the end of the run"));
    }
    notes
}
