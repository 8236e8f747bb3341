//! How a mutant comes about: a shipped scenario, made small, and a few random changes.

use headwater::base::rng::Rng;
use headwater::scenario::shipped::SCENARIOS;

/// Values that stand at the edges of what can be written, by what they look like: see [`kind_of`].
const EXTREMES: [&[&str]; 9] = [
    // Times.
    &[
        "\"0s\"",
        "\"1ns\"",
        "\"999ns\"",
        "\"1us\"",
        "\"10us\"",
        "\"1ms\"",
        "\"1s\"",
        "\"1h\"",
        "\"3601s\"",
        "\"8784h\"",
        "\"5124095h\"",
        "\"18446744073709551615ns\"",
    ],
    // Sizes.
    &["\"0B\"", "\"1B\"", "\"1232B\"", "\"1MiB\"", "\"1GiB\"", "\"1024GiB\"", "4294967295", "0"],
    // Rates.
    &[
        "\"1bit/s\"",
        "\"8bit/s\"",
        "\"1kbit/s\"",
        "\"18446744073709551615bit/s\"",
        "{ rate = \"1bit/s\", buffer = 4294967295 }",
        "{ rate = \"1bit/s\", buffer = \"1024GiB\" }",
        "{ rate = \"1Mbit/s\", buffer = 0 }",
    ],
    // Shares.
    &[
        "\"0%\"",
        "\"100%\"",
        "\"1ppb\"",
        "0",
        "1",
        "0.5",
        "{ good_to_bad = 1, bad_to_good = 1 }",
        "{ good_to_bad = 0, bad_to_good = 0 }",
    ],
    // Nodes.
    &[
        "\"all\"",
        "\"rest\"",
        "\"observers\"",
        "\"validators\"",
        "\"0..1\"",
        "\"0..30\"",
        "\"0..60\"",
        "\"random:0\"",
        "\"random:1\"",
        "\"random:100%\"",
        "\"stake:1ppb\"",
        "\"stake:50%\"",
        "\"top-stake:100%\"",
        "0",
        "29",
        "[\"0..2\", \"rest\"]",
        "[0]",
        "[1, 2, \"random:3\"]",
    ],
    // Numbers.
    &[
        "0",
        "1",
        "2",
        "3",
        "7",
        "64",
        "1000",
        "100000",
        "4294967295",
        "4294967296",
        "1000000000",
        "9223372036854775807",
        "-1",
        "-9223372036854775808",
        "0.0",
        "1.0",
        "1e-9",
        "1e9",
        "1e300",
    ],
    // Distributions.
    &[
        "{ kind = \"exponential\", mean = \"1h\" }",
        "{ kind = \"constant\", value = \"0s\" }",
        "{ kind = \"pareto\", min = \"1h\", exponent = 1e-9 }",
        "{ kind = \"normal\", mean = \"0s\", deviation = \"1h\" }",
        "{ kind = \"uniform\", min = \"0s\", max = \"1h\" }",
        "\"0s\"",
        "\"1ns\"",
        "\"1h\"",
        "{ kind = \"log-normal\", median = \"1ns\", sigma = 10.0 }",
    ],
    // Words, and what is a value of no key.
    &[
        "\"flood\"",
        "\"forward-once\"",
        "\"push\"",
        "\"pull\"",
        "\"push-pull\"",
        "\"direct\"",
        "\"gossip\"",
        "\"solana\"",
        "\"off\"",
        "\"lost\"",
        "\"aligned\"",
        "\"membership\"",
        "\"ring\"",
        "\"k-out\"",
        "true",
        "false",
        "\"\"",
        "[]",
        "{}",
        "nan",
        "[[0, 1]]",
        "1979-05-27",
        "\"star\"",
        "\"relay\"",
        "\"rotated\"",
        "\"stake-weighted\"",
        "\"by-shred\"",
        "\"whole-block\"",
        "\"round-robin\"",
        "\"classroom\"",
        "\"solana\"",
        "\"leaders\"",
        "\"random\"",
        "\"oldest\"",
        "\"transactions\"",
    ],
    // Codings.
    &["\"none\"", "\"1:1\"", "\"1:255\"", "\"255:1\"", "\"200:100\"", "\"0:0\"", "10:10"],
];

/// Which row of [`EXTREMES`] a written value looks like.
fn kind_of(value: &str) -> usize {
    let value = value.split('#').next().unwrap_or_default().trim().trim_end_matches('"');
    let number = value.trim_start_matches('"').starts_with(|c: char| c.is_ascii_digit());
    let ends = |units: &[&str]| number && units.iter().any(|unit| value.ends_with(unit));
    match value {
        _ if ends(&["bit/s"]) => 2,
        _ if ends(&["B"]) => 1,
        _ if ends(&["%"]) => 3,
        _ if ends(&["s", "min", "h"]) => 0,
        _ if value.contains("..") || value.contains("validators") || value == "\"all" => 4,
        _ if value.contains("kind = ") => 6,
        _ if number && value.contains(':') => 8,
        _ if number => 5,
        _ => 7,
    }
}

