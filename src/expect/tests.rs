//! Expectation layer, tests only: every kind holds and breaks on purpose, on small records made by
//! hand.

use serde_json::{Value, json};

use super::across::SweepRun;
use super::setting::ExpectConfig;
use super::*;
use crate::metrics::table::MemorySink;
use crate::metrics::{FAULTS, NODE_TIMELINE, NODES, TIMELINE, TRANSACTIONS};

/// A row of which only some cells are filled.
fn row(sink: &mut MemorySink, table: &'static TableSpec, cells: &[(&str, Cell<'static>)]) {
    let cell = |column: &Column| {
        let named = cells.iter().find(|(name, _)| *name == column.name);
        named.map_or(Cell::Empty, |(_, cell)| cell.clone())
    };
    assert!(cells.iter().all(|(name, _)| table.position(name).is_some()), "{cells:?}");
    sink.row(table, &table.columns.iter().map(cell).collect::<Vec<_>>());
}

const SECOND: u64 = 1_000_000_000;

/// Four nodes with stakes 10, 20, 30, 40 that were first heard after 1, 2, 3 s and never; a sample
/// every second up to 10 s in which node n knows n more validators each second; one partition from
/// 4 to 6 s.
fn tables() -> MemorySink {
    let mut sink = MemorySink::new();
    for node in 0..4_u64 {
        let heard = if node < 3 { Cell::from((node + 1) * SECOND) } else { Cell::Empty };
        let cells = [
            ("node", node.into()),
            ("stake", (10 * (node + 1)).into()),
            ("region", if node < 2 { "east" } else { "west" }.into()),
            ("first_heard_ns", heard),
            ("sent", (node * 100).into()),
        ];
        row(&mut sink, &NODES, &cells);
    }
    for second in 0..=10_u64 {
        let time = ("time_ns", Cell::from(second * SECOND));
        // Two nodes are down during the partition.
        let up = if (4..6).contains(&second) { 2_u64 } else { 4 };
        row(&mut sink, &TIMELINE, &[time.clone(), ("up", up.into())]);
        for node in 0..4_u64 {
            let known = Cell::from(node * second);
            let cells = [time.clone(), ("node", node.into()), ("validators", known)];
            row(&mut sink, &NODE_TIMELINE, &cells);
        }
    }
    let fault = [
        ("fault", 0_u64.into()),
        ("kind", "partition".into()),
        ("begin_ns", (4 * SECOND).into()),
        ("end_ns", (6 * SECOND).into()),
    ];
    row(&mut sink, &FAULTS, &fault);
    for (number, state) in ["included", "included", "expired"].into_iter().enumerate() {
        let cells = [("transaction", Cell::from(number)), ("state", state.into())];
        row(&mut sink, &TRANSACTIONS, &cells);
    }
    sink
}

fn summary() -> Value {
    json!({
        "end_ns": 10 * SECOND,
        "messages": {"sent": 300, "dropped": 7},
        "sent": {"rumor": 300},
        "dropped": {"loss": 7, "partition": 0},
        "latency": {"p99_ns": 80_000_000, "max_ns": null},
        "conservation": {"holds": true},
        "registry": null,
        "rumors": {"injected": 3, "missed": 0, "coverage_mean_ppm": null},
        "faults": {"missed": []},
    })
}

/// The expectations of a scenario text.
fn expectations(toml: &str) -> Vec<Expectation> {
    #[derive(serde::Deserialize)]
    struct Text {
        expect: Vec<ExpectConfig>,
    }
    let text: Text = toml::from_str(toml).expect("a list of expectations");
    let resolve = |(place, config)| Expectation::resolve(place, config).expect("resolved");
    text.expect.iter().enumerate().map(resolve).collect()
}

fn judged_on(keys: &str, summary: &Value, sink: &MemorySink) -> Judged {
    let asked = expectations(&format!("[[expect]]\n{keys}"));
    let verdict = judge(&asked, &Record { summary, tables: sink }).expect("memory can be read");
    verdict.judged[0].clone()
}

/// How one expectation is judged on that record, and what was found.
fn found(keys: &str) -> (Ruling, String) {
    let judged = judged_on(keys, &summary(), &tables());
    (judged.ruling, judged.found)
}

fn check(kind: &str, cases: &[(&str, Ruling, &str)]) {
    for (keys, ruling, words) in cases {
        let keys = format!("kind = \"{kind}\"\n{keys}");
        assert_eq!(found(&keys), (*ruling, (*words).to_owned()), "{keys}");
    }
}

