//! Protocol layer: the wiring of what a node puts into Solana's gossip: votes, the slots that it
//! has, proofs of two blocks for one slot, rumors.

use super::cluster::Cluster;
use super::rumor::Injected;
use super::{Validator, crds, rumor};
use crate::sim::protocol::Outbox;

impl Validator {
    /// Puts the node's own votes into Solana's gossip, if it has that.
    #[inline]
    pub(super) fn publish(&mut self, cluster: &mut Cluster, ctx: &mut Outbox<Self>) {
        let Some(blocks) = self.blocks.as_mut().filter(|blocks| blocks.has_news()) else { return };
        for vote in blocks.take_published() {
            if let (Some(crds), Some(shared)) = (&mut self.crds, &mut cluster.crds) {
                let value = crds::Value::Vote { slot: vote.slot, reference: vote.id.0 };
                crds.publish(shared, ctx, value);
            }
        }
        for (latest, before) in blocks.take_complete() {
            if let (Some(crds), Some(shared)) = (&mut self.crds, &mut cluster.crds) {
                crds.publish(shared, ctx, crds::Value::EpochSlots { latest, before });
            }
        }
        self.publish_proofs(cluster, ctx);
    }

    /// The workload hands a rumor in; one that spreads by gossip becomes a value of it.
    pub(super) fn inject(
        &mut self,
        cluster: &mut Cluster,
        ctx: &mut Outbox<Self>,
        injected: Injected,
    ) {
        self.rumors.on_input(cluster, &self.peers, ctx, injected);
        let spread = cluster.rumors[usize::from(injected.stream)].style;
        if let (rumor::Style::Gossip, Some(crds), Some(shared)) =
            (spread, &mut self.crds, &mut cluster.crds)
        {
            let size = u16::try_from(injected.size).unwrap_or(u16::MAX);
            crds.publish(shared, ctx, crds::Value::Rumor { rumor: injected.rumor, size });
        }
    }

    /// Puts what the node has proven of leaders into Solana's gossip, if it has that.
    fn publish_proofs(&mut self, cluster: &mut Cluster, ctx: &mut Outbox<Self>) {
        let Some(blocks) = &mut self.blocks else { return };
        for (slot, leader) in blocks.take_proofs() {
            let (Some(crds), Some(shared)) = (&mut self.crds, &mut cluster.crds) else { continue };
            for chunk in 0..crds::PROOF_CHUNKS {
                crds.publish(shared, ctx, crds::Value::DuplicateShred { slot, leader, chunk });
            }
        }
    }
}