/// The extremes of what a written value looks like.
pub(crate) fn extremes_like(value: &str) -> &'static [&'static str] {
    EXTREMES[kind_of(value)]
}

/// Whole entries that make use of keys that no shipped scenario has.
const ENTRIES: &[&str] = &[
    "[cost]\nmessage = \"1ms\"\nkilobyte = \"1ms\"\nsign = \"1ms\"\nverify = \"1ms\"\n\
     hash_kilobyte = \"1us\"\nexecute = \"1us\"\npoh = \"1ms\"\nshred = \"1us\"\ncode = \"1us\"",
    "[slots]\nduration = \"100ms\"\nschedule = \"round-robin\"\nwindow = 2\nbegin = \"50ms\"",
    "[slots]\nstart = \"poh\"\nadjustment = \"20ms\"\nslots_per_epoch = 8\nfirst_epoch = 3",
    "[slots]\nschedule = \"list\"\nleaders = [0, 2, 1]",
    "[slots]\nschedule = \"poh\"\nhashes_per_slot = 50\nregistry = \"genesis\"",
    "[blocks]\ncontent = \"synthetic\"\nbytes = \"20kB\"",
    "[turbine]\ntree = \"stake-weighted\"\nfanout = 3\ncoding = \"4:4\"\nerasure = \"real\"",
    "[turbine]\ntree = \"shuffled\"\nlayout = \"heap\"\ngenerator = \"chacha20\"\nrelay = \"stake\"",
    "[turbine]\nchunk_size = \"500B\"\nlast_chunk_size = \"400B\"\ncoding = \"3:1\"",
    "[turbine]\ndata_overhead = \"8B\"\ncoding_overhead = \"9B\"\nnext_leader = true",
    "[turbine]\norder = \"child-major\"\nemission = \"by-set\"\nproposals = true",
    "[turbine]\nforward_received = true\nforward_recovered = false\nmemo = false",
    "[turbine]\npartial_blocks = 2\nexpiry = \"300ms\"\nhistory = 3",
    "[[blocks.explicit]]\nslot = 2\nbytes = \"9kB\"",
    "[[blocks.explicit]]\nslot = 3\nshreds = 7",
    "[blocks]\ncontent = \"transactions\"\nmax_transactions = 5\nmax_bytes = \"2kB\"",
    "[ledger]\naccounts = 300\nbalance = 7\nexpiry_blocks = 3",
    "[mempool]\ntransactions = 3\nbytes = \"700B\"\neviction = \"oldest\"",
    "[forward]\nmode = \"leaders\"\nlookahead = 3\nhold = 1\nrelay = true\nretry = \"300ms\"",
    "[forward]\nmode = \"random\"\npool = 2\nfanout = 2",
    "[[transactions]]\ncount = 20\nevery = \"50ms\"\nsender = 1\nreceiver = 2\namount = 3",
    "[[transactions]]\nper_second = 50.0\nnode = \"all\"\nforged = \"5%\"\noverspent = \"5%\"\n\
     repeated = \"5%\"\ndata = \"99B\"\nchoose = { kind = \"zipf\", exponent = 1.5 }",
    "[[transactions]]\nat = \"1s\"\nburst = 9\nuntil = \"2s\"\nnode = 3",
    "[repair]\nstyle = \"solana\"\nbudget = \"1Mbit/s\"\ndelay = \"20ms\"\npoll = \"2ms\"",
    "[repair]\nstyle = \"classroom\"\ntimeout = \"50ms\"\nretry = \"50ms\"\nattempts = 3",
    "[limits]\npending_events = 1000\ninbox = 1\nrumors = 64",
    "[nodes.placement]\nkind = \"solana-mainnet\"",
    "[nodes.placement]\nkind = \"regions\"\nnames = [\"a\", \"b\"]\nweights = [1, 2]",
    "[[nodes.class]]\nnodes = \"0..2\"\nstart = \"1s\"\nconnect = \"2s\"\nuplink = \"1Mbit/s\"",
    "[[network.link]]\nfrom = 0\nto = \"all\"\nlatency = \"1ms\"\nloss = \"5%\"\nin_order = true",
    "[[rumors]]\nspread = \"push\"\nrounds = 2\nphase = \"aligned\"\nfanout = 2",
    "[[rumors]]\nspread = \"pull\"\ncount = 100\nevery = \"1ms\"",
    "[[rumors]]\nspread = \"push-pull\"\nper_second = 100.0",
    "[[rumors]]\nspread = \"direct\"\nto = \"all\"\ncount = 20\nnode = \"all\"",
    "[[rumors]]\nspread = \"flood\"\necho = true\nsize = \"1GiB\"",
    "[[rumors]]\nspread = \"gossip\"\nsize = \"461B\"\ncount = 50\nevery = \"9ms\"",
    "[[faults]]\nkind = \"pause\"\nat = \"500ms\"\nfor = \"1s\"\nnodes = \"0..2\"",
    "[[faults]]\nkind = \"slow\"\nat = \"0s\"\nnodes = \"0..2\"\nfactor = 9\nper_message = \"1s\"",
    "[[faults]]\nkind = \"throttle\"\nat = \"0s\"\nrate = \"1kbit/s\"\nbuffer = 10",
    "[[faults]]\nkind = \"delay\"\nat = \"0s\"\nextra = { kind = \"exponential\", mean = \"1s\" }",
    "[[faults]]\nkind = \"duplicate\"\nat = \"0s\"\nprobability = \"50%\"",
    "[[faults]]\nkind = \"mute\"\nat = \"1s\"\nnodes = 0",
    "[[faults]]\nkind = \"deaf\"\nat = \"1s\"\nnodes = \"random:1\"",
    "[[faults]]\nkind = \"clock\"\nat = \"0s\"\nnodes = \"0..2\"\nahead = \"1h\"\ndrift_ppm = -9",
    "[[faults]]\nkind = \"crash\"\nat = \"100ms\"\nfor = \"1s\"\nnodes = 1\nmemory = \"lost\"",
    "[[faults]]\nkind = \"churn\"\nat = \"0s\"\nnodes = \"all\"\nevery = \"9ms\"\ndowntime = \"1s\"",
    "[[faults]]\nkind = \"heal\"\nat = \"5s\"\nmay_miss = true",
];

