//! Metrics layer, collector: the whole cluster at regular moments (`timeline.csv`).

use super::blocks::BlockProgress;
use super::table::{Column, RowSink, TableSpec, Unit};
use super::ticks::Ticks;
use super::traffic::Flow;
use crate::base::id::NodeId;
use crate::base::time::{Span, Time};
use crate::fact::{Census, World};

/// `timeline.csv`.
pub static TIMELINE: TableSpec = TableSpec {
    name: "timeline",
    doc: "One row per sample, from the start of the run. A sample stands before all events of its \
          moment; the last one, at the end of the run, after them.",
    columns: &[
        Column::new("time_ns", Unit::Nanoseconds, "When."),
        Column::new("up", Unit::Count, "Nodes that are up."),
        Column::new("pending", Unit::Count, "Events still to come."),
        Column::new("in_flight", Unit::Count, "Messages under way."),
        Column::new("in_flight_bytes", Unit::Bytes, "Their bytes."),
        Column::new("partitions", Unit::Count, "Partitions in force."),
        Column::new("faults", Unit::Count, "Faults in force, partitions included."),
        Column::new("sent", Unit::Count, "Messages sent since the start."),
        Column::new("delivered", Unit::Count, "Messages and copies delivered since the start."),
        Column::new("dropped", Unit::Count, "Messages and copies dropped since the start."),
        Column::new("registry_known", Unit::Count, KNOWN),
        Column::new("registry_agreement_ppm", Unit::PartsPerMillion, AGREEMENT),
        Column::new("rumors", Unit::Count, "Rumors injected since the start."),
        Column::new("rumor_receipts", Unit::Count, "First receipts of rumors since the start."),
        Column::new("peers", Unit::Count, "Peers known, summed over the nodes that are up."),
        Column::new("blocks", Unit::Count, BLOCKS),
        Column::new("height_max", Unit::Count, "Blocks from genesis to the highest of them."),
        Column::new("heads", Unit::Count, "Different blocks that the nodes that are up build on."),
    ],
};

const BLOCKS: &str = "Blocks made since the start; this and the columns after it are empty in a run \
                      without blocks.";

const KNOWN: &str = "Registry entries known, summed over the nodes that are up; empty if the \
                     registry is not spread by gossip.";
const AGREEMENT: &str = "Share of the pairs of a node that is up and a validator in which the node \
                         has the validator's latest entry.";

/// What other collectors counted up to a moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    pub(super) messages: Flow,
    pub(super) registry_known: Option<u64>,
    pub(super) registry_agreement_ppm: Option<u64>,
    pub(super) rumors: u64,
    pub(super) rumor_receipts: u64,
    pub(super) blocks: Option<BlockProgress>,
}

/// Writes a row at every tick.
pub(super) struct Timeline {
    pub(super) ticks: Ticks,
    nodes: usize,
}

impl Timeline {
    pub(super) fn new(interval: Option<Span>, end: Time, nodes: usize) -> Self {
        Self { ticks: Ticks::new(interval, end), nodes }
    }

    pub(super) fn row(
        &self,
        at: Time,
        world: &World,
        census: &dyn Census,
        progress: &Progress,
        sink: &mut impl RowSink,
    ) {
        let statuses = NodeId::all(self.nodes).filter_map(|node| census.status(node));
        let peers: u64 = statuses.map(|status| u64::from(status.peers)).sum();
        let Progress { messages, rumors, rumor_receipts, blocks, .. } = *progress;
        sink.row(
            &TIMELINE,
            &[
                at.into(),
                world.up.into(),
                world.pending.into(),
                world.in_flight.into(),
                world.in_flight_bytes.into(),
                world.partitions.into(),
                world.faults.into(),
                messages.sent.into(),
                messages.delivered.into(),
                messages.dropped.into(),
                progress.registry_known.into(),
                progress.registry_agreement_ppm.into(),
                rumors.into(),
                rumor_receipts.into(),
                peers.into(),
                blocks.map(|blocks| blocks.made).into(),
                blocks.map(|blocks| blocks.height_max).into(),
                blocks.map(|blocks| blocks.heads).into(),
            ],
        );
    }
}
