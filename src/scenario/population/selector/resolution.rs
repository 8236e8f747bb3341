//! Scenario layer: which nodes of a population a selector names.

use crate::base::digest::Digest;
use crate::base::id::{NodeId, NodeSet};
use crate::base::quantity::Chance;
use crate::base::rng::{Purpose, Rng, Seed};

use super::super::super::error::ScenarioError;
use super::super::{Population, fold, near_name};
use super::Selector;

/// Whether the groups of a list may share nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// A node may be in several groups.
    Allowed,
    /// A node in two groups is an error.
    Refused,
}

impl Selector {
    /// The nodes that this names in a population; never none.
    ///
    /// What is drawn depends on `seed`, `salt` and the node's number alone: different salts draw
    /// differently, the same salt draws the same order, so that `random:10` is part of `random:20`
    /// and a further node without stake changes no `stake:33%`. The share of stake reached is
    /// [`Population::share_of`] the result.
    ///
    /// # Errors
    /// If it names an unknown region or city, a node that does not exist, or nobody; or if it is
    /// `rest`, which has a meaning only in [`resolve_groups`].
    pub fn resolve(
        &self,
        population: &Population,
        seed: Seed,
        salt: u32,
        key: &str,
    ) -> Result<NodeSet, ScenarioError> {
        Request { population, key }.nodes(self, derived(seed, salt))
    }
}

/// The nodes of every group of a list. `rest` may be one of the groups: everyone in no other group.
///
/// # Errors
/// As [`Selector::resolve`], under the key `KEY[i]`; if `rest` comes twice or is left with nobody;
/// or if groups share a node and `overlap` refuses that.
pub fn resolve_groups(
    groups: &[Selector],
    population: &Population,
    seed: Seed,
    salt: u32,
    key: &str,
    overlap: Overlap,
) -> Result<Vec<NodeSet>, ScenarioError> {
    let mut sets = vec![NodeSet::empty(population.count()); groups.len()];
    let mut free = NodeSet::full(population.count());
    let mut rest = None;
    for (i, group) in groups.iter().enumerate() {
        let key = format!("{key}[{i}]");
        if *group == Selector::Rest {
            if rest.replace(i).is_some() {
                let message = "\"rest\" comes a second time; one group can be the rest";
                return Err(ScenarioError::new(key, message));
            }
            continue;
        }
        // Every group draws by itself, whatever the other groups are.
        let seed = derived(derived(seed, salt), i as u32);
        sets[i] = Request { population, key: &key }.nodes(group, seed)?;
        for node in sets[i].iter() {
            if !free.remove(node) && overlap == Overlap::Refused {
                let other = sets[..i].iter().position(|set| set.contains(node));
                let message = format!("{node:?} is in group {} already", other.unwrap_or(0));
                return Err(ScenarioError::new(key, message).hint("groups must not overlap here"));
            }
        }
    }
    if let Some(i) = rest {
        if free.is_empty() {
            let message = "nobody is left for \"rest\"; the other groups hold every node";
            return Err(ScenarioError::new(format!("{key}[{i}]"), message));
        }
        sets[i] = free;
    }
    Ok(sets)
}

/// A seed for draws of their own: the streams of one salt tell nothing about those of another.
fn derived(seed: Seed, salt: u32) -> Seed {
    let parts: [&[u8]; 3] = [b"node selector", &seed.0.to_le_bytes(), &salt.to_le_bytes()];
    Seed(Digest::of_parts(&parts).low_u64())
}

/// Who asks for nodes.
struct Request<'a> {
    population: &'a Population,
    key: &'a str,
}

