//! Command line: `headwater calibrate`, what the operations of `[cost]` take on this machine. The
//! wall clock is looked at here and never in a run: the printed table becomes part of a scenario.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use super::{Failure, print};
use crate::base::digest::Digest;
use crate::base::id::NodeId;
use crate::base::slot::Slot;
use crate::base::time::Span;
use crate::crypto::Suite;
use crate::protocol::ledger::{self, AccountId, Bank, Transaction, TransactionId};
use crate::protocol::poh;

/// An operation: its key in `[cost]`, what was measured, and how long one takes.
struct Figure {
    key: &'static str,
    doc: &'static str,
    price: Span,
}

/// Measures each operation once and prints the table.
pub(super) fn calibrate(json: bool) -> Result<u8, Failure> {
    let figures = [
        Figure {
            key: "sign",
            doc: "an ECDSA signature (secp256k1, SHA-256) of a transaction",
            price: sign(),
        },
        Figure { key: "verify", doc: "checking one", price: verify() },
        Figure { key: "hash_kilobyte", doc: "SHA-256 of 1,000 bytes", price: hash_kilobyte() },
        Figure {
            key: "execute",
            doc: "a transfer between two of 10,000 accounts, signature not included",
            price: execute(),
        },
        Figure { key: "poh", doc: "1,000 SHA-256 of 32 bytes, one after the other", price: poh() },
        Figure {
            key: "shred",
            doc: "copying a shred into an ordered map in memory, signature not included",
            price: shred(),
        },
        Figure {
            key: "code",
            doc: "recovering 32 lost data shreds from 32 coding shreds (Reed-Solomon)",
            price: code()?,
        },
    ];
    if json {
        let prices = figures.iter().map(|Figure { key, price, .. }| {
            (format!("{key}_ns"), serde_json::Value::from(price.as_nanos()))
        });
        let prices: serde_json::Map<String, serde_json::Value> = prices.collect();
        let text = serde_json::to_string_pretty(&prices).unwrap_or_default();
        return print(&format!("{text}\n"));
    }
    let version = env!("CARGO_PKG_VERSION");
    let mut text = format!(
        "# Measured by headwater {version} on one core of this machine. `message` and `kilobyte`\n\
         # are not: they depend on the operating system and its network card.\n"
    );
    if cfg!(debug_assertions) {
        text += "# This is a build for development; one for release is faster.\n";
    }
    text += "[cost]\n";
    for Figure { key, doc, price } in figures {
        text += &format!("# {doc}\n{key} = \"{price}\"\n");
    }
    print(&text)
}

/// How long one call takes: the shortest of several rounds of as many calls as take a few
/// milliseconds together, because other programs only ever lengthen a round; at least a nanosecond.
#[expect(clippy::disallowed_methods, reason = "this command measures the machine, not a run")]
fn measure<T>(mut work: impl FnMut() -> T) -> Span {
    const ROUND: Duration = Duration::from_millis(3);
    const ROUNDS: usize = 21;
    let mut calls = 1_u32;
    let mut rounds = Vec::new();
    while rounds.len() < ROUNDS {
        let start = Instant::now();
        for _ in 0..calls {
            black_box(work());
        }
        let elapsed = start.elapsed();
        // The rounds up to the first long one are for warming up.
        if elapsed < ROUND && rounds.is_empty() && calls < 1 << 30 {
            calls *= 2;
        } else {
            rounds.push(elapsed.as_nanos() / u128::from(calls));
        }
    }
    let shortest = rounds.into_iter().min().unwrap_or_default();
    Span::from_nanos(u64::try_from(shortest).unwrap_or(u64::MAX).max(1))
}

fn transfer(serial: u32) -> Transaction {
    Transaction {
        id: TransactionId::new(NodeId::new(0), serial),
        sender: AccountId(serial * 7 % ACCOUNTS),
        receiver: AccountId((serial * 7 + 1) % ACCOUNTS),
        amount: 1,
        born: 0,
        data: 0,
        valid: true,
    }
}

const ACCOUNTS: u32 = 10_000;

fn sign() -> Span {
    let (keys, bytes) = (Suite::Real.key_pair(&[1; 32]), transfer(1).canonical_bytes());
    measure(|| keys.sign(black_box(&bytes)))
}

fn verify() -> Span {
    let (keys, bytes) = (Suite::Real.key_pair(&[1; 32]), transfer(1).canonical_bytes());
    let (public, signature) = (keys.public(), keys.sign(&bytes));
    measure(|| public.verify(black_box(&bytes), &signature))
}

fn hash_kilobyte() -> Span {
    let bytes = [7; 1_000];
    measure(|| Digest::of(black_box(&bytes)))
}

fn execute() -> Span {
    const BLOCK: u32 = 1_000;
    let bank = Bank::genesis(ACCOUNTS, &ledger::Config::default());
    let block: Vec<Transaction> = (0..BLOCK).map(transfer).collect();
    measure(|| bank.execute(Slot::new(1), black_box(&block))) / u64::from(BLOCK)
}

fn poh() -> Span {
    measure(|| poh::chain(black_box(Digest::default()), 1_000))
}

fn shred() -> Span {
    const SHREDS: u32 = 1_000;
    let shred = [7_u8; SHRED_BYTES];
    let store = || {
        let mut stored = BTreeMap::new();
        for index in 0..SHREDS {
            stored.insert((1_u32, index), black_box(&shred).to_vec());
        }
        stored
    };
    measure(store) / u64::from(SHREDS)
}

/// Bytes of a data shred on the wire.
const SHRED_BYTES: usize = 1_203;

fn code() -> Result<Span, Failure> {
    /// Data and coding shreds of a FEC set.
    const SHREDS: usize = 32;
    /// The part of a shred that is coded: what its header leaves, even as the library wants it.
    const CODED_BYTES: usize = 1_114;
    let bug = |error| Failure::new(super::EXIT_INTERNAL, format!("Reed-Solomon: {error}"));
    let data: Vec<Vec<u8>> = (0..SHREDS).map(|i| vec![i as u8; CODED_BYTES]).collect();
    let coding = reed_solomon_simd::encode(SHREDS, SHREDS, &data).map_err(bug)?;
    let decode = || {
        let received = coding.iter().enumerate();
        reed_solomon_simd::decode(SHREDS, SHREDS, std::iter::empty::<(usize, &[u8])>(), received)
    };
    let recovered = decode().map_err(bug)?;
    if !recovered.values().zip(recovered.keys()).all(|(shred, i)| *shred == data[*i]) {
        return Err(Failure::new(super::EXIT_INTERNAL, "Reed-Solomon: recovered something else"));
    }
    Ok(measure(decode))
}
