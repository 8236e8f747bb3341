//! Metrics layer, collector: how a cluster that votes comes to agree: votes (`votes.csv`), forks
//! (`forks.csv`), stake on them over time (`fork_stake.csv`), roots, and agreement after a heal
//! (further rows of `convergence.csv`).
//!
//! Which block stands on which is known from the collector of blocks. Memory is bounded by nodes
//! and blocks, the latter up to the million that chain remembers.

mod agreement;
mod forks;
mod held;
mod roots;
mod stake;
mod verdict;
mod votes;

use serde::Serialize;

use self::agreement::Agreement;
use self::forks::Forks;
use self::held::Held;
use self::roots::Roots;
use self::stake::{Places, Standers};
use self::verdict::{Evidence, judge};
use self::votes::{Sum, Votes};
use super::blocks::{Blocks, ConfirmationSummary};
use super::chain::{Chain, GENESIS, Number, Standing};
use super::plan::RecorderPlan;
use super::table::RowSink;
use crate::base::id::{NodeId, NodeMap, NodeSet};
use crate::base::slot::Slot;
use crate::base::time::{Span, Time};
use crate::fact::{Fact, Level};

pub use agreement::Reunion;
pub use forks::{FORKS, ForksSummary};
pub use roots::RootsSummary;
pub use stake::FORK_STAKE;
pub use verdict::{ConsensusVerdict, NotJudged};
pub use votes::{VOTES, VotesSummary, WithheldCounts};

/// How the cluster came to agree.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ConsensusSummary {
    /// Whether the cluster did what it is there for.
    pub verdict: ConsensusVerdict,
    /// Votes of all validators.
    pub votes: VotesSummary,
    /// Forks.
    pub forks: ForksSummary,
    /// How long it took until blocks were confirmed.
    pub confirmation: ConfirmationSummary,
    /// Roots.
    pub roots: RootsSummary,
    /// Blocks that some honest validator took as confirmed by more than two thirds of the stake:
    /// the highest slot of one.
    pub confirmed_slot: Option<u32>,
    /// The heals, in the order of time, and agreement after them.
    pub heals: Vec<Reunion>,
    /// Records of heads and of landed votes for which there was no room: times on losing forks and
    /// votes landed in the winning chain leave them out.
    pub unfollowed: u64,
    /// When everything that goes wrong ends, if the scenario says so: after it the cluster is
    /// judged.
    pub heal_at_ns: Option<u64>,
}

/// Where a node stands.
#[derive(Clone, Copy, Default)]
struct Seat {
    /// The block that it builds on, and since when, or since when it is up.
    head: Number,
    since: Time,
    /// What it voted for last.
    voted: Number,
    voted_slot: Slot,
    root: Number,
}

/// Follows votes, heads and roots.
pub(super) struct Consensus {
    stakes: NodeMap<u64>,
    /// Nodes with stake that are not adversaries.
    honest: NodeSet,
    /// Those with stake that follow the rules at the end: the honest, and adversaries whose lies
    /// end before. A cluster can count on them then, if not on what they said before.
    reliable: NodeSet,
    up: NodeSet,
    seats: NodeMap<Seat>,
    votes: NodeMap<Votes>,
    held: Held,
    forks: Forks,
    roots: Roots,
    agreement: Agreement,
    /// Which faults hinder messages or nodes, and how many of them are in force.
    hinders: Vec<bool>,
    hindering: u64,
    disturbed: Time,
    /// When the last of the lies ends that do so before the run does.
    lies_end: Time,
    progressed: Time,
    /// The highest slot of a block that an honest validator took as confirmed.
    confirmed: Option<Slot>,
    patience: Option<Span>,
    to_root: Span,
    heal_at: Option<Time>,
}

impl Consensus {
    pub(super) fn new(plan: &RecorderPlan, stakes: NodeMap<u64>) -> Self {
        let nodes = stakes.len();
        let honest = NodeId::all(nodes)
            .filter(|node| stakes[*node] > 0 && !plan.nodes[*node].adversary)
            .collect();
        let lies = |node: NodeId| {
            let of_node = plan.adversaries.iter().filter(move |it| it.nodes.contains(node));
            of_node.map(|it| it.end.unwrap_or(Time::MAX))
        };
        let reliable = NodeId::all(nodes)
            .filter(|node| stakes[*node] > 0 && lies(*node).all(|end| end < plan.end))
            .collect();
        let ends = plan.adversaries.iter().filter_map(|it| it.end);
        Self {
            honest,
            reliable,
            lies_end: ends.filter(|end| *end < plan.end).max().unwrap_or(Time::ZERO),
            up: NodeSet::empty(nodes),
            seats: NodeMap::filled(nodes, Seat::default()),
            votes: NodeMap::build(nodes, |_| Votes::default()),
            held: Held::new(nodes),
            forks: Forks::new(),
            roots: Roots::new(),
            agreement: Agreement::new(),
            hinders: plan.faults.iter().map(|fault| fault.hinders).collect(),
            hindering: 0,
            disturbed: Time::ZERO,
            progressed: Time::ZERO,
            confirmed: None,
            patience: plan.patience,
            to_root: plan.to_root,
            heal_at: plan.heal_at,
            stakes,
        }
    }

