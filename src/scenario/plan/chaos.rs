//! Scenario layer: `[chaos]` resolved: faults and adversaries drawn from the seed and written into
//! the lists of the scenario, where everybody can read them and run them again.

mod lies;
#[cfg(test)]
mod tests;

use super::SALT_ADVERSARY;
use super::limits::at_most_an_hour;
use crate::base::distribution::DistributionOrSpan;
use crate::base::id::{NodeId, NodeSet};
use crate::base::quantity::Chance;
use crate::base::rng::{Purpose, Rng, Seed};
use crate::base::time::Span;
use crate::scenario::error::ScenarioError;
use crate::scenario::population::Population;
use crate::scenario::population::selector::Selector;
use crate::scenario::schema::Scenario;
use crate::scenario::schema::chaos::{ChaosConfig, ChaosKind};
use crate::scenario::schema::fault::{FaultConfig, MemoryConfig};

/// The scenario with the faults and adversaries of its chaos at the end of their lists and without
/// `[chaos]`, and a note if some found no room.
pub(super) fn drawn(
    scenario: &Scenario,
    population: &Population,
    seed: Seed,
) -> Result<(Scenario, Option<String>), ScenarioError> {
    let mut drawn = Scenario { chaos: None, ..scenario.clone() };
    let Some(config) = &scenario.chaos else { return Ok((drawn, None)) };
    let until = config.until.or(scenario.heal_at).unwrap_or(scenario.duration);
    check(scenario, config, until)?;
    // Those that are listed lie too: for the whole run, as those that are drawn.
    let listed = listed_liars(scenario, population, seed)?;
    let away = vec![(Span::ZERO, Span::MAX, listed)];
    let mut disaster = Disaster { config, population, until, away };
    lies::check(scenario, config)?;
    for number in 0..config.adversaries {
        let mut rng = Rng::of_node(seed, Purpose::ChaosAdversaries, NodeId::new(number));
        drawn.adversaries.extend(disaster.adversary(&mut rng));
    }
    for number in 0..config.count {
        // Each fault has a stream of its own: one more moves none of those before it.
        let mut rng = Rng::of_node(seed, Purpose::Chaos, NodeId::new(number));
        drawn.faults.extend((0..ATTEMPTS).find_map(|_| disaster.fault(&mut rng)));
    }
    let all = config.count + config.adversaries;
    let listed = |it: &Scenario| it.faults.len() + it.adversaries.len();
    let left_out = all as usize - (listed(&drawn) - listed(scenario));
    let note = (left_out > 0).then(|| {
        let share = config.most_stake;
        format!(
            "chaos: {left_out} of {all} faults and adversaries found no node left to take away \
             without passing {share} of the stake"
        )
    });
    Ok((drawn, note))
}

/// The nodes of all `[[adversaries]]` that the scenario lists.
fn listed_liars(
    scenario: &Scenario,
    population: &Population,
    seed: Seed,
) -> Result<NodeSet, ScenarioError> {
    let mut all = NodeSet::empty(population.count());
    for (place, config) in scenario.adversaries.iter().enumerate() {
        let key = format!("adversaries[{place}].who");
        let nodes = config.who().resolve(population, seed, SALT_ADVERSARY, &key)?;
        nodes.iter().for_each(|node| {
            all.insert(node);
        });
    }
    Ok(all)
}

