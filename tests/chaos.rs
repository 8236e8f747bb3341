//! Random disasters: over many seeds of the shipped scenario, with less than a third of the stake
//! away at a time, no invariant is broken, and after the heal everybody roots on.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use headwater::base::id::{NodeId, NodeMap};
use headwater::base::time::Time;
use headwater::fact::{Both, Census, Fact, Observer, World};
use headwater::metrics::table::MemorySink;
use headwater::run::build;
use headwater::scenario::plan::Plan;
use headwater::sim::Advance;

use crate::support::shipped;

/// When blocks were made, and when the block of each node's root was.
struct Roots {
    made: BTreeMap<u64, Time>,
    of: NodeMap<Time>,
}

impl Observer for Roots {
    fn on_fact(&mut self, at: Time, fact: &Fact) {
        match *fact {
            Fact::BlockMade { block, .. } => {
                self.made.insert(block, at);
            }
            Fact::Rooted { node, block, .. } => self.of[node] = self.made[&block],
            _ => {}
        }
    }
    fn next_sample(&self) -> Option<Time> {
        None
    }
    fn on_sample(&mut self, _: Time, _: &World, _: &dyn Census) {}
}

/// What is wrong with a run, if anything: an invariant was broken, or somebody did not root a block
/// that was made after the heal.
fn complaint(plan: &Plan) -> Option<String> {
    let healed = Time::ZERO + plan.scenario.heal_at.expect("a heal");
    let nodes = plan.population.count();
    let roots = Roots { made: BTreeMap::new(), of: NodeMap::filled(nodes, Time::ZERO) };
    let mut world = build(plan, MemorySink::new(), roots);
    let advance = world.advance(plan.end, u64::MAX).expect("few events");
    let Both(Both(_, watch), roots) = world.observer();
    let watch = watch.as_ref().expect("watched by default");
    if let Some(violation) = watch.violation() {
        return Some(format!("{} at {}", violation.what, violation.at));
    }
    assert_eq!((advance, watch.unknown()), (Advance::Reached, 0));
    let stuck = NodeId::all(nodes).filter(|node| roots.of[*node] <= healed);
    let stuck: Vec<NodeId> = stuck.collect();
    (!stuck.is_empty()).then(|| format!("nodes {stuck:?} did not root on after the heal"))
}

/// The seeds among `0..count` that something is wrong with, each with the command that shows it.
fn failing(count: u64) -> Vec<String> {
    let next = AtomicU64::new(0);
    let work = || {
        let mut failed = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= count {
                return failed;
            }
            let plan = shipped("chaos", &[&format!("seed={seed}")]);
            let line = |why| format!("headwater run chaos --seed {seed}   # {why}");
            failed.extend(complaint(&plan).map(line));
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        let all = threads.into_iter().flat_map(|thread| thread.join().expect("no panic"));
        all.collect()
    })
}

#[test]
fn two_hundred_random_disasters_break_no_invariant_and_end_in_agreement() {
    let failed = failing(200);
    assert!(failed.is_empty(), "{} of 200 seeds fail:\n{}", failed.len(), failed.join("\n"));
}
