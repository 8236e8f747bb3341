//! Scenario layer: where the nodes of a drawn overlay stand.

use std::collections::BTreeMap;
use std::f64::consts::PI;

use super::super::overlay::{Overlay, Shape};
use crate::base::id::{NodeId, NodeMap};

/// Side of the square on which nodes are placed, in SVG units.
pub(super) const SIDE: f64 = 1_000.0;
/// Room around the nodes of a layout whose labels do not point outwards.
const MARGIN: f64 = 60.0;

/// Where a node stands, and in which direction (degrees, clockwise from the right) its label is
/// written.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Spot {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) angle: f64,
}

/// All places of a drawing.
pub(super) struct Layout {
    pub(super) spots: Vec<Spot>,
    /// Distance between places that are next to each other; sets the size of nodes and letters.
    pub(super) spacing: f64,
    /// Links longer than this would run through other nodes or close by, and are bent; infinite
    /// where that does not happen.
    pub(super) straight: f64,
}

/// Places the nodes as the kind of the overlay suggests; `label` is the room for a label.
pub(super) fn place(overlay: &Overlay, regions: &NodeMap<u16>, label: f64) -> Layout {
    let nodes = overlay.nodes;
    let middle = (SIDE / 2.0, SIDE / 2.0);
    let radius = SIDE / 2.0 - 20.0 - label;
    let layout = |spots, spacing| Layout { spots, spacing, straight: f64::INFINITY };
    match overlay.shape {
        Shape::Circle => {
            let spacing = chord(radius, nodes);
            Layout { spots: circle(middle, radius, nodes), spacing, straight: 1.01 * spacing }
        }
        Shape::Line => line(nodes, label),
        Shape::Grid { columns } => {
            let spot = |node: usize| (node % columns, node / columns);
            cells(nodes, columns, spot)
        }
        Shape::Tree { arity } => tree(nodes, arity, label),
        Shape::Star { center } => {
            let mut spots = circle(middle, radius, nodes.saturating_sub(1));
            spots.insert(center, Spot { x: middle.0, y: middle.1, angle: 0.0 });
            layout(spots, chord(radius, nodes))
        }
        Shape::Regions => clusters(nodes, regions, label),
    }
}

/// The point at an angle (degrees, clockwise from the right) and distance from another.
fn polar(from: (f64, f64), angle: f64, distance: f64) -> (f64, f64) {
    let radians = angle * PI / 180.0;
    (from.0 + distance * libm::cos(radians), from.1 + distance * libm::sin(radians))
}

/// Nodes clockwise around a point, the first above it.
fn circle(middle: (f64, f64), radius: f64, count: usize) -> Vec<Spot> {
    let spot = |place: usize| {
        let angle = 360.0 * place as f64 / count as f64 - 90.0;
        let (x, y) = polar(middle, angle, radius);
        Spot { x, y, angle }
    };
    (0..count).map(spot).collect()
}

/// Distance between neighbours on a circle.
fn chord(radius: f64, count: usize) -> f64 {
    if count < 2 { SIDE / 2.0 } else { 2.0 * radius * libm::sin(PI / count as f64) }
}

/// Rows and columns, square where there is room for it.
fn cells(nodes: usize, columns: usize, cell: impl Fn(usize) -> (usize, usize)) -> Layout {
    let rows = nodes.div_ceil(columns.max(1));
    let room = SIDE - 2.0 * MARGIN;
    let spacing = room / (columns.max(rows).saturating_sub(1)).max(1) as f64;
    let across = room / columns.saturating_sub(1).max(1) as f64;
    // A few long rows are spread a little, so that labels have room between them.
    let down = (room / rows.saturating_sub(1).max(1) as f64).min(2.0 * spacing);
    let across = across.min(2.0 * spacing);
    let top = (SIDE - down * rows.saturating_sub(1) as f64) / 2.0;
    let left = (SIDE - across * columns.saturating_sub(1) as f64) / 2.0;
    let spot = |node: usize| {
        let (column, row) = cell(node);
        Spot { x: left + across * column as f64, y: top + down * row as f64, angle: 45.0 }
    };
    let straight = 1.01 * across.max(down);
    Layout { spots: (0..nodes).map(spot).collect(), spacing, straight }
}

/// A row, folded back and forth when it is too long for its labels.
fn line(nodes: usize, label: f64) -> Layout {
    let fitting = ((SIDE - 2.0 * MARGIN) / (label + 25.0)) as usize;
    let columns = fitting.max(nodes.isqrt()).min(nodes).max(1);
    cells(nodes, columns, |node| {
        let (column, row) = (node % columns, node / columns);
        (if row % 2 == 0 { column } else { columns - 1 - column }, row)
    })
}

