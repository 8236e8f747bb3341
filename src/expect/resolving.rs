//! Expectation layer: from what a scenario says to an expectation with every name found.

use super::across::Trial;
use super::bounds::{Bounds, Written};
use super::invariant::{INVARIANTS, Invariant};
use super::metric::{Chosen, Rows, figure_of};
use super::setting::{Always, Bound, Breach, Eventually, ExpectConfig, ShareOf, Sometimes};
use super::statistic::{Statistic, WORDS};
use super::value::{Exact, Literal, SHARE, written};
use super::{Coming, Expectation, Mark, Outcome, Refusal, What};
use crate::base::time::Span;
use crate::metrics::table::Unit;

/// What is asked of the values of a kind.
macro_rules! bounds_of {
    ($config:expr) => {
        Written {
            at_most: $config.at_most.as_ref(),
            at_least: $config.at_least.as_ref(),
            below: $config.below.as_ref(),
            above: $config.above.as_ref(),
            equals: $config.equals.as_ref(),
        }
    };
}

/// Which rows a kind means.
macro_rules! rows_of {
    ($config:expr) => {
        Chosen {
            only: &$config.only,
            from: $config.from,
            until: $config.until,
            empty: $config.empty,
        }
    };
}

impl Expectation {
    /// Finds every name of an expectation that a scenario has at `place`.
    ///
    /// # Errors
    /// The first thing that cannot be: an unknown name, a value of another unit, keys that
    /// contradict each other.
    pub fn resolve(place: usize, config: &ExpectConfig) -> Result<Self, Refusal> {
        let (name, breach, usual, (what, words)) = match config {
            ExpectConfig::Bound(c) => (&c.name, c.verdict, Outcome::Failed, bound(c)?),
            ExpectConfig::Eventually(c) => (&c.name, c.verdict, Outcome::NoProgress, coming(c)?),
            ExpectConfig::Always(c) => (&c.name, c.verdict, Outcome::Failed, always(c)?),
            ExpectConfig::Sometimes(c) => (&c.name, c.verdict, Outcome::Invalid, sometimes(c)?),
            ExpectConfig::Across(c) => {
                let trial = Trial::resolve(c)?;
                let words = trial.words();
                (&c.name, c.verdict, Outcome::Failed, (What::Across(Box::new(trial)), words))
            }
        };
        let usual = match &what {
            What::Invariant(invariant) => invariant.breach,
            _ => usual,
        };
        let breach = breach.map_or(usual, Breach::outcome);
        Ok(Self { place, label: name.clone().unwrap_or(words), breach, what })
    }
}

impl Breach {
    /// What a run is called.
    #[must_use]
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::Failed => Outcome::Failed,
            Self::NoProgress => Outcome::NoProgress,
            Self::Diverged => Outcome::Diverged,
            Self::Invalid => Outcome::Invalid,
        }
    }
}

fn bound(config: &Bound) -> Result<(What, String), Refusal> {
    let (metric, asked) = (config.metric.as_str(), bounds_of!(config));
    let both = "a statistic and a share exclude each other";
    match (&config.statistic, &config.share) {
        (Some(_), Some(_)) => Err(Refusal::new("share", both)),
        (None, None) => {
            no_rows(&rows_of!(config), config.of)?;
            let figure = figure_of("metric", metric)?;
            let per = config.per.as_deref().map(|per| figure_of("per", per)).transpose()?;
            let unit = if per.is_some() { SHARE } else { figure.unit };
            let bounds = Bounds::resolve(unit, &asked)?;
            let of = per.as_ref().map_or(String::new(), |per| format!(" / {}", per.name));
            let words = format!("{}{of}", figure.name);
            Ok((What::Figure { figure, per, bounds }, words))
        }
        (Some(name), None) => {
            only_with(config.of, "of", "a share")?;
            no_per(config)?;
            let statistic = statistic(name)?;
            let rows = Rows::resolve(metric, &rows_of!(config))?;
            let unit = match (statistic, rows.unit()) {
                (Statistic::Count, _) => Unit::Count,
                (_, Unit::Text) => {
                    let message = format!("{metric} is a text; all that can be taken is \"count\"");
                    return Err(Refusal::new("statistic", message));
                }
                (_, unit) => unit,
            };
            let bounds = Bounds::resolve(unit, &asked)?;
            let words = format!("{name} of {metric}{}", where_words(&rows_of!(config)));
            Ok((What::Statistic { rows, statistic, bounds }, words))
        }
        (None, Some(share)) => {
            no_per(config)?;
            let rows = Rows::resolve(metric, &rows_of!(config))?;
            let bounds = Bounds::resolve(rows.unit(), &asked)?;
            let (share, of) = share_of(share, config.of, &rows)?;
            let chosen = where_words(&rows_of!(config));
            let words = format!("{metric} {} for {}{chosen}", bounds.words(), of.words());
            Ok((What::Share { rows, bounds, share, of }, words))
        }
    }
}

