//! Protocol layer: what a leader puts into its block, and what becomes known of it.

use super::{BlocksConfig, Content, Ctx, Desk, Leading, Made, Start};
use crate::base::id::NodeId;
use crate::base::slot::Slot;
use crate::base::time::Span;
use crate::fact::{Decline, Fact, Loss, SPAM, Step};
use crate::protocol::adversary::{Forgery, Plot};
use crate::protocol::block::{Block, Erasure, Shape};
use crate::protocol::cluster::Cluster;
use crate::protocol::ledger::{self, AccountId, Transaction, TransactionId};
use crate::protocol::mempool::Mempool;
use crate::protocol::price::Work;
use crate::protocol::vote::{VOTE_BYTES, Vote};

impl Leading {
    /// Makes the block of a slot, or says why not.
    pub(super) fn lead(
        &mut self,
        desk: &mut Desk<'_>,
        ctx: &mut impl Ctx,
        slot: Slot,
        length: Span,
    ) -> Option<Made> {
        let (node, head) = (ctx.me(), *self.chain.head());
        let window = self.slots.schedule().window();
        // A liar that tells different nodes different things does not wait for all of them.
        let forgetful = desk.consensus.as_ref().is_some_and(|consensus| consensus.is_waiting());
        let waits = desk.liar.as_ref().is_none_or(|liar| !liar.votes_twice(ctx.now()));
        let leads_again = !waits
            || desk.consensus.as_mut().is_none_or(|consensus| {
                consensus.may_lead(desk.cluster, &self.chain, head.id, (slot, window, ctx.now()))
            });
        let declined = if head.next_slot > slot {
            Some(Decline::Passed)
        } else if forgetful {
            Some(Decline::NothingRooted)
        } else if desk.store.of_slot(slot).is_some() {
            Some(Decline::HasShreds)
        } else if !leads_again {
            Some(Decline::Unpropagated)
        } else {
            None
        };
        if let Some(reason) = declined {
            ctx.observe(Fact::LeadDeclined { node, slot, reason });
            return None;
        }
        let plot = desk.liar.as_deref_mut().map_or_else(Plot::default, |liar| liar.plot(ctx));
        if plot.silent {
            ctx.observe(Fact::LeadDeclined { node, slot, reason: Decline::Silent });
            return None;
        }
        let (slot, spoil) = match plot.forgery {
            Some(Forgery::Leader) => (not_led(desk.cluster, node, (slot, window)), None),
            Some(Forgery::Transactions) => (slot, Some(forged(desk.cluster, node, head.height))),
            Some(Forgery::Hash) | None => (slot, None),
        };
        let parent = head.body.map_or(&desk.cluster.genesis, |body| ctx.body(body));
        let votes = desk.consensus.as_mut().map_or_else(Vec::new, |consensus| {
            consensus.landing(desk.cluster, &self.chain, &head, parent)
        });
        let (content, expired) = self.blocks.content(parent, slot, desk.pool, votes);
        let content = spoil.into_iter().fold(content, ledger::Content::spoilt);
        let twin = plot.twin.then(|| content.clone().changed());
        let make = |content| self.make(desk.cluster, (parent, node, slot), content, plot);
        let (block, twin) = (make(content), twin.map(make));
        let audit = block.audit(parent);
        charge(desk.cluster, ctx, &block);
        announce(ctx, node, &block, &expired);
        ctx.observe(Fact::BlockAudited { node, block: block.id().0, audit });
        let id = block.id();
        let body = ctx.store(block);
        ctx.hold(body);
        desk.store.insert_own(body, slot, id);
        if let Some(consensus) = &mut desk.consensus {
            consensus.on_made(node, (slot, id), ctx.now());
        }
        let twin = twin.map(|twin| {
            charge(desk.cluster, ctx, &twin);
            announce_twin(ctx, node, &twin);
            ctx.store(twin)
        });
        Some(Made { body, twin, length, ticks: self.slots.start == Start::Poh })
    }

    /// The block of a slot with this content, as its leader wants it to be.
    fn make(
        &self,
        cluster: &Cluster,
        (parent, node, slot): (&Block, NodeId, Slot),
        content: ledger::Content,
        plot: Plot,
    ) -> Block {
        let hashes = self.slots.hashes_per_slot;
        let ledger = ledger::Block::produce(&parent.ledger, slot, node, content, hashes);
        let ledger = if plot.false_poh { ledger.with_false_poh() } else { ledger };
        let ledger = match plot.forgery {
            Some(Forgery::Hash) => ledger.with_false_hash(),
            _ => ledger,
        };
        let shape = self.blocks.shape(&ledger);
        let block = Block::upon(parent, ledger, shape, cluster.crypto, hashes).counted(
            parent,
            &cluster.ballots,
            &cluster.electorate,
        );
        match self.blocks.erasure {
            Erasure::Counted => block,
            Erasure::Real => block.with_bytes(&self.blocks.cut),
        }
    }
}

