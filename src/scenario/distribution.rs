//! Scenario layer: from a distribution as it is written to one that can be drawn from, including
//! the file of a measured one.

use std::path::Path;

use super::csv_fault::csv_fault;
use super::error::ScenarioError;
use super::input;
use crate::base::distribution::{
    Distribution, DistributionError, DistributionOrSpan, DistributionSpec, LONGEST_WRITTEN,
};
use crate::base::time::Span;

/// The distribution that is written at a dotted key. The file of a measured one is taken relative
/// to `base_dir`, the folder of the scenario.
///
/// # Errors
/// Names the offending key, or the file and the line in it.
pub fn resolve(
    written: &DistributionOrSpan,
    key: &str,
    base_dir: &Path,
) -> Result<Distribution, ScenarioError> {
    use DistributionSpec as Spec;
    let resolved = match written {
        DistributionOrSpan::Constant(value) => {
            let constant = Distribution::constant(*value);
            return constant.map_err(|error| ScenarioError::new(key, error.message));
        }
        DistributionOrSpan::Spec(spec) => match spec {
            Spec::Constant { value } => Distribution::constant(*value),
            Spec::Uniform { min, max } => Distribution::uniform(*min, *max),
            Spec::Normal { mean, deviation } => Distribution::normal(*mean, *deviation),
            Spec::LogNormal { median, sigma } => Distribution::log_normal(*median, *sigma),
            Spec::Exponential { mean } => Distribution::exponential(*mean),
            Spec::Pareto { min, exponent } => Distribution::pareto(*min, *exponent),
            Spec::Measured { file } => {
                let path = base_dir.join(file);
                let bytes = input::read(&path);
                let bytes = bytes.map_err(|error| error.at(format!("{key}.file"), &path))?;
                measured(&path, &bytes)
            }
        },
    };
    resolved.map_err(|DistributionError { field, message }| {
        ScenarioError::new(format!("{key}.{field}"), message)
    })
}

/// What a file of samples says about units.
#[derive(Clone, Copy)]
enum Unit {
    /// Every sample carries its own.
    InEverySample,
    /// The header names it: how it is spelled, and its nanoseconds.
    InHeader(&'static str, f64),
}

/// Units that a header can name, by the end of the column's name.
const HEADER_UNITS: [(&str, f64); 4] = [("ns", 1.0), ("us", 1e3), ("ms", 1e6), ("s", 1e9)];

/// The distribution of the samples in a file.
fn measured(path: &Path, text: &[u8]) -> Result<Distribution, DistributionError> {
    let in_file = |message: String| DistributionError {
        field: "file",
        message: format!("{}{message}", path.display()),
    };
    let samples = read_samples(text).map_err(|(line, message)| match line {
        Some(line) => in_file(format!(", line {line}: {message}")),
        None => in_file(format!(" {message}")),
    })?;
    Distribution::measured(samples)
}

/// The samples of a CSV text, or the line where it is wrong, if any, and why.
fn read_samples(text: &[u8]) -> Result<Vec<Span>, (Option<u64>, String)> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .comment(Some(b'#'))
        .from_reader(text);
    let mut record = csv::StringRecord::new();
    let mut unit = None;
    let mut samples = Vec::new();
    loop {
        let more = reader.read_record(&mut record).map_err(|why| csv_fault(&why))?;
        if !more {
            break;
        }
        let wrong = |message| (record.position().map(csv::Position::line), message);
        let [cell] = record.iter().collect::<Vec<_>>()[..] else {
            let message = format!("{} columns where one column is expected", record.len());
            return Err(wrong(message));
        };
        match unit {
            None if cell.starts_with(char::is_alphabetic) => unit = Some(header_unit(cell)),
            _ => {
                let unit = *unit.get_or_insert(Unit::InEverySample);
                samples.push(sample(cell, unit).map_err(wrong)?);
            }
        }
    }
    if samples.is_empty() {
        return Err((None, "holds no sample".into()));
    }
    Ok(samples)
}

fn header_unit(name: &str) -> Unit {
    let end = name.rsplit('_').next().unwrap_or(name);
    let known = HEADER_UNITS.iter().find(|(unit, _)| *unit == end);
    known.map_or(Unit::InEverySample, |&(unit, nanos)| Unit::InHeader(unit, nanos))
}

