//! Metrics layer: how much stake stood on which fork, over time (`fork_stake.csv`).

use std::collections::BTreeMap;

use super::super::chain::{Chain, Number, hex};
use super::super::table::{Column, RowSink, TableSpec, Unit};
use crate::base::time::Time;

/// `fork_stake.csv`.
pub static FORK_STAKE: TableSpec = TableSpec {
    name: "fork_stake",
    doc: "One row per sample, at the moments of `timeline.csv`, and tip, in the order in which the \
          tips were made. A tip is a block that a node which is up builds on, or a validator voted \
          for last, and on which no other such block stands. A fork is a tip with the blocks below \
          it, down to the one that it shares with another tip. Stake on shared blocks is in no row. \
          No rows in a run without votes.",
    columns: &[
        Column::new("time_ns", Unit::Nanoseconds, "When."),
        Column::new("tip", Unit::Text, "16 hexadecimal digits of its hash; empty for genesis."),
        Column::new("tip_slot", Unit::Slot, "Its slot."),
        Column::new("tip_height", Unit::Count, "Blocks from genesis to it."),
        Column::new("parted", Unit::Text, PARTED),
        Column::new("parted_slot", Unit::Slot, "The slot of that one; empty with a single tip."),
        Column::new("nodes", Unit::Count, "Nodes that are up and build on a block of the fork."),
        Column::new("head_stake", Unit::Stake, "Their stake."),
        Column::new("vote_stake", Unit::Stake, VOTES),
    ],
};

const PARTED: &str = "The last block that the fork shares with another; empty for genesis, and with \
                      a single tip, whose fork is the whole chain.";
const VOTES: &str = "Stake of the validators, up or not, that voted last for a block of the fork.";

/// Who stands on a block.
#[derive(Clone, Copy, Default)]
pub(super) struct Standers {
    pub(super) nodes: u64,
    pub(super) heads: u64,
    pub(super) votes: u64,
}

impl Standers {
    const fn add(&mut self, other: Self) {
        self.nodes += other.nodes;
        self.heads += other.heads;
        self.votes += other.votes;
    }
}

/// A block on the way down from the tips.
#[derive(Clone, Copy, Default)]
struct Step {
    /// Who stands on it.
    own: Standers,
    /// Who stands on the fork above it, as long as there is only one.
    carried: Standers,
    over: Over,
}

/// The tips that stand on a block.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Over {
    #[default]
    None,
    One(Number),
    Many,
}

/// A fork: its tip, the block that it shares with another, and who stands on it.
struct Fork {
    tip: Number,
    parted: Option<Number>,
    standers: Standers,
}

/// Blocks that somebody stands on, at one moment.
#[derive(Default)]
pub(super) struct Places(BTreeMap<Number, Step>);

impl Places {
    pub(super) fn add(&mut self, block: Number, standers: Standers) {
        self.0.entry(block).or_default().own.add(standers);
    }

    /// Writes a row per tip.
    pub(super) fn rows(self, at: Time, chain: &Chain, sink: &mut impl RowSink) {
        for Fork { tip, parted, standers } in self.forks(chain) {
            let slot = |number| chain.slot(number).number();
            sink.row(
                &FORK_STAKE,
                &[
                    at.into(),
                    chain.hash(tip).map(hex).into(),
                    slot(tip).into(),
                    chain.height(tip).into(),
                    parted.and_then(|number| chain.hash(number)).map(hex).into(),
                    parted.map(slot).into(),
                    standers.nodes.into(),
                    standers.heads.into(),
                    standers.votes.into(),
                ],
            );
        }
    }

    /// Goes down from the highest block: a block is below all that stand on it.
    fn forks(self, chain: &Chain) -> Vec<Fork> {
        let (mut steps, mut forks) = (self.0, Vec::new());
        while let Some((number, Step { own, carried, over })) = steps.pop_last() {
            let over = if over == Over::None { Over::One(number) } else { over };
            let mut standers = own;
            standers.add(carried);
            if steps.is_empty() {
                if let Over::One(tip) = over {
                    forks.push(Fork { tip, parted: None, standers });
                }
                break;
            }
            let parted = chain.below(number);
            let below = steps.entry(parted).or_default();
            if below.over == Over::None {
                (below.over, below.carried) = (over, standers);
                continue;
            }
            for (over, standers) in [(below.over, below.carried), (over, standers)] {
                if let Over::One(tip) = over {
                    forks.push(Fork { tip, parted: Some(parted), standers });
                }
            }
            below.over = Over::Many;
        }
        forks.sort_unstable_by_key(|fork| fork.tip);
        forks
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::forked;
    use super::*;
    use crate::base::slot::Slot;

    /// Tips, where they part, and the stake with its head and with its vote on them.
    fn forks(
        heads: &[(Number, u64)],
        votes: &[(Number, u64)],
    ) -> Vec<(u32, Option<u32>, u64, u64)> {
        let mut places = Places::default();
        for (block, stake) in heads {
            places.add(*block, Standers { nodes: 1, heads: *stake, votes: 0 });
        }
        for (block, stake) in votes {
            places.add(*block, Standers { votes: *stake, ..Standers::default() });
        }
        let forks = places.forks(&forked());
        let row = |fork: Fork| (fork.tip, fork.parted, fork.standers.heads, fork.standers.votes);
        forks.into_iter().map(row).collect()
    }

    #[test]
    fn a_single_tip_has_the_whole_chain_and_all_who_lag_behind() {
        assert_eq!(forks(&[(5, 3), (4, 4), (1, 5)], &[(2, 6), (0, 7)]), [(5, None, 12, 13)]);
        assert_eq!(forks(&[(0, 3)], &[(0, 2)]), [(0, None, 3, 2)]);
        assert_eq!(forks(&[], &[]), []);
    }

    #[test]
    fn stake_on_what_two_tips_share_belongs_to_neither() {
        // 1 <- 2 <- 3, 2 <- 4 <- 5.
        let (heads, votes) = ([(5, 3), (4, 4), (3, 5), (2, 6), (1, 7)], [(5, 8), (2, 9)]);
        assert_eq!(forks(&heads, &votes), [(3, Some(2), 5, 0), (5, Some(2), 7, 8)]);
        // A vote alone makes a tip.
        assert_eq!(forks(&[(3, 5)], &[(4, 1)]), [(3, Some(2), 5, 0), (4, Some(2), 0, 1)]);
    }

    #[test]
    fn a_fork_of_a_fork_parts_where_it_does() {
        // As before, and 1 <- 6.
        let mut chain = forked();
        let (at, slot) = (Time::from_nanos(6), Slot::new(6));
        chain.on_made((at, slot), (6, 1), 2);
        let mut places = Places::default();
        for (block, heads) in [(3, 1), (5, 2), (6, 4), (2, 8), (1, 16), (0, 32)] {
            places.add(block, Standers { nodes: 1, heads, votes: 0 });
        }
        let forks = places.forks(&chain).into_iter();
        let forks: Vec<_> = forks.map(|it| (it.tip, it.parted, it.standers.heads)).collect();
        assert_eq!(forks, [(3, Some(2), 1), (5, Some(2), 2), (6, Some(1), 4)]);
    }
}
