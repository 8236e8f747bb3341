//! Protocol layer: what a node votes for and what it builds on, each time something has changed.
//!
//! Rules: Agave 4.4, `core/src/consensus/fork_choice.rs` (`select_vote_and_reset_forks`) and
//! `core/src/consensus.rs` (lockout, threshold).

use super::landing::WINDOW;
use super::{Consensus, Ctx, Desk, Message, Spread, Style};
use crate::base::id::NodeId;
use crate::base::slot::Slot;
use crate::base::time::Span;
use crate::fact::{Abstention, Fact};
use crate::protocol::block::BlockId;
use crate::protocol::chain::Link;
use crate::protocol::price::Work;
use crate::protocol::vote::Vote;

/// Leaders that a vote is sent to: those of this slot and the next two.
const LEADERS: u32 = 3;
/// A vote that has not landed is sent again when its fork is so many blocks longer ...
const REFRESH_BLOCKS: u32 = 16;
/// ... and so much time has passed since it was sent last.
const REFRESH: Span = Span::from_secs(5);

/// What a node makes of its fork choice.
enum Choice {
    /// Vote for the block, if nothing else speaks against it, and build on it.
    Candidate(Link, Fork),
    /// Build on this block without a vote.
    Stay(BlockId, Abstention),
}

/// Whether a vote stays on the fork of the last one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fork {
    Same,
    Other,
}

/// Whether the node has stake to vote with, and no reason of its own to keep the vote back.
pub(super) fn may_vote(desk: &mut Desk<'_>, ctx: &mut impl Ctx, candidate: &Link) -> bool {
    let slot = candidate.slot();
    desk.cluster.electorate.at(slot).of(ctx.me()) > 0
        && !desk.liar.as_deref_mut().is_some_and(|liar| liar.withholds_vote(ctx, slot))
}

impl Consensus {
    /// Chooses the block to build on, and votes for it if that is allowed.
    pub(super) fn decide(&mut self, desk: &mut Desk<'_>, ctx: &mut impl Ctx) -> BlockId {
        self.known.settle(&desk.cluster.ballots);
        let heaviest = desk.chain.heaviest_of_all();
        let Some(link) = desk.chain.link(heaviest).copied() else { return heaviest };
        if desk.liar.as_ref().is_some_and(|liar| liar.votes_twice(ctx.now())) {
            return self.vote_on_every_fork(desk, ctx, &link);
        }
        self.faces.clear();
        if self.config.style == Style::Classroom {
            self.vote_by_classroom_rules(desk, ctx, &link);
            return desk.chain.heaviest_of_all();
        }
        self.stuck = false;
        match self.choose(desk, ctx, link) {
            Choice::Stay(head, reason) => {
                self.stuck = reason == Abstention::Switch;
                self.abstain(ctx, &link, reason);
                self.speak_up(desk, ctx);
                self.refresh(desk, ctx);
                head
            }
            Choice::Candidate(candidate, fork) => {
                self.vote_by_tower(desk, ctx, &candidate, fork);
                candidate.id
            }
        }
    }

    fn vote_by_classroom_rules(
        &mut self,
        desk: &mut Desk<'_>,
        ctx: &mut impl Ctx,
        candidate: &Link,
    ) {
        let newer = self.voted.is_none_or(|(slot, _)| candidate.slot() > slot);
        if newer && candidate.height > 0 {
            let leaves = |(_, last)| !desk.chain.leads_to(last, candidate.id);
            let fork = if self.voted.is_some_and(leaves) { Fork::Other } else { Fork::Same };
            self.cast(desk, ctx, candidate, fork);
        }
    }

