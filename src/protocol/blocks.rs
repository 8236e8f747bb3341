//! Protocol layer: the parts of a node that make, spread and keep blocks, wired together. They know
//! nothing of each other; what one finds out is handed to the next here.

use std::sync::Arc;

use super::adversary::{Adversary, Role, Spam};
use super::block::{Block, BlockId, ShredAt};
use super::blockstore::{Blockstore, Path, Received};
use super::chain::{Chain, Link};
use super::cluster::Cluster;
use super::consensus::{self, Consensus};
use super::contacts::Contacts;
use super::forward::{self, Forward, Submission};
use super::leading::{self, BlocksConfig, Leading, Led, Made, Registry, SlotsConfig};
use super::mempool;
use super::peers::Peers;
use super::price::Work;
use super::repair::{self, Repair, View};
use super::turbine::tree::Position;
use super::turbine::{self, Turbine, Way};
use super::vote::Vote;
use crate::base::fetch::fetch;
use crate::base::id::NodeId;
use crate::base::slot::Slot;
use crate::base::time::Span;
use crate::fact::{Fact, Offence, Status};
use crate::sim::body::BodyId;
use crate::sim::protocol::{Fetch, Memory, Shelf};

/// Everything these parts ask of their node.
pub trait Ctx: turbine::Ctx + leading::Ctx + repair::Ctx + forward::Ctx + consensus::Ctx {}
impl<C: turbine::Ctx + leading::Ctx + repair::Ctx + forward::Ctx + consensus::Ctx> Ctx for C {}

/// What nodes do about blocks; the same for all of them.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Slots and their leaders.
    pub slots: Arc<SlotsConfig>,
    /// What leaders put into blocks.
    pub blocks: Arc<BlocksConfig>,
    /// How blocks reach everybody.
    pub turbine: Arc<turbine::Config>,
    /// How transactions reach leaders.
    pub forward: forward::Config,
    /// How transactions wait at a node.
    pub mempool: mempool::Config,
    /// How nodes get what is missing.
    pub repair: Arc<repair::Settings>,
    /// How nodes vote.
    pub consensus: consensus::Config,
}

impl Settings {
    /// Whether nodes vote.
    #[must_use]
    pub fn votes(&self) -> bool {
        self.consensus.style != consensus::Style::Off
    }

    /// Whether nodes ask for what is missing.
    #[must_use]
    pub fn repairs(&self) -> bool {
        self.repair.config.style != repair::Style::Off
    }
}

/// What came of a shred.
#[derive(Clone, Copy)]
struct Taken {
    /// The node did not have it.
    fresh: bool,
    /// It opened a block, completed one or proved something: the node may have voted.
    decisive: bool,
}

/// One node's parts that have to do with blocks. What every shred needs stands first.
#[repr(C, align(128))]
pub struct Blocks {
    turbine: Turbine,
    repair: Option<Box<Repair>>,
    /// Repair wants to hear of every shred, and not only of those that are news.
    counts_shreds: bool,
    store: Blockstore,
    leading: Leading,
    forward: Forward,
    settings: Arc<SlotsConfig>,
    consensus: Option<Consensus>,
    /// What the node does against the rules; `None` if it is honest.
    adversary: Option<Box<Adversary>>,
}

impl Blocks {
    /// A node that knows nothing but genesis.
    #[must_use]
    pub fn new(settings: &Settings, cluster: &Cluster, me: NodeId) -> Self {
        let turbine = &settings.turbine;
        let genesis = cluster.genesis.id();
        let (slots, blocks) = (Arc::clone(&settings.slots), Arc::clone(&settings.blocks));
        let consensus = Consensus::new(settings.consensus, cluster.len());
        let chain = Chain::new(genesis, turbine.history);
        let chain = if consensus.is_some() { chain.voted() } else { chain };
        Self {
            store: Blockstore::new(turbine.limits(), turbine.forward_recovered),
            leading: Leading::new(Arc::clone(&slots), blocks, chain),
            turbine: Turbine::new(Arc::clone(turbine)),
            counts_shreds: settings.repair.config.style == repair::Style::Classroom,
            forward: Forward::new(settings.forward, settings.mempool, cluster.seed, me),
            settings: slots,
            repair: Repair::new(&settings.repair, cluster.seed, me).map(Box::new),
            consensus,
            adversary: None,
        }
    }

