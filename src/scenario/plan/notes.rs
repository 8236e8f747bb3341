//! Scenario layer: what a reader should know of a plan that is valid but may not be what was meant.

use super::Plan;
use crate::base::time::Span;
use crate::protocol::leading::Content;
use crate::protocol::{gossip, repair};
use crate::scenario::schema::Scenario;

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
    notes.extend(of_repair(scenario));
    notes
}

/// Keys about missing blocks that nobody reads.
fn of_repair(scenario: &Scenario) -> Vec<String> {
    let config = &scenario.repair;
    let mut notes = Vec::new();
    let (blocks, style) = (scenario.blocks.content != Content::Off, config.style);
    if !blocks && style != repair::Style::Off {
        notes.push("repair.style: there are no blocks to repair (blocks.content = \"off\")".into());
    }
    let unread = config.unread();
    let name = match style {
        repair::Style::Off => "off",
        repair::Style::Classroom => "classroom",
        repair::Style::Solana => "solana",
    };
    let read = |key| format!("repair.{key}: not read with repair.style = \"{name}\"");
    notes.extend(unread.into_iter().map(read));
    let rounds = !matches!(scenario.gossip.style, gossip::Style::Off | gossip::Style::ForwardOnce);
    // A preset may set it for scenarios without blocks.
    if blocks && scenario.gossip.recent_blocks > 0 && !rounds {
        notes.push(
            "gossip.recent_blocks: without rounds of gossip no block is sent again".to_owned(),
        );
    }
    notes
}
