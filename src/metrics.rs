//! Metrics layer, beside the simulator: what a run is measured by. It listens to facts and never
//! steers; it knows neither the kernel nor a protocol, only `base` and the facts they state.
//!
//! The [`Recorder`] hands every fact to the collectors it concerns. One collector is one file: the
//! declaration of its table, its state, an `on_...` function per fact it counts, `fill`, which
//! writes the rows that are left when the run is over, and its part of the [`Summary`]. A new
//! collector is therefore that file and, in this one, a field of the recorder, an arm where its
//! facts are dealt out, a call of `fill`, a field of the summary and an entry of [`TABLES`].
//!
//! Outcomes of messages come by the million per second: their arms only increment numbers in
//! arrays. Everything else may take its time, within reason, but memory stays bounded: by nodes
//! (squared for the registry), never by messages.

mod adversaries;
mod blocks;
pub mod catalogue;
mod chain;
mod consensus;
mod convergence;
mod deliveries;
mod faults;
mod figures;
pub mod invariant;
mod node_timeline;
mod nodes;
mod peers;
mod plan;
mod repair;
mod rumors;
mod spread;
pub mod table;
mod ticks;
mod timeline;
mod topology;
mod traffic;
mod transactions;
mod values;

use serde::Serialize;

use self::adversaries::Adversaries;
use self::blocks::Blocks;
use self::consensus::Consensus;
use self::convergence::Convergence;
use self::deliveries::Deliveries;
use self::faults::Faults;
use self::node_timeline::NodeTimeline;
use self::nodes::Nodes;
use self::peers::Peers;
use self::repair::Repair;
use self::rumors::{Meant, Rumors};
use self::table::{RowSink, TableSpec};
use self::timeline::{Progress, Timeline};
use self::traffic::Traffic;
use self::transactions::Transactions;
use self::values::Values;
use crate::base::id::{NodeId, NodeMap};
use crate::base::time::{Span, Time};
use crate::fact::{Census, Fact, Observer, World};

pub use adversaries::{ADVERSARIES, AdversariesSummary, Noticed};
pub use blocks::{
    ArrivalsSummary, BLOCK_ARRIVALS, BLOCKS, BlocksSummary, ConfirmationSummary, RefusedBlocks,
    SLOTS, ShredsSummary, SlotsSummary,
};
pub use chain::ChainSummary;
pub use consensus::{
    ConsensusSummary, ConsensusVerdict, FORK_STAKE, FORKS, ForksSummary, NotJudged, Reunion,
    RootsSummary, VOTES, VotesSummary, WithheldCounts,
};
pub use convergence::{CONVERGENCE, Heal, RegistrySummary};
pub use deliveries::{DELIVERIES, DeliveriesSummary};
pub use faults::{FAULTS, FaultsSummary};
pub use figures::Latency;
pub use invariant::InvariantsSummary;
pub use node_timeline::NODE_TIMELINE;
pub use nodes::{NODES, NodesSummary};
pub use peers::{PEERS, PeersSummary};
pub use plan::{
    AdversaryInfo, ArrivalRows, DeliveryRows, FaultInfo, NodeInfo, RecorderPlan, SlotTimes,
};
pub use repair::{REPAIR, RepairSummary};
pub use rumors::{RUMORS, RumorsSummary};
pub use spread::{TimeToShare, TimesToShares};
pub use timeline::TIMELINE;
pub use topology::TOPOLOGY;
pub use traffic::{Conservation, DropCounts, Flow, MESSAGES, SentCounts};
pub use transactions::{LostCounts, RefusedCounts, TRANSACTIONS, TransactionsSummary};
pub use values::{GOSSIP_VALUES, ValueCounts, ValuesSummary};

/// All tables of a run, in the order in which people read them.
pub const TABLES: &[&TableSpec] = &[
    &MESSAGES,
    &NODES,
    &TIMELINE,
    &NODE_TIMELINE,
    &RUMORS,
    &DELIVERIES,
    &TRANSACTIONS,
    &BLOCKS,
    &BLOCK_ARRIVALS,
    &SLOTS,
    &VOTES,
    &FORKS,
    &FORK_STAKE,
    &CONVERGENCE,
    &GOSSIP_VALUES,
    &FAULTS,
    &ADVERSARIES,
    &REPAIR,
    &PEERS,
    &TOPOLOGY,
];

