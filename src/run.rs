//! Layer 3', one run: the place where protocol, network, workload and recorder meet.

pub mod trail;

use crate::base::digest::Digest;
use crate::base::id::{NodeId, NodeMap};
use crate::base::slot::Slot;
use crate::base::time::{Span, Time};
use crate::crypto;
use crate::expect::{self, Record, Verdict, summary_json};
use crate::fact::{Both, Observer};
use crate::metrics::invariant::{InvariantsSummary, Violation, Watch, WatchPlan};
use crate::metrics::table::{Cell, MemorySink, RowSink};
use crate::metrics::{
    self, AdversaryInfo, ArrivalRows, DeliveryRows, FaultInfo, NodeInfo, Recorder, RecorderPlan,
    SlotTimes, Summary, TOPOLOGY, WorkloadSummary,
};
use crate::protocol::block::Block;
use crate::protocol::blocks::Settings as Blocks;
use crate::protocol::cluster::Cluster;
use crate::protocol::electorate::Electorate;
use crate::protocol::leading::{Registry, SlotsConfig, Start};
use crate::protocol::ledger::Accounts;
use crate::protocol::schedule::Schedule;
use crate::protocol::tower::MOST_ENTRIES;
use crate::protocol::turbine::tree::Trees;
use crate::protocol::turbine::tree::view::View;
use crate::protocol::vote::Ballots;
use crate::protocol::{Validator, consensus, gossip};
use crate::scenario::plan::{Plan, PlannedAdversary, Workload};
use crate::scenario::population::Population;
use crate::scenario::schema::output::RowsConfig;
use crate::sim::{Advance, Overload, Simulation};

/// How a run is going.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// The moment reached.
    pub now: Time,
    /// The last instant of the run.
    pub end: Time,
    /// Events handled.
    pub handled: u64,
}

/// Whether to go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Go {
    /// Go on.
    On,
    /// Stop here; what is known up to now is kept.
    Stop,
}

/// Why a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// It came to its end.
    Complete,
    /// It was asked to stop.
    Stopped,
    /// More events were pending than its limit allows.
    Overloaded(Overload),
    /// An invariant was broken; nothing of what would have come after that is known.
    Violated,
    /// It handled as many events as its limit allows.
    EventsSpent(u64),
    /// It came to its limit of virtual time, which is before its end.
    TimeSpent(Span),
}

impl Ending {
    /// Why the run ended early; `None` if it came to its end.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        match self {
            Self::Complete | Self::Violated => None,
            Self::Stopped => Some("it was asked to stop".into()),
            Self::Overloaded(overload) => Some(format!("{overload} (limits.pending_events)")),
            Self::EventsSpent(events) => {
                let were = if *events == 1 { " was" } else { "s were" };
                Some(format!("{events} event{were} handled (limits.events)"))
            }
            Self::TimeSpent(limit) => {
                Some(format!("{limit} of virtual time have passed (limits.virtual_time)"))
            }
        }
    }
}

/// What came of a run.
pub struct Finished<S> {
    /// All that was measured.
    pub summary: Summary,
    /// What each fault met and touched, in the order of the scenario.
    pub tallies: Vec<(u64, u64)>,
    /// The digest of everything that happened.
    pub digest: Digest,
    /// Time and running hash after every [`Finished::checkpoint_spacing`] records of the digest.
    pub checkpoints: Vec<(Time, u64)>,
    /// Records between two checkpoints.
    pub checkpoint_spacing: u64,
    /// Why it ended.
    pub ending: Ending,
    /// The invariant that was broken.
    pub violation: Option<Violation>,
    /// The moment reached.
    pub reached: Time,
    /// Events handled.
    pub handled: u64,
    /// Where the rows went.
    pub sink: S,
}

impl Finished<MemorySink> {
    /// The verdict on the run, by what its scenario expects.
    ///
    /// # Panics
    /// Never: tables in memory can always be read.
    #[must_use]
    pub fn verdict(&self, plan: &Plan) -> Verdict {
        let summary = summary_json(&self.summary, self.ending.reason().as_deref());
        let record = Record { summary: &summary, tables: &self.sink };
        expect::judge(&plan.expectations, &record).expect("tables in memory can be read")
    }
}

