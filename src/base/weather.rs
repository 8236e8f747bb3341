//! Base layer: the weather, which is the chance that messages meet on the network: loss, latency,
//! jitter, duplication, corruption.
//!
//! Weather is one frozen function of what a message *is* (sender, receiver, kind, serial) and not a
//! sequence that is used up, so a message meets the same weather whatever else is sent, observed or
//! switched on. The function is Philox4x32-10: Salmon, Moraes, Dror and Shaw, "Parallel random
//! numbers: as easy as 1, 2, 3", SC'11, section 3.4.

use super::id::NodeId;
use super::rng::{Purpose, Seed, stream_key};

/// The weather of a run for one purpose: a function from messages to uniform bits.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    key: [u32; 2],
}

impl Weather {
    /// The weather of this seed for this purpose.
    #[must_use]
    pub fn new(seed: Seed, purpose: Purpose) -> Self {
        let key = stream_key(seed, purpose, KEY_NODE).low_u64();
        Self { key: [key as u32, (key >> 32) as u32] }
    }

    /// 64 uniform bits for one message: words 0 (low half) and 1 (high half) of its block.
    ///
    /// The serial tells the messages of one kind between two nodes apart; its lowest 56 bits count.
    #[inline]
    #[must_use]
    pub fn draw(self, from: NodeId, to: NodeId, kind: u8, serial: u64) -> u64 {
        self.draw_pair(from, to, kind, serial).0
    }

    /// The same for all messages of a row; several at a time, because each alone is a long chain of
    /// multiplications. `into` is cleared first; what stands in it beyond the row means nothing.
    #[inline]
    pub fn draw_row(self, row: &WeatherRow, into: &mut Vec<u64>) {
        into.clear();
        let from = [row.from; LANES];
        for ((to, serial), last) in row.to.iter().zip(&row.serial).zip(&row.last) {
            into.extend_from_slice(&philox_row(&[from, *to, *serial, *last], self.key));
        }
    }

    /// What every link of a row draws for itself, whatever the message: [`Self::draw`] of
    /// [`LINK_KIND`] and serial zero.
    #[inline]
    pub fn draw_links(self, row: &WeatherRow, into: &mut Vec<u64>) {
        into.clear();
        let (from, last) = ([row.from; LANES], [last_word(LINK_KIND, 0); LANES]);
        for to in &row.to {
            into.extend_from_slice(&philox_row(&[from, *to, [0; LANES], last], self.key));
        }
    }

    /// Twice 64 independent uniform bits for one message: the first is that of [`Self::draw`], the
    /// second is made of words 2 and 3 of the same block and comes for free.
    #[inline]
    #[must_use]
    pub fn draw_pair(self, from: NodeId, to: NodeId, kind: u8, serial: u64) -> (u64, u64) {
        debug_assert!(serial >> SERIAL_BITS == 0, "a serial has at most 56 bits");
        let counter = [from.number(), to.number(), serial as u32, last_word(kind, serial)];
        let block = philox(counter, self.key);
        let join = |low: u32, high: u32| u64::from(high) << 32 | u64::from(low);
        (join(block[0], block[1]), join(block[2], block[3]))
    }
}

/// Messages of one sender whose weather is drawn together.
#[derive(Clone, Debug, Default)]
pub struct WeatherRow {
    from: u32,
    len: usize,
    // Words 1 to 3 of the counters, so many messages side by side; the last ones are filled up.
    to: Vec<[u32; LANES]>,
    serial: Vec<[u32; LANES]>,
    last: Vec<[u32; LANES]>,
}

impl WeatherRow {
    /// Starts a row of messages of this sender.
    #[inline]
    pub fn begin(&mut self, from: NodeId) {
        self.from = from.number();
        self.len = 0;
        self.to.clear();
        self.serial.clear();
        self.last.clear();
    }

