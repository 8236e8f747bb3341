//! Protocol layer: drawing without replacement by weight, exact to the bit (Agave 4.4,
//! `gossip/src/weighted_shuffle.rs`).
//!
//! A cluster draws one order of all nodes for every shred, so this is a hot path: prefix sums stand
//! in a tree of cache lines that is built once, copied for every order and reduced in place.

use super::ChaCha;

/// Entries of a tree node: one cache line of sums, all of which are compared without a branch.
const WIDTH: usize = 8;
/// Depths for which the draw is compiled; the smallest that holds all weights is taken.
const DEPTHS: [usize; 6] = [1, 2, 3, 4, 5, 8];

/// For each entry of a tree node: all ones behind it, zero up to it.
const BEHIND: [Sums; WIDTH] = {
    let mut masks = [Sums([0; WIDTH]); WIDTH];
    let mut at = 0;
    while at < WIDTH {
        let mut behind = at + 1;
        while behind < WIDTH {
            masks[at].0[behind] = u64::MAX;
            behind += 1;
        }
        at += 1;
    }
    masks
};

/// One tree node: the sum of the weights before each entry, within the node.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Sums([u64; WIDTH]);

/// Prefix sums of the remaining weights.
#[derive(Clone, Debug, Default)]
struct Tree {
    /// Level after level, from the root to the leaves.
    nodes: Vec<Sums>,
    /// Where each level starts.
    levels: Vec<usize>,
    /// Sum of all remaining weights.
    total: u64,
}

/// Weights, prepared for many orders.
#[derive(Clone, Debug)]
pub struct Weights {
    weights: Vec<u64>,
    tree: Tree,
    /// Places without weight, in increasing order.
    zeros: Vec<u32>,
}

/// An order that is drawn, and the memory for it, to be used again.
#[derive(Clone, Debug)]
pub struct Drawing {
    random: ChaCha,
    tree: Tree,
    zeros: Vec<u32>,
    order: Vec<u32>,
}

impl Drawing {
    /// An order to be drawn from this stream.
    #[must_use]
    pub fn new(random: ChaCha) -> Self {
        Self { random, tree: Tree::default(), zeros: Vec::new(), order: Vec::new() }
    }

    /// Another order, to be drawn from this stream.
    pub fn begin(&mut self, random: ChaCha) {
        self.random = random;
        self.order.clear();
    }

    /// The places in the order drawn.
    #[must_use]
    pub fn order(&self) -> &[u32] {
        &self.order
    }
}

impl Weights {
    /// Prepares weights. One that would lift the running sum above `u64::MAX` counts as zero.
    ///
    /// # Panics
    /// If there are more than 8^8 (16.7 million).
    #[must_use]
    pub fn new(weights: &[u64]) -> Self {
        let mut sum = 0_u64;
        let fits = |weight: &u64| {
            let with = sum.checked_add(*weight);
            sum = with.unwrap_or(sum);
            if with.is_some() { *weight } else { 0 }
        };
        let weights: Vec<u64> = weights.iter().map(fits).collect();
        let places = (0_u32..).zip(&weights);
        let zeros = places.filter(|(_, weight)| **weight == 0).map(|(place, _)| place).collect();
        Self { tree: Tree::new(&weights), weights, zeros }
    }

