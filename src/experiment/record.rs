//! Experiment layer: what is kept of a run, `records/KEY.json`. All that a sweep shows later is
//! made from these files; nothing in one depends on when, where or beside which others it was made.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::digest::Digest;
use crate::metrics::Summary;
use crate::metrics::table::Unit;

/// A key figure of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metric {
    /// Its place in `summary.json`, such as `rumors.latency.p50_ns`.
    pub name: String,
    /// What it counts, in words.
    pub unit: String,
    /// The number; `None` for what never happened.
    pub value: Option<i128>,
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Number of this format: [`Record::FORMAT`].
    pub format: u32,
    /// Version of the program.
    pub program_version: String,
    /// Version of the model.
    pub model_version: u32,
    /// Identity of the record: digest of the key of the run (resolved scenario, seed, versions) and
    /// the values of the axes.
    pub key: Digest,
    /// Name of the scenario.
    pub scenario: String,
    /// The seed.
    pub seed: u64,
    /// The values of the axes, in their order, as they stand in tables.
    pub axes: Vec<String>,
    /// Whether the run came to its end.
    pub complete: bool,
    /// Whether the same run would end like this again: not if a clock or the machine's memory
    /// ended it. Such a run is made anew when the sweep is continued.
    pub repeatable: bool,
    /// What became of the run, in words.
    pub verdict: String,
    /// The exit code of the run by itself.
    pub exit_code: u8,
    /// What became of each expectation, a line each.
    pub expectations: Vec<String>,
    /// Digest of everything that happened; `None` if there was no run.
    pub event_digest: Option<Digest>,
    /// Virtual time reached, in nanoseconds.
    pub reached_ns: u64,
    /// Events handled.
    pub events: u64,
    /// All key figures, in the order of `summary.json`.
    pub metrics: Vec<Metric>,
}

/// What stands in a file between a record and its digest.
const DIGEST: &str = ",\n  \"sha256\": \"";
/// The end of a file.
const END: &str = "\n}\n";

impl Record {
    /// The format that this program writes and reads.
    pub const FORMAT: u32 = 2;

    /// The key of the record of a run at a point.
    #[must_use]
    pub fn key_of(run: Digest, axes: &[String]) -> Digest {
        let mut parts: Vec<&[u8]> = vec![b"headwater record", &run.0];
        parts.extend(axes.iter().map(String::as_bytes));
        Digest::of_parts(&parts)
    }

    /// Name of its file.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}.json", self.key)
    }

    /// The text of the file: one line for each key figure, and last a digest of all before it,
    /// which tells a record that was changed by a hand or a disk.
    #[must_use]
    pub fn to_text(&self) -> String {
        let header = Self { metrics: Vec::new(), ..self.clone() };
        let header = serde_json::to_string_pretty(&header).unwrap_or_default();
        let header = header.trim_end_matches("[]\n}");
        let metric = |metric| serde_json::to_string(metric).unwrap_or_default();
        let metrics: Vec<String> = self.metrics.iter().map(metric).collect();
        let body = format!("{header}[\n    {}\n  ]", metrics.join(",\n    "));
        let digest = Digest::of(body.as_bytes());
        format!("{body}{DIGEST}{digest}\"{END}")
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// Why it is not a whole record, to be read after the file's name.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|error| format!("is damaged ({error})"))?;
        let (body, digest) = text.rsplit_once(DIGEST).unwrap_or((text, ""));
        let whole = if digest.is_empty() { body.to_owned() } else { format!("{body}{END}") };
        let record: Self =
            serde_json::from_str(&whole).map_err(|error| format!("is damaged ({error})"))?;
        if record.format != Self::FORMAT {
            return Err(format!(
                "has format {}; this program reads {}",
                record.format,
                Self::FORMAT
            ));
        }
        if digest != format!("{}\"{END}", Digest::of(body.as_bytes())) {
            return Err("is damaged (it is not what its digest says)".to_owned());
        }
        Ok(record)
    }

    /// The numbers of the summary, in its form; entries of lists are left out.
    #[must_use]
    pub fn summary(&self) -> Value {
        let mut summary = Value::Object(serde_json::Map::new());
        for Metric { name, value, .. } in self.metrics.iter().filter(|it| !it.name.contains('[')) {
            let mut here = &mut summary;
            for step in name.split('.') {
                if !here.is_object() {
                    *here = Value::Object(serde_json::Map::new());
                }
                here = &mut here[step];
            }
            let number = |value: i128| {
                let signed = i64::try_from(value).map(Value::from);
                signed.or_else(|_| u64::try_from(value).map(Value::from)).unwrap_or(Value::Null)
            };
            *here = value.map_or(Value::Null, number);
        }
        summary
    }

    /// A key figure; `None` if the run has no such figure.
    #[must_use]
    pub fn metric(&self, name: &str) -> Option<&Metric> {
        self.metrics.iter().find(|metric| metric.name == name)
    }
}

