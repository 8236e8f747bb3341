//! Base layer: moments and lengths of virtual time, in whole nanoseconds.
//!
//! A [`Time`] is a moment since the start of the run, a [`Span`] is a length. The two are different
//! types, so that adding two moments does not compile. Overflow panics in every profile (the
//! manifest switches overflow checks on), because a wrapped clock would be a silent wrong answer.
//! Where a scenario may ask for more than 584 years, such as a huge message on a link of one bit
//! per second, the saturating additions say "never": no run lasts until [`Time::MAX`].

use std::fmt;
use std::ops::{Add, AddAssign, Div, Mul, Sub};

/// A moment of virtual time: nanoseconds since the start of the run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(u64);

/// A length of virtual time in nanoseconds; `0` to about 584 years.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(u64);

impl Time {
    /// The start of the run.
    pub const ZERO: Self = Self(0);
    /// Later than every moment of every run.
    pub const MAX: Self = Self(u64::MAX);

    /// The moment `nanoseconds` after the start.
    #[must_use]
    pub const fn from_nanos(nanoseconds: u64) -> Self {
        Self(nanoseconds)
    }

    /// Nanoseconds since the start.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The length from `earlier` to this moment, or zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }

    /// The nanosecond before this one; `None` at the start of the run.
    #[must_use]
    pub const fn before(self) -> Option<Self> {
        match self.0.checked_sub(1) {
            Some(nanoseconds) => Some(Self(nanoseconds)),
            None => None,
        }
    }

    /// This moment plus `span`, or [`Time::MAX`] where that would overflow.
    #[must_use]
    pub const fn saturating_add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);
    /// The longest span.
    pub const MAX: Self = Self(u64::MAX);

    /// A span of `nanoseconds`.
    #[must_use]
    pub const fn from_nanos(nanoseconds: u64) -> Self {
        Self(nanoseconds)
    }

    /// A span of `microseconds`.
    #[must_use]
    pub const fn from_micros(microseconds: u64) -> Self {
        Self(microseconds * 1_000)
    }

    /// A span of `milliseconds`.
    #[must_use]
    pub const fn from_millis(milliseconds: u64) -> Self {
        Self(milliseconds * 1_000_000)
    }

    /// A span of `seconds`.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds * 1_000_000_000)
    }

    /// The length in nanoseconds.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whether the span is empty.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The span lengthened by `other`, or [`Span::MAX`] where that would overflow.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The span shortened by `other`, at least zero.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// `self * numerator / denominator`, rounded down, computed without overflow in between.
    #[must_use]
    pub fn scaled(self, numerator: u64, denominator: u64) -> Self {
        let product = u128::from(self.0) * u128::from(numerator) / u128::from(denominator);
        Self(u64::try_from(product).unwrap_or(u64::MAX))
    }
}

impl Add<Span> for Time {
    type Output = Self;
    fn add(self, span: Span) -> Self {
        Self(self.0 + span.0)
    }
}

impl AddAssign<Span> for Time {
    fn add_assign(&mut self, span: Span) {
        self.0 += span.0;
    }
}

impl Sub for Time {
    type Output = Span;
    fn sub(self, earlier: Self) -> Span {
        Span(self.0 - earlier.0)
    }
}

impl Add for Span {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl AddAssign for Span {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl Sub for Span {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Mul<u64> for Span {
    type Output = Self;
    fn mul(self, factor: u64) -> Self {
        Self(self.0 * factor)
    }
}

impl Div<u64> for Span {
    type Output = Self;
    fn div(self, divisor: u64) -> Self {
        Self(self.0 / divisor)
    }
}

/// Seconds with at most nanosecond decimals and no trailing zeros: `1.204s`.
fn seconds(nanoseconds: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (whole, rest) = (nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000);
    if rest == 0 {
        return f.pad(&format!("{whole}s"));
    }
    let decimals = format!("{rest:09}");
    f.pad(&format!("{whole}.{}s", decimals.trim_end_matches('0')))
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        seconds(self.0, f)
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        seconds(self.0, f)
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        seconds(self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_and_lengths_add_up() {
        let start = Time::ZERO + Span::from_millis(1_500);
        assert_eq!(start.as_nanos(), 1_500_000_000);
        assert_eq!(start + Span::from_secs(1) - start, Span::from_secs(1));
        assert_eq!(Time::ZERO.since(start), Span::ZERO);
        assert_eq!(Span::from_secs(3).scaled(2, 3), Span::from_secs(2));
    }

    #[test]
    fn a_moment_prints_as_seconds_without_trailing_zeros() {
        assert_eq!(Time::from_nanos(1_204_000_000).to_string(), "1.204s");
        assert_eq!(Time::from_nanos(7).to_string(), "0.000000007s");
        assert_eq!(Time::from_nanos(2_000_000_000).to_string(), "2s");
    }

    #[test]
    #[should_panic(expected = "overflow")]
    fn an_overflowing_clock_panics_instead_of_wrapping() {
        let _ = Time::MAX + Span::from_nanos(1);
    }
}
