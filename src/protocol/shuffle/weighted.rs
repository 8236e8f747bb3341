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

/// Working memory of a shuffle, to be used again.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    tree: Tree,
    zeros: Vec<u32>,
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
    /// proportion to what remains; then those without, uniformly. `order` is cleared first.
    pub fn shuffle(
        &self,
        random: &mut ChaCha,
        without: Option<u32>,
        scratch: &mut Scratch,
        order: &mut Vec<u32>,
    ) {
        order.clear();
        scratch.tree.clone_from(&self.tree);
        scratch.zeros.clone_from(&self.zeros);
        let mut count = self.weights.len() - self.zeros.len();
        match without.map(|place| (place, self.weights[place as usize])) {
            Some((place, 0)) => scratch.zeros.retain(|zero| *zero != place),
            Some((place, weight)) => {
                scratch.tree.remove(place as usize, weight);
                count -= 1;
            }
            None => {}
        }
        self.draw(count, random, &mut scratch.tree, order);
        while !scratch.zeros.is_empty() {
            let drawn = random.below_single(scratch.zeros.len() as u64);
            order.push(scratch.zeros.swap_remove(drawn as usize));
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
    fn draw(&self, count: usize, random: &mut ChaCha, tree: &mut Tree, order: &mut Vec<u32>) {
        match tree.levels.len() {
            1 => self.draw_from::<1>(count, random, tree, order),
            2 => self.draw_from::<2>(count, random, tree, order),
            3 => self.draw_from::<3>(count, random, tree, order),
            4 => self.draw_from::<4>(count, random, tree, order),
            5 => self.draw_from::<5>(count, random, tree, order),
            _ => self.draw_from::<8>(count, random, tree, order),
        }
    }

    /// The same for a tree of known depth, so that the loops over its levels unroll.
    fn draw_from<const DEPTH: usize>(
        &self,
        count: usize,
        random: &mut ChaCha,
        tree: &mut Tree,
        order: &mut Vec<u32>,
    ) {
        let mut levels = [0; DEPTH];
        levels.copy_from_slice(&tree.levels);
        for _ in 0..count {
            let place = find(&tree.nodes, &levels, random.below_single(tree.total));
            order.push(place as u32);
            let weight = self.weights[place];
            remove(&mut tree.nodes, &levels, place, weight);
            tree.total -= weight;
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
