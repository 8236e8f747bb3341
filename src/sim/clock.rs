//! Kernel layer: what a node's own clock shows. Facts carry true time; a node sees only this.

use crate::base::time::{Span, Time};

/// An affine clock: exact until a fault sets an offset and a drift.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Clock {
    offset: i64,
    /// Extra nanoseconds the clock shows per million; above -1,000,000 and at most 1,000,000.
    drift_ppm: i32,
    /// Since when it drifts.
    since: Time,
}

const MILLION: i128 = 1_000_000;

impl Clock {
    /// A clock that is `offset` nanoseconds ahead and gains `drift_ppm` from `since` on.
    pub(super) const fn new(offset: i64, drift_ppm: i32, since: Time) -> Self {
        Self { offset, drift_ppm, since }
    }

    /// What the clock shows at a true moment; at least zero.
    pub(super) fn show(&self, now: Time) -> Time {
        if *self == Self::default() {
            return now;
        }
        let drifted = i128::from(now.since(self.since).as_nanos()) * i128::from(self.drift_ppm);
        let shown =
            i128::from(now.as_nanos()) + i128::from(self.offset) + drifted.div_euclid(MILLION);
        Time::from_nanos(u64::try_from(shown.max(0)).unwrap_or(u64::MAX))
    }

    /// What has passed on this clock since it drifts, rounded down to a nanosecond.
    fn passed(&self, now: Time) -> i128 {
        (i128::from(now.since(self.since).as_nanos()) * self.rate()).div_euclid(MILLION)
    }

    /// Nanoseconds of this clock in a true millisecond.
    fn rate(&self) -> i128 {
        (MILLION + i128::from(self.drift_ppm)).max(1)
    }

    /// When an alarm goes off that is set now: at the first nanosecond at which this clock has
    /// advanced by `delay`. A fast clock skips nanoseconds, so it may then show one more than the
    /// alarm was set to, which is the second answer. The next alarm is told so in `late` and counts
    /// from what was skipped: so a round of alarms goes astray by less than a nanosecond, however
    /// often it is repeated.
    pub(super) fn alarm(&self, now: Time, late: bool, delay: Span) -> (Time, bool) {
        if self.drift_ppm == 0 {
            return (now.saturating_add(delay), false);
        }
        let goal = self.passed(now) - i128::from(late) + i128::from(delay.as_nanos());
        // floor(x * rate / 10^6) reaches the goal where x does ceil(goal * 10^6 / rate).
        let rate = self.rate();
        let after = (goal * MILLION + rate - 1).div_euclid(rate).max(0);
        let after = Span::from_nanos(u64::try_from(after).unwrap_or(u64::MAX));
        let at = self.since.saturating_add(after).max(now);
        (at, self.passed(at) > goal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drifting_clock_gains_and_its_alarms_go_off_early() {
        let start = Time::ZERO + Span::from_secs(10);
        let clock = Clock::new(-2_000_000_000, 100_000, start);
        // 10 s after the drift began: 20 s - 2 s + 10 s * 10 %.
        assert_eq!(clock.show(start + Span::from_secs(10)), Time::ZERO + Span::from_secs(19));
        // 1.1 s on a clock that runs 10 % fast are 1 s.
        let alarm = |delay| clock.alarm(start, false, delay);
        assert_eq!(alarm(Span::from_millis(1_100)), (start + Span::from_secs(1), false));
        // After 9 ns it shows 9 more, after 10 ns 11 more: it skips the tenth.
        assert_eq!(alarm(Span::from_nanos(9)), (start + Span::from_nanos(9), false));
        assert_eq!(alarm(Span::from_nanos(10)), (start + Span::from_nanos(10), true));
        assert_eq!(
            Clock::new(0, -500_000, start).alarm(start, true, Span::MAX),
            (Time::MAX, false)
        );
        assert_eq!(clock.show(Time::ZERO), Time::ZERO, "no clock shows less than zero");
        let (at, late) = Clock::default().alarm(start, false, Span::from_secs(7));
        assert_eq!((at, late), (start + Span::from_secs(7), false));
    }

    #[test]
    fn a_hundred_thousand_rounds_do_not_go_astray() {
        let start = Time::from_nanos(123_456_789);
        for drift_ppm in [1, 37, 99_999, 500_000, -1, -250, -333_333, -500_000] {
            let clock = Clock::new(5, drift_ppm, start);
            for interval in [Span::from_millis(10), Span::from_nanos(1_000_003)] {
                let (mut at, mut late) = (start, false);
                for round in 1..=100_000_u128 {
                    (at, late) = clock.alarm(at, late, interval);
                    // The first nanosecond at which round * interval have passed on the clock.
                    let rate = (1_000_000 + i64::from(drift_ppm)).unsigned_abs();
                    let own = round * u128::from(interval.as_nanos()) * 1_000_000;
                    let expected = own.div_ceil(u128::from(rate));
                    let passed = u128::from(at.since(start).as_nanos());
                    assert_eq!(passed, expected, "round {round}, {drift_ppm} ppm");
                }
            }
        }
    }
}
