//! Scenario layer: the resolved overlay, that is the directed edges along which nodes know each
//! other at the start of a run, and what can be measured on them.

use petgraph::graph::DiGraph;
use petgraph::unionfind::UnionFind;

use crate::base::digest::{Digest, RunningDigest};
use crate::base::id::NodeId;
use crate::base::quantity::Rate;
use crate::base::time::Span;

/// `from` knows `to`; the two may have a link of their own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Edge {
    /// Who knows.
    pub from: NodeId,
    /// Who is known.
    pub to: NodeId,
    /// One-way latency of the link; `None` leaves it to the network model.
    pub latency: Option<Span>,
    /// Rate of the link, in series after the uplink; `None` is no limit of its own.
    pub rate: Option<Rate>,
}

/// How a drawing of the overlay is laid out; takes no part in the digest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Shape {
    /// Nodes on a circle, in order.
    Circle,
    /// Nodes in rows whose direction alternates.
    Line,
    /// Rows and columns.
    Grid { columns: usize },
    /// Levels below node 0, in heap order.
    Tree { arity: usize },
    /// One node in the middle of a circle.
    Star { center: usize },
    /// One small circle for each region.
    Regions,
}

/// Who knows whom at the start of a run.
///
/// Made by [`resolve`](super::resolve); its edges have no self loops, no duplicates and are sorted
/// by `(from, to)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlay {
    /// Number of nodes.
    pub nodes: usize,
    /// Every node knows every other; then `edges` is empty.
    pub complete: bool,
    /// Latency of every link of a complete overlay.
    pub latency: Option<Span>,
    /// Rate of every link of a complete overlay.
    pub rate: Option<Rate>,
    /// The directed edges; a link that works both ways is two of them.
    pub edges: Vec<Edge>,
    /// Where the edges of each node start in `edges`; one entry more than nodes.
    offsets: Vec<u32>,
    pub(super) shape: Shape,
}

/// Out-degrees of all nodes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Degrees {
    /// The smallest.
    pub min: usize,
    /// The mean.
    pub mean: f64,
    /// The largest.
    pub max: usize,
}

/// Steps up to which the diameter is computed: nodes times (nodes plus edges).
const DIAMETER_STEPS: usize = 50_000_000;

impl Overlay {
    /// Every node knows every other, over links that are all alike.
    pub(super) fn complete(nodes: usize, latency: Option<Span>, rate: Option<Rate>) -> Self {
        let (edges, offsets) = (Vec::new(), vec![0; nodes + 1]);
        Self { nodes, complete: true, latency, rate, edges, offsets, shape: Shape::Circle }
    }

    /// The overlay of these edges; of several with the same ends the first is kept.
    ///
    /// # Panics
    /// If an edge names a node that is not there or leads to itself: callers check that.
    pub(super) fn from_edges(nodes: usize, mut edges: Vec<Edge>, shape: Shape) -> Self {
        edges.sort_by_key(|edge| (edge.from, edge.to));
        edges.dedup_by_key(|edge| (edge.from, edge.to));
        let mut offsets = vec![0_u32; nodes + 1];
        for edge in &edges {
            assert!(edge.from != edge.to && edge.to.index() < nodes, "edges are checked before");
            offsets[edge.from.index() + 1] += 1;
        }
        for node in 0..nodes {
            offsets[node + 1] += offsets[node];
        }
        Self { nodes, complete: false, latency: None, rate: None, edges, offsets, shape }
    }

    /// The stored edges that start at this node, sorted by the other end; empty when the overlay is
    /// complete, because then no edge is stored.
    #[must_use]
    pub fn edges_from(&self, node: NodeId) -> &[Edge] {
        let (first, end) = (self.offsets[node.index()], self.offsets[node.index() + 1]);
        &self.edges[first as usize..end as usize]
    }

    /// The nodes that this node knows, in increasing order.
    pub fn neighbours(&self, node: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        let everybody = if self.complete { self.nodes } else { 0 };
        let others = NodeId::all(everybody).filter(move |&other| other != node);
        others.chain(self.edges_from(node).iter().map(|edge| edge.to))
    }

    /// The edge between two nodes, also of a complete overlay.
    #[must_use]
    pub fn edge(&self, from: NodeId, to: NodeId) -> Option<Edge> {
        if self.complete {
            let (latency, rate) = (self.latency, self.rate);
            return (from != to).then_some(Edge { from, to, latency, rate });
        }
        let edges = self.edges_from(from);
        edges.binary_search_by_key(&to, |edge| edge.to).ok().map(|place| edges[place])
    }

    /// How many nodes this node knows.
    #[must_use]
    pub fn degree(&self, node: NodeId) -> usize {
        if self.complete { self.nodes.saturating_sub(1) } else { self.edges_from(node).len() }
    }

