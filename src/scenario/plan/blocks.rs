//! Scenario layer: `[slots]`, `[blocks]` and `[turbine]` checked against the nodes and the network.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::refused;
use crate::base::id::NodeMap;
use crate::base::quantity::Bytes;
use crate::base::time::Time;
use crate::protocol::block::{Coded, Erasure, Shape};
use crate::protocol::blocks::Settings;
use crate::protocol::leading::{self, BlocksConfig, Content, Registry};
use crate::protocol::schedule::Kind;
use crate::protocol::turbine::config::Coding;
use crate::protocol::turbine::tree::Tree;
use crate::protocol::vote::{Ballots, VOTE_BYTES};
use crate::protocol::{consensus, gossip, repair};
use crate::scenario::error::ScenarioError;
use crate::scenario::schema::Scenario;

/// What nodes do about blocks; `None` if there are none.
pub(super) fn resolve(
    scenario: &Scenario,
    stakes: &NodeMap<u64>,
) -> Result<Option<Settings>, ScenarioError> {
    let nodes = stakes.len();
    let validators = stakes.values().filter(|stake| **stake > 0).count() as u32;
    let (slots, turbine) = (&scenario.slots, &scenario.turbine);
    slots.check().map_err(|error| refused("slots", &error))?;
    turbine.check().map_err(|error| refused("turbine", &error))?;
    let blocks = config(scenario);
    blocks.check().map_err(|error| refused("blocks", &error))?;
    check_explicit(&blocks)?;
    let (ledger, mempool, forward) = (&scenario.ledger, &scenario.mempool, &scenario.forward);
    ledger.check(validators).map_err(|error| refused("ledger", &error))?;
    mempool.check().map_err(|error| refused("mempool", &error))?;
    let epoch = (slots.schedule == Kind::Epoch).then_some(slots.slots_per_epoch);
    forward.check(epoch).map_err(|error| refused("forward", &error))?;
    scenario.consensus.check().map_err(|error| refused("consensus", &error))?;
    scenario.repair.check().map_err(|error| refused("repair", &error))?;
    if blocks.content == Content::Off {
        return Ok(None);
    }
    check_slots(scenario)?;
    check_votes(scenario, validators)?;
    if slots.registry == Registry::Gossip && scenario.gossip.style == gossip::Style::Off {
        let message = "leaders are drawn from what gossip tells, but gossip.style is \"off\"";
        return Err(ScenarioError::new("slots.registry", message));
    }
    for (place, leader) in slots.leaders.iter().enumerate() {
        if *leader as usize >= nodes {
            let nodes = match nodes {
                1 => "the only node is 0".to_owned(),
                many => format!("the {many} nodes are 0 to {}", many - 1),
            };
            let message = format!("node {leader} does not exist; {nodes}");
            return Err(ScenarioError::new(format!("slots.leaders[{place}]"), message));
        }
    }
    let others = nodes - 1;
    let (tree, fanout) = (turbine.trees.tree, turbine.trees.fanout);
    if tree == Tree::RoundRobin && fanout as usize > others.max(1) {
        let message = super::impossible_fanout(fanout, others);
        return Err(ScenarioError::new("turbine.fanout", message));
    }
    check_sizes(scenario, &blocks)?;
    check_erasure(scenario, &blocks)?;
    Ok(Some(Settings {
        slots: Arc::new(slots.clone()),
        blocks: Arc::new(blocks),
        turbine: Arc::new(turbine.clone()),
        forward: *forward,
        mempool: *mempool,
        repair: Arc::new(repair(scenario, stakes)?),
        consensus: consensus::Config {
            // Without Solana's gossip nobody tells which slots it has.
            propagation: scenario.consensus.propagation
                && scenario.gossip.style == gossip::Style::Solana,
            ..scenario.consensus
        },
    }))
}

/// What leaders put into blocks, and how these are cut.
pub(super) fn config(scenario: &Scenario) -> BlocksConfig {
    let (cut, erasure) = (scenario.turbine.cut(), scenario.turbine.erasure);
    BlocksConfig { cut, erasure, ..scenario.blocks.clone() }
}

/// Most blocks with a size of their own.
const MOST_EXPLICIT: usize = 10_000;

