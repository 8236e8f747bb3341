//! Experiments through the library: whoever judges or watches runs from outside, one run's
//! misfortune is no other's.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use headwater::experiment::record::Record;
use headwater::experiment::schedule::Run;
use headwater::experiment::shard::Shard;
use headwater::experiment::store::Store;
use headwater::experiment::sweep::{Conditions, Judged, Outcome, Stop, Watch, check, sweep};
use headwater::experiment::{Axis, Changes, Experiment, ExperimentError};
use headwater::run::Progress;
use headwater::scenario::reader::Source;

const SMALL: &str = r#"
name = "small"
duration = "1s"
[nodes]
count = 5
[network]
latency = "10ms"
[[rumors]]
at = "100ms"
spread = "flood"
"#;

fn experiment(axes: &[&str], seeds: &str) -> Experiment {
    let axes = axes.iter().map(|axis| Axis::parse(axis).expect("an axis")).collect();
    let seeds = Some(seeds.parse().expect("seeds"));
    let changes = Changes { axes, seeds, ..Changes::default() };
    Experiment::read(Source::embedded("small", SMALL), Vec::new(), changes).expect("an experiment")
}

/// Lets everything run, up to a number of runs.
#[derive(Default)]
struct Patient {
    begun: AtomicUsize,
    most: Option<usize>,
}

impl Watch for Patient {
    fn begin(&self, _: usize) {
        self.begun.fetch_add(1, Ordering::Relaxed);
    }
    fn check(&self, _: usize, _: Progress) -> Option<Stop> {
        None
    }
    fn end(&self, _: usize, _: usize, _: usize) {}
    fn interrupted(&self) -> bool {
        self.most.is_some_and(|most| self.begun.load(Ordering::Relaxed) >= most)
    }
}

fn judged(verdict: &str) -> Judged {
    let expectations = vec!["all is well".to_owned()];
    Judged { verdict: verdict.to_owned(), exit_code: 0, expectations }
}

const TWO: Conditions = Conditions { jobs: 2, shard: Shard::WHOLE };

#[test]
fn a_run_that_panics_is_recorded_and_stops_no_other() {
    let experiment = experiment(&["nodes.count=5,6"], "1..=4");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("here");
    let store = Store::open(&path, experiment.definition().clone(), false).expect("opened");
    let judge = |outcome: Outcome<'_>| match outcome {
        Outcome::Ran(plan, ..) if plan.seed.0 == 3 && plan.population.count() == 6 => {
            panic!("seed {} is unlucky", plan.seed.0)
        }
        Outcome::Panicked(why) => Judged { exit_code: 4, ..judged(why) },
        _ => judged("fine"),
    };
    let report = sweep(&experiment, &store, TWO, &Patient::default(), &judge).expect("a sweep");
    assert_eq!((report.made, report.missing), (8, 0));
    for (run, record) in &report.records {
        let unlucky = *run == Run { point: 1, seed: 3 };
        assert_eq!(record.complete, !unlucky);
        assert_eq!(record.event_digest.is_none(), unlucky);
        let verdict = if unlucky { "seed 3 is unlucky" } else { "fine" };
        assert_eq!((record.verdict.as_str(), record.exit_code), (verdict, u8::from(unlucky) * 4));
        assert_eq!(record.expectations, ["all is well"]);
    }
    let runs = std::fs::read_to_string(path.join("runs.csv")).expect("a table");
    assert!(runs.lines().filter(|line| line.ends_with(",all is well")).count() == 8, "{runs}");
}

#[test]
fn whoever_is_interrupted_keeps_what_is_done_and_has_no_tables() {
    let experiment = experiment(&["nodes.count=5,6"], "1..=8");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("here");
    let mut made = 0;
    let judge = |_: Outcome<'_>| judged("fine");
    for round in 0.. {
        let store = Store::open(&path, experiment.definition().clone(), false).expect("opened");
        let watch = Patient { most: Some(3), ..Patient::default() };
        let report = sweep(&experiment, &store, TWO, &watch, &judge).expect("a sweep");
        made += report.made;
        assert_eq!(path.join("runs.csv").exists(), report.missing == 0);
        if report.missing == 0 {
            break;
        }
        assert!(report.interrupted && round < 20);
    }
    assert_eq!(made, 16, "no run was made twice");
}

