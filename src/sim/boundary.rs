//! Kernel layer: crossing boundaries: faults, starting nodes, samples and the workload's inputs.

use super::clock::Clock;
use super::compute::Processor;
use super::fault::{Boundary, FaultAction};
use super::message::Event;
use super::network::rule::Tally;
use super::protocol::{Memory, Protocol};
use super::{Injection, Interview, ProcessorOf, Simulation, Waiting};
use crate::base::id::{NodeId, NodeSet};
use crate::base::time::Time;
use crate::fact::{DropReason, Fact, Observer};

impl<P, W, O> Simulation<P, W, O>
where
    P: Protocol,
    W: Iterator<Item = Injection<P::Input>>,
    O: Observer,
{
    /// When the next boundary of any sort is due.
    pub(super) fn next_boundary(&mut self) -> Option<Time> {
        let fault = self.schedule.peek();
        let sample = self.observer.next_sample();
        let input = self.workload.peek().map(|injection| injection.at);
        [fault, sample, input].into_iter().flatten().min()
    }

    /// Crosses the first boundary at `at`.
    pub(super) fn cross(&mut self, at: Time) {
        assert!(at >= self.now, "boundaries come in the order of time");
        self.now = at;
        if self.schedule.peek() == Some(at) {
            if let Some((_, boundary)) = self.schedule.pop() {
                self.change(boundary);
            }
        } else if self.observer.next_sample() == Some(at) {
            let world = self.world();
            let census =
                Interview { nodes: &self.nodes, cluster: &self.cluster, network: &self.network };
            self.observer.on_sample(at, &world, &census);
        } else if let Some(injection) = self.workload.next() {
            self.inject(injection);
        }
    }

    fn inject(&mut self, injection: Injection<P::Input>) {
        let Injection { node, input, .. } = injection;
        if !self.is_up(node) {
            return self.miss(node, input);
        }
        let Some(processors) = &mut self.processors else { return self.hand_in(node, input) };
        let processor = &mut processors[node];
        if !processor.is_busy(self.now) {
            return self.hand_in(node, input);
        }
        if processor.len() >= self.inbox_limit {
            return self.miss(node, input);
        }
        processor.push((self.now, Waiting::Input(input)));
        self.count_waiting(node);
        self.schedule_wake(node);
    }

    /// An input does not come in.
    fn miss(&mut self, node: NodeId, input: P::Input) {
        P::missed(node, input).iter().for_each(|fact| self.observer.on_fact(self.now, fact));
    }

    /// Hands an input to a node that is free to take it.
    pub(super) fn hand_in(&mut self, node: NodeId, input: P::Input) {
        self.call(node, |logic, cluster, ctx| logic.on_input(cluster, ctx, input));
        let depart = self.work(node, None);
        self.drain(node, depart);
    }

    fn change(&mut self, boundary: Boundary) {
        match boundary {
            Boundary::Start(node) => {
                self.down[node] -= 1;
                if self.down[node] == 0 {
                    self.raise(node);
                }
            }
            Boundary::Begin(fault) => self.begin(fault),
            Boundary::End(fault) => self.finish(fault),
            Boundary::Leave(fault, node) => {
                let FaultAction::Churn { memory, .. } = self.faults[fault as usize].action else {
                    return;
                };
                self.take_down(fault, node, memory);
            }
            Boundary::Back(_, node) => self.bring_back(node),
        }
    }

    fn begin(&mut self, place: u32) {
        self.active_faults.push(place);
        self.observer.on_fact(self.now, &Fact::FaultBegan { fault: place });
        match self.faults[place as usize].action.clone() {
            FaultAction::Rule(spec) => self.network.begin_rule(place, &spec),
            FaultAction::Crash { nodes, memory } => {
                nodes.iter().for_each(|node| self.take_down(place, node, memory));
            }
            FaultAction::Churn { .. } => {}
            FaultAction::Heal(ended) => {
                let ended = u64::from(ended);
                *self.network.tally(place) = Tally { exposed: ended, affected: ended };
            }
            FaultAction::Pause(nodes) => self.on_processors(&nodes, Processor::pause),
            FaultAction::Slow(nodes, slowdown) => {
                self.on_processors(&nodes, |p| p.slow(place, slowdown));
            }
            FaultAction::Clock { nodes, offset, drift_ppm } => {
                self.set_clocks(&nodes, Clock::new(offset, drift_ppm, self.now));
                let count = nodes.len() as u64;
                *self.network.tally(place) = Tally { exposed: count, affected: count };
            }
        }
    }

    fn finish(&mut self, place: u32) {
        self.active_faults.retain(|active| *active != place);
        self.observer.on_fact(self.now, &Fact::FaultEnded { fault: place });
        match self.faults[place as usize].action.clone() {
            FaultAction::Rule(_) => self.network.end_rule(place),
            FaultAction::Crash { nodes, .. } => nodes.iter().for_each(|node| self.bring_back(node)),
            FaultAction::Churn { .. } | FaultAction::Heal(_) => {}
            FaultAction::Pause(nodes) => {
                self.on_processors(&nodes, Processor::resume);
                nodes.iter().for_each(|node| self.schedule_wake(node));
            }
            FaultAction::Slow(nodes, _) => self.on_processors(&nodes, |p| p.quicken(place)),
            FaultAction::Clock { nodes, .. } => self.set_clocks(&nodes, Clock::default()),
        }
    }

    fn on_processors(&mut self, nodes: &NodeSet, mut change: impl FnMut(&mut ProcessorOf<P>)) {
        if let Some(processors) = &mut self.processors {
            nodes.iter().for_each(|node| change(&mut processors[node]));
        }
    }

    fn set_clocks(&mut self, nodes: &NodeSet, clock: Clock) {
        if let Some(clocks) = &mut self.clocks {
            nodes.iter().for_each(|node| clocks[node] = clock);
        }
    }

    /// An event waits for a processor: a pause that is the cause has touched it.
    pub(super) fn count_waiting(&mut self, node: NodeId) {
        let paused = self.processors.as_ref().is_some_and(|p| p[node].is_paused());
        if !paused {
            return;
        }
        for &place in &self.active_faults {
            if let FaultAction::Pause(nodes) = &self.faults[place as usize].action
                && nodes.contains(node)
            {
                let tally = self.network.tally(place);
                tally.exposed += 1;
                tally.affected += 1;
            }
        }
    }

    /// A message was handled: faults that slow the processor have touched it.
    pub(super) fn count_slowed(&mut self, node: NodeId) {
        let Some(processors) = &self.processors else { return };
        for place in processors[node].slowed_by() {
            let tally = self.network.tally(place);
            tally.exposed += 1;
            tally.affected += 1;
        }
    }

    /// A fault takes a node down.
    fn take_down(&mut self, place: u32, node: NodeId, memory: Memory) {
        let was_up = self.down[node] == 0;
        self.down[node] += 1;
        let tally = self.network.tally(place);
        tally.exposed += 1;
        tally.affected += u64::from(was_up);
        if !was_up {
            return;
        }
        self.epochs[node] += 1;
        self.network.crash(self.now, node);
        let forgets = memory == Memory::Lost;
        self.observer.on_fact(self.now, &Fact::NodeDown { node, forgets });
        self.call(node, |logic, cluster, ctx| logic.on_crash(cluster, ctx, memory));
        self.drain(node, self.now);
        let waiting = self.processors.as_mut().map(|p| p[node].crash(self.now));
        for (_, waiting) in waiting.into_iter().flatten() {
            match waiting {
                Waiting::Event(Event::Mail(envelope)) => {
                    self.end(envelope, Some(DropReason::ReceiverDown));
                }
                Waiting::Event(_) => {}
                Waiting::Input(input) => self.miss(node, input),
            }
        }
    }

    fn bring_back(&mut self, node: NodeId) {
        self.down[node] -= 1;
        if self.down[node] == 0 {
            self.raise(node);
        }
    }

    /// A node comes up, for the first time or again.
    fn raise(&mut self, node: NodeId) {
        self.network.raise(node);
        self.observer.on_fact(self.now, &Fact::NodeUp { node });
        if self.epochs[node] == 0 {
            self.call(node, |logic, cluster, ctx| logic.on_start(cluster, ctx));
        } else {
            self.call(node, |logic, cluster, ctx| logic.on_restart(cluster, ctx));
        }
        let depart = self.work(node, None);
        self.drain(node, depart);
    }
}
