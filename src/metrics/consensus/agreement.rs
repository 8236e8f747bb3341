//! Metrics layer: when validators agree: on one chain of heads, and on one chain of roots.
//!
//! Blocks are *on one chain* if of any two, one stands on the other: a validator that lags behind
//! agrees with the rest. Those that are up, honest and have stake are asked, at the end of every
//! instant.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::chain::{Chain, GENESIS, Number};
use super::super::convergence::CONVERGENCE;
use super::super::table::RowSink;
use crate::base::time::{Span, Time};

/// The end of a fault that keeps validators apart, and how long it took until they agreed again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Reunion {
    /// Place of the fault.
    pub fault: u32,
    /// When it ended.
    pub healed_ns: u64,
    /// How long it took until all heads were on one chain and everybody built on a block that was
    /// made after the heal: before that, nobody can have heard of the other side. `None` for never.
    pub heads_ns: Option<u64>,
    /// How long it took until all roots were on one chain and everybody had rooted a block that was
    /// made after the heal; `None` for never.
    pub roots_ns: Option<u64>,
}

/// Blocks on which validators stand, and how many on each.
#[derive(Default)]
pub(super) struct Crowd(BTreeMap<Number, u32>);

impl Crowd {
    pub(super) fn enter(&mut self, block: Number) {
        *self.0.entry(block).or_default() += 1;
    }

    pub(super) fn leave(&mut self, block: Number) {
        if let Some(count) = self.0.get_mut(&block) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(&block);
            }
        }
    }

    /// The lowest block that somebody stands on.
    fn least(&self) -> Option<Number> {
        self.0.first_key_value().map(|(block, _)| *block)
    }

    /// The last block that all stand on or upon; `None` if nobody is there.
    pub(super) fn common(&self, chain: &Chain) -> Option<Number> {
        let mut blocks = self.0.keys().rev().copied();
        let mut common = blocks.next()?;
        for mut block in blocks {
            while common != block {
                let higher = if common > block { &mut common } else { &mut block };
                *higher = chain.below(*higher);
            }
        }
        Some(common)
    }

    /// Whether all are on one chain, and somebody is there.
    pub(super) fn agrees(&self, chain: &Chain) -> bool {
        let mut blocks = self.0.keys().rev().copied();
        let Some(mut upper) = blocks.next() else { return false };
        blocks.all(|block| {
            let stands = chain.leads_to(block, upper);
            upper = block;
            stands
        })
    }
}

/// A moment after which agreement is awaited: the start, or a heal.
struct Mark {
    fault: Option<u32>,
    at: Time,
    heads: Option<Time>,
    roots: Option<Time>,
}

/// Follows agreement.
pub(super) struct Agreement {
    pub(super) heads: Crowd,
    pub(super) roots: Crowd,
    marks: Vec<Mark>,
    /// Marks that await something.
    open: Vec<usize>,
    now: Time,
    /// Whether anything has changed since it was looked at.
    changed: bool,
}

impl Agreement {
    pub(super) fn new() -> Self {
        let mut agreement = Self {
            heads: Crowd::default(),
            roots: Crowd::default(),
            marks: Vec::new(),
            open: Vec::new(),
            now: Time::ZERO,
            changed: false,
        };
        agreement.mark(None);
        agreement
    }

    /// A fact at `at` is about to change something: looks at how things stood before.
    pub(super) fn pass_to(&mut self, at: Time, chain: &Chain) {
        if at > self.now {
            self.look(chain);
            self.now = at;
        }
        self.changed = true;
    }

    /// A fault that kept validators apart has ended.
    pub(super) fn on_healed(&mut self, at: Time, fault: u32, chain: &Chain) {
        self.pass_to(at, chain);
        self.mark(Some(fault));
    }

    fn mark(&mut self, fault: Option<u32>) {
        self.changed = true;
        self.open.push(self.marks.len());
        self.marks.push(Mark { fault, at: self.now, heads: None, roots: None });
    }

    fn look(&mut self, chain: &Chain) {
        if self.open.is_empty() || !std::mem::take(&mut self.changed) {
            return;
        }
        let agreed = |crowd: &Crowd| {
            let least = crowd.least().filter(|least| *least != GENESIS)?;
            crowd.agrees(chain).then(|| chain.made(least))
        };
        let (heads, rooted) = (agreed(&self.heads), agreed(&self.roots));
        let (now, marks) = (self.now, &mut self.marks);
        self.open.retain(|place| {
            let mark = &mut marks[*place];
            if heads.is_some_and(|made| made >= mark.at) {
                mark.heads.get_or_insert(now);
            }
            if rooted.is_some_and(|made| made >= mark.at) {
                mark.roots.get_or_insert(now);
            }
            mark.heads.is_none() || mark.roots.is_none()
        });
    }

