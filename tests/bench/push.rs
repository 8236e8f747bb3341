//! W2 "push gossip": each first receipt of a rumor is sent to eight out-peers.

use cpu_time::ProcessTime;
use headwater::base::fetch::fetch;
use headwater::base::id::{NodeId, NodeMap};
use headwater::base::rng::Seed;
use headwater::base::time::{Span, Time};
use headwater::fact::{Census, Fact, MessageKind, Observer, Status, World};
use headwater::sim::body::{Bodies, BodyId};
use headwater::sim::network::NetworkPlan;
use headwater::sim::network::link::{Latency, Passage, Profile};
use headwater::sim::protocol::{
    Fetch, Label, Local, Mail, Memory, Outbox, Payload, Protocol, Receiver,
};
use headwater::sim::{Injection, Simulation, SimulationPlan};

use crate::measured::Measured;
use crate::work::{self, PEERS, RUMORS};

#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Rumor(u32);

impl Payload<()> for Rumor {
    fn kind(&self) -> MessageKind {
        MessageKind::Rumor
    }
    fn size(&self, _: &Bodies<()>) -> u32 {
        1
    }
    fn content(&self, _: &Bodies<()>) -> u64 {
        self.0.into()
    }
    fn body(&self) -> Option<BodyId> {
        None
    }
    fn serial(&self, _: &Bodies<()>) -> Option<u64> {
        Some(self.0.into())
    }
}

struct Node {
    peers: [NodeId; PEERS],
    seen: u128,
    first_receipts: u64,
    sum: u64,
}

impl Node {
    /// First receipt or appearance.
    fn learn(&mut self, ctx: &mut Outbox<Self>, rumor: Rumor) {
        self.seen |= 1 << rumor.0;
        self.first_receipts += 1;
        self.sum = self.sum.wrapping_add(ctx.now().as_nanos());
        let label = Label::NONE;
        ctx.send_each(rumor, self.peers.iter().map(|&to| Receiver { to, label }));
    }
}

impl Protocol for Node {
    type Message = Rumor;
    type Timer = ();
    type Body = ();
    type Input = Rumor;
    type Cluster = ();
    fn on_start(&mut self, (): &mut (), _: &mut Outbox<Self>) {}
    fn on_message(&mut self, (): &mut (), ctx: &mut Outbox<Self>, _: NodeId, rumor: Rumor) {
        if (self.seen >> rumor.0) & 1 == 0 {
            self.learn(ctx, rumor);
        }
    }
    #[inline]
    fn fetch(&self, step: Fetch, (): &(), _: &Bodies<()>, _: &Rumor, _: Label) {
        if step == Fetch::Last {
            fetch(&self.seen);
            fetch(&self.peers);
        }
    }
    fn on_timer(&mut self, (): &mut (), _: &mut Outbox<Self>, (): ()) {}
    fn on_input(&mut self, (): &mut (), ctx: &mut Outbox<Self>, rumor: Rumor) {
        self.learn(ctx, rumor);
    }
    fn on_crash(&mut self, (): &mut (), _: &mut Outbox<Self>, _: Memory) {}
    fn on_restart(&mut self, (): &mut (), _: &mut Outbox<Self>) {}
    fn status(&self, (): &()) -> Status {
        Status::default()
    }
    fn peers(&self, (): &(), _: &mut dyn FnMut(NodeId)) {}
}

/// Counts deliveries.
#[derive(Default)]
struct Count(u64);

impl Observer for Count {
    #[inline]
    fn on_fact(&mut self, _: Time, fact: &Fact) {
        self.0 += u64::from(matches!(fact, Fact::Delivered { .. }));
    }
    fn next_sample(&self) -> Option<Time> {
        None
    }
    fn on_sample(&mut self, _: Time, _: &World, _: &dyn Census) {}
}

fn latency(passage: &Passage) -> Span {
    let (from, to) = (u64::from(passage.from.number()), u64::from(passage.to.number()));
    Span::from_nanos(work::latency(passage.content, from, to))
}

pub(crate) fn run(nodes: u64) -> Measured {
    let states = work::peers(nodes).into_iter().map(|peers| Node {
        peers: peers.map(NodeId::new),
        seen: 0,
        first_receipts: 0,
        sum: 0,
    });
    let workload = (0..RUMORS).map(move |rumor| {
        let (at, node) = work::appearance(rumor, nodes);
        let node = NodeId::new(node as u32);
        Injection { at: Time::ZERO + Span::from_nanos(at), node, input: Rumor(rumor as u32) }
    });
    let network = NetworkPlan::uniform(nodes as usize, Profile::plain(Latency::Function(latency)));
    let plan = SimulationPlan::new(Seed(42), network);
    let states = NodeMap::from_vec(states.collect());
    let mut simulation = Simulation::new(plan, states, (), workload, Count::default());
    let start = ProcessTime::now();
    simulation.run_until(Time::ZERO + Span::from_secs(60)).expect("within the limits");
    let seconds = start.elapsed().as_secs_f64();
    let all = NodeId::all(nodes as usize).map(|node| simulation.node(node));
    let (sum, first) =
        all.fold((0_u64, 0), |(s, f), node| (s.wrapping_add(node.sum), f + node.first_receipts));
    let (deliveries, check) = work::spread(nodes);
    assert_eq!((simulation.observer().0, sum), (deliveries, check), "work of W2");
    // Every first receipt and every appearance is sent on to all peers, and nothing is lost.
    assert_eq!(first * PEERS as u64, deliveries, "first receipts of W2");
    Measured::of(deliveries, seconds)
}
