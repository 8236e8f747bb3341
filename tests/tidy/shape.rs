//! Hygiene tests: sizes, first lines, and words that have no place in a file.

use super::source::{Source, block_end};

/// Most lines of a file.
const FILE_LINES: usize = 700;
/// Most lines of a function, from `fn` to its last brace.
const FUNCTION_LINES: usize = 70;
/// Most columns of a line.
const COLUMNS: usize = 100;

/// How the first line of the files of each layer may begin.
const HEADS: &[(&str, &[&str])] = &[
    ("src/base", &["Layer 0, ", "Base layer: "]),
    ("src/fact", &["Layer 0': "]),
    ("src/sim", &["Layer 1, ", "Kernel layer: "]),
    ("src/crypto", &["Layer 1', "]),
    ("src/protocol", &["Layer 2, ", "Protocol layer"]),
    ("src/metrics", &["Metrics layer"]),
    ("src/results", &["Results layer"]),
    ("src/expect", &["Expectation layer"]),
    ("src/scenario", &["Layer 3, ", "Scenario layer"]),
    ("src/world", &["Layer 4, ", "World layer"]),
    ("src/run", &["Layer 3', "]),
    ("src/experiment", &["Layer 4, ", "Experiment layer: "]),
    ("src/cli", &["Layer 5, ", "Command line: "]),
    ("src/main", &["The command line: "]),
    ("src/lib", &[""]),
    ("tests/", &[""]),
];

/// Words for what is not finished, in pieces, because this file is checked too.
const STRAY: [&str; 6] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("to", "do!"),
    concat!("unimpl", "emented!"),
    concat!("db", "g!"),
];

/// Beginnings of paths that only exist where somebody worked.
const WORKPLACES: [&str; 3] = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];

/// What would make a run depend on more than scenario and seed: unordered maps, the wall clock,
/// threads, the environment, and float functions that differ between platforms. Clippy's lists say
/// the same; this finds it without a compiler, and behind an `allow`.
const UNSTABLE: [&str; 11] = [
    "HashMap",
    "HashSet",
    "RandomState",
    "DefaultHasher",
    "Instant",
    "SystemTime",
    "env::args",
    "env::var",
    "env::var_os",
    "env::vars",
    "thread::",
];

/// Methods of floats whose results the standard library does not promise.
const UNSTABLE_METHODS: [&str; 22] = [
    "ln", "ln_1p", "log", "log2", "log10", "exp", "exp2", "exp_m1", "powf", "powi", "sin", "cos",
    "tan", "sin_cos", "asin", "acos", "atan", "atan2", "sinh", "cosh", "tanh", "cbrt",
];

/// Too long files, functions and lines, each by name.
pub(super) fn too_long(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    let lines = source.text.lines().count();
    if lines > FILE_LINES {
        found.push(format!("{}: has {lines} lines", source.path));
    }
    for (name, lines) in functions(&source.code) {
        if lines > FUNCTION_LINES {
            found.push(format!("{}: fn {name} has {lines} lines", source.path));
        }
    }
    for (number, (text, code)) in source.text.lines().zip(source.code.lines()).enumerate() {
        let columns = text.chars().count();
        // A text for people is better searched for in one piece than broken.
        let inside = code.trim().is_empty() && !text.trim_start().starts_with("//");
        let is_text = inside || code.contains('"');
        if columns > COLUMNS && !is_text {
            found.push(format!("{}:{}: has {columns} columns", source.path, number + 1));
        }
    }
    found
}

/// The functions of a code that have a body, and how many lines each takes.
fn functions(code: &str) -> Vec<(&str, usize)> {
    let mut found = Vec::new();
    for (place, _) in code.match_indices("fn ") {
        let name = &code[place + 3..];
        let name = &name[..name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(0)];
        let starts = code[..place].chars().next_back().is_none_or(char::is_whitespace);
        if let (Some(open), true) = (body(code, place), starts && !name.is_empty()) {
            found.push((name, code[place..block_end(code, open)].lines().count()));
        }
    }
    found
}

