//! Protocol layer: the parts of a node that make, spread and keep blocks, wired together. They know
//! nothing of each other; what one finds out is handed to the next here.

use std::sync::Arc;

use super::block::{Block, BlockId, ShredAt};
use super::blockstore::{Blockstore, Path, Received};
use super::cluster::Cluster;
use super::leading::{self, BlocksConfig, Leading, Made, SlotsConfig};
use super::peers::Peers;
use super::repair::{self, Repair, View};
use super::turbine::{self, Turbine};
use crate::base::id::NodeId;
use crate::base::rng::Seed;
use crate::fact::{Fact, Status};
use crate::sim::body::BodyId;
use crate::sim::protocol::{Memory, Shelf};

/// Everything these parts ask of their node.
pub trait Ctx: turbine::Ctx + leading::Ctx + repair::Ctx {}
impl<C: turbine::Ctx + leading::Ctx + repair::Ctx> Ctx for C {}

/// What nodes do about blocks; the same for all of them.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Slots and their leaders.
    pub slots: Arc<SlotsConfig>,
    /// What leaders put into blocks.
    pub blocks: Arc<BlocksConfig>,
    /// How blocks reach everybody.
    pub turbine: Arc<turbine::Config>,
    /// How nodes get what is missing.
    pub repair: Arc<repair::Settings>,
}

impl Settings {
    /// Whether nodes ask for what is missing.
    #[must_use]
    pub fn repairs(&self) -> bool {
        self.repair.config.style != repair::Style::Off
    }
}

/// One node's parts that have to do with blocks.
pub struct Blocks {
    store: Blockstore,
    turbine: Turbine,
    leading: Leading,
    repair: Option<Repair>,
}

impl Blocks {
    /// A node that knows nothing but genesis.
    #[must_use]
    pub fn new(settings: &Settings, seed: Seed, me: NodeId) -> Self {
        let turbine = &settings.turbine;
        let genesis = BlockId(leading::genesis_hash().low_u64());
        let (slots, blocks) = (Arc::clone(&settings.slots), Arc::clone(&settings.blocks));
        Self {
            store: Blockstore::new(turbine.limits(), turbine.forward_recovered),
            leading: Leading::new(slots, blocks, genesis, turbine.history),
            turbine: Turbine::new(Arc::clone(turbine)),
            repair: Repair::new(&settings.repair, seed, me),
        }
    }

    /// What the node holds of each block.
    #[must_use]
    pub const fn store(&self) -> &Blockstore {
        &self.store
    }

    /// The node's chain.
    #[must_use]
    pub const fn leading(&self) -> &Leading {
        &self.leading
    }

    /// What the node says of its blocks at a sample; all else is left at its default.
    #[must_use]
    pub fn status(&self) -> Status {
        let head = self.leading.chain().head();
        Status {
            slot: head.next_slot.minus(1).number(),
            height: head.height,
            partial_blocks: self.store.partial() as u32,
            ..Status::default()
        }
    }

    /// The node starts, or comes back.
    pub fn on_start(&mut self, cluster: &mut Cluster, peers: &Peers, ctx: &mut impl Ctx) {
        self.leading.on_start(cluster, ctx);
        if let Some(repair) = &mut self.repair {
            repair.on_start(&view(&self.store, &self.leading, peers), ctx);
        }
    }

    /// A message of block propagation arrived.
    #[inline]
    pub fn on_turbine(
        &mut self,
        cluster: &mut Cluster,
        peers: &Peers,
        ctx: &mut impl Ctx,
        message: turbine::Message,
    ) {
        match message {
            turbine::Message::Shred { block, at, hops } => {
                self.receive(cluster, peers, ctx, (block, at), Path::Turbine(hops), hops);
            }
            turbine::Message::Again { block, at } => {
                self.receive(cluster, peers, ctx, (block, at), Path::Turbine(0), 0);
            }
            turbine::Message::Proposal { block } => {
                if self.store.knows(block) || self.open(ctx, block) {
                    self.turbine.on_proposal(&mut self.store, block);
                }
            }
        }
    }

