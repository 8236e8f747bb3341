//! Protocol layer: repair, getting what is missing of blocks by asking peers for it. What comes is
//! handed to the block store by the parts' parent, and is never passed on. A request names a slot
//! and a shred, so an answer may belong to another block of that slot: it is then simply another
//! block.

mod classroom;
pub mod config;
mod message;
pub mod peer;
mod server;
mod solana;
mod survey;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::classroom::Classroom;
pub use self::config::{Config, Style};
pub use self::message::{Body, Message, Timer};
use self::peer::{Support, Weights};
use self::server::Server;
use self::solana::Solana;
use super::block::Block;
use super::blockstore::{Blockstore, Received};
use super::chain::Chain;
use super::peers::Peers;
use crate::base::id::NodeId;
use crate::base::rng::{Purpose, Rng, Seed};
use crate::base::slot::Slot;
use crate::base::time::{Span, Time};
use crate::fact::Fact;
use crate::sim::body::BodyId;
use crate::sim::protocol::{Alarm, Context, Shelf};

/// Everything this part asks of its node.
pub trait Ctx: Context<Message, Timer> + Shelf<Block> + Shelf<Body> {}
impl<C: Context<Message, Timer> + Shelf<Block> + Shelf<Body>> Ctx for C {}

/// What nodes do about missing shreds; the same for all of them.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the scenario says.
    pub config: Config,
    /// How long a slot takes.
    pub slot: Span,
    /// How often each node is asked, in Solana's style, but for what it has advertised.
    pub weights: Weights,
    /// Most chunks that one request of the classroom's style may list.
    pub most_listed: usize,
}

/// What the other parts of the node know.
pub struct View<'a> {
    /// What it has of each block.
    pub store: &'a Blockstore,
    /// Its chain.
    pub chain: &'a Chain,
    /// Whom it knows.
    pub peers: &'a Peers,
}

/// One node's repair.
pub struct Repair {
    settings: Arc<Settings>,
    rng: Rng,
    asker: Asker,
    /// Who has advertised which slots, in Solana's style.
    support: Support,
    server: Server,
    /// How often an alarm was set, and when the last one goes off, unless it has.
    alarm: (u32, Option<Time>),
}

/// The side that asks, by style.
enum Asker {
    Classroom(Classroom),
    Solana(Solana),
}

impl Repair {
    /// A node that has asked for nothing; `None` if nobody repairs anything.
    #[must_use]
    pub fn new(settings: &Arc<Settings>, seed: Seed, me: NodeId) -> Option<Self> {
        let mut rng = Rng::of_node(seed, Purpose::Repair, me);
        let asker = match settings.config.style {
            Style::Off => return None,
            Style::Classroom => Asker::Classroom(Classroom::default()),
            Style::Solana => {
                // Clients do not look in step with each other.
                let phase = rng.below(settings.config.poll.as_nanos().max(1));
                Asker::Solana(Solana::new(Span::from_nanos(phase)))
            }
        };
        let (settings, server) = (Arc::clone(settings), Server::default());
        let support = Support::default();
        Some(Self { settings, rng, asker, support, server, alarm: (0, None) })
    }

    /// The node starts, or comes back: there may be something left from before.
    pub fn on_start(&mut self, view: &View<'_>, ctx: &mut impl Ctx) {
        if view.store.partial() > 0 || !view.chain.waiting().is_empty() {
            self.wake(ctx, ctx.now());
        }
    }

    /// The node crashed: what it has asked for is forgotten, and its alarms are void.
    pub fn on_crash(&mut self) {
        self.alarm.1 = None;
        self.server = Server::default();
        self.support = Support::default();
        match &mut self.asker {
            Asker::Classroom(classroom) => *classroom = Classroom::default(),
            Asker::Solana(solana) => solana.forget(),
        }
    }

    /// A shred came that the node did not have; `opened` says that it is the first of its block.
    /// The chain has been told already.
    #[inline]
    pub fn on_shred(
        &mut self,
        view: &View<'_>,
        ctx: &mut impl Ctx,
        (body, set): (BodyId, u16),
        received: Received,
        opened: bool,
    ) {
        let (now, settings) = (ctx.now(), &self.settings);
        let due = match &mut self.asker {
            Asker::Classroom(classroom) => {
                classroom.on_shred(settings, view, now, received, opened)
            }
            Asker::Solana(solana) => {
                let parent = || Shelf::<Block>::body(ctx, body).parent_id();
                solana.on_shred(settings, view, (now, parent), (body, set), received)
            }
        };
        if let Some(due) = due {
            self.wake(ctx, due);
        }
    }

    /// A message of repair came: the shred that it brings, if it is an answer. `leads` says whether
    /// the node is in a slot of its own, and `keeps` which data shreds it will not give, as a liar
    /// does.
    pub fn on_message(
        &mut self,
        view: &View<'_>,
        ctx: &mut impl Ctx,
        from: NodeId,
        message: Message,
        leads: bool,
        keeps: impl Fn(&Block, u32) -> bool,
    ) -> Option<(BodyId, u16)> {
        if let Message::Answer { block, index } = message {
            return Some((block, index));
        }
        match self.server.on_request(&self.settings, view, ctx, message, leads) {
            Ok(mut answers) => {
                answers.retain(|(body, index)| !keeps(ctx.body(*body), u32::from(*index)));
                server::send(ctx, from, &answers);
            }
            Err(reason) => {
                let node = ctx.me();
                ctx.observe(Fact::RepairRefused { node, reason });
            }
        }
        None
    }

    /// A validator has told by gossip which slots it has: the latest, and in bits the 64 before it.
    pub fn on_complete(&mut self, who: NodeId, slots: (Slot, u64)) {
        if let Asker::Solana(_) = self.asker {
            self.support.hear(self.settings.weights.nodes(), who, slots);
        }
    }

    /// An alarm of this part: asks for what is missing. Old blocks have been given up before.
    pub fn on_timer(&mut self, view: &View<'_>, ctx: &mut impl Ctx, timer: Timer) {
        if timer.serial != self.alarm.0 {
            return;
        }
        self.alarm.1 = None;
        let next = match &mut self.asker {
            Asker::Classroom(classroom) => classroom.look(&self.settings, view, ctx, &mut self.rng),
            Asker::Solana(solana) => {
                let now = ctx.now();
                let (requests, next) = solana.look(&self.settings, view, ctx, now);
                for request in requests {
                    let Some((slot, kind)) = request.wanted() else { continue };
                    let (weights, about) = (&self.settings.weights, (slot, now));
                    let peer = self.support.draw(weights, about, view.peers, &mut self.rng);
                    let Some(peer) = peer else { break };
                    let (node, slot) = (ctx.me(), Some(slot));
                    ctx.observe(Fact::RepairRequested { node, slot, kind, shreds: 1 });
                    ctx.send(peer, request);
                }
                next
            }
        };
        if next < Time::MAX {
            self.wake(ctx, next);
        }
    }

    /// Sets the alarm, unless there is an earlier one.
    fn wake(&mut self, ctx: &mut impl Ctx, due: Time) {
        let now = ctx.now();
        let due = match &self.asker {
            Asker::Classroom(_) => due.max(now),
            Asker::Solana(solana) => solana.look_at(&self.settings, now, due),
        };
        if self.alarm.1.is_some_and(|set| set <= due) {
            return;
        }
        self.alarm = (self.alarm.0.wrapping_add(1), Some(due));
        Alarm::<Timer>::after(ctx, due.since(now), Timer { serial: self.alarm.0 });
    }
}
