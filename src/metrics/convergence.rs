//! Metrics layer, collector: when all nodes knew what they should (`convergence.csv`).
//!
//! A *goal* is set at a mark: every node that is up knows every validator at least in the version
//! that was published by the mark (at the start of a run: in any version). It is reached at the
//! first instant at whose end that holds and a node is up. A counter of missing pairs per goal
//! makes that a constant amount of work per fact. Nodes that come up, and nodes that forgot
//! everything, count like all others as long as the goal is open.

mod knowledge;

use serde::Serialize;

use self::knowledge::Knowledge;
use super::figures::ppm;
use super::table::{Column, RowSink, TableSpec, Unit};
use crate::base::id::{NodeId, NodeMap};
use crate::base::time::{Span, Time};

/// `convergence.csv`.
pub static CONVERGENCE: TableSpec = TableSpec {
    name: "convergence",
    doc: "One row per mark, for each of three things in turn and then in the order of time: when \
          the cluster agreed. Whether it still does is looked at once; that it is lost again \
          changes no row. No rows on the registry if it is not spread by gossip, and none on heads \
          and roots in a run without votes.",
    columns: &[
        Column::new("what", Unit::Text, WHAT),
        Column::new(
            "mark",
            Unit::Text,
            "`start`: the start of the run, where any version of an entry counts and anything that \
             is rooted; `heal`: the end of a partition.",
        ),
        Column::new("fault", Unit::Count, "Which fault healed, by its place in `faults.csv`."),
        Column::new("mark_ns", Unit::Nanoseconds, "When the mark was."),
        Column::new("reached_ns", Unit::Nanoseconds, "When all agreed; empty for never."),
        Column::new("took_ns", Unit::Nanoseconds, "The time in between."),
    ],
};

const WHAT: &str = "`registry`: every node that was up knew every validator's entry at least as it \
                    was at the mark; `heads`: of any two blocks that honest validators which were \
                    up built on, one stood on the other; `roots`: the same of their last roots, and \
                    each of them had rooted a block that was made after the mark.";

/// Most goals that are open at once; a further one pushes out the oldest, which then counts as not
/// reached.
const OPEN_GOALS: usize = 16;

/// Who knows the registry, and when all did.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RegistrySummary {
    /// Validators of the cluster.
    pub validators: u64,
    /// Pairs of a node that is up at the end and a validator it knows.
    pub known_pairs: u64,
    /// Share of the pairs of a node that is up and a validator whose latest entry it has.
    pub agreement_ppm: Option<u64>,
    /// When every node that was up first knew every validator; `None` for never.
    pub converged_ns: Option<u64>,
    /// The heals, in the order of time.
    pub heals: Vec<Heal>,
    /// The longest time that convergence took after a heal; `None` if there was no heal, or if
    /// convergence never came after one of them.
    pub slowest_heal_ns: Option<u64>,
    /// Goals given up because too many were open.
    pub abandoned: u64,
}

/// The end of a partition, and convergence after it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Heal {
    /// Place of the fault.
    pub fault: u32,
    /// When it ended.
    pub healed_ns: u64,
    /// How long it took until all knew what had been published by then; `None` for never.
    pub took_ns: Option<u64>,
}

/// A row to be.
struct Mark {
    /// The fault that healed; `None` at the start.
    fault: Option<u32>,
    at: Time,
    reached: Option<Time>,
}

impl Mark {
    fn took(&self) -> Option<Span> {
        self.reached.map(|reached| reached.since(self.at))
    }
}

/// A goal that is not reached yet.
struct Goal {
    /// Place among the marks.
    mark: usize,
    /// The version that is needed of each validator.
    required: Vec<u32>,
    /// Pairs of a node that is up and a validator it does not know well enough.
    missing: u64,
}

impl Goal {
    /// How many validators are missing among the versions that one node knows.
    fn missing_in(&self, versions: &[u32]) -> u64 {
        let pairs = versions.iter().zip(&self.required);
        pairs.filter(|(version, required)| version < required).count() as u64
    }
}

