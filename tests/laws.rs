//! What the simulator must obey: set-ups whose answers follow from mathematics, as ordinary
//! scenario texts. Exact answers are compared to the nanosecond. Statistics are compared over
//! seeds, with a tolerance of six standard errors (once in 500 million) unless a comment says
//! otherwise;
//! the standard error is derived from the law itself and never estimated from the program's output.

mod conservation;
mod flooding;
mod geography;
mod loss;
mod propagation;
mod queues;
mod serialisation;
mod spreading;
mod streams;
mod tower;

/// Nanoseconds of a millisecond.
const MS: u64 = 1_000_000;

/// A scenario of rumors alone that writes no regular samples: `nodes` is their number, `body` the
/// rest of the text.
fn scenario(nodes: usize, duration: &str, seed: u64, body: &str) -> String {
    format!(
        "seed = {seed}\nduration = \"{duration}\"\n[output]\ntimeline = \"0s\"\n\
         node_timeline = \"0s\"\npeers = false\n[nodes]\ncount = {nodes}\n{body}\n"
    )
}

fn mean(samples: &[f64]) -> f64 {
    samples.iter().sum::<f64>() / samples.len() as f64
}

/// Asserts that `found` is `expected` up to `tolerance`.
fn assert_near(what: &str, found: f64, expected: f64, tolerance: f64) {
    let miss = (found - expected).abs();
    assert!(miss <= tolerance, "{what}: {found}, expected {expected} within {tolerance}");
}
