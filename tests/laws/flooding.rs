//! Law 1: flooding makes 2E - (n - 1) copies whatever the latencies, arrives along shortest paths,
//! and on a complete graph with exponential delays takes 2 H(n - 1) / (lambda n) on average.

use headwater::base::rng::{Purpose, Rng, Seed};
use headwater::metrics::{RUMORS, TOPOLOGY};

use super::{MS, assert_near, mean, scenario};
use crate::support::{plan_of_file, ran, ran_plan};

/// One rumor flooded from node 0.
fn flood(nodes: usize, topology: &str, network: &str, seed: u64) -> String {
    let rumor = "[[rumors]]\nspread = \"flood\"\nsize = \"100B\"";
    let body = format!("[topology]\n{topology}\n[network]\n{network}\n{rumor}");
    scenario(nodes, "1000s", seed, &body)
}

const COMPLETE: &str = "kind = \"complete\"";

/// Latency, jitter and rates of every sort; none of them loses anything.
const NETWORKS: [&str; 9] = [
    "latency = \"50ms\"",
    "latency = \"0s\"",
    "latency = { kind = \"uniform\", min = \"1ms\", max = \"900ms\" }",
    "latency = { kind = \"normal\", mean = \"80ms\", deviation = \"40ms\" }",
    "latency = { kind = \"log-normal\", median = \"60ms\", sigma = 1.5 }\nlatency_per = \"message\"",
    "latency = { kind = \"exponential\", mean = \"100ms\" }",
    "latency = { kind = \"pareto\", min = \"10ms\", exponent = 1.2 }\nin_order = true",
    "latency = \"20ms\"\njitter = { kind = \"exponential\", mean = \"50ms\" }",
    "latency = \"1ms\"\nuplink = \"80kbit/s\"\ndownlink = \"70kbit/s\"\nheader = \"46B\"",
];

#[test]
fn flooding_makes_twice_the_links_less_the_tree_whatever_the_latency() {
    // By hand: E = 24, 40 (2 * 5 * 4), 300 (25 * 24 / 2), 10, 12 (a root and 3 + 9), 36
    // (12 * 6 / 2). Copies 2E - (n - 1); with echo every node sends to all its peers: 2E.
    for (nodes, topology, copies, echoed) in [
        (25, "kind = \"line\"", 24, 48),
        (25, "kind = \"grid\"", 56, 80),
        (25, COMPLETE, 576, 600),
        (10, "kind = \"ring\"", 11, 20),
        (13, "kind = \"tree\"\narity = 3", 12, 24),
        (12, "kind = \"random-regular\"\ndegree = 6", 61, 72),
    ] {
        for (seed, network) in (1..).zip(NETWORKS) {
            let text = flood(nodes, topology, network, seed);
            for (text, expected) in [(text.clone(), copies), (text + "echo = true\n", echoed)] {
                let summary = ran(&text).0.summary;
                assert_eq!(summary.rumors.copies, expected, "{text}");
                assert_eq!(summary.messages.sent, expected, "{text}");
                assert_eq!((summary.rumors.complete, summary.messages.in_flight), (1, 0), "{text}");
            }
        }
    }
}

#[test]
fn random_graphs_make_as_many_copies_as_their_links_ask_for() {
    for (seed, topology) in (1..).zip([
        "kind = \"erdos-renyi\"\nprobability = \"15%\"",
        "kind = \"watts-strogatz\"\ndegree = 6\nrewire = \"20%\"",
        "kind = \"barabasi-albert\"\nattach = 3",
    ]) {
        let ran = ran(&flood(60, topology, NETWORKS[4], seed));
        // topology.csv lists both directions of every link.
        let directed = ran.0.sink.rows(&TOPOLOGY).len() as u64;
        assert_eq!(ran.0.summary.rumors.copies, directed - 59, "{topology}");
    }
    // On k-out links work one way: a node with f peers sends f copies, or f - 1 if it heard the
    // rumor from one of them, which is another number for every latency.
    let copies = ran(&flood(60, "kind = \"k-out\"\ndegree = 6", NETWORKS[4], 4)).0.summary.rumors;
    assert!(copies.copies > 60 * 6 - 59 && copies.copies <= 60 * 6, "{copies:?}");
}

