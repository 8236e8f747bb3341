//! Metrics layer, collector: messages by kind and what became of them (`messages.csv`).
//!
//! This is the hottest collector: an outcome of a message is a few increments in arrays.

use serde::{Serialize, Serializer};

use super::figures::Latency;
use super::table::{Cell, Column, RowSink, TableSpec, Unit};
use crate::base::flight::{FlightCode, FlightHistogram};
use crate::fact::{DropReason, MessageKind, Transit};

const KINDS: usize = MessageKind::ALL.len();
const REASONS: usize = DropReason::ALL.len();

/// `messages.csv`.
pub static MESSAGES: TableSpec = TableSpec {
    name: "messages",
    doc: "One row per kind of message that occurred, and a row `total` of all kinds; bytes are \
          bytes on the wire. Latencies are from hand-over to delivery, queues included. They are \
          counted in buckets, of which the middle is shown: every latency here, also the shortest, \
          the longest and the mean, differs from the true one by at most 1/256 (0 below 256 ns). A \
          constant 10 ms reads 9,994,239 ns. `deliveries.csv` and `rumors.csv` are exact.",
    columns: &[
        Column::new("kind", Unit::Text, "Kind of message, or `total`."),
        Column::new("sent", Unit::Count, "Messages that nodes handed to the network."),
        Column::new("duplicated", Unit::Count, "Second copies that the network made."),
        Column::new("delivered", Unit::Count, "Messages and copies that reached a node."),
        Column::new("dropped", Unit::Count, "Messages and copies that ended undelivered."),
        Column::new("dropped_too_large", Unit::Count, "Larger than `network.message_limit`."),
        Column::new("dropped_uplink_full", Unit::Count, "No room in the sender's uplink buffer."),
        Column::new("dropped_link_full", Unit::Count, "No room in the buffer of the link."),
        Column::new("dropped_downlink_full", Unit::Count, "No room in the downlink buffer."),
        Column::new("dropped_inbox_full", Unit::Count, "No room in the receiver's inbox."),
        Column::new("dropped_loss", Unit::Count, "Lost by the loss model of the link."),
        Column::new("dropped_loss_fault", Unit::Count, "Lost by a loss fault."),
        Column::new("dropped_throttle", Unit::Count, "No room in the buffer of a throttle fault."),
        Column::new("dropped_partition", Unit::Count, "Between two sides of a partition."),
        Column::new("dropped_mute", Unit::Count, "The sender was mute."),
        Column::new("dropped_deaf", Unit::Count, "The receiver was deaf."),
        Column::new("dropped_receiver_down", Unit::Count, "The receiver was down."),
        Column::new("dropped_sender_crashed", Unit::Count, "Unsent when the sender crashed."),
        Column::new("dropped_corrupted", Unit::Count, "Arrived damaged and was discarded."),
        Column::new("in_flight", Unit::Count, "Still under way at the end of the run."),
        Column::new("sent_bytes", Unit::Bytes, "Bytes of the messages sent."),
        Column::new("duplicated_bytes", Unit::Bytes, "Bytes of the second copies."),
        Column::new("delivered_bytes", Unit::Bytes, "Bytes delivered."),
        Column::new("dropped_bytes", Unit::Bytes, "Bytes that ended undelivered."),
        Column::new("in_flight_bytes", Unit::Bytes, "Bytes still under way at the end."),
        Column::new("latency_min_ns", Unit::Nanoseconds, "Shortest latency, to within 1/256."),
        Column::new("latency_mean_ns", Unit::Nanoseconds, "Mean latency, to within 1/256."),
        Column::new("latency_p50_ns", Unit::Nanoseconds, "Median latency, to within 1/256."),
        Column::new("latency_p90_ns", Unit::Nanoseconds, "90th percentile, to within 1/256."),
        Column::new("latency_p99_ns", Unit::Nanoseconds, "99th percentile, to within 1/256."),
        Column::new("latency_p999_ns", Unit::Nanoseconds, "99.9th percentile, to within 1/256."),
        Column::new("latency_max_ns", Unit::Nanoseconds, "Longest latency, to within 1/256."),
    ],
};

