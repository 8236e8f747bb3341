//! Results layer, tests of result folders: every row of the table in `folder`, and what is left of
//! runs that ended badly.

use std::collections::BTreeMap;

use super::*;
use crate::metrics::table::{Cell, RowSink};
use crate::results::Difference;
use crate::results::manifest::tests::sample;
use crate::results::writer::tests::{FORKS, MESSAGES};

fn prepare(target: &Path, key: &str, force: bool) -> Result<Folder, ResultsError> {
    Folder::prepare(target, Digest::of(key.as_bytes()), force)
}

/// Writes the files of a run; `sent` stands for what came of it.
fn fill(folder: &mut Folder, sent: u64) {
    let mut sink = folder.sink(&[&MESSAGES, &FORKS]).expect("created");
    sink.row(&MESSAGES, &["vote".into(), 1_u64.into(), Cell::Empty]);
    sink.row(&MESSAGES, &["ping".into(), sent.into(), 5_u64.into()]);
    folder.close(sink).expect("written");
    folder.write_json("summary.json", &BTreeMap::from([("messages", 2)])).expect("written");
}

fn publish(mut folder: Folder, key: &str, sent: u64) -> Result<Outcome, ResultsError> {
    fill(&mut folder, sent);
    folder.publish(sample(key), &RunMeta::new(sent, 1, 1, None))
}

fn run(target: &Path, key: &str, sent: u64, force: bool) -> Result<Outcome, ResultsError> {
    publish(prepare(target, key, force)?, key, sent)
}

/// Every file below a folder with its bytes, as nobody but the file system tells it.
fn snapshot(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(snapshot(&path));
        } else {
            files.insert(path.clone(), fs::read(&path).expect("a file"));
        }
    }
    files
}

fn names(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name in ASCII"));
    let mut names: Vec<_> = files.collect();
    names.sort();
    names
}

fn violation(result: Result<Outcome, ResultsError>) -> DeterminismViolated {
    match result {
        Err(ResultsError::DeterminismViolated(violation)) => *violation,
        other => panic!("determinism was violated, but: {other:?}"),
    }
}

fn refusal(result: Result<Folder, ResultsError>) -> String {
    match result {
        Err(error @ ResultsError::Occupied { .. }) => error.to_string(),
        other => panic!("the place is taken, but: {other:?}"),
    }
}

#[test]
fn a_new_folder_holds_its_files_and_a_manifest_of_them() {
    let parent = tempfile::tempdir().expect("a folder");
    let target = parent.path().join("missing/parents/smoke-7");
    assert_eq!(run(&target, "a", 3, false).expect("published"), Outcome::Created);
    let expected = ["forks.csv", "manifest.json", "messages.csv", "run.meta.json", "summary.json"];
    assert_eq!(names(&target), expected);
    assert_eq!(names(target.parent().expect("a parent")), ["smoke-7"]);
    let manifest = Manifest::read(&target).expect("a manifest");
    assert_eq!((manifest.seed, manifest.scenario.as_str()), (7, "smoke"));
    let listed: Vec<_> = manifest.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(listed, ["forks.csv", "messages.csv", "summary.json"]);
    for file in &manifest.files {
        let bytes = fs::read(target.join(&file.name)).expect("a file");
        assert_eq!((file.bytes, file.sha256), (bytes.len() as u64, Digest::of(&bytes)));
    }
}

#[test]
fn nothing_is_at_the_target_before_it_is_published_and_nothing_is_left_of_a_dropped_one() {
    let parent = tempfile::tempdir().expect("a folder");
    let target = parent.path().join("smoke");
    let mut folder = prepare(&target, "a", false).expect("prepared");
    assert_eq!(folder.target(), target);
    fill(&mut folder, 3);
    assert!(!target.exists());
    drop(folder);
    assert_eq!(names(parent.path()), [""; 0]);
}

#[test]
fn two_runs_of_one_key_give_the_same_bytes_except_for_the_wall_clock() {
    let parent = tempfile::tempdir().expect("a folder");
    let (first, second) = (parent.path().join("one"), parent.path().join("two"));
    let created = |target: &Path, started: u64| {
        let mut folder = prepare(target, "a", false).expect("prepared");
        fill(&mut folder, 3);
        folder.publish(sample("a"), &RunMeta::new(started, 1, 1, None)).expect("published")
    };
    assert_eq!(created(&first, 1), Outcome::Created);
    assert_eq!(created(&second, 2), Outcome::Created);
    for name in names(&first) {
        let read = |folder: &Path| fs::read(folder.join(&name)).expect("a file");
        assert_eq!(read(&first) == read(&second), name != "run.meta.json", "{name}");
    }
}

