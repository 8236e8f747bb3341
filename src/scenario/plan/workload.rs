//! Scenario layer: `[[rumors]]` resolved: streams of injections, merged with those of transactions
//! in the order of time.

mod pace;
pub(super) mod transactions;

use std::collections::BTreeSet;

use self::pace::{Pace, Timing};
pub use self::transactions::TransactionStream;
use super::{SALT_WORKLOAD, impossible_fanout, limited};
use crate::base::id::NodeId;
use crate::base::rng::{Purpose, Rng, Seed};
use crate::base::time::{Span, Time};
use crate::protocol::forward::Submission;
use crate::protocol::gossip::{self, ChooseFrom};
use crate::protocol::rumor::{Injected, Rules, Style};
use crate::protocol::setting::SHORTEST_ROUND;
use crate::protocol::{Input, crds};
use crate::scenario::error::ScenarioError;
use crate::scenario::population::Population;
use crate::scenario::schema::Scenario;
use crate::scenario::schema::output::LimitsConfig;
use crate::scenario::schema::workload::RumorConfig;
use crate::sim::Injection;

/// A stream of rumors, resolved.
#[derive(Clone, Debug)]
pub struct Stream {
    pace: Pace,
    /// Rumors that have come.
    passed: u32,
    origins: Vec<NodeId>,
    receivers: Option<Vec<NodeId>>,
    size: u32,
}

/// Largest rumor: what a message of 32 bits of bytes could hold, with room for a header.
const LARGEST: u64 = 1 << 30;

/// Most nodes that all streams together may name; each takes four bytes.
const MOST_NAMED: usize = 100_000_000;

impl Stream {
    /// Whether gaps between rumors are drawn, so that by chance there may be none at all.
    #[must_use]
    pub const fn is_random(&self) -> bool {
        self.pace.is_random()
    }

    /// How many rumors appear at most; of a Poisson stream: are expected.
    pub(super) fn at_most(&self) -> u64 {
        self.pace.at_most()
    }

    /// How many rumors appear within this time at most; of a Poisson stream: are expected.
    pub(super) fn within(&self, time: Span) -> u64 {
        self.pace.within(time)
    }
}

pub(super) fn resolve(
    scenario: &Scenario,
    population: &Population,
    seed: Seed,
    end: Time,
) -> Result<(Vec<Rules>, Vec<Stream>), ScenarioError> {
    let mut all = (Vec::new(), Vec::new());
    if scenario.rumors.len() > usize::from(u16::MAX) {
        let message = format!("{} streams pass the limit of 65,535", scenario.rumors.len());
        return Err(ScenarioError::new("rumors", message));
    }
    let (mut rumors, mut named) = (0_u64, 0);
    for (place, config) in scenario.rumors.iter().enumerate() {
        let gossip = &scenario.gossip;
        let resolver = Resolver { config, gossip, population, seed, end, place };
        all.0.push(resolver.rules()?);
        let stream = resolver.stream()?;
        resolver.timing().add(&mut rumors, &stream.pace)?;
        named += stream.origins.len() + stream.receivers.as_ref().map_or(0, Vec::len);
        if named > MOST_NAMED {
            let message = format!("the streams name more than {MOST_NAMED} nodes, the limit");
            return resolver.error("node", message);
        }
        all.1.push(stream);
    }
    Ok(all)
}

/// Rumors that must be told apart at a time.
pub(super) fn window(streams: &[Stream], limits: &LimitsConfig) -> usize {
    let total = streams.iter().fold(0_u64, |sum, stream| sum.saturating_add(stream.pace.left()));
    limited(total, limits.rumors)
}

/// Transactions that are followed at a time.
pub(super) fn followed(streams: &[TransactionStream], limits: &LimitsConfig) -> usize {
    let total = streams.iter().fold(0_u64, |sum, stream| sum.saturating_add(stream.pace.left()));
    limited(total, limits.transactions)
}

