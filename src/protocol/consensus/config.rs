//! Protocol layer: the settings of votes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::quantity::Chance;
use crate::protocol::setting::SettingError;
use crate::protocol::tower::MOST_ENTRIES;

/// By which rules nodes vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Style {
    /// Nobody votes: the longest chain leads.
    #[default]
    Off,
    /// The classroom's: a vote for every block that becomes the end of the node's chain; the fork
    /// with the most stake by the latest vote of each node leads, of equals the one whose first
    /// block has the earlier slot; more than two thirds of the stake make a block final.
    Classroom,
    /// Tower BFT: lockouts that double, a threshold, proofs for leaving a fork, and a root 32 votes
    /// deep.
    Tower,
}

/// Where votes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Spread {
    /// To the leaders of this slot and of the next two, and into gossip if it is Solana's.
    #[default]
    Leaders,
    /// To all peers that the node knows.
    Peers,
}

/// Votes (`[consensus]`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// By which rules nodes vote.
    pub style: Style,
    /// Where votes go.
    pub spread: Spread,
    /// How deep in the tower a vote lies that more than two thirds of the stake must stand behind
    /// before the node goes on: 8 in Solana. 0 leaves the check out.
    #[schemars(range(min = 0, max = 31))]
    pub threshold_depth: u32,
    /// More than so much of the stake must be locked out of the fork of a node's last vote before
    /// the node votes for another one: 38 % in Solana.
    pub switch: Chance,
    /// Whether a leader waits with its next window, and with votes, until more than a third of the
    /// stake has voted for its last block or one upon it, or has told by its epoch slots that it
    /// has a block of that slot; it sends the block again after 5 s, 10 s, 20 s ... Only with
    /// Solana's gossip, which carries those slots: votes alone may stop for good.
    pub propagation: bool,
}

impl Default for Config {
    fn default() -> Self {
        // Agave: VOTE_THRESHOLD_DEPTH, SWITCH_FORK_THRESHOLD.
        let switch = Chance::from_ppb(380_000_000).unwrap_or(Chance::ALWAYS);
        let (style, spread) = (Style::default(), Spread::default());
        Self { style, spread, threshold_depth: 8, switch, propagation: true }
    }
}

impl Config {
    /// Refuses what cannot work.
    ///
    /// # Errors
    /// Names the setting and what was expected.
    pub fn check(&self) -> Result<(), SettingError> {
        if self.threshold_depth as usize > MOST_ENTRIES {
            let message = format!(
                "{} is deeper than a tower; expected 0 to {MOST_ENTRIES}",
                self.threshold_depth
            );
            return Err(SettingError { field: "threshold_depth", message });
        }
        Ok(())
    }

    /// The part of the stake that must be locked out of a fork before it is left.
    pub(super) fn switch_share(&self) -> (u64, u64) {
        (self.switch.ppb().into(), Chance::ALWAYS.ppb().into())
    }
}
