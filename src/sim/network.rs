//! Kernel layer: the network, one function from a message to a verdict. Read [`Network::hand_over`]
//! first: it is the life of a message in order.

mod backlog;
pub mod link;
pub mod loss;
pub mod pipe;
pub mod rule;

use std::collections::BTreeMap;

use self::backlog::Backlogs;
use self::link::{Latency, LinkTable, Passage, Profile};
use self::loss::{BurstStates, Loss};
use self::pipe::{Pipe, PipeSpec};
use self::rule::{RuleSpec, Rules, Tally};
use crate::base::id::{NodeId, NodeMap, NodeSet};
use crate::base::rng::{Purpose, Seed};
use crate::base::time::{Span, Time};
use crate::base::weather::{Weather, WeatherDrawn, WeatherRow};
use crate::fact::{DropReason, MessageKind};

/// The network as the plan states it.
#[derive(Clone, Debug)]
pub struct NetworkPlan {
    /// What links do, by pairs of node classes.
    pub links: LinkTable,
    /// Directed links with a latency or rate of their own, sorted by (from, to).
    pub edges: Vec<EdgePlan>,
    /// Each node's uplink; `None` is infinitely fast.
    pub uplinks: NodeMap<Option<PipeSpec>>,
    /// Each node's downlink; `None` is infinitely fast.
    pub downlinks: NodeMap<Option<PipeSpec>>,
    /// Bytes added to every message.
    pub header: u32,
    /// Largest payload a node may send, without header.
    pub message_limit: Option<u32>,
}

impl NetworkPlan {
    /// Infinitely fast nodes on links of one profile.
    #[must_use]
    pub fn uniform(nodes: usize, profile: Profile) -> Self {
        Self {
            links: LinkTable::uniform(nodes, profile),
            edges: Vec::new(),
            uplinks: NodeMap::filled(nodes, None),
            downlinks: NodeMap::filled(nodes, None),
            header: 0,
            message_limit: None,
        }
    }
}

/// A directed link of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EdgePlan {
    /// One end.
    pub from: NodeId,
    /// The other end.
    pub to: NodeId,
    /// Takes the place of the profile's latency.
    pub latency: Option<Span>,
    /// A pipe in series after the sender's uplink.
    pub pipe: Option<PipeSpec>,
}

/// What becomes of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It never arrives.
    Drop(DropReason),
    /// It arrives, perhaps twice.
    Pass(Arrival, Option<Arrival>),
}

/// When and how a copy of a message arrives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Arrival {
    /// When the last bit reaches the receiver.
    pub at: Time,
    /// Whether it is damaged.
    pub corrupt: bool,
}

/// The network in a run: pipes, weather, links with memory, faults in force.
pub struct Network {
    links: LinkTable,
    edges: Vec<EdgePlan>,
    edge_pipes: Vec<Option<Pipe>>,
    uplinks: NodeMap<Option<Pipe>>,
    downlinks: NodeMap<Option<Pipe>>,
    header: u32,
    message_limit: u32,
    counters: NodeMap<[u32; MessageKind::ALL.len()]>,
    last_arrival: BTreeMap<(NodeId, NodeId), Time>,
    bursts: BurstStates,
    weather: Weathers,
    forecast: Forecast,
    rules: Rules,
    /// Two bits for each node: [`UP`] and [`NARROW`]. Read for every message.
    conditions: NodeMap<u8>,
    backlogs: Backlogs,
}

/// The node is up.
const UP: u8 = 1;
/// The node has a downlink of finite rate.
const NARROW: u8 = 2;

/// What the messages of one handler meet, worked out before they are handed over one by one.
struct Forecast {
    /// Whether any link has independent loss, any has jitter, and any a latency that is drawn once.
    rains: bool,
    jitters: bool,
    stretches: bool,
    row: WeatherRow,
    loss: WeatherDrawn,
    jitter: WeatherDrawn,
    latency: WeatherDrawn,
}

impl Forecast {
    fn new(links: &LinkTable) -> Self {
        let any = |asks: fn(&Profile) -> bool| links.profiles().iter().any(asks);
        Self {
            rains: any(|profile| matches!(profile.loss, Loss::Independent(_))),
            jitters: any(|profile| profile.jitter.is_some()),
            stretches: any(|profile| matches!(profile.latency, Latency::PerLink(_))),
            row: WeatherRow::default(),
            loss: WeatherDrawn::default(),
            jitter: WeatherDrawn::default(),
            latency: WeatherDrawn::default(),
        }
    }

