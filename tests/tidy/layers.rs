//! Hygiene tests: which layer may know which. The table is the architecture; the check reads every
//! path in the code.

use super::source::{Source, block_end};

/// A layer and what it may use of the others: a whole layer, or one module of it.
const LAYERS: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("fact", &["base"]),
    ("sim", &["base", "fact"]),
    ("crypto", &["base"]),
    ("protocol", &["base", "fact", "crypto", "sim::protocol", "sim::body"]),
    ("metrics", &["base", "fact"]),
    ("results", &["base", "metrics::table"]),
    ("expect", &["base", "metrics", "results"]),
    ("scenario", &["base", "sim", "crypto", "protocol", "expect"]),
    ("run", &["base", "fact", "sim", "crypto", "protocol", "metrics", "expect", "scenario"]),
    ("experiment", &["base", "fact", "metrics", "results", "expect", "scenario", "run"]),
    ("world", &["base", "fact", "sim", "protocol", "scenario", "run"]),
    (
        "cli",
        &[
            "base",
            "fact",
            "crypto",
            "protocol::gossip",
            "protocol::ledger",
            "protocol::poh",
            "metrics",
            "results",
            "expect",
            "scenario",
            "run",
            "experiment",
        ],
    ),
];

/// Layers that the roots of the library and of the program may use.
const ROOTS: &[(&str, &[&str])] = &[("src/lib.rs", &[]), ("src/main.rs", &["cli"])];

/// Every use of a layer that the table does not allow, as "path: what it uses".
pub(super) fn forbidden(source: &Source) -> Vec<String> {
    let module = source.module();
    let layer = module.first().map(String::as_str);
    let allowed = match layer {
        None => ROOTS.iter().find(|(path, _)| *path == source.path).map(|(_, allowed)| *allowed),
        Some(layer) => LAYERS.iter().find(|(name, _)| *name == layer).map(|(_, allowed)| *allowed),
    };
    let Some(allowed) = allowed else {
        return vec![format!("{}: not in the table of layers", source.path)];
    };
    let mut found: Vec<String> = Vec::new();
    for path in paths(&source.production, &module) {
        let inside = |outer: &str| path == outer || path.starts_with(&format!("{outer}::"));
        if !path.is_empty() && !layer.is_some_and(inside) && !allowed.iter().any(|a| inside(a)) {
            let line = format!("{}: uses {path}", source.path);
            if !found.contains(&line) {
                found.push(line);
            }
        }
    }
    found
}

/// Everything of this crate that a code names, as paths from the crate: from use declarations and
/// in the middle of code. `module` is the one that the code stands in.
fn paths(code: &str, module: &[String]) -> Vec<String> {
    const STARTS: [&str; 4] = ["crate", "headwater", "super", "self"];
    let mut found = Vec::new();
    let mut behind = 0;
    for (place, word) in words(code) {
        let goes_on = code[place + word.len()..].trim_start().starts_with("::");
        let goes_before = code[..place].trim_end().ends_with("::");
        if place < behind || !STARTS.contains(&word) || goes_before || !goes_on {
            continue;
        }
        let (tree, length) = tree_at(&code[place..]);
        behind = place + length;
        // A path in a module inside the file starts one step deeper.
        let depth = nested_modules(code, place);
        for path in tree {
            found.extend(resolved(&path, module, depth));
        }
    }
    found
}

/// The words of a code and where they start.
fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    let pieces = code.split(|c: char| !c.is_alphanumeric() && c != '_');
    let placed = pieces.map(move |word| {
        let place = at;
        at += word.len() + code[place + word.len()..].chars().next().map_or(0, char::len_utf8);
        (place, word)
    });
    placed.filter(|(_, word)| !word.is_empty())
}

/// All paths of a use tree such as `crate::{a, b::{c, d}}`, and how many bytes it takes.
fn tree_at(code: &str) -> (Vec<Vec<&str>>, usize) {
    let mut path: Vec<&str> = Vec::new();
    let mut at = 0;
    loop {
        let rest = &code[at..];
        at += rest.len() - rest.trim_start().len();
        let rest = &code[at..];
        if rest.starts_with('{') {
            let end = block_end(code, at);
            let mut all = Vec::new();
            for branch in branches(&code[at + 1..end - 1]) {
                let (inner, _) = tree_at(branch);
                all.extend(inner.into_iter().map(|tail| [path.clone(), tail].concat()));
            }
            return (all, end);
        }
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        path.push(&rest[..end]);
        at += end;
        let next = code[at..].trim_start();
        if end == 0 || !next.starts_with("::") {
            path.retain(|step| !step.is_empty());
            return (vec![path], at);
        }
        at = code.len() - next.len() + 2;
    }
}

