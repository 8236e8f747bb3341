//! Protocol layer tests.
