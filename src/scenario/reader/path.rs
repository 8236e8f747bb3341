//! Scenario layer, reader: dotted keys such as `faults[2].at`, taken apart and put together.

/// One step of a dotted key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Into the value of this key of a table.
    Key(String),
    /// Into this entry of a list, counted from zero.
    Index(usize),
}

/// Appends a key to a dotted key, in quotes unless TOML allows it bare.
pub(super) fn push_key(path: &mut String, key: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !key.is_empty() && key.chars().all(bare) {
        path.push_str(key);
        return;
    }
    path.push('"');
    for c in key.chars() {
        match c {
            '"' | '\\' => path.extend(['\\', c]),
            // Line separators count as control characters: an error must stay on one line.
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => {
                path.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => path.push(c),
        }
    }
    path.push('"');
}

/// Appends the number of a list entry to a dotted key.
pub(super) fn push_index(path: &mut String, index: usize) {
    path.push_str(&format!("[{index}]"));
}

/// The dotted key of these steps.
pub(super) fn print(steps: &[Step]) -> String {
    let mut path = String::new();
    for step in steps {
        match step {
            Step::Key(key) => push_key(&mut path, key),
            Step::Index(index) => push_index(&mut path, *index),
        }
    }
    path
}

/// Reads a dotted key up to the end or a `=`, and returns the rest of the text. Bare parts may
/// contain anything but `.`, `[`, `]` and `=`; what they mean is for the schema to say.
pub(super) fn parse(text: &str) -> Result<(Vec<Step>, &str), String> {
    let (mut steps, mut rest) = (Vec::new(), text);
    loop {
        let (key, after) = parse_key(rest.trim_start())?;
        steps.push(Step::Key(key));
        rest = after.trim_start();
        while let Some(inside) = rest.strip_prefix('[') {
            let (number, after) =
                inside.split_once(']').ok_or_else(|| "\"]\" is missing after \"[\"".to_owned())?;
            let index = number
                .trim()
                .parse()
                .map_err(|_| format!("\"{number}\" is not the number of a list entry"))?;
            steps.push(Step::Index(index));
            rest = after.trim_start();
        }
        match rest.strip_prefix('.') {
            Some(after) => rest = after,
            None if rest.is_empty() || rest.starts_with('=') => return Ok((steps, rest)),
            None => return Err(format!("\"{rest}\" follows where \".\" or \"=\" is expected")),
        }
    }
}

/// Reads one part of a dotted key.
fn parse_key(text: &str) -> Result<(String, &str), String> {
    if let Some(inside) = text.strip_prefix('\'') {
        let (key, rest) = inside.split_once('\'').ok_or("the key has no closing quote")?;
        return Ok((key.to_owned(), rest));
    }
    if let Some(inside) = text.strip_prefix('"') {
        return parse_quoted(inside);
    }
    let end = text.find(['.', '[', ']', '=']).unwrap_or(text.len());
    let key = text[..end].trim_end();
    if key.is_empty() {
        return Err("a part of the key is empty".to_owned());
    }
    Ok((key.to_owned(), &text[end..]))
}

/// Reads the rest of a part in double quotes, with the escapes that [`push_key`] writes.
fn parse_quoted(text: &str) -> Result<(String, &str), String> {
    let mut key = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((key, &text[at + 1..])),
            '\\' => match chars.next() {
                Some((_, c @ ('"' | '\\'))) => key.push(c),
                Some((at, 'u')) => {
                    let digits = text.get(at + 1..at + 5).unwrap_or_default();
                    let code = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32);
                    key.push(code.ok_or("\"\\u\" needs four hexadecimal digits")?);
                    chars.nth(3);
                }
                _ => return Err("only \\\", \\\\ and \\u are escapes in a key".to_owned()),
            },
            c => key.push(c),
        }
    }
    Err("the key has no closing quote".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_key_parses_back() {
        for keys in [
            vec![Step::Key("faults".into()), Step::Index(2), Step::Key("at".into())],
            vec![Step::Key("sites".into()), Step::Key("New York. [x]=\"\\ \u{1}ü".into())],
            vec![Step::Key("matrix".into()), Step::Index(0), Step::Index(11)],
            vec![Step::Key(String::new())],
        ] {
            let text = print(&keys);
            assert_eq!(parse(&text), Ok((keys, "")), "{text}");
        }
    }

    #[test]
    fn spaces_quotes_and_the_equals_sign_are_understood() {
        let key = |name: &str| Step::Key(name.to_owned());
        assert_eq!(parse("a . b [ 1 ] = 3"), Ok((vec![key("a"), key("b"), Step::Index(1)], "= 3")));
        assert_eq!(parse("'a.b'.c=x"), Ok((vec![key("a.b"), key("c")], "=x")));
        for nonsense in ["", ".", "a..b", "a[", "a[x]", "a[1]b", "\"a", "'a", "\"\\q\"", "a]"] {
            assert!(parse(nonsense).is_err(), "{nonsense}");
        }
    }
}
