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
    /// When such a fault last began or ended, or a validator last came or went.
    pub(super) disturbed: Time,
    /// The stake of honest validators that are up at the end, and that of all.
    pub(super) stake: (u128, u128),
    /// When an honest validator last confirmed or rooted a block in a slot above all before.
    pub(super) progressed: Time,
    /// If the heads of honest validators are not on one chain at the end: when the last block that
    /// they share was made.
    pub(super) parted: Option<Time>,
    /// The first conflict of roots of honest validators.
    pub(super) conflict: Option<Conflict>,
}

/// How a run with votes went.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum ConsensusVerdict {
    /// The cluster got on, on one chain.
    Pass,
    /// No two honest validators rooted conflicting blocks. Whether the cluster got on is not
    /// judged: the run ended too early after its start or after a disturbance, a fault was in force
    /// at the end, or at most two thirds of the stake were up and honest.
    NotJudged,
    /// Nobody confirmed or rooted anything new for longer than it may take.
    NoProgress {
        /// Since when.
        since_ns: u64,
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
    /// Honest validators build on forks that parted longer ago than it may take to agree.
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
    let Some(patience) = evidence.patience.filter(|_| !evidence.hindered && up * 3 > all * 2)
    else {
        return ConsensusVerdict::NotJudged;
    };
    let expired = |since: Time| since.saturating_add(patience) < evidence.end;
    let since_ns = evidence.progressed.max(evidence.disturbed).as_nanos();
    if !expired(evidence.disturbed) {
        ConsensusVerdict::NotJudged
    } else if let Some(shared) = evidence.parted.filter(|shared| expired(*shared)) {
        ConsensusVerdict::Diverged { since_ns: shared.as_nanos() }
    } else if expired(evidence.progressed) {
        ConsensusVerdict::NoProgress { since_ns }
    } else {
        ConsensusVerdict::Pass
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
        progressed: at(990),
        parted: None,
        conflict: None,
    };

    #[test]
    fn silence_for_longer_than_the_patience_is_no_progress() {
        let silent = |progressed| Evidence { progressed: at(progressed), ..WELL };
        assert_eq!(judge(&WELL), ConsensusVerdict::Pass);
        assert_eq!(judge(&silent(900)), ConsensusVerdict::Pass, "exactly as long as it may");
        assert_eq!(judge(&silent(899)), ConsensusVerdict::NoProgress { since_ns: 899 });
        assert_eq!(judge(&silent(0)), ConsensusVerdict::NoProgress { since_ns: 300 });
    }

    #[test]
    fn a_run_that_cannot_be_expected_to_get_on_is_not_judged() {
        let silent = Evidence { progressed: at(0), parted: Some(at(0)), ..WELL };
        for evidence in [
            Evidence { patience: None, ..silent },
            Evidence { hindered: true, ..silent },
            Evidence { disturbed: at(900), ..silent },
            Evidence { stake: (66, 99), ..silent },
        ] {
            assert_eq!(judge(&evidence), ConsensusVerdict::NotJudged, "{evidence:?}");
        }
        let barely = Evidence { stake: (67, 99), disturbed: at(899), ..silent };
        assert_eq!(judge(&barely), ConsensusVerdict::Diverged { since_ns: 0 });
    }

    #[test]
    fn forks_at_the_end_count_once_they_are_old() {
        let parted = |shared| judge(&Evidence { parted: Some(at(shared)), ..WELL });
        assert_eq!(parted(950), ConsensusVerdict::Pass);
        assert_eq!(parted(800), ConsensusVerdict::Diverged { since_ns: 800 });
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
