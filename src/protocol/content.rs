//! Protocol layer: numbers that stand for the content of messages in the digest of a run.

/// Spreads a word over all 64 bits: the finaliser of SplitMix64 with its increment (Steele, Lea and
/// Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014; constants of the published
/// code). A bijection, so different words never share a number.
#[must_use]
pub const fn mix(word: u64) -> u64 {
    let mut z = word.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ z >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_frozen() {
        // The first two outputs of SplitMix64 from seed 1234567, as published with the algorithm's
        // test vectors: output i is the finaliser of seed + i * increment.
        assert_eq!(mix(1_234_567), 6_457_827_717_110_365_317);
        assert_eq!(
            mix(1_234_567_u64.wrapping_add(0x9E37_79B9_7F4A_7C15)),
            3_203_168_211_198_807_973
        );
    }
}
