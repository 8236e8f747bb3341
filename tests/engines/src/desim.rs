//! desim: processes as coroutines, a binary heap, time as a floating-point number, here of
//! nanoseconds. A process can schedule one event whenever it is resumed; to send to all its peers
//! at once, a node of W2 pushes its rumor into a store that stands for the network.

use std::cell::Cell;
use std::ops::{Coroutine, CoroutineState};
use std::pin::Pin;
use std::rc::Rc;

use cpu_time::ProcessTime;
use desim::resources::Store;
use desim::{Effect, EndCondition, Event, SimContext, SimState, Simulation};

use crate::measured::Measured;
use crate::mix::Sm64;
use crate::work::{self, PEERS, RUMORS};

/// What an event carries: an id in W1, a rumor in W2 and whether it appears there.
#[derive(Clone, Copy)]
struct State {
    effect: Effect,
    id: u32,
    appears: bool,
}

impl SimState for State {
    fn get_effect(&self) -> Effect {
        self.effect
    }
    fn set_effect(&mut self, effect: Effect) {
        self.effect = effect;
    }
    fn should_log(&self) -> bool {
        false
    }
}

struct Hold(Sm64);

impl Coroutine<SimContext<State>> for Hold {
    type Yield = State;
    type Return = ();
    fn resume(mut self: Pin<&mut Self>, ctx: SimContext<State>) -> CoroutineState<State, ()> {
        let effect = Effect::TimeOut(work::delay(&mut self.0) as f64);
        CoroutineState::Yielded(State { effect, ..*ctx.state() })
    }
}

pub(crate) fn hold(pending: u64) -> Measured {
    let mut simulation = Simulation::new();
    let mut stream = Sm64(42);
    let delays: Vec<u64> = (0..pending).map(|_| work::delay(&mut stream)).collect();
    let process = simulation.create_process(Box::new(Hold(stream)));
    for (id, delay) in (0..).zip(delays) {
        let state = State { effect: Effect::Wait, id, appears: false };
        simulation.schedule_event(delay as f64, process, state);
    }
    let simulation = simulation.run(EndCondition::NSteps(pending as usize));
    let start = ProcessTime::now();
    let simulation = simulation.run(EndCondition::NSteps((pending + work::FIRED) as usize));
    let seconds = start.elapsed().as_secs_f64();
    assert_eq!(simulation.time() as u64, work::last_clock(pending), "the clock at the end");
    Measured::of(work::FIRED, seconds)
}

/// Deliveries, and the sum of the times of first receipt.
type Totals = Rc<Cell<(u64, u64)>>;

struct Node {
    seen: u128,
    network: usize,
    totals: Totals,
}

impl Coroutine<SimContext<State>> for Node {
    type Yield = State;
    type Return = ();
    fn resume(mut self: Pin<&mut Self>, ctx: SimContext<State>) -> CoroutineState<State, ()> {
        let state = *ctx.state();
        let (mut delivered, mut sum) = self.totals.get();
        delivered += u64::from(!state.appears);
        let mut effect = Effect::Wait;
        if (self.seen >> state.id) & 1 == 0 {
            self.seen |= 1 << state.id;
            sum = sum.wrapping_add(ctx.time() as u64);
            effect = Effect::Push(self.network);
        }
        self.totals.set((delivered, sum));
        CoroutineState::Yielded(State { effect, appears: false, ..state })
    }
}

/// Takes a rumor from a node and schedules its arrival at all peers.
struct Network(Vec<[u32; PEERS]>);

impl Store<State> for Network {
    fn push_or_enqueue_and_schedule_next(
        &mut self,
        event: Event<State>,
        next: &mut Vec<Event<State>>,
    ) {
        let (node, rumor) = (event.process(), u64::from(event.state().id));
        let state = State { effect: Effect::Wait, ..*event.state() };
        next.extend(self.0[node].iter().map(|&peer| {
            let latency = work::latency(rumor, node as u64, peer.into());
            Event::new(event.time() + latency as f64, peer as usize, state)
        }));
    }
    fn pull_or_enqueue_and_schedule_next(&mut self, _: Event<State>, _: &mut Vec<Event<State>>) {}
}

pub(crate) fn push(nodes: u64) -> Measured {
    let mut simulation = Simulation::new();
    let network = simulation.create_store(Box::new(Network(work::peers(nodes))));
    let totals = Totals::default();
    for _ in 0..nodes {
        let node = Node { seen: 0, network, totals: totals.clone() };
        simulation.create_process(Box::new(node));
    }
    for rumor in 0..RUMORS {
        let (at, node) = work::appearance(rumor, nodes);
        let state = State { effect: Effect::Wait, id: rumor as u32, appears: true };
        simulation.schedule_event(at as f64, node as usize, state);
    }
    let start = ProcessTime::now();
    simulation.run(EndCondition::NoEvents);
    let seconds = start.elapsed().as_secs_f64();
    assert_eq!(totals.get(), work::spread(nodes), "work of W2");
    Measured::of(totals.get().0, seconds)
}
