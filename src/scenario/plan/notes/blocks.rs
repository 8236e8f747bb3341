//! Scenario layer: keys about blocks that come to nothing.

use serde::Serialize;

use crate::base::quantity::Bytes;
use crate::protocol::block::Erasure;
use crate::protocol::consensus::Style;
use crate::protocol::gossip;
use crate::protocol::leading::{Content, Start};
use crate::protocol::schedule::Kind;
use crate::protocol::turbine::config::{Coding, Emission};
use crate::protocol::turbine::tree::{Relay, Tree};
use crate::scenario::schema::Scenario;
use crate::scenario::shipped::PRESETS;

/// What the scenario would be with its preset alone. What differs from that was written by somebody
/// who expects it to be read.
pub(super) fn base(scenario: &Scenario) -> Scenario {
    let preset = PRESETS.iter().find(|(name, _)| scenario.rules.as_deref() == Some(*name));
    preset.and_then(|(_, text)| toml::from_str(text).ok()).unwrap_or_default()
}

/// One sentence for each key that comes to nothing.
pub(super) fn of(scenario: &Scenario, nodes: usize) -> Vec<String> {
    let base = base(scenario);
    if scenario.blocks.content == Content::Off {
        return without_blocks(scenario, &base);
    }
    let mut notes = of_slots(scenario, &base);
    notes.extend(after_the_end(scenario));
    notes.extend(behind_the_clock(scenario, nodes));
    notes.extend(of_trees(scenario, &base));
    notes.extend(wide_trees(scenario, &base, nodes));
    notes.extend(of_coding(scenario, &base));
    notes.extend(of_votes(scenario, &base));
    notes.extend(much_decoding(scenario, nodes));
    notes
}

/// Sections that nobody reads.
fn without_blocks(scenario: &Scenario, base: &Scenario) -> Vec<String> {
    let (written, preset) = (&scenario.blocks, &base.blocks);
    let sections = [
        ("slots", scenario.slots != base.slots),
        ("blocks.bytes", written.bytes != preset.bytes),
        ("blocks.shreds", written.shreds != preset.shreds),
        ("blocks.explicit", written.explicit != preset.explicit),
        ("turbine", scenario.turbine != base.turbine),
        ("consensus", scenario.consensus != base.consensus),
    ];
    let note = |(key, _)| {
        format!("{key}: there are no blocks, because blocks.content is \"off\", as without the key")
    };
    sections.into_iter().filter(|(_, given)| *given).map(note).collect()
}

