//! Command line: `--events`, a readable log of what happened, for chosen nodes and a window.

use std::io::Write;

use crate::base::id::{NodeId, NodeSet};
use crate::base::time::Time;
use crate::fact::{Census, Decline, Fact, Observer, Step, World};

/// Prints facts that concern chosen nodes within a window.
pub(super) struct EventLog<W> {
    out: W,
    nodes: Option<NodeSet>,
    from: Time,
    until: Time,
    /// Whether messages are told too, not only what came of them.
    messages: bool,
    /// Who made the latest block.
    leader: Option<NodeId>,
}

impl<W: Write> EventLog<W> {
    pub(super) fn new(
        out: W,
        nodes: Option<NodeSet>,
        window: (Time, Time),
        messages: bool,
    ) -> Self {
        Self { out, nodes, from: window.0, until: window.1, messages, leader: None }
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
        if let Fact::BlockMade { node, .. } = fact {
            self.leader = Some(*node);
        }
        if at < self.from || at > self.until {
            return;
        }
        if let Some((nodes, text)) = message_text(fact) {
            if self.messages {
                self.tell(at, &nodes, &text);
            }
        } else if let Some((nodes, text)) = fact_text(fact) {
            self.tell(at, &nodes, &text);
        } else if let Some((node, text)) = block_text(fact, self.leader) {
            self.tell(at, &[node], &text);
        }
    }

    fn next_sample(&self) -> Option<Time> {
        None
    }

    fn on_sample(&mut self, _: Time, _: &World, _: &dyn Census) {}
}

