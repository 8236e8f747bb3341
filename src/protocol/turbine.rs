//! Protocol layer: Turbine, block propagation in shreds: the leader cuts a block and sends each
//! shred to the root of its tree, and every node passes on what its place in the tree asks for.
//!
//! Sources of the rules: the tutorial chapter's network (round-robin over own peers), Agave
//! (`turbine/src/broadcast_stage`, `turbine/src/retransmit_stage.rs`) and, for `relay`, Rotor of
//! the Alpenglow white paper.

pub mod config;
mod liar;
mod message;
#[cfg(test)]
mod tests;
pub mod tree;

use std::sync::Arc;

pub use self::config::Config;
use self::config::{Emission, Order};
pub use self::liar::Shreds;
pub use self::message::{Message, Timer};
use self::tree::{Branch, Position, ShredKey, Trees};
use super::block::{Block, BlockId, Shape, ShredAt};
use super::blockstore::{Blockstore, Expired, Path, Received, Tally};
use super::cluster::Cluster;
use super::peers::Peers;
use super::price::Work;
use crate::base::id::NodeId;
use crate::base::slot::Slot;
use crate::base::time::{Span, Time};
use crate::fact::Fact;
use crate::sim::body::BodyId;
use crate::sim::protocol::{Context, Fetch, Shelf};

/// Everything this part asks of its node.
pub trait Ctx: Context<Message, Timer> + Shelf<Block> {}
impl<C: Context<Message, Timer> + Shelf<Block>> Ctx for C {}

/// Slots from one leader to the one that Agave 4.4 sends every shred to as well: a window
/// (`turbine/src/broadcast_stage.rs`).
const NEXT_LEADER: u32 = 4;

/// One node's part in block propagation.
pub struct Turbine {
    config: Arc<Config>,
    /// The blocks that the node is sending as their leader: at the end of a slot the last set of
    /// one may leave after the next has begun.
    emitting: Vec<Emitting>,
    /// What the node does to shreds against the rules; `None` if it is honest.
    liar: Option<Box<Shreds>>,
}

/// A leader's block on its way out.
#[derive(Clone, Copy, Debug)]
struct Emitting {
    slot: Slot,
    body: BodyId,
    shape: Shape,
    /// How long the leader takes over it.
    length: Span,
    sent: Sent,
}

impl Emitting {
    /// All of it is sent.
    fn done(&self, ctx: &mut impl Ctx) {
        let (node, block) = (ctx.me(), ctx.body(self.body).id().0);
        let Sent { messages, bytes } = self.sent;
        ctx.observe(Fact::BlockSent { node, block, messages, bytes });
    }
}

/// What a leader sent of a block.
#[derive(Clone, Copy, Default, Debug)]
struct Sent {
    messages: u32,
    bytes: u64,
}

impl Sent {
    fn add(&mut self, messages: usize, size: u32) {
        self.messages = self.messages.saturating_add(messages as u32);
        self.bytes += messages as u64 * u64::from(size);
    }
}

/// What of a block matters for passing a shred on; copied, so that the body need not stay borrowed.
#[derive(Clone, Copy)]
struct Facts {
    slot: Slot,
    leader: NodeId,
    shape: Shape,
    id: BlockId,
}

impl Facts {
    fn of(block: &Block) -> Self {
        Self { slot: block.slot, leader: block.leader, shape: block.shape, id: block.id() }
    }

    fn key(&self, at: ShredAt) -> ShredKey {
        let coding = self.shape.is_coding(at);
        ShredKey { slot: self.slot, index: self.shape.index(at), coding, leader: self.leader }
    }
}

/// The fact about the shreds of a block that a node has.
const fn counted(node: NodeId, block: BlockId, tally: Tally) -> Fact {
    let Tally { turbine, recovered, repaired, duplicate, hops } = tally;
    Fact::ShredsCounted { node, block: block.0, turbine, recovered, repaired, duplicate, hops }
}

/// How a shred came to a node, and with it where the node stands in the shred's tree.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    /// By what path.
    pub path: Path,
    /// Links travelled down the tree.
    pub hops: u8,
    /// The node's position, if it came down the tree.
    pub position: Position,
}

