//! Metrics layer, tests: transactions.
