//! Protocol layer: bloom filters, reduced to what they do: an exact set, and now and then a wrong
//! "I hold that". How often follows from the filter's size and how much it holds.

use std::f64::consts::LN_2;

use crate::base::quantity::Chance;

/// The dimensions of a filter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bloom {
    bits: f64,
    keys: f64,
    /// Whether it never errs.
    exact: bool,
}

impl Bloom {
    /// A filter that is to hold `items` at a rate of false positives, in `most_bits` at most. Its
    /// bits and keys are the textbook's: `m = -n ln p / (ln 2)^2`, `k = (m/n) ln 2`, both rounded
    /// as in Agave (bloom/src/bloom.rs). A rate of zero stands for an exact set, sized as for 10 %.
    pub(super) fn sized(items: u32, rate: Chance, most_bits: f64) -> Self {
        let exact = rate.is_never();
        let rate = rate_of(rate);
        let items = f64::from(items.max(1));
        let bits = libm::ceil(-items * libm::log(rate) / (LN_2 * LN_2)).clamp(1.0, most_bits);
        let keys = libm::round(bits / items * LN_2).max(1.0);
        Self { bits, keys, exact }
    }

    /// How often the filter errs when it holds so many: `(1 - exp(-k n / m))^k`, as a part of 2^64.
    pub(super) fn false_positives(&self, held: u32) -> u64 {
        if self.exact || held == 0 {
            return 0;
        }
        let set = 1.0 - libm::exp(-self.keys * f64::from(held) / self.bits);
        // Rounds down and stays below 2^64: the conversion saturates.
        (libm::pow(set, self.keys) * 18_446_744_073_709_551_616.0) as u64
    }
}

/// How many values a pull filter of so many bits and 8 keys holds at a rate of false positives
/// (Agave, gossip/src/crds_gossip_pull.rs): `ceil(bits / (-8 / ln(1 - exp(ln p / 8))))`.
pub(super) fn most_items(bits: f64, rate: Chance) -> u32 {
    const KEYS: f64 = 8.0;
    let set = libm::exp(libm::log(rate_of(rate)) / KEYS);
    libm::ceil(bits / (-KEYS / libm::log(1.0 - set))) as u32
}

fn rate_of(rate: Chance) -> f64 {
    if rate.is_never() { 0.1 } else { f64::from(rate.ppb()) / 1e9 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenth() -> Chance {
        Chance::from_ppb(100_000_000).expect("a chance")
    }

    fn ppm(bloom: &Bloom, held: u32) -> u64 {
        ((u128::from(bloom.false_positives(held)) * 1_000_000) >> 64) as u64
    }

    #[test]
    fn dimensions_are_those_of_the_formulas() {
        // Python: ceil(-1302 ln 0.1 / ln(2)^2) = 6240 and round(6240 / 1302 * ln 2) = 3.
        let pull = Bloom::sized(1_302, tenth(), 7_512.0);
        assert_eq!((pull.bits, pull.keys), (6_240.0, 3.0));
        // 8,192 origins would take 39,260 bits; 32,768 are the limit, with round(2.77) = 3 keys.
        let prune = Bloom::sized(8_192, tenth(), 32_768.0);
        assert_eq!((prune.bits, prune.keys), (32_768.0, 3.0));
        // Python: 7512 / (-8 / ln(1 - exp(ln 0.1 / 8))) = 1301.4.
        assert_eq!(most_items(7_512.0, tenth()), 1_302);
    }

    #[test]
    fn a_full_filter_errs_at_its_rate_and_an_empty_one_never() {
        let pull = Bloom::sized(1_302, tenth(), 7_512.0);
        // Python: (1 - exp(-3 * 1302 / 6240))^3 = 0.100709, of 651: 0.019408.
        assert_eq!((ppm(&pull, 1_302), ppm(&pull, 651), ppm(&pull, 0)), (100_708, 19_407, 0));
        let exact = Bloom::sized(1_302, Chance::NEVER, 7_512.0);
        assert_eq!(exact.false_positives(1_302), 0);
    }
}