/// The world of a run: nodes, network, workload, recorder, the watch over invariants and one more
/// listener.
pub type World<S, L> = Simulation<Validator, Workload, Both<Both<Recorder<S>, Option<Watch>>, L>>;

/// Events and boundaries between two looks at the control: milliseconds of work, or half a second
/// where each of them is dear.
const SLICE: u64 = 1 << 13;

/// Runs a plan to its end or until `control` says stop. Where and how often the control is asked
/// changes nothing.
pub fn run<S: RowSink, L: Observer>(
    plan: &Plan,
    mut sink: S,
    listener: L,
    control: &mut dyn FnMut(Progress) -> Go,
) -> Finished<S> {
    write_topology(plan, &mut sink);
    let mut world = build(plan, sink, listener);
    let limits = &plan.scenario.limits;
    let events = limits.events.unwrap_or(u64::MAX);
    let cut = limits.virtual_time.filter(|limit| Time::ZERO + *limit < plan.end);
    let end = cut.map_or(plan.end, |limit| Time::ZERO + limit);
    // A cluster may take long to build, and much memory; a short run may be one slice.
    let start = Progress { now: Time::ZERO, end: plan.end, handled: 0 };
    let mut stopped = control(start) == Go::Stop;
    let ending = loop {
        if stopped {
            break Ending::Stopped;
        }
        let left = events - world.handled();
        match world.advance(end, SLICE.min(left)) {
            Err(overload) => break Ending::Overloaded(overload),
            Ok(Advance::Halted) => break Ending::Violated,
            Ok(Advance::Reached) => break cut.map_or(Ending::Complete, Ending::TimeSpent),
            Ok(Advance::Paused) if left == 0 => break Ending::EventsSpent(events),
            Ok(Advance::Paused) => {
                let progress =
                    Progress { now: world.now(), end: plan.end, handled: world.handled() };
                stopped = control(progress) == Go::Stop;
            }
        }
    };
    finish(plan, world, ending)
}

/// The world at time zero; for library users who want to look inside while it runs.
pub fn build<S: RowSink, L: Observer>(plan: &Plan, sink: S, listener: L) -> World<S, L> {
    let recorder = Recorder::new(recorder_plan(plan), sink);
    simulation(plan, Both(Both(recorder, watch(plan)), listener))
}

/// The same with nobody else who listens.
pub fn simulation<O: Observer>(plan: &Plan, observer: O) -> Simulation<Validator, Workload, O> {
    let mut cluster = cluster(plan);
    let roles = plan.roles();
    let mut nodes = NodeMap::build(plan.population.count(), |node| {
        let initial = if plan.overlay.complete {
            crate::protocol::peers::Peers::everyone(node, plan.overlay.nodes)
        } else {
            crate::protocol::peers::Peers::listed(plan.overlay.neighbours(node).collect())
        };
        Validator::new(&plan.validators, &cluster, node, initial, plan.connects[node])
            .with_roles(&roles, &cluster, node)
    });
    Validator::settle(&mut nodes, &mut cluster, plan.simulation.network.links.typical());
    Simulation::new(plan.simulation.clone(), nodes, cluster, plan.workload(), observer)
}

/// Who watches over invariants, unless the scenario does without: only what has blocks can break
/// one.
fn watch(plan: &Plan) -> Option<Watch> {
    let blocks = plan.validators.blocks.as_ref().filter(|_| plan.scenario.invariants.watch)?;
    let nodes = plan.population.count();
    let later = later_stakes(plan).map(|(_, stakes)| stakes);
    let always: Vec<_> = std::iter::once(&plan.population.stakes).chain(later).collect();
    let votes = |node: &NodeId| always.iter().all(|stakes| stakes[*node] > 0);
    Some(Watch::new(WatchPlan {
        nodes,
        honest: plan.honest(),
        voters: NodeId::all(nodes).filter(votes).collect(),
        lockouts: blocks.consensus.style == consensus::Style::Tower,
    }))
}

