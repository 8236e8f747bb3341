//! Protocol layer: repair by Solana's rules (Agave 4.4, `core/src/repair/repair_service.rs`,
//! `repair_weight.rs`). The client looks every millisecond; here the next look that can make a
//! request is worked out, and the looks in between, which would make none, are left out.
//!
//! Agave looks at what fork choice knows, that is at blocks with votes on them or on others that
//! stand on them. As long as there are no votes, a block counts as voted on two slots after the
//! node first heard of it: it takes its leader a slot to send it, and others some time to vote.
//! Where votes would rank blocks, the lower slot goes first.
//!
//! Agave asks 21 peers for the hashes of a slot's ancestors (`ancestor_hashes_service.rs`) when its
//! only copy of a slot is dead, or is another version than the one that was confirmed. No such
//! requests are made here. A block that is dead is so for all nodes alike: what is wrong with it is
//! part of it. Which version is confirmed a node learns from votes, more than 52 % of the stake
//! (`consensus/duplicate.rs`); it then throws the other one away, takes in shreds of this one, and
//! finds it as the missing parent of what stands on it, by `Orphan` and `WindowIndex`. Both name a
//! slot; an answer with a version that the node does not take in is wasted, and another peer is
//! asked after `repeat`.

use std::collections::{BTreeMap, BTreeSet};

use super::message::Message;
use super::survey::{Loose, Survey};
use super::{Settings, View};
use crate::base::time::{Span, Time};
use crate::protocol::block::{Block, BlockId};
use crate::protocol::blockstore::Received;
use crate::sim::body::BodyId;
use crate::sim::protocol::Shelf;

/// What a node of Solana's style remembers of its requests.
#[derive(Clone, Debug)]
pub(super) struct Solana {
    /// Requests that are not to be made again yet, and when they were made.
    asked: BTreeMap<Message, Time>,
    /// When the node first heard of the blocks that are loose.
    noticed: BTreeMap<BlockId, Time>,
    /// Blocks that count as voted on and whose last shred is unknown.
    endless: Vec<BodyId>,
    /// When the first look of each poll comes.
    phase: Span,
    /// The last look.
    looked: Option<Time>,
}

/// Slots after which a block counts as voted on.
const VOTED: u64 = 2;

impl Solana {
    /// A node that looks at this moment of every poll.
    pub(super) const fn new(phase: Span) -> Self {
        Self {
            asked: BTreeMap::new(),
            noticed: BTreeMap::new(),
            endless: Vec::new(),
            phase,
            looked: None,
        }
    }

    /// Forgets all requests.
    pub(super) fn forget(&mut self) {
        *self = Self::new(self.phase);
    }

    /// The first look at `due` or later. A poll has one look.
    pub(super) fn look_at(&self, settings: &Settings, now: Time, due: Time) -> Time {
        let poll = settings.config.poll;
        // A clock that was set back makes the last look a future one.
        let after = self.looked.filter(|looked| *looked <= now);
        let due = after.map_or(due, |looked| due.max(looked.saturating_add(poll))).max(now);
        let beyond = due.since(Time::ZERO + self.phase).as_nanos() % poll.as_nanos().max(1);
        match beyond {
            _ if due < Time::ZERO + self.phase => Time::ZERO + self.phase,
            0 => due,
            _ => due.saturating_add(poll.saturating_sub(Span::from_nanos(beyond))),
        }
    }

    /// A shred came that the node did not have: when that may lead to a request.
    pub(super) fn on_shred(
        &self,
        settings: &Settings,
        view: &View<'_>,
        (now, parent): (Time, impl Fn() -> BlockId),
        (body, set): (BodyId, u16),
        received: Received,
    ) -> Option<Time> {
        if received.is(Received::WHOLE) || received.is(Received::FIRST_DATA) {
            // A block without a path to genesis: its parent is missing, or counts as voted on now.
            if view.chain.link(parent()).is_none() {
                return Some(now);
            }
            // What stands on a whole block may have a path to genesis now.
            if received.is(Received::WHOLE) {
                return (view.store.partial() > 0).then_some(now);
            }
        }
        let delay = settings.config.delay;
        // Once the delay of its set has passed, shreds before it, or the last one, are due at once.
        if received.is(Received::EXTENDS) || received.is(Received::OPEN) {
            let since = view.store.part(body).map(|part| part.since(set));
            if since.is_some_and(|since| now.since(since) >= delay) {
                return Some(now);
            }
        }
        if received.is(Received::EXTENDS) && self.endless.contains(&body) {
            return Some(now);
        }
        received.is(Received::OPENS_SET).then(|| now.saturating_add(delay))
    }

