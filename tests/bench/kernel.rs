//! Benchmarks of the kernel on three fixed workloads, defined to the bit, so that any engine can be
//! measured on the same work: W1 "hold", W2 "push gossip", W3 "turbine-like block". Each run checks
//! that the work was the right work.
//!
//! `cargo bench --bench kernel [-- w1 w2 w3 --quick --runs 5]`. Prints processor time of the run
//! phase, the median of five runs with minimum and maximum; README.md beside this file says more.

mod alone;
mod hold;
mod measured;
mod mix;
mod push;
mod shreds;
mod suite;
mod whole;
mod work;

use std::process::ExitCode;

use self::suite::{Suite, Workload};

fn main() -> ExitCode {
    Suite { groups: &["w1", "w2", "w3"], workloads }.main()
}

fn workloads(quick: bool) -> Vec<Workload> {
    let mut all = Vec::new();
    for pending in [1_000, 100_000, 1_000_000] {
        let name = format!("W1 hold, P={pending}");
        all.push(Workload::new("w1", name, move |_| hold::run(pending)));
    }
    for nodes in [1_000, 10_000] {
        let name = format!("W2 push gossip, N={nodes}");
        all.push(Workload::new("w2", name, move |_| push::run(nodes)));
        let name = format!("W2 as a scenario, N={nodes}");
        all.push(Workload::new("w2", name, move |_| whole::run_scenario(nodes)));
    }
    let slots = if quick { 2 } else { 10 };
    let name = format!("W3 shreds, {slots} slots");
    all.push(Workload::new("w3", name, move |_| shreds::run(slots)));
    all
}
