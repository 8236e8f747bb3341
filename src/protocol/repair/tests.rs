//! Protocol layer, tests only: one node's repair with a real block store and chain, and a hand-
//! written clock.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::base::digest::Digest;
use crate::base::id::NodeMap;
use crate::base::quantity::Rate;
use crate::base::slot::Slot;
use crate::fact::{RepairKind, RepairRefusal};
use crate::protocol::Validator;
use crate::protocol::block::{BlockId, Cut, ShredAt};
use crate::protocol::blockstore::{Limits, Path};
use crate::protocol::chain::Link;
use crate::protocol::repair::server::Server;
use crate::sim::protocol::{Effect, Outbox};

const MS: Span = Span::from_millis(1);
const ME: NodeId = NodeId::new(0);

const fn at(millis: u64) -> Time {
    Time::from_nanos(millis * 1_000_000)
}

/// Sets of 32 data and 32 coding shreds.
const CODED: Cut = Cut {
    chunk: 963,
    last_chunk: 899,
    set_data: 32,
    set_coding: 32,
    data_overhead: 240,
    coding_overhead: 265,
};

fn settings(config: Config) -> Arc<Settings> {
    Arc::new(Settings {
        config,
        slot: Span::from_millis(400),
        weights: Weights::new(&NodeMap::filled(5, 10)),
        most_listed: 100,
    })
}

/// A node of five, and what it has sent.
struct Bench {
    repair: Repair,
    store: Blockstore,
    chain: Chain,
    peers: Peers,
    ctx: Outbox<Validator>,
    now: Time,
    alarms: BTreeMap<(Time, u32), Timer>,
    sent: Vec<(Time, NodeId, Message)>,
    facts: Vec<Fact>,
}

impl Bench {
    fn new(config: Config) -> Self {
        let limits = Limits { partial: 64, expiry: Span::from_secs(30), history: 512 };
        let settings = settings(config);
        Self {
            repair: Repair::new(&settings, Seed(1), ME).expect("a style that repairs"),
            store: Blockstore::new(limits, true),
            chain: Chain::new(BlockId(0), 512),
            peers: Peers::everyone(ME, 5),
            ctx: Outbox::new(),
            now: Time::ZERO,
            alarms: BTreeMap::new(),
            sent: Vec::new(),
            facts: Vec::new(),
        }
    }

    fn solana() -> Self {
        Self::new(Config { style: Style::Solana, ..Config::default() })
    }

    fn classroom() -> Self {
        Self::new(Config { style: Style::Classroom, ..Config::default() })
    }

    /// A block of so many sets on another (genesis by its name, 0).
    fn block(&mut self, slot: u32, id: u64, parent: u64, cut: &Cut, data: u32) -> BodyId {
        let named = |id: u64| {
            let mut digest = Digest::default();
            digest.0[..8].copy_from_slice(&id.to_le_bytes());
            digest
        };
        let width = if cut.set_coding > 0 { 2 } else { 1 };
        let block = Block {
            slot: Slot::new(slot),
            height: slot + 1,
            leader: NodeId::new(1),
            hash: named(id),
            parent: named(parent),
            bytes: data * cut.chunk,
            shape: cut.shape_of_shreds(data * width),
            ..Block::blank()
        };
        let body = Shelf::<Block>::store(&mut self.ctx, block);
        Shelf::<Block>::hold(&mut self.ctx, body);
        body
    }

