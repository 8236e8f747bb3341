//! Metrics layer, collector: what became of each transaction, and how fast it reached a leader and
//! a block (`transactions.csv`).
//!
//! Every transaction ends in exactly one state. Which blocks count is decided by the canonical
//! chain: the head that most stake builds on, and all that it stands on. Memory is bounded: only
//! the newest transactions are followed, in a ring that is indexed by their number; one that falls
//! out of it is written down as it is at that moment. Of each block its name,
//! parent and height are kept.

mod canonical;
mod prediction;

use serde::Serialize;

use self::canonical::Canonical;
use self::prediction::Predictions;
use super::figures::{Latency, ppm};
use super::table::{Cell, Column, RowSink, TableSpec, Unit};
use crate::base::flight::FlightHistogram;
use crate::base::id::{NodeId, NodeMap};
use crate::base::time::{Span, Time};
use crate::fact::{Fact, Loss, Refusal, SPAM, Step};

/// `transactions.csv`.
pub static TRANSACTIONS: TableSpec = TableSpec {
    name: "transactions",
    doc: "One row per transaction, in the order of their numbers. `to_` times are since the \
          submission. The state is `included` (in a block of the canonical chain, the one whose \
          head most stake builds on), else `waiting` (at some node), else `expired`, else `orphaned` \
          (in other blocks only), else `refused` (by the ledger of the node where it came in), else \
          `missed` (the node was down or too busy), else `dropped` (nobody has it any more). \
          `unfollowed`: it was one of too many for `limits.transactions` before it had ended.",

    columns: &[
        Column::new("transaction", Unit::Count, "Number of the transaction."),
        Column::new("node", Unit::Node, "Where it came in."),
        Column::new("submitted_ns", Unit::Nanoseconds, "When."),
        Column::new("size_bytes", Unit::Bytes, "Bytes on the wire, header apart."),
        Column::new(
            "to_leader_ns",
            Unit::Nanoseconds,
            "Until it was at a node that leads one of the slots that nodes look ahead.",
        ),
        Column::new(
            "to_block_ns",
            Unit::Nanoseconds,
            "Until the block of the canonical chain that holds it was made.",
        ),
        Column::new("block", Unit::Text, "That block: the first 64 bits of its hash."),
        Column::new("state", Unit::Text, "Where it ended."),
        Column::new("reason", Unit::Text, "Why it was refused, or dropped last."),
        Column::new("forwards", Unit::Count, "How often nodes sent it on."),
        Column::new("holders_max", Unit::Count, "At most so many nodes had it at a time."),
    ],
};

/// What became of transactions. `submitted` is the sum of the eight states.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct TransactionsSummary {
    /// Transactions that came in, or should have; those handed in once more not counted again.
    pub submitted: u64,
    /// In a block of the canonical chain.
    pub included: u64,
    /// At some node, and in no block of the canonical chain.
    pub waiting: u64,
    /// The block they name became too old.
    pub expired: u64,
    /// In blocks outside of the canonical chain only.
    pub orphaned: u64,
    /// Refused by the ledger where they came in, by reason.
    pub refused: RefusedCounts,
    /// No node has them any more, by the last reason.
    pub dropped: LostCounts,
    /// They never came in: their nodes were down, or too busy to take them.
    pub missed: u64,
    /// Too many others came in, by `limits.transactions`, before they had ended.
    pub unfollowed: u64,
    /// Whether these states add up to those submitted.
    pub conserved: bool,
    /// Copies that a node refused because it had the transaction, or its ledger did.
    pub duplicates: u64,
    /// How often nodes sent a transaction on.
    pub forwards: u64,
    /// Coming leaders that could not be reached, because the sender did not know their address.
    pub strangers: u64,
    /// Predictions of a slot's leader, as far as somebody made a block in it.
    pub predictions: u64,
    /// Share of them that were right.
    pub prediction_hit_ppm: Option<u64>,
    /// From submission to a node that leads one of the slots ahead.
    pub to_leader: Latency,
    /// From submission to the block of the canonical chain.
    pub to_block: Latency,
}

