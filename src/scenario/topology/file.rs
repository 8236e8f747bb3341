//! Scenario layer: overlays read from edge files: CSV, GraphML and Graphviz DOT give the same rows,
//! which are checked here once for all formats.

mod dot;
mod graphml;

use std::collections::BTreeMap;
use std::path::Path;

use super::{Edge, MAX_EDGES, Shared, bad_ends, not_a_node, too_long, within_limit};
use crate::base::distribution::LONGEST_WRITTEN;
use crate::base::quantity::{QuantityError, Rate};
use crate::base::time::Span;
use crate::scenario::error::ScenarioError;
use crate::scenario::input;

const KEY: &str = "topology.path";

/// What is wrong with an edge file, and on which line (counted from 1).
#[derive(Clone, PartialEq, Eq, Debug)]
struct Fault {
    line: usize,
    message: String,
}

impl Fault {
    fn new(line: usize, message: impl Into<String>) -> Self {
        Self { line, message: message.into() }
    }
}

/// What an edge has of its own.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct Link {
    latency: Option<Span>,
    rate: Option<Rate>,
}

impl Link {
    /// Takes over an attribute if it is one of those that mean something here. The three formats
    /// share the names: `latency` and `rate` with units, `latency_ms`, `latency_ns` and `rate_bps`
    /// without. An empty value is no value.
    fn set(&mut self, name: &str, value: &str) -> Result<(), QuantityError> {
        let value = value.trim();
        let Some((slot, unit)) = meaning(name) else { return Ok(()) };
        if value.is_empty() {
            return Ok(());
        }
        let text = format!("{}{unit}", brief(value));
        let twice = match slot {
            Slot::Latency => {
                let latency: Span = text.parse()?;
                if latency > LONGEST_WRITTEN {
                    return Err(QuantityError(too_long(latency)));
                }
                self.latency.replace(latency).is_some()
            }
            Slot::Rate => self.rate.replace(text.parse()?).is_some(),
        };
        if twice {
            return Err(QuantityError("the edge has this property under another name too".into()));
        }
        Ok(())
    }
}

/// Which property of a link an attribute is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Slot {
    Latency,
    Rate,
}

/// What an attribute name means, and the unit that its value leaves out.
fn meaning(name: &str) -> Option<(Slot, &'static str)> {
    Some(match name {
        "latency" => (Slot::Latency, ""),
        "latency_ms" => (Slot::Latency, "ms"),
        "latency_ns" => (Slot::Latency, "ns"),
        "rate" => (Slot::Rate, ""),
        "rate_bps" => (Slot::Rate, "bit/s"),
        _ => return None,
    })
}

/// One edge as a file lists it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Row {
    line: usize,
    from: u32,
    to: u32,
    link: Link,
    /// What the file says about the direction of this edge.
    directed: bool,
}

/// Node names in the order of their first mention.
#[derive(Default)]
struct Names {
    list: Vec<(String, usize)>,
    place: BTreeMap<String, u32>,
}

impl Names {
    /// The place of a name, given a new one if it was not mentioned before.
    fn place(&mut self, name: &str, line: usize) -> u32 {
        if let Some(&place) = self.place.get(name) {
            return place;
        }
        let place = self.list.len() as u32;
        self.place.insert(name.to_owned(), place);
        self.list.push((name.to_owned(), line));
        place
    }

    /// The node that each place stands for: the number that is its name, if all names are plain
    /// numbers or all are `n` with a number, otherwise the place itself.
    fn numbers(&self) -> Vec<u32> {
        let numbered = |prefix: &str| {
            let number = |(name, _): &(String, usize)| {
                let digits = name.strip_prefix(prefix)?;
                let number: u32 = digits.parse().ok()?;
                // "07" and "+7" are names and not the number 7.
                (number.to_string() == digits).then_some(number)
            };
            self.list.iter().map(number).collect::<Option<Vec<u32>>>()
        };
        let in_order = || (0..self.list.len() as u32).collect();
        numbered("").or_else(|| numbered("n")).unwrap_or_else(in_order)
    }

