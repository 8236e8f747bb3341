//! Sweeps as people meet them: the same bytes however they were made, killed or divided; one clear
//! sentence for what makes no sense; and nothing lost.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use headwater::base::rng::{Purpose, Rng, Seed};
use headwater::experiment::record::Record;

use super::{Desk, json};

/// Runs of a few milliseconds: 3 points with 12 seeds each.
const TINY: &str = r#"
name = "tiny"
duration = "2s"
[nodes]
count = 20
[topology]
kind = "k-out"
degree = 4
[network]
latency = { kind = "uniform", min = "10ms", max = "50ms" }
[[rumors]]
at = "0s"
every = "100ms"
count = 10
node = "all"
size = "250B"
spread = "forward-once"
fanout = 3
[sweep]
seeds = "1..=12"
[[sweep.axis]]
key = "network.loss"
from = "0%"
to = "10%"
step = "5%"
"#;

fn desk() -> Desk {
    let desk = Desk::new();
    desk.write("tiny.toml", TINY);
    desk
}

/// All files below a folder with their bytes, hidden ones too, by their paths in it.
fn tree(desk: &Desk, folder: &str) -> BTreeMap<String, Vec<u8>> {
    fn collect(root: &Path, here: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
        for entry in std::fs::read_dir(here).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                collect(root, &path, found);
            } else {
                let name = path.strip_prefix(root).expect("a path below").display().to_string();
                found.insert(name, std::fs::read(&path).expect("a file"));
            }
        }
    }
    let (root, mut found) = (desk.path(folder), BTreeMap::new());
    collect(&root, &root, &mut found);
    found
}

fn rows(desk: &Desk, file: &str) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(desk.path(file)).expect("a table");
    let header = reader.headers().expect("a header").clone();
    let row = |row: csv::StringRecord| {
        header.iter().map(str::to_owned).zip(row.iter().map(str::to_owned)).collect()
    };
    reader.records().map(|record| row(record.expect("a row"))).collect()
}

#[test]
fn a_sweep_leaves_records_and_tables_and_a_finished_one_reruns_nothing() {
    let desk = desk();
    let said = desk.ok("sweep tiny.toml");
    assert!(said.contains("runs     36 (36 made now, 0 found)"), "{said}");
    assert!(said.contains("verdicts 36 as expected"), "{said}");
    let files = tree(&desk, "results/tiny-sweep");
    assert_eq!(files.len(), 36 + 3, "records, sweep.json, runs.csv, points.csv");
    let runs = rows(&desk, "results/tiny-sweep/runs.csv");
    let points: Vec<_> =
        runs.iter().map(|row| (row["network.loss"].as_str(), row["seed"].as_str())).collect();
    let seeds: Vec<String> = (1..=12).map(|seed: u32| seed.to_string()).collect();
    let expected = ["0%", "5%", "10%"].into_iter();
    let expected = expected.flat_map(|loss| seeds.iter().map(move |seed| (loss, seed.as_str())));
    assert_eq!(points, expected.collect::<Vec<_>>());
    // A row is what the run by itself says.
    desk.ok("run tiny.toml --set network.loss=5% --seed 7 -o one --quiet");
    let row = runs.iter().find(|row| row["network.loss"] == "5%" && row["seed"] == "7");
    let row = row.expect("a row");
    let manifest = json(&desk.files("one")["manifest.json"]);
    let summary = json(&desk.files("one")["summary.json"]);
    assert_eq!(manifest["event_digest"], row["digest"].as_str());
    assert_eq!(summary["messages"]["sent"].to_string(), row["messages.sent"]);
    assert_eq!(summary["rumors"]["latency"]["p50_ns"].to_string(), row["rumors.latency.p50_ns"]);
    assert_eq!((row["exit_code"].as_str(), row["verdict"].as_str()), ("0", "pass"));
    // A point is the figures over its seeds, worked out here once more.
    let of_point = |row: &&BTreeMap<String, String>| row["network.loss"] == "5%";
    let sent = runs.iter().filter(of_point).map(|row| row["messages.sent"].parse::<f64>());
    let sent: Vec<f64> = sent.map(|number| number.expect("a number")).collect();
    let points = rows(&desk, "results/tiny-sweep/points.csv");
    let point = points.iter().filter(of_point).find(|row| row["metric"] == "messages.sent");
    let point = point.expect("a row");
    let mean: f64 = point["mean"].parse().expect("a number");
    assert!((mean - sent.iter().sum::<f64>() / 12.0).abs() < 1e-3, "{mean}");
    assert_eq!((point["n"].as_str(), point["unit"].as_str()), ("12", "count"));
    // Again: nothing is made, and nothing changes.
    let said = desk.ok("sweep tiny.toml");
    assert!(said.contains("(0 made now, 36 found)"), "{said}");
    assert_eq!(tree(&desk, "results/tiny-sweep"), files);
    // More seeds go on from there.
    let said = desk.ok("sweep tiny.toml --seeds 1..=14");
    assert!(said.contains("runs     42 (6 made now, 36 found)"), "{said}");
}

