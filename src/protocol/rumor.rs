//! Protocol layer: rumors, payloads without meaning, spread in one of several styles, so that
//! dissemination and links can be studied alone.

mod seen;

use serde::{Deserialize, Serialize};

use self::seen::Seen;
use super::cluster::Cluster;
use super::content::mix;
use super::gossip::{ChooseFrom, Phase};
use super::peers::Peers;
use crate::base::fetch::{fetch, fetch_at};
use crate::base::id::NodeId;
use crate::base::rng::{Purpose, Rng, Seed};
use crate::base::time::Span;
use crate::fact::{Fact, MessageKind};
use crate::sim::body::{Bodies, BodyId};
use crate::sim::protocol::{Context, Fetch, Memory, Part, Shelf};

/// How rumors spread.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Style {
    /// On first receipt to all peers.
    Flood,
    /// On first receipt to `fanout` random peers, once ("infect and die").
    ForwardOnce,
    /// Every `interval`, to `fanout` random peers.
    Push,
    /// Every `interval`, each node asks `fanout` random peers for what it does not have.
    Pull,
    /// Every `interval`, push to and pull from the same `fanout` random peers.
    PushPull,
    /// Straight from the origin to one node, which does not spread it.
    Direct,
    /// As a value of gossip by Solana's rules, which needs `[gossip] style = "solana"`; of the keys
    /// here only those about when, where and how large are read.
    Gossip,
}

/// The rules of one stream of rumors, known to all nodes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rules {
    /// How they spread.
    pub style: Style,
    /// Random peers per round or receipt.
    pub fanout: u32,
    /// Length of a round.
    pub interval: Span,
    /// Rounds a node pushes a rumor after it received it; zero for ever.
    pub rounds: u32,
    /// When rounds take place.
    pub phase: Phase,
    /// Whom fan-out choices are made from.
    pub choose_from: ChooseFrom,
    /// Whether flooding sends a rumor back to where it came from.
    pub echo: bool,
}

impl Rules {
    /// Whether nodes keep rumors for rounds.
    #[must_use]
    pub const fn has_rounds(&self) -> bool {
        matches!(self.style, Style::Push | Style::Pull | Style::PushPull)
    }

    const fn pushes(&self) -> bool {
        matches!(self.style, Style::Push | Style::PushPull)
    }
}

/// What the workload hands to a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Injected {
    /// Number of the rumor: 0, 1, 2 ... in the order of injection.
    pub rumor: u32,
    /// Its stream.
    pub stream: u16,
    /// Its place in the stream, from zero.
    pub place: u32,
    /// Payload bytes.
    pub size: u32,
    /// The only receiver of a direct one.
    pub to: Option<NodeId>,
}

/// What these messages refer to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Body {
    /// A rumor.
    Rumor {
        /// Its number.
        rumor: u32,
        /// Its stream.
        stream: u16,
        /// Its place in the stream.
        place: u32,
        /// Payload bytes.
        size: u32,
    },
    /// The rumors of a stream that a node has, in increasing order.
    Known {
        /// The stream.
        stream: u16,
        /// The rumors.
        rumors: Box<[u32]>,
    },
}

/// Messages of this part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Message {
    /// A rumor.
    Rumor {
        /// Links travelled, this one included; 65,535 stands for any more.
        hops: u16,
        /// The rumor.
        body: BodyId,
    },
    /// The same, from a node that may send it to this receiver again: told apart by a counter.
    Again {
        /// Links travelled, this one included; 65,535 stands for any more.
        hops: u16,
        /// The rumor.
        body: BodyId,
    },
    /// Asks for rumors the sender does not have.
    Pull {
        /// Those it has.
        body: BodyId,
    },
}

/// Bits of a weather serial for the place in a stream.
const PLACE_BITS: u32 = 28;
/// Bytes of a pull request beside its list.
const PULL_BASE: u32 = 8;
/// Bytes of a rumor's number in a pull request.
const PULL_ENTRY: u32 = 4;

impl Message {
    /// What the message is about.
    #[must_use]
    pub const fn kind(self) -> MessageKind {
        match self {
            Self::Rumor { .. } | Self::Again { .. } => MessageKind::Rumor,
            Self::Pull { .. } => MessageKind::GossipPullRequest,
        }
    }

    /// The body it refers to.
    #[must_use]
    pub const fn body(self) -> BodyId {
        match self {
            Self::Rumor { body, .. } | Self::Again { body, .. } | Self::Pull { body } => body,
        }
    }

    /// Payload bytes.
    #[must_use]
    pub fn size<B>(self, bodies: &Bodies<B>) -> u32
    where
        Body: Part<B>,
    {
        match Body::unwrap(bodies.body(self.body())) {
            Body::Rumor { size, .. } => *size,
            Body::Known { rumors, .. } => PULL_BASE + PULL_ENTRY * rumors.len() as u32,
        }
    }

