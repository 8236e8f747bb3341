//! Nothing is allocated per event in the steady state. A binary of its own, because it replaces the
//! allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

use headwater::base::time::{Span, Time};
use headwater::fact::Deaf;
use headwater::metrics::table::{Cell, RowSink, TableSpec};
use headwater::run::build;
use headwater::scenario::reader::Source;
use headwater::scenario::shipped;

/// Counts what the system's allocator is asked for.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// The library itself forbids unsafe code; an allocator cannot be written without.
#[expect(unsafe_code, reason = "an allocator cannot be written without")]
// SAFETY: every call is handed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `System` through `alloc` above.
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the pointer came from `System` through `alloc` above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Takes rows and forgets them, so that only the simulator's own allocations are counted.
struct Forget;

impl RowSink for Forget {
    fn row(&mut self, _: &'static TableSpec, _: &[Cell<'_>]) {}
}

/// Allocations and deliveries in the second half of a run.
fn second_half(toml: &str) -> (u64, u64) {
    let plan = shipped::plan(&Source::embedded("test", toml), &[]).expect("a valid scenario");
    let mut world = build(&plan, Forget, Deaf);
    let half = Time::ZERO + Span::from_nanos(plan.end.as_nanos() / 2);
    world.run_until(half).expect("within the limits");
    let (allocated, handled) = (ALLOCATIONS.load(Ordering::Relaxed), world.handled());
    world.run_until(plan.end).expect("within the limits");
    (ALLOCATIONS.load(Ordering::Relaxed) - allocated, world.handled() - handled)
}

#[test]
fn the_steady_state_allocates_at_most_once_in_ten_thousand_deliveries() {
    // Flooding with uplinks, jitter and loss; a body is allocated with each rumor (its slot in the
    // arena is used again), samples of the timeline come once a second.
    let flooding = r#"
        duration = "20s"
        [nodes]
        count = 500
        [topology]
        kind = "k-out"
        degree = 8
        [network]
        latency = { kind = "uniform", min = "10ms", max = "200ms" }
        jitter = { kind = "exponential", mean = "5ms" }
        loss = "1%"
        uplink = { rate = "100Mbit/s", buffer = "1MiB" }
        [[rumors]]
        every = "20ms"
        until = "20s"
        node = "all"
        spread = "flood"
    "#;
    // Registry gossip in which nothing changes any more: snapshots are shared.
    let gossip = r#"
        duration = "60s"
        [nodes]
        count = 300
        [topology]
        kind = "complete"
        [gossip]
        style = "push"
        interval = "100ms"
    "#;
    for scenario in [flooding, gossip] {
        let (allocations, deliveries) = second_half(scenario);
        assert!(deliveries > 200_000, "enough to judge: {deliveries}");
        let allowed = deliveries / 10_000;
        assert!(allocations <= allowed, "{allocations} allocations in {deliveries} deliveries");
    }
}
