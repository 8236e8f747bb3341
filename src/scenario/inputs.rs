//! Scenario layer: the files that a scenario names, with their digests, so that a result can tell
//! whether they are still the same.

use std::path::{Path, PathBuf};

use toml::Value;

use super::error::ScenarioError;
use super::input;
use super::schema::Scenario;
use crate::base::digest::Digest;

/// A file that a scenario names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InputFile {
    /// Its name as written, which starts at the folder of the scenario.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: Digest,
}

/// Keys whose text is the name of a file.
const KEYS: [&str; 3] = ["path", "file", "matrix"];

/// All files that a scenario names, each once, in the order of its keys.
///
/// # Errors
/// If one cannot be read.
pub(super) fn of(scenario: &Scenario, base_dir: &Path) -> Result<Vec<InputFile>, ScenarioError> {
    let mut named = Vec::new();
    let plain = Scenario { expect: Vec::new(), ..scenario.clone() };
    if let Ok(value) = Value::try_from(plain) {
        collect("", &value, &mut named);
    }
    let mut files: Vec<InputFile> = Vec::new();
    for (key, path) in named {
        if files.iter().any(|file| file.path == path) {
            continue;
        }
        let found = base_dir.join(&path);
        let bytes = input::read(&found).map_err(|error| error.at(key, &found))?;
        let (sha256, bytes) = (Digest::of(&bytes), bytes.len() as u64);
        files.push(InputFile { path, bytes, sha256 });
    }
    Ok(files)
}

fn collect(key: &str, value: &Value, named: &mut Vec<(String, PathBuf)>) {
    match value {
        Value::Table(table) => {
            for (name, value) in table {
                let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                match value {
                    Value::String(path) if KEYS.contains(&name.as_str()) => {
                        named.push((key, path.into()));
                    }
                    other => collect(&key, other, named),
                }
            }
        }
        Value::Array(entries) => {
            for (place, entry) in entries.iter().enumerate() {
                collect(&format!("{key}[{place}]"), entry, named);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::reader::Source;
    use crate::scenario::shipped;

    #[test]
    fn every_file_that_a_scenario_names_is_listed_once_with_its_digest() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).expect("written");
        };
        write("stakes.csv", "stake\n5\n6\n");
        write("edges.csv", "from,to\n0,1\n1,0\n");
        write("pings.csv", "latency\n5ms\n7ms\n");
        let text = "[nodes]\ncount = 2\nstake = { kind = \"file\", path = \"stakes.csv\" }\n\
                    [topology]\nkind = \"file\"\npath = \"edges.csv\"\n\
                    [network]\nlatency = { kind = \"measured\", file = \"pings.csv\" }\n\
                    jitter = { kind = \"measured\", file = \"pings.csv\" }\n";
        let source = Source { base_dir: folder.path().into(), ..Source::embedded("s", text) };
        let plan = shipped::plan(&source, &[]).expect("a plan");
        let names: Vec<_> =
            plan.inputs.iter().map(|file| file.path.display().to_string()).collect();
        assert_eq!(names, ["stakes.csv", "edges.csv", "pings.csv"]);
        assert_eq!(plan.inputs[0].bytes, 10);
        assert_eq!(plan.inputs[0].sha256, Digest::of(b"stake\n5\n6\n"));
        assert_eq!(shipped::plan(&Source::embedded("s", ""), &[]).expect("a plan").inputs, []);
    }
}
