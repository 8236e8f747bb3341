//! Kernel layer: what a crash takes with it: messages that wait in the node's uplink or downlink.
//!
//! Pipes are next-free instants and arrivals are scheduled at hand-over, so a crash has to take
//! back arrivals that are already scheduled. Only nodes that the plan crashes keep this list; the
//! order of events is the same with and without it.

use std::collections::{BTreeMap, VecDeque};

use crate::base::id::{NodeId, NodeMap};
use crate::base::time::Time;

/// A delivery as the event queue knows it: when, from whom, to whom.
type Due = (Time, NodeId, NodeId);

/// Messages waiting at nodes that will crash, and deliveries that were taken back.
pub(super) struct Backlogs {
    waiting: NodeMap<Option<VecDeque<(Time, Due)>>>,
    taken_back: BTreeMap<Due, u32>,
    /// No node ever crashes.
    idle: bool,
}

impl Backlogs {
    /// Keeps backlogs for the nodes that `crashes` says.
    pub(super) fn new(nodes: usize, mut crashes: impl FnMut(NodeId) -> bool) -> Self {
        let waiting = NodeMap::build(nodes, |node| crashes(node).then(VecDeque::new));
        let idle = waiting.values().all(Option::is_none);
        Self { waiting, taken_back: BTreeMap::new(), idle }
    }

    /// Whether no node ever crashes, so that nothing is ever taken back.
    #[inline]
    pub(super) const fn is_idle(&self) -> bool {
        self.idle
    }

    /// Notes that a message waits at `node` until `released` and is due as given.
    #[inline]
    pub(super) fn note(&mut self, now: Time, node: NodeId, released: Time, due: Due) {
        if let Some(waiting) = &mut self.waiting[node]
            && released > now
        {
            while waiting.front().is_some_and(|(released, _)| *released <= now) {
                waiting.pop_front();
            }
            waiting.push_back((released, due));
        }
    }

    /// The node crashes: what is not released yet is taken back.
    pub(super) fn crash(&mut self, now: Time, node: NodeId) {
        for (released, due) in self.waiting[node].iter_mut().flat_map(|waiting| waiting.drain(..)) {
            if released > now {
                *self.taken_back.entry(due).or_insert(0) += 1;
            }
        }
    }

    /// Whether this delivery was taken back. Each is answered once.
    #[inline]
    pub(super) fn was_taken_back(&mut self, due: Due) -> bool {
        if self.taken_back.is_empty() {
            return false;
        }
        let Some(count) = self.taken_back.get_mut(&due) else { return false };
        *count -= 1;
        if *count == 0 {
            self.taken_back.remove(&due);
        }
        true
    }
}
