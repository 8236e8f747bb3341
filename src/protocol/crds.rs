//! Protocol layer: gossip by Solana's rules (the cluster replicated data store, CRDS). It knows no
//! other part: the parent hands values in with [`Crds::publish`] and takes new ones out of
//! [`Shared::take_arrivals`].
//!
//! What is left out of the real rules: signatures, pings (addresses count as verified), the shred
//! version, and the scan budget of pull answers. A peer of the overlay is known by its address from
//! the start, as an entrypoint is, and counts as a peer until its contact info says more.

mod active_set;
mod bloom;
mod config;
mod message;
mod prune;
mod publish;
mod pull;
mod push;
mod roster;
mod shared;
mod store;
mod value;
mod warm;

pub use self::config::Config;
pub use self::message::{Body, Labels, Message, Request, Timer};
pub use self::shared::{Arrival, Shared};
pub use self::value::{Label, PROOF_CHUNKS, Value};

use self::active_set::ActiveSets;
use self::prune::Received;
use self::pull::Budget;
use self::push::Waiting;
use self::roster::{Roster, pull_weight};
use self::shared::{first_contact_info, within_window};
use self::store::{Standing, Store};
use self::value::{Content, Entry, Place, VOTES};
use crate::base::fetch::{fetch, fetch_at};
use crate::base::id::NodeId;
use crate::base::rng::{Purpose, Rng, Seed};
use crate::base::slot::Slot;
use crate::base::time::{Span, Time};
use crate::fact::{Fact, ValueKind};
use crate::protocol::gossip::Phase;
use crate::protocol::peers::Peers;
use crate::sim::body::{Bodies, BodyId};
use crate::sim::protocol::{Alarm, Context, Fetch, Local, Memory, Part, Shelf};

/// A contact info that is older counts for little: 60 s.
const FRESH: Span = Span::from_secs(60);
/// A validator with an old contact info is a peer with one chance in so many.
const STALE_CHANCE: u64 = 16;

/// One node's gossip.
pub struct Crds {
    me: NodeId,
    store: Store,
    received: Received,
    sets: ActiveSets,
    roster: Box<Roster>,
    /// Nobody was learned of since the roster was made.
    roster_is_current: bool,
    /// New values that are not pushed yet, in the order in which they came.
    waiting: Vec<Waiting>,
    /// What stands at each vote index: the slot and when the vote was made.
    votes: Box<[Option<(Slot, Time)>; VOTES]>,
    /// Parts of proofs that it has made.
    proofs: u32,
    budget: Option<Budget>,
    /// Validators whose contact info the node has.
    validators: u32,
    /// It began with the contact infos of all, and has not gone through a round.
    warm: bool,
    /// The rounds have begun in this life of the node.
    running: bool,
    /// Values that came are waiting for the end of their batch.
    collecting: bool,
    /// The contact info of this life is published and the active sets are filled.
    settled: bool,
    rotate_at: Time,
    pull_at: Time,
    rng: Box<Rng>,
}

/// What is kept of a value for all nodes.
#[derive(Clone, Copy)]
struct Found {
    content: Content,
    /// The body by which a message of this value alone refers to it.
    body: Option<BodyId>,
}

impl Found {
    const fn of(entry: &Entry) -> Self {
        Self { content: entry.content, body: entry.body }
    }
}

/// How a value came.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Push,
    Pull,
}

impl Crds {
    /// The gossip of a node that has not connected.
    #[must_use]
    pub fn new(shared: &Shared, seed: Seed, me: NodeId) -> Self {
        Self {
            me,
            store: Store::new(shared.layout),
            received: Received::default(),
            sets: ActiveSets::new(shared.classes[me]),
            roster: Box::new(Roster::empty()),
            roster_is_current: false,
            waiting: Vec::new(),
            votes: Box::new([None; VOTES]),
            proofs: 0,
            budget: None,
            validators: 0,
            warm: false,
            running: false,
            collecting: false,
            settled: false,
            rotate_at: Time::ZERO,
            pull_at: Time::ZERO,
            rng: Box::new(Rng::of_node(seed, Purpose::ClusterInfo, me)),
        }
    }

