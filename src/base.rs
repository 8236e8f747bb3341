//! Layer 0, the vocabulary: time, identity, quantities, chance and digests. Nothing here knows what
//! a network or a protocol is.

pub mod checkpoint;
pub mod digest;
pub mod distribution;
pub mod fetch;
pub mod flight;
pub mod id;
pub mod quantity;
pub mod rng;
pub mod slot;
pub mod time;
pub mod weather;
