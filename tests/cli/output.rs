//! What the program prints: logs of events, JSON, help, lists, schemas, completions, drawings; and
//! readers that go away early.

use std::collections::BTreeSet;
use std::io::Read;
use std::process::Stdio;

use serde_json::Value;

use headwater::scenario::shipped::Shipped;

use super::{Desk, json};

#[test]
fn quiet_prints_nothing_and_json_prints_json_alone() {
    let desk = Desk::new();
    assert_eq!(desk.ok("run three-validators --quiet"), "");
    let printed = json(desk.ok("run three-validators --json").as_bytes());
    assert_eq!(printed, json(&desk.files("results/three-validators-1")["summary.json"]));
    assert_eq!(printed["registry"]["validators"], 3);
}

#[test]
fn the_log_of_events_tells_who_learned_of_whom() {
    let desk = Desk::new();
    let told = |arguments: &str| {
        let out = desk.ok(&format!("run three-validators --events {arguments}"));
        let is_event = |line: &&str| {
            line.trim_start().split_once("s  ").is_some_and(|(at, _)| at.parse::<f64>().is_ok())
        };
        out.lines().filter(is_event).map(str::to_owned).collect::<Vec<_>>()
    };
    let all = told("");
    // Three nodes learn of two others each.
    let learned = |lines: &[String]| {
        lines.iter().filter(|line| line.contains(" learned about validator ")).count()
    };
    assert_eq!(learned(&all), 6, "{all:?}");
    // Of node 2 only: what it learns itself and what it tells others, as it is part of both.
    let of_node = told("--events-nodes 2");
    assert!(of_node.len() < all.len() && learned(&of_node) >= 2, "{of_node:?}");
    assert!(of_node.iter().all(|line| line.contains("node 2") || line.contains("validator 2")));
    // A window: exactly the lines of the whole log whose time is in it.
    let time = |line: &String| {
        let at = line.trim_start().split('s').next().and_then(|at| at.parse::<f64>().ok());
        at.expect("a line begins with its time")
    };
    let inside: Vec<_> =
        all.iter().filter(|line| (1.1..=4.0).contains(&time(line))).cloned().collect();
    assert!(inside.len() > 3 && inside.len() < all.len(), "{inside:?}");
    assert_eq!(told("--events-from 1.1s --events-until 4s"), inside);
    // What chooses among events asks for them.
    let implied = desk.ok("run three-validators --events-nodes 2");
    assert!(of_node.iter().all(|line| implied.contains(line)), "{implied}");
    let messages = told("--events-messages --events-until 10s");
    let count = |word: &str| messages.iter().filter(|line| line.contains(word)).count();
    assert!(count(" sends peer_discovery of ") >= 3, "{messages:?}");
    assert_eq!(count(" sends "), count(" receives "), "nothing is lost or under way at 10 s");
}

#[test]
fn help_names_every_command_and_exit_code() {
    let desk = Desk::new();
    let help = desk.ok("--help");
    assert_eq!(desk.ok("help"), help);
    for command in
        "run sweep merge compare validate show topology init list schema keys completions"
            .split_whitespace()
    {
        let named = |line: &str| line.trim_start().starts_with(&format!("{command} "));
        assert!(help.lines().any(named), "{command}: {help}");
        let own = desk.ok(&format!("{command} --help"));
        assert!(own.contains(&format!("Usage: headwater {command}")), "{own}");
        assert!(own.lines().all(|line| line.chars().count() <= 100), "{own}");
    }
    for code in [0, 1, 2, 3, 4, 5, 6, 75] {
        assert!(help.lines().any(|line| line.starts_with(&format!("  {code:<2} "))), "{code}");
    }
    assert!(desk.ok("-h").contains("Exit codes:"));
    assert!(desk.ok("--version").starts_with("headwater "));
}

#[test]
fn list_has_one_line_for_each_scenario_and_experiment() {
    let out = Desk::new().ok("list");
    assert_eq!(out.lines().count(), Shipped::all().count() + 2);
    let lines = out.lines().filter(|line| line.starts_with("  "));
    for (line, shipped) in lines.zip(Shipped::all()) {
        let (name, description) = line.trim().split_once("  ").expect("a name and a description");
        assert_eq!(name, shipped.name);
        assert!(description.trim().len() > 20, "{line}");
    }
}

/// Whether a JSON Schema has a place for every key of a value.
fn has_place(root: &Value, schema: &Value, value: &toml::Value) -> bool {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = root.pointer(reference.trim_start_matches('#')).expect("the reference leads");
        return has_place(root, target, value);
    }
    let choices = ["anyOf", "oneOf", "allOf"].iter().filter_map(|key| schema[*key].as_array());
    if choices.flatten().any(|choice| has_place(root, choice, value)) {
        return true;
    }
    match value {
        toml::Value::Table(table) => table.iter().all(|(key, value)| {
            // A key of its own, or one that the user chooses.
            let own = schema["properties"].get(key);
            let place = own.or(schema.get("additionalProperties").filter(|rest| rest.is_object()));
            place.is_some_and(|place| has_place(root, place, value))
        }),
        toml::Value::Array(entries) => {
            schema.get("items").is_some_and(|item| entries.iter().all(|e| has_place(root, item, e)))
        }
        _ => schema.get("properties").is_none() && schema.get("items").is_none(),
    }
}

