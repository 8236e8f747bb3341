//! Metrics layer: the forks of a run (`forks.csv`).

use serde::Serialize;

use super::super::chain::{Chain, Number, Standing, hex};
use super::super::table::{Column, RowSink, TableSpec, Unit};
use crate::base::id::NodeId;
use crate::base::slot::Slot;
use crate::base::time::Time;

/// `forks.csv`.
pub static FORKS: TableSpec = TableSpec {
    name: "forks",
    doc: "One row per fork, in the order of their first blocks: a block that is not part of the \
          winning chain and stands on one that is, with all that stands on it. The winning chain \
          is the canonical one of `blocks.csv`; without one there are no rows, as in a run without \
          votes. A node stands on a fork while it is up and builds on one of its blocks. Rows with \
          the outcome `ahead` are no forks yet: `consensus.forks` of the summary and what `run` \
          prints of forks leave them out.",
    columns: &[
        Column::new("fork", Unit::Text, "The first block: 16 hexadecimal digits of its hash."),
        Column::new("parent", Unit::Text, "The block that it left; empty for genesis."),
        Column::new("parent_slot", Unit::Slot, "The slot of that one."),
        Column::new("first_slot", Unit::Slot, "The slot of the first block."),
        Column::new("last_slot", Unit::Slot, "The highest slot of a block of the fork."),
        Column::new("blocks", Unit::Count, "Its blocks."),
        Column::new("length", Unit::Count, "Blocks from the first to the highest of them."),
        Column::new("leader", Unit::Node, "Who made the first block."),
        Column::new("made_ns", Unit::Nanoseconds, "When."),
        Column::new("most_stake", Unit::Stake, "The most stake that stood on it at once."),
        Column::new("most_stake_ns", Unit::Nanoseconds, "When that was first so."),
        Column::new("left_ns", Unit::Nanoseconds, LEFT),
        Column::new("end_stake", Unit::Stake, "The stake that stands on it at the end."),
        Column::new("outcome", Unit::Text, OUTCOME),
    ],
};

const LEFT: &str = "When the last node left it; empty if one stands on it at the end, or none ever \
                    did.";
const OUTCOME: &str = "`lost`: nobody stands on it at the end; `open`: somebody does; `tie`: \
                       likewise, and as much stake as on the blocks of the winning chain beside it; \
                       `ahead`: it stands on the end of the winning chain.";

/// The forks of a run, those that stand on the end of the winning chain left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct ForksSummary {
    /// How many: the rows of `forks.csv` without those whose outcome is `ahead`; `None`, as all the
    /// rest, if the winning chain cannot be told.
    pub count: Option<u64>,
    /// Their blocks.
    pub blocks: Option<u64>,
    /// Blocks from the first to the highest of the longest one.
    pub longest: Option<u32>,
    /// Forks of one block.
    pub length_1: Option<u64>,
    /// Forks of 2 to 7 blocks.
    pub length_2_to_7: Option<u64>,
    /// Forks of 8 to 31 blocks.
    pub length_8_to_31: Option<u64>,
    /// Forks of 32 blocks and more.
    pub length_from_32: Option<u64>,
    /// Forks on which somebody stands at the end.
    pub open: Option<u64>,
}

/// Who stands on a block or upon it.
#[derive(Clone, Copy)]
struct Branch {
    leader: NodeId,
    nodes: u32,
    stake: u64,
    most: u64,
    most_at: Time,
    left: Option<Time>,
}

/// A fork at the end.
struct Fork {
    first: Number,
    blocks: u64,
    length: u32,
    last_slot: Slot,
    ahead: bool,
}

/// Follows who stands where.
pub(super) struct Forks(Vec<Branch>);

impl Forks {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    /// A block was made; the chain knows it already, or has no room for it.
    pub(super) fn on_made(&mut self, at: Time, leader: NodeId, chain: &Chain) {
        let branch = Branch { leader, nodes: 0, stake: 0, most: 0, most_at: at, left: None };
        self.0.resize(chain.len(), branch);
    }

