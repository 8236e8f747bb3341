//! Protocol layer: nodes that do not follow the rules. A node that lies holds an [`Adversary`],
//! which its parts ask at the few points where that matters; honest nodes hold none. What it does
//! is stated as it does it, and what honest nodes make of it is theirs to state.
//!
//! Whether a lie is due is told by the node's own clock.

mod config;
mod noise;

pub use self::config::{About, Conduct, Forgery, Role, Scope, Spam};
pub use self::noise::{Due, Message, Noise, Timer};
use crate::base::id::NodeId;
use crate::base::slot::Slot;
use crate::base::time::Time;
use crate::fact::{Fact, Lie};
use crate::sim::protocol::Local;

/// One node's part in what the adversaries of a scenario do.
#[derive(Clone, Debug)]
pub struct Adversary {
    roles: Vec<Role>,
    /// The newest slot for whose block it has said that it keeps its vote back.
    withheld: Slot,
}

/// What a leader does to the block that it is about to make.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Plot {
    /// There is none.
    pub silent: bool,
    /// What is wrong with it.
    pub forgery: Option<Forgery>,
    /// Its proof of history is false.
    pub false_poh: bool,
    /// There is another one for the same slot.
    pub twin: bool,
}

impl Adversary {
    /// What node `me` does; `None` if it is honest.
    #[must_use]
    pub fn new(roles: &[Role], me: NodeId) -> Option<Box<Self>> {
        let roles: Vec<Role> =
            roles.iter().filter(|role| role.nodes.contains(me)).cloned().collect();
        (!roles.is_empty()).then(|| Box::new(Self { roles, withheld: Slot::ZERO }))
    }

    /// The roles that are in force at a moment.
    fn active(&self, now: Time) -> impl Iterator<Item = &Role> {
        self.roles.iter().filter(move |role| role.is_active(now))
    }

    /// The place in the scenario of the first role in force that does this.
    fn does(&self, lie: Lie, now: Time) -> Option<u32> {
        self.active(now).find(|role| role.lie() == lie).map(|role| role.place)
    }

    /// What it makes of a slot that it leads. States it.
    pub fn plot(&mut self, ctx: &mut impl Local) -> Plot {
        let mut plot = Plot::default();
        let now = ctx.now();
        if let Some(place) = self.does(Lie::Silent, now) {
            plot.silent = true;
            say(ctx, place, Lie::Silent, 1);
            return plot;
        }
        for role in self.active(now) {
            match role.conduct {
                Conduct::InvalidBlocks { forgery } => plot.forgery = Some(forgery),
                Conduct::BadPoh => plot.false_poh = true,
                Conduct::Equivocate { .. } => plot.twin = true,
                _ => continue,
            }
            say(ctx, role.place, role.lie(), 1);
        }
        plot
    }

    /// Who gets the second block of a leader that makes two, in the order of their numbers.
    #[must_use]
    pub fn audience(&self, me: NodeId, now: Time) -> Vec<NodeId> {
        let mut audience = Vec::new();
        for role in self.active(now) {
            if let Conduct::Equivocate { to } = &role.conduct {
                audience.extend(to.iter().filter(|node| *node != me));
            }
        }
        audience.sort_unstable();
        audience.dedup();
        audience
    }

    /// Whether it keeps its vote for a block of a slot back. Says so once a slot.
    pub fn withholds_vote(&mut self, ctx: &mut impl Local, slot: Slot) -> bool {
        let now = ctx.now();
        let silent = self.does(Lie::Silent, now).map(|place| (place, Lie::Silent));
        let withholds = || self.does(Lie::WithholdVotes, now).map(|it| (it, Lie::WithholdVotes));
        let Some((place, lie)) = silent.or_else(withholds) else { return false };
        if slot > self.withheld {
            self.withheld = slot;
            say(ctx, place, lie, 1);
        }
        true
    }

    /// Whether it votes on every fork.
    #[must_use]
    pub fn votes_twice(&self, now: Time) -> bool {
        self.does(Lie::DoubleVote, now).is_some()
    }

    /// It has cast a vote that another one of its own speaks against.
    pub fn on_double_vote(&mut self, ctx: &mut impl Local) {
        if let Some(place) = self.does(Lie::DoubleVote, ctx.now()) {
            say(ctx, place, Lie::DoubleVote, 1);
        }
    }
}

/// States a lie.
pub(super) fn say(ctx: &mut impl Local, adversary: u32, lie: Lie, count: u32) {
    let node = ctx.me();
    ctx.observe(Fact::Lied { node, adversary, lie, count });
}
