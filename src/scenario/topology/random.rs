//! Scenario layer: random overlays. Each generator draws from one stream in a fixed order, so a
//! seed names a graph.

use std::collections::BTreeSet;

use super::generate::Adjacency;
use super::within_limit;
use crate::base::quantity::Chance;
use crate::base::rng::Rng;
use crate::scenario::error::ScenarioError;

/// How often a regular graph is begun anew before its degree is given up.
const ATTEMPTS: usize = 100;

/// Refuses a degree that is zero or leaves no other node to choose.
fn check_degree(key: &str, degree: u32, nodes: usize) -> Result<(), ScenarioError> {
    if nodes < 2 {
        let message = format!("{degree} is not possible: there is no other node to know");
        return Err(ScenarioError::new(key, message));
    }
    if degree == 0 || degree as usize >= nodes {
        let message =
            format!("{degree} is not possible among {nodes} nodes; expected 1 to {}", nodes - 1);
        return Err(ScenarioError::new(key, message));
    }
    Ok(())
}

/// Every node with `degree` neighbours.
pub(super) fn regular(
    nodes: usize,
    degree: u32,
    rng: &mut Rng,
) -> Result<Adjacency, ScenarioError> {
    let key = "topology.degree";
    check_degree(key, degree, nodes)?;
    let ends = nodes as u64 * u64::from(degree);
    if !ends.is_multiple_of(2) {
        let message = format!("{nodes} nodes of degree {degree} have {ends} ends of links");
        return Err(ScenarioError::new(key, format!("{message}, an odd number"))
            .hint("every link has two ends, so the degree or the number of nodes must be even"));
    }
    within_limit(key, ends)?;
    with_degrees(&vec![degree; nodes], rng).ok_or_else(|| {
        let message = format!("no graph of degree {degree} was found in {ATTEMPTS} attempts");
        ScenarioError::new(key, message).hint("another degree or seed may succeed")
    })
}

/// A random graph with these degrees, which are nearly equal and have an even sum; `None` if
/// [`ATTEMPTS`] attempts met dead ends.
///
/// Where more than half of all links are wanted, the missing ones are drawn, because few dead ends
/// are met that way.
pub(super) fn with_degrees(degrees: &[u32], rng: &mut Rng) -> Option<Adjacency> {
    let others = degrees.len().saturating_sub(1) as u32;
    let dense = degrees.first().is_some_and(|&degree| degree > others / 2);
    if !dense {
        return (0..ATTEMPTS).find_map(|_| pair_ends(degrees, rng));
    }
    let missing: Vec<u32> = degrees.iter().map(|degree| others - degree).collect();
    let absent = (0..ATTEMPTS).find_map(|_| pair_ends(&missing, rng))?;
    let mut graph = Adjacency::new(degrees.len());
    for a in 0..degrees.len() as u32 {
        (a + 1..degrees.len() as u32).filter(|&b| !absent.linked(a, b)).for_each(|b| {
            graph.link(a, b);
        });
    }
    Some(graph)
}

/// One attempt at pairing all ends (Steger and Wormald, "Generating random regular graphs quickly",
/// 1999): each step pairs two free ends, uniform among those that give neither a loop nor a double.
fn pair_ends(degrees: &[u32], rng: &mut Rng) -> Option<Adjacency> {
    let mut graph = Adjacency::new(degrees.len());
    let node_ends = degrees.iter().zip(0_u32..);
    let mut free: Vec<u32> =
        node_ends.flat_map(|(&degree, node)| std::iter::repeat_n(node, degree as usize)).collect();
    let mut misses = 0;
    while !free.is_empty() {
        let (first, second) = (rng.index(free.len()), rng.index(free.len()));
        // Ends of one node count as linked, so `first` and `second` differ below.
        if graph.link(free[first], free[second]) {
            free.swap_remove(first.max(second));
            free.swap_remove(first.min(second));
            misses = 0;
            continue;
        }
        misses += 1;
        if misses > free.len() {
            if !can_pair(&graph, &free) {
                return None;
            }
            misses = 0;
        }
    }
    Some(graph)
}

/// Whether two of the free ends belong to nodes that may still be linked.
fn can_pair(graph: &Adjacency, free: &[u32]) -> bool {
    let owners: BTreeSet<u32> = free.iter().copied().collect();
    let mut pairs = owners.iter().flat_map(|a| owners.range(a + 1..).map(move |b| (*a, *b)));
    pairs.any(|(a, b)| !graph.linked(a, b))
}

