//! The integration tests, one module per behaviour.

mod support;

mod determinism;
mod documents;
mod smoke;
mod tidy;
