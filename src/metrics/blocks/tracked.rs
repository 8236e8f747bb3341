//! Metrics layer: one block that is followed, and its row in `blocks.csv`.

use super::super::chain::Standing;
use super::super::chain::hex;
use super::super::figures::{mean, ppm};
use super::super::spread::{SHARE_COLUMNS, Spread, share_cells};
use super::super::table::{Cell, Column, RowSink, TableSpec, Unit, joined};
use super::Shreds;
use super::confirmed::Confirmed;
use crate::base::id::{NodeId, NodeSet};
use crate::base::slot::Slot;
use crate::base::time::{Span, Time};

/// `blocks.csv`.
pub static BLOCKS: TableSpec = TableSpec {
    name: "blocks",
    doc: "One row per block, in the order of being made. Times but `made_ns` are since then. Nodes \
          and stake that have a block whole are measured against all nodes and all stake of the \
          cluster, the leader having it from the start. A node that forgot everything is not \
          counted a second time. A block after which 1,024 more were made is written down as it \
          was then. No rows in a run without blocks.",
    columns: &COLUMNS,
};

const COLUMNS: [Column; FIRST.len() + SHARE_COLUMNS.len() + LAST.len()] =
    joined(&[FIRST, &SHARE_COLUMNS, LAST]);

const FIRST: &[Column] = &[
    Column::new("slot", Unit::Slot, "Its slot."),
    Column::new("block", Unit::Text, "First 16 hexadecimal digits of its hash."),
    Column::new("parent", Unit::Text, "The same of the block it stands on."),
    Column::new("height", Unit::Count, "Blocks from genesis to it."),
    Column::new("leader", Unit::Node, "Who made it."),
    Column::new("made_ns", Unit::Nanoseconds, "When."),
    Column::new("size_bytes", Unit::Bytes, "Bytes, serialised."),
    Column::new("data_shreds", Unit::Count, "Data shreds it was cut into."),
    Column::new("coding_shreds", Unit::Count, "Coding shreds added to them."),
    Column::new("transactions", Unit::Count, "Transactions in it."),
    Column::new("up", Unit::Count, "Nodes that were up when it was made."),
    Column::new("first_shreds", Unit::Count, "Nodes that got a shred, the leader not counted."),
    Column::new("whole", Unit::Count, "Nodes that had it whole, the leader included."),
    Column::new("coverage_ppm", Unit::PartsPerMillion, COVERAGE),
    Column::new("first_shred_mean_ns", Unit::Nanoseconds, "Mean time until the first shred."),
];

const LAST: &[Column] = &[
    Column::new("turbine", Unit::Count, TURBINE),
    Column::new("recovered", Unit::Count, "Those worked out from others of their set."),
    Column::new("repaired", Unit::Count, "Those that answered a repair request."),
    Column::new("duplicate", Unit::Count, "Shreds that had come once more by then."),
    Column::new("hops_max", Unit::Count, "Most links that a shred travelled down a tree."),
    Column::new("sent", Unit::Count, SENT),
    Column::new("sent_bytes", Unit::Bytes, "Their payload bytes."),
    Column::new("expired", Unit::Count, "How often a node gave it up."),
    Column::new("canonical", Unit::Flag, CANONICAL),
    Column::new("votes", Unit::Count, VOTES),
    Column::new("duplicate_50_ns", Unit::Nanoseconds, DUPLICATE),
    Column::new("optimistic_first_ns", Unit::Nanoseconds, OPTIMISTIC),
    Column::new("optimistic_50_ns", Unit::Nanoseconds, "The same, with 50 % of the stake."),
    Column::new("optimistic_95_ns", Unit::Nanoseconds, "The same, with 95 % of the stake."),
    Column::new("finalized_first_ns", Unit::Nanoseconds, FINALIZED),
    Column::new("finalized_50_ns", Unit::Nanoseconds, "The same, with 50 % of the stake."),
    Column::new("rooted_first_ns", Unit::Nanoseconds, "Until the first validator rooted it."),
    Column::new("rooted_67_ns", Unit::Nanoseconds, "Until 67 % of the stake had rooted it."),
    Column::new("slots_to_root", Unit::Count, SLOTS_TO_ROOT),
    Column::new("losing", Unit::Flag, LOSING),
    Column::new("refused", Unit::Count, "How often a node refused it when it was whole."),
];

const COVERAGE: &str = "Share of the nodes that were up when it was made that had it whole.";
const TURBINE: &str = "Shreds that nodes had when it was whole, from the leader or down a tree; this \
                       and the next three are sums over nodes.";
const SENT: &str = "Messages in which its leader sent the shreds; empty before the last was sent.";
const CANONICAL: &str = "Whether it is part of the chain that most stake builds on at the end; empty \
                         if that cannot be told, or if the row was written before the end.";

const VOTES: &str = "Votes in it; this and all columns after it but `losing` and `refused` are \
                     empty in a run without votes. What validators think of a block they think of all that it \
                     stands on.";
const DUPLICATE: &str = "Until validators with 50 % of the stake saw more than 52 % of it vote for \
                         the block.";
const OPTIMISTIC: &str = "Until the first validator saw more than two thirds of the stake vote for \
                          it.";
const FINALIZED: &str = "Until the first validator saw that more than two thirds of the stake had \
                         rooted it.";
