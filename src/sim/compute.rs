//! Kernel layer: a node's processor. Work takes time: later arrivals wait in the inbox, and what a
//! handler sends leaves when its work is done. A cluster whose prices are all zero and whose nodes
//! are never paused or slowed has no processors at all.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::base::time::{Span, Time};

/// Prices of work, charged to a node's processor.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(deny_unknown_fields, default)]
pub struct CostTable {
    /// Time to handle any message.
    pub message: Span,
    /// Time to handle each 1,000 bytes of a message, header included.
    pub kilobyte: Span,
}

impl CostTable {
    /// Whether all work is free.
    #[must_use]
    pub const fn is_free(&self) -> bool {
        self.message.is_zero() && self.kilobyte.is_zero()
    }

    /// The price of handling a message of this size.
    #[must_use]
    pub fn handling(&self, size: u32) -> Span {
        self.message.saturating_add(self.kilobyte.scaled(size.into(), 1_000))
    }
}

/// How a fault slows a processor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slowdown {
    /// All work takes this many times as long; at least 1.
    pub factor: u32,
    /// Added to the handling of every message.
    pub per_message: Span,
}

/// One node's processor and the events that wait for it.
#[derive(Clone, Debug)]
pub(super) struct Processor<E> {
    busy_until: Time,
    inbox: VecDeque<E>,
    pauses: u32,
    slowdowns: Vec<(u32, Slowdown)>,
    /// Whether a wake-up is scheduled.
    pub(super) waking: bool,
}

impl<E> Processor<E> {
    pub(super) const fn new() -> Self {
        Self {
            busy_until: Time::ZERO,
            inbox: VecDeque::new(),
            pauses: 0,
            slowdowns: Vec::new(),
            waking: false,
        }
    }

    /// Whether an event has to wait.
    #[inline]
    pub(super) fn is_busy(&self, now: Time) -> bool {
        self.pauses > 0 || now < self.busy_until || !self.inbox.is_empty()
    }

    /// When to look at the inbox again; `None` while paused, or if it is empty.
    pub(super) fn wake_at(&self, now: Time) -> Option<Time> {
        (self.pauses == 0 && !self.inbox.is_empty()).then(|| self.busy_until.max(now))
    }

    /// Whether the processor is free to take the first event of the inbox.
    pub(super) fn is_free(&self, now: Time) -> bool {
        self.pauses == 0 && now >= self.busy_until
    }

    pub(super) fn push(&mut self, event: E) {
        self.inbox.push_back(event);
    }

    pub(super) fn pop(&mut self) -> Option<E> {
        self.inbox.pop_front()
    }

    pub(super) fn waiting(&self) -> impl Iterator<Item = &E> {
        self.inbox.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.inbox.len()
    }

    /// Works on something that costs `price`; `message` says whether it is a message.
    pub(super) fn work(&mut self, now: Time, price: Span, message: bool) -> Time {
        let mut price = price;
        for (_, slow) in &self.slowdowns {
            price = price.scaled(slow.factor.into(), 1);
            if message {
                price = price.saturating_add(slow.per_message);
            }
        }
        // Everything waits until it is free, so that nothing is left to do before this.
        self.busy_until = now.saturating_add(price);
        self.busy_until
    }

    pub(super) fn pause(&mut self) {
        self.pauses += 1;
    }

    pub(super) fn resume(&mut self) {
        self.pauses -= 1;
    }

    pub(super) fn is_paused(&self) -> bool {
        self.pauses > 0
    }

    /// Faults that slow the processor now.
    pub(super) fn slowed_by(&self) -> impl Iterator<Item = u32> + '_ {
        self.slowdowns.iter().map(|(fault, _)| *fault)
    }

    pub(super) fn slow(&mut self, fault: u32, slowdown: Slowdown) {
        self.slowdowns.push((fault, slowdown));
    }

    pub(super) fn quicken(&mut self, fault: u32) {
        self.slowdowns.retain(|(other, _)| *other != fault);
    }

    /// The node crashed: its work is gone.
    pub(super) fn crash(&mut self, now: Time) -> VecDeque<E> {
        self.busy_until = self.busy_until.min(now);
        std::mem::take(&mut self.inbox)
    }
}
