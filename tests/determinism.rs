//! The same scenario and seed give the same bytes: golden digests of every shipped scenario, and
//! the equalities that nothing outside the plan may break.

use std::fmt::Write as _;
use std::process::Command;

use headwater::base::time::{Span, Time};
use headwater::fact::{Census, Deaf, Fact, Observer, World};
use headwater::metrics::table::MemorySink;
use headwater::run::{Finished, Go, build, run};
use headwater::scenario::plan::Plan;
use headwater::scenario::shipped::SCENARIOS;

use crate::support::{blessing, golden, part_of, ran_plan, shipped};

/// Seed and prefix of the golden run of each scenario: whole, or as much as a test can take.
const PREFIXES: &[(&str, &str)] =
    &[("geographic-cluster", "6s"), ("solana-gossip", "7s"), ("lossy-cluster", "6s")];

fn golden_plan(name: &str, seed: u64) -> Plan {
    let prefix = PREFIXES.iter().find(|(scenario, _)| *scenario == name);
    let prefix = part_of(name).or(prefix.map(|(_, duration)| *duration));
    let seed = format!("seed={seed}");
    match prefix {
        Some(duration) => shipped(name, &[&seed, &format!("duration={duration}")]),
        None => shipped(name, &[&seed]),
    }
}

/// A readable account of a run: when it changes, the difference says what moved.
fn account(name: &str, seed: u64) -> String {
    let plan = golden_plan(name, seed);
    let Finished { summary, digest, handled, .. } = ran_plan(&plan).0;
    let mut text = format!("{name} seed={seed} duration={}\n", plan.scenario.duration);
    let mut say = |key: &str, value: String| writeln!(text, "  {key:<22} {value}").expect("text");
    let never = |value: Option<u64>| value.map_or("never".to_owned(), |value| value.to_string());
    say("digest", digest.to_string());
    say("plan", plan.digest().to_string());
    say("events", handled.to_string());
    say("sent", summary.messages.sent.to_string());
    say("delivered", summary.messages.delivered.to_string());
    say("dropped", summary.messages.dropped.to_string());
    say("delivered_bytes", summary.bytes.delivered.to_string());
    let registry = summary.registry.as_ref();
    say("converged_ns", never(registry.and_then(|registry| registry.converged_ns)));
    say("slowest_heal_ns", never(registry.and_then(|registry| registry.slowest_heal_ns)));
    say("coverage_mean_ppm", never(summary.rumors.coverage_mean_ppm));
    say("rumor_latency_mean_ns", never(summary.rumors.latency.mean_ns));
    text
}

#[test]
fn golden_digests_of_every_shipped_scenario() {
    let path = "tests/golden/digests.txt";
    let mut now = String::from("# BLESS=1 cargo test golden_digests writes this file anew.\n");
    for scenario in SCENARIOS {
        for seed in [1, 2] {
            now += &account(scenario.name, seed);
        }
    }
    golden(path, &now, "a digest moved: say in the commit which rule of the model did");
}

/// What the program says of a scenario that is there to show that something can break.
fn exit_code(name: &str) -> i32 {
    i32::from(name == "safety-violation")
}

/// The program is another binary than the tests, and may be built with another profile: what it
/// writes is compared with the same file.
#[test]
fn golden_digests_are_those_of_the_program_too() {
    if blessing() {
        // The file is being written at this moment.
        return;
    }
    let golden = std::fs::read_to_string("tests/golden/digests.txt").expect("golden digests");
    let folder = tempfile::tempdir().expect("a folder");
    for scenario in SCENARIOS {
        let name = scenario.name;
        let duration = golden_plan(name, 1).scenario.duration.to_string();
        let done = Command::new(env!("CARGO_BIN_EXE_headwater"))
            .args(["run", name, "--quiet", "--seed", "1", "--duration", &duration, "-o", name])
            // Shorter than what its expectations are about.
            .args(["--set", "expect=[]"])
            .current_dir(folder.path())
            .output();
        let done = done.expect("the program starts");
        let stderr = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(exit_code(name)), "{name}: {stderr}");
        let manifest = std::fs::read(folder.path().join(name).join("manifest.json"));
        let manifest: serde_json::Value =
            serde_json::from_slice(&manifest.expect("a manifest")).expect("JSON");
        let digest = manifest["event_digest"].as_str().expect("a text");
        let account =
            format!("{name} seed=1 duration={duration}\n  digest                 {digest}\n");
        assert!(golden.contains(&account), "{account} is not among the golden digests");
    }
}

/// Looks at everything and does nothing.
struct Curious(u64, Time);

impl Observer for Curious {
    fn on_fact(&mut self, _: Time, _: &Fact) {
        self.0 += 1;
    }
    fn next_sample(&self) -> Option<Time> {
        Some(self.1)
    }
    fn on_sample(&mut self, at: Time, _: &World, _: &dyn Census) {
        self.1 = at + Span::from_millis(7);
    }
}

#[test]
fn neither_another_listener_nor_the_slicing_of_a_run_changes_it() {
    for scenario in ["quick-start", "partition-heal"] {
        let plan = shipped(scenario, &[]);
        let reference = ran_plan(&plan).0;
        let watched = run(&plan, MemorySink::new(), Curious(0, Time::ZERO), &mut |_| Go::On);
        assert_eq!(watched.digest, reference.digest, "{scenario}: watched");
        assert_eq!(watched.summary, reference.summary, "{scenario}: watched");
        let mut world = build(&plan, MemorySink::new(), Deaf);
        // Odd slices of time and of events.
        let mut until = Time::ZERO;
        while until < plan.end {
            until = (until + Span::from_micros(13_577)).min(plan.end);
            while world.advance(until, 11) == Ok(headwater::sim::Advance::Paused) {}
        }
        assert_eq!(world.trace().value(), reference.digest, "{scenario}: sliced");
    }
}

#[test]
fn the_same_plan_twice_gives_the_same_rows() {
    let plan = shipped("loss-and-crash", &[]);
    let (first, second) = (ran_plan(&plan).0, ran_plan(&plan).0);
    assert_eq!(first.digest, second.digest);
    for table in headwater::metrics::TABLES {
        assert_eq!(first.sink.rows(table), second.sink.rows(table), "{}", table.name);
    }
    let other = ran_plan(&shipped("loss-and-crash", &["seed=2"])).0;
    assert_ne!(first.digest, other.digest, "another seed is another run");
}

#[test]
fn the_resolved_scenario_is_the_same_run() {
    for scenario in SCENARIOS {
        let plan = shipped(scenario.name, &[]);
        let again = crate::support::plan(&plan.resolved());
        assert_eq!(plan.key(), again.key(), "{}", scenario.name);
    }
}
