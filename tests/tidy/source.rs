//! Hygiene tests: source files as the checks see them, with comments and literals blanked out.

use std::fs;
use std::path::{Path, PathBuf};

/// The folder of the crate.
pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A Rust source file.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// Its path from the folder of the crate, with `/` between folders.
    pub(super) path: String,
    /// Its text.
    pub(super) text: String,
    /// The same with spaces in place of comments and of what literals hold: line for line and
    /// column for column where the text is ASCII.
    pub(super) code: String,
    /// The same without what only tests use.
    pub(super) production: String,
}

impl Source {
    pub(super) fn new(path: &str, text: &str) -> Self {
        let code = blanked(text);
        let production = without_tests(&code);
        Self { path: path.to_owned(), text: text.to_owned(), code, production }
    }

    /// The path of the file's module from the crate: `["scenario", "reader"]`; empty for the roots.
    pub(super) fn module(&self) -> Vec<String> {
        let inner = self.path.strip_prefix("src/").unwrap_or(&self.path);
        let name = inner.trim_end_matches(".rs");
        if matches!(name, "lib" | "main") {
            return Vec::new();
        }
        name.split('/').map(str::to_owned).collect()
    }

    /// Modules in files of their own that only tests use: `#[cfg(test)] mod tests;`.
    fn test_files(&self) -> Vec<String> {
        let folder = match self.module().join("/") {
            root if root.is_empty() => "src".to_owned(),
            module => format!("src/{module}"),
        };
        let declared = self.code.split("#[cfg(test)]").skip(1);
        let named = declared.filter_map(|rest| {
            let (before, after) = rest.split_once("mod ")?;
            let end = after.find([';', '{'])?;
            let attributes_only = !before.contains([';', '{', '}']);
            (attributes_only && after[end..].starts_with(';')).then(|| after[..end].trim())
        });
        named.map(|name| format!("{folder}/{name}")).collect()
    }
}

/// All Rust files below a folder of the crate, in the order of their paths.
pub(super) fn sources(folder: &str) -> Vec<Source> {
    let rust = files(folder).into_iter().filter(|path| path.ends_with(".rs"));
    let mut all: Vec<Source> = rust.map(|path| Source::new(&path, &read(&path))).collect();
    let tests: Vec<String> = all.iter().flat_map(Source::test_files).collect();
    for source in &mut all {
        let name = source.path.trim_end_matches(".rs");
        if tests.iter().any(|test| name == test || name.starts_with(&format!("{test}/"))) {
            source.production = String::new();
        }
    }
    all
}

/// The text of a file of the crate.
pub(super) fn read(path: &str) -> String {
    let bytes = fs::read(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// All files below a folder of the crate (or the file itself), sorted, with `/` between folders.
pub(super) fn files(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut waiting: Vec<PathBuf> = vec![root().join(folder)];
    while let Some(path) = waiting.pop() {
        if path.ends_with("engines/target") {
            // What a build of the package of other engines leaves behind.
        } else if path.is_dir() {
            let entries = fs::read_dir(&path).expect("a folder that can be read");
            waiting.extend(entries.map(|entry| entry.expect("an entry").path()));
        } else if path.is_file() {
            let inner = path.strip_prefix(root()).expect("a path below the crate");
            let steps: Vec<_> = inner.iter().map(|step| step.to_string_lossy()).collect();
            found.push(steps.join("/"));
        }
    }
    found.sort();
    found
}

/// Spaces in place of comments and of what literals hold.
fn blanked(text: &str) -> String {
    let mut rest = text;
    let mut blank = String::with_capacity(text.len());
    let mut after_word = false;
    while let Some(first) = rest.chars().next() {
        let (length, keep) = token(rest, after_word);
        for (place, c) in rest[..length].char_indices() {
            let edge = place < keep || length - place <= keep;
            blank.push(if c == '\n' || edge { c } else { ' ' });
        }
        after_word = length == first.len_utf8() && (first.is_alphanumeric() || first == '_');
        rest = &rest[length..];
    }
    blank
}

/// How many bytes the comment, literal or character at the start of a text takes, and how many of
/// them stay at both ends.
fn token(text: &str, after_word: bool) -> (usize, usize) {
    let to_the_end = |found: Option<usize>| found.unwrap_or(text.len());
    let raw = text.trim_start_matches(['b', 'r']).trim_start_matches('#');
    let prefix = text.len() - raw.len();
    if text.starts_with("//") {
        (to_the_end(text.find('\n')), 0)
    } else if text.starts_with("/*") {
        (to_the_end(text.find("*/").map(|at| at + 2)), 0)
    } else if text.starts_with('"') || text.starts_with("b\"") {
        (string_end(text), 1)
    } else if !after_word && raw.starts_with('"') && text[..prefix].contains('r') {
        let hashes = text[..prefix].matches('#').count();
        let close = format!("\"{}", "#".repeat(hashes));
        (to_the_end(raw[1..].find(&close).map(|at| prefix + 1 + at + close.len())), 1)
    } else if text.starts_with('\'') {
        char_end(text).map_or((1, 1), |end| (end, 1))
    } else {
        (text.chars().next().map_or(0, char::len_utf8), 1)
    }
}

/// Where a string that is not raw ends.
fn string_end(text: &str) -> usize {
    let mut escaped = false;
    let open = text.find('"').unwrap_or(0) + 1;
    for (place, c) in text[open..].char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return open + place + 1,
            _ => {}
        }
    }
    text.len()
}