impl Way {
    /// By this path, which is not down its tree.
    #[must_use]
    pub const fn off_the_tree(path: Path) -> Self {
        Self { path, hops: 0, position: Position::UNKNOWN }
    }
}

impl Turbine {
    /// A node that has sent nothing.
    #[must_use]
    pub const fn new(config: Arc<Config>) -> Self {
        Self { config, emitting: Vec::new(), liar: None }
    }

    /// The same for a node that keeps shreds back or sends them late.
    #[must_use]
    pub fn with_liar(self, liar: Option<Box<Shreds>>) -> Self {
        Self { liar, ..self }
    }

    /// Whether the node keeps a shred from those who ask for it, as a liar may.
    #[must_use]
    pub fn keeps_from_askers(&self, now: Time, me: NodeId, block: &Block, at: ShredAt) -> bool {
        self.liar.as_ref().is_some_and(|liar| liar.keeps_from_askers(now, me, block, at))
    }

    /// The node crashed: what it was sending stays unsent.
    pub fn on_crash(&mut self, ctx: &mut impl Ctx) {
        self.emitting.clear();
        self.liar.iter_mut().for_each(|liar| liar.on_crash(ctx));
    }

    /// The leader begins to send a block of its own, which it holds. `length` is its time in the
    /// slot; with `ticks` the block is not finished before that is over.
    pub fn begin(
        &mut self,
        cluster: &mut Cluster,
        peers: &Peers,
        ctx: &mut impl Ctx,
        body: BodyId,
        (length, ticks): (Span, bool),
    ) {
        let block: &Block = ctx.body(body);
        let (slot, shape) = (block.slot, block.shape);
        if self.config.proposals {
            let message = Message::Proposal { block: body };
            peers.iter().for_each(|peer| ctx.send(peer, message));
        }
        let emitting = Emitting { slot, body, shape, length, sent: Sent::default() };
        if self.config.emission == Emission::AtOnce && ticks {
            ctx.after(length, Timer { slot, step: 0 });
            self.emitting.push(emitting);
        } else {
            self.step(cluster, peers, ctx, emitting, 0);
        }
    }

    /// An alarm of this part: the next share of an own block is due.
    pub fn on_timer(
        &mut self,
        cluster: &mut Cluster,
        peers: &Peers,
        ctx: &mut impl Ctx,
        Timer { slot, step }: Timer,
    ) {
        if let (Timer::LATE, Some(liar)) = (Timer { slot, step }, &mut self.liar) {
            return liar.on_timer(ctx);
        }
        let place = self.emitting.iter().position(|emitting| emitting.slot == slot);
        if let Some(place) = place {
            let emitting = self.emitting.remove(place);
            self.step(cluster, peers, ctx, emitting, step);
        }
    }

    /// Sends the next share of the leader's block and sets the alarm for the one after it.
    fn step(
        &mut self,
        cluster: &mut Cluster,
        peers: &Peers,
        ctx: &mut impl Ctx,
        mut emitting: Emitting,
        step: u32,
    ) {
        let Emitting { slot, shape, length, .. } = emitting;
        let steps = match self.config.emission {
            Emission::AtOnce => 1,
            Emission::BySet => shape.sets() + 1,
            Emission::ByShred => shape.shreds(),
        };
        let due = match self.config.emission {
            Emission::AtOnce => 0..shape.shreds(),
            Emission::ByShred => step..step + 1,
            // A set is full at the end of its share.
            Emission::BySet if step == 0 => 0..0,
            Emission::BySet => {
                let set = (step - 1) as u16;
                let first = shape.ordinal(ShredAt { set, place: 0 });
                first..first + shape.width(set)
            }
        };
        self.emit(cluster, peers, ctx, &mut emitting, due);
        if step + 1 == steps {
            return emitting.done(ctx);
        }
        let shares = if self.config.emission == Emission::BySet { steps - 1 } else { steps };
        let share = |step: u32| length.scaled(step.into(), shares.into());
        ctx.after(share(step + 1) - share(step), Timer { slot, step: step + 1 });
        self.emitting.push(emitting);
    }

