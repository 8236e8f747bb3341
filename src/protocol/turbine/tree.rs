//! Protocol layer: the trees along which shreds travel: whom the leader sends a shred to, and whom
//! each receiver forwards it to. A function of public data, the same for all nodes.

mod arrangement;
pub mod layout;
mod memo;
mod position;
#[cfg(test)]
mod tests;
pub mod view;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::arrangement::Arrangement;
use self::layout::Layout;
use self::memo::{Memo, Row};
pub use self::position::{Branch, Position};
use self::view::View;
use crate::base::digest::Digest;
use crate::base::id::NodeId;
use crate::base::rng::Seed;
use crate::base::slot::Slot;
use crate::protocol::setting::{SettingError, at_least_one};
use crate::protocol::shuffle::weighted::Drawing;
use crate::protocol::shuffle::{ChaCha, Generator};

/// Along which tree a shred travels from the leader to all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Tree {
    /// No tree (the classroom's way): of its n peers, each node sends chunk i to the peers at
    /// places (i * fanout + j) mod n, for j below the fan-out.
    RoundRobin,
    /// The leader sends every shred to all others, in increasing order of their numbers.
    Star,
    /// One tree for all shreds of a leader: the leader at the root, below it the others in
    /// increasing order of their numbers, layer by layer, `fanout` children each.
    Kary,
    /// A tree of the others for every shred: for the one with index i their order starts i places
    /// later. The leader sends to the first, the root.
    Rotated,
    /// The leader sends each shred to one relay, which sends it to all others in increasing order
    /// of their numbers.
    Relay,
    /// A tree of the others for every shred, in a new random order. The leader sends to the first,
    /// the root.
    Shuffled,
    /// Solana's: for every shred a new order of all nodes but the leader, drawn by stake, exact to
    /// the bit. The leader sends to the first, the root.
    #[default]
    StakeWeighted,
}

/// Who relays a shred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Relay {
    /// A node drawn by stake for each shred: the root of Solana's tree.
    #[default]
    Stake,
    /// The others in turn, by the index of the shred.
    Rotation,
}

/// Which tree, and how it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    /// Who sends each shred to whom.
    pub tree: Tree,
    /// To how many nodes a node of the tree passes a shred on; "star" and "relay" do not use it.
    #[schemars(range(min = 1, max = 100_000))]
    pub fanout: u32,
    /// How the tree is filled. Without this key "stake-weighted" is "interleaved" as in Solana, and
    /// "kary", "rotated" and "shuffled" are a "heap".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layout: Option<Layout>,
    /// The random generator of stake-weighted trees, and of relays by stake.
    pub generator: Generator,
    /// How the relay of each shred is chosen with tree = "relay".
    pub relay: Relay,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            tree: Tree::default(),
            // `DATA_PLANE_FANOUT` of Agave 4.4.
            fanout: 200,
            layout: None,
            generator: Generator::default(),
            relay: Relay::default(),
        }
    }
}

impl Config {
    /// Largest fan-out: more than any cluster has nodes.
    pub const LARGEST_FANOUT: u32 = 100_000;

    /// Refuses what cannot work.
    ///
    /// # Errors
    /// Names the setting and what was expected.
    pub fn check(&self) -> Result<(), SettingError> {
        at_least_one("fanout", self.fanout)?;
        if self.fanout > Self::LARGEST_FANOUT {
            return Err(SettingError {
                field: "fanout",
                message: format!(
                    "{} is too many; expected at most {}",
                    self.fanout,
                    Self::LARGEST_FANOUT
                ),
            });
        }
        Ok(())
    }

    /// The layout that is used.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.layout.unwrap_or(match self.tree {
            Tree::StakeWeighted => Layout::Interleaved,
            _ => Layout::Heap,
        })
    }
}

/// The places, among a node's `peers` peers, that it sends a shred to in [`Tree::RoundRobin`]: each
/// peer at most once, so all of them if there are no more than the fan-out.
pub fn round_robin(index: u32, fanout: u32, peers: usize) -> impl Iterator<Item = usize> {
    let start = u64::from(index) * u64::from(fanout);
    (0..(fanout as usize).min(peers)).map(move |j| ((start + j as u64) % peers as u64) as usize)
}

/// Which shred.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ShredKey {
    /// Its slot.
    pub slot: Slot,
    /// Its number within its slot and kind.
    pub index: u32,
    /// Whether it is a coding shred.
    pub coding: bool,
    /// The leader of the slot.
    pub leader: NodeId,
}