fn sample(cell: &str, unit: Unit) -> Result<Span, String> {
    let span = match unit {
        Unit::InEverySample => cell.parse().map_err(|why| format!("{why}"))?,
        Unit::InHeader(name, nanos) => {
            // Measurements come with more decimals than a nanosecond has: rounded, not refused.
            let nanos = cell.parse::<f64>().map_or(f64::NAN, |number| libm::round(number * nanos));
            if nanos.is_nan() || nanos < 0.0 {
                return Err(format!(
                    "\"{cell}\" is not a number of {name}, zero or more, as the header says"
                ));
            }
            // A conversion from float to integer saturates; the limit below then refuses it.
            Span::from_nanos(nanos as u64)
        }
    };
    if span > LONGEST_WRITTEN {
        return Err(format!("\"{cell}\" is longer than {LONGEST_WRITTEN}, the limit"));
    }
    Ok(span)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(text: &str) -> Result<Vec<u64>, (Option<u64>, String)> {
        let read = read_samples(text.as_bytes());
        read.map(|samples| samples.into_iter().map(Span::as_nanos).collect())
    }

    #[test]
    fn samples_carry_units_or_the_header_names_them() {
        for text in [
            "12.5ms\n80us\n",
            "latency\n12.5ms\n80us",
            "rtt_ms\n12.5\n0.08\n",
            "latency_ns\r\n12500000\r\n80000\r\n",
            "# measured on a Tuesday\nlatency_us\n 12500.0000001\n\n80\n",
            "s\n0.0125\n8e-5\n",
        ] {
            assert_eq!(samples(text), Ok(vec![12_500_000, 80_000]), "{text}");
        }
    }

    #[test]
    fn wrong_files_are_refused_with_the_line() {
        for (text, line, reason) in [
            ("", None, "holds no sample"),
            ("latency_ms\n", None, "holds no sample"),
            ("12.5\n13\n", Some(1), "\"12.5\" has no unit"),
            ("latency\n12ms\n13\n", Some(3), "\"13\" has no unit"),
            ("latency_ms\n12\nn/a\n", Some(3), "\"n/a\" is not a number of ms"),
            ("latency_ms\n-1\n", Some(2), "\"-1\" is not a number of ms"),
            ("latency_ms\nNaN\n", Some(2), "\"NaN\" is not a number of ms"),
            ("latency_s\n1\n3601\n", Some(3), "longer than 1h"),
            ("latency_s\ninf\n", Some(2), "longer than 1h"),
            ("1ms\n2h\n", Some(2), "longer than 1h"),
            ("a_ms,b_ms\n1,2\n", Some(1), "2 columns where one column is expected"),
            ("latency_ms\n1\n2,5\n", Some(3), "2 columns where one column is expected"),
        ] {
            let (found, message) = samples(text).expect_err(text);
            assert_eq!(found, line, "{text}");
            assert!(message.contains(reason), "{text}: {message}");
        }
        let (line, message) = read_samples(b"1ms\n\xff\xfe\n").expect_err("not UTF-8");
        assert_eq!(line, Some(2), "{message}");
    }

    #[test]
    fn a_measured_distribution_is_read_from_beside_the_scenario() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("rtt.csv"), "rtt_ms\n30\n10\n").expect("a file");
        let measured = |file: &str| {
            let spec = DistributionSpec::Measured { file: file.into() };
            resolve(&spec.into(), "network.latency", folder.path())
        };
        let distribution = measured("rtt.csv").expect("two samples");
        assert_eq!(distribution.min(), Span::from_millis(10));
        assert_eq!(distribution.draw(1 << 63), Span::from_millis(30));

        let missing = measured("none.csv").expect_err("no such file");
        assert_eq!(missing.key, "network.latency.file");
        assert!(missing.message.contains("none.csv cannot be read: "), "{missing}");
        std::fs::write(folder.path().join("bad.csv"), "rtt_ms\n30\nlost\n").expect("a file");
        let bad = measured("bad.csv").expect_err("not a number").message;
        assert!(bad.contains("bad.csv, line 3: \"lost\" is not a number of ms"), "{bad}");
    }

    #[test]
    fn an_error_names_the_key_of_the_parameter() {
        let resolve = |written: DistributionOrSpan| {
            let error = resolve(&written, "network.jitter", Path::new(""));
            error.expect_err("out of range").to_string()
        };
        let (min, max) = (Span::from_millis(2), Span::from_millis(1));
        assert_eq!(
            resolve(DistributionSpec::Uniform { min, max }.into()),
            "network.jitter.max: 1ms is shorter than min, which is 2ms"
        );
        assert_eq!(
            resolve(Span::from_secs(7_200).into()),
            "network.jitter: 2h is longer than 1h, the limit"
        );
    }

    #[test]
    fn every_kind_resolves_to_what_its_parameters_say() {
        let ms = Span::from_millis;
        let draw = |written: DistributionOrSpan, bits| {
            resolve(&written, "key", Path::new("")).expect("in range").draw(bits).as_nanos()
        };
        let (half, most) = (1 << 63, u64::MAX);
        use DistributionSpec as Spec;
        assert_eq!(draw(ms(5).into(), most), 5_000_000);
        assert_eq!(draw(Spec::Constant { value: ms(5) }.into(), most), 5_000_000);
        assert_eq!(draw(Spec::Uniform { min: ms(1), max: ms(3) }.into(), most), 3_000_000);
        assert_eq!(draw(Spec::Normal { mean: ms(5), deviation: ms(1) }.into(), half), 5_000_000);
        assert_eq!(draw(Spec::LogNormal { median: ms(5), sigma: 1.0 }.into(), half), 5_000_000);
        // ln 2 and 2^(1/2) times 5 ms.
        assert_eq!(draw(Spec::Exponential { mean: ms(5) }.into(), half), 3_465_736);
        assert_eq!(draw(Spec::Pareto { min: ms(5), exponent: 2.0 }.into(), half), 7_071_068);
    }
}
