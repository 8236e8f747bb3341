//! Metrics layer: invariants, watched all the time by a listener that cannot steer. It hears the
//! same facts as everybody else and works out for itself what they must not say; the first that
//! says it ends the run.
//!
//! Promises are those of honest nodes: of all that the scenario does not make adversaries, as long
//! as none of them has lost its memory. What a validator said before it lost it still counts.

mod lockouts;
mod recent;
mod roots;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::BTreeMap;

use serde::Serialize;

use self::lockouts::{Broken, Promises};
use self::recent::Recent;
use self::roots::{Judged, Roots};
use self::tree::Tree;
use crate::base::id::{NodeId, NodeMap, NodeSet};
use crate::base::slot::Slot;
use crate::base::time::Time;
use crate::fact::{Audit, Census, Fact, Observer, World};

/// What must never be broken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Invariant {
    /// No two honest validators root conflicting blocks.
    OneChain,
    /// A validator's root is followed by blocks that stand on it, and by nothing else.
    RootsGrow,
    /// A validator votes and roots as its earlier votes allow.
    Lockouts,
    /// The hash of a block that honest nodes build on or vote for is that of its bytes.
    BlockHash,
    /// On every fork that they build on or vote for, no balance is negative and all balances
    /// together are what they were at genesis.
    Balances,
}

impl Invariant {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::OneChain, Self::RootsGrow, Self::Lockouts, Self::BlockHash, Self::Balances];

    /// Its name in messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OneChain => "one chain",
            Self::RootsGrow => "roots grow",
            Self::Lockouts => "lockouts",
            Self::BlockHash => "block hash",
            Self::Balances => "balances",
        }
    }
}

/// An invariant that was broken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// When.
    pub at: Time,
    /// Who broke it, and against whom.
    pub nodes: Vec<NodeId>,
    /// Which blocks it is about.
    pub blocks: Vec<u64>,
    /// What happened, in a sentence.
    pub what: String,
    /// The last facts about these nodes, the oldest first.
    pub facts: Vec<(Time, Fact)>,
}

/// What is said of all invariants at the end of a run.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct InvariantsSummary {
    /// The first that was broken; `None` if none was.
    pub broken: Option<&'static str>,
    /// When, in nanoseconds.
    pub at_ns: Option<u64>,
    /// What happened, in a sentence.
    pub what: Option<String>,
    /// Votes, roots and blocks that could not be judged.
    pub unjudged: u64,
}

impl InvariantsSummary {
    /// What is said of a violation, if there is one.
    #[must_use]
    pub fn new(violation: Option<&Violation>, unjudged: u64) -> Self {
        Self {
            broken: violation.map(|it| it.invariant.name()),
            at_ns: violation.map(|it| it.at.as_nanos()),
            what: violation.map(|it| it.what.clone()),
            unjudged,
        }
    }
}

/// What is to be watched.
#[derive(Clone, Debug)]
pub struct WatchPlan {
    /// How many nodes there are.
    pub nodes: usize,
    /// Those that the scenario does not make adversaries.
    pub honest: NodeSet,
    /// Nodes with stake from the start to the end: they root by votes that all can hear. Others
    /// follow with a tower of which nothing is heard.
    pub voters: NodeSet,
    /// Whether votes are those of towers, with lockouts.
    pub lockouts: bool,
}

/// Listens for the first violation of an invariant.
#[derive(Debug)]
pub struct Watch {
    plan: WatchPlan,
    tree: Tree,
    promises: NodeMap<Promises>,
    roots: Roots,
    /// How often somebody honest rooted a block.
    rooted: usize,
    recent: Recent,
    /// Blocks that break an invariant by themselves, each with the first that it breaks.
    bad: BTreeMap<u64, Invariant>,
    /// What could not be judged.
    unknown: u64,
    violation: Option<Box<Violation>>,
}

/// Most blocks that are remembered as bad; nobody honest makes one.
const MOST_BAD: usize = 65_536;

impl Watch {
    /// A listener that has heard nothing yet.
    #[must_use]
    pub fn new(plan: WatchPlan) -> Self {
        let nodes = plan.nodes;
        Self {
            plan,
            tree: Tree::default(),
            promises: NodeMap::filled(nodes, Promises::default()),
            roots: Roots::new(nodes),
            rooted: 0,
            recent: Recent::new(nodes),
            bad: BTreeMap::new(),
            unknown: 0,
            violation: None,
        }
    }

    /// The first violation.
    #[must_use]
    pub fn violation(&self) -> Option<&Violation> {
        self.violation.as_deref()
    }

    /// The same, taken out.
    #[must_use]
    pub fn into_violation(self) -> Option<Violation> {
        self.violation.map(|violation| *violation)
    }

    /// Votes, roots and blocks that could not be judged, because nobody said that the block was
    /// made, or because it is too long ago or one of too many bad ones.
    #[must_use]
    pub const fn unknown(&self) -> u64 {
        self.unknown + self.tree.overflown()
    }

    fn is_honest(&self, node: NodeId) -> bool {
        self.plan.honest.contains(node)
    }

    fn on_made(&mut self, at: Time, node: NodeId, block: u64, parent: u64) {
        // What stands on a bad block is no better.
        if let Some(invariant) = self.bad.get(&parent).copied() {
            self.note_bad(block, invariant);
        }
        if self.is_honest(node) {
            self.check_block(at, node, parent, "builds on");
        }
    }

    fn note_bad(&mut self, block: u64, invariant: Invariant) {
        if self.bad.len() < MOST_BAD {
            self.bad.insert(block, invariant);
        } else {
            self.unknown += 1;
        }
    }

