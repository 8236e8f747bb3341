//! Experiment layer: the tables of a sweep, made from its records: `runs.csv` with a row for each
//! run and `points.csv` with the figures over the seeds of each point.

use super::ExperimentError;
use super::definition::Definition;
use super::record::Record;
use super::schedule::{Records, figures};
use super::statistics::{Figures, decimal};

/// Name of the table of runs.
pub const RUNS_FILE: &str = "runs.csv";
/// Name of the table of points.
pub const POINTS_FILE: &str = "points.csv";

/// Columns of `runs.csv` in front of the axes and behind the key figures.
const RUN_COLUMNS: (&[&str], &[&str]) = (
    &["point", "key", "seed"],
    &["reached_ns", "events", "digest", "complete", "exit_code", "verdict", "expectations"],
);

/// Columns of `points.csv` behind the axes.
const POINT_COLUMNS: &[&str] = &[
    "metric",
    "unit",
    "n",
    "never",
    "stopped",
    "mean",
    "deviation",
    "median",
    "p10",
    "p90",
    "low",
    "high",
];

/// The names of all key figures with their units, in the order of the first run that has each.
pub(super) fn metrics(records: &Records) -> Vec<(&str, &str)> {
    let mut names: Vec<(&str, &str)> = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for record in records.values() {
        // One that other runs do not have stands behind the one before it.
        let mut place = 0;
        for metric in &record.metrics {
            if seen.insert(metric.name.as_str()) {
                names.insert(place, (&metric.name, &metric.unit));
                place += 1;
            } else if names.get(place).is_some_and(|(name, _)| *name == metric.name) {
                place += 1;
            } else {
                let found = names.iter().position(|(name, _)| *name == metric.name);
                place = found.map_or(names.len(), |found| found + 1);
            }
        }
    }
    names
}

/// One row for each run, point by point.
pub(super) fn runs_csv(definition: &Definition, records: &Records) -> String {
    let metrics = metrics(records);
    let (front, back) = RUN_COLUMNS;
    let axes: Vec<String> = definition.axes.iter().map(|axis| axis.key.clone()).collect();
    let mut table = Table::default();
    let names: Vec<String> = metrics
        .iter()
        // An axis of the same name is not meant.
        .map(|(name, _)| match axes.iter().any(|axis| axis == name) {
            true => format!("summary.{name}"),
            false => (*name).to_owned(),
        })
        .collect();
    let texts = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    table.row([texts(front), axes, names, texts(back)].concat());
    for (run, record) in records {
        let mut row = vec![run.point.to_string(), record.key.to_string(), record.seed.to_string()];
        row.extend(record.axes.iter().cloned());
        row.extend(metrics.iter().map(|(name, _)| {
            let value = record.metric(name).and_then(|metric| metric.value);
            value.map_or_else(String::new, |value| value.to_string())
        }));
        row.extend([
            record.reached_ns.to_string(),
            record.events.to_string(),
            record.event_digest.map_or_else(String::new, |digest| digest.to_string()),
            u8::from(record.complete).to_string(),
            record.exit_code.to_string(),
            record.verdict.clone(),
            record.expectations.join("; "),
        ]);
        table.row(row);
    }
    table.text
}

/// One row for each point and key figure.
pub(super) fn points_csv(
    definition: &Definition,
    records: &Records,
) -> Result<String, ExperimentError> {
    let metrics = metrics(records);
    let mut table = Table::default();
    let mut header = vec!["point".to_owned()];
    header.extend(definition.axes.iter().map(|axis| axis.key.clone()));
    header.extend(POINT_COLUMNS.iter().map(|name| (*name).to_owned()));
    table.row(header);
    for (point, labels) in definition.points()?.iter().enumerate() {
        let of_point: Vec<&Record> = of_point(records, point);
        let stopped = of_point.iter().filter(|record| !record.complete).count();
        for (name, unit) in &metrics {
            let known = |record: &&&Record| record.complete && record.metric(name).is_some();
            let never = of_point.iter().filter(known).count();
            let Figures { n, mean, deviation, median, p10, p90, interval } =
                figures(&of_point, name);
            let mut row = vec![point.to_string()];
            row.extend(labels.iter().cloned());
            row.extend([(*name).to_owned(), (*unit).to_owned(), n.to_string()]);
            row.extend([(never - n).to_string(), stopped.to_string()]);
            let (low, high) = (interval.map(|(low, _)| low), interval.map(|(_, high)| high));
            let all = [mean, deviation, median, p10, p90, low, high];
            row.extend(all.map(|value| value.map_or_else(String::new, decimal)));
            table.row(row);
        }
    }
    Ok(table.text)
}

