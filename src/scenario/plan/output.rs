//! Scenario layer: `[output]` resolved: what would drown the reader is thinned out, unless it was
//! asked for.

use super::Plan;
use crate::base::time::Span;
use crate::scenario::error::ScenarioError;
use crate::scenario::schema::output::{OutputConfig, RowsConfig};

/// Rows that `timeline.csv` gets unasked at most: some 8 MB of text.
const TIMELINE_ROWS: u64 = 100_000;

/// Rows that `node_timeline.csv` gets unasked at most: some 60 MB of text.
const NODE_TIMELINE_ROWS: u64 = 2_000_000;

/// From so many rows of a table on there is a note: gigabytes of text.
const NOTED_ROWS: u64 = 50_000_000;

/// Largest complete overlay whose peers are listed unasked.
const MOST_LISTED: usize = 1_000;

/// Checks `[output]`, fills in how often is sampled, and switches off what would drown the reader.
pub(super) fn settle(plan: &mut Plan) -> Result<(), ScenarioError> {
    let (nodes, length) = (plan.population.count(), plan.scenario.duration);
    let output = &mut plan.scenario.output;
    check(output)?;
    let tables = [
        ("timeline", &mut output.timeline, 1, Span::from_secs(1), TIMELINE_ROWS),
        (
            "node_timeline",
            &mut output.node_timeline,
            nodes as u64,
            Span::from_secs(5),
            NODE_TIMELINE_ROWS,
        ),
    ];
    for (table, interval, rows, step, most) in tables {
        let interval = *interval.get_or_insert_with(|| spacing(length, step, most / rows));
        let rows = samples(length, interval).saturating_mul(rows);
        if rows > NOTED_ROWS {
            plan.notes.push(format!("output.{table}: {interval} makes {rows} rows of {table}.csv"));
        }
    }
    if output.peers && plan.overlay.complete && nodes > MOST_LISTED {
        output.peers = false;
        plan.notes.push(format!(
            "peers.csv stays empty at the end: {nodes} nodes on a complete overlay all know each other"
        ));
    }
    Ok(())
}

/// The shortest multiple of `step` that samples a run of this length at most so often.
fn spacing(length: Span, step: Span, most: u64) -> Span {
    // One of the samples is the one at the end.
    let steps = length.as_nanos().div_ceil(most.saturating_sub(1).max(1)).div_ceil(step.as_nanos());
    step * steps.max(1)
}

/// How often a run is sampled: at its start, after every interval and at its end.
const fn samples(length: Span, interval: Span) -> u64 {
    if interval.is_zero() {
        return 0;
    }
    length.as_nanos().div_ceil(interval.as_nanos()) + 1
}

fn check(output: &OutputConfig) -> Result<(), ScenarioError> {
    const SHORTEST: Span = Span::from_micros(10);
    for (key, span) in [("timeline", output.timeline), ("node_timeline", output.node_timeline)] {
        if let Some(span) = span.filter(|span| !span.is_zero() && *span < SHORTEST) {
            let message =
                format!("{span} is too short an interval; expected 0s or at least {SHORTEST}");
            return Err(ScenarioError::new(format!("output.{key}"), message));
        }
    }
    if let (Some(from), Some(until)) = (output.deliveries_from, output.deliveries_until)
        && until < from
    {
        let message = format!("{until} is before deliveries_from = \"{from}\"");
        return Err(ScenarioError::new("output.deliveries_until", message));
    }
    let window = output.deliveries_from.is_some() || output.deliveries_until.is_some();
    if window && !output.deliveries_of.is_empty() {
        let message = "deliveries are chosen by rumor or by time, not both";
        return Err(ScenarioError::new("output.deliveries_of", message));
    }
    if output.deliveries == RowsConfig::None && (window || !output.deliveries_of.is_empty()) {
        let message = "deliveries are chosen here, but deliveries = \"none\" writes none of them";
        return Err(ScenarioError::new("output.deliveries", message));
    }
    check_block_arrivals(output)
}

fn check_block_arrivals(output: &OutputConfig) -> Result<(), ScenarioError> {
    let (from, until) = (output.block_arrivals_from, output.block_arrivals_until);
    if let (Some(from), Some(until)) = (from, until)
        && until < from
    {
        let message = format!("slot {until} is before block_arrivals_from = {from}");
        return Err(ScenarioError::new("output.block_arrivals_until", message));
    }
    if output.block_arrivals == RowsConfig::None && (from.is_some() || until.is_some()) {
        let message = "slots are chosen here, but block_arrivals = \"none\" writes none of them";
        return Err(ScenarioError::new("output.block_arrivals", message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_runs_are_sampled_less_often_and_never_more_than_so_often() {
        let (second, five) = (Span::from_secs(1), Span::from_secs(5));
        assert_eq!(spacing(Span::from_secs(12), second, TIMELINE_ROWS), second);
        // 99,999 s are 100,000 samples, the one at the end included.
        assert_eq!(spacing(Span::from_secs(99_999), second, TIMELINE_ROWS), second);
        assert_eq!(spacing(Span::from_secs(100_000), second, TIMELINE_ROWS), second * 2);
        // 366 days are 31,622,400 s; divided by 99,999 that is 316.2 s.
        let year = Span::from_secs(31_622_400);
        assert_eq!(spacing(year, second, TIMELINE_ROWS), second * 317);
        // 100,000 nodes get 20 samples: 100 s in 19 intervals are 5.3 s each.
        assert_eq!(spacing(Span::from_secs(100), five, 20), five * 2);
        for (length, most) in [(99_999, 100_000), (31_622_400, 100_000), (100, 20), (7, 2), (7, 1)]
        {
            let length = Span::from_secs(length);
            let found = samples(length, spacing(length, second, most));
            assert!(found <= most.max(2), "{length}: {found} samples");
        }
    }
}
