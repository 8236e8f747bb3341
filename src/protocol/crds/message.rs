//! Protocol layer: what nodes say to each other in Solana's gossip.

use super::config::Config;
use super::value::{Content, Label};
use crate::base::id::NodeId;
use crate::base::time::Time;
use crate::fact::MessageKind;
use crate::protocol::content::mix;
use crate::sim::body::{Bodies, BodyId};
use crate::sim::protocol::Part;

/// A message of Solana's gossip. All of them refer to a body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Message {
    /// New values (`gossip_push`).
    Push(BodyId),
    /// One new value (`gossip_push`), which is most of all pushes: it refers to what is kept of the
    /// value for all nodes, so that nothing is made for it.
    Value {
        /// The value.
        value: BodyId,
        /// Links it has travelled.
        hops: u8,
    },
    /// Asks for what the sender lacks (`gossip_pull_request`).
    PullRequest(BodyId),
    /// Values that the asker lacks (`gossip_pull_response`).
    PullResponse(BodyId),
    /// The sender wants no more pushes of some origins (`gossip_prune`).
    Prune(BodyId),
}

const _: () = assert!(size_of::<Message>() <= 8 && align_of::<Message>() <= 4);

/// An alarm. A crash voids it, so it is never stale.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Timer {
    /// The next round of the main loop.
    Round,
    /// A batch of received values is complete.
    Batch,
}

/// Names of values.
#[derive(Debug)]
pub struct Labels {
    pub(super) list: Box<[Label]>,
    /// Bytes of the values.
    size: u32,
    content: u64,
}

impl Labels {
    pub(super) fn new(list: Box<[Label]>) -> Self {
        let size = list.iter().map(|label| u32::from(label.size)).sum();
        let content = list.iter().fold(0, |sum, label| mix(sum ^ label.content()));
        Self { list, size, content }
    }
}

/// A filter for the values of one part of all keys: those that are `part` modulo `2^mask_bits`.
#[derive(Debug)]
pub struct Request {
    pub(super) part: u32,
    pub(super) mask_bits: u8,
    /// The asker's clock.
    pub(super) at: Time,
    /// The asker's own contact info.
    pub(super) contact: Option<Label>,
    /// The version the asker has of each key of the part; 0 for none.
    pub(super) versions: Box<[u32]>,
    /// Makes the errors of this filter its own, and says how often it errs, as a part of 2^64.
    pub(super) salt: u64,
    pub(super) errors: u64,
    /// Bytes of the whole request: a full packet.
    pub(super) size: u32,
}

impl Request {
    fn content(&self) -> u64 {
        let head = mix(u64::from(self.part) << 8 | u64::from(self.mask_bits)) ^ self.salt;
        // Keys of which the asker has nothing do not count, so that nodes it never heard of do not.
        let held = (0_u64..).zip(&self.versions).filter(|(_, version)| **version > 0);
        held.fold(mix(head), |sum, (place, version)| mix(sum ^ (place << 32 | u64::from(*version))))
    }
}

/// What messages refer to.
#[derive(Debug)]
pub enum Body {
    /// Values.
    Values(Labels),
    /// A value and all that it says.
    Value(Content),
    /// A pull request and the number that stands for it in the digest.
    Request(Box<Request>, u64),
    /// Origins that are pruned, and when, by the sender's clock.
    Prune(Box<[NodeId]>, Time),
}

impl Body {
    pub(super) fn values(labels: Box<[Label]>) -> Self {
        Self::Values(Labels::new(labels))
    }

    pub(super) fn request(request: Request) -> Self {
        let content = request.content();
        Self::Request(Box::new(request), content)
    }
}

/// Most origins of one prune message.
pub(super) const MOST_PRUNED: usize = 32;
/// Bytes of a prune message beside its origins: kind 4, sender 32, sender 32, count 8,
/// signature 64, destination 32, wall-clock 8.
const PRUNE_HEAD: u32 = 4 + 32 + 32 + 8 + 64 + 32 + 8;
/// Bytes of a public key.
const KEY: u32 = 32;

impl Message {
    /// What it is about.
    #[must_use]
    pub const fn kind(&self) -> MessageKind {
        match self {
            Self::Push(_) | Self::Value { .. } => MessageKind::GossipPush,
            Self::PullRequest(_) => MessageKind::GossipPullRequest,
            Self::PullResponse(_) => MessageKind::GossipPullResponse,
            Self::Prune(_) => MessageKind::GossipPrune,
        }
    }

    /// Bytes of payload. The filter of a request takes all that its packet leaves.
    #[must_use]
    pub fn size<B>(&self, bodies: &Bodies<B>) -> u32
    where
        Body: Part<B>,
    {
        match Body::unwrap(bodies.body(self.id())) {
            Body::Values(labels) => Config::HEAD + labels.size,
            Body::Value(content) => Config::HEAD + u32::from(content.label.size),
            Body::Request(request, _) => request.size,
            Body::Prune(origins, _) => PRUNE_HEAD + KEY * origins.len() as u32,
        }
    }

    /// A number that depends on the content alone.
    #[must_use]
    pub fn content<B>(&self, bodies: &Bodies<B>) -> u64
    where
        Body: Part<B>,
    {
        match Body::unwrap(bodies.body(self.id())) {
            Body::Values(labels) => labels.content,
            Body::Value(content) => {
                let hops = if let Self::Value { hops, .. } = self { *hops } else { 0 };
                // That of a list with this label alone.
                mix(Label { hops, ..content.label }.content())
            }
            Body::Request(_, content) => *content,
            Body::Prune(origins, _) => {
                origins.iter().fold(0, |sum, origin| mix(sum ^ u64::from(origin.number())))
            }
        }
    }

    /// The body it refers to.
    #[must_use]
    pub const fn body(&self) -> Option<BodyId> {
        Some(self.id())
    }

    const fn id(self) -> BodyId {
        match self {
            Self::Push(id)
            | Self::Value { value: id, .. }
            | Self::PullRequest(id)
            | Self::PullResponse(id)
            | Self::Prune(id) => id,
        }
    }
}
