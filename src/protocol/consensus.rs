//! Protocol layer: votes: which fork a node builds on, what it votes for, what it roots, and which
//! blocks count as confirmed in its eyes. It reads and weighs the node's chain; everything else
//! about blocks is the business of other parts.
//!
//! Rules: Tower BFT as in Agave 4.4 (`core/src/consensus.rs`, `core/src/consensus/fork_choice.rs`,
//! `core/src/replay_stage.rs`), and the classroom's: one vote per block, the fork with the most
//! stake by the latest vote of each node leads, and more than two thirds of the stake make a block
//! final.

mod config;
mod decision;
mod duplicate;
mod forks;
mod known;
mod landing;
mod message;
mod propagation;
mod switching;
mod tallies;
#[cfg(test)]
mod tests;

pub use self::config::{Config, Spread, Style};
pub use self::message::{Message, Timer};

use self::duplicate::Duplicates;
use self::forks::Face;
use self::known::Known;
use self::propagation::{Complete, Own};
use self::switching::Partings;
use self::tallies::{Counted, Tallies};
use super::adversary::Adversary;
use super::block::{Block, BlockId};
use super::chain::{Chain, Link};
use super::cluster::Cluster;
use super::contacts::Contacts;
use super::leading::Registry;
use super::tower::Tower;
use super::vote::{Vote, VoteId};
use crate::base::id::NodeId;
use crate::base::slot::Slot;
use crate::base::time::{Span, Time};
use crate::fact::{Abstention, Fact, Level};
use crate::sim::body::BodyId;
use crate::sim::protocol::{Context, Memory, Shelf};

/// Everything this part asks of its node.
pub trait Ctx: Context<Message, Timer> + Shelf<Block> {}
impl<C: Context<Message, Timer> + Shelf<Block>> Ctx for C {}

/// How often votes that came by gossip are looked at (Agave: `cluster_info_vote_listener.rs`).
const POLL: Span = Span::from_millis(100);

/// What a node looks at when it decides.
pub struct Desk<'a> {
    /// What all nodes know.
    pub cluster: &'a mut Cluster,
    /// The node's blocks.
    pub chain: &'a mut Chain,
    /// What it knows of others.
    pub contacts: Contacts<'a>,
    /// How it finds out who leads.
    pub registry: Registry,
    /// The slot it is in.
    pub slot: Slot,
    /// What it does against the rules; `None` if it is honest.
    pub liar: Option<&'a mut Adversary>,
}

impl Desk<'_> {
    /// The block of a link; genesis has no body.
    fn block<'a>(&'a self, ctx: &'a impl Ctx, link: &Link) -> &'a Block {
        link.body.map_or(&self.cluster.genesis, |body| ctx.body(body))
    }
}

/// One node's votes, and what it knows of those of others.
pub struct Consensus {
    config: Config,
    tower: Tower,
    /// What it voted for last.
    voted: Option<(Slot, BlockId)>,
    /// The latest vote of every node in the blocks that this one has, by the classroom's rules of
    /// all that it has heard: what forks weigh.
    counted: Latest,
    /// The latest vote of every node by whatever way.
    known: Known,
    tallies: Tallies,
    duplicates: Duplicates,
    /// Blocks of its own, the newest last.
    own: Vec<Own>,
    /// The latest slots with a block in its chain.
    complete: Complete,
    /// A block of its own that is to be sent to everybody once more.
    resent: Option<BlockId>,
    /// It would leave its fork if more stake were locked out of it.
    stuck: bool,
    partings: Partings,
    /// The node has lost its memory: it neither votes nor leads before it has rooted a block after
    /// this slot.
    waiting: Option<Slot>,
    /// An alarm is set to look at votes that came by gossip.
    polling: bool,
    /// What it said last about not voting.
    told: Option<(BlockId, Abstention)>,
    /// When it sent its last vote, and how many blocks its fork had.
    sent: (Time, u32),
    finalized: Slot,
    /// Votes that go into gossip.
    published: Vec<Vote>,
    /// Bodies that the chain no longer needs.
    released: Vec<BodyId>,
    moves: Moves,
    /// The forks that it votes on at the same time, if it lies.
    faces: Vec<Face>,
}

