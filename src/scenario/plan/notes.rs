//! Scenario layer: what a reader should know of a plan that is valid but may not be what was meant.

use super::Plan;
use crate::base::time::Span;
use crate::protocol::gossip;
use crate::scenario::schema::Scenario;

/// One sentence for each key that comes to nothing.
pub(super) fn of(plan: &Plan) -> Vec<String> {
    let scenario = &plan.scenario;
    let mut notes = unread_gossip(scenario);
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
    notes
}

/// A note for each key of `[gossip]` that differs from its default and that the style never reads.
fn unread_gossip(scenario: &Scenario) -> Vec<String> {
    let (given, usual) = (&scenario.gossip, gossip::Config::default());
    if given.style != gossip::Style::Solana {
        let unread = given.solana.is_some();
        let note = "gossip.solana: these keys are only read with style = \"solana\"";
        return unread.then(|| note.to_owned()).into_iter().collect();
    }
    let keys = [
        ("interval", given.interval != usual.interval),
        ("fanout", given.fanout != usual.fanout),
        ("refresh", given.refresh != usual.refresh),
        ("choose_from", given.choose_from != usual.choose_from),
    ];
    let unread = keys.into_iter().filter(|(_, differs)| *differs);
    unread.map(|(key, _)| format!("gossip.{key}: not read with style = \"solana\"")).collect()
}