#[test]
fn the_same_results_again_leave_the_folder_untouched() {
    let parent = tempfile::tempdir().expect("a folder");
    let target = parent.path().join("smoke");
    assert_eq!(run(&target, "a", 3, false).expect("published"), Outcome::Created);
    // A report made later does not count as a difference, nor does another record of wall time,
    // nor another way to ask for the run.
    fs::write(target.join("report.html"), "later").expect("written");
    fs::write(target.join("run.meta.json"), "{}").expect("written");
    let before = snapshot(parent.path());
    for force in [false, true] {
        let mut folder = prepare(&target, "a", force).expect("prepared");
        fill(&mut folder, 3);
        let manifest = Manifest { command: "headwater run other.toml".into(), ..sample("a") };
        let outcome = folder.publish(manifest, &RunMeta::new(9, 9, 9, None)).expect("published");
        assert_eq!(outcome, Outcome::Unchanged);
        assert_eq!(snapshot(parent.path()), before);
    }
}

#[test]
fn other_results_of_the_same_key_are_kept_beside_and_violate_determinism() {
    let parent = tempfile::tempdir().expect("a folder");
    let target = parent.path().join("smoke");
    assert_eq!(run(&target, "a", 3, false).expect("published"), Outcome::Created);
    let before = snapshot(&target);
    // Force is for replacing another run; it does not hide this.
    for (force, kept) in [(false, "smoke.differs"), (true, "smoke.differs.2")] {
        let found = violation(run(&target, "a", 4, force));
        assert_eq!(found.kept, parent.path().join(kept));
        assert!(!found.altered);
        let expected = Difference {
            file: "messages.csv".into(),
            line: 3,
            before: "\"ping,3,5\\n\"".into(),
            now: "\"ping,4,5\\n\"".into(),
        };
        assert_eq!(found.difference, expected);
        assert_eq!(Manifest::read(&found.kept).expect("a manifest").key, Digest::of(b"a"));
        let sentence = found.to_string();
        assert!(sentence.contains("messages.csv differs first in line 3"), "{sentence}");
    }
    assert_eq!(snapshot(&target), before);
    assert_eq!(names(parent.path()), ["smoke", "smoke.differs", "smoke.differs.2"]);
}

#[test]
fn another_digest_of_events_alone_violates_determinism_too() {
    let parent = tempfile::tempdir().expect("a folder");
    let target = parent.path().join("smoke");
    assert_eq!(run(&target, "a", 3, false).expect("published"), Outcome::Created);
    let mut folder = prepare(&target, "a", false).expect("prepared");
    fill(&mut folder, 3);
    let manifest = Manifest { event_digest: Digest::of(b"others"), ..sample("a") };
    let found = violation(folder.publish(manifest, &RunMeta::new(0, 1, 1, None)));
    assert_eq!(found.difference.file, "manifest.json");
    assert!(found.difference.before.contains("event_digest"), "{found}");
}

#[test]
fn a_folder_that_was_changed_by_hand_is_recognised() {
    let parent = tempfile::tempdir().expect("a folder");
    let target = parent.path().join("smoke");
    assert_eq!(run(&target, "a", 3, false).expect("published"), Outcome::Created);
    fs::remove_file(target.join("forks.csv")).expect("removed");
    let found = violation(run(&target, "a", 3, false));
    assert_eq!((found.difference.file.as_str(), found.altered), ("forks.csv", true));
    assert_eq!(found.difference.before, "no such file");
    fs::write(target.join("forks.csv"), "slot\n1\n").expect("written");
    let found = violation(run(&target, "a", 3, false));
    assert_eq!((found.difference.line, found.altered), (2, true));
    assert!(found.to_string().contains("changed after it was written"), "{found}");
}

