//! Scenarios that are valid and extreme: they run to their end without a panic, and no message
//! vanishes (law 12, which `ran` asserts).

use std::path::Path;

use headwater::fact::Deaf;
use headwater::metrics::RUMORS;
use headwater::metrics::table::MemorySink;
use headwater::run::{Ending, Go, run};
use headwater::scenario::plan::Plan;
use headwater::scenario::schema::Scenario;

use crate::support::{plan, ran};

const STYLES: [&str; 6] = ["flood", "forward-once", "push", "pull", "push-pull", "direct"];
const GOSSIPS: [&str; 5] = ["off", "push", "pull", "push-pull", "forward-once"];

#[test]
fn a_cluster_of_one_node_runs_with_every_protocol() {
    for gossip in GOSSIPS {
        for spread in &STYLES[..5] {
            for membership in [false, true] {
                // Among no others at all a fan-out is impossible; flooding needs none.
                let choose = if membership && *spread == "flood" { "membership" } else { "peers" };
                let ran = ran(&format!(
                    "duration = \"5s\"\nnodes.count = 1\ndiscovery.enabled = true\n\
                     discovery.bootstrap = 0\ngossip.style = \"{gossip}\"\n\
                     gossip.interval = \"100ms\"\ngossip.refresh = \"1s\"\n\
                     [[rumors]]\nspread = \"{spread}\"\ninterval = \"100ms\"\n\
                     choose_from = \"{choose}\"\n\
                     [[faults]]\nkind = \"crash\"\nat = \"2s\"\nfor = \"1s\"\nnodes = 0\n\
                     memory = \"lost\"\n"
                ));
                let summary = ran.0.summary;
                assert_eq!(summary.messages.sent, 0, "nobody to send to: {gossip}, {spread}");
                assert_eq!(summary.rumors.injected, 1, "{gossip}, {spread}");
                assert_eq!(summary.nodes.starts, 2, "it came back: {gossip}, {spread}");
            }
        }
    }
}

#[test]
fn two_nodes_and_one_of_them_an_observer_run_with_every_protocol() {
    for gossip in GOSSIPS {
        for spread in STYLES {
            let to = if spread == "direct" { "to = 1\n" } else { "" };
            let ran = ran(&format!(
                "duration = \"5s\"\nnodes.count = 2\nnodes.observers = 1\n\
                 discovery.enabled = true\ngossip.style = \"{gossip}\"\ngossip.fanout = 1\n\
                 gossip.choose_from = \"membership\"\n\
                 [[rumors]]\nspread = \"{spread}\"\nfanout = 1\nchoose_from = \"membership\"\n{to}"
            ));
            let rumors = ran.0.summary.rumors;
            assert_eq!((rumors.injected, rumors.complete), (1, 1), "{gossip}, {spread}");
        }
    }
}

/// A transmission that would end after the end of time is still under way when the run ends.
#[test]
fn messages_that_take_longer_than_time_can_say_stay_under_way() {
    // 2 GiB at one bit per second take 544 years, and three of them wait for each other on the
    // uplink: more than the 584 years of a clock of 64 bits.
    let slow = "{ rate = \"1bit/s\", buffer = 4294967295 }";
    let rumors = "network.header = \"1GiB\"\n[[rumors]]\nsize = \"1GiB\"\ncount = 3\n";
    for pipe in ["uplink", "downlink"] {
        let ran = ran(&format!("nodes.count = 2\nnetwork.{pipe} = {slow}\n{rumors}"));
        let messages = ran.0.summary.messages;
        assert_eq!((messages.sent, messages.in_flight), (3, 3), "{pipe}");
    }
    let ran = ran(&format!(
        "nodes.count = 2\ntopology = {{ kind = \"ring\", rate = \"1bit/s\" }}\n\
         network.link_buffer = 4294967295\nnetwork.uplink = {slow}\n{rumors}\
         [[faults]]\nkind = \"throttle\"\nat = \"0s\"\nrate = \"1bit/s\"\nbuffer = 4294967295\n"
    ));
    assert_eq!(ran.0.summary.messages.in_flight, 3);
}

