//! Protocol layer: voting on several forks at a time, which the rules forbid: what a liar does, and
//! how others find out.
//!
//! A liar has a tower for every fork, forged as if it had voted on that fork alone. It tells a node
//! the votes for the fork that the node itself votes on, so that both sides of a split count it.

use super::decision::may_vote;
use super::{Consensus, Ctx, Desk, Message, Spread, Style};
use crate::base::id::NodeId;
use crate::base::slot::Slot;
use crate::fact::{Fact, Offence};
use crate::protocol::block::BlockId;
use crate::protocol::chain::Link;
use crate::protocol::price::Work;
use crate::protocol::tower::Tower;
use crate::protocol::vote::Vote;

/// What a liar shows to those on one of the forks.
#[derive(Clone, Copy)]
pub(super) struct Face {
    tower: Tower,
    voted: (Slot, BlockId),
    root: Slot,
}

/// Most forks that a liar votes on at a time: the heaviest ones.
const MOST: usize = 8;

/// A liar keeps forks apart for at most so many blocks; then it follows the heaviest alone.
const LONGEST: u32 = 4_096;

/// A liar roots nothing nearer than so many blocks to what the rules would root.
const HELD_BACK: u32 = 256;

impl Consensus {
    /// Votes for the end of every fork and builds on the heaviest.
    pub(super) fn vote_on_every_fork(
        &mut self,
        desk: &mut Desk<'_>,
        ctx: &mut impl Ctx,
        heaviest: &Link,
    ) -> BlockId {
        self.drop_faces(desk, heaviest);
        let mut tips = desk.chain.tips();
        tips.retain(|tip| tip.height > 0 && desk.chain.is_candidate(tip.id));
        tips.sort_by_key(|tip| {
            (
                tip.id != heaviest.id,
                std::cmp::Reverse(desk.chain.weight(tip.id)),
                tip.slot(),
                tip.id,
            )
        });
        tips.truncate(MOST);
        let mut shown = Vec::new();
        for tip in tips {
            let place = self.face_for(desk, &tip, &shown);
            shown.push(place);
            if tip.slot() > self.faces[place].voted.0 && may_vote(desk, ctx, &tip) {
                self.cast_as(desk, ctx, place, &tip);
            }
        }
        // What it goes on with should it become honest.
        if let Some(face) = shown.first().map(|place| self.faces[*place]) {
            (self.tower, self.voted) = (face.tower, Some(face.voted));
        }
        desk.chain.heaviest_of_all()
    }

    /// Forgets forks that are gone, and all but the heaviest once they are too long.
    fn drop_faces(&mut self, desk: &Desk<'_>, heaviest: &Link) {
        let floor = heaviest.height.saturating_sub(LONGEST);
        let parted = |face: &Face| desk.chain.common(face.voted.1, heaviest.id);
        self.faces.retain(|face| parted(face).is_some_and(|fork| fork.height >= floor));
    }

    /// The face that the end of a fork is shown: the one whose last vote it stands on, or a new
    /// one.
    fn face_for(&mut self, desk: &Desk<'_>, tip: &Link, shown: &[usize]) -> usize {
        let free = (0..self.faces.len()).filter(|place| !shown.contains(place));
        let fits = free.filter(|place| desk.chain.leads_to(self.faces[*place].voted.1, tip.id));
        if let Some(place) = fits.max_by_key(|place| self.faces[*place].voted.0) {
            return place;
        }
        // As if it had voted for every block up to the last but one.
        let root = *desk.chain.root();
        let path = desk.chain.path(tip.id).skip(1);
        let mut path: Vec<Slot> =
            path.take_while(|link| link.height > root.height).map(Link::slot).collect();
        path.reverse();
        let (mut tower, mut rooted) = (Tower::default(), root.slot());
        for slot in &path {
            rooted = tower.vote(*slot).unwrap_or(rooted);
        }
        let parent = desk.chain.link(tip.parent).map_or(root, |link| *link);
        self.faces.push(Face { tower, voted: (parent.slot(), parent.id), root: rooted });
        self.faces.len() - 1
    }

