//! Protocol layer: who was heard from, who is being pinged, and who was dropped and may return.
//! Memory of one node: a bit per node, and an entry for each peer that is silent or gone.

use crate::base::id::{NodeId, NodeSet};
use crate::base::time::Span;

/// A pinged peer that has not answered yet.
#[derive(Clone, Copy, Debug)]
struct Probe {
    peer: NodeId,
    /// The number of the ping that is out.
    round: u32,
    /// Pings before it that were not answered.
    failures: u32,
}

/// A dropped peer that is pinged now and then.
#[derive(Clone, Copy, Debug)]
struct Dropped {
    peer: NodeId,
    serial: u32,
    /// The time to its next ping.
    delay: Span,
}

/// What becomes of a peer whose ping is overdue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Overdue {
    /// It is pinged once more.
    PingAgain(NodeId),
    /// That was the last attempt.
    GiveUp(NodeId),
}

/// The signs of life a node has of its peers.
#[derive(Debug, Default)]
pub(super) struct Liveness {
    /// Heard from since their last turn.
    heard: NodeSet,
    /// By peer.
    probes: Vec<Probe>,
    /// By peer.
    dropped: Vec<Dropped>,
    /// The last number given to a round of pings or a dropped peer.
    serial: u32,
}

impl Liveness {
    /// A message of `node` arrived; true if it had been dropped and is back.
    #[inline]
    pub(super) fn heard(&mut self, node: NodeId) -> bool {
        self.heard.insert(node);
        if let Ok(place) = self.probes.binary_search_by_key(&node, |probe| probe.peer) {
            self.probes.remove(place);
        }
        let place = self.dropped.binary_search_by_key(&node, |dropped| dropped.peer);
        place.map(|place| self.dropped.remove(place)).is_ok()
    }

    /// A number for pings or a dropped peer.
    pub(super) fn next_serial(&mut self) -> u32 {
        self.serial = self.serial.wrapping_add(1);
        self.serial
    }

    /// A peer has its turn in a round of pings; true if it is to be pinged.
    pub(super) fn turn(&mut self, peer: NodeId, round: u32) -> bool {
        if self.heard.remove(peer) {
            return false;
        }
        match self.probes.binary_search_by_key(&peer, |probe| probe.peer) {
            Ok(_) => false,
            Err(place) => {
                self.probes.insert(place, Probe { peer, round, failures: 0 });
                true
            }
        }
    }

    /// The pings of a round are overdue: goes through those that have no answer. Repeated ones are
    /// of round `next`.
    pub(super) fn overdue(&mut self, round: u32, next: u32, attempts: u32) -> Vec<Overdue> {
        let mut all = Vec::new();
        self.probes.retain_mut(|probe| {
            if probe.round != round {
                return true;
            }
            probe.failures += 1;
            let again = probe.failures < attempts;
            probe.round = next;
            let verdict = if again { Overdue::PingAgain } else { Overdue::GiveUp };
            all.push(verdict(probe.peer));
            again
        });
        all
    }

    /// Remembers a dropped peer; false if there are `limit` already.
    pub(super) fn drop_peer(
        &mut self,
        peer: NodeId,
        delay: Span,
        serial: u32,
        limit: usize,
    ) -> bool {
        if self.dropped.len() >= limit {
            return false;
        }
        match self.dropped.binary_search_by_key(&peer, |dropped| dropped.peer) {
            Ok(place) => self.dropped[place] = Dropped { peer, serial, delay },
            Err(place) => self.dropped.insert(place, Dropped { peer, serial, delay }),
        }
        true
    }

    /// It is time to ping a dropped peer again: the time until the time after, or `None` if it has
    /// come back meanwhile.
    pub(super) fn retry(&mut self, peer: NodeId, serial: u32, limit: Span) -> Option<Span> {
        let place = self.dropped.binary_search_by_key(&peer, |dropped| dropped.peer).ok()?;
        let dropped = &mut self.dropped[place];
        if dropped.serial != serial {
            return None;
        }
        dropped.delay = dropped.delay.saturating_add(dropped.delay).min(limit);
        Some(dropped.delay)
    }

    /// Whether a node was dropped and has not come back.
    pub(super) fn is_dropped(&self, node: NodeId) -> bool {
        self.dropped.binary_search_by_key(&node, |dropped| dropped.peer).is_ok()
    }

    /// Forgets all signs of life. Serials go on, so that no stale alarm is taken for a new one.
    pub(super) fn clear(&mut self) {
        *self = Self { serial: self.serial, ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: NodeId = NodeId::new(4);
    const B: NodeId = NodeId::new(2);

    #[test]
    fn only_a_silent_peer_is_pinged_and_only_its_own_round_counts() {
        let mut liveness = Liveness::default();
        assert!(!liveness.heard(A));
        assert!(!liveness.turn(A, 1) && liveness.turn(B, 1));
        assert!(liveness.turn(A, 2), "not heard from since its last turn");
        assert!(!liveness.turn(A, 3), "a ping is out already");
        assert_eq!(liveness.overdue(1, 4, 2), [Overdue::PingAgain(B)]);
        assert!(!liveness.heard(B));
        assert!(liveness.overdue(4, 5, 2).is_empty(), "it answered the second ping");
        assert_eq!(liveness.overdue(2, 6, 1), [Overdue::GiveUp(A)]);
    }

    #[test]
    fn the_back_off_doubles_up_to_its_limit_and_ends_with_a_sign_of_life() {
        let mut liveness = Liveness::default();
        assert!(liveness.drop_peer(A, Span::from_secs(1), 7, 1));
        assert!(!liveness.drop_peer(B, Span::from_secs(1), 8, 1), "the list is full");
        let mut next = || liveness.retry(A, 7, Span::from_secs(5)).map(Span::as_nanos);
        let delays = [next(), next(), next(), next()].map(|d| d.unwrap_or(0) / 1_000_000_000);
        assert_eq!(delays, [2, 4, 5, 5]);
        assert_eq!(liveness.retry(A, 6, Span::from_secs(5)), None, "an alarm of an earlier time");
        assert!(liveness.is_dropped(A) && liveness.heard(A));
        assert!(!liveness.is_dropped(A));
        assert_eq!(liveness.retry(A, 7, Span::from_secs(5)), None);
    }
}
