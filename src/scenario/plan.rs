//! Scenario layer: the plan, a scenario with every reference resolved and checked, ready to run.

mod adversary;
mod blocks;
mod chaos;
mod expectations;
mod fault;
mod limits;
mod network;
mod notes;
mod output;
mod workload;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::error::ScenarioError;
use super::inputs::{self, InputFile};
use super::population::Population;
use super::reader::{Locations, Read};
use super::schema::Scenario;
use super::schema::fault::FaultConfig;
use super::topology::{self, Overlay};
use crate::base::digest::Digest;
use crate::base::id::{NodeMap, NodeSet};
use crate::base::rng::Seed;
use crate::base::time::{Span, Time};
use crate::expect::Expectation;
use crate::protocol::adversary::{Conduct, Role};
use crate::protocol::rumor::{self, Rules};
use crate::protocol::setting::SettingError;
use crate::protocol::{ValidatorSettings, crds, discovery, gossip};
use crate::sim::SimulationPlan;
use crate::sim::fault::Fault;

pub use self::adversary::PlannedAdversary;
pub use self::expectations::{know_axes, known_metric, resolve as expectations};
pub use self::fault::PlannedFault;
pub use self::workload::{Stream, TransactionStream, Workload};

/// Raised whenever the same scenario and seed may give other results than before.
pub const MODEL_VERSION: u32 = 1;

/// Longest run: a year of virtual time.
const LONGEST_RUN: Span = Span::from_secs(366 * 86_400);

/// Everything a run needs: plain data, all of it a function of scenario and seed.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The scenario with all defaults filled in.
    pub scenario: Scenario,
    /// The seed.
    pub seed: Seed,
    /// The last instant of the run.
    pub end: Time,
    /// Who takes part.
    pub population: Population,
    /// Who knows whom at the start.
    pub overlay: Overlay,
    /// Digest of what links are made of, files included.
    network_digest: Digest,
    /// Network, faults, prices and limits.
    pub simulation: SimulationPlan,
    /// All faults as the scenario lists them, for the record.
    pub faults: Vec<PlannedFault>,
    /// All adversaries as the scenario lists them.
    pub adversaries: Vec<PlannedAdversary>,
    /// What nodes do.
    pub validators: ValidatorSettings,
    /// How long after its start each node connects.
    pub connects: NodeMap<Span>,
    /// How rumors of each stream spread.
    pub rumors: Vec<Rules>,
    /// Where and when rumors appear.
    pub streams: Vec<Stream>,
    /// Where and when clients hand in transactions.
    pub transactions: Vec<TransactionStream>,
    /// How many transactions are followed at a time.
    pub transaction_window: usize,
    /// The files that the scenario names.
    pub inputs: Vec<InputFile>,
    /// What is expected of the run.
    pub expectations: Vec<Expectation>,
    /// What a reader should know of the scenario, one sentence each.
    pub notes: Vec<String>,
}

impl Plan {
    /// Resolves a scenario. `base_dir` is where relative file names in it start.
    ///
    /// # Errors
    /// If it contradicts itself, names what does not exist, or passes a limit. The key is named,
    /// without a place in the file; see [`Plan::of`].
    pub fn resolve(scenario: &Scenario, base_dir: &Path) -> Result<Self, ScenarioError> {
        let seed = Seed(scenario.seed);
        check_name(&scenario.name)?;
        limits::check(scenario)?;
        check_times(scenario)?;
        let end = Time::ZERO + scenario.duration;
        let population = Population::resolve(&scenario.nodes, base_dir, seed)?;
        let (scenario, left_out) = &chaos::drawn(scenario, &population, seed)?;
        let regions = &population.region_of;
        let count = population.count();
        let overlay = topology::resolve(&scenario.topology, count, regions, base_dir, seed)?;
        let nodes = network::Nodes::resolve(scenario, &population, seed)?;
        let (network, network_digest) =
            network::resolve(scenario, &population, &overlay, &nodes, base_dir, seed)?;
        let faults = fault::resolve(scenario, &population, base_dir, seed, end)?;
        let adversaries = adversary::resolve(scenario, &population, seed)?;
        let (rumors, streams) = workload::resolve(scenario, &population, seed, end)?;
        let transactions = workload::transactions::resolve(scenario, &population, seed, end)?;
        let rumor_window = workload::window(&streams, &scenario.limits);
        limits::check_rumors(rumor_window, count, &rumors)?;
        let gossip = settled_gossip(&scenario.gossip);
        check_gossip(&gossip, count)?;
        let validators = ValidatorSettings {
            gossip,
            discovery: discovery_settings(scenario, &population, seed)?,
            rumor_window,
            blocks: blocks::resolve(scenario, &population.stakes)?,
        };
        let simulation = SimulationPlan {
            seed,
            network,
            starts: nodes.starts,
            faults: faults.actions,
            steered: false,
            costs: scenario.cost.kernel(),
            handlers_charge: !scenario.cost.work.is_free(),
            pending_limit: scenario.limits.pending_events as usize,
            inbox_limit: scenario.limits.inbox as usize,
        };
        let mut plan = Self {
            // A run is one point of an experiment and knows nothing of the others.
            scenario: Scenario { gossip, sweep: None, ..scenario.clone() },
            seed,
            end,
            population,
            overlay,
            network_digest,
            simulation,
            faults: faults.planned,
            adversaries,
            validators,
            connects: nodes.connects,
            rumors,
            streams,
            transaction_window: workload::followed(&transactions, &scenario.limits),
            transactions,
            inputs: inputs::of(scenario, base_dir)?,
            expectations: expectations::resolve(&scenario.expect)?,
            notes: left_out.iter().cloned().collect(),
        };
        output::settle(&mut plan)?;
        if scenario.sweep.is_some() {
            plan.notes.push("sweep: a single run does not read it, `headwater sweep` does".into());
        }
        plan.notes.extend(notes::of(&plan));
        plan.notes.extend(expectations::notes(&plan));
        Ok(plan)
    }

