//! Protocol layer: the messages and alarms of repair.

use crate::base::slot::Slot;
use crate::fact::{MessageKind, RepairKind};
use crate::protocol::block::{Block, BlockId};
use crate::protocol::content::mix;
use crate::sim::body::{Bodies, BodyId};
use crate::sim::protocol::Part;

/// Messages of this part. A data shred is numbered with 16 bits: a block has no more than 65,536
/// shreds. The order is without meaning: it serves to find a request again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Message {
    /// Asks for a data shred of a slot (`WindowIndex`).
    Window {
        /// The slot.
        slot: Slot,
        /// The shred's number.
        index: u16,
    },
    /// Asks for the last data shred of a slot that the other has, if it is not before this one
    /// (`HighestWindowIndex`).
    Highest {
        /// The slot.
        slot: Slot,
        /// The first number that is of use.
        index: u16,
    },
    /// Asks for the highest shred of a slot and of each of its ancestors (`Orphan`).
    Orphan {
        /// The slot.
        slot: Slot,
    },
    /// Asks for chunks of a block (the classroom's style).
    Chunks(BodyId),
    /// A data shred in answer to a request.
    Answer {
        /// Of this block.
        block: BodyId,
        /// Its number.
        index: u16,
    },
}

// What stands beside a message of twelve bytes in the enum of all messages has at most eight.
const _: () = assert!(size_of::<Message>() <= 8 && align_of::<Message>() <= 4);

/// What a request of the classroom's style asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Body {
    /// The block.
    pub block: BlockId,
    /// Numbers of data shreds.
    pub listed: Box<[u16]>,
    /// All data shreds from this one on are wanted too: the asker does not know which is the last.
    pub from: Option<u16>,
}

impl Body {
    /// Bytes beside the list: the sender 32, the block's hash 32, the open end 4, the length 4.
    pub const HEAD: u32 = 72;
    /// Bytes of a number in the list.
    pub const ENTRY: u32 = 4;

    fn size(&self) -> u32 {
        Self::HEAD + Self::ENTRY * self.listed.len() as u32
    }

    fn content(&self) -> u64 {
        let from = self.from.map_or(u64::MAX, u64::from);
        let start = mix(self.block.0 ^ mix(from));
        self.listed.iter().fold(start, |sum, index| mix(sum ^ u64::from(*index)))
    }
}

impl Message {
    /// Bytes of a request for a shred (Agave 4.4: a tag of 4, a header of 140, slot and index).
    pub const WINDOW_BYTES: u32 = 160;
    /// Bytes of a request for ancestors: no index.
    pub const ORPHAN_BYTES: u32 = 152;
    /// Bytes by which an answer is larger than the shred: the number of its request.
    pub const NONCE_BYTES: u32 = 4;

    /// The slot that a request of Solana's style names, and what it asks for; `None` for others.
    #[must_use]
    pub const fn wanted(self) -> Option<(Slot, RepairKind)> {
        match self {
            Self::Window { slot, .. } => Some((slot, RepairKind::Window)),
            Self::Highest { slot, .. } => Some((slot, RepairKind::Highest)),
            Self::Orphan { slot } => Some((slot, RepairKind::Orphan)),
            Self::Chunks(_) | Self::Answer { .. } => None,
        }
    }

    /// What the message is about.
    #[must_use]
    pub const fn kind(self) -> MessageKind {
        match self {
            Self::Answer { .. } => MessageKind::RepairResponse,
            _ => MessageKind::RepairRequest,
        }
    }

    /// The body it refers to.
    #[must_use]
    pub const fn body(self) -> Option<BodyId> {
        match self {
            Self::Chunks(body) | Self::Answer { block: body, .. } => Some(body),
            _ => None,
        }
    }

    /// Payload bytes.
    #[must_use]
    pub fn size<B>(self, bodies: &Bodies<B>) -> u32
    where
        Block: Part<B>,
        Body: Part<B>,
    {
        match self {
            Self::Window { .. } | Self::Highest { .. } => Self::WINDOW_BYTES,
            Self::Orphan { .. } => Self::ORPHAN_BYTES,
            Self::Chunks(body) => Body::unwrap(bodies.body(body)).size(),
            Self::Answer { block, index } => answer_bytes(Block::unwrap(bodies.body(block)), index),
        }
    }

    /// A number that depends on the content alone.
    #[must_use]
    pub fn content<B>(self, bodies: &Bodies<B>) -> u64
    where
        Block: Part<B>,
        Body: Part<B>,
    {
        let named = |tag: u64, slot: Slot, index: u16| {
            mix(tag << 56 | u64::from(slot.number()) << 16 | u64::from(index))
        };
        match self {
            Self::Window { slot, index } => named(1, slot, index),
            Self::Highest { slot, index } => named(2, slot, index),
            Self::Orphan { slot } => named(3, slot, 0),
            Self::Chunks(body) => Body::unwrap(bodies.body(body)).content(),
            Self::Answer { block, index } => {
                let id = Block::unwrap(bodies.body(block)).hash.low_u64();
                mix(id.wrapping_add(u64::from(index)))
            }
        }
    }
}

/// Payload bytes of an answer: the shred and the number of the request.
pub(super) fn answer_bytes(block: &Block, index: u16) -> u32 {
    let at = block.shape.data_at(index.into());
    block.shape.size(at).saturating_add(Message::NONCE_BYTES)
}

/// The alarm for the next look at what is missing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timer {
    /// Which alarm of the node it is: only the last one set counts.
    pub serial: u32,
}
