//! Scenario layer: `[[rumors]]` resolved: streams of injections, merged in the order of time.

use super::{SALT_WORKLOAD, impossible_fanout, limited};
use crate::base::distribution::{Distribution, LONGEST_WRITTEN};
use crate::base::id::NodeId;
use crate::base::rng::{Purpose, Rng, Seed};
use crate::base::time::{Span, Time};
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
    /// The first moment.
    first: Time,
    /// The last moment at which one may appear.
    last: Time,
    /// Rumors still to come.
    left: u64,
    /// Rumors that have come.
    passed: u32,
    gap: Gap,
    origins: Vec<NodeId>,
    receivers: Option<Vec<NodeId>>,
    size: u32,
}

/// Time from one rumor to the next.
#[derive(Clone, Debug)]
enum Gap {
    Constant(Span),
    Exponential(Distribution),
}

/// Largest rumor: what a message of 32 bits of bytes could hold, with room for a header.
const LARGEST: u64 = 1 << 30;

/// Most rumors of a run: they are numbered with 32 bits.
const MOST_RUMORS: u64 = 4_000_000_000;

/// Most nodes that all streams together may name; each takes four bytes.
const MOST_NAMED: usize = 100_000_000;

impl Stream {
    /// Whether gaps between rumors are drawn, so that by chance there may be none at all.
    #[must_use]
    pub const fn is_random(&self) -> bool {
        matches!(self.gap, Gap::Exponential(_))
    }

    /// How many rumors appear at most; of a Poisson stream: are expected.
    pub(super) fn at_most(&self) -> u64 {
        if self.first > self.last {
            return 0;
        }
        self.within(self.last.since(self.first))
    }

    /// How many rumors appear within this time at most; of a Poisson stream: are expected.
    pub(super) fn within(&self, time: Span) -> u64 {
        let gap = match &self.gap {
            Gap::Constant(gap) => *gap,
            Gap::Exponential(gap) => gap.mean().max(Span::from_nanos(1)),
        };
        let fit = time.as_nanos().checked_div(gap.as_nanos());
        fit.map_or(self.left, |fit| self.left.min(fit.saturating_add(1)))
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
        rumors = rumors.saturating_add(stream.at_most());
        if rumors > MOST_RUMORS {
            let message =
                format!("{rumors} rumors up to this stream pass {MOST_RUMORS}, the limit");
            return resolver.error(resolver.frequency(), message);
        }
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
    let total = streams.iter().fold(0_u64, |sum, stream| sum.saturating_add(stream.left));
    limited(total, limits)
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
    fn error<T>(&self, key: &str, message: impl Into<String>) -> Result<T, ScenarioError> {
        Err(ScenarioError::new(format!("rumors[{}].{key}", self.place), message))
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
        let first = Time::ZERO + config.at;
        let last = config.until.map_or(self.end, |until| (Time::ZERO + until).min(self.end));
        if let Some(until) = config.until
            && until < config.at
        {
            return self.error("until", format!("{until} is before at = \"{}\"", config.at));
        }
        if config.count == Some(0) {
            return self.error("count", "0 rumors never appear; expected at least 1");
        }
        let gap = self.gap()?;
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
        let left = self.count(&gap);
        Ok(Stream { first, last, left, passed: 0, gap, origins, receivers, size })
    }

    /// The key that says how many rumors there are.
    const fn frequency(&self) -> &'static str {
        match (self.config.count, self.config.every) {
            (Some(_), _) => "count",
            (None, Some(_)) => "every",
            (None, None) => "per_second",
        }
    }

    /// Rumors of the stream at most.
    fn count(&self, gap: &Gap) -> u64 {
        match (self.config.count, gap) {
            (Some(count), _) => count.into(),
            (None, Gap::Exponential(_)) => u64::MAX,
            (None, Gap::Constant(_)) if self.config.every.is_some() => u64::MAX,
            (None, Gap::Constant(_)) => 1,
        }
    }