    /// Adds a message: its receiver, kind and serial, as for [`Weather::draw`].
    #[inline]
    pub fn push(&mut self, to: NodeId, kind: u8, serial: u64) {
        debug_assert!(serial >> SERIAL_BITS == 0, "a serial has at most 56 bits");
        let lane = self.len % LANES;
        if lane == 0 {
            self.to.push([0; LANES]);
            self.serial.push([0; LANES]);
            self.last.push([0; LANES]);
        }
        let group = self.len / LANES;
        self.to[group][lane] = to.number();
        self.serial[group][lane] = serial as u32;
        self.last[group][lane] = last_word(kind, serial);
        self.len += 1;
    }
}

/// Takes the place of a message's kind in what a link draws once and for all.
pub const LINK_KIND: u8 = u8::MAX;

/// Stands for "no node" in the key, so that weather shares its key with no stream of a node and
/// with none of the cluster.
const KEY_NODE: u32 = u32::MAX - 1;

/// How many bits of a serial take part.
const SERIAL_BITS: u32 = 56;

/// Multipliers and key increments of Philox4x32 (same paper, section 3.4 and the published code).
const MULTIPLIERS: [u64; 2] = [0xD251_1F53, 0xCD9E_8D57];
const INCREMENTS: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
const ROUNDS: u32 = 10;

/// One block: a bijection of the counter for every key.
#[inline]
fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..ROUNDS {
        let left = MULTIPLIERS[0] * u64::from(counter[0]);
        let right = MULTIPLIERS[1] * u64::from(counter[2]);
        counter = [
            (right >> 32) as u32 ^ counter[1] ^ key[0],
            right as u32,
            (left >> 32) as u32 ^ counter[3] ^ key[1],
            left as u32,
        ];
        key = [key[0].wrapping_add(INCREMENTS[0]), key[1].wrapping_add(INCREMENTS[1])];
    }
    counter
}

/// The fourth word of a message's counter.
const fn last_word(kind: u8, serial: u64) -> u32 {
    (kind as u32) << 24 | (serial >> 32) as u32 & 0x00FF_FFFF
}

/// How many blocks are worked out side by side: with more of them an ordinary core has too few
/// vectors.
const LANES: usize = 4;

/// A word of so many counters. Each stands in the lower half of its own, as the vectors of a core
/// multiply them; what is left in the upper halves is never read.
type Lanes = [u64; LANES];

/// The first two words of [`philox`] of so many counters, as one number each.
// Inlined, it would be taken apart into single multiplications.
#[inline(never)]
fn philox_row(counters: &[[u32; LANES]; 4], key: [u32; 2]) -> Lanes {
    let [mut a, mut b, mut c, mut d] = counters.map(|word| word.map(u64::from));
    let [mut left_key, mut right_key] = key;
    for _ in 0..ROUNDS {
        for at in 0..LANES {
            let left = MULTIPLIERS[0] * (a[at] & LOW);
            let right = MULTIPLIERS[1] * (c[at] & LOW);
            a[at] = right >> 32 ^ b[at] ^ u64::from(left_key);
            b[at] = right;
            c[at] = left >> 32 ^ d[at] ^ u64::from(right_key);
            d[at] = left;
        }
        left_key = left_key.wrapping_add(INCREMENTS[0]);
        right_key = right_key.wrapping_add(INCREMENTS[1]);
    }
    std::array::from_fn(|at| b[at] << 32 | a[at] & LOW)
}

