//! Scenario layer: edges from GraphML (graphml.graphdrawing.org): one graph, its nodes and edges,
//! and edge data whose key is named `latency`, `rate` and so on. Other data is left aside.

use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{XmlVersion, escape};

use super::{Fault, Lines, Link, Names, Row, meaning};

/// What is known while the events of a file pass by.
#[derive(Default)]
struct Reading {
    names: Names,
    /// Whether the name at each place has a node element of its own.
    declared: Vec<bool>,
    rows: Vec<Row>,
    /// Edge keys that mean something here: their name, and the default value.
    keys: BTreeMap<String, (String, Option<String>)>,
    /// What edges are when they do not say themselves; unknown before the graph begins.
    directed: Option<bool>,
    /// The edge element that is open, and the values that it gives by key.
    edge: Option<(Row, BTreeMap<String, String>)>,
    /// The key element that is open.
    key: Option<String>,
    /// The data or default element that is open: its key and its text.
    value: Option<(String, String)>,
    /// How many elements are open.
    depth: usize,
}

/// Reads the rows of a GraphML text.
pub(super) fn read(text: &str, nodes: usize) -> Result<Vec<Row>, Fault> {
    let mut reading = Reading::default();
    let mut lines = Lines::new(text);
    let mut reader = Reader::from_str(text);
    loop {
        let line = lines.at(reader.buffer_position() as usize);
        let event = reader.read_event().map_err(|error| {
            Fault::new(lines.at(reader.error_position() as usize), error.to_string())
        })?;
        match event {
            Event::Start(element) => reading.start(&element, line)?,
            Event::Empty(element) => {
                reading.start(&element, line)?;
                reading.end(element.local_name().as_ref())?;
            }
            Event::End(element) => reading.end(element.local_name().as_ref())?,
            Event::Text(content) => reading.text(&content),
            Event::CData(content) => reading.text(&content),
            Event::GeneralRef(name) => {
                let content = escape::unescape(&format!("&{};", &*name))
                    .map_err(|error| Fault::new(line, error.to_string()))?
                    .into_owned();
                reading.text(&content);
            }
            Event::Eof => return reading.finish(nodes, line),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
}

/// The value of an attribute, or `None` if the element has none of this name.
fn attribute(element: &BytesStart<'_>, name: &str, line: usize) -> Result<Option<String>, Fault> {
    let fault = |error: String| Fault::new(line, error);
    for attribute in element.attributes() {
        let attribute = attribute.map_err(|error| fault(error.to_string()))?;
        if attribute.key.as_ref() == name {
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|error| fault(error.to_string()))?;
            return Ok(Some(value.into_owned()));
        }
    }
    Ok(None)
}

/// The value of an attribute that the element must have.
fn required(element: &BytesStart<'_>, name: &str, line: usize) -> Result<String, Fault> {
    attribute(element, name, line)?.ok_or_else(|| {
        let tag = element.local_name();
        Fault::new(line, format!("<{}> has no attribute {name}", tag.as_ref()))
    })
}

impl Reading {
    fn start(&mut self, element: &BytesStart<'_>, line: usize) -> Result<(), Fault> {
        self.depth += 1;
        match element.local_name().as_ref() {
            "key" => self.start_key(element, line)?,
            "graph" => self.start_graph(element, line)?,
            "node" => {
                let id = required(element, "id", line)?;
                let place = self.place(&id, line);
                self.declared[place as usize] = true;
            }
            "edge" => self.start_edge(element, line)?,
            "hyperedge" => return Err(Fault::new(line, "a link of more than two ends")),
            "default" => self.value = self.key.clone().map(|key| (key, String::new())),
            "data" if self.edge.is_some() => {
                self.value = Some((required(element, "key", line)?, String::new()));
            }
            _ => {}
        }
        Ok(())
    }

    fn start_key(&mut self, element: &BytesStart<'_>, line: usize) -> Result<(), Fault> {
        let on = attribute(element, "for", line)?.unwrap_or_else(|| "all".into());
        let name = attribute(element, "attr.name", line)?.unwrap_or_default();
        if ["edge", "all"].contains(&on.as_str()) && meaning(&name).is_some() {
            let id = required(element, "id", line)?;
            self.keys.insert(id.clone(), (name, None));
            self.key = Some(id);
        }
        Ok(())
    }

    fn start_graph(&mut self, element: &BytesStart<'_>, line: usize) -> Result<(), Fault> {
        if self.directed.is_some() {
            return Err(Fault::new(line, "a second <graph>; one graph is expected"));
        }
        let default = required(element, "edgedefault", line)?;
        self.directed = match default.as_str() {
            "directed" => Some(true),
            "undirected" => Some(false),
            _ => {
                let message = format!("edgedefault is \"{default}\"; expected directed or");
                return Err(Fault::new(line, format!("{message} undirected")));
            }
        };
        Ok(())
    }

    fn start_edge(&mut self, element: &BytesStart<'_>, line: usize) -> Result<(), Fault> {
        let Some(default) = self.directed else {
            return Err(Fault::new(line, "an <edge> outside of a <graph>"));
        };
        let (from, to) = (required(element, "source", line)?, required(element, "target", line)?);
        let (from, to) = (self.place(&from, line), self.place(&to, line));
        let directed = match attribute(element, "directed", line)?.as_deref() {
            Some("true") => true,
            Some("false") => false,
            _ => default,
        };
        let row = Row { line, from, to, link: Link::default(), directed };
        self.edge = Some((row, BTreeMap::new()));
        Ok(())
    }

    /// The place of a node name, which need not have its node element yet.
    fn place(&mut self, name: &str, line: usize) -> u32 {
        let place = self.names.place(name, line);
        self.declared.resize(self.names.list.len(), false);
        place
    }

    fn text(&mut self, content: &str) {
        if let Some((_, text)) = &mut self.value {
            text.push_str(content);
        }
    }

    fn end(&mut self, name: &str) -> Result<(), Fault> {
        self.depth = self.depth.saturating_sub(1);
        match name {
            "key" => self.key = None,
            "default" => {
                if let Some((key, text)) = self.value.take()
                    && let Some((_, default)) = self.keys.get_mut(&key)
                {
                    *default = Some(text);
                }
            }
            "data" => {
                if let (Some((key, text)), Some((_, given))) = (self.value.take(), &mut self.edge) {
                    given.insert(key, text);
                }
            }
            "edge" => {
                if let Some((mut row, given)) = self.edge.take() {
                    for (key, (name, default)) in &self.keys {
                        let Some(value) = given.get(key).or(default.as_ref()) else { continue };
                        row.link
                            .set(name, value)
                            .map_err(|why| Fault::new(row.line, format!("{name}: {why}")))?;
                    }
                    self.rows.push(row);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(mut self, nodes: usize, line: usize) -> Result<Vec<Row>, Fault> {
        if self.depth > 0 {
            return Err(Fault::new(line, "the text ends inside of an element"));
        }
        if self.directed.is_none() {
            return Err(Fault::new(line, "no <graph> was found"));
        }
        if let Some(place) = self.declared.iter().position(|declared| !declared) {
            let (name, line) = &self.names.list[place];
            return Err(Fault::new(*line, format!("node \"{name}\" has no <node> element")));
        }
        self.names.resolve(&mut self.rows, nodes)?;
        Ok(self.rows)
    }
}
