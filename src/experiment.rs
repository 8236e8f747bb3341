//! Layer 4, experiments: one scenario many times, with other values of its keys and other seeds.
//!
//! An [`Experiment`] is a scenario with axes and seeds. Each combination of values is a *point*,
//! and a point with a seed is a run, whose plan is made by the same function as with `--set`. What
//! comes of a run is one [`record::Record`], a file of its own; everything that is shown later
//! (tables, intervals, comparisons) is made from records alone, so a sweep can be stopped, divided
//! among machines and joined again without a difference in any byte.
//!
//! This is the only layer below the command line that uses threads, one per run: a run shares
//! nothing with another, and records are put in order before anything is made of them. Clocks,
//! signals and memory stay outside, behind [`sweep::Watch`].

mod across;
mod axis;
pub mod compare;
pub mod definition;
mod grid;
pub mod merge;
mod range;
pub mod record;
pub mod schedule;
pub mod shard;
pub mod shown;
pub mod statistics;
pub mod store;
pub mod sweep;
mod tables;

use crate::results::ResultsError;
use crate::scenario::error::ScenarioError;
use crate::scenario::plan::{self, Plan};
use crate::scenario::population::near_name;
use crate::scenario::reader::{Locations, Override, Source};
use crate::scenario::schema::Scenario;
use crate::scenario::schema::sweep::{Seeds, SweepConfig};
use crate::scenario::shipped;

pub use self::across::{ACROSS_FILE, across, across_by, of_runs};
pub use self::axis::Axis;
pub use self::schedule::Precision;
pub use self::tables::{POINTS_FILE, RUNS_FILE};

use self::definition::{Definition, LEAST_SEEDS};
use self::grid::Grid;

/// Most values of an axis.
const MOST_VALUES: usize = 100_000;

/// Most runs of a sweep: their records are held in memory, some 20 kB each, when tables are made.
const MOST_RUNS: u128 = 1_000_000;

/// Why an experiment cannot be carried out, or ended without tables.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExperimentError {
    /// The command asks for what makes no sense.
    #[error("{0}")]
    Usage(String),
    /// The scenario is wrong, by itself or with the values of a point.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Scenario(Vec<ScenarioError>),
    /// Files could not be written or read, or a folder is taken.
    #[error(transparent)]
    Results(#[from] ResultsError),
    /// Runs are missing.
    #[error("{0}")]
    Incomplete(String),
    /// The same run gave other results in two folders.
    #[error("{0}")]
    Diverged(String),
}

impl From<Vec<ScenarioError>> for ExperimentError {
    fn from(errors: Vec<ScenarioError>) -> Self {
        Self::Scenario(errors)
    }
}

/// What the command line adds to the `[sweep]` of a scenario.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Axes; one of a key that the scenario has an axis for takes its place.
    pub axes: Vec<Axis>,
    /// Keys of axes that go together, one list for each group.
    pub zips: Vec<Vec<String>>,
    /// The seeds of all points.
    pub seeds: Option<Seeds>,
    /// `METRIC=SHARE`.
    pub until_precise: Option<String>,
    /// Most seeds of a point.
    pub most_seeds: Option<u32>,
    /// Key figures to print, besides those of the scenario.
    pub show: Vec<String>,
    /// Whether axes may still be added: then a scenario without any may expect something of one.
    pub open: bool,
}

/// A scenario, the keys that change and the seeds.
#[derive(Clone, Debug)]
pub struct Experiment {
    source: Source,
    overrides: Vec<Override>,
    axes: Vec<Axis>,
    grid: Grid,
    definition: Definition,
    show: Vec<String>,
}

impl Experiment {
    /// Reads a scenario with its `[sweep]`.
    ///
    /// # Errors
    /// [`ExperimentError::Scenario`] if the scenario is wrong, [`ExperimentError::Usage`] if the
    /// changes are. The values of the axes are looked at by [`Experiment::plan`].
    pub fn read(
        source: Source,
        overrides: Vec<Override>,
        changes: Changes,
    ) -> Result<Self, ExperimentError> {
        let read = shipped::read(&source, &overrides)?;
        let config = read.value.sweep.clone().unwrap_or_default();
        let located = |error: ScenarioError| vec![read.locations.locate(error)];
        let axes = config.axis.iter().enumerate().map(|(place, axis)| {
            let key = ScenarioError::new(format!("sweep.axis[{place}].key"), "");
            let location = read.locations.locate(key).location;
            Axis::of(axis, place).map(|axis| Axis { location, ..axis })
        });
        let mut axes: Vec<Axis> = axes.collect::<Result<_, _>>().map_err(located)?;
        no_key_twice(&axes)?;
        no_key_twice(&changes.axes)?;
        for axis in &changes.axes {
            match axes.iter_mut().find(|old| old.key == axis.key) {
                Some(old) => *old = axis.clone(),
                None => axes.push(axis.clone()),
            }
        }
        no_key_twice(&axes)?;
        zip(&mut axes, &changes.zips)?;
        let grid = Grid::of(&axes)?;
        if !(changes.open && axes.is_empty()) {
            let keys: Vec<&str> = axes.iter().map(|axis| axis.key.as_str()).collect();
            let asked = plan::expectations(&read.value.expect).map_err(located)?;
            plan::know_axes(&asked, &keys).map_err(located)?;
        }
        let seeds = changes.seeds.clone().or_else(|| config.seeds.clone());
        let seeds = seeds.unwrap_or_else(|| Seeds::one(read.value.seed));
        let precise = precision(&config, &changes, seeds.all().len(), &read.locations)?;
        for (place, metric) in config.show.iter().enumerate() {
            plan::known_metric(&format!("sweep.show[{place}]"), metric).map_err(located)?;
        }
        for metric in &changes.show {
            plan::known_metric("--show", metric).map_err(usage)?;
        }
        let show = [config.show, changes.show].concat();
        let resolved = Scenario { sweep: None, ..read.value };
        let definition = Definition::new(&resolved, &axes, seeds, precise);
        let experiment = Self { source, overrides, axes, grid, definition, show };
        let count = experiment.least_runs();
        if count > MOST_RUNS {
            let message = format!("the sweep has {count} runs, more than the limit of {MOST_RUNS}");
            return Err(ExperimentError::Usage(message));
        }
        Ok(experiment)
    }

