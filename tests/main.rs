//! The integration tests, one module per behaviour.

mod support;

mod agreement;
mod cli;
mod clocks;
mod determinism;
mod documents;
mod equalities;
mod extremes;
mod laws;
mod malformed;
mod mutations;
mod repair;
mod smoke;
mod solana;
mod tidy;
mod transactions;
mod workload;
