//! Spam, false entries, and floods of announcements.

use headwater::fact::{Fact, Lie, Loss, Offence, Step};

use super::{cluster, told};

/// Ten nodes, of which node 9 sends 200 transactions a second beside the ten of an honest client.
fn spammed(blocks: &str, more: &str) -> super::Told {
    let text = cluster(
        "count = 10",
        20,
        &format!(
            "[[transactions]]\nevery = \"100ms\"\ncount = 150\nnode = \"0..9\"\n\
             [[adversaries]]\nwho = 9\ndoes = \"spam\"\nper_second = 200\n{more}"
        ),
    );
    let synthetic = "content = \"synthetic\", bytes = \"20kB\"";
    let filled = format!("content = \"transactions\"{blocks}");
    told(&text.replace(synthetic, &filled))
}

#[test]
fn forged_spam_is_refused_by_every_leader_and_honest_transactions_go_through() {
    let told = spammed("", "");
    // 200 a second for 20 s.
    let acts = told.column("acts");
    assert!((3_990..=4_000).contains(&acts), "{acts}");
    // Each goes to the leaders of the next three slots, one or two of them; its own slots apart.
    let refused = told.column("transactions_refused");
    assert!(refused > acts * 3 / 4 && refused < 2 * acts, "{refused}");
    let of = told.ran.0.summary.transactions.expect("transactions");
    assert_eq!((of.submitted, of.conserved), (150, true));
    assert!(of.included > 140, "{of:?}");
    assert!(told.agrees());
}

#[test]
fn dust_takes_the_room_in_blocks_and_mempools_up_to_their_limits() {
    // 80 transactions come in every slot, and a block takes ten.
    let narrow = |more: &str| spammed(", max_transactions = 10", more);
    let forged = narrow("[mempool]\ntransactions = 50\n");
    let dust = narrow("content = \"dust\"\n[mempool]\ntransactions = 50\n");
    let full = |(_, fact): &&(_, Fact)| {
        matches!(fact, Fact::Transaction { step: Step::Dropped(Loss::Full), .. })
    };
    assert_eq!(forged.facts.iter().filter(full).count(), 0);
    assert!(dust.facts.iter().filter(full).count() > 500);
    assert!(dust.column("transactions_refused") > 500);
    let included =
        |told: &super::Told| told.ran.0.summary.transactions.as_ref().expect("some").included;
    assert!(included(&dust) < included(&forged), "{} {}", included(&dust), included(&forged));
}

#[test]
fn false_entries_are_refused_and_change_nothing() {
    let world = |more: &str| {
        told(&format!(
            "duration = \"20s\"\nnodes.count = 10\nnetwork.latency = \"20ms\"\n\
             gossip.style = \"push-pull\"\n{more}"
        ))
    };
    let lied = world("[[adversaries]]\nwho = 4\ndoes = \"lie-in-gossip\"\nevery = \"500ms\"\n");
    // 40 rounds of three entries, the first within half a second; the last may be under way.
    let (acts, refused) = (lied.column("acts"), lied.column("entries_refused"));
    assert!((117..=120).contains(&acts) && refused + 3 >= acts, "{acts}, {refused}");
    let noticed = |(_, fact): &&(_, Fact)| {
        matches!(fact, Fact::OffenceNoticed { offence: Offence::FalseEntry, .. })
    };
    assert_eq!(lied.facts.iter().filter(noticed).count() as u64, refused);
    assert_eq!((lied.lies(Lie::LieInGossip), lied.column("exposed")), (acts as usize / 3, 1));
    let honest = world("");
    let registry = |told: &super::Told| told.ran.0.summary.registry.clone();
    assert_eq!(registry(&lied), registry(&honest));
}

#[test]
fn a_false_own_address_is_found_out_by_asking_there() {
    let world = |style: &str, loss: &str| {
        told(&format!(
            "duration = \"20s\"\nnodes.count = 10\nnetwork = {{ latency = \"20ms\"{loss} }}\n\
             gossip.style = \"{style}\"\n[[adversaries]]\nwho = 4\ndoes = \"lie-in-gossip\"\n\
             about = \"itself\"\nevery = \"500ms\"\n"
        ))
    };
    for style in ["push-pull", "solana"] {
        let lied = world(style, "");
        // 40 rounds of three entries, less those that would name its own address, a tenth; each is
        // found out after three ways of 20 ms, or one, so all but those of the last round.
        let (acts, refused) = (lied.column("acts"), lied.column("addresses_refused"));
        assert!((90..=120).contains(&acts) && refused + 3 >= acts, "{acts}, {refused}");
        assert_eq!(lied.column("entries_refused"), 0);
        let noticed = |(_, fact): &&(_, Fact)| {
            let Fact::OffenceNoticed { culprit, offence, .. } = fact else { return false };
            *offence == Offence::FalseAddress && culprit.number() == 4
        };
        assert_eq!(lied.facts.iter().filter(noticed).count() as u64, refused);
    }
    // With a tenth of all messages lost a lie goes unnoticed where any of its three is: 27 %, or
    // 10 % if the receiver's own address is named, which one in ten is.
    let lossy = world("push-pull", ", loss = \"10%\"");
    let (acts, refused) = (lossy.column("acts"), lossy.column("addresses_refused"));
    assert!(refused * 100 > acts * 55 && refused * 100 < acts * 90, "{acts}, {refused}");
}

/// 40 honest nodes that find each other by a bootstrap node, with room for 8 peers each; and 20
/// nodes that announce themselves to all of them.
fn flooded(does: &str) -> super::Told {
    told(&format!(
        "duration = \"60s\"\nnodes = {{ count = 60 }}\nnetwork.latency = \"20ms\"\n\
         topology = {{ kind = \"k-out\", degree = 2 }}\n\
         discovery = {{ enabled = true, bootstrap = 0, max_peers = 8 }}\n\
         gossip.style = \"off\"\n{does}"
    ))
}

#[test]
fn a_flood_of_announcements_takes_the_room_for_peers_up_to_the_limit() {
    let flood = "[[adversaries]]\nwho = \"40..60\"\ndoes = \"flood-peers\"\nto = \"0..40\"\n\
                 every = \"10ms\"\nfanout = 40\nuntil = \"5s\"\n";
    let told = flooded(flood);
    assert!(told.lies(Lie::FloodPeers) > 100);
    // They are there before the first answer of the bootstrap node, which takes 40 ms. The share of
    // liars among all nodes is a third; among the peers of the flooded it is more.
    let [mean, most] = ["peers_ppm", "peers_max_ppm"].map(|name| told.column(name));
    assert!(mean > 400_000 && most > mean, "{mean}, {most}");
    assert!(told.column("peers_taken") > 40);
    // Room is limited: most announcements are refused.
    let refused = |told: &super::Told| told.ran.0.summary.peers.refused;
    let (with, without) = (refused(&told), refused(&flooded("")));
    assert!(with > 2 * without, "{with}, {without}");
}
