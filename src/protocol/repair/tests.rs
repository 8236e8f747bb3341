//! Protocol layer, tests only.