/// Visits each pair `0..pairs` with this probability, in increasing order, at a cost that grows
/// with the visited pairs only (Batagelj and Brandes, "Efficient generation of large random
/// networks", 2005): the gaps between visits are geometric.
pub(super) fn bernoulli(pairs: u64, chance: Chance, rng: &mut Rng, mut visit: impl FnMut(u64)) {
    if chance.is_never() {
        return;
    }
    if chance == Chance::ALWAYS {
        return (0..pairs).for_each(visit);
    }
    let miss = libm::log1p(-(f64::from(chance.ppb()) / f64::from(Chance::ALWAYS.ppb())));
    let mut next = 0_u64;
    loop {
        // 53 uniform bits are every multiple of 2^-53 below one; the gap is below 4e10.
        let uniform = (rng.bits() >> 11) as f64 / (1_u64 << 53) as f64;
        next += libm::floor(libm::log1p(-uniform) / miss) as u64;
        if next >= pairs {
            return;
        }
        visit(next);
        next += 1;
    }
}

/// Directed edges to expect when every pair of `nodes` nodes is linked with this probability.
pub(super) fn expected_edges(nodes: usize, chance: Chance) -> u64 {
    let ordered = nodes as u128 * nodes.saturating_sub(1) as u128;
    let expected = ordered * u128::from(chance.ppb()) / u128::from(Chance::ALWAYS.ppb());
    u64::try_from(expected).unwrap_or(u64::MAX)
}

/// Links each pair of these nodes with the same probability.
pub(super) fn link_pairs(graph: &mut Adjacency, members: &[u32], chance: Chance, rng: &mut Rng) {
    let count = members.len() as u64;
    // Pairs (a, b) with b < a are numbered row by row: row a holds a of them.
    let (mut row, mut before) = (1_u64, 0_u64);
    bernoulli(count * count.saturating_sub(1) / 2, chance, rng, |pair| {
        while pair - before >= row {
            before += row;
            row += 1;
        }
        graph.link(members[row as usize], members[(pair - before) as usize]);
    });
}

/// Every pair linked with the same probability.
pub(super) fn erdos_renyi(
    nodes: usize,
    probability: Chance,
    rng: &mut Rng,
) -> Result<Adjacency, ScenarioError> {
    let key = "topology.probability";
    within_limit(key, expected_edges(nodes, probability))?;
    let mut graph = Adjacency::new(nodes);
    let members: Vec<u32> = (0..nodes as u32).collect();
    link_pairs(&mut graph, &members, probability, rng);
    within_limit(key, graph.pairs().count() as u64)?;
    Ok(graph)
}

/// A ring lattice with some links moved (Watts and Strogatz, "Collective dynamics of 'small-world'
/// networks", 1998): lap by lap, each node's link to the node `lap` places on is moved with
/// probability `rewire` to a uniform far end that gives neither a loop nor a double.
pub(super) fn watts_strogatz(
    nodes: usize,
    degree: u32,
    rewire: Chance,
    rng: &mut Rng,
) -> Result<Adjacency, ScenarioError> {
    let key = "topology.degree";
    check_degree(key, degree, nodes)?;
    if !degree.is_multiple_of(2) {
        let message = format!("{degree} is odd; the ring needs as many neighbours on either side");
        return Err(ScenarioError::new(key, message));
    }
    within_limit(key, nodes as u64 * u64::from(degree))?;
    let count = nodes as u32;
    let ahead = |node: u32, lap: u32| ((u64::from(node) + u64::from(lap)) % nodes as u64) as u32;
    let mut graph = Adjacency::new(nodes);
    for lap in 1..=degree / 2 {
        (0..count).for_each(|node| {
            graph.link(node, ahead(node, lap));
        });
    }
    for lap in 1..=degree / 2 {
        for node in 0..count {
            // A node that knows everybody has no other far end to move the link to.
            if !rng.chance(rewire) || graph.degree(node) == nodes - 1 {
                continue;
            }
            let far = loop {
                let far = rng.index(nodes) as u32;
                if far != node && !graph.linked(node, far) {
                    break far;
                }
            };
            graph.unlink(node, ahead(node, lap));
            graph.link(node, far);
        }
    }
    Ok(graph)
}

