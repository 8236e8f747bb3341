//! Layer 2, the protocols: [`Validator`] is one node, made of parts. This file holds the enums of
//! all messages, alarms and bodies, and hands each to its part; the parts know only themselves.

pub mod adversary;
pub mod block;
pub mod blocks;
pub mod blockstore;
pub mod chain;
pub mod cluster;
pub mod consensus;
pub mod contacts;
pub mod content;
pub mod crds;
pub mod discovery;
pub mod electorate;
pub mod forward;
pub mod gossip;
pub mod leading;
pub mod ledger;
mod lying;
pub mod mempool;
pub mod peers;
pub mod poh;
pub mod price;
mod publish;
pub mod repair;
pub mod rumor;
pub mod schedule;
pub mod setting;
pub mod shuffle;
#[cfg(test)]
mod testbed;
pub mod tower;
pub mod turbine;
pub mod vote;

use std::sync::Arc;

use self::adversary::Noise;
use self::block::Block;
use self::blocks::Blocks;
use self::cluster::Cluster;
use self::contacts::Contacts;
use self::crds::Crds;
use self::discovery::Discovery;
use self::forward::Submission;
use self::gossip::Gossip;
use self::ledger::Transaction;
use self::peers::Peers;
use self::rumor::{Injected, Rumors};
use self::turbine::tree::Position;
use self::vote::VoteId;
use crate::base::fetch::fetch;
use crate::base::id::{NodeId, NodeMap};
use crate::base::time::Span;
use crate::fact::{Fact, MessageKind, Status, Step};
use crate::sim::body::{Bodies, BodyId};
use crate::sim::protocol::{Alarm, Fetch, Label, Memory, Outbox, Part, Payload, Protocol};

/// What nodes do; the same for all of them.
#[derive(Clone, Debug)]
pub struct ValidatorSettings {
    /// Gossip of the registry.
    pub gossip: gossip::Config,
    /// Peer discovery.
    pub discovery: Arc<discovery::Settings>,
    /// Rumors told apart at a time.
    pub rumor_window: usize,
    /// Slots, blocks and how they spread; `None` if there are no blocks.
    pub blocks: Option<blocks::Settings>,
}

/// One node of the cluster, with stake or without.
pub struct Validator {
    rumors: Rumors,
    peers: Peers,
    /// The peers the overlay gives it when it connects.
    initial: Peers,
    /// How long after its start it connects.
    connect: Span,
    // Boxed, so that what every message needs of a node stands close together.
    discovery: Option<Box<Discovery>>,
    gossip: Option<Box<Gossip>>,
    blocks: Option<Box<Blocks>>,
    /// Blocks that it sends again in each round of gossip.
    recent_blocks: usize,
    crds: Option<Box<Crds>>,
    /// What it does by the clock against the rules; `None` for an honest node.
    noise: Option<Box<Noise>>,
}

impl Validator {
    /// A node that has not started.
    #[must_use]
    pub fn new(
        settings: &ValidatorSettings,
        cluster: &Cluster,
        me: NodeId,
        initial: Peers,
        connect: Span,
    ) -> Self {
        let (seed, count) = (cluster.seed, cluster.len());
        let discovery = settings.discovery.config.enabled.then(|| {
            let settings = Arc::clone(&settings.discovery);
            Box::new(Discovery::new(settings, seed, me, initial.clone()))
        });
        let gossips = !matches!(settings.gossip.style, gossip::Style::Off | gossip::Style::Solana);
        let gossip = gossips.then(|| {
            Box::new(Gossip::new(settings.gossip, seed, me, count, cluster.is_validator(me)))
        });
        let crds = cluster.crds.as_ref().map(|shared| Box::new(Crds::new(shared, seed, me)));
        Self {
            peers: Peers::listed(Vec::new()),
            initial,
            connect,
            discovery,
            gossip,
            crds,
            noise: None,
            rumors: Rumors::new(seed, me, settings.rumor_window),
            blocks: settings
                .blocks
                .as_ref()
                .map(|settings| Box::new(Blocks::new(settings, cluster, me))),
            recent_blocks: settings.gossip.recent_blocks as usize,
        }
    }

