//! Protocol layer: where in a tree the positions of a list stand: who is whose child.

use std::iter::StepBy;
use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How positions, counted from the root at 0, become a tree. Both layouts fill the layers one after
/// the other, 1, F, F^2, ... positions for a fan-out of F.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// Solana's: the nodes of a layer that have the same parent take every F-th place of the next
    /// layer.
    Interleaved,
    /// The usual heap: the children of position i are F*i + 1 to F*i + F.
    Heap,
}

impl Layout {
    /// The children of a position in a tree of `len` positions, in the order they are served.
    ///
    /// Interleaved after Agave 4.4 `cluster_nodes.rs` (`get_retransmit_peers`).
    #[inline]
    pub fn children(self, position: usize, fanout: usize, len: usize) -> StepBy<Range<usize>> {
        let (first, step) = match self {
            // Among the first F the place within the layer's group is the position itself.
            Self::Interleaved if position > 0 => {
                let offset = (position - 1) % fanout;
                ((position - offset) * fanout + offset + 1, fanout)
            }
            _ => (position * fanout + 1, 1),
        };
        (first..(first + fanout * step).min(len).max(first)).step_by(step)
    }

    /// The parent of a position; `None` for the root.
    #[must_use]
    pub fn parent(self, position: usize, fanout: usize) -> Option<usize> {
        let above = position.checked_sub(1)?;
        let (offset, group) = (above % fanout, above / fanout);
        Some(match self {
            Self::Interleaved if group > 0 => group - (group - 1) % fanout + offset,
            Self::Interleaved => 0,
            Self::Heap => group,
        })
    }

    /// How many steps a position is from the root; the same in both layouts.
    #[must_use]
    pub fn depth(self, position: usize, fanout: usize) -> u32 {
        let (mut depth, mut layer, mut behind) = (0, 1_usize, 1_usize);
        while position >= behind {
            layer = layer.saturating_mul(fanout);
            behind = behind.saturating_add(layer);
            depth += 1;
        }
        depth
    }

    /// Whether a position has children. Those that have stand before those that have not.
    #[inline]
    #[must_use]
    pub fn is_inner(self, position: usize, fanout: usize, len: usize) -> bool {
        let children = self.children(position, fanout, len);
        children.len() > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every size around the borders of layers, for every fan-out: n up to 300, F up to 18.
    fn trees() -> impl Iterator<Item = (Layout, usize, usize)> {
        let layouts = [Layout::Interleaved, Layout::Heap].into_iter();
        layouts.flat_map(|l| (1..=18).flat_map(move |f| (1..=300).map(move |n| (l, f, n))))
    }

    #[test]
    fn parents_and_children_are_inverse_and_every_position_is_reached_once() {
        for (layout, fanout, len) in trees() {
            let mut reached = vec![0; len];
            let mut inner = true;
            for position in 0..len {
                let children = layout.children(position, fanout, len);
                assert!(children.len() <= fanout);
                assert_eq!(layout.is_inner(position, fanout, len), children.len() > 0);
                assert!(inner || children.len() == 0, "inner positions come first");
                inner = children.len() > 0;
                for child in children {
                    assert!(child > position);
                    assert_eq!(layout.parent(child, fanout), Some(position), "{layout:?}");
                    let depths = [child, position].map(|at| layout.depth(at, fanout));
                    assert_eq!(depths[0], depths[1] + 1);
                    reached[child] += 1;
                }
            }
            assert_eq!(layout.parent(0, fanout), None);
            assert!(reached[1..].iter().all(|times| *times == 1), "{layout:?} {fanout} {len}");
        }
    }

    #[test]
    fn trees_are_as_shallow_as_their_layers_allow() {
        // Layers of 1, 200 and 40,000 positions: 0, 1 and 2 steps up to 200 and 40,200.
        for layout in [Layout::Interleaved, Layout::Heap] {
            let depths = [0, 1, 200, 201, 40_200, 40_201].map(|at| layout.depth(at, 200));
            assert_eq!(depths, [0, 1, 1, 2, 2, 3]);
            // A fan-out of 1 is a chain.
            assert_eq!(layout.depth(9, 1), 9);
            // Far beyond any cluster, the layers do not overflow.
            assert_eq!(layout.depth(usize::MAX - 1, 100_000), 4);
        }
    }

    #[test]
    fn the_interleaved_layout_is_that_of_solana() {
        // By hand from the rule, F = 2: the children of i >= 1 with off = (i-1) mod 2, a = i - off
        // are 2a + off + 1 and two more: 1 -> (off 0, a 1) 3, 5; 2 -> (1, 1) 4, 6; 3 -> (0, 3) 7,
        // 9; 4 -> (1, 3) 8, 10; 5 -> (0, 5) 11, 13; 6 -> (1, 5) 12, 14.
        let children = |i: usize| Layout::Interleaved.children(i, 2, 15).collect::<Vec<_>>();
        assert_eq!(children(0), [1, 2]);
        assert_eq!([children(1), children(2)], [[3, 5], [4, 6]]);
        assert_eq!([children(3), children(4)], [[7, 9], [8, 10]]);
        assert_eq!([children(5), children(6)], [[11, 13], [12, 14]]);
        // With 1,500 nodes and F = 200: position 1 serves 201, 401, ..., 1401.
        let served: Vec<_> = Layout::Interleaved.children(1, 200, 1_500).collect();
        assert_eq!(served, [201, 401, 601, 801, 1_001, 1_201, 1_401]);
        let mut served = Layout::Interleaved.children(200, 200, 1_500);
        assert_eq!((served.next(), served.next_back()), (Some(400), Some(1_400)));
    }
}
