//! Protocol layer: what a liar does by the clock: it floods leaders with transactions, spreads
//! false entries of validators, or floods nodes with announcements. This file says when and to
//! whom; the node's parts do the sending.

use super::{Conduct, Role, Spam, say};
use crate::base::id::NodeId;
use crate::base::rng::{Purpose, Rng, Seed};
use crate::base::time::{Span, Time};
use crate::fact::{Lie, MessageKind, SPAM};
use crate::protocol::content::mix;
use crate::protocol::peers::Peers;
use crate::sim::protocol::{Alarm, Local};

/// It is time for the next act of a role.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timer {
    /// Its place among those of the node.
    pub role: u16,
}

/// An entry about a validator that it has not signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message {
    /// Whom it is about.
    pub about: NodeId,
    /// Payload bytes.
    pub size: u16,
}

impl Message {
    /// What it is about.
    pub const KIND: MessageKind = MessageKind::GossipPush;

    /// A number that depends on the content alone.
    #[must_use]
    pub const fn content(self) -> u64 {
        mix(!(self.about.number() as u64))
    }
}

/// What a liar does now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Due {
    /// Nothing.
    Nothing,
    /// Sends a transaction of this number to the coming leaders.
    Spam {
        /// Its number.
        number: u32,
        /// What is in it.
        spam: Spam,
        /// Bytes of further data.
        data: u32,
    },
    /// Sends false entries.
    Entries {
        /// To whom, and about whom.
        to: Vec<(NodeId, NodeId)>,
        /// Bytes of each.
        size: u16,
    },
    /// Announces itself to these nodes.
    Announce(Vec<NodeId>),
}

/// One node's lies by the clock.
#[derive(Clone, Debug)]
pub struct Noise {
    /// Each with how often it has acted.
    roles: Vec<(Role, u32)>,
    rng: Rng,
    chosen: Vec<NodeId>,
    places: Vec<u32>,
}

impl Noise {
    /// What node `me` does by the clock; `None` if it does nothing.
    #[must_use]
    pub fn new(roles: &[Role], seed: Seed, me: NodeId) -> Option<Box<Self>> {
        let by_clock = |role: &&Role| role.interval().is_some() && role.nodes.contains(me);
        let roles: Vec<(Role, u32)> =
            roles.iter().filter(by_clock).map(|role| (role.clone(), 0)).collect();
        let rng = Rng::of_node(seed, Purpose::Adversary, me);
        let (chosen, places) = (Vec::new(), Vec::new());
        (!roles.is_empty()).then(|| Box::new(Self { roles, rng, chosen, places }))
    }

    /// The node starts, or comes back.
    pub fn on_start(&mut self, ctx: &mut (impl Local + Alarm<Timer>)) {
        for (place, (role, _)) in self.roles.iter().enumerate() {
            let interval = role.interval().unwrap_or(Span::ZERO).as_nanos();
            // Liars do not act all at once.
            let phase = Span::from_nanos(self.rng.below(interval.max(1)));
            let delay = role.begin.since(ctx.now()).saturating_add(phase);
            ctx.after(delay, Timer { role: place as u16 });
        }
    }

    /// An alarm went off: what is due, of `nodes` nodes of which the liar knows some as `peers`.
    pub fn on_timer(
        &mut self,
        ctx: &mut (impl Local + Alarm<Timer>),
        timer: Timer,
        (peers, nodes): (&Peers, usize),
    ) -> Due {
        let me = ctx.me();
        let Some((role, acts)) = self.roles.get_mut(usize::from(timer.role)) else {
            return Due::Nothing;
        };
        let Some(interval) = role.interval().filter(|_| role.is_active(ctx.now())) else {
            return Due::Nothing;
        };
        ctx.after(interval, timer);
        let (place, lie, act) = (role.place, role.lie(), *acts);
        *acts = acts.wrapping_add(1);
        let due = match &role.conduct {
            Conduct::Spam { content, data, .. } => {
                // The adversary's place in eight bits, then its own count.
                let number = SPAM | place << 23 | (act % (1 << 23));
                Due::Spam { number, spam: *content, data: *data }
            }
            Conduct::LieInGossip { fanout, size, .. } => {
                let count = *fanout as usize;
                peers.sample(&mut self.rng, count, &mut self.chosen, &mut self.places);
                let about = |_| NodeId::from_index(self.rng.index(nodes));
                let about: Vec<NodeId> = self.chosen.iter().map(about).collect();
                let to = self.chosen.iter().copied().zip(about).collect();
                Due::Entries { to, size: *size }
            }
            Conduct::FloodPeers { to, fanout, .. } => {
                let (count, all) = (*fanout as usize, to.len());
                let first = (act as usize).wrapping_mul(count) % all.max(1);
                let turn = (0..count.min(all)).map(|i| to[(first + i) % all]);
                Due::Announce(turn.filter(|node| *node != me).collect())
            }
            _ => Due::Nothing,
        };
        let count = match &due {
            Due::Nothing => 0,
            Due::Spam { .. } => 1,
            Due::Entries { to, .. } => to.len(),
            Due::Announce(list) => list.len(),
        };
        if count > 0 {
            say(ctx, place, lie, count as u32);
        }
        due
    }

    /// Whom it names to those who ask for peers, while it floods them: the others who do so.
    #[must_use]
    pub fn fellows(&self, now: Time) -> Option<Vec<NodeId>> {
        let floods =
            |(role, _): &&(Role, u32)| role.lie() == Lie::FloodPeers && role.is_active(now);
        self.roles.iter().find(floods).map(|(role, _)| role.nodes.iter().collect())
    }
}
