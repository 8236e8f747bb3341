//! Kernel layer: faults that act on messages, as rules with a verdict. Rules in force are consulted
//! in the order of the plan and compose: delays add up, a drop ends the matter. Every rule counts
//! what met it and what it touched.

use super::link::Passage;
use super::pipe::{Pipe, PipeSpec};
use crate::base::distribution::Distribution;
use crate::base::id::{NodeId, NodeMap, NodeSet};
use crate::base::quantity::Chance;
use crate::base::rng::{Purpose, Seed};
use crate::base::time::Time;
use crate::base::weather::Weather;
use crate::fact::DropReason;

/// What a rule does to the messages it matches.
#[derive(Clone, Debug)]
pub enum RuleEffect {
    /// Nodes carry a mask of groups; a message passes if the masks of its ends meet. One-way: only
    /// messages from a node of group 0 to a node of group 1 are stopped.
    Partition {
        /// Bit `g` is set for the nodes of group `g`.
        masks: NodeMap<u64>,
        /// Whether only one direction is cut.
        one_way: bool,
    },
    /// Messages of these nodes never leave them.
    Mute(NodeSet),
    /// Messages to these nodes are ignored by them.
    Deaf(NodeSet),
    /// Messages are lost with this probability.
    Loss(Paths, Chance),
    /// Messages take longer.
    Delay(Paths, Distribution),
    /// A second copy is made with this probability.
    Duplicate(Paths, Chance),
    /// Each sender's messages on these paths share one pipe behind its uplink.
    Throttle(Paths, PipeSpec),
}

/// Which messages a rule matches: from some nodes to some nodes, perhaps in both directions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Paths {
    /// One end.
    pub from: NodeSet,
    /// The other end.
    pub to: NodeSet,
    /// Whether messages the other way are matched too.
    pub both_ways: bool,
}

impl Paths {
    fn matches(&self, from: NodeId, to: NodeId) -> bool {
        self.from.contains(from) && self.to.contains(to)
            || self.both_ways && self.from.contains(to) && self.to.contains(from)
    }
}

/// A rule as the plan states it.
#[derive(Clone, Debug)]
pub struct RuleSpec {
    /// What it does.
    pub effect: RuleEffect,
    /// Tells its weather from that of another rule of the same kind.
    pub salt: u16,
}

/// How often a fault was met and what it touched: messages or nodes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Messages or nodes that met the fault while it was in force.
    pub exposed: u64,
    /// Those it changed something for.
    pub affected: u64,
}

/// A rule in force.
struct Active {
    fault: u32,
    salt: u64,
    effect: RuleEffect,
    pipes: Vec<(NodeId, Pipe)>,
}

/// All rules in force.
pub(super) struct Rules {
    active: Vec<Active>,
    loss: Weather,
    delay: Weather,
    duplication: Weather,
    pub(super) tallies: Vec<Tally>,
}

/// What the rules say of a message that has left its sender.
pub(super) struct Ruling {
    /// When it goes on, after throttles.
    pub(super) depart: Time,
    /// Extra latency in nanoseconds.
    pub(super) delay: u64,
    /// Whether a second copy is made.
    pub(super) duplicate: bool,
}

impl Rules {
    pub(super) fn new(seed: Seed, faults: usize) -> Self {
        Self {
            active: Vec::new(),
            loss: Weather::new(seed, Purpose::FaultLoss),
            delay: Weather::new(seed, Purpose::FaultLatency),
            duplication: Weather::new(seed, Purpose::FaultDuplication),
            tallies: vec![Tally::default(); faults],
        }
    }

    #[inline]
    pub(super) const fn is_empty(&self) -> bool {
        self.active.is_empty()
    }

    pub(super) fn begin(&mut self, fault: u32, spec: &RuleSpec) {
        let place = self.active.partition_point(|active| active.fault < fault);
        let effect = spec.effect.clone();
        // Bits 44 to 55 of the serial: below the message kind, above any counter in use.
        let salt = u64::from(spec.salt) << 44;
        self.active.insert(place, Active { fault, salt, effect, pipes: Vec::new() });
    }

    pub(super) fn end(&mut self, fault: u32) {
        self.active.retain(|active| active.fault != fault);
    }