    /// Resolves what was read, with errors that name line and column.
    ///
    /// # Errors
    /// As [`Plan::resolve`].
    pub fn of(read: &Read<Scenario>, base_dir: &Path) -> Result<Self, ScenarioError> {
        let locate = |error| Locations::locate(&read.locations, error);
        let mut plan = Self::resolve(&read.value, base_dir).map_err(locate)?;
        plan.notes.splice(0..0, read.notes.iter().map(ToString::to_string));
        Ok(plan)
    }

    /// The workload from its beginning.
    #[must_use]
    pub fn workload(&self) -> Workload {
        Workload::new(self.streams.clone(), self.transactions.clone(), self.seed)
    }

    /// What nodes share of gossip by Solana's rules; `None` if they do not gossip that way.
    #[must_use]
    pub fn crds(&self) -> Option<crds::Shared> {
        let gossip = &self.validators.gossip;
        let rules = gossip.solana.filter(|_| gossip.style == gossip::Style::Solana)?;
        let gossiped = self.rumors.iter().any(|rules| rules.style == rumor::Style::Gossip);
        let ring = if gossiped { self.validators.rumor_window.max(1) } else { 0 };
        let equivocates = |role: &Role| matches!(role.conduct, Conduct::Equivocate { .. });
        let shared = if self.roles().iter().any(equivocates) {
            crds::Shared::with_proofs
        } else {
            crds::Shared::new
        };
        Some(shared(rules, gossip.phase, &self.population.stakes, ring))
    }

    /// One more fault, resolved as if it stood at the end of the scenario's list.
    ///
    /// # Errors
    /// If it contradicts itself or names what does not exist; the key tells its place in the list.
    pub fn with_fault(&mut self, fault: FaultConfig) -> Result<Fault, ScenarioError> {
        self.scenario.faults.push(fault);
        let all =
            fault::resolve(&self.scenario, &self.population, Path::new(""), self.seed, self.end);
        let added = all.map(|all| (all.planned.into_iter().last(), all.actions.into_iter().last()));
        match added {
            Ok((Some(planned), Some(action))) => {
                self.faults.push(planned);
                Ok(action)
            }
            Ok(_) => unreachable!("a list that is not empty has a last entry"),
            Err(error) => {
                self.scenario.faults.pop();
                Err(error)
            }
        }
    }

    /// The scenario as TOML with all defaults filled in; reads back as the same plan.
    ///
    /// # Panics
    /// Never: all values of a scenario can be written as TOML.
    #[must_use]
    pub fn resolved(&self) -> String {
        toml::to_string(&self.scenario).expect("every value of a scenario has a TOML form")
    }

    /// The digest of all that a run depends on, files that the scenario names included. What is
    /// expected of it changes nothing in it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut scenario = self.scenario.clone();
        // How it is called and where its rules came from changes nothing.
        scenario.name = String::new();
        scenario.description = String::new();
        scenario.rules = None;
        scenario.expect = Vec::new();
        let text = toml::to_string(&scenario).expect("every value of a scenario has a TOML form");
        let faults = format!("{:?}", self.simulation.faults);
        Digest::of_parts(&[
            b"headwater plan",
            text.as_bytes(),
            &self.population.canonical_bytes(),
            &self.overlay.digest().0,
            &self.network_digest.0,
            Digest::of(faults.as_bytes()).0.as_slice(),
        ])
    }

    /// The key of the run: the same key means the same bytes, those of the verdict included.
    #[must_use]
    pub fn key(&self) -> Digest {
        let key = Digest::of_parts(&[
            b"headwater run",
            &MODEL_VERSION.to_le_bytes(),
            env!("CARGO_PKG_VERSION").as_bytes(),
            &self.seed.0.to_le_bytes(),
            &self.digest().0,
        ]);
        if self.scenario.expect.is_empty() {
            return key;
        }
        let expected = BTreeMap::from([("expect", &self.scenario.expect)]);
        let expected = toml::to_string(&expected).expect("expectations have a TOML form");
        Digest::of_parts(&[b"headwater expectations", &key.0, expected.as_bytes()])
    }
}

