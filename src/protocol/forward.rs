//! Protocol layer: Gulf Stream: how transactions wait at nodes, and how they reach the leaders that
//! can put them into a block.
//!
//! Sources of the rules: the tutorial chapter (leaders of the next three slots, or random peers)
//! and Agave (`send-transaction-service`: present and next leader, retries every two seconds until
//! the transaction expires, a pool of 10,000; `core/src/banking_stage/decision_maker.rs`: who is
//! about to lead holds what it has).

mod config;
mod flooded;
mod liar;
mod message;
mod pending;

use std::collections::VecDeque;

pub use self::config::{Config, Mode};
use self::flooded::Flooded;
pub use self::message::{Message, Timer};
use super::block::Block;
use super::cluster::Cluster;
use super::contacts::Contacts;
use super::leading::Registry;
use super::ledger::{AccountId, Transaction, TransactionId};
use super::mempool::{self, Mempool};
use crate::base::id::NodeId;
use crate::base::rng::{Purpose, Rng, Seed};
use crate::base::slot::Slot;
use crate::base::time::Time;
use crate::fact::{Fact, Step};
use crate::sim::body::BodyId;
use crate::sim::protocol::{Context, Shelf};

/// Everything this part asks of its node.
pub trait Ctx: Context<Message, Timer> + Shelf<Transaction> + Shelf<Block> {}
impl<C: Context<Message, Timer> + Shelf<Transaction> + Shelf<Block>> Ctx for C {}

/// What a client hands to a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Submission {
    /// A transaction.
    New {
        /// Its number: 0, 1, 2 ... in the order of the workload.
        number: u32,
        /// Who pays.
        sender: AccountId,
        /// Who is paid.
        receiver: AccountId,
        /// How much.
        amount: u64,
        /// Bytes of further data.
        data: u32,
        /// Whether the signature is the sender's.
        honest: bool,
    },
    /// Once more the last transaction that came in at this node, byte for byte.
    Repeat,
}

/// What a node looks at when it deals with a transaction.
pub struct Desk<'a> {
    /// What all nodes know.
    pub cluster: &'a mut Cluster,
    /// What the node knows of others.
    pub contacts: Contacts<'a>,
    /// How it finds out who leads.
    pub registry: Registry,
    /// The slot it is in.
    pub slot: Slot,
    /// The block it builds on; `None` for genesis.
    pub head: Option<BodyId>,
}

impl Desk<'_> {
    fn block<'a>(&'a self, ctx: &'a impl Ctx) -> &'a Block {
        self.head.map_or(&self.cluster.genesis, |body| ctx.body(body))
    }
}

/// One of the node's own transactions, to be sent again.
#[derive(Clone, Copy, Debug)]
struct Retry {
    due: Time,
    id: TransactionId,
    born: u32,
}

/// The transactions that wait at a node, and its part in passing them on.
pub struct Forward {
    config: Config,
    pool: Mempool,
    flooded: Flooded,
    /// The node's own ones, the next to be sent first.
    retries: VecDeque<Retry>,
    /// Whether an alarm is set for them.
    alarmed: bool,
    /// The last transaction that came in from a client, which remembers it over crashes of the
    /// node.
    last: Option<Transaction>,
    rng: Rng,
    targets: Vec<NodeId>,
    chosen: Vec<NodeId>,
    places: Vec<u32>,
}

impl Forward {
    /// A node at which nothing waits.
    #[must_use]
    pub fn new(config: Config, pool: mempool::Config, seed: Seed, me: NodeId) -> Self {
        Self {
            config,
            pool: Mempool::new(pool),
            flooded: Flooded::default(),
            retries: VecDeque::new(),
            alarmed: false,
            last: None,
            rng: Rng::of_node(seed, Purpose::Forwarding, me),
            targets: Vec::new(),
            chosen: Vec::new(),
            places: Vec::new(),
        }
    }

    /// The transactions that wait.
    #[must_use]
    pub const fn pool(&self) -> &Mempool {
        &self.pool
    }

