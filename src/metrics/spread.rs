//! Metrics layer: how far something spread, and when it reached each share of a whole. Rumors and
//! blocks are measured alike.

use serde::{Serialize, Serializer};

use super::figures::{mean, ppm};
use super::table::{Cell, Column, Unit};
use crate::base::time::Span;

/// The shares whose times are kept, in percent.
pub(super) const SHARES: [u64; 7] = [50, 67, 80, 90, 95, 99, 100];

/// The columns of the times to each of [`SHARES`], of nodes and then of stake.
pub(super) const SHARE_COLUMNS: [Column; 2 * SHARES.len()] = [
    Column::new("to_50_nodes_ns", Unit::Nanoseconds, "Until 50 % of the nodes had it."),
    Column::new("to_67_nodes_ns", Unit::Nanoseconds, "Until 67 % of the nodes had it."),
    Column::new("to_80_nodes_ns", Unit::Nanoseconds, "Until 80 % of the nodes had it."),
    Column::new("to_90_nodes_ns", Unit::Nanoseconds, "Until 90 % of the nodes had it."),
    Column::new("to_95_nodes_ns", Unit::Nanoseconds, "Until 95 % of the nodes had it."),
    Column::new("to_99_nodes_ns", Unit::Nanoseconds, "Until 99 % of the nodes had it."),
    Column::new("to_100_nodes_ns", Unit::Nanoseconds, "Until all nodes had it."),
    Column::new("to_50_stake_ns", Unit::Nanoseconds, "Until nodes with 50 % of stake had it."),
    Column::new("to_67_stake_ns", Unit::Nanoseconds, "Until nodes with 67 % of stake had it."),
    Column::new("to_80_stake_ns", Unit::Nanoseconds, "Until nodes with 80 % of stake had it."),
    Column::new("to_90_stake_ns", Unit::Nanoseconds, "Until nodes with 90 % of stake had it."),
    Column::new("to_95_stake_ns", Unit::Nanoseconds, "Until nodes with 95 % of stake had it."),
    Column::new("to_99_stake_ns", Unit::Nanoseconds, "Until nodes with 99 % of stake had it."),
    Column::new("to_100_stake_ns", Unit::Nanoseconds, "Until nodes with all stake had it."),
];

/// The cells of [`SHARE_COLUMNS`].
pub(super) fn share_cells(nodes: &Spread, stake: &Spread) -> impl Iterator<Item = Cell<'static>> {
    nodes.times.into_iter().chain(stake.times).map(Cell::from)
}

/// Time from the start until a share was reached, over those that did reach it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct TimeToShare {
    /// How many reached the share.
    pub reached: u64,
    /// Their mean time, exact.
    pub mean_ns: Option<u64>,
    /// The longest of their times.
    pub max_ns: Option<u64>,
}

/// How much of a whole has something, and when each share was reached.
#[derive(Clone, Copy)]
pub(super) struct Spread {
    /// How much has it.
    pub(super) held: u64,
    /// Of how much.
    pub(super) whole: u64,
    /// How many of [`SHARES`] have been reached.
    passed: usize,
    /// When each of [`SHARES`] was.
    pub(super) times: [Option<Span>; SHARES.len()],
}

impl Spread {
    /// A spread of which no share is ever reached if `whole` is zero.
    pub(super) fn new(whole: u64, held: u64) -> Self {
        let passed = if whole == 0 { SHARES.len() } else { 0 };
        let mut spread = Self { held: 0, whole, passed, times: [None; SHARES.len()] };
        spread.add(held, Span::ZERO);
        spread
    }

    /// So much more has it, so long after the start.
    pub(super) fn add(&mut self, amount: u64, after: Span) {
        self.held += amount;
        while self.passed < SHARES.len()
            && u128::from(self.held) * 100
                >= u128::from(self.whole) * u128::from(SHARES[self.passed])
        {
            self.times[self.passed] = Some(after);
            self.passed += 1;
        }
    }
}

/// The times to each share of nodes and of stake, over all that spread; as JSON a map with a key
/// for each share, called like the column of a table without its unit: `to_50_nodes`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TimesToShares([TimeToShare; SHARE_COLUMNS.len()]);

impl TimesToShares {
    /// Times of nodes and of stake to 50, 67, 80, 90, 95, 99 and 100 %.
    #[must_use]
    pub fn new(nodes: [TimeToShare; SHARES.len()], stake: [TimeToShare; SHARES.len()]) -> Self {
        let mut all = [TimeToShare::default(); SHARE_COLUMNS.len()];
        all.iter_mut().zip(nodes.into_iter().chain(stake)).for_each(|(of, time)| *of = time);
        Self(all)
    }

    /// Times until so many percent of the nodes were reached: 50, 67, 80, 90, 95, 99 or 100; never
    /// for any other share.
    #[must_use]
    pub fn nodes(&self, percent: u64) -> TimeToShare {
        of(&self.0[..SHARES.len()], percent)
    }