    /// What the node knows of the validators; `None` if it does not gossip, or by Solana's rules.
    #[must_use]
    pub fn gossip(&self) -> Option<&Gossip> {
        self.gossip.as_deref()
    }

    /// What the node knows of blocks; `None` if there are none.
    #[must_use]
    pub fn blocks(&self) -> Option<&Blocks> {
        self.blocks.as_deref()
    }

    /// The peers it has now.
    #[must_use]
    pub const fn known_peers(&self) -> &Peers {
        &self.peers
    }

    /// Brings the gossip of all nodes to the state that it settles into, if the scenario says that
    /// the cluster has run before. `latency` is how long a message typically takes from one to
    /// another.
    pub fn settle(
        nodes: &mut NodeMap<Self>,
        cluster: &mut Cluster,
        latency: impl Fn(NodeId, NodeId) -> Span,
    ) {
        let Some(shared) = &mut cluster.crds else { return };
        let mut crds: Vec<&mut Crds> =
            nodes.values_mut().filter_map(|node| node.crds.as_deref_mut()).collect();
        Crds::settle(&mut crds, shared, latency);
    }

    /// The overlay's peers become the node's peers, and it tells them so.
    fn join(&mut self, cluster: &Cluster, ctx: &mut Outbox<Self>) {
        if self.peers.is_empty() {
            self.peers = self.initial.clone();
        }
        if let Some(discovery) = &mut self.discovery {
            discovery.connect(ctx);
        }
        if let Some(gossip) = &mut self.gossip {
            gossip.connect(&self.peers, ctx);
        }
        if let (Some(crds), Some(shared)) = (&mut self.crds, &cluster.crds) {
            crds.connect(shared, ctx);
        }
    }

    /// Hands what Solana's gossip has brought to the parts that it concerns.
    fn pass_on(&mut self, cluster: &mut Cluster, ctx: &mut Outbox<Self>) {
        let Some(shared) = &mut cluster.crds else { return };
        if !shared.has_arrivals() {
            return;
        }
        let arrivals = shared.take_arrivals();
        let mut votes = std::mem::take(&mut cluster.arrived);
        let mut proofs = Vec::new();
        for arrival in &arrivals {
            match arrival.value {
                crds::Value::Rumor { rumor, .. } => self.rumors.heard(rumor),
                crds::Value::Vote { reference, .. } => {
                    votes.push(cluster.ballots.get(VoteId(reference)));
                }
                crds::Value::EpochSlots { latest, before } => {
                    let blocks = self.blocks.iter_mut();
                    blocks.for_each(|it| it.on_complete(arrival.origin, (latest, before)));
                }
                crds::Value::DuplicateShred { slot, leader, chunk } => {
                    proofs.push((arrival.origin, (slot, leader), chunk));
                }
                crds::Value::ContactInfo | crds::Value::LowestSlot { .. } => {}
            }
        }
        shared.give_back(arrivals);
        self.hear_proofs(cluster, ctx, &proofs);
        if let Some(blocks) = self.blocks.as_mut().filter(|_| !votes.is_empty()) {
            let contacts = known(&self.peers, self.gossip.as_deref(), self.crds.as_deref());
            blocks.on_votes(cluster, contacts, ctx, &votes);
            self.publish(cluster, ctx);
        }
        votes.clear();
        cluster.arrived = votes;
    }
}

impl Protocol for Validator {
    type Message = Message;
    type Timer = Timer;
    type Body = Body;
    type Input = Input;
    type Cluster = Cluster;

    fn on_start(&mut self, cluster: &mut Cluster, ctx: &mut Outbox<Self>) {
        if self.connect.is_zero() {
            self.join(cluster, ctx);
        } else {
            ctx.after(self.connect, Timer::Connect);
        }
        self.rumors.on_start(cluster, ctx);
        self.noise.iter_mut().for_each(|noise| noise.on_start(ctx));
        if let Some(blocks) = &mut self.blocks {
            blocks.on_start(cluster, &self.peers, ctx);
        }
    }