struct Resolver<'a> {
    config: &'a RumorConfig,
    gossip: &'a gossip::Config,
    population: &'a Population,
    seed: Seed,
    end: Time,
    place: usize,
}

impl Resolver<'_> {
    fn timing(&self) -> Timing {
        let RumorConfig { at, until, count, every, per_second, .. } = *self.config;
        let stream = format!("rumors[{}]", self.place);
        Timing { stream, noun: "rumor", at, until, count, every, per_second, burst: 1 }
    }

    fn error<T>(&self, key: &str, message: impl Into<String>) -> Result<T, ScenarioError> {
        self.timing().error(key, message)
    }

    fn rules(&self) -> Result<Rules, ScenarioError> {
        let config = self.config;
        let rounds = matches!(config.spread, Style::Push | Style::Pull | Style::PushPull);
        if rounds && config.interval < SHORTEST_ROUND {
            let (found, least) = (config.interval, SHORTEST_ROUND);
            return self
                .error("interval", format!("{found} is too short; expected at least {least}"));
        }
        if config.spread == Style::Gossip {
            self.check_gossip()?;
        }
        let others = self.population.count() - 1;
        let chosen = rounds || config.spread == Style::ForwardOnce;
        let everyone = config.choose_from == ChooseFrom::Membership;
        if chosen && everyone && config.fanout as usize > others {
            return self.error("fanout", impossible_fanout(config.fanout, others));
        }
        Ok(Rules {
            style: config.spread,
            fanout: config.fanout,
            interval: config.interval,
            rounds: config.rounds,
            phase: config.phase,
            choose_from: config.choose_from,
            echo: config.echo,
        })
    }

    /// A rumor that spreads by gossip is a value of it.
    fn check_gossip(&self) -> Result<(), ScenarioError> {
        if self.gossip.style != gossip::Style::Solana {
            return self.error("spread", "\"gossip\" needs [gossip] style = \"solana\"");
        }
        let rules = self.gossip.solana.unwrap_or_default();
        let (size, least, most) = (self.config.size, crds::Config::VALUE_HEAD, rules.value_limit);
        if size.0 < least.into() || size > most {
            let message =
                format!("{size} is no size of a gossip value; expected {least}B to {most}");
            return self.error("size", message);
        }
        Ok(())
    }

    fn stream(&self) -> Result<Stream, ScenarioError> {
        let config = self.config;
        let size = match u32::try_from(config.size.0) {
            Ok(size) if config.size.0 <= LARGEST => size,
            _ => return self.error("size", format!("{} passes the limit of 1GiB", config.size)),
        };
        let pace = self.timing().resolve(self.end)?;
        let salt = SALT_WORKLOAD + 2 * self.place as u32;
        let nodes =
            |selector: &crate::scenario::population::selector::Selector, salt, key: &str| {
                let key = format!("rumors[{}].{key}", self.place);
                let set = selector.resolve(self.population, self.seed, salt, &key)?;
                Ok::<Vec<NodeId>, ScenarioError>(set.iter().collect())
            };
        let origins = nodes(&config.node, salt, "node")?;
        let receivers = match (&config.to, config.spread) {
            (Some(to), Style::Direct) => Some(nodes(to, salt + 1, "to")?),
            (None, Style::Direct) => return self.error("to", "direct rumors need receivers"),
            (Some(_), _) => {
                return self.error("to", "only rumors with spread = \"direct\" have receivers");
            }
            (None, _) => None,
        };
        if let Some(receivers) = &receivers {
            let clash = origins.iter().find(|node| receivers.as_slice() == [**node]);
            if let Some(node) = clash {
                return self.error("to", format!("{node:?} would send to itself"));
            }
        }
        Ok(Stream { pace, passed: 0, origins, receivers, size })
    }
}

