//! Protocol layer, tests only: gossip against the laws of rumor spreading, and its rules.

use super::*;
use crate::fact::MessageKind;
use crate::protocol::testbed::{Message as Wire, Node, World};
use crate::sim::protocol::{Effect, Outbox};

const SECOND: Span = Span::from_secs(1);

/// One round a second, all at once; messages take a millisecond.
fn config(style: Style, fanout: u32) -> Config {
    Config { style, fanout, interval: SECOND, phase: Phase::Aligned, ..Config::default() }
}

/// Everyone knows everyone; the first nodes are validators.
fn world(config: Config, nodes: usize, validators: usize, seed: u64) -> World {
    let node = |me: NodeId| Node {
        peers: Peers::everyone(me, nodes),
        discovery: None,
        gossip: Some(Gossip::new(config, Seed(seed), me, nodes, me.index() < validators)),
    };
    World::start(NodeId::all(nodes).map(node).collect(), Span::from_millis(1))
}

/// The moment between round `rounds` and the next; round 1 is at time zero.
fn after_rounds(rounds: u64) -> Time {
    Time::ZERO + SECOND * (rounds - 1) + SECOND / 2
}

fn rounds_to_all(config: Config, nodes: usize, seed: u64) -> f64 {
    let mut world = world(config, nodes, 1, seed);
    let all_know = |rounds: &u64| {
        world.run_until(after_rounds(*rounds));
        world.informed(1) == nodes
    };
    (1..100).find(all_know).expect("gossip reaches everyone") as f64
}

/// The mean over seeds.
fn mean(seeds: u32, value: impl Fn(u64) -> f64) -> f64 {
    (0..seeds).map(|seed| value(seed.into())).sum::<f64>() / f64::from(seeds)
}

#[test]
fn rounds_of_pushing_to_three_follow_the_law() {
    // Law 3: log_4 1024 + (ln 1024) / 3 + O(1) = 7.31 + O(1). An independent simulation (Python,
    // 400 runs) has mean 8.20 and deviation 0.44: over 16 seeds 0.11, six of them 0.66.
    let rounds = mean(16, |seed| rounds_to_all(config(Style::Push, 3), 1_024, seed));
    assert!((rounds - 8.20).abs() < 0.66, "{rounds}");
}

#[test]
fn push_and_pull_inform_equally_many_on_average() {
    // Law 3. The mean after 5 rounds among 32 nodes with fan-out 1 is 18.9797 for both, computed
    // exactly as Markov chains (occupancy for push, binomial for pull; Python); the deviations are
    // 2.33 and 7.99: over 400 seeds 0.117 and 0.400, six of them 0.70 and 2.40.
    for (style, tolerance) in [(Style::Push, 0.70), (Style::Pull, 2.40)] {
        let informed = |seed: u64| {
            let mut world = world(config(style, 1), 32, 1, seed);
            world.run_until(after_rounds(5));
            world.informed(1) as f64
        };
        let informed = mean(400, informed);
        assert!((informed - 18.9797).abs() < tolerance, "{style:?}: {informed}");
    }
}

#[test]
fn push_pull_is_much_faster_than_push() {
    // Law 3: log_3 1024 + O(log log n) = 6.31 + O(3.3). An independent simulation (Python, 300
    // runs) has mean 9.17 and deviation 0.52: over 16 seeds 0.13, six of them 0.79. Push with the
    // same fan-out takes log_2 n + ln n + O(1) = 16.9 + O(1).
    let rounds = mean(16, |seed| rounds_to_all(config(Style::PushPull, 1), 1_024, seed));
    assert!((rounds - 9.17).abs() < 0.79, "{rounds}");
    let pushed = mean(4, |seed| rounds_to_all(config(Style::Push, 1), 1_024, seed));
    assert!(pushed > 15.0, "{pushed}");
}

#[test]
fn forwarding_once_covers_the_solution_of_the_law() {
    // Law 2: coverage solves x = 1 - exp(-3 x): 0.94048, so 1,881 of 2,000. The number of reached
    // nodes is where R = g(3 R) for the occupancy g of R * 3 balls in n urns: its variance is
    // n (e^-t - (1 + t) e^-2t) / (1 - 3 e^-t)^2 with t = 3 x, a deviation of 11.7 (an independent
    // simulation has 11.8); six of them are 70. Peers play no part when all members are drawn from.
    let settings = Config { choose_from: ChooseFrom::Membership, ..config(Style::ForwardOnce, 3) };
    for seed in 0..8 {
        let mut world = world(settings, 2_000, 1, seed);
        world.nodes.iter_mut().skip(1).for_each(|node| node.peers = Peers::listed(Vec::new()));
        world.run_until(after_rounds(60));
        let reached = world.informed(1);
        assert!(reached.abs_diff(1_881) < 70, "{reached}");
        assert_eq!(world.sent.len(), 3 * reached, "messages = fan-out x nodes reached");
    }
}

