//! Scenario layer, reader: how values and their types are called in errors and in the reference.

use super::schema::Shape;
use super::tree::{Data, Node, one_line};

/// String formats: name in the schema, which is also the word of the reference, and how an error
/// describes it.
const FORMATS: &[(&str, &str)] = &[
    ("time", "a length of time such as \"80ms\""),
    ("size", "a size such as \"1200B\""),
    ("rate", "a rate such as \"1Gbit/s\""),
    ("probability", "a probability such as \"2%\" or 0.02"),
    ("coding", "counts of shreds such as \"32:32\", or \"none\""),
    ("nodes", "a choice of nodes such as \"stake:33%\""),
];

/// The alternatives that have words of their own: a choice of nodes may also be written as a number
/// or a list, which the word "nodes" covers.
pub(super) fn spoken<'a, 's>(alternatives: &'a [Shape<'s>]) -> impl Iterator<Item = &'a Shape<'s>> {
    let nodes = alternatives.iter().any(|shape| shape.format() == Some("nodes"));
    let covered = |shape: &&Shape<'_>| ["integer", "array"].iter().any(|t| shape.types() == [*t]);
    alternatives.iter().filter(move |shape| !(nodes && covered(shape)))
}

/// What is expected where one of these alternatives may stand.
pub(super) fn expected(alternatives: &[Shape<'_>]) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut add = |word: String| {
        if !words.contains(&word) {
            words.push(word);
        }
    };
    let constants: Vec<_> = alternatives.iter().flat_map(|shape| shape.constants()).collect();
    if !constants.is_empty() {
        add(one_of(&constants));
    }
    for shape in spoken(alternatives).filter(|shape| shape.constants().is_empty()) {
        let format = shape.format();
        if let Some((_, phrase)) = FORMATS.iter().find(|(name, _)| format == Some(name)) {
            add((*phrase).to_owned());
            continue;
        }
        for name in shape.types() {
            match name {
                "string" => add("a text".to_owned()),
                "integer" => add("an integer".to_owned()),
                "number" => add("a number".to_owned()),
                "boolean" => add("true or false".to_owned()),
                "array" => add("a list".to_owned()),
                "object" => add("a table".to_owned()),
                _ => {}
            }
        }
    }
    words.join(" or ")
}

/// The word of the reference for one alternative that is neither a list nor a table.
pub(super) fn type_word(shape: Shape<'_>) -> String {
    let format = shape.format();
    if let Some((name, _)) = FORMATS.iter().find(|(name, _)| format == Some(name)) {
        return (*name).to_owned();
    }
    let words = shape.types().into_iter().filter_map(|name| match name {
        "string" => Some("text"),
        "integer" => Some("integer"),
        "number" => Some("number"),
        "boolean" => Some("true or false"),
        "array" => Some("list"),
        "object" => Some("table"),
        _ => None,
    });
    words.collect::<Vec<_>>().join(" or ")
}

/// What was found, as a phrase.
pub(super) fn found(node: &Node) -> String {
    match &node.data {
        Data::Table(_) => "a table".to_owned(),
        Data::Array(_) => "a list".to_owned(),
        Data::Leaf(toml::Value::String(text)) => format!("the text \"{}\"", one_line(text, 40)),
        Data::Leaf(toml::Value::Boolean(flag)) => format!("{flag}"),
        Data::Leaf(toml::Value::Datetime(date)) if date.date.is_none() => {
            format!("the time {date}")
        }
        Data::Leaf(toml::Value::Datetime(date)) => format!("the date {date}"),
        Data::Leaf(toml::Value::Integer(number)) => format!("the number {number}"),
        // Debug keeps the decimal point of 2.0, the reason why it is not an integer.
        Data::Leaf(toml::Value::Float(number)) => format!("the number {number:?}"),
        Data::Leaf(other) => other.type_str().to_owned(),
    }
}

/// `"a"` or `one of "a", "b"`.
pub(super) fn one_of(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("\"{name}\"")).collect();
    match quoted.as_slice() {
        [only] => only.clone(),
        several => format!("one of {}", several.join(", ")),
    }
}

/// The candidate that was probably meant: the one with the fewest typing errors (Damerau and
/// Levenshtein), at most one for three characters. Case and the choice of `-` or `_` do not count.
pub(super) fn nearest<'c>(name: &str, candidates: &[&'c str]) -> Option<&'c str> {
    // A longer name is no typing error, and the comparison takes quadratic time.
    if name.len() > 100 {
        return None;
    }
    let plain = |text: &str| text.to_lowercase().replace('-', "_");
    let name = plain(name);
    let allowed = (name.chars().count() / 3).max(1);
    let distance = |candidate: &str| strsim::damerau_levenshtein(&name, &plain(candidate));
    let best = candidates.iter().min_by_key(|candidate| distance(candidate))?;
    (distance(best) <= allowed).then_some(*best)
}

/// A hint at the nearest of the names, or else a list of all of them.
pub(super) fn suggestion(name: &str, names: &[&str], all: &str) -> String {
    match nearest(name, names) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => format!("{all} {}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_near_name_is_one_typing_error_for_three_characters_away() {
        let names = ["latency", "loss", "uplink", "block-chunks"];
        assert_eq!(nearest("latncy", &names), Some("latency"));
        assert_eq!(nearest("lsos", &names), Some("loss"));
        assert_eq!(nearest("block_chunks", &names), Some("block-chunks"));
        assert_eq!(nearest("UPLINK", &names), Some("uplink"));
        // lag is two errors away from loss, and three characters allow one.
        assert_eq!(nearest("lag", &names), None);
        assert_eq!(nearest(&"loss".repeat(1_000_000), &names), None);
        assert_eq!(nearest("loss", &[]), None);
    }
}
