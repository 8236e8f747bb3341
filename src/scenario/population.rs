//! Scenario layer: who takes part: how many nodes, their stakes, places and identities.

pub mod city;
pub mod geography;
pub mod mainnet;
pub mod selector;
pub mod stake;

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::id::{NodeId, NodeMap, NodeSet};
use crate::base::quantity::Chance;
use crate::base::rng::{Purpose, Rng, Seed};
use crate::base::time::Span;

use self::geography::{Coordinates, PlacementConfig};
use self::selector::Selector;
use self::stake::StakeConfig;
use super::error::ScenarioError;
use super::schema::network::PipeConfig;

/// The most nodes a scenario may have.
pub const MOST_NODES: u32 = 100_000;

/// The nodes of the cluster: how many, with which stakes, in which places (`[nodes]`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NodesConfig {
    /// Number of nodes, observers included; they are numbered from 0.
    #[schemars(range(min = 1, max = 100_000))]
    pub count: u32,
    /// How many of the nodes have no stake; these are the last ones. At least one node must remain
    /// that is a validator, so this is less than `count`.
    #[schemars(range(min = 0, max = 99_999))]
    pub observers: u32,
    /// The stakes of the validators, that is of all nodes but the observers.
    pub stake: StakeConfig,
    /// Stakes that replace those before where an epoch begins, in the order of the epochs: they
    /// choose leaders, build trees and count votes from then on. Without this key they stay.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub epochs: Vec<EpochConfig>,
    /// Where the nodes stand.
    pub placement: PlacementConfig,
    /// When the first node starts.
    pub start: Span,
    /// How much later each further node starts, in the order of their numbers.
    pub stagger: Span,
    /// How long after its start a node connects to the peers that the topology gives it.
    pub connect: Span,
    /// Nodes that differ from the rest. Where several match, later ones win key by key.
    pub class: Vec<NodeClassConfig>,
}

/// The stakes from an epoch on (`[[nodes.epochs]]`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EpochConfig {
    /// The epoch from whose first slot on they count; slot 0 begins epoch 0, and
    /// `slots.slots_per_epoch` says how long each is.
    #[schemars(range(min = 1))]
    pub epoch: u32,
    /// The stakes of the validators, as in `nodes.stake`. An observer has none ever.
    pub stake: StakeConfig,
}

/// Nodes that differ from the rest (`[[nodes.class]]`): only the keys that are given change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NodeClassConfig {
    /// Which nodes.
    pub nodes: Selector,
    /// When they start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Span>,
    /// How long after their start they connect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect: Option<Span>,
    /// Their uplink: a rate, or rate and buffer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uplink: Option<PipeConfig>,
    /// Their downlink: a rate, or rate and buffer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub downlink: Option<PipeConfig>,
}

impl Default for NodesConfig {
    fn default() -> Self {
        Self {
            count: 25,
            observers: 0,
            stake: StakeConfig::default(),
            epochs: Vec::new(),
            placement: PlacementConfig::default(),
            start: Span::ZERO,
            stagger: Span::ZERO,
            connect: Span::ZERO,
            class: Vec::new(),
        }
    }
}

/// A place where nodes stand.
#[derive(Clone, Debug, PartialEq)]
pub struct Site {
    /// Its name; no two sites share one.
    pub name: String,
    /// Its region: a place in [`Population::regions`].
    pub region: u16,
    /// Where it is on the globe; `None` for an abstract place, whose distances must be given.
    pub coordinates: Option<Coordinates>,
}

/// Who takes part: the resolved form of [`NodesConfig`].
#[derive(Clone, Debug, PartialEq)]
pub struct Population {
    /// Stake of every node; zero for observers.
    pub stakes: NodeMap<u64>,
    /// The stakes from later epochs on, in the order of the epochs.
    pub later: Vec<(u32, NodeMap<u64>)>,
    /// All sites, whether a node stands there or not.
    pub sites: Vec<Site>,
    /// Site of every node: a place in `sites`.
    pub site_of: NodeMap<u16>,
    /// Names of the regions, in the order of their first site.
    pub regions: Vec<String>,
    /// Region of every node: a place in `regions`.
    pub region_of: NodeMap<u16>,
    /// Public identity of every node, drawn from the seed; it orders nodes where protocols do.
    pub identities: NodeMap<[u8; 32]>,
}

