//! Protocol layer: what nodes say to each other about the validators.

use crate::base::id::NodeId;
use crate::fact::MessageKind;
use crate::protocol::content::mix;
use crate::sim::body::{Bodies, BodyId};
use crate::sim::protocol::{Mail, Part};

use super::registry::{Body, Entry};

/// A message of gossip. All of them refer to a body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Message {
    /// The complete registry of the sender (`gossip_validators`).
    Registry(BodyId),
    /// What the sender has just learned (`gossip_push`).
    News(BodyId),
    /// A digest of what the sender knows: send me what I lack (`gossip_pull_request`).
    Pull(BodyId),
    /// The same as a reply to a pull request whose sender knows something new; never answered with
    /// another request (`gossip_pull_request`).
    PullBack(BodyId),
    /// What the asker lacks (`gossip_pull_response`).
    Response(BodyId),
}

const _: () = assert!(size_of::<Message>() <= 8 && align_of::<Message>() <= 4);

/// Bytes in front of a list of entries: the sender's identity and the number of entries.
const LIST_HEAD: u32 = 32 + 4;
/// Bytes in front of a digest: the sender's identity and the number of entries.
const DIGEST_HEAD: u32 = 32 + 8;
/// Bytes per known entry in a digest: a short number of the validator and of the version.
const DIGEST_ENTRY: u32 = 4;

impl Message {
    /// What it is about.
    #[must_use]
    pub const fn kind(&self) -> MessageKind {
        match self {
            Self::Registry(_) => MessageKind::GossipValidators,
            Self::News(_) => MessageKind::GossipPush,
            Self::Pull(_) | Self::PullBack(_) => MessageKind::GossipPullRequest,
            Self::Response(_) => MessageKind::GossipPullResponse,
        }
    }

    /// Bytes of payload.
    #[must_use]
    pub fn size<B>(&self, bodies: &Bodies<B>) -> u32
    where
        Body: Part<B>,
    {
        let known = Body::unwrap(bodies.body(self.id())).known();
        match self {
            Self::Registry(_) | Self::News(_) | Self::Response(_) => {
                LIST_HEAD + known * Entry::SIZE
            }
            Self::Pull(_) | Self::PullBack(_) => DIGEST_HEAD + known * DIGEST_ENTRY,
        }
    }

    /// A number that depends on the content alone.
    #[must_use]
    pub fn content<B>(&self, bodies: &Bodies<B>) -> u64
    where
        Body: Part<B>,
    {
        let content = Body::unwrap(bodies.body(self.id())).content();
        // The two requests share a kind and may share a body.
        if matches!(self, Self::PullBack(_)) { mix(content) } else { content }
    }

    /// The body it refers to.
    #[must_use]
    pub const fn body(&self) -> Option<BodyId> {
        Some(self.id())
    }

    pub(super) const fn id(self) -> BodyId {
        match self {
            Self::Registry(id)
            | Self::News(id)
            | Self::Pull(id)
            | Self::PullBack(id)
            | Self::Response(id) => id,
        }
    }
}

/// An alarm of gossip. A crash voids them all, so none is ever stale.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Timer {
    /// The next round.
    Round,
    /// A validator's next version of its own entry.
    Refresh,
}

/// Sends a message to several nodes.
pub(super) fn send_all(ctx: &mut impl Mail<Message>, to: &[NodeId], message: Message) {
    for &to in to {
        ctx.send(to, message);
    }
}
