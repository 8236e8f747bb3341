//! Command line: what became of blocks, in words.

use super::{count, percent, time};
use crate::expect::MADE_IN_VAIN;
use crate::metrics::{BlocksSummary, ChainSummary, ShredsSummary, SlotsSummary, TimeToShare};

/// The paragraph on blocks in a run with so many nodes.
pub(super) fn blocks(blocks: &BlocksSummary, nodes: usize) -> String {
    let BlocksSummary { made, slots, settled, .. } = blocks;
    let mut text = format!("\n  blocks ({} made{})\n", count(*made), skipped(slots));
    if blocks.made > 0 && blocks.whole_pairs + blocks.late == 0 && nodes > 1 {
        text += &format!("    {MADE_IN_VAIN}\n");
    }
    text += &spreading(blocks);
    if let (Some(mean), Some(least)) = (blocks.coverage_mean_ppm, blocks.coverage_min_ppm) {
        text += &format!(
            "    coverage {} on average, {} at worst; {} of {} reached every node that was up\n",
            percent(mean),
            percent(least),
            count(blocks.complete),
            count(*settled)
        );
    }
    text += &shreds(&blocks.shreds);
    text += &chain(&blocks.chain);
    let refused: Vec<String> = blocks
        .refused
        .iter()
        .map(|(reason, times)| format!("{} {}", reason.name(), count(times)))
        .collect();
    if !refused.is_empty() {
        text += &format!("    whole blocks refused by nodes: {}\n", refused.join(", "));
    }
    if blocks.expired > 0 {
        text += &format!("    incomplete blocks given up: {}\n", count(blocks.expired));
    }
    if blocks.late > 0 {
        text += &format!("    {} came too late to be followed\n", count(blocks.late));
    }
    text
}

/// Skipped slots and why, as the tail of a sentence.
fn skipped(slots: &SlotsSummary) -> String {
    let orphaned = slots.orphaned.filter(|orphaned| *orphaned > 0).map_or(String::new(), |lost| {
        let (many, rate) = (if lost == 1 { "" } else { "s" }, slots.chain_skip_rate_ppm);
        let rate = rate.map_or(String::new(), |rate| format!(", {} with them", percent(rate)));
        format!("; {} slot{many} only off the canonical chain{rate}", count(lost))
    });
    let after = match slots.after_last {
        0 => String::new(),
        1 => "; 1 slot declined after the last block".into(),
        many => format!("; {} slots declined after the last block", count(many)),
    };
    if slots.skipped == 0 {
        return orphaned + &after;
    }
    let reasons = [
        (slots.leader_down, "leader down"),
        (slots.passed, "chain already past"),
        (slots.has_shreds, "shreds of the slot already there"),
        (slots.unpropagated, "leader's last block not far enough"),
        (slots.overtaken, "chain came past before the leader could begin"),
        (slots.silent, "leader silent"),
        (slots.nothing_rooted, "leader without memory has rooted nothing yet"),
        (slots.unexplained, "no reason known"),
    ];
    let told: Vec<String> = reasons
        .into_iter()
        .filter(|(slots, _)| *slots > 0)
        .map(|(slots, why)| format!("{why} {}", count(slots)))
        .collect();
    let rate = slots.skip_rate_ppm.map_or(String::new(), |rate| format!(", {}", percent(rate)));
    let (slots, many) = (slots.skipped, if slots.skipped == 1 { "" } else { "s" });
    format!("; {} slot{many} skipped{rate}: {}{orphaned}", count(slots), told.join(", ")) + &after
}

/// How long it took until so many nodes had a block whole.
fn spreading(blocks: &BlocksSummary) -> String {
    let shares = [
        ("50 %", blocks.to.nodes(50)),
        ("99 %", blocks.to.nodes(99)),
        ("100 %", blocks.to.nodes(100)),
    ];
    let told: Vec<String> = shares
        .into_iter()
        .filter_map(|(share, TimeToShare { reached, mean_ns, .. })| {
            let blocks = if reached == blocks.made {
                String::new()
            } else {
                format!(" ({} of {})", count(reached), count(blocks.made))
            };
            Some(format!("{share} of nodes after {}{blocks}", time(mean_ns?)))
        })
        .collect();
    if told.is_empty() {
        return String::new();
    }
    format!("    whole at {}, on average\n", told.join(", "))
}

