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
