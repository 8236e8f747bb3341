//! Scenario layer, reader, tests only: texts that nobody would write.

use super::example::Example;
use super::tests::{FULL, NODES, PRESETS, bad, errors_of};
use super::*;
use crate::base::rng::{Purpose, Rng, Seed};

#[test]
fn deep_nesting_is_an_error_and_not_an_overflow() {
    let refused = |text: &str| {
        let errors = errors_of(&Source::embedded("s", text)).join("\n");
        assert!(
            errors.contains("deeper than 64 levels") || errors.contains("64 parts"),
            "{errors}"
        );
    };
    for (open, close) in [("[", "]"), ("{a=", "}"), ("[{a=", "}]")] {
        refused(&format!("a = {}1{}", open.repeat(10_000), close.repeat(10_000)));
        refused(&format!("a = {}", open.repeat(10_000)));
        // Half of it in the key, half in the value.
        let key = "a.".repeat(35) + "a";
        refused(&format!("{key} = {}1{}", open.repeat(40), close.repeat(40)));
    }
    refused(&format!("name = 'x'\n{}a = 1", "a.".repeat(10_000)));
    refused(&format!("[{}a]", "a.".repeat(10_000)));
    // The deepest that the parser lets through: 78 brackets with 76 parts each.
    let level = format!("{}a={{", "a.".repeat(75));
    refused(&format!("{}a=1{}", level.repeat(78), "}".repeat(78)));
    let deep = format!("x={}1{}", "[".repeat(70), "]".repeat(70));
    assert!(bad(FULL, &[&deep]).contains("nested deeper than 64 levels"));
}

/// One random change of a text, as bytes: it may stop being UTF-8.
fn mutate(bytes: &mut Vec<u8>, rng: &mut Rng) {
    const WORDS: &str = "\n [ ] [[ { } = . , \" ' \"\"\" # ü 😀 \r kind nan 1e400 0x -1 \\ \0 \
                         '' 99999999999999999999 1979-05-27 true [a.a]\n \na.b=1\n \u{2028} \
                         \u{feff}";
    let at = rng.index(bytes.len() + 1);
    match rng.below(8) {
        0 if at < bytes.len() => bytes[at] = rng.below(256) as u8,
        1 => {
            let end = (at + rng.index(20)).min(bytes.len());
            drop(bytes.drain(at..end));
        }
        2 => {
            let end = (at + rng.index(60)).min(bytes.len());
            let slice = bytes[at..end].to_vec();
            let to = rng.index(bytes.len() + 1);
            drop(bytes.splice(to..to, slice));
        }
        3 => {
            let words: Vec<_> = WORDS.split(' ').collect();
            let word = rng.pick(&words).map_or("", |word| word);
            drop(bytes.splice(at..at, word.bytes()));
        }
        // The gentle change of one letter or digit, which is more often wrong in its meaning.
        _ => {
            let alphanumeric = |place: &&mut u8| place.is_ascii_alphanumeric();
            let letters = b"aeikstz0123459";
            if let Some(place) = bytes[at..].iter_mut().find(alphanumeric) {
                *place = letters[rng.index(letters.len())];
            }
        }
    }
}

/// Whatever happened, the errors fit on a line each and their places exist.
fn check_errors(source: &Source, errors: &[ScenarioError]) {
    assert!(!errors.is_empty() && errors.len() <= MAX_ERRORS + 1);
    for error in errors {
        let line = error.to_string();
        assert!(!error.message.is_empty() && !line.chars().any(char::is_control), "{line}");
        let Some(place) = &error.location else { continue };
        let written = source.text.split('\n').nth(place.line - 1);
        // The place after the last character counts: something may be missing there.
        let width = written.map(|text| text.chars().count() + 1);
        assert!(width.is_some_and(|width| place.column <= width), "{line}");
    }
}

#[test]
fn random_changes_give_errors_or_what_serde_reads_and_never_a_panic() {
    let (mut accepted, mut syntax, mut meaning) = (0, 0, 0);
    for seed in 0..20_000 {
        let mut rng = Rng::of_cluster(Seed(seed), Purpose::Workload);
        let mut bytes = FULL.as_bytes().to_vec();
        (0..1 + rng.below(3)).for_each(|_| mutate(&mut bytes, &mut rng));
        let source = Source::embedded("s", &String::from_utf8_lossy(&bytes));
        match read::<Example>(&source, &[], &[], &[NODES]) {
            // The parser's own way to serde knows nothing of the schema, but agrees on the value
            // unless a key was taken out.
            Ok(read) => {
                let direct = toml::from_str::<Example>(&source.text);
                assert!(!read.notes.is_empty() || direct.as_ref() == Ok(&read.value), "{direct:?}");
                accepted += 1;
            }
            Err(errors) => {
                let is_syntax = errors[0].key.is_empty();
                assert!(!is_syntax || toml::from_str::<toml::Table>(&source.text).is_err());
                *(if is_syntax { &mut syntax } else { &mut meaning }) += 1;
                check_errors(&source, &errors);
            }
        }
        if seed % 4 != 0 {
            continue;
        }
        // The same over a preset and with a changed override.
        let mut set = b"faults[0].nodes=x".to_vec();
        mutate(&mut set, &mut rng);
        let sets: Vec<_> = Override::parse(&String::from_utf8_lossy(&set)).into_iter().collect();
        let source = Source::embedded("s", &format!("rules = 'slow'\n{}", source.text));
        if let Err(errors) = read::<Example>(&source, PRESETS, &sets, &[NODES]) {
            check_errors(&source, &errors);
        }
    }
    // All three must be common, or the changes are too mild or too wild to test anything.
    let counts = [accepted, syntax, meaning];
    assert!(counts.iter().all(|&count| count > 1_000), "{counts:?}");
}
