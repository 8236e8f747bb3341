//! Layer 2, the protocols: what a node says and does. Parts know only themselves.

pub mod cluster;
pub mod content;
pub mod discovery;
pub mod gossip;
pub mod peers;
pub mod setting;
#[cfg(test)]
mod testbed;