impl ShredKey {
    /// The key of the generator that draws the tree: SHA-256 over slot, kind, index and the
    /// leader's public key, 45 bytes (Agave 4.4 `ledger/src/shred.rs`).
    #[must_use]
    pub fn seed(&self, leader: &[u8; 32]) -> [u8; 32] {
        let mut bytes = [0; 45];
        bytes[..8].copy_from_slice(&u64::from(self.slot.number()).to_le_bytes());
        bytes[8] = if self.coding { 0x5A } else { 0xA5 };
        bytes[9..13].copy_from_slice(&self.index.to_le_bytes());
        bytes[13..].copy_from_slice(leader);
        Digest::of(&bytes).0
    }
}

/// The trees of a run. For the questions that take `me`: a node that is not in the list has neither
/// parent nor children.
#[derive(Clone, Debug)]
pub struct Trees {
    view: View,
    /// Slots from which on stakes are others, and the nodes with those.
    later: Vec<(Slot, View)>,
    config: Config,
    layout: Layout,
    fanout: usize,
    /// How trees without and with a leader that is a member are kept.
    arrangements: [Arrangement; 2],
    seed: Seed,
    memo: Memo,
    /// The order that is being drawn, and what shuffles by stake work with.
    order: Vec<NodeId>,
    drawings: Vec<Drawing>,
}

impl Trees {
    /// The trees over these nodes; `None` for [`Tree::RoundRobin`], which has none. With
    /// `remember = false` every question draws its tree anew, with the same answers.
    ///
    /// # Panics
    /// If the configuration fails its [`Config::check`].
    #[must_use]
    pub fn new(view: View, config: Config, seed: Seed, remember: bool) -> Option<Self> {
        assert_eq!(config.check(), Ok(()), "settings are checked before they are used");
        if config.tree == Tree::RoundRobin {
            return None;
        }
        let (layout, fanout) = (config.layout(), config.fanout as usize);
        let arrange = |leaders: usize| {
            let len = match config.tree {
                Tree::Star | Tree::RoundRobin => 0,
                Tree::Relay => view.len().min(1),
                Tree::Kary => view.len() + 1 - leaders,
                _ => view.len().saturating_sub(leaders),
            };
            Arrangement::new(layout, fanout, len)
        };
        let mut trees = Self {
            memo: Memo::new(0, false),
            arrangements: [0, 1].map(arrange),
            view,
            later: Vec::new(),
            layout,
            fanout,
            config,
            seed,
            order: Vec::new(),
            drawings: Vec::new(),
        };
        if trees.is_drawn() {
            trees.memo = Memo::new(trees.view.nodes(), remember);
        }
        Some(trees)
    }

    /// The same trees until a slot, which is later than those of all changes before, and from there
    /// on those of the same nodes with other stakes.
    #[must_use]
    pub fn until(mut self, slot: Slot, then: View) -> Self {
        self.later.push((slot, then));
        self
    }

    /// The nodes with the stakes that count at a slot.
    fn staked(&self, slot: Slot) -> &View {
        let begun = self.later.iter().rev().find(|(from, _)| *from <= slot);
        begun.map_or(&self.view, |(_, view)| view)
    }

    /// The nodes that the trees are over, with the stakes of the beginning.
    #[must_use]
    pub const fn view(&self) -> &View {
        &self.view
    }

    /// Whom the leader sends the shred to, in order; `into` is cleared first.
    pub fn roots(&mut self, key: &ShredKey, into: &mut Vec<Branch>) {
        into.clear();
        let others = self.view.others(key.leader);
        match self.config.tree {
            Tree::RoundRobin | Tree::Star => {
                let others = (0..others).map(|place| self.view.other(key.leader, place));
                into.extend(others.map(Branch::to));
            }
            Tree::Kary => self.below(key, 0, into),
            Tree::Relay => into.extend(self.relay(key).map(Branch::to)),
            Tree::Rotated | Tree::Shuffled | Tree::StakeWeighted => {
                if others > 0 {
                    into.push(Branch { to: self.node(key, 0), at: Position::of(0) });
                }
            }
        }
    }

    /// Whom a receiver forwards the shred to, in order; `into` is cleared first. Nobody if it is
    /// the leader, whose receivers are the [`Trees::roots`]. `at` is the receiver's position, as
    /// far as it is known.
    pub fn children(&mut self, key: &ShredKey, me: NodeId, at: Position, into: &mut Vec<Branch>) {
        into.clear();
        if !self.is_inner(key, me, at) {
            return;
        }
        if self.config.tree == Tree::Relay {
            let others = 0..self.view.others(key.leader);
            let others = others.map(|place| self.view.other(key.leader, place));
            into.extend(others.filter(|node| *node != me).map(Branch::to));
        } else if let Some(position) = at.known().or_else(|| self.position(key, me)) {
            self.below(key, position, into);
        }
    }