/// A key, whether somebody wrote it, and whether it is read.
type Key = (&'static str, bool, bool);

/// Notes about those keys that were written and are not read, because another key has this value.
fn unread(keys: &[Key], because: &str, value: &impl Serialize) -> Vec<String> {
    let value = toml::Value::try_from(value).map(|value| value.to_string()).unwrap_or_default();
    let unread = keys.iter().filter(|(_, written, read)| *written && !read);
    unread.map(|(key, ..)| format!("{key}: not read with {because} = {value}")).collect()
}

fn of_slots(scenario: &Scenario, base: &Scenario) -> Vec<String> {
    let (slots, base) = (&scenario.slots, &base.slots);
    let (clock, epoch) = (slots.start == Start::Clock, slots.schedule == Kind::Epoch);
    let of_start = [
        ("slots.begin", slots.begin != base.begin, clock),
        ("slots.adjustment", slots.adjustment != base.adjustment, !clock),
    ];
    let of_schedule = [
        ("slots.slots_per_epoch", slots.slots_per_epoch != base.slots_per_epoch, epoch),
        ("slots.first_epoch", slots.first_epoch != base.first_epoch, epoch),
        ("slots.leaders", slots.leaders != base.leaders, slots.schedule == Kind::List),
    ];
    let notes = unread(&of_start, "slots.start", &slots.start);
    [notes, unread(&of_schedule, "slots.schedule", &slots.schedule)].concat()
}

fn of_trees(scenario: &Scenario, base: &Scenario) -> Vec<String> {
    let (turbine, base) = (&scenario.turbine.trees, &base.turbine.trees);
    let (tree, relay) = (turbine.tree, turbine.relay);
    // Blocks that gossip sends again go round-robin, whatever the tree.
    let rounds = !matches!(scenario.gossip.style, gossip::Style::Off | gossip::Style::ForwardOnce);
    let again = rounds && scenario.gossip.recent_blocks > 0;
    let layers = matches!(tree, Tree::Kary | Tree::Rotated | Tree::Shuffled | Tree::StakeWeighted);
    let by_stake = tree == Tree::StakeWeighted || tree == Tree::Relay && relay == Relay::Stake;
    let fans = layers || tree == Tree::RoundRobin || again;
    let keys = [
        ("turbine.fanout", turbine.fanout != base.fanout, fans),
        ("turbine.layout", turbine.layout != base.layout, layers),
        ("turbine.generator", turbine.generator != base.generator, by_stake),
        ("turbine.relay", relay != base.relay, tree == Tree::Relay),
    ];
    if tree == Tree::Relay && relay == Relay::Rotation {
        let (generator, others) = (&keys[2..3], [&keys[..2], &keys[3..]].concat());
        let notes = unread(&others, "turbine.tree", &tree);
        return [notes, unread(generator, "turbine.relay", &relay)].concat();
    }
    unread(&keys, "turbine.tree", &tree)
}

/// Slots that no run of this length comes to.
fn after_the_end(scenario: &Scenario) -> Vec<String> {
    let (slots, end) = (&scenario.slots, scenario.duration);
    let first = slots.begin.saturating_add(slots.duration);
    let mut notes = Vec::new();
    if slots.start == Start::Clock && first > end {
        let key = if slots.begin.is_zero() { "slots.duration" } else { "slots.begin" };
        notes.push(format!(
            "{key}: the first slot that anybody leads begins at {first}, after the end of the run, \
             {end}"
        ));
    }
    let last = super::super::blocks::most_slots(scenario);
    for (place, config) in scenario.nodes.epochs.iter().enumerate() {
        let first = u64::from(config.epoch) * u64::from(slots.slots_per_epoch);
        if first > last {
            notes.push(format!(
                "nodes.epochs[{place}]: epoch {} begins in slot {first}, and a run of {end} ends \
                 before it",
                config.epoch
            ));
        }
    }
    for (place, block) in scenario.blocks.explicit.iter().enumerate() {
        if u64::from(block.slot) > last {
            let slot = block.slot;
            notes.push(format!(
                "blocks.explicit[{place}].slot: a run of {end} ends before slot {slot}"
            ));
        }
    }
    notes
}

/// A note on leaders that cannot know the block before theirs, whatever the network is like: the
/// last set of it is sent when its slot is over, and that is when they begin by the clock.
fn behind_the_clock(scenario: &Scenario, nodes: usize) -> Option<String> {
    let (slots, emission) = (&scenario.slots, scenario.turbine.emission);
    let sent_at_the_end = slots.start == Start::Clock && emission == Emission::BySet;
    (sent_at_the_end && nodes > 1).then(|| {
        "turbine.emission: with \"by-set\" the last set of a block leaves when the next slot begins \
         by the clock, so that every new leader builds past the block before; slots.start = \"poh\" \
         lets leaders wait"
            .to_owned()
    })
}

/// A note on a fan-out that puts all nodes below the root.
fn wide_trees(scenario: &Scenario, base: &Scenario, nodes: usize) -> Option<String> {
    let (turbine, base) = (&scenario.turbine.trees, &base.turbine.trees);
    let (fanout, written) = (turbine.fanout, turbine.fanout != base.fanout);
    let layers =
        matches!(turbine.tree, Tree::Kary | Tree::Rotated | Tree::Shuffled | Tree::StakeWeighted);
    // The root of a tree of its own for every shred is one of the others; of a single tree it is
    // the leader.
    let below = nodes.saturating_sub(if turbine.tree == Tree::Kary { 1 } else { 2 });
    (written && layers && fanout as usize > below).then(|| {
        format!(
            "turbine.fanout: {fanout} is more than there are nodes below the root, {below}: trees \
             have one layer"
        )
    })
}

fn of_coding(scenario: &Scenario, base: &Scenario) -> Vec<String> {
    let (turbine, base) = (&scenario.turbine, &base.turbine);
    let coded = turbine.coding != Coding::None;
    let recovered = turbine.forward_recovered != base.forward_recovered;
    let keys = [
        ("turbine.last_chunk_size", turbine.last_chunk_size != base.last_chunk_size, coded),
        ("turbine.coding_overhead", turbine.coding_overhead != base.coding_overhead, coded),
        ("turbine.erasure", turbine.erasure != base.erasure, coded),
        ("turbine.forward_recovered", recovered, coded),
    ];
    unread(&keys, "turbine.coding", &turbine.coding)
}

fn of_votes(scenario: &Scenario, base: &Scenario) -> Vec<String> {
    let (consensus, base) = (&scenario.consensus, &base.consensus);
    let (votes, tower) = (consensus.style != Style::Off, consensus.style == Style::Tower);
    let depth = consensus.threshold_depth != base.threshold_depth;
    let propagation = consensus.propagation != base.propagation;
    let keys = [
        ("consensus.spread", consensus.spread != base.spread, votes),
        ("consensus.threshold_depth", depth, tower),
        ("consensus.switch", consensus.switch != base.switch, tower),
        ("consensus.propagation", propagation, tower),
    ];
    let told = scenario.gossip.style == gossip::Style::Solana;
    let untold = [("consensus.propagation", propagation && tower, told)];
    let notes = unread(&keys, "consensus.style", &consensus.style);
    [notes, unread(&untold, "gossip.style", &scenario.gossip.style)].concat()
}

/// So many decoded bytes take a processor about a quarter of an hour.
const MUCH: u64 = 1_000_000_000_000;

fn much_decoding(scenario: &Scenario, nodes: usize) -> Option<String> {
    let turbine = &scenario.turbine;
    if turbine.erasure == Erasure::Counted || turbine.coding == Coding::None {
        return None;
    }
    let blocks = super::super::blocks::most_slots(scenario);
    let (bytes, _) = super::super::blocks::config(scenario).largest();
    let each = Bytes(u64::from(bytes).saturating_mul(blocks).saturating_mul(nodes as u64));
    (each.0 > MUCH).then(|| {
        format!(
            "turbine.erasure: {nodes} nodes decode up to {blocks} blocks of {}, which takes long; \
             \"counted\" gives the same run",
            Bytes(bytes.into())
        )
    })
}