#[test]
fn the_schema_is_json_and_has_a_place_for_every_shipped_key() {
    let desk = Desk::new();
    let schema = json(desk.ok("schema").as_bytes());
    // Editors propose the cities of the table.
    let text = schema.to_string();
    assert!(text.contains("\"Frankfurt\"") && text.contains("\"São Paulo\""));
    assert!(schema["$schema"].as_str().is_some_and(|text| text.contains("json-schema.org")));
    let table = |text: &str| toml::Value::Table(text.parse().expect("TOML"));
    for scenario in Shipped::all() {
        assert!(has_place(&schema, &schema, &table(scenario.text)), "{}", scenario.name);
        let wrong = table(&format!("{}\n[gosip]\nx = 1", scenario.text));
        assert!(!has_place(&schema, &schema, &wrong), "the check can fail");
    }
    let keys = desk.ok("keys");
    for section in ["[nodes]", "[topology]", "[network]", "[gossip]", "[[rumors]]", "[[faults]]"] {
        assert!(keys.contains(&format!("## `{section}`")), "{section}");
    }
}

#[test]
fn completions_know_the_commands_for_every_shell() {
    let desk = Desk::new();
    let shells = ["bash", "zsh", "fish", "powershell", "elvish"];
    let scripts: BTreeSet<String> =
        shells.iter().map(|shell| desk.ok(&format!("completions {shell}"))).collect();
    assert_eq!(scripts.len(), shells.len(), "each its own");
    for script in scripts {
        assert!(script.contains("headwater") && script.contains("topology"), "{script}");
    }
    desk.fails(2, "completions tcsh");
}

#[test]
fn a_drawn_topology_can_be_read_again() {
    let desk = Desk::new();
    let described = desk.ok("topology --output drawn");
    assert!(described.contains("edges         1600 (one way each)"), "{described}");
    let svg = String::from_utf8(desk.files("drawn")["topology.svg"].clone()).expect("UTF-8");
    assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"));
    desk.write(
        "again.toml",
        "[nodes]\ncount = 200\n[topology]\nkind = \"file\"\npath = \"drawn/topology.dot\"\n",
    );
    let again = desk.ok("topology again.toml");
    let lines = |text: &str| text.lines().take(7).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(lines(&again), lines(&described));
    // What is there already is not overwritten, not even by half.
    for missing in ["topology.dot", "topology.svg"] {
        std::fs::remove_file(desk.path(&format!("drawn/{missing}"))).expect("the file goes");
        let err = desk.fails(2, "topology three-validators -o drawn");
        assert!(err.contains("exists already; --force replaces it"), "{err}");
        assert!(!desk.names("drawn").contains(&missing.to_owned()));
        desk.ok("topology -o drawn --force");
    }
    let drawn = desk.files("drawn");
    assert_eq!(drawn["topology.svg"], svg.into_bytes());
    desk.ok("topology three-validators -o drawn --force");
    assert_ne!(desk.files("drawn"), drawn);
}

#[test]
fn readers_that_go_away_early_do_not_matter() {
    let desk = Desk::new();
    for arguments in [
        "run --events --events-messages",
        "run three-validators --json",
        "keys",
        "schema",
        "completions zsh",
        "show geographic-cluster",
        "--help",
    ] {
        let mut child = desk.command(arguments).spawn().expect("the program starts");
        // As `head -c 64` does: read a little, then close the pipe.
        let mut start = [0; 64];
        let mut out = child.stdout.take().expect("a pipe");
        out.read_exact(&mut start).expect("something is printed");
        drop(out);
        let done = child.wait_with_output().expect("the program ends");
        let err = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!((done.status.code(), err.as_str()), (Some(0), ""), "{arguments}");
    }
    assert_eq!(desk.names("results"), ["quick-start-1", "three-validators-1"], "both were kept");
    // Nobody reads notes and errors either.
    for (arguments, code) in [("run --duration 3s", 1), ("run nowhere", 2), ("validate", 0)] {
        let mut child = desk.command(arguments).spawn().expect("the program starts");
        drop((child.stdout.take(), child.stderr.take()));
        assert_eq!(child.wait().expect("the program ends").code(), Some(code), "{arguments}");
    }
}

/// A device on which every write fails as on a full disk.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_under_stdout_is_reported() {
    let desk = Desk::new();
    for arguments in ["run three-validators", "keys", "list"] {
        let full = std::fs::File::options().write(true).open("/dev/full").expect("the device");
        let mut command = desk.command(arguments);
        let done = command.stdout(Stdio::from(full)).output().expect("the program starts");
        let err = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(6), "{arguments}: {err}");
        assert!(err.starts_with("error: cannot write to stdout: "), "{err}");
    }
}

#[test]
fn calibrate_prints_prices_that_a_scenario_can_use() {
    let desk = Desk::new();
    let table = desk.ok("calibrate");
    let head = "name = \"priced\"\ngossip.style = \"push\"\n";
    desk.write("priced.toml", &format!("{head}\n{table}"));
    assert!(desk.ok("validate priced.toml").starts_with("priced.toml: valid"), "{table}");
    let keys = ["sign", "verify", "hash_kilobyte", "execute", "poh", "shred", "code"];
    let read: toml::Table = table.parse().expect("a table");
    let cost = read["cost"].as_table().expect("a table");
    assert_eq!(cost.keys().map(String::as_str).collect::<Vec<_>>(), keys);
    let prices = json(desk.ok("calibrate --json").as_bytes());
    let nanos = |key: &str| prices[format!("{key}_ns")].as_u64().expect("whole nanoseconds");
    assert_eq!(prices.as_object().map(serde_json::Map::len), Some(keys.len()));
    assert!(keys.iter().all(|key| nanos(key) > 0), "{prices}");
    // 1,000 hashes of one block of SHA-256 each against 16 blocks: a wide margin.
    assert!(nanos("poh") > nanos("hash_kilobyte"), "{prices}");
}
