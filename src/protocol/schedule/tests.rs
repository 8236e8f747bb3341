//! Protocol layer: tests of leader schedules against independent calculations and law 8.

use super::stakes::drawn_by_hash;
use super::*;

/// Identities as in the Python calculations: SHA-256 of "identity" and the number as one byte.
fn identities(count: usize) -> NodeMap<[u8; 32]> {
    NodeMap::build(count, |node| {
        Digest::of(&[b"identity".as_slice(), &[node.number() as u8]].concat()).0
    })
}

fn schedule(config: Config, stakes: &[u64]) -> Schedule {
    let stakes = NodeMap::from_vec(stakes.to_vec());
    Schedule::new(&config, Seed(42), &stakes, &identities(stakes.len()), &[])
}

fn list(window: Option<u32>, list: &[Option<u32>]) -> Schedule {
    let config = Config { kind: Kind::List, window, ..Config::default() };
    let list: Vec<_> = list.iter().map(|entry| entry.map(NodeId::new)).collect();
    Schedule::new(&config, Seed(1), &NodeMap::filled(3, 1), &identities(3), &list)
}

/// Leaders of the slots `from`, `from + step`, ...; `u32::MAX` for nobody.
fn leaders(schedule: &mut Schedule, from: u32, step: u32, count: u32) -> Vec<u32> {
    let slots = (0..count).map(|i| Slot::new(from + i * step));
    slots.map(|slot| schedule.leader(slot).map_or(u32::MAX, NodeId::number)).collect()
}

const STAKES: [u64; 12] = [900, 500, 500, 300, 0, 100, 100, 0, 50, 700, 0, 20];

#[test]
fn the_epoch_schedule_is_that_of_solana() {
    // Python: sort by (stake, identity) descending, ChaCha20 with the epoch as key, integers by
    // zone = MAX - ((MAX - n + 1) mod n), first running sum above the draw.
    let mut solana = schedule(Config::default(), &STAKES);
    let first = [2, 0, 0, 1, 2, 0, 0, 2, 9, 0, 9, 5, 0, 3, 0, 9];
    let second = [2, 2, 9, 1, 2, 5, 3, 1, 0, 2, 3, 2, 9, 9, 0, 1];
    assert_eq!(leaders(&mut solana, 432_000, 4, 16), second);
    assert_eq!(leaders(&mut solana, 0, 4, 16), first);
    assert_eq!(leaders(&mut solana, 3, 4, 16), first, "windows of four slots");
    let config = Config { first_epoch: 860, ..Config::default() };
    let later = [0, 3, 0, 9, 1, 2, 9, 0];
    assert_eq!(leaders(&mut schedule(config, &STAKES), 0, 4, 8), later);
    // Short epochs: 10 slots are two windows and a half, then the next epoch begins.
    let config = Config { slots_per_epoch: 10, ..Config::default() };
    let cut = [2, 2, 2, 2, 0, 0, 0, 0, 0, 0, 2, 2, 2, 2, 2, 2, 2, 2, 9, 9];
    assert_eq!(leaders(&mut schedule(config, &STAKES), 0, 1, 20), cut);
}

#[test]
fn the_zone_of_the_epoch_schedule_is_not_that_of_trees() {
    // A total of 1.1875 * 2^62: a tree's rule would accept 59 % of the draws (2 n of 2^64), the
    // schedule's accepts 89 % (3 n). By the former the fifth leader would be 2. From Python.
    let stakes = [1 << 61, (1 << 61) + 5, (1 << 60) - (1 << 58), 7];
    let config = Config { first_epoch: 3, ..Config::default() };
    let expected = [2, 1, 1, 1, 1, 0, 1, 1, 2, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 1, 2, 1, 0, 1];
    assert_eq!(leaders(&mut schedule(config, &stakes), 0, 4, 24), expected);
}

#[test]
fn a_long_epoch_is_that_of_solana_however_it_is_asked() {
    // 200 nodes, the first 180 with stake 4e17 / (i + 1); SHA-256 over the leaders of 3,000 windows
    // as 4-byte little-endian numbers, from the same Python.
    let stake = |i: u64| if i < 180 { 400_000_000_000_000_000 / (i + 1) } else { 0 };
    let stakes: Vec<u64> = (0..200).map(stake).collect();
    let mut asked = schedule(Config::default(), &stakes);
    assert_eq!(leaders(&mut asked, 2_992 * 4, 4, 8), [6, 25, 5, 44, 152, 119, 0, 33]);
    let all = leaders(&mut asked, 0, 4, 3_000);
    assert_eq!(all[..8], [14, 0, 0, 13, 1, 0, 11, 0]);
    let bytes: Vec<u8> = all.iter().flat_map(|leader| leader.to_le_bytes()).collect();
    let sha = "bd6b7d64bac9ce1afb8ccd777caaab8169d2b8ec170c33980b27249557ef30be";
    assert_eq!(Digest::of(&bytes).to_string(), sha);
}

