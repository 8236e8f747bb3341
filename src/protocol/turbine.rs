//! Protocol layer: Turbine, how the shreds of a block reach all nodes.

pub mod tree;
