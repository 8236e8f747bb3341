//! Scenario layer: the overlays of a fixed form (line, ring, star, grid, tree), and the adjacency
//! lists in which every two-way graph is built.
//!
//! petgraph, which measures the finished overlay, has no generators for these.

use super::within_limit;
use crate::scenario::error::ScenarioError;

/// A graph of two-way links while it is built: the neighbours of each node, sorted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Adjacency(Vec<Vec<u32>>);

impl Adjacency {
    /// No links yet.
    pub(super) fn new(nodes: usize) -> Self {
        Self(vec![Vec::new(); nodes])
    }

    /// Links two nodes; false, and nothing happens, if they are one or linked already.
    pub(super) fn link(&mut self, a: u32, b: u32) -> bool {
        let Err(place) = self.0[a as usize].binary_search(&b) else { return false };
        if a == b {
            return false;
        }
        self.0[a as usize].insert(place, b);
        let place = self.0[b as usize].partition_point(|&other| other < a);
        self.0[b as usize].insert(place, a);
        true
    }

    /// Takes a link away.
    pub(super) fn unlink(&mut self, a: u32, b: u32) {
        for (node, other) in [(a, b), (b, a)] {
            if let Ok(place) = self.0[node as usize].binary_search(&other) {
                self.0[node as usize].remove(place);
            }
        }
    }

    /// Whether two nodes are linked.
    pub(super) fn linked(&self, a: u32, b: u32) -> bool {
        self.0[a as usize].binary_search(&b).is_ok()
    }

    /// How many neighbours a node has.
    pub(super) fn degree(&self, node: u32) -> usize {
        self.0[node as usize].len()
    }

    /// Every link in both directions, sorted.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        let lists = self.0.iter().enumerate();
        lists.flat_map(|(node, list)| list.iter().map(move |&other| (node as u32, other)))
    }
}

/// Node 0 to n - 1 in a row.
pub(super) fn line(nodes: usize) -> Result<Adjacency, ScenarioError> {
    within_limit("topology.kind", 2 * nodes as u64)?;
    let mut graph = Adjacency::new(nodes);
    (1..nodes as u32).for_each(|node| {
        graph.link(node - 1, node);
    });
    Ok(graph)
}

/// A line whose ends are linked; two nodes have one link.
pub(super) fn ring(nodes: usize) -> Result<Adjacency, ScenarioError> {
    let mut graph = line(nodes)?;
    if nodes > 2 {
        graph.link(0, nodes as u32 - 1);
    }
    Ok(graph)
}

/// All nodes around one.
pub(super) fn star(nodes: usize, center: u32) -> Result<Adjacency, ScenarioError> {
    within_limit("topology.kind", 2 * nodes as u64)?;
    if center as usize >= nodes {
        return Err(ScenarioError::new("topology.center", super::not_a_node(center, nodes)));
    }
    let mut graph = Adjacency::new(nodes);
    (0..nodes as u32).for_each(|node| {
        graph.link(center, node);
    });
    Ok(graph)
}

/// A tree in heap order: the parent of node i is (i - 1) / arity.
pub(super) fn tree(nodes: usize, arity: u32) -> Result<Adjacency, ScenarioError> {
    within_limit("topology.kind", 2 * nodes as u64)?;
    if arity == 0 {
        return Err(ScenarioError::new(
            "topology.arity",
            "a node of a tree needs room for a child",
        ));
    }
    let mut graph = Adjacency::new(nodes);
    (1..nodes as u32).for_each(|node| {
        graph.link((node - 1) / arity, node);
    });
    Ok(graph)
}

/// Rows and columns of a grid of so many nodes: as given, derived, or the most square.
pub(super) fn grid_form(
    nodes: usize,
    rows: Option<u32>,
    columns: Option<u32>,
) -> Result<(usize, usize), ScenarioError> {
    let derive = |key: &str, given: u32| {
        let given = given as usize;
        if given == 0 || !nodes.is_multiple_of(given) {
            let message = format!("{given} does not divide the number of nodes, {nodes}");
            return Err(ScenarioError::new(key, message));
        }
        Ok(nodes / given)
    };
    match (rows, columns) {
        (Some(rows), Some(columns)) => {
            if u64::from(rows) * u64::from(columns) != nodes as u64 {
                let area = u64::from(rows) * u64::from(columns);
                let message = format!("{rows} rows of {columns} are {area} nodes, not {nodes}");
                return Err(ScenarioError::new("topology.rows", message)
                    .hint("leave out one of rows and columns to have it derived"));
            }
            Ok((rows as usize, columns as usize))
        }
        (Some(rows), None) => Ok((rows as usize, derive("topology.rows", rows)?)),
        (None, Some(columns)) => Ok((derive("topology.columns", columns)?, columns as usize)),
        (None, None) => {
            let root = nodes.isqrt();
            let rows = (1..=root).rev().find(|rows| nodes.is_multiple_of(*rows)).unwrap_or(1);
            Ok((rows, nodes / rows))
        }
    }
}