impl Request<'_> {
    fn nodes(&self, selector: &Selector, seed: Seed) -> Result<NodeSet, ScenarioError> {
        let all = || NodeId::all(self.population.count());
        let stakes = &self.population.stakes;
        let set: NodeSet = match selector {
            Selector::All => all().collect(),
            Selector::Validators => self.population.validators().collect(),
            Selector::Observers => all().filter(|&node| stakes[node] == 0).collect(),
            Selector::Rest => {
                return Err(self.fault("\"rest\" has a meaning only in a list of groups"));
            }
            Selector::Node(node) => self.range(*node, node.saturating_add(1))?,
            Selector::Range { start, end } => self.range(*start, *end)?,
            Selector::Region(name) => self.region(name)?,
            Selector::City(name) => self.city(name)?,
            Selector::Stake(share) => self.stake_within(*share, seed),
            Selector::TopStake(share) => self.top_stake(*share),
            Selector::RandomCount(count) => self.random(*count as usize, seed)?,
            Selector::RandomShare(share) => {
                let exact = self.population.count() as u64 * u64::from(share.ppb());
                self.random((exact / 1_000_000_000) as usize, seed)?
            }
            Selector::AnyOf(parts) => {
                let mut set = NodeSet::empty(self.population.count());
                for (i, part) in parts.iter().enumerate() {
                    let seed = derived(seed, i as u32);
                    for node in self.nodes(part, seed)?.iter() {
                        set.insert(node);
                    }
                }
                set
            }
        };
        if set.is_empty() {
            return Err(self.fault(format!("\"{selector}\" names nobody; expected some node")));
        }
        Ok(set)
    }

    fn fault(&self, message: impl Into<String>) -> ScenarioError {
        ScenarioError::new(self.key, message)
    }

    fn range(&self, start: u32, end: u32) -> Result<NodeSet, ScenarioError> {
        let count = self.population.count();
        if end as usize > count {
            let number = end - 1;
            let message = format!("node {number} does not exist; the {count} nodes are 0 to ");
            return Err(self.fault(message + &(count - 1).to_string()));
        }
        Ok((start..end).map(NodeId::new).collect())
    }

    fn region(&self, name: &str) -> Result<NodeSet, ScenarioError> {
        let names = || self.population.regions.iter().map(String::as_str);
        let region = self.place(name, "region", names)?;
        let members = self.population.region_of.iter();
        let members = members.filter(|(_, of)| usize::from(**of) == region).map(|(node, _)| node);
        Ok(members.collect())
    }

    fn city(&self, name: &str) -> Result<NodeSet, ScenarioError> {
        let names = || self.population.sites.iter().map(|site| site.name.as_str());
        let site = self.place(name, "city or site", names)?;
        let members = self.population.site_of.iter();
        let members = members.filter(|(_, of)| usize::from(**of) == site).map(|(node, _)| node);
        Ok(members.collect())
    }

    /// The place of a name in a list of names.
    fn place<'a, I: Iterator<Item = &'a str>>(
        &self,
        name: &str,
        what: &str,
        names: impl Fn() -> I,
    ) -> Result<usize, ScenarioError> {
        let wanted = fold(name);
        if let Some(place) = names().position(|candidate| fold(candidate) == wanted) {
            return Ok(place);
        }
        let error = self.fault(format!("no {what} of this scenario is called \"{name}\""));
        Err(match near_name(name, names()) {
            Some(near) => error.hint(format!("did you mean \"{near}\"?")),
            None => {
                let mut known: Vec<&str> = names().take(8).collect();
                if names().nth(8).is_some() {
                    known.push("...");
                }
                error.hint(format!("there is {}", known.join(", ")))
            }
        })
    }

    /// All nodes in an order that is a property of seed and node numbers, so that an additional
    /// node takes its place in it and moves nobody.
    fn drawn_order(&self, seed: Seed) -> Vec<NodeId> {
        let mut order: Vec<NodeId> = NodeId::all(self.population.count()).collect();
        let draw = |node| Rng::of_node(seed, Purpose::Selection, node).bits();
        order.sort_by_cached_key(|&node| (draw(node), node));
        order
    }

    fn random(&self, count: usize, seed: Seed) -> Result<NodeSet, ScenarioError> {
        let nodes = self.population.count();
        if count > nodes {
            return Err(self.fault(format!("{count} random nodes are more than the {nodes} nodes")));
        }
        Ok(self.drawn_order(seed).into_iter().take(count).collect())
    }

    fn stake_within(&self, share: Chance, seed: Seed) -> NodeSet {
        let (mut set, mut taken) = (NodeSet::empty(self.population.count()), 0);
        let total = self.population.total_stake();
        for node in self.drawn_order(seed) {
            let stake = self.population.stakes[node];
            if stake > 0 && compare(taken + stake, total, share).is_le() {
                taken += stake;
                set.insert(node);
            }
        }
        set
    }

    fn top_stake(&self, share: Chance) -> NodeSet {
        let (mut set, mut taken) = (NodeSet::empty(self.population.count()), 0);
        let (stakes, total) = (&self.population.stakes, self.population.total_stake());
        let mut order: Vec<NodeId> = self.population.validators().collect();
        order.sort_by_key(|&node| (std::cmp::Reverse(stakes[node]), node));
        for node in order {
            if compare(taken, total, share).is_ge() {
                break;
            }
            taken += stakes[node];
            set.insert(node);
        }
        set
    }
}

