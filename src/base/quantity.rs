//! Base layer: quantities as people write them ("80ms", "1Gbit/s", "2%") and as the simulator needs
//! them (integers). Parsing is exact decimal arithmetic; printing gives a text that parses back to
//! the same value.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserializer, Error as _, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use super::time::Span;

/// A size in bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Bytes(pub u64);

/// A transmission rate in bits per second; never zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Rate(u64);

/// A probability in parts per billion, from 0 to 1,000,000,000.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Chance(u32);

/// Why a text is not the quantity that was expected there: one sentence without the key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct QuantityError(pub String);

impl Bytes {
    /// The size as an integer.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl Rate {
    /// A rate of `bits_per_second`, or `None` for zero.
    #[must_use]
    pub const fn new(bits_per_second: u64) -> Option<Self> {
        if bits_per_second == 0 { None } else { Some(Self(bits_per_second)) }
    }

    /// Bits per second.
    #[must_use]
    pub const fn bits_per_second(self) -> u64 {
        self.0
    }

    /// How long `bytes` occupy a link of this rate: `8 * bytes / rate` rounded **up** to a whole
    /// nanosecond, for every message by itself. So no link is ever more than 100 % busy.
    #[inline]
    #[must_use]
    pub fn serialisation(self, bytes: u32) -> Span {
        // 2^32 bytes are 3.4e10 bits, times 1e9 still fits 2^65: hence the wide branch.
        let bits = u64::from(bytes) * 8;
        Span::from_nanos(match bits.checked_mul(1_000_000_000) {
            Some(scaled) => scaled.div_ceil(self.0),
            None => {
                let wide = (u128::from(bits) * 1_000_000_000).div_ceil(u128::from(self.0));
                u64::try_from(wide).unwrap_or(u64::MAX)
            }
        })
    }
}

impl Chance {
    /// Never.
    pub const NEVER: Self = Self(0);
    /// Always.
    pub const ALWAYS: Self = Self(Self::ONE);
    const ONE: u32 = 1_000_000_000;

    /// A probability of `parts` per billion, or `None` above one.
    #[must_use]
    pub const fn from_ppb(parts: u32) -> Option<Self> {
        if parts <= Self::ONE { Some(Self(parts)) } else { None }
    }

    /// Parts per billion.
    #[must_use]
    pub const fn ppb(self) -> u32 {
        self.0
    }

    /// Whether it can never happen.
    #[must_use]
    pub const fn is_never(self) -> bool {
        self.0 == 0
    }

    /// Whether a uniform 64-bit draw falls below this probability. What happens at 5 % also
    /// happens at 10 % with the same draw.
    #[inline]
    #[must_use]
    pub const fn hit(self, draw: u64) -> bool {
        // Multiply instead of dividing: draw / 2^64 < ppb / 10^9.
        (draw as u128 * Self::ONE as u128) >> 64 < self.0 as u128
    }
}