    /// How many weights there are, those of zero included.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.weights.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.weights.is_empty()
    }

    /// All places but `without` in the order drawn: first those with weight, each drawn in
    /// proportion to what remains; then those without, uniformly. Several orders at a time, each of
    /// which is what it would be alone: a draw is a chain of steps that wait for each other, so a
    /// core works at several as fast as at one.
    pub fn shuffle(&self, without: Option<u32>, drawings: &mut [Drawing]) {
        let mut count = self.weights.len() - self.zeros.len();
        let without = without.map(|place| (place, self.weights[place as usize]));
        count -= usize::from(without.is_some_and(|(_, weight)| weight > 0));
        for drawing in &mut *drawings {
            drawing.order.clear();
            drawing.tree.copy(&self.tree);
            drawing.zeros.clone_from(&self.zeros);
            match without {
                Some((place, 0)) => drawing.zeros.retain(|zero| *zero != place),
                Some((place, weight)) => drawing.tree.remove(place as usize, weight),
                None => {}
            }
        }
        self.draw(count, drawings);
        for Drawing { random, zeros, order, .. } in drawings {
            while !zeros.is_empty() {
                let drawn = random.below_single(zeros.len() as u64);
                order.push(zeros.swap_remove(drawn as usize));
            }
        }
    }

    /// The first place of [`Weights::shuffle`], without drawing the others.
    #[must_use]
    pub fn first(&self, random: &mut ChaCha, without: Option<u32>) -> Option<u32> {
        let (gap, weight) =
            without.map_or((0, 0), |place| (place as usize, self.weights[place as usize]));
        let total = self.tree.total - weight;
        if total > 0 {
            let drawn = random.below_single(total);
            // Behind the gap, the sums of the whole tree are larger by what is missing.
            let behind = without.is_some() && drawn >= self.tree.before(gap);
            let sum = if behind { drawn + weight } else { drawn };
            return Some(self.tree.find(sum) as u32);
        }
        let skipped = without.and_then(|place| self.zeros.binary_search(&place).ok());
        let zeros = self.zeros.len() - usize::from(skipped.is_some());
        if zeros == 0 {
            return None;
        }
        let drawn = random.below_single(zeros as u64) as usize;
        Some(self.zeros[drawn + usize::from(skipped.is_some_and(|gap| gap <= drawn))])
    }

    /// Draws and removes `count` places that have weight.
    fn draw(&self, count: usize, drawings: &mut [Drawing]) {
        match self.tree.levels.len() {
            1 => self.draw_from::<1>(count, drawings),
            2 => self.draw_from::<2>(count, drawings),
            3 => self.draw_from::<3>(count, drawings),
            4 => self.draw_from::<4>(count, drawings),
            5 => self.draw_from::<5>(count, drawings),
            _ => self.draw_from::<8>(count, drawings),
        }
    }

    /// The same for trees of known depth, so that the loops over their levels unroll.
    fn draw_from<const DEPTH: usize>(&self, count: usize, drawings: &mut [Drawing]) {
        let mut levels = [0; DEPTH];
        levels.copy_from_slice(&self.tree.levels);
        for _ in 0..count {
            for Drawing { random, tree, order, .. } in &mut *drawings {
                let place = find(&tree.nodes, &levels, random.below_single(tree.total));
                order.push(place as u32);
                let weight = self.weights[place];
                remove(&mut tree.nodes, &levels, place, weight);
                tree.total -= weight;
            }
        }
    }
}

impl Tree {
    fn new(weights: &[u64]) -> Self {
        let holds = |depth: &&usize| WIDTH.pow(**depth as u32) >= weights.len();
        let depth = *DEPTHS.iter().find(holds).expect("at most 8^8 weights");
        let mut levels: Vec<Vec<Sums>> = Vec::new();
        let mut sums = weights.to_vec();
        for _ in 0..depth {
            let nodes: Vec<(Sums, u64)> = sums.chunks(WIDTH).map(prefix_sums).collect();
            sums = nodes.iter().map(|(_, total)| *total).collect();
            levels.push(nodes.into_iter().map(|(node, _)| node).collect());
        }
        let mut tree = Self { total: sums.iter().sum(), ..Self::default() };
        for level in levels.into_iter().rev() {
            tree.levels.push(tree.nodes.len());
            tree.nodes.extend(level);
        }
        tree
    }

    /// Becomes the same as another, in the memory that it has.
    fn copy(&mut self, other: &Self) {
        self.nodes.clone_from(&other.nodes);
        self.levels.clone_from(&other.levels);
        self.total = other.total;
    }

    /// The place whose stretch of the sums holds `sum`, which is below the total.
    fn find(&self, sum: u64) -> usize {
        find(&self.nodes, &self.levels, sum)
    }

    /// Takes the weight of a place away.
    fn remove(&mut self, place: usize, weight: u64) {
        remove(&mut self.nodes, &self.levels, place, weight);
        self.total -= weight;
    }

    /// Sum of the weights before a place.
    fn before(&self, place: usize) -> u64 {
        let (mut rest, mut sum) = (place, 0);
        for level in self.levels.iter().rev() {
            sum += self.nodes[level + rest / WIDTH].0[rest % WIDTH];
            rest /= WIDTH;
        }
        sum
    }
}

