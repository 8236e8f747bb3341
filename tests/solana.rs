//! Gossip by Solana's rules as a user sees it: scenarios in, tables and key figures out.

use headwater::fact::ValueKind;
use headwater::metrics::{GOSSIP_VALUES, RUMORS};

use crate::support::{Ran, plan, plan_with, ran, ran_plan};

/// A healthy cluster with one origin that makes 20 values a second.
const STREAM: &str = "duration = '14s'\n[nodes]\ncount = 60\nstake = { kind = 'equal' }\n\
    [network]\nlatency = '40ms'\n[gossip]\nstyle = 'solana'\n[[rumors]]\nat = '1s'\n\
    every = '50ms'\nuntil = '8s'\nsize = '461B'\nspread = 'gossip'\n";

#[test]
fn solana_gossip_reaches_everybody_and_redundancy_falls_with_prunes() {
    let ran = ran_plan(&plan(STREAM));
    let copies = ran.integers(&RUMORS, "copies");
    let reached = ran.integers(&RUMORS, "reached");
    assert_eq!(copies.len(), 141);
    // Every value came to all 59 others, also after each node has pruned most who push it.
    assert!(reached.iter().all(|reached| *reached == 59), "{reached:?}");
    let mean = |copies: &[u64]| copies.iter().sum::<u64>() as f64 / copies.len() as f64 / 59.0;
    // Every node but the origin pushes a value to 9 that are not the origin, the origin to 9 too:
    // 60 * 9 / 59 = 9.15 copies a node.
    let before = mean(&copies[..15]);
    assert!((9.14..9.16).contains(&before), "{before}");
    // Stakes are equal, so any two relayers hold more than 15 % of it: every node keeps exactly
    // two, and now and then one that a rotation has brought and that is not pruned yet.
    let after = mean(&copies[100..]);
    assert!((1.9..2.4).contains(&after), "{before} copies before, {after} after");
    let values = ran.0.summary.gossip_values.expect("gossip by Solana's rules");
    assert!(values.prunes > 59, "every node prunes somebody: {}", values.prunes);
    assert_eq!(values.published.of(ValueKind::Rumor), 141);
    let never = plan_with(STREAM, &["gossip.solana.prune_upserts=0"]);
    let copies = ran_plan(&never).integers(&RUMORS, "copies");
    let late = mean(&copies[100..]);
    assert!((9.14..9.16).contains(&late), "without prunes nothing changes: {late}");
}

#[test]
fn solana_gossip_by_pull_alone_reaches_everybody_in_the_end() {
    let overrides = ["gossip.solana.push=false", "duration=40s", "nodes.count=30"];
    let ran = ran_plan(&plan_with(STREAM, &overrides));
    let summary = &ran.0.summary;
    assert!(summary.sent.iter().all(|(kind, _)| kind.name() != "gossip_push"));
    // A node asks for 8 of 64 parts every 500 ms, for any value every 4 s, one of 29 others at a
    // time: x' = x (1 - x) / 4 s, so after at least 32 s 1 - x = 30 exp(-8) / W = 1 % / W, where W,
    // exponential with mean one, is the luck of the first steps. Its mean is about 5 %.
    let reached = ran.integers(&RUMORS, "reached").iter().sum::<u64>();
    assert!(reached * 100 > 141 * 29 * 90, "{reached} of {}", 141 * 29);
    let values = summary.gossip_values.expect("gossip by Solana's rules");
    assert_eq!(values.rmr_ppm, None, "nobody was reached by a push");
    assert!(values.pulled > 0);
}

