//! Metrics layer: which node knows which version of which validator's registry entry.

use crate::base::id::{NodeId, NodeMap, NodeSet};

/// A node that is up came to know a newer version than before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Change {
    /// The place of the validator among all validators.
    pub(super) validator: usize,
    /// The version known before, zero for none.
    pub(super) before: u32,
    /// The version known now.
    pub(super) now: u32,
}

/// A version per node and validator, zero for none, and running counts over the nodes that are up.
pub(super) struct Knowledge {
    /// The place of each node among the validators; `None` for observers.
    places: NodeMap<Option<u32>>,
    /// Node by node, one version per validator.
    versions: Vec<u32>,
    /// The latest version of each validator's entry that anyone has stated.
    latest: Vec<u32>,
    /// How many nodes that are up have that version.
    holders: Vec<u32>,
    up: NodeSet,
    known_pairs: u64,
    latest_pairs: u64,
}

impl Knowledge {
    /// Nobody is up and nobody knows anything. Nodes with stake are the validators.
    pub(super) fn new(stakes: &NodeMap<u64>) -> Self {
        let mut validators = 0;
        let places = NodeMap::build(stakes.len(), |node| {
            let validator = stakes[node] > 0;
            validators += u32::from(validator);
            validator.then(|| validators - 1)
        });
        let validators = validators as usize;
        Self {
            places,
            versions: vec![0; stakes.len() * validators],
            latest: vec![0; validators],
            holders: vec![0; validators],
            up: NodeSet::empty(stakes.len()),
            known_pairs: 0,
            latest_pairs: 0,
        }
    }

    pub(super) const fn validators(&self) -> usize {
        self.latest.len()
    }

    /// The latest version of each validator's entry.
    pub(super) fn latest(&self) -> &[u32] {
        &self.latest
    }

    /// The nodes that are up.
    pub(super) const fn up(&self) -> &NodeSet {
        &self.up
    }

    /// The versions a node knows, one per validator.
    pub(super) fn of(&self, node: NodeId) -> &[u32] {
        let validators = self.validators();
        &self.versions[node.index() * validators..][..validators]
    }

    /// Pairs of a node that is up and a validator it knows in some version.
    pub(super) const fn known_pairs(&self) -> u64 {
        self.known_pairs
    }

    /// Pairs of a node that is up and a validator it knows in the latest version.
    pub(super) const fn latest_pairs(&self) -> u64 {
        self.latest_pairs
    }

    /// All pairs of a node that is up and a validator.
    pub(super) const fn pairs(&self) -> u64 {
        self.up.len() as u64 * self.validators() as u64
    }

    /// A node knows a version; nothing changes if it knew it or a later one, or if it is about an
    /// observer.
    pub(super) fn learn(&mut self, node: NodeId, about: NodeId, version: u32) -> Option<Change> {
        let validator = self.places[about]? as usize;
        if version > self.latest[validator] {
            self.latest[validator] = version;
            self.latest_pairs -= u64::from(self.holders[validator]);
            self.holders[validator] = 0;
        }
        let place = node.index() * self.validators() + validator;
        let before = self.versions[place];
        if version <= before {
            return None;
        }
        self.versions[place] = version;
        if !self.up.contains(node) {
            return None;
        }
        self.known_pairs += u64::from(before == 0);
        if version == self.latest[validator] {
            self.holders[validator] += 1;
            self.latest_pairs += 1;
        }
        Some(Change { validator, before, now: version })
    }

    /// A node came up, with what it still knows.
    pub(super) fn rise(&mut self, node: NodeId) {
        if self.up.insert(node) {
            self.count(node, |sum, one| *sum += one);
        }
    }

    /// A node went down, and may forget all it knew.
    pub(super) fn fall(&mut self, node: NodeId, forgets: bool) {
        if self.up.remove(node) {
            self.count(node, |sum, one| *sum -= one);
        }
        if forgets {
            let validators = self.validators();
            self.versions[node.index() * validators..][..validators].fill(0);
        }
    }

    /// Adds what a node knows to the counts, or takes it out.
    fn count(&mut self, node: NodeId, change: impl Fn(&mut u64, u64)) {
        let base = node.index() * self.validators();
        for validator in 0..self.validators() {
            let version = self.versions[base + validator];
            if version > 0 {
                change(&mut self.known_pairs, 1);
            }
            if version > 0 && version == self.latest[validator] {
                change(&mut self.latest_pairs, 1);
                let mut holders = u64::from(self.holders[validator]);
                change(&mut holders, 1);
                self.holders[validator] = holders as u32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::{Purpose, Rng, Seed};

    /// Both counts by looking at every pair.
    fn counted(knowledge: &Knowledge) -> (u64, u64) {
        let pairs =
            knowledge.up.iter().flat_map(|node| knowledge.of(node).iter().zip(knowledge.latest()));
        pairs.fold((0, 0), |(known, latest), (version, newest)| {
            (known + u64::from(*version > 0), latest + u64::from(*version > 0 && version == newest))
        })
    }

    #[test]
    fn running_counts_equal_a_count_of_all_pairs_after_any_history() {
        let mut rng = Rng::of_cluster(Seed(3), Purpose::Workload);
        let mut any = move |below: u64| rng.below(below) as u32;
        let stakes = NodeMap::build(9, |node| u64::from(node.number() % 3));
        let mut knowledge = Knowledge::new(&stakes);
        assert_eq!(knowledge.validators(), 6);
        for _ in 0..5_000 {
            let (node, about) = (NodeId::new(any(9)), NodeId::new(any(9)));
            match any(10) {
                0 => knowledge.rise(node),
                1 => knowledge.fall(node, any(2) == 0),
                2 => {
                    let version = any(40);
                    knowledge.learn(node, node, version);
                }
                _ => {
                    let version = any(40);
                    let before = knowledge.places[about].map(|v| knowledge.of(node)[v as usize]);
                    let change = knowledge.learn(node, about, version);
                    let newer = before.filter(|before| version > *before);
                    let expected = newer.filter(|_| knowledge.up.contains(node));
                    assert_eq!(
                        change.map(|change| (change.before, change.now)),
                        expected.map(|b| (b, version))
                    );
                }
            }
            let (known, latest) = counted(&knowledge);
            assert_eq!((knowledge.known_pairs(), knowledge.latest_pairs()), (known, latest));
            assert_eq!(knowledge.pairs(), knowledge.up.len() as u64 * 6);
        }
    }
}
