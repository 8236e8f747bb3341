//! Experiment layer: paired differences. Two runs of one seed meet the same weather, so the
//! difference between them is known better than either of them.

use super::ExperimentError;
use super::definition::Definition;
use super::record::Record;
use super::schedule::{Records, knows};
use super::statistics::{Figures, decimal};
use super::tables::{Table, metrics, of_point};
use crate::scenario::population::near_name;

/// A sweep as it was found in a folder.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// What it is.
    pub definition: Definition,
    /// Its runs, as far as they are there.
    pub records: Records,
}

/// Pairs of runs that differ in one respect, and share point and seed in all others.
#[derive(Clone, Debug)]
pub struct Group<'a> {
    /// The values of the axes that are the same in both.
    pub axes: Vec<(String, String)>,
    /// In what the two differ: before and after.
    pub sides: (String, String),
    /// The pairs, in the order of the seeds.
    pub pairs: Vec<(&'a Record, &'a Record)>,
}

/// The difference of a key figure in a group.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The values of the axes that are the same in both.
    pub axes: Vec<(String, String)>,
    /// In what the two differ: before and after.
    pub sides: (String, String),
    /// The key figure.
    pub metric: String,
    /// What it counts.
    pub unit: String,
    /// Mean of the runs before, of those that have a partner.
    pub before: Option<f64>,
    /// After less before, over pairs of runs that both have the figure.
    pub figures: Figures,
}

impl Difference {
    /// Whether the interval leaves zero out.
    #[must_use]
    pub fn is_clear(&self) -> bool {
        self.figures.interval.is_some_and(|(low, high)| low > 0.0 || high < 0.0)
    }

    /// The mean difference as a share of the mean before.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        let (before, mean) = (self.before?, self.figures.mean?);
        (before.abs() > 0.0).then(|| mean / before.abs())
    }
}

/// Pairs of two sweeps with the same axes, point by point.
///
/// # Errors
/// [`ExperimentError::Usage`] if the axes differ or no run has a partner.
pub fn between<'a>(
    before: &'a Sweep,
    after: &'a Sweep,
    names: (&str, &str),
) -> Result<Vec<Group<'a>>, ExperimentError> {
    let keys = |sweep: &Sweep| -> Vec<String> {
        sweep.definition.axes.iter().map(|axis| axis.key.clone()).collect()
    };
    let (axes, others) = (keys(before), keys(after));
    if axes != others {
        let list = |keys: &[String]| {
            if keys.is_empty() { "no axes".to_owned() } else { keys.join(", ") }
        };
        return Err(ExperimentError::Usage(format!(
            "the sweeps have different axes ({} and {})",
            list(&axes),
            list(&others)
        )));
    }
    let points = after.definition.points()?;
    let mut groups = Vec::new();
    for (point, labels) in before.definition.points()?.into_iter().enumerate() {
        let Some(other) = points.iter().position(|other| *other == labels) else { continue };
        let pairs = paired(&of_point(&before.records, point), &of_point(&after.records, other));
        let axes = axes.iter().cloned().zip(labels).collect();
        groups.push(Group { axes, sides: (names.0.into(), names.1.into()), pairs });
    }
    some(groups)
}

/// Pairs of runs of one sweep that differ in the value of an axis: each other value against the
/// base, which is the first value unless another is named.
///
/// # Errors
/// [`ExperimentError::Usage`] if there is no such axis or value, or no run has a partner.
pub fn along<'a>(
    sweep: &'a Sweep,
    key: &str,
    base: Option<&str>,
) -> Result<Vec<Group<'a>>, ExperimentError> {
    let axes = &sweep.definition.axes;
    let unknown = |what: &str, name: &str, all: Vec<&str>| {
        let near = near_name(name, all.iter().copied());
        let hint = near.map_or_else(
            || format!("there are {}", all.join(", ")),
            |near| format!("did you mean {near}?"),
        );
        ExperimentError::Usage(format!("{what} {name}; {hint}"))
    };
    let keys = || axes.iter().map(|axis| axis.key.as_str()).collect::<Vec<_>>();
    let place = axes.iter().position(|axis| axis.key == key);
    let place = place.ok_or_else(|| unknown("the sweep has no axis", key, keys()))?;
    let values = &axes[place].values;
    let base = match base {
        None => values.first().cloned().unwrap_or_default(),
        Some(base) if values.iter().any(|value| value == base) => base.to_owned(),
        Some(base) => {
            let all = values.iter().map(String::as_str).collect();
            return Err(unknown(&format!("the axis {key} has no value"), base, all));
        }
    };
    let points = sweep.definition.points()?;
    // Axes that go together with this one differ too.
    let with = |other: usize| {
        other == place || axes[other].zip.is_some() && axes[other].zip == axes[place].zip
    };
    let alike = |a: &[String], b: &[String]| (0..axes.len()).all(|at| with(at) || a[at] == b[at]);
    let mut groups = Vec::new();
    for (point, labels) in points.iter().enumerate().filter(|(_, labels)| labels[place] == base) {
        let others = points.iter().enumerate();
        for (other, changed) in others.filter(|(o, l)| *o != point && alike(l, labels)) {
            let pairs = paired(&of_point(&sweep.records, point), &of_point(&sweep.records, other));
            let same = (0..axes.len()).filter(|at| !with(*at));
            let axes = same.map(|at| (axes[at].key.clone(), labels[at].clone())).collect();
            let side = |label: &String| format!("{key} = {label}");
            groups.push(Group { axes, sides: (side(&base), side(&changed[place])), pairs });
        }
    }
    some(groups)
}

