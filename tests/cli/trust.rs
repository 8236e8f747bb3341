//! `headwater verify` and `headwater diff`: a changed byte is found wherever it is, and what
//! differs between two runs is named.

use super::Desk;

/// A run with files that its scenario names.
fn made(desk: &Desk) {
    std::fs::create_dir(desk.path("in")).expect("a folder");
    desk.write("in/stakes.csv", "stake\n5\n6\n7\n8\n");
    desk.write(
        "in/s.toml",
        "name = \"s\"\nduration = \"4s\"\n[nodes]\ncount = 4\n\
         stake = { kind = \"file\", path = \"stakes.csv\" }\n[gossip]\nstyle = \"push-pull\"\n\
         [[rumors]]\nat = \"1s\"\n[[expect]]\nkind = \"sometimes\"\nmetric = \"sent.rumor\"\n",
    );
    desk.ok("run in/s.toml --set gossip.fanout=2 -o out");
}

#[test]
fn a_result_is_run_again_from_its_manifest_alone() {
    let desk = Desk::new();
    made(&desk);
    // The scenario itself is not needed, but the files that it names are.
    std::fs::remove_file(desk.path("in/s.toml")).expect("removed");
    let before = desk.files("out");
    let out = desk.ok("verify out");
    assert!(out.contains("verified: the run again gave the same"), "{out}");
    assert!(out.contains("headwater run in/s.toml --set gossip.fanout=2 --seed 1"), "{out}");
    assert_eq!(desk.files("out"), before);
    std::fs::rename(desk.path("in"), desk.path("moved")).expect("moved");
    assert!(desk.fails(6, "verify out").contains("say with --base"));
    desk.ok("verify out --base moved");
    desk.write("moved/stakes.csv", "stake\n5\n6\n7\n9\n");
    assert!(desk.fails(2, "verify out --base moved").contains("is not the file that the run had"));
    assert!(desk.fails(2, "verify nowhere").contains("cannot read"));
}

#[test]
fn a_run_that_a_broken_invariant_has_ended_is_verified_like_any_other() {
    let desk = Desk::new();
    // 34 of 100 vote on both sides of a cut: two blocks of a slot are rooted after 31.5 s.
    assert_eq!(desk.call("run safety-violation -o out").code, 1);
    let out = desk.ok("verify out");
    assert!(out.contains("verified: the run again gave the same"), "{out}");
    let rows = std::fs::read_to_string(desk.path("out/votes.csv")).expect("a table");
    desk.write("out/votes.csv", &rows.replacen("\n0,", "\n1,", 1));
    assert!(desk.call("verify out").out.contains("votes.csv: line "));
    // One that a limit has ended might have gone on.
    let gossip = "[gossip]\nstyle = \"push-pull\"\n[limits]\nevents = 20\n";
    desk.write("s.toml", &format!("name = \"s\"\nduration = \"9s\"\nnodes.count = 4\n{gossip}"));
    assert_eq!(desk.call("run s.toml -o short").code, 5);
    let said = desk.fails(2, "verify short");
    assert!(said.contains("only runs that came to their own end can be verified"), "{said}");
}

#[test]
fn verify_finds_one_changed_byte_in_every_file() {
    let desk = Desk::new();
    made(&desk);
    let files = desk.files("out");
    for (name, bytes) in files.iter().filter(|(name, _)| *name != "run.meta.json") {
        // The first byte, one in the middle and the last; what is changed stays a text.
        for place in [0, bytes.len() / 2, bytes.len() - 1] {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            std::fs::write(desk.path(&format!("out/{name}")), &changed).expect("written");
            let said = desk.call("verify out");
            assert_ne!(said.code, 0, "{name}, byte {place}: {}", said.out);
            assert!(!said.err.contains("this is a bug"), "{name}: {}", said.err);
            if name.ends_with(".csv") {
                assert_eq!(said.code, 3, "{name}, byte {place}: {}{}", said.out, said.err);
                let line = format!("  {name}: line ");
                assert!(said.out.contains(&line), "{name}: {}", said.out);
                assert!(said.out.contains("was changed after it was written"), "{}", said.out);
            }
        }
        std::fs::write(desk.path(&format!("out/{name}")), bytes).expect("written");
    }
    std::fs::remove_file(desk.path("out/nodes.csv")).expect("removed");
    let said = desk.call("verify out --keep again");
    assert_eq!(said.code, 3);
    assert!(said.out.contains("nodes.csv: line 1, stored no such file"), "{}", said.out);
    assert!(desk.names("again").contains(&"nodes.csv".to_owned()));
    std::fs::write(desk.path("out/nodes.csv"), &files["nodes.csv"]).expect("written");
    std::fs::write(desk.path("out/run.meta.json"), "{").expect("written");
    assert_eq!(desk.call("verify out").code, 3);
}

