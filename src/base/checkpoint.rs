//! Base layer: checkpoints of a run's digest, and between which two of them two runs part.

use super::time::Time;

/// A point that a run passed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Checkpoint {
    /// Records up to here.
    pub record: u64,
    /// When the last of them was.
    pub at: Time,
    /// 64 bits of the digest of all of them.
    pub digest: u64,
}

/// Checkpoints as a run tells them: one per `spacing` records.
#[must_use]
pub fn checkpoints(points: &[(Time, u64)], spacing: u64) -> Vec<Checkpoint> {
    let numbered = points.iter().zip(1_u64..);
    let checkpoint = |((at, digest), place): (&(Time, u64), u64)| Checkpoint {
        record: place * spacing,
        at: *at,
        digest: *digest,
    };
    numbered.map(checkpoint).collect()
}

/// Between which records two runs part: the last checkpoint that they share, and the first at which
/// they differ, if there is one. Checkpoints that only one of them has say nothing.
#[must_use]
pub fn bracket(a: &[Checkpoint], b: &[Checkpoint]) -> (Option<Checkpoint>, Option<Checkpoint>) {
    let mut shared = None;
    for point in a {
        let Ok(place) = b.binary_search_by_key(&point.record, |other| other.record) else {
            continue;
        };
        if b[place] != *point {
            return (shared, Some(*point));
        }
        shared = Some(*point);
    }
    (shared, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(record: u64, digest: u64) -> Checkpoint {
        Checkpoint { record, at: Time::from_nanos(record * 10), digest }
    }

    #[test]
    fn checkpoints_are_numbered_by_their_records() {
        let all = checkpoints(&[(Time::from_nanos(7), 1), (Time::from_nanos(9), 2)], 100);
        assert_eq!((all[0].record, all[1].record, all[1].digest), (100, 200, 2));
    }

    #[test]
    fn the_bracket_is_between_the_last_equal_and_the_first_different_checkpoint() {
        let a = [point(1, 5), point(2, 6), point(3, 7), point(4, 8)];
        // Twice the spacing, and another digest from record 4 on.
        let b = [point(2, 6), point(4, 9)];
        assert_eq!(bracket(&a, &b), (Some(a[1]), Some(a[3])));
        assert_eq!(bracket(&b, &a), (Some(a[1]), Some(b[1])));
        assert_eq!(bracket(&a, &a), (Some(a[3]), None));
        assert_eq!(bracket(&a, &[]), (None, None));
    }
}
