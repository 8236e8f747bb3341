//! Law 11: what does not matter changes no byte: a node that nobody knows, a metric, a fault after
//! the end, a loss of zero. More loss loses more and nothing else; a longer run begins like a
//! shorter one.

use std::collections::BTreeSet;

use headwater::metrics::table::TableSpec;
use headwater::metrics::{MESSAGES, NODES, RUMORS, TIMELINE};

use crate::support::{Delivery, Ran, plan, plan_with, ran, ran_plan};

/// Last instant of the busy scenario.
const SECONDS: u64 = 6;

/// Everything at once: 16 nodes of which 2 have no stake, in a ring with chords, all parts of the
/// protocol on, links that do all they can, and faults within the run and across its end.
const BUSY: &str = r#"
seed = 7
duration = "6s"
[nodes]
count = 16
observers = 2
stake = { kind = "zipf-mandelbrot", total = 1_000_000 }
stagger = "10ms"
[topology]
kind = "edges"
allow_disconnected = true
list = [[0, 1], [1, 2], [2, 3], [3, 4], [4, 5], [5, 6], [6, 7], [7, 8], [8, 9], [9, 10], [10, 11],
        [11, 12], [12, 13], [13, 14], [14, 15], [15, 0], [0, 8], [2, 11], [4, 14], [5, 12], [1, 9]]
[network]
latency = { kind = "log-normal", median = "40ms", sigma = 0.7 }
jitter = { kind = "exponential", mean = "5ms" }
duplicate = "1%"
corrupt = "1%"
header = "28B"
uplink = { rate = "2Mbit/s", buffer = 60 }
downlink = { rate = "3Mbit/s", buffer = "64KiB" }
[[network.link]]
from = "0..4"
to = "validators"
in_order = true
duplicate = "3%"
[discovery]
enabled = true
request_interval = "900ms"
ping_interval = "500ms"
timeout = "300ms"
attempts = 2
[gossip]
style = "push-pull"
interval = "400ms"
refresh = "1500ms"
[[rumors]]
per_second = 25.0
node = "validators"
spread = "flood"
size = "900B"
[[rumors]]
per_second = 4.0
node = "0..12"
spread = "push-pull"
fanout = 2
interval = "300ms"
size = "300B"
rounds = 4
[[rumors]]
every = "70ms"
node = "3..6"
to = "8..14"
spread = "direct"
size = "5kB"
[[faults]]
kind = "partition"
at = "1s"
for = "700ms"
groups = ["stake:33%", "rest"]
[[faults]]
kind = "crash"
at = "2s"
for = "500ms"
nodes = "4..7"
memory = "lost"
[[faults]]
kind = "churn"
at = "3s"
nodes = "7..12"
every = "400ms"
downtime = { kind = "exponential", mean = "300ms" }
[[faults]]
kind = "loss"
at = "2500ms"
for = "2s"
from = "0..5"
probability = "20%"
[[faults]]
kind = "delay"
at = "4s"
to = "validators"
extra = { kind = "uniform", min = "0s", max = "50ms" }
[[faults]]
kind = "partition"
at = "5500ms"
for = "2s"
groups = ["0..5", "rest"]
"#;

/// The busy scenario with other keys.
fn busy(overrides: &[&str]) -> Ran {
    ran_plan(&plan_with(BUSY, overrides))
}

fn rows(ran: &Ran, table: &TableSpec) -> Vec<String> {
    ran.0.sink.rows(table).iter().map(|row| format!("{row:?}")).collect()
}

/// Asserts that nothing happened differently.
fn assert_same(a: &Ran, b: &Ran, what: &str) {
    assert_eq!(a.0.digest, b.0.digest, "{what}");
    assert_eq!(a.deliveries(), b.deliveries(), "{what}");
    for table in [&MESSAGES, &NODES] {
        assert_eq!(rows(a, table), rows(b, table), "{what}: {}", table.name);
    }
}

#[test]
fn the_busy_scenario_is_busy() {
    let ran = busy(&[]);
    let (messages, faults) = (ran.0.summary.messages, &ran.0.summary.faults);
    assert!(messages.sent > 5_000, "{messages:?}");
    assert_eq!(faults.touched, faults.count, "{faults:?}");
    assert!(ran.0.summary.dropped.iter().count() >= 6, "{:?}", ran.0.summary.dropped);
    assert_ne!(ran.0.digest, busy(&["seed=8"]).0.digest);
}

