//! Kernel layer: a pipe, the first-in-first-out transmitter of an uplink, downlink or link.
//!
//! A pipe is one "free from" instant. A message of `c` bytes starts at `max(now, free)` and is
//! through `8c / rate` later, rounded up to a whole nanosecond for every message by itself. The
//! waiting room has a limit and drops the newcomer when it is full (drop-tail). The message being
//! transmitted does not count, and one whose transmission starts at an instant has left the waiting
//! room before arrivals of that instant.

use std::collections::VecDeque;

use crate::base::quantity::Rate;
use crate::base::time::{Span, Time};

/// How much may wait for a pipe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Buffer {
    /// Bytes, header included.
    Bytes(u64),
    /// Messages.
    Messages(u32),
}

impl Buffer {
    /// A waiting room of more bytes than memory could ever note; nothing is noted of it.
    pub const UNLIMITED: Self = Self::Bytes(u64::MAX);
}

/// Rate and waiting room of a pipe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PipeSpec {
    /// Bits per second.
    pub rate: Rate,
    /// Limit of the waiting room.
    pub buffer: Buffer,
}

/// The state of one pipe.
#[derive(Clone, Debug)]
pub struct Pipe {
    spec: PipeSpec,
    free: Time,
    /// The last time without work: from when, until when.
    idle: (Time, Time),
    busy: Span,
    /// The last serialisation worked out: messages of one size come in rows.
    last: (u32, Span),
    waiting_bytes: u64,
    waiting_messages: u64,
    /// The latest messages that may still wait; some may have started since it was last looked at.
    tail: Run,
    /// When the last of them will be through.
    tail_end: Time,
    /// Those before them.
    waiting: VecDeque<Run>,
}

/// Messages of one size that follow each other without a break.
#[derive(Clone, Copy, Default, Debug)]
struct Run {
    /// When the transmission of the first of them starts.
    start: Time,
    /// How long each takes.
    work: Span,
    bytes: u32,
    count: u32,
}

impl Run {
    /// When the transmission of the one with this place starts.
    fn start_of(&self, place: u32) -> Time {
        let before = self.work.as_nanos().saturating_mul(place.into());
        self.start.saturating_add(Span::from_nanos(before))
    }

    /// How many of them have started by `now`.
    fn started(&self, now: Time) -> u32 {
        if now < self.start {
            return 0;
        }
        match now.since(self.start).as_nanos().checked_div(self.work.as_nanos()) {
            Some(later) => u64::from(self.count).min(later.saturating_add(1)) as u32,
            None => self.count,
        }
    }
}

impl Pipe {
    /// Runs that are kept before it is looked which of them have started.
    const LONG: usize = 64;

    /// An idle pipe.
    #[must_use]
    pub const fn new(spec: PipeSpec) -> Self {
        Self {
            spec,
            free: Time::ZERO,
            idle: (Time::ZERO, Time::ZERO),
            busy: Span::ZERO,
            last: (0, Span::ZERO),
            waiting_bytes: 0,
            waiting_messages: 0,
            tail: Run { start: Time::ZERO, work: Span::ZERO, bytes: 0, count: 0 },
            tail_end: Time::ZERO,
            waiting: VecDeque::new(),
        }
    }

    /// Takes a message in and says when it is through, or `None` if the waiting room is full.
    /// Calls must come in the order of `now`.
    #[inline(always)]
    pub fn pass(&mut self, now: Time, bytes: u32) -> Option<Time> {
        let start = now.max(self.free);
        if self.last.0 != bytes {
            self.last = (bytes, self.spec.rate.serialisation(bytes));
        }
        if start > now && self.spec.buffer != Buffer::UNLIMITED {
            if self.is_full_for(now, bytes) {
                return None;
            }
            self.wait(start, bytes);
        }
        if start > self.free {
            self.idle = (self.free, start);
        }
        let work = self.last.1;
        self.busy = self.busy.saturating_add(work);
        self.free = start.saturating_add(work);
        Some(self.free)
    }

