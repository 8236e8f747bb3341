//! Scenario layer: which node goes to which place.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use crate::base::id::{NodeId, NodeMap};
use crate::base::rng::{Purpose, Rng, Seed};

use super::super::city::{CITIES, City};
use super::PlacementOrder;

/// The cities that hold stake on mainnet, in the order of the table.
pub(super) fn mainnet_cities() -> Vec<&'static City> {
    CITIES.iter().filter(|city| city.weight > 0).collect()
}

/// Deals nodes out to places of these weights (not empty, not all zero, sum below 2^64).
pub(super) fn deal(
    count: usize,
    weights: &[u64],
    order: PlacementOrder,
    seed: Seed,
) -> NodeMap<u16> {
    match order {
        PlacementOrder::RoundRobin => in_turn(count, weights),
        PlacementOrder::Random => {
            let mut sum = 0;
            let ends: Vec<u64> = weights
                .iter()
                .map(|weight| {
                    sum += weight;
                    sum
                })
                .collect();
            NodeMap::build(count, |node| {
                let draw = Rng::of_node(seed, Purpose::Placement, node).below(sum);
                ends.partition_point(|&end| end <= draw) as u16
            })
        }
    }
}

/// A place's next turn: it comes when the other places have had their due of (2a + 1) / weight.
#[derive(PartialEq, Eq)]
struct Turn {
    odd: u64,
    weight: u64,
    place: u16,
}

impl Ord for Turn {
    fn cmp(&self, other: &Self) -> Ordering {
        let own = u128::from(self.odd) * u128::from(other.weight);
        let others = u128::from(other.odd) * u128::from(self.weight);
        own.cmp(&others).then(self.place.cmp(&other.place))
    }
}

impl PartialOrd for Turn {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The method of Sainte-Laguë: equal weights give plain turns, and the first nodes do not depend
/// on how many follow.
fn in_turn(count: usize, weights: &[u64]) -> NodeMap<u16> {
    let first =
        |(place, &weight): (usize, &u64)| Reverse(Turn { odd: 1, weight, place: place as u16 });
    let mut turns: BinaryHeap<Reverse<Turn>> =
        weights.iter().enumerate().filter(|(_, weight)| **weight > 0).map(first).collect();
    NodeMap::build(count, |_| {
        let Reverse(turn) = turns.pop().expect("some weight is above zero");
        let place = turn.place;
        turns.push(Reverse(Turn { odd: turn.odd + 2, ..turn }));
        place
    })
}

/// Deals validators out by stake, the largest first, each to the city that is furthest below its
/// quota; then the nodes without stake in the same way, each counting as one.
pub(super) fn by_stake(stakes: &NodeMap<u64>, cities: &[&City]) -> NodeMap<u16> {
    let mut validators: Vec<NodeId> = NodeId::all(stakes.len()).collect();
    let observers: Vec<NodeId> =
        validators.iter().copied().filter(|&node| stakes[node] == 0).collect();
    validators.retain(|&node| stakes[node] > 0);
    validators.sort_by_key(|&node| (Reverse(stakes[node]), node));
    let mut site_of = NodeMap::filled(stakes.len(), 0);
    let validators = validators.into_iter().map(|node| (node, stakes[node]));
    fill_quotas(validators.collect(), cities, &mut site_of);
    let turns =
        in_turn(observers.len(), &cities.iter().map(|c| c.weight.into()).collect::<Vec<_>>());
    for (node, &city) in observers.into_iter().zip(turns.values()) {
        site_of[node] = city;
    }
    site_of
}

/// Gives each node, in order, to the city with the largest gap between quota and what it has.
fn fill_quotas(nodes: Vec<(NodeId, u64)>, cities: &[&City], site_of: &mut NodeMap<u16>) {
    let total: i128 = nodes.iter().map(|(_, stake)| i128::from(*stake)).sum();
    let all: i128 = cities.iter().map(|city| i128::from(city.weight)).sum();
    let mut gaps: Vec<i128> = cities.iter().map(|city| total * i128::from(city.weight)).collect();
    for (node, stake) in nodes {
        // The first of the largest: `max_by_key` would take the last.
        let widest = (0..gaps.len()).min_by_key(|&city| Reverse(gaps[city]));
        let city = widest.expect("the table has cities with stake");
        gaps[city] -= i128::from(stake) * all;
        site_of[node] = city as u16;
    }
}

/// By how much the share of the stake in a city differs at most from the city's share on mainnet,
/// in percentage points: how well `kind = "solana-mainnet"` could do with these stakes.
#[must_use]
pub fn mainnet_placement_error(stakes: &NodeMap<u64>) -> f64 {
    let cities = mainnet_cities();
    let site_of = by_stake(stakes, &cities);
    let mut placed = vec![0_u64; cities.len()];
    stakes.iter().for_each(|(node, stake)| placed[usize::from(site_of[node])] += stake);
    let total = stakes.values().sum::<u64>().max(1) as f64;
    let error = |(city, stake): (&&City, &u64)| {
        (100.0 * *stake as f64 / total - f64::from(city.weight) / 100.0).abs()
    };
    cities.iter().zip(&placed).map(error).fold(0.0, f64::max)
}