impl Population {
    /// Works out stakes, places and identities. `base_dir` is the folder that relative file names
    /// in the scenario start from.
    ///
    /// The nodes that were there keep stakes, places and identities when an observer is added.
    ///
    /// # Errors
    /// If a key is out of its range or does not fit the number of nodes, names a city that the
    /// table lacks, or names a file that cannot be read.
    pub fn resolve(
        nodes: &NodesConfig,
        base_dir: &Path,
        seed: Seed,
    ) -> Result<Self, ScenarioError> {
        let (count, validators) = checked_counts(nodes)?;
        let mut stakes = nodes.stake.resolve(validators, base_dir, seed)?;
        stakes.resize(count, 0);
        let stakes = NodeMap::from_vec(stakes);
        let later = later_stakes(nodes, (count, validators), base_dir, seed)?;
        let placed = nodes.placement.resolve(&stakes, seed)?;
        let region_of =
            NodeMap::build(count, |node| placed.sites[usize::from(placed.site_of[node])].region);
        Ok(Self {
            stakes,
            later,
            sites: placed.sites,
            site_of: placed.site_of,
            regions: placed.regions,
            region_of,
            identities: NodeMap::build(count, |node| identity(seed, node)),
        })
    }

    /// Number of nodes.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.stakes.len()
    }

    /// The stake of all nodes together; never zero.
    #[must_use]
    pub fn total_stake(&self) -> u64 {
        self.stakes.values().sum()
    }

    /// The nodes with stake, in the order of their numbers.
    pub fn validators(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.stakes.iter().filter(|(_, stake)| **stake > 0).map(|(node, _)| node)
    }

    /// The stake of these nodes together.
    #[must_use]
    pub fn stake_of(&self, nodes: &NodeSet) -> u64 {
        nodes.iter().map(|node| self.stakes[node]).sum()
    }

    /// The share of the total stake that these nodes hold, rounded down to parts per billion: what
    /// a selector such as `stake:33%` has reached.
    #[must_use]
    pub fn share_of(&self, nodes: &NodeSet) -> Chance {
        share(self.stake_of(nodes), self.total_stake())
    }

    /// Everything a run may depend on as bytes, for digests: no two populations share them.
    #[must_use]
    pub fn canonical_bytes(&self) -> Vec<u8> {
        let mut bytes = (self.count() as u64).to_le_bytes().to_vec();
        let text = |bytes: &mut Vec<u8>, text: &str| {
            bytes.extend((text.len() as u64).to_le_bytes());
            bytes.extend(text.as_bytes());
        };
        for (node, stake) in self.stakes.iter() {
            bytes.extend(stake.to_le_bytes());
            bytes.extend(self.site_of[node].to_le_bytes());
            bytes.extend(self.region_of[node].to_le_bytes());
            bytes.extend(self.identities[node]);
        }
        for (epoch, stakes) in &self.later {
            bytes.extend(epoch.to_le_bytes());
            stakes.values().for_each(|stake| bytes.extend(stake.to_le_bytes()));
        }
        bytes.extend((self.regions.len() as u64).to_le_bytes());
        self.regions.iter().for_each(|region| text(&mut bytes, region));
        bytes.extend((self.sites.len() as u64).to_le_bytes());
        for site in &self.sites {
            text(&mut bytes, &site.name);
            bytes.extend(site.region.to_le_bytes());
            bytes.push(u8::from(site.coordinates.is_some()));
            if let Some(Coordinates { latitude, longitude }) = site.coordinates {
                bytes.extend(latitude.to_bits().to_le_bytes());
                bytes.extend(longitude.to_bits().to_le_bytes());
            }
        }
        bytes
    }
}

/// The stakes of later epochs.
fn later_stakes(
    nodes: &NodesConfig,
    (count, validators): (usize, usize),
    base_dir: &Path,
    seed: Seed,
) -> Result<Vec<(u32, NodeMap<u64>)>, ScenarioError> {
    let mut later: Vec<(u32, NodeMap<u64>)> = Vec::new();
    for (place, config) in nodes.epochs.iter().enumerate() {
        let before = later.last().map_or(0, |(epoch, _)| *epoch);
        if config.epoch <= before {
            let found = config.epoch;
            let message = format!("{found} is no later epoch; expected at least {}", before + 1);
            return Err(ScenarioError::new(format!("nodes.epochs[{place}].epoch"), message));
        }
        let mut stakes = config
            .stake
            .resolve(validators, base_dir, seed)
            .map_err(|error| error.moved("nodes.stake", &format!("nodes.epochs[{place}].stake")))?;
        stakes.resize(count, 0);
        later.push((config.epoch, NodeMap::from_vec(stakes)));
    }
    Ok(later)
}