/// A valid scenario with an entry of every sort.
pub(crate) fn everything() -> String {
    let mut text = "duration = \"3s\"\nrules = \"classroom\"\n".to_owned();
    text += "[nodes]\ncount = 30\nobservers = 2\n[network]\ngeography = {}\nin_order = true\n";
    text += "jitter = { kind = \"exponential\", mean = \"5ms\" }\nuplink = \"100Mbit/s\"\n";
    text += "downlink = { rate = \"1Gbit/s\", buffer = \"1MiB\" }\n";
    // One placement is enough, and small limits would end everything else early.
    let fits = |entry: &&&str| {
        let needs_solana = entry.contains("\"gossip\"");
        let fits = !entry.contains("\"regions\"") && !entry.starts_with("[limits]");
        fits && !needs_solana && !of_transactions(entry)
    };
    text + &merged(ENTRIES.iter().filter(fits))
}

/// Entries as one text: a table stands once, and a key in it too; lists have as many entries as
/// there are.
fn merged<'a>(entries: impl Iterator<Item = &'a &'a str>) -> String {
    let mut tables: Vec<(&str, Vec<&str>)> = Vec::new();
    for entry in entries {
        let (header, keys) = entry.split_once('\n').unwrap_or((entry, ""));
        let known = tables.iter().position(|(of, _)| *of == header && !header.starts_with("[["));
        let place = known.unwrap_or(tables.len());
        tables.extend(known.is_none().then(|| (header, Vec::new())));
        let lines = &mut tables[place].1;
        let name = |line: &str| line.split_once(" = ").map(|(name, _)| name.to_owned());
        for line in keys.lines() {
            if !lines.iter().any(|other| name(other) == name(line)) {
                lines.push(line);
            }
        }
    }
    let text = |(header, keys): &(&str, Vec<&str>)| format!("{header}\n{}\n", keys.join("\n"));
    tables.iter().map(text).collect()
}

/// Whether an entry is about transactions, which synthetic blocks do not hold.
fn of_transactions(entry: &str) -> bool {
    let sections = ["[ledger]", "[mempool]", "[forward]", "[[transactions]]"];
    entry.contains("\"transactions\"") || sections.iter().any(|name| entry.starts_with(name))
}

/// A valid scenario with transactions.
pub(crate) fn everything_of_transactions() -> String {
    let mut text = "duration = \"3s\"\n[nodes]\ncount = 12\nobservers = 2\n".to_owned();
    text += "[network]\nlatency = \"20ms\"\n[slots]\nduration = \"200ms\"\n";
    text += "[turbine]\ntree = \"shuffled\"\nfanout = 3\n";
    text + &merged(ENTRIES.iter().filter(|entry| of_transactions(entry)))
}

