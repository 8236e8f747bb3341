//! Protocol layer: what nodes say to each other to find and keep peers.

use crate::base::id::NodeId;
use crate::fact::MessageKind;
use crate::protocol::content::mix;
use crate::sim::body::{Bodies, BodyId};
use crate::sim::protocol::Part;

/// A message of discovery.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Message {
    /// "Here I am" (`peer_discovery`); answered with a list.
    Announce,
    /// Some peers of the sender, as an answer (`peer_discovery`); never answered.
    Peers(BodyId),
    /// Asks for peers (`peer_request`); answered with a list.
    Request,
    /// Asks for a sign of life (`ping`).
    Ping,
    /// Gives it (`pong`).
    Pong,
}

const _: () = assert!(size_of::<Message>() <= 8 && align_of::<Message>() <= 4);

/// Identity of the sender, in every message.
const IDENTITY: u32 = 32;
/// An address: IPv4 address and port (6) and version and flags (2).
const ADDRESS: u32 = 6 + 2;
/// A token that ties an answer to its question. Only its bytes are modelled: any message of a node
/// is a sign of its life.
const TOKEN: u32 = 4;

impl Message {
    /// What it is about.
    #[must_use]
    pub const fn kind(&self) -> MessageKind {
        match self {
            Self::Announce | Self::Peers(_) => MessageKind::PeerDiscovery,
            Self::Request => MessageKind::PeerRequest,
            Self::Ping => MessageKind::Ping,
            Self::Pong => MessageKind::Pong,
        }
    }

    /// Bytes of payload: identity 32 and token 4; an announcement has its address (8) as well, a
    /// list has 40 for every peer it names.
    #[must_use]
    pub fn size<B>(&self, bodies: &Bodies<B>) -> u32
    where
        Body: Part<B>,
    {
        match self {
            Self::Announce => IDENTITY + ADDRESS + TOKEN,
            Self::Request | Self::Ping | Self::Pong => IDENTITY + TOKEN,
            Self::Peers(id) => {
                let named = Body::unwrap(bodies.body(*id)).peers.len() as u32;
                IDENTITY + TOKEN + named * (IDENTITY + ADDRESS)
            }
        }
    }

    /// A number that depends on the content alone.
    #[must_use]
    pub fn content<B>(&self, bodies: &Bodies<B>) -> u64
    where
        Body: Part<B>,
    {
        match self {
            Self::Peers(id) => Body::unwrap(bodies.body(*id)).content,
            // The others say nothing but their kind and sender.
            _ => 0,
        }
    }

    /// The body it refers to.
    #[must_use]
    pub const fn body(&self) -> Option<BodyId> {
        match self {
            Self::Peers(id) => Some(*id),
            _ => None,
        }
    }
}

/// The peers that an answer names.
#[derive(Clone, Debug)]
pub struct Body {
    peers: Vec<NodeId>,
    content: u64,
}

impl Body {
    pub(super) fn new(peers: Vec<NodeId>) -> Self {
        let chain = |content, peer: &NodeId| mix(content ^ u64::from(peer.number()));
        // An empty list is not an announcement: it starts from something other than 0.
        let content = peers.iter().fold(mix(peers.len() as u64), chain);
        Self { peers, content }
    }

    /// The peers, in the order in which they were drawn.
    #[must_use]
    pub fn peers(&self) -> &[NodeId] {
        &self.peers
    }
}

/// An alarm of discovery.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Timer {
    /// Time to ask for peers.
    Request,
    /// Time for the next round of pings.
    Turn,
    /// The pings of this number are overdue.
    Overdue {
        /// The number that the pings sent at one moment have in common.
        round: u32,
    },
    /// Time to ping a dropped peer again.
    Retry {
        /// Which.
        peer: NodeId,
        /// Tells this time of being dropped from earlier ones.
        serial: u32,
    },
}

const _: () = assert!(size_of::<Timer>() <= 12 && align_of::<Timer>() <= 4);
