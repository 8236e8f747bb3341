//! Layer 3, from TOML text, overrides and a seed to a plan that is ready to run.

pub mod distribution;
pub mod error;
pub mod population;
pub mod reader;
