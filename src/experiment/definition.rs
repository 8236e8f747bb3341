//! Experiment layer: `sweep.json`, which says of a folder what sweep it belongs to: enough to know
//! which runs there must be, and to make tables, without the scenario's files and without a plan.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::ExperimentError;
use super::axis::Axis;
use super::grid::Grid;
use super::schedule::Precision;
use crate::base::digest::Digest;
use crate::results::ResultsError;
use crate::results::drafts::Drafts;
use crate::scenario::plan::MODEL_VERSION;
use crate::scenario::schema::Scenario;
use crate::scenario::schema::sweep::Seeds;

/// An axis as it stands in `sweep.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AxisRecord {
    /// The dotted key.
    pub key: String,
    /// The values as they stand in tables.
    pub values: Vec<String>,
    /// Axes that go together have the same name here.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub zip: Option<String>,
}

/// What a sweep is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// Number of this format: [`Definition::FORMAT`].
    pub format: u32,
    /// Always `headwater`.
    pub program: String,
    /// Version of the program.
    pub program_version: String,
    /// Version of the model.
    pub model_version: u32,
    /// Identity of the sweep: digest of scenario, axes and versions. Seeds are outside of it: a
    /// sweep with more seeds is the same one.
    pub key: Digest,
    /// Name of the scenario.
    pub scenario: String,
    /// The seeds that every point gets.
    pub seeds: Seeds,
    /// What more seeds are added for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub until_precise: Option<Precision>,
    /// The axes, the one that changes slowest first.
    pub axes: Vec<AxisRecord>,
    /// The scenario of all points with everything written out but the axes, as TOML.
    pub resolved: String,
}

/// The keys that are read before anything else, so that the error can say what is wrong.
#[derive(Deserialize)]
struct Header {
    program: String,
    format: u64,
}

impl Definition {
    /// The format that this program writes and reads.
    pub const FORMAT: u32 = 1;
    /// Name of the file.
    pub const FILE: &'static str = "sweep.json";

    pub(super) fn new(
        scenario: &Scenario,
        axes: &[Axis],
        seeds: Seeds,
        until_precise: Option<Precision>,
    ) -> Self {
        // The seed is that of each run.
        let resolved = Scenario { seed: Scenario::default().seed, ..scenario.clone() };
        let resolved = toml::to_string(&resolved).unwrap_or_default();
        let record = |axis: &Axis| AxisRecord {
            key: axis.key.clone(),
            values: axis.labels(),
            zip: axis.zip.clone(),
        };
        let axes: Vec<AxisRecord> = axes.iter().map(record).collect();
        let version = env!("CARGO_PKG_VERSION");
        let key = Digest::of_parts(&[
            b"headwater sweep",
            &MODEL_VERSION.to_le_bytes(),
            version.as_bytes(),
            resolved.as_bytes(),
            serde_json::to_string(&axes).unwrap_or_default().as_bytes(),
        ]);
        Self {
            format: Self::FORMAT,
            program: "headwater".into(),
            program_version: version.into(),
            model_version: MODEL_VERSION,
            key,
            scenario: scenario.name.clone(),
            seeds,
            until_precise,
            axes,
            resolved,
        }
    }

    /// The text of the file.
    #[must_use]
    pub fn to_text(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// Reads `sweep.json` of a folder; `None` if there is none.
    ///
    /// # Errors
    /// [`ResultsError::Io`]; [`ExperimentError::Usage`] if the file is something else or damaged.
    pub fn read(folder: &Path) -> Result<Option<Self>, ExperimentError> {
        let path = folder.join(Self::FILE);
        let Some(bytes) = Drafts::read(&path)? else { return Ok(None) };
        let refuse = |why: String| ExperimentError::Usage(format!("{} {why}", path.display()));
        let header: Header = serde_json::from_slice(&bytes)
            .map_err(|error| refuse(format!("does not describe a headwater sweep ({error})")))?;
        if header.program != "headwater" || header.format != u64::from(Self::FORMAT) {
            let Header { program, format } = header;
            let known = Self::FORMAT;
            return Err(refuse(format!(
                "was written by {program} in format {format}; this program reads format {known}"
            )));
        }
        let read: Self =
            serde_json::from_slice(&bytes).map_err(|e| refuse(format!("is damaged ({e})")))?;
        read.grid().map(|_| Some(read)).map_err(|error| refuse(format!("is damaged ({error})")))
    }

    /// The sweep that a folder belongs to.
    ///
    /// # Errors
    /// As [`Definition::read`], and [`ExperimentError::Usage`] if there is no such file.
    pub fn of_folder(folder: &Path) -> Result<Self, ExperimentError> {
        use std::io::ErrorKind::{NotADirectory, NotFound};
        if let Err(error) = std::fs::read_dir(folder) {
            // What was named is not there, as with a scenario: nothing has failed.
            let named = matches!(error.kind(), NotFound | NotADirectory);
            let error = ResultsError::io("read the folder", folder)(error);
            return Err(if named {
                ExperimentError::Usage(error.to_string())
            } else {
                error.into()
            });
        }
        Self::read(folder)?.ok_or_else(|| {
            let folder = folder.display();
            ExperimentError::Usage(format!(
                "{folder} is not the folder of a sweep (it has no {})",
                Self::FILE
            ))
        })
    }

    pub(super) fn grid(&self) -> Result<Grid, ExperimentError> {
        let axis = |record: &AxisRecord| Axis {
            key: record.key.clone(),
            values: record.values.iter().cloned().map(toml::Value::String).collect(),
            zip: record.zip.clone(),
            location: None,
        };
        Grid::of(&self.axes.iter().map(axis).collect::<Vec<_>>())
    }

    /// The values of all axes at each point, as they stand in tables.
    ///
    /// # Errors
    /// [`ExperimentError::Usage`] if axes that go together differ in length.
    pub fn points(&self) -> Result<Vec<Vec<String>>, ExperimentError> {
        let grid = self.grid()?;
        let labels = |point| {
            let places = grid.places(point).into_iter().zip(&self.axes);
            places.map(|(place, axis)| axis.values[place].clone()).collect()
        };
        Ok((0..grid.points()).map(labels).collect())
    }

    /// The seeds that every point gets before any are added.
    #[must_use]
    pub fn first_seeds(&self) -> Vec<u64> {
        let least = if self.until_precise.is_some() { LEAST_SEEDS } else { 0 };
        self.seeds_up_to(self.seeds.all().len().max(least))
    }

    /// So many seeds of a point: those written, and then those after the largest of them.
    #[must_use]
    pub fn seeds_up_to(&self, count: usize) -> Vec<u64> {
        let written = self.seeds.all();
        let largest = written.iter().copied().max().unwrap_or(0);
        written.iter().copied().chain(largest + 1..).take(count).collect()
    }

    /// What is different in another sweep, in words; `None` for the same one with any seeds.
    #[must_use]
    pub fn differs_from(&self, other: &Self) -> Option<String> {
        let version = |it: &Self| format!("{} (model {})", it.program_version, it.model_version);
        if version(self) != version(other) {
            return Some(format!("was made by headwater {}", version(other)));
        }
        (self.key != other.key).then(|| {
            let (name, key) = (&other.scenario, other.key.short(8));
            format!("holds another sweep (scenario {name}, key {key})")
        })
    }
}

/// Nothing is said about the precision of fewer seeds than this.
pub(super) const LEAST_SEEDS: usize = 5;
