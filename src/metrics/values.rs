//! Metrics layer, collector: how far the values of Solana's gossip come, and at what price
//! (`gossip_values.csv`).
//!
//! A value is followed for five seconds after it was made. Memory is bounded: beyond 65,536 values
//! at a time the oldest makes room.

use std::collections::VecDeque;

use serde::{Serialize, Serializer};

use super::figures::{mean, ppm};
use super::table::{Column, RowSink, TableSpec, Unit};
use crate::base::time::{Span, Time};
use crate::fact::ValueKind;

/// `gossip_values.csv`.
pub static GOSSIP_VALUES: TableSpec = TableSpec {
    name: "gossip_values",
    doc: "One row per interval of `output.timeline` and kind of value that was made in it, then one \
          of kind `all`, which also counts prunes. Intervals are of 100 ms at least. A value is \
          followed for 5 s after it was made. \
          No rows without gossip by Solana's rules, or if `output.timeline` is \"0s\".",
    columns: &[
        Column::new("from_ns", Unit::Nanoseconds, "When the interval begins."),
        Column::new("kind", Unit::Text, "The kind of the values, or `all`."),
        Column::new("values", Unit::Count, "Values that were made."),
        Column::new("open", Unit::Count, OPEN),
        Column::new("value_bytes", Unit::Bytes, "Bytes of the values followed to the end."),
        Column::new("audience", Unit::Count, AUDIENCE),
        Column::new("reached", Unit::Count, "Pairs of those in which the value came to the node."),
        Column::new("coverage_ppm", Unit::PartsPerMillion, "Share of those pairs."),
        Column::new("complete", Unit::Count, "Values that came to every node of their audience."),
        Column::new("stranded", Unit::Count, "Pairs in which the value never came to the node."),
        Column::new("pulled", Unit::Count, "Pairs in which a pull brought the value first."),
        Column::new("pushes", Unit::Count, "Pushes received of the values."),
        Column::new("rmr_ppm", Unit::PartsPerMillion, RMR),
        Column::new("hops_max", Unit::Count, "Most links travelled to a first receipt."),
        Column::new("hops_sum", Unit::Count, "Links travelled, summed over first receipts."),
        Column::new("latency_mean_ns", Unit::Nanoseconds, "Mean time to a first receipt."),
        Column::new("latency_max_ns", Unit::Nanoseconds, "The longest."),
        Column::new("prunes", Unit::Count, "Prune messages sent in the interval."),
        Column::new("pruned_origins", Unit::Count, "Origins that they name."),
    ],
};

const OPEN: &str = "Values that are in no further column: their 5 s were not over at the end of the \
                    run, or newer values pushed them out.";
const AUDIENCE: &str = "Pairs of a value and another node that was up when it was made.";
const RMR: &str = "Relative message redundancy: pushes per node reached by a push, less one.";

/// How long a value is followed.
const FOLLOWED: Span = Span::from_secs(5);
/// Shortest interval of rows, so that few of them are open at a time.
const SHORTEST: Span = Span::from_millis(100);
/// How many are followed at a time.
const MOST_FOLLOWED: usize = 1 << 16;

/// Values made of each kind; as JSON a map of all kinds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ValueCounts([u64; ValueKind::ALL.len()]);

impl ValueCounts {
    /// Values of a kind.
    #[must_use]
    pub const fn of(&self, kind: ValueKind) -> u64 {
        self.0[kind as usize]
    }
}

impl Serialize for ValueCounts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(ValueKind::ALL.into_iter().map(|kind| (kind.name(), self.of(kind))))
    }
}

/// How values of Solana's gossip spread; all but the first figures are over values that were
/// followed for 5 s.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct ValuesSummary {
    /// Values made, by kind.
    pub published: ValueCounts,
    /// Values not followed to the end of their 5 s.
    pub open: u64,
    /// First receipts of values that were no longer followed.
    pub late: u64,
    /// Share of the pairs of a value and a node in which the value came to the node.
    pub coverage_ppm: Option<u64>,
    /// Smallest share of nodes that any value came to.
    pub coverage_min_ppm: Option<u64>,
    /// Pairs in which the value never came to the node.
    pub stranded: u64,
    /// Most nodes that any value never came to.
    pub stranded_max: u64,
    /// Pairs in which a pull brought the value first.
    pub pulled: u64,
    /// Relative message redundancy: pushes per node reached by a push, less one.
    pub rmr_ppm: Option<u64>,
    /// Mean links travelled to a first receipt, in thousandths.
    pub hops_mean_milli: Option<u64>,
    /// Most links travelled to a first receipt.
    pub hops_max: u64,
    /// Mean time to a first receipt.
    pub latency_mean_ns: Option<u64>,
    /// Prune messages sent.
    pub prunes: u64,
    /// Origins that they name.
    pub pruned_origins: u64,
}

/// What is counted of some values.
#[derive(Clone, Copy, Default)]
struct Spread {
    values: u64,
    open: u64,
    bytes: u64,
    audience: u64,
    reached: u64,
    complete: u64,
    stranded: u64,
    pulled: u64,
    pushes: u64,
    hops_max: u64,
    hops_sum: u64,
    latency_sum: u128,
    latency_max: u64,
}

