//! Scenario layer: edge files of the three formats, good and bad.

use std::fs;

use super::super::overlay::Shape;
use super::super::{Overlay, Shared};
use super::*;
use crate::base::id::NodeId;

/// Reads a text as a file of this name, for a cluster of 4 nodes.
fn read_as(name: &str, text: &[u8], directed: Option<bool>) -> Result<Overlay, ScenarioError> {
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join(name), text).expect("a file");
    let shared =
        Shared { allow_disconnected: true, latency: Some(Span::from_secs(9)), rate: Rate::new(9) };
    let edges = read(Path::new(name), directory.path(), 4, directed, shared)?;
    Ok(Overlay::from_edges(4, edges, Shape::Circle))
}

fn good(name: &str, text: &str) -> Overlay {
    read_as(name, text.as_bytes(), None).unwrap_or_else(|error| panic!("{error}"))
}

/// The message about a bad file, without the key.
fn bad(name: &str, text: &str) -> String {
    let error = read_as(name, text.as_bytes(), None).expect_err(text);
    assert_eq!(error.key, "topology.path");
    error.message
}

const CSV: &str = "\
# who, with whom
from,to,latency,rate

0, 1, 20ms, 1Gbit/s
1, 2, 1.5ms,
3, 2, , 5Mbit/s
";

const GRAPHML: &str = r#"<?xml version="1.0"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
  <key id="d0" for="edge" attr.name="latency" attr.type="string"/>
  <key id="d1" for="edge" attr.name="rate_bps" attr.type="long"/>
  <key id="d2" for="node" attr.name="latency" attr.type="string"/>
  <graph edgedefault="undirected">
    <node id="n0"><data key="d2">not of an edge</data></node><node id="n1"/>
    <node id="n3"/><node id="n2"/>
    <edge source="n0" target="n1"><data key="d0">20ms</data><data key="d1">1000000000</data></edge>
    <edge source="n2" target="n1"><data key="d0">1500&#181;s</data><data key="d9">?</data></edge>
    <edge source="n3" target="n2"><data key="d1"><![CDATA[5000000]]></data></edge>
  </graph>
</graphml>
"#;

const DOT: &str = r#"
/* the same again */
strict graph "a name" {
  node [shape=box]; rankdir = LR
  edge [rate="5Mbit/s"]
  3 -- 2
  subgraph cluster_0 {
    edge [rate=""] // no rate of its own in here
    0 -- 1 [latency="20ms", label=<a <b>bold</b> label>] [rate="1Gbit/s"];
    "1":north -- 2 [latency_ns = 1500000; color=red]
  }
}
"#;

#[test]
fn the_three_formats_give_the_same_overlay() {
    let csv = good("edges.csv", CSV);
    let ends: Vec<_> = csv.edges.iter().map(|e| (e.from.number(), e.to.number())).collect();
    assert_eq!(ends, [(0, 1), (1, 0), (1, 2), (2, 1), (2, 3), (3, 2)]);
    let edge = |from, to| csv.edge(NodeId::new(from), NodeId::new(to)).expect("an edge");
    assert_eq!(edge(1, 0).latency, Some(Span::from_millis(20)));
    assert_eq!(edge(1, 0).rate, Rate::new(1_000_000_000));
    assert_eq!(edge(1, 2).latency, Some(Span::from_micros(1_500)));
    assert_eq!(edge(3, 2).rate, Rate::new(5_000_000));
    // What a row leaves out is what the scenario gives for every link.
    assert_eq!((edge(1, 2).rate, edge(3, 2).latency), (Rate::new(9), Some(Span::from_secs(9))));
    assert_eq!(good("edges.graphml", GRAPHML), csv);
    assert_eq!(good("edges.XML", GRAPHML), csv);
    assert_eq!(good("edges.gv", DOT), csv);
    assert_eq!(good("edges.csv", &format!("\u{feff}{}", CSV.replace('\n', "\r\n"))), csv);
    let units = "to,from,rate_bps,latency_ms\n1,0,1000000000,20\n2,1,,1.5\n2,3,5000000,\n";
    assert_eq!(good("edges.csv", units), csv);
}

