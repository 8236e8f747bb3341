//! Equalities of worlds with blocks: what must not change a run does not, to the last byte of its
//! digest, its summary and its tables.

use headwater::base::time::{Span, Time};
use headwater::fact::{Census, Deaf, Fact, Observer, World};
use headwater::metrics::table::MemorySink;
use headwater::metrics::{BLOCKS, MESSAGES, NODES, TABLES};
use headwater::run::build;
use headwater::scenario::plan::Plan;
use headwater::sim::Advance;

use crate::support::{Ran, plan_with, ran_heard, ran_plan};

/// What all worlds have: loss, a partition and crashes, so that shreds are recovered and repaired,
/// blocks expire and chains fork. Node 12 is an observer.
const COMMON: &str = r#"
seed = 11
duration = "4s"
[nodes]
count = 13
observers = 1
stake = { kind = "zipf-mandelbrot", exponent = 0.6 }
[network]
latency = { kind = "uniform", min = "5ms", max = "40ms" }
uplink = "20Mbit/s"
loss = "8%"
[[faults]]
kind = "crash"
at = "1s"
for = "600ms"
nodes = "3..5"
memory = "lost"
[[faults]]
kind = "partition"
at = "2s"
for = "500ms"
groups = ["0..6", "rest"]
"#;

/// The classroom's way: everybody sends to own peers, one after the other, and asks for what is
/// missing.
const CLASSROOM: &str = r#"
[slots]
duration = "200ms"
schedule = "poh"
hashes_per_slot = 50
[blocks]
content = "synthetic"
bytes = "20kB"
[turbine]
tree = "round-robin"
fanout = 3
proposals = true
expiry = "1s"
[repair]
style = "classroom"
timeout = "100ms"
retry = "150ms"
[gossip]
style = "push"
interval = "300ms"
recent_blocks = 2
"#;

/// Solana's way: leaders by ticks, a stake-weighted tree for every shred, coding, repair.
const SOLANA: &str = r#"
[slots]
duration = "200ms"
start = "poh"
[blocks]
content = "synthetic"
bytes = "55_000B"
[turbine]
tree = "stake-weighted"
fanout = 3
coding = "32:32"
chunk_size = "963B"
last_chunk_size = "899B"
data_overhead = "240B"
coding_overhead = "265B"
emission = "by-set"
next_leader = true
[repair]
style = "solana"
"#;

/// Neither: relays, small sets, nothing passed on that was recovered.
const RELAYS: &str = r#"
[slots]
duration = "150ms"
schedule = "round-robin"
window = 2
[blocks]
content = "synthetic"
bytes = "9_999B"
[turbine]
tree = "relay"
coding = "3:2"
chunk_size = "333B"
emission = "by-shred"
forward_recovered = false
"#;

const WORLDS: [(&str, &str); 3] =
    [("classroom", CLASSROOM), ("solana", SOLANA), ("relays", RELAYS)];

fn world(own: &str, overrides: &[&str]) -> Plan {
    plan_with(&format!("{COMMON}{own}"), overrides)
}

fn ran(own: &str, overrides: &[&str]) -> Ran {
    ran_plan(&world(own, overrides))
}

/// Asserts that nothing at all is different.
fn assert_same(a: &Ran, b: &Ran, what: &str) {
    assert_eq!(a.0.digest, b.0.digest, "{what}");
    assert_eq!(a.0.summary, b.0.summary, "{what}");
    for table in TABLES {
        assert_eq!(a.0.sink.rows(table), b.0.sink.rows(table), "{what}: {}", table.name);
    }
}

#[test]
fn equalities_are_about_worlds_in_which_much_happens() {
    for (name, own) in WORLDS {
        let ran = ran(own, &[]);
        let blocks = ran.0.summary.blocks.as_ref().expect("there are blocks");
        assert!(blocks.made >= 10 && blocks.whole_pairs > 60, "{name}: {blocks:?}");
        assert!(
            blocks.coverage_min_ppm < Some(1_000_000) || name == "solana",
            "{name}: {blocks:?}"
        );
        assert!((blocks.shreds.recovered > 100) == (name != "classroom"), "{name}: {blocks:?}");
        assert!((blocks.shreds.repaired > 10) == (name != "relays"), "{name}: {blocks:?}");
        let other = ran_plan(&world(own, &["seed=12"]));
        assert_ne!(ran.0.digest, other.0.digest, "{name}: another seed is another run");
    }
}

#[test]
fn equalities_real_coding_is_the_same_run_as_counting() {
    for (coding, chunk) in [("4:4", "1000B"), ("32:32", "963B"), ("3:1", "333B"), ("20:44", "77B")]
    {
        for own in [SOLANA, RELAYS] {
            // 22,222 B fill no whole number of sets of any of these. With more loss, hardly any
            // block of sets of 3 + 1 would become whole, and be counted.
            let (coding, chunk) =
                (format!("turbine.coding={coding}"), format!("turbine.chunk_size={chunk}"));
            let rest = ["blocks.bytes=22222B", "turbine.last_chunk_size=70B", "network.loss=1%"];
            let common = [&[coding.as_str(), &chunk], &rest[..]].concat();
            let counted = ran(own, &common);
            let real = ran(own, &[&common[..], &["turbine.erasure=real"]].concat());
            assert_same(&counted, &real, &coding);
            let blocks = real.0.summary.blocks.as_ref().expect("there are blocks");
            assert!(blocks.shreds.recovered > 100, "{coding}: {blocks:?}");
            assert_eq!(blocks.miscoded, 0, "{coding}");
        }
    }
}

