//! Layer 3, from TOML text, overrides and a seed to a plan that is ready to run.

mod csv_fault;
pub mod distribution;
pub mod error;
mod input;
pub mod inputs;
pub mod plan;
pub mod population;
pub mod reader;
pub mod schema;
pub mod shipped;
pub mod topology;
