//! Scenario layer, tests: faults and adversaries of chaos.

use crate::base::id::NodeSet;
use crate::base::time::{Span, Time};
use crate::scenario::plan::Plan;
use crate::scenario::reader::{Override, Source};
use crate::scenario::schema::chaos::ChaosKind;
use crate::scenario::schema::fault::FaultConfig;
use crate::scenario::shipped;
use crate::sim::fault::FaultAction;
use crate::sim::network::rule::RuleEffect;

const CHAOS: &str = "duration = '60s'\nheal_at = '40s'\nnodes.count = 20\n\
                     nodes.stake = { kind = 'zipf-mandelbrot', exponent = 1.0 }\n\
                     [[faults]]\nkind = 'loss'\nat = '1s'\nprobability = '1%'\n[chaos]\n";

fn plan(keys: &str, sets: &[&str]) -> Plan {
    let source = Source::embedded("s", &format!("{CHAOS}{keys}"));
    let sets: Vec<Override> = sets.iter().map(|set| Override::parse(set).expect("a set")).collect();
    shipped::plan(&source, &sets).expect("a plan")
}

#[test]
fn what_was_drawn_is_written_down_and_reads_back_as_the_same_plan() {
    let drawn = plan("count = 30", &[]);
    assert_eq!((drawn.faults.len(), drawn.scenario.faults.len()), (31, 31));
    let text = drawn.resolved();
    assert!(!text.contains("[chaos]"), "{text}");
    let again = shipped::plan(&Source::embedded("s", &text), &[]).expect("a plan");
    assert_eq!((again.key(), again.resolved()), (drawn.key(), text));
    assert_ne!(plan("count = 30", &["seed=2"]).scenario.faults, drawn.scenario.faults);
}

#[test]
fn one_more_fault_moves_none_of_those_before_it() {
    let (few, more) = (plan("count = 9", &[]).scenario, plan("count = 10", &[]).scenario);
    assert_eq!(few.faults, more.faults[..10]);
    assert_eq!(more.faults.len(), 11);
}

#[test]
fn every_kind_is_drawn_and_everything_is_over_when_all_heals() {
    let heal_at = Time::ZERO + Span::from_secs(40);
    let least = Time::ZERO + Span::from_secs(7);
    for kind in ChaosKind::USUAL {
        let name = serde_json::to_string(&kind).expect("a name");
        let plan = plan(&format!("kinds = [{name}]\ncount = 12\nfrom = '7s'"), &[]);
        // The one that is listed would last to the end of the run.
        assert_eq!(plan.faults[0].end, Some(heal_at));
        assert!(plan.faults.len() > 1, "{name}");
        for (fault, config) in plan.faults.iter().zip(&plan.scenario.faults).skip(1) {
            let end = fault.end.expect("an end");
            let lasts = end - fault.begin;
            assert!(fault.begin >= least && end <= heal_at, "{fault:?}");
            assert!(lasts >= Span::from_secs(1) && lasts <= Span::from_secs(10), "{fault:?}");
            let one_way = matches!(config, FaultConfig::Partition { one_way: true, .. });
            let expected = if one_way { "one-way" } else { config.kind() };
            assert_eq!(name, format!("\"{expected}\""));
        }
    }
}

#[test]
fn never_more_stake_is_away_than_is_allowed() {
    let plan = plan("count = 200\nkinds = ['crash', 'pause', 'mute', 'deaf']", &[]);
    // With 200 faults of some 5 s in 40 s, not all find room.
    assert!(plan.notes.iter().any(|note| note.starts_with("chaos: ")), "{:?}", plan.notes);
    let away = |action: &FaultAction| match action {
        FaultAction::Crash { nodes, .. } | FaultAction::Pause(nodes) => nodes.clone(),
        FaultAction::Rule(spec) => match &spec.effect {
            RuleEffect::Mute(nodes) | RuleEffect::Deaf(nodes) => nodes.clone(),
            _ => NodeSet::default(),
        },
        _ => NodeSet::default(),
    };
    let stakes = &plan.population.stakes;
    let total: u64 = stakes.values().sum();
    let mut highest = 0;
    for second in 0..40 {
        let now = Time::ZERO + Span::from_secs(second);
        let in_force =
            |begin: Time, end: Option<Time>| begin <= now && end.is_none_or(|end| end > now);
        let faults = plan.simulation.faults.iter().filter(|it| in_force(it.begin, it.end));
        let gone: NodeSet =
            faults.flat_map(|it| away(&it.action).iter().collect::<Vec<_>>()).collect();
        let stake: u64 = gone.iter().map(|node| stakes[node]).sum();
        assert!(stake * 100 <= total * 33, "{stake} of {total} at {now}");
        highest = highest.max(stake);
    }
    assert!(highest * 100 > total * 20, "the limit is made use of: {highest} of {total}");
}

#[test]
fn adversaries_that_are_listed_count_among_those_that_are_away() {
    // Of twelve with the same stake four are more than the 33 % that may be away: with three liars
    // nobody may be taken away beside them.
    let away = |liars: &str| {
        let text = format!(
            "duration = '60s'\nheal_at = '40s'\nnodes.count = 12\ndiscovery.enabled = true\n\
             [[adversaries]]\ndoes = 'flood-peers'\nwho = '{liars}'\n\
             [chaos]\nkinds = ['crash']\ncount = 20\n"
        );
        let plan = shipped::plan(&Source::embedded("s", &text), &[]).expect("a plan");
        plan.scenario.faults.len()
    };
    assert_eq!(away("0..3"), 0);
    assert!(away("0..2") > 0);
}
