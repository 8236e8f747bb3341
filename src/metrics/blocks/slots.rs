//! Metrics layer, collector: what became of each slot (`slots.csv`).

use serde::Serialize;

use super::super::figures::ppm;
use super::super::plan::SlotTimes;
use super::super::table::{Column, RowSink, TableSpec, Unit};
use crate::base::id::{NodeId, NodeSet};
use crate::base::slot::Slot;
use crate::base::time::{Span, Time};
use crate::fact::Decline;

/// `slots.csv`.
pub static SLOTS: TableSpec = TableSpec {
    name: "slots",
    doc: "One row per slot, in order, up to the last one that somebody led or declined to lead; at \
          most 1,000,000. The chain may lag behind the clock, so a slot counts as skipped only if a \
          block of a later slot was made. No rows in a run without blocks.",
    columns: &[
        Column::new("slot", Unit::Slot, "The slot."),
        Column::new("leader", Unit::Node, "Who was to lead it; empty for nobody, or if unknown."),
        Column::new("outcome", Unit::Text, OUTCOME),
        Column::new("reason", Unit::Text, REASON),
        Column::new("blocks", Unit::Count, "Blocks made for it; more than one is equivocation."),
        Column::new("skipped", Unit::Flag, SKIPPED),
        Column::new("canonical", Unit::Flag, CANONICAL),
    ],
};

const OUTCOME: &str = "`made`: its leader made a block; `declined`: the leader could have and did \
                       not; `none`: neither.";
const REASON: &str = "Why no block was made. `passed`: the leader's chain had reached that slot; \
                      `has_shreds`: the leader had shreds of a block of that slot; `leader_down`: \
                      the leader was down when the slot was to begin, with `slots.start = \"poh\"` \
                      reckoned from the latest block of a slot before; `unpropagated`: the leader's block \
                      before had not reached enough of the stake; `nothing_rooted`: it had lost its \
                      memory and rooted nothing new since; `silent`: the leader is so \
                      against the rules; `overtaken`: before the leader could begin (it waits out \
                      ticks and the grace of the leader before) its chain came to that slot or a \
                      later one. Empty otherwise.";
const SKIPPED: &str = "Whether somebody was to lead it, nobody did, and a block of a later slot was \
                       made.";
const CANONICAL: &str = "Whether a block of it is part of the chain that most stake builds on at \
                         the end; empty without a block, or if that cannot be told.";

/// Most slots that are looked at, 16 bytes each.
const MOST_SLOTS: usize = 1_000_000;

/// What became of the slots up to the last one with a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct SlotsSummary {
    /// Slots with a block.
    pub made: u64,
    /// Slots that somebody was to lead, without a block, before one with a block.
    pub skipped: u64,
    /// Skipped because the leader's chain had reached that slot.
    pub passed: u64,
    /// Skipped because the leader had shreds of a block of that slot.
    pub has_shreds: u64,
    /// Skipped because the leader's block before had not reached enough of the stake.
    pub unpropagated: u64,
    /// Skipped because the leader had lost its memory and rooted nothing new since.
    pub nothing_rooted: u64,
    /// Skipped because the leader was down when the slot was to begin.
    pub leader_down: u64,
    /// Skipped because the leader is silent against the rules.
    pub silent: u64,
    /// Skipped because the leader's chain came to that slot or a later one before it could begin.
    pub overtaken: u64,
    /// Skipped for no reason that is known.
    pub unexplained: u64,
    /// Slots after the last one with a block that their leaders declined: not skipped, for the
    /// chain may lag behind the clock.
    pub after_last: u64,
    /// Skipped slots as a share of them and those with a block.
    pub skip_rate_ppm: Option<u64>,
    /// Slots before the end of the canonical chain that have blocks, but none in it; `None` if that
    /// cannot be told.
    pub orphaned: Option<u64>,
    /// Skipped and orphaned slots as a share of skipped ones and those with a block: the skip rate
    /// as Solana reckons it, by the rooted fork.
    pub chain_skip_rate_ppm: Option<u64>,
}

/// What is known of a slot.
#[derive(Clone, Copy, Default)]
struct Record {
    leader: Option<NodeId>,
    blocks: u32,
    declined: Option<Decline>,
    /// Whether the leader was down when the slot was to begin.
    down: bool,
    /// Whether the leader's chain had come to it or a later one when it had not led yet.
    overtaken: bool,
    /// Whether a block of it is canonical.
    canonical: bool,
}

