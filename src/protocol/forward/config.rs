//! Protocol layer: the settings of transaction forwarding.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::time::Span;
use crate::protocol::setting::{SettingError, at_least_one, round_length};

/// Where nodes send transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// To the leaders of the coming slots, as far as it knows their addresses (Gulf Stream).
    #[default]
    Leaders,
    /// To its peers, which send them on to theirs: every mempool gets every transaction.
    Gossip,
    /// To a few random peers, which keep them (the classroom's simplification).
    Random,
    /// Nowhere: they wait where they came in until that node leads.
    Off,
}

/// How transactions reach the leaders that put them into blocks (`[forward]`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where nodes send transactions.
    pub mode: Mode,
    /// How many coming slots a node looks ahead, the present one not counted. Solana sends to the
    /// present leader and the next: 4, the slots of a leader. The classroom's is 3.
    #[schemars(range(min = 1, max = 10_000))]
    pub lookahead: u32,
    /// A node that leads one of so many coming slots keeps what came in at it for itself, with mode
    /// "leaders" (Solana's validators do so from 20 slots before; 0 for never).
    #[schemars(range(max = 10_000))]
    pub hold: u32,
    /// Whether a node that a transaction was sent to, and that leads none of the coming slots,
    /// sends it on to those that do, once, with mode "leaders".
    pub relay: bool,
    /// How long after sending it the node at which a transaction came in sends it again, as long
    /// as it is in no block and has not expired; "0s" for never.
    pub retry: Span,
    /// Most transactions that a node remembers to send again; further ones it sends once.
    #[schemars(range(min = 1))]
    pub pool: u32,
    /// To how many random peers a node sends with the modes "gossip" and "random". Without it to
    /// all of them with "gossip", and to 2 (the classroom's) with "random".
    #[schemars(range(min = 1))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fanout: Option<u32>,
}

impl Default for Config {
    fn default() -> Self {
        // Retry and pool are those of Solana's send service.
        Self {
            mode: Mode::Leaders,
            lookahead: 4,
            hold: 2,
            relay: true,
            retry: Span::from_secs(2),
            pool: 10_000,
            fanout: None,
        }
    }
}

/// Farthest that a node looks ahead.
const FARTHEST: u32 = 10_000;

impl Config {
    /// To how many random peers a node sends; `None` for all.
    #[must_use]
    pub const fn fanout(&self) -> Option<u32> {
        match (self.mode, self.fanout) {
            (Mode::Random, None) => Some(2),
            (_, fanout) => fanout,
        }
    }

    /// Refuses what cannot work. An epoch has so many slots, if leaders are known epoch by epoch.
    ///
    /// # Errors
    /// Names the setting and what was expected.
    pub fn check(&self, epoch: Option<u32>) -> Result<(), SettingError> {
        at_least_one("lookahead", self.lookahead)?;
        for (field, slots) in [("lookahead", self.lookahead), ("hold", self.hold)] {
            if let Some(epoch) = epoch.filter(|epoch| slots > *epoch) {
                let message = format!(
                    "{slots} slots are beyond the epoch of {epoch}; leaders are known for one ahead"
                );
                return Err(SettingError { field, message });
            }
            if slots > FARTHEST {
                let message = format!("{slots} slots are too many; expected at most {FARTHEST}");
                return Err(SettingError { field, message });
            }
        }
        if !self.retry.is_zero() {
            round_length("retry", self.retry)?;
        }
        at_least_one("pool", self.pool)?;
        at_least_one("fanout", self.fanout.unwrap_or(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_work_is_refused_by_name() {
        let default = Config::default();
        let refused = |config: Config, epoch| config.check(epoch).err().map(|error| error.field);
        assert_eq!(refused(default, None), None);
        assert_eq!(refused(default, Some(4)), None);
        assert_eq!(refused(default, Some(3)), Some("lookahead"));
        assert_eq!(refused(Config { hold: 9, ..default }, Some(8)), Some("hold"));
        assert_eq!(refused(Config { lookahead: 0, ..default }, None), Some("lookahead"));
        assert_eq!(refused(Config { lookahead: 10_001, ..default }, None), Some("lookahead"));
        let short = Config { retry: Span::from_nanos(1), ..default };
        assert_eq!(refused(short, None), Some("retry"));
        assert_eq!(refused(Config { retry: Span::ZERO, ..default }, None), None);
        assert_eq!(refused(Config { pool: 0, ..default }, None), Some("pool"));
        assert_eq!(refused(Config { fanout: Some(0), ..default }, None), Some("fanout"));
    }

    #[test]
    fn without_a_fan_out_gossip_floods_and_random_sends_to_two() {
        let fanout = |mode, fanout| Config { mode, fanout, ..Config::default() }.fanout();
        assert_eq!(fanout(Mode::Gossip, None), None);
        assert_eq!(fanout(Mode::Random, None), Some(2));
        assert_eq!(fanout(Mode::Gossip, Some(5)), Some(5));
        assert_eq!(fanout(Mode::Random, Some(5)), Some(5));
    }
}