#[test]
fn direction_is_the_files_own_unless_the_key_is_given() {
    let edges = |name: &str, text: &str, directed| {
        read_as(name, text.as_bytes(), directed).expect("an overlay").edges.len()
    };
    let csv = "from,to\n0,1\n1,2\n";
    let digraph = "digraph { 0 -> 1 -> 2 }";
    let graphml = GRAPHML.replace("undirected", "directed");
    assert_eq!((edges("a.csv", csv, None), edges("a.csv", csv, Some(true))), (4, 2));
    assert_eq!((edges("a.dot", digraph, None), edges("a.dot", digraph, Some(false))), (2, 4));
    assert_eq!((edges("a.xml", &graphml, None), edges("a.xml", GRAPHML, None)), (3, 6));
    let mixed = graphml.replacen("<edge ", "<edge directed=\"false\" ", 1);
    assert_eq!(edges("a.xml", &mixed, None), 4);
}

#[test]
fn names_that_are_no_numbers_are_counted_in_order_of_mention() {
    let ends = |text: &str| {
        let overlay = good("a.dot", text);
        overlay.edges.iter().map(|e| (e.from.number(), e.to.number())).collect::<Vec<_>>()
    };
    assert_eq!(ends("digraph { rome; oslo -> rome; oslo -> \"new york\" }"), [(1, 0), (1, 2)]);
    assert_eq!(ends("digraph { n3 -> n1 }"), [(3, 1)]);
    // A zero in front makes it a name, and so all are names.
    assert_eq!(ends("digraph { 3 -> 01 }"), [(0, 1)]);
    assert_eq!(ends("digraph { {a b} -> {c d} }"), [(0, 2), (0, 3), (1, 2), (1, 3)]);
}

#[test]
fn graphml_defaults_apply_where_an_edge_says_nothing() {
    let text = GRAPHML.replace(
        "attr.name=\"latency\" attr.type=\"string\"/>\n  <key id=\"d1\"",
        "attr.name=\"latency\"><default>7ms</default></key>\n  <key id=\"d1\"",
    );
    let overlay = good("a.graphml", &text);
    let latency =
        |from, to| overlay.edge(NodeId::new(from), NodeId::new(to)).and_then(|e| e.latency);
    assert_eq!(latency(3, 2), Some(Span::from_millis(7)));
    assert_eq!(latency(0, 1), Some(Span::from_millis(20)));
}

#[test]
fn a_repeated_edge_counts_once_and_must_agree() {
    assert_eq!(good("a.csv", "from,to\n0,1\n1,0\n0,1\n").edges.len(), 2);
    let clash = bad("a.csv", "from,to,latency\n0,1,1ms\n\n1,0,2ms\n");
    assert_eq!(
        clash,
        "a.csv, line 4: the edge from 0 to 1 stands on line 2 already, with another latency or rate"
    );
}

#[test]
fn malformed_csv_is_refused_with_its_line() {
    for (text, expected) in [
        ("", "line 1: the header is \"\"; expected from,to"),
        ("a,b\n0,1\n", "line 1: the header is \"a,b\"; expected from,to"),
        ("# x\nfrom,to,weight\n", "line 2: unknown column \"weight\""),
        ("from,to,latency,latency_ms\n", "line 1: the header names two columns for latency"),
        ("from,to\n0,1\n\n# x\n0,x\n", "line 5: \"x\" is not a node number from 0 to 3"),
        ("from,to\n0,1\n0,4\n", "line 3: there is no node 4; the nodes are 0 to 3"),
        ("from,to\n0,-1\n", "line 2: \"-1\" is not a node number"),
        ("from,to\n2,2", "line 2: node 2 is linked to itself"),
        ("from,to\n0,1\n0,1,2\n", "line 3: 3 columns, but the header has 2"),
        ("from,to,latency\n0,1,80\n", "line 2: latency: \"80\" has no unit"),
        ("from,to,rate\r\n0,1,\r\n1,2,0bit/s\r\n", "line 3: rate: a rate of zero"),
        ("from,to\n0,\"1\n1,2\n", "line 2: "),
    ] {
        let message = bad("edges.csv", text);
        assert!(message.starts_with(&format!("edges.csv, {expected}")), "{text:?}: {message}");
    }
    let error = read_as("a.csv", b"from,to\n0,1\n\xff\n", None).expect_err("not UTF-8");
    assert!(error.message.starts_with("a.csv, line 3: "), "{error}");
}