#[test]
fn work_that_takes_longer_than_time_can_say_is_never_done() {
    // 1 h * 10^6 * 10^6 = 3.6e27 ns is more than 2^64 = 1.8e19.
    let slow = "[[faults]]\nkind = \"slow\"\nat = \"0s\"\nnodes = \"all\"\nfactor = 1_000_000\n\
                per_message = \"1h\"\n";
    let ran = ran(&format!(
        "nodes.count = 4\ncost = {{ message = \"1h\", kilobyte = \"1h\" }}\nlimits.inbox = 1\n\
         [[rumors]]\ncount = 5\n{slow}{slow}{slow}"
    ));
    // Node 0 sends 5 rumors to 3 others. Each of these handles the first for ever, with two copies
    // to pass on at the end of time; one rumor waits in each inbox, and the others find it full.
    let messages = ran.0.summary.messages;
    assert_eq!((messages.sent, messages.delivered, messages.in_flight), (15 + 6, 3, 6 + 3));
}

#[test]
fn a_hundred_delays_of_an_hour_add_up() {
    let delay = "[[faults]]\nkind = \"delay\"\nat = \"0s\"\nextra = \"1h\"\n".repeat(100);
    let text = format!(
        "duration = \"100h\"\nnodes.count = 2\noutput.timeline = \"1h\"\n\
                        output.node_timeline = \"0s\"\n[[rumors]]\n{delay}"
    );
    // Latency 50 ms + 100 h is beyond the end; one hour less is not.
    assert_eq!(ran(&text).0.summary.messages.in_flight, 1);
    let longer = text.replace("\"100h\"", "\"101h\"");
    assert_eq!(ran(&longer).0.summary.messages.delivered, 1);
}

/// Every length of time that has no limit of its own, at nearly 584 years.
#[test]
fn the_longest_times_come_to_nothing() {
    let far = "5124095h";
    let ran = ran(&format!(
        "nodes.count = 9\nnodes.connect = \"{far}\"\nrules = \"classroom\"\n\
         nodes.class = [{{ nodes = 3, start = \"{far}\", connect = \"{far}\" }}]\n\
         [discovery]\nrequest_interval = \"{far}\"\nping_interval = \"1s\"\ntimeout = \"{far}\"\n\
         retry_initial = \"{far}\"\nretry_limit = \"{far}\"\n\
         [gossip]\nstyle = \"push-pull\"\ninterval = \"{far}\"\nrefresh = \"{far}\"\n\
         [output]\ntimeline = \"{far}\"\nnode_timeline = \"{far}\"\npeers_at = [\"{far}\"]\n\
         deliveries_from = \"0s\"\ndeliveries_until = \"{far}\"\n\
         [[rumors]]\nspread = \"push\"\ninterval = \"{far}\"\nevery = \"{far}\"\n\
         until = \"{far}\"\n\
         [[rumors]]\nat = \"{far}\"\n\
         [[faults]]\nkind = \"mute\"\nat = \"1s\"\nfor = \"{far}\"\nnodes = 1\n\
         [[faults]]\nkind = \"deaf\"\nat = \"{far}\"\nfor = \"{far}\"\nnodes = 1\n\
         [[faults]]\nkind = \"churn\"\nat = \"{far}\"\nfor = \"{far}\"\nnodes = 1\n\
         every = \"1ns\"\ndowntime = \"1h\"\n\
         [[faults]]\nkind = \"pause\"\nat = \"2s\"\nuntil = \"{far}\"\nnodes = 2\n"
    ));
    assert_eq!(ran.0.summary.nodes.up, 8, "node 3 never starts");
    assert_eq!(ran.0.summary.rumors.injected, 1);
}

/// The last time that can be written to the nanosecond.
#[test]
fn windows_at_the_end_of_time_do_not_overflow() {
    let last = "18446744073709551615ns";
    let ran = ran(&format!(
        "nodes.count = 3\noutput.deliveries_until = \"{last}\"\n\
         [[rumors]]\nuntil = \"{last}\"\n\
         [[faults]]\nkind = \"mute\"\nat = \"{last}\"\nfor = \"{last}\"\nnodes = 1\n\
         [[faults]]\nkind = \"partition\"\nat = \"1s\"\nuntil = \"{last}\"\ngroups = [0]\n"
    ));
    assert_eq!(ran.0.summary.deliveries.written, 2);
}