    /// A number that depends on the content alone.
    #[must_use]
    pub fn content<B>(self, bodies: &Bodies<B>) -> u64
    where
        Body: Part<B>,
    {
        match (self, Body::unwrap(bodies.body(self.body()))) {
            (Self::Rumor { hops, .. } | Self::Again { hops, .. }, Body::Rumor { rumor, .. }) => {
                u64::from(hops) << 32 | u64::from(*rumor)
            }
            (_, Body::Known { stream, rumors }) => {
                let step = |content: u64, rumor: &u32| mix(content ^ u64::from(*rumor));
                rumors.iter().fold(mix(u64::from(*stream)), step)
            }
            _ => 0,
        }
    }

    /// The weather serial: a rumor passes a link once, unless it says otherwise. It is made of
    /// stream and place, so that another stream moves nobody's luck.
    #[must_use]
    pub fn serial<B>(self, bodies: &Bodies<B>) -> Option<u64>
    where
        Body: Part<B>,
    {
        match (self, Body::unwrap(bodies.body(self.body()))) {
            (Self::Rumor { .. }, Body::Rumor { stream, place, .. }) => {
                // 44 bits: the ones above tell the faults apart.
                Some((u64::from(*stream) << PLACE_BITS) | (u64::from(*place) % (1 << PLACE_BITS)))
            }
            _ => None,
        }
    }
}

/// Alarms of this part: a round of a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timer {
    /// The stream.
    pub stream: u16,
}

/// A rumor that a node keeps for its rounds.
#[derive(Clone, Copy, Debug)]
struct Kept {
    rumor: u32,
    stream: u16,
    hops: u16,
    /// Rounds it is still pushed.
    left: u32,
    body: BodyId,
}

/// One node's part in spreading rumors.
pub struct Rumors {
    seen: Seen,
    // 320 bytes that few messages need.
    rng: Box<Rng>,
    /// What it keeps for rounds, in increasing order of rumors.
    kept: Vec<Kept>,
    window: usize,
    targets: Vec<NodeId>,
    places: Vec<u32>,
    missing: Vec<Kept>,
}

impl Rumors {
    /// A node that has heard nothing; at most `window` rumors are told apart at a time.
    #[must_use]
    pub fn new(seed: Seed, me: NodeId, window: usize) -> Self {
        Self {
            seen: Seen::new(window),
            rng: Box::new(Rng::of_node(seed, Purpose::Rumors, me)),
            kept: Vec::new(),
            window,
            targets: Vec::new(),
            places: Vec::new(),
            missing: Vec::new(),
        }
    }

