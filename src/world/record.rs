//! World layer: what has happened, kept to be asked about.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::id::NodeId;
use crate::base::time::Time;
use crate::fact::{Census, Fact, Observer, World};

/// All facts but those of single messages.
#[derive(Default)]
pub(super) struct Record {
    facts: Vec<(Time, Fact)>,
    /// The parent of every block.
    parents: BTreeMap<u64, u64>,
    forgot: BTreeSet<NodeId>,
}

impl Record {
    /// Most facts that are kept: some 700 MB.
    pub(super) const MOST: usize = 10_000_000;

    pub(super) fn facts(&self) -> &[(Time, Fact)] {
        &self.facts
    }

    /// Whether facts went past it.
    pub(super) const fn is_full(&self) -> bool {
        self.facts.len() >= Self::MOST
    }

    /// Whether a node has lost its memory in a crash.
    pub(super) fn has_forgotten(&self, node: NodeId) -> bool {
        self.forgot.contains(&node)
    }

    /// Whether all roots of some nodes lie on one chain: that of the one with the most blocks
    /// before it.
    pub(super) fn roots_agree(&self, of: impl Fn(NodeId) -> bool) -> bool {
        let roots = self.facts.iter().filter_map(|(_, fact)| match *fact {
            Fact::Rooted { node, block, .. } if of(node) => Some(block),
            _ => None,
        });
        let roots: BTreeSet<u64> = roots.collect();
        let path =
            |from: u64| std::iter::successors(Some(from), |block| self.parents.get(block).copied());
        let longest = roots.iter().max_by_key(|root| path(**root).count());
        let Some(longest) = longest else { return true };
        let chain: BTreeSet<u64> = path(*longest).collect();
        roots.is_subset(&chain)
    }
}

impl Observer for Record {
    fn on_fact(&mut self, at: Time, fact: &Fact) {
        match *fact {
            Fact::Sent(_) | Fact::Duplicated(_) | Fact::Delivered { .. } | Fact::Dropped { .. } => {
                return;
            }
            Fact::BlockMade { block, parent, .. } => {
                self.parents.insert(block, parent);
            }
            Fact::NodeDown { node, forgets: true } => {
                self.forgot.insert(node);
            }
            _ => {}
        }
        if !self.is_full() {
            self.facts.push((at, *fact));
        }
    }

    fn next_sample(&self) -> Option<Time> {
        None
    }

    fn on_sample(&mut self, _: Time, _: &World, _: &dyn Census) {}
}
