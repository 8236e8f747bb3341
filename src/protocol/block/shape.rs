//! Protocol layer: how a block is cut into shreds: FEC sets of data and coding shreds, their sizes
//! and their numbers.

/// A shred's place: its FEC set and its place in the set, data shreds first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ShredAt {
    /// The set, from zero.
    pub set: u16,
    /// The place in the set, from zero.
    pub place: u8,
}

/// How a block is cut. A set has `set_data` data shreds (the last one of a block without coding may
/// have fewer) and `set_coding` coding shreds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shape {
    /// Data shreds of the block.
    data: u32,
    set_data: u16,
    set_coding: u16,
    /// Payload bytes of a data shred as a message.
    data_size: u32,
    /// Payload bytes of a coding shred as a message.
    coding_size: u32,
    /// Payload bytes of the last data shred as a message.
    last_size: u32,
}

/// What shreds look like: the part of the settings that a shape is made from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cut {
    /// Bytes of a block in one data shred; at least 1.
    pub chunk: u32,
    /// The same in the last set, where there is less room for it; at least 1.
    pub last_chunk: u32,
    /// Data shreds of a set, 1 to 255.
    pub set_data: u16,
    /// Coding shreds of a set; zero for no coding. Both together at most 256.
    pub set_coding: u16,
    /// Bytes of a data shred beside its part of the block.
    pub data_overhead: u32,
    /// Bytes of a coding shred beside the size of a part of the block.
    pub coding_overhead: u32,
}

impl Default for Cut {
    /// The classroom's: chunks of 1,024 bytes without coding.
    fn default() -> Self {
        Self {
            chunk: 1_024,
            last_chunk: 1_024,
            set_data: 32,
            set_coding: 0,
            data_overhead: 0,
            coding_overhead: 0,
        }
    }
}

impl Cut {
    /// The shape of a block of so many bytes, which has at least one shred.
    ///
    /// With coding every set is full: the rest is padded (SIMD-0317). Without, the last shred is as
    /// short as what is left.
    #[must_use]
    pub fn shape(&self, bytes: u32) -> Shape {
        let bytes = bytes.max(1);
        let set_data = u32::from(self.set_data);
        let (data, last) = if self.set_coding == 0 {
            let data = bytes.div_ceil(self.chunk);
            (data, bytes - (data - 1) * self.chunk)
        } else {
            let last_room = self.last_chunk.saturating_mul(set_data);
            let room = self.chunk.saturating_mul(set_data);
            let sets = 1 + bytes.saturating_sub(last_room).div_ceil(room);
            (sets * set_data, self.chunk)
        };
        self.of_data(data, last)
    }

    /// The shape of a block of so many shreds, data and coding together, rounded up to whole sets
    /// if there is coding.
    #[must_use]
    pub fn shape_of_shreds(&self, shreds: u32) -> Shape {
        if self.set_coding == 0 {
            return self.of_data(shreds.max(1), self.chunk);
        }
        let width = u32::from(self.set_data) + u32::from(self.set_coding);
        let sets = shreds.div_ceil(width).max(1);
        self.of_data(sets * u32::from(self.set_data), self.chunk)
    }

    /// Bytes of the block that fill a shape made by [`Cut::shape_of_shreds`].
    #[must_use]
    pub fn bytes_of(&self, shape: &Shape) -> u32 {
        if self.set_coding == 0 {
            return shape.data.saturating_mul(self.chunk);
        }
        let set_data = u32::from(self.set_data);
        let full = (shape.data / set_data - 1) * set_data;
        full.saturating_mul(self.chunk).saturating_add(set_data.saturating_mul(self.last_chunk))
    }

    const fn of_data(&self, data: u32, last: u32) -> Shape {
        Shape {
            data,
            set_data: self.set_data,
            set_coding: self.set_coding,
            data_size: self.chunk.saturating_add(self.data_overhead),
            coding_size: self.chunk.saturating_add(self.coding_overhead),
            last_size: last.saturating_add(self.data_overhead),
        }
    }
}

impl Shape {
    /// Sets of the block.
    #[inline]
    #[must_use]
    pub const fn sets(&self) -> u32 {
        self.data.div_ceil(self.set_data as u32)
    }

    /// Data shreds of the block.
    #[must_use]
    pub const fn data(&self) -> u32 {
        self.data
    }

    /// Coding shreds of the block.
    #[must_use]
    pub const fn coding(&self) -> u32 {
        self.sets() * self.set_coding as u32
    }

    /// Shreds of the block.
    #[must_use]
    pub const fn shreds(&self) -> u32 {
        self.data + self.coding()
    }

    /// Data shreds of a set: how many of its shreds, of either kind, decode it.
    #[inline]
    #[must_use]
    pub const fn needed(&self, set: u16) -> u32 {
        let before = set as u32 * self.set_data as u32;
        let left = self.data - before;
        if left < self.set_data as u32 { left } else { self.set_data as u32 }
    }

    /// Shreds of a set.
    #[inline]
    #[must_use]
    pub const fn width(&self, set: u16) -> u32 {
        self.needed(set) + self.set_coding as u32
    }

