//! Expectation layer: how a metric changes across the points of a sweep: along an axis, or from one
//! choice of points to another. A pure function of a list of runs, each with its axes and metrics.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::metric::figure_of;
use super::resolving::statistic;
use super::setting::{Across, Trend};
use super::statistic::{Side, Statistic, Taken, Values};
use super::value::{Exact, Literal, SHARE, written};
use super::{Expectation, Judged, Refusal, Ruling};
use crate::base::quantity::{Bytes, Chance, Rate};
use crate::base::time::Span;
use crate::metrics::catalogue::Figure;
use crate::metrics::table::Unit;

/// One run of a sweep: a row of `runs.csv`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SweepRun {
    /// Its axes: keys of the scenario and their values as TOML writes them, texts without quotes.
    pub axes: BTreeMap<String, String>,
    /// Numbers of its summary by name; what never happened is not there.
    pub metrics: BTreeMap<String, i128>,
}

/// What is asked of the points of a sweep, with every name found.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The metric.
    pub metric: Figure,
    statistic: Statistic,
    statistic_name: String,
    only: BTreeMap<String, String>,
    what: Ask,
}

#[derive(Clone, Debug)]
enum Ask {
    Along { axis: String, trend: Trend, tolerance: Exact },
    Between(Box<Comparison>),
}

/// Points that are compared with others, and how.
#[derive(Clone, Debug)]
struct Comparison {
    a: Point,
    b: Point,
    within: Option<Exact>,
    most: Option<Exact>,
    least: Option<Exact>,
}

/// Values of some axes.
type Point = BTreeMap<String, String>;

/// A number of a point, and how often it never happened.
struct Valued {
    point: Point,
    value: Option<Exact>,
}

