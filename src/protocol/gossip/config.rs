//! Protocol layer: the settings of gossip about validators.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::time::Span;
use crate::protocol::crds;
use crate::protocol::setting::{SettingError, at_least_one, round_length};

/// How nodes tell each other of the validators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Style {
    /// Not at all.
    #[default]
    Off,
    /// Every interval each node sends its complete registry to `fanout` random peers (the
    /// classroom's way).
    Push,
    /// Every interval each node asks `fanout` random peers for what it lacks.
    Pull,
    /// As `pull`, and a node that is asked asks back if the asker knows something new.
    PushPull,
    /// A node that learns something new sends it on to `fanout` random peers, at once and once
    /// ("infect and die"). Nothing is repeated: what is lost stays lost.
    ForwardOnce,
    /// By Solana's rules: signed values in a replicated table, pushed along stake-weighted sets of
    /// peers that prune what comes late, and pulled. See `[gossip.solana]`; of the other keys of
    /// `[gossip]` it reads `phase` alone.
    Solana,
}

/// When the rounds of a node take place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Each node's first round comes a random part of the interval after its start.
    #[default]
    Random,
    /// All rounds are at whole multiples of the interval on the node's own clock, the moment of its
    /// start included.
    Aligned,
}

/// From whom the random peers are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ChooseFrom {
    /// The peers that the node knows.
    #[default]
    Peers,
    /// All other nodes of the cluster, known or not.
    Membership,
}

/// Gossip about the validators (`[gossip]`): each node keeps a registry with the identity, stake,
/// public key and version of every validator it has heard of, and passes it on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How the registry spreads from node to node.
    pub style: Style,
    /// Time between two rounds of a node; "forward-once" has no rounds.
    pub interval: Span,
    /// How many random peers a node sends to (or asks) each time.
    #[schemars(range(min = 1))]
    pub fanout: u32,
    /// When the rounds of a node take place.
    pub phase: Phase,
    /// How often a validator publishes a new version of its own entry; at least 10ms. The first
    /// time is a random part of this after its start, or all of it if the phase is "aligned".
    /// Without this key it publishes at its start and after each restart only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh: Option<Span>,
    /// From whom the random peers are drawn.
    pub choose_from: ChooseFrom,
    /// How many blocks, the last of its chain, a node sends to the same random peers in each round,
    /// chunk after chunk in turn (the classroom: 5); 0 for none. "forward-once" has no rounds.
    #[schemars(range(max = 65_536))]
    pub recent_blocks: u32,
    /// The rules of `style = "solana"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub solana: Option<crds::Config>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            style: Style::Off,
            // The tutorial's gossip protocol: every 2 s to 3 peers.
            interval: Span::from_secs(2),
            fanout: 3,
            phase: Phase::Random,
            refresh: None,
            choose_from: ChooseFrom::Peers,
            recent_blocks: 0,
            solana: None,
        }
    }
}

impl Config {
    /// Shortest time between two versions. Versions must grow slower than one a millisecond,
    /// because a node that forgot its last one continues from its clock in milliseconds.
    pub const SHORTEST_REFRESH: Span = Span::from_millis(10);

    /// Refuses what cannot work.
    ///
    /// # Errors
    /// Names the setting and what was expected.
    pub fn check(&self) -> Result<(), SettingError> {
        if let (Style::Solana, Some(rules)) = (self.style, &self.solana) {
            return rules.check();
        }
        round_length("interval", self.interval)?;
        at_least_one("fanout", self.fanout)?;
        match self.refresh {
            Some(refresh) if refresh < Self::SHORTEST_REFRESH => Err(SettingError {
                field: "refresh",
                message: format!(
                    "{refresh} is too short; expected at least {}",
                    Self::SHORTEST_REFRESH
                ),
            }),
            _ => Ok(()),
        }
    }
}