/// What all nodes know.
fn cluster(plan: &Plan) -> Cluster {
    let population = &plan.population;
    let (stakes, identities) = (&population.stakes, &population.identities);
    let turbine = &plan.scenario.turbine;
    let everyone = NodeId::all(population.count()).collect();
    let (crypto, ledger) = (plan.scenario.crypto, plan.scenario.ledger);
    let accounts = Accounts::new(crypto, plan.seed, stakes, identities, ledger.accounts);
    // Where there are no blocks, nobody asks for balances.
    let held = plan.validators.blocks.as_ref().map_or(0, |_| accounts.count());
    let trees = plan.validators.blocks.as_ref().and_then(|_| {
        let view = View::new(&everyone, stakes, identities);
        let trees = Trees::new(view, turbine.trees, plan.seed, turbine.memo)?;
        let later = later_stakes(plan)
            .map(|(from, stakes)| (from, View::new(&everyone, stakes, identities)));
        Some(later.fold(trees, |trees, (from, view)| trees.until(from, view)))
    });
    let votes = plan.validators.blocks.as_ref().is_some_and(Blocks::votes);
    let genesis = Block::genesis(plan.seed, held, &ledger);
    let genesis = if votes { genesis.voted_by(population.count()) } else { genesis };
    let electorate = later_stakes(plan)
        .fold(Electorate::new(stakes.clone()), |before, (from, stakes)| {
            before.changing(from, stakes.clone())
        });
    Cluster {
        seed: plan.seed,
        schedule: schedule(plan),
        trees,
        stakes: stakes.clone(),
        identities: identities.clone(),
        rumors: plan.rumors.clone(),
        genesis,
        electorate: if votes { electorate } else { electorate.silent() },
        ballots: Ballots::default(),
        arrived: Vec::new(),
        branches: Vec::new(),
        accounts,
        crypto,
        crds: plan.crds().map(Box::new),
        prices: plan.scenario.cost.work,
    }
}

/// Who leads which slot.
fn schedule(plan: &Plan) -> Schedule {
    let Population { stakes, identities, .. } = &plan.population;
    let slots = &plan.scenario.slots;
    let listed = slots.leaders.iter().map(|leader| Some(NodeId::new(*leader)));
    let listed: Vec<Option<NodeId>> = listed.collect();
    let of = |stakes| Schedule::new(&slots.schedule(), plan.seed, stakes, identities, &listed);
    later_stakes(plan).fold(of(stakes), |before, (from, stakes)| before.until(from, of(stakes)))
}

/// The slots from which on stakes are others, and which.
fn later_stakes(plan: &Plan) -> impl Iterator<Item = (Slot, &NodeMap<u64>)> {
    let length = plan.scenario.slots.slots_per_epoch;
    let later = plan.population.later.iter();
    later.map(move |(epoch, stakes)| (Slot::new(epoch.saturating_mul(length)), stakes))
}

/// The leaders of the slots that the clock passes in the run, as far as everybody agrees on them.
fn leaders(plan: &Plan) -> Vec<Option<NodeId>> {
    let slots = &plan.scenario.slots;
    if plan.validators.blocks.is_none() || slots.registry == Registry::Gossip {
        return Vec::new();
    }
    let last = u32::try_from(slots.last(plan.end)).unwrap_or(u32::MAX).min(MOST_SLOTS);
    let mut schedule = schedule(plan);
    // Slot 0 is that of genesis.
    let led = (1..=last).map(|slot| schedule.leader(Slot::new(slot)));
    std::iter::once(None).chain(led).collect()
}

/// When slots are to begin.
fn slot_times(slots: &SlotsConfig) -> SlotTimes {
    let (first, begins) = slots.first();
    let (length, known) = (slots.length(), (first.number().into(), begins));
    SlotTimes { length, known, by_blocks: slots.start == Start::Poh }
}

/// Slots whose leaders are looked up for `slots.csv`.
const MOST_SLOTS: u32 = 1_000_000;

fn finish<S: RowSink, L: Observer>(
    plan: &Plan,
    mut world: World<S, L>,
    ending: Ending,
) -> Finished<S> {
    let reached = world.now();
    let tallies: Vec<(u64, u64)> = (0..plan.faults.len())
        .map(|fault| world.tally(fault))
        .map(|tally| (tally.exposed, tally.affected))
        .collect();
    let nodes = NodeId::all(plan.population.count());
    let busy = nodes.map(|node| world.network().busy(reached, node)).collect();
    let busy = NodeMap::from_vec(busy);
    let counted = world.count_in_flight();
    let (digest, handled) = (world.trace().value(), world.handled());
    let checkpoints = world.trace().checkpoints().to_vec();
    let checkpoint_spacing = world.trace().spacing();
    let state = world.world();
    let (observer, census) = world.into_parts();
    let Both(Both(recorder, watch), _) = observer;
    let unwatched = watch.as_ref().map_or(0, Watch::unknown);
    let (mut summary, sink) = recorder.finish(&metrics::Ending {
        end: reached,
        world: &state,
        census: &census,
        busy: &busy,
        tallies: &tallies,
        in_flight: counted,
    });
    summary.workload = absent(plan);
    let violation = watch.and_then(Watch::into_violation);
    summary.invariants = InvariantsSummary::new(violation.as_ref(), unwatched);
    Finished {
        summary,
        tallies,
        digest,
        checkpoints,
        checkpoint_spacing,
        ending,
        violation,
        reached,
        handled,
        sink,
    }
}

