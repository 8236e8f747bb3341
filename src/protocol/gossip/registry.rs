//! Protocol layer: what a node knows of the validators, and the bodies in which nodes tell it.

use crate::base::id::NodeId;
use crate::protocol::content::mix;

/// One validator's entry as it travels. Stake and public key belong to the validator and never
/// change, so they are named by the node and counted in the size; a private key is no part of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Whose entry.
    pub node: NodeId,
    /// Its version, from 1.
    pub version: u32,
}

impl Entry {
    /// Bytes on the wire: identity 32, stake 8, compressed secp256k1 public key 33, version 4.
    pub const SIZE: u32 = 32 + 8 + 33 + 4;

    fn content(self) -> u64 {
        mix(u64::from(self.node.number()) << 32 | u64::from(self.version))
    }
}

/// The validators a node knows, by version. Takes no memory before the first entry.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    /// By node; 0 is unknown.
    versions: Vec<u32>,
    known: u32,
    /// Sum of the contents of all entries, so that it is the same in whatever order they came.
    content: u64,
}

impl Registry {
    /// How many validators are known.
    #[must_use]
    pub const fn known(&self) -> u32 {
        self.known
    }

    /// The version known of a validator's entry; 0 if it is unknown.
    #[must_use]
    pub fn version_of(&self, node: NodeId) -> u32 {
        self.versions.get(node.index()).copied().unwrap_or(0)
    }

    /// A number for all entries together.
    #[must_use]
    pub const fn content(&self) -> u64 {
        self.content
    }

    /// Takes an entry in, whatever was there. `nodes` is the number of nodes of the cluster.
    pub(super) fn set(&mut self, entry: Entry, nodes: usize) {
        debug_assert!(entry.version > 0 && entry.node.index() < nodes);
        if self.versions.is_empty() {
            self.versions = vec![0; nodes];
        }
        let version = &mut self.versions[entry.node.index()];
        if *version == 0 {
            self.known += 1;
        } else {
            let old = Entry { version: *version, ..entry };
            self.content = self.content.wrapping_sub(old.content());
        }
        *version = entry.version;
        self.content = self.content.wrapping_add(entry.content());
    }

    /// The entries that `other` lacks or has in an older version, in the order of the nodes.
    pub(super) fn newer_than<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = Entry> + 'a {
        // Equal contents are equal registries, but for one chance in 2^64.
        let versions = if self.content == other.content { &[][..] } else { &self.versions[..] };
        let newer = move |(i, &version): (usize, &u32)| {
            let theirs = other.versions.get(i).copied().unwrap_or(0);
            (version > theirs).then(|| Entry { node: NodeId::from_index(i), version })
        };
        versions.iter().enumerate().filter_map(newer)
    }
}

/// Some entries, in the order in which they were found.
#[derive(Clone, Debug)]
pub struct Entries {
    list: Vec<Entry>,
    content: u64,
}

impl Entries {
    pub(super) fn new(list: Vec<Entry>) -> Self {
        let content = list.iter().fold(0, |sum: u64, entry| sum.wrapping_add(entry.content()));
        Self { list, content }
    }

    /// The entries.
    #[must_use]
    pub fn list(&self) -> &[Entry] {
        &self.list
    }
}

/// What long messages of gossip refer to.
#[derive(Clone, Debug)]
pub enum Body {
    /// A complete registry: sent as it is, or as a digest of what is known.
    Registry(Registry),
    /// Some entries.
    Entries(Entries),
}

impl Body {
    pub(super) const fn content(&self) -> u64 {
        match self {
            Self::Registry(registry) => registry.content,
            Self::Entries(entries) => entries.content,
        }
    }

    pub(super) fn known(&self) -> u32 {
        match self {
            Self::Registry(registry) => registry.known,
            Self::Entries(entries) => entries.list.len() as u32,
        }
    }

    /// The entries that `mine` lacks or has in an older version.
    pub(super) fn news_for(&self, mine: &Registry) -> Vec<Entry> {
        match self {
            Self::Registry(theirs) => theirs.newer_than(mine).collect(),
            Self::Entries(entries) => {
                let newer = |entry: &Entry| entry.version > mine.version_of(entry.node);
                entries.list.iter().copied().filter(newer).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(node: u32, version: u32) -> Entry {
        Entry { node: NodeId::new(node), version }
    }

    #[test]
    fn the_content_depends_on_the_entries_and_not_on_their_history() {
        let (mut straight, mut crooked) = (Registry::default(), Registry::default());
        for known in [entry(1, 4), entry(3, 2)] {
            straight.set(known, 5);
        }
        for known in [entry(3, 1), entry(1, 1), entry(3, 2), entry(1, 4)] {
            crooked.set(known, 5);
        }
        assert_eq!(straight.content(), crooked.content());
        assert_eq!((crooked.known(), crooked.version_of(NodeId::new(1))), (2, 4));
        let list = Entries::new(vec![entry(3, 2), entry(1, 4)]);
        assert_eq!(list.content, straight.content());
        crooked.set(entry(0, 1), 5);
        assert_ne!(straight.content(), crooked.content());
    }

    #[test]
    fn only_missing_and_older_entries_are_news() {
        let (mut mine, mut theirs) = (Registry::default(), Registry::default());
        mine.set(entry(0, 2), 4);
        mine.set(entry(2, 5), 4);
        assert_eq!(theirs.newer_than(&mine).count(), 0);
        assert_eq!(mine.newer_than(&theirs).collect::<Vec<_>>(), [entry(0, 2), entry(2, 5)]);
        for known in [entry(0, 1), entry(1, 1), entry(2, 6)] {
            theirs.set(known, 4);
        }
        let news = Body::Registry(theirs).news_for(&mine);
        assert_eq!(news, [entry(1, 1), entry(2, 6)]);
        let listed = Body::Entries(Entries::new(vec![entry(2, 5), entry(3, 1)]));
        assert_eq!(listed.news_for(&mine), [entry(3, 1)]);
    }
}