/// When a flood reaches each node: Dijkstra's algorithm over directed links (from, to, latency).
fn shortest_paths(nodes: usize, links: &[(usize, usize, u64)], origin: usize) -> Vec<u64> {
    let mut distance = vec![u64::MAX; nodes];
    let mut settled = vec![false; nodes];
    distance[origin] = 0;
    while let Some(near) =
        (0..nodes).filter(|&node| !settled[node]).min_by_key(|&node| distance[node])
    {
        settled[near] = true;
        for &(_, to, latency) in links.iter().filter(|link| link.0 == near) {
            distance[to] = distance[to].min(distance[near].saturating_add(latency));
        }
    }
    distance
}

/// Compares arrivals of rumor 0 with the shortest paths.
fn assert_shortest(arrivals: &[Option<u64>], links: &[(usize, usize, u64)], origin: usize) {
    let distances = shortest_paths(arrivals.len(), links, origin);
    for (node, (arrival, distance)) in arrivals.iter().zip(distances).enumerate() {
        let expected = (node != origin).then_some(distance);
        assert_eq!(*arrival, expected, "node {node} from {origin} over {links:?}");
    }
}

#[test]
fn a_flood_arrives_along_the_shortest_paths_of_an_edge_file() {
    const NODES: usize = 40;
    for seed in 1..=6 {
        let mut rng = Rng::of_cluster(Seed(seed), Purpose::Topology);
        // A ring keeps it in one piece; 80 chords; every direction has a latency of its own.
        let mut pairs: Vec<(usize, usize)> = (0..NODES).map(|i| (i, (i + 1) % NODES)).collect();
        pairs.extend((0..80).map(|_| (rng.index(NODES), rng.index(NODES))));
        pairs.retain(|(a, b)| a != b);
        let mut links = Vec::new();
        for (from, to) in pairs.iter().flat_map(|&(a, b)| [(a, b), (b, a)]) {
            if !links.iter().any(|&(a, b, _)| (a, b) == (from, to)) {
                links.push((from, to, 1 + rng.below(200 * MS)));
            }
        }
        let folder = tempfile::tempdir().expect("a folder");
        let rows: String =
            links.iter().map(|(from, to, ns)| format!("{from},{to},{ns}\n")).collect();
        std::fs::write(folder.path().join("links.csv"), format!("from,to,latency_ns\n{rows}"))
            .expect("a file");
        let origin = rng.index(NODES);
        let topology = "kind = \"file\"\npath = \"links.csv\"\ndirected = true";
        let text = flood(NODES, topology, "", seed) + &format!("node = {origin}\n");
        std::fs::write(folder.path().join("flood.toml"), text).expect("a file");
        let ran = ran_plan(&plan_of_file(&folder.path().join("flood.toml")));
        assert_shortest(&ran.arrivals(0, NODES), &links, origin);
    }
}

