//! Protocol layer, tests only: the smallest protocol made of discovery and gossip, and a hand-
//! written loop that delivers messages after one latency.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::id::NodeId;
use crate::base::rng::Seed;
use crate::base::time::{Span, Time};
use crate::fact::{Fact, MessageKind, Status};
use crate::protocol::discovery::{self, Discovery};
use crate::protocol::gossip::{self, Gossip};
use crate::protocol::peers::Peers;
use crate::sim::body::{Bodies, BodyId};
use crate::sim::protocol::{Effect, Memory, Outbox, Part, Payload, Protocol, Shelf};

/// One node: its peers and the parts that are tested.
pub(crate) struct Node {
    pub(crate) peers: Peers,
    pub(crate) discovery: Option<Discovery>,
    pub(crate) gossip: Option<Gossip>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Message {
    Discovery(discovery::Message),
    Gossip(gossip::Message),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Timer {
    Discovery(discovery::Timer),
    Gossip(gossip::Timer),
}

pub(crate) enum Body {
    Discovery(discovery::Body),
    Gossip(gossip::Body),
}

macro_rules! part {
    ($name:ident, $module:ident) => {
        impl From<$module::Message> for Message {
            fn from(message: $module::Message) -> Self {
                Self::$name(message)
            }
        }
        impl From<$module::Timer> for Timer {
            fn from(timer: $module::Timer) -> Self {
                Self::$name(timer)
            }
        }
        impl Part<Body> for $module::Body {
            fn wrap(self) -> Body {
                Body::$name(self)
            }
            fn unwrap(body: &Body) -> &Self {
                match body {
                    Body::$name(body) => body,
                    _ => panic!("a part's messages refer to its own bodies"),
                }
            }
        }
    };
}

part!(Discovery, discovery);
part!(Gossip, gossip);

impl Payload<Body> for Message {
    fn kind(&self) -> MessageKind {
        match self {
            Self::Discovery(message) => message.kind(),
            Self::Gossip(message) => message.kind(),
        }
    }
    fn size(&self, bodies: &Bodies<Body>) -> u32 {
        match self {
            Self::Discovery(message) => message.size(bodies),
            Self::Gossip(message) => message.size(bodies),
        }
    }
    fn content(&self, bodies: &Bodies<Body>) -> u64 {
        match self {
            Self::Discovery(message) => message.content(bodies),
            Self::Gossip(message) => message.content(bodies),
        }
    }
    fn body(&self) -> Option<BodyId> {
        match self {
            Self::Discovery(message) => message.body(),
            Self::Gossip(message) => message.body(),
        }
    }
    fn serial(&self, _: &Bodies<Body>) -> Option<u64> {
        None
    }
}

impl Protocol for Node {
    type Message = Message;
    type Timer = Timer;
    type Body = Body;
    type Input = ();
    type Cluster = ();

    fn on_start(&mut self, (): &mut (), ctx: &mut Outbox<Self>) {
        if let Some(discovery) = &mut self.discovery {
            discovery.connect(ctx);
        }
        if let Some(gossip) = &mut self.gossip {
            gossip.connect(&self.peers, ctx);
        }
    }

    fn on_message(
        &mut self,
        (): &mut (),
        ctx: &mut Outbox<Self>,
        from: NodeId,
        message: Self::Message,
    ) {
        if let Some(discovery) = &mut self.discovery {
            discovery.heard(&mut self.peers, ctx, from);
        }
        match (message, &mut self.discovery, &mut self.gossip) {
            (Message::Discovery(message), Some(part), _) => {
                part.on_message(&mut self.peers, ctx, from, message);
            }
            (Message::Gossip(message), _, Some(part)) => {
                part.on_message(&self.peers, ctx, from, message);
            }
            _ => {}
        }
    }

    fn on_timer(&mut self, (): &mut (), ctx: &mut Outbox<Self>, timer: Timer) {
        match (timer, &mut self.discovery, &mut self.gossip) {
            (Timer::Discovery(timer), Some(part), _) => part.on_timer(&mut self.peers, ctx, timer),
            (Timer::Gossip(timer), _, Some(part)) => {
                part.on_timer(&self.peers, ctx, timer);
            }
            _ => {}
        }
    }

    fn on_input(&mut self, (): &mut (), _: &mut Outbox<Self>, (): ()) {}

    fn on_crash(&mut self, (): &mut (), ctx: &mut Outbox<Self>, memory: Memory) {
        if let Some(discovery) = &mut self.discovery {
            discovery.on_crash(&mut self.peers, memory);
        }
        if let Some(gossip) = &mut self.gossip {
            gossip.on_crash(ctx, memory);
        }
    }

    fn on_restart(&mut self, cluster: &mut (), ctx: &mut Outbox<Self>) {
        self.on_start(cluster, ctx);
    }

    fn status(&self, (): &()) -> Status {
        let validators = self.gossip.as_ref().map_or(0, Gossip::known);
        Status { peers: self.peers.len() as u32, validators, ..Status::default() }
    }

    fn peers(&self, (): &(), each: &mut dyn FnMut(NodeId)) {
        self.peers.iter().for_each(each);
    }
}

enum Event {
    Mail { from: NodeId, to: NodeId, message: Message },
    Timer { node: NodeId, epoch: u32, timer: Timer },
}

/// A cluster in virtual time: every message takes the same latency.
pub(crate) struct World {
    pub(crate) nodes: Vec<Node>,
    pub(crate) facts: Vec<(Time, Fact)>,
    /// Messages sent: when, from whom, what about, payload bytes.
    pub(crate) sent: Vec<(Time, NodeId, MessageKind, u32)>,
    /// Nodes with different numbers do not hear each other.
    pub(crate) sides: Vec<u8>,
    outbox: Outbox<Node>,
    now: Time,
    latency: Span,
    serial: u64,
    queue: BTreeMap<(Time, u64), Event>,
    /// Raised by a crash; odd while a node is down.
    epochs: Vec<u32>,
}

impl World {
    /// A cluster whose nodes have all started at time zero.
    pub(crate) fn start(nodes: Vec<Node>, latency: Span) -> Self {
        let count = nodes.len();
        let mut world = Self {
            nodes,
            facts: Vec::new(),
            sent: Vec::new(),
            sides: vec![0; count],
            outbox: Outbox::new(),
            now: Time::ZERO,
            latency,
            serial: 0,
            queue: BTreeMap::new(),
            epochs: vec![0; count],
        };
        NodeId::all(count).for_each(|node| world.call(node, |n, ctx| n.on_start(&mut (), ctx)));
        world
    }

    /// Runs everything up to and including a moment.
    pub(crate) fn run_until(&mut self, until: Time) {
        while let Some(entry) = self.queue.first_entry() {
            if entry.key().0 > until {
                break;
            }
            self.now = entry.key().0;
            match entry.remove() {
                Event::Mail { from, to, message } => self.deliver(from, to, message),
                Event::Timer { node, epoch, timer } => {
                    if self.epochs[node.index()] == epoch {
                        self.call(node, |n, ctx| n.on_timer(&mut (), ctx, timer));
                    }
                }
            }
        }
        self.now = until;
    }

    pub(crate) fn crash(&mut self, node: NodeId, memory: Memory) {
        assert!(self.is_up(node));
        self.epochs[node.index()] += 1;
        self.call(node, |n, ctx| n.on_crash(&mut (), ctx, memory));
    }

    pub(crate) fn restart(&mut self, node: NodeId) {
        assert!(!self.is_up(node));
        self.epochs[node.index()] += 1;
        self.call(node, |n, ctx| n.on_restart(&mut (), ctx));
    }

    pub(crate) fn is_up(&self, node: NodeId) -> bool {
        self.epochs[node.index()].is_multiple_of(2)
    }

    pub(crate) fn gossip(&self, node: NodeId) -> &Gossip {
        self.nodes[node.index()].gossip.as_ref().expect("a world of gossip")
    }

    /// Nodes that know at least so many validators.
    pub(crate) fn informed(&self, validators: u32) -> usize {
        NodeId::all(self.nodes.len()).filter(|&n| self.gossip(n).known() >= validators).count()
    }

    /// Bodies alive.
    pub(crate) fn bodies(&self) -> usize {
        self.outbox.bodies().len()
    }

    fn deliver(&mut self, from: NodeId, to: NodeId, message: Message) {
        if self.is_up(to) && self.sides[from.index()] == self.sides[to.index()] {
            self.call(to, |n, ctx| n.on_message(&mut (), ctx, from, message));
        }
        if let Some(body) = message.body() {
            Shelf::<gossip::Body>::release(&mut self.outbox, body);
        }
    }

    fn call(&mut self, node: NodeId, handler: impl FnOnce(&mut Node, &mut Outbox<Node>)) {
        self.outbox.begin(node, self.now);
        handler(&mut self.nodes[node.index()], &mut self.outbox);
        for effect in self.outbox.take_effects() {
            match effect {
                Effect::SendEach { .. } => unreachable!("effects that are taken are single"),
                Effect::Send { to, message } => self.send(node, to, message),
                Effect::After { delay, timer } => {
                    let epoch = self.epochs[node.index()];
                    self.push(self.now + delay, Event::Timer { node, epoch, timer });
                }
                Effect::Observe(fact) => self.facts.push((self.now, fact)),
            }
        }
    }

    fn send(&mut self, from: NodeId, to: NodeId, message: Message) {
        assert_ne!(from, to, "a node does not send to itself");
        let bodies = self.outbox.bodies();
        let (kind, size) = (message.kind(), message.size(bodies));
        self.sent.push((self.now, from, kind, size));
        if let Some(body) = message.body() {
            Shelf::<gossip::Body>::hold(&mut self.outbox, body);
        }
        self.push(self.now + self.latency, Event::Mail { from, to, message });
    }

    fn push(&mut self, at: Time, event: Event) {
        self.serial += 1;
        self.queue.insert((at, self.serial), event);
    }
}

#[test]
fn parts_that_know_only_themselves_work_together_in_one_node() {
    // A chain of seven in which each knows only the next: discovery finds the others, gossip tells
    // everyone of all four validators.
    let (nodes, seed) = (7, Seed(3));
    let config = discovery::Config { enabled: true, ..discovery::Config::default() };
    let talk = gossip::Config { style: gossip::Style::Push, ..gossip::Config::default() };
    let settings = Arc::new(discovery::Settings { bootstrap: Vec::new(), config });
    let node = |me: NodeId| {
        let next = NodeId::all(nodes).filter(|node| node.number() == me.number() + 1);
        let peers = Peers::listed(next.collect());
        Node {
            discovery: Some(Discovery::new(Arc::clone(&settings), seed, me, peers.clone())),
            gossip: Some(Gossip::new(talk, seed, me, nodes, me.index() < 4)),
            peers,
        }
    };
    let mut world = World::start(NodeId::all(nodes).map(node).collect(), Span::from_millis(40));
    // After discovery (law of the chain: at most 6 * 80 ms) each round of 2 s pushes to 3 of 6
    // peers: 20 rounds miss a node with probability below (1/2)^20 for every informed one.
    world.run_until(Time::ZERO + Span::from_secs(42));
    for node in &world.nodes {
        let status = node.status(&());
        assert_eq!((status.peers, status.validators), (6, 4));
    }
}