    /// How many validators the node knows, itself included if it is one.
    #[must_use]
    pub const fn known(&self) -> u32 {
        self.validators
    }

    /// Whether the node has the contact info of another, or of itself.
    #[must_use]
    pub fn has_contact_of(&self, shared: &Shared, node: NodeId) -> bool {
        let key = shared.layout.key(node, Place::CONTACT_INFO);
        self.store.version(key) > 0
    }

    /// The node joins the network: at its start, when it connects (if that is later), and after
    /// each restart. The main loop begins.
    pub fn connect(&mut self, shared: &Shared, ctx: &mut (impl Local + Alarm<Timer>)) {
        if self.store.open() && shared.config.warm {
            self.warm_up(shared, ctx);
        }
        if self.running {
            return;
        }
        self.running = true;
        let interval = shared.config.interval.as_nanos();
        let first = match (shared.phase, ctx.now().as_nanos() % interval) {
            (Phase::Random, _) => self.rng.below(interval),
            (Phase::Aligned, 0) => 0,
            (Phase::Aligned, passed) => interval - passed,
        };
        ctx.after(Span::from_nanos(first), Timer::Round);
    }

    /// Brings the gossip of all nodes, in their order, to the state that it settles into, if the
    /// settings say that the cluster has run before. `latency` is how long a message typically
    /// takes between two of them.
    pub fn settle(
        nodes: &mut [&mut Self],
        shared: &mut Shared,
        latency: impl Fn(NodeId, NodeId) -> Span,
    ) {
        if shared.config.warm {
            warm::settle(nodes, shared, latency);
        }
    }

    /// Fills the active sets as if the contact infos of all were there.
    fn fill_sets(&mut self, shared: &mut Shared) {
        let others = NodeId::all(shared.stakes.len()).filter(|node| *node != self.me);
        let Shared { config, classes, scratch, .. } = shared;
        self.roster.fill(&others.collect::<Vec<_>>(), classes);
        let (size, listed) = (config.active_set as usize, &mut scratch.nodes);
        self.sets.rotate(size, &self.roster, classes, &mut self.rng, listed);
    }

    /// Takes the first contact infos of all nodes in, as if it had been there before.
    fn warm_up(&mut self, shared: &Shared, ctx: &mut impl Local) {
        let (node, version) = (self.me, 1);
        self.warm = true;
        for about in NodeId::all(shared.stakes.len()) {
            self.store.insert(&first_contact_info(shared.layout, about), ctx.now());
            if shared.stakes[about] > 0 {
                self.validators += 1;
                ctx.observe(if about == node {
                    Fact::Published { node, version }
                } else {
                    Fact::Learned { node, about, version, from: about }
                });
            }
        }
    }

    /// An alarm went off.
    pub fn on_timer(
        &mut self,
        shared: &mut Shared,
        peers: &Peers,
        ctx: &mut (impl Context<Message, Timer> + Shelf<Body>),
        timer: Timer,
    ) {
        if timer == Timer::Batch {
            self.collecting = false;
            return push::flush(&mut self.waiting, &self.sets, shared, ctx);
        }
        let now = ctx.now();
        let config = shared.config;
        if !self.settled {
            self.settled = true;
            // What a warm node begins with is its present one, and its sets are full.
            if !std::mem::take(&mut self.warm) {
                self.publish(shared, ctx, Value::ContactInfo);
                self.rotate(shared, peers, now);
            }
            self.rotate_at = now.saturating_add(self.first(shared.phase, config.rotation));
            self.pull_at = now;
        } else if now >= self.rotate_at {
            self.publish(shared, ctx, Value::ContactInfo);
            self.rotate(shared, peers, now);
            self.rotate_at = now.saturating_add(config.rotation);
        }
        push::flush(&mut self.waiting, &self.sets, shared, ctx);
        if config.pull && now >= self.pull_at {
            self.pull_at = now.saturating_add(config.pull_interval);
            self.pull(shared, peers, ctx);
        }
        ctx.after(config.interval, Timer::Round);
    }

