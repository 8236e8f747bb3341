//! Expectation layer: numbers that are compared: exact fractions, read from what a scenario says in
//! the unit of a metric, and printed in it.

use std::cmp::Ordering;
use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::quantity::{Bytes, Rate};
use crate::base::time::Span;
use crate::metrics::table::Unit;

/// A value as a scenario writes it. The unit of the metric decides how it is read: `"80ms"`,
/// `"64kB"`, `"1Mbit/s"`, `"95%"` or 0.95, 3, true, or a text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Literal {
    /// A whole number.
    Integer(i64),
    /// A number.
    Number(f64),
    /// Yes or no.
    Flag(bool),
    /// A text, or a number with a unit.
    Text(String),
}

/// An exact number: a whole one over a positive one.
#[derive(Clone, Copy, Debug)]
pub struct Exact {
    above: i128,
    below: u64,
}

impl Exact {
    /// A whole number.
    #[must_use]
    pub const fn whole(number: i128) -> Self {
        Self { above: number, below: 1 }
    }

    /// A fraction; `None` if nothing is divided.
    #[must_use]
    pub const fn fraction(above: i128, below: u64) -> Option<Self> {
        if below == 0 { None } else { Some(Self { above, below }) }
    }

    /// The number in millionths.
    pub(super) fn parts(self) -> Self {
        Self { above: self.above.saturating_mul(1_000_000), ..self }
    }

    /// The product with a share in parts per million, in millionths; `None` beyond 128 bits.
    pub(super) fn times(self, share: Self) -> Option<Self> {
        let above = self.above.checked_mul(share.above)?;
        Self::fraction(above, self.below.checked_mul(share.below)?)
    }

    /// How far two numbers are apart; `None` beyond 128 bits.
    pub(super) fn distance(self, other: Self) -> Option<Self> {
        let (a, b) = (i128::from(self.below), i128::from(other.below));
        let gap = self.above.checked_mul(b)?.checked_sub(other.above.checked_mul(a)?)?;
        Self::fraction(gap.checked_abs()?, self.below.checked_mul(other.below)?)
    }

    /// The number with the other sign.
    pub(super) const fn negated(self) -> Self {
        Self { above: -self.above, ..self }
    }
}

impl PartialEq for Exact {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Exact {}

impl PartialOrd for Exact {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// By continued fractions: products of the parts could leave 128 bits.
impl Ord for Exact {
    fn cmp(&self, other: &Self) -> Ordering {
        let (mut a, mut b) = (self.above, i128::from(self.below));
        let (mut c, mut d) = (other.above, i128::from(other.below));
        let mut turned = false;
        loop {
            let order = a.div_euclid(b).cmp(&c.div_euclid(d));
            let (left, right) = (a.rem_euclid(b), c.rem_euclid(d));
            let order = order.then_with(|| match (left, right) {
                (0, 0) => Ordering::Equal,
                (0, _) => Ordering::Less,
                (_, 0) => Ordering::Greater,
                _ => Ordering::Equal,
            });
            if order.is_ne() || left == 0 {
                return if turned { order.reverse() } else { order };
            }
            // left / b against right / d is d / right against b / left.
            (a, b, c, d) = (b, left, d, right);
            turned = !turned;
        }
    }
}

/// A fraction of a metric by another; written as a share.
pub(super) const SHARE: Unit = Unit::PartsPerMillion;

impl Literal {
    /// The value in the unit of a metric.
    ///
    /// # Errors
    /// One sentence without the key: what was found and what was expected.
    pub(super) fn exact(&self, unit: Unit) -> Result<Exact, String> {
        let whole = |number: u64| Exact::whole(number.into());
        match (unit, self) {
            (Unit::Nanoseconds, Self::Text(text)) => {
                let span = text.parse::<Span>().map_err(|error| error.to_string())?;
                Ok(whole(span.as_nanos()))
            }
            (Unit::Bytes, Self::Text(text)) => {
                let bytes = text.parse::<Bytes>().map_err(|error| error.to_string())?;
                Ok(whole(bytes.get()))
            }
            (Unit::BitsPerSecond, Self::Text(text)) => {
                let rate = text.parse::<Rate>().map_err(|error| error.to_string())?;
                Ok(whole(rate.bits_per_second()))
            }
            (Unit::PartsPerMillion, Self::Text(text)) => share(text),
            (Unit::PartsPerMillion, Self::Integer(number)) => decimal(&number.to_string(), 6),
            (Unit::PartsPerMillion, Self::Number(number)) => decimal(&number.to_string(), 6),
            (Unit::Flag, Self::Flag(flag)) => Ok(whole((*flag).into())),
            (Unit::Flag, Self::Integer(number @ 0..=1)) => Ok(Exact::whole((*number).into())),
            (Unit::Count | Unit::Node | Unit::Slot | Unit::Stake, Self::Integer(number)) => {
                Ok(Exact::whole((*number).into()))
            }
            (Unit::Count | Unit::Node | Unit::Slot | Unit::Stake, Self::Number(number)) => {
                decimal(&number.to_string(), 0)
            }
            _ => Err(format!("found {}; expected {}", self.found(), wanted(unit))),
        }
    }