/// The branches of a use tree: split at the commas outside of inner braces.
fn branches(inner: &str) -> Vec<&str> {
    let (mut depth, mut start, mut found) = (0_usize, 0, Vec::new());
    for (place, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                found.push(&inner[start..place]);
                start = place + 1;
            }
            _ => {}
        }
    }
    found.push(&inner[start..]);
    found.retain(|branch| !branch.trim().is_empty());
    found
}

/// A path from the crate on; `None` for one that stays within the module's own items.
fn resolved(path: &[&str], module: &[String], depth: usize) -> Option<String> {
    let ups = path.iter().take_while(|step| matches!(**step, "super" | "self")).count();
    let supers = path.iter().filter(|step| **step == "super").count();
    let tail = || path[ups..].iter().map(|step| (*step).to_owned());
    match *path.first()? {
        "crate" | "headwater" => Some(path[1..].join("::")),
        _ => {
            let up = supers.saturating_sub(depth);
            let kept = module.len().checked_sub(up).unwrap_or_else(|| {
                panic!("{} leaves the crate from {}", path.join("::"), module.join("::"))
            });
            let steps: Vec<String> = module[..kept].iter().cloned().chain(tail()).collect();
            Some(steps.join("::"))
        }
    }
}

/// In how many modules within its file a place stands.
fn nested_modules(code: &str, place: usize) -> usize {
    let opens = words(code).filter(|(at, word)| *word == "mod" && *at < place);
    let blocks = opens.filter_map(|(at, _)| {
        let open = at + code[at..].find(['{', ';'])?;
        code[open..].starts_with('{').then(|| block_end(code, open))
    });
    blocks.filter(|end| *end > place).count()
}

#[test]
fn tidy_finds_every_way_to_reach_a_forbidden_layer() {
    let source = |path: &str, code: &str| Source::new(path, code);
    for (path, code, found) in [
        ("src/metrics/nodes.rs", "use crate::sim::queue::EventQueue;", "sim::queue::EventQueue"),
        ("src/metrics.rs", "use crate::{base::id, protocol::{peers, gossip}};", "protocol::peers"),
        ("src/sim/network.rs", "fn f() { crate::scenario::plan::Plan::of(); }", "scenario::plan"),
        ("src/sim.rs", "use super::run;", "run"),
        ("src/sim/queue/pool.rs", "pub use super::super::super::cli::main;", "cli::main"),
        ("src/results.rs", "use crate::metrics::Summary;", "metrics::Summary"),
        ("src/protocol/gossip.rs", "use crate::sim::network::Network;", "sim::network::Network"),
        ("src/base/time.rs", "mod x { use super::super::super::fact; }", "fact"),
        ("src/main.rs", "use headwater::run::run;", "run::run"),
        ("src/report.rs", "", "not in the table"),
    ] {
        let complaints = forbidden(&source(path, code));
        let named = complaints.iter().any(|complaint| complaint.contains(found));
        assert!(named, "{path}: {code}: {complaints:?}");
    }
}

#[test]
fn tidy_lets_allowed_uses_pass() {
    for (path, code) in [
        ("src/metrics.rs", "use crate::base::time::Time; use self::table::Cell; pub use table::T;"),
        ("src/protocol/gossip.rs", "use crate::sim::protocol::{Alarm, Mail}; use super::peers::P;"),
        ("src/results/writer.rs", "use crate::metrics::table::{Cell, RowSink}; use super::R;"),
        ("src/sim/queue/pool.rs", "// crate::cli\nfn f() -> &'static str { \"crate::cli\" }"),
        ("src/base/id.rs", "fn f() {}\n#[cfg(test)]\nmod tests {\n use crate::cli::main;\n}\n"),
        ("src/main.rs", "use headwater::cli::{Arguments, main as run};"),
        ("src/base/time.rs", "mod x { use super::Span; use super::super::id::NodeId; }"),
    ] {
        let complaints = forbidden(&Source::new(path, code));
        assert!(complaints.is_empty(), "{path}: {code}: {complaints:?}");
    }
}

#[test]
fn tidy_table_of_layers_has_no_circle() {
    // A layer uses only layers above it in the table, so there is no way back.
    for (place, (layer, allowed)) in LAYERS.iter().enumerate() {
        for used in *allowed {
            let name = used.split("::").next().unwrap_or(used);
            let found = LAYERS.iter().position(|(other, _)| *other == name);
            assert!(found.is_some_and(|found| found < place), "{layer} uses {used}");
        }
    }
}
