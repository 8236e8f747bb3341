//! Protocol layer: the bank, the state of the ledger after a block. Every fork has banks of its
//! own; they share what they have in common, so a bank is made and copied in little time.

use imbl::ordmap::DiffItem;
use imbl::{OrdMap, OrdSet};

use super::{AccountId, Config, Refusal, Transaction, TransactionId};
use crate::base::slot::Slot;

/// Balances and recent transactions after a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bank {
    slot: Slot,
    height: u32,
    balances: OrdMap<AccountId, u64>,
    /// Transactions in the last `expiry_blocks` blocks; those that name a later block than the one
    /// they are in stay for as long as they could come again.
    recent: OrdSet<TransactionId>,
    /// The same, each with the last height at which it is recent.
    ends: OrdSet<(u32, TransactionId)>,
    expiry_blocks: u32,
}

impl Bank {
    /// The state before the first block: accounts `0..accounts` with the same balance each.
    #[must_use]
    pub fn genesis(accounts: u32, config: &Config) -> Self {
        let balance = u64::from(config.balance);
        Self {
            slot: Slot::ZERO,
            height: 0,
            balances: (0..accounts).map(|account| (AccountId(account), balance)).collect(),
            recent: OrdSet::new(),
            ends: OrdSet::new(),
            expiry_blocks: config.expiry_blocks,
        }
    }

    /// The state after a block with these transactions, and what became of each. A refused one
    /// changes nothing.
    #[must_use]
    pub fn execute(
        &self,
        slot: Slot,
        transactions: &[Transaction],
    ) -> (Self, Vec<Result<(), Refusal>>) {
        let mut bank = self.open(slot);
        let verdicts = transactions.iter().map(|transaction| bank.apply(transaction)).collect();
        (bank, verdicts)
    }

    /// The state of the next block before its first transaction.
    #[must_use]
    pub fn open(&self, slot: Slot) -> Self {
        let mut bank = Self { slot, height: self.next_height(), ..self.clone() };
        while let Some(&(end, id)) = bank.ends.get_min()
            && end < bank.height
        {
            bank.ends.remove_min();
            bank.recent.remove(&id);
        }
        bank
    }

    /// Executes a transaction as the next one of this bank's block.
    ///
    /// # Errors
    /// Why it is refused; nothing has changed then.
    pub fn apply(&mut self, transaction: &Transaction) -> Result<(), Refusal> {
        self.verdict(transaction, self.height)?;
        let Transaction { id, sender, receiver, amount, born, .. } = *transaction;
        if let Some(balance) = self.balances.get_mut(&sender) {
            *balance -= amount;
        }
        if let Some(balance) = self.balances.get_mut(&receiver) {
            // All balances together fit, see `total`.
            *balance += amount;
        }
        self.recent.insert(id);
        self.ends.insert((self.height.max(born).saturating_add(self.expiry_blocks), id));
        Ok(())
    }

