//! Expectation layer: named invariants: what has to hold in every run, whatever its scenario
//! expects. A new one is a function from a record to what speaks against the run, and a line of
//! [`INVARIANTS`].

use super::Outcome;
use super::record::Record;
use crate::base::time::Time;
use crate::metrics::catalogue::Found;
use crate::results::ResultsError;

/// Something that has to hold in every run.
#[derive(Clone, Copy, Debug)]
pub struct Invariant {
    /// Its name in `[[expect]]`.
    pub name: &'static str,
    /// What it says, in a sentence.
    pub doc: &'static str,
    /// What a run is called that breaks it.
    pub breach: Outcome,
    judge: Judge,
}

/// Reads a record and says what speaks against the run.
type Judge = fn(&Record<'_>) -> Result<Finding, ResultsError>;

/// What speaks against a run, one sentence each.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Finding {
    pub(super) failures: Vec<String>,
    pub(super) warnings: Vec<String>,
    /// There was nothing to judge it by.
    pub(super) unjudged: bool,
}

/// All invariants, the gravest first.
pub const INVARIANTS: &[Invariant] = &[
    Invariant {
        name: "erasure",
        doc: "What is decoded from the shreds of a FEC set are the bytes that were coded.",
        breach: Outcome::Bug,
        judge: erasure,
    },
    Invariant {
        name: "safety",
        doc: "Honest nodes break none of the invariants that are watched during the run.",
        breach: Outcome::Violated,
        judge: safety,
    },
    Invariant {
        name: "conservation",
        doc: "Sent + duplicated = delivered + dropped + in flight, for messages and bytes.",
        breach: Outcome::Failed,
        judge: conservation,
    },
    Invariant {
        name: "faults",
        doc: "Every fault began and met something, unless it says may_miss = true.",
        breach: Outcome::Failed,
        judge: faults,
    },
    Invariant {
        name: "adversaries",
        doc: "Every adversary began and acted, unless it says may_miss = true.",
        breach: Outcome::Failed,
        judge: adversaries,
    },
    Invariant {
        name: "rumors",
        doc: "Every stream of rumors has rumors, and some of all rumors appeared.",
        breach: Outcome::Failed,
        judge: rumors,
    },
    Invariant {
        name: "transactions",
        doc: "Some of the transactions appeared.",
        breach: Outcome::Failed,
        judge: transactions,
    },
    Invariant {
        name: "blocks",
        doc: "Some block became whole at a node that is not its leader.",
        breach: Outcome::NoProgress,
        judge: blocks,
    },
    Invariant {
        name: "judged",
        doc: "A run with heal_at goes on for long enough after it to judge agreement and liveness.",
        breach: Outcome::Invalid,
        judge: judged,
    },
    Invariant {
        name: "agreement",
        doc: "Honest validators root one chain, and agree on one long after the last heal.",
        breach: Outcome::Diverged,
        judge: agreement,
    },
    Invariant {
        name: "liveness",
        doc: "The cluster confirms blocks while nothing keeps it from that.",
        breach: Outcome::NoProgress,
        judge: liveness,
    },
];

impl Invariant {
    /// The invariant of this name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        INVARIANTS.iter().find(|invariant| invariant.name == name)
    }

    pub(super) fn judge(&self, record: &Record<'_>) -> Result<Finding, ResultsError> {
        (self.judge)(record)
    }
}

/// Why a rumor or a transaction did not appear.
pub const MISSED: &str = "their nodes were down, or too busy to take them";

fn erasure(record: &Record<'_>) -> Result<Finding, ResultsError> {
    let miscoded = record.count("blocks.miscoded");
    let found =
        format!("{miscoded} FEC sets decoded to other bytes than were coded, which is a bug");
    Ok(Finding::unless(miscoded == 0, found))
}

fn safety(record: &Record<'_>) -> Result<Finding, ResultsError> {
    let of = |key| record.text("invariants", key);
    let mut finding = match (of("broken"), of("what")) {
        (Some(broken), Some(what)) => Finding::unless(false, format!("{broken}: {what}")),
        _ => Finding::default(),
    };
    let unjudged = record.count("invariants.unjudged");
    if unjudged > 0 {
        let warning = format!("invariants: {unjudged} votes, roots or blocks were not judged");
        finding.warnings.push(warning);
    }
    Ok(finding)
}

fn conservation(record: &Record<'_>) -> Result<Finding, ResultsError> {
    let holds = record.figure("conservation.holds") == Found::Number(1);
    Ok(Finding::unless(holds, "messages are unaccounted for, which is a bug".into()))
}

fn faults(record: &Record<'_>) -> Result<Finding, ResultsError> {
    let mut finding =
        idle(record, "faults", [("missed", "touched nothing"), ("late", "never began")]);
    let idle = names("faults", &record.places("faults", "touched_nothing"));
    if !idle.is_empty() {
        finding.warnings.push(format!("{idle} was met but changed nothing"));
    }
    Ok(finding)
}

fn adversaries(record: &Record<'_>) -> Result<Finding, ResultsError> {
    let lists = [("never_acted", "never acted"), ("late", "never began")];
    let mut finding = idle(record, "adversaries", lists);
    let forkless = names("adversaries", &record.places("adversaries", "forkless"));
    if let (Some(failure), false) = (finding.failures.first_mut(), forkless.is_empty()) {
        failure.push_str(&format!("; {forkless}: double-vote needs forks to vote on"));
    }
    Ok(finding)
}

