//! Malformed and absurd scenarios: each is refused with clear sentences that name the place, the
//! key, what was found and what was expected.
//!
//! The cases stand in `malformed/*.txt`, separated by `---`; lines that start with `!` are the
//! expected errors without the name of the scenario, and continue on lines that start with `!` and
//! three spaces. Files that they name stand in `malformed/files`.

use std::path::Path;

use headwater::scenario::error::ScenarioError;
use headwater::scenario::plan::Plan;
use headwater::scenario::reader::{Override, Source};
use headwater::scenario::shipped;

const FILES: &[&str] = &[
    include_str!("malformed/keys.txt"),
    include_str!("malformed/nodes.txt"),
    include_str!("malformed/topology.txt"),
    include_str!("malformed/network.txt"),
    include_str!("malformed/rumors.txt"),
    include_str!("malformed/transactions.txt"),
    include_str!("malformed/faults.txt"),
    include_str!("malformed/adversaries.txt"),
    include_str!("malformed/chaos.txt"),
    include_str!("malformed/repair.txt"),
    include_str!("malformed/blocks.txt"),
    include_str!("malformed/expect.txt"),
];

fn source(text: &str) -> Source {
    Source { base_dir: "tests/malformed/files".into(), ..Source::embedded("s", text) }
}

fn lines(result: Result<Plan, Vec<ScenarioError>>) -> Vec<String> {
    let errors = result.err().unwrap_or_default();
    errors.iter().map(ToString::to_string).collect()
}

/// The errors of a scenario text, one a line; empty if it is accepted.
fn refusal(text: &str) -> String {
    lines(shipped::plan(&source(text), &[])).join("\n")
}

