//! Scenario layer: what a scenario's `[topology]` table gives, from text to overlay.

use super::*;

/// Reads a `[topology]` table.
fn config(text: &str) -> TopologyConfig {
    toml::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn resolved(text: &str, nodes: usize, seed: u64) -> Result<Overlay, ScenarioError> {
    let regions = NodeMap::build(nodes, |node| (node.number() % 3) as u16);
    resolve(&config(text), nodes, &regions, Path::new("."), Seed(seed))
}

fn overlay(text: &str, nodes: usize) -> Overlay {
    resolved(text, nodes, 1).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// One table for every kind that draws.
const RANDOM: [&str; 6] = [
    "kind = 'random-regular'\ndegree = 4",
    "kind = 'erdos-renyi'\nprobability = '20%'",
    "kind = 'watts-strogatz'\ndegree = 4\nrewire = 0.3",
    "kind = 'barabasi-albert'\nattach = 2",
    "kind = 'regions'\ninner_degree = 4\nbridges = 2",
    "kind = 'k-out'\ndegree = 5",
];

/// Copies sent when every node forwards the first copy to all neighbours but the sender.
fn flooding_copies(overlay: &Overlay) -> usize {
    let mut came_from = vec![None; overlay.nodes];
    came_from[0] = Some(NodeId::new(0));
    let (mut reached, mut next, mut copies) = (vec![NodeId::new(0)], 0, 0);
    while let Some(&node) = reached.get(next) {
        next += 1;
        let sender = came_from[node.index()];
        for peer in overlay.neighbours(node).filter(|&peer| Some(peer) != sender) {
            copies += 1;
            if came_from[peer.index()].is_none() {
                came_from[peer.index()] = Some(node);
                reached.push(peer);
            }
        }
    }
    assert_eq!(reached.len(), overlay.nodes);
    copies
}

#[test]
fn flooding_sends_two_copies_per_link_less_one_per_tree_edge() {
    // 2E - (n - 1): for the line of 25, 48 - 24; the 5 x 5 grid, 80 - 24; complete, 600 - 24.
    for (text, edges, copies) in [
        ("kind = 'line'", 48, 24),
        ("kind = 'ring'", 50, 26),
        ("kind = 'star'\ncenter = 7", 48, 24),
        ("kind = 'grid'", 80, 56),
        ("kind = 'tree'\narity = 3", 48, 24),
        ("kind = 'complete'", 600, 576),
    ] {
        let overlay = overlay(text, 25);
        assert_eq!(overlay.edge_count(), edges, "{text}");
        assert_eq!(flooding_copies(&overlay), copies, "{text}");
        assert!(overlay.is_two_way() && overlay.is_connected());
    }
}

#[test]
fn diameters_are_those_of_the_forms() {
    // A binary tree of 25 nodes: depth 4 on both sides of the root (15..22 and 23, 24 are on
    // level 4, children of 7..11, and 11 descends from 2 through 5).
    for (text, hops) in [
        ("kind = 'line'", 24),
        ("kind = 'ring'", 12),
        ("kind = 'star'", 2),
        ("kind = 'grid'", 8),
        ("kind = 'grid'\nwrap = true", 4),
        ("kind = 'tree'", 8),
        ("kind = 'complete'", 1),
    ] {
        assert_eq!(overlay(text, 25).diameter_if_small(), Some(hops), "{text}");
    }
}

#[test]
fn a_seed_names_a_graph_and_the_latency_does_not_change_it() {
    for text in RANDOM {
        let draw = |text: &str, seed| resolved(text, 30, seed).expect("a connected graph");
        let loose = format!("{text}\nallow_disconnected = true");
        assert_eq!(draw(&loose, 1), draw(&loose, 1), "{text}");
        assert_ne!(draw(&loose, 1), draw(&loose, 2), "{text}");
        let slow = draw(&format!("{loose}\nlatency = '20ms'"), 1);
        let ends = |o: &Overlay| o.edges.iter().map(|e| (e.from, e.to)).collect::<Vec<_>>();
        assert_eq!(ends(&draw(&loose, 1)), ends(&slow), "{text}");
        assert!(slow.edges.iter().all(|edge| edge.latency == Some(Span::from_millis(20))));
        assert!(config(text).is_random());
    }
    assert!(!config("kind = 'ring'").is_random());
}

#[test]
fn common_latency_and_rate_reach_every_link() {
    let given = "latency = '20ms'\nrate = '1Gbit/s'";
    for kind in ["complete", "line", "ring", "star", "grid", "tree"] {
        let overlay = overlay(&format!("kind = '{kind}'\n{given}"), 9);
        let edge = NodeId::all(9).find_map(|to| overlay.edge(NodeId::new(0), to)).expect("an edge");
        assert_eq!(edge.latency, Some(Span::from_millis(20)), "{kind}");
        assert_eq!(edge.rate, Rate::new(1_000_000_000), "{kind}");
    }
    let listed = overlay(&format!("kind = 'edges'\nlist = [[0, 1]]\n{given}"), 2);
    assert!(listed.edges.iter().all(|edge| edge.rate.is_some() && edge.latency.is_some()));
}

#[test]
fn inline_edges_are_two_way_unless_directed() {
    let ends = |text: &str| {
        let overlay = overlay(text, 3);
        overlay.edges.iter().map(|e| (e.from.number(), e.to.number())).collect::<Vec<_>>()
    };
    let two_way = ends("kind = 'edges'\nlist = [[1, 0], [1, 2], [0, 1]]");
    assert_eq!(two_way, [(0, 1), (1, 0), (1, 2), (2, 1)]);
    let one_way = ends("kind = 'edges'\nlist = [[1, 0], [1, 2]]\ndirected = true");
    assert_eq!(one_way, [(1, 0), (1, 2)]);
    let error = |text: &str| resolved(text, 3, 1).expect_err(text);
    let stranger = error("kind = 'edges'\nlist = [[0, 1], [1, 3]]");
    assert_eq!(stranger.key, "topology.list[1]");
    assert_eq!(stranger.message, "there is no node 3; the nodes are 0 to 2");
    let own = error("kind = 'edges'\nlist = [[2, 2]]");
    assert_eq!(
        (own.key.as_str(), own.message.as_str()),
        ("topology.list[0]", "node 2 is linked to itself")
    );
}

#[test]
fn a_graph_in_pieces_is_refused_unless_allowed() {
    let text = "kind = 'edges'\nlist = [[0, 1], [1, 2], [3, 4]]";
    let error = resolved(text, 5, 1).expect_err("two components");
    assert_eq!(
        error.to_string(),
        "topology.kind: the graph falls into 2 separate components; the smallest has 2 nodes, \
         node 3 among them; topology.allow_disconnected = true accepts it"
    );
    let loose = overlay(&format!("{text}\nallow_disconnected = true"), 5);
    assert_eq!((loose.components(), loose.is_connected()), (2, false));
    let error = resolved("kind = 'erdos-renyi'\nprobability = 0.0", 5, 1).expect_err("no links");
    assert!(error.to_string().contains("5 separate components; the smallest is node 0 alone"));
    assert!(error.hint.expect("a hint").contains("another seed"));
    // Nobody knows anyone by intention.
    assert_eq!(overlay("kind = 'none'", 5).components(), 5);
}

#[test]
fn impossible_keys_are_refused_by_name() {
    for (text, key) in [
        ("kind = 'star'\ncenter = 25", "topology.center"),
        ("kind = 'grid'\nrows = 4", "topology.rows"),
        ("kind = 'grid'\nrows = 4\ncolumns = 6", "topology.rows"),
        ("kind = 'tree'\narity = 0", "topology.arity"),
        ("kind = 'random-regular'\ndegree = 3", "topology.degree"),
        ("kind = 'random-regular'\ndegree = 25", "topology.degree"),
        ("kind = 'watts-strogatz'\ndegree = 3\nrewire = '1%'", "topology.degree"),
        ("kind = 'barabasi-albert'\nattach = 25", "topology.attach"),
        ("kind = 'regions'\ninner_degree = 0", "topology.inner_degree"),
        ("kind = 'k-out'\ndegree = 25", "topology.degree"),
        ("kind = 'file'\npath = 'edges.txt'", "topology.path"),
        ("kind = 'file'\npath = 'there-is-no-such-file.csv'", "topology.path"),
    ] {
        assert_eq!(resolved(text, 25, 1).expect_err(text).key, key, "{text}");
    }
}

#[test]
fn more_edges_than_the_limit_are_refused_before_they_are_made() {
    for (text, nodes) in [
        ("kind = 'erdos-renyi'\nprobability = '50%'", 10_000),
        ("kind = 'random-regular'\ndegree = 2_002", 10_000),
        ("kind = 'watts-strogatz'\ndegree = 2_002\nrewire = '1%'", 10_000),
        ("kind = 'barabasi-albert'\nattach = 1_001", 10_000),
        ("kind = 'k-out'\ndegree = 2_001", 10_000),
        ("kind = 'regions'", 10_000),
        ("kind = 'line'", 10_000_001),
    ] {
        let error = resolved(text, nodes, 1).expect_err(text);
        assert!(error.message.contains("at most 20000000 are possible"), "{text}: {error}");
    }
    assert_eq!(overlay("kind = 'complete'", 10_000).edge_count(), 99_990_000);
}

#[test]
fn tables_are_strict_and_survive_writing() {
    for text in ["kind = 'ring'\ndegree = 3", "kind = 'none'\nlatency = '1s'", "kind = 'rings'"] {
        assert!(toml::from_str::<TopologyConfig>(text).is_err(), "{text}");
    }
    let fixed = [
        "kind = 'none'",
        "kind = 'complete'\nlatency = '20ms'",
        "kind = 'grid'\ncolumns = 5",
        "kind = 'edges'\nlist = [[0, 1]]\ndirected = true",
        "kind = 'file'\npath = 'a.csv'\nrate = '1Gbit/s'",
    ];
    for text in fixed.into_iter().chain(RANDOM) {
        let read = config(text);
        let written = toml::to_string(&read).expect("a table");
        assert_eq!(config(&written), read, "{written}");
    }
    assert_eq!(config("kind = 'tree'"), config("kind = 'tree'\narity = 2"));
    assert_eq!(config("kind = 'complete'"), TopologyConfig::default());
}

#[test]
fn the_schema_names_every_kind_and_its_keys() {
    let schema = schemars::schema_for!(TopologyConfig);
    let variants = schema.get("oneOf").and_then(|v| v.as_array()).expect("one schema per kind");
    let kind = |v: &serde_json::Value| v["properties"]["kind"]["const"].as_str().map(str::to_owned);
    let kinds: Vec<String> = variants.iter().filter_map(kind).collect();
    assert_eq!(kinds.len(), 15);
    for wanted in ["complete", "random-regular", "erdos-renyi", "k-out", "file", "none"] {
        assert!(kinds.iter().any(|kind| kind == wanted), "{kinds:?}");
    }
    for variant in variants {
        let keys = variant["properties"].as_object().expect("keys");
        assert_eq!(variant["additionalProperties"], false, "{variant}");
        assert!(keys.iter().all(|(key, about)| key == "kind" || about["description"].is_string()));
        assert_eq!(
            keys.contains_key("allow_disconnected"),
            kind(variant).as_deref() != Some("none")
        );
    }
}

#[test]
fn no_kind_panics_on_tiny_clusters() {
    let fixed = ["complete", "line", "ring", "star", "grid", "tree", "none"];
    let fixed = fixed.iter().map(|kind| format!("kind = '{kind}'"));
    for text in fixed.chain(RANDOM.iter().map(|text| (*text).to_owned())) {
        for nodes in 0..4 {
            let _ = resolved(&text, nodes, 1);
        }
    }
}
