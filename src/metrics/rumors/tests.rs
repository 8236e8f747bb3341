//! Metrics layer, tests only: the rumor collector.

use super::super::spread::{SHARES, TimeToShare};
use super::super::table::MemorySink;
use super::*;

const fn at(nanos: u64) -> Time {
    Time::from_nanos(nanos)
}

const fn node(number: u32) -> NodeId {
    NodeId::new(number)
}

fn rumors(stakes: &[u64], window: usize) -> (Rumors, MemorySink) {
    (Rumors::new(NodeMap::from_vec(stakes.to_vec()), window), MemorySink::new())
}

/// Row `row` of the columns `to_50_...` to `to_100_...` of nodes or stake.
fn times(sink: &MemorySink, row: usize, what: &str) -> [Option<u64>; 7] {
    SHARES.map(|share| sink.integer(&RUMORS, row, &format!("to_{share}_{what}_ns")))
}

#[test]
fn a_rumor_for_all_is_measured_against_all_nodes_and_all_stake() {
    let (mut rumors, mut sink) = rumors(&[10, 0, 60, 30], 8);
    rumors.on_injected(at(1_000), node(0), (5, 99, to(3)), &mut sink);
    let injected = Some(at(1_000));
    assert_eq!(rumors.on_received(at(1_010), node(3), 5, 1, true), Some(FirstReceipt { injected }));
    assert_eq!(rumors.on_received(at(1_015), node(3), 5, 2, false), None);
    rumors.on_received(at(1_020), node(2), 5, 2, true);
    // It forgot everything: no second receipt. Nor does the origin count.
    assert_eq!(rumors.on_received(at(1_030), node(3), 5, 9, true), None);
    assert_eq!(rumors.on_received(at(1_031), node(0), 5, 9, true), None);
    rumors.fill(&mut sink);
    // Of 4 nodes 1, 2, 3 have it at 0, 10, 20 ns: 50 % at 10, 67 % (2.68) at 20, 80 % (3.2) never.
    let never = None;
    assert_eq!(times(&sink, 0, "nodes"), [Some(10), Some(20), never, never, never, never, never]);
    // Of 100 stake 10, 40, 100 have it at 0, 10, 20 ns.
    assert_eq!(times(&sink, 0, "stake"), [Some(20); 7]);
    let expected = [
        ("rumor", 5),
        ("origin", 0),
        ("injected_ns", 1_000),
        ("size_bytes", 99),
        ("audience", 3),
        ("reached", 2),
        ("copies", 5),
        ("hops_max", 2),
        ("hops_sum", 3),
        ("last_ns", 20),
    ];
    for (column, value) in expected {
        assert_eq!(sink.integer(&RUMORS, 0, column), Some(value), "{column}");
    }
    let summary = rumors.summary();
    assert_eq!((summary.receipts, summary.copies, summary.complete), (2, 5, 0));
    assert_eq!(summary.redundancy_ppm, Some(2_500_000));
    assert_eq!(summary.coverage_mean_ppm, Some(750_000), "3 of 4 nodes");
    assert_eq!(summary.latency.mean_ns, Some(15));
    let to_half = TimeToShare { reached: 1, mean_ns: Some(10), max_ns: Some(10) };
    assert_eq!((summary.to.nodes(50), summary.to.nodes(90)), (to_half, TimeToShare::default()));
}

#[test]
fn a_rumor_for_one_node_is_measured_against_that_node_alone() {
    let (mut rumors, mut sink) = rumors(&[10, 0, 60, 30], 8);
    rumors.on_injected(at(0), node(0), (0, 1, to(1)), &mut sink);
    rumors.on_injected(at(100), node(0), (1, 1, to(1)), &mut sink);
    rumors.on_received(at(140), node(2), 1, 1, true);
    rumors.fill(&mut sink);
    assert_eq!(times(&sink, 0, "nodes"), [None; 7]);
    assert_eq!(times(&sink, 1, "nodes"), [Some(40); 7]);
    assert_eq!(times(&sink, 1, "stake"), [None; 7]);
    let summary = rumors.summary();
    assert_eq!((summary.injected, summary.complete), (2, 1));
    assert_eq!((summary.coverage_mean_ppm, summary.coverage_min_ppm), (Some(500_000), Some(0)));
    assert_eq!(summary.to.nodes(100).reached, 1);
}

