//! The program as people meet it: the real binary in temporary folders, its exit codes, what it
//! prints and what it leaves on disk.

mod check;
mod input;
mod killed;
mod output;
mod points;
mod summary;
mod sweep;
mod trust;
mod verdict;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use headwater::metrics::TABLES;
use headwater::scenario::shipped::SCENARIOS;

/// An empty folder in which commands are called.
struct Desk(TempDir);

/// What a command said.
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_headwater"));
        command.args(arguments.split_whitespace()).current_dir(self.0.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn call(&self, arguments: &str) -> Said {
        let Output { status, stdout, stderr } =
            self.command(arguments).output().expect("the program starts");
        let text = |bytes| String::from_utf8(bytes).expect("the program prints UTF-8");
        // On Unix a signal has no code; none is expected here.
        let code = status.code().unwrap_or(-1);
        Said { code, out: text(stdout), err: text(stderr) }
    }

    /// A call that must succeed without a complaint; what it printed.
    fn ok(&self, arguments: &str) -> String {
        let Said { code, out, err } = self.call(arguments);
        assert_eq!((code, err.as_str()), (0, ""), "{arguments}: {out}");
        out
    }

    /// A call that must fail like this; what it complained of.
    fn fails(&self, code: i32, arguments: &str) -> String {
        let said = self.call(arguments);
        assert_eq!(said.code, code, "{arguments}: {}{}", said.out, said.err);
        assert!(!said.err.trim().is_empty(), "{arguments} fails in silence");
        said.err
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("a file");
    }

    /// All files of a folder and their bytes; hidden ones too.
    fn files(&self, folder: &str) -> BTreeMap<String, Vec<u8>> {
        let entries = std::fs::read_dir(self.path(folder)).expect("a folder");
        let name = |path: &Path| path.file_name().map(|n| n.to_string_lossy().into_owned());
        entries
            .map(|entry| entry.expect("an entry").path())
            .map(|path| (name(&path).unwrap_or_default(), std::fs::read(&path).unwrap_or_default()))
            .collect()
    }

    /// Names in a folder; none if there is no such folder.
    fn names(&self, folder: &str) -> Vec<String> {
        if self.path(folder).exists() {
            self.files(folder).into_keys().collect()
        } else {
            Vec::new()
        }
    }
}

/// Everything that must be equal for equal runs.
fn results(mut files: BTreeMap<String, Vec<u8>>) -> BTreeMap<String, Vec<u8>> {
    assert!(files.remove("run.meta.json").is_some(), "wall-clock facts have a file of their own");
    files
}

fn json(bytes: &[u8]) -> serde_json::Value {
    serde_json::from_slice(bytes).expect("JSON")
}

#[test]
fn the_quick_start_leaves_one_complete_folder_of_results() {
    let desk = Desk::new();
    let out = desk.ok("run");
    assert!(out.contains("verdict  pass") && out.contains("results/quick-start-1\n"), "{out}");
    assert_eq!(desk.names("."), ["results"]);
    assert_eq!(desk.names("results"), ["quick-start-1"]);
    let files = desk.files("results/quick-start-1");
    let tables = TABLES.iter().map(|table| format!("{}.csv", table.name));
    let others =
        ["manifest.json", "run.meta.json", "summary.json", "expectations.csv", "checkpoints.csv"]
            .map(str::to_owned);
    let mut expected: Vec<String> = tables.chain(others).collect();
    expected.sort();
    assert_eq!(files.keys().cloned().collect::<Vec<_>>(), expected);
    for table in TABLES {
        // The quick start makes no blocks and does not gossip by Solana's rules.
        let absent = [
            "repair",
            "blocks",
            "block_arrivals",
            "slots",
            "votes",
            "forks",
            "fork_stake",
            "transactions",
            "gossip_values",
            "adversaries",
        ];
        let absent = absent.contains(&table.name);
        let text = String::from_utf8(files[&format!("{}.csv", table.name)].clone()).expect("UTF-8");
        let header: Vec<&str> = table.columns.iter().map(|column| column.name).collect();
        assert_eq!(text.lines().next(), Some(header.join(",").as_str()), "{}", table.name);
        assert_eq!(text.lines().count() > 1, !absent, "{} has rows", table.name);
    }
    let manifest = json(&files["manifest.json"]);
    assert_eq!(manifest["complete"], true);
    assert_eq!(manifest["command"], "headwater run quick-start --seed 1");
    assert!(out.contains(manifest["event_digest"].as_str().expect("a text")));
    assert_eq!(json(&files["summary.json"])["conservation"]["holds"], true);
}

