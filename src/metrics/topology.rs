//! Metrics layer: the table of the overlay at the start (`topology.csv`). It is known before a run,
//! so whoever resolves the scenario writes its rows.

use super::table::{Column, TableSpec, Unit};

/// `topology.csv`.
pub static TOPOLOGY: TableSpec = TableSpec {
    name: "topology",
    doc: "One row per directed link of the overlay at the start of the run, ordered by sender and \
          receiver. A complete overlay is not listed: everyone is linked to everyone.",
    columns: &[
        Column::new("from", Unit::Node, "The sender."),
        Column::new("to", Unit::Node, "The receiver."),
        Column::new(
            "latency_ns",
            Unit::Nanoseconds,
            "One-way latency that the topology gives this link, without jitter; empty where \
             `[network]` decides.",
        ),
        Column::new("rate_bps", Unit::BitsPerSecond, "Rate of the link; empty if it has none."),
    ],
};
