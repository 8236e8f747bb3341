//! Protocol layer: what a node holds of one block: a bit for each shred, and per FEC set when it
//! was first heard of.

use bitflags::bitflags;

use super::Path;
use crate::base::fetch::{fetch, fetch_at};
use crate::base::time::Time;
use crate::protocol::block::{Shape, ShredAt};

/// Words of a set: at most 256 shreds.
pub(crate) const SET_WORDS: usize = 4;

/// Words that stand in the part itself: the 2,048 shreds of a slot of Solana's mainnet.
const NEAR_WORDS: usize = 32;

/// What a node holds of one block that is not settled. What every shred needs of it stands first,
/// on a line of the cache, and its bits where no pointer has to be followed.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub struct Part {
    last: Time,
    /// Bits that are set.
    held: u32,
    /// One more than the number of the last data shred that came or was recovered.
    data_end: u32,
    /// Data shreds that came or were recovered.
    data_held: u32,
    /// Sets that can be decoded.
    decoded: u32,
    tally: Tally,
    /// Bits that a set takes up, as a power of two: whole words, or a part of one.
    set_bits: u8,
    /// Shreds that made it known which one is the last.
    end_known: bool,
    /// One more than the newest set heard of.
    known_sets: u32,
    /// Bits of the received (or recovered) shreds.
    bits: Bits,
    first: Time,
    /// When each set was first heard of, in nanoseconds; `u64::MAX` for never.
    since: Vec<u64>,
    /// Bits of the shreds that came as answers to repair requests; empty before the first.
    repaired: Vec<u64>,
}

/// Words of bits; the first stand where no pointer has to be followed.
#[derive(Clone, Default, Debug)]
#[repr(C)]
struct Bits {
    near: [u64; NEAR_WORDS],
    far: Vec<u64>,
}

impl Bits {
    /// So many words of zeros.
    fn begin(&mut self, words: usize) {
        self.near = [0; NEAR_WORDS];
        self.far.clear();
        self.far.resize(words.saturating_sub(NEAR_WORDS), 0);
    }

    #[inline]
    fn word(&self, at: usize) -> u64 {
        if at < NEAR_WORDS { self.near[at] } else { self.far[at - NEAR_WORDS] }
    }

    #[inline]
    fn word_mut(&mut self, at: usize) -> &mut u64 {
        if at < NEAR_WORDS { &mut self.near[at] } else { &mut self.far[at - NEAR_WORDS] }
    }
}

/// Shreds of one block by the way they came.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// From the leader or down a tree, for the first time.
    pub turbine: u32,
    /// Worked out from others of the set.
    pub recovered: u32,
    /// As the answer to a repair request, for the first time.
    pub repaired: u32,
    /// Again, in whatever way.
    pub duplicate: u32,
    /// Most links that any of them travelled down a tree.
    pub hops: u8,
}

bitflags! {
    /// What came of a shred; nothing for one that the node has.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Received: u16 {
        /// The node did not have it.
        const FRESH = 1;
        /// It is the first of its set that the node hears of.
        const OPENS_SET = 1 << 1;
        /// With it the set can be decoded.
        const DECODES = 1 << 2;
        /// With it all sets can be decoded.
        const WHOLE = 1 << 3;
        /// With it the node has every shred: all that still comes is a duplicate.
        const FULL = 1 << 4;
        /// It is the first that brings data, and with it the name of the block's parent.
        const FIRST_DATA = 1 << 5;
        /// It brings data beyond the last that was there.
        const EXTENDS = 1 << 6;
        /// Nothing is missing before the last data shred that came, and which one is the very last
        /// the node does not know.
        const OPEN = 1 << 7;
        /// With it the set was decoded, and gave other bytes than the leader had coded. The block
        /// is refused: all that comes of it counts as a duplicate.
        const MISCODED = 1 << 8;
    }
}

impl Received {
    /// A shred that the node has.
    pub const DUPLICATE: Self = Self::empty();

    /// Whether it is any of these.
    #[inline]
    #[must_use]
    pub const fn is(self, any: Self) -> bool {
        self.intersects(any)
    }

    /// Whether it changed more than the count of the shreds of its set.
    #[inline]
    #[must_use]
    pub const fn is_news(self) -> bool {
        let news = Self::OPENS_SET.union(Self::WHOLE).union(Self::FIRST_DATA);
        self.is(news.union(Self::EXTENDS).union(Self::OPEN))
    }
}

impl Part {
    pub(super) fn new() -> Self {
        Self {
            bits: Bits::default(),
            last: Time::ZERO,
            held: 0,
            data_end: 0,
            data_held: 0,
            decoded: 0,
            tally: Tally { turbine: 0, recovered: 0, repaired: 0, duplicate: 0, hops: 0 },
            set_bits: 6,
            end_known: false,
            known_sets: 0,
            first: Time::ZERO,
            since: Vec::new(),
            repaired: Vec::new(),
        }
    }

