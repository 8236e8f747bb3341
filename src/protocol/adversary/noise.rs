//! Protocol layer: what a liar does by the clock: it floods leaders with transactions, spreads
//! false entries of validators, or floods nodes with announcements. This file says when and to
//! whom; the node's parts do the sending.

use super::{About, Conduct, Role, Spam, say};
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

/// A false entry, and what nodes do about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Message {
    /// An entry about a validator that it has not signed.
    Entry {
        /// Whom it is about.
        about: NodeId,
        /// Payload bytes.
        size: u16,
    },
    /// An entry of the sender about itself, signed, with the address of another node for its own.
    OwnEntry {
        /// Whose address it is.
        address: NodeId,
        /// Payload bytes.
        size: u16,
    },
    /// Is this the address of that node? Asked before anything else goes there.
    Check {
        /// Of whom it is said to be.
        of: NodeId,
    },
    /// The answer to a check, signed by the node that is there.
    Answer {
        /// Whom the check was about.
        of: NodeId,
    },
}

impl Message {
    /// Bytes of a ping and of a pong, by hand (Agave 4.4, `gossip/src/ping_pong.rs`): kind 4, key
    /// 32, token or its hash 32, signature 64.
    pub const PING_BYTES: u32 = 132;

    /// What it is about.
    #[must_use]
    pub const fn kind(self) -> MessageKind {
        match self {
            Self::Entry { .. } | Self::OwnEntry { .. } => MessageKind::GossipPush,
            Self::Check { .. } => MessageKind::Ping,
            Self::Answer { .. } => MessageKind::Pong,
        }
    }

    /// Payload bytes.
    #[must_use]
    pub fn size(self) -> u32 {
        match self {
            Self::Entry { size, .. } | Self::OwnEntry { size, .. } => size.into(),
            Self::Check { .. } | Self::Answer { .. } => Self::PING_BYTES,
        }
    }

    /// A number that depends on the content alone.
    #[must_use]
    pub const fn content(self) -> u64 {
        let (tag, node) = match self {
            Self::Entry { about, .. } => (0, about),
            Self::OwnEntry { address, .. } => (1, address),
            Self::Check { of } => (2, of),
            Self::Answer { of } => (3, of),
        };
        mix(!(node.number() as u64 | tag << 32))
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
        /// To whom, and about whom, or with whose address.
        to: Vec<(NodeId, NodeId)>,
        /// Bytes of each.
        size: u16,
        /// Whom they are about.
        about: About,
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
            Conduct::LieInGossip { fanout, size, about, .. } => {
                let count = *fanout as usize;
                peers.sample(&mut self.rng, count, &mut self.chosen, &mut self.places);
                let whom = |_| NodeId::from_index(self.rng.index(nodes));
                let whom: Vec<NodeId> = self.chosen.iter().map(whom).collect();
                let mut to: Vec<(NodeId, NodeId)> = self.chosen.iter().copied().zip(whom).collect();
                // Its own address would be no lie.
                to.retain(|(_, whom)| *about == About::Others || *whom != me);
                Due::Entries { to, size: *size, about: *about }
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
