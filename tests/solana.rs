//! Gossip by Solana's rules as a user sees it: scenarios in, tables and key figures out.

use headwater::fact::ValueKind;
use headwater::metrics::{GOSSIP_VALUES, RUMORS};

use crate::support::{plan, plan_with, ran, ran_plan};

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
    // After prunes a node keeps those that are worth 15 % of the smaller stake, and two at least.
    // Rotation at random moments of 7.5 s brings back a few that are not pruned yet.
    let after = mean(&copies[100..]);
    assert!(after < 6.0, "{before} copies before, {after} after");
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
    // A node asks for 8 of 64 parts every 500 ms. A value spreads like a rumor pulled at 1/8 of the
    // rate: in 32 s, 64 rounds of which 8 ask for it, log_2(30) + ln(30) = 8.3 are the mean to all;
    // so most come to almost everybody.
    let reached = ran.integers(&RUMORS, "reached").iter().sum::<u64>();
    assert!(reached * 100 > 141 * 29 * 60, "{reached} of {}", 141 * 29);
    let values = summary.gossip_values.expect("gossip by Solana's rules");
    assert_eq!(values.rmr_ppm, None, "nobody was reached by a push");
    assert!(values.pulled > 0);
}

#[test]
fn solana_gossip_pulls_what_loss_took() {
    // Half of all pushes are lost and nodes push to two: push leaves holes.
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
