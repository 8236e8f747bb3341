//! W3 "turbine-like block": 1,500 nodes, 2,000 shreds of 1,228 bytes per slot of 400 ms, a new tree
//! of fan-out 200 for every shred, uplinks of 1 Gbit/s, ten regions, 1 % loss.

use cpu_time::ProcessTime;
use headwater::base::fetch::{fetch, fetch_at};
use headwater::base::id::{NodeId, NodeMap};
use headwater::base::quantity::Rate;
use headwater::base::rng::Seed;
use headwater::base::time::{Span, Time};
use headwater::fact::{Census, Fact, MessageKind, Observer, Status, World};
use headwater::sim::body::{Bodies, BodyId};
use headwater::sim::network::NetworkPlan;
use headwater::sim::network::link::{Latency, Passage, Profile};
use headwater::sim::network::loss::Loss;
use headwater::sim::network::pipe::{Buffer, PipeSpec};
use headwater::sim::protocol::{
    Fetch, Label, Local, Mail, Memory, Outbox, Payload, Protocol, Receiver,
};
use headwater::sim::{Injection, Simulation, SimulationPlan};

use crate::measured::Measured;
use crate::mix::{Sm64, mix64};

const NODES: u64 = 1_500;
const FANOUT: usize = 200;
const SHREDS: u64 = 2_000;
const SLOT: Span = Span::from_millis(400);
/// Trees kept: more shreds than are ever under way.
const TREES: usize = 4_096;

#[derive(Clone, Copy, PartialEq)]
struct Shred {
    gid: u32,
}

impl Payload<()> for Shred {
    fn kind(&self) -> MessageKind {
        MessageKind::BlockChunk
    }
    fn size(&self, _: &Bodies<()>) -> u32 {
        1_228
    }
    fn content(&self, _: &Bodies<()>) -> u64 {
        self.gid.into()
    }
    fn body(&self) -> Option<BodyId> {
        None
    }
    fn serial(&self, _: &Bodies<()>) -> Option<u64> {
        Some(self.gid.into())
    }
}

/// The tree of each shred, made once, when its leader sends it. A child of the root and all its
/// children (positions p, p + F, p + 2F, ...) stand side by side: one line of the cache.
struct Trees {
    families: Vec<[u16; Self::DEPTH]>,
    shuffled: Vec<u16>,
}

impl Trees {
    const WIDTH: usize = NODES as usize - 1;
    const DEPTH: usize = Self::WIDTH.div_ceil(FANOUT);

    fn new() -> Self {
        Self { families: vec![[0; Self::DEPTH]; TREES * FANOUT], shuffled: Vec::new() }
    }

    fn grow(&mut self, gid: u32) -> NodeId {
        let leader = leader(u64::from(gid) / SHREDS);
        let start = Self::start(gid);
        let families = &mut self.families[start..start + FANOUT];
        let others = (0..NODES).filter(|&node| node != leader);
        self.shuffled.clear();
        self.shuffled.extend(others.map(|node| node as u16));
        let mut stream = Sm64(mix64(42 ^ 0x7EEE_0000_0000 ^ u64::from(gid)));
        for i in (1..Self::WIDTH).rev() {
            self.shuffled.swap(i, stream.below(i as u64 + 1) as usize);
        }
        for (depth, nodes) in self.shuffled[1..].chunks(FANOUT).enumerate() {
            families.iter_mut().zip(nodes).for_each(|(family, &node)| family[depth] = node);
        }
        NodeId::new(self.shuffled[0].into())
    }

    const fn start(gid: u32) -> usize {
        gid as usize % TREES * FANOUT
    }

