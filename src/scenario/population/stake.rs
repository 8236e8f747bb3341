//! Scenario layer: the stakes of the validators: given one by one, read from a file, or drawn from
//! a distribution.

mod file;

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::rng::{Purpose, Rng, Seed};

use super::super::error::ScenarioError;
use super::mainnet;

/// How much stake every validator has; a stake is a whole number of an arbitrary unit. All stakes
/// together must be above zero and below 2^64.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum StakeConfig {
    /// Every validator has the same stake.
    Equal {
        /// Stake of every validator.
        #[serde(default = "equal_amount")]
        #[schemars(range(min = 1))]
        amount: u64,
    },
    /// Every stake by itself.
    List {
        /// One stake per validator, node 0 first; as many as there are validators.
        amounts: Vec<u64>,
    },
    /// Stakes from a CSV file.
    File {
        /// The file, relative to the scenario's folder: one row per validator, either one column
        /// with the stake in the order of the nodes, or the columns `node,stake` in any order of
        /// rows. A header row is optional; with one, the columns `stake` and `node` are used and
        /// others are passed over.
        path: PathBuf,
    },
    /// Node `i` (from 1) has a share proportional to 1 / (i + shift)^exponent: node 0 has the
    /// largest stake. The defaults are the best fit to Solana's mainnet at epoch 860, whose
    /// cumulative share it keeps to 1.9 percentage points at 962 validators.
    ZipfMandelbrot {
        /// The exponent; 0 makes all stakes equal.
        #[serde(default = "zipf_exponent")]
        #[schemars(range(min = 0))]
        exponent: f64,
        /// The shift of the rank; it flattens the top of the list.
        #[serde(default = "zipf_shift")]
        #[schemars(range(min = 0))]
        shift: f64,
        /// All stakes together; every validator gets at least 1.
        #[serde(default = "zipf_total")]
        #[schemars(range(min = 1))]
        total: u64,
    },
    /// Stakes drawn from a log-normal distribution, sorted: node 0 has the largest stake. Each is
    /// rounded to a whole number and at least 1.
    LogNormal {
        /// The median stake.
        #[schemars(range(min = 1))]
        median: u64,
        /// Standard deviation of the natural logarithm of the stake (Solana's mainnet: 2.42, a poor
        /// fit).
        #[schemars(range(min = 0))]
        sigma: f64,
    },
    /// Stakes drawn from a Pareto distribution, sorted: node 0 has the largest stake. Each is
    /// rounded to a whole number.
    Pareto {
        /// The smallest stake that can be drawn.
        #[schemars(range(min = 1))]
        min: u64,
        /// The exponent of the tail, above 0: a stake exceeds x with probability
        /// (min/x)^exponent. Small exponents give a few validators nearly everything.
        #[schemars(range(min = 0))]
        exponent: f64,
    },
    /// The stakes of Solana's mainnet at epoch 860 (962 validators), stretched to the number of
    /// validators here: the share held by the largest x percent of the validators is kept, and node
    /// 0 has the largest stake. Largest error of the cumulative share against the published one:
    /// 0.55 percentage points with 962 validators or more, 0.56 with 200, 2.5 with 100, 10.6 with
    /// 25. With few validators the first stands for many: it holds 22 % of the stake with 100.
    SolanaMainnet {
        /// All stakes together, by default mainnet's in SOL; every validator gets at least 1.
        #[serde(default = "mainnet_total")]
        #[schemars(range(min = 1))]
        total: u64,
    },
}

const fn equal_amount() -> u64 {
    1_000
}

const fn zipf_exponent() -> f64 {
    1.45
}

const fn zipf_shift() -> f64 {
    18.0
}

const fn zipf_total() -> u64 {
    1_000_000_000
}

const fn mainnet_total() -> u64 {
    mainnet::TOTAL_SOL
}

impl Default for StakeConfig {
    fn default() -> Self {
        Self::Equal { amount: equal_amount() }
    }
}