/// Each explicit block has a slot of its own and a size that a block can have.
fn check_explicit(blocks: &BlocksConfig) -> Result<(), ScenarioError> {
    let count = blocks.explicit.len();
    let refuse = |key: &str, message: String| Err(ScenarioError::new(key, message));
    if count > 0 && blocks.content == Content::Transactions {
        let message = "only synthetic blocks have a given size; \
                       blocks of transactions have max_bytes";
        return refuse("blocks.explicit", message.into());
    }
    if count > MOST_EXPLICIT {
        let message = format!("{count} entries pass the limit of {MOST_EXPLICIT}");
        return refuse("blocks.explicit", message);
    }
    let mut slots = BTreeSet::new();
    for (place, block) in blocks.explicit.iter().enumerate() {
        let key = format!("blocks.explicit[{place}]");
        let (slot, bytes, shreds) = (block.slot, block.bytes, block.shreds);
        if !slots.insert(slot) {
            return refuse(&format!("{key}.slot"), format!("slot {slot} has a size already"));
        }
        if bytes.is_none() && shreds.is_none() {
            let message = "says no size; expected bytes such as \"1MB\", or shreds";
            return refuse(&key, message.into());
        }
        let alone = BlocksConfig { bytes, shreds, explicit: Vec::new(), ..blocks.clone() };
        alone.check().map_err(|error| refused(&key, &error))?;
    }
    Ok(())
}

/// The largest payload of a datagram, if the network has no limit of its own.
const LARGEST_PAYLOAD: u64 = 65_507;

/// How nodes get what is missing. A request and its answer have to fit into a message.
fn repair(scenario: &Scenario, stakes: &NodeMap<u64>) -> Result<repair::Settings, ScenarioError> {
    let config = scenario.repair.clone();
    let limit = scenario.network.message_limit;
    let listing = u64::from(repair::Body::HEAD + repair::Body::ENTRY);
    let request = match config.style {
        repair::Style::Off => 0,
        repair::Style::Classroom => listing,
        repair::Style::Solana => repair::Message::WINDOW_BYTES.into(),
    };
    let turbine = &scenario.turbine;
    let shred = turbine.chunk_size.0 + turbine.data_overhead.0;
    let answer = shred + u64::from(repair::Message::NONCE_BYTES);
    let refuse = |what: &str, size: u64, limit: Bytes| {
        let size = Bytes(size);
        let message =
            format!("{what} of {size} is above network.message_limit, {limit}; none would arrive");
        Err(ScenarioError::new("repair.style", message))
    };
    if let (true, Some(limit)) = (config.style != repair::Style::Off, limit) {
        if request > limit.0 {
            return refuse("a request", request, limit);
        }
        if answer > limit.0 {
            return refuse("an answer", answer, limit);
        }
    }
    let room = limit.map_or(LARGEST_PAYLOAD, |limit| limit.0.min(LARGEST_PAYLOAD));
    let most_listed =
        room.saturating_sub(repair::Body::HEAD.into()) / u64::from(repair::Body::ENTRY);
    Ok(repair::Settings {
        config,
        slot: scenario.slots.duration,
        weights: repair::peer::Weights::new(stakes),
        most_listed: most_listed.max(1) as usize,
    })
}

/// Most hashes of the chain of ticks that leaders are drawn from: some minutes of computation.
const MOST_HASHES: u64 = 1_000_000_000;

/// All votes of a run are kept, as they stay part of the chain, and each has to fit into a message.
fn check_votes(scenario: &Scenario, validators: u32) -> Result<(), ScenarioError> {
    let slots = scenario.duration.as_nanos() / scenario.slots.duration.as_nanos();
    let votes = slots.saturating_mul(validators.into());
    // A validator votes once in a slot, a lying one at most twice.
    let most = Ballots::MOST as u64 / 2;
    if scenario.consensus.style != consensus::Style::Off && votes > most {
        let message = format!(
            "{validators} validators cast up to {votes} votes in {slots} slots, the limit is {most}"
        );
        return Err(ScenarioError::new("duration", message));
    }
    let vote = Bytes(VOTE_BYTES.into());
    let limit = scenario.network.message_limit.filter(|limit| vote.0 > limit.0);
    if let (Some(limit), true) = (limit, scenario.consensus.style != consensus::Style::Off) {
        let message =
            format!("a vote of {vote} is above network.message_limit, {limit}; none would arrive");
        return Err(ScenarioError::new("consensus.style", message));
    }
    Ok(())
}

