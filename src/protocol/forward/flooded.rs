//! Protocol layer: the transactions that a node has sent on in a flood. It outlives their stay in
//! the mempool: a transaction that was evicted comes back from peers, and a node that took it for
//! new would send it on again, evict another for it, and so on without end.

use std::collections::{BTreeMap, BTreeSet};

use crate::protocol::ledger::{Bank, TransactionId};

/// Most that a node remembers, about 50 MB of them. One that has no more room takes transactions in
/// but floods none: that way a flood ends here, too.
const MOST: usize = 1 << 20;

/// What a node has flooded and has not expired.
#[derive(Debug, Default)]
pub(super) struct Flooded {
    born: BTreeMap<TransactionId, u32>,
    /// By the height they name.
    ages: BTreeSet<(u32, TransactionId)>,
}

impl Flooded {
    /// Whether a transaction was flooded already.
    pub(super) fn contains(&self, id: TransactionId) -> bool {
        self.born.contains_key(&id)
    }

    /// Remembers a transaction that names the block at height `born`; false if it is remembered
    /// already or there is no room.
    pub(super) fn insert(&mut self, id: TransactionId, born: u32) -> bool {
        if self.born.len() >= MOST || self.contains(id) {
            return false;
        }
        self.born.insert(id, born);
        self.ages.insert((born, id));
        true
    }

    /// Forgets what is too old for the block after `bank`: the ledger refuses it from now on.
    pub(super) fn drop_expired(&mut self, bank: &Bank) {
        while let Some(&(born, id)) = self.ages.first()
            && bank.is_too_old(born)
        {
            self.ages.pop_first();
            self.born.remove(&id);
        }
    }

    /// Forgets everything, as a crash does.
    pub(super) fn clear(&mut self) {
        self.born.clear();
        self.ages.clear();
    }
}
