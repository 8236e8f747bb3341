//! Protocol layer: tests of the trees against independent calculations, and of what all of them
//! have in common.

use super::*;
use crate::base::id::{NodeMap, NodeSet};

/// Identities as in the Python calculations: SHA-256 of "identity" and the number as one byte.
fn identity(node: NodeId) -> [u8; 32] {
    Digest::of(&[b"identity".as_slice(), &[node.number() as u8]].concat()).0
}

fn view(stakes: &[u64]) -> View {
    let members = NodeSet::full(stakes.len());
    let stakes = NodeMap::from_vec(stakes.to_vec());
    View::new(&members, &stakes, &NodeMap::build(stakes.len(), identity))
}

fn trees(view: View, config: Config) -> Trees {
    Trees::new(view, config, Seed(5), true).expect("not the round robin")
}

fn key(slot: u32, index: u32, coding: bool, leader: u32) -> ShredKey {
    ShredKey { slot: Slot::new(slot), index, coding, leader: NodeId::new(leader) }
}

fn roots(trees: &mut Trees, key: &ShredKey) -> Vec<u32> {
    let mut into = vec![Branch::to(NodeId::new(99))];
    trees.roots(key, &mut into);
    into.iter().map(|branch| branch.to.number()).collect()
}

fn children(trees: &mut Trees, key: &ShredKey, me: u32) -> Vec<u32> {
    let (me, mut into) = (NodeId::new(me), vec![Branch::to(NodeId::new(99))]);
    trees.children(key, me, Position::UNKNOWN, &mut into);
    // What the sender worked out is what the receiver would.
    for Branch { to, at } in into.clone() {
        let [mut told, mut found] = [Vec::new(), Vec::new()];
        assert_eq!(trees.is_inner(key, to, at), trees.is_inner(key, to, Position::UNKNOWN));
        trees.children(key, to, at, &mut told);
        trees.children(key, to, Position::UNKNOWN, &mut found);
        assert_eq!(told, found);
    }
    into.iter().map(|branch| branch.to.number()).collect()
}

/// All nodes in the order in which a breadth-first walk from the leader meets them.
fn walk(trees: &mut Trees, key: &ShredKey) -> Vec<u32> {
    let mut met = roots(trees, key);
    let mut next = 0;
    while let Some(&node) = met.get(next) {
        met.extend(children(trees, key, node));
        next += 1;
    }
    met
}

const STAKES: [u64; 12] = [900, 500, 500, 300, 0, 100, 100, 0, 50, 700, 0, 20];

/// Every kind of tree that there is, with the settings that matter to it.
fn every(fanout: u32) -> Vec<Config> {
    let kinds = [Tree::Star, Tree::Kary, Tree::Rotated, Tree::Shuffled, Tree::StakeWeighted];
    let mut all = Vec::new();
    for layout in [None, Some(Layout::Interleaved), Some(Layout::Heap)] {
        all.extend(kinds.map(|tree| Config { tree, fanout, layout, ..Config::default() }));
    }
    for relay in [Relay::Stake, Relay::Rotation] {
        all.push(Config { tree: Tree::Relay, fanout, relay, ..Config::default() });
    }
    all
}

#[test]
fn trees_by_stake_are_those_of_solana() {
    // Python: the list sorted by (stake, identity) descending, the seed from the 45 bytes, ChaCha,
    // the shuffle by running sums; a chain (fan-out 1) shows the order.
    let config = Config { fanout: 1, ..Config::default() };
    let mut chain = trees(view(&STAKES), config);
    for (key, order) in [
        (key(7, 3, false, 0), [1, 2, 9, 6, 3, 5, 8, 11, 10, 7, 4]),
        (key(7, 3, true, 0), [9, 6, 2, 3, 5, 1, 8, 11, 7, 10, 4]),
        (key(7, 4, false, 0), [5, 9, 2, 1, 3, 8, 6, 11, 10, 7, 4]),
        (key(8, 3, false, 0), [2, 3, 1, 9, 5, 6, 8, 11, 4, 7, 10]),
        (key(7, 3, false, 4), [3, 2, 9, 1, 5, 0, 8, 6, 11, 10, 7]),
    ] {
        assert_eq!(walk(&mut chain, &key), order, "{key:?}");
    }
    let older = Config { generator: Generator::Chacha20, ..config };
    let order = walk(&mut trees(view(&STAKES), older), &key(7, 3, false, 0));
    assert_eq!(order, [1, 9, 2, 3, 5, 6, 8, 11, 10, 4, 7]);
    // With a fan-out of 3: position 0 serves 1, 2, 3; position 1 serves 4, 7, 10; 2: 5, 8; 3: 6, 9.
    let mut wide = trees(view(&STAKES), Config { fanout: 3, ..Config::default() });
    let shred = key(7, 3, false, 0);
    assert_eq!(roots(&mut wide, &shred), [1]);
    let served = [1, 2, 9, 6, 3].map(|me| children(&mut wide, &shred, me));
    let expected: [&[u32]; 5] = [&[2, 9, 6], &[3, 11, 4], &[5, 10], &[8, 7], &[]];
    assert_eq!(served, expected);
}