    /// Sends some shreds of the leader's own block, in the order of the settings.
    fn emit(
        &mut self,
        cluster: &mut Cluster,
        peers: &Peers,
        ctx: &mut impl Ctx,
        emitting: &mut Emitting,
        ordinals: std::ops::Range<u32>,
    ) {
        let facts = Facts::of(ctx.body(emitting.body));
        let kept = self.kept(ctx, &facts, ordinals.clone());
        let shreds = ordinals.map(|ordinal| facts.shape.at(ordinal));
        let shreds = shreds.filter(|at| kept.is_empty() || !kept.contains(at));
        if self.config.order == Order::ChunkMajor {
            for at in shreds {
                self.choose(cluster, peers, &facts, at, (ctx.me(), Position::UNKNOWN));
                emitting.sent.add(cluster.branches.len(), facts.shape.size(at));
                let message = Message::Shred { block: emitting.body, at, hops: 1 };
                self.send(ctx, &cluster.branches, message);
            }
        } else {
            let body = emitting.body;
            self.receiver_major((cluster, peers), ctx, body, shreds, 1, &mut emitting.sent);
        }
    }

    /// Which of these shreds the node keeps to itself, if it lies.
    fn kept(
        &mut self,
        ctx: &mut impl Ctx,
        facts: &Facts,
        ordinals: std::ops::Range<u32>,
    ) -> Vec<ShredAt> {
        let Some(liar) = &mut self.liar else { return Vec::new() };
        let own = facts.leader == ctx.me();
        let shreds = ordinals.map(|ordinal| facts.shape.at(ordinal));
        shreds.filter(|at| liar.keeps(ctx, own, (facts.id, facts.shape.ordinal(*at)))).collect()
    }

    /// Sends a shred to some nodes, late if it lies so.
    #[inline]
    fn send(&mut self, ctx: &mut impl Ctx, branches: &[Branch], message: Message) {
        match &mut self.liar {
            _ if branches.is_empty() => {}
            None => ctx.send_each(message, branches.iter().map(|branch| branch.receiver())),
            Some(liar) => branches.iter().for_each(|branch| liar.send(ctx, branch.to, message)),
        }
    }

    /// Sends shreds to the first receiver of each, then to the second of each, and so on.
    fn receiver_major(
        &mut self,
        (cluster, peers): (&mut Cluster, &Peers),
        ctx: &mut impl Ctx,
        body: BodyId,
        shreds: impl Iterator<Item = ShredAt> + Clone,
        hops: u8,
        sent: &mut Sent,
    ) {
        let facts = Facts::of(ctx.body(body));
        // The leader's first receivers come first; others have served theirs on the way.
        let first = usize::from(hops > 1 && self.config.order == Order::ChildMajor);
        for rank in first.. {
            let mut served = false;
            for at in shreds.clone() {
                self.choose(cluster, peers, &facts, at, (ctx.me(), Position::UNKNOWN));
                if let Some(branch) = cluster.branches.get(rank) {
                    let message = Message::Shred { block: body, at, hops };
                    self.send(ctx, std::slice::from_ref(branch), message);
                    sent.add(1, facts.shape.size(at));
                    served = true;
                }
            }
            if !served {
                break;
            }
        }
    }

    /// A shred came, by whatever path: passes it on, and says what it changed. `None` if the node
    /// has not heard of the block yet; then nothing is done.
    #[inline]
    pub fn receive(
        &mut self,
        (cluster, store, peers): (&mut Cluster, &mut Blockstore, &Peers),
        ctx: &mut impl Ctx,
        (body, at): (BodyId, ShredAt),
        way: Way,
    ) -> Option<Received> {
        let Way { path, hops, .. } = way;
        let received = store.receive(ctx.now(), body, ctx.body(body), at, path)?;
        if received.is(Received::FRESH) {
            cluster.prices.charge_shred(ctx);
            if matches!(path, Path::Turbine(_)) && self.config.forward_received {
                self.pass_on(cluster, peers, ctx, (body, at), way);
            }
            if received.is(Received::DECODES) {
                self.on_decoded(cluster, peers, ctx, (body, at.set), store.recovered(), hops);
            }
            if received.is(Received::WHOLE) {
                self.on_whole((cluster, store, peers), ctx, body, hops);
            }
        } else if received.is(Received::MISCODED) {
            let (node, Facts { slot, id, .. }) = (ctx.me(), Facts::of(ctx.body(body)));
            ctx.observe(Fact::BlockMiscoded { node, slot, block: id.0, set: at.set });
        }
        Some(received)
    }

