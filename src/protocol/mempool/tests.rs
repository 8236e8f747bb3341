//! Protocol layer, tests of the mempool.

use super::*;
use crate::base::id::NodeId;
use crate::base::rng::{Purpose, Rng, Seed};
use crate::protocol::ledger::sample::transfer;
use crate::protocol::ledger::{self, AccountId};

const ANY: BlockLimits = BlockLimits { transactions: u32::MAX, bytes: u64::MAX };

fn pool(transactions: u32, eviction: Eviction) -> Mempool {
    Mempool::new(Config { transactions, eviction, ..Config::default() })
}

fn bank(expiry_blocks: u32) -> Bank {
    Bank::genesis(4, &ledger::Config { balance: 100, expiry_blocks, ..ledger::Config::default() })
}

/// A payment of 1 from account 0 to account 1, named after the block at `born`.
fn pay(serial: u32, born: u32) -> Transaction {
    transfer(serial, (0, 1), 1, born)
}

fn serials<'a>(transactions: impl IntoIterator<Item = &'a Transaction>) -> Vec<u32> {
    transactions.into_iter().map(|t| t.id.serial()).collect()
}

#[test]
fn forgeries_and_duplicates_stay_outside() {
    let mut pool = pool(10, Eviction::Newest);
    assert_eq!(pool.insert(pay(1, 0)), Ok(Vec::new()));
    assert_eq!(pool.insert(Transaction { amount: 2, ..pay(1, 0) }), Err(Rejection::Duplicate));
    let forged = Transaction { valid: false, ..pay(2, 0) };
    assert_eq!(pool.insert(forged), Err(Rejection::BadSignature));
    assert_eq!(pool.insert(pay(2, 0)), Ok(Vec::new()), "the forgery does not keep it out");
    assert_eq!((pool.len(), pool.bytes()), (2, 360));
    let expected = Counts { added: 2, duplicate: 1, bad_signature: 1, ..Counts::default() };
    assert_eq!(*pool.counts(), expected);
}

#[test]
fn a_full_pool_refuses_the_newest_or_evicts_the_oldest() {
    let mut newest = pool(3, Eviction::Newest);
    let mut oldest = pool(3, Eviction::Oldest);
    for serial in 1..=5 {
        let refused = newest.insert(pay(serial, 0));
        let evicted = oldest.insert(pay(serial, 0)).expect("there is always room");
        if serial <= 3 {
            assert_eq!((refused, evicted), (Ok(Vec::new()), Vec::new()));
        } else {
            assert_eq!((refused, serials(&evicted)), (Err(Rejection::Full), vec![serial - 3]));
        }
    }
    assert_eq!((serials(newest.iter()), serials(oldest.iter())), (vec![1, 2, 3], vec![3, 4, 5]));
    assert_eq!((newest.counts().full, oldest.counts().evicted), (2, 2));
}

#[test]
fn bytes_are_bounded_too() {
    // Room for two of 180 bytes and 99 bytes more.
    for (eviction, left) in [(Eviction::Newest, vec![1, 2]), (Eviction::Oldest, vec![3])] {
        let config = Config { bytes: Bytes(459), eviction, ..Config::default() };
        let mut pool = Mempool::new(config);
        assert!(pool.insert(pay(1, 0)).is_ok() && pool.insert(pay(2, 0)).is_ok());
        // 280 bytes: one of the others must go, and then the other one too.
        let large = Transaction { data: 100, ..pay(3, 0) };
        assert_eq!(pool.insert(large).is_ok(), eviction == Eviction::Oldest);
        assert_eq!(serials(pool.iter()), left);
        // Larger than the pool: evicts nobody in vain.
        let huge = Transaction { data: 280, ..pay(4, 0) };
        assert_eq!(pool.insert(huge), Err(Rejection::Full));
        assert_eq!(serials(pool.iter()), left);
    }
}

