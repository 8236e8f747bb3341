//! Protocol layer: whether a leader's blocks reach others: it begins no further window, and votes
//! for nothing upon them, until more than a third of the stake has its last one.
//!
//! Rules: Agave 4.4, `core/src/replay_stage.rs` and `progress_map.rs`: a validator counts that has
//! voted for the block or one upon it, or has said in its epoch slots that it has a block of that
//! slot, and so does the leader itself; a block that does not get that far is broadcast once more
//! after 5 s, 10 s, 20 s ...

use std::collections::BTreeSet;

use super::{Consensus, Style};
use crate::base::id::{NodeId, NodeSet};
use crate::base::slot::Slot;
use crate::base::time::{Span, Time};
use crate::protocol::block::BlockId;
use crate::protocol::chain::Chain;
use crate::protocol::cluster::Cluster;

/// Own blocks that are remembered.
const OWN: usize = 64;
/// A block that has not reached enough of the stake is sent again after this time ...
const RESEND: Span = Span::from_secs(5);
/// ... doubled with every time, up to so often.
const MOST_DOUBLINGS: u32 = 6;

/// A block that the node has made.
pub(super) struct Own {
    block: BlockId,
    slot: Slot,
    /// Enough of the stake has it.
    reached: bool,
    /// Who has said to have a block of its slot.
    holders: NodeSet,
    /// When it was sent last, and how often again.
    sent: (Time, u32),
}

/// The latest slot with a block in the chain of a node, and the 64 before it, the nearest in the
/// lowest bit.
#[derive(Clone, Default, Debug)]
pub(super) struct Complete {
    latest: Slot,
    before: u64,
    /// There is one more than was told last.
    fresh: bool,
    /// Slots further behind that were not told yet.
    late: BTreeSet<Slot>,
}

impl Complete {
    pub(super) fn add(&mut self, slot: Slot) {
        let ahead = slot.since(self.latest);
        if ahead > 0 {
            // The former latest becomes one of those before.
            let moved = self.before.checked_shl(ahead).unwrap_or(0);
            self.before = moved | 1_u64.checked_shl(ahead - 1).unwrap_or(0);
            self.latest = slot;
        } else {
            let Some(bit) = self.latest.since(slot).checked_sub(1) else { return };
            match 1_u64.checked_shl(bit) {
                Some(bit) => self.before |= bit,
                // After a long standstill a node gets blocks of slots that were long ago. Their
                // leaders wait for a word of them.
                None => {
                    self.late.insert(slot);
                    return;
                }
            }
        }
        self.fresh = true;
    }

    /// What is to be told, if there is something new: slots with the 64 before each, those that
    /// are far behind first.
    fn take(&mut self) -> Vec<(Slot, u64)> {
        let mut told = Vec::new();
        while let Some(latest) = self.late.pop_last() {
            let first = latest.minus(u64::BITS);
            let before = self.late.split_off(&first).into_iter();
            let bits = before.map(|slot| 1_u64 << (latest.since(slot) - 1));
            told.push((latest, bits.fold(0, |all, bit| all | bit)));
        }
        told.reverse();
        if std::mem::take(&mut self.fresh) {
            told.push((self.latest, self.before));
        }
        told
    }

    /// Whether there is one more than was told last.
    pub(super) fn is_fresh(&self) -> bool {
        self.fresh || !self.late.is_empty()
    }

    /// Whether a slot is among those of a node.
    fn holds((latest, before): (Slot, u64), slot: Slot) -> bool {
        let bit = latest.since(slot).checked_sub(1);
        slot == latest || bit.is_some_and(|bit| bit < 64 && before >> bit & 1 == 1)
    }
}

impl Consensus {
    /// The node has made a block, which it has itself.
    pub fn on_made(&mut self, me: NodeId, (slot, block): (Slot, BlockId), now: Time) {
        let mut holders = NodeSet::empty(self.known.nodes());
        holders.insert(me);
        self.own.push(Own { block, slot, reached: false, holders, sent: (now, 0) });
        if self.own.len() > OWN {
            self.own.remove(0);
        }
    }

    /// What the node says of the slots of its chain, if there is something new to say: slots, each
    /// with the 64 before it. The last is mostly the latest of all; others come to it late.
    pub fn take_complete(&mut self) -> Vec<(Slot, u64)> {
        self.complete.take()
    }