    #[inline]
    fn on_message(
        &mut self,
        cluster: &mut Cluster,
        ctx: &mut Outbox<Self>,
        from: NodeId,
        message: Message,
    ) {
        match message {
            Message::Discovery(message) => {
                return self.on_discovery(ctx, from, message);
            }
            Message::Forged(message) => self.on_forged(cluster, ctx, from, message),
            Message::Gossip(message) => {
                if let Some(gossip) = &mut self.gossip {
                    gossip.on_message(&self.peers, ctx, from, message);
                }
            }
            Message::Crds(message) => {
                if let (Some(crds), Some(shared)) = (&mut self.crds, &mut cluster.crds) {
                    crds.on_message(shared, ctx, from, message);
                    self.pass_on(cluster, ctx);
                }
            }
            Message::Rumor(message) => {
                self.rumors.on_message(cluster, &self.peers, ctx, from, message);
            }
            Message::Turbine(message) => {
                if let Some(blocks) = &mut self.blocks {
                    let contacts = known(&self.peers, self.gossip.as_deref(), self.crds.as_deref());
                    if blocks.on_turbine(cluster, contacts, ctx, message) {
                        self.publish(cluster, ctx);
                    }
                }
            }
            Message::Forward(message) => {
                if let Some(blocks) = &mut self.blocks {
                    let contacts = known(&self.peers, self.gossip.as_deref(), self.crds.as_deref());
                    blocks.on_forward(cluster, contacts, ctx, from, message);
                }
            }
            Message::Vote(message) => {
                if let Some(blocks) = &mut self.blocks {
                    let contacts = known(&self.peers, self.gossip.as_deref(), self.crds.as_deref());
                    blocks.on_vote(cluster, contacts, ctx, message);
                    self.publish(cluster, ctx);
                }
            }
            Message::Repair(message) => {
                if let Some(blocks) = &mut self.blocks {
                    let contacts = known(&self.peers, self.gossip.as_deref(), self.crds.as_deref());
                    blocks.on_repair(cluster, contacts, ctx, from, message);
                    self.publish(cluster, ctx);
                }
            }
        }
        if let Some(discovery) = &mut self.discovery {
            discovery.heard(&mut self.peers, ctx, from);
        }
    }

    #[inline]
    fn fetch(
        &self,
        step: Fetch,
        cluster: &Cluster,
        bodies: &Bodies<Body>,
        message: &Message,
        label: Label,
    ) {
        match (*message, step) {
            (Message::Turbine(_), Fetch::Node) => fetch(&self.blocks),
            (Message::Turbine(turbine::Message::Shred { block, at, .. }), _) => {
                let shred = (block, at, Position::of_label(label));
                let of = || Block::unwrap(bodies.body(block));
                self.blocks.iter().for_each(|blocks| blocks.fetch(step, cluster, of, shred));
            }
            (Message::Crds(_), Fetch::Node) => fetch(&self.crds),
            (Message::Crds(message), _) => {
                self.crds.iter().for_each(|crds| crds.fetch(step, bodies, message));
            }
            (Message::Rumor(_), _) => self.rumors.fetch(step),
            _ => {}
        }
    }

    #[inline]
    fn fetch_for_timer(&self, step: Fetch, timer: Timer) {
        match (timer, step) {
            (Timer::Crds(_), Fetch::Node) => fetch(&self.crds),
            (Timer::Crds(timer), _) => {
                self.crds.iter().for_each(|crds| crds.fetch_for_timer(step, timer));
            }
            _ => {}
        }
    }