#[test]
fn an_idle_node_changes_nothing_for_the_others() {
    // No stake, nobody's peer, knows nobody.
    let (without, with) = (busy(&[]), busy(&["nodes.count=17", "nodes.observers=3"]));
    assert_eq!(without.0.digest, with.0.digest);
    assert_eq!(without.deliveries(), with.deliveries());
    assert_eq!(rows(&without, &MESSAGES), rows(&with, &MESSAGES));
    let (mut others, all) = (rows(&without, &NODES), rows(&with, &NODES));
    assert_eq!(others, all[..16]);
    others.push(all[16].clone());
    assert_eq!(others, all);
    assert_eq!(with.lookup(&NODES, "node", "16", "sent"), Some(0));
    assert_eq!(with.lookup(&NODES, "node", "16", "received"), Some(0));
}

#[test]
fn another_metric_changes_nothing() {
    let plain = busy(&[]);
    for overrides in [
        &["output.timeline=10ms"][..],
        &["output.timeline=0s", "output.node_timeline=0s", "output.peers=false"],
        &["output.node_timeline=33ms", "output.peers_at=[\"1s\", \"2s\", \"2500ms\"]"],
    ] {
        assert_same(&plain, &busy(overrides), &overrides.join(", "));
    }
    for overrides in [
        &["output.deliveries=none"][..],
        &["output.deliveries_of=[3, 4]"],
        &["output.deliveries_from=2s", "output.deliveries_until=3s"],
    ] {
        let other = busy(overrides);
        assert_eq!(plain.0.digest, other.0.digest, "{overrides:?}");
        assert!(other.deliveries().len() < plain.deliveries().len(), "{overrides:?}");
        let all: BTreeSet<Delivery> = plain.deliveries().into_iter().collect();
        assert!(other.deliveries().iter().all(|row| all.contains(row)), "{overrides:?}");
    }
}

#[test]
fn a_fault_after_the_end_changes_nothing() {
    let plain = busy(&[]);
    for fault in [
        "kind = \"partition\"\ngroups = [\"random:5\"]",
        "kind = \"loss\"\nprobability = \"50%\"",
        "kind = \"delay\"\nextra = { kind = \"exponential\", mean = \"1s\" }",
        "kind = \"duplicate\"\nprobability = 1.0",
        "kind = \"throttle\"\nrate = \"1kbit/s\"",
        "kind = \"crash\"\nnodes = \"all\"",
        "kind = \"churn\"\nnodes = \"all\"\nevery = \"1ms\"\ndowntime = \"1s\"",
        "kind = \"pause\"\nnodes = \"all\"",
        "kind = \"slow\"\nnodes = \"all\"\nper_message = \"10ms\"",
        "kind = \"mute\"\nnodes = \"all\"",
        "kind = \"deaf\"\nnodes = \"all\"",
        "kind = \"clock\"\nnodes = \"all\"\nahead = \"1h\"\ndrift_ppm = 500",
    ] {
        // The last instant still counts, so a nanosecond later. At the end of the list, where it
        // moves the place of no other fault, and at its beginning.
        let fault = format!("[[faults]]\nat = \"6000000001ns\"\nmay_miss = true\n{fault}\n");
        assert_same(&plain, &ran(&format!("{BUSY}{fault}")), &fault);
        let first = BUSY.replacen("[[faults]]", &format!("{fault}[[faults]]"), 1);
        assert_same(&plain, &ran(&first), &fault);
    }
}

