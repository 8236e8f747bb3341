//! Protocol layer: peer discovery: nodes announce themselves, ask each other for peers, ping those
//! that have fallen silent, drop the dead and try them again. It knows no other part; the peers
//! themselves belong to the node and are lent to it.
//!
//! Rules. A node is taken in when it speaks discovery itself, never on hearsay: a node named in an
//! answer is sent an announcement, and its answer makes the link mutual. So a dead node named by
//! others never becomes a peer again. A send has failed when no sign of life came within the
//! timeout, and only pings that fail `attempts` times in a row drop a peer; it is then pinged with
//! a back-off that doubles, and is taken in again when anything arrives from it.
//!
//! Work is bounded: a round of pings looks at `ping_fanout` peers, a request interval sees at most
//! `announce_limit` announcements to nodes heard of; [`Config::detection_bound`] says how long a
//! dead peer can stay.

mod config;
mod liveness;
mod message;

use std::sync::Arc;

pub use self::config::{Config, Settings};
pub use self::message::{Body, Message, Timer};

use self::liveness::{Liveness, Overdue};
use crate::base::id::NodeId;
use crate::base::rng::{Purpose, Rng, Seed};
use crate::base::time::Span;
use crate::fact::Fact;
use crate::protocol::peers::Peers;
use crate::sim::body::BodyId;
use crate::sim::protocol::{Context, Local, Memory, Shelf};

/// Peer discovery of one node.
pub struct Discovery {
    settings: Arc<Settings>,
    me: NodeId,
    /// The peers it starts with, and with which it starts over when its memory is lost.
    initial: Peers,
    liveness: Liveness,
    /// Nodes heard of from others that got an announcement in this request interval.
    announced: Vec<NodeId>,
    /// The number from which the next round of pings goes on.
    cursor: NodeId,
    /// The rounds have begun in this life of the node.
    running: bool,
    refused: u32,
    forgotten: u32,
    rng: Rng,
    chosen: Vec<NodeId>,
    places: Vec<u32>,
}

impl Discovery {
    /// The discovery of node `me`, which starts with the peers `initial`.
    #[must_use]
    pub fn new(settings: Arc<Settings>, seed: Seed, me: NodeId, initial: Peers) -> Self {
        Self {
            settings,
            me,
            initial,
            liveness: Liveness::default(),
            announced: Vec::new(),
            cursor: NodeId::new(0),
            running: false,
            refused: 0,
            forgotten: 0,
            rng: Rng::of_node(seed, Purpose::Discovery, me),
            chosen: Vec::new(),
            places: Vec::new(),
        }
    }

    /// How often a newcomer was refused because there were `max_peers` peers.
    #[must_use]
    pub const fn refused(&self) -> u32 {
        self.refused
    }

    /// How many dropped peers were given up for good, because `max_peers` of them were being tried
    /// already.
    #[must_use]
    pub const fn forgotten(&self) -> u32 {
        self.forgotten
    }

    /// The node joins the network: at its start or when it connects, and after each restart. It
    /// announces itself to the bootstrap nodes and the peers it started with. On a complete overlay
    /// everybody knows it already, so only the bootstrap nodes hear of it.
    pub fn connect(&mut self, ctx: &mut impl Context<Message, Timer>) {
        self.greet(ctx);
        if self.running {
            return;
        }
        self.running = true;
        let config = &self.settings.config;
        let request = self.rng.below(config.request_interval.as_nanos());
        let turn = self.rng.below(config.ping_interval.as_nanos());
        ctx.after(Span::from_nanos(request), Timer::Request);
        ctx.after(Span::from_nanos(turn), Timer::Turn);
    }

    /// A message of whatever part arrived from a node, which is a sign of its life.
    #[inline]
    pub fn heard(&mut self, peers: &mut Peers, ctx: &mut impl Local, from: NodeId) {
        if self.liveness.heard(from) {
            self.take_in(peers, ctx, from);
        }
    }

    /// A message of discovery arrived. [`Discovery::heard`] need not be called for it as well.
    pub fn on_message(
        &mut self,
        peers: &mut Peers,
        ctx: &mut (impl Context<Message, Timer> + Shelf<Body>),
        from: NodeId,
        message: Message,
    ) {
        self.liveness.heard(from);
        self.take_in(peers, ctx, from);
        match message {
            Message::Announce | Message::Request => self.answer(peers, ctx, from),
            Message::Peers(list) => self.learn(peers, ctx, list),
            Message::Ping => ctx.send(from, Message::Pong),
            Message::Pong => {}
        }
    }

    /// A message arrived at a liar, which names nobody but its `fellows` to who asks for peers.
    pub fn mislead(
        &mut self,
        peers: &mut Peers,
        ctx: &mut (impl Context<Message, Timer> + Shelf<Body>),
        (from, message): (NodeId, Message),
        mut fellows: Vec<NodeId>,
    ) {
        if !matches!(message, Message::Announce | Message::Request) {
            return self.on_message(peers, ctx, from, message);
        }
        self.heard(peers, ctx, from);
        fellows.retain(|fellow| *fellow != from);
        self.rng.shuffle(&mut fellows);
        fellows.truncate(self.settings.config.answer_limit as usize);
        let list = ctx.store(Body::new(fellows));
        ctx.send(from, Message::Peers(list));
    }

    /// An alarm went off.
    pub fn on_timer(
        &mut self,
        peers: &mut Peers,
        ctx: &mut impl Context<Message, Timer>,
        timer: Timer,
    ) {
        match timer {
            Timer::Request => self.request(peers, ctx),
            Timer::Turn => self.turn(peers, ctx),
            Timer::Overdue { round } => self.overdue(peers, ctx, round),
            Timer::Retry { peer, serial } => {
                let limit = self.settings.config.retry_limit;
                if let Some(delay) = self.liveness.retry(peer, serial, limit) {
                    ctx.send(peer, Message::Ping);
                    ctx.after(delay, timer);
                }
            }
        }
    }