    /// The same, to take some out for a block.
    pub const fn pool_mut(&mut self) -> &mut Mempool {
        &mut self.pool
    }

    /// A client hands something in: the node checks it against its own ledger, and if that accepts
    /// it, takes it in and sends it on.
    pub fn on_input(&mut self, desk: &mut Desk<'_>, ctx: &mut impl Ctx, submission: Submission) {
        let Some(transaction) = self.transaction(desk, ctx, submission) else { return };
        let leads = self.leads_within(desk, ctx, self.config.lookahead);
        if !self.admit(desk, ctx, transaction, leads, true) {
            return;
        }
        if self.config.mode == Mode::Gossip {
            self.flooded.insert(transaction.id, transaction.born);
        }
        self.send_own(desk, ctx, transaction);
        if self.config.mode != Mode::Off
            && !self.config.retry.is_zero()
            && self.retries.len() < self.config.pool as usize
        {
            let due = ctx.now().saturating_add(self.config.retry);
            self.retries.push_back(Retry { due, id: transaction.id, born: transaction.born });
            self.set_alarm(ctx);
        }
    }

    /// The transaction that a client hands in: it names the block that this node builds on.
    fn transaction(
        &mut self,
        desk: &mut Desk<'_>,
        ctx: &mut impl Ctx,
        submission: Submission,
    ) -> Option<Transaction> {
        let Submission::New { number, sender, receiver, amount, data, honest } = submission else {
            return self.last;
        };
        let node = ctx.me();
        let transaction = Transaction {
            id: TransactionId::new(node, number),
            sender,
            receiver,
            amount,
            born: desk.block(ctx).height,
            data,
            valid: false,
        };
        let transaction = desk.cluster.accounts.sign(transaction, honest);
        let step = Step::Submitted { size: transaction.bytes() };
        ctx.observe(Fact::Transaction { node, transaction: number, step });
        self.last = Some(transaction);
        Some(transaction)
    }

    /// Another node sent a transaction.
    pub fn on_message(
        &mut self,
        desk: &mut Desk<'_>,
        ctx: &mut impl Ctx,
        from: NodeId,
        Message { body, hops }: Message,
    ) {
        let transaction = *Shelf::<Transaction>::body(ctx, body);
        let leads = self.leads_within(desk, ctx, self.config.lookahead);
        if !self.admit(desk, ctx, transaction, leads, false) {
            return;
        }
        let sends = match self.config.mode {
            Mode::Leaders => self.config.relay && hops == 1 && !leads,
            Mode::Gossip => self.flooded.insert(transaction.id, transaction.born),
            Mode::Random | Mode::Off => false,
        };
        if sends {
            self.choose(desk, ctx, Some(from), transaction);
            self.dispatch(ctx, Message { body, hops: hops.saturating_add(1) });
        }
    }

    /// The alarm: sends again what is due and still waits, and forgets what has expired.
    pub fn on_timer(&mut self, desk: &mut Desk<'_>, ctx: &mut impl Ctx) {
        self.alarmed = false;
        let now = ctx.now();
        while let Some(retry) = self.retries.front().copied()
            && retry.due <= now
        {
            self.retries.pop_front();
            if desk.block(ctx).bank.is_too_old(retry.born) {
                continue;
            }
            if let Some(transaction) = self.pool.get(retry.id).copied() {
                self.send_own(desk, ctx, transaction);
            }
            // A block that holds it may yet be left for another fork.
            let due = now.saturating_add(self.config.retry);
            self.retries.push_back(Retry { due, ..retry });
        }
        self.set_alarm(ctx);
    }

    fn set_alarm(&mut self, ctx: &mut impl Ctx) {
        let first = self.retries.front().filter(|_| !self.alarmed);
        if let Some(first) = first {
            ctx.after(first.due.since(ctx.now()), Timer);
            self.alarmed = true;
        }
    }