const SPAN_UNITS: &[(&str, u64)] = &[
    ("h", 3_600_000_000_000),
    ("min", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

const BYTE_UNITS: &[(&str, u64)] = &[
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1_000),
    ("B", 1),
];

const RATE_UNITS: &[(&str, u64)] = &[
    ("Gbit/s", 1_000_000_000),
    ("Mbit/s", 1_000_000),
    ("kbit/s", 1_000),
    ("bit/s", 1),
    ("GB/s", 8_000_000_000),
    ("MB/s", 8_000_000),
    ("kB/s", 8_000),
    ("B/s", 8),
];

/// Reads `number unit` exactly: the value in the smallest unit.
fn parse_units(text: &str, units: &[(&str, u64)], what: &str) -> Result<u64, QuantityError> {
    let text = text.trim().replace('µ', "u");
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_');
    let (number, unit) = text.split_at(digits.unwrap_or(text.len()));
    let unit = unit.trim();
    let names = || units.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    if text.starts_with('-') {
        return Err(QuantityError(format!("\"{text}\" is negative; {what} is 0 or more")));
    }
    if number.is_empty() && !text.is_empty() {
        let way_out = format!("{what} is a number and one of {}", names());
        return Err(QuantityError(format!("\"{text}\" does not start with a number; {way_out}")));
    }
    let Some(&(_, factor)) = units.iter().find(|(name, _)| *name == unit) else {
        let found =
            if unit.is_empty() { "has no unit".into() } else { format!("has the unit \"{unit}\"") };
        return Err(QuantityError(format!(
            "\"{text}\" {found}; {what} ends in one of {}",
            names()
        )));
    };
    let smallest = units.iter().min_by_key(|(_, factor)| *factor).map_or("", |(name, _)| name);
    scale_decimal(number, factor).map_err(|why| {
        let limit = if why == TOO_LARGE {
            format!("; the limit is 2^64 - 1 {smallest}")
        } else {
            String::new()
        };
        QuantityError(format!("\"{text}\" {why}{limit}"))
    })
}

/// What is said of a number beyond 64 bits.
const TOO_LARGE: &str = "is too large";

/// `number * factor` for a decimal text, exact or refused.
fn scale_decimal(number: &str, factor: u64) -> Result<u64, &'static str> {
    let number = number.replace('_', "");
    let (whole, decimals) = number.split_once('.').unwrap_or((&number, ""));
    let decimals = decimals.trim_end_matches('0');
    if whole.is_empty() || decimals.contains('.') {
        return Err("does not start with a number such as 80 or 1.5");
    }
    let whole: u128 = whole.parse().map_err(|_| TOO_LARGE)?;
    if decimals.len() > 18 {
        return Err("has more decimals than can be represented");
    }
    let power = 10_u128.pow(decimals.len() as u32);
    let part: u128 =
        if decimals.is_empty() { 0 } else { decimals.parse().map_err(|_| TOO_LARGE)? };
    let numerator = part * u128::from(factor);
    if !numerator.is_multiple_of(power) {
        return Err("is finer than the smallest unit");
    }
    let total = whole.checked_mul(u128::from(factor)).ok_or(TOO_LARGE)?;
    u64::try_from(total.saturating_add(numerator / power)).map_err(|_| TOO_LARGE)
}

/// The value in the largest unit of which it is a whole multiple.
fn print_units(value: u64, units: &[(&str, u64)], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let fits = |factor: u64| value.is_multiple_of(factor) && value >= factor;
    let (name, factor) = units
        .iter()
        .filter(|(_, factor)| fits(*factor))
        .max_by_key(|(_, factor)| *factor)
        .or(units.iter().min_by_key(|(_, factor)| *factor))
        .expect("every unit table has an entry");
    f.pad(&format!("{}{name}", value / factor))
}

impl FromStr for Span {
    type Err = QuantityError;
    fn from_str(text: &str) -> Result<Self, QuantityError> {
        parse_units(text, SPAN_UNITS, "a length of time").map(Self::from_nanos)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_zero() {
            return f.pad("0s");
        }
        print_units(self.as_nanos(), SPAN_UNITS, f)
    }
}

impl FromStr for Bytes {
    type Err = QuantityError;
    fn from_str(text: &str) -> Result<Self, QuantityError> {
        parse_units(text, BYTE_UNITS, "a size").map(Self)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print_units(self.0, BYTE_UNITS, f)
    }
}

impl FromStr for Rate {
    type Err = QuantityError;
    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let bits = parse_units(text, RATE_UNITS, "a rate")?;
        Self::new(bits)
            .ok_or_else(|| QuantityError("a rate of zero would never send anything".into()))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print_units(self.0, &RATE_UNITS[..4], f)
    }
}

impl FromStr for Chance {
    type Err = QuantityError;
    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let units = [("%", 10_000_000), ("ppm", 1_000), ("ppb", 1)];
        let parts = parse_units(text, &units, "a probability")?;
        let parts = u32::try_from(parts).ok().and_then(Self::from_ppb);
        parts.ok_or_else(|| QuantityError(format!("\"{text}\" is a probability above one (100%)")))
    }
}

impl fmt::Display for Chance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 10_000_000, self.0 % 10_000_000);
        if rest == 0 {
            return f.pad(&format!("{whole}%"));
        }
        let decimals = format!("{rest:07}");
        f.pad(&format!("{whole}.{}%", decimals.trim_end_matches('0')))
    }
}

/// A probability may also be a plain number from 0 to 1.
impl TryFrom<f64> for Chance {
    type Error = QuantityError;
    fn try_from(number: f64) -> Result<Self, QuantityError> {
        if !(0.0..=1.0).contains(&number) {
            let side = if number > 1.0 { "above one" } else { "not between zero and one" };
            return Err(QuantityError(format!("{number} is a probability {side}")));
        }
        Ok(Self(libm::round(number * f64::from(Self::ONE)) as u32))
    }
}

