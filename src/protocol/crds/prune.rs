//! Protocol layer: who pushes the values of which origin in time, and whom to prune (Agave,
//! gossip/src/received_cache.rs).

use super::config::Config;
use crate::base::id::{NodeId, NodeMap};

/// Relayers that stand with the origin itself: in a cluster that has settled there are seldom more.
const FIRST: usize = 2;
/// Relayers in one further block.
const RELAYERS: usize = 7;
/// No relayer.
const NONE: u32 = u32::MAX;
/// A relayer's score stands below its number.
const SCORE_BITS: u32 = 8;
const MOST_SCORE: u32 = (1 << SCORE_BITS) - 1;
/// New values are counted below the number of the next block.
const UPSERT_BITS: u32 = 8;
/// No further block.
const LAST: u32 = u32::MAX >> UPSERT_BITS;
/// A push that comes after so many others of the same value earns no point.
const TIMELY: u8 = 2;

/// Who pushes the values of one origin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scores {
    /// Number and score of each relayer, in the order in which they came.
    relayers: [u32; FIRST],
    /// The number of the next block, above a count of new values.
    more: u32,
}

impl Scores {
    pub(super) const EMPTY: Self = Self { relayers: [NONE; FIRST], more: LAST << UPSERT_BITS };

    const fn next(&self) -> u32 {
        self.more >> UPSERT_BITS
    }

    const fn upserts(&self) -> u32 {
        self.more & Config::MOST_UPSERTS
    }

    fn set_next(&mut self, next: u32) {
        self.more = next << UPSERT_BITS | self.upserts();
    }
}

const _: () = assert!(Config::MOST_UPSERTS == (1 << UPSERT_BITS) - 1);

/// Further relayers of an origin: half a cache line.
#[derive(Clone, Copy, Debug)]
struct Block {
    relayers: [u32; RELAYERS],
    next: u32,
}

impl Block {
    const EMPTY: Self = Self { relayers: [NONE; RELAYERS], next: LAST };
}

const _: () = assert!(size_of::<Block>() == 32);

/// The relayers of all origins, at one node, that have no room beside the origin.
#[derive(Clone, Debug, Default)]
pub(super) struct Received {
    blocks: Vec<Block>,
    free: Vec<u32>,
}

/// A relayer in a decision: its score, its stake, and who it is.
type Ranked<R = NodeId> = (u32, u64, R);

/// Gives a relayer a point or none if this place is its own, or is free and there is room. True if
/// it need not be looked for any further.
#[inline]
fn mark(place: &mut u32, relayer: NodeId, point: u32, room: bool) -> bool {
    if *place >> SCORE_BITS == relayer.number() {
        *place += if *place & MOST_SCORE < MOST_SCORE { point } else { 0 };
        return true;
    }
    let free = *place == NONE;
    if free && room {
        *place = relayer.number() << SCORE_BITS | point;
    }
    free
}

impl Received {
    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// A push of a value of an origin, whose record is given, came from `relayer`, after `pushes`
    /// others of that value. True if the origin has been heard often enough to decide.
    #[inline]
    pub(super) fn record(
        &mut self,
        scores: &mut Scores,
        relayer: NodeId,
        pushes: u8,
        config: &Config,
    ) -> bool {
        if config.prune_upserts == 0 {
            return false;
        }
        let more = pushes == 0 && scores.upserts() < Config::MOST_UPSERTS;
        scores.more += u32::from(more);
        let due = scores.upserts() >= config.prune_upserts;
        let (point, cap) = if pushes < TIMELY { (1, u32::MAX) } else { (0, config.prune_cap) };
        let mut places = (0_u32..).zip(&mut scores.relayers);
        if !places.any(|(known, place)| mark(place, relayer, point, known < cap)) {
            self.score(scores, relayer, point, cap);
        }
        due
    }