/// Key figures of a run: whole numbers only, fields in this order, `None` for what never happened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Summary {
    /// When the run ended.
    pub end_ns: u64,
    /// Messages of all kinds and what became of them.
    pub messages: Flow,
    /// Their bytes on the wire.
    pub bytes: Flow,
    /// Sent messages by kind.
    pub sent: SentCounts,
    /// Dropped messages by reason.
    pub dropped: DropCounts,
    /// From hand-over to delivery, over messages of all kinds.
    pub latency: Latency,
    /// Whether no message vanished.
    pub conservation: Conservation,
    /// Coming and going of nodes.
    pub nodes: NodesSummary,
    /// Changes of peers.
    pub peers: PeersSummary,
    /// The validator registry; `None` if it is not spread by gossip.
    pub registry: Option<RegistrySummary>,
    /// Values of gossip by Solana's rules; `None` without it.
    pub gossip_values: Option<ValuesSummary>,
    /// Rumors.
    pub rumors: RumorsSummary,
    /// Repair; `None` if nobody repairs anything.
    pub repair: Option<RepairSummary>,
    /// Rows of `deliveries.csv`.
    pub deliveries: DeliveriesSummary,
    /// Transactions; `None` if the workload has none.
    pub transactions: Option<TransactionsSummary>,
    /// Blocks; `None` if none are made in such a run.
    pub blocks: Option<BlocksSummary>,
    /// Votes, forks and roots; `None` if nobody votes.
    pub consensus: Option<ConsensusSummary>,
    /// Faults.
    pub faults: FaultsSummary,
    /// Adversaries; `None` if there are none.
    pub adversaries: Option<AdversariesSummary>,
    /// What the watch over invariants found; filled in by whoever watches.
    pub invariants: InvariantsSummary,
    /// Streams of the workload of which nothing came; filled in by whoever knows the scenario.
    pub workload: WorkloadSummary,
}

/// Streams of rumors of which nothing came, by their places in the scenario.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct WorkloadSummary {
    /// Due after the end of the run.
    pub absent: Vec<u32>,
    /// Drawn at random, and chance drew nothing.
    pub absent_by_chance: Vec<u32>,
}

impl Summary {
    /// The keys in order and what they mean, each one line of Markdown; the last two are found out
    /// after the run.
    pub const KEYS: &'static [(&'static str, &'static str)] = &[
        ("end_ns", "when the run ended"),
        ("messages", "messages of all kinds: sent, duplicated, delivered, dropped, in flight"),
        ("bytes", "the same in bytes on the wire"),
        ("sent", "sent messages by kind"),
        ("dropped", "dropped messages by reason"),
        ("latency", "from hand-over to delivery, to within 1/256"),
        ("conservation", "whether sent + duplicated = delivered + dropped + in flight"),
        ("nodes", "nodes, how many are up at the end, starts and crashes"),
        ("peers", "how often a peer was added, given up, refused or given up for good"),
        ("registry", "who knows the validators and when all did; null without gossip of them"),
        (
            "gossip_values",
            "how far values of gossip by Solana's rules spread and how redundantly; null without it",
        ),
        ("rumors", "how far and how fast rumors spread"),
        ("repair", "requests for missing shreds and what they brought; null without repair"),
        ("deliveries", "rows of `deliveries.csv`, and first receipts that have none"),
        ("transactions", "how many ended where, and how fast; null without such a workload"),
        ("blocks", "how blocks spread, skipped slots and forks; null in a run without blocks"),
        ("consensus", "votes, forks, roots and agreement after heals; null in a run without votes"),
        ("faults", "how many had an effect, and the places of those that had none"),
        ("adversaries", "how many acted, and what honest nodes noticed; null if there are none"),
        ("invariants", "the first that was broken, when, and what happened"),
        ("workload", "places of streams of rumors of which nothing came"),
        ("stopped", "why a limit ended the run early; null if none did"),
        ("verdict", "the outcome, and how many expectations held, broke or were not exercised"),
    ];
}

/// What the recorder is told when a run is over.
#[derive(Clone, Copy)]
pub struct Ending<'a> {
    /// The moment reached; earlier than planned if the run was ended early.
    pub end: Time,
    /// The world at that moment, after all its events.
    pub world: &'a World,
    /// The nodes at that moment.
    pub census: &'a dyn Census,
    /// How long uplink and downlink of each node were at work, `None` for an infinitely fast one.
    pub busy: &'a NodeMap<[Option<Span>; 2]>,
    /// Exposed and affected of each fault, in the order of the plan.
    pub tallies: &'a [(u64, u64)],
    /// Messages under way and their bytes, counted one by one and not from facts.
    pub in_flight: (u64, u64),
}

