//! Protocol layer: the wiring of what a node does against the rules, and of what nodes make of
//! false entries.

use super::adversary::{self, Due, Noise, Role};
use super::cluster::Cluster;
use super::price::Work;
use super::{Validator, discovery, known};
use crate::base::id::NodeId;
use crate::fact::{Fact, Offence};
use crate::sim::protocol::{Local, Mail, Outbox};

impl Validator {
    /// The same for a node that these roles of adversaries may name.
    #[must_use]
    pub fn with_roles(self, roles: &[Role], cluster: &Cluster, me: NodeId) -> Self {
        let blocks = self.blocks.map(|blocks| Box::new(blocks.with_roles(roles, cluster, me)));
        Self { blocks, noise: Noise::new(roles, cluster.seed, me), ..self }
    }

    /// A message of discovery arrived.
    pub(super) fn on_discovery(
        &mut self,
        ctx: &mut Outbox<Self>,
        from: NodeId,
        message: discovery::Message,
    ) {
        let Some(discovery) = &mut self.discovery else { return };
        let fellows = self.noise.as_ref().and_then(|noise| noise.fellows(ctx.now()));
        match fellows {
            None => discovery.on_message(&mut self.peers, ctx, from, message),
            Some(fellows) => discovery.mislead(&mut self.peers, ctx, (from, message), fellows),
        }
    }

    /// An entry arrived that the validator which it is about has not signed: a node that gossips
    /// finds that out and takes nothing of it in.
    pub(super) fn on_forged(&mut self, cluster: &Cluster, ctx: &mut Outbox<Self>, culprit: NodeId) {
        if self.gossip.is_some() || self.crds.is_some() {
            cluster.prices.charge(ctx, Work::Verify(1));
            let (node, offence) = (ctx.me(), Offence::FalseEntry);
            ctx.observe(Fact::OffenceNoticed { node, culprit, offence });
        }
    }

    /// It is time for a lie.
    pub(super) fn on_noise(
        &mut self,
        cluster: &mut Cluster,
        ctx: &mut Outbox<Self>,
        timer: adversary::Timer,
    ) {
        let Some(noise) = &mut self.noise else { return };
        match noise.on_timer(ctx, timer, (&self.peers, cluster.len())) {
            Due::Nothing => {}
            Due::Spam { number, spam, data } => {
                if let Some(blocks) = &mut self.blocks {
                    let contacts = known(&self.peers, self.gossip.as_deref(), self.crds.as_deref());
                    blocks.on_spam(cluster, contacts, ctx, (number, spam, data));
                }
            }
            Due::Entries { to, size } => {
                for (to, about) in to {
                    ctx.send(to, adversary::Message { about, size });
                }
            }
            Due::Announce(to) => {
                to.into_iter().for_each(|to| ctx.send(to, discovery::Message::Announce));
            }
        }
    }
}
