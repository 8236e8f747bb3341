//! Kernel layer: the messages that a handler sends in a row, described and handed over together.
//!
//! What the network must know of a message (kind, size, content) is worked out once for all that
//! are alike, and the weather of the row several messages at a time.

use super::network::Verdict;
use super::network::link::Passage;
use super::protocol::{Effect, Payload, Protocol};
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
    /// Sends the messages of a handler that stand in a row; all of the effects are such.
    #[inline]
    pub(super) fn send_row(
        &mut self,
        from: NodeId,
        row: &[Effect<P::Message, P::Timer>],
        depart: Time,
    ) {
        self.describe(from, row);
        for (place, effect) in row.iter().enumerate() {
            let Effect::Send { message, .. } = effect else { continue };
            let Departing { to, common, serial } = self.row.messages[place];
            let Common { kind, size, content, .. } = self.row.common[common as usize];
            let passage = Passage { at: depart, from, to, kind, size, serial, content };
            self.send(passage, message, place);
        }
    }

    /// Draws up what the network must know of each message.
    #[inline]
    fn describe(&mut self, from: NodeId, row: &[Effect<P::Message, P::Timer>]) {
        self.row.common.clear();
        self.row.messages.clear();
        self.network.begin_row(from);
        let mut before: Option<&P::Message> = None;
        for effect in row {
            let Effect::Send { to, message } = effect else { continue };
            debug_assert!(from != *to, "a node does not send to itself");
            if !before.is_some_and(|before| before.is_alike(message)) {
                let common = self.common(message);
                self.row.common.push(common);
            }
            before = Some(message);
            let common = self.row.common.len() - 1;
            let Common { kind, serial, .. } = self.row.common[common];
            let serial = self.network.serial(from, kind, serial);
            self.network.note(*to, kind, serial);
            self.row.messages.push(Departing { to: *to, common: common as u32, serial });
        }
        self.network.forecast();
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
    fn send(&mut self, passage: Passage, message: &P::Message, place: usize) {
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