    /// Takes in a fact; `chain` knows of it already.
    pub(super) fn on_fact(&mut self, at: Time, fact: &Fact, chain: &Chain) {
        match *fact {
            Fact::NodeUp { node } => self.on_up(at, node, chain),
            Fact::NodeDown { node, forgets } => self.on_down(at, node, forgets, chain),
            Fact::FaultBegan { fault } => self.on_fault(at, fault, true),
            Fact::FaultEnded { fault } => self.on_fault(at, fault, false),
            Fact::BlockMade { node, .. } => self.forks.on_made(at, node, chain),
            Fact::HeadChanged { node, block, reorganised, .. } => {
                self.votes[node].on_head(reorganised);
                self.on_head(at, node, chain.number(block), chain);
            }
            Fact::VoteCast { node, slot, block, switched } => {
                self.votes[node].on_cast(slot, switched);
                let seat = &mut self.seats[node];
                (seat.voted, seat.voted_slot) = (chain.number(block), slot);
            }
            Fact::VoteWithheld { node, reason, .. } => self.votes[node].on_withheld(reason),
            Fact::VoteLanded { block, voter, slot, delay } => {
                self.votes[voter].on_landed(slot);
                self.held.on_landed(voter, chain.number(block), delay);
                self.make_room(chain);
            }
            Fact::Rooted { node, slot, block } => self.on_rooted(at, (node, slot, block), chain),
            Fact::BlockConfirmed { node, slot, level: Level::Optimistic, .. }
                if self.honest.contains(node) && self.confirmed < Some(slot) =>
            {
                self.confirmed = Some(slot);
                self.progressed = at;
            }
            _ => {}
        }
    }

    /// A fault that keeps validators apart has ended.
    pub(super) fn on_healed(&mut self, at: Time, fault: u32, chain: &Chain) {
        self.agreement.on_healed(at, fault, chain);
    }

    fn on_fault(&mut self, at: Time, fault: u32, begins: bool) {
        if self.hinders.get(fault as usize) == Some(&true) {
            self.disturbed = at;
            self.hindering =
                if begins { self.hindering + 1 } else { self.hindering.saturating_sub(1) };
        }
    }

    fn on_up(&mut self, at: Time, node: NodeId, chain: &Chain) {
        if !self.up.insert(node) {
            return;
        }
        let Seat { head, root, .. } = self.seats[node];
        self.seats[node].since = at;
        self.forks.on_moved((at, self.stakes[node]), (GENESIS, head), chain);
        if self.honest.contains(node) {
            self.disturbed = at;
            self.agreement.pass_to(at, chain);
            self.agreement.heads.enter(head);
            self.agreement.roots.enter(root);
        }
    }

    fn on_down(&mut self, at: Time, node: NodeId, forgets: bool, chain: &Chain) {
        let Seat { head, since, root, .. } = self.seats[node];
        if self.up.remove(node) {
            self.held.on_stay(node, head, at.since(since));
            self.forks.on_moved((at, self.stakes[node]), (head, GENESIS), chain);
            if self.honest.contains(node) {
                self.disturbed = at;
                self.agreement.pass_to(at, chain);
                self.agreement.heads.leave(head);
                self.agreement.roots.leave(root);
            }
        }
        if forgets {
            // What it promised before binds nobody any more.
            self.honest.remove(node);
            self.reliable.remove(node);
            self.seats[node] = Seat::default();
        }
    }

    fn on_head(&mut self, at: Time, node: NodeId, head: Number, chain: &Chain) {
        let before = self.seats[node];
        (self.seats[node].head, self.seats[node].since) = (head, at);
        if !self.up.contains(node) {
            return;
        }
        self.held.on_stay(node, before.head, at.since(before.since));
        self.forks.on_moved((at, self.stakes[node]), (before.head, head), chain);
        if self.honest.contains(node) {
            self.agreement.pass_to(at, chain);
            self.agreement.heads.leave(before.head);
            self.agreement.heads.enter(head);
        }
        self.make_room(chain);
    }

    fn on_rooted(&mut self, at: Time, (node, slot, block): (NodeId, Slot, u64), chain: &Chain) {
        self.votes[node].on_rooted(slot);
        let Seat { root: before, voted_slot, .. } = self.seats[node];
        let root = chain.number(block);
        self.seats[node].root = root;
        // What does not fit into the memory of blocks cannot be compared.
        if root == GENESIS || !self.honest.contains(node) {
            return;
        }
        if self.roots.on_rooted(chain, (at, node), (before, root), voted_slot) {
            self.progressed = at;
        }
        if self.up.contains(node) {
            self.agreement.pass_to(at, chain);
            self.agreement.roots.leave(before);
            self.agreement.roots.enter(root);
        }
    }

