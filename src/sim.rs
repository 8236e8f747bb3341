//! Layer 1, the kernel: [`Simulation`] is the event loop; read this file first.
//!
//! Order is a contract. Time never runs backwards. At one instant, all boundaries come first (ends
//! of faults, returning and starting nodes, beginnings of faults, then samples, then the workload's
//! inputs), then events, first scheduled, first served. A handler sees its own state, its input and
//! its context; its effects leave in the order written.

pub mod body;
mod boundary;
mod clock;
pub mod compute;
mod departure;
pub mod fault;
mod message;
pub mod network;
pub mod protocol;
pub mod queue;
mod steering;
pub mod trace;

use std::iter::Peekable;

use self::clock::Clock;
use self::compute::{CostTable, Processor};
use self::departure::Row;
use self::fault::{Fault, Schedule};
use self::message::Event;
use self::network::{Network, NetworkPlan};
use self::protocol::{Effect, Fetch, Outbox, Payload, Protocol};
use self::queue::EventQueue;
pub use self::steering::Refused;
use self::trace::Trace;
use crate::base::id::{NodeId, NodeMap, NodeSet};
use crate::base::rng::Seed;
use crate::base::time::{Span, Time};
use crate::fact::{Census, Observer, Status, World};

/// Something the workload hands to a node from outside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Injection<I> {
    /// When.
    pub at: Time,
    /// To which node.
    pub node: NodeId,
    /// What.
    pub input: I,
}

/// Everything of a run but its nodes: all plain data.
#[derive(Clone, Debug)]
pub struct SimulationPlan {
    /// The seed of the run.
    pub seed: Seed,
    /// The network.
    pub network: NetworkPlan,
    /// When each node starts.
    pub starts: NodeMap<Time>,
    /// All faults.
    pub faults: Vec<Fault>,
    /// Prices of handling messages.
    pub costs: CostTable,
    /// Whether faults may be added while it runs, see [`Simulation::add_fault`].
    pub steered: bool,
    /// Whether handlers charge work of their own; if not, and if handling messages is free, nodes
    /// have no processors.
    pub handlers_charge: bool,
    /// Most events that may be pending.
    pub pending_limit: usize,
    /// Most events that may wait for one processor.
    pub inbox_limit: usize,
}

impl SimulationPlan {
    /// A network whose nodes all start at once, without faults and prices.
    #[must_use]
    pub fn new(seed: Seed, network: NetworkPlan) -> Self {
        let starts = NodeMap::filled(network.uplinks.len(), Time::ZERO);
        Self {
            seed,
            network,
            starts,
            faults: Vec::new(),
            steered: false,
            costs: CostTable::default(),
            handlers_charge: false,
            pending_limit: 200_000_000,
            inbox_limit: 1_000_000,
        }
    }
}

/// The run has more pending events than its limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("more than {limit} events were pending at {at}")]
pub struct Overload {
    /// When.
    pub at: Time,
    /// The limit that was passed.
    pub limit: usize,
}

/// How far [`Simulation::advance`] came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Advance {
    /// The moment asked for is reached.
    Reached,
    /// The number of events and boundaries is spent.
    Paused,
    /// Who listens has heard enough. Nothing happens any more.
    Halted,
}

/// For how many events a step of [`Simulation::look_ahead`] fetches at a time, and so how many are
/// handled before the next step: time enough for memory to answer.
const FETCHED_TOGETHER: usize = 8;

/// What waits in the inbox of a processor.
enum Waiting<P: Protocol> {
    /// A message or an alarm.
    Event(Event<P::Message, P::Timer>),
    /// Something of the workload.
    Input(P::Input),
}

/// A processor whose inbox holds what waits and when it came in.
type ProcessorOf<P> = Processor<(Time, Waiting<P>)>;

/// A cluster on a network in virtual time. `P` is the logic of a node, `W` the workload, `O` who
/// listens.
pub struct Simulation<P: Protocol, W: Iterator<Item = Injection<P::Input>>, O: Observer> {
    now: Time,
    queue: EventQueue<Event<P::Message, P::Timer>>,
    nodes: NodeMap<P>,
    epochs: NodeMap<u32>,
    cluster: P::Cluster,
    outbox: Outbox<P>,
    network: Network,
    schedule: Schedule,
    faults: Vec<Fault>,
    active_faults: Vec<u32>,
    /// How many faults (or a start still to come) keep a node down.
    down: NodeMap<u32>,
    clocks: Option<NodeMap<Clock>>,
    processors: Option<NodeMap<ProcessorOf<P>>>,
    costs: CostTable,
    workload: Peekable<W>,
    trace: Trace,
    observer: O,
    row: Row,
    in_flight: u64,
    in_flight_bytes: u64,
    /// Whether the alarm that is being handled was a [`Event::LateTimer`].
    late: bool,
    handled: u64,
    pending_limit: usize,
    inbox_limit: usize,
    steered: bool,
}

