//! Votes on several forks.

use headwater::fact::{Fact, Lie};

use super::{Told, cluster, told};

/// Two halves of the honest stake that cannot reach each other, and liars between them who reach
/// both, and carry nothing from one side to the other but their votes.
fn split(style: &str, stakes: [u32; 3], seconds: u32) -> Told {
    let [left, right, liar] = stakes;
    let stakes = format!("{left}, {right}, {liar}");
    let text = cluster(
        &format!("count = 3, stake = {{ kind = \"list\", amounts = [{stakes}] }}"),
        seconds,
        "[[faults]]\nkind = \"partition\"\nat = \"0s\"\ngroups = [[0, 2], [1, 2]]\n\
         [[adversaries]]\nwho = 2\ndoes = \"double-vote\"\n\
         [[adversaries]]\nwho = 2\ndoes = \"withhold-shreds\"\nof = \"relayed\"\n",
    );
    // Shreds go straight to everybody: in a tree, half of them would have to cross the split.
    let direct = text.replace("tree = \"stake-weighted\"", "tree = \"round-robin\", fanout = 2");
    told(&direct.replace("tower", style))
}

/// Whether both sides rooted blocks of their own that exclude each other: the first block each.
fn conflict(told: &Told) -> bool {
    told.roots().values().any(|blocks| blocks.len() > 1) || {
        let first = |side: u32| {
            told.facts.iter().find_map(|(_, fact)| match *fact {
                Fact::Rooted { node, slot, block } if node.number() == side => Some((slot, block)),
                _ => None,
            })
        };
        matches!((first(0), first(1)), (Some(left), Some(right)) if left != right)
    }
}

#[test]
fn with_more_than_a_third_of_the_stake_on_both_sides_of_a_split_both_root_blocks_of_their_own() {
    for style in ["tower", "classroom"] {
        let told = split(style, [33, 33, 34], 120);
        assert!(told.lies(Lie::DoubleVote) > 4, "{style}");
        assert!(conflict(&told), "{style}: {:?}", told.roots().keys().take(9));
    }
}

#[test]
fn with_less_than_a_third_neither_side_roots() {
    for style in ["tower", "classroom"] {
        // 34 + 32 = 66 of 100 are not more than two thirds.
        let told = split(style, [34, 34, 32], 120);
        assert!(told.roots().is_empty(), "{style}: {:?}", told.roots());
    }
}
