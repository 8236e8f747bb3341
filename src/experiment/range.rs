//! Experiment layer: values of an axis that are counted up: by steps, or by a factor. Decimals are
//! exact, so that 0.1 and three steps of 0.1 are 0.4 and the end of a range is not missed.

use super::MOST_VALUES;

/// A decimal number with a unit behind it, such as `80ms`, `2.5%` or `7`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Quantity {
    /// The number times ten to the power of `places`.
    digits: i128,
    places: u32,
    unit: String,
}

/// More places behind the point are refused: no key tells them apart.
const MOST_PLACES: u32 = 15;

impl Quantity {
    /// What stands in a scenario: a number, or a text that begins with one.
    fn of(value: &toml::Value) -> Result<Self, String> {
        let text = match value {
            toml::Value::String(text) => text.trim().to_owned(),
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Float(number) => number.to_string(),
            other => return Err(format!("{other} is no number with or without a unit")),
        };
        let refuse = || format!("{text:?} is no number with or without a unit");
        let signed = text.strip_prefix('-').unwrap_or(&text);
        let number = |c: char| c.is_ascii_digit() || c == '.' || c == '_';
        let end = signed.find(|c| !number(c)).unwrap_or(signed.len());
        let (number, unit) = (signed[..end].replace('_', ""), signed[end..].trim());
        let (whole, part) = number.split_once('.').unwrap_or((&number, ""));
        let places = part.len() as u32;
        if whole.is_empty() || places > MOST_PLACES || whole.len() > 20 || part.contains('.') {
            return Err(refuse());
        }
        let mut digits: i128 = format!("{whole}{part}").parse().map_err(|_| refuse())?;
        if text.starts_with('-') {
            digits = -digits;
        }
        Ok(Self { digits, places, unit: unit.to_owned() })
    }

    /// The digits with so many places; more than the number has.
    const fn at(&self, places: u32) -> i128 {
        self.digits * 10_i128.pow(places - self.places)
    }

    /// As it is written in a scenario, without zeros at the end of a fraction.
    fn value(&self) -> toml::Value {
        let (mut digits, mut places) = (self.digits, self.places);
        while places > 0 && digits % 10 == 0 {
            (digits, places) = (digits / 10, places - 1);
        }
        let power = 10_i128.pow(places);
        let sign = if digits < 0 { "-" } else { "" };
        let (whole, part) = (digits.abs() / power, digits.abs() % power);
        let fraction = match places {
            0 => String::new(),
            places => format!(".{part:0width$}", width = places as usize),
        };
        let text = format!("{sign}{whole}{fraction}{}", self.unit);
        let bare = if self.unit.is_empty() { text.parse().ok() } else { None };
        bare.unwrap_or(toml::Value::String(text))
    }
}

/// How a range goes on.
pub(super) enum Pace<'a> {
    /// By adding this; 1 in the unit of the range without it.
    Step(Option<&'a toml::Value>),
    /// By multiplying with this.
    Factor(f64),
}

/// All values from `from` to at most `to`.
pub(super) fn values(
    from: &toml::Value,
    to: &toml::Value,
    pace: &Pace<'_>,
) -> Result<Vec<toml::Value>, String> {
    let (from, to) = (Quantity::of(from)?, Quantity::of(to)?);
    if from.unit != to.unit {
        let (a, b) = (from.value(), to.value());
        return Err(format!("a range from {a} to {b} mixes units; write both in the same"));
    }
    let places = from.places.max(to.places);
    if from.at(places) > to.at(places) {
        return Err(format!("a range from {} to {} is empty", from.value(), to.value()));
    }
    let all = match pace {
        Pace::Step(step) => steps(&from, &to, *step),
        Pace::Factor(factor) => factors(&from, &to, *factor),
    }?;
    Ok(all.iter().map(Quantity::value).collect())
}

fn steps(
    from: &Quantity,
    to: &Quantity,
    step: Option<&toml::Value>,
) -> Result<Vec<Quantity>, String> {
    let step = match step {
        Some(step) => Quantity::of(step)?,
        None => Quantity { digits: 1, places: 0, unit: from.unit.clone() },
    };
    if step.unit != from.unit {
        let (step, from) = (step.value(), from.value());
        return Err(format!("a step of {step} from {from} mixes units; write both in the same"));
    }
    let places = from.places.max(to.places).max(step.places);
    let (first, last, by) = (from.at(places), to.at(places), step.at(places));
    if by <= 0 {
        return Err(format!("a step of {} leads nowhere; expected more than 0", step.value()));
    }
    let count = (last - first) / by + 1;
    if count > MOST_VALUES as i128 {
        return Err(format!("a range of {count} values passes the limit of {MOST_VALUES}"));
    }
    let at = |number| Quantity { digits: first + number * by, places, unit: from.unit.clone() };
    Ok((0..count).map(at).collect())
}