/// Messages, or bytes, and what became of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Flow {
    /// Handed to the network by nodes.
    pub sent: u64,
    /// Second copies made by the network.
    pub duplicated: u64,
    /// Delivered.
    pub delivered: u64,
    /// Ended undelivered.
    pub dropped: u64,
    /// Under way at the end, as counted one by one.
    pub in_flight: u64,
}

impl Flow {
    /// What came in and neither ended nor is under way; zero in a run that conserves.
    #[must_use]
    pub fn unaccounted(&self) -> i64 {
        let entered = i128::from(self.sent) + i128::from(self.duplicated);
        let left = i128::from(self.delivered) + i128::from(self.dropped);
        let rest = entered - left - i128::from(self.in_flight);
        i64::try_from(rest).unwrap_or(if rest > 0 { i64::MAX } else { i64::MIN })
    }
}

/// Messages dropped for each reason; as JSON a map in the order of [`DropReason::ALL`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DropCounts([u64; REASONS]);

impl DropCounts {
    /// Messages dropped for a reason.
    #[must_use]
    pub const fn of(&self, reason: DropReason) -> u64 {
        self.0[reason as usize]
    }

    /// The reasons that occurred, and how many messages each took.
    pub fn iter(&self) -> impl Iterator<Item = (DropReason, u64)> + '_ {
        DropReason::ALL.into_iter().zip(self.0).filter(|(_, dropped)| *dropped > 0)
    }

    /// Messages dropped for any reason.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

impl Serialize for DropCounts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(DropReason::ALL.map(|reason| (reason.name(), self.of(reason))))
    }
}

/// Messages sent of each kind; as JSON a map of the kinds that occurred, in the order of
/// [`MessageKind::ALL`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SentCounts([u64; KINDS]);

impl SentCounts {
    /// The kinds that occurred, and how many messages of each were sent.
    pub fn iter(&self) -> impl Iterator<Item = (MessageKind, u64)> + '_ {
        MessageKind::ALL.into_iter().zip(self.0).filter(|(_, sent)| *sent > 0)
    }
}

impl Serialize for SentCounts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(kind, sent)| (kind.name(), sent)))
    }
}

/// Whether nothing was lost without a reason: sent + duplicated = delivered + dropped + in flight,
/// for messages and for bytes, the last term counted independently of all facts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Conservation {
    /// Whether both equations hold.
    pub holds: bool,
    /// Left side less right side, in messages.
    pub unaccounted: i64,
    /// The same in bytes.
    pub unaccounted_bytes: i64,
}

impl Conservation {
    pub(super) fn of(messages: &Flow, bytes: &Flow) -> Self {
        let (unaccounted, unaccounted_bytes) = (messages.unaccounted(), bytes.unaccounted());
        Self { holds: unaccounted == 0 && unaccounted_bytes == 0, unaccounted, unaccounted_bytes }
    }
}

/// What is counted of one kind of message.
#[derive(Clone, Copy, Default)]
struct Counts {
    sent: u64,
    sent_bytes: u64,
    duplicated: u64,
    duplicated_bytes: u64,
    delivered: u64,
    delivered_bytes: u64,
    dropped: DropCounts,
    dropped_bytes: u64,
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.sent_bytes += other.sent_bytes;
        self.duplicated += other.duplicated;
        self.duplicated_bytes += other.duplicated_bytes;
        self.delivered += other.delivered;
        self.delivered_bytes += other.delivered_bytes;
        self.dropped_bytes += other.dropped_bytes;
        self.dropped.0.iter_mut().zip(other.dropped.0).for_each(|(sum, count)| *sum += count);
    }

    /// Messages and bytes; what has not ended is taken to be under way.
    fn flows(&self) -> [Flow; 2] {
        let flow = |sent: u64, duplicated: u64, delivered: u64, dropped: u64| {
            let in_flight = (sent + duplicated).saturating_sub(delivered + dropped);
            Flow { sent, duplicated, delivered, dropped, in_flight }
        };
        [
            flow(self.sent, self.duplicated, self.delivered, self.dropped.total()),
            flow(self.sent_bytes, self.duplicated_bytes, self.delivered_bytes, self.dropped_bytes),
        ]
    }

    fn row(&self, kind: &'static str, flights: &FlightHistogram, sink: &mut impl RowSink) {
        let [messages, bytes] = self.flows();
        let Flow { sent, duplicated, delivered, dropped, in_flight } = messages;
        let mut cells = vec![Cell::from(kind)];
        cells.extend([sent, duplicated, delivered, dropped].map(Cell::from));
        cells.extend(self.dropped.0.map(Cell::from));
        cells.push(in_flight.into());
        let Flow { sent, duplicated, delivered, dropped, in_flight } = bytes;
        cells.extend([sent, duplicated, delivered, dropped, in_flight].map(Cell::from));
        cells.extend(Latency::of(flights).cells());
        sink.row(&MESSAGES, &cells);
    }
}

