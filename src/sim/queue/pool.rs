//! Kernel layer: chains of fixed blocks from one pool, the storage of the event queue's buckets.

/// Entries in a block: 128 of 32 bytes are 4 KiB.
const BLOCK: usize = 128;
const NONE: u32 = u32::MAX;

/// A list of entries in the order they were pushed, stored in blocks of a [`Pool`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chain {
    first: u32,
    last: u32,
    /// Entries in the last block, 1 to [`BLOCK`].
    filled: u32,
}

impl Chain {
    pub(super) const EMPTY: Self = Self { first: NONE, last: NONE, filled: 0 };

    pub(super) const fn is_empty(self) -> bool {
        self.first == NONE
    }
}

/// A place in a chain that is being taken apart.
pub(super) struct Cursor {
    block: u32,
    place: usize,
    last: u32,
    filled: usize,
}

/// Blocks in use and free ones; freed blocks are used again.
pub(super) struct Pool<T> {
    entries: Vec<T>,
    next: Vec<u32>,
    free: Vec<u32>,
}

impl<T: Copy> Pool<T> {
    pub(super) const fn new() -> Self {
        Self { entries: Vec::new(), next: Vec::new(), free: Vec::new() }
    }

    /// Appends an entry to a chain.
    #[inline]
    pub(super) fn push(&mut self, chain: &mut Chain, entry: T) {
        if (chain.filled as usize).is_multiple_of(BLOCK) {
            self.extend(chain, entry);
            return;
        }
        self.entries[chain.last as usize * BLOCK + chain.filled as usize] = entry;
        chain.filled += 1;
    }

    /// Adds a block that holds `entry` to the chain.
    fn extend(&mut self, chain: &mut Chain, entry: T) {
        let block = self.free.pop().unwrap_or_else(|| {
            // The entry itself is the filler of a new block: no default value is needed.
            self.entries.resize(self.entries.len() + BLOCK, entry);
            self.next.push(NONE);
            u32::try_from(self.next.len() - 1).expect("fewer than 2^32 blocks of 4 KiB")
        });
        self.entries[block as usize * BLOCK] = entry;
        self.next[block as usize] = NONE;
        if chain.is_empty() {
            chain.first = block;
        } else {
            self.next[chain.last as usize] = block;
        }
        chain.last = block;
        chain.filled = 1;
    }

    /// Appends all entries of the chain to `into` and frees its blocks.
    pub(super) fn drain_into(&mut self, chain: Chain, into: &mut Vec<T>) {
        let mut block = chain.first;
        while block != NONE {
            let filled = if block == chain.last { chain.filled as usize } else { BLOCK };
            let start = block as usize * BLOCK;
            into.extend_from_slice(&self.entries[start..start + filled]);
            self.free.push(block);
            block = self.next[block as usize];
        }
    }

    /// Begins to take a chain apart; see [`Pool::take_next`].
    pub(super) const fn start(&self, chain: Chain) -> Cursor {
        Cursor { block: chain.first, place: 0, last: chain.last, filled: chain.filled as usize }
    }

    /// The next entry; blocks are freed as soon as they have been read, so other chains may grow
    /// meanwhile.
    pub(super) fn take_next(&mut self, cursor: &mut Cursor) -> Option<T> {
        if cursor.block == NONE {
            return None;
        }
        let entry = self.entries[cursor.block as usize * BLOCK + cursor.place];
        cursor.place += 1;
        let filled = if cursor.block == cursor.last { cursor.filled } else { BLOCK };
        if cursor.place == filled {
            let done = cursor.block;
            cursor.block = self.next[done as usize];
            cursor.place = 0;
            self.free.push(done);
        }
        Some(entry)
    }

    /// The entries of a chain in order.
    pub(super) fn iter(&self, chain: Chain) -> impl Iterator<Item = &T> {
        let mut block = chain.first;
        std::iter::from_fn(move || {
            if block == NONE {
                return None;
            }
            let filled = if block == chain.last { chain.filled as usize } else { BLOCK };
            let start = block as usize * BLOCK;
            block = self.next[block as usize];
            Some(&self.entries[start..start + filled])
        })
        .flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_keep_their_order_and_freed_blocks_are_used_again() {
        let mut pool = Pool::new();
        let (mut even, mut odd) = (Chain::EMPTY, Chain::EMPTY);
        for i in 0..1_000 {
            pool.push(if i % 2 == 0 { &mut even } else { &mut odd }, i);
        }
        assert!(pool.iter(even).copied().eq((0..1_000).step_by(2)));
        let mut drained = Vec::new();
        pool.drain_into(even, &mut drained);
        assert!(drained.into_iter().eq((0..1_000).step_by(2)));
        let blocks = pool.next.len();
        let mut cursor = pool.start(odd);
        let mut again = Chain::EMPTY;
        let mut expected = 1;
        while let Some(entry) = pool.take_next(&mut cursor) {
            assert_eq!(entry, expected);
            expected += 2;
            pool.push(&mut again, entry);
        }
        assert_eq!(expected, 1_001);
        assert_eq!(pool.next.len(), blocks, "no new block was needed");
        assert!(pool.iter(again).copied().eq((1..1_000).step_by(2)));
    }
}