#[test]
fn news_of_one_message_are_forwarded_together_and_once() {
    let mut outbox: Outbox<Node> = Outbox::new();
    let (me, from) = (NodeId::new(0), NodeId::new(1));
    let peers = Peers::everyone(me, 10);
    let mut gossip = Gossip::new(config(Style::ForwardOnce, 4), Seed(1), me, 10, false);
    let entry = |node| Entry { node: NodeId::new(node), version: 1 };
    let mut receive = |nodes: &[u32]| {
        let list = nodes.iter().map(|node| entry(*node)).collect();
        outbox.begin(me, Time::ZERO);
        let id = Shelf::<Body>::store(&mut outbox, Body::Entries(Entries::new(list)));
        gossip.on_message(&peers, &mut outbox, from, Message::News(id));
        let forwarded = outbox.take_effects().into_iter().filter_map(|effect| match effect {
            Effect::Send { to, message: Wire::Gossip(Message::News(id)) } => Some((to, id)),
            _ => None,
        });
        let forwarded: Vec<(NodeId, BodyId)> = forwarded.collect();
        let list = |id| match Shelf::<Body>::body(&outbox, id) {
            Body::Entries(entries) => entries.list().to_vec(),
            Body::Registry(_) => Vec::new(),
        };
        (forwarded.len(), forwarded.first().map_or(Vec::new(), |(_, id)| list(*id)))
    };
    assert_eq!(receive(&[3, 5]), (4, vec![entry(3), entry(5)]));
    assert_eq!(receive(&[7, 3, 8]), (4, vec![entry(7), entry(8)]));
    assert_eq!(receive(&[8, 5]), (0, vec![]));
}

#[test]
fn every_style_that_repeats_spreads_each_version_to_everyone() {
    // Versions 1, 2, 3 appear at 0 s, 40 s, 80 s. Each has 39 rounds of fan-out 3. Once half of the
    // 40 nodes know, a node stays ignorant for a round with probability below e^-1.5, for 20 more
    // rounds below 1e-13.
    for style in [Style::Push, Style::Pull, Style::PushPull] {
        let settings = Config { refresh: Some(SECOND * 40), ..config(style, 3) };
        let mut world = world(settings, 40, 30, 9);
        world.run_until(after_rounds(120));
        for node in NodeId::all(40) {
            assert_eq!(world.gossip(node).known(), 30);
            assert!(NodeId::all(30).all(|about| world.gossip(node).version_of(about) == 3));
            assert_eq!(world.gossip(node).version_of(NodeId::new(30)), 0, "no stake, no entry");
        }
        // Each version is published once, and learned once by everyone else.
        let count =
            |wanted: fn(&Fact) -> bool| world.facts.iter().filter(|(_, fact)| wanted(fact)).count();
        assert_eq!(count(|fact| matches!(fact, Fact::Published { .. })), 3 * 30);
        assert_eq!(count(|fact| matches!(fact, Fact::Learned { .. })), 3 * 30 * 39);
    }
}

#[test]
fn a_restart_brings_a_higher_version_even_without_memory() {
    for (memory, version) in [(Memory::Kept, 2), (Memory::Lost, 30_502)] {
        let mut world = world(config(Style::Push, 3), 20, 20, 4);
        world.run_until(after_rounds(20));
        let node = NodeId::new(7);
        world.crash(node, memory);
        let kept = if memory == Memory::Kept { 20 } else { 0 };
        assert_eq!(world.gossip(node).known(), kept);
        // The clock shows 30.5 s: the version is two more than its 30,500 ms.
        world.run_until(after_rounds(31));
        world.restart(node);
        world.run_until(after_rounds(60));
        assert!(NodeId::all(20).all(|at| world.gossip(at).version_of(node) == version));
        assert_eq!(world.informed(20), 20, "what was forgotten is learned again");
        let published = world
            .facts
            .iter()
            .filter(|(_, f)| matches!(f, Fact::Published { node: n, .. } if *n == node));
        assert_eq!(published.count(), 2);
    }
}

#[test]
fn a_version_from_before_a_clock_was_set_back_is_passed() {
    let mut outbox: Outbox<Node> = Outbox::new();
    let (me, from) = (NodeId::new(0), NodeId::new(1));
    let peers = Peers::everyone(me, 2);
    let mut gossip = Gossip::new(config(Style::Push, 1), Seed(1), me, 2, true);
    outbox.begin(me, Time::ZERO);
    gossip.on_crash(&mut outbox, Memory::Lost);
    gossip.connect(&peers, &mut outbox);
    assert_eq!(gossip.version_of(me), 2);
    let old = Body::Entries(Entries::new(vec![Entry { node: me, version: 900 }]));
    let id = Shelf::<Body>::store(&mut outbox, old);
    outbox.take_effects();
    gossip.on_message(&peers, &mut outbox, from, Message::Response(id));
    let published = Effect::Observe(Fact::Published { node: me, version: 901 });
    assert_eq!(outbox.take_effects(), [published]);
    assert_eq!((gossip.version_of(me), gossip.known()), (901, 1));
}

