//! Experiment layer: the axes of a sweep, from the scenario or from the command line.

use super::range::{self, Pace};
use super::{ExperimentError, MOST_VALUES};
use crate::scenario::error::{Location, ScenarioError};
use crate::scenario::reader::Override;
use crate::scenario::schema::sweep::AxisConfig;

/// A key and the values that it takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// The dotted key.
    pub key: String,
    /// The values, each once.
    pub values: Vec<toml::Value>,
    /// Axes that go together have the same name here.
    pub zip: Option<String>,
    /// Where its key stands, if in a file.
    pub(super) location: Option<Location>,
}

/// Keys that cannot be an axis, and what says the same.
const TAKEN: &[(&str, &str)] = &[
    ("seed", "the seeds of a sweep stand in sweep.seeds or behind --seeds"),
    ("sweep", "a sweep does not change itself"),
    ("name", "how the scenario is called changes nothing"),
    ("description", "how the scenario is described changes nothing"),
];

impl Axis {
    /// What stands in `[[sweep.axis]]` number `place`.
    ///
    /// # Errors
    /// A sentence with the key of the scenario that is to blame.
    pub(super) fn of(config: &AxisConfig, place: usize) -> Result<Self, ScenarioError> {
        let at = |key: &str| format!("sweep.axis[{place}].{key}");
        let AxisConfig { key, values, from, to, step, factor, zip } = config;
        let refuse = |key: &str, why: &str| Err(ScenarioError::new(at(key), why));
        let values = match (values, from, to) {
            (Some(_), Some(_), _) | (Some(_), _, Some(_)) => {
                return refuse("values", "an axis is a list or a range, not both");
            }
            (Some(_), ..) if step.is_some() || factor.is_some() => {
                return refuse("values", "a list has no step and no factor");
            }
            (Some(values), ..) => values.clone(),
            (None, Some(_), Some(_)) if step.is_some() && factor.is_some() => {
                return refuse("factor", "a range goes by steps or by factors, not both");
            }
            (None, Some(from), Some(to)) => {
                let pace = factor.map_or(Pace::Step(step.as_ref()), Pace::Factor);
                let error = |why| ScenarioError::new(at("from"), why);
                range::values(from, to, &pace).map_err(error)?
            }
            _ => {
                let error = ScenarioError::new(at("values"), "the axis has no values");
                return Err(error.hint("it takes a list in values, or a range with from and to"));
            }
        };
        let axis = Self { key: key.clone(), values, zip: zip.clone(), location: None };
        axis.checked().map_err(|(part, why)| ScenarioError::new(at(part), why))
    }

    /// What stands behind `--axis`: `KEY=A,B,C`, `KEY=FROM..=TO`, `KEY=FROM..=TO:STEP` or
    /// `KEY=FROM..=TO*FACTOR`.
    ///
    /// # Errors
    /// A sentence that begins with the text.
    pub fn parse(text: &str) -> Result<Self, ExperimentError> {
        let refuse = |why: &str| ExperimentError::Usage(format!("--axis {text}: {why}"));
        // The key may hold a "=" in quotes: the reader of overrides knows where it ends.
        let (key, written) = Override::key_and_value(text).map_err(|_| {
            refuse(
                "expected KEY=VALUES, such as turbine.fanout=50,100,200 or rumors[0].fanout=1..=8",
            )
        })?;
        if let Some(range) = like_a_range(written) {
            return Err(refuse(&format!("a range holds its end; did you mean {key}={range}?")));
        }
        let values = match written.split_once("..=") {
            Some((from, rest)) if !written.contains([',', '[', '{', '"', '\'']) => {
                ranged(from, rest).map_err(|why| refuse(&why))?
            }
            _ => listed(written).iter().map(|value| Override::value_of(value)).collect(),
        };
        if values.len() == 1 && values[0].as_str() == Some("") {
            return Err(refuse("the axis has no values"));
        }
        Self { key, values, zip: None, location: None }.checked().map_err(|(_, why)| refuse(&why))
    }

    /// The axis, if its key and values are usable; otherwise what is to blame and why.
    fn checked(self) -> Result<Self, (&'static str, String)> {
        let top = self.key.split(['.', '[']).next().unwrap_or_default().trim();
        if let Some((_, instead)) = TAKEN.iter().find(|(key, _)| *key == top) {
            return Err(("key", format!("{:?} cannot be an axis: {instead}", self.key)));
        }
        if self.key.is_empty() {
            return Err(("key", "the axis has no key".to_owned()));
        }
        if self.values.is_empty() {
            return Err(("values", format!("the axis {} has no values", self.key)));
        }
        if self.values.len() > MOST_VALUES {
            let count = self.values.len();
            return Err(("values", format!("{count} values pass the limit of {MOST_VALUES}")));
        }
        let mut labels = self.labels();
        labels.sort_unstable();
        match labels.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(twice) => Err(("values", format!("{} stands twice in the axis", twice[0]))),
            None => Ok(self),
        }
    }

    /// The values as they stand in tables.
    #[must_use]
    pub fn labels(&self) -> Vec<String> {
        self.values.iter().map(label).collect()
    }
}