    /// An honest node relies on a block.
    fn check_block(&mut self, at: Time, node: NodeId, block: u64, does: &str) {
        let Some(&invariant) = self.bad.get(&block) else { return };
        let wrong = match invariant {
            Invariant::BlockHash => "whose hash is not that of its bytes",
            _ => "after which balances are negative or have another sum than before",
        };
        let what = format!("node {node} {does} block {block:016x}, {wrong}");
        self.broken(at, invariant, (&[node], &[block]), what);
    }

    fn on_audited(&mut self, at: Time, node: NodeId, block: u64, audit: Audit) {
        let invariant = if !audit.hashed {
            Invariant::BlockHash
        } else if !audit.covered || !audit.conserved {
            Invariant::Balances
        } else {
            return;
        };
        self.note_bad(block, invariant);
        if self.is_honest(node) {
            self.check_block(at, node, block, "makes");
        }
    }

    fn on_vote(&mut self, at: Time, node: NodeId, slot: Slot, block: u64) {
        if !self.is_honest(node) {
            return;
        }
        self.check_block(at, node, block, "votes for");
        if !self.plan.lockouts {
            return;
        }
        self.unknown += u64::from(self.tree.get(block).is_none());
        let Err(broken) = self.promises[node].vote(&self.tree, slot, block) else { return };
        let voted = format!("node {node} votes for block {block:016x} of slot {slot}");
        let what = match broken {
            Broken::Backwards(last) => format!("{voted}, not after its last vote, for slot {last}"),
            Broken::Lockout(other, until) => format!(
                "{voted}, which does not stand on the block of slot {other} that it voted for and \
                 that locks it out of other forks up to slot {until}"
            ),
            Broken::Root => voted,
        };
        self.broken(at, Invariant::Lockouts, (&[node], &[block]), what);
    }

    fn on_rooted(&mut self, at: Time, node: NodeId, slot: Slot, block: u64) {
        if !self.is_honest(node) {
            return;
        }
        self.check_block(at, node, block, "roots");
        let rooted = format!("node {node} roots block {block:016x} of slot {slot}");
        match self.roots.add(&self.tree, node, (slot, block)) {
            Judged::Fine => {}
            Judged::Unknown => self.unknown += 1,
            Judged::NotAbove(before) => {
                let what = format!("{rooted}, which does not stand on its root, {before:016x}");
                self.broken(at, Invariant::RootsGrow, (&[node], &[before, block]), what);
            }
            Judged::Conflict(other, conflict) => {
                let of = self.tree.get(conflict).map(|it| format!(" of slot {}", it.slot));
                let of = of.unwrap_or_default();
                let what =
                    format!("{rooted}, and node {other} has rooted block {conflict:016x}{of}");
                let concerned = (&[other, node][..], &[conflict, block][..]);
                self.broken(at, Invariant::OneChain, concerned, what);
            }
        }
        let heard = self.plan.lockouts && self.plan.voters.contains(node);
        if heard && self.promises[node].root(slot).is_err() {
            let what = format!("{rooted} without 31 votes upon that for it");
            self.broken(at, Invariant::Lockouts, (&[node], &[block]), what);
        }
        self.rooted += 1;
        if self.rooted.is_multiple_of(self.plan.nodes) {
            self.sweep();
        }
    }

    /// Forgets what lies below the root of everybody honest.
    fn sweep(&mut self) {
        let (honest, voters) = (&self.plan.honest, &self.plan.voters);
        let floor = self.roots.lowest_of(voters.iter().filter(|node| honest.contains(*node)));
        self.tree.forget_below(floor);
        self.roots.forget_below(floor);
    }

    /// Keeps the first violation.
    fn broken(
        &mut self,
        at: Time,
        invariant: Invariant,
        (nodes, blocks): (&[NodeId], &[u64]),
        what: String,
    ) {
        if self.violation.is_none() {
            let facts = self.recent.of(nodes);
            let (nodes, blocks) = (nodes.to_vec(), blocks.to_vec());
            let violation = Violation { invariant, at, nodes, blocks, what, facts };
            self.violation = Some(Box::new(violation));
        }
    }

    #[inline(never)]
    fn on_rare_fact(&mut self, at: Time, fact: &Fact) {
        self.recent.add(at, fact);
        match *fact {
            Fact::NodeDown { node, forgets: true } => {
                self.plan.honest.remove(node);
            }
            Fact::BlockMade { node, slot, block, parent, height } => {
                self.tree.add(block, slot, parent, height);
                self.on_made(at, node, block, parent);
            }
            Fact::BlockAudited { node, block, audit } => self.on_audited(at, node, block, audit),
            Fact::HeadChanged { node, block, .. } if self.is_honest(node) => {
                self.check_block(at, node, block, "builds on");
            }
            Fact::VoteCast { node, slot, block, .. } => self.on_vote(at, node, slot, block),
            Fact::Rooted { node, slot, block } => self.on_rooted(at, node, slot, block),
            _ => {}
        }
    }
}

impl Observer for Watch {
    #[inline]
    fn on_fact(&mut self, at: Time, fact: &Fact) {
        match fact {
            Fact::Sent(_)
            | Fact::Duplicated(_)
            | Fact::Delivered { .. }
            | Fact::Dropped { .. }
            | Fact::ValueReceived { .. }
            | Fact::RumorReceived { .. } => {}
            _ if self.violation.is_some() => {}
            _ => self.on_rare_fact(at, fact),
        }
    }

    fn next_sample(&self) -> Option<Time> {
        None
    }

    fn on_sample(&mut self, _: Time, _: &World, _: &dyn Census) {}

    #[inline]
    fn halted(&self) -> bool {
        self.violation.is_some()
    }
}