#[test]
fn solana_gossip_pulls_what_loss_took() {
    // A fifth of all pushes is lost and nodes push to two: push leaves holes in every value.
    let overrides = [
        "gossip.solana.fanout=2",
        "gossip.solana.active_set=2",
        "network.loss=20%",
        "duration=40s",
    ];
    let healed = ran_plan(&plan_with(STREAM, &overrides));
    let alone = plan_with(STREAM, &[&overrides[..], &["gossip.solana.pull=false"]].concat());
    let alone = ran_plan(&alone);
    let coverage = |ran: &crate::support::Ran| ran.0.summary.rumors.coverage_mean_ppm;
    assert!(coverage(&healed) > coverage(&alone), "{:?}", (coverage(&healed), coverage(&alone)));
    assert!(coverage(&healed) > Some(990_000), "{:?}", coverage(&healed));
    let count = |ran: &crate::support::Ran| ran.0.summary.gossip_values.expect("it").pulled;
    assert!(count(&healed) > 0 && count(&alone) == 0);
}

#[test]
fn solana_gossip_makes_validators_known() {
    let toml = "duration = '20s'\n[nodes]\ncount = 50\nobservers = 5\n[topology]\nkind = 'k-out'\n\
        degree = 2\n[gossip]\nstyle = 'solana'\n[output]\ntimeline = '1s'\n";
    let ran = ran(toml);
    let registry = ran.0.summary.registry.as_ref().expect("validators become known");
    assert!(registry.converged_ns.is_some(), "{registry:?}");
    let validators = ran.0.summary.registry.as_ref().map(|registry| registry.validators);
    let known = ran.integers(&headwater::metrics::NODES, "validators");
    assert!(known.iter().all(|known| Some(*known) == validators), "{known:?}");
    // Kinds: contact infos alone, and one row for all of them per interval.
    let kind = GOSSIP_VALUES.position("kind").expect("a column");
    let rows = ran.0.sink.rows(&GOSSIP_VALUES);
    assert!(
        rows.iter().all(|row| ["contact_info", "all"].contains(&row[kind].to_string().as_str()))
    );
    let values = ran.integers(&GOSSIP_VALUES, "values").iter().sum::<u64>();
    let published = ran.0.summary.gossip_values.expect("it").published;
    assert_eq!(values, 2 * published.of(ValueKind::ContactInfo));
}

#[test]
fn solana_settings_that_another_style_has_change_nothing_but_a_note() {
    let toml = "duration = '5s'\n[gossip]\nstyle = 'push'\n";
    let plain = plan(toml);
    let unread = plan(&format!("{toml}[gossip.solana]\nfanout = 3\n"));
    assert!(plain.notes.is_empty());
    let note = "gossip.solana: these keys are only read with style = \"solana\"";
    assert_eq!(unread.notes, [note]);
    assert_eq!(ran_plan(&plain).0.digest, ran_plan(&unread).0.digest);
    assert!(ran_plan(&plain).0.summary.gossip_values.is_none());
    let keys = ["interval = '3s'", "fanout = 4", "refresh = '9s'", "choose_from = 'membership'"];
    let text = format!("[gossip]\nstyle = 'solana'\n{}\n", keys.join("\n"));
    let notes = plan(&text).notes;
    let expected = ["interval", "fanout", "refresh", "choose_from"]
        .map(|key| format!("gossip.{key}: not read with style = \"solana\""));
    assert_eq!(notes, expected);
}

#[test]
fn solana_gossip_of_a_shorter_run_is_the_beginning_of_a_longer_one() {
    let short = ran_plan(&plan_with(STREAM, &["duration=4s"]));
    let long = ran_plan(&plan_with(STREAM, &["duration=8s"]));
    let (short, mut long) = (short.deliveries(), long.deliveries());
    long.retain(|delivery| delivery.at <= 4_000_000_000);
    assert_eq!(short, long);
}

