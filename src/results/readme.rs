//! Results layer: writes `results/README.md`, which explains every file of a result folder, from
//! the same data that the files are written by.

use std::fmt::Write as _;

use super::manifest::{Manifest, RunMeta};
use crate::metrics::table::TableSpec;

/// A file of a result folder that is not a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileDoc {
    /// Name of the file.
    pub name: &'static str,
    /// What it holds: one line of Markdown.
    pub doc: &'static str,
    /// Whether two runs of one key must have equal bytes in it. `run.meta.json` need not.
    pub compared: bool,
    /// Its keys in order and what they mean, each one line of Markdown; empty for files of another
    /// form or keys that vary.
    pub keys: &'static [(&'static str, &'static str)],
}

/// What `manifest.json` holds.
pub const MANIFEST: FileDoc = FileDoc {
    name: Manifest::FILE,
    doc: "What was run, how to run it again, what came of it, and every file with its SHA-256.",
    compared: true,
    keys: &[
        ("format", "number of this format"),
        ("program", "always `headwater`"),
        ("program_version", "version of the program; not compared"),
        ("model_version", "version of the model; another version makes another key"),
        ("scenario", "name of the scenario; not compared"),
        ("seed", "the seed"),
        ("key", "identity of the run: digest of the resolved scenario, the seed and the version"),
        ("plan_digest", "digest of the plan that scenario and seed were resolved to"),
        ("event_digest", "digest of all outcomes of messages and all facts of protocols"),
        ("duration_ns", "virtual time asked for, in nanoseconds"),
        ("reached_ns", "virtual time reached, in nanoseconds"),
        ("complete", "false if a limit ended the run early"),
        ("verdict", "what became of the expectations"),
        ("source", "the scenario as it was named on the command line; not compared"),
        ("overrides", "changes made on the command line; not compared"),
        ("command", "a command that makes the same run again; not compared"),
        (
            "inputs",
            "files that the scenario names: `path`, `bytes`, `sha256`; not compared by name",
        ),
        ("files", "the compared files: `name`, length in `bytes`, `sha256`"),
        ("resolved", "the scenario with presets, defaults and changes written out, as TOML"),
    ],
};

/// What `run.meta.json` holds.
pub const RUN_META: FileDoc = FileDoc {
    name: RunMeta::FILE,
    doc: "Facts of the wall clock and the machine.",
    compared: false,
    keys: &[
        ("started_unix_ms", "when the run started: milliseconds since 1970-01-01 UTC"),
        ("elapsed_ns", "how long it took, in nanoseconds of wall time"),
        ("events_per_second", "events handled per second of wall time"),
        ("peak_memory_bytes", "peak memory of the whole process so far; null if not known"),
        ("arch", "processor family of the machine"),
        ("os", "operating system of the machine"),
        ("build_profile", "how the program was built: `release` or `debug`"),
    ],
};

