//! Command line: of `check`, the outcome as JUnit XML, which most build servers read: a suite per
//! case, a test per expectation.

use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use super::case::{Checked, State};
use crate::expect::{Judged, Outcome, Ruling};

/// The whole document.
///
/// # Errors
/// Never in practice: it is written into memory.
pub(super) fn document(checked: &[Checked]) -> io::Result<Vec<u8>> {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let totals = checked.iter().map(Counts::of).fold(Counts::default(), Counts::plus);
    writer.write_event(Event::Start(totals.element("testsuites", "headwater")))?;
    checked.iter().try_for_each(|case| suite(&mut writer, case))?;
    writer.write_event(Event::End(BytesEnd::new("testsuites")))?;
    let mut text = writer.into_inner();
    text.push(b'\n');
    Ok(text)
}

/// How many tests a suite has, and how they ended.
#[derive(Clone, Copy, Default)]
struct Counts {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
    nanos: u128,
}

impl Counts {
    fn of(case: &Checked) -> Self {
        let nanos = case.elapsed.map_or(0, |elapsed| elapsed.as_nanos());
        let Some(verdict) = &case.verdict else {
            let errors = usize::from(case.state == State::Refused);
            return Self { tests: 1, errors, skipped: 1 - errors, failures: 0, nanos };
        };
        let count = |wanted: fn(&Judged) -> bool| {
            verdict.judged.iter().filter(|judged| wanted(judged)).count()
        };
        Self {
            tests: verdict.judged.len(),
            failures: count(|judged| judged.outcome() != Outcome::Pass),
            errors: 0,
            skipped: count(|judged| judged.ruling == Ruling::Elsewhere),
            nanos,
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            tests: self.tests + other.tests,
            failures: self.failures + other.failures,
            errors: self.errors + other.errors,
            skipped: self.skipped + other.skipped,
            nanos: self.nanos + other.nanos,
        }
    }

    /// An element of this kind and name with the counts as its attributes.
    fn element(self, kind: &'static str, name: &str) -> BytesStart<'static> {
        let mut element = BytesStart::new(kind);
        element.push_attribute(("name", name));
        let counts = [
            ("tests", self.tests),
            ("failures", self.failures),
            ("errors", self.errors),
            ("skipped", self.skipped),
        ];
        for (key, count) in counts {
            element.push_attribute((key, count.to_string().as_str()));
        }
        let seconds = self.nanos as f64 / 1e9;
        element.push_attribute(("time", format!("{seconds:.3}").as_str()));
        element
    }
}

fn suite(writer: &mut Writer<Vec<u8>>, case: &Checked) -> io::Result<()> {
    let seed = case.seed.map_or(String::new(), |seed| format!(" (seed {seed})"));
    let name = clean(&format!("{}{seed}", case.name));
    writer.write_event(Event::Start(Counts::of(case).element("testsuite", &name)))?;
    match &case.verdict {
        None => {
            let text = case.messages.join("\n");
            let what = if case.state == State::Refused { "error" } else { "skipped" };
            test(writer, &name, "scenario", Some((what, what, &text)))?;
        }
        Some(verdict) => {
            for judged in &verdict.judged {
                expectation(writer, &name, judged)?;
            }
        }
    }
    writer.write_event(Event::End(BytesEnd::new("testsuite")))
}

fn expectation(writer: &mut Writer<Vec<u8>>, class: &str, judged: &Judged) -> io::Result<()> {
    let text = judged.complaint();
    let told = match (judged.ruling, judged.outcome()) {
        (Ruling::Elsewhere, _) => Some(("skipped", "sweep", judged.found.as_str())),
        (_, Outcome::Pass) => None,
        (_, outcome) => Some(("failure", outcome.word(), text.as_str())),
    };
    let place = judged.place.map_or(String::new(), |place| format!("expect[{place}] "));
    test(writer, class, &format!("{place}{}", judged.label), told)
}

/// A test, and what is told of it: element, type and text.
fn test(
    writer: &mut Writer<Vec<u8>>,
    class: &str,
    name: &str,
    told: Option<(&str, &str, &str)>,
) -> io::Result<()> {
    let name = clean(name);
    let element = writer.create_element("testcase");
    let element = element.with_attributes([("classname", class), ("name", name.as_str())]);
    match told {
        None => element.write_empty()?,
        Some((what, kind, text)) => element.write_inner_content(|writer| {
            let text = clean(text);
            let first = text.lines().next().unwrap_or_default().to_owned();
            let inner = writer.create_element(what);
            let inner = inner.with_attributes([("type", kind), ("message", first.as_str())]);
            inner.write_text_content(BytesText::new(&text))?;
            Ok(())
        })?,
    };
    Ok(())
}

/// Without the control characters that XML 1.0 has no way to write.
fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}
