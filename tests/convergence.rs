//! What a partition does to a cluster that votes, and that it finds together again: the shipped
//! scenarios do what they say, and so do worlds that are cut by hand.

use headwater::base::id::NodeId;
use headwater::base::slot::Slot;
use headwater::base::time::{Span, Time};
use headwater::fact::{Abstention, Fact, Level};
use headwater::world::World;

/// Seeds that every scenario must hold for.
const SEEDS: std::ops::RangeInclusive<u64> = 1..=3;

fn shipped(name: &str, seed: u64) -> World {
    World::from_scenario(name).seed(seed).build().expect("a shipped scenario")
}

fn seconds(seconds: u64) -> Time {
    Time::ZERO + Span::from_secs(seconds)
}

/// Nodes that rooted a block between two moments, each as often as it did.
fn rooted(world: &World, from: u64, to: u64) -> Vec<NodeId> {
    let within = seconds(from)..seconds(to);
    let roots = world.facts().iter().filter_map(|(at, fact)| match *fact {
        Fact::Rooted { node, .. } if within.contains(at) => Some(node),
        _ => None,
    });
    roots.collect()
}

/// Blocks that were confirmed between two moments with more than two thirds of the last votes.
fn confirmed(world: &World, from: u64, to: u64) -> usize {
    let within = seconds(from)..seconds(to);
    let is = |fact: &Fact| matches!(fact, Fact::BlockConfirmed { level: Level::Optimistic, .. });
    world.facts().iter().filter(|(at, fact)| within.contains(at) && is(fact)).count()
}

/// All nodes root blocks in the last seconds of the run, all on one chain.
fn assert_healthy(world: &World, name: &str, seed: u64) {
    let end = world.now().since(Time::ZERO).as_nanos() / 1_000_000_000;
    let late = rooted(world, end - 5, end + 1);
    for node in world.nodes().filter(|node| world.is_up(*node)) {
        assert!(late.contains(&node), "{name}, seed {seed}: {node:?} roots nothing any more");
    }
    assert!(world.honest_roots_agree(), "{name}, seed {seed}: two chains are rooted");
}

#[test]
fn convergence_of_two_halves() {
    for seed in SEEDS {
        let name = "split-in-halves";
        let mut world = shipped(name, seed);
        world.run_until("28s").expect("a run");
        // The cut begins at 8 s, before there are 32 blocks; votes in flight end with it.
        assert_eq!(rooted(&world, 0, 28), [], "seed {seed}");
        assert_eq!(confirmed(&world, 9, 28), 0, "seed {seed}");
        assert!(!world.heads_agree(), "seed {seed}");
        world.run_to_end().expect("a run");
        assert_healthy(&world, name, seed);
    }
}

#[test]
fn convergence_of_two_halves_by_the_rules_of_the_classroom() {
    // As many votes for either side: the fork whose first block is earlier leads in all eyes.
    for seed in SEEDS {
        let world = World::from_scenario("split-in-halves").set("consensus.style=classroom");
        let mut world = world.seed(seed).build().expect("a world");
        world.run_until("28s").expect("a run");
        assert!(!world.heads_agree(), "seed {seed}");
        world.run_to_end().expect("a run");
        assert_healthy(&world, "halves of a classroom", seed);
        let switched = |fact: &Fact| matches!(fact, Fact::VoteCast { switched: true, .. });
        // The ten of the side that gives way go over at least once, and nobody else has to.
        assert!((10..20).contains(&world.count(switched)), "seed {seed}");
    }
}

