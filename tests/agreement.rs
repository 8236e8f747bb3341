//! How a cluster that votes comes apart and together again, as its tables tell it: compared with
//! what follows from the facts one by one, without any of the short cuts of the recorder.

use std::collections::{BTreeMap, BTreeSet};

use headwater::base::time::Time;
use headwater::fact::{Census, Fact, Level, Observer, World};
use headwater::metrics::table::Cell;
use headwater::metrics::{
    BLOCKS, CONVERGENCE, ConsensusSummary, ConsensusVerdict, FORK_STAKE, FORKS, NotJudged, VOTES,
};

use crate::support::{Ran, plan, ran, ran_heard};

/// Ten nodes with equal stakes, of which five and five are apart from 8 s to 14 s.
fn halves(style: &str, duration: &str) -> String {
    format!(
        "duration = \"{duration}\"\nnodes.count = 10\nnetwork.latency = \"20ms\"\n\
         [slots]\nduration = \"400ms\"\nstart = \"poh\"\n\
         [blocks]\ncontent = \"synthetic\"\nbytes = \"20kB\"\n\
         [turbine]\ntree = \"stake-weighted\"\ncoding = \"none\"\n[repair]\nstyle = \"solana\"\n\
         [consensus]\nstyle = \"{style}\"\nspread = \"peers\"\n\
         [[faults]]\nkind = \"partition\"\nat = \"8s\"\nuntil = \"14s\"\n\
         groups = [\"0..5\", \"rest\"]\n"
    )
}

/// When the partition ends, in nanoseconds.
const HEAL: u64 = 14_000_000_000;
/// Nodes of it.
const NODES: usize = 10;

#[derive(Clone, Copy)]
struct Made {
    parent: u64,
    slot: u32,
    at: u64,
}

/// All facts that matter here, with their times.
#[derive(Default)]
struct Record {
    blocks: BTreeMap<u64, Made>,
    facts: Vec<(u64, Fact)>,
}

impl Observer for &mut Record {
    fn on_fact(&mut self, at: Time, fact: &Fact) {
        let at = at.as_nanos();
        match *fact {
            Fact::BlockMade { slot, block, parent, .. } => {
                self.blocks.insert(block, Made { parent, slot: slot.number(), at });
            }
            Fact::HeadChanged { .. }
            | Fact::VoteCast { .. }
            | Fact::VoteLanded { .. }
            | Fact::Rooted { .. }
            | Fact::BlockConfirmed { .. } => self.facts.push((at, *fact)),
            _ => {}
        }
    }

    fn next_sample(&self) -> Option<Time> {
        None
    }

    fn on_sample(&mut self, _: Time, _: &World, _: &dyn Census) {}
}

impl Record {
    /// A block and all that it stands on, genesis left out.
    fn path(&self, block: u64) -> impl Iterator<Item = u64> + '_ {
        let parent = |block: &u64| self.blocks.get(block).map(|made| made.parent);
        std::iter::successors(Some(block), parent).filter(|block| self.blocks.contains_key(block))
    }

    /// Whether of any two of the blocks, one stands on the other; zero is genesis.
    fn on_one_chain(&self, blocks: &[u64]) -> bool {
        blocks.iter().all(|one| {
            let path: BTreeSet<u64> = self.path(*one).collect();
            blocks.iter().all(|other| {
                *other == 0 || path.contains(other) || self.path(*other).any(|it| it == *one)
            })
        }) || blocks.iter().all(|block| *block == 0)
    }

    /// The head of every node at the end.
    fn last_heads(&self) -> [u64; NODES] {
        let mut heads = [0; NODES];
        for (_, fact) in &self.facts {
            if let Fact::HeadChanged { node, block, .. } = fact {
                heads[node.index()] = *block;
            }
        }
        heads
    }

    /// The chain on which all nodes are at the end.
    fn canonical(&self) -> BTreeSet<u64> {
        let heads = self.last_heads();
        assert!(heads.iter().all(|head| *head == heads[0]), "the run ends between two blocks");
        self.path(heads[0]).collect()
    }

    /// When, after the heal, `holds` was first true of one block per node, taken from the facts by
    /// `moved`, at the end of an instant.
    fn first(
        &self,
        moved: impl Fn(&Fact) -> Option<(usize, u64)>,
        holds: impl Fn(&[u64]) -> bool,
    ) -> Option<u64> {
        let mut blocks = [0; NODES];
        let mut facts = self.facts.iter().peekable();
        let mut pending = true;
        while let Some((at, fact)) = facts.next() {
            if let Some((node, block)) = moved(fact) {
                blocks[node] = block;
                pending = true;
            }
            let last = facts.peek().is_none_or(|(next, _)| next > at);
            // What held at the heal holds from there.
            let counts = facts.peek().is_none_or(|(next, _)| *next > HEAL);
            if last && counts && std::mem::take(&mut pending) && holds(&blocks) {
                return Some(at.saturating_sub(HEAL));
            }
        }
        None
    }
}

