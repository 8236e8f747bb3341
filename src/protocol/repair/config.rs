//! Protocol layer: the settings of repair.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::quantity::Rate;
use crate::base::time::Span;
use crate::protocol::setting::{SettingError, above_zero, at_least_one, round_length};

/// How nodes get what is missing of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Style {
    /// Not at all.
    #[default]
    Off,
    /// When nothing new of a block has come for `timeout`, a node asks one random peer for all that
    /// it lacks of it, or for the whole block if it only knows a block that stands on it; again
    /// with growing pauses.
    Classroom,
    /// Solana's rules (Agave 4.4): single shreds after a fixed delay from the moment when their FEC
    /// set was first heard of, from peers drawn by stake, for a missing parent the highest shreds
    /// of its ancestors.
    Solana,
}

/// Repair: getting what is missing of blocks by asking (`[repair]`). What came by repair is never
/// passed on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How nodes get what is missing of a block.
    pub style: Style,
    /// Style "classroom": how long after the last new shred of an incomplete block, or after a
    /// block whose parent is missing became whole, the first request is made.
    pub timeout: Span,
    /// Style "classroom": how long after a request that brought nothing new the next one is made.
    pub retry: Span,
    /// Style "classroom": by what factor that time grows with every further request in vain.
    #[schemars(range(min = 1, max = 100))]
    pub backoff: u32,
    /// Style "classroom": how many requests in a row may bring nothing new. After these the node
    /// waits once more, and then until it hears of another block.
    #[schemars(range(min = 1, max = 1_000))]
    pub attempts: u32,
    /// Style "solana": how long after a FEC set was first heard of its missing shreds may be asked
    /// for.
    pub delay: Span,
    /// Style "solana": how long the same request is not made again.
    pub repeat: Span,
    /// Style "solana": how often a node looks for what is missing.
    pub poll: Span,
    /// Style "solana": most missing parents that one look asks for.
    pub orphans: u32,
    /// Style "solana": most requests of one look for blocks with a path to genesis.
    pub best: u32,
    /// Style "solana": most requests of one look for the last shred of a block where it is unknown.
    pub unknown_last: u32,
    /// Style "solana": most requests of one look for the blocks that lack the fewest shreds.
    pub closest: u32,
    /// Style "solana": most shreds in answer to a request for a missing parent.
    #[schemars(range(min = 1))]
    pub ancestors: u32,
    /// Bytes of answers that a node sends per second; up to a second's worth at once. Without this
    /// key "12MB/s" with style "solana", and no limit with "classroom".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<Rate>,
    /// How many times its size an answer takes of the budget while the node leads.
    #[schemars(range(min = 1, max = 1_000))]
    pub leading_cost: u32,
    /// Style "solana": most requests that a node looks at in one `poll`; others are discarded.
    #[schemars(range(min = 1))]
    pub served: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            style: Style::Off,
            timeout: Span::from_millis(500),
            retry: Span::from_secs(1),
            backoff: 2,
            attempts: 5,
            // Agave 4.4, `core/src/repair/repair_service.rs`.
            delay: Span::from_millis(250),
            repeat: Span::from_millis(150),
            poll: Span::from_millis(1),
            orphans: 5,
            best: 512,
            unknown_last: 10,
            closest: 100,
            // Agave 4.4, `core/src/repair/serve_repair.rs`.
            ancestors: 11,
            budget: None,
            leading_cost: 10,
            served: 1_024,
        }
    }
}

/// Agave's budget for answers (`core/src/repair/serve_repair.rs`): 12 MB per second.
const SOLANA_BUDGET: u64 = 96_000_000;

/// Largest factor between two pauses, most attempts and largest cost: beyond them is no other
/// behaviour, only overflow.
const MOST_BACKOFF: u32 = 100;
const MOST_ATTEMPTS: u32 = 1_000;
const MOST_COST: u32 = 1_000;

impl Config {
    /// Bytes of answers per second; `None` for no limit.
    #[must_use]
    pub const fn budget(&self) -> Option<Rate> {
        match (self.budget, self.style) {
            (None, Style::Solana) => Rate::new(SOLANA_BUDGET),
            (given, _) => given,
        }
    }

