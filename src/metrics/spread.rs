//! Metrics layer: how far something spread, and when it reached each share of a whole. Rumors and
//! blocks are measured alike.

use serde::Serialize;

use super::figures::{mean, ppm};
use crate::base::time::Span;

/// The shares whose times are kept, in percent.
pub(super) const SHARES: [u64; 7] = [50, 67, 80, 90, 95, 99, 100];

/// Time from the start until a share was reached, over those that did reach it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct TimeToShare {
    /// How many reached the share.
    pub reached: u64,
    /// Their mean time, exact.
    pub mean_ns: Option<u64>,
    /// The longest of their times.
    pub max_ns: Option<u64>,
}

/// How much of a whole has something, and when each share was reached.
#[derive(Clone, Copy)]
pub(super) struct Spread {
    /// How much has it.
    pub(super) held: u64,
    /// Of how much.
    pub(super) whole: u64,
    /// How many of [`SHARES`] have been reached.
    passed: usize,
    /// When each of [`SHARES`] was.
    pub(super) times: [Option<Span>; SHARES.len()],
}

impl Spread {
    /// A spread of which no share is ever reached if `whole` is zero.
    pub(super) fn new(whole: u64, held: u64) -> Self {
        let passed = if whole == 0 { SHARES.len() } else { 0 };
        let mut spread = Self { held: 0, whole, passed, times: [None; SHARES.len()] };
        spread.add(held, Span::ZERO);
        spread
    }

    /// So much more has it, so long after the start.
    pub(super) fn add(&mut self, amount: u64, after: Span) {
        self.held += amount;
        while self.passed < SHARES.len()
            && u128::from(self.held) * 100
                >= u128::from(self.whole) * u128::from(SHARES[self.passed])
        {
            self.times[self.passed] = Some(after);
            self.passed += 1;
        }
    }
}

/// The times to each share, over many spreads.
#[derive(Default)]
pub(super) struct ShareTimes([(TimeToShare, u128); SHARES.len()]);

impl ShareTimes {
    pub(super) fn add(&mut self, spread: &Spread) {
        for ((share, sum), time) in self.0.iter_mut().zip(spread.times) {
            if let Some(time) = time {
                share.reached += 1;
                share.max_ns = share.max_ns.max(Some(time.as_nanos()));
                *sum += u128::from(time.as_nanos());
            }
        }
    }

    /// The times to one of [`SHARES`].
    pub(super) fn to(&self, percent: u64) -> TimeToShare {
        let place = SHARES.iter().position(|share| *share == percent);
        place.map_or_else(TimeToShare::default, |place| {
            let (share, sum) = self.0[place];
            TimeToShare { mean_ns: mean(sum, share.reached), ..share }
        })
    }
}

/// The shares that were reached, over many spreads.
#[derive(Default)]
pub(super) struct Coverage {
    /// How many.
    pub(super) count: u64,
    /// How many reached everybody.
    pub(super) complete: u64,
    sum_ppm: u64,
    /// The smallest.
    pub(super) min_ppm: Option<u64>,
}

impl Coverage {
    /// `held` of `whole` were reached. Nobody to reach is everybody reached.
    pub(super) fn add(&mut self, held: u64, whole: u64) {
        let share = ppm(held.min(whole), whole).unwrap_or(1_000_000);
        self.count += 1;
        self.complete += u64::from(held >= whole);
        self.sum_ppm += share;
        self.min_ppm = Some(self.min_ppm.map_or(share, |least| least.min(share)));
    }

    pub(super) fn mean_ppm(&self) -> Option<u64> {
        mean(self.sum_ppm.into(), self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_reached_by_the_amount_that_completes_it() {
        // Of 200: 50 % is 100, 67 % is 134, 80 % is 160.
        let mut spread = Spread::new(200, 99);
        spread.add(1, Span::from_nanos(5));
        spread.add(33, Span::from_nanos(6));
        spread.add(27, Span::from_nanos(7));
        let times = spread.times.map(|time| time.map(Span::as_nanos));
        assert_eq!(times, [Some(5), Some(7), Some(7), None, None, None, None]);
        let mut shares = ShareTimes::default();
        shares.add(&spread);
        shares.add(&Spread::new(1, 1));
        shares.add(&Spread::new(0, 0));
        let half = TimeToShare { reached: 2, mean_ns: Some(2), max_ns: Some(5) };
        let all = TimeToShare { reached: 1, mean_ns: Some(0), max_ns: Some(0) };
        assert_eq!((shares.to(50), shares.to(100)), (half, all));
    }

    #[test]
    fn coverage_counts_nobody_to_reach_as_reached() {
        let mut coverage = Coverage::default();
        assert_eq!((coverage.mean_ppm(), coverage.min_ppm), (None, None));
        [(1, 4), (4, 4), (0, 0)].into_iter().for_each(|(held, whole)| coverage.add(held, whole));
        assert_eq!((coverage.mean_ppm(), coverage.min_ppm), (Some(750_000), Some(250_000)));
        assert_eq!(coverage.complete, 2);
    }
}
