//! Scenario layer: `[network]` resolved: node classes, profiles of links, pipes.

use std::collections::BTreeMap;
use std::path::Path;

use super::limits::at_most_an_hour;
use super::{SALT_CLASS, SALT_LINK};
use crate::base::digest::Digest;
use crate::base::distribution::{Distribution, DistributionOrSpan};
use crate::base::id::{NodeId, NodeMap, NodeSet};
use crate::base::quantity::Bytes;
use crate::base::rng::Seed;
use crate::base::time::{Span, Time};
use crate::scenario::distribution;
use crate::scenario::error::ScenarioError;
use crate::scenario::population::geography::one_way;
use crate::scenario::population::{Population, Site};
use crate::scenario::schema::Scenario;
use crate::scenario::schema::network::{
    BufferConfig, LatencyPer, LinkConfig, LossConfig, NetworkConfig, PipeConfig,
};
use crate::scenario::topology::Overlay;
use crate::sim::network::link::{Latency, LinkTable, Profile};
use crate::sim::network::loss::{GilbertElliott, Loss};
use crate::sim::network::pipe::{Buffer, PipeSpec};
use crate::sim::network::{EdgePlan, NetworkPlan};

mod matrix;

/// Times and pipes of single nodes.
pub(super) struct Nodes {
    pub(super) starts: NodeMap<Time>,
    pub(super) connects: NodeMap<Span>,
    uplinks: NodeMap<Option<PipeSpec>>,
    downlinks: NodeMap<Option<PipeSpec>>,
}

impl Nodes {
    pub(super) fn resolve(
        scenario: &Scenario,
        population: &Population,
        seed: Seed,
    ) -> Result<Self, ScenarioError> {
        let (config, network) = (&scenario.nodes, &scenario.network);
        let count = population.count();
        let stagger = config.stagger.scaled(count as u64, 1);
        for (key, late) in [("nodes.start", config.start), ("nodes.stagger", stagger)] {
            if late.as_nanos() > u64::MAX / 8 {
                let message = format!("the last of {count} nodes would start after 70 years");
                return Err(ScenarioError::new(key, message));
            }
        }
        let start =
            |node: NodeId| Time::ZERO + config.start + config.stagger * u64::from(node.number());
        let up = pipe(network.uplink, "network.uplink")?;
        let down = pipe(network.downlink, "network.downlink")?;
        let mut nodes = Self {
            starts: NodeMap::build(count, start),
            connects: NodeMap::filled(count, config.connect),
            uplinks: NodeMap::filled(count, up),
            downlinks: NodeMap::filled(count, down),
        };
        for (place, class) in config.class.iter().enumerate() {
            let key = format!("nodes.class[{place}]");
            let salt = SALT_CLASS + place as u32;
            let set = class.nodes.resolve(population, seed, salt, &format!("{key}.nodes"))?;
            let up = pipe(class.uplink, &format!("{key}.uplink"))?;
            let down = pipe(class.downlink, &format!("{key}.downlink"))?;
            for node in set.iter() {
                if let Some(start) = class.start {
                    nodes.starts[node] = Time::ZERO + start;
                }
                nodes.connects[node] = class.connect.unwrap_or(nodes.connects[node]);
                nodes.uplinks[node] = up.or(nodes.uplinks[node]);
                nodes.downlinks[node] = down.or(nodes.downlinks[node]);
            }
        }
        Ok(nodes)
    }
}

/// A pipe as written; rates are never zero by their type.
fn pipe(config: Option<PipeConfig>, key: &str) -> Result<Option<PipeSpec>, ScenarioError> {
    let Some(config) = config else { return Ok(None) };
    let (rate, written) = match config {
        PipeConfig::Rate(rate) => (rate, BufferConfig::default()),
        PipeConfig::Full(full) => (full.rate, full.buffer),
    };
    Ok(Some(PipeSpec { rate, buffer: buffer(written, &format!("{key}.buffer"))? }))
}

/// A buffer as written.
pub(super) fn buffer(written: BufferConfig, key: &str) -> Result<Buffer, ScenarioError> {
    /// Bookkeeping of a waiting message takes 16 bytes.
    const MOST: u64 = 1 << 40;
    match written {
        BufferConfig::Bytes(Bytes(bytes)) if bytes > MOST => {
            Err(ScenarioError::new(key, format!("{} passes the limit of 1024GiB", Bytes(bytes))))
        }
        BufferConfig::Bytes(Bytes(bytes)) => Ok(Buffer::Bytes(bytes)),
        BufferConfig::Messages(messages) => Ok(Buffer::Messages(messages)),
    }
}

