//! Scenario layer: bounds that keep a plan within memory and time, whatever a scenario says.

use crate::base::distribution::LONGEST_WRITTEN;
use crate::base::time::Span;
use crate::protocol::rumor::Rules;
use crate::scenario::error::ScenarioError;
use crate::scenario::schema::Scenario;

/// Most entries of `[[nodes.class]]` and of `[[faults]]`: each names a set of nodes.
const MOST_ENTRIES: usize = 10_000;

/// Most entries of `[[network.link]]`: each is asked about every node and every pair of classes.
const MOST_LINKS: usize = 1_000;

/// Refuses lists that are too long, prices of work that are, and what the manifest cannot show.
pub(super) fn check(scenario: &Scenario) -> Result<(), ScenarioError> {
    // Scenarios that are made in Rust may hold numbers from 2^63 on, which TOML does not have.
    if i64::try_from(scenario.seed).is_err() {
        let message = format!("{} passes the limit of {}", scenario.seed, i64::MAX);
        return Err(ScenarioError::new("seed", message));
    }
    for (key, entries, most) in [
        ("nodes.class", scenario.nodes.class.len(), MOST_ENTRIES),
        ("network.link", scenario.network.link.len(), MOST_LINKS),
        ("faults", scenario.faults.len(), MOST_ENTRIES),
    ] {
        if entries > most {
            let message = format!("{entries} entries pass the limit of {most}");
            return Err(ScenarioError::new(key, message));
        }
    }
    let mut prices = scenario.cost.entries();
    prices.try_for_each(|(key, price)| at_most_an_hour(price, &format!("cost.{key}")))
}

/// Most memory for telling rumors apart, in bytes.
const MOST_RUMOR_MEMORY: u64 = 4 << 30;

/// Refuses more nodes and rumors to tell apart than fit into memory: a bit for each pair of them
/// with the node and another with the recorder, and 16 bytes where nodes keep rumors for rounds.
pub(super) fn check_rumors(
    window: usize,
    nodes: usize,
    streams: &[Rules],
) -> Result<(), ScenarioError> {
    let pairs = window.next_power_of_two() as u64 * nodes as u64;
    let kept = if streams.iter().any(Rules::has_rounds) { 16 * pairs } else { 0 };
    let needed = pairs / 4 + kept;
    if needed > MOST_RUMOR_MEMORY {
        let gib = needed.div_ceil(1 << 30);
        let message = format!(
            "to tell {window} rumors apart at {nodes} nodes takes {gib} GiB of memory, more than 4 \
             GiB, the limit"
        );
        return Err(ScenarioError::new("limits.rumors", message)
            .hint("with a smaller limits.rumors, nodes ignore older rumors"));
    }
    Ok(())
}

/// Refuses a length of time beyond [`LONGEST_WRITTEN`], as distributions do.
pub(super) fn at_most_an_hour(span: Span, key: &str) -> Result<(), ScenarioError> {
    if span > LONGEST_WRITTEN {
        let message = format!("{span} is longer than {LONGEST_WRITTEN}, the limit");
        return Err(ScenarioError::new(key, message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::plan::Plan;

    fn plan(cost: &str) -> Result<Plan, ScenarioError> {
        let cost = toml::from_str(cost).expect("prices");
        Plan::resolve(&Scenario { cost, ..Scenario::default() }, ".".as_ref())
    }

    #[test]
    fn every_price_is_limited() {
        for (key, _) in Scenario::default().cost.entries() {
            assert!(plan(&format!("{key} = \"1h\"")).is_ok(), "{key}");
            let error = plan(&format!("{key} = \"3600001ms\"")).expect_err(key);
            assert_eq!(error.key, format!("cost.{key}"));
        }
    }

    #[test]
    fn prices_of_operations_alone_make_processors() {
        for (key, _) in Scenario::default().cost.entries() {
            let simulation = plan(&format!("{key} = \"1us\"")).expect("a plan").simulation;
            let kernel = ["message", "kilobyte"].contains(&key);
            assert_eq!(
                (simulation.costs.is_free(), simulation.handlers_charge),
                (!kernel, !kernel)
            );
        }
        let free = plan("").expect("a plan").simulation;
        assert!(free.costs.is_free() && !free.handlers_charge);
    }
}
