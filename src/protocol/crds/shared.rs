//! Protocol layer: what all nodes of Solana's gossip share: settings, stakes, contents of values,
//! memo tables and room to work in. Nothing of one node is seen by another through it.

use super::bloom::{Bloom, most_items};
use super::config::Config;
use super::roster::bit_length;
use super::value::{CONTACT_INFO_BYTES, Content, Contents, Label, Layout, Place, Value};
use crate::base::id::{NodeId, NodeMap};
use crate::base::time::{Span, Time};
use crate::fact::ValueKind;
use crate::protocol::gossip::Phase;
use crate::sim::body::BodyId;

/// A value that has come to a node that did not have it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Arrival {
    /// Who made it.
    pub origin: NodeId,
    /// What it says.
    pub value: Value,
}

/// What all nodes share.
#[derive(Clone, Debug)]
pub struct Shared {
    pub(super) config: Config,
    pub(super) phase: Phase,
    pub(super) stakes: NodeMap<u64>,
    /// Bit length of each stake.
    pub(super) classes: NodeMap<u8>,
    pub(super) layout: Layout,
    pub(super) contents: Contents,
    staked: u32,
    /// How often a filter of pruned origins errs, by how many it holds.
    pub(super) prune_errors: Vec<u64>,
    pub(super) pull_filter: Bloom,
    /// Values that one pull filter holds.
    pub(super) filter_items: u32,
    pub(super) scratch: Scratch,
    /// New values of the present handler, in the order in which they came.
    arrivals: Vec<Arrival>,
}

/// Room to work in within one handler.
#[derive(Clone, Debug, Default)]
pub(super) struct Scratch {
    pub(super) nodes: Vec<NodeId>,
    pub(super) ranked: Vec<(u32, u64, NodeId)>,
    /// Whom to prune, and for which origin.
    pub(super) prunes: Vec<(NodeId, NodeId)>,
    pub(super) places: Vec<u32>,
    /// The number of each node's group; [`NO_GROUP`] for none.
    pub(super) group_of: Vec<u32>,
    /// The node of each group.
    pub(super) groups: Vec<NodeId>,
    /// Group and place of a value.
    pub(super) pairs: Vec<(u32, u32)>,
    pub(super) starts: Vec<u32>,
    pub(super) order: Vec<u32>,
    /// Bodies made in this handler, and which values they hold, as a range of `order`.
    pub(super) made: Vec<(u32, u32, BodyId)>,
    /// Values of an answer and their weights.
    pub(super) answer: Vec<(Label, u64)>,
    pub(super) packets: Vec<super::pull::Packet>,
}

/// A node that is in no group.
pub(super) const NO_GROUP: u32 = u32::MAX;

/// Origins for which the filter of a peer has room (Agave, gossip/src/push_active_set.rs and
/// crds_gossip_push.rs: bits at most, and elements at least).
const PRUNE_FILTER_BITS: f64 = 32_768.0;
const PRUNE_FILTER_ITEMS: u32 = 8_192;

/// Bytes of a pull request beside the bits of its filter and the asker's contact info, by hand:
/// kind 4, keys 8 + 64, bits 1 + 8 + 8, bits set 8, mask 8, mask bits 4.
const REQUEST_BYTES: u32 = 113;

/// Values that are older or newer than this are not pushed, and requests not answered.
const WINDOW: Span = Span::from_secs(15);

impl Shared {
    /// What nodes with these stakes share; `ring` is how many rumors a node tells apart, zero if
    /// none spread this way.
    #[must_use]
    pub fn new(config: Config, phase: Phase, stakes: &NodeMap<u64>, ring: usize) -> Self {
        Self::laid_out(config, phase, stakes, Layout::new(stakes.len(), ring))
    }

    /// The same where leaders may make two blocks for one slot, with room for proofs of that.
    #[must_use]
    pub fn with_proofs(config: Config, phase: Phase, stakes: &NodeMap<u64>, ring: usize) -> Self {
        Self::laid_out(config, phase, stakes, Layout::new(stakes.len(), ring).with_proofs())
    }

    fn laid_out(config: Config, phase: Phase, stakes: &NodeMap<u64>, layout: Layout) -> Self {
        let contact = u32::from(CONTACT_INFO_BYTES);
        let bits = f64::from((config.packet.0 as u32 - REQUEST_BYTES - contact) * 8);
        let filter_items = most_items(bits, config.false_positive).max(1);
        let nodes = NodeId::from_index(stakes.len()).number();
        let items = PRUNE_FILTER_ITEMS.max(nodes);
        let prune_filter = Bloom::sized(items, config.false_positive, PRUNE_FILTER_BITS);
        let mut contents = Contents::new(layout.keys());
        if config.warm {
            for origin in NodeId::all(stakes.len()) {
                contents.publish(
                    first_contact_info(layout, origin),
                    Time::ZERO,
                    Value::ContactInfo,
                );
            }
        }
        Self {
            config,
            phase,
            stakes: stakes.clone(),
            classes: NodeMap::build(stakes.len(), |node| bit_length(stakes[node])),
            layout,
            contents,
            staked: stakes.values().filter(|stake| **stake > 0).count() as u32,
            prune_errors: (0..=nodes + 1).map(|held| prune_filter.false_positives(held)).collect(),
            pull_filter: Bloom::sized(filter_items, config.false_positive, bits),
            filter_items,
            scratch: Scratch { group_of: vec![NO_GROUP; stakes.len()], ..Scratch::default() },
            arrivals: Vec::new(),
        }
    }

    /// Whether this handler has brought new values.
    #[inline]
    #[must_use]
    pub const fn has_arrivals(&self) -> bool {
        !self.arrivals.is_empty()
    }

    /// The new values of this handler; see [`Self::give_back`].
    pub fn take_arrivals(&mut self) -> Vec<Arrival> {
        std::mem::take(&mut self.arrivals)
    }

    /// Gives the list back, so that its room is used again.
    pub fn give_back(&mut self, mut arrivals: Vec<Arrival>) {
        arrivals.clear();
        self.arrivals = arrivals;
    }

    pub(super) fn arrived(&mut self, content: &Content) {
        let Content { label, value, .. } = *content;
        if label.place.kind() != ValueKind::ContactInfo {
            self.arrivals.push(Arrival { origin: label.origin, value });
        }
    }

    /// Validators of the cluster, at least one.
    pub(super) fn validators(&self) -> u32 {
        self.staked.max(1)
    }

    /// Whether a node's epoch slots and lowest slots are taken in, and its votes given in answers.
    pub(super) fn relays(&self, origin: NodeId) -> bool {
        self.staked < self.config.relay_filter || self.stakes[origin] > 0
    }

    /// How long a node is remembered without a new contact info.
    pub(super) fn expiry(&self, origin: NodeId) -> Span {
        let Config { staked_expiry, unstaked_expiry, .. } = self.config;
        if self.stakes[origin] > 0 { staked_expiry } else { unstaked_expiry }
    }
}

/// The name of a node's first contact info.
pub(super) const fn first_contact_info(layout: Layout, origin: NodeId) -> Label {
    let (place, size) = (Place::CONTACT_INFO, CONTACT_INFO_BYTES);
    let key = layout.key(origin, place);
    Label { key, version: 1, number: 0, origin, size, place, hops: 0 }
}

/// Whether two clocks are close enough for a push or a pull.
pub(super) fn within_window(now: Time, wallclock: Time) -> bool {
    now.since(wallclock) <= WINDOW && wallclock.since(now) <= WINDOW
}