#[test]
fn the_window_bounds_memory_and_keeps_the_order_of_rows() {
    let (mut rumors, mut sink) = rumors(&[1; 3], 4);
    // Out of order within the window, with gaps, and one leap.
    for (i, number) in [1, 0, 3, 5, 6, 1_000_000].into_iter().enumerate() {
        rumors.on_injected(at(i as u64), node(0), (number, 1, to(2)), &mut sink);
        assert!(rumors.slots.len() <= 4);
        rumors.on_received(at(50), node(1), number, 1, true);
    }
    // 5 pushed out 0 and 1, 6 nothing, the leap the rest. A receipt of 0 is late, one of the
    // newest is not, and a number too old for the window is not followed any more.
    assert_eq!(
        rumors.on_received(at(60), node(2), 0, 1, true),
        Some(FirstReceipt { injected: None })
    );
    assert!(rumors.on_received(at(61), node(2), 1_000_000, 1, true).is_some());
    rumors.on_injected(at(70), node(0), (7, 1, to(2)), &mut sink);
    rumors.fill(&mut sink);
    let numbers = [0, 1, 3, 5, 6, 1_000_000_u32].map(Cell::from);
    assert!(sink.column(&RUMORS, "rumor").expect("a column").eq(&numbers));
    let reached = [1, 1, 1, 1, 1, 2_u32].map(Cell::from);
    assert!(sink.column(&RUMORS, "reached").expect("a column").eq(&reached));
    let summary = rumors.summary();
    assert_eq!((summary.injected, summary.late), (7, 1));
    assert_eq!((summary.receipts, summary.copies), (8, 8));
}

#[test]
fn a_place_of_the_ring_that_is_used_again_forgets_who_had_the_old_rumor() {
    let (mut rumors, mut sink) = rumors(&[1; 3], 2);
    for number in 0..4 {
        rumors.on_injected(at(0), node(number % 2), (number, 1, to(2)), &mut sink);
        for other in (0..3).filter(|other| *other != number % 2) {
            assert!(rumors.on_received(at(9), node(other), number, 1, true).is_some());
        }
    }
    rumors.fill(&mut sink);
    assert!((0..4).all(|row| sink.integer(&RUMORS, row, "reached") == Some(2)));
    assert_eq!(rumors.summary().complete, 4);
}

/// Meant for so many nodes.
const fn to(audience: u32) -> Meant {
    Meant { audience, direct: false }
}

#[test]
fn a_direct_rumor_is_meant_for_its_receiver_even_in_a_cluster_of_two() {
    // Lost, it has reached nobody of an audience of one; a flood would have reached its origin.
    let mut rumors = Rumors::new(NodeMap::from_vec(vec![1, 1]), 8);
    let mut sink = MemorySink::new();
    rumors.on_injected(at(0), node(0), (0, 1, Meant { audience: 1, direct: true }), &mut sink);
    rumors.fill(&mut sink);
    assert_eq!(rumors.summary().coverage_mean_ppm, Some(0));
}

#[test]
fn figures_of_a_constant_latency_are_that_latency() {
    // 10 ms lies between two codes of the histogram; its exact ends keep every quantile there.
    let mut rumors = Rumors::new(NodeMap::from_vec(vec![1; 4]), 8);
    let mut sink = MemorySink::new();
    rumors.on_injected(at(0), node(0), (0, 1, to(3)), &mut sink);
    for receiver in 1..4 {
        rumors.on_received(at(10_000_000), node(receiver), 0, 1, true);
    }
    let latency = rumors.summary().latency;
    let all = [latency.min_ns, latency.mean_ns, latency.p50_ns, latency.p99_ns, latency.max_ns];
    assert_eq!(all, [Some(10_000_000); 5]);
}
