//! Protocol layer: the transactions that wait at a node: what is taken in, and what becomes of it
//! when the node's chain changes or the node crashes. Every step is stated.

use super::{Ctx, Desk, Forward};
use crate::fact::{Fact, Loss, Refusal, Step};
use crate::protocol::block::Block;
use crate::protocol::chain::{Chain, Link};
use crate::protocol::ledger::{Bank, Transaction, TransactionId};
use crate::protocol::mempool::Rejection;
use crate::protocol::price::Work;
use crate::sim::body::BodyId;
use crate::sim::protocol::{Local, Shelf};

impl Forward {
    /// Takes a transaction in, unless the ledger refuses it or there is no room; true if it did.
    ///
    /// The node at which a transaction came in is `strict`: it refuses whatever its ledger would
    /// refuse at this moment. Others refuse what nothing can heal: a sender may come to money
    /// before the transaction has its turn.
    pub(super) fn admit(
        &mut self,
        desk: &Desk<'_>,
        ctx: &mut impl Ctx,
        transaction: Transaction,
        leads: bool,
        strict: bool,
    ) -> bool {
        // A client may hand in again what was evicted here; peers that do so only echo a flood.
        let echo = !strict && self.flooded.contains(transaction.id);
        if echo || self.pool.contains(transaction.id) {
            say(ctx, transaction.id, Step::Dropped(Loss::Duplicate));
            return false;
        }
        desk.cluster.prices.charge(ctx, Work::Verify(1));
        match desk.block(ctx).bank.check(&transaction) {
            Err(Refusal::ShortBalance) if !strict => {}
            Err(Refusal::Repeated) => {
                say(ctx, transaction.id, Step::Dropped(Loss::Duplicate));
                return false;
            }
            Err(reason) => {
                say(ctx, transaction.id, Step::Refused(reason));
                return false;
            }
            Ok(()) => {}
        }
        self.insert(ctx, transaction, leads)
    }

    fn insert(&mut self, ctx: &mut impl Local, transaction: Transaction, leads: bool) -> bool {
        let inserted = self.pool.insert(transaction);
        let taken = inserted.is_ok();
        let step = match &inserted {
            Ok(_) => Step::Received { leads },
            Err(Rejection::BadSignature) => Step::Refused(Refusal::BadSignature),
            Err(Rejection::Duplicate) => Step::Dropped(Loss::Duplicate),
            Err(Rejection::Full) => Step::Dropped(Loss::Full),
        };
        say(ctx, transaction.id, step);
        drop_all(ctx, &inserted.unwrap_or_default(), Loss::Evicted);
        taken
    }

    /// The node builds on another block than `left`: what the new blocks hold no longer waits, what
    /// only the abandoned ones held waits again, and what is too old now is dropped.
    pub fn on_switch(&mut self, chain: &Chain, left: &Link, ctx: &mut (impl Local + Shelf<Block>)) {
        let Some(head) = chain.head().body else { return };
        let (gone, come) = chain.since(left);
        for body in come {
            self.remove_included(ctx, body);
        }
        for body in gone {
            self.restore(ctx, body, head);
        }
        self.flooded.drop_expired(&ctx.body(head).bank);
        if !self.pool.is_empty() {
            let expired = self.pool.drop_expired(&ctx.body(head).bank);
            drop_all(ctx, &expired, Loss::Expired);
        }
    }

    fn remove_included(&mut self, ctx: &mut (impl Local + Shelf<Block>), block: BodyId) {
        if self.pool.is_empty() {
            return;
        }
        let transactions = ctx.body(block).ledger.transactions();
        let waiting = transactions.iter().filter(|it| self.pool.contains(it.id)).copied();
        let waiting: Vec<Transaction> = waiting.collect();
        self.pool.remove_included(&waiting);
        drop_all(ctx, &waiting, Loss::Included);
    }

    /// The transactions of a block that the chain has left wait again, unless the chain has them
    /// in another block.
    fn restore(&mut self, ctx: &mut (impl Local + Shelf<Block>), left: BodyId, head: BodyId) {
        let bank: &Bank = &ctx.body(head).bank;
        let transactions = ctx.body(left).ledger.transactions();
        let missing = |it: &&Transaction| !self.pool.contains(it.id) && !bank.holds(it.id);
        let (old, young): (Vec<Transaction>, Vec<Transaction>) =
            transactions.iter().filter(missing).partition(|it| bank.is_too_old(it.born));
        for it in old {
            say(ctx, it.id, Step::Refused(Refusal::Expired));
        }
        for it in young {
            self.insert(ctx, it, false);
        }
    }

    /// The node crashed: what waits is in its memory only.
    pub fn on_crash(&mut self, ctx: &mut impl Local) {
        let lost: Vec<Transaction> = self.pool.iter().copied().collect();
        self.pool.clear();
        drop_all(ctx, &lost, Loss::Crashed);
        self.flooded.clear();
        self.retries.clear();
        self.alarmed = false;
    }
}

/// States a step of a transaction at this node.
fn say(ctx: &mut impl Local, id: TransactionId, step: Step) {
    let (node, transaction) = (ctx.me(), id.serial());
    ctx.observe(Fact::Transaction { node, transaction, step });
}

fn drop_all(ctx: &mut impl Local, transactions: &[Transaction], loss: Loss) {
    transactions.iter().for_each(|it| say(ctx, it.id, Step::Dropped(loss)));
}