    /// A node with so much stake moves from block to block; genesis stands for being away, too.
    pub(super) fn on_moved(
        &mut self,
        (at, stake): (Time, u64),
        (mut from, mut to): (Number, Number),
        chain: &Chain,
    ) {
        while from != to {
            if from > to {
                if let Some(branch) = self.branch(from) {
                    branch.nodes -= 1;
                    branch.stake -= stake;
                    branch.left = Some(at);
                }
                from = chain.below(from);
            } else {
                if let Some(branch) = self.branch(to) {
                    branch.nodes += 1;
                    branch.stake += stake;
                    if branch.stake > branch.most {
                        (branch.most, branch.most_at) = (branch.stake, at);
                    }
                }
                to = chain.below(to);
            }
        }
    }

    /// The run is over: writes a row per fork.
    pub(super) fn fill(
        &self,
        chain: &Chain,
        standings: &[Standing],
        sink: &mut impl RowSink,
    ) -> ForksSummary {
        let (forks, heirs) = (forks(chain, standings), heirs(chain, standings));
        let mut lengths = [0_u64; 4];
        let (mut blocks, mut longest, mut open) = (0, 0, 0);
        for fork in &forks {
            let outcome = self.outcome(fork, heirs[chain.below(fork.first) as usize]);
            self.row(fork, outcome, chain, sink);
            if !fork.ahead {
                let class = [2, 8, 32].iter().filter(|bound| fork.length >= **bound).count();
                lengths[class] += 1;
                blocks += fork.blocks;
                longest = longest.max(fork.length);
                open += u64::from(outcome != "lost");
            }
        }
        ForksSummary {
            count: Some(lengths.iter().sum()),
            blocks: Some(blocks),
            longest: Some(longest),
            length_1: Some(lengths[0]),
            length_2_to_7: Some(lengths[1]),
            length_8_to_31: Some(lengths[2]),
            length_from_32: Some(lengths[3]),
            open: Some(open),
        }
    }

    fn branch(&mut self, number: Number) -> Option<&mut Branch> {
        self.0.get_mut((number as usize).wrapping_sub(1))
    }

    /// What became of a fork; `rival` is the block of the winning chain that has the same parent.
    fn outcome(&self, fork: &Fork, rival: Option<Number>) -> &'static str {
        let branch = &self.0[fork.first as usize - 1];
        let rival = rival.map(|rival| self.0[rival as usize - 1].stake);
        match branch.nodes {
            _ if fork.ahead => "ahead",
            0 => "lost",
            _ if rival == Some(branch.stake) => "tie",
            _ => "open",
        }
    }

    fn row(&self, fork: &Fork, outcome: &str, chain: &Chain, sink: &mut impl RowSink) {
        let (first, parent) = (fork.first, chain.below(fork.first));
        let branch = &self.0[first as usize - 1];
        let ever = branch.nodes > 0 || branch.left.is_some();
        sink.row(
            &FORKS,
            &[
                chain.hash(first).map(hex).into(),
                chain.hash(parent).map(hex).into(),
                chain.slot(parent).number().into(),
                chain.slot(first).number().into(),
                fork.last_slot.number().into(),
                fork.blocks.into(),
                fork.length.into(),
                branch.leader.into(),
                chain.made(first).into(),
                branch.most.into(),
                ever.then_some(branch.most_at).into(),
                branch.left.filter(|_| branch.nodes == 0).into(),
                branch.stake.into(),
                outcome.into(),
            ],
        );
    }
}

/// For every block by number, the block of the winning chain that stands on it.
fn heirs(chain: &Chain, standings: &[Standing]) -> Vec<Option<Number>> {
    let mut heirs = vec![None; standings.len() + 1];
    let winning = (1..).zip(standings).filter(|(_, it)| **it == Standing::Canonical);
    winning.for_each(|(number, _)| heirs[chain.below(number) as usize] = Some(number));
    heirs
}