fn head(fact: &Fact) -> Option<(usize, u64)> {
    match fact {
        Fact::HeadChanged { node, block, .. } => Some((node.index(), *block)),
        _ => None,
    }
}

fn root(fact: &Fact) -> Option<(usize, u64)> {
    match fact {
        Fact::Rooted { node, block, .. } => Some((node.index(), *block)),
        _ => None,
    }
}

fn consensus(ran: &Ran) -> &ConsensusSummary {
    ran.0.summary.consensus.as_ref().expect("a run with votes")
}

fn heard(style: &str, duration: &str) -> (Ran, Record) {
    let mut record = Record::default();
    let ran = ran_heard(&plan(&halves(style, duration)), &mut record);
    (ran, record)
}

/// Compares `votes.csv` with the facts.
fn check_votes(ran: &Ran, record: &Record) {
    let canonical = record.canonical();
    let (mut losing, mut since, mut heads) = ([0; NODES], [0; NODES], [0; NODES]);
    let (mut cast, mut landed) = ([0; NODES], [const { BTreeSet::new() }; NODES]);
    let (mut won, mut late, mut delays) = ([0; NODES], [0; NODES], [0; NODES]);
    for (at, fact) in &record.facts {
        match fact {
            Fact::HeadChanged { node, block, .. } => {
                let place = node.index();
                let loses = heads[place] != 0 && !canonical.contains(&heads[place]);
                losing[place] += if loses { at - since[place] } else { 0 };
                (heads[place], since[place]) = (*block, *at);
            }
            Fact::VoteCast { node, .. } => cast[node.index()] += 1,
            Fact::VoteLanded { block, voter, slot, delay } => {
                let place = voter.index();
                landed[place].insert(*slot);
                assert_eq!(record.blocks[block].slot - slot.number(), *delay);
                if canonical.contains(block) {
                    won[place] += 1;
                    late[place] += u64::from(*delay > 2);
                    delays[place] += u64::from(*delay);
                }
            }
            _ => {}
        }
    }
    assert!(losing.iter().any(|time| *time > 0), "somebody was on a losing fork");
    assert_eq!(ran.integers(&VOTES, "losing_ns"), losing);
    assert_eq!(ran.integers(&VOTES, "cast"), cast);
    let landed = landed.map(|slots: BTreeSet<_>| slots.len() as u64);
    assert_eq!(ran.integers(&VOTES, "landed"), landed);
    assert_eq!(ran.integers(&VOTES, "landed_canonical"), won);
    assert_eq!(ran.integers(&VOTES, "late"), late);
    assert_eq!(ran.integers(&VOTES, "delay_sum"), delays);
}

/// Compares when nodes with half of the stake took each block as confirmed, or a block upon it.
fn check_confirmation(ran: &Ran, record: &Record) {
    let mut firsts: BTreeMap<u64, BTreeMap<usize, u64>> = BTreeMap::new();
    for (at, fact) in &record.facts {
        if let Fact::BlockConfirmed { node, block, level: Level::Optimistic, .. } = fact {
            for block in record.path(*block) {
                firsts.entry(block).or_default().entry(node.index()).or_insert(*at);
            }
        }
    }
    let expected = |block: u64| {
        let mut times: Vec<u64> = firsts.get(&block)?.values().copied().collect();
        times.sort_unstable();
        Some(times.get(NODES / 2 - 1)? - record.blocks[&block].at)
    };
    let sink = &ran.0.sink;
    let mut confirmed = 0;
    for row in 0..sink.rows(&BLOCKS).len() {
        let block = sink.cell(&BLOCKS, row, "block").expect("a name").to_string();
        let block = u64::from_str_radix(&block, 16).expect("16 digits");
        let told = sink.integer(&BLOCKS, row, "optimistic_50_ns");
        assert_eq!(told, expected(block), "block {block:016x}");
        confirmed += usize::from(told.is_some());
    }
    assert!(confirmed > 40, "{confirmed} blocks were confirmed");
}

/// Compares forks with the blocks that are not in the chain at the end.
fn check_forks(ran: &Ran, record: &Record) {
    let canonical = record.canonical();
    let off = |block: &&u64| !canonical.contains(block);
    let ends = record.last_heads()[0];
    let upon_end = |block: &&u64| record.path(**block).any(|it| it == ends);
    let losing = record.blocks.keys().filter(off).filter(|block| !upon_end(block)).count();
    let forks = consensus(ran).forks;
    assert_eq!(forks.blocks, Some(losing as u64));
    let outcomes = ran.0.sink.column(&FORKS, "outcome").expect("a column");
    let lost = outcomes.filter(|outcome| **outcome == Cell::from("lost")).count();
    assert_eq!(forks.count, Some(lost as u64), "all have been left at the end");
    assert_eq!(forks.open, Some(0));
    let most = ran.integers(&FORKS, "most_stake").into_iter().max();
    assert_eq!(most, Some(5_000), "one half stood on the fork that lost");
}