/// Tracks knowledge of the registry and the goals set on it.
pub(super) struct Convergence {
    knowledge: Knowledge,
    /// The instant of the latest fact.
    now: Time,
    marks: Vec<Mark>,
    open: Vec<Goal>,
    abandoned: u64,
}

impl Convergence {
    /// Sets the goal of the start, if there is any validator to know.
    pub(super) fn new(stakes: &NodeMap<u64>) -> Self {
        let knowledge = Knowledge::new(stakes);
        let required = vec![1; knowledge.validators()];
        let mut convergence =
            Self { knowledge, now: Time::ZERO, marks: Vec::new(), open: Vec::new(), abandoned: 0 };
        convergence.set_goal(None, required);
        convergence
    }

    pub(super) fn on_healed(&mut self, at: Time, fault: u32) {
        self.pass_to(at);
        self.set_goal(Some(fault), self.knowledge.latest().to_vec());
    }

    /// A node knows a version of a validator's entry, its own or another's.
    pub(super) fn on_known(&mut self, at: Time, node: NodeId, about: NodeId, version: u32) {
        self.pass_to(at);
        let Some(change) = self.knowledge.learn(node, about, version) else { return };
        for goal in &mut self.open {
            let required = goal.required[change.validator];
            goal.missing -= u64::from(change.before < required && required <= change.now);
        }
    }

    pub(super) fn on_up(&mut self, at: Time, node: NodeId) {
        self.pass_to(at);
        if self.knowledge.up().contains(node) {
            return;
        }
        self.knowledge.rise(node);
        for goal in &mut self.open {
            goal.missing += goal.missing_in(self.knowledge.of(node));
        }
    }

    pub(super) fn on_down(&mut self, at: Time, node: NodeId, forgets: bool) {
        self.pass_to(at);
        if self.knowledge.up().contains(node) {
            for goal in &mut self.open {
                goal.missing -= goal.missing_in(self.knowledge.of(node));
            }
        }
        self.knowledge.fall(node, forgets);
    }

    /// Entries known over all nodes that are up, and the share of pairs with the latest one.
    pub(super) fn progress(&self) -> (u64, Option<u64>) {
        let agreement = ppm(self.knowledge.latest_pairs(), self.knowledge.pairs());
        (self.knowledge.known_pairs(), agreement)
    }

    /// The run is over: writes a row per mark.
    pub(super) fn fill(&mut self, sink: &mut impl RowSink) {
        self.close_reached();
        for mark in &self.marks {
            sink.row(
                &CONVERGENCE,
                &[
                    "registry".into(),
                    if mark.fault.is_some() { "heal" } else { "start" }.into(),
                    mark.fault.into(),
                    mark.at.into(),
                    mark.reached.into(),
                    mark.took().into(),
                ],
            );
        }
    }

    /// The figures, complete once [`Self::fill`] was called.
    pub(super) fn summary(&self) -> RegistrySummary {
        let (known_pairs, agreement_ppm) = self.progress();
        let nanos = |span: Span| span.as_nanos();
        let heals = self.marks.iter().filter_map(|mark| {
            let (fault, took_ns) = (mark.fault?, mark.took().map(nanos));
            Some(Heal { fault, healed_ns: mark.at.as_nanos(), took_ns })
        });
        let heals: Vec<_> = heals.collect();
        // Nothing is slower than never.
        let slowest = heals.iter().map(|heal| heal.took_ns.unwrap_or(u64::MAX)).max();
        let start = self.marks.iter().find(|mark| mark.fault.is_none());
        RegistrySummary {
            validators: self.knowledge.validators() as u64,
            known_pairs,
            agreement_ppm,
            converged_ns: start.and_then(Mark::took).map(nanos),
            slowest_heal_ns: slowest.filter(|took| *took != u64::MAX),
            heals,
            abandoned: self.abandoned,
        }
    }

