//! Laws 4 and 5 with blocks: when each node of a tree has a block whole, to the nanosecond, in every
//! order of sending; and how often erasure coding makes up for loss.

use std::collections::BTreeMap;

use headwater::base::time::Time;
use headwater::fact::{Census, Fact, Observer, World};

use super::{MS, assert_near, scenario};
use crate::support::{plan, ran_heard};

/// Notes when blocks are made, and when they are whole where.
#[derive(Default)]
struct Arrivals {
    made: BTreeMap<u64, u64>,
    /// By block and node, since the block was made.
    whole: BTreeMap<(u64, u32), u64>,
}

impl Observer for &mut Arrivals {
    fn on_fact(&mut self, at: Time, fact: &Fact) {
        match *fact {
            Fact::BlockMade { block, .. } => {
                self.made.insert(block, at.as_nanos());
            }
            Fact::BlockWhole { node, block, .. } => {
                let after = at.as_nanos() - self.made[&block];
                let again = self.whole.insert((block, node.number()), after);
                assert_eq!(again, None, "a block becomes whole once at a node");
            }
            _ => {}
        }
    }
    fn next_sample(&self) -> Option<Time> {
        None
    }
    fn on_sample(&mut self, _: Time, _: &World, _: &dyn Census) {}
}

/// When each node but the leader, node 0, has the only block: S shreds of 1,000 B at 8 Mbit/s, so
/// that tau is 1 ms, with a latency of 7 ms.
fn single(nodes: usize, shreds: u32, turbine: &str) -> BTreeMap<u32, u64> {
    let text = scenario(
        nodes,
        "19s",
        1,
        &format!(
            "[network]\nlatency = \"7ms\"\nuplink = \"8Mbit/s\"\n\
             [slots]\nduration = \"10s\"\nschedule = \"list\"\nleaders = [0]\n\
             [blocks]\ncontent = \"synthetic\"\nshreds = {shreds}\n\
             [turbine]\nchunk_size = \"1000B\"\n{turbine}"
        ),
    );
    let mut arrivals = Arrivals::default();
    ran_heard(&plan(&text), &mut arrivals);
    assert_eq!(arrivals.made.len(), 1, "slot 0 belongs to genesis, slot 1 begins at 10 s");
    let whole = arrivals.whole.into_iter();
    let whole: BTreeMap<u32, u64> = whole.map(|((_, node), after)| (node, after)).collect();
    assert_eq!(whole.len(), nodes - 1, "every node has the block");
    whole
}

/// Child indices, from 1, on the way from the root to a node of a heap.
fn path(node: u32, fanout: u32) -> Vec<u64> {
    let mut path = Vec::new();
    let mut at = node;
    while at > 0 {
        path.push(u64::from((at - 1) % fanout) + 1);
        at = (at - 1) / fanout;
    }
    path.reverse();
    path
}

const TAU: u64 = MS;
const LATENCY: u64 = 7 * MS;

#[test]
fn a_star_serves_peer_after_peer_or_shred_after_shred() {
    let (nodes, shreds) = (9, 12);
    let by_peer = single(nodes, shreds, "tree = \"star\"\norder = \"child-major\"");
    let by_shred = single(nodes, shreds, "tree = \"star\"\norder = \"chunk-major\"");
    let (others, shreds) = (nodes as u64 - 1, u64::from(shreds));
    for node in 1..nodes as u32 {
        // Peer j is the j-th served: it has all S after j * S transmissions.
        let j = u64::from(node);
        assert_eq!(by_peer[&node], j * shreds * TAU + LATENCY, "peer {node}");
        // Or S - 1 rounds of all peers pass, and it is the j-th of the last.
        assert_eq!(by_shred[&node], ((shreds - 1) * others + j) * TAU + LATENCY, "peer {node}");
    }
}

#[test]
fn a_tree_takes_as_long_as_its_order_of_sending_says() {
    for (fanout, nodes) in [(2, 31), (3, 40)] {
        let shreds = 8_u64;
        let turbine =
            |order: &str| format!("tree = \"kary\"\nfanout = {fanout}\norder = \"{order}\"");
        let run = |order: &str| single(nodes, shreds as u32, &turbine(order));
        let (whole, chunk) = (run("whole-block"), run("chunk-major"));
        let child = run("child-major");
        for node in 1..nodes as u32 {
            let path = path(node, fanout);
            let (depth, sum) = (path.len() as u64, path.iter().sum::<u64>());
            // Store and forward: each parent sends the block d_i times before the child has it.
            assert_eq!(whole[&node], shreds * TAU * sum + depth * LATENCY, "whole, {node}");
            // Pipelined: the last shred starts after S - 1 rounds of f transmissions, and a parent
            // gets shreds no faster than it sends them on.
            let rounds = (shreds - 1) * u64::from(fanout) * TAU;
            assert_eq!(chunk[&node], rounds + TAU * sum + depth * LATENCY, "chunk, {node}");
            // Child after child: the root serves child d at d * S * tau. Below, a first child is
            // served shred by shred, one transmission behind its parent; the others wait until its
            // last shred has left, and then take S transmissions each.
            let first = path[0] * shreds * TAU + LATENCY;
            let below = path[1..].iter().map(|d| TAU + (d - 1) * shreds * TAU + LATENCY);
            assert_eq!(child[&node], first + below.sum::<u64>(), "child, {node}");
        }
    }
}