/// How far a liar looks for a slot that somebody else leads.
const AHEAD: u32 = 1_000;

/// The next slot, after as many as a window has, that somebody else leads; the same slot if none is
/// in sight.
fn not_led(cluster: &mut Cluster, node: NodeId, (slot, window): (Slot, u32)) -> Slot {
    // In steps of a window, so that slots of one window are not taken for the same one.
    let mut ahead = (window..=AHEAD).step_by(window as usize).map(|ahead| slot.plus(ahead));
    let other = |slot: &Slot| cluster.schedule.leader(*slot).is_some_and(|leader| leader != node);
    ahead.find(other).unwrap_or(slot)
}

/// A transaction that no ledger accepts, because its signature is forged.
fn forged(cluster: &mut Cluster, node: NodeId, born: u32) -> Transaction {
    let transaction = Transaction {
        id: TransactionId::new(node, u32::MAX),
        sender: AccountId(0),
        receiver: AccountId(0),
        amount: 0,
        born,
        data: 0,
        valid: false,
    };
    cluster.accounts.sign(transaction, false)
}

/// The work of making a block: it is executed and hashed, and the root of every FEC set is signed,
/// which stands for the signature of each of its shreds. Proof of history is another processor's
/// work, which goes on all the time.
fn charge(cluster: &Cluster, ctx: &mut impl Ctx, block: &Block) {
    if cluster.prices.is_free() {
        return;
    }
    let ledger = &block.ledger;
    let transactions = (ledger.transactions().len() + ledger.votes().len()) as u64;
    for work in [
        Work::Execute(transactions),
        Work::Hash(block.bytes.into()),
        Work::Sign(block.shape.sets().into()),
    ] {
        cluster.prices.charge(ctx, work);
    }
}

/// States what became known with a new block.
fn announce(ctx: &mut impl Ctx, node: NodeId, block: &Block, expired: &[Transaction]) {
    announce_twin(ctx, node, block);
    let (slot, id) = (block.slot, block.id().0);
    let transactions = block.ledger.transactions();
    let mut tell = |transaction: &Transaction, step| {
        let transaction = transaction.id.serial();
        ctx.observe(Fact::Transaction { node, transaction, step });
    };
    // What a liar has put in is nobody's transaction.
    let told = transactions.iter().filter(|it| it.id.serial() < SPAM);
    told.for_each(|it| tell(it, Step::Included { block: id }));
    expired.iter().for_each(|it| tell(it, Step::Dropped(Loss::Expired)));
    for vote in block.ledger.votes() {
        let (voter, delay) = (vote.voter, slot.since(vote.slot));
        ctx.observe(Fact::VoteLanded { block: id, voter, slot: vote.slot, delay });
    }
}

/// States that there is a block.
fn announce_twin(ctx: &mut impl Ctx, node: NodeId, block: &Block) {
    let (slot, height, shape) = (block.slot, block.height, block.shape);
    let (id, parent) = (block.id().0, block.parent_id().0);
    ctx.observe(Fact::BlockMade { node, slot, block: id, parent, height });
    ctx.observe(Fact::BlockSize {
        block: id,
        bytes: block.bytes,
        data: shape.data(),
        coding: shape.coding(),
        transactions: block.ledger.transactions().len() as u32,
    });
}

impl BlocksConfig {
    /// What the block of a slot upon `parent` holds, and which transactions turned out to be too
    /// old for it.
    fn content(
        &self,
        parent: &Block,
        slot: Slot,
        pool: &mut Mempool,
        votes: Vec<Vote>,
    ) -> (ledger::Content, Vec<Transaction>) {
        if self.content == Content::Transactions {
            let selection = pool.take(&parent.bank, slot, self.limits());
            let transactions = selection.transactions.into();
            let votes = votes.into();
            return (ledger::Content { transactions, filler: 0, votes }, selection.expired);
        }
        let (bytes, _) = self.size_in(slot);
        let taken = ledger::BLOCK_HEADER_BYTES + votes.len() as u64 * u64::from(VOTE_BYTES);
        let filler = u64::from(bytes).saturating_sub(taken);
        let votes = votes.into();
        (ledger::Content { filler, votes, ..ledger::Content::default() }, Vec::new())
    }

    /// How a block is cut.
    fn shape(&self, block: &ledger::Block) -> Shape {
        match self.content {
            Content::Transactions => {
                self.cut.shape(u32::try_from(block.bytes()).unwrap_or(u32::MAX))
            }
            // More votes than a synthetic block has room for make it larger.
            Content::Off | Content::Synthetic => {
                let (bytes, shape) = self.size_in(block.slot());
                match u32::try_from(block.bytes()) {
                    Ok(needed) if needed <= bytes => shape,
                    needed => self.cut.shape(needed.unwrap_or(u32::MAX)),
                }
            }
        }
    }
}