    /// Which block is the candidate for a vote: the heaviest, unless the node may not leave the
    /// fork of its last vote.
    fn choose(&mut self, desk: &Desk<'_>, ctx: &impl Ctx, heaviest: Link) -> Choice {
        let Some((_, last)) = self.voted else { return Choice::Candidate(heaviest, Fork::Same) };
        // Without its last vote in the tree, another version of that slot was confirmed: nothing
        // holds the node on that fork.
        let Some(last) = desk.chain.link(last).copied() else {
            return Choice::Candidate(heaviest, Fork::Other);
        };
        if desk.chain.leads_to(last.id, heaviest.id) {
            return Choice::Candidate(heaviest, Fork::Same);
        }
        if desk.chain.leads_to(heaviest.id, last.id) {
            return Choice::Stay(heaviest.id, Abstention::Rollback);
        }
        if self.may_switch(desk, ctx, &last, &heaviest) {
            return Choice::Candidate(heaviest, Fork::Other);
        }
        // A fork that is no candidate is built on all the same: it may be the one that others have
        // chosen, and only a block upon it can hold the votes that say so.
        let own = if desk.chain.is_candidate(last.id) {
            desk.chain.heaviest(last.id)
        } else {
            desk.chain.deepest(last.id)
        };
        let Some(tip) = desk.chain.link(own).copied() else {
            return Choice::Stay(own, Abstention::Switch);
        };
        // A vote that can no longer land on its own fork must be followed by one that can.
        let landed = desk.block(ctx, &tip).standings.of(ctx.me());
        let lands = landed.is_some_and(|id| desk.cluster.ballots.get(id).slot >= last.slot());
        if !lands && tip.height - last.height > WINDOW as u32 {
            return Choice::Candidate(tip, Fork::Same);
        }
        Choice::Stay(own, Abstention::Switch)
    }

    fn vote_by_tower(
        &mut self,
        desk: &mut Desk<'_>,
        ctx: &mut impl Ctx,
        candidate: &Link,
        fork: Fork,
    ) {
        if candidate.height == 0 {
            return;
        }
        if self.voted.is_some_and(|(_, block)| block == candidate.id) {
            return;
        }
        match self.objection(desk, ctx, candidate) {
            Some(reason) => {
                self.abstain(ctx, candidate, reason);
                self.refresh(desk, ctx);
            }
            None => self.cast(desk, ctx, candidate, fork),
        }
    }

    /// What speaks against a vote for a block, if anything.
    fn objection(
        &mut self,
        desk: &Desk<'_>,
        ctx: &impl Ctx,
        candidate: &Link,
    ) -> Option<Abstention> {
        if self.is_locked_out(desk, candidate) {
            return Some(Abstention::LockedOut);
        }
        let block = desk.block(ctx, candidate);
        if !self.passes_threshold(desk, candidate, |slot| block.standings.support(slot)) {
            return Some(Abstention::Threshold);
        }
        let propagated = block.leader == ctx.me()
            || self.is_propagated(desk.cluster, desk.chain, candidate.id, ctx.now());
        (!propagated).then_some(Abstention::Unpropagated)
    }

    /// Whether a vote that has not expired is for a block that the candidate does not stand on.
    fn is_locked_out(&self, desk: &Desk<'_>, candidate: &Link) -> bool {
        let slot = candidate.slot();
        if self.voted.is_some_and(|(last, _)| slot <= last) {
            return true;
        }
        let mut tower = self.tower;
        tower.expire(slot);
        // What lies below an entry was an ancestor of it when that was voted for.
        let Some(newest) = tower.last() else { return false };
        let root = desk.chain.root().slot();
        let mut path = desk.chain.path(candidate.id).map(Link::slot);
        newest.slot > root && path.find(|at| *at <= newest.slot) != Some(newest.slot)
    }

    /// Whether more than two thirds of the stake stand behind the vote that would lie so deep in
    /// the tower, unless it lay as deep before.
    pub(super) fn passes_threshold(
        &self,
        desk: &Desk<'_>,
        candidate: &Link,
        support: impl Fn(Slot) -> u64,
    ) -> bool {
        let depth = self.config.threshold_depth as usize;
        let after = self.tower.after(candidate.slot());
        let Some(entry) = after.below_top(depth).filter(|_| depth > 0) else { return true };
        let stakes = desk.cluster.electorate.at(candidate.slot());
        self.tower.entries().contains(&entry) || stakes.exceeds(support(entry.slot), (2, 3))
    }

    /// Votes. A node without stake keeps a tower too, by which it follows the others and roots, but
    /// nobody hears of it.
    fn cast(&mut self, desk: &mut Desk<'_>, ctx: &mut impl Ctx, candidate: &Link, fork: Fork) {
        let (slot, block) = (candidate.slot(), candidate.id);
        let rooted = self.tower.vote(slot).filter(|_| self.config.style == Style::Tower);
        self.voted = Some((slot, block));
        self.told = None;
        let on_path = |rooted: Slot| desk.chain.path(block).find(move |it| it.slot() == rooted);
        let rooted = rooted.and_then(on_path).map(|link| link.id);
        let root = rooted.and_then(|id| desk.chain.link(id)).unwrap_or(desk.chain.root()).slot();
        let vote = self.ballot(desk, ctx, candidate, (root, fork));
        if let Some(rooted) = rooted {
            self.root_at(desk, ctx, rooted);
        }
        if let Some(vote) = vote {
            self.hear(desk, ctx, vote);
            self.send(desk, ctx, &vote, candidate.height);
        }
    }

