//! Kernel layer: the border between the kernel and what runs on it. A node is a sans-IO state
//! machine: an event and a context come in, effects go out in the order written.

use super::body::{Bodies, BodyId};
use crate::base::id::NodeId;
use crate::base::time::{Span, Time};
use crate::fact::{Fact, MessageKind, Status};

/// What the kernel must know of a message. Messages are small and copied; anything long goes into
/// a body.
pub trait Payload<B>: Copy + PartialEq {
    /// What it is about.
    fn kind(&self) -> MessageKind;
    /// Bytes of payload; the network adds its header.
    fn size(&self, bodies: &Bodies<B>) -> u32;
    /// A number for the digest that depends on the content alone, never on a body's id.
    fn content(&self, bodies: &Bodies<B>) -> u64;
    /// The body it refers to.
    fn body(&self) -> Option<BodyId>;
    /// What tells this message from others of the same kind between the same two nodes, for the
    /// weather; `None` for the sender's counter of that kind.
    fn serial(&self, bodies: &Bodies<B>) -> Option<u64>;
}

/// Travels with a message, and is no part of it: what the sender of a message to many has worked
/// out about each receiver and every receiver would work out again, such as its place in a tree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Label(pub u16);

impl Label {
    /// Nothing was worked out.
    pub const NONE: Self = Self(u16::MAX);
}

/// One of those that a message goes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Receiver {
    /// Who gets it.
    pub to: NodeId,
    /// What travels with it.
    pub label: Label,
}

/// What a crash leaves of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Memory {
    /// The node forgets what is volatile and keeps what a real one writes to disk.
    Kept,
    /// The node forgets everything but its identity.
    Lost,
}

/// Steps in which is fetched from memory what a handler will read, as pointers lead to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fetch {
    /// Of the node itself. The kernel fetches the body of the message.
    Node,
    /// Of the part that the event is for.
    Part,
    /// Of the tables of the part.
    Table,
    /// Of tables that the event leads to by what stands in another.
    Last,
}

impl Fetch {
    /// All steps, the first first.
    pub const ALL: [Self; 4] = [Self::Node, Self::Part, Self::Table, Self::Last];
}

/// One node's logic. One value of it is one node; it knows no network, no other node, and no clock
/// but the one it is shown.
pub trait Protocol: Sized {
    /// What nodes send each other.
    type Message: Payload<Self::Body>;
    /// What a node sets its alarms to.
    type Timer: Copy;
    /// What long messages refer to.
    type Body;
    /// What the workload hands to a node from outside.
    type Input: Copy;
    /// Public knowledge that every node may use for free, and shared memo tables.
    type Cluster;

    /// The node starts for the first time.
    fn on_start(&mut self, cluster: &mut Self::Cluster, ctx: &mut Outbox<Self>);
    /// A message arrived.
    fn on_message(
        &mut self,
        cluster: &mut Self::Cluster,
        ctx: &mut Outbox<Self>,
        from: NodeId,
        message: Self::Message,
    );
    /// Has fetched from memory what [`Self::on_message`] will read, with
    /// [`fetch`](crate::base::fetch). It is called some events ahead, once for every step in turn,
    /// and may read what an earlier step has fetched; it changes nothing.
    #[inline]
    fn fetch(
        &self,
        _step: Fetch,
        _cluster: &Self::Cluster,
        _bodies: &Bodies<Self::Body>,
        _message: &Self::Message,
        _label: Label,
    ) {
    }
    /// The same for [`Self::on_timer`].
    #[inline]
    fn fetch_for_timer(&self, _step: Fetch, _timer: Self::Timer) {}
    /// An alarm went off.
    fn on_timer(&mut self, cluster: &mut Self::Cluster, ctx: &mut Outbox<Self>, timer: Self::Timer);
    /// The workload hands something in.
    fn on_input(&mut self, cluster: &mut Self::Cluster, ctx: &mut Outbox<Self>, input: Self::Input);
    /// What to state of an input that a node misses because it is down or too busy; `None` for one
    /// that nobody waits for.
    fn missed(node: NodeId, _input: Self::Input) -> Option<Fact> {
        Some(Fact::InputMissed { node })
    }
    /// The node crashed. All its alarms are void. Bodies it holds are to be released.
    fn on_crash(&mut self, cluster: &mut Self::Cluster, ctx: &mut Outbox<Self>, memory: Memory);
    /// The node comes back.
    fn on_restart(&mut self, cluster: &mut Self::Cluster, ctx: &mut Outbox<Self>);
    /// What the node says of itself at a sample.
    fn status(&self, cluster: &Self::Cluster) -> Status;
    /// Calls `each` for every peer, in increasing order.
    fn peers(&self, cluster: &Self::Cluster, each: &mut dyn FnMut(NodeId));
}

/// What a part may ask of its own node.
pub trait Local {
    /// The node's own clock, with its offset and drift.
    fn now(&self) -> Time;
    /// Which node this is.
    fn me(&self) -> NodeId;
    /// What came with the message that is being handled.
    fn label(&self) -> Label;
    /// States a fact.
    fn observe(&mut self, fact: Fact);
    /// Charges work to the node's processor: what it sends leaves after that.
    fn charge(&mut self, work: Span);
}

/// Sending messages of one part.
pub trait Mail<M> {
    /// Sends a message.
    fn send(&mut self, to: NodeId, message: M);
    /// Sends a message to each of some nodes in turn. To the network it is as many messages.
    fn send_each(&mut self, message: M, to: impl IntoIterator<Item = Receiver>);
}

/// Setting the alarms of one part.
pub trait Alarm<T> {
    /// Sets an alarm. It is never cancelled: a stale one must be recognised.
    fn after(&mut self, delay: Span, timer: T);
}