impl Consensus {
    /// A node that has neither voted nor heard of a vote; `None` if nobody votes.
    #[must_use]
    pub fn new(config: Config, nodes: usize) -> Option<Self> {
        (config.style != Style::Off).then(|| Self {
            config,
            tower: Tower::default(),
            voted: None,
            counted: Latest::new(nodes),
            known: Known::new(nodes),
            tallies: Tallies::new(nodes),
            duplicates: Duplicates::default(),
            own: Vec::new(),
            complete: Complete::default(),
            resent: None,
            stuck: false,
            partings: Partings::default(),
            waiting: None,
            polling: false,
            told: None,
            sent: (Time::ZERO, 0),
            finalized: Slot::ZERO,
            published: Vec::new(),
            released: Vec::new(),
            moves: Moves::default(),
            faces: Vec::new(),
        })
    }

    /// The node's tower.
    #[must_use]
    pub const fn tower(&self) -> &Tower {
        &self.tower
    }

    /// What it voted for last.
    #[must_use]
    pub const fn voted(&self) -> Option<(Slot, BlockId)> {
        self.voted
    }

    /// Whether the node has something for gossip: votes, slots, proofs.
    #[inline]
    #[must_use]
    pub fn has_news(&self) -> bool {
        !self.published.is_empty() || self.complete.is_fresh() || self.has_proofs()
    }