#[test]
fn threads_and_parts_change_no_byte() {
    let desk = desk();
    desk.ok("sweep tiny.toml --jobs 1 -o whole --quiet");
    let whole = tree(&desk, "whole");
    desk.ok("sweep tiny.toml --jobs 2 -o threads --quiet");
    assert_eq!(tree(&desk, "threads"), whole);
    for count in [1, 2, 3, 7] {
        let mut folders = Vec::new();
        for index in 1..=count {
            let folder = format!("parts/{count}-{index}");
            let jobs = 1 + index % 2;
            let part = format!("--shard {index}/{count} --jobs {jobs} --quiet");
            desk.ok(&format!("sweep tiny.toml {part} -o {folder}"));
            desk.ok(&format!("sweep tiny.toml {part} -o parts/{count}-together"));
            folders.push(folder);
        }
        let said = desk.ok(&format!("merge -o merged-{count} {}", folders.join(" ")));
        assert!(said.contains(&format!("36 runs of {count} folder")), "{said}");
        assert_eq!(tree(&desk, &format!("merged-{count}")), whole, "{count} parts");
        let together = tree(&desk, &format!("parts/{count}-together"));
        assert_eq!(together, whole, "{count} parts in one folder");
    }
}

#[test]
fn a_sweep_that_is_killed_twenty_times_ends_like_one_that_never_was() {
    let desk = desk();
    let clock = now();
    desk.ok("sweep tiny.toml --seeds 1..=40 -o whole --quiet");
    let (whole, all) = (clock.elapsed(), 3 * 40);
    let mut rng = Rng::of_cluster(Seed(1), Purpose::Workload);
    let (mut killed_at_work, mut left_over, mut before) = (0, 0, 0);
    for _ in 0..20 {
        let mut child = desk
            .command("sweep tiny.toml --seeds 1..=40 -o here --quiet")
            .spawn()
            .expect("started");
        // Starting takes its time too; a sixth of the whole is enough for some runs.
        let longest = Duration::from_millis(20) + whole / 6;
        std::thread::sleep(Duration::from_nanos(rng.below(longest.as_nanos() as u64)));
        let _ = child.kill();
        child.wait().expect("the program ends");
        let names = desk.names("here");
        left_over += u32::from(names.iter().any(|name| name.ends_with(".partial")));
        let records = desk.names("here/records").len();
        assert!(records >= before, "a record is gone");
        killed_at_work += u32::from(records > before && records < all);
        before = records;
        for (name, bytes) in if records > 0 { desk.files("here/records") } else { BTreeMap::new() }
        {
            let record: serde_json::Value = serde_json::from_slice(&bytes).expect("a whole record");
            assert_eq!(format!("{}.json", record["key"].as_str().expect("a key")), name);
        }
    }
    // When a process dies is up to the machine; that some died at work is the point.
    assert!(killed_at_work >= 2 && left_over >= 2, "{killed_at_work} {left_over}");
    desk.ok("sweep tiny.toml --seeds 1..=40 -o here --quiet");
    assert_eq!(tree(&desk, "here"), tree(&desk, "whole"));
}

