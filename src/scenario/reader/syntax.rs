//! Scenario layer, reader: errors of TOML syntax in one sentence, and numbers as TOML writes them.

use toml::de::{DeFloat, DeInteger, Error};

use super::tree::MAX_DEPTH;
use crate::scenario::error::ScenarioError;

/// The first syntax error in the order of the text: its offset in bytes and what is wrong. Later
/// ones are left out, because they are mostly consequences.
pub(super) fn first(text: &str, errors: &[Error]) -> Option<(usize, ScenarioError)> {
    let offset = |error: &Error| error.span().map_or_else(|| long_key(text), |span| span.start);
    let error = errors.iter().min_by_key(|error| offset(error))?;
    let found = error.span().and_then(|span| text.get(span)).unwrap_or_default();
    let error_offset = offset(error);
    Some((error_offset, describe(error.message(), found, text, error_offset)))
}

/// How many parts of a dotted key the parser takes.
const PARSER_PARTS: usize = 80;

/// Where the line with an overlong dotted key starts: the parser does not say.
fn long_key(text: &str) -> usize {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if line.matches('.').count() >= PARSER_PARTS {
            return start;
        }
        start += line.len();
    }
    0
}

/// One sentence for the parser's message; `found` is the text that it points at.
fn describe(message: &str, found: &str, text: &str, offset: usize) -> ScenarioError {
    let error = |message: String| ScenarioError::new("", message);
    let (what, expected) = message.split_once(", expected ").unwrap_or((message, ""));
    match what {
        "string values must be quoted" if found.trim().is_empty() => {
            error("a value is missing after \"=\" or \",\"".to_owned())
        }
        "string values must be quoted" => error(format!("{found} is not a value of TOML"))
            .hint(format!("a text needs quotes: \"{}\"", found.replace('"', ""))),
        "duplicate key" => {
            let line =
                text.get(..offset).unwrap_or_default().rsplit('\n').next().unwrap_or_default();
            let what = if line.trim_start().starts_with('[') { "table" } else { "key" };
            error(format!("the {what} \"{found}\" is defined twice"))
        }
        "key with no value" => error("\"=\" and a value are missing after this key".to_owned()),
        "unexpected key or value" => error("a new line is missing before this text".to_owned()),
        what if what.ends_with("string") && matches!(expected, "`\"`" | "`'`") => {
            error("a text has no closing quote".to_owned())
        }
        "recursion limit" => error(format!("a key has more than {MAX_DEPTH} parts")),
        what if what.contains("max recursion depth") => {
            error(format!("nested deeper than {MAX_DEPTH} levels"))
        }
        what if what.starts_with("cannot extend value of type ") => {
            let (_, kind) = what.split_at("cannot extend value of type ".len());
            let kind = kind.trim_end_matches(" with a dotted key");
            error(format!("\"{found}\" is already of type {kind} and cannot take more keys"))
        }
        _ => error(format!("not valid TOML: {}", message.trim_end_matches(", expected nothing"))),
    }
}

/// The integer, or why it is none.
pub(super) fn integer(digits: &DeInteger<'_>) -> Result<i64, String> {
    let (text, radix) = (digits.as_str(), digits.radix());
    i64::from_str_radix(text, radix).map_err(|_| {
        if text.chars().any(|c| c.is_digit(radix)) {
            format!("{digits} is outside the range of integers, -2^63 to 2^63 - 1")
        } else {
            format!("{digits} has no digits")
        }
    })
}

/// The decimal number, or why it is none.
pub(super) fn float(digits: &DeFloat<'_>) -> Result<f64, String> {
    match digits.as_str().parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        Ok(_) => Err(format!("{digits} is not a finite number")),
        Err(_) => Err(format!("{digits} is not a number")),
    }
}
