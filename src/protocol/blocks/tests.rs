//! Protocol layer, tests: blocks with something wrong in them.

use super::*;
use crate::base::id::NodeMap;
use crate::base::rng::Seed;
use crate::base::slot::Slot;
use crate::base::time::{Span, Time};
use crate::crypto::Suite;
use crate::fact::Flaw;
use crate::protocol::block::Cut;
use crate::protocol::electorate::Electorate;
use crate::protocol::gossip::{self, Gossip};
use crate::protocol::leading::Registry;
use crate::protocol::ledger::{self, Accounts, Content};
use crate::protocol::price::Prices;
use crate::protocol::schedule::{self, Kind, Schedule};
use crate::protocol::vote::Ballots;
use crate::protocol::{Body, Validator};
use crate::sim::protocol::{Effect, Outbox};

const HASHES: u32 = 10;

fn cluster() -> Cluster {
    let (seed, stakes) = (Seed(1), NodeMap::filled(2, 5));
    let identities = NodeMap::from_vec(vec![[1; 32], [2; 32]]);
    let schedule = Schedule::new(&schedule::Config::default(), seed, &stakes, &identities, &[]);
    let (crypto, ledger) = (Suite::Modelled, ledger::Config::default());
    let nanos = Span::from_nanos;
    Cluster {
        seed,
        schedule,
        trees: None,
        accounts: Accounts::new(crypto, seed, &stakes, &identities, None),
        genesis: Block::genesis(seed, 2, &ledger),
        electorate: Electorate::new(stakes.clone()).silent(),
        stakes,
        identities,
        rumors: Vec::new(),
        ballots: Ballots::default(),
        arrived: Vec::new(),
        branches: Vec::new(),
        crds: None,
        crypto,
        prices: Prices { poh: nanos(1_000), hash_kilobyte: nanos(1_000), ..Prices::default() },
    }
}

fn block(cluster: &Cluster, slot: u32, change: fn(ledger::Block) -> ledger::Block) -> Block {
    let content = Content { filler: 904, ..Content::default() };
    let (genesis, leader) = (&cluster.genesis, NodeId::new(1));
    let slot = Slot::new(slot);
    let ledger = ledger::Block::produce(&genesis.ledger, slot, leader, content, HASHES);
    Block::upon(genesis, change(ledger), Cut::default().shape(1_000), Suite::Modelled, HASHES)
}

/// All facts that a node states when the only shred of a block comes, and what it is charged.
fn hear(blocks: &mut Blocks, cluster: &mut Cluster, block: Block) -> (Vec<Fact>, Span) {
    let mut ctx = Outbox::<Validator>::new();
    ctx.begin(NodeId::new(0), Time::from_nanos(7));
    let body = ctx.store(block);
    let at = ShredAt { set: 0, place: 0 };
    let message = turbine::Message::Shred { block: body, at, hops: 1 };
    let peers = Peers::listed(Vec::new());
    let contacts = Contacts { peers: &peers, gossip: None, crds: None };
    blocks.on_turbine(cluster, contacts, &mut ctx, message);
    assert!(matches!(ctx.bodies().body(body), Body::Block(_)), "the node holds it");
    let facts = ctx.take_effects().into_iter().filter_map(|effect| match effect {
        Effect::Observe(fact) => Some(fact),
        _ => None,
    });
    (facts.collect(), ctx.charged())
}

#[test]
fn a_block_with_a_flaw_is_paid_for_and_refused() {
    let settings = Settings {
        slots: Arc::default(),
        blocks: Arc::default(),
        turbine: Arc::default(),
        repair: Arc::new(repair::Settings {
            config: repair::Config::default(),
            slot: Span::from_millis(400),
            weights: repair::peer::Weights::new(&NodeMap::filled(2, 5)),
            most_listed: 1,
        }),
        forward: forward::Config::default(),
        mempool: mempool::Config::default(),
        consensus: consensus::Config::default(),
    };
    type Lie = fn(ledger::Block) -> ledger::Block;
    let reasons: [(Lie, Option<Flaw>); 3] = [
        (ledger::Block::with_false_poh, Some(Flaw::Poh)),
        (ledger::Block::with_false_hash, Some(Flaw::Hash)),
        (|block| block, None),
    ];
    for (change, flaw) in reasons {
        let mut cluster = cluster();
        let mut blocks = Blocks::new(&settings, &cluster, NodeId::new(0));
        // Shreds of a block whose maker does not lead its slot are not looked at.
        let led = |slot: &u32| cluster.schedule.leader(Slot::new(*slot)) == Some(NodeId::new(1));
        let number = (1..100).find(led).expect("a slot of node 1");
        let block = block(&cluster, number, change);
        let (slot, id) = (block.slot, block.id());
        let (facts, charged) = hear(&mut blocks, &mut cluster, block);
        // 10 hashes of proof of history per slot at 1 ns, and 1,000 B at 1 ns.
        assert_eq!(charged, Span::from_nanos(1_000 + 10 * u64::from(number)));
        let refused = facts.iter().find_map(|fact| match fact {
            Fact::BlockRefused { slot: of, block, reason, .. } if *of == slot && *block == id.0 => {
                Some(*reason)
            }
            _ => None,
        });
        assert_eq!(refused, flaw);
        let height = blocks.leading().chain().head().height;
        assert_eq!(height, u32::from(flaw.is_none()), "only a good one joins the chain");
    }
}

#[test]
fn a_node_that_has_heard_of_nobody_else_is_leading_in_every_slot_in_its_own_eyes() {
    let mut cluster = cluster();
    let config = schedule::Config { kind: Kind::Poh, ..schedule::Config::default() };
    let (stakes, identities) = (&cluster.stakes, &cluster.identities);
    cluster.schedule = Schedule::new(&config, Seed(1), stakes, identities, &[]);
    let (me, peers) = (NodeId::new(0), Peers::listed(Vec::new()));
    let gossip = gossip::Config { style: gossip::Style::Push, ..gossip::Config::default() };
    let mut gossip = Gossip::new(gossip, Seed(1), me, 2, true);
    let mut ctx = Outbox::<Validator>::new();
    ctx.begin(me, Time::ZERO);
    gossip.connect(&peers, &mut ctx);
    let contacts = Contacts { peers: &peers, gossip: Some(&gossip), crds: None };
    let mut led = |registry| {
        let slots = SlotsConfig { registry, ..SlotsConfig::default() };
        let genesis = cluster.genesis.id();
        let leading = Leading::new(Arc::new(slots.clone()), Arc::default(), Chain::new(genesis, 9));
        let mut leads =
            |slot| leading.is_leading(&mut cluster, contacts, me, slots.begins(Slot::new(slot)));
        (1..=40).filter(|slot| leads(*slot)).count()
    };
    assert_eq!(led(Registry::Gossip), 40);
    // With all stakes known it leads half of them: 20, with a deviation of 3.2.
    let led = led(Registry::Genesis);
    assert!((2..=38).contains(&led), "{led}");
}
