//! Shreds that are kept back or come late.

use std::collections::BTreeMap;

use headwater::base::time::Time;
use headwater::fact::{Fact, Lie};

use super::{Told, two_of_ten};

/// How long after it was made each block of an honest or a lying leader was whole at the nodes.
fn spans(told: &Told, honest: bool) -> Vec<u64> {
    let mut made: BTreeMap<u64, Time> = BTreeMap::new();
    let mut spans = Vec::new();
    for (at, fact) in &told.facts {
        match *fact {
            Fact::BlockMade { node, block, .. } if told.is_honest(node) == honest => {
                made.insert(block, *at);
            }
            Fact::BlockWhole { block, .. } => {
                let span = made.get(&block).map(|made| at.since(*made).as_nanos() / 1_000_000);
                spans.extend(span);
            }
            _ => {}
        }
    }
    spans
}

#[test]
fn a_block_whose_leader_keeps_its_shreds_reaches_nobody() {
    let told = two_of_ten(30, "does = \"withhold-shreds\"\nof = \"own\"");
    assert!(told.lies(Lie::WithholdShreds) > 20);
    assert!(spans(&told, false).is_empty() && !spans(&told, true).is_empty());
    assert!(told.agrees(), "the others skip those slots");
}

#[test]
fn a_shred_is_kept_from_all_or_none_and_from_those_who_ask_for_it() {
    // Half of the shreds of a block without coding: it is whole nowhere.
    let told = two_of_ten(30, "does = \"withhold-shreds\"\nof = \"own\"\nshare = \"50%\"");
    assert!(spans(&told, false).is_empty() && told.lies(Lie::WithholdShreds) > 20);
    // Who asks for them gets them where that is said.
    let answers = "does = \"withhold-shreds\"\nof = \"own\"\nshare = \"50%\"\nanswers = true";
    assert!(!spans(&two_of_ten(30, answers), false).is_empty());
}

#[test]
fn what_relays_keep_is_repaired() {
    let told = two_of_ten(60, "does = \"withhold-shreds\"\nof = \"relayed\"");
    let repaired: u64 = told.ran.0.summary.blocks.expect("blocks").shreds.repaired;
    let honest = super::told(&super::cluster("count = 10", 30, ""));
    assert_eq!(honest.ran.0.summary.blocks.expect("blocks").shreds.repaired, 0);
    assert!(repaired > 100 && told.agrees(), "{repaired}");
}

#[test]
fn late_shreds_come_later_by_as_much() {
    let told = two_of_ten(30, "does = \"delay-shreds\"\nby = \"300ms\"\nof = \"own\"");
    assert!(told.lies(Lie::DelayShreds) > 20);
    // A leader sends its last shred at the end of its slot, 400 ms after it made the block; 20 ms
    // to the root of the tree and 20 ms further. The delay comes on top.
    let least = |spans: Vec<u64>| spans.into_iter().min().expect("whole blocks");
    assert_eq!((least(spans(&told, true)), least(spans(&told, false))), (440, 740));
    assert!(told.agrees());
}
