//! Scenario layer: the overlay topology, that is who knows whom at the start of a run. Flooding and
//! gossip run on it; edges may carry a latency and a rate of their own.
//!
//! [`TopologyConfig`] is what a scenario says, [`resolve`] makes the [`Overlay`] from it.

pub mod draw;
mod file;
mod generate;
mod overlay;
mod random;
mod regions;

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::generate::Adjacency;
use self::overlay::Shape;
pub use self::overlay::{Degrees, Edge, Overlay};
use super::error::ScenarioError;
use crate::base::distribution::LONGEST_WRITTEN;
use crate::base::id::{NodeId, NodeMap};
use crate::base::quantity::{Chance, Rate};
use crate::base::rng::{Purpose, Rng, Seed};
use crate::base::time::Span;

/// How many directed edges an overlay may store; a complete one stores none.
pub const MAX_EDGES: u64 = 20_000_000;

/// Writes the enum with the keys that every kind shares repeated in each variant: serde can flatten
/// a struct of them or refuse unknown keys, but not both.
macro_rules! topology_kinds {
    ($(
        $(#[$about:meta])*
        $kind:ident { $( $(#[$note:meta])* $key:ident: $type:ty, )* }
    )*) => {
        /// The overlay (`[topology]`): whom each node knows when it connects, chosen by `kind`.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
        pub enum TopologyConfig {
            $(
                $(#[$about])*
                $kind {
                    $( $(#[$note])* $key: $type, )*
                    /// Whether a graph that is not in one piece is accepted, not refused.
                    #[serde(default)]
                    allow_disconnected: bool,
                    /// One-way latency of every link that has none of its own. Without it that of
                    /// `[network]` applies.
                    #[serde(default, skip_serializing_if = "Option::is_none")]
                    latency: Option<Span>,
                    /// Rate of every link that has none of its own: a pipe in series after the
                    /// uplink. Without it links have no limit.
                    #[serde(default, skip_serializing_if = "Option::is_none")]
                    rate: Option<Rate>,
                },
            )*
            /// Nobody knows anyone; peer discovery has to find the peers.
            None {},
        }

        impl TopologyConfig {
            /// The keys that every kind shares.
            fn shared(&self) -> Shared {
                match *self {
                    $(
                        Self::$kind { allow_disconnected, latency, rate, .. } => {
                            Shared { allow_disconnected, latency, rate }
                        }
                    )*
                    Self::None {} => Shared { allow_disconnected: true, latency: None, rate: None },
                }
            }
        }
    };
}

topology_kinds! {
    /// Every node knows every other.
    Complete {}

    /// Node 0, 1, 2, ... in a row: each knows the one before and the one after.
    Line {}

    /// A line whose two ends know each other.
    Ring {}

    /// One node knows all others, and they know only it.
    Star {
        /// The node in the middle.
        #[serde(default)]
        center: u32,
    }

    /// Rows and columns: each node knows the ones left, right, above and below. Node 0 is a
    /// corner, node 1 the next in its row.
    Grid {
        /// Number of rows; rows times columns is the number of nodes. Without it derived from
        /// `columns`, or else the most square form.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(range(min = 1))]
        rows: Option<u32>,
        /// Number of columns; without it derived from `rows`, or else the most square form.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(range(min = 1))]
        columns: Option<u32>,
        /// Whether each row and column closes to a ring (a torus).
        #[serde(default)]
        wrap: bool,
    }

    /// A tree with node 0 as its root, filled level by level.
    Tree {
        /// How many children a node has.
        #[serde(default = "two")]
        #[schemars(range(min = 1))]
        arity: u32,
    }

    /// A random graph in which every node has the same number of neighbours.
    RandomRegular {
        /// Neighbours of every node; below the number of nodes, and degree times nodes is even.
        #[schemars(range(min = 1))]
        degree: u32,
    }

    /// A random graph (Erdős-Rényi): each pair of nodes is linked with the same probability,
    /// independent of the others.
    ErdosRenyi {
        /// Probability that two nodes are linked.
        probability: Chance,
    }

    /// A small world (Watts-Strogatz): a ring in which every node knows the nearest `degree` nodes,
    /// of which some links are moved to a random far end.
    WattsStrogatz {
        /// Neighbours of every node before links are moved; even, and below the number of nodes.
        #[schemars(range(min = 2))]
        degree: u32,
        /// Probability that a link is moved.
        rewire: Chance,
    }

    /// A scale-free graph (Barabási-Albert): nodes join one after another and link to earlier nodes
    /// with a probability proportional to their degree. The first `attach` + 1 nodes all know each
    /// other.
    BarabasiAlbert {
        /// Links that each joining node makes; below the number of nodes.
        #[schemars(range(min = 1))]
        attach: u32,
    }

    /// Two levels: the nodes of one region are linked densely, and a few random links join each
    /// pair of regions. Without `inner_degree` and `inner_probability` the nodes of one region all
    /// know each other.
    Regions {
        /// Neighbours of every node in its own region, drawn at random (a region too small for it
        /// is complete; where degree times nodes is odd, one node has one neighbour fewer).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(range(min = 1))]
        inner_degree: Option<u32>,
        /// Probability that two nodes of one region are linked, in place of `inner_degree`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        inner_probability: Option<Chance>,
        /// Random links between each pair of regions (all possible ones if there are fewer).
        #[serde(default = "three")]
        bridges: u32,
    }

    /// Each node knows some random others, who need not know it.
    KOut {
        /// How many others each node knows; below the number of nodes.
        #[schemars(range(min = 1))]
        degree: u32,
    }

    /// The edges are listed here.
    Edges {
        /// Pairs of node numbers, such as [[0, 1], [1, 2]]; an edge listed twice counts once.
        list: Vec<[u32; 2]>,
        /// Whether an edge [a, b] says only that a knows b; otherwise both know each other.
        #[serde(default)]
        directed: bool,
    }

    /// The edges are read from a file, chosen by its extension: `.csv` with the header
    /// `from,to` and optional columns `latency`, `latency_ms` or `latency_ns` and `rate` or
    /// `rate_bps`; GraphML (`.graphml`, `.xml`) or Graphviz (`.dot`, `.gv`) with edge data or
    /// attributes of the same names. Nodes called 0, 1, 2 or n0, n1, n2 are those nodes; otherwise
    /// names are numbered in the order in which the file first mentions them.
    File {
        /// The file, relative to the scenario file.
        path: PathBuf,
        /// Whether an edge from a to b says only that a knows b. Without it the file itself
        /// says so (digraph, edgedefault), and in CSV both know each other.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        directed: Option<bool>,
    }
}

impl Default for TopologyConfig {
    fn default() -> Self {
        Self::Complete { allow_disconnected: false, latency: None, rate: None }
    }
}

impl TopologyConfig {
    /// Whether another seed gives another graph.
    #[must_use]
    pub const fn is_random(&self) -> bool {
        matches!(
            self,
            Self::RandomRegular { .. }
                | Self::ErdosRenyi { .. }
                | Self::WattsStrogatz { .. }
                | Self::BarabasiAlbert { .. }
                | Self::Regions { .. }
                | Self::KOut { .. }
        )
    }
}

const fn two() -> u32 {
    2
}

const fn three() -> u32 {
    3
}

/// The keys that every kind shares.
#[derive(Clone, Copy)]
struct Shared {
    allow_disconnected: bool,
    latency: Option<Span>,
    rate: Option<Rate>,
}

impl Shared {
    /// The edge between two nodes, with what is given for every link.
    fn edge(&self, from: u32, to: u32) -> Edge {
        let (from, to) = (NodeId::new(from), NodeId::new(to));
        Edge { from, to, latency: self.latency, rate: self.rate }
    }
}

/// Makes the overlay of a cluster: `regions` gives the region of each node, `base_dir` is where the
/// path of an edge file starts.
///
/// Random graphs draw from the topology stream of `seed` alone, so the same keys and seed give the
/// same overlay whatever else the scenario says.
///
/// # Errors
/// Keys that do not fit the number of nodes, a file that cannot be read or is malformed, more than
/// [`MAX_EDGES`] edges, and a graph that is not in one piece unless that is allowed.
pub fn resolve(
    config: &TopologyConfig,
    nodes: usize,
    regions: &NodeMap<u16>,
    base_dir: &Path,
    seed: Seed,
) -> Result<Overlay, ScenarioError> {
    let shared = config.shared();
    if let Some(latency) = shared.latency.filter(|latency| *latency > LONGEST_WRITTEN) {
        return Err(ScenarioError::new("topology.latency", too_long(latency)));
    }
    let overlay = build(config, nodes, regions, base_dir, seed)?;
    if !shared.allow_disconnected && !overlay.is_connected() {
        return Err(disconnected(config, &overlay));
    }
    Ok(overlay)
}

/// The overlay before it is checked for being in one piece.
fn build(
    config: &TopologyConfig,
    nodes: usize,
    regions: &NodeMap<u16>,
    base_dir: &Path,
    seed: Seed,
) -> Result<Overlay, ScenarioError> {
    let shared = config.shared();
    let one_way = |pairs: Vec<(u32, u32)>| pairs.iter().map(|&(a, b)| shared.edge(a, b)).collect();
    let edges = match config {
        TopologyConfig::Complete { latency, rate, .. } => {
            return Ok(Overlay::complete(nodes, *latency, *rate));
        }
        TopologyConfig::KOut { degree, .. } => {
            let rng = &mut Rng::of_cluster(seed, Purpose::Topology);
            one_way(random::k_out(nodes, *degree, rng)?)
        }
        TopologyConfig::Edges { list, directed, .. } => listed(list, nodes, *directed, shared)?,
        TopologyConfig::File { path, directed, .. } => {
            file::read(path, base_dir, nodes, *directed, shared)?
        }
        _ => one_way(two_way(config, nodes, regions, seed)?.pairs().collect()),
    };
    Ok(Overlay::from_edges(nodes, edges, shape(config, nodes)))
}

/// The graph of a kind whose links all work both ways.
fn two_way(
    config: &TopologyConfig,
    nodes: usize,
    regions: &NodeMap<u16>,
    seed: Seed,
) -> Result<Adjacency, ScenarioError> {
    use TopologyConfig as Kind;
    let rng = &mut Rng::of_cluster(seed, Purpose::Topology);
    match config {
        Kind::Line { .. } => generate::line(nodes),
        Kind::Ring { .. } => generate::ring(nodes),
        Kind::Star { center, .. } => generate::star(nodes, *center),
        Kind::Grid { rows, columns, wrap, .. } => {
            let (rows, columns) = generate::grid_form(nodes, *rows, *columns)?;
            generate::grid(rows, columns, *wrap)
        }
        Kind::Tree { arity, .. } => generate::tree(nodes, *arity),
        Kind::RandomRegular { degree, .. } => random::regular(nodes, *degree, rng),
        Kind::ErdosRenyi { probability, .. } => random::erdos_renyi(nodes, *probability, rng),
        Kind::WattsStrogatz { degree, rewire, .. } => {
            random::watts_strogatz(nodes, *degree, *rewire, rng)
        }
        Kind::BarabasiAlbert { attach, .. } => random::barabasi_albert(nodes, *attach, rng),
        Kind::Regions { inner_degree, inner_probability, bridges, .. } => {
            let inner = regions::Inner::new(*inner_degree, *inner_probability)?;
            regions::regions(regions, inner, *bridges, rng)
        }
        // The other kinds store no links, or links of their own, and do not come here.
        Kind::None {}
        | Kind::Complete { .. }
        | Kind::KOut { .. }
        | Kind::Edges { .. }
        | Kind::File { .. } => Ok(Adjacency::new(nodes)),
    }
}

/// How a graph of this kind is drawn.
fn shape(config: &TopologyConfig, nodes: usize) -> Shape {
    match config {
        TopologyConfig::Line { .. } => Shape::Line,
        TopologyConfig::Star { center, .. } => Shape::Star { center: *center as usize },
        TopologyConfig::Grid { rows, columns, .. } => {
            let form = generate::grid_form(nodes, *rows, *columns);
            form.map_or(Shape::Circle, |(_, columns)| Shape::Grid { columns })
        }
        TopologyConfig::Tree { arity, .. } => Shape::Tree { arity: *arity as usize },
        TopologyConfig::Regions { .. } => Shape::Regions,
        _ => Shape::Circle,
    }
}

/// The edges of an inline list.
fn listed(
    list: &[[u32; 2]],
    nodes: usize,
    directed: bool,
    shared: Shared,
) -> Result<Vec<Edge>, ScenarioError> {
    let count = list.len() as u64;
    within_limit("topology.list", if directed { count } else { 2 * count })?;
    let mut edges = Vec::new();
    for (place, &[from, to]) in list.iter().enumerate() {
        let key = || format!("topology.list[{place}]");
        if let Some(problem) = bad_ends(from, to, nodes) {
            return Err(ScenarioError::new(key(), problem));
        }
        edges.push(shared.edge(from, to));
        if !directed {
            edges.push(shared.edge(to, from));
        }
    }
    Ok(edges)
}

/// What is wrong with the two ends of an edge, if anything is.
fn bad_ends(from: u32, to: u32, nodes: usize) -> Option<String> {
    let stranger = [from, to].into_iter().find(|&node| node as usize >= nodes);
    match stranger {
        Some(node) => Some(not_a_node(node, nodes)),
        None if from == to => Some(format!("node {from} is linked to itself")),
        None => None,
    }
}

/// The sentence about a latency beyond the longest that may be written.
fn too_long(latency: Span) -> String {
    format!("{latency} is longer than {LONGEST_WRITTEN}, the limit")
}

/// The sentence about a node number beyond the cluster.
fn not_a_node(node: u32, nodes: usize) -> String {
    format!("there is no node {node}; the nodes are 0 to {}", nodes.saturating_sub(1))
}

/// Refuses a graph of more directed edges than can be stored.
fn within_limit(key: &str, edges: u64) -> Result<(), ScenarioError> {
    if edges <= MAX_EDGES {
        return Ok(());
    }
    let message =
        format!("the graph would have {edges} directed edges and at most {MAX_EDGES} are possible");
    Err(ScenarioError::new(key, message)
        .hint("kind = \"complete\" needs no stored edges and has no such limit"))
}

/// The error about a graph in several pieces.
fn disconnected(config: &TopologyConfig, overlay: &Overlay) -> ScenarioError {
    let components = overlay.components();
    let (size, node) = overlay.smallest_component().unwrap_or((0, NodeId::new(0)));
    let example = if size == 1 {
        format!("the smallest is node {node} alone")
    } else {
        format!("the smallest has {size} nodes, node {node} among them")
    };
    let message = format!("the graph falls into {components} separate components; {example}");
    let allow = "topology.allow_disconnected = true accepts it";
    let larger = match config {
        TopologyConfig::Regions { .. } => "more bridges, a larger inner degree",
        TopologyConfig::ErdosRenyi { .. } => "a larger probability",
        _ => "a larger degree",
    };
    ScenarioError::new("topology.kind", message).hint(if config.is_random() {
        format!("{larger} or another seed may join them, and {allow}")
    } else {
        allow.to_owned()
    })
}

#[cfg(test)]
mod tests;