/// Entries of a list in the scenario that had no effect, by the keys of the summary that name them.
fn idle(record: &Record<'_>, list: &str, keys: [(&str, &str); 2]) -> Finding {
    let mut finding = Finding::default();
    let lists = keys.map(|(key, what)| (names(list, &record.places(list, key)), what));
    let failed: Vec<String> = lists
        .iter()
        .filter(|(names, _)| !names.is_empty())
        .map(|(names, what)| format!("{names} {what}"))
        .collect();
    if !failed.is_empty() {
        let failed = failed.join("; ");
        finding.failures.push(format!("{failed} (say may_miss = true if that is meant)"));
    }
    finding
}

fn rumors(record: &Record<'_>) -> Result<Finding, ResultsError> {
    let mut finding = Finding::default();
    let of = |key| names("rumors", &record.places("workload", key));
    let (late, drawn) = (of("absent"), of("absent_by_chance"));
    if !late.is_empty() {
        finding.failures.push(format!("{late} never appeared: due after the end of the run"));
    }
    if !drawn.is_empty() {
        finding.warnings.push(format!("by chance no rumor of {drawn} appeared"));
    }
    let missed = record.count("rumors.missed");
    finding.appeared("rumors", missed, record.count("rumors.injected") + missed);
    Ok(finding)
}

fn transactions(record: &Record<'_>) -> Result<Finding, ResultsError> {
    let mut finding = Finding::default();
    let all = record.count("transactions.submitted");
    finding.appeared("transactions", record.count("transactions.missed"), all);
    Ok(finding)
}

fn agreement(record: &Record<'_>) -> Result<Finding, ResultsError> {
    let of = |key| record.of_verdict(key);
    let time = |nanos: u64| Time::from_nanos(nanos);
    let failure = match record.consensus() {
        Some("conflicting_roots") => {
            let (at, node, slot) = (time(of("at_ns")), of("node"), of("slot"));
            let what = format!("at {at} node {node} rooted a block of slot {slot}");
            format!("{what} that conflicts with another's root")
        }
        Some("diverged") => {
            format!("at the end nodes build on forks that parted at {}", time(of("since_ns")))
        }
        _ => return Ok(Finding { unjudged: unjudged(record), ..Finding::default() }),
    };
    Ok(Finding::unless(false, failure))
}

/// Whether the cluster was kept from getting on until the end, or nearly.
fn unjudged(record: &Record<'_>) -> bool {
    record.consensus() == Some("not_judged")
}

fn judged(record: &Record<'_>) -> Result<Finding, ResultsError> {
    let heal = match record.figure("consensus.heal_at_ns") {
        Found::Number(heal) => Time::from_nanos(u64::try_from(heal).unwrap_or(u64::MAX)),
        Found::Never | Found::Absent => return Ok(Finding::default()),
    };
    let end = Time::from_nanos(record.end());
    let why = match record.because() {
        "outnumbered" => "with a third of the stake down or adversary",
        "untold" => "without a validator that was honest all the time",
        "hindered" => "with a fault in force",
        "unbounded" => "and without the threshold check there is no telling how long it may take",
        _ => "too early to judge it",
    };
    let what = format!("after heal_at = {heal} the run goes on to {end}, {why}");
    Ok(Finding::unless(!unjudged(record), what))
}

fn liveness(record: &Record<'_>) -> Result<Finding, ResultsError> {
    let since = Time::from_nanos(record.of_verdict("since_ns"));
    let stands_still = record.consensus() == Some("no_progress");
    let rooted = matches!(record.figure("consensus.roots.highest_slot"), Found::Number(_));
    let what = if rooted { "nothing new was confirmed" } else { "nothing was rooted" };
    let mut failure = format!("{what} since {since}");
    if let Some(parted) = record.parted() {
        let parted = Time::from_nanos(parted);
        failure += &format!("; nodes build on forks that parted at {parted}");
    }
    let mut finding = Finding::unless(!stands_still, failure);
    finding.unjudged = unjudged(record);
    if finding.unjudged && !rooted {
        let why = match record.because() {
            "outnumbered" => "a third of the stake is down or adversary at the end",
            "untold" => "no validator was honest all the time",
            "hindered" => "a fault is in force at the end",
            "unbounded" => "without the threshold check there is no telling how long it may take",
            _ => "the run is too short, or ends too early after a fault",
        };
        finding.warnings.push(format!("nothing was rooted, which is not judged: {why}"));
    }
    Ok(finding)
}

/// Blocks that are made in vain are a warning: a scenario may be about that.
fn blocks(record: &Record<'_>) -> Result<Finding, ResultsError> {
    let mut finding = Finding::default();
    let whole = record.count("blocks.whole_pairs") + record.count("blocks.late");
    if record.count("blocks.made") > 0 && whole == 0 && record.count("nodes.count") > 1 {
        finding.warnings.push(MADE_IN_VAIN.into());
    }
    Ok(finding)
}

/// What is to be said if blocks are made in vain.
pub const MADE_IN_VAIN: &str = "no progress: no block became whole at any node but its leader";

impl Finding {
    fn unless(holds: bool, failure: String) -> Self {
        Self { failures: if holds { Vec::new() } else { vec![failure] }, ..Self::default() }
    }

    /// Whether things of the workload appeared.
    fn appeared(&mut self, things: &str, missed: u64, all: u64) {
        if missed == all && all > 0 {
            self.failures.push(format!("none of {all} {things} appeared: {MISSED}"));
        } else if missed > 0 {
            self.warnings.push(format!("{missed} of {all} {things} never appeared: {MISSED}"));
        }
    }
}

/// Entries of a list in the scenario, by their places.
fn names(list: &str, places: &[u64]) -> String {
    let names: Vec<String> = places.iter().map(|place| format!("{list}[{place}]")).collect();
    names.join(", ")
}
