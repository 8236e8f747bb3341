//! Protocol layer: leaders that make two blocks for one slot: what proves it, and which of the two
//! a node keeps.
//!
//! Rules: Agave 4.4, `core/src/repair/cluster_slot_state_verifier.rs`; a node keeps one version of
//! a slot, and changes to the one that more than 52 % of the stake voted for.

use super::{Consensus, Ctx, Desk, Style};
use crate::base::id::NodeId;
use crate::base::slot::Slot;
use crate::fact::{Fact, Level};
use crate::protocol::block::BlockId;
use crate::protocol::chain::{Chain, Link};
use crate::protocol::tower::Lockout;

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
    /// Blocks were taken out of the chain; they may come back.
    dumped: bool,
    /// What the node has proven by shreds of its own, for gossip.
    published: Vec<(Slot, NodeId)>,
    /// Proofs that come by gossip in parts: who made them, the slot, and a bit for each part.
    parts: Vec<(NodeId, Slot, u8)>,
}

/// Most slots that are remembered; beyond it the earliest is forgotten.
const MOST: usize = 1_024;

impl Duplicates {
    /// Forgets everything up to the new root.
    pub(super) fn forget(&mut self, root: Slot) {
        self.proven.retain(|slot| *slot > root);
        self.chosen.retain(|(slot, _)| *slot > root);
        self.parts.retain(|(_, slot, _)| *slot > root);
    }

    /// The node crashed: what was under way to or from gossip is lost.
    pub(super) fn on_crash(&mut self) {
        self.published.clear();
        self.parts.clear();
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

    /// Whether a block that the node lacks is one that whole blocks of its own wait for: somebody
    /// builds on that version, so the node takes it in beside the other one. Neither is a candidate
    /// until votes have chosen, but what is upon it can be weighed, and its voters count where a
    /// fork is left. (Agave has room for one version of a slot; blocks upon another one are dead
    /// there until 52 % have voted for them, `core/src/repair/ancestor_hashes_service.rs`.)
    #[must_use]
    pub fn awaits(&self, chain: &Chain, block: BlockId) -> bool {
        chain.waiting().iter().any(|link| link.parent == block)
    }

    /// Shreds of two blocks of one leader for the same slot have reached the node. Whether that is
    /// news, and the block to build on, if that may be another one now.
    pub fn on_duplicate(
        &mut self,
        desk: &mut Desk<'_>,
        ctx: &mut impl Ctx,
        proof: (Slot, NodeId),
    ) -> (bool, Option<BlockId>) {
        let root = desk.chain.root().slot();
        let fresh = proof.0 > root && !self.duplicates.proven.contains(&proof.0);
        if fresh {
            self.duplicates.published.push(proof);
        }
        (fresh, self.on_proof(desk, ctx, proof))
    }

    /// Whether the node has proven something since the last call of [`Consensus::take_proofs`].
    #[inline]
    pub(super) const fn has_proofs(&self) -> bool {
        !self.duplicates.published.is_empty()
    }

    /// What the node has proven by shreds of its own, since the last call.
    pub fn take_proofs(&mut self) -> std::vec::Drain<'_, (Slot, NodeId)> {
        self.duplicates.published.drain(..)
    }

    /// One of so many parts of a proof came by gossip: whether the node has all parts of it now and
    /// did not know what it proves.
    pub fn completes_proof(&mut self, by: NodeId, slot: Slot, (part, all): (u8, u8)) -> bool {
        if self.duplicates.proven.contains(&slot) {
            return false;
        }
        let parts = &mut self.duplicates.parts;
        let known = parts.iter().position(|it| (it.0, it.1) == (by, slot));
        let place = known.unwrap_or_else(|| {
            if parts.len() == MOST {
                parts.remove(0);
            }
            parts.push((by, slot, 0));
            parts.len() - 1
        });
        parts[place].2 |= 1 << part;
        let whole = parts[place].2 == (1 << all) - 1;
        if whole {
            parts.retain(|it| it.1 != slot);
        }
        whole
    }

    /// The proof that a leader made two blocks for a slot has reached the node: what it has of the
    /// slot is no candidate until votes say more. Returns the block to build on, if that may be
    /// another one now.
    pub fn on_proof(
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
        let versions = desk.chain.of_slot(slot).filter(|it| !self.prefers(slot, it.id));
        let versions: Vec<BlockId> = versions.map(|it| it.id).collect();
        for version in &versions {
            desk.chain.bar(*version);
            for tip in desk.chain.tips() {
                if desk.chain.leads_to(*version, tip.id) {
                    self.choose_by_blocks(desk, ctx, &tip);
                }
            }
        }
        (!versions.is_empty()).then(|| self.decide(desk, ctx))
    }

    /// Voters that have left the fork of the last vote, above the point where it parts from a
    /// target, though the node lacks what they voted for: they voted for another version of a block
    /// of that fork, and their latest tower still holds that vote. It says so itself, as a vote
    /// carries its whole tower. (Agave counts a voter only if it has the block; with two versions
    /// of a slot neither half of the voters has the other's, and none of them could ever leave.)
    pub(super) fn elsewhere_by_version(
        &self,
        desk: &Desk<'_>,
        last: &Link,
        fork: &Link,
    ) -> Vec<NodeId> {
        let mut elsewhere = Vec::new();
        let path = desk.chain.path(last.id).take_while(|link| link.height > fork.height);
        let disputed = path.filter(|link| self.duplicates.proven.contains(&link.slot()));
        for own in disputed {
            let others = self.tallies.voters_of_others(own.slot(), own.id);
            let stays = |voter: &NodeId| {
                let Some(latest) = self.known.heard(*voter) else { return false };
                let ballots = &desk.cluster.ballots;
                let after = |entry: &Lockout| entry.slot >= own.slot();
                let reaches = |it: &Lockout| it.last_locked() >= last.slot().number().into();
                let binds = ballots.get(latest).slot > last.slot();
                let entries: Vec<Lockout> = ballots.entries(latest).take_while(after).collect();
                entries.last().is_some_and(|entry| entry.slot == own.slot())
                    && (binds || entries.iter().any(reaches))
            };
            elsewhere.extend(others.filter(stays));
        }
        elsewhere
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
        self.duplicates.dumped = true;
        others.into_iter().for_each(|other| self.released.extend(desk.chain.dump(other)));
        self.weigh_anew(desk);
    }

    /// Blocks have joined the chain, perhaps some that were taken out of it before: votes that have
    /// counted for them in the meantime weigh now. So do those of the classroom that came before
    /// their blocks; for all that join together, before any of them moves a vote.
    pub(super) fn weigh_back(&self, desk: &mut Desk<'_>, joined: &[Link]) {
        if !self.duplicates.dumped && self.config.style != Style::Classroom {
            return;
        }
        for id in self.counted.iter() {
            let vote = desk.cluster.ballots.get(id);
            if joined.iter().any(|link| link.id == vote.block) {
                let stake = desk.cluster.electorate.at(vote.slot).of(vote.voter);
                desk.chain.support(vote.block, stake);
            }
        }
    }

    /// Counts all votes in the chain once more, after blocks were taken out of it.
    fn weigh_anew(&mut self, desk: &mut Desk<'_>) {
        // What is on its way has been counted already.
        self.moves.clear();
        desk.chain.forget_votes();
        for id in self.counted.iter() {
            let vote = desk.cluster.ballots.get(id);
            let stake = desk.cluster.electorate.at(vote.slot).of(vote.voter);
            desk.chain.support(vote.block, stake);
        }
    }
}
