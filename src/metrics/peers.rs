//! Metrics layer, collector: who knows whom, at chosen moments (`peers.csv`).

use serde::Serialize;

use super::table::{Column, RowSink, TableSpec, Unit};
use crate::base::id::NodeId;
use crate::base::time::Time;
use crate::fact::Census;

/// `peers.csv`.
pub static PEERS: TableSpec = TableSpec {
    name: "peers",
    doc: "One row per moment, node that is up, and peer of it, in this order. A listing stands \
          before all events of its moment; one at the end of the run after them.",
    columns: &[
        Column::new("time_ns", Unit::Nanoseconds, "When."),
        Column::new("node", Unit::Node, "Whose peer."),
        Column::new("peer", Unit::Node, "The peer."),
    ],
};

/// How peers changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct PeersSummary {
    /// How often a node took another into its peers.
    pub added: u64,
    /// How often a node gave up on a peer.
    pub dropped: u64,
    /// Newcomers that were refused for want of room, by the nodes that are up at the end.
    pub refused: u64,
    /// Dropped peers that were given up for good, by the nodes that are up at the end.
    pub forgotten: u64,
}

/// Lists peers at chosen moments and counts changes.
pub(super) struct Peers {
    /// Moments before the end, in order.
    moments: Vec<Time>,
    next: usize,
    at_end: bool,
    nodes: usize,
    changes: PeersSummary,
}

impl Peers {
    pub(super) fn new(mut moments: Vec<Time>, at_end: bool, end: Time, nodes: usize) -> Self {
        let at_end = at_end || moments.contains(&end);
        moments.retain(|at| *at < end);
        moments.sort_unstable();
        moments.dedup();
        Self { moments, next: 0, at_end, nodes, changes: PeersSummary::default() }
    }

    pub(super) const fn on_added(&mut self) {
        self.changes.added += 1;
    }

    pub(super) const fn on_dropped(&mut self) {
        self.changes.dropped += 1;
    }

    /// The next moment before the end.
    pub(super) fn next(&self) -> Option<Time> {
        self.moments.get(self.next).copied()
    }

    /// Lists all peers if this is the next moment.
    pub(super) fn on_sample(&mut self, at: Time, census: &dyn Census, sink: &mut impl RowSink) {
        if self.next() == Some(at) {
            self.next += 1;
            self.list(at, census, sink);
        }
    }

    /// Counts what nodes refused and lists all peers at the end, if that is wanted and was not done
    /// at this very moment.
    pub(super) fn fill(&mut self, end: Time, census: &dyn Census, sink: &mut impl RowSink) {
        for status in NodeId::all(self.nodes).filter_map(|node| census.status(node)) {
            self.changes.refused += u64::from(status.refused);
            self.changes.forgotten += u64::from(status.forgotten);
        }
        if self.at_end && self.moments[..self.next].last() != Some(&end) {
            self.list(end, census, sink);
        }
    }

    pub(super) const fn summary(&self) -> PeersSummary {
        self.changes
    }

    fn list(&self, at: Time, census: &dyn Census, sink: &mut impl RowSink) {
        for node in NodeId::all(self.nodes) {
            if census.status(node).is_some() {
                census.peers(node, &mut |peer| {
                    sink.row(&PEERS, &[at.into(), node.into(), peer.into()]);
                });
            }
        }
    }
}