impl StakeConfig {
    /// The stakes of `validators` nodes, node 0 first.
    ///
    /// # Errors
    /// If a parameter is out of its range, the number of stakes is not the number of validators,
    /// a file cannot be read, or the sum is zero or beyond 64 bits.
    pub(super) fn resolve(
        &self,
        validators: usize,
        base_dir: &Path,
        seed: Seed,
    ) -> Result<Vec<u64>, ScenarioError> {
        let stakes = match self {
            Self::Equal { amount } => vec![*amount; validators],
            Self::List { amounts } => {
                check_length(amounts.len(), validators, "stakes are listed", "amounts")?;
                amounts.clone()
            }
            Self::File { path } => file::from_file(&base_dir.join(path), validators)?,
            Self::ZipfMandelbrot { exponent, shift, total } => {
                check_number(*exponent, "exponent")?;
                check_number(*shift, "shift")?;
                let stakes = apportion(&zipf_weights(validators, *exponent, *shift), *total);
                stakes.ok_or_else(|| too_small(*total, validators))?
            }
            Self::LogNormal { median, sigma } => {
                check_number(*sigma, "sigma")?;
                drawn(validators, seed, |rng| *median as f64 * libm::exp(*sigma * normal(rng)))
            }
            Self::Pareto { min, exponent } => {
                check_number(*exponent, "exponent")?;
                if *exponent == 0.0 {
                    return Err(fault("exponent", "is 0; a number above 0 was expected"));
                }
                drawn(validators, seed, |rng| {
                    *min as f64 * libm::pow(uniform(rng), -1.0 / *exponent)
                })
            }
            Self::SolanaMainnet { total } => {
                let stakes = mainnet::stakes(validators, *total);
                stakes.ok_or_else(|| too_small(*total, validators))?
            }
        };
        check_sum(&stakes)?;
        Ok(stakes)
    }
}

/// Splits `total` in proportion to the weights, so that the parts add up to it exactly, none is
/// zero and a larger weight never gets less; `None` if there are more parts than units.
///
/// Every part gets one unit, then its share of the other units rounded down; the units left over by
/// rounding go to the first parts, one each. Weights must be in falling order and not all zero.
pub(super) fn apportion(weights: &[u64], total: u64) -> Option<Vec<u64>> {
    let spare = total.checked_sub(weights.len() as u64)?;
    let sum: u128 = weights.iter().map(|&weight| u128::from(weight)).sum();
    // Weights stay below 2^50, so the product below stays within 128 bits.
    let part = |&weight: &u64| 1 + (u128::from(spare) * u128::from(weight) / sum) as u64;
    let mut parts: Vec<u64> = weights.iter().map(part).collect();
    let left = total - parts.iter().sum::<u64>();
    parts.iter_mut().take(left as usize).for_each(|part| *part += 1);
    Some(parts)
}

/// (i + shift)^-exponent for i from 1, in units of the first weight over 2^40.
fn zipf_weights(count: usize, exponent: f64, shift: f64) -> Vec<u64> {
    const FIRST: f64 = (1_u64 << 40) as f64;
    let weight = |i: usize| {
        let ratio = (1.0 + shift) / ((i + 1) as f64 + shift);
        // A shift beyond 1e308 makes the ratio infinity over infinity: then all are equal.
        let ratio = if ratio.is_nan() { 1.0 } else { ratio };
        libm::round(FIRST * libm::pow(ratio, exponent)) as u64
    };
    (0..count).map(weight).collect()
}

/// Draws, rounds to a whole number from 1 up, and sorts, the largest first.
fn drawn(count: usize, seed: Seed, mut draw: impl FnMut(&mut Rng) -> f64) -> Vec<u64> {
    let mut rng = Rng::of_cluster(seed, Purpose::Stakes);
    // The conversion stops at 2^64 - 1; the check of the sum then refuses the draw.
    let mut one = || (libm::round(draw(&mut rng)) as u64).max(1);
    let mut stakes: Vec<u64> = (0..count).map(|_| one()).collect();
    stakes.sort_unstable_by(|a, b| b.cmp(a));
    stakes
}

