//! Protocol layer: what Solana's gossip carries: typed values, their places in every node's table,
//! and their contents, which are kept once for the whole cluster.

use std::collections::VecDeque;

use crate::base::id::NodeId;
use crate::base::slot::Slot;
use crate::base::time::{Span, Time};
use crate::fact::ValueKind;
use crate::protocol::content::mix;
use crate::sim::body::BodyId;

/// What a value says. Signatures and the rest of a real value are counted in its size.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Value {
    /// Where its origin is reached.
    ContactInfo,
    /// A vote of its origin.
    Vote {
        /// The slot voted for.
        slot: Slot,
        /// A number by which the part that voted finds what else the vote says.
        reference: u32,
    },
    /// Slots that its origin has whole.
    EpochSlots {
        /// The latest one.
        latest: Slot,
        /// The 64 before it, the nearest in the lowest bit.
        before: u64,
    },
    /// The lowest slot that its origin still has.
    LowestSlot {
        /// That slot.
        slot: Slot,
    },
    /// A part of the proof that a leader made two blocks for one slot: the proof is two of its
    /// shreds, too large for one value.
    DuplicateShred {
        /// The slot.
        slot: Slot,
        /// Whose blocks they are.
        leader: NodeId,
        /// Which part, below [`PROOF_CHUNKS`].
        chunk: u8,
    },
    /// A payload without meaning.
    Rumor {
        /// Its number.
        rumor: u32,
        /// Bytes of the whole value.
        size: u16,
    },
}

impl Value {
    /// What kind it is of.
    #[must_use]
    pub const fn kind(&self) -> ValueKind {
        match self {
            Self::ContactInfo => ValueKind::ContactInfo,
            Self::Vote { .. } => ValueKind::Vote,
            Self::EpochSlots { .. } => ValueKind::EpochSlots,
            Self::LowestSlot { .. } => ValueKind::LowestSlot,
            Self::DuplicateShred { .. } => ValueKind::DuplicateShred,
            Self::Rumor { .. } => ValueKind::Rumor,
        }
    }

    /// Bytes on the wire (fact sheet of Agave 4.4): contact info by hand count, 170 to 190; a full
    /// vote with one key; epoch slots at the limit, for their compression is not modelled; the
    /// lowest slot by hand count; a proof of two shreds of 1,203 bytes with a length of 8 each, cut
    /// into parts of 1,054, each with a header of 63 and 68 of signature and kind.
    #[must_use]
    pub const fn size(&self) -> u16 {
        match self {
            Self::ContactInfo => CONTACT_INFO_BYTES,
            Self::Vote { .. } => 461,
            Self::EpochSlots { .. } => 928,
            Self::LowestSlot { .. } => 140,
            Self::DuplicateShred { chunk, .. } if *chunk + 1 < PROOF_CHUNKS => 1_054 + 63 + 68,
            Self::DuplicateShred { .. } => 2 * (8 + 1_203) - 2 * 1_054 + 63 + 68,
            Self::Rumor { size, .. } => *size,
        }
    }
}

/// Bytes of a contact info.
pub(super) const CONTACT_INFO_BYTES: u16 = 180;

/// How many votes of a node are kept side by side.
pub(super) const VOTES: usize = 12;
/// Values that a node publishes within so much of each other are of one moment: real ones bear
/// whole milliseconds.
const MOMENT: Span = Span::from_millis(1);
/// Places of an origin in every table.
const PLACES: u32 = 1 + VOTES as u32 + 2;
const FIRST_VOTE: u8 = 1;
const EPOCH_SLOTS: u8 = FIRST_VOTE + VOTES as u8;
const LOWEST_SLOT: u8 = EPOCH_SLOTS + 1;
const FIRST_PROOF: u8 = LOWEST_SLOT + 1;

/// Parts of a proof of two blocks for one slot (fact sheet of Agave 4.4, section 3.1).
pub const PROOF_CHUNKS: u8 = 3;
/// Most proofs of a node that are kept side by side (Agave: 512 parts, which is 170 proofs).
const MOST_PROOFS: usize = 64;
/// Fewest: in large clusters there are no more, as every node has a place for each of them.
const FEWEST_PROOFS: usize = 8;
/// Bytes that the places of all proofs take in the tables of all nodes, if it is not the fewest.
const PROOF_BYTES: usize = 64 << 20;

/// Where a value stands among those of its origin: its kind and index.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place(u8);

impl Place {
    /// The contact info.
    pub(super) const CONTACT_INFO: Self = Self(0);
    /// The epoch slots.
    pub(super) const EPOCH_SLOTS: Self = Self(EPOCH_SLOTS);
    /// The lowest slot.
    pub(super) const LOWEST_SLOT: Self = Self(LOWEST_SLOT);
    /// Rumors have a ring of their own.
    pub(super) const RUMOR: Self = Self(u8::MAX);