#[test]
fn the_same_run_again_keeps_the_folder_and_another_run_gets_its_own() {
    let desk = Desk::new();
    desk.ok("run");
    let before = desk.files("results/quick-start-1");
    assert!(desk.ok("run").contains("(the same bytes as before)"));
    assert_eq!(desk.files("results/quick-start-1"), before, "also the wall-clock facts are kept");
    // The same run in another folder has the same bytes.
    desk.ok("run --output elsewhere/again");
    assert_eq!(results(desk.files("elsewhere/again")), results(before.clone()));
    // Another seed, in both ways to say it.
    desk.ok("run --seed 2");
    assert!(desk.ok("run --set seed=2").contains("(the same bytes as before)"));
    assert_ne!(results(desk.files("results/quick-start-2")), results(before));
    desk.ok("run --set gossip.fanout=3 --seed 2");
    let names = desk.names("results");
    assert_eq!(names[..2], ["quick-start-1", "quick-start-2"]);
    let manifest = json(&desk.files(&format!("results/{}", names[2]))["manifest.json"]);
    let key = manifest["key"].as_str().expect("a text");
    assert_eq!(names[2..], [format!("quick-start-2-{}", &key[..8])]);
    assert_eq!(manifest["overrides"][0], "gossip.fanout=3");
    // The command in the manifest makes the same run.
    let command = manifest["command"].as_str().expect("a text").replace("headwater ", "");
    assert!(desk.ok(&command).contains("(the same bytes as before)"), "{command}");
}

#[test]
fn a_taken_folder_is_refused_and_force_replaces_only_results() {
    let desk = Desk::new();
    desk.ok("run three-validators -o here");
    let first = desk.files("here");
    let err = desk.fails(2, "run three-validators --seed 2 -o here");
    assert!(err.contains("holds another run (scenario three-validators, seed 1"), "{err}");
    assert!(err.contains("--force"), "{err}");
    assert_eq!(desk.files("here"), first);
    assert!(desk.ok("run three-validators --seed 2 -o here --force").contains("(replaced)"));
    assert_eq!(json(&desk.files("here")["manifest.json"])["seed"], 2);
    // Foreign files and folders are never replaced.
    desk.write("notes.txt", "mine");
    std::fs::create_dir(desk.path("mine")).expect("a folder");
    desk.write("mine/notes.txt", "mine");
    for target in ["notes.txt", "mine"] {
        for force in ["", "--force"] {
            desk.fails(2, &format!("run three-validators -o {target} {force}"));
        }
    }
    assert_eq!(desk.files("mine")["notes.txt"], b"mine");
    assert_eq!(std::fs::read(desk.path("notes.txt")).expect("a file"), b"mine");
    assert_eq!(desk.names("."), ["here", "mine", "notes.txt"], "nothing else was left");
}

#[test]
fn a_run_that_was_cut_short_leaves_the_whole_one_and_says_so() {
    let desk = Desk::new();
    desk.ok("run three-validators -o here");
    let whole = desk.files("here");
    // Shorter than a look at the clock: what is used up is found before it begins.
    let said = desk.call("run three-validators -o here --max-wall-time 1ns");
    assert_eq!(said.code, 5, "{}{}", said.out, said.err);
    let told = "here (an earlier run to the end, which stays; this one is not kept)\n";
    assert!(said.out.contains(told), "{}", said.out);
    assert_eq!(desk.files("here"), whole);
}

#[test]
fn a_tampered_folder_is_told_apart_and_both_results_are_kept() {
    let desk = Desk::new();
    desk.ok("run three-validators -o here");
    let original = desk.files("here");
    let mut messages = original["messages.csv"].clone();
    let digit = messages.iter().rposition(u8::is_ascii_digit).expect("a digit");
    messages[digit] = if messages[digit] == b'1' { b'2' } else { b'1' };
    std::fs::write(desk.path("here/messages.csv"), &messages).expect("a file");
    let err = desk.fails(3, "run three-validators -o here");
    assert!(err.contains("messages.csv") && err.contains("changed after it was written"), "{err}");
    assert_eq!(desk.files("here")["messages.csv"], messages, "the evidence is not touched");
    assert_eq!(results(desk.files("here.differs")), results(original));
}

#[test]
fn a_scenario_that_is_wrong_writes_nothing() {
    let desk = Desk::new();
    desk.write("wrong.toml", "[nodes]\ncount = 0\n\n[gosip]\nstyle = \"push\"\n");
    let err = desk.fails(2, "run wrong.toml");
    assert_eq!(
        err,
        "error: wrong.toml:2:9: nodes.count: 0 is below the minimum 1\n\
         error: wrong.toml:4:2: gosip: unknown key; did you mean \"gossip\"?\n"
    );
    for arguments in [
        "validate wrong.toml",
        "show wrong.toml",
        "topology wrong.toml -o here",
        "run nowhere.toml",
        "run quick-strat",
        "run --set nodes.count=0",
        "run --set nodes.count",
        "run --duration 0s",
        "run --duration soon",
        "run --seed -1",
        "run --seed 18446744073709551615",
        "run --events --events-nodes 200",
        "run --events --events-nodes everyone",
        "run --events --events-from noon",
        "run --events-nodes 3 --quiet",
        "run --json --events-messages",
        "run --json --quiet",
        "run --colour",
        "jog",
        "",
    ] {
        desk.fails(2, arguments);
    }
    assert_eq!(desk.names("."), ["wrong.toml"]);
}

