//! Scenario layer: `[[adversaries]]` resolved: who they are, when they are at work, and whether
//! there is anything for them to lie about.

use std::sync::Arc;

use super::limits::at_most_an_hour;
use super::{Plan, SALT_ADVERSARY};
use crate::base::id::NodeSet;
use crate::base::quantity::Bytes;
use crate::base::rng::Seed;
use crate::base::time::{Span, Time};
use crate::protocol::adversary::{Conduct, Forgery, Role, Spam};
use crate::protocol::consensus::Style;
use crate::protocol::gossip;
use crate::protocol::leading::{Content, Registry};
use crate::protocol::ledger::Transaction;
use crate::scenario::error::ScenarioError;
use crate::scenario::population::Population;
use crate::scenario::population::selector::Selector;
use crate::scenario::schema::Scenario;
use crate::scenario::schema::adversary::AdversaryConfig;

/// An adversary as the scenario lists it.
#[derive(Clone, Debug)]
pub struct PlannedAdversary {
    /// What it does, as written.
    pub kind: &'static str,
    /// The same and who it is, in words.
    pub describe: String,
    /// Who does what from when until when. To end the lying earlier, bring [`Role::end`] forward.
    pub role: Role,
    /// Whether it may never come to act.
    pub may_miss: bool,
}

/// Most adversaries of a scenario: the numbers of their transactions tell so many apart.
const MOST: usize = 256;

pub(super) fn resolve(
    scenario: &Scenario,
    population: &Population,
    seed: Seed,
) -> Result<Vec<PlannedAdversary>, ScenarioError> {
    let listed = &scenario.adversaries;
    if listed.len() > MOST {
        let message = format!("{} adversaries are too many; expected at most {MOST}", listed.len());
        return Err(ScenarioError::new("adversaries", message));
    }
    let resolve =
        |(place, config)| Resolver { scenario, population, seed, place, config }.planned();
    (0..).zip(listed).map(resolve).collect()
}

/// What an adversary would need in a scenario that has none of it, and how to get that.
pub(super) fn lacking(
    scenario: &Scenario,
    config: &AdversaryConfig,
) -> Option<(&'static str, &'static str)> {
    let lacks = |lacks: bool, what, hint| lacks.then_some((what, hint));
    match config {
        AdversaryConfig::LieInGossip { .. } => {
            let off = scenario.gossip.style == gossip::Style::Off;
            lacks(off, "gossip, and there is none", "set gossip.style")
        }
        AdversaryConfig::FloodPeers { .. } => {
            let off = !scenario.discovery.rules.enabled;
            lacks(off, "peer discovery, and there is none", "set discovery.enabled")
        }
        _ if scenario.blocks.content == Content::Off => {
            lacks(true, "blocks, and there are none", "set blocks.content")
        }
        AdversaryConfig::DoubleVote { .. } | AdversaryConfig::WithholdVotes { .. } => {
            let off = scenario.consensus.style == Style::Off;
            lacks(off, "votes, and nobody votes", "set consensus.style")
        }
        AdversaryConfig::Spam { .. } => {
            let none = scenario.blocks.content != Content::Transactions;
            lacks(none, "transactions in blocks", "set blocks.content = \"transactions\"")
        }
        _ => None,
    }
}

struct Resolver<'a> {
    scenario: &'a Scenario,
    population: &'a Population,
    seed: Seed,
    place: u32,
    config: &'a AdversaryConfig,
}