    /// The vote of an index below [`VOTES`].
    pub(super) const fn vote(index: usize) -> Self {
        Self(FIRST_VOTE + index as u8)
    }

    /// The part of a proof of an index below [`Layout::proof_places`].
    pub(super) const fn proof(index: u8) -> Self {
        Self(FIRST_PROOF + index)
    }

    /// The index of a vote.
    pub(super) fn vote_index(self) -> Option<usize> {
        (FIRST_VOTE..EPOCH_SLOTS).contains(&self.0).then(|| usize::from(self.0 - FIRST_VOTE))
    }

    /// The kind of the value there.
    pub(super) const fn kind(self) -> ValueKind {
        match self.0 {
            0 => ValueKind::ContactInfo,
            FIRST_VOTE..EPOCH_SLOTS => ValueKind::Vote,
            EPOCH_SLOTS => ValueKind::EpochSlots,
            LOWEST_SLOT => ValueKind::LowestSlot,
            FIRST_PROOF..u8::MAX => ValueKind::DuplicateShred,
            u8::MAX => ValueKind::Rumor,
        }
    }
}

/// How keys are dealt out: a ring for rumors, then the places of node 0, of node 1 ..., then those
/// of their proofs, if there can be any.
///
/// The ring comes first so that one more node adds keys at the end only.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    nodes: u32,
    ring: u32,
    /// Places of a node for parts of proofs.
    proofs: u8,
}

impl Layout {
    /// Keys for so many nodes, and for so many rumors at a time.
    pub(super) fn new(nodes: usize, ring: usize) -> Self {
        Self { nodes: NodeId::from_index(nodes).number(), ring: ring as u32, proofs: 0 }
    }

    /// The same with places for proofs.
    pub(super) fn with_proofs(self) -> Self {
        let nodes = self.nodes as usize;
        let each = nodes * nodes * usize::from(PROOF_CHUNKS) * size_of::<u32>();
        let proofs = (PROOF_BYTES / each.max(1)).clamp(FEWEST_PROOFS, MOST_PROOFS);
        Self { proofs: proofs as u8 * PROOF_CHUNKS, ..self }
    }

    /// How many places a node has for parts of proofs; zero if there are none.
    pub(super) const fn proof_places(self) -> u8 {
        self.proofs
    }

    /// How many keys there are.
    pub(super) const fn keys(self) -> usize {
        (self.first_proof() + self.nodes * self.proofs as u32) as usize
    }

    const fn first_proof(self) -> u32 {
        self.ring + self.nodes * PLACES
    }

    /// The key of a value.
    pub(super) const fn key(self, origin: NodeId, place: Place) -> u32 {
        if place.0 < FIRST_PROOF {
            return self.ring + origin.number() * PLACES + place.0 as u32;
        }
        let proofs = origin.number() * self.proofs as u32;
        self.first_proof() + proofs + (place.0 - FIRST_PROOF) as u32
    }

    /// Where a node keeps the word of a key.
    #[inline]
    pub(super) const fn spot(self, key: u32) -> Spot {
        let Some(at) = key.checked_sub(self.ring) else { return Spot::Rest(key as usize) };
        if let Some(proof) = key.checked_sub(self.first_proof()) {
            return Spot::Rest(self.columns() + proof as usize);
        }
        let (origin, place) = (at / PLACES, at % PLACES);
        if place == EPOCH_SLOTS as u32 {
            return Spot::Row(origin as usize);
        }
        // Of all origins those of one place stand side by side: nearly everybody's votes are at the
        // same index at a time.
        let column = if place < EPOCH_SLOTS as u32 { place } else { place - 1 };
        Spot::Rest((self.ring + column * self.nodes + origin) as usize)
    }

    /// Rows of a node's table: one for each origin.
    pub(super) const fn rows(self) -> usize {
        self.nodes as usize
    }

    /// Words of a node's table that stand in no row, those of proofs not counted.
    const fn columns(self) -> usize {
        (self.ring + (PLACES - 1) * self.nodes) as usize
    }

    /// Words of a node's table that stand in no row.
    pub(super) const fn rest(self) -> usize {
        self.columns() + (self.nodes * self.proofs as u32) as usize
    }

    /// Whether a key is that of a contact info.
    pub(super) const fn is_contact_info(self, key: u32) -> bool {
        key >= self.ring && key < self.first_proof() && (key - self.ring).is_multiple_of(PLACES)
    }

