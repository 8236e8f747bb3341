//! Scenario layer: overlays for people to look at: Graphviz DOT, a self-contained SVG, and a few
//! lines for a terminal. The same overlay gives the same bytes.

mod layout;

use std::fmt::Write as _;

use self::layout::{Layout, SIDE, Spot, place};
use super::{Edge, Overlay};
use crate::base::id::{NodeId, NodeMap};

/// Up to how many nodes a complete overlay is drawn with its links.
const COMPLETE_NODES: usize = 200;
/// Up to how many nodes the labels are written.
const LABELLED_NODES: usize = 200;
/// Up to how many links are drawn: more would be one grey area.
const DRAWN_LINKS: usize = 20_000;
/// Up to how many regions the legend names.
const LEGEND_ROWS: usize = 30;

/// What a drawing says about the nodes.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    /// Title of the drawing.
    pub title: &'a str,
    /// Label of each node.
    pub labels: &'a NodeMap<String>,
    /// Region (or another group) of each node, as a place in `region_names`: gives its colour.
    pub regions: &'a NodeMap<u16>,
    /// Names of the regions for the legend; a drawing with at most one has no legend.
    pub region_names: &'a [String],
}

/// A few lines for a terminal: nodes, edges, degrees, components and diameter.
#[must_use]
pub fn describe(overlay: &Overlay) -> String {
    let mut text = format!("nodes         {}\nedges         ", overlay.nodes);
    let two_way = overlay.is_two_way();
    if two_way {
        let kind = if overlay.complete { ", complete" } else { "" };
        _ = writeln!(text, "{} (both ways{kind})", overlay.edge_count() / 2);
    } else {
        _ = writeln!(text, "{} (one way each)", overlay.edge_count());
    }
    let degrees = overlay.degrees();
    let (min, mean, max) = (degrees.min, degrees.mean, degrees.max);
    let name = if two_way { "degree    " } else { "out-degree" };
    _ = writeln!(text, "{name}    min {min}, mean {mean:.2}, max {max}");
    if !two_way {
        let known_by = overlay.in_degrees();
        let (min, max) = (known_by.iter().min(), known_by.iter().max());
        let (min, max) = (min.copied().unwrap_or(0), max.copied().unwrap_or(0));
        _ = writeln!(text, "in-degree     min {min}, mean {mean:.2}, max {max}");
    }
    _ = writeln!(text, "components    {}", overlay.components());
    let strong = overlay.strong_components();
    if !two_way {
        _ = writeln!(text, "strong comp.  {strong}");
    }
    _ = match overlay.diameter_if_small() {
        Some(1) => writeln!(text, "diameter      1 hop"),
        Some(hops) => writeln!(text, "diameter      {hops} hops"),
        None if strong > 1 => {
            writeln!(text, "diameter      none: not every node reaches every other")
        }
        None => writeln!(text, "diameter      not computed for an overlay of this size"),
    };
    text
}

/// The edges to draw, each two-way link once (from the lower number) and then the rest, with
/// `true` for one-way; `None` if there are too many.
fn links(overlay: &Overlay) -> Option<Vec<(Edge, bool)>> {
    if overlay.complete {
        let small = overlay.nodes <= COMPLETE_NODES;
        let pairs = NodeId::all(if small { overlay.nodes } else { 0 })
            .flat_map(|from| overlay.neighbours(from).filter_map(move |to| overlay.edge(from, to)));
        return small.then(|| pairs.filter(|e| e.from < e.to).map(|e| (e, false)).collect());
    }
    let mut links = Vec::new();
    for edge in &overlay.edges {
        let back = overlay.edge(edge.to, edge.from);
        let same = back.is_some_and(|b| b.latency == edge.latency && b.rate == edge.rate);
        if !same || edge.from < edge.to {
            links.push((*edge, !same));
        }
    }
    Some(links)
}

/// The overlay in the DOT language of Graphviz, one line for each node and edge; the reader of edge
/// files reads it back. A complete overlay of more than 200 nodes is written without its edges.
#[must_use]
pub fn to_dot(overlay: &Overlay, names: &Names<'_>) -> String {
    let two_way = overlay.is_two_way();
    let (kind, arrow) = if two_way { ("graph", "--") } else { ("digraph", "->") };
    let mut text = format!("{kind} {} {{\n", quoted(names.title));
    for node in NodeId::all(overlay.nodes) {
        let label = names.labels.as_slice().get(node.index());
        let label = label.cloned().unwrap_or_else(|| node.to_string());
        _ = writeln!(text, "  {node} [label={}];", quoted(&label));
    }
    let edges = if two_way {
        links(overlay).map(|links| links.into_iter().map(|(edge, _)| edge).collect())
    } else {
        Some(overlay.edges.clone())
    };
    if edges.is_none() {
        _ = writeln!(text, "  // complete: all {} edges are left out", overlay.edge_count() / 2);
    }
    for edge in edges.unwrap_or_default() {
        let latency = edge.latency.map(|latency| format!("latency=\"{latency}\""));
        let rate = edge.rate.map(|rate| format!("rate=\"{rate}\""));
        let given: Vec<String> = latency.into_iter().chain(rate).collect();
        let given =
            if given.is_empty() { String::new() } else { format!(" [{}]", given.join(", ")) };
        _ = writeln!(text, "  {} {arrow} {}{given};", edge.from, edge.to);
    }
    text.push_str("}\n");
    text
}