impl Spread {
    fn add(&mut self, other: &Self) {
        self.values += other.values;
        self.open += other.open;
        self.bytes += other.bytes;
        self.audience += other.audience;
        self.reached += other.reached;
        self.complete += other.complete;
        self.stranded += other.stranded;
        self.pulled += other.pulled;
        self.pushes += other.pushes;
        self.hops_max = self.hops_max.max(other.hops_max);
        self.hops_sum += other.hops_sum;
        self.latency_sum += other.latency_sum;
        self.latency_max = self.latency_max.max(other.latency_max);
    }

    fn rmr_ppm(&self) -> Option<u64> {
        let pushed = self.reached - self.pulled;
        ppm(self.pushes.saturating_sub(pushed), pushed)
    }

    /// Writes a row; `prunes` are messages and origins.
    fn row(&self, from: Time, kind: &str, prunes: Option<(u64, u64)>, sink: &mut impl RowSink) {
        let any = self.reached > 0;
        sink.row(
            &GOSSIP_VALUES,
            &[
                from.into(),
                kind.into(),
                self.values.into(),
                self.open.into(),
                self.bytes.into(),
                self.audience.into(),
                self.reached.into(),
                ppm(self.reached, self.audience).into(),
                self.complete.into(),
                self.stranded.into(),
                self.pulled.into(),
                self.pushes.into(),
                self.rmr_ppm().into(),
                any.then_some(self.hops_max).into(),
                self.hops_sum.into(),
                mean(self.latency_sum, self.reached).into(),
                any.then_some(self.latency_max).into(),
                prunes.map(|(messages, _)| messages).into(),
                prunes.map(|(_, origins)| origins).into(),
            ],
        );
    }
}

/// A value that is followed.
struct Followed {
    at: Time,
    kind: ValueKind,
    size: u32,
    audience: u32,
    reached: u32,
    pulled: u32,
    pushes: u32,
    hops_max: u8,
    hops_sum: u32,
    latency_sum: u64,
    latency_max: u64,
}

impl Followed {
    /// The value as a spread of one, if its time is over.
    fn spread(&self, over: bool) -> Spread {
        if !over {
            return Spread { values: 1, open: 1, ..Spread::default() };
        }
        // A node that forgot everything receives a value twice.
        let reached = u64::from(self.reached.min(self.audience));
        let stranded = u64::from(self.audience) - reached;
        Spread {
            values: 1,
            open: 0,
            bytes: self.size.into(),
            audience: self.audience.into(),
            reached,
            complete: u64::from(stranded == 0),
            stranded,
            pulled: u64::from(self.pulled).min(reached),
            pushes: self.pushes.into(),
            hops_max: self.hops_max.into(),
            hops_sum: self.hops_sum.into(),
            latency_sum: self.latency_sum.into(),
            latency_max: self.latency_max,
        }
    }
}

/// An interval whose row is not written yet.
struct Interval {
    number: u64,
    kinds: [Spread; ValueKind::ALL.len()],
    /// Prune messages and the origins they name.
    prunes: (u64, u64),
}

/// Follows values.
pub(super) struct Values {
    interval: Option<Span>,
    up: u32,
    followed: VecDeque<Followed>,
    /// Number of the oldest value that is followed.
    oldest: u32,
    /// Intervals without a row, in order: as many as fit into the time that values are followed.
    intervals: VecDeque<Interval>,
    published: ValueCounts,
    late: u64,
    total: Spread,
    coverage_min_ppm: Option<u64>,
    stranded_max: u64,
    prunes: (u64, u64),
}

impl Values {
    pub(super) fn new(interval: Option<Span>) -> Self {
        Self {
            interval: interval.map(|interval| interval.max(SHORTEST)),
            up: 0,
            followed: VecDeque::new(),
            oldest: 0,
            intervals: VecDeque::new(),
            published: ValueCounts::default(),
            late: 0,
            total: Spread::default(),
            coverage_min_ppm: None,
            stranded_max: 0,
            prunes: (0, 0),
        }
    }

    pub(super) const fn on_up(&mut self) {
        self.up += 1;
    }

    pub(super) const fn on_down(&mut self) {
        self.up -= 1;
    }

    /// A value was made; numbers follow each other.
    pub(super) fn on_published(
        &mut self,
        at: Time,
        number: u32,
        (kind, size): (ValueKind, u32),
        sink: &mut impl RowSink,
    ) {
        self.published.0[kind as usize] += 1;
        self.pass_to(at, sink);
        if self.followed.len() == MOST_FOLLOWED {
            self.close_oldest(false);
        }
        if self.followed.is_empty() {
            self.oldest = number;
        }
        self.followed.push_back(Followed {
            at,
            kind,
            size,
            audience: self.up.saturating_sub(1),
            reached: 0,
            pulled: 0,
            pushes: 0,
            hops_max: 0,
            hops_sum: 0,
            latency_sum: 0,
            latency_max: 0,
        });
    }

