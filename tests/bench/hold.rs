//! W1 "hold": the event queue alone; one pop and one push per unit.

use cpu_time::ProcessTime;
use headwater::base::time::{Span, Time};
use headwater::sim::queue::EventQueue;

use crate::measured::Measured;
use crate::mix::Sm64;
use crate::work;

fn delay(stream: &mut Sm64) -> Span {
    Span::from_nanos(work::delay(stream))
}

pub(crate) fn run(pending: u64) -> Measured {
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
    let clock = fire(work::FIRED);
    let seconds = start.elapsed().as_secs_f64();
    assert_eq!(clock.as_nanos(), work::last_clock(pending), "the clock at the end, P={pending}");
    Measured::of(work::FIRED, seconds)
}