/// Reads a quantity from a TOML or JSON text value.
struct TextVisitor<T>(&'static str, std::marker::PhantomData<T>);

impl<T: FromStr<Err = QuantityError>> Visitor<'_> for TextVisitor<T> {
    type Value = T;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

macro_rules! text_quantity {
    ($type:ty, $format:literal, $expected:literal) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(TextVisitor($expected, std::marker::PhantomData))
            }
        }
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $format.into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string", "format": $format})
            }
        }
    };
}

text_quantity!(Span, "time", "a length of time such as \"80ms\"");
text_quantity!(Bytes, "size", "a size such as \"1200B\"");
text_quantity!(Rate, "rate", "a rate such as \"1Gbit/s\"");

impl Serialize for Chance {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Chance {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Text(String),
            Number(f64),
        }
        match Written::deserialize(deserializer)? {
            Written::Text(text) => text.parse().map_err(D::Error::custom),
            Written::Number(number) => Self::try_from(number).map_err(D::Error::custom),
        }
    }
}

impl JsonSchema for Chance {
    fn schema_name() -> Cow<'static, str> {
        "probability".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "number"],
            "format": "probability",
            "minimum": 0,
            "maximum": 1
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_parse_exactly() {
        assert_eq!("1.5s".parse(), Ok(Span::from_millis(1_500)));
        assert_eq!("250µs".parse(), Ok(Span::from_micros(250)));
        assert_eq!("1KiB".parse(), Ok(Bytes(1_024)));
        assert_eq!("1Gbit/s".parse(), Ok(Rate(1_000_000_000)));
        assert_eq!("0.5%".parse(), Ok(Chance(5_000_000)));
    }

    #[test]
    fn what_is_printed_parses_back() {
        for nanos in [0, 1, 999, 1_000, 1_500_000, 3_600_000_000_000, 86_400_000_000_001] {
            let span = Span::from_nanos(nanos);
            assert_eq!(span.to_string().parse(), Ok(span), "{span}");
        }
        for bytes in [0, 1, 1_000, 1_024, 1_500, 5 << 30] {
            assert_eq!(Bytes(bytes).to_string().parse(), Ok(Bytes(bytes)));
        }
        for parts in [0, 1, 5_000_000, 123_456_789, 1_000_000_000] {
            assert_eq!(Chance(parts).to_string().parse(), Ok(Chance(parts)));
        }
        for rate in [1, 8_000, 1_544_000, 1_000_000_000] {
            assert_eq!(Rate(rate).to_string().parse(), Ok(Rate(rate)));
        }
    }

    #[test]
    fn nonsense_is_refused_with_a_reason() {
        for (text, reason) in [
            ("80", "has no unit"),
            ("80 parsecs", "has the unit \"parsecs\""),
            ("ms", "does not start with a number"),
            ("", "has no unit"),
            ("-5s", "is negative"),
            // 2^128 - 1 seconds and decimals: the sum in nanoseconds passes 128 bits.
            ("340282366920938463463374607431.9s", "too large"),
            ("0.1ns", "finer than the smallest unit"),
            ("99999999999999999999h", "too large"),
            ("1.2.3s", "does not start with a number"),
        ] {
            let error = text.parse::<Span>().expect_err(text).to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
        assert!("101%".parse::<Chance>().is_err());
        assert!("0bit/s".parse::<Rate>().is_err());
        assert!(Chance::try_from(1.5).is_err() && Chance::try_from(f64::NAN).is_err());
    }

    #[test]
    fn serialisation_rounds_up_to_a_whole_nanosecond() {
        // 1228 B at 1 Gbit/s: 9,824 bits at 1 bit/ns exactly.
        assert_eq!(Rate(1_000_000_000).serialisation(1_228).as_nanos(), 9_824);
        // 1 B at 3 Gbit/s: 8/3 ns = 2.67 ns, up to 3.
        assert_eq!(Rate(3_000_000_000).serialisation(1).as_nanos(), 3);
        // 2^32 - 1 B at 8 bit/s last that many seconds; bits * 10^9 pass 64 bits on the way.
        assert_eq!(Rate(8).serialisation(u32::MAX), Span::from_secs(u64::from(u32::MAX)));
    }

    #[test]
    fn a_smaller_chance_is_a_subset_of_a_larger_one() {
        let (five, ten) = (Chance(50_000_000), Chance(100_000_000));
        for draw in (0..1_000_u64).map(|i| i.wrapping_mul(0x9E37_79B9_7F4A_7C15)) {
            assert!(!five.hit(draw) || ten.hit(draw));
        }
        assert!(Chance::ALWAYS.hit(u64::MAX) && !Chance::NEVER.hit(0));
    }
}
