//! Protocol layer: leaders that make two blocks for one slot: what proves it, and which of the two
//! a node keeps.
//!
//! Rules: Agave 4.4, `core/src/repair/cluster_slot_state_verifier.rs`; a node keeps one version of
//! a slot, and changes to the one that more than 52 % of the stake voted for.

use super::{Consensus, Ctx, Desk};
use crate::base::id::NodeId;
use crate::base::slot::Slot;
use crate::fact::{Fact, Level};
use crate::protocol::block::BlockId;
use crate::protocol::chain::{Chain, Link};

/// More than so much of the stake settles which version of a slot to have (Agave:
/// `DUPLICATE_THRESHOLD`, 1 - 38 % - 10 %).
pub(super) const CONFIRMED: (u64, u64) = (52, 100);

/// Slots whose leaders made two blocks.
#[derive(Default)]
pub(super) struct Duplicates {
    proven: Vec<Slot>,
    /// Versions that the votes in blocks have chosen.
    chosen: Vec<(Slot, BlockId)>,
    /// Which version to have of a slot has become known since that was last asked.
    changed: bool,
}

/// Most slots that are remembered; beyond it the earliest is forgotten.
const MOST: usize = 1_024;

impl Duplicates {
    /// Forgets everything up to the new root.
    pub(super) fn forget(&mut self, root: Slot) {
        self.proven.retain(|slot| *slot > root);
        self.chosen.retain(|(slot, _)| *slot > root);
    }

    /// Whether something changed since the last call.
    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }
}

impl Consensus {
    /// Whether the node would rather have this version of a slot than another that it has.
    #[must_use]
    pub fn prefers(&self, slot: Slot, block: BlockId) -> bool {
        self.tallies.has(slot, block, Level::Duplicate)
            || self.duplicates.chosen.contains(&(slot, block))
    }

    /// Whether a block that the node lacks is one that others have chosen, of two that its leader
    /// made: whole blocks wait for it of which one is confirmed. (Agave asks a sample of nodes for
    /// the ancestors of such a block: `core/src/repair/ancestor_hashes_service.rs`.)
    #[must_use]
    pub fn awaits(&self, chain: &Chain, block: BlockId) -> bool {
        let mut open = vec![block];
        while let Some(below) = open.pop() {
            for link in chain.waiting().iter().filter(|link| link.parent == below) {
                if self.prefers(link.slot(), link.id) {
                    return true;
                }
                open.push(link.id);
            }
        }
        false
    }

    /// Shreds of two blocks of one leader for the same slot have reached the node, or the proof of
    /// it has: what it has of the slot is no candidate until votes say more. Returns the block to
    /// build on, if that may be another one now.
    pub fn on_duplicate(
        &mut self,
        desk: &mut Desk<'_>,
        ctx: &mut impl Ctx,
        (slot, leader): (Slot, NodeId),
    ) -> Option<BlockId> {
        if self.duplicates.proven.contains(&slot) || slot <= desk.chain.root().slot() {
            return None;
        }
        if self.duplicates.proven.len() == MOST {
            self.duplicates.proven.remove(0);
        }
        self.duplicates.proven.push(slot);
        ctx.observe(Fact::EquivocationProven { node: ctx.me(), slot, leader });
        let version = desk.chain.of_slot(slot).next().copied();
        let version = version.filter(|it| !self.prefers(slot, it.id))?;
        desk.chain.bar(version.id);
        for tip in desk.chain.tips() {
            if desk.chain.leads_to(version.id, tip.id) {
                self.choose_by_blocks(desk, ctx, &tip);
            }
        }
        Some(self.decide(desk, ctx))
    }

    /// What the votes in a block and its ancestors say: of two blocks of a slot the one is chosen
    /// that more than 52 % of the stake stand behind, on it or upon it, with all below it (Agave:
    /// `tower_duplicate_confirmed_forks`). So is one with that much weight in the fork choice: what
    /// stands behind a block by its successors shrinks as lockouts end, and while nobody can vote
    /// for it, a single vote that got lost would keep it from being chosen for good.
    pub(super) fn choose_by_blocks(
        &mut self,
        desk: &mut Desk<'_>,
        ctx: &mut impl Ctx,
        link: &Link,
    ) {
        if self.duplicates.proven.is_empty() || desk.chain.is_candidate(link.id) {
            return;
        }
        let stakes = desk.cluster.electorate.at(link.slot());
        let standings = &desk.block(ctx, link).standings;
        let chosen = |it: &&Link| {
            stakes.exceeds(standings.support(it.slot()), CONFIRMED)
                || stakes.exceeds(desk.chain.weight(it.id), CONFIRMED)
                || self.prefers(it.slot(), it.id)
        };
        let floor = desk.chain.root().height;
        let above = desk.chain.path(link.id).take_while(|it| it.height > floor);
        let Some(chosen) = { above }.find(chosen).copied() else { return };
        if desk.chain.is_candidate(chosen.id) {
            return;
        }
        let (slot, block) = (chosen.slot(), chosen.id);
        if !self.prefers(slot, block) && self.duplicates.chosen.len() < MOST {
            self.duplicates.chosen.push((slot, block));
            self.tallies.tell(slot, block, Level::Duplicate);
            let (node, block, level) = (ctx.me(), block.0, Level::Duplicate);
            ctx.observe(Fact::BlockConfirmed { node, slot, block, level });
        }
        self.choose_version(desk, slot, block);
    }

    /// A block has joined the chain: whether it is a candidate.
    pub(super) fn judge_version(&mut self, desk: &mut Desk<'_>, link: &Link) {
        let (slot, id) = (link.slot(), link.id);
        if self.prefers(slot, id) {
            desk.chain.clear_bar(id);
        } else if self.duplicates.proven.contains(&slot)
            || self.tallies.reached(slot, Level::Duplicate).is_some()
        {
            desk.chain.bar(id);
        }
    }

    /// More than 52 % of the stake voted for a version: others of its slot go, with everything on
    /// them.
    pub(super) fn choose_version(&mut self, desk: &mut Desk<'_>, slot: Slot, block: BlockId) {
        if desk.chain.link(block).is_some() {
            desk.chain.clear_bar(block);
        }
        let others = desk.chain.of_slot(slot).filter(|link| link.id != block);
        let others: Vec<BlockId> = others.map(|link| link.id).collect();
        if others.is_empty() {
            // Something barred may be a candidate again.
            self.duplicates.changed |= self.duplicates.proven.contains(&slot);
            return;
        }
        self.duplicates.changed = true;
        others.into_iter().for_each(|other| self.released.extend(desk.chain.dump(other)));
        self.weigh_anew(desk);
    }

    /// Counts all votes in the chain once more, after blocks were taken out of it.
    fn weigh_anew(&self, desk: &mut Desk<'_>) {
        desk.chain.forget_votes();
        for id in self.counted.iter() {
            let vote = desk.cluster.ballots.get(id);
            let stake = desk.cluster.electorate.at(vote.slot).of(vote.voter);
            desk.chain.support(vote.block, stake);
        }
    }
}
