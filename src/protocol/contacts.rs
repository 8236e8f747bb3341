//! Protocol layer: what a node knows of other nodes when it asks who leads a slot and how to reach
//! them.

use super::cluster::Cluster;
use super::crds::Crds;
use super::gossip::Gossip;
use super::leading::Registry;
use super::peers::Peers;
use super::schedule::stakes::drawn_by_hash;
use crate::base::id::NodeId;
use crate::base::slot::Slot;

/// A node's own view of the others.
#[derive(Clone, Copy)]
pub struct Contacts<'a> {
    /// Its peers.
    pub peers: &'a Peers,
    /// What gossip told it of the validators; `None` if it does not gossip.
    pub gossip: Option<&'a Gossip>,
    /// The same by Solana's rules.
    pub crds: Option<&'a Crds>,
}

impl Contacts<'_> {
    /// Whether it knows the address of a node: that of a peer, or one that gossip brought.
    #[must_use]
    pub fn knows(&self, cluster: &Cluster, node: NodeId) -> bool {
        self.has_heard_of(cluster, node) || self.peers.contains(node)
    }

    fn has_heard_of(&self, cluster: &Cluster, node: NodeId) -> bool {
        let by_crds = self.crds.zip(cluster.crds.as_ref());
        self.gossip.is_some_and(|gossip| gossip.version_of(node) > 0)
            || by_crds.is_some_and(|(crds, shared)| crds.has_contact_of(shared, node))
    }

    /// The leaders of `count` slots from `first` on, in this node's eyes, each told to `each`.
    ///
    /// With the registry from genesis that is the schedule. With the registry from gossip the node
    /// draws by the stakes of the validators that it has heard of.
    pub fn leaders(
        &self,
        registry: Registry,
        cluster: &mut Cluster,
        (first, count): (Slot, u32),
        mut each: impl FnMut(Slot, NodeId),
    ) {
        let known: Vec<(NodeId, u64)> = match registry {
            Registry::Genesis => Vec::new(),
            Registry::Gossip => {
                let staked = cluster.stakes.iter().map(|(node, stake)| (node, *stake));
                let heard = |node| self.has_heard_of(cluster, node);
                staked.filter(|(node, stake)| *stake > 0 && heard(*node)).collect()
            }
        };
        for slot in (0..count).map(|ahead| first.plus(ahead)) {
            let leader = match registry {
                Registry::Genesis => cluster.schedule.leader(slot),
                Registry::Gossip => {
                    let hash = cluster.schedule.poh_hash(slot);
                    hash.and_then(|hash| drawn_by_hash(&hash, &known))
                }
            };
            if let Some(leader) = leader {
                each(slot, leader);
            }
        }
    }

    /// The leader of a slot, in this node's eyes.
    pub fn leader(&self, registry: Registry, cluster: &mut Cluster, slot: Slot) -> Option<NodeId> {
        let mut found = None;
        self.leaders(registry, cluster, (slot, 1), |_, leader| found = Some(leader));
        found
    }
}
