//! Protocol layer: the parts of a node that make, spread and keep blocks, wired together. They know
//! nothing of each other; what one finds out is handed to the next here.

use std::sync::Arc;

use super::block::{Block, BlockId, ShredAt};
use super::blockstore::{Blockstore, Path};
use super::cluster::Cluster;
use super::leading::{self, BlocksConfig, Leading, Made, SlotsConfig};
use super::peers::Peers;
use super::turbine::{self, Turbine};
use crate::fact::Status;
use crate::sim::body::BodyId;
use crate::sim::protocol::{Memory, Shelf};

/// Everything these parts ask of their node.
pub trait Ctx: turbine::Ctx + leading::Ctx {}
impl<C: turbine::Ctx + leading::Ctx> Ctx for C {}

/// What nodes do about blocks; the same for all of them.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Slots and their leaders.
    pub slots: Arc<SlotsConfig>,
    /// What leaders put into blocks.
    pub blocks: Arc<BlocksConfig>,
    /// How blocks reach everybody.
    pub turbine: Arc<turbine::Config>,
}

/// One node's parts that have to do with blocks.
pub struct Blocks {
    store: Blockstore,
    turbine: Turbine,
    leading: Leading,
}

impl Blocks {
    /// A node that knows nothing but genesis.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let turbine = &settings.turbine;
        let genesis = BlockId(leading::genesis_hash().low_u64());
        let (slots, blocks) = (Arc::clone(&settings.slots), Arc::clone(&settings.blocks));
        Self {
            store: Blockstore::new(turbine.limits(), turbine.forward_recovered),
            leading: Leading::new(slots, blocks, genesis, turbine.history),
            turbine: Turbine::new(Arc::clone(turbine)),
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
    pub fn on_start(&mut self, cluster: &mut Cluster, ctx: &mut impl Ctx) {
        self.leading.on_start(cluster, ctx);
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
                self.receive(cluster, peers, ctx, (block, at), Path::Turbine, hops);
            }
            turbine::Message::Again { block, at } => {
                self.receive(cluster, peers, ctx, (block, at), Path::Turbine, 0);
            }
            turbine::Message::Proposal { block } => {
                self.turbine.on_proposal(&mut self.store, ctx, block);
            }
        }
    }

    /// A shred came in; a block that it completes joins the chain.
    #[inline]
    fn receive(
        &mut self,
        cluster: &mut Cluster,
        peers: &Peers,
        ctx: &mut impl Ctx,
        (body, at): (BodyId, ShredAt),
        path: Path,
        hops: u8,
    ) {
        let places = (&mut *cluster, &mut self.store, peers);
        if self.turbine.receive(places, ctx, (body, at), path, hops) {
            self.leading.on_block(cluster, ctx, body);
        }
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
            self.turbine.begin(cluster, peers, ctx, body, length);
        }
    }

    /// The node crashed. What a real one has on disk survives, unless it forgets everything.
    pub fn on_crash(&mut self, ctx: &mut impl Ctx, memory: Memory) {
        self.turbine.on_crash();
        self.leading.on_crash(ctx, memory);
        if memory == Memory::Lost {
            self.store.clear(|body| Shelf::<Block>::release(ctx, body));
        }
    }
}
