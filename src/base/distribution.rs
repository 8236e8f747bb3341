//! Base layer: distributions of lengths of time (latencies, say), as functions of 64 uniform bits.
//!
//! Whoever draws brings the bits, so the same distribution serves the weather and the streams of
//! chance. Everything that needs a logarithm or a power is turned into a table of integers once,
//! when the plan is made; a draw is integer arithmetic and cannot differ between machines.

mod quantile;
mod spec;

use std::sync::Arc;

pub use self::quantile::QuantileTable;
use self::quantile::{Side, cumulative_hazard, standard_normal_at_knot};
pub use self::spec::{DistributionOrSpan, DistributionSpec};
use super::time::Span;

/// The longest length that may be written in a scenario or stand in a file of samples: one hour.
pub const LONGEST_WRITTEN: Span = Span::from_secs(3_600);

/// The longest length that is ever drawn: one day. Only tails reach it; they are cut there.
pub const LONGEST_DRAWN: Span = Span::from_secs(86_400);

/// The largest `sigma` of a log-normal distribution. At 10, one draw in a thousand already is
/// `e^31` (26 million million) times the median, far beyond [`LONGEST_DRAWN`].
pub const LARGEST_SIGMA: f64 = 10.0;

/// A distribution of lengths of time, ready to draw from. Copies share their table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Distribution {
    /// Always the same length.
    Constant(Span),
    /// Every whole nanosecond from `min` to `max`, both included, equally often.
    Uniform {
        /// The shortest length.
        min: Span,
        /// The longest length, not below `min`.
        max: Span,
    },
    /// A continuous distribution by its quantiles.
    Table(QuantileTable),
    /// Measured samples, each equally often.
    Measured(Samples),
}

/// Measured samples in increasing order; at least one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Samples(Arc<[Span]>);

/// Why the parameters of a distribution are refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{field}: {message}")]
pub struct DistributionError {
    /// The key of the parameter, as it is spelled in [`DistributionSpec`].
    pub field: &'static str,
    /// One sentence without the key and without a full stop.
    pub message: String,
}

impl Distribution {
    /// Always `value`.
    ///
    /// # Errors
    /// If `value` is longer than [`LONGEST_WRITTEN`].
    pub fn constant(value: Span) -> Result<Self, DistributionError> {
        at_most_longest("value", value).map(Self::Constant)
    }

    /// Every whole nanosecond from `min` to `max` equally often.
    ///
    /// # Errors
    /// If `max` is shorter than `min` or longer than [`LONGEST_WRITTEN`].
    pub fn uniform(min: Span, max: Span) -> Result<Self, DistributionError> {
        at_most_longest("max", max)?;
        if max < min {
            return Err(refused("max", format!("{max} is shorter than min, which is {min}")));
        }
        Ok(if min == max { Self::Constant(min) } else { Self::Uniform { min, max } })
    }

    /// The normal distribution of this mean and standard deviation, with zero for every negative
    /// length. So the mean of the draws is above `mean` when zero is within a few deviations.
    ///
    /// # Errors
    /// If a parameter is longer than [`LONGEST_WRITTEN`].
    pub fn normal(mean: Span, deviation: Span) -> Result<Self, DistributionError> {
        let centre = at_most_longest("mean", mean)?.as_nanos() as f64;
        let width = at_most_longest("deviation", deviation)?.as_nanos() as f64;
        let quantile = |tail, side| centre + width * standard_normal_at_knot(tail, side);
        Ok(Self::from_quantiles(quantile))
    }

    /// The distribution whose logarithm is normal with standard deviation `sigma` (of the natural
    /// logarithm, without unit); half of the draws are below `median`, their mean is
    /// `median * exp(sigma^2 / 2)`.
    ///
    /// # Errors
    /// If `median` is longer than [`LONGEST_WRITTEN`] or `sigma` is not above zero and at most
    /// [`LARGEST_SIGMA`].
    pub fn log_normal(median: Span, sigma: f64) -> Result<Self, DistributionError> {
        let median = at_most_longest("median", median)?.as_nanos() as f64;
        if !(sigma > 0.0 && sigma <= LARGEST_SIGMA) {
            let message = format!("{sigma} is not above 0 and at most {LARGEST_SIGMA}");
            return Err(refused("sigma", message));
        }
        let quantile = |tail, side| median * libm::exp(sigma * standard_normal_at_knot(tail, side));
        Ok(Self::from_quantiles(quantile))
    }