use Ruling::{Broken, Held, Unexercised};

#[test]
fn a_bound_on_a_number_of_the_summary() {
    check(
        "bound",
        &[
            ("metric = \"messages.dropped\"\nat_most = 7", Held, "7"),
            ("metric = \"messages.dropped\"\nbelow = 7", Broken, "7"),
            ("metric = \"latency.p99_ns\"\nat_most = \"80ms\"", Held, "80ms"),
            ("metric = \"latency.p99_ns\"\nat_most = \"79999us\"", Broken, "80ms"),
            ("metric = \"sent.ping\"\nequals = 0", Held, "0"),
            ("metric = \"conservation.holds\"\nequals = true", Held, "true"),
            // 7 of 300 are 2.33 %.
            (
                "metric = \"messages.dropped\"\nper = \"messages.sent\"\nat_most = \"2.4%\"",
                Held,
                "2.333333333%",
            ),
            (
                "metric = \"messages.dropped\"\nper = \"messages.sent\"\nat_most = \"2.3%\"",
                Broken,
                "2.333333333%",
            ),
            // Nothing to divide by, nothing in this run, no value, and a time that never came.
            (
                "metric = \"messages.sent\"\nper = \"sent.ping\"\nat_most = \"2%\"",
                Unexercised,
                "nothing to divide by",
            ),
            (
                "metric = \"registry.converged_ns\"\nat_most = \"1s\"",
                Unexercised,
                "no such thing in this run",
            ),
            ("metric = \"rumors.coverage_mean_ppm\"\nat_least = \"50%\"", Unexercised, "no value"),
            ("metric = \"latency.max_ns\"\nat_most = \"1s\"", Broken, "never"),
        ],
    );
}

#[test]
fn a_bound_on_a_statistic_of_rows() {
    let heard = |rest: &str| format!("metric = \"nodes.first_heard_ns\"\n{rest}");
    let cases = [
        (heard("statistic = \"min\"\nat_most = \"1s\""), Held, "1s"),
        // Node 3 never heard anything: later than every bound.
        (heard("statistic = \"max\"\nat_most = \"1h\""), Broken, "never"),
        (heard("statistic = \"p75\"\nat_most = \"3s\""), Held, "3s"),
        (heard("statistic = \"p76\"\nat_most = \"3s\""), Broken, "never"),
        (heard("statistic = \"max\"\nempty = \"skip\"\nat_most = \"3s\""), Held, "3s"),
        (heard("statistic = \"count\"\nat_least = 3"), Held, "3"),
        (
            heard("statistic = \"mean\"\nwhere = { region = \"east\" }\nequals = \"1.5s\""),
            Held,
            "1.5s",
        ),
        (
            heard("statistic = \"mean\"\nwhere = { region = \"south\" }\nequals = \"1s\""),
            Unexercised,
            "no rows",
        ),
        (heard("statistic = \"max\"\nwhere = { node = 2 }\nequals = \"3s\""), Held, "3s"),
    ];
    for (keys, ruling, words) in &cases {
        check("bound", &[(keys, *ruling, *words)]);
    }
    let up = |rest: &str| format!("metric = \"timeline.up\"\nstatistic = \"min\"\n{rest}");
    for (keys, ruling, words) in [
        (up("at_least = 4"), Broken, "2"),
        (up("until = \"3s\"\nat_least = 4"), Held, "4"),
        // Both ends of a window belong to it.
        (up("until = \"4s\"\nat_least = 4"), Broken, "2"),
        (up("from = \"6s\"\nat_least = 4"), Held, "4"),
    ] {
        check("bound", &[(&keys, ruling, words)]);
    }
    let expired =
        "metric = \"transactions.state\"\nstatistic = \"count\"\nwhere = { state = \"expired\" }\n";
    check("bound", &[(&format!("{expired}equals = 1"), Held, "1")]);
    check("bound", &[(&format!("{expired}equals = 0"), Broken, "1")]);
}

