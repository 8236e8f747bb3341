//! Metrics layer, collector: what nodes asked for by repair and what came of it (`repair.csv`).

use serde::Serialize;

use super::table::{Cell, Column, RowSink, TableSpec, Unit};
use crate::base::id::{NodeId, NodeMap};
use crate::fact::{RepairKind, RepairRefusal};

/// `repair.csv`.
pub static REPAIR: TableSpec = TableSpec {
    name: "repair",
    doc: "One row per node, if there is repair: what it asked for, what it answered, and what its \
          own requests brought. Bytes on the wire are in `messages.csv`.",
    columns: &[
        Column::new("node", Unit::Node, "The node."),
        Column::new("requests", Unit::Count, "Requests that it sent."),
        Column::new("requests_chunks", Unit::Count, "Those for all that it lacked of a block."),
        Column::new("requests_block", Unit::Count, "Those for a whole block."),
        Column::new("requests_window", Unit::Count, "Those for one shred of a slot."),
        Column::new("requests_highest", Unit::Count, "Those for the last shred of a slot."),
        Column::new("requests_orphan", Unit::Count, "Those for the ancestors of a slot."),
        Column::new("asked", Unit::Count, "Shreds that its requests named."),
        Column::new("answers", Unit::Count, "Shreds that came in answer to them."),
        Column::new("useful", Unit::Count, "Those of them that it did not have yet."),
        Column::new("useful_ppm", Unit::PartsPerMillion, "Their share of `answers`."),
        Column::new("served", Unit::Count, "Requests of others that it answered."),
        Column::new("served_shreds", Unit::Count, "Shreds that it sent in answer."),
        Column::new("served_payload_bytes", Unit::Bytes, "Their payload."),
        Column::new("refused_unknown", Unit::Count, "Requests for what it did not have."),
        Column::new("refused_budget", Unit::Count, "Requests that its budget had no room for."),
        Column::new("refused_overload", Unit::Count, "Requests beyond `repair.served` at a time."),
    ],
};

/// What repair did in the whole cluster.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct RepairSummary {
    /// Requests sent.
    pub requests: u64,
    /// Requests answered.
    pub served: u64,
    /// Requests that a node left without an answer.
    pub refused: u64,
    /// Shreds that came in answer.
    pub answers: u64,
    /// Those that the node did not have yet.
    pub useful: u64,
}

/// Counts by node.
pub(super) struct Repair {
    nodes: NodeMap<Counts>,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    requests: [u64; RepairKind::ALL.len()],
    asked: u64,
    answers: u64,
    useful: u64,
    served: u64,
    shreds: u64,
    bytes: u64,
    refused: [u64; RepairRefusal::ALL.len()],
}

impl Repair {
    pub(super) fn new(nodes: usize) -> Self {
        Self { nodes: NodeMap::filled(nodes, Counts::default()) }
    }

    pub(super) fn on_requested(&mut self, node: NodeId, kind: RepairKind, shreds: u32) {
        self.nodes[node].requests[kind as usize] += 1;
        self.nodes[node].asked += u64::from(shreds);
    }

    pub(super) fn on_served(&mut self, node: NodeId, shreds: u32, bytes: u32) {
        let counts = &mut self.nodes[node];
        counts.served += 1;
        counts.shreds += u64::from(shreds);
        counts.bytes += u64::from(bytes);
    }

    pub(super) fn on_refused(&mut self, node: NodeId, reason: RepairRefusal) {
        self.nodes[node].refused[reason as usize] += 1;
    }

    pub(super) fn on_answered(&mut self, node: NodeId, fresh: bool) {
        self.nodes[node].answers += 1;
        self.nodes[node].useful += u64::from(fresh);
    }

    pub(super) fn fill(&self, sink: &mut impl RowSink) {
        for (node, counts) in self.nodes.iter() {
            let mut row: Vec<Cell<'static>> =
                vec![node.into(), counts.requests.iter().sum::<u64>().into()];
            row.extend(counts.requests.map(Cell::from));
            row.extend([counts.asked, counts.answers, counts.useful].map(Cell::from));
            let share = |answers| counts.useful * 1_000_000 / answers;
            row.push((counts.answers > 0).then(|| share(counts.answers)).into());
            row.extend([counts.served, counts.shreds, counts.bytes].map(Cell::from));
            row.extend(counts.refused.map(Cell::from));
            sink.row(&REPAIR, &row);
        }
    }

    pub(super) fn summary(&self) -> RepairSummary {
        let mut summary = RepairSummary::default();
        for counts in self.nodes.values() {
            summary.requests += counts.requests.iter().sum::<u64>();
            summary.served += counts.served;
            summary.refused += counts.refused.iter().sum::<u64>();
            summary.answers += counts.answers;
            summary.useful += counts.useful;
        }
        summary
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::table::MemorySink;

    #[test]
    fn every_node_tells_what_it_asked_for_and_what_came_of_it() {
        let mut repair = Repair::new(2);
        let [asker, other] = [0, 1].map(NodeId::new);
        repair.on_requested(asker, RepairKind::Window, 1);
        repair.on_requested(asker, RepairKind::Chunks, 30);
        repair.on_refused(other, RepairRefusal::Budget);
        repair.on_served(other, 30, 36_210);
        (0..30).for_each(|i| repair.on_answered(asker, i % 3 == 0));
        let mut sink = MemorySink::new();
        repair.fill(&mut sink);
        let row = |node: usize| {
            let columns = 1..REPAIR.columns.len();
            columns.map(|i| sink.integer(&REPAIR, node, REPAIR.columns[i].name)).collect::<Vec<_>>()
        };
        let asked = [2, 1, 0, 1, 0, 0, 31, 30, 10, 333_333, 0, 0, 0, 0, 0, 0].map(Some);
        assert_eq!(row(0), asked);
        let mut served = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 30, 36_210, 0, 1, 0].map(Some);
        served[9] = None;
        assert_eq!(row(1), served);
        let expected =
            RepairSummary { requests: 2, served: 1, refused: 1, answers: 30, useful: 10 };
        assert_eq!(repair.summary(), expected);
    }
}
