//! Base layer: a quantile function as a table of integers, fine in both tails, and the two
//! functions from which all tables are made.

use std::sync::{Arc, LazyLock};

use super::LONGEST_DRAWN;
use crate::base::time::Span;

/// A continuous distribution by its quantiles.
///
/// Both halves of the probability are cut into octaves towards their tail, and each octave into 64
/// equal parts, with straight lines in between: the knots are the quantiles at
/// `(1 + i/64) * 2^-k` from either end for `k` in 2 to 40. **Tail resolution:** quantiles nearer to
/// an end than `2^-40` (one draw in a million million) are drawn as the quantile at `2^-40`.
/// **Error in between:** a straight line across a part at `q` is off by at most `(1/64)^2 / 8` of
/// `q^2` times the second derivative there; for the exponential that is 0.0031 % of its mean.
/// A table takes 39 KiB, of which ordinary draws touch little.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QuantileTable {
    /// Nanoseconds: the knots from the lower end up to the median, then those from the upper end
    /// down to the median.
    knots: Arc<[u64]>,
    mean: Span,
}

/// Which end of a distribution a probability is counted from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Side {
    /// From the shortest length.
    Lower,
    /// From the longest length.
    Upper,
}

/// The tails reach down to a probability of `2^-TAIL_BITS`.
const TAIL_BITS: u32 = 40;
/// Octaves from `2^-TAIL_BITS` up to one half.
const OCTAVES: u32 = TAIL_BITS - 1;
/// Parts per octave, as a power of two.
const PART_BITS: u32 = 6;
/// Knots of one side; neighbouring parts and octaves share theirs.
const SIDE: usize = ((OCTAVES as usize) << PART_BITS) + 1;

impl QuantileTable {
    /// The table of a quantile function in nanoseconds. It is given a probability of at most one
    /// half and the end from which that is counted, and must not fall from the lower end to the
    /// upper. Negative quantiles count as zero; those beyond [`LONGEST_DRAWN`] are cut there.
    pub(super) fn build(quantile: impl Fn(f64, Side) -> f64) -> Self {
        let longest = LONGEST_DRAWN.as_nanos() as f64;
        // `f64::min` ignores a NaN, which only infinity times zero can bring about here: an
        // infinitely steep tail over a length of zero, which stays at zero.
        let whole = |nanos: f64| {
            if nanos.is_nan() { 0 } else { libm::round(nanos.clamp(0.0, longest)) as u64 }
        };
        let side = |side| (0..SIDE).map(move |knot| (probability(knot), side));
        let knots = side(Side::Lower).chain(side(Side::Upper));
        let mut knots: Vec<u64> = knots.map(|(tail, side)| whole(quantile(tail, side))).collect();
        // The last bits of `libm` are not promised to be monotone; the table is.
        let (lower, upper) = knots.split_at_mut(SIDE);
        let mut highest = 0;
        for knot in lower.iter_mut().chain(upper.iter_mut().rev()) {
            highest = highest.max(*knot);
            *knot = highest;
        }
        Self { mean: mean(&knots), knots: knots.into() }
    }

    /// The quantile at `bits / 2^64`, rounded to the nearest nanosecond.
    #[inline]
    pub(super) fn draw(&self, bits: u64) -> Span {
        // The distance to the nearer end is read like a floating-point number: its leading zeros
        // are the octave, the next bits the part, the rest the place between two knots. Without a
        // branch, because which half it is cannot be predicted.
        let upper = bits >> 63;
        let tail = (bits ^ upper.wrapping_neg()).max(1 << (64 - TAIL_BITS));
        let zeros = tail.leading_zeros();
        let mantissa = tail << (zeros + 1);
        let part = (((OCTAVES - zeros) as usize) << PART_BITS) + (mantissa >> 58) as usize;
        let knot = part + upper as usize * SIDE;
        let (near, far) = (self.knots[knot] as i64, self.knots[knot + 1] as i64);
        let share = i128::from(mantissa << PART_BITS);
        let step = (i128::from(far - near) * share + (1 << 63)) >> 64;
        Span::from_nanos((near + step as i64) as u64)
    }

    /// The mean of the line segments, rounded down.
    pub(super) const fn mean(&self) -> Span {
        self.mean
    }

    /// The shortest length that can be drawn.
    pub(super) fn min(&self) -> Span {
        Span::from_nanos(self.knots[0])
    }

    /// The longest length that can be drawn.
    pub(super) fn max(&self) -> Span {
        Span::from_nanos(self.knots[SIDE])
    }

    /// All numbers that the draws depend on.
    pub(super) fn knots(&self) -> &[u64] {
        &self.knots
    }
}

/// The mean of the line segments between knots, rounded down: exact integration in units of the
/// narrowest part, `2^-46`.
fn mean(knots: &[u64]) -> Span {
    let mut doubled = 0_u128;
    for side in knots.chunks(SIDE) {
        for (part, pair) in side.windows(2).enumerate() {
            let width = 1_u128 << (part >> PART_BITS);
            doubled += width * (u128::from(pair[0]) + u128::from(pair[1]));
        }
        // Below the last knot lies as much probability as in its octave, all at that knot.
        doubled += (2_u128 << PART_BITS) * u128::from(side[0]);
    }
    Span::from_nanos((doubled >> (TAIL_BITS + PART_BITS + 1)) as u64)
}

/// The distance of a knot from its end of the distribution; exact.
fn probability(knot: usize) -> f64 {
    let (octave, part) = (knot >> PART_BITS, knot & ((1 << PART_BITS) - 1));
    // Knots lie at (64 + part) * 2^octave in units of 2^-46.
    let units = ((1_u64 << PART_BITS) + part as u64) << octave;
    units as f64 / (1_u64 << (TAIL_BITS + PART_BITS)) as f64
}

