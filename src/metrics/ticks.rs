//! Metrics layer: when periodic samples are due.

use crate::base::time::{Span, Time};

/// The moments 0, `interval`, `2 * interval` ... before the end of a run, and the end itself, which
/// is sampled when the run is over.
#[derive(Clone, Debug)]
pub(super) struct Ticks {
    /// `None` if nothing is to be sampled.
    interval: Option<Span>,
    next: Option<Time>,
    last: Option<Time>,
    end: Time,
}

impl Ticks {
    /// Ticks of a run that is to end at `end`; none at all without an interval.
    pub(super) fn new(interval: Option<Span>, end: Time) -> Self {
        let interval = interval.filter(|interval| !interval.is_zero());
        let next = interval.map(|_| Time::ZERO).filter(|first| *first < end);
        Self { interval, next, last: None, end }
    }

    /// The next moment before the end.
    pub(super) const fn next(&self) -> Option<Time> {
        self.next
    }

    /// Whether `at` is the next moment; the one after it is then awaited.
    pub(super) fn take(&mut self, at: Time) -> bool {
        let (Some(interval), true) = (self.interval, self.next == Some(at)) else { return false };
        self.last = Some(at);
        self.next = Some(at.saturating_add(interval)).filter(|next| *next < self.end);
        true
    }

    /// Whether a sample is wanted now that the run is over at `end`: not if this very moment was
    /// sampled already, which can only be if the run was ended early.
    pub(super) fn take_end(&self, end: Time) -> bool {
        self.interval.is_some() && self.last != Some(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(interval: Option<u64>, end: u64) -> Vec<u64> {
        let mut ticks = Ticks::new(interval.map(Span::from_nanos), Time::from_nanos(end));
        let mut moments = Vec::new();
        while let Some(at) = ticks.next() {
            assert!(!ticks.take(at + Span::from_nanos(1)));
            assert!(ticks.take(at) && !ticks.take(at), "a moment is taken once");
            moments.push(at.as_nanos());
        }
        assert_eq!(ticks.take_end(Time::from_nanos(end)), interval.is_some_and(|i| i > 0));
        moments
    }

    #[test]
    fn ticks_begin_at_zero_and_leave_the_end_to_the_end() {
        assert_eq!(all(Some(10), 30), [0, 10, 20]);
        assert_eq!(all(Some(10), 31), [0, 10, 20, 30]);
        assert_eq!(all(Some(50), 31), [0]);
        assert_eq!(all(Some(10), 0), [0; 0]);
        assert_eq!(all(None, 30), [0; 0]);
        assert_eq!(all(Some(0), 30), [0; 0], "no interval, and no endless loop");
    }

    #[test]
    fn a_run_that_ends_early_on_a_tick_is_not_sampled_twice_there() {
        let mut ticks = Ticks::new(Some(Span::from_nanos(10)), Time::from_nanos(100));
        assert!(ticks.take(Time::ZERO) && ticks.take(Time::from_nanos(10)));
        assert!(!ticks.take_end(Time::from_nanos(10)));
        assert!(ticks.take_end(Time::from_nanos(15)));
    }
}