#[test]
fn clocks_that_are_a_year_off_or_half_as_fast_do_not_stop_a_run() {
    for clock in [
        "ahead = \"8784h\"",
        "behind = \"8784h\"",
        "drift_ppm = 500_000",
        "drift_ppm = -500_000",
        "ahead = \"8784h\"\ndrift_ppm = -500_000",
    ] {
        for phase in ["aligned", "random"] {
            let ran = ran(&format!(
                "duration = \"20s\"\nnodes.count = 6\nrules = \"classroom\"\n\
                 gossip.phase = \"{phase}\"\ngossip.refresh = \"1s\"\n\
                 [[faults]]\nkind = \"clock\"\nat = \"2s\"\nfor = \"10s\"\nnodes = \"0..3\"\n{clock}\n\
                 [[faults]]\nkind = \"crash\"\nat = \"4s\"\nfor = \"2s\"\nnodes = \"0..4\"\n\
                 memory = \"lost\"\n"
            ));
            let registry = ran.0.summary.registry.expect("gossip is on");
            assert_eq!(registry.known_pairs, 36, "all know all again: {clock}, {phase}");
        }
    }
}

#[test]
fn counts_at_the_limit_of_32_bits_mean_everybody() {
    let most = u32::MAX;
    let ran = ran(&format!(
        "duration = \"20s\"\nnodes.count = 5\n[topology]\nkind = \"ring\"\n\
         [discovery]\nenabled = true\nrequest_fanout = {most}\nanswer_limit = {most}\n\
         announce_limit = {most}\nping_fanout = {most}\nattempts = {most}\nmax_peers = {most}\n\
         [gossip]\nstyle = \"push\"\nfanout = {most}\n\
         [[rumors]]\nspread = \"push\"\nfanout = 100_000\nrounds = {most}\n"
    ));
    let summary = ran.0.summary;
    // 5 nodes that each find the two that are not beside them on the ring.
    assert_eq!(summary.peers.added, 10);
    assert_eq!(summary.registry.expect("gossip is on").known_pairs, 25);
    assert_eq!(summary.rumors.complete, 1);
}

#[test]
fn certain_loss_duplication_and_damage_conserve_messages() {
    for (network, delivered) in [
        ("loss = 1", 0),
        ("duplicate = 1", 8),
        ("corrupt = 1", 0),
        ("duplicate = 1\ncorrupt = 1\nin_order = true", 0),
        ("message_limit = \"0B\"", 0),
        ("loss = { good_to_bad = 0, bad_to_good = 0 }", 4),
        ("loss = { good_to_bad = 1, bad_to_good = 1, loss_good = 1 }", 0),
        ("uplink = { rate = \"1Gbit/s\", buffer = 0 }", 1),
        ("downlink = { rate = \"1bit/s\", buffer = \"0B\" }", 0),
        ("latency = { kind = \"pareto\", min = \"1h\", exponent = 0.001 }", 0),
    ] {
        let direct = "[[rumors]]\nspread = \"direct\"\nto = 1\ncount = 4";
        let ran = ran(&format!("nodes.count = 2\n[network]\n{network}\n{direct}"));
        assert_eq!(ran.0.summary.messages.delivered, delivered, "{network}");
    }
}

#[test]
fn faults_that_take_everybody_leave_a_silent_cluster() {
    for fault in [
        "kind = \"crash\"\nnodes = \"all\"",
        "kind = \"mute\"\nnodes = \"all\"",
        "kind = \"deaf\"\nnodes = \"all\"",
        "kind = \"pause\"\nnodes = \"all\"",
        "kind = \"loss\"\nprobability = 1",
    ] {
        let ran = ran(&format!(
            "rules = \"classroom\"\nnodes.count = 8\n[[rumors]]\nat = \"1ns\"\n\
             [[faults]]\nat = \"0s\"\n{fault}"
        ));
        assert_eq!(ran.0.summary.messages.delivered, 0, "{fault}");
    }
    // Nobody is there to hear of it, so the rumor never appears.
    let ran = ran("nodes.count = 8\n[[rumors]]\nat = \"1s\"\n\
                   [[faults]]\nkind = \"crash\"\nat = \"1s\"\nnodes = \"all\"");
    assert_eq!((ran.0.summary.rumors.missed, ran.0.summary.nodes.up), (1, 0));
}