    /// Whether a receiver forwards the shred to anybody. Cheap: most do not.
    #[inline]
    pub fn is_inner(&mut self, key: &ShredKey, me: NodeId, at: Position) -> bool {
        if let Some(position) = at.known() {
            return self.arrangement(key.leader).is_inner(position);
        }
        match self.config.tree {
            Tree::RoundRobin | Tree::Star => false,
            Tree::Shuffled | Tree::StakeWeighted => {
                let row = self.row(key);
                self.memo.is_inner(row, me)
            }
            Tree::Relay => self.view.others(key.leader) > 1 && self.relay(key) == Some(me),
            Tree::Kary | Tree::Rotated => {
                let position = self.position(key, me).filter(|_| me != key.leader);
                position.is_some_and(|at| self.arrangement(key.leader).is_inner(at))
            }
        }
    }

    /// False for most positions of which no tree has one with children.
    #[inline]
    #[must_use]
    pub fn may_be_inner(&self, at: Position) -> bool {
        at.known().is_none_or(|at| self.arrangements[0].is_inner(at))
    }

    /// Fetches what passing a shred on will need.
    #[inline]
    pub fn fetch(&self, key: &ShredKey, at: Position) {
        let first = at.known().and_then(|at| self.arrangement(key.leader).first(at));
        let row = first.filter(|_| self.is_drawn()).and_then(|_| self.memo.look_up(key));
        if let (Some(row), Some(first)) = (row, first) {
            self.memo.fetch(row, first);
        }
    }

    /// How trees of a leader are kept.
    #[inline]
    fn arrangement(&self, leader: NodeId) -> &Arrangement {
        &self.arrangements[self.view.len() - self.view.others(leader)]
    }

    /// From whom a node gets the shred; `None` for the leader and nodes that are not in the tree.
    pub fn parent(&mut self, key: &ShredKey, me: NodeId) -> Option<NodeId> {
        self.view.place(key.leader, me)?;
        match self.config.tree {
            Tree::RoundRobin | Tree::Star => Some(key.leader),
            Tree::Relay => {
                self.relay(key).map(|relay| if relay == me { key.leader } else { relay })
            }
            _ => {
                let position = self.position(key, me)?;
                let parent = self.layout.parent(position, self.fanout);
                Some(parent.map_or(key.leader, |parent| self.node(key, parent)))
            }
        }
    }

    /// How many hops a node is from the leader: 0 for the leader, 1 for those it sends to; `None`
    /// for nodes that are not in the tree.
    pub fn depth(&mut self, key: &ShredKey, me: NodeId) -> Option<u32> {
        if me == key.leader {
            return Some(0);
        }
        self.view.place(key.leader, me)?;
        Some(match self.config.tree {
            Tree::RoundRobin | Tree::Star => 1,
            Tree::Relay => 1 + u32::from(self.relay(key) != Some(me)),
            _ => {
                let position = self.position(key, me)?;
                let above = u32::from(!self.leader_is_root());
                self.layout.depth(position, self.fanout) + above
            }
        })
    }

    /// Whether the orders are drawn, and hence remembered.
    fn is_drawn(&self) -> bool {
        match self.config.tree {
            Tree::Relay => self.config.relay == Relay::Stake,
            tree => matches!(tree, Tree::Shuffled | Tree::StakeWeighted),
        }
    }

    /// Whether position 0 is the leader; else it is the first of the others.
    fn leader_is_root(&self) -> bool {
        self.config.tree == Tree::Kary
    }

    /// The nodes at the positions below one.
    fn below(&mut self, key: &ShredKey, position: usize, into: &mut Vec<Branch>) {
        let row = self.is_drawn().then(|| self.row(key));
        let children = self.arrangement(key.leader).children(position);
        into.extend(children.map(|(child, kept)| {
            let to = match row {
                Some(row) => self.memo.node(row, kept),
                None => self.turned(key, child),
            };
            Branch { to, at: Position::of(child) }
        }));
    }

    /// The node at a position.
    fn node(&mut self, key: &ShredKey, position: usize) -> NodeId {
        if position == 0 && self.leader_is_root() {
            key.leader
        } else if self.is_drawn() {
            let row = self.row(key);
            let kept = self.arrangement(key.leader).kept()[position];
            self.memo.node(row, kept as usize)
        } else {
            self.turned(key, position)
        }
    }

    /// The node at a position that is not the leader's, in trees that are not drawn.
    fn turned(&self, key: &ShredKey, position: usize) -> NodeId {
        let above = usize::from(self.leader_is_root());
        let place = (position - above + self.turn(key)) % self.view.others(key.leader);
        self.view.other(key.leader, place)
    }

