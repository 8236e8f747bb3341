//! Protocol layer, tests only: one or two nodes of Solana's gossip, handler by handler.

use super::message::Labels;
use super::*;
use crate::base::id::NodeMap;
use crate::fact::MessageKind;
use crate::protocol::Validator;
use crate::sim::protocol::{Effect, Outbox, Payload, Shelf};

/// What nodes share, and an outbox that they use in turn.
struct Bed {
    shared: Shared,
    outbox: Outbox<Validator>,
    peers: Peers,
}

/// What a handler has sent and stated.
#[derive(Default)]
struct Done {
    sent: Vec<(NodeId, crate::protocol::Message)>,
    facts: Vec<Fact>,
}

impl Bed {
    fn new(stakes: &[u64], config: Config) -> Self {
        let stakes = NodeMap::from_vec(stakes.to_vec());
        // What a handler pushes on is looked at after that handler.
        let config = Config { batch: Span::ZERO, ..config };
        Self {
            peers: Peers::listed(NodeId::all(stakes.len()).collect()),
            shared: Shared::new(config, Phase::Aligned, &stakes, 8),
            outbox: Outbox::new(),
        }
    }

    fn act(
        &mut self,
        node: &mut Crds,
        millis: u64,
        act: impl FnOnce(&mut Crds, &mut Shared, &mut Outbox<Validator>),
    ) -> Done {
        self.outbox.begin(node.me, Time::ZERO + Span::from_millis(millis));
        act(node, &mut self.shared, &mut self.outbox);
        let mut done = Done::default();
        for effect in self.outbox.take_effects() {
            match effect {
                Effect::SendEach { .. } => unreachable!("effects that are taken are single"),
                Effect::Send { to, message } => done.sent.push((to, message)),
                Effect::Observe(fact) => done.facts.push(fact),
                Effect::After { .. } => {}
            }
        }
        done
    }

    /// A node that has connected and gone through its first round.
    fn settled(&mut self, me: u32, millis: u64) -> Crds {
        let me = NodeId::new(me);
        let mut others: Vec<NodeId> = self.peers.iter().collect();
        others.retain(|node| *node != me);
        let mut node = Crds::new(&self.shared, Seed(7), me);
        self.act(&mut node, millis, |node, shared, ctx| node.connect(shared, ctx));
        self.round(&mut node, millis);
        node
    }

    fn round(&mut self, node: &mut Crds, millis: u64) -> Done {
        let mut others: Vec<NodeId> = self.peers.iter().collect();
        others.retain(|other| *other != node.me);
        let peers = Peers::listed(others);
        self.act(node, millis, |node, shared, ctx| {
            node.on_timer(shared, &peers, ctx, Timer::Round);
        })
    }

    fn publish(&mut self, node: &mut Crds, millis: u64, value: Value) -> bool {
        let mut published = false;
        self.act(node, millis, |node, shared, ctx| {
            published = node.publish(shared, ctx, value);
        });
        published
    }

    /// Delivers a message of this part.
    fn deliver(
        &mut self,
        to: &mut Crds,
        millis: u64,
        from: u32,
        message: crate::protocol::Message,
    ) -> Done {
        let crate::protocol::Message::Crds(message) = message else { panic!("of another part") };
        self.act(to, millis, |node, shared, ctx| {
            node.on_message(shared, ctx, NodeId::new(from), message);
        })
    }

    /// The values of a message and its size.
    fn values(&self, message: crate::protocol::Message) -> (Vec<Label>, u32) {
        let bodies = self.outbox.bodies();
        let body = bodies.body(message.body().expect("every message has one"));
        let labels = match (body, message) {
            (crate::protocol::Body::Crds(Body::Values(Labels { list, .. })), _) => list.to_vec(),
            (
                crate::protocol::Body::Crds(Body::Value(content)),
                crate::protocol::Message::Crds(Message::Value { hops, .. }),
            ) => vec![Label { hops, ..content.label }],
            _ => panic!("not values: {body:?}"),
        };
        (labels, message.size(bodies))
    }

    fn arrivals(&mut self) -> Vec<Arrival> {
        let arrivals = self.shared.take_arrivals();
        self.shared.give_back(arrivals.clone());
        arrivals
    }
}

impl Done {
    fn of(&self, kind: MessageKind) -> Vec<(NodeId, crate::protocol::Message)> {
        self.sent.iter().copied().filter(|(_, message)| message.kind() == kind).collect()
    }

