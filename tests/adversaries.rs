//! Adversaries: each kind of lie has its effect, honest nodes refuse what is invalid, and with less
//! than a third of the stake lying they agree all the same.

mod noise;
mod shreds;
mod votes;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use headwater::base::id::NodeId;
use headwater::base::slot::Slot;
use headwater::base::time::Time;
use headwater::fact::{Census, Fact, Flaw, Lie, Observer, Offence, World};
use headwater::metrics::{ADVERSARIES, AdversariesSummary};

use crate::support::{Ran, plan, ran_heard};

/// A cluster that votes: full mesh, 20 ms from everyone to everyone, small blocks.
fn cluster(nodes: &str, seconds: u32, more: &str) -> String {
    format!(
        "duration = \"{seconds}s\"\n\
         nodes = {{ {nodes} }}\n\
         network.latency = \"20ms\"\n\
         slots = {{ duration = \"400ms\", start = \"poh\" }}\n\
         blocks = {{ content = \"synthetic\", bytes = \"20kB\" }}\n\
         turbine = {{ tree = \"stake-weighted\", coding = \"none\" }}\n\
         repair.style = \"solana\"\n\
         consensus = {{ style = \"tower\", spread = \"peers\" }}\n{more}"
    )
}

/// Facts of a run, kept for a test to look at.
#[derive(Clone, Default)]
struct Heard(Rc<RefCell<Vec<(Time, Fact)>>>);

impl Observer for Heard {
    fn on_fact(&mut self, at: Time, fact: &Fact) {
        let transport = matches!(
            fact,
            Fact::Sent(_) | Fact::Delivered { .. } | Fact::Dropped { .. } | Fact::Duplicated(_)
        );
        if !transport {
            self.0.borrow_mut().push((at, *fact));
        }
    }
    fn next_sample(&self) -> Option<Time> {
        None
    }
    fn on_sample(&mut self, _: Time, _: &World, _: &dyn Census) {}
}

/// A finished run, and what was said in it.
struct Told {
    ran: Ran,
    facts: Vec<(Time, Fact)>,
    liars: BTreeSet<u32>,
}

fn told(toml: &str) -> Told {
    let plan = plan(toml);
    let heard = Heard::default();
    let ran = ran_heard(&plan, heard.clone());
    let facts = heard.0.take();
    Told { ran, facts, liars: plan.liars().iter().map(NodeId::number).collect() }
}

impl Told {
    fn of(&self) -> &AdversariesSummary {
        self.ran.0.summary.adversaries.as_ref().expect("there are adversaries")
    }

    fn lies(&self, lie: Lie) -> usize {
        let told =
            |(_, fact): &&(Time, Fact)| matches!(fact, Fact::Lied { lie: it, .. } if *it == lie);
        self.facts.iter().filter(told).count()
    }

    fn is_honest(&self, node: NodeId) -> bool {
        !self.liars.contains(&node.number())
    }

    /// The blocks that honest nodes rooted, by slot.
    fn roots(&self) -> BTreeMap<u32, BTreeSet<u64>> {
        let mut roots: BTreeMap<u32, BTreeSet<u64>> = BTreeMap::new();
        for (_, fact) in &self.facts {
            if let Fact::Rooted { node, slot, block } = *fact
                && self.is_honest(node)
            {
                roots.entry(slot.number()).or_default().insert(block);
            }
        }
        roots
    }

    /// Honest nodes rooted something and no two blocks of a slot.
    fn agrees(&self) -> bool {
        let roots = self.roots();
        !roots.is_empty() && roots.values().all(|blocks| blocks.len() == 1)
    }

    /// Liars that led.
    fn leaders(&self) -> BTreeSet<u32> {
        let liar = |(_, fact): &(Time, Fact)| match *fact {
            Fact::BlockMade { node, .. } => (!self.is_honest(node)).then(|| node.number()),
            _ => None,
        };
        self.facts.iter().filter_map(liar).collect()
    }

    /// A column of the only row of `adversaries.csv`.
    fn column(&self, name: &str) -> u64 {
        self.ran.integers(&ADVERSARIES, name)[0]
    }
}

