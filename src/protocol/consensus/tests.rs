//! Protocol layer, tests: votes at one node: blocks made by hand, votes of others put into them
//! or brought by messages. Node 0 is the one that is looked at. Stakes add up to 100, mostly, so a
//! stake is a percentage.

mod duplicates;
mod landing;
mod switching;
mod voting;

use std::collections::BTreeMap;

use super::*;
use crate::base::digest::Digest;
use crate::base::id::NodeMap;
use crate::base::rng::Seed;
use crate::crypto::Suite;
use crate::protocol::Validator;
use crate::protocol::block::Cut;
use crate::protocol::electorate::Electorate;
use crate::protocol::ledger::{self, Accounts, Content};
use crate::protocol::peers::Peers;
use crate::protocol::price::Prices;
use crate::protocol::schedule::{self, Schedule};
use crate::protocol::vote::Ballots;
use crate::sim::protocol::{Effect, Outbox};

const ME: NodeId = NodeId::new(0);

/// One node, its chain, and what it has said.
struct Bench {
    cluster: Cluster,
    chain: Chain,
    peers: Peers,
    ctx: Outbox<Validator>,
    consensus: Consensus,
    /// All blocks made, by name; genesis is 0.
    made: BTreeMap<u64, Block>,
    now: Time,
    /// The block that it builds on.
    head: u64,
    /// What it stated since that was last asked.
    facts: Vec<Fact>,
    /// Votes that it sent since then, one per receiver.
    sent: Vec<Slot>,
}

/// A block: its name, its parent's, its slot.
type At = (u64, u64, u32);

impl Bench {
    fn new(stakes: &[u64], change: impl FnOnce(&mut Config)) -> Self {
        let cluster = cluster(stakes);
        let mut config = Config { style: Style::Tower, spread: Spread::Peers, ..Config::default() };
        change(&mut config);
        let mut genesis = cluster.genesis.clone();
        genesis.hash = named(0);
        let chain = Chain::new(genesis.id(), 512).voted();
        let nodes = stakes.len();
        Self {
            cluster: Cluster { genesis: genesis.clone(), ..cluster },
            chain,
            peers: Peers::everyone(ME, nodes),
            ctx: Outbox::new(),
            consensus: Consensus::new(config, nodes).expect("somebody votes"),
            made: BTreeMap::from([(0, genesis)]),
            now: Time::ZERO,
            head: 0,
            facts: Vec::new(),
            sent: Vec::new(),
        }
    }