impl Resolver<'_> {
    fn key(&self, key: &str) -> String {
        format!("adversaries[{}].{key}", self.place)
    }

    fn error<T>(&self, key: &str, message: impl Into<String>) -> Result<T, ScenarioError> {
        Err(ScenarioError::new(self.key(key), message))
    }

    fn planned(&self) -> Result<PlannedAdversary, ScenarioError> {
        let term = self.config.term();
        let begin = Time::ZERO + term.from;
        if let Some(until) = term.until.filter(|until| *until <= term.from) {
            let message = format!("{until} is not after from = \"{}\"", term.from);
            return self.error("until", message);
        }
        self.check()?;
        let nodes = self.nodes(self.config.who(), "who")?;
        let conduct = self.conduct()?;
        let (kind, count, all) = (self.config.does(), nodes.len(), self.population.count());
        let are = if all == 1 { "node" } else { "nodes" };
        // Whatever heals ends the lying too.
        let (until, heal) = (term.until, self.scenario.heal_at);
        let end = until.into_iter().chain(heal).min().map(|until| Time::ZERO + until);
        if let Some(heal_at) = heal.filter(|heal_at| *heal_at <= term.from) {
            let message = format!("{} is not before heal_at = \"{heal_at}\"", term.from);
            return self.error("from", message);
        }
        Ok(PlannedAdversary {
            kind,
            describe: format!("{kind}: {count} of {all} {are}"),
            role: Role { place: self.place, nodes: Arc::new(nodes), conduct, begin, end },
            may_miss: term.may_miss,
        })
    }

    /// What is drawn depends on the choice alone: the same one names the same nodes everywhere.
    fn nodes(&self, nodes: &Selector, key: &str) -> Result<NodeSet, ScenarioError> {
        nodes.resolve(self.population, self.seed, SALT_ADVERSARY, &self.key(key))
    }

    /// Refuses lies about what there is none of.
    fn check(&self) -> Result<(), ScenarioError> {
        let Some((lacks, hint)) = lacking(self.scenario, self.config) else { return Ok(()) };
        let message = format!("\"{}\" needs {lacks}", self.config.does());
        Err(ScenarioError::new(self.key("does"), message).hint(hint))
    }

    fn rounds(&self, every: Span) -> Result<Span, ScenarioError> {
        if every < Span::from_micros(1) {
            let message = format!("{every} between rounds is too short; expected at least 1us");
            return self.error("every", message);
        }
        at_most_an_hour(every, &self.key("every"))?;
        Ok(every)
    }

    fn spam(&self, per_second: u32, content: Spam, data: Bytes) -> Result<Conduct, ScenarioError> {
        let most = u64::from(Transaction::LARGEST_BYTES - Transaction::SMALLEST_BYTES);
        if data.0 > most {
            let message = format!("{data} is above the limit of {}", Bytes(most));
            return self.error("data", message);
        }
        let who = self.nodes(self.config.who(), "who")?;
        let observer = who.iter().find(|node| self.population.stakes[*node] == 0);
        if let (Spam::Dust, Some(observer)) = (content, observer) {
            let message =
                format!("node {observer} has no stake and so no account that it could sign for");
            return self.error("content", message);
        }
        let every = Span::from_nanos(1_000_000_000 / u64::from(per_second));
        Ok(Conduct::Spam { every, content, data: data.0 as u32 })
    }

    fn conduct(&self) -> Result<Conduct, ScenarioError> {
        Ok(match self.config {
            AdversaryConfig::Equivocate { to, may_miss, .. } => {
                let (who, to) = (self.nodes(self.config.who(), "who")?, self.nodes(to, "to")?);
                let liar = who.iter().find(|liar| to.iter().all(|node| node == *liar));
                if let (Some(liar), false) = (liar, *may_miss) {
                    let message = format!(
                        "nobody but node {liar} itself would get its second block; expected others"
                    );
                    return self.error("to", message);
                }
                Conduct::Equivocate { to: Arc::new(to) }
            }
            AdversaryConfig::WithholdShreds { share, of, answers, .. } => {
                if share.is_never() {
                    return self.error("share", "0% keeps nothing back; expected more");
                }
                Conduct::WithholdShreds { share: *share, of: *of, answers: *answers }
            }
            AdversaryConfig::DelayShreds { by, of, .. } => {
                if by.is_zero() {
                    return self.error("by", "0s is not late; expected more");
                }
                at_most_an_hour(*by, &self.key("by"))?;
                Conduct::DelayShreds { by: *by, of: *of }
            }
            AdversaryConfig::Spam { per_second, content, data, .. } => {
                self.spam(*per_second, *content, *data)?
            }
            AdversaryConfig::LieInGossip { every, fanout, about, .. } => {
                let solana = self.scenario.gossip.style == gossip::Style::Solana;
                // A contact info with the sender and the count in front, or a list of one entry.
                let size = if solana { 220 } else { 113 };
                let (every, fanout) = (self.rounds(*every)?, *fanout);
                Conduct::LieInGossip { every, fanout, size, about: *about }
            }
            AdversaryConfig::FloodPeers { every, fanout, to, .. } => Conduct::FloodPeers {
                every: self.rounds(*every)?,
                fanout: *fanout,
                to: self.nodes(to, "to")?.iter().collect(),
            },
            AdversaryConfig::InvalidBlocks { flaw, .. } => {
                if *flaw == Forgery::Leader && self.scenario.slots.registry == Registry::Gossip {
                    let message = "where leaders are drawn from what gossip tells, nobody can tell \
                                   a wrong leader (slots.registry = \"gossip\")";
                    return self.error("flaw", message);
                }
                Conduct::InvalidBlocks { forgery: *flaw }
            }
            AdversaryConfig::BadPoh { .. } => Conduct::BadPoh,
            AdversaryConfig::DoubleVote { .. } => Conduct::DoubleVote,
            AdversaryConfig::Silent { .. } => Conduct::Silent,
            AdversaryConfig::WithholdVotes { .. } => Conduct::WithholdVotes,
        })
    }
}

impl Plan {
    /// Every node that does not follow the rules at some time of the run.
    #[must_use]
    pub fn liars(&self) -> NodeSet {
        let mut liars = NodeSet::empty(self.population.count());
        let named = self.adversaries.iter().flat_map(|adversary| adversary.role.nodes.iter());
        named.for_each(|node| {
            liars.insert(node);
        });
        liars
    }

    /// All others: who is honest until it loses its memory in a crash, which all observers that
    /// judge honest nodes hear of and heed (`Fact::NodeDown`).
    #[must_use]
    pub fn honest(&self) -> NodeSet {
        let mut honest = NodeSet::full(self.population.count());
        self.liars().iter().for_each(|liar| {
            honest.remove(liar);
        });
        honest
    }

    /// What the adversaries do, for the nodes.
    #[must_use]
    pub fn roles(&self) -> Vec<Role> {
        self.adversaries.iter().map(|adversary| adversary.role.clone()).collect()
    }
}