    /// The position of every child of one of the first positions, and which node stands there.
    fn children(&self, gid: u32, position: usize) -> impl Iterator<Item = (usize, NodeId)> + '_ {
        let families = &self.families[Self::start(gid)..Self::start(gid) + FANOUT];
        let root = if position == 0 { families } else { &[] };
        let below = families.get(position.wrapping_sub(1)).map_or(&[][..], |family| family);
        let positions = (position..Self::WIDTH).step_by(FANOUT).skip(1);
        let node = |node: &u16| NodeId::new((*node).into());
        let root = (1..).zip(root.iter().map(move |family| node(&family[0])));
        root.chain(positions.zip(below.iter().skip(1).map(node)))
    }
}

/// What a node holds of one slot: number and count beside the marks of the shreds, so that a shred
/// touches one or two lines of the cache.
#[derive(Clone, Copy, Default)]
struct Slot {
    number: u32,
    count: u32,
    marks: [u64; SHREDS as usize / 64 + 1],
}

#[derive(Default)]
struct Node {
    slots: [Slot; 4],
    halves: u64,
}

impl Node {
    fn mark(&mut self, gid: u32) {
        let (number, shred) = (gid / SHREDS as u32, gid as usize % SHREDS as usize);
        let slot = &mut self.slots[number as usize % 4];
        if slot.number != number {
            *slot = Slot { number, ..Slot::default() };
        }
        slot.marks[shred / 64] |= 1 << (shred % 64);
        slot.count += 1;
        self.halves += u64::from(slot.count == SHREDS as u32 / 2);
    }
}

impl Protocol for Node {
    type Message = Shred;
    type Timer = ();
    type Body = ();
    type Input = u32;
    type Cluster = Trees;
    fn on_start(&mut self, _: &mut Trees, _: &mut Outbox<Self>) {}
    #[inline]
    fn on_message(&mut self, trees: &mut Trees, ctx: &mut Outbox<Self>, _: NodeId, shred: Shred) {
        self.mark(shred.gid);
        let position = usize::from(ctx.label().0);
        if position <= FANOUT {
            let label = |child| Label(child as u16);
            let children = trees.children(shred.gid, position);
            ctx.send_each(shred, children.map(|(at, to)| Receiver { to, label: label(at) }));
        }
    }
    #[inline]
    fn fetch(&self, step: Fetch, trees: &Trees, _: &Bodies<()>, shred: &Shred, label: Label) {
        if step != Fetch::Last {
            return;
        }
        let (number, index) = (shred.gid / SHREDS as u32, shred.gid as usize % SHREDS as usize);
        let slot = &self.slots[number as usize % 4];
        fetch(slot);
        fetch_at(&slot.marks, index / 64);
        let position = usize::from(label.0);
        if position <= FANOUT {
            fetch_at(&trees.families, Trees::start(shred.gid) + position.saturating_sub(1));
        }
    }
    fn on_timer(&mut self, _: &mut Trees, _: &mut Outbox<Self>, (): ()) {}
    fn on_input(&mut self, trees: &mut Trees, ctx: &mut Outbox<Self>, gid: u32) {
        let root = trees.grow(gid);
        ctx.send_each(Shred { gid }, [Receiver { to: root, label: Label(0) }]);
    }
    fn on_crash(&mut self, _: &mut Trees, _: &mut Outbox<Self>, _: Memory) {}
    fn on_restart(&mut self, _: &mut Trees, _: &mut Outbox<Self>) {}
    fn status(&self, _: &Trees) -> Status {
        Status::default()
    }
    fn peers(&self, _: &Trees, _: &mut dyn FnMut(NodeId)) {}
}

/// Counts transmissions and deliveries and sums up the times of the latter.
#[derive(Default)]
struct Sums {
    sent: u64,
    delivered: u64,
    check: u64,
}

impl Observer for Sums {
    #[inline]
    fn on_fact(&mut self, at: Time, fact: &Fact) {
        match fact {
            Fact::Sent(_) => self.sent += 1,
            Fact::Delivered { .. } => {
                self.delivered += 1;
                self.check = self.check.wrapping_add(at.as_nanos());
            }
            _ => {}
        }
    }
    fn next_sample(&self) -> Option<Time> {
        None
    }
    fn on_sample(&mut self, _: Time, _: &World, _: &dyn Census) {}
}

