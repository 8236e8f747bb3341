//! Scenario layer: the two-level random overlay: dense inside each region, a few bridges between
//! each pair of regions.

use std::collections::{BTreeMap, BTreeSet};

use super::generate::Adjacency;
use super::random::{expected_edges, link_pairs, with_degrees};
use super::within_limit;
use crate::base::id::NodeMap;
use crate::base::quantity::Chance;
use crate::base::rng::Rng;
use crate::scenario::error::ScenarioError;

/// How the nodes of one region are linked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Inner {
    /// All with all.
    Complete,
    /// Each with so many random others.
    Degree(u32),
    /// Each pair with the same probability.
    Probability(Chance),
}

impl Inner {
    /// Reads the two keys, of which at most one is given.
    pub(super) fn new(
        degree: Option<u32>,
        probability: Option<Chance>,
    ) -> Result<Self, ScenarioError> {
        match (degree, probability) {
            (None, None) => Ok(Self::Complete),
            (Some(0), None) => Err(ScenarioError::new(
                "topology.inner_degree",
                "0 would link nobody inside a region; expected 1 or more",
            )),
            (Some(degree), None) => Ok(Self::Degree(degree)),
            (None, Some(probability)) => Ok(Self::Probability(probability)),
            (Some(_), Some(_)) => Err(ScenarioError::new(
                "topology.inner_degree",
                "given together with inner_probability; expected at most one of the two",
            )),
        }
    }

    /// Directed edges of a region of so many nodes, exact or expected.
    fn edges(self, nodes: usize) -> u64 {
        let complete = nodes as u64 * nodes.saturating_sub(1) as u64;
        match self {
            Self::Complete => complete,
            Self::Degree(degree) => complete.min(nodes as u64 * u64::from(degree)),
            Self::Probability(chance) => expected_edges(nodes, chance),
        }
    }

    /// Links the nodes of one region.
    fn link(
        self,
        graph: &mut Adjacency,
        members: &[u32],
        rng: &mut Rng,
    ) -> Result<(), ScenarioError> {
        match self {
            Self::Degree(degree) if (degree as usize) < members.len() => {
                let mut degrees = vec![degree; members.len()];
                if members.len() % 2 == 1 && degree % 2 == 1 {
                    // Every link has two ends, so an odd number of ends cannot all be used.
                    degrees[rng.index(members.len())] -= 1;
                }
                let region = with_degrees(&degrees, rng).ok_or_else(|| {
                    let message = format!("no graph of degree {degree} was found for a region");
                    ScenarioError::new("topology.inner_degree", message)
                        .hint("another degree or seed may succeed")
                })?;
                for (a, b) in region.pairs() {
                    graph.link(members[a as usize], members[b as usize]);
                }
            }
            Self::Complete | Self::Degree(_) => link_pairs(graph, members, Chance::ALWAYS, rng),
            Self::Probability(chance) => link_pairs(graph, members, chance, rng),
        }
        Ok(())
    }
}

/// The two-level graph of nodes in these regions.
pub(super) fn regions(
    region_of: &NodeMap<u16>,
    inner: Inner,
    bridges: u32,
    rng: &mut Rng,
) -> Result<Adjacency, ScenarioError> {
    let mut members = BTreeMap::<u16, Vec<u32>>::new();
    for (node, region) in region_of.iter() {
        members.entry(*region).or_default().push(node.number());
    }
    let members: Vec<Vec<u32>> = members.into_values().collect();
    within_limit("topology.kind", members.iter().map(|list| inner.edges(list.len())).sum())?;
    let pairs = || (0..members.len()).flat_map(|a| (0..a).map(move |b| (b, a)));
    let possible = |(a, b): (usize, usize)| members[a].len() as u64 * members[b].len() as u64;
    let across: u64 = pairs().map(|pair| possible(pair).min(u64::from(bridges))).sum();
    within_limit("topology.bridges", 2 * across)?;
    let mut graph = Adjacency::new(region_of.len());
    for list in &members {
        inner.link(&mut graph, list, rng)?;
    }
    for (a, b) in pairs() {
        for place in distinct(possible((a, b)), u64::from(bridges), rng) {
            let width = members[b].len() as u64;
            graph.link(members[a][(place / width) as usize], members[b][(place % width) as usize]);
        }
    }
    Ok(graph)
}

