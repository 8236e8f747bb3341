//! Invariants: silent on everything that honest nodes do, and loud on the first defect; watching
//! changes nothing. What each of them says of which facts is tested beside them.

use headwater::base::id::{NodeId, NodeSet};
use headwater::base::time::{Span, Time};
use headwater::fact::{Audit, Census, Deaf, Fact, Observer, World};
use headwater::metrics::invariant::{Invariant, Violation, Watch, WatchPlan};
use headwater::metrics::table::MemorySink;
use headwater::metrics::{ConsensusVerdict, NotJudged};
use headwater::run::{Ending, Finished, Go, build, run};
use headwater::scenario::plan::Plan;

use crate::support::{plan_with, ran_plan};

/// Ten nodes with votes, in halves from 2 s on.
const HALVES: &str = r#"
    name = "halves"
    duration = "60s"
    [nodes]
    count = 10
    [network]
    latency = "20ms"
    [slots]
    duration = "400ms"
    start = "poh"
    [blocks]
    content = "synthetic"
    bytes = "2kB"
    [turbine]
    tree = "star"
    coding = "none"
    [repair]
    style = "solana"
    [consensus]
    style = "tower"
    spread = "peers"
    [[faults]]
    kind = "partition"
    groups = ["0..5", "rest"]
    at = "2s"
"#;

const NODES: usize = 10;

fn halves(overrides: &[&str]) -> Plan {
    plan_with(HALVES, overrides)
}

fn finished(plan: &Plan) -> Finished<MemorySink> {
    run(plan, MemorySink::new(), Deaf, &mut |_| Go::On)
}

/// Keeps what a watch listens to.
#[derive(Default)]
struct Heard(Vec<(Time, Fact)>);

impl Observer for Heard {
    fn on_fact(&mut self, at: Time, fact: &Fact) {
        if matches!(
            fact,
            Fact::BlockMade { .. }
                | Fact::BlockAudited { .. }
                | Fact::HeadChanged { .. }
                | Fact::VoteCast { .. }
                | Fact::Rooted { .. }
        ) {
            self.0.push((at, *fact));
        }
    }
    fn next_sample(&self) -> Option<Time> {
        None
    }
    fn on_sample(&mut self, _: Time, _: &World, _: &dyn Census) {}
}

/// What a watch says of facts.
fn judged(facts: &[(Time, Fact)]) -> Option<Violation> {
    let all = || NodeSet::full(NODES);
    let plan = WatchPlan { nodes: NODES, honest: all(), voters: all(), lockouts: true };
    let mut watch = Watch::new(plan);
    facts.iter().for_each(|(at, fact)| watch.on_fact(*at, fact));
    watch.into_violation()
}

#[test]
fn halves_that_keep_the_rules_break_nothing_and_watching_changes_nothing() {
    // Neither half has two thirds of the stake behind the ninth vote, so nobody roots anything of
    // its own; after the heal all are on one chain. `ran_plan` asserts that nothing was broken.
    let healed = ["faults[0].until=12s", "duration=150s"];
    let watched = ran_plan(&halves(&healed)).0;
    let unwatched = finished(&halves(&[&healed[..], &["invariants.watch=false"]].concat()));
    assert_eq!((watched.ending, unwatched.ending), (Ending::Complete, Ending::Complete));
    assert_eq!(watched.digest, unwatched.digest);
    assert_eq!(watched.handled, unwatched.handled);
}

#[test]
fn halves_without_the_threshold_check_root_two_chains_and_the_run_stops_there() {
    let plan = halves(&["consensus.threshold_depth=0", "duration=120s"]);
    let stopped = finished(&plan);
    let violation = stopped.violation.clone().expect("both halves root");
    assert_eq!(violation.invariant, Invariant::OneChain);
    assert_eq!((stopped.ending, stopped.reached), (Ending::Violated, violation.at));
    let sides: Vec<bool> = violation.nodes.iter().map(|node| node.number() < 5).collect();
    assert!(sides.len() == 2 && sides[0] != sides[1], "one of each half: {violation:?}");
    assert_eq!(violation.what.matches(" of slot ").count(), 2, "{}", violation.what);
    for node in &violation.nodes {
        let of = format!("{node:?}");
        let about = |(_, fact): &&(Time, Fact)| format!("{fact:?}").contains(&of);
        // Half of twenty facts each.
        assert_eq!(violation.facts.iter().filter(about).count(), 10, "{of}: {violation:?}");
    }
    let last = violation.facts.last().expect("facts");
    assert!(matches!(last.1, Fact::Rooted { node, .. } if violation.nodes.contains(&node)));
    // Before the cut at 2 s at most five slots passed, and 32 votes of a half that leads every
    // second slot on average take 64 slots of 400 ms.
    assert!(violation.at > Time::ZERO + Span::from_secs(14), "{violation:?}");
    let again = finished(&plan);
    assert_eq!((again.digest, again.violation), (stopped.digest, Some(violation.clone())));
    // However the run is divided, it stops after the same event.
    let mut world = build(&plan, MemorySink::new(), Deaf);
    while let Ok(headwater::sim::Advance::Paused) = world.advance(plan.end, 1_001) {}
    assert_eq!((world.now(), world.trace().value()), (violation.at, stopped.digest));
    // Nobody watches: nobody stops it.
    let blind = finished(&halves(&["consensus.threshold_depth=0", "invariants.watch=false"]));
    assert_eq!((blind.ending, blind.violation), (Ending::Complete, None));
}