/// A grid, closed to a torus if `wrap`.
pub(super) fn grid(rows: usize, columns: usize, wrap: bool) -> Result<Adjacency, ScenarioError> {
    within_limit("topology.kind", 4 * (rows * columns) as u64)?;
    let mut graph = Adjacency::new(rows * columns);
    let node = |row: usize, column: usize| (row * columns + column) as u32;
    for row in 0..rows {
        for column in 0..columns {
            if column + 1 < columns || wrap {
                graph.link(node(row, column), node(row, (column + 1) % columns));
            }
            if row + 1 < rows || wrap {
                graph.link(node(row, column), node((row + 1) % rows, column));
            }
        }
    }
    Ok(graph)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(graph: &Adjacency) -> usize {
        graph.pairs().count() / 2
    }

    fn degrees(graph: &Adjacency) -> Vec<usize> {
        let mut degrees: Vec<_> = graph.0.iter().map(Vec::len).collect();
        degrees.sort_unstable();
        degrees
    }

    #[test]
    fn fixed_forms_have_the_links_that_counting_gives() {
        assert_eq!(links(&line(25).expect("a line")), 24);
        assert_eq!(links(&ring(25).expect("a ring")), 25);
        assert_eq!(links(&star(25, 3).expect("a star")), 24);
        assert_eq!(links(&tree(25, 3).expect("a tree")), 24);
        // r rows of c: r (c - 1) across and c (r - 1) down; a torus has 2 r c.
        assert_eq!(links(&grid(5, 5, false).expect("a grid")), 40);
        assert_eq!(links(&grid(4, 6, false).expect("a grid")), 4 * 5 + 6 * 3);
        assert_eq!(links(&grid(4, 6, true).expect("a torus")), 48);
    }

    #[test]
    fn fixed_forms_have_the_degrees_of_their_definition() {
        assert_eq!(degrees(&ring(7).expect("a ring")), [2; 7]);
        assert_eq!(degrees(&grid(3, 3, true).expect("a torus")), [4; 9]);
        assert_eq!(degrees(&grid(3, 3, false).expect("a grid")), [2, 2, 2, 2, 3, 3, 3, 3, 4]);
        let star = star(5, 3).expect("a star");
        assert_eq!((star.degree(3), degrees(&star)), (4, vec![1, 1, 1, 1, 4]));
        // Seven nodes are a full binary tree: root 2, two inner nodes 3, four leaves 1.
        let tree = tree(7, 2).expect("a tree");
        assert_eq!(degrees(&tree), [1, 1, 1, 1, 2, 3, 3]);
        assert!(tree.linked(0, 2) && tree.linked(2, 6) && !tree.linked(1, 6));
    }

    #[test]
    fn tiny_graphs_have_no_double_links_and_no_self_loops() {
        for nodes in [0, 1] {
            assert_eq!(links(&ring(nodes).expect("a ring")), 0);
            assert_eq!(links(&tree(nodes, 2).expect("a tree")), 0);
            let (rows, columns) = grid_form(nodes, None, None).expect("a form");
            assert_eq!(links(&grid(rows, columns, true).expect("a grid")), 0);
        }
        assert_eq!(links(&ring(2).expect("a ring")), 1);
        assert_eq!(links(&grid(1, 2, true).expect("a torus")), 1);
        // Two rows of three, wrapped: each row is a triangle, each column a single link.
        assert_eq!(links(&grid(2, 3, true).expect("a torus")), 9);
    }

    #[test]
    fn a_grid_is_the_most_square_one_that_the_keys_allow() {
        assert_eq!(grid_form(24, None, None), Ok((4, 6)));
        assert_eq!(grid_form(7, None, None), Ok((1, 7)));
        assert_eq!(grid_form(24, Some(2), None), Ok((2, 12)));
        assert_eq!(grid_form(24, None, Some(8)), Ok((3, 8)));
        let keys = |rows, columns| grid_form(24, rows, columns).expect_err("no such grid").key;
        assert_eq!(keys(Some(5), None), "topology.rows");
        assert_eq!(keys(None, Some(0)), "topology.columns");
        assert_eq!(keys(Some(5), Some(5)), "topology.rows");
        assert!(star(5, 5).is_err() && tree(5, 0).is_err());
    }
}