#[test]
fn a_changed_digest_is_found_and_the_place_is_bracketed_by_checkpoints() {
    let desk = Desk::new();
    desk.ok("run quick-start --set gossip.interval=100ms --set expect=[] -o out");
    let files = desk.files("out");
    let manifest = String::from_utf8(files["manifest.json"].clone()).expect("UTF-8");
    let digest = manifest.split("\"event_digest\": \"").nth(1).expect("a digest");
    let digest = &digest[..64];
    std::fs::write(desk.path("out/manifest.json"), manifest.replace(digest, &"0".repeat(64)))
        .expect("written");
    let checkpoints = String::from_utf8(files["checkpoints.csv"].clone()).expect("UTF-8");
    let rows: Vec<&str> = checkpoints.lines().collect();
    assert!(rows.len() >= 3, "two checkpoints at least are needed: {checkpoints}");
    // The second checkpoint of the stored run is another one.
    let (head, tail) = rows[2].rsplit_once(',').expect("cells");
    let other: String = tail.chars().map(|c| if c == '0' { '1' } else { '0' }).collect();
    let text = checkpoints.replace(rows[2], &format!("{head},{other}"));
    std::fs::write(desk.path("out/checkpoints.csv"), text).expect("written");
    let said = desk.call("verify out");
    assert_eq!(said.code, 3, "{}{}", said.out, said.err);
    assert!(said.out.contains(&format!("event digest: {} in the manifest", "0".repeat(64))));
    assert!(said.out.contains("this program agrees with itself"), "{}", said.out);
    let place = "the runs part between record 65536 (";
    assert!(said.out.contains(place) && said.out.contains("and record 131072 ("), "{}", said.out);
    assert!(said.out.contains("    now: "), "{}", said.out);
}

#[test]
fn diff_names_the_key_the_metric_and_the_first_event() {
    let desk = Desk::new();
    desk.write(
        "s.toml",
        "name = \"s\"\nduration = \"4s\"\nnodes.count = 6\nnetwork.latency = \"10ms\"\n\
         [[rumors]]\nat = \"1s\"\nsize = \"1kB\"\n[[rumors]]\nat = \"2s\"\nsize = \"1kB\"\n",
    );
    desk.ok("run s.toml -o a");
    desk.ok("run s.toml --set rumors[1].size=2kB -o b");
    let out = desk.ok("diff a b");
    assert!(out.contains("paired: both have the seed 1"), "{out}");
    assert!(out.contains("\nscenario\n  rumors[1].size: \"1kB\" -> \"2kB\"\n"), "{out}");
    assert!(out.contains("\nverdict\n  the same\n"), "{out}");
    // Each of the five others gets a copy straight, and one from each of the four that had it:
    // 5 + 5 * 4 copies, each 1 kB larger.
    assert!(out.contains("  bytes.sent: 50kB -> 75kB (+25kB, +50.0 %)\n"), "{out}");
    assert!(!out.contains("messages.sent"), "{out}");
    // Up to 2 s nothing differs; there the rumor itself is larger.
    let events = out.split("\nevents\n").nth(1).expect("a part about events");
    assert!(events.contains("first difference: record ") && events.contains("at 2s\n"), "{out}");
    assert!(events.contains("\n  A  ") && events.contains("\n  B  "), "{out}");
    let same = desk.ok("diff a a");
    assert_eq!(same.matches("the same").count(), 4, "{same}");
    assert!(!desk.ok("diff a b --no-events").contains("first difference"));
}

#[test]
fn diff_pairs_results_by_their_seeds() {
    let desk = Desk::new();
    desk.write(
        "s.toml",
        "name = \"s\"\nduration = \"4s\"\nnodes.count = 20\n[network]\nloss = \"10%\"\n\
         [[rumors]]\nat = \"1s\"\n",
    );
    for seed in 1..=3 {
        desk.ok(&format!("run s.toml --seed {seed} -o a/{seed}"));
        desk.ok(&format!("run s.toml --set network.loss=0.2 --seed {} -o b/{seed}", seed + 1));
    }
    let out = desk.ok("diff a b");
    assert!(out.contains("2 pairs by their seeds: 2, 3"), "{out}");
    assert!(out.contains("network.loss: \"10%\" -> \"20%\""), "{out}");
    let line = out.lines().find(|line| line.contains("  dropped.loss: ")).expect("a metric");
    assert!(line.contains("+") && line.ends_with("up in 2, down in 0 of 2 pairs"), "{line}");
    assert!(desk.ok("diff a/1 a/2").contains("not paired: seeds 1 and 2"));
    assert!(desk.fails(2, "diff a/1 b").contains("no seed in common"));
    desk.fails(2, "diff a/1 nowhere");
}
