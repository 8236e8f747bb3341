//! What the tests share: running scenarios from text, reading their tables, temporary folders.

use std::path::Path;

use headwater::fact::{Deaf, Observer};
use headwater::metrics::DELIVERIES;
use headwater::metrics::table::{Cell, MemorySink, RowSink, TableSpec};
use headwater::run::{Finished, Go, run};
use headwater::scenario::plan::Plan;
use headwater::scenario::reader::{Override, Source};
use headwater::scenario::shipped;

/// A scenario resolved, or a failing test that says why not.
pub(crate) fn plan(toml: &str) -> Plan {
    plan_with(toml, &[])
}

/// The same with overrides such as `gossip.fanout=8`.
pub(crate) fn plan_with(toml: &str, overrides: &[&str]) -> Plan {
    let source = Source::embedded("test", toml);
    resolve(&source, overrides)
}

/// A shipped scenario, resolved.
pub(crate) fn shipped(name: &str, overrides: &[&str]) -> Plan {
    let shipped = shipped::Shipped::find(name).expect("a shipped scenario");
    resolve(&shipped.source(), overrides)
}

/// The scenario of a file, resolved.
pub(crate) fn plan_of_file(path: &Path) -> Plan {
    resolve(&Source::load(path).expect("a scenario file"), &[])
}

/// Shipped scenarios that are too large for a test to run whole, with the part of them that it
/// runs: the first shreds and gossip messages, many of them still on their way.
const LARGE: &[(&str, &str)] =
    &[("mainnet-dissemination", "60ms"), ("mainnet", "50ms"), ("w3", "500ms")];

/// How much of a shipped scenario tests run, if not the whole.
pub(crate) fn part_of(name: &str) -> Option<&'static str> {
    LARGE.iter().find(|(large, _)| *large == name).map(|(_, duration)| *duration)
}

/// A shipped scenario, resolved: of a large one the part that tests run.
pub(crate) fn shipped_part(name: &str) -> Plan {
    match part_of(name) {
        Some(duration) => shipped(name, &[&format!("duration={duration}")]),
        None => shipped(name, &[]),
    }
}

fn resolve(source: &Source, overrides: &[&str]) -> Plan {
    let overrides: Vec<Override> =
        overrides.iter().map(|text| Override::parse(text).expect("an override")).collect();
    shipped::plan(source, &overrides).unwrap_or_else(|errors| {
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        panic!("{}\n{}", lines.join("\n"), source.text)
    })
}

/// A file of the crate that tests compare what they made with. `BLESS=1 cargo test` writes what was
/// made into it; `why` says what it means when the two differ.
pub(crate) fn golden(path: &str, made: &str, why: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let read = || std::fs::read_to_string(&file);
    if blessing() && read().ok().is_none_or(|text| text != made) {
        let written = std::fs::create_dir_all(file.parent().expect("a file in a folder"));
        let written = written.and_then(|()| std::fs::write(&file, made));
        written.unwrap_or_else(|error| panic!("{path}: {error}"));
    }
    let text = read().unwrap_or_else(|error| panic!("{path}: {error}"));
    for (number, (written, made)) in text.lines().zip(made.lines()).enumerate() {
        assert_eq!(written, made, "{path}, line {}: {why}", number + 1);
    }
    assert!(text == made, "{path} ends too early or too late: {why}");
}

/// Whether golden files are to be written anew.
#[expect(clippy::disallowed_methods, reason = "how a person tells the tests to write golden files")]
pub(crate) fn blessing() -> bool {
    std::env::var_os("BLESS").is_some()
}

/// A finished run with its tables in memory.
pub(crate) struct Ran(pub(crate) Finished<MemorySink>);

/// Runs a scenario to its end.
pub(crate) fn ran(toml: &str) -> Ran {
    ran_plan(&plan(toml))
}

/// Runs a plan to its end.
pub(crate) fn ran_plan(plan: &Plan) -> Ran {
    ran_heard(plan, Deaf)
}

/// Runs a plan to its end while somebody else listens too.
pub(crate) fn ran_heard(plan: &Plan, listener: impl Observer) -> Ran {
    Ran(conserved(plan, run(plan, MemorySink::new(), listener, &mut |_| Go::On)))
}

