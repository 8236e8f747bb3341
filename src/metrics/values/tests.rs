//! Metrics layer, tests only: values of Solana's gossip, facts in, rows and key figures out.

use super::super::table::MemorySink;
use super::*;

const fn at(millis: u64) -> Time {
    Time::from_nanos(millis * 1_000_000)
}

/// Four nodes are up; rows every second.
fn started() -> (Values, MemorySink) {
    let mut values = Values::new(Some(Span::from_secs(1)));
    (0..4).for_each(|_| values.on_up());
    (values, MemorySink::new())
}

#[test]
fn a_value_is_measured_for_five_seconds() {
    let (mut values, mut sink) = started();
    values.on_published(at(100), 0, (ValueKind::Vote, 461), &mut sink);
    values.on_published(at(200), 1, (ValueKind::Vote, 461), &mut sink);
    values.on_published(at(300), 2, (ValueKind::ContactInfo, 180), &mut sink);
    // The first vote: three nodes, of which one pulled it, and five pushes in all.
    for (millis, hops, pushed, first) in [
        (110, 1, true, true),
        (120, 2, true, true),
        (130, 2, true, false),
        (900, 3, false, true),
        (950, 4, true, false),
        (5_100, 4, true, false),
        (5_101, 4, true, false),
    ] {
        values.on_received(at(millis), 0, hops, (pushed, first));
    }
    // The second: one node in time, one too late.
    values.on_received(at(210), 1, 1, (true, true));
    values.on_received(at(5_201), 1, 1, (true, true));
    values.on_prune(at(1_500), 3, &mut sink);
    values.fill(at(5_250), &mut sink);
    let rows = sink.rows(&GOSSIP_VALUES);
    let cell = |row: usize, name| rows[row][GOSSIP_VALUES.position(name).expect("it")].to_string();
    let all = |row: usize| {
        ["kind", "values", "open", "audience", "reached", "complete", "stranded", "pulled"]
            .map(|name| cell(row, name))
    };
    assert_eq!(all(0), ["contact_info", "1", "1", "0", "0", "0", "0", "0"]);
    assert_eq!(all(1), ["vote", "2", "0", "6", "4", "1", "2", "1"]);
    assert_eq!(all(2), ["all", "3", "1", "6", "4", "1", "2", "1"]);
    // Pushes 5 and 1 for 2 + 1 nodes reached by a push: 6/3 - 1 = 1. Hops 1 + 2 + 3 + 1. Times
    // 10, 20, 800 and 10 ms: mean 210.
    let names = ["pushes", "rmr_ppm", "hops_max", "hops_sum", "latency_mean_ns", "value_bytes"];
    assert_eq!(names.map(|n| cell(1, n)), ["6", "1000000", "3", "7", "210000000", "922"]);
    assert_eq!([cell(2, "prunes"), cell(3, "prunes")], ["0", "1"]);
    assert_eq!([cell(3, "from_ns"), cell(3, "pruned_origins")], ["1000000000", "3"]);
    let summary = values.summary();
    assert_eq!((summary.coverage_ppm, summary.coverage_min_ppm), (Some(666_666), Some(333_333)));
    assert_eq!((summary.late, summary.stranded_max, summary.prunes), (1, 2, 1));
    assert_eq!((summary.open, summary.hops_mean_milli), (1, Some(1_750)));
    assert_eq!(summary.published.of(ValueKind::Vote), 2);
}

#[test]
fn rows_come_in_the_order_of_time_while_the_run_goes_on() {
    let (mut values, mut sink) = started();
    for number in 0..200 {
        let now = at(u64::from(number) * 100);
        values.on_published(now, number, (ValueKind::Vote, 461), &mut sink);
        if number % 10 == 0 {
            values.on_prune(now, 1, &mut sink);
        }
        assert!(values.intervals.len() <= 6, "as many as 5 s touch");
        assert!(values.followed.len() <= 51);
    }
    values.fill(at(20_000), &mut sink);
    let starts: Vec<_> = (0..sink.rows(&GOSSIP_VALUES).len())
        .map(|row| sink.integer(&GOSSIP_VALUES, row, "from_ns").expect("a start"))
        .collect();
    let expected: Vec<u64> = (0..40).map(|row| row / 2 * 1_000_000_000).collect();
    assert_eq!(starts, expected);
}

#[test]
fn what_is_followed_is_bounded() {
    let (mut values, mut sink) = started();
    let start = u32::MAX - 10;
    for more in 0..MOST_FOLLOWED as u32 + 3 {
        let number = start.wrapping_add(more);
        values.on_published(at(1), number, (ValueKind::Rumor, 200), &mut sink);
        values.on_received(at(2), number, 1, (true, true));
    }
    assert_eq!(values.followed.len(), MOST_FOLLOWED);
    values.on_received(at(2), start, 1, (true, true));
    values.fill(at(6_000), &mut sink);
    let summary = values.summary();
    assert_eq!((summary.open, summary.late), (3, 1));
    assert_eq!(summary.coverage_ppm, Some(333_333), "one of three each");
}