    /// The node crashed. It keeps its peers, or has those it started with if its memory is lost;
    /// who was silent and who was dropped it forgets in either case.
    pub fn on_crash(&mut self, peers: &mut Peers, memory: Memory) {
        self.liveness.clear();
        self.announced.clear();
        self.running = false;
        if memory == Memory::Lost {
            *peers = self.initial.clone();
        }
    }

    /// Most peers it may have. Those it started with must find their way back after a partition.
    fn limit(&self) -> usize {
        self.initial.len().max(self.settings.config.max_peers as usize)
    }

    fn greet(&self, ctx: &mut impl Context<Message, Timer>) {
        let mut nodes = self.settings.bootstrap.clone();
        if let Peers::Listed(initial) = &self.initial {
            nodes.extend(initial);
        }
        nodes.sort_unstable();
        nodes.dedup();
        for node in nodes.into_iter().filter(|node| *node != self.me) {
            ctx.send(node, Message::Announce);
        }
    }

    fn take_in(&mut self, peers: &mut Peers, ctx: &mut impl Local, node: NodeId) {
        if peers.contains(node) {
            return;
        }
        if peers.len() >= self.limit() {
            self.refused += 1;
        } else if peers.insert(node) {
            ctx.observe(Fact::PeerAdded { node: self.me, peer: node });
        }
    }

    /// Names some of the peers to one who asks.
    fn answer(
        &mut self,
        peers: &Peers,
        ctx: &mut (impl Context<Message, Timer> + Shelf<Body>),
        to: NodeId,
    ) {
        let count = self.settings.config.answer_limit as usize;
        // One more, because the asker may be among them and is not told of itself.
        peers.sample(&mut self.rng, count + 1, &mut self.chosen, &mut self.places);
        let named = self.chosen.iter().copied().filter(|node| *node != to).take(count);
        let list = ctx.store(Body::new(named.collect()));
        ctx.send(to, Message::Peers(list));
    }

    /// Announces itself to the nodes of a list that are no peers yet.
    fn learn(
        &mut self,
        peers: &Peers,
        ctx: &mut (impl Context<Message, Timer> + Shelf<Body>),
        list: BodyId,
    ) {
        let limit = self.settings.config.announce_limit as usize;
        let earlier = self.announced.len();
        for &node in ctx.body(list).peers() {
            if self.announced.len() >= limit || peers.len() >= self.limit() {
                break;
            }
            let known = node == self.me
                || peers.contains(node)
                || self.liveness.is_dropped(node)
                || self.announced.contains(&node);
            if !known {
                self.announced.push(node);
            }
        }
        for &node in &self.announced[earlier..] {
            ctx.send(node, Message::Announce);
        }
    }

    /// Asks some peers for theirs; one who has none left joins anew.
    fn request(&mut self, peers: &Peers, ctx: &mut impl Context<Message, Timer>) {
        self.announced.clear();
        if peers.is_empty() {
            self.greet(ctx);
        }
        let count = self.settings.config.request_fanout as usize;
        peers.sample(&mut self.rng, count, &mut self.chosen, &mut self.places);
        for &peer in &self.chosen {
            ctx.send(peer, Message::Request);
        }
        ctx.after(self.settings.config.request_interval, Timer::Request);
    }

    /// A round of pings: the next peers in turn that were not heard from are pinged.
    fn turn(&mut self, peers: &Peers, ctx: &mut impl Context<Message, Timer>) {
        let config = &self.settings.config;
        let round = self.liveness.next_serial();
        let count = peers.len().min(config.ping_fanout as usize);
        let first = peers.rank(self.cursor);
        let mut silent = false;
        for i in 0..count {
            let peer = peers.get((first + i) % peers.len());
            if self.liveness.turn(peer, round) {
                silent = true;
                ctx.send(peer, Message::Ping);
            }
            self.cursor = NodeId::new(peer.number().saturating_add(1));
        }
        if silent {
            ctx.after(config.timeout, Timer::Overdue { round });
        }
        ctx.after(config.ping_interval, Timer::Turn);
    }

    /// Pings that got no answer are repeated; after the last attempt the peer is dropped.
    fn overdue(&mut self, peers: &mut Peers, ctx: &mut impl Context<Message, Timer>, round: u32) {
        let (attempts, timeout) = (self.settings.config.attempts, self.settings.config.timeout);
        let next = self.liveness.next_serial();
        let mut repeated = false;
        for overdue in self.liveness.overdue(round, next, attempts) {
            match overdue {
                Overdue::PingAgain(peer) => {
                    repeated = true;
                    ctx.send(peer, Message::Ping);
                }
                Overdue::GiveUp(peer) => self.give_up(peers, ctx, peer),
            }
        }
        if repeated {
            ctx.after(timeout, Timer::Overdue { round: next });
        }
    }

    fn give_up(&mut self, peers: &mut Peers, ctx: &mut impl Context<Message, Timer>, peer: NodeId) {
        if !peers.remove(peer) {
            return;
        }
        ctx.observe(Fact::PeerDropped { node: self.me, peer });
        let (delay, limit) = (self.settings.config.retry_initial, self.limit());
        let serial = self.liveness.next_serial();
        if self.liveness.drop_peer(peer, delay, serial, limit) {
            ctx.after(delay, Timer::Retry { peer, serial });
        } else {
            self.forgotten += 1;
        }
    }
}

#[cfg(test)]
mod tests;