/// Uniform in (0, 1], in steps of 2^-53.
fn uniform(rng: &mut Rng) -> f64 {
    ((rng.bits() >> 11) + 1) as f64 / (1_u64 << 53) as f64
}

/// Standard normal (Box and Muller 1958, the cosine branch).
fn normal(rng: &mut Rng) -> f64 {
    let radius = libm::sqrt(-2.0 * libm::log(uniform(rng)));
    radius * libm::cos(std::f64::consts::TAU * uniform(rng))
}

/// An error about a key of `[nodes.stake]`.
fn fault(key: &str, message: impl Into<String>) -> ScenarioError {
    ScenarioError::new(format!("nodes.stake.{key}"), message)
}

fn check_number(number: f64, key: &str) -> Result<(), ScenarioError> {
    if number.is_finite() && number >= 0.0 {
        return Ok(());
    }
    Err(fault(key, format!("is {number}; a finite number from 0 was expected")))
}

fn check_length(
    found: usize,
    validators: usize,
    what: &str,
    key: &str,
) -> Result<(), ScenarioError> {
    if found == validators {
        return Ok(());
    }
    Err(fault(key, format!("{found} {what} for {validators} validators; one each was expected")))
}

fn too_small(total: u64, validators: usize) -> ScenarioError {
    let message = format!("{total} cannot be split among {validators} validators");
    fault("total", message + "; at least 1 each was expected")
}

