//! Metrics layer: whether a cluster that votes did what it is there for.

use serde::Serialize;

use super::roots::Conflict;
use crate::base::time::{Span, Time};

/// What speaks for and against a run with votes.
///
/// *Honest* are validators with stake that are not adversaries; those that are down do not count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Evidence {
    /// The end of the run.
    pub(super) end: Time,
    /// How long the cluster may take without being judged; `None` if there is no telling.
    pub(super) patience: Option<Span>,
    /// Whether a fault that hinders messages or nodes is in force at the end.
    pub(super) hindered: bool,
    /// When such a fault last began or ended, a validator last came or went, or a lie ended.
    pub(super) disturbed: Time,
    /// The stake of validators that are up at the end and follow the rules by then, and that of
    /// all.
    pub(super) stake: (u128, u128),
    /// Whether an honest validator is up at the end: what follows is what they say.
    pub(super) told: bool,
    /// When an honest validator last confirmed or rooted a block in a slot above all before.
    pub(super) progressed: Time,
    /// If the heads of honest validators are not on one chain at the end: when the last block that
    /// they share was made.
    pub(super) parted: Option<Time>,
    /// The first conflict of roots of honest validators.
    pub(super) conflict: Option<Conflict>,
    /// Whether an honest validator has rooted anything.
    pub(super) rooted: bool,
    /// How long it takes from a block to its root where all goes well.
    pub(super) to_root: Span,
}

/// Why a run with votes was not judged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NotJudged {
    /// It has no threshold check, so that there is no telling how long a node may be locked out.
    Unbounded,
    /// A fault was in force at its end.
    Hindered,
    /// At most two thirds of the stake were up and followed the rules at its end.
    Outnumbered,
    /// No validator that was up at its end had been honest all the time.
    Untold,
    /// It ended too early after its start or after a disturbance.
    Early,
}

/// How a run with votes went.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum ConsensusVerdict {
    /// The cluster got on, on one chain.
    Pass,
    /// No two honest validators rooted conflicting blocks. Whether the cluster got on is not
    /// judged.
    NotJudged {
        /// Why.
        because: NotJudged,
    },
    /// Nobody confirmed or rooted anything new for longer than it may take, or nobody has rooted
    /// anything at all.
    NoProgress {
        /// Since when.
        since_ns: u64,
        /// If the heads of honest validators lie on forks that are older than they may be: when
        /// the last block that they share was made.
        parted_ns: Option<u64>,
    },
    /// Honest validators have rooted blocks of which neither stands on the other.
    ConflictingRoots {
        /// When that was first so.
        at_ns: u64,
        /// Who rooted the second of those blocks.
        node: u32,
        /// The slot of it.
        slot: u32,
    },
    /// Honest validators go on to confirm or root blocks, but they build on forks that parted
    /// longer ago than it may take to agree.
    Diverged {
        /// When the last block that they share was made.
        since_ns: u64,
    },
}

