//! Metrics layer, collector: how far and how fast each block spread (`blocks.csv`), and with it
//! what became of the slots and of the chain.
//!
//! Memory is bounded: only the newest blocks are followed. One that falls out of the window is
//! written down as it is at that moment. No fact of a block comes per shred, so looking a block up
//! by its hash, from the newest back, is cheap enough.

mod arrivals;
mod confirmed;
mod slots;
mod tracked;

use std::collections::VecDeque;

use serde::{Serialize, Serializer};

use self::arrivals::{Arrival, Arrivals};
use self::confirmed::{Confirmations, Confirmed, Stage};
use self::slots::Slots;
use self::tracked::{Made, Size, Tracked};
use super::chain::{Chain, ChainSummary, Standing};
use super::figures::{Latency, Spans, ppm};
use super::plan::{ArrivalRows, RecorderPlan};
use super::spread::{Coverage, ShareTimes, TimesToShares};
use super::table::RowSink;
use crate::base::id::{NodeId, NodeMap, NodeSet};
use crate::base::slot::Slot;
use crate::base::time::{Span, Time};
use crate::fact::{Fact, Flaw};

pub use arrivals::{ArrivalsSummary, BLOCK_ARRIVALS};
pub use confirmed::ConfirmationSummary;
pub use slots::{SLOTS, SlotsSummary};
pub use tracked::BLOCKS;

/// Blocks made so shortly before the end of a run do not count in the coverage. A leader may take a
/// slot to send its block, and those that have to ask for some of it do so two slots after they
/// first heard of it, again and again: five slots are well above that. However short a slot, some
/// round trips have to fit in: the delay of repair (250 ms, Agave 4.4) and five more requests, each
/// 150 ms after the one before, take 1 s, on links as slow as that 2 s.
const SETTLING: (u64, Span) = (5, Span::from_secs(2));

/// How blocks spread. Times are since a block was made; as in `blocks.csv`, its leader has it from
/// the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct BlocksSummary {
    /// Blocks that were made.
    pub made: u64,
    /// Pairs of a block and a node, not its leader, that got it whole.
    pub whole_pairs: u64,
    /// Blocks that a node got whole when they were no longer followed: they are in no row.
    pub late: u64,
    /// How often a node gave a block up.
    pub expired: u64,
    /// How often a node refused a whole block, by reason.
    pub refused: RefusedBlocks,
    /// How often decoding gave other bytes than were coded: above zero only by a bug.
    pub miscoded: u64,
    /// Blocks that coverage is about: not those of the last five slots of the run, at least two
    /// seconds.
    pub settled: u64,
    /// Those of them that every node that was up had whole.
    pub complete: u64,
    /// Mean share of the nodes that were up when a block was made that got it whole.
    pub coverage_mean_ppm: Option<u64>,
    /// Smallest such share of any block.
    pub coverage_min_ppm: Option<u64>,
    /// Until the first shred of a block reached a node; mean and ends are exact.
    pub first_shred: Latency,
    /// Until a node had a block whole; mean and ends are exact.
    pub whole: Latency,
    /// Until shares of nodes and stake had a block whole.
    #[serde(flatten)]
    pub to: TimesToShares,
    /// How nodes came by the shreds.
    pub shreds: ShredsSummary,
    /// Rows of `block_arrivals.csv`.
    pub arrivals: ArrivalsSummary,
    /// Slots with a block, and skipped ones.
    pub slots: SlotsSummary,
    /// Forks and heads.
    pub chain: ChainSummary,
}

/// How often nodes refused a whole block; as JSON a map of all reasons, in the order of
/// [`Flaw::ALL`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RefusedBlocks([u64; Flaw::ALL.len()]);

impl RefusedBlocks {
    /// The reasons that occurred, and how often.
    pub fn iter(&self) -> impl Iterator<Item = (Flaw, u64)> + '_ {
        Flaw::ALL.into_iter().zip(self.0).filter(|(_, refused)| *refused > 0)
    }
}

impl Serialize for RefusedBlocks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(Flaw::ALL.map(Flaw::name).into_iter().zip(self.0))
    }
}

/// Shreds that nodes had when a block was whole, by how they came by them. Shares are of all but
/// the duplicates.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct ShredsSummary {
    /// From the leader or down a tree.
    pub turbine: u64,
    /// Worked out from others of their set.
    pub recovered: u64,
    /// As the answer to a repair request.
    pub repaired: u64,
    /// Once more, in whatever way.
    pub duplicate: u64,
    /// Share of `turbine`.
    pub turbine_ppm: Option<u64>,
    /// Share of `recovered`.
    pub recovered_ppm: Option<u64>,
    /// Share of `repaired`.
    pub repaired_ppm: Option<u64>,
    /// Duplicates for each shred that was of use.
    pub redundancy_ppm: Option<u64>,
}