/// A valid scenario of gossip by Solana's rules.
pub(crate) fn everything_of_solana() -> String {
    let mut text = "duration = \"3s\"\n[nodes]\ncount = 30\nobservers = 2\n".to_owned();
    text += "[network]\nlatency = \"50ms\"\n[gossip]\nstyle = \"solana\"\n";
    let gossiped = ENTRIES.iter().filter(|entry| entry.contains("\"gossip\""));
    gossiped.for_each(|entry| text += &format!("{entry}\n"));
    text
}

/// A scenario that is probably no longer what it was.
pub(crate) fn mutant(rng: &mut Rng) -> String {
    let shipped = SCENARIOS[rng.index(SCENARIOS.len())].text;
    let mut lines: Vec<String> = shipped.lines().map(str::to_owned).collect();
    shrink(&mut lines);
    for _ in 0..1 + rng.below(4) {
        change(&mut lines, rng);
    }
    let mut text = lines.join("\n");
    if rng.below(5) == 0 {
        let mut bytes = text.into_bytes();
        (0..1 + rng.below(3)).for_each(|_| change_byte(&mut bytes, rng));
        text = String::from_utf8_lossy(&bytes).into_owned();
    }
    text
}

/// Makes most scenarios small enough to be run.
fn shrink(lines: &mut [String]) {
    for line in lines {
        if line.starts_with("count = ") && line.len() >= "count = 100".len() {
            *line = "count = 30".to_owned();
        }
        *line = line.replace("\"0..50\", \"50..100\"", "\"0..12\", \"12..30\"");
        *line = line.replace("20..50", "20..30");
    }
}

/// One change of lines, keys or values.
fn change(lines: &mut Vec<String>, rng: &mut Rng) {
    let at = rng.index(lines.len().max(1));
    let Some(line) = lines.get(at).cloned() else { return };
    match rng.below(16) {
        0 => drop(lines.remove(at)),
        1 => lines.insert(rng.index(lines.len()), line),
        2 => {
            let other = rng.index(lines.len());
            lines.swap(at, other);
        }
        // A line of another scenario.
        3 => {
            let other = SCENARIOS[rng.index(SCENARIOS.len())].text;
            let others: Vec<&str> = other.lines().filter(|line| line.contains('=')).collect();
            lines.insert(at, rng.pick(&others).map_or("", |line| line).to_owned());
        }
        4 | 5 => lines.push(rng.pick(ENTRIES).map_or("", |entry| entry).to_owned()),
        // The key of another line.
        6 => {
            let other = lines[rng.index(lines.len())].clone();
            if let (Some((_, value)), Some((key, _))) =
                (line.split_once('='), other.split_once('='))
            {
                lines[at] = format!("{key}={value}");
            }
        }
        7 => lines[at] = other_unit(&line, rng),
        _ => {
            // Values stand on half of the lines: look for the next one.
            let place = (at..lines.len()).find(|&place| lines[place].contains('='));
            if let Some((place, (key, value))) =
                place.and_then(|p| Some((p, lines[p].split_once('=')?)))
            {
                let alike = kind_of(value);
                let row = if rng.below(8) == 0 { rng.index(EXTREMES.len()) } else { alike };
                lines[place] = format!("{key}= {}", EXTREMES[row][rng.index(EXTREMES[row].len())]);
            }
        }
    }
}

/// The line with the first unit in it replaced by another one.
fn other_unit(line: &str, rng: &mut Rng) -> String {
    const UNITS: [&str; 12] = [
        "ms\"", "s\"", "h\"", "ns\"", "min\"", "kB\"", "B\"", "GiB\"", "Mbit/s\"", "%\"", "ppb\"",
        "\"",
    ];
    let found = UNITS.iter().find(|unit| line.contains(**unit));
    let other = rng.pick(&UNITS).map_or("", |unit| unit);
    found.map_or(line.to_owned(), |unit| line.replacen(unit, other, 1))
}

/// One change of a byte or a few.
fn change_byte(bytes: &mut Vec<u8>, rng: &mut Rng) {
    let at = rng.index(bytes.len() + 1);
    match rng.below(4) {
        0 if at < bytes.len() => bytes[at] = rng.below(256) as u8,
        1 => drop(bytes.drain(at..(at + rng.index(20)).min(bytes.len()))),
        2 => bytes.insert(at, b"\"'[]{}=.,#\n\r0-9eE_%"[rng.index(19)]),
        _ => {
            if let Some(digit) = bytes[at..].iter_mut().find(|byte| byte.is_ascii_digit()) {
                *digit = b'0' + rng.below(10) as u8;
            }
        }
    }
}
