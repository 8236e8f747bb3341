//! `headwater check`: its table, its exit codes, its reports, and results judged again.

use headwater::expect::invariant::INVARIANTS;
use quick_xml::Reader;
use quick_xml::events::Event;

use super::{Desk, json};

/// Four nodes, one rumor that takes 20 ms, and one expectation.
fn scenario(name: &str, expectation: &str) -> String {
    format!(
        "name = \"{name}\"\nduration = \"3s\"\nnodes.count = 4\nnetwork.latency = \"10ms\"\n\
         [[rumors]]\nat = \"1s\"\n{expectation}"
    )
}

const BOUND: &str = "[[expect]]\nname = \"all & <soon>\"\nkind = \"bound\"\nstatistic = \"max\"\n\
                     metric = \"rumors.to_100_nodes_ns\"\n";

#[test]
fn check_prints_a_line_per_scenario_and_why_it_failed() {
    let desk = Desk::new();
    std::fs::create_dir_all(desk.path("all/deeper")).expect("folders");
    desk.write("all/good.toml", &scenario("good", &format!("{BOUND}at_most = \"10ms\"\n")));
    desk.write("all/deeper/slow.toml", &scenario("slow", &format!("{BOUND}at_most = \"9ms\"\n")));
    desk.write("all/silent.toml", &scenario("silent", ""));
    let said = desk.call("check all");
    assert_eq!(said.code, 1, "{}", said.err);
    let lines: Vec<&str> = said.out.lines().collect();
    assert!(lines[0].starts_with("scenario "), "{}", said.out);
    let starts = ["all/deeper/slow.toml", "    failed: expect[0]", "    again: headwater run all"];
    for (line, start) in lines[1..].iter().zip(starts) {
        assert!(line.starts_with(start), "{line}");
    }
    assert!(lines[2].ends_with("(all & <soon>): expected at most 9ms, found 10ms"), "{}", lines[2]);
    assert!(lines[4].starts_with("all/good.toml") && lines[4].contains("pass"), "{}", said.out);
    assert!(lines[5].starts_with("all/silent.toml") && lines[5].contains("skipped"));
    assert_eq!(
        lines.last().copied(),
        Some("3 checked: 1 failed, 1 pass, 1 skipped; 1 expectations held, 1 did not")
    );
    assert_eq!(desk.names("."), ["all"], "nothing is left behind");
    // The seeds of a list are runs of their own, and the table does not depend on the jobs.
    let timeless = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.split(" held").next().unwrap_or("").to_owned()).collect()
    };
    let one = desk.call("check all/good.toml --seeds 3..=5 --jobs 1");
    let four = desk.call("check all/good.toml --seeds 3..=5 --jobs 4");
    assert_eq!((one.code, timeless(&one.out)), (0, timeless(&four.out)));
    assert_eq!(one.out.lines().count(), 6, "{}", one.out);
}

#[test]
fn the_exit_code_of_check_is_the_gravest() {
    let desk = Desk::new();
    desk.write("good.toml", &scenario("good", &format!("{BOUND}at_most = \"1s\"\n")));
    desk.write("slow.toml", &scenario("slow", &format!("{BOUND}at_most = \"1ms\"\n")));
    desk.write("wrong.toml", "nodes.count = 0\n");
    let small = "limits.pending_events = 1000\n";
    let full = scenario("full", &format!("{BOUND}at_most = \"1s\"\n"));
    let full = full.replace("nodes.count = 4", "nodes.count = 200");
    desk.write("full.toml", &format!("{small}{full}"));
    for (paths, code) in [
        ("good.toml", 0),
        ("good.toml slow.toml", 1),
        ("slow.toml wrong.toml good.toml", 2),
        ("wrong.toml full.toml slow.toml", 5),
        ("nowhere.toml", 2),
        ("good.toml --set nodes.count=0", 2),
        ("good.toml --seeds x", 2),
        ("good.toml --expect slow.toml", 2),
    ] {
        let said = desk.call(&format!("check {paths}"));
        assert_eq!(said.code, code, "{paths}: {}{}", said.out, said.err);
    }
    let table = desk.call("check wrong.toml good.toml").out;
    assert!(table.contains("nodes.count: 0 is below the minimum 1"), "{table}");
    std::fs::create_dir(desk.path("empty")).expect("a folder");
    assert!(desk.fails(2, "check empty").contains("neither scenarios"));
    let said = desk.call("check good.toml --junit nowhere/report.xml");
    assert_eq!(said.code, 6, "{}", said.err);
}

