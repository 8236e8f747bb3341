//! Metrics layer: the few figures that several collectors make: shares, and quantiles of latency.

use serde::Serialize;

use super::table::Cell;
use crate::base::flight::FlightHistogram;
use crate::base::time::Span;

/// `part / whole` in parts per million, rounded down; `None` if there is no whole.
pub(super) fn ppm(part: u64, whole: u64) -> Option<u64> {
    let share = (u128::from(part) * 1_000_000).checked_div(whole.into())?;
    Some(u64::try_from(share).unwrap_or(u64::MAX))
}

/// `sum / count`, rounded down; `None` for the mean of nothing.
pub(super) fn mean(sum: u128, count: u64) -> Option<u64> {
    let mean = sum.checked_div(count.into())?;
    Some(u64::try_from(mean).unwrap_or(u64::MAX))
}

/// How long something took, in nanoseconds; all `None` if it never happened.
///
/// The figures come from a histogram with a relative error of at most 1/256 (none below 256 ns),
/// unless the holder says that its mean is exact. Quantiles are by nearest rank.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Latency {
    /// The shortest.
    pub min_ns: Option<u64>,
    /// The mean.
    pub mean_ns: Option<u64>,
    /// The median.
    pub p50_ns: Option<u64>,
    /// Nine in ten took no longer.
    pub p90_ns: Option<u64>,
    /// 99 % took no longer.
    pub p99_ns: Option<u64>,
    /// 99.9 % took no longer.
    pub p999_ns: Option<u64>,
    /// The longest.
    pub max_ns: Option<u64>,
}

impl Latency {
    /// The figures of what a histogram counted.
    pub(super) fn of(histogram: &FlightHistogram) -> Self {
        let codes = histogram.codes();
        let sum = codes.map(|(code, n)| u128::from(code.span().as_nanos()) * u128::from(n)).sum();
        let quantile = |ppm| histogram.quantile_ppm(ppm).map(|span| span.as_nanos());
        Self {
            min_ns: quantile(0),
            mean_ns: mean(sum, histogram.count()),
            p50_ns: quantile(500_000),
            p90_ns: quantile(900_000),
            p99_ns: quantile(990_000),
            p999_ns: quantile(999_000),
            max_ns: quantile(1_000_000),
        }
    }

    /// The same with the exact shortest and longest; no quantile lies beyond them.
    pub(super) fn within(self, min_ns: u64, max_ns: u64) -> Self {
        let clamp = |figure: Option<u64>| figure.map(|figure| figure.clamp(min_ns, max_ns));
        Self {
            min_ns: self.min_ns.map(|_| min_ns),
            mean_ns: self.mean_ns,
            p50_ns: clamp(self.p50_ns),
            p90_ns: clamp(self.p90_ns),
            p99_ns: clamp(self.p99_ns),
            p999_ns: clamp(self.p999_ns),
            max_ns: self.max_ns.map(|_| max_ns),
        }
    }

    /// One cell per figure, in the order of the fields.
    pub(super) fn cells(self) -> [Cell<'static>; 7] {
        let Self { min_ns, mean_ns, p50_ns, p90_ns, p99_ns, p999_ns, max_ns } = self;
        [min_ns, mean_ns, p50_ns, p90_ns, p99_ns, p999_ns, max_ns].map(Cell::from)
    }
}

/// Lengths of time that were counted; their mean, the shortest and the longest are exact.
pub(super) struct Spans {
    histogram: FlightHistogram,
    sum: u128,
    /// The shortest and the longest.
    range: (u64, u64),
}

impl Default for Spans {
    fn default() -> Self {
        Self { histogram: FlightHistogram::new(), sum: 0, range: (u64::MAX, 0) }
    }
}

impl Spans {
    #[inline]
    pub(super) fn record(&mut self, span: Span) {
        let nanos = span.as_nanos();
        self.histogram.record_span(span);
        self.sum += u128::from(nanos);
        self.range = (self.range.0.min(nanos), self.range.1.max(nanos));
    }

    pub(super) fn latency(&self) -> Latency {
        Latency {
            mean_ns: mean(self.sum, self.histogram.count()),
            ..Latency::of(&self.histogram).within(self.range.0, self.range.1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_means_round_down_and_need_a_whole() {
        assert_eq!((ppm(1, 3), ppm(3, 3), ppm(0, 0)), (Some(333_333), Some(1_000_000), None));
        assert_eq!(ppm(u64::MAX, u64::MAX), Some(1_000_000));
        assert_eq!((mean(7, 2), mean(0, 0)), (Some(3), None));
    }

    #[test]
    fn the_mean_and_the_ends_of_spans_are_exact() {
        assert_eq!(Spans::default().latency(), Latency::default());
        let mut spans = Spans::default();
        // No code stands for any of these; 3,333,333 is their mean rounded down.
        for nanos in [1_000_001, 3_000_000, 6_000_000] {
            spans.record(Span::from_nanos(nanos));
        }
        let latency = spans.latency();
        let exact = (latency.min_ns, latency.mean_ns, latency.max_ns);
        assert_eq!(exact, (Some(1_000_001), Some(3_333_333), Some(6_000_000)));
        assert_eq!(latency.p999_ns, Some(6_000_000));
    }

    #[test]
    fn quantiles_are_by_nearest_rank_and_nothing_has_none() {
        assert_eq!(Latency::of(&FlightHistogram::new()), Latency::default());
        let mut histogram = FlightHistogram::new();
        // 1 to 200 ns are exact. Ranks of 200: 100, 180, 198, ceil(199.8) = 200.
        (1..=200).for_each(|nanos| histogram.record_span(Span::from_nanos(nanos)));
        let latency = Latency::of(&histogram);
        let expected = [1, 100, 100, 180, 198, 200, 200].map(|n: u64| Cell::from(n));
        assert_eq!(latency.cells(), expected, "the mean of 1..=200 is 100.5");
    }
}
