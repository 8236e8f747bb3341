//! Law 6: Poisson arrivals wait rho * tau / (2 (1 - rho)) on average for a pipe of fixed service
//! time, and a burst of m into Q waiting places lets min(m, Q + 1) through. Processors are queues
//! too.

use headwater::metrics::DELIVERIES;

use super::{MS, assert_near, mean, scenario};
use crate::support::{plan, ran, ran_keeping};

#[test]
fn poisson_arrivals_wait_as_long_as_the_law_says() {
    // 1,000 B at 8 Mbit/s: tau = 1 ms; 500 and 800 a second: rho = 0.5 and 0.8, mean wait 0.5 and
    // 2 tau. Waits of neighbours are alike, so the deviation of a mean over 100,000 arrivals is
    // from 400 independent queues by Lindley's recursion in Python: 0.00567 and 0.0468 tau (their
    // means: 0.4995 and 2.0026).
    for (rate, rho, deviation) in [(500, 0.5, 0.005_67), (800, 0.8, 0.046_8)] {
        const SEEDS: u64 = 3;
        let (mut waits, mut idle) = (Vec::new(), Vec::new());
        for seed in 1..=SEEDS {
            let body = format!(
                "[network]\nlatency = \"10ms\"\nuplink = \"8Mbit/s\"\n\
                 [[rumors]]\nspread = \"direct\"\nto = 1\nsize = \"1kB\"\n\
                 per_second = {rate}.0\ncount = 100000"
            );
            let ran = ran_keeping(&plan(&scenario(3, "300s", seed, &body)), &[&DELIVERIES]);
            let latencies = ran.integers(&DELIVERIES, "latency_ns");
            assert_eq!(latencies.len(), 100_000);
            let wait = |latency: &u64| (latency - 11 * MS) as f64 / MS as f64;
            waits.push(mean(&latencies.iter().map(wait).collect::<Vec<_>>()));
            idle.push(latencies.iter().filter(|l| **l == 11 * MS).count() as f64 / 100_000.0);
        }
        let what = format!("mean wait at {rho}");
        let root = (SEEDS as f64).sqrt();
        assert_near(&what, mean(&waits), rho / (2.0 * (1.0 - rho)), 6.0 * deviation / root);
        // Poisson arrivals see time averages: 1 - rho of them do not wait at all, they begin busy
        // periods. A busy period has 1 / (1 - rho) arrivals with variance rho / (1 - rho)^3
        // (Borel), so by renewal theory the count among N has variance N rho.
        let error = (rho / (SEEDS as f64 * 1e5)).sqrt();
        assert_near("arrivals that do not wait", mean(&idle), 1.0 - rho, 6.0 * error);
    }
}

#[test]
fn a_burst_into_q_places_lets_q_and_the_one_on_the_wire_through() {
    for (burst, places) in [(1, 0), (5, 0), (5, 3), (3, 3), (4, 3), (40, 100), (500, 100)] {
        let expected = u64::min(burst, places + 1);
        let (uplink, downlink) = ("uplink", "downlink");
        let pipe =
            |what: &str| format!("[network]\n{what} = {{ rate = \"1Mbit/s\", buffer = {places} }}");
        let link = format!(
            "[topology]\nkind = \"complete\"\nrate = \"1Mbit/s\"\n\
             [network]\nlink_buffer = {places}"
        );
        for (what, network) in [(uplink, pipe(uplink)), (downlink, pipe(downlink)), ("link", link)]
        {
            let body = format!(
                "{network}\n[[rumors]]\nspread = \"direct\"\nto = 1\nsize = \"1kB\"\n\
                 count = {burst}"
            );
            let summary = ran(&scenario(3, "100s", 1, &body)).0.summary;
            let what = format!("{burst} into {places} places of the {what}");
            assert_eq!(summary.messages.delivered, expected, "{what}");
            assert_eq!(summary.messages.dropped, burst - expected, "{what}");
        }
    }
}

#[test]
fn a_buffer_of_bytes_holds_the_waiting_bytes_header_included() {
    // 10 messages of 1,000 B and 24 B of header: one on the wire, 4,096 B of waiting room hold
    // four; without one byte of it three.
    for (buffer, through) in [(4_096, 5), (4_095, 4), (0, 1)] {
        let body = format!(
            "[network]\nheader = \"24B\"\nuplink = {{ rate = \"1Mbit/s\", buffer = \"{buffer}B\" }}\n\
             [[rumors]]\nspread = \"direct\"\nto = 1\nsize = \"1kB\"\ncount = 10"
        );
        let delivered = ran(&scenario(3, "100s", 1, &body)).0.summary.messages.delivered;
        assert_eq!(delivered, through, "{buffer} B");
    }
}

#[test]
fn departures_of_an_instant_make_room_before_its_arrivals() {
    // tau = 8 ms and an arrival every 8 ms, no waiting place: each finds the wire just freed. One
    // nanosecond faster, and every second one finds it busy.
    for (every, delivered) in [("8ms", 50), ("7999999ns", 25)] {
        let body = format!(
            "[network]\nuplink = {{ rate = \"1Mbit/s\", buffer = 0 }}\n\
             [[rumors]]\nspread = \"direct\"\nto = 1\nsize = \"1kB\"\ncount = 50\n\
             every = \"{every}\""
        );
        assert_eq!(ran(&scenario(3, "10s", 1, &body)).0.summary.messages.delivered, delivered);
    }
}

#[test]
fn a_processor_handles_one_message_after_another_and_inputs_wait_for_it() {
    // Handling takes 10 ms, links 1 ms. Three messages reach node 1 at 1 ms: it handles them at 1,
    // 11 and 21 ms. A rumor that node 1 is given at 5 ms has its turn after them, at 31 ms, and is
    // at node 2 at 32 ms.
    let body = "[network]\nlatency = \"1ms\"\n[cost]\nmessage = \"10ms\"\n\
                [[rumors]]\nspread = \"direct\"\nto = 1\ncount = 3\n\
                [[rumors]]\nspread = \"direct\"\nnode = 1\nto = 2\nat = \"5ms\"";
    let times: Vec<(u64, u64)> =
        ran(&scenario(3, "1s", 1, body)).deliveries().iter().map(|d| (d.node, d.at)).collect();
    assert_eq!(times, [(1, MS), (1, 11 * MS), (1, 21 * MS), (2, 32 * MS)]);
}