impl Trial {
    pub(super) fn resolve(config: &Across) -> Result<Self, Refusal> {
        let metric = figure_of("metric", &config.metric)?;
        let statistic_name = config.statistic.clone().unwrap_or_else(|| "median".into());
        let point = |values: &BTreeMap<String, Literal>| -> Point {
            values.iter().map(|(axis, value)| (axis.clone(), plain(value))).collect()
        };
        let share = |key: &'static str, literal: &Option<Literal>| {
            let read = |literal: &Literal| {
                let exact = literal.exact(SHARE).map_err(|message| Refusal::new(key, message))?;
                if exact < Exact::whole(0) {
                    return Err(Refusal::new(key, "a share below zero; expected 0% or more"));
                }
                Ok(exact)
            };
            literal.as_ref().map(read).transpose()
        };
        let what = match (&config.axis, config.a.is_empty() && config.b.is_empty()) {
            (Some(_), false) => {
                let message =
                    "a trend along an axis and a comparison of a with b exclude each other";
                return Err(Refusal::new("axis", message));
            }
            (None, true) => {
                let message = "neither an axis with a trend nor a and b are given";
                return Err(Refusal::new("", message));
            }
            (Some(axis), true) => {
                let Some(trend) = config.trend else {
                    let message = "an axis needs a trend";
                    let known = "known are rising, falling, never-rising, never-falling";
                    return Err(Refusal::new("axis", message).hint(known));
                };
                let tolerance = share("tolerance", &config.tolerance)?;
                let unread = [
                    ("within", &config.within),
                    ("at_most", &config.at_most),
                    ("at_least", &config.at_least),
                ];
                refuse_given(&unread, "this is about a and b, not about an axis")?;
                let tolerance = tolerance.unwrap_or(Exact::whole(0));
                Ask::Along { axis: axis.clone(), trend, tolerance }
            }
            (None, false) => {
                let comparison = Comparison {
                    a: point(&config.a),
                    b: point(&config.b),
                    within: share("within", &config.within)?,
                    most: share("at_most", &config.at_most)?,
                    least: share("at_least", &config.at_least)?,
                };
                comparison.is_whole(config)?;
                Ask::Between(Box::new(comparison))
            }
        };
        let only = point(&config.only);
        let statistic = statistic(&statistic_name)?;
        Ok(Self { metric, statistic, statistic_name, only, what })
    }

    /// The axes that it is about, each with the key that names it.
    #[must_use]
    pub fn axes(&self) -> Vec<(&'static str, &str)> {
        let mut points = vec![("where", &self.only)];
        let mut found = Vec::new();
        match &self.what {
            Ask::Along { axis, .. } => found.push(("axis", axis.as_str())),
            Ask::Between(comparison) => {
                points.extend([("a", &comparison.a), ("b", &comparison.b)]);
            }
        }
        for (key, point) in points {
            found.extend(point.keys().map(|axis| (key, axis.as_str())));
        }
        found
    }

    /// What is asked, in words.
    #[must_use]
    pub fn words(&self) -> String {
        let name = format!("{} of {}", self.statistic_name, self.metric.name);
        match &self.what {
            Ask::Along { axis, trend, tolerance } => {
                let trend = match trend {
                    Trend::Rising => "rises",
                    Trend::Falling => "falls",
                    Trend::NeverFalling => "never falls",
                    Trend::NeverRising => "never rises",
                };
                let slack = if *tolerance == Exact::whole(0) {
                    String::new()
                } else {
                    format!(" by more than {}", written(*tolerance, SHARE))
                };
                format!("{name} {trend}{slack} along {axis}")
            }
            Ask::Between(comparison) => {
                let Comparison { a, b, within, most, least } = &**comparison;
                let parts = [("within", within), ("at most", most), ("at least", least)];
                let asked: Vec<String> = parts
                    .iter()
                    .filter_map(|(words, share)| {
                        share.map(|share| format!("{words} {}", written(share, SHARE)))
                    })
                    .collect();
                format!("{name}: {} {} of {}", named(a), asked.join(" and "), named(b))
            }
        }
    }

    /// How it was judged on these runs, and what was found.
    #[must_use]
    pub fn judge(&self, runs: &[SweepRun]) -> (Ruling, String) {
        let points = self.points(runs);
        match &self.what {
            Ask::Along { axis, trend, tolerance } => self.along(&points, axis, *trend, *tolerance),
            Ask::Between(comparison) => self.between(&points, comparison),
        }
    }

    /// The points of the sweep in the order in which they appear, each with its statistic.
    fn points(&self, runs: &[SweepRun]) -> Vec<Valued> {
        let mut points: Vec<(Point, Values)> = Vec::new();
        for run in runs.iter().filter(|run| agrees(&run.axes, &self.only)) {
            let place = points.iter().position(|(point, _)| *point == run.axes);
            let place = place.unwrap_or_else(|| {
                points.push((run.axes.clone(), Values::new(self.statistic, Side::Large)));
                points.len() - 1
            });
            points[place].1.add(run.metrics.get(&self.metric.name).copied());
        }
        let valued = |(point, values): (Point, Values)| {
            let value = match values.take() {
                Taken::Number(number) => Some(number),
                Taken::Never | Taken::Nothing => None,
            };
            Valued { point, value }
        };
        points.into_iter().map(valued).collect()
    }

    fn along(
        &self,
        points: &[Valued],
        axis: &str,
        trend: Trend,
        tolerance: Exact,
    ) -> (Ruling, String) {
        // Points that agree on all other axes.
        let mut lines: Vec<(Point, Vec<(&str, &Valued)>)> = Vec::new();
        for valued in points {
            let mut rest = valued.point.clone();
            if rest.remove(axis).is_none() {
                continue;
            }
            let value = valued.point.get(axis).map_or("", String::as_str);
            match lines.iter_mut().find(|(other, _)| *other == rest) {
                Some((_, line)) => line.push((value, valued)),
                None => lines.push((rest, vec![(value, valued)])),
            }
        }
        let mut steps = 0;
        for (rest, line) in &mut lines {
            line.sort_by(|(a, _), (b, _)| compare_values(a, b));
            for pair in line.windows(2) {
                let [(from, before), (to, after)] = pair else { continue };
                let at = format!("{axis} {from} to {to}{}", held(rest));
                let (before, after) = (before.value, after.value);
                steps += 1;
                let follows = match (before, after) {
                    (Some(before), Some(after)) => follows(trend, before, after, tolerance),
                    // A time that never came is beyond all others.
                    _ if self.metric.unit == Unit::Nanoseconds => {
                        let place = |value: Option<Exact>| Exact::whole(value.is_none().into());
                        follows(trend, place(before), place(after), Exact::whole(0))
                    }
                    _ => false,
                };
                if !follows {
                    let word = |value: Option<Exact>| {
                        value.map_or("never".into(), |value| written(value, self.metric.unit))
                    };
                    let (before, after) = (word(before), word(after));
                    return (Ruling::Broken, format!("{before}, then {after} ({at})"));
                }
            }
        }
        match steps {
            0 => (Ruling::Unexercised, format!("no two points along {axis}")),
            1 => (Ruling::Held, "1 step".into()),
            steps => (Ruling::Held, format!("{steps} steps")),
        }
    }

    fn between(&self, points: &[Valued], asked: &Comparison) -> (Ruling, String) {
        let mut pairs = 0;
        for first in points.iter().filter(|valued| agrees(&valued.point, &asked.a)) {
            // The same point but for the axes that b names.
            let mut other = first.point.clone();
            other.extend(asked.b.iter().map(|(axis, value)| (axis.clone(), value.clone())));
            let is_other = |valued: &&Valued| same(&valued.point, &other);
            let Some(second) = points.iter().find(is_other) else { continue };
            pairs += 1;
            let (Some(first), Some(second)) = (first.value, second.value) else {
                return (Ruling::Broken, "never at one of the points".into());
            };
            if !asked.holds(first, second) {
                let unit = self.metric.unit;
                let (first, second) = (written(first, unit), written(second, unit));
                return (Ruling::Broken, format!("{first} and {second}"));
            }
        }
        match pairs {
            0 => (Ruling::Unexercised, "no such points".into()),
            1 => (Ruling::Held, "1 pair of points".into()),
            pairs => (Ruling::Held, format!("{pairs} pairs of points")),
        }
    }
}

