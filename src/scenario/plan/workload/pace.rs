//! Scenario layer: when the things of a workload's stream appear: one, several at once, a constant
//! or a Poisson stream, bursts.

use crate::base::distribution::{Distribution, LONGEST_WRITTEN};
use crate::base::rng::Rng;
use crate::base::time::{Span, Time};
use crate::scenario::error::ScenarioError;

/// Most things of a kind in a run: they are numbered with 32 bits.
pub(super) const MOST: u64 = 4_000_000_000;

/// When the things of a stream appear, resolved.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    /// The first moment.
    first: Time,
    /// The last moment at which one may appear.
    last: Time,
    /// How many are still to come.
    left: u64,
    gap: Gap,
    /// How many come at once.
    burst: u32,
    /// How many of the present burst have come.
    come: u32,
}

/// Time from one of them to the next.
#[derive(Clone, Debug)]
enum Gap {
    Constant(Span),
    Exponential(Distribution),
}

impl Pace {
    /// How many appear at most; of a Poisson stream: are expected.
    pub(super) fn at_most(&self) -> u64 {
        if self.first > self.last {
            return 0;
        }
        self.within(self.last.since(self.first))
    }

    /// Whether gaps are drawn, so that by chance nothing at all may appear.
    pub(super) const fn is_random(&self) -> bool {
        matches!(self.gap, Gap::Exponential(_))
    }

    /// How many appear within this time at most; of a Poisson stream: are expected.
    pub(super) fn within(&self, time: Span) -> u64 {
        let gap = match &self.gap {
            Gap::Constant(gap) => *gap,
            Gap::Exponential(gap) => gap.mean().max(Span::from_nanos(1)),
        };
        let fit = time.as_nanos().checked_div(gap.as_nanos());
        fit.map_or(self.left, |fit| {
            self.left.min(fit.saturating_add(1).saturating_mul(self.burst.into()))
        })
    }

    /// How many are still to come, if there is time.
    pub(super) const fn left(&self) -> u64 {
        self.left
    }

    /// When the first one appears. A Poisson stream begins with a gap; others with one of them.
    pub(super) fn start(&self, rng: &mut Rng) -> Option<Time> {
        let first = match &self.gap {
            Gap::Constant(_) => self.first,
            Gap::Exponential(gap) => self.first.saturating_add(gap.draw(rng.bits())),
        };
        (self.left > 0 && first <= self.last).then_some(first)
    }

    /// One has appeared at `at`: when the next one does.
    pub(super) fn after(&mut self, at: Time, rng: &mut Rng) -> Option<Time> {
        self.left -= 1;
        self.come += 1;
        let next = if self.come < self.burst {
            at
        } else {
            self.come = 0;
            match &self.gap {
                Gap::Constant(gap) => at.saturating_add(*gap),
                Gap::Exponential(gap) => at.saturating_add(gap.draw(rng.bits())),
            }
        };
        (self.left > 0 && next <= self.last).then_some(next)
    }
}

/// The keys of a stream that say when its things appear, as written.
pub(super) struct Timing {
    /// The stream's place, such as "rumors[0]".
    pub(super) stream: String,
    /// What appears, in the singular.
    pub(super) noun: &'static str,
    pub(super) at: Span,
    pub(super) until: Option<Span>,
    pub(super) count: Option<u32>,
    pub(super) every: Option<Span>,
    pub(super) per_second: Option<f64>,
    pub(super) burst: u32,
}

impl Timing {
    pub(super) fn error<T>(
        &self,
        key: &str,
        message: impl Into<String>,
    ) -> Result<T, ScenarioError> {
        Err(ScenarioError::new(format!("{}.{key}", self.stream), message))
    }