/// What stands before each of at most [`WIDTH`] sums, and their total. Entries that are missing
/// have the total before them, so that nothing below it finds them.
fn prefix_sums(sums: &[u64]) -> (Sums, u64) {
    let (mut node, mut total) = (Sums([0; WIDTH]), 0);
    for (place, before) in node.0.iter_mut().enumerate() {
        *before = total;
        total += sums.get(place).copied().unwrap_or(0);
    }
    (node, total)
}

// In the two functions below nothing can wrap: sums are below the total, counts below WIDTH. The
// unchecked operations keep them free of branches.

/// The smallest place whose inclusive prefix sum exceeds `sum`.
#[inline(always)]
fn find(nodes: &[Sums], levels: &[usize], mut sum: u64) -> usize {
    let mut place = 0_usize;
    for level in levels {
        let Sums(before) = &nodes[level.wrapping_add(place)];
        // Of several entries with the same sum before them, all but the last are without weight.
        let mut entry = 0_usize;
        for before in &before[1..] {
            entry = entry.wrapping_add(usize::from(*before <= sum));
        }
        sum = sum.wrapping_sub(before[entry % WIDTH]);
        place = place.wrapping_mul(WIDTH).wrapping_add(entry);
    }
    place
}

/// Takes the weight of a place away from all sums that it is part of.
#[inline(always)]
fn remove(nodes: &mut [Sums], levels: &[usize], mut place: usize, weight: u64) {
    for level in levels.iter().rev() {
        let behind = &BEHIND[place % WIDTH];
        place /= WIDTH;
        let Sums(before) = &mut nodes[level.wrapping_add(place)];
        for (before, mask) in before.iter_mut().zip(&behind.0) {
            *before = before.wrapping_sub(weight & mask);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::digest::Digest;
    use crate::protocol::shuffle::Generator;

    // All vectors from Python: a ChaCha written from RFC 8439 (checked with its appendix A.1, and
    // for 8 rounds with TC1 of draft-strombergson-chacha-test-vectors), integers by
    // zone = (n << lz) - 1, and a shuffle that sums the list of remaining weights anew for every
    // draw.

    fn stream(generator: Generator) -> ChaCha {
        ChaCha::new(generator, std::array::from_fn(|i| i as u8))
    }

    fn order(weights: &[u64], generator: Generator, without: Option<u32>) -> Vec<u32> {
        let weights = Weights::new(weights);
        // Twice with the same memory: nothing may be left over from the first. And beside another
        // one: each is what it would be alone.
        let other = ChaCha::new(generator, [99; 32]);
        let mut drawings = [Drawing::new(stream(generator)), Drawing::new(other.clone())];
        weights.shuffle(without, &mut drawings);
        drawings[0].begin(other);
        drawings[1].begin(stream(generator));
        weights.shuffle(without, &mut drawings);
        let [_, Drawing { order, .. }] = drawings;
        let mut alone = [Drawing::new(stream(generator))];
        weights.shuffle(without, &mut alone);
        assert_eq!(alone[0].order(), order);
        let first = weights.first(&mut stream(generator), without);
        assert_eq!(first, order.first().copied());
        order
    }

    /// SHA-256 over the places as 4-byte little-endian numbers.
    fn digest(order: &[u32]) -> String {
        let bytes: Vec<u8> = order.iter().flat_map(|place| place.to_le_bytes()).collect();
        Digest::of(&bytes).to_string()
    }

    #[test]
    fn small_orders_are_those_of_the_rule() {
        use Generator::{Chacha8, Chacha20};
        let weights = [50, 30, 10, 0, 5, 0, 5, 0];
        assert_eq!(order(&weights, Chacha8, None), [0, 1, 4, 6, 2, 5, 3, 7]);
        assert_eq!(order(&weights, Chacha8, Some(0)), [1, 4, 6, 2, 5, 3, 7]);
        assert_eq!(order(&weights, Chacha8, Some(5)), [0, 1, 4, 6, 2, 7, 3]);
        assert_eq!(order(&weights, Chacha20, None), [0, 1, 4, 6, 2, 7, 3, 5]);
        assert_eq!(order(&weights, Chacha20, Some(0)), [1, 4, 6, 2, 7, 3, 5]);
        assert_eq!(order(&weights, Chacha20, Some(5)), [0, 1, 4, 6, 2, 3, 7]);
        assert_eq!(order(&[], Chacha8, None), [0; 0]);
        assert_eq!(order(&[9], Chacha8, Some(0)), [0; 0]);
        assert_eq!(order(&[0], Chacha8, Some(0)), [0; 0]);
        assert_eq!(order(&[0], Chacha8, None), [0]);
    }

    #[test]
    fn an_order_of_200_nodes_with_stakes_after_zipf_is_that_of_the_rule() {
        // Stakes 4e17 / (i + 1), rounded down, for 180 nodes and none for 20 more.
        let stake = |i: u64| if i < 180 { 400_000_000_000_000_000 / (i + 1) } else { 0 };
        let weights: Vec<u64> = (0..200).map(stake).collect();
        for (generator, without, start, sha) in [
            (
                Generator::Chacha8,
                None,
                [1, 4, 63, 2, 172, 23, 83, 7],
                "24896860f6385b0f832ef7a95a4e49fd07798645a4d9f408f6be06a4f8a1f204",
            ),
            (
                Generator::Chacha8,
                Some(3),
                [6, 1, 4, 68, 2, 28, 89, 9],
                "c056c00e26d6078bc518029bbc45388b7a504da35448fb66ca499cd3948d072d",
            ),
            (
                Generator::Chacha8,
                Some(190),
                [1, 4, 63, 2, 172, 23, 83, 7],
                "ec485d71c5ee0ff2b2a47f1ec505765e4b63554ac451685a62de9b30d892d71b",
            ),
            (
                Generator::Chacha20,
                None,
                [14, 26, 4, 0, 1, 87, 5, 13],
                "8709482604f0c47bcf41dad59ac8a67eae8846dd14662d87891833a618f5c009",
            ),
            (
                Generator::Chacha20,
                Some(3),
                [6, 2, 64, 20, 33, 7, 0, 1],
                "7c660e5a9300bf49598da70cf796a40ce7d390d4ab4241fa4db0094f20c41331",
            ),
        ] {
            let order = order(&weights, generator, without);
            assert_eq!((&order[..8], digest(&order).as_str()), (&start[..], sha), "{without:?}");
        }
    }

    #[test]
    fn an_order_through_four_levels_is_that_of_the_rule() {
        // 700 weights, more than 8^3: 1e15 * (7919 i mod 1000 + 1), without place 5.
        let weights: Vec<u64> =
            (0..700).map(|i| 1_000_000_000_000_000 * (7_919 * i % 1_000 + 1)).collect();
        let order = order(&weights, Generator::Chacha8, Some(5));
        assert_eq!(order[..6], [15, 6, 13, 29, 46, 22]);
        let sha = "29258c3f291939716b5e519dbe26cb45e74fa40001bfa0d1fb54359a5bb2d218";
        assert_eq!(digest(&order), sha);
    }

    #[test]
    fn weights_beyond_64_bits_count_as_zero() {
        // 2^64 - 10 and 9 fill the sum; 20, 1, 5 and 7 no longer fit; with the key 0b 0b 0b ...
        let weights = Weights::new(&[u64::MAX - 9, 9, 20, 1, 5, 7, 0]);
        let mut drawing = Drawing::new(ChaCha::new(Generator::Chacha8, [11; 32]));
        weights.shuffle(None, std::slice::from_mut(&mut drawing));
        assert_eq!(drawing.order(), [0, 1, 2, 6, 5, 4, 3]);
    }

    #[test]
    fn the_memory_of_a_shuffle_is_used_again() {
        let weights = Weights::new(&[5; 100]);
        let mut drawing = Drawing::new(ChaCha::new(Generator::Chacha8, [0; 32]));
        let mut shuffle = |key| {
            drawing.begin(ChaCha::new(Generator::Chacha8, [key; 32]));
            weights.shuffle(Some(3), std::slice::from_mut(&mut drawing));
            let Tree { nodes, levels, .. } = &drawing.tree;
            (nodes.as_ptr(), levels.as_ptr(), drawing.order.as_ptr())
        };
        assert_eq!(shuffle(1), shuffle(2));
    }

    #[test]
    fn every_depth_orders_all_places_once() {
        for len in [1, 8, 9, 64, 65, 512, 513, 4_097, 40_000] {
            let weights: Vec<u64> = (0..len).map(|i| (i * 37 + 11) % 50).collect();
            let without = Some(len as u32 / 2);
            let mut order = order(&weights, Generator::Chacha8, without);
            order.sort_unstable();
            let expected = (0..len as u32).filter(|place| Some(*place) != without);
            assert!(order.into_iter().eq(expected), "{len}");
        }
    }
}
