//! Experiment layer: which runs a sweep is made of. With seeds that are added until figures are
//! precise this depends on what came of the runs so far, and on nothing else: who works it out anew
//! from the records comes to the same runs, however many threads or machines made them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::definition::Definition;
use super::record::{Metric, Record};
use super::statistics::Figures;
use super::tables::of_point;
use super::{ExperimentError, many};
use crate::base::quantity::Chance;
use crate::metrics::table::Unit;
use crate::scenario::population::near_name;

/// A run of a sweep: a point and a seed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Run {
    /// The number of the point.
    pub point: usize,
    /// The seed.
    pub seed: u64,
}

/// What is known so far.
pub type Records = BTreeMap<Run, Record>;

/// How precise a figure is to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Precision {
    /// Name of the key figure.
    pub metric: String,
    /// How far its interval may reach to either side of the mean, as a share of the mean in parts
    /// per billion.
    pub share_ppb: u32,
    /// Most seeds of a point.
    pub most_seeds: u32,
}

impl Precision {
    /// Reads `METRIC=SHARE`, such as `rumors.latency.p50_ns=2%`.
    ///
    /// # Errors
    /// A sentence.
    pub fn parse(text: &str, most_seeds: u32) -> Result<Self, String> {
        let refuse =
            |why: &str| Err(format!("{text:?} {why}; expected such as rumors.latency.p50_ns=2%"));
        let Some((metric, share)) = text.split_once('=') else {
            return refuse("is no key figure with a share");
        };
        let (metric, share) = (metric.trim().to_owned(), share.trim());
        match share.parse::<Chance>() {
            _ if metric.is_empty() => refuse("names no key figure"),
            Ok(share) if share.is_never() => refuse("can never be reached"),
            Ok(share) => Ok(Self { metric, share_ppb: share.ppb(), most_seeds }),
            Err(error) => {
                Err(format!("{text:?}: {error}; expected such as rumors.latency.p50_ns=2%"))
            }
        }
    }

    /// Whether these records are enough.
    fn is_met(&self, records: &[&Record]) -> bool {
        let error = figures(records, &self.metric).relative_error();
        error.is_some_and(|error| error <= f64::from(self.share_ppb) / 1e9)
    }
}

/// The figures of a key figure over the runs that came to their end. A time that never came is
/// beyond all others in median, p10 and p90; mean, deviation and interval are of those that came.
#[must_use]
pub fn figures(records: &[&Record], metric: &str) -> Figures {
    let whole = records.iter().filter(|record| record.complete);
    let known: Vec<&Metric> = whole.filter_map(|record| record.metric(metric)).collect();
    let values: Vec<f64> = known.iter().filter_map(|metric| Some(metric.value? as f64)).collect();
    // A time that never came is beyond all others; of anything else nothing can be said.
    let is_time = known.iter().any(|metric| metric.unit == Unit::Nanoseconds.to_string());
    let never = if is_time { known.len() - values.len() } else { 0 };
    Figures::of(&values, never)
}

/// The seeds that a point needs by what is known. Where a run is missing, no more are added.
#[must_use]
pub fn seeds_of(definition: &Definition, point: usize, records: &Records) -> Vec<u64> {
    let mut seeds = definition.first_seeds();
    let Some(precision) = &definition.until_precise else { return seeds };
    let most = seeds.len().max(precision.most_seeds as usize);
    loop {
        let known: Option<Vec<&Record>> =
            seeds.iter().map(|seed| records.get(&Run { point, seed: *seed })).collect();
        let Some(known) = known else { return seeds };
        if seeds.len() >= most || precision.is_met(&known) {
            return seeds;
        }
        // A quarter more at a time: not many more than needed, and not one round for each.
        let more = (seeds.len() / 4).max(1);
        seeds = definition.seeds_up_to((seeds.len() + more).min(most));
    }
}

/// How far the sweep has come with the precision it was to have, in a line; `None` if none was
/// asked for.
///
/// # Errors
/// [`ExperimentError::Usage`] if the definition is damaged.
pub fn precision_in_words(
    definition: &Definition,
    records: &Records,
) -> Result<Option<String>, ExperimentError> {
    let Some(precision) = &definition.until_precise else { return Ok(None) };
    let (points, mut met) = (definition.points()?, 0);
    let mut widest: Option<(f64, &[String], usize)> = None;
    for (point, labels) in points.iter().enumerate() {
        let of_point = of_point(records, point);
        if precision.is_met(&of_point) {
            met += 1;
            continue;
        }
        let error = figures(&of_point, &precision.metric).relative_error().unwrap_or(f64::INFINITY);
        if widest.as_ref().is_none_or(|(most, ..)| error > *most) {
            widest = Some((error, labels, of_point.len()));
        }
    }
    let (share, metric) = (f64::from(precision.share_ppb) / 1e7, &precision.metric);
    let mut text = format!("{met} of {} within {share} % of {metric}", many(points.len(), "point"));
    if let Some((error, labels, seeds)) = widest {
        let axes = definition.axes.iter().zip(labels);
        let axes: String = axes.map(|(axis, label)| format!("{} = {label}, ", axis.key)).collect();
        let error = match error {
            error if error.is_finite() => format!("±{:.2} %", error * 100.0),
            _ => "no interval".to_owned(),
        };
        text += &format!("; the widest: {axes}{error} after {seeds} seeds (--most-seeds)");
    }
    Ok(Some(text))
}