/// The records of a point in the order of the seeds.
pub(super) fn of_point(records: &Records, point: usize) -> Vec<&Record> {
    let all = records.iter().filter(|(run, _)| run.point == point);
    all.map(|(_, record)| record).collect()
}

/// Text of a table in CSV, as all tables of this program: LF line ends, quotes where needed.
#[derive(Default)]
pub(super) struct Table {
    pub(super) text: String,
}

impl Table {
    pub(super) fn row(&mut self, cells: Vec<String>) {
        for (place, cell) in cells.iter().enumerate() {
            if place > 0 {
                self.text.push(',');
            }
            if cell.contains([',', '"', '\n', '\r']) {
                self.text.push('"');
                self.text.push_str(&cell.replace('"', "\"\""));
                self.text.push('"');
            } else {
                self.text.push_str(cell);
            }
        }
        self.text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::axis::Axis;
    use crate::experiment::record::tests::sample;
    use crate::experiment::schedule::Run;
    use crate::scenario::schema::Scenario;

    fn definition() -> Definition {
        let axes = ["a.b=x,\"y,z\"", "end_ns=1"].map(|text| Axis::parse(text).expect("an axis"));
        let seeds = "1..=2".parse().expect("seeds");
        Definition::new(&Scenario::default(), &axes, seeds, None)
    }

    fn records() -> Records {
        let run = |point, seed| Run { point, seed };
        let mut all: Records = [
            (run(0, 1), sample(&["x", "1"], 1, &[("end_ns", Some(4)), ("z", None)])),
            (
                run(0, 2),
                sample(&["x", "1"], 2, &[("end_ns", Some(6)), ("m", Some(1)), ("z", None)]),
            ),
            (run(1, 1), sample(&["y,z", "1"], 1, &[("end_ns", Some(8)), ("z", Some(-3))])),
            (run(1, 2), sample(&["y,z", "1"], 2, &[("end_ns", Some(5)), ("z", Some(5))])),
        ]
        .into();
        let stopped = all.get_mut(&run(1, 2)).expect("a record");
        stopped.complete = false;
        stopped.verdict = "stopped: \"enough\"".into();
        all
    }

    #[test]
    fn a_run_is_a_row_with_axes_and_figures() {
        let text = runs_csv(&definition(), &records());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[0],
            "point,key,seed,a.b,end_ns,summary.end_ns,m,z,reached_ns,events,digest,complete,\
             exit_code,verdict,expectations"
        );
        assert_eq!(lines.len(), 5);
        let keyless = |line: &str| {
            line.split(',').filter(|cell| cell.len() != 64).collect::<Vec<_>>().join(",")
        };
        assert_eq!(keyless(lines[1]), "0,1,x,1,4,,,5,3,1,0,pass,");
        assert_eq!(keyless(lines[2]), "0,2,x,1,6,1,,5,3,1,0,pass,");
        assert_eq!(keyless(lines[3]), "1,1,\"y,z\",1,8,,-3,5,3,1,0,pass,");
        let stopped = "1,2,\"y,z\",1,5,,5,5,3,0,0,\"stopped: \"\"enough\"\"\",";
        assert_eq!(keyless(lines[4]), stopped);
    }

    #[test]
    fn a_point_has_figures_over_the_seeds_that_came_to_their_end() {
        let text = points_csv(&definition(), &records()).expect("a table");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[0],
            "point,a.b,end_ns,metric,unit,n,never,stopped,mean,deviation,median,p10,p90,low,high"
        );
        // 4 and 6: mean 5, deviation sqrt(2), interval 5 +- 12.706 * sqrt(2) / sqrt(2).
        let two = "0,x,1,end_ns,nanoseconds,2,0,0,5,1.414,5,4.2,5.8,-7.706,17.706";
        assert_eq!(lines[1], two);
        assert_eq!(lines[2], "0,x,1,m,count,1,0,0,1,,1,1,1,,");
        assert_eq!(lines[3], "0,x,1,z,count,0,2,0,,,,,,,");
        assert_eq!(lines[4], "1,\"y,z\",1,end_ns,nanoseconds,1,0,1,8,,8,8,8,,");
        assert_eq!(lines[5], "1,\"y,z\",1,m,count,0,0,1,,,,,,,");
        assert_eq!(lines[6], "1,\"y,z\",1,z,count,1,0,1,-3,,-3,-3,-3,,");
        assert_eq!(lines.len(), 7);
    }
}
