//! simcore: components with callbacks, boxed events in a binary heap. Time is a floating-point
//! number, here of nanoseconds, so that every moment of the workloads is exact.

use std::cell::RefCell;
use std::rc::Rc;

use cpu_time::ProcessTime;
use serde::Serialize;
use simcore::{Event, EventHandler, Simulation, SimulationContext, cast};

use crate::measured::Measured;
use crate::mix::Sm64;
use crate::work::{self, PEERS, RUMORS};

#[derive(Clone, Serialize)]
struct Fire {
    id: u32,
}

struct Hold {
    stream: Sm64,
    ctx: SimulationContext,
}

impl Hold {
    fn schedule(&mut self, id: u32) {
        let delay = work::delay(&mut self.stream);
        self.ctx.emit_self(Fire { id }, delay as f64);
    }
}

impl EventHandler for Hold {
    fn on(&mut self, event: Event) {
        cast!(match event.data {
            Fire { id } => {
                self.schedule(id)
            }
        })
    }
}

pub(crate) fn hold(pending: u64) -> Measured {
    let mut simulation = Simulation::new(42);
    let ctx = simulation.create_context("hold");
    let hold = Rc::new(RefCell::new(Hold { stream: Sm64(42), ctx }));
    simulation.add_handler("hold", hold.clone());
    (0..pending).for_each(|id| hold.borrow_mut().schedule(id as u32));
    simulation.steps(pending);
    let start = ProcessTime::now();
    simulation.steps(work::FIRED);
    let seconds = start.elapsed().as_secs_f64();
    assert_eq!(simulation.time() as u64, work::last_clock(pending), "the clock at the end");
    Measured::of(work::FIRED, seconds)
}

#[derive(Clone, Serialize)]
struct Rumor {
    rumor: u32,
}

#[derive(Clone, Serialize)]
struct Appearance {
    rumor: u32,
}

struct Node {
    peers: [u32; PEERS],
    seen: u128,
    delivered: u64,
    sum: u64,
    ctx: SimulationContext,
}

impl Node {
    fn learn(&mut self, rumor: u32) {
        self.seen |= 1 << rumor;
        self.sum = self.sum.wrapping_add(self.ctx.time() as u64);
        for peer in self.peers {
            let latency = work::latency(rumor.into(), self.ctx.id().into(), peer.into());
            self.ctx.emit(Rumor { rumor }, peer, latency as f64);
        }
    }
}

impl EventHandler for Node {
    fn on(&mut self, event: Event) {
        cast!(match event.data {
            Rumor { rumor } => {
                self.delivered += 1;
                if (self.seen >> rumor) & 1 == 0 {
                    self.learn(rumor);
                }
            }
            Appearance { rumor } => {
                self.learn(rumor)
            }
        })
    }
}

pub(crate) fn push(nodes: u64) -> Measured {
    let mut simulation = Simulation::new(42);
    let peers = work::peers(nodes);
    let all: Vec<Rc<RefCell<Node>>> = (0_u32..)
        .zip(peers)
        .map(|(node, peers)| {
            let name = format!("node-{node}");
            let ctx = simulation.create_context(&name);
            // Components are numbered as they are made: peers are named by these numbers.
            assert_eq!(ctx.id(), node, "the number of a component");
            let made = Node { peers, seen: 0, delivered: 0, sum: 0, ctx };
            let made = Rc::new(RefCell::new(made));
            simulation.add_handler(name, made.clone());
            made
        })
        .collect();
    for rumor in 0..RUMORS {
        let (at, node) = work::appearance(rumor, nodes);
        let appearance = Appearance { rumor: rumor as u32 };
        all[node as usize].borrow().ctx.emit_self(appearance, at as f64);
    }
    let start = ProcessTime::now();
    simulation.step_until_no_events();
    let seconds = start.elapsed().as_secs_f64();
    let nodes_done = all.iter().map(|node| node.borrow());
    let (delivered, sum) = nodes_done
        .fold((0, 0_u64), |(n, sum), node| (n + node.delivered, sum.wrapping_add(node.sum)));
    assert_eq!((delivered, sum), work::spread(nodes), "work of W2");
    Measured::of(delivered, seconds)
}