/// Counts of shreds by how they came.
#[derive(Clone, Copy, Default)]
struct Shreds {
    turbine: u64,
    recovered: u64,
    repaired: u64,
    duplicate: u64,
}

impl Shreds {
    const fn add(&mut self, more: Self) {
        self.turbine += more.turbine;
        self.recovered += more.recovered;
        self.repaired += more.repaired;
        self.duplicate += more.duplicate;
    }

    fn summary(self) -> ShredsSummary {
        let Self { turbine, recovered, repaired, duplicate } = self;
        let useful = turbine + recovered + repaired;
        ShredsSummary {
            turbine,
            recovered,
            repaired,
            duplicate,
            turbine_ppm: ppm(turbine, useful),
            recovered_ppm: ppm(recovered, useful),
            repaired_ppm: ppm(repaired, useful),
            redundancy_ppm: ppm(duplicate, useful),
        }
    }
}

/// Figures of a moment for `timeline.csv`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct BlockProgress {
    /// Blocks made so far.
    pub(super) made: u64,
    /// Blocks from genesis to the highest of them.
    pub(super) height_max: u32,
    /// Different heads of nodes that are up.
    pub(super) heads: u64,
}

/// Sums over all blocks.
#[derive(Default)]
struct Totals {
    made: u64,
    whole_pairs: u64,
    late: u64,
    expired: u64,
    refused: RefusedBlocks,
    miscoded: u64,
    first_shred: Spans,
    whole: Spans,
    shreds: Shreds,
    /// Over the blocks that are written down.
    coverage: Coverage,
    shares: ShareTimes,
    confirmations: Confirmations,
}

/// Follows blocks.
pub(super) struct Blocks {
    stakes: NodeMap<u64>,
    total_stake: u64,
    up: NodeSet,
    /// How many blocks are followed at once.
    window: usize,
    /// The newest blocks, the oldest of them first.
    followed: VecDeque<Tracked>,
    /// Their hashes, side by side to be searched.
    hashes: VecDeque<u64>,
    arrivals: Arrivals,
    slots: Slots,
    chain: Chain,
    /// The slot of every node's last vote; `None` in a run without votes.
    voted: Option<NodeMap<Slot>>,
    totals: Totals,
}

impl Blocks {
    /// Takes from the plan what nobody else needs.
    pub(super) fn new(plan: &mut RecorderPlan, stakes: NodeMap<u64>) -> Self {
        let arrivals = std::mem::replace(&mut plan.block_arrivals, ArrivalRows::None);
        Self {
            total_stake: stakes.values().sum(),
            up: NodeSet::empty(stakes.len()),
            window: plan.block_window.max(1),
            followed: VecDeque::new(),
            hashes: VecDeque::new(),
            arrivals: Arrivals::new(arrivals),
            slots: Slots::new(&std::mem::take(&mut plan.leaders), plan.slot_times),
            chain: Chain::new(stakes.len()),
            voted: plan.votes.then(|| NodeMap::filled(stakes.len(), Slot::ZERO)),
            stakes,
            totals: Totals::default(),
        }
    }

