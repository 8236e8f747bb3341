//! Random changes of the shipped scenarios: whatever a text has become, reading it never panics,
//! every error is one line, and what is accepted also runs without a panic or a lost message.

mod change;

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use headwater::base::rng::{Purpose, Rng, Seed};
use headwater::base::time::Time;
use headwater::fact::{Both, Census, Fact, Observer, World};
use headwater::metrics::table::MemorySink;
use headwater::run::build;
use headwater::scenario::plan::Plan;
use headwater::scenario::reader::Source;
use headwater::scenario::shipped;

use self::change::{
    everything, everything_of_solana, everything_of_transactions, extremes_like, mutant,
};

/// Counts what enters the network and what leaves it.
#[derive(Default)]
struct Ledger {
    entered: u64,
    left: u64,
}

impl Observer for Ledger {
    fn on_fact(&mut self, _: Time, fact: &Fact) {
        match fact {
            Fact::Sent(_) | Fact::Duplicated(_) => self.entered += 1,
            Fact::Delivered { .. } | Fact::Dropped { .. } => self.left += 1,
            _ => {}
        }
    }
    fn next_sample(&self) -> Option<Time> {
        None
    }
    fn on_sample(&mut self, _: Time, _: &World, _: &dyn Census) {}
}

/// What became of mutants.
#[derive(Clone, Copy, Default, Debug)]
struct Tally {
    refused: u32,
    accepted: u32,
    run: u32,
}

/// Runs a few thousand events, and says whether every message is accounted for.
fn run_some(plan: &Plan) -> Result<(), String> {
    let mut world = build(plan, MemorySink::new(), Ledger::default());
    // A limit that is reached ends a run in good order.
    let _ = world.advance(plan.end, 4_000);
    let (in_flight, _) = world.count_in_flight();
    let (Both(_, ledger), _) = world.into_parts();
    if ledger.entered != ledger.left + in_flight {
        let Ledger { entered, left } = ledger;
        return Err(format!("{entered} messages entered, {left} left, {in_flight} are under way"));
    }
    Ok(())
}

/// Whether the resolved form of a plan is a scenario of the same plan.
fn reads_back(plan: &Plan) -> Result<(), String> {
    let resolved = plan.resolved();
    match shipped::plan(&Source::embedded("resolved", &resolved), &[]) {
        Ok(again) if again.key() == plan.key() => Ok(()),
        Ok(_) => Err(format!("it resolves to another run:\n{resolved}")),
        Err(errors) => {
            let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
            Err(format!("its resolved form is refused: {}\n{resolved}", lines.join("\n")))
        }
    }
}

/// Reads and runs a text; an error says what is wrong with the program.
fn judge(text: &str, tally: &mut Tally) -> Result<(), String> {
    let source = Source::embedded("mutant", text);
    match shipped::plan(&source, &[]) {
        Ok(plan) => {
            tally.accepted += 1;
            reads_back(&plan)?;
            let small = plan.population.count() <= 60;
            tally.run += u32::from(small);
            if small { run_some(&plan) } else { Ok(()) }
        }
        Err(errors) => {
            tally.refused += 1;
            let bad = |line: &String| line.trim().is_empty() || line.chars().any(char::is_control);
            let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
            match lines.iter().find(|line| bad(line)) {
                Some(line) => Err(format!("an error of not exactly one line: {line:?}")),
                None if lines.is_empty() => Err("refused without an error".to_owned()),
                None => Ok(()),
            }
        }
    }
}

/// Judges a text; a panic is trouble too.
fn trouble_with(text: &str, tally: &mut Tally) -> Option<String> {
    match catch_unwind(AssertUnwindSafe(|| judge(text, tally))) {
        Ok(outcome) => outcome.err(),
        Err(_) => Some("a panic, see above".to_owned()),
    }
}

/// How many mutants are made; a slow machine stops after [`LONGEST`].
const MUTANTS: u64 = 4_000;
const LONGEST: Duration = Duration::from_secs(10);

#[test]
fn no_mutant_of_a_shipped_scenario_panics_or_loses_a_message() {
    let (clock, mut tally, mut failures) = (now(), Tally::default(), String::new());
    for seed in 0..MUTANTS {
        if clock.elapsed() > LONGEST {
            break;
        }
        let mut rng = Rng::of_cluster(Seed(seed), Purpose::Workload);
        let text = mutant(&mut rng);
        if let Some(trouble) = trouble_with(&text, &mut tally) {
            let _ = writeln!(failures, "mutant {seed}: {trouble}\n{text}\n");
        }
    }
    assert!(failures.is_empty(), "{failures}");
    // Of all mutants one in five is valid. With fewer, the changes are too wild to test anything.
    let Tally { refused, accepted, run } = tally;
    assert!(accepted * 8 > refused && run * 2 > accepted && run > 20, "{tally:?}");
}

#[test]
fn every_value_at_every_extreme_of_its_type_is_refused_or_runs() {
    let resolved = |text: String| {
        let plan = shipped::plan(&Source::embedded("everything", &text), &[]);
        plan.expect("a valid scenario").resolved()
    };
    let all = [everything(), everything_of_solana(), everything_of_transactions()];
    let resolved = all.map(resolved);
    let texts = resolved.each_ref().map(|text| text.lines().collect::<Vec<&str>>());
    let lines = texts.iter().flat_map(|text| (0..text.len()).map(move |place| (text, place)));
    let (clock, mut tally, mut failures) = (now(), Tally::default(), String::new());
    // Every line with every extreme would be some 3,000 texts; the extremes of a line take turns
    // so that a slow machine has seen all lines when it stops.
    'all: for turn in 0..30 {
        for (text, place) in lines.clone() {
            let Some((key, value)) = text[place].split_once(" = ") else { continue };
            let Some(extreme) = extremes_like(value).get(turn) else { continue };
            if turn > 0 && clock.elapsed() > LONGEST {
                break 'all;
            }
            let changed = format!("{key} = {extreme}");
            let mut text = text.clone();
            text[place] = &changed;
            if let Some(trouble) = trouble_with(&text.join("\n"), &mut tally) {
                let _ = writeln!(failures, "line {place}, {changed}: {trouble}");
            }
        }
    }
    assert!(failures.is_empty(), "{failures}\n{resolved:?}");
    assert!(tally.run > 50 && tally.refused > 20, "{tally:?}");
}

/// A slow machine tries fewer mutants; none of them knows what time it is.
#[expect(clippy::disallowed_methods, reason = "the number of mutants is bounded by wall time")]
fn now() -> Instant {
    Instant::now()
}
