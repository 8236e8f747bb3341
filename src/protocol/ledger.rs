//! Protocol layer: the ledger: what transactions and blocks are, what of them is hashed and signed,
//! and what a block does to the balances. Everything here is a pure function.
//!
//! Canonical bytes are what a hash is made of. Signatures are no part of them: they count by their
//! size on the wire and by whether they are valid.

mod accounts;
mod bank;
mod block;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::accounts::Accounts;
pub use self::bank::Bank;
pub use self::block::{BLOCK_HEADER_BYTES, Block, Content};

use super::setting::{SettingError, at_least_one};
use crate::base::digest::Digest;
use crate::base::id::NodeId;
use crate::crypto::{KeyPair, SIGNATURE_BYTES, Signature};
pub use crate::fact::Refusal;

/// The ledger: accounts, and how long transactions are valid (`[ledger]`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How many accounts there are. The first ones are the validators', in the order of the nodes;
    /// the others are clients'. Without this key every validator has one.
    #[schemars(range(min = 1, max = 1_000_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accounts: Option<u32>,
    /// What every account holds at the start.
    pub balance: u32,
    /// For how many blocks a transaction is valid after the one whose hash it names; so long a
    /// ledger also remembers which transactions it holds, to refuse repetitions.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub expiry_blocks: u32,
}

impl Default for Config {
    fn default() -> Self {
        // 100 each in the classroom; 150 blocks in Solana (MAX_PROCESSING_AGE).
        Self { accounts: None, balance: 100, expiry_blocks: 150 }
    }
}

impl Config {
    /// Most accounts: a bank takes some 40 bytes for each.
    pub const MOST_ACCOUNTS: u32 = 1_000_000;

    /// Refuses what cannot work. There are so many validators.
    ///
    /// # Errors
    /// Names the setting and what was expected.
    pub fn check(&self, validators: u32) -> Result<(), SettingError> {
        at_least_one("expiry_blocks", self.expiry_blocks)?;
        if self.expiry_blocks > 1_000_000 {
            let message = format!("{} is too many; expected at most 1000000", self.expiry_blocks);
            return Err(SettingError { field: "expiry_blocks", message });
        }
        let most = Self::MOST_ACCOUNTS;
        match self.accounts {
            Some(accounts) if accounts < validators => {
                let message = format!(
                    "{accounts} accounts are too few: each of the {validators} validators has one"
                );
                Err(SettingError { field: "accounts", message })
            }
            Some(accounts) if accounts > most => {
                let message = format!("{accounts} is too many; expected at most {most}");
                Err(SettingError { field: "accounts", message })
            }
            _ => Ok(()),
        }
    }
}

/// An account: its number, dense from zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AccountId(pub u32);

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What tells a transaction from all others: the node at which it came in, and its number there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TransactionId(u64);

impl TransactionId {
    /// The id of a node's transaction.
    #[must_use]
    pub const fn new(origin: NodeId, serial: u32) -> Self {
        Self((origin.number() as u64) << 32 | serial as u64)
    }

    /// Where it came in.
    #[must_use]
    pub const fn origin(self) -> NodeId {
        NodeId::new((self.0 >> 32) as u32)
    }

    /// Its number at that node.
    #[must_use]
    pub const fn serial(self) -> u32 {
        self.0 as u32
    }

    /// Both in one number, the origin in the upper half.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// A transfer from one account to another.
///
/// Canonical bytes, all numbers little-endian; a number in a field of 32 bytes stands for the
/// account's key or the block's hash and is followed by zeros:
///
/// | Bytes | Field |
/// | --- | --- |
/// | 8 | id |
/// | 32 | sender |
/// | 32 | receiver |
/// | 8 | amount |
/// | 32 | recent block: its height |
/// | 4 | bytes of further data |
///
/// On the wire follow the further data, which have no meaning, and the signature of 64 bytes. So a
/// transaction without further data has 180 bytes; a plain transfer on Solana has 215.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Transaction {
    /// What tells it from all others.
    pub id: TransactionId,
    /// Who pays, and signs.
    pub sender: AccountId,
    /// Who is paid.
    pub receiver: AccountId,
    /// How much.
    pub amount: u64,
    /// Height of the recent block that it names: its age is counted from there.
    pub born: u32,
    /// Bytes of further data on the wire; beyond its number no part of any hash.
    pub data: u32,
    /// Whether its signature is valid: the verdict that every node comes to that checks it. No part
    /// of any hash.
    pub valid: bool,
}

/// Canonical bytes of a transaction.
const CANONICAL_BYTES: usize = 116;

impl Transaction {
    /// Bytes of the smallest transaction on the wire.
    pub const SMALLEST_BYTES: u32 = (CANONICAL_BYTES + SIGNATURE_BYTES) as u32;

    /// Bytes of the largest transaction on the wire: what Solana allowed until August 2026, one
    /// packet.
    pub const LARGEST_BYTES: u32 = 1_232;

