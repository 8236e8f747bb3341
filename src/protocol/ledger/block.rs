//! Protocol layer: blocks, what their hash is made of, and their proof of history.

use super::Transaction;
use crate::base::digest::Digest;
use crate::base::id::NodeId;
use crate::base::rng::{Purpose, Rng, Seed};
use crate::base::slot::Slot;
use crate::crypto::Suite;
use crate::protocol::poh::{PohEntry, hashes_between};
use crate::protocol::vote::{VOTE_BYTES, Vote};

/// What a block holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// Transactions, in the order in which they are executed.
    pub transactions: Box<[Transaction]>,
    /// Bytes without meaning, to study blocks of any size.
    pub filler: u64,
    /// Votes, in the order of the voters.
    pub votes: Box<[Vote]>,
}

impl Content {
    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.transactions.is_empty() && self.filler == 0 && self.votes.is_empty()
    }

    /// Bytes on the wire: transactions and votes with their signatures, and filler.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let transactions: u64 = self.transactions.iter().map(|t| u64::from(t.bytes())).sum();
        let votes = self.votes.len() as u64 * u64::from(VOTE_BYTES);
        transactions.saturating_add(votes).saturating_add(self.filler)
    }

    /// Another content, as a liar puts it into its second block: one vote or one transaction less,
    /// or a byte of filler more.
    #[must_use]
    pub fn changed(mut self) -> Self {
        if let Some((_, others)) = self.votes.split_last() {
            self.votes = others.into();
        } else if let Some((_, others)) = self.transactions.split_last() {
            self.transactions = others.into();
        } else {
            self.filler += 1;
        }
        self
    }

    /// The same with one transaction more at its end, in place of as many bytes of filler.
    #[must_use]
    pub fn spoilt(mut self, transaction: Transaction) -> Self {
        self.filler = self.filler.saturating_sub(transaction.bytes().into());
        let mut transactions = self.transactions.into_vec();
        transactions.push(transaction);
        self.transactions = transactions.into();
        self
    }

    /// What proof of history mixes in: SHA-256 of the content's part of the canonical bytes, or
    /// nothing for no content.
    fn mixin(&self) -> Option<Digest> {
        (!self.is_empty()).then(|| {
            let mut bytes = Vec::new();
            self.write(&mut bytes);
            Digest::of(&bytes)
        })
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend((self.transactions.len() as u32).to_le_bytes());
        bytes.extend(self.filler.to_le_bytes());
        self.transactions.iter().for_each(|t| bytes.extend(t.canonical_bytes()));
        self.votes.iter().for_each(|vote| bytes.extend(vote.canonical_bytes()));
    }
}

/// A block.
///
/// Canonical bytes, all numbers little-endian: slot (4), height (4), parent's hash (32), counter
/// (8) and hash (32) of its proof of history, leader (4), number of transactions (4), bytes of
/// filler (8), then the canonical bytes of the transactions, and those of the votes. On the wire
/// every transaction also has its signature and its further data, a vote is a transaction too, and
/// the filler follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    slot: Slot,
    height: u32,
    parent: Digest,
    poh: PohEntry,
    leader: NodeId,
    content: Content,
    hash: Digest,
    /// Whether the proof of history follows from the parent's: known to whoever made the block, and
    /// found by everybody who computes it once more. No part of any hash.
    proven: bool,
}

/// Bytes of a block without any content.
pub const BLOCK_HEADER_BYTES: u64 = 96;

impl Block {
    /// The block that all nodes of a run begin with: slot 0, height 0, no content, no parent, and
    /// for its proof of history a hash drawn from the seed. Nobody made it; node 0 stands for its
    /// leader.
    #[must_use]
    pub fn genesis(seed: Seed) -> Self {
        let mut rng = Rng::of_cluster(seed, Purpose::Blocks);
        let mut start = [0; 32];
        for bytes in start.chunks_exact_mut(8) {
            bytes.copy_from_slice(&rng.bits().to_le_bytes());
        }
        Self {
            slot: Slot::ZERO,
            height: 0,
            parent: Digest::default(),
            poh: PohEntry { counter: 0, hash: Digest(start) },
            leader: NodeId::new(0),
            content: Content::default(),
            hash: Digest::default(),
            proven: true,
        }
        .hashed()
    }

    /// The block that a leader makes upon a parent; computes its proof of history, with
    /// `slot_hashes` hashes for every slot since the parent's.
    ///
    /// # Panics
    /// If the slot is not after the parent's: leaders build upon earlier slots only.
    #[must_use]
    pub fn produce(
        parent: &Self,
        slot: Slot,
        leader: NodeId,
        content: Content,
        slot_hashes: u32,
    ) -> Self {
        assert!(slot > parent.slot, "a block comes after its parent");
        let hashes = hashes_between(parent.slot, slot, slot_hashes);
        Self {
            slot,
            height: parent.height.saturating_add(1),
            parent: parent.hash,
            poh: parent.poh.advance(hashes, content.mixin()),
            leader,
            content,
            hash: Digest::default(),
            proven: true,
        }
        .hashed()
    }