/// Runs of the same seed; those that did not come to their end have no partner.
fn paired<'a>(before: &[&'a Record], after: &[&'a Record]) -> Vec<(&'a Record, &'a Record)> {
    let whole = |record: &&&Record| record.complete;
    let partner = |record: &&'a Record| {
        let other = after.iter().filter(whole).find(|other| other.seed == record.seed)?;
        Some((*record, *other))
    };
    before.iter().filter(whole).filter_map(partner).collect()
}

fn some(groups: Vec<Group<'_>>) -> Result<Vec<Group<'_>>, ExperimentError> {
    if groups.iter().any(|group| !group.pairs.is_empty()) {
        return Ok(groups);
    }
    let message = "no run that came to its end has a partner that did, with the same seed and the \
                   same values of other axes";
    Err(ExperimentError::Usage(message.to_owned()))
}

/// The differences of these key figures, or of all where both sides have numbers, group by group.
///
/// # Errors
/// [`ExperimentError::Usage`] for a key figure that no run has.
pub fn differences(
    groups: &[Group<'_>],
    records: &Records,
    chosen: &[String],
) -> Result<Vec<Difference>, ExperimentError> {
    for name in chosen {
        knows(name, records)?;
    }
    let all = metrics(records).into_iter();
    let all: Vec<_> =
        all.filter(|(name, _)| chosen.is_empty() || chosen.iter().any(|c| c == name)).collect();
    let mut found = Vec::new();
    for Group { axes, sides, pairs } in groups {
        for (metric, unit) in &all {
            let value = |record: &Record| Some(record.metric(metric)?.value? as f64);
            let both = pairs.iter().filter_map(|(a, b)| Some((value(a)?, value(b)?)));
            let (before, change): (Vec<f64>, Vec<f64>) = both.map(|(a, b)| (a, b - a)).unzip();
            if before.is_empty() && chosen.is_empty() {
                continue;
            }
            found.push(Difference {
                axes: axes.clone(),
                sides: sides.clone(),
                metric: (*metric).to_owned(),
                unit: (*unit).to_owned(),
                before: Figures::of(&before, 0).mean,
                figures: Figures::of(&change, 0),
            });
        }
    }
    Ok(found)
}

/// The differences as CSV.
#[must_use]
pub fn to_csv(differences: &[Difference]) -> String {
    let mut table = Table::default();
    let Some(first) = differences.first() else { return String::new() };
    let mut header: Vec<String> = first.axes.iter().map(|(key, _)| key.clone()).collect();
    let columns = [
        "from",
        "to",
        "metric",
        "unit",
        "n",
        "mean_before",
        "difference",
        "low",
        "high",
        "share_of_before",
    ];
    header.extend(columns.map(str::to_owned));
    table.row(header);
    for difference in differences {
        let Difference { axes, sides, metric, unit, before, figures } = difference;
        let mut row: Vec<String> = axes.iter().map(|(_, label)| label.clone()).collect();
        row.extend([sides.0.clone(), sides.1.clone(), metric.clone(), unit.clone()]);
        row.push(figures.n.to_string());
        let (low, high) = (figures.interval.map(|i| i.0), figures.interval.map(|i| i.1));
        let numbers = [*before, figures.mean, low, high, difference.share()];
        row.extend(numbers.map(|value| value.map_or_else(String::new, decimal)));
        table.row(row);
    }
    table.text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::axis::Axis;
    use crate::experiment::record::tests::sample;
    use crate::experiment::schedule::Run;
    use crate::scenario::schema::Scenario;

    /// A sweep over a.b = 1, 2 and c = x, y whose figure is `10 * a.b * seed + extra`.
    fn sweep(extra: i128, seeds: std::ops::RangeInclusive<u64>) -> Sweep {
        let axes = ["a.b=1,2", "c=x,y"].map(|text| Axis::parse(text).expect("an axis"));
        let all = "1..=3".parse().expect("seeds");
        let definition = Definition::new(&Scenario::default(), &axes, all, None);
        let mut records = Records::new();
        for (point, labels) in definition.points().expect("points").iter().enumerate() {
            for seed in seeds.clone() {
                let factor: i128 = labels[0].parse().expect("a number");
                let value = 10 * factor * i128::from(seed) + extra;
                let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
                let record = sample(&labels, seed, &[("m", Some(value)), ("never", None)]);
                records.insert(Run { point, seed }, record);
            }
        }
        Sweep { definition, records }
    }

    #[test]
    fn values_of_an_axis_are_compared_seed_by_seed() {
        let sweep = sweep(0, 1..=3);
        let groups = along(&sweep, "a.b", None).expect("groups");
        let all = differences(&groups, &sweep.records, &[]).expect("differences");
        // Differences 10, 20, 30: mean 20, deviation 10, interval 20 +- 4.302653 * 10 / sqrt(3).
        assert_eq!(all.len(), 2, "one for each value of c; what never happened has none: {all:?}");
        assert_eq!(all[0].axes, [("c".to_owned(), "x".to_owned())]);
        assert_eq!(all[0].sides, ("a.b = 1".to_owned(), "a.b = 2".to_owned()));
        assert_eq!((all[0].before, all[0].figures.mean), (Some(20.0), Some(20.0)));
        assert_eq!(all[0].share(), Some(1.0));
        let (low, high) = all[0].figures.interval.expect("an interval");
        assert!((low + 4.841_38).abs() < 1e-4 && (high - 44.841_38).abs() < 1e-4, "{low} {high}");
        assert!(!all[0].is_clear());
        let csv = to_csv(&all);
        let row = "x,a.b = 1,a.b = 2,m,count,3,20,20,-4.841,44.841,1";
        assert_eq!(csv.lines().nth(1), Some(row), "{csv}");
        // The other way round with another base.
        let groups = along(&sweep, "a.b", Some("2")).expect("groups");
        let all = differences(&groups, &sweep.records, &["m".into()]).expect("differences");
        assert_eq!(all[0].figures.mean, Some(-20.0));
    }

    #[test]
    fn two_sweeps_are_compared_point_by_point_and_pairs_cancel_what_they_share() {
        let (before, after) = (sweep(0, 1..=3), sweep(7, 2..=5));
        let groups = between(&before, &after, ("old", "new")).expect("groups");
        let all = differences(&groups, &before.records, &[]).expect("differences");
        assert_eq!(all.len(), 4);
        for difference in &all {
            // Seeds 2 and 3 are in both; the difference is 7 in each of them, exactly.
            assert_eq!((difference.figures.n, difference.figures.mean), (2, Some(7.0)));
            assert_eq!(difference.figures.interval, Some((7.0, 7.0)));
            assert!(difference.is_clear());
        }
    }

    #[test]
    fn what_cannot_be_compared_is_refused_in_one_sentence() {
        let one = sweep(0, 1..=3);
        let why = |found: Result<Vec<Group<'_>>, ExperimentError>| {
            found.expect_err("refused").to_string()
        };
        assert_eq!(why(along(&one, "a.c", None)), "the sweep has no axis a.c; did you mean a.b?");
        let none = why(along(&one, "c", Some("q")));
        assert!(none.starts_with("the axis c has no value q; "), "{none}");
        let apart = sweep(0, 4..=5);
        assert!(
            why(between(&one, &apart, ("a", "b")))
                .starts_with("no run that came to its end has a partner")
        );
        let mut other = one.clone();
        other.definition.axes.pop();
        let axes = why(between(&one, &other, ("a", "b")));
        assert_eq!(axes, "the sweeps have different axes (a.b, c and a.b)");
        let groups = along(&one, "c", None).expect("groups");
        let unknown = differences(&groups, &one.records, &["mm".into()]);
        assert!(unknown.expect_err("refused").to_string().contains("no run has a key figure mm"));
    }
}