/// The bodies of one part.
pub trait Shelf<B> {
    /// Stores a body for messages of this handler; see [`Bodies::store`].
    fn store(&mut self, body: B) -> BodyId;
    /// The body of a message that was just received or stored, or that this node holds.
    fn body(&self, id: BodyId) -> &B;
    /// Keeps a body beyond this handler.
    fn hold(&mut self, id: BodyId);
    /// Gives a held body back.
    fn release(&mut self, id: BodyId);
}

/// Everything a part may ask, in one name.
pub trait Context<M, T>: Local + Mail<M> + Alarm<T> {}
impl<C, M, T> Context<M, T> for C where C: Local + Mail<M> + Alarm<T> {}

/// What a handler asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect<M, T> {
    /// Send a message.
    Send {
        /// To whom.
        to: NodeId,
        /// What.
        message: M,
    },
    /// Send a message to each of so many receivers, the next of [`Outbox`]'s list.
    SendEach {
        /// What.
        message: M,
        /// How many.
        receivers: u32,
    },
    /// Set an alarm.
    After {
        /// How much later on the node's own clock.
        delay: Span,
        /// The alarm.
        timer: T,
    },
    /// State a fact.
    Observe(Fact),
}

/// The only context there is: an ordered, reused list of effects, drained by the kernel or by a
/// unit test.
pub struct Outbox<P: Protocol> {
    now: Time,
    me: NodeId,
    label: Label,
    pub(super) effects: Vec<Effect<P::Message, P::Timer>>,
    /// Those of all [`Effect::SendEach`], in order.
    pub(super) receivers: Vec<Receiver>,
    pub(super) bodies: Bodies<P::Body>,
    pub(super) charged: Span,
}

impl<P: Protocol> Outbox<P> {
    /// An empty outbox; the kernel or a test says for whom with [`Outbox::begin`].
    #[must_use]
    pub fn new() -> Self {
        Self {
            now: Time::ZERO,
            me: NodeId::new(0),
            label: Label::NONE,
            effects: Vec::new(),
            receivers: Vec::new(),
            bodies: Bodies::new(),
            charged: Span::ZERO,
        }
    }

    /// Lends the outbox to a node's handler.
    #[inline]
    pub fn begin(&mut self, me: NodeId, now: Time) {
        debug_assert!(self.effects.is_empty(), "the last handler's effects were drained");
        self.now = now;
        self.me = me;
        self.label = Label::NONE;
        self.charged = Span::ZERO;
    }

    /// Says what came with the message that is about to be handled.
    #[inline]
    pub fn show_label(&mut self, label: Label) {
        self.label = label;
    }

    /// The effects in the order written, a message to many as one to each; the outbox is empty
    /// afterwards.
    pub fn take_effects(&mut self) -> Vec<Effect<P::Message, P::Timer>> {
        let mut receivers = std::mem::take(&mut self.receivers).into_iter();
        let mut single = Vec::with_capacity(self.effects.len());
        for effect in std::mem::take(&mut self.effects) {
            let Effect::SendEach { message, receivers: count } = effect else {
                single.push(effect);
                continue;
            };
            let to = receivers.by_ref().take(count as usize);
            single.extend(to.map(|Receiver { to, .. }| Effect::Send { to, message }));
        }
        single
    }

    /// What the handler has charged to its node's processor up to now.
    pub const fn charged(&self) -> Span {
        self.charged
    }

    /// The bodies in use.
    pub const fn bodies(&self) -> &Bodies<P::Body> {
        &self.bodies
    }
}

impl<P: Protocol> Default for Outbox<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P: Protocol> Local for Outbox<P> {
    fn now(&self) -> Time {
        self.now
    }
    fn me(&self) -> NodeId {
        self.me
    }
    #[inline]
    fn label(&self) -> Label {
        self.label
    }
    fn observe(&mut self, fact: Fact) {
        self.effects.push(Effect::Observe(fact));
    }
    fn charge(&mut self, work: Span) {
        self.charged = self.charged.saturating_add(work);
    }
}

impl<P: Protocol, M: Into<P::Message>> Mail<M> for Outbox<P> {
    #[inline]
    fn send(&mut self, to: NodeId, message: M) {
        self.effects.push(Effect::Send { to, message: message.into() });
    }
    #[inline]
    fn send_each(&mut self, message: M, to: impl IntoIterator<Item = Receiver>) {
        let before = self.receivers.len();
        self.receivers.extend(to);
        let receivers = (self.receivers.len() - before) as u32;
        self.effects.push(Effect::SendEach { message: message.into(), receivers });
    }
}

impl<P: Protocol, T: Into<P::Timer>> Alarm<T> for Outbox<P> {
    #[inline]
    fn after(&mut self, delay: Span, timer: T) {
        self.effects.push(Effect::After { delay, timer: timer.into() });
    }
}

/// A part's kind of body within the enum of all bodies.
pub trait Part<B>: Sized {
    /// Wraps it.
    fn wrap(self) -> B;
    /// Unwraps it.
    ///
    /// # Panics
    /// If the body is another part's: messages of a part refer to its own bodies only.
    fn unwrap(body: &B) -> &Self;
}

impl<P: Protocol, B: Part<P::Body>> Shelf<B> for Outbox<P> {
    fn store(&mut self, body: B) -> BodyId {
        self.bodies.store(body.wrap())
    }
    fn body(&self, id: BodyId) -> &B {
        B::unwrap(self.bodies.body(id))
    }
    fn hold(&mut self, id: BodyId) {
        self.bodies.hold(id);
    }
    fn release(&mut self, id: BodyId) {
        self.bodies.release(id);
    }
}