    /// The same block with a proof of history that does not follow from the parent's, as a leader
    /// makes it that did not wait.
    #[must_use]
    pub fn with_false_poh(self) -> Self {
        let poh = PohEntry { hash: Digest::of(&self.poh.hash.0), ..self.poh };
        Self { poh, proven: false, ..self }.hashed()
    }

    /// The same block under a hash that is not its own, as a liar announces it.
    #[must_use]
    pub fn with_false_hash(self) -> Self {
        Self { hash: Digest::of(&self.hash.0), ..self }
    }

    fn hashed(mut self) -> Self {
        self.hash = Digest::of(&self.canonical_bytes());
        self
    }

    /// What the hash is made of.
    #[must_use]
    pub fn canonical_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(self.slot.number().to_le_bytes());
        bytes.extend(self.height.to_le_bytes());
        bytes.extend(self.parent.0);
        bytes.extend(self.poh.counter.to_le_bytes());
        bytes.extend(self.poh.hash.0);
        bytes.extend(self.leader.number().to_le_bytes());
        self.content.write(&mut bytes);
        bytes
    }

    /// Whether the hash is that of the block's bytes; computes it once more. The same for every
    /// node, so do it once per block.
    #[must_use]
    pub fn verify_hash(&self) -> bool {
        self.hash == Digest::of(&self.canonical_bytes())
    }

    /// Whether the block follows the parent and its proof of history does. The real suite computes
    /// every hash of it once more, the modelled one knows the answer; nodes pay for it by
    /// [`Work::Poh`](crate::protocol::price::Work) either way. The same for every node, so do it
    /// once per block.
    #[must_use]
    pub fn verify_poh(&self, suite: Suite, parent: &Self, slot_hashes: u32) -> bool {
        if self.parent != parent.hash || self.slot <= parent.slot {
            return false;
        }
        let hashes = hashes_between(parent.slot, self.slot, slot_hashes);
        match suite {
            Suite::Real => self.poh.verify(&parent.poh, hashes, self.content.mixin()),
            Suite::Modelled => self.proven && self.poh.counter == parent.poh.counter + hashes,
        }
    }

    /// Bytes on the wire: the header, and the content with all signatures.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        BLOCK_HEADER_BYTES.saturating_add(self.content.bytes())
    }

    /// Its hash, by which everybody names it.
    #[must_use]
    pub const fn hash(&self) -> Digest {
        self.hash
    }

    /// The slot in which it was made.
    #[must_use]
    pub const fn slot(&self) -> Slot {
        self.slot
    }

    /// How many blocks lead to it, itself included, the genesis not (the classroom's index).
    #[must_use]
    pub const fn height(&self) -> u32 {
        self.height
    }

    /// Its parent's hash.
    #[must_use]
    pub const fn parent(&self) -> Digest {
        self.parent
    }

    /// Its proof of history.
    #[must_use]
    pub const fn poh(&self) -> PohEntry {
        self.poh
    }

    /// Who made it.
    #[must_use]
    pub const fn leader(&self) -> NodeId {
        self.leader
    }

    /// What it holds.
    #[must_use]
    pub const fn content(&self) -> &Content {
        &self.content
    }

    /// Its votes, in the order of the voters.
    #[must_use]
    pub fn votes(&self) -> &[Vote] {
        &self.content.votes
    }

    /// Its transactions, in the order in which they are executed.
    #[must_use]
    pub fn transactions(&self) -> &[Transaction] {
        &self.content.transactions
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::transfer;
    use super::*;

    const SLOT_HASHES: u32 = 20;

    fn content(amounts: &[u64], filler: u64) -> Content {
        let transactions = amounts.iter().zip(1..);
        let transactions = transactions.map(|(amount, i)| transfer(i, (0, 1), *amount, 0));
        Content { transactions: transactions.collect(), filler, ..Content::default() }
    }

    fn produce(parent: &Block, slot: u32, content: Content) -> Block {
        Block::produce(parent, Slot::new(slot), NodeId::new(7), content, SLOT_HASHES)
    }

    #[test]
    fn hashes_are_those_of_an_independent_calculation() {
        // Python, from the layout: struct.pack("<II32sQ32sIIQ", ...) and the transactions; 40
        // hashes for two slots, the last with sha256 of the 12 bytes of counts and the transaction.
        let start = Block { poh: PohEntry { counter: 0, hash: Digest([0; 32]) }, ..any() }.hashed();
        assert_eq!(start.hash().to_string(), GENESIS);
        let block = produce(&start, 2, content(&[5], 1_000));
        assert_eq!(block.poh().hash.to_string(), POH);
        assert_eq!(block.hash().to_string(), BLOCK);
        // 96 of header, 180 of the transaction, 1,000 of filler.
        assert_eq!(block.bytes(), 1_276);
        let canonical = block.canonical_bytes().len() as u64;
        assert_eq!(canonical, BLOCK_HEADER_BYTES + 116);
    }

    const GENESIS: &str = "2ea9ab9198d1638007400cd2c3bef1cc745b864b76011a0e1bc52180ac6452d4";
    const POH: &str = "21f75c3162189ca52368ce44ca3e75f7b6dd2cbb6b6210420fd75e10031400d2";
    const BLOCK: &str = "925c4cc796c6a743cba1f03f488a7accd3cb13dc5a6d5cb70712000d79d60fcc";

    fn any() -> Block {
        Block::genesis(Seed(1))
    }

    #[test]
    fn every_seed_has_a_genesis_of_its_own() {
        assert_eq!(any(), Block::genesis(Seed(1)));
        assert_ne!(any().hash(), Block::genesis(Seed(2)).hash());
        assert!(any().verify_hash());
        assert_eq!((any().height(), any().slot(), any().bytes()), (0, Slot::ZERO, 96));
    }

    #[test]
    fn every_field_enters_the_hash_and_signatures_do_not() {
        let block = produce(&any(), 3, content(&[5, 6], 10));
        let signed = |valid| {
            let mut content = block.content.clone();
            content.transactions.iter_mut().for_each(|t| t.valid = valid);
            Block { content, ..block.clone() }.hashed().hash()
        };
        assert_eq!((signed(false), signed(true)), (block.hash(), block.hash()));
        let same = |changed: Block| changed.hashed().hash() == block.hash();
        assert!(same(Block { proven: false, ..block.clone() }));
        let poh = block.poh;
        let changed = [
            Block { slot: Slot::new(4), ..block.clone() },
            Block { height: 2, ..block.clone() },
            Block { parent: Digest([1; 32]), ..block.clone() },
            Block { poh: PohEntry { counter: 1, ..poh }, ..block.clone() },
            Block { poh: PohEntry { hash: Digest([1; 32]), ..poh }, ..block.clone() },
            Block { leader: NodeId::new(8), ..block.clone() },
            Block { content: content(&[5, 6], 11), ..block.clone() },
            Block { content: content(&[5, 7], 10), ..block.clone() },
            Block { content: content(&[6, 5], 10), ..block.clone() },
            Block { content: content(&[5], 10), ..block.clone() },
        ];
        for changed in changed {
            assert!(!same(changed.clone()), "{changed:?}");
            assert!(!changed.verify_hash(), "its hash is the old one");
        }
        assert!(block.verify_hash() && !block.clone().with_false_hash().verify_hash());
    }

    #[test]
    fn both_suites_agree_on_every_proof_of_history() {
        let genesis = any();
        let parent = produce(&genesis, 2, content(&[1], 0));
        let liar = produce(&genesis, 2, content(&[1], 0)).with_false_poh();
        let other = produce(&genesis, 2, Content::default());
        let skipped = produce(&parent, 5, Content::default());
        let candidates = [
            produce(&parent, 3, content(&[2], 0)),
            produce(&parent, 3, content(&[2], 0)).with_false_poh(),
            produce(&parent, 3, content(&[2], 0)).with_false_poh().with_false_poh(),
            produce(&liar, 3, content(&[2], 0)),
            skipped.clone(),
            produce(&parent, 3, content(&[2], 0)).with_false_hash(),
            genesis.clone(),
        ];
        let mut verdicts = Vec::new();
        for block in &candidates {
            for parent in [&parent, &liar, &other, &skipped, &genesis] {
                for hashes in [SLOT_HASHES, SLOT_HASHES + 1] {
                    let real = block.verify_poh(Suite::Real, parent, hashes);
                    assert_eq!(block.verify_poh(Suite::Modelled, parent, hashes), real);
                    verdicts.push(real);
                }
            }
        }
        // True blocks upon their own parents, and with the right number of hashes: the first, the
        // liar's honest child, the one after skipped slots, and the one under a false hash.
        assert_eq!(verdicts.iter().filter(|verdict| **verdict).count(), 4);
        assert!(candidates[1].verify_hash(), "the liar's block is one with a hash of its own");
    }

    #[test]
    fn a_chain_of_empty_blocks_is_the_predicted_chain_of_hashes() {
        let genesis = any();
        let empty = produce(&produce(&genesis, 2, Content::default()), 7, Content::default());
        assert_eq!(empty.poh(), genesis.poh().advance(u64::from(7 * SLOT_HASHES), None));
        assert_eq!(empty.height(), 2);
        let full = produce(&produce(&genesis, 2, content(&[], 1)), 7, Content::default());
        assert_eq!(full.poh().counter, empty.poh().counter);
        assert_ne!(full.poh().hash, empty.poh().hash);
    }
}
