//! Protocol layer: leading: when a node may make a block, and what it makes.
//!
//! With `start = "clock"` slot k begins for everybody at its own k times the slot time (the
//! classroom's rule). With `start = "poh"` every node counts ticks from the block it last switched
//! to, and starts to lead when its count, with a grace for the leader before, has reached its slot
//! (Agave, `poh/src/poh_recorder.rs`).

mod config;
mod making;

use std::sync::Arc;

pub use self::config::{BlocksConfig, Content, ExplicitBlock, Registry, SlotsConfig, Start};
use super::adversary::Adversary;
use super::block::{Block, BlockId};
use super::blockstore::Blockstore;
use super::chain::{Chain, Link};
use super::cluster::Cluster;
use super::consensus::Consensus;
use super::contacts::Contacts;
use super::mempool::Mempool;
use super::schedule::Kind;
use crate::base::id::NodeId;
use crate::base::slot::Slot;
use crate::base::time::{Span, Time};
use crate::fact::Fact;
use crate::sim::body::BodyId;
use crate::sim::protocol::{Alarm, Local, Memory, Shelf};

/// Everything this part asks of its node.
pub trait Ctx: Local + Alarm<Timer> + Shelf<Block> {}
impl<C: Local + Alarm<Timer> + Shelf<Block>> Ctx for C {}

/// Ticks of a slot (Agave: 64 in all versions).
const TICKS: u64 = 64;
/// Most ticks a leader waits for the blocks of the one before (Agave: two slots).
const MOST_GRACE: u64 = 2 * TICKS;
/// A head that is at most so many slots before a leader's first is near, or that of a window where
/// windows are longer (Agave: the four slots of a leader).
const NEAR: u32 = 4;
/// The first slot that anybody leads: slot 0 is that of genesis.
const FIRST: Slot = Slot::new(1);
/// How far a node looks for its next slot in one go, where leaders are cheap to tell.
const HORIZON: u32 = 65_536;
/// The same where every slot costs thousands of hashes.
pub const POH_HORIZON: u32 = 64;

/// Alarms of this part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Timer {
    /// A slot begins by the clock.
    Slot(Slot),
    /// By its ticks the node may lead, unless it has switched to another block since.
    Lead {
        /// How often it had switched when the alarm was set, modulo 2^16: no alarm is pending for
        /// that many switches.
        resets: u16,
        /// The slot it would lead.
        slot: Slot,
        /// Whether the grace for the leader before has passed.
        waited: bool,
    },
    /// There was no slot of the node in sight up to this one: it looks further, unless it has
    /// switched since.
    Look {
        /// As in [`Timer::Lead`].
        resets: u16,
        /// From where on to look.
        slot: Slot,
    },
    /// The slot that the node leads is over by its ticks.
    End(Slot),
}

/// A block that a node has just made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Made {
    /// Its body, held once by the store.
    pub body: BodyId,
    /// Another block for the same slot, by a liar that makes two; nobody holds it.
    pub twin: Option<BodyId>,
    /// How long the leader has for it.
    pub length: Span,
    /// Whether it is finished only when that time is over, because its last tick belongs to it.
    pub ticks: bool,
}

/// What came of an alarm.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Led {
    /// The block that the node makes now.
    pub made: Option<Made>,
    /// A block of its own that it has finished, and that joins its chain.
    pub finished: Option<BodyId>,
}

/// What a leader looks at when its slot begins.
pub struct Desk<'a> {
    /// What all nodes know.
    pub cluster: &'a mut Cluster,
    /// What the node holds of each block.
    pub store: &'a mut Blockstore,
    /// The transactions that wait at it.
    pub pool: &'a mut Mempool,
    /// What it knows of others.
    pub contacts: Contacts<'a>,
    /// Its part in votes, if there are any.
    pub consensus: Option<&'a mut Consensus>,
    /// What it does against the rules; `None` if it is honest.
    pub liar: Option<&'a mut Adversary>,
}

/// One node's part in making blocks, and its chain.
pub struct Leading {
    slots: Arc<SlotsConfig>,
    blocks: Arc<BlocksConfig>,
    chain: Chain,
    /// How often the tick count was reset, and when last.
    resets: u16,
    reset_at: Time,
    /// The slot the node leads now by ticks, and its block.
    leads: Option<(Slot, BodyId)>,
    /// The first slot it has not decided on.
    undecided: Slot,
    /// The slot that it comes to next by its own ticks, though its last block is not the head: a
    /// liar does not build on what nobody accepts, but it has ticked through that block.
    ticked_to: Option<Slot>,
}

impl Leading {
    /// A node that knows nothing but genesis.
    #[must_use]
    pub fn new(slots: Arc<SlotsConfig>, blocks: Arc<BlocksConfig>, chain: Chain) -> Self {
        Self {
            slots,
            blocks,
            chain,
            resets: 0,
            reset_at: Time::ZERO,
            leads: None,
            undecided: FIRST,
            ticked_to: None,
        }
    }