    /// Lets the node do something, and notes what it says.
    fn act<T>(
        &mut self,
        act: impl FnOnce(&mut Consensus, &mut Desk<'_>, &mut Outbox<Validator>) -> T,
    ) -> T {
        self.ctx.begin(ME, self.now);
        let mut desk = Desk {
            cluster: &mut self.cluster,
            chain: &mut self.chain,
            contacts: Contacts { peers: &self.peers, gossip: None, crds: None },
            registry: Registry::Genesis,
            slot: Slot::ZERO,
            liar: None,
        };
        let result = act(&mut self.consensus, &mut desk, &mut self.ctx);
        for effect in self.ctx.take_effects() {
            match effect {
                Effect::SendEach { .. } => unreachable!("effects that are taken are single"),
                Effect::Observe(fact) => self.facts.push(fact),
                Effect::Send { message: crate::protocol::Message::Vote(message), .. } => {
                    self.sent.push(self.cluster.ballots.get(message.vote).slot);
                }
                Effect::Send { .. } | Effect::After { .. } => {}
            }
        }
        self.consensus.take_published();
        result
    }

    /// A block of node 1 with these votes joins the node's chain.
    fn block(&mut self, at: At, votes: &[Vote]) {
        self.block_of(NodeId::new(1), at, votes);
    }

    fn block_of(&mut self, leader: NodeId, at: At, votes: &[Vote]) {
        let block = self.make(leader, at, votes);
        self.join(&block);
    }

    /// Makes a block that the node does not have yet.
    fn make(&mut self, leader: NodeId, (name, parent, slot): At, votes: &[Vote]) -> Block {
        let slot = Slot::new(slot);
        let parent = &self.made[&parent];
        let content = Content { votes: votes.into(), ..Content::default() };
        let ledger = ledger::Block::produce(&self.made[&0].ledger, slot, leader, content, 1);
        let shape = Cut::default().shape(96);
        let mut block = Block::upon(&self.made[&0], ledger, shape, Suite::Modelled, 1);
        (block.hash, block.parent, block.height) = (named(name), parent.hash, parent.height + 1);
        let (ballots, electorate) = (&self.cluster.ballots, &self.cluster.electorate);
        let block = block.counted(parent, ballots, electorate);
        self.made.insert(name, block.clone());
        block
    }

    /// A block joins the node's chain, with those that waited for it.
    fn join(&mut self, block: &Block) {
        let body = self.ctx.store(block.clone());
        Shelf::<Block>::hold(&mut self.ctx, body);
        let joined = self.chain.add(Link::of(block, body)).joined;
        let head = self.act(|consensus, desk, ctx| consensus.on_joined(desk, ctx, &joined));
        self.head = head.0;
    }

    /// Blocks one upon another without votes: each is named like its slot.
    fn line(&mut self, parent: u64, slots: std::ops::RangeInclusive<u32>) {
        let mut parent = parent;
        for slot in slots {
            self.block((slot.into(), parent, slot), &[]);
            parent = slot.into();
        }
    }

    /// A vote of another node with the tower of all votes up to it, given as slots; it is for the
    /// block of this name.
    fn vote(&mut self, voter: u32, slots: &[u32], block: u64) -> Vote {
        let mut tower = Tower::default();
        slots.iter().for_each(|slot| {
            tower.vote(Slot::new(*slot));
        });
        let slot = Slot::new(*slots.last().expect("a vote"));
        let vote = (slot, BlockId(block));
        let voter = NodeId::new(voter);
        self.cluster.ballots.cast(voter, vote, Slot::ZERO, &tower).expect("there is room")
    }

    /// Votes come in messages or by gossip.
    fn hear(&mut self, votes: &[Vote]) {
        let head = self.act(|consensus, desk, ctx| consensus.on_votes(desk, ctx, votes));
        self.head = head.map_or(self.head, |head| head.0);
    }

    /// The alarm to look at votes goes off.
    fn poll(&mut self) {
        let head = self.act(Consensus::on_timer);
        self.head = head.map_or(self.head, |head| head.0);
    }

    /// Shreds of two blocks of node 1 for a slot have come.
    fn prove(&mut self, slot: u32) {
        let proof = (Slot::new(slot), NodeId::new(1));
        let head = self.act(|consensus, desk, ctx| consensus.on_proof(desk, ctx, proof));
        self.head = head.map_or(self.head, |head| head.0);
    }

    /// Slots that the node has voted for since that was last asked.
    fn cast(&mut self) -> Vec<u32> {
        self.take(|fact| match fact {
            Fact::VoteCast { slot, .. } => Some(slot.number()),
            _ => None,
        })
    }

    /// Why it did not vote, since that was last asked.
    fn withheld(&mut self) -> Vec<Abstention> {
        self.take(|fact| match fact {
            Fact::VoteWithheld { reason, .. } => Some(*reason),
            _ => None,
        })
    }

    /// Slots that were rooted or confirmed to a level.
    fn confirmed(&mut self, of: Level) -> Vec<u32> {
        self.take(|fact| match fact {
            Fact::BlockConfirmed { slot, level, .. } if *level == of => Some(slot.number()),
            _ => None,
        })
    }

    fn rooted(&mut self) -> Vec<u32> {
        self.take(|fact| match fact {
            Fact::Rooted { slot, .. } => Some(slot.number()),
            _ => None,
        })
    }

    /// Takes the facts that something is made of, and leaves all others.
    fn take<T>(&mut self, of: impl Fn(&Fact) -> Option<T>) -> Vec<T> {
        let taken = self.facts.iter().filter_map(&of).collect();
        self.facts.retain(|fact| of(fact).is_none());
        taken
    }
}

/// The hash of a block with this name.
fn named(name: u64) -> Digest {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&name.to_le_bytes());
    Digest(bytes)
}

fn cluster(stakes: &[u64]) -> Cluster {
    let (seed, nodes) = (Seed(1), stakes.len());
    let stakes = NodeMap::from_vec(stakes.to_vec());
    let identities = NodeMap::build(nodes, |node| [node.number() as u8; 32]);
    let (crypto, ledger) = (Suite::Modelled, ledger::Config::default());
    Cluster {
        seed,
        schedule: Schedule::new(&schedule::Config::default(), seed, &stakes, &identities, &[]),
        trees: None,
        accounts: Accounts::new(crypto, seed, &stakes, &identities, None),
        genesis: Block::genesis(seed, 0, &ledger).voted_by(nodes),
        electorate: Electorate::new(stakes.clone()),
        stakes,
        identities,
        rumors: Vec::new(),
        ballots: Ballots::default(),
        arrived: Vec::new(),
        branches: Vec::new(),
        crds: None,
        crypto,
        prices: Prices::default(),
    }
}
