//! Hygiene as tests: layers, sizes, first lines, stray words and what would make runs differ. Every
//! check is a function from a file to complaints, and is itself tested on bad samples.
//!
//! A ratchet: an exception stands in [`KNOWN`], by name, and only while it is true.

mod layers;
mod shape;
mod source;

use self::source::{Source, files, read, sources};

/// Complaints that are known. This list may only shrink.
const KNOWN: &[&str] = &[];

/// Fails with all complaints that are not known.
fn expect_none(complaints: &[String]) {
    let new: Vec<_> = complaints.iter().filter(|c| !KNOWN.contains(&c.as_str())).collect();
    assert!(new.is_empty(), "{new:#?}");
}

fn all_complaints() -> Vec<String> {
    let code = || [sources("src"), sources("tests")].concat();
    let mut all: Vec<String> = sources("src").iter().flat_map(layers::forbidden).collect();
    all.extend(code().iter().flat_map(shape::too_long));
    all.extend(code().iter().filter_map(shape::headless));
    all.extend(texts().iter().flat_map(|path| shape::stray(path, &read(path))));
    all.extend(below_the_command_line().iter().flat_map(shape::unstable));
    all
}

fn below_the_command_line() -> Vec<Source> {
    let mut all = sources("src");
    all.retain(|source| !source.path.starts_with("src/cli") && source.path != "src/main.rs");
    all
}

/// Every text file of the project that people write.
fn texts() -> Vec<String> {
    let places = [
        "src",
        "tests",
        "scenarios",
        "results/README.md",
        "README.md",
        "CHANGELOG.md",
        "Cargo.toml",
        ".ci",
        ".cargo",
        ".github",
        ".clippy.toml",
        ".rustfmt.toml",
        ".gitignore",
        ".gitattributes",
    ];
    places.into_iter().flat_map(files).collect()
}

#[test]
fn tidy_layers_use_only_what_the_table_allows() {
    let sources = sources("src");
    assert!(sources.len() > 100, "the checks saw only {} files", sources.len());
    expect_none(&sources.iter().flat_map(layers::forbidden).collect::<Vec<_>>());
}

#[test]
fn tidy_files_functions_and_lines_are_short() {
    let all = [sources("src"), sources("tests")].concat();
    expect_none(&all.iter().flat_map(shape::too_long).collect::<Vec<_>>());
}

#[test]
fn tidy_every_file_says_its_layer_and_purpose_first() {
    let all = [sources("src"), sources("tests")].concat();
    expect_none(&all.iter().filter_map(shape::headless).collect::<Vec<_>>());
}

#[test]
fn tidy_nothing_is_left_unfinished_or_names_a_workplace() {
    let found: Vec<_> = texts().iter().flat_map(|path| shape::stray(path, &read(path))).collect();
    expect_none(&found);
}

#[test]
fn tidy_nothing_below_the_command_line_differs_between_runs() {
    let below = below_the_command_line();
    expect_none(&below.iter().flat_map(shape::unstable).collect::<Vec<_>>());
}

#[test]
fn tidy_known_exceptions_are_still_true() {
    let all = all_complaints();
    let gone: Vec<_> = KNOWN.iter().filter(|known| !all.iter().any(|c| c == *known)).collect();
    assert!(gone.is_empty(), "no longer needed, so take it from KNOWN: {gone:#?}");
}
