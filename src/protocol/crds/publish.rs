//! Protocol layer: a node's own values: where each goes in everybody's table.

use super::Crds;
use super::message::Body;
use super::push::Waiting;
use super::shared::Shared;
use super::value::{Label, Place, Value};
use crate::base::slot::Slot;
use crate::base::time::Time;
use crate::fact::{Fact, ValueKind};
use crate::sim::protocol::{Local, Shelf};

impl Crds {
    /// A value of this node, to be pushed in the next round or with the next push that comes in,
    /// whichever is first. False if it goes nowhere: the node has not connected, a vote is older
    /// than all that stand, a node without stake speaks of its slots, there is no room for proofs,
    /// its clock was set back, or versions of its key have run out (16,777,215).
    pub fn publish(
        &mut self,
        shared: &mut Shared,
        ctx: &mut (impl Local + Shelf<Body>),
        value: Value,
    ) -> bool {
        let now = ctx.now();
        if !self.running {
            return false;
        }
        let Some((place, key, version)) = self.place(shared, value) else { return false };
        let stamp = shared.contents.stamp(key, now);
        let (origin, size) = (self.me, value.size());
        let label = Label { key, version, number: 0, origin, size, place, hops: 0 };
        let Some(content) = shared.contents.publish(label, stamp, value) else { return false };
        let (label, body) = (content.label, ctx.store(Body::Value(content)));
        ctx.hold(body);
        shared.contents.attach(body);
        while let Some(gone) = shared.contents.take_gone() {
            ctx.release(gone);
        }
        if let (Value::Vote { slot, .. }, Some(index)) = (value, place.vote_index()) {
            self.votes[index] = Some((slot, now));
        }
        let fresh = self.store.insert(&label, now);
        self.waiting.push(Waiting { label, body: Some(body) });
        let (kind, value, size) = (value.kind(), label.number, u32::from(size));
        ctx.observe(Fact::ValuePublished { node: self.me, value, kind, version, size });
        if kind == ValueKind::ContactInfo && shared.stakes[self.me] > 0 {
            self.validators += u32::from(fresh);
            ctx.observe(Fact::Published { node: self.me, version });
        }
        true
    }

    /// Where a new value of this node goes, and its version.
    fn place(&mut self, shared: &Shared, value: Value) -> Option<(Place, u32, u32)> {
        let staked = shared.stakes[self.me] > 0;
        let place = match value {
            Value::ContactInfo => Place::CONTACT_INFO,
            Value::Vote { slot, .. } => Place::vote(self.vote_index(slot)?),
            Value::EpochSlots { .. } if staked => Place::EPOCH_SLOTS,
            Value::LowestSlot { .. } if staked => Place::LOWEST_SLOT,
            Value::DuplicateShred { .. } => {
                let index = self.proofs.checked_rem(shared.layout.proof_places().into())?;
                self.proofs = self.proofs.wrapping_add(1);
                Place::proof(index as u8)
            }
            Value::EpochSlots { .. } | Value::LowestSlot { .. } => return None,
            Value::Rumor { rumor, .. } => {
                let (key, version) = shared.layout.rumor(rumor)?;
                return Some((Place::RUMOR, key, version));
            }
        };
        let key = shared.layout.key(self.me, place);
        Some((place, key, shared.contents.next_version(key)?))
    }

    /// The index of a new vote: a free one, or else that of the oldest vote for a lower slot.
    pub(super) fn vote_index(&self, slot: Slot) -> Option<usize> {
        if let Some(free) = self.votes.iter().position(Option::is_none) {
            return Some(free);
        }
        let lower = |(index, vote): (usize, &Option<(Slot, Time)>)| {
            vote.filter(|(voted, _)| *voted < slot).map(|(_, at)| (at, index))
        };
        self.votes.iter().enumerate().filter_map(lower).min().map(|(_, index)| index)
    }
}