    /// Votes of this node for gossip, since the last call.
    pub fn take_published(&mut self) -> std::vec::Drain<'_, Vote> {
        self.published.drain(..)
    }

    /// Bodies that the chain no longer needs, since the last call.
    pub fn take_released(&mut self) -> std::vec::Drain<'_, BodyId> {
        self.released.drain(..)
    }

    /// The node crashed. Without its memory it does not know what it has promised. It follows the
    /// others then, with a tower that nobody hears of, until that roots a block after `newest`, the
    /// highest slot that it can have voted for: what it voted for before is rooted then, or lost.
    /// (Agave keeps leaders waiting for a new root after a start, and validators without a tower
    /// can be told to wait with votes.)
    ///
    /// With a third of the stake without memory nothing is rooted, and nobody comes back.
    pub fn on_crash(&mut self, memory: Memory, newest: Slot) {
        self.polling = false;
        self.published.clear();
        self.duplicates.on_crash();
        if memory == Memory::Lost {
            let nodes = self.known.nodes();
            if let Some(fresh) = Self::new(self.config, nodes) {
                *self = Self { waiting: Some(newest), ..fresh };
            }
        }
    }

    /// Whether the node neither votes nor leads because it does not know what it has promised.
    #[must_use]
    pub const fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Blocks have joined the chain, parents first: their votes count. Returns the block to build
    /// on.
    pub fn on_joined(
        &mut self,
        desk: &mut Desk<'_>,
        ctx: &mut impl Ctx,
        joined: &[Link],
    ) -> BlockId {
        self.weigh_back(desk, joined);
        for link in joined {
            self.replay(desk, ctx, link);
        }
        self.decide(desk, ctx)
    }

    /// A block of the chain is replayed: what its votes say counts.
    fn replay(&mut self, desk: &mut Desk<'_>, ctx: &mut impl Ctx, link: &Link) {
        if self.config.style == Style::Classroom
            && self.tallies.has(link.slot(), link.id, Level::Optimistic)
        {
            self.root_at(desk, ctx, link.id);
        }
        self.judge_version(desk, link);
        let (slot, id) = (link.slot(), link.id);
        self.complete.add(slot);
        self.known.settle(&desk.cluster.ballots);
        self.known.see(self.tallies.voters(slot, id), slot, id);
        let count = desk.block(ctx, link).ledger.votes().len();
        for place in 0..count {
            let vote = desk.block(ctx, link).ledger.votes()[place];
            self.hear(desk, ctx, vote);
            if self.config.style == Style::Tower {
                self.count(desk, vote);
            }
        }
        desk.chain.shift(&self.moves.gone, &self.moves.come);
        self.moves.clear();
        self.choose_by_blocks(desk, ctx, link);
        self.learn_finalized(desk, ctx, link);
    }

    /// A vote moves its voter's stake, if it is newer than what counted before; of two for the same
    /// slot the one for the smaller name counts.
    fn count(&mut self, desk: &Desk<'_>, vote: Vote) {
        let ballots = &desk.cluster.ballots;
        let stake = |slot| desk.cluster.electorate.at(slot).of(vote.voter);
        let before = self.counted.of(vote.voter).map(|id| ballots.get(id));
        if before.is_some_and(|it| (it.slot, it.block) == (vote.slot, vote.block)) {
            return;
        }
        let rank = |it: &Vote| (it.slot, std::cmp::Reverse(it.block));
        if before.as_ref().is_some_and(|it| rank(it) > rank(&vote)) {
            return;
        }
        if let Some(before) = before {
            Moves::add(&mut self.moves.gone, before.block, stake(before.slot));
        }
        Moves::add(&mut self.moves.come, vote.block, stake(vote.slot));
        self.counted.set(vote.voter, vote.id);
    }

    /// Which slot more than two thirds of the stake have rooted, by the votes up to a block.
    fn learn_finalized(&mut self, desk: &Desk<'_>, ctx: &mut impl Ctx, link: &Link) {
        let slot = desk.block(ctx, link).standings.finalized();
        if self.config.style != Style::Tower || slot <= self.finalized {
            return;
        }
        self.finalized = slot;
        let rooted = desk.chain.path(link.id).find(|it| it.slot() == slot);
        if let Some(block) = rooted.map(|it| it.id.0) {
            let (node, level) = (ctx.me(), Level::Finalized);
            ctx.observe(Fact::BlockConfirmed { node, slot, block, level });
        }
    }

    /// A vote came in a message.
    pub fn on_message(
        &mut self,
        desk: &mut Desk<'_>,
        ctx: &mut impl Ctx,
        message: Message,
    ) -> Option<BlockId> {
        let vote = desk.cluster.ballots.get(message.vote);
        self.on_votes(desk, ctx, &[vote])
    }

    /// Votes came by gossip or in a message. Returns the block to build on, if that may be another
    /// one now.
    pub fn on_votes(
        &mut self,
        desk: &mut Desk<'_>,
        ctx: &mut impl Ctx,
        votes: &[Vote],
    ) -> Option<BlockId> {
        let mut matters = false;
        for vote in votes {
            matters |= self.hear(desk, ctx, *vote);
        }
        if matters && self.config.style == Style::Classroom {
            return Some(self.decide(desk, ctx));
        }
        if matters && self.stuck && !self.polling {
            self.polling = true;
            ctx.after(POLL, Timer);
        }
        self.duplicates.take_changed().then(|| self.decide(desk, ctx))
    }

    /// Looks at votes that came since the node found that it could not leave its fork.
    pub fn on_timer(&mut self, desk: &mut Desk<'_>, ctx: &mut impl Ctx) -> Option<BlockId> {
        self.polling = false;
        self.stuck.then(|| self.decide(desk, ctx))
    }

    /// Takes note of a vote, however it came; true if it is news.
    fn hear(&mut self, desk: &mut Desk<'_>, ctx: &mut impl Ctx, vote: Vote) -> bool {
        let (ballots, root) = (&desk.cluster.ballots, desk.chain.root().slot());
        if vote.slot <= root {
            self.known.note(ballots, &vote, false);
            return false;
        }
        let stakes = desk.cluster.electorate.at(vote.slot);
        let stake = stakes.of(vote.voter);
        // One that counts already was noted then.
        let Some(Counted { place, sum }) = self.tallies.add(&vote, stake) else { return false };
        let stands = self.tallies.stands(place, desk.chain);
        self.known.note(ballots, &vote, stands);
        if vote.voter == ctx.me() {
            self.known.settle(ballots);
        }
        self.notice_contradiction(desk, ctx, &vote);
        if self.config.style == Style::Classroom {
            // Votes need no block to weigh.
            self.count(desk, vote);
            desk.chain.shift(&self.moves.gone, &self.moves.come);
            self.moves.clear();
        }
        let reached = [
            (Level::Duplicate, stakes.exceeds(sum, duplicate::CONFIRMED)),
            (Level::Optimistic, stakes.exceeds(sum, (2, 3))),
        ];
        for (level, _) in reached.into_iter().filter(|(_, reached)| *reached) {
            if self.tallies.tell(vote.slot, vote.block, level) {
                let (node, slot, block) = (ctx.me(), vote.slot, vote.block.0);
                ctx.observe(Fact::BlockConfirmed { node, slot, block, level });
                self.on_confirmed(desk, ctx, &vote, level);
            }
        }
        true
    }

    /// A block is confirmed in this node's eyes.
    fn on_confirmed(&mut self, desk: &mut Desk<'_>, ctx: &mut impl Ctx, vote: &Vote, level: Level) {
        match (self.config.style, level) {
            (Style::Tower, Level::Duplicate) => self.choose_version(desk, vote.slot, vote.block),
            (Style::Classroom, Level::Optimistic) => self.root_at(desk, ctx, vote.block),
            _ => {}
        }
    }

    /// A block that the node will never leave.
    fn root_at(&mut self, desk: &mut Desk<'_>, ctx: &mut impl Ctx, block: BlockId) {
        let root = *desk.chain.root();
        let block = self.below_all_faces(desk, block);
        let Some(link) = desk.chain.link(block).copied() else { return };
        if link.height <= root.height || !desk.chain.leads_to(root.id, block) {
            return;
        }
        self.released.extend(desk.chain.root_at(block));
        self.tallies.forget(link.slot());
        self.duplicates.forget(link.slot());
        self.waiting = self.waiting.filter(|newest| link.slot() <= *newest);
        ctx.observe(Fact::Rooted { node: ctx.me(), slot: link.slot(), block: block.0 });
    }
}