/// Levels from top to bottom; every node stands above the middle of its leaves.
fn tree(nodes: usize, arity: usize, label: f64) -> Layout {
    let mut leaves = vec![0_usize; nodes];
    let mut depth = vec![0_usize; nodes];
    for node in (0..nodes).rev() {
        leaves[node] = leaves[node].max(1);
        if node > 0 {
            leaves[(node - 1) / arity] += leaves[node];
        }
    }
    let (mut left, mut taken) = (vec![0_usize; nodes], vec![0_usize; nodes]);
    for node in 1..nodes {
        let parent = (node - 1) / arity;
        depth[node] = depth[parent] + 1;
        left[node] = left[parent] + taken[parent];
        taken[parent] += leaves[node];
    }
    let levels = depth.last().copied().unwrap_or(0).max(1);
    let width = leaves.first().copied().unwrap_or(1);
    let spacing = (SIDE - 2.0 * MARGIN) / width.max(levels) as f64;
    let unit = (SIDE - 2.0 * MARGIN) / width as f64;
    let down = (SIDE - 2.0 * MARGIN - label) / levels as f64;
    let spot = |node: usize| Spot {
        x: MARGIN + unit * (left[node] as f64 + leaves[node] as f64 / 2.0),
        y: MARGIN + down * depth[node] as f64,
        // Where there is no room beside a node, its label runs down.
        angle: if unit * (leaves[node] as f64) < label + 25.0 { 90.0 } else { 0.0 },
    };
    Layout { spots: (0..nodes).map(spot).collect(), spacing, straight: f64::INFINITY }
}

/// One circle of nodes for each region, the circles around the middle.
fn clusters(nodes: usize, regions: &NodeMap<u16>, label: f64) -> Layout {
    let mut members = BTreeMap::<u16, Vec<NodeId>>::new();
    for (node, region) in regions.iter().take(nodes) {
        members.entry(*region).or_default().push(node);
    }
    let count = members.len();
    // Beside each other on a circle of radius R, n circles have radius R sin(pi/n); with a little
    // air between them and R plus that radius filling half the side.
    let share = if count < 2 { 1.0 } else { 0.85 * libm::sin(PI / count as f64) };
    let half = SIDE / 2.0 - 20.0;
    let (ring, room) =
        if count < 2 { (0.0, half) } else { (half / (1.0 + share), half / (1.0 + share) * share) };
    let radius = (room - label).max(room * 0.4);
    let mut spots = vec![Spot { x: 0.0, y: 0.0, angle: 0.0 }; nodes];
    let mut spacing = f64::INFINITY;
    for (place, list) in members.values().enumerate() {
        let angle = 360.0 * place as f64 / count as f64 - 90.0;
        let middle = polar((SIDE / 2.0, SIDE / 2.0), angle, ring);
        spacing = spacing.min(chord(radius, list.len()));
        for (node, spot) in list.iter().zip(circle(middle, radius, list.len())) {
            spots[node.index()] = spot;
        }
    }
    Layout { spots, spacing, straight: f64::INFINITY }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No two nodes stand nearer than half the spacing, and all stand on the sheet.
    fn check(shape: Shape, nodes: usize) {
        let mut overlay = Overlay::from_edges(nodes, Vec::new(), Shape::Circle);
        overlay.shape = shape;
        let regions = NodeMap::build(nodes, |node| (node.number() % 4) as u16);
        let layout = place(&overlay, &regions, 60.0);
        assert_eq!(layout.spots.len(), nodes, "{shape:?}");
        for (i, a) in layout.spots.iter().enumerate() {
            assert!((0.0..=SIDE).contains(&a.x) && (0.0..=SIDE).contains(&a.y), "{shape:?} {a:?}");
            for b in &layout.spots[i + 1..] {
                let apart = libm::hypot(a.x - b.x, a.y - b.y);
                assert!(apart > 0.5 * layout.spacing.min(100.0), "{shape:?} {a:?} {b:?}");
            }
        }
    }

    #[test]
    fn nodes_stand_apart_on_the_sheet_in_every_layout() {
        for nodes in [1, 2, 3, 24, 60] {
            check(Shape::Circle, nodes);
            check(Shape::Line, nodes);
            check(Shape::Grid { columns: nodes.min(6) }, nodes);
            check(Shape::Grid { columns: 1 }, nodes);
            check(Shape::Tree { arity: 1 }, nodes);
            check(Shape::Tree { arity: 3 }, nodes);
            check(Shape::Star { center: nodes / 2 }, nodes);
            check(Shape::Regions, nodes);
        }
        check(Shape::Circle, 0);
        check(Shape::Regions, 0);
    }
}