/// The knot that lies at a distance from its end: the reverse of [`probability`].
fn knot_at(tail: f64) -> usize {
    let units = (tail * (1_u64 << (TAIL_BITS + PART_BITS)) as f64) as u64;
    let octave = units.ilog2() - PART_BITS;
    ((octave as usize) << PART_BITS) + (units >> octave) as usize - (1 << PART_BITS)
}

/// [`standard_normal`] at a knot. Each is computed once: a sweep makes thousands of tables.
pub(super) fn standard_normal_at_knot(tail: f64, side: Side) -> f64 {
    static UPPER: LazyLock<Vec<f64>> = LazyLock::new(|| {
        (0..SIDE).map(|knot| standard_normal(probability(knot), Side::Upper)).collect()
    });
    let upper = UPPER[knot_at(tail)];
    if side == Side::Upper { upper } else { -upper }
}

/// The quantile of the exponential distribution of mean one: `-ln` of the probability above it.
pub(super) fn cumulative_hazard(tail: f64, side: Side) -> f64 {
    match side {
        Side::Lower => -libm::log1p(-tail),
        Side::Upper => -libm::log(tail),
    }
}

/// The quantile of the normal distribution of mean zero and deviation one.
///
/// Newton's method on the logarithm of the upper tail, `ln(erfc(x / sqrt 2) / 2) - ln tail`. That
/// function falls and is concave, so the first step from zero lands beyond the root and all later
/// ones approach it from there without passing it: convergence needs no care.
pub(super) fn standard_normal(tail: f64, side: Side) -> f64 {
    use std::f64::consts::{FRAC_1_SQRT_2, PI};
    let target = libm::log(tail);
    let mut x = 0.0;
    // Six steps are enough for 2^-40; the bound only makes the end certain.
    for _ in 0..40 {
        let above = libm::erfc(x * FRAC_1_SQRT_2) / 2.0;
        let density = libm::exp(-x * x / 2.0) / libm::sqrt(2.0 * PI);
        let step = (libm::log(above) - target) * above / density;
        x += step;
        if step.abs() <= 1e-14 * x {
            break;
        }
    }
    if side == Side::Upper { x } else { -x }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_quantiles_at_knots_are_the_computed_ones() {
        for knot in 0..SIDE {
            let tail = probability(knot);
            assert_eq!(knot_at(tail), knot);
            for side in [Side::Lower, Side::Upper] {
                let (kept, computed) =
                    (standard_normal_at_knot(tail, side), standard_normal(tail, side));
                assert!(kept.to_bits() == computed.to_bits(), "{tail}: {kept} {computed}");
            }
        }
    }

    #[test]
    fn normal_quantiles_agree_with_published_ones() {
        // Python's statistics.NormalDist().inv_cdf (algorithm AS241, about 1 part in 10^16).
        for (tail, z) in [
            (0.5, 0.0),
            (0.25, 0.674_489_750_196_081_7),
            (0.1, 1.281_551_565_544_600_8),
            (1e-4, 3.719_016_485_455_68),
            (9.536_743_164_062_5e-7, 4.763_001_034_267_813_5),
            (9.094_947_017_729_282e-13, 7.047_700_256_664_409),
        ] {
            assert!((standard_normal(tail, Side::Upper) - z).abs() < 1e-13, "{tail}");
            assert!((standard_normal(tail, Side::Lower) + z).abs() < 1e-13, "{tail}");
        }
    }

    #[test]
    fn the_hazard_is_precise_near_both_ends() {
        // -ln(1 - p) = p + p^2 / 2 + ... for a small p; -ln(2^-40) = 40 ln 2.
        let tiny = 1.0 / (1_u64 << TAIL_BITS) as f64;
        let lower = cumulative_hazard(tiny, Side::Lower) / tiny;
        assert!((lower - 1.0 - tiny / 2.0).abs() < 1e-15, "{lower}");
        let upper = cumulative_hazard(tiny, Side::Upper);
        assert!((upper - 40.0 * std::f64::consts::LN_2).abs() < 1e-13, "{upper}");
    }

    #[test]
    fn a_table_of_the_identity_gives_the_bits_back() {
        // The quantile function p * 2^40 ns is a straight line, so chords are exact and the draw
        // is bits / 2^24, cut at 2^-40 from either end, rounded to the nearest nanosecond (one
        // unit more in the upper half, where !bits is measured). Within 64 ns of an end the knots
        // are no whole nanoseconds, and their own rounding adds another half.
        let whole = (1_u64 << TAIL_BITS) as f64;
        let table = QuantileTable::build(|tail, side| match side {
            Side::Lower => tail * whole,
            Side::Upper => (1.0 - tail) * whole,
        });
        for i in 0..100_000_u64 {
            let bits = i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (i % 30);
            let draw = i128::from(table.draw(bits).as_nanos());
            let error = (draw << 24) - i128::from(bits.max(1 << 24));
            let bound = if (65..(1 << 40) - 64).contains(&draw) { (1 << 23) + 1 } else { 1 << 24 };
            assert!(error.abs() <= bound, "{bits:#x} gives {draw}");
        }
        assert_eq!((table.min().as_nanos(), table.max().as_nanos()), (1, (1 << TAIL_BITS) - 1));
        assert_eq!(table.mean().as_nanos(), 1 << (TAIL_BITS - 1));
    }

    #[test]
    fn knots_lie_at_exact_probabilities() {
        assert_eq!(probability(0), 1.0 / (1_u64 << 40) as f64);
        assert_eq!(probability(SIDE - 1), 0.5);
        assert_eq!(probability(SIDE - 2), 127.0 / 256.0);
        assert!((1..SIDE).all(|knot| probability(knot - 1) < probability(knot)));
    }
}
