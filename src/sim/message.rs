//! Kernel layer: messages as events: being under way, arriving, waiting for a processor, being
//! delivered.

use super::network::Arrival;
use super::network::link::Passage;
use super::protocol::{Label, Payload, Protocol};
use super::{Injection, Simulation, Waiting};
use crate::base::flight::FlightCode;
use crate::base::id::NodeId;
use crate::base::time::{Span, Time};
use crate::fact::{DropReason, Fact, Observer};

/// A message under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Envelope<M> {
    pub(super) from: NodeId,
    pub(super) to: NodeId,
    passed: Passed,
    pub(super) label: Label,
    pub(super) message: M,
}

/// How long a message has been under way, or will be, and where: a code and a stage in 16 bits,
/// because they stand in every record of the queue.
#[derive(Clone, Copy, Debug)]
struct Passed(u16);

impl Passed {
    /// Bits of the code; the stage is above them.
    const CODE_BITS: u32 = 13;
    const CODES_FIT: () = assert!(FlightCode::COUNT <= 1 << Self::CODE_BITS);

    #[inline]
    const fn new(flight: FlightCode, stage: Stage) -> Self {
        let () = Self::CODES_FIT;
        Self((stage as u16) << Self::CODE_BITS | flight.index() as u16)
    }

    #[inline]
    const fn flight(self) -> FlightCode {
        FlightCode::at(self.0 & ((1 << Self::CODE_BITS) - 1))
    }

    #[inline]
    const fn stage(self) -> Stage {
        match self.0 >> Self::CODE_BITS {
            0 => Stage::Link,
            1 => Stage::LinkDamaged,
            2 => Stage::Downlink,
            _ => Stage::DownlinkDamaged,
        }
    }
}

/// Where a message under way is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// On the link.
    Link,
    /// On the link, damaged.
    LinkDamaged,
    /// In the receiver's downlink.
    Downlink,
    /// In the receiver's downlink, damaged.
    DownlinkDamaged,
}

/// What can be due. Small, because it is copied between the queue's buckets.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event<M, T> {
    /// A message arrives.
    Mail(Envelope<M>),
    /// An alarm goes off, unless the node has crashed since.
    Timer { node: NodeId, epoch: u32, timer: T },
    /// The same on a fast clock that shows one nanosecond more than the alarm was set to, because
    /// it skipped that one: the next alarm counts from the one that was skipped.
    LateTimer { node: NodeId, epoch: u32, timer: T },
    /// A processor looks at its inbox.
    Wake(NodeId),
}

/// What fills the places of the queue that are not used yet.
impl<M, T> Default for Event<M, T> {
    fn default() -> Self {
        Self::Wake(NodeId::new(0))
    }
}

impl<M, T> Event<M, T> {
    /// The same after waiting in an inbox.
    fn delayed(mut self, by: Span) -> Self {
        match self {
            Self::Mail(ref mut envelope) => envelope.passed = longer(envelope.passed, by),
            // Where a node gets to it much later, no nanosecond matters.
            Self::LateTimer { node, epoch, timer } if !by.is_zero() => {
                self = Self::Timer { node, epoch, timer };
            }
            _ => {}
        }
        self
    }
}