/// A fact about nodes and blocks in words.
pub(super) fn in_words(fact: &Fact) -> Option<String> {
    let of_block = || block_text(fact, None).map(|(_, text)| text);
    fact_text(fact).map(|(_, text)| text).or_else(of_block)
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
            (vec![node], format!("node {node} is down or too busy and misses a rumor"))
        }
        Fact::RumorInjected { node, rumor, size, .. } => {
            (vec![node], format!("rumor {rumor} of {size} B appears at node {node}"))
        }
        Fact::RumorReceived { node, rumor, from, hops, first: true } => {
            (vec![node], format!("node {node} hears rumor {rumor} from node {from}, hop {hops}"))
        }
        Fact::Lied { node, adversary, lie, count } => {
            let times = if count == 1 { String::new() } else { format!(", {count} times") };
            (vec![node], format!("node {node} lies: {} (adversary {adversary}){times}", lie.name()))
        }
        Fact::OffenceNoticed { node, culprit, offence } => {
            let what = offence.name().replace('_', " ");
            (vec![node, culprit], format!("node {node} catches node {culprit}: {what}"))
        }
        Fact::VoteLanded { voter, slot, .. } => {
            (vec![voter], format!("the vote of node {voter} for slot {slot} is in that block"))
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
        Step::Missed { size } => {
            format!("of {size} B never comes in: node {node} is down or too busy")
        }
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

/// A fact about blocks in words, and whom it concerns. `leader` made the latest block.
fn block_text(fact: &Fact, leader: Option<NodeId>) -> Option<(NodeId, String)> {
    Some(match *fact {
        Fact::BlockMade { node, slot, block, parent, height } => {
            let place = format!("in slot {slot} on {parent:016x}, height {height}");
            (node, format!("node {node} makes block {block:016x} {place}"))
        }
        Fact::BlockSize { block, bytes, data, coding, transactions } => {
            let shreds = format!("{data} data shreds, {coding} coding shreds");
            let text = format!("{bytes} B, {shreds}, {transactions} transactions");
            (leader?, format!("block {block:016x} has {text}"))
        }
        Fact::LeadDeclined { node, slot, reason } => {
            let why = match reason {
                Decline::Passed => "its chain is past it",
                Decline::HasShreds => "it has shreds of a block of it",
                Decline::Unpropagated => "its block before has not reached enough of the stake",
                Decline::Silent => "it is silent against the rules",
                Decline::NothingRooted => "it has lost its memory and rooted nothing new since",
            };
            (node, format!("node {node} does not lead slot {slot}: {why}"))
        }
        Fact::BlockFirstShred { node, slot, block } => {
            (node, format!("node {node} gets the first shred of block {block:016x} of slot {slot}"))
        }
        Fact::BlockWhole { node, slot, block, .. } => {
            (node, format!("node {node} has block {block:016x} of slot {slot} whole"))
        }
        Fact::BlockSent { node, block, messages, bytes } => {
            let text = format!("{messages} messages of {bytes} B in all");
            (node, format!("node {node} has sent block {block:016x}: {text}"))
        }
        Fact::ShredsCounted { node, block, turbine, recovered, repaired, duplicate, .. } => {
            let paths = format!("{turbine} by turbine, {recovered} recovered, {repaired} repaired");
            let text = format!("shreds of block {block:016x}: {paths}, {duplicate} duplicates");
            (node, format!("node {node} counts its {text}"))
        }
        Fact::BlockExpired { node, slot, block } => {
            (node, format!("node {node} gives up block {block:016x} of slot {slot}"))
        }
        Fact::BlockMiscoded { node, slot, block, set } => {
            let what = format!("set {set} of block {block:016x} of slot {slot}");
            (node, format!("node {node} decodes {what} to something else and refuses the block"))
        }
        Fact::HeadChanged { node, block, height, reorganised } => {
            let left = match reorganised {
                0 => String::new(),
                1 => ", leaving 1 block of its chain".to_owned(),
                many => format!(", leaving {many} blocks of its chain"),
            };
            (node, format!("node {node} builds on block {block:016x}, height {height}{left}"))
        }
        _ => return vote_text(fact).or_else(|| audit_text(fact)),
    })
}

/// A fact about votes in words, and whom it concerns.
fn vote_text(fact: &Fact) -> Option<(NodeId, String)> {
    Some(match *fact {
        Fact::VoteCast { node, slot, block, switched } => {
            let left = if switched { ", leaving the fork of its last vote" } else { "" };
            (node, format!("node {node} votes for block {block:016x} of slot {slot}{left}"))
        }
        Fact::VoteWithheld { node, slot, block, reason } => {
            let what = format!("block {block:016x} of slot {slot}");
            let why = reason.name().replace('_', " ");
            (node, format!("node {node} does not vote for {what} ({why})"))
        }
        Fact::Rooted { node, slot, block } => {
            (node, format!("node {node} roots block {block:016x} of slot {slot}"))
        }
        Fact::BlockConfirmed { node, slot, block, level } => {
            let level = level.name();
            let text = format!("block {block:016x} of slot {slot} as confirmed ({level})");
            (node, format!("node {node} takes {text}"))
        }
        Fact::EquivocationProven { node, slot, leader } => {
            let text = format!("node {leader} made two blocks for slot {slot}");
            (node, format!("node {node} has proof that {text}"))
        }
        _ => return None,
    })
}

/// What an audit found, if that is anything.
fn audit_text(fact: &Fact) -> Option<(NodeId, String)> {
    let Fact::BlockAudited { node, block, audit } = *fact else { return None };
    let findings = [
        (audit.hashed, "its hash is not that of its bytes"),
        (audit.covered, "a balance is negative"),
        (audit.conserved, "money was made or lost"),
    ];
    let found = findings.into_iter().filter(|(well, _)| !well).map(|(_, what)| what);
    let found = found.collect::<Vec<_>>().join(", ");
    (!found.is_empty())
        .then(|| (node, format!("block {block:016x} of node {node} is bad: {found}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::slot::Slot;

    /// What the log says of facts at one second, for node 1 alone.
    fn told(facts: &[Fact]) -> Vec<String> {
        let nodes: NodeSet = [NodeId::new(1)].into_iter().collect();
        let mut log = EventLog::new(Vec::new(), Some(nodes), (Time::ZERO, Time::MAX), false);
        facts.iter().for_each(|fact| log.on_fact(Time::from_nanos(1_000_000_000), fact));
        let text = String::from_utf8(log.out).expect("text");
        let line = |line: &str| line.strip_prefix("      1.000000s  ").map(str::to_owned);
        text.lines().map(|text| line(text).expect("a time")).collect()
    }

    #[test]
    fn blocks_are_told_to_those_who_asked_for_the_node() {
        let (node, slot, block) = (NodeId::new(1), Slot::new(9), 0xAB);
        let size = Fact::BlockSize { block, bytes: 900, data: 32, coding: 30, transactions: 4 };
        let made = |node| Fact::BlockMade { node, slot, block, parent: 0xAA, height: 7 };
        let lines = told(&[
            made(NodeId::new(2)),
            size,
            made(node),
            size,
            Fact::LeadDeclined { node, slot, reason: Decline::HasShreds },
            Fact::BlockFirstShred { node, slot, block },
            Fact::BlockWhole { node, slot, block, first: Time::ZERO },
            Fact::ShredsCounted {
                node,
                block,
                turbine: 20,
                recovered: 12,
                repaired: 0,
                duplicate: 3,
                hops: 2,
            },
            Fact::BlockExpired { node, slot, block },
            Fact::HeadChanged { node, block, height: 7, reorganised: 2 },
        ]);
        let expected = [
            "node 1 makes block 00000000000000ab in slot 9 on 00000000000000aa, height 7",
            "block 00000000000000ab has 900 B, 32 data shreds, 30 coding shreds, 4 transactions",
            "node 1 does not lead slot 9: it has shreds of a block of it",
            "node 1 gets the first shred of block 00000000000000ab of slot 9",
            "node 1 has block 00000000000000ab of slot 9 whole",
            "node 1 counts its shreds of block 00000000000000ab: 20 by turbine, 12 recovered, \
             0 repaired, 3 duplicates",
            "node 1 gives up block 00000000000000ab of slot 9",
            "node 1 builds on block 00000000000000ab, height 7, leaving 2 blocks of its chain",
        ];
        assert_eq!(lines, expected);
    }
}