impl<P, W, O> Simulation<P, W, O>
where
    P: Protocol,
    W: Iterator<Item = Injection<P::Input>>,
    O: Observer,
{
    /// A world at time zero; nothing has started yet.
    ///
    /// # Panics
    /// If the plan is for another number of nodes than there are.
    pub fn new(
        plan: SimulationPlan,
        nodes: NodeMap<P>,
        cluster: P::Cluster,
        workload: W,
        observer: O,
    ) -> Self {
        let count = nodes.len();
        assert_eq!(count, plan.starts.len(), "the plan is for as many nodes as there are");
        let crashing = match plan.steered {
            true => NodeSet::full(count),
            false => fault::crashing(&plan.faults),
        };
        let charged = plan.handlers_charge || !plan.costs.is_free();
        let busy = charged || fault::needs_processors(&plan.faults);
        let drifts =
            plan.faults.iter().any(|f| matches!(f.action, fault::FaultAction::Clock { .. }));
        let starts = plan.starts.iter().map(|(node, at)| (node, *at));
        Self {
            now: Time::ZERO,
            queue: EventQueue::new(),
            nodes,
            epochs: NodeMap::filled(count, 0),
            cluster,
            outbox: Outbox::new(),
            schedule: Schedule::new(&plan.faults, starts),
            network: Network::new(plan.network, plan.seed, plan.faults.len(), &crashing),
            faults: plan.faults,
            active_faults: Vec::new(),
            down: NodeMap::filled(count, 1),
            clocks: drifts.then(|| NodeMap::filled(count, Clock::default())),
            processors: busy.then(|| NodeMap::build(count, |_| Processor::new())),
            costs: plan.costs,
            workload: workload.peekable(),
            trace: Trace::new(),
            observer,
            row: Row::default(),
            in_flight: 0,
            in_flight_bytes: 0,
            late: false,
            handled: 0,
            pending_limit: plan.pending_limit,
            inbox_limit: plan.inbox_limit,
            steered: plan.steered,
        }
    }

    /// Runs up to and including all that happens at `until`.
    ///
    /// # Errors
    /// If more events are pending than the plan allows.
    pub fn run_until(&mut self, until: Time) -> Result<(), Overload> {
        self.advance(until, u64::MAX).map(|_| ())
    }

    /// Runs up to and including all that happens at `until`, but no more than so many events and
    /// boundaries. Where a run is divided does not change it.
    ///
    /// # Errors
    /// If more events are pending than the plan allows.
    pub fn advance(&mut self, until: Time, events: u64) -> Result<Advance, Overload> {
        let mut left = events;
        loop {
            if self.observer.halted() {
                return Ok(Advance::Halted);
            }
            let boundary = self.next_boundary();
            // Boundaries come before the events of their instant.
            let first = boundary.is_some_and(|at| at == Time::ZERO);
            let limit = boundary.and_then(|at| at.before()).map_or(until, |at| at.min(until));
            if !first {
                loop {
                    if left == 0 {
                        return Ok(Advance::Paused);
                    }
                    self.look_ahead();
                    let Some((at, event)) = self.queue.pop_until(limit) else { break };
                    left -= 1;
                    self.step(at, event)?;
                    if self.observer.halted() {
                        return Ok(Advance::Halted);
                    }
                }
            }
            match boundary {
                Some(at) if at <= until => {
                    if left == 0 {
                        return Ok(Advance::Paused);
                    }
                    left -= 1;
                    self.cross(at);
                    self.check_pending()?;
                }
                _ => break,
            }
        }
        self.now = self.now.max(until);
        Ok(Advance::Reached)
    }

    /// Has fetched what the handlers of later events will read, for some events at a time and each
    /// some steps before its turn. They wait for memory otherwise, one after the other; that was
    /// more than half of the time of a large cluster. What a step reads was fetched by the one
    /// before, so none of them waits.
    #[inline]
    fn look_ahead(&mut self) {
        if !self.queue.is_time_to_look(FETCHED_TOGETHER) {
            return;
        }
        self.queue.fetch(Fetch::ALL.len() * FETCHED_TOGETHER, FETCHED_TOGETHER);
        for (later, step) in (0..Fetch::ALL.len()).rev().zip(Fetch::ALL) {
            for event in self.queue.ahead(later * FETCHED_TOGETHER, FETCHED_TOGETHER) {
                self.fetch_for(step, event);
            }
        }
    }

    /// Has fetched what the handler of an event will read, at one of the steps.
    #[inline(always)]
    fn fetch_for(&self, step: Fetch, event: &Event<P::Message, P::Timer>) {
        match event {
            Event::Mail(envelope) => {
                let (bodies, message) = (&self.outbox.bodies, &envelope.message);
                if step == Fetch::Node {
                    message.body().into_iter().for_each(|body| bodies.fetch(body));
                    self.observer.fetch(envelope.to);
                }
                let node = &self.nodes[envelope.to];
                node.fetch(step, &self.cluster, bodies, message, envelope.label);
            }
            Event::Timer { node, timer, .. } => self.nodes[*node].fetch_for_timer(step, *timer),
            Event::LateTimer { .. } | Event::Wake(_) => {}
        }
    }

    /// Handles an event.
    #[inline]
    fn step(&mut self, at: Time, event: Event<P::Message, P::Timer>) -> Result<(), Overload> {
        self.now = at;
        self.handled += 1;
        match event {
            Event::Mail(envelope) => self.arrive(envelope),
            Event::Timer { node, epoch, .. } | Event::LateTimer { node, epoch, .. } => {
                if self.epochs[node] == epoch {
                    self.offer(node, event);
                }
            }
            Event::Wake(node) => self.wake(node),
        }
        self.check_pending()
    }

    /// Refuses to go on with more pending events than the plan allows.
    #[inline]
    const fn check_pending(&self) -> Result<(), Overload> {
        if self.queue.len() > self.pending_limit {
            return Err(Overload { at: self.now, limit: self.pending_limit });
        }
        Ok(())
    }

    /// Calls a handler of a node and carries out what it asks for.
    #[inline]
    fn call(
        &mut self,
        node: NodeId,
        handler: impl FnOnce(&mut P, &mut P::Cluster, &mut Outbox<P>),
    ) {
        let shown = self.clocks.as_ref().map_or(self.now, |clocks| clocks[node].show(self.now));
        self.outbox.begin(node, shown);
        handler(&mut self.nodes[node], &mut self.cluster, &mut self.outbox);
    }

    /// Carries out the effects of the last handler; what it sends leaves at `depart`.
    #[inline]
    fn drain(&mut self, node: NodeId, depart: Time) {
        if self.outbox.effects.is_empty() {
            return self.outbox.bodies.sweep();
        }
        let mut effects = std::mem::take(&mut self.outbox.effects);
        let mut receivers = std::mem::take(&mut self.outbox.receivers);
        let (mut rest, mut to) = (&effects[..], &receivers[..]);
        while let Some((effect, later)) = rest.split_first() {
            match *effect {
                Effect::Send { .. } | Effect::SendEach { .. } => {
                    let is_other = |effect: &Effect<_, _>| {
                        matches!(effect, Effect::After { .. } | Effect::Observe(_))
                    };
                    let row = rest.iter().position(is_other).unwrap_or(rest.len());
                    self.send_row(node, &rest[..row], &mut to, depart);
                    rest = &rest[row..];
                    continue;
                }
                Effect::After { delay, timer } => self.set_alarm(node, delay, timer),
                Effect::Observe(fact) => {
                    self.trace.fact(self.now, &fact);
                    self.observer.on_fact(self.now, &fact);
                }
            }
            rest = later;
        }
        effects.clear();
        receivers.clear();
        (self.outbox.effects, self.outbox.receivers) = (effects, receivers);
        self.outbox.bodies.sweep();
    }

    /// A node sets an alarm.
    fn set_alarm(&mut self, node: NodeId, delay: Span, timer: P::Timer) {
        let epoch = self.epochs[node];
        let (at, late) = match &self.clocks {
            Some(clocks) => clocks[node].alarm(self.now, self.late, delay),
            None => (self.now.saturating_add(delay), false),
        };
        let event = match late {
            true => Event::LateTimer { node, epoch, timer },
            false => Event::Timer { node, epoch, timer },
        };
        self.queue.push(at, event);
    }

    /// The moment reached.
    pub const fn now(&self) -> Time {
        self.now
    }

    /// Events handled up to now.
    pub const fn handled(&self) -> u64 {
        self.handled
    }

    /// Keeps the records of the digest with these numbers; see [`Trace::keep`].
    pub fn keep_records(&mut self, first: u64, last: u64) {
        self.trace.keep(first, last);
    }

    /// The digest and its checkpoints.
    pub const fn trace(&self) -> &Trace {
        &self.trace
    }

    /// The network, for what it counted.
    pub const fn network(&self) -> &Network {
        &self.network
    }

    /// What a fault met and touched.
    pub fn tally(&mut self, fault: usize) -> network::rule::Tally {
        *self.network.tally(fault as u32)
    }

    /// A node's state.
    pub fn node(&self, node: NodeId) -> &P {
        &self.nodes[node]
    }

    /// Whether a node is up.
    pub fn is_up(&self, node: NodeId) -> bool {
        self.network.is_up(node)
    }

    /// Who listens.
    pub const fn observer(&self) -> &O {
        &self.observer
    }

    /// Ends the simulation: who listened, and the nodes for a last interview.
    pub fn into_parts(mut self) -> (O, Nodes<P>) {
        for (node, processor) in self.processors.iter().flat_map(NodeMap::iter) {
            for (_, waiting) in processor.waiting() {
                if let Waiting::Input(input) = waiting
                    && let Some(fact) = P::missed(node, *input)
                {
                    self.observer.on_fact(self.now, &fact);
                }
            }
        }
        let nodes = Nodes { nodes: self.nodes, cluster: self.cluster, network: self.network };
        (self.observer, nodes)
    }

    /// Bodies alive in the arena.
    pub fn bodies(&self) -> usize {
        self.outbox.bodies.len()
    }

    /// A body that a node holds, for a look at what it knows.
    ///
    /// # Panics
    /// If nothing refers to it any more.
    pub fn body(&self, id: body::BodyId) -> &P::Body {
        self.outbox.bodies.body(id)
    }

    /// Messages under way, counted one by one in the queue and the inboxes; and their bytes.
    pub fn count_in_flight(&self) -> (u64, u64) {
        let inboxes = self.processors.iter().flat_map(NodeMap::values).flat_map(Processor::waiting);
        let inboxes = inboxes.filter_map(|(_, waiting)| match waiting {
            Waiting::Event(event) => Some(event),
            Waiting::Input(_) => None,
        });
        let events = self.queue.iter().chain(inboxes);
        events.fold((0, 0), |(count, bytes), event| match event {
            Event::Mail(envelope) => {
                (count + 1, bytes + u64::from(self.wire_size(&envelope.message)))
            }
            _ => (count, bytes),
        })
    }

    /// The state of the world.
    pub fn world(&self) -> World {
        World {
            pending: self.queue.len() as u64,
            in_flight: self.in_flight,
            in_flight_bytes: self.in_flight_bytes,
            up: self.down.values().filter(|&&down| down == 0).count() as u32,
            partitions: self.network.partitions(),
            faults: self.active_faults.len() as u32,
        }
    }
}

/// The nodes of a simulation that has ended.
pub struct Nodes<P: Protocol> {
    nodes: NodeMap<P>,
    cluster: P::Cluster,
    network: Network,
}

impl<P: Protocol> Census for Nodes<P> {
    fn status(&self, node: NodeId) -> Option<Status> {
        self.network.is_up(node).then(|| self.nodes[node].status(&self.cluster))
    }
    fn peers(&self, node: NodeId, each: &mut dyn FnMut(NodeId)) {
        self.nodes[node].peers(&self.cluster, each);
    }
}

/// Read-only questions to the nodes at a sample.
struct Interview<'a, P: Protocol> {
    nodes: &'a NodeMap<P>,
    cluster: &'a P::Cluster,
    network: &'a Network,
}

impl<P: Protocol> Census for Interview<'_, P> {
    fn status(&self, node: NodeId) -> Option<Status> {
        self.network.is_up(node).then(|| self.nodes[node].status(self.cluster))
    }
    fn peers(&self, node: NodeId, each: &mut dyn FnMut(NodeId)) {
        self.nodes[node].peers(self.cluster, each);
    }
}