#[test]
fn another_run_is_refused_before_the_run_and_replaced_only_by_force() {
    let parent = tempfile::tempdir().expect("a folder");
    let target = parent.path().join("smoke");
    assert_eq!(run(&target, "a", 3, false).expect("published"), Outcome::Created);
    let before = snapshot(parent.path());
    let sentence = refusal(prepare(&target, "b", false));
    let other = Digest::of(b"a").short(8);
    assert!(sentence.contains("scenario smoke, seed 7") && sentence.contains(&other), "{sentence}");
    assert!(sentence.contains("--force"), "{sentence}");
    assert_eq!(snapshot(parent.path()), before);

    assert_eq!(run(&target, "b", 4, true).expect("published"), Outcome::Replaced);
    assert_eq!(Manifest::read(&target).expect("a manifest").key, Digest::of(b"b"));
    assert_eq!(names(parent.path()), ["smoke"]);
}

#[test]
fn what_headwater_did_not_make_is_never_replaced() {
    let parent = tempfile::tempdir().expect("a folder");
    let target = parent.path().join("notes");
    fs::create_dir(&target).expect("a folder");
    fs::write(target.join("thesis.txt"), "years of work").expect("written");
    let file = parent.path().join("file");
    fs::write(&file, "text").expect("written");
    let before = snapshot(parent.path());
    for force in [false, true] {
        let sentence = refusal(prepare(&target, "a", force));
        assert!(sentence.contains("no manifest.json") && !sentence.contains("--force"));
        assert!(refusal(prepare(&file, "a", force)).contains("is a file, not a folder"));
    }
    fs::write(target.join("manifest.json"), "{\"name\": \"an app\"}").expect("written");
    assert!(refusal(prepare(&target, "a", true)).contains("not the manifest of a headwater run"));
    fs::remove_file(target.join("manifest.json")).expect("removed");
    assert_eq!(snapshot(parent.path()), before);
}

#[test]
fn an_empty_folder_is_free() {
    let parent = tempfile::tempdir().expect("a folder");
    let target = parent.path().join("smoke");
    fs::create_dir(&target).expect("a folder");
    assert_eq!(run(&target, "a", 3, false).expect("published"), Outcome::Created);
    assert_eq!(names(parent.path()), ["smoke"]);
    assert!(target.join("manifest.json").exists());
}

#[test]
fn a_target_taken_during_the_run_is_refused_and_the_results_are_kept() {
    let parent = tempfile::tempdir().expect("a folder");
    let target = parent.path().join("smoke");
    let slow = prepare(&target, "a", false).expect("prepared");
    let same = prepare(&target, "b", false).expect("prepared");
    assert_eq!(run(&target, "b", 4, false).expect("published"), Outcome::Created);
    assert_eq!(publish(same, "b", 4).expect("published"), Outcome::Unchanged);
    match publish(slow, "a", 3) {
        Err(ResultsError::Occupied { kept: Some(kept), .. }) => {
            assert_eq!(Manifest::read(&kept).expect("a manifest").key, Digest::of(b"a"));
        }
        other => panic!("the place is taken, but: {other:?}"),
    }
    assert_eq!(names(parent.path()), ["smoke", "smoke.kept"]);
    assert_eq!(Manifest::read(&target).expect("a manifest").key, Digest::of(b"b"));
}

#[test]
fn runs_that_were_ended_early_take_no_part_in_comparisons() {
    let parent = tempfile::tempdir().expect("a folder");
    let target = parent.path().join("smoke");
    let ended_early = |sent| {
        let mut folder = prepare(&target, "a", false).expect("prepared");
        fill(&mut folder, sent);
        let manifest = Manifest { complete: false, reached_ns: sent, ..sample("a") };
        folder.publish(manifest, &RunMeta::new(0, 1, 1, None)).expect("published")
    };
    assert_eq!(ended_early(1), Outcome::Created);
    assert_eq!(ended_early(2), Outcome::Replaced);
    assert_eq!(Manifest::read(&target).expect("a manifest").reached_ns, 2);
    assert_eq!(run(&target, "a", 3, false).expect("published"), Outcome::Replaced);
    assert_eq!(ended_early(2), Outcome::Whole);
    assert!(Manifest::read(&target).expect("a manifest").complete);
    assert_eq!(names(parent.path()), ["smoke"]);
}

