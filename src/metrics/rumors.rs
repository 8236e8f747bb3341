//! Metrics layer, collector: how far and how fast each rumor spread (`rumors.csv`).
//!
//! Memory is bounded: only the newest rumors are followed, in a ring that is indexed by their
//! number. A rumor that falls out of it is written down as it is at that moment.

use serde::Serialize;

use super::figures::{Latency, Spans, ppm};
use super::spread::{Coverage, SHARE_COLUMNS, ShareTimes, Spread, TimesToShares, share_cells};
use super::table::{Cell, Column, RowSink, TableSpec, Unit, joined};
use crate::base::id::{NodeId, NodeMap};
use crate::base::time::{Span, Time};

/// `rumors.csv`.
pub static RUMORS: TableSpec = TableSpec {
    name: "rumors",
    doc: "One row per rumor, in the order of their numbers. Times but `injected_ns` are since the \
          injection. A rumor for all other nodes is measured against all nodes and all stake, the \
          origin having it from the start; one for a single node against that node alone, without \
          times by stake. A node that forgot everything is not counted a second time.",
    columns: &COLUMNS,
};

const COLUMNS: [Column; FIRST.len() + SHARE_COLUMNS.len() + 1] =
    joined(&[FIRST, &SHARE_COLUMNS, &[LAST]]);

const FIRST: &[Column] = &[
    Column::new("rumor", Unit::Count, "Number of the rumor."),
    Column::new("origin", Unit::Node, "The node it was given to."),
    Column::new("injected_ns", Unit::Nanoseconds, "When."),
    Column::new("size_bytes", Unit::Bytes, "Its payload."),
    Column::new("audience", Unit::Count, "Nodes it is meant for, the origin not counted."),
    Column::new("reached", Unit::Count, "Nodes that received it, the origin not counted."),
    Column::new("copies", Unit::Count, "How often it was received, repetitions included."),
    Column::new("hops_max", Unit::Count, "Most links travelled to a first receipt."),
    Column::new("hops_sum", Unit::Count, "Links travelled, summed over first receipts."),
];

const LAST: Column = Column::new("last_ns", Unit::Nanoseconds, "Until the latest first receipt.");

/// How rumors spread. Coverage and times are as in `rumors.csv`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct RumorsSummary {
    /// Rumors that were injected.
    pub injected: u64,
    /// Inputs of the workload that their node could not take: it was down or too busy.
    pub missed: u64,
    /// First receipts.
    pub receipts: u64,
    /// All receipts, repetitions included.
    pub copies: u64,
    /// Copies per first receipt.
    pub redundancy_ppm: Option<u64>,
    /// Receipts of rumors that were no longer followed: they are in no row of `rumors.csv`.
    pub late: u64,
    /// Rumors that everybody they were meant for has.
    pub complete: u64,
    /// Mean over rumors of the share that was reached.
    pub coverage_mean_ppm: Option<u64>,
    /// Smallest share that any rumor reached.
    pub coverage_min_ppm: Option<u64>,
    /// From injection to first receipt; the mean, the shortest and the longest are exact.
    pub latency: Latency,
    /// Until shares of nodes and stake had a rumor.
    #[serde(flatten)]
    pub to: TimesToShares,
}

/// A rumor that is followed.
struct Tracked {
    rumor: u32,
    origin: NodeId,
    injected: Time,
    size: u32,
    audience: u32,
    reached: u64,
    copies: u64,
    hops_max: u16,
    hops_sum: u64,
    last: Option<Span>,
    nodes: Spread,
    stake: Spread,
}

impl Tracked {
    fn row(&self, sink: &mut impl RowSink) {
        let mut cells: Vec<Cell<'_>> = vec![
            self.rumor.into(),
            self.origin.into(),
            self.injected.into(),
            self.size.into(),
            self.audience.into(),
            self.reached.into(),
            self.copies.into(),
            u64::from(self.hops_max).into(),
            self.hops_sum.into(),
        ];
        cells.extend(share_cells(&self.nodes, &self.stake));
        cells.push(self.last.into());
        sink.row(&RUMORS, &cells);
    }
}

/// A receipt that deserves a row in `deliveries.csv`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct FirstReceipt {
    /// When the rumor was injected; `None` if it is no longer followed.
    pub(super) injected: Option<Time>,
}

/// Follows rumors.
pub(super) struct Rumors {
    stakes: NodeMap<u64>,
    total_stake: u64,
    /// How many rumors are followed at once.
    window: u64,
    /// The ring: rumor `r` is at place `r % window`.
    slots: Vec<Option<Tracked>>,
    /// Who has the rumor of each place: one bit per node, `words` words per place.
    holders: Vec<u64>,
    words: usize,
    /// All rumors below are written down or will never be.
    oldest: u64,
    /// One more than the highest number so far.
    next: u64,
    injected: u64,
    missed: u64,
    receipts: u64,
    copies: u64,
    late: u64,
    /// Over the rumors that are written down.
    coverage: Coverage,
    shares: ShareTimes,
    latencies: Spans,
}

impl Rumors {
    pub(super) fn new(stakes: NodeMap<u64>, window: usize) -> Self {
        Self {
            total_stake: stakes.values().sum(),
            window: window.max(1) as u64,
            slots: Vec::new(),
            holders: Vec::new(),
            words: stakes.len().div_ceil(64),
            stakes,
            oldest: 0,
            next: 0,
            injected: 0,
            missed: 0,
            receipts: 0,
            copies: 0,
            late: 0,
            coverage: Coverage::default(),
            shares: ShareTimes::default(),
            latencies: Spans::default(),
        }
    }

