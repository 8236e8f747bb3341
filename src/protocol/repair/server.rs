//! Protocol layer: the side of repair that answers: what a node has, within its budget. What it
//! does not have is not answered at all.

use super::message::{Body, Message, answer_bytes};
use super::{Ctx, Settings, View};
use crate::base::id::NodeId;
use crate::base::slot::Slot;
use crate::base::time::{Span, Time};
use crate::fact::{Fact, RepairRefusal};
use crate::protocol::block::Block;
use crate::sim::body::BodyId;
use crate::sim::protocol::Shelf;

/// What may be taken of the budget at once: as much as comes in during this time.
const BURST: Span = Span::from_secs(1);

/// Most versions of a slot that one request gets a shred of.
const MOST_VERSIONS: usize = 2;

/// One node's answering of requests.
#[derive(Clone, Debug, Default)]
pub(super) struct Server {
    /// When all that was taken of the budget will have come in again.
    paid: Time,
    /// The present `poll` and how many requests came in it.
    round: (u64, u32),
}

/// Data shreds to answer with.
type Answers = Vec<(BodyId, u16)>;

impl Server {
    /// A request came. `leads` says whether the node is in a slot of its own.
    pub(super) fn on_request(
        &mut self,
        settings: &Settings,
        view: &View<'_>,
        ctx: &mut impl Ctx,
        request: Message,
        leads: bool,
    ) -> Result<Answers, RepairRefusal> {
        let now = ctx.now();
        let answers = match request {
            Message::Chunks(body) => chunks(view, ctx, body),
            _ if self.is_overloaded(settings, now) => return Err(RepairRefusal::Overload),
            Message::Window { slot, .. } | Message::Highest { slot, .. } => {
                single(view, ctx, slot, request)
            }
            Message::Orphan { slot } => {
                ancestors(view, ctx, slot, settings.config.ancestors as usize)
            }
            Message::Answer { .. } => Vec::new(),
        };
        if answers.is_empty() {
            return Err(RepairRefusal::Unknown);
        }
        let cost = if leads { settings.config.leading_cost } else { 1 };
        if self.afford(settings, now, bytes(ctx, &answers).saturating_mul(cost)) {
            Ok(answers)
        } else {
            Err(RepairRefusal::Budget)
        }
    }

    /// Counts a request of the present poll; true if there were too many.
    fn is_overloaded(&mut self, settings: &Settings, now: Time) -> bool {
        let round = now.as_nanos() / settings.config.poll.as_nanos().max(1);
        if self.round.0 != round {
            self.round = (round, 0);
        }
        self.round.1 = self.round.1.saturating_add(1);
        self.round.1 > settings.config.served
    }

    /// Takes so many bytes of the budget, all or none: a bucket that holds a second's worth.
    fn afford(&mut self, settings: &Settings, now: Time, bytes: u32) -> bool {
        let Some(rate) = settings.config.budget() else { return true };
        // A clock that was set back must not close the bucket for longer than it takes to fill.
        let paid = self.paid.max(now).min(now.saturating_add(BURST));
        let after = paid.saturating_add(rate.serialisation(bytes));
        if after > now.saturating_add(BURST) {
            return false;
        }
        self.paid = after;
        true
    }
}

/// Payload bytes of some answers.
fn bytes(ctx: &impl Shelf<Block>, answers: &[(BodyId, u16)]) -> u32 {
    let size = |(block, index): &(BodyId, u16)| answer_bytes(ctx.body(*block), *index);
    answers.iter().map(size).fold(0, u32::saturating_add)
}

/// Sends answers and says so.
pub(super) fn send(ctx: &mut impl Ctx, to: NodeId, answers: &[(BodyId, u16)]) {
    let (node, shreds) = (ctx.me(), answers.len() as u32);
    let bytes = bytes(ctx, answers);
    ctx.observe(Fact::RepairServed { node, shreds, bytes });
    for (block, index) in answers {
        ctx.send(to, Message::Answer { block: *block, index: *index });
    }
}

/// The shred that a request for one gets. It names a slot, so where a leader has made several
/// blocks for that, and the node has them, it gets one of each: the node cannot know which one is
/// wanted.
/// (Agave keeps one version of a slot only.)
fn single(view: &View<'_>, ctx: &impl Shelf<Block>, slot: Slot, request: Message) -> Answers {
    let versions = view.store.versions(slot);
    let answer = |body: BodyId| {
        let block = ctx.body(body);
        match request {
            Message::Window { index, .. } => {
                view.store.has_data(body, block, index.into()).then_some((body, index))
            }
            Message::Highest { index, .. } => {
                let last = view.store.data_end(body, block).checked_sub(1)?;
                let of_use = last >= u32::from(index) || last + 1 == block.shape.data();
                of_use.then_some((body, last as u16))
            }
            _ => None,
        }
    };
    versions.filter_map(answer).take(MOST_VERSIONS).collect()
}

/// The highest data shreds of a slot and of its ancestors, newest first.
fn ancestors(view: &View<'_>, ctx: &impl Shelf<Block>, slot: Slot, most: usize) -> Answers {
    let highest = |body: BodyId| {
        let last = view.store.data_end(body, ctx.body(body)).checked_sub(1)?;
        Some((body, last as u16))
    };
    let first = view.store.versions(slot).find_map(highest);
    let parent =
        |(body, _): &(BodyId, u16)| view.store.by_id(ctx.body(*body).parent_id()).and_then(highest);
    std::iter::successors(first, parent).take(most).collect()
}

/// Of the chunks that a request of the classroom's style lists, those that the node has.
fn chunks(view: &View<'_>, ctx: &impl Ctx, wanted: BodyId) -> Answers {
    let Body { block, listed, from } = Shelf::<Body>::body(ctx, wanted);
    let Some(body) = view.store.by_id(*block) else { return Vec::new() };
    let block: &Block = ctx.body(body);
    let rest = from.map_or(0..0, |from| u32::from(from)..block.shape.data());
    let indices = listed.iter().map(|index| u32::from(*index)).chain(rest);
    let has = |index: &u32| view.store.has_data(body, block, *index);
    indices.filter(has).map(|index| (body, index as u16)).collect()
}