    /// Whether there is nothing to work out.
    const fn is_clear(&self) -> bool {
        !self.rains && !self.jitters && !self.stretches
    }

    /// Works out the weather of the row.
    #[inline]
    fn make(&mut self, weather: &Weathers) {
        if self.rains {
            weather.loss.draw_row(&self.row, &mut self.loss);
        }
        if self.jitters {
            weather.jitter.draw_row(&self.row, &mut self.jitter);
        }
        if self.stretches {
            weather.latency.draw_links(&self.row, &mut self.latency);
        }
    }
}

/// One independent weather for each thing that can happen to a message.
#[derive(Clone, Copy)]
struct Weathers {
    loss: Weather,
    loss_state: Weather,
    latency: Weather,
    jitter: Weather,
    duplication: Weather,
    corruption: Weather,
}

impl Weathers {
    fn new(seed: Seed) -> Self {
        Self {
            loss: Weather::new(seed, Purpose::Loss),
            loss_state: Weather::new(seed, Purpose::LossState),
            latency: Weather::new(seed, Purpose::Latency),
            jitter: Weather::new(seed, Purpose::Jitter),
            duplication: Weather::new(seed, Purpose::Duplication),
            corruption: Weather::new(seed, Purpose::Corruption),
        }
    }
}

impl Network {
    /// The network of a run with this many faults; `crashing` are the nodes that any of them takes
    /// down.
    #[must_use]
    pub fn new(plan: NetworkPlan, seed: Seed, faults: usize, crashing: &NodeSet) -> Self {
        let nodes = plan.uplinks.len();
        let pipe = |spec: Option<PipeSpec>| spec.map(Pipe::new);
        let narrow = |node| if plan.downlinks[node].is_some() { NARROW } else { 0 };
        let narrow = NodeMap::build(nodes, narrow);
        Self {
            edge_pipes: plan.edges.iter().map(|edge| pipe(edge.pipe)).collect(),
            uplinks: NodeMap::build(nodes, |node| pipe(plan.uplinks[node])),
            downlinks: NodeMap::build(nodes, |node| pipe(plan.downlinks[node])),
            forecast: Forecast::new(&plan.links),
            links: plan.links,
            edges: plan.edges,
            header: plan.header,
            message_limit: plan.message_limit.unwrap_or(u32::MAX),
            counters: NodeMap::filled(nodes, [0; MessageKind::ALL.len()]),
            last_arrival: BTreeMap::new(),
            bursts: BurstStates::default(),
            weather: Weathers::new(seed),
            rules: Rules::new(seed, faults),
            conditions: narrow,
            backlogs: Backlogs::new(nodes, |node| crashing.contains(node)),
        }
    }

    /// Bytes on the wire of a payload.
    #[inline]
    #[must_use]
    pub const fn wire_size(&self, payload: u32) -> u32 {
        payload.saturating_add(self.header)
    }

    /// The weather serial of a message: its own, or the sender's next number of that kind.
    #[inline]
    pub fn serial(&mut self, from: NodeId, kind: MessageKind, own: Option<u64>) -> u64 {
        own.unwrap_or_else(|| {
            let counter = &mut self.counters[from][kind as usize];
            *counter = counter.wrapping_add(1);
            u64::from(*counter)
        })
    }

    /// A node is about to hand over messages, each of which is noted first.
    #[inline]
    pub fn begin_row(&mut self, from: NodeId) {
        self.forecast.row.begin(from);
    }

    /// Notes a message of the row.
    #[inline]
    pub fn note(&mut self, to: NodeId, kind: MessageKind, serial: u64) {
        if !self.forecast.is_clear() {
            self.forecast.row.push(to, kind as u8, serial);
        }
    }

    /// Works out what the messages of the row meet.
    #[inline]
    pub fn forecast(&mut self) {
        self.forecast.make(&self.weather);
    }

