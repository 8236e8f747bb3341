//! Protocol layer, tests only: discovery on small worlds, with bounds that follow from its rules,
//! and step by step.

use super::*;
use crate::base::time::Time;
use crate::fact::MessageKind;
use crate::protocol::testbed::{Message as Wire, Node, Timer as Alarm, World};
use crate::sim::protocol::{Effect, Outbox};

const LATENCY: Span = Span::from_millis(10);

fn seconds(seconds: u64) -> Time {
    Time::ZERO + Span::from_secs(seconds)
}

fn settings(config: Config, bootstrap: &[u32]) -> Arc<Settings> {
    let bootstrap = bootstrap.iter().map(|node| NodeId::new(*node)).collect();
    Arc::new(Settings { bootstrap, config })
}

fn world(settings: &Arc<Settings>, nodes: usize, initial: impl Fn(NodeId) -> Peers) -> World {
    let node = |me: NodeId| Node {
        peers: initial(me),
        discovery: Some(Discovery::new(Arc::clone(settings), Seed(5), me, initial(me))),
        gossip: None,
    };
    World::start(NodeId::all(nodes).map(node).collect(), LATENCY)
}

/// Everyone starts with both neighbours of a ring.
fn ring(config: Config, nodes: usize) -> World {
    let next = move |me: NodeId, step: usize| NodeId::from_index((me.index() + step) % nodes);
    world(&settings(config, &[]), nodes, |me| Peers::listed(vec![next(me, 1), next(me, nodes - 1)]))
}

fn all_know_all(world: &World) -> bool {
    world.nodes.iter().all(|node| node.peers.len() == world.nodes.len() - 1)
}

/// When each node dropped (or took in) `peer` after a moment.
fn when(world: &World, after: Time, peer: NodeId, dropped: bool) -> Vec<Time> {
    let matching = |(at, fact): &(Time, Fact)| match fact {
        Fact::PeerDropped { peer: p, .. } if dropped => (*p == peer && *at > after).then_some(*at),
        Fact::PeerAdded { peer: p, .. } if !dropped => (*p == peer && *at > after).then_some(*at),
        _ => None,
    };
    world.facts.iter().filter_map(matching).collect()
}

#[test]
fn in_a_ring_everyone_comes_to_know_everyone() {
    // Who has the node at distance d among its peers has the one at d + 1 two exchanges of 2 L
    // later at most: an answer names it, an announcement to it is answered. Distance 8 by 16 L.
    let mut world = ring(Config::default(), 16);
    assert!(!all_know_all(&world));
    world.run_until(Time::ZERO + LATENCY * 32);
    assert!(all_know_all(&world));
    world.run_until(seconds(60));
    let dropped = world.facts.iter().any(|(_, fact)| matches!(fact, Fact::PeerDropped { .. }));
    assert!(!dropped, "nobody who is alive is dropped");
}

#[test]
fn a_dead_node_is_dropped_in_time_and_comes_back_after_its_restart() {
    for memory in [Memory::Kept, Memory::Lost] {
        let config = Config::default();
        let mut world = ring(config.clone(), 16);
        world.run_until(seconds(20));
        let dead = NodeId::new(3);
        world.crash(dead, memory);
        // The last message of the dead node arrives a latency after its death. 15 peers have their
        // turn in every round: 2 * 5 s + 3 * 2 s.
        assert_eq!(config.detection_bound(15), Span::from_secs(16));
        world.run_until(seconds(200));
        let dropped = when(&world, Time::ZERO, dead, true);
        assert_eq!(dropped.len(), 15, "everyone drops it once, and nobody takes it in on hearsay");
        assert!(dropped.iter().all(|at| *at <= seconds(36) + LATENCY));
        world.restart(dead);
        // Its own announcements and the retries, a minute apart at most, find it; and the answer.
        world.run_until(seconds(260) + LATENCY * 2);
        assert_eq!(when(&world, seconds(200), dead, false).len(), 15);
        assert!(all_know_all(&world));
    }
}

#[test]
fn turns_rotate_and_a_healed_partition_is_forgotten() {
    // 40 nodes that know everyone, which is more than max_peers: the limit does not keep out those
    // a node started with. 39 peers, 8 a round: 5 rounds of 5 s; the bound is 56 s.
    let config = Config { ping_fanout: 8, max_peers: 10, ..Config::default() };
    assert_eq!(config.detection_bound(39), Span::from_secs(56));
    let mut world = world(&settings(config, &[]), 40, |me| Peers::everyone(me, 40));
    world.run_until(seconds(30));
    world.sides[..10].fill(1);
    world.run_until(seconds(86) + LATENCY);
    for node in NodeId::all(40) {
        let others = if node.index() < 10 { 9 } else { 29 };
        assert_eq!(world.nodes[node.index()].peers.len(), others);
    }
    world.run_until(seconds(300));
    world.sides.fill(0);
    world.run_until(seconds(360) + LATENCY * 2);
    assert!(all_know_all(&world));
}

