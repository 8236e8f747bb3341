//! Layer 4, beside the command line: [`World`], a cluster to try things in from a program or a
//! test: run it to a moment or to something that happens, cut it in two and heal it, crash nodes,
//! and look at what became of it.
//!
//! Whatever is done to a world takes the place that it would have in a scenario file: a cut by hand
//! at 4 s is the same as a `partition` with `at = "4s"`, to the last byte of the digest.

mod error;
mod record;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

pub use self::error::WorldError;
use self::record::Record;
use crate::base::digest::Digest;
use crate::base::id::{NodeId, NodeSet};
use crate::base::time::{Span, Time};
use crate::fact::Fact;
use crate::protocol::Validator;
use crate::protocol::chain::Link;
use crate::protocol::tower::Tower;
use crate::run;
use crate::scenario::plan::{Plan, Workload};
use crate::scenario::population::selector::Selector;
use crate::scenario::reader::{Override, Source};
use crate::scenario::schema::fault::{FaultConfig, MemoryConfig};
use crate::scenario::shipped;
use crate::sim::{Advance, Simulation};

/// What a world is made of, before it is there.
#[derive(Clone, Debug)]
pub struct Builder {
    source: Result<Source, WorldError>,
    overrides: Vec<String>,
}

impl Builder {
    /// Sets a key of the scenario, as `--set` does: `nodes.count=10`.
    #[must_use]
    pub fn set(mut self, key_and_value: &str) -> Self {
        self.overrides.push(key_and_value.to_owned());
        self
    }

    /// Sets the seed of all chance.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        self.set(&format!("seed={seed}"))
    }

    /// The world at time zero; nothing has started yet.
    ///
    /// # Errors
    /// If the scenario cannot be read, or does not fit together: all that is wrong with it.
    pub fn build(self) -> Result<World, WorldError> {
        let parsed = self.overrides.iter().map(|text| Override::parse(text));
        let overrides: Result<Vec<Override>, _> = parsed.collect();
        let overrides = overrides.map_err(|error| WorldError::Scenario(vec![error]))?;
        let plan = shipped::plan(&self.source?, &overrides).map_err(WorldError::Scenario)?;
        Ok(World::from_plan(plan))
    }
}

/// A cluster in virtual time, and all that has happened in it.
///
/// It stands before a moment: what happens earlier has happened, and nothing of that moment has.
/// What is done to it begins at that moment.
///
/// ```
/// use headwater::fact::Fact;
/// use headwater::world::{World, WorldError};
///
/// # fn main() -> Result<(), WorldError> {
/// let mut world = World::from_toml(
///     r#"
///         duration = "1min"
///         [slots]
///         schedule = "round-robin"
///         window = 1
///         [blocks]
///         content = "synthetic"
///         bytes = "1KiB"
///         [turbine]
///         tree = "star"
///         [repair]
///         style = "solana"
///         [consensus]
///         style = "tower"
///         spread = "peers"
///     "#,
/// )
/// .set("nodes.count=4")
/// .set("network.latency=20ms")
/// .build()?;
///
/// // Four equal validators are cut into halves: neither has more than two thirds.
/// world.run_until("4s")?;
/// world.cut(&["0..2", "2..4"])?;
/// world.run_until("6s")?;
/// assert!(!world.heads_agree());
/// assert_eq!(world.count(|fact| matches!(fact, Fact::Rooted { .. })), 0);
///
/// // After that they find together again, and every one of them roots the same chain.
/// world.heal()?;
/// assert!(world.run_until_holds("1min", |world| {
///     world.nodes().all(|node| world.root(node).height > 0)
/// })?);
/// assert!(world.honest_roots_agree());
/// # Ok(())
/// # }
/// ```
pub struct World {
    plan: Plan,
    simulation: Simulation<Validator, Workload, Record>,
    /// What happens before it has happened.
    moment: Time,
    /// Crashes by hand, and the numbers of their faults.
    crashed: BTreeMap<NodeId, usize>,
    /// The adversaries of the scenario.
    liars: NodeSet,
}