/// Where a character ends; `None` for a lifetime.
fn char_end(text: &str) -> Option<usize> {
    let inner = &text[1..];
    let first = inner.chars().next()?;
    if first == '\\' {
        return inner[2..].find('\'').map(|at| at + 4);
    }
    let end = first.len_utf8();
    inner[end..].starts_with('\'').then_some(end + 2)
}

/// Spaces in place of every item that stands behind `#[cfg(test)]`.
fn without_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut production = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(start) = rest.find(MARK) {
        let end = start + item_end(&rest[start..]);
        production.push_str(&rest[..start]);
        production.extend(rest[start..end].chars().map(|c| if c == '\n' { c } else { ' ' }));
        rest = &rest[end..];
    }
    production + rest
}

/// Where the item at the start of a code ends: behind its block, or its semicolon.
fn item_end(code: &str) -> usize {
    match code.find(['{', ';']) {
        Some(open) if code[open..].starts_with('{') => block_end(code, open),
        Some(semicolon) => semicolon + 1,
        None => code.len(),
    }
}

/// The place behind the brace that closes the one at `open`.
pub(super) fn block_end(code: &str, open: usize) -> usize {
    let mut depth = 0_usize;
    for (place, c) in code[open..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return open + place + 1,
            '}' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}

#[test]
fn tidy_blanks_comments_and_what_literals_hold() {
    let text =
        "let a = \"x{\\\"y\"; // z {\nlet b = r#\"\"}\"#; let c: &'a str = '{'; /* } */ d'\\''";
    let code = blanked(text);
    assert_eq!(code.len(), text.len());
    assert_eq!(code.lines().count(), 2);
    assert!(!code.contains(['{', '}', 'x', 'y', 'z']), "{code}");
    for kept in ["let a = \"", "let b = r", "let c: &'a str = '", " d'"] {
        assert!(code.contains(kept), "{kept} in {code}");
    }
}

#[test]
fn tidy_tells_tests_from_production() {
    let text = "fn a() {}\n#[cfg(test)]\n#[expect(x)]\npub(super) mod tests {\n    fn b() { {} }\n}\n\
                fn c() {}\n#[cfg(test)]\nmod law;\n#[cfg(test)]\nuse d::e;\n";
    let source = Source::new("src/x/y.rs", text);
    let left: Vec<_> = source.production.split_whitespace().collect();
    assert_eq!(left.join(" "), "fn a() {} fn c() {}");
    assert_eq!(source.test_files(), ["src/x/y/law"]);
    assert_eq!(source.module(), ["x", "y"]);
}
