//! Clocks that drift, through the whole kernel: a node that does something in rounds of its own
//! time does it at the very nanoseconds at which its clock says so, for as long as the run lasts.

use headwater::base::id::{NodeId, NodeMap, NodeSet};
use headwater::base::rng::Seed;
use headwater::base::time::{Span, Time};
use headwater::fact::{Deaf, MessageKind, Status};
use headwater::sim::body::{Bodies, BodyId};
use headwater::sim::fault::{Fault, FaultAction};
use headwater::sim::network::NetworkPlan;
use headwater::sim::network::link::{Latency, Profile};
use headwater::sim::protocol::{Alarm, Local, Memory, Outbox, Payload, Protocol};
use headwater::sim::{Injection, Simulation, SimulationPlan};

/// Notes what its clock shows, at first and every 10 ms.
struct Ticker(Vec<u64>);

#[derive(Clone, Copy, PartialEq)]
struct Nothing;

impl Payload<()> for Nothing {
    fn kind(&self) -> MessageKind {
        MessageKind::Ping
    }
    fn size(&self, _: &Bodies<()>) -> u32 {
        0
    }
    fn content(&self, _: &Bodies<()>) -> u64 {
        0
    }
    fn body(&self) -> Option<BodyId> {
        None
    }
    fn serial(&self, _: &Bodies<()>) -> Option<u64> {
        None
    }
}

const ROUND: Span = Span::from_millis(10);

impl Protocol for Ticker {
    type Message = Nothing;
    type Timer = ();
    type Body = ();
    type Input = ();
    type Cluster = ();

    fn on_start(&mut self, (): &mut (), ctx: &mut Outbox<Self>) {
        self.on_timer(&mut (), ctx, ());
    }
    fn on_message(&mut self, (): &mut (), _: &mut Outbox<Self>, _: NodeId, _: Nothing) {}
    fn on_timer(&mut self, (): &mut (), ctx: &mut Outbox<Self>, (): ()) {
        self.0.push(ctx.now().as_nanos());
        ctx.after(ROUND, ());
    }
    fn on_input(&mut self, (): &mut (), _: &mut Outbox<Self>, (): ()) {}
    fn on_crash(&mut self, (): &mut (), _: &mut Outbox<Self>, _: Memory) {}
    fn on_restart(&mut self, (): &mut (), _: &mut Outbox<Self>) {}
    fn status(&self, (): &()) -> Status {
        Status::default()
    }
    fn peers(&self, (): &(), _: &mut dyn FnMut(NodeId)) {}
}

#[test]
fn a_hundred_thousand_rounds_on_a_drifting_clock_keep_in_step() {
    for drift_ppm in [37, 100_000, 500_000, -250, -500_000] {
        let network = NetworkPlan::uniform(1, Profile::plain(Latency::Constant(ROUND)));
        let mut plan = SimulationPlan::new(Seed(1), network);
        let nodes = NodeSet::full(1);
        // At one instant a node starts before a fault begins.
        plan.starts = NodeMap::filled(1, Time::from_nanos(1));
        let action = FaultAction::Clock { nodes, offset: 0, drift_ppm };
        plan.faults = vec![Fault { begin: Time::ZERO, end: None, action }];
        let ticker = NodeMap::build(1, |_| Ticker(Vec::new()));
        let none = std::iter::empty::<Injection<()>>();
        let mut world = Simulation::new(plan, ticker, (), none, Deaf);
        let rounds = 100_000_u64;
        // However slow the clock is: at half speed a round takes 20 ms.
        world.run_until(Time::ZERO + ROUND * (2 * rounds + 2)).expect("one alarm is pending");
        let shown = &world.node(NodeId::new(0)).0;
        assert!(shown.len() as u64 > rounds, "{drift_ppm} ppm: {} rounds", shown.len());
        // It shows the moment of each round, or one nanosecond more where it skips that one.
        let skips = u64::from(drift_ppm > 0);
        for (round, at) in (0_u64..).zip(shown) {
            let due = shown[0] + round * ROUND.as_nanos();
            assert!((due..=due + skips).contains(at), "{drift_ppm} ppm, round {round}: {at}");
        }
    }
}