/// Counts messages by kind and outcome.
pub(super) struct Traffic {
    kinds: [Counts; KINDS],
    flights: [FlightHistogram; KINDS],
}

impl Traffic {
    pub(super) fn new() -> Self {
        Self {
            kinds: [Counts::default(); KINDS],
            flights: std::array::from_fn(|_| FlightHistogram::new()),
        }
    }

    #[inline]
    pub(super) const fn on_sent(&mut self, message: Transit) {
        let counts = &mut self.kinds[message.kind as usize];
        counts.sent += 1;
        counts.sent_bytes += message.size as u64;
    }

    #[inline]
    pub(super) const fn on_duplicated(&mut self, message: Transit) {
        let counts = &mut self.kinds[message.kind as usize];
        counts.duplicated += 1;
        counts.duplicated_bytes += message.size as u64;
    }

    #[inline]
    pub(super) fn on_delivered(&mut self, message: Transit, flight: FlightCode) {
        let counts = &mut self.kinds[message.kind as usize];
        counts.delivered += 1;
        counts.delivered_bytes += u64::from(message.size);
        self.flights[message.kind as usize].record(flight);
    }

    #[inline]
    pub(super) const fn on_dropped(&mut self, message: Transit, reason: DropReason) {
        let counts = &mut self.kinds[message.kind as usize];
        counts.dropped.0[reason as usize] += 1;
        counts.dropped_bytes += message.size as u64;
    }

    /// Messages and bytes of all kinds since the start; what has not ended is under way.
    pub(super) fn flows(&self) -> [Flow; 2] {
        self.total().flows()
    }

    pub(super) fn dropped(&self) -> DropCounts {
        self.total().dropped
    }

    pub(super) fn sent(&self) -> SentCounts {
        SentCounts(std::array::from_fn(|kind| self.kinds[kind].sent))
    }

    pub(super) fn latency(&self) -> Latency {
        Latency::of(&self.all_flights())
    }

    pub(super) fn fill(&self, sink: &mut impl RowSink) {
        for kind in MessageKind::ALL {
            let counts = &self.kinds[kind as usize];
            if counts.sent > 0 {
                counts.row(kind.name(), &self.flights[kind as usize], sink);
            }
        }
        self.total().row("total", &self.all_flights(), sink);
    }

    fn total(&self) -> Counts {
        let mut total = Counts::default();
        self.kinds.iter().for_each(|counts| total.add(counts));
        total
    }