/// The forks, in the order of their first blocks.
fn forks(chain: &Chain, standings: &[Standing]) -> Vec<Fork> {
    let mut forks: Vec<Fork> = Vec::new();
    // Which fork each block is part of.
    let mut part_of: Vec<Option<usize>> = vec![None; standings.len() + 1];
    for (number, standing) in (1..).zip(standings) {
        if *standing == Standing::Canonical {
            continue;
        }
        let parent = chain.below(number);
        let place = part_of[parent as usize].unwrap_or_else(|| {
            let ahead = *standing == Standing::Ahead;
            let last_slot = chain.slot(number);
            forks.push(Fork { first: number, blocks: 0, length: 0, last_slot, ahead });
            forks.len() - 1
        });
        part_of[number as usize] = Some(place);
        let fork = &mut forks[place];
        fork.blocks += 1;
        fork.last_slot = fork.last_slot.max(chain.slot(number));
        let length = chain.height(number).saturating_sub(chain.height(fork.first)) + 1;
        fork.length = fork.length.max(length);
    }
    forks
}

#[cfg(test)]
mod tests {
    use super::super::super::table::{Cell, MemorySink};
    use super::super::tests::{CANONICAL_3, forked};
    use super::*;

    const fn at(nanos: u64) -> Time {
        Time::from_nanos(nanos)
    }

    /// Blocks 1 <- 2 <- 3 and 2 <- 4 <- 5, and nodes that move.
    fn moved(moves: &[(u64, u64, Number, Number)]) -> Forks {
        let chain = forked();
        let mut forks = Forks::new();
        forks.on_made(at(1), NodeId::new(9), &chain);
        for (moment, stake, from, to) in moves {
            forks.on_moved((at(*moment), *stake), (*from, *to), &chain);
        }
        forks
    }

    fn row(forks: &Forks) -> (ForksSummary, Vec<String>) {
        let mut sink = MemorySink::new();
        let summary = forks.fill(&forked(), &CANONICAL_3, &mut sink);
        (summary, sink.rows(&FORKS)[0].iter().map(Cell::to_string).collect())
    }

    #[test]
    fn a_fork_that_everybody_leaves_is_lost() {
        let forks = moved(&[(10, 5, 0, 4), (20, 7, 0, 5), (30, 5, 4, 3), (40, 7, 5, 3)]);
        let (summary, cells) = row(&forks);
        // Named by block 4, on 2; 5 + 7 from 20 on, nobody from 40 on.
        let expected = [
            "0000000000000004",
            "0000000000000002",
            "2",
            "4",
            "5",
            "2",
            "2",
            "9",
            "4000",
            "12",
            "20",
            "40",
            "0",
            "lost",
        ];
        assert_eq!(cells, expected);
        let (some, none) = (Some(1), Some(0));
        let expected = ForksSummary {
            count: some,
            blocks: Some(2),
            longest: Some(2),
            length_1: none,
            length_2_to_7: some,
            length_8_to_31: none,
            length_from_32: none,
            open: none,
        };
        assert_eq!(summary, expected);
    }

    #[test]
    fn a_fork_with_somebody_on_it_is_open_or_a_tie() {
        let (summary, cells) = row(&moved(&[(10, 5, 0, 4), (20, 6, 0, 3)]));
        assert_eq!((summary.open, cells[11].as_str(), cells[13].as_str()), (Some(1), "", "open"));
        let (_, cells) = row(&moved(&[(10, 5, 0, 4), (20, 5, 0, 3)]));
        assert_eq!((cells[12].as_str(), cells[13].as_str()), ("5", "tie"));
        let (_, cells) = row(&moved(&[]));
        assert_eq!((cells[10].as_str(), cells[11].as_str(), cells[13].as_str()), ("", "", "lost"));
    }

    #[test]
    fn what_stands_on_the_end_of_the_chain_is_ahead_and_no_fork_in_the_figures() {
        let forks = moved(&[(10, 5, 0, 5)]);
        let mut sink = MemorySink::new();
        let chain = forked();
        let standings = chain.standings(&[true, true, true, false, false]);
        assert_eq!(standings, CANONICAL_3);
        let standings = chain.standings(&[true, true, false, false, false]);
        let summary = forks.fill(&chain, &standings, &mut sink);
        let outcomes: Vec<String> =
            sink.column(&FORKS, "outcome").expect("a column").map(Cell::to_string).collect();
        assert_eq!(outcomes, ["ahead", "ahead"], "3, and 4 with 5");
        assert_eq!((summary.count, summary.longest), (Some(0), Some(0)));
    }
}