    fn call(&mut self, handler: impl FnOnce(&mut Repair, &View<'_>, &mut Outbox<Validator>)) {
        self.ctx.begin(ME, self.now);
        let view = View { store: &self.store, chain: &self.chain, peers: &self.peers };
        handler(&mut self.repair, &view, &mut self.ctx);
        for effect in self.ctx.take_effects() {
            match effect {
                Effect::SendEach { .. } => unreachable!("effects that are taken are single"),
                Effect::Send { to, message: crate::protocol::Message::Repair(message) } => {
                    self.sent.push((self.now, to, message));
                }
                Effect::After { delay, timer: crate::protocol::Timer::Repair(timer) } => {
                    self.alarms.insert((self.now + delay, timer.serial), timer);
                }
                Effect::Observe(fact) => self.facts.push(fact),
                other => panic!("repair does nothing else: {other:?}"),
            }
        }
    }

    /// All that is due up to a moment happens.
    fn run_until(&mut self, until: Time) {
        while let Some((&(due, _), &timer)) = self.alarms.first_key_value() {
            if due > until {
                break;
            }
            self.alarms.pop_first();
            self.now = due;
            self.call(|repair, view, ctx| repair.on_timer(view, ctx, timer));
        }
        self.now = until;
    }

    /// A shred reaches the node at a moment.
    fn receive(&mut self, when: Time, body: BodyId, at: ShredAt) {
        self.run_until(when);
        self.take(body, at, Path::Turbine(1));
    }

    fn take(&mut self, body: BodyId, at: ShredAt, path: Path) {
        let block = Shelf::<Block>::body(&self.ctx, body);
        let opened = !self.store.knows(body);
        if opened {
            self.store.open(self.now, body, block);
        }
        let received = self.store.receive(self.now, body, block, at, path).expect("known");
        if received.is(Received::WHOLE) {
            self.chain.add(Link::of(block, body));
            self.chain.switch(self.chain.longest());
            self.store.settle_full(body, block);
        }
        if received.is(Received::FRESH) {
            self.call(|repair, view, ctx| {
                repair.on_shred(view, ctx, (body, at.set), received, opened)
            });
        }
    }

    /// Data shreds of a range reach the node.
    fn data(&mut self, when: Time, body: BodyId, indices: std::ops::Range<u32>) {
        for index in indices {
            let at = Shelf::<Block>::body(&self.ctx, body).shape.data_at(index);
            self.receive(when, body, at);
        }
    }

    /// What was asked since the last time, with the millisecond (rounded down) of asking.
    fn asked(&mut self) -> Vec<(u64, Message)> {
        let sent = std::mem::take(&mut self.sent);
        sent.iter().map(|(at, _, message)| (at.as_nanos() / 1_000_000, *message)).collect()
    }

    /// The body of the only request since the last time, and when it was made.
    fn listed(&mut self) -> (u64, Body) {
        let asked = self.asked();
        let [(when, Message::Chunks(body))] = asked[..] else {
            panic!("one request of the classroom's: {asked:?}");
        };
        (when, Shelf::<Body>::body(&self.ctx, body).clone())
    }

    /// A request comes to the node: how many shreds it answers with, or why not.
    fn serve(
        &mut self,
        server: &mut Server,
        message: Message,
        leads: bool,
    ) -> Result<u32, RepairRefusal> {
        self.ctx.begin(ME, self.now);
        let view = View { store: &self.store, chain: &self.chain, peers: &self.peers };
        let settings = Arc::clone(&self.repair.settings);
        let answers = server.on_request(&settings, &view, &mut self.ctx, message, leads);
        answers.map(|answers| answers.len() as u32)
    }
}

fn windows(slot: u32, indices: impl IntoIterator<Item = u16>) -> Vec<Message> {
    let slot = Slot::new(slot);
    indices.into_iter().map(|index| Message::Window { slot, index }).collect()
}

/// The requests of one millisecond (the look of that poll).
fn of(asked: &[(u64, Message)], millis: u64) -> Vec<Message> {
    asked.iter().filter(|(when, _)| *when == millis).map(|(_, message)| *message).collect()
}

#[test]
fn all_missing_data_shreds_of_a_set_are_asked_for_after_the_delay_and_again_after_the_pause() {
    let mut bench = Bench::solana();
    let block = bench.block(7, 1, 0, &CODED, 64);
    // Set 0: ten data shreds and 21 coding shreds, one too few; set 1 is heard of 100 ms later.
    bench.data(at(0), block, 0..10);
    (32..53).for_each(|place| bench.receive(at(0), block, ShredAt { set: 0, place }));
    bench.data(at(100), block, 40..41);
    bench.run_until(at(549));
    let asked = bench.asked();
    // Observed at 0: due at 250 ms, and as the looks come once a millisecond, within one of it.
    assert_eq!(of(&asked, 250), windows(7, 10..32), "all 22, though one would do; no coding");
    assert_eq!(of(&asked, 350), windows(7, 32..40), "up to the last that came");
    assert_eq!(of(&asked, 400), windows(7, 10..32), "150 ms after the first time");
    assert_eq!(of(&asked, 500), windows(7, 32..40));
    assert_eq!(asked.len(), 22 + 8 + 22 + 8);
    // What is whole is not asked for, and the last shred is asked for when no gap is left.
    bench.data(at(549), block, 10..11);
    bench.data(at(549), block, 32..40);
    bench.run_until(at(600));
    let highest = Message::Highest { slot: Slot::new(7), index: 41 };
    assert_eq!(bench.asked(), [(549, highest)]);
}

#[test]
fn the_last_shred_is_asked_for_when_nothing_is_missing_before_it() {
    let mut bench = Bench::solana();
    let block = bench.block(3, 1, 0, &CODED, 64);
    bench.data(at(0), block, 0..20);
    bench.data(at(120), block, 20..32);
    // The set was observed at 0: 250 ms later the next shred is asked for.
    bench.run_until(at(399));
    let highest = Message::Highest { slot: Slot::new(3), index: 32 };
    assert_eq!(bench.asked(), [(250, highest)]);
    // The answer tells the end, and the rest of its set waits for the delay of that set.
    bench.data(at(399), block, 63..64);
    bench.run_until(at(660));
    assert_eq!(bench.asked(), windows(3, 32..63).into_iter().map(|m| (649, m)).collect::<Vec<_>>());
}

#[test]
fn a_block_that_counts_as_voted_on_is_asked_for_its_last_shred_without_delay() {
    let mut bench = Bench::solana();
    let parent = bench.block(3, 1, 99, &CODED, 64);
    let child = bench.block(4, 2, 1, &CODED, 32);
    bench.data(at(0), child, 0..1);
    // Without a path to genesis nothing is due before two slots of 400 ms have passed.
    bench.run_until(at(799));
    assert_eq!(bench.asked(), []);
    bench.run_until(at(802));
    let slot = Slot::new(4);
    let asked = |bench: &mut Bench| {
        bench.asked().into_iter().map(|(_, message)| message).collect::<Vec<Message>>()
    };
    let due = [Message::Orphan { slot }, Message::Highest { slot, index: 1 }];
    assert_eq!(asked(&mut bench), due);
    // A vote on the child counts for the parent, of which the node hears only now.
    bench.data(at(830), parent, 0..20);
    bench.run_until(at(832));
    let slot = Slot::new(3);
    let due = [Message::Orphan { slot }, Message::Highest { slot, index: 20 }];
    assert_eq!(asked(&mut bench), due);
    // One more shred makes another request, at the next look.
    bench.data(at(840), parent, 20..21);
    bench.run_until(at(842));
    assert_eq!(asked(&mut bench), [Message::Highest { slot, index: 21 }]);
}

#[test]
fn a_lonely_orphan_asks_for_its_ancestors_after_two_slots() {
    let mut bench = Bench::solana();
    let block = bench.block(9, 1, 99, &CODED, 32);
    bench.data(at(0), block, 0..32);
    assert_eq!(bench.chain.waiting().len(), 1);
    bench.run_until(at(960));
    let orphan = Message::Orphan { slot: Slot::new(9) };
    // First noticed at the look within the first millisecond.
    assert_eq!(bench.asked(), [(800, orphan), (950, orphan)]);
}

#[test]
fn a_look_keeps_to_its_limits_and_the_next_one_goes_on() {
    let mut bench = Bench::solana();
    let block = bench.block(1, 1, 0, &CODED, 1_024);
    // All sets are heard of at once, by the last shred.
    bench.data(at(0), block, 1_023..1_024);
    bench.run_until(at(399));
    let asked = bench.asked();
    // 1,023 are missing: 512 by the first kind and 100 by the last in one look, 411 in the next.
    let kinds = |when| of(&asked, when).len();
    assert_eq!((kinds(250), kinds(251), asked.len()), (512, 511, 1_023));
    let mut orphans = Bench::solana();
    for slot in 0..8 {
        let body =
            orphans.block(10 + slot, 100 + u64::from(slot), 500 + u64::from(slot), &CODED, 32);
        orphans.data(at(0), body, 0..32);
    }
    orphans.run_until(at(940));
    let asked = orphans.asked();
    assert_eq!((of(&asked, 800).len(), of(&asked, 801).len()), (5, 3));
}

#[test]
fn blocks_without_a_path_to_genesis_are_completed_those_that_lack_the_fewest_first() {
    let mut bench = Bench::solana();
    // Slot 5 lacks 60 shreds, slot 6 on top of it 20, slot 7 on top of that is heard of.
    let blocks: Vec<BodyId> = (0..3)
        .map(|i| bench.block(5 + i, 10 + u64::from(i), 9 + u64::from(i), &CODED, 128))
        .collect();
    bench.data(at(0), blocks[0], 60..128);
    bench.data(at(0), blocks[1], 0..108);
    bench.data(at(0), blocks[1], 127..128);
    bench.data(at(0), blocks[2], 0..1);
    // They count as voted on after two slots; the delay of their sets has passed by then.
    bench.run_until(at(802));
    let asked: Vec<Message> = bench.asked().into_iter().map(|(_, m)| m).collect();
    let later: Vec<Message> =
        asked.into_iter().filter(|m| matches!(m, Message::Window { .. })).collect();
    // Slot 5 is an ancestor of slot 6, and so comes before it.
    let expected = [windows(5, 0..60), windows(6, 108..127)].concat();
    assert_eq!(later, expected);
}

#[test]
fn looks_that_would_ask_for_nothing_are_left_out_and_nothing_else_changes() {
    // The same arrivals twice: once with the alarms that the node sets, once with a look in every
    // millisecond. 40 drawn sets of arrivals on chains with forks and gaps.
    let mut requests = 0;
    for seed in 0..40 {
        let run = |every: bool| {
            let mut draw = Rng::of_cluster(Seed(seed), Purpose::Workload);
            let mut bench = Bench::solana();
            let Asker::Solana(solana) = &bench.repair.asker else { unreachable!("as made") };
            let phase = solana.look_at(&bench.repair.settings, Time::ZERO, Time::ZERO);
            let mut arrivals = Vec::new();
            for id in 1..=6_u64 {
                let parent = if draw.below(4) == 0 { draw.below(id) } else { id - 1 };
                let body =
                    bench.block(id as u32, id, parent, &CODED, 32 * (1 + draw.below(3) as u32));
                let shape = Shelf::<Block>::body(&bench.ctx, body).shape;
                let share = draw.below(100);
                for ordinal in 0..shape.shreds() {
                    if draw.below(3) == 0 {
                        continue;
                    }
                    let late = if draw.below(100) < share { 40 } else { 700 };
                    let nanos = 1 + id * 150_000_000 + draw.below(late * 1_000_000);
                    arrivals.push((Time::from_nanos(nanos), body, shape.at(ordinal)));
                }
            }
            arrivals.sort();
            let end = at(2_200);
            let mut look = phase;
            let arrivals =
                arrivals.into_iter().map(|(when, body, place)| (when, Some((body, place))));
            for (when, shred) in arrivals.chain([(end, None)]) {
                while every && look <= when {
                    bench.now = look;
                    let timer = Timer { serial: bench.repair.alarm.0 };
                    bench.call(|repair, view, ctx| repair.on_timer(view, ctx, timer));
                    bench.alarms.clear();
                    look += MS;
                }
                if every {
                    bench.alarms.clear();
                }
                match shred {
                    Some((body, place)) => bench.receive(when, body, place),
                    None => bench.run_until(end),
                }
            }
            bench.sent
        };
        let (alarms, looks) = (run(false), run(true));
        requests += looks.len();
        let differ = alarms.iter().zip(&looks).find(|(alarm, look)| alarm != look);
        assert!(alarms == looks, "seed {seed}: {differ:?}");
    }
    assert!(requests > 4_000, "{requests} requests in all");
}

#[test]
fn a_node_that_lacks_nothing_sets_no_alarm() {
    for mut bench in [Bench::solana(), Bench::classroom()] {
        let first = bench.block(1, 1, 0, &CODED, 64);
        let second = bench.block(2, 2, 1, &CODED, 64);
        bench.data(at(0), first, 0..64);
        bench.data(at(400), second, 0..64);
        bench.run_until(at(60_000));
        assert_eq!((bench.asked(), bench.alarms.len()), (Vec::new(), 0));
        // A look for each block, when the delay of its first set has passed: it finds nothing.
        assert!(bench.repair.alarm.0 <= 2, "{} alarms", bench.repair.alarm.0);
    }
}

#[test]
fn the_classroom_asks_one_peer_for_all_and_waits_longer_each_time() {
    let cut = Cut::default();
    let mut bench = Bench::classroom();
    let block = bench.block(1, 1, 0, &cut, 50);
    bench.data(at(0), block, 0..10);
    bench.data(at(200), block, 12..30);
    bench.run_until(at(700));
    // 500 ms after the last new chunk: two gaps, and the end, which the node does not know.
    let body = Body { block: BlockId(1), listed: [10, 11].into(), from: Some(30) };
    assert_eq!(bench.listed(), (700, body.clone()));
    // Nothing comes: after 1, 2, 4 and 8 s more, and then no more. Peers are drawn anew.
    bench.run_until(at(120_000));
    let times: Vec<u64> = bench.asked().into_iter().map(|(when, _)| when).collect();
    assert_eq!(times, [1_700, 3_700, 7_700, 15_700]);
    // Something new: again after 500 ms, and the end is known.
    bench.data(at(120_000), block, 49..50);
    bench.run_until(at(120_500));
    let listed: Box<[u16]> = [10, 11].into_iter().chain(30..49).collect();
    assert_eq!(bench.listed(), (120_500, Body { listed, from: None, ..body }));
}

#[test]
fn a_request_lists_no_more_than_fits() {
    let mut bench = Bench::classroom();
    let block = bench.block(1, 1, 0, &Cut::default(), 300);
    bench.data(at(0), block, 299..300);
    bench.run_until(at(500));
    let (_, body) = bench.listed();
    assert_eq!((body.listed.len(), body.listed[99], body.from), (100, 99, None));
}

#[test]
fn the_classroom_asks_for_a_missing_parent_and_walks_on_without_waiting() {
    let cut = Cut::default();
    let mut bench = Bench::classroom();
    let blocks: Vec<BodyId> =
        (0..4).map(|i| bench.block(i, 1 + u64::from(i), u64::from(i), &cut, 2)).collect();
    bench.data(at(0), blocks[3], 0..2);
    bench.run_until(at(500));
    let whole = |id| Body { block: BlockId(id), listed: Box::default(), from: Some(0) };
    assert_eq!(bench.listed(), (500, whole(3)));
    // The answer completes the parent: the node is behind, so its parent is asked for at once.
    bench.data(at(580), blocks[2], 0..2);
    bench.run_until(at(580));
    assert_eq!(bench.listed(), (580, whole(2)));
    bench.data(at(640), blocks[1], 0..2);
    bench.run_until(at(640));
    assert_eq!(bench.listed(), (640, whole(1)));
    bench.data(at(700), blocks[0], 0..2);
    bench.run_until(at(60_000));
    assert_eq!((bench.asked(), bench.chain.head().id), (Vec::new(), BlockId(4)));
    assert!(bench.alarms.is_empty());
}

#[test]
fn a_node_that_has_given_up_tries_again_when_it_hears_of_another_block() {
    let cut = Cut::default();
    let mut bench = Bench::classroom();
    let child = bench.block(1, 2, 1, &cut, 2);
    bench.data(at(0), child, 0..2);
    // At 0.5, 1.5, 3.5, 7.5 and 15.5 s; the sixth would come at 31.5 s.
    bench.run_until(at(30_000));
    assert_eq!(bench.asked().len(), 5);
    let early = bench.block(2, 3, 2, &cut, 2);
    bench.data(at(30_000), early, 0..2);
    bench.run_until(at(40_000));
    assert_eq!(bench.asked().len(), 0, "too soon after the last attempt");
    let late = bench.block(3, 4, 3, &cut, 2);
    bench.data(at(40_000), late, 0..2);
    bench.run_until(at(40_000));
    let whole = Body { block: BlockId(1), listed: Box::default(), from: Some(0) };
    assert_eq!(bench.listed(), (40_000, whole));
}

#[test]
fn a_server_answers_with_what_it_has_and_with_nothing_else() {
    let mut bench = Bench::solana();
    let blocks: Vec<BodyId> =
        (0..20).map(|i| bench.block(i, 1 + u64::from(i), u64::from(i), &CODED, 64)).collect();
    for body in &blocks[..18] {
        bench.data(at(0), *body, 0..64);
    }
    bench.data(at(0), blocks[18], 0..5);
    let mut server = Server::default();
    let mut serve = |message| bench.serve(&mut server, message, false);
    let (part, none) = (Slot::new(18), Slot::new(19));
    assert_eq!(serve(Message::Window { slot: part, index: 4 }), Ok(1));
    assert_eq!(serve(Message::Window { slot: part, index: 5 }), Err(RepairRefusal::Unknown));
    assert_eq!(serve(Message::Window { slot: none, index: 0 }), Err(RepairRefusal::Unknown));
    assert_eq!(serve(Message::Highest { slot: part, index: 4 }), Ok(1));
    assert_eq!(serve(Message::Highest { slot: part, index: 5 }), Err(RepairRefusal::Unknown));
    // The last shred of all is sent even to one who asks for more.
    assert_eq!(serve(Message::Highest { slot: Slot::new(3), index: 64 }), Ok(1));
    assert_eq!(
        serve(Message::Window { slot: Slot::new(3), index: 64 }),
        Err(RepairRefusal::Unknown)
    );
    // Slots 18 to 8, and 4 to 0.
    assert_eq!(serve(Message::Orphan { slot: part }), Ok(11));
    assert_eq!(serve(Message::Orphan { slot: Slot::new(4) }), Ok(5));
    let wanted = Body { block: BlockId(19), listed: [1, 3, 60].into(), from: Some(4) };
    let wanted = Shelf::<Body>::store(&mut bench.ctx, wanted);
    assert_eq!(bench.serve(&mut server, Message::Chunks(wanted), false), Ok(3), "1, 3 and 4");
}

#[test]
fn a_request_that_names_a_slot_gets_a_shred_of_each_block_of_it_that_has_one() {
    let mut bench = Bench::solana();
    let (a, b) = (bench.block(3, 1, 0, &CODED, 32), bench.block(3, 2, 0, &CODED, 32));
    bench.data(at(0), a, 0..32);
    bench.data(at(1), b, 0..4);
    let mut answer = |index| {
        let message = Message::Window { slot: Slot::new(3), index };
        bench.call(|repair, view, ctx| {
            let answer = repair.on_message(view, ctx, NodeId::new(4), message, false, |_, _| false);
            assert_eq!(answer, None);
        });
        bench.asked()
    };
    let of = |block, index| (1, Message::Answer { block, index });
    assert_eq!(answer(3), [of(b, 3), of(a, 3)], "the newest first");
    assert_eq!(answer(4), [of(a, 4)]);
    let served = |shreds| Fact::RepairServed { node: ME, shreds, bytes: 1_207 * shreds };
    assert_eq!(bench.facts, [served(2), served(1)]);
}

#[test]
fn the_budget_is_a_bucket_of_one_second_and_costs_ten_times_as_much_while_leading() {
    // 12 MB at 1,207 B each: 100,584 ns of the bucket (rounded up), so 9,941 at once; while leading
    // 12,070 B or 1,005,834 ns (rounded up): 994.
    for (leads, at_once) in [(false, 9_941), (true, 994)] {
        let mut bench =
            Bench::new(Config { style: Style::Solana, served: u32::MAX, ..Config::default() });
        let block = bench.block(1, 1, 0, &CODED, 64);
        bench.data(at(0), block, 0..64);
        let mut server = Server::default();
        let ask = Message::Window { slot: Slot::new(1), index: 0 };
        let mut served = |bench: &mut Bench| {
            let all = (0..12_000).map(|_| bench.serve(&mut server, ask, leads));
            let all: Vec<_> = all.collect();
            assert!(all.iter().all(|r| matches!(r, Ok(1) | Err(RepairRefusal::Budget))));
            all.iter().filter(|result| result.is_ok()).count()
        };
        assert_eq!(served(&mut bench), at_once, "leads: {leads}");
        // After a tenth of a second a tenth of it has come in.
        bench.now = at(100);
        let tenth = served(&mut bench);
        assert!(tenth.abs_diff(at_once / 10) <= 1, "{tenth}");
        // An hour later it holds no more than a second's worth.
        bench.now = at(3_600_000);
        assert_eq!(served(&mut bench), at_once);
    }
    let config = Config { style: Style::Classroom, ..Config::default() };
    assert_eq!(config.budget(), None);
    let config = Config { budget: Rate::new(8_000), ..config };
    assert_eq!(config.budget(), Rate::new(8_000));
}

#[test]
fn no_more_requests_than_the_limit_are_looked_at_in_one_poll() {
    let mut bench = Bench::solana();
    let block = bench.block(1, 1, 0, &CODED, 64);
    bench.data(at(0), block, 0..64);
    let mut server = Server::default();
    let ask = Message::Window { slot: Slot::new(1), index: 0 };
    for millis in [0, 1] {
        bench.now = at(millis);
        let served = (0..1_100).filter(|_| bench.serve(&mut server, ask, false).is_ok()).count();
        assert_eq!(served, 1_024);
    }
}

#[test]
fn requests_and_answers_have_the_sizes_of_the_real_ones() {
    let mut bench = Bench::solana();
    let block = bench.block(1, 1, 0, &CODED, 64);
    let wanted = Body { block: BlockId(1), listed: [1, 2, 3].into(), from: None };
    let wanted = Shelf::<Body>::store(&mut bench.ctx, wanted);
    let slot = Slot::new(1);
    for (message, size) in [
        (Message::Window { slot, index: 3 }, 160),
        (Message::Highest { slot, index: 3 }, 160),
        (Message::Orphan { slot }, 152),
        (Message::Answer { block, index: 3 }, 1_207),
        (Message::Chunks(wanted), 72 + 3 * 4),
    ] {
        assert_eq!(message.size(bench.ctx.bodies()), size, "{message:?}");
    }
}

#[test]
fn a_crash_forgets_requests_and_a_restart_asks_again() {
    let mut bench = Bench::solana();
    let block = bench.block(1, 1, 0, &CODED, 32);
    bench.data(at(0), block, 0..16);
    bench.data(at(0), block, 31..32);
    bench.run_until(at(260));
    assert_eq!(bench.asked().len(), 15);
    bench.repair.on_crash();
    bench.alarms.clear();
    bench.run_until(at(300));
    bench.call(|repair, view, ctx| repair.on_start(view, ctx));
    bench.run_until(at(310));
    assert_eq!(bench.asked().len(), 15, "at once, the delay has passed long ago");
    assert!(matches!(
        bench.facts[0],
        Fact::RepairRequested { kind: RepairKind::Window, shreds: 1, .. }
    ));
}