impl Record {
    const fn outcome(&self) -> &'static str {
        match (self.blocks, self.declined) {
            (1.., _) => "made",
            (0, Some(_)) => "declined",
            (0, None) => "none",
        }
    }

    const fn reason(&self) -> Option<&'static str> {
        match (self.blocks, self.declined, self.down) {
            (0, Some(reason), _) => Some(reason.name()),
            (0, None, true) => Some("leader_down"),
            (0, None, false) if self.overtaken => Some("overtaken"),
            _ => None,
        }
    }
}

/// Follows slots.
pub(super) struct Slots {
    records: Vec<Record>,
    /// How many slots the schedule covers; zero without one.
    scheduled: usize,
    times: SlotTimes,
    /// How many slots have begun by the schedule.
    begun: usize,
    /// The last slot that was led or declined, and the last one with a block.
    reached: Option<usize>,
    made: Option<usize>,
    /// The highest slot that the chain of each node has come to, as far as that was looked at.
    heads: Vec<u32>,
}

impl Slots {
    pub(super) fn new(leaders: &[Option<NodeId>], times: SlotTimes) -> Self {
        let leaders = &leaders[..leaders.len().min(MOST_SLOTS)];
        let record = |leader: &Option<NodeId>| Record { leader: *leader, ..Record::default() };
        Self {
            records: leaders.iter().map(record).collect(),
            scheduled: leaders.len(),
            times,
            begun: 0,
            reached: None,
            made: None,
            heads: Vec::new(),
        }
    }

    /// A node builds on a block of this slot: slots of its own before it are over for it.
    pub(super) fn on_head(&mut self, node: NodeId, slot: Slot) {
        if self.heads.len() <= node.index() {
            self.heads.resize(node.index() + 1, 0);
        }
        let seen = self.heads[node.index()];
        let now = seen.max(slot.number());
        self.heads[node.index()] = now;
        let end = self.scheduled.min(self.records.len()).min(now as usize + 1);
        for record in self.records.get_mut(seen as usize + 1..end).unwrap_or_default() {
            record.overtaken |= record.leader == Some(node) && record.blocks == 0;
        }
    }

    /// Length of a slot; zero if that is not known.
    pub(super) const fn slot_length(&self) -> Span {
        self.times.length
    }

    /// A node made a block at `at`, while these were up.
    pub(super) fn on_made(&mut self, at: Time, slot: Slot, node: NodeId, up: &NodeSet) {
        let place = slot.number() as usize;
        if self.times.by_blocks && Some(place) > self.made {
            // Slots before it are over, whatever was reckoned; those after it are reckoned anew.
            self.look_before(place + 1, up);
            self.times.known = (place as u64, at);
            self.begun = place + 1;
        }
        if let Some(record) = self.record(slot, node) {
            record.blocks += 1;
            self.made = self.made.max(Some(place));
        }
    }

    pub(super) fn on_declined(&mut self, slot: Slot, node: NodeId, reason: Decline) {
        if let Some(record) = self.record(slot, node) {
            record.declined.get_or_insert(reason);
        }
    }

    /// Nodes come or go at `at`: looks who is down at the slots that were to begin before.
    pub(super) fn pass(&mut self, at: Time, up: &NodeSet) {
        if self.times.length.is_zero() {
            return;
        }
        let (known, since) = self.times.known;
        // How many begin before that moment: the first of them at `since`.
        let passed = at.since(since).as_nanos().div_ceil(self.times.length.as_nanos());
        self.look_before(usize::try_from(known.saturating_add(passed)).unwrap_or(usize::MAX), up);
    }

    /// Looks who is down at the slots before one, as far as that was not done.
    fn look_before(&mut self, end: usize, up: &NodeSet) {
        let end = end.min(self.scheduled);
        for record in self.records.get_mut(self.begun..end).unwrap_or_default() {
            record.down = record.leader.is_some_and(|leader| !up.contains(leader));
        }
        self.begun = self.begun.max(end);
    }

    /// The run is over: writes all rows. `canonical` are the slots of canonical blocks; `None` if
    /// that cannot be told.
    pub(super) fn fill(
        &mut self,
        canonical: Option<impl Iterator<Item = Slot>>,
        sink: &mut impl RowSink,
    ) -> SlotsSummary {
        let told = canonical.is_some();
        for slot in canonical.into_iter().flatten() {
            if let Some(record) = self.records.get_mut(slot.number() as usize) {
                record.canonical = true;
            }
        }
        let mut summary = SlotsSummary::default();
        for place in 0..self.reached.map_or(0, |last| last + 1) {
            let record = &self.records[place];
            let skipped = self.is_skipped(place);
            summary.count(record, skipped);
            let is_after = Some(place) > self.made && record.declined.is_some();
            summary.after_last += u64::from(is_after);
            sink.row(
                &SLOTS,
                &[
                    place.into(),
                    record.leader.into(),
                    record.outcome().into(),
                    record.reason().into(),
                    record.blocks.into(),
                    skipped.into(),
                    (told && record.blocks > 0).then_some(record.canonical).into(),
                ],
            );
        }
        let all = summary.skipped + summary.made;
        summary.skip_rate_ppm = ppm(summary.skipped, all);
        let last = self.records.iter().rposition(|record| record.canonical).unwrap_or(0);
        let off = self.records[..last].iter().filter(|it| it.blocks > 0 && !it.canonical);
        summary.orphaned = told.then(|| off.count() as u64);
        let lost = summary.orphaned.map(|orphaned| orphaned + summary.skipped);
        summary.chain_skip_rate_ppm = lost.and_then(|lost| ppm(lost, all));
        summary
    }

