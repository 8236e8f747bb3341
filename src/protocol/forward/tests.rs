//! Protocol layer, tests: forwarding.