#[test]
fn a_split_and_its_heal_are_told_as_they_follow_from_the_facts() {
    for style in ["tower", "classroom"] {
        let (ran, record) = heard(style, "59900ms");
        check_votes(&ran, &record);
        check_confirmation(&ran, &record);
        check_forks(&ran, &record);
        let heals = &consensus(&ran).heals;
        assert_eq!((heals.len(), heals[0].healed_ns), (1, HEAL));
        let heads = record.first(head, |heads| record.on_one_chain(heads));
        assert!(heads.is_some_and(|took| took > 0), "{style}: it took a while");
        assert_eq!(heals[0].heads_ns, heads, "{style}");
        let fresh = |root: &u64| record.blocks.get(root).is_some_and(|made| made.at >= HEAL);
        let roots =
            record.first(root, |roots| roots.iter().all(fresh) && record.on_one_chain(roots));
        assert_eq!(heals[0].roots_ns, roots, "{style}");
        let told: Vec<Option<u64>> =
            (0..4).map(|row| ran.0.sink.integer(&CONVERGENCE, row, "took_ns")).collect();
        assert_eq!((told[1], told[3]), (heads, roots), "{style}");
    }
}

/// The forks of a moment, before its events: slot of the tip, nodes and voters on its own blocks.
fn forks_at(record: &Record, moment: u64) -> Vec<(u64, u64, u64)> {
    let (mut heads, mut votes) = ([0; NODES], [None; NODES]);
    for (_, fact) in record.facts.iter().take_while(|(at, _)| *at < moment) {
        match fact {
            Fact::HeadChanged { node, block, .. } => heads[node.index()] = *block,
            Fact::VoteCast { node, block, .. } => votes[node.index()] = Some(*block),
            _ => {}
        }
    }
    let votes: Vec<u64> = votes.into_iter().flatten().collect();
    let mut all: Vec<u64> = heads.iter().chain(&votes).copied().collect();
    all.sort_unstable();
    all.dedup();
    let below = |tip: u64| record.path(tip).skip(1).chain((tip != 0).then_some(0));
    let is_tip = |block: &&u64| !all.iter().any(|it| below(*it).any(|under| under == **block));
    let tips: Vec<u64> = all.iter().filter(is_tip).copied().collect();
    let rows = tips.iter().map(|tip| {
        let others = tips.iter().filter(|other| *other != tip);
        let shared: BTreeSet<u64> =
            others.flat_map(|other| below(*other).chain([*other])).collect();
        let own: BTreeSet<u64> =
            below(*tip).chain([*tip]).filter(|block| !shared.contains(block)).collect();
        let on = |blocks: &[u64]| blocks.iter().filter(|block| own.contains(block)).count() as u64;
        let slot = record.blocks.get(tip).map_or(0, |made| made.slot);
        (slot.into(), on(&heads), on(&votes))
    });
    let mut rows: Vec<(u64, u64, u64)> = rows.collect();
    rows.sort_unstable();
    rows
}

#[test]
fn stake_on_each_fork_is_told_as_it_follows_from_the_facts() {
    let (ran, record) = heard("tower", "25s");
    let sink = &ran.0.sink;
    let number = |row, column| sink.integer(&FORK_STAKE, row, column).expect("a number");
    let mut rows: BTreeMap<u64, Vec<(u64, u64, u64)>> = BTreeMap::new();
    for row in 0..sink.rows(&FORK_STAKE).len() {
        let (slot, nodes) = (number(row, "tip_slot"), number(row, "nodes"));
        assert_eq!(number(row, "head_stake"), nodes * 1_000);
        let fork = (slot, nodes, number(row, "vote_stake") / 1_000);
        rows.entry(number(row, "time_ns")).or_default().push(fork);
    }
    // The last sample stands after the events of its moment.
    rows.pop_last();
    assert_eq!(rows.len(), 25, "a sample each second");
    assert!(rows.values().any(|forks| forks.len() > 2), "the halves part, and part again");
    for (at, mut forks) in rows {
        forks.sort_unstable();
        assert_eq!(forks, forks_at(&record, at), "at {at} ns");
    }
}

#[test]
fn a_run_is_judged_once_the_cluster_had_time_to_agree() {
    // 64 slots and 2^8 in which the first vote of a minority is locked: 128 s.
    let verdict = |duration: &str| consensus(&ran(&halves("tower", duration))).verdict;
    let not_judged = |because| ConsensusVerdict::NotJudged { because };
    assert_eq!(verdict("12s"), not_judged(NotJudged::Hindered), "while the halves are apart");
    assert_eq!(verdict("30s"), not_judged(NotJudged::Early), "16 s after the heal");
    assert_eq!(verdict("143s"), ConsensusVerdict::Pass, "129 s after the heal");
}

#[test]
fn a_run_without_votes_has_no_rows_and_no_figures() {
    let ran = ran(&halves("off", "20s"));
    assert_eq!(ran.0.summary.consensus, None);
    for table in [&VOTES, &FORKS, &FORK_STAKE] {
        assert!(ran.0.sink.rows(table).is_empty(), "{}", table.name);
    }
}