    /// The value as a cell of this unit stands in a file.
    ///
    /// # Errors
    /// As [`Literal::exact`]; also if the cell could not hold it.
    pub(super) fn cell(&self, unit: Unit) -> Result<String, String> {
        if let (Unit::Text, Self::Text(text)) = (unit, self) {
            return Ok(text.clone());
        }
        match self.exact(unit)? {
            Exact { above, below: 1 } => Ok(above.to_string()),
            _ => Err(format!("found {}; expected a whole number", self.found())),
        }
    }

    fn found(&self) -> String {
        match self {
            Self::Integer(number) => format!("the number {number}"),
            Self::Number(number) => format!("the number {number:?}"),
            Self::Flag(flag) => flag.to_string(),
            Self::Text(text) => format!("the text {text:?}"),
        }
    }
}

/// What is expected for a value of a unit.
fn wanted(unit: Unit) -> &'static str {
    match unit {
        Unit::Nanoseconds => "a length of time such as \"80ms\"",
        Unit::Bytes => "a size such as \"64kB\"",
        Unit::BitsPerSecond => "a rate such as \"1Mbit/s\"",
        Unit::PartsPerMillion => "a share such as \"95%\" or 0.95",
        Unit::Flag => "true or false",
        Unit::Text => "a text",
        Unit::Count | Unit::Node | Unit::Slot | Unit::Stake => "a number",
    }
}

/// Reads `95%` or `20ppm` as parts per million; unlike a probability it may be above one.
fn share(text: &str) -> Result<Exact, String> {
    let trimmed = text.trim();
    let units = [("%", 4), ("ppm", 0)];
    let found = units.iter().find_map(|(unit, power)| {
        trimmed.strip_suffix(unit).map(|number| decimal(number.trim(), *power))
    });
    match found {
        Some(Ok(exact)) => Ok(exact),
        _ => Err(format!("{text:?} is no share; expected one such as \"95%\" or \"20ppm\"")),
    }
}

/// Most decimals of a number.
const DECIMALS: usize = 12;

/// Reads a decimal number times a power of ten, exactly.
fn decimal(text: &str, power: u32) -> Result<Exact, String> {
    let refused = || format!("{text} is no number with at most {DECIMALS} decimals");
    let digits = text.replace('_', "");
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, digits.as_str()),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty()
        || whole.len() > 18
        || part.len() > DECIMALS
        || !plain(whole)
        || !plain(part)
    {
        return Err(refused());
    }
    let number: i128 = format!("{whole}{part}").parse().map_err(|_| refused())?;
    let above = sign * number * 10_i128.pow(power);
    let mut below = 10_u64.pow(part.len() as u32);
    let mut above = above;
    while below > 1 && above % 10 == 0 {
        (above, below) = (above / 10, below / 10);
    }
    Ok(Exact { above, below })
}

