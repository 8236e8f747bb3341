//! Scenario layer: `[chaos]` resolved: faults drawn from the seed and written into the list of the
//! scenario, where everybody can read them and run them again.

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

/// The scenario with the faults of its chaos at the end of its list and without `[chaos]`, and a
/// note if some found no room.
pub(super) fn drawn(
    scenario: &Scenario,
    population: &Population,
    seed: Seed,
) -> Result<(Scenario, Option<String>), ScenarioError> {
    let mut drawn = Scenario { chaos: None, ..scenario.clone() };
    let Some(config) = &scenario.chaos else { return Ok((drawn, None)) };
    let until = config.until.or(scenario.heal_at).unwrap_or(scenario.duration);
    check(scenario, config, until)?;
    let mut disaster = Disaster { config, population, until, away: Vec::new() };
    for number in 0..config.count {
        // Each fault has a stream of its own: one more moves none of those before it.
        let mut rng = Rng::of_node(seed, Purpose::Chaos, NodeId::new(number));
        drawn.faults.extend((0..ATTEMPTS).find_map(|_| disaster.fault(&mut rng)));
    }
    let left_out = config.count as usize - (drawn.faults.len() - scenario.faults.len());
    let note = (left_out > 0).then(|| {
        let (count, share) = (config.count, config.most_stake);
        format!(
            "chaos: {left_out} of {count} faults found no node left to take away without passing \
             {share} of the stake"
        )
    });
    Ok((drawn, note))
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
                let nodes = self.taken_away(rng, at, lasting)?;
                let memory = MemoryConfig::Kept;
                FaultConfig::Crash { at, lasting, until, may_miss, nodes, memory }
            }
            ChaosKind::Pause => {
                let nodes = self.taken_away(rng, at, lasting)?;
                FaultConfig::Pause { at, lasting, until, may_miss, nodes }
            }
            ChaosKind::Mute => {
                let nodes = self.taken_away(rng, at, lasting)?;
                FaultConfig::Mute { at, lasting, until, may_miss, nodes }
            }
            ChaosKind::Deaf => {
                let nodes = self.taken_away(rng, at, lasting)?;
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

    /// Up to a third of the nodes, whose stake together with that of all who are away at some
    /// moment of the window stays within the limit.
    fn taken_away(&mut self, rng: &mut Rng, at: Span, lasting: Option<Span>) -> Option<Selector> {
        let nodes = self.shuffled(rng);
        let wanted = rng.index(nodes.len().div_ceil(3)) + 1;
        let end = at.saturating_add(lasting.unwrap_or_default());
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

#[cfg(test)]
mod tests {
    use crate::base::id::NodeSet;
    use crate::base::time::{Span, Time};
    use crate::scenario::plan::Plan;
    use crate::scenario::reader::{Override, Source};
    use crate::scenario::schema::chaos::ChaosKind;
    use crate::scenario::schema::fault::FaultConfig;
    use crate::scenario::shipped;
    use crate::sim::fault::FaultAction;
    use crate::sim::network::rule::RuleEffect;

    const CHAOS: &str = "duration = '60s'\nheal_at = '40s'\nnodes.count = 20\n\
                         nodes.stake = { kind = 'zipf-mandelbrot', exponent = 1.0 }\n\
                         [[faults]]\nkind = 'loss'\nat = '1s'\nprobability = '1%'\n[chaos]\n";

    fn plan(keys: &str, sets: &[&str]) -> Plan {
        let source = Source::embedded("s", &format!("{CHAOS}{keys}"));
        let sets: Vec<Override> =
            sets.iter().map(|set| Override::parse(set).expect("a set")).collect();
        shipped::plan(&source, &sets).expect("a plan")
    }

    #[test]
    fn what_was_drawn_is_written_down_and_reads_back_as_the_same_plan() {
        let drawn = plan("count = 30", &[]);
        assert_eq!((drawn.faults.len(), drawn.scenario.faults.len()), (31, 31));
        let text = drawn.resolved();
        assert!(!text.contains("[chaos]"), "{text}");
        let again = shipped::plan(&Source::embedded("s", &text), &[]).expect("a plan");
        assert_eq!((again.key(), again.resolved()), (drawn.key(), text));
        assert_ne!(plan("count = 30", &["seed=2"]).scenario.faults, drawn.scenario.faults);
    }

    #[test]
    fn one_more_fault_moves_none_of_those_before_it() {
        let (few, more) = (plan("count = 9", &[]).scenario, plan("count = 10", &[]).scenario);
        assert_eq!(few.faults, more.faults[..10]);
        assert_eq!(more.faults.len(), 11);
    }

    #[test]
    fn every_kind_is_drawn_and_everything_is_over_when_all_heals() {
        let heal_at = Time::ZERO + Span::from_secs(40);
        let least = Time::ZERO + Span::from_secs(7);
        for kind in ChaosKind::ALL {
            let name = serde_json::to_string(&kind).expect("a name");
            let plan = plan(&format!("kinds = [{name}]\ncount = 12\nfrom = '7s'"), &[]);
            // The one that is listed would last to the end of the run.
            assert_eq!(plan.faults[0].end, Some(heal_at));
            assert!(plan.faults.len() > 1, "{name}");
            for (fault, config) in plan.faults.iter().zip(&plan.scenario.faults).skip(1) {
                let end = fault.end.expect("an end");
                let lasts = end - fault.begin;
                assert!(fault.begin >= least && end <= heal_at, "{fault:?}");
                assert!(lasts >= Span::from_secs(1) && lasts <= Span::from_secs(10), "{fault:?}");
                let one_way = matches!(config, FaultConfig::Partition { one_way: true, .. });
                let expected = if one_way { "one-way" } else { config.kind() };
                assert_eq!(name, format!("\"{expected}\""));
            }
        }
    }

    #[test]
    fn never_more_stake_is_away_than_is_allowed() {
        let plan = plan("count = 200\nkinds = ['crash', 'pause', 'mute', 'deaf']", &[]);
        // With 200 faults of some 5 s in 40 s, not all find room.
        assert!(plan.notes.iter().any(|note| note.starts_with("chaos: ")), "{:?}", plan.notes);
        let away = |action: &FaultAction| match action {
            FaultAction::Crash { nodes, .. } | FaultAction::Pause(nodes) => nodes.clone(),
            FaultAction::Rule(spec) => match &spec.effect {
                RuleEffect::Mute(nodes) | RuleEffect::Deaf(nodes) => nodes.clone(),
                _ => NodeSet::default(),
            },
            _ => NodeSet::default(),
        };
        let stakes = &plan.population.stakes;
        let total: u64 = stakes.values().sum();
        let mut highest = 0;
        for second in 0..40 {
            let now = Time::ZERO + Span::from_secs(second);
            let in_force =
                |begin: Time, end: Option<Time>| begin <= now && end.is_none_or(|end| end > now);
            let faults = plan.simulation.faults.iter().filter(|it| in_force(it.begin, it.end));
            let gone: NodeSet =
                faults.flat_map(|it| away(&it.action).iter().collect::<Vec<_>>()).collect();
            let stake: u64 = gone.iter().map(|node| stakes[node]).sum();
            assert!(stake * 100 <= total * 33, "{stake} of {total} at {now}");
            highest = highest.max(stake);
        }
        assert!(highest * 100 > total * 20, "the limit is made use of: {highest} of {total}");
    }
}
