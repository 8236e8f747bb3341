//! headwater: a deterministic discrete-event simulator of gossip, block propagation and consensus.

pub mod base;
pub mod metrics;
pub mod results;
pub mod scenario;
