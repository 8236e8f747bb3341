//! Metrics layer, collector: every node at regular moments (`node_timeline.csv`).

use super::table::{Column, RowSink, TableSpec, Unit};
use super::ticks::Ticks;
use crate::base::id::NodeId;
use crate::base::time::{Span, Time};
use crate::fact::Census;

/// `node_timeline.csv`.
pub static NODE_TIMELINE: TableSpec = TableSpec {
    name: "node_timeline",
    doc: "One row per sample and node, in the order of samples, then of nodes. A sample stands \
          before all events of its moment; the last one, at the end of the run, after them.",
    columns: &[
        Column::new("time_ns", Unit::Nanoseconds, "When."),
        Column::new("node", Unit::Node, "Which node."),
        Column::new("up", Unit::Flag, "Whether it is up; what it knows is empty if it is not."),
        Column::new("peers", Unit::Count, "Peers it knows."),
        Column::new("validators", Unit::Count, "Validators it knows, itself included."),
        Column::new("rumors", Unit::Count, "Rumors it has."),
        Column::new("slot", Unit::Slot, SLOT),
        Column::new("height", Unit::Count, "Blocks from genesis to that block."),
        Column::new("partial_blocks", Unit::Count, "Blocks of which it has only a part."),
        Column::new("mempool", Unit::Count, "Transactions that wait to be put into a block."),
    ],
};

const SLOT: &str = "Slot of the block it builds on, zero for genesis; this and the columns after it \
                    are empty in a run without blocks.";

/// Writes a row per node at every tick.
pub(super) struct NodeTimeline {
    pub(super) ticks: Ticks,
    nodes: usize,
    /// Whether blocks are made.
    blocks: bool,
}

impl NodeTimeline {
    pub(super) fn new(interval: Option<Span>, end: Time, nodes: usize, blocks: bool) -> Self {
        Self { ticks: Ticks::new(interval, end), nodes, blocks }
    }

    pub(super) fn rows(&self, at: Time, census: &dyn Census, sink: &mut impl RowSink) {
        for node in NodeId::all(self.nodes) {
            let status = census.status(node);
            let of_blocks = status.filter(|_| self.blocks);
            sink.row(
                &NODE_TIMELINE,
                &[
                    at.into(),
                    node.into(),
                    status.is_some().into(),
                    status.map(|status| status.peers).into(),
                    status.map(|status| status.validators).into(),
                    status.map(|status| status.rumors).into(),
                    of_blocks.map(|status| status.slot).into(),
                    of_blocks.map(|status| status.height).into(),
                    of_blocks.map(|status| status.partial_blocks).into(),
                    of_blocks.map(|status| status.mempool).into(),
                ],
            );
        }
    }
}