    /// Sends a transaction of the node's own, unless the node is about to lead itself.
    fn send_own(&mut self, desk: &mut Desk<'_>, ctx: &mut impl Ctx, transaction: Transaction) {
        let holds =
            self.config.mode == Mode::Leaders && self.leads_within(desk, ctx, self.config.hold);
        if self.config.mode == Mode::Off || holds {
            return;
        }
        self.choose(desk, ctx, None, transaction);
        if !self.targets.is_empty() {
            let body = ctx.store(transaction);
            self.dispatch(ctx, Message { body, hops: 1 });
        }
    }

    /// Whether the node leads one of the next slots, in its own eyes.
    fn leads_within(&self, desk: &mut Desk<'_>, ctx: &impl Ctx, slots: u32) -> bool {
        let (me, mut leads) = (ctx.me(), false);
        if desk.cluster.is_validator(me) {
            let window = (desk.slot.next(), slots);
            let each = |_, leader| leads |= leader == me;
            desk.contacts.leaders(desk.registry, desk.cluster, window, each);
        }
        leads
    }

    /// Chooses whom a transaction goes to, and says so. It came from `from`.
    fn choose(
        &mut self,
        desk: &mut Desk<'_>,
        ctx: &mut impl Ctx,
        from: Option<NodeId>,
        transaction: Transaction,
    ) {
        self.targets.clear();
        let strangers = match self.config.mode {
            Mode::Leaders => self.choose_leaders(desk, ctx, from),
            Mode::Gossip | Mode::Random => {
                self.choose_peers(desk.contacts, self.config.fanout(), from);
                0
            }
            Mode::Off => 0,
        };
        let copies = self.targets.len() as u32;
        if copies > 0 || strangers > 0 {
            let step = Step::Forwarded { copies, strangers };
            let (node, transaction) = (ctx.me(), transaction.id.serial());
            ctx.observe(Fact::Transaction { node, transaction, step });
        }
    }

    /// Chooses the leaders of the coming slots, and for each whose address the node does not know a
    /// random peer in its place. Says how many of these there are.
    fn choose_leaders(
        &mut self,
        desk: &mut Desk<'_>,
        ctx: &mut impl Ctx,
        from: Option<NodeId>,
    ) -> u32 {
        let (node, mut strangers) = (ctx.me(), 0);
        let (targets, seen) = (&mut self.targets, &mut self.chosen);
        seen.clear();
        let contacts = desk.contacts;
        let window = (desk.slot.next(), self.config.lookahead);
        contacts.leaders(desk.registry, desk.cluster, window, |slot, leader| {
            ctx.observe(Fact::LeaderPredicted { node, slot, leader });
            if leader == node || Some(leader) == from || seen.contains(&leader) {
                return;
            }
            seen.push(leader);
        });
        for leader in seen.drain(..) {
            if contacts.knows(desk.cluster, leader) {
                targets.push(leader);
            } else {
                strangers += 1;
            }
        }
        if strangers > 0 {
            self.choose_peers(contacts, Some(strangers), from);
        }
        strangers
    }

    /// Adds random peers, or all of them, to those that a transaction goes to.
    fn choose_peers(&mut self, contacts: Contacts<'_>, count: Option<u32>, from: Option<NodeId>) {
        let peers = contacts.peers;
        let Some(count) = count else {
            self.targets.extend(peers.iter().filter(|peer| Some(*peer) != from));
            return;
        };
        // One more than needed, in case the sender is drawn.
        let wanted = count as usize + self.targets.len() + usize::from(from.is_some());
        peers.sample(&mut self.rng, wanted, &mut self.chosen, &mut self.places);
        let fresh = self.chosen.iter().filter(|peer| Some(**peer) != from);
        let fresh: Vec<NodeId> = fresh
            .filter(|peer| !self.targets.contains(peer))
            .take(count as usize)
            .copied()
            .collect();
        self.targets.extend(fresh);
    }

    fn dispatch(&self, ctx: &mut impl Ctx, message: Message) {
        self.targets.iter().for_each(|&to| ctx.send(to, message));
    }
}