    /// A value came to a node.
    #[inline]
    pub(super) fn on_received(
        &mut self,
        at: Time,
        number: u32,
        hops: u8,
        (pushed, first): (bool, bool),
    ) {
        let place = number.wrapping_sub(self.oldest) as usize;
        let Some(value) = self.followed.get_mut(place).filter(|v| at.since(v.at) <= FOLLOWED)
        else {
            self.late += u64::from(first);
            return;
        };
        value.pushes += u32::from(pushed);
        if !first {
            return;
        }
        let after = at.since(value.at).as_nanos();
        value.reached += 1;
        value.pulled += u32::from(!pushed);
        value.hops_max = value.hops_max.max(hops);
        value.hops_sum += u32::from(hops);
        value.latency_sum += after;
        value.latency_max = value.latency_max.max(after);
    }

    /// A node pruned so many origins at a peer.
    pub(super) fn on_prune(&mut self, at: Time, origins: u32, sink: &mut impl RowSink) {
        self.pass_to(at, sink);
        self.prunes.0 += 1;
        self.prunes.1 += u64::from(origins);
        if let Some(interval) = self.interval_of(at) {
            interval.prunes.0 += 1;
            interval.prunes.1 += u64::from(origins);
        }
    }

    /// The run is over at `end`: writes all that is left.
    pub(super) fn fill(&mut self, end: Time, sink: &mut impl RowSink) {
        self.pass_to(end, sink);
        while !self.followed.is_empty() {
            self.close_oldest(false);
        }
        while let Some(interval) = self.intervals.pop_front() {
            self.rows(&interval, sink);
        }
    }

    /// The figures, complete once [`Self::fill`] was called.
    pub(super) fn summary(&self) -> ValuesSummary {
        let total = &self.total;
        ValuesSummary {
            published: self.published,
            open: total.open,
            late: self.late,
            coverage_ppm: ppm(total.reached, total.audience),
            coverage_min_ppm: self.coverage_min_ppm,
            stranded: total.stranded,
            stranded_max: self.stranded_max,
            pulled: total.pulled,
            rmr_ppm: total.rmr_ppm(),
            hops_mean_milli: mean(u128::from(total.hops_sum) * 1_000, total.reached),
            hops_max: total.hops_max,
            latency_mean_ns: mean(total.latency_sum, total.reached),
            prunes: self.prunes.0,
            pruned_origins: self.prunes.1,
        }
    }

    /// Time goes on: closes values whose time is over, then intervals in which none is left.
    fn pass_to(&mut self, at: Time, sink: &mut impl RowSink) {
        while self.followed.front().is_some_and(|value| at.since(value.at) > FOLLOWED) {
            self.close_oldest(true);
        }
        let Some(length) = self.interval else { return };
        // Values made within the last 5 s may still belong to an interval; later ones are open.
        let floor = Time::from_nanos(at.as_nanos().saturating_sub(FOLLOWED.as_nanos()));
        let open = number(floor, length);
        while self.intervals.front().is_some_and(|interval| interval.number < open) {
            let interval = self.intervals.pop_front().expect("there is a first one");
            self.rows(&interval, sink);
        }
    }

    fn close_oldest(&mut self, over: bool) {
        let Some(value) = self.followed.pop_front() else { return };
        self.oldest = self.oldest.wrapping_add(1);
        let spread = value.spread(over);
        self.total.add(&spread);
        if let Some(coverage) = ppm(spread.reached, spread.audience) {
            let least = self.coverage_min_ppm.map_or(coverage, |least| least.min(coverage));
            self.coverage_min_ppm = Some(least);
        }
        self.stranded_max = self.stranded_max.max(spread.stranded);
        if let Some(interval) = self.interval_of(value.at) {
            interval.kinds[value.kind as usize].add(&spread);
        }
    }

    /// The interval of a moment; `None` if there are no rows.
    fn interval_of(&mut self, at: Time) -> Option<&mut Interval> {
        let number = number(at, self.interval?);
        let place = self.intervals.partition_point(|interval| interval.number < number);
        if self.intervals.get(place).is_none_or(|interval| interval.number != number) {
            let kinds = [Spread::default(); ValueKind::ALL.len()];
            self.intervals.insert(place, Interval { number, kinds, prunes: (0, 0) });
        }
        self.intervals.get_mut(place)
    }

    fn rows(&self, interval: &Interval, sink: &mut impl RowSink) {
        let length = self.interval.map_or(0, Span::as_nanos);
        let from = Time::from_nanos(interval.number.saturating_mul(length));
        let mut all = Spread::default();
        for (kind, spread) in ValueKind::ALL.into_iter().zip(&interval.kinds) {
            if spread.values > 0 {
                spread.row(from, kind.name(), None, sink);
                all.add(spread);
            }
        }
        all.row(from, "all", Some(interval.prunes), sink);
    }
}

/// Number of the interval of a moment.
const fn number(at: Time, length: Span) -> u64 {
    at.as_nanos() / length.as_nanos()
}

#[cfg(test)]
mod tests;
