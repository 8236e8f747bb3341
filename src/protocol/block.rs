//! Protocol layer: a block as the network sees it: who made it on what, how large it is, into how
//! many shreds of which sizes it is cut, and what its content does to the ledger. Stored once per
//! run and shared by all nodes; a node uses of it only what the messages it has received would tell
//! it, and pays for what it would have to work out.

mod coded;
mod shape;

use std::fmt;

use super::electorate::Electorate;
use super::ledger::{self, Bank};
use super::vote::{Ballots, Standings};
use crate::base::digest::Digest;
use crate::base::id::NodeId;
use crate::base::rng::Seed;
use crate::base::slot::Slot;
use crate::crypto::Suite;
use crate::fact::{Audit, Flaw};

pub use self::coded::{Coded, Erasure};
pub use self::shape::{Cut, Shape, ShredAt};

/// Names a block: the first 64 bits of its hash. Two blocks of a run share a name with a chance of
/// one in 2^64 per pair.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlockId(pub u64);

impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A block, with all that every node would come to know of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Block {
    /// The slot it was made in.
    pub slot: Slot,
    /// Blocks from genesis to it.
    pub height: u32,
    /// Who made it.
    pub leader: NodeId,
    /// SHA-256 over its canonical bytes.
    pub hash: Digest,
    /// The hash of the block it stands on.
    pub parent: Digest,
    /// Bytes of the whole block, serialised.
    pub bytes: u32,
    /// How it is cut into shreds.
    pub shape: Shape,
    /// Everything in it.
    pub ledger: ledger::Block,
    /// Hashes of proof of history from its parent to it.
    pub poh_hashes: u64,
    /// The state of the ledger after it.
    pub bank: Bank,
    /// What the votes in it and in its ancestors amount to.
    pub standings: Standings,
    /// What is wrong with it, if anything. Everybody who checks it finds the same, so it is worked
    /// out once.
    pub flaw: Option<Flaw>,
    /// The bytes of its shreds, if the scenario asks for them.
    pub coded: Option<Box<Coded>>,
}

impl Block {
    /// The block that all nodes begin with, and the state of the ledger at that.
    #[must_use]
    pub fn genesis(seed: Seed, accounts: u32, config: &ledger::Config) -> Self {
        let ledger = ledger::Block::genesis(seed);
        let shape = Cut::default().shape(size(&ledger));
        let bank = Bank::genesis(accounts, config);
        Self::of(ledger, shape, 0, bank, None)
    }

    /// A block upon its parent: executes its transactions and checks everything about it.
    #[must_use]
    pub fn upon(
        parent: &Self,
        ledger: ledger::Block,
        shape: Shape,
        suite: Suite,
        slot_hashes: u32,
    ) -> Self {
        let (bank, verdicts) = parent.bank.execute(ledger.slot(), ledger.transactions());
        let flaw = if parent.flaw.is_some() {
            Some(Flaw::Parent)
        } else if !ledger.verify_hash() {
            Some(Flaw::Hash)
        } else if !ledger.verify_poh(suite, &parent.ledger, slot_hashes) {
            Some(Flaw::Poh)
        } else {
            verdicts.iter().any(Result::is_err).then_some(Flaw::Transactions)
        };
        let hashes = ledger.poh().counter.saturating_sub(parent.ledger.poh().counter);
        Self::of(ledger, shape, hashes, bank, flaw)
    }

    fn of(
        ledger: ledger::Block,
        shape: Shape,
        poh_hashes: u64,
        bank: Bank,
        flaw: Option<Flaw>,
    ) -> Self {
        Self {
            slot: ledger.slot(),
            height: ledger.height(),
            leader: ledger.leader(),
            hash: ledger.hash(),
            parent: ledger.parent(),
            bytes: size(&ledger),
            shape,
            ledger,
            poh_hashes,
            bank,
            standings: Standings::default(),
            flaw,
            coded: None,
        }
    }

