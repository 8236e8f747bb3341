//! Metrics layer: what validators root, how soon, and whether their roots agree.

use serde::Serialize;

use super::super::chain::{Chain, GENESIS, Number};
use crate::base::id::NodeId;
use crate::base::slot::Slot;
use crate::base::time::Time;

/// Slots to root that are told apart; more count as so many.
const MOST_SLOTS: usize = 4_096;

/// Roots of all validators. Slots to root are over the pairs of a validator and a block that it
/// rooted: from the block to the vote with which it did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct RootsSummary {
    /// The highest slot that an honest validator has rooted, on whichever chain; `None` if nobody
    /// has rooted anything.
    pub highest_slot: Option<u32>,
    /// The lowest slot of the last root of a validator that is up; `None` if one of them has none.
    pub lowest_slot: Option<u32>,
    /// When somebody last rooted a block that nobody had rooted before.
    pub last_ns: Option<u64>,
    /// Fewest slots to root.
    pub slots_min: Option<u32>,
    /// Their median, by nearest rank.
    pub slots_p50: Option<u32>,
    /// Most of them, at most 4,096.
    pub slots_max: Option<u32>,
    /// Whether two honest validators have rooted blocks of which neither stands on the other: 0
    /// or 1.
    pub conflicting: u32,
}

/// Two validators rooted blocks of which neither stands on the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Conflict {
    /// When.
    pub(super) at: Time,
    /// Who rooted the second of them.
    pub(super) node: NodeId,
    /// Its slot.
    pub(super) slot: Slot,
}

/// Follows roots.
pub(super) struct Roots {
    /// Blocks by number that an honest validator has rooted, ancestors included.
    trunk: Vec<bool>,
    /// The highest of them.
    top: Number,
    conflict: Option<Conflict>,
    last: Option<Time>,
    highest: Option<Slot>,
    /// How many pairs took so many slots to root.
    slots: Vec<u64>,
}

impl Roots {
    pub(super) const fn new() -> Self {
        Self {
            trunk: Vec::new(),
            top: GENESIS,
            conflict: None,
            last: None,
            highest: None,
            slots: Vec::new(),
        }
    }

    /// A validator that had rooted `before` roots `root` with its vote for `voted`. Returns whether
    /// nobody had rooted as much.
    pub(super) fn on_rooted(
        &mut self,
        chain: &Chain,
        (at, node): (Time, NodeId),
        (before, root): (Number, Number),
        voted: Slot,
    ) -> bool {
        let mut next = root;
        while next > before {
            let slots = voted.number().saturating_sub(chain.slot(next).number());
            let place = (slots as usize).min(MOST_SLOTS);
            if place >= self.slots.len() {
                self.slots.resize(place + 1, 0);
            }
            self.slots[place] += 1;
            next = chain.below(next);
        }
        let slot = chain.slot(root);
        self.highest = self.highest.max(Some(slot));
        let news = self.extend(chain, root);
        if news {
            self.last = Some(at);
        } else if !self.is_rooted(root) {
            self.conflict.get_or_insert(Conflict { at, node, slot });
        }
        news
    }

    /// Lets the trunk grow up to a root; false if it reaches as far already, or elsewhere.
    fn extend(&mut self, chain: &Chain, root: Number) -> bool {
        if !chain.leads_to(self.top, root) || root == self.top {
            return false;
        }
        self.trunk.resize(chain.len() + 1, false);
        let mut next = root;
        while next != self.top {
            self.trunk[next as usize] = true;
            next = chain.below(next);
        }
        self.top = root;
        true
    }

    fn is_rooted(&self, block: Number) -> bool {
        block == GENESIS || self.trunk.get(block as usize).is_some_and(|rooted| *rooted)
    }

    /// Whether anybody has rooted anything.
    pub(super) const fn is_any(&self) -> bool {
        self.highest.is_some()
    }

    /// The first conflict.
    pub(super) const fn conflict(&self) -> Option<Conflict> {
        self.conflict
    }

    /// The figures; `lowest` is the lowest last root of those that are up.
    pub(super) fn summary(&self, lowest: Option<Slot>) -> RootsSummary {
        let place = |place: Option<usize>| place.map(|slots| slots as u32);
        RootsSummary {
            highest_slot: self.highest.map(Slot::number),
            lowest_slot: lowest.map(Slot::number),
            last_ns: self.last.map(Time::as_nanos),
            slots_min: place(self.slots.iter().position(|count| *count > 0)),
            slots_p50: place(self.median()),
            slots_max: self.slots.len().checked_sub(1).map(|slots| slots as u32),
            conflicting: self.conflict.is_some().into(),
        }
    }

    fn median(&self) -> Option<usize> {
        let rank = self.slots.iter().sum::<u64>().div_ceil(2);
        let mut passed = 0;
        self.slots.iter().position(|count| {
            passed += count;
            passed >= rank && rank > 0
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::forked;
    use super::*;

    /// The validator `node` roots a block that it votes for so many slots later.
    fn root(roots: &mut Roots, node: u32, before: Number, root: Number, slots: u32) {
        let (at, voted) = (Time::from_nanos(u64::from(node)), Slot::new(root + slots));
        roots.on_rooted(&forked(), (at, NodeId::new(node)), (before, root), voted);
    }

    #[test]
    fn roots_on_one_chain_agree_in_whatever_order_they_come() {
        let mut roots = Roots::new();
        root(&mut roots, 1, 0, 4, 31);
        root(&mut roots, 2, 0, 1, 31);
        root(&mut roots, 3, 1, 2, 40);
        root(&mut roots, 4, 4, 5, 31);
        assert_eq!(roots.conflict(), None);
        let summary = roots.summary(Some(Slot::new(2)));
        assert_eq!((summary.highest_slot, summary.lowest_slot), (Some(5), Some(2)));
        assert_eq!(summary.last_ns, Some(4), "2 and 3 rooted nothing that was new");
        // 4, 2, 1 after 31, 33, 34 slots; 1 after 31; 2 after 40; 5 after 31.
        let slots = (summary.slots_min, summary.slots_p50, summary.slots_max);
        assert_eq!(slots, (Some(31), Some(31), Some(40)));
        assert_eq!(Roots::new().summary(None), RootsSummary::default());
    }

    #[test]
    fn roots_on_two_forks_are_a_conflict() {
        let mut roots = Roots::new();
        root(&mut roots, 1, 0, 3, 31);
        root(&mut roots, 2, 0, 2, 31);
        root(&mut roots, 7, 2, 4, 31);
        root(&mut roots, 8, 2, 5, 31);
        let conflict =
            Conflict { at: Time::from_nanos(7), node: NodeId::new(7), slot: Slot::new(4) };
        assert_eq!(roots.conflict(), Some(conflict), "the first one");
        assert_eq!(roots.summary(None).conflicting, 1);
    }
}
