//! Base layer: flight codes, a length of time in 16 bits, and histograms of them.
//!
//! Counting a latency costs one increment, so that every delivery can be counted. The price is a
//! stated relative error; sums and means are kept exactly by whoever needs them.

use super::time::Span;

/// A span rounded to about three digits: the first 256 nanoseconds have a code each, and every
/// octave (doubling) above is cut into 128 equal buckets with one code each.
///
/// Codes keep the order of spans: a longer span never has a smaller code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct FlightCode(u16);

impl FlightCode {
    /// How many codes there are: one octave's worth below 128 ns, then the octaves from `2^7` to
    /// `2^63` ns.
    pub const COUNT: usize = (64 - SUB_BITS as usize + 1) << SUB_BITS;

    /// The code of a span. Every span has one.
    #[inline]
    #[must_use]
    pub const fn of(span: Span) -> Self {
        let nanos = span.as_nanos();
        // Setting the bit of the lowest octave makes everything below it part of that octave.
        let octave = 63 - (nanos | 1 << SUB_BITS).leading_zeros();
        let shift = octave - SUB_BITS;
        Self((shift << SUB_BITS) as u16 + (nanos >> shift) as u16)
    }

    /// The middle of the code's bucket, rounded down. It is exact below 256 ns and differs by at
    /// most 1/256 from every span with this code.
    #[must_use]
    pub const fn span(self) -> Span {
        let shift = (self.0 >> SUB_BITS).saturating_sub(1);
        let steps = (self.0 - (shift << SUB_BITS)) as u64;
        let middle = ((1_u64 << shift) - 1) / 2;
        Span::from_nanos((steps << shift) + middle)
    }

    /// The code at a place among all codes; the last one for places beyond it.
    #[inline]
    #[must_use]
    pub const fn at(index: u16) -> Self {
        let last = Self::COUNT as u16 - 1;
        Self(if index < last { index } else { last })
    }

    /// The code's place among all codes, below [`Self::COUNT`].
    #[inline]
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Buckets per octave, as a power of two.
const SUB_BITS: u32 = 7;

/// How many spans of each code were recorded: 58 KiB from the first record on, nothing before.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct FlightHistogram {
    /// Empty until something is recorded, then one count per code.
    counts: Vec<u64>,
}

impl FlightHistogram {
    /// A histogram of nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { counts: Vec::new() }
    }

    /// Counts one span by its code.
    #[inline]
    pub fn record(&mut self, code: FlightCode) {
        if self.counts.is_empty() {
            self.allocate();
        }
        self.counts[code.index()] += 1;
    }

    /// Counts one span.
    #[inline]
    pub fn record_span(&mut self, span: Span) {
        self.record(FlightCode::of(span));
    }

    /// Adds everything that another histogram counted.
    pub fn merge(&mut self, other: &Self) {
        if self.counts.is_empty() {
            self.counts.clone_from(&other.counts);
            return;
        }
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
    }

    /// How many spans were recorded. Walks over all codes.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The codes that were recorded, in order, and how often.
    pub fn codes(&self) -> impl DoubleEndedIterator<Item = (FlightCode, u64)> + '_ {
        let all = self.counts.iter().enumerate();
        all.filter(|(_, count)| **count > 0).map(|(i, &count)| (FlightCode(i as u16), count))
    }

    /// The shortest recorded span, to within 1/256.
    #[must_use]
    pub fn min(&self) -> Option<Span> {
        self.codes().next().map(|(code, _)| code.span())
    }

    /// The longest recorded span, to within 1/256.
    #[must_use]
    pub fn max(&self) -> Option<Span> {
        self.codes().next_back().map(|(code, _)| code.span())
    }

    /// The quantile at `ppm` millionths (500,000 is the median) by nearest rank: the span of rank
    /// `ceil(ppm * count / 1,000,000)`, at least the first and at most the last, to within 1/256.
    /// `None` if nothing was recorded.
    #[must_use]
    pub fn quantile_ppm(&self, ppm: u32) -> Option<Span> {
        let wanted = u128::from(ppm.min(ONE_PPM)) * u128::from(self.count());
        let rank = wanted.div_ceil(u128::from(ONE_PPM)).max(1);
        let mut seen = 0_u128;
        for (code, count) in self.codes() {
            seen += u128::from(count);
            if seen >= rank {
                return Some(code.span());
            }
        }
        None
    }

    #[cold]
    fn allocate(&mut self) {
        self.counts = vec![0; FlightCode::COUNT];
    }
}

