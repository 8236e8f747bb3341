//! Protocol layer: the blocks that a node has not put into its chain yet, as repair sees them: what
//! is known of each, and which stands on which.

use std::collections::BTreeMap;

use super::View;
use crate::base::slot::Slot;
use crate::base::time::Time;
use crate::protocol::block::{Block, BlockId, Shape};
use crate::protocol::blockstore::Part;
use crate::sim::body::BodyId;
use crate::sim::protocol::Shelf;

/// A block that is incomplete, or whole without a path to genesis.
#[derive(Clone, Copy)]
pub(super) struct Loose<'a> {
    pub(super) slot: Slot,
    pub(super) id: BlockId,
    pub(super) body: BodyId,
    /// The block it stands on; `None` as long as no data shred has told it.
    pub(super) parent: Option<BlockId>,
    pub(super) shape: Shape,
    /// What there is of it; `None` for a whole one.
    pub(super) part: Option<&'a Part>,
    /// When the node first heard of it; `None` for a whole one.
    pub(super) first: Option<Time>,
}

impl Loose<'_> {
    /// Data shreds that the node lacks, if it knows how many there are.
    pub(super) fn lacks(&self) -> Option<u32> {
        let part = self.part.filter(|part| part.is_end_known())?;
        let sets = 0..self.shape.sets() as u16;
        Some(sets.map(|set| part.missing(&self.shape, set).count() as u32).sum())
    }
}

/// All loose blocks, by slot.
pub(super) struct Survey<'a> {
    pub(super) blocks: Vec<Loose<'a>>,
    places: BTreeMap<BlockId, usize>,
    children: BTreeMap<BlockId, Vec<usize>>,
}

impl<'a> Survey<'a> {
    pub(super) fn of(view: &View<'a>, ctx: &impl Shelf<Block>) -> Self {
        let loose = |body: BodyId, part: Option<&'a Part>| {
            let block = ctx.body(body);
            let known = part.is_none_or(|part| part.data_end() > 0 || part.is_end_known());
            Loose {
                slot: block.slot,
                id: block.id(),
                body,
                parent: known.then(|| block.parent_id()),
                shape: block.shape,
                part,
                first: part.map(Part::first),
            }
        };
        let incomplete = view.store.parts().map(|(body, part)| loose(body, Some(part)));
        let waiting = view.chain.waiting().iter().filter_map(|link| link.body);
        let mut blocks: Vec<Loose<'a>> =
            incomplete.chain(waiting.map(|body| loose(body, None))).collect();
        blocks.sort_by_key(|block| (block.slot, block.id));
        let places = blocks.iter().enumerate().map(|(place, block)| (block.id, place)).collect();
        let mut children: BTreeMap<BlockId, Vec<usize>> = BTreeMap::new();
        for (place, parent) in blocks.iter().enumerate().filter_map(|(i, b)| Some((i, b.parent?))) {
            children.entry(parent).or_default().push(place);
        }
        Self { blocks, places, children }
    }

    /// The blocks that stand on a block, by slot.
    pub(super) fn children(&self, id: BlockId) -> &[usize] {
        self.children.get(&id).map_or(&[], Vec::as_slice)
    }

    /// Where a block is in the list.
    pub(super) fn place(&self, id: BlockId) -> Option<usize> {
        self.places.get(&id).copied()
    }

    /// Blocks whose parent is known and is not loose, by slot.
    pub(super) fn roots(&self) -> impl Iterator<Item = (&Loose<'a>, BlockId)> + '_ {
        let parents = self.blocks.iter().filter_map(|block| Some((block, block.parent?)));
        parents.filter(|(_, parent)| !self.places.contains_key(parent))
    }

    /// A block's loose ancestors, oldest first.
    pub(super) fn ancestors(&self, block: &Loose<'a>) -> Vec<&Loose<'a>> {
        let parent = |block: &&Loose<'a>| Some(&self.blocks[self.place(block.parent?)?]);
        let mut found: Vec<&Loose<'a>> =
            std::iter::successors(Some(&self.blocks[self.places[&block.id]]), parent)
                .skip(1)
                .collect();
        found.reverse();
        found
    }
}
