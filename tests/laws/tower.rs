//! Law 9: Tower BFT. An entry of a tower with c confirmations locks out 2^c slots; 32 votes in a
//! row root the first; a fork is left only for one with strictly more than 38 % elsewhere, once the
//! lockout has expired; what is final has strictly more than two thirds behind it.
//!
//! The worlds: a slot of 100 ms begins by the clock, the leader sends its block straight to
//! everyone, and votes go to everyone; each message takes 1 ms. So a block is everywhere 1 ms after
//! its slot began, all votes for it 1 ms later, and the next block holds them all.

mod forks;
mod roots;

use headwater::base::id::NodeId;
use headwater::base::slot::Slot;
use headwater::base::time::Time;
use headwater::fact::Fact;
use headwater::world::{Builder, World};

/// A cluster of these stakes, and who leads the windows of one slot from slot 0 on, which nobody
/// leads; the list repeats.
fn tower(stakes: &[u64], leaders: &[usize], duration: &str) -> Builder {
    World::from_toml(&format!(
        r#"
        duration = "{duration}"
        [nodes]
        count = {count}
        stake = {{ kind = "list", amounts = {stakes:?} }}
        [network]
        latency = "1ms"
        [slots]
        duration = "100ms"
        schedule = "list"
        leaders = {leaders:?}
        [blocks]
        content = "synthetic"
        bytes = "1KiB"
        [turbine]
        tree = "star"
        [consensus]
        style = "tower"
        spread = "peers"
        "#,
        count = stakes.len(),
    ))
}

/// Slots that a node voted for, in the order of its votes, and whether it left a fork for them.
fn votes(world: &World, of: NodeId) -> Vec<(u32, bool)> {
    let votes = world.facts().iter().filter_map(|(_, fact)| match *fact {
        Fact::VoteCast { node, slot, switched, .. } if node == of => {
            Some((slot.number(), switched))
        }
        _ => None,
    });
    votes.collect()
}

/// Nodes that rooted something, and the slots and times.
fn roots(world: &World) -> Vec<(Time, NodeId, Slot)> {
    let roots = world.facts().iter().filter_map(|(at, fact)| match *fact {
        Fact::Rooted { node, slot, .. } => Some((*at, node, slot)),
        _ => None,
    });
    roots.collect()
}