const SLOTS_TO_ROOT: &str = "Slots from it to the vote with which the first validator rooted it, or \
                             that was this validator's last one.";
const LOSING: &str = "Whether the canonical chain left it, or a block that it stands on, aside; a \
                      block that stands on the end of that chain is neither. Empty where \
                      `canonical` is.";

/// A block as it was made.
#[derive(Clone, Copy)]
pub(super) struct Made {
    pub(super) at: Time,
    pub(super) leader: NodeId,
    pub(super) slot: Slot,
    pub(super) block: u64,
    pub(super) parent: u64,
    pub(super) height: u32,
}

/// What is in a block.
#[derive(Clone, Copy)]
pub(super) struct Size {
    pub(super) bytes: u32,
    pub(super) data: u32,
    pub(super) coding: u32,
    pub(super) transactions: u32,
}

/// A block that is followed.
pub(super) struct Tracked {
    pub(super) made: Made,
    /// Its place in the chain's list.
    pub(super) link: Option<usize>,
    /// `None` until it is told.
    pub(super) size: Option<Size>,
    /// Nodes that were up when it was made.
    pub(super) audience: NodeSet,
    /// Those of them that have it whole.
    pub(super) reached: u64,
    /// Who has a shred of it, and who has it whole; the leader is in both.
    first: NodeSet,
    whole: NodeSet,
    /// Sum of the times until the first shred.
    first_sum: u128,
    pub(super) nodes: Spread,
    pub(super) stake: Spread,
    pub(super) shreds: Shreds,
    /// Most links that a shred of it travelled.
    pub(super) hops_max: u8,
    /// Messages and bytes that its leader sent; `None` until it has sent all.
    pub(super) sent: Option<(u32, u64)>,
    pub(super) expired: u64,
    pub(super) refused: u64,
    /// What validators make of it; `None` in a run without votes.
    pub(super) confirmed: Option<Box<Confirmed>>,
}

impl Tracked {
    /// A block that only its leader has. `total` and `own` are the stake of all and of the leader.
    pub(super) fn new(
        made: Made,
        link: Option<usize>,
        up: &NodeSet,
        nodes: usize,
        (total, own): (u64, u64),
    ) -> Self {
        let mut audience = up.clone();
        let mut whole = NodeSet::empty(nodes);
        // Who makes a block is up, whatever was heard of it.
        audience.insert(made.leader);
        whole.insert(made.leader);
        Self {
            made,
            link,
            size: None,
            audience,
            reached: 1,
            first: whole.clone(),
            whole,
            first_sum: 0,
            nodes: Spread::new(nodes as u64, 1),
            stake: Spread::new(total, own),
            shreds: Shreds::default(),
            hops_max: 0,
            sent: None,
            expired: 0,
            refused: 0,
            confirmed: None,
        }
    }

    /// A shred reached a node: how long it took, if it was the node's first.
    pub(super) fn on_first_shred(&mut self, at: Time, node: NodeId) -> Option<Span> {
        let after = at.since(self.made.at);
        let fresh = self.first.insert(node);
        self.first_sum += if fresh { u128::from(after.as_nanos()) } else { 0 };
        fresh.then_some(after)
    }

    /// A node has the block: how long it took, if it is for the first time.
    pub(super) fn on_whole(&mut self, at: Time, node: NodeId, stake: u64) -> Option<Span> {
        let after = at.since(self.made.at);
        if !self.whole.insert(node) {
            return None;
        }
        self.reached += u64::from(self.audience.contains(node));
        self.nodes.add(1, after);
        self.stake.add(stake, after);
        Some(after)
    }

    /// Writes the block down; `standing` is `None` if that cannot be told.
    pub(super) fn row(&self, standing: Option<Standing>, sink: &mut impl RowSink) {
        let Made { at, leader, slot, block, parent, height } = self.made;
        let first_shreds = self.first.len() as u64 - 1;
        let mut cells: Vec<Cell<'_>> = vec![
            slot.number().into(),
            hex(block).into(),
            hex(parent).into(),
            height.into(),
            leader.into(),
            at.into(),
            self.size.map(|size| size.bytes).into(),
            self.size.map(|size| size.data).into(),
            self.size.map(|size| size.coding).into(),
            self.size.map(|size| size.transactions).into(),
            self.audience.len().into(),
            first_shreds.into(),
            self.nodes.held.into(),
            ppm(self.reached, self.audience.len() as u64).into(),
            mean(self.first_sum, first_shreds).into(),
        ];
        cells.extend(share_cells(&self.nodes, &self.stake));
        let Shreds { turbine, recovered, repaired, duplicate } = self.shreds;
        cells.extend([turbine, recovered, repaired, duplicate].map(Cell::from));
        cells.push(u64::from(self.hops_max).into());
        cells.push(self.sent.map(|(messages, _)| messages).into());
        cells.push(self.sent.map(|(_, bytes)| bytes).into());
        cells.push(self.expired.into());
        cells.push(standing.map(|standing| standing == Standing::Canonical).into());
        cells.extend(Confirmed::cells(self.confirmed.as_deref()));
        cells.push(standing.map(|standing| standing == Standing::Losing).into());
        cells.push(self.refused.into());
        sink.row(&BLOCKS, &cells);
    }
}