#[test]
fn malformed_graphml_is_refused_with_its_line() {
    let change = |from: &str, to: &str| {
        assert!(GRAPHML.contains(from), "{from}");
        bad("a.graphml", &GRAPHML.replacen(from, to, 1))
    };
    for (from, to, expected) in [
        ("</graphml>", "", "line 14: the text ends inside of an element"),
        ("</edge>", "</egde>", "line 9: "),
        ("undirected", "both", "line 6: edgedefault is \"both\""),
        (" edgedefault=\"undirected\"", "", "line 6: <graph> has no attribute edgedefault"),
        ("source=\"n3\" ", "", "line 11: <edge> has no attribute source"),
        ("<node id=\"n3\"/>", "", "line 11: node \"n3\" has no <node> element"),
        (
            "<node id=\"n3\"/>",
            "<node id=\"n3\"/><node id=\"n4\"/>",
            "line 8: node \"n4\": there is",
        ),
        ("20ms", "20 parsecs", "line 9: latency: \"20 parsecs\" has the unit"),
        ("&#181;", "&micro;", "line 10: "),
        ("target=\"n2\"", "target=\"n3\"", "line 11: node 3 is linked to itself"),
        ("<node id=\"n1\"/>", "<hyperedge/>", "line 7: a link of more than two ends"),
    ] {
        let message = change(from, to);
        assert!(message.starts_with(&format!("a.graphml, {expected}")), "{from}: {message}");
    }
    assert!(bad("a.xml", "<html></html>").contains("no <graph> was found"));
    assert!(bad("a.xml", "").contains("line 1: no <graph> was found"));
    assert!(bad("a.xml", "<edge source='0' target='1'/>").contains("outside of a <graph>"));
}

#[test]
fn malformed_dot_is_refused_with_its_line() {
    for (text, expected) in [
        ("", "line 1: the end of the text where graph or digraph is expected"),
        ("grph {}", "line 1: \"grph\" where graph or digraph is expected"),
        ("graph {\n 0 -- 1\n", "line 3: the end of the text where \"}\" is expected"),
        ("graph {\n 0 -> 1 }", "line 2: \"->\" where \"--\" of a graph is expected"),
        ("digraph {\n 0 -- 1 }", "line 2: \"--\" where \"->\" of a digraph is expected"),
        ("graph {\n 0 --\n}", "line 3: \"}\" where a node is expected"),
        ("graph {\n 0 -- 1 [latency=]\n}", "line 2: \"]\" where a value is expected"),
        ("graph {\n 0 -- 1 [latency=\"2 days\"]\n}", "line 2: latency: \"2 days\" has the unit"),
        ("graph {\n 0 -- 1 [rate=\"1Gbit/s]\n}", "line 2: a text in quotes is not closed"),
        ("graph {\n /* 0 -- 1\n}", "line 2: a comment is not closed"),
        ("graph {\n a [label=<x]\n}", "line 2: a text in angle brackets is not closed"),
        ("graph {\n\n 0 -- 7 }", "line 3: node \"7\": there is no node 7"),
        ("graph { a b\n c d\n e }", "line 3: node \"e\": there is no node 4"),
        ("graph {\n 1 -- 1 }", "line 2: node 1 is linked to itself"),
        ("graph {} graph {}", "line 1: \"graph\" where the end of the text after one graph"),
        ("graph {\n ! }", "line 2: \"!\" is not expected here"),
        ("graph {\n edge [latency=\"1ms\", latency_ms=2] 0 -- 1}", "line 2: latency_ms: the edge"),
    ] {
        let message = bad("a.dot", text);
        assert!(message.starts_with(&format!("a.dot, {expected}")), "{text:?}: {message}");
    }
    let deep = format!("graph {}", "{".repeat(100_000));
    assert!(bad("a.dot", &deep).contains("nested 51 deep"));
}
