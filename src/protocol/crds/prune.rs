//! Protocol layer: who pushes the values of which origin in time, and whom to prune (Agave,
//! gossip/src/received_cache.rs).

use super::config::Config;
use crate::base::id::{NodeId, NodeMap};

/// Relayers in one block of a record.
const RELAYERS: usize = 6;
/// No relayer, or no further block.
const NONE: u32 = u32::MAX;
/// A relayer's score stands below its number.
const SCORE_BITS: u32 = 8;
const MOST_SCORE: u32 = (1 << SCORE_BITS) - 1;
/// A push that comes after so many others of the same value earns no point.
const TIMELY: u8 = 2;

/// Part of what is known of one origin: half a cache line.
#[derive(Clone, Copy, Debug)]
struct Block {
    /// Number and score of each relayer, in the order in which they came.
    relayers: [u32; RELAYERS],
    next: u32,
    /// New values of the origin; counted in its first block.
    upserts: u32,
}

impl Block {
    const EMPTY: Self = Self { relayers: [NONE; RELAYERS], next: NONE, upserts: 0 };
}

const _: () = assert!(size_of::<Block>() == 32);

/// The scores of all relayers of all origins, at one node. The first block of each origin stands at
/// its number, further ones behind. Takes no memory before the first push.
#[derive(Clone, Debug, Default)]
pub(super) struct Received {
    blocks: Vec<Block>,
    free: Vec<u32>,
}

/// A relayer in a decision: its score, stake and number.
type Ranked = (u32, u64, NodeId);

impl Received {
    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// A push of a value of `origin` came from `relayer`, after `pushes` others of that value. True
    /// if the origin has been heard often enough to decide.
    #[inline]
    pub(super) fn record(
        &mut self,
        origin: NodeId,
        relayer: NodeId,
        pushes: u8,
        (nodes, config): (usize, &Config),
    ) -> bool {
        if config.prune_upserts == 0 {
            return false;
        }
        if self.blocks.is_empty() {
            self.blocks = vec![Block::EMPTY; nodes];
        }
        let upserts = &mut self.blocks[origin.index()].upserts;
        *upserts += u32::from(pushes == 0);
        let due = *upserts >= config.prune_upserts;
        let (point, cap) = if pushes < TIMELY { (1, u32::MAX) } else { (0, config.prune_cap) };
        self.score(origin, relayer, point, cap);
        due
    }

    /// Reads the record of an origin; the answer means nothing.
    #[inline]
    pub(super) fn touch(&self, origin: NodeId) -> u32 {
        self.blocks.get(origin.index()).map_or(0, |block| block.upserts)
    }

    /// Gives a relayer a point or none; one that is new is added while fewer than `cap` are known.
    fn score(&mut self, origin: NodeId, relayer: NodeId, point: u32, cap: u32) {
        let (mut at, mut known) = (origin.index(), 0);
        loop {
            let block = &mut self.blocks[at];
            for slot in &mut block.relayers {
                if *slot == NONE {
                    if known < cap {
                        *slot = relayer.number() << SCORE_BITS | point;
                    }
                    return;
                }
                if *slot >> SCORE_BITS == relayer.number() {
                    *slot += if *slot & MOST_SCORE < MOST_SCORE { point } else { 0 };
                    return;
                }
                known += 1;
            }
            at = match block.next {
                NONE if known >= cap => return,
                NONE => self.extend(at),
                next => next as usize,
            };
        }
    }

    /// Adds a block behind another.
    fn extend(&mut self, at: usize) -> usize {
        let next = self.free.pop().unwrap_or_else(|| {
            self.blocks.push(Block::EMPTY);
            self.blocks.len() as u32 - 1
        });
        self.blocks[next as usize] = Block::EMPTY;
        self.blocks[at].next = next;
        next as usize
    }

    /// Takes all that is known of an origin out, in the order in which relayers came.
    fn take(&mut self, origin: NodeId, mut each: impl FnMut(NodeId, u32)) {
        let mut at = origin.index();
        loop {
            let block = std::mem::replace(&mut self.blocks[at], Block::EMPTY);
            for slot in block.relayers.into_iter().filter(|slot| *slot != NONE) {
                each(NodeId::new(slot >> SCORE_BITS), slot & MOST_SCORE);
            }
            if at != origin.index() {
                self.free.push(at as u32);
            }
            if block.next == NONE {
                return;
            }
            at = block.next as usize;
        }
    }

    /// Decides whom to prune for an origin, and starts its record anew.
    pub(super) fn decide(
        &mut self,
        origin: NodeId,
        me: NodeId,
        stakes: &NodeMap<u64>,
        config: &Config,
        ranked: &mut Vec<Ranked>,
        prune: impl FnMut(NodeId),
    ) {
        ranked.clear();
        self.take(origin, |relayer, score| ranked.push((score, stakes[relayer], relayer)));
        let least = stakes[me].min(stakes[origin]);
        pruned(ranked, least, config).filter(|relayer| *relayer != origin).for_each(prune);
    }
}

/// Those of some relayers, given with score and stake in the order in which they came first, that
/// are pruned, were they not the origin itself. `least` is the smaller stake of receiver and
/// origin.
pub(super) fn pruned(
    ranked: &mut [Ranked],
    least: u64,
    config: &Config,
) -> impl Iterator<Item = NodeId> {
    // Stable: among equals the one that came first is kept.
    ranked.sort_by_key(|(score, stake, _)| std::cmp::Reverse((*score, *stake)));
    let kept = kept(ranked.iter().map(|(_, stake, _)| *stake), least, config);
    ranked[kept..].iter().map(|(_, _, relayer)| *relayer)
}

