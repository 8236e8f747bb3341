//! Every shipped scenario runs.

use headwater::scenario::shipped::SCENARIOS;

use crate::support::{ran_plan, shipped};

#[test]
fn every_shipped_scenario_runs_and_all_its_faults_touch_something() {
    for scenario in SCENARIOS {
        let plan = shipped(scenario.name, &[]);
        let ran = ran_plan(&plan);
        let faults = &ran.0.summary.faults;
        assert_eq!(faults.touched as usize, plan.faults.len(), "{}: {faults:?}", scenario.name);
    }
}
