//! Metrics layer, collector: what adversaries did, and what honest nodes made of it
//! (`adversaries.csv`).
//!
//! What honest nodes notice is put down to every adversary that names the culprit and does that
//! kind of thing; what adversaries notice of each other counts for nothing.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

use super::figures::ppm;
use super::plan::AdversaryInfo;
use super::table::{Column, RowSink, TableSpec, Unit};
use crate::base::id::{NodeId, NodeSet};
use crate::base::time::Time;
use crate::fact::{Census, Fact, Lie, Loss, Offence, SPAM, Step};

/// `adversaries.csv`.
pub static ADVERSARIES: TableSpec = TableSpec {
    name: "adversaries",
    doc: "One row per adversary, in the order of the scenario. What is noticed is counted once for \
          every honest node that notices it.",
    columns: &[
        Column::new("adversary", Unit::Count, "Its place, from zero."),
        Column::new("kind", Unit::Text, "What it does, as in the scenario."),
        Column::new("nodes", Unit::Count, "How many nodes it is."),
        Column::new("stake", Unit::Stake, "Their stake."),
        Column::new("stake_ppm", Unit::PartsPerMillion, "Its share of all stake."),
        Column::new("begin_ns", Unit::Nanoseconds, "When it is to begin."),
        Column::new("end_ns", Unit::Nanoseconds, "When it is to end; empty for never."),
        Column::new("acts", Unit::Count, "How often one of its nodes did it."),
        Column::new("exposed", Unit::Count, "Those of its nodes that an honest node caught at it."),
        Column::new("proofs", Unit::Count, "Proofs of two blocks for one slot."),
        Column::new("blocks_refused", Unit::Count, "Whole blocks that were refused."),
        Column::new("shreds_refused", Unit::Count, "Shreds of blocks whose maker does not lead."),
        Column::new("double_votes", Unit::Count, "Pairs of votes that speak against each other."),
        Column::new("transactions_refused", Unit::Count, "Transactions that were not taken in."),
        Column::new("entries_refused", Unit::Count, "False entries that were not taken in."),
        Column::new("peers_taken", Unit::Count, "How often a node took one of them as a peer."),
        Column::new("peers_ppm", Unit::PartsPerMillion, PEERS),
        Column::new("peers_max_ppm", Unit::PartsPerMillion, "The largest such share of a node."),
        Column::new(
            "verdict",
            Unit::Text,
            "`acted`; `never acted`; `never acted, as allowed`: likewise, but `may_miss` is set; \
             `never began`: the run was over before.",
        ),
        Column::new("addresses_refused", Unit::Count, "False own addresses that were found out."),
    ],
};

const PEERS: &str = "Mean share of its nodes among the peers that honest nodes have at the end; empty \
                     for other kinds than `flood-peers`.";

/// What became of the adversaries; lists hold places from zero.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct AdversariesSummary {
    /// Adversaries of the scenario.
    pub count: u64,
    /// Those that acted.
    pub acted: u64,
    /// Those that never did although they must.
    pub never_acted: Vec<u32>,
    /// Those of them that would have voted on several forks: there were none to vote on.
    pub forkless: Vec<u32>,
    /// Those that never did, as their `may_miss` allows.
    pub never_acted_as_allowed: Vec<u32>,
    /// Those that were to begin after the end of the run.
    pub never_began: Vec<u32>,
    /// Those of them that may not.
    pub late: Vec<u32>,
    /// How often any of them acted.
    pub acts: u64,
    /// Nodes that an honest node caught.
    pub exposed: u64,
    /// What honest nodes noticed, by kind.
    pub noticed: Noticed,
}

/// What honest nodes noticed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Noticed {
    /// Proofs of two blocks for one slot.
    pub proofs: u64,
    /// Whole blocks that were refused.
    pub blocks_refused: u64,
    /// Shreds of blocks whose maker does not lead.
    pub shreds_refused: u64,
    /// Pairs of votes that speak against each other.
    pub double_votes: u64,
    /// Transactions of spam that were not taken in.
    pub transactions_refused: u64,
    /// False entries that were not taken in.
    pub entries_refused: u64,
    /// False own addresses that were found out.
    pub addresses_refused: u64,
}

