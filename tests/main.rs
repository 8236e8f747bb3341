//! The integration tests, one module per behaviour.