    /// How long after the `attempt`-th request in vain, counted from one, the next one is due.
    #[must_use]
    pub fn pause(&self, attempt: u32) -> Span {
        let factor = u64::from(self.backoff).saturating_pow(attempt.saturating_sub(1));
        self.retry.scaled(factor, 1)
    }

    /// Refuses what cannot work.
    ///
    /// # Errors
    /// Names the setting and what was expected.
    pub fn check(&self) -> Result<(), SettingError> {
        above_zero("timeout", self.timeout)?;
        round_length("retry", self.retry)?;
        round_length("poll", self.poll)?;
        round_length("repeat", self.repeat)?;
        at_least_one("ancestors", self.ancestors)?;
        at_least_one("served", self.served)?;
        for (field, value, most) in [
            ("backoff", self.backoff, MOST_BACKOFF),
            ("attempts", self.attempts, MOST_ATTEMPTS),
            ("leading_cost", self.leading_cost, MOST_COST),
        ] {
            at_least_one(field, value)?;
            if value > most {
                let message = format!("{value} is too many; expected at most {most}");
                return Err(SettingError { field, message });
            }
        }
        Ok(())
    }

    /// The keys that have another value than in `base` and are not read in the chosen style.
    #[must_use]
    pub fn unread(&self, base: &Self) -> Vec<&'static str> {
        let classroom = [
            ("timeout", self.timeout != base.timeout),
            ("retry", self.retry != base.retry),
            ("backoff", self.backoff != base.backoff),
            ("attempts", self.attempts != base.attempts),
        ];
        let solana = [
            ("delay", self.delay != base.delay),
            ("repeat", self.repeat != base.repeat),
            ("poll", self.poll != base.poll),
            ("orphans", self.orphans != base.orphans),
            ("best", self.best != base.best),
            ("unknown_last", self.unknown_last != base.unknown_last),
            ("closest", self.closest != base.closest),
            ("ancestors", self.ancestors != base.ancestors),
            ("served", self.served != base.served),
        ];
        let both = [
            ("budget", self.budget != base.budget),
            ("leading_cost", self.leading_cost != base.leading_cost),
        ];
        let changed = |keys: &[(&'static str, bool)]| -> Vec<&'static str> {
            keys.iter().filter(|(_, changed)| *changed).map(|(key, _)| *key).collect()
        };
        match self.style {
            Style::Off => [changed(&classroom), changed(&solana), changed(&both)].concat(),
            Style::Classroom => changed(&solana),
            Style::Solana => changed(&classroom),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_by_the_factor_and_never_overflow() {
        let config = Config { retry: Span::from_millis(100), backoff: 3, ..Config::default() };
        let pauses = [1, 2, 3, 4].map(|attempt| config.pause(attempt).as_nanos() / 1_000_000);
        assert_eq!(pauses, [100, 300, 900, 2_700]);
        assert_eq!(config.pause(1_000), Span::MAX);
    }

    #[test]
    fn what_cannot_work_is_refused_and_the_default_is_not() {
        assert_eq!(Config::default().check(), Ok(()));
        let broken = [
            ("timeout", Config { timeout: Span::ZERO, ..Config::default() }),
            ("retry", Config { retry: Span::ZERO, ..Config::default() }),
            ("poll", Config { poll: Span::from_nanos(1), ..Config::default() }),
            ("repeat", Config { repeat: Span::ZERO, ..Config::default() }),
            ("backoff", Config { backoff: 0, ..Config::default() }),
            ("attempts", Config { attempts: 1_001, ..Config::default() }),
            ("ancestors", Config { ancestors: 0, ..Config::default() }),
            ("leading_cost", Config { leading_cost: 0, ..Config::default() }),
            ("served", Config { served: 0, ..Config::default() }),
        ];
        for (field, config) in broken {
            assert_eq!(config.check().expect_err(field).field, field);
        }
    }

    #[test]
    fn keys_of_another_style_are_named() {
        let changed = Config { delay: Span::ZERO, backoff: 9, ..Config::default() };
        let unread = |style| Config { style, ..changed.clone() }.unread(&Config::default());
        assert_eq!(unread(Style::Off), ["backoff", "delay"]);
        assert_eq!(unread(Style::Classroom), ["delay"]);
        assert_eq!(unread(Style::Solana), ["backoff"]);
    }
}