    /// The time to the first of something that comes every so often.
    fn first(&mut self, phase: Phase, every: Span) -> Span {
        match phase {
            Phase::Random => Span::from_nanos(1 + self.rng.below(every.as_nanos())),
            Phase::Aligned => every,
        }
    }

    /// A message arrived.
    pub fn on_message(
        &mut self,
        shared: &mut Shared,
        ctx: &mut (impl Context<Message, Timer> + Shelf<Body>),
        from: NodeId,
        message: Message,
    ) {
        if !self.running {
            return;
        }
        match message {
            Message::Push(body) => {
                self.take_in_all(shared, ctx, from, body, Way::Push);
                push::send_prunes(&mut shared.scratch, ctx);
                self.push_on(shared, ctx);
            }
            Message::Value { value, hops } => {
                let Body::Value(content) = ctx.body(value) else { return };
                let content = *content;
                let label = Label { hops, ..content.label }.one_hop_on();
                let found = Found { content, body: Some(value) };
                self.take_in(shared, ctx, from, (label, Some(found)), Way::Push);
                push::send_prunes(&mut shared.scratch, ctx);
                self.push_on(shared, ctx);
            }
            Message::PullResponse(body) => self.take_in_all(shared, ctx, from, body, Way::Pull),
            Message::PullRequest(body) => {
                let Body::Request(request, _) = ctx.body(body) else { return };
                if let Some(contact) = request.contact {
                    self.take_in(shared, ctx, from, (contact, None), Way::Pull);
                }
                let Self { store, budget, rng, .. } = self;
                let (now, validators) = (ctx.now(), shared.validators());
                let budget = budget.get_or_insert_with(|| Budget::full(now, validators));
                pull::answer(store, budget, rng, shared, ctx, (from, body));
            }
            Message::Prune(body) => {
                let Body::Prune(origins, at) = ctx.body(body) else { return };
                if !push::prune_is_valid(ctx.now(), *at) {
                    return;
                }
                let size = shared.config.active_set as usize;
                for origin in origins.iter().filter(|origin| **origin != self.me) {
                    self.sets.prune(from, *origin, shared.classes[*origin], size);
                }
            }
        }
    }

    /// Fetches what a push will need.
    #[inline]
    pub fn fetch<B>(&self, step: Fetch, bodies: &Bodies<B>, message: Message)
    where
        Body: Part<B>,
    {
        let (Message::Push(body) | Message::Value { value: body, .. }) = message else { return };
        if step == Fetch::Part {
            fetch(&self.running);
            self.store.fetch();
        }
        match (Body::unwrap(bodies.body(body)), step) {
            (Body::Value(content), Fetch::Table) => self.store.fetch_value(&content.label),
            (Body::Values(labels), Fetch::Table) => fetch_at(&labels.list, 0),
            (Body::Values(labels), Fetch::Last) => {
                labels.list.iter().take(2).for_each(|label| self.store.fetch_value(label));
            }
            _ => {}
        }
    }

    /// Fetches what pushing on will need.
    #[inline]
    pub fn fetch_for_timer(&self, step: Fetch, timer: Timer) {
        match (timer, step) {
            (Timer::Batch, Fetch::Part) => {
                fetch(&self.waiting);
                fetch(&self.sets);
            }
            (Timer::Batch, Fetch::Table) => fetch_at(&self.waiting, 0),
            (Timer::Batch, Fetch::Last) => {
                let values = self.waiting.iter().take(4);
                values.for_each(|Waiting { label, .. }| self.sets.fetch(label.origin));
            }
            _ => {}
        }
    }