#[cfg(unix)]
#[test]
fn a_polite_signal_keeps_what_is_done_and_says_how_to_go_on() {
    let desk = desk();
    desk.ok("sweep tiny.toml --seeds 1..=200 -o whole --quiet");
    let mut command = desk.command("sweep tiny.toml --seeds 1..=200 -o here");
    let mut ended_early = false;
    for signal in ["-TERM", "-INT"] {
        let child = command.spawn().expect("started");
        let before = desk.names("here/records").len();
        let clock = now();
        while desk.names("here/records").len() <= before + 2 {
            assert!(clock.elapsed() < Duration::from_secs(60), "no record appears");
            std::thread::sleep(Duration::from_millis(2));
        }
        let pid = child.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().expect("kill is there");
        assert!(sent.success(), "the sweep was quicker than the signal");
        let output = child.wait_with_output().expect("the program ends");
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(75), "{err}");
        assert!(err.contains("all of them kept in here; the same command goes on"), "{err}");
        ended_early |= desk.names("here/records").len() < 600;
    }
    assert!(ended_early);
    desk.ok("sweep tiny.toml --seeds 1..=200 -o here --quiet");
    assert_eq!(tree(&desk, "here"), tree(&desk, "whole"));
}

#[test]
fn what_makes_no_sense_is_refused_in_one_sentence_and_leaves_nothing() {
    let desk = desk();
    desk.write(
        "empty.toml",
        &TINY.replace("from = \"0%\"\nto = \"10%\"\nstep = \"5%\"", "values = []"),
    );
    desk.write("seeds.toml", &TINY.replace("1..=12", "12..=1"));
    for (arguments, why) in [
        (
            "sweep empty.toml",
            "empty.toml:23:10: sweep.axis[0].values: the axis network.loss has no values",
        ),
        (
            "sweep seeds.toml",
            "seeds.toml:20:9: sweep.seeds: the range of seeds \"12..=1\" is empty",
        ),
        ("sweep tiny.toml --axis", "a value is required for '--axis"),
        ("sweep tiny.toml --axis network.loss=", "--axis network.loss=: the axis has no values"),
        (
            "sweep tiny.toml --axis network.los=1%,2%",
            "network.los: unknown key (from the axis network.los=\"1%\"); did you mean \"loss\"?",
        ),
        (
            "sweep tiny.toml --axis rumors[0].fanout=1,2,0",
            "rumors[0].fanout: 0 is below the minimum 1 (from the axis rumors[0].fanout=0)",
        ),
        ("sweep tiny.toml --axis rumors[3].fanout=1,2", "there is no entry 3"),
        ("sweep tiny.toml --seeds 1..=x", "is no seed and no range of seeds"),
        ("sweep tiny.toml --seeds 1,1", "names seed 1 twice"),
        ("sweep tiny.toml --seeds 1,2 --seed 3", "--seed and --seeds exclude each other"),
        (
            "sweep tiny.toml --axis nodes.count=2..=1001 --axis rumors[0].fanout=1..=84",
            "the sweep has 3024000 runs, more than the limit of 1000000",
        ),
        (
            "sweep tiny.toml --axis nodes.count=2..=301 --seeds 1..=12",
            "the sweep has 10800 runs (900 points); --yes starts more than 10000",
        ),
        ("sweep tiny.toml --axis nodes.count=2..=2000000", "passes the limit of 100000"),
        ("sweep tiny.toml --shard 0/3", "--shard 0/3: there is no part 0 of 3"),
        ("sweep tiny.toml --shard 4/3", "--shard 4/3: there is no part 4 of 3"),
        ("sweep tiny.toml --shard 3", "--shard 3: expected a part of several such as 2/8"),
        ("sweep tiny.toml --shard 1/2 --until-precise messages.sent=2%", "exclude each other"),
        ("sweep tiny.toml --until-precise messages.sent", "is no key figure with a share"),
        (
            "sweep tiny.toml --zip network.loss,network.los",
            "--zip: no axis network.los; did you mean",
        ),
        (
            "sweep tiny.toml --axis nodes.count=4,5 --zip network.loss,nodes.count",
            "the axes network.loss and nodes.count go together, but have 3 values and 2",
        ),
        ("sweep tiny.toml --jobs 0", "invalid value '0' for '--jobs"),
        ("sweep tiny.toml --max-events 0", "limits.events: 0 is below the minimum 1"),
        ("sweep tiny.toml --max-wall-time soon", "invalid value 'soon'"),
        ("sweep tiny.toml -o ..", "choose another folder"),
        ("merge -o here tiny.toml", "cannot read the folder tiny.toml"),
        (
            "compare nowhere --by network.loss",
            "cannot read the folder nowhere: No such file or directory",
        ),
        ("verify nowhere", "cannot read the folder nowhere: No such file or directory"),
    ] {
        let said = desk.call(arguments);
        assert_eq!(said.code, 2, "{arguments}: {}{}", said.out, said.err);
        assert!(said.err.contains(why), "{arguments}: {}", said.err);
    }
    assert_eq!(desk.names("."), ["empty.toml", "seeds.toml", "tiny.toml"]);
}