    /// A message of repair arrived.
    pub fn on_repair(
        &mut self,
        cluster: &mut Cluster,
        peers: &Peers,
        ctx: &mut impl Ctx,
        from: NodeId,
        message: repair::Message,
    ) {
        let Some(repair) = &mut self.repair else { return };
        let leads = self.leading.is_leading(cluster, ctx.me(), ctx.now());
        let view = view(&self.store, &self.leading, peers);
        let Some((body, index)) = repair.on_message(&view, ctx, from, message, leads) else {
            return;
        };
        let at = Shelf::<Block>::body(ctx, body).shape.data_at(index.into());
        let fresh = self.receive(cluster, peers, ctx, (body, at), Path::Repair, 0);
        let node = ctx.me();
        ctx.observe(Fact::RepairAnswered { node, fresh });
    }

    /// A shred came in; a block that it completes joins the chain. True if it is new to the node.
    #[inline]
    fn receive(
        &mut self,
        cluster: &mut Cluster,
        peers: &Peers,
        ctx: &mut impl Ctx,
        (body, at): (BodyId, ShredAt),
        path: Path,
        hops: u8,
    ) -> bool {
        let places = (&mut *cluster, &mut self.store, peers);
        let (received, opened) = match self.turbine.receive(places, ctx, (body, at), path, hops) {
            Some(received) => (received, false),
            None if !self.open(ctx, body) => return false,
            None => {
                let places = (&mut *cluster, &mut self.store, peers);
                let received = self.turbine.receive(places, ctx, (body, at), path, hops);
                (received.unwrap_or(Received::DUPLICATE), true)
            }
        };
        if !received.fresh {
            return false;
        }
        if received.whole {
            self.leading.on_block(cluster, ctx, body);
        }
        if let Some(repair) = &mut self.repair {
            let view = view(&self.store, &self.leading, peers);
            repair.on_shred(&view, ctx, body, &received, opened);
        }
        true
    }

    /// The first that the node hears of a block: makes room for it, unless it has been in the chain
    /// for so long that the store has forgotten it.
    fn open(&mut self, ctx: &mut impl Ctx, body: BodyId) -> bool {
        let fresh = !self.leading.chain().has(Shelf::<Block>::body(ctx, body).id());
        if fresh {
            self.turbine.open(&mut self.store, ctx, body);
        }
        fresh
    }

    /// An alarm of repair.
    pub fn on_repair_timer(&mut self, peers: &Peers, ctx: &mut impl Ctx, timer: repair::Timer) {
        let Some(repair) = &mut self.repair else { return };
        self.turbine.expire(&mut self.store, ctx);
        repair.on_timer(&view(&self.store, &self.leading, peers), ctx, timer);
    }

    /// Sends the last blocks of the node's chain to some peers again, the oldest of them first.
    pub fn resend(&self, ctx: &mut impl Ctx, count: usize, to: &[NodeId]) {
        if to.is_empty() {
            return;
        }
        let newest = self.leading.chain().canonical().take(count).filter_map(|link| link.body);
        let newest: Vec<BodyId> = newest.collect();
        newest.into_iter().rev().for_each(|body| self.turbine.resend(ctx, body, to));
    }

    /// An alarm of block propagation.
    pub fn on_turbine_timer(
        &mut self,
        cluster: &mut Cluster,
        peers: &Peers,
        ctx: &mut impl Ctx,
        timer: turbine::Timer,
    ) {
        self.turbine.on_timer(cluster, peers, ctx, timer);
    }

    /// An alarm of leading.
    pub fn on_leading_timer(
        &mut self,
        cluster: &mut Cluster,
        peers: &Peers,
        ctx: &mut impl Ctx,
        timer: leading::Timer,
    ) {
        let made = self.leading.on_timer(cluster, &mut self.store, ctx, timer);
        if let Some(Made { body, length }) = made {
            self.turbine.make_room(&mut self.store, ctx);
            self.turbine.begin(cluster, peers, ctx, body, length);
        }
    }

    /// The node crashed. What a real one has on disk survives, unless it forgets everything.
    pub fn on_crash(&mut self, ctx: &mut impl Ctx, memory: Memory) {
        self.turbine.on_crash();
        self.leading.on_crash(ctx, memory);
        if let Some(repair) = &mut self.repair {
            repair.on_crash();
        }
        if memory == Memory::Lost {
            self.store.clear(|body| Shelf::<Block>::release(ctx, body));
        }
    }
}

/// What repair may read of the other parts.
fn view<'a>(store: &'a Blockstore, leading: &'a Leading, peers: &'a Peers) -> View<'a> {
    View { store, chain: leading.chain(), peers }
}
