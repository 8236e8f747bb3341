//! Protocol layer: the push active sets of a node, one per stake bucket, and which origins their
//! peers have pruned (Agave, gossip/src/push_active_set.rs).

use super::config::Config;
use super::roster::{Roster, bucket, push_weight};
use crate::base::fetch::fetch_at;
use crate::base::id::{NodeId, NodeMap};
use crate::base::rng::Rng;
use crate::protocol::content::mix;

const ROOM: usize = Config::MOST_ACTIVE as usize;

/// A peer of a set.
#[derive(Clone, Copy, Debug)]
struct Peer {
    node: NodeId,
    /// Origins that it has pruned, itself included.
    held: u32,
    /// Makes the errors of its bloom filter its own.
    salt: u64,
}

/// The set of one bucket: a ring of peers, the oldest first.
#[derive(Clone, Copy, Debug)]
struct Entry {
    peers: [Peer; ROOM],
    oldest: u8,
    len: u8,
}

impl Entry {
    const EMPTY: Self =
        Self { peers: [Peer { node: NodeId::new(0), held: 0, salt: 0 }; ROOM], oldest: 0, len: 0 };

    /// Places in use, the oldest peer's first.
    fn places(&self, size: usize) -> impl Iterator<Item = usize> + use<> {
        let (oldest, len) = (usize::from(self.oldest), usize::from(self.len));
        (0..len).map(move |place| (oldest + place) % size)
    }

    /// The same places as bits, but those in `without`.
    #[inline]
    fn places_without(&self, without: u16) -> impl Iterator<Item = usize> + use<> {
        // Only a full ring has an oldest one beyond its first place, so it is in use up to `len`.
        let open = u32::from(!without) & ((1 << self.len) - 1);
        let before = open & ((1 << self.oldest) - 1);
        bits(open ^ before).chain(bits(before))
    }

    fn listed(&self, size: usize, into: &mut Vec<NodeId>) {
        into.clear();
        into.extend(self.places(size).map(|place| self.peers[place].node));
    }
}

/// The places of the bits of a word, the lowest first.
fn bits(mut word: u32) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let place = word.trailing_zeros();
        word &= word.wrapping_sub(1);
        (place < u32::BITS).then_some(place as usize)
    })
}

/// All sets of one node. Values of an origin use the one of the smaller of the two buckets, so sets
/// above the node's own bucket do not exist.
#[derive(Clone, Debug)]
pub(super) struct ActiveSets {
    entries: Vec<Entry>,
    /// By origin: one bit for each place of its set whose peer has pruned it.
    pruned: Vec<u16>,
    own: u8,
}

impl ActiveSets {
    /// Empty sets of a node with a stake of so many bits.
    pub(super) fn new(own_bits: u8) -> Self {
        Self { entries: Vec::new(), pruned: Vec::new(), own: bucket(own_bits) }
    }

