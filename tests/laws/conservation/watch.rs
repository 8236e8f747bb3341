//! A listener of the test's own: counts all messages and knows what the scenario's network cannot
//! do.

use std::collections::BTreeMap;

use headwater::base::id::NodeId;
use headwater::base::time::Time;
use headwater::fact::{Census, DropReason, Fact, MessageKind, Observer, Transit, World};

/// A partition of the drawn scenario.
#[derive(Clone, Debug)]
pub(super) struct Partition {
    /// Its place in the list of faults.
    pub(super) fault: u32,
    /// The groups of each node, one bit each.
    pub(super) masks: Vec<u64>,
    pub(super) one_way: bool,
}

impl Partition {
    fn separates(&self, from: NodeId, to: NodeId) -> bool {
        let (from, to) = (self.masks[from.index()], self.masks[to.index()]);
        if self.one_way { from == 1 && to == 2 } else { from & to == 0 }
    }
}

/// What no message of a scenario can do.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    /// Shortest latency of any link in nanoseconds.
    pub(super) latency: u64,
    /// Bits per second of each node's uplink.
    pub(super) uplinks: Vec<Option<u64>>,
    /// Bits per second of each node's downlink.
    pub(super) downlinks: Vec<Option<u64>>,
    pub(super) partitions: Vec<Partition>,
    /// Whether messages that have arrived may wait, in a downlink or for a processor.
    pub(super) waiting: bool,
}

impl Limits {
    /// No limits.
    pub(super) fn none(nodes: usize) -> Self {
        Self {
            latency: 0,
            uplinks: vec![None; nodes],
            downlinks: vec![None; nodes],
            partitions: Vec::new(),
            waiting: true,
        }
    }

    /// Shortest time from hand-over to delivery.
    fn shortest(&self, message: &Transit) -> u64 {
        // 8c / B, rounded up.
        let work = |rate: Option<u64>| {
            rate.map_or(0, |rate| (u64::from(message.size) * 8_000_000_000).div_ceil(rate))
        };
        self.latency
            + work(self.uplinks[message.from.index()])
            + work(self.downlinks[message.to.index()])
    }
}

/// Messages, or bytes, by what became of them.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Count {
    pub(super) sent: u64,
    pub(super) duplicated: u64,
    pub(super) delivered: u64,
    pub(super) dropped: u64,
}

/// Messages that cannot be told apart.
type Alike = (NodeId, NodeId, MessageKind, u32);

/// What is known of messages that cannot be told apart.
#[derive(Default)]
struct Record {
    sent: Vec<u64>,
    duplicated: usize,
    delivered: usize,
}

/// All that was counted, and all that should not have happened.
pub(super) struct Ledger {
    limits: Limits,
    pub(super) messages: Count,
    pub(super) bytes: Count,
    /// Messages that a partition stopped.
    pub(super) stopped: u64,
    pub(super) violations: Vec<String>,
    records: BTreeMap<Alike, Record>,
    under_way: BTreeMap<(NodeId, NodeId), i64>,
    /// Partitions in force, and what was under way between pairs of nodes when each began.
    in_force: BTreeMap<u32, BTreeMap<(NodeId, NodeId), i64>>,
}

impl Ledger {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            messages: Count::default(),
            bytes: Count::default(),
            stopped: 0,
            violations: Vec::new(),
            records: BTreeMap::new(),
            under_way: BTreeMap::new(),
            in_force: BTreeMap::new(),
        }
    }

    fn record(&mut self, message: &Transit) -> &mut Record {
        let alike = (message.from, message.to, message.kind, message.size);
        self.records.entry(alike).or_default()
    }

    fn moves(&mut self, message: &Transit, by: i64) {
        *self.under_way.entry((message.from, message.to)).or_default() += by;
    }

    fn on_delivered(&mut self, at: u64, message: &Transit, flight: u64) {
        let shortest = self.limits.shortest(message);
        // A flight is told to within 1/256, and rounded up to three times on its way.
        if flight + flight / 64 + 1 < shortest {
            self.violations.push(format!("{at}: {message:?} flew {flight}, at least {shortest}"));
        }
        let record = self.record(message);
        record.delivered += 1;
        // Every delivery needs a message that was sent early enough, or a second copy of one.
        let early_enough = record.sent.partition_point(|sent| sent + shortest <= at);
        let most = (early_enough + record.duplicated).min(2 * early_enough);
        if record.delivered > most {
            let text = format!("{at}: {message:?} is number {}, not {most}", record.delivered);
            self.violations.push(text);
        }
        self.across(at, message);
    }

    /// Nothing is delivered across a partition in force, except what had arrived and waited.
    fn across(&mut self, at: u64, message: &Transit) {
        let (from, to) = (message.from, message.to);
        for partition in self.limits.partitions.iter().filter(|p| p.separates(from, to)) {
            let Some(waiting) = self.in_force.get_mut(&partition.fault) else { continue };
            let left = waiting.entry((from, to)).or_default();
            *left -= 1;
            if !self.limits.waiting || *left < 0 {
                let text = format!("{at}: {message:?} crossed partition {}", partition.fault);
                self.violations.push(text);
            }
        }
    }
}

/// Writes into a ledger.
pub(super) struct Watch<'a>(pub(super) &'a mut Ledger);

impl Observer for Watch<'_> {
    fn on_fact(&mut self, at: Time, fact: &Fact) {
        let ledger = &mut *self.0;
        let at = at.as_nanos();
        let add = |count: &mut u64, bytes: &mut u64, message: Transit| {
            *count += 1;
            *bytes += u64::from(message.size);
        };
        let (messages, bytes) = (&mut ledger.messages, &mut ledger.bytes);
        match *fact {
            Fact::Sent(message) => {
                add(&mut messages.sent, &mut bytes.sent, message);
                ledger.record(&message).sent.push(at);
                ledger.moves(&message, 1);
            }
            Fact::Duplicated(message) => {
                add(&mut messages.duplicated, &mut bytes.duplicated, message);
                ledger.record(&message).duplicated += 1;
                ledger.moves(&message, 1);
            }
            Fact::Delivered { message, flight } => {
                add(&mut messages.delivered, &mut bytes.delivered, message);
                ledger.on_delivered(at, &message, flight.span().as_nanos());
                ledger.moves(&message, -1);
            }
            Fact::Dropped { message, reason } => {
                add(&mut messages.dropped, &mut bytes.dropped, message);
                ledger.stopped += u64::from(reason == DropReason::Partition);
                ledger.moves(&message, -1);
            }
            Fact::FaultBegan { fault } => {
                ledger.in_force.insert(fault, ledger.under_way.clone());
            }
            Fact::FaultEnded { fault } => {
                ledger.in_force.remove(&fault);
            }
            _ => {}
        }
    }

    fn next_sample(&self) -> Option<Time> {
        None
    }

    fn on_sample(&mut self, _: Time, _: &World, _: &dyn Census) {}
}