#[test]
fn a_tree_of_200_nodes_by_stake_is_that_of_solana() {
    // Stakes 4e17 / (i + 1) for 180 nodes, none for 20; leader 17, slot 123,456, coding shred 77.
    let stake = |i: u64| if i < 180 { 400_000_000_000_000_000 / (i + 1) } else { 0 };
    let stakes: Vec<u64> = (0..200).map(stake).collect();
    let shred = key(123_456, 77, true, 17);
    let order = walk(&mut trees(view(&stakes), Config { fanout: 1, ..Config::default() }), &shred);
    assert_eq!(order[..6], [43, 65, 1, 25, 10, 42]);
    let bytes: Vec<u8> = order.iter().flat_map(|node| node.to_le_bytes()).collect();
    let sha = "a5b0e1621b1ef7be920a4265b52eeb63953f164eefd7ed7b5a32e921c6d9c117";
    assert_eq!(Digest::of(&bytes).to_string(), sha);
    // With a fan-out of 8, positions 2 (node 1) and 20 serve every eighth of the next layer.
    let mut wide = trees(view(&stakes), Config { fanout: 8, ..Config::default() });
    assert_eq!(children(&mut wide, &shred, 1), [19, 84, 46, 96, 107, 45, 23, 48]);
    let served = children(&mut wide, &shred, order[20]);
    assert_eq!(served, [126, 29, 124, 117, 141, 196, 198, 197]);
}

#[test]
fn fixed_trees_are_those_drawn_by_hand() {
    let config = |tree| Config { tree, fanout: 2, ..Config::default() };
    let made = |tree| trees(view(&[1; 7]), config(tree));
    let (shred, coding) = (key(0, 4, false, 2), key(0, 4, true, 2));
    // The others are 0 1 3 4 5 6.
    assert_eq!(walk(&mut made(Tree::Star), &shred), [0, 1, 3, 4, 5, 6]);
    let mut kary = made(Tree::Kary);
    assert_eq!(roots(&mut kary, &shred), [0, 1]);
    assert_eq!(
        [0, 1, 3].map(|me| children(&mut kary, &shred, me)),
        [vec![3, 4], vec![5, 6], vec![]]
    );
    // Turned by 4 places: 5 6 0 1 3 4; coding shreds by 4 + 3: 1 3 4 5 6 0.
    let mut rotated = made(Tree::Rotated);
    assert_eq!(walk(&mut rotated, &shred), [5, 6, 0, 1, 3, 4]);
    assert_eq!(walk(&mut rotated, &coding), [1, 3, 4, 5, 6, 0]);
    let rotation = Config { relay: Relay::Rotation, ..config(Tree::Relay) };
    let mut relay = trees(view(&[1; 7]), rotation);
    assert_eq!(walk(&mut relay, &shred), [5, 0, 1, 3, 4, 6]);
    assert_eq!(walk(&mut relay, &coding), [1, 0, 3, 4, 5, 6]);
    assert_eq!(children(&mut relay, &shred, 0), [0; 0]);
}