#[test]
fn a_leader_gives_a_late_one_its_grace_where_windows_are_single_slots() {
    // Everybody leads every fourth slot. The leader of slot 6 goes down as soon as slot 5 begins.
    let world = World::from_toml(
        r#"
            duration = "10s"
            nodes.count = 4
            network.latency = "20ms"
            blocks = { content = "synthetic", bytes = "1KiB" }
            turbine = { tree = "star", coding = "none" }
            consensus = { style = "tower", spread = "peers" }
            [slots]
            duration = "400ms"
            start = "poh"
            schedule = "list"
            window = 1
            leaders = [3, 0, 1, 2]
        "#,
    );
    let mut world = world.build().expect("a world");
    let slot_of = |fact: &Fact| match *fact {
        Fact::BlockMade { slot, .. } => Some(slot.number()),
        _ => None,
    };
    let made = |wanted: u32| move |_: Time, fact: &Fact| slot_of(fact) == Some(wanted);
    let leader_of = |found: Option<(Time, Fact)>| match found {
        Some((at, Fact::BlockMade { node, block, .. })) => (at, node, block),
        other => panic!("a block: {other:?}"),
    };
    let (_, first, _) = leader_of(world.run_until_fact("9s", made(5)).expect("a run"));
    let (_, _, fifth) =
        leader_of(world.facts().iter().rev().copied().find(|(at, fact)| made(5)(*at, fact)));
    // The two after it in the list.
    let order = [3, 0, 1, 2];
    let place = order.iter().position(|node| *node == first.number()).expect("listed");
    let (away, next) = (order[(place + 1) % 4], order[(place + 2) % 4]);
    world.crash(NodeId::new(away)).expect("it is up");
    let (at, node, _) = leader_of(world.run_until_fact("9s", made(7)).expect("a run"));
    assert_eq!(node.number(), next);
    let is_head = |fact: &Fact| {
        matches!(fact, Fact::HeadChanged { node: whose, block, .. }
            if *whose == node && *block == fifth)
    };
    let head = world.facts().iter().find(|(_, fact)| is_head(fact)).expect("it builds on slot 5").0;
    // Slot 6 passes, and the grace is half of the leader's own window: half a slot.
    assert_eq!(at.since(head), Span::from_millis(600));
}

#[test]
fn convergence_of_a_minority() {
    for seed in SEEDS {
        let name = "split-80-20";
        let mut world = shipped(name, seed);
        world.run_to_end().expect("a run");
        let minority = |node: &NodeId| node.number() >= 16;
        // In the middle of the cut, from 20 s to 40 s. The minority may root what was voted for
        // before it, never what was made during it.
        let cut = rooted(&world, 25, 40);
        for node in world.nodes().filter(|node| !minority(node)) {
            assert!(cut.contains(&node), "seed {seed}: {node:?} roots on");
        }
        let waits = world.facts().iter().any(|(_, fact)| {
            matches!(fact, Fact::VoteWithheld { node, reason: Abstention::LockedOut, .. }
                if minority(node))
        });
        assert!(waits, "seed {seed}: a lockout is waited out");
        assert_healthy(&world, name, seed);
    }
}

#[test]
fn convergence_of_three_parts_of_a_bad_cable_and_of_crashes() {
    for name in ["three-way-split", "flapping-partition", "rolling-crashes", "leader-crash"] {
        for seed in SEEDS {
            let mut world = shipped(name, seed);
            world.run_to_end().expect("a run");
            assert_healthy(&world, name, seed);
        }
    }
}

#[test]
fn convergence_after_a_leader_crash_skips_its_slots() {
    let mut world = shipped("leader-crash", 1);
    world.run_to_end().expect("a run");
    // Who built upon what: from the last root back.
    let node = NodeId::new(0);
    let mut block = world.root(node).id.0;
    let mut slots = Vec::new();
    while let Some((slot, parent)) = world.facts().iter().find_map(|(_, fact)| match *fact {
        Fact::BlockMade { slot, block: made, parent, .. } if made == block => Some((slot, parent)),
        _ => None,
    }) {
        slots.push(slot);
        block = parent;
    }
    for slot in [19, 20, 24, 25].map(Slot::new) {
        assert!(slots.contains(&slot), "{slot:?} is on the chain: {slots:?}");
    }
    for slot in [21, 22, 23].map(Slot::new) {
        assert!(!slots.contains(&slot), "{slot:?} is not on the chain: {slots:?}");
    }
}

#[test]
fn convergence_of_worlds_cut_by_hand_in_any_place() {
    // 1 | 9, 2 | 8 ... 5 | 5 of ten equal validators, from 3 to 5 s. The smaller part never has
    // two thirds, the larger one does up to 3 | 7.
    for smaller in 1..=5 {
        let world = World::from_scenario("split-in-halves")
            .set("faults=[]")
            .set("nodes.count=10")
            .set("slots.leaders=[0,1,2,3,4,5,6,7,8,9]")
            .set("slots.duration=200ms")
            .seed(smaller)
            .build();
        let mut world = world.expect("a world");
        world.run_until("3s").expect("a run");
        world.cut(&[&format!("0..{smaller}"), "rest"]).expect("a cut");
        world.run_until("20s").expect("a run");
        let roots = rooted(&world, 0, 20);
        let (inside, outside): (Vec<NodeId>, Vec<NodeId>) =
            roots.into_iter().partition(|node| u64::from(node.number()) < smaller);
        assert_eq!(inside, [], "{smaller} of ten root nothing");
        assert_eq!(outside.is_empty(), smaller > 3, "{smaller} of ten are cut off");
        world.heal().expect("it was cut");
        // Eight votes lock out 256 slots of 200 ms, and 32 more root something: 58 s.
        let all = |world: &World| world.nodes().all(|node| world.root(node).height > 0);
        assert!(world.run_until_holds("80s", all).expect("a run"), "{smaller} of ten");
        world.run_for("10s").expect("a run");
        assert!(world.honest_roots_agree());
    }
}