    /// What the folder of the sweep says it is.
    #[must_use]
    pub const fn definition(&self) -> &Definition {
        &self.definition
    }

    /// The key figures that are to be printed.
    #[must_use]
    pub fn show(&self) -> &[String] {
        &self.show
    }

    /// How many combinations of values there are.
    #[must_use]
    pub const fn points(&self) -> usize {
        self.grid.points()
    }

    /// How many runs there are, before seeds are added to become precise.
    #[must_use]
    pub fn least_runs(&self) -> u128 {
        self.grid.points() as u128 * self.definition.first_seeds().len() as u128
    }

    /// What a point and a seed set: keys and values.
    ///
    /// # Panics
    /// If there is no such point.
    #[must_use]
    pub fn overrides(&self, point: usize, seed: u64) -> Vec<Override> {
        let mut all = self.overrides.clone();
        for (axis, value) in self.axes.iter().zip(self.grid.places(point)) {
            // A key that could not be read has been refused as an axis.
            let set = Override::new(&axis.key, axis.values[value].clone());
            all.extend(set.map(|set| set.of_axis(axis.location.clone())));
        }
        let seed = i64::try_from(seed).unwrap_or(i64::MAX);
        all.extend(Override::new("seed", toml::Value::Integer(seed)));
        all
    }

    /// The plan of a run.
    ///
    /// # Errors
    /// As [`shipped::plan`]; an error in a value of an axis names the axis.
    pub fn plan(&self, point: usize, seed: u64) -> Result<Plan, Vec<ScenarioError>> {
        let mut read = shipped::read(&self.source, &self.overrides(point, seed))?;
        read.value.sweep = None;
        Plan::of(&read, &self.source.base_dir).map_err(|error| vec![error])
    }
}

/// A count of things.
pub(crate) fn many(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Refuses two axes of one key, and one that sets another along with the table it is in.
fn no_key_twice(axes: &[Axis]) -> Result<(), ExperimentError> {
    let holds = |outer: &Axis, inner: &Axis| {
        inner.key.strip_prefix(&outer.key).is_some_and(|rest| rest.starts_with(['.', '[']))
    };
    for (place, axis) in axes.iter().enumerate() {
        if axes[..place].iter().any(|before| before.key == axis.key) {
            return Err(ExperimentError::Usage(format!("there are two axes {}", axis.key)));
        }
        if let Some(before) = axes[..place].iter().find(|it| holds(it, axis) || holds(axis, it)) {
            let message =
                format!("the axes {} and {}: the one sets the other", before.key, axis.key);
            return Err(ExperimentError::Usage(message));
        }
    }
    Ok(())
}

/// Lets axes go together, as the command line says.
fn zip(axes: &mut [Axis], zips: &[Vec<String>]) -> Result<(), ExperimentError> {
    for keys in zips {
        for key in keys {
            let known: Vec<String> = axes.iter().map(|axis| axis.key.clone()).collect();
            let Some(axis) = axes.iter_mut().find(|axis| axis.key == *key) else {
                let near = near_name(key, known.iter().map(String::as_str));
                let hint = near.map_or(String::new(), |near| format!("; did you mean {near}?"));
                return Err(ExperimentError::Usage(format!("--zip: no axis {key}{hint}")));
            };
            axis.zip = Some(keys.join(","));
        }
    }
    Ok(())
}

/// An error about an option of the command line.
fn usage(error: ScenarioError) -> ExperimentError {
    ExperimentError::Usage(error.to_string())
}

/// What seeds are added for, to points that have `seeds` without them.
fn precision(
    config: &SweepConfig,
    changes: &Changes,
    seeds: usize,
    locations: &Locations,
) -> Result<Option<Precision>, ExperimentError> {
    // An error about a key of the file, or about the option that took its place.
    let refuse = |by_option: bool, option: &str, key: &str, message: String| {
        if by_option {
            return ExperimentError::Usage(format!("{option}: {message}"));
        }
        vec![locations.locate(ScenarioError::new(key, message))].into()
    };
    let by_option = changes.until_precise.is_some();
    let Some(text) = changes.until_precise.as_ref().or(config.until_precise.as_ref()) else {
        let message = "--most-seeds bounds what --until-precise adds, which is not asked for";
        return match changes.most_seeds {
            Some(_) => Err(ExperimentError::Usage(message.into())),
            None => Ok(None),
        };
    };
    let most = changes.most_seeds.unwrap_or(config.most_seeds);
    let (option, key) = ("--until-precise", "sweep.until_precise");
    let precision =
        Precision::parse(text, most).map_err(|why| refuse(by_option, option, key, why))?;
    let name = if by_option { option } else { key };
    plan::known_metric(name, &precision.metric).map_err(|error| {
        if by_option { usage(error) } else { vec![locations.locate(error)].into() }
    })?;
    let least = seeds.max(LEAST_SEEDS);
    if (most as usize) < least {
        let message = format!(
            "{most} is less than the {least} seeds that every point gets before any are added; \
             expected at least {least}"
        );
        let by_option = changes.most_seeds.is_some();
        return Err(refuse(by_option, "--most-seeds", "sweep.most_seeds", message));
    }
    Ok(Some(precision))
}
