//! Command line: what became of a run, in a sentence, and the exit code.

use super::{EXIT_BUDGET, EXIT_FAILED, EXIT_INTERNAL, EXIT_OK};
use crate::metrics::Summary;
use crate::run::Ending;
use crate::scenario::plan::Plan;

/// What became of the run, in words, and the exit code. A run that did not do what its scenario is
/// about has failed, however well it went.
pub(super) fn verdict(plan: &Plan, ending: &Ending, summary: &Summary) -> (String, u8) {
    let stopped = match ending {
        Ending::Overloaded(overload) => Some(format!("{overload} (limits.pending_events)")),
        Ending::EventsSpent(events) => {
            Some(format!("{events} events were handled (limits.events)"))
        }
        Ending::TimeSpent(limit) => {
            Some(format!("{limit} of virtual time have passed (limits.virtual_time)"))
        }
        Ending::Complete | Ending::Stopped => None,
    };
    if let Some(stopped) = stopped {
        return (format!("stopped: {stopped}"), EXIT_BUDGET);
    }
    if !summary.conservation.holds {
        return ("failed: messages are unaccounted for, which is a bug".into(), EXIT_FAILED);
    }
    let miscoded = summary.blocks.as_ref().map_or(0, |blocks| blocks.miscoded);
    if miscoded > 0 {
        let found = format!("{miscoded} FEC sets decoded to other bytes than were coded");
        return (format!("failed: {found}, which is a bug"), EXIT_INTERNAL);
    }
    let mut found = Findings::default();
    found.faults(plan, summary);
    found.rumors(plan, summary);
    found.transactions(summary);
    let Findings { failures, warnings } = found;
    if !failures.is_empty() {
        (format!("failed: {}", failures.join("; ")), EXIT_FAILED)
    } else if !warnings.is_empty() {
        (format!("pass (warning: {})", warnings.join("; ")), EXIT_OK)
    } else {
        ("pass".into(), EXIT_OK)
    }
}

/// What speaks against a run.
#[derive(Default)]
struct Findings {
    failures: Vec<String>,
    warnings: Vec<String>,
}

impl Findings {
    fn faults(&mut self, plan: &Plan, summary: &Summary) {
        let faults = &summary.faults;
        let late = faults.never_began.iter().filter(|f| !plan.faults[**f as usize].may_miss);
        let lists = [
            (names("faults", faults.missed.iter().copied()), "touched nothing"),
            (names("faults", late.copied()), "never began"),
        ];
        let failed = lists.iter().filter(|(names, _)| !names.is_empty());
        let failed: Vec<String> = failed.map(|(names, what)| format!("{names} {what}")).collect();
        if !failed.is_empty() {
            let failed = failed.join("; ");
            self.failures.push(format!("{failed} (say may_miss = true if that is meant)"));
        }
        let idle = names("faults", faults.touched_nothing.iter().copied());
        if !idle.is_empty() {
            self.warnings.push(format!("{idle} was met but changed nothing"));
        }
    }

    fn rumors(&mut self, plan: &Plan, summary: &Summary) {
        let rumors = &summary.rumors;
        let (drawn, late): (Vec<_>, Vec<_>) =
            plan.workload().dry().partition(|place| plan.streams[*place].is_random());
        let places = |places: Vec<usize>| names("rumors", places.into_iter().map(|p| p as u32));
        if !late.is_empty() {
            self.failures
                .push(format!("{} never appeared: due after the end of the run", places(late)));
        }
        if !drawn.is_empty() {
            self.warnings.push(format!("by chance no rumor of {} appeared", places(drawn)));
        }
        let (missed, all) = (rumors.missed, rumors.injected + rumors.missed);
        if missed == all && all > 0 {
            self.failures.push(format!("none of {all} rumors appeared: {MISSED}"));
        } else if missed > 0 {
            self.warnings.push(format!("{missed} of {all} rumors never appeared: {MISSED}"));
        }
    }

    fn transactions(&mut self, summary: &Summary) {
        let Some(of) = &summary.transactions else { return };
        let (missed, all) = (of.missed, of.submitted);
        if missed == all && all > 0 {
            self.failures.push(format!("none of {all} transactions appeared: {MISSED}"));
        } else if missed > 0 {
            self.warnings.push(format!("{missed} of {all} transactions never appeared: {MISSED}"));
        }
    }
}

/// Why a rumor or a transaction did not appear.
pub(super) const MISSED: &str = "their nodes were down, or too busy to take them";

/// Entries of a list in the scenario, by their places.
fn names(list: &str, places: impl Iterator<Item = u32>) -> String {
    let names: Vec<String> = places.map(|place| format!("{list}[{place}]")).collect();
    names.join(", ")
}
