//! Protocol layer: the message and the alarm of transaction forwarding.

use crate::protocol::content::mix;
use crate::protocol::ledger::Transaction;
use crate::sim::body::{Bodies, BodyId};
use crate::sim::protocol::Part;

/// A transaction on its way to a leader.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message {
    /// The transaction.
    pub body: BodyId,
    /// Links travelled, this one included; 255 stands for any more.
    pub hops: u8,
}

impl Message {
    /// Payload bytes: those of the transaction.
    #[must_use]
    pub fn size<B>(self, bodies: &Bodies<B>) -> u32
    where
        Transaction: Part<B>,
    {
        Transaction::unwrap(bodies.body(self.body)).bytes()
    }

    /// A number that depends on the content alone.
    #[must_use]
    pub fn content<B>(self, bodies: &Bodies<B>) -> u64
    where
        Transaction: Part<B>,
    {
        mix(Transaction::unwrap(bodies.body(self.body)).id.number()) ^ u64::from(self.hops)
    }
}

/// The oldest of the node's own transactions may have to be sent again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timer;