    fn all_flights(&self) -> FlightHistogram {
        let mut all = FlightHistogram::new();
        self.flights.iter().for_each(|flights| all.merge(flights));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::MemorySink;
    use super::*;
    use crate::base::id::NodeId;
    use crate::base::time::Span;

    const fn message(kind: MessageKind, size: u32) -> Transit {
        Transit { from: NodeId::new(0), to: NodeId::new(1), size, kind }
    }

    #[test]
    fn every_drop_reason_has_its_column_and_counts_there_alone() {
        for (i, reason) in DropReason::ALL.into_iter().enumerate() {
            let mut traffic = Traffic::new();
            let ping = message(MessageKind::Ping, 10);
            (0..=i).for_each(|_| traffic.on_sent(ping));
            (0..=i).for_each(|_| traffic.on_dropped(ping, reason));
            let mut sink = MemorySink::new();
            traffic.fill(&mut sink);
            let wanted = i as u64 + 1;
            for other in DropReason::ALL {
                let column = format!("dropped_{}", other.name());
                let expected = if other == reason { wanted } else { 0 };
                assert_eq!(sink.integer(&MESSAGES, 0, &column), Some(expected), "{column}");
            }
            assert_eq!(sink.integer(&MESSAGES, 0, "dropped"), Some(wanted));
            assert_eq!(sink.integer(&MESSAGES, 0, "dropped_bytes"), Some(10 * wanted));
            assert_eq!(traffic.dropped().of(reason), wanted);
        }
    }

    #[test]
    fn kinds_have_rows_in_their_order_and_the_total_adds_them_up() {
        let mut traffic = Traffic::new();
        let (vote, ping) = (message(MessageKind::Vote, 100), message(MessageKind::Ping, 7));
        let code = |nanos| FlightCode::of(Span::from_nanos(nanos));
        (0..5).for_each(|_| traffic.on_sent(vote));
        (0..2).for_each(|_| traffic.on_sent(ping));
        traffic.on_duplicated(vote);
        traffic.on_delivered(vote, code(200));
        traffic.on_delivered(vote, code(100));
        traffic.on_delivered(ping, code(30));
        traffic.on_dropped(vote, DropReason::Loss);
        let mut sink = MemorySink::new();
        traffic.fill(&mut sink);
        let names = ["ping", "vote", "total"].map(Cell::from);
        assert!(sink.column(&MESSAGES, "kind").expect("a column").eq(&names));
        let column = |name: &str| [0, 1, 2].map(|row| sink.integer(&MESSAGES, row, name));
        assert_eq!(column("sent"), [Some(2), Some(5), Some(7)]);
        assert_eq!(column("duplicated_bytes"), [Some(0), Some(100), Some(100)]);
        // Of the votes 5 + 1 - 2 - 1 = 3 are under way, of the pings 1.
        assert_eq!(column("in_flight"), [Some(1), Some(3), Some(4)]);
        assert_eq!(column("in_flight_bytes"), [Some(7), Some(300), Some(307)]);
        assert_eq!(column("delivered_bytes"), [Some(7), Some(200), Some(207)]);
        assert_eq!(column("latency_mean_ns"), [Some(30), Some(150), Some(110)]);
        assert_eq!(column("latency_p50_ns"), [Some(30), Some(100), Some(100)]);
        assert_eq!(column("latency_max_ns"), [Some(30), Some(200), Some(200)]);
    }

    #[test]
    fn a_constant_latency_reads_the_middle_of_its_bucket_everywhere() {
        let mut traffic = Traffic::new();
        let ping = message(MessageKind::Ping, 10);
        (0..3).for_each(|_| {
            traffic.on_delivered(ping, FlightCode::of(Span::from_millis(10)));
        });
        // 10^7 ns lie between 2^23 and 2^24, which are cut into 128 buckets of 65,536 ns. It is in
        // the one from 152 * 65,536 on, and the middle of that is 32,767 ns higher.
        let middle: u64 = 152 * 65_536 + 32_767;
        assert_eq!(traffic.latency().cells(), [middle; 7].map(Cell::from));
        assert!((10_000_000 - middle) * 256 <= 10_000_000, "to within 1/256");
    }

    #[test]
    fn a_message_or_a_byte_that_vanished_breaks_conservation() {
        let flow = Flow { sent: 10, duplicated: 2, delivered: 7, dropped: 3, in_flight: 2 };
        let (lost, made) = (Flow { in_flight: 1, ..flow }, Flow { delivered: 12, ..flow });
        assert!(Conservation::of(&flow, &flow).holds);
        let broken = Conservation { holds: false, unaccounted: 1, unaccounted_bytes: -5 };
        assert_eq!(Conservation::of(&lost, &made), broken);
        assert!(!Conservation::of(&lost, &flow).holds && !Conservation::of(&flow, &lost).holds);
    }

    #[test]
    fn dropped_messages_are_a_json_map_in_the_order_of_reasons() {
        let json = serde_json::to_string(&DropCounts::default()).expect("a map of numbers");
        let names = DropReason::ALL.map(|reason| format!("\"{}\":0", reason.name()));
        assert_eq!(json, format!("{{{}}}", names.join(",")));
    }
}
