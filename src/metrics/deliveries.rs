//! Metrics layer, collector: single first receipts of rumors (`deliveries.csv`). Rows are written
//! as they happen; nothing is kept.

use serde::Serialize;

use super::plan::DeliveryRows;
use super::rumors::FirstReceipt;
use super::table::{Column, RowSink, TableSpec, Unit};
use crate::base::id::NodeId;
use crate::base::time::Time;

/// `deliveries.csv`.
pub static DELIVERIES: TableSpec = TableSpec {
    name: "deliveries",
    doc: "One row per first receipt of a rumor by a node, in the order of time; all of them or \
          those that the scenario asks for.",
    columns: &[
        Column::new("rumor", Unit::Count, "Number of the rumor."),
        Column::new("node", Unit::Node, "Who received it."),
        Column::new("received_ns", Unit::Nanoseconds, "When."),
        Column::new(
            "latency_ns",
            Unit::Nanoseconds,
            "Time since its injection; empty if the rumor was too old to be followed.",
        ),
        Column::new("hops", Unit::Count, "Links travelled since the injection."),
        Column::new("from", Unit::Node, "Who sent it."),
    ],
};

/// What became of first receipts: written and left out are all there were.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct DeliveriesSummary {
    /// Rows in `deliveries.csv`.
    pub written: u64,
    /// First receipts without a row.
    pub left_out: u64,
}

/// Writes first receipts.
pub(super) struct Deliveries {
    rows: DeliveryRows,
    /// Most rows of [`DeliveryRows::Auto`].
    limit: u64,
    counts: DeliveriesSummary,
}

impl Deliveries {
    pub(super) fn new(rows: DeliveryRows) -> Self {
        Self { rows, limit: DeliveryRows::AUTO_LIMIT, counts: DeliveriesSummary::default() }
    }

    pub(super) fn on_received(
        &mut self,
        at: Time,
        (rumor, node, from, hops): (u32, NodeId, NodeId, u16),
        receipt: FirstReceipt,
        sink: &mut impl RowSink,
    ) {
        if !self.wants(at, rumor) {
            self.counts.left_out += 1;
            return;
        }
        self.counts.written += 1;
        let latency = receipt.injected.map(|injected| at.since(injected));
        let hops = u64::from(hops);
        sink.row(
            &DELIVERIES,
            &[rumor.into(), node.into(), at.into(), latency.into(), hops.into(), from.into()],
        );
    }

    pub(super) const fn summary(&self) -> DeliveriesSummary {
        self.counts
    }

    fn wants(&self, at: Time, rumor: u32) -> bool {
        match &self.rows {
            DeliveryRows::None => false,
            DeliveryRows::Auto => self.counts.written < self.limit,
            DeliveryRows::All => true,
            DeliveryRows::Rumors(ranges) => ranges.iter().any(|range| range.contains(&rumor)),
            DeliveryRows::Window { from, until } => (*from..*until).contains(&at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::{Cell, MemorySink};
    use super::*;

    /// Rumors 0 to 9, each injected at zero and received at ten times its number: which of them
    /// have a row.
    fn written(rows: DeliveryRows) -> Vec<u64> {
        let mut deliveries = Deliveries { limit: 3, ..Deliveries::new(rows) };
        let mut sink = MemorySink::new();
        for rumor in 0..10 {
            let at = Time::from_nanos(u64::from(rumor) * 10);
            let receipt = FirstReceipt { injected: Some(Time::ZERO) };
            let whom = (NodeId::new(1), NodeId::new(2));
            deliveries.on_received(at, (rumor, whom.0, whom.1, 4), receipt, &mut sink);
        }
        let count = sink.rows(&DELIVERIES).len();
        let summary = DeliveriesSummary { written: count as u64, left_out: 10 - count as u64 };
        assert_eq!(deliveries.summary(), summary);
        (0..count).filter_map(|row| sink.integer(&DELIVERIES, row, "rumor")).collect()
    }

    #[test]
    fn each_policy_writes_its_rows_and_counts_the_rest() {
        assert_eq!(written(DeliveryRows::None), [0; 0]);
        assert_eq!(written(DeliveryRows::Auto), [0, 1, 2]);
        assert_eq!(written(DeliveryRows::All), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(written(DeliveryRows::Rumors(vec![2..=3, 8..=8])), [2, 3, 8]);
        let (from, until) = (Time::from_nanos(20), Time::from_nanos(50));
        assert_eq!(written(DeliveryRows::Window { from, until }), [2, 3, 4]);
    }

    #[test]
    fn a_receipt_of_a_rumor_that_is_not_followed_has_no_latency() {
        let mut deliveries = Deliveries::new(DeliveryRows::Auto);
        let mut sink = MemorySink::new();
        for injected in [Some(Time::from_nanos(30)), None] {
            let what = (7, NodeId::new(1), NodeId::new(2), 4);
            deliveries.on_received(
                Time::from_nanos(100),
                what,
                FirstReceipt { injected },
                &mut sink,
            );
        }
        let row = |latency| {
            [7_u64.into(), 1_u64.into(), 100_u64.into(), latency, 4_u64.into(), 2_u64.into()]
        };
        assert_eq!(sink.rows(&DELIVERIES)[0], row(Cell::Integer(70)));
        assert_eq!(sink.rows(&DELIVERIES)[1], row(Cell::Empty));
    }
}