#[test]
fn a_fault_that_meets_nothing_fails_the_run_and_the_results_say_so() {
    let desk = Desk::new();
    // The partition of the quick start begins after 4 s.
    let said = desk.call("run --duration 3s -o here");
    assert_eq!(said.code, 1);
    assert!(said.out.contains("verdict  failed: faults[0] never began"), "{}", said.out);
    assert!(
        said.err.contains("note: faults[0].at: 4s is after the end of the run"),
        "{}",
        said.err
    );
    let verdict = &json(&desk.files("here")["manifest.json"])["verdict"];
    assert!(verdict.as_str().is_some_and(|text| text.starts_with("failed")), "{verdict}");
    let quiet = desk.fails(1, "run --duration 3s -o there --quiet");
    assert!(quiet.starts_with("error: failed: faults[0] never began"), "{quiet}");
    desk.call("run --duration 3s --set faults[0].may_miss=true --set expect=[] -o may");
    assert_eq!(json(&desk.files("may")["manifest.json"])["verdict"], "pass");
}

#[test]
fn a_limit_that_is_reached_ends_the_run_and_keeps_what_is_known() {
    let desk = Desk::new();
    let said = desk.call("run --set limits.pending_events=1000 -o here");
    assert_eq!(said.code, 5, "{}", said.err);
    assert!(said.out.contains("stopped: more than 1000 events were pending"), "{}", said.out);
    let files = desk.files("here");
    let manifest = json(&files["manifest.json"]);
    assert_eq!(manifest["complete"], false);
    assert!(manifest["reached_ns"].as_u64() < manifest["duration_ns"].as_u64());
    assert_eq!(json(&files["summary.json"])["conservation"]["holds"], true);
}

#[test]
fn places_that_cannot_be_written_to_are_an_error_of_their_own() {
    let desk = Desk::new();
    desk.write("file", "");
    let err = desk.fails(6, "run three-validators -o file/here");
    assert!(err.starts_with("error: cannot create the folder "), "{err}");
    desk.fails(6, "topology three-validators -o file/here");
    desk.fails(6, "init -o nowhere/my.toml");
    desk.fails(2, "run three-validators -o ..");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let locked = desk.path("locked");
        std::fs::create_dir(&locked).expect("a folder");
        let set = |mode| std::fs::set_permissions(&locked, PermissionsExt::from_mode(mode));
        set(0o555).expect("permissions");
        // Some users (root) may write everywhere.
        if std::fs::write(locked.join("probe"), "").is_err() {
            desk.fails(6, "run three-validators -o locked/here");
        }
        set(0o755).expect("permissions");
    }
}

#[test]
fn the_key_of_what_show_prints_is_the_key_of_the_run() {
    let desk = Desk::new();
    let key = |text: &str| {
        let line = text.lines().find(|line| line.starts_with("#   run key: "));
        line.expect("the run key").to_owned()
    };
    for scenario in SCENARIOS {
        let name = scenario.name;
        let shown = desk.ok(&format!("show {name} --seed 5"));
        desk.write("shown.toml", &shown);
        assert_eq!(key(&desk.ok("show shown.toml")), key(&shown), "{name}");
        assert_eq!(key(&desk.ok(&format!("show {name} --set seed=5"))), key(&shown), "{name}");
        assert_ne!(key(&desk.ok(&format!("show {name} --seed 6"))), key(&shown), "{name}");
        assert!(desk.ok("validate shown.toml").starts_with("shown.toml: valid ("), "{name}");
    }
    desk.ok("run three-validators --seed 5 -o here");
    desk.write("shown.toml", &desk.ok("show three-validators --seed 5"));
    let again = desk.ok("run shown.toml -o here");
    assert!(again.contains("(the same bytes as before)"), "{again}");
}

#[test]
fn init_gives_scenarios_that_run_and_overwrites_nothing() {
    let desk = Desk::new();
    for scenario in SCENARIOS {
        let name = scenario.name;
        desk.ok(&format!("init {name} -o {name}.toml"));
        assert_eq!(desk.ok(&format!("init {name}")), scenario.text);
        desk.ok(&format!("validate {name}.toml"));
    }
    desk.ok("init --output my.toml");
    assert!(desk.ok("run my.toml").contains("verdict  pass"));
    assert!(desk.ok("run partition-heal.toml").contains("verdict  pass"));
    let err = desk.fails(2, "init partition-heal -o my.toml");
    assert!(err.contains("my.toml exists already"), "{err}");
    assert!(desk.ok("validate my.toml").contains("50 nodes for 20s"));
    let err = desk.fails(2, "init partition-hael");
    assert!(err.contains("did you mean \"partition-heal\"?"), "{err}");
}