#[test]
fn a_bound_for_a_share_of_rows_nodes_or_stake() {
    let heard = |rest: &str| format!("metric = \"nodes.first_heard_ns\"\nat_most = \"2s\"\n{rest}");
    for (keys, ruling, words) in [
        (heard("share = \"50%\""), Held, "50%"),
        (heard("share = \"51%\"\nof = \"nodes\""), Broken, "50%"),
        // Nodes 0 and 1 have 30 of 100.
        (heard("share = \"30%\"\nof = \"stake\""), Held, "30%"),
        (heard("share = \"30.1%\"\nof = \"stake\""), Broken, "30%"),
        // Of those that heard something, two in three.
        (heard("share = \"66%\"\nempty = \"skip\""), Held, "66.666666666%"),
    ] {
        check("bound", &[(&keys, ruling, words)]);
    }
    // A node counts if all its rows are within: node 3 knows 15 after 5 s, node 2 just 10.
    let known =
        "metric = \"node_timeline.validators\"\nfrom = \"5s\"\nat_least = 10\nof = \"nodes\"\n";
    check("bound", &[(&format!("{known}share = \"50%\""), Held, "50%")]);
    check("bound", &[(&format!("{known}share = \"60%\""), Broken, "50%")]);
    let state = "metric = \"transactions.state\"\nequals = \"included\"\n";
    check("bound", &[(&format!("{state}share = \"66%\""), Held, "66.666666666%")]);
    check("bound", &[(&format!("{state}share = \"67%\""), Broken, "66.666666666%")]);
}

#[test]
fn something_comes_true_in_time() {
    let up = |rest: &str| format!("metric = \"timeline.up\"\n{rest}");
    for (keys, ruling, words) in [
        (up("equals = 2\nwithin = \"4s\""), Held, "4s"),
        (up("equals = 2\nwithin = \"3s\""), Broken, "not (last 4)"),
        (up("equals = 4\nafter = \"heal\"\nwithin = \"1s\""), Held, "0ns after 6s"),
        (up("equals = 2\nafter = \"heal\"\nwithin = \"1s\""), Broken, "not after 6s (last 4)"),
        (up("equals = 2\nafter = \"faults\"\nwithin = \"2s\""), Broken, "not after 6s (last 4)"),
        (up("equals = 4\nafter = \"4500ms\"\nwithin = \"2s\""), Held, "1.5s after 4.5s"),
        // What may still come after the end of the run is neither true nor false.
        (
            up("equals = 5\nwithin = \"11s\""),
            Unexercised,
            "not by the end of the run at 10s (last 4)",
        ),
    ] {
        check("eventually", &[(&keys, ruling, words)]);
    }
    let known = |rest: &str| format!("metric = \"node_timeline.validators\"\nat_least = 6\n{rest}");
    for (keys, ruling, words) in [
        // Node n knows n more each second: node 3 six of them after 2 s, node 2 after 3, node 1
        // after 6, node 0 never.
        (known("within = \"2s\""), Held, "2s"),
        (known("share = \"50%\"\nof = \"nodes\"\nwithin = \"3s\""), Held, "3s"),
        (known("share = \"75%\"\nof = \"nodes\"\nwithin = \"5s\""), Broken, "not (last 50%)"),
        (known("share = \"90%\"\nof = \"stake\"\nwithin = \"6s\""), Held, "6s"),
        (known("share = \"91%\"\nof = \"stake\"\nwithin = \"9s\""), Broken, "not (last 90%)"),
    ] {
        check("eventually", &[(&keys, ruling, words)]);
    }
    let mut sink = tables();
    let fault = [("fault", 1_u64.into()), ("kind", "crash".into()), ("begin_ns", SECOND.into())];
    row(&mut sink, &FAULTS, &fault);
    let keys = "kind = \"eventually\"\nmetric = \"timeline.up\"\nequals = 4\nwithin = \"1s\"\n\
                after = \"faults\"";
    let judged = judged_on(keys, &summary(), &sink);
    assert_eq!(judged.ruling, Unexercised, "the second fault never ends");
}

#[test]
fn every_row_or_an_invariant() {
    check(
        "always",
        &[
            ("metric = \"timeline.up\"\nat_least = 2", Held, "11 rows"),
            ("metric = \"timeline.up\"\nabove = 2", Broken, "2 at 4s, 2 of 11 rows"),
            ("metric = \"timeline.up\"\nabove = 2\nfrom = \"6s\"", Held, "5 rows"),
            ("metric = \"timeline.up\"\nabove = 2\nfrom = \"11s\"", Unexercised, "no rows"),
            ("metric = \"nodes.sent\"\nat_most = 200", Broken, "300 in row 4, 1 of 4 rows"),
            (
                "metric = \"nodes.first_heard_ns\"\nat_most = \"9s\"",
                Broken,
                "never in row 4, 1 of 4 rows",
            ),
            ("invariant = \"conservation\"", Held, "it holds"),
        ],
    );
    let mut broken = summary();
    broken["conservation"]["holds"] = false.into();
    let judged = judged_on("kind = \"always\"\ninvariant = \"conservation\"", &broken, &tables());
    assert_eq!((judged.ruling, judged.breach), (Broken, Outcome::Failed));
}