    /// Whether there is no room for so many bytes to wait. What has started meanwhile is counted
    /// out only where that matters.
    #[inline]
    fn is_full_for(&mut self, now: Time, bytes: u32) -> bool {
        let full = |pipe: &Self| match pipe.spec.buffer {
            Buffer::Bytes(limit) => pipe.waiting_bytes + u64::from(bytes) > limit,
            Buffer::Messages(limit) => pipe.waiting_messages >= u64::from(limit),
        };
        if !full(self) && self.waiting.len() < Self::LONG {
            return false;
        }
        self.settle(now);
        full(self)
    }

    /// A message waits for its transmission to start, which is when all before it are through.
    #[inline]
    fn wait(&mut self, start: Time, bytes: u32) {
        self.waiting_bytes += u64::from(bytes);
        self.waiting_messages += 1;
        let (tail, work) = (&mut self.tail, self.last.1);
        if tail.bytes == bytes && self.tail_end == start && tail.count > 0 {
            tail.count += 1;
        } else {
            self.turn(Run { start, work, bytes, count: 1 });
        }
        self.tail_end = start.saturating_add(work);
    }

    /// Another run begins.
    fn turn(&mut self, run: Run) {
        let before = std::mem::replace(&mut self.tail, run);
        if before.count > 0 {
            self.waiting.push_back(before);
        }
    }

    /// Lets everything whose transmission has started leave the waiting room.
    fn settle(&mut self, now: Time) {
        loop {
            let tail = self.waiting.is_empty();
            let run = self.waiting.front_mut().unwrap_or(&mut self.tail);
            let started = run.started(now);
            self.waiting_bytes -= u64::from(started) * u64::from(run.bytes);
            self.waiting_messages -= u64::from(started);
            run.start = run.start_of(started);
            run.count -= started;
            if run.count > 0 || tail {
                break;
            }
            self.waiting.pop_front();
        }
    }

    /// Drops everything that is not through at `now`, as a crash does. The transmission that was
    /// cut short counts as work up to now.
    pub fn clear(&mut self, now: Time) {
        self.busy = self.busy_until(now);
        self.free = self.free.min(now);
        self.idle = (self.free, self.free);
        self.waiting.clear();
        self.tail.count = 0;
        (self.waiting_bytes, self.waiting_messages) = (0, 0);
    }