    /// The genesis block of a cluster that votes.
    #[must_use]
    pub fn voted_by(self, nodes: usize) -> Self {
        Self { standings: Standings::genesis(nodes), ..self }
    }

    /// Counts its votes upon its parent's.
    #[must_use]
    pub fn counted(self, parent: &Self, ballots: &Ballots, electorate: &Electorate) -> Self {
        let votes = self.ledger.votes();
        let standings = Standings::upon(&parent.standings, self.slot, votes, ballots, electorate);
        Self { standings, ..self }
    }

    /// What its bytes and the balances before and after it say of it, whatever else is said.
    #[must_use]
    pub fn audit(&self, parent: &Self) -> Audit {
        let hashed = self.hash == self.ledger.hash() && self.ledger.verify_hash();
        let (covered, conserved) = self.bank.audit(&parent.bank);
        Audit { hashed, covered, conserved }
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> BlockId {
        BlockId(self.hash.low_u64())
    }

    /// Cuts it into shreds that have bytes.
    #[must_use]
    pub fn with_bytes(self, cut: &Cut) -> Self {
        let canonical = self.ledger.canonical_bytes();
        let coded = Coded::of(&canonical, &self.hash, self.bytes, &self.shape, cut);
        Self { coded: coded.map(Box::new), ..self }
    }

    /// Whether the shreds of a set that a node has give back the data shreds that it lacks; bits of
    /// `lacked` are as in [`Coded::restores`]. Where shreds have no bytes, they do.
    #[inline]
    #[must_use]
    pub fn restores(&self, set: u16, lacked: &[u64]) -> bool {
        self.coded.as_ref().is_none_or(|coded| coded.restores(set, lacked))
    }

    /// The name of the block it stands on.
    #[must_use]
    pub fn parent_id(&self) -> BlockId {
        BlockId(self.parent.low_u64())
    }
}

#[cfg(test)]
impl Block {
    /// A block whose content does not matter, for tests that change the fields they are about.
    pub(crate) fn blank() -> Self {
        Self::genesis(Seed(0), 0, &ledger::Config::default())
    }
}

/// Bytes of a block; the scenario reader refuses blocks of 4 GiB and more.
fn size(block: &ledger::Block) -> u32 {
    u32::try_from(block.bytes()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::ledger::Content;
    use super::super::ledger::sample::transfer;
    use super::*;

    const HASHES: u32 = 10;

    fn upon(parent: &Block, slot: u32, ledger: impl Fn(ledger::Block) -> ledger::Block) -> Block {
        let transactions = [transfer(slot, (0, 1), 60, 0)].into();
        let content = Content { transactions, ..Content::default() };
        let slot = Slot::new(slot);
        let made = ledger::Block::produce(&parent.ledger, slot, NodeId::new(1), content, HASHES);
        let shape = Cut::default().shape(300);
        Block::upon(parent, ledger(made), shape, Suite::Real, HASHES)
    }

    #[test]
    fn what_is_wrong_with_a_block_is_found_and_passed_on_to_its_children() {
        let genesis = Block::genesis(Seed(1), 2, &ledger::Config::default());
        let first = upon(&genesis, 3, |block| block);
        assert_eq!((first.flaw, first.height, first.poh_hashes), (None, 1, 30));
        assert_eq!(first.bank.balance(ledger::AccountId(0)), Some(40));
        // The header of 96 bytes and one transaction of 180.
        assert_eq!((first.bytes, first.parent_id()), (276, genesis.id()));
        let short = upon(&first, 4, |block| block);
        assert_eq!(short.flaw, Some(Flaw::Transactions), "40 are left of 100");
        assert_eq!(upon(&short, 5, |block| block).flaw, Some(Flaw::Parent));
        let liar = upon(&genesis, 3, ledger::Block::with_false_poh);
        assert_eq!(liar.flaw, Some(Flaw::Poh));
        assert_eq!(upon(&genesis, 3, ledger::Block::with_false_hash).flaw, Some(Flaw::Hash));
    }
}