#[test]
fn convergence_with_a_leader_of_20_percent_that_makes_two_blocks_per_slot() {
    for seed in SEEDS {
        let name = "equivocating-leader";
        let mut world = shipped(name, seed);
        world.run_to_end().expect("a run");
        let liar = NodeId::new(0);
        assert!(!world.is_honest(liar));
        let proven = world.count(
            |fact| matches!(fact, Fact::EquivocationProven { leader, .. } if *leader == liar),
        );
        assert!(proven > 0, "seed {seed}: both versions reach some of the nodes");
        // The liar never ends, so roots come in bursts: in each of its slots some vote for a
        // version before they hear of the other, heads go back, and the ticks of the next leader
        // begin anew, with up to two slots of grace. Two of its windows in a row are eight such
        // slots of 1.2 s and more.
        let late = rooted(&world, 40, 61);
        assert!(world.nodes().all(|node| late.contains(&node)), "{name}, seed {seed}: no roots");
        assert!(world.honest_roots_agree(), "{name}, seed {seed}: two chains are rooted");
    }
}

#[test]
fn no_convergence_where_34_percent_vote_on_both_sides_of_a_cut() {
    for seed in SEEDS {
        let mut world = shipped("safety-violation", seed);
        let broken = world.run_until_holds("60s", |world| !world.honest_roots_agree());
        assert!(broken.expect("a run"), "seed {seed}: both sides root");
        // 34 + 32 of 100 are not more than two thirds.
        let fewer = World::from_scenario("safety-violation")
            .set("nodes.stake.amounts=[12, 11, 11, 12, 11, 11, 10, 11, 11]")
            .seed(seed)
            .build();
        let mut world = fewer.expect("a world");
        world.run_to_end().expect("a run");
        let roots = rooted(&world, 0, 61).into_iter().filter(|node| world.is_honest(*node));
        assert_eq!(roots.count(), 0, "seed {seed}");
    }
}

/// A node that comes back without its memory knows none of its promises: it says nothing until it
/// has rooted a block that it cannot have voted for, and is one of them again then.
#[test]
fn convergence_of_a_node_without_memory() {
    for seed in SEEDS {
        let world = World::from_scenario("chaos").seed(seed).set("chaos.count=0");
        let mut world = world.set("duration=80s").build().expect("a world");
        let node = NodeId::new(3);
        world.run_until("20s").expect("a run");
        world.crash_and_forget(node).expect("it is up");
        world.run_until("24s").expect("a run");
        world.restart(node).expect("it is down");
        world.run_to_end().expect("a run");
        let back = seconds(20);
        let after = world.facts().iter().filter(|(at, _)| *at >= back).map(|(_, fact)| fact);
        // By 20 s slot 51 may have begun: 50 slots of 400 ms after slot 1.
        let newest = Slot::new(51);
        let mut rooted = false;
        let (mut voted, mut led) = (0, 0);
        for fact in after {
            match *fact {
                Fact::Rooted { node: who, slot, .. } if who == node => rooted |= slot > newest,
                Fact::VoteCast { node: who, slot, .. } if who == node => {
                    assert!(rooted && slot > newest, "seed {seed}: a vote for slot {slot}");
                    voted += 1;
                }
                Fact::BlockMade { node: who, slot, .. } if who == node => {
                    assert!(rooted && slot > newest, "seed {seed}: a block for slot {slot}");
                    led += 1;
                }
                _ => {}
            }
        }
        // Slot 52 is rooted when 32 blocks lie upon it, at some 34 s; a block comes every 0.4 s.
        assert!(voted > 60 && led > 0, "seed {seed}: {voted} votes, {led} blocks");
        assert_healthy(&world, "a node without memory", seed);
    }
}