/// The text of `results/README.md`: all tables and other files of a result folder. The manifest and
/// the wall-clock record, which every folder has, need not be among `other_files`.
#[must_use]
pub fn readme(tables: &[&'static TableSpec], other_files: &[FileDoc]) -> String {
    let mut files = vec![MANIFEST];
    files.extend(other_files.iter().filter(|file| ![MANIFEST, RUN_META].contains(file)));
    files.push(RUN_META);
    let mut text = String::from(INTRODUCTION);
    text += &overview(tables, &files);
    for table in tables {
        text += &table_section(table);
    }
    for file in files.iter().filter(|file| !file.keys.is_empty()) {
        text += &file_section(file);
    }
    text
}

const INTRODUCTION: &str = "\
# Results

Generated from the program's own list of tables; a test keeps it fresh.

A run writes one folder, by default `results/NAME-SEED`. It appears whole or not at all: while a
run goes on, its files are in a hidden folder beside it, and what a killed run leaves there is
removed by the next run of the same folder.

## How to read it

- Tables are CSV with a header row, commas, quotes only where needed and LF line ends. A table
  without rows still has its header.
- The end of a column's name is its unit: `_ns` nanoseconds, `_bytes` bytes, `_ppm` parts per
  million, `_bps` bits per second. Moments are nanoseconds of virtual time since the start of the
  run.
- An empty cell means *never*, or that the column does not apply to the row. No number stands for
  it.
- The same scenario, seed and version give the same bytes in every compared file, on every machine.
  Files that are not compared tell of the wall clock and are outside of every digest.
- A run repeated into its own folder is compared with it file by file. If all are equal, the folder
  is left untouched; if not, the new results are kept as `NAME.differs` and the first differing line
  is named. Files that the manifest does not list are not looked at.
- A run that a limit ended early takes no part in comparisons: a later run of the same
  key takes its place.
- A folder of another run is refused, or replaced as a whole with `--force`. A folder that was not
  written by headwater is never replaced.
- The folder of a sweep holds records and two tables over all its runs; they are explained in
  [`scenarios/README.md`](../scenarios/README.md). What came of the shipped experiments is in
  [`experiments`](experiments).
";

fn overview(tables: &[&'static TableSpec], files: &[FileDoc]) -> String {
    let mut text = String::from("\n## Files\n\n| File | Compared | What it holds |\n");
    text += "| --- | --- | --- |\n";
    for file in files {
        let compared = if file.compared { "yes" } else { "no, outside of every digest" };
        let _ = writeln!(text, "| `{}` | {compared} | {} |", file.name, escaped(file.doc));
    }
    for table in tables {
        let _ = writeln!(text, "| `{}` | yes | {} |", table.file_name(), escaped(table.doc));
    }
    text
}

fn table_section(table: &TableSpec) -> String {
    let mut text = format!("\n## `{}`\n\n{}\n\n", table.file_name(), table.doc);
    text += "| Column | Unit | Meaning |\n| --- | --- | --- |\n";
    for column in table.columns {
        let doc = escaped(column.doc);
        let _ = writeln!(text, "| `{}` | {} | {doc} |", column.name, column.unit);
    }
    text
}

fn file_section(file: &FileDoc) -> String {
    let mut text = format!("\n## `{}`\n\n{}\n\n", file.name, file.doc);
    text += "| Key | Meaning |\n| --- | --- |\n";
    for (key, doc) in file.keys {
        let _ = writeln!(text, "| `{key}` | {} |", escaped(doc));
    }
    text
}

/// A bar would end the cell of a Markdown table.
fn escaped(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::table::{Column, Unit};
    use crate::results::manifest::tests::sample;
    use crate::results::writer::tests::{FORKS, MESSAGES};

    const SUMMARY: FileDoc =
        FileDoc { name: "summary.json", doc: "Key figures.", compared: true, keys: &[] };

    fn keys_of(value: &impl serde::Serialize) -> Vec<String> {
        let value = serde_json::to_value(value).expect("a value");
        value.as_object().expect("an object").keys().cloned().collect()
    }

    #[test]
    fn every_key_of_the_json_files_is_explained_in_its_order() {
        let explained = |file: FileDoc| file.keys.iter().map(|(key, _)| *key).collect::<Vec<_>>();
        assert_eq!(keys_of(&sample("a")), explained(MANIFEST));
        assert_eq!(keys_of(&RunMeta::new(0, 1, 1, None)), explained(RUN_META));
    }

    #[test]
    fn every_file_and_column_is_explained_once() {
        let text = readme(&[&MESSAGES, &FORKS], &[SUMMARY, RUN_META]);
        for line in [
            "| `summary.json` | yes | Key figures. |",
            "| `run.meta.json` | no, outside of every digest | Facts of the wall clock",
            "| `messages.csv` | yes | One row per kind of message. |",
            "## `forks.csv`",
            "| `first_ns` | nanoseconds | When the first was sent. |",
            "| `slot` | slot number | The slot. |",
            "| `event_digest` | digest of all outcomes",
        ] {
            assert_eq!(text.matches(line).count(), 1, "{line}");
        }
        assert!(text.contains("An empty cell means *never*"));
        assert!(text.ends_with("|\n") && !text.contains("\n\n\n"));
    }

    #[test]
    fn a_bar_in_a_text_does_not_end_its_cell() {
        const BAR: &[Column] =
            &[Column { name: "side", unit: Unit::Text, doc: "`left` | `right`." }];
        let text = table_section(&TableSpec { columns: BAR, ..FORKS });
        assert!(text.contains("| `side` | text | `left` \\| `right`. |"), "{text}");
    }
}
