//! Law 4: a message of c bytes occupies a pipe of rate B for 8c / B, rounded up to a nanosecond for
//! every message by itself; pipes in series add up and the slowest one paces.

use headwater::base::rng::{Purpose, Rng, Seed};

use super::{MS, scenario};
use crate::support::{Ran, ran};

/// Arrivals at a node in the order of time.
fn arrivals_at(ran: &Ran, node: u64) -> Vec<u64> {
    ran.deliveries().iter().filter(|d| d.node == node).map(|d| d.at).collect()
}

/// When messages that come in at these times are through a first-in-first-out pipe, each after
/// `work` of its own.
fn through(mut arrivals: Vec<(u64, u64)>) -> Vec<u64> {
    arrivals.sort_unstable();
    let mut free = 0;
    let pass = |(at, work): (u64, u64)| {
        free = at.max(free) + work;
        free
    };
    arrivals.into_iter().map(pass).collect()
}

/// Passes a train through a pipe where each message takes `work`.
fn paced(train: &[u64], work: u64) -> Vec<u64> {
    through(train.iter().map(|&at| (at, work)).collect())
}

#[test]
fn a_star_serves_its_leaves_one_after_another() {
    // S = 12 pieces of c = 1,000 B at 8 Mbit/s: tau = 1 ms. The whole goes to peer 1, then 2, ...:
    // peer j has it at j * S * tau + L. Peers are served in the order of their numbers, the centre
    // (3) left out. With a header of 50 B once per message, j * (S * tau + 0.05 ms) + L.
    for (header, each) in [(0, 12 * MS), (50, 12_050_000)] {
        let ran = ran(&scenario(
            9,
            "10s",
            1,
            &format!(
                "[topology]\nkind = \"star\"\ncenter = 3\n\
                 [network]\nlatency = \"20ms\"\nuplink = \"8Mbit/s\"\nheader = \"{header}B\"\n\
                 [[rumors]]\nnode = 3\nsize = \"12000B\""
            ),
        ));
        let leaves = [0, 1, 2, 4, 5, 6, 7, 8];
        for (j, leaf) in (1..).zip(leaves) {
            assert_eq!(arrivals_at(&ran, leaf), [j * each + 20 * MS], "leaf {leaf}");
        }
    }
}

/// Child indices, from 1, on the way from the root to a node of a tree numbered level by level.
fn path(node: u64, arity: u64) -> Vec<u64> {
    let mut path = Vec::new();
    let mut at = node;
    while at > 0 {
        path.push((at - 1) % arity + 1);
        at = (at - 1) / arity;
    }
    path
}

#[test]
fn a_tree_stores_and_forwards() {
    for arity in [2, 3, 5] {
        let body = |size: u64, count: u64| {
            format!(
                "[topology]\nkind = \"tree\"\narity = {arity}\n\
                 [network]\nlatency = \"7ms\"\nuplink = \"8Mbit/s\"\n\
                 [[rumors]]\nsize = \"{size}B\"\ncount = {count}"
            )
        };
        // One message of S = 10 pieces: S * tau * sum of d_i + depth * L, with tau = 1 ms.
        let whole = ran(&scenario(45, "10s", 1, &body(10_000, 1)));
        // S = 10 messages of one piece, each forwarded when it is there (chunk-major): the last is
        // at (S - 1) * f * tau + tau * sum of d_i + depth * L.
        let pieces = ran(&scenario(45, "10s", 1, &body(1_000, 10)));
        for node in 1..45 {
            let path = path(node, arity);
            let (turns, depth) = (path.iter().sum::<u64>(), path.len() as u64);
            assert_eq!(arrivals_at(&whole, node), [10 * MS * turns + 7 * MS * depth]);
            let last = 9 * arity * MS + MS * turns + 7 * MS * depth;
            let expected: Vec<u64> =
                (0..10).map(|k| last - 9 * arity * MS + k * arity * MS).collect();
            assert_eq!(arrivals_at(&pieces, node), expected, "node {node}, arity {arity}");
        }
    }
}

/// A train of 40 messages of 1,000 B, all at once at node 0 of a line of 3.
fn train(topology: &str, rest: &str) -> Ran {
    let rumors = "[[rumors]]\ncount = 40\nsize = \"1kB\"";
    let line = format!("[topology]\nkind = \"line\"\n{topology}\n{rest}\n{rumors}");
    ran(&scenario(3, "10s", 1, &line))
}

#[test]
fn the_slower_of_two_links_in_series_paces_a_train() {
    // 8 Mbit/s: 1 ms; 4 Mbit/s: 2 ms; 2 Mbit/s: 4 ms.
    for (first, second) in [(1, 2), (2, 1), (4, 1), (1, 4), (2, 2)] {
        let class = |node: u64, ms: u64| {
            format!("[[nodes.class]]\nnodes = {node}\nuplink = \"{}Mbit/s\"\n", 8 / ms)
        };
        let classes = class(0, first) + &class(1, second);
        let ran = train("", &format!("{classes}[network]\nlatency = \"30ms\""));
        let middle: Vec<u64> = (1..=40).map(|k| k * first * MS + 30 * MS).collect();
        assert_eq!(arrivals_at(&ran, 1), middle);
        // By hand: the first is there after both, the rest follow at the pace of the slower.
        let last: Vec<u64> =
            (0..40).map(|k| (first + second + k * first.max(second)) * MS + 60 * MS).collect();
        assert_eq!(arrivals_at(&ran, 2), last, "{first} ms, then {second} ms");
    }
}

