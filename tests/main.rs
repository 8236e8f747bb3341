//! The integration tests, one module per behaviour.

mod support;

mod adversaries;
mod agreement;
mod chaos;
mod cli;
mod clocks;
mod convergence;
mod determinism;
mod documents;
mod equalities;
mod experiment;
mod extremes;
mod invariants;
mod laws;
mod malformed;
mod mutations;
mod repair;
mod smoke;
mod solana;
mod tidy;
mod transactions;
mod workload;