#[test]
fn a_block_takes_the_oldest_that_the_ledger_accepts() {
    let mut pool = pool(10, Eviction::Newest);
    let waiting = [
        transfer(1, (0, 1), 70, 0),
        // Too much after the first.
        transfer(2, (0, 1), 70, 0),
        // Possible only after the first.
        transfer(3, (1, 2), 170, 0),
        // No such account, ever.
        transfer(4, (9, 0), 0, 0),
        transfer(5, (0, 1), 30, 0),
        transfer(6, (3, 1), 30, 0),
    ];
    for transaction in waiting {
        pool.insert(transaction).expect("there is room");
    }
    let limits = BlockLimits { transactions: 3, bytes: u64::MAX };
    let parent = bank(150);
    let block = pool.take(&parent, Slot::new(5), limits);
    assert_eq!(serials(&block.transactions), [1, 3, 5]);
    assert_eq!(serials(pool.iter()), [2, 4, 6]);
    let (executed, verdicts) = parent.execute(Slot::new(5), &block.transactions);
    assert_eq!(executed, block.bank);
    assert!(verdicts.iter().all(Result::is_ok));
    assert_eq!(pool.counts().taken, 3);
}

#[test]
fn a_block_has_room_for_so_many_bytes() {
    let mut pool = pool(10, Eviction::Newest);
    for (serial, data) in [(1, 0), (2, 500), (3, 20), (4, 0), (5, 0)] {
        pool.insert(Transaction { data, ..pay(serial, 0) }).expect("there is room");
    }
    // 180, not 680, 200, 180: 560 of 600 bytes.
    let limits = BlockLimits { transactions: 10, bytes: 600 };
    let block = pool.take(&bank(150), Slot::new(1), limits);
    assert_eq!(serials(&block.transactions), [1, 3, 4]);
    assert_eq!(serials(pool.iter()), [2, 5]);
}

#[test]
fn what_is_too_old_is_dropped_and_what_is_refused_waits() {
    let mut pool = pool(10, Eviction::Newest);
    let mut bank = bank(3);
    for (serial, born) in [(1, 3), (2, 0), (3, 1), (4, 2), (5, 90)] {
        pool.insert(pay(serial, born)).expect("there is room");
    }
    for slot in 1..=4 {
        bank = bank.open(Slot::new(slot));
    }
    // The next block is at height 5: what names 0 or 1 is too old, 2 is not.
    assert_eq!(serials(&pool.clone().drop_expired(&bank)), [2, 3]);
    let first = pool.clone().take(&bank, Slot::new(5), ANY);
    assert_eq!(serials(&first.transactions), [1, 4]);
    // What names a block far beyond is no better.
    assert_eq!(serials(&first.expired), [2, 3, 5]);
    // On a fork that holds number 4 it waits, for another fork or for its end.
    let fork = bank.execute(Slot::new(5), &[pay(4, 2)]).0;
    let second = pool.take(&fork, Slot::new(6), ANY);
    assert_eq!(
        (serials(&second.transactions), serials(&second.expired)),
        (vec![1], vec![2, 3, 4, 5])
    );
    assert_eq!((pool.len(), pool.bytes(), pool.counts().expired), (0, 0, 4));
}

#[test]
fn a_received_block_takes_its_transactions_out() {
    let mut pool = pool(10, Eviction::Newest);
    for serial in 1..=4 {
        pool.insert(pay(serial, 0)).expect("there is room");
    }
    let block = [pay(3, 0), pay(9, 0), pay(1, 0), pay(3, 0)];
    assert_eq!(pool.remove_included(&block), 2);
    assert_eq!(serials(pool.iter()), [2, 4]);
    assert!(pool.contains(pay(2, 0).id) && !pool.contains(pay(3, 0).id));
    assert_eq!(pool.counts().included, 2);
    assert_eq!((pool.clear(), pool.is_empty(), pool.bytes()), (2, true, 0));
}