/// A text in quotes as DOT has them.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', " "))
}

/// A text inside an XML element or attribute; characters that XML cannot hold become blanks.
fn xml(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    quick_xml::escape::escape(plain).into_owned()
}

/// Colour of a region: the palette of Okabe and Ito (2008), made to be told apart by colour-blind
/// readers too, and after it evenly turning hues.
fn colour(region: u16) -> String {
    const PALETTE: [&str; 8] =
        ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#5f5f5f", "#b8a800"];
    match PALETTE.get(usize::from(region)) {
        Some(colour) => (*colour).to_owned(),
        // 137 degrees is the golden angle: many steps of it do not come near an earlier hue.
        None => format!("hsl({},55%,45%)", u32::from(region) * 137 % 360),
    }
}

/// The overlay as an SVG picture that needs nothing else: nodes in the layout of their kind with a
/// label (up to 200 nodes), links as light lines (arrows where they go one way), colours and legend
/// by region. Links that would be too many to see are left out, and a sentence says so.
#[must_use]
pub fn to_svg(overlay: &Overlay, names: &Names<'_>) -> String {
    let labelled = overlay.nodes <= LABELLED_NODES;
    let labels: Vec<String> = if labelled { short_labels(overlay, names) } else { Vec::new() };
    let longest = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0);
    let layout = place(overlay, names.regions, 7.0 * longest as f64);
    let few = overlay.edges.len() <= 2 * DRAWN_LINKS;
    let all = few.then(|| links(overlay)).flatten().filter(|links| links.len() <= DRAWN_LINKS);
    let legend = names.region_names.len() > 1;
    let (top, width) = (70.0, if legend { SIDE + 200.0 } else { SIDE });
    let height = SIDE + top;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\">\n\
         <title>{title}</title>\n\
         <defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"7\" \
         markerHeight=\"7\" orient=\"auto\"><path d=\"M0 0.5L8 4L0 7.5z\" fill=\"#8a94a3\"/>\
         </marker></defs>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"24\" y=\"36\" font-size=\"22\" fill=\"#1c2430\">{title}</text>\n\
         <text x=\"24\" y=\"58\" font-size=\"14\" fill=\"#5a6472\">{subtitle}</text>\n",
        title = xml(names.title),
        subtitle = subtitle(overlay, all.is_some()),
    );
    _ = writeln!(text, "<g transform=\"translate(0 {top})\">");
    draw_links(&mut text, &all.unwrap_or_default(), &layout);
    draw_nodes(&mut text, names, &layout);
    draw_labels(&mut text, &labels, &layout);
    if legend {
        draw_legend(&mut text, names.region_names);
    }
    text.push_str("</g>\n</svg>\n");
    text
}

/// The line below the title.
fn subtitle(overlay: &Overlay, drawn: bool) -> String {
    let (nodes, edges) = (overlay.nodes, overlay.edge_count());
    let edges = if overlay.is_two_way() {
        format!("{} links", edges / 2)
    } else {
        format!("{edges} directed edges")
    };
    let note = match (drawn, overlay.complete) {
        (true, _) => "",
        (false, true) => " (not drawn: every node is linked with every other)",
        (false, false) => " (not drawn: too many to tell apart)",
    };
    format!("{nodes} nodes, {edges}{note}")
}

/// Labels that fit: at most 20 characters.
fn short_labels(overlay: &Overlay, names: &Names<'_>) -> Vec<String> {
    let label = |node: NodeId| {
        let label = names.labels.as_slice().get(node.index());
        let label = label.cloned().unwrap_or_else(|| node.to_string());
        if label.chars().count() <= 20 {
            return label;
        }
        label.chars().take(19).chain(['…']).collect()
    };
    NodeId::all(overlay.nodes).map(label).collect()
}

/// Radius of the nodes.
fn node_radius(layout: &Layout) -> f64 {
    (layout.spacing * 0.3).clamp(1.2, 9.0)
}

