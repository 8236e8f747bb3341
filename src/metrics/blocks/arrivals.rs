//! Metrics layer, collector: blocks as single nodes got them (`block_arrivals.csv`). Rows are
//! written as they happen; nothing is kept but the one that still waits for its shreds.

use serde::Serialize;

use super::super::chain::hex;
use super::super::plan::ArrivalRows;
use super::super::table::{Column, RowSink, TableSpec, Unit};
use super::Shreds;
use crate::base::id::NodeId;
use crate::base::slot::Slot;
use crate::base::time::Span;

/// `block_arrivals.csv`.
pub static BLOCK_ARRIVALS: TableSpec = TableSpec {
    name: "block_arrivals",
    doc: "One row per block and node that got it whole or gave it up, in the order of time; the \
          leader has none. All of them, or those that the scenario asks for. Times are since the \
          block was made.",
    columns: &[
        Column::new("slot", Unit::Slot, "Slot of the block."),
        Column::new("block", Unit::Text, "First 16 hexadecimal digits of its hash."),
        Column::new("node", Unit::Node, "Who got it."),
        Column::new("first_ns", Unit::Nanoseconds, FIRST),
        Column::new("whole_ns", Unit::Nanoseconds, WHOLE),
        Column::new("turbine", Unit::Count, TURBINE),
        Column::new("recovered", Unit::Count, "Shreds worked out from others of their set."),
        Column::new("repaired", Unit::Count, "Shreds that answered a repair request."),
        Column::new("duplicate", Unit::Count, "Shreds that came again by then."),
    ],
};

const FIRST: &str = "Until its first shred came; empty if it was given up.";
const WHOLE: &str = "Until the node could put it together, which is when the last set that it lacked \
                     had as many shreds as decode it: decoding is part of that moment, whatever \
                     it costs. Empty if it gave it up.";
const TURBINE: &str = "Shreds that came from the leader or down a tree by then.";

/// What became of arrivals: written and left out are all there were.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct ArrivalsSummary {
    /// Rows in `block_arrivals.csv`.
    pub written: u64,
    /// Blocks that a node got whole or gave up, without a row.
    pub left_out: u64,
}

/// A block that a node got whole or gave up.
#[derive(Clone, Copy)]
pub(super) struct Arrival {
    pub(super) node: NodeId,
    pub(super) slot: Slot,
    pub(super) block: u64,
    /// Until the first shred and until it was whole; `None` if it was given up.
    pub(super) times: Option<[Span; 2]>,
}

/// Writes arrivals.
pub(super) struct Arrivals {
    rows: ArrivalRows,
    /// Most rows of [`ArrivalRows::Auto`].
    limit: u64,
    counts: ArrivalsSummary,
    /// The latest one, while its shreds have not been told.
    open: Option<Arrival>,
}

impl Arrivals {
    pub(super) const fn new(rows: ArrivalRows) -> Self {
        let limit = ArrivalRows::AUTO_LIMIT;
        Self { rows, limit, counts: ArrivalsSummary { written: 0, left_out: 0 }, open: None }
    }

    /// A block arrived or was given up; its shreds are told next.
    pub(super) fn on_arrival(&mut self, arrival: Arrival, sink: &mut impl RowSink) {
        self.close(None, sink);
        self.open = Some(arrival);
    }

    /// Shreds were told: whether they are those of the latest arrival, and of a whole block.
    pub(super) fn on_counted(
        &mut self,
        (node, block): (NodeId, u64),
        shreds: Shreds,
        sink: &mut impl RowSink,
    ) -> bool {
        let arrival = self.open.filter(|open| open.node == node && open.block == block);
        if arrival.is_some() {
            self.close(Some(shreds), sink);
        }
        arrival.is_some_and(|arrival| arrival.times.is_some())
    }

    /// An arrival that there is too little known of.
    pub(super) const fn leave_out(&mut self) {
        self.counts.left_out += 1;
    }

    /// The run is over.
    pub(super) fn fill(&mut self, sink: &mut impl RowSink) -> ArrivalsSummary {
        self.close(None, sink);
        self.counts
    }

