//! Scenario layer: what a reader should know of a plan that is valid but may not be what was meant.

mod blocks;

use super::Plan;
use crate::base::id::NodeId;
use crate::base::quantity::Bytes;
use crate::base::time::Span;
use crate::protocol::leading::Content;
use crate::protocol::ledger::Transaction;
use crate::protocol::rumor::Style;
use crate::protocol::{gossip, repair};
use crate::scenario::schema::Scenario;
use crate::sim::network::link::{Latency, Profile};

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
    notes.extend(crowded(plan));
    let never = plan.simulation.starts.values().filter(|start| **start > plan.end).count();
    if never > 0 {
        let of = plan.population.count();
        let (nodes, start) = if of == 1 { ("node", "starts") } else { ("nodes", "start") };
        notes.push(format!("nodes: {never} of {of} {nodes} {start} after the end of the run"));
    }
    notes.extend(blocks::of(scenario, plan.population.count()));
    notes.extend(of_repair(scenario));
    if notes.is_empty() {
        // Others say more of what was meant.
        notes.extend(idle(plan));
    }
    notes
}

/// A cluster in which nobody says anything.
fn idle(plan: &Plan) -> Option<String> {
    let scenario = &plan.scenario;
    let idle = scenario.rumors.is_empty()
        && scenario.transactions.is_empty()
        && scenario.blocks.content == Content::Off
        && scenario.gossip.style == gossip::Style::Off
        && !scenario.discovery.rules.enabled
        && scenario.adversaries.is_empty();
    idle.then(|| {
        "nothing happens: there are no rumors, no gossip, no blocks, no discovery of peers and no \
         transactions"
            .to_owned()
    })
}

/// Keys about missing blocks that nobody reads.
fn of_repair(scenario: &Scenario) -> Vec<String> {
    let config = &scenario.repair;
    let mut notes = Vec::new();
    let (has_blocks, style) = (scenario.blocks.content != Content::Off, config.style);
    let base = blocks::base(scenario).repair;
    if !has_blocks && style != base.style {
        notes.push("repair.style: there are no blocks to repair (blocks.content = \"off\")".into());
    }
    let unread = config.unread(&base);
    let name = match style {
        repair::Style::Off => "off",
        repair::Style::Classroom => "classroom",
        repair::Style::Solana => "solana",
    };
    let read = |key| format!("repair.{key}: not read with repair.style = \"{name}\"");
    notes.extend(unread.into_iter().map(read));
    let rounds = !matches!(scenario.gossip.style, gossip::Style::Off | gossip::Style::ForwardOnce);
    // A preset may set it for scenarios without blocks.
    if has_blocks && scenario.gossip.recent_blocks > 0 && !rounds {
        notes.push(
            "gossip.recent_blocks: without rounds of gossip no block is sent again".to_owned(),
        );
    }
    notes
}

/// A note about streams so dense that the run is bound to stop for too many pending events.
fn crowded(plan: &Plan) -> Option<String> {
    let limit = u64::from(plan.scenario.limits.pending_events);
    let (latency, nodes) = (mean_latency(plan), plan.population.count() as u64);
    let under_way = plan.rumors.iter().zip(&plan.streams).map(|(rules, stream)| {
        // Messages of a rumor: in a flood everybody but the origin spares whom it came from.
        let messages = match rules.style {
            Style::Flood => plan.overlay.edge_count().saturating_sub(nodes - 1),
            Style::ForwardOnce => nodes * u64::from(rules.fanout).min(nodes - 1),
            Style::Direct => 1,
            // How much is pushed and pulled depends on who has what; it is not estimated.
            Style::Push | Style::Pull | Style::PushPull | Style::Gossip => 0,
        };
        // Little's law: as many are under way as are sent within the time that each takes.
        stream.at_most().min(stream.within(latency)).saturating_mul(messages)
    });
    let under_way = under_way.fold(0, u64::saturating_add);
    (under_way > limit).then(|| {
        format!(
            "limits.pending_events: about {under_way} messages with rumors may be under way at a \
             time, above the limit of {limit}, at which the run stops"
        )
    })
}

/// Mean time that a message takes along some edges of the overlay, without waiting for pipes.
fn mean_latency(plan: &Plan) -> Span {
    /// So many edges tell enough.
    const EDGES: usize = 1_000;
    let links = &plan.simulation.network.links;
    let of = |from: NodeId, to: NodeId, own: Option<Span>| {
        let Profile { latency, jitter, .. } = links.profile(from, to);
        let base = own.unwrap_or(match latency {
            Latency::Constant(span) => *span,
            Latency::PerLink(drawn) | Latency::PerMessage(drawn) => drawn.mean(),
            // Scenarios have no such links.
            Latency::Function(_) => Span::ZERO,
        });
        base.saturating_add(jitter.as_ref().map_or(Span::ZERO, |jitter| jitter.mean()))
    };
    let overlay = &plan.overlay;
    let spans: Vec<Span> = if overlay.complete {
        let pairs = NodeId::all(overlay.nodes).zip(NodeId::all(overlay.nodes).skip(1));
        pairs.take(EDGES).map(|(from, to)| of(from, to, overlay.latency)).collect()
    } else {
        let edges = overlay.edges.iter().take(EDGES);
        edges.map(|edge| of(edge.from, edge.to, edge.latency)).collect()
    };
    let sum: u64 = spans.iter().map(|span| span.as_nanos()).sum();
    Span::from_nanos(sum / spans.len().max(1) as u64)
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
