//! Laws 2 and 3: forwarding once ("infect and die") and rounds of push, pull and push-pull.

use headwater::metrics::{MESSAGES, RUMORS};

use super::{assert_near, mean, scenario};
use crate::support::{Ran, ran};

/// The share x that forwarding once to f others reaches: x = 1 - exp(-f x).
fn coverage(fanout: f64) -> f64 {
    (0..500).fold(0.9, |x, _| 1.0 - libm::exp(-fanout * x))
}

/// Standard deviation of the share that one rumor reaches among n nodes. After s n nodes have
/// forwarded, the uninfected are the empty boxes of an occupancy problem: e^(-fs) n on average with
/// variance n (e^(-fs) - (1 + fs) e^(-2fs)); the spread ends where they and the forwarders make up
/// all, which divides the deviation by 1 - f (1 - x).
fn coverage_deviation(fanout: f64, nodes: f64) -> f64 {
    let x = coverage(fanout);
    let rest = 1.0 - x;
    let variance = rest - (1.0 + fanout * x) * rest * rest;
    variance.sqrt() / (1.0 - fanout * rest) / nodes.sqrt()
}

/// Rumors forwarded once, each from a random node, so many seconds apart.
fn forwarded_once(
    nodes: usize,
    fanout: u32,
    (count, apart): (u32, u32),
    network: &str,
    seed: u64,
) -> Ran {
    let body = format!(
        "[network]\n{network}\n[[rumors]]\nspread = \"forward-once\"\nfanout = {fanout}\n\
         choose_from = \"membership\"\nnode = \"all\"\nsize = \"250B\"\ncount = {count}\n\
         every = \"{apart}s\""
    );
    let ran = ran(&scenario(nodes, &format!("{}s", apart * count + 1_000), seed, &body));
    assert_eq!(ran.0.summary.messages.in_flight, 0, "all rumors have died");
    ran
}

/// The shares of nodes that rumors reached, the origin included; those that died at once left out.
fn shares(ran: &Ran, nodes: usize) -> Vec<f64> {
    let reached = ran.integers(&RUMORS, "reached").into_iter().map(|n| (n + 1) as f64);
    reached.map(|n| n / nodes as f64).filter(|share| *share > 0.1).collect()
}

#[test]
fn every_node_that_a_rumor_reaches_forwards_it_f_times() {
    for (seed, (nodes, fanout)) in (1..).zip([(50, 1), (50, 2), (300, 3), (30, 7), (8, 7)]) {
        let latency = "latency = { kind = \"exponential\", mean = \"80ms\" }";
        let ran = forwarded_once(nodes, fanout, (20, 1), latency, seed);
        let reached = ran.integers(&RUMORS, "reached");
        let copies = ran.integers(&RUMORS, "copies");
        assert_eq!(reached.len(), 20);
        for (reached, copies) in reached.into_iter().zip(copies) {
            assert_eq!(copies, u64::from(fanout) * (reached + 1), "{nodes} nodes, f = {fanout}");
        }
    }
    // From known peers: nobody can send to more peers than it has; in a ring of 20 with f = 5 all
    // 20 nodes are reached and send 2 copies each.
    let body = "[topology]\nkind = \"ring\"\n[[rumors]]\nspread = \"forward-once\"\nfanout = 5";
    assert_eq!(ran(&scenario(20, "10s", 1, body)).0.summary.rumors.copies, 40);
}

#[test]
fn forwarding_once_reaches_the_share_that_solves_the_equation() {
    // Python: f = 2: x = 0.796812, deviation 0.011678 for 2,000 nodes (300 rumors simulated there:
    // 0.7973 and 0.0121); f = 3: 0.940480 and 0.005837 (0.9412, 0.0059); f = 6: 0.997484 and
    // 0.001129 (0.9975, 0.0010). What the equation leaves out is of the order 1 / n.
    for (seed, (fanout, x, deviation)) in (11..).zip([
        (2, 0.796_812, 0.011_678),
        (3, 0.940_480, 0.005_837),
        (6, 0.997_484, 0.001_129),
    ]) {
        let f = f64::from(fanout);
        assert_near("the equation", coverage(f), x, 1e-6);
        assert_near("the deviation", coverage_deviation(f, 2_000.0), deviation, 1e-6);
        let ran = forwarded_once(2_000, fanout, (60, 2), "latency = \"50ms\"", seed);
        let shares = shares(&ran, 2_000);
        assert_eq!(shares.len(), 60, "with f >= 2 of 2,000 every rumor takes off");
        let tolerance = 6.0 * deviation / 60_f64.sqrt() + 1.0 / 2_000.0;
        assert_near(&format!("coverage of f = {fanout}"), mean(&shares), x, tolerance);
        // The variance of 60 normal samples has a relative deviation of sqrt(2 / 59) = 0.18.
        let variance = mean(&shares.iter().map(|s| (s - x) * (s - x)).collect::<Vec<_>>());
        assert_near("relative variance", variance / (deviation * deviation), 1.0, 6.0 * 0.184);
    }
}