#[test]
fn every_tree_reaches_everyone_once_and_knows_parents_and_depths() {
    for (nodes, fanout) in [(1, 1), (2, 1), (3, 2), (8, 1), (9, 3), (40, 3), (41, 4), (60, 200)] {
        let stakes: Vec<u64> = (0..nodes).map(|i| u64::from(i * i % 7)).collect();
        for config in every(fanout) {
            let mut trees = trees(view(&stakes), config);
            for shred in [key(0, 0, false, 0), key(3, 70, true, nodes - 1)] {
                check_tree(&mut trees, &shred, nodes);
            }
        }
    }
}

fn check_tree(trees: &mut Trees, shred: &ShredKey, nodes: u32) {
    let (config, leader) = (trees.config, shred.leader.number());
    let (order, fanout) = (walk(trees, shred), config.fanout as usize);
    let mut sorted = order.clone();
    sorted.sort_unstable();
    assert!(sorted.into_iter().eq((0..nodes).filter(|node| *node != leader)), "{config:?}");
    assert_eq!(children(trees, shred, leader), [0; 0]);
    assert_eq!(trees.depth(shred, shred.leader), Some(0));
    assert_eq!(trees.parent(shred, shred.leader), None);
    let bounded = !matches!(config.tree, Tree::Star | Tree::Relay);
    for root in roots(trees, shred).into_iter().map(NodeId::new) {
        assert_eq!(trees.parent(shred, root), Some(shred.leader));
        assert_eq!(trees.depth(shred, root), Some(1));
    }
    for me in order.iter().map(|node| NodeId::new(*node)) {
        let below = children(trees, shred, me.number());
        assert_eq!(
            trees.is_inner(shred, me, Position::UNKNOWN),
            !below.is_empty(),
            "{config:?} {me}"
        );
        assert!(below.len() <= fanout || !bounded);
        let depth = trees.depth(shred, me).expect("in the tree");
        // A full tree of depth d has at least 1 + F + ... + F^(d-1) nodes above its last layer;
        // but in the fixed tree the leader stands above the root.
        let above = u32::from(config.tree != Tree::Kary);
        let full: usize = (0..depth - above).map(|d| fanout.pow(d)).sum();
        assert!(full < nodes as usize || !bounded, "{config:?} {me}: depth {depth}");
        for child in below.into_iter().map(NodeId::new) {
            assert_eq!(trees.parent(shred, child), Some(me), "{config:?}");
            assert_eq!(trees.depth(shred, child), Some(depth + 1));
        }
    }
}

#[test]
fn answers_do_not_depend_on_what_is_remembered() {
    for config in every(3) {
        let [mut with, mut without] = [true, false].map(|remember| {
            Trees::new(view(&STAKES), config, Seed(5), remember).expect("not the round robin")
        });
        for index in [0, 1, 2, 0, 1, 700, 0] {
            for (coding, leader) in [(false, 0), (true, 0), (false, 4)] {
                let shred = key(index / 2, index, coding, leader);
                assert_eq!(roots(&mut with, &shred), roots(&mut without, &shred));
                for me in NodeId::all(12) {
                    let pair = [&mut with, &mut without].map(|trees| {
                        (
                            children(trees, &shred, me.number()),
                            trees.parent(&shred, me),
                            trees.depth(&shred, me),
                            trees.is_inner(&shred, me, Position::UNKNOWN),
                        )
                    });
                    assert_eq!(pair[0], pair[1], "{config:?} {shred:?} {me}");
                }
            }
        }
    }
}

#[test]
fn a_leader_and_nodes_that_are_no_members_have_no_place() {
    // Node 5 is no member, and leads.
    let members: NodeSet = NodeId::all(12).filter(|node| node.number() != 5).collect();
    let stakes = NodeMap::from_vec(STAKES.to_vec());
    let view = View::new(&members, &stakes, &NodeMap::build(12, identity));
    for config in every(2) {
        let mut trees = trees(view.clone(), config);
        let mut met = walk(&mut trees, &key(1, 1, false, 5));
        met.sort_unstable();
        assert_eq!(met, [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11], "{config:?}");
        let (shred, stranger) = (key(1, 1, false, 0), NodeId::new(5));
        assert_eq!(walk(&mut trees, &shred).len(), 10);
        assert_eq!(trees.parent(&shred, stranger), None);
        assert_eq!(trees.depth(&shred, stranger), None);
        assert_eq!(children(&mut trees, &shred, 5), [0; 0]);
    }
    for config in every(2) {
        let mut alone = trees(self::view(&[9]), config);
        assert_eq!(roots(&mut alone, &key(0, 0, false, 0)), [0; 0]);
    }
}