    /// Key and version of a rumor: numbers that share a key follow each other. `None` if there is
    /// no room for rumors, or if versions have run out.
    pub(super) fn rumor(self, rumor: u32) -> Option<(u32, u32)> {
        let key = rumor.checked_rem(self.ring)?;
        Some((key, rumor / self.ring + 1)).filter(|(_, version)| *version <= MOST_VERSIONS)
    }

    /// The number of the rumor of this key and version.
    pub(super) const fn number_of_rumor(self, label: &Label) -> u32 {
        (label.version - 1) * self.ring + label.key
    }
}

/// Where a node keeps what it has of a key: its epoch slots in the row of an origin, with what else
/// is kept of that, and everything else by columns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Spot {
    /// The row of an origin.
    Row(usize),
    /// A place among the rest.
    Rest(usize),
}

/// Names a value, as it travels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Label {
    /// Its place in every table: origin, kind and index in one.
    pub(super) key: u32,
    /// Counts the values of this key, from 1. The order of versions is that of the merge rule.
    pub(super) version: u32,
    /// Counts all values of the run; for observers only.
    pub(super) number: u32,
    /// Who made it.
    pub(super) origin: NodeId,
    pub(super) size: u16,
    pub(super) place: Place,
    /// Links travelled; 63 stands for any more.
    pub(super) hops: u8,
}

/// Most hops that are told apart: they have 6 bits of a word in every table.
pub(super) const MOST_HOPS: u8 = (1 << 6) - 1;
/// Highest version: they have 24 bits of it.
pub(super) const MOST_VERSIONS: u32 = (1 << 24) - 1;

impl Label {
    /// A number for the digest, made of what names the value and of the way it has come.
    pub(super) const fn content(&self) -> u64 {
        let what = (self.origin.number() as u64) << 8 | self.place.0 as u64;
        mix(self.identity() ^ mix(what << 8 | self.hops as u64))
    }

    /// Tells versions of one key apart at random: the larger one wins where clocks do not decide.
    const fn identity(&self) -> u64 {
        // The key of anything else would move with the size of the ring.
        let key = if self.place.0 == Place::RUMOR.0 { self.key } else { 0 };
        mix((self.version as u64) << 32 | key as u64)
    }

    /// The same one link further.
    pub(super) const fn one_hop_on(mut self) -> Self {
        if self.hops < MOST_HOPS {
            self.hops += 1;
        }
        self
    }
}

/// A value with all that it says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Content {
    /// Its name, as its origin gave it.
    pub(super) label: Label,
    /// When it was made, by the clock of its origin.
    pub(super) wallclock: Time,
    pub(super) value: Value,
}

/// A value in the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) content: Content,
    /// The body by which a message of this value alone refers to it, if there is one; it lives as
    /// long as the entry.
    pub(super) body: Option<BodyId>,
    /// Its place in the log, from 1, and that of the version before; 0 for none.
    position: u64,
    previous: u64,
}

/// Values that the log holds, the latest of every key not counted: minutes of votes of a thousand
/// validators. Of older ones only the name is left, so a node that still has one cannot pass it on.
pub(super) const LOG: usize = 1 << 19;

/// The contents of all values, kept once. Nobody finds a value here whose name did not reach it.
#[derive(Clone, Debug)]
pub(super) struct Contents {
    /// The latest of each key.
    heads: Vec<Option<Entry>>,
    log: VecDeque<Entry>,
    /// Position of the log's first entry.
    first: u64,
    published: u32,
    /// Bodies of values that are no longer kept.
    gone: Vec<BodyId>,
}

impl Contents {
    pub(super) fn new(keys: usize) -> Self {
        let (heads, log, gone) = (vec![None; keys], VecDeque::new(), Vec::new());
        Self { heads, log, first: 1, published: 0, gone }
    }

    /// The content of a value; `None` if it is no longer kept, or for version 0.
    #[inline]
    pub(super) fn find(&self, key: u32, version: u32) -> Option<&Content> {
        self.entry(key, version).map(|entry| &entry.content)
    }

    /// The same with its body.
    #[inline]
    pub(super) fn entry(&self, key: u32, version: u32) -> Option<&Entry> {
        let head = self.heads[key as usize].as_ref().filter(|_| version > 0)?;
        if head.content.label.version == version {
            return Some(head);
        }
        let mut position = head.previous;
        loop {
            let place = position.checked_sub(self.first)?;
            let entry = &self.log[place as usize];
            if entry.content.label.version <= version {
                return (entry.content.label.version == version).then_some(entry);
            }
            position = entry.previous;
        }
    }

