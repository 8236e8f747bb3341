//! Transactions from the client to the chain: how they reach leaders, where each of them ends, and
//! that no money is made or lost on the way.

mod addresses;
mod ends;

use headwater::metrics::table::Cell;
use headwater::metrics::{MESSAGES, TRANSACTIONS, TransactionsSummary};

use crate::support::{Ran, plan_with, ran_plan};

/// A row of `transactions.csv`.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Row {
    transaction: u64,
    node: u64,
    to_leader: Option<u64>,
    to_block: Option<u64>,
    state: String,
    reason: String,
    forwards: u64,
}

fn rows(ran: &Ran) -> Vec<Row> {
    let integer = |cell: &Cell<'static>| match cell {
        Cell::Integer(value) => Some(*value),
        _ => None,
    };
    let place = |column| TRANSACTIONS.position(column).expect("a column");
    let row = |row: &Vec<Cell<'static>>| Row {
        transaction: integer(&row[place("transaction")]).expect("a number"),
        node: integer(&row[place("node")]).expect("a node"),
        to_leader: integer(&row[place("to_leader_ns")]),
        to_block: integer(&row[place("to_block_ns")]),
        state: row[place("state")].to_string(),
        reason: row[place("reason")].to_string(),
        forwards: integer(&row[place("forwards")]).expect("a count"),
    };
    ran.0.sink.rows(&TRANSACTIONS).iter().map(row).collect()
}

fn of(ran: &Ran) -> TransactionsSummary {
    ran.0.summary.transactions.expect("a run with transactions")
}

const MS: u64 = 1_000_000;

/// Six nodes with equal stakes and a latency of 10 ms lead in turn, a slot of 1 s each: slot k,
/// which begins at k seconds, is that of node k mod 6.
const SIX: &str = r#"
duration = "20s"
[nodes]
count = 6
[network]
latency = "10ms"
[slots]
duration = "1s"
schedule = "list"
leaders = [0, 1, 2, 3, 4, 5]
[blocks]
content = "transactions"
[turbine]
tree = "star"
[forward]
lookahead = 1
hold = 0
"#;

fn six(transactions: &str, sets: &[&str]) -> Ran {
    ran_plan(&plan_with(&format!("{SIX}{transactions}"), sets))
}

#[test]
fn a_transaction_sent_to_the_right_leader_is_in_the_first_block_that_leader_makes() {
    // One comes in at node 0 every 650 ms from 2.2 s on; the last is in a block by 13 s.
    let ran = six(
        "[[transactions]]\nat = \"2200ms\"\nevery = \"650ms\"\ncount = 17\n",
        &["forward.retry=0s"],
    );
    let rows = rows(&ran);
    assert_eq!(rows.len(), 17);
    for (row, at) in rows.iter().zip((0..).map(|i| (2_200 + 650 * i) * MS)) {
        let next = (at / (1_000 * MS) + 1) * 1_000 * MS;
        // The next slot is node 0's own in the sixth second of every six.
        let own = (next / (1_000 * MS)).is_multiple_of(6);
        let (to_leader, forwards) = if own { (0, 0) } else { (10 * MS, 1) };
        assert_eq!(row.state, "included");
        assert_eq!((row.to_leader, row.to_block), (Some(to_leader), Some(next - at)), "{row:?}");
        assert_eq!(row.forwards, forwards, "{row:?}");
    }
    let summary = of(&ran);
    assert_eq!((summary.prediction_hit_ppm, summary.strangers), (Some(1_000_000), 0));
    assert_eq!((summary.included, summary.duplicates), (17, 0));
}

#[test]
fn a_node_that_is_about_to_lead_keeps_what_it_has() {
    // Node 3 leads slot 3, 0.5 s later; with a look of 3 slots nodes 4 and 5 would be told too.
    let stream = "[[transactions]]\nat = \"2500ms\"\nnode = 3\n";
    let forwards = |hold: &str| {
        let ran = six(stream, &["forward.lookahead=3", hold]);
        let row = rows(&ran).remove(0);
        assert_eq!((row.state.as_str(), row.to_block), ("included", Some(500 * MS)));
        row.forwards
    };
    assert_eq!(forwards("forward.hold=1"), 0);
    assert_eq!(forwards("forward.hold=0"), 2, "to nodes 4 and 5");
}

#[test]
fn what_no_leader_has_room_for_goes_to_the_next_one_when_it_is_sent_again() {
    // Thirty at once, ten to a block, sent again every 900 ms: in three blocks.
    let ran = six(
        "[[transactions]]\nat = \"2500ms\"\nburst = 30\n",
        &["forward.retry=900ms", "ledger.accounts=100"],
    );
    let mut times: Vec<u64> = rows(&ran).iter().filter_map(|row| row.to_block).collect();
    times.sort_unstable();
    let expected = [500, 1_500, 2_500].map(|ms| [ms * MS; 10]);
    assert_eq!(times, expected.concat());
}