    /// The position of a node. Those of drawn trees are looked for from the root on: it is asked
    /// for nodes that have children, and these stand first.
    fn position(&mut self, key: &ShredKey, me: NodeId) -> Option<usize> {
        if me == key.leader {
            return self.leader_is_root().then_some(0);
        }
        if self.is_drawn() {
            let row = self.row(key);
            let kept = self.arrangement(key.leader).kept();
            return kept.iter().position(|at| self.memo.node(row, *at as usize) == me);
        }
        let (place, others) = (self.view.place(key.leader, me)?, self.view.others(key.leader));
        Some((place + others - self.turn(key)) % others + usize::from(self.leader_is_root()))
    }

    /// By how many places the order of the others is turned. Coding shreds start on the other side,
    /// so that those of a set of 32 and 32 do not meet the same nodes again.
    fn turn(&self, key: &ShredKey) -> usize {
        let others = self.view.others(key.leader);
        if self.config.tree == Tree::Kary || others == 0 {
            return 0;
        }
        (key.index as usize + if key.coding { others / 2 } else { 0 }) % others
    }

    /// Who relays a shred; `None` if there is nobody but the leader.
    fn relay(&mut self, key: &ShredKey) -> Option<NodeId> {
        if self.view.others(key.leader) == 0 {
            return None;
        }
        if self.config.relay == Relay::Rotation {
            return Some(self.view.other(key.leader, self.turn(key)));
        }
        let row = self.row(key);
        Some(self.memo.node(row, 0))
    }

    /// The order of a shred's tree, remembered or drawn.
    #[inline]
    fn row(&mut self, key: &ShredKey) -> Row {
        match self.memo.find(key) {
            Some(row) => row,
            None => self.draw(key),
        }
    }

    /// Draws the order of a shred's tree.
    fn draw(&mut self, key: &ShredKey) -> Row {
        if self.config.tree == Tree::StakeWeighted {
            return self.draw_by_stake(key);
        }
        self.order.clear();
        if self.config.tree == Tree::Shuffled {
            self.draw_uniform(key);
        } else {
            let (mut random, leader) = self.by_stake(key);
            let view = self.staked(key.slot);
            let relay = view.weights().first(&mut random, leader);
            let relay = relay.map(|rank| view.ranked()[rank as usize]);
            self.order.extend(relay);
        }
        self.remember(key)
    }

    /// Draws the order of a tree by stake, and with it that of the shred beside it, which will be
    /// asked for soon.
    fn draw_by_stake(&mut self, key: &ShredKey) -> Row {
        let beside = ShredKey { index: key.index ^ 1, ..*key };
        let wanted = self.memo.remembers() && self.memo.look_up(&beside).is_none();
        // The one asked for comes last: the row of the other is good until then.
        let keys = [beside, *key];
        let keys = &keys[usize::from(!wanted)..];
        let leader = self.staked(key.slot).rank(key.leader);
        let mut drawings = std::mem::take(&mut self.drawings);
        for (place, key) in keys.iter().enumerate() {
            let (random, _) = self.by_stake(key);
            match drawings.get_mut(place) {
                Some(drawing) => drawing.begin(random),
                None => drawings.push(Drawing::new(random)),
            }
        }
        self.staked(key.slot).weights().shuffle(leader, &mut drawings[..keys.len()]);
        let mut row = None;
        for (key, drawing) in keys.iter().zip(&drawings) {
            let mut order = std::mem::take(&mut self.order);
            let ranked = self.staked(key.slot).ranked();
            order.clear();
            order.extend(drawing.order().iter().map(|rank| ranked[*rank as usize]));
            self.order = order;
            row = Some(self.remember(key));
        }
        self.drawings = drawings;
        row.expect("one of the keys is that of the shred")
    }

    /// Remembers the order that was drawn.
    fn remember(&mut self, key: &ShredKey) -> Row {
        let members = self.view.len() - self.view.others(key.leader);
        self.memo.insert(key, &self.order, &self.arrangements[members])
    }

    /// The generator of a tree by stake, and the leader's place in the list.
    fn by_stake(&self, key: &ShredKey) -> (ChaCha, Option<u32>) {
        let seed = key.seed(self.view.identity(key.leader));
        (ChaCha::new(self.config.generator, seed), self.staked(key.slot).rank(key.leader))
    }

    /// Any order of the others is as likely as any other (Fisher and Yates, from the end).
    fn draw_uniform(&mut self, key: &ShredKey) {
        let seed = Digest::of_parts(&[
            b"headwater shuffled tree",
            &self.seed.0.to_le_bytes(),
            &key.slot.number().to_le_bytes(),
            &key.index.to_le_bytes(),
            &[u8::from(key.coding)],
            &key.leader.number().to_le_bytes(),
        ]);
        let mut random = ChaCha::new(Generator::Chacha8, seed.0);
        let others = 0..self.view.others(key.leader);
        self.order.extend(others.map(|place| self.view.other(key.leader, place)));
        for last in (1..self.order.len()).rev() {
            self.order.swap(last, random.below_single(last as u64 + 1) as usize);
        }
    }
}
