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
//! # What is expected
//!
//! A scenario says what it expects, and the run gets a verdict, made from its summary and tables
//! alone:
//!
//! ```
//! # use headwater::fact::Deaf;
//! # use headwater::metrics::table::MemorySink;
//! # use headwater::run::{Go, run};
//! # use headwater::scenario::reader::Source;
//! # use headwater::scenario::shipped;
//! use headwater::expect::Outcome;
//!
//! let text = r#"
//!     duration = "5s"
//!     nodes.count = 20
//!     topology.kind = "ring"
//!     network.latency = "10ms"
//!     [[rumors]]
//!     at = "1s"
//!     [[expect]]
//!     kind = "bound"
//!     metric = "rumors.to_100_nodes_ns"
//!     statistic = "max"
//!     at_most = "99ms"
//! "#;
//! let plan = shipped::plan(&Source::embedded("ring", text), &[]).expect("a valid scenario");
//! let finished = run(&plan, MemorySink::new(), Deaf, &mut |_| Go::On);
//!
//! // It takes 100 ms, so the bound does not hold.
//! let verdict = finished.verdict(&plan);
//! assert_eq!(verdict.outcome, Outcome::Failed);
//! assert_eq!(verdict.judged[0].found, "100ms");
//! ```
//!
//! # Listening
//!
//! Whoever wants to know more than the tables tell listens to the facts. An observer cannot steer:
//! the run has the same digest with and without it.
//!
//! ```
//! # use headwater::metrics::table::MemorySink;
//! # use headwater::run::{Go, run};
//! # use headwater::scenario::reader::Source;
//! # use headwater::scenario::shipped;
//! use headwater::base::time::Time;
//! use headwater::fact::{Census, Deaf, Fact, Observer, World};
//!
//! /// Remembers when the last message came anywhere.
//! struct Last<'a>(&'a mut Option<Time>);
//!
//! impl Observer for Last<'_> {
//!     fn on_fact(&mut self, at: Time, fact: &Fact) {
//!         if let Fact::Delivered { .. } = fact {
//!             *self.0 = Some(at);
//!         }
//!     }
//!     fn next_sample(&self) -> Option<Time> { None }
//!     fn on_sample(&mut self, _: Time, _: &World, _: &dyn Census) {}
//! }
//!
//! let text = "nodes.count = 20\nnetwork.latency = \"10ms\"\n[[rumors]]\nat = \"1s\"";
//! let plan = shipped::plan(&Source::embedded("s", text), &[]).expect("a valid scenario");
//! let mut last = None;
//! let heard = run(&plan, MemorySink::new(), Last(&mut last), &mut |_| Go::On);
//! assert_eq!(heard.digest, run(&plan, MemorySink::new(), Deaf, &mut |_| Go::On).digest);
//!
//! // Everybody knows everybody: one link to all, one more for the copies that they pass on.
//! assert_eq!(last, Some(Time::from_nanos(1_020_000_000)));
//! ```
//!
//! # A world to try things in
//!
//! A [`world::World`] is run to a moment or to something that happens; it can be cut in two and
//! healed, its nodes crashed and brought back, and all of them asked about:
//!
//! ```
//! use headwater::base::id::NodeId;
//! use headwater::fact::Fact;
//! use headwater::world::{World, WorldError};
//!
//! # fn main() -> Result<(), WorldError> {
//! let mut world = World::from_scenario("split-in-halves").set("faults=[]").seed(7).build()?;
//! world.run_until("5s")?;
//! world.cut(&["0..3", "rest"])?;
//! world.run_until("6s")?;
//! world.crash(NodeId::new(4))?;
//!
//! // 16 of 20 equal validators are more than two thirds: they root something before long.
//! let rooted = world.run_until_fact("60s", |_, fact| matches!(fact, Fact::Rooted { .. }))?;
//! assert!(rooted.is_some());
//! world.heal()?;
//! world.restart(NodeId::new(4))?;
//! world.run_for("20s")?;
//! assert!(world.nodes().all(|node| world.root(node).height > 0));
//! assert!(world.honest_roots_agree());
//! # Ok(())
//! # }
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
//! #[derive(Clone, Copy, PartialEq)]
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

// What is measured, where it goes, and what is expected of it.
pub mod expect;
pub mod metrics;
pub mod results;

// From text to a run.
pub mod cli;
pub mod experiment;
pub mod run;
pub mod scenario;

// A world to try things in, from a program or a test.
pub mod world;
