//! Addresses of leaders: gossip brings those that a node's peers are not.

use std::collections::BTreeSet;

use headwater::base::time::Time;
use headwater::fact::{Census, Fact, MessageKind, Observer, World};

use super::{MS, of, rows, six};
use crate::support::{plan_with, ran_heard};

#[test]
fn a_leader_is_unknown_until_gossip_brings_its_address() {
    // In a ring node 0 knows nodes 1 and 5 only, and node 3 is three rounds of gossip away. Slots 3
    // and 15 are node 3's: by the second there were rounds at 4, 8 and 12 s.
    let ran = six(
        "[gossip]\nstyle = \"push\"\ninterval = \"4s\"\nphase = \"aligned\"\nfanout = 2\n\
         [[transactions]]\nat = \"2500ms\"\n[[transactions]]\nat = \"14500ms\"\n",
        &[
            "topology.kind=ring",
            "turbine.tree=kary",
            "forward.retry=0s",
            "forward.relay=false",
            "ledger.accounts=100",
        ],
    );
    let rows = rows(&ran);
    assert_eq!((of(&ran).strangers, rows[0].forwards), (1, 1), "a peer was chosen in its place");
    assert_ne!(rows[0].to_leader, Some(10 * MS));
    assert_eq!((rows[1].to_leader, rows[1].to_block), (Some(10 * MS), Some(500 * MS)));
    assert_eq!(rows[1].forwards, 1);
}

/// Whom node 0 takes for coming leaders, and whom it sends transactions to, before and after.
#[derive(Default)]
struct Heard {
    predicted: [BTreeSet<u32>; 2],
    sent: [BTreeSet<u32>; 2],
}

/// All have heard of all by this moment.
const SETTLED: Time = Time::from_nanos(60_000 * MS);

impl Observer for &mut Heard {
    fn on_fact(&mut self, at: Time, fact: &Fact) {
        let when = usize::from(at > SETTLED);
        match fact {
            Fact::LeaderPredicted { node, leader, .. } if node.number() == 0 => {
                self.predicted[when].insert(leader.number());
            }
            Fact::Sent(sent)
                if sent.kind == MessageKind::Transaction && sent.from.number() == 0 =>
            {
                self.sent[when].insert(sent.to.number());
            }
            _ => {}
        }
    }
    fn next_sample(&self) -> Option<Time> {
        None
    }
    fn on_sample(&mut self, _: Time, _: &World, _: &dyn Census) {}
}

#[test]
fn leaders_drawn_from_what_gossip_tells_are_sent_to_as_soon_as_it_tells_of_them() {
    // A ring of six again: nodes 1 and 5 are heard of at once, the others in rounds at 20 and 40 s.
    // Between 1 and 19 s and from 61 s on, a transaction a second for the leader of the next slot:
    // in 39 slots one of six equal validators is drawn never with (5/6)^39 = 0.1 %, and the seed
    // is fixed.
    let stream = |at: &str, until: &str| {
        format!("[[transactions]]\nat = \"{at}\"\nuntil = \"{until}\"\nevery = \"1s\"\n")
    };
    let text = format!(
        "duration = \"100s\"\n[nodes]\ncount = 6\n[topology]\nkind = \"ring\"\n\
         [network]\nlatency = \"10ms\"\n\
         [gossip]\nstyle = \"push\"\ninterval = \"20s\"\nphase = \"aligned\"\nfanout = 2\n\
         [slots]\nduration = \"1s\"\nschedule = \"poh\"\nregistry = \"gossip\"\n\
         [blocks]\ncontent = \"transactions\"\n[turbine]\ntree = \"kary\"\n\
         [ledger]\naccounts = 100\n[forward]\nlookahead = 1\nhold = 0\nretry = \"0s\"\n{}{}",
        stream("1500ms", "18500ms"),
        stream("61500ms", "99500ms"),
    );
    let mut heard = Heard::default();
    ran_heard(&plan_with(&text, &[]), &mut heard);
    let Heard { predicted: [before, after], sent: [sent_before, sent_after] } = heard;
    let within = |found: &BTreeSet<u32>, all: &[u32]| found.iter().all(|node| all.contains(node));
    assert!(within(&before, &[0, 1, 5]) && within(&sent_before, &[1, 5]), "{before:?}");
    assert!(!sent_before.is_empty(), "{sent_before:?}");
    assert!(after.iter().copied().eq(0..6), "{after:?}");
    assert!(sent_after.iter().copied().eq(1..6), "{sent_after:?}");
}
