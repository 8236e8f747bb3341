//! Scenario layer: `[[faults]]` resolved: selectors to node sets, windows to moments, churn to
//! absences.

use std::path::Path;

use super::limits::at_most_an_hour;
use super::{LONGEST_RUN, SALT_FAULT, network};
use crate::base::digest::Digest;
use crate::base::distribution::{Distribution, DistributionOrSpan};
use crate::base::id::{NodeId, NodeMap, NodeSet};
use crate::base::rng::{Purpose, Rng, Seed};
use crate::base::time::{Span, Time};
use crate::scenario::distribution;
use crate::scenario::error::ScenarioError;
use crate::scenario::population::Population;
use crate::scenario::population::selector::{Overlap, Selector, resolve_groups};
use crate::scenario::schema::Scenario;
use crate::scenario::schema::fault::{FaultConfig, MemoryConfig};
use crate::sim::compute::Slowdown;
use crate::sim::fault::{Fault, FaultAction, Outage};
use crate::sim::network::pipe::PipeSpec;
use crate::sim::network::rule::{Paths, RuleEffect, RuleSpec};
use crate::sim::protocol::Memory;

/// A fault as the scenario lists it, for the record.
#[derive(Clone, Debug)]
pub struct PlannedFault {
    /// Its kind as written.
    pub kind: &'static str,
    /// What it does to whom, in words.
    pub describe: String,
    /// When it begins.
    pub begin: Time,
    /// When it ends; `None` for the end of the run.
    pub end: Option<Time>,
    /// Whether it may touch nothing.
    pub may_miss: bool,
}

impl PlannedFault {
    /// Whether its end is a heal, after which the cluster has to find together again.
    #[must_use]
    pub fn heals(&self) -> bool {
        self.kind == "partition"
    }
}

/// All faults.
pub(super) struct Faults {
    pub(super) planned: Vec<PlannedFault>,
    pub(super) actions: Vec<Fault>,
}

pub(super) fn resolve(
    scenario: &Scenario,
    population: &Population,
    base_dir: &Path,
    seed: Seed,
    end: Time,
) -> Result<Faults, ScenarioError> {
    let mut faults = Faults { planned: Vec::new(), actions: Vec::new() };
    let busy = !scenario.cost.is_free();
    let mut salts = Vec::new();
    for (place, config) in scenario.faults.iter().enumerate() {
        let salt = salt(config, &mut salts);
        let heal_at = scenario.heal_at.map(|at| Time::ZERO + at);
        let resolver =
            Resolver { config, population, base_dir, seed, end, heal_at, place, busy, salt };
        let (begin, until) = resolver.window()?;
        let (describe, action) = resolver.action(begin, until)?;
        faults.planned.push(PlannedFault {
            kind: config.kind(),
            describe,
            begin,
            end: until,
            may_miss: config.window().may_miss,
        });
        faults.actions.push(Fault { begin, end: until, action });
    }
    faults.heal()?;
    Ok(faults)
}

impl Faults {
    /// Lets every heal end the partitions in force.
    fn heal(&mut self) -> Result<(), ScenarioError> {
        for place in 0..self.planned.len() {
            if self.planned[place].kind != "heal" {
                continue;
            }
            let at = self.planned[place].begin;
            let mut ended = 0;
            for (fault, action) in self.planned.iter_mut().zip(&mut self.actions) {
                let in_force = fault.begin < at && fault.end.is_none_or(|end| end > at);
                if fault.heals() && in_force {
                    (fault.end, action.end) = (Some(at), Some(at));
                    ended += 1;
                }
            }
            self.actions[place].action = FaultAction::Heal(ended);
            if ended == 0 && !self.planned[place].may_miss {
                let message = format!("no partition is in force at {at} that could heal");
                let hint = "say may_miss = true if that is meant";
                return Err(ScenarioError::new(format!("faults[{place}].at"), message).hint(hint));
            }
        }
        Ok(())
    }
}