#[test]
fn absurd_numbers_of_threads_budgets_and_axes_within_axes_are_refused() {
    let desk = desk();
    for (arguments, why) in [
        ("--jobs 100000000000", "invalid value '100000000000' for '--jobs"),
        ("--max-wall-time 0s", "--max-wall-time 0s: expected more than 0s"),
        (
            "--axis network.loss=1%,0.01 --dry-run",
            "1% stands twice in the axis network.loss, once as 0.01",
        ),
        ("--axis duration=2s,1s,2000ms", "2s stands twice in the axis duration, once as 2000ms"),
        (
            "--axis network.loss=1% --axis network={latency='1ms'}",
            "the axes network.loss and network: the one sets the other",
        ),
    ] {
        let err = desk.fails(2, &format!("sweep tiny.toml {arguments}"));
        assert!(err.contains(why), "{err}");
    }
    assert_eq!(desk.names("."), ["tiny.toml"]);
}

#[test]
fn a_folder_of_something_else_is_refused() {
    let desk = desk();
    std::fs::create_dir(desk.path("mine")).expect("a folder");
    desk.write("mine/notes.txt", "mine");
    for force in ["", "--force"] {
        let err = desk.fails(2, &format!("sweep tiny.toml -o mine {force}"));
        assert!(err.contains("is not the folder of a sweep and not empty"), "{err}");
    }
    assert_eq!(desk.names("mine"), ["notes.txt"]);
    desk.ok("sweep tiny.toml -o here --quiet");
    let before = tree(&desk, "here");
    let err = desk.fails(2, "sweep tiny.toml --set nodes.count=21 -o here");
    assert!(err.contains("here holds another sweep (scenario tiny, key "), "{err}");
    let err = desk.fails(2, "sweep tiny.toml --seeds 2..=12 -o here");
    assert!(err.contains("has seeds that this sweep does not have, such as 1"), "{err}");
    assert_eq!(tree(&desk, "here"), before);
    desk.ok("sweep tiny.toml --seeds 2..=12 -o here --force --quiet");
    desk.ok("sweep tiny.toml --seeds 2..=12 -o there --quiet");
    assert_eq!(tree(&desk, "here"), tree(&desk, "there"), "what is replaced leaves nothing");
}