    /// Rumors the node has.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.seen.count()
    }

    /// Fetches what a rumor will need.
    #[inline]
    pub fn fetch(&self, step: Fetch) {
        match step {
            Fetch::Node => {
                fetch(&self.seen);
                fetch(&self.targets);
            }
            Fetch::Part => fetch_at(&self.targets, 0),
            Fetch::Table | Fetch::Last => {}
        }
    }

    /// The node starts or comes back: rounds begin.
    pub fn on_start(&mut self, cluster: &Cluster, ctx: &mut impl Context<Message, Timer>) {
        for (stream, rules) in cluster.rumors.iter().enumerate().filter(|(_, r)| r.has_rounds()) {
            let interval = rules.interval.as_nanos();
            let first = match rules.phase {
                Phase::Aligned => interval - ctx.now().as_nanos() % interval,
                Phase::Random => 1 + self.rng.below(interval),
            };
            ctx.after(Span::from_nanos(first), Timer { stream: stream as u16 });
        }
    }

    /// The node crashed.
    pub fn on_crash(&mut self, ctx: &mut impl Shelf<Body>, memory: Memory) {
        if memory == Memory::Lost {
            self.seen.clear();
            self.kept.drain(..).for_each(|kept| ctx.release(kept.body));
        }
    }

    /// The workload hands a rumor in.
    pub fn on_input(
        &mut self,
        cluster: &Cluster,
        peers: &Peers,
        ctx: &mut (impl Context<Message, Timer> + Shelf<Body>),
        injected: Injected,
    ) {
        let Injected { rumor, stream, place, size, to } = injected;
        let node = ctx.me();
        let audience = if to.is_some() { 1 } else { cluster.len() as u32 - 1 };
        let direct = to.is_some();
        ctx.observe(Fact::RumorInjected { node, rumor, size, audience, direct });
        self.seen.insert(rumor);
        let body = ctx.store(Body::Rumor { rumor, stream, place, size });
        match to {
            Some(to) => ctx.send(to, Message::Rumor { hops: 1, body }),
            None => self.spread(cluster, peers, ctx, (rumor, stream, 0, body), None),
        }
    }

    /// A rumor came by gossip; it is spread there.
    pub fn heard(&mut self, rumor: u32) {
        self.seen.insert(rumor);
    }

    /// A message of this part arrived.
    pub fn on_message(
        &mut self,
        cluster: &Cluster,
        peers: &Peers,
        ctx: &mut (impl Context<Message, Timer> + Shelf<Body>),
        from: NodeId,
        message: Message,
    ) {
        match message {
            Message::Rumor { hops, body } | Message::Again { hops, body } => {
                let Body::Rumor { rumor, stream, .. } = *ctx.body(body) else { return };
                let first = self.seen.insert(rumor);
                let node = ctx.me();
                ctx.observe(Fact::RumorReceived { node, rumor, from, hops, first });
                if first {
                    self.spread(cluster, peers, ctx, (rumor, stream, hops, body), Some(from));
                }
            }
            Message::Pull { body } => self.answer(ctx, from, body),
        }
    }

    /// A round of a stream.
    pub fn on_timer(
        &mut self,
        cluster: &Cluster,
        peers: &Peers,
        ctx: &mut (impl Context<Message, Timer> + Shelf<Body>),
        timer: Timer,
    ) {
        let rules = &cluster.rumors[usize::from(timer.stream)];
        ctx.after(rules.interval, timer);
        self.choose(cluster, peers, ctx.me(), rules);
        let targets = std::mem::take(&mut self.targets);
        if matches!(rules.style, Style::Pull | Style::PushPull) && !targets.is_empty() {
            let of_stream = self.kept.iter().filter(|kept| kept.stream == timer.stream);
            let rumors = of_stream.map(|kept| kept.rumor).collect();
            let body = ctx.store(Body::Known { stream: timer.stream, rumors });
            targets.iter().for_each(|&to| ctx.send(to, Message::Pull { body }));
        }
        if rules.pushes() {
            for kept in self.kept.iter_mut().filter(|k| k.stream == timer.stream && k.left > 0) {
                kept.left -= u32::from(kept.left < u32::MAX);
                let message = Message::Again { hops: kept.hops.saturating_add(1), body: kept.body };
                targets.iter().for_each(|&to| ctx.send(to, message));
            }
        }
        self.targets = targets;
    }

    /// Does with a new rumor what its stream's rules say.
    #[inline]
    fn spread(
        &mut self,
        cluster: &Cluster,
        peers: &Peers,
        ctx: &mut (impl Context<Message, Timer> + Shelf<Body>),
        (rumor, stream, hops, body): (u32, u16, u16, BodyId),
        from: Option<NodeId>,
    ) {
        let rules = &cluster.rumors[usize::from(stream)];
        let message = Message::Rumor { hops: hops.saturating_add(1), body };
        match rules.style {
            Style::Flood => {
                let back = from.filter(|_| !rules.echo);
                peers
                    .iter()
                    .filter(|peer| Some(*peer) != back)
                    .for_each(|to| ctx.send(to, message));
            }
            Style::ForwardOnce => {
                self.choose(cluster, peers, ctx.me(), rules);
                self.targets.iter().for_each(|&to| ctx.send(to, message));
            }
            Style::Push | Style::Pull | Style::PushPull => {
                let left = if rules.rounds == 0 { u32::MAX } else { rules.rounds };
                self.keep(ctx, Kept { rumor, stream, hops, left, body });
            }
            Style::Direct | Style::Gossip => {}
        }
    }

    /// Keeps a rumor for rounds; the oldest one makes room beyond the window.
    fn keep(&mut self, ctx: &mut impl Shelf<Body>, kept: Kept) {
        ctx.hold(kept.body);
        let place = self.kept.partition_point(|other| other.rumor < kept.rumor);
        self.kept.insert(place, kept);
        if self.kept.len() > self.window {
            ctx.release(self.kept.remove(0).body);
        }
    }

    /// Sends what the asker does not have.
    fn answer(
        &mut self,
        ctx: &mut (impl Context<Message, Timer> + Shelf<Body>),
        from: NodeId,
        body: BodyId,
    ) {
        let Body::Known { stream, rumors } = ctx.body(body) else { return };
        let lacks =
            |kept: &&Kept| kept.stream == *stream && rumors.binary_search(&kept.rumor).is_err();
        self.missing.clear();
        self.missing.extend(self.kept.iter().filter(lacks).copied());
        for kept in &self.missing {
            ctx.send(from, Message::Again { hops: kept.hops.saturating_add(1), body: kept.body });
        }
    }

    /// Draws the targets of a round or receipt.
    fn choose(&mut self, cluster: &Cluster, peers: &Peers, me: NodeId, rules: &Rules) {
        let count = rules.fanout as usize;
        match rules.choose_from {
            ChooseFrom::Peers => {
                peers.sample(&mut self.rng, count, &mut self.targets, &mut self.places);
            }
            ChooseFrom::Membership => {
                self.rng.sample(cluster.len() - 1, count, &mut self.places);
                // Places among the others: those from the node itself on are one further.
                let other = |&place: &u32| NodeId::new(place + u32::from(place >= me.number()));
                self.targets.clear();
                self.targets.extend(self.places.iter().map(other));
            }
        }
    }
}
