//! Command line: a broken invariant in words: what, when, who, the last facts, and the command that
//! shows how it came about.

use super::events::in_words;
use crate::metrics::invariant::Violation;

/// Everything that is known of it. `command` makes the same run again.
pub(super) fn in_full(violation: &Violation, command: &str) -> String {
    let Violation { invariant, at, what, nodes, facts, .. } = violation;
    let mut text = format!("\n  violated: {}\n    at {at}: {what}\n", invariant.name());
    text += "    the last that was heard of these nodes:\n";
    for (at, fact) in facts {
        if let Some(words) = in_words(fact) {
            text += &format!("{:>16.6}s  {words}\n", at.as_nanos() as f64 / 1e9);
        }
    }
    let mut numbers: Vec<u32> = nodes.iter().map(|node| node.number()).collect();
    numbers.sort_unstable();
    let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    let (until, numbers) = (at.as_nanos(), numbers.join(","));
    text += "    to see how it came about:\n";
    text += &format!("      {command} --events-nodes {numbers} --events-until {until}ns\n");
    text
}
