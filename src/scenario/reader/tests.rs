//! Scenario layer, reader, tests only: reading as a whole, presets, overrides and places.

use super::example::{Example, Fault, Group, Meets, Share, Stakes, Topology};
use super::*;

/// A format of another module: it refuses one text.
pub(super) const NODES: FormatCheck = ("nodes", |text| match text {
    "nobody" => Err(format!("\"{text}\" chooses no nodes")),
    _ => Ok(()),
});

/// A scenario that uses every shape of the example type.
pub(super) const FULL: &str = r#"
name = "full" # ü
duration = "90s"
stakes = [5, 3, 1]

[network]
latency = "20ms"
loss = 0.25
uplink = "10Mbit/s"
matrix = [["0s", "1ms"], ["1ms", "0s"]]
spread = [1, 1.5]
meets = "block-chunks"
weights = [1, 2.5]
ordered = true
classes = { home = "5Mbit/s", "data centre" = "1Gbit/s" }

[topology]
kind = "small-world"
rewire = "10%"

[[faults]]
kind = "crash"
at = "1s"
nodes = "random:3"
back = "5s"

[[faults]]
kind = "partition"
at = "2s"
groups = ["a", { nodes = "b", share = "50%" }]

[sites.Tokyo]
latitude = 35.7
weight = 3

[gossip]
fanout = 8
tags = ["x", "y"]
push.life = "15s"
push.rests = ["1s", 2]
"#;

pub(super) const PRESETS: &[(&str, &str)] = &[
    (
        "slow",
        "name = 'slow'\n[network]\nlatency = '1s'\nspread = [3, 4]\nclasses.a = '1bit/s'\n\
         [topology]\nkind = 'k-out'\nk = 4\n[gossip]\nfanout = 2\ntags = ['p', 'q', 'r']\n",
    ),
    ("faulty", "name = 'faulty'\n[network]\nlatncy = '1s'\n"),
    ("broken", "name = \n"),
];