    /// Whether the next block could begin with this transaction.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, transaction: &Transaction) -> Result<(), Refusal> {
        self.verdict(transaction, self.next_height())
    }

    /// Whether this state allows for a transaction in a block at `height`.
    fn verdict(&self, transaction: &Transaction, height: u32) -> Result<(), Refusal> {
        let Transaction { id, sender, receiver, amount, born, valid, .. } = *transaction;
        if !valid {
            return Err(Refusal::BadSignature);
        }
        if born.saturating_add(self.expiry_blocks) < height
            || born > height.saturating_add(self.expiry_blocks)
        {
            return Err(Refusal::Expired);
        }
        if self.recent.contains(&id) {
            return Err(Refusal::Repeated);
        }
        match self.balances.get(&sender) {
            Some(balance) if self.balances.contains_key(&receiver) => {
                if *balance < amount {
                    Err(Refusal::ShortBalance)
                } else {
                    Ok(())
                }
            }
            _ => Err(Refusal::UnknownAccount),
        }
    }

    /// Whether a transaction named after the block at `born` is too old for the next block.
    #[must_use]
    pub const fn is_too_old(&self, born: u32) -> bool {
        born.saturating_add(self.expiry_blocks) < self.next_height()
    }

    const fn next_height(&self) -> u32 {
        self.height.saturating_add(1)
    }

    /// What an account holds; `None` if there is no such account.
    #[must_use]
    pub fn balance(&self, account: AccountId) -> Option<u64> {
        self.balances.get(&account).copied()
    }

    /// What all accounts hold together: the same in every bank of a run. It fits, because at the
    /// start at most 2^32 accounts hold less than 2^32 each.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.balances.values().sum()
    }

    /// Looks at all balances that differ from those of another bank: whether none of them is
    /// negative, and whether together they are what they were. Does not ask what transactions were
    /// said to do. Balances at genesis are below 2^32 and accounts are at most a million, so a
    /// balance from 2^63 on is one that has gone below zero.
    #[must_use]
    pub fn audit(&self, before: &Self) -> (bool, bool) {
        let (mut covered, mut gone, mut come) = (true, 0_u128, 0_u128);
        for change in before.balances.diff(&self.balances) {
            let (old, new) = match change {
                DiffItem::Add(_, new) => (0, *new),
                DiffItem::Update { old: (_, old), new: (_, new) } => (*old, *new),
                DiffItem::Remove(_, old) => (*old, 0),
            };
            covered &= i64::try_from(new).is_ok();
            gone += u128::from(old);
            come += u128::from(new);
        }
        (covered, gone == come)
    }

    /// Number of accounts.
    #[must_use]
    pub fn accounts(&self) -> usize {
        self.balances.len()
    }

    /// Whether a transaction of this id is in one of the recent blocks.
    #[must_use]
    pub fn holds(&self, id: TransactionId) -> bool {
        self.recent.contains(&id)
    }

    /// The slot of its block.
    #[must_use]
    pub const fn slot(&self) -> Slot {
        self.slot
    }

    /// How many blocks its fork has behind the genesis, its own included.
    #[must_use]
    pub const fn height(&self) -> u32 {
        self.height
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::transfer;
    use super::*;
    use crate::base::rng::{Purpose, Rng, Seed};

    fn genesis(accounts: u32, balance: u32, expiry_blocks: u32) -> Bank {
        Bank::genesis(accounts, &Config { balance, expiry_blocks, ..Config::default() })
    }

    /// `blocks` empty blocks later.
    fn later(bank: &Bank, blocks: u32) -> Bank {
        (0..blocks).fold(bank.clone(), |bank, _| bank.open(bank.slot().next()))
    }

    #[test]
    fn an_audit_sees_balances_that_are_made_up_lost_or_negative() {
        let before = genesis(3, 100, 150);
        let (after, _) = before.execute(Slot::new(1), &[transfer(1, (0, 1), 60, 0)]);
        assert_eq!(after.audit(&before), (true, true));
        let with = |changes: &[(u32, u64)]| {
            let mut bank = after.clone();
            changes.iter().for_each(|(account, balance)| {
                bank.balances.insert(AccountId(*account), *balance);
            });
            bank.audit(&before)
        };
        assert_eq!(with(&[(2, 99)]), (true, false), "lost, in an account that nobody touched");
        assert_eq!(with(&[(7, 1)]), (true, false), "made up, in a new account");
        // 40 less 41, as a subtraction gives it that nobody checks; 1 more elsewhere does not help.
        assert_eq!(with(&[(0, 40_u64.wrapping_sub(41)), (1, 201)]), (false, false));
        assert_eq!(with(&[(0, 39), (1, 161)]), (true, true));
    }

    #[test]
    fn a_transfer_moves_its_amount_and_a_refused_one_nothing() {
        let bank = genesis(3, 100, 150);
        let block = [
            transfer(1, (0, 1), 60, 0),
            transfer(2, (0, 1), 60, 0),
            transfer(3, (1, 2), 160, 0),
            Transaction { valid: false, ..transfer(4, (2, 0), 1, 0) },
            transfer(5, (2, 3), 1, 0),
            transfer(6, (3, 2), 0, 0),
            transfer(1, (0, 1), 1, 0),
            transfer(7, (2, 2), 260, 0),
            transfer(8, (2, 2), 261, 0),
        ];
        let (after, verdicts) = bank.execute(Slot::new(4), &block);
        use Refusal::{BadSignature, Repeated, ShortBalance, UnknownAccount};
        let expected = [
            Ok(()),
            Err(ShortBalance),
            Ok(()),
            Err(BadSignature),
            Err(UnknownAccount),
            Err(UnknownAccount),
            Err(Repeated),
            Ok(()),
            Err(ShortBalance),
        ];
        assert_eq!(verdicts, expected);
        let balances = [0, 1, 2, 3].map(|account| after.balance(AccountId(account)));
        assert_eq!(balances, [Some(40), Some(0), Some(260), None]);
        assert_eq!((after.slot(), after.height(), after.total()), (Slot::new(4), 1, 300));
        assert_eq!(bank, genesis(3, 100, 150), "the parent is as before");
    }

    #[test]
    fn a_transaction_is_valid_for_so_many_blocks_after_the_one_it_names() {
        let bank = later(&genesis(2, 100, 150), 10);
        let transaction = transfer(1, (0, 1), 1, 10);
        // The block after `bank` is the first of 150.
        for blocks in [0, 1, 149] {
            assert_eq!(later(&bank, blocks).check(&transaction), Ok(()), "{blocks} later");
        }
        assert_eq!(later(&bank, 150).check(&transaction), Err(Refusal::Expired));
        assert!(!later(&bank, 149).is_too_old(10) && later(&bank, 150).is_too_old(10));
        // Blocks count, slots do not.
        let slow = bank.open(Slot::new(1_000));
        assert_eq!(slow.check(&transaction), Ok(()));
    }

    #[test]
    fn a_node_that_is_behind_accepts_what_names_a_block_it_has_not_seen() {
        let bank = genesis(2, 100, 5);
        assert_eq!(bank.check(&transfer(1, (0, 1), 1, 6)), Ok(()));
        assert_eq!(bank.check(&transfer(1, (0, 1), 1, 7)), Err(Refusal::Expired));
        assert_eq!(bank.check(&transfer(1, (0, 1), 1, u32::MAX)), Err(Refusal::Expired));
    }

    #[test]
    fn a_repetition_is_refused_within_the_window_and_the_same_transaction_for_ever() {
        for expiry in [1, 2, 7] {
            for born in 0..12 {
                let bank = later(&genesis(2, 100, expiry), 5);
                let transaction = transfer(1, (0, 1), 1, born);
                let (mut bank, verdicts) = bank.execute(Slot::new(6), &[transaction]);
                // Height 6 is within `expiry` blocks of the one it names.
                assert_eq!(verdicts[0].is_ok(), 6_u32.abs_diff(born) <= expiry, "born {born}");
                for height in 7..40 {
                    let again = bank.check(&transaction);
                    if verdicts[0].is_ok() {
                        assert!(again.is_err(), "at {height}, born {born}, expiry {expiry}");
                    }
                    // The same id under a new name of a block, within the window.
                    let renewed = Transaction { born: height, ..transaction };
                    if verdicts[0].is_ok() && height <= 6 + expiry {
                        assert_eq!(bank.check(&renewed), Err(Refusal::Repeated));
                    }
                    bank = later(&bank, 1);
                }
                assert!(bank.recent.is_empty() && bank.ends.is_empty(), "forgotten in the end");
            }
        }
    }

    #[test]
    fn what_the_next_block_accepts_first_is_what_check_says() {
        let mut rng = Rng::of_cluster(Seed(3), Purpose::Transactions);
        let mut bank = genesis(4, 10, 3);
        for _ in 0..500 {
            let transaction = random(&mut rng, &bank);
            let (after, verdicts) = bank.execute(bank.slot().next(), &[transaction]);
            assert_eq!(bank.check(&transaction), verdicts[0]);
            bank = after;
        }
    }

    /// Any transaction: valid or not, possible or not, new or not.
    fn random(rng: &mut Rng, bank: &Bank) -> Transaction {
        let accounts = (rng.below(5) as u32, rng.below(5) as u32);
        let born = (bank.height() + rng.below(4) as u32).saturating_sub(rng.below(8) as u32);
        let transaction = transfer(rng.below(50) as u32, accounts, rng.below(15), born);
        Transaction { valid: rng.below(8) > 0, ..transaction }
    }

    #[test]
    fn money_is_conserved_and_forks_are_independent() {
        for seed in 1..=10 {
            let mut rng = Rng::of_cluster(Seed(seed), Purpose::Transactions);
            let mut banks = vec![genesis(4, 10, 5)];
            let (mut done, mut refused) = (0, [0; Refusal::ALL.len()]);
            for _ in 0..200 {
                // A block upon any bank so far; a tree of forks grows.
                let parent = banks[rng.below(banks.len() as u64) as usize].clone();
                let copy = parent.clone();
                let block: Vec<_> = (0..rng.below(12)).map(|_| random(&mut rng, &parent)).collect();
                let (bank, verdicts) = parent.execute(parent.slot().next(), &block);
                assert_eq!(parent, copy);
                assert_eq!((bank.total(), bank.accounts()), (40, 4));
                assert_eq!(model(&parent, &block, &verdicts), balances(&bank));
                for verdict in verdicts {
                    match verdict {
                        Ok(()) => done += 1,
                        Err(refusal) => refused[refusal as usize] += 1,
                    }
                }
                banks.push(bank);
            }
            assert!(done > 100 && refused.iter().all(|count| *count > 0), "{done} {refused:?}");
        }
    }

    fn balances(bank: &Bank) -> Vec<i64> {
        (0..4).map(|a| bank.balance(AccountId(a)).map_or(-1, |b| b as i64)).collect()
    }

    /// The balances after the transactions that were accepted, in plain arithmetic with signs.
    fn model(bank: &Bank, block: &[Transaction], verdicts: &[Result<(), Refusal>]) -> Vec<i64> {
        let mut balances = balances(bank);
        for (transaction, verdict) in block.iter().zip(verdicts) {
            if verdict.is_ok() {
                balances[transaction.sender.0 as usize] -= transaction.amount as i64;
                assert!(balances.iter().all(|balance| *balance >= 0), "{transaction:?}");
                balances[transaction.receiver.0 as usize] += transaction.amount as i64;
            }
        }
        balances
    }
}
