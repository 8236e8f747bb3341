//! Scenario layer: adversaries of `[chaos]`.

use super::{Disaster, MILLISECOND, between, chance};
use crate::base::quantity::Chance;
use crate::base::rng::Rng;
use crate::base::time::Span;
use crate::protocol::adversary::{About, Forgery, Scope};
use crate::protocol::leading::Registry;
use crate::scenario::error::ScenarioError;
use crate::scenario::plan::adversary::lacking;
use crate::scenario::population::selector::Selector;
use crate::scenario::schema::Scenario;
use crate::scenario::schema::adversary::AdversaryConfig;
use crate::scenario::schema::chaos::{ChaosConfig, ChaosLie};

/// Refuses what no adversary of the scenario could do.
pub(super) fn check(scenario: &Scenario, config: &ChaosConfig) -> Result<(), ScenarioError> {
    if config.adversaries == 0 {
        return Ok(());
    }
    if config.does.is_empty() {
        let message = "nothing is listed; leave the key out for all of it";
        return Err(ScenarioError::new("chaos.does", message));
    }
    for (place, lie) in config.does.iter().enumerate() {
        if config.does[..place].contains(lie) {
            let message = "this is listed twice";
            return Err(ScenarioError::new(format!("chaos.does[{place}]"), message));
        }
        let example = written(*lie, Term { who: Selector::All, from: Span::ZERO, until: None });
        if let Some((lacks, hint)) = lacking(scenario, &example) {
            let message = format!("an adversary that does \"{}\" needs {lacks}", example.does());
            return Err(ScenarioError::new("chaos.does", message).hint(hint));
        }
        if *lie == ChaosLie::InvalidBlocks && scenario.slots.registry == Registry::Gossip {
            let message = "where leaders are drawn from what gossip tells, nobody can tell a wrong \
                           leader: chaos draws no \"invalid-blocks\" (slots.registry = \"gossip\")";
            return Err(ScenarioError::new("chaos.does", message));
        }
    }
    Ok(())
}

/// Who lies from when to when.
struct Term {
    who: Selector,
    from: Span,
    until: Option<Span>,
}

/// An adversary whose strengths are the defaults, as far as there are any.
fn written(lie: ChaosLie, term: Term) -> AdversaryConfig {
    let Term { who, from, until } = term;
    let may_miss = true;
    match lie {
        ChaosLie::Equivocate => {
            let to = Selector::RandomShare(HALF);
            AdversaryConfig::Equivocate { who, from, until, may_miss, to }
        }
        ChaosLie::WithholdShreds => {
            let (share, of, answers) = (Chance::ALWAYS, Scope::All, false);
            AdversaryConfig::WithholdShreds { who, from, until, may_miss, share, of, answers }
        }
        ChaosLie::DelayShreds => {
            let (by, of) = (MILLISECOND, Scope::All);
            AdversaryConfig::DelayShreds { who, from, until, may_miss, by, of }
        }
        ChaosLie::LieInGossip => {
            let (every, fanout, about) = (Span::from_secs(1), 3, About::Others);
            AdversaryConfig::LieInGossip { who, from, until, may_miss, every, fanout, about }
        }
        ChaosLie::InvalidBlocks => {
            let flaw = Forgery::default();
            AdversaryConfig::InvalidBlocks { who, from, until, may_miss, flaw }
        }
        ChaosLie::BadPoh => AdversaryConfig::BadPoh { who, from, until, may_miss },
        ChaosLie::DoubleVote => AdversaryConfig::DoubleVote { who, from, until, may_miss },
        ChaosLie::Silent => AdversaryConfig::Silent { who, from, until, may_miss },
        ChaosLie::WithholdVotes => AdversaryConfig::WithholdVotes { who, from, until, may_miss },
    }
}

const HALF: Chance = match Chance::from_ppb(500_000_000) {
    Some(share) => share,
    None => Chance::NEVER,
};

impl Disaster<'_> {
    /// Draws an adversary; `None` if there is no stake left that may lie. What liars have said
    /// counts after they have ended, so their stake is taken for the whole run.
    pub(super) fn adversary(&mut self, rng: &mut Rng) -> Option<AdversaryConfig> {
        let config = self.config;
        let lie = config.does[rng.index(config.does.len())];
        let from = between(rng, config.from, self.until.saturating_sub(config.shortest));
        // Up to a sixth of the nodes: room for two more, or for crashes.
        let most = self.population.count().div_ceil(6);
        let who = self.taken_away(rng, (Span::ZERO, Span::MAX), most)?;
        let mut drawn = written(lie, Term { who, from, until: config.until });
        match &mut drawn {
            AdversaryConfig::Equivocate { to, .. } => *to = self.some(rng),
            AdversaryConfig::WithholdShreds { share, of, answers, .. } => {
                *share = chance(rng, Chance::ALWAYS);
                (*of, *answers) = (scope(rng), rng.below(2) == 0);
            }
            AdversaryConfig::DelayShreds { by, of, .. } => {
                *by = between(rng, MILLISECOND, config.most_delay);
                *of = scope(rng);
            }
            AdversaryConfig::InvalidBlocks { flaw, .. } => {
                let flaws = [Forgery::Transactions, Forgery::Hash, Forgery::Leader];
                *flaw = flaws[rng.index(flaws.len())];
            }
            _ => {}
        }
        Some(drawn)
    }
}

fn scope(rng: &mut Rng) -> Scope {
    let scopes = [Scope::Own, Scope::Relayed, Scope::All];
    scopes[rng.index(scopes.len())]
}
