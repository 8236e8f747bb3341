//! The figure of the README: how the quick start goes, drawn from its own tables.

use std::fmt::Write as _;

use headwater::metrics::{RUMORS, TIMELINE};
use headwater::scenario::plan::Plan;

use crate::support::Ran;

/// The drawing area within the figure: left, top, width and height.
const AREA: (f64, f64, f64, f64) = (56.0, 44.0, 640.0, 200.0);

/// The figure as SVG: the share of the registry that is up to date over time, each rumor's coverage
/// at the moment it appeared, and the faults.
pub(super) fn quick_start(plan: &Plan, ran: &Ran) -> String {
    let (left, top, width, height) = AREA;
    let end = plan.end.as_nanos() as f64;
    let x = |nanos: u64| left + width * nanos as f64 / end;
    let y = |ppm: u64| top + height * (1.0 - ppm as f64 / 1e6);
    let mut svg = frame();
    for fault in &plan.faults {
        let until = fault.end.unwrap_or(plan.end).as_nanos();
        let (from, until) = (x(fault.begin.as_nanos()), x(until));
        let (wide, middle) = (until - from, (from + until) / 2.0);
        let _ = writeln!(
            svg,
            "<rect x=\"{from:.1}\" y=\"{top}\" width=\"{wide:.1}\" height=\"{height}\" \
             fill=\"#f3e3cf\"/>\n<text x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\" \
             fill=\"#8a5a1c\">{}, 33 % of stake</text>",
            top + 18.0,
            fault.kind,
        );
    }
    axes(&mut svg, plan.end.as_nanos() / 1_000_000_000, &x, &y);
    let times = ran.integers(&TIMELINE, "time_ns");
    let shares = ran.integers(&TIMELINE, "registry_agreement_ppm");
    // The share is not known before the first validator has published.
    let known = times.len() - shares.len();
    let points: Vec<String> = times[known..]
        .iter()
        .zip(&shares)
        .map(|(t, s)| format!("{:.1},{:.1}", x(*t), y(*s)))
        .collect();
    let points = points.join(" ");
    let _ = writeln!(
        svg,
        "<polyline fill=\"none\" stroke=\"#0072b2\" stroke-width=\"2\" points=\"{points}\"/>"
    );
    let rumor = |column: &str| ran.integers(&RUMORS, column);
    let reached = rumor("reached").into_iter().zip(rumor("audience"));
    for (at, (reached, audience)) in rumor("injected_ns").into_iter().zip(reached) {
        let (x, y) = (x(at), y(reached * 1_000_000 / audience));
        let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4.5\" fill=\"#d55e00\"/>");
    }
    svg + "</svg>\n"
}

/// Background, title and legend.
fn frame() -> String {
    "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 720 280\" width=\"720\" height=\"280\" \
     font-family=\"sans-serif\" font-size=\"13\">\n\
     <title>The quick start: a partition, and what it does to rumors and to the registry</title>\n\
     <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
     <circle cx=\"62\" cy=\"20\" r=\"4.5\" fill=\"#d55e00\"/>\n\
     <text x=\"74\" y=\"25\" fill=\"#1c2430\">nodes that a rumor of this moment reached</text>\n\
     <path d=\"M370 20H394\" stroke=\"#0072b2\" stroke-width=\"2\"/>\n\
     <text x=\"402\" y=\"25\" fill=\"#1c2430\">registry entries that are up to date</text>\n"
        .to_owned()
}

/// Lines and labels for time and share.
fn axes(svg: &mut String, seconds: u64, x: &impl Fn(u64) -> f64, y: &impl Fn(u64) -> f64) {
    let (left, top, width, height) = AREA;
    for share in [0, 25, 50, 75, 100] {
        let y = y(share * 10_000);
        let _ = writeln!(
            svg,
            "<path d=\"M{left} {y:.1}h{width}\" stroke=\"#d7dce3\"/>\n\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#5a6472\">{share} %</text>",
            left - 6.0,
            y + 4.0,
        );
    }
    for second in (0..=seconds).step_by(2) {
        let x = x(second * 1_000_000_000);
        let _ = writeln!(
            svg,
            "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#5a6472\">{second} s</text>",
            top + height + 20.0,
        );
    }
}
