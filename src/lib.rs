//! headwater: a deterministic discrete-event simulator of gossip, block propagation and consensus
//! networks, as a library. The program of the same name is a thin shell around it.
//!
//! # A scenario from a program
//!
//! Anything that a scenario file can say can be run and measured without touching the disk:
//!
//! ```
//! use headwater::fact::Deaf;
//! use headwater::metrics::RUMORS;
//! use headwater::metrics::table::MemorySink;
//! use headwater::run::{Go, run};
//! use headwater::scenario::reader::Source;
//! use headwater::scenario::shipped;
//!
//! let text = r#"
//!     duration = "5s"
//!     [nodes]
//!     count = 20
//!     [topology]
//!     kind = "ring"
//!     [network]
//!     latency = "10ms"
//!     [[rumors]]
//!     at = "1s"
//!     spread = "flood"
//! "#;
//! let plan = shipped::plan(&Source::embedded("ring", text), &[]).expect("a valid scenario");
//! let finished = run(&plan, MemorySink::new(), Deaf, &mut |_| Go::On);
//!
//! // Half-way round a ring of 20 nodes are 10 links of 10 ms each.
//! let all_had_it = finished.sink.integer(&RUMORS, 0, "to_100_nodes_ns");
//! assert_eq!(all_had_it, Some(100_000_000));
//! ```
//!
//! # A protocol of one's own
//!
//! The kernel runs anything that implements [`sim::protocol::Protocol`]. Here a token goes round
//! until it has made all its steps:
//!
//! ```
//! use headwater::base::id::{NodeId, NodeMap};
//! use headwater::base::rng::Seed;
//! use headwater::base::time::{Span, Time};
//! use headwater::fact::{Deaf, MessageKind, Status};
//! use headwater::sim::body::{Bodies, BodyId};
//! use headwater::sim::network::NetworkPlan;
//! use headwater::sim::network::link::{Latency, Profile};
//! use headwater::sim::protocol::{Local, Mail, Memory, Outbox, Payload, Protocol};
//! use headwater::sim::{Injection, Simulation, SimulationPlan};
//!
//! #[derive(Clone, Copy)]
//! struct Token { steps_left: u32 }
//!
//! impl Payload<()> for Token {
//!     fn kind(&self) -> MessageKind { MessageKind::Rumor }
//!     fn size(&self, _: &Bodies<()>) -> u32 { 100 }
//!     fn content(&self, _: &Bodies<()>) -> u64 { self.steps_left.into() }
//!     fn body(&self) -> Option<BodyId> { None }
//!     fn serial(&self, _: &Bodies<()>) -> Option<u64> { None }
//! }
//!
//! struct Node { next: NodeId, seen: Vec<Time> }
//!
//! impl Node {
//!     fn pass_on(&mut self, ctx: &mut Outbox<Self>, token: Token) {
//!         self.seen.push(ctx.now());
//!         if let Some(steps_left) = token.steps_left.checked_sub(1) {
//!             ctx.send(self.next, Token { steps_left });
//!         }
//!     }
//! }
//!
//! impl Protocol for Node {
//!     type Message = Token;
//!     type Timer = ();
//!     type Body = ();
//!     type Input = Token;
//!     type Cluster = ();
//!     fn on_start(&mut self, _: &mut (), _: &mut Outbox<Self>) {}
//!     fn on_message(&mut self, _: &mut (), ctx: &mut Outbox<Self>, _: NodeId, token: Token) {
//!         self.pass_on(ctx, token);
//!     }
//!     fn on_timer(&mut self, _: &mut (), _: &mut Outbox<Self>, _: ()) {}
//!     fn on_input(&mut self, _: &mut (), ctx: &mut Outbox<Self>, token: Token) {
//!         self.pass_on(ctx, token);
//!     }
//!     fn on_crash(&mut self, _: &mut (), _: &mut Outbox<Self>, _: Memory) {}
//!     fn on_restart(&mut self, _: &mut (), _: &mut Outbox<Self>) {}
//!     fn status(&self, _: &()) -> Status { Status::default() }
//!     fn peers(&self, _: &(), each: &mut dyn FnMut(NodeId)) { each(self.next) }
//! }
//!
//! let link = Profile::plain(Latency::Constant(Span::from_millis(20)));
//! let plan = SimulationPlan::new(Seed(1), NetworkPlan::uniform(3, link));
//! let next = |node: NodeId| NodeId::new((node.number() + 1) % 3);
//! let nodes = NodeMap::build(3, |node| Node { next: next(node), seen: Vec::new() });
//! let first = NodeId::new(0);
//! let start = Time::ZERO + Span::from_secs(1);
//! let token = Injection { at: start, node: first, input: Token { steps_left: 6 } };
//! let mut world = Simulation::new(plan, nodes, (), [token].into_iter(), Deaf);
//! world.run_until(Time::ZERO + Span::from_secs(5)).expect("only a few events");
//!
//! // Six steps are twice round the three nodes; each round takes three links of 20 ms.
//! let round = Span::from_millis(60);
//! assert_eq!(world.node(first).seen, [start, start + round, start + round * 2]);
//! ```
#![doc = include_str!("ARCHITECTURE.md")]
#![forbid(unsafe_code)]

pub mod base;
pub mod fact;

// The kernel, and what runs on it.
pub mod crypto;
pub mod protocol;
pub mod sim;

// What is measured, and where it goes.
pub mod metrics;
pub mod results;

// From text to a run.
pub mod cli;
pub mod experiment;
pub mod run;
pub mod scenario;
