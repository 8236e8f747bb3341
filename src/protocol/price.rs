//! Protocol layer: what the operations of a node cost. Prices come from the scenario's `[cost]`
//! table, never from a clock; `headwater calibrate` measures a machine and prints such a table.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::time::Span;
use crate::sim::protocol::Local;

/// The price of each operation; all are zero unless the scenario says otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Prices {
    /// Time to make a signature.
    pub sign: Span,
    /// Time to check a signature.
    pub verify: Span,
    /// Time to hash 1,000 bytes.
    pub hash_kilobyte: Span,
    /// Time to execute a transaction.
    pub execute: Span,
    /// Time for 1,000 hashes of proof of history, one after the other.
    pub poh: Span,
    /// Time to store a shred.
    pub shred: Span,
    /// Time to decode a FEC set.
    pub code: Span,
}

/// An amount of work that has a price.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Work {
    /// Making so many signatures.
    Sign(u64),
    /// Checking so many signatures.
    Verify(u64),
    /// Hashing so many bytes.
    Hash(u64),
    /// Executing so many transactions.
    Execute(u64),
    /// Computing so many hashes of proof of history.
    Poh(u64),
    /// Storing so many shreds.
    Shred(u64),
    /// Decoding so many FEC sets.
    Code(u64),
}

impl Prices {
    /// All prices with their keys, in the order of the table.
    #[must_use]
    pub const fn entries(&self) -> [(&'static str, Span); 7] {
        [
            ("sign", self.sign),
            ("verify", self.verify),
            ("hash_kilobyte", self.hash_kilobyte),
            ("execute", self.execute),
            ("poh", self.poh),
            ("shred", self.shred),
            ("code", self.code),
        ]
    }

    /// Whether all operations are free.
    #[must_use]
    pub fn is_free(&self) -> bool {
        *self == Self::default()
    }

    /// The price of some work, rounded down to a whole nanosecond.
    #[must_use]
    pub fn of(&self, work: Work) -> Span {
        match work {
            Work::Sign(count) => self.sign.scaled(count, 1),
            Work::Verify(count) => self.verify.scaled(count, 1),
            Work::Hash(bytes) => self.hash_kilobyte.scaled(bytes, 1_000),
            Work::Execute(count) => self.execute.scaled(count, 1),
            Work::Poh(hashes) => self.poh.scaled(hashes, 1_000),
            Work::Shred(count) => self.shred.scaled(count, 1),
            Work::Code(count) => self.code.scaled(count, 1),
        }
    }

    /// Charges some work to the node that does it: what it sends leaves after that.
    #[inline]
    pub fn charge(&self, ctx: &mut impl Local, work: Work) {
        ctx.charge(self.of(work));
    }

    /// Charges for a shred that is new to a node: its signature is checked and it is stored. Shreds
    /// come by the million, so this costs nothing to speak of where work is free.
    #[inline]
    pub fn charge_shred(&self, ctx: &mut impl Local) {
        if !(self.shred.is_zero() && self.verify.is_zero()) {
            ctx.charge(self.shred.saturating_add(self.verify));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_costs_its_price_times_its_amount() {
        let nanos = Span::from_nanos;
        let prices = Prices {
            sign: nanos(1),
            verify: nanos(10),
            hash_kilobyte: nanos(3_000),
            execute: nanos(100),
            poh: nanos(7_000),
            shred: nanos(1_000),
            code: nanos(10_000),
        };
        let all = [
            (Work::Sign(2), 2),
            (Work::Verify(3), 30),
            // 3,000 ns for 1,000 bytes are 3 ns for one.
            (Work::Hash(1_232), 3_696),
            (Work::Execute(4), 400),
            (Work::Poh(2_500), 17_500),
            (Work::Shred(5), 5_000),
            (Work::Code(6), 60_000),
        ];
        for (work, price) in all {
            assert_eq!(prices.of(work), nanos(price), "{work:?}");
            assert_eq!(Prices::default().of(work), Span::ZERO, "{work:?}");
        }
        assert!(Prices::default().is_free() && !prices.is_free());
        // No amount panics.
        assert_eq!(prices.of(Work::Code(u64::MAX)), Span::MAX);
    }
}
