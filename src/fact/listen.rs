//! Layer 0': who may listen to facts, and what a listener can ask at a sample.

use super::Fact;
use crate::base::id::NodeId;
use crate::base::time::Time;

/// What one node says of itself when it is asked at a sample.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Status {
    /// Peers it knows.
    pub peers: u32,
    /// Validators it knows, itself included.
    pub validators: u32,
    /// Rumors it has.
    pub rumors: u32,
    /// The slot of the block it builds on; zero on the genesis block.
    pub slot: u32,
    /// Blocks from genesis to that block.
    pub height: u32,
    /// Blocks of which it has some shreds, but not enough.
    pub partial_blocks: u32,
    /// Transactions that wait to be put into a block.
    pub mempool: u32,
    /// Newcomers that it refused because it had as many peers as it may.
    pub refused: u32,
    /// Dropped peers that it gave up for good because it was trying enough others again.
    pub forgotten: u32,
}

/// The state of the simulated world at a sample.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct World {
    /// Events still to come.
    pub pending: u64,
    /// Messages between hand-over and outcome.
    pub in_flight: u64,
    /// Their bytes.
    pub in_flight_bytes: u64,
    /// Nodes that are up.
    pub up: u32,
    /// Partitions in force.
    pub partitions: u32,
    /// Faults in force, partitions included.
    pub faults: u32,
}

/// Read-only questions to all nodes of the cluster at a sample.
pub trait Census {
    /// What a node says of itself; `None` while it is down.
    fn status(&self, node: NodeId) -> Option<Status>;
    /// Calls `each` for every peer of a node, in increasing order.
    fn peers(&self, node: NodeId, each: &mut dyn FnMut(NodeId));
}

/// Listens to a simulation and cannot steer it.
pub trait Observer {
    /// Something happened at `at`.
    fn on_fact(&mut self, at: Time, fact: &Fact);
    /// When the observer wants to look at the world next; asked again after every sample.
    fn next_sample(&self) -> Option<Time>;
    /// The world at that moment: all boundaries of the instant are crossed, no event of it has
    /// happened.
    fn on_sample(&mut self, at: Time, world: &World, census: &dyn Census);
    /// Has fetched from memory what it notes about a message to this node. It is called some
    /// events ahead, and changes nothing.
    #[inline]
    fn fetch(&self, _to: NodeId) {}
    /// Whether it has heard what ends the run: the simulation stops after the event that said so.
    fn halted(&self) -> bool {
        false
    }
}

/// Listens to nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Deaf;

impl Observer for Deaf {
    fn on_fact(&mut self, _: Time, _: &Fact) {}
    fn next_sample(&self) -> Option<Time> {
        None
    }
    fn on_sample(&mut self, _: Time, _: &World, _: &dyn Census) {}
}

/// Two listeners, one after the other.
#[derive(Clone, Copy, Debug, Default)]
pub struct Both<A, B>(pub A, pub B);

impl<A: Observer, B: Observer> Observer for Both<A, B> {
    #[inline]
    fn on_fact(&mut self, at: Time, fact: &Fact) {
        self.0.on_fact(at, fact);
        self.1.on_fact(at, fact);
    }
    fn next_sample(&self) -> Option<Time> {
        let (first, second) = (self.0.next_sample(), self.1.next_sample());
        first.into_iter().chain(second).min()
    }
    fn on_sample(&mut self, at: Time, world: &World, census: &dyn Census) {
        // Each looks only when it asked to.
        if self.0.next_sample() == Some(at) {
            self.0.on_sample(at, world, census);
        }
        if self.1.next_sample() == Some(at) {
            self.1.on_sample(at, world, census);
        }
    }
    #[inline]
    fn fetch(&self, to: NodeId) {
        self.0.fetch(to);
        self.1.fetch(to);
    }
    #[inline]
    fn halted(&self) -> bool {
        self.0.halted() || self.1.halted()
    }
}

/// Somebody may listen.
impl<O: Observer> Observer for Option<O> {
    #[inline]
    fn on_fact(&mut self, at: Time, fact: &Fact) {
        if let Some(observer) = self {
            observer.on_fact(at, fact);
        }
    }
    fn next_sample(&self) -> Option<Time> {
        self.as_ref().and_then(O::next_sample)
    }
    fn on_sample(&mut self, at: Time, world: &World, census: &dyn Census) {
        if let Some(observer) = self {
            observer.on_sample(at, world, census);
        }
    }
    #[inline]
    fn halted(&self) -> bool {
        self.as_ref().is_some_and(O::halted)
    }
}