#[test]
fn what_is_zero_is_as_good_as_absent() {
    let plain = busy(&[]);
    for overrides in [
        &["network.loss=0"][..],
        &["network.loss=0%", "cost.message=0s", "cost.kilobyte=0s", "nodes.start=0s"],
        &["network.link[0].loss=0%", "network.link[0].corrupt=1%"],
    ] {
        assert_same(&plain, &busy(overrides), &overrides.join(", "));
    }
    for nothing in [
        "[[network.link]]\nfrom = \"3..9\"\nto = \"all\"\nloss = 0.0\n",
        "[[faults]]\nkind = \"loss\"\nat = \"1s\"\nprobability = 0\n",
        "[[faults]]\nkind = \"delay\"\nat = \"1s\"\nextra = \"0s\"\n",
        "[[faults]]\nkind = \"duplicate\"\nat = \"1s\"\nprobability = \"0%\"\n",
        "[[nodes.class]]\nnodes = \"2..5\"\n",
    ] {
        assert_same(&plain, &ran(&format!("{BUSY}{nothing}")), nothing);
    }
    // And with nothing on the network at all.
    let bare = "[nodes]\ncount = 9\n[[rumors]]\nper_second = 20.0\nnode = \"all\"\n[network]\n";
    let zeros = "loss = 0\nduplicate = 0\ncorrupt = \"0%\"\njitter = \"0s\"\nheader = \"0B\"\n\
                 in_order = false\n";
    assert_same(&ran(bare), &ran(&format!("{bare}{zeros}")), zeros);
}

/// The direct rumors of a constant stream that got lost.
fn lost(rest: &str) -> BTreeSet<u64> {
    let body = format!(
        "seed = 3\nduration = \"60s\"\n[nodes]\ncount = 6\n[[rumors]]\nspread = \"direct\"\n\
         node = 0\nto = \"1..6\"\nevery = \"10ms\"\ncount = 5000\n{rest}"
    );
    let received: BTreeSet<u64> = ran(&body).deliveries().iter().map(|d| d.rumor).collect();
    (0..5_000).filter(|rumor| !received.contains(rumor)).collect()
}

#[test]
fn what_is_lost_at_5_percent_is_lost_at_10_percent_too() {
    let of_link = |loss: &str| format!("[network]\nloss = \"{loss}\"");
    let of_fault =
        |loss: &str| format!("[[faults]]\nkind = \"loss\"\nat = \"0s\"\nprobability = \"{loss}\"");
    let of_corruption = |loss: &str| format!("[network]\ncorrupt = \"{loss}\"");
    let kinds: [&dyn Fn(&str) -> String; 3] = [&of_link, &of_fault, &of_corruption];
    for kind in kinds {
        let (five, ten) = (lost(&kind("5%")), lost(&kind("10%")));
        // 250 and 500 of 5,000, with deviations of 15.4 and 21.2; six of each.
        assert!(five.len().abs_diff(250) < 93, "{}: {}", kind("5%"), five.len());
        assert!(ten.len().abs_diff(500) < 128, "{}: {}", kind("10%"), ten.len());
        assert!(five.is_subset(&ten), "{}", kind("5%"));
    }
}

#[test]
fn may_miss_and_how_long_a_fault_lasts_move_no_chance() {
    // A loss fault that ends later loses the same messages and more.
    let fault = |rest: &str| {
        format!("[[faults]]\nkind = \"loss\"\nat = \"1s\"\nprobability = \"10%\"\n{rest}")
    };
    let (short, long) = (lost(&fault("for = \"10s\"")), lost(&fault("until = \"21s\"")));
    assert!(!short.is_empty() && short.len() < long.len());
    // Rumors appear every 10 ms: those before 11 s are the first 1,100.
    assert_eq!(short, long.iter().copied().filter(|rumor| *rumor < 1_100).collect());
    assert_eq!(short, lost(&fault("for = \"10s\"\nmay_miss = true")));
}

