//! The integration tests, one module per behaviour.

mod support;

mod laws;
mod smoke;
