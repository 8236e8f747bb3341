//! Kernel layer: a node's processor. Work takes time: later arrivals wait in the inbox, and what a
//! handler sends leaves when its work is done. A cluster whose prices are all zero and whose nodes
//! are never paused or slowed has no processors at all.

use std::collections::VecDeque;

use crate::base::time::{Span, Time};

/// Prices of handling messages, charged to a node's processor beside what handlers charge.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CostTable {
    /// Time to handle any message.
    pub message: Span,
    /// Time to handle each 1,000 bytes of a message, header included.
    pub kilobyte: Span,
}

impl CostTable {
    /// Whether all work is free.
    #[must_use]
    pub const fn is_free(&self) -> bool {
        self.message.is_zero() && self.kilobyte.is_zero()
    }

    /// The price of handling a message of this size.
    #[must_use]
    pub fn handling(&self, size: u32) -> Span {
        self.message.saturating_add(self.kilobyte.scaled(size.into(), 1_000))
    }
}

/// How a fault slows a processor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slowdown {
    /// All work takes this many times as long; at least 1.
    pub factor: u32,
    /// Added to the handling of every message.
    pub per_message: Span,
}

/// One node's processor and the events that wait for it.
#[derive(Clone, Debug)]
pub(super) struct Processor<E> {
    busy_until: Time,
    inbox: VecDeque<E>,
    pauses: u32,
    slowdowns: Vec<(u32, Slowdown)>,
    /// Whether a wake-up is scheduled.
    pub(super) waking: bool,
}

impl<E> Processor<E> {
    pub(super) const fn new() -> Self {
        Self {
            busy_until: Time::ZERO,
            inbox: VecDeque::new(),
            pauses: 0,
            slowdowns: Vec::new(),
            waking: false,
        }
    }

    /// Whether an event has to wait.
    #[inline]
    pub(super) fn is_busy(&self, now: Time) -> bool {
        self.pauses > 0 || now < self.busy_until || !self.inbox.is_empty()
    }

    /// When to look at the inbox again; `None` while paused, or if it is empty.
    pub(super) fn wake_at(&self, now: Time) -> Option<Time> {
        (self.pauses == 0 && !self.inbox.is_empty()).then(|| self.busy_until.max(now))
    }

    /// Whether the processor is free to take the first event of the inbox.
    pub(super) fn is_free(&self, now: Time) -> bool {
        self.pauses == 0 && now >= self.busy_until
    }

    pub(super) fn push(&mut self, event: E) {
        self.inbox.push_back(event);
    }

    pub(super) fn pop(&mut self) -> Option<E> {
        self.inbox.pop_front()
    }

    pub(super) fn waiting(&self) -> impl Iterator<Item = &E> {
        self.inbox.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.inbox.len()
    }

    /// Works on something that costs `price`; `message` says whether it is a message.
    pub(super) fn work(&mut self, now: Time, price: Span, message: bool) -> Time {
        let mut price = price;
        for (_, slow) in &self.slowdowns {
            price = price.scaled(slow.factor.into(), 1);
            if message {
                price = price.saturating_add(slow.per_message);
            }
        }
        // Everything waits until it is free, so that nothing is left to do before this.
        self.busy_until = now.saturating_add(price);
        self.busy_until
    }

    pub(super) fn pause(&mut self) {
        self.pauses += 1;
    }

    pub(super) fn resume(&mut self) {
        self.pauses -= 1;
    }

    pub(super) fn is_paused(&self) -> bool {
        self.pauses > 0
    }

    /// Faults that slow the processor now.
    pub(super) fn slowed_by(&self) -> impl Iterator<Item = u32> + '_ {
        self.slowdowns.iter().map(|(fault, _)| *fault)
    }

    pub(super) fn slow(&mut self, fault: u32, slowdown: Slowdown) {
        self.slowdowns.push((fault, slowdown));
    }

    pub(super) fn quicken(&mut self, fault: u32) {
        self.slowdowns.retain(|(other, _)| *other != fault);
    }

    /// The node crashed: its work is gone.
    pub(super) fn crash(&mut self, now: Time) -> VecDeque<E> {
        self.busy_until = self.busy_until.min(now);
        std::mem::take(&mut self.inbox)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::{NodeId, NodeMap};
    use crate::base::rng::Seed;
    use crate::fact::{Deaf, MessageKind, Status};
    use crate::sim::body::{Bodies, BodyId};
    use crate::sim::network::NetworkPlan;
    use crate::sim::network::link::{Latency, Profile};
    use crate::sim::protocol::{Local, Mail, Memory, Outbox, Payload, Protocol};
    use crate::sim::{Simulation, SimulationPlan};

    /// At its start node 1 works for 5 ms and sends a message to node 0, which is up already and
    /// notes the time.
    struct Worker(Option<Time>);

    #[derive(Clone, Copy, PartialEq)]
    struct Done;

    impl Payload<()> for Done {
        fn kind(&self) -> MessageKind {
            MessageKind::Rumor
        }
        fn size(&self, _: &Bodies<()>) -> u32 {
            1
        }
        fn content(&self, _: &Bodies<()>) -> u64 {
            0
        }
        fn body(&self) -> Option<BodyId> {
            None
        }
        fn serial(&self, _: &Bodies<()>) -> Option<u64> {
            None
        }
    }

    impl Protocol for Worker {
        type Message = Done;
        type Timer = ();
        type Body = ();
        type Input = ();
        type Cluster = ();
        fn on_start(&mut self, (): &mut (), ctx: &mut Outbox<Self>) {
            if ctx.me() == NodeId::new(1) {
                ctx.charge(Span::from_millis(5));
                ctx.send(NodeId::new(0), Done);
            }
        }
        fn on_message(&mut self, (): &mut (), ctx: &mut Outbox<Self>, _: NodeId, _: Done) {
            self.0 = Some(ctx.now());
        }
        fn on_timer(&mut self, (): &mut (), _: &mut Outbox<Self>, (): ()) {}
        fn on_input(&mut self, (): &mut (), _: &mut Outbox<Self>, (): ()) {}
        fn on_crash(&mut self, (): &mut (), _: &mut Outbox<Self>, _: Memory) {}
        fn on_restart(&mut self, (): &mut (), _: &mut Outbox<Self>) {}
        fn status(&self, (): &()) -> Status {
            Status::default()
        }
        fn peers(&self, (): &(), _: &mut dyn FnMut(NodeId)) {}
    }

    fn arrival(costs: CostTable, handlers_charge: bool) -> Option<Time> {
        let latency = Profile::plain(Latency::Function(|_| Span::from_millis(10)));
        let plan = SimulationPlan::new(Seed(1), NetworkPlan::uniform(2, latency));
        let plan = SimulationPlan { costs, handlers_charge, ..plan };
        let nodes = NodeMap::build(2, |_| Worker(None));
        let mut world = Simulation::new(plan, nodes, (), std::iter::empty(), Deaf);
        world.run_until(Time::ZERO + Span::from_secs(1)).expect("two events");
        world.node(NodeId::new(0)).0
    }

    #[test]
    fn work_that_handlers_charge_takes_time_though_messages_are_free() {
        let millis = |millis| Some(Time::ZERO + Span::from_millis(millis));
        // 5 ms of work, then 10 ms on the way.
        assert_eq!(arrival(CostTable::default(), true), millis(15));
        // The receiver's price is paid after the message is handled.
        let priced = CostTable { message: Span::from_millis(3), kilobyte: Span::ZERO };
        assert_eq!(arrival(priced, false), millis(15));
        // Without any price there are no processors.
        assert_eq!(arrival(CostTable::default(), false), millis(10));
    }
}