/// Preferential attachment (Barabási and Albert, "Emergence of scaling in random networks", 1999),
/// begun with a complete graph of `attach + 1` nodes.
pub(super) fn barabasi_albert(
    nodes: usize,
    attach: u32,
    rng: &mut Rng,
) -> Result<Adjacency, ScenarioError> {
    let key = "topology.attach";
    check_degree(key, attach, nodes)?;
    within_limit(key, 2 * nodes as u64 * u64::from(attach))?;
    let mut graph = Adjacency::new(nodes);
    // Each node once for each of its links: a uniform entry is proportional to degree.
    let mut ends = Vec::new();
    for node in 1..=attach {
        for earlier in 0..node {
            graph.link(node, earlier);
            ends.extend([node, earlier]);
        }
    }
    for node in attach + 1..nodes as u32 {
        let known = ends.len();
        while graph.degree(node) < attach as usize {
            let target = ends[rng.index(known)];
            if graph.link(node, target) {
                ends.extend([node, target]);
            }
        }
    }
    Ok(graph)
}

/// Each node with `degree` different random others, as directed pairs.
pub(super) fn k_out(
    nodes: usize,
    degree: u32,
    rng: &mut Rng,
) -> Result<Vec<(u32, u32)>, ScenarioError> {
    let key = "topology.degree";
    check_degree(key, degree, nodes)?;
    within_limit(key, nodes as u64 * u64::from(degree))?;
    let (mut pairs, mut places) = (Vec::new(), Vec::new());
    for node in 0..nodes as u32 {
        rng.sample(nodes - 1, degree as usize, &mut places);
        // Places count the others only, so those from the node itself on are one further.
        pairs.extend(places.iter().map(|&place| (node, place + u32::from(place >= node))));
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::{Purpose, Seed};

    fn rng(seed: u64) -> Rng {
        Rng::of_cluster(Seed(seed), Purpose::Topology)
    }

    fn links(graph: &Adjacency) -> usize {
        graph.pairs().count() / 2
    }

    #[test]
    fn every_node_of_a_regular_graph_has_the_degree() {
        for (nodes, degree) in [(2, 1), (10, 3), (25, 4), (25, 22), (10, 9), (200, 7), (60, 30)] {
            let graph = regular(nodes, degree, &mut rng(1)).expect("a regular graph");
            let degrees = (0..nodes as u32).map(|node| graph.degree(node));
            assert!(degrees.clone().all(|d| d == degree as usize), "{nodes} {degree}");
        }
        let refused = |nodes, degree| regular(nodes, degree, &mut rng(1)).expect_err("impossible");
        assert!(refused(5, 3).message.contains("odd"));
        assert!(refused(5, 5).message.contains("expected 1 to 4"));
        assert!(refused(5, 0).message.contains("expected 1 to 4"));
        assert!(refused(0, 1).message.contains("no other node"));
    }

    #[test]
    fn regular_graphs_of_six_nodes_come_nearly_equally_often() {
        // There are 70 labelled 2-regular graphs on 6 nodes: 5!/2 = 60 hexagons and C(6,3)/2 = 10
        // pairs of triangles, one in seven. The method is uniform only for many nodes: here an
        // independent simulation of it in Python gave 10,386 pairs of triangles in 70,000, so of
        // 7,000 graphs 1,039 with a deviation of 29.7; six of them are 178. (Pairing ends in
        // shuffled rounds, a common shortcut, gives 2,171.)
        let mut stream = rng(5);
        let triangles = (0..7_000)
            .filter(|_| {
                let graph = regular(6, 2, &mut stream).expect("a regular graph");
                let of_zero: Vec<u32> = (1..6).filter(|&n| graph.linked(0, n)).collect();
                graph.linked(of_zero[0], of_zero[1])
            })
            .count();
        assert!(triangles.abs_diff(1_039) < 178, "{triangles}");
    }

    #[test]
    fn erdos_renyi_links_each_pair_with_the_probability() {
        let probability = Chance::from_ppb(50_000_000).expect("5 %");
        let mut low_pairs = 0;
        for seed in 0..20 {
            let graph = erdos_renyi(200, probability, &mut rng(seed)).expect("a graph");
            // 19,900 pairs at 5 %: mean 995, deviation sqrt(19900 * 0.05 * 0.95) = 30.7; six of
            // them are 185.
            assert!(links(&graph).abs_diff(995) < 185, "{}", links(&graph));
            low_pairs += (1..21).filter(|&n| graph.linked(0, n)).count();
        }
        // The first 20 pairs of node 0 over 20 seeds: 400 trials, mean 20, deviation 4.4.
        assert!((1..47).contains(&low_pairs), "{low_pairs}");
        assert_eq!(links(&erdos_renyi(30, Chance::ALWAYS, &mut rng(1)).expect("all")), 435);
        assert_eq!(links(&erdos_renyi(30, Chance::NEVER, &mut rng(1)).expect("none")), 0);
        assert!(erdos_renyi(10_000, Chance::ALWAYS, &mut rng(1)).is_err(), "10^8 edges");
    }

    #[test]
    fn watts_strogatz_without_rewiring_is_the_ring_lattice() {
        let graph = watts_strogatz(20, 6, Chance::NEVER, &mut rng(1)).expect("a lattice");
        for a in 0..20_u32 {
            for b in 0..20_u32 {
                let apart = a.abs_diff(b).min(20 - a.abs_diff(b));
                assert_eq!(graph.linked(a, b), (1..=3).contains(&apart), "{a} {b}");
            }
        }
    }

    #[test]
    fn watts_strogatz_keeps_the_number_of_links_and_moves_the_given_part() {
        let part = Chance::from_ppb(200_000_000).expect("20 %");
        let graph = watts_strogatz(500, 8, part, &mut rng(2)).expect("a small world");
        assert_eq!(links(&graph), 2_000);
        let apart = |a: u32, b: u32| a.abs_diff(b).min(500 - a.abs_diff(b));
        let moved = graph.pairs().filter(|&(a, b)| apart(a, b) > 4).count() / 2;
        // 2,000 links at 20 %: 400 moved, deviation 17.9; six are 107. At most 8 of the 500
        // possible far ends are near again, so up to 7 of the 400 do not count as far.
        assert!(moved.abs_diff(400) < 115, "{moved}");
        // Every link of the origin side stays: no node falls below half the degree.
        assert!((0..500).all(|node| graph.degree(node) >= 4));
        let full = watts_strogatz(5, 4, Chance::ALWAYS, &mut rng(1)).expect("complete");
        assert_eq!(links(&full), 10);
        assert!(watts_strogatz(20, 5, part, &mut rng(1)).is_err(), "odd");
        assert!(watts_strogatz(6, 6, part, &mut rng(1)).is_err(), "too large");
    }

    #[test]
    fn barabasi_albert_has_few_nodes_of_very_high_degree() {
        let (nodes, attach) = (2_000_usize, 2_u32);
        let mut high = 0;
        for seed in 0..10 {
            let graph = barabasi_albert(nodes, attach, &mut rng(seed)).expect("a graph");
            // A triangle to begin with, then two links for each of 1,997 nodes.
            assert_eq!(links(&graph), 3 + 2 * 1_997);
            let degrees: Vec<_> = (0..nodes as u32).map(|node| graph.degree(node)).collect();
            assert!(degrees.iter().all(|&degree| degree >= 2));
            // A random graph of the same mean degree 4 is Poisson: above 20 with 1e-9, so not one
            // of 2,000 nodes. The largest degree here grows like 2 * sqrt(2000) = 89.
            assert!(degrees.iter().any(|&degree| degree >= 40), "seed {seed}");
            high += degrees.iter().filter(|&&degree| degree >= 21).count();
        }
        // P(degree >= k) = m(m+1) / (k(k+1)) (Bollobás et al., 2001): 6/462 of 20,000 nodes are
        // 260. Single counts deviate by about 16; six of them are 97.
        assert!(high.abs_diff(260) < 97, "{high}");
        assert!(barabasi_albert(2, 2, &mut rng(1)).is_err());
        assert_eq!(links(&barabasi_albert(3, 2, &mut rng(1)).expect("a triangle")), 3);
    }

    #[test]
    fn k_out_gives_every_node_that_many_different_others() {
        let pairs = k_out(50, 6, &mut rng(3)).expect("a graph");
        let mut known_by = [0_u32; 50];
        for node in 0..50_u32 {
            let mut of_node: Vec<_> = pairs.iter().filter(|(from, _)| *from == node).collect();
            of_node.sort_unstable();
            of_node.dedup();
            assert_eq!(of_node.len(), 6);
            assert!(of_node.iter().all(|(_, to)| *to != node && *to < 50));
            of_node.iter().for_each(|(_, to)| known_by[*to as usize] += 1);
        }
        // Being known is Bin(49, 6/49): deviation 2.3; six of them from the mean 6 is below 20.
        assert!(known_by.iter().all(|&count| count < 20), "{known_by:?}");
        let all = k_out(4, 3, &mut rng(1)).expect("everybody");
        assert_eq!(all.len(), 12);
        assert!(k_out(4, 4, &mut rng(1)).is_err());
    }
}
