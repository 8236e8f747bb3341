//! Metrics layer, invariants: the last facts of every node, for when something goes wrong.

use crate::base::id::{NodeId, NodeMap};
use crate::base::time::Time;
use crate::fact::Fact;

/// Facts that are remembered of a node, and told of all nodes together.
pub(super) const LAST: usize = 20;

/// A ring of facts for every node.
#[derive(Debug)]
pub(super) struct Recent {
    rings: NodeMap<Vec<(u64, Time, Fact)>>,
    count: u64,
}

impl Recent {
    pub(super) fn new(nodes: usize) -> Self {
        Self { rings: NodeMap::filled(nodes, Vec::new()), count: 0 }
    }

    /// Remembers a fact about blocks, votes or a node's health.
    pub(super) fn add(&mut self, at: Time, fact: &Fact) {
        let Some(node) = whose(fact) else { return };
        let entry = (self.count, at, *fact);
        self.count += 1;
        let ring = &mut self.rings[node];
        if ring.len() < LAST {
            ring.push(entry);
        } else if let Some(oldest) = ring.iter_mut().min_by_key(|(number, ..)| *number) {
            *oldest = entry;
        }
    }

    /// The last facts of these nodes in the order in which they happened.
    pub(super) fn of(&self, nodes: &[NodeId]) -> Vec<(Time, Fact)> {
        // Of each as much as of the others, whoever is busier.
        let share = LAST / nodes.len().max(1);
        let mut facts: Vec<&(u64, Time, Fact)> = Vec::new();
        for node in nodes {
            let mut of: Vec<&(u64, Time, Fact)> = self.rings[*node].iter().collect();
            of.sort_unstable_by_key(|(number, ..)| *number);
            facts.extend(of.into_iter().rev().take(share.max(1)));
        }
        facts.sort_unstable_by_key(|(number, ..)| *number);
        facts.dedup_by_key(|(number, ..)| *number);
        facts.into_iter().map(|(_, at, fact)| (*at, *fact)).collect()
    }
}

/// The node of a fact that helps to understand a violation.
const fn whose(fact: &Fact) -> Option<NodeId> {
    match *fact {
        Fact::NodeUp { node }
        | Fact::NodeDown { node, .. }
        | Fact::BlockMade { node, .. }
        | Fact::BlockRefused { node, .. }
        | Fact::HeadChanged { node, .. }
        | Fact::VoteCast { node, .. }
        | Fact::VoteWithheld { node, .. }
        | Fact::Rooted { node, .. }
        | Fact::EquivocationProven { node, .. } => Some(node),
        _ => None,
    }
}
