//! Command line: predicts what a sweep costs, by making the beginnings of a few of its runs.

use std::time::{Duration, Instant};

use super::super::Failure;
use crate::base::time::Span;
use crate::experiment::{Experiment, ExperimentError, many};
use crate::fact::Deaf;
use crate::metrics::table::MemorySink;
use crate::run::{Go, run};
use crate::scenario::plan::Plan;

/// Points that are tried.
const SAMPLES: usize = 6;

/// How long each is tried.
const TRIAL: Duration = Duration::from_millis(300);

/// What `runs` of the sweep would cost on so many cores, in words.
pub(super) fn forecast(
    experiment: &Experiment,
    runs: usize,
    jobs: usize,
) -> Result<String, Failure> {
    let points = experiment.points();
    let samples = SAMPLES.min(points);
    let seed = experiment.definition().first_seeds().first().copied().unwrap_or_default();
    let mut seconds = 0.0;
    let mut events = 0.0;
    for sample in 0..samples {
        // Spread evenly, the first and the last point among them.
        let point = if samples > 1 { sample * (points - 1) / (samples - 1) } else { 0 };
        let plan = experiment.plan(point, seed).map_err(ExperimentError::Scenario)?;
        let (of_run, handled) = trial(&plan);
        seconds += of_run / samples as f64;
        events += handled / samples as f64;
    }
    let all = seconds * runs as f64;
    let cores = jobs.min(runs.max(1));
    let time = |seconds: f64| Span::from_nanos((seconds * 1e3) as u64 * 1_000_000);
    Ok(format!(
        "predicted, from the beginnings of {}: {events:.0} events and {} per run, {} on {} at a \
         time\n",
        many(samples, "point"),
        time(seconds),
        time(all / cores as f64),
        many(cores, "core"),
    ))
}

/// Seconds and events of a whole run, as its beginning lets expect.
#[expect(clippy::disallowed_methods, reason = "a prediction of wall time, for people only")]
fn trial(plan: &Plan) -> (f64, f64) {
    let start = Instant::now();
    let mut short = plan.clone();
    short.scenario.output.peers = false;
    let finished = run(&short, MemorySink::new(), Deaf, &mut |_| {
        if start.elapsed() > TRIAL { Go::Stop } else { Go::On }
    });
    let reached = finished.reached.as_nanos().max(1) as f64;
    let share = (plan.end.as_nanos() as f64 / reached).max(1.0);
    (start.elapsed().as_secs_f64() * share, finished.handled as f64 * share)
}
