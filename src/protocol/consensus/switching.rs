//! Protocol layer: the proof that lets a validator leave the fork of its last vote: enough stake is
//! locked out of that fork.
//!
//! Rules: Agave 4.4, `core/src/consensus.rs` (`make_check_switch_threshold_decision`).

use std::collections::BTreeMap;

use super::{Consensus, Ctx, Desk};
use crate::base::id::{NodeId, NodeSet};
use crate::base::slot::Slot;
use crate::protocol::block::BlockId;
use crate::protocol::chain::Link;

impl Consensus {
    /// Whether more stake than the settings ask for is locked out of the fork of the last vote, or
    /// has voted elsewhere after it.
    pub(super) fn may_switch(
        &mut self,
        desk: &Desk<'_>,
        ctx: &impl Ctx,
        last: &Link,
        target: &Link,
    ) -> bool {
        let stakes = desk.cluster.electorate.at(target.slot());
        let mut proof = Proof { counted: NodeSet::empty(desk.cluster.len()), stake: 0 };
        let root = desk.chain.root().slot();
        let Some(parting) = desk.chain.common(last.id, target.id).copied() else { return false };
        self.partings.begin(last.id, root);
        for tip in desk.chain.tips() {
            if tip.id == last.id || tip.slot() <= root {
                continue;
            }
            let Side { fork, locked } = self.partings.side(desk, ctx, &tip, last);
            // Votes count if the switch goes through the point where their fork leaves.
            if fork.is_none_or(|fork| fork.id == last.id || fork.height > parting.height) {
                continue;
            }
            for voter in locked {
                if proof.counted.insert(*voter) {
                    proof.stake += stakes.of(*voter);
                }
            }
        }
        let share = self.config.switch_share();
        if stakes.exceeds(proof.stake, share) {
            return true;
        }
        for (voter, (slot, block)) in self.known.seen().iter().enumerate() {
            let voter = NodeId::from_index(voter);
            let later = *slot > last.slot() && elsewhere(desk, *block, last, target);
            if later && proof.counted.insert(voter) {
                proof.stake += stakes.of(voter);
            }
        }
        let fork = desk.chain.common(last.id, target.id).copied();
        for voter in fork.map_or_else(Vec::new, |it| self.elsewhere_by_version(desk, last, &it)) {
            if proof.counted.insert(voter) {
                proof.stake += stakes.of(voter);
            }
        }
        stakes.exceeds(proof.stake, share)
    }
}

/// What forks say against the fork of the last vote. It is worked out once for each end of a fork:
/// where nothing is rooted there are ever more of them.
#[derive(Default)]
pub(super) struct Partings {
    /// The last vote and the root for which that is so.
    of: Option<(BlockId, Slot)>,
    sides: BTreeMap<BlockId, Side>,
}

/// The end of a fork.
struct Side {
    /// Where it leaves the fork of the last vote.
    fork: Option<Link>,
    /// Who is locked out of that fork by votes that have landed on this one.
    locked: Box<[NodeId]>,
}

impl Partings {
    /// Forgets what holds for another last vote or another root.
    fn begin(&mut self, last: BlockId, root: Slot) {
        if self.of != Some((last, root)) {
            self.sides.clear();
            self.of = Some((last, root));
        }
    }

    fn side(&mut self, desk: &Desk<'_>, ctx: &impl Ctx, tip: &Link, last: &Link) -> &Side {
        self.sides.entry(tip.id).or_insert_with(|| {
            let fork = desk.chain.common(tip.id, last.id).copied();
            let apart = fork.filter(|fork| fork.id != last.id);
            let locked = apart.map(|fork| locked_out(desk, ctx, tip, (&fork, last)));
            Side { fork, locked: locked.unwrap_or_default() }
        })
    }
}

/// Voters whose votes, landed on a fork that leaves at `fork`, lock them out of that of the last
/// vote.
fn locked_out(
    desk: &Desk<'_>,
    ctx: &impl Ctx,
    tip: &Link,
    (fork, last): (&Link, &Link),
) -> Box<[NodeId]> {
    // Entries of a vote that has landed on a fork are blocks of that fork, so what lies after the
    // fork is no ancestor of the last vote.
    let after = fork.slot().max(desk.chain.root().slot());
    let locks = |id| {
        desk.cluster
            .ballots
            .entries(id)
            .any(|entry| entry.slot > after && entry.last_locked() >= last.slot().number().into())
    };
    let votes = desk.block(ctx, tip).standings.votes();
    votes.filter(|(_, id)| locks(*id)).map(|(voter, _)| voter).collect()
}

/// The stake that counts so far.
struct Proof {
    counted: NodeSet,
    stake: u64,
}

/// Where a block leaves the fork of the last vote, if votes for it count: it does not stand on the
/// last vote, and the switch goes through the point where they part.
fn valid(desk: &Desk<'_>, block: &Link, last: &Link, target: &Link) -> Option<Slot> {
    let fork = desk.chain.common(block.id, last.id)?;
    let valid = fork.id != last.id && desk.chain.leads_to(fork.id, target.id);
    valid.then_some(fork.slot())
}

/// Whether a block is on another fork than that of the last vote.
fn elsewhere(desk: &Desk<'_>, block: BlockId, last: &Link, target: &Link) -> bool {
    let block = desk.chain.link(block);
    block.is_some_and(|block| valid(desk, block, last, target).is_some())
}
