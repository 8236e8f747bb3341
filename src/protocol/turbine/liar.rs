//! Protocol layer: what a liar does to shreds that it should send: it keeps some to itself, or
//! sends them late.

use super::{Ctx, Message, Timer};
use crate::base::id::NodeId;
use crate::base::rng::{Purpose, Rng, Seed};
use crate::base::time::Time;
use crate::fact::Lie;
use crate::protocol::adversary::{Conduct, Role, say};
use crate::protocol::block::{Block, BlockId, ShredAt};
use crate::protocol::content::mix;

/// Most messages that a liar holds back to send them late; beyond it they leave in time.
const MOST_LATE: usize = 100_000;

/// One node's lies about shreds.
#[derive(Clone, Debug)]
pub struct Shreds {
    roles: Vec<Role>,
    /// Where its choices begin.
    key: u64,
    /// What is to be sent late, with the bodies held.
    late: Vec<(Time, NodeId, Message)>,
}

impl Shreds {
    /// What node `me` does to shreds; `None` if it does nothing against the rules.
    #[must_use]
    pub fn new(roles: &[Role], seed: Seed, me: NodeId) -> Option<Box<Self>> {
        let of_shreds = |role: &&Role| {
            let lies = matches!(role.lie(), Lie::WithholdShreds | Lie::DelayShreds);
            lies && role.nodes.contains(me)
        };
        let roles: Vec<Role> = roles.iter().filter(of_shreds).cloned().collect();
        let key = Rng::of_node(seed, Purpose::Adversary, me).bits();
        (!roles.is_empty()).then(|| Box::new(Self { roles, key, late: Vec::new() }))
    }

    /// Whether it keeps a shred of a block, `own` or not, to itself. Says so.
    pub fn keeps(
        &mut self,
        ctx: &mut impl Ctx,
        own: bool,
        (block, ordinal): (BlockId, u32),
    ) -> bool {
        let now = ctx.now();
        let draw = self.draw(block, ordinal);
        let keeps = |role: &&Role| match role.conduct {
            Conduct::WithholdShreds { share, of, .. } => of.concerns(own) && share.hit(draw),
            _ => false,
        };
        let role = self.roles.iter().filter(|role| role.is_active(now)).find(keeps);
        role.into_iter().for_each(|role| say(ctx, role.place, Lie::WithholdShreds, 1));
        role.is_some()
    }

    /// Whether it keeps a shred from those who ask for it as well.
    #[must_use]
    pub fn keeps_from_askers(&self, now: Time, me: NodeId, block: &Block, at: ShredAt) -> bool {
        let ordinal = block.shape.ordinal(at);
        let draw = self.draw(block.id(), ordinal);
        let keeps = |role: &Role| match role.conduct {
            Conduct::WithholdShreds { share, of, answers: false } => {
                of.concerns(block.leader == me) && share.hit(draw)
            }
            _ => false,
        };
        self.roles.iter().any(|role| role.is_active(now) && keeps(role))
    }

    /// One draw for each shred, whoever asks and how often.
    fn draw(&self, block: BlockId, ordinal: u32) -> u64 {
        mix(mix(self.key ^ block.0) ^ u64::from(ordinal))
    }

    /// Sends a message with a shred, now or late.
    pub fn send(&mut self, ctx: &mut impl Ctx, to: NodeId, message: Message) {
        let now = ctx.now();
        let block: &Block = ctx.body(message.body());
        let own = block.leader == ctx.me();
        let delay = |role: &Role| match role.conduct {
            Conduct::DelayShreds { by, of } if of.concerns(own) => Some((role.place, by)),
            _ => None,
        };
        let delay = self.roles.iter().filter(|role| role.is_active(now)).find_map(delay);
        match delay.filter(|_| self.late.len() < MOST_LATE) {
            None => ctx.send(to, message),
            Some((place, by)) => {
                say(ctx, place, Lie::DelayShreds, 1);
                ctx.hold(message.body());
                self.late.push((now.saturating_add(by), to, message));
                ctx.after(by, Timer::LATE);
            }
        }
    }

    /// Sends what is due by now.
    pub fn on_timer(&mut self, ctx: &mut impl Ctx) {
        let now = ctx.now();
        for (_, to, message) in self.late.extract_if(.., |(due, ..)| *due <= now) {
            ctx.send(to, message);
            ctx.release(message.body());
        }
    }

    /// The node crashed: what was to be sent late is lost.
    pub fn on_crash(&mut self, ctx: &mut impl Ctx) {
        self.late.drain(..).for_each(|(.., message)| ctx.release(message.body()));
    }
}