    /// Settles records that wait, if there are many: by the last block that more than two thirds of
    /// the stake have rooted, if their roots agree.
    fn make_room(&mut self, chain: &Chain) {
        if !self.held.is_full() {
            return;
        }
        let mut roots: Vec<(Number, u64)> =
            self.honest.iter().map(|node| (self.seats[node].root, self.stakes[node])).collect();
        roots.sort_unstable_by_key(|(root, _)| std::cmp::Reverse(*root));
        let (all, mut sum) = (self.total_stake(), 0);
        let decided = roots.iter().find(|(_, stake)| {
            sum += u128::from(*stake);
            sum * 3 > all * 2
        });
        let decided = decided.filter(|_| self.roots.conflict().is_none());
        self.held.decide(chain, decided.map_or(GENESIS, |(root, _)| *root));
    }

    fn total_stake(&self) -> u128 {
        self.stakes.values().map(|stake| u128::from(*stake)).sum()
    }

    /// Writes who stands where at a sample.
    pub(super) fn sample(&self, at: Time, chain: &Chain, sink: &mut impl RowSink) {
        let mut places = Places::default();
        for (node, seat) in self.seats.iter() {
            let stake = self.stakes[node];
            if self.up.contains(node) {
                places.add(seat.head, Standers { nodes: 1, heads: stake, votes: 0 });
            }
            if seat.voted != GENESIS {
                places.add(seat.voted, Standers { votes: stake, ..Standers::default() });
            }
        }
        places.rows(at, chain, sink);
    }

    /// The run is over: writes all rows and gives the figures. The collector of blocks is to be
    /// filled before.
    pub(super) fn fill(
        &mut self,
        end: Time,
        blocks: &Blocks,
        sink: &mut impl RowSink,
    ) -> ConsensusSummary {
        let (chain, standings) = (blocks.chain(), blocks.standings());
        for node in self.up.iter() {
            let Seat { head, since, .. } = self.seats[node];
            self.held.on_stay(node, head, end.since(since));
        }
        if let Some(standings) = &standings {
            let fate = |block: Number| standings.get((block as usize).wrapping_sub(1)).copied();
            self.held.settle(fate);
        }
        let heals = self.agreement.fill(chain, sink);
        let forks = standings.as_ref().map(|all| self.forks.fill(chain, all, sink));
        ConsensusSummary {
            verdict: judge(&self.evidence(end, chain)),
            votes: self.fill_votes(standings.as_deref(), sink),
            forks: forks.unwrap_or_default(),
            confirmation: blocks.confirmation(),
            roots: self.roots.summary(self.lowest_root()),
            confirmed_slot: self.confirmed.map(Slot::number),
            heals,
            unfollowed: self.held.dropped(),
            heal_at_ns: self.heal_at.map(Time::as_nanos),
        }
    }

    fn fill_votes(&self, standings: Option<&[Standing]>, sink: &mut impl RowSink) -> VotesSummary {
        let mut sum = Sum::default();
        for (node, stake) in self.stakes.iter().filter(|(_, stake)| **stake > 0) {
            let (votes, settled) = (&self.votes[node], self.held.settled(node));
            votes.row((node, *stake), standings.map(|_| settled), sink);
            votes.add_to(&mut sum, settled);
        }
        sum.summary(standings.is_some())
    }

    /// The lowest last root of the honest validators that are up, if all have one.
    fn lowest_root(&self) -> Option<Slot> {
        let asked = self.honest.iter().filter(|node| self.up.contains(*node));
        // Nothing is lower than nothing.
        asked.map(|node| self.votes[node].root()).min().flatten()
    }

    fn evidence(&self, end: Time, chain: &Chain) -> Evidence {
        let up = self.reliable.iter().filter(|node| self.up.contains(*node));
        let heads = &self.agreement.heads;
        let common = heads.common(chain).filter(|_| !heads.agrees(chain));
        Evidence {
            end,
            patience: self.patience,
            hindered: self.hindering > 0,
            disturbed: self.disturbed.max(self.lies_end),
            told: self.honest.iter().any(|node| self.up.contains(node)),
            stake: (up.map(|node| u128::from(self.stakes[node])).sum(), self.total_stake()),
            progressed: self.progressed,
            parted: common.map(|common| chain.made(common)),
            conflict: self.roots.conflict(),
            rooted: self.roots.is_any(),
            to_root: self.to_root,
        }
    }
}

#[cfg(test)]
mod tests;