impl World {
    /// A world from the text of a scenario; an empty one is all defaults.
    #[must_use]
    pub fn from_toml(text: &str) -> Builder {
        Builder { source: Ok(Source::embedded("world", text)), overrides: Vec::new() }
    }

    /// A world from a scenario file.
    #[must_use]
    pub fn from_file(path: impl AsRef<Path>) -> Builder {
        let source = Source::load(path.as_ref());
        let source = source.map_err(|error| WorldError::Scenario(vec![error]));
        Builder { source, overrides: Vec::new() }
    }

    /// A world from a scenario that is part of the program, such as `partition-heal`, or from a
    /// file.
    #[must_use]
    pub fn from_scenario(name: &str) -> Builder {
        let source = shipped::find(name).map_err(|error| WorldError::Scenario(vec![error]));
        Builder { source, overrides: Vec::new() }
    }

    /// A world from a plan, made from a [`Scenario`](crate::scenario::schema::Scenario) in code by
    /// [`Plan::resolve`].
    #[must_use]
    pub fn from_plan(mut plan: Plan) -> Self {
        plan.simulation.steered = true;
        let simulation = run::simulation(&plan, Record::default());
        let liars = plan.liars();
        Self { plan, simulation, moment: Time::ZERO, crashed: BTreeMap::new(), liars }
    }

    /// What it was made of, with what was done to it since.
    #[must_use]
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The moment that it stands before.
    #[must_use]
    pub const fn now(&self) -> Time {
        self.moment
    }