    /// The same for a node that these roles may name.
    #[must_use]
    pub fn with_roles(self, roles: &[Role], cluster: &Cluster, me: NodeId) -> Self {
        let turbine = self.turbine.with_liar(turbine::Shreds::new(roles, cluster.seed, me));
        Self { adversary: Adversary::new(roles, me), turbine, ..self }
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

    /// Its votes; `None` if nobody votes.
    #[must_use]
    pub const fn consensus(&self) -> Option<&Consensus> {
        self.consensus.as_ref()
    }

    /// The transactions that wait at the node.
    #[must_use]
    pub const fn forward(&self) -> &Forward {
        &self.forward
    }

    /// What the node says of its blocks at a sample; all else is left at its default.
    #[must_use]
    pub fn status(&self) -> Status {
        let head = self.leading.chain().head();
        Status {
            slot: head.next_slot.minus(1).number(),
            height: head.height,
            partial_blocks: self.store.partial() as u32,
            mempool: self.forward.pool().len() as u32,
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

    /// Fetches what a shred will need.
    #[inline]
    pub fn fetch<'a>(
        &self,
        step: Fetch,
        cluster: &Cluster,
        block: impl FnOnce() -> &'a Block,
        shred: (BodyId, ShredAt, Position),
    ) {
        if step == Fetch::Part {
            fetch(&self.turbine);
        }
        Turbine::fetch(step, cluster.trees.as_ref(), &self.store, block, shred);
    }

    /// A message of block propagation arrived. True if the node may have something to publish now.
    #[inline]
    pub fn on_turbine(
        &mut self,
        cluster: &mut Cluster,
        contacts: Contacts<'_>,
        ctx: &mut impl Ctx,
        message: turbine::Message,
    ) -> bool {
        match message {
            turbine::Message::Shred { block, at, hops } => {
                let position = Position::of_label(ctx.label());
                let way = Way { path: Path::Turbine(hops), hops, position };
                self.receive(cluster, contacts, ctx, (block, at), way)
            }
            turbine::Message::Again { block, at } => {
                let way = Way::off_the_tree(Path::Turbine(0));
                self.receive(cluster, contacts, ctx, (block, at), way)
            }
            turbine::Message::Proposal { block } => {
                if self.store.knows(block) || self.open(cluster, contacts, ctx, block) {
                    self.turbine.on_proposal(&mut self.store, block);
                }
                return true;
            }
        }
        .decisive
    }

    /// A message of repair arrived.
    pub fn on_repair(
        &mut self,
        cluster: &mut Cluster,
        contacts: Contacts<'_>,
        ctx: &mut impl Ctx,
        from: NodeId,
        message: repair::Message,
    ) {
        let Some(repair) = &mut self.repair else { return };
        let (peers, is_answer) =
            (contacts.peers, matches!(message, repair::Message::Answer { .. }));
        // Who leads matters to those that are asked.
        let leads = !is_answer && self.leading.is_leading(cluster, contacts, ctx.me(), ctx.now());
        let view = view(&self.store, &self.leading, peers);
        let (now, me, turbine) = (ctx.now(), ctx.me(), &self.turbine);
        let keeps = |block: &Block, index| {
            turbine.keeps_from_askers(now, me, block, block.shape.data_at(index))
        };
        let answer = repair.on_message(&view, ctx, from, message, leads, keeps);
        let Some((body, index)) = answer else { return };
        let at = Shelf::<Block>::body(ctx, body).shape.data_at(index.into());
        let way = Way::off_the_tree(Path::Repair);
        let fresh = self.receive(cluster, contacts, ctx, (body, at), way).fresh;
        let node = ctx.me();
        ctx.observe(Fact::RepairAnswered { node, fresh });
    }

    /// A shred came in; a block that it completes joins the chain.
    #[inline]
    fn receive(
        &mut self,
        cluster: &mut Cluster,
        contacts: Contacts<'_>,
        ctx: &mut impl Ctx,
        (body, at): (BodyId, ShredAt),
        way: Way,
    ) -> Taken {
        let peers = contacts.peers;
        let places = (&mut *cluster, &mut self.store, peers);
        let (received, opened) = match self.turbine.receive(places, ctx, (body, at), way) {
            Some(received) => (received, false),
            None if !self.open(cluster, contacts, ctx, body) => {
                return Taken { fresh: false, decisive: true };
            }
            None => {
                let places = (&mut *cluster, &mut self.store, peers);
                let received = self.turbine.receive(places, ctx, (body, at), way);
                (received.unwrap_or(Received::DUPLICATE), true)
            }
        };
        let taken = Taken {
            fresh: received.is(Received::FRESH),
            decisive: opened || received.is(Received::WHOLE),
        };
        if !received.is(Received::FRESH) {
            return taken;
        }
        if received.is(Received::WHOLE) {
            self.on_whole(cluster, contacts, ctx, body);
        }
        if (received.is_news() || self.counts_shreds)
            && let Some(repair) = &mut self.repair
        {
            let view = view(&self.store, &self.leading, peers);
            repair.on_shred(&view, ctx, (body, at.set), received, opened);
        }
        taken
    }

    /// The first that the node hears of a block: makes room for it, unless it has been in the chain
    /// for so long that the store has forgotten it, or the node has another version of it.
    fn open(
        &mut self,
        cluster: &mut Cluster,
        contacts: Contacts<'_>,
        ctx: &mut impl Ctx,
        body: BodyId,
    ) -> bool {
        let block: &Block = Shelf::<Block>::body(ctx, body);
        let (slot, leader, id) = (block.slot, block.leader, block.id());
        if self.leading.chain().has(id) {
            return false;
        }
        if self.settings.registry == Registry::Genesis
            && cluster.schedule.leader(slot) != Some(leader)
        {
            let (node, offence) = (ctx.me(), Offence::WrongLeader);
            ctx.observe(Fact::OffenceNoticed { node, culprit: leader, offence });
            return false;
        }
        let has_other = |body| Shelf::<Block>::body(ctx, body).leader == leader;
        let other = self.store.versions(slot).find(|body| has_other(*body));
        if let (Some(other), true) = (other, self.consensus.is_some()) {
            self.on_duplicate(cluster, contacts, ctx, (slot, leader), [other, body]);
            let chain = self.leading.chain();
            if !self
                .consensus
                .as_ref()
                .is_some_and(|consensus| consensus.prefers(slot, id) || consensus.awaits(chain, id))
            {
                return false;
            }
        }
        self.turbine.open(&mut self.store, ctx, body);
        true
    }

    /// The node has shreds of two blocks of a leader for one slot. Where no gossip carries the
    /// proof, the node tells its peers by sending them a shred of each.
    fn on_duplicate(
        &mut self,
        cluster: &mut Cluster,
        contacts: Contacts<'_>,
        ctx: &mut impl Ctx,
        proof: (Slot, NodeId),
        versions: [BodyId; 2],
    ) {
        let Some(consensus) = &mut self.consensus else { return };
        let liar = self.adversary.as_deref_mut();
        let mut desk =
            ballot_desk((&mut self.leading, liar), &self.settings, cluster, contacts, ctx);
        let (fresh, head) = consensus.on_duplicate(&mut desk, ctx, proof);
        if fresh && cluster.crds.is_none() {
            let shred = |body| (body, Shelf::<Block>::body(ctx, body).shape.data_at(0));
            for (block, at) in versions.map(shred) {
                let message = turbine::Message::Again { block, at };
                contacts.peers.iter().for_each(|peer| ctx.send(peer, message));
            }
        }
        self.settle(cluster, ctx, head);
    }

    /// A part of a proof of two blocks for one slot came by gossip: by whom it was made, what it
    /// proves, and which part of how many it is.
    pub fn on_proof(
        &mut self,
        cluster: &mut Cluster,
        contacts: Contacts<'_>,
        ctx: &mut impl Ctx,
        (by, proof, part): (NodeId, (Slot, NodeId), (u8, u8)),
    ) {
        let Some(consensus) = &mut self.consensus else { return };
        if !consensus.completes_proof(by, proof.0, part) {
            return;
        }
        cluster.prices.charge(ctx, Work::Verify(2));
        let liar = self.adversary.as_deref_mut();
        let mut desk =
            ballot_desk((&mut self.leading, liar), &self.settings, cluster, contacts, ctx);
        let head = consensus.on_proof(&mut desk, ctx, proof);
        self.settle(cluster, ctx, head);
    }

    /// Whether there is something for gossip.
    #[inline]
    #[must_use]
    pub fn has_news(&self) -> bool {
        self.consensus.as_ref().is_some_and(Consensus::has_news)
    }

    /// Leaders that made two blocks for a slot by what the node has seen itself, since the last
    /// call, for gossip.
    pub fn take_proofs(&mut self) -> impl Iterator<Item = (Slot, NodeId)> + '_ {
        self.consensus.iter_mut().flat_map(Consensus::take_proofs)
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

    /// A block is whole: the node pays for checking all of it, and if nothing is wrong with it, it
    /// joins the chain.
    fn on_whole(
        &mut self,
        cluster: &mut Cluster,
        contacts: Contacts<'_>,
        ctx: &mut impl Ctx,
        body: BodyId,
    ) {
        let block: &Block = Shelf::<Block>::body(ctx, body);
        let ledger = &block.ledger;
        let transactions = (ledger.transactions().len() + ledger.votes().len()) as u64;
        let (slot, id, flaw) = (block.slot, block.id().0, block.flaw);
        let works = [
            Work::Poh(block.poh_hashes),
            Work::Verify(transactions),
            Work::Execute(transactions),
            Work::Hash(block.bytes.into()),
        ];
        works.into_iter().for_each(|work| cluster.prices.charge(ctx, work));
        if let Some(reason) = flaw {
            let node = ctx.me();
            ctx.observe(Fact::BlockRefused { node, slot, block: id, reason });
            return;
        }
        self.adopt(cluster, contacts, ctx, body, false);
    }

    /// A whole block joins the chain, one of the node's own if it has `led`. The node votes, if it
    /// does, and builds on the best block there is now.
    fn adopt(
        &mut self,
        cluster: &mut Cluster,
        contacts: Contacts<'_>,
        ctx: &mut impl Ctx,
        body: BodyId,
        led: bool,
    ) {
        let joined = self.leading.add(ctx, body);
        let head = match &mut self.consensus {
            None => self.leading.chain().longest(),
            Some(consensus) => {
                let leader = (&mut self.leading, self.adversary.as_deref_mut());
                let mut desk = ballot_desk(leader, &self.settings, cluster, contacts, ctx);
                consensus.on_joined(&mut desk, ctx, &joined)
            }
        };
        self.switch(cluster, ctx, head, led);
        self.resend_own(cluster, contacts.peers, ctx);
    }

    /// The node builds on a block. What it did before is told to the waiting transactions.
    fn switch(&mut self, cluster: &mut Cluster, ctx: &mut impl Ctx, head: BlockId, led: bool) {
        if let Some(consensus) = &mut self.consensus {
            consensus.take_released().for_each(|body| Shelf::<Block>::release(ctx, body));
        }
        let before = *self.leading.chain().head();
        self.leading.switch(cluster, ctx, head, led);
        self.after_switch(ctx, &before);
    }

    /// A vote arrived in a message.
    pub fn on_vote(
        &mut self,
        cluster: &mut Cluster,
        contacts: Contacts<'_>,
        ctx: &mut impl Ctx,
        message: consensus::Message,
    ) {
        let Some(consensus) = &mut self.consensus else { return };
        cluster.prices.charge(ctx, Work::Verify(1));
        let liar = self.adversary.as_deref_mut();
        let mut desk =
            ballot_desk((&mut self.leading, liar), &self.settings, cluster, contacts, ctx);
        let head = consensus.on_message(&mut desk, ctx, message);
        self.settle(cluster, ctx, head);
    }

    /// Votes came by gossip.
    pub fn on_votes(
        &mut self,
        cluster: &mut Cluster,
        contacts: Contacts<'_>,
        ctx: &mut impl Ctx,
        votes: &[Vote],
    ) {
        let Some(consensus) = &mut self.consensus else { return };
        cluster.prices.charge(ctx, Work::Verify(votes.len() as u64));
        let liar = self.adversary.as_deref_mut();
        let mut desk =
            ballot_desk((&mut self.leading, liar), &self.settings, cluster, contacts, ctx);
        let head = consensus.on_votes(&mut desk, ctx, votes);
        self.settle(cluster, ctx, head);
    }

    /// An alarm of votes.
    pub fn on_consensus_timer(
        &mut self,
        cluster: &mut Cluster,
        contacts: Contacts<'_>,
        ctx: &mut impl Ctx,
    ) {
        let Some(consensus) = &mut self.consensus else { return };
        let liar = self.adversary.as_deref_mut();
        let mut desk =
            ballot_desk((&mut self.leading, liar), &self.settings, cluster, contacts, ctx);
        let head = consensus.on_timer(&mut desk, ctx);
        self.settle(cluster, ctx, head);
    }

    /// Builds on another block if votes said so.
    fn settle(&mut self, cluster: &mut Cluster, ctx: &mut impl Ctx, head: Option<BlockId>) {
        if let Some(head) = head {
            self.switch(cluster, ctx, head, false);
        }
    }

    /// A validator has told by gossip which slots it has.
    pub fn on_complete(&mut self, who: NodeId, slots: (Slot, u64)) {
        self.consensus.iter_mut().for_each(|consensus| consensus.on_complete(who, slots));
        self.repair.iter_mut().for_each(|repair| repair.on_complete(who, slots));
    }

    /// Which slots the node has, if there are more than at the last call: each with bits for the 64
    /// before it.
    pub fn take_complete(&mut self) -> Vec<(Slot, u64)> {
        self.consensus.as_mut().map_or_else(Vec::new, Consensus::take_complete)
    }

    /// Sends a block of the node's own that has not reached enough others once more.
    fn resend_own(&mut self, cluster: &mut Cluster, peers: &Peers, ctx: &mut impl Ctx) {
        let block = self.consensus.as_mut().and_then(Consensus::take_resent);
        let body = block.and_then(|id| self.leading.chain().link(id)?.body);
        if let Some(body) = body {
            self.turbine.begin(cluster, peers, ctx, body, (Span::ZERO, false));
        }
    }

    /// The node's own votes since the last call, for gossip.
    pub fn take_published(&mut self) -> impl Iterator<Item = Vote> + '_ {
        self.consensus.iter_mut().flat_map(Consensus::take_published)
    }

    /// Tells the waiting transactions if the node builds on another block than `before`.
    fn after_switch(&mut self, ctx: &mut impl Ctx, before: &Link) {
        let chain = self.leading.chain();
        if chain.head().id != before.id {
            self.forward.on_switch(chain, before, ctx);
        }
    }

    /// A client hands something in.
    pub fn on_submission(
        &mut self,
        cluster: &mut Cluster,
        contacts: Contacts<'_>,
        ctx: &mut impl Ctx,
        submission: Submission,
    ) {
        let mut desk = desk(&self.leading, &self.settings, cluster, contacts, ctx);
        self.forward.on_input(&mut desk, ctx, submission);
    }

    /// A transaction arrived.
    pub fn on_forward(
        &mut self,
        cluster: &mut Cluster,
        contacts: Contacts<'_>,
        ctx: &mut impl Ctx,
        from: NodeId,
        message: forward::Message,
    ) {
        let mut desk = desk(&self.leading, &self.settings, cluster, contacts, ctx);
        self.forward.on_message(&mut desk, ctx, from, message);
    }

    /// A liar sends a transaction: its number, what is in it, and bytes of further data.
    pub fn on_spam(
        &mut self,
        cluster: &mut Cluster,
        contacts: Contacts<'_>,
        ctx: &mut impl Ctx,
        transaction: (u32, Spam, u32),
    ) {
        let mut desk = desk(&self.leading, &self.settings, cluster, contacts, ctx);
        self.forward.spam(&mut desk, ctx, transaction);
    }

    /// An alarm of forwarding.
    pub fn on_forward_timer(
        &mut self,
        cluster: &mut Cluster,
        contacts: Contacts<'_>,
        ctx: &mut impl Ctx,
    ) {
        let mut desk = desk(&self.leading, &self.settings, cluster, contacts, ctx);
        self.forward.on_timer(&mut desk, ctx);
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
        contacts: Contacts<'_>,
        ctx: &mut impl Ctx,
        timer: leading::Timer,
    ) {
        let (store, pool) = (&mut self.store, self.forward.pool_mut());
        let (consensus, liar) = (self.consensus.as_mut(), self.adversary.as_deref_mut());
        let mut desk = leading::Desk { cluster, store, pool, contacts, consensus, liar };
        let Led { made, finished } = self.leading.on_timer(&mut desk, ctx, timer);
        match finished {
            Some(body) if self.is_fit(cluster, Shelf::<Block>::body(ctx, body)) => {
                self.adopt(cluster, contacts, ctx, body, true);
            }
            // A liar builds on what others accept.
            Some(_) => {
                self.leading.go_on();
                self.switch(cluster, ctx, self.leading.chain().head().id, true);
            }
            None => {}
        }
        if let Some(Made { body, twin, length, ticks }) = made {
            self.turbine.make_room(&mut self.store, ctx);
            if let (Some(twin), Some(liar)) = (twin, &self.adversary) {
                self.turbine.send_straight(ctx, twin, &liar.audience(ctx.me(), ctx.now()));
            }
            self.turbine.begin(cluster, contacts.peers, ctx, body, (length, ticks));
        }
        // It may have found that its last block has not reached enough others.
        self.resend_own(cluster, contacts.peers, ctx);
    }

    /// Whether others will accept a block of the node's own; always so if it is honest.
    fn is_fit(&self, cluster: &mut Cluster, block: &Block) -> bool {
        let mut leads = || cluster.schedule.leader(block.slot) == Some(block.leader);
        self.adversary.is_none()
            || block.flaw.is_none() && (self.settings.registry == Registry::Gossip || leads())
    }

    /// The node crashed. What a real one has on disk survives, unless it forgets everything.
    pub fn on_crash(&mut self, ctx: &mut impl Ctx, memory: Memory) {
        self.turbine.on_crash(ctx);
        self.forward.on_crash(ctx);
        self.leading.on_crash(ctx, memory);
        if let Some(consensus) = &mut self.consensus {
            consensus.on_crash(memory, self.settings.newest_slot(ctx.now()));
        }
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

/// What votes look at.
fn ballot_desk<'a>(
    (leading, liar): (&'a mut Leading, Option<&'a mut Adversary>),
    slots: &SlotsConfig,
    cluster: &'a mut Cluster,
    contacts: Contacts<'a>,
    ctx: &impl Ctx,
) -> consensus::Desk<'a> {
    let slot = leading.slot(ctx.now());
    let (chain, registry) = (leading.chain_mut(), slots.registry);
    consensus::Desk { cluster, chain, contacts, registry, slot, liar }
}

/// What forwarding looks at.
fn desk<'a>(
    leading: &Leading,
    slots: &SlotsConfig,
    cluster: &'a mut Cluster,
    contacts: Contacts<'a>,
    ctx: &impl Ctx,
) -> forward::Desk<'a> {
    let (slot, head) = (leading.slot(ctx.now()), leading.chain().head().body);
    forward::Desk { cluster, contacts, registry: slots.registry, slot, head }
}

#[cfg(test)]
mod tests;