    /// Pushes on what came, together with what else comes in the time of a batch.
    fn push_on(
        &mut self,
        shared: &mut Shared,
        ctx: &mut (impl Context<Message, Timer> + Shelf<Body>),
    ) {
        if shared.config.batch.is_zero() {
            push::flush(&mut self.waiting, &self.sets, shared, ctx);
        } else if !self.collecting && !self.waiting.is_empty() {
            self.collecting = true;
            ctx.after(shared.config.batch, Timer::Batch);
        }
    }

    /// The node crashed. Contact infos are on disk; the rest is lost in any case.
    pub fn on_crash(&mut self, shared: &Shared, memory: Memory) {
        self.running = false;
        self.collecting = false;
        self.warm = false;
        self.settled = false;
        self.roster_is_current = false;
        self.waiting.clear();
        self.received.clear();
        self.store.clear_scores();
        self.sets.clear();
        *self.votes = [None; VOTES];
        self.budget = None;
        match memory {
            Memory::Kept => self.store.keep_only(|key| shared.layout.is_contact_info(key)),
            Memory::Lost => {
                self.store.keep_only(|_| false);
                self.validators = 0;
            }
        }
    }

    /// Takes in the values of a message, and decides on prunes.
    fn take_in_all(
        &mut self,
        shared: &mut Shared,
        ctx: &mut (impl Local + Shelf<Body>),
        from: NodeId,
        body: BodyId,
        way: Way,
    ) {
        let mut place = 0;
        loop {
            let Body::Values(labels) = ctx.body(body) else { return };
            let Some(label) = labels.list.get(place) else { return };
            self.take_in(shared, ctx, from, (label.one_hop_on(), None), way);
            place += 1;
        }
    }

    /// Takes in one value; what it says is given or looked up.
    #[inline]
    fn take_in(
        &mut self,
        shared: &mut Shared,
        ctx: &mut impl Local,
        from: NodeId,
        (label, found): (Label, Option<Found>),
        way: Way,
    ) {
        let standing = self.store.standing(&label);
        let first = standing == Standing::New;
        if first && !self.accept(shared, ctx, from, (&label, found), way) {
            return;
        }
        let (node, value, hops, pushed) = (self.me, label.number, label.hops, way == Way::Push);
        if pushed || first {
            ctx.observe(Fact::ValueReceived { node, value, from, hops, pushed, first });
            if label.place == Place::RUMOR {
                let rumor = shared.layout.number_of_rumor(&label);
                let hops = hops.into();
                ctx.observe(Fact::RumorReceived { node, rumor, from, hops, first });
            }
        }
        let pushes = match standing {
            Standing::New => 0,
            Standing::Known { pushes } => pushes,
            Standing::Outdated => return,
        };
        if pushed {
            self.count_push(shared, from, &label, pushes);
        }
    }

    /// A push of a value that the node has now: scores its relayer, and decides on prunes.
    #[inline]
    fn count_push(&mut self, shared: &mut Shared, from: NodeId, label: &Label, pushes: u8) {
        self.store.count_push(label.key);
        let Shared { config, stakes, scratch, .. } = shared;
        let origin = label.origin;
        let scores = self.store.scores(origin);
        if self.received.record(scores, from, pushes, config) {
            let prunes = &mut scratch.prunes;
            let prune = |relayer| prunes.push((relayer, origin));
            let of = (origin, scores);
            self.received.decide(of, self.me, stakes, config, &mut scratch.ranked, prune);
        }
    }

