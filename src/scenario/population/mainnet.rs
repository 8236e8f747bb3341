//! Scenario layer: the stake distribution of Solana's mainnet, stretched to any number of nodes.
//!
//! The curve that is kept is the share of the stake held by the largest fraction `x` of the
//! validators, as measured at epoch 860 (validators.app export committed with the Alpenglow
//! simulator on 2025-10-06: 962 validators with stake, 414,485,427 SOL).

use super::stake::apportion;

/// Validators with stake at epoch 860.
pub const VALIDATORS: usize = 962;

/// Their stake in SOL.
pub const TOTAL_SOL: u64 = 414_485_427;

/// Published points of the ordered list of stakes: (rank from 1, SOL). Between them log stake is
/// linear in log rank. The last published value is "about zero"; one SOL stands for it.
const POINTS: [(u32, u32); 20] = [
    (1, 13_827_531),
    (2, 13_244_437),
    (3, 10_898_355),
    (5, 8_958_363),
    (10, 6_168_729),
    (20, 3_767_090),
    (35, 2_502_396),
    (50, 2_023_064),
    (75, 1_265_423),
    (100, 798_004),
    (150, 460_539),
    (200, 302_931),
    (300, 215_232),
    (400, 176_373),
    (500, 109_716),
    (600, 77_242),
    (700, 48_744),
    (800, 22_843),
    (900, 2_642),
    (962, 1),
];

/// Published cumulative shares: (largest so many of 962, percent of the stake).
const PUBLISHED_SHARES: [(u32, f64); 8] = [
    (1, 3.34),
    (5, 13.94),
    (10, 22.78),
    (20, 33.70),
    (50, 53.44),
    (100, 69.43),
    (200, 80.84),
    (400, 91.61),
];

/// The stakes of `nodes` validators, largest first, that add up to `total`; `None` if `total` is
/// too small for one unit each.
///
/// Node `i` of `n` holds what the validators from the fraction `i/n` to the fraction `(i+1)/n` of
/// the ordered list hold on mainnet, so the cumulative share is exact at every node: groups of
/// validators become one node, or one validator becomes several equal nodes. At 962 nodes the
/// stakes are the table's, scaled to `total`.
#[must_use]
pub fn stakes(nodes: usize, total: u64) -> Option<Vec<u64>> {
    let table = table();
    let mut below = vec![0_u64];
    for stake in &table {
        below.push(below[below.len() - 1] + stake);
    }
    // The stake of the first 962 * k / nodes validators, times `nodes`: below 4.1e8 * 1e5 = 4.1e13.
    let cumulative = |k: usize| {
        let (whole, rest) = (VALIDATORS * k / nodes, VALIDATORS * k % nodes);
        let part = if rest == 0 { 0 } else { table[whole] * rest as u64 };
        below[whole] * nodes as u64 + part
    };
    let weights: Vec<u64> = (0..nodes).map(|k| cumulative(k + 1) - cumulative(k)).collect();
    apportion(&weights, total)
}

/// How far the cumulative share of `nodes` validators (1 to 100,000) is from the published one, in
/// percentage points: the largest difference at the fractions 1, 5, 10, 20, 50, 100, 200 and 400 of
/// 962, taken linearly between nodes.
///
/// 0.55 at 962 nodes and at any larger number (the table's own error, at the top 100), 0.56 at 200,
/// 2.5 at 100 and 10.6 at 25: with few nodes the first one stands for many of the largest
/// validators, so the steepest part of the curve lies within it. At 100 nodes it holds 22 %.
#[must_use]
pub fn cumulative_share_error(nodes: usize) -> f64 {
    let nodes = nodes.max(1);
    let stakes = stakes(nodes, TOTAL_SOL).unwrap_or_default();
    let share_of_top = |fraction: f64| {
        let place = fraction * nodes as f64;
        let whole = (place as usize).min(nodes - 1);
        let below: u64 = stakes.iter().take(whole).sum();
        let next = stakes.get(whole).copied().unwrap_or(0);
        100.0 * (below as f64 + (place - whole as f64) * next as f64) / TOTAL_SOL as f64
    };
    let error = |(top, published): (u32, f64)| {
        (share_of_top(f64::from(top) / VALIDATORS as f64) - published).abs()
    };
    PUBLISHED_SHARES.into_iter().map(error).fold(0.0, f64::max)
}

/// The stake of every rank in whole SOL.
fn table() -> Vec<u64> {
    let mut table = Vec::with_capacity(VALIDATORS);
    for pair in POINTS.windows(2) {
        let [(low, from), (high, to)] = [pair[0], pair[1]];
        let ln = |number: u32| libm::log(f64::from(number));
        let slope = (ln(to) - ln(from)) / (ln(high) - ln(low));
        let stake = |rank: u32| libm::exp(ln(from) + slope * (ln(rank) - ln(low)));
        table.extend((low..high).map(|rank| libm::round(stake(rank)) as u64));
    }
    table.push(u64::from(POINTS[POINTS.len() - 1].1));
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_the_published_stakes_at_the_published_ranks() {
        let table = table();
        assert_eq!(table.len(), VALIDATORS);
        for (rank, stake) in POINTS {
            assert_eq!(table[rank as usize - 1], u64::from(stake), "rank {rank}");
        }
        assert!(table.is_sorted_by(|a, b| a >= b));
        // Python, the same interpolation in double precision: 407,274,956 SOL in all.
        assert!(table.iter().sum::<u64>().abs_diff(407_274_956) <= 10);
    }

    #[test]
    fn at_962_nodes_every_node_is_its_rank() {
        let table = table();
        let sum: u64 = table.iter().sum();
        let stakes = stakes(VALIDATORS, TOTAL_SOL).expect("a large total");
        for (rank, (stake, listed)) in stakes.iter().zip(&table).enumerate() {
            // One unit each and rounding: at most three units from the exact proportion, besides
            // the 962 units set aside, which is 2.3e-6 of the stake.
            let exact = *listed as f64 * TOTAL_SOL as f64 / sum as f64;
            let off = (*stake as f64 - exact).abs();
            assert!(off <= 3.0 + 2.4e-6 * exact, "rank {}: {stake} for {exact}", rank + 1);
        }
    }

    #[test]
    fn the_cumulative_share_keeps_its_stated_error_at_every_size() {
        // Python, with the same table and chords between nodes: 0.551 at 962, 0.557 at 200, 2.507
        // at 100, 10.570 at 25, 0.551 at 1,500 and at 10,000 nodes.
        for (nodes, stated) in [
            (25, 10.570),
            (100, 2.507),
            (200, 0.557),
            (962, 0.551),
            (1_500, 0.551),
            (10_000, 0.551),
        ] {
            let error = cumulative_share_error(nodes);
            assert!((error - stated).abs() < 0.005, "{nodes} nodes: {error}");
        }
        assert!(cumulative_share_error(VALIDATORS) <= 0.6);
    }

    #[test]
    fn any_number_of_nodes_gets_positive_ordered_stakes_of_the_asked_total() {
        for nodes in [1, 2, 7, 100, 961, 963, 5_000, 100_000] {
            let stakes = stakes(nodes, 1_000_000_007).expect("a large total");
            assert_eq!(stakes.len(), nodes);
            assert_eq!(stakes.iter().sum::<u64>(), 1_000_000_007);
            assert!(stakes.is_sorted_by(|a, b| a >= b) && stakes[nodes - 1] > 0);
        }
        assert_eq!(stakes(10, 9), None);
    }
}