    fn is_skipped(&self, place: usize) -> bool {
        let record = &self.records[place];
        let had_leader = record.leader.is_some() || self.scheduled == 0;
        // Slot 0 is that of genesis, where nobody leads.
        place > 0 && had_leader && record.blocks == 0 && Some(place) < self.made
    }

    /// The record of a slot that a node led or declined; `None` beyond the last that is looked at.
    fn record(&mut self, slot: Slot, node: NodeId) -> Option<&mut Record> {
        let place = slot.number() as usize;
        if place >= MOST_SLOTS {
            return None;
        }
        if place >= self.records.len() {
            self.records.resize(place + 1, Record::default());
        }
        self.reached = self.reached.max(Some(place));
        let record = &mut self.records[place];
        record.leader.get_or_insert(node);
        Some(record)
    }
}

impl SlotsSummary {
    fn count(&mut self, record: &Record, skipped: bool) {
        self.made += u64::from(record.blocks > 0);
        if skipped {
            self.skipped += 1;
            match (record.declined, record.down) {
                (Some(Decline::Passed), _) => self.passed += 1,
                (Some(Decline::HasShreds), _) => self.has_shreds += 1,
                (Some(Decline::Unpropagated), _) => self.unpropagated += 1,
                (Some(Decline::Silent), _) => self.silent += 1,
                (Some(Decline::NothingRooted), _) => self.nothing_rooted += 1,
                (None, true) => self.leader_down += 1,
                (None, false) if record.overtaken => self.overtaken += 1,
                (None, false) => self.unexplained += 1,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::table::{Cell, MemorySink};
    use super::*;

    /// Slots of 100 ns.
    const fn every_100(begin: u64, by_blocks: bool) -> SlotTimes {
        SlotTimes { length: Span::from_nanos(100), known: (0, Time::from_nanos(begin)), by_blocks }
    }

    const fn node(number: u32) -> NodeId {
        NodeId::new(number)
    }

    const fn slot(number: u32) -> Slot {
        Slot::new(number)
    }

    fn texts(sink: &MemorySink, column: &str) -> Vec<String> {
        sink.column(&SLOTS, column).expect("a column").map(Cell::to_string).collect()
    }

    #[test]
    fn every_slot_has_an_outcome_and_a_reason_and_the_rest_is_not_skipped() {
        // Slot 0 is that of genesis; 1 and 2 are led by node 0, 3 to 8 by node 1.
        let leaders = [None, Some(0), Some(0)].into_iter().chain([Some(1); 6]);
        let leaders: Vec<_> = leaders.map(|leader| leader.map(node)).collect();
        let mut slots = Slots::new(&leaders, every_100(0, false));
        let mut up = NodeSet::full(2);
        let made = |slots: &mut Slots, of, by, up: &NodeSet| {
            slots.on_made(Time::from_nanos(9_999), slot(of), node(by), up);
        };
        made(&mut slots, 1, 0, &up);
        made(&mut slots, 1, 0, &up);
        // Node 1 is down from 300 up to 399: slot 3, at the moment itself, but not slot 4.
        slots.pass(Time::from_nanos(300), &up);
        up.remove(node(1));
        slots.pass(Time::from_nanos(399), &up);
        up.insert(node(1));
        slots.on_declined(slot(5), node(1), Decline::HasShreds);
        // Node 0 comes to slot 2, of its own, by a block of another; node 1 only to slot 3.
        slots.on_head(node(0), slot(2));
        slots.on_head(node(1), slot(3));
        made(&mut slots, 6, 1, &up);
        slots.on_declined(slot(7), node(1), Decline::Passed);
        slots.pass(Time::from_nanos(5_000), &up);
        let mut sink = MemorySink::new();
        let summary = slots.fill(Some([slot(6)].into_iter()), &mut sink);
        assert_eq!(texts(&sink, "slot"), ["0", "1", "2", "3", "4", "5", "6", "7"]);
        assert_eq!(texts(&sink, "leader"), ["", "0", "0", "1", "1", "1", "1", "1"]);
        let outcomes = ["none", "made", "none", "none", "none", "declined", "made", "declined"];
        assert_eq!(texts(&sink, "outcome"), outcomes);
        let reasons = ["", "", "overtaken", "leader_down", "", "has_shreds", "", "passed"];
        assert_eq!(texts(&sink, "reason"), reasons);
        assert_eq!(texts(&sink, "blocks"), ["0", "2", "0", "0", "0", "0", "1", "0"]);
        assert_eq!(texts(&sink, "skipped"), ["0", "0", "1", "1", "1", "1", "0", "0"]);
        assert_eq!(texts(&sink, "canonical"), ["", "0", "", "", "", "", "1", ""]);
        let expected = SlotsSummary {
            made: 2,
            skipped: 4,
            passed: 0,
            has_shreds: 1,
            unpropagated: 0,
            nothing_rooted: 0,
            leader_down: 1,
            silent: 0,
            overtaken: 1,
            unexplained: 1,
            after_last: 1,
            skip_rate_ppm: Some(666_666),
            // Slot 1 has two blocks and none in the chain: five of six.
            orphaned: Some(1),
            chain_skip_rate_ppm: Some(833_333),
        };
        assert_eq!(summary, expected);
    }

    #[test]
    fn without_a_schedule_slots_are_those_that_were_reached() {
        let none = NodeSet::empty(1);
        let mut slots = Slots::new(&[], SlotTimes::UNKNOWN);
        slots.pass(Time::from_nanos(1), &none);
        slots.on_made(Time::ZERO, slot(2), node(5), &none);
        slots.on_made(Time::ZERO, slot(3), node(6), &none);
        slots.on_made(Time::ZERO, slot(u32::MAX), node(6), &none);
        let mut sink = MemorySink::new();
        let summary = slots.fill(None::<std::iter::Empty<Slot>>, &mut sink);
        assert_eq!(texts(&sink, "leader"), ["", "", "5", "6"]);
        // Slot 0 is that of genesis.
        assert_eq!(texts(&sink, "skipped"), ["0", "1", "0", "0"]);
        assert_eq!(texts(&sink, "canonical"), [""; 4]);
        assert_eq!((summary.made, summary.unexplained), (2, 1));
    }

    /// The slots, of nine that node 1 leads, at the beginning of which it was down: it is away from
    /// 350 up to 600. Blocks of `made` come at these moments.
    fn down(times: SlotTimes, made: &[(u64, u32)]) -> Vec<String> {
        let mut slots = Slots::new(&[Some(node(1)); 9], times);
        let all = NodeSet::full(2);
        let mut away = all.clone();
        away.remove(node(1));
        let mut up = &all;
        let mut changes = [(350, &away), (600, &all)].into_iter().peekable();
        for (at, block) in made.iter().copied().chain([(5_000, 9)]) {
            while let Some((at, then)) = changes.next_if(|(change, _)| *change <= at) {
                slots.pass(Time::from_nanos(at), up);
                up = then;
            }
            let at = Time::from_nanos(at);
            if block < 9 {
                slots.on_made(at, slot(block), node(0), up);
            } else {
                slots.pass(at, up);
            }
        }
        slots.on_declined(slot(8), node(1), Decline::Passed);
        let mut sink = MemorySink::new();
        slots.fill(None::<std::iter::Empty<Slot>>, &mut sink);
        let reasons = texts(&sink, "reason");
        let down = reasons.iter().enumerate().filter(|(_, reason)| *reason == "leader_down");
        down.map(|(slot, _)| slot.to_string()).collect()
    }

    #[test]
    fn leaders_are_down_when_their_slots_really_begin() {
        // By the clock slot k begins at 100 k: 4 and 5 while node 1 is away.
        assert_eq!(down(every_100(0, false), &[(900, 2)]), ["4", "5"]);
        // 50 ns later: 350, 450 and 550 are slots 3, 4 and 5.
        assert_eq!(down(every_100(50, false), &[(900, 2)]), ["3", "4", "5"]);
        // By blocks: that of slot 1 at 290 puts slots 2, 3 and 4 at 390, 490 and 590.
        assert_eq!(down(every_100(0, true), &[(290, 1)]), ["2", "3", "4"]);
        // A block of slot 6 at 500 ends those before it early, and slot 7 comes at 600.
        assert_eq!(down(every_100(0, true), &[(290, 1), (500, 6)]), ["2", "3", "4", "5"]);
        // Slots that were reckoned too early are looked at again: that of slot 1 comes at 650.
        assert_eq!(down(every_100(0, true), &[(650, 1)]), [""; 0]);
    }
}
