//! Protocol layer: the settings of gossip by Solana's rules.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::quantity::{Bytes, Chance};
use crate::base::time::Span;
use crate::protocol::setting::{SettingError, above_zero, at_least_one, round_length};

/// Gossip by Solana's rules (`[gossip.solana]`, read with `style = "solana"`). Defaults are those
/// of Agave 4.4. One unit of stake counts as 1 SOL. Addresses count as verified, without pings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The main loop of a node: how often it pushes what waits.
    pub interval: Span,
    /// For how long after the first a node collects values that are pushed to it before it pushes
    /// them on together; "0s" for at once.
    pub batch: Span,
    /// Whether nodes push at all.
    pub push: bool,
    /// To how many peers a node pushes a value: the first of the active set that have not pruned
    /// its origin.
    #[schemars(range(min = 1, max = 16))]
    pub fanout: u32,
    /// Peers in each of the active sets, one set per stake bucket.
    #[schemars(range(min = 1, max = 16))]
    pub active_set: u32,
    /// How often a node publishes its contact info anew and replaces the oldest peer of each active
    /// set.
    pub rotation: Span,
    /// Whether nodes pull at all.
    pub pull: bool,
    /// How often a node asks peers for what it lacks: for an eighth of all values each time.
    pub pull_interval: Span,
    /// New values of an origin after which a node prunes those that push them late; 0 for never.
    #[schemars(range(min = 0, max = 255))]
    pub prune_upserts: u32,
    /// How many peers a node keeps at least for each origin when it prunes.
    pub prune_keep: u32,
    /// It keeps further ones until the stake of those kept is this share of the smaller one of its
    /// own and the origin's stake.
    pub prune_stake: Chance,
    /// How many peers that are always late are remembered per origin.
    pub prune_cap: u32,
    /// How often a full bloom filter (of a pull request, or of the origins a peer has pruned) takes
    /// a value for one that it holds; emptier ones do so less often. "0%" for exact sets.
    pub false_positive: Chance,
    /// Largest UDP payload. 44 bytes of it are the head of a push or a pull response.
    pub packet: Bytes,
    /// Largest value.
    pub value_limit: Bytes,
    /// A node without stake is forgotten when it has not published its contact info for so long.
    pub unstaked_expiry: Span,
    /// The same for validators.
    pub staked_expiry: Span,
    /// Whether nodes begin as in a cluster that has run before: with the contact infos of all, full
    /// active sets, and all prunes that follow if values take the fastest ways. In a cold start all
    /// peers push all values to a node until it has 20 of an origin, about nine times as many
    /// messages as needed; one push of a contact info misses about one node in a hundred, and
    /// pulls, which ask for an eighth of all values every half second, take 10 to 20 s to bring the
    /// last.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub warm: bool,
    /// From so many validators on, epoch slots and lowest slots of nodes without stake are not
    /// taken in, and their votes are left out of pull responses.
    pub relay_filter: u32,
}

impl Default for Config {
    fn default() -> Self {
        // Fact sheet of Agave 4.4 (gossip/src/cluster_info.rs, push_active_set.rs,
        // received_cache.rs, crds_gossip_pull.rs).
        Self {
            interval: Span::from_millis(100),
            // How long the receiver of packets coalesces (gossip/src/gossip_service.rs).
            batch: Span::from_millis(1),
            push: true,
            fanout: 9,
            active_set: 12,
            rotation: Span::from_millis(7_500),
            pull: true,
            pull_interval: Span::from_millis(500),
            prune_upserts: 20,
            prune_keep: 2,
            prune_stake: percent(15),
            prune_cap: 50,
            false_positive: percent(10),
            packet: Bytes(1_232),
            value_limit: Bytes(928),
            unstaked_expiry: Span::from_secs(15),
            staked_expiry: Span::from_secs(2 * 86_400),
            warm: false,
            relay_filter: 500,
        }
    }
}

fn percent(parts: u32) -> Chance {
    Chance::from_ppb(parts * 10_000_000).expect("at most 100 %")
}

impl Config {
    /// Largest active set: prunes are kept as one bit per place.
    pub const MOST_ACTIVE: u32 = 16;
    /// Most new values of an origin that are counted before a node prunes.
    pub const MOST_UPSERTS: u32 = 255;
    /// Bytes of a push or a pull response before its values: kind 4, sender 32, count 8.
    pub const HEAD: u32 = 4 + 32 + 8;
    /// Bytes of a value beside its payload: signature 64, kind 4, origin 32, wall-clock 8.
    pub const VALUE_HEAD: u32 = 64 + 4 + 32 + 8;
    /// Largest packet that may be set: what a UDP datagram can carry over IPv4.
    const LARGEST_PACKET: u64 = 65_507;
    /// Smallest limit of a value: that of Solana, which epoch slots use up.
    const SMALLEST_LIMIT: u64 = 928;