#[test]
fn merging_finds_holes_duplicates_and_mixed_versions() {
    let desk = desk();
    for index in 1..=3 {
        desk.ok(&format!("sweep tiny.toml --shard {index}/3 -o part-{index} --quiet"));
    }
    let err = desk.fails(6, "merge -o merged part-1 part-3");
    assert_eq!(
        err,
        "error: 12 of 36 runs are missing, the first of them network.loss = 0%, seed 2; make them \
         with the same command and merge again\n"
    );
    // Also who compares is told, and only once of one folder.
    for (command, times) in [("part-1", 1), ("part-1 part-1", 1), ("part-1 part-3", 2)] {
        let by = if times == 1 && command == "part-1" { " --by network.loss" } else { "" };
        let said = desk.call(&format!("compare {command}{by}"));
        let note = "note: part-1: 24 of 36 runs are missing, the first of them network.loss = 0%";
        assert!(said.err.contains(note), "{}", said.err);
        assert_eq!(said.err.matches(" runs are missing").count(), times, "{}", said.err);
    }
    let said = desk.ok("merge -o merged part-1 part-2 part-3 part-2");
    assert!(said.contains("36 runs of 4 folders joined, 12 of them found twice"), "{said}");
    let edit = |file: &str, from: &str, to: &str| {
        let text = std::fs::read_to_string(desk.path(file)).expect("a file");
        assert!(text.contains(from), "{file}: {text}");
        desk.write(file, &text.replacen(from, to, 1));
    };
    // Another version of the model, other seeds, another sweep.
    edit("part-2/sweep.json", "\"model_version\": 1", "\"model_version\": 2");
    let err = desk.fails(2, "merge -o again part-1 part-2 part-3");
    assert!(err.contains("part-2 was made by headwater") && err.contains("(model 2)"), "{err}");
    edit("part-2/sweep.json", "\"model_version\": 2", "\"model_version\": 1");
    edit("part-2/sweep.json", "1..=12", "1..=13");
    let err = desk.fails(2, "merge -o again part-1 part-2 part-3");
    assert!(err.contains("part-2 has other seeds (1..=13) than part-1 (1..=12)"), "{err}");
    desk.ok("sweep tiny.toml --set nodes.count=21 -o other --quiet");
    let err = desk.fails(2, "merge -o again part-1 other");
    assert!(err.contains("other holds another sweep"), "{err}");
    edit("part-2/sweep.json", "1..=13", "1..=12");
    // One run with two results.
    std::fs::create_dir_all(desk.path("liar/records")).expect("a folder");
    let name = desk.names("part-1/records").swap_remove(0);
    for file in ["sweep.json", &format!("records/{name}")] {
        std::fs::copy(desk.path(&format!("part-1/{file}")), desk.path(&format!("liar/{file}")))
            .expect("copied");
    }
    let liar = std::fs::read(desk.path(&format!("liar/records/{name}"))).expect("a file");
    let mut record = Record::parse(&liar).expect("a record");
    record.reached_ns += 1;
    desk.write(&format!("liar/records/{name}"), &record.to_text());
    let err = desk.fails(3, "merge -o again part-1 part-2 part-3 liar");
    assert!(err.contains("part-1 and liar hold different results of one run"), "{err}");
    assert!(!desk.path("again").exists(), "nothing was written");
    // Half a record is no record, wherever it is found.
    let bytes = std::fs::read(desk.path(&format!("part-1/records/{name}"))).expect("a file");
    std::fs::write(desk.path(&format!("part-1/records/{name}")), &bytes[..99]).expect("written");
    let said = desk.call("merge -o again part-1 part-2 part-3");
    assert_eq!(said.code, 6, "{}", said.err);
    let said = desk.call("sweep tiny.toml --shard 1/3 -o part-1");
    assert!(said.err.contains("is damaged") && said.out.contains("(1 made now"), "{}", said.err);
    desk.ok("merge -o again part-1 part-2 part-3");
    assert_eq!(tree(&desk, "again"), tree(&desk, "merged"));
}

#[test]
fn a_run_that_fails_or_reaches_a_limit_is_recorded_and_stops_no_other() {
    let desk = desk();
    let fault =
        "[[faults]]\nkind = \"crash\"\nat = \"1s\"\nfor = \"100ms\"\nnodes = \"3\"\n[sweep]\n";
    desk.write("faulty.toml", &TINY.replace("[sweep]\n", fault));
    let said = desk.call("sweep faulty.toml --axis faults[0].at=1s,3s --axis network.loss=0% -o a");
    assert_eq!(said.code, 1, "{}", said.err);
    assert!(said.out.contains("verdicts 12 as expected, 12 failed"), "{}", said.out);
    let failed = rows(&desk, "a/runs.csv").into_iter().filter(|row| row["exit_code"] == "1");
    assert!(failed.clone().all(|row| row["faults[0].at"] == "3s"), "those that never began");
    assert!(failed.clone().all(|row| row["verdict"].contains("faults[0] never began")));
    assert_eq!(failed.count(), 12);
    // A limit of events; the point with more loss has fewer of them.
    let said = desk.call("sweep tiny.toml --max-events 500 -o b");
    assert_eq!(said.code, 5, "{}", said.err);
    let runs = rows(&desk, "b/runs.csv");
    let stopped: Vec<_> = runs.iter().filter(|row| row["complete"] == "0").collect();
    assert!(!stopped.is_empty() && stopped.len() < 36, "{} of 36", stopped.len());
    for row in &stopped {
        assert_eq!(row["verdict"], "stopped: 500 events were handled (limits.events)");
        assert_eq!((row["events"].as_str(), row["exit_code"].as_str()), ("500", "5"));
        assert!(
            row["messages.delivered"].parse::<u64>().is_ok_and(|n| n > 0),
            "what is known stays"
        );
    }
    let points = rows(&desk, "b/points.csv");
    let sum: usize = points
        .iter()
        .filter(|row| row["metric"] == "messages.sent")
        .map(|row| row["stopped"].parse::<usize>().expect("a number"))
        .sum();
    assert_eq!(sum, stopped.len(), "figures leave them out and say so");
    // Such runs are not made again; those that a clock has stopped are.
    assert!(desk.call("sweep tiny.toml --max-events 500 -o b").out.contains("(0 made now"));
    let said = desk.call("sweep tiny.toml --max-virtual-time 500ms -o c");
    assert_eq!(said.code, 5, "{}", said.err);
    assert!(rows(&desk, "c/runs.csv").iter().all(|row| row["reached_ns"] == "500000000"));
}