fn factors(from: &Quantity, to: &Quantity, factor: f64) -> Result<Vec<Quantity>, String> {
    let by = Quantity::of(&toml::Value::Float(factor))?;
    if by.digits <= 10_i128.pow(by.places) {
        return Err(format!("a factor of {factor} leads nowhere; expected more than 1"));
    }
    if from.digits <= 0 {
        let from = from.value();
        return Err(format!("a factor needs a range that starts above 0, found {from}"));
    }
    let mut all = vec![from.clone()];
    loop {
        let here = &all[all.len() - 1];
        // Beyond so many places a value is rounded down: 1.1 to the 20th power has 20 places.
        let (mut digits, mut places) =
            (here.digits.checked_mul(by.digits), here.places + by.places);
        while places > MOST_PLACES {
            (digits, places) = (digits.map(|digits| digits / 10), places - 1);
        }
        let Some(digits) = digits else {
            return Err(format!("the range from {} leaves what can be counted", from.value()));
        };
        let next = Quantity { digits, places, unit: from.unit.clone() };
        let common = places.max(to.places);
        if next.at(common) > to.at(common) {
            return Ok(all);
        }
        if all.len() == MOST_VALUES || next.at(common) <= here.at(common) {
            return Err(format!("the range has more than {MOST_VALUES} values"));
        }
        all.push(next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> toml::Value {
        text.parse().unwrap_or_else(|_| toml::Value::String(text.to_owned()))
    }

    fn by_steps(from: &str, to: &str, step: &str) -> Result<Vec<String>, String> {
        let step = (!step.is_empty()).then(|| value(step));
        let all = values(&value(from), &value(to), &Pace::Step(step.as_ref()))?;
        Ok(all.iter().map(ToString::to_string).collect())
    }

    fn by_factor(from: &str, to: &str, factor: f64) -> Result<Vec<String>, String> {
        let all = values(&value(from), &value(to), &Pace::Factor(factor))?;
        Ok(all.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn steps_are_exact_keep_their_unit_and_stop_at_the_end() {
        assert_eq!(by_steps("1", "4", ""), Ok(["1", "2", "3", "4"].map(String::from).into()));
        assert_eq!(by_steps("-1", "1", "2"), Ok(["-1", "1"].map(String::from).into()));
        // In binary, 0.1 + 0.1 + 0.1 is more than 0.3 and the last value would be lost.
        let tenths = ["0.1", "0.2", "0.3"].map(String::from);
        assert_eq!(by_steps("0.1", "0.3", "0.1"), Ok(tenths.into()));
        let shares = ["\"0%\"", "\"2.5%\"", "\"5%\""].map(String::from);
        assert_eq!(by_steps("0%", "7%", "2.5%"), Ok(shares.into()));
        assert_eq!(by_steps("5ms", "5ms", ""), Ok(vec!["\"5ms\"".into()]));
    }

    #[test]
    fn factors_multiply() {
        assert_eq!(by_factor("1", "9", 2.0), Ok(["1", "2", "4", "8"].map(String::from).into()));
        let sizes = ["\"256B\"", "\"512B\"", "\"1024B\""].map(String::from);
        assert_eq!(by_factor("256B", "1024B", 2.0), Ok(sizes.into()));
        let growing = ["4", "6", "9", "13.5"].map(String::from);
        assert_eq!(by_factor("4", "20", 1.5), Ok(growing.into()));
        // 1.1 to the 24th power is 9.85, the 25th is 10.83: 25 values with the first.
        assert_eq!(by_factor("1", "10", 1.1).map(|all| all.len()), Ok(25));
    }

    #[test]
    fn ranges_that_make_no_sense_are_refused() {
        for (refused, why) in [
            (by_steps("5", "4", "1"), "is empty"),
            (by_steps("1", "4", "0"), "leads nowhere"),
            (by_steps("1", "4", "-1"), "leads nowhere"),
            (by_steps("1s", "2000ms", "1s"), "mixes units"),
            (by_steps("1s", "2s", "100ms"), "mixes units"),
            (by_steps("fast", "slow", ""), "is no number"),
            (by_steps("true", "4", ""), "is no number"),
            (by_steps("1.2.3", "4", ""), "is no number"),
            (by_steps("0", "1000000000000", "1"), "passes the limit"),
            (by_factor("1", "8", 1.0), "leads nowhere"),
            (by_factor("1", "8", 0.5), "leads nowhere"),
            (by_factor("0", "8", 2.0), "starts above 0"),
            (by_factor("1", "8", f64::NAN), "is no number"),
        ] {
            let why_not = refused.expect_err(why);
            assert!(why_not.contains(why), "{why_not} does not say {why}");
        }
    }
}