    fn pushes(&self) -> Vec<(NodeId, crate::protocol::Message)> {
        self.of(MessageKind::GossipPush)
    }
}

const fn vote(slot: u32) -> Value {
    Value::Vote { slot: Slot::new(slot), reference: slot + 1_000 }
}

/// Settings without pull and with exact filters, so that every message is a push of a known value.
fn exact() -> Config {
    Config {
        pull: false,
        false_positive: crate::base::quantity::Chance::NEVER,
        ..Config::default()
    }
}

#[test]
fn a_received_value_is_pushed_on_at_once_and_handed_up_once() {
    let mut bed = Bed::new(&[100; 30], exact());
    let (mut origin, mut relay) = (bed.settled(0, 0), bed.settled(1, 0));
    assert!(bed.publish(&mut origin, 50, vote(9)));
    let pushes = bed.round(&mut origin, 100).pushes();
    assert_eq!(pushes.len(), 9);
    let done = bed.deliver(&mut relay, 140, 0, pushes[0].1);
    // The relay's own contact info was pushed in its first round, so the vote goes alone.
    assert_eq!(done.pushes().len(), 9);
    for (to, message) in done.pushes() {
        let (labels, size) = bed.values(message);
        assert!(to != NodeId::new(0), "not back to the origin");
        assert_eq!((labels.len(), labels[0].origin, labels[0].hops), (1, NodeId::new(0), 1));
        assert_eq!(size, 44 + 461);
    }
    let arrival = Arrival { origin: NodeId::new(0), value: vote(9) };
    assert_eq!(bed.arrivals(), [arrival]);
    let received = |done: &Done| {
        done.facts.iter().find_map(|fact| match *fact {
            Fact::ValueReceived { hops, pushed, first, .. } => Some((hops, pushed, first)),
            _ => None,
        })
    };
    assert_eq!(received(&done), Some((1, true, true)));
    let done = bed.deliver(&mut relay, 150, 5, pushes[0].1);
    assert_eq!((done.sent.len(), bed.arrivals().len()), (0, 0), "a copy is neither");
    assert_eq!(received(&done), Some((1, true, false)));
}

#[test]
fn values_for_one_peer_share_messages_of_at_most_1188_bytes() {
    let mut bed = Bed::new(&[100; 30], exact());
    let mut origin = bed.settled(0, 0);
    (1..=12).for_each(|slot| assert!(bed.publish(&mut origin, 10, vote(slot))));
    let bodies = bed.outbox.bodies().len();
    let pushes = bed.round(&mut origin, 100).pushes();
    // Two votes of 461 bytes fit into 1,188: six messages for each of nine peers, which get the
    // same and so share bodies.
    assert_eq!(pushes.len(), 54);
    assert!(pushes.iter().all(|(_, message)| bed.values(*message).1 == 44 + 922));
    assert_eq!(bed.outbox.bodies().len() - bodies, 6);
}

#[test]
fn a_node_keeps_twelve_votes_and_replaces_the_oldest_for_a_lower_slot() {
    let mut bed = Bed::new(&[100; 3], exact());
    let mut node = bed.settled(0, 0);
    assert!((0..12).all(|n| bed.publish(&mut node, u64::from(n), vote(100 + n))));
    assert_eq!(node.vote_index(Slot::new(99)), None, "no vote is for a lower slot");
    assert!(!bed.publish(&mut node, 50, vote(99)));
    assert_eq!(node.vote_index(Slot::new(101)), Some(0));
    assert!(bed.publish(&mut node, 51, vote(200)));
    // Index 0 now holds the newest; the oldest is index 1 with slot 101.
    assert_eq!(node.vote_index(Slot::new(201)), Some(1));
    assert_eq!(node.vote_index(Slot::new(101)), None);
}