    /// A validator has told which slots it has.
    pub fn on_complete(&mut self, who: NodeId, slots: (Slot, u64)) {
        for own in self.own.iter_mut().filter(|own| !own.reached) {
            if Complete::holds(slots, own.slot) {
                own.holders.insert(who);
            }
        }
    }

    /// A block of the node's own that it has to send to everybody once more.
    pub fn take_resent(&mut self) -> Option<BlockId> {
        self.resent.take()
    }

    /// Whether a leader may begin a window upon a block: more than a third of the stake has its
    /// last block on that fork, or that is of the same window.
    pub fn may_lead(
        &mut self,
        cluster: &Cluster,
        chain: &Chain,
        head: BlockId,
        (slot, window, now): (Slot, u32, Time),
    ) -> bool {
        let Some(place) = self.own_upon(chain, head) else { return true };
        slot.since(self.own[place].slot) < window || self.reaches(cluster, chain, place, now)
    }

    /// Whether enough of the stake has the node's last block on the fork of this one.
    pub(super) fn is_propagated(
        &mut self,
        cluster: &Cluster,
        chain: &Chain,
        block: BlockId,
        now: Time,
    ) -> bool {
        let own = self.own_upon(chain, block);
        own.is_none_or(|place| self.reaches(cluster, chain, place, now))
    }

    /// The node's latest block on the fork of this one, where that matters.
    fn own_upon(&self, chain: &Chain, block: BlockId) -> Option<usize> {
        if !self.config.propagation || self.config.style != Style::Tower {
            return None;
        }
        let oldest = self.own.iter().map(|own| own.slot).min()?;
        let mut path = chain.path(block).take_while(|link| link.slot() >= oldest);
        path.find_map(|link| self.own.iter().rposition(|own| own.block == link.id))
    }

    fn reaches(&mut self, cluster: &Cluster, chain: &Chain, place: usize, now: Time) -> bool {
        let own = &mut self.own[place];
        if own.reached {
            return true;
        }
        self.known.settle(&cluster.ballots);
        let voted =
            |(slot, block): (Slot, BlockId)| slot >= own.slot && chain.leads_to(own.block, block);
        let stakes = cluster.electorate.at(own.slot);
        let nodes = NodeId::all(self.known.nodes());
        let has = nodes
            .filter(|node| voted(self.known.seen()[node.index()]) || own.holders.contains(*node));
        let stake = has.map(|node| stakes.of(node)).sum();
        own.reached = stakes.exceeds(stake, (1, 3));
        let (sent, times) = own.sent;
        let patience = RESEND.scaled(1 << times.min(MOST_DOUBLINGS), 1);
        if !own.reached && now.since(sent) >= patience {
            own.sent = (now, times + 1);
            self.resent = Some(own.block);
        }
        own.reached
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slots_of_a_chain_are_told_with_the_latest_and_those_before() {
        let mut complete = Complete::default();
        for slot in [1, 2, 5, 4, 40, 103, 39] {
            complete.add(Slot::new(slot));
        }
        let held = |told: (Slot, u64)| -> Vec<u32> {
            (0..200).filter(|slot| Complete::holds(told, Slot::new(*slot))).collect()
        };
        // 103 back to 39 are told apart.
        let told = complete.take();
        assert_eq!(told.into_iter().map(held).collect::<Vec<_>>(), [[39, 40, 103]]);
        assert!(!complete.is_fresh() && complete.take().is_empty());
        complete.add(Slot::new(100));
        assert_eq!(held(complete.take()[0]), [39, 40, 100, 103]);
    }

    #[test]
    fn slots_that_come_late_are_told_apart_from_the_latest() {
        let mut complete = Complete::default();
        for slot in [199, 10, 11, 74, 75, 76, 134, 135] {
            complete.add(Slot::new(slot));
        }
        let told = complete.take().into_iter();
        let held = |told: (Slot, u64)| -> Vec<u32> {
            (0..200).filter(|slot| Complete::holds(told, Slot::new(*slot))).collect()
        };
        // 135 is the last that 199 reaches. Below it 134 reaches back to 70, and 11 has its own.
        let told: Vec<Vec<u32>> = told.map(held).collect();
        assert_eq!(told, [vec![10, 11], vec![74, 75, 76, 134], vec![135, 199]]);
        assert!(!complete.is_fresh());
    }
}