fn draw_links(text: &mut String, links: &[(Edge, bool)], layout: &Layout) {
    let (width, opacity) = match links.len() {
        0..=500 => (1.4, 0.9),
        501..=3_000 => (0.9, 0.6),
        _ => (0.5, 0.35),
    };
    for (one_way, marker) in [(false, ""), (true, " marker-end=\"url(#arrow)\"")] {
        let group: Vec<_> = links.iter().filter(|(_, directed)| *directed == one_way).collect();
        if group.is_empty() {
            continue;
        }
        _ = writeln!(
            text,
            "<g fill=\"none\" stroke=\"#b4bdca\" stroke-width=\"{width}\" \
             stroke-opacity=\"{opacity}\"{marker}>"
        );
        // An arrow must end at the rim of its node to be seen.
        let short = if one_way { node_radius(layout) + 1.0 } else { 0.0 };
        for (edge, _) in group {
            let (from, to) = (layout.spots[edge.from.index()], layout.spots[edge.to.index()]);
            _ = writeln!(text, "<path d=\"{}\"/>", path(from, to, short, layout.straight));
        }
        text.push_str("</g>\n");
    }
}

/// A straight line, or a bow towards the middle of the sheet if the line is too long to be drawn
/// without meeting other nodes; it ends `short` before the middle of its node.
fn path(from: Spot, to: Spot, short: f64, straight: f64) -> String {
    let (dx, dy) = (to.x - from.x, to.y - from.y);
    let length = libm::hypot(dx, dy).max(1e-9);
    let bow = if length <= straight { 0.0 } else { (0.35 * length).min(60.0) };
    let (middle_x, middle_y) = ((from.x + to.x) / 2.0, (from.y + to.y) / 2.0);
    let inwards = (SIDE / 2.0 - middle_x) * -dy + (SIDE / 2.0 - middle_y) * dx;
    let bow = if inwards < 0.0 { -bow } else { bow };
    let (turn_x, turn_y) = (middle_x - dy / length * bow, middle_y + dx / length * bow);
    let last = libm::hypot(to.x - turn_x, to.y - turn_y).max(1e-9);
    let end_x = to.x - (to.x - turn_x) / last * short;
    let end_y = to.y - (to.y - turn_y) / last * short;
    let start = format!("M{:.1} {:.1}", from.x, from.y);
    if bow == 0.0 {
        return format!("{start}L{end_x:.1} {end_y:.1}");
    }
    format!("{start}Q{turn_x:.1} {turn_y:.1} {end_x:.1} {end_y:.1}")
}

fn draw_nodes(text: &mut String, names: &Names<'_>, layout: &Layout) {
    let radius = node_radius(layout);
    text.push_str("<g stroke=\"#ffffff\" stroke-width=\"0.8\">\n");
    for (node, spot) in layout.spots.iter().enumerate() {
        let region = names.regions.as_slice().get(node).copied().unwrap_or(0);
        let (x, y, colour) = (spot.x, spot.y, colour(region));
        _ = writeln!(
            text,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius:.1}\" fill=\"{colour}\"/>"
        );
    }
    text.push_str("</g>\n");
}

/// Labels beside their nodes, turned in the direction of the place and never upside down.
fn draw_labels(text: &mut String, labels: &[String], layout: &Layout) {
    if labels.is_empty() {
        return;
    }
    let size = (layout.spacing * 0.75).clamp(6.0, 12.0);
    _ = writeln!(
        text,
        "<g font-size=\"{size:.1}\" fill=\"#1c2430\" stroke=\"#ffffff\" stroke-width=\"2.5\" \
         stroke-linejoin=\"round\" paint-order=\"stroke\">"
    );
    let away = node_radius(layout) + 4.0;
    for (label, spot) in labels.iter().zip(&layout.spots) {
        let left = spot.angle > 90.0;
        let (turn, offset, anchor) = match left {
            true => (spot.angle - 180.0, -away, "end"),
            false => (spot.angle, away, "start"),
        };
        _ = writeln!(
            text,
            "<text transform=\"translate({:.1} {:.1}) rotate({turn:.1})\" x=\"{offset:.1}\" \
             y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
            spot.x,
            spot.y,
            size * 0.35,
            xml(label)
        );
    }
    text.push_str("</g>\n");
}

fn draw_legend(text: &mut String, regions: &[String]) {
    text.push_str("<g font-size=\"13\" fill=\"#1c2430\">\n");
    let row = |place: usize| 30.0 + 24.0 * place as f64;
    for (place, name) in regions.iter().take(LEGEND_ROWS).enumerate() {
        let (dot, base, colour) = (row(place), row(place) + 4.5, colour(place as u16));
        _ = writeln!(
            text,
            "<circle cx=\"{x}\" cy=\"{dot}\" r=\"6\" fill=\"{colour}\"/>\
             <text x=\"{start}\" y=\"{base}\">{}</text>",
            xml(name),
            x = SIDE + 20.0,
            start = SIDE + 34.0,
        );
    }
    if let Some(more) = regions.len().checked_sub(LEGEND_ROWS).filter(|&more| more > 0) {
        let (x, y) = (SIDE + 14.0, row(LEGEND_ROWS) + 4.5);
        _ = writeln!(text, "<text x=\"{x}\" y=\"{y}\">and {more} more</text>");
    }
    text.push_str("</g>\n");
}

#[cfg(test)]
mod tests;