#[test]
fn a_run_that_the_clock_has_stopped_is_made_again() {
    let desk = desk();
    let large = "--set nodes.count=400 --set rumors[0].count=200 --set rumors[0].every=5ms \
                 --set rumors[0].fanout=9";
    let sets = format!("{large} --seeds 1,2 --axis network.loss=1%");
    let said = desk.call(&format!("sweep tiny.toml {sets} --max-wall-time 1ns -o here"));
    assert_eq!(said.code, 5, "{}{}", said.out, said.err);
    let verdict = &rows(&desk, "here/runs.csv")[0]["verdict"];
    assert_eq!(verdict, "stopped: 1ns of wall time have passed (--max-wall-time)");
    let said = desk.ok(&format!("sweep tiny.toml {sets} -o here"));
    assert!(said.contains("(2 made now, 0 found)"), "{said}");
    desk.ok(&format!("sweep tiny.toml {sets} -o there --quiet"));
    assert_eq!(tree(&desk, "here"), tree(&desk, "there"));
    if cfg!(target_os = "linux") {
        let said = desk.call(&format!("sweep tiny.toml {sets} --max-memory 1MB -o memory"));
        assert_eq!(said.code, 5, "{}{}", said.out, said.err);
        let runs = rows(&desk, "memory/runs.csv");
        let why = "MiB of memory are in use, more than 1MB (--max-memory)";
        assert!(runs.iter().any(|row| row["verdict"].contains(why)), "{runs:?}");
    }
    let said = desk.call(&format!("run tiny.toml {large} --max-wall-time 1ns -o run"));
    assert_eq!(said.code, 5, "{}{}", said.out, said.err);
    assert_eq!(json(&desk.files("run")["manifest.json"])["complete"], false);
}

#[test]
fn seeds_are_added_until_a_figure_is_precise() {
    let desk = desk();
    let precise = "--seeds 1..=3 --until-precise rumors.latency.p90_ns=4% --most-seeds 40";
    desk.ok(&format!("sweep tiny.toml {precise} --jobs 1 -o one --quiet"));
    desk.ok(&format!("sweep tiny.toml {precise} --jobs 2 -o two --quiet"));
    assert_eq!(tree(&desk, "one"), tree(&desk, "two"));
    let points = rows(&desk, "one/points.csv");
    let counts: Vec<usize> = points
        .iter()
        .filter(|row| row["metric"] == "rumors.latency.p90_ns")
        .map(|row| {
            let number = |column: &str| row[column].parse::<f64>().expect("a number");
            let share = (number("high") - number("low")) / 2.0 / number("mean");
            assert!(share <= 0.04 || row["n"] == "40", "{row:?}");
            row["n"].parse().expect("a number")
        })
        .collect();
    assert!(counts.iter().any(|count| *count > 5) && counts.iter().all(|c| (5..=40).contains(c)));
    let again = desk.ok(&format!("sweep tiny.toml {precise} -o one"));
    assert!(again.contains("(0 made now"), "{again}");
    let err = desk.fails(2, "sweep tiny.toml --until-precise rumors.latency.p91_ns=4% -o three");
    let why = "--until-precise: there is no metric \"rumors.latency.p91_ns\"; did you mean";
    assert!(err.contains(why) && !desk.path("three").exists(), "{err}");
    let err = desk.fails(2, "sweep tiny.toml --show messages.snet -o three");
    let why = "--show: there is no metric \"messages.snet\"; did you mean \"messages.sent\"?";
    assert!(err.contains(why) && !desk.path("three").exists(), "{err}");
    // Whatever a run has can be asked for.
    let names = points.iter().map(|row| format!("--show {}", row["metric"]));
    desk.ok(&format!("sweep tiny.toml {} {precise} -o one", names.collect::<Vec<_>>().join(" ")));
}

