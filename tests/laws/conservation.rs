//! Law 12, in every run: sent + duplicated = delivered + dropped by reason + in flight, in messages
//! and in bytes; a pipe is busy for at most all of the time; nothing arrives before its latency and
//! its serialisation are over; nothing crosses a partition.

mod draw;
mod watch;

use headwater::metrics::table::{Cell, TableSpec};
use headwater::metrics::{FAULTS, MESSAGES, NODES, RUMORS};
use headwater::scenario::shipped::SCENARIOS;

use self::draw::World;
use self::watch::{Ledger, Limits, Watch};
use super::MS;
use crate::support::{Ran, plan, ran, ran_heard, shipped_part};

/// The numbers of a row by column; empty cells count as nothing.
fn number(table: &TableSpec, row: &[Cell<'static>], column: &str) -> u64 {
    match row[table.position(column).expect("a column of the table")] {
        Cell::Integer(value) => value,
        _ => 0,
    }
}

/// Asserts that the tables of a run agree with what a listener of its own has counted.
fn assert_conserved(ran: &Ran, ledger: &Ledger) {
    let summary = &ran.0.summary;
    for (flow, counted) in [(summary.messages, ledger.messages), (summary.bytes, ledger.bytes)] {
        assert_eq!(
            [flow.sent, flow.duplicated, flow.delivered, flow.dropped],
            [counted.sent, counted.duplicated, counted.delivered, counted.dropped]
        );
        // What is in flight is counted one by one in the queue and the inboxes.
        assert_eq!(flow.sent + flow.duplicated, flow.delivered + flow.dropped + flow.in_flight);
    }
    assert_eq!(summary.dropped.total(), summary.messages.dropped);
    let rows = ran.0.sink.rows(&MESSAGES);
    let (kinds, total) = rows.split_at(rows.len() - 1);
    for column in ["sent", "delivered", "dropped", "in_flight", "in_flight_bytes", "sent_bytes"] {
        let sum: u64 = kinds.iter().map(|row| number(&MESSAGES, row, column)).sum();
        assert_eq!(sum, number(&MESSAGES, &total[0], column), "{column}");
    }
    for (column, expected) in [
        ("sent", summary.messages.sent),
        ("received", summary.messages.delivered),
        ("dropped_out", summary.messages.dropped),
        ("sent_bytes", summary.bytes.sent),
        ("received_bytes", summary.bytes.delivered),
    ] {
        assert_eq!(ran.integers(&NODES, column).iter().sum::<u64>(), expected, "{column}");
    }
    for column in ["uplink_busy_ppm", "downlink_busy_ppm"] {
        assert!(ran.integers(&NODES, column).iter().all(|&busy| busy <= 1_000_000), "{column}");
    }
    for row in ran.0.sink.rows(&FAULTS) {
        assert!(number(&FAULTS, row, "affected") <= number(&FAULTS, row, "exposed"), "{row:?}");
    }
    for row in ran.0.sink.rows(&RUMORS) {
        let [reached, copies, audience] =
            ["reached", "copies", "audience"].map(|column| number(&RUMORS, row, column));
        assert!(reached <= copies && reached <= audience, "{row:?}");
    }
    assert!(ledger.violations.is_empty(), "{:#?}", ledger.violations);
}

#[test]
fn every_shipped_scenario_conserves_messages_and_bytes() {
    for scenario in SCENARIOS {
        let plan = shipped_part(scenario.name);
        let mut ledger = Ledger::new(Limits::none(plan.population.count()));
        let ran = ran_heard(&plan, Watch(&mut ledger));
        assert!(ledger.messages.sent > 0, "{}", scenario.name);
        assert_conserved(&ran, &ledger);
    }
}

/// Shows the scenario that a test died of.
struct Shown<'a>(&'a World);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the scenario:\n{}\n{:?}", self.0.text, self.0.limits);
        }
    }
}