fn shreds(shreds: &ShredsSummary) -> String {
    let (Some(turbine), Some(recovered), Some(repaired), Some(redundancy)) =
        (shreds.turbine_ppm, shreds.recovered_ppm, shreds.repaired_ppm, shreds.redundancy_ppm)
    else {
        return String::new();
    };
    format!(
        "    shreds: turbine {}, recovered {}, repaired {}; {:.3} duplicates for each of them\n",
        percent(turbine),
        percent(recovered),
        percent(repaired),
        redundancy as f64 / 1e6
    )
}

fn chain(chain: &ChainSummary) -> String {
    let mut text = format!("    longest chain {} blocks", count(chain.longest));
    match chain.forks {
        Some(0) => text += ", no forks",
        Some(1) => text += ", 1 block not in the canonical one",
        Some(forks) => text += &format!(", {} blocks not in the canonical one", count(forks)),
        None => {}
    }
    if chain.reorganisations > 0 {
        let (times, depth) = (count(chain.reorganisations), count(chain.reorganisation_max));
        text += &format!("; reorganisations: {times}, at most {depth} deep");
    }
    if let Some(agreement) = chain.head_agreement_ppm {
        text += &format!("; {} of nodes on the same head at the end", percent(agreement));
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{ArrivalsSummary, Latency, RefusedBlocks, TimesToShares};

    fn to(reached: u64, millis: u64) -> TimeToShare {
        let nanos = (reached > 0).then_some(millis * 1_000_000);
        TimeToShare { reached, mean_ns: nanos, max_ns: nanos }
    }

    /// Times to 50 and to 99 % of the nodes.
    fn times([half, most]: [TimeToShare; 2]) -> TimesToShares {
        let never = to(0, 0);
        TimesToShares::new([half, never, never, never, never, most, never], [never; 7])
    }

    fn summary() -> BlocksSummary {
        BlocksSummary {
            made: 75,
            whole_pairs: 1_000,
            late: 0,
            expired: 0,
            refused: RefusedBlocks::default(),
            miscoded: 0,
            settled: 70,
            complete: 69,
            coverage_mean_ppm: Some(999_000),
            coverage_min_ppm: Some(930_000),
            first_shred: Latency::default(),
            whole: Latency::default(),
            to: times([to(75, 143), to(74, 312)]),
            shreds: ShredsSummary {
                turbine: 80,
                recovered: 15,
                repaired: 5,
                duplicate: 10,
                turbine_ppm: Some(800_000),
                recovered_ppm: Some(150_000),
                repaired_ppm: Some(50_000),
                redundancy_ppm: Some(100_000),
            },
            arrivals: ArrivalsSummary::default(),
            slots: SlotsSummary {
                made: 75,
                skipped: 3,
                leader_down: 2,
                passed: 1,
                skip_rate_ppm: Some(38_461),
                ..SlotsSummary::default()
            },
            chain: ChainSummary {
                longest: 73,
                canonical: Some(73),
                forks: Some(2),
                reorganisations: 5,
                reorganisation_max: 1,
                head_agreement_ppm: Some(985_000),
            },
        }
    }

    #[test]
    fn blocks_are_told_in_a_few_lines() {
        let expected = "
  blocks (75 made; 3 slots skipped, 3.85 %: leader down 2, chain already past 1)
    whole at 50 % of nodes after 143.0 ms, 99 % of nodes after 312.0 ms (74 of 75), on average
    coverage 99.90 % on average, 93.00 % at worst; 69 of 70 reached every node that was up
    shreds: turbine 80.00 %, recovered 15.00 %, repaired 5.00 %; 0.100 duplicates for each of them
    longest chain 73 blocks, 2 blocks not in the canonical one; reorganisations: 5, at most 1 deep; \
                        98.50 % of nodes on the same head at the end
";
        assert_eq!(blocks(&summary(), 20), expected);
    }

    #[test]
    fn what_did_not_happen_is_not_told() {
        let (slots, chain) = (SlotsSummary::default(), ChainSummary::default());
        let nothing = BlocksSummary {
            made: 0,
            coverage_mean_ppm: None,
            to: TimesToShares::default(),
            shreds: ShredsSummary { turbine_ppm: None, ..summary().shreds },
            slots,
            chain,
            ..summary()
        };
        assert_eq!(blocks(&nothing, 20), "\n  blocks (0 made)\n    longest chain 0 blocks\n");
        let troubled = BlocksSummary { expired: 1_200, late: 3, ..nothing };
        let text = blocks(&troubled, 20);
        assert!(text.contains("incomplete blocks given up: 1,200\n"), "{text}");
        assert!(text.contains("3 came too late"), "{text}");
    }
}