    /// A node hands a message over, the one at that place in the row: size limit, uplink, faults,
    /// link, arrival. The passage begins when the node's work is done, which may be after `now`. It
    /// is passed by value, and copied where a function needs it in memory, so that most messages
    /// have theirs in registers.
    #[inline(always)]
    pub fn hand_over(&mut self, now: Time, passage: Passage, place: usize) -> Verdict {
        match self.follow(now, passage, place) {
            Ok((first, second)) => Verdict::Pass(first, second),
            Err(reason) => Verdict::Drop(reason),
        }
    }

    #[inline(always)]
    fn follow(
        &mut self,
        now: Time,
        passage: Passage,
        place: usize,
    ) -> Result<(Arrival, Option<Arrival>), DropReason> {
        let (start, from, to) = (passage.at, passage.from, passage.to);
        if passage.size - self.header.min(passage.size) > self.message_limit {
            return Err(DropReason::TooLarge);
        }
        let faulty = !self.rules.is_empty();
        if faulty && self.rules.mute(from) {
            return Err(DropReason::Mute);
        }
        let sent = match &mut self.uplinks[from] {
            Some(pipe) => pipe.pass(start, passage.size).ok_or(DropReason::UplinkFull)?,
            None => start,
        };
        let mut ruling = rule::Ruling { depart: sent, delay: 0, duplicate: false };
        if faulty {
            if let Some(reason) = self.rules.stopped(from, to, true) {
                return Err(reason);
            }
            ruling = self.rules.judge(&{ passage }, sent)?;
        }
        if !self.is_up(to) {
            return Err(DropReason::ReceiverDown);
        }
        let edge = self.edge(from, to);
        if let Some(pipe) = edge.and_then(|place| self.edge_pipes[place].as_mut()) {
            ruling.depart = pipe.pass(ruling.depart, passage.size).ok_or(DropReason::LinkFull)?;
        }
        let arrivals = self.fly((passage, place), edge, &ruling)?;
        if !self.backlogs.is_idle() {
            for arrival in [Some(arrivals.0), arrivals.1].into_iter().flatten() {
                self.backlogs.note(now, from, sent, (arrival.at, from, to));
            }
        }
        Ok(arrivals)
    }

    /// Loss, latency, duplication and corruption on the link.
    #[inline(always)]
    fn fly(
        &mut self,
        (passage, place): (Passage, usize),
        edge: Option<usize>,
        ruling: &rule::Ruling,
    ) -> Result<(Arrival, Option<Arrival>), DropReason> {
        let Passage { from, to, serial, .. } = passage;
        let kind = passage.kind as u8;
        let weather = &self.weather;
        let profile = self.links.profile(from, to);
        let lost = match &profile.loss {
            Loss::None => false,
            Loss::Independent(chance) => chance.hit(self.forecast.loss.at(place)),
            Loss::GilbertElliott(model) => {
                self.bursts.lose(model, weather.loss_state, weather.loss, &{ passage })
            }
            Loss::Function(function) => function(&{ passage }),
        };
        if lost {
            return Err(DropReason::Loss);
        }
        let own = edge.and_then(|place| self.edges[place].latency);
        let base = own.unwrap_or_else(|| match &profile.latency {
            Latency::Constant(span) => *span,
            Latency::PerLink(distribution) => distribution.draw(self.forecast.latency.at(place)),
            Latency::PerMessage(distribution) => {
                distribution.draw(weather.latency.draw(from, to, kind, serial))
            }
            Latency::Function(function) => function(&{ passage }),
        });
        let extra = Span::from_nanos(ruling.delay);
        let depart = ruling.depart.saturating_add(base).saturating_add(extra);
        let arrive = |copy: u64| {
            let serial = serial ^ copy << 55;
            let jitter = profile.jitter.as_ref().map_or(Span::ZERO, |jitter| match copy {
                0 => jitter.draw(self.forecast.jitter.at(place)),
                _ => jitter.draw(weather.jitter.draw(from, to, kind, serial)),
            });
            let corrupt = !profile.corrupt.is_never()
                && profile.corrupt.hit(weather.corruption.draw(from, to, kind, serial));
            Arrival { at: depart.saturating_add(jitter), corrupt }
        };
        let twice = ruling.duplicate
            || !profile.duplicate.is_never()
                && profile.duplicate.hit(weather.duplication.draw(from, to, kind, serial));
        let (mut first, mut second) = (arrive(0), twice.then(|| arrive(1)));
        if profile.in_order {
            let last = self.last_arrival.entry((from, to)).or_insert(Time::ZERO);
            for arrival in [Some(&mut first), second.as_mut()].into_iter().flatten() {
                *last = arrival.at.max(*last);
                arrival.at = *last;
            }
        }
        Ok((first, second))
    }