/// Where the body of the function at `place` opens; `None` for a mere declaration.
fn body(code: &str, place: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in code[place..].char_indices() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            '{' => return Some(place + at),
            ';' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

/// A first line that does not say which layer the file belongs to.
pub(super) fn headless(source: &Source) -> Option<String> {
    let first = source.text.lines().next().unwrap_or_default();
    let heads = HEADS.iter().find(|(start, _)| source.path.starts_with(start));
    let fits = heads.is_some_and(|(_, heads)| {
        first.strip_prefix("//! ").is_some_and(|text| heads.iter().any(|h| text.starts_with(h)))
    });
    (!fits).then(|| format!("{}: begins with {first:?}", source.path))
}

/// Words for what is not finished and paths of a workplace, in any text file.
pub(super) fn stray(path: &str, text: &str) -> Vec<String> {
    let words = STRAY.iter().filter(|word| contains_word(text, word));
    let places = WORKPLACES.iter().filter(|place| text.contains(**place));
    words.chain(places).map(|word| format!("{path}: has {word}")).collect()
}

/// What a layer below the command line must not use.
pub(super) fn unstable(source: &Source) -> Vec<String> {
    let code = &source.production;
    // Experiments are the one layer that runs several simulations side by side.
    let threads = |word: &&&str| **word == "thread::" && source.path.starts_with("src/experiment");
    let words = UNSTABLE.iter().filter(|word| contains_word(code, word) && !threads(word));
    let words = words.map(|word| (*word).to_owned());
    let methods = UNSTABLE_METHODS.iter().map(|name| format!(".{name}("));
    let methods = methods.filter(|call| code.contains(call));
    words.chain(methods).map(|what| format!("{}: uses {what}", source.path)).collect()
}

/// Whether a text has this word, and not only as a part of a longer one.
fn contains_word(text: &str, word: &str) -> bool {
    let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let ends_in_word = is_word(word.chars().next_back());
    text.match_indices(word).any(|(place, _)| {
        let after = text[place + word.len()..].chars().next();
        !(is_word(text[..place].chars().next_back()) || ends_in_word && is_word(after))
    })
}

#[test]
fn tidy_finds_what_is_too_long() {
    let long = |lines: usize| format!("//! Head.\n{}", "let a = 1;\n".repeat(lines - 1));
    let file = |text: &str| too_long(&Source::new("src/x.rs", text));
    assert_eq!(file(&long(FILE_LINES)), [""; 0]);
    assert_eq!(file(&long(FILE_LINES + 1)), ["src/x.rs: has 701 lines"]);
    // Two lines of the function are its head and its last brace.
    let function = |body: usize| {
        let body = "    a();\n".repeat(body);
        let head = "pub(super) fn f<T>(a: [u8; 2]) -> [u8; 2]";
        format!("trait T {{\n    fn declared(a: [u8; 2]);\n}}\n{head} {{\n{body}}}\n")
    };
    assert_eq!(file(&function(FUNCTION_LINES - 2)), [""; 0]);
    assert_eq!(file(&function(FUNCTION_LINES - 1)), ["src/x.rs: fn f has 71 lines"]);
    let line = |columns: usize| format!("{}\n", "x".repeat(columns));
    assert_eq!(file(&line(COLUMNS)), [""; 0]);
    assert_eq!(file(&line(COLUMNS + 1)), ["src/x.rs:1: has 101 columns"]);
    assert_eq!(file(&format!("// {}", line(COLUMNS))), ["src/x.rs:1: has 103 columns"]);
    assert_eq!(file(&format!("f(\"{}\")", "x".repeat(COLUMNS))), [""; 0]);
}

#[test]
fn tidy_finds_files_without_a_head() {
    let head = |path: &str, text: &str| headless(&Source::new(path, text));
    assert_eq!(head("src/sim/queue.rs", "//! Kernel layer: the queue.\n"), None);
    assert_eq!(head("tests/laws.rs", "//! The laws.\n"), None);
    assert!(head("src/sim/queue.rs", "//! Base layer: the queue.\n").is_some());
    assert!(head("src/sim/queue.rs", "use a;\n//! Kernel layer: the queue.\n").is_some());
    assert!(head("src/new.rs", "//! Something new.\n").is_some());
    assert!(head("tests/laws.rs", "").is_some());
}

#[test]
fn tidy_finds_stray_words_and_workplaces() {
    for word in STRAY {
        assert_eq!(stray("a.md", &format!("x {word} y")).len(), 1, "{word}");
    }
    for place in WORKPLACES {
        assert_eq!(stray("a.md", &format!("see {place}x")).len(), 1, "{place}");
    }
    assert_eq!(stray("a.md", concat!("a prefix of TO", "DOS, and work/x")), [""; 0]);
}

#[test]
fn tidy_finds_what_differs_between_runs() {
    let file = |code: &str| unstable(&Source::new("src/x.rs", code));
    for code in [
        "use std::collections::HashMap;",
        "let s: HashSet<u8>;",
        "let now = std::time::Instant::now();",
        "std::env::var(name)",
        "std::thread::current().id()",
        "let y = x.ln();",
        "let y = x.powf(2.0);",
    ] {
        assert_eq!(file(code).len(), 1, "{code}");
    }
    for code in ["// no HashMap", "libm::log(x)", "env!(\"A\")", "x.sin_table()", "Instantly"] {
        assert_eq!(file(code), [""; 0], "{code}");
    }
    assert_eq!(file("#[cfg(test)]\nmod tests {\n    use std::collections::HashMap;\n}\n"), [""; 0]);
}