#[test]
fn solana_gossip_does_not_notice_an_idle_node() {
    // Law 15: no stake, nobody's peer, knows nobody. It has a contact info that it tells nobody.
    let toml = "duration = '6s'\n[nodes]\ncount = 8\nobservers = 1\n[topology]\nkind = 'edges'\n\
        allow_disconnected = true\nlist = [[0, 1], [1, 2], [2, 3], [3, 4], [4, 5], [5, 6], [6, 7]]\n\
        [network]\nlatency = '30ms'\nloss = '5%'\n[gossip]\nstyle = 'solana'\n\
        [gossip.solana]\nprune_upserts = 5\n[[rumors]]\nevery = '100ms'\nsize = '200B'\n\
        node = '0..8'\nspread = 'gossip'\n";
    let without = ran(toml);
    let with = ran_plan(&plan_with(toml, &["nodes.count=9", "nodes.observers=2"]));
    assert!(without.0.summary.gossip_values.expect("it").prunes > 0, "something happens");
    assert_eq!(without.0.digest, with.0.digest);
    assert_eq!(without.deliveries(), with.deliveries());
    assert_eq!(with.lookup(&headwater::metrics::NODES, "node", "8", "sent"), Some(0));
}

#[test]
fn solana_gossip_of_a_cluster_that_ran_before_begins_with_everybody_known() {
    // In a ring everybody begins with two peers.
    let ring = ["topology.kind=ring", "nodes.observers=5", "duration=20s"];
    let cold = ran_plan(&plan_with(STREAM, &ring));
    let warm = ran_plan(&plan_with(STREAM, &[&ring[..], &["gossip.solana.warm=true"]].concat()));
    let registry = |ran: &Ran| ran.0.summary.registry.clone().expect("a registry");
    // A message takes 40 ms, and half of the ring is 32 nodes away.
    assert!(registry(&cold).converged_ns.is_none_or(|at| at > 40_000_000));
    assert_eq!(registry(&warm).converged_ns, Some(0));
    // Nodes do not publish at once, but every 7.5 s from a random moment on: two or three times in
    // 20 s; cold, once more.
    let published = |ran: &Ran| {
        let values = ran.0.summary.gossip_values.expect("gossip by Solana's rules");
        values.published.of(ValueKind::ContactInfo)
    };
    let (warm, cold) = (published(&warm), published(&cold));
    assert!((2 * 60..=3 * 60).contains(&warm), "{warm}");
    assert!((3 * 60..=4 * 60).contains(&cold), "{cold}");
}

#[test]
fn solana_gossip_of_a_cluster_that_ran_before_has_pruned_what_comes_late() {
    let warm = ran_plan(&plan_with(STREAM, &["gossip.solana.warm=true"]));
    let (copies, reached) = (warm.integers(&RUMORS, "copies"), warm.integers(&RUMORS, "reached"));
    assert!(reached.iter().all(|reached| *reached == 59), "{reached:?}");
    // As in the test above after 100 values, but from the first one on: exactly two of equal stake
    // stay, and now and then one that a rotation has brought.
    let first = copies[..15].iter().sum::<u64>() as f64 / 15.0 / 59.0;
    assert!((1.9..2.4).contains(&first), "{first}");
}

#[test]
fn solana_gossip_collects_what_comes_within_a_batch() {
    // Links take 40 ms. What takes two hops waits in the middle for the end of the batch, unless
    // the main loop there comes in between: as that runs every 2 s, the median does not see it.
    let keys = ["interval=2s", "pull_interval=2s", "warm=true"];
    let keys = keys.map(|key| format!("gossip.solana.{key}"));
    let second_hop = |batch: &str| {
        let batch = format!("gossip.solana.batch={batch}");
        let keys: Vec<&str> = keys.iter().chain([&batch]).map(String::as_str).collect();
        let all = ran_plan(&plan_with(STREAM, &keys)).deliveries();
        let [first, second] = [1, 2].map(|hops| {
            let of = all.iter().filter(|it| it.rumor == 0 && it.hops == hops);
            let mut times: Vec<u64> = of.map(|it| it.at).collect();
            times.sort_unstable();
            times[times.len() / 2]
        });
        second - first
    };
    assert_eq!(second_hop("0s"), 40_000_000);
    assert_eq!(second_hop("20ms"), 60_000_000);
}