pub(super) fn resolve(
    scenario: &Scenario,
    population: &Population,
    overlay: &Overlay,
    nodes: &Nodes,
    base_dir: &Path,
    seed: Seed,
) -> Result<(NetworkPlan, Digest), ScenarioError> {
    let config = &scenario.network;
    let small = |bytes: Bytes, key: &str| {
        let message = format!("{bytes} passes the limit of 1GiB");
        u32::try_from(bytes.0)
            .ok()
            .filter(|bytes| *bytes <= 1 << 30)
            .ok_or_else(|| ScenarioError::new(format!("network.{key}"), message))
    };
    let message_limit = config.message_limit.map(|limit| small(limit, "message_limit"));
    let (links, digest) = links(config, population, base_dir, seed)?;
    let plan = NetworkPlan {
        links,
        edges: edges(config, overlay)?,
        uplinks: nodes.uplinks.clone(),
        downlinks: nodes.downlinks.clone(),
        header: small(config.header, "header")?,
        message_limit: message_limit.transpose()?,
    };
    Ok((plan, digest))
}

/// Links of the overlay with a latency or rate of their own.
fn edges(config: &NetworkConfig, overlay: &Overlay) -> Result<Vec<EdgePlan>, ScenarioError> {
    /// Largest complete overlay whose links may each have a pipe.
    const MOST: usize = 2_000;
    let buffer = buffer(config.link_buffer, "network.link_buffer")?;
    let plan = |from, to, latency, rate: Option<_>| EdgePlan {
        from,
        to,
        latency,
        pipe: rate.map(|rate| PipeSpec { rate, buffer }),
    };
    if overlay.complete {
        if overlay.latency.is_none() && overlay.rate.is_none() {
            return Ok(Vec::new());
        }
        if overlay.nodes > MOST {
            let message = format!(
                "a complete overlay of {} nodes cannot give each link a latency or rate; the \
                 limit is {MOST} nodes",
                overlay.nodes
            );
            let hint = "use network.latency and network.uplink";
            return Err(ScenarioError::new("topology.kind", message).hint(hint));
        }
        let all = || NodeId::all(overlay.nodes);
        let pairs = all().flat_map(|from| all().map(move |to| (from, to)));
        let pairs = pairs.filter(|(from, to)| from != to);
        return Ok(pairs.map(|(f, t)| plan(f, t, overlay.latency, overlay.rate)).collect());
    }
    let own = overlay.edges.iter().filter(|edge| edge.latency.is_some() || edge.rate.is_some());
    Ok(own.map(|edge| plan(edge.from, edge.to, edge.latency, edge.rate)).collect())
}

/// Where the latency of a link comes from, links of `[[network.link]]` apart.
enum Base {
    Model(Latency),
    /// Between sites, row by row.
    Sites(Vec<Span>),
}

fn links(
    config: &NetworkConfig,
    population: &Population,
    base_dir: &Path,
    seed: Seed,
) -> Result<(LinkTable, Digest), ScenarioError> {
    let base = base(config, population, base_dir)?;
    let plain = plain(config, base_dir)?;
    let overrides = config.link.iter().enumerate();
    let overrides = overrides
        .map(|(place, link)| Override::resolve(place, link, config, population, base_dir, seed))
        .collect::<Result<Vec<_>, _>>()?;
    let (class_of, members) = classes(population, &overrides)?;
    let sites = population.sites.len();
    let mut profiles = Vec::with_capacity(members.len() * members.len());
    for from in &members {
        for to in &members {
            let mut profile = plain.clone();
            profile.latency = match &base {
                Base::Model(latency) => latency.clone(),
                Base::Sites(table) => {
                    Latency::Constant(table[usize::from(from.site) * sites + usize::from(to.site)])
                }
            };
            for (place, own) in overrides.iter().enumerate() {
                let forth = from.is_from(place) && to.is_to(place);
                let back = own.both_ways && from.is_to(place) && to.is_from(place);
                if forth || back {
                    own.apply(&mut profile);
                }
            }
            profiles.push(profile);
        }
    }
    let profile_of = (0..profiles.len() as u32).collect();
    let digest = digest(&base, &plain, &overrides);
    Ok((LinkTable::of_classes(class_of, profile_of, profiles), digest))
}