/// The errors of the quick start with these overrides.
fn refusal_of_sets(sets: &[&str]) -> String {
    let quick_start = shipped::SCENARIOS[0].source();
    let sets: Result<Vec<Override>, ScenarioError> =
        sets.iter().map(|set| Override::parse(set)).collect();
    match sets {
        Ok(sets) => lines(shipped::plan(&quick_start, &sets)).join("\n"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn every_malformed_scenario_gets_exactly_these_errors() {
    let (mut count, mut wrong) = (0, Vec::new());
    for case in FILES.iter().flat_map(|file| file.split("---\n")) {
        let (expected, text): (Vec<_>, Vec<_>) =
            case.lines().partition(|line| line.starts_with("! "));
        let expected = expected.join("\n").replace("\n!   ", " ").replace("! ", "s:");
        // What the system says of a missing file differs between systems.
        if !cfg!(unix) && expected.contains("os error") {
            continue;
        }
        let text = text.join("\n");
        let found = refusal(&text);
        if found != expected || expected.is_empty() {
            wrong.push(format!("{text}\nexpected: {expected}\nfound:    {found}"));
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(count >= 515, "{count} cases");
}

#[test]
fn an_empty_scenario_is_the_defaults_and_line_ends_do_not_matter() {
    assert_eq!(refusal(""), "");
    assert_eq!(refusal("# nothing\r\n\r\n[nodes]\r\ncount = 4\r\n"), "");
    assert_eq!(refusal("\u{feff}[nodes]\ncount = 4"), "");
    assert_eq!(
        refusal("# nothing\r\n\r\n[nodes]\r\n  cuont = 4\r\n"),
        "s:4:3: nodes.cuont: unknown key; did you mean \"count\"?"
    );
    // A lone carriage return ends no line in TOML.
    assert_eq!(
        refusal("[nodes]\rcount = 4"),
        "s:1:9: not valid TOML: carriage return must be followed by newline, expected newline"
    );
}

#[test]
fn several_errors_are_reported_together_in_the_order_of_the_file() {
    let text =
        "sed = 1\n[nodes]\ncount = 0\n[[faults]]\nkind = \"crash\"\n[gossip]\nfanout = \"2\"";
    assert_eq!(
        refusal(text),
        "s:1:1: sed: unknown key; did you mean \"seed\"?\n\
         s:3:9: nodes.count: 0 is below the minimum 1\n\
         s:4:1: faults[0].at: this key is required and missing; it takes a length of time such as \
         \"80ms\"\n\
         s:4:1: faults[0].nodes: this key is required and missing; it takes a choice of nodes such \
         as \"stake:33%\"\n\
         s:7:10: gossip.fanout: expected an integer, found the text \"2\"; write 2 without quotes"
    );
    // A hundred mistakes do not flood the terminal.
    let many: String = (0..100).map(|i| format!("key{i} = 1\n")).collect();
    let found = refusal(&many);
    assert_eq!(found.lines().count(), 21, "{found}");
    assert!(found.lines().last().is_some_and(|line| line.contains("80")), "{found}");
}

#[test]
fn hostile_sizes_are_refused_quickly_by_name() {
    let repeated = |text: &str, count: usize| refusal(&text.repeat(count));
    let deep = format!("a = {}1{}", "[".repeat(5_000), "]".repeat(5_000));
    assert!(refusal(&deep).contains("nested deeper than 64 levels"), "{}", refusal(&deep));
    let amounts = vec!["1"; 300_000].join(",");
    assert_eq!(
        refusal(&format!("[nodes]\nstake = {{ kind = \"list\", amounts = [{amounts}] }}")),
        "s:2:36: nodes.stake.amounts: 300000 stakes are listed for 25 validators; one each was \
         expected"
    );
    assert_eq!(
        repeated("[[faults]]\nkind = \"heal\"\nat = \"1s\"\nmay_miss = true\n", 10_001),
        "s:1:1: faults: 10001 entries pass the limit of 10000"
    );
    assert_eq!(
        repeated("[[network.link]]\nfrom = 0\nto = 1\n", 1_001),
        "s:1:1: network.link: 1001 entries pass the limit of 1000"
    );
    assert_eq!(
        repeated("[[nodes.class]]\nnodes = 0\n", 10_001),
        "s:1:1: nodes.class: 10001 entries pass the limit of 10000"
    );
    assert_eq!(
        repeated("[[rumors]]\n", 65_536),
        "s:1:1: rumors: 65536 streams pass the limit of 65,535"
    );
    let everyone = "[[rumors]]\nnode = \"all\"\n".repeat(1_001);
    assert_eq!(
        refusal(&format!("nodes.count = 100_000\n{everyone}")),
        "s:2003:8: rumors[1000].node: the streams name more than 100000000 nodes, the limit"
    );
    let site = |i| format!("{{ name = \"s{i}\", latitude = 1, longitude = 1 }}");
    let sites = (0..2_001).map(site).collect::<Vec<_>>().join(",");
    let placement = format!("placement = {{ kind = \"sites\", list = [{sites}] }}");
    assert_eq!(
        refusal(&format!("[nodes]\n{placement}\n[network]\ngeography = {{}}")),
        "s:4:13: network.geography: 2001 sites pass the limit of 2000 for latencies by site"
    );
    let groups = (0..65).map(|i| format!("{i}")).collect::<Vec<_>>().join(",");
    let fault = format!("[[faults]]\nkind = \"partition\"\nat = \"1s\"\ngroups = [{groups}]");
    assert_eq!(
        refusal(&format!("nodes.count = 65\n{fault}")),
        "s:5:10: faults[0].groups: 65 groups; expected 1 to 64"
    );
}

#[test]
fn overrides_are_refused_with_the_text_they_came_in() {
    for (sets, expected) in [
        ("nodes.count=0", "nodes.count: 0 is below the minimum 1 (from --set nodes.count=0)"),
        (
            "gossip.fanot=3",
            "gossip.fanot: unknown key (from --set gossip.fanot=3); did you mean \"fanout\"?",
        ),
        (
            "faults[9].at=1s",
            "faults[9]: there is no entry 9, the list has 1 entry (from --set faults[9].at=1s)",
        ),
        ("nodes=7", "nodes: expected a table, found the number 7 (from --set nodes=7)"),
        (
            "network.loss=120%",
            "network.loss: \"120%\" is a probability above one (100%) (from --set \
             network.loss=120%)",
        ),
        (
            "topology.degree=200",
            "topology.degree: 200 is not possible among 200 nodes; expected 1 to 199 (from --set \
             topology.degree=200)",
        ),
        (
            "nodes",
            "--set nodes: \"=\" and a value are missing; expected KEY=VALUE such as \
             gossip.fanout=8",
        ),
        (
            "nodes.stake.amount=18446744073709551615",
            "--set nodes.stake.amount=18446744073709551615: 18446744073709551615 is above the \
             maximum 9223372036854775807; expected KEY=VALUE such as gossip.fanout=8",
        ),
        ("=5", "--set =5: a part of the key is empty; expected KEY=VALUE such as gossip.fanout=8"),
    ] {
        assert_eq!(refusal_of_sets(&[sets]), expected);
    }
    let table = refusal_of_sets(&["nodes.stake={ kind = equal }"]);
    assert!(
        table.starts_with("--set nodes.stake={ kind = equal }: the value is no TOML: "),
        "{table}"
    );
}

#[test]
fn scenario_files_that_cannot_be_read_are_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("latin1.toml");
    std::fs::write(&path, b"seed = 1\nname = \"caf\xe9\"\n").expect("a file");
    let error = |path: &Path| Source::load(path).expect_err("not readable").to_string();
    let shown = path.display();
    // The byte stands after `name = "caf`, eleven characters.
    let expected =
        format!("{shown}:2:12: byte 0xe9 at offset 20 is not UTF-8; save the file as UTF-8");
    assert_eq!(error(&path), expected);
    assert!(error(folder.path()).ends_with(" is a directory; expected a file"));
    assert!(error(&folder.path().join("none.toml")).contains("none.toml cannot be read: "));
    let found = shipped::find("partition-hael").expect_err("no such scenario").to_string();
    assert!(found.ends_with("did you mean \"partition-heal\"?"), "{found}");
    let found = shipped::find("nothing-like-it").expect_err("no such scenario").to_string();
    assert!(found.contains("`headwater list` names the scenarios"), "{found}");
}

#[test]
fn what_comes_to_nothing_is_accepted_with_a_note() {
    let text = "duration = \"5s\"\nnodes.class = [{ nodes = 1, start = \"6s\" }]\n\
                network.message_limit = \"1kB\"\noutput.peers_at = [\"1s\", \"9s\"]\n\
                [[rumors]]\nat = \"7s\"\nsize = \"2kB\"\n\
                [[faults]]\nkind = \"mute\"\nat = \"8s\"\nnodes = 0\nmay_miss = true\n\
                [topology]\nkind = \"ring\"\ndegree = 4";
    let plan = shipped::plan(&source(text), &[]).expect("a valid scenario");
    assert_eq!(
        plan.notes,
        [
            "s:15:1: topology.degree: kind \"ring\" does not read this key; it belongs to kind \
             \"random-regular\" and \"watts-strogatz\" and \"k-out\"",
            "rumors[0].at: 7s is after the end of the run, 5s",
            "rumors[0].size: 2kB is above network.message_limit, 1kB: every message with such a \
             rumor is dropped",
            "faults[0].at: 8s is after the end of the run, 5s",
            "output.peers_at[1]: 9s is after the end of the run, 5s",
            "nodes: 1 of 25 nodes start after the end of the run",
        ]
    );
}

#[test]
fn what_is_bound_to_be_too_much_is_accepted_with_a_note() {
    let notes = |text: &str| {
        let plan = shipped::plan(&source(text), &[]).expect("a valid scenario");
        plan.notes
    };
    // 12 s are 1,200,000 intervals of 10 us, and each sample has 50 rows.
    let text = "duration = \"12s\"\nnodes.count = 50\n[output]\ntimeline = \"10us\"\n\
                node_timeline = \"10us\"\n[gossip]\nstyle = \"push\"";
    assert_eq!(
        notes(text),
        ["output.node_timeline: 10us makes 60000050 rows of node_timeline.csv"]
    );
    assert!(notes(&text.replace("= 50", "= 40")).is_empty(), "48 million rows");
    let idle = notes("duration = \"12s\"\ndiscovery.enabled = false");
    assert!(idle[..] == [idle[0].clone()] && idle[0].starts_with("nothing happens: "), "{idle:?}");
    assert!(notes("duration = \"12s\"\ndiscovery.enabled = true").is_empty());
    // In a flood among 20 nodes that all know each other everybody sends to 19, and 19 of them to
    // one less: 361 messages, each of them 50 ms under way. Of 1,000 rumors a second 51 appear
    // within that time, both ends included.
    let flood = "nodes.count = 20\ntopology.kind = \"complete\"\nnetwork.latency = \"50ms\"\n\
                 limits.pending_events = 18_410\n[[rumors]]\nevery = \"1ms\"";
    assert_eq!(
        notes(flood),
        ["limits.pending_events: about 18411 messages with rumors may be under way at a time, \
          above the limit of 18410, at which the run stops"]
    );
    assert!(notes(&flood.replace("410", "411")).is_empty());
    let burst = flood.replace("every = \"1ms\"", "count = 51");
    assert_eq!(notes(&burst), notes(flood), "all at once");
}

#[test]
fn stakes_of_an_epoch_that_never_begins_get_a_note() {
    let epochs = |epoch: u32| {
        let text = format!(
            "duration = \"10s\"\n[slots]\nduration = \"400ms\"\nslots_per_epoch = 8\n\
             [blocks]\ncontent = \"synthetic\"\n[consensus]\nstyle = \"tower\"\n\
             [[nodes.epochs]]\nepoch = {epoch}\nstake = {{ kind = 'equal' }}\n"
        );
        let notes = shipped::plan(&source(&text), &[]).expect("a valid scenario").notes;
        let of = notes.into_iter().filter(|note| note.starts_with("nodes.epochs"));
        of.collect::<Vec<String>>()
    };
    // 25 slots of 400 ms: the last of them, if any counts, is slot 25, in epoch 3.
    assert!(epochs(3).is_empty());
    assert_eq!(
        epochs(4),
        ["nodes.epochs[0]: epoch 4 begins in slot 32, and a run of 10s ends before it"]
    );
}

#[test]
fn keys_of_repair_that_nobody_reads_get_a_note() {
    let notes = |text: &str| shipped::plan(&source(text), &[]).expect("a valid scenario").notes;
    let text = "[repair]\nstyle = \"solana\"\nbackoff = 3\ndelay = \"1s\"";
    let not_read = "repair.backoff: not read with repair.style = \"solana\"";
    let no_blocks = "repair.style: there are no blocks to repair (blocks.content = \"off\")";
    assert_eq!(notes(text), [no_blocks, not_read]);
    let blocks = "[blocks]\ncontent = \"synthetic\"\n";
    assert_eq!(notes(&format!("{blocks}{text}")), [not_read]);
    assert_eq!(
        notes(&format!("{blocks}[gossip]\nrecent_blocks = 5")),
        ["gossip.recent_blocks: without rounds of gossip no block is sent again"]
    );
}

#[test]
fn keys_about_blocks_that_nobody_reads_get_a_note() {
    let notes = |text: &str| shipped::plan(&source(text), &[]).expect("a valid scenario").notes;
    let off = "there are no blocks, because blocks.content is \"off\", as without the key";
    let blocks = "[blocks]\ncontent = \"synthetic\"\n";
    let all = "[slots]\nduration = \"1s\"\n[turbine]\ntree = \"star\"\n[repair]\nbackoff = 3\n\
               [blocks]\nshreds = 9\n";
    assert_eq!(
        notes(all),
        [
            &format!("slots: {off}"),
            &format!("blocks.shreds: {off}"),
            &format!("turbine: {off}"),
            "repair.backoff: not read with repair.style = \"off\"",
        ]
    );
    for (keys, expected) in [
        ("slots.adjustment = \"50ms\"", "slots.adjustment: not read with slots.start = \"clock\""),
        (
            "slots = { start = \"poh\", begin = \"1s\" }",
            "slots.begin: not read with slots.start = \"poh\"",
        ),
        ("slots.leaders = [0, 1]", "slots.leaders: not read with slots.schedule = \"epoch\""),
        (
            "slots = { schedule = \"round-robin\", first_epoch = 7 }",
            "slots.first_epoch: not read with slots.schedule = \"round-robin\"",
        ),
        (
            "slots = { schedule = \"list\", leaders = [0], slots_per_epoch = 8 }",
            "slots.slots_per_epoch: not read with slots.schedule = \"list\"",
        ),
        (
            "turbine.relay = \"rotation\"",
            "turbine.relay: not read with turbine.tree = \"stake-weighted\"",
        ),
        (
            "turbine = { tree = \"star\", fanout = 9 }",
            "turbine.fanout: not read with turbine.tree = \"star\"",
        ),
        (
            "turbine = { tree = \"relay\", layout = \"heap\" }",
            "turbine.layout: not read with turbine.tree = \"relay\"",
        ),
        (
            "turbine = { tree = \"kary\", generator = \"chacha20\" }",
            "turbine.generator: not read with turbine.tree = \"kary\"",
        ),
        (
            "turbine = { tree = \"relay\", relay = \"rotation\", generator = \"chacha20\" }",
            "turbine.generator: not read with turbine.relay = \"rotation\"",
        ),
        (
            "turbine.last_chunk_size = \"9B\"",
            "turbine.last_chunk_size: not read with turbine.coding = \"none\"",
        ),
        (
            "turbine.coding_overhead = \"9B\"",
            "turbine.coding_overhead: not read with turbine.coding = \"none\"",
        ),
        ("turbine.erasure = \"real\"", "turbine.erasure: not read with turbine.coding = \"none\""),
        (
            "turbine.forward_recovered = false",
            "turbine.forward_recovered: not read with turbine.coding = \"none\"",
        ),
    ] {
        assert_eq!(notes(&format!("{keys}\n{blocks}")), [expected]);
    }
}

#[test]
fn keys_about_votes_that_nobody_reads_get_a_note() {
    let notes = |text: &str| shipped::plan(&source(text), &[]).expect("a valid scenario").notes;
    let off = "there are no blocks, because blocks.content is \"off\", as without the key";
    let blocks = "[blocks]\ncontent = \"synthetic\"\n";
    for (keys, expected) in [
        (
            "consensus.spread = \"peers\"",
            "consensus.spread: not read with consensus.style = \"off\"",
        ),
        (
            "consensus = { style = \"classroom\", threshold_depth = 4 }",
            "consensus.threshold_depth: not read with consensus.style = \"classroom\"",
        ),
        (
            "consensus = { style = \"classroom\", switch = \"40%\" }",
            "consensus.switch: not read with consensus.style = \"classroom\"",
        ),
        (
            "consensus = { style = \"classroom\", propagation = false }",
            "consensus.propagation: not read with consensus.style = \"classroom\"",
        ),
        (
            "consensus = { style = \"tower\", propagation = false }",
            "consensus.propagation: not read with gossip.style = \"off\"",
        ),
    ] {
        assert_eq!(notes(&format!("{keys}\n{blocks}")), [expected]);
    }
    // All of them are read by these.
    let tower = "rules = \"solana\"\n[consensus]\nstyle = \"tower\"\nthreshold_depth = 4\n\
                 switch = \"40%\"\nspread = \"peers\"\npropagation = false\n";
    assert_eq!(notes(&format!("{tower}{blocks}")), [""; 0]);
    assert_eq!(notes("[consensus]\nstyle = \"tower\""), [format!("consensus: {off}")],);
}

#[test]
fn blocks_that_cannot_be_made_or_followed_get_a_note() {
    // What stands behind "[[" is of the table of blocks.
    let notes = |text: &str| {
        let (keys, blocks) = text.split_once("[[").unwrap_or((text, ""));
        let text = format!("duration = \"9s\"\nnodes.count = 5\n{keys}\n[blocks]\n");
        let text = format!("{text}content = \"synthetic\"\n{blocks}\n");
        shipped::plan(&source(&text), &[]).expect("a valid scenario").notes
    };
    let after = "the first slot that anybody leads begins at";
    for (keys, expected) in [
        ("slots = { begin = \"8601ms\" }", format!("slots.begin: {after} 9001ms, after the end of the run, 9s")),
        ("slots = { duration = \"9001ms\" }", format!("slots.duration: {after} 9001ms, after the end of the run, 9s")),
        // Below the root of a tree of its own for every shred are 3, below the leader 4.
        ("turbine = { fanout = 4 }", "turbine.fanout: 4 is more than there are nodes below the root, 3: trees have one layer".to_owned()),
        ("turbine = { tree = \"kary\", fanout = 5 }", "turbine.fanout: 5 is more than there are nodes below the root, 4: trees have one layer".to_owned()),
        ("turbine = { emission = \"by-set\" }", "turbine.emission: with \"by-set\" the last set of a block leaves when the next slot begins by the clock, so that every new leader builds past the block before; slots.start = \"poh\" lets leaders wait".to_owned()),
        // By the clock slot 22 begins at 8.8 s.
        ("[[explicit = [{ slot = 23, bytes = \"9kB\" }]", "blocks.explicit[0].slot: a run of 9s ends before slot 23".to_owned()),
    ] {
        assert_eq!(notes(keys), [expected]);
    }
    for keys in [
        "slots = { begin = \"8600ms\" }",
        "slots = { duration = \"9s\" }",
        "slots = { start = \"poh\", duration = \"9001ms\" }",
        "turbine = { fanout = 3 }",
        "turbine = { tree = \"kary\", fanout = 4 }",
        "turbine = { emission = \"by-set\" }\nslots.start = \"poh\"",
        "turbine = { emission = \"by-shred\" }",
        "[[explicit = [{ slot = 22, bytes = \"9kB\" }]",
        // By ticks slot 1 begins at once.
        "slots.start = \"poh\"[[explicit = [{ slot = 23, bytes = \"9kB\" }]",
    ] {
        assert!(notes(keys).is_empty(), "{keys}: {:?}", notes(keys));
    }
}

#[test]
fn limits_of_blocks_are_those_of_what_is_really_asked_for() {
    // 10 slots and 990 ahead have 10^9 hashes; without transactions nobody looks so far.
    let ahead = |content: &str, lookahead: u32| {
        refusal(&format!(
            "duration = \"10s\"\nslots = {{ duration = \"1s\", schedule = \"poh\", \
             hashes_per_slot = 1_000_000 }}\nforward.lookahead = {lookahead}\n\
             blocks.content = \"{content}\""
        ))
    };
    assert_eq!(ahead("transactions", 990), "");
    assert!(ahead("transactions", 991).contains("991 that nodes look ahead"));
    assert_eq!(ahead("synthetic", 5_000), "");
    // One block of 30 MB takes 60 MB when it is coded, and 25 of 100 kB take 5 MB.
    let real = "[blocks]\ncontent = \"synthetic\"\nexplicit = [{ slot = 5, bytes = \"30MB\" }]\n\
                [turbine]\ncoding = \"32:32\"\nerasure = \"real\"";
    assert_eq!(refusal(real), "");
}

#[test]
fn keys_about_blocks_that_are_read_get_no_note() {
    let blocks = "[blocks]\ncontent = \"synthetic\"\n";
    let notes = |text: &str| shipped::plan(&source(text), &[]).expect("a valid scenario").notes;
    // Nor does what a preset says.
    for keys in [
        "slots = { start = \"poh\", adjustment = \"50ms\", first_epoch = 7 }",
        "slots = { schedule = \"list\", leaders = [0] }",
        "turbine = { tree = \"relay\", generator = \"chacha20\" }",
        "turbine = { tree = \"star\", fanout = 9 }\ngossip = { style = \"push\", recent_blocks = 1 }",
        "turbine = { tree = \"shuffled\", layout = \"interleaved\", fanout = 3 }",
        "turbine = { coding = \"4:4\", last_chunk_size = \"9B\", coding_overhead = \"9B\" }",
        "turbine = { coding = \"4:4\", erasure = \"real\", forward_recovered = false }",
        "rules = \"solana\"\nturbine = { tree = \"star\", coding = \"none\" }",
    ] {
        assert!(notes(&format!("{keys}\n{blocks}")).is_empty(), "{keys}");
    }
    assert!(notes("rules = \"solana\"").is_empty() && notes("rules = \"classroom\"").is_empty());
    // 100,000 nodes decode 25 blocks of 1 MB each: 2.5 TB.
    let much = "nodes.count = 100_000\nturbine = { coding = \"32:32\", erasure = \"real\" }\n\
                slots.duration = \"400ms\"\nblocks.bytes = \"1MB\"\nblocks.content = \"synthetic\"\n";
    let expected = "turbine.erasure: 100000 nodes decode up to 25 blocks of 1MB, which takes long; \
                    \"counted\" gives the same run";
    assert!(notes(much).contains(&expected.to_owned()), "{:?}", notes(much));
    assert!(!notes(&much.replace("real", "counted")).contains(&expected.to_owned()));
}