#[test]
fn a_quiet_cluster_shares_its_bodies_and_a_crash_gives_them_back() {
    let mut world = world(config(Style::Push, 3), 30, 30, 2);
    world.run_until(after_rounds(30));
    let quiet = world.bodies();
    // Whoever learned everything from one message shares its body; at worst each has its own.
    assert!((1..=30).contains(&quiet), "{quiet}");
    world.run_until(after_rounds(60));
    assert_eq!(world.bodies(), quiet, "nothing new, no new body");
    for node in NodeId::all(30) {
        let memory = if node.index() % 2 == 0 { Memory::Kept } else { Memory::Lost };
        world.crash(node, memory);
    }
    assert_eq!(world.bodies(), 0);
}

#[test]
fn sizes_count_public_fields_only() {
    // Identity 32, stake 8, public key 33, version 4; nothing of 32 more bytes for a private key.
    assert_eq!(Entry::SIZE, 77);
    let sizes = |style| {
        let mut world = world(config(style, 1), 2, 1, 1);
        world.run_until(after_rounds(1));
        world.sent.iter().map(|(_, _, kind, size)| (*kind, *size)).collect::<Vec<_>>()
    };
    assert_eq!(sizes(Style::Push), [(MessageKind::GossipValidators, 36 + 77)]);
    let pull = [
        (MessageKind::GossipPullRequest, 40 + 4),
        (MessageKind::GossipPullRequest, 40),
        (MessageKind::GossipPullResponse, 36 + 77),
    ];
    assert_eq!(sizes(Style::Pull), pull);
    // Node 1, asked by node 0, asks back; its own request is answered as well.
    let asks_back = (MessageKind::GossipPullRequest, 40);
    let again = (MessageKind::GossipPullResponse, 36 + 77);
    let push_pull = [&pull[..2], &[asks_back, pull[2], again]].concat();
    assert_eq!(sizes(Style::PushPull), push_pull);
}

#[test]
fn the_content_of_a_message_is_its_entries_and_not_its_body() {
    let mut outbox: Outbox<Node> = Outbox::new();
    let mut store = |version| {
        let entry = Entry { node: NodeId::new(1), version };
        Shelf::<Body>::store(&mut outbox, Body::Entries(Entries::new(vec![entry])))
    };
    let (one, same, other) = (store(1), store(1), store(2));
    let content = |message: Message| message.content(outbox.bodies());
    assert_eq!(content(Message::News(one)), content(Message::News(same)));
    assert_ne!(content(Message::News(one)), content(Message::News(other)));
    // Two requests of one kind that mean different things.
    assert_ne!(content(Message::Pull(one)), content(Message::PullBack(one)));
}

#[test]
fn rounds_are_aligned_or_spread_over_the_interval() {
    let first_rounds = |phase| {
        let mut world = world(Config { phase, ..config(Style::Pull, 1) }, 50, 1, 3);
        world.run_until(Time::from_nanos(SECOND.as_nanos() - 1));
        let asked = |(at, _, kind, _): &(Time, NodeId, MessageKind, u32)| {
            (*kind == MessageKind::GossipPullRequest).then_some(*at)
        };
        world.sent.iter().filter_map(asked).collect::<Vec<Time>>()
    };
    assert_eq!(first_rounds(Phase::Aligned), [Time::ZERO; 50]);
    let mut spread = first_rounds(Phase::Random);
    assert_eq!(spread.len(), 50, "one round per node and interval");
    spread.dedup();
    // Fifty equal moments of a billion: one pair agrees with probability 1e-6.
    assert_eq!(spread.len(), 50);
    assert!(spread[0] < Time::ZERO + SECOND / 4 && spread[49] > Time::ZERO + SECOND * 3 / 4);
}

#[test]
fn gossip_that_is_off_says_and_states_nothing() {
    let mut world = world(config(Style::Off, 3), 10, 10, 1);
    world.run_until(after_rounds(10));
    assert!(world.sent.is_empty() && world.facts.is_empty());
    assert_eq!(world.gossip(NodeId::new(0)).known(), 0);
}

#[test]
fn settings_are_read_with_defaults_and_checked() {
    let read = |text: &str| toml::from_str::<Config>(text);
    assert_eq!(read(""), Ok(Config::default()));
    let written = read("style = \"push-pull\"\nrefresh = \"30s\"\nchoose_from = \"membership\"");
    let expected = Config {
        style: Style::PushPull,
        refresh: Some(SECOND * 30),
        choose_from: ChooseFrom::Membership,
        ..Config::default()
    };
    assert_eq!(written, Ok(expected));
    assert!(read("private_key = 1").is_err());
    let field = |config: Config| config.check().err().map(|error| error.field);
    assert_eq!(field(expected), None);
    assert_eq!(field(Config { interval: Span::ZERO, ..expected }), Some("interval"));
    assert_eq!(field(Config { fanout: 0, ..expected }), Some("fanout"));
    let refresh = Some(Span::from_millis(9));
    assert_eq!(field(Config { refresh, ..expected }), Some("refresh"));
}
