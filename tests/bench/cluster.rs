//! Benchmarks of the whole simulator: blocks, consensus and gossip as shipped scenarios, and how
//! cost grows with nodes, shreds and virtual time.
//!
//! `cargo cluster [w3 large dissemination consensus mainnet gossip scaling --quick --runs 5 --for
//! 2s]`. Prints processor time per delivery, virtual seconds per processor second and memory;
//! README.md beside this file says more.

mod alone;
mod measured;
mod scenario;
mod suite;

use std::process::ExitCode;

use self::measured::Measured;
use self::suite::{Suite, Workload};

const GROUPS: &[&str] =
    &["w3", "large", "dissemination", "consensus", "mainnet", "gossip", "scaling"];

fn main() -> ExitCode {
    Suite { groups: GROUPS, workloads }.main()
}

/// A shipped scenario for so long, with keys changed.
fn cluster(
    group: &'static str,
    label: &str,
    name: &'static str,
    duration: &str,
    sets: &[&str],
) -> Workload {
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    let duration = duration.to_owned();
    Workload::new(group, label.to_owned(), move |asked| {
        let duration = format!("duration={}", asked.unwrap_or(&duration));
        let measured = scenario::run(name, &[sets.as_slice(), &[duration]].concat());
        let virtual_seconds =
            if name == "w3" { loaded(&measured) } else { measured.virtual_seconds };
        Measured { virtual_seconds, ..measured }
    })
}

/// The part of W3's virtual time in which leaders send: slots 1 to 10, of 400 ms each. The slot
/// before and what the last shreds need to arrive are no work.
fn loaded(measured: &Measured) -> f64 {
    (measured.virtual_seconds - 0.4).clamp(0.0, 4.0)
}

fn workloads(quick: bool) -> Vec<Workload> {
    let long = |whole: &'static str, quick_one: &'static str| if quick { quick_one } else { whole };
    let mut all = vec![
        cluster("w3", "W3 as a scenario", "w3", long("5100ms", "1200ms"), &[]),
        Workload {
            most_runs: 1,
            ..cluster(
                "large",
                "W3 with 10,000 nodes",
                "w3",
                long("5100ms", "600ms"),
                &["nodes.count=10000"],
            )
        },
        cluster(
            "dissemination",
            "1,500: shreds, repair",
            "mainnet-dissemination",
            long("4s", "1s"),
            &[],
        ),
        cluster("consensus", "100: all, small blocks", "lossy-cluster", long("30s", "5s"), &[]),
        Workload {
            most_runs: 1,
            ..cluster("mainnet", "1,500: everything", "mainnet", long("1s", "200ms"), &[])
        },
        cluster(
            "gossip",
            "10,000: gossip, rumors",
            "geographic-cluster",
            long("6s", "2500ms"),
            &["nodes.count=10000", "output.node_timeline=0s", "output.peers=false"],
        ),
    ];
    all.extend(scaling(quick));
    all
}

/// One quantity at a time doubles: nodes, shreds per slot, virtual time.
fn scaling(quick: bool) -> Vec<Workload> {
    let steps = if quick { 1..=2 } else { 0..=3 };
    let row = |label: String, name: &'static str, duration: &str, sets: &[String]| {
        let sets: Vec<&str> = sets.iter().map(String::as_str).collect();
        Workload { most_runs: 3, ..cluster("scaling", &label, name, duration, &sets) }
    };
    let nodes = steps.clone().map(|step| {
        let nodes = 375 << step;
        let sets = [format!("nodes.count={nodes}"), "blocks.shreds=500".to_owned()];
        row(format!("W3, 500 shreds, {nodes} nodes"), "w3", "2500ms", &sets)
    });
    let shreds = steps.clone().map(|step| {
        let shreds = 250 << step;
        let sets = [format!("blocks.shreds={shreds}")];
        row(format!("W3, {shreds} shreds"), "w3", "2500ms", &sets)
    });
    let time = steps.map(|step| {
        let duration = format!("{}s", 5 << step);
        row(format!("100 validators for {duration}"), "lossy-cluster", &duration, &[])
    });
    nodes.chain(shreds).chain(time).collect()
}