    /// The blocks the node has.
    #[must_use]
    pub const fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The same, for votes to weigh.
    pub const fn chain_mut(&mut self) -> &mut Chain {
        &mut self.chain
    }

    /// The slot that the node is in by its own count.
    #[must_use]
    pub fn slot(&self, now: Time) -> Slot {
        match self.slots.start {
            Start::Clock => self.slots.slot_at(now),
            Start::Poh => {
                let passed = now.since(self.reset_at).as_nanos() / self.length().as_nanos().max(1);
                self.chain.head().next_slot.plus(u32::try_from(passed).unwrap_or(u32::MAX))
            }
        }
    }

    /// Whether the slot that the node is in by its own count is its own, in its own eyes.
    #[must_use]
    pub fn is_leading(
        &self,
        cluster: &mut Cluster,
        contacts: Contacts<'_>,
        me: NodeId,
        now: Time,
    ) -> bool {
        contacts.leader(self.slots.registry, cluster, self.slot(now)) == Some(me)
    }

    /// The node starts, or comes back.
    pub fn on_start(&mut self, cluster: &mut Cluster, ctx: &mut impl Ctx) {
        match self.slots.start {
            Start::Clock => {
                let now = self.slots.slot_at(ctx.now());
                let begun = self.slots.begins(now) < ctx.now();
                let first = if begun { now.next() } else { now };
                self.undecided = first.max(FIRST);
                self.await_slot(cluster, ctx);
            }
            Start::Poh => {
                self.leads = None;
                self.reset(cluster, ctx);
            }
        }
    }

    /// The node crashed; `release` gets the bodies that the chain held.
    pub fn on_crash(&mut self, ctx: &mut impl Ctx, memory: Memory) {
        self.leads = None;
        if memory == Memory::Lost {
            // It may have led any slot up to now.
            self.undecided = self.slots.newest_slot(ctx.now()).next();
            self.chain.clear().into_iter().for_each(|body| ctx.release(body));
        }
    }

    /// An alarm of this part.
    pub fn on_timer(&mut self, desk: &mut Desk<'_>, ctx: &mut impl Ctx, timer: Timer) -> Led {
        match timer {
            Timer::Slot(slot) => {
                let leads = self.leads_by_clock(desk, ctx, slot);
                let made = leads.then(|| self.lead(desk, ctx, slot, self.slots.duration)).flatten();
                self.undecided = slot.next();
                self.await_slot(desk.cluster, ctx);
                // It has all of its slot, but nothing in it depends on that.
                Led { made, finished: made.map(|made| made.body) }
            }
            Timer::Look { resets, slot } => {
                if resets == self.resets && self.leads.is_none() {
                    self.undecided = slot;
                    self.aim(desk.cluster, ctx);
                }
                Led::default()
            }
            Timer::Lead { resets, .. } if resets != self.resets || self.leads.is_some() => {
                Led::default()
            }
            Timer::Lead { slot, waited, .. } => {
                Led { made: self.try_lead(desk, ctx, slot, waited), finished: None }
            }
            Timer::End(slot) => {
                let finished = self.leads.take_if(|(led, _)| *led == slot);
                Led { made: None, finished: finished.map(|(_, body)| body) }
            }
        }
    }

    /// Whether the node leads a slot for which its alarm went off. With the schedule from genesis
    /// it had found that out before, unless the alarm was there to look further; with stakes from
    /// gossip it draws now, from all that it has heard of by now.
    fn leads_by_clock(&self, desk: &mut Desk<'_>, ctx: &impl Ctx, slot: Slot) -> bool {
        let registry = self.slots.registry;
        desk.contacts.leader(registry, desk.cluster, slot) == Some(ctx.me())
    }

    /// A whole block, which the store holds, joins the chain. Returns the blocks that have a path
    /// to genesis now, parents first.
    pub fn add(&mut self, ctx: &mut impl Ctx, body: BodyId) -> Vec<Link> {
        let link = Link::of(ctx.body(body), body);
        ctx.hold(body);
        let added = self.chain.add(link);
        added.dropped.into_iter().for_each(|body| ctx.release(body));
        added.joined
    }

    /// A block of the chain is the one to build on; if it was not, ticks are counted from it.
    /// So they are after a block of its own, whether that is the one or not: then `again` is true.
    pub fn switch(
        &mut self,
        cluster: &mut Cluster,
        ctx: &mut impl Ctx,
        head: BlockId,
        again: bool,
    ) {
        let (left, dropped) = self.chain.switch(head);
        dropped.into_iter().for_each(|body| ctx.release(body));
        let Some(left) = left else {
            if again && self.slots.start == Start::Poh && self.leads.is_none() {
                self.reset(cluster, ctx);
            }
            return;
        };
        let head = *self.chain.head();
        let reorganised = self.chain.depth_of_fork(&left);
        let (node, block) = (ctx.me(), head.id.0);
        ctx.observe(Fact::HeadChanged { node, block, height: head.height, reorganised });
        if self.slots.start == Start::Poh && self.leads.is_none() {
            self.reset(cluster, ctx);
        }
    }

