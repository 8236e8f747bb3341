//! headwater: a deterministic discrete-event simulator of gossip, block propagation and consensus.

pub mod base;
pub mod cli;
pub mod crypto;
pub mod fact;
pub mod metrics;
pub mod protocol;
pub mod results;
pub mod run;
pub mod scenario;
pub mod sim;