#[test]
fn a_pruned_peer_gets_no_more_of_that_origin_and_another_takes_its_place() {
    let mut bed = Bed::new(&[100; 30], exact());
    let (mut origin, mut relay) = (bed.settled(0, 0), bed.settled(1, 0));
    let mut pushed = |bed: &mut Bed, relay: &mut Crds, slot: u32, millis: u64| {
        assert!(bed.publish(&mut origin, millis, vote(slot)));
        let value = bed.round(&mut origin, millis).pushes()[0].1;
        let targets = bed.deliver(relay, millis + 40, 0, value).pushes();
        targets.into_iter().map(|(to, _)| to).collect::<Vec<_>>()
    };
    let before = pushed(&mut bed, &mut relay, 1, 200);
    let prune = |bed: &mut Bed, relay: &mut Crds, at: u64, now: u64, origins: &[u32]| {
        let at = Time::ZERO + Span::from_millis(at);
        let origins = origins.iter().copied().map(NodeId::new).collect();
        bed.act(relay, now, |relay, shared, ctx| {
            let body = ctx.store(Body::Prune(origins, at));
            relay.on_message(shared, ctx, before[0], Message::Prune(body));
        });
    };
    prune(&mut bed, &mut relay, 300, 801, &[0, 1]);
    assert_eq!(pushed(&mut bed, &mut relay, 2, 900), before, "after 500 ms a prune is void");
    prune(&mut bed, &mut relay, 1_000, 1_100, &[0, 1]);
    let after = pushed(&mut bed, &mut relay, 3, 1_200);
    assert_eq!(after.len(), 9);
    assert_eq!(after[..8], before[1..]);
    // Its own values still go there: a node's own origin is never pruned.
    assert!(bed.publish(&mut relay, 1_300, vote(4)));
    let own = bed.round(&mut relay, 1_300).pushes();
    assert!(own.iter().any(|(to, _)| *to == before[0]));
}

#[test]
fn the_twentieth_value_prunes_who_is_late() {
    let mut bed = Bed::new(&[0; 30], exact());
    let (mut origin, mut node) = (bed.settled(0, 0), bed.settled(1, 0));
    let mut prunes = Vec::new();
    for slot in 1..=20 {
        let millis = u64::from(slot) * 100;
        assert!(bed.publish(&mut origin, millis, vote(slot)));
        let value = bed.round(&mut origin, millis).pushes()[0].1;
        for from in [5, 6, 7, 8] {
            let done = bed.deliver(&mut node, millis + 40, from, value);
            for (to, message) in done.of(MessageKind::GossipPrune) {
                prunes.push((slot, to.number(), message.size(bed.outbox.bodies())));
            }
        }
    }
    // Nobody has stake, so two are kept: 5 and 6. A prune of one origin has 180 + 32 bytes.
    assert_eq!(prunes, [(20, 7, 212), (20, 8, 212)]);
}

#[test]
fn values_out_of_time_are_not_taken_from_a_push() {
    let mut bed = Bed::new(&[100; 3], exact());
    let (mut origin, mut node) = (bed.settled(0, 0), bed.settled(1, 0));
    assert!(bed.publish(&mut origin, 100, vote(1)));
    let value = bed.round(&mut origin, 100).pushes()[0].1;
    let late = bed.deliver(&mut node, 15_101, 0, value);
    assert!(late.facts.is_empty() && bed.arrivals().is_empty());
    bed.deliver(&mut node, 15_100, 0, value);
    assert_eq!(bed.arrivals().len(), 1);
}

/// Values that node 1 pulls from node 0 at a moment, over all parts.
fn pulled(bed: &mut Bed, from: &mut Crds, asker: &mut Crds, millis: u64) -> Vec<(u32, ValueKind)> {
    let mut values = Vec::new();
    for part in 0..64 {
        let mut request = None;
        bed.act(asker, millis, |asker, shared, ctx| {
            let contact = asker.contact_info(shared);
            let part = (part, 6, 0);
            let made = pull::request(&asker.store, part, contact, (ctx.now(), 1), shared);
            request = Some(Message::PullRequest(ctx.store(Body::request(made))));
        });
        let request = crate::protocol::Message::Crds(request.expect("made"));
        let done = bed.deliver(from, millis, 1, request);
        for (to, message) in done.of(MessageKind::GossipPullResponse) {
            assert_eq!(to, NodeId::new(1));
            let (labels, size) = bed.values(message);
            assert!(size <= 1_232);
            values.extend(labels.iter().map(|l| (l.origin.number(), l.place.kind())));
        }
    }
    values.sort_unstable();
    values
}

/// Hands the latest values of one node to another, as pushes.
fn hand_over(bed: &mut Bed, from: &mut Crds, to: &mut Crds, millis: u64) {
    let number = from.me.number();
    let pushes = bed.round(from, millis).pushes();
    let mut seen: Vec<crate::protocol::Message> = Vec::new();
    for (_, message) in pushes {
        if !seen.contains(&message) {
            seen.push(message);
            bed.deliver(to, millis, number, message);
        }
    }
}

