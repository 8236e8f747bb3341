//! Protocol layer: what a node holds of each block: which shreds, since when, and whether that is
//! all it needs. Storage of blocks that are whole or given up is used again.

mod part;
#[cfg(test)]
mod tests;

use super::block::{Block, BlockId, ShredAt};
use crate::base::fetch::fetch;
use crate::base::slot::Slot;
use crate::base::time::{Span, Time};
use crate::sim::body::BodyId;

use self::part::SET_WORDS;
pub use self::part::{Part, Received, Tally};

/// How a shred came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Path {
    /// From the leader or down a tree, over so many links.
    Turbine(u8),
    /// As the answer to a repair request.
    Repair,
}

/// Limits of a node's block store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Most incomplete blocks at a time; beyond it the oldest is given up.
    pub partial: usize,
    /// How long after its first shred an incomplete block is given up.
    pub expiry: Span,
    /// Whole blocks that are kept for others to ask for.
    pub history: usize,
}

/// What a node holds of all blocks. What every shred needs of it stands first.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub struct Blockstore {
    /// Where the parts of the latest blocks are, by the lowest digits of their bodies' numbers.
    recent: [Recent; RECENT],
    parts: Vec<Part>,
    /// Newest last.
    entries: Vec<Entry>,
    /// Whether shreds that were recovered count as received, because they are passed on.
    recovers: bool,
    partial: usize,
    free: Vec<u32>,
    /// Bits of the shreds that decoding a set gave last.
    recovered: [u64; SET_WORDS],
    limits: Limits,
}

/// How many of the latest blocks are found without a search, if they do not share a place.
const RECENT: usize = 4;

/// The number of a block's body and the place of its part, as in [`Entry`].
#[derive(Clone, Copy, Debug)]
struct Recent {
    body: u32,
    part: u32,
}

impl Recent {
    /// No block: there are fewer bodies.
    const NONE: Self = Self { body: u32::MAX, part: Entry::SETTLED };
}

/// A block of which a node has a shred at least.
#[derive(Clone, Copy, Debug)]
struct Entry {
    id: BlockId,
    body: BodyId,
    slot: Slot,
    /// Place of its part in the pool, or [`Entry::SETTLED`].
    part: u32,
    whole: bool,
}

impl Entry {
    /// No part: every shred counts as received.
    const SETTLED: u32 = u32::MAX;
}

/// A block that was given up before it was whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Expired {
    /// Its body, which the node no longer holds.
    pub body: BodyId,
    /// How many of its shreds the node had received.
    pub tally: Tally,
}

impl Blockstore {
    /// Whole blocks whose missing shreds are still told apart from those that came, to be passed
    /// on.
    const UNSETTLED: usize = 16;

    /// An empty store. `recovers` says whether shreds of a decoded set count as received.
    #[must_use]
    pub fn new(limits: Limits, recovers: bool) -> Self {
        Self {
            recent: [Recent::NONE; RECENT],
            // Beside the node's other state, and as many as are mostly needed at a time.
            parts: Vec::with_capacity(RECENT),
            entries: Vec::new(),
            recovers,
            partial: 0,
            free: Vec::new(),
            recovered: [0; SET_WORDS],
            limits,
        }
    }

    /// Whether the node has a shred of this block.
    #[must_use]
    pub fn knows(&self, body: BodyId) -> bool {
        self.find(body).is_some()
    }

    /// Whether the block is whole.
    #[must_use]
    pub fn is_whole(&self, body: BodyId) -> bool {
        self.find(body).is_some_and(|place| self.entries[place].whole)
    }

    /// The newest block of a slot that the node has a shred of.
    #[must_use]
    pub fn of_slot(&self, slot: Slot) -> Option<BodyId> {
        self.entries.iter().rev().find(|entry| entry.slot == slot).map(|entry| entry.body)
    }

    /// The block of this name, if the node has a shred of it.
    #[must_use]
    pub fn by_id(&self, id: BlockId) -> Option<BodyId> {
        self.entries.iter().rev().find(|entry| entry.id == id).map(|entry| entry.body)
    }