/// The lower half of a lane.
const LOW: u64 = 0xFFFF_FFFF;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_function_gives_the_published_answers() {
        // Known-answer vectors of philox4x32-10 in the Random123 distribution (kat_vectors).
        let cases = [
            ([0; 4], [0; 2], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
            ([u32::MAX; 4], [u32::MAX; 2], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
            (
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0],
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ];
        for (counter, key, answer) in cases {
            assert_eq!(philox(counter, key), answer);
        }
    }

    #[test]
    fn the_weather_is_frozen() {
        // Independent of this code: Python's hashlib for the key (see the golden vector of
        // `base::rng` for its layout) and Philox written there from the paper.
        let weather = Weather::new(Seed(42), Purpose::Loss);
        assert_eq!(weather.key, [0x2769_64c0, 0x39ba_379f]);
        let (from, to) = (NodeId::new(7), NodeId::new(9));
        let pair = weather.draw_pair(from, to, 5, 0x00ab_cdef_1234_5678);
        assert_eq!(pair, (0xd0e9_445b_b0d8_d9d2, 0x088b_347b_f7b6_82f8));
        assert_eq!(weather.draw(from, to, 5, 0x00ab_cdef_1234_5678), pair.0);
    }

    #[test]
    fn a_row_has_the_weather_of_its_messages() {
        let weather = Weather::new(Seed(42), Purpose::Jitter);
        let message = |place: u32| {
            let serial = u64::from(place) << 30 | 1 << 55 | 3;
            (NodeId::new(place * 7), (place % 3) as u8, serial)
        };
        let (from, messages) = (NodeId::new(5), (0..21).map(message).collect::<Vec<_>>());
        let (mut row, mut drawn) = (WeatherRow::default(), Vec::new());
        for length in 0..=messages.len() {
            row.begin(from);
            messages[..length].iter().for_each(|(to, kind, serial)| row.push(*to, *kind, *serial));
            weather.draw_row(&row, &mut drawn);
            let each = messages[..length].iter();
            let alone =
                each.clone().map(|(to, kind, serial)| weather.draw(from, *to, *kind, *serial));
            assert_eq!(drawn[..length], alone.collect::<Vec<_>>());
            weather.draw_links(&row, &mut drawn);
            let alone = each.map(|(to, ..)| weather.draw(from, *to, LINK_KIND, 0));
            assert_eq!(drawn[..length], alone.collect::<Vec<_>>());
        }
    }

    #[test]
    fn every_part_of_a_message_changes_its_weather() {
        let draw = |seed, purpose, from, to, kind, serial| {
            let weather = Weather::new(Seed(seed), purpose);
            weather.draw(NodeId::new(from), NodeId::new(to), kind, serial)
        };
        let all = [
            draw(1, Purpose::Loss, 3, 4, 5, 6),
            draw(2, Purpose::Loss, 3, 4, 5, 6),
            draw(1, Purpose::Jitter, 3, 4, 5, 6),
            draw(1, Purpose::Loss, 4, 3, 5, 6),
            draw(1, Purpose::Loss, 3, 5, 5, 6),
            draw(1, Purpose::Loss, 3, 4, 6, 6),
            draw(1, Purpose::Loss, 3, 4, 5, 7),
            draw(1, Purpose::Loss, 3, 4, 5, 6 | 1 << 32),
            draw(1, Purpose::Loss, 3, 4, 5, 6 | 1 << 55),
        ];
        for (i, a) in all.iter().enumerate() {
            assert!(all[i + 1..].iter().all(|b| a != b), "draw {i} comes twice");
        }
        assert_eq!(all[0], draw(1, Purpose::Loss, 3, 4, 5, 6));
    }

    #[test]
    fn consecutive_serials_have_uniform_weather() {
        let weather = Weather::new(Seed(9), Purpose::Loss);
        let mut counts = [[0_u32; 16]; 4];
        for serial in 0..64_000 {
            let (a, b) = weather.draw_pair(NodeId::new(0), NodeId::new(1), 2, serial);
            for (row, bits) in counts.iter_mut().zip([a, a << 32, b, b << 32]) {
                row[(bits >> 60) as usize] += 1;
            }
        }
        // Chi-square with 15 degrees of freedom: 99.99 % of uniform samples stay below 44.3.
        for row in counts {
            let off = row.iter().map(|&n| f64::from(n) - 4_000.0);
            let chi_square: f64 = off.map(|off| off * off / 4_000.0).sum();
            assert!(chi_square < 44.3, "{row:?}");
        }
    }
}