    /// Takes in a new value, unless the rules refuse it.
    fn accept(
        &mut self,
        shared: &mut Shared,
        ctx: &mut impl Local,
        from: NodeId,
        (label, found): (&Label, Option<Found>),
        way: Way,
    ) -> bool {
        let now = ctx.now();
        let found = match found {
            Some(found) => Some(found).filter(|_| shared.contents.keeps(label)),
            None => shared.contents.entry(label.key, label.version).map(Found::of),
        };
        let Some(Found { content, body }) = found else { return false };
        let (origin, kind) = (label.origin, label.place.kind());
        let slots = matches!(kind, ValueKind::EpochSlots | ValueKind::LowestSlot);
        let in_time = within_window(now, content.wallclock);
        let refused = match way {
            Way::Push => !in_time,
            Way::Pull => now.since(content.wallclock) > shared.expiry(origin),
        };
        if refused || slots && !shared.relays(origin) {
            return false;
        }
        let fresh = self.store.insert(label, now);
        if in_time {
            self.waiting.push(Waiting { label: *label, body });
        }
        if kind == ValueKind::ContactInfo {
            self.roster_is_current &= !fresh;
            if shared.stakes[origin] > 0 {
                self.validators += u32::from(fresh);
                let (node, version) = (self.me, label.version);
                ctx.observe(Fact::Learned { node, about: origin, version, from });
            }
        }
        shared.arrived(&content);
        true
    }

    /// Makes the roster anew and rotates the active sets.
    fn rotate(&mut self, shared: &mut Shared, peers: &Peers, now: Time) {
        self.list_peers(shared, peers, now);
        let Shared { config, classes, scratch, .. } = shared;
        let (size, listed) = (config.active_set as usize, &mut scratch.nodes);
        self.sets.rotate(size, &self.roster, classes, &mut self.rng, listed);
    }

    /// Lists whom the node may gossip with.
    fn list_peers(&mut self, shared: &mut Shared, peers: &Peers, now: Time) {
        let mut listed = std::mem::take(&mut shared.scratch.nodes);
        listed.clear();
        for node in NodeId::all(shared.stakes.len()) {
            if node != self.me && self.is_peer(shared, peers, node, now) {
                listed.push(node);
            }
        }
        self.roster.fill(&listed, &shared.classes);
        self.roster_is_current = true;
        shared.scratch.nodes = listed;
    }

    /// Whether a node may be gossiped with: its contact info is fresh, or stale and luck has it, or
    /// it is a peer of the overlay that has not been heard of.
    fn is_peer(&mut self, shared: &Shared, peers: &Peers, node: NodeId, now: Time) -> bool {
        let key = shared.layout.key(node, Place::CONTACT_INFO);
        let version = self.store.version(key);
        if version == 0 {
            return peers.contains(node);
        }
        let content = shared.contents.find(key, version);
        let Some(age) = content.map(|content| now.since(content.wallclock)) else { return false };
        if age > shared.expiry(node) {
            return false;
        }
        age <= FRESH || shared.stakes[node] > 0 && self.rng.below(STALE_CHANCE) == 0
    }

    /// Asks peers for what the node lacks.
    fn pull(
        &mut self,
        shared: &mut Shared,
        peers: &Peers,
        ctx: &mut (impl Context<Message, Timer> + Shelf<Body>),
    ) {
        let now = ctx.now();
        if !self.roster_is_current {
            self.list_peers(shared, peers, now);
        }
        let items = self.store.items(now);
        let mask_bits = pull::mask_bits(items, shared.filter_items);
        let mut parts = std::mem::take(&mut shared.scratch.places);
        let count = pull::requests(mask_bits) as usize;
        self.rng.sample(1 << mask_bits, count, &mut parts);
        let contact = self.contact_info(shared);
        let own = shared.classes[self.me];
        for part in &parts {
            let weight = |bits| pull_weight(bits, own);
            let drawn = self.roster.draw(&mut self.rng, weight, &[], &shared.classes);
            let Some(peer) = drawn else { break };
            let salt = self.rng.bits();
            let part = (*part, mask_bits, items);
            let request = pull::request(&self.store, part, contact, (now, salt), shared);
            let body = ctx.store(Body::request(request));
            ctx.send(peer, Message::PullRequest(body));
        }
        shared.scratch.places = parts;
    }

    /// The name of the own contact info, as a request carries it.
    fn contact_info(&self, shared: &Shared) -> Option<Label> {
        let key = shared.layout.key(self.me, Place::CONTACT_INFO);
        let content = shared.contents.find(key, self.store.version(key))?;
        Some(content.label.one_hop_on())
    }
}

#[cfg(test)]
mod tests;