fn no_per(config: &Bound) -> Result<(), Refusal> {
    let message = "only a number of the summary is divided by another";
    config.per.as_ref().map_or(Ok(()), |_| Err(Refusal::new("per", message)))
}

fn only_with(of: Option<ShareOf>, key: &str, what: &str) -> Result<(), Refusal> {
    let message = format!("this is only read with {what}");
    of.map_or(Ok(()), |_| Err(Refusal::new(key, message)))
}

/// A number of the summary has no rows to choose from.
fn no_rows(chosen: &Chosen<'_>, of: Option<ShareOf>) -> Result<(), Refusal> {
    let given = [
        ("where", !chosen.only.is_empty()),
        ("from", chosen.from.is_some()),
        ("until", chosen.until.is_some()),
        ("of", of.is_some()),
    ];
    match given.iter().find(|(_, given)| *given) {
        Some((key, _)) => {
            let message = "a number of the summary has no rows to choose from";
            let way_out = "for a column of a table, say which statistic or share is meant";
            Err(Refusal::new(*key, message).hint(way_out))
        }
        None => Ok(()),
    }
}

pub(super) fn statistic(name: &str) -> Result<Statistic, Refusal> {
    Statistic::parse(name).ok_or_else(|| {
        let message = format!("{name:?} is no statistic");
        let known = format!("known are {} and percentiles such as p99", WORDS.join(", "));
        Refusal::new("statistic", message).hint(known)
    })
}

fn share_of(
    share: &Literal,
    of: Option<ShareOf>,
    rows: &Rows,
) -> Result<(Exact, ShareOf), Refusal> {
    let exact = share.exact(SHARE).map_err(|message| Refusal::new("share", message))?;
    if exact <= Exact::whole(0) || exact > Exact::whole(1_000_000) {
        let message = format!("{} is no share of a whole", written(exact, SHARE));
        return Err(Refusal::new("share", message).hint("expected more than 0%, at most 100%"));
    }
    let of = of.unwrap_or_default();
    if of != ShareOf::Rows && rows.node().is_none() {
        let message = format!("the rows of {} belong to no nodes", rows.table.file_name());
        return Err(Refusal::new("of", message));
    }
    Ok((exact, of))
}

impl ShareOf {
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Rows => "rows",
            Self::Nodes => "nodes",
            Self::Stake => "stake",
        }
    }
}

fn coming(config: &Eventually) -> Result<(What, String), Refusal> {
    let metric = config.metric.as_str();
    let rows = Rows::resolve(metric, &rows_of!(config))?;
    let time = rows.time().ok_or_else(|| {
        Refusal::new("metric", format!("the rows of {} have no time", rows.table.file_name()))
    })?;
    let bounds = Bounds::resolve(rows.unit(), &bounds_of!(config))?;
    let share = config.share.as_ref().map(|share| share_of(share, config.of, &rows)).transpose()?;
    if share.is_none() {
        only_with(config.of, "of", "a share")?;
    }
    let (after, since) = match config.after.as_deref() {
        None | Some("start") => (Mark::Moment(Span::ZERO), "the start".to_owned()),
        Some("heal") => (Mark::Heals, "each heal".into()),
        Some("faults") => (Mark::LastFault, "the last fault".into()),
        Some(text) => match text.parse::<Span>() {
            Ok(at) => (Mark::Moment(at), at.to_string()),
            Err(_) => {
                let message = format!("{text:?} is no moment");
                let known = "expected \"start\", \"heal\", \"faults\" or a time such as \"5s\"";
                return Err(Refusal::new("after", message).hint(known));
            }
        },
    };
    let of = share.map_or(String::new(), |(share, of)| {
        format!(" for {} of {}", written(share, SHARE), of.words())
    });
    let chosen = where_words(&rows_of!(config));
    let words = format!("{metric} {}{of} after {since}{chosen}", bounds.words());
    let coming = Coming { rows, time, bounds, share, within: config.within, after };
    Ok((What::Eventually(coming), words))
}