/// The digest of what links are made of: the scenario's text does not hold what stands in files.
fn digest(base: &Base, plain: &Profile, overrides: &[Override]) -> Digest {
    let drawn = |distribution: Option<&Distribution>| {
        distribution.map(Distribution::canonical_bytes).unwrap_or_default()
    };
    let latency = |latency: &Latency| match latency {
        Latency::PerLink(distribution) | Latency::PerMessage(distribution) => {
            drawn(Some(distribution))
        }
        Latency::Constant(span) => span.as_nanos().to_le_bytes().to_vec(),
        // Only library users have functions; they are outside the digest.
        Latency::Function(_) => Vec::new(),
    };
    let mut parts = vec![match base {
        Base::Model(model) => latency(model),
        Base::Sites(table) => table.iter().flat_map(|s| s.as_nanos().to_le_bytes()).collect(),
    }];
    parts.push(drawn(plain.jitter.as_ref()));
    for own in overrides {
        parts.push(own.latency.as_ref().map(latency).unwrap_or_default());
        parts.push(drawn(own.jitter.as_ref().and_then(Option::as_ref)));
    }
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    Digest::of_parts(&parts)
}

/// What nodes of one class have in common: the site and the ends of link overrides they are at.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Class {
    site: u16,
    /// Two bits for each override: at its `from` end, at its `to` end.
    ends: Vec<u8>,
}

impl Class {
    fn is_from(&self, place: usize) -> bool {
        self.ends[place] & 1 == 1
    }
    fn is_to(&self, place: usize) -> bool {
        self.ends[place] & 2 == 2
    }
}

fn classes(
    population: &Population,
    overrides: &[Override],
) -> Result<(NodeMap<u16>, Vec<Class>), ScenarioError> {
    /// Profiles are kept for every pair of classes.
    const MOST: usize = 1_000;
    let class = |node: NodeId| Class {
        site: population.site_of[node],
        ends: overrides
            .iter()
            .map(|own| u8::from(own.from.contains(node)) | u8::from(own.to.contains(node)) << 1)
            .collect(),
    };
    let mut numbers: BTreeMap<Class, u16> = BTreeMap::new();
    let count = population.count();
    for node in NodeId::all(count) {
        numbers.insert(class(node), 0);
    }
    if numbers.len() > MOST {
        let message = format!(
            "sites and link entries divide the nodes into {} classes; the limit is {MOST}",
            numbers.len()
        );
        return Err(ScenarioError::new("network.link", message));
    }
    numbers.values_mut().enumerate().for_each(|(place, number)| *number = place as u16);
    let class_of = NodeMap::build(count, |node| numbers[&class(node)]);
    Ok((class_of, numbers.into_keys().collect()))
}

fn base(
    config: &NetworkConfig,
    population: &Population,
    base_dir: &Path,
) -> Result<Base, ScenarioError> {
    /// Latencies are kept for every pair of sites.
    const MOST_SITES: usize = 2_000;
    let sources = [
        ("latency", config.latency.is_some()),
        ("geography", config.geography.is_some()),
        ("matrix", config.matrix.is_some()),
    ];
    let mut given = sources.iter().filter(|(_, given)| *given).map(|(key, _)| key);
    let (first, second) = (given.next(), given.next());
    if let (Some(first), Some(second)) = (first, second) {
        let message = format!(
            "latency comes from {first} already; expected one of latency, geography, matrix"
        );
        return Err(ScenarioError::new(format!("network.{second}"), message));
    }
    let sites = population.sites.len();
    if let Some(key @ ("geography" | "matrix")) = first.copied()
        && sites > MOST_SITES
    {
        let message = format!("{sites} sites pass the limit of {MOST_SITES} for latencies by site");
        return Err(ScenarioError::new(format!("network.{key}"), message));
    }
    if let Some(geography) = &config.geography {
        at_most_an_hour(geography.access, "network.geography.access")?;
        if !(1.0..=10.0).contains(&geography.inflation) {
            let message = format!("{} is out of range; expected 1 to 10", geography.inflation);
            return Err(ScenarioError::new("network.geography.inflation", message));
        }
        let between = |a: &Site, b: &Site| {
            let (a, b) = (a.coordinates?, b.coordinates?);
            Some(one_way(a, b, geography.access, geography.inflation))
        };
        let sites = &population.sites;
        let pairs = sites.iter().flat_map(|a| sites.iter().map(move |b| between(a, b)));
        let table = pairs.collect::<Option<Vec<Span>>>().ok_or_else(|| {
            let message = "geography needs sites with coordinates";
            let hint = "choose nodes.placement.kind = \"cities\", \"sites\" or \"solana-mainnet\"";
            ScenarioError::new("network.geography", message).hint(hint)
        })?;
        return Ok(Base::Sites(table));
    }
    if let Some(file) = &config.matrix {
        return matrix::read(file, &population.sites, base_dir).map(Base::Sites);
    }
    let default = DistributionOrSpan::Constant(Span::from_millis(50));
    let written = config.latency.as_ref().unwrap_or(&default);
    let drawn = distribution::resolve(written, "network.latency", base_dir)?;
    Ok(Base::Model(latency(drawn, config.latency_per)))
}

