//! Kernel layer: the messages that a handler sends in a row, described and handed over together.
//!
//! What the network must know of a message (kind, size, content) is worked out once for all that
//! are alike, and the weather of the row several messages at a time.

use super::network::Verdict;
use super::network::link::Passage;
use super::protocol::{Effect, Label, Payload, Protocol, Receiver};
use super::{Injection, Simulation};
use crate::base::id::NodeId;
use crate::base::time::Time;
use crate::fact::{Fact, MessageKind, Observer};

/// What messages of a row that are alike have in common.
#[derive(Clone, Copy)]
struct Common {
    kind: MessageKind,
    size: u32,
    content: u64,
    /// The message's own serial, if it has one.
    serial: Option<u64>,
}

/// One message of a row.
#[derive(Clone, Copy)]
struct Departing {
    to: NodeId,
    label: Label,
    /// Place of its [`Common`].
    common: u32,
    serial: u64,
}

/// A row of messages; its storage is used again.
#[derive(Default)]
pub(super) struct Row {
    common: Vec<Common>,
    messages: Vec<Departing>,
}

impl<P, W, O> Simulation<P, W, O>
where
    P: Protocol,
    W: Iterator<Item = Injection<P::Input>>,
    O: Observer,
{
    /// Sends the messages of a handler that stand in a row; all of the effects are such. Those that
    /// go to many take their receivers from the front of the list.
    #[inline]
    pub(super) fn send_row(
        &mut self,
        from: NodeId,
        row: &[Effect<P::Message, P::Timer>],
        receivers: &mut &[Receiver],
        depart: Time,
    ) {
        self.describe(from, row, receivers);
        let mut place = 0;
        for effect in row {
            let (message, end) = match effect {
                Effect::Send { message, .. } => (message, place + 1),
                Effect::SendEach { message, receivers } => (message, place + *receivers as usize),
                Effect::After { .. } | Effect::Observe(_) => continue,
            };
            while place < end {
                let Departing { to, label, common, serial } = self.row.messages[place];
                let Common { kind, size, content, .. } = self.row.common[common as usize];
                let passage = Passage { at: depart, from, to, kind, size, serial, content };
                self.send(passage, (message, label), place);
                place += 1;
            }
        }
    }

    /// Draws up what the network must know of each message.
    #[inline]
    fn describe(
        &mut self,
        from: NodeId,
        row: &[Effect<P::Message, P::Timer>],
        receivers: &mut &[Receiver],
    ) {
        self.row.common.clear();
        self.row.messages.clear();
        self.network.begin_row(from);
        let mut before: Option<&P::Message> = None;
        for effect in row {
            let single;
            let (message, to) = match effect {
                Effect::Send { to, message } => {
                    single = [Receiver { to: *to, label: Label::NONE }];
                    (message, &single[..])
                }
                Effect::SendEach { message, receivers: count } => {
                    let (to, rest) = receivers.split_at(*count as usize);
                    *receivers = rest;
                    (message, to)
                }
                Effect::After { .. } | Effect::Observe(_) => continue,
            };
            if before != Some(message) {
                let common = self.common(message);
                self.row.common.push(common);
            }
            before = Some(message);
            self.list(from, to);
        }
        self.network.forecast();
    }

    /// Lists the receivers of the message that was described last.
    #[inline]
    fn list(&mut self, from: NodeId, receivers: &[Receiver]) {
        let place = self.row.common.len() - 1;
        let Common { kind, serial: own, .. } = self.row.common[place];
        for &Receiver { to, label } in receivers {
            debug_assert!(from != to, "a node does not send to itself");
            let serial = self.network.serial(from, kind, own);
            self.network.note(to, kind, serial);
            self.row.messages.push(Departing { to, label, common: place as u32, serial });
        }
    }

    #[inline]
    fn common(&self, message: &P::Message) -> Common {
        let bodies = &self.outbox.bodies;
        Common {
            kind: message.kind(),
            size: self.wire_size(message),
            content: message.content(bodies),
            serial: message.serial(bodies),
        }
    }

    #[inline(always)]
    fn send(&mut self, passage: Passage, message: (&P::Message, Label), place: usize) {
        self.observer.on_fact(self.now, &Fact::Sent(passage.transit()));
        match self.network.hand_over(self.now, passage, place) {
            Verdict::Drop(reason) => self.lose(&passage, reason),
            Verdict::Pass(first, second) => {
                self.fly(&passage, message, first);
                if let Some(second) = second {
                    self.observer.on_fact(self.now, &Fact::Duplicated(passage.transit()));
                    self.fly(&passage, message, second);
                }
            }
        }
    }
}
