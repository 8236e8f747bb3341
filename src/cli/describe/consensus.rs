//! Command line: how a cluster came to agree, in words.

use super::{count, many, time};
use crate::metrics::{
    ConfirmationSummary, ConsensusSummary, ConsensusVerdict, ForksSummary, NotJudged, Reunion,
    RootsSummary, VotesSummary,
};

/// The paragraph on consensus.
pub(super) fn in_words(of: &ConsensusSummary) -> String {
    let mut text = votes(&of.votes);
    text += &confirmation(&of.confirmation);
    text += &roots(&of.roots);
    text += &forks(&of.forks, &of.votes);
    text += &withheld(&of.votes);
    for heal in &of.heals {
        text += &reunion(heal);
    }
    if let ConsensusVerdict::NotJudged { because } = of.verdict {
        let because = match because {
            NotJudged::Unbounded => "without the threshold check a node may be locked out for good",
            NotJudged::Hindered => "a fault is in force at the end",
            NotJudged::Outnumbered => "a third of the stake is down or adversary at the end",
            NotJudged::Untold => "no validator was honest all the time, so that nobody tells",
            NotJudged::Early => "it ends too soon after its start or a fault",
        };
        text += &format!("    not judged: {because}\n");
    }
    if of.unfollowed > 0 {
        text += &format!("    {} too many to be followed\n", many(of.unfollowed, "head", "heads"));
    }
    text
}

fn votes(votes: &VotesSummary) -> String {
    let mut text = format!("\n  consensus ({} cast", many(votes.cast, "vote", "votes"));
    if votes.switched > 0 {
        text += &format!(", {} to switch forks", count(votes.switched));
    }
    text += ")\n";
    if let (Some(landed), Some(late)) = (votes.landed_canonical, votes.late) {
        text +=
            &format!("    votes landed in the chain: {}, of which {} late", count(landed), late);
        text += &format!("; in no block: {}\n", count(votes.never_landed));
    }
    text
}

fn confirmation(of: &ConfirmationSummary) -> String {
    let told = [("confirmed", of.optimistic), ("rooted", of.rooted), ("finalized", of.finalized)];
    let told = told.into_iter().filter_map(|(what, latency)| {
        Some(format!("{what} after {} (99 %: {})", time(latency.p50_ns?), time(latency.p99_ns?)))
    });
    let told: Vec<String> = told.collect();
    if told.is_empty() {
        return "    no block was confirmed\n".into();
    }
    format!("    half of the blocks {}\n", told.join(", "))
}

fn roots(of: &RootsSummary) -> String {
    let Some(highest) = of.highest_slot else { return "    nothing was rooted\n".into() };
    let mut text = format!("    rooted up to slot {highest}");
    text += &match of.lowest_slot {
        _ if of.conflicting > 0 => ", on chains that conflict".to_owned(),
        Some(lowest) if lowest == highest => " by all".to_owned(),
        Some(lowest) => format!(", by all up to {lowest}"),
        None => ", but not by all".to_owned(),
    };
    if let (Some(median), Some(most)) = (of.slots_p50, of.slots_max) {
        text += &format!("; {median} slots to root (median), at most {most}");
    }
    text + "\n"
}

fn forks(of: &ForksSummary, votes: &VotesSummary) -> String {
    let (Some(forks), Some(longest)) = (of.count, of.longest) else { return String::new() };
    if forks == 0 {
        return "    no forks\n".into();
    }
    let mut text = format!(
        "    {}, the longest of {}",
        many(forks, "fork", "forks"),
        many(longest.into(), "block", "blocks")
    );
    if let (Some(mean), Some(most)) = (votes.losing_mean_ns, votes.losing_max_ns) {
        let (mean, most) = (time(mean), time(most));
        text += &format!("; on a losing one for {mean} on average, {most} at most");
    }
    text + "\n"
}

fn withheld(votes: &VotesSummary) -> String {
    let of = votes.withheld;
    let reasons = [
        (of.locked_out, "locked out"),
        (of.threshold, "threshold"),
        (of.switch, "no proof to switch"),
        (of.unpropagated, "own block unpropagated"),
        (of.rollback, "would go back"),
    ];
    let told = reasons.into_iter().filter(|(times, _)| *times > 0);
    let told: Vec<String> = told.map(|(times, why)| format!("{why} {}", count(times))).collect();
    if told.is_empty() {
        return String::new();
    }
    format!("    votes withheld: {}\n", told.join(", "))
}

fn reunion(of: &Reunion) -> String {
    let after = |took: Option<u64>| match took {
        Some(took) => format!("after {}", time(took)),
        None => "never".into(),
    };
    format!(
        "    healed at {}: on one chain of heads {}, of roots {}\n",
        time(of.healed_ns),
        after(of.heads_ns),
        after(of.roots_ns)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{ConsensusVerdict, Latency, WithheldCounts};

    fn summary() -> ConsensusSummary {
        ConsensusSummary {
            verdict: ConsensusVerdict::Pass,
            votes: VotesSummary::default(),
            forks: ForksSummary::default(),
            confirmation: ConfirmationSummary::default(),
            roots: RootsSummary::default(),
            confirmed_slot: None,
            heals: Vec::new(),
            heal_at_ns: None,
            unfollowed: 0,
        }
    }

    #[test]
    fn consensus_is_told_in_a_few_lines() {
        let second = 1_000_000_000;
        let took =
            |nanos| Latency { p50_ns: Some(nanos), p99_ns: Some(2 * nanos), ..Latency::default() };
        let mut of = ConsensusSummary {
            votes: VotesSummary {
                cast: 1_730,
                switched: 4,
                landed_canonical: Some(1_700),
                late: Some(12),
                never_landed: 20,
                withheld: WithheldCounts { switch: 9, threshold: 1, ..WithheldCounts::default() },
                losing_mean_ns: Some(second / 2),
                losing_max_ns: Some(3 * second),
                ..VotesSummary::default()
            },
            forks: ForksSummary { count: Some(2), longest: Some(7), ..ForksSummary::default() },
            confirmation: ConfirmationSummary {
                optimistic: took(second / 2),
                rooted: took(13 * second),
                finalized: Latency::default(),
            },
            roots: RootsSummary {
                highest_slot: Some(80),
                lowest_slot: Some(79),
                slots_p50: Some(31),
                slots_max: Some(44),
                ..RootsSummary::default()
            },
            ..summary()
        };
        let (heads_ns, roots_ns) = (Some(2 * second), None);
        of.heals = vec![Reunion { fault: 0, healed_ns: 30 * second, heads_ns, roots_ns }];
        let expected = "
  consensus (1,730 votes cast, 4 to switch forks)
    votes landed in the chain: 1,700, of which 12 late; in no block: 20
    half of the blocks confirmed after 500.0 ms (99 %: 1.00 s), rooted after 13.00 s (99 %: 26.00 s)
    rooted up to slot 80, by all up to 79; 31 slots to root (median), at most 44
    2 forks, the longest of 7 blocks; on a losing one for 500.0 ms on average, 3.00 s at most
    votes withheld: threshold 1, no proof to switch 9
    healed at 30.00 s: on one chain of heads after 2.00 s, of roots never
";
        assert_eq!(in_words(&of), expected);
    }

    #[test]
    fn what_did_not_happen_is_said_shortly() {
        let expected = "\n  consensus (0 votes cast)\n    no block was confirmed\n    nothing was \
                        rooted\n";
        assert_eq!(in_words(&summary()), expected);
    }
}