/// Ten nodes of equal stake, the last two of which do this: 20 % of the stake.
fn two_of_ten(seconds: u32, does: &str) -> Told {
    let adversary = format!("[[adversaries]]\nwho = [8, 9]\n{does}\n");
    told(&cluster("count = 10", seconds, &adversary))
}

#[test]
fn an_equivocating_leader_is_proven_to_have_made_two_blocks_and_honest_nodes_agree() {
    let told = two_of_ten(30, "does = \"equivocate\"");
    let lies = told.lies(Lie::Equivocate);
    let mut made: BTreeMap<(u32, u32), usize> = BTreeMap::new();
    for (_, fact) in &told.facts {
        if let Fact::BlockMade { node, slot, .. } = fact {
            *made.entry((node.number(), slot.number())).or_default() += 1;
        }
    }
    let twice = made.iter().filter(|(_, count)| **count == 2);
    assert!(twice.clone().all(|((node, _), _)| told.liars.contains(node)));
    assert_eq!((twice.count(), lies > 3), (lies, true), "{lies} slots of liars");
    // Both versions reach every node: one by the tree, the other by those who got it straight and
    // pass it on. Each of the eight honest nodes proves it, in every such slot but perhaps the
    // last.
    assert!(told.of().noticed.proofs >= 8 * (lies as u64 - 1), "{:?}", told.of());
    assert_eq!(told.column("exposed"), told.leaders().len() as u64);
    assert!(told.agrees(), "{:?}", told.roots());
}

#[test]
fn silent_nodes_make_no_block_and_cast_no_vote_and_the_others_root_on() {
    let told = two_of_ten(30, "does = \"silent\"");
    for (_, fact) in &told.facts {
        if let Fact::BlockMade { node, .. } | Fact::VoteCast { node, .. } = fact {
            assert!(told.is_honest(*node), "{fact:?}");
        }
    }
    assert!(told.lies(Lie::Silent) > 20 && told.agrees());
    assert_eq!(told.of().exposed, 0, "silence is no proof of anything");
}

#[test]
fn with_a_third_of_the_stake_silent_nobody_roots() {
    // 6 of 10 are 60 %, less than two thirds: the threshold at depth 8 stops every tower.
    let adversary = "[[adversaries]]\nwho = \"6..10\"\ndoes = \"silent\"\n";
    let told = told(&cluster("count = 10", 40, adversary));
    assert!(told.roots().is_empty(), "{:?}", told.roots());
    let ends = adversary.replace("silent\"", "silent\"\nuntil = \"20s\"");
    let healed = self::told(&cluster("count = 10", 60, &ends));
    assert!(healed.agrees(), "they follow the rules again after 20 s");
}

#[test]
fn those_who_withhold_votes_lead_all_the_same() {
    let told = two_of_ten(30, "does = \"withhold-votes\"");
    let by_liar = |fact: &Fact| match *fact {
        Fact::BlockMade { node, .. } => Some((node, true)),
        Fact::VoteCast { node, .. } => Some((node, false)),
        _ => None,
    };
    let done = told.facts.iter().filter_map(|(_, fact)| by_liar(fact));
    let done: Vec<bool> = done.filter(|(it, _)| !told.is_honest(*it)).map(|(_, led)| led).collect();
    assert!(!done.is_empty() && done.iter().all(|led| *led), "blocks and no votes");
    assert!(told.lies(Lie::WithholdVotes) > 20 && told.agrees());
}

/// Why honest nodes refused whole blocks.
fn flaws(told: &Told) -> BTreeSet<Flaw> {
    let flaw = |(_, fact): &(Time, Fact)| match fact {
        Fact::BlockRefused { node, reason, .. } if told.is_honest(*node) => Some(*reason),
        _ => None,
    };
    told.facts.iter().filter_map(flaw).collect()
}

