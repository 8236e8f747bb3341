//! The integration tests, one module per behaviour.

mod support;

mod determinism;
mod documents;
mod laws;
mod smoke;
mod tidy;
