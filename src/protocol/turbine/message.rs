//! Protocol layer: the messages and alarms of block propagation.

use crate::base::slot::Slot;
use crate::fact::MessageKind;
use crate::protocol::block::{Block, ShredAt};
use crate::protocol::content::mix;
use crate::sim::body::{Bodies, BodyId};
use crate::sim::protocol::Part;

/// Messages of this part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Message {
    /// A shred.
    Shred {
        /// Of this block.
        block: BodyId,
        /// Which one.
        at: ShredAt,
        /// Links travelled, this one included; 255 stands for any more.
        hops: u8,
    },
    /// A shred that this node may have sent to the same receiver before.
    Again {
        /// Of this block.
        block: BodyId,
        /// Which one.
        at: ShredAt,
    },
    /// The leader's announcement of a block: slot, hash, parent, number of shreds, signature.
    Proposal {
        /// The block.
        block: BodyId,
    },
}

/// Bytes of a proposal: slot 8, hash 32, parent's hash 32, count of shreds 4, signature 64.
const PROPOSAL_BYTES: u32 = 140;

/// Bits of a weather serial for a shred's number in its block; 27 more tell the slot.
const ORDINAL_BITS: u32 = 17;

impl Message {
    /// What the message is about.
    #[inline]
    #[must_use]
    pub const fn kind(self) -> MessageKind {
        match self {
            Self::Shred { .. } | Self::Again { .. } => MessageKind::BlockChunk,
            Self::Proposal { .. } => MessageKind::BlockProposal,
        }
    }

    /// The body it refers to.
    #[inline]
    #[must_use]
    pub const fn body(self) -> BodyId {
        match self {
            Self::Shred { block, .. } | Self::Again { block, .. } | Self::Proposal { block } => {
                block
            }
        }
    }

    /// Payload bytes.
    #[inline]
    #[must_use]
    pub fn size<B>(self, bodies: &Bodies<B>) -> u32
    where
        Block: Part<B>,
    {
        match self {
            Self::Shred { block, at, .. } | Self::Again { block, at } => {
                Block::unwrap(bodies.body(block)).shape.size(at)
            }
            Self::Proposal { .. } => PROPOSAL_BYTES,
        }
    }

    /// A number that depends on the content alone.
    #[inline]
    #[must_use]
    pub fn content<B>(self, bodies: &Bodies<B>) -> u64
    where
        Block: Part<B>,
    {
        let id = Block::unwrap(bodies.body(self.body())).hash.low_u64();
        match self {
            Self::Shred { at, hops, .. } => shred_content(id, at) ^ u64::from(hops),
            Self::Again { at, .. } => shred_content(id, at),
            Self::Proposal { .. } => mix(id),
        }
    }

    /// The weather serial: a shred passes a link once, unless it says otherwise.
    #[inline]
    #[must_use]
    pub fn serial<B>(self, bodies: &Bodies<B>) -> Option<u64>
    where
        Block: Part<B>,
    {
        let Self::Shred { block, at, .. } = self else { return None };
        let block = Block::unwrap(bodies.body(block));
        // 44 bits: the ones above tell the faults apart.
        let slot = u64::from(block.slot.number()) % (1 << 27);
        Some(slot << ORDINAL_BITS | (u64::from(block.shape.ordinal(at)) % (1 << ORDINAL_BITS)))
    }
}

/// A number for a shred: that of its block, and its place above what hops may take up.
fn shred_content(block: u64, at: ShredAt) -> u64 {
    block.wrapping_add(u64::from(at.set) << 16 | u64::from(at.place) << 8)
}

/// The alarm for the next share of the leader's block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timer {
    /// The block's slot.
    pub slot: Slot,
    /// Which share.
    pub step: u32,
}

impl Timer {
    /// Shreds that a liar sends late are due. Nobody leads slot 0.
    pub const LATE: Self = Self { slot: Slot::ZERO, step: u32::MAX };
}