/// The number of nodes and of those that get a stake.
fn checked_counts(nodes: &NodesConfig) -> Result<(usize, usize), ScenarioError> {
    let (count, observers) = (nodes.count, nodes.observers);
    if !(1..=MOST_NODES).contains(&count) {
        let message = format!("{count} nodes were asked for; a cluster has 1 to {MOST_NODES}");
        return Err(ScenarioError::new("nodes.count", message));
    }
    if observers >= count {
        let message = format!(
            "{observers} of {count} nodes would be observers; at least one must have stake"
        );
        return Err(ScenarioError::new("nodes.observers", message));
    }
    Ok((count as usize, (count - observers) as usize))
}

/// The 32 bytes that stand for a node's public key.
fn identity(seed: Seed, node: NodeId) -> [u8; 32] {
    let mut rng = Rng::of_node(seed, Purpose::Identity, node);
    let mut bytes = [0; 32];
    for word in bytes.chunks_exact_mut(8) {
        word.copy_from_slice(&rng.bits().to_le_bytes());
    }
    bytes
}

/// `part / whole`, rounded down to parts per billion.
fn share(part: u64, whole: u64) -> Chance {
    let parts = u128::from(part) * 1_000_000_000 / u128::from(whole.max(1));
    u32::try_from(parts).ok().and_then(Chance::from_ppb).unwrap_or(Chance::ALWAYS)
}

/// A name without case, accents and the difference of blank, hyphen and underscore.
pub(super) fn fold(name: &str) -> String {
    let plain = |c: char| match c {
        'á' | 'à' | 'â' | 'ã' | 'ä' => 'a',
        'é' | 'è' | 'ê' => 'e',
        'í' => 'i',
        'ó' | 'ö' | 'õ' | 'ô' => 'o',
        'ú' | 'ü' => 'u',
        'ç' => 'c',
        '-' | '_' => ' ',
        other => other,
    };
    name.trim().chars().flat_map(char::to_lowercase).map(plain).collect()
}