/// Listens to a run, writes its tables and sums it up.
pub struct Recorder<S: RowSink> {
    sink: S,
    traffic: Traffic,
    nodes: Nodes,
    rumors: Rumors,
    deliveries: Deliveries,
    transactions: Option<Transactions>,
    blocks: Option<Blocks>,
    /// Only where there are blocks.
    consensus: Option<Consensus>,
    convergence: Option<Convergence>,
    values: Option<Values>,
    faults: Faults,
    adversaries: Option<Adversaries>,
    repair: Option<Repair>,
    peers: Peers,
    timeline: Timeline,
    node_timeline: NodeTimeline,
}

impl<S: RowSink> Recorder<S> {
    /// A recorder that has heard nothing yet.
    #[must_use]
    pub fn new(mut plan: RecorderPlan, sink: S) -> Self {
        let (count, end, blocks) = (plan.nodes.len(), plan.end, plan.blocks);
        let stakes = NodeMap::build(count, |node| plan.nodes[node].stake);
        Self {
            sink,
            traffic: Traffic::new(),
            transactions: (plan.transaction_window > 0)
                .then(|| Transactions::new(stakes.clone(), plan.transaction_window)),
            convergence: plan.gossip.then(|| Convergence::new(&stakes)),
            consensus: (blocks && plan.votes).then(|| Consensus::new(&plan, stakes.clone())),
            blocks: blocks.then(|| Blocks::new(&mut plan, stakes.clone())),
            repair: plan.repair.then(|| Repair::new(count)),
            values: plan.gossip_values.then(|| Values::new(plan.timeline)),
            adversaries: (!plan.adversaries.is_empty())
                .then(|| Adversaries::new(plan.adversaries, count, stakes.values().sum())),
            nodes: Nodes::new(plan.nodes),
            rumors: Rumors::new(stakes, plan.rumor_window),
            deliveries: Deliveries::new(plan.deliveries),
            faults: Faults::new(plan.faults),
            peers: Peers::new(plan.peers_at, plan.peers_at_end, end, count),
            timeline: Timeline::new(plan.timeline, end, count),
            node_timeline: NodeTimeline::new(plan.node_timeline, end, count, blocks),
        }
    }

    /// Where rows go, for instance to ask whether writing has failed.
    pub const fn sink(&self) -> &S {
        &self.sink
    }

    /// The run is over: writes all that is left and gives the key figures and the sink.
    ///
    /// # Panics
    /// If there is not one tally per fault, or not one pair of busy times per node.
    pub fn finish(mut self, ending: &Ending<'_>) -> (Summary, S) {
        let Ending { end, world, census, busy, tallies, .. } = *ending;
        if self.timeline.ticks.take_end(end) {
            self.sample_cluster(end, world, census);
        }
        let sink = &mut self.sink;
        if self.node_timeline.ticks.take_end(end) {
            self.node_timeline.rows(end, census, sink);
        }
        self.traffic.fill(sink);
        self.nodes.fill(end, busy, census, sink);
        self.rumors.fill(sink);
        if let Some(transactions) = &mut self.transactions {
            transactions.fill(sink);
        }
        let blocks = self.blocks.as_mut().map(|blocks| blocks.fill(end, sink));
        if let Some(convergence) = &mut self.convergence {
            convergence.fill(sink);
        }
        let consensus = self.consensus.as_mut().zip(self.blocks.as_ref());
        let consensus = consensus.map(|(consensus, blocks)| consensus.fill(end, blocks, sink));
        if let Some(repair) = &self.repair {
            repair.fill(sink);
        }
        if let Some(values) = &mut self.values {
            values.fill(end, sink);
        }
        self.peers.fill(end, census, sink);
        let faults = self.faults.fill(tallies, sink);
        let adversaries = self.adversaries.as_ref().map(|all| all.fill(end, census, sink));
        (self.summary(ending, (blocks, consensus), (faults, adversaries)), self.sink)
    }