fn try_read(text: &str, sets: &[&str]) -> Result<Read<Example>, Vec<String>> {
    let sets = sets.iter().map(|set| Override::parse(set)).collect::<Result<Vec<_>, _>>();
    let sets = sets.map_err(|error| vec![error.to_string()])?;
    read(&Source::embedded("s", text), PRESETS, &sets, &[NODES])
        .map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

fn good(text: &str, sets: &[&str]) -> Read<Example> {
    try_read(text, sets).unwrap_or_else(|errors| panic!("{text}: {errors:?}"))
}

pub(super) fn bad(text: &str, sets: &[&str]) -> String {
    try_read(text, sets).expect_err(text).join("\n")
}

/// The errors of a scenario without presets and overrides.
pub(super) fn errors_of(source: &Source) -> Vec<String> {
    match read::<Example>(source, &[], &[], &[NODES]) {
        Ok(read) => panic!("no error in {}: {read:?}", source.text),
        Err(errors) => errors.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn every_shape_is_read() {
    let read = good(FULL, &[]);
    let value = &read.value;
    assert_eq!(value.duration, Span::from_secs(90));
    assert_eq!(value.stakes, Stakes::List(vec![5, 3, 1]));
    assert_eq!(value.network.loss.ppb(), 250_000_000);
    assert_eq!(value.network.buffer, Bytes(65_536), "the default");
    assert_eq!(value.network.spread, [1.0, 1.5]);
    assert_eq!(value.network.weights, Some(vec![1.0, 2.5]));
    assert_eq!(value.network.meets, Meets::BlockChunks);
    assert_eq!(value.network.classes["data centre"].bits_per_second(), 1_000_000_000);
    let ten_percent = Chance::from_ppb(100_000_000).expect("below one");
    assert_eq!(value.topology, Topology::SmallWorld { near: 2, rewire: ten_percent });
    let half = Chance::from_ppb(500_000_000).expect("below one");
    let share = Group::Share(Share { nodes: "b".into(), share: half });
    let groups = vec![Group::Selector("a".into()), share];
    assert_eq!(value.faults[1], Fault::Partition { at: Span::from_secs(2), groups });
    assert_eq!(value.sites["Tokyo"].weight, 3);
    let gossip = value.gossip.as_ref().expect("the table is there");
    assert_eq!((gossip.fanout, gossip.push.life), (8, Some(Span::from_secs(15))));
    assert_eq!(read.notes, []);
}

#[test]
fn what_was_read_reads_back_and_line_ends_do_not_matter() {
    let first = good(FULL, &[]);
    assert_eq!(good(&FULL.replace('\n', "\r\n"), &[]).value, first.value);
    assert_eq!(good(&first.table.to_string(), &[]).value, first.value);
    let printed = toml::to_string(&first.value).expect("every value can be written as TOML");
    assert_eq!(good(&printed, &[]).value, first.value);
}

#[test]
fn a_preset_lies_under_the_file() {
    let read = good(
        "rules = 'slow'\n[network]\nspread = [1, 2]\nclasses.b = '2bit/s'\n[gossip]\ntags = []",
        &[],
    );
    let network = &read.value.network;
    assert_eq!(read.value.name, "slow");
    assert_eq!(network.latency, Span::from_secs(1), "from the preset");
    assert_eq!(network.spread, [1.0, 2.0], "the list of the file replaces the other");
    assert_eq!(network.classes.keys().collect::<Vec<_>>(), ["a", "b"], "tables are merged");
    assert_eq!(read.value.topology, Topology::KOut { k: 4 });
    let gossip = read.value.gossip.expect("the preset has the table");
    assert_eq!((gossip.fanout, gossip.tags), (2, vec![]));
    let table = read.table["network"].as_table().expect("a table");
    assert_eq!(table.keys().collect::<Vec<_>>(), ["latency", "spread", "classes"]);
}

#[test]
fn a_table_of_another_kind_replaces_that_of_the_preset() {
    let topology = |text: &str| good(&format!("rules = 'slow'\n[topology]\n{text}"), &[]);
    assert_eq!(topology("k = 7").value.topology, Topology::KOut { k: 7 });
    assert_eq!(topology("kind = 'k-out'").value.topology, Topology::KOut { k: 4 });
    let complete = topology("kind = 'complete'");
    assert_eq!(complete.value.topology, Topology::Complete);
    assert_eq!(complete.notes, [], "k of the preset is gone without a word");
    assert_eq!(complete.table["topology"].to_string(), "{ kind = \"complete\" }");
}

#[test]
fn errors_about_presets_say_where() {
    assert_eq!(
        bad("name = 'x'\nrules = 'slwo'", &[]),
        "s:2:9: rules: there are no rules \"slwo\"; did you mean \"slow\"?"
    );
    assert_eq!(
        bad("rules = 'moon'", &[]),
        "s:1:9: rules: there are no rules \"moon\"; known are slow, faulty, broken"
    );
    assert_eq!(
        bad("rules = 'faulty'\nduration = 1", &[]),
        "s:2:12: duration: expected a length of time such as \"80ms\", found the number 1\n\
         rules faulty:3:1: network.latncy: unknown key; did you mean \"latency\"?"
    );
    let broken = bad("rules = 'broken'", &[]);
    assert_eq!(broken, "rules broken:1:8: a value is missing after \"=\" or \",\"");
}

#[test]
fn overrides_set_every_kind_of_key_after_the_merge() {
    let sets = [
        "network.loss=2%",
        "name=from outside",
        "gossip.fanout = 9",
        "gossip.push.life=1s",
        "faults[0].at=7s",
        "faults.1.groups[0]=c",
        "sites.\"New York\".latitude=40.7",
        "network.matrix[1][0]=3ms",
        "stakes={kind=\"zipf\", exponent=1}",
    ];
    let value = good(FULL, &sets).value;
    assert_eq!(value.network.loss.ppb(), 20_000_000);
    assert_eq!(value.name, "from outside");
    let gossip = value.gossip.expect("the table is there");
    assert_eq!((gossip.fanout, gossip.push.life), (9, Some(Span::from_secs(1))));
    assert!(matches!(&value.faults[0], Fault::Crash { at, .. } if *at == Span::from_secs(7)));
    assert!(matches!(&value.faults[1], Fault::Partition { groups, .. }
        if groups[0] == Group::Selector("c".into())));
    assert_eq!(value.sites["New York"].latitude, 40.7);
    assert_eq!(value.network.matrix[1][0], Span::from_millis(3));
    assert!(matches!(value.stakes, Stakes::Rule(_)));
    // A table that neither the file nor the preset has; the later of two wins.
    let value = good("name = 'x'", &["gossip.fanout=3", "gossip.fanout=4"]).value;
    assert_eq!(value.gossip.map(|gossip| gossip.fanout), Some(4));
}

#[test]
fn an_override_of_the_rules_chooses_the_preset() {
    let sets = ["network.latency=5s", "rules=slow"];
    let value = good("rules = 'broken'", &sets).value;
    assert_eq!((value.name.as_str(), value.network.latency), ("slow", Span::from_secs(5)));
    assert_eq!(
        bad("", &["rules=slwo"]),
        "rules: there are no rules \"slwo\" (from --set rules=slwo); did you mean \"slow\"?"
    );
}

#[test]
fn switching_the_kind_drops_and_notes_the_keys_of_the_old_one() {
    let read = good("name='x'\n[topology]\nkind = 'k-out'\nk = 3", &["topology.kind=complete"]);
    assert_eq!(read.value.topology, Topology::Complete);
    assert_eq!(read.table["topology"].to_string(), "{ kind = \"complete\" }");
    let notes: Vec<_> = read.notes.iter().map(ToString::to_string).collect();
    let expected = "s:4:1: topology.k: kind \"complete\" does not read this key; \
                    it belongs to kind \"k-out\"";
    assert_eq!(notes, [expected]);
    let text = "name='x'\n[[faults]]\nkind = 'crash'\nat = '1s'\nnodes = 'a'\ngroups = []";
    let notes = good(&format!("{text}\n[topology]\nkind='complete'\nrewire = 0"), &[]).notes;
    let notes: Vec<_> = notes.iter().map(|note| note.hint.as_deref()).collect();
    let kind = |name: &str| format!("it belongs to kind \"{name}\"");
    assert_eq!(notes, [Some(kind("partition").as_str()), Some(kind("small-world").as_str())]);
    // A key of no kind stays an error.
    assert_eq!(
        bad("name='x'\n[topology]\nkind = 'k-out'\nk = 3\nq = 1", &["topology.kind=complete"]),
        "s:5:1: topology.q: unknown key; the keys here are kind"
    );
}

#[test]
fn errors_about_overrides_name_the_override() {
    for (set, expected) in [
        (
            "gosip.fanout=8",
            "gosip: unknown key (from --set gosip.fanout=8); did you mean \"gossip\"?",
        ),
        (
            "gossip.fanut=8",
            "gossip.fanut: unknown key (from --set gossip.fanut=8); did you mean \"fanout\"?",
        ),
        (
            "gossip.fanout=x",
            "gossip.fanout: expected an integer, found the text \"x\" (from --set gossip.fanout=x)",
        ),
        (
            "network.loss=120%",
            "network.loss: \"120%\" is a probability above one (100%) \
             (from --set network.loss=120%)",
        ),
        (
            "faults[2].at=1s",
            "faults[2]: there is no entry 2, the list has 2 entries (from --set faults[2].at=1s)",
        ),
        (
            "network.mtrix[0]=1s",
            "network.mtrix: unknown key (from --set network.mtrix[0]=1s); did you mean \"matrix\"?",
        ),
        (
            "network[0]=1",
            "network[0]: a number in brackets needs a list, found a table \
             (from --set network[0]=1)",
        ),
        (
            "faults.at=1s",
            "faults.at: expected the number of a list entry (from --set faults.at=1s)",
        ),
        ("name.x=1", "name.x: there are no keys in the text \"full\" (from --set name.x=1)"),
        (
            "topology.kind=rign",
            "topology.kind: unknown kind \"rign\" (from --set topology.kind=rign); \
             known are complete, k-out, small-world",
        ),
        (
            "gossip",
            "--set gossip: \"=\" and a value are missing; \
             expected KEY=VALUE such as gossip.fanout=8",
        ),
        ("=8", "--set =8: a part of the key is empty; expected KEY=VALUE such as gossip.fanout=8"),
    ] {
        assert_eq!(bad(FULL, &[set]), expected, "{set}");
    }
    assert_eq!(
        bad("name = 'x'", &["faults[0].at=1s"]),
        "faults: there is no entry 0, the list has 0 entries (from --set faults[0].at=1s)"
    );
    // A required key is missing in a table that only the override made.
    assert_eq!(
        bad("name = 'x'", &["topology.k=3"]),
        "topology.kind: this key is required and missing (from --set topology.k=3); \
         it is one of \"complete\", \"k-out\", \"small-world\""
    );
}

#[test]
fn an_override_can_be_made_from_a_value() {
    let set = Override::new("faults.0.at", "7s".into()).expect("a good key");
    assert_eq!((set.key().as_str(), set.text()), ("faults.0.at", "faults.0.at=\"7s\""));
    assert_eq!(set.value().as_str(), Some("7s"));
    let read = read::<Example>(&Source::embedded("s", FULL), &[], &[set], &[]).expect("fine");
    assert_eq!(read.table["faults"][0]["at"].as_str(), Some("7s"));
    assert!(Override::new("a=b", 1.into()).is_err());
}

#[test]
fn later_errors_get_the_place_of_the_longest_part_of_their_key() {
    let text = "rules = 'slow'\nname = 'x'\n[[faults]]\nkind = 'crash'\nat = '1s'\nnodes = 'a'";
    let read = good(text, &["network.uplink=1bit/s"]);
    let place = |key: &str| read.locations.locate(ScenarioError::new(key, "bad")).to_string();
    assert_eq!(place("faults[0].at"), "s:5:6: faults[0].at: bad");
    assert_eq!(place("faults[0].back"), "s:3:1: faults[0].back: bad");
    assert_eq!(place("faults[7].at"), "s:3:1: faults[7].at: bad");
    assert_eq!(place("network.latency"), "rules slow:3:11: network.latency: bad");
    let by_override = "network.uplink: bad (from --set network.uplink=1bit/s)";
    assert_eq!(place("network.uplink"), by_override);
    assert_eq!(place("duration"), "duration: bad", "not written anywhere");
    assert_eq!(place(""), "bad");
    assert_eq!(place("[["), "[[: bad");
}

/// What only serde finds: the schema knows no rule between keys.
#[derive(Debug, serde::Deserialize, JsonSchema)]
struct Picky {
    #[expect(dead_code, reason = "only reading is tested")]
    list: Vec<Even>,
}

#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(try_from = "i64")]
struct Even;

impl TryFrom<i64> for Even {
    type Error = String;
    fn try_from(number: i64) -> Result<Self, String> {
        if number % 2 == 0 { Ok(Self) } else { Err(format!("{number} is odd\nreally")) }
    }
}

#[test]
fn an_error_of_serde_gets_its_place_too() {
    let text = "list = [2, 4,\n 5]";
    let errors = read::<Picky>(&Source::embedded("s", text), &[], &[], &[]).expect_err("5 is odd");
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].to_string(), "s:2:2: list[2]: 5 is odd\\nreally");
}

#[test]
fn at_most_twenty_errors_are_listed() {
    let many: String = (0..30).map(|i| format!("q{i} = 1\n")).collect();
    let errors = errors_of(&Source::embedded("s", &format!("name = 'x'\n{many}")));
    assert_eq!(errors.len(), 21);
    assert!(errors[19].starts_with("s:21:1: q19: unknown key"), "{}", errors[19]);
    assert_eq!(errors[20], "10 more errors not shown");
}
