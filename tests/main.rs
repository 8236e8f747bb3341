//! The integration tests, one module per behaviour.

mod support;

mod smoke;