/// What so many drawn scenarios did together, so that the test cannot become vacuous unnoticed.
#[derive(Default)]
struct Coverage {
    messages: u64,
    in_flight: u64,
    crossings: u64,
    reasons: Vec<String>,
}

#[test]
fn drawn_scenarios_conserve_are_never_early_and_respect_partitions() {
    let mut coverage = Coverage::default();
    for seed in 1..=240 {
        let world = draw::world(seed);
        let shown = Shown(&world);
        let mut ledger = Ledger::new(world.limits.clone());
        let ran = ran_heard(&plan(&world.text), Watch(&mut ledger));
        assert_conserved(&ran, &ledger);
        let summary = &ran.0.summary;
        coverage.messages += summary.messages.sent;
        coverage.in_flight += summary.messages.in_flight;
        coverage.crossings += ledger.stopped;
        let reasons = summary.dropped.iter().map(|(reason, _)| reason.name().to_owned());
        coverage.reasons.extend(reasons);
        drop(shown);
    }
    coverage.reasons.sort();
    coverage.reasons.dedup();
    assert!(coverage.messages > 200_000, "{} messages", coverage.messages);
    assert!(coverage.in_flight > 100, "{} in flight", coverage.in_flight);
    assert!(coverage.crossings > 1_000, "{} stopped by partitions", coverage.crossings);
    assert_eq!(coverage.reasons.len(), 14, "all reasons to drop: {:?}", coverage.reasons);
}

#[test]
fn a_full_pipe_is_busy_all_the_time_and_a_half_full_one_half() {
    // 1,000 B at 8 Mbit/s is 1 ms; 10 s of run. One message every millisecond, from 0 s on, keeps
    // the uplink busy to the end, one every 2 ms half of the time, one every 0.5 ms leaves a queue.
    // The downlink begins 1 + 10 ms later: 9,989 ms are left, or 4,995 messages at 11, 13, ... ms.
    for (every, up, down) in
        [("1ms", 1_000_000, 998_900), ("2ms", 500_000, 499_500), ("500us", 1_000_000, 998_900)]
    {
        let text = format!(
            "duration = \"10s\"\n[nodes]\ncount = 3\n[network]\nlatency = \"10ms\"\n\
             uplink = \"8Mbit/s\"\ndownlink = \"8Mbit/s\"\n[[rumors]]\nspread = \"direct\"\n\
             to = 1\nsize = \"1kB\"\nevery = \"{every}\""
        );
        let ran = ran(&text);
        assert_eq!(ran.lookup(&NODES, "node", "0", "uplink_busy_ppm"), Some(up), "{every}");
        assert_eq!(ran.lookup(&NODES, "node", "1", "downlink_busy_ppm"), Some(down), "{every}");
    }
}

#[test]
fn a_crash_takes_back_what_the_node_has_not_sent() {
    // Node 1 passes a rumor on; handling takes 10 ms, its uplink 1 ms (1,000 B at 8 Mbit/s), every
    // link 5 ms: handed over at 5, out at 15 or 16, at node 2 at 20 or 21 ms.
    for (uplink, out) in [("", 15), ("uplink = \"8Mbit/s\"", 16)] {
        for (crash, arrives) in [(out - 1, false), (out, true), (out + 1, true)] {
            let text = format!(
                "duration = \"1s\"\n[nodes]\ncount = 3\n[[nodes.class]]\nnodes = 1\n{uplink}\n\
                 [topology]\nkind = \"line\"\n[network]\nlatency = \"5ms\"\n\
                 [cost]\nmessage = \"10ms\"\n[[rumors]]\nsize = \"1kB\"\n\
                 [[faults]]\nkind = \"crash\"\nnodes = 1\nat = \"{crash}ms\""
            );
            let arrival = ran(&text).arrivals(0, 3)[2];
            let expected = arrives.then_some((out + 5) * MS);
            assert_eq!(arrival, expected, "{uplink}, crash at {crash} ms");
        }
    }
}