fn check(scenario: &Scenario, config: &ChaosConfig, until: Span) -> Result<(), ScenarioError> {
    let refuse =
        |key: &str, message: String| Err(ScenarioError::new(format!("chaos.{key}"), message));
    if config.kinds.is_empty() {
        return refuse("kinds", "no kinds are listed; leave the key out for all of them".into());
    }
    for (place, kind) in config.kinds.iter().enumerate() {
        if config.kinds[..place].contains(kind) {
            return refuse(&format!("kinds[{place}]"), "this kind is listed twice".into());
        }
    }
    if config.shortest < MILLISECOND {
        return refuse(
            "shortest",
            format!("{} is too short; expected at least 1ms", config.shortest),
        );
    }
    if config.longest < config.shortest {
        let (longest, shortest) = (config.longest, config.shortest);
        return refuse("longest", format!("{longest} is less than shortest = \"{shortest}\""));
    }
    if let (Some(until), Some(heal_at)) = (config.until, scenario.heal_at)
        && until > heal_at
    {
        return refuse("until", format!("{until} is after heal_at = \"{heal_at}\""));
    }
    if until > scenario.duration {
        let end = scenario.duration;
        return refuse("until", format!("{until} is after the end of the run, {end}"));
    }
    if until <= config.from {
        let (key, what) = match config.until {
            Some(_) => ("until", format!("{until} is not after from = \"{}\"", config.from)),
            None => ("from", format!("{} is not before {until}, when all is over", config.from)),
        };
        return refuse(key, what);
    }
    let room = until.saturating_sub(config.from);
    if room < config.longest {
        let (from, longest) = (config.from, config.longest);
        let message = format!("a fault of {longest} does not fit between {from} and {until}");
        return refuse("longest", message);
    }
    at_most_an_hour(config.most_delay, "chaos.most_delay")?;
    for (key, never) in [
        ("most_stake", config.most_stake.is_never()),
        ("most_loss", config.most_loss.is_never()),
        ("most_delay", config.most_delay < MILLISECOND),
    ] {
        if never {
            return refuse(key, "nothing is left to draw; leave the kinds out instead".into());
        }
    }
    Ok(())
}

/// How often a fault is drawn again that would take away too much stake.
const ATTEMPTS: u32 = 16;

/// Times are drawn in whole ones, so that people can read them.
const MILLISECOND: Span = Span::from_millis(1);

/// The faults drawn so far, as far as later ones depend on them.
struct Disaster<'a> {
    config: &'a ChaosConfig,
    population: &'a Population,
    until: Span,
    /// Who is taken away from when to when.
    away: Vec<(Span, Span, NodeSet)>,
}