    fn set_goal(&mut self, fault: Option<u32>, required: Vec<u32>) {
        if required.is_empty() {
            return;
        }
        if self.open.len() == OPEN_GOALS {
            self.open.remove(0);
            self.abandoned += 1;
        }
        let mut goal = Goal { mark: self.marks.len(), required, missing: 0 };
        let up = self.knowledge.up().iter();
        goal.missing = up.map(|node| goal.missing_in(self.knowledge.of(node))).sum();
        self.open.push(goal);
        self.marks.push(Mark { fault, at: self.now, reached: None });
    }

    /// Time goes on to `at`: goals that hold at the end of the instant before are reached. Asking
    /// only then keeps a node that starts in the middle of an instant from being overlooked.
    fn pass_to(&mut self, at: Time) {
        if at > self.now {
            self.close_reached();
            self.now = at;
        }
    }

    fn close_reached(&mut self) {
        if self.knowledge.up().is_empty() {
            return;
        }
        let (now, marks) = (self.now, &mut self.marks);
        self.open.retain(|goal| {
            if goal.missing == 0 {
                marks[goal.mark].reached = Some(now);
            }
            goal.missing > 0
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::MemorySink;
    use super::*;

    const fn at(nanos: u64) -> Time {
        Time::from_nanos(nanos)
    }

    const fn node(number: u32) -> NodeId {
        NodeId::new(number)
    }

    /// Three nodes, of which 0 and 1 are validators, all up at zero with their own entries.
    fn started() -> Convergence {
        let mut convergence = Convergence::new(&NodeMap::from_vec(vec![5, 5, 0]));
        for n in 0..3 {
            convergence.on_up(at(0), node(n));
            convergence.on_known(at(0), node(n), node(n), 1);
        }
        convergence
    }

    fn know(convergence: &mut Convergence, nanos: u64, facts: &[(u32, u32, u32)]) {
        for &(who, about, version) in facts {
            convergence.on_known(at(nanos), node(who), node(about), version);
        }
    }

    #[test]
    fn the_goal_of_the_start_waits_for_a_node_that_forgot_everything() {
        let mut convergence = started();
        // Pairs known: 0-0, 1-1; missing: 0-1, 1-0, 2-0, 2-1.
        assert_eq!(convergence.open[0].missing, 4);
        assert_eq!(convergence.progress(), (2, Some(333_333)));
        know(&mut convergence, 10, &[(0, 1, 1), (2, 0, 1), (2, 1, 1)]);
        assert_eq!(convergence.open[0].missing, 1);
        // Node 2 crashes with what it knew, 1 learns: it would be reached, but in the same instant
        // 2 comes back without knowledge.
        convergence.on_down(at(20), node(2), true);
        know(&mut convergence, 20, &[(1, 0, 1)]);
        assert_eq!(convergence.open[0].missing, 0);
        convergence.on_up(at(20), node(2));
        assert_eq!(convergence.open[0].missing, 2);
        know(&mut convergence, 30, &[(2, 0, 1)]);
        know(&mut convergence, 41, &[(2, 1, 1)]);
        // A crash later does not take back what was reached.
        convergence.on_down(at(50), node(1), true);
        let mut sink = MemorySink::new();
        convergence.fill(&mut sink);
        assert_eq!(sink.integer(&CONVERGENCE, 0, "reached_ns"), Some(41));
        assert_eq!(convergence.summary().converged_ns, Some(41));
        // Up are 0 and 2, and both know both.
        assert_eq!(convergence.progress(), (4, Some(1_000_000)));
    }

    #[test]
    fn without_the_crashed_node_the_goal_is_reached_by_its_crash() {
        let mut convergence = started();
        know(&mut convergence, 10, &[(0, 1, 1), (1, 0, 1)]);
        convergence.on_down(at(25), node(2), false);
        convergence.on_up(at(30), node(2));
        let mut sink = MemorySink::new();
        convergence.fill(&mut sink);
        assert_eq!(sink.integer(&CONVERGENCE, 0, "took_ns"), Some(25));
    }

    #[test]
    fn a_heal_asks_for_the_versions_published_by_then() {
        let mut convergence = started();
        know(&mut convergence, 10, &[(0, 1, 1), (1, 0, 1), (2, 0, 1), (2, 1, 1)]);
        know(&mut convergence, 100, &[(0, 0, 3)]);
        convergence.on_healed(at(200), 7);
        // A version after the heal is not asked for, but serves.
        know(&mut convergence, 210, &[(1, 1, 2)]);
        know(&mut convergence, 220, &[(1, 0, 2), (1, 0, 3)]);
        know(&mut convergence, 230, &[(0, 0, 4), (2, 0, 4)]);
        convergence.on_healed(at(300), 8);
        let mut sink = MemorySink::new();
        convergence.fill(&mut sink);
        let heal = |fault, healed_ns, took_ns| Heal { fault, healed_ns, took_ns };
        let summary = convergence.summary();
        // The second heal wants 4 of node 0 at node 1, and 2 of node 1 at 0 and 2: never.
        assert_eq!(summary.heals, [heal(7, 200, Some(30)), heal(8, 300, None)]);
        assert_eq!((summary.slowest_heal_ns, summary.converged_ns), (None, Some(10)));
        assert_eq!(sink.integer(&CONVERGENCE, 1, "fault"), Some(7));
        assert_eq!(sink.integer(&CONVERGENCE, 1, "reached_ns"), Some(230));
        assert_eq!(sink.integer(&CONVERGENCE, 2, "reached_ns"), None);
        // Latest are 4 and 2: node 0 has the first, 1 the second, 2 the first; of six pairs.
        assert_eq!(summary.agreement_ppm, Some(500_000));
    }

    #[test]
    fn a_heal_that_finds_all_in_agreement_takes_no_time() {
        let mut convergence = started();
        know(&mut convergence, 10, &[(0, 1, 1), (1, 0, 1), (2, 0, 1), (2, 1, 1)]);
        convergence.on_healed(at(50), 0);
        convergence.fill(&mut MemorySink::new());
        assert_eq!(convergence.summary().slowest_heal_ns, Some(0));
    }

    #[test]
    fn open_goals_are_bounded_and_the_oldest_is_given_up() {
        let mut convergence = started();
        (0..20).for_each(|fault| convergence.on_healed(at(10), fault));
        assert_eq!(convergence.open.len(), OPEN_GOALS);
        know(&mut convergence, 30, &[(0, 1, 1), (1, 0, 1), (2, 0, 1), (2, 1, 1)]);
        let mut sink = MemorySink::new();
        convergence.fill(&mut sink);
        // The goal of the start and those of the first four heals were pushed out.
        assert_eq!(convergence.summary().abandoned, 5);
        let reached = (0..21).map(|row| sink.integer(&CONVERGENCE, row, "reached_ns"));
        assert!(reached.eq((0..21).map(|row| (row >= 5).then_some(30))));
    }

    #[test]
    fn nobody_up_reaches_nothing_and_nothing_to_know_sets_no_goal() {
        let mut convergence = Convergence::new(&NodeMap::from_vec(vec![5]));
        convergence.on_up(at(500), node(0));
        know(&mut convergence, 700, &[(0, 0, 1)]);
        convergence.fill(&mut MemorySink::new());
        assert_eq!(convergence.summary().converged_ns, Some(700));
        let mut observers = Convergence::new(&NodeMap::from_vec(vec![0, 0]));
        observers.on_up(at(0), node(0));
        observers.on_healed(at(1), 0);
        let mut sink = MemorySink::new();
        observers.fill(&mut sink);
        assert!(sink.rows(&CONVERGENCE).is_empty());
        assert_eq!(observers.progress(), (0, None));
    }
}