#[test]
fn a_run_killed_at_any_moment_is_cleared_away_by_the_next() {
    let parent = tempfile::tempdir().expect("a folder");
    let target = parent.path().join("smoke");
    // Half a folder, as a killed process leaves it: files, no holder of the lock.
    let partial = parent.path().join(".smoke.999999-0.partial");
    fs::create_dir(&partial).expect("a folder");
    fs::write(partial.join("messages.csv"), "kind,se").expect("written");
    fs::write(parent.path().join(".smoke.999999-0.lock"), "").expect("written");
    assert_eq!(run(&target, "a", 3, false).expect("published"), Outcome::Created);
    assert_eq!(names(parent.path()), ["smoke"]);

    // Killed between the two renames of a forced replacement: the old run comes back.
    fs::rename(&target, parent.path().join(".smoke.999999-0.old")).expect("renamed");
    fs::write(parent.path().join(".smoke.999999-0.lock"), "").expect("written");
    assert!(refusal(prepare(&target, "b", false)).contains("holds another run"));
    assert_eq!(names(parent.path()), ["smoke"]);
}

#[cfg(unix)]
#[test]
fn a_process_that_is_killed_leaves_nothing_at_the_target_and_loses_its_claim() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
    const TARGET: &str = "HEADWATER_TEST_TARGET";
    const NAME: &str = "results::folder::tests::\
                        a_process_that_is_killed_leaves_nothing_at_the_target_and_loses_its_claim";
    #[expect(clippy::disallowed_methods, reason = "how the parent tells its child what to do")]
    let told = std::env::var_os(TARGET);
    if let Some(target) = told {
        // This is the child: half a result folder, then wait to be killed (or for the parent's
        // end).
        let mut folder = prepare(Path::new(&target), "a", false).expect("prepared");
        fill(&mut folder, 3);
        println!("\nready");
        io::stdin().lines().for_each(drop);
        return;
    }
    let parent = tempfile::tempdir().expect("a folder");
    let target = parent.path().join("smoke");
    let mut child = Command::new(std::env::current_exe().expect("a program"))
        .args(["--exact", NAME, "--nocapture"])
        .env(TARGET, &target)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let output = BufReader::new(child.stdout.take().expect("a pipe"));
    assert!(output.lines().map_while(Result::ok).any(|line| line == "ready"));
    // While the child lives, another run of the target leaves its files alone.
    let partial = parent.path().join(format!(".smoke.{}-0.partial", child.id()));
    drop(prepare(&target, "a", false).expect("prepared"));
    assert!(partial.join("messages.csv").exists());
    child.kill().expect("killed");
    child.wait().expect("ended");
    assert!(partial.exists() && !target.exists());
    assert_eq!(run(&target, "a", 3, false).expect("published"), Outcome::Created);
    assert_eq!(names(parent.path()), ["smoke"]);
}

#[test]
fn a_parent_that_cannot_be_made_is_an_error_with_its_path() {
    let parent = tempfile::tempdir().expect("a folder");
    let file = parent.path().join("file");
    fs::write(&file, "text").expect("written");
    for target in [file.join("smoke"), file.join("deeper/smoke")] {
        match prepare(&target, "a", false) {
            Err(ResultsError::Io { path, .. }) => assert!(path.starts_with(&file), "{path:?}"),
            other => panic!("a file is no folder, but: {other:?}"),
        }
    }
    for nameless in ["/", "results/.."] {
        let found = prepare(Path::new(nameless), "a", false);
        assert!(matches!(found, Err(ResultsError::NoName { .. })), "{found:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_link_to_a_folder_stands_for_that_folder() {
    let parent = tempfile::tempdir().expect("a folder");
    let (target, link) = (parent.path().join("smoke"), parent.path().join("latest"));
    assert_eq!(run(&target, "a", 3, false).expect("published"), Outcome::Created);
    std::os::unix::fs::symlink(&target, &link).expect("a link");
    assert_eq!(run(&link, "b", 3, true).expect("published"), Outcome::Replaced);
    assert!(fs::symlink_metadata(&link).expect("a link").is_symlink());
    assert_eq!(Manifest::read(&target).expect("a manifest").key, Digest::of(b"b"));
    std::os::unix::fs::symlink(parent.path().join("nowhere"), parent.path().join("dangling"))
        .expect("a link");
    let found = prepare(&parent.path().join("dangling"), "a", false);
    assert!(matches!(found, Err(ResultsError::Io { .. })), "{found:?}");
}

#[test]
#[should_panic(expected = "cannot be a file of a result folder")]
fn a_file_outside_of_the_folder_cannot_be_written() {
    let parent = tempfile::tempdir().expect("a folder");
    let mut folder = prepare(&parent.path().join("smoke"), "a", false).expect("prepared");
    let _ = folder.write("../elsewhere", b"");
}