/// Transactions that the ledger refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct RefusedCounts {
    /// The signature is not the sender's.
    pub bad_signature: u64,
    /// An account does not exist.
    pub unknown_account: u64,
    /// The sender has less than the amount.
    pub short_balance: u64,
}

/// Transactions that no node has any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct LostCounts {
    /// There was no room for it.
    pub full: u64,
    /// It made way for a newcomer.
    pub evicted: u64,
    /// The node crashed.
    pub crashed: u64,
}

/// Where a transaction ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    Included { at: Time, block: u64 },
    Waiting,
    Expired,
    Orphaned,
    Refused(Refusal),
    Missed,
    Unfollowed,
    Dropped(Option<Loss>),
}

/// A transaction that is followed.
struct Tracked {
    number: u32,
    node: NodeId,
    submitted: Time,
    size: u32,
    to_leader: Option<Span>,
    /// Blocks that hold it.
    blocks: Vec<(Time, u64)>,
    holders: u32,
    holders_max: u32,
    forwards: u64,
    missed: bool,
    expired: bool,
    refused: Option<Refusal>,
    lost: Option<Loss>,
}

impl Tracked {
    fn on_step(&mut self, at: Time, step: Step) {
        match step {
            Step::Submitted { .. } => {}
            Step::Missed { .. } => self.missed = true,
            Step::Received { leads } => {
                self.holders += 1;
                self.holders_max = self.holders_max.max(self.holders);
                if leads && self.to_leader.is_none() {
                    self.to_leader = Some(at.since(self.submitted));
                }
            }
            Step::Forwarded { copies, .. } => self.forwards += u64::from(copies),
            Step::Included { block } => {
                self.holders = self.holders.saturating_sub(1);
                self.blocks.push((at, block));
            }
            Step::Refused(Refusal::Expired) => self.expired = true,
            Step::Refused(reason) => self.refused = Some(reason),
            Step::Dropped(Loss::Duplicate) => {}
            Step::Dropped(loss) => {
                self.holders = self.holders.saturating_sub(u32::from(loss.waited()));
                self.expired |= loss == Loss::Expired;
                self.lost = Some(loss);
            }
        }
    }

    fn end(&self, canonical: &Canonical) -> End {
        if let Some((at, block)) = self.blocks.iter().find(|(_, block)| canonical.holds(*block)) {
            return End::Included { at: *at, block: *block };
        }
        match self {
            Self { holders: 1.., .. } => End::Waiting,
            Self { expired: true, .. } => End::Expired,
            Self { blocks, .. } if !blocks.is_empty() => End::Orphaned,
            Self { refused: Some(reason), .. } => End::Refused(*reason),
            Self { missed: true, .. } => End::Missed,
            _ => End::Dropped(self.lost),
        }
    }

    /// Where it is when it is followed no longer. What may yet become of it nobody will know.
    fn end_so_far(&self, canonical: &Canonical) -> End {
        match self.end(canonical) {
            End::Waiting | End::Orphaned => End::Unfollowed,
            // Copies may be under way.
            End::Dropped(_) if self.forwards > 0 => End::Unfollowed,
            end => end,
        }
    }

    fn row(&self, end: End, sink: &mut impl RowSink) {
        let (state, reason) = match end {
            End::Included { .. } => ("included", None),
            End::Waiting => ("waiting", None),
            End::Expired => ("expired", None),
            End::Orphaned => ("orphaned", None),
            End::Refused(reason) => ("refused", Some(reason.name())),
            End::Missed => ("missed", None),
            End::Unfollowed => ("unfollowed", None),
            End::Dropped(loss) => ("dropped", loss.map(Loss::name)),
        };
        let (to_block, block) = match end {
            End::Included { at, block } => (Some(at.since(self.submitted)), Some(block)),
            _ => (None, None),
        };
        let cells: [Cell<'_>; 11] = [
            self.number.into(),
            self.node.into(),
            self.submitted.into(),
            self.size.into(),
            self.to_leader.into(),
            to_block.into(),
            block.map(|block| format!("{block:016x}")).into(),
            state.into(),
            reason.into(),
            self.forwards.into(),
            self.holders_max.into(),
        ];
        sink.row(&TRANSACTIONS, &cells);
    }
}

