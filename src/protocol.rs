//! Layer 2, the protocols: what a node says and does. Parts know only themselves.

pub mod cluster;
pub mod peers;
pub mod rumor;
