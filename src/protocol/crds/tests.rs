//! Protocol layer, tests only: Solana gossip.