impl<P, W, O> Simulation<P, W, O>
where
    P: Protocol,
    W: Iterator<Item = Injection<P::Input>>,
    O: Observer,
{
    /// A record of the queue is an event of 24 bytes beside its time.
    const EVENT_IS_SMALL: () =
        assert!(size_of::<Event<P::Message, P::Timer>>() <= 24, "an event has at most 24 bytes");

    /// Bytes of a message on the wire. Not kept in the envelope: that would make every record of
    /// the queue larger.
    #[inline]
    pub(super) fn wire_size(&self, message: &P::Message) -> u32 {
        self.network.wire_size(message.size(&self.outbox.bodies))
    }

    /// What the digest must know of a message: all of its passage but the serial.
    #[inline]
    fn passage(&self, from: NodeId, to: NodeId, message: &P::Message, at: Time) -> Passage {
        let (kind, size) = (message.kind(), self.wire_size(message));
        let content = message.content(&self.outbox.bodies);
        Passage { at, from, to, kind, size, content, serial: 0 }
    }

    /// A copy of a message is under way.
    #[inline(always)]
    pub(super) fn fly(
        &mut self,
        passage: &Passage,
        (message, label): (&P::Message, Label),
        arrival: Arrival,
    ) {
        let () = Self::EVENT_IS_SMALL;
        self.in_flight += 1;
        self.in_flight_bytes += u64::from(passage.size);
        if let Some(body) = message.body() {
            self.outbox.bodies.hold(body);
        }
        let envelope = Envelope {
            from: passage.from,
            to: passage.to,
            passed: Passed::new(
                FlightCode::of(arrival.at - self.now),
                if arrival.corrupt { Stage::LinkDamaged } else { Stage::Link },
            ),
            label,
            message: *message,
        };
        self.queue.push(arrival.at, Event::Mail(envelope));
    }

    /// A message reaches the receiver's side.
    #[inline(always)]
    pub(super) fn arrive(&mut self, envelope: Envelope<P::Message>) {
        let Envelope { from, to, .. } = envelope;
        let stage = envelope.passed.stage();
        if stage == Stage::Link && self.network.is_plain(to) {
            return self.offer(to, Event::Mail(envelope));
        }
        let on_link = matches!(stage, Stage::Link | Stage::LinkDamaged);
        let refused = if on_link {
            self.network.admit(self.now, from, to)
        } else {
            self.network.still_received(self.now, from, to)
        };
        if let Some(reason) = refused {
            return self.end(envelope, Some(reason));
        }
        if on_link && self.network.has_downlink(to) {
            return self.pass_downlink(envelope);
        }
        if matches!(stage, Stage::LinkDamaged | Stage::DownlinkDamaged) {
            return self.end(envelope, Some(DropReason::Corrupted));
        }
        self.offer(to, Event::Mail(envelope));
    }

    fn pass_downlink(&mut self, mut envelope: Envelope<P::Message>) {
        let Envelope { from, to, .. } = envelope;
        let size = self.wire_size(&envelope.message);
        let Some(through) = self.network.receive(self.now, from, to, size) else {
            return self.end(envelope, Some(DropReason::DownlinkFull));
        };
        let stage = match envelope.passed.stage() {
            Stage::Link | Stage::Downlink => Stage::Downlink,
            Stage::LinkDamaged | Stage::DownlinkDamaged => Stage::DownlinkDamaged,
        };
        let passed = longer(envelope.passed, through - self.now);
        envelope.passed = Passed::new(passed.flight(), stage);
        self.queue.push(through, Event::Mail(envelope));
    }

    /// Gives an event to a node, or to its inbox if the processor is busy.
    #[inline(always)]
    pub(super) fn offer(&mut self, node: NodeId, event: Event<P::Message, P::Timer>) {
        let Some(processors) = &mut self.processors else { return self.handle(event) };
        let processor = &mut processors[node];
        if !processor.is_busy(self.now) {
            return self.handle(event);
        }
        if let Event::Mail(envelope) = event
            && processor.len() >= self.inbox_limit
        {
            return self.end(envelope, Some(DropReason::InboxFull));
        }
        processor.push((self.now, Waiting::Event(event)));
        self.count_waiting(node);
        self.schedule_wake(node);
    }

    /// Makes sure that a processor with a full inbox looks at it when it is free.
    pub(super) fn schedule_wake(&mut self, node: NodeId) {
        let Some(processors) = &mut self.processors else { return };
        let processor = &mut processors[node];
        if let Some(at) = processor.wake_at(self.now)
            && !processor.waking
        {
            processor.waking = true;
            self.queue.push(at, Event::Wake(node));
        }
    }

    /// A processor takes events from its inbox until it is busy again.
    pub(super) fn wake(&mut self, node: NodeId) {
        if let Some(processors) = &mut self.processors {
            processors[node].waking = false;
        }
        while let Some(processors) = &mut self.processors {
            let processor = &mut processors[node];
            if !processor.is_free(self.now) {
                break;
            }
            match processor.pop() {
                Some((arrived, Waiting::Event(event))) => {
                    self.handle(event.delayed(self.now - arrived));
                }
                Some((_, Waiting::Input(input))) => self.hand_in(node, input),
                None => break,
            }
        }
        self.schedule_wake(node);
    }

    #[inline(always)]
    fn handle(&mut self, event: Event<P::Message, P::Timer>) {
        match event {
            Event::Mail(envelope) => self.end(envelope, None),
            Event::Timer { node, epoch, timer } => self.ring(node, epoch, timer),
            Event::LateTimer { node, epoch, timer } => {
                self.late = true;
                self.ring(node, epoch, timer);
                self.late = false;
            }
            Event::Wake(_) => {}
        }
    }

    #[inline(always)]
    fn ring(&mut self, node: NodeId, epoch: u32, timer: P::Timer) {
        // It may have waited in the inbox while the node crashed.
        if self.epochs[node] == epoch {
            self.call(node, |logic, cluster, ctx| logic.on_timer(cluster, ctx, timer));
            let depart = self.work(node, None);
            self.drain(node, depart);
        }
    }

    /// Charges the last handler's work: when it is done.
    #[inline]
    pub(super) fn work(&mut self, node: NodeId, message: Option<u32>) -> Time {
        let Some(processors) = &mut self.processors else { return self.now };
        let handling = message.map_or(Span::ZERO, |size| self.costs.handling(size));
        let price = self.outbox.charged.saturating_add(handling);
        let done = processors[node].work(self.now, price, message.is_some());
        if message.is_some() {
            self.count_slowed(node);
        }
        done
    }

    /// A message ends: delivered, or dropped for a reason.
    #[inline]
    pub(super) fn end(&mut self, envelope: Envelope<P::Message>, reason: Option<DropReason>) {
        let Envelope { from, to, message, passed, label } = envelope;
        let passage = self.passage(from, to, &message, self.now);
        self.in_flight -= 1;
        self.in_flight_bytes -= u64::from(passage.size);
        if let Some(reason) = reason {
            self.lose(&passage, reason);
        } else {
            self.trace.outcome(self.now, &passage, None);
            let (message_fact, flight) = (passage.transit(), passed.flight());
            self.observer.on_fact(self.now, &Fact::Delivered { message: message_fact, flight });
            self.call(to, |logic, cluster, ctx| {
                ctx.show_label(label);
                logic.on_message(cluster, ctx, from, message);
            });
            let depart = self.work(to, Some(passage.size));
            self.drain(to, depart);
        }
        if let Some(body) = message.body() {
            self.outbox.bodies.release(body);
        }
    }

    #[inline]
    pub(super) fn lose(&mut self, passage: &Passage, reason: DropReason) {
        self.trace.outcome(self.now, passage, Some(reason));
        let fact = Fact::Dropped { message: passage.transit(), reason };
        self.observer.on_fact(self.now, &fact);
    }
}

fn longer(passed: Passed, by: Span) -> Passed {
    if by.is_zero() {
        return passed;
    }
    let flight = FlightCode::of(passed.flight().span().saturating_add(by));
    Passed::new(flight, passed.stage())
}