    /// Writes the arrival that waits, or leaves it out.
    fn close(&mut self, shreds: Option<Shreds>, sink: &mut impl RowSink) {
        let Some(Arrival { node, slot, block, times }) = self.open.take() else { return };
        if !self.wants(slot) {
            self.leave_out();
            return;
        }
        self.counts.written += 1;
        sink.row(
            &BLOCK_ARRIVALS,
            &[
                slot.number().into(),
                hex(block).into(),
                node.into(),
                times.map(|[first, _]| first).into(),
                times.map(|[_, whole]| whole).into(),
                shreds.map(|shreds| shreds.turbine).into(),
                shreds.map(|shreds| shreds.recovered).into(),
                shreds.map(|shreds| shreds.repaired).into(),
                shreds.map(|shreds| shreds.duplicate).into(),
            ],
        );
    }

    fn wants(&self, slot: Slot) -> bool {
        match &self.rows {
            ArrivalRows::None => false,
            ArrivalRows::Auto => self.counts.written < self.limit,
            ArrivalRows::All => true,
            ArrivalRows::Slots(range) => range.contains(&slot.number()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::table::MemorySink;
    use super::*;

    const fn arrival(slot: u32) -> Arrival {
        let times = Some([Span::from_nanos(4), Span::from_nanos(9)]);
        Arrival { node: NodeId::new(2), slot: Slot::new(slot), block: slot as u64 + 70, times }
    }

    /// The slots of the rows that are written of one arrival in each of slots 0 to 9.
    fn written(rows: ArrivalRows) -> Vec<u64> {
        let mut arrivals = Arrivals { limit: 3, ..Arrivals::new(rows) };
        let mut sink = MemorySink::new();
        (0..10).for_each(|slot| arrivals.on_arrival(arrival(slot), &mut sink));
        let counts = arrivals.fill(&mut sink);
        let count = sink.rows(&BLOCK_ARRIVALS).len();
        let expected = ArrivalsSummary { written: count as u64, left_out: 10 - count as u64 };
        assert_eq!(counts, expected);
        (0..count).filter_map(|row| sink.integer(&BLOCK_ARRIVALS, row, "slot")).collect()
    }

    #[test]
    fn each_policy_writes_its_rows_and_counts_the_rest() {
        assert_eq!(written(ArrivalRows::None), [0; 0]);
        assert_eq!(written(ArrivalRows::Auto), [0, 1, 2]);
        assert_eq!(written(ArrivalRows::All), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(written(ArrivalRows::Slots(4..=6)), [4, 5, 6]);
    }

    #[test]
    fn shreds_belong_to_the_latest_arrival_of_the_same_node_and_block() {
        let mut arrivals = Arrivals::new(ArrivalRows::All);
        let mut sink = MemorySink::new();
        let shreds = Shreds { turbine: 20, recovered: 12, repaired: 3, duplicate: 5 };
        let (node, other) = (NodeId::new(2), NodeId::new(3));
        assert!(!arrivals.on_counted((node, 71), shreds, &mut sink), "nothing arrived yet");
        arrivals.on_arrival(arrival(1), &mut sink);
        assert!(!arrivals.on_counted((other, 71), shreds, &mut sink));
        assert!(!arrivals.on_counted((node, 72), shreds, &mut sink));
        assert!(arrivals.on_counted((node, 71), shreds, &mut sink));
        assert!(!arrivals.on_counted((node, 71), shreds, &mut sink), "once");
        arrivals.on_arrival(Arrival { times: None, ..arrival(2) }, &mut sink);
        assert!(!arrivals.on_counted((node, 72), shreds, &mut sink), "given up, so not whole");
        arrivals.on_arrival(arrival(3), &mut sink);
        arrivals.fill(&mut sink);
        let rows: Vec<String> = sink.rows(&BLOCK_ARRIVALS).iter().map(|row| line(row)).collect();
        let [whole, given_up, uncounted] = [
            "1,0000000000000047,2,4,9,20,12,3,5",
            "2,0000000000000048,2,,,20,12,3,5",
            "3,0000000000000049,2,4,9,,,,",
        ];
        assert_eq!(rows, [whole, given_up, uncounted]);
    }

    fn line(row: &[super::super::super::table::Cell<'_>]) -> String {
        row.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    }
}