    /// Time the pipe has been transmitting up to `now`. At most the last stretch of work may begin
    /// after `now`: a node that works at something sends when it is done.
    #[must_use]
    pub fn busy_until(&self, now: Time) -> Span {
        let (idle_from, idle_until) = self.idle;
        let later = self.free.since(now.max(idle_until)).saturating_add(idle_from.since(now));
        self.busy.saturating_sub(later)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::{Purpose, Rng, Seed};

    fn pipe(bits_per_second: u64, buffer: Buffer) -> Pipe {
        Pipe::new(PipeSpec { rate: Rate::new(bits_per_second).expect("not zero"), buffer })
    }

    #[test]
    fn a_burst_of_m_gets_min_of_m_and_q_plus_one_through() {
        // Law 6: Q waiting places and one on the wire.
        for (burst, places) in [(1, 0), (5, 0), (5, 3), (3, 3), (10, 100)] {
            let mut pipe = pipe(8_000, Buffer::Messages(places));
            let through = (0..burst).filter(|_| pipe.pass(Time::ZERO, 1).is_some()).count();
            assert_eq!(through as u32, u32::min(burst, places + 1));
        }
    }

    #[test]
    fn a_departure_frees_the_wire_before_an_arrival_of_the_same_instant() {
        // 1 byte at 8 kbit/s takes 1 ms. One place: on the wire until 1 ms, one waiting.
        let mut pipe = pipe(8_000, Buffer::Messages(1));
        let at = |ms| Time::ZERO + Span::from_millis(ms);
        assert_eq!(pipe.pass(at(0), 1), Some(at(1)));
        assert_eq!(pipe.pass(at(0), 1), Some(at(2)));
        assert_eq!(pipe.pass(at(0), 1), None);
        assert_eq!(
            pipe.pass(at(1), 1),
            Some(at(3)),
            "the second is on the wire, the room is empty"
        );
    }

    #[test]
    fn a_byte_buffer_counts_waiting_bytes_only() {
        let mut pipe = pipe(8_000, Buffer::Bytes(10));
        assert!(pipe.pass(Time::ZERO, 500).is_some(), "goes to the wire, whatever its size");
        assert!(pipe.pass(Time::ZERO, 6).is_some());
        assert!(pipe.pass(Time::ZERO, 5).is_none(), "6 + 5 > 10");
        assert!(pipe.pass(Time::ZERO, 4).is_some());
    }

    /// The rule to the letter: every message that waits is noted by itself.
    struct Reference {
        rate: Rate,
        buffer: Buffer,
        free: Time,
        waiting: Vec<(Time, u32)>,
    }

    impl Reference {
        fn pass(&mut self, now: Time, bytes: u32) -> Option<Time> {
            self.waiting.retain(|(start, _)| *start > now);
            let start = now.max(self.free);
            if start > now {
                let full = match self.buffer {
                    Buffer::Messages(limit) => self.waiting.len() as u64 >= u64::from(limit),
                    Buffer::Bytes(limit) => {
                        let waiting: u64 = self.waiting.iter().map(|(_, b)| u64::from(*b)).sum();
                        waiting + u64::from(bytes) > limit
                    }
                };
                if full {
                    return None;
                }
                self.waiting.push((start, bytes));
            }
            self.free = start.saturating_add(self.rate.serialisation(bytes));
            Some(self.free)
        }
    }

    #[test]
    fn runs_of_equal_messages_are_what_single_ones_would_be() {
        let mut rng = Rng::of_cluster(Seed(11), Purpose::Workload);
        for case in 0..60 {
            let rate = Rate::new(1 + rng.below(2_000_000)).expect("not zero");
            let buffer = match case % 3 {
                0 => Buffer::Messages(rng.below(40) as u32),
                1 => Buffer::Bytes(rng.below(30_000)),
                // Never full: what has started is counted out for the length of the list alone.
                _ => Buffer::Bytes(1 << 40),
            };
            let mut pipe = Pipe::new(PipeSpec { rate, buffer });
            let mut reference = Reference { rate, buffer, free: Time::ZERO, waiting: Vec::new() };
            let (mut now, mut bytes) = (Time::ZERO, 500);
            for step in 0..2_000 {
                // Rows of one size, then another one; none, short and long breaks; crashes.
                if rng.below(7) == 0 {
                    bytes = rng.below(4) as u32 * 400;
                }
                let pause = [0, 0, 0, 1_000_000, 40_000_000, 2_000_000_000][rng.below(6) as usize];
                now = now.saturating_add(Span::from_nanos(rng.below(pause + 1)));
                if rng.below(500) == 0 {
                    pipe.clear(now);
                    reference.free = reference.free.min(now);
                    reference.waiting.clear();
                }
                let expected = reference.pass(now, bytes);
                assert_eq!(pipe.pass(now, bytes), expected, "case {case}, step {step}");
            }
        }
    }

    #[test]
    fn busy_time_never_exceeds_the_time_that_has_passed() {
        let mut pipe = pipe(8_000, Buffer::Messages(1_000));
        for _ in 0..100 {
            pipe.pass(Time::ZERO, 1);
        }
        let half = Time::ZERO + Span::from_millis(50);
        assert_eq!(pipe.busy_until(half), Span::from_millis(50));
        pipe.clear(half);
        assert_eq!(pipe.busy_until(half), Span::from_millis(50));
        assert_eq!(pipe.pass(half, 1), Some(half + Span::from_millis(1)));
        assert_eq!(pipe.busy_until(Time::MAX), Span::from_millis(51));
    }

    #[test]
    fn work_that_begins_later_takes_nothing_from_what_was_done() {
        let mut pipe = pipe(8_000, Buffer::Messages(1_000));
        let at = |ms| Time::ZERO + Span::from_millis(ms);
        // Works from 0 to 3 ms and from 10 to 12 ms.
        (0..3).for_each(|_| assert!(pipe.pass(at(0), 1).is_some()));
        (0..2).for_each(|_| assert!(pipe.pass(at(10), 1).is_some()));
        let busy = [2, 3, 5, 10, 11, 12, 99].map(|ms| pipe.busy_until(at(ms)));
        assert_eq!(busy, [2, 3, 3, 3, 4, 5, 5].map(Span::from_millis));
        pipe.clear(at(5));
        assert_eq!(pipe.busy_until(at(99)), Span::from_millis(3));
    }
}