#[test]
fn a_pull_brings_what_is_lacking_and_nothing_that_has_expired() {
    let mut bed = Bed::new(&[100, 100, 0, 100], exact());
    let mut from = bed.settled(0, 0);
    for other in [2, 3] {
        let mut node = bed.settled(other, 0);
        assert!(bed.publish(&mut node, 0, vote(1)));
        hand_over(&mut bed, &mut node, &mut from, 5);
        // The contact info went out in the first round; it is taken out of the node itself.
        let label = node.contact_info(&bed.shared).expect("published");
        bed.act(&mut from, 5, |from, shared, ctx| {
            from.take_in(shared, ctx, NodeId::new(other), (label, None), Way::Push);
        });
    }
    let mut asker = bed.settled(1, 0);
    let all = |numbers: &[u32]| {
        let both = |n: &u32| [(*n, ValueKind::ContactInfo), (*n, ValueKind::Vote)];
        let mut all: Vec<_> = numbers.iter().flat_map(both).collect();
        all.insert(0, (0, ValueKind::ContactInfo));
        all
    };
    assert_eq!(pulled(&mut bed, &mut from, &mut asker, 15_000), all(&[2, 3]));
    // Node 2 has no stake and was last heard of at 0 s: forgotten after 15 s.
    assert_eq!(pulled(&mut bed, &mut from, &mut asker, 15_001), all(&[3]));
    // The asker's contact info came with the request.
    let key = bed.shared.layout.key(NodeId::new(1), Place::CONTACT_INFO);
    assert_eq!(from.store.version(key), 1);
}

#[test]
fn with_many_validators_votes_without_stake_are_not_given_in_answers() {
    for (relay_filter, votes) in [(3, 0), (4, 1)] {
        let mut bed = Bed::new(&[100, 100, 0, 100], Config { relay_filter, ..exact() });
        let (mut from, mut unstaked) = (bed.settled(0, 0), bed.settled(2, 0));
        assert!(bed.publish(&mut unstaked, 0, vote(1)));
        hand_over(&mut bed, &mut unstaked, &mut from, 5);
        let mut asker = bed.settled(1, 0);
        let values = pulled(&mut bed, &mut from, &mut asker, 100);
        let given = values.iter().filter(|value| **value == (2, ValueKind::Vote)).count();
        assert_eq!(given, votes, "from {relay_filter} validators on");
        // Slots are a validator's business.
        let slots = Value::EpochSlots { latest: Slot::new(3), before: 1 };
        assert!(!bed.publish(&mut unstaked, 200, slots));
        assert!(bed.publish(&mut from, 200, slots));
    }
}

#[test]
fn a_budget_limits_answers() {
    let mut bed = Bed::new(&[100; 4], exact());
    let mut from = bed.settled(0, 0);
    (0..12).for_each(|slot| assert!(bed.publish(&mut from, 10, vote(slot))));
    let mut asker = bed.settled(1, 0);
    // 4 validators: 5 * 4,096 bytes at first. Parts hold at most one of these 13 values each, so an
    // answer has 505 bytes, or 224 of a contact info: 3 times all of 13 are 6284 * 3 = 18,852.
    for _ in 0..3 {
        assert_eq!(pulled(&mut bed, &mut from, &mut asker, 20).len(), 13);
    }
    let left = pulled(&mut bed, &mut from, &mut asker, 20).len();
    // 1,628 bytes are left: three votes, or two and a contact info.
    assert!((3..=4).contains(&left), "{left}");
    // 100 ms later there are 4,096 bytes more.
    let more = pulled(&mut bed, &mut from, &mut asker, 120).len();
    assert!((8..=9).contains(&more), "{more}");
}

#[test]
fn a_request_of_another_time_is_not_answered() {
    let mut bed = Bed::new(&[100; 4], exact());
    let (mut from, asker) = (bed.settled(0, 0), bed.settled(1, 0));
    let part = bed.shared.layout.key(NodeId::new(0), Place::CONTACT_INFO);
    for (millis, answers) in [(15_020, 1), (15_021, 0)] {
        let at = Time::ZERO + Span::from_millis(20);
        let done = bed.act(&mut from, millis, |from, shared, ctx| {
            let made = pull::request(&asker.store, (part, 6, 0), None, (at, 1), shared);
            let body = ctx.store(Body::request(made));
            from.on_message(shared, ctx, NodeId::new(1), Message::PullRequest(body));
        });
        assert_eq!(done.sent.len(), answers, "{millis}");
    }
}

