//! Layer 3', where two runs part. Checkpoints of their digests bracket the place; then both are
//! run again, and what they did in between is kept and compared, record by record.

use super::{World, build};
use crate::base::checkpoint::{Checkpoint, bracket, checkpoints};
use crate::base::digest::Digest;
use crate::base::time::Time;
use crate::fact::{Census, Deaf, Fact, Observer};
use crate::metrics::table::SomeTables;
use crate::scenario::plan::Plan;
use crate::sim::trace::{Trace, TraceRecord};

/// The digest of a run and its checkpoints.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trail {
    /// The digest of the whole run.
    pub digest: Digest,
    /// Points on the way.
    pub checkpoints: Vec<Checkpoint>,
    /// Records of the whole run.
    pub records: u64,
}

/// One record of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    /// The record as it enters the digest.
    pub record: TraceRecord,
    /// The fact that it stands for.
    pub fact: Option<Fact>,
}

/// Where two runs part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parting {
    /// The number of the first record that differs, from one.
    pub number: u64,
    /// What the first run has there; `None` if it has ended.
    pub first: Option<Step>,
    /// What the second run has there.
    pub second: Option<Step>,
}

/// Runs a plan for its digest alone. A run that passes a limit ends there.
#[must_use]
pub fn trail(plan: &Plan) -> Trail {
    let mut world = build(plan, SomeTables::default(), Deaf);
    finish(plan, &mut world)
}

/// Runs a plan and keeps the records after the point `from` up to the point `until`; without points
/// from its beginning and to its end, but never more than [`Trace::MOST_KEPT`].
#[must_use]
pub fn steps(plan: &Plan, from: Option<Checkpoint>, until: Option<Checkpoint>) -> Vec<Step> {
    let window = Window {
        from: from.map_or(Time::ZERO, |from| from.at),
        until: until.map_or(Time::MAX, |until| until.at),
        facts: Vec::new(),
    };
    let mut world = build(plan, SomeTables::default(), window);
    let first = from.map_or(1, |from| from.record + 1);
    world.keep_records(first, until.map_or(u64::MAX, |until| until.record));
    finish(plan, &mut world);
    let kept = world.trace().kept().to_vec();
    let facts = &world.observer().1.facts;
    let mut next = 0;
    let step = |record: TraceRecord| {
        // Records are a part of the facts, in the same order.
        let place = facts[next..].iter().position(|(at, fact)| is_of(&record, *at, fact));
        let fact = place.map(|place| facts[next + place].1);
        next += place.map_or(0, |place| place + 1);
        Step { record, fact }
    };
    kept.into_iter().map(step).collect()
}

/// The first record in which two runs differ; `None` if they are the same.
#[must_use]
pub fn parting(first: &Plan, second: &Plan) -> Option<Parting> {
    let (a, b) = (trail(first), trail(second));
    if a == b {
        return None;
    }
    let (from, until) = bracket(&a.checkpoints, &b.checkpoints);
    compare(&steps(first, from, until), &steps(second, from, until), from)
}

/// The first difference of two lists of steps after a point.
#[must_use]
pub fn compare(first: &[Step], second: &[Step], from: Option<Checkpoint>) -> Option<Parting> {
    let same = first.iter().zip(second).take_while(|(a, b)| a.record == b.record).count();
    let (first, second) = (first.get(same).copied(), second.get(same).copied());
    let number = from.map_or(0, |from| from.record) + same as u64 + 1;
    (first.is_some() || second.is_some()).then_some(Parting { number, first, second })
}

fn finish<L: Observer>(plan: &Plan, world: &mut World<SomeTables, L>) -> Trail {
    // A run that passes a limit does so again, at the same event.
    let _ = world.run_until(plan.end);
    let trace = world.trace();
    Trail {
        digest: trace.value(),
        checkpoints: checkpoints(trace.checkpoints(), trace.spacing()),
        records: trace.records(),
    }
}