/// The streams of rumors of which nothing came.
fn absent(plan: &Plan) -> WorkloadSummary {
    let (drawn, late) = plan.workload().dry().partition(|place| plan.streams[*place].is_random());
    let places = |places: Vec<usize>| places.into_iter().map(|place| place as u32).collect();
    WorkloadSummary { absent: places(late), absent_by_chance: places(drawn) }
}

fn recorder_plan(plan: &Plan) -> RecorderPlan {
    let population = &plan.population;
    let output = &plan.scenario.output;
    let gossip = plan.validators.gossip.style != gossip::Style::Off;
    let liars = plan.liars();
    let info = |node: NodeId| NodeInfo {
        stake: population.stakes[node],
        region: population.regions[usize::from(population.region_of[node])].clone(),
        site: population.sites[usize::from(population.site_of[node])].name.clone(),
        identity: hex(&population.identities[node]),
        adversary: liars.contains(node),
        public_key: (gossip && population.stakes[node] > 0)
            .then(|| hex(&crypto::public_key(&population.identities[node]))),
    };
    let every = |span: Option<Span>| span.filter(|span| !span.is_zero());
    RecorderPlan {
        timeline: every(output.timeline),
        node_timeline: every(output.node_timeline),
        peers_at: output.peers_at.iter().map(|at| Time::ZERO + *at).collect(),
        peers_at_end: output.peers,
        deliveries: delivery_rows(plan),
        faults: plan.faults.iter().map(fault_info).collect(),
        adversaries: plan.adversaries.iter().map(|it| adversary_info(plan, it)).collect(),
        gossip,
        repair: plan.validators.blocks.as_ref().is_some_and(Blocks::repairs),
        gossip_values: plan.validators.gossip.style == gossip::Style::Solana,
        rumor_window: plan.validators.rumor_window.max(1),
        transaction_window: plan.transaction_window,
        blocks: plan.validators.blocks.is_some(),
        votes: plan.validators.blocks.as_ref().is_some_and(Blocks::votes),
        patience: patience(plan),
        to_root: to_root(plan),
        heal_at: plan.scenario.heal_at.map(|after| Time::ZERO + after),
        block_arrivals: arrival_rows(plan),
        leaders: leaders(plan),
        slot_times: slot_times(&plan.scenario.slots),
        ..RecorderPlan::new(NodeMap::build(population.count(), info), plan.end)
    }
}

fn fault_info(fault: &crate::scenario::plan::PlannedFault) -> FaultInfo {
    FaultInfo {
        kind: fault.kind.into(),
        describe: fault.describe.clone(),
        begin: fault.begin,
        end: fault.end,
        may_miss: fault.may_miss,
        heals: fault.heals(),
        // Whoever is down does not count as up, and a heal hinders nobody.
        hinders: !matches!(fault.kind, "crash" | "churn" | "heal"),
    }
}

fn adversary_info(plan: &Plan, adversary: &PlannedAdversary) -> AdversaryInfo {
    let role = &adversary.role;
    AdversaryInfo {
        lie: role.lie(),
        nodes: (*role.nodes).clone(),
        stake: role.nodes.iter().map(|node| plan.population.stakes[node]).sum(),
        begin: role.begin,
        end: role.end,
        may_miss: adversary.may_miss,
    }
}

