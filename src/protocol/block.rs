//! Protocol layer: a block as the network sees it: who made it on what, how large it is, and into
//! how many shreds of which sizes it is cut. Stored once per run and shared by all nodes; a node
//! uses of it only what the messages it has received would tell it.

mod coded;
mod shape;

use std::fmt;

use crate::base::digest::Digest;
use crate::base::id::NodeId;
use crate::base::slot::Slot;

pub use self::coded::{Coded, Erasure};
pub use self::shape::{Cut, Shape, ShredAt};

/// Names a block: the first 64 bits of its hash. Two blocks of a run share a name with a chance of
/// one in 2^64 per pair.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlockId(pub u64);

impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A block.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Block {
    /// The slot it was made in.
    pub slot: Slot,
    /// Blocks from genesis to it, itself included.
    pub height: u32,
    /// Who made it.
    pub leader: NodeId,
    /// SHA-256 over its canonical bytes.
    pub hash: Digest,
    /// The hash of the block it stands on.
    pub parent: Digest,
    /// Bytes of the whole block, serialised.
    pub bytes: u32,
    /// How it is cut into shreds.
    pub shape: Shape,
    /// The bytes of its shreds, if the scenario asks for them.
    pub coded: Option<Box<Coded>>,
}

impl Block {
    /// Its name.
    #[must_use]
    pub fn id(&self) -> BlockId {
        BlockId(self.hash.low_u64())
    }

    /// Cuts it into shreds that have bytes. `canonical` are the bytes that its hash is of.
    #[must_use]
    pub fn with_bytes(self, canonical: &[u8], cut: &Cut) -> Self {
        let coded = Coded::of(canonical, &self.hash, self.bytes, &self.shape, cut);
        Self { coded: coded.map(Box::new), ..self }
    }

    /// Whether the shreds of a set that a node has give back the data shreds that it lacks; bits of
    /// `lacked` are as in [`Coded::restores`]. Where shreds have no bytes, they do.
    #[inline]
    #[must_use]
    pub fn restores(&self, set: u16, lacked: &[u64]) -> bool {
        self.coded.as_ref().is_none_or(|coded| coded.restores(set, lacked))
    }

    /// The name of the block it stands on.
    #[must_use]
    pub fn parent_id(&self) -> BlockId {
        BlockId(self.parent.low_u64())
    }
}
