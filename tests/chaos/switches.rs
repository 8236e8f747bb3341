//! Whether honest nodes leave the fork of their last vote only with enough stake elsewhere, judged
//! from outside: by the votes of everybody, whether the node can have known of them or not.

use std::collections::BTreeMap;

use headwater::base::id::{NodeId, NodeMap};
use headwater::fact::Fact;

/// What can be said of a switch without looking into a node: the stake that has ever voted off the
/// fork, at or below the point where the node leaves it, is all that a proof can be made of. So it
/// must be more than 38 %. All nodes have the same stake.
pub(super) struct Switches {
    /// Parent and height of each block.
    blocks: BTreeMap<u64, (u64, u32)>,
    votes: NodeMap<Vec<u64>>,
    /// Who has been honest and has kept its memory.
    judged: NodeMap<bool>,
    /// How many switches were judged.
    pub(super) count: u32,
    pub(super) complaint: Option<String>,
}

impl Switches {
    pub(super) fn new(nodes: usize, judges: impl Fn(NodeId) -> bool) -> Self {
        Self {
            blocks: BTreeMap::new(),
            votes: NodeMap::filled(nodes, Vec::new()),
            judged: NodeMap::build(nodes, judges),
            count: 0,
            complaint: None,
        }
    }

    pub(super) fn on_fact(&mut self, fact: &Fact) {
        match *fact {
            Fact::BlockMade { block, parent, height, .. } => {
                self.blocks.insert(block, (parent, height));
            }
            Fact::NodeDown { node, forgets: true } => self.judged[node] = false,
            Fact::VoteCast { node, slot, block, switched } => {
                let last = self.votes[node].last().copied();
                if let (true, true, Some(last)) = (switched, self.judged[node], last) {
                    self.count += 1;
                    let (elsewhere, all) = (self.elsewhere(last, block), self.votes.len());
                    if elsewhere * 100 <= 38 * all && self.complaint.is_none() {
                        self.complaint = Some(format!(
                            "{node:?} left a fork for slot {slot} with {elsewhere} of {all} elsewhere"
                        ));
                    }
                }
                self.votes[node].push(block);
            }
            _ => {}
        }
    }

    /// Voters that have voted off the fork of a block, at a point that a target stands on.
    fn elsewhere(&self, last: u64, target: u64) -> usize {
        let off = |vote: &u64| {
            let fork = self.common(*vote, last);
            fork != *vote && fork != last && self.common(fork, target) == fork
        };
        self.votes.values().filter(|votes| votes.iter().any(off)).count()
    }

    /// The last block that two stand on, or are; genesis has no entry.
    fn common(&self, mut a: u64, mut b: u64) -> u64 {
        let of = |block: u64| self.blocks.get(&block).copied().unwrap_or((block, 0));
        while a != b {
            let step = if of(a).1 >= of(b).1 { &mut a } else { &mut b };
            *step = of(*step).0;
        }
        a
    }
}