    /// The exponential distribution of this mean.
    ///
    /// # Errors
    /// If `mean` is longer than [`LONGEST_WRITTEN`].
    pub fn exponential(mean: Span) -> Result<Self, DistributionError> {
        let mean = at_most_longest("mean", mean)?.as_nanos() as f64;
        Ok(Self::from_quantiles(|tail, side| mean * cumulative_hazard(tail, side)))
    }

    /// The Pareto distribution: no draw is below `min`, and a draw is above `x` with probability
    /// `(min / x)^exponent`. The mean is `min * exponent / (exponent - 1)`; an exponent of 1 or
    /// less has none, and what is drawn then depends on where the tail is cut.
    ///
    /// # Errors
    /// If `min` is longer than [`LONGEST_WRITTEN`] or `exponent` is not a finite number above zero.
    pub fn pareto(min: Span, exponent: f64) -> Result<Self, DistributionError> {
        let min = at_most_longest("min", min)?.as_nanos() as f64;
        if !(exponent > 0.0 && exponent.is_finite()) {
            let message = format!("{exponent} is not a finite number above 0");
            return Err(refused("exponent", message));
        }
        let quantile = |tail, side| min * libm::exp(cumulative_hazard(tail, side) / exponent);
        Ok(Self::from_quantiles(quantile))
    }

    /// The empirical distribution of some samples in any order: every draw is one of them, and each
    /// is drawn equally often.
    ///
    /// # Errors
    /// If there is no sample or one is longer than [`LONGEST_WRITTEN`].
    pub fn measured(mut samples: Vec<Span>) -> Result<Self, DistributionError> {
        samples.sort_unstable();
        match (samples.first(), samples.last()) {
            (Some(first), Some(last)) if first == last => Self::constant(*first),
            (Some(_), Some(last)) => {
                at_most_longest("file", *last).map(|_| Self::Measured(Samples(samples.into())))
            }
            _ => Err(refused("file", "there is no sample".into())),
        }
        .map_err(|error| DistributionError { field: "file", ..error })
    }

    fn from_quantiles(quantile: impl Fn(f64, Side) -> f64) -> Self {
        let table = QuantileTable::build(quantile);
        if table.min() == table.max() { Self::Constant(table.min()) } else { Self::Table(table) }
    }

    /// The draw that belongs to 64 uniform bits. More bits never give a shorter length: `0` gives
    /// [`Self::min`] and `u64::MAX` gives [`Self::max`].
    #[inline]
    #[must_use]
    pub fn draw(&self, bits: u64) -> Span {
        match self {
            Self::Constant(value) => *value,
            Self::Uniform { min, max } => {
                let lengths = u128::from(max.saturating_sub(*min).as_nanos()) + 1;
                *min + Span::from_nanos(((u128::from(bits) * lengths) >> 64) as u64)
            }
            Self::Table(table) => table.draw(bits),
            Self::Measured(Samples(samples)) => {
                samples[((u128::from(bits) * samples.len() as u128) >> 64) as usize]
            }
        }
    }

    /// The only length that can be drawn, if there is only one: then no bits are needed.
    #[inline]
    #[must_use]
    pub const fn as_constant(&self) -> Option<Span> {
        match self {
            Self::Constant(value) => Some(*value),
            Self::Uniform { .. } | Self::Table(_) | Self::Measured(_) => None,
        }
    }

