//! Command line: the exit code of a verdict, and a word on it.

use super::{EXIT_BUDGET, EXIT_FAILED, EXIT_INTERNAL, EXIT_OK};
use crate::expect::{Outcome, Ruling, Verdict};

/// The exit code for a run that is called so.
pub(super) const fn exit_code(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Pass => EXIT_OK,
        Outcome::Invalid
        | Outcome::Failed
        | Outcome::NoProgress
        | Outcome::Diverged
        | Outcome::Violated => EXIT_FAILED,
        Outcome::Stopped => EXIT_BUDGET,
        Outcome::Bug => EXIT_INTERNAL,
    }
}

/// How many of the scenario's own expectations held; empty if it has none.
pub(super) fn in_short(verdict: &Verdict) -> String {
    let all = verdict.judged.iter().filter(|judged| judged.place.is_some()).count();
    let elsewhere = verdict.count(Ruling::Elsewhere);
    if all == 0 {
        return String::new();
    }
    let mut text = format!("{} of {} held", verdict.count(Ruling::Held), all - elsewhere);
    if elsewhere > 0 {
        text += &format!(", {elsewhere} for a sweep");
    }
    text
}
