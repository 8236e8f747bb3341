//! Benchmarks of the kernel on three fixed workloads, defined to the bit, so that any engine can be
//! measured on the same work: W1 "hold", W2 "push gossip", W3 "turbine-like block". Each run checks
//! that the work was the right work.
//!
//! `cargo bench --bench kernel [-- w1 w2 w3 --quick]`. Prints processor time of the run phase, the
//! median of five runs with minimum and maximum.

mod hold;
mod mix;
mod push;
mod shreds;
mod whole;

/// One measured run: units of work and processor seconds.
struct Measured {
    units: u64,
    seconds: f64,
    virtual_seconds: f64,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let named: Vec<&String> = arguments.iter().filter(|a| !a.starts_with("--")).collect();
    let wanted = |name: &str| named.is_empty() || named.iter().any(|n| n.as_str() == name);
    let runs = if quick { 1 } else { 5 };
    println!(
        "{:<28} {:>12} {:>30} {:>12}",
        "workload", "units", "ns per unit [min..max]", "M units/s"
    );
    if wanted("w1") {
        for pending in [1_000, 100_000, 1_000_000] {
            report(&format!("W1 hold, P={pending}"), runs, || hold::run(pending));
        }
    }
    if wanted("w2") {
        for nodes in [1_000, 10_000] {
            report(&format!("W2 push gossip, N={nodes}"), runs, || push::run(nodes));
            let name = format!("W2 as a scenario, N={nodes}");
            report(&name, runs, || whole::run_scenario(nodes));
        }
    }
    if wanted("w3") {
        let slots = if quick { 2 } else { 10 };
        report(&format!("W3 shreds, {slots} slots"), runs, || shreds::run(slots));
    }
}

fn report(name: &str, runs: usize, run: impl Fn() -> Measured) {
    let mut all: Vec<Measured> = (0..runs).map(|_| run()).collect();
    all.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    let nanos = |m: &Measured| m.seconds * 1e9 / m.units as f64;
    let median = &all[runs / 2];
    let (least, most) = (nanos(&all[0]), nanos(&all[runs - 1]));
    let spread = format!("{:.1} [{least:.1}..{most:.1}]", nanos(median));
    print!("{name:<28} {:>12} {spread:>30} {:>12.2}", median.units, 1e3 / nanos(median));
    if median.virtual_seconds > 0.0 {
        print!("   {:.2} virtual s per s", median.virtual_seconds / median.seconds);
    }
    println!();
}