#[test]
fn a_tree_of_its_own_for_every_shred_beats_one_tree() {
    // One fixed tree of fan-out f keeps an inner node busy for f transmissions per shred; with a
    // tree per shred all nodes share the work, so that S shreds to n nodes take about S (n - 1) / n
    // transmissions each.
    let last =
        |turbine: &str| single(40, 60, turbine).values().copied().max().expect("there are nodes");
    let fixed = last("tree = \"kary\"\nfanout = 3\norder = \"chunk-major\"");
    let stored = last("tree = \"kary\"\nfanout = 3\norder = \"whole-block\"");
    let star = last("tree = \"star\"");
    for tree in ["rotated", "shuffled"] {
        let own = last(&format!("tree = \"{tree}\"\nfanout = 3"));
        assert!(own < fixed && fixed < stored && own < star, "{tree}: {own}, {fixed}, {star}");
    }
}

#[test]
fn a_relay_sends_its_shred_to_everybody_else() {
    // n = 9, S = 8: each of the 8 others relays one shred. Shred s reaches its relay at
    // (s + 1) tau + L, and the k-th of the 7 whom the relay serves k transmissions and L later.
    let whole = single(9, 8, "tree = \"relay\"\nrelay = \"rotation\"");
    for node in 1..=8_u64 {
        let by_others = (0..8_u64).filter(|s| s + 1 != node).map(|s| {
            let relay = s + 1;
            let rank = if node < relay { node } else { node - 1 };
            (s + 1) * TAU + LATENCY + rank * TAU + LATENCY
        });
        let own = node * TAU + LATENCY;
        let last = by_others.chain([own]).max();
        assert_eq!(Some(whole[&(node as u32)]), last, "node {node}");
    }
}

/// How many of the (block, node) pairs among some nodes became whole, as a share.
fn decoded(text: &str, nodes: std::ops::Range<u32>) -> f64 {
    let mut arrivals = Arrivals::default();
    ran_heard(&plan(text), &mut arrivals);
    let whole = arrivals.whole.keys().filter(|(_, node)| nodes.contains(node)).count();
    whole as f64 / (arrivals.made.len() * nodes.len()) as f64
}

/// P(Bin(n, q) >= k).
fn at_least(k: u32, n: u32, q: f64) -> f64 {
    let choose = |i: u32| (0..i).fold(1.0, |c, j| c * f64::from(n - j) / f64::from(j + 1));
    let power = |base: f64, exponent: u32| libm::pow(base, f64::from(exponent));
    (k..=n).map(|i| choose(i) * power(q, i) * power(1.0 - q, n - i)).sum()
}

/// Blocks of one FEC set of 4 + 4 shreds every 100 ms, for 100 blocks.
fn coded(nodes: usize, turbine: &str) -> String {
    scenario(
        nodes,
        "10.15s",
        3,
        &format!(
            "[network]\nlatency = \"7ms\"\nloss = \"30%\"\n\
             [slots]\nduration = \"100ms\"\nschedule = \"list\"\nleaders = [0]\n\
             [blocks]\ncontent = \"synthetic\"\nshreds = 8\n\
             [turbine]\nchunk_size = \"1000B\"\ncoding = \"4:4\"\n{turbine}"
        ),
    )
}

#[test]
fn a_set_decodes_as_often_as_enough_of_its_shreds_arrive() {
    // One hop: 100 blocks at 200 nodes are 20,000 independent cases, standard error at most
    // sqrt(0.25 / 20,000) = 0.0035.
    let found = decoded(&coded(201, "tree = \"star\""), 1..201);
    assert_near("one hop", found, at_least(4, 8, 0.7), 6.0 * 0.0035);
}

#[test]
fn recovered_shreds_make_up_for_the_losses_of_the_hop_before() {
    // Two hops, 20 parents with 20 children each. Without passing on what was recovered, a child
    // gets a shred with q = 0.7^2, independently of its other shreds; siblings hang together, so
    // the independent cases are 100 blocks times 20 parents: standard error at most
    // sqrt(0.25 / 2,000) = 0.0112.
    let tree = "tree = \"kary\"\nfanout = 20\nforward_recovered = ";
    let lone = decoded(&coded(421, &format!("{tree}false")), 21..421);
    assert_near("two hops", lone, at_least(4, 8, 0.49), 6.0 * 0.0112);
    // With it, a parent that decodes sends all 8. One that does not, sends the i < 4 that it has,
    // which are too few for anybody.
    let helped = decoded(&coded(421, &format!("{tree}true")), 21..421);
    let hop = at_least(4, 8, 0.7);
    assert_near("two hops, recovered", helped, hop * hop, 6.0 * 0.0112);
}