#[test]
fn equalities_keys_that_change_only_how_a_run_is_worked_out() {
    for (name, own) in WORLDS {
        let plain = ran(own, &[]);
        for set in ["turbine.memo=false", "turbine.erasure=real", "crypto=real", "crypto=modelled"]
        {
            assert_same(&plain, &ran(own, &[set]), &format!("{name}, {set}"));
        }
    }
}

#[test]
fn equalities_what_is_zero_is_as_good_as_absent() {
    for (name, own) in WORLDS {
        let lossless = COMMON.replacen("loss = \"8%\"\n", "", 1);
        let without = ran_plan(&plan_with(&format!("{lossless}{own}"), &[]));
        let zero = ["network.loss=0%", "network.duplicate=0", "cost.code=0s", "cost.shred=0s"];
        assert_same(&without, &ran(own, &zero), name);
        assert_ne!(without.0.digest, ran(own, &[]).0.digest, "{name}: loss is a difference");
    }
}

/// Looks at everything and does nothing.
struct Curious(Time);

impl Observer for Curious {
    fn on_fact(&mut self, _: Time, _: &Fact) {}
    fn next_sample(&self) -> Option<Time> {
        Some(self.0)
    }
    fn on_sample(&mut self, at: Time, _: &World, _: &dyn Census) {
        self.0 = at + Span::from_millis(7);
    }
}

#[test]
fn equalities_watched_sliced_and_repeated() {
    for (name, own) in WORLDS {
        let plan = world(own, &[]);
        let plain = ran_plan(&plan);
        assert_same(&plain, &ran_plan(&plan), name);
        assert_same(&plain, &ran_heard(&plan, Curious(Time::ZERO)), name);
        // Rows on other occasions are another matter; the run is the same.
        let metrics = ["output.timeline=9ms", "output.node_timeline=0s", "output.peers=false"];
        let measured = ran(own, &metrics);
        assert_eq!(measured.0.digest, plain.0.digest, "{name}: measured");
        for table in [&BLOCKS, &MESSAGES, &NODES] {
            assert_eq!(measured.0.sink.rows(table), plain.0.sink.rows(table), "{name}: measured");
        }
        let mut sliced = build(&plan, MemorySink::new(), Deaf);
        let mut until = Time::ZERO;
        while until < plan.end {
            until = (until + Span::from_micros(3_577)).min(plan.end);
            while sliced.advance(until, 11) == Ok(Advance::Paused) {}
        }
        assert_eq!(sliced.trace().value(), plain.0.digest, "{name}: sliced");
    }
}

#[test]
fn equalities_a_run_is_the_beginning_of_a_longer_one() {
    for (name, own) in WORLDS {
        let (short, long) = (world(own, &[]), world(own, &["duration=8s"]));
        let mut world = build(&long, MemorySink::new(), Deaf);
        assert_eq!(world.advance(short.end, u64::MAX), Ok(Advance::Reached));
        assert_eq!(world.trace().value(), ran_plan(&short).0.digest, "{name}");
        assert_eq!(world.advance(long.end, u64::MAX), Ok(Advance::Reached));
        assert_eq!(world.trace().value(), ran_plan(&long).0.digest, "{name}");
    }
}

#[test]
fn equalities_an_idle_node_changes_nothing_for_the_others() {
    // Who has no stake, is nobody's peer and knows nobody. It would have a place in trees, which
    // are over all nodes, so blocks travel among peers, with any schedule.
    let edges = "[topology]\nkind = \"edges\"\nallow_disconnected = true\nlist = [[0, 1], [1, 2], \
                 [2, 3], [3, 4], [4, 5], [5, 6], [6, 7], [7, 8], [8, 9], [9, 10], [10, 11], \
                 [11, 0], [0, 6], [2, 9], [12, 4]]\n";
    for schedule in ["poh", "epoch", "round-robin"] {
        let own = format!("{edges}{CLASSROOM}");
        let key = format!("slots.schedule={schedule}");
        let without = ran(&own, &[&key]);
        let with = ran(&own, &[&key, "nodes.count=14", "nodes.observers=2"]);
        assert!(without.0.summary.blocks.as_ref().expect("blocks").whole_pairs > 60, "{schedule}");
        assert_eq!(without.0.digest, with.0.digest, "{schedule}");
        assert_eq!(without.0.sink.rows(&MESSAGES), with.0.sink.rows(&MESSAGES), "{schedule}");
        assert_eq!(without.0.sink.rows(&NODES)[..], with.0.sink.rows(&NODES)[..13], "{schedule}");
        for column in ["sent", "received"] {
            assert_eq!(with.lookup(&NODES, "node", "13", column), Some(0), "{schedule}");
        }
    }
}
