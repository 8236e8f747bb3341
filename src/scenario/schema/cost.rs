//! Scenario layer: the prices of work (`[cost]`): those of the kernel and those of the protocols in
//! one table.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::time::Span;
use crate::protocol::price::Prices;
use crate::sim::compute::CostTable;

/// Prices of work on a node's processor (`[cost]`), each at most 1h. A node does one thing after
/// another: while it works, what arrives waits, and what it sends leaves when the work is done.
/// `headwater calibrate` prints a table with prices measured on your machine.
// No deny_unknown_fields: serde cannot combine it with flatten; the reader refuses unknown keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(extend("additionalProperties" = false))]
pub struct CostConfig {
    /// Time to handle any message.
    pub message: Span,
    /// Time to handle each 1,000 bytes of a message, header included.
    pub kilobyte: Span,
    /// What the protocols charge for their operations.
    #[serde(flatten)]
    pub work: Prices,
}

impl CostConfig {
    /// All prices with their keys, in the order of the table.
    pub fn entries(&self) -> impl Iterator<Item = (&'static str, Span)> + use<> {
        let kernel = [("message", self.message), ("kilobyte", self.kilobyte)];
        kernel.into_iter().chain(self.work.entries())
    }

    /// Whether all work is free.
    #[must_use]
    pub fn is_free(&self) -> bool {
        *self == Self::default()
    }

    /// What the kernel charges for messages.
    #[must_use]
    pub const fn kernel(&self) -> CostTable {
        CostTable { message: self.message, kilobyte: self.kilobyte }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::price::Work;

    /// A table in which every price is another, by the names that a scenario uses.
    fn distinct() -> CostConfig {
        let keys = CostConfig::default().entries().map(|(key, _)| key);
        let lines = keys.zip(1..).map(|(key, price)| format!("{key} = \"{price}us\"\n"));
        toml::from_str(&lines.collect::<String>()).expect("a table of prices")
    }

    #[test]
    fn every_key_is_listed_once_with_its_own_price() {
        let table = toml::Table::try_from(distinct()).expect("a table");
        assert_eq!(table.len(), distinct().entries().count());
        for ((key, price), expected) in distinct().entries().zip(1..) {
            assert_eq!(price, Span::from_micros(expected), "{key}");
        }
    }

    #[test]
    fn each_price_reaches_the_work_it_is_for() {
        let (kernel, prices) = (distinct().kernel(), distinct().work);
        // Message 1us and kilobyte 2us; then sign, verify, hash_kilobyte and so on.
        assert_eq!(kernel.handling(1_000), Span::from_micros(3));
        let works = [
            (Work::Sign(1), 3),
            (Work::Verify(1), 4),
            (Work::Hash(1_000), 5),
            (Work::Execute(1), 6),
            (Work::Poh(1_000), 7),
            (Work::Shred(1), 8),
            (Work::Code(1), 9),
        ];
        for (work, price) in works {
            assert_eq!(prices.of(work), Span::from_micros(price), "{work:?}");
        }
    }

    #[test]
    fn one_price_is_enough_for_work_not_to_be_free() {
        assert!(CostConfig::default().is_free());
        for (key, _) in CostConfig::default().entries() {
            let one: CostConfig = toml::from_str(&format!("{key} = \"1ns\"")).expect("a price");
            assert!(!one.is_free(), "{key}");
        }
    }
}
