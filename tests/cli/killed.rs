//! Runs that are killed at random moments: a result folder is there whole or not at all, and the
//! next run clears away what is left.

use std::time::{Duration, Instant};

use headwater::base::rng::{Purpose, Rng, Seed};

use super::{Desk, json, results};

/// Starts a run and kills it after a random part of `longest`.
fn killed(desk: &Desk, arguments: &str, rng: &mut Rng, longest: Duration) {
    let mut child = desk.command(arguments).spawn().expect("the program starts");
    std::thread::sleep(Duration::from_nanos(rng.below(longest.as_nanos() as u64)));
    // A run that has ended already cannot be killed, which is one more moment to try.
    let _ = child.kill();
    child.wait().expect("the program ends");
}

#[test]
fn a_killed_run_leaves_a_whole_folder_or_none_and_the_next_one_tidies_up() {
    let desk = Desk::new();
    let clock = now();
    desk.ok("run -o whole/here");
    let longest = clock.elapsed() + clock.elapsed() / 4;
    let whole = results(desk.files("whole/here"));
    let mut rng = Rng::of_cluster(Seed(1), Purpose::Workload);
    let (mut came, mut left_over) = (0, 0);
    for _ in 0..20 {
        killed(&desk, "run -o results/here", &mut rng, longest);
        let names = desk.names("results");
        left_over += u32::from(names.iter().any(|name| name.starts_with('.')));
        if desk.path("results/here").exists() {
            came += 1;
            assert_eq!(results(desk.files("results/here")), whole);
            std::fs::remove_dir_all(desk.path("results/here")).expect("the folder goes");
        }
    }
    // Where in its life a run dies is up to the machine; that some died in the middle is the point.
    assert!(left_over > 0, "no kill came in time: {came} of 20 runs were complete");
    desk.ok("run -o results/here");
    assert_eq!(desk.names("results"), ["here"], "what the killed runs left is gone");
    assert_eq!(results(desk.files("results/here")), whole);
}

#[test]
fn a_replacement_that_is_killed_leaves_the_old_or_the_new_results() {
    let desk = Desk::new();
    let clock = now();
    desk.ok("run three-validators -o results/here");
    let longest = clock.elapsed() * 2;
    let mut rng = Rng::of_cluster(Seed(2), Purpose::Workload);
    for turn in 0..16 {
        let seed = 2 + turn % 2;
        killed(
            &desk,
            &format!("run three-validators --seed {seed} -o results/here --force"),
            &mut rng,
            longest,
        );
        // Between its two renames the old folder stands beside; the next run puts it back.
        if desk.path("results/here").exists() {
            let manifest = json(&desk.files("results/here")["manifest.json"]);
            assert_eq!(manifest["complete"], true);
            assert!((1..4).contains(&manifest["seed"].as_u64().unwrap_or(0)), "{manifest}");
            for file in manifest["files"].as_array().expect("a list") {
                let name = file["name"].as_str().expect("a name");
                let bytes = desk.files("results/here")[name].len() as u64;
                assert_eq!(file["bytes"].as_u64(), Some(bytes), "{name}");
            }
        }
    }
    desk.ok("run three-validators --seed 9 -o results/here --force");
    assert_eq!(desk.names("results"), ["here"]);
}

/// Real processes are killed at real times.
#[expect(clippy::disallowed_methods, reason = "how long a real process lives is wall time")]
fn now() -> Instant {
    Instant::now()
}
