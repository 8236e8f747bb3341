//! Protocol layer: the wiring of what a node does against the rules, and of what nodes make of
//! false entries and of proofs.

use super::adversary::{self, About, Due, Noise, Role};
use super::cluster::Cluster;
use super::price::Work;
use super::{Validator, crds, discovery, known};
use crate::base::id::NodeId;
use crate::base::slot::Slot;
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

    /// A false entry arrived, or the check of an address. A node that gossips finds out that an
    /// entry is not signed by the validator which it is about, and takes nothing of it in. Of one
    /// that is signed it asks at the address whether that node is there (Agave 4.4,
    /// `gossip/src/ping_pong.rs`).
    pub(super) fn on_forged(
        &mut self,
        cluster: &Cluster,
        ctx: &mut Outbox<Self>,
        from: NodeId,
        message: adversary::Message,
    ) {
        if self.gossip.is_none() && self.crds.is_none() {
            return;
        }
        let me = ctx.me();
        let (culprit, offence) = match message {
            adversary::Message::Entry { .. } => (from, Offence::FalseEntry),
            // It knows its own address.
            adversary::Message::OwnEntry { address, .. } if address == me => {
                (from, Offence::FalseAddress)
            }
            adversary::Message::OwnEntry { address, .. } => {
                cluster.prices.charge(ctx, Work::Verify(1));
                ctx.send(address, adversary::Message::Check { of: from });
                return;
            }
            adversary::Message::Check { of } => {
                cluster.prices.charge(ctx, Work::Sign(1));
                ctx.send(from, adversary::Message::Answer { of });
                return;
            }
            adversary::Message::Answer { of } if of != from => (of, Offence::FalseAddress),
            adversary::Message::Answer { .. } => return,
        };
        cluster.prices.charge(ctx, Work::Verify(1));
        ctx.observe(Fact::OffenceNoticed { node: me, culprit, offence });
    }

    /// Parts of proofs of two blocks for one slot came by gossip: by whom each was made, what it
    /// proves, and its place among the parts.
    pub(super) fn hear_proofs(
        &mut self,
        cluster: &mut Cluster,
        ctx: &mut Outbox<Self>,
        proofs: &[(NodeId, (Slot, NodeId), u8)],
    ) {
        let Some(blocks) = &mut self.blocks else { return };
        for (by, proof, chunk) in proofs {
            let contacts = known(&self.peers, self.gossip.as_deref(), self.crds.as_deref());
            let part = (*chunk, crds::PROOF_CHUNKS);
            blocks.on_proof(cluster, contacts, ctx, (*by, *proof, part));
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
            Due::Entries { to, size, about } => {
                for (to, whom) in to {
                    let message = match about {
                        About::Others => adversary::Message::Entry { about: whom, size },
                        About::Itself => adversary::Message::OwnEntry { address: whom, size },
                    };
                    ctx.send(to, message);
                }
            }
            Due::Announce(to) => {
                to.into_iter().for_each(|to| ctx.send(to, discovery::Message::Announce));
            }
        }
    }
}
