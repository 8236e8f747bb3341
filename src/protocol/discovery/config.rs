//! Protocol layer: the settings of peer discovery.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::id::NodeId;
use crate::base::time::Span;
use crate::protocol::setting::{SettingError, above_zero, at_least_one, round_length};

/// How nodes find each other and notice that a peer is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Whether nodes discover peers at all; otherwise the topology says for good who knows whom.
    pub enabled: bool,
    /// How often a node asks some of its peers whom they know.
    pub request_interval: Span,
    /// How many random peers it asks each time.
    #[schemars(range(min = 1))]
    pub request_fanout: u32,
    /// Most peers named in one answer; if there are more, these are drawn at random.
    #[schemars(range(min = 1))]
    pub answer_limit: u32,
    /// To how many nodes that it heard of from others a node announces itself within one request
    /// interval.
    #[schemars(range(min = 1))]
    pub announce_limit: u32,
    /// Time between two rounds of pings of a node. A peer whose turn it is, and that was not heard
    /// from since its last turn, is pinged.
    pub ping_interval: Span,
    /// How many peers have their turn in one round of pings; with more peers the turns rotate.
    #[schemars(range(min = 1))]
    pub ping_fanout: u32,
    /// How long to wait for a sign of life after a ping.
    pub timeout: Span,
    /// So many unanswered pings in a row, and the peer is dropped.
    #[schemars(range(min = 1))]
    pub attempts: u32,
    /// How long after it was dropped a peer is pinged again; doubles with every such ping.
    pub retry_initial: Span,
    /// Longest time between two pings of a dropped peer; not below `retry_initial`.
    pub retry_limit: Span,
    /// Most peers that a node takes in; newcomers beyond it are refused. A node to which the
    /// topology gives more may keep those.
    #[schemars(range(min = 1))]
    pub max_peers: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            enabled: false,
            request_interval: Span::from_secs(5),
            request_fanout: 1,
            answer_limit: 32,
            announce_limit: 32,
            ping_interval: Span::from_secs(5),
            ping_fanout: 32,
            timeout: Span::from_secs(2),
            attempts: 3,
            retry_initial: Span::from_secs(1),
            retry_limit: Span::from_secs(60),
            max_peers: 1_000,
        }
    }
}

impl Config {
    /// Refuses what cannot work.
    ///
    /// # Errors
    /// Names the setting and what was expected.
    pub fn check(&self) -> Result<(), SettingError> {
        round_length("request_interval", self.request_interval)?;
        round_length("ping_interval", self.ping_interval)?;
        above_zero("timeout", self.timeout)?;
        round_length("retry_initial", self.retry_initial)?;
        at_least_one("request_fanout", self.request_fanout)?;
        at_least_one("answer_limit", self.answer_limit)?;
        at_least_one("announce_limit", self.announce_limit)?;
        at_least_one("ping_fanout", self.ping_fanout)?;
        at_least_one("attempts", self.attempts)?;
        at_least_one("max_peers", self.max_peers)?;
        if self.retry_limit < self.retry_initial {
            return Err(SettingError {
                field: "retry_limit",
                message: format!(
                    "{} is shorter than retry_initial, which is {}",
                    self.retry_limit, self.retry_initial
                ),
            });
        }
        Ok(())
    }

    /// Longest time from a peer's last message to its being dropped, with at most `peers` peers:
    /// its turn comes every ceil(peers / ping_fanout) rounds; the first turn finds that it was
    /// heard from, the second pings it, and `attempts` timeouts later it is gone.
    #[must_use]
    pub fn detection_bound(&self, peers: usize) -> Span {
        let cycle = self.ping_interval * peers.div_ceil(self.ping_fanout as usize) as u64;
        cycle * 2 + self.timeout * u64::from(self.attempts)
    }
}

/// A run's settings, shared by all nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Nodes that everyone announces itself to when it joins, in increasing order.
    pub bootstrap: Vec<NodeId>,
    /// All else.
    pub config: Config,
}