    /// The place of a directed link in the sparse table.
    #[inline]
    fn edge(&self, from: NodeId, to: NodeId) -> Option<usize> {
        if self.edges.is_empty() {
            return None;
        }
        self.edges.binary_search_by_key(&(from, to), |edge| (edge.from, edge.to)).ok()
    }

    /// Whether a message that arrives now is let in, or why not.
    #[inline]
    pub fn admit(&mut self, now: Time, from: NodeId, to: NodeId) -> Option<DropReason> {
        if self.backlogs.was_taken_back((now, from, to)) {
            return Some(DropReason::SenderCrashed);
        }
        if !self.rules.is_empty()
            && let Some(reason) = self.rules.stopped(from, to, false)
        {
            return Some(reason);
        }
        (!self.is_up(to)).then_some(DropReason::ReceiverDown)
    }

    /// Whether a message that is through the downlink is still wanted, or why not.
    pub fn still_received(&mut self, now: Time, from: NodeId, to: NodeId) -> Option<DropReason> {
        let lost = self.backlogs.was_taken_back((now, from, to)) || !self.is_up(to);
        lost.then_some(DropReason::ReceiverDown)
    }

    /// Whether the receiver's downlink has a finite rate.
    #[inline]
    #[must_use]
    pub fn has_downlink(&self, to: NodeId) -> bool {
        self.conditions[to] & NARROW != 0
    }

    /// Passes an arrived message through the receiver's downlink: when it is through, or `None` if
    /// the buffer is full.
    pub fn receive(&mut self, now: Time, from: NodeId, to: NodeId, size: u32) -> Option<Time> {
        let Some(pipe) = &mut self.downlinks[to] else { return Some(now) };
        let through = pipe.pass(now, size)?;
        self.backlogs.note(now, to, through, (through, from, to));
        Some(through)
    }

    /// Marks a node as up.
    pub fn raise(&mut self, node: NodeId) {
        self.conditions[node] |= UP;
    }

    /// Takes a node down with everything that waits in its pipes.
    pub fn crash(&mut self, now: Time, node: NodeId) {
        self.conditions[node] &= !UP;
        self.backlogs.crash(now, node);
        for pipe in [&mut self.uplinks[node], &mut self.downlinks[node]].into_iter().flatten() {
            pipe.clear(now);
        }
    }

    /// Whether a node is up.
    #[inline]
    #[must_use]
    pub fn is_up(&self, node: NodeId) -> bool {
        self.conditions[node] & UP != 0
    }

    /// Whether nothing can happen to a message that reaches this node but its delivery.
    #[inline]
    #[must_use]
    pub fn is_plain(&self, to: NodeId) -> bool {
        self.conditions[to] == UP && self.rules.is_empty() && self.backlogs.is_idle()
    }

    /// Puts a rule into force.
    pub fn begin_rule(&mut self, fault: u32, spec: &RuleSpec) {
        self.rules.begin(fault, spec);
    }

    /// Takes a rule out of force.
    pub fn end_rule(&mut self, fault: u32) {
        self.rules.end(fault);
    }

    /// One more fault than the network was made for.
    pub fn add_fault(&mut self) {
        self.rules.tallies.push(Tally::default());
    }

    /// What each fault of the plan met and touched.
    pub fn tally(&mut self, fault: u32) -> &mut Tally {
        &mut self.rules.tallies[fault as usize]
    }

    /// Partitions in force.
    #[must_use]
    pub fn partitions(&self) -> u32 {
        self.rules.partitions()
    }

    /// Time each node's uplink and downlink has been transmitting up to `now`; `None` for an
    /// infinitely fast one.
    #[must_use]
    pub fn busy(&self, now: Time, node: NodeId) -> [Option<Span>; 2] {
        [&self.uplinks[node], &self.downlinks[node]]
            .map(|pipe| pipe.as_ref().map(|pipe| pipe.busy_until(now)))
    }
}