/// The candidate that looks most like a misspelt name, if any looks like it at all.
pub(crate) fn near_name<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    /// Jaro-Winkler similarity from which on a name is worth proposing: by eye, "Frankfort",
    /// "Tokio" and "Singapur" reach it and names that share only a first letter do not.
    const ALIKE: f64 = 0.8;
    let name = fold(name);
    let mut best = None;
    for candidate in candidates {
        let likeness = strsim::jaro_winkler(&name, &fold(candidate));
        if likeness >= ALIKE && best.is_none_or(|(_, found)| likeness > found) {
            best = Some((candidate, likeness));
        }
    }
    best.map(|(candidate, _)| candidate)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::base::digest::Digest;

    /// Reads `[nodes]` from TOML and resolves it.
    pub(in crate::scenario) fn resolved(text: &str, seed: u64) -> Population {
        try_resolved(text, seed).expect("a sound population")
    }

    /// As [`resolved`], for what should be refused.
    pub(in crate::scenario) fn try_resolved(
        text: &str,
        seed: u64,
    ) -> Result<Population, ScenarioError> {
        let nodes: NodesConfig = toml::from_str(text).expect("TOML that fits the types");
        Population::resolve(&nodes, Path::new("."), Seed(seed))
    }

    #[test]
    fn an_empty_table_gives_25_equal_validators_at_one_site() {
        let population = resolved("", 1);
        assert_eq!(population.stakes.as_slice(), [1_000; 25]);
        assert_eq!((population.sites.len(), population.regions.len()), (1, 1));
        assert_eq!(population.validators().count(), 25);
        assert_eq!(population.total_stake(), 25_000);
    }

    #[test]
    fn the_last_nodes_are_the_observers() {
        let population = resolved("count = 5\nobservers = 2", 1);
        assert_eq!(population.stakes.as_slice(), [1_000, 1_000, 1_000, 0, 0]);
        assert_eq!(population.validators().map(NodeId::number).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(population.total_stake(), 3_000);
    }

    #[test]
    fn an_added_observer_moves_nobody_else() {
        let text = |count: u32, observers: u32| {
            format!(
                "count = {count}\nobservers = {observers}\n\
                 stake = {{ kind = \"log-normal\", median = 500, sigma = 1.5 }}\n\
                 placement = {{ kind = \"solana-mainnet\" }}"
            )
        };
        let (fewer, more) = (resolved(&text(30, 0), 4), resolved(&text(31, 1), 4));
        for node in NodeId::all(30) {
            assert_eq!(fewer.stakes[node], more.stakes[node]);
            assert_eq!(fewer.site_of[node], more.site_of[node]);
            assert_eq!(fewer.identities[node], more.identities[node]);
        }
    }

    #[test]
    fn counts_out_of_range_are_refused_with_the_limit() {
        for (text, key, reason) in [
            ("count = 0", "nodes.count", "1 to 100000"),
            ("count = 100001", "nodes.count", "1 to 100000"),
            ("count = 4\nobservers = 4", "nodes.observers", "at least one must have stake"),
        ] {
            let error = try_resolved(text, 1).expect_err(text);
            assert_eq!(error.key, key);
            assert!(error.message.contains(reason), "{error}");
        }
    }

    #[test]
    fn a_misspelt_key_is_refused_wherever_it_stands() {
        for text in [
            "cuont = 3",
            "stake = { kind = \"equal\", amuont = 3 }",
            "placement = { kind = \"single\", city = \"Tokyo\" }",
            "placement = { kind = \"cities\", cities = [\"Tokyo\"], oder = \"random\" }",
        ] {
            let error = toml::from_str::<NodesConfig>(text).expect_err(text);
            assert!(error.to_string().contains("unknown field"), "{error}");
        }
    }

    #[test]
    fn the_schema_names_every_kind_with_its_keys() {
        let schema = schemars::schema_for!(NodesConfig);
        let schema = serde_json::to_value(&schema).expect("JSON");
        let kinds = |part: &str| {
            let variants = schema["$defs"][part]["oneOf"].as_array().expect("variants");
            let kind = |variant: &serde_json::Value| {
                assert_eq!(variant["additionalProperties"], false, "{variant}");
                assert!(variant["description"].is_string(), "{variant}");
                variant["properties"]["kind"]["const"].as_str().expect("a kind").to_owned()
            };
            variants.iter().map(kind).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            kinds("StakeConfig"),
            "equal list file zipf-mandelbrot log-normal pareto solana-mainnet"
        );
        assert_eq!(kinds("PlacementConfig"), "single cities regions sites solana-mainnet");
        assert_eq!(schema["properties"]["count"]["maximum"], 100_000);
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes_and_another_seed_does_not() {
        let text = "count = 60\nstake = { kind = \"pareto\", min = 10, exponent = 1.2 }\n\
                    placement = { kind = \"regions\", names = [\"a\", \"b\"], order = \"random\" }";
        let digest = |seed| Digest::of(&resolved(text, seed).canonical_bytes());
        assert_eq!(digest(1), digest(1));
        assert_ne!(digest(1), digest(2));
    }

    #[test]
    fn every_part_of_a_population_shows_in_its_bytes() {
        let base =
            resolved("count = 3\nplacement = { kind = \"cities\", cities = [\"Tokyo\"] }", 1);
        let mut others = vec![base.clone(); 6];
        others[0].stakes[NodeId::new(1)] += 1;
        others[1].identities[NodeId::new(2)][31] ^= 1;
        others[2].sites[0].name.push('x');
        others[3].sites[0].coordinates = None;
        others[4].regions[0].push('x');
        others[5].site_of[NodeId::new(0)] = 1;
        for (i, other) in others.iter().enumerate() {
            assert_ne!(base.canonical_bytes(), other.canonical_bytes(), "change {i}");
        }
    }

    #[test]
    fn identities_are_the_words_of_the_nodes_own_stream() {
        let population = resolved("count = 2000", 9);
        let mut rng = Rng::of_node(Seed(9), Purpose::Identity, NodeId::new(7));
        let words: Vec<u8> = (0..4).flat_map(|_| rng.bits().to_le_bytes()).collect();
        assert_eq!(population.identities[NodeId::new(7)].as_slice(), words);
        let mut all = population.identities.as_slice().to_vec();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 2_000);
    }

    #[test]
    fn a_typing_error_finds_its_name() {
        let names = ["Frankfurt", "Tokyo", "São Paulo"];
        assert_eq!(near_name("Frankfort", names), Some("Frankfurt"));
        assert_eq!(near_name("sao-paolo", names), Some("São Paulo"));
        assert_eq!(near_name("Quito", names), None);
    }
}