    fn on_timer(&mut self, cluster: &mut Cluster, ctx: &mut Outbox<Self>, timer: Timer) {
        match timer {
            Timer::Connect => self.join(cluster, ctx),
            Timer::Noise(timer) => self.on_noise(cluster, ctx, timer),
            Timer::Discovery(timer) => {
                if let Some(discovery) = &mut self.discovery {
                    discovery.on_timer(&mut self.peers, ctx, timer);
                }
            }
            Timer::Gossip(timer) => {
                if let Some(gossip) = &mut self.gossip {
                    let chosen = gossip.on_timer(&self.peers, ctx, timer);
                    if let Some(blocks) = &self.blocks {
                        blocks.resend(ctx, self.recent_blocks, chosen);
                    }
                }
            }
            Timer::Crds(timer) => {
                if let (Some(crds), Some(shared)) = (&mut self.crds, &mut cluster.crds) {
                    crds.on_timer(shared, &self.peers, ctx, timer);
                }
            }
            Timer::Rumor(timer) => self.rumors.on_timer(cluster, &self.peers, ctx, timer),
            Timer::Turbine(timer) => {
                if let Some(blocks) = &mut self.blocks {
                    blocks.on_turbine_timer(cluster, &self.peers, ctx, timer);
                }
            }
            Timer::Leading(timer) => {
                if let Some(blocks) = &mut self.blocks {
                    let contacts = known(&self.peers, self.gossip.as_deref(), self.crds.as_deref());
                    blocks.on_leading_timer(cluster, contacts, ctx, timer);
                    self.publish(cluster, ctx);
                }
            }
            Timer::Forward(forward::Timer) => {
                if let Some(blocks) = &mut self.blocks {
                    let contacts = known(&self.peers, self.gossip.as_deref(), self.crds.as_deref());
                    blocks.on_forward_timer(cluster, contacts, ctx);
                }
            }
            Timer::Consensus(consensus::Timer) => {
                if let Some(blocks) = &mut self.blocks {
                    let contacts = known(&self.peers, self.gossip.as_deref(), self.crds.as_deref());
                    blocks.on_consensus_timer(cluster, contacts, ctx);
                    self.publish(cluster, ctx);
                }
            }
            Timer::Repair(timer) => {
                if let Some(blocks) = &mut self.blocks {
                    blocks.on_repair_timer(&self.peers, ctx, timer);
                }
            }
        }
    }

    fn on_input(&mut self, cluster: &mut Cluster, ctx: &mut Outbox<Self>, input: Input) {
        match input {
            Input::Rumor(injected) => self.inject(cluster, ctx, injected),
            Input::Transaction(submission) => {
                if let Some(blocks) = &mut self.blocks {
                    let contacts = known(&self.peers, self.gossip.as_deref(), self.crds.as_deref());
                    blocks.on_submission(cluster, contacts, ctx, submission);
                }
            }
        }
    }

    fn missed(node: NodeId, input: Input) -> Option<Fact> {
        match input {
            Input::Rumor(_) => Some(Fact::InputMissed { node }),
            Input::Transaction(Submission::New { number, data, .. }) => {
                let step = Step::Missed { size: Transaction::SMALLEST_BYTES.saturating_add(data) };
                Some(Fact::Transaction { node, transaction: number, step })
            }
            // The transaction itself came in before, or was missed then.
            Input::Transaction(Submission::Repeat) => None,
        }
    }

    fn on_crash(&mut self, cluster: &mut Cluster, ctx: &mut Outbox<Self>, memory: Memory) {
        self.rumors.on_crash(ctx, memory);
        if let Some(blocks) = &mut self.blocks {
            blocks.on_crash(ctx, memory);
        }
        if let Some(gossip) = &mut self.gossip {
            gossip.on_crash(ctx, memory);
        }
        if let (Some(crds), Some(shared)) = (&mut self.crds, &cluster.crds) {
            crds.on_crash(shared, memory);
        }
        if let Some(discovery) = &mut self.discovery {
            discovery.on_crash(&mut self.peers, memory);
        }
    }

    fn on_restart(&mut self, cluster: &mut Cluster, ctx: &mut Outbox<Self>) {
        self.join(cluster, ctx);
        self.rumors.on_start(cluster, ctx);
        self.noise.iter_mut().for_each(|noise| noise.on_start(ctx));
        if let Some(blocks) = &mut self.blocks {
            blocks.on_start(cluster, &self.peers, ctx);
        }
    }

