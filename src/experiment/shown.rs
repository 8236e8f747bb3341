//! Experiment layer: a small table for people: a line for each point, with the means of a few key
//! figures and how far their 95 % intervals reach to either side.

use super::ExperimentError;
use super::definition::Definition;
use super::record::Record;
use super::schedule::{Records, figures, knows};
use super::statistics::Figures;
use super::tables::of_point;

/// The table, and a sentence for each key figure that no run has.
///
/// # Errors
/// [`ExperimentError::Usage`] if the definition is damaged.
pub fn shown(
    definition: &Definition,
    records: &Records,
    metrics: &[String],
) -> Result<(String, Vec<String>), ExperimentError> {
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for metric in metrics {
        match knows(metric, records) {
            Ok(()) => known.push(metric),
            Err(why) => unknown.push(why.to_string()),
        }
    }
    let mut rows: Vec<Vec<String>> = Vec::new();
    let names = definition.axes.iter().map(|axis| axis.key.clone());
    rows.push(names.chain(known.iter().map(|metric| (*metric).clone())).collect());
    for (point, mut row) in definition.points()?.into_iter().enumerate() {
        let records = of_point(records, point);
        row.extend(known.iter().map(|metric| cell(&records, metric)));
        rows.push(row);
    }
    Ok((aligned(&rows), unknown))
}

/// A mean and how far its interval reaches to either side.
fn cell(records: &[&Record], metric: &str) -> String {
    let figures = figures(records, metric);
    let stopped = records.iter().filter(|record| !record.complete).count();
    let Figures { n, mean: Some(mean), interval, .. } = figures else {
        return if stopped == records.len() { "stopped".into() } else { "never".into() };
    };
    let unit = records.iter().find_map(|record| record.metric(metric));
    let (scale, places, word) = match unit.map_or("", |metric| &metric.unit) {
        "nanoseconds" => (1e-6, 1, " ms"),
        "parts per million" => (1e-4, 2, " %"),
        "bytes" => (1e-6, 2, " MB"),
        _ => (1.0, 1, ""),
    };
    let half = interval.map(|(low, high)| format!(" ± {:.places$}", (high - low) / 2.0 * scale));
    // Where it never happened with some seeds, the mean is of the others.
    let of = records.len();
    let some = if n < of { format!(" ({n} of {of})") } else { String::new() };
    format!("{:.places$}{}{word}{some}", mean * scale, half.unwrap_or_default())
}

fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        format!("  {}\n", line.trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::axis::Axis;
    use crate::experiment::record::tests::sample;
    use crate::experiment::schedule::Run;
    use crate::scenario::schema::Scenario;

    #[test]
    fn a_line_for_each_point_in_units_that_people_read() {
        let axis = Axis::parse("a.b=1,2").expect("an axis");
        let seeds = "1..=2".parse().expect("seeds");
        let definition = Definition::new(&Scenario::default(), &[axis], seeds, None);
        let figures = |ns, n| [("t_ns", Some(ns)), ("n", n), ("s_ppm", Some(250_000))];
        let record = |point: usize, seed, ns, n| {
            let label = ["1", "2"][point];
            (Run { point, seed }, sample(&[label], seed, &figures(ns, n)))
        };
        let records = [
            record(0, 1, 2_000_000, Some(7)),
            record(0, 2, 2_000_000, None),
            record(1, 1, 1_000_000, None),
            record(1, 2, 3_000_000, None),
        ];
        let metrics = ["t_ns", "n", "s_ppm", "m"].map(String::from);
        let (text, unknown) = shown(&definition, &records.into(), &metrics).expect("a table");
        // The interval of 1 and 3 reaches 12.706 * sqrt(2) / sqrt(2) to either side.
        let expected = "  a.b  t_ns             n           s_ppm\n  \
                        1    2.0 ± 0.0 ms     7.0 (1 of 2)  25.00 ± 0.00 %\n  \
                        2    2.0 ± 12.7 ms    never         25.00 ± 0.00 %\n";
        let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(squeezed(&text), squeezed(expected), "{text}");
        assert_eq!(unknown.len(), 1);
        assert!(unknown[0].starts_with("no run has a key figure m"), "{unknown:?}");
    }
}