    /// The time in which a leader ticks through its slot.
    fn length(&self) -> Span {
        self.slots.length()
    }

    /// How far the node looks for its next slot in one go.
    fn horizon(&self) -> u32 {
        if self.slots.schedule == Kind::Poh { POH_HORIZON } else { HORIZON }
    }

    /// Sets the alarm for the next slot that the node leads by the clock.
    fn await_slot(&mut self, cluster: &mut Cluster, ctx: &mut impl Ctx) {
        let from = self.undecided;
        let slot = match self.slots.registry {
            Registry::Gossip if !cluster.is_validator(ctx.me()) => return,
            // What it hears until then decides.
            Registry::Gossip => from,
            Registry::Genesis => {
                let window = cluster.schedule.next_window(ctx.me(), from, self.horizon());
                // With no slot in sight the alarm is there to look further.
                window.map_or(from.plus(self.horizon()), |(first, _)| first.max(from))
            }
        };
        ctx.after(self.slots.begins(slot).since(ctx.now()), Timer::Slot(slot));
    }

    /// The node has finished a block that it will not build on itself. Its ticks go on from there.
    pub const fn go_on(&mut self) {
        self.ticked_to = Some(self.undecided);
    }

    /// Counts ticks from the head as of now, and sets the alarm for when they allow to lead.
    fn reset(&mut self, cluster: &mut Cluster, ctx: &mut impl Ctx) {
        self.resets = self.resets.wrapping_add(1);
        self.reset_at = ctx.now();
        self.aim(cluster, ctx);
    }

    /// Sets the alarm for when the ticks since the last reset allow to lead.
    fn aim(&mut self, cluster: &mut Cluster, ctx: &mut impl Ctx) {
        let head = *self.chain.head();
        let from = head.next_slot.max(self.undecided);
        let resets = self.resets;
        let window = cluster.schedule.next_window(ctx.me(), from, self.horizon());
        let Some((first, last)) = window else {
            let slot = from.plus(self.horizon());
            let ticks = u64::from(slot.since(head.next_slot)) * TICKS;
            return self.at_tick(ctx, ticks, Timer::Look { resets, slot });
        };
        let mine = head.body.is_some_and(|body| ctx.body(body).leader == ctx.me());
        let ticked_to = self.ticked_to.take().unwrap_or(head.next_slot).max(head.next_slot);
        let at_once = ticked_to == first;
        let before = u64::from(first.since(ticked_to)) * TICKS;
        let grace = MOST_GRACE.min(u64::from(last.since(first) + 1) * TICKS / 2);
        // A head so near means that the leader before is at work: it gets its grace.
        let near = self.slots.schedule().window().max(NEAR);
        let recent = first.since(head.next_slot) < near && head.height > 0;
        let waits = !(at_once || mine) && recent;
        let ticks = if waits { before + grace } else { before };
        let timer = Timer::Lead { resets, slot: first, waited: waits || at_once || mine };
        self.at_tick(ctx, ticks, timer);
    }

    /// Sets an alarm for a number of ticks since the last reset.
    fn at_tick(&self, ctx: &mut impl Ctx, ticks: u64, timer: Timer) {
        let due = self.reset_at.saturating_add(self.length().scaled(ticks, TICKS));
        ctx.after(due.since(ctx.now()), timer);
    }

    /// Ticks have reached a slot of the node. If the head is old and something newer on top of it
    /// is on its way, the node gives that its grace first (Agave 4.4, pull request 13186).
    fn try_lead(
        &mut self,
        desk: &mut Desk<'_>,
        ctx: &mut impl Ctx,
        slot: Slot,
        waited: bool,
    ) -> Option<Made> {
        let head = self.chain.head().id;
        let upon = |(body, of)| of < slot && ctx.body(body).parent_id() == head;
        let pending = desk.store.incomplete().any(upon);
        if pending && !waited {
            let timer = Timer::Lead { resets: self.resets, slot, waited: true };
            ctx.after(self.length().scaled(MOST_GRACE, TICKS), timer);
            return None;
        }
        self.undecided = slot.next();
        let length = self.length();
        let Some(made) = self.lead(desk, ctx, slot, length) else {
            // What it waits for may come without a new head: it looks at its next slot too.
            self.aim(desk.cluster, ctx);
            return None;
        };
        self.leads = Some((slot, made.body));
        ctx.after(length, Timer::End(slot));
        Some(made)
    }
}
