//! Scenario layer: `[sweep]` as written: which scenarios and seeds an experiment is made of.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// An experiment (`[sweep]`): the scenario once for each combination of values and each seed. Only
/// `headwater sweep` reads it; the same seed means the same weather at every point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SweepConfig {
    /// The seeds of every point, such as "1..=20", "1..21" or "1,2,5..=9"; without them the seed of
    /// the scenario.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seeds: Option<Seeds>,
    /// The keys that change from point to point. The first one changes slowest.
    pub axis: Vec<AxisConfig>,
    /// Adds seeds to a point until the 95 % interval of the mean of a key figure reaches no further
    /// than this share of the mean to either side, such as "rumors.latency.p50_ns=2%".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until_precise: Option<String>,
    /// How many seeds a point gets at most while it is not precise enough: at least 5, and no fewer
    /// than it has anyway.
    #[schemars(range(min = 2, max = 1_000_000))]
    pub most_seeds: u32,
    /// Key figures that are printed for each point when the sweep is done, by their places in
    /// `summary.json`, such as "rumors.latency.p50_ns".
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub show: Vec<String>,
}

impl Default for SweepConfig {
    fn default() -> Self {
        Self {
            seeds: None,
            axis: Vec::new(),
            until_precise: None,
            most_seeds: 200,
            show: Vec::new(),
        }
    }
}

/// A key and its values (`[[sweep.axis]]`): a list, or a range by steps or factors.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AxisConfig {
    /// The key of the scenario, written as for `--set`, such as "turbine.fanout" or
    /// "rumors[0].fanout".
    pub key: String,
    /// The values one by one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Vec<serde_json::Value>>")]
    pub values: Option<Vec<toml::Value>>,
    /// The first value of a range: a number, or a text such as "10ms".
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    pub from: Option<toml::Value>,
    /// The last value of a range; the range ends with the last step that does not pass it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    pub to: Option<toml::Value>,
    /// From one value of the range to the next, in the same unit; without it 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    pub step: Option<toml::Value>,
    /// Each value of the range is the one before times this, in place of `step`: above 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub factor: Option<f64>,
    /// Axes of the same name here go together: the first value of one with the first of the others,
    /// and so on, in place of all combinations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zip: Option<String>,
}

/// Most seeds of a point.
const MOST_SEEDS: u64 = 1_000_000;

/// Seeds in their order, each once.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Seeds(Vec<u64>);

impl Seeds {
    /// One seed.
    #[must_use]
    pub fn one(seed: u64) -> Self {
        Self(vec![seed])
    }

    /// The seeds in their order.
    #[must_use]
    pub fn all(&self) -> &[u64] {
        &self.0
    }

    fn range(text: &str) -> Result<std::ops::RangeInclusive<u64>, String> {
        let refuse = || {
            let examples = "\"1..=20\", \"1..21\" or \"1,2,5..=9\"";
            format!("{text:?} is no seed and no range of seeds; expected such as {examples}")
        };
        let number = |text: &str| {
            let number = text.trim().parse::<u64>().ok();
            number.filter(|number| i64::try_from(*number).is_ok()).ok_or_else(refuse)
        };
        let (first, last) = match (text.split_once("..="), text.split_once("..")) {
            (Some((first, last)), _) => (number(first)?, number(last)?),
            (None, Some((first, end))) => {
                (number(first)?, number(end)?.checked_sub(1).ok_or_else(refuse)?)
            }
            (None, None) => (number(text)?, number(text)?),
        };
        if first > last {
            return Err(format!("the range of seeds {text:?} is empty"));
        }
        Ok(first..=last)
    }
}

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut seeds: Vec<u64> = Vec::new();
        for part in text.split(',') {
            let range = Self::range(part.trim())?;
            let more = (range.end() - range.start()).saturating_add(1);
            if more.saturating_add(seeds.len() as u64) > MOST_SEEDS {
                return Err(format!("{text:?} are more than {MOST_SEEDS} seeds"));
            }
            seeds.extend(range);
        }
        let mut sorted = seeds.clone();
        sorted.sort_unstable();
        match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(format!("{text:?} names seed {} twice", pair[0])),
            None => Ok(Self(seeds)),
        }
    }
}

impl fmt::Display for Seeds {
    /// In the shortest form that reads back as the same.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut start = 0;
        while start < self.0.len() {
            let mut end = start + 1;
            while end < self.0.len() && self.0[end] == self.0[end - 1] + 1 {
                end += 1;
            }
            let comma = if start > 0 { "," } else { "" };
            match end - start {
                1 => write!(f, "{comma}{}", self.0[start])?,
                _ => write!(f, "{comma}{}..={}", self.0[start], self.0[end - 1])?,
            }
            start = end;
        }
        Ok(())
    }
}

impl TryFrom<String> for Seeds {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Seeds> for String {
    fn from(seeds: Seeds) -> Self {
        seeds.to_string()
    }
}

impl JsonSchema for Seeds {
    fn schema_name() -> Cow<'static, str> {
        "Seeds".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "seeds" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seeds(text: &str) -> Vec<u64> {
        text.parse::<Seeds>().expect("seeds").0
    }

    #[test]
    fn seeds_are_ranges_and_numbers_in_their_order() {
        assert_eq!(seeds("1..=4"), [1, 2, 3, 4]);
        assert_eq!(seeds("1..4"), [1, 2, 3]);
        assert_eq!(seeds(" 9, 2 , 5..=6"), [9, 2, 5, 6]);
        for (text, short) in [("1,2,3", "1..=3"), ("7", "7"), ("9,1..3", "9,1..=2")] {
            let read: Seeds = text.parse().expect("seeds");
            assert_eq!(read.to_string(), short);
            assert_eq!(short.parse(), Ok(read));
        }
    }

    #[test]
    fn seeds_that_are_none_empty_or_twice_are_refused() {
        for (text, why) in [
            ("", "\"\" is no seed"),
            ("1..=", "\"1..=\" is no seed"),
            ("-1", "\"-1\" is no seed"),
            ("9223372036854775808", "is no seed"),
            ("5..5", "the range of seeds \"5..5\" is empty"),
            ("0..0", "is no seed"),
            ("5..=4", "is empty"),
            ("1..=9,4", "names seed 4 twice"),
            ("0..=18446744073709551615", "is no seed"),
            ("0..=9223372036854775807", "more than 1000000 seeds"),
        ] {
            let error = text.parse::<Seeds>().expect_err(text);
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