/// Latencies as a histogram, with their exact ends.
struct Latencies {
    histogram: FlightHistogram,
    range: (u64, u64),
}

impl Latencies {
    fn new() -> Self {
        Self { histogram: FlightHistogram::new(), range: (u64::MAX, 0) }
    }

    fn add(&mut self, span: Span) {
        let nanos = span.as_nanos();
        self.histogram.record_span(span);
        self.range = (self.range.0.min(nanos), self.range.1.max(nanos));
    }

    fn figures(&self) -> Latency {
        let latency = Latency::of(&self.histogram);
        if self.histogram.count() == 0 {
            latency
        } else {
            latency.within(self.range.0, self.range.1)
        }
    }
}

/// Follows transactions.
pub(super) struct Transactions {
    /// How many are followed at once.
    window: u64,
    /// The ring: transaction `t` is at place `t % window`.
    slots: Vec<Option<Tracked>>,
    /// All below are written down, or never came in.
    oldest: u64,
    /// One more than the highest number so far.
    next: u64,
    canonical: Canonical,
    predictions: Predictions,
    sums: TransactionsSummary,
    to_leader: Latencies,
    to_block: Latencies,
}

impl Transactions {
    pub(super) fn new(stakes: NodeMap<u64>, window: usize) -> Self {
        Self {
            window: window.max(1) as u64,
            slots: Vec::new(),
            oldest: 0,
            next: 0,
            canonical: Canonical::new(stakes),
            predictions: Predictions::default(),
            sums: TransactionsSummary::default(),
            to_leader: Latencies::new(),
            to_block: Latencies::new(),
        }
    }

    /// Takes from the facts what concerns transactions.
    pub(super) fn on_fact(&mut self, at: Time, fact: &Fact, sink: &mut impl RowSink) {
        match *fact {
            Fact::NodeUp { node } => self.canonical.on_up(node),
            Fact::NodeDown { node, forgets } => self.canonical.on_down(node, forgets),
            Fact::BlockMade { node, slot, block, parent, .. } => {
                self.canonical.on_made(block, parent);
                self.predictions.on_made(slot, node);
            }
            Fact::HeadChanged { node, block, height, .. } => {
                self.canonical.on_head(node, block, height);
            }
            Fact::LeaderPredicted { slot, leader, .. } => {
                self.predictions.on_predicted(slot, leader);
            }
            // Spam is nobody's transaction.
            Fact::Transaction { node, transaction, step } if transaction < SPAM => {
                self.on_step(at, node, (transaction, step), sink);
            }
            _ => {}
        }
    }

    /// Something happened to a transaction at a node.
    fn on_step(
        &mut self,
        at: Time,
        node: NodeId,
        (number, step): (u32, Step),
        sink: &mut impl RowSink,
    ) {
        match step {
            Step::Submitted { size } | Step::Missed { size } => {
                self.on_submitted(at, node, (number, size), sink)
            }
            Step::Forwarded { copies, strangers } => {
                self.sums.forwards += u64::from(copies);
                self.sums.strangers += u64::from(strangers);
            }
            Step::Dropped(Loss::Duplicate) => self.sums.duplicates += 1,
            _ => {}
        }
        let place = self.place(number);
        let tracked = self.slots.get_mut(place).and_then(Option::as_mut);
        if let Some(tracked) = tracked.filter(|tracked| tracked.number == number) {
            tracked.on_step(at, step);
        }
    }