const fn leader(slot: u64) -> u64 {
    mix64(42 ^ 0x1EAD_0000_0000 ^ slot) % NODES
}

/// Region of each node.
static REGIONS: [u8; NODES as usize] = {
    let mut regions = [0; NODES as usize];
    let mut node = 0;
    while node < NODES {
        regions[node as usize] = (mix64(42 ^ 0x2E61_0000_0000 ^ node) % 10) as u8;
        node += 1;
    }
    regions
};

const BASE_MS: [[u64; 10]; 10] = [
    [1, 12, 30, 36, 45, 50, 70, 85, 110, 120],
    [12, 1, 35, 40, 48, 55, 72, 90, 105, 115],
    [30, 35, 1, 8, 15, 60, 95, 110, 120, 130],
    [36, 40, 8, 1, 10, 65, 90, 100, 115, 125],
    [45, 48, 15, 10, 1, 70, 80, 95, 110, 120],
    [50, 55, 60, 65, 70, 1, 120, 130, 140, 150],
    [70, 72, 95, 90, 80, 120, 1, 30, 40, 50],
    [85, 90, 110, 100, 95, 130, 30, 1, 25, 35],
    [110, 105, 120, 115, 110, 140, 40, 25, 1, 20],
    [120, 115, 130, 125, 120, 150, 50, 35, 20, 1],
];

fn latency(passage: &Passage) -> Span {
    let (src, dst) = (u64::from(passage.from.number()), u64::from(passage.to.number()));
    let region = |node: NodeId| usize::from(REGIONS[node.index()]);
    let base = BASE_MS[region(passage.from)][region(passage.to)] * 1_000_000;
    Span::from_nanos(base + ((base * (mix64(src << 32 | dst) & 1_023)) >> 12))
}

fn lost(passage: &Passage) -> bool {
    let key = 0x1055_0000_0000_0000 ^ passage.content << 20 ^ u64::from(passage.to.number());
    ((mix64(key) >> 32) * 100) >> 32 == 0
}

fn network() -> NetworkPlan {
    let mut profile = Profile::plain(Latency::Function(latency));
    profile.loss = Loss::Function(lost);
    let mut network = NetworkPlan::uniform(NODES as usize, profile);
    let rate = Rate::new(1_000_000_000).expect("not zero");
    let uplink = PipeSpec { rate, buffer: Buffer::UNLIMITED };
    network.uplinks = NodeMap::filled(NODES as usize, Some(uplink));
    network
}

pub(crate) fn run(slots: u64) -> Measured {
    let known = match slots {
        2 => (5_873_671, 5_815_148, 3_624_205_083_414_510, 2_998),
        _ => (29_417_157, 29_122_988, 64_792_503_514_939_516, 14_990),
    };
    let workload = (0..slots * SHREDS).map(|gid| Injection {
        at: Time::ZERO + SLOT * (gid / SHREDS) + Span::from_micros(200) * (gid % SHREDS),
        node: NodeId::new(leader(gid / SHREDS) as u32),
        input: gid as u32,
    });
    let nodes = NodeMap::build(NODES as usize, |_| Node::default());
    let plan = SimulationPlan::new(Seed(42), network());
    let mut simulation = Simulation::new(plan, nodes, Trees::new(), workload, Sums::default());
    let start = ProcessTime::now();
    simulation.run_until(Time::ZERO + Span::from_secs(60)).expect("within the limits");
    let seconds = start.elapsed().as_secs_f64();
    let Sums { sent, delivered, check } = *simulation.observer();
    let halves = NodeId::all(NODES as usize).map(|node| simulation.node(node).halves).sum::<u64>();
    assert_eq!((sent, delivered, check, halves), known, "work of W3");
    Measured { virtual_seconds: slots as f64 * 0.4, ..Measured::of(delivered, seconds) }
}