#[test]
fn rotated_trees_serve_everyone_equally() {
    // Over as many shreds as there are others, each of them stands once at every position, so each
    // forwards as often as any other.
    let config = Config { tree: Tree::Rotated, fanout: 3, ..Config::default() };
    let mut rotated = trees(view(&[1; 14]), config);
    let mut forwarded = [0; 14];
    let mut depths = [0; 14];
    for index in 100..113 {
        let shred = key(6, index, false, 3);
        for me in NodeId::all(14) {
            forwarded[me.index()] += children(&mut rotated, &shred, me.number()).len();
            depths[me.index()] += rotated.depth(&shred, me).unwrap_or(0);
        }
    }
    // 13 others, one of them served by the leader: 12 messages per shred, and layers of 1, 3 and 9
    // at depths 1, 2 and 3.
    let others = |all: &[u32]| all[..3].iter().chain(&all[4..]).copied().collect::<Vec<_>>();
    assert!(others(&forwarded.map(|times| times as u32)).iter().all(|times| *times == 12));
    assert!(others(&depths).iter().all(|sum| *sum == 1 + 3 * 2 + 9 * 3));
}

#[test]
fn shuffled_trees_put_everyone_everywhere_equally_often() {
    let config = Config { tree: Tree::Shuffled, fanout: 1, ..Config::default() };
    let mut shuffled = trees(view(&[1; 6]), config);
    let mut counts = [[0_u32; 6]; 6];
    for index in 0..5_000 {
        let order = walk(&mut shuffled, &key(index / 900, index % 900, index % 2 == 1, 2));
        order.iter().zip(&mut counts).for_each(|(node, at)| at[*node as usize] += 1);
    }
    // 5,000 draws of probability 1/5: mean 1,000, deviation 28.3; five of them are 142, passed by
    // one in two million, and there are 25 counts.
    for at in &counts[..5] {
        let fair = |node: usize| at[node].abs_diff(1_000) < 142;
        assert!([0, 1, 3, 4, 5].into_iter().all(fair), "{counts:?}");
    }
    let shred = key(0, 0, false, 2);
    let mut other = Trees::new(view(&[1; 6]), config, Seed(6), true).expect("not the round robin");
    let same = (0..20).filter(|index| {
        let shred = ShredKey { index: *index, ..shred };
        walk(&mut shuffled, &shred) == walk(&mut other, &shred)
    });
    assert!(same.count() < 5, "another seed gives other trees");
}

#[test]
fn relays_by_stake_are_the_roots_of_solanas_trees() {
    let mut relays = trees(view(&STAKES), Config { tree: Tree::Relay, ..Config::default() });
    let mut solana = trees(view(&STAKES), Config::default());
    for index in 0..200 {
        let shred = key(9, index, index % 3 == 0, index % 12);
        assert_eq!(roots(&mut relays, &shred), roots(&mut solana, &shred));
    }
}

#[test]
fn round_robin_serves_the_peers_in_turn() {
    let places = |index, fanout, peers| round_robin(index, fanout, peers).collect::<Vec<_>>();
    assert_eq!([0, 1, 2].map(|chunk| places(chunk, 2, 5)), [[0, 1], [2, 3], [4, 0]]);
    assert_eq!(places(7, 9, 3), [0, 1, 2]);
    assert_eq!(places(3, 2, 0), [0; 0]);
    assert_eq!(places(u32::MAX, 100_000, 7).len(), 7);
    let config = Config { tree: Tree::RoundRobin, ..Config::default() };
    assert!(Trees::new(view(&[1; 3]), config, Seed(1), true).is_none());
}

#[test]
fn what_cannot_work_is_refused() {
    let check = |fanout| Config { fanout, ..Config::default() }.check();
    assert_eq!(check(0).map_err(|error| error.field), Err("fanout"));
    assert_eq!(check(100_001).map_err(|error| error.field), Err("fanout"));
    assert_eq!([check(1), check(200), check(100_000)], [Ok(()), Ok(()), Ok(())]);
}
