//! What the documents say is true: generated ones are fresh, every command of the README runs, its
//! output is the real one, and every scenario file keeps the form that the documents promise.

mod figure;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use headwater::cli;
use headwater::scenario::shipped::{EXPERIMENTS, Shipped, read};

use crate::support::{golden, ran_plan, shipped};

const ANEW: &str = "generated from the program; `BLESS=1 cargo test documents` writes it anew";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn documents_scenarios_readme_is_fresh() {
    golden("scenarios/README.md", &cli::scenarios_readme(), ANEW);
}

#[test]
fn documents_results_readme_is_fresh() {
    golden("results/README.md", &cli::results_readme(), ANEW);
}

#[test]
fn documents_figure_of_the_quick_start_is_fresh() {
    let plan = shipped("quick-start", &["output.timeline=100ms"]);
    let drawn = figure::quick_start(&plan, &ran_plan(&plan));
    golden("results/quick-start.svg", &drawn, ANEW);
}

#[test]
fn documents_every_scenario_file_is_shipped_and_keeps_the_form() {
    let mut files: Vec<PathBuf> = Vec::new();
    for folder in ["scenarios", "scenarios/experiments"] {
        let entries = fs::read_dir(root().join(folder)).expect("a folder");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        files.extend(paths.filter(|path| path.extension().is_some_and(|end| end == "toml")));
    }
    let shipped = Shipped::all().count();
    assert_eq!(files.len(), shipped, "a scenario file is not in the list of shipped ones");
    for path in files {
        let name = path.file_stem().expect("a name").to_string_lossy();
        let shipped = Shipped::find(&name).unwrap_or_else(|| panic!("{name} is not shipped"));
        assert!(shipped.comment().len() > 40, "{name} does not open with a comment");
        let scenario = read(&shipped.source(), &[]).expect("a scenario that reads").value;
        assert_eq!(scenario.name, name, "a scenario is called like its file");
        assert!(!scenario.description.is_empty(), "{name} has no description");
    }
}

/// One point of each shipped experiment is made anew and looked for in what was published.
#[test]
fn documents_published_results_of_experiments_are_those_of_this_program() {
    for shipped in EXPERIMENTS {
        let name = shipped.name;
        let published = text(&format!("results/experiments/{name}.txt"));
        assert!(published.starts_with(&format!("$ headwater sweep {name}\n")), "{name}");
        let folder = tempfile::tempdir().expect("a folder");
        let read = read(&shipped.source(), &[]).expect("a scenario that reads").value;
        let sweep = read.sweep.expect("an experiment has a sweep");
        // A point of its own: the first value of each axis.
        let mut command = Command::new(env!("CARGO_BIN_EXE_headwater"));
        command.current_dir(folder.path()).args(["sweep", name]);
        for axis in &sweep.axis {
            let first = axis.values.as_ref().map_or(axis.from.as_ref(), |all| all.first());
            let first = first.expect("an axis has values");
            let first = first.as_str().map_or_else(|| first.to_string(), str::to_owned);
            command.args(["--axis", &format!("{}={first}", axis.key)]);
        }
        let output = command.output().expect("the program starts");
        let said = String::from_utf8(output.stdout).expect("text");
        let (_, table) = said.split_once("\n\n").expect("a table");
        for line in table.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let same = |line: &&str| line.split_whitespace().eq(words.iter().copied());
            let why = format!("`headwater sweep {name}` gives other results than were published");
            assert!(published.lines().any(|line| same(&line)), "{line}\n{why}: publish them anew");
        }
    }
}

#[test]
fn documents_are_short_enough_to_be_read() {
    for (path, most) in [("README.md", 150), ("src/ARCHITECTURE.md", 300)] {
        let lines = text(path).lines().count();
        assert!(lines < most, "{path} has {lines} lines");
    }
}

/// A folder with what the README's commands have made so far.
struct Shell {
    folder: tempfile::TempDir,
}

impl Shell {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    /// Runs a command line of the README; `> FILE` at its end is understood.
    fn run(&self, line: &str) -> Output {
        let (command, file) = match line.split_once(" > ") {
            Some((command, file)) => (command, Some(file.trim())),
            None => (line, None),
        };
        let words = command.split_whitespace().map(|word| word.trim_matches('\''));
        let output = Command::new(env!("CARGO_BIN_EXE_headwater"))
            .args(words)
            .current_dir(self.folder.path())
            .output()
            .expect("the program starts");
        if let Some(file) = file {
            fs::write(self.folder.path().join(file), &output.stdout).expect("written");
        }
        output
    }
}

/// The lines of a README's code blocks that are commands of this program, without its name and
/// without remarks.
fn commands(readme: &str) -> Vec<String> {
    let lines = readme.lines().filter_map(|line| {
        let line = line.strip_prefix("$ ").unwrap_or(line);
        let started = ["headwater ", "cargo run --release -- "];
        let command = started.iter().find_map(|start| line.strip_prefix(start))?;
        Some(command.split(" #").next().unwrap_or(command).trim().to_owned())
    });
    lines.collect()
}

#[test]
fn documents_every_command_of_the_readme_runs() {
    let shell = Shell::new();
    let commands = commands(&text("README.md"));
    assert!(commands.len() >= 8, "only these were found: {commands:?}");
    for command in commands {
        let output = shell.run(&command);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "headwater {command}: {said}");
    }
}

#[test]
fn documents_readme_shows_the_real_output_of_the_quick_start() {
    const BEGIN: &str = "$ cargo run --release -- run\n";
    let readme = text("README.md");
    let (before, rest) = readme.split_once(BEGIN).expect("the README shows a run");
    let (shown, after) = rest.split_once("```").expect("a code block that ends");
    let made = Shell::new().run("run").stdout;
    let mut made = String::from_utf8(made).expect("text").replace('\\', "/");
    // How fast it was differs from machine to machine, and stays as a person has pasted it.
    let (speed, shown_speed) = (wall_clock(&made), wall_clock(shown));
    if let (Some(speed), Some(shown_speed)) = (speed, shown_speed) {
        made = made.replacen(&speed, &shown_speed, 1);
    }
    golden("README.md", &format!("{before}{BEGIN}{made}```{after}"), ANEW);
}

/// The words about the wall clock in the output of a run.
fn wall_clock(output: &str) -> Option<String> {
    let line = output.lines().find(|line| line.contains(" of virtual time in "))?;
    let (_, rest) = line.split_once(" of virtual time in ")?;
    let (speed, _) = rest.split_once("), ")?;
    Some(format!(" of virtual time in {speed}), "))
}

#[test]
fn documents_commands_are_found_in_code_blocks() {
    let readme =
        "text\n```text\n$ cargo run --release -- run\nheadwater show a.toml   # why\n```\n";
    assert_eq!(commands(readme), ["run", "show a.toml"]);
    let output = "  200 nodes, 12.00 s of virtual time in 0.11 s (106.7x), 61,489 events\n";
    let words = wall_clock(output).expect("words about speed");
    assert_eq!(words, " of virtual time in 0.11 s (106.7x), ");
}