/// One whole in parts per million.
const ONE_PPM: u32 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::{Purpose, Rng, Seed};

    /// Spans of every magnitude: a uniform number of leading zeros, the rest uniform.
    fn spans(count: usize) -> Vec<Span> {
        let mut rng = Rng::of_cluster(Seed(7), Purpose::Workload);
        let mut any = move || {
            let zeros = rng.below(64);
            Span::from_nanos(rng.bits() >> zeros)
        };
        (0..count).map(|_| any()).collect()
    }

    #[test]
    fn a_code_is_within_one_256th_of_every_span_and_exact_below_256_ns() {
        for nanos in 0..256 {
            assert_eq!(FlightCode::of(Span::from_nanos(nanos)).span().as_nanos(), nanos);
        }
        let edges = (8..64).flat_map(|bit| [(1_u64 << bit) - 1, 1 << bit, (1 << bit) + 1]);
        let edges = edges.chain([u64::MAX]).map(Span::from_nanos);
        for span in spans(100_000).into_iter().chain(edges) {
            let code = FlightCode::of(span);
            let error = code.span().as_nanos().abs_diff(span.as_nanos());
            assert!(u128::from(error) * 256 <= u128::from(span.as_nanos()), "{span:?}");
            assert_eq!(FlightCode::of(code.span()), code, "{span:?}");
        }
    }

    #[test]
    fn codes_keep_the_order_of_spans_and_fill_the_range_without_a_gap() {
        let mut all = spans(100_000);
        all.sort_unstable();
        assert!(all.windows(2).all(|pair| FlightCode::of(pair[0]) <= FlightCode::of(pair[1])));
        // 128 codes below 2^7 and 57 octaves of 128 codes from 2^7 to 2^63: 58 * 128.
        assert_eq!(FlightCode::COUNT, 7_424);
        assert_eq!(FlightCode::of(Span::MAX).index(), 7_423);
        for i in 1..7_424_u16 {
            assert!(FlightCode(i - 1).span() < FlightCode(i).span(), "code {i}");
        }
    }

    #[test]
    fn quantiles_are_those_of_the_sorted_spans() {
        let mut all = spans(9_999);
        let mut histogram = FlightHistogram::new();
        all.iter().for_each(|&span| histogram.record_span(span));
        all.sort_unstable();
        for ppm in [0, 1, 100, 10_000, 250_000, 500_000, 900_000, 999_900, 999_999, 1_000_000] {
            // Codes keep the order, so the code of a rank is the code of the span of that rank.
            let rank = (u64::from(ppm) * 9_999).div_ceil(1_000_000).max(1);
            let expected = FlightCode::of(all[rank as usize - 1]).span();
            assert_eq!(histogram.quantile_ppm(ppm), Some(expected), "{ppm} ppm");
        }
        assert_eq!(histogram.min(), histogram.quantile_ppm(0));
        assert_eq!(histogram.max(), Some(FlightCode::of(all[9_998]).span()));
        assert_eq!(histogram.quantile_ppm(u32::MAX), histogram.max());
    }

    #[test]
    fn merging_counts_what_both_counted_and_nothing_takes_no_memory() {
        let all = spans(1_000);
        let record = |part: &[Span]| {
            let mut histogram = FlightHistogram::new();
            part.iter().for_each(|&span| histogram.record_span(span));
            histogram
        };
        let mut merged = FlightHistogram::new();
        assert_eq!((merged.count(), merged.min(), merged.quantile_ppm(1)), (0, None, None));
        assert_eq!(merged.counts.capacity(), 0);
        for part in [&all[..300], &[], &all[300..]] {
            merged.merge(&record(part));
        }
        assert_eq!(merged, record(&all));
        assert_eq!(merged.count(), 1_000);
        assert_eq!(merged.codes().map(|(_, count)| count).sum::<u64>(), 1_000);
    }
}