impl Noticed {
    const fn slot(&mut self, what: Finding) -> &mut u64 {
        match what {
            Finding::Proof => &mut self.proofs,
            Finding::Block => &mut self.blocks_refused,
            Finding::Shred => &mut self.shreds_refused,
            Finding::DoubleVote => &mut self.double_votes,
            Finding::Transaction => &mut self.transactions_refused,
            Finding::Entry => &mut self.entries_refused,
            Finding::Address => &mut self.addresses_refused,
        }
    }
}

/// What an honest node found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Finding {
    Proof,
    Block,
    Shred,
    DoubleVote,
    Transaction,
    Entry,
    Address,
}

impl Finding {
    /// Whether it is a trace of this kind of lie.
    const fn betrays(self, lie: Lie) -> bool {
        matches!(
            (self, lie),
            (Self::Proof, Lie::Equivocate)
                | (Self::Block, Lie::InvalidBlocks | Lie::BadPoh)
                | (Self::Shred, Lie::InvalidBlocks)
                | (Self::DoubleVote, Lie::DoubleVote)
                | (Self::Entry | Self::Address, Lie::LieInGossip)
        )
    }
}

/// One adversary's record.
struct Record {
    info: AdversaryInfo,
    acts: u64,
    exposed: NodeSet,
    noticed: Noticed,
    /// How often an honest node took one of its nodes as a peer.
    taken: u64,
}

/// Blocks of liars whose maker is remembered; beyond it the oldest is forgotten.
const BLOCKS: usize = 4_096;

/// Counts what adversaries do.
pub(super) struct Adversaries {
    records: Vec<Record>,
    /// All of their nodes.
    liars: NodeSet,
    exposed: NodeSet,
    noticed: Noticed,
    /// Who made their latest blocks.
    makers: BTreeMap<u64, NodeId>,
    order: VecDeque<u64>,
    total_stake: u64,
    /// Nodes of the cluster.
    count: usize,
}

impl Adversaries {
    pub(super) fn new(infos: Vec<AdversaryInfo>, nodes: usize, total_stake: u64) -> Self {
        let mut liars = NodeSet::empty(nodes);
        infos.iter().flat_map(|info| info.nodes.iter()).for_each(|node| {
            liars.insert(node);
        });
        let record = |info| {
            let exposed = NodeSet::empty(nodes);
            Record { info, acts: 0, exposed, noticed: Noticed::default(), taken: 0 }
        };
        Self {
            records: infos.into_iter().map(record).collect(),
            liars,
            exposed: NodeSet::empty(nodes),
            noticed: Noticed::default(),
            makers: BTreeMap::new(),
            order: VecDeque::new(),
            total_stake,
            count: nodes,
        }
    }

    pub(super) fn on_fact(&mut self, fact: &Fact) {
        match *fact {
            Fact::Lied { adversary, count, .. } => {
                let record = self.records.get_mut(adversary as usize);
                record.into_iter().for_each(|record| record.acts += u64::from(count));
            }
            Fact::BlockMade { node, block, .. } if self.liars.contains(node) => {
                self.on_made(node, block);
            }
            Fact::EquivocationProven { node, leader, .. } => {
                self.on_found(node, leader, Finding::Proof);
            }
            Fact::BlockRefused { node, block, .. } => {
                let maker = self.makers.get(&block).copied();
                maker.into_iter().for_each(|it| self.on_found(node, it, Finding::Block));
            }
            Fact::OffenceNoticed { node, culprit, offence } => {
                let finding = match offence {
                    Offence::WrongLeader => Finding::Shred,
                    Offence::DoubleVote => Finding::DoubleVote,
                    Offence::FalseEntry => Finding::Entry,
                    Offence::FalseAddress => Finding::Address,
                };
                self.on_found(node, culprit, finding);
            }
            Fact::Transaction { node, transaction, step } if transaction >= SPAM => {
                self.on_spam(node, transaction, step);
            }
            Fact::PeerAdded { node, peer } if !self.liars.contains(node) => {
                let floods = |it: &&mut Record| {
                    it.info.lie == Lie::FloodPeers && it.info.nodes.contains(peer)
                };
                self.records.iter_mut().filter(floods).for_each(|record| record.taken += 1);
            }
            _ => {}
        }
    }

    fn on_made(&mut self, node: NodeId, block: u64) {
        if self.makers.insert(block, node).is_none() {
            self.order.push_back(block);
        }
        if self.order.len() > BLOCKS {
            let oldest = self.order.pop_front();
            oldest.into_iter().for_each(|oldest| {
                self.makers.remove(&oldest);
            });
        }
    }