    /// Puts the last vote of the tower into words, unless the node keeps it to itself.
    fn ballot(
        &self,
        desk: &mut Desk<'_>,
        ctx: &mut impl Ctx,
        candidate: &Link,
        (root, fork): (Slot, Fork),
    ) -> Option<Vote> {
        if self.is_waiting() || !may_vote(desk, ctx, candidate) {
            return None;
        }
        let (node, slot, block) = (ctx.me(), candidate.slot(), candidate.id);
        let vote = desk.cluster.ballots.cast(node, (slot, block), root, &self.tower)?;
        let switched = fork == Fork::Other;
        ctx.observe(Fact::VoteCast { node, slot, block: block.0, switched });
        desk.cluster.prices.charge(ctx, Work::Sign(1));
        Some(vote)
    }

    /// Says what its last vote was if nobody has heard of it, as with a node that kept its votes
    /// back: what binds it has to count for its fork.
    fn speak_up(&mut self, desk: &mut Desk<'_>, ctx: &mut impl Ctx) {
        let Some((slot, block)) = self.voted else { return };
        let heard = self.known.heard(ctx.me()).map(|id| desk.cluster.ballots.get(id).slot);
        let Some(link) = desk.chain.link(block).copied() else { return };
        if heard.is_some_and(|heard| heard >= slot) {
            return;
        }
        let root = desk.chain.root().slot();
        if let Some(vote) = self.ballot(desk, ctx, &link, (root, Fork::Same)) {
            self.hear(desk, ctx, vote);
            self.send(desk, ctx, &vote, link.height);
        }
    }

    /// Sends a vote, while its fork has so many blocks, to those who put it into blocks, and to
    /// those who count it.
    fn send(&mut self, desk: &mut Desk<'_>, ctx: &mut impl Ctx, vote: &Vote, height: u32) {
        self.sent = (ctx.now(), height);
        let (me, message) = (ctx.me(), Message::of(vote));
        match self.config.spread {
            Spread::Peers => desk.contacts.peers.iter().for_each(|peer| ctx.send(peer, message)),
            Spread::Leaders => {
                let leaders = self.coming_leaders(desk, me);
                leaders.into_iter().for_each(|leader| ctx.send(leader, message));
            }
        }
        self.published.push(*vote);
    }

    /// Sends the last vote again if it has not landed on its fork, and that has grown since.
    fn refresh(&mut self, desk: &mut Desk<'_>, ctx: &mut impl Ctx) {
        if ctx.now().since(self.sent.0) < REFRESH {
            return;
        }
        let Some(vote) = self.known.heard(ctx.me()).map(|id| desk.cluster.ballots.get(id)) else {
            return;
        };
        let Some(tip) = desk.chain.link(desk.chain.heaviest(vote.block)).copied() else { return };
        let landed = desk.block(ctx, &tip).standings.of(ctx.me());
        let landed = landed.is_some_and(|id| desk.cluster.ballots.get(id).slot >= vote.slot);
        if !landed && tip.height > self.sent.1.saturating_add(REFRESH_BLOCKS) {
            self.send(desk, ctx, &vote, tip.height);
        }
    }

    /// The leaders of this slot and the next two, each once, the node itself left out.
    pub(super) fn coming_leaders(&self, desk: &mut Desk<'_>, me: NodeId) -> Vec<NodeId> {
        let mut leaders: Vec<NodeId> = Vec::new();
        let (contacts, slots) = (desk.contacts, (desk.slot, LEADERS));
        contacts.leaders(desk.registry, desk.cluster, slots, |_, leader| {
            if leader != me && !leaders.contains(&leader) {
                leaders.push(leader);
            }
        });
        leaders
    }

    /// Says once why the node does not vote for a block.
    fn abstain(&mut self, ctx: &mut impl Ctx, candidate: &Link, reason: Abstention) {
        if self.told != Some((candidate.id, reason)) {
            self.told = Some((candidate.id, reason));
            let (node, slot, block) = (ctx.me(), candidate.slot(), candidate.id.0);
            ctx.observe(Fact::VoteWithheld { node, slot, block, reason });
        }
    }
}