    /// Votes for a block with one of its faces.
    fn cast_as(&mut self, desk: &mut Desk<'_>, ctx: &mut impl Ctx, place: usize, tip: &Link) {
        let (me, slot, block) = (ctx.me(), tip.slot(), tip.id);
        let face = &mut self.faces[place];
        let rooted = face.tower.vote(slot).filter(|_| self.config.style == Style::Tower);
        face.voted = (slot, block);
        face.root = rooted.unwrap_or(face.root);
        let face = *face;
        let cast = desk.cluster.ballots.cast(me, (slot, block), face.root, &face.tower);
        let Some(vote) = cast else { return };
        ctx.observe(Fact::VoteCast { node: me, slot, block: block.0, switched: false });
        if let (Some(_), Some(liar)) = (desk.cluster.ballots.contradicted(vote.id), &mut desk.liar)
        {
            liar.on_double_vote(ctx);
        }
        desk.cluster.prices.charge(ctx, Work::Sign(1));
        let on_path = |rooted| desk.chain.path(block).find(move |it| it.slot() == rooted);
        if let Some(rooted) = rooted.and_then(on_path).map(|link| link.id) {
            self.root_at(desk, ctx, rooted);
        }
        self.hear(desk, ctx, vote);
        self.send_as(desk, ctx, place, &vote);
    }

    /// Sends a vote to those who are on its fork, or on none that the liar knows.
    fn send_as(&mut self, desk: &mut Desk<'_>, ctx: &mut impl Ctx, place: usize, vote: &Vote) {
        self.sent.0 = ctx.now();
        let me = ctx.me();
        let mut to: Vec<NodeId> = match self.config.spread {
            Spread::Peers => desk.contacts.peers.iter().collect(),
            Spread::Leaders => self.coming_leaders(desk, me),
        };
        // The vote itself may be noted still, if it was too late to count.
        self.known.settle(&desk.cluster.ballots);
        to.retain(|node| self.is_shown(desk, *node, place));
        to.into_iter().for_each(|node| ctx.send(node, Message::of(vote)));
        if place == 0 {
            self.published.push(*vote);
        }
    }

    /// Whether no other face fits a node better: the fork of its last vote parts from that face's
    /// later.
    fn is_shown(&self, desk: &Desk<'_>, node: NodeId, place: usize) -> bool {
        let (_, seen) = self.known.seen()[node.index()];
        let near = |face: &Face| desk.chain.common(face.voted.1, seen).map(|link| link.height);
        let own = near(&self.faces[place]);
        self.faces.iter().all(|face| near(face) <= own)
    }

    /// What a liar roots when the rules would root this block: the newest block that all faces
    /// stand on and that lies far enough back for further forks to show up. Nothing else changes
    /// for those who are honest.
    pub(super) fn below_all_faces(&self, desk: &Desk<'_>, block: BlockId) -> BlockId {
        let (Some(link), false) = (desk.chain.link(block), self.faces.is_empty()) else {
            return block;
        };
        let root = desk.chain.root().id;
        let common = |below: BlockId, face: &Face| {
            desk.chain.common(below, face.voted.1).map_or(root, |link| link.id)
        };
        let below = self.faces.iter().fold(block, common);
        let far = |it: &&Link| it.height + HELD_BACK <= link.height;
        desk.chain.path(below).find(far).map_or(root, |link| link.id)
    }

    /// Says so if a voter has cast this vote and another one, which the node knows too, against the
    /// rules.
    pub(super) fn notice_contradiction(&self, desk: &Desk<'_>, ctx: &mut impl Ctx, vote: &Vote) {
        let ballots = &desk.cluster.ballots;
        let other = ballots.contradicted(vote.id).map(|id| ballots.get(id));
        if other.is_some_and(|other| vote.voter != ctx.me() && self.tallies.knows(&other)) {
            let (node, culprit, offence) = (ctx.me(), vote.voter, Offence::DoubleVote);
            ctx.observe(Fact::OffenceNoticed { node, culprit, offence });
        }
    }
}
