//! Command line: what became of transactions, in words.

use super::{count, percent, time};
use crate::metrics::{Latency, TransactionsSummary};

pub(super) fn in_words(of: &TransactionsSummary) -> String {
    let mut text = format!("\n  transactions ({})\n", count(of.submitted));
    let (refused, dropped) = (of.refused, of.dropped);
    let ends = [
        (of.included, "in the chain"),
        (of.waiting, "waiting"),
        (of.expired, "expired"),
        (of.orphaned, "in abandoned blocks only"),
        (refused.bad_signature, "refused for their signature"),
        (refused.unknown_account, "refused for their accounts"),
        (refused.short_balance, "refused for want of money"),
        (dropped.full, "dropped for want of room"),
        (dropped.evicted, "evicted"),
        (dropped.crashed, "lost in crashes"),
        (of.missed, "missed: the node was down or too busy"),
        (of.unfollowed, "no longer followed (limits.transactions)"),
    ];
    let ends = ends.into_iter().filter(|(number, _)| *number > 0);
    let ends: Vec<String> = ends.map(|(number, end)| format!("{} {end}", count(number))).collect();
    if !ends.is_empty() {
        text += &format!("    {}\n", ends.join(", "));
    }
    text += &latency("at a coming leader after", &of.to_leader);
    text += &latency("in a block after", &of.to_block);
    text += &format!(
        "    sent on {} times, {} copies refused as duplicates\n",
        count(of.forwards),
        count(of.duplicates)
    );
    if of.strangers > 0 {
        let strangers = count(of.strangers);
        text += &format!("    {strangers} times the address of a coming leader was unknown\n");
    }
    if let Some(hits) = of.prediction_hit_ppm {
        text += &format!(
            "    {} of {} predictions of a leader were right\n",
            percent(hits),
            count(of.predictions)
        );
    }
    text
}

fn latency(what: &str, latency: &Latency) -> String {
    match (latency.mean_ns, latency.p50_ns, latency.p99_ns) {
        (Some(mean), Some(p50), Some(p99)) => format!(
            "    {what} {} on average, median {}, 99 % within {}\n",
            time(mean),
            time(p50),
            time(p99)
        ),
        _ => String::new(),
    }
}
