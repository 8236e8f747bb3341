//! Votes on several forks.

use headwater::fact::{Deaf, Fact, Lie};
use headwater::metrics::invariant::Invariant;
use headwater::metrics::table::MemorySink;
use headwater::run::{Go, run};

use super::{Told, cluster, told};
use crate::support::{plan, ran_plan};

/// Two halves of the honest stake that cannot reach each other, and a liar between them who reaches
/// both, and carries nothing from one side to the other but what it says itself.
fn split(style: &str, stakes: [u32; 3]) -> String {
    let [left, right, liar] = stakes;
    let stakes = format!("{left}, {right}, {liar}");
    let text = cluster(
        &format!("count = 3, stake = {{ kind = \"list\", amounts = [{stakes}] }}"),
        120,
        "[[faults]]\nkind = \"partition\"\nat = \"0s\"\ngroups = [[0, 2], [1, 2]]\n\
         [[adversaries]]\nwho = 2\ndoes = \"double-vote\"\n\
         [[adversaries]]\nwho = 2\ndoes = \"withhold-shreds\"\nof = \"relayed\"\n",
    );
    // Shreds go straight to everybody: in a tree, half of them would have to cross the split.
    let direct = text.replace("tree = \"stake-weighted\"", "tree = \"round-robin\", fanout = 2");
    direct.replace("tower", style)
}

#[test]
fn with_more_than_a_third_of_the_stake_on_both_sides_of_a_split_both_root_blocks_of_their_own() {
    for style in ["tower", "classroom"] {
        let plan = plan(&split(style, [33, 33, 34]));
        let finished = run(&plan, MemorySink::new(), Deaf, &mut |_| Go::On);
        let violation = finished.violation.expect("the run stops where safety is lost");
        let nodes: Vec<u32> = violation.nodes.iter().map(|node| node.number()).collect();
        assert_eq!(violation.invariant, Invariant::OneChain, "{style}");
        assert!(nodes.contains(&0) && nodes.contains(&1), "{style}: {nodes:?}");
    }
}

#[test]
fn with_less_than_a_third_neither_side_roots() {
    for style in ["tower", "classroom"] {
        // 34 + 32 = 66 of 100 are not more than two thirds.
        let told = told(&split(style, [34, 34, 32]));
        assert!(told.roots().is_empty(), "{style}: {:?}", told.roots());
        assert!(told.lies(Lie::DoubleVote) > 0, "{style}");
    }
}

/// The same liar, and a split that heals when the lying ends. What either side voted for is locked
/// out of the other: ten votes in a row for 2^10 slots at most, nine for 205 s.
fn healed(style: &str) -> Told {
    let split = split(style, [34, 34, 32]).replace("120s", "300s");
    // Nobody waits for votes for its own blocks, which those that are locked out cannot give.
    let split = split.replace("\"peers\"", "\"peers\", propagation = false");
    told(&format!("heal_at = \"10s\"\n{split}"))
}

#[test]
fn once_a_split_heals_both_sides_find_the_liar_out_and_agree() {
    for style in ["tower", "classroom"] {
        let told = healed(style);
        let caught = |by: u32| {
            told.facts.iter().any(|(_, fact)| {
                matches!(fact, Fact::OffenceNoticed { node, .. } if node.number() == by)
            })
        };
        assert!(caught(0) && caught(1), "{style}");
        assert!(told.column("double_votes") > 0 && told.agrees(), "{style}");
    }
}

#[test]
fn a_double_voter_without_a_fork_to_vote_on_says_what_it_lacks() {
    let plan =
        plan(&cluster("count = 4", 10, "adversaries = [{ does = \"double-vote\", who = 0 }]"));
    let verdict = ran_plan(&plan).0.verdict(&plan).to_string();
    let expected = "adversaries[0] never acted (say may_miss = true if that is meant); \
                    adversaries[0]: double-vote needs forks to vote on";
    assert!(verdict.contains(expected), "{verdict}");
}