    /// The same for nodes with so much of all stake.
    #[must_use]
    pub fn stake(&self, percent: u64) -> TimeToShare {
        of(&self.0[SHARES.len()..], percent)
    }
}

/// Of the times to each of [`SHARES`] those to one of them.
fn of(times: &[TimeToShare], percent: u64) -> TimeToShare {
    let found = SHARES.iter().zip(times).find(|(share, _)| **share == percent);
    found.map_or_else(TimeToShare::default, |(_, times)| *times)
}

impl Serialize for TimesToShares {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let names = SHARE_COLUMNS.iter().map(|column| column.name.trim_end_matches("_ns"));
        serializer.collect_map(names.zip(&self.0))
    }
}

/// The times to each share, being counted.
#[derive(Default)]
pub(super) struct ShareTimes([(TimeToShare, u128); SHARE_COLUMNS.len()]);

impl ShareTimes {
    /// Takes in something that spread over nodes and stake.
    pub(super) fn add(&mut self, nodes: &Spread, stake: &Spread) {
        let times = nodes.times.into_iter().chain(stake.times);
        for ((share, sum), time) in self.0.iter_mut().zip(times) {
            if let Some(time) = time {
                share.reached += 1;
                share.max_ns = share.max_ns.max(Some(time.as_nanos()));
                *sum += u128::from(time.as_nanos());
            }
        }
    }

    pub(super) fn summary(&self) -> TimesToShares {
        TimesToShares(
            self.0.map(|(share, sum)| TimeToShare { mean_ns: mean(sum, share.reached), ..share }),
        )
    }
}

/// The shares that were reached, over many spreads.
#[derive(Default)]
pub(super) struct Coverage {
    /// How many.
    pub(super) count: u64,
    /// How many reached everybody.
    pub(super) complete: u64,
    sum_ppm: u64,
    /// The smallest.
    pub(super) min_ppm: Option<u64>,
}

impl Coverage {
    /// `held` of `whole` were reached. Nobody to reach is everybody reached.
    pub(super) fn add(&mut self, held: u64, whole: u64) {
        let share = ppm(held.min(whole), whole).unwrap_or(1_000_000);
        self.count += 1;
        self.complete += u64::from(held >= whole);
        self.sum_ppm += share;
        self.min_ppm = Some(self.min_ppm.map_or(share, |least| least.min(share)));
    }

    pub(super) fn mean_ppm(&self) -> Option<u64> {
        mean(self.sum_ppm.into(), self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_reached_by_the_amount_that_completes_it() {
        // Of 200: 50 % is 100, 67 % is 134, 80 % is 160.
        let mut spread = Spread::new(200, 99);
        spread.add(1, Span::from_nanos(5));
        spread.add(33, Span::from_nanos(6));
        spread.add(27, Span::from_nanos(7));
        let times = spread.times.map(|time| time.map(Span::as_nanos));
        assert_eq!(times, [Some(5), Some(7), Some(7), None, None, None, None]);
        let (mut shares, none) = (ShareTimes::default(), Spread::new(0, 0));
        shares.add(&spread, &none);
        shares.add(&Spread::new(1, 1), &spread);
        shares.add(&none, &none);
        let shares = shares.summary();
        let half = TimeToShare { reached: 2, mean_ns: Some(2), max_ns: Some(5) };
        let all = TimeToShare { reached: 1, mean_ns: Some(0), max_ns: Some(0) };
        assert_eq!((shares.nodes(50), shares.nodes(100)), (half, all));
        let of_stake = TimeToShare { reached: 1, mean_ns: Some(7), max_ns: Some(7) };
        assert_eq!((shares.stake(80), shares.stake(90)), (of_stake, TimeToShare::default()));
        assert_eq!((shares.nodes(51), shares.stake(0)), Default::default(), "no such shares");
    }

    #[test]
    fn columns_and_keys_name_their_shares() {
        let names = SHARES.map(|share| format!("to_{share}_nodes"));
        let names = [names, SHARES.map(|share| format!("to_{share}_stake"))].concat();
        let columns: Vec<String> = SHARE_COLUMNS.iter().map(|c| c.name.to_owned()).collect();
        assert_eq!(columns, names.iter().map(|name| format!("{name}_ns")).collect::<Vec<_>>());
        let json = serde_json::to_value(TimesToShares::default()).expect("JSON");
        let keys: Vec<&String> = json.as_object().expect("a map").keys().collect();
        assert!(keys.len() == names.len() && names.iter().all(|name| keys.contains(&name)));
    }

    #[test]
    fn coverage_counts_nobody_to_reach_as_reached() {
        let mut coverage = Coverage::default();
        assert_eq!((coverage.mean_ppm(), coverage.min_ppm), (None, None));
        [(1, 4), (4, 4), (0, 0)].into_iter().for_each(|(held, whole)| coverage.add(held, whole));
        assert_eq!((coverage.mean_ppm(), coverage.min_ppm), (Some(750_000), Some(250_000)));
        assert_eq!(coverage.complete, 2);
    }
}