    fn on_submitted(
        &mut self,
        at: Time,
        node: NodeId,
        (number, size): (u32, u32),
        sink: &mut impl RowSink,
    ) {
        self.sums.submitted += 1;
        let wide = u64::from(number);
        if wide < self.oldest {
            // It waited for a busy node until all around it were closed.
            self.sums.unfollowed += 1;
            return;
        }
        self.close_below((wide + 1).saturating_sub(self.window), Tracked::end_so_far, sink);
        self.next = self.next.max(wide + 1);
        let place = self.place(number);
        if place >= self.slots.len() {
            self.slots.resize_with(place + 1, || None);
        }
        self.slots[place] = Some(Tracked {
            number,
            node,
            submitted: at,
            size,
            to_leader: None,
            blocks: Vec::new(),
            holders: 0,
            holders_max: 0,
            forwards: 0,
            missed: false,
            expired: false,
            refused: None,
            lost: None,
        });
    }

    const fn place(&self, number: u32) -> usize {
        (number as u64 % self.window) as usize
    }

    /// Writes down all transactions below a number, in order, as what `end` says.
    fn close_below(
        &mut self,
        number: u64,
        end: impl Fn(&Tracked, &Canonical) -> End,
        sink: &mut impl RowSink,
    ) {
        while self.oldest < number.min(self.next) {
            let place = self.place(self.oldest as u32);
            if let Some(tracked) = self.slots.get_mut(place).and_then(Option::take) {
                let end = end(&tracked, &self.canonical);
                self.close(&tracked, end, sink);
            }
            self.oldest += 1;
        }
        self.oldest = self.oldest.max(number);
    }

    fn close(&mut self, tracked: &Tracked, end: End, sink: &mut impl RowSink) {
        tracked.row(end, sink);
        let sums = &mut self.sums;
        let count = match end {
            End::Included { at, .. } => {
                self.to_block.add(at.since(tracked.submitted));
                &mut sums.included
            }
            End::Waiting => &mut sums.waiting,
            End::Expired | End::Refused(Refusal::Expired) => &mut sums.expired,
            End::Orphaned | End::Refused(Refusal::Repeated) => &mut sums.orphaned,
            End::Refused(Refusal::BadSignature) => &mut sums.refused.bad_signature,
            End::Refused(Refusal::UnknownAccount) => &mut sums.refused.unknown_account,
            End::Refused(Refusal::ShortBalance) => &mut sums.refused.short_balance,
            End::Missed => &mut sums.missed,
            End::Unfollowed => &mut sums.unfollowed,
            End::Dropped(Some(Loss::Evicted)) => &mut sums.dropped.evicted,
            End::Dropped(Some(Loss::Crashed)) => &mut sums.dropped.crashed,
            End::Dropped(_) => &mut sums.dropped.full,
        };
        *count += 1;
        tracked.to_leader.into_iter().for_each(|span| self.to_leader.add(span));
    }

    /// The run is over: writes down the transactions that are still followed.
    pub(super) fn fill(&mut self, sink: &mut impl RowSink) {
        self.close_below(u64::MAX, Tracked::end, sink);
    }

    pub(super) fn summary(&self) -> TransactionsSummary {
        let (predictions, hits) = self.predictions.judged();
        let TransactionsSummary { included, waiting, expired, orphaned, missed, .. } = self.sums;
        let TransactionsSummary { refused, dropped, unfollowed, .. } = self.sums;
        let refused = refused.bad_signature + refused.unknown_account + refused.short_balance;
        let dropped = dropped.full + dropped.evicted + dropped.crashed;
        let known = included + waiting + expired + orphaned + refused + missed + dropped;
        TransactionsSummary {
            conserved: known + unfollowed == self.sums.submitted,
            predictions,
            prediction_hit_ppm: ppm(hits, predictions),
            to_leader: self.to_leader.figures(),
            to_block: self.to_block.figures(),
            ..self.sums
        }
    }
}

#[cfg(test)]
mod tests;
