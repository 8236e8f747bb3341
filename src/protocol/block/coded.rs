//! Protocol layer: the bytes of a block's shreds and their erasure coding, for runs that compute it
//! instead of counting shreds.
//!
//! A block as bytes: its canonical bytes, as many of them as fit into its size; then filler up to
//! its size, which is SHA-256 in counter mode over the block's hash, so that no two shreds are
//! alike. They are cut into the data shards of one FEC set after the other, and the rest of the
//! last set is zeros. A shard is the part of a shred that carries the block: headers are not coded.
//! A shard of an odd number of bytes is coded with a zero behind it (the library codes words of 16
//! bits), which is not part of any message.

use std::fmt;
use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Cut, Shape};
use crate::base::digest::Digest;

/// Whether the bytes of shreds exist. A run is the same either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Erasure {
    /// Shreds are counted: as many of a FEC set as it has data shreds decode it, whichever they
    /// are.
    #[default]
    Counted,
    /// Leaders code the bytes of their blocks with Reed-Solomon, and every node that lacks data
    /// shreds of a set computes them from the shreds that it has, and compares them with the
    /// leader's.
    Real,
}

/// The shards of a block, data and coding; shared by all nodes.
#[derive(Clone, PartialEq, Eq)]
pub struct Coded {
    sets: Box<[Set]>,
}

/// The shards of a FEC set, one behind the other, the data shards first.
#[derive(Clone, PartialEq, Eq)]
struct Set {
    /// Data shards.
    data: usize,
    /// Bytes of a shard.
    size: usize,
    bytes: Box<[u8]>,
}

impl fmt::Debug for Coded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes: usize = self.sets.iter().map(|set| set.bytes.len()).sum();
        write!(f, "Coded({} sets, {bytes} bytes)", self.sets.len())
    }
}

impl Coded {
    /// Cuts and codes a block of `size` bytes; `None` if its shape has no coding shreds.
    ///
    /// # Panics
    /// If the settings of the shape fail the check of Turbine's settings.
    #[must_use]
    pub fn of(
        canonical: &[u8],
        hash: &Digest,
        size: u32,
        shape: &Shape,
        cut: &Cut,
    ) -> Option<Self> {
        if !shape.has_coding() {
            return None;
        }
        let bytes = serialised(canonical, hash, size as usize);
        let mut rest = bytes.as_slice();
        let sets = (0..shape.sets()).map(|set| {
            let chunk = if set + 1 == shape.sets() { cut.last_chunk } else { cut.chunk };
            let room = usize::from(cut.set_data) * chunk as usize;
            let (bytes, later) = rest.split_at(room.min(rest.len()));
            rest = later;
            Set::of(bytes, chunk as usize, cut)
        });
        Some(Self { sets: sets.collect() })
    }

    /// Bytes of memory that the shards of a block of this shape take.
    #[must_use]
    pub fn memory(shape: &Shape, cut: &Cut) -> u64 {
        let width = u64::from(cut.set_data) + u64::from(cut.set_coding);
        let shard = |chunk: u32| u64::from(chunk).next_multiple_of(2);
        let full = u64::from(shape.sets().saturating_sub(1));
        width.saturating_mul(full * shard(cut.chunk) + shard(cut.last_chunk))
    }

    /// Whether the shreds of a set that a node has give back the data shreds that it lacks. A bit
    /// of `lacked` is set for each shred of the set that the node does not have.
    #[must_use]
    pub fn restores(&self, set: u16, lacked: &[u64]) -> bool {
        self.sets.get(usize::from(set)).is_some_and(|set| set.restores(lacked))
    }

    /// Damages a shard.
    #[cfg(test)]
    pub(crate) fn damage(&mut self, set: usize, place: usize) {
        let set = &mut self.sets[set];
        set.bytes[place * set.size] ^= 1;
    }
}

impl Set {
    /// Codes the bytes of a set, which need not fill it.
    fn of(bytes: &[u8], chunk: usize, cut: &Cut) -> Self {
        let (data, coding) = (usize::from(cut.set_data), usize::from(cut.set_coding));
        let size = chunk.next_multiple_of(2);
        let mut shards = vec![0; (data + coding) * size];
        for (shard, chunk) in shards.chunks_exact_mut(size).zip(bytes.chunks(chunk)) {
            shard[..chunk.len()].copy_from_slice(chunk);
        }
        let (originals, codes) = shards.split_at_mut(data * size);
        let coded = reed_solomon_simd::encode(data, coding, originals.chunks_exact(size));
        let coded = coded.expect("at least one shard of either kind, together at most 256");
        for (shard, code) in codes.chunks_exact_mut(size).zip(coded) {
            shard.copy_from_slice(&code);
        }
        Self { data, size, bytes: shards.into() }
    }

    fn width(&self) -> usize {
        self.bytes.len() / self.size
    }

    fn shard(&self, place: usize) -> &[u8] {
        &self.bytes[place * self.size..][..self.size]
    }

    fn restores(&self, lacked: &[u64]) -> bool {
        let lacks =
            |place: usize| lacked.get(place / 64).is_some_and(|word| word >> (place % 64) & 1 == 1);
        if !(0..self.data).any(lacks) {
            return true;
        }
        let held = |places: Range<usize>, first: usize| {
            let held = places.filter(|place| !lacks(*place));
            held.map(move |place| (place - first, self.shard(place)))
        };
        let (coding, width) = (self.width() - self.data, self.width());
        let originals = held(0..self.data, 0);
        let codes = held(self.data..width, self.data);
        let restored = reed_solomon_simd::decode(self.data, coding, originals, codes);
        let is_restored = |restored: &std::collections::BTreeMap<usize, Vec<u8>>, place: usize| {
            restored.get(&place).is_some_and(|bytes| bytes == self.shard(place))
        };
        restored.is_ok_and(|restored| {
            (0..self.data).filter(|place| lacks(*place)).all(|place| is_restored(&restored, place))
        })
    }
}