#[test]
fn a_crash_leaves_contact_infos_or_nothing() {
    for (memory, known) in [(Memory::Kept, 2), (Memory::Lost, 0)] {
        let mut bed = Bed::new(&[100; 4], exact());
        let (mut node, mut other) = (bed.settled(0, 0), bed.settled(1, 0));
        assert!(bed.publish(&mut other, 10, vote(1)));
        hand_over(&mut bed, &mut other, &mut node, 20);
        let label = other.contact_info(&bed.shared).expect("published");
        bed.act(&mut node, 30, |node, shared, ctx| {
            node.take_in(shared, ctx, NodeId::new(1), (label, None), Way::Push);
        });
        assert_eq!((node.known(), node.store.items(Time::ZERO)), (2, 3));
        node.on_crash(&bed.shared, memory);
        assert_eq!((node.known(), node.store.items(Time::ZERO)), (known, known));
        assert!(!bed.publish(&mut node, 40, vote(2)), "a node that is down publishes nothing");
        bed.act(&mut node, 50, |node, shared, ctx| node.connect(shared, ctx));
        let done = bed.round(&mut node, 100);
        let again = Fact::Published { node: NodeId::new(0), version: 2 };
        assert!(done.facts.contains(&again), "its second version, whatever it remembers");
        assert!(!done.pushes().is_empty(), "its sets are filled anew");
    }
}

#[test]
fn one_value_alone_weighs_and_reads_in_the_digest_like_a_list_of_one() {
    let mut bed = Bed::new(&[100; 30], exact());
    let mut origin = bed.settled(0, 0);
    assert!(bed.publish(&mut origin, 10, vote(1)));
    let message = bed.round(&mut origin, 100).pushes()[0].1;
    let crate::protocol::Message::Crds(Message::Value { value, .. }) = message else {
        panic!("a value alone: {message:?}");
    };
    let (labels, _) = bed.values(message);
    for hops in [0, 1, 7] {
        let label = Label { hops, ..labels[0] };
        bed.outbox.begin(NodeId::new(0), Time::ZERO);
        let list = Shelf::<Body>::store(&mut bed.outbox, Body::values([label].into()));
        let (one, list) = (Message::Value { value, hops }, Message::Push(list));
        let bodies = bed.outbox.bodies();
        assert_eq!(one.kind(), list.kind());
        assert_eq!(one.size(bodies), list.size(bodies));
        assert_eq!(one.content(bodies), list.content(bodies));
    }
}

#[test]
fn what_is_kept_of_a_value_goes_with_the_last_that_may_refer_to_it() {
    let layout = super::value::Layout::new(2, 0);
    let mut contents = super::value::Contents::new(layout.keys());
    let mut bodies = crate::sim::body::Bodies::new();
    let mut publish = |origin: u32, version: u32, at: u64| {
        let (origin, place) = (NodeId::new(origin), Place::vote(0));
        let key = layout.key(origin, place);
        let label = Label { key, version, number: 0, origin, size: 461, place, hops: 0 };
        let content = contents.publish(label, Time::from_nanos(at), vote(version)).expect("later");
        let body = bodies.store(());
        contents.attach(body);
        (content.label, body, contents.take_gone(), contents.keeps(&content.label))
    };
    // The latest of its key stays, however many of others come; then it goes.
    let (first, body, gone, kept) = publish(1, 1, 1);
    assert_eq!((gone, kept), (None, true));
    let (log, mut gone) = (super::value::LOG as u32, Vec::new());
    for version in 1..=log + 3 {
        gone.extend(publish(0, version, 1 + u64::from(version)).2);
    }
    // Of the other key the log holds the latest `log` versions, so three have gone.
    assert_eq!(gone.len(), 3);
    assert!(!gone.contains(&body));
    let (second, _, gone, _) = publish(1, 2, u64::from(log) + 5);
    assert!(second.number > first.number);
    assert!(gone == Some(body) || contents.take_gone() == Some(body), "{gone:?}");
    assert!(!contents.keeps(&first));
}