#[test]
fn many_epochs_are_forgotten_and_drawn_again() {
    let config = Config { slots_per_epoch: 8, ..Config::default() };
    let mut asked = schedule(config, &STAKES);
    let forward = leaders(&mut asked, 0, 1, 400);
    let again = leaders(&mut asked, 0, 1, 400);
    assert_eq!(forward, again);
}

#[test]
fn the_tick_chain_and_its_leaders_are_those_of_the_rule() {
    // Python: h_0 = SHA-256(len "headwater poh" seed 42 with lengths), 1,000 times SHA-256 a slot;
    // node at int(h[:16], little) * total >> 128, in increasing order of the nodes.
    let config = Config { kind: Kind::Poh, ..Config::default() };
    let mut poh = schedule(config, &STAKES);
    let hash = |poh: &mut Schedule, slot| poh.poh_hash(Slot::new(slot)).map(|h| h.to_string());
    let late = "1f90bd619f2d46a88e8b28557f49581da0a280ca4d6bca3290dd5e1c000dbe87";
    assert_eq!(hash(&mut poh, 11).as_deref(), Some(late));
    let first = "2f2918fe5cf79df98cf08c497c547de29cf63845c90eb3f83c352d9e9278cca3";
    assert_eq!(hash(&mut poh, 0).as_deref(), Some(first));
    assert_eq!(leaders(&mut poh, 0, 1, 12), [9, 6, 6, 6, 3, 9, 2, 1, 0, 0, 0, 0]);
    // Who knows only nodes 9, 3 and 1 draws among them.
    let known = [9, 3, 1].map(|node| (NodeId::new(node), STAKES[node as usize]));
    let drawn = [0, 1, 2, 3, 4, 5].map(|slot| {
        let hash = poh.poh_hash(Slot::new(slot)).expect("the kind has a chain");
        drawn_by_hash(&hash, &known).map_or(u32::MAX, NodeId::number)
    });
    assert_eq!(drawn, [1, 1, 1, 1, 3, 1]);
    assert_eq!(schedule(Config::default(), &STAKES).poh_hash(Slot::ZERO), None);
}

#[test]
fn who_knows_all_stakes_draws_the_leader_from_the_hash() {
    let config =
        Config { kind: Kind::Poh, window: Some(3), hashes_per_slot: 2, ..Config::default() };
    let mut poh = schedule(config, &STAKES);
    let all: Vec<_> = NodeId::all(12).zip(STAKES).collect();
    let mut seen = Vec::new();
    for slot in (0..300).map(Slot::new) {
        let hash = poh.poh_hash(slot).expect("the kind has a chain");
        assert_eq!(drawn_by_hash(&hash, &all), poh.leader(slot));
        seen.push(poh.leader(slot));
    }
    assert!(seen.chunks(3).all(|window| window[0] == window[1] && window[1] == window[2]));
}

#[test]
fn hashes_at_the_ends_draw_the_first_and_the_last() {
    let stakes = [(NodeId::new(4), 0), (NodeId::new(1), 7), (NodeId::new(2), u64::MAX - 7)];
    let ends = [[0; 32], [0xFF; 32]].map(Digest);
    let drawn = ends.map(|hash| drawn_by_hash(&hash, &stakes));
    assert_eq!(drawn, [Some(NodeId::new(1)), Some(NodeId::new(2))]);
    // A third stake does not fit into 64 bits and counts as none.
    let more = [stakes.as_slice(), &[(NodeId::new(3), 1)]].concat();
    assert_eq!(drawn_by_hash(&ends[1], &more), Some(NodeId::new(2)));
    assert_eq!(ends.map(|hash| drawn_by_hash(&hash, &stakes[..1])), [None, None]);
    let cumulated = |list: &[(NodeId, u64)]| Cumulated::new(list.iter().copied());
    assert_eq!(ends.map(|hash| cumulated(&more).drawn_by(&hash)), drawn);
    assert_eq!(ends.map(|hash| cumulated(&[]).drawn_by(&hash)), [None, None]);
}

#[test]
fn law_8_windows_are_independent_draws_in_proportion_to_stake() {
    let stakes = [1_000, 600, 400, 250, 150, 80, 20];
    let total: u64 = stakes.iter().sum();
    let windows = 20_000_u32;
    for kind in [Kind::Epoch, Kind::Poh] {
        let config = Config { kind, window: Some(4), hashes_per_slot: 1, ..Config::default() };
        let mut schedule = schedule(config, &stakes);
        let drawn = leaders(&mut schedule, 0, 4, windows);
        let chi_square = |counts: &[u32], draws: u32| -> f64 {
            let terms = counts.iter().zip(stakes).map(|(count, stake)| {
                let expected = f64::from(draws) * stake as f64 / total as f64;
                let off = f64::from(*count) - expected;
                off * off / expected
            });
            terms.sum()
        };
        // Six degrees of freedom: 99.99 % of honest samples stay below 27.86. Counting slots
        // instead would multiply the statistic by four, its mean to 24.
        let mut counts = [0; 7];
        drawn.iter().for_each(|leader| counts[*leader as usize] += 1);
        let statistic = chi_square(&counts, windows);
        assert!(statistic < 27.86, "{kind:?}: {statistic} {counts:?}");
        // Independence: after a window of the largest node (40 %, so about 8,000 of them) the next
        // leader has the same distribution; 27.86 again.
        let mut after = [0; 7];
        let pairs = drawn.windows(2).filter(|pair| pair[0] == 0);
        pairs.for_each(|pair| after[pair[1] as usize] += 1);
        let statistic = chi_square(&after, after.iter().sum());
        assert!(statistic < 27.86, "{kind:?}: {statistic} {after:?}");
    }
}