#[test]
fn a_dry_run_lists_points_and_commands_make_the_sweep() {
    let desk = desk();
    let said = desk.ok("sweep tiny.toml --dry-run");
    assert!(said.contains("3 points with seeds 1..=12, 36 runs\n"), "{said}");
    assert!(said.contains("     2  network.loss = 10%\n") && said.contains("predicted"), "{said}");
    assert_eq!(desk.names("."), ["tiny.toml"], "nothing is written");
    let commands = desk.ok("sweep tiny.toml --seeds 1..=4 --commands -o here");
    assert_eq!(commands.lines().count(), 12);
    // In any order, also twice.
    for line in commands.lines().rev().chain(commands.lines().take(2)) {
        assert!(
            !desk.path("here/runs.csv").exists()
                || line.contains("--shard 1/12")
                || line.contains("--shard 2/12")
        );
        assert_eq!(desk.ok(line.strip_prefix("headwater ").expect("a command")), "");
    }
    desk.ok("sweep tiny.toml --seeds 1..=4 -o there --quiet");
    assert_eq!(tree(&desk, "here"), tree(&desk, "there"));
    desk.fails(2, "sweep - --commands");
}

#[test]
fn the_scheduler_says_which_part_this_is() {
    let desk = desk();
    let call = |variables: &[(&str, &str)], shard: &str| {
        let mut command = desk.command(&format!("sweep tiny.toml --shard {shard} -o here"));
        for (name, value) in variables {
            command.env(name, value);
        }
        let output = command.output().expect("the program starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let slurm = [("SLURM_ARRAY_TASK_ID", "1"), ("SLURM_ARRAY_TASK_COUNT", "2")];
    let (code, out, err) = call(&slurm, "auto");
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(err, "note: part 1/2 by Slurm array (SLURM_ARRAY_TASK_ID=1)\n");
    assert!(out.contains("18 runs of other parts are missing there"), "{out}");
    let (code, out, err) = call(&[("JOB_COMPLETION_INDEX", "1")], "auto/2");
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("here/runs.csv"), "the last part makes the tables: {out}");
    let both = [slurm[0], slurm[1], ("PARALLEL_SEQ", "2")];
    let (code, _, err) = call(&both, "auto/2");
    assert_eq!(code, Some(2));
    assert!(err.contains("(SLURM_ARRAY_TASK_ID=1) means 1/2, but GNU parallel"), "{err}");
}

#[test]
fn differences_are_paired_by_seed() {
    let desk = desk();
    desk.ok("sweep tiny.toml -o plain --quiet");
    let said = desk.ok("compare plain --by network.loss -m dropped.loss");
    assert!(
        said.starts_with("network.loss = 0% -> network.loss = 5%\n  dropped.loss  0 +"),
        "{said}"
    );
    assert!(said.contains("95 % between") && said.contains("(12 pairs)"), "{said}");
    // The same seed draws the same origins of rumors: nothing else differs between the two.
    desk.ok("sweep tiny.toml --set rumors[0].fanout=5 -o wide --quiet");
    let csv = desk.ok("compare plain wide --csv");
    let line = |name: &str| csv.lines().find(|line| line.contains(name)).map(str::to_owned);
    let injected = line(",rumors.injected,").expect("a row");
    assert_eq!(injected, "0%,plain,wide,rumors.injected,count,12,10,0,0,0,0");
    let err = desk.fails(2, "compare plain --by network.los");
    assert!(err.contains("the sweep has no axis network.los; did you mean network.loss?"), "{err}");
    let err = desk.fails(2, "compare plain");
    assert!(err.contains("name an axis with --by (network.loss), or the folder"), "{err}");
    for command in ["verify", "diff plain"] {
        let err = desk.fails(2, &format!("{command} plain"));
        assert!(err.contains("plain is the folder of a sweep, not of a run"), "{err}");
    }
}

#[test]
fn an_axis_that_nothing_reads_is_pointed_out() {
    let desk = desk();
    let said = desk.call("sweep tiny.toml --axis gossip.interval=1s,2s --seeds 1..=2 -o here");
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.err.contains("note: the axis gossip.interval changed nothing"), "{}", said.err);
    assert!(!said.err.contains("network.loss"), "{}", said.err);
    // A single run of such a scenario says that it does not read the axes.
    let said = desk.call("run tiny.toml -o there");
    assert!(said.err.contains("note: sweep: a single run does not read it"), "{}", said.err);
}

