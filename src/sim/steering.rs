//! Kernel layer: faults that are added or ended while a simulation runs. They take the place among
//! the boundaries that they would have if the plan had named them, so such a run is the same as one
//! that was planned that way.

use super::Injection;
use super::Simulation;
use super::fault::{Boundary, Fault, FaultAction};
use super::network::rule::{RuleEffect, RuleSpec};
use super::protocol::Protocol;
use crate::base::time::Time;
use crate::fact::Observer;

/// Why a fault cannot be added or ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refused {
    /// The plan does not allow it.
    #[error("the plan of this simulation is not `steered`: its faults are those it began with")]
    NotSteered,
    /// What happens at that moment has happened.
    #[error("{at} is over; the simulation has reached {reached}")]
    Past {
        /// When it was to begin or end.
        at: Time,
        /// The moment reached.
        reached: Time,
    },
    /// A fault of this kind needs preparations before the run.
    #[error("only faults that act on messages, and crashes, can be added while a simulation runs")]
    Kind,
    /// There is no such fault, or it has ended.
    #[error("no fault number {0} is in force")]
    Unknown(usize),
}

impl<P, W, O> Simulation<P, W, O>
where
    P: Protocol,
    W: Iterator<Item = Injection<P::Input>>,
    O: Observer,
{
    /// Adds a fault that begins later than the moment reached, or at time zero before the first
    /// step. Returns its number: those of the plan come first.
    ///
    /// # Errors
    /// If the plan is not [`steered`](super::SimulationPlan::steered), if the moment is over, or
    /// if it is neither a rule nor a crash.
    pub fn add_fault(&mut self, fault: Fault) -> Result<usize, Refused> {
        if !self.steered {
            return Err(Refused::NotSteered);
        }
        if !matches!(fault.action, FaultAction::Rule(_) | FaultAction::Crash { .. }) {
            return Err(Refused::Kind);
        }
        self.refuse_past(fault.begin)?;
        let number = self.faults.len();
        let place = u32::try_from(number).expect("fewer than 2^32 faults");
        self.network.add_fault();
        self.schedule.insert(fault.begin, Boundary::Begin(place));
        if let Some(end) = fault.end {
            self.schedule.insert(end, Boundary::End(place));
        }
        self.faults.push(fault);
        Ok(number)
    }

    /// Ends a fault that is in force at a moment of one's own, in place of that of the plan.
    ///
    /// # Errors
    /// If the plan is not steered, if the moment is over, or if no such fault is in force.
    pub fn end_fault(&mut self, number: usize, at: Time) -> Result<(), Refused> {
        if !self.steered {
            return Err(Refused::NotSteered);
        }
        let place = u32::try_from(number).map_err(|_| Refused::Unknown(number))?;
        if !self.active_faults.contains(&place) {
            return Err(Refused::Unknown(number));
        }
        self.refuse_past(at)?;
        self.schedule.cancel(Boundary::End(place));
        self.schedule.insert(at, Boundary::End(place));
        self.faults[number].end = Some(at);
        Ok(())
    }

    /// The numbers of the partitions in force.
    pub fn partitions(&self) -> impl Iterator<Item = usize> + '_ {
        let cuts = |place: &&u32| {
            let action = &self.faults[**place as usize].action;
            matches!(
                action,
                FaultAction::Rule(RuleSpec { effect: RuleEffect::Partition { .. }, .. })
            )
        };
        self.active_faults.iter().filter(cuts).map(|place| *place as usize)
    }

    fn refuse_past(&self, at: Time) -> Result<(), Refused> {
        let untouched = at == Time::ZERO && !self.schedule.has_begun();
        if at > self.now || untouched {
            return Ok(());
        }
        Err(Refused::Past { at, reached: self.now })
    }
}