    /// Starts anew for a block, in the storage of an earlier one.
    pub(super) fn begin(&mut self, now: Time, shape: &Shape) {
        let sets = shape.sets() as usize;
        let set_bits = shape.set_width().next_power_of_two().ilog2() as u8;
        let Self { mut bits, mut since, mut repaired, .. } = std::mem::replace(self, Self::new());
        bits.begin((sets << set_bits).div_ceil(64));
        since.clear();
        since.resize(sets, u64::MAX);
        repaired.clear();
        *self = Self { bits, since, repaired, set_bits, first: now, last: now, ..Self::new() };
    }

    /// A shred came. If it decodes its set, `recovered` gets the bits of the shreds that decoding
    /// gave, and they count as held if the node passes them on.
    #[inline]
    pub(super) fn receive(
        &mut self,
        now: Time,
        shape: &Shape,
        at: ShredAt,
        path: Path,
        recovered: (&mut [u64; SET_WORDS], bool),
    ) -> Received {
        let (word, bit) = self.bit_of(at);
        if self.bits.word(word) & bit != 0 {
            self.tally.duplicate += 1;
            return Received::DUPLICATE;
        }
        let before = self.count(at.set);
        *self.bits.word_mut(word) |= bit;
        self.held += 1;
        match path {
            Path::Turbine(hops) => {
                self.tally.turbine += 1;
                self.tally.hops = self.tally.hops.max(hops);
            }
            Path::Repair => self.note_repaired(at),
        }
        self.last = now;
        let mut received = Received::FRESH;
        received.set(Received::OPENS_SET, before == 0 && self.hear_of(now, at.set));
        let before_end = self.data_end;
        let needed = shape.needed(at.set);
        if u32::from(at.place) < needed {
            self.data_end = before_end.max(shape.index(at) + 1);
            // A decoded set has all of its data already.
            self.data_held += u32::from(before < needed);
        }
        if before + 1 == needed {
            received |= self.decode(shape, at.set, recovered);
        }
        received.set(Received::FULL, self.is_full(shape));
        received.set(Received::FIRST_DATA, before_end == 0 && self.data_end > 0);
        received.set(Received::EXTENDS, self.data_end > before_end);
        self.end_known |= self.data_end == shape.data();
        received.set(Received::OPEN, !self.end_known && self.is_gapless());
        received
    }

    /// Counts a repaired shred and remembers which one it is.
    #[cold]
    fn note_repaired(&mut self, at: ShredAt) {
        self.tally.repaired += 1;
        let (word, bit) = self.bit_of(at);
        if self.repaired.len() <= word {
            self.repaired.resize(word + 1, 0);
        }
        self.repaired[word] |= bit;
    }

    fn decode(
        &mut self,
        shape: &Shape,
        set: u16,
        (recovered, recovers): (&mut [u64; SET_WORDS], bool),
    ) -> Received {
        *recovered = [0; SET_WORDS];
        let bits = self.bits(set);
        let (width, data) = (shape.width(set) as usize, shape.needed(set) as usize);
        let lacks_data = |(place, word): (usize, &u64)| {
            let data = mask(data.saturating_sub(place * 64));
            word & data != data
        };
        // With all data there, nothing is worked out: coding shreds still come by themselves
        // (Agave, `ledger/src/blockstore_meta.rs`: such a set is full, not recoverable).
        if bits.iter().enumerate().any(lacks_data) {
            for (place, word) in bits.iter().enumerate() {
                let all = mask(width.saturating_sub(place * 64));
                let data = mask(data.saturating_sub(place * 64));
                self.data_held += (data & !word).count_ones();
                recovered[place] = all & !word;
            }
            let gained = recovered.iter().map(|word| word.count_ones()).sum::<u32>();
            self.tally.recovered += gained;
            if recovers {
                self.hold(set, recovered);
                self.held += gained;
            }
        }
        self.decoded += 1;
        let last = ShredAt { set, place: (shape.needed(set) - 1) as u8 };
        self.data_end = self.data_end.max(shape.index(last) + 1);
        match self.decoded == shape.sets() {
            true => Received::DECODES | Received::WHOLE,
            false => Received::DECODES,
        }
    }

    /// Fetches what a shred will need. Where the bit stands is worked out for whole words, so that
    /// nothing has to be read first.
    #[inline]
    pub(super) fn fetch(&self, at: ShredAt) {
        fetch(self);
        fetch_at(&self.bits.near, usize::from(at.set) % NEAR_WORDS);
    }

    /// The word and the bit of a shred.
    #[inline]
    fn bit_of(&self, at: ShredAt) -> (usize, u64) {
        let bit = (usize::from(at.set) << self.set_bits) + usize::from(at.place);
        (bit / 64, 1 << (bit % 64))
    }

    /// Shreds of a set that the node has.
    #[inline]
    fn count(&self, set: u16) -> u32 {
        if self.set_bits <= 6 {
            return self.bits(set)[0].count_ones();
        }
        self.bits(set).iter().map(|word| word.count_ones()).sum()
    }

