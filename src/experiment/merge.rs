//! Experiment layer: joins the folders in which parts of a sweep were made.

use std::path::{Path, PathBuf};

use super::across::across;
use super::definition::Definition;
use super::schedule::{Records, Run, wanted};
use super::store::{Found, Store, load};
use super::{ExperimentError, many};
use crate::expect::Judged;

/// What came of joining.
#[derive(Clone, Debug, Default)]
pub struct Merged {
    /// All runs of the sweep.
    pub records: Records,
    /// Runs that stood in more than one folder, equal in each.
    pub duplicates: usize,
    /// Files that were no records.
    pub damaged: Vec<String>,
    /// What came of the expectations across points.
    pub across: Vec<Judged>,
}

/// Joins folders of parts of one sweep into one, whose files are those of a sweep in one piece.
///
/// # Errors
/// [`ExperimentError::Usage`] if the folders are of different sweeps or versions, or the output is
/// taken; [`ExperimentError::Diverged`] if a run has different records; and
/// [`ExperimentError::Incomplete`] if runs are missing. Nothing is written then.
pub fn merge(folders: &[PathBuf], output: &Path, force: bool) -> Result<Merged, ExperimentError> {
    let Some((first, others)) = folders.split_first() else {
        return Err(ExperimentError::Usage("there is nothing to merge".to_owned()));
    };
    let definition = Definition::of_folder(first)?;
    for folder in others {
        let other = Definition::of_folder(folder)?;
        let (a, b) = (first.display(), folder.display());
        if let Some(difference) = definition.differs_from(&other) {
            return Err(ExperimentError::Usage(format!("{b} {difference}, unlike {a}")));
        }
        if definition.until_precise != other.until_precise || definition.seeds != other.seeds {
            return Err(ExperimentError::Usage(format!(
                "{b} has other seeds ({}) than {a} ({})",
                other.seeds, definition.seeds
            )));
        }
    }
    let mut merged = Merged::default();
    let mut origin: std::collections::BTreeMap<Run, &Path> = std::collections::BTreeMap::new();
    for folder in folders {
        let Found { records, damaged, .. } = load(folder, &definition)?;
        merged.damaged.extend(damaged);
        for (run, record) in records {
            let Some(before) = merged.records.get(&run) else {
                merged.records.insert(run, record);
                origin.insert(run, folder);
                continue;
            };
            if *before == record {
                merged.duplicates += 1;
                continue;
            }
            // A clock or the memory ended one of them: the other says more.
            if before.repeatable && record.repeatable {
                let (a, b) = (origin[&run].display(), folder.display());
                let (axes, seed) = (described(&definition, &record.axes), run.seed);
                return Err(ExperimentError::Diverged(format!(
                    "{a} and {b} hold different results of one run ({axes}seed {seed})"
                )));
            }
            if record.repeatable {
                merged.records.insert(run, record);
                origin.insert(run, folder);
            }
        }
    }
    complete(&definition, &merged.records, &merged.damaged)?;
    let store = Store::open(output, definition, force)?;
    for record in merged.records.values() {
        store.put(record, None)?;
    }
    (merged.records, _) = store.finish()?;
    merged.across = across(store.definition(), &merged.records)?;
    Ok(merged)
}

/// Refuses a sweep of which runs are missing, and names the first of them.
///
/// # Errors
/// [`ExperimentError::Incomplete`], with what is known of damaged files.
pub fn complete(
    definition: &Definition,
    records: &Records,
    damaged: &[String],
) -> Result<(), ExperimentError> {
    let Some(missing) = missing(definition, records)? else { return Ok(()) };
    Err(ExperimentError::Incomplete(format!(
        "{missing}; make them with the same command and merge again{}",
        damaged.iter().take(3).map(|why| format!("; {why}")).collect::<String>()
    )))
}

/// How many runs of a sweep are missing and the first of them, in words; `None` if none is.
///
/// # Errors
/// As [`wanted`].
pub fn missing(
    definition: &Definition,
    records: &Records,
) -> Result<Option<String>, ExperimentError> {
    let runs = wanted(definition, records)?;
    let missing: Vec<&Run> = runs.iter().filter(|run| !records.contains_key(run)).collect();
    let Some(first) = missing.first() else { return Ok(None) };
    let axes = described(definition, &definition.points()?[first.point]);
    let (count, all) = (missing.len(), many(runs.len(), "run"));
    let are = if count == 1 { "is" } else { "are" };
    Ok(Some(format!("{count} of {all} {are} missing, the first of them {axes}seed {}", first.seed)))
}

/// The values of a point in words, with a comma behind.
fn described(definition: &Definition, labels: &[String]) -> String {
    let axes = definition.axes.iter().zip(labels);
    axes.map(|(axis, label)| format!("{} = {label}, ", axis.key)).collect()
}