#[test]
fn settings_without_room_for_a_transaction_are_refused() {
    assert!(Config::default().check().is_ok());
    let none = Config { transactions: 0, ..Config::default() };
    assert_eq!(none.check().expect_err("no room").field, "transactions");
    let small = Config { bytes: Bytes(179), ..Config::default() };
    assert_eq!(small.check().expect_err("no room").field, "bytes");
}

/// A pool and the same in the plainest form: a vector.
#[test]
fn every_transaction_is_accounted_for() {
    for seed in 1..=20 {
        let mut rng = Rng::of_cluster(Seed(seed), Purpose::Transactions);
        let eviction = if seed % 2 == 0 { Eviction::Oldest } else { Eviction::Newest };
        let config = Config { transactions: 12, bytes: Bytes(3_000), eviction };
        let mut pool = Mempool::new(config);
        let mut plain: Vec<Transaction> = Vec::new();
        let mut bank = bank(4);
        for _ in 0..400 {
            step(&mut rng, &mut pool, &mut plain, &mut bank);
            assert!(pool.len() <= 12 && pool.bytes() <= 3_000);
            assert!(pool.iter().eq(&plain));
            assert_eq!(pool.bytes(), plain.iter().map(|t| u64::from(t.bytes())).sum::<u64>());
            let Counts { added, evicted, expired, taken, included, .. } = *pool.counts();
            assert_eq!(added, pool.len() as u64 + evicted + expired + taken + included);
            assert_eq!((pool.arrivals.len(), pool.ages.len()), (pool.len(), pool.len()));
            assert_eq!(bank.total(), 400);
        }
        let Counts { full, evicted, expired, taken, included, duplicate, .. } = *pool.counts();
        let full = if eviction == Eviction::Oldest { evicted } else { full };
        for count in [full, expired, taken, included, duplicate] {
            assert!(count > 0, "{:?}", pool.counts());
        }
    }
}

fn step(rng: &mut Rng, pool: &mut Mempool, plain: &mut Vec<Transaction>, bank: &mut Bank) {
    let accounts = (rng.below(4) as u32, rng.below(4) as u32);
    let born = (bank.height() + 1).saturating_sub(rng.below(6) as u32);
    let transaction = Transaction {
        data: rng.below(200) as u32,
        ..transfer(rng.below(100) as u32, accounts, rng.below(60), born)
    };
    match rng.below(12) {
        0 => {
            let limits = BlockLimits { transactions: 3, bytes: 800 };
            let slot = bank.slot().next();
            let block = pool.take(bank, slot, limits);
            let bytes: u64 = block.transactions.iter().map(|t| u64::from(t.bytes())).sum();
            assert!(block.transactions.len() <= 3 && bytes <= 800);
            let gone = [block.transactions.as_slice(), &block.expired].concat();
            plain.retain(|waiting| !gone.contains(waiting));
            let all = plain.iter().all(|waiting| !bank.is_too_old(waiting.born));
            assert!(all, "what is too old is gone");
            let (executed, verdicts) = bank.execute(slot, &block.transactions);
            assert!(verdicts.iter().all(Result::is_ok) && executed == block.bank);
            *bank = executed;
        }
        1 => {
            // Another node's block with something that may wait here.
            let copy = plain.get(rng.below(12) as usize).copied();
            let block = [copy.unwrap_or(transaction)];
            pool.remove_included(&block);
            plain.retain(|waiting| waiting.id != block[0].id);
            *bank = bank.execute(bank.slot().next(), &block).0;
        }
        _ => {
            if let Ok(evicted) = pool.insert(transaction) {
                plain.retain(|waiting| !evicted.contains(waiting));
                plain.push(transaction);
            }
        }
    }
}

#[test]
fn ids_tell_origins_apart() {
    let mut pool = pool(10, Eviction::Newest);
    let other = |origin: u32| Transaction {
        id: TransactionId::new(NodeId::new(origin), 1),
        sender: AccountId(0),
        ..pay(1, 0)
    };
    assert!(pool.insert(other(1)).is_ok() && pool.insert(other(2)).is_ok());
}
