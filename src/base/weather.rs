//! Base layer: the weather, which is the chance that messages meet on the network: loss, latency,
//! jitter, duplication, corruption.
//!
//! Weather is one frozen function of what a message *is* (sender, receiver, kind, serial) and not a
//! sequence that is used up, so a message meets the same weather whatever else is sent, observed or
//! switched on. The function is Philox4x32-10: Salmon, Moraes, Dror and Shaw, "Parallel random
//! numbers: as easy as 1, 2, 3", SC'11, section 3.4.

#[cfg(target_arch = "x86_64")]
use safe_arch::{
    add_i32_m128i, bitxor_m128i, m128i, mul_widen_u32_odd_m128i, set_splat_i64_m128i,
    shr_imm_u64_m128i, shuffle_ai_f32_all_m128i, unpack_high_i32_m128i, unpack_low_i32_m128i,
    zeroed_m128i,
};

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
    /// multiplications.
    #[inline]
    pub fn draw_row(self, row: &WeatherRow, into: &mut WeatherDrawn) {
        let from = [row.from; LANES];
        let draw =
            |group: &Group| philox_row(&[from, group.to, group.serial, group.last], self.key);
        into.0.clear();
        into.0.extend(row.groups.iter().map(draw));
    }

    /// What every link of a row draws for itself, whatever the message: [`Self::draw`] of
    /// [`LINK_KIND`] and serial zero.
    #[inline]
    pub fn draw_links(self, row: &WeatherRow, into: &mut WeatherDrawn) {
        let (from, last) = ([row.from; LANES], [last_word(LINK_KIND, 0); LANES]);
        let draw = |group: &Group| philox_row(&[from, group.to, [0; LANES], last], self.key);
        into.0.clear();
        into.0.extend(row.groups.iter().map(draw));
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
    groups: Vec<Group>,
}

/// Words 1 to 3 of the counters of so many messages side by side; the last group is filled up.
#[derive(Clone, Copy, Debug)]
struct Group {
    to: [u32; LANES],
    serial: [u32; LANES],
    last: [u32; LANES],
}

/// What the messages of a row have drawn, in their order.
#[derive(Clone, Debug, Default)]
pub struct WeatherDrawn(Vec<Lanes>);

impl WeatherDrawn {
    /// What the message at this place of the row has drawn.
    ///
    /// # Panics
    /// If the row is shorter by so much that it has no group of this place.
    #[inline]
    #[must_use]
    pub fn at(&self, place: usize) -> u64 {
        self.0[place / LANES][place % LANES]
    }
}

impl WeatherRow {
    /// Starts a row of messages of this sender.
    #[inline]
    pub fn begin(&mut self, from: NodeId) {
        self.from = from.number();
        self.len = 0;
        self.groups.clear();
    }

    /// Adds a message: its receiver, kind and serial, as for [`Weather::draw`].
    #[inline]
    pub fn push(&mut self, to: NodeId, kind: u8, serial: u64) {
        debug_assert!(serial >> SERIAL_BITS == 0, "a serial has at most 56 bits");
        let (to, low, last) = (to.number(), serial as u32, last_word(kind, serial));
        let lane = self.len % LANES;
        self.len += 1;
        match self.groups.last_mut() {
            Some(group) if lane > 0 => {
                (group.to[lane], group.serial[lane], group.last[lane]) = (to, low, last);
            }
            _ => self.groups.push(Group {
                to: [to; LANES],
                serial: [low; LANES],
                last: [last; LANES],
            }),
        }
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

/// How many blocks are worked out side by side.
const LANES: usize = 4;

/// A word of so many counters, or the first two words of so many blocks as one number each.
type Lanes = [u64; LANES];

/// The first two words of [`philox`] of so many counters, as one number each.
#[cfg(not(target_arch = "x86_64"))]
fn philox_row(counters: &[[u32; LANES]; 4], key: [u32; 2]) -> Lanes {
    std::array::from_fn(|lane| {
        let block = philox(counters.map(|word| word[lane]), key);
        u64::from(block[1]) << 32 | u64::from(block[0])
    })
}

/// The same with the vectors that every core of this architecture has. Each word stands in the
/// lower half of a lane of 64 bits, as they are multiplied; upper halves are never read.
#[cfg(target_arch = "x86_64")]
fn philox_row(counters: &[[u32; LANES]; 4], key: [u32; 2]) -> Lanes {
    let lanes = |value: u64| set_splat_i64_m128i(value.cast_signed());
    let wide = |word: [u32; LANES]| {
        let (word, zero) = (m128i::from(word), zeroed_m128i());
        [unpack_low_i32_m128i(word, zero), unpack_high_i32_m128i(word, zero)]
    };
    let [mut a, mut b, mut c, mut d] = counters.map(wide);
    let multipliers = MULTIPLIERS.map(lanes);
    let increments = INCREMENTS.map(|increment| lanes(increment.into()));
    let mut keys = key.map(|half| lanes(half.into()));
    let high_half_with = |product, other, key| {
        bitxor_m128i(bitxor_m128i(shr_imm_u64_m128i::<32>(product), other), key)
    };
    for _ in 0..ROUNDS {
        for at in 0..LANES / 2 {
            let left = mul_widen_u32_odd_m128i(multipliers[0], a[at]);
            let right = mul_widen_u32_odd_m128i(multipliers[1], c[at]);
            a[at] = high_half_with(right, b[at], keys[0]);
            b[at] = right;
            c[at] = high_half_with(left, d[at], keys[1]);
            d[at] = left;
        }
        keys = [add_i32_m128i(keys[0], increments[0]), add_i32_m128i(keys[1], increments[1])];
    }
    // Lanes 0 and 2 of both words, in turn.
    let lower = |word| shuffle_ai_f32_all_m128i::<0b00_00_10_00>(word);
    let join = |at: usize| <[u64; 2]>::from(unpack_low_i32_m128i(lower(a[at]), lower(b[at])));
    let ([first, second], [third, fourth]) = (join(0), join(1));
    [first, second, third, fourth]
}

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
        let (mut row, mut drawn) = (WeatherRow::default(), WeatherDrawn::default());
        for length in 0..=messages.len() {
            row.begin(from);
            messages[..length].iter().for_each(|(to, kind, serial)| row.push(*to, *kind, *serial));
            weather.draw_row(&row, &mut drawn);
            let each = messages[..length].iter();
            let alone =
                each.clone().map(|(to, kind, serial)| weather.draw(from, *to, *kind, *serial));
            assert!((0..length).map(|place| drawn.at(place)).eq(alone));
            weather.draw_links(&row, &mut drawn);
            let alone = each.map(|(to, ..)| weather.draw(from, *to, LINK_KIND, 0));
            assert!((0..length).map(|place| drawn.at(place)).eq(alone));
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