/// The latest vote of every node.
struct Latest(Box<[u32]>);

impl Latest {
    const NONE: u32 = u32::MAX;

    fn new(nodes: usize) -> Self {
        Self(vec![Self::NONE; nodes].into())
    }

    fn of(&self, voter: NodeId) -> Option<VoteId> {
        Some(self.0[voter.index()]).filter(|id| *id != Self::NONE).map(VoteId)
    }

    fn set(&mut self, voter: NodeId, vote: VoteId) {
        self.0[voter.index()] = vote.0;
    }

    fn iter(&self) -> impl Iterator<Item = VoteId> + '_ {
        self.0.iter().filter(|id| **id != Self::NONE).map(|id| VoteId(*id))
    }
}

/// Stake on its way from block to block: the votes of a block mostly leave the same block and go
/// to the same one, so they are moved together.
#[derive(Default)]
struct Moves {
    gone: Vec<(BlockId, u64)>,
    come: Vec<(BlockId, u64)>,
}

impl Moves {
    fn clear(&mut self) {
        self.gone.clear();
        self.come.clear();
    }

    fn add(list: &mut Vec<(BlockId, u64)>, block: BlockId, stake: u64) {
        match list.iter_mut().rev().find(|(listed, _)| *listed == block) {
            Some((_, sum)) => *sum += stake,
            None => list.push((block, stake)),
        }
    }
}
