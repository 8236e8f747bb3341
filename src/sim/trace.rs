//! Kernel layer: the digest of a run: SHA-256 over fixed records of message outcomes and protocol
//! facts, never of timers, wakes or other internals, so that an optimisation does not change it.

use super::network::link::Passage;
use crate::base::digest::{Digest, RunningDigest};
use crate::base::time::Time;
use crate::fact::{DropReason, Fact};

/// Records between two checkpoints of the digest.
const CHECKPOINT: u64 = 65_536;

/// The digest of everything that happened, and checkpoints to find where two runs part.
pub struct Trace {
    digest: RunningDigest,
    checkpoints: Vec<(Time, u64)>,
    spacing: u64,
    /// Records to the next checkpoint.
    left: u64,
}

impl Trace {
    /// Most checkpoints kept; beyond it every second one is dropped and the spacing doubles, so
    /// that memory stays bounded however long the run.
    const MOST: usize = 4_096;

    /// The digest of nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            digest: RunningDigest::new(),
            checkpoints: Vec::new(),
            spacing: CHECKPOINT,
            left: CHECKPOINT,
        }
    }

    /// A message was delivered (`None`) or ended otherwise.
    #[inline(always)]
    pub fn outcome(&mut self, at: Time, message: &Passage, reason: Option<DropReason>) {
        let ends = u64::from(message.from.number()) << 32 | u64::from(message.to.number());
        let outcome = reason.map_or(0, |reason| 1 + reason as u64);
        let what = (message.kind as u64) << 56 | outcome << 48 | u64::from(message.size);
        self.record(at, [ends, what, message.content]);
    }

    /// A fact was stated.
    #[inline]
    pub fn fact(&mut self, at: Time, fact: &Fact) {
        if let Some(words) = fact.canonical() {
            self.record(at, words);
        }
    }

    #[inline(always)]
    fn record(&mut self, at: Time, words: [u64; 3]) {
        self.digest.record([at.as_nanos(), words[0], words[1], words[2]]);
        self.left -= 1;
        if self.left == 0 {
            self.checkpoint(at);
        }
    }

    #[cold]
    fn checkpoint(&mut self, at: Time) {
        self.checkpoints.push((at, self.digest.value().low_u64()));
        if self.checkpoints.len() == Self::MOST {
            let mut place = 0;
            self.checkpoints.retain(|_| {
                place += 1;
                place % 2 == 0
            });
            self.spacing *= 2;
        }
        self.left = self.spacing;
    }

    /// The digest up to now.
    #[must_use]
    pub fn value(&self) -> Digest {
        self.digest.value()
    }

    /// Records up to now.
    #[must_use]
    pub const fn records(&self) -> u64 {
        self.digest.records()
    }

    /// Time and running hash after every so many records; see [`Trace::spacing`].
    #[must_use]
    pub fn checkpoints(&self) -> &[(Time, u64)] {
        &self.checkpoints
    }

    /// Records between two checkpoints.
    #[must_use]
    pub const fn spacing(&self) -> u64 {
        self.spacing
    }
}

impl Default for Trace {
    fn default() -> Self {
        Self::new()
    }
}
