//! Scenario layer: stakes from a CSV file.

use std::path::Path;

use super::super::super::csv_fault::csv_sentence;
use super::super::super::error::ScenarioError;
use super::super::super::input;
use super::super::MOST_NODES;
use super::{check_length, fault};

/// Reads stakes from CSV; see [`super::StakeConfig::File`] for the form.
pub(super) fn from_file(path: &Path, validators: usize) -> Result<Vec<u64>, ScenarioError> {
    let name = path.display();
    let rows = read_rows(path)?;
    let Some(columns) = Columns::of(&rows[..rows.len().min(1)]) else {
        let message = format!(
            "{name} has no column \"stake\"; expected one column of stakes or \"node,stake\""
        );
        return Err(fault("path", message));
    };
    let rows = &rows[usize::from(columns.header)..];
    check_length(rows.len(), validators, &format!("stakes are in {name}"), "path")?;
    let mut stakes = vec![None; validators];
    for (i, (line, row)) in rows.iter().enumerate() {
        let number = |column: usize, what: &str| {
            let cell = row.get(column).map_or("", String::as_str);
            cell.parse::<u64>().map_err(|_| {
                let message = format!("line {line} of {name} has \"{cell}\" for a {what}");
                fault("path", message + "; a whole number from 0 was expected")
            })
        };
        let node = match columns.node {
            Some(column) => number(column, "node")?,
            None => i as u64,
        };
        let stake = number(columns.stake, "stake")?;
        let place = usize::try_from(node).ok().and_then(|node| stakes.get_mut(node));
        let place = place.ok_or_else(|| {
            let last = validators - 1;
            let message = format!("line {line} of {name} names node {node}; the last validator is");
            fault("path", format!("{message} {last}"))
        })?;
        if place.replace(stake).is_some() {
            let message = format!("line {line} of {name} names node {node} for the second time");
            return Err(fault("path", message));
        }
    }
    // As many different nodes as there are validators: every place is taken.
    Ok(stakes.into_iter().flatten().collect())
}

/// All rows that are not blank, with their line numbers.
fn read_rows(path: &Path) -> Result<Vec<(u64, Vec<String>)>, ScenarioError> {
    let refused = |why: csv::Error| fault("path", csv_sentence(&path.display().to_string(), &why));
    let bytes = input::read(path).map_err(|error| error.at("nodes.stake.path", path))?;
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(bytes.as_slice());
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(refused)?;
        let line = record.position().map_or(0, csv::Position::line);
        // One more than there can be nodes may be a header.
        if rows.len() > MOST_NODES as usize {
            let message =
                format!("{} has more than {MOST_NODES} stakes, the limit", path.display());
            return Err(fault("path", message));
        }
        rows.push((line, record.iter().map(str::to_owned).collect()));
    }
    Ok(rows)
}

/// Which column is which.
struct Columns {
    header: bool,
    node: Option<usize>,
    stake: usize,
}

impl Columns {
    /// Judged by the first row; `None` if no column can be told to be the stake.
    fn of(first: &[(u64, Vec<String>)]) -> Option<Self> {
        let Some((_, row)) = first.first() else {
            return Some(Self { header: false, node: None, stake: 0 });
        };
        let header = row.iter().any(|cell| cell.starts_with(char::is_alphabetic));
        let named = |name| row.iter().position(|cell| header && cell.eq_ignore_ascii_case(name));
        match (named("stake"), row.len()) {
            (Some(stake), _) => Some(Self { header, node: named("node"), stake }),
            (None, 1) => Some(Self { header, node: None, stake: 0 }),
            (None, 2) if !header => Some(Self { header, node: Some(0), stake: 1 }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::StakeConfig;
    use super::*;
    use crate::base::rng::Seed;

    fn from_csv(text: &str, validators: usize) -> Result<Vec<u64>, ScenarioError> {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("stakes.csv"), text).expect("a file");
        let config = StakeConfig::File { path: "stakes.csv".into() };
        config.resolve(validators, folder.path(), Seed(1))
    }

    #[test]
    fn a_file_may_have_a_header_a_node_column_and_other_columns() {
        for text in [
            "5\n7\n",
            "stake\n5\n7\n",
            "0,5\n1,7\n",
            "node,stake\n1,7\n0,5\n",
            "name, stake, node\nx, 7, 1\ny, 5, 0\n",
        ] {
            assert_eq!(from_csv(text, 2), Ok(vec![5, 7]), "{text:?}");
        }
    }

    #[test]
    fn a_bad_file_is_refused_with_its_line() {
        for (text, reason) in [
            ("5\n", "1 stakes are in"),
            ("", "0 stakes are in"),
            ("5\nabc\n", "line 2 of"),
            ("5\n-7\n", "has \"-7\" for a stake"),
            ("node,stake\n0,5\n0,7\n", "names node 0 for the second time"),
            ("node,stake\n0,5\n2,7\n", "names node 2; the last validator is 1"),
            ("a,b\n0,5\n1,7\n", "has no column \"stake\""),
            ("1,2,3\n1,2,3\n", "has no column \"stake\""),
            (&"1\n".repeat(100_002), "has more than 100000 stakes, the limit"),
        ] {
            let error = from_csv(text, 2).expect_err(text);
            assert_eq!(error.key, "nodes.stake.path");
            assert!(error.message.contains(reason), "{error}");
        }
        let missing = StakeConfig::File { path: "no/such/file.csv".into() };
        let error = missing.resolve(2, Path::new("."), Seed(1)).expect_err("no file");
        assert!(error.message.contains("cannot be read: "), "{error}");
    }
}
