//! Every transaction ends in exactly one state, and balances add up on every fork, whatever goes
//! wrong on the way.

use std::collections::BTreeSet;

use headwater::base::id::NodeId;
use headwater::fact::Deaf;
use headwater::metrics::table::MemorySink;
use headwater::protocol::Body;
use headwater::protocol::ledger::AccountId;
use headwater::run::build;

use super::{of, rows};
use crate::support::{plan_with, ran_plan};

/// Twelve nodes that lose messages, crash and are split, with mempools that overflow and
/// transactions that expire.
const TROUBLE: &str = r#"
duration = "40s"
[nodes]
count = 12
observers = 2
[topology]
kind = "k-out"
degree = 4
[network]
latency = { kind = "uniform", min = "5ms", max = "60ms" }
loss = "3%"
[gossip]
style = "push-pull"
interval = "500ms"
[slots]
duration = "500ms"
schedule = "poh"
[blocks]
content = "transactions"
max_transactions = 4
[turbine]
tree = "star"
[ledger]
accounts = 30
expiry_blocks = 12
[mempool]
transactions = 25
[forward]
lookahead = 3
retry = "1s"
[[transactions]]
at = "1s"
per_second = 12.0
node = "all"
amount = 7
forged = "3%"
overspent = "3%"
repeated = "5%"
choose = { kind = "zipf" }
[[transactions]]
at = "15s"
burst = 60
node = "observers"
[[faults]]
kind = "partition"
at = "10s"
for = "8s"
groups = ["0..5", "rest"]
[[faults]]
kind = "crash"
nodes = "3..7"
at = "14s"
for = "4s"
memory = "lost"
[[faults]]
kind = "churn"
nodes = "random:50%"
at = "20s"
until = "38s"
every = "3s"
downtime = "2s"
"#;

const MODES: [&str; 3] = ["leaders", "gossip", "random"];

#[test]
fn every_transaction_ends_in_exactly_one_state() {
    for (seed, mode) in (1..=6).zip(MODES.iter().cycle()) {
        let eviction = if seed % 2 == 0 { "oldest" } else { "newest" };
        let sets = [
            format!("seed={seed}"),
            format!("forward.mode={mode}"),
            format!("mempool.eviction={eviction}"),
        ];
        let plan = plan_with(TROUBLE, &sets.each_ref().map(String::as_str));
        let ran = ran_plan(&plan);
        let (summary, rows) = (of(&ran), rows(&ran));
        assert!(summary.conserved, "{sets:?}: {summary:?}");
        assert_eq!(rows.len() as u64, summary.submitted, "{sets:?}");
        let count = |state: &str| rows.iter().filter(|row| row.state == state).count() as u64;
        let (refused, dropped) = (summary.refused, summary.dropped);
        let expected = [
            ("included", summary.included),
            ("waiting", summary.waiting),
            ("expired", summary.expired),
            ("orphaned", summary.orphaned),
            ("refused", refused.bad_signature + refused.unknown_account + refused.short_balance),
            ("dropped", dropped.full + dropped.evicted + dropped.crashed),
            ("missed", summary.missed),
            ("unfollowed", summary.unfollowed),
        ];
        for (state, number) in expected {
            assert_eq!(count(state), number, "{sets:?}: {state}");
        }
        assert!(rows.windows(2).all(|pair| pair[0].transaction < pair[1].transaction));
        assert!(summary.included > 0 && refused.bad_signature > 0, "{sets:?}: {summary:?}");
        assert!(summary.expired > 0, "{sets:?}: {summary:?}");
    }
}