    /// The digest of everything that has happened.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.simulation.trace().value()
    }

    /// Runs up to a moment such as `"30s"` after the beginning.
    ///
    /// # Errors
    /// If that is no time, if it is over or later than the scenario's duration, or if a limit was
    /// passed on the way.
    pub fn run_until(&mut self, at: &str) -> Result<(), WorldError> {
        let at = self.moment_of(at)?;
        self.advance(at, |_| false).map(|_| ())
    }

    /// Runs for so long, such as `"400ms"`.
    ///
    /// # Errors
    /// As [`World::run_until`].
    pub fn run_for(&mut self, length: &str) -> Result<(), WorldError> {
        let at = self.moment.saturating_add(span(length)?);
        self.advance(self.allowed(at)?, |_| false).map(|_| ())
    }

    /// Runs until something happens, but no longer than to a moment. Returns it, and when it
    /// happened; the world then stands right behind that moment.
    ///
    /// # Errors
    /// As [`World::run_until`].
    pub fn run_until_fact(
        &mut self,
        deadline: &str,
        mut happens: impl FnMut(Time, &Fact) -> bool,
    ) -> Result<Option<(Time, Fact)>, WorldError> {
        let deadline = self.moment_of(deadline)?;
        let (mut seen, mut found) = (self.facts().len(), None);
        self.advance(deadline, |world| {
            let news = &world.facts()[seen..];
            seen += news.len();
            found = found.or_else(|| news.iter().find(|(at, fact)| happens(*at, fact)).copied());
            found.is_some()
        })?;
        Ok(found)
    }

    /// Runs until a condition holds, but no longer than to a moment. It is looked at now, and after
    /// everything that happens, messages aside. Returns whether it holds.
    ///
    /// # Errors
    /// As [`World::run_until`].
    pub fn run_until_holds(
        &mut self,
        deadline: &str,
        holds: impl Fn(&Self) -> bool,
    ) -> Result<bool, WorldError> {
        let deadline = self.moment_of(deadline)?;
        let mut seen = usize::MAX;
        self.advance(deadline, |world| {
            let news = std::mem::replace(&mut seen, world.facts().len()) != seen;
            news && holds(world)
        })?;
        Ok(holds(self))
    }

    /// Runs to the end of the scenario, its last instant included.
    ///
    /// # Errors
    /// If a limit was passed on the way.
    pub fn run_to_end(&mut self) -> Result<(), WorldError> {
        let behind = self.plan.end.saturating_add(Span::from_nanos(1));
        self.advance(behind, |_| false).map(|_| ())
    }

    /// Runs to a moment, or to the end of the instant in which `enough` says so.
    fn advance(
        &mut self,
        to: Time,
        mut enough: impl FnMut(&Self) -> bool,
    ) -> Result<(), WorldError> {
        let Some(last) = to.before().filter(|last| *last >= self.moment) else { return Ok(()) };
        if enough(self) {
            return Ok(());
        }
        loop {
            let reached = self.simulation.advance(last, 1).map_err(WorldError::Overload)?;
            if self.simulation.observer().is_full() {
                return Err(WorldError::TooManyFacts(Record::MOST));
            }
            if reached == Advance::Reached {
                self.moment = to;
                return Ok(());
            }
            if enough(self) {
                let now = self.simulation.now();
                self.simulation.run_until(now).map_err(WorldError::Overload)?;
                self.moment = now.saturating_add(Span::from_nanos(1));
                return Ok(());
            }
        }
    }

    fn moment_of(&self, at: &str) -> Result<Time, WorldError> {
        self.allowed(Time::ZERO + span(at)?)
    }

    /// Refuses a moment that is over, or lies behind the end of the scenario.
    fn allowed(&self, at: Time) -> Result<Time, WorldError> {
        if at < self.moment || at > self.plan.end {
            return Err(WorldError::Moment { at, now: self.moment, end: self.plan.end });
        }
        Ok(at)
    }

    /// Cuts the nodes into groups that cannot reach each other, each written as in a scenario:
    /// `"0..5"`, `"stake:33%"`, `"rest"`. With one group, the rest is the other one.
    ///
    /// # Errors
    /// If a group names no nodes, or if the groups are not cut off from each other.
    pub fn cut(&mut self, groups: &[&str]) -> Result<(), WorldError> {
        let read = |group: &&str| group.parse::<Selector>().map_err(WorldError::Nodes);
        let groups = groups.iter().map(read).collect::<Result<Vec<Selector>, _>>()?;
        let one_way = false;
        let (at, lasting, until, may_miss) = self.window();
        let fault = FaultConfig::Partition { at, lasting, until, may_miss, groups, one_way };
        self.begin(fault).map(|_| ())
    }

    /// Ends all cuts in force, those of the scenario too.
    ///
    /// # Errors
    /// If there is none.
    pub fn heal(&mut self) -> Result<(), WorldError> {
        let cuts: Vec<usize> = self.simulation.partitions().collect();
        if cuts.is_empty() {
            return Err(WorldError::Whole(self.moment));
        }
        for cut in cuts {
            self.end(cut)?;
        }
        Ok(())
    }

    /// Takes a node down. What a real node has on disk stays with it, the tower included.
    ///
    /// # Errors
    /// If there is no such node, or if it was crashed by hand and not restarted.
    pub fn crash(&mut self, node: NodeId) -> Result<(), WorldError> {
        self.take_down(node, MemoryConfig::Kept)
    }

    /// Takes a node down and leaves it nothing but its identity.
    ///
    /// # Errors
    /// As [`World::crash`].
    pub fn crash_and_forget(&mut self, node: NodeId) -> Result<(), WorldError> {
        self.take_down(node, MemoryConfig::Lost)
    }

    fn take_down(&mut self, node: NodeId, memory: MemoryConfig) -> Result<(), WorldError> {
        if self.crashed.contains_key(&node) {
            return Err(WorldError::Down(node));
        }
        let nodes = Selector::Node(node.number());
        let (at, lasting, until, may_miss) = self.window();
        let number =
            self.begin(FaultConfig::Crash { at, lasting, until, may_miss, nodes, memory })?;
        self.crashed.insert(node, number);
        Ok(())
    }

    /// Brings back a node that was crashed by hand.
    ///
    /// # Errors
    /// If it was not.
    pub fn restart(&mut self, node: NodeId) -> Result<(), WorldError> {
        let Some(number) = self.crashed.get(&node).copied() else {
            return Err(WorldError::Up(node));
        };
        self.end(number)?;
        self.crashed.remove(&node);
        Ok(())
    }

    /// From now on, without an end; by hand, it may meet nothing.
    fn window(&self) -> (Span, Option<Span>, Option<Span>, bool) {
        (self.moment.since(Time::ZERO), None, None, true)
    }

    fn begin(&mut self, fault: FaultConfig) -> Result<usize, WorldError> {
        let fault = self.plan.with_fault(fault);
        let fault = fault.map_err(|error| WorldError::Scenario(vec![error]))?;
        self.simulation.add_fault(fault).map_err(WorldError::Refused)
    }

    fn end(&mut self, number: usize) -> Result<(), WorldError> {
        self.simulation.end_fault(number, self.moment).map_err(WorldError::Refused)
    }

    /// All nodes.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> + use<> {
        NodeId::all(self.plan.population.count())
    }

    /// Whether a node is up.
    #[must_use]
    pub fn is_up(&self, node: NodeId) -> bool {
        self.simulation.is_up(node)
    }

    /// A node's state, for whatever else there is to see.
    #[must_use]
    pub fn node(&self, node: NodeId) -> &Validator {
        self.simulation.node(node)
    }

    /// The block that a node builds on.
    ///
    /// # Panics
    /// If the scenario has no blocks (`blocks.content`).
    #[must_use]
    pub fn head(&self, node: NodeId) -> &Link {
        let blocks = self.node(node).blocks().expect("a scenario with blocks");
        blocks.leading().chain().head()
    }

    /// The block that a node will never leave; genesis, of height 0, at first.
    ///
    /// # Panics
    /// If the scenario has no blocks (`blocks.content`).
    #[must_use]
    pub fn root(&self, node: NodeId) -> &Link {
        let blocks = self.node(node).blocks().expect("a scenario with blocks");
        blocks.leading().chain().root()
    }

    /// A node's tower; `None` if nobody votes.
    #[must_use]
    pub fn tower(&self, node: NodeId) -> Option<&Tower> {
        let consensus = self.node(node).blocks().and_then(|blocks| blocks.consensus());
        consensus.map(|consensus| consensus.tower())
    }

    /// Everything that has happened, in order: facts of single messages are left out.
    #[must_use]
    pub fn facts(&self) -> &[(Time, Fact)] {
        self.simulation.observer().facts()
    }

    /// How many facts are of a kind.
    #[must_use]
    pub fn count(&self, is: impl Fn(&Fact) -> bool) -> usize {
        self.facts().iter().filter(|(_, fact)| is(fact)).count()
    }

    /// Whether all nodes that are up build on the same block.
    #[must_use]
    pub fn heads_agree(&self) -> bool {
        let mut heads = self.nodes().filter(|node| self.is_up(*node)).map(|node| self.head(node));
        let first = heads.next();
        heads.all(|head| Some(head.id) == first.map(|first| first.id))
    }

    /// Whether a node does as the protocol says: no adversary of the scenario does, nor one that
    /// has lost its memory in a crash, as it may contradict what it said before.
    #[must_use]
    pub fn is_honest(&self, node: NodeId) -> bool {
        !self.liars.contains(node) && !self.simulation.observer().has_forgotten(node)
    }

    /// Whether all blocks that honest nodes have rooted up to now lie on one chain.
    #[must_use]
    pub fn honest_roots_agree(&self) -> bool {
        self.simulation.observer().roots_agree(|node| self.is_honest(node))
    }
}

fn span(text: &str) -> Result<Span, WorldError> {
    text.parse().map_err(|why| WorldError::Time(format!("{text:?}: {why}")))
}