/// A number in the unit of its metric, as people read it.
#[must_use]
pub fn written(number: Exact, unit: Unit) -> String {
    match unit {
        Unit::Nanoseconds => {
            scaled(number, &[(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us"), (1, "ns")])
        }
        Unit::Bytes => {
            scaled(number, &[(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB"), (1, "B")])
        }
        Unit::BitsPerSecond => scaled(
            number,
            &[(1_000_000_000, "Gbit/s"), (1_000_000, "Mbit/s"), (1_000, "kbit/s"), (1, "bit/s")],
        ),
        Unit::PartsPerMillion => scaled(number, &[(10_000, "%")]),
        Unit::Flag if number == Exact::whole(1) => "true".into(),
        Unit::Flag if number == Exact::whole(0) => "false".into(),
        _ => scaled(number, &[(1, "")]),
    }
}

/// The number in the largest of these units that it reaches, with up to nine decimals, the rest cut
/// off.
fn scaled(number: Exact, units: &[(i128, &str)]) -> String {
    let size = number.above.unsigned_abs() / u128::from(number.below);
    let fits = units.iter().find(|(factor, _)| size >= factor.unsigned_abs());
    let (factor, name) = fits.or(units.last()).copied().unwrap_or((1, ""));
    let divisor = factor.unsigned_abs() * u128::from(number.below);
    let mut text = if number.above < 0 { "-".to_owned() } else { String::new() };
    let mut rest = number.above.unsigned_abs();
    let _ = write!(text, "{}", rest / divisor);
    rest %= divisor;
    if rest > 0 {
        text.push('.');
        for _ in 0..9 {
            rest *= 10;
            let _ = write!(text, "{}", rest / divisor);
            rest %= divisor;
            if rest == 0 {
                break;
            }
        }
    }
    text + name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_are_ordered_exactly_also_where_products_would_overflow() {
        let exact = |above: i128, below: u64| Exact::fraction(above, below).expect("a divisor");
        assert!(exact(1, 3) < exact(2, 5));
        assert!(exact(-1, 3) > exact(-2, 5));
        assert!(exact(7, 2) > exact(10, 3));
        assert_eq!(exact(2, 4).cmp(&exact(1, 2)), Ordering::Equal);
        assert_eq!(exact(-2, 4).cmp(&exact(-1, 2)), Ordering::Equal);
        let huge = i128::MAX - 1;
        assert!(exact(huge, u64::MAX) < exact(huge, u64::MAX - 1));
        // a/b < c/d for small numbers, by their products.
        for (a, b, c, d) in (0..6_i128.pow(4))
            .map(|n| (n % 6 - 3, (n / 6 % 6 + 1) as u64, n / 36 % 6 - 3, (n / 216 + 1) as u64))
        {
            let expected = (a * i128::from(d)).cmp(&(c * i128::from(b)));
            assert_eq!(exact(a, b).cmp(&exact(c, d)), expected, "{a}/{b} and {c}/{d}");
        }
        assert_eq!(Exact::fraction(1, 0), None);
    }

    #[test]
    fn a_literal_is_read_in_the_unit_of_its_metric() {
        let text = |text: &str| Literal::Text(text.into());
        let read = |literal: Literal, unit| literal.exact(unit).map(|exact| written(exact, unit));
        let cases = [
            (text("1500us"), Unit::Nanoseconds, "1.5ms"),
            (text("64kB"), Unit::Bytes, "64kB"),
            (text("100Mbit/s"), Unit::BitsPerSecond, "100Mbit/s"),
            (text("95%"), Unit::PartsPerMillion, "95%"),
            (text("0.1%"), Unit::PartsPerMillion, "0.1%"),
            (text("20ppm"), Unit::PartsPerMillion, "0.002%"),
            (text("150.5%"), Unit::PartsPerMillion, "150.5%"),
            (Literal::Number(0.95), Unit::PartsPerMillion, "95%"),
            (Literal::Integer(1), Unit::PartsPerMillion, "100%"),
            (Literal::Number(2.5), Unit::Count, "2.5"),
            (Literal::Integer(-3), Unit::Count, "-3"),
            (Literal::Flag(true), Unit::Flag, "true"),
        ];
        for (literal, unit, expected) in cases {
            assert_eq!(read(literal.clone(), unit).as_deref(), Ok(expected), "{literal:?}");
        }
        for (literal, unit, part) in [
            (Literal::Integer(80), Unit::Nanoseconds, "expected a length of time"),
            (text("80"), Unit::Nanoseconds, "has no unit"),
            (text("x%"), Unit::PartsPerMillion, "is no share"),
            (text("3"), Unit::Count, "expected a number"),
            (Literal::Integer(2), Unit::Flag, "expected true or false"),
            (Literal::Number(f64::NAN), Unit::Count, "is no number"),
            (Literal::Number(1e300), Unit::Count, "is no number"),
        ] {
            let refusal = read(literal, unit).expect_err("refused");
            assert!(refusal.contains(part), "{refusal}");
        }
    }

    #[test]
    fn numbers_are_printed_in_the_largest_unit_that_they_reach() {
        let third = Exact::fraction(1_000_000_000, 3).expect("a divisor");
        assert_eq!(written(third, Unit::Nanoseconds), "333.333333333ms");
        assert_eq!(written(Exact::whole(-1_500), Unit::Nanoseconds), "-1.5us");
        assert_eq!(written(Exact::whole(0), Unit::Bytes), "0B");
        assert_eq!(written(Exact::whole(999_999), Unit::PartsPerMillion), "99.9999%");
        assert_eq!(written(Exact::whole(12), Unit::Text), "12");
    }
}
