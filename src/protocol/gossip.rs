//! Protocol layer: gossip about the validators, so that every node learns the identity, stake and
//! public key of each. It knows no other part; private keys are nowhere in it.
//!
//! A validator publishes versions of its own entry, nodes without stake have none and pass on those
//! of others. Of two versions the higher counts.

mod config;
mod message;
mod registry;

pub use self::config::{ChooseFrom, Config, Phase, Style};
pub use self::message::{Message, Timer};
pub use self::registry::{Body, Entries, Entry, Registry};

use self::message::send_all;
use crate::base::id::NodeId;
use crate::base::rng::{Purpose, Rng, Seed};
use crate::base::time::{Span, Time};
use crate::fact::Fact;
use crate::protocol::peers::Peers;
use crate::sim::body::BodyId;
use crate::sim::protocol::{Context, Local, Memory, Shelf};

/// The gossip of one node.
pub struct Gossip {
    config: Config,
    me: NodeId,
    nodes: usize,
    validator: bool,
    registry: Registry,
    /// The registry as a body, held until the registry changes, so that a cluster in which nothing
    /// changes allocates nothing.
    snapshot: Option<BodyId>,
    /// The last version of the own entry; 0 before the first.
    version: u32,
    /// The last version was forgotten in a crash.
    forgot: bool,
    /// The rounds have begun in this life of the node.
    running: bool,
    everyone: Peers,
    rng: Rng,
    chosen: Vec<NodeId>,
    places: Vec<u32>,
}

impl Gossip {
    /// The gossip of node `me` out of `nodes`; `validator` says whether it has stake.
    #[must_use]
    pub fn new(config: Config, seed: Seed, me: NodeId, nodes: usize, validator: bool) -> Self {
        Self {
            config,
            me,
            nodes,
            validator,
            registry: Registry::default(),
            snapshot: None,
            version: 0,
            forgot: false,
            running: false,
            everyone: Peers::everyone(me, nodes),
            rng: Rng::of_node(seed, Purpose::Gossip, me),
            chosen: Vec::new(),
            places: Vec::new(),
        }
    }

    /// How many validators the node knows, itself included if it is one.
    #[must_use]
    pub const fn known(&self) -> u32 {
        self.registry.known()
    }

    /// The version of a validator's entry that the node knows; 0 if it does not know it.
    #[must_use]
    pub fn version_of(&self, node: NodeId) -> u32 {
        self.registry.version_of(node)
    }

    /// The node joins the network: at its start, when it connects (if that is later), and after
    /// each restart. A validator publishes a new version of its entry; the rounds begin.
    pub fn connect(
        &mut self,
        peers: &Peers,
        ctx: &mut (impl Context<Message, Timer> + Shelf<Body>),
    ) {
        if self.config.style == Style::Off {
            return;
        }
        if self.validator {
            self.publish(peers, ctx);
        }
        if self.running {
            return;
        }
        self.running = true;
        if self.config.style != Style::ForwardOnce {
            let delay = self.first_round(ctx.now());
            ctx.after(delay, Timer::Round);
        }
        if let (true, Some(refresh)) = (self.validator, self.config.refresh) {
            // Rounds at random moments go with new versions at random moments.
            let first = match self.config.phase {
                Phase::Random => Span::from_nanos(1 + self.rng.below(refresh.as_nanos())),
                Phase::Aligned => refresh,
            };
            ctx.after(first, Timer::Refresh);
        }
    }

    /// An alarm went off. The nodes that it spoke to if that was a round, for others who have
    /// something to tell the same nodes.
    pub fn on_timer(
        &mut self,
        peers: &Peers,
        ctx: &mut (impl Context<Message, Timer> + Shelf<Body>),
        timer: Timer,
    ) -> &[NodeId] {
        self.chosen.clear();
        match timer {
            Timer::Round => {
                self.round(peers, ctx);
                ctx.after(self.config.interval, Timer::Round);
                &self.chosen
            }
            Timer::Refresh => {
                self.publish(peers, ctx);
                if let Some(refresh) = self.config.refresh {
                    ctx.after(refresh, Timer::Refresh);
                }
                &[]
            }
        }
    }

    /// A message arrived.
    pub fn on_message(
        &mut self,
        peers: &Peers,
        ctx: &mut (impl Context<Message, Timer> + Shelf<Body>),
        from: NodeId,
        message: Message,
    ) {
        match message {
            Message::Registry(id) | Message::News(id) | Message::Response(id) => {
                self.learn(peers, ctx, from, id);
            }
            Message::Pull(digest) => {
                self.answer(ctx, from, digest);
                if self.config.style == Style::PushPull && self.lacks_some_of(ctx, digest) {
                    let snapshot = self.snapshot(ctx);
                    ctx.send(from, Message::PullBack(snapshot));
                }
            }
            Message::PullBack(digest) => self.answer(ctx, from, digest),
        }
    }

    /// The node crashed. With its memory lost it forgets all entries and the number of its own
    /// last version.
    pub fn on_crash(&mut self, ctx: &mut impl Shelf<Body>, memory: Memory) {
        self.running = false;
        self.drop_snapshot(ctx);
        if memory == Memory::Lost {
            self.registry = Registry::default();
            self.version = 0;
            self.forgot = true;
        }
    }