/// `count` different numbers below `bound`, or all of them (Floyd's method: as many draws as
/// numbers, however large the bound).
fn distinct(bound: u64, count: u64, rng: &mut Rng) -> BTreeSet<u64> {
    let mut chosen = BTreeSet::new();
    for last in bound - count.min(bound)..bound {
        let drawn = rng.below(last + 1);
        if !chosen.insert(drawn) {
            chosen.insert(last);
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::NodeId;
    use crate::base::rng::{Purpose, Seed};

    fn rng(seed: u64) -> Rng {
        Rng::of_cluster(Seed(seed), Purpose::Topology)
    }

    /// Node i lives in region i mod `count`.
    fn placed(nodes: usize, count: u16) -> NodeMap<u16> {
        NodeMap::build(nodes, |node| (node.number() % u32::from(count)) as u16)
    }

    /// Links inside regions and between them.
    fn split(graph: &Adjacency, region: &NodeMap<u16>) -> (usize, usize) {
        let same = |&(a, b): &(u32, u32)| region[NodeId::new(a)] == region[NodeId::new(b)];
        let inside = graph.pairs().filter(same).count();
        (inside / 2, (graph.pairs().count() - inside) / 2)
    }

    #[test]
    fn regions_are_dense_inside_and_bridged_as_often_as_said() {
        let region = placed(30, 3);
        let graph = regions(&region, Inner::Complete, 4, &mut rng(1)).expect("a graph");
        // Three times C(10,2) links inside; three pairs of regions with four bridges.
        assert_eq!(split(&graph, &region), (3 * 45, 12));
        let graph = regions(&region, Inner::Degree(4), 4, &mut rng(1)).expect("a graph");
        assert_eq!(split(&graph, &region), (3 * 10 * 4 / 2, 12));
        let graph = regions(&region, Inner::Degree(99), 1_000, &mut rng(1)).expect("a graph");
        assert_eq!(split(&graph, &region), (3 * 45, 3 * 100));
        let half = Inner::Probability(Chance::from_ppb(500_000_000).expect("50 %"));
        let graph = regions(&region, half, 0, &mut rng(1)).expect("a graph");
        let (inside, across) = split(&graph, &region);
        // 135 pairs at one half: mean 67.5, deviation 5.8; six of them are 35.
        assert!(inside.abs_diff(67) <= 35 && across == 0, "{inside} {across}");
    }

    #[test]
    fn an_odd_region_of_odd_degree_spares_one_end() {
        let region = placed(7, 1);
        let graph = regions(&region, Inner::Degree(3), 1, &mut rng(1)).expect("a graph");
        let mut degrees: Vec<_> = (0..7).map(|node| graph.degree(node)).collect();
        degrees.sort_unstable();
        assert_eq!(degrees, [2, 3, 3, 3, 3, 3, 3]);
    }

    #[test]
    fn distinct_numbers_are_different_and_uniform() {
        let mut counts = [0_u32; 9];
        let mut stream = rng(4);
        for _ in 0..9_000 {
            let chosen = distinct(9, 3, &mut stream);
            assert_eq!(chosen.len(), 3);
            chosen.iter().for_each(|&number| counts[number as usize] += 1);
        }
        // 9,000 draws of probability 1/3: mean 3,000, deviation 45; six of them are 268.
        assert!(counts.iter().all(|&n| n.abs_diff(3_000) < 268), "{counts:?}");
        assert_eq!(distinct(2, 5, &mut stream).len(), 2);
    }

    #[test]
    fn the_two_inner_keys_exclude_each_other() {
        assert_eq!(Inner::new(None, None), Ok(Inner::Complete));
        assert_eq!(Inner::new(Some(3), None), Ok(Inner::Degree(3)));
        let error = Inner::new(Some(3), Some(Chance::NEVER)).expect_err("both");
        assert_eq!(error.key, "topology.inner_degree");
        assert!(Inner::new(Some(0), None).is_err());
    }
}
