//! Protocol layer, tests only: what a node says of a block that decodes to other bytes than its
//! leader coded.

use super::*;
use crate::base::digest::Digest;
use crate::base::id::NodeMap;
use crate::base::rng::Seed;
use crate::base::time::Time;
use crate::crypto::Suite;
use crate::protocol::Validator;
use crate::protocol::block::Cut;
use crate::protocol::electorate::Electorate;
use crate::protocol::ledger::Accounts;
use crate::protocol::price::Prices;
use crate::protocol::schedule::{self, Schedule};
use crate::protocol::vote::Ballots;
use crate::sim::protocol::{Effect, Outbox, Shelf as _};

fn cluster(nodes: usize) -> Cluster {
    let (stakes, identities) = (NodeMap::filled(nodes, 1), NodeMap::filled(nodes, [0; 32]));
    let schedule = Schedule::new(&schedule::Config::default(), Seed(1), &stakes, &identities, &[]);
    let accounts = Accounts::new(Suite::default(), Seed(1), &stakes, &identities, None);
    Cluster {
        seed: Seed(1),
        genesis: Block::blank(),
        accounts,
        electorate: Electorate::new(stakes.clone()).silent(),
        stakes,
        identities,
        rumors: Vec::new(),
        schedule,
        trees: None,
        ballots: Ballots::default(),
        arrived: Vec::new(),
        branches: Vec::new(),
        crds: None,
        crypto: Suite::default(),
        prices: Prices::default(),
    }
}

/// A block of one set of 4 + 4 shreds.
fn block() -> Block {
    let cut = Cut { set_data: 4, set_coding: 4, ..Cut::default() };
    let (bytes, slot) = (4_000, Slot::new(3));
    let (hash, leader) = (Digest::of(b"block"), NodeId::new(1));
    let (shape, parent) = (cut.shape(bytes), Digest::default());
    let block = Block { slot, height: 1, leader, hash, parent, bytes, shape, ..Block::blank() };
    block.with_bytes(&cut)
}

/// The facts that node 0 states when the last four shreds of a block reach it.
fn facts(block: Block) -> Vec<Fact> {
    let config = Arc::new(Config::default());
    let (mut cluster, peers) = (cluster(3), Peers::everyone(NodeId::new(0), 3));
    let mut store = Blockstore::new(config.limits(), true);
    let mut turbine = Turbine::new(config);
    let mut ctx: Outbox<Validator> = Outbox::new();
    ctx.begin(NodeId::new(0), Time::ZERO);
    let body = ctx.store(block);
    turbine.open(&mut store, &mut ctx, body);
    for place in 4..8 {
        let places = (&mut cluster, &mut store, &peers);
        let shred = (body, ShredAt { set: 0, place });
        let way = Way { hops: 1, ..Way::off_the_tree(Path::Turbine(1)) };
        turbine.receive(places, &mut ctx, shred, way);
    }
    let fact = |effect| match effect {
        Effect::Observe(fact) => Some(fact),
        _ => None,
    };
    ctx.take_effects().into_iter().filter_map(fact).collect()
}

#[test]
fn a_block_that_decodes_to_something_else_is_refused_aloud_and_never_whole() {
    let (node, slot, good) = (NodeId::new(0), Slot::new(3), block());
    let id = good.id().0;
    let first = Fact::BlockFirstShred { node, slot, block: id };
    let mut bad = good.clone();
    bad.coded.as_mut().expect("it has bytes").damage(0, 2);
    assert_eq!(facts(bad), [first, Fact::BlockMiscoded { node, slot, block: id, set: 0 }]);
    let whole = Fact::BlockWhole { node, slot, block: id, first: Time::ZERO };
    let tally = Tally { turbine: 4, recovered: 4, hops: 1, ..Tally::default() };
    assert_eq!(facts(good), [first, whole, counted(node, BlockId(id), tally)]);
}
