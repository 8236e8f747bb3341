//! A scenario as a workload: the whole simulator with the real nodes, the network, all tables and
//! the digest; rows of tables are made and thrown away.

use std::cell::Cell;

use cpu_time::ProcessTime;
use headwater::base::time::{Span, Time};
use headwater::fact::{Census, Fact, Observer, World};
use headwater::metrics::table::{Cell as Value, RowSink, TableSpec};
use headwater::run::{Go, run as run_plan};
use headwater::scenario::reader::Override;
use headwater::scenario::shipped::{Shipped, plan};

use crate::alone;
use crate::measured::Measured;

/// Virtual time between two looks at the messages in flight.
const LOOK: Span = Span::from_millis(10);

struct Forget;

impl RowSink for Forget {
    fn row(&mut self, _: &'static TableSpec, _: &[Value<'_>]) {}
}

/// Looks at time zero, when all is set up, and then at the messages in flight.
struct Gauge<'a> {
    next: Time,
    seen: &'a Cell<Seen>,
}

#[derive(Clone, Copy)]
struct Seen {
    start: ProcessTime,
    built: u64,
    in_flight: u64,
}

impl Observer for Gauge<'_> {
    #[inline]
    fn on_fact(&mut self, _: Time, _: &Fact) {}
    fn next_sample(&self) -> Option<Time> {
        Some(self.next)
    }
    fn on_sample(&mut self, at: Time, world: &World, _: &dyn Census) {
        let mut seen = self.seen.get();
        if at == Time::ZERO {
            seen.built = alone::status("VmRSS:");
            seen.start = ProcessTime::now();
        }
        seen.in_flight = seen.in_flight.max(world.in_flight);
        self.seen.set(seen);
        self.next = at + LOOK;
    }
}

/// Runs a shipped scenario with the given keys changed.
pub(crate) fn run(name: &str, sets: &[String]) -> Measured {
    let before = alone::status("VmRSS:");
    let source = Shipped::find(name).expect("a shipped scenario").source();
    let parse =
        |set: &String| Override::parse(set).unwrap_or_else(|error| panic!("{set}: {error}"));
    let overrides: Vec<Override> = sets.iter().map(parse).collect();
    let plan = plan(&source, &overrides).unwrap_or_else(|errors| panic!("{name}: {errors:?}"));
    let seen = Cell::new(Seen { start: ProcessTime::now(), built: 0, in_flight: 0 });
    let gauge = Gauge { next: Time::ZERO, seen: &seen };
    let finished = run_plan(&plan, Forget, gauge, &mut |_| Go::On);
    let Seen { start, built, in_flight } = seen.get();
    Measured {
        virtual_seconds: (finished.reached - Time::ZERO).as_nanos() as f64 / 1e9,
        nodes: plan.population.count() as u64,
        in_flight,
        before,
        built,
        ..Measured::of(finished.summary.messages.delivered, start.elapsed().as_secs_f64())
    }
}
