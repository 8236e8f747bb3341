//! Metrics layer: what can be told only when it is known which chain wins: on whose fork a node
//! stood, and which votes landed where it counts.
//!
//! Such records wait until their block is *decided*: once more than two thirds of the stake have
//! rooted a block, all that it stands on has won and all beside it has lost. The rest is decided at
//! the end. So memory is bounded by what is not rooted, and by a limit.

use super::super::chain::{Chain, GENESIS, Number, Standing};
use crate::base::id::{NodeId, NodeMap};
use crate::base::time::Span;

/// Most records of each kind that wait at once, 16 bytes each.
const MOST_RECORDS: usize = 4_000_000;

/// Records are looked through when there are so many, and then when they have doubled.
const LEAST_LOOK: usize = 65_536;

/// Slots from a block to the block that holds the vote for it, up to which a vote is in time: the
/// grace of timely vote credits (Agave: `VOTE_CREDITS_GRACE_SLOTS`).
pub(super) const GRACE: u32 = 2;

/// A node stood on a block for so long.
#[derive(Clone, Copy)]
struct Stay {
    block: Number,
    node: NodeId,
    nanos: u64,
}

/// A vote came into a block, so many slots late.
#[derive(Clone, Copy)]
struct Landing {
    block: Number,
    voter: NodeId,
    delay: u32,
}

/// What has come of a node's records.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Settled {
    /// Votes in blocks of the winning chain ...
    pub(super) landed: u64,
    /// ... of which one and two slots after their block ...
    pub(super) in_time: [u64; GRACE as usize],
    /// ... and of which later.
    pub(super) late: u64,
    /// Sum of the slots it took all of them.
    pub(super) delays: u64,
    /// Nanoseconds on losing forks.
    pub(super) losing: u64,
}

/// Records that wait.
pub(super) struct Held {
    stays: Vec<Stay>,
    landings: Vec<Landing>,
    /// How many records of a kind make it worth looking through them.
    look_at: usize,
    /// Records for which there was no room.
    dropped: u64,
    settled: NodeMap<Settled>,
}

impl Held {
    pub(super) fn new(nodes: usize) -> Self {
        Self {
            stays: Vec::new(),
            landings: Vec::new(),
            look_at: LEAST_LOOK,
            dropped: 0,
            settled: NodeMap::filled(nodes, Settled::default()),
        }
    }

    /// A node stood on a block for so long.
    pub(super) fn on_stay(&mut self, node: NodeId, block: Number, time: Span) {
        if block == GENESIS || time.is_zero() {
            return;
        }
        if self.stays.len() < MOST_RECORDS {
            self.stays.push(Stay { block, node, nanos: time.as_nanos() });
        } else {
            self.dropped += 1;
        }
    }

    /// A vote came into a block.
    pub(super) fn on_landed(&mut self, voter: NodeId, block: Number, delay: u32) {
        if block == GENESIS || self.landings.len() >= MOST_RECORDS {
            self.dropped += 1;
        } else {
            self.landings.push(Landing { block, voter, delay });
        }
    }

    /// Records for which there was no room.
    pub(super) const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// What has come of a node's records.
    pub(super) fn settled(&self, node: NodeId) -> &Settled {
        &self.settled[node]
    }

    /// How many records of a kind wait.
    pub(super) fn waiting(&self) -> usize {
        self.stays.len().max(self.landings.len())
    }

    /// Whether there are so many records that it is time to decide some.
    pub(super) fn is_full(&self) -> bool {
        self.waiting() >= self.look_at
    }

    /// More than two thirds of the stake have rooted `root`: settles what that decides.
    pub(super) fn decide(&mut self, chain: &Chain, root: Number) {
        let fates = fates(chain, root);
        self.settle(|block| fates.get(block as usize).copied().flatten());
        self.look_at = (2 * self.waiting()).max(LEAST_LOOK);
    }

    /// Settles the records of all blocks whose fate is known.
    pub(super) fn settle(&mut self, fate: impl Fn(Number) -> Option<Standing>) {
        let settled = &mut self.settled;
        self.stays.retain(|stay| {
            let fate = fate(stay.block);
            if fate == Some(Standing::Losing) {
                settled[stay.node].losing += stay.nanos;
            }
            fate.is_none()
        });
        self.landings.retain(|landing| {
            let fate = fate(landing.block);
            if fate == Some(Standing::Canonical) {
                settled[landing.voter].land(landing.delay);
            }
            fate.is_none()
        });
    }
}

impl Settled {
    fn land(&mut self, delay: u32) {
        self.landed += 1;
        self.delays += u64::from(delay);
        match self.in_time.get_mut((delay as usize).wrapping_sub(1)) {
            Some(count) => *count += 1,
            None => self.late += 1,
        }
    }
}

/// The fate of every block by its number once `root` has won: `None` for what stands upon it.
fn fates(chain: &Chain, root: Number) -> Vec<Option<Standing>> {
    let mut fates = vec![Some(Standing::Losing); chain.len() + 1];
    let mut won = root;
    while won != GENESIS {
        fates[won as usize] = Some(Standing::Canonical);
        won = chain.below(won);
    }
    fates[GENESIS as usize] = Some(Standing::Canonical);
    for number in root + 1..=chain.len() as Number {
        let below = chain.below(number);
        if below == root || fates[below as usize].is_none() {
            fates[number as usize] = None;
        }
    }
    fates
}

#[cfg(test)]
mod tests {
    use super::super::tests::forked;
    use super::*;

    const fn node(number: u32) -> NodeId {
        NodeId::new(number)
    }

    #[test]
    fn a_rooted_block_decides_what_it_stands_on_and_what_stands_beside_it() {
        // 1 <- 2 <- 3, 2 <- 4 <- 5: with 4 rooted, only 5 is open.
        let (won, lost) = (Some(Standing::Canonical), Some(Standing::Losing));
        assert_eq!(fates(&forked(), 4), [won, won, won, lost, won, None]);
        assert_eq!(fates(&forked(), 2), [won, won, won, None, None, None]);
        assert_eq!(fates(&forked(), GENESIS)[1..], [None; 5]);
    }

    #[test]
    fn records_wait_until_their_block_is_decided() {
        let mut held = Held::new(2);
        for (block, nanos) in [(2, 100), (3, 30), (5, 7), (3, 5), (GENESIS, 1_000)] {
            held.on_stay(node(0), block, Span::from_nanos(nanos));
        }
        for (block, delay) in [(2, 1), (4, 2), (4, 3), (3, 1), (5, 9)] {
            held.on_landed(node(1), block, delay);
        }
        held.decide(&forked(), 4);
        assert_eq!(*held.settled(node(0)), Settled { losing: 35, ..Settled::default() });
        let landed = Settled { landed: 3, in_time: [1, 1], late: 1, delays: 6, losing: 0 };
        assert_eq!(*held.settled(node(1)), landed, "in 2, 4 and 4; not yet in 5, never in 3");
        held.settle(|_| Some(Standing::Losing));
        assert_eq!(held.settled(node(0)).losing, 42);
        assert_eq!((held.settled(node(1)).landed, held.dropped()), (3, 0));
    }
}