/// Largest distance between two empirical distributions (Kolmogorov and Smirnov).
fn distance(a: &[f64], b: &[f64]) -> f64 {
    let below =
        |list: &[f64], x: f64| list.iter().filter(|y| **y <= x).count() as f64 / list.len() as f64;
    let both = a.iter().chain(b);
    both.map(|&x| (below(a, x) - below(b, x)).abs()).fold(0.0, f64::max)
}

/// Three networks that have nothing in common.
const NETWORKS: [&str; 3] = [
    "latency = \"50ms\"",
    "latency = { kind = \"log-normal\", median = \"60ms\", sigma = 1.2 }\n\
     jitter = { kind = \"exponential\", mean = \"100ms\" }",
    // 250 B take 20 ms on an uplink: copies wait for each other.
    "latency = \"1ms\"\nuplink = \"100kbit/s\"\ndownlink = \"100kbit/s\"",
];

#[test]
fn rumors_apart_reach_the_same_nodes_whatever_the_network() {
    // Nodes draw their targets from streams of their own, so with one rumor at a time the targets
    // form the same random graph on every network, and who can be reached from the origin in it
    // has nothing to do with time. A minute apart, no rumor meets the next.
    let reached = |network| {
        let ran = forwarded_once(400, 2, (30, 60), network, 9);
        (ran.integers(&RUMORS, "reached"), ran.0.digest)
    };
    let [(first, a), (second, b), (third, c)] = NETWORKS.map(reached);
    assert!(first == second && second == third, "{first:?}, {second:?}, {third:?}");
    assert!(a != b && b != c && a != c, "the runs themselves are different");
}

#[test]
fn the_distribution_of_coverage_does_not_depend_on_latency_jitter_or_bandwidth() {
    // All rumors at once: now the order of arrivals decides which rumor gets which targets, and on
    // the third network a node sends 200 copies one after another.
    const RUMORS: u32 = 100;
    let deviation = coverage_deviation(2.0, 1_500.0);
    let runs: Vec<Ran> =
        NETWORKS.iter().map(|network| forwarded_once(1_500, 2, (RUMORS, 0), network, 5)).collect();
    let samples: Vec<Vec<f64>> = runs.iter().map(|ran| shares(ran, 1_500)).collect();
    for (a, b) in [(0, 1), (0, 2), (1, 2)] {
        assert_ne!(samples[a], samples[b], "the order of arrivals decides who is reached");
        // The means of two samples of m differ with deviation sqrt(2 / m) of one value's.
        let difference = mean(&samples[a]) - mean(&samples[b]);
        let m = f64::from(RUMORS);
        assert_near("difference of means", difference, 0.0, 6.0 * deviation * (2.0 / m).sqrt());
        // Smirnov: the distance passes sqrt(ln(2 / p) / 2) * sqrt(2 / m) with probability p or
        // less; p = 10^-8 gives 0.437.
        let critical = (libm::log(2e8) / 2.0).sqrt() * (2.0 / m).sqrt();
        let found = distance(&samples[a], &samples[b]);
        assert!(found < critical, "networks {a} and {b}: {found}, critical {critical}");
    }
}

/// How many streams of one rumor a run carries: streams draw their targets by themselves, so they
/// are independent samples.
const STREAMS: usize = 40;

/// Rounds of one second, aligned on all nodes, over links that take no time to speak of: for each
/// stream, how many nodes have its rumor after 1, 2, ... rounds.
fn rounds(nodes: usize, style: &str, fanout: u32, seconds: usize, seed: u64) -> Vec<Vec<usize>> {
    let stream = format!(
        "[[rumors]]\nspread = \"{style}\"\nfanout = {fanout}\ninterval = \"1s\"\n\
         phase = \"aligned\"\nchoose_from = \"membership\"\nnode = \"all\"\n"
    );
    let body = String::from("[network]\nlatency = \"1us\"\n") + &stream.repeat(STREAMS);
    let ran = ran(&scenario(nodes, &format!("{seconds}.5s"), seed, &body));
    let mut informed = vec![vec![1; seconds + 1]; STREAMS];
    for delivery in ran.deliveries() {
        // Received within microseconds after the beginning of its round.
        let round = (delivery.at / 1_000_000_000) as usize;
        informed[delivery.rumor as usize][round..].iter_mut().for_each(|count| *count += 1);
    }
    informed
}

/// Rounds until all nodes have the rumor.
fn rounds_to_all(informed: &[usize], nodes: usize) -> f64 {
    let round = informed.iter().position(|&count| count == nodes);
    round.expect("the run is long enough for all nodes") as f64
}

/// Mean rounds to all over several seeds.
fn mean_rounds(nodes: usize, style: &str, fanout: u32, seconds: usize, seeds: u64) -> f64 {
    let runs = (1..=seeds).flat_map(|seed| rounds(nodes, style, fanout, seconds, seed));
    mean(&runs.map(|informed| rounds_to_all(&informed, nodes)).collect::<Vec<_>>())
}

