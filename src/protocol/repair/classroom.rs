//! Protocol layer: repair as in the classroom: when a block has been incomplete for too long, ask
//! one random peer for all that is missing of it.

use super::message::{Body, Message};
use super::{Ctx, Settings, View};
use crate::base::rng::Rng;
use crate::base::slot::Slot;
use crate::base::time::Time;
use crate::fact::{Fact, RepairKind};
use crate::protocol::block::{Block, BlockId};
use crate::protocol::blockstore::{Part, Received};
use crate::sim::body::BodyId;
use crate::sim::protocol::Shelf;

/// What a node of the classroom's style remembers of its requests.
#[derive(Clone, Debug, Default)]
pub(super) struct Classroom {
    targets: Vec<Target>,
}

/// A block that is incomplete, or known only by one that stands on it.
#[derive(Clone, Copy, Debug)]
struct Target {
    id: BlockId,
    /// When it was first missed.
    noticed: Time,
    /// Requests in a row that have brought nothing new.
    attempts: u32,
    /// When the last request was made.
    asked: Option<Time>,
}

/// What is missing.
struct Wish<'a> {
    id: BlockId,
    /// What there is of it.
    part: Option<(BodyId, &'a Part)>,
    /// The block that stands on it was asked for, so the node is behind, and waits no longer.
    behind: bool,
}

impl Classroom {
    /// A shred came that the node did not have; `opened` says that it is the first of its block.
    /// When to look next.
    pub(super) fn on_shred(
        &mut self,
        settings: &Settings,
        view: &View<'_>,
        now: Time,
        received: Received,
        opened: bool,
    ) -> Option<Time> {
        let config = &settings.config;
        if opened {
            // The node hears others: it is worth another try.
            let parked = self.targets.iter_mut().filter(|t| t.attempts >= config.attempts);
            let waited = |t: &&mut Target| {
                t.asked.is_none_or(|asked| now.since(asked) >= config.pause(t.attempts))
            };
            let mut revived = false;
            for target in parked.filter(waited) {
                target.attempts = 0;
                revived = true;
            }
            if revived {
                return Some(now);
            }
        }
        if received.is(Received::WHOLE) {
            return (!view.chain.waiting().is_empty()).then_some(now);
        }
        Some(now.saturating_add(config.timeout))
    }

    /// Asks for all that is due; when to look next.
    pub(super) fn look(
        &mut self,
        settings: &Settings,
        view: &View<'_>,
        ctx: &mut impl Ctx,
        rng: &mut Rng,
    ) -> Time {
        let now = ctx.now();
        let mut next = Time::MAX;
        let mut targets = Vec::new();
        for wish in self.wishes(view, ctx) {
            let known = self.targets.iter().find(|target| target.id == wish.id).copied();
            let mut target =
                known.unwrap_or(Target { id: wish.id, noticed: now, attempts: 0, asked: None });
            let progress = |(_, part): (BodyId, &Part)| Some(part.last()) > target.asked;
            if wish.part.is_some_and(progress) {
                target.attempts = 0;
            }
            let mut due = due(settings, &target, &wish);
            if due <= now {
                if let Some(message) = message(settings, ctx, &wish) {
                    ask(view, ctx, rng, message);
                }
                target.attempts += 1;
                target.asked = Some(now);
                due = self::due(settings, &target, &wish);
            }
            next = next.min(due);
            targets.push(target);
        }
        self.targets = targets;
        next
    }

    /// The incomplete blocks, oldest first, and then the missing parents.
    fn wishes<'a>(&self, view: &View<'a>, ctx: &impl Shelf<Block>) -> Vec<Wish<'a>> {
        let incomplete = view.store.parts().map(|(body, part)| {
            let id = ctx.body(body).id();
            Wish { id, part: Some((body, part)), behind: false }
        });
        let asked = |id: BlockId| self.targets.iter().any(|t| t.id == id && t.asked.is_some());
        let missing = view.chain.missing().filter(|id| view.store.by_id(*id).is_none());
        let missing = missing.map(|id| {
            let mut children = view.chain.waiting().iter().filter(|link| link.parent == id);
            Wish { id, part: None, behind: children.any(|link| asked(link.id)) || asked(id) }
        });
        incomplete.chain(missing).collect()
    }
}

/// When to ask for something, or ask again.
fn due(settings: &Settings, target: &Target, wish: &Wish<'_>) -> Time {
    let config = &settings.config;
    let first = match wish.part {
        Some((_, part)) => part.last().saturating_add(config.timeout),
        None if wish.behind => Time::ZERO,
        None => target.noticed.saturating_add(config.timeout),
    };
    match (target.attempts, target.asked) {
        (0, _) | (_, None) => first,
        (attempts, _) if attempts >= config.attempts => Time::MAX,
        (attempts, Some(asked)) => first.max(asked.saturating_add(config.pause(attempts))),
    }
}

/// A request for what is missing, and the fact that it is made.
fn message(settings: &Settings, ctx: &mut impl Ctx, wish: &Wish<'_>) -> Option<(Body, Fact)> {
    let node = ctx.me();
    let told =
        |slot: Option<Slot>, kind, shreds| Fact::RepairRequested { node, slot, kind, shreds };
    let Some((body, part)) = wish.part else {
        let body = Body { block: wish.id, listed: Box::default(), from: Some(0) };
        return Some((body, told(None, RepairKind::Block, 0)));
    };
    let block: &Block = ctx.body(body);
    let (shape, slot) = (block.shape, block.slot);
    // Beyond the last shred that came, a node knows what there is only if it knows the end.
    let end = if part.is_end_known() { shape.data() } else { part.data_end() };
    let sets = 0..shape.sets() as u16;
    let missing = sets.flat_map(|set| part.missing(&shape, set)).map(|at| shape.index(at));
    let listed = missing.take_while(|index| *index < end).take(settings.most_listed);
    let listed: Box<[u16]> = listed.map(|index| index as u16).collect();
    let from = (!part.is_end_known()).then_some(end as u16);
    let shreds = listed.len() as u32;
    let fact = told(Some(slot), RepairKind::Chunks, shreds);
    (shreds > 0 || from.is_some()).then_some((Body { block: wish.id, listed, from }, fact))
}

/// Sends a request to one random peer, if there is one.
fn ask(view: &View<'_>, ctx: &mut impl Ctx, rng: &mut Rng, (body, fact): (Body, Fact)) {
    if view.peers.is_empty() {
        return;
    }
    let peer = view.peers.get(rng.index(view.peers.len()));
    let body = ctx.store(body);
    ctx.observe(fact);
    ctx.send(peer, Message::Chunks(body));
}