#[test]
fn invalid_blocks_are_refused_by_everybody_for_what_is_wrong_with_them() {
    for (does, flaw) in [
        ("does = \"invalid-blocks\"", Flaw::Transactions),
        ("does = \"invalid-blocks\"\nflaw = \"hash\"", Flaw::Hash),
        ("does = \"bad-poh\"", Flaw::Poh),
    ] {
        let told = two_of_ten(30, does);
        assert_eq!(flaws(&told), [flaw].into(), "{does}");
        let (acts, refused) = (told.column("acts"), told.column("blocks_refused"));
        // Every honest node refuses every such block, but for those under way at the end.
        assert!(acts > 3 && refused >= 8 * (acts - 1) && refused <= 8 * acts, "{acts}, {refused}");
        let exposed = told.column("exposed") as usize;
        assert_eq!((exposed, told.agrees()), (told.leaders().len(), true), "{does}");
        // One in every slot: they fill the windows of four that they have begun, slot after slot.
        let made = |(at, fact): &(Time, Fact)| match *fact {
            Fact::BlockMade { node, slot, .. } if !told.is_honest(node) => {
                Some((slot.number(), at.as_nanos() / 1_000_000))
            }
            _ => None,
        };
        let made: BTreeMap<u32, u64> = told.facts.iter().filter_map(made).collect();
        for (slot, at) in made.iter().filter(|(slot, at)| *slot % 4 < 3 && **at < 29_000) {
            assert_eq!(made.get(&(slot + 1)), Some(&(at + 400)), "{does}: after slot {slot}");
        }
    }
}

#[test]
fn one_witness_of_two_blocks_for_a_slot_tells_everybody() {
    // The second block goes to node 9 alone; all others could only ever see the first.
    for gossip in ["", "gossip.style = \"solana\"\n"] {
        let lie = "[[adversaries]]\nwho = 0\ndoes = \"equivocate\"\nto = 9\n";
        let told = told(&cluster("count = 10", 40, &format!("{gossip}{lie}")));
        let made = |(at, fact): &(Time, Fact)| match *fact {
            Fact::BlockMade { node, slot, .. } if !told.is_honest(node) => {
                (at.as_nanos() < 37_000_000_000).then_some(slot)
            }
            _ => None,
        };
        let made: BTreeSet<Slot> = told.facts.iter().filter_map(made).collect();
        assert!(made.len() >= 3, "{made:?}");
        for slot in made {
            let proves = |(_, fact): &(Time, Fact)| match *fact {
                Fact::EquivocationProven { node, slot: of, .. } => (of == slot).then_some(node),
                _ => None,
            };
            let proven: BTreeSet<NodeId> = told.facts.iter().filter_map(proves).collect();
            let honest = NodeId::all(10).skip(1);
            assert!(honest.into_iter().all(|node| proven.contains(&node)), "{slot:?} {proven:?}");
        }
    }
}

#[test]
fn shreds_of_a_block_in_a_slot_of_somebody_else_are_refused() {
    let told = two_of_ten(30, "does = \"invalid-blocks\"\nflaw = \"leader\"");
    let noticed = |(_, fact): &&(Time, Fact)| {
        matches!(fact, Fact::OffenceNoticed { offence: Offence::WrongLeader, .. })
    };
    assert!(told.facts.iter().filter(noticed).count() > 20);
    assert!(told.column("shreds_refused") > 20 && flaws(&told).is_empty());
    let kept = |(_, fact): &(Time, Fact)| match *fact {
        Fact::BlockFirstShred { node, block, .. } => told.is_honest(node).then_some(block),
        _ => None,
    };
    let kept: BTreeSet<u64> = told.facts.iter().filter_map(kept).collect();
    for (_, fact) in &told.facts {
        if let Fact::BlockMade { node, block, .. } = fact {
            assert!(told.is_honest(*node) || !kept.contains(block), "{fact:?}");
        }
    }
    assert!(told.agrees());
}

#[test]
fn an_adversary_that_never_acts_is_reported() {
    // Node 3 has no stake: it never leads.
    let cluster = |may: &str| {
        let adversary = format!("[[adversaries]]\nwho = 3\ndoes = \"bad-poh\"\n{may}");
        let nodes = "count = 4, stake = { kind = \"list\", amounts = [1, 1, 1, 0] }";
        told(&cluster(nodes, 5, &adversary))
    };
    assert_eq!(cluster("").of().never_acted, [0]);
    assert_eq!(cluster("may_miss = true").of().never_acted_as_allowed, [0]);
    assert_eq!(cluster("from = \"9s\"").of().never_began, [0]);
}
