//! W1 "hold": the event queue alone; one pop and one push per unit.

use cpu_time::ProcessTime;
use headwater::base::time::{Span, Time};
use headwater::sim::queue::EventQueue;

use crate::Measured;
use crate::mix::Sm64;

fn delay(stream: &mut Sm64) -> Span {
    let u = (stream.next() >> 11) as f64 / (1_u64 << 53) as f64;
    Span::from_nanos((-libm::log(1.0 - u) * 1e9) as u64 + 1)
}

pub(crate) fn run(pending: u64) -> Measured {
    let (units, known) = match pending {
        1_000 => (1_000_000, 1_001_923_415_555),
        100_000 => (1_000_000, 11_008_708_906),
        _ => (1_000_000, 1_999_989_264),
    };
    let mut stream = Sm64(42);
    // The record the simulator keeps in a bucket: 24 bytes beside the time.
    let mut queue: EventQueue<[u32; 6]> = EventQueue::new();
    for id in 0..pending {
        queue.push(Time::ZERO + delay(&mut stream), [id as u32; 6]);
    }
    let mut fire = |count: u64| {
        let mut now = Time::ZERO;
        for _ in 0..count {
            let (at, event) = queue.pop().expect("P events are pending");
            queue.push(at + delay(&mut stream), event);
            now = at;
        }
        now
    };
    fire(pending);
    let start = ProcessTime::now();
    let clock = fire(units);
    let seconds = start.elapsed().as_secs_f64();
    assert_eq!(clock.as_nanos(), known, "the clock after the last event of W1, P={pending}");
    Measured { units, seconds, virtual_seconds: 0.0 }
}
