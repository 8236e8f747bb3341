//! Protocol layer: the randomness that Solana prescribes, exact to the bit: the generators, the two
//! rules that turn their output into a bounded integer, and the weighted shuffle. What our own
//! model draws comes from [`crate::base::rng`] instead and may change; nothing here may.
//!
//! Sources: crates `rand_chacha` (order of the words), `rand` up to 0.8.5 (both rules for bounded
//! integers), Agave 4.4 `gossip/src/weighted_shuffle.rs` (the shuffle).

pub mod weighted;

use rand_chacha::rand_core::{Rng as _, SeedableRng};
use rand_chacha::{ChaCha8Rng, ChaCha20Rng};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which generator draws the tree of a shred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Generator {
    /// ChaCha with 8 rounds, the rule since SIMD-0332.
    #[default]
    Chacha8,
    /// ChaCha with 20 rounds, the rule before.
    Chacha20,
}

/// A stream of 64-bit integers: key as given, block counter and stream number from zero, each
/// integer the next two words of the key stream, low word first.
#[derive(Clone, Debug)]
pub struct ChaCha(Inner);

#[derive(Clone, Debug)]
enum Inner {
    Eight(ChaCha8Rng),
    Twenty(ChaCha20Rng),
}

impl ChaCha {
    /// The stream of this key.
    #[must_use]
    pub fn new(generator: Generator, key: [u8; 32]) -> Self {
        Self(match generator {
            Generator::Chacha8 => Inner::Eight(ChaCha8Rng::from_seed(key)),
            Generator::Chacha20 => Inner::Twenty(ChaCha20Rng::from_seed(key)),
        })
    }

    /// The next 64 bits.
    #[inline]
    pub fn bits(&mut self) -> u64 {
        match &mut self.0 {
            Inner::Eight(stream) => stream.next_u64(),
            Inner::Twenty(stream) => stream.next_u64(),
        }
    }

    /// A uniform integer below `bound` by the rule of a single sample (`rand` 0.8
    /// `sample_single`), which trees use: the accepted low halves are a power of two times `bound`.
    ///
    /// # Panics
    /// If `bound` is zero.
    #[inline]
    pub fn below_single(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "nothing is below zero");
        let zone = (bound << bound.leading_zeros()).wrapping_sub(1);
        self.below_in_zone(bound, zone)
    }

    /// A uniform integer below `bound` by the rule of a fixed interval (`rand` 0.8 `Uniform`),
    /// which leader schedules use: as many low halves are accepted as there are whole multiples.
    ///
    /// # Panics
    /// If `bound` is zero.
    #[inline]
    pub fn below_fixed(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "nothing is below zero");
        self.below_in_zone(bound, u64::MAX - (u64::MAX - bound + 1) % bound)
    }

    /// The high half of the first product whose low half is in the zone.
    #[inline]
    fn below_in_zone(&mut self, bound: u64, zone: u64) -> u64 {
        loop {
            let product = u128::from(self.bits()) * u128::from(bound);
            if product as u64 <= zone {
                return (product >> 64) as u64;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key 00 01 02 ... 1f.
    pub(super) fn key() -> [u8; 32] {
        std::array::from_fn(|i| i as u8)
    }

    #[test]
    fn the_words_are_those_of_the_key_stream() {
        // Key stream of the zero key: RFC 8439 appendix A.1 vector 1 begins 76 b8 e0 ad a0 f1 3d
        // 90 40 5d 6a e5 53 86 bd 28; with 8 rounds (draft-strombergson-chacha-test-vectors, TC1)
        // it begins 3e 00 ef 2f 89 5f 40 d6 7f 5b b8 e8 1f 09 a5 a1.
        let words = |generator| {
            let mut stream = ChaCha::new(generator, [0; 32]);
            [stream.bits(), stream.bits()]
        };
        assert_eq!(words(Generator::Chacha20), [0x903d_f1a0_ade0_b876, 0x28bd_8653_e56a_5d40]);
        assert_eq!(words(Generator::Chacha8), [0xd640_5f89_2fef_003e, 0xa1a5_091f_e8b8_5b7f]);
        // The 33rd integer is the first of the block with counter 4, where a generator that makes
        // four blocks at a time goes on. From a ChaCha in plain Python, checked with the vectors
        // above.
        let late = |generator| {
            let mut stream = ChaCha::new(generator, key());
            (0..33).map(|_| stream.bits()).last()
        };
        assert_eq!(late(Generator::Chacha8), Some(0x7fc4_857e_e716_8d48));
        assert_eq!(late(Generator::Chacha20), Some(0x438c_5827_18a1_dbff));
    }

    #[test]
    fn the_two_rules_reject_different_draws() {
        // In Python from the two rules as the fact sheet states them, over the same key stream:
        // bounds of 3 and 2^63 have different zones, 10^18 happens to reject nothing in either.
        let draw = |bound, fixed: bool| {
            let mut stream = ChaCha::new(Generator::Chacha8, key());
            let mut next =
                || if fixed { stream.below_fixed(bound) } else { stream.below_single(bound) };
            [next(), next(), next(), next()]
        };
        assert_eq!(draw(3, false), [1, 0, 2, 0]);
        assert_eq!(draw(3, true), [1, 0, 0, 2]);
        let single =
            [3_843_128_727_552_199_328, 7_340_689_821_143_610_777, 3_232_556_918_706_212_155];
        assert_eq!(draw(1 << 63, false)[..3], single);
        let fixed =
            [3_843_128_727_552_199_328, 1_840_110_330_914_763_884, 2_876_913_165_571_704_827];
        assert_eq!(draw(1 << 63, true)[..3], fixed);
        let both = [416_672_851_555_354_679, 199_505_161_839_080_747];
        assert_eq!(draw(1_000_000_000_000_000_000, false)[..2], both);
        assert_eq!(draw(1_000_000_000_000_000_000, true)[..2], both);
        assert_eq!(draw(1, true), [0; 4]);
    }
}