/// All runs that the sweep needs by what is known: point by point, seeds in their order.
///
/// # Errors
/// [`ExperimentError::Usage`] if the runs have no key figure of the name that is to be precise.
pub fn wanted(definition: &Definition, records: &Records) -> Result<Vec<Run>, ExperimentError> {
    if let Some(precision) = &definition.until_precise {
        knows(&precision.metric, records)?;
    }
    let points = definition.grid()?.points();
    let runs = |point| {
        let seeds = seeds_of(definition, point, records).into_iter();
        seeds.map(move |seed| Run { point, seed })
    };
    Ok((0..points).flat_map(runs).collect())
}

/// Whether any run has the figure; nothing is known before there is a run.
pub(super) fn knows(metric: &str, records: &Records) -> Result<(), ExperimentError> {
    let names = || {
        let all = records.values().flat_map(|record| &record.metrics);
        all.map(|metric| metric.name.as_str())
    };
    if names().next().is_none() || names().any(|name| name == metric) {
        return Ok(());
    }
    let hint = near_name(metric, names()).map_or_else(
        || "the columns of runs.csv name all of them".to_owned(),
        |near| format!("did you mean {near}?"),
    );
    Err(ExperimentError::Usage(format!("no run has a key figure {metric}; {hint}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::axis::Axis;
    use crate::experiment::record::tests::sample;
    use crate::scenario::schema::Scenario;

    fn definition(until_precise: Option<Precision>) -> Definition {
        let axis = Axis::parse("nodes.count=2,3").expect("an axis");
        let seeds = "4..=5".parse().expect("seeds");
        Definition::new(&Scenario::default(), &[axis], seeds, until_precise)
    }

    fn precision(most: u32) -> Option<Precision> {
        Some(Precision::parse("x=10%", most).expect("a precision"))
    }

    /// What the runs of a point give that have `value` and `-value` around 100 in turn.
    fn records(point: usize, spread: i128, seeds: &[u64]) -> Records {
        let label = ["2", "3"][point];
        let record = |seed: &u64| {
            let value = if seed.is_multiple_of(2) { 100 - spread } else { 100 + spread };
            (Run { point, seed: *seed }, sample(&[label], *seed, &[("x", Some(value))]))
        };
        seeds.iter().map(record).collect()
    }

    #[test]
    fn without_a_precision_every_point_gets_the_seeds_that_are_written() {
        let runs = wanted(&definition(None), &Records::new()).expect("runs");
        let pairs: Vec<_> = runs.iter().map(|run| (run.point, run.seed)).collect();
        assert_eq!(pairs, [(0, 4), (0, 5), (1, 4), (1, 5)]);
    }

    #[test]
    fn seeds_are_added_where_a_figure_is_not_precise_and_only_there() {
        let definition = definition(precision(100));
        let first = [4, 5, 6, 7, 8];
        assert_eq!(seeds_of(&definition, 0, &Records::new()), first, "five at least");
        let exact = records(0, 0, &first);
        assert_eq!(seeds_of(&definition, 0, &exact), first, "no spread, no more seeds");
        // 100 +- 30 in turn over n seeds: the interval reaches about 1.96 * 30 / sqrt(n) to either
        // side, which is within 10 from some 35 seeds on.
        let mut known = records(0, 30, &first);
        let mut rounds = 0;
        loop {
            let seeds = seeds_of(&definition, 0, &known);
            assert_eq!(seeds[0], 4);
            assert!(seeds.windows(2).all(|pair| pair[1] == pair[0] + 1));
            if seeds.len() == known.len() {
                break;
            }
            known = records(0, 30, &seeds);
            rounds += 1;
        }
        assert!((35..=46).contains(&known.len()) && rounds < 15, "{} {rounds}", known.len());
        // One that is missing in the middle is asked for before any others are.
        known.remove(&Run { point: 0, seed: 9 });
        assert_eq!(seeds_of(&definition, 0, &known).last(), Some(&9));
    }

    #[test]
    fn a_bound_ends_the_search_and_what_is_in_vain_is_refused() {
        let definition = definition(precision(7));
        let known = records(1, 90, &[4, 5, 6, 7, 8, 9, 10]);
        assert_eq!(seeds_of(&definition, 1, &known).len(), 7);
        for (text, why) in [
            ("x", "is no key figure with a share"),
            ("=2%", "names no key figure"),
            ("x=0%", "can never be reached"),
            ("x=much", "expected such as"),
        ] {
            let error = Precision::parse(text, 9).expect_err(text);
            assert!(error.contains(why), "{text}: {error}");
        }
        let definition = Definition {
            until_precise: Some(Precision::parse("y=2%", 9).expect("a precision")),
            ..definition
        };
        assert!(wanted(&definition, &Records::new()).is_ok(), "nothing is known yet");
        let why = wanted(&definition, &known).expect_err("refused").to_string();
        assert!(why.starts_with("no run has a key figure y"), "{why}");
    }
}