    fn first_round(&mut self, now: Time) -> Span {
        let interval = self.config.interval.as_nanos();
        Span::from_nanos(match self.config.phase {
            Phase::Random => self.rng.below(interval),
            Phase::Aligned => match now.as_nanos() % interval {
                0 => 0,
                passed => interval - passed,
            },
        })
    }

    /// One round of pushing or pulling.
    fn round(&mut self, peers: &Peers, ctx: &mut (impl Context<Message, Timer> + Shelf<Body>)) {
        if self.config.style == Style::Push && self.registry.known() == 0 {
            return;
        }
        self.choose(peers);
        if self.chosen.is_empty() {
            return;
        }
        let snapshot = self.snapshot(ctx);
        let message = match self.config.style {
            Style::Push => Message::Registry(snapshot),
            _ => Message::Pull(snapshot),
        };
        send_all(ctx, &self.chosen, message);
    }

    /// Draws the nodes to speak to.
    fn choose(&mut self, peers: &Peers) {
        let from = match self.config.choose_from {
            ChooseFrom::Peers => peers,
            ChooseFrom::Membership => &self.everyone,
        };
        let count = self.config.fanout as usize;
        from.sample(&mut self.rng, count, &mut self.chosen, &mut self.places);
    }

    /// Publishes the next version of the own entry.
    fn publish(&mut self, peers: &Peers, ctx: &mut (impl Context<Message, Timer> + Shelf<Body>)) {
        let last = if self.forgot { clock_version(ctx.now()) } else { self.version };
        self.forgot = false;
        self.publish_above(last, ctx);
        if self.config.style == Style::ForwardOnce {
            let own = Entry { node: self.me, version: self.version };
            let news = ctx.store(Body::Entries(Entries::new(vec![own])));
            self.forward(peers, ctx, news);
        }
    }

    /// Makes a version of the own entry that is higher than `last`.
    fn publish_above(&mut self, last: u32, ctx: &mut (impl Local + Shelf<Body>)) {
        self.version = last.saturating_add(1);
        self.drop_snapshot(ctx);
        self.registry.set(Entry { node: self.me, version: self.version }, self.nodes);
        ctx.observe(Fact::Published { node: self.me, version: self.version });
    }

    /// Takes in what is new of a message.
    fn learn(
        &mut self,
        peers: &Peers,
        ctx: &mut (impl Context<Message, Timer> + Shelf<Body>),
        from: NodeId,
        id: BodyId,
    ) {
        let mut news = ctx.body(id).news_for(&self.registry);
        if news.is_empty() {
            return;
        }
        self.drop_snapshot(ctx);
        for entry in &mut news {
            if entry.node == self.me {
                // A version from before the loss of memory that the clock did not reach, because
                // it was set back meanwhile.
                self.publish_above(entry.version, ctx);
                entry.version = self.version;
                continue;
            }
            self.registry.set(*entry, self.nodes);
            let Entry { node: about, version } = *entry;
            ctx.observe(Fact::Learned { node: self.me, about, version, from });
        }
        self.adopt(ctx, id);
        if self.config.style == Style::ForwardOnce {
            let same = matches!(ctx.body(id), Body::Entries(old) if old.list() == news);
            let id = if same { id } else { ctx.store(Body::Entries(Entries::new(news))) };
            self.forward(peers, ctx, id);
        }
    }

    /// Shares a received registry that equals the own one instead of making a copy for sending.
    fn adopt(&mut self, ctx: &mut impl Shelf<Body>, id: BodyId) {
        let equal = matches!(ctx.body(id), Body::Registry(theirs)
            if theirs.content() == self.registry.content());
        if equal {
            ctx.hold(id);
            self.snapshot = Some(id);
        }
    }

    /// Sends news on to random peers.
    fn forward(&mut self, peers: &Peers, ctx: &mut impl Context<Message, Timer>, news: BodyId) {
        self.choose(peers);
        send_all(ctx, &self.chosen, Message::News(news));
    }

    /// Sends what a digest lacks, if anything.
    fn answer(
        &self,
        ctx: &mut (impl Context<Message, Timer> + Shelf<Body>),
        to: NodeId,
        digest: BodyId,
    ) {
        let Body::Registry(theirs) = ctx.body(digest) else { return };
        let lacking: Vec<Entry> = self.registry.newer_than(theirs).collect();
        if !lacking.is_empty() {
            let body = ctx.store(Body::Entries(Entries::new(lacking)));
            ctx.send(to, Message::Response(body));
        }
    }

    fn lacks_some_of(&self, ctx: &impl Shelf<Body>, digest: BodyId) -> bool {
        let Body::Registry(theirs) = ctx.body(digest) else { return false };
        theirs.newer_than(&self.registry).next().is_some()
    }

    /// The registry as a body.
    fn snapshot(&mut self, ctx: &mut impl Shelf<Body>) -> BodyId {
        *self.snapshot.get_or_insert_with(|| {
            let id = ctx.store(Body::Registry(self.registry.clone()));
            ctx.hold(id);
            id
        })
    }

    fn drop_snapshot(&mut self, ctx: &mut impl Shelf<Body>) {
        if let Some(id) = self.snapshot.take() {
            ctx.release(id);
        }
    }
}

/// A number above every version that a node with this clock can have published: versions start at 1
/// and grow by less than one a millisecond.
fn clock_version(now: Time) -> u32 {
    u32::try_from(now.as_nanos() / 1_000_000 + 1).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