/// Tells the weather of a fault from that of others; depends on the fault alone, so that another
/// fault in the list moves nothing. How strong it is and how long it lasts do not take part: with a
/// larger probability the same messages are lost and more. The same fault twice gets two salts.
fn salt(config: &FaultConfig, taken: &mut Vec<u16>) -> u16 {
    // 11 bits: what the serial of a message has room for.
    const SALTS: u16 = 1 << 11;
    const IDENTITY: [&str; 8] =
        ["kind", "at", "from", "to", "both_ways", "nodes", "groups", "one_way"];
    let mut written = toml::Table::try_from(config).unwrap_or_default();
    written.retain(|key, _| IDENTITY.contains(&key));
    let text = written.to_string();
    let mut salt = (Digest::of(text.as_bytes()).low_u64() % u64::from(SALTS)) as u16;
    while taken.contains(&salt) && taken.len() < usize::from(SALTS) {
        salt = (salt + 1) % SALTS;
    }
    taken.push(salt);
    salt
}

/// A fault in words, and what it does.
type Described = (String, FaultAction);

struct Resolver<'a> {
    config: &'a FaultConfig,
    population: &'a Population,
    base_dir: &'a Path,
    seed: Seed,
    end: Time,
    /// When everything ends that goes wrong.
    heal_at: Option<Time>,
    place: usize,
    /// Whether work has a price.
    busy: bool,
    salt: u16,
}