    /// Fetches what [`Self::receive`] will read.
    #[inline]
    pub fn fetch<'a>(
        step: Fetch,
        trees: Option<&Trees>,
        store: &Blockstore,
        block: impl FnOnce() -> &'a Block,
        (body, at, position): (BodyId, ShredAt, Position),
    ) {
        match (step, trees) {
            (Fetch::Part, _) => store.fetch(),
            (Fetch::Table, _) => store.fetch_part(body, at),
            (Fetch::Last, Some(trees)) if trees.may_be_inner(position) => {
                trees.fetch(&Facts::of(block()).key(at), position);
            }
            _ => {}
        }
    }

    /// The leader's announcement of a block that the node has heard of came: it tells how many
    /// shreds there are.
    pub fn on_proposal(&self, store: &mut Blockstore, body: BodyId) {
        store.learn_end(body);
    }

    /// The first that a node hears of a block: makes room for it.
    pub fn open(&self, store: &mut Blockstore, ctx: &mut impl Ctx, body: BodyId) {
        self.make_room(store, ctx);
        let (node, now) = (ctx.me(), ctx.now());
        ctx.hold(body);
        let block: &Block = ctx.body(body);
        let fact = Fact::BlockFirstShred { node, slot: block.slot, block: block.id().0 };
        store.open(now, body, block);
        ctx.observe(fact);
    }

    /// Makes room for a new block in the store.
    pub fn make_room(&self, store: &mut Blockstore, ctx: &mut impl Ctx) {
        let mut dropped = Vec::new();
        store.make_room(ctx.now(), |expired, given_up| dropped.push((expired, given_up)));
        Self::give_back(ctx, dropped);
    }

    /// Gives up what has become too old.
    pub fn expire(&self, store: &mut Blockstore, ctx: &mut impl Ctx) {
        let mut dropped = Vec::new();
        store.expire(ctx.now(), |expired, given_up| dropped.push((expired, given_up)));
        Self::give_back(ctx, dropped);
    }

    fn give_back(ctx: &mut impl Ctx, dropped: Vec<(Expired, bool)>) {
        let node = ctx.me();
        for (Expired { body, tally }, given_up) in dropped {
            if given_up {
                let Facts { slot, id, .. } = Facts::of(ctx.body(body));
                ctx.observe(Fact::BlockExpired { node, slot, block: id.0 });
                ctx.observe(counted(node, id, tally));
            }
            ctx.release(body);
        }
    }

    /// Passes a received shred on, as far as its order allows that already.
    #[inline]
    fn pass_on(
        &mut self,
        cluster: &mut Cluster,
        peers: &Peers,
        ctx: &mut impl Ctx,
        (body, at): (BodyId, ShredAt),
        Way { hops, position, .. }: Way,
    ) {
        if self.config.order == Order::WholeBlock {
            return;
        }
        if let Some(trees) = &mut cluster.trees
            && !trees.may_be_inner(position)
        {
            return;
        }
        let me = ctx.me();
        let facts = Facts::of(ctx.body(body));
        if let Some(trees) = &mut cluster.trees
            && !trees.is_inner(&facts.key(at), me, position)
        {
            return;
        }
        if let Some(liar) = &mut self.liar
            && liar.keeps(ctx, false, (facts.id, facts.shape.ordinal(at)))
        {
            return;
        }
        self.choose(cluster, peers, &facts, at, (me, position));
        let limit = if self.config.order == Order::ChildMajor { 1 } else { usize::MAX };
        let branches = &cluster.branches[..cluster.branches.len().min(limit)];
        let message = Message::Shred { block: body, at, hops: hops.saturating_add(1) };
        self.send(ctx, branches, message);
    }

    /// A set can be decoded: its other shreds are passed on as if they had been received (Agave:
    /// recovered shreds are retransmitted, repaired ones are not).
    fn on_decoded(
        &mut self,
        cluster: &mut Cluster,
        peers: &Peers,
        ctx: &mut impl Ctx,
        (body, set): (BodyId, u16),
        recovered: &[u64],
        hops: u8,
    ) {
        let shape = ctx.body(body).shape;
        if shape.has_coding() {
            cluster.prices.charge(ctx, Work::Code(1));
        }
        if shape.has_coding() && self.config.forward_received && self.config.forward_recovered {
            for at in shape.set(set) {
                let place = usize::from(at.place);
                if recovered[place / 64] >> (place % 64) & 1 == 1 {
                    let way = Way { hops, ..Way::off_the_tree(Path::Turbine(hops)) };
                    self.pass_on(cluster, peers, ctx, (body, at), way);
                }
            }
        }
    }

    /// A block is whole: says so, and serves the receivers that had to wait.
    fn on_whole(
        &mut self,
        (cluster, store, peers): (&mut Cluster, &mut Blockstore, &Peers),
        ctx: &mut impl Ctx,
        body: BodyId,
        hops: u8,
    ) {
        let node = ctx.me();
        let Facts { slot, id, shape, .. } = Facts::of(ctx.body(body));
        if let Some((first, tally)) = store.tally(body) {
            ctx.observe(Fact::BlockWhole { node, slot, block: id.0, first });
            ctx.observe(counted(node, id, tally));
        }
        let later = self.config.forward_received && self.config.order != Order::ChunkMajor;
        let repaired =
            |at: &ShredAt| store.unsettled(body).is_some_and(|part| part.is_repaired(*at));
        // What repair brought is not passed on in any order.
        let shreds: Vec<ShredAt> = if later {
            let all = (0..shape.shreds()).map(|ordinal| shape.at(ordinal));
            let mut shreds: Vec<ShredAt> = all.filter(|at| !repaired(at)).collect();
            if let Some(liar) = &mut self.liar {
                shreds.retain(|at| !liar.keeps(ctx, false, (id, shape.ordinal(*at))));
            }
            shreds
        } else {
            Vec::new()
        };
        store.settle_full(body, ctx.body(body));
        if later {
            let hops = hops.saturating_add(1).max(2);
            let (shreds, sent) = (shreds.into_iter(), &mut Sent::default());
            self.receiver_major((cluster, peers), ctx, body, shreds, hops, sent);
        }
    }

    /// Whom this node sends a shred to, in order: [`Cluster::branches`].
    #[inline]
    fn choose(
        &self,
        cluster: &mut Cluster,
        peers: &Peers,
        facts: &Facts,
        at: ShredAt,
        (me, position): (NodeId, Position),
    ) {
        let (leads, branches) = (facts.leader == me, &mut cluster.branches);
        match &mut cluster.trees {
            Some(trees) if leads => trees.roots(&facts.key(at), branches),
            Some(trees) => trees.children(&facts.key(at), me, position, branches),
            None => {
                let ordinal = facts.shape.ordinal(at);
                let places = tree::round_robin(ordinal, self.config.trees.fanout, peers.len());
                branches.clear();
                branches.extend(places.map(|place| Branch::to(peers.get(place))));
            }
        }
        if leads && self.config.next_leader {
            let next = cluster.schedule.leader(facts.slot.plus(NEXT_LEADER));
            let served = |node: &NodeId| branches.iter().any(|branch| branch.to == *node);
            let next = next.filter(|next| *next != me && !served(next));
            branches.extend(next.map(Branch::to));
        }
    }

    /// Sends every shred of a block straight to each of some nodes.
    pub fn send_straight(&self, ctx: &mut impl Ctx, block: BodyId, to: &[NodeId]) {
        let shape = ctx.body(block).shape;
        for at in (0..shape.shreds()).map(|ordinal| shape.at(ordinal)) {
            let receivers = to.iter().map(|to| Branch::to(*to).receiver());
            ctx.send_each(Message::Shred { block, at, hops: 1 }, receivers);
        }
    }

    /// Sends a whole block again to some peers, chunk after chunk in turn (the classroom's way of
    /// catching up).
    pub fn resend(&self, ctx: &mut impl Ctx, block: BodyId, to: &[NodeId]) {
        let (now, me, shape) = (ctx.now(), ctx.me(), ctx.body(block).shape);
        for ordinal in 0..shape.shreds() {
            let at = shape.at(ordinal);
            if self.keeps_from_askers(now, me, ctx.body(block), at) {
                continue;
            }
            for place in tree::round_robin(ordinal, self.config.trees.fanout, to.len()) {
                ctx.send(to[place], Message::Again { block, at });
            }
        }
    }
}