#[test]
fn results_are_judged_again_without_running_and_by_other_expectations() {
    let desk = Desk::new();
    desk.write("s.toml", &scenario("s", &format!("{BOUND}at_most = \"1ms\"\n")));
    assert_eq!(desk.call("run s.toml -o out/s").code, 1);
    let files = desk.files("out/s");
    let table = String::from_utf8(files["expectations.csv"].clone()).expect("UTF-8");
    let row = table.lines().nth(1).expect("a row");
    assert_eq!(row, "0,bound,all & <soon>,broken,at most 1ms,10ms,failed");
    assert_eq!(json(&files["summary.json"])["verdict"]["outcome"], "failed");
    let again = desk.call("check out");
    assert_eq!(again.code, 1);
    assert!(again.out.contains("expected at most 1ms, found 10ms"), "{}", again.out);
    assert!(!again.out.contains("when it was run"), "{}", again.out);
    assert_eq!(desk.files("out/s"), files, "judging changes nothing");
    desk.write("kinder.toml", &scenario("k", &format!("{BOUND}at_most = \"1s\"\n")));
    assert_eq!(desk.call("check out/s --expect kinder.toml").code, 0);
    std::fs::remove_file(desk.path("out/s/rumors.csv")).expect("removed");
    assert_eq!(desk.call("check out/s").code, 6);
    assert_eq!(desk.call("check out/s --seeds 3").code, 2);
}

#[test]
fn reports_for_build_servers_say_the_same() {
    let desk = Desk::new();
    let sometimes = "[[expect]]\nkind = \"sometimes\"\nmetric = \"messages.sent\"\n";
    let text = scenario("slow", &format!("{BOUND}at_most = \"9ms\"\n{sometimes}"));
    desk.write("slow.toml", &text);
    desk.write("wrong.toml", "nodes.count = 0\n");
    let said = desk.call("check slow.toml wrong.toml --github --junit report.xml");
    assert_eq!(said.code, 2);
    let line = 1 + text.lines().position(|line| line == "[[expect]]").expect("a line");
    let first = format!(
        "::error file=slow.toml,line={line},col=1,title=slow.toml (seed 1)::expect[0] (all & \
         <soon>): expected at most 9ms, found 10ms\n"
    );
    assert!(said.out.contains(&first), "{}", said.out);
    assert!(said.out.contains("::error file=wrong.toml,title=wrong.toml::"), "{}", said.out);
    let xml = std::fs::read_to_string(desk.path("report.xml")).expect("a report");
    let mut reader = Reader::from_str(&xml);
    let (mut cases, mut failures, mut errors) = (0, 0, 0);
    loop {
        match reader.read_event().expect("well-formed XML") {
            Event::Start(tag) | Event::Empty(tag) => match tag.name().as_ref() {
                "testcase" => cases += 1,
                "failure" => failures += 1,
                "error" => errors += 1,
                _ => {}
            },
            Event::Eof => break,
            _ => {}
        }
    }
    // Two expectations and all invariants of one scenario; one test that says what is wrong.
    let all = 2 + INVARIANTS.len() + 1;
    assert_eq!((cases, failures, errors), (all, 1, 1), "{xml}");
    assert!(xml.contains("all &amp; &lt;soon&gt;"), "{xml}");
    let totals =
        format!("<testsuites name=\"headwater\" tests=\"{all}\" failures=\"1\" errors=\"1\"");
    assert!(xml.contains(&totals), "{xml}");
}

#[test]
fn a_scenario_with_faults_and_nothing_that_must_happen_gets_a_note() {
    let desk = Desk::new();
    let fault = "[[faults]]\nkind = \"mute\"\nat = \"500ms\"\nnodes = 3\n";
    let expected = format!("{BOUND}at_most = \"1s\"\n");
    desk.write("s.toml", &scenario("s", &format!("{fault}{expected}")));
    let note = "expect: there are faults and expectations, but none of kind = \"sometimes\"";
    let said = desk.call("validate s.toml");
    assert!(said.err.contains(note), "{}", said.err);
    let sometimes = "[[expect]]\nkind = \"sometimes\"\nmetric = \"dropped.mute\"\n";
    desk.write("s.toml", &scenario("s", &format!("{fault}{expected}{sometimes}")));
    assert_eq!(desk.call("validate s.toml").err, "");
    // What is expected of a table without rows is told before the run, and makes it invalid.
    let blocks = "[[expect]]\nkind = \"bound\"\nmetric = \"blocks.made\"\nat_least = 1\n";
    desk.write("s.toml", &scenario("s", blocks));
    let said = desk.call("run s.toml -o here");
    assert_eq!(said.code, 1);
    assert!(said.err.contains("blocks is null in this summary: blocks.content = \"off\""));
    assert!(said.out.contains("verdict  invalid: expect[0]"), "{}", said.out);
}

/// Keeps a processor busy for hours.
const ENDLESS: &str = "name = \"endless\"\nduration = \"1000000s\"\n[nodes]\ncount = 60\n\
                       [network]\n\
                       latency = \"10ms\"\n[gossip]\nstyle = \"push-pull\"\ninterval = \"20ms\"\n";

