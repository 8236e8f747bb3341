//! Metrics layer, collector: what each node sent, received and knows at the end (`nodes.csv`).

use serde::Serialize;

use super::figures::ppm;
use super::plan::NodeInfo;
use super::table::{Cell, Column, RowSink, TableSpec, Unit};
use crate::base::fetch::fetch_at;
use crate::base::id::{NodeId, NodeMap};
use crate::base::time::{Span, Time};
use crate::fact::{Census, Transit};

/// `nodes.csv`.
pub static NODES: TableSpec = TableSpec {
    name: "nodes",
    doc: "One row per node, in the order of their numbers.",
    columns: &[
        Column::new("node", Unit::Node, "The node."),
        Column::new("region", Unit::Text, "Its region."),
        Column::new("site", Unit::Text, "Its site within the region."),
        Column::new("stake", Unit::Stake, "Its stake; zero for an observer."),
        Column::new("identity", Unit::Text, "Its identity in hexadecimal digits."),
        Column::new("public_key", Unit::Text, "Its public key; empty where keys are not made."),
        Column::new("sent", Unit::Count, "Messages it handed to its network."),
        Column::new("received", Unit::Count, "Messages that reached it."),
        Column::new("dropped_out", Unit::Count, "Its messages that ended undelivered."),
        Column::new("sent_bytes", Unit::Bytes, "Bytes up: of the messages it sent."),
        Column::new("received_bytes", Unit::Bytes, "Bytes down: of the messages that reached it."),
        Column::new("uplink_busy_ppm", Unit::PartsPerMillion, BUSY_UP),
        Column::new("downlink_busy_ppm", Unit::PartsPerMillion, BUSY_DOWN),
        Column::new("first_heard_ns", Unit::Nanoseconds, "When a message first reached it."),
        Column::new("last_heard_ns", Unit::Nanoseconds, "When a message last reached it."),
        Column::new("crashes", Unit::Count, "How often it went down."),
        Column::new("peers", Unit::Count, "Peers it knows at the end; empty while it is down."),
        Column::new("validators", Unit::Count, "Validators it knows then, itself included."),
        Column::new("rumors", Unit::Count, "Rumors it has then."),
        Column::new("peers_refused", Unit::Count, "Newcomers it refused: it had `max_peers`."),
        Column::new("peers_forgotten", Unit::Count, "Dropped peers it gave up for good."),
    ],
};

const BUSY_UP: &str =
    "Share of the run during which its uplink was sending; empty for an infinitely fast one.";
const BUSY_DOWN: &str =
    "Share of the run during which its downlink was receiving; empty for an infinitely fast one.";

/// Coming and going of nodes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct NodesSummary {
    /// Nodes of the cluster.
    pub count: u64,
    /// Nodes that are up at the end.
    pub up: u64,
    /// How often a node came up, first starts included.
    pub starts: u64,
    /// How often a node went down.
    pub crashes: u64,
}

/// What is counted of one node. As long as a cache line, because senders and receivers are random.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Counts {
    sent: u64,
    sent_bytes: u64,
    received: u64,
    received_bytes: u64,
    dropped_out: u64,
    /// [`Time::MAX`] for never.
    first_heard: Time,
    last_heard: Time,
    crashes: u64,
}

const NOTHING: Counts = Counts {
    sent: 0,
    sent_bytes: 0,
    received: 0,
    received_bytes: 0,
    dropped_out: 0,
    first_heard: Time::MAX,
    last_heard: Time::ZERO,
    crashes: 0,
};

/// Counts messages by sender and receiver.
pub(super) struct Nodes {
    info: NodeMap<NodeInfo>,
    counts: NodeMap<Counts>,
    starts: u64,
}

impl Nodes {
    pub(super) fn new(info: NodeMap<NodeInfo>) -> Self {
        Self { counts: NodeMap::filled(info.len(), NOTHING), info, starts: 0 }
    }

    /// How many nodes there are.
    pub(super) const fn len(&self) -> usize {
        self.info.len()
    }

    /// Fetches what is counted of a node.
    #[inline]
    pub(super) fn fetch(&self, node: NodeId) {
        fetch_at(self.counts.as_slice(), node.index());
    }

    #[inline]
    pub(super) fn on_sent(&mut self, message: Transit) {
        let counts = &mut self.counts[message.from];
        counts.sent += 1;
        counts.sent_bytes += u64::from(message.size);
    }

    #[inline]
    pub(super) fn on_delivered(&mut self, at: Time, message: Transit) {
        let counts = &mut self.counts[message.to];
        counts.received += 1;
        counts.received_bytes += u64::from(message.size);
        counts.first_heard = counts.first_heard.min(at);
        counts.last_heard = at;
    }

    #[inline]
    pub(super) fn on_dropped(&mut self, message: Transit) {
        self.counts[message.from].dropped_out += 1;
    }

    pub(super) const fn on_up(&mut self) {
        self.starts += 1;
    }

    pub(super) fn on_down(&mut self, node: NodeId) {
        self.counts[node].crashes += 1;
    }

    /// Writes a row per node. `busy` is how long uplink and downlink were at work until `end`,
    /// `None` for a link that is infinitely fast.
    pub(super) fn fill(
        &self,
        end: Time,
        busy: &NodeMap<[Option<Span>; 2]>,
        census: &dyn Census,
        sink: &mut impl RowSink,
    ) {
        for (node, counts) in self.counts.iter() {
            let info = &self.info[node];
            let heard = counts.received > 0;
            let share = |busy: Span| ppm(busy.as_nanos(), end.as_nanos());
            let [up, down] = busy[node].map(|busy| Cell::from(busy.and_then(share)));
            let status = census.status(node);
            sink.row(
                &NODES,
                &[
                    node.into(),
                    info.region.as_str().into(),
                    info.site.as_str().into(),
                    info.stake.into(),
                    info.identity.as_str().into(),
                    info.public_key.as_deref().into(),
                    counts.sent.into(),
                    counts.received.into(),
                    counts.dropped_out.into(),
                    counts.sent_bytes.into(),
                    counts.received_bytes.into(),
                    up,
                    down,
                    heard.then_some(counts.first_heard).into(),
                    heard.then_some(counts.last_heard).into(),
                    counts.crashes.into(),
                    status.map(|status| status.peers).into(),
                    status.map(|status| status.validators).into(),
                    status.map(|status| status.rumors).into(),
                    status.map(|status| status.refused).into(),
                    status.map(|status| status.forgotten).into(),
                ],
            );
        }
    }

    pub(super) fn summary(&self, up: u32) -> NodesSummary {
        NodesSummary {
            count: self.len() as u64,
            up: up.into(),
            starts: self.starts,
            crashes: self.counts.values().map(|counts| counts.crashes).sum(),
        }
    }
}
