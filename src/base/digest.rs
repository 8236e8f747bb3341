//! Base layer: SHA-256 over canonical bytes, and the digest that identifies a run.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::block_api::compress256;
use sha2::{Digest as _, Sha256};

/// A SHA-256 value; printed as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest of several parts, each preceded by its length, so that no two lists of parts
    /// share their bytes.
    #[must_use]
    pub fn of_parts(parts: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Self(hasher.finalize().into())
    }

    /// The first eight bytes as a number (little-endian).
    #[must_use]
    pub fn low_u64(&self) -> u64 {
        let mut low = [0; 8];
        low.copy_from_slice(&self.0[..8]);
        u64::from_le_bytes(low)
    }

    /// The first `digits` hexadecimal digits.
    #[must_use]
    pub fn short(&self, digits: usize) -> String {
        self.to_string().chars().take(digits).collect()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digit =
            |i: usize| text.get(i..i + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
        let bytes: Option<Vec<u8>> = (0..64).step_by(2).map(digit).collect();
        let proper = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        bytes
            .filter(|_| proper)
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom("a digest has 64 hexadecimal digits"))
    }
}

/// A running SHA-256 over records of half a block. Every second record completes a block, which is
/// hashed at once: the rounds of a block depend on each other, and the processor fills their gaps
/// with the simulation's own work, which it could not do for many blocks in a row.
#[derive(Clone)]
pub struct RunningDigest {
    state: [u32; 8],
    /// The block being filled.
    block: [u8; 2 * Self::BYTES],
    records: u64,
}

impl RunningDigest {
    /// Words of one record: 32 bytes.
    pub const WORDS: usize = 4;
    const BYTES: usize = 8 * Self::WORDS;

    /// A digest of no record yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { state: INITIAL, block: [0; 2 * Self::BYTES], records: 0 }
    }

    /// Adds one record: its words in little-endian order.
    #[inline]
    pub fn record(&mut self, record: [u64; Self::WORDS]) {
        let half = self.records as usize % 2 * Self::BYTES;
        let place = &mut self.block[half..half + Self::BYTES];
        for (bytes, word) in place.chunks_exact_mut(8).zip(record) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        self.records += 1;
        if self.records.is_multiple_of(2) {
            compress256(&mut self.state, &[self.block]);
        }
    }

    /// How many records went in.
    #[must_use]
    pub const fn records(&self) -> u64 {
        self.records
    }

    /// The digest of all records up to now; more may follow.
    #[must_use]
    pub fn value(&self) -> Digest {
        // FIPS 180-4, section 5.1.1: a one, zeros, the length in bits. A record that is left over
        // fills half a block, so the padding always fits into the same one.
        let left = self.records as usize % 2 * Self::BYTES;
        let mut last = self.block;
        last[left..].fill(0);
        last[left] = 0x80;
        last[56..].copy_from_slice(&(self.records * Self::BYTES as u64 * 8).to_be_bytes());
        let mut state = self.state;
        compress256(&mut state, &[last]);
        let mut value = [0; 32];
        for (bytes, word) in value.chunks_exact_mut(4).zip(state) {
            bytes.copy_from_slice(&word.to_be_bytes());
        }
        Digest(value)
    }
}

/// FIPS 180-4, section 5.3.3: the state before the first block.
const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

impl Default for RunningDigest {
    fn default() -> Self {
        Self::new()
    }
}

/// A running SHA-256 over a stream of bytes, and how many went in.
#[derive(Clone, Debug, Default)]
pub struct StreamDigest {
    hasher: Sha256,
    bytes: u64,
}

impl StreamDigest {
    /// Adds the next bytes of the stream.
    pub fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
    }

    /// How many bytes went in.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The digest of all bytes up to now; more may follow.
    #[must_use]
    pub fn value(&self) -> Digest {
        Digest(self.hasher.clone().finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_running_digest_is_sha_256_of_the_records_in_order() {
        let mut running = RunningDigest::new();
        let mut bytes = Vec::new();
        for i in 0..200_u64 {
            running.record([i, i * 3, 7, u64::MAX - i]);
            for word in [i, i * 3, 7, u64::MAX - i] {
                bytes.extend(word.to_le_bytes());
            }
            assert_eq!(running.value(), Digest::of(&bytes), "after {} records", i + 1);
        }
        assert_eq!(running.records(), 200);
    }

    #[test]
    fn the_digest_of_abc_is_the_published_one() {
        // FIPS 180-2, appendix B.1.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Digest::of(b"abc").to_string(), expected);
        let json = serde_json::to_string(&Digest::of(b"abc")).expect("a text");
        assert_eq!(serde_json::from_str::<Digest>(&json).expect("a digest"), Digest::of(b"abc"));
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(Digest::of_parts(&[b"ab", b"c"]), Digest::of_parts(&[b"a", b"bc"]));
    }

    #[test]
    fn a_stream_in_pieces_has_the_digest_of_the_whole() {
        let mut stream = StreamDigest::default();
        stream.update(b"head");
        stream.update(b"");
        stream.update(b"water");
        assert_eq!((stream.bytes(), stream.value()), (9, Digest::of(b"headwater")));
    }
}