#[test]
fn uplink_throttle_link_and_downlink_stand_in_series() {
    // Node 0 to node 1: uplink 1 ms, throttle 4 ms (2 Mbit/s), link 2 ms, latency 30 ms, downlink
    // 1 ms: the first at 1 + 4 + 2 + 30 + 1 ms, then one every 4 ms. Node 1 to node 2 without the
    // throttle: uplink 1, link 2, 30, downlink 1, paced by the 4 ms that they come in with.
    let ran = train(
        "rate = \"4Mbit/s\"",
        "[network]\nlatency = \"30ms\"\nuplink = \"8Mbit/s\"\ndownlink = \"8Mbit/s\"\n\
         [[faults]]\nkind = \"throttle\"\nat = \"0s\"\nfrom = 0\nto = 1\nrate = \"2Mbit/s\"",
    );
    let expected = |start: u64| (0..40).map(|k| (start + 4 * k) * MS).collect::<Vec<u64>>();
    assert_eq!(arrivals_at(&ran, 1), expected(1 + 4 + 2 + 30 + 1));
    assert_eq!(arrivals_at(&ran, 2), expected(38 + 1 + 2 + 30 + 1));
}

#[test]
fn a_link_with_a_rate_stands_behind_the_uplink_and_every_link_has_its_own() {
    // A star: uplink 1 ms per message, links 5 ms each side by side: leaf j at j + 5 + 20 ms.
    let body = "[topology]\nkind = \"star\"\nrate = \"1600kbit/s\"\nlatency = \"20ms\"\n\
                [network]\nuplink = \"8Mbit/s\"\n[[rumors]]\ncount = 30\nsize = \"1kB\"";
    let ran = ran(&scenario(5, "10s", 1, body));
    for leaf in 1..5 {
        // Message k leaves the uplink for this leaf at 4 k + j ms, faster than the link's 5 ms.
        let handed: Vec<u64> = (0..30).map(|k| (4 * k + leaf) * MS).collect();
        let there: Vec<u64> = paced(&handed, 5 * MS).iter().map(|at| at + 20 * MS).collect();
        assert_eq!(arrivals_at(&ran, leaf), there, "leaf {leaf}");
        assert_eq!(there[29], (leaf + 30 * 5 + 20) * MS, "the link paces");
    }
}

#[test]
fn a_downlink_is_charged_on_arrival_in_the_order_of_arrival() {
    // Five senders at 3 to 31 ms from node 0, messages of 200 to 3,000 B at moments of their own:
    // those sent first often come later. 8 Mbit/s: 1,000 ns per byte.
    let mut rng = Rng::of_cluster(Seed(3), Purpose::Workload);
    let latencies = [3, 31, 17, 8, 24];
    let (mut body, mut arrivals) = (String::from("[network]\ndownlink = \"8Mbit/s\"\n"), vec![]);
    for (sender, latency) in (1..).zip(latencies) {
        body += &format!("[[network.link]]\nfrom = 0\nto = {sender}\nlatency = \"{latency}ms\"\n");
    }
    for _ in 0..120 {
        let (sender, at, size) = (rng.index(5), rng.below(100 * MS), 200 + rng.below(2_801));
        arrivals.push((at + latencies[sender] * MS, size * 1_000));
        body += &format!(
            "[[rumors]]\nspread = \"direct\"\nnode = {}\nto = 0\nat = \"{at}ns\"\nsize = \"{size}B\"\n",
            sender + 1
        );
    }
    let found = arrivals_at(&ran(&scenario(6, "10s", 1, &body)), 0);
    let overtaken = arrivals.windows(2).filter(|pair| pair[0].0 > pair[1].0).count();
    assert!(overtaken > 30, "the order of arrival is another than the order of the list");
    assert_eq!(found, through(arrivals));
}

#[test]
fn every_message_is_rounded_up_to_a_nanosecond_by_itself() {
    // 1,000 B at 3 Gbit/s: 2,666.67 ns, up to 2,667, ten of them 26,670 (not 26,667). At 7 Mbit/s:
    // 1,142,857.14 ns, up to 1,142,858. 1 B at 1 Tbit/s: 0.008 ns, up to 1. At 8 Mbit/s: 1 ms flat.
    for (rate, size, each) in [
        ("3Gbit/s", 1_000, 2_667),
        ("7Mbit/s", 1_000, 1_142_858),
        ("1000Gbit/s", 1, 1),
        ("8Mbit/s", 1_000, 1_000_000),
    ] {
        let body = format!(
            "[network]\nlatency = \"1ms\"\nuplink = \"{rate}\"\n\
             [[rumors]]\nspread = \"direct\"\nto = 1\ncount = 10\nsize = \"{size}B\""
        );
        let expected: Vec<u64> = (1..=10).map(|k| k * each + MS).collect();
        assert_eq!(arrivals_at(&ran(&scenario(2, "1s", 1, &body)), 1), expected, "{rate}");
    }
}