#[test]
fn sixty_four_groups_are_sixty_four_islands() {
    let groups = (0..64).map(|i| i.to_string()).collect::<Vec<_>>().join(", ");
    let ran = ran(&format!(
        "nodes.count = 64\n[[rumors]]\nat = \"1s\"\n\
         [[faults]]\nkind = \"partition\"\nat = \"0s\"\ngroups = [{groups}]"
    ));
    assert_eq!((ran.0.summary.messages.sent, ran.0.summary.messages.delivered), (63, 0));
}

#[test]
fn a_run_of_one_nanosecond_has_a_beginning_and_an_end() {
    let ran =
        ran("duration = \"1ns\"\nrules = \"classroom\"\n[[rumors]]\nat = \"2ns\"\n[[rumors]]");
    assert_eq!((ran.0.summary.end_ns, ran.0.summary.rumors.injected), (1, 1));
}

#[test]
fn a_rumor_travels_more_links_than_16_bits_can_count() {
    // A line of 65,600 nodes: 65,599 links, one millisecond each. The count of links stops at
    // 65,535; before that it was wrong by nothing.
    let ran = ran("duration = \"66s\"\nnodes.count = 65_600\ntopology.kind = \"line\"\n\
         network.latency = \"1ms\"\noutput = { timeline = \"0s\", node_timeline = \"0s\", peers = \
         false, deliveries = \"none\" }\n[[rumors]]");
    assert_eq!(ran.integers(&RUMORS, "reached"), [65_599]);
    assert_eq!(ran.integers(&RUMORS, "last_ns"), [65_599_000_000]);
    assert_eq!(ran.integers(&RUMORS, "hops_max"), [65_535]);
}

#[test]
fn too_many_pending_events_end_a_run_also_when_they_come_at_one_instant() {
    for rumors in ["count = 4_000_000_000", "count = 300\nevery = \"1ns\""] {
        let plan =
            plan(&format!("nodes.count = 20\nlimits.pending_events = 1_000\n[[rumors]]\n{rumors}"));
        let finished = run(&plan, MemorySink::new(), Deaf, &mut |_| Go::On);
        assert!(matches!(finished.ending, Ending::Overloaded(_)), "{:?}", finished.ending);
        assert!(finished.summary.conservation.holds);
        // Each rumor is sent to 19 others, so 1,000 are passed by fewer than 1,000 + 19.
        assert!((1_001..1_020).contains(&finished.summary.messages.in_flight));
    }
}

#[test]
fn the_control_is_asked_while_nothing_but_boundaries_is_crossed() {
    // Every node is down, so four billion rumors are four billion missed inputs and no event.
    let plan = plan(
        "nodes.count = 2\n[[rumors]]\nat = \"1s\"\ncount = 4_000_000_000\n\
         [[faults]]\nkind = \"crash\"\nat = \"0s\"\nnodes = \"all\"",
    );
    let finished = run(&plan, MemorySink::new(), Deaf, &mut |_| Go::Stop);
    assert_eq!(finished.ending, Ending::Stopped);
    assert!(finished.summary.rumors.missed < 1 << 20, "{:?}", finished.summary.rumors);
}

#[test]
fn a_scenario_made_in_rust_that_toml_cannot_hold_is_refused() {
    let of_seed = |seed| Scenario { seed, ..Scenario::default() };
    let most = i64::MAX.unsigned_abs();
    let plan = Plan::resolve(&of_seed(most), Path::new("")).expect("TOML has 63 bits");
    assert!(plan.resolved().contains(&format!("seed = {most}")));
    let error = Plan::resolve(&of_seed(most + 1), Path::new("")).expect_err("TOML has no more");
    assert_eq!(
        error.to_string(),
        "seed: 9223372036854775808 passes the limit of 9223372036854775807"
    );
}
