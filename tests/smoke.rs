//! Every shipped scenario runs; of the largest ones only a part (`support.rs`).

use headwater::expect::Outcome;
use headwater::scenario::shipped::SCENARIOS;

use crate::support::{part_of, ran_plan, shipped};

#[test]
fn every_shipped_scenario_is_as_it_expects_and_all_its_faults_touch_something() {
    for scenario in SCENARIOS {
        let plan = shipped(scenario.name, &[]);
        assert!(!plan.expectations.is_empty(), "{} expects nothing", scenario.name);
        let notes: Vec<_> = plan.notes.iter().filter(|note| note.starts_with("expect")).collect();
        assert!(notes.is_empty(), "{}: {notes:?}", scenario.name);
        if part_of(scenario.name).is_some() {
            // What it expects is about the whole of it.
            continue;
        }
        let ran = ran_plan(&plan);
        let faults = &ran.0.summary.faults;
        assert_eq!(faults.touched as usize, plan.faults.len(), "{}: {faults:?}", scenario.name);
        let verdict = ran.0.verdict(&plan);
        // One is there to show that safety can break.
        let violated = scenario.name == "safety-violation";
        assert_eq!(verdict.outcome == Outcome::Violated, violated, "{}: {verdict}", scenario.name);
        assert!(violated || verdict.passed(), "{}: {verdict}", scenario.name);
    }
}