    /// All blocks of a slot that the node has a shred of, newest first.
    pub fn versions(&self, slot: Slot) -> impl Iterator<Item = BodyId> + '_ {
        let of_slot = move |entry: &&Entry| entry.slot == slot;
        self.entries.iter().rev().filter(of_slot).map(|entry| entry.body)
    }

    /// Whether the node has a data shred, received or recovered.
    #[must_use]
    pub fn has_data(&self, body: BodyId, block: &Block, index: u32) -> bool {
        let Some(place) = self.find(body) else { return false };
        let entry = &self.entries[place];
        let at = || block.shape.data_at(index);
        index < block.shape.data()
            && (entry.whole || self.parts[entry.part as usize].has(&block.shape, at()))
    }

    /// One more than the number of the last data shred that the node has; zero for none.
    #[must_use]
    pub fn data_end(&self, body: BodyId, block: &Block) -> u32 {
        match self.find(body).map(|place| self.entries[place]) {
            None => 0,
            Some(entry) if entry.whole => block.shape.data(),
            Some(entry) => self.parts[entry.part as usize].data_end(),
        }
    }

    /// Blocks that are not whole yet.
    #[must_use]
    pub const fn partial(&self) -> usize {
        self.partial
    }

    /// The incomplete blocks, oldest first.
    pub fn incomplete(&self) -> impl Iterator<Item = (BodyId, Slot)> + '_ {
        self.entries.iter().filter(|entry| !entry.whole).map(|entry| (entry.body, entry.slot))
    }

    /// The incomplete blocks and what there is of them, oldest first.
    pub fn parts(&self) -> impl Iterator<Item = (BodyId, &Part)> + '_ {
        let incomplete = self.entries.iter().filter(|entry| !entry.whole);
        incomplete.map(|entry| (entry.body, &self.parts[entry.part as usize]))
    }

    /// Puts in a block of the node's own, all of it at once. The caller holds the body, and calls
    /// [`Blockstore::make_room`] from time to time.
    pub fn insert_own(&mut self, body: BodyId, slot: Slot, id: BlockId) {
        self.push(Entry { id, body, slot, part: Entry::SETTLED, whole: true });
    }

    /// Puts in a new block without a shred. The caller holds the body, and has called
    /// [`Blockstore::make_room`] for it.
    pub fn open(&mut self, now: Time, body: BodyId, block: &Block) {
        let place = self.free.pop().unwrap_or_else(|| {
            self.parts.push(Part::new());
            (self.parts.len() - 1) as u32
        });
        self.parts[place as usize].begin(now, &block.shape);
        self.partial += 1;
        let (id, slot) = (block.id(), block.slot);
        self.push(Entry { id, body, slot, part: place, whole: false });
    }

    fn push(&mut self, entry: Entry) {
        let Entry { body, part, .. } = entry;
        self.recent[body.number() as usize % RECENT] = Recent { body: body.number(), part };
        self.entries.push(entry);
    }

    /// Takes out the entry at a place.
    fn remove(&mut self, place: usize) -> Entry {
        self.recycle(place);
        let entry = self.entries.remove(place);
        let recent = &mut self.recent[entry.body.number() as usize % RECENT];
        if recent.body == entry.body.number() {
            *recent = Recent::NONE;
        }
        entry
    }

    /// A shred of a known block arrived.
    #[inline]
    pub fn receive(
        &mut self,
        now: Time,
        body: BodyId,
        block: &Block,
        at: ShredAt,
        path: Path,
    ) -> Option<Received> {
        let recent = self.recent[body.number() as usize % RECENT];
        let part = match recent.body == body.number() {
            true => recent.part,
            false => self.entries[self.find(body)?].part,
        };
        if part == Entry::SETTLED {
            return Some(Received::DUPLICATE);
        }
        let (part, recovered) = (&mut self.parts[part as usize], &mut self.recovered);
        let received = part.receive(now, &block.shape, at, path, (recovered, self.recovers));
        if received.is(Received::DECODES) || received.is(Received::FULL) {
            return self.on_progress(body, block, at, received);
        }
        Some(received)
    }

    /// A set was decoded, or all shreds are there.
    fn on_progress(
        &mut self,
        body: BodyId,
        block: &Block,
        at: ShredAt,
        received: Received,
    ) -> Option<Received> {
        let place = self.find(body)?;
        if received.is(Received::DECODES) && !block.restores(at.set, &self.recovered) {
            self.refuse(place);
            return Some(Received::MISCODED);
        }
        let entry = &mut self.entries[place];
        if received.is(Received::WHOLE) && !entry.whole {
            entry.whole = true;
            self.partial -= 1;
        }
        // One that is whole just now is still asked for its tally.
        if received.is(Received::FULL) && !received.is(Received::WHOLE) {
            self.recycle(place);
        }
        Some(received)
    }

    /// Bits of the shreds that decoding gave, after a shred that decoded its set.
    #[must_use]
    pub const fn recovered(&self) -> &[u64] {
        &self.recovered
    }

    /// Fetches what every shred needs of the store.
    #[inline]
    pub fn fetch(&self) {
        fetch(&self.recent);
        fetch(&self.parts);
    }

    /// Fetches what a shred needs of the part of its block, if that is one of the latest.
    #[inline]
    pub fn fetch_part(&self, body: BodyId, at: ShredAt) {
        // Whether it is the right one does not matter.
        let recent = self.recent[body.number() as usize % RECENT];
        if let Some(part) = self.parts.get(recent.part as usize) {
            part.fetch(at);
        }
    }

    /// What is counted of a block that is not settled.
    #[must_use]
    pub fn tally(&self, body: BodyId) -> Option<(Time, Tally)> {
        self.unsettled(body).map(|part| (part.first(), part.tally()))
    }

    /// Forgets which shreds of a block came, if all did.
    pub fn settle_full(&mut self, body: BodyId, block: &Block) {
        let Some(place) = self.find(body) else { return };
        let part = self.entries[place].part;
        if part != Entry::SETTLED && self.parts[part as usize].is_full(&block.shape) {
            self.recycle(place);
        }
    }

    /// The leader's proposal told how many shreds a block has.
    pub fn learn_end(&mut self, body: BodyId) {
        let Some(place) = self.find(body) else { return };
        let part = self.entries[place].part;
        if part != Entry::SETTLED {
            self.parts[part as usize].learn_end();
        }
    }

    /// What repair needs to know of an incomplete block; `None` if it is whole or unknown.
    #[must_use]
    pub fn part(&self, body: BodyId) -> Option<&Part> {
        self.unsettled(body).filter(|_| !self.is_whole(body))
    }

    /// What is kept of a block whose shreds are told apart, whole or not.
    #[must_use]
    pub fn unsettled(&self, body: BodyId) -> Option<&Part> {
        let entry = &self.entries[self.find(body)?];
        (entry.part != Entry::SETTLED).then(|| &self.parts[entry.part as usize])
    }

    /// Forgets everything; `release` gets every body.
    pub fn clear(&mut self, mut release: impl FnMut(BodyId)) {
        while !self.entries.is_empty() {
            release(self.remove(0).body);
        }
        self.partial = 0;
    }

    /// Gives up what is too old, by the limits, so that there is room for another block. Gives
    /// every block that it drops to `expire`, whose second argument is false for a whole one that
    /// merely leaves the history; the caller gives the body back.
    pub fn make_room(&mut self, now: Time, expire: impl FnMut(Expired, bool)) {
        self.trim(now, self.limits.partial.saturating_sub(1), expire);
    }

    /// Gives up what is older than the limits allow; the arguments are those of
    /// [`Blockstore::make_room`].
    pub fn expire(&mut self, now: Time, expire: impl FnMut(Expired, bool)) {
        self.trim(now, self.limits.partial, expire);
    }

    /// Keeps at most so many incomplete blocks.
    fn trim(&mut self, now: Time, partial: usize, mut expire: impl FnMut(Expired, bool)) {
        loop {
            let outdated = |entry: &Entry| {
                let first = (!entry.whole).then(|| self.parts[entry.part as usize].first());
                first.is_some_and(|first| {
                    self.partial > partial || now.since(first) > self.limits.expiry
                })
            };
            let Some(place) = self.entries.iter().position(outdated) else { break };
            let tally = self.parts[self.entries[place].part as usize].tally();
            self.partial -= 1;
            expire(Expired { body: self.remove(place).body, tally }, true);
        }
        self.settle();
        while self.entries.len() - self.partial > self.limits.history {
            let oldest = self.entries.iter().position(|entry| entry.whole);
            let Some(place) = oldest else { break };
            let body = self.remove(place).body;
            expire(Expired { body, tally: Tally::default() }, false);
        }
    }

    /// Forgets which shreds came of whole blocks but the newest: what still comes of the others
    /// counts as a duplicate.
    fn settle(&mut self) {
        let unsettled = |entry: &Entry| entry.whole && entry.part != Entry::SETTLED;
        let count = self.entries.iter().filter(|entry| unsettled(entry)).count();
        for _ in Self::UNSETTLED..count {
            if let Some(place) = self.entries.iter().position(unsettled) {
                self.recycle(place);
            }
        }
    }

    /// Takes an incomplete block for one that is done with: nothing that comes of it is looked at.
    #[cold]
    fn refuse(&mut self, place: usize) {
        self.entries[place].whole = true;
        self.partial -= 1;
        self.recycle(place);
    }

    fn recycle(&mut self, place: usize) {
        let entry = &mut self.entries[place];
        let (body, part) = (entry.body, std::mem::replace(&mut entry.part, Entry::SETTLED));
        if part == Entry::SETTLED {
            return;
        }
        self.free.push(part);
        let recent = &mut self.recent[body.number() as usize % RECENT];
        if recent.body == body.number() {
            recent.part = Entry::SETTLED;
        }
    }

    /// Shreds come mostly of the newest blocks.
    #[inline]
    fn find(&self, body: BodyId) -> Option<usize> {
        self.entries.iter().rposition(|entry| entry.body == body)
    }
}