impl Resolver<'_> {
    fn key(&self, key: &str) -> String {
        format!("faults[{}].{key}", self.place)
    }

    fn error<T>(&self, key: &str, message: impl Into<String>) -> Result<T, ScenarioError> {
        Err(ScenarioError::new(self.key(key), message))
    }

    fn window(&self) -> Result<(Time, Option<Time>), ScenarioError> {
        let window = self.config.window();
        let begin = Time::ZERO + window.at;
        if let Some(heal_at) = self.heal_at.filter(|heal_at| begin >= *heal_at) {
            let (at, heal_at) = (window.at, heal_at.since(Time::ZERO));
            let message =
                format!("{at} is not before heal_at = \"{heal_at}\", when all faults end");
            return self.error("at", message);
        }
        let heal = matches!(self.config, FaultConfig::Heal { .. });
        let end = match (window.lasting, window.until) {
            (Some(_), Some(_)) => return self.error("until", "either for or until, not both"),
            (Some(_), None) if heal => {
                return self.error("for", "a heal is a moment, not a window");
            }
            (None, Some(_)) if heal => {
                return self.error("until", "a heal is a moment, not a window");
            }
            (Some(lasting), None) if lasting.is_zero() => {
                return self.error("for", "a fault of 0s touches nothing; expected more than 0s");
            }
            (Some(lasting), None) => Some(begin.saturating_add(lasting)),
            (None, Some(until)) if Time::ZERO + until <= begin => {
                let message = format!("{until} is not after at = \"{}\"", window.at);
                return self.error("until", message);
            }
            (None, until) => until.map(|until| Time::ZERO + until),
        };
        let healed = self.heal_at.filter(|at| !heal && end.is_none_or(|end| end > *at));
        Ok((begin, healed.or(end)))
    }

    /// What the fault does, in words and for the kernel.
    fn action(&self, begin: Time, end: Option<Time>) -> Result<Described, ScenarioError> {
        let everyone = |text: &str, nodes: &NodeSet| {
            format!("{text} {} of {}", nodes.len(), many(self.population.count(), "node"))
        };
        Ok(match self.config {
            // How many is known when all faults are.
            FaultConfig::Heal { .. } => ("end all partitions".to_owned(), FaultAction::Heal(0)),
            FaultConfig::Partition { groups, one_way, .. } => self.partition(groups, *one_way)?,
            FaultConfig::Loss { from, to, both_ways, probability, .. } => {
                let paths = self.paths(from, to, *both_ways)?;
                let text = format!("lose {probability} {}", self.describe(&paths));
                (text, self.rule(RuleEffect::Loss(paths, *probability)))
            }
            FaultConfig::Duplicate { from, to, both_ways, probability, .. } => {
                let paths = self.paths(from, to, *both_ways)?;
                let text = format!("duplicate {probability} {}", self.describe(&paths));
                (text, self.rule(RuleEffect::Duplicate(paths, *probability)))
            }
            FaultConfig::Delay { from, to, both_ways, extra, .. } => {
                let paths = self.paths(from, to, *both_ways)?;
                let extra = self.distribution(extra, "extra")?;
                let text = format!(
                    "delay by {} on average {}",
                    Time::ZERO + extra.mean(),
                    self.describe(&paths)
                );
                (text, self.rule(RuleEffect::Delay(paths, extra)))
            }
            FaultConfig::Throttle { from, to, both_ways, rate, buffer, .. } => {
                let paths = self.paths(from, to, *both_ways)?;
                let buffer = network::buffer(*buffer, &self.key("buffer"))?;
                let text = format!("throttle to {rate} {}", self.describe(&paths));
                (text, self.rule(RuleEffect::Throttle(paths, PipeSpec { rate: *rate, buffer })))
            }
            FaultConfig::Crash { nodes, memory, .. } => {
                let nodes = self.nodes(nodes, "nodes", 0)?;
                let memory = resolved(*memory);
                (everyone("crash", &nodes), FaultAction::Crash { nodes, memory })
            }
            FaultConfig::Churn { nodes, every, downtime, memory, .. } => {
                let nodes = self.nodes(nodes, "nodes", 0)?;
                let outages = self.outages(&nodes, *every, downtime, begin, end)?;
                let absences = many(outages.len(), "absence");
                let text = format!("{}: {absences}", everyone("churn", &nodes));
                (text, FaultAction::Churn { outages, memory: resolved(*memory) })
            }
            FaultConfig::Pause { nodes, .. } => {
                let nodes = self.nodes(nodes, "nodes", 0)?;
                (everyone("pause", &nodes), FaultAction::Pause(nodes))
            }
            FaultConfig::Slow { nodes, factor, per_message, .. } => {
                self.slow(nodes, *factor, *per_message)?
            }
            FaultConfig::Mute { nodes, .. } => {
                let nodes = self.nodes(nodes, "nodes", 0)?;
                (everyone("mute", &nodes), self.rule(RuleEffect::Mute(nodes)))
            }
            FaultConfig::Deaf { nodes, .. } => {
                let nodes = self.nodes(nodes, "nodes", 0)?;
                (everyone("deafen", &nodes), self.rule(RuleEffect::Deaf(nodes)))
            }
            FaultConfig::Clock { nodes, ahead, behind, drift_ppm, .. } => {
                self.clock(nodes, *ahead, *behind, *drift_ppm)?
            }
        })
    }

    fn rule(&self, effect: RuleEffect) -> FaultAction {
        FaultAction::Rule(RuleSpec { effect, salt: self.salt })
    }

    /// Selectors of one fault draw by themselves, whatever other faults there are.
    fn nodes(&self, nodes: &Selector, key: &str, part: u32) -> Result<NodeSet, ScenarioError> {
        let salt = SALT_FAULT + 4 * u32::from(self.salt) + part;
        nodes.resolve(self.population, self.seed, salt, &self.key(key))
    }

    fn paths(
        &self,
        from: &Selector,
        to: &Selector,
        both_ways: bool,
    ) -> Result<Paths, ScenarioError> {
        let (from, to) = (self.nodes(from, "from", 0)?, self.nodes(to, "to", 1)?);
        Ok(Paths { from, to, both_ways })
    }

    fn describe(&self, paths: &Paths) -> String {
        let arrow = if paths.both_ways { "<->" } else { "->" };
        format!("on paths {} {arrow} {}", paths.from.len(), many(paths.to.len(), "node"))
    }

    fn distribution(
        &self,
        written: &DistributionOrSpan,
        key: &str,
    ) -> Result<Distribution, ScenarioError> {
        distribution::resolve(written, &self.key(key), self.base_dir)
    }

    fn partition(&self, groups: &[Selector], one_way: bool) -> Result<Described, ScenarioError> {
        let mut groups = groups.to_vec();
        match groups.len() {
            0 => return self.error("groups", "a partition needs groups; there is none"),
            1 => {
                let only = &groups[0];
                let all = *only == Selector::Rest
                    || self.nodes(only, "groups[0]", 0)?.len() == self.population.count();
                if all {
                    let message = format!("\"{only}\" is everyone: nobody is on the other side");
                    return self.error("groups", message);
                }
                groups.push(Selector::Rest);
            }
            2..=64 => {}
            count => return self.error("groups", format!("{count} groups; expected 1 to 64")),
        }
        if one_way && groups.len() != 2 {
            let message = format!("a one-way partition has two groups, here are {}", groups.len());
            return self.error("one_way", message);
        }
        let salt = SALT_FAULT + 4 * u32::from(self.salt);
        let key = self.key("groups");
        let overlap = if one_way { Overlap::Refused } else { Overlap::Allowed };
        let sets = resolve_groups(&groups, self.population, self.seed, salt, &key, overlap)?;
        let mut masks = NodeMap::filled(self.population.count(), 0_u64);
        for (bit, set) in sets.iter().enumerate() {
            set.iter().for_each(|node| masks[node] |= 1 << bit);
        }
        // A one-way cut concerns its two groups alone; others pass.
        if let Some((node, _)) = masks.iter().find(|(_, mask)| !one_way && **mask == 0) {
            let message = format!("{node:?} is in no group");
            return Err(ScenarioError::new(key, message).hint("add the group \"rest\""));
        }
        self.check_cut(&sets, &masks)?;
        let sizes: Vec<String> = sets.iter().map(|set| set.len().to_string()).collect();
        let between = if one_way { " -> " } else { " | " };
        let text = format!("partition {} nodes", sizes.join(between));
        Ok((text, self.rule(RuleEffect::Partition { masks, one_way })))
    }

    /// Refuses groups that are not cut off from each other.
    fn check_cut(&self, sets: &[NodeSet], masks: &NodeMap<u64>) -> Result<(), ScenarioError> {
        let same = |a: &NodeSet, b: &NodeSet| a.len() == b.len() && a.iter().all(|n| b.contains(n));
        for (i, set) in sets.iter().enumerate() {
            if let Some(j) = sets[..i].iter().position(|other| same(other, set)) {
                let message = format!("the nodes are those of groups[{j}]; expected other ones");
                return self.error(&format!("groups[{i}]"), message);
            }
        }
        let common = masks.values().fold(u64::MAX, |common, mask| common & mask);
        if common != 0 {
            let group = common.trailing_zeros();
            let message = format!("every node is in groups[{group}], so nobody is cut off");
            return self.error("groups", message);
        }
        Ok(())
    }

    fn slow(
        &self,
        nodes: &Selector,
        factor: u32,
        per_message: Span,
    ) -> Result<Described, ScenarioError> {
        if factor == 0 {
            return self.error("factor", "0 would make work free; expected at least 1");
        }
        if factor == 1 && per_message.is_zero() {
            return self.error("factor", "nothing slows the nodes; give factor or per_message");
        }
        at_most_an_hour(per_message, &self.key("per_message"))?;
        if factor > 1 && per_message.is_zero() && !self.busy {
            let message = "there is no work to slow: all prices of [cost] are zero";
            return self.error("factor", message);
        }
        let nodes = self.nodes(nodes, "nodes", 0)?;
        let of = many(self.population.count(), "node");
        let mut text = format!("slow {} of {of}", nodes.len());
        if factor > 1 {
            text += &format!(" {factor}-fold");
        }
        if !per_message.is_zero() {
            text += if factor > 1 { ", " } else { ": " };
            text += &format!("{per_message} more per message");
        }
        Ok((text, FaultAction::Slow(nodes, Slowdown { factor, per_message })))
    }

    fn clock(
        &self,
        nodes: &Selector,
        ahead: Span,
        behind: Span,
        drift_ppm: i32,
    ) -> Result<Described, ScenarioError> {
        if !ahead.is_zero() && !behind.is_zero() {
            return self.error("behind", "a clock is either ahead or behind, not both");
        }
        if ahead.is_zero() && behind.is_zero() && drift_ppm == 0 {
            return self.error(
                "ahead",
                "nothing is wrong with the clocks; give ahead, behind or drift_ppm",
            );
        }
        let nanos = |span: Span, key: &str| {
            let message = format!("{span} is too far off; expected at most 366 days (8784h)");
            let near = i64::try_from(span.as_nanos()).ok().filter(|_| span <= LONGEST_RUN);
            near.ok_or_else(|| ScenarioError::new(self.key(key), message))
        };
        let offset = nanos(ahead, "ahead")? - nanos(behind, "behind")?;
        let nodes = self.nodes(nodes, "nodes", 0)?;
        let wrong = [
            (!ahead.is_zero()).then(|| format!("{ahead} ahead")),
            (!behind.is_zero()).then(|| format!("{behind} behind")),
            (drift_ppm != 0).then(|| format!("drift {drift_ppm} ppm")),
        ];
        let wrong: Vec<String> = wrong.into_iter().flatten().collect();
        let text = format!("clocks of {}: {}", many(nodes.len(), "node"), wrong.join(", "));
        Ok((text, FaultAction::Clock { nodes, offset, drift_ppm }))
    }

    /// Draws who leaves when and for how long. A longer run has the same absences and more.
    fn outages(
        &self,
        nodes: &NodeSet,
        every: Span,
        downtime: &DistributionOrSpan,
        begin: Time,
        end: Option<Time>,
    ) -> Result<Vec<Outage>, ScenarioError> {
        /// Absences are listed before the run; departures of who is away are drawn as well.
        const MOST: u32 = 1_000_000;
        if every.is_zero() {
            return self.error("every", "0s between departures never ends; expected more than 0s");
        }
        let gap =
            Distribution::exponential(every).or_else(|why| self.error("every", why.message))?;
        let downtime = self.distribution(downtime, "downtime")?;
        if downtime.as_constant().is_some_and(Span::is_zero) {
            return self.error("downtime", "0s is no absence; expected more than 0s");
        }
        let mut rng = Rng::of_node(self.seed, Purpose::Faults, NodeId::new(self.salt.into()));
        let (last, nodes) =
            (end.unwrap_or(self.end).min(self.end), nodes.iter().collect::<Vec<_>>());
        let mut away = NodeMap::filled(self.population.count(), Time::ZERO);
        let (mut at, mut outages, mut draws) = (begin, Vec::new(), 0);
        loop {
            at = at.saturating_add(gap.draw(rng.bits()));
            let (node, length) = (nodes[rng.index(nodes.len())], downtime.draw(rng.bits()));
            if at >= last {
                return Ok(outages);
            }
            draws += 1;
            if draws > MOST {
                let message = format!("{every} makes more than the limit of {MOST} departures");
                return self.error("every", message);
            }
            // Who is away cannot leave.
            if away[node] > at || length.is_zero() {
                continue;
            }
            let back = at.saturating_add(length);
            let back = end.map_or(back, |end| back.min(end));
            away[node] = back;
            outages.push(Outage { node, leave: at, back: Some(back) });
        }
    }
}

/// A count of things.
fn many(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

const fn resolved(memory: MemoryConfig) -> Memory {
    match memory {
        MemoryConfig::Kept => Memory::Kept,
        MemoryConfig::Lost => Memory::Lost,
    }
}
