//! Metrics layer: what the recorder is told before a run. Plain data, so that whoever resolves a
//! scenario needs to know nothing else of this layer.

use std::ops::RangeInclusive;

use crate::base::id::{NodeId, NodeMap, NodeSet};
use crate::base::time::{Span, Time};
use crate::fact::Lie;

/// Everything the recorder knows of a run beforehand.
#[derive(Clone, Debug)]
pub struct RecorderPlan {
    /// What is known of each node.
    pub nodes: NodeMap<NodeInfo>,
    /// Time between two rows of `timeline.csv`, the first at the start of the run; `None` for no
    /// such rows.
    pub timeline: Option<Span>,
    /// Time between two samples of all nodes in `node_timeline.csv`; `None` for no such rows.
    pub node_timeline: Option<Span>,
    /// When peers are listed, in any order. Moments after [`Self::end`] never come.
    pub peers_at: Vec<Time>,
    /// Whether peers are listed when the run is over.
    pub peers_at_end: bool,
    /// Which receipts get a row in `deliveries.csv`.
    pub deliveries: DeliveryRows,
    /// The faults in the order of the kernel's plan, so that places agree.
    pub faults: Vec<FaultInfo>,
    /// The adversaries in the order of the scenario.
    pub adversaries: Vec<AdversaryInfo>,
    /// Whether nodes learn the validator registry by gossip: who knows what is then tracked, with
    /// four bytes per node and validator.
    pub gossip: bool,
    /// Whether nodes repair blocks.
    pub repair: bool,
    /// Whether nodes gossip by Solana's rules: how far values come is then followed.
    pub gossip_values: bool,
    /// How many rumors are followed at once, at least one. A rumor that falls out because of newer
    /// ones is written down as it is; receipts after that count as late.
    pub rumor_window: usize,
    /// How many transactions are followed at once, as rumors are; zero if there are none.
    pub transaction_window: usize,
    /// Whether blocks are made. Without, all that is told of them is left empty.
    pub blocks: bool,
    /// How many blocks are followed at once, at least one. A block that falls out because of newer
    /// ones is written down as it is.
    pub block_window: usize,
    /// Whether validators vote. Without, all that is told of votes is left empty.
    pub votes: bool,
    /// How long a cluster that votes may go without a newly confirmed block, or stay split, and
    /// still be well; `None` if there is no telling.
    pub patience: Option<Span>,
    /// How long it takes from a block to its root where all goes well; zero if nobody votes.
    pub to_root: Span,
    /// When everything that goes wrong ends, if the scenario says so.
    pub heal_at: Option<Time>,
    /// Which arrivals of blocks get a row in `block_arrivals.csv`.
    pub block_arrivals: ArrivalRows,
    /// Who is to lead each slot from the first on; `None` for a slot that nobody is to lead, such
    /// as that of the genesis block. Empty where there is no schedule; of a long one, the first
    /// 1,000,000 slots are looked at.
    pub leaders: Vec<Option<NodeId>>,
    /// When slots are to begin.
    pub slot_times: SlotTimes,
    /// When the run is to end.
    pub end: Time,
}

impl RecorderPlan {
    /// Rumors followed at once, unless the plan says otherwise.
    pub const RUMOR_WINDOW: usize = 8_192;
    /// Blocks followed at once, unless the plan says otherwise: seven minutes of slots of 400 ms.
    pub const BLOCK_WINDOW: usize = 1_024;

    /// A plan that samples nothing on the way, lists no peers, tracks no registry and no blocks.
    #[must_use]
    pub const fn new(nodes: NodeMap<NodeInfo>, end: Time) -> Self {
        Self {
            nodes,
            timeline: None,
            node_timeline: None,
            peers_at: Vec::new(),
            peers_at_end: false,
            deliveries: DeliveryRows::Auto,
            faults: Vec::new(),
            adversaries: Vec::new(),
            gossip: false,
            repair: false,
            gossip_values: false,
            rumor_window: Self::RUMOR_WINDOW,
            transaction_window: 0,
            blocks: false,
            block_window: Self::BLOCK_WINDOW,
            votes: false,
            patience: None,
            to_root: Span::ZERO,
            heal_at: None,
            block_arrivals: ArrivalRows::Auto,
            leaders: Vec::new(),
            slot_times: SlotTimes::UNKNOWN,
            end,
        }
    }
}

/// What is known of a node.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NodeInfo {
    /// Stake; zero for an observer, anything else makes a validator.
    pub stake: u64,
    /// Name of its region.
    pub region: String,
    /// Name of its site.
    pub site: String,
    /// Its identity in hexadecimal digits.
    pub identity: String,
    /// Its public key as text; `None` where keys are not made.
    pub public_key: Option<String>,
    /// Whether it breaks the rules on purpose: then nobody minds what it roots or builds on.
    pub adversary: bool,
}

/// When slots are to begin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SlotTimes {
    /// Length of a slot; zero if that is not known.
    pub length: Span,
    /// A slot and when it begins.
    pub known: (u64, Time),
    /// Whether slots begin by the chain: reckoned from the latest block of the highest slot.
    pub by_blocks: bool,
}

impl SlotTimes {
    /// Where there is no schedule.
    pub const UNKNOWN: Self = Self { length: Span::ZERO, known: (0, Time::ZERO), by_blocks: false };
}

/// Which first receipts of rumors get a row of their own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DeliveryRows {
    /// None.
    None,
    /// The first [`DeliveryRows::AUTO_LIMIT`] of the run.
    Auto,
    /// All, however many.
    All,
    /// Those of the rumors in any of these ranges.
    Rumors(Vec<RangeInclusive<u32>>),
    /// Those at a moment from `from` up to but not including `until`.
    Window {
        /// The first moment.
        from: Time,
        /// The first moment after it.
        until: Time,
    },
}

impl DeliveryRows {
    /// Rows that [`DeliveryRows::Auto`] writes at most: some 40 MB of text.
    pub const AUTO_LIMIT: u64 = 1_000_000;
}

/// Which arrivals of blocks at nodes get a row of their own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ArrivalRows {
    /// None.
    None,
    /// The first [`ArrivalRows::AUTO_LIMIT`] of the run.
    Auto,
    /// All, however many.
    All,
    /// Those of blocks of these slots.
    Slots(RangeInclusive<u32>),
}

impl ArrivalRows {
    /// Rows that [`ArrivalRows::Auto`] writes at most: some 60 MB of text.
    pub const AUTO_LIMIT: u64 = 1_000_000;
}

/// What is known of a fault.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FaultInfo {
    /// Its kind as in the scenario.
    pub kind: String,
    /// One line for people.
    pub describe: String,
    /// When it is to begin.
    pub begin: Time,
    /// When it is to end; `None` for never.
    pub end: Option<Time>,
    /// Whether it is all right if it meets nothing.
    pub may_miss: bool,
    /// Whether its end is a heal after which convergence is measured, as that of a partition.
    pub heals: bool,
    /// Whether it hinders messages or nodes that are up, so that a cluster need not get on as long
    /// as it is in force. Nodes that are down count as such.
    pub hinders: bool,
}

/// What is known of an adversary.
#[derive(Clone, Debug)]
pub struct AdversaryInfo {
    /// What it does.
    pub lie: Lie,
    /// Which nodes it is.
    pub nodes: NodeSet,
    /// Their stake.
    pub stake: u64,
    /// When it is to begin.
    pub begin: Time,
    /// When it is to end; `None` for never.
    pub end: Option<Time>,
    /// Whether it is all right if it never acts.
    pub may_miss: bool,
}