#[test]
fn budgets_stop_a_case_and_no_other() {
    let desk = Desk::new();
    let good = scenario("good", &format!("{BOUND}at_most = \"1s\"\n"));
    desk.write("good.toml", &good);
    desk.write("endless.toml", &format!("{ENDLESS}{BOUND}at_most = \"1s\"\n"));
    // What the machine has used up ends even the shortest run; a limit of events only the other.
    let memory = "MiB of memory are in use, more than 1MB (--max-memory)";
    let memory = ("--jobs 1 --max-memory 1MB", memory, "2 checked: 2 stopped;");
    let time = "stopped: 1ns of wall time have passed (--max-wall-time)";
    let time = ("--jobs 1 --max-wall-time 1ns", time, "2 checked: 2 stopped;");
    let events = "stopped: 200000 events were handled (limits.events)";
    let events = ("--max-events 200000", events, "2 checked: 1 stopped, 1 pass;");
    let mut budgets = vec![events, time];
    if cfg!(target_os = "linux") {
        budgets.push(memory);
    }
    for (budget, why, total) in budgets {
        let said = desk.call(&format!("check endless.toml good.toml {budget} --junit report.xml"));
        assert_eq!(said.code, 5, "{budget}: {}{}", said.out, said.err);
        assert!(said.out.contains(why), "{budget}: {}", said.out);
        assert!(said.out.contains(total), "{budget}: {}", said.out);
        let report = std::fs::read_to_string(desk.path("report.xml")).expect("a report");
        assert!(report.contains("name=\"good.toml (seed 1)\""), "{report}");
    }
    // Limits of virtual time are keys of the scenario: 1 s is before the only rumor has arrived.
    let said = desk.call("check good.toml --max-virtual-time 1s");
    assert_eq!(said.code, 5, "{}", said.out);
    assert_eq!(desk.call("check good.toml --max-events 0").code, 2);
    let err = desk.fails(2, "check good.toml --max-memory 0B");
    assert_eq!(err, "error: --max-memory 0B: expected more than 0B\n");
}

#[test]
fn results_that_were_changed_by_hand_are_not_judged() {
    let desk = Desk::new();
    desk.write(
        "s.toml",
        &scenario(
            "s",
            "[[expect]]\nkind = \"bound\"\nmetric = \"messages.dropped\"\nat_least = 1000\n",
        ),
    );
    desk.call("run s.toml -o out");
    assert_eq!(desk.call("check out").code, 1);
    let path = desk.path("out/summary.json");
    let summary = std::fs::read_to_string(&path).expect("a summary");
    std::fs::write(&path, summary.replace("\"dropped\": 0,", "\"dropped\": 5000,"))
        .expect("written");
    let said = desk.call("check out");
    assert_eq!(said.code, 6, "{}{}", said.out, said.err);
    assert!(said.out.contains("summary.json is not the file that the run wrote"), "{}", said.out);
    let said = desk.call("diff out out --no-events");
    let warning = "warning: out: no longer as the run wrote them, or missing: summary.json\n";
    assert!(said.err.starts_with(warning), "{}", said.err);
}

/// A second of a processor is many times what comes before the endless scenario.
#[cfg(unix)]
fn wait_for_a_second_of_work(pid: &str) {
    use std::process::Command;
    for _ in 0..6_000 {
        let told = Command::new("ps").args(["-o", "time=", "-p", pid]).output().expect("ps");
        let told = String::from_utf8_lossy(&told.stdout).trim().to_owned();
        // Hours, minutes and seconds; the last may have decimals.
        if told.rsplit(':').next().and_then(|last| last.parse::<f64>().ok()) >= Some(1.0) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("the program does nothing");
}

#[cfg(unix)]
#[test]
fn a_signal_ends_a_check_with_what_was_finished() {
    use std::process::Command;
    for signal in ["-TERM", "-INT"] {
        let desk = Desk::new();
        let good = scenario("good", &format!("{BOUND}at_most = \"1s\"\n"));
        desk.write("good.toml", &good);
        desk.write("late.toml", &good);
        desk.write("endless.toml", &format!("{ENDLESS}{BOUND}at_most = \"1s\"\n"));
        let arguments = "check good.toml endless.toml late.toml --jobs 1 --junit report.xml";
        let child = desk.command(arguments).spawn().expect("started");
        let pid = child.id().to_string();
        wait_for_a_second_of_work(&pid);
        let sent = Command::new("kill").args([signal, &pid]).status().expect("kill is there");
        assert!(sent.success());
        let output = child.wait_with_output().expect("the program ends");
        let (out, err) =
            [output.stdout, output.stderr].map(|all| String::from_utf8(all).expect("UTF-8")).into();
        assert_eq!(output.status.code(), Some(75), "{out}{err}");
        assert_eq!(err, "error: interrupted with 1 of 3 checked, which are shown\n");
        let verdict = |name: &str| {
            let line = out.lines().find(|line| line.starts_with(name)).expect("a line");
            line.split_whitespace().find(|word| word.parse::<u64>().is_err() && *word != name)
        };
        let of = |name| verdict(name).unwrap_or("nothing").to_owned();
        let all = ["good.toml", "endless.toml", "late.toml"].map(of);
        assert_eq!(all, ["pass", "unfinished", "unfinished"], "{out}");
        let report = std::fs::read_to_string(desk.path("report.xml")).expect("a report");
        assert!(report.contains("errors=\"0\" skipped=\"2\""), "{report}");
    }
}
