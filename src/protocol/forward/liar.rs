//! Protocol layer: a liar's transactions, which it sends to the coming leaders past its own
//! mempool.

use super::{Ctx, Desk, Forward, Message};
use crate::protocol::adversary::Spam;
use crate::protocol::ledger::{AccountId, Transaction, TransactionId};

impl Forward {
    /// Sends a transaction of this number to the leaders of the coming slots.
    pub fn spam(
        &mut self,
        desk: &mut Desk<'_>,
        ctx: &mut impl Ctx,
        (number, spam, data): (u32, Spam, u32),
    ) {
        let me = ctx.me();
        let staked = desk.cluster.stakes.iter().filter(|(_, stake)| **stake > 0);
        // The first accounts are the validators' own, in the order of the nodes.
        let before = staked.take_while(|(node, _)| *node < me).count() as u32;
        let honest = spam == Spam::Dust;
        let sender = AccountId(if honest { before } else { 0 });
        let transaction = Transaction {
            id: TransactionId::new(me, number),
            sender,
            receiver: sender,
            amount: 0,
            born: desk.block(ctx).height,
            data,
            valid: false,
        };
        let transaction = desk.cluster.accounts.sign(transaction, honest);
        self.targets.clear();
        let (contacts, targets) = (desk.contacts, &mut self.targets);
        let window = (desk.slot.next(), self.config.lookahead.max(1));
        contacts.leaders(desk.registry, desk.cluster, window, |_, leader| {
            if leader != me && !targets.contains(&leader) {
                targets.push(leader);
            }
        });
        if !self.targets.is_empty() {
            let body = ctx.store(transaction);
            self.dispatch(ctx, Message { body, hops: 1 });
        }
    }
}