    /// The bits of a set.
    #[inline]
    fn bits(&self, set: u16) -> [u64; SET_WORDS] {
        let first = usize::from(set) << self.set_bits;
        let mut bits = [0; SET_WORDS];
        if self.set_bits <= 6 {
            bits[0] = self.bits.word(first / 64) >> (first % 64) & mask(1 << self.set_bits);
        } else {
            let words = bits.iter_mut().zip(first / 64..).take(1 << (self.set_bits - 6));
            words.for_each(|(word, at)| *word = self.bits.word(at));
        }
        bits
    }

    /// Sets further bits of a set.
    fn hold(&mut self, set: u16, more: &[u64; SET_WORDS]) {
        let first = usize::from(set) << self.set_bits;
        if self.set_bits <= 6 {
            *self.bits.word_mut(first / 64) |= more[0] << (first % 64);
        } else {
            let words = more.iter().zip(first / 64..).take(1 << (self.set_bits - 6));
            words.for_each(|(more, at)| *self.bits.word_mut(at) |= more);
        }
    }

    /// Notes when a set was first heard of; skipped ones count from the same moment (Agave 4.4,
    /// `core/src/repair/repair_service.rs`).
    fn hear_of(&mut self, now: Time, set: u16) -> bool {
        let set = u32::from(set);
        let fresh = set >= self.known_sets;
        while self.known_sets <= set {
            self.since[self.known_sets as usize] = now.as_nanos();
            self.known_sets += 1;
        }
        fresh
    }

    /// When its first shred came.
    #[must_use]
    pub const fn first(&self) -> Time {
        self.first
    }

    /// Whether every shred came or was recovered.
    #[must_use]
    pub const fn is_full(&self, shape: &Shape) -> bool {
        self.held == shape.shreds()
    }

    /// When the last shred came that the node did not have.
    #[must_use]
    pub const fn last(&self) -> Time {
        self.last
    }

    /// What is counted of it.
    #[must_use]
    pub const fn tally(&self) -> Tally {
        self.tally
    }

    /// Sets heard of: all up to the newest one that a shred came of.
    #[must_use]
    pub const fn known_sets(&self) -> u32 {
        self.known_sets
    }

    /// When a set was first heard of; [`Time::MAX`] for never.
    #[must_use]
    pub fn since(&self, set: u16) -> Time {
        Time::from_nanos(self.since[usize::from(set)])
    }

    /// When a set was first heard of; for one beyond the newest set, of which a node may know from
    /// the leader's proposal alone, when that one was, or else the block.
    #[must_use]
    pub fn observed(&self, set: u16) -> Time {
        let newest = self.known_sets.checked_sub(1);
        newest.map_or(self.first, |newest| self.since(newest.min(set.into()) as u16))
    }

    /// Whether the node knows which shred is the last: it has it, or decoded the last set, or was
    /// told by the leader's proposal.
    #[must_use]
    pub const fn is_end_known(&self) -> bool {
        self.end_known
    }

    /// The leader's proposal told how many shreds there are.
    pub fn learn_end(&mut self) {
        self.end_known = true;
    }

    /// Whether the node has a shred of the block, received or recovered.
    #[must_use]
    pub fn has(&self, shape: &Shape, at: ShredAt) -> bool {
        let (word, bit) = self.bit_of(at);
        self.bits.word(word) & bit != 0 || self.is_decoded(shape, at.set)
    }

    /// Whether a set can be decoded.
    #[must_use]
    pub fn is_decoded(&self, shape: &Shape, set: u16) -> bool {
        self.count(set) >= shape.needed(set)
    }

    /// The data shreds of a set that the node lacks, in increasing order.
    pub fn missing(&self, shape: &Shape, set: u16) -> impl Iterator<Item = ShredAt> + use<> {
        let bits = self.bits(set);
        let needed = if self.is_decoded(shape, set) { 0 } else { shape.needed(set) };
        (0..needed as u8)
            .filter(move |place| bits[usize::from(place / 64)] >> (place % 64) & 1 == 0)
            .map(move |place| ShredAt { set, place })
    }

    /// One more than the number of the last data shred that came or was recovered; zero for none.
    #[must_use]
    pub const fn data_end(&self) -> u32 {
        self.data_end
    }

    /// Whether no data shred is missing before the last that came.
    #[must_use]
    pub const fn is_gapless(&self) -> bool {
        self.data_held == self.data_end
    }

    /// Whether a shred came as the answer to a repair request.
    #[must_use]
    pub fn is_repaired(&self, at: ShredAt) -> bool {
        let (word, bit) = self.bit_of(at);
        self.repaired.get(word).is_some_and(|bits| bits & bit != 0)
    }
}

/// The lowest `count` bits.
const fn mask(count: usize) -> u64 {
    if count >= 64 { u64::MAX } else { (1 << count) - 1 }
}