    fn summary(
        &self,
        ending: &Ending<'_>,
        (blocks, consensus): (Option<BlocksSummary>, Option<ConsensusSummary>),
        (faults, adversaries): (FaultsSummary, Option<AdversariesSummary>),
    ) -> Summary {
        let [mut messages, mut bytes] = self.traffic.flows();
        (messages.in_flight, bytes.in_flight) = ending.in_flight;
        Summary {
            end_ns: ending.end.as_nanos(),
            messages,
            bytes,
            sent: self.traffic.sent(),
            dropped: self.traffic.dropped(),
            latency: self.traffic.latency(),
            conservation: Conservation::of(&messages, &bytes),
            nodes: self.nodes.summary(ending.world.up),
            peers: self.peers.summary(),
            registry: self.convergence.as_ref().map(Convergence::summary),
            gossip_values: self.values.as_ref().map(Values::summary),
            rumors: self.rumors.summary(),
            repair: self.repair.as_ref().map(Repair::summary),
            deliveries: self.deliveries.summary(),
            transactions: self.transactions.as_ref().map(Transactions::summary),
            blocks,
            consensus,
            faults,
            invariants: InvariantsSummary::default(),
            workload: WorkloadSummary::default(),
            adversaries,
        }
    }

    fn sample_cluster(&mut self, at: Time, world: &World, census: &dyn Census) {
        let registry = self.convergence.as_ref().map(Convergence::progress);
        let [messages, _] = self.traffic.flows();
        let (rumors, rumor_receipts) = self.rumors.progress();
        let progress = Progress {
            messages,
            registry_known: registry.map(|(known, _)| known),
            registry_agreement_ppm: registry.and_then(|(_, agreement)| agreement),
            rumors,
            rumor_receipts,
            blocks: self.blocks.as_ref().map(Blocks::progress),
        };
        self.timeline.row(at, world, census, &progress, &mut self.sink);
        if let (Some(consensus), Some(blocks)) = (&self.consensus, &self.blocks) {
            consensus.sample(at, blocks.chain(), &mut self.sink);
        }
    }

    /// Deals out the facts that are too rare to matter for speed.
    #[inline(never)]
    fn on_rare_fact(&mut self, at: Time, fact: &Fact) {
        self.on_chain_fact(at, fact);
        let registry = self.convergence.as_mut();
        match *fact {
            Fact::NodeUp { node } => {
                self.nodes.on_up();
                self.values.iter_mut().for_each(Values::on_up);
                registry.into_iter().for_each(|known| known.on_up(at, node));
            }
            Fact::NodeDown { node, forgets } => {
                self.nodes.on_down(node);
                self.values.iter_mut().for_each(Values::on_down);
                registry.into_iter().for_each(|known| known.on_down(at, node, forgets));
            }
            Fact::FaultBegan { fault } => self.faults.on_began(fault),
            Fact::FaultEnded { fault } if self.faults.heals(fault) => {
                registry.into_iter().for_each(|known| known.on_healed(at, fault));
            }
            Fact::PeerAdded { .. } => self.peers.on_added(),
            Fact::PeerDropped { .. } => self.peers.on_dropped(),
            Fact::Published { node, version } => {
                registry.into_iter().for_each(|known| known.on_known(at, node, node, version));
            }
            Fact::Learned { node, about, version, .. } => {
                registry.into_iter().for_each(|known| known.on_known(at, node, about, version));
            }
            Fact::InputMissed { .. } => self.rumors.on_missed(),
            Fact::RumorInjected { node, rumor, size, audience, direct } => {
                let meant = Meant { audience, direct };
                self.rumors.on_injected(at, node, (rumor, size, meant), &mut self.sink);
            }
            Fact::RepairRequested { .. }
            | Fact::RepairServed { .. }
            | Fact::RepairRefused { .. }
            | Fact::RepairAnswered { .. } => self.on_repair_fact(fact),
            Fact::ValuePublished { .. } | Fact::PruneSent { .. } => self.on_value_fact(at, fact),
            // The rest is dealt out before, or concerns nobody here.
            Fact::FaultEnded { .. }
            | Fact::Sent(_)
            | Fact::Duplicated(_)
            | Fact::Delivered { .. }
            | Fact::Dropped { .. }
            | Fact::ValueReceived { .. }
            | Fact::RumorReceived { .. }
            | Fact::BlockMade { .. }
            | Fact::BlockSize { .. }
            | Fact::BlockAudited { .. }
            | Fact::LeadDeclined { .. }
            | Fact::BlockFirstShred { .. }
            | Fact::BlockWhole { .. }
            | Fact::ShredsCounted { .. }
            | Fact::BlockSent { .. }
            | Fact::BlockExpired { .. }
            | Fact::BlockMiscoded { .. }
            | Fact::HeadChanged { .. }
            | Fact::BlockRefused { .. }
            | Fact::Transaction { .. }
            | Fact::VoteCast { .. }
            | Fact::VoteWithheld { .. }
            | Fact::VoteLanded { .. }
            | Fact::Rooted { .. }
            | Fact::BlockConfirmed { .. }
            | Fact::EquivocationProven { .. }
            | Fact::Lied { .. }
            | Fact::OffenceNoticed { .. }
            | Fact::LeaderPredicted { .. } => {}
        }
    }
}