#[test]
fn push_takes_as_many_rounds_as_its_markov_chain() {
    // Python: the exact chain of the number informed (each of k informed nodes draws f different
    // others, one after another hypergeometric): mean and deviation of the rounds to all. The law's
    // approximation log_{f+1} n + ln n / f is 12.94, 7.47, 5.59 and 16.87: all are 0.8 to 1.2
    // above.
    for (nodes, fanout, seconds, seeds, rounds, deviation) in [
        (200, 1, 28, 3, 14.053_606, 1.326_630),
        (200, 2, 16, 2, 8.369_719, 0.692_701),
        (200, 3, 14, 2, 6.384_783, 0.534_735),
        (1_000, 1, 30, 1, 18.038_348, 1.318_486),
    ] {
        let samples = (seeds * STREAMS as u64) as f64;
        let found = mean_rounds(nodes, "push", fanout, seconds, seeds);
        let what = format!("rounds of push among {nodes}, f = {fanout}");
        assert_near(&what, found, rounds, 6.0 * deviation / samples.sqrt());
        let (n, f) = (libm::log(nodes as f64), f64::from(fanout));
        let approximation = n / libm::log(f + 1.0) + n / f;
        assert!(
            (0.0..2.0).contains(&(found - approximation)),
            "O(1) above {approximation}: {found}"
        );
    }
}

#[test]
fn push_and_pull_inform_equally_many_on_average() {
    // Python, exact chains for n = 200, f = 1: the means after t rounds are the same for both; the
    // deviations are not (push: occupancy; pull: each of the others finds the rumor with
    // probability k / (n - 1)).
    let expected = [
        (1, 2.0, 0.0, 0.9975),
        (3, 7.8807, 0.3780, 5.1111),
        (5, 29.0984, 2.0538, 18.4637),
        (7, 86.5305, 6.0821, 43.2576),
        (9, 160.9449, 6.5028, 44.6007),
        (11, 192.9934, 2.8185, 22.0988),
    ];
    let informed = |style| -> Vec<Vec<usize>> {
        (1..=5).flat_map(|seed| rounds(200, style, 1, 12, seed)).collect()
    };
    let (push, pull) = (informed("push"), informed("pull"));
    let root = (push.len() as f64).sqrt();
    for (round, count, push_deviation, pull_deviation) in expected {
        for (what, runs, deviation) in
            [("push", &push, push_deviation), ("pull", &pull, pull_deviation)]
        {
            let found = mean(&runs.iter().map(|run| run[round] as f64).collect::<Vec<_>>());
            // The quoted means have four decimals.
            let tolerance = 6.0 * deviation / root + 1e-4;
            assert_near(&format!("{what} after {round} rounds"), found, count, tolerance);
        }
    }
}

#[test]
fn push_pull_is_faster_than_push_and_than_pull() {
    // Rounds of nodes are aligned, but not atomic: nodes act in the order of their numbers, and a
    // pull request that reaches a node right after a push is answered with what the push brought.
    // Python, 20,000 runs of just that for n = 200, f = 1: 6.430 rounds, deviation 0.529, standard
    // error 0.004. (If all calls of a round saw the state before it: 7.344.) log_3 200 is 4.82.
    let push_pull = mean_rounds(200, "push-pull", 1, 12, 3);
    let root = (3.0 * STREAMS as f64).sqrt();
    assert_near("rounds of push-pull", push_pull, 6.430, 6.0 * 0.529 / root + 6.0 * 0.004);
    // Exact chains: push 14.05 (deviation 1.33), pull 11.03 (1.36).
    let pull = mean_rounds(200, "pull", 1, 24, 2);
    assert_near(
        "rounds of pull",
        pull,
        11.032_841,
        6.0 * 1.355_518 / (2.0 * STREAMS as f64).sqrt(),
    );
}

#[test]
fn aligned_rounds_are_at_whole_intervals_for_late_starters_too() {
    // Two nodes; node 1 starts at 300 ms and is down from 3.5 to 4.2 s. It pulls at 1, 2, 3, 5, 6 s
    // and gets the rumor of 4.5 s in the round at 5 s: 1 ms to ask, 1 ms to answer.
    let body = "[[nodes.class]]\nnodes = 1\nstart = \"300ms\"\n[network]\nlatency = \"1ms\"\n\
                [[rumors]]\nspread = \"pull\"\nphase = \"aligned\"\nfanout = 1\nat = \"4500ms\"\n\
                [[faults]]\nkind = \"crash\"\nnodes = 1\nat = \"3500ms\"\nfor = \"700ms\"";
    let ran = ran(&scenario(2, "6500ms", 1, body));
    assert_eq!(ran.arrivals(0, 2), [None, Some(5_002_000_000)]);
    assert_eq!(ran.lookup(&MESSAGES, "kind", "gossip_pull_request", "sent"), Some(6 + 5));
}