/// The key figures of a summary one by one. A list of numbers counts with its length; what is left
/// out of a run as a whole (blocks, repair) has no figures.
#[must_use]
pub fn metrics(summary: &Summary) -> Vec<Metric> {
    let mut found = Vec::new();
    if let Ok(Value::Object(parts)) = serde_json::to_value(summary) {
        for (name, part) in parts.iter().filter(|(_, part)| !part.is_null()) {
            collect(name.clone(), part, &mut found);
        }
    }
    found
}

/// Parts of a summary that are texts, or null without one: no figures.
const TEXTS: [&str; 2] = ["invariants.broken", "invariants.what"];

fn collect(name: String, value: &Value, found: &mut Vec<Metric>) {
    let value = match value {
        Value::String(_) => return,
        _ if TEXTS.contains(&name.as_str()) => return,
        Value::Object(parts) => {
            for (part, value) in parts {
                collect(format!("{name}.{part}"), value, found);
            }
            return;
        }
        Value::Array(entries) if entries.iter().any(Value::is_object) => {
            for (place, entry) in entries.iter().enumerate() {
                collect(format!("{name}[{place}]"), entry, found);
            }
            return;
        }
        Value::Array(entries) => Some(entries.len() as i128),
        Value::Bool(flag) => Some(i128::from(*flag)),
        number => number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from)),
    };
    found.push(Metric { unit: unit(&name).to_string(), name, value });
}

/// What a key figure counts: its name ends in it, as in tables. All of `bytes` are bytes.
fn unit(name: &str) -> Unit {
    if name.starts_with("bytes.") {
        return Unit::Bytes;
    }
    let ends = |unit: &Unit| !unit.suffix().is_empty() && name.ends_with(unit.suffix());
    Unit::ALL.into_iter().find(ends).unwrap_or(Unit::Count)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The record of an invented run with these figures, which all count.
    pub(in crate::experiment) fn sample(
        axes: &[&str],
        seed: u64,
        figures: &[(&str, Option<i128>)],
    ) -> Record {
        let axes: Vec<String> = axes.iter().map(|label| (*label).to_owned()).collect();
        let metric = |(name, value): &(&str, Option<i128>)| Metric {
            name: (*name).into(),
            unit: unit(name).to_string(),
            value: *value,
        };
        Record {
            format: Record::FORMAT,
            program_version: "0.1.0".into(),
            model_version: 1,
            key: Record::key_of(Digest::of(&seed.to_le_bytes()), &axes),
            scenario: "smoke".into(),
            seed,
            axes,
            complete: true,
            repeatable: true,
            verdict: "pass".into(),
            exit_code: 0,
            expectations: Vec::new(),
            event_digest: Some(Digest::of(b"events")),
            reached_ns: 5,
            events: 3,
            metrics: figures.iter().map(metric).collect(),
        }
    }

    #[test]
    fn a_record_reads_back_as_it_was_written() {
        let figures = [("end_ns", Some(5)), ("bytes.sent", Some(u64::MAX.into())), ("x", None)];
        let record = sample(&["50", "2%"], 7, &figures);
        let text = record.to_text();
        assert_eq!(Record::parse(text.as_bytes()).as_ref(), Ok(&record), "{text}");
        let line =
            "    {\"name\":\"bytes.sent\",\"unit\":\"bytes\",\"value\":18446744073709551615},\n";
        assert!(text.contains(line), "{text}");
        for end in 0..text.len() - 1 {
            assert!(Record::parse(&text.as_bytes()[..end]).is_err(), "half a record is none");
        }
    }

    #[test]
    fn summaries_are_laid_out_flat_with_units() {
        let json = serde_json::json!({
            "end_ns": 5, "gone": null, "bytes": { "sent": 3 }, "on": true,
            "list": [4, 4, 4], "heals": [{ "took_ns": null }], "deep": { "er": { "share_ppm": 1 } },
        });
        let mut found = Vec::new();
        for (name, part) in json.as_object().expect("an object") {
            collect(name.clone(), part, &mut found);
        }
        let lines: Vec<_> =
            found.iter().map(|m| format!("{} {} {:?}", m.name, m.unit, m.value)).collect();
        assert_eq!(
            lines,
            [
                "end_ns nanoseconds Some(5)",
                "gone count None",
                "bytes.sent bytes Some(3)",
                "on count Some(1)",
                "list count Some(3)",
                "heals[0].took_ns nanoseconds None",
                "deep.er.share_ppm parts per million Some(1)",
            ]
        );
    }
}
