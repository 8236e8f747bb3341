//! Kernel layer: the digest of a run: SHA-256 over fixed records of message outcomes and protocol
//! facts, never of timers, wakes or other internals, so that an optimisation does not change it.

use super::network::link::Passage;
use crate::base::digest::{Digest, RunningDigest};
use crate::base::time::Time;
use crate::fact::{DropReason, Fact};

/// Records between two checkpoints of the digest.
const CHECKPOINT: u64 = 65_536;

/// A record of the digest: its number from one, its moment, and its words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TraceRecord {
    /// How many records there are up to it, itself included.
    pub number: u64,
    /// When.
    pub at: Time,
    /// What: see [`Trace::outcome`] and [`Fact::canonical`].
    pub words: [u64; 3],
}

/// The digest of everything that happened, and checkpoints to find where two runs part.
pub struct Trace {
    digest: RunningDigest,
    checkpoints: Vec<(Time, u64)>,
    spacing: u64,
    /// Records to the next one that is looked at: a checkpoint, or one that is kept.
    left: u64,
    /// First and last record to keep.
    watched: (u64, u64),
    kept: Vec<TraceRecord>,
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
            watched: (0, 0),
            kept: Vec::new(),
        }
    }

    /// Most records that are kept: 160 MB.
    pub const MOST_KEPT: usize = 1 << 22;

    /// Keeps the records of these numbers, counted from one, as far as there is room for them. To
    /// be called before the first record.
    pub fn keep(&mut self, first: u64, last: u64) {
        self.watched = (first, last);
        self.left = self.until_next(0);
    }

    /// The records that were kept.
    #[must_use]
    pub fn kept(&self) -> &[TraceRecord] {
        &self.kept
    }

    /// Records from `here` to the next one that is looked at.
    fn until_next(&self, here: u64) -> u64 {
        let checkpoint = self.spacing - here % self.spacing;
        let (first, last) = self.watched;
        if here >= last { checkpoint } else { checkpoint.min(first.max(here + 1) - here) }
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
            self.look(at, words);
        }
    }

    #[cold]
    fn look(&mut self, at: Time, words: [u64; 3]) {
        let number = self.records();
        let (first, last) = self.watched;
        if (first..=last).contains(&number) && self.kept.len() < Self::MOST_KEPT {
            self.kept.push(TraceRecord { number, at, words });
        }
        if number.is_multiple_of(self.spacing) {
            self.checkpoint(at);
        }
        self.left = self.until_next(number);
    }

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::NodeId;

    fn trace(keep: (u64, u64), records: u32) -> Trace {
        let mut trace = Trace::new();
        trace.keep(keep.0, keep.1);
        for number in 1..=records {
            let (node, peer) = (NodeId::new(number), NodeId::new(0));
            trace.fact(Time::from_nanos(number.into()), &Fact::PeerAdded { node, peer });
        }
        trace
    }

    #[test]
    fn records_that_are_kept_change_neither_digest_nor_checkpoints() {
        let records = 3 * CHECKPOINT as u32 + 5;
        let plain = trace((0, 0), records);
        assert_eq!((plain.checkpoints().len(), plain.kept().len()), (3, 0));
        // Across a checkpoint, up to one, from one on, beyond the end.
        for (first, last) in [
            (65_530, 65_540),
            (1, 65_536),
            (65_536, 65_537),
            (196_610, 300_000),
            (300_000, 300_001),
        ] {
            let kept = trace((first, last), records);
            assert_eq!(kept.value(), plain.value());
            assert_eq!(kept.checkpoints(), plain.checkpoints());
            let numbers: Vec<u64> = kept.kept().iter().map(|record| record.number).collect();
            assert_eq!(numbers, (first..=last.min(records.into())).collect::<Vec<_>>());
            assert!(kept.kept().iter().all(|record| record.at.as_nanos() == record.number));
        }
    }
}