impl Disaster<'_> {
    /// Draws a fault; `None` if it would take away too much stake.
    fn fault(&mut self, rng: &mut Rng) -> Option<FaultConfig> {
        let config = self.config;
        let kind = config.kinds[rng.index(config.kinds.len())];
        let lasting = between(rng, config.shortest, config.longest);
        let at = between(rng, config.from, self.until.saturating_sub(lasting));
        let (lasting, until, may_miss) = (Some(lasting), None, true);
        let (to, both_ways) = (Selector::All, true);
        Some(match kind {
            ChaosKind::Crash => {
                let nodes = self.away_for(rng, at, lasting)?;
                let memory = MemoryConfig::Kept;
                FaultConfig::Crash { at, lasting, until, may_miss, nodes, memory }
            }
            ChaosKind::Pause => {
                let nodes = self.away_for(rng, at, lasting)?;
                FaultConfig::Pause { at, lasting, until, may_miss, nodes }
            }
            ChaosKind::Amnesia => {
                let most = self.population.count().div_ceil(3);
                let nodes = self.taken_away(rng, (at, Span::MAX), most)?;
                let memory = MemoryConfig::Lost;
                FaultConfig::Crash { at, lasting, until, may_miss, nodes, memory }
            }
            ChaosKind::Mute => {
                let nodes = self.away_for(rng, at, lasting)?;
                FaultConfig::Mute { at, lasting, until, may_miss, nodes }
            }
            ChaosKind::Deaf => {
                let nodes = self.away_for(rng, at, lasting)?;
                FaultConfig::Deaf { at, lasting, until, may_miss, nodes }
            }
            ChaosKind::Partition => {
                let parts = if rng.below(4) == 0 { 3 } else { 2 };
                let groups = self.groups(rng, parts)?;
                FaultConfig::Partition { at, lasting, until, may_miss, groups, one_way: false }
            }
            ChaosKind::OneWay => {
                let groups = self.groups(rng, 2)?;
                FaultConfig::Partition { at, lasting, until, may_miss, groups, one_way: true }
            }
            ChaosKind::Loss => {
                let (from, probability) = (self.some(rng), chance(rng, config.most_loss));
                FaultConfig::Loss { at, lasting, until, may_miss, from, to, both_ways, probability }
            }
            ChaosKind::Duplicate => {
                let (from, probability) = (self.some(rng), chance(rng, config.most_loss));
                FaultConfig::Duplicate {
                    at,
                    lasting,
                    until,
                    may_miss,
                    from,
                    to,
                    both_ways,
                    probability,
                }
            }
            ChaosKind::Delay => {
                let from = self.some(rng);
                let extra = between(rng, MILLISECOND, config.most_delay);
                let extra = DistributionOrSpan::Constant(extra);
                FaultConfig::Delay { at, lasting, until, may_miss, from, to, both_ways, extra }
            }
        })
    }

    /// All nodes in a random order.
    fn shuffled(&self, rng: &mut Rng) -> Vec<NodeId> {
        let mut nodes: Vec<NodeId> = NodeId::all(self.population.count()).collect();
        rng.shuffle(&mut nodes);
        nodes
    }

    /// One node or more, up to all.
    fn some(&self, rng: &mut Rng) -> Selector {
        let mut nodes = self.shuffled(rng);
        nodes.truncate(rng.index(nodes.len()) + 1);
        Selector::of(nodes.into_iter().collect::<NodeSet>().iter())
    }

    /// Up to a third of the nodes, who are away for some time.
    fn away_for(&mut self, rng: &mut Rng, at: Span, lasting: Option<Span>) -> Option<Selector> {
        let end = at.saturating_add(lasting.unwrap_or_default());
        self.taken_away(rng, (at, end), self.population.count().div_ceil(3))
    }

    /// One node or more, up to `most`, whose stake together with that of all who are away at some
    /// moment of the window stays within the limit.
    fn taken_away(
        &mut self,
        rng: &mut Rng,
        (at, end): (Span, Span),
        most: usize,
    ) -> Option<Selector> {
        let nodes = self.shuffled(rng);
        let wanted = rng.index(most) + 1;
        let overlapping = self.away.iter().filter(|(from, until, _)| *from < end && at < *until);
        let mut away: NodeSet = overlapping.flat_map(|(.., nodes)| nodes.iter()).collect();
        let stakes = &self.population.stakes;
        let stake = |node: NodeId| u128::from(stakes[node]);
        let total: u128 = stakes.values().map(|stake| u128::from(*stake)).sum();
        let limit =
            total * u128::from(self.config.most_stake.ppb()) / u128::from(Chance::ALWAYS.ppb());
        let mut gone: u128 = away.iter().map(stake).sum();
        let mut taken = NodeSet::empty(self.population.count());
        for node in nodes {
            if taken.len() < wanted && !away.contains(node) && gone + stake(node) <= limit {
                gone += stake(node);
                away.insert(node);
                taken.insert(node);
            }
        }
        if taken.is_empty() {
            return None;
        }
        let chosen = Selector::of(taken.iter());
        self.away.push((at, end, taken));
        Some(chosen)
    }

    /// Groups of random sizes, none of them empty; the last is the rest.
    fn groups(&self, rng: &mut Rng, parts: usize) -> Option<Vec<Selector>> {
        let nodes = self.shuffled(rng);
        let parts = parts.min(nodes.len());
        if parts < 2 {
            return None;
        }
        let mut cuts = Vec::new();
        // Of the places between two nodes in that order, some are cut.
        rng.sample(nodes.len() - 1, parts - 1, &mut cuts);
        cuts.sort_unstable();
        let mut groups = Vec::new();
        let mut begin = 0;
        for cut in cuts {
            let end = cut as usize + 1;
            let group: NodeSet = nodes[begin..end].iter().copied().collect();
            groups.push(Selector::of(group.iter()));
            begin = end;
        }
        groups.push(Selector::Rest);
        Some(groups)
    }
}

/// A length of time between two others, in whole milliseconds if there is one.
fn between(rng: &mut Rng, least: Span, most: Span) -> Span {
    let range = most.saturating_sub(least).as_nanos() / MILLISECOND.as_nanos();
    least.saturating_add(MILLISECOND * rng.below(range + 1))
}

/// A probability of whole percents up to a limit, or that limit.
fn chance(rng: &mut Rng, most: Chance) -> Chance {
    const PERCENT: u32 = 10_000_000;
    let percent = rng.below(u64::from(most.ppb() / PERCENT).max(1)) as u32 + 1;
    Chance::from_ppb((percent * PERCENT).min(most.ppb())).unwrap_or(most)
}
