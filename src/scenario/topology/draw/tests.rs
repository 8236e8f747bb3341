//! Scenario layer: drawings say what the overlay is.

use std::path::Path;

use super::super::{Overlay, TopologyConfig, resolve};
use super::*;
use crate::base::rng::Seed;

fn overlay(text: &str, nodes: usize) -> Overlay {
    let config: TopologyConfig = toml::from_str(text).expect("a table");
    resolve(&config, nodes, &regions(nodes), Path::new("."), Seed(1)).expect("an overlay")
}

fn regions(nodes: usize) -> NodeMap<u16> {
    NodeMap::build(nodes, |node| (node.number() % 3) as u16)
}

/// Draws with labels `<node>` that XML must escape.
fn drawn(
    overlay: &Overlay,
    region_names: &[&str],
    draw: fn(&Overlay, &Names<'_>) -> String,
) -> String {
    let labels = NodeMap::build(overlay.nodes, |node| format!("<{node}> \"&\""));
    let region_names: Vec<String> = region_names.iter().map(|name| (*name).to_owned()).collect();
    let regions = regions(overlay.nodes);
    let names = Names {
        title: "A \"title\" & more",
        labels: &labels,
        regions: &regions,
        region_names: &region_names,
    };
    draw(overlay, &names)
}

/// Counts the elements of a well-formed XML text.
fn elements(svg: &str) -> std::collections::BTreeMap<String, usize> {
    let mut reader = quick_xml::Reader::from_str(svg);
    let mut counts = std::collections::BTreeMap::new();
    loop {
        use quick_xml::events::Event;
        match reader.read_event().expect("well-formed XML") {
            Event::Start(element) | Event::Empty(element) => {
                let name = element.local_name().as_ref().to_owned();
                *counts.entry(name).or_insert(0) += 1;
                assert!(element.attributes().all(|attribute| attribute.is_ok()));
            }
            Event::Eof => return counts,
            _ => {}
        }
    }
}

#[test]
fn a_drawing_has_every_node_link_label_and_region_once() {
    let grid = overlay("kind = 'grid'", 25);
    let svg = drawn(&grid, &["a", "b", "<c>"], to_svg);
    let counts = elements(&svg);
    // 25 nodes and 3 legend dots; 40 links and the arrow head; 25 labels, title, subtitle, legend.
    assert_eq!((counts["circle"], counts["path"], counts["text"]), (28, 41, 30));
    assert!(svg.contains("&lt;24&gt; &quot;&amp;&quot;") && svg.contains("25 nodes, 40 links"));
    assert_eq!(svg, drawn(&grid, &["a", "b", "<c>"], to_svg));
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
    assert_eq!(elements(&drawn(&grid, &["a"], to_svg))["circle"], 25);
}

#[test]
fn one_way_edges_have_arrows_and_all_of_them_are_drawn() {
    let cycle = overlay("kind = 'edges'\nlist = [[0,1],[1,2],[2,0],[1,0]]\ndirected = true", 3);
    let svg = drawn(&cycle, &[], to_svg);
    // 0 and 1 know each other: one line; two more with arrows; and the arrow head.
    assert_eq!(elements(&svg)["path"], 4);
    assert_eq!(svg.matches("marker-end").count(), 1);
    assert!(svg.contains("3 nodes, 4 directed edges"));
    let ring = drawn(&overlay("kind = 'ring'", 3), &[], to_svg);
    assert!(!ring.contains("marker-end"));
}

#[test]
fn what_would_be_a_grey_area_is_left_out_with_a_sentence() {
    let small = drawn(&overlay("kind = 'complete'", 200), &[], to_svg);
    assert_eq!(elements(&small)["path"], 200 * 199 / 2 + 1);
    let large = drawn(&overlay("kind = 'complete'", 201), &[], to_svg);
    let counts = elements(&large);
    assert_eq!((counts["path"], counts["circle"], counts["text"]), (1, 201, 2));
    assert!(large.contains("201 nodes, 20100 links (not drawn: every node is linked"));
    // 1,000 nodes with 42 neighbours each have 21,000 links.
    let dense = drawn(&overlay("kind = 'random-regular'\ndegree = 42", 1_000), &[], to_svg);
    assert_eq!(elements(&dense)["path"], 1);
    assert!(dense.contains("21000 links (not drawn: too many"));
}

#[test]
fn the_dot_text_reads_back_as_the_same_overlay() {
    let directory = tempfile::tempdir().expect("a directory");
    for (text, nodes) in [
        ("kind = 'ring'\nlatency = '20ms'", 12),
        ("kind = 'k-out'\ndegree = 3\nrate = '1Gbit/s'", 12),
        ("kind = 'watts-strogatz'\ndegree = 4\nrewire = '10%'", 30),
        ("kind = 'edges'\nlist = [[0, 3]]\nallow_disconnected = true", 5),
    ] {
        let first = overlay(text, nodes);
        let dot = drawn(&first, &[], to_dot);
        std::fs::write(directory.path().join("a.dot"), &dot).expect("a file");
        let config = "kind = 'file'\npath = 'a.dot'\nallow_disconnected = true";
        let config: TopologyConfig = toml::from_str(config).expect("a table");
        let again = resolve(&config, nodes, &regions(nodes), directory.path(), Seed(1));
        assert_eq!(again.expect(&dot).edges, first.edges, "{dot}");
    }
    let complete = overlay("kind = 'complete'", 4);
    assert_eq!(drawn(&complete, &[], to_dot).matches(" -- ").count(), 6);
    let large = drawn(&overlay("kind = 'complete'", 201), &[], to_dot);
    assert!(large.contains("// complete: all 20100 edges are left out") && !large.contains(" -- "));
}

#[test]
fn the_description_counts_what_there_is() {
    assert_eq!(
        describe(&overlay("kind = 'grid'", 25)),
        "nodes         25\n\
         edges         40 (both ways)\n\
         degree        min 2, mean 3.20, max 4\n\
         components    1\n\
         diameter      8 hops\n"
    );
    let star = "kind = 'edges'\nlist = [[0, 1], [0, 2], [0, 3]]\ndirected = true";
    assert_eq!(
        describe(&overlay(star, 4)),
        "nodes         4\n\
         edges         3 (one way each)\n\
         out-degree    min 0, mean 0.75, max 3\n\
         in-degree     min 0, mean 0.75, max 1\n\
         components    1\n\
         strong comp.  4\n\
         diameter      none: not every node reaches every other\n"
    );
    let complete = describe(&overlay("kind = 'complete'", 10_000));
    assert!(complete.contains("49995000 (both ways, complete)") && complete.contains("1 hop\n"));
}
