//! Protocol layer: how the order of a tree is kept in memory: the children of a position side by
//! side, in the order they are served, so that whoever passes a shred on reads one place.

use super::layout::Layout;

/// Where each position of trees of one size is kept, and which positions have children.
#[derive(Clone, Debug)]
pub(super) struct Arrangement {
    layout: Layout,
    fanout: usize,
    len: usize,
    /// Where a position is kept.
    kept: Vec<u32>,
    /// Where the first child of each position is kept that has children; those stand before all
    /// others.
    children: Vec<u32>,
}

impl Arrangement {
    /// For trees of `len` positions.
    pub(super) fn new(layout: Layout, fanout: usize, len: usize) -> Self {
        let (mut kept, mut children) = (vec![0; len], Vec::new());
        let mut next = 1;
        for position in 0..len {
            let below = layout.children(position, fanout, len);
            if below.len() == 0 {
                break;
            }
            children.push(next);
            for child in below {
                kept[child] = next;
                next += 1;
            }
        }
        Self { layout, fanout, len, kept, children }
    }

    /// Whether a position has children.
    #[inline]
    pub(super) const fn is_inner(&self, position: usize) -> bool {
        position < self.children.len()
    }

    /// How many positions have children: they stand first.
    pub(super) const fn inner(&self) -> usize {
        self.children.len()
    }

    /// Where every position is kept, in the order of positions.
    pub(super) fn kept(&self) -> &[u32] {
        &self.kept
    }

    /// Where the first child of a position is kept; `None` if it has none.
    #[inline]
    pub(super) fn first(&self, position: usize) -> Option<usize> {
        self.children.get(position).map(|first| *first as usize)
    }

    /// The children of a position in the order they are served, and where each is kept.
    #[inline]
    pub(super) fn children(&self, position: usize) -> impl Iterator<Item = (usize, usize)> {
        let first = self.first(position).unwrap_or(0);
        self.layout.children(position, self.fanout, self.len).zip(first..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_position_has_a_place_of_its_own_next_to_its_siblings() {
        for layout in [Layout::Interleaved, Layout::Heap] {
            for (fanout, len) in [(1, 5), (2, 1), (2, 2), (3, 40), (7, 300), (200, 1_499), (9, 0)] {
                let all = Arrangement::new(layout, fanout, len);
                let mut kept = all.kept().to_vec();
                kept.sort_unstable();
                assert_eq!(kept, (0..len as u32).collect::<Vec<_>>());
                for position in 0..len {
                    let below: Vec<usize> = layout.children(position, fanout, len).collect();
                    assert_eq!(all.is_inner(position), !below.is_empty());
                    assert_eq!(position < all.inner(), !below.is_empty());
                    let places: Vec<_> = all.children(position).collect();
                    let first = all.first(position).unwrap_or(0);
                    assert_eq!(places, below.into_iter().zip(first..).collect::<Vec<_>>());
                    assert!(places.iter().all(|(child, at)| all.kept()[*child] as usize == *at));
                }
            }
        }
    }
}