    pub(super) fn on_fact(&mut self, at: Time, fact: &Fact, sink: &mut impl RowSink) {
        match *fact {
            Fact::NodeUp { node } => {
                self.slots.pass(at, &self.up);
                self.up.insert(node);
            }
            Fact::NodeDown { node, forgets } => {
                self.slots.pass(at, &self.up);
                self.up.remove(node);
                if forgets {
                    self.chain.on_forgot(node);
                }
            }
            Fact::BlockMade { node, slot, block, parent, height } => {
                let made = Made { at, leader: node, slot, block, parent, height };
                self.on_made(made, sink);
            }
            Fact::BlockSize { block, bytes, data, coding, transactions } => {
                let size = Size { bytes, data, coding, transactions };
                self.find(block).into_iter().for_each(|tracked| tracked.size = Some(size));
            }
            Fact::LeadDeclined { node, slot, reason } => self.slots.on_declined(slot, node, reason),
            Fact::BlockFirstShred { node, block, .. } => self.on_first_shred(at, node, block),
            Fact::BlockWhole { node, slot, block, first } => {
                self.on_whole(at, (node, slot, block), first, sink);
            }
            Fact::BlockSent { block, messages, bytes, .. } => {
                let sent = Some((messages, bytes));
                self.find(block).into_iter().for_each(|tracked| tracked.sent = sent);
            }
            Fact::ShredsCounted { node, block, turbine, recovered, repaired, duplicate, hops } => {
                self.find(block).into_iter().for_each(|t| t.hops_max = t.hops_max.max(hops));
                let [turbine, recovered, repaired, duplicate] =
                    [turbine, recovered, repaired, duplicate].map(u64::from);
                let shreds = Shreds { turbine, recovered, repaired, duplicate };
                self.on_counted((node, block), shreds, sink);
            }
            Fact::BlockExpired { node, slot, block } => {
                self.totals.expired += 1;
                self.find(block).into_iter().for_each(|tracked| tracked.expired += 1);
                self.arrivals.on_arrival(Arrival { node, slot, block, times: None }, sink);
            }
            Fact::BlockRefused { block, reason, .. } => {
                self.totals.refused.0[reason as usize] += 1;
                self.find(block).into_iter().for_each(|tracked| tracked.refused += 1);
            }
            Fact::BlockMiscoded { .. } => self.totals.miscoded += 1,
            Fact::HeadChanged { node, block, height, reorganised } => {
                self.chain.on_head(node, (block, height), reorganised);
                if let Some(slot) = self.find(block).map(|tracked| tracked.made.slot) {
                    self.slots.on_head(node, slot);
                }
            }
            _ => self.on_vote_fact(at, fact),
        }
    }

    fn on_vote_fact(&mut self, at: Time, fact: &Fact) {
        let Some(voted) = &mut self.voted else { return };
        match *fact {
            Fact::VoteCast { node, slot, .. } => voted[node] = slot,
            Fact::VoteLanded { block, .. } => {
                let confirmed = self.find(block).and_then(|block| block.confirmed.as_mut());
                confirmed.into_iter().for_each(|confirmed| confirmed.votes += 1);
            }
            Fact::BlockConfirmed { node, block, level, .. } => {
                self.on_stage(at, node, block, Stage::of(level));
            }
            Fact::Rooted { node, block, .. } => self.on_stage(at, node, block, Stage::Rooted),
            _ => {}
        }
    }

    /// A validator is at a stage with a block, and so with all that it stands on.
    fn on_stage(&mut self, at: Time, node: NodeId, block: u64, stage: Stage) {
        let stake = self.stakes[node];
        let Some(voted) = self.voted.as_ref().map(|voted| voted[node]).filter(|_| stake > 0) else {
            return;
        };
        let mut next = block;
        while let Some(tracked) = self.find(next) {
            let Made { at: made, slot, parent, .. } = tracked.made;
            let Some(confirmed) = &mut tracked.confirmed else { return };
            if !confirmed.on_reached(stage, (node, stake), at.since(made)) {
                return;
            }
            if stage == Stage::Rooted {
                confirmed.on_rooted(voted, slot);
            }
            next = parent;
        }
    }

    /// A block was made; the oldest one must make room. The same block cannot be made twice.
    fn on_made(&mut self, made: Made, sink: &mut impl RowSink) {
        let Made { at, leader, slot, block, parent, height } = made;
        if self.find(block).is_some() {
            return;
        }
        self.totals.made += 1;
        let link = self.chain.on_made((at, slot), (block, parent), height);
        self.slots.on_made(at, slot, leader, &self.up);
        if self.followed.len() >= self.window {
            self.hashes.pop_front();
            self.followed.pop_front().into_iter().for_each(|oldest| {
                self.totals.close(&oldest, true);
                oldest.row(None, sink);
            });
        }
        let stake = (self.total_stake, self.stakes[leader]);
        self.hashes.push_back(block);
        let mut tracked = Tracked::new(made, link, &self.up, self.stakes.len(), stake);
        tracked.confirmed =
            self.voted.as_ref().map(|_| Box::new(Confirmed::new(self.stakes.len(), stake.0)));
        self.followed.push_back(tracked);
    }

    fn on_first_shred(&mut self, at: Time, node: NodeId, block: u64) {
        let after = self.find(block).and_then(|tracked| tracked.on_first_shred(at, node));
        after.into_iter().for_each(|after| self.totals.first_shred.record(after));
    }