/// Whatever was changed in a record, it is made again and the tables are as before.
#[test]
fn a_record_that_was_changed_is_damaged_and_made_again() {
    let desk = desk();
    desk.ok("sweep tiny.toml -o here --quiet");
    let whole = tree(&desk, "here");
    let name = desk.names("here/records").swap_remove(0);
    let path = format!("here/records/{name}");
    let text = std::fs::read_to_string(desk.path(&path)).expect("a record");
    for (from, to) in [
        ("\"verdict\": \"pass\"", "\"verdict\": \"failed\""),
        ("\"reached_ns\": 2", "\"reached_ns\": 3"),
        ("  \"sha256\": \"", "  \"sha256\": \"0"),
    ] {
        assert!(text.contains(from), "{text}");
        desk.write(&path, &text.replacen(from, to, 1));
        let said = desk.call("sweep tiny.toml -o here");
        assert_eq!(said.code, 0, "{}", said.err);
        assert!(said.err.contains("is damaged"), "{}", said.err);
        assert!(said.out.contains("(1 made now, 35 found)"), "{}", said.out);
        assert_eq!(tree(&desk, "here"), whole, "{from}");
    }
    // A pipe among the records would be waited for in vain.
    if cfg!(unix) {
        let pipe = desk.path("here/records/pipe.json");
        let made = Command::new("mkfifo").arg(pipe).status().expect("mkfifo is there");
        assert!(made.success());
        let err = desk.fails(6, "sweep tiny.toml -o here");
        assert!(err.contains("it is no regular file"), "{err}");
    }
}

#[test]
fn a_dry_run_of_many_points_looks_at_some_of_them() {
    let desk = desk();
    let said = desk.ok("sweep tiny.toml --axis nodes.count=20..=419 --dry-run");
    assert!(said.contains("256 points, evenly spread, were looked at for mistakes"), "{said}");
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written_to_costs_nothing_that_is_done() {
    use std::os::unix::fs::PermissionsExt;
    let desk = desk();
    desk.ok("sweep tiny.toml -o whole --quiet");
    // As on a full disk, from some point on no file can be written: here those above 4 kB.
    let script = "trap '' XFSZ; ulimit -f 4; exec \"$0\" sweep tiny.toml -o here --quiet";
    let output = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_headwater")])
        .current_dir(desk.path("."))
        .stdin(Stdio::null())
        .output()
        .expect("a shell");
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(6), "{err}");
    assert!(err.starts_with("error: cannot write ") && err.lines().count() == 1, "{err}");
    assert!(desk.names("here").iter().all(|name| !name.starts_with('.')), "nothing is left over");
    let said = desk.ok("sweep tiny.toml -o here");
    assert!(said.contains("36 made now"), "{said}");
    assert_eq!(tree(&desk, "here"), tree(&desk, "whole"));
    // A folder without the right to write, for users who need one.
    let set =
        |mode| std::fs::set_permissions(desk.path("here/records"), PermissionsExt::from_mode(mode));
    set(0o555).expect("permissions");
    if std::fs::write(desk.path("here/records/probe"), "").is_err() {
        let err = desk.fails(6, "sweep tiny.toml --seeds 1..=13 -o here");
        assert!(err.starts_with("error: cannot "), "{err}");
    }
    set(0o755).expect("permissions");
    // A file where the folder with records should be.
    desk.write("there", "");
    desk.fails(6, "sweep tiny.toml -o there/below");
}

/// Real processes are killed at real times.
#[expect(clippy::disallowed_methods, reason = "how long a real process lives is wall time")]
fn now() -> Instant {
    Instant::now()
}