/// `part / total` against `share`, exactly.
fn compare(part: u64, total: u64, share: Chance) -> std::cmp::Ordering {
    let part = u128::from(part) * 1_000_000_000;
    part.cmp(&(u128::from(total) * u128::from(share.ppb())))
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::resolved;
    use super::*;

    /// Ten nodes: stakes 30, 20, 10, 10, 10, 10, 5, 5, 0, 0 in four cities in turn.
    fn ten() -> Population {
        resolved(
            "count = 10\nobservers = 2\n\
             stake = { kind = \"list\", amounts = [30, 20, 10, 10, 10, 10, 5, 5] }\n\
             placement = { kind = \"cities\", \
             cities = [\"Frankfurt\", \"Tokyo\", \"Paris\", \"New York\"] }",
            1,
        )
    }

    fn select(text: &str, salt: u32) -> Result<NodeSet, ScenarioError> {
        let selector: Selector = text.parse().expect(text);
        selector.resolve(&ten(), Seed(5), salt, "who")
    }

    fn numbers(set: &NodeSet) -> Vec<u32> {
        set.iter().map(NodeId::number).collect()
    }

    #[test]
    fn every_fixed_form_names_its_nodes() {
        let all: Vec<u32> = (0..10).collect();
        for (text, expected) in [
            ("all", &all[..]),
            ("7", &[7]),
            ("0..3", &[0, 1, 2]),
            ("8..=9", &[8, 9]),
            ("validators", &all[..8]),
            ("observers", &[8, 9]),
            ("region:western-europe", &[0, 2, 4, 6, 8]),
            ("region:Western Europe", &[0, 2, 4, 6, 8]),
            ("city:tokyo", &[1, 5, 9]),
            ("city:New York", &[3, 7]),
            ("top-stake:30%", &[0]),
            ("top-stake:31%", &[0, 1]),
            ("top-stake:33%", &[0, 1]),
            ("top-stake:51%", &[0, 1, 2]),
            ("top-stake:100%", &all[..8]),
            ("random:10", &all[..]),
            ("9, city:Tokyo, 0..=1", &[0, 1, 5, 9]),
        ] {
            assert_eq!(numbers(&select(text, 0).expect(text)), expected, "{text}");
        }
    }

    #[test]
    fn a_share_of_stake_stays_within_and_cannot_be_filled_further() {
        let population = ten();
        let mut outcomes = Vec::new();
        for salt in 0..40 {
            let set = select("stake:33%", salt).expect("somebody");
            let taken = population.stake_of(&set);
            let outside = population.validators().filter(|&node| !set.contains(node));
            let smallest = outside.map(|node| population.stakes[node]).min().expect("others");
            // Everyone left out did not fit when visited, and the sum only grew since.
            assert!(taken <= 33 && taken + smallest > 33, "{set:?} holds {taken}");
            assert_eq!(population.share_of(&set), format!("{taken}%").parse().expect("a share"));
            assert!(set.iter().all(|node| population.stakes[node] > 0));
            outcomes.push(numbers(&set));
        }
        outcomes.sort();
        outcomes.dedup();
        assert!(outcomes.len() > 5, "salts draw differently: {outcomes:?}");
    }

    #[test]
    fn random_nodes_have_their_number_and_nest_within_a_salt() {
        for salt in 0..20 {
            let (few, more) = (select("random:3", salt), select("random:6", salt));
            let (few, more) = (few.expect("three"), more.expect("six"));
            assert_eq!((few.len(), more.len()), (3, 6));
            assert!(few.iter().all(|node| more.contains(node)));
            assert_eq!(select("random:3", salt), Ok(few));
        }
        // 25 % of ten nodes are 2.5, rounded down.
        assert_eq!(select("random:25%", 0).expect("two").len(), 2);
    }

    #[test]
    fn random_nodes_are_uniform() {
        let mut counts = [0_u32; 10];
        for salt in 0..2_000 {
            let set = select("random:3", salt).expect("three");
            set.iter().for_each(|node| counts[node.index()] += 1);
        }
        // Probability 0.3 in 2,000 draws: mean 600, deviation 20.5; five of them.
        assert!(counts.iter().all(|&n| n.abs_diff(600) < 103), "{counts:?}");
    }

    #[test]
    fn selectors_that_do_not_fit_the_population_are_refused() {
        for (text, reason) in [
            ("10", "node 10 does not exist; the 10 nodes are 0 to 9"),
            ("5..12", "node 11 does not exist"),
            ("region:western-erope", "did you mean \"western-europe\"?"),
            ("city:Tokio", "did you mean \"Tokyo\"?"),
            ("city:Xxx", "there is Frankfurt, Tokyo, Paris, New York"),
            ("random:11", "more than the 10 nodes"),
            ("random:9%", "names nobody"),
            ("stake:4%", "names nobody"),
            ("rest", "only in a list of groups"),
            ("0, city:Tokio", "did you mean"),
        ] {
            let error = select(text, 0).expect_err(text);
            assert_eq!(error.key, "who");
            assert!(error.to_string().contains(reason), "{text}: {error}");
        }
    }

    fn groups(texts: &[&str], overlap: Overlap) -> Result<Vec<NodeSet>, ScenarioError> {
        let groups: Vec<Selector> =
            texts.iter().map(|text| text.parse().expect("a selector")).collect();
        resolve_groups(&groups, &ten(), Seed(5), 0, "groups", overlap)
    }

    #[test]
    fn the_rest_is_everyone_in_no_other_group() {
        let sets = groups(&["0..3", "rest", "2..5"], Overlap::Allowed).expect("groups");
        let lists: Vec<Vec<u32>> = sets.iter().map(numbers).collect();
        assert_eq!(lists, [vec![0, 1, 2], vec![5, 6, 7, 8, 9], vec![2, 3, 4]]);
        // Equal texts in a list draw by themselves.
        let sets = groups(&["random:5", "random:5"], Overlap::Allowed).expect("groups");
        assert_ne!(sets[0], sets[1]);
    }

    #[test]
    fn groups_that_cannot_be_are_refused_under_their_own_key() {
        for (texts, overlap, key, reason) in [
            (["rest", "rest"], Overlap::Allowed, "groups[1]", "a second time"),
            (["all", "rest"], Overlap::Allowed, "groups[1]", "nobody is left"),
            (["0..3", "2..5"], Overlap::Refused, "groups[1]", "node 2 is in group 0"),
            (["0..3", "99"], Overlap::Allowed, "groups[1]", "does not exist"),
        ] {
            let error = groups(&texts, overlap).expect_err(reason);
            assert_eq!(error.key, key);
            assert!(error.message.contains(reason), "{error}");
        }
    }
}