#[test]
fn an_unknown_leader_is_found_by_asking_somebody_else() {
    // In a ring, node 0 knows nodes 1 and 5 only. Slot 4 is node 4's: whichever of the two gets the
    // transaction in its place, node 5 knows node 4, and node 1 does not.
    let overlay = "topology.kind=ring";
    let stream = "[[transactions]]\nat = \"3500ms\"\ncount = 1\n";
    let relayed = six(stream, &[overlay, "turbine.tree=kary", "forward.retry=0s"]);
    let summary = of(&relayed);
    assert!(summary.strangers >= 1, "{summary:?}");
    let alone =
        six(stream, &[overlay, "turbine.tree=kary", "forward.retry=0s", "forward.relay=false"]);
    assert_eq!((of(&alone).strangers, of(&alone).forwards), (1, 1));
    assert!(rows(&alone)[0].to_leader.is_none(), "nobody passed it on");
    assert!(of(&relayed).forwards > of(&alone).forwards);
}

#[test]
fn flooding_costs_more_messages_than_sending_to_leaders() {
    let stream = "[[transactions]]\nat = \"1s\"\nper_second = 4.0\nnode = \"all\"\n";
    let sent = |mode: &str| {
        let ran = six(stream, &[mode, "ledger.accounts=100"]);
        let sent = ran.lookup(&MESSAGES, "kind", "transaction", "sent").unwrap_or(0);
        let summary = of(&ran);
        assert_eq!(summary.forwards, sent, "{mode}");
        (summary, sent)
    };
    let (leaders, to_leaders) = sent("forward.mode=leaders");
    let (gossip, to_all) = sent("forward.mode=gossip");
    let (random, to_random) = sent("forward.mode=random");
    let (off, to_none) = sent("forward.mode=off");
    // Each goes to one leader, unless its own node leads next, once or (after 2 s) twice; or from
    // one node to five, and from these to four each.
    assert!(to_leaders <= 2 * leaders.submitted && to_none == 0);
    assert!(to_all >= 25 * gossip.submitted, "{to_all}");
    assert!((2 * random.submitted..to_all).contains(&to_random), "{to_random}");
    // A leader that waits for its turn, six slots at most, has it in the end.
    assert!(off.to_block.mean_ns > leaders.to_block.mean_ns);
}

#[test]
fn a_transaction_expires_after_so_many_blocks() {
    // Accepted on block 2 (slot 2), kept at an observer; the block after the third from there is
    // the one of slot 6, when it is dropped there: 3.6 s later, but for 10 ms of latency.
    let ran = six(
        "[[transactions]]\nat = \"2400ms\"\nnode = 6\n",
        &["nodes.count=7", "nodes.observers=1", "ledger.expiry_blocks=3", "forward.mode=off"],
    );
    assert_eq!((rows(&ran)[0].state.as_str(), of(&ran).expired), ("expired", 1));
    for (blocks, included) in [(3, 0), (4, 1)] {
        // Slots 3 to 6 are those of nodes 3, 4, 5 and 0, where it waits; height 6 is the fourth.
        let key = format!("ledger.expiry_blocks={blocks}");
        let ran = six("[[transactions]]\nat = \"2400ms\"\n", &[&key, "forward.mode=off"]);
        assert_eq!(of(&ran).included, included, "{blocks}");
        assert_eq!(of(&ran).expired, 1 - included, "{blocks}");
    }
}

#[test]
fn what_the_ledger_refuses_is_counted_by_reason_and_repetitions_change_nothing() {
    let ran = six(
        "[[transactions]]\nat = \"2s\"\nforged = \"100%\"\ncount = 3\n\
         [[transactions]]\nat = \"2s\"\noverspent = \"100%\"\ncount = 2\n\
         [[transactions]]\nat = \"3s\"\nsender = 1\nreceiver = 2\namount = 60\nnode = 4\n\
         [[transactions]]\nat = \"8s\"\nsender = 1\nreceiver = 2\namount = 60\n\
         [[transactions]]\nat = \"3s\"\nevery = \"100ms\"\ncount = 5\nnode = 4\n\
         repeated = \"100%\"\n",
        &["forward.lookahead=2"],
    );
    let summary = of(&ran);
    assert_eq!((summary.refused.bad_signature, summary.refused.short_balance), (3, 3));
    // At once with the first of them, and 100 to 400 ms later: in the mempool, then in the ledger.
    assert_eq!((summary.included, summary.duplicates), (1, 5));
    assert_eq!((summary.submitted, summary.conserved), (7, true));
    assert_eq!(rows(&ran).iter().filter(|row| row.reason == "short_balance").count(), 3);
}

