//! Protocol layer: pushing: which values go to whom, in how many messages.

use super::active_set::ActiveSets;
use super::config::Config;
use super::message::{Body, MOST_PRUNED, Message};
use super::shared::{NO_GROUP, Scratch, Shared};
use super::value::Label;
use crate::base::id::NodeId;
use crate::base::time::Time;
use crate::fact::Fact;
use crate::sim::body::BodyId;
use crate::sim::protocol::{Local, Mail, Shelf};

/// Most values of one push (Agave, gossip/src/cluster_info.rs).
const MOST_VALUES: usize = 4_096;
/// How many of the latest bodies are looked through for one with the same values.
const LOOK_BACK: usize = 16;

/// A value that is to be pushed, and the body by which a message of it alone refers to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    pub(super) label: Label,
    pub(super) body: Option<BodyId>,
}

/// Pushes waiting values, the first come first, each to the first peers of its active set that want
/// it; values for one peer share messages, and peers that get the same share bodies.
pub(super) fn flush(
    waiting: &mut Vec<Waiting>,
    sets: &ActiveSets,
    shared: &mut Shared,
    ctx: &mut (impl Local + Mail<Message> + Shelf<Body>),
) {
    if waiting.is_empty() {
        return;
    }
    if !shared.config.push {
        return waiting.clear();
    }
    let count = waiting.len().min(MOST_VALUES);
    choose(&waiting[..count], ctx.me(), sets, shared);
    sort_by_group(&mut shared.scratch);
    shared.scratch.made.clear();
    for group in 0..shared.scratch.groups.len() {
        send_group(group, waiting, shared, ctx);
    }
    waiting.drain(..count);
}

/// Draws up pairs of a peer and a value, in the order of the values.
fn choose(values: &[Waiting], me: NodeId, sets: &ActiveSets, shared: &mut Shared) {
    let Shared { scratch, config, classes, prune_errors, .. } = shared;
    let Scratch { group_of, groups, pairs, .. } = scratch;
    groups.clear();
    pairs.clear();
    let fanout = config.fanout as usize;
    for (place, Waiting { label, .. }) in (0_u32..).zip(values) {
        let origin = (label.origin, classes[label.origin], label.origin == me);
        sets.targets(origin, fanout, prune_errors, |peer| {
            let group = &mut group_of[peer.index()];
            if *group == NO_GROUP {
                *group = groups.len() as u32;
                groups.push(peer);
            }
            pairs.push((*group, place));
        });
    }
}

/// Brings the pairs into the order of their groups; within each the order of values stays.
fn sort_by_group(scratch: &mut Scratch) {
    let Scratch { groups, pairs, starts, order, .. } = scratch;
    starts.clear();
    starts.resize(groups.len() + 2, 0);
    for (group, _) in pairs.iter() {
        starts[*group as usize + 2] += 1;
    }
    for group in 2..starts.len() {
        starts[group] += starts[group - 1];
    }
    order.clear();
    order.resize(pairs.len(), 0);
    for (group, place) in pairs.iter() {
        // While groups fill up, the start of each moves to its end, the start of the next.
        let next = &mut starts[*group as usize + 1];
        order[*next as usize] = *place;
        *next += 1;
    }
}

/// Sends the peer of a group its values, in as few messages as they fit in without a change of
/// order.
fn send_group(
    group: usize,
    values: &[Waiting],
    shared: &mut Shared,
    ctx: &mut (impl Mail<Message> + Shelf<Body>),
) {
    let Shared { scratch, config, contents, .. } = shared;
    let (peer, room) = (scratch.groups[group], config.room());
    scratch.group_of[peer.index()] = NO_GROUP;
    let (mut from, end) = (scratch.starts[group], scratch.starts[group + 1]);
    while from < end {
        let first = &values[scratch.order[from as usize] as usize];
        let (mut to, mut size) = (from + 1, u32::from(first.label.size));
        while to < end {
            size += u32::from(values[scratch.order[to as usize] as usize].label.size);
            if size > room {
                break;
            }
            to += 1;
        }
        let kept = first.body.filter(|_| to == from + 1 && contents.keeps(&first.label));
        let message = match kept {
            Some(value) => Message::Value { value, hops: first.label.hops },
            None => Message::Push(body_of(from, to, values, scratch, ctx)),
        };
        ctx.send(peer, message);
        from = to;
    }
}

/// A body with these values: one that was just made, or a new one.
fn body_of(
    from: u32,
    to: u32,
    values: &[Waiting],
    scratch: &mut Scratch,
    ctx: &mut impl Shelf<Body>,
) -> BodyId {
    let Scratch { order, made, .. } = scratch;
    let places = |from: u32, to: u32| &order[from as usize..to as usize];
    let wanted = places(from, to);
    let same = |(from, to, _): &&(u32, u32, BodyId)| places(*from, *to) == wanted;
    if let Some((_, _, body)) = made.iter().rev().take(LOOK_BACK).find(same) {
        return *body;
    }
    let labels = wanted.iter().map(|place| values[*place as usize].label).collect();
    let body = ctx.store(Body::values(labels));
    made.push((from, to, body));
    body
}

/// Sends the prunes that were decided on, those of one peer together.
pub(super) fn send_prunes(
    scratch: &mut Scratch,
    ctx: &mut (impl Local + Mail<Message> + Shelf<Body>),
) {
    let prunes = &mut scratch.prunes;
    if prunes.is_empty() {
        return;
    }
    prunes.sort_by_key(|(peer, _)| *peer);
    let at = ctx.now();
    for of_peer in prunes.chunk_by(|a, b| a.0 == b.0) {
        for some in of_peer.chunks(MOST_PRUNED) {
            let (node, peer, origins) = (ctx.me(), some[0].0, some.len() as u32);
            let body = ctx.store(Body::Prune(some.iter().map(|(_, o)| *o).collect(), at));
            ctx.send(peer, Message::Prune(body));
            ctx.observe(Fact::PruneSent { node, peer, origins });
        }
    }
    prunes.clear();
}

/// Whether a prune of this moment is still valid: 500 ms.
pub(super) fn prune_is_valid(now: Time, at: Time) -> bool {
    const VALID: crate::base::time::Span = crate::base::time::Span::from_millis(500);
    now.since(at) <= VALID && at.since(now) <= VALID
}

/// The largest value must fit into a message.
const _: () = assert!(Config::HEAD + 928 <= 1_232);
