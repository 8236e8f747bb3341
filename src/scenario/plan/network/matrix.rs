//! Scenario layer: a measured latency matrix, site by site, from a CSV file.

use std::path::Path;

use crate::base::distribution::LONGEST_WRITTEN;
use crate::base::time::Span;
use crate::scenario::csv_fault::csv_sentence;
use crate::scenario::error::ScenarioError;
use crate::scenario::input;
use crate::scenario::population::Site;

const KEY: &str = "network.matrix";

/// Reads the one-way latencies between all pairs of sites, row by row.
pub(super) fn read(
    file: &Path,
    sites: &[Site],
    base_dir: &Path,
) -> Result<Vec<Span>, ScenarioError> {
    let path = base_dir.join(file);
    let name = path.display().to_string();
    let fail = |why: String| ScenarioError::new(KEY, format!("{name}{why}"));
    let broken = |error: csv::Error| ScenarioError::new(KEY, csv_sentence(&name, &error));
    let bytes = input::read(&path).map_err(|error| error.at(KEY, &path))?;
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .comment(Some(b'#'))
        .from_reader(bytes.as_slice());
    let columns = columns(reader.headers().map_err(broken)?, sites)
        .map_err(|why| fail(format!(", line 1: {why}")))?;
    let mut table = vec![None; sites.len() * sites.len()];
    for record in reader.records() {
        let record = record.map_err(broken)?;
        let line = record.position().map_or(0, csv::Position::line);
        let wrong = |why: String| fail(format!(", line {line}: {why}"));
        let Some(from) = place(&record[0], sites) else { continue };
        for (column, to) in columns.iter().enumerate().filter_map(|(c, to)| to.map(|to| (c, to))) {
            let cell = &record[column + 1];
            table[from * sites.len() + to] = Some(time(cell).map_err(wrong)?);
        }
    }
    let missing = table.iter().position(Option::is_none);
    if let Some(missing) = missing {
        let (from, to) = (&sites[missing / sites.len()].name, &sites[missing % sites.len()].name);
        return Err(fail(format!(" has no latency from \"{from}\" to \"{to}\"")));
    }
    Ok(table.into_iter().flatten().collect())
}

/// Which site each column after the first is about; sites that no node stands at may be there too.
fn columns(header: &csv::StringRecord, sites: &[Site]) -> Result<Vec<Option<usize>>, String> {
    if header.len() < 2 {
        return Err("expected a header with the names of the sites after a first column".into());
    }
    Ok(header.iter().skip(1).map(|name| place(name, sites)).collect())
}

fn place(name: &str, sites: &[Site]) -> Option<usize> {
    sites.iter().position(|site| site.name == name)
}

/// A time with a unit, or a number of milliseconds.
fn time(cell: &str) -> Result<Span, String> {
    let with_unit = if cell.ends_with(|c: char| c.is_ascii_digit() || c == '.') {
        format!("{cell}ms")
    } else {
        cell.to_owned()
    };
    let span: Span = with_unit.parse().map_err(|error| format!("{error}"))?;
    if span > LONGEST_WRITTEN {
        return Err(format!("{span} is longer than {LONGEST_WRITTEN}, the limit"));
    }
    Ok(span)
}