/// Judges what a scenario expects across the points of a sweep.
#[must_use]
pub fn judge(expectations: &[Expectation], runs: &[SweepRun]) -> Vec<Judged> {
    let judged = expectations.iter().filter_map(|expectation| {
        let trial = expectation.across()?;
        let (ruling, found) = trial.judge(runs);
        Some(Judged {
            place: Some(expectation.place),
            kind: expectation.kind(),
            label: expectation.label.clone(),
            ruling,
            expected: trial.words(),
            found,
            breach: expectation.breach,
        })
    });
    judged.collect()
}

fn refuse_given(keys: &[(&str, &Option<Literal>)], message: &str) -> Result<(), Refusal> {
    match keys.iter().find(|(_, value)| value.is_some()) {
        Some((key, _)) => Err(Refusal::new(*key, message)),
        None => Ok(()),
    }
}

impl Comparison {
    /// Refuses what lacks a side or a bound.
    fn is_whole(&self, config: &Across) -> Result<(), Refusal> {
        let Self { a, b, within, most, least } = self;
        for (key, point, other) in [("a", a, "b"), ("b", b, "a")] {
            if point.is_empty() {
                let message = format!("{other} is given without {key}");
                return Err(Refusal::new(key, message));
            }
        }
        if config.trend.is_some() || config.tolerance.is_some() {
            let key = if config.trend.is_some() { "trend" } else { "tolerance" };
            return Err(Refusal::new(key, "this is about an axis, not about a and b"));
        }
        if within.is_none() && most.is_none() && least.is_none() {
            return Err(Refusal::new(
                "",
                "there is no bound; expected within, at_most or at_least",
            ));
        }
        Ok(())
    }

    /// Whether the values of two points are as they are to be.
    fn holds(&self, a: Exact, b: Exact) -> bool {
        let Self { within, most, least, .. } = self;
        let zero = Exact::whole(0);
        let part = |share: &Exact| b.times(*share);
        most.as_ref().is_none_or(|most| part(most).is_none_or(|limit| a.parts() <= limit))
            && least.as_ref().is_none_or(|least| part(least).is_none_or(|limit| a.parts() >= limit))
            && within.as_ref().is_none_or(|within| {
                let size = if b < zero { b.negated() } else { b };
                let slack = size.times(*within);
                slack.is_none_or(|slack| a.distance(b).is_none_or(|far| far.parts() <= slack))
            })
    }
}

/// A value of an axis, as a column of a table has it.
fn plain(value: &Literal) -> String {
    match value {
        Literal::Integer(number) => number.to_string(),
        Literal::Number(number) => number.to_string(),
        Literal::Flag(flag) => flag.to_string(),
        Literal::Text(text) => text.clone(),
    }
}

/// Whether a point has these values.
fn agrees(point: &Point, values: &Point) -> bool {
    let is = |(axis, value): (&String, &String)| {
        point.get(axis).is_some_and(|found| compare_values(found, value).is_eq())
    };
    values.iter().all(is)
}

fn same(a: &Point, b: &Point) -> bool {
    a.len() == b.len() && agrees(a, b)
}

/// Whether a step from one value to the next follows a trend.
fn follows(trend: Trend, before: Exact, after: Exact, tolerance: Exact) -> bool {
    let (low, high, strict) = match trend {
        Trend::Rising => (before, after, true),
        Trend::NeverFalling => (before, after, false),
        Trend::Falling => (after, before, true),
        Trend::NeverRising => (after, before, false),
    };
    if tolerance == Exact::whole(0) {
        return if strict { low < high } else { low <= high };
    }
    // Against the trend by no more than the tolerance of the smaller value.
    let slack = high.times(tolerance);
    low <= high
        || slack.is_none_or(|slack| low.distance(high).is_none_or(|gap| gap.parts() <= slack))
}

/// Numbers and quantities by their size, everything else by its text.
pub(crate) fn compare_values(a: &str, b: &str) -> Ordering {
    fn by<T: PartialOrd>(a: &str, b: &str, read: impl Fn(&str) -> Option<T>) -> Option<Ordering> {
        read(a)?.partial_cmp(&read(b)?)
    }
    by(a, b, |text| text.parse::<f64>().ok())
        .or_else(|| by(a, b, |text| text.parse::<Span>().ok()))
        .or_else(|| by(a, b, |text| text.parse::<Bytes>().ok().map(Bytes::get)))
        .or_else(|| by(a, b, |text| text.parse::<Rate>().ok().map(Rate::bits_per_second)))
        .or_else(|| by(a, b, |text| text.parse::<Chance>().ok().map(Chance::ppb)))
        .unwrap_or_else(|| a.cmp(b))
}

fn named(point: &Point) -> String {
    let values = point.iter().map(|(axis, value)| format!("{axis} = {value}"));
    format!("({})", values.collect::<Vec<_>>().join(", "))
}

fn held(rest: &Point) -> String {
    if rest.is_empty() { String::new() } else { format!(" at {}", named(rest)) }
}