#[test]
fn waiting_is_what_waits_at_a_node_and_balances_add_up_on_every_fork() {
    for seed in 1..=3_usize {
        let (mode, seed) = (MODES[seed % MODES.len()], format!("seed={seed}"));
        let plan = plan_with(TROUBLE, &[&seed, &format!("forward.mode={mode}"), "duration=25s"]);
        let ended = ran_plan(&plan);
        let mut world = build(&plan, MemorySink::new(), Deaf);
        world.run_until(plan.end).expect("room");
        let (mut waiting, mut blocks) = (BTreeSet::new(), 0);
        for node in NodeId::all(plan.population.count()) {
            let parts = world.node(node).blocks().expect("blocks");
            let pool = parts.forward().pool().iter();
            waiting.extend(pool.map(|it| u64::from(it.id.serial())));
            let bodies = parts.leading().chain().canonical().filter_map(|link| link.body);
            for body in bodies {
                let Body::Block(block) = world.body(body) else { panic!("a block") };
                assert_eq!(block.bank.total(), 30 * 100, "{seed}, slot {}", block.slot);
                let all = (0..30).filter_map(|i| block.bank.balance(AccountId(i)));
                assert_eq!(all.sum::<u64>(), 3_000);
                blocks += 1;
            }
        }
        assert!(blocks > 100, "{blocks}");
        let rows = rows(&ended);
        let said = rows.iter().filter(|row| row.state == "waiting").map(|row| row.transaction);
        let included: BTreeSet<u64> =
            rows.iter().filter(|row| row.state == "included").map(|row| row.transaction).collect();
        let held: BTreeSet<u64> = waiting.difference(&included).copied().collect();
        assert_eq!(said.collect::<BTreeSet<u64>>(), held, "{seed}");
        assert!(!held.is_empty());
    }
}

/// Blocks of transactions sent in a star, to be completed by a stream of transactions.
const STAR: &str = r#"
duration = "10s"
[slots]
[blocks]
content = "transactions"
[turbine]
tree = "star"
"#;

#[test]
fn a_flood_of_more_than_mempools_hold_ends() {
    let storm = "[[transactions]]\nat = \"1s\"\nburst = 200\n";
    let plan = |mode: &str| {
        let sets = [
            "nodes.count=20",
            "network.latency={kind=\"uniform\",min=\"10ms\",max=\"80ms\"}",
            "forward.retry=0s",
            "mempool.transactions=40",
            "mempool.eviction=oldest",
            "ledger.accounts=100",
            mode,
        ];
        ran_plan(&plan_with(&format!("{STAR}{storm}"), &sets))
    };
    let flooded = of(&plan("forward.mode=gossip"));
    // Each of 20 nodes sends each of 200 transactions to the 19 others at most once, and each is
    // sent on at least by its origin.
    assert!((200 * 19..=200 * 20 * 19).contains(&flooded.forwards), "{flooded:?}");
    assert!(flooded.conserved && flooded.duplicates > 0, "{flooded:?}");
    assert_eq!(of(&plan("forward.mode=off")).forwards, 0);
}

#[test]
fn transactions_for_a_node_that_is_down_are_missed_and_no_rumors() {
    let stream = "[[transactions]]\nat = \"1050ms\"\ncount = 50\nevery = \"100ms\"\nnode = 1\n\
                  [[faults]]\nkind = \"crash\"\nnodes = 1\nat = \"2s\"\nfor = \"3s\"\n";
    let ran = ran_plan(&plan_with(&format!("{STAR}{stream}"), &["nodes.count=4"]));
    // From 2.05 s to 4.95 s there are thirty.
    let summary = of(&ran);
    assert_eq!((summary.submitted, summary.missed, summary.conserved), (50, 30, true));
    assert_eq!(ran.0.summary.rumors.missed, 0);
    let missed = rows(&ran).into_iter().filter(|row| row.state == "missed");
    assert!(missed.map(|row| row.transaction).eq(10..40));
}

#[test]
fn those_beyond_the_limit_are_said_to_be_no_longer_followed() {
    let burst = "[[transactions]]\nat = \"1s\"\nburst = 500\n";
    let sets = ["nodes.count=4", "limits.transactions=64"];
    let summary = of(&ran_plan(&plan_with(&format!("{STAR}{burst}"), &sets)));
    assert_eq!((summary.submitted, summary.unfollowed), (500, 500 - 64), "{summary:?}");
    assert!(summary.conserved && summary.waiting <= 64, "{summary:?}");
}

#[test]
fn where_there_is_nothing_to_repeat_a_new_one_comes_in() {
    let repeats = "[[transactions]]\nat = \"1s\"\ncount = 5\nevery = \"10ms\"\nnode = 2\n\
                   repeated = \"100%\"\n";
    let sets = ["nodes.count=4", "forward.mode=off"];
    let summary = of(&ran_plan(&plan_with(&format!("{STAR}{repeats}"), &sets)));
    // The first is new; the others are copies of it.
    assert_eq!((summary.submitted, summary.duplicates), (1, 4), "{summary:?}");
}
