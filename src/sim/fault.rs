//! Kernel layer: the schedule of faults: a sorted list of boundaries and a cursor. A boundary is
//! not an event: all boundaries of an instant are crossed before its first event, and adding one
//! renumbers no event.

use super::compute::Slowdown;
use super::network::rule::RuleSpec;
use super::protocol::Memory;
use crate::base::id::{NodeId, NodeSet};
use crate::base::time::Time;

/// A fault of the plan, fully resolved.
#[derive(Clone, Debug)]
pub struct Fault {
    /// When it begins.
    pub begin: Time,
    /// When it ends; `None` for never.
    pub end: Option<Time>,
    /// What it does.
    pub action: FaultAction,
}

/// What a fault does.
#[derive(Clone, Debug)]
pub enum FaultAction {
    /// It acts on messages.
    Rule(RuleSpec),
    /// Nodes are down from begin to end.
    Crash {
        /// Which.
        nodes: NodeSet,
        /// What is left of them.
        memory: Memory,
    },
    /// Nodes leave and come back at times of their own, all of them between begin and end.
    Churn {
        /// Who leaves when, and when it is back.
        outages: Vec<Outage>,
        /// What is left of them.
        memory: Memory,
    },
    /// Processors stand still; what arrives waits.
    Pause(NodeSet),
    /// Processors take longer.
    Slow(NodeSet, Slowdown),
    /// Nothing by itself: it marks the moment at which so many partitions end.
    Heal(u32),
    /// Clocks are off from begin to end.
    Clock {
        /// Whose.
        nodes: NodeSet,
        /// Nanoseconds ahead.
        offset: i64,
        /// Gain in parts per million.
        drift_ppm: i32,
    },
}

/// One absence of one node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outage {
    /// Who.
    pub node: NodeId,
    /// From when.
    pub leave: Time,
    /// Until when; `None` for good.
    pub back: Option<Time>,
}

/// Something that changes at a moment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Boundary {
    /// A fault ends; ends come before beginnings of the same instant.
    End(u32),
    /// A node of a churn comes back.
    Back(u32, NodeId),
    /// A node starts for the first time.
    Start(NodeId),
    /// A fault begins.
    Begin(u32),
    /// A node of a churn leaves.
    Leave(u32, NodeId),
}

/// All boundaries in order.
pub(super) struct Schedule {
    boundaries: Vec<(Time, Boundary)>,
    next: usize,
}

impl Schedule {
    pub(super) fn new(faults: &[Fault], starts: impl Iterator<Item = (NodeId, Time)>) -> Self {
        let mut boundaries: Vec<_> = starts.map(|(node, at)| (at, Boundary::Start(node))).collect();
        for (place, fault) in faults.iter().enumerate() {
            let place = u32::try_from(place).expect("fewer than 2^32 faults");
            boundaries.push((fault.begin, Boundary::Begin(place)));
            boundaries.extend(fault.end.map(|end| (end, Boundary::End(place))));
            if let FaultAction::Churn { outages, .. } = &fault.action {
                for outage in outages {
                    boundaries.push((outage.leave, Boundary::Leave(place, outage.node)));
                    boundaries.extend(outage.back.map(|t| (t, Boundary::Back(place, outage.node))));
                }
            }
        }
        boundaries.sort_unstable();
        Self { boundaries, next: 0 }
    }

    /// When the next boundary is due.
    pub(super) fn peek(&self) -> Option<Time> {
        self.boundaries.get(self.next).map(|(at, _)| *at)
    }

    pub(super) fn pop(&mut self) -> Option<(Time, Boundary)> {
        let boundary = self.boundaries.get(self.next).copied();
        self.next += usize::from(boundary.is_some());
        boundary
    }

    /// Whether any boundary has been crossed.
    pub(super) const fn has_begun(&self) -> bool {
        self.next > 0
    }

    /// Adds a boundary, at the place that it would have if it had been there from the start.
    pub(super) fn insert(&mut self, at: Time, boundary: Boundary) {
        let place = self.boundaries[self.next..].partition_point(|due| *due < (at, boundary));
        self.boundaries.insert(self.next + place, (at, boundary));
    }

    /// Takes a boundary away, if it is still to come.
    pub(super) fn cancel(&mut self, boundary: Boundary) {
        let due = self.boundaries[self.next..].iter().position(|(_, due)| *due == boundary);
        due.map(|place| self.boundaries.remove(self.next + place));
    }
}

/// Every node that some fault takes down.
pub(super) fn crashing(faults: &[Fault]) -> NodeSet {
    let mut all = NodeSet::default();
    for fault in faults {
        match &fault.action {
            FaultAction::Crash { nodes, .. } => nodes.iter().for_each(|node| {
                all.insert(node);
            }),
            FaultAction::Churn { outages, .. } => outages.iter().for_each(|outage| {
                all.insert(outage.node);
            }),
            _ => {}
        }
    }
    all
}

/// Whether any fault needs processors.
pub(super) fn needs_processors(faults: &[Fault]) -> bool {
    faults.iter().any(|f| matches!(f.action, FaultAction::Pause(_) | FaultAction::Slow(..)))
}