    /// One look: the requests to make now, in order, and when the next look can make any.
    pub(super) fn look(
        &mut self,
        settings: &Settings,
        view: &View<'_>,
        ctx: &impl Shelf<Block>,
        now: Time,
    ) -> (Vec<Message>, Time) {
        self.looked = Some(now);
        let repeat = settings.config.repeat;
        self.asked.retain(|_, asked| *asked <= now && now.since(*asked) < repeat);
        let survey = Survey::of(view, ctx);
        self.notice(&survey, now);
        let mut look = Look {
            settings,
            now,
            survey: &survey,
            voted: self.voted(settings, &survey, now),
            asked: &mut self.asked,
            requests: Vec::new(),
            next: Time::MAX,
        };
        look.orphans(view);
        let walked = look.best(view);
        self.endless = look.unknown_last(&walked);
        look.closest(&walked);
        (look.requests, look.next)
    }

    /// Remembers since when blocks have been loose.
    fn notice(&mut self, survey: &Survey<'_>, now: Time) {
        self.noticed.retain(|id, _| survey.place(*id).is_some());
        for block in &survey.blocks {
            self.noticed.entry(block.id).or_insert(block.first.unwrap_or(now));
        }
    }

    /// From when on each block counts as voted on: it, or one that stands on it.
    fn voted(&self, settings: &Settings, survey: &Survey<'_>, now: Time) -> Vec<Time> {
        let wait = settings.slot.scaled(VOTED, 1);
        let mut voted = vec![Time::MAX; survey.blocks.len()];
        // A block has a higher slot than the one it stands on, and so a later place.
        for (place, block) in survey.blocks.iter().enumerate().rev() {
            let first = self.noticed.get(&block.id).copied().unwrap_or(now);
            let own = first.saturating_add(wait);
            let children = survey.children(block.id).iter().map(|child| voted[*child]);
            voted[place] = children.fold(own, Time::min);
        }
        voted
    }
}

/// A look while it makes its requests.
struct Look<'a, 'b> {
    settings: &'a Settings,
    now: Time,
    survey: &'a Survey<'b>,
    /// From when on each block counts as voted on.
    voted: Vec<Time>,
    asked: &'a mut BTreeMap<Message, Time>,
    requests: Vec<Message>,
    next: Time,
}

/// Blocks that the walk from genesis came to.
#[derive(Default)]
struct Walked {
    /// Those that it made requests for.
    asked: BTreeSet<BlockId>,
    /// Those of which it left out nothing that was due.
    whole: BTreeSet<BlockId>,
}

/// Whether a look may still make requests of a kind.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Room {
    Left(u32),
    /// A request that is due found no room.
    Passed,
}

impl Look<'_, '_> {
    /// Makes a request that is allowed from a moment on, if that has come, the same was not made
    /// lately, and there is room.
    fn offer(&mut self, request: Message, from: Time, room: &mut Room) {
        let again = |asked: &Time| asked.saturating_add(self.settings.config.repeat);
        let due = self.asked.get(&request).map_or(from, |asked| from.max(again(asked)));
        match room {
            _ if due > self.now => self.next = self.next.min(due),
            Room::Left(left @ 1..) => {
                *left -= 1;
                self.asked.insert(request, self.now);
                self.requests.push(request);
                self.next = self.next.min(self.now.saturating_add(self.settings.config.repeat));
            }
            _ => {
                *room = Room::Passed;
                let poll = self.settings.config.poll;
                self.next = self.next.min(self.now.saturating_add(poll));
            }
        }
    }

    /// From when on a block counts as voted on.
    fn voted(&self, block: &Loose<'_>) -> Time {
        self.survey.place(block.id).map_or(Time::MAX, |place| self.voted[place])
    }

    /// Missing parents: asks for the ancestors of blocks whose parent is unknown.
    fn orphans(&mut self, view: &View<'_>) {
        let most = self.settings.config.orphans;
        let mut room = Room::Left(most);
        let survey = self.survey;
        for (block, parent) in survey.roots() {
            if most == 0 || room == Room::Passed {
                break;
            }
            if view.chain.link(parent).is_none() {
                let from = self.voted(block);
                self.offer(Message::Orphan { slot: block.slot }, from, &mut room);
            }
        }
    }

