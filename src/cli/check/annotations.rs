//! Command line: of `check`, failures as annotations for GitHub workflows: one line each, in the
//! form of workflow commands (`::error file=...,line=...,title=...::message`).

use super::case::{Checked, State};

/// A line for everything that speaks against a case.
pub(super) fn annotations(checked: &[Checked]) -> String {
    let mut text = String::new();
    for case in checked {
        let seed = case.seed.map_or(String::new(), |seed| format!(" (seed {seed})"));
        let title = format!("{}{seed}", case.name);
        let file = case.file.as_ref().map(|file| file.display().to_string());
        if case.state == State::Refused {
            for message in &case.messages {
                text += &line(file.as_deref(), None, &title, message);
            }
        }
        for judged in case.verdict.iter().flat_map(|verdict| verdict.complaints()) {
            let place = judged.place.and_then(|place| case.places.get(place)?.as_ref());
            let file = place.map(|place| place.file.display().to_string()).or(file.clone());
            let position = place.map(|place| (place.line, place.column));
            text += &line(file.as_deref(), position, &title, &judged.complaint());
        }
    }
    text
}

fn line(
    file: Option<&str>,
    position: Option<(usize, usize)>,
    title: &str,
    message: &str,
) -> String {
    let mut properties = Vec::new();
    properties.extend(file.map(|file| format!("file={}", property(file))));
    properties.extend(position.map(|(line, column)| format!("line={line},col={column}")));
    properties.push(format!("title={}", property(title)));
    format!("::error {}::{}\n", properties.join(","), data(message))
}

/// What would end a line is written otherwise.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// What would end a property too.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn what_would_end_a_line_or_a_property_is_escaped() {
        assert_eq!(
            line(Some("a,b.toml"), Some((3, 1)), "s: 1", "100% of\nit: x"),
            "::error file=a%2Cb.toml,line=3,col=1,title=s%3A 1::100%25 of%0Ait: x\n"
        );
        assert_eq!(line(None, None, "s", "m"), "::error title=s::m\n");
    }
}
