//! Command line: `--events`, a readable log of what happened, for chosen nodes and a window.

use std::io::Write;

use crate::base::id::{NodeId, NodeSet};
use crate::base::time::Time;
use crate::fact::{Census, Fact, Observer, Step, World};

/// Prints facts that concern chosen nodes within a window.
pub(super) struct EventLog<W> {
    out: W,
    nodes: Option<NodeSet>,
    from: Time,
    until: Time,
    /// Whether messages are told too, not only what came of them.
    messages: bool,
}

impl<W: Write> EventLog<W> {
    pub(super) fn new(
        out: W,
        nodes: Option<NodeSet>,
        window: (Time, Time),
        messages: bool,
    ) -> Self {
        Self { out, nodes, from: window.0, until: window.1, messages }
    }

    /// Tells a fact, if any of these nodes was chosen (or if it concerns all).
    fn tell(&mut self, at: Time, nodes: &[NodeId], text: &str) {
        let chosen = |nodes: &[NodeId]| match &self.nodes {
            Some(set) => nodes.is_empty() || nodes.iter().any(|node| set.contains(*node)),
            None => true,
        };
        if chosen(nodes) {
            // A reader that has gone away does not stop the run.
            let _ = writeln!(self.out, "{:>14.6}s  {text}", at.as_nanos() as f64 / 1e9);
        }
    }
}

impl<W: Write> Observer for EventLog<W> {
    fn on_fact(&mut self, at: Time, fact: &Fact) {
        if at < self.from || at > self.until {
            return;
        }
        if let Some((nodes, text)) = message_text(fact) {
            if self.messages {
                self.tell(at, &nodes, &text);
            }
        } else if let Some((nodes, text)) = fact_text(fact) {
            self.tell(at, &nodes, &text);
        }
    }

    fn next_sample(&self) -> Option<Time> {
        None
    }

    fn on_sample(&mut self, _: Time, _: &World, _: &dyn Census) {}
}

/// A transport fact in words.
fn message_text(fact: &Fact) -> Option<(Vec<NodeId>, String)> {
    let (message, what) = match fact {
        Fact::Sent(message) => (message, "sends".to_owned()),
        Fact::Duplicated(message) => (message, "sends (duplicated by the network)".to_owned()),
        Fact::Delivered { message, .. } => {
            let (from, to, kind, size) =
                (message.from, message.to, message.kind.name(), message.size);
            let text = format!("node {to} receives {kind} of {size} B from node {from}");
            return Some((vec![from, to], text));
        }
        Fact::Dropped { message, reason } => {
            (message, format!("loses ({})", reason.name().replace('_', " ")))
        }
        _ => return None,
    };
    let (from, to, kind, size) = (message.from, message.to, message.kind.name(), message.size);
    Some((vec![from, to], format!("node {from} {what} {kind} of {size} B to node {to}")))
}

/// Any other fact in words, and whom it concerns; nobody means everybody.
fn fact_text(fact: &Fact) -> Option<(Vec<NodeId>, String)> {
    Some(match *fact {
        Fact::NodeUp { node } => (vec![node], format!("node {node} is up")),
        Fact::NodeDown { node, forgets } => {
            let how = if forgets { " and forgets everything" } else { "" };
            (vec![node], format!("node {node} goes down{how}"))
        }
        Fact::FaultBegan { fault } => (vec![], format!("fault {fault} begins")),
        Fact::FaultEnded { fault } => (vec![], format!("fault {fault} ends")),
        Fact::PeerAdded { node, peer } => {
            (vec![node], format!("node {node} takes node {peer} into its peers"))
        }
        Fact::PeerDropped { node, peer } => {
            (vec![node], format!("node {node} drops node {peer}, which no longer answers"))
        }
        Fact::Published { node, version } => {
            (vec![node], format!("validator {node} publishes version {version} of its entry"))
        }
        Fact::Learned { node, about, version, from } => {
            let what = format!("learned about validator {about} (version {version})");
            (vec![node], format!("node {node} {what} from node {from}"))
        }
        Fact::InputMissed { node } => {
            (vec![node], format!("node {node} is down and misses something of the workload"))
        }
        Fact::RumorInjected { node, rumor, size, .. } => {
            (vec![node], format!("rumor {rumor} of {size} B appears at node {node}"))
        }
        Fact::RumorReceived { node, rumor, from, hops, first: true } => {
            (vec![node], format!("node {node} hears rumor {rumor} from node {from}, hop {hops}"))
        }
        Fact::BlockRefused { node, slot, reason, .. } => (
            vec![node],
            format!("node {node} refuses the block of slot {slot} ({})", reason.name()),
        ),
        Fact::Transaction { node, transaction, step } => {
            (vec![node], format!("transaction {transaction} {}", step_text(node, step)))
        }
        _ => return None,
    })
}

/// What happened to a transaction at a node.
fn step_text(node: NodeId, step: Step) -> String {
    let words = |name: &str| name.replace('_', " ");
    match step {
        Step::Submitted { size } => format!("of {size} B comes in at node {node}"),
        Step::Received { leads: true } => format!("waits at node {node}, which leads soon"),
        Step::Received { leads: false } => format!("waits at node {node}"),
        Step::Forwarded { copies, strangers: 0 } => {
            format!("goes from node {node} to {copies} others")
        }
        Step::Forwarded { copies, strangers } => format!(
            "goes from node {node} to {copies} others, as it cannot reach {strangers} leaders"
        ),
        Step::Included { block } => format!("is in block {block:016x} of node {node}"),
        Step::Refused(reason) => format!("is refused by node {node} ({})", words(reason.name())),
        Step::Dropped(loss) => format!("does not wait at node {node} ({})", words(loss.name())),
    }
}