/// The length of a run, and when everything heals in it.
fn check_times(scenario: &Scenario) -> Result<(), ScenarioError> {
    let duration = scenario.duration;
    if duration.is_zero() || duration > LONGEST_RUN {
        let message =
            format!("{duration} is no length of a run; expected more than 0s, at most 366 days");
        return Err(ScenarioError::new("duration", message));
    }
    match scenario.heal_at.filter(|heal_at| heal_at.is_zero() || *heal_at >= duration) {
        Some(heal_at) => {
            let message = format!("{heal_at} is not within the run, which lasts {duration}");
            Err(ScenarioError::new("heal_at", message))
        }
        None => Ok(()),
    }
}

/// Result folders are named after the scenario.
fn check_name(name: &str) -> Result<(), ScenarioError> {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > 100 || name.starts_with('.') || !name.chars().all(fits) {
        let message = format!(
            "{name:?} cannot name a result folder; expected up to 100 letters, digits, '-', '_' \
             or '.', not starting with '.'"
        );
        return Err(ScenarioError::new("name", message));
    }
    Ok(())
}

/// Nodes whose registries fit into memory: one version of four bytes for each pair.
const MOST_GOSSIPING: usize = 20_000;

/// Nodes for which the tables of Solana's gossip fit into memory: some 95 bytes for each pair.
const MOST_BY_SOLANA: usize = 5_000;

/// The settings with the rules filled in that the style reads.
fn settled_gossip(config: &gossip::Config) -> gossip::Config {
    let mut settled = *config;
    if settled.style == gossip::Style::Solana {
        settled.solana.get_or_insert_default();
    }
    settled
}

fn check_gossip(config: &gossip::Config, nodes: usize) -> Result<(), ScenarioError> {
    if config.style == gossip::Style::Off {
        return Ok(());
    }
    if config.style == gossip::Style::Solana {
        return check_solana(config, nodes);
    }
    if nodes > MOST_GOSSIPING {
        let message = format!(
            "registry gossip among {nodes} nodes passes the limit of {MOST_GOSSIPING} (4 bytes \
             for each pair of nodes)"
        );
        return Err(ScenarioError::new("gossip.style", message).hint("use style = \"off\""));
    }
    config.check().map_err(|error| refused("gossip", &error))?;
    let others = nodes - 1;
    if config.choose_from == gossip::ChooseFrom::Membership && config.fanout as usize > others {
        return Err(ScenarioError::new("gossip.fanout", impossible_fanout(config.fanout, others)));
    }
    Ok(())
}

fn check_solana(config: &gossip::Config, nodes: usize) -> Result<(), ScenarioError> {
    if nodes > MOST_BY_SOLANA {
        let message = format!(
            "gossip by Solana's rules among {nodes} nodes passes the limit of {MOST_BY_SOLANA} \
             (95 bytes for each pair of nodes)"
        );
        return Err(ScenarioError::new("gossip.style", message));
    }
    config.check().map_err(|error| refused("gossip", &error))
}

/// The sentence about more random nodes than there are others.
fn impossible_fanout(fanout: u32, others: usize) -> String {
    let (are, nodes) = if others == 1 { ("is", "node") } else { ("are", "nodes") };
    format!("a fan-out of {fanout} is impossible: there {are} {others} other {nodes}")
}

/// An error of a protocol part about its own settings.
fn refused(section: &str, error: &SettingError) -> ScenarioError {
    ScenarioError::new(format!("{section}.{}", error.field), error.message.clone())
}

fn discovery_settings(
    scenario: &Scenario,
    population: &Population,
    seed: Seed,
) -> Result<Arc<discovery::Settings>, ScenarioError> {
    let written = &scenario.discovery;
    written.rules.check().map_err(|error| refused("discovery", &error))?;
    let bootstrap = match &written.bootstrap {
        Some(nodes) => nodes.resolve(population, seed, SALT_BOOTSTRAP, "discovery.bootstrap")?,
        None => NodeSet::default(),
    };
    let (bootstrap, config) = (bootstrap.iter().collect(), written.rules.clone());
    Ok(Arc::new(discovery::Settings { bootstrap, config }))
}

/// Different salts of selectors draw differently; these are the ones in use.
const SALT_BOOTSTRAP: u32 = 1;
const SALT_CLASS: u32 = 1_000;
const SALT_LINK: u32 = 100_000;
const SALT_WORKLOAD: u32 = 200_000;
const SALT_FAULT: u32 = 300_000;
const SALT_TRANSACTIONS: u32 = 1_000_000;
const SALT_ADVERSARY: u32 = 2_000_000;

/// How many of `total` things are followed at once, within a limit; see `[limits]`.
const fn limited(total: u64, limit: u32) -> usize {
    if total < limit as u64 { total as usize } else { limit as usize }
}