fn latency(distribution: Distribution, per: LatencyPer) -> Latency {
    match (distribution.as_constant(), per) {
        (Some(span), _) => Latency::Constant(span),
        (None, LatencyPer::Link) => Latency::PerLink(distribution),
        (None, LatencyPer::Message) => Latency::PerMessage(distribution),
    }
}

/// The profile of all links, latency apart.
fn plain(config: &NetworkConfig, base_dir: &Path) -> Result<Profile, ScenarioError> {
    Ok(Profile {
        latency: Latency::Constant(Span::ZERO),
        jitter: jitter(config.jitter.as_ref(), "network.jitter", base_dir)?,
        loss: loss(config.loss),
        duplicate: config.duplicate,
        corrupt: config.corrupt,
        in_order: config.in_order,
    })
}

/// Jitter as written; none at all is no draw at all.
fn jitter(
    written: Option<&DistributionOrSpan>,
    key: &str,
    base_dir: &Path,
) -> Result<Option<Distribution>, ScenarioError> {
    let Some(written) = written else { return Ok(None) };
    let drawn = distribution::resolve(written, key, base_dir)?;
    Ok((drawn.as_constant() != Some(Span::ZERO)).then_some(drawn))
}

fn loss(written: LossConfig) -> Loss {
    match written {
        LossConfig::Independent(chance) if chance.is_never() => Loss::None,
        LossConfig::Independent(chance) => Loss::Independent(chance),
        LossConfig::Bursts(bursts) => Loss::GilbertElliott(GilbertElliott {
            good_to_bad: bursts.good_to_bad,
            bad_to_good: bursts.bad_to_good,
            loss_good: bursts.loss_good,
            loss_bad: bursts.loss_bad,
        }),
    }
}

/// An entry of `[[network.link]]`, resolved.
struct Override {
    from: NodeSet,
    to: NodeSet,
    both_ways: bool,
    latency: Option<Latency>,
    jitter: Option<Option<Distribution>>,
    config: LinkConfig,
}

impl Override {
    fn resolve(
        place: usize,
        link: &LinkConfig,
        network: &NetworkConfig,
        population: &Population,
        base_dir: &Path,
        seed: Seed,
    ) -> Result<Self, ScenarioError> {
        let key = |key: &str| format!("network.link[{place}].{key}");
        let salt = SALT_LINK + 2 * place as u32;
        let own = link.latency.as_ref();
        let drawn = own.map(|own| distribution::resolve(own, &key("latency"), base_dir));
        let jittered = link.jitter.as_ref();
        let jittered = jittered.map(|own| jitter(Some(own), &key("jitter"), base_dir));
        Ok(Self {
            from: link.from.resolve(population, seed, salt, &key("from"))?,
            to: link.to.resolve(population, seed, salt + 1, &key("to"))?,
            both_ways: link.both_ways,
            latency: drawn.transpose()?.map(|drawn| latency(drawn, network.latency_per)),
            jitter: jittered.transpose()?,
            config: link.clone(),
        })
    }

    fn apply(&self, profile: &mut Profile) {
        if let Some(latency) = &self.latency {
            profile.latency = latency.clone();
        }
        if let Some(jitter) = &self.jitter {
            profile.jitter = jitter.clone();
        }
        if let Some(written) = self.config.loss {
            profile.loss = loss(written);
        }
        profile.duplicate = self.config.duplicate.unwrap_or(profile.duplicate);
        profile.corrupt = self.config.corrupt.unwrap_or(profile.corrupt);
        profile.in_order = self.config.in_order.unwrap_or(profile.in_order);
    }
}