    /// Number of directed edges, also of a complete overlay.
    #[must_use]
    pub fn edge_count(&self) -> u64 {
        let nodes = self.nodes as u64;
        if self.complete { nodes * nodes.saturating_sub(1) } else { self.edges.len() as u64 }
    }

    /// Smallest, mean and largest out-degree; all zero without nodes.
    #[must_use]
    pub fn degrees(&self) -> Degrees {
        let degrees = || NodeId::all(self.nodes).map(|node| self.degree(node));
        Degrees {
            min: degrees().min().unwrap_or(0),
            mean: self.edge_count() as f64 / self.nodes.max(1) as f64,
            max: degrees().max().unwrap_or(0),
        }
    }

    /// How many nodes know each node.
    #[must_use]
    pub fn in_degrees(&self) -> Vec<usize> {
        if self.complete {
            return vec![self.nodes.saturating_sub(1); self.nodes];
        }
        let mut known_by = vec![0; self.nodes];
        self.edges.iter().for_each(|edge| known_by[edge.to.index()] += 1);
        known_by
    }

    /// Whether every edge has its reverse with the same latency and rate.
    #[must_use]
    pub fn is_two_way(&self) -> bool {
        self.edges.iter().all(|edge| {
            let back = self.edge(edge.to, edge.from);
            back.is_some_and(|back| back.latency == edge.latency && back.rate == edge.rate)
        })
    }

    /// The component of each node, named by one of its nodes, when edges count in both directions.
    fn component_of_each(&self) -> Vec<u32> {
        let mut sets = UnionFind::<u32>::new(self.nodes);
        for edge in &self.edges {
            sets.union(edge.from.number(), edge.to.number());
        }
        sets.into_labeling()
    }

    /// Number of parts that no edge connects (weakly connected components).
    #[must_use]
    pub fn components(&self) -> usize {
        if self.complete {
            return self.nodes.min(1);
        }
        let labels = self.component_of_each();
        (0..self.nodes).filter(|&node| labels[node] as usize == node).count()
    }