#[test]
fn one_altered_fact_of_a_healthy_run_breaks_the_invariant_that_it_is_about() {
    let plan = halves(&["faults[0].at=38s", "duration=40s"]);
    let mut world = build(&plan, MemorySink::new(), Heard::default());
    world.run_until(plan.end).expect("few events");
    let facts = &world.observer().1.0;
    assert_eq!(judged(facts), None);
    let place = |wanted: &dyn Fn(&Fact) -> bool, skipped: usize| {
        let places = facts.iter().enumerate().filter(|(_, (_, fact))| wanted(fact));
        places.map(|(place, _)| place).nth(skipped).expect("such a fact")
    };
    let altered = |place: usize, fact: Fact| {
        let mut altered = facts.clone();
        altered[place].1 = fact;
        judged(&altered).map(|violation| violation.invariant)
    };
    let of_three = |fact: &Fact| matches!(fact, Fact::VoteCast { node, .. } if node.number() == 3);
    let vote = place(&of_three, 20);
    let Fact::VoteCast { node, slot, switched, .. } = facts[vote].1 else { panic!("a vote") };
    // A block that stands on genesis.
    let upon_genesis = Fact::BlockMade { node, slot, block: 1, parent: 2, height: 1 };
    let mut lied = facts.clone();
    lied[vote].1 = Fact::VoteCast { node, slot, block: 1, switched };
    lied.insert(vote, (facts[vote].0, upon_genesis));
    assert_eq!(judged(&lied).map(|it| it.invariant), Some(Invariant::Lockouts));
    let roots = |fact: &Fact| matches!(fact, Fact::Rooted { node, .. } if node.number() == 3);
    let (first, third) = (place(&roots, 0), place(&roots, 2));
    assert_eq!(altered(third, facts[first].1), Some(Invariant::RootsGrow));
    let Fact::Rooted { block, slot, .. } = facts[third].1 else { panic!("a root") };
    // A root that came two votes later, at a time when only 29 stood upon it.
    let early = altered(first, Fact::Rooted { node, slot, block });
    assert_eq!(early, Some(Invariant::Lockouts));
    let audit = place(&|fact| matches!(fact, Fact::BlockAudited { .. }), 30);
    let Fact::BlockAudited { node, block, .. } = facts[audit].1 else { panic!("an audit") };
    let finding = |audit| Fact::BlockAudited { node, block, audit };
    assert_eq!(
        altered(audit, finding(Audit { hashed: false, ..Audit::CLEAN })),
        Some(Invariant::BlockHash)
    );
    assert_eq!(
        altered(audit, finding(Audit { conserved: false, ..Audit::CLEAN })),
        Some(Invariant::Balances)
    );
}

#[test]
fn a_node_that_cheats_and_is_taken_for_honest_breaks_the_invariant_that_it_is_about() {
    // What a defect of the program would look like: the same node as a declared adversary breaks
    // nothing.
    let healed = ["faults[0].until=12s", "duration=40s"];
    for (cheats, invariant) in [
        ("{does='invalid-blocks',who=3,flaw='hash'}", Invariant::BlockHash),
        ("{does='double-vote',who=3}", Invariant::Lockouts),
    ] {
        let adversary = format!("adversaries=[{cheats}]");
        let plan = halves(&[&healed[..], &[adversary.as_str()]].concat());
        let mut world = build(&plan, MemorySink::new(), Heard::default());
        world.run_until(plan.end).expect("few events");
        let violation = judged(&world.observer().1.0).expect("it is noticed");
        assert_eq!(violation.invariant, invariant, "{violation:?}");
        assert_eq!(violation.nodes.first(), Some(&NodeId::new(3)), "{violation:?}");
        assert_eq!(finished(&plan).violation, None, "{cheats}");
    }
}

#[test]
fn a_node_that_lost_its_memory_is_not_held_to_what_it_forgot() {
    // All of one half forget their towers while they are cut off: they may contradict themselves.
    let amnesia = r#"
    [[faults]]
    kind = "crash"
    nodes = "0..5"
    at = "10s"
    for = "1s"
    memory = "lost"
"#;
    let text = format!("{HALVES}{amnesia}");
    let plan = plan_with(&text, &["consensus.threshold_depth=0", "duration=120s"]);
    let finished = finished(&plan);
    let lied = |node: &NodeId| node.number() < 5;
    assert!(finished.violation.is_none_or(|violation| !violation.nodes.iter().any(lied)));
}

#[test]
fn invariants_ask_nodes_that_do_not_vote_for_no_votes() {
    // Without a cut: one node without stake, or one that has stake in the first epoch only. They
    // follow the roots of the blocks, without 31 votes of their own upon them.
    let stake = "nodes.epochs=[{epoch=1,stake={kind='list',amounts=[9,9,9,9,9,9,9,9,9,0]}}]";
    for changes in [&["nodes.observers=1"][..], &["slots.slots_per_epoch=32", stake]] {
        let whole = [&["faults=[]", "duration=40s"], changes].concat();
        let finished = finished(&halves(&whole));
        assert_eq!(finished.ending, Ending::Complete, "{changes:?}");
        let roots = finished.summary.consensus.expect("votes").roots;
        assert!(roots.lowest_slot.is_some_and(|slot| slot > 32), "{changes:?}: {roots:?}");
    }
}

#[test]
fn invariants_that_nothing_was_judged_by_make_a_run_with_heal_at_invalid() {
    // 64 quiet slots and 256 that the votes before the threshold check can lock a minority out for
    // are 128 s: 39 s of 40 are too late to judge anything, 200 s of 400 are not.
    let judged = |settings: &[&str]| {
        let whole = [&["faults[0].at=5s"], settings].concat();
        ran_plan(&halves(&whole)).0.summary.consensus.expect("votes").verdict
    };
    let early = ConsensusVerdict::NotJudged { because: NotJudged::Early };
    assert_eq!(judged(&["duration=40s", "heal_at=39s"]), early);
    assert_eq!(judged(&["duration=400s", "heal_at=200s"]), ConsensusVerdict::Pass);
}