/// Runs a plan to its end and keeps the rows of these tables only: millions of rows of the others
/// would not fit.
pub(crate) fn ran_keeping(plan: &Plan, tables: &[&'static TableSpec]) -> Ran {
    let sink = Keep { tables, kept: MemorySink::new() };
    let finished = conserved(plan, run(plan, sink, Deaf, &mut |_| Go::On));
    Ran(Finished {
        summary: finished.summary,
        tallies: finished.tallies,
        digest: finished.digest,
        checkpoints: finished.checkpoints,
        checkpoint_spacing: finished.checkpoint_spacing,
        ending: finished.ending,
        violation: finished.violation,
        reached: finished.reached,
        handled: finished.handled,
        sink: finished.sink.kept,
    })
}

/// Messages are conserved, and no invariant is broken but where a scenario is there to show that.
fn conserved<S>(plan: &Plan, finished: Finished<S>) -> Finished<S> {
    let messages = finished.summary.messages;
    assert!(finished.summary.conservation.holds, "law 12, conservation: {messages:?}");
    assert_eq!(finished.summary.invariants.unjudged, 0);
    if plan.scenario.name != "safety-violation" {
        assert_eq!(finished.violation, None, "invariants");
    }
    finished
}

/// A sink that keeps the rows of some tables.
struct Keep<'a> {
    tables: &'a [&'static TableSpec],
    kept: MemorySink,
}

impl RowSink for Keep<'_> {
    fn row(&mut self, table: &'static TableSpec, cells: &[Cell<'_>]) {
        if self.tables.iter().any(|kept| kept.name == table.name) {
            self.kept.row(table, cells);
        }
    }
}

/// A first receipt of a rumor: a row of `deliveries.csv`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Delivery {
    pub(crate) rumor: u64,
    pub(crate) node: u64,
    pub(crate) at: u64,
    pub(crate) latency: Option<u64>,
    pub(crate) hops: u64,
    pub(crate) from: u64,
}

impl Ran {
    /// The rows of `deliveries.csv` in the order of time.
    pub(crate) fn deliveries(&self) -> Vec<Delivery> {
        let integer = |cell: &Cell<'static>| match cell {
            Cell::Integer(value) => Some(*value),
            _ => None,
        };
        let row = |row: &Vec<Cell<'static>>| {
            let [rumor, node, at, latency, hops, from] = row.as_slice() else {
                panic!("deliveries.csv has six columns: {row:?}");
            };
            let number = |cell| integer(cell).expect("a number in every row");
            Delivery {
                rumor: number(rumor),
                node: number(node),
                at: number(at),
                latency: integer(latency),
                hops: number(hops),
                from: number(from),
            }
        };
        self.0.sink.rows(&DELIVERIES).iter().map(row).collect()
    }

    /// When each node received a rumor first; `None` for those that did not.
    pub(crate) fn arrivals(&self, rumor: u64, nodes: usize) -> Vec<Option<u64>> {
        let mut arrivals = vec![None; nodes];
        for delivery in self.deliveries().iter().filter(|delivery| delivery.rumor == rumor) {
            arrivals[delivery.node as usize] = Some(delivery.at);
        }
        arrivals
    }

    /// All values of an integer column; empty cells are left out.
    pub(crate) fn integers(&self, table: &TableSpec, column: &str) -> Vec<u64> {
        let position = table.position(column).expect("a column of the table");
        let cell = |row: &Vec<Cell<'static>>| match &row[position] {
            Cell::Integer(value) => Some(*value),
            _ => None,
        };
        self.0.sink.rows(table).iter().filter_map(cell).collect()
    }

    /// An integer of the first row whose `key` column holds `value`.
    pub(crate) fn lookup(
        &self,
        table: &TableSpec,
        key: &str,
        value: &str,
        column: &str,
    ) -> Option<u64> {
        let (key, column) = (table.position(key)?, table.position(column)?);
        let rows = self.0.sink.rows(table);
        let row = rows.iter().find(|row| row[key].to_string() == value)?;
        match &row[column] {
            Cell::Integer(value) => Some(*value),
            _ => None,
        }
    }
}