    /// Bytes of values in one push or pull response.
    #[must_use]
    pub const fn room(&self) -> u32 {
        self.packet.0 as u32 - Self::HEAD
    }

    /// Refuses what cannot work.
    ///
    /// # Errors
    /// Names the setting, as a key of `[gossip]`, and what was expected.
    pub fn check(&self) -> Result<(), SettingError> {
        round_length("solana.interval", self.interval)?;
        if self.batch > self.interval {
            let message = format!("{} is longer than interval = \"{}\"", self.batch, self.interval);
            return Err(SettingError { field: "solana.batch", message });
        }
        at_least_one("solana.fanout", self.fanout)?;
        let refuse = |field, message| Err(SettingError { field, message });
        if self.active_set == 0 || self.active_set > Self::MOST_ACTIVE {
            let (found, most) = (self.active_set, Self::MOST_ACTIVE);
            return refuse("solana.active_set", format!("{found} peers; expected 1 to {most}"));
        }
        if self.fanout > self.active_set {
            let message = format!(
                "a fan-out of {} is more than the active set of {}",
                self.fanout, self.active_set
            );
            return refuse("solana.fanout", message);
        }
        if self.prune_upserts > Self::MOST_UPSERTS {
            let (found, most) = (self.prune_upserts, Self::MOST_UPSERTS);
            let message = format!("{found} new values; expected at most {most}");
            return refuse("solana.prune_upserts", message);
        }
        for (field, span) in
            [("solana.rotation", self.rotation), ("solana.pull_interval", self.pull_interval)]
        {
            if span < self.interval {
                let message = format!("{span} is shorter than interval = \"{}\"", self.interval);
                return refuse(field, message);
            }
        }
        if self.false_positive > percent(50) {
            return refuse("solana.false_positive", "expected at most 50%".into());
        }
        self.check_sizes()?;
        above_zero("solana.unstaked_expiry", self.unstaked_expiry)?;
        above_zero("solana.staked_expiry", self.staked_expiry)
    }

    fn check_sizes(&self) -> Result<(), SettingError> {
        let (limit, packet) = (self.value_limit, self.packet);
        let message = if packet.0 > Self::LARGEST_PACKET {
            format!("{packet} is too large; expected at most {}B", Self::LARGEST_PACKET)
        } else if limit.0 < Self::SMALLEST_LIMIT {
            let message =
                format!("{limit} is too small; expected at least {}B", Self::SMALLEST_LIMIT);
            return Err(SettingError { field: "solana.value_limit", message });
        } else if packet.0 < limit.0.saturating_add(Self::HEAD.into()) {
            format!(
                "{packet} is too small for a value of {limit} and {} bytes before it",
                Self::HEAD
            )
        } else {
            return Ok(());
        };
        Err(SettingError { field: "solana.packet", message })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_work_and_the_room_is_that_of_the_fact_sheet() {
        let config = Config::default();
        assert_eq!(config.check(), Ok(()));
        assert_eq!(config.room(), 1_188);
    }

    #[test]
    fn what_cannot_work_is_refused_by_name() {
        let good = Config::default();
        for (bad, said) in [
            (
                Config { fanout: 13, ..good },
                "solana.fanout: a fan-out of 13 is more than the active set of 12",
            ),
            (
                Config { batch: Span::from_millis(101), ..good },
                "solana.batch: 101ms is longer than interval = \"100ms\"",
            ),
            (Config { active_set: 17, ..good }, "solana.active_set: 17 peers; expected 1 to 16"),
            (
                Config { prune_upserts: 256, ..good },
                "solana.prune_upserts: 256 new values; expected at most 255",
            ),
            (
                Config { rotation: Span::from_millis(99), ..good },
                "solana.rotation: 99ms is shorter than interval = \"100ms\"",
            ),
            (
                Config { packet: Bytes(971), ..good },
                "solana.packet: 971B is too small for a value of 928B and 44 bytes before it",
            ),
            (
                Config { value_limit: Bytes(927), ..good },
                "solana.value_limit: 927B is too small; expected at least 928B",
            ),
            (
                Config { false_positive: percent(51), ..good },
                "solana.false_positive: expected at most 50%",
            ),
            (
                Config { unstaked_expiry: Span::ZERO, ..good },
                "solana.unstaked_expiry: 0s is too short; expected more than 0s",
            ),
        ] {
            let error = bad.check().expect_err(said).to_string();
            assert_eq!(error, said);
        }
    }
}