fn check_sum(stakes: &[u64]) -> Result<(), ScenarioError> {
    let sum: u128 = stakes.iter().map(|&stake| u128::from(stake)).sum();
    let message = match sum {
        0 => "no validator has any stake; at least one must".to_owned(),
        _ if sum > u128::from(u64::MAX) => {
            format!("all stakes together are {sum}; less than 2^64 was expected")
        }
        _ => return Ok(()),
    };
    Err(ScenarioError::new("nodes.stake", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stakes(text: &str, validators: usize) -> Result<Vec<u64>, ScenarioError> {
        stakes_of_seed(text, validators, 1)
    }

    fn stakes_of_seed(text: &str, validators: usize, seed: u64) -> Result<Vec<u64>, ScenarioError> {
        let config: StakeConfig = toml::from_str(text).expect("TOML that fits the type");
        config.resolve(validators, Path::new("."), Seed(seed))
    }

    #[test]
    fn given_stakes_come_out_as_given() {
        assert_eq!(stakes("kind = \"equal\"", 3), Ok(vec![1_000; 3]));
        assert_eq!(stakes("kind = \"equal\"\namount = 7", 2), Ok(vec![7, 7]));
        let list = "kind = \"list\"\namounts = [1000, 600, 400]";
        assert_eq!(stakes(list, 3), Ok(vec![1_000, 600, 400]));
    }

    #[test]
    fn zipf_mandelbrot_has_the_shares_of_its_formula() {
        // Python: w = [(i+18)**-1.45 for i in range(1, 963)], cumulative percent of sum(w).
        let expected = [(1, 2.811), (10, 21.224), (20, 33.742), (50, 53.470), (400, 90.604)];
        let stakes = stakes("kind = \"zipf-mandelbrot\"", 962).expect("stakes");
        assert_eq!(stakes.iter().sum::<u64>(), 1_000_000_000);
        assert!(stakes.is_sorted_by(|a, b| a >= b));
        for (top, percent) in expected {
            let share = stakes[..top].iter().sum::<u64>() as f64 / 1e7;
            assert!((share - percent).abs() < 0.001, "top {top}: {share}");
        }
    }

    #[test]
    fn a_zipf_law_without_shift_splits_by_rank() {
        // 1 : 1/2 : 1/3 of 1100 are 600, 300 and 200; one unit each is set aside first, which moves
        // a part by less than one unit, and rounding by another.
        let text = "kind = \"zipf-mandelbrot\"\nexponent = 1.0\nshift = 0\ntotal = 1100";
        let stakes = stakes(text, 3).expect("stakes");
        assert_eq!(stakes.iter().sum::<u64>(), 1_100);
        for (stake, exact) in stakes.iter().zip([600_u64, 300, 200]) {
            assert!(stake.abs_diff(exact) <= 2, "{stakes:?}");
        }
    }

    #[test]
    fn log_normal_stakes_have_their_median_and_spread() {
        let text = "kind = \"log-normal\"\nmedian = 100000\nsigma = 1.5";
        let stakes = stakes(text, 10_000).expect("stakes");
        assert!(stakes.is_sorted_by(|a, b| a >= b));
        let logs: Vec<f64> = stakes.iter().map(|&stake| libm::log(stake as f64)).collect();
        let mean = logs.iter().sum::<f64>() / 10_000.0;
        let variance = logs.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / 10_000.0;
        // Standard error of the mean 1.5/100 = 0.015, of the variance 2.25 * sqrt(2/10^4) = 0.032;
        // five of each.
        assert!((mean - libm::log(1e5)).abs() < 0.075, "{mean}");
        assert!((variance - 2.25).abs() < 0.16, "{variance}");
    }

    #[test]
    fn pareto_stakes_have_their_smallest_value_and_their_tail() {
        let text = "kind = \"pareto\"\nmin = 1000\nexponent = 2.0";
        let stakes = stakes(text, 10_000).expect("stakes");
        assert!(stakes.is_sorted_by(|a, b| a >= b) && stakes[9_999] >= 1_000);
        // P(stake > 2000) = 1/4: 2,500 of 10,000 with deviation 43; P(> 10,000) = 1/100: 100 with
        // deviation 10. Five deviations each.
        let above = |limit| stakes.iter().filter(|&&stake| stake > limit).count();
        assert!(above(2_000).abs_diff(2_500) < 215, "{}", above(2_000));
        assert!(above(10_000).abs_diff(100) < 50, "{}", above(10_000));
    }

    #[test]
    fn drawn_stakes_depend_on_the_seed_alone() {
        let text = "kind = \"pareto\"\nmin = 1000\nexponent = 1.1";
        assert_eq!(stakes_of_seed(text, 50, 3), stakes_of_seed(text, 50, 3));
        assert_ne!(stakes_of_seed(text, 50, 3), stakes_of_seed(text, 50, 4));
    }

    #[test]
    fn impossible_stakes_are_refused_with_their_key() {
        for (text, key, reason) in [
            ("kind = \"list\"\namounts = [1]", "amounts", "1 stakes are listed for 2"),
            ("kind = \"list\"\namounts = [0, 0]", "", "no validator has any stake"),
            ("kind = \"equal\"\namount = 9223372036854775807", "", ""),
            ("kind = \"zipf-mandelbrot\"\nexponent = nan", "exponent", "is NaN"),
            ("kind = \"zipf-mandelbrot\"\nshift = -1", "shift", "is -1"),
            ("kind = \"zipf-mandelbrot\"\ntotal = 1", "total", "cannot be split among 2"),
            ("kind = \"solana-mainnet\"\ntotal = 1", "total", "cannot be split among 2"),
            ("kind = \"log-normal\"\nmedian = 5\nsigma = inf", "sigma", "is inf"),
            ("kind = \"log-normal\"\nmedian = 5\nsigma = 1e9", "", "less than 2^64"),
            ("kind = \"pareto\"\nmin = 5\nexponent = 0", "exponent", "above 0"),
        ] {
            let validators = if reason.is_empty() { 3 } else { 2 };
            // A huge sigma sends a node up or down with even odds: try seeds until one goes up.
            let error = (0..64).find_map(|seed| stakes_of_seed(text, validators, seed).err());
            let error = error.unwrap_or_else(|| panic!("{text} was accepted"));
            let full = if key.is_empty() { String::new() } else { format!(".{key}") };
            assert_eq!(error.key, format!("nodes.stake{full}"));
            assert!(error.message.contains(reason), "{error}");
        }
    }
}
