//! Scenario layer: `[[transactions]]` resolved: streams of what clients hand to nodes.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::pace::{Pace, Timing};
use super::pick;
use crate::base::id::NodeId;
use crate::base::quantity::{Bytes, Chance};
use crate::base::rng::{Rng, Seed};
use crate::base::time::Time;
use crate::protocol::forward::Submission;
use crate::protocol::leading::Content;
use crate::protocol::ledger::{AccountId, Transaction};
use crate::scenario::error::ScenarioError;
use crate::scenario::plan::SALT_TRANSACTIONS;
use crate::scenario::population::Population;
use crate::scenario::schema::Scenario;
use crate::scenario::schema::transactions::{Choose, TransactionsConfig};

/// A stream of transactions, resolved.
#[derive(Clone, Debug)]
pub struct TransactionStream {
    pub(super) pace: Pace,
    origins: Vec<NodeId>,
    senders: Choice,
    receivers: Choice,
    amount: u64,
    data: u32,
    forged: Chance,
    overspent: Chance,
    repeated: Chance,
}

/// How an account is chosen.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Choice {
    Fixed(u32),
    /// One of so many, each equally often.
    Uniform(u32),
    /// By a table of running sums of weights.
    Weighted(Arc<[u64]>),
}

impl Choice {
    fn draw(&self, rng: &mut Rng) -> u32 {
        match self {
            Self::Fixed(account) => *account,
            Self::Uniform(count) => rng.below((*count).into()) as u32,
            Self::Weighted(sums) => {
                let total = sums.last().copied().unwrap_or(1);
                at(sums, rng.below(total))
            }
        }
    }

    /// Any account but one, the others in proportion.
    fn draw_other(&self, rng: &mut Rng, not: u32) -> u32 {
        match self {
            Self::Fixed(account) => *account,
            Self::Uniform(count) => {
                let drawn = rng.below(u64::from(*count) - 1) as u32;
                drawn + u32::from(drawn >= not)
            }
            Self::Weighted(sums) => {
                let before = not.checked_sub(1).map_or(0, |last| sums[last as usize]);
                let weight = sums[not as usize] - before;
                let total = sums.last().copied().unwrap_or(1);
                let drawn = rng.below(total - weight);
                at(sums, if drawn >= before { drawn + weight } else { drawn })
            }
        }
    }
}

/// The account whose stretch of the running sums holds a number.
fn at(sums: &[u64], number: u64) -> u32 {
    sums.partition_point(|up_to| *up_to <= number) as u32
}

/// Running sums of 2^32 / rank^exponent, each rounded and at least 1: Zipf's law in integers.
fn zipf(count: u32, exponent: f64) -> Arc<[u64]> {
    let weight = |rank: u32| libm::round(4_294_967_296.0 / libm::pow(f64::from(rank), exponent));
    let mut sum = 0_u64;
    let sums = (1..=count).map(|rank| {
        sum += (weight(rank) as u64).max(1);
        sum
    });
    sums.collect()
}

impl TransactionStream {
    /// Where the next transaction comes in, and what it is; `number` is that of the next new one.
    /// At a node that has had none yet there is nothing to repeat: it gets a new one instead.
    pub(super) fn draw(
        &self,
        rng: &mut Rng,
        number: u32,
        clients: &BTreeSet<NodeId>,
    ) -> (NodeId, Submission) {
        let node = pick(rng, &self.origins);
        let happens = |rng: &mut Rng, chance: Chance| !chance.is_never() && rng.chance(chance);
        if happens(rng, self.repeated) && clients.contains(&node) {
            return (node, Submission::Repeat);
        }
        let sender = self.senders.draw(rng);
        let receiver = self.receivers.draw_other(rng, sender);
        let amount = if happens(rng, self.overspent) { u64::MAX } else { self.amount };
        let submission = Submission::New {
            number,
            sender: AccountId(sender),
            receiver: AccountId(receiver),
            amount,
            data: self.data,
            honest: !happens(rng, self.forged),
        };
        (node, submission)
    }
}

pub(in super::super) fn resolve(
    scenario: &Scenario,
    population: &Population,
    seed: Seed,
    end: Time,
) -> Result<Vec<TransactionStream>, ScenarioError> {
    let count = scenario.transactions.len();
    if count > usize::from(u16::MAX) {
        let message = format!("{count} streams pass the limit of 65,535");
        return Err(ScenarioError::new("transactions", message));
    }
    if count > 0 && scenario.blocks.content != Content::Transactions {
        let message = "there are transactions, but blocks of this content hold none";
        let hint = "use content = \"transactions\"";
        return Err(ScenarioError::new("blocks.content", message).hint(hint));
    }
    let validators = population.validators().count() as u32;
    let accounts = scenario.ledger.accounts.unwrap_or(validators);
    let mut sum = 0;
    let streams = scenario.transactions.iter().enumerate().map(|(place, config)| {
        let resolver = Resolver { config, population, seed, place, accounts };
        let stream = resolver.stream(end)?;
        resolver.timing().add(&mut sum, &stream.pace)?;
        Ok(stream)
    });
    streams.collect()
}

