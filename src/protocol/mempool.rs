//! Protocol layer: the mempool, transactions that wait at a node for a block. It is bounded in
//! number and in bytes; every transaction that came in is accounted for.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ledger::{Bank, Refusal, Transaction, TransactionId};
use super::setting::{SettingError, at_least_one};
use crate::base::quantity::Bytes;
use crate::base::slot::Slot;

/// What gives way when the mempool is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Eviction {
    /// The newcomer is refused.
    #[default]
    Newest,
    /// Those that wait longest are dropped, until the newcomer has room.
    Oldest,
}

/// Transactions that wait at a node for a block (`[mempool]`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Most transactions that wait at a node.
    #[schemars(range(min = 1))]
    pub transactions: u32,
    /// Most bytes of transactions, signatures included, that wait at a node; at least one
    /// transaction without further data (180 B).
    pub bytes: Bytes,
    /// What gives way when either limit is reached.
    pub eviction: Eviction,
}

impl Default for Config {
    fn default() -> Self {
        // As many as Solana's send service keeps (10,000), each of the largest size (1,232 B).
        Self { transactions: 10_000, bytes: Bytes(12_320_000), eviction: Eviction::Newest }
    }
}

impl Config {
    /// Refuses what cannot work.
    ///
    /// # Errors
    /// Names the setting and what was expected.
    pub fn check(&self) -> Result<(), SettingError> {
        at_least_one("transactions", self.transactions)?;
        let least = Bytes(Transaction::SMALLEST_BYTES.into());
        if self.bytes < least {
            let message = format!("{} holds no transaction; expected at least {least}", self.bytes);
            return Err(SettingError { field: "bytes", message });
        }
        Ok(())
    }
}

/// Why a mempool does not take a transaction in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rejection {
    /// Its signature is not valid: no ledger ever accepts it.
    BadSignature,
    /// It waits already.
    Duplicate,
    /// There is no room for it.
    Full,
}

impl Rejection {
    /// Its name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BadSignature => "bad_signature",
            Self::Duplicate => "duplicate",
            Self::Full => "full",
        }
    }
}

/// What became of transactions. Those that were added wait still, or are counted once more as
/// evicted, expired, taken or included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Refused for their signature.
    pub bad_signature: u64,
    /// Refused because they waited already.
    pub duplicate: u64,
    /// Refused for lack of room.
    pub full: u64,
    /// Taken in.
    pub added: u64,
    /// Dropped for a newcomer.
    pub evicted: u64,
    /// Dropped because the block that they name is too old.
    pub expired: u64,
    /// Taken out for a block of this node.
    pub taken: u64,
    /// Dropped because a block of another node holds them.
    pub included: u64,
}

/// Most that a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockLimits {
    /// Most transactions.
    pub transactions: u32,
    /// Most bytes of transactions, signatures included.
    pub bytes: u64,
}

/// What a mempool gives for a block.
#[derive(Clone, Debug)]
pub struct Selection {
    /// The transactions of the block, in the order of their arrival.
    pub transactions: Vec<Transaction>,
    /// The state after the block.
    pub bank: Bank,
    /// Transactions that were dropped on the way because the block that they name is too old.
    pub expired: Vec<Transaction>,
}

/// A node's mempool.
#[derive(Clone, Debug)]
pub struct Mempool {
    config: Config,
    /// By arrival.
    queue: BTreeMap<u64, Transaction>,
    arrivals: BTreeMap<TransactionId, u64>,
    /// By the height they name, then by arrival.
    ages: BTreeSet<(u32, u64)>,
    bytes: u64,
    next: u64,
    counts: Counts,
}

impl Mempool {
    /// An empty mempool.
    #[must_use]
    pub const fn new(config: Config) -> Self {
        Self {
            config,
            queue: BTreeMap::new(),
            arrivals: BTreeMap::new(),
            ages: BTreeSet::new(),
            bytes: 0,
            next: 0,
            counts: Counts {
                bad_signature: 0,
                duplicate: 0,
                full: 0,
                added: 0,
                evicted: 0,
                expired: 0,
                taken: 0,
                included: 0,
            },
        }
    }