    /// The mean of the draws over all 2^64 values of the bits, rounded down to a nanosecond (for a
    /// table: the mean of its line segments before a draw is rounded).
    #[must_use]
    pub fn mean(&self) -> Span {
        match self {
            Self::Constant(value) => *value,
            Self::Uniform { min, max } => *min + max.saturating_sub(*min) / 2,
            Self::Table(table) => table.mean(),
            Self::Measured(Samples(samples)) => {
                let sum: u128 = samples.iter().map(|sample| u128::from(sample.as_nanos())).sum();
                Span::from_nanos((sum / samples.len() as u128) as u64)
            }
        }
    }

    /// The shortest length that can be drawn.
    #[must_use]
    pub fn min(&self) -> Span {
        self.draw(0)
    }

    /// The longest length that can be drawn.
    #[must_use]
    pub fn max(&self) -> Span {
        self.draw(u64::MAX)
    }

    /// Bytes that are equal for two distributions exactly when all their draws come from the same
    /// rule and the same numbers; for digests of plans.
    #[must_use]
    pub fn canonical_bytes(&self) -> Vec<u8> {
        let (tag, numbers): (u8, Vec<u64>) = match self {
            Self::Constant(value) => (1, vec![value.as_nanos()]),
            Self::Uniform { min, max } => (2, vec![min.as_nanos(), max.as_nanos()]),
            Self::Table(table) => (3, table.knots().to_vec()),
            Self::Measured(Samples(all)) => (4, all.iter().map(|one| one.as_nanos()).collect()),
        };
        let mut bytes = vec![tag];
        numbers.iter().for_each(|number| bytes.extend(number.to_le_bytes()));
        bytes
    }
}

fn refused(field: &'static str, message: String) -> DistributionError {
    DistributionError { field, message }
}

