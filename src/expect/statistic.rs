//! Expectation layer: what is taken of many values. Exact: whole numbers and fractions of them,
//! quantiles by nearest rank.

use super::value::Exact;

/// What is taken of many values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistic {
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// Sum over count.
    Mean,
    /// The smallest that at least this many parts per million do not exceed.
    Quantile(u32),
    /// The sum.
    Sum,
    /// How many there are, empty ones not counted.
    Count,
    /// The first, in the order of the table.
    First,
    /// The last.
    Last,
}

/// What the values came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// This number.
    Number(Exact),
    /// Something that never happened is among the values that it depends on.
    Never,
    /// There were no values.
    Nothing,
}

/// How a value that never came counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Larger than every other: what is bounded from above.
    Large,
    /// Smaller than every other: what is bounded from below.
    Small,
}

/// Words with a meaning of their own, for hints.
pub(super) const WORDS: [&str; 8] =
    ["min", "max", "mean", "median", "sum", "count", "first", "last"];

impl Statistic {
    /// Reads the name of a statistic.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "min" => Self::Min,
            "max" => Self::Max,
            "mean" => Self::Mean,
            "median" => Self::Quantile(500_000),
            "sum" => Self::Sum,
            "count" => Self::Count,
            "first" => Self::First,
            "last" => Self::Last,
            _ => Self::Quantile(percentile(name.strip_prefix('p')?)?),
        })
    }
}

/// `99` or `99.9` in parts per million.
fn percentile(text: &str) -> Option<u32> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 3 || part.len() > 4 || !plain(whole) || !plain(part) {
        return None;
    }
    let ppm: u32 = format!("{whole}{part:0<4}").parse().ok()?;
    (ppm <= 1_000_000).then_some(ppm)
}

/// The values of the rows that are meant, as they come; `None` is never.
#[derive(Debug)]
pub(super) struct Values {
    statistic: Statistic,
    side: Side,
    /// All numbers, if they have to be put in order.
    ordered: Vec<i128>,
    count: u64,
    nevers: u64,
    sum: i128,
    range: Option<(i128, i128)>,
    first: Option<Option<i128>>,
    last: Option<Option<i128>>,
}

impl Values {
    /// So many values are put in order at most: 1 GB of memory.
    pub(super) const MOST: usize = 1 << 26;

    pub(super) const fn new(statistic: Statistic, side: Side) -> Self {
        Self {
            statistic,
            side,
            ordered: Vec::new(),
            count: 0,
            nevers: 0,
            sum: 0,
            range: None,
            first: None,
            last: None,
        }
    }

    /// One more value; false if there is no room for it.
    pub(super) fn add(&mut self, value: Option<i128>) -> bool {
        self.first.get_or_insert(value);
        self.last = Some(value);
        let Some(number) = value else {
            self.nevers += 1;
            return true;
        };
        self.count += 1;
        // Table cells have 64 bits, so 2^64 rows would be needed to leave 128.
        self.sum = self.sum.saturating_add(number);
        let (least, most) = self.range.unwrap_or((number, number));
        self.range = Some((least.min(number), most.max(number)));
        if matches!(self.statistic, Statistic::Quantile(_)) {
            if self.ordered.len() == Self::MOST {
                return false;
            }
            self.ordered.push(number);
        }
        true
    }