    /// Puts node numbers for the places in these rows, after checking that all exist.
    fn resolve(&self, rows: &mut [Row], nodes: usize) -> Result<(), Fault> {
        let numbers = self.numbers();
        for ((name, line), &number) in self.list.iter().zip(&numbers) {
            if number as usize >= nodes {
                let sentence = not_a_node(number, nodes);
                return Err(Fault::new(*line, format!("node \"{name}\": {sentence}")));
            }
        }
        for row in rows {
            row.from = numbers[row.from as usize];
            row.to = numbers[row.to as usize];
        }
        Ok(())
    }
}

/// Reads the edges of a file, in a format chosen by its extension; `directed`, if given, stands
/// over what the file says.
pub(super) fn read(
    path: &Path,
    base_dir: &Path,
    nodes: usize,
    directed: Option<bool>,
    shared: Shared,
) -> Result<Vec<Edge>, ScenarioError> {
    let shown = path.display();
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let parse: fn(&str, usize) -> Result<Vec<Row>, Fault> = match extension.as_str() {
        "csv" => read_csv,
        "graphml" | "xml" => graphml::read,
        "dot" | "gv" => dot::read,
        _ => {
            let message = format!("\"{shown}\" has no known extension");
            return Err(ScenarioError::new(KEY, message)
                .hint("edge files end in .csv, .graphml, .xml, .dot or .gv"));
        }
    };
    let bytes = input::read(&base_dir.join(path)).map_err(|error| error.at(KEY, path))?;
    let located = |fault: Fault| {
        ScenarioError::new(KEY, format!("{shown}, line {}: {}", fault.line, fault.message))
    };
    let text = str::from_utf8(&bytes).map_err(|error| {
        let line = Lines { text: &bytes, offset: 0, line: 1 }.at(error.valid_up_to());
        located(Fault::new(line, "a byte that is not UTF-8 text"))
    })?;
    // Excel and others put a byte order mark in front; it is not a part of the first name.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut rows = parse(text, nodes).map_err(located)?;
    if let Some(directed) = directed {
        rows.iter_mut().for_each(|row| row.directed = directed);
    }
    let count = |row: &Row| if row.directed { 1_u64 } else { 2 };
    within_limit(KEY, rows.iter().map(count).sum())?;
    edges(&rows, nodes, shared).map_err(located)
}

/// Tells on which line a byte stands, fast for offsets that only grow.
struct Lines<'a> {
    text: &'a [u8],
    offset: usize,
    line: usize,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        Self { text: text.as_bytes(), offset: 0, line: 1 }
    }

    /// The line, counted from 1, of the byte at this offset.
    fn at(&mut self, offset: usize) -> usize {
        let offset = offset.min(self.text.len());
        if offset < self.offset {
            (self.offset, self.line) = (0, 1);
        }
        let passed = &self.text[self.offset..offset];
        self.line += passed.iter().filter(|&&byte| byte == b'\n').count();
        self.offset = offset;
        self.line
    }
}

/// The beginning of a text that may be as long as the file, for an error.
fn brief(text: &str) -> String {
    let mut shown: String = text.chars().take(40).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown.replace('\n', " ")
}

/// The directed edges of all rows. An edge listed again counts once, if it says the same again.
fn edges(rows: &[Row], nodes: usize, shared: Shared) -> Result<Vec<Edge>, Fault> {
    let mut listed = Vec::new();
    for row in rows {
        if let Some(problem) = bad_ends(row.from, row.to, nodes) {
            return Err(Fault::new(row.line, problem));
        }
        listed.push((row.from, row.to, row.line, row.link));
        if !row.directed {
            listed.push((row.to, row.from, row.line, row.link));
        }
    }
    listed.sort_by_key(|&(from, to, line, _)| (from, to, line));
    for pair in listed.windows(2) {
        let ((a, b, first, link), (from, to, line, other)) = (pair[0], pair[1]);
        if (a, b) == (from, to) && link != other {
            let message = format!("the edge from {from} to {to} stands on line {first} already");
            return Err(Fault::new(line, format!("{message}, with another latency or rate")));
        }
    }
    let edge = |(from, to, _, link): (u32, u32, usize, Link)| {
        let both = Shared {
            latency: link.latency.or(shared.latency),
            rate: link.rate.or(shared.rate),
            ..shared
        };
        both.edge(from, to)
    };
    Ok(listed.into_iter().map(edge).collect())
}