    /// Shreds of a full set, at most 256.
    #[inline]
    #[must_use]
    pub const fn set_width(&self) -> u32 {
        self.set_data as u32 + self.set_coding as u32
    }

    /// Whether a shred is a coding shred.
    #[inline]
    #[must_use]
    pub const fn is_coding(&self, at: ShredAt) -> bool {
        at.place as u32 >= self.needed(at.set)
    }

    /// A shred's number among the data shreds of the block, or among the coding shreds.
    #[inline]
    #[must_use]
    pub const fn index(&self, at: ShredAt) -> u32 {
        let (set, place, needed) = (at.set as u32, at.place as u32, self.needed(at.set));
        if place < needed {
            set * self.set_data as u32 + place
        } else {
            set * self.set_coding as u32 + place - needed
        }
    }

    /// The place of a data shred.
    #[must_use]
    pub const fn data_at(&self, index: u32) -> ShredAt {
        let per_set = self.set_data as u32;
        ShredAt { set: (index / per_set) as u16, place: (index % per_set) as u8 }
    }

    /// A shred's number among all shreds of the block in the order of sending: set after set, in
    /// each its data shreds and then its coding shreds.
    #[must_use]
    pub const fn ordinal(&self, at: ShredAt) -> u32 {
        at.set as u32 * (self.set_data as u32 + self.set_coding as u32) + at.place as u32
    }

    /// The shred with this number in the order of sending.
    #[must_use]
    pub const fn at(&self, ordinal: u32) -> ShredAt {
        let width = self.set_data as u32 + self.set_coding as u32;
        ShredAt { set: (ordinal / width) as u16, place: (ordinal % width) as u8 }
    }

    /// Payload bytes of a shred as a message.
    #[inline]
    #[must_use]
    pub const fn size(&self, at: ShredAt) -> u32 {
        if self.is_coding(at) {
            self.coding_size
        } else if self.index(at) + 1 == self.data {
            self.last_size
        } else {
            self.data_size
        }
    }

    /// Whether nothing but padding distinguishes it: there are coding shreds.
    #[must_use]
    pub const fn has_coding(&self) -> bool {
        self.set_coding > 0
    }

    /// All shreds of a set in the order of sending.
    pub fn set(&self, set: u16) -> impl Iterator<Item = ShredAt> + use<> {
        (0..self.width(set)).map(move |place| ShredAt { set, place: place as u8 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Agave's figures: 963 bytes per data shred, 899 in the last set, 1,203 and 1,228 on the wire.
    const SOLANA: Cut = Cut {
        chunk: 963,
        last_chunk: 899,
        set_data: 32,
        set_coding: 32,
        data_overhead: 240,
        coding_overhead: 265,
    };
    /// The classroom's: 1,024 bytes, no coding.
    const CLASSROOM: Cut = Cut {
        chunk: 1_024,
        last_chunk: 1_024,
        set_data: 32,
        set_coding: 0,
        data_overhead: 0,
        coding_overhead: 0,
    };

    #[test]
    fn a_coded_block_has_whole_sets_and_less_room_in_the_last() {
        // The last set holds 32 x 899 = 28,768 bytes, each other one 32 x 963 = 30,816.
        for (bytes, sets) in [(1, 1), (28_768, 1), (28_769, 2), (59_584, 2), (59_585, 3)] {
            let shape = SOLANA.shape(bytes);
            assert_eq!((shape.sets(), shape.data(), shape.coding()), (sets, sets * 32, sets * 32));
        }
        let shape = SOLANA.shape_of_shreds(2_048);
        assert_eq!((shape.sets(), shape.shreds()), (32, 2_048));
        assert_eq!(SOLANA.bytes_of(&shape), 31 * 30_816 + 28_768);
        assert_eq!(SOLANA.shape(SOLANA.bytes_of(&shape)), shape);
        assert_eq!(shape.size(ShredAt { set: 3, place: 31 }), 1_203);
        assert_eq!(shape.size(ShredAt { set: 3, place: 32 }), 1_228);
    }

    #[test]
    fn without_coding_the_last_chunk_is_what_is_left() {
        let shape = CLASSROOM.shape(33 * 1_024 + 5);
        assert_eq!((shape.data(), shape.sets(), shape.coding()), (34, 2, 0));
        assert_eq!((shape.needed(0), shape.needed(1)), (32, 2));
        assert_eq!(shape.size(shape.data_at(0)), 1_024);
        assert_eq!(shape.size(shape.data_at(33)), 5);
        assert_eq!(CLASSROOM.shape(0).shreds(), 1, "an empty block is sent too");
    }

    #[test]
    fn numbers_and_places_belong_together() {
        for shape in [SOLANA.shape(100_000), CLASSROOM.shape(100_000)] {
            let sets = (0..shape.sets()).flat_map(|set| shape.set(set as u16));
            let all: Vec<ShredAt> = sets.collect();
            assert_eq!(all.len() as u32, shape.shreds());
            for (number, at) in all.iter().enumerate() {
                assert_eq!((shape.at(number as u32), shape.ordinal(*at)), (*at, number as u32));
                if !shape.is_coding(*at) {
                    assert_eq!(shape.data_at(shape.index(*at)), *at);
                }
            }
        }
    }
}