    /// The stream of a run that lasts until `end`.
    pub(super) fn resolve(&self, end: Time) -> Result<Pace, ScenarioError> {
        let first = Time::ZERO + self.at;
        let last = self.until.map_or(end, |until| (Time::ZERO + until).min(end));
        if let Some(until) = self.until
            && until < self.at
        {
            return self.error("until", format!("{until} is before at = \"{}\"", self.at));
        }
        if self.count == Some(0) {
            let message = format!("0 {}s never appear; expected at least 1", self.noun);
            return self.error("count", message);
        }
        let gap = self.gap()?;
        if self.burst == 0 {
            return self.error("burst", "0 is too few; expected at least 1");
        }
        if self.burst > 1 && self.per_second.is_some() {
            return self.error("burst", "bursts come with every, not with per_second");
        }
        let left = match (self.count, &gap) {
            (Some(count), _) => count.into(),
            (None, Gap::Exponential(_)) => u64::MAX,
            (None, Gap::Constant(_)) if self.every.is_some() => u64::MAX,
            (None, Gap::Constant(_)) => self.burst.into(),
        };
        Ok(Pace { first, last, left, gap, burst: self.burst, come: 0 })
    }

    /// The key that says how many of them there are.
    pub(super) const fn frequency(&self) -> &'static str {
        match (self.count, self.every) {
            (Some(_), _) => "count",
            (None, Some(_)) => "every",
            (None, None) => "per_second",
        }
    }

    /// Adds what a stream brings to a sum, which has a limit.
    pub(super) fn add(&self, sum: &mut u64, pace: &Pace) -> Result<(), ScenarioError> {
        *sum = sum.saturating_add(pace.at_most());
        if *sum > MOST {
            let message = format!("{sum} {}s up to this stream pass {MOST}, the limit", self.noun);
            return self.error(self.frequency(), message);
        }
        Ok(())
    }

    fn gap(&self) -> Result<Gap, ScenarioError> {
        match (self.every, self.per_second) {
            (Some(_), Some(_)) => {
                self.error("per_second", "a stream has either every or per_second, not both")
            }
            (Some(every), None) if every.is_zero() && self.count.is_none() => {
                self.error("every", "0s without a count would inject without end")
            }
            (every, None) => Ok(Gap::Constant(every.unwrap_or(Span::ZERO))),
            (None, Some(rate)) => {
                let mean = Span::from_nanos(libm::round(1e9 / rate) as u64);
                if !(rate > 0.0 && rate <= 1e9) || mean > LONGEST_WRITTEN {
                    let message = format!(
                        "{rate} is no rate; expected one {} an hour (0.00028) to 1e9 a second",
                        self.noun
                    );
                    return self.error("per_second", message);
                }
                Distribution::exponential(mean)
                    .map(Gap::Exponential)
                    .or_else(|why| self.error("per_second", why.message))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::{Purpose, Seed};

    fn timing() -> Timing {
        let stream = "transactions[0]".into();
        Timing {
            stream,
            noun: "transaction",
            at: Span::from_secs(1),
            until: None,
            count: None,
            every: None,
            per_second: None,
            burst: 1,
        }
    }

    fn moments(timing: &Timing) -> Vec<u64> {
        let mut rng = Rng::of_cluster(Seed(1), Purpose::Transactions);
        let mut pace = timing.resolve(Time::ZERO + Span::from_secs(10)).expect("a stream");
        let expected = pace.at_most();
        let mut all = Vec::new();
        let mut due = pace.start(&mut rng);
        while let Some(at) = due {
            all.push(at.as_nanos() / 1_000_000_000);
            due = pace.after(at, &mut rng);
        }
        assert!(timing.per_second.is_some() || all.len() as u64 == expected, "{all:?}");
        all
    }

    #[test]
    fn bursts_come_at_once_and_as_long_as_there_is_time_or_a_count() {
        assert_eq!(moments(&timing()), [1]);
        assert_eq!(moments(&Timing { burst: 3, ..timing() }), [1, 1, 1]);
        let every = Some(Span::from_secs(4));
        assert_eq!(moments(&Timing { burst: 2, every, ..timing() }), [1, 1, 5, 5, 9, 9]);
        assert_eq!(moments(&Timing { burst: 2, every, count: Some(3), ..timing() }), [1, 1, 5]);
        let until = Some(Span::from_secs(5));
        assert_eq!(moments(&Timing { every, until, ..timing() }), [1, 5]);
        let poisson = moments(&Timing { per_second: Some(100.0), ..timing() });
        // 900 expected, deviation 30; six of them are 180.
        assert!(poisson.len().abs_diff(900) < 180, "{}", poisson.len());
    }
}