    /// What they come to.
    pub(super) fn take(mut self) -> Taken {
        let whole = |number: Option<i128>| {
            number.map_or(Taken::Never, |number| Taken::Number(Exact::whole(number)))
        };
        if self.count + self.nevers == 0 && self.statistic != Statistic::Count {
            return Taken::Nothing;
        }
        let (least, most) = self.range.unzip();
        let never_on = |side: Side| self.nevers > 0 && self.side == side;
        match self.statistic {
            Statistic::Min if never_on(Side::Small) => Taken::Never,
            Statistic::Max if never_on(Side::Large) => Taken::Never,
            Statistic::Min => whole(least),
            Statistic::Max => whole(most),
            Statistic::Mean | Statistic::Sum if self.nevers > 0 => Taken::Never,
            Statistic::Sum => whole(Some(self.sum)),
            Statistic::Mean => {
                Exact::fraction(self.sum, self.count).map_or(Taken::Nothing, Taken::Number)
            }
            Statistic::First => whole(self.first.flatten()),
            Statistic::Last => whole(self.last.flatten()),
            Statistic::Quantile(ppm) => {
                self.ordered.sort_unstable();
                whole(self.quantile(ppm))
            }
            Statistic::Count => whole(Some(self.count.into())),
        }
    }

    /// By nearest rank, what never came on its side.
    fn quantile(&self, ppm: u32) -> Option<i128> {
        let all = self.count + self.nevers;
        let rank = (u128::from(all) * u128::from(ppm)).div_ceil(1_000_000).max(1);
        let below = match self.side {
            Side::Small => self.nevers,
            Side::Large => 0,
        };
        let place = usize::try_from(rank).ok()?.checked_sub(1 + below as usize)?;
        self.ordered.get(place).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(name: &str, side: Side, values: &[Option<i128>]) -> Taken {
        let mut all = Values::new(Statistic::parse(name).expect("a statistic"), side);
        assert!(values.iter().all(|value| all.add(*value)));
        all.take()
    }

    fn number(name: &str, values: &[i128]) -> Exact {
        let values: Vec<_> = values.iter().map(|value| Some(*value)).collect();
        match taken(name, Side::Large, &values) {
            Taken::Number(number) => number,
            other => panic!("{name}: {other:?}"),
        }
    }

    #[test]
    fn statistics_are_exact_and_quantiles_by_nearest_rank() {
        let values = [7, -3, 10, 4];
        for (name, expected) in
            [("min", -3), ("max", 10), ("sum", 18), ("count", 4), ("first", 7), ("last", 4)]
        {
            assert_eq!(number(name, &values), Exact::whole(expected), "{name}");
        }
        assert_eq!(number("mean", &values), Exact::fraction(18, 4).expect("a divisor"));
        // Of -3, 4, 7, 10 the ranks are ceil(4 p): 2, 1, 4, 3, 1, 4.
        let ranks =
            [("median", 4), ("p25", -3), ("p75.1", 10), ("p75", 7), ("p0", -3), ("p100", 10)];
        for (name, expected) in ranks {
            assert_eq!(number(name, &values), Exact::whole(expected), "{name}");
        }
        for name in ["p", "p101", "p99.99999", "average", "p-1", "pxx"] {
            assert_eq!(Statistic::parse(name), None, "{name}");
        }
    }

    #[test]
    fn what_never_came_is_beyond_every_bound() {
        let values = [Some(1), None, Some(3), Some(2)];
        let large = |name| taken(name, Side::Large, &values);
        let small = |name| taken(name, Side::Small, &values);
        let whole = |number| Taken::Number(Exact::whole(number));
        for name in ["max", "mean", "sum", "p100", "p76"] {
            assert_eq!(large(name), Taken::Never, "{name}");
        }
        for name in ["min", "mean", "sum", "p25", "p1"] {
            assert_eq!(small(name), Taken::Never, "{name}");
        }
        // In order: 1, 2, 3, never; or never, 1, 2, 3.
        assert_eq!((large("p75"), small("p75")), (whole(3), whole(2)));
        assert_eq!((large("min"), small("max")), (whole(1), whole(3)));
        assert_eq!((large("count"), large("last")), (whole(3), whole(2)));
        assert_eq!(taken("last", Side::Large, &[Some(1), None]), Taken::Never);
        assert_eq!(taken("count", Side::Large, &[]), whole(0));
        assert_eq!(taken("max", Side::Large, &[]), Taken::Nothing);
        assert_eq!(taken("max", Side::Small, &[None]), Taken::Never);
    }
}
