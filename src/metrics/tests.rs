//! Metrics layer, tests only: the recorder as a whole, facts in, rows and key figures out.

use super::table::{Cell, MemorySink};
use super::*;
use crate::base::flight::FlightCode;
use crate::base::id::NodeId;
use crate::base::slot::Slot;
use crate::fact::{DropReason, MessageKind, Status, Transit};

const fn at(nanos: u64) -> Time {
    Time::from_nanos(nanos)
}

const fn node(number: u32) -> NodeId {
    NodeId::new(number)
}

const fn message(from: u32, to: u32, size: u32) -> Transit {
    Transit { from: node(from), to: node(to), size, kind: MessageKind::Rumor }
}

fn delivered(message: Transit, nanos: u64) -> Fact {
    Fact::Delivered { message, flight: FlightCode::of(Span::from_nanos(nanos)) }
}

/// Node `n` knows all nodes below it; the nodes listed are down.
struct Ladder(&'static [u32]);

impl Census for Ladder {
    fn status(&self, node: NodeId) -> Option<Status> {
        let n = node.number();
        let up = !self.0.contains(&n);
        let blocks = Status {
            slot: n + 30,
            height: n + 40,
            partial_blocks: n + 50,
            mempool: n + 60,
            ..Status::default()
        };
        up.then_some(Status {
            peers: n,
            validators: n + 10,
            rumors: n + 20,
            refused: n + 30,
            forgotten: 1,
            ..blocks
        })
    }
    fn peers(&self, of: NodeId, each: &mut dyn FnMut(NodeId)) {
        (0..of.number()).map(node).for_each(each);
    }
}

fn plan(stakes: &[u64], end: u64) -> RecorderPlan {
    let info = |(n, stake): (usize, &u64)| NodeInfo {
        stake: *stake,
        region: format!("region {n}"),
        site: format!("site {n}"),
        identity: format!("{n:02x}"),
        adversary: false,
        public_key: (n == 1).then(|| "key".into()),
    };
    RecorderPlan::new(NodeMap::from_vec(stakes.iter().enumerate().map(info).collect()), at(end))
}

/// Ends a run of three nodes without faults, with so many messages and bytes under way.
fn finish(
    recorder: Recorder<MemorySink>,
    end: u64,
    in_flight: (u64, u64),
) -> (Summary, MemorySink) {
    recorder.finish(&Ending {
        end: at(end),
        world: &World { up: 2, in_flight: in_flight.0, ..World::default() },
        census: &Ladder(&[2]),
        busy: &NodeMap::from_vec(vec![[Some(Span::from_nanos(250)), None]; 3]),
        tallies: &[],
        in_flight,
    })
}

/// One column as numbers, `None` for an empty cell.
fn column(sink: &MemorySink, table: &TableSpec, name: &str) -> Vec<Option<u64>> {
    (0..sink.rows(table).len()).map(|row| sink.integer(table, row, name)).collect()
}

#[test]
fn every_table_keeps_the_rules_and_has_a_name_of_its_own() {
    for (i, table) in TABLES.iter().enumerate() {
        assert_eq!(table.check(), Ok(()));
        assert!(TABLES[..i].iter().all(|other| other.name != table.name), "{}", table.name);
    }
}

#[test]
fn nodes_tell_what_they_sent_received_and_know() {
    let mut recorder = Recorder::new(plan(&[7, 0, 5], 1_000), MemorySink::new());
    recorder.on_fact(at(0), &Fact::NodeUp { node: node(0) });
    recorder.on_fact(at(0), &Fact::NodeUp { node: node(2) });
    (0..3).for_each(|_| recorder.on_fact(at(10), &Fact::Sent(message(0, 1, 100))));
    recorder.on_fact(at(10), &Fact::Duplicated(message(0, 1, 100)));
    recorder.on_fact(at(60), &delivered(message(0, 1, 100), 50));
    recorder.on_fact(at(90), &delivered(message(0, 1, 100), 80));
    let lost = Fact::Dropped { message: message(0, 1, 100), reason: DropReason::Partition };
    recorder.on_fact(at(91), &lost);
    recorder.on_fact(at(95), &Fact::NodeDown { node: node(2), forgets: false });
    let (summary, sink) = finish(recorder, 1_000, (1, 100));
    let expected = [
        ("stake", [Some(7), Some(0), Some(5)]),
        ("sent", [Some(3), Some(0), Some(0)]),
        ("received", [Some(0), Some(2), Some(0)]),
        ("dropped_out", [Some(1), Some(0), Some(0)]),
        ("sent_bytes", [Some(300), Some(0), Some(0)]),
        ("received_bytes", [Some(0), Some(200), Some(0)]),
        ("uplink_busy_ppm", [Some(250_000); 3]),
        ("downlink_busy_ppm", [None; 3]),
        ("first_heard_ns", [None, Some(60), None]),
        ("last_heard_ns", [None, Some(90), None]),
        ("crashes", [Some(0), Some(0), Some(1)]),
        ("peers", [Some(0), Some(1), None]),
        ("validators", [Some(10), Some(11), None]),
        ("rumors", [Some(20), Some(21), None]),
    ];
    for (name, values) in expected {
        assert_eq!(column(&sink, &NODES, name), values, "{name}");
    }
    let text = |row: usize, name| sink.cell(&NODES, row, name).map(ToString::to_string);
    let texts = ["region", "site", "identity", "public_key"].map(|name| text(1, name));
    assert_eq!(texts, ["region 1", "site 1", "01", "key"].map(|text| Some(text.into())));
    assert_eq!(sink.cell(&NODES, 0, "public_key"), Some(&Cell::Empty));
    let flow = Flow { sent: 3, duplicated: 1, delivered: 2, dropped: 1, in_flight: 1 };
    assert_eq!(summary.messages, flow);
    assert_eq!(summary.dropped.of(DropReason::Partition), 1);
    assert_eq!((summary.latency.min_ns, summary.latency.mean_ns), (Some(50), Some(65)));
    assert_eq!(summary.nodes, NodesSummary { count: 3, up: 2, starts: 2, crashes: 1 });
}

#[test]
fn conservation_is_checked_against_the_count_of_messages_under_way() {
    let run = |in_flight| {
        let mut recorder = Recorder::new(plan(&[1; 3], 1_000), MemorySink::new());
        recorder.on_fact(at(0), &Fact::Sent(message(0, 1, 100)));
        recorder.on_fact(at(0), &Fact::Sent(message(0, 2, 40)));
        recorder.on_fact(at(0), &Fact::Duplicated(message(0, 2, 40)));
        recorder.on_fact(at(9), &delivered(message(0, 2, 40), 9));
        finish(recorder, 1_000, in_flight).0.conservation
    };
    // 2 + 1 came in, 1 ended: 100 and 40 bytes are under way.
    let (holds, unaccounted, unaccounted_bytes) = (true, 0, 0);
    assert_eq!(run((2, 140)), Conservation { holds, unaccounted, unaccounted_bytes });
    assert_eq!(run((2, 139)), Conservation { holds: false, unaccounted, unaccounted_bytes: 1 });
    assert_eq!(run((3, 140)), Conservation { holds: false, unaccounted: -1, unaccounted_bytes });
}

#[test]
fn samples_are_asked_for_in_order_and_the_last_ones_taken_at_the_end() {
    let mut recorder = Recorder::new(
        RecorderPlan {
            timeline: Some(Span::from_nanos(400)),
            node_timeline: Some(Span::from_nanos(600)),
            peers_at: vec![at(2_000), at(600), at(500), at(500)],
            peers_at_end: true,
            gossip: true,
            ..plan(&[1, 1, 0], 1_000)
        },
        MemorySink::new(),
    );
    let mut asked = Vec::new();
    while let Some(moment) = recorder.next_sample() {
        asked.push(moment.as_nanos());
        let world = World { up: 3, pending: moment.as_nanos() + 1, ..World::default() };
        recorder.on_sample(moment, &world, &Ladder(&[]));
        recorder.on_fact(moment, &Fact::Sent(message(0, 1, 10)));
        recorder.on_fact(moment, &Fact::NodeUp { node: node(0) });
        recorder.on_fact(moment, &Fact::Published { node: node(0), version: 1 });
    }
    assert_eq!(asked, [0, 400, 500, 600, 800]);
    let (_, sink) = finish(recorder, 1_000, (5, 50));
    let timeline = |name| column(&sink, &TIMELINE, name);
    assert_eq!(timeline("time_ns"), [0, 400, 800, 1_000].map(Some));
    assert_eq!(timeline("pending"), [1, 401, 801, 0].map(Some));
    assert_eq!(timeline("sent"), [0, 1, 4, 5].map(Some), "since the start, before the sample");
    assert_eq!(timeline("peers"), [3, 3, 3, 1].map(Some), "0 + 1 + 2, then node 2 is down");
    assert_eq!(timeline("registry_known"), [0, 1, 1, 1].map(Some));
    // Nobody up is no share; then node 0 knows itself, one of two validators.
    let half = Some(500_000);
    assert_eq!(timeline("registry_agreement_ppm"), [None, half, half, half]);
    let nodes = |name| column(&sink, &NODE_TIMELINE, name);
    let times = [[0; 3], [600; 3], [1_000; 3]].concat();
    assert_eq!(nodes("time_ns"), times.into_iter().map(Some).collect::<Vec<_>>());
    assert_eq!(nodes("up"), [1, 1, 1, 1, 1, 1, 1, 1, 0].map(Some));
    assert_eq!(nodes("rumors")[6..], [Some(20), Some(21), None]);
    // Three nodes: 1-0, 2-0, 2-1; at the end node 2 is down.
    assert_eq!(column(&sink, &PEERS, "time_ns"), [500, 500, 500, 600, 600, 600, 1_000].map(Some));
    assert_eq!(column(&sink, &PEERS, "node"), [1, 2, 2, 1, 2, 2, 1].map(Some));
    assert_eq!(column(&sink, &PEERS, "peer"), [0, 0, 1, 0, 0, 1, 0].map(Some));
}

#[test]
fn nothing_is_sampled_that_the_plan_does_not_ask_for() {
    let recorder = Recorder::new(plan(&[1; 3], 1_000), MemorySink::new());
    assert_eq!(recorder.next_sample(), None);
    let (summary, sink) = finish(recorder, 1_000, (0, 0));
    let names: Vec<_> = sink.tables().map(|table| table.name).collect();
    assert_eq!(names, ["messages", "nodes"]);
    assert_eq!(summary.registry, None);
    assert_eq!(summary.rumors.coverage_mean_ppm, None);
}

#[test]
fn faults_say_what_became_of_them() {
    let fault = |may_miss| FaultInfo {
        kind: "loss".into(),
        describe: "loses, and says so".into(),
        begin: at(100),
        end: Some(at(200)),
        may_miss,
        heals: false,
        hinders: true,
    };
    let faults = vec![fault(false), fault(true), fault(false), fault(true), fault(false)];
    let plan = RecorderPlan { faults, ..plan(&[1], 1_000) };
    let mut recorder = Recorder::new(plan, MemorySink::new());
    (0..4).for_each(|fault| recorder.on_fact(at(100), &Fact::FaultBegan { fault }));
    (0..4).for_each(|fault| recorder.on_fact(at(200), &Fact::FaultEnded { fault }));
    let (summary, sink) = recorder.finish(&Ending {
        end: at(1_000),
        world: &World::default(),
        census: &Ladder(&[]),
        busy: &NodeMap::filled(1, [None; 2]),
        tallies: &[(9, 2), (9, 0), (0, 0), (0, 0), (0, 0)],
        in_flight: (0, 0),
    });
    let verdicts = ["touched", "touched nothing", "missed", "missed, as allowed", "never began"];
    let written = sink.column(&FAULTS, "verdict").expect("a column");
    assert!(written.eq(&verdicts.map(Cell::from)));
    assert_eq!(column(&sink, &FAULTS, "exposed"), [9, 9, 0, 0, 0].map(Some));
    assert_eq!(column(&sink, &FAULTS, "end_ns"), [Some(200); 5]);
    let expected = FaultsSummary {
        count: 5,
        touched: 1,
        touched_nothing: vec![1],
        missed: vec![2],
        missed_as_allowed: vec![3],
        never_began: vec![4],
        late: vec![4],
    };
    assert_eq!(summary.faults, expected);
}

#[test]
fn only_the_end_of_a_healing_fault_is_a_mark() {
    let fault = |heals| FaultInfo {
        kind: "partition".into(),
        describe: "splits".into(),
        begin: at(1),
        end: None,
        may_miss: false,
        heals,
        hinders: true,
    };
    let plan = RecorderPlan {
        faults: vec![fault(false), fault(true)],
        gossip: true,
        ..plan(&[1, 1, 0], 1_000)
    };
    let mut recorder = Recorder::new(plan, MemorySink::new());
    for n in 0..2 {
        recorder.on_fact(at(0), &Fact::NodeUp { node: node(n) });
        recorder.on_fact(at(0), &Fact::Published { node: node(n), version: 1 });
    }
    recorder.on_fact(at(70), &Fact::FaultEnded { fault: 0 });
    recorder.on_fact(at(70), &Fact::FaultEnded { fault: 1 });
    let (a, b) = (node(0), node(1));
    recorder.on_fact(at(80), &Fact::Learned { node: a, about: b, version: 1, from: b });
    recorder.on_fact(at(99), &Fact::Learned { node: b, about: a, version: 1, from: a });
    let (summary, sink) = recorder.finish(&Ending {
        end: at(1_000),
        world: &World::default(),
        census: &Ladder(&[]),
        busy: &NodeMap::filled(3, [None; 2]),
        tallies: &[(1, 1); 2],
        in_flight: (0, 0),
    });
    assert_eq!(column(&sink, &CONVERGENCE, "fault"), [None, Some(1)]);
    assert_eq!(column(&sink, &CONVERGENCE, "took_ns"), [99, 29].map(Some));
    let registry = summary.registry.expect("gossip is on");
    assert_eq!((registry.validators, registry.known_pairs), (2, 4));
    assert_eq!(registry.slowest_heal_ns, Some(29));
}

#[test]
fn receipts_of_rumors_are_counted_and_streamed() {
    let mut recorder = Recorder::new(plan(&[1; 3], 1_000), MemorySink::new());
    recorder.on_fact(at(5), &Fact::InputMissed { node: node(1) });
    let injected =
        Fact::RumorInjected { node: node(0), rumor: 4, size: 9, audience: 2, direct: false };
    recorder.on_fact(at(10), &injected);
    for (moment, to, first) in [(30, 1, true), (31, 1, false), (50, 2, true)] {
        let (node, from) = (node(to), node(0));
        let fact = Fact::RumorReceived { node, rumor: 4, from, hops: 1, first };
        recorder.on_fact(at(moment), &fact);
    }
    let (summary, sink) = finish(recorder, 1_000, (0, 0));
    assert_eq!(column(&sink, &DELIVERIES, "node"), [Some(1), Some(2)]);
    assert_eq!(column(&sink, &DELIVERIES, "latency_ns"), [Some(20), Some(40)]);
    assert_eq!(column(&sink, &RUMORS, "to_100_nodes_ns"), [Some(40)]);
    assert_eq!((summary.rumors.injected, summary.rumors.missed), (1, 1));
    assert_eq!((summary.rumors.receipts, summary.rumors.copies), (2, 3));
    assert_eq!(summary.deliveries, DeliveriesSummary { written: 2, left_out: 0 });
}

#[test]
fn blocks_are_told_in_both_timelines_and_only_if_there_are_any() {
    let run = |blocks| {
        let mut recorder = Recorder::new(
            RecorderPlan {
                timeline: Some(Span::from_nanos(600)),
                node_timeline: Some(Span::from_nanos(1_000)),
                blocks,
                ..plan(&[1; 3], 1_000)
            },
            MemorySink::new(),
        );
        (0..2).for_each(|n| recorder.on_fact(at(0), &Fact::NodeUp { node: node(n) }));
        recorder.on_sample(at(0), &World::default(), &Ladder(&[]));
        let (slot, block, parent, height) = (Slot::new(5), 7, 6, 4);
        let made = Fact::BlockMade { node: node(0), slot, block, parent, height };
        recorder.on_fact(at(100), &made);
        let head = Fact::HeadChanged { node: node(0), block, height, reorganised: 0 };
        recorder.on_fact(at(100), &head);
        recorder.on_sample(at(600), &World::default(), &Ladder(&[]));
        finish(recorder, 1_000, (0, 0))
    };
    let (summary, sink) = run(true);
    assert_eq!(summary.blocks.map(|blocks| blocks.made), Some(1));
    assert_eq!(column(&sink, &TIMELINE, "blocks"), [0, 1, 1].map(Some));
    assert_eq!(column(&sink, &TIMELINE, "height_max"), [0, 4, 4].map(Some));
    assert_eq!(column(&sink, &TIMELINE, "heads"), [1, 2, 2].map(Some));
    // Three nodes at the start and at the end, when node 2 is down.
    let of = |numbers: [u64; 5]| {
        let [a, b, c, d, e] = numbers.map(Some);
        [a, b, c, d, e, None]
    };
    assert_eq!(column(&sink, &NODE_TIMELINE, "slot"), of([30, 31, 32, 30, 31]));
    assert_eq!(column(&sink, &NODE_TIMELINE, "height"), of([40, 41, 42, 40, 41]));
    assert_eq!(column(&sink, &NODE_TIMELINE, "partial_blocks"), of([50, 51, 52, 50, 51]));
    assert_eq!(column(&sink, &NODE_TIMELINE, "mempool"), of([60, 61, 62, 60, 61]));
    assert_eq!(sink.rows(&BLOCKS).len(), 1);
    let (summary, sink) = run(false);
    assert_eq!(summary.blocks, None);
    assert_eq!(column(&sink, &TIMELINE, "heads"), [None; 3]);
    assert_eq!(column(&sink, &NODE_TIMELINE, "height"), [None; 6]);
    assert_eq!((sink.rows(&BLOCKS).len(), sink.rows(&SLOTS).len()), (0, 0));
}

#[test]
fn the_keys_of_the_summary_are_those_that_are_explained() {
    let recorder = Recorder::new(plan(&[1; 3], 1_000), MemorySink::new());
    let (summary, _) = finish(recorder, 1_000, (0, 0));
    let json = serde_json::to_value(summary).expect("whole numbers and texts");
    let keys = json.as_object().expect("a map").keys();
    // What is found out after the run stands behind what was measured.
    let judged = ["stopped".to_owned(), "verdict".to_owned()];
    assert!(keys.chain(&judged).eq(Summary::KEYS.iter().map(|(key, _)| key)));
}