/// Reads an edge list with a header; empty lines and lines that start with `#` are left aside.
fn read_csv(text: &str, nodes: usize) -> Result<Vec<Row>, Fault> {
    let mut lines = Lines::new(text);
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .comment(Some(b'#'))
        .flexible(true)
        .from_reader(text.as_bytes());
    let mut line_of = |position: Option<&csv::Position>| {
        lines.at(first_content(text, position.map_or(0, |position| position.byte() as usize)))
    };
    let header = reader.headers().cloned();
    let header = header.map_err(|error| Fault::new(1, error.to_string()))?;
    check_header(&header).map_err(|message| Fault::new(line_of(header.position()), message))?;
    let (mut rows, mut record) = (Vec::new(), csv::StringRecord::new());
    loop {
        let more = reader.read_record(&mut record);
        let line = line_of(record.position());
        if !more.map_err(|error| Fault::new(line, error.to_string()))? {
            return Ok(rows);
        }
        if rows.len() as u64 >= MAX_EDGES {
            return Err(Fault::new(line, format!("more than {MAX_EDGES} edges")));
        }
        let row = csv_row(&header, &record, nodes, line);
        rows.push(row.map_err(|message| Fault::new(line, message))?);
    }
}

/// Where the record begins that the CSV reader looked for from this offset on: it counts empty
/// lines and comments before a record as a part of it.
fn first_content(text: &str, mut offset: usize) -> usize {
    while let Some(line) = text.get(offset..).and_then(|rest| rest.split_inclusive('\n').next()) {
        let content = line.trim();
        if !content.is_empty() && !content.starts_with('#') {
            break;
        }
        offset += line.len();
    }
    offset
}

/// One record as a row.
fn csv_row(
    header: &csv::StringRecord,
    record: &csv::StringRecord,
    nodes: usize,
    line: usize,
) -> Result<Row, String> {
    if record.len() != header.len() {
        let (found, expected) = (record.len(), header.len());
        let columns = if found == 1 { "column" } else { "columns" };
        return Err(format!("{found} {columns}, but the header has {expected}"));
    }
    let (mut ends, mut link) = ([0, 0], Link::default());
    for (name, cell) in header.iter().zip(record) {
        match name {
            "from" => ends[0] = node_cell(cell, nodes)?,
            "to" => ends[1] = node_cell(cell, nodes)?,
            _ => link.set(name, cell).map_err(|why| format!("{name}: {why}"))?,
        }
    }
    Ok(Row { line, from: ends[0], to: ends[1], link, directed: false })
}

/// The node number in a cell.
fn node_cell(cell: &str, nodes: usize) -> Result<u32, String> {
    cell.parse().map_err(|_| {
        let (cell, last) = (brief(cell), nodes.saturating_sub(1));
        format!("\"{cell}\" is not a node number from 0 to {last}")
    })
}

/// What is wrong with the header of an edge list.
fn check_header(header: &csv::StringRecord) -> Result<(), String> {
    const COLUMNS: &str = "from,to and one or none of latency, latency_ms, latency_ns and of rate, \
                           rate_bps";
    let count = |wanted: &str| header.iter().filter(|name| *name == wanted).count();
    let slots = |slot| header.iter().filter(|n| meaning(n).is_some_and(|(s, _)| s == slot)).count();
    if count("from") != 1 || count("to") != 1 {
        let found: Vec<&str> = header.iter().collect();
        return Err(format!("the header is \"{}\"; expected {COLUMNS}", brief(&found.join(","))));
    }
    if let Some(name) = header.iter().find(|n| !["from", "to"].contains(n) && meaning(n).is_none())
    {
        return Err(format!("unknown column \"{}\"; expected {COLUMNS}", brief(name)));
    }
    if slots(Slot::Latency) > 1 || slots(Slot::Rate) > 1 {
        return Err("the header names two columns for latency or for rate".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests;