    pub(super) const fn on_missed(&mut self) {
        self.missed += 1;
    }

    /// A rumor was injected; older ones that must make room are written down. Numbers may come out
    /// of order by less than the window.
    pub(super) fn on_injected(
        &mut self,
        at: Time,
        origin: NodeId,
        (rumor, size, meant): (u32, u32, Meant),
        sink: &mut impl RowSink,
    ) {
        self.injected += 1;
        let number = u64::from(rumor);
        self.close_below((number + 1).saturating_sub(self.window), sink);
        if number < self.oldest {
            return;
        }
        self.next = self.next.max(number + 1);
        let Meant { audience, direct } = meant;
        let for_all = !direct && audience as usize + 1 == self.stakes.len();
        let (nodes, stake) = if for_all {
            let stake = Spread::new(self.total_stake, self.stakes[origin]);
            (Spread::new(u64::from(audience) + 1, 1), stake)
        } else {
            (Spread::new(audience.into(), 0), Spread::new(0, 0))
        };
        let place = self.place(rumor);
        if place >= self.slots.len() {
            self.slots.resize_with(place + 1, || None);
            self.holders.resize(self.slots.len() * self.words, 0);
        }
        self.holders[place * self.words..][..self.words].fill(0);
        mark(&mut self.holders[place * self.words..], origin);
        self.slots[place] = Some(Tracked {
            rumor,
            origin,
            injected: at,
            size,
            audience,
            reached: 0,
            copies: 0,
            hops_max: 0,
            hops_sum: 0,
            last: None,
            nodes,
            stake,
        });
    }

    /// A rumor reached a node; `first` is whether the node says it did not have it.
    #[inline]
    pub(super) fn on_received(
        &mut self,
        at: Time,
        node: NodeId,
        rumor: u32,
        hops: u16,
        first: bool,
    ) -> Option<FirstReceipt> {
        self.copies += 1;
        let place = self.place(rumor);
        let tracked = self.slots.get_mut(place).and_then(Option::as_mut);
        let Some(tracked) = tracked.filter(|tracked| tracked.rumor == rumor) else {
            self.late += 1;
            self.receipts += u64::from(first);
            return first.then_some(FirstReceipt { injected: None });
        };
        tracked.copies += 1;
        if !first || !mark(&mut self.holders[place * self.words..], node) {
            return None;
        }
        let after = at.since(tracked.injected);
        tracked.reached += 1;
        tracked.hops_max = tracked.hops_max.max(hops);
        tracked.hops_sum += u64::from(hops);
        tracked.last = Some(after);
        tracked.nodes.add(1, after);
        tracked.stake.add(self.stakes[node], after);
        self.receipts += 1;
        self.latencies.record(after);
        Some(FirstReceipt { injected: Some(tracked.injected) })
    }

    /// Rumors injected and first receipts so far.
    pub(super) const fn progress(&self) -> (u64, u64) {
        (self.injected, self.receipts)
    }

    /// Writes down the rumors that are still followed.
    pub(super) fn fill(&mut self, sink: &mut impl RowSink) {
        self.close_below(self.next, sink);
    }

    /// The figures, complete once [`Self::fill`] was called.
    pub(super) fn summary(&self) -> RumorsSummary {
        RumorsSummary {
            injected: self.injected,
            missed: self.missed,
            receipts: self.receipts,
            copies: self.copies,
            redundancy_ppm: ppm(self.copies, self.receipts),
            late: self.late,
            complete: self.coverage.complete,
            coverage_mean_ppm: self.coverage.mean_ppm(),
            coverage_min_ppm: self.coverage.min_ppm,
            latency: self.latencies.latency(),
            to: self.shares.summary(),
        }
    }

    #[inline]
    const fn place(&self, rumor: u32) -> usize {
        (rumor as u64 % self.window) as usize
    }

    /// Writes down all rumors below `floor`, in the order of their numbers.
    fn close_below(&mut self, floor: u64, sink: &mut impl RowSink) {
        // At most a window of numbers lies between the two, so this is short.
        for number in self.oldest..floor.min(self.next) {
            let slot = self.slots.get_mut((number % self.window) as usize);
            let taken = slot.and_then(|slot| slot.take_if(|t| u64::from(t.rumor) == number));
            if let Some(rumor) = taken {
                rumor.row(sink);
                self.coverage.add(rumor.nodes.held, rumor.nodes.whole);
                self.shares.add(&rumor.nodes, &rumor.stake);
            }
        }
        self.oldest = self.oldest.max(floor);
    }
}

/// Sets a node's bit; false if it was set.
#[inline]
fn mark(words: &mut [u64], node: NodeId) -> bool {
    let (word, bit) = (&mut words[node.index() / 64], 1_u64 << (node.index() % 64));
    let fresh = *word & bit == 0;
    *word |= bit;
    fresh
}

/// Whom a rumor is meant for.
#[derive(Clone, Copy)]
pub(super) struct Meant {
    /// Nodes, the origin not counted.
    pub(super) audience: u32,
    /// Its receiver alone, even where there is no other node.
    pub(super) direct: bool,
}

#[cfg(test)]
mod tests;