#[test]
fn the_luck_of_one_stream_does_not_depend_on_what_others_send() {
    let stream = |node: u64, to: u64, every: u64, more: &str| {
        format!(
            "[[rumors]]\nspread = \"direct\"\nnode = {node}\nto = {to}\nevery = \"{every}ms\"\n\
             count = 1000\n{more}"
        )
    };
    let base = "seed = 3\nduration = \"30s\"\n[nodes]\ncount = 5\n[network]\nloss = \"10%\"\n\
                latency = { kind = \"exponential\", mean = \"30ms\" }\nlatency_per = \"message\"\n\
                duplicate = \"5%\"\njitter = { kind = \"exponential\", mean = \"20ms\" }\n";
    // Only their numbers are others, because rumors are numbered in the order of injection.
    let at_node_1 = |rest: &str| -> Vec<(u64, Option<u64>)> {
        let deliveries = ran(&format!("{base}{}{rest}", stream(0, 1, 10, ""))).deliveries();
        deliveries.iter().filter(|d| d.node == 1).map(|d| (d.at, d.latency)).collect()
    };
    let alone = at_node_1("");
    assert!(alone.len().abs_diff(900) < 57, "{} of 1,000, deviation 9.5", alone.len());
    let flood = "[[rumors]]\nnode = 2\nevery = \"40ms\"\nspread = \"push-pull\"\n\
                 [topology]\nkind = \"line\"\n";
    for rest in [stream(2, 3, 7, ""), stream(0, 4, 3, "at = \"2s\"\n")] {
        assert_eq!(alone, at_node_1(&rest), "{rest}");
    }
    assert_eq!(alone, at_node_1("[gossip]\nstyle = \"push-pull\"\n"), "registry gossip");
    let with_flood = at_node_1(flood);
    assert!(with_flood.len() > alone.len() && alone.iter().all(|d| with_flood.contains(d)));
}

#[test]
fn a_run_to_t_is_a_prefix_of_a_run_to_2t() {
    let end = SECONDS * 1_000_000_000;
    let later = "[[faults]]\nkind = \"crash\"\nat = \"8s\"\nfor = \"1s\"\nnodes = \"0..5\"\n\
                 [[faults]]\nkind = \"throttle\"\nat = \"7s\"\nrate = \"1Mbit/s\"\n\
                 [[faults]]\nkind = \"heal\"\nat = \"7s\"\n";
    let text = format!("{BUSY}{later}");
    let fine = ["output.timeline=100ms"];
    let short = ran_plan(&plan_with(&text, &fine));
    let long = ran_plan(&plan_with(&text, &["duration=12s", fine[0]]));
    // All that happens up to T, the last instant included.
    let rows_of = |ran: &Ran| ran.deliveries();
    let first: Vec<Delivery> = rows_of(&long).into_iter().filter(|row| row.at <= end).collect();
    assert!(first.len() > 1_000 && first.len() < rows_of(&long).len(), "{}", first.len());
    assert_eq!(rows_of(&short), first);
    // The samples before T, with every count in them.
    let samples = rows(&short, &TIMELINE).len() - 1;
    assert_eq!(samples, 60);
    assert_eq!(rows(&short, &TIMELINE)[..samples], rows(&long, &TIMELINE)[..samples]);
    // Injections up to T.
    let injected = short.integers(&RUMORS, "injected_ns");
    assert_eq!(injected, long.integers(&RUMORS, "injected_ns")[..injected.len()]);
}

#[test]
fn the_running_digest_of_a_run_to_t_is_met_on_the_way_to_2t() {
    // Checkpoints are taken every 65,536 records.
    let text = "duration = \"5s\"\n[nodes]\ncount = 60\n[[rumors]]\nevery = \"50ms\"\nnode = \"all\"\n\
                [network]\nlatency = { kind = \"exponential\", mean = \"50ms\" }\nloss = \"5%\"\n\
                [output]\ndeliveries = \"none\"";
    let (short, long) = (ran(text), ran_plan(&plan_with(text, &["duration=10s"])));
    let checkpoints = &short.0.checkpoints;
    assert!(checkpoints.len() >= 5, "{}", checkpoints.len());
    assert_eq!(checkpoints[..], long.0.checkpoints[..checkpoints.len()]);
    assert_ne!(short.0.digest, long.0.digest);
}

#[test]
fn the_same_scenario_runs_the_same_twice_and_in_slices() {
    use headwater::base::time::{Span, Time};
    use headwater::fact::Deaf;
    use headwater::metrics::table::MemorySink;

    let plan = plan(BUSY);
    let (once, again) = (ran_plan(&plan), ran_plan(&plan));
    assert_same(&once, &again, "twice");
    let mut world = headwater::run::build(&plan, MemorySink::new(), Deaf);
    for step in 1..=60 {
        let until = Time::ZERO + Span::from_millis(100 * step);
        world.run_until(until).expect("within the limits");
    }
    assert_eq!(world.trace().value(), once.0.digest);
}