/// How many of the relayers with these stakes, the best first, are kept: the first few, and further
/// ones while those before hold less than the share of `least`. Whole lamports: stakes are
/// multiplied by 10^9, and so the share in parts per billion times SOL needs no rounding.
fn kept(stakes: impl Iterator<Item = u64>, least: u64, config: &Config) -> usize {
    let threshold = u128::from(least) * u128::from(config.prune_stake.ppb());
    let (mut before, mut kept) = (0_u128, 0);
    for stake in stakes {
        if kept >= config.prune_keep as usize && before >= threshold {
            break;
        }
        before += u128::from(stake) * 1_000_000_000;
        kept += 1;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: NodeId = NodeId::new(0);
    const ME: NodeId = NodeId::new(1);

    /// Pushes to node 1 of values of node 0; each value comes from these relayers in this order.
    fn decided(values: u32, relayers: &[u32], stakes: &[u64], config: &Config) -> Vec<u32> {
        let stakes = NodeMap::from_vec(stakes.to_vec());
        let mut received = Received::default();
        let mut pruned = Vec::new();
        for _ in 0..values {
            for (pushes, relayer) in relayers.iter().enumerate() {
                let (relayer, pushes) = (NodeId::new(*relayer), pushes.min(3) as u8);
                let due = received.record(ORIGIN, relayer, pushes, (stakes.len(), config));
                if due {
                    let push = |node: NodeId| pruned.push(node.number());
                    received.decide(ORIGIN, ME, &stakes, config, &mut Vec::new(), push);
                }
            }
        }
        pruned
    }

    #[test]
    fn at_the_twentieth_new_value_the_late_ones_are_pruned() {
        // By hand: nodes 2 and 3 are always the first two and have 19 points each; 4 and 5 always
        // come later and have none. The 20th value of node 2 is its 20th point and decides at once.
        // 15 % of min(1000, 400) are 60. In order: 2 (20 points), 3 (19), then by stake 5, 4. The
        // first two hold 10 + 20 < 60, so 5 stays; with it they hold 100, and 4 goes.
        let stakes = [400, 1_000, 10, 20, 30, 70];
        let config = Config::default();
        assert_eq!(decided(19, &[2, 3, 4, 5], &stakes, &config), [0; 0]);
        assert_eq!(decided(20, &[2, 3, 4, 5], &stakes, &config), [4]);
        // Three that hold 59 of 60 leave room for the fourth: nobody goes.
        assert_eq!(decided(20, &[2, 3, 4, 5], &[400, 1_000, 9, 20, 30, 30], &config), [0; 0]);
        // At exactly 60 the next one goes.
        assert_eq!(decided(20, &[2, 3, 4, 5], &[400, 1_000, 40, 20, 5, 9], &config), [5, 4]);
    }

    #[test]
    fn a_pruned_origin_starts_anew_and_is_decided_again() {
        let stakes = [0, 1_000, 10, 20, 30, 70];
        // Unstaked origin: exactly two stay. In the first decision 3, 4 and 5 have come 19 times.
        // The record that begins in the middle of the 20th value counts new values from the 21st.
        let config = Config::default();
        assert_eq!(decided(20, &[2, 3, 4, 5], &stakes, &config), [5, 4]);
        assert_eq!(decided(39, &[2, 3, 4, 5], &stakes, &config), [5, 4]);
        assert_eq!(decided(40, &[2, 3, 4, 5], &stakes, &config), [5, 4, 5, 4]);
    }

    #[test]
    fn the_origin_itself_is_never_pruned() {
        let stakes = [0, 0, 10, 20, 30, 70];
        let config = Config::default();
        assert_eq!(decided(20, &[2, 3, 4, 0, 5], &stakes, &config), [5, 4]);
    }

    #[test]
    fn those_always_late_are_remembered_up_to_the_cap() {
        // Two in time, then 60 late ones: 48 of them are remembered, and all of those pruned.
        let relayers: Vec<u32> = (2..64).collect();
        let config = Config::default();
        let pruned = decided(20, &relayers, &[0; 64], &config);
        assert_eq!(pruned, (4..52).collect::<Vec<_>>());
        let few = Config { prune_cap: 5, ..config };
        assert_eq!(decided(20, &relayers, &[0; 64], &few), [4, 5, 6]);
        let never = Config { prune_upserts: 0, ..config };
        assert_eq!(decided(60, &relayers, &[0; 64], &never), [0; 0]);
    }

    #[test]
    fn the_share_is_one_of_lamports() {
        // 15 % of 10 SOL are 1.5 SOL: 1 SOL before is less, 2 are not.
        let config = Config { prune_keep: 0, ..Config::default() };
        assert_eq!(kept([1, 1, 1].into_iter(), 10, &config), 2);
        assert_eq!(kept([2, 1, 1].into_iter(), 10, &config), 1);
        assert_eq!(kept([2, 1, 1].into_iter(), 0, &config), 0);
        assert_eq!(kept([u64::MAX, u64::MAX].into_iter(), u64::MAX, &config), 1);
    }

    #[test]
    fn blocks_of_a_long_record_are_used_again() {
        let config = Config::default();
        let mut received = Received::default();
        for round in 0..50_u32 {
            let origin = NodeId::new(round % 3);
            for relayer in 0..30 {
                received.record(origin, NodeId::new(relayer), 2, (3, &config));
            }
            let mut all = Vec::new();
            received.take(origin, |relayer, score| all.push((relayer.number(), score)));
            assert_eq!(all, (0..30).map(|relayer| (relayer, 0)).collect::<Vec<_>>());
        }
        // 30 relayers take 5 blocks of 6, 4 of them behind those of the 3 origins.
        assert_eq!(received.blocks.len(), 3 + 4);
    }
}
