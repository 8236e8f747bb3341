//! Protocol layer: the settings of gossip about validators.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::time::Span;
use crate::protocol::setting::{SettingError, above_zero, at_least_one};

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

/// Gossip about the validators: identity, stake, public key and version of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How nodes tell each other: "off", "push", "pull", "push-pull" or "forward-once". Default
    /// "off".
    pub style: Style,
    /// Time between two rounds of a node; not read by "forward-once". Default 2s.
    pub interval: Span,
    /// How many random peers are chosen each time. Default 3.
    #[schemars(range(min = 1))]
    pub fanout: u32,
    /// "random": each node starts its rounds at a random moment; "aligned": all rounds at whole
    /// multiples of the interval. Default "random".
    pub phase: Phase,
    /// How often a validator publishes a new version of its own entry, the first time a random part
    /// of this (phase "random") or all of it (phase "aligned") after its start; at least 10ms.
    /// Absent: only at its start and after each restart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh: Option<Span>,
    /// "peers": choose among the peers a node knows; "membership": among all other nodes. Default
    /// "peers".
    pub choose_from: ChooseFrom,
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
        above_zero("interval", self.interval)?;
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