    /// The same, signed with the sender's keys; the signature is checked here, once for all nodes.
    #[must_use]
    pub fn signed(self, keys: &KeyPair) -> Self {
        self.with(&keys.sign(&self.canonical_bytes()), keys)
    }

    /// The same with a forged signature.
    #[must_use]
    pub fn forged(self, keys: &KeyPair) -> Self {
        self.with(&Signature::forged(), keys)
    }

    fn with(self, signature: &Signature, keys: &KeyPair) -> Self {
        let valid = keys.public().verify(&self.canonical_bytes(), signature);
        Self { valid, ..self }
    }

    /// What is signed and hashed.
    #[must_use]
    pub fn canonical_bytes(&self) -> [u8; CANONICAL_BYTES] {
        let mut bytes = [0; CANONICAL_BYTES];
        bytes[0..8].copy_from_slice(&self.id.0.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.sender.0.to_le_bytes());
        bytes[40..44].copy_from_slice(&self.receiver.0.to_le_bytes());
        bytes[72..80].copy_from_slice(&self.amount.to_le_bytes());
        bytes[80..84].copy_from_slice(&self.born.to_le_bytes());
        bytes[112..116].copy_from_slice(&self.data.to_le_bytes());
        bytes
    }

    /// SHA-256 of the canonical bytes.
    #[must_use]
    pub fn hash(&self) -> Digest {
        Digest::of(&self.canonical_bytes())
    }

    /// Bytes on the wire.
    #[must_use]
    pub const fn bytes(&self) -> u32 {
        Self::SMALLEST_BYTES.saturating_add(self.data)
    }
}

/// Makes of transactions for tests.
#[cfg(test)]
pub(crate) mod sample {
    use super::*;

    /// A valid transfer of `amount` between two accounts, named after the block at `born`.
    pub(crate) fn transfer(
        serial: u32,
        (sender, receiver): (u32, u32),
        amount: u64,
        born: u32,
    ) -> Transaction {
        Transaction {
            id: TransactionId::new(NodeId::new(sender), serial),
            sender: AccountId(sender),
            receiver: AccountId(receiver),
            amount,
            born,
            data: 0,
            valid: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::sample::transfer;
    use super::*;
    use crate::crypto::Suite;

    #[test]
    fn the_hash_is_that_of_an_independent_calculation() {
        // Python: sha256(struct.pack("<QI28xI28xQI28xI", 3 << 32 | 9, 3, 5, 1000, 77, 20)).
        let transaction = Transaction { data: 20, ..transfer(9, (3, 5), 1_000, 77) };
        assert_eq!(transaction.hash().to_string(), HASH);
        assert_eq!(transaction.bytes(), 200);
        let id = transaction.id;
        assert_eq!((id.origin().number(), id.serial(), id.number()), (3, 9, (3 << 32) + 9));
    }

    const HASH: &str = "ac5b180020e924f0ecc77902dccb645b901843a3d600a15b0a4c96ff7ab54c5c";

    #[test]
    fn every_field_but_the_signature_enters_the_hash() {
        let plain = transfer(1, (2, 3), 4, 5);
        let changed = [
            Transaction { id: TransactionId::new(NodeId::new(2), 2), ..plain },
            Transaction { id: TransactionId::new(NodeId::new(3), 1), ..plain },
            Transaction { sender: AccountId(9), ..plain },
            Transaction { receiver: AccountId(9), ..plain },
            Transaction { amount: 9, ..plain },
            Transaction { born: 9, ..plain },
            Transaction { data: 9, ..plain },
        ];
        let mut hashes: Vec<Digest> = changed.iter().map(Transaction::hash).collect();
        hashes.push(plain.hash());
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), 8);
        assert_eq!(Transaction { valid: false, ..plain }.hash(), plain.hash());
    }

    #[test]
    fn both_suites_agree_on_signed_and_forged_transactions() {
        let plain = transfer(1, (2, 3), 4, 5);
        for suite in [Suite::Real, Suite::Modelled] {
            let keys = suite.key_pair(&[2; 32]);
            let (signed, forged) = (plain.signed(&keys), plain.forged(&keys));
            assert!(signed.valid && !forged.valid, "{suite:?}");
            assert_eq!((signed.hash(), forged.hash()), (plain.hash(), plain.hash()));
            assert_eq!(signed.bytes(), forged.bytes());
        }
    }

    #[test]
    fn a_ledger_that_forgets_at_once_is_refused() {
        let refused = |config: Config| config.check(3).err().map(|error| error.field);
        let default = Config::default();
        assert_eq!(refused(default), None);
        assert_eq!(refused(Config { expiry_blocks: 0, ..default }), Some("expiry_blocks"));
        assert_eq!(refused(Config { accounts: Some(2), ..default }), Some("accounts"));
        assert_eq!(refused(Config { accounts: Some(3), ..default }), None);
        assert_eq!(refused(Config { accounts: Some(1_000_001), ..default }), Some("accounts"));
    }
}