    /// The run is over: writes the rows of `convergence.csv`, and says how heals went.
    pub(super) fn fill(&mut self, chain: &Chain, sink: &mut impl RowSink) -> Vec<Reunion> {
        self.look(chain);
        for (place, what) in ["heads", "roots"].into_iter().enumerate() {
            for mark in &self.marks {
                let reached = [mark.heads, mark.roots][place];
                sink.row(
                    &CONVERGENCE,
                    &[
                        what.into(),
                        if mark.fault.is_some() { "heal" } else { "start" }.into(),
                        mark.fault.into(),
                        mark.at.into(),
                        reached.into(),
                        reached.map(|reached| reached.since(mark.at)).into(),
                    ],
                );
            }
        }
        let reunion = |mark: &Mark| {
            let took = |reached: Option<Time>| {
                reached.map(|reached| reached.since(mark.at)).map(Span::as_nanos)
            };
            let (heads_ns, roots_ns) = (took(mark.heads), took(mark.roots));
            Some(Reunion { fault: mark.fault?, healed_ns: mark.at.as_nanos(), heads_ns, roots_ns })
        };
        self.marks.iter().filter_map(reunion).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::table::MemorySink;
    use super::super::tests::forked;
    use super::*;

    fn crowd(blocks: &[Number]) -> Crowd {
        let mut crowd = Crowd::default();
        blocks.iter().for_each(|block| crowd.enter(*block));
        crowd
    }

    #[test]
    fn one_chain_is_where_of_any_two_blocks_one_stands_on_the_other() {
        // 1 <- 2 <- 3, 2 <- 4 <- 5.
        let chain = forked();
        for (blocks, agrees, common) in [
            (&[5, 5, 4, 1, 0][..], true, Some(0)),
            (&[5, 2], true, Some(2)),
            (&[3, 2, 2], true, Some(2)),
            (&[5, 3], false, Some(2)),
            (&[3, 4, 1], false, Some(1)),
            (&[4], true, Some(4)),
            (&[], false, None),
        ] {
            let crowd = crowd(blocks);
            assert_eq!(crowd.agrees(&chain), agrees, "{blocks:?}");
            assert_eq!(crowd.common(&chain), common, "{blocks:?}");
        }
        let mut crowd = crowd(&[3, 3, 5]);
        crowd.leave(3);
        assert!(!crowd.agrees(&chain), "one is still there");
        crowd.leave(3);
        assert!(crowd.agrees(&chain));
    }

    #[test]
    fn a_heal_waits_for_one_head_and_for_roots_made_after_it() {
        let chain = forked();
        let at = Time::from_nanos;
        let mut agreement = Agreement::new();
        let shift = |crowd: &mut Crowd, from: Number, to: Number| {
            crowd.leave(from);
            crowd.enter(to);
        };
        [0, 0].into_iter().for_each(|block| agreement.heads.enter(block));
        [0, 0].into_iter().for_each(|block| agreement.roots.enter(block));
        agreement.pass_to(at(10), &chain);
        shift(&mut agreement.heads, 0, 3);
        shift(&mut agreement.heads, 0, 5);
        // Blocks are made at their numbers, thousandfold: the heal lies between 3 and 4.
        agreement.on_healed(at(3_500), 6, &chain);
        agreement.pass_to(at(6_000), &chain);
        shift(&mut agreement.heads, 3, 4);
        // Within the same instant it is off again.
        agreement.pass_to(at(6_000), &chain);
        shift(&mut agreement.heads, 4, 3);
        agreement.pass_to(at(6_100), &chain);
        shift(&mut agreement.heads, 3, 5);
        for (moment, from, to) in [(6_200, 0, 2), (6_300, 0, 1), (6_400, 2, 5), (6_500, 1, 4)] {
            agreement.pass_to(at(moment), &chain);
            shift(&mut agreement.roots, from, to);
        }
        let mut sink = MemorySink::new();
        let reunions = agreement.fill(&chain, &mut sink);
        let (heads_ns, roots_ns) = (Some(2_600), Some(3_000));
        assert_eq!(reunions, [Reunion { fault: 6, healed_ns: 3_500, heads_ns, roots_ns }]);
        let reached: Vec<_> =
            (0..4).map(|row| sink.integer(&CONVERGENCE, row, "reached_ns")).collect();
        assert_eq!(reached, [6_100, 6_100, 6_300, 6_500].map(Some), "genesis does not count");
    }
}