    /// Takes a transaction in, as the last in the order; says which ones it evicts. Whether a
    /// ledger would accept it is for [`Bank::check`] to say.
    ///
    /// # Errors
    /// Why it is refused; nothing else has changed then.
    pub fn insert(&mut self, transaction: Transaction) -> Result<Vec<Transaction>, Rejection> {
        if !transaction.valid {
            self.counts.bad_signature += 1;
            return Err(Rejection::BadSignature);
        }
        if self.arrivals.contains_key(&transaction.id) {
            self.counts.duplicate += 1;
            return Err(Rejection::Duplicate);
        }
        let size = u64::from(transaction.bytes());
        let evicts = self.config.eviction == Eviction::Oldest && size <= self.config.bytes.get();
        if !self.has_room(size) && !evicts {
            self.counts.full += 1;
            return Err(Rejection::Full);
        }
        let mut evicted = Vec::new();
        while !self.has_room(size)
            && let Some((&oldest, _)) = self.queue.first_key_value()
        {
            evicted.extend(self.remove(oldest));
        }
        self.counts.evicted += evicted.len() as u64;
        self.counts.added += 1;
        self.queue.insert(self.next, transaction);
        self.arrivals.insert(transaction.id, self.next);
        self.ages.insert((transaction.born, self.next));
        self.bytes += size;
        self.next += 1;
        Ok(evicted)
    }

    fn has_room(&self, size: u64) -> bool {
        self.queue.len() < self.config.transactions as usize
            && self.bytes.saturating_add(size) <= self.config.bytes.get()
    }

    /// Takes out what the block upon `parent` in this slot is to hold: in the order of arrival,
    /// whatever the ledger accepts and the limits have room for. Drops what has expired; what the
    /// ledger refuses for another reason, or what has no room, waits on.
    pub fn take(&mut self, parent: &Bank, slot: Slot, limits: BlockLimits) -> Selection {
        let mut expired = self.drop_expired(parent);
        let mut bank = parent.open(slot);
        let (mut taken, mut gone) = (Vec::new(), Vec::new());
        let mut room = limits.bytes;
        for (arrival, transaction) in &self.queue {
            let no_room = room < Transaction::SMALLEST_BYTES.into();
            if taken.len() >= limits.transactions as usize || no_room {
                break;
            }
            let size = u64::from(transaction.bytes());
            if size > room {
                continue;
            }
            match bank.apply(transaction) {
                Ok(()) => {
                    room -= size;
                    taken.push(*arrival);
                }
                Err(Refusal::Expired) => gone.push(*arrival),
                Err(_) => {}
            }
        }
        self.counts.taken += taken.len() as u64;
        self.counts.expired += gone.len() as u64;
        expired.extend(self.remove_all(gone));
        Selection { transactions: self.remove_all(taken), bank, expired }
    }

    /// Drops what is too old for the block after `bank`; says what it was, oldest names first.
    pub fn drop_expired(&mut self, bank: &Bank) -> Vec<Transaction> {
        let mut expired = Vec::new();
        while let Some(&(born, arrival)) = self.ages.first()
            && bank.is_too_old(born)
        {
            expired.extend(self.remove(arrival));
        }
        self.counts.expired += expired.len() as u64;
        expired
    }

    /// Drops what a received block holds; says how many that were.
    pub fn remove_included(&mut self, transactions: &[Transaction]) -> usize {
        let waiting = transactions.iter().filter_map(|t| self.arrivals.get(&t.id).copied());
        let waiting = waiting.collect();
        let included = self.remove_all(waiting).len();
        self.counts.included += included as u64;
        included
    }

    /// Forgets everything that waits, as a crash does; the counts stay. Says how many that were.
    pub fn clear(&mut self) -> usize {
        let lost = self.queue.len();
        self.queue.clear();
        self.arrivals.clear();
        self.ages.clear();
        self.bytes = 0;
        lost
    }

    fn remove_all(&mut self, arrivals: Vec<u64>) -> Vec<Transaction> {
        arrivals.into_iter().filter_map(|arrival| self.remove(arrival)).collect()
    }

    fn remove(&mut self, arrival: u64) -> Option<Transaction> {
        let transaction = self.queue.remove(&arrival)?;
        self.arrivals.remove(&transaction.id);
        self.ages.remove(&(transaction.born, arrival));
        self.bytes -= u64::from(transaction.bytes());
        Some(transaction)
    }

    /// How many transactions wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Bytes of what waits, signatures included.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether a transaction waits.
    #[must_use]
    pub fn contains(&self, id: TransactionId) -> bool {
        self.arrivals.contains_key(&id)
    }

    /// A transaction that waits.
    #[must_use]
    pub fn get(&self, id: TransactionId) -> Option<&Transaction> {
        self.queue.get(self.arrivals.get(&id)?)
    }

    /// What waits, in the order of arrival.
    pub fn iter(&self) -> impl Iterator<Item = &Transaction> {
        self.queue.values()
    }

    /// What became of all transactions so far.
    #[must_use]
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }
}

#[cfg(test)]
mod tests;