#[test]
fn a_flood_arrives_along_the_shortest_paths_of_links_given_one_by_one() {
    // By hand on 4 nodes: 0-1 takes 7, 0-2 takes 20, 1-2 takes 5, 2-3 takes 11, all else 100; so
    // node 1 at 7, node 2 at 7 + 5 = 12, node 3 at 12 + 11 = 23 ms.
    let text = flood(
        4,
        COMPLETE,
        "latency = \"100ms\"\n\
         [[network.link]]\nfrom = 0\nto = 1\nlatency = \"7ms\"\n\
         [[network.link]]\nfrom = 0\nto = 2\nlatency = \"20ms\"\n\
         [[network.link]]\nfrom = 1\nto = 2\nlatency = \"5ms\"\n\
         [[network.link]]\nfrom = 2\nto = 3\nlatency = \"11ms\"",
        1,
    );
    assert_eq!(
        ran(&text).arrivals(0, 4),
        [None, Some(7 * MS), Some(12 * MS), Some(23 * MS)],
        "{text}"
    );
    // And a complete graph of 6 nodes with 30 latencies drawn for it.
    let mut rng = Rng::of_cluster(Seed(9), Purpose::Topology);
    let pairs = (0..6).flat_map(|a| (0..6).map(move |b| (a, b))).filter(|(a, b)| a != b);
    let links: Vec<(usize, usize, u64)> =
        pairs.map(|(a, b)| (a, b, 1 + rng.below(300 * MS))).collect();
    let entry = |(from, to, ns): &(usize, usize, u64)| {
        format!(
            "[[network.link]]\nfrom = {from}\nto = {to}\nboth_ways = false\nlatency = \"{ns}ns\"\n"
        )
    };
    let network: String = links.iter().map(entry).collect();
    let ran = ran(&flood(6, COMPLETE, &network, 1));
    assert_shortest(&ran.arrivals(0, 6), &links, 0);
}

/// Mean and standard deviation of the time until a flood has reached all of n nodes over links of
/// independent exponential delays of this mean: while k nodes have it, k (n - k) clocks run.
fn exponential_flood(nodes: u64, mean: f64) -> (f64, f64) {
    let stages = (1..nodes).map(|k| mean / (k * (nodes - k)) as f64);
    let (sum, squares) = stages.fold((0.0, 0.0), |(sum, squares), x| (sum + x, squares + x * x));
    (sum, squares.sqrt())
}

#[test]
fn exponential_link_delays_flood_a_complete_graph_in_harmonic_time() {
    // n = 60, mean delay 100 ms: (2 * 100 / 60) H(59) = 15.5440 ms with a deviation of 3.1478 ms
    // (Python). The first of 59 links delivers after 100 / 59 ms on average.
    let (expected, deviation) = exponential_flood(60, 100.0);
    assert_near("harmonic sum", expected, 15.544_012, 1e-5);
    assert_near("its deviation", deviation, 3.147_810, 1e-5);
    let latency = "latency = { kind = \"exponential\", mean = \"100ms\" }";
    // Delays of links are drawn once per run, so every sample needs a seed.
    let of_links: Vec<[f64; 2]> =
        (1..=250).map(|seed| first_and_last(&flood(60, COMPLETE, latency, seed))[0]).collect();
    // Delays of messages are drawn anew for each rumor: one run has as many samples.
    let per_message = format!("{latency}\nlatency_per = \"message\"");
    let many = flood(60, COMPLETE, &per_message, 1) + "count = 250\nevery = \"2s\"\n";
    for (what, samples) in [("per link", of_links), ("per message", first_and_last(&many))] {
        assert_eq!(samples.len(), 250);
        let root = 250_f64.sqrt();
        let [first, last] = [0, 1].map(|i| mean(&samples.iter().map(|s| s[i]).collect::<Vec<_>>()));
        assert_near(what, last, expected, 6.0 * deviation / root);
        assert_near(what, first, 100.0 / 59.0, 6.0 * (100.0 / 59.0) / root);
    }
}

/// Milliseconds from the injection of each rumor to its first and its last first receipt.
fn first_and_last(text: &str) -> Vec<[f64; 2]> {
    let ran = ran(text);
    let injected = ran.integers(&RUMORS, "injected_ns");
    let mut times = vec![[f64::MAX, 0.0_f64]; injected.len()];
    for delivery in ran.deliveries() {
        let rumor = delivery.rumor as usize;
        let after = (delivery.at - injected[rumor]) as f64 / MS as f64;
        times[rumor] = [times[rumor][0].min(after), times[rumor][1].max(after)];
    }
    times
}