fn always(config: &Always) -> Result<(What, String), Refusal> {
    let asked = bounds_of!(config);
    match (&config.invariant, &config.metric) {
        (Some(_), Some(_)) => {
            Err(Refusal::new("invariant", "an invariant and a metric exclude each other"))
        }
        (None, None) => Err(Refusal::new("", "neither a metric nor an invariant is named")),
        (Some(name), None) => {
            no_rows(&rows_of!(config), None)?;
            if !asked.is_empty() {
                return Err(Refusal::new("invariant", "an invariant has no bounds"));
            }
            let invariant = Invariant::find(name).ok_or_else(|| {
                let names = INVARIANTS.iter().map(|invariant| invariant.name);
                let message = format!("there is no invariant {name:?}");
                Refusal::new("invariant", message).names(name, names)
            })?;
            Ok((What::Invariant(invariant), invariant.name.into()))
        }
        (None, Some(metric)) => {
            let rows = Rows::resolve(metric, &rows_of!(config))?;
            let bounds = Bounds::resolve(rows.unit(), &asked)?;
            let words = format!("{metric}{}", where_words(&rows_of!(config)));
            Ok((What::Always { rows, bounds }, words))
        }
    }
}

fn sometimes(config: &Sometimes) -> Result<(What, String), Refusal> {
    let (metric, asked) = (config.metric.as_str(), bounds_of!(config));
    let chosen = rows_of!(config);
    let of_table = !chosen.only.is_empty() || chosen.from.is_some() || chosen.until.is_some();
    let bounds = |unit: Unit| match (asked.is_empty(), unit) {
        (true, Unit::Text) => {
            let message = "a text is not above zero; say what it equals";
            Err(Refusal::new("metric", message))
        }
        (true, _) => Ok(Bounds::positive(unit)),
        (false, _) => Bounds::resolve(unit, &asked),
    };
    // Names of the summary come first; where both have one, a choice of rows tells.
    let figure = figure_of("metric", metric);
    if let (Ok(figure), false) = (&figure, of_table) {
        let bounds = bounds(figure.unit)?;
        let words = format!("{metric} {}", bounds.words());
        return Ok((What::SometimesFigure { figure: figure.clone(), bounds }, words));
    }
    match (Rows::resolve(metric, &chosen), figure) {
        (Ok(rows), _) => {
            let bounds = bounds(rows.unit())?;
            let words = format!("{metric} {}{}", bounds.words(), where_words(&chosen));
            Ok((What::Sometimes { rows, bounds }, words))
        }
        (Err(refusal), _) if of_table => Err(refusal),
        // Says more about a name that is neither.
        (Err(refusal), figure) => Err(figure.err().unwrap_or(refusal)),
    }
}

/// Which rows are meant, in words; empty if all are.
fn where_words(chosen: &Chosen<'_>) -> String {
    let mut words = Vec::new();
    for (name, value) in chosen.only {
        let value = match value {
            Literal::Integer(number) => number.to_string(),
            Literal::Number(number) => number.to_string(),
            Literal::Flag(flag) => flag.to_string(),
            Literal::Text(text) => text.clone(),
        };
        words.push(format!("{name} = {value}"));
    }
    words.extend(chosen.from.map(|from| format!("from {from}")));
    words.extend(chosen.until.map(|until| format!("until {until}")));
    if words.is_empty() { String::new() } else { format!(" [{}]", words.join(", ")) }
}