/// Whether a fact is what a record stands for.
fn is_of(record: &TraceRecord, at: Time, fact: &Fact) -> bool {
    if at != record.at {
        return false;
    }
    let (message, outcome) = match fact {
        Fact::Delivered { message, .. } => (message, 0),
        Fact::Dropped { message, reason } => (message, 1 + *reason as u64),
        other => return other.canonical() == Some(record.words),
    };
    let ends = u64::from(message.from.number()) << 32 | u64::from(message.to.number());
    let what = (message.kind as u64) << 56 | outcome << 48 | u64::from(message.size);
    record.words[..2] == [ends, what]
}

/// Keeps facts of a window.
struct Window {
    from: Time,
    until: Time,
    facts: Vec<(Time, Fact)>,
}

impl Observer for Window {
    fn on_fact(&mut self, at: Time, fact: &Fact) {
        let counts = !matches!(fact, Fact::Sent(_) | Fact::Duplicated(_));
        let room = self.facts.len() < 2 * Trace::MOST_KEPT;
        if counts && room && (self.from..=self.until).contains(&at) {
            self.facts.push((at, *fact));
        }
    }

    fn next_sample(&self) -> Option<Time> {
        None
    }

    fn on_sample(&mut self, _: Time, _: &crate::fact::World, _: &dyn Census) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::reader::{Override, Source};
    use crate::scenario::shipped;

    fn plan(sets: &[&str]) -> Plan {
        let text = "duration = \"20s\"\n[nodes]\ncount = 40\n[gossip]\nstyle = \"push\"\n\
                    interval = \"20ms\"\n[[rumors]]\nat = \"5s\"\nsize = \"1kB\"\n";
        let sets: Vec<Override> =
            sets.iter().map(|set| Override::parse(set).expect("an override")).collect();
        shipped::plan(&Source::embedded("s", text), &sets).expect("a plan")
    }

    #[test]
    fn the_same_run_never_parts() {
        assert_eq!(parting(&plan(&[]), &plan(&[])), None);
    }

    #[test]
    fn runs_part_at_the_first_record_that_differs_also_beyond_checkpoints() {
        let (a, b) = (plan(&[]), plan(&["rumors[0].at=10s"]));
        let points = trail(&a).checkpoints;
        // 40 nodes push to 3 others each 20 ms for 5 s: nearly 30,000 records up to there.
        let found = parting(&a, &b).expect("they differ");
        assert!(found.number > 25_000, "{found:?}");
        let (first, second) = (found.first.expect("a step"), found.second.expect("a step"));
        // Up to 5 s all is equal; there the first run has a rumor and the second has not.
        assert_eq!(first.record.at, Time::from_nanos(5_000_000_000));
        assert!(matches!(first.fact, Some(Fact::RumorInjected { .. })), "{first:?}");
        assert!(second.fact.is_some() && second.record.at >= first.record.at, "{second:?}");
        // The whole comparison, without checkpoints, finds the same.
        let whole = compare(&steps(&a, None, None), &steps(&b, None, None), None);
        assert_eq!(whole, Some(found));
        // Another moment, behind a checkpoint.
        let (c, point) = (plan(&["rumors[0].at=19s"]), points[0]);
        let d = plan(&["rumors[0].at=18s"]);
        assert!(point.at < Time::from_nanos(18_000_000_000), "{point:?}");
        let found = parting(&d, &c).expect("they differ");
        assert!(found.number > point.record, "{found:?}");
        assert!(matches!(found.first.and_then(|step| step.fact), Some(Fact::RumorInjected { .. })));
    }

    #[test]
    fn every_record_has_its_fact() {
        let all = steps(&plan(&["duration=2s"]), None, None);
        assert!(all.len() > 1_000, "{}", all.len());
        assert!(all.iter().all(|step| step.fact.is_some()));
        assert!(all.iter().zip(1..).all(|(step, number)| step.record.number == number));
    }
}