    /// Whether the overlay is in one piece when edges count in both directions.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.components() <= 1
    }

    /// Size of the smallest weakly connected component and its first node.
    pub(super) fn smallest_component(&self) -> Option<(usize, NodeId)> {
        if self.complete {
            return (self.nodes > 0).then_some((self.nodes, NodeId::new(0)));
        }
        let labels = self.component_of_each();
        let mut sizes = vec![0_usize; self.nodes];
        labels.iter().for_each(|&label| sizes[label as usize] += 1);
        NodeId::all(self.nodes)
            .map(|node| (sizes[labels[node.index()] as usize], node))
            .min_by_key(|&(size, node)| (size, node))
    }

    /// Number of parts inside which every node reaches every other along the edges (strongly
    /// connected components).
    #[must_use]
    pub fn strong_components(&self) -> usize {
        if self.complete || self.is_two_way() {
            return self.components();
        }
        let mut graph = DiGraph::<(), (), u32>::with_capacity(self.nodes, self.edges.len());
        for _ in 0..self.nodes {
            graph.add_node(());
        }
        for edge in &self.edges {
            graph.add_edge(edge.from.number().into(), edge.to.number().into(), ());
        }
        // Kosaraju's method and not Tarjan's, which recurses as deep as the graph is long.
        petgraph::algo::kosaraju_scc(&graph).len()
    }

    /// The largest number of hops between two nodes; `None` if some node does not reach another or
    /// if the overlay is too large for it (nodes times nodes plus edges above 50 million).
    #[must_use]
    pub fn diameter_if_small(&self) -> Option<usize> {
        if self.complete {
            return self.nodes.checked_sub(1).map(|others| others.min(1));
        }
        if self.nodes.saturating_mul(self.nodes + self.edges.len()) > DIAMETER_STEPS {
            return None;
        }
        let mut largest = None;
        for node in NodeId::all(self.nodes) {
            largest = largest.max(Some(self.eccentricity(node)?));
        }
        largest
    }

    /// Hops to the node farthest from this one; `None` if some node is out of reach.
    fn eccentricity(&self, start: NodeId) -> Option<usize> {
        let mut hops = vec![None; self.nodes];
        hops[start.index()] = Some(0);
        let mut reached = vec![start];
        let mut farthest = 0;
        let mut next = 0;
        while next < reached.len() {
            let node = reached[next];
            next += 1;
            farthest = hops[node.index()]?;
            for edge in self.edges_from(node) {
                if hops[edge.to.index()].is_none() {
                    hops[edge.to.index()] = Some(farthest + 1);
                    reached.push(edge.to);
                }
            }
        }
        (reached.len() == self.nodes).then_some(farthest)
    }

    /// SHA-256 over nodes and edges: one record for the whole (nodes, 1 if complete, and what all
    /// links share), then one for each edge in order. How it is drawn does not count.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut digest = RunningDigest::new();
        let link = |latency: Option<Span>, rate: Option<Rate>| {
            // A rate is never zero, so zero can say that there is none; a latency can be zero.
            let nanos = latency.map_or(0, Span::as_nanos);
            (nanos, rate.map_or(0, Rate::bits_per_second), u64::from(latency.is_some()))
        };
        let (latency, rate, given) = link(self.latency, self.rate);
        digest.record([self.nodes as u64, u64::from(self.complete) * 2 + given, latency, rate]);
        for edge in &self.edges {
            let (latency, rate, given) = link(edge.latency, edge.rate);
            let ends = u64::from(edge.from.number()) << 32 | u64::from(edge.to.number());
            digest.record([ends, given, latency, rate]);
        }
        digest.value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overlay(nodes: usize, edges: &[(u32, u32)]) -> Overlay {
        let edge = |&(from, to): &(u32, u32)| Edge {
            from: NodeId::new(from),
            to: NodeId::new(to),
            latency: None,
            rate: None,
        };
        Overlay::from_edges(nodes, edges.iter().map(edge).collect(), Shape::Circle)
    }

    #[test]
    fn edges_are_sorted_single_and_found_by_their_ends() {
        let overlay = overlay(4, &[(2, 1), (0, 3), (2, 0), (0, 3)]);
        let ends: Vec<_> = overlay.edges.iter().map(|e| (e.from.number(), e.to.number())).collect();
        assert_eq!(ends, [(0, 3), (2, 0), (2, 1)]);
        let known = |n| overlay.neighbours(NodeId::new(n)).map(NodeId::number).collect::<Vec<_>>();
        assert_eq!((known(0), known(1), known(2)), (vec![3], vec![], vec![0, 1]));
        assert!(overlay.edge(NodeId::new(2), NodeId::new(1)).is_some());
        assert!(overlay.edge(NodeId::new(1), NodeId::new(2)).is_none());
        assert_eq!(overlay.in_degrees(), [1, 1, 0, 1]);
        assert_eq!(overlay.degrees(), Degrees { min: 0, mean: 0.75, max: 2 });
    }

    #[test]
    fn a_directed_path_is_one_weak_component_and_as_many_strong_ones_as_nodes() {
        let path = overlay(5, &[(0, 1), (1, 2), (3, 2)]);
        assert_eq!((path.components(), path.strong_components()), (2, 5));
        assert_eq!(path.smallest_component(), Some((1, NodeId::new(4))));
        assert_eq!(path.diameter_if_small(), None);
        let cycle = overlay(5, &[(0, 1), (1, 2), (2, 3), (3, 4), (4, 0)]);
        assert_eq!((cycle.components(), cycle.strong_components()), (1, 1));
        // Around a one-way ring of five the node behind is four hops away.
        assert_eq!(cycle.diameter_if_small(), Some(4));
        assert!(!cycle.is_two_way());
    }

    #[test]
    fn a_complete_overlay_stores_no_edge_and_has_them_all() {
        let latency = Some(Span::from_millis(20));
        let complete = Overlay::complete(10_000, latency, None);
        assert!(complete.edges.is_empty());
        assert_eq!(complete.edge_count(), 10_000 * 9_999);
        assert_eq!(complete.neighbours(NodeId::new(3)).count(), 9_999);
        assert!(complete.neighbours(NodeId::new(3)).all(|node| node.number() != 3));
        let edge = complete.edge(NodeId::new(3), NodeId::new(9)).expect("all are linked");
        assert_eq!((edge.latency, edge.rate), (latency, None));
        assert_eq!(complete.edge(NodeId::new(3), NodeId::new(3)), None);
        assert_eq!((complete.components(), complete.diameter_if_small()), (1, Some(1)));
    }

    #[test]
    fn the_digest_sees_ends_latency_rate_and_count_but_not_the_drawing() {
        let base = overlay(4, &[(0, 1), (1, 0)]);
        let mut drawn = base.clone();
        drawn.shape = Shape::Line;
        assert_eq!(base.digest(), drawn.digest());
        let mut slow = base.clone();
        slow.edges[0].latency = Some(Span::ZERO);
        let mut thin = base.clone();
        thin.edges[0].rate = Rate::new(1);
        let others = [slow, thin, overlay(5, &[(0, 1), (1, 0)]), overlay(4, &[(0, 1)])];
        assert!(others.iter().all(|other| other.digest() != base.digest()));
        let complete = Overlay::complete(4, None, None);
        assert_ne!(complete.digest(), overlay(4, &[]).digest());
        assert_ne!(complete.digest(), Overlay::complete(4, Some(Span::ZERO), None).digest());
    }
}