    /// Forgets all peers.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.pruned.clear();
    }

    fn entry_of(&self, origin_bits: u8) -> u8 {
        bucket(origin_bits).min(self.own)
    }

    /// Rotates every set: peers are appended in the order of a weighted shuffle until there is one
    /// too many, and the oldest is dropped. A full set so replaces exactly its oldest peer.
    pub(super) fn rotate(
        &mut self,
        size: usize,
        roster: &Roster,
        classes: &NodeMap<u8>,
        rng: &mut Rng,
        listed: &mut Vec<NodeId>,
    ) {
        if self.entries.is_empty() {
            self.entries = vec![Entry::EMPTY; usize::from(self.own) + 1];
            self.pruned = vec![0; classes.len()];
        }
        for bucket in 0..=self.own {
            loop {
                let entry = &self.entries[usize::from(bucket)];
                entry.listed(size, listed);
                let weight = |bits| push_weight(bits, bucket);
                let Some(peer) = roster.draw(rng, weight, listed, classes) else { break };
                if self.append(bucket, size, peer, classes, rng) {
                    break;
                }
            }
        }
    }

    /// Appends a peer; true if the oldest was dropped for it.
    fn append(
        &mut self,
        bucket: u8,
        size: usize,
        peer: NodeId,
        classes: &NodeMap<u8>,
        rng: &mut Rng,
    ) -> bool {
        let own = self.own;
        let entry = &mut self.entries[usize::from(bucket)];
        let full = usize::from(entry.len) == size;
        let place = (usize::from(entry.oldest) + usize::from(entry.len)) % size;
        if full {
            // The place of the oldest is the one after the newest.
            entry.oldest = ((usize::from(entry.oldest) + 1) % size) as u8;
            if entry.peers[place].held > 1 {
                let of_set = |bits: u8| super::roster::bucket(bits).min(own) == bucket;
                for (mask, _) in
                    self.pruned.iter_mut().zip(classes.values()).filter(|(_, bits)| of_set(**bits))
                {
                    *mask &= !(1 << place);
                }
            }
        } else {
            entry.len += 1;
        }
        entry.peers[place] = Peer { node: peer, held: 1, salt: rng.bits() };
        full
    }

    /// Calls `each` with the first `fanout` peers, from the oldest, whose filter does not hold the
    /// origin. Own values pass all filters. `chances` says how often a filter errs, by how much it
    /// holds.
    #[inline]
    pub(super) fn targets(
        &self,
        origin: (NodeId, u8, bool),
        fanout: usize,
        chances: &[u64],
        each: impl FnMut(NodeId),
    ) {
        self.open(origin, chances).take(fanout).map(|(_, peer)| peer).for_each(each);
    }

    /// Fetches which peers have pruned an origin.
    #[inline]
    pub(super) fn fetch(&self, origin: NodeId) {
        fetch_at(&self.pruned, origin.index());
    }

    /// Calls `each` with all peers whose filter does not hold the origin, and their places.
    pub(super) fn reached(
        &self,
        origin: (NodeId, u8, bool),
        chances: &[u64],
        mut each: impl FnMut(u8, NodeId),
    ) {
        self.open(origin, chances).for_each(|(place, peer)| each(place as u8, peer));
    }

    /// Places and peers whose filter does not hold the origin, from the oldest.
    #[inline]
    fn open<'a>(
        &'a self,
        (origin, bits, own): (NodeId, u8, bool),
        chances: &'a [u64],
    ) -> impl Iterator<Item = (usize, NodeId)> + 'a {
        let pruned = if own { 0 } else { self.pruned.get(origin.index()).map_or(0, |it| *it) };
        let passes = move |peer: &Peer| {
            let errs = || {
                let chance = chances[peer.held as usize];
                mix(peer.salt ^ u64::from(origin.number())) < chance
            };
            own || peer.node != origin && !errs()
        };
        let entry = self.entries.get(usize::from(self.entry_of(bits)));
        entry.into_iter().flat_map(move |entry| {
            let peers = entry.places_without(pruned).map(|place| (place, &entry.peers[place]));
            peers.filter(move |(_, peer)| passes(peer)).map(|(place, peer)| (place, peer.node))
        })
    }

    /// The peers at these places of an origin's set want no more values of it.
    pub(super) fn prune_all(&mut self, origin: NodeId, origin_bits: u8, places: u16) {
        let bucket = usize::from(self.entry_of(origin_bits));
        let Some(entry) = self.entries.get_mut(bucket) else { return };
        let mask = &mut self.pruned[origin.index()];
        for place in bits((places & !*mask).into()) {
            entry.peers[place].held += 1;
        }
        *mask |= places;
    }

    /// A peer wants no more values of an origin; nothing happens if it is not in that origin's set.
    pub(super) fn prune(&mut self, peer: NodeId, origin: NodeId, origin_bits: u8, size: usize) {
        let Some(entry) = self.entries.get(usize::from(self.entry_of(origin_bits))) else { return };
        if let Some(place) = entry.places(size).find(|place| entry.peers[*place].node == peer) {
            self.prune_all(origin, origin_bits, 1 << place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::{Purpose, Seed};

    const SIZE: usize = 12;

    struct Bed {
        sets: ActiveSets,
        classes: NodeMap<u8>,
        roster: Roster,
        rng: Rng,
    }

    impl Bed {
        /// Node 0 with a stake of `own` bits and so many peers of `bits(peer)`.
        fn new(own: u8, peers: usize, bits: impl Fn(u32) -> u8) -> Self {
            let classes = NodeMap::build(peers + 1, |node| bits(node.number()));
            let mut roster = Roster::empty();
            roster.fill(&NodeId::all(peers + 1).skip(1).collect::<Vec<_>>(), &classes);
            let rng = Rng::of_cluster(Seed(3), Purpose::ClusterInfo);
            Self { sets: ActiveSets::new(own), classes, roster, rng }
        }

        fn rotate(&mut self) {
            let Self { sets, classes, roster, rng } = self;
            sets.rotate(SIZE, roster, classes, rng, &mut Vec::new());
        }

        fn peers(&self, bucket: usize) -> Vec<NodeId> {
            let mut listed = Vec::new();
            self.sets.entries[bucket].listed(SIZE, &mut listed);
            listed
        }

        fn targets(&self, origin: u32, own: bool, fanout: usize) -> Vec<NodeId> {
            let origin = NodeId::new(origin);
            let (bits, chances) = (self.classes[origin], vec![0; 100]);
            let mut all = Vec::new();
            let collect = |peer| all.push(peer);
            self.sets.targets((origin, bits, own), fanout, &chances, collect);
            all
        }
    }

    #[test]
    fn a_rotation_replaces_exactly_the_oldest_of_each_set() {
        let mut bed = Bed::new(20, 60, |node| (node % 25) as u8);
        bed.rotate();
        // Sets of buckets 0 to 20, filled at once.
        assert_eq!(bed.sets.entries.len(), 21);
        for _ in 0..40 {
            let before: Vec<_> = (0..21).map(|bucket| bed.peers(bucket)).collect();
            bed.rotate();
            for (bucket, before) in before.iter().enumerate() {
                let after = bed.peers(bucket);
                assert_eq!((before.len(), after.len()), (12, 12));
                assert_eq!(before[1..], after[..11]);
                assert!(!before.contains(&after[11]), "the new one was not there");
            }
        }
    }

    #[test]
    fn with_too_few_peers_nobody_is_replaced() {
        for peers in [3, 12] {
            let mut bed = Bed::new(5, peers, |_| 5);
            bed.rotate();
            let before = bed.peers(5);
            assert_eq!(before.len(), peers);
            bed.rotate();
            assert_eq!(bed.peers(5), before);
        }
    }

    #[test]
    fn the_first_nine_that_have_not_pruned_the_origin_get_a_value() {
        // Own stake of 10 bits: origins of 10 bits and more share the set of bucket 10.
        let mut bed = Bed::new(10, 60, |node| if node < 30 { 4 } else { 15 });
        bed.rotate();
        let set = bed.peers(10);
        let strangers = || (30..60).filter(|node| !set.contains(&NodeId::new(*node)));
        let (origin, other) = (strangers().next().expect("one"), strangers().nth(1).expect("one"));
        assert_eq!(bed.targets(origin, false, 9), set[..9]);
        for pruner in [set[0], set[4], set[11], NodeId::new(origin)] {
            bed.sets.prune(pruner, NodeId::new(origin), 15, SIZE);
            bed.sets.prune(pruner, NodeId::new(origin), 15, SIZE);
        }
        let left: Vec<_> =
            set.iter().copied().filter(|p| ![set[0], set[4], set[11]].contains(p)).collect();
        // 12 less the 3 that pruned it are 9; another origin keeps the first nine of all.
        assert_eq!(bed.targets(origin, false, 9), left);
        assert_eq!(bed.targets(origin, false, 2), left[..2]);
        assert_eq!(bed.targets(other, false, 9), set[..9]);
        assert_eq!(bed.targets(origin, true, 9), set[..9], "own values pass every filter");
        // A member of the set gets none of its own values.
        let member = set[3].number();
        assert!(!bed.targets(member, false, 12).contains(&set[3]) || bed.classes[set[3]] < 10);
        // The two dropped next are set[0], with its prune, and set[1]; new filters are fresh.
        bed.rotate();
        bed.rotate();
        let set = bed.peers(10);
        let pruned = [left[1], left[2]];
        let open = bed.targets(origin, false, 12);
        assert!(pruned.iter().all(|peer| open.contains(peer)));
        assert_eq!(open.len(), 10, "two of twelve still hold it: {set:?}");
    }

    #[test]
    fn errors_of_a_filter_are_its_own_and_stay() {
        let mut bed = Bed::new(10, 300, |_| 10);
        bed.rotate();
        let always_half = vec![1_u64 << 63; 400];
        let skipped = |bed: &Bed| {
            let mut skipped = Vec::new();
            for origin in NodeId::all(301).skip(1) {
                let mut got = 0;
                let sets = &bed.sets;
                sets.targets((origin, 10, false), 12, &always_half, |_| got += 1);
                skipped.push(12 - got);
            }
            skipped
        };
        let first = skipped(&bed);
        assert_eq!(first, skipped(&bed), "asking twice gives the same answer");
        // 300 origins by 12 filters, half of them err: 1800 of 3600, deviation 30.
        let sum: u32 = first.iter().sum();
        assert!(sum.abs_diff(1_800) < 180, "{sum}");
    }
}