    fn on_found(&mut self, node: NodeId, culprit: NodeId, finding: Finding) {
        if self.liars.contains(node) || !self.liars.contains(culprit) {
            return;
        }
        *self.noticed.slot(finding) += 1;
        self.exposed.insert(culprit);
        for record in &mut self.records {
            if finding.betrays(record.info.lie) && record.info.nodes.contains(culprit) {
                *record.noticed.slot(finding) += 1;
                record.exposed.insert(culprit);
            }
        }
    }

    /// A node had to do with a transaction of spam, which tells whose it is.
    fn on_spam(&mut self, node: NodeId, transaction: u32, step: Step) {
        let refused = matches!(step, Step::Refused(_) | Step::Dropped(Loss::Full));
        if !refused || self.liars.contains(node) {
            return;
        }
        *self.noticed.slot(Finding::Transaction) += 1;
        let record = self.records.get_mut((transaction >> 23 & 0xFF) as usize);
        record.into_iter().for_each(|record| *record.noticed.slot(Finding::Transaction) += 1);
    }

    /// Mean and largest share of an adversary's nodes among the peers of an honest node.
    fn shares(&self, record: &Record, census: &dyn Census) -> [Option<u64>; 2] {
        let (mut sum, mut most, mut nodes) = (0, None, 0);
        for node in NodeId::all(self.count).filter(|node| !self.liars.contains(*node)) {
            let (mut all, mut of) = (0_u64, 0_u64);
            census.peers(node, &mut |peer| {
                all += 1;
                of += u64::from(record.info.nodes.contains(peer));
            });
            let Some(share) = ppm(of, all) else { continue };
            (sum, nodes) = (sum + share, nodes + 1);
            most = most.max(Some(share));
        }
        [u64::checked_div(sum, nodes), most]
    }

    /// Writes a row per adversary.
    pub(super) fn fill(
        &self,
        end: Time,
        census: &dyn Census,
        sink: &mut impl RowSink,
    ) -> AdversariesSummary {
        let mut summary = AdversariesSummary {
            count: self.records.len() as u64,
            exposed: self.exposed.len() as u64,
            noticed: self.noticed,
            ..AdversariesSummary::default()
        };
        for (place, record) in (0_u32..).zip(&self.records) {
            let verdict = record.verdict(end);
            summary.acts += record.acts;
            match verdict {
                Verdict::Acted => summary.acted += 1,
                Verdict::NeverActed => {
                    summary.never_acted.push(place);
                    let votes_twice = record.info.lie == Lie::DoubleVote;
                    summary.forkless.extend(votes_twice.then_some(place));
                }
                Verdict::AsAllowed => summary.never_acted_as_allowed.push(place),
                Verdict::NeverBegan => {
                    summary.never_began.push(place);
                    summary.late.extend((!record.info.may_miss).then_some(place));
                }
            }
            let floods = record.info.lie == Lie::FloodPeers;
            let [mean, most] = if floods { self.shares(record, census) } else { [None; 2] };
            let Record { info, acts, exposed, noticed, taken } = record;
            sink.row(
                &ADVERSARIES,
                &[
                    place.into(),
                    info.lie.name().into(),
                    info.nodes.len().into(),
                    info.stake.into(),
                    ppm(info.stake, self.total_stake).into(),
                    info.begin.into(),
                    info.end.into(),
                    (*acts).into(),
                    exposed.len().into(),
                    noticed.proofs.into(),
                    noticed.blocks_refused.into(),
                    noticed.shreds_refused.into(),
                    noticed.double_votes.into(),
                    noticed.transactions_refused.into(),
                    noticed.entries_refused.into(),
                    (*taken).into(),
                    mean.into(),
                    most.into(),
                    verdict.name().into(),
                    noticed.addresses_refused.into(),
                ],
            );
        }
        summary
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Acted,
    NeverActed,
    AsAllowed,
    NeverBegan,
}

impl Verdict {
    const fn name(self) -> &'static str {
        match self {
            Self::Acted => "acted",
            Self::NeverActed => "never acted",
            Self::AsAllowed => "never acted, as allowed",
            Self::NeverBegan => "never began",
        }
    }
}

impl Record {
    fn verdict(&self, end: Time) -> Verdict {
        match (self.acts, self.info.may_miss) {
            (1.., _) => Verdict::Acted,
            (0, _) if self.info.begin > end => Verdict::NeverBegan,
            (0, true) => Verdict::AsAllowed,
            (0, false) => Verdict::NeverActed,
        }
    }
}