#[test]
fn a_mistake_at_any_point_is_found_before_the_first_run() {
    let wrong = experiment(&["nodes.count=5,6", "rumors[0].node=0,5"], "1..=4");
    let refused = check(&wrong, &Default::default(), TWO, &Patient::default(), usize::MAX);
    let Err(ExperimentError::Scenario(errors)) = refused else { panic!("{refused:?}") };
    // Node 5 is there among six nodes but not among five.
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(errors[0].key, "rumors[0].node");
    // Who does not look before has the runs judged one by one, each under a key of its own.
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("here");
    let store = Store::open(&path, wrong.definition().clone(), false).expect("opened");
    let judge = |outcome: Outcome<'_>| match outcome {
        Outcome::Refused(errors) => judged(&errors[0].message),
        _ => judged("fine"),
    };
    let report = sweep(&wrong, &store, TWO, &Patient::default(), &judge).expect("a sweep");
    let refused = report.records.values().filter(|record| !record.complete);
    assert!(refused.clone().all(|record| record.axes == ["5", "5"]));
    assert_eq!(refused.map(Record::file_name).collect::<BTreeSet<_>>().len(), 4);
}

#[test]
fn records_of_scenarios_whose_files_have_changed_are_made_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let text =
        SMALL.replace("count = 5", "count = 2\nstake = { kind = \"file\", path = \"s.csv\" }");
    let file = folder.path().join("s.toml");
    std::fs::write(&file, text).expect("written");
    let path = folder.path().join("here");
    let judge = |_: Outcome<'_>| judged("fine");
    let mut keys = Vec::new();
    for (stakes, made) in [("5\n6\n", 2), ("5\n6\n", 0), ("7\n8\n", 2), ("7\n8\n", 0)] {
        std::fs::write(folder.path().join("s.csv"), format!("stake\n{stakes}")).expect("written");
        let source = Source::load(&file).expect("a scenario");
        let seeds = Some("1,2".parse().expect("seeds"));
        let changes = Changes { seeds, ..Changes::default() };
        let experiment = Experiment::read(source, Vec::new(), changes).expect("an experiment");
        let store = Store::open(&path, experiment.definition().clone(), false).expect("opened");
        let report = sweep(&experiment, &store, TWO, &Patient::default(), &judge).expect("a sweep");
        assert_eq!((report.made, report.missing), (made, 0), "{stakes:?}");
        let files = std::fs::read_dir(path.join("records")).expect("a folder").count();
        assert_eq!(files, 2, "what is out of date is gone");
        keys.push(report.records.values().map(|record| record.key).collect::<Vec<_>>());
    }
    assert!(keys[0] == keys[1] && keys[1] != keys[2] && keys[2] == keys[3]);
}

#[test]
fn a_folder_that_another_sweep_has_taken_is_left_alone() {
    let (first, second) =
        (experiment(&["nodes.count=5,6"], "1"), experiment(&["nodes.count=7,8"], "1"));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("here");
    let open = |of: &Experiment, force| Store::open(&path, of.definition().clone(), force);
    let judge = |_: Outcome<'_>| judged("fine");
    let slow = open(&first, false).expect("opened");
    assert!(open(&second, false).is_err(), "it is taken");
    let quick = open(&second, true).expect("replaced");
    sweep(&second, &quick, TWO, &Patient::default(), &judge).expect("a sweep");
    let tables = std::fs::read(path.join("runs.csv")).expect("a table");
    // The first goes on, makes its records, and finds out at its end.
    let ended = sweep(&first, &slow, TWO, &Patient::default(), &judge);
    let Err(error) = ended else { panic!("{ended:?}") };
    assert!(error.to_string().contains("has taken the folder in the meantime"), "{error}");
    assert_eq!(std::fs::read(path.join("runs.csv")).expect("a table"), tables);
    let report = sweep(&second, &quick, TWO, &Patient::default(), &judge).expect("a sweep");
    assert_eq!((report.made, report.missing), (0, 0), "no record of it is gone");
}