/// A block as bytes, without the padding of its last set.
fn serialised(canonical: &[u8], hash: &Digest, size: usize) -> Vec<u8> {
    let mut bytes = canonical[..canonical.len().min(size)].to_vec();
    bytes.reserve_exact(size - bytes.len());
    let mut counter = 0_u64;
    while bytes.len() < size {
        let block = Digest::of_parts(&[b"headwater filler", &hash.0, &counter.to_le_bytes()]);
        bytes.extend_from_slice(&block.0[..(size - bytes.len()).min(block.0.len())]);
        counter += 1;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::{Purpose, Rng, Seed};

    const fn cut(chunk: u32, last_chunk: u32, set_data: u16, set_coding: u16) -> Cut {
        Cut { chunk, last_chunk, set_data, set_coding, data_overhead: 7, coding_overhead: 9 }
    }

    fn coded(cut: &Cut, size: u32) -> (Shape, Coded) {
        let (shape, hash) = (cut.shape(size), Digest::of(b"block"));
        let coded = Coded::of(&[9; 50], &hash, size, &shape, cut).expect("there is coding");
        (shape, coded)
    }

    /// Bits of all shreds of a set but `held` random ones.
    fn all_but(held: usize, width: usize, rng: &mut Rng) -> [u64; 4] {
        let mut places: Vec<usize> = (0..width).collect();
        rng.shuffle(&mut places);
        let mut lacked = [0; 4];
        for place in &places[held..] {
            lacked[place / 64] |= 1 << (place % 64);
        }
        lacked
    }

    #[test]
    fn a_block_as_bytes_is_what_the_documentation_says() {
        // Python: hashlib.sha256 over the three parts, each after its length in 8 bytes
        // (little-endian), counters 0 and 1, for the hash sha256(b"block").
        let bytes = serialised(b"canonical", &Digest::of(b"block"), 50);
        let hex: String = bytes[9..].iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(bytes[..9], *b"canonical");
        assert_eq!(hex, FILLER);
        assert_eq!(serialised(b"canonical", &Digest::of(b"block"), 4), b"cano");
    }

    const FILLER: &str = "d45fc330711383cce222c5ecd176776061bcc129a7ba728a7fa7578ed76a4c59\
                          2ca5e7427dc8c294d2";

    #[test]
    fn shards_follow_the_block_and_the_last_set_is_padded() {
        // Sets of 3 shards of 5 bytes, in the last 3 of 4: a block of 20 bytes is 15 and 5.
        let (shape, coded) = coded(&cut(5, 4, 3, 2), 20);
        assert_eq!((shape.sets(), coded.sets.len()), (2, 2));
        let bytes = serialised(&[9; 50], &Digest::of(b"block"), 20);
        let of_set =
            |set: usize| (0..3).map(|place| coded.sets[set].shard(place)).collect::<Vec<_>>();
        let odd = |chunk: &[u8]| [chunk, &[0]].concat();
        assert_eq!(of_set(0), [odd(&bytes[..5]), odd(&bytes[5..10]), odd(&bytes[10..15])]);
        assert_eq!(of_set(1), [bytes[15..19].to_vec(), vec![bytes[19], 0, 0, 0], vec![0; 4]]);
        // Six bytes in five shards, four bytes in five.
        assert_eq!(Coded::memory(&shape, &cut(5, 4, 3, 2)), 50);
        assert_eq!(format!("{coded:?}"), "Coded(2 sets, 50 bytes)");
        assert_eq!(
            Coded::of(&[], &Digest::default(), 9, &Cut::default().shape(9), &Cut::default()),
            None
        );
    }

    #[test]
    fn any_shreds_as_many_as_there_are_data_restore_a_set_and_fewer_do_not() {
        let mut rng = Rng::of_cluster(Seed(3), Purpose::Workload);
        for (data, coding) in [(4, 4), (32, 32), (3, 1), (1, 3), (100, 156), (1, 255), (255, 1)] {
            let cut = cut(33, 30, data, coding);
            let (shape, coded) = coded(&cut, 33 * u32::from(data) + 40);
            assert_eq!(shape.sets(), 2 + u32::from(data == 1), "the last one is padded");
            let (data, width) = (usize::from(data), usize::from(data + coding));
            for _ in 0..20 {
                let lacked = all_but(data, width, &mut rng);
                assert!(coded.restores(0, &lacked) && coded.restores(1, &lacked), "{cut:?}");
                let lacked = all_but(data - 1, width, &mut rng);
                assert!(!coded.restores(1, &lacked), "{cut:?}");
            }
            assert!(!coded.restores(9, &[0]), "there is no such set");
        }
    }

    #[test]
    fn a_damaged_shard_makes_the_comparison_fail() {
        let (_, whole) = coded(&cut(100, 90, 4, 4), 700);
        // The node has data shreds 0 and 1, coding shreds 4 and 5.
        let lacked = [0b1100_1100];
        assert!(whole.restores(1, &lacked));
        for place in 0..8 {
            let mut damaged = whole.clone();
            damaged.damage(1, place);
            assert!(damaged.restores(0, &lacked), "the other set is as it was");
            // A lacked coding shred has no part in it; a lacked data shred is compared with it.
            assert_eq!(damaged.restores(1, &lacked), place >= 6, "shard {place}");
            // With all data there, nothing is computed.
            assert!(damaged.restores(1, &[0b1111_0000]));
        }
    }
}
