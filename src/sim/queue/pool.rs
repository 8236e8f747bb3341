//! Kernel layer: chains of fixed blocks from one pool, the storage of the event queue's buckets.

use crate::base::fetch::fetch_at;

/// Entries in a block: 128 of 32 bytes are 4 KiB.
const BLOCK: usize = 128;
const NONE: u32 = u32::MAX;
/// Entries of 32 bytes in a line of the cache.
const LINE: usize = 2;

/// A list of entries in the order they were pushed, stored in blocks of a [`Pool`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chain {
    first: u32,
    /// Where in the pool the next entry goes; at the end of a block (or of nothing) it needs a new
    /// one.
    place: u32,
}

impl Chain {
    pub(super) const EMPTY: Self = Self { first: NONE, place: 0 };

    pub(super) const fn is_empty(self) -> bool {
        self.first == NONE
    }

    /// The last block and how many entries are in it.
    const fn end(self) -> (u32, usize) {
        if self.is_empty() {
            return (NONE, 0);
        }
        let last = (self.place - 1) / BLOCK as u32;
        (last, (self.place - last * BLOCK as u32) as usize)
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

impl<T: Copy + Default> Pool<T> {
    pub(super) const fn new() -> Self {
        Self { entries: Vec::new(), next: Vec::new(), free: Vec::new() }
    }

    /// Appends an entry to a chain.
    #[inline(always)]
    pub(super) fn push(&mut self, chain: &mut Chain, entry: T) {
        if chain.place.is_multiple_of(BLOCK as u32) {
            self.extend(chain);
        }
        // The entry is written where it belongs, and not first elsewhere to be copied: the core
        // would have to wait for what it has written piece by piece.
        self.entries[chain.place as usize] = entry;
        chain.place += 1;
        // The line after this one is the next that the chain needs, if it stays in this block.
        fetch_at(&self.entries, chain.place as usize + LINE - 1);
    }

    /// Adds a block to the chain, whose next place is the first of it.
    #[cold]
    fn extend(&mut self, chain: &mut Chain) {
        let block = self.free.pop().unwrap_or_else(|| {
            self.entries.resize(self.entries.len() + BLOCK, T::default());
            self.next.push(NONE);
            assert!(u32::try_from(self.entries.len()).is_ok(), "fewer than 2^32 events at a time");
            self.next.len() as u32 - 1
        });
        self.next[block as usize] = NONE;
        if chain.is_empty() {
            chain.first = block;
        } else {
            self.next[chain.end().0 as usize] = block;
        }
        chain.place = block * BLOCK as u32;
    }

    /// The entry at a place that [`Pool::each`] named; its chain is not freed yet.
    #[inline]
    pub(super) fn get(&self, place: u32) -> &T {
        &self.entries[place as usize]
    }

    /// Fetches the entry at such a place.
    #[inline]
    pub(super) fn fetch(&self, place: u32) {
        fetch_at(&self.entries, place as usize);
    }

    /// Calls `visit` with place and entry of all of the chain, in order.
    #[inline]
    pub(super) fn each(&self, chain: Chain, mut visit: impl FnMut(u32, &T)) {
        let (mut block, (last, rest)) = (chain.first, chain.end());
        while block != NONE {
            let filled = if block == last { rest } else { BLOCK };
            let start = block as usize * BLOCK;
            for (place, entry) in (start as u32..).zip(&self.entries[start..start + filled]) {
                visit(place, entry);
            }
            block = self.next[block as usize];
        }
    }

    /// Frees the blocks of a chain.
    pub(super) fn free(&mut self, chain: Chain) {
        let mut block = chain.first;
        while block != NONE {
            self.free.push(block);
            block = self.next[block as usize];
        }
    }

    /// Begins to take a chain apart; see [`Pool::take_next`].
    pub(super) const fn start(&self, chain: Chain) -> Cursor {
        let (last, filled) = chain.end();
        Cursor { block: chain.first, place: 0, last, filled }
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
        let (mut block, (last, rest)) = (chain.first, chain.end());
        std::iter::from_fn(move || {
            if block == NONE {
                return None;
            }
            let filled = if block == last { rest } else { BLOCK };
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
        let mut visited = Vec::new();
        pool.each(even, |place, entry| visited.push((*pool.get(place), *entry)));
        assert!(visited.into_iter().eq((0..1_000).step_by(2).map(|i| (i, i))));
        pool.free(even);
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