fn at_most_longest(field: &'static str, span: Span) -> Result<Span, DistributionError> {
    if span > LONGEST_WRITTEN {
        return Err(refused(field, format!("{span} is longer than {LONGEST_WRITTEN}, the limit")));
    }
    Ok(span)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn ms(milliseconds: u64) -> Span {
        Span::from_millis(milliseconds)
    }

    /// Bits at `parts` of 10,000 of their range.
    fn at(parts: u64) -> u64 {
        ((u128::from(parts) << 64) / 10_000) as u64
    }

    fn assert_close(found: Span, expected_ns: f64, relative: f64, what: &str) {
        let error = (found.as_nanos() as f64 / expected_ns - 1.0).abs();
        assert!(error < relative, "{what}: {found:?}, expected {expected_ns} ns");
    }

    /// One of each kind.
    fn zoo() -> Vec<Distribution> {
        vec![
            Distribution::Constant(ms(5)),
            Distribution::uniform(ms(10), ms(20)).expect("min < max"),
            Distribution::normal(ms(50), ms(10)).expect("short"),
            Distribution::normal(ms(50), ms(60)).expect("short"),
            Distribution::log_normal(ms(80), 0.5).expect("in range"),
            Distribution::log_normal(ms(80), 10.0).expect("in range"),
            Distribution::exponential(ms(30)).expect("short"),
            Distribution::pareto(ms(40), 3.0).expect("in range"),
            Distribution::pareto(ms(40), 0.01).expect("in range"),
            Distribution::measured(vec![ms(9), ms(3), ms(3), ms(7)]).expect("four samples"),
        ]
    }

    #[test]
    fn means_and_9999_per_myriad_quantiles_are_those_of_the_closed_forms() {
        // (distribution, mean, 99.99th percentile) in milliseconds, from Python's math and
        // statistics.NormalDist: z = 3.719016485; 50 + 10 z; 80 exp(z / 2) and 80 exp(1 / 8);
        // 30 ln 10^4; 40 * 10^(4/3) and 40 * 3/2; for the normal cut at zero with m = 50, s = 60:
        // mean m Phi(m/s) + s phi(m/s). The quantiles lie on a chord across 1/64 octave: for
        // x = -ln q that is off by at most (1/64)^2 / 8 = 3e-5 of a mean; steeper ones (the
        // exponent -1/3, sigma/2 per unit of z) by less than 1e-4 of themselves.
        let all = zoo();
        for (i, mean, quantile) in [
            (2, 50.0, 87.190_164_854_557),
            (3, 56.798_293_476_436, 273.140_989_127_341),
            (4, 90.651_876_245_346, 513.646_290_299_264),
            (6, 30.0, 276.310_211_159_285),
            (7, 60.0, 861.773_876_012_754),
        ] {
            let what = format!("distribution {i}");
            assert_close(all[i].mean(), mean * 1e6, 1e-4, &what);
            assert_close(all[i].draw(at(9_999)), quantile * 1e6, 1e-4, &what);
        }
    }

    #[test]
    fn the_mean_of_many_draws_is_the_stated_mean() {
        // Midpoints of 2^20 equal strata integrate a monotone function to within its range over
        // the count, and the range of all but the last stratum is at most 14 means here; the last
        // stratum alone is off by about one mean. So 15 means / 2^20 = 1.5e-5, plus 1 ns of
        // rounding of 1e6.
        let strata = 1_u64 << 20;
        let all = zoo();
        for distribution in [1, 2, 3, 4, 6].map(|i| &all[i]) {
            let draw = |i: u64| u128::from(distribution.draw((i << 44) + (1 << 43)).as_nanos());
            let mean = (0..strata).map(draw).sum::<u128>() as f64 / strata as f64;
            assert_close(distribution.mean(), mean, 2e-5, &format!("{:?}", distribution.mean()));
        }
    }

    #[test]
    fn exponential_draws_follow_the_logarithm() {
        let exponential = Distribution::exponential(ms(30)).expect("short");
        for parts in (1..10_000).step_by(7) {
            let expected = -30e6 * libm::log(1.0 - parts as f64 / 1e4);
            let found = exponential.draw(at(parts)).as_nanos() as f64;
            // A chord across 1/64 octave of -ln q is off by at most (1/64)^2 / 8 = 3.05e-5 means.
            assert!((found - expected).abs() < 30e6 * 3.1e-5 + 1.0, "{parts}: {found} {expected}");
        }
    }

    #[test]
    fn tails_are_resolved_down_to_two_to_the_minus_forty() {
        // The last quantile of the exponential is 40 ln 2 = 27.725887 means; the normal's
        // by Python: NormalDist().inv_cdf(1 - 2**-40) as -inv_cdf(2**-40) = 7.047700256664409.
        let all = zoo();
        assert_close(all[6].max(), 30e6 * 27.725_887_222_398, 1e-8, "exponential");
        assert_close(all[2].max(), 50e6 + 10e6 * 7.047_700_256_664, 1e-7, "normal");
        let far_from_zero = Distribution::normal(ms(100), ms(10)).expect("short");
        assert_close(far_from_zero.min(), 100e6 - 10e6 * 7.047_700_256_664, 1e-7, "lower tail");
        assert_eq!((all[2].min(), all[3].min()), (Span::ZERO, Span::ZERO));
        assert_eq!(all[7].min(), ms(40));
        // e^(10 z) and 2^(100 * 40) go past a day and are cut there.
        assert_eq!((all[5].max(), all[8].max()), (LONGEST_DRAWN, LONGEST_DRAWN));
    }

    #[test]
    fn more_bits_never_give_a_shorter_length() {
        let near = |bit: u32| [(1_u64 << bit) - 1, 1 << bit, (1 << bit) + 1];
        let mut bits: Vec<u64> = (0..64).flat_map(near).flat_map(|b| [b, !b]).collect();
        bits.extend((0..200_000_u64).map(|i| i * (u64::MAX / 200_000)));
        // Around knots of the table, and finer than a nanosecond between two of them.
        bits.extend(
            (0..10_000_u64).flat_map(|i| [(1 << 62) + (i << 40), !((1 << 50) + (i << 20))]),
        );
        bits.sort_unstable();
        for distribution in zoo() {
            let draws: Vec<Span> = bits.iter().map(|&bits| distribution.draw(bits)).collect();
            assert!(draws.is_sorted(), "{:?}", distribution.mean());
            assert_eq!(
                (draws[0], draws[draws.len() - 1]),
                (distribution.min(), distribution.max())
            );
        }
    }

    #[test]
    fn constant_and_uniform_are_exact() {
        let uniform = Distribution::uniform(Span::from_nanos(10), Span::from_nanos(13));
        let uniform = uniform.expect("min < max");
        let draws =
            [0, (1 << 62) - 1, 1 << 62, 1 << 63, 3 << 62, u64::MAX].map(|b| uniform.draw(b));
        assert_eq!(draws.map(Span::as_nanos), [10, 10, 11, 12, 13, 13]);
        assert_eq!(uniform.mean().as_nanos(), 11);
        for bits in [0, 1 << 40, u64::MAX] {
            assert_eq!(Distribution::Constant(ms(5)).draw(bits), ms(5));
        }
        // What cannot vary becomes a constant, so that nobody draws bits for it.
        for flat in [
            Distribution::normal(ms(4), Span::ZERO),
            Distribution::uniform(ms(4), ms(4)),
            Distribution::measured(vec![ms(4); 3]),
        ] {
            assert_eq!(flat.expect("in range").as_constant(), Some(ms(4)));
        }
    }

    #[test]
    fn measured_draws_are_samples_each_equally_often() {
        let samples = [9, 3, 3, 7].map(ms).to_vec();
        let measured = Distribution::measured(samples).expect("four samples");
        let draws: Vec<u64> =
            (0..8_u64).map(|i| measured.draw((i << 61) + 5).as_nanos() / MS).collect();
        assert_eq!(draws, [3, 3, 3, 3, 7, 7, 9, 9]);
        assert_eq!(measured.mean(), Span::from_micros(5_500));
    }

    #[test]
    fn impossible_parameters_are_refused_by_name() {
        let hour = Span::from_secs(3_600);
        let too_long = hour + Span::from_nanos(1);
        for (result, field, reason) in [
            (Distribution::constant(too_long), "value", "longer than 1h"),
            (
                Distribution::uniform(ms(20), ms(10)),
                "max",
                "10ms is shorter than min, which is 20ms",
            ),
            (Distribution::uniform(ms(20), too_long), "max", "longer than 1h"),
            (Distribution::normal(ms(1), too_long), "deviation", "longer than 1h"),
            (Distribution::log_normal(ms(1), 0.0), "sigma", "0 is not above 0"),
            (Distribution::log_normal(ms(1), f64::NAN), "sigma", "NaN is not above 0"),
            (Distribution::log_normal(ms(1), 10.5), "sigma", "at most 10"),
            (Distribution::exponential(too_long), "mean", "longer than 1h"),
            (Distribution::pareto(ms(1), -1.0), "exponent", "-1 is not a finite number above 0"),
            (Distribution::pareto(ms(1), f64::INFINITY), "exponent", "inf is not a finite"),
            (Distribution::measured(vec![]), "file", "no sample"),
            (Distribution::measured(vec![ms(1), too_long]), "file", "longer than 1h"),
            (Distribution::measured(vec![too_long]), "file", "longer than 1h"),
        ] {
            let error = result.expect_err(reason);
            assert_eq!(error.field, field);
            assert!(error.message.contains(reason), "{error}");
        }
        assert!(Distribution::normal(hour, hour).is_ok());
    }

    #[test]
    fn canonical_bytes_tell_distributions_apart() {
        let all: Vec<Vec<u8>> = zoo().iter().map(Distribution::canonical_bytes).collect();
        for (i, a) in all.iter().enumerate() {
            assert!(all[i + 1..].iter().all(|b| a != b), "distribution {i} is there twice");
        }
        assert_eq!(all, zoo().iter().map(Distribution::canonical_bytes).collect::<Vec<_>>());
        assert_eq!(Distribution::Constant(ms(1)).canonical_bytes(), [1, 64, 66, 15, 0, 0, 0, 0, 0]);
    }
}