/// Judges a run.
pub(super) fn judge(evidence: &Evidence) -> ConsensusVerdict {
    if let Some(Conflict { at, node, slot }) = evidence.conflict {
        let (node, slot) = (node.number(), slot.number());
        return ConsensusVerdict::ConflictingRoots { at_ns: at.as_nanos(), node, slot };
    }
    let (up, all) = evidence.stake;
    let not_judged = |because| ConsensusVerdict::NotJudged { because };
    let Some(patience) = evidence.patience else { return not_judged(NotJudged::Unbounded) };
    if evidence.hindered {
        return not_judged(NotJudged::Hindered);
    }
    if up * 3 <= all * 2 {
        return not_judged(NotJudged::Outnumbered);
    }
    if !evidence.told {
        return not_judged(NotJudged::Untold);
    }
    let expired = |since: Time| since.saturating_add(patience) < evidence.end;
    if !expired(evidence.disturbed) {
        return not_judged(NotJudged::Early);
    }
    let parted = evidence.parted.filter(|shared| expired(*shared));
    let parted_ns = parted.map(Time::as_nanos);
    let stalled = |since: Time| ConsensusVerdict::NoProgress {
        since_ns: since.max(evidence.disturbed).as_nanos(),
        parted_ns,
    };
    match parted_ns {
        // Where nothing is confirmed any more, forks are what came of it.
        _ if expired(evidence.progressed) => stalled(evidence.progressed),
        Some(since_ns) => ConsensusVerdict::Diverged { since_ns },
        None if evidence.rooted => ConsensusVerdict::Pass,
        None if expired(evidence.disturbed.saturating_add(evidence.to_root)) => stalled(Time::ZERO),
        None => not_judged(NotJudged::Early),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::NodeId;
    use crate::base::slot::Slot;

    const fn at(nanos: u64) -> Time {
        Time::from_nanos(nanos)
    }

    /// A run of 1,000 ns with a patience of 100 that went well.
    const WELL: Evidence = Evidence {
        end: at(1_000),
        patience: Some(Span::from_nanos(100)),
        hindered: false,
        disturbed: at(300),
        stake: (100, 100),
        told: true,
        progressed: at(990),
        parted: None,
        conflict: None,
        rooted: true,
        to_root: Span::from_nanos(320),
    };

    const fn stalled(since_ns: u64, parted_ns: Option<u64>) -> ConsensusVerdict {
        ConsensusVerdict::NoProgress { since_ns, parted_ns }
    }

    const fn not_judged(because: NotJudged) -> ConsensusVerdict {
        ConsensusVerdict::NotJudged { because }
    }

    #[test]
    fn silence_for_longer_than_the_patience_is_no_progress() {
        let silent = |progressed| Evidence { progressed: at(progressed), ..WELL };
        assert_eq!(judge(&WELL), ConsensusVerdict::Pass);
        assert_eq!(judge(&silent(900)), ConsensusVerdict::Pass, "exactly as long as it may");
        assert_eq!(judge(&silent(899)), stalled(899, None));
        assert_eq!(judge(&silent(0)), stalled(300, None));
    }

    #[test]
    fn a_run_that_cannot_be_expected_to_get_on_is_not_judged_and_says_why() {
        let silent = Evidence { progressed: at(0), parted: Some(at(0)), ..WELL };
        for (evidence, because) in [
            (Evidence { patience: None, ..silent }, NotJudged::Unbounded),
            (Evidence { hindered: true, ..silent }, NotJudged::Hindered),
            (Evidence { disturbed: at(900), ..silent }, NotJudged::Early),
            (Evidence { stake: (66, 99), ..silent }, NotJudged::Outnumbered),
            (Evidence { told: false, ..silent }, NotJudged::Untold),
        ] {
            assert_eq!(judge(&evidence), not_judged(because), "{evidence:?}");
        }
        let barely = Evidence { stake: (67, 99), disturbed: at(899), ..silent };
        assert_eq!(judge(&barely), stalled(899, Some(0)));
    }

    #[test]
    fn forks_at_the_end_count_once_they_are_old() {
        let parted = |shared| judge(&Evidence { parted: Some(at(shared)), ..WELL });
        assert_eq!(parted(950), ConsensusVerdict::Pass);
        assert_eq!(parted(800), ConsensusVerdict::Diverged { since_ns: 800 });
        // With nothing confirmed any more it is a standstill.
        let stands = Evidence { progressed: at(700), parted: Some(at(600)), ..WELL };
        assert_eq!(judge(&stands), stalled(700, Some(600)));
    }

    #[test]
    fn a_cluster_that_confirms_but_never_roots_makes_no_progress() {
        // The last disturbance is at 300; 320 for a root and the patience of 100 end at 720.
        let rootless = |end| judge(&Evidence { end: at(end), rooted: false, ..WELL });
        assert_eq!(rootless(1_000), stalled(300, None));
        let soon = Evidence { end: at(720), progressed: at(710), rooted: false, ..WELL };
        assert_eq!(judge(&soon), not_judged(NotJudged::Early));
        let later = Evidence { end: at(721), ..soon };
        assert_eq!(judge(&later), stalled(300, None));
    }

    #[test]
    fn conflicting_roots_count_whatever_else_holds() {
        let conflict = Conflict { at: at(5), node: NodeId::new(3), slot: Slot::new(9) };
        let evidence =
            Evidence { conflict: Some(conflict), hindered: true, patience: None, ..WELL };
        let expected = ConsensusVerdict::ConflictingRoots { at_ns: 5, node: 3, slot: 9 };
        assert_eq!(judge(&evidence), expected);
    }
}