impl<S: RowSink> Recorder<S> {
    /// Facts of blocks and of votes, and what matters to those who make them.
    fn on_chain_fact(&mut self, at: Time, fact: &Fact) {
        if let Some(transactions) = &mut self.transactions {
            transactions.on_fact(at, fact, &mut self.sink);
        }
        if let Some(adversaries) = &mut self.adversaries {
            adversaries.on_fact(fact);
        }
        let Some(blocks) = &mut self.blocks else { return };
        blocks.on_fact(at, fact, &mut self.sink);
        let Some(consensus) = &mut self.consensus else { return };
        consensus.on_fact(at, fact, blocks.chain());
        if let Fact::FaultEnded { fault } = *fact
            && self.faults.heals(fault)
        {
            consensus.on_healed(at, fault, blocks.chain());
        }
    }

    fn on_value_fact(&mut self, at: Time, fact: &Fact) {
        let Some(values) = &mut self.values else { return };
        match *fact {
            Fact::ValuePublished { value, kind, size, .. } => {
                values.on_published(at, value, (kind, size), &mut self.sink);
            }
            Fact::PruneSent { origins, .. } => values.on_prune(at, origins, &mut self.sink),
            _ => {}
        }
    }

    fn on_repair_fact(&mut self, fact: &Fact) {
        let Some(repair) = &mut self.repair else { return };
        match *fact {
            Fact::RepairRequested { node, kind, shreds, .. } => {
                repair.on_requested(node, kind, shreds);
            }
            Fact::RepairServed { node, shreds, bytes } => repair.on_served(node, shreds, bytes),
            Fact::RepairRefused { node, reason } => repair.on_refused(node, reason),
            Fact::RepairAnswered { node, fresh } => repair.on_answered(node, fresh),
            _ => {}
        }
    }
}

impl<S: RowSink> Observer for Recorder<S> {
    #[inline]
    fn on_fact(&mut self, at: Time, fact: &Fact) {
        match *fact {
            Fact::Sent(message) => {
                self.traffic.on_sent(message);
                self.nodes.on_sent(message);
            }
            Fact::Duplicated(message) => self.traffic.on_duplicated(message),
            Fact::Delivered { message, flight } => {
                self.traffic.on_delivered(message, flight);
                self.nodes.on_delivered(at, message);
            }
            Fact::Dropped { message, reason } => {
                self.traffic.on_dropped(message, reason);
                self.nodes.on_dropped(message);
            }
            Fact::RumorReceived { node, rumor, from, hops, first } => {
                if let Some(receipt) = self.rumors.on_received(at, node, rumor, hops, first) {
                    let what = (rumor, node, from, hops);
                    self.deliveries.on_received(at, what, receipt, &mut self.sink);
                }
            }
            Fact::ValueReceived { value, hops, pushed, first, .. } => {
                if let Some(values) = &mut self.values {
                    values.on_received(at, value, hops, (pushed, first));
                }
            }
            _ => self.on_rare_fact(at, fact),
        }
    }

    #[inline]
    fn fetch(&self, to: NodeId) {
        self.nodes.fetch(to);
    }

    fn next_sample(&self) -> Option<Time> {
        let ticks = [self.timeline.ticks.next(), self.node_timeline.ticks.next()];
        ticks.into_iter().chain([self.peers.next()]).flatten().min()
    }

    fn on_sample(&mut self, at: Time, world: &World, census: &dyn Census) {
        if self.timeline.ticks.take(at) {
            self.sample_cluster(at, world, census);
        }
        if self.node_timeline.ticks.take(at) {
            self.node_timeline.rows(at, census, &mut self.sink);
        }
        self.peers.on_sample(at, census, &mut self.sink);
    }
}

#[cfg(test)]
mod tests;