    /// Whether [`Self::entry`] would find a value that was published.
    #[inline]
    pub(super) fn keeps(&self, label: &Label) -> bool {
        // Values are numbered in the order in which they enter the log.
        let age = self.published.wrapping_sub(label.number);
        age as usize <= self.log.len() || self.is_head(label.key, label.version)
    }

    fn is_head(&self, key: u32, version: u32) -> bool {
        let head = self.heads[key as usize].as_ref();
        head.is_some_and(|head| head.content.label.version == version)
    }

    /// The version that follows the latest of a key; `None` if versions have run out.
    pub(super) fn next_version(&self, key: u32) -> Option<u32> {
        let head = self.heads[key as usize].as_ref();
        let next = head.map_or(1, |head| head.content.label.version + 1);
        (next <= MOST_VERSIONS).then_some(next)
    }

    /// The wall-clock of a new value of a key: later than that of the one before, where a node says
    /// several things at one moment of the model. A real one takes its time for each.
    pub(super) fn stamp(&self, key: u32, now: Time) -> Time {
        let before = self.heads[key as usize].as_ref().map(|head| head.content.wallclock);
        match before.filter(|before| *before >= now && before.since(now) < MOMENT) {
            Some(before) => before.saturating_add(Span::from_nanos(1)),
            None => now,
        }
    }

    /// Adds a value of a version above all of its key, unless the merge rule would refuse it
    /// everywhere: the later wall-clock counts, and of two at the same moment the larger hash.
    pub(super) fn publish(
        &mut self,
        mut label: Label,
        wallclock: Time,
        value: Value,
    ) -> Option<Content> {
        let old = self.heads[label.key as usize];
        let rank = |content: &Content| (content.wallclock, content.label.identity());
        if old.is_some_and(|old| rank(&old.content) > (wallclock, label.identity())) {
            return None;
        }
        label.number = self.published;
        self.published = self.published.wrapping_add(1);
        if self.log.len() == LOG {
            self.first += 1;
            let oldest = self.log.pop_front();
            let is_head = |it: &Entry| self.is_head(it.content.label.key, it.content.label.version);
            self.gone.extend(oldest.filter(|it| !is_head(it)).and_then(|it| it.body));
        }
        // A latest version that the log had forgotten.
        self.gone.extend(old.filter(|old| old.position < self.first).and_then(|old| old.body));
        let position = self.first + self.log.len() as u64;
        let previous = old.map_or(0, |old| old.position);
        let content = Content { label, wallclock, value };
        let entry = Entry { content, body: None, position, previous };
        self.log.push_back(entry);
        self.heads[label.key as usize] = Some(entry);
        Some(content)
    }

    /// Gives the value that was published last its body.
    pub(super) fn attach(&mut self, body: BodyId) {
        let Some(entry) = self.log.back_mut() else { return };
        entry.body = Some(body);
        self.heads[entry.content.label.key as usize] = Some(*entry);
    }