#[test]
fn something_happens_at_least_once() {
    check(
        "sometimes",
        &[
            ("metric = \"dropped.loss\"", Held, "7"),
            ("metric = \"dropped.partition\"", Broken, "0"),
            ("metric = \"registry.converged_ns\"", Broken, "no such thing in this run"),
            ("metric = \"timeline.up\"\nequals = 2", Held, "2 of 11 rows"),
            ("metric = \"timeline.up\"\nequals = 3", Broken, "0 of 11 rows"),
            ("metric = \"nodes.sent\"\nwhere = { node = 0 }", Broken, "0 of 1 rows"),
            ("metric = \"transactions.state\"\nequals = \"expired\"", Held, "1 of 3 rows"),
        ],
    );
}

/// The verdict on expectations, the record as above.
fn verdict(toml: &str) -> Verdict {
    let (summary, tables) = (summary(), tables());
    judge(&expectations(toml), &Record { summary: &summary, tables: &tables }).expect("read")
}

#[test]
fn the_verdict_is_the_gravest_of_what_broke() {
    let expect = |kind: &str, rest: &str| format!("[[expect]]\nkind = \"{kind}\"\n{rest}\n");
    let good = expect("bound", "metric = \"messages.sent\"\nequals = 300");
    let failed = expect("bound", "metric = \"messages.sent\"\nequals = 301");
    let late = expect("eventually", "metric = \"timeline.up\"\nequals = 5\nwithin = \"1s\"");
    let vacuous = expect("sometimes", "metric = \"dropped.partition\"");
    let nothing = expect("bound", "metric = \"registry.agreement_ppm\"\nat_least = \"1%\"");
    let apart = expect("always", "metric = \"timeline.up\"\nequals = 4\nverdict = \"diverged\"");
    for (text, outcome) in [
        (good.clone(), Outcome::Pass),
        (good.clone() + &vacuous, Outcome::Invalid),
        (good.clone() + &nothing, Outcome::Invalid),
        (vacuous.clone() + &failed, Outcome::Failed),
        (failed.clone() + &late, Outcome::NoProgress),
        (late + &apart + &vacuous, Outcome::Diverged),
    ] {
        assert_eq!(verdict(&text).outcome, outcome, "{text}");
    }
    let text = verdict(&(vacuous + &failed)).to_string();
    let expected = "failed: expect[1] (messages.sent): expected exactly 301, found 300; expect[0] \
                    (dropped.partition above 0): expected above 0, found 0";
    assert_eq!(text, expected);
    let mut stopped = summary();
    stopped[STOPPED] = "too much".into();
    let tables = tables();
    let record = Record { summary: &stopped, tables: &tables };
    let verdict = judge(&expectations(&failed), &record).expect("read");
    assert_eq!(
        (verdict.outcome, verdict.to_string()),
        (Outcome::Stopped, "stopped: too much".into())
    );
}

/// Runs of a sweep over a fan-out and a style, two seeds each; `value` gives the metric.
fn sweep(value: impl Fn(i128, &str, i128) -> Option<i128>) -> Vec<SweepRun> {
    let mut runs = Vec::new();
    for fanout in [10, 2, 4] {
        for style in ["push", "pull"] {
            for seed in [1, 2] {
                let metric = value(fanout, style, seed);
                let metrics = metric.map(|value| ("messages.sent".to_owned(), value));
                let axes = [("gossip.fanout", fanout.to_string()), ("gossip.style", style.into())];
                runs.push(SweepRun {
                    axes: axes.map(|(axis, value)| (axis.to_owned(), value)).into(),
                    metrics: metrics.into_iter().collect(),
                });
            }
        }
    }
    runs
}

fn across(keys: &str, runs: &[SweepRun]) -> (Ruling, String) {
    let keys = format!("[[expect]]\nkind = \"across\"\nmetric = \"messages.sent\"\n{keys}");
    let judged = across::judge(&expectations(&keys), runs);
    (judged[0].ruling, judged[0].found.clone())
}