    /// Partitions in force.
    pub(super) fn partitions(&self) -> u32 {
        let partition = |a: &&Active| matches!(a.effect, RuleEffect::Partition { .. });
        self.active.iter().filter(partition).count() as u32
    }

    /// Whether the sender is mute.
    pub(super) fn mute(&mut self, from: NodeId) -> bool {
        let mut mute = false;
        for active in &self.active {
            if let RuleEffect::Mute(nodes) = &active.effect
                && nodes.contains(from)
            {
                let tally = &mut self.tallies[active.fault as usize];
                tally.exposed += 1;
                tally.affected += 1;
                mute = true;
            }
        }
        mute
    }

    /// Whether a partition, a deaf receiver or (in flight) a mute sender stops a message. `met`
    /// says whether this is the first time it is asked about the message, so that each is
    /// counted as exposed once.
    pub(super) fn stopped(&mut self, from: NodeId, to: NodeId, met: bool) -> Option<DropReason> {
        let mut reason = None;
        for active in &self.active {
            let stops = match &active.effect {
                RuleEffect::Partition { masks, one_way: false } => {
                    (masks[from] & masks[to] == 0).then_some(DropReason::Partition)
                }
                RuleEffect::Partition { masks, one_way: true } => {
                    (masks[from] == 1 && masks[to] == 2).then_some(DropReason::Partition)
                }
                RuleEffect::Deaf(nodes) if nodes.contains(to) => Some(DropReason::Deaf),
                // At hand-over the sender was asked before its uplink; see `Rules::mute`.
                RuleEffect::Mute(nodes) if !met && nodes.contains(from) => Some(DropReason::Mute),
                _ => continue,
            };
            let tally = &mut self.tallies[active.fault as usize];
            tally.exposed += u64::from(met);
            // A message that was under way when the fault began meets it only here.
            tally.exposed += u64::from(!met && stops.is_some());
            tally.affected += u64::from(stops.is_some());
            reason = reason.or(stops);
        }
        reason
    }

    /// Consults all rules about a message that leaves its sender at `depart`.
    pub(super) fn judge(&mut self, passage: &Passage, depart: Time) -> Result<Ruling, DropReason> {
        let mut ruling = Ruling { depart, delay: 0, duplicate: false };
        let (from, to, kind) = (passage.from, passage.to, passage.kind as u8);
        for active in &mut self.active {
            let (RuleEffect::Loss(paths, _)
            | RuleEffect::Delay(paths, _)
            | RuleEffect::Duplicate(paths, _)
            | RuleEffect::Throttle(paths, _)) = &active.effect
            else {
                continue;
            };
            if !paths.matches(from, to) {
                continue;
            }
            let serial = passage.serial ^ active.salt;
            let tally = &mut self.tallies[active.fault as usize];
            tally.exposed += 1;
            let touched = match &active.effect {
                RuleEffect::Loss(_, chance) => {
                    if chance.hit(self.loss.draw(from, to, kind, serial)) {
                        tally.affected += 1;
                        return Err(DropReason::LossFault);
                    }
                    false
                }
                RuleEffect::Delay(_, delay) => {
                    let extra = delay.draw(self.delay.draw(from, to, kind, serial)).as_nanos();
                    ruling.delay = ruling.delay.saturating_add(extra);
                    extra > 0
                }
                RuleEffect::Duplicate(_, chance) => {
                    let twice = chance.hit(self.duplication.draw(from, to, kind, serial));
                    ruling.duplicate |= twice;
                    twice
                }
                RuleEffect::Throttle(_, spec) => {
                    let pipe = sender_pipe(&mut active.pipes, from, *spec);
                    let Some(through) = pipe.pass(ruling.depart, passage.size) else {
                        tally.affected += 1;
                        return Err(DropReason::Throttle);
                    };
                    ruling.depart = through;
                    true
                }
                _ => false,
            };
            tally.affected += u64::from(touched);
        }
        Ok(ruling)
    }
}

/// The sender's pipe of a throttle, made when it is first needed.
fn sender_pipe(pipes: &mut Vec<(NodeId, Pipe)>, from: NodeId, spec: PipeSpec) -> &mut Pipe {
    let place = pipes.partition_point(|(node, _)| *node < from);
    if pipes.get(place).is_none_or(|(node, _)| *node != from) {
        pipes.insert(place, (from, Pipe::new(spec)));
    }
    &mut pipes[place].1
}