#[test]
fn a_full_node_refuses_newcomers_and_counts_them() {
    // Nine nodes know of the bootstrap node alone, which has room for four.
    let config = Config { max_peers: 4, ..Config::default() };
    let mut world = world(&settings(config, &[0]), 10, |_| Peers::listed(Vec::new()));
    world.run_until(Time::ZERO + LATENCY);
    let refused = world.nodes[0].discovery.as_ref().map(Discovery::refused);
    assert_eq!((world.nodes[0].peers.len(), refused), (4, Some(5)));
    world.run_until(seconds(60));
    for node in &world.nodes {
        assert!((1..=4).contains(&node.peers.len()), "the refused are told of others");
    }
}

#[test]
fn a_bootstrap_node_that_comes_late_is_still_found() {
    // Nobody knows anyone, and the bootstrap node is down at first. Who has no peer announces
    // itself with every request interval, so within 5 s of its return; of any two, the later one
    // is told of the earlier and greets it: two exchanges.
    let mut world = world(&settings(Config::default(), &[0]), 10, |_| Peers::listed(Vec::new()));
    world.crash(NodeId::new(0), Memory::Lost);
    world.run_until(seconds(30));
    assert!(world.nodes.iter().all(|node| node.peers.is_empty()));
    world.restart(NodeId::new(0));
    world.run_until(seconds(35) + LATENCY * 4);
    assert!(all_know_all(&world));
}

/// One node by itself, whose effects are looked at one by one.
struct Bench {
    discovery: Discovery,
    peers: Peers,
    outbox: Outbox<Node>,
}

impl Bench {
    fn new(config: Config, peers: Peers) -> Self {
        let me = NodeId::new(0);
        let discovery = Discovery::new(settings(config, &[]), Seed(1), me, peers.clone());
        Self { discovery, peers, outbox: Outbox::new() }
    }

    fn timer(&mut self, timer: Timer) -> Vec<Effect<Wire, Alarm>> {
        self.discovery.on_timer(&mut self.peers, &mut self.outbox, timer);
        self.outbox.take_effects()
    }

    fn message(&mut self, from: u32, message: Message) -> Vec<Effect<Wire, Alarm>> {
        let from = NodeId::new(from);
        self.discovery.on_message(&mut self.peers, &mut self.outbox, from, message);
        self.outbox.take_effects()
    }

    fn list(&mut self, nodes: impl IntoIterator<Item = u32>) -> Message {
        let body = Body::new(nodes.into_iter().map(NodeId::new).collect());
        Message::Peers(self.outbox.store(body))
    }
}

fn send(to: u32, message: Message) -> Effect<Wire, Alarm> {
    Effect::Send { to: NodeId::new(to), message: Wire::Discovery(message) }
}

fn after(delay: u64, timer: Timer) -> Effect<Wire, Alarm> {
    Effect::After { delay: Span::from_secs(delay), timer: Alarm::Discovery(timer) }
}

#[test]
fn a_silent_peer_is_pinged_three_times_dropped_and_tried_with_back_off() {
    let peer = NodeId::new(7);
    let mut bench = Bench::new(Config::default(), Peers::listed(vec![peer]));
    let overdue = |round| Timer::Overdue { round };
    let ping = send(7, Message::Ping);
    assert_eq!(bench.timer(Timer::Turn), [ping, after(2, overdue(1)), after(5, Timer::Turn)]);
    assert_eq!(bench.timer(overdue(1)), [ping, after(2, overdue(2))]);
    assert_eq!(bench.timer(overdue(1)), [], "an alarm goes off once");
    let [_, Effect::After { timer: Alarm::Discovery(third), .. }] = bench.timer(overdue(2))[..]
    else {
        panic!("the third ping and its alarm");
    };
    let dropped = Effect::Observe(Fact::PeerDropped { node: NodeId::new(0), peer });
    let effects = bench.timer(third);
    let [first, Effect::After { delay, timer: Alarm::Discovery(retry) }] = effects[..] else {
        panic!("dropped and to be tried again: {effects:?}");
    };
    assert_eq!((first, delay), (dropped, Span::from_secs(1)));
    assert!(bench.peers.is_empty());
    for delay in [2, 4, 8, 16, 32, 60, 60] {
        assert_eq!(bench.timer(retry), [ping, after(delay, retry)]);
    }
    let hearsay = bench.list([7]);
    let added = |peer| Effect::Observe(Fact::PeerAdded { node: NodeId::new(0), peer });
    assert_eq!(bench.message(2, hearsay), [added(NodeId::new(2))], "not greeted on hearsay");
    // Whatever arrives from it is a sign of life; the alarm is stale then.
    bench.discovery.heard(&mut bench.peers, &mut bench.outbox, peer);
    assert_eq!(bench.outbox.take_effects(), [added(peer)]);
    assert_eq!(bench.timer(retry), []);
}

