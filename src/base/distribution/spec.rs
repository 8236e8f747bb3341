//! Base layer: how a distribution is written in a scenario.

use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::base::time::Span;

/// A distribution of lengths of time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(inline)]
pub enum DistributionSpec {
    /// Always the same length.
    Constant {
        /// The length.
        value: Span,
    },
    /// Every length from `min` to `max` equally often.
    Uniform {
        /// The shortest length.
        min: Span,
        /// The longest length, not below `min`.
        max: Span,
    },
    /// The normal distribution, with zero in place of every negative length.
    Normal {
        /// The mean, before negative lengths become zero.
        mean: Span,
        /// The standard deviation.
        deviation: Span,
    },
    /// The log-normal distribution: right-skewed, as measured latencies are. Its mean is
    /// `median * exp(sigma^2 / 2)`.
    LogNormal {
        /// Half of the draws are below this length.
        median: Span,
        /// Standard deviation of the natural logarithm: above 0, at most 10. About 0.1 is narrow,
        /// 1 is wide.
        #[schemars(range(min = 0.0, max = 10.0))]
        sigma: f64,
    },
    /// The exponential distribution.
    Exponential {
        /// The mean.
        mean: Span,
    },
    /// The Pareto distribution: heavy-tailed. A draw is above `x` with probability
    /// `(min / x)^exponent`, and the mean is `min * exponent / (exponent - 1)`; at an exponent of 1
    /// or less there is no mean, and only the limit of a day keeps draws finite.
    Pareto {
        /// The shortest length.
        min: Span,
        /// How fast the tail falls: above 0.
        #[schemars(range(min = 0.0))]
        exponent: f64,
    },
    /// Measured samples: every draw is one of them, each equally often.
    Measured {
        /// A CSV file with one column of samples, relative to the scenario file. Either every
        /// sample carries its unit ("12.5ms"), or a header names it: `latency_ns`, `latency_us`,
        /// `latency_ms`, `latency_s`. Lines that begin with `#` are left out.
        file: PathBuf,
    },
}

/// A distribution of lengths of time; a length such as "50ms" in place of the table is always the
/// same. No length written here may exceed one hour, and no draw is longer than a day.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum DistributionOrSpan {
    /// Always the same length.
    Constant(Span),
    /// A distribution. Draws are resolved down to one in a million million (2^-40) in both tails.
    Spec(DistributionSpec),
}

impl From<Span> for DistributionOrSpan {
    fn from(value: Span) -> Self {
        Self::Constant(value)
    }
}

impl From<DistributionSpec> for DistributionOrSpan {
    fn from(spec: DistributionSpec) -> Self {
        Self::Spec(spec)
    }
}

/// By hand, because the derived one tries both forms and, when neither fits, does not say why.
impl<'de> Deserialize<'de> for DistributionOrSpan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EitherForm)
    }
}

struct EitherForm;

impl<'de> Visitor<'de> for EitherForm {
    type Value = DistributionOrSpan;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a length of time such as \"80ms\" or a distribution such as \
             { kind = \"exponential\", mean = \"80ms\" }",
        )
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
        text.parse().map(DistributionOrSpan::Constant).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        DistributionSpec::deserialize(MapAccessDeserializer::new(map))
            .map(DistributionOrSpan::Spec)
            .map_err(A::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Table {
        latency: DistributionOrSpan,
    }

    fn read(value: &str) -> Result<DistributionOrSpan, String> {
        let table: Result<Table, _> = toml::from_str(&format!("latency = {value}"));
        table.map(|table| table.latency).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn both_forms_are_read_and_written_back() {
        let median = Span::from_millis(80);
        let log_normal = DistributionSpec::LogNormal { median, sigma: 0.5 };
        let file = PathBuf::from("pings.csv");
        for (text, expected) in [
            ("\"50ms\"", Span::from_millis(50).into()),
            ("{ kind = \"log-normal\", median = \"80ms\", sigma = 0.5 }", log_normal.into()),
            (
                "{ kind = \"measured\", file = \"pings.csv\" }",
                DistributionSpec::Measured { file }.into(),
            ),
        ] {
            let value: DistributionOrSpan = read(text).expect(text);
            assert_eq!(value, expected);
            let written = toml::to_string(&Table { latency: expected }).expect("a table");
            assert_eq!(toml::from_str::<Table>(&written).expect(&written).latency, value);
        }
    }

    #[test]
    fn what_fits_neither_form_is_refused_with_the_reason() {
        for (text, reason) in [
            ("80", "expected a length of time such as \"80ms\" or a distribution"),
            ("\"80\"", "has no unit"),
            ("{ kind = \"gauss\", mean = \"1ms\" }", "unknown variant `gauss`"),
            ("{ kind = \"exponential\", median = \"1ms\" }", "unknown field `median`"),
            ("{ kind = \"exponential\" }", "missing field `mean`"),
            ("{ kind = \"exponential\", mean = \"1 mile\" }", "has the unit \"mile\""),
        ] {
            let error = read(text).expect_err(text);
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn the_schema_offers_a_time_or_one_of_the_kinds() {
        let schema = schemars::schema_for!(DistributionOrSpan);
        let forms = schema.get("anyOf").and_then(|forms| forms.as_array()).expect("two forms");
        assert_eq!(forms.len(), 2);
        assert_eq!(forms[0]["format"], "time");
        let kinds = forms[1]["oneOf"].as_array().expect("one object per kind");
        let names: Vec<&str> =
            kinds.iter().filter_map(|kind| kind["properties"]["kind"]["const"].as_str()).collect();
        assert_eq!(
            names,
            ["constant", "uniform", "normal", "log-normal", "exponential", "pareto", "measured"]
        );
        assert!(schema.get("$defs").is_none());
    }
}