/// Slots are numbered with 32 bits, and drawing their leaders must come to an end.
fn check_slots(scenario: &Scenario) -> Result<(), ScenarioError> {
    let slots = &scenario.slots;
    let count = most_slots(scenario);
    if count >= u64::from(u32::MAX) {
        let message = format!(
            "a run of {} has {count} slots of {}, the limit is {}",
            scenario.duration,
            slots.length(),
            u32::MAX
        );
        return Err(ScenarioError::new("slots.duration", message));
    }
    let (hashes, ahead) = (slots.hashes_per_slot, looked_ahead(scenario));
    let all = (count + ahead).saturating_mul(hashes.into());
    if slots.schedule == Kind::Poh && all > MOST_HASHES {
        let message = format!(
            "{count} slots and {ahead} that nodes look ahead, with {hashes} hashes each, pass the \
             limit of {MOST_HASHES} hashes for schedule = \"poh\""
        );
        return Err(ScenarioError::new("slots.hashes_per_slot", message));
    }
    Ok(())
}

/// Slots that a run has time for.
pub(super) fn most_slots(scenario: &Scenario) -> u64 {
    scenario.slots.last(Time::ZERO + scenario.duration)
}

/// How many slots after the present one nodes ask for the leaders of.
fn looked_ahead(scenario: &Scenario) -> u64 {
    let of_transactions = match scenario.blocks.content {
        Content::Transactions => scenario.forward.lookahead.max(scenario.forward.hold),
        Content::Off | Content::Synthetic => 0,
    };
    of_transactions.max(leading::POH_HORIZON).into()
}

/// A shred has to fit into a message, and a chunk into a block.
fn check_sizes(scenario: &Scenario, blocks: &BlocksConfig) -> Result<(), ScenarioError> {
    let turbine = &scenario.turbine;
    let coding = if turbine.coding == Coding::None { 0 } else { turbine.coding_overhead.0 };
    let overhead = turbine.data_overhead.0.max(coding);
    let largest = Bytes(turbine.chunk_size.0 + overhead);
    if let Some(limit) = scenario.network.message_limit.filter(|limit| largest.0 > limit.0) {
        let message = format!(
            "a shred of {largest} is above network.message_limit, {limit}; none would arrive"
        );
        return Err(ScenarioError::new("turbine.chunk_size", message));
    }
    if blocks.content == Content::Transactions {
        return Ok(());
    }
    let (bytes, _) = blocks.size();
    if blocks.bytes.is_some() && turbine.chunk_size.0 > u64::from(bytes) {
        let message = format!(
            "a chunk of {} is larger than the whole block, {}",
            turbine.chunk_size,
            Bytes(bytes.into())
        );
        return Err(ScenarioError::new("turbine.chunk_size", message));
    }
    Ok(())
}

/// Most memory for the bytes of shreds.
const MOST_CODED: u64 = 1 << 30;

/// Blocks that nodes keep at a time: those of the history and those that are not whole, but no more
/// than there are slots.
fn most_blocks(scenario: &Scenario) -> u64 {
    let turbine = &scenario.turbine;
    most_slots(scenario).min(u64::from(turbine.history) + u64::from(turbine.partial_blocks))
}

/// The bytes of shreds live as long as their block; they have to fit into memory.
fn check_erasure(scenario: &Scenario, blocks: &BlocksConfig) -> Result<(), ScenarioError> {
    if blocks.erasure == Erasure::Counted || blocks.cut.set_coding == 0 {
        return Ok(());
    }
    let memory = |(_, shape): (u32, Shape)| Coded::memory(&shape, &blocks.cut);
    let (count, each) = (most_blocks(scenario), memory(blocks.largest()));
    let explicit = blocks.explicit_sizes().map(memory).fold(0, u64::saturating_add);
    let all = count.saturating_mul(each).saturating_add(explicit);
    if all > MOST_CODED {
        let with = match blocks.explicit.len() {
            0 => "",
            _ => ", and of those with explicit sizes,",
        };
        let message = format!(
            "the shreds of {count} blocks with {} each{with} take more than {}, the limit of real \
             coding",
            Bytes(each),
            Bytes(MOST_CODED)
        );
        let hint = "use \"counted\", smaller blocks or a smaller turbine.history";
        return Err(ScenarioError::new("turbine.erasure", message).hint(hint));
    }
    Ok(())
}