struct Resolver<'a> {
    config: &'a TransactionsConfig,
    population: &'a Population,
    seed: Seed,
    place: usize,
    accounts: u32,
}

impl Resolver<'_> {
    fn timing(&self) -> Timing {
        let TransactionsConfig { at, until, count, every, per_second, burst, .. } = *self.config;
        let stream = format!("transactions[{}]", self.place);
        Timing { stream, noun: "transaction", at, until, count, every, per_second, burst }
    }

    fn error<T>(&self, key: &str, message: impl Into<String>) -> Result<T, ScenarioError> {
        self.timing().error(key, message)
    }

    fn stream(&self, end: Time) -> Result<TransactionStream, ScenarioError> {
        let config = self.config;
        let pace = self.timing().resolve(end)?;
        let key = format!("transactions[{}].node", self.place);
        let salt = SALT_TRANSACTIONS + self.place as u32;
        let origins = config.node.resolve(self.population, self.seed, salt, &key)?;
        let senders = self.choice("sender", config.sender)?;
        let receivers = self.choice("receiver", config.receiver)?;
        if self.accounts == 1 {
            return self.error("receiver", "the only account has nobody to pay");
        }
        if let (Choice::Fixed(sender), Choice::Fixed(receiver)) = (&senders, &receivers)
            && sender == receiver
        {
            return self.error("receiver", format!("account {receiver} would pay itself"));
        }
        let room = u64::from(Transaction::LARGEST_BYTES - Transaction::SMALLEST_BYTES);
        if config.data.get() > room {
            let message = format!("{} is too much; expected at most {}", config.data, Bytes(room));
            return self.error("data", message);
        }
        Ok(TransactionStream {
            pace,
            origins: origins.iter().collect(),
            senders,
            receivers,
            amount: config.amount,
            data: config.data.get() as u32,
            forged: config.forged,
            overspent: config.overspent,
            repeated: config.repeated,
        })
    }

    fn choice(&self, key: &str, fixed: Option<u32>) -> Result<Choice, ScenarioError> {
        let count = self.accounts;
        match (fixed, self.config.choose) {
            (Some(account), _) if account >= count => {
                let message =
                    format!("there is no account {account}; accounts are 0 to {}", count - 1);
                self.error(key, message)
            }
            (Some(account), _) => Ok(Choice::Fixed(account)),
            (None, Choose::Uniform) => Ok(Choice::Uniform(count)),
            (None, Choose::Zipf { exponent }) => {
                if !(0.0..=MOST_EXPONENT).contains(&exponent) {
                    let message =
                        format!("{exponent} is no exponent; expected 0 to {MOST_EXPONENT}");
                    return self.error("choose.exponent", message);
                }
                Ok(Choice::Weighted(zipf(count, exponent)))
            }
        }
    }
}

/// Steepest distribution of accounts: with 10, the second is chosen a thousandth as often as the
/// first.
const MOST_EXPONENT: f64 = 10.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Purpose;

    fn counts(choice: &Choice, not: Option<u32>) -> [u32; 4] {
        let mut rng = Rng::of_cluster(Seed(5), Purpose::Transactions);
        let mut counts = [0; 4];
        for _ in 0..25_000 {
            let drawn = match not {
                Some(not) => choice.draw_other(&mut rng, not),
                None => choice.draw(&mut rng),
            };
            counts[drawn as usize] += 1;
        }
        counts
    }

    #[test]
    fn accounts_are_drawn_in_proportion_and_nobody_pays_themselves() {
        // Zipf with exponent 1 over four: 12 : 6 : 4 : 3 of 25. A deviation is at most
        // sqrt(25,000 / 4) = 79; six of them are 475.
        let near = |counts: [u32; 4], expected: [u32; 4]| {
            let close = counts.iter().zip(expected).all(|(n, e)| n.abs_diff(e) < 475);
            assert!(close, "{counts:?}, expected {expected:?}");
        };
        let (uniform, zipf) = (Choice::Uniform(4), Choice::Weighted(zipf(4, 1.0)));
        near(counts(&uniform, None), [6_250; 4]);
        near(counts(&zipf, None), [12_000, 6_000, 4_000, 3_000]);
        near(counts(&uniform, Some(2)), [8_333, 8_333, 0, 8_333]);
        // Without the first 6 : 4 : 3 of 13 are left, without the second 12 : 4 : 3 of 19.
        near(counts(&zipf, Some(0)), [0, 11_538, 7_692, 5_769]);
        near(counts(&zipf, Some(1)), [15_789, 0, 5_263, 3_947]);
        assert_eq!(counts(&zipf, Some(3))[3], 0);
    }

    #[test]
    fn the_table_of_zipf_is_that_of_an_independent_calculation() {
        // Python: list(accumulate(max(1, round(2**32 / r**1.5)) for r in range(1, 6))).
        let expected = [4_294_967_296, 5_813_467_546, 6_640_034_388, 7_176_905_300, 7_561_058_853];
        assert_eq!(zipf(5, 1.5)[..], expected);
        assert_eq!(zipf(3, 10.0)[2], 4_294_967_296 + 4_194_304 + 72_736, "2^22 and 2^32 / 3^10");
    }
}