    /// A body that is no longer needed.
    pub(super) fn take_gone(&mut self) -> Option<BodyId> {
        self.gone.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(layout: Layout, origin: u32, place: Place, version: u32) -> Label {
        let origin = NodeId::new(origin);
        let key = layout.key(origin, place);
        Label { key, version, number: 0, origin, size: 461, place, hops: 0 }
    }

    #[test]
    fn every_place_has_a_key_of_its_own_and_rumors_go_round_a_ring() {
        let layout = Layout::new(3, 10);
        let mut seen = vec![false; layout.keys()];
        let places = (0..VOTES).map(Place::vote).chain([
            Place::CONTACT_INFO,
            Place::EPOCH_SLOTS,
            Place::LOWEST_SLOT,
        ]);
        for place in places {
            for origin in NodeId::all(3) {
                let key = layout.key(origin, place) as usize;
                assert!(!std::mem::replace(&mut seen[key], true));
            }
        }
        // 3 nodes with 15 places, behind the ring.
        assert_eq!((layout.keys(), seen.iter().filter(|seen| **seen).count()), (55, 45));
        assert!(!seen[..10].contains(&true));
        assert_eq!(layout.rumor(u32::MAX), None);
        for rumor in [0, 9, 10, 37, 10 * MOST_VERSIONS - 1] {
            let (key, version) = layout.rumor(rumor).expect("a ring");
            let label = Label { key, version, ..label(layout, 0, Place::RUMOR, 1) };
            assert!(key < 10 && layout.number_of_rumor(&label) == rumor);
        }
    }

    #[test]
    fn every_key_has_a_word_of_its_own_in_a_table() {
        for layout in [Layout::new(3, 10), Layout::new(3, 0).with_proofs()] {
            let mut rows = vec![false; layout.rows()];
            let mut rest = vec![false; layout.rest()];
            for key in 0..layout.keys() as u32 {
                let word = match layout.spot(key) {
                    Spot::Row(origin) => &mut rows[origin],
                    Spot::Rest(place) => &mut rest[place],
                };
                assert!(!std::mem::replace(word, true), "{key}");
            }
            assert!(!rows.contains(&false) && !rest.contains(&false));
        }
    }

    #[test]
    fn kinds_and_places_agree() {
        for (place, value) in [
            (Place::CONTACT_INFO, Value::ContactInfo),
            (Place::vote(0), Value::Vote { slot: Slot::ZERO, reference: 0 }),
            (Place::vote(VOTES - 1), Value::Vote { slot: Slot::ZERO, reference: 0 }),
            (Place::EPOCH_SLOTS, Value::EpochSlots { latest: Slot::ZERO, before: 0 }),
            (Place::LOWEST_SLOT, Value::LowestSlot { slot: Slot::ZERO }),
            (Place::RUMOR, Value::Rumor { rumor: 0, size: 200 }),
        ] {
            assert_eq!(place.kind(), value.kind());
        }
    }

    #[test]
    fn older_versions_are_found_until_the_log_forgets_them_and_the_latest_always() {
        let layout = Layout::new(2, 0);
        let mut contents = Contents::new(layout.keys());
        let vote = |slot| Value::Vote { slot: Slot::new(slot), reference: 0 };
        let mut publish = |origin, version, at| {
            let label = label(layout, origin, Place::vote(0), version);
            contents.publish(label, Time::from_nanos(at), vote(version)).expect("later");
        };
        publish(0, 1, 1);
        publish(1, 1, 2);
        publish(0, 2, 3);
        publish(0, 5, 4);
        let mut at = 5;
        let key = |origin| layout.key(NodeId::new(origin), Place::vote(0));
        let found = |contents: &Contents, origin, version| {
            contents.find(key(origin), version).map(|content| content.value)
        };
        for version in [1, 2, 5] {
            assert_eq!(found(&contents, 0, version), Some(vote(version)));
        }
        assert_eq!((found(&contents, 0, 3), found(&contents, 0, 6)), (None, None));
        for version in 6..6 + LOG as u32 {
            let label = label(layout, 0, Place::vote(0), version);
            contents.publish(label, Time::from_nanos(at), vote(version)).expect("later");
            at += 1;
        }
        assert_eq!(contents.log.len(), LOG);
        assert_eq!((found(&contents, 0, 5), found(&contents, 0, 6)), (None, Some(vote(6))));
        assert_eq!(found(&contents, 1, 1), Some(vote(1)), "the latest of its key");
    }

    #[test]
    fn of_values_of_one_moment_each_counts_as_later_than_the_one_before() {
        let layout = Layout::new(1, 0);
        let mut contents = Contents::new(layout.keys());
        let place = Place::EPOCH_SLOTS;
        let key = layout.key(NodeId::new(0), place);
        let now = Time::from_nanos(5_000_000);
        // Hashes of the labels would let only some of them pass.
        for version in 1..=1_000 {
            let stamp = contents.stamp(key, now);
            assert_eq!(stamp.since(now), Span::from_nanos(u64::from(version) - 1));
            let value = Value::EpochSlots { latest: Slot::ZERO, before: 0 };
            assert!(contents.publish(label(layout, 0, place, version), stamp, value).is_some());
        }
        // A clock that was set back by more than a moment stays set back.
        let before = Time::from_nanos(2_000_000);
        assert_eq!(contents.stamp(key, before), before);
    }

    #[test]
    fn a_clock_that_was_set_back_publishes_nothing() {
        let layout = Layout::new(1, 0);
        let mut contents = Contents::new(layout.keys());
        let at = Time::from_nanos;
        let place = Place::CONTACT_INFO;
        assert!(contents.publish(label(layout, 0, place, 1), at(10), Value::ContactInfo).is_some());
        assert!(contents.publish(label(layout, 0, place, 2), at(9), Value::ContactInfo).is_none());
        assert!(contents.publish(label(layout, 0, place, 2), at(11), Value::ContactInfo).is_some());
        // At one moment the larger hash wins: over many versions about half of them.
        let tries = (3..1_003).filter(|version| {
            contents
                .publish(label(layout, 0, place, *version), at(11), Value::ContactInfo)
                .is_some()
        });
        // Each must beat the best before it: records of 1,000 draws, ln(1000) + 0.6 = 7.5 of them
        // on average, 20 or more with a chance below 1e-4.
        assert!((1..20).contains(&tries.count()));
    }
}