    fn on_whole(
        &mut self,
        at: Time,
        (node, slot, block): (NodeId, Slot, u64),
        first: Time,
        sink: &mut impl RowSink,
    ) {
        let stake = self.stakes[node];
        let Some(tracked) = self.find(block) else {
            self.totals.late += 1;
            self.arrivals.leave_out();
            return;
        };
        let made = tracked.made.at;
        if let Some(after) = tracked.on_whole(at, node, stake) {
            self.totals.whole_pairs += 1;
            self.totals.whole.record(after);
            let times = Some([first.since(made), after]);
            self.arrivals.on_arrival(Arrival { node, slot, block, times }, sink);
        }
    }

    fn on_counted(&mut self, of: (NodeId, u64), shreds: Shreds, sink: &mut impl RowSink) {
        if self.arrivals.on_counted(of, shreds, sink) {
            self.totals.shreds.add(shreds);
            self.find(of.1).into_iter().for_each(|tracked| tracked.shreds.add(shreds));
        }
    }

    /// Figures of this moment.
    pub(super) fn progress(&self) -> BlockProgress {
        BlockProgress {
            made: self.totals.made,
            height_max: self.chain.longest(),
            heads: self.chain.distinct_heads(&self.up),
        }
    }

    /// The run is over: writes down the blocks that are still followed, and all slots.
    pub(super) fn fill(&mut self, end: Time, sink: &mut impl RowSink) -> BlocksSummary {
        let verdicts = self.chain.verdicts(&self.up, &self.stakes);
        let standings = verdicts.as_ref().map(|verdicts| self.chain.standings(verdicts));
        let (slots, least) = SETTLING;
        let settling = self.slots.slot_length().scaled(slots, 1).max(least);
        for block in &self.followed {
            let standing = standings.as_ref().zip(block.link).map(|(all, link)| all[link]);
            self.totals.close(block, block.made.at.saturating_add(settling) <= end);
            block.row(standing, sink);
        }
        // A slot that was to begin at the last instant has begun.
        self.slots.pass(end.saturating_add(Span::from_nanos(1)), &self.up);
        let canonical = verdicts.as_ref().map(|all| {
            let slots = self.chain.slots().zip(all);
            slots.filter(|(_, canonical)| **canonical).map(|(slot, _)| slot)
        });
        let slots = self.slots.fill(canonical, sink);
        let arrivals = self.arrivals.fill(sink);
        let chain = self.chain.summary(self.totals.made, &self.up, verdicts.as_deref());
        self.totals.summary(arrivals, slots, chain)
    }

    /// How long it took until blocks were confirmed, complete once [`Self::fill`] was called.
    pub(super) fn confirmation(&self) -> ConfirmationSummary {
        self.totals.confirmations.summary()
    }

    /// Which block stands on which.
    pub(super) const fn chain(&self) -> &Chain {
        &self.chain
    }

    /// How every block stands to the canonical chain; `None` if nobody can tell.
    pub(super) fn standings(&self) -> Option<Vec<Standing>> {
        let verdicts = self.chain.verdicts(&self.up, &self.stakes)?;
        Some(self.chain.standings(&verdicts))
    }

    /// A block that is followed.
    fn find(&mut self, block: u64) -> Option<&mut Tracked> {
        let place = self.hashes.iter().rposition(|hash| *hash == block)?;
        self.followed.get_mut(place)
    }
}

impl Totals {
    /// Takes in a block that is written down; `settled` is whether it had time to spread.
    fn close(&mut self, block: &Tracked, settled: bool) {
        self.shares.add(&block.nodes, &block.stake);
        block.confirmed.iter().for_each(|confirmed| self.confirmations.add(confirmed));
        if settled {
            self.coverage.add(block.reached, block.audience.len() as u64);
        }
    }

    fn summary(
        &self,
        arrivals: ArrivalsSummary,
        slots: SlotsSummary,
        chain: ChainSummary,
    ) -> BlocksSummary {
        BlocksSummary {
            made: self.made,
            whole_pairs: self.whole_pairs,
            late: self.late,
            expired: self.expired,
            refused: self.refused,
            miscoded: self.miscoded,
            settled: self.coverage.count,
            complete: self.coverage.complete,
            coverage_mean_ppm: self.coverage.mean_ppm(),
            coverage_min_ppm: self.coverage.min_ppm,
            first_shred: self.first_shred.latency(),
            whole: self.whole.latency(),
            to: self.shares.summary(),
            shreds: self.shreds.summary(),
            arrivals,
            slots,
            chain,
        }
    }
}

#[cfg(test)]
mod tests;