    /// Gives a relayer that has no room beside its origin a point or none; one that is new is added
    /// while fewer than `cap` are known.
    fn score(&mut self, scores: &mut Scores, relayer: NodeId, point: u32, cap: u32) {
        let (mut at, mut known) = (scores.next(), FIRST as u32);
        if at == LAST && known < cap {
            at = self.extend();
            scores.set_next(at);
        }
        while at != LAST {
            for place in &mut self.blocks[at as usize].relayers {
                if mark(place, relayer, point, known < cap) {
                    return;
                }
                known += 1;
            }
            let next = self.blocks[at as usize].next;
            at = if next == LAST && known < cap {
                let fresh = self.extend();
                self.blocks[at as usize].next = fresh;
                fresh
            } else {
                next
            };
        }
    }

    /// An empty block.
    fn extend(&mut self) -> u32 {
        let place = self.free.pop().unwrap_or_else(|| {
            self.blocks.push(Block::EMPTY);
            self.blocks.len() as u32 - 1
        });
        assert!(place < LAST, "fewer than 2^24 blocks of relayers at a node");
        self.blocks[place as usize] = Block::EMPTY;
        place
    }

    /// Takes all that is known of an origin out, in the order in which relayers came.
    fn take(&mut self, scores: &mut Scores, mut each: impl FnMut(NodeId, u32)) {
        let mut list = |relayers: &[u32]| {
            for place in relayers.iter().filter(|place| **place != NONE) {
                each(NodeId::new(place >> SCORE_BITS), place & MOST_SCORE);
            }
        };
        let taken = std::mem::replace(scores, Scores::EMPTY);
        list(&taken.relayers);
        let mut at = taken.next();
        while at != LAST {
            let block = self.blocks[at as usize];
            list(&block.relayers);
            self.free.push(at);
            at = block.next;
        }
    }

    /// Decides whom to prune for an origin, and starts its record anew.
    pub(super) fn decide(
        &mut self,
        (origin, scores): (NodeId, &mut Scores),
        me: NodeId,
        stakes: &NodeMap<u64>,
        config: &Config,
        ranked: &mut Vec<Ranked>,
        prune: impl FnMut(NodeId),
    ) {
        ranked.clear();
        self.take(scores, |relayer, score| ranked.push((score, stakes[relayer], relayer)));
        let least = stakes[me].min(stakes[origin]);
        pruned(ranked, least, config).filter(|relayer| *relayer != origin).for_each(prune);
    }
}

/// Those of some relayers, given with score and stake in the order in which they came first, that
/// are pruned, were they not the origin itself. `least` is the smaller stake of receiver and
/// origin.
pub(super) fn pruned<R: Copy>(
    ranked: &mut [Ranked<R>],
    least: u64,
    config: &Config,
) -> impl Iterator<Item = R> {
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
        let (mut received, mut scores) = (Received::default(), Scores::EMPTY);
        let mut pruned = Vec::new();
        for _ in 0..values {
            for (pushes, relayer) in relayers.iter().enumerate() {
                let (relayer, pushes) = (NodeId::new(*relayer), pushes.min(3) as u8);
                let due = received.record(&mut scores, relayer, pushes, config);
                if due {
                    let push = |node: NodeId| pruned.push(node.number());
                    let of = (ORIGIN, &mut scores);
                    received.decide(of, ME, &stakes, config, &mut Vec::new(), push);
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
        let (mut received, mut all_scores) = (Received::default(), [Scores::EMPTY; 3]);
        for round in 0..50 {
            let scores = &mut all_scores[round % 3];
            for relayer in 0..30 {
                received.record(scores, NodeId::new(relayer), 2, &config);
            }
            let mut all = Vec::new();
            received.take(scores, |relayer, score| all.push((relayer.number(), score)));
            assert_eq!(all, (0..30).map(|relayer| (relayer, 0)).collect::<Vec<_>>());
        }
        // Of 30 relayers 2 stand with the origin and 28 in 4 blocks of 7.
        assert_eq!(received.blocks.len(), 4);
    }
}
