//! nexosim: models with mailboxes, run by an asynchronous executor, here with one thread. A link is
//! a delayed input of the receiver: one message, and one event that it schedules for itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cpu_time::ProcessTime;
use nexosim::model::{BuildContext, Context, Model, ProtoModel, schedulable};
use nexosim::ports::Output;
use nexosim::simulation::{Mailbox, SimInit, Simulation};
use nexosim::time::MonotonicTime;
use serde::{Deserialize, Serialize};

use crate::measured::Measured;
use crate::mix::Sm64;
use crate::work::{self, PEERS, RUMORS};

const SCHEDULED: &str = "a moment in the future";

fn nanos(time: MonotonicTime) -> u64 {
    time.duration_since(MonotonicTime::EPOCH).as_nanos() as u64
}

/// What models and the program share: in W1 the events fired and the clock after the last one, in
/// W2 the deliveries and the sum of the times of first receipt.
#[derive(Default)]
struct Totals(AtomicU64, AtomicU64);

#[derive(Serialize, Deserialize)]
struct Hold {
    stream: u64,
    pending: u64,
    fired: u64,
}

struct NewHold(Hold, Arc<Totals>);

impl ProtoModel for NewHold {
    type Model = Hold;
    fn build(self, _: &mut BuildContext<Self>) -> (Hold, Arc<Totals>) {
        (self.0, self.1)
    }
}

#[Model(type Env = Arc<Totals>)]
impl Hold {
    fn schedule(&mut self, id: u32, cx: &Context<Self>) {
        let mut stream = Sm64(self.stream);
        let delay = Duration::from_nanos(work::delay(&mut stream));
        self.stream = stream.0;
        cx.schedule_event(delay, schedulable!(Self::fire), id).expect(SCHEDULED);
    }

    #[nexosim(init)]
    async fn init(&mut self, cx: &Context<Self>) {
        (0..self.pending).for_each(|id| self.schedule(id as u32, cx));
    }

    #[nexosim(schedulable)]
    fn fire(&mut self, id: u32, cx: &Context<Self>, totals: &mut Arc<Totals>) {
        self.schedule(id, cx);
        self.fired += 1;
        totals.0.store(self.fired, Ordering::Relaxed);
        if self.fired == self.pending + work::FIRED {
            totals.1.store(nanos(cx.time()), Ordering::Relaxed);
        }
    }
}

fn started(init: SimInit) -> Simulation {
    init.init(MonotonicTime::EPOCH).expect("a simulation that starts")
}

pub(crate) fn hold(pending: u64) -> Measured {
    let totals = Arc::new(Totals::default());
    let model = NewHold(Hold { stream: 42, pending, fired: 0 }, totals.clone());
    let init = SimInit::with_num_threads(1).add_model(model, Mailbox::new(), "hold");
    let mut simulation = started(init);
    let mut fire = |until: u64| {
        while totals.0.load(Ordering::Relaxed) < until {
            simulation.step().expect("a step");
        }
    };
    fire(pending);
    let start = ProcessTime::now();
    fire(pending + work::FIRED);
    let seconds = start.elapsed().as_secs_f64();
    let clock = totals.1.load(Ordering::Relaxed);
    assert_eq!(clock, work::last_clock(pending), "the clock at the end");
    Measured::of(work::FIRED, seconds)
}

#[derive(Serialize, Deserialize)]
struct Node {
    number: u32,
    /// Rumors that appear here.
    own: Vec<u32>,
    seen: u128,
    peers: Output<(u32, u32)>,
}

/// What a node counted; added to the totals when the simulation ends.
struct Counted {
    delivered: u64,
    sum: u64,
    totals: Arc<Totals>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.totals.0.fetch_add(self.delivered, Ordering::Relaxed);
        self.totals.1.fetch_add(self.sum, Ordering::Relaxed);
    }
}

struct NewNode(Node, Arc<Totals>);

impl ProtoModel for NewNode {
    type Model = Node;
    fn build(self, _: &mut BuildContext<Self>) -> (Node, Counted) {
        (self.0, Counted { delivered: 0, sum: 0, totals: self.1 })
    }
}

#[Model(type Env = Counted)]
impl Node {
    async fn learn(&mut self, rumor: u32, cx: &Context<Self>, counted: &mut Counted) {
        self.seen |= 1 << rumor;
        counted.sum = counted.sum.wrapping_add(nanos(cx.time()));
        self.peers.send((rumor, self.number)).await;
    }

    #[nexosim(init)]
    async fn init(&mut self, cx: &Context<Self>, counted: &mut Counted) {
        for rumor in std::mem::take(&mut self.own) {
            match work::appearance(rumor.into(), 1).0 {
                0 => self.learn(rumor, cx, counted).await,
                at => cx
                    .schedule_event(Duration::from_nanos(at), schedulable!(Self::appear), rumor)
                    .expect(SCHEDULED),
            }
        }
    }

    #[nexosim(schedulable)]
    async fn appear(&mut self, rumor: u32, cx: &Context<Self>, counted: &mut Counted) {
        self.learn(rumor, cx, counted).await;
    }

    /// The beginning of the link.
    fn send(&mut self, (rumor, from): (u32, u32), cx: &Context<Self>) {
        let latency = work::latency(rumor.into(), from.into(), self.number.into());
        cx.schedule_event(Duration::from_nanos(latency), schedulable!(Self::arrive), rumor)
            .expect(SCHEDULED);
    }

    #[nexosim(schedulable)]
    async fn arrive(&mut self, rumor: u32, cx: &Context<Self>, counted: &mut Counted) {
        counted.delivered += 1;
        if (self.seen >> rumor) & 1 == 0 {
            self.learn(rumor, cx, counted).await;
        }
    }
}

pub(crate) fn push(nodes: u64) -> Measured {
    let totals = Arc::new(Totals::default());
    let appears = |rumor: &u64| work::appearance(*rumor, nodes).1;
    let mailboxes: Vec<Mailbox<Node>> = (0..nodes).map(|_| Mailbox::new()).collect();
    let addresses: Vec<_> = mailboxes.iter().map(Mailbox::address).collect();
    let peers: Vec<[u32; PEERS]> = work::peers(nodes);
    let mut init = SimInit::with_num_threads(1);
    for (number, mailbox) in (0..nodes).zip(mailboxes) {
        let mut out = Output::default();
        for &peer in &peers[number as usize] {
            out.connect(Node::send, addresses[peer as usize].clone());
        }
        let own = (0..RUMORS).filter(|rumor| appears(rumor) == number);
        let own = own.map(|rumor| rumor as u32).collect();
        let node = Node { number: number as u32, own, seen: 0, peers: out };
        let node = NewNode(node, totals.clone());
        init = init.add_model(node, mailbox, &format!("node-{number}"));
    }
    let mut simulation = started(init);
    let start = ProcessTime::now();
    simulation.run().expect("a run");
    let seconds = start.elapsed().as_secs_f64();
    drop(simulation);
    let counted = (totals.0.load(Ordering::Relaxed), totals.1.load(Ordering::Relaxed));
    assert_eq!(counted, work::spread(nodes), "work of W2");
    Measured::of(counted.0, seconds)
}