/// A value as it stands in tables: a text without quotes, everything else as TOML.
pub(super) fn label(value: &toml::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The values of `FROM..=TO`, `FROM..=TO:STEP` and `FROM..=TO*FACTOR`.
fn ranged(from: &str, rest: &str) -> Result<Vec<toml::Value>, String> {
    let value = |text: &str| Override::value_of(text.trim());
    let from = value(from);
    if let Some((to, factor)) = rest.split_once('*') {
        let number = factor.trim().parse();
        let factor = number.map_err(|_| format!("{factor:?} is no factor; expected such as 2"))?;
        return range::values(&from, &value(to), &Pace::Factor(factor));
    }
    let (to, step) = rest.split_once(':').map_or((rest, None), |(to, step)| (to, Some(step)));
    let step = step.map(value);
    range::values(&from, &value(to), &Pace::Step(step.as_ref()))
}

/// `FROM..TO` as a range is written; `None` if it is something else.
fn like_a_range(text: &str) -> Option<String> {
    let (from, to) = text.split_once("..")?;
    let number = |part: &str| part.trim().trim_start_matches('-').starts_with(char::is_numeric);
    (number(from) && number(to) && !text.contains([',', '"', '[']))
        .then(|| format!("{from}..={to}"))
}

/// The texts between commas; commas in brackets, braces and quotes do not count.
fn listed(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth, mut quote) = (Vec::new(), 0, 0_i32, None);
    for (at, c) in text.char_indices() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            (_, Some(_)) => {}
            ('"' | '\'', None) => quote = Some(c),
            ('[' | '{', None) => depth += 1,
            (']' | '}', None) => depth -= 1,
            (',', None) if depth <= 0 => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (String, Vec<String>) {
        let axis = Axis::parse(text).expect("an axis");
        (axis.key.clone(), axis.labels())
    }

    fn refused(text: &str) -> String {
        Axis::parse(text).expect_err("no axis").to_string()
    }

    #[test]
    fn the_command_line_takes_lists_and_ranges() {
        let (key, values) = parsed("turbine.fanout=50,100, 200");
        assert_eq!((key.as_str(), values.join(" ").as_str()), ("turbine.fanout", "50 100 200"));
        assert_eq!(parsed("network.loss=0%..=10%:5%").1, ["0%", "5%", "10%"]);
        assert_eq!(parsed("rumors[0].fanout=1..=3").1, ["1", "2", "3"]);
        assert_eq!(parsed("turbine.chunk_size=256B..=1024B*2").1, ["256B", "512B", "1024B"]);
        // Texts with colons, tables and lists with commas are values.
        assert_eq!(parsed("turbine.coding=32:32,none").1, ["32:32", "none"]);
        let tables = parsed("nodes.stake={ kind = \"equal\", each = 1 },{ kind = \"equal\" }").1;
        assert_eq!(tables.len(), 2, "{tables:?}");
        assert_eq!(parsed("faults[0].groups=[\"0..=4\", \"rest\"],[\"0\", \"rest\"]").1.len(), 2);
        let axis = Axis::parse("a.b=1,x,true,\"1\"");
        assert!(axis.is_err(), "the number 1 and the text 1 look alike in a table");
    }

    #[test]
    fn axes_that_make_no_sense_are_refused_in_one_sentence() {
        for (text, why) in [
            ("turbine.fanout", "expected KEY=VALUES"),
            ("=1,2", "expected KEY=VALUES"),
            ("turbine.fanout=", "the axis has no values"),
            ("turbine.fanout=5,6,5", "5 stands twice in the axis"),
            ("turbine.fanout=6..=5", "a range from 6 to 5 is empty"),
            ("turbine.fanout=1..3", "a range holds its end; did you mean turbine.fanout=1..=3?"),
            ("turbine.fanout=1..=5:0", "leads nowhere"),
            ("turbine.fanout=1..=5*x", "\"x\" is no factor"),
            ("seed=1,2", "the seeds of a sweep stand in sweep.seeds"),
            ("sweep.seeds=1,2", "a sweep does not change itself"),
        ] {
            let said = refused(text);
            assert!(said.starts_with(&format!("--axis {text}: ")) && said.contains(why), "{said}");
        }
    }

    #[test]
    fn the_scenario_takes_lists_and_ranges_and_names_the_key_to_blame() {
        let config = |text: &str| toml::from_str::<AxisConfig>(text).expect("an axis");
        let axis = Axis::of(&config("key = 'a'\nvalues = [1, 'x', [2]]"), 0).expect("an axis");
        assert_eq!(axis.labels(), ["1", "x", "[2]"]);
        let axis = Axis::of(&config("key = 'a'\nfrom = '1B'\nto = '9B'\nfactor = 3"), 0);
        assert_eq!(axis.expect("an axis").labels(), ["1B", "3B", "9B"]);
        for (text, key, why) in [
            ("key = 'a'", "values", "no values"),
            ("key = 'a'\nvalues = []", "values", "no values"),
            ("values = [1]", "key", "no key"),
            ("key = 'a'\nfrom = 1", "values", "no values"),
            ("key = 'a'\nvalues = [1]\nfrom = 1\nto = 2", "values", "not both"),
            ("key = 'a'\nvalues = [1]\nstep = 1", "values", "no step"),
            ("key = 'a'\nfrom = 1\nto = 2\nstep = 1\nfactor = 2", "factor", "not both"),
            ("key = 'a'\nfrom = 2\nto = 1", "from", "is empty"),
        ] {
            let error = Axis::of(&config(text), 3).expect_err(text);
            assert_eq!(error.key, format!("sweep.axis[3].{key}"), "{text}");
            assert!(error.message.contains(why), "{text}: {}", error.message);
        }
    }
}
