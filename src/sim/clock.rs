//! Kernel layer: what a node's own clock shows. Facts carry true time; a node sees only this.

use crate::base::time::{Span, Time};

/// An affine clock: exact until a fault sets an offset and a drift.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Clock {
    offset: i64,
    /// Extra nanoseconds the clock shows per million.
    drift_ppm: i32,
    /// Since when it drifts.
    since: Time,
}

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
            i128::from(now.as_nanos()) + i128::from(self.offset) + drifted.div_euclid(1_000_000);
        Time::from_nanos(u64::try_from(shown.max(0)).unwrap_or(u64::MAX))
    }

    /// How long an alarm of `delay` on this clock truly takes, rounded to the nearest nanosecond.
    pub(super) fn true_delay(&self, delay: Span) -> Span {
        if self.drift_ppm == 0 {
            return delay;
        }
        let rate = (1_000_000 + i64::from(self.drift_ppm)).max(1).unsigned_abs();
        let scaled =
            (u128::from(delay.as_nanos()) * 1_000_000 + u128::from(rate / 2)) / u128::from(rate);
        Span::from_nanos(u64::try_from(scaled).unwrap_or(u64::MAX))
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
        assert_eq!(clock.true_delay(Span::from_millis(1_100)), Span::from_secs(1));
        assert_eq!(clock.show(Time::ZERO), Time::ZERO, "no clock shows less than zero");
        assert_eq!(Clock::default().true_delay(Span::from_secs(7)), Span::from_secs(7));
    }
}
