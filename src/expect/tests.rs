//! Expectation layer, tests only.
