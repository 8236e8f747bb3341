//! Protocol layer: the state that Solana's gossip settles into, worked out at once for a cluster
//! that begins as if it had run before: full active sets, and prunes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::Crds;
use super::prune::pruned;
use super::shared::Shared;
use crate::base::id::NodeId;
use crate::base::time::Span;

/// Fills the active sets of all nodes and prunes as they do in the end if every value takes the
/// fastest way: each node scores the first two that push the values of an origin to it, and prunes
/// by the rule of [`super::prune`]. `nodes` are all nodes in order; `latency` is how long a message
/// typically takes from one to another.
pub(super) fn settle(
    nodes: &mut [&mut Crds],
    shared: &mut Shared,
    latency: impl Fn(NodeId, NodeId) -> Span,
) {
    for node in nodes.iter_mut() {
        node.fill_sets(shared);
    }
    if !shared.config.push || shared.config.prune_upserts == 0 {
        return;
    }
    let mut ways = Ways::new(nodes.len());
    for origin in NodeId::all(nodes.len()) {
        ways.find(nodes, shared, origin, &latency);
        ways.prune(nodes, shared, origin);
    }
}

/// A relayer, and the place of the receiver in its active set.
type Relayer = (NodeId, u8);

/// How the values of one origin reach everybody.
struct Ways {
    /// When they come to each node for the first time, in nanoseconds.
    first: Vec<u64>,
    /// When they come to each node, and from whom.
    came: Vec<Vec<(u64, Relayer)>>,
    next: BinaryHeap<Reverse<(u64, NodeId)>>,
    ranked: Vec<(u32, u64, Relayer)>,
    /// By node: the places of its active set whose peers prune the origin.
    late: Vec<u16>,
}

impl Ways {
    fn new(nodes: usize) -> Self {
        Self {
            first: vec![u64::MAX; nodes],
            came: vec![Vec::new(); nodes],
            next: BinaryHeap::new(),
            ranked: Vec::new(),
            late: vec![0; nodes],
        }
    }

    /// Shortest ways along the active sets (Dijkstra): nobody has pruned the origin yet.
    fn find(
        &mut self,
        nodes: &[&mut Crds],
        shared: &Shared,
        origin: NodeId,
        latency: impl Fn(NodeId, NodeId) -> Span,
    ) {
        self.first.fill(u64::MAX);
        self.came.iter_mut().for_each(Vec::clear);
        self.first[origin.index()] = 0;
        self.next.push(Reverse((0, origin)));
        // In the end most peers of a set have pruned the origin; all of the rest get its values.
        let Self { first, came, next, .. } = self;
        while let Some(Reverse((at, from))) = next.pop() {
            if at > first[from.index()] {
                continue;
            }
            let of = (origin, shared.classes[origin], from == origin);
            nodes[from.index()].sets.reached(of, &shared.prune_errors, |place, to| {
                let arrival = at.saturating_add(latency(from, to).as_nanos());
                came[to.index()].push((arrival, (from, place)));
                if arrival < first[to.index()] {
                    first[to.index()] = arrival;
                    next.push(Reverse((arrival, to)));
                }
            });
        }
    }

    /// Every node prunes those that come late. What each of them takes note of is collected first,
    /// so that it is written in one go.
    fn prune(&mut self, nodes: &mut [&mut Crds], shared: &Shared, origin: NodeId) {
        let Shared { config, stakes, classes, .. } = shared;
        let most = config.prune_cap.max(2) as usize;
        self.late.fill(0);
        for me in NodeId::all(nodes.len()).filter(|me| *me != origin) {
            let came = &mut self.came[me.index()];
            came.sort_unstable();
            let relayers = came.iter().map(|(_, relayer)| *relayer).take(most);
            self.ranked.clear();
            let timely = |place: usize| u32::from(place < 2);
            let ranked = relayers.enumerate().map(|(at, who)| (timely(at), stakes[who.0], who));
            self.ranked.extend(ranked);
            let least = stakes[me].min(stakes[origin]);
            for (late, place) in pruned(&mut self.ranked, least, config) {
                self.late[late.index()] |= 1 << place;
            }
        }
        // Nobody is pruned for its own values.
        self.late[origin.index()] = 0;
        for (node, late) in nodes.iter_mut().zip(&self.late) {
            node.sets.prune_all(origin, classes[origin], *late);
        }
    }
}