/// All streams merged: injections in the order of time; at equal times rumors first, then in the
/// order of the file.
#[derive(Clone, Debug)]
pub struct Workload {
    rumors: Vec<Running<Stream>>,
    transactions: Vec<Running<TransactionStream>>,
    next_rumor: u32,
    next_transaction: u32,
    /// Nodes that a transaction has come in at, which may be repeated there.
    clients: BTreeSet<NodeId>,
}

/// A stream, its chance, and when the next of it is due.
#[derive(Clone, Debug)]
struct Running<S> {
    stream: S,
    rng: Rng,
    due: Option<Time>,
}

impl<S> Running<S> {
    fn all(streams: Vec<S>, seed: Seed, purpose: Purpose, pace: impl Fn(&S) -> &Pace) -> Vec<Self> {
        let start = |(place, stream): (usize, S)| {
            let mut rng = Rng::of_node(seed, purpose, NodeId::from_index(place));
            let due = pace(&stream).start(&mut rng);
            Self { stream, rng, due }
        };
        streams.into_iter().enumerate().map(start).collect()
    }

    fn first(streams: &[Self]) -> Option<(Time, usize)> {
        let due = |(place, running): (usize, &Self)| running.due.map(|due| (due, place));
        streams.iter().enumerate().filter_map(due).min()
    }
}

impl Workload {
    /// The streams from their beginning.
    #[must_use]
    pub fn new(rumors: Vec<Stream>, transactions: Vec<TransactionStream>, seed: Seed) -> Self {
        let transactions =
            Running::all(transactions, seed, Purpose::Transactions, |stream| &stream.pace);
        let rumors = Running::all(rumors, seed, Purpose::Workload, |stream| &stream.pace);
        Self { rumors, transactions, next_rumor: 0, next_transaction: 0, clients: BTreeSet::new() }
    }

    /// The places of the streams of rumors of which none is still to come.
    pub fn dry(&self) -> impl Iterator<Item = usize> + '_ {
        let streams = self.rumors.iter().enumerate();
        streams.filter(|(_, running)| running.due.is_none()).map(|(place, _)| place)
    }

    fn next_rumor(&mut self, at: Time, place: usize) -> Option<Injection<Input>> {
        let rumor = self.next_rumor;
        self.next_rumor = rumor.checked_add(1)?;
        let Running { stream, rng, due } = &mut self.rumors[place];
        let node = pick(rng, &stream.origins);
        let to = stream.receivers.as_ref().map(|receivers| {
            loop {
                let to = pick(rng, receivers);
                if to != node {
                    break to;
                }
            }
        });
        *due = stream.pace.after(at, rng);
        let (number, size) = (stream.passed, stream.size);
        stream.passed = number.wrapping_add(1);
        let injected = Injected { rumor, stream: place as u16, place: number, size, to };
        Some(Injection { at, node, input: Input::Rumor(injected) })
    }

    fn next_transaction(&mut self, at: Time, place: usize) -> Option<Injection<Input>> {
        let number = self.next_transaction;
        let Running { stream, rng, due } = &mut self.transactions[place];
        let (node, submission) = stream.draw(rng, number, &self.clients);
        *due = stream.pace.after(at, rng);
        if submission != Submission::Repeat {
            self.next_transaction = number.checked_add(1)?;
            self.clients.insert(node);
        }
        Some(Injection { at, node, input: Input::Transaction(submission) })
    }
}

impl Iterator for Workload {
    type Item = Injection<Input>;

    fn next(&mut self) -> Option<Injection<Input>> {
        let rumor = Running::first(&self.rumors);
        let transaction = Running::first(&self.transactions);
        match (rumor, transaction) {
            (Some((at, place)), other) if other.is_none_or(|(later, _)| at <= later) => {
                self.next_rumor(at, place)
            }
            (_, Some((at, place))) => self.next_transaction(at, place),
            (_, None) => None,
        }
    }
}

/// A uniform node; a list of one needs no draw.
fn pick(rng: &mut Rng, nodes: &[NodeId]) -> NodeId {
    if nodes.len() == 1 { nodes[0] } else { nodes[rng.index(nodes.len())] }
}