#[test]
fn turns_and_lists_are_repeated() {
    let config = Config { kind: Kind::RoundRobin, window: Some(2), ..Config::default() };
    let mut turns = schedule(config, &[5, 0, 1, 9]);
    assert_eq!(leaders(&mut turns, 0, 1, 8), [0, 0, 2, 2, 3, 3, 0, 0]);
    let mut given = list(None, &[Some(2), None, Some(1)]);
    assert_eq!(leaders(&mut given, 0, 1, 7), [2, u32::MAX, 1, 2, u32::MAX, 1, 2]);
    // 4,294,967,295 = 3 * 1,431,655,765: the last slot of all is at the start of the list.
    assert_eq!(given.leader(Slot::new(u32::MAX)), Some(NodeId::new(2)));
    assert_eq!(list(None, &[]).leader(Slot::ZERO), None);
    for kind in [Kind::Poh, Kind::Epoch, Kind::RoundRobin] {
        let mut nobody = schedule(Config { kind, ..Config::default() }, &[0, 0]);
        assert_eq!(nobody.leader(Slot::new(5)), None, "{kind:?}");
        assert_eq!(nobody.next_window(NodeId::new(0), Slot::ZERO, 50), None);
    }
}

#[test]
fn the_next_window_is_the_one_that_a_plain_search_finds() {
    let cases = [
        Config { slots_per_epoch: 10, ..Config::default() },
        Config { kind: Kind::Poh, hashes_per_slot: 1, ..Config::default() },
        Config { kind: Kind::RoundRobin, window: Some(3), ..Config::default() },
    ];
    for config in cases {
        let mut asked = schedule(config, &STAKES);
        let truth = leaders(&mut schedule(config, &STAKES), 0, 1, 400);
        // Forward, with repetitions, and back again.
        let starts = (0..150).chain((0..150).step_by(7)).chain((0..150).rev());
        for (me, from) in starts.flat_map(|from| (0..12).map(move |me| (me, from))) {
            for horizon in [1, 3, 40, 200] {
                let mine = |slot: &u32| truth[*slot as usize] == me;
                let first = (from..from + horizon).find(mine);
                let expected = first.map(|first| {
                    let end = (first + 1..first + horizon).find(|slot| !mine(slot));
                    (Slot::new(first), Slot::new(end.unwrap_or(first + horizon) - 1))
                });
                let found = asked.next_window(NodeId::new(me), Slot::new(from), horizon);
                assert_eq!(found, expected, "{config:?} {me} {from} {horizon}");
            }
        }
    }
}

#[test]
fn searches_end_at_the_last_of_all_slots() {
    let mut given = list(Some(4), &[Some(0), Some(1)]);
    let (zero, one) = (NodeId::new(0), NodeId::new(1));
    let end = Slot::new(u32::MAX);
    // 2^32 slots are a multiple of 8: the last four belong to node 1.
    assert_eq!(given.next_window(one, end.minus(5), 100), Some((end.minus(3), end)));
    assert_eq!(given.next_window(zero, end.minus(3), 100), None);
    assert_eq!(given.next_window(one, end, 1), Some((end, end)));
    let mut epochs = schedule(Config::default(), &[1, 1]);
    let found = [zero, one].map(|me| epochs.next_window(me, end, 1).is_some());
    assert_eq!(found.iter().filter(|leads| **leads).count(), 1);
}

#[test]
fn what_cannot_work_is_refused() {
    let refused = |config: Config| config.check().expect_err("refused").field;
    let fine = Config::default();
    assert_eq!(refused(Config { window: Some(0), ..fine }), "window");
    assert_eq!(refused(Config { slots_per_epoch: 0, ..fine }), "slots_per_epoch");
    assert_eq!(refused(Config { hashes_per_slot: 0, ..fine }), "hashes_per_slot");
    assert_eq!(refused(Config { hashes_per_slot: 1_000_001, ..fine }), "hashes_per_slot");
    assert_eq!(fine.check(), Ok(()));
    let windows = [Kind::Poh, Kind::Epoch, Kind::RoundRobin, Kind::List]
        .map(|kind| Config { kind, ..fine }.window());
    assert_eq!(windows, [1, 4, 4, 1]);
}
