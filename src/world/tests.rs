//! World layer, tests: what is done to a world by hand is what a scenario would have done.

use super::*;
use crate::fact::Deaf;
use crate::metrics::table::MemorySink;
use crate::run::Go;

const CHAIN: &str = r#"
    duration = "10s"
    [nodes]
    count = 8
    [network]
    latency = { kind = "uniform", min = "10ms", max = "40ms" }
    loss = "5%"
    uplink = { rate = "1Mbit/s", buffer = "64KiB" }
    [gossip]
    style = "push-pull"
    [slots]
    start = "poh"
    [blocks]
    content = "synthetic"
    bytes = "4kB"
    [repair]
    style = "solana"
    [consensus]
    style = "tower"
    spread = "peers"
"#;

/// The digest of a scenario run from its beginning to its end.
fn planned(faults: &str) -> Digest {
    let text = format!("{CHAIN}{faults}");
    let plan = shipped::plan(&Source::embedded("planned", &text), &[]).expect("a plan");
    run::run(&plan, MemorySink::new(), Deaf, &mut |_| Go::On).digest
}

fn world() -> World {
    World::from_toml(CHAIN).build().expect("a world")
}

#[test]
fn a_world_left_alone_is_the_run_of_its_scenario_however_it_is_divided() {
    let mut world = world();
    world.run_until("0s").expect("nothing");
    world.run_until("3s").expect("a run");
    let found = world.run_until_fact("10s", |_, fact| matches!(fact, Fact::HeadChanged { .. }));
    let (at, _) = found.expect("a run").expect("heads change every slot");
    assert_eq!(world.now(), at + Span::from_nanos(1));
    world.run_for("1234567ns").expect("a run");
    assert!(world.run_until_holds("10s", |w| w.head(NodeId::new(3)).height > 9).expect("a run"));
    world.run_to_end().expect("a run");
    assert_eq!(world.digest(), planned(""));
}

#[test]
fn what_is_done_by_hand_is_what_a_scenario_would_have_done() {
    let mut world = world();
    world.cut(&["0..4", "rest"]).expect("a cut");
    world.run_until("2s").expect("a run");
    world.crash(NodeId::new(1)).expect("a crash");
    world.crash_and_forget(NodeId::new(6)).expect("a crash");
    world.run_until("3s").expect("a run");
    assert!(!world.is_up(NodeId::new(1)) && world.is_up(NodeId::new(2)));
    world.heal().expect("a heal");
    world.restart(NodeId::new(1)).expect("a restart");
    world.run_until("4s").expect("a run");
    assert!(world.is_up(NodeId::new(1)) && !world.is_up(NodeId::new(6)));
    world.cut(&["3", "4", "rest"]).expect("a cut");
    world.run_until("6s").expect("a run");
    world.restart(NodeId::new(6)).expect("a restart");
    world.heal().expect("a heal");
    world.run_to_end().expect("a run");
    let scenario = r#"
        [[faults]]
        kind = "partition"
        at = "0s"
        until = "3s"
        groups = ["0..4", "rest"]
        [[faults]]
        kind = "crash"
        at = "2s"
        until = "3s"
        nodes = 1
        [[faults]]
        kind = "crash"
        at = "2s"
        until = "6s"
        nodes = 6
        memory = "lost"
        [[faults]]
        kind = "partition"
        at = "4s"
        until = "6s"
        groups = ["3", "4", "rest"]
    "#;
    assert_eq!(world.digest(), planned(scenario));
    assert_ne!(world.digest(), planned(""));
    assert!(world.is_honest(NodeId::new(1)) && !world.is_honest(NodeId::new(6)));
}

#[test]
fn a_heal_ends_the_cuts_of_the_scenario_too_for_good() {
    let cut = "[[faults]]\nkind = \"partition\"\nat = \"1s\"\nuntil = \"8s\"\ngroups = [\"0..4\"]";
    let mut world = World::from_toml(&format!("{CHAIN}{cut}")).build().expect("a world");
    world.run_until("3s").expect("a run");
    world.heal().expect("a heal");
    world.run_to_end().expect("a run");
    assert_eq!(world.digest(), planned(&cut.replace("8s", "3s")));
}

#[test]
fn what_makes_no_sense_is_refused_with_a_reason() {
    let mut world = world();
    world.run_until("2s").expect("a run");
    let said = |result: Result<(), WorldError>| result.expect_err("an error").to_string();
    assert_eq!(
        said(world.run_until("1s")),
        "1s is not between now, 2s, and the end of the scenario, 10s (`duration`)"
    );
    assert!(said(world.run_until("11s")).starts_with("11s is not between now"));
    assert!(said(world.run_until("soon")).starts_with("no time: \"soon\": "));
    assert!(said(world.heal()).starts_with("no cut is in force before 2s"));
    assert!(said(world.cut(&["stakes:3%"])).starts_with("no nodes: "));
    assert_eq!(
        said(world.cut(&["0..9"])),
        "faults[0].groups[0]: node 8 does not exist; the 8 nodes are 0 to 7"
    );
    assert_eq!(said(world.restart(NodeId::new(1))), "node 1 was not crashed by hand");
    world.crash(NodeId::new(1)).expect("a crash");
    assert_eq!(said(world.crash(NodeId::new(1))), "node 1 was crashed by hand and not restarted");
    let wrong = World::from_toml("").set("nodes.cuont=3").build().err().expect("an error");
    assert!(wrong.to_string().contains("cuont"), "{wrong}");
    let missing = World::from_scenario("partition-heel").build().err().expect("an error");
    assert!(missing.to_string().contains("did you mean \"partition-heal\"?"), "{missing}");
    assert!(World::from_file("no/such/file.toml").build().is_err());
}