#[test]
fn announcements_and_requests_are_answered_and_answers_are_not() {
    let config = Config { answer_limit: 3, ..Config::default() };
    let mut bench = Bench::new(config, Peers::listed((1..20).map(NodeId::new).collect()));
    for question in [Message::Announce, Message::Request] {
        let effects = bench.message(4, question);
        let [Effect::Send { to, message: Wire::Discovery(Message::Peers(id)) }] = effects[..]
        else {
            panic!("one answer: {effects:?}");
        };
        let named = Shelf::<Body>::body(&bench.outbox, id).peers();
        assert_eq!((to, named.len()), (NodeId::new(4), 3));
        assert!(!named.contains(&to), "nobody is told of itself");
        // Identity and token, and identity and address for each: 36 + 3 * 40.
        assert_eq!(Message::Peers(id).size(bench.outbox.bodies()), 156);
    }
    let known = bench.list([5, 0]);
    assert_eq!(bench.message(4, known), []);
    assert_eq!(bench.message(4, Message::Ping), [send(4, Message::Pong)]);
    let sizes = [Message::Announce, Message::Request, Message::Ping]
        .map(|message| (message.kind(), message.size(bench.outbox.bodies())));
    let kinds = [MessageKind::PeerDiscovery, MessageKind::PeerRequest, MessageKind::Ping];
    assert_eq!(sizes, [(kinds[0], 44), (kinds[1], 36), (kinds[2], 36)]);
}

#[test]
fn work_is_bounded_however_many_peers_there_are() {
    let mut bench = Bench::new(Config::default(), Peers::everyone(NodeId::new(0), 5_000));
    let pings = |effects: &[Effect<Wire, Alarm>]| {
        let to = effects.iter().filter_map(|effect| match effect {
            Effect::Send { to, message: Wire::Discovery(Message::Ping) } => Some(to.number()),
            _ => None,
        });
        to.collect::<Vec<u32>>()
    };
    assert!(pings(&bench.timer(Timer::Turn)).into_iter().eq(1..33));
    assert!(pings(&bench.timer(Timer::Turn)).into_iter().eq(33..65));

    let mut bench = Bench::new(Config::default(), Peers::listed(vec![NodeId::new(1)]));
    let many = bench.list(10..110);
    assert_eq!(bench.message(1, many).len(), 32);
    assert_eq!(bench.message(1, many).len(), 0, "the interval's announcements are used up");
    bench.timer(Timer::Request);
    assert_eq!(bench.message(1, many).len(), 32);
}

#[test]
fn the_content_of_a_list_is_its_nodes() {
    let mut bench = Bench::new(Config::default(), Peers::listed(Vec::new()));
    let [first, same, other] = [bench.list([1, 2]), bench.list([1, 2]), bench.list([2, 1])];
    let content = |message: Message| message.content(bench.outbox.bodies());
    assert_eq!(content(first), content(same));
    assert_ne!(content(first), content(other));
}

#[test]
fn settings_are_read_with_defaults_and_checked() {
    let read = |text: &str| toml::from_str::<Config>(text);
    assert_eq!(read(""), Ok(Config::default()));
    let written = read("enabled = true\ntimeout = \"500ms\"");
    let timeout = Span::from_millis(500);
    assert_eq!(written, Ok(Config { enabled: true, timeout, ..Config::default() }));
    assert!(read("pings = 3").is_err());
    let field = |config: Config| config.check().err().map(|error| error.field);
    assert_eq!(field(Config::default()), None);
    assert_eq!(field(Config { attempts: 0, ..Config::default() }), Some("attempts"));
    assert_eq!(field(Config { timeout: Span::ZERO, ..Config::default() }), Some("timeout"));
    let retry_limit = Span::from_millis(999);
    assert_eq!(field(Config { retry_limit, ..Config::default() }), Some("retry_limit"));
}