    fn gap(&self) -> Result<Gap, ScenarioError> {
        let config = self.config;
        match (config.every, config.per_second) {
            (Some(_), Some(_)) => {
                self.error("per_second", "a stream has either every or per_second, not both")
            }
            (Some(every), None) if every.is_zero() && config.count.is_none() => {
                self.error("every", "0s without a count would inject without end")
            }
            (every, None) => Ok(Gap::Constant(every.unwrap_or(Span::ZERO))),
            (None, Some(rate)) => {
                let mean = Span::from_nanos(libm::round(1e9 / rate) as u64);
                if !(rate > 0.0 && rate <= 1e9) || mean > LONGEST_WRITTEN {
                    let message = format!(
                        "{rate} is no rate; expected one rumor an hour (0.00028) to 1e9 a second"
                    );
                    return self.error("per_second", message);
                }
                Distribution::exponential(mean)
                    .map(Gap::Exponential)
                    .or_else(|why| self.error("per_second", why.message))
            }
        }
    }
}

/// All streams merged: injections in the order of time, at equal times in the order of the file.
#[derive(Clone, Debug)]
pub struct Workload {
    streams: Vec<(Stream, Rng, Option<Time>)>,
    next_rumor: u32,
}

impl Workload {
    /// The streams from their beginning.
    #[must_use]
    pub fn new(streams: Vec<Stream>, seed: Seed) -> Self {
        let start = |(place, stream): (usize, Stream)| {
            let mut rng = Rng::of_node(seed, Purpose::Workload, NodeId::from_index(place));
            // A Poisson stream begins with a gap; others with a rumor.
            let first = match &stream.gap {
                Gap::Constant(_) => stream.first,
                Gap::Exponential(gap) => stream.first.saturating_add(gap.draw(rng.bits())),
            };
            let due = (stream.left > 0 && first <= stream.last).then_some(first);
            (stream, rng, due)
        };
        Self { streams: streams.into_iter().enumerate().map(start).collect(), next_rumor: 0 }
    }

    /// The places of the streams of which no rumor is still to come.
    pub fn dry(&self) -> impl Iterator<Item = usize> + '_ {
        let streams = self.streams.iter().enumerate();
        streams.filter(|(_, (_, _, due))| due.is_none()).map(|(place, _)| place)
    }
}

impl Iterator for Workload {
    type Item = Injection<Input>;

    fn next(&mut self) -> Option<Injection<Input>> {
        let due = |(place, (_, _, due)): (usize, &(Stream, Rng, Option<Time>))| {
            due.map(|due| (due, place))
        };
        let (at, place) = self.streams.iter().enumerate().filter_map(due).min()?;
        let rumor = self.next_rumor;
        self.next_rumor = rumor.checked_add(1)?;
        let (stream, rng, due) = &mut self.streams[place];
        let node = pick(rng, &stream.origins);
        let to = stream.receivers.as_ref().map(|receivers| {
            loop {
                let to = pick(rng, receivers);
                if to != node {
                    break to;
                }
            }
        });
        stream.left -= 1;
        let next = match &stream.gap {
            Gap::Constant(gap) => at.saturating_add(*gap),
            Gap::Exponential(gap) => at.saturating_add(gap.draw(rng.bits())),
        };
        *due = (stream.left > 0 && next <= stream.last).then_some(next);
        let (number, size) = (stream.passed, stream.size);
        stream.passed = number.wrapping_add(1);
        let injected = Injected { rumor, stream: place as u16, place: number, size, to };
        Some(Injection { at, node, input: Input::Rumor(injected) })
    }
}

/// A uniform node; a list of one needs no draw.
fn pick(rng: &mut Rng, nodes: &[NodeId]) -> NodeId {
    if nodes.len() == 1 { nodes[0] } else { nodes[rng.index(nodes.len())] }
}