#[test]
fn lost_transactions_are_sent_again_until_they_arrive() {
    // An observer is mute until 7 s; at 7.1 s it sends to the leader of slot 8.
    let stream = "[[faults]]\nkind = \"mute\"\nnodes = 6\nat = \"2s\"\nfor = \"5s\"\n\
                  [[transactions]]\nat = \"2500ms\"\nnode = 6\n";
    let ends = |retry: &str| {
        let ran = six(stream, &["nodes.count=7", "nodes.observers=1", retry]);
        let row = rows(&ran).remove(0);
        (row.state, row.to_block)
    };
    assert_eq!(ends("forward.retry=4600ms"), ("included".into(), Some(5_500 * MS)));
    assert_eq!(ends("forward.retry=0s"), ("waiting".into(), None));
}

#[test]
fn a_transaction_of_an_abandoned_block_gets_into_the_chain_in_another_one() {
    // Node 0 is mute from 2 s to 7 s, so its block of slot 6 with the transaction in it goes
    // nowhere. It leaves that one for the block of slot 8, which stands on slots 5 and 7, and puts
    // the transaction into the block of its next slot, 12.
    let stream = "[[faults]]\nkind = \"mute\"\nnodes = 0\nat = \"2s\"\nfor = \"5s\"\n\
                  [[transactions]]\nat = \"2500ms\"\n";
    let row = rows(&six(stream, &["forward.retry=0s"])).remove(0);
    assert_eq!((row.state.as_str(), row.to_block), ("included", Some(9_500 * MS)));
    // If the run ends while node 0 is on its fork, the transaction is in an abandoned block only.
    let row = rows(&six(stream, &["forward.retry=0s", "duration=7500ms"])).remove(0);
    assert_eq!((row.state.as_str(), row.to_block), ("orphaned", None));
}

#[test]
fn prediction_is_as_good_as_what_gossip_has_told() {
    // Sixteen nodes that learn of each other by and by, while leaders are drawn from what each
    // knows.
    let world = |connect: &str| {
        let text = format!(
            "duration = \"60s\"\n[nodes]\ncount = 16\n{connect}\n\
             [topology]\nkind = \"complete\"\n[network]\nlatency = \"10ms\"\n\
             [gossip]\nstyle = \"push\"\ninterval = \"2s\"\nfanout = 1\n\
             [slots]\nduration = \"1s\"\nschedule = \"poh\"\nregistry = \"gossip\"\n\
             [blocks]\ncontent = \"transactions\"\n[turbine]\ntree = \"star\"\n\
             [[transactions]]\nat = \"3s\"\nevery = \"500ms\"\ncount = 80\nnode = 1\n"
        );
        of(&ran_plan(&plan_with(&text, &["ledger.accounts=100"])))
    };
    let settled = world("");
    // Push with fan-out 1 among 16 takes some 8 rounds; most predictions come later.
    let late = world("stagger = \"3s\"");
    let (settled, late) = (settled.prediction_hit_ppm, late.prediction_hit_ppm);
    assert!(late < settled, "{late:?} {settled:?}");
    assert!(settled > Some(600_000), "{settled:?}");
}

#[test]
fn keys_and_proofs_real_or_modelled_come_to_the_same() {
    let stream =
        "[[transactions]]\nat = \"1s\"\nper_second = 5.0\nnode = \"all\"\nforged = \"20%\"\n";
    let of_suite = |suite: &str| six(stream, &[suite, "duration=9s"]).0;
    let (real, modelled) = (of_suite("crypto=real"), of_suite("crypto=modelled"));
    assert_eq!(real.digest, modelled.digest);
    assert_eq!(real.summary, modelled.summary);
    assert_eq!(real.sink.rows(&TRANSACTIONS), modelled.sink.rows(&TRANSACTIONS));
    assert!(modelled.summary.transactions.is_some_and(|all| all.refused.bad_signature > 0));
}

#[test]
fn work_on_transactions_and_blocks_takes_time() {
    // One transaction waits at the leader of slot 3 itself, in a block of one set: to execute it,
    // hash 276 B and sign once are 5 + 276 / 1,000 * 10 + 3 us on top of the 10 ms of latency. Node
    // 4 then stores its shred and checks it before it has the block.
    let stream = "[[transactions]]\nat = \"2500ms\"\nnode = 3\n";
    let whole = |sets: &[&str]| {
        let ran = six(stream, &[&["forward.retry=0s", "duration=3500ms"], sets].concat());
        ran.0.summary.blocks.expect("blocks").to.nodes(100).max_ns.expect("all nodes")
    };
    let free = whole(&[]);
    let priced = whole(&["cost.execute=5us", "cost.hash_kilobyte=10us", "cost.sign=3us"]);
    assert_eq!((free, priced - free), (10 * MS, 5_000 + 2_760 + 3_000));
}