    fn status(&self, _: &Cluster) -> Status {
        let blocks = self.blocks.as_ref().map_or_else(Status::default, |blocks| blocks.status());
        let of_gossip = self.gossip.as_ref().map(|gossip| gossip.known());
        let of_crds = self.crds.as_ref().map(|crds| crds.known());
        Status {
            peers: self.peers.len() as u32,
            validators: of_gossip.or(of_crds).unwrap_or(0),
            rumors: self.rumors.count(),
            refused: self.discovery.as_ref().map_or(0, |discovery| discovery.refused()),
            forgotten: self.discovery.as_ref().map_or(0, |discovery| discovery.forgotten()),
            ..blocks
        }
    }

    fn peers(&self, _: &Cluster, each: &mut dyn FnMut(NodeId)) {
        self.peers.iter().for_each(each);
    }
}

/// What a node knows of others.
const fn known<'a>(
    peers: &'a Peers,
    gossip: Option<&'a Gossip>,
    crds: Option<&'a Crds>,
) -> Contacts<'a> {
    Contacts { peers, gossip, crds }
}

/// What the workload hands to a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Input {
    /// Something to spread.
    Rumor(Injected),
    /// Something from a client.
    Transaction(Submission),
}

/// All messages: small, the long parts in bodies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Message {
    /// Of peer discovery.
    Discovery(discovery::Message),
    /// Of registry gossip.
    Gossip(gossip::Message),
    /// Of gossip by Solana's rules.
    Crds(crds::Message),
    /// Of rumors.
    Rumor(rumor::Message),
    /// Of block propagation.
    Turbine(turbine::Message),
    /// A transaction on its way to a leader.
    Forward(forward::Message),
    /// A vote.
    Vote(consensus::Message),
    /// Of repair.
    Repair(repair::Message),
    /// A false entry of a liar, or the check of an address.
    Forged(adversary::Message),
}

/// All alarms.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Timer {
    /// The node connects.
    Connect,
    /// Of peer discovery.
    Discovery(discovery::Timer),
    /// Of registry gossip.
    Gossip(gossip::Timer),
    /// Of gossip by Solana's rules.
    Crds(crds::Timer),
    /// Of rumors.
    Rumor(rumor::Timer),
    /// Of block propagation.
    Turbine(turbine::Timer),
    /// Of leading.
    Leading(leading::Timer),
    /// Of forwarding.
    Forward(forward::Timer),
    /// Of votes.
    Consensus(consensus::Timer),
    /// Of repair.
    Repair(repair::Timer),
    /// Of a liar.
    Noise(adversary::Timer),
}

/// All bodies.
#[derive(Debug)]
pub enum Body {
    /// Of peer discovery.
    Discovery(discovery::Body),
    /// Of registry gossip.
    Gossip(gossip::Body),
    /// Of gossip by Solana's rules.
    Crds(crds::Body),
    /// Of rumors.
    Rumor(rumor::Body),
    /// A block.
    Block(Box<Block>),
    /// A transaction.
    Transaction(Transaction),
    /// Of repair.
    Repair(repair::Body),
}