    /// Blocks with a path to genesis through others that are incomplete, depth first.
    fn best(&mut self, view: &View<'_>) -> Walked {
        let most = self.settings.config.best;
        let (mut room, mut walked) = (Room::Left(most), Walked::default());
        if most == 0 {
            return walked;
        }
        let survey = self.survey;
        let connected = survey.roots().filter(|(_, parent)| view.chain.link(*parent).is_some());
        let mut next: Vec<usize> =
            connected.filter_map(|(block, _)| survey.place(block.id)).collect();
        next.reverse();
        while let Some(place) = next.pop() {
            let block = &survey.blocks[place];
            let before = self.requests.len();
            self.shreds_of(block, &mut room);
            if self.requests.len() > before {
                walked.asked.insert(block.id);
            }
            if room == Room::Passed {
                break;
            }
            walked.whole.insert(block.id);
            next.extend(survey.children(block.id).iter().rev());
        }
        walked
    }

    /// Blocks whose last shred is unknown, those with the most shreds first. No delay holds here,
    /// but what this look has asked for other shreds of has to wait for the next one.
    fn unknown_last(&mut self, walked: &Walked) -> Vec<BodyId> {
        let most = self.settings.config.unknown_last;
        let mut room = Room::Left(most);
        let survey = self.survey;
        let ended = |block: &&Loose<'_>| block.part.is_none_or(|part| part.is_end_known());
        let blocks = survey.blocks.iter().filter(|block| !ended(block));
        let received = |block: &&Loose<'_>| block.part.map_or(0, |part| part.data_end());
        let mut blocks: Vec<&Loose<'_>> = blocks.collect();
        blocks.sort_by_key(|block| std::cmp::Reverse(received(block)));
        let mut endless = Vec::new();
        for block in blocks {
            if most == 0 {
                break;
            }
            let from = self.voted(block);
            if from <= self.now {
                endless.push(block.body);
            }
            let later = self.now.saturating_add(self.settings.config.poll);
            let from = if walked.asked.contains(&block.id) { from.max(later) } else { from };
            if room != Room::Passed {
                let index = received(&block) as u16;
                self.offer(Message::Highest { slot: block.slot, index }, from, &mut room);
            }
        }
        endless
    }

    /// Blocks whose last shred is known, those that lack the fewest first, each after its
    /// incomplete ancestors.
    fn closest(&mut self, walked: &Walked) {
        let most = self.settings.config.closest;
        let mut room = Room::Left(most);
        let survey = self.survey;
        // Where the walk found nothing more to ask for, there is nothing here either.
        let done = |id| walked.asked.contains(&id) || walked.whole.contains(&id);
        let ended = survey.blocks.iter().filter(|block| !done(block.id));
        let mut blocks: Vec<(u32, &Loose<'_>)> =
            ended.filter_map(|block| Some((block.lacks()?, block))).collect();
        blocks.sort_by_key(|(lacks, _)| *lacks);
        for (_, block) in blocks {
            if most == 0 || room == Room::Passed {
                break;
            }
            let from = self.voted(block);
            if from > self.now {
                self.next = self.next.min(from);
                continue;
            }
            for ancestor in survey.ancestors(block) {
                self.shreds_of(ancestor, &mut room);
            }
            self.shreds_of(block, &mut room);
        }
    }

    /// All missing data shreds before the last that came, each when the delay of its set has
    /// passed. If none is missing and the last one is unknown, that.
    fn shreds_of(&mut self, block: &Loose<'_>, room: &mut Room) {
        let Some(part) = block.part else { return };
        let (slot, shape) = (block.slot, &block.shape);
        let delay = self.settings.config.delay;
        let end = if part.is_end_known() { shape.data() } else { part.data_end() };
        let mut gap = false;
        for set in 0..shape.sets() as u16 {
            for at in part.missing(shape, set) {
                let index = shape.index(at);
                if index >= end {
                    break;
                }
                gap = true;
                let from = part.observed(set).saturating_add(delay);
                self.offer(Message::Window { slot, index: index as u16 }, from, room);
                if *room == Room::Passed {
                    return;
                }
            }
        }
        if !gap && !part.is_end_known() {
            let from = match end {
                0 => Time::ZERO,
                _ => part.observed(u16::MAX).saturating_add(delay),
            };
            self.offer(Message::Highest { slot, index: end as u16 }, from, room);
        }
    }
}