/// How long the cluster may take to confirm the next block, or to agree on one chain: 64 slots, and
/// those for which the votes that a minority casts until the threshold check stops it can lock it
/// out. Where nothing stops it, there is no telling.
fn patience(plan: &Plan) -> Option<Span> {
    let config = &plan.validators.blocks.as_ref()?.consensus;
    let lockout = match (config.style, config.threshold_depth) {
        (consensus::Style::Off, _) | (consensus::Style::Tower, 0) => return None,
        (consensus::Style::Classroom, _) => 0,
        // So many votes in a row pass unchecked: the first of them is then locked for 2^depth.
        (consensus::Style::Tower, depth) => 1_u64.checked_shl(depth)?,
    };
    let slot = plan.scenario.slots.duration.as_nanos();
    let patience = slot.saturating_mul(lockout.saturating_add(QUIET_SLOTS));
    Some(Span::from_nanos(patience)).filter(|patience| !patience.is_zero())
}

/// How long it takes until a block is rooted if every slot has a block and every block gets its
/// votes: a tower as deep as it can be, and one more. By the classroom's rules confirmed blocks are
/// roots.
fn to_root(plan: &Plan) -> Span {
    let style = plan.validators.blocks.as_ref().map(|blocks| blocks.consensus.style);
    let slots = if style == Some(consensus::Style::Tower) { MOST_ENTRIES as u64 + 1 } else { 0 };
    Span::from_nanos(plan.scenario.slots.duration.as_nanos().saturating_mul(slots))
}

/// Slots without a newly confirmed block in which nothing need be wrong.
const QUIET_SLOTS: u64 = 64;

fn delivery_rows(plan: &Plan) -> DeliveryRows {
    let output = &plan.scenario.output;
    let (from, until) = (output.deliveries_from, output.deliveries_until);
    match output.deliveries {
        RowsConfig::None => DeliveryRows::None,
        _ if !output.deliveries_of.is_empty() => {
            DeliveryRows::Rumors(output.deliveries_of.iter().map(|rumor| *rumor..=*rumor).collect())
        }
        _ if from.is_some() || until.is_some() => DeliveryRows::Window {
            from: Time::ZERO + from.unwrap_or(Span::ZERO),
            // The window of the recorder is open at its end, that of the scenario is closed.
            until: until.map_or(Time::MAX, |until| {
                (Time::ZERO + until).saturating_add(Span::from_nanos(1))
            }),
        },
        RowsConfig::Auto => DeliveryRows::Auto,
        RowsConfig::All => DeliveryRows::All,
    }
}

fn arrival_rows(plan: &Plan) -> ArrivalRows {
    let output = &plan.scenario.output;
    let (from, until) = (output.block_arrivals_from, output.block_arrivals_until);
    match output.block_arrivals {
        RowsConfig::None => ArrivalRows::None,
        _ if from.is_some() || until.is_some() => {
            ArrivalRows::Slots(from.unwrap_or(0)..=until.unwrap_or(u32::MAX))
        }
        RowsConfig::Auto => ArrivalRows::Auto,
        RowsConfig::All => ArrivalRows::All,
    }
}

/// Rows of `topology.csv`: the overlay as the scenario gives it. A complete one is not listed.
fn write_topology<S: RowSink>(plan: &Plan, sink: &mut S) {
    for edge in &plan.overlay.edges {
        let latency = edge.latency.map_or(Cell::Empty, Cell::from);
        let rate = edge.rate.map_or(Cell::Empty, |rate| Cell::from(rate.bits_per_second()));
        sink.row(&TOPOLOGY, &[edge.from.into(), edge.to.into(), latency, rate]);
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::reader::Source;
    use crate::scenario::shipped;

    #[test]
    fn rows_of_block_arrivals_are_those_that_the_scenario_asks_for() {
        let rows = |keys: &str| {
            let text = format!("nodes.count = 3\n[output]\n{keys}");
            arrival_rows(&shipped::plan(&Source::embedded("s", &text), &[]).expect("a plan"))
        };
        assert_eq!(rows(""), ArrivalRows::Auto);
        assert_eq!(rows("block_arrivals = \"all\""), ArrivalRows::All);
        assert_eq!(rows("block_arrivals = \"none\""), ArrivalRows::None);
        let window = "block_arrivals_from = 5\nblock_arrivals_until = 9";
        assert_eq!(rows(window), ArrivalRows::Slots(5..=9));
        assert_eq!(rows("block_arrivals_from = 5"), ArrivalRows::Slots(5..=u32::MAX));
        assert_eq!(rows("block_arrivals_until = 9"), ArrivalRows::Slots(0..=9));
    }
}