impl Payload<Body> for Message {
    #[inline]
    fn kind(&self) -> MessageKind {
        match self {
            Self::Discovery(message) => message.kind(),
            Self::Gossip(message) => message.kind(),
            Self::Crds(message) => message.kind(),
            Self::Rumor(message) => message.kind(),
            Self::Turbine(message) => message.kind(),
            Self::Forward(_) => MessageKind::Transaction,
            Self::Vote(_) => MessageKind::Vote,
            Self::Forged(message) => message.kind(),
            Self::Repair(message) => message.kind(),
        }
    }
    #[inline]
    fn size(&self, bodies: &Bodies<Body>) -> u32 {
        match self {
            Self::Discovery(message) => message.size(bodies),
            Self::Gossip(message) => message.size(bodies),
            Self::Crds(message) => message.size(bodies),
            Self::Rumor(message) => message.size(bodies),
            Self::Turbine(message) => message.size(bodies),
            Self::Forward(message) => message.size(bodies),
            Self::Vote(_) => vote::VOTE_BYTES,
            Self::Forged(message) => message.size(),
            Self::Repair(message) => message.size(bodies),
        }
    }
    #[inline]
    fn content(&self, bodies: &Bodies<Body>) -> u64 {
        match self {
            Self::Discovery(message) => message.content(bodies),
            Self::Gossip(message) => message.content(bodies),
            Self::Crds(message) => message.content(bodies),
            Self::Rumor(message) => message.content(bodies),
            Self::Turbine(message) => message.content(bodies),
            Self::Forward(message) => message.content(bodies),
            Self::Vote(message) => message.content.into(),
            Self::Forged(message) => message.content(),
            Self::Repair(message) => message.content(bodies),
        }
    }
    #[inline]
    fn body(&self) -> Option<BodyId> {
        match self {
            Self::Discovery(message) => message.body(),
            Self::Gossip(message) => message.body(),
            Self::Crds(message) => message.body(),
            Self::Rumor(message) => Some(message.body()),
            Self::Turbine(message) => Some(message.body()),
            Self::Forward(message) => Some(message.body),
            Self::Vote(_) | Self::Forged(_) => None,
            Self::Repair(message) => message.body(),
        }
    }
    #[inline]
    fn serial(&self, bodies: &Bodies<Body>) -> Option<u64> {
        match self {
            Self::Discovery(_)
            | Self::Gossip(_)
            | Self::Crds(_)
            | Self::Forward(_)
            | Self::Vote(_)
            | Self::Forged(_)
            | Self::Repair(_) => None,
            Self::Rumor(message) => message.serial(bodies),
            Self::Turbine(message) => message.serial(bodies),
        }
    }
}

/// Wires a part's message, alarm and body into the enums of the node.
macro_rules! wire {
    ($($part:ident: $variant:ident),*) => {
        $(
            impl From<$part::Message> for Message {
                fn from(message: $part::Message) -> Self {
                    Self::$variant(message)
                }
            }
            impl From<$part::Timer> for Timer {
                fn from(timer: $part::Timer) -> Self {
                    Self::$variant(timer)
                }
            }
            impl Part<Body> for $part::Body {
                fn wrap(self) -> Body {
                    Body::$variant(self)
                }
                fn unwrap(body: &Body) -> &Self {
                    match body {
                        Body::$variant(body) => body,
                        other => unreachable!("messages refer to bodies of their part: {other:?}"),
                    }
                }
            }
        )*
    };
}

wire!(discovery: Discovery, gossip: Gossip, crds: Crds, rumor: Rumor, repair: Repair);

/// Wires a part's message or alarm into the enum of the node.
macro_rules! enter {
    ($($enum:ident: $part:ident => $variant:ident),*) => {
        $(
            impl From<$part::$enum> for $enum {
                fn from(inner: $part::$enum) -> Self {
                    Self::$variant(inner)
                }
            }
        )*
    };
}

enter!(
    Message: turbine => Turbine,
    Timer: turbine => Turbine,
    Timer: leading => Leading,
    Message: forward => Forward,
    Timer: forward => Forward,
    Message: consensus => Vote,
    Timer: consensus => Consensus,
    Message: adversary => Forged,
    Timer: adversary => Noise
);

impl Part<Body> for Transaction {
    fn wrap(self) -> Body {
        Body::Transaction(self)
    }
    fn unwrap(body: &Body) -> &Self {
        match body {
            Body::Transaction(transaction) => transaction,
            other => unreachable!("messages refer to bodies of their part: {other:?}"),
        }
    }
}

impl Part<Body> for Block {
    fn wrap(self) -> Body {
        Body::Block(Box::new(self))
    }
    fn unwrap(body: &Body) -> &Self {
        match body {
            Body::Block(block) => block,
            other => unreachable!("messages refer to bodies of their part: {other:?}"),
        }
    }
}
