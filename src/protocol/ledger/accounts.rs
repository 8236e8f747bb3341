//! Protocol layer: who the accounts belong to. The first ones are the validators', in the order of
//! the nodes, and have their keys; the further ones are clients', whose keys follow from the seed.

use std::collections::BTreeMap;
use std::fmt;

use super::{AccountId, Transaction};
use crate::base::digest::Digest;
use crate::base::id::NodeMap;
use crate::base::rng::Seed;
use crate::crypto::{KeyPair, Suite};

/// Owners of all accounts. Keys are derived when somebody signs, and kept: they leave this file
/// only as signatures.
#[derive(Clone)]
pub struct Accounts {
    suite: Suite,
    seed: Seed,
    /// Identities of the validators.
    validators: Vec<[u8; 32]>,
    count: u32,
    keys: BTreeMap<AccountId, KeyPair>,
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts").field("count", &self.count).finish_non_exhaustive()
    }
}

impl Accounts {
    /// `count` accounts, or one for each validator.
    #[must_use]
    pub fn new(
        suite: Suite,
        seed: Seed,
        stakes: &NodeMap<u64>,
        identities: &NodeMap<[u8; 32]>,
        count: Option<u32>,
    ) -> Self {
        let staked = stakes.iter().filter(|(_, stake)| **stake > 0);
        let validators: Vec<[u8; 32]> = staked.map(|(node, _)| identities[node]).collect();
        let count = count.unwrap_or(validators.len() as u32);
        Self { suite, seed, validators, count, keys: BTreeMap::new() }
    }

    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// A transaction with its sender's signature, or with a forged one.
    pub fn sign(&mut self, transaction: Transaction, honest: bool) -> Transaction {
        let sender = transaction.sender;
        if !self.keys.contains_key(&sender) {
            let keys = self.suite.key_pair(&self.identity(sender));
            self.keys.insert(sender, keys);
        }
        let keys = &self.keys[&sender];
        if honest { transaction.signed(keys) } else { transaction.forged(keys) }
    }

    fn identity(&self, account: AccountId) -> [u8; 32] {
        let own = self.validators.get(account.0 as usize).copied();
        own.unwrap_or_else(|| {
            let (seed, number) = (self.seed.0.to_le_bytes(), account.0.to_le_bytes());
            Digest::of_parts(&[b"headwater account", &seed, &number]).0
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::transfer;
    use super::*;

    #[test]
    fn validators_come_first_and_everybody_signs_for_themselves() {
        let stakes = NodeMap::from_vec(vec![5, 0, 7]);
        let of_nodes = NodeMap::from_vec(vec![[1; 32], [2; 32], [3; 32]]);
        for suite in [Suite::Real, Suite::Modelled] {
            let mut all = Accounts::new(suite, Seed(1), &stakes, &of_nodes, Some(4));
            assert_eq!(all.identity(AccountId(1)), [3; 32], "the observer has no account");
            let mut identities = [0, 1, 2, 3].map(|i| all.identity(AccountId(i)));
            identities.sort_unstable();
            assert!(identities.windows(2).all(|pair| pair[0] != pair[1]));
            for sender in 0..4 {
                let plain = transfer(1, (sender, 0), 1, 0);
                assert!(all.sign(plain, true).valid && !all.sign(plain, false).valid);
            }
            let default = Accounts::new(suite, Seed(1), &stakes, &of_nodes, None);
            assert_eq!(default.count(), 2);
        }
    }
}