#[test]
fn a_trend_along_an_axis_of_a_sweep() {
    let rising = sweep(|fanout, _, seed| Some(fanout * 10 + seed));
    let along =
        |rest: &str, runs: &[SweepRun]| across(&format!("axis = \"gossip.fanout\"\n{rest}"), runs);
    // Values of the axis are ordered as numbers, not as texts: 2, 4, 10.
    assert_eq!(along("trend = \"rising\"", &rising), (Held, "4 steps".into()));
    let found = along("trend = \"never-rising\"", &rising);
    let words = "21, then 41 (gossip.fanout 2 to 4 at (gossip.style = push))";
    assert_eq!(found, (Broken, words.into()));
    let flat = sweep(|_, _, _| Some(5));
    assert_eq!(along("trend = \"rising\"", &flat).0, Broken);
    assert_eq!(along("trend = \"never-falling\"", &flat).0, Held);
    // 100, 98, 98: two steps of a hundred against the trend.
    let nearly = sweep(|fanout, _, _| Some(if fanout == 2 { 100 } else { 98 }));
    assert_eq!(along("trend = \"never-falling\"", &nearly).0, Broken);
    assert_eq!(along("trend = \"never-falling\"\ntolerance = \"1%\"", &nearly).0, Broken);
    assert_eq!(along("trend = \"never-falling\"\ntolerance = \"3%\"", &nearly).0, Held);
    let one = along("trend = \"rising\"\nwhere = { \"gossip.style\" = \"pull\" }", &rising);
    assert_eq!(one, (Held, "2 steps".into()));
    let never = sweep(|fanout, _, _| (fanout != 4).then_some(fanout));
    assert_eq!(along("trend = \"rising\"", &never).0, Broken);
    let nowhere = across("axis = \"gossip.interval\"\ntrend = \"rising\"", &rising);
    assert_eq!(nowhere, (Unexercised, "no two points along gossip.interval".into()));
}

#[test]
fn along_an_axis_a_time_that_never_came_is_beyond_all_others() {
    let points = |times: [Option<i128>; 3]| -> Vec<SweepRun> {
        let point = |(loss, time): (&str, Option<i128>)| SweepRun {
            axes: [("network.loss".to_owned(), loss.to_owned())].into(),
            metrics: time
                .map(|time| ("registry.converged_ns".to_owned(), time))
                .into_iter()
                .collect(),
        };
        ["0%", "3%", "30%"].into_iter().zip(times).map(point).collect()
    };
    let judged = |trend: &str, times| {
        let keys = format!(
            "[[expect]]\nkind = \"across\"\nmetric = \"registry.converged_ns\"\n\
             axis = \"network.loss\"\ntrend = \"{trend}\""
        );
        let judged = across::judge(&expectations(&keys), &points(times));
        (judged[0].ruling, judged[0].found.clone())
    };
    let worse = [Some(5), Some(7), None];
    assert_eq!(judged("rising", worse), (Held, "2 steps".into()));
    let found = judged("never-rising", [Some(7), Some(7), None]);
    assert_eq!(found, (Broken, "7ns, then never (network.loss 3% to 30%)".into()));
    assert_eq!(judged("falling", [None, Some(7), Some(5)]).0, Held);
    assert_eq!(judged("rising", [Some(5), None, None]).0, Broken, "from never nothing rises");
    assert_eq!(judged("never-falling", [Some(5), None, None]).0, Held);
}

#[test]
fn one_choice_of_points_of_a_sweep_against_another() {
    // Pull takes half as many messages as push.
    let half = sweep(|fanout, style, _| Some(fanout * if style == "pull" { 50 } else { 100 }));
    let sides = "a = { \"gossip.style\" = \"pull\" }\nb = { \"gossip.style\" = \"push\" }\n";
    let against = |rest: &str| across(&format!("{sides}{rest}"), &half);
    assert_eq!(against("at_most = \"50%\""), (Held, "3 pairs of points".into()));
    assert_eq!(against("at_most = \"49.9%\""), (Broken, "500 and 1000".into()));
    assert_eq!(against("at_least = \"50%\"").0, Held);
    assert_eq!(against("at_least = \"51%\"").0, Broken);
    assert_eq!(against("within = \"50%\"").0, Held);
    assert_eq!(against("within = \"49%\"").0, Broken);
    let sides = "a = { \"gossip.style\" = \"flood\" }\nb = { \"gossip.style\" = \"push\" }\n";
    let found = across(&format!("{sides}at_most = \"50%\""), &half);
    assert_eq!(found, (Unexercised, "no such points".into()));
}

#[test]
fn expectations_across_a_sweep_are_not_judged_on_a_run() {
    let text = "[[expect]]\nkind = \"across\"\nmetric = \"messages.sent\"\n\
                axis = \"gossip.fanout\"\ntrend = \"rising\"";
    let verdict = verdict(text);
    assert_eq!((verdict.outcome, verdict.count(Ruling::Elsewhere)), (Outcome::Pass, 1));
}
