//! The integration tests, one module per behaviour.

mod support;

mod cli;
mod determinism;
mod extremes;
mod malformed;
mod mutations;
mod smoke;
