//! Protocol layer: what a part says of settings that it cannot work with. The scenario layer turns
//! it into an error with key, line and column.

use crate::base::time::Span;

/// Why a setting is refused: one sentence without the key and without a full stop.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct SettingError {
    /// The key within the part's section.
    pub field: &'static str,
    /// What was found and what was expected.
    pub message: String,
}

/// Accepts a length of time above zero.
///
/// # Errors
/// If it is zero.
pub fn above_zero(field: &'static str, span: Span) -> Result<(), SettingError> {
    if span.is_zero() {
        return Err(SettingError {
            field,
            message: "0s is too short; expected more than 0s".into(),
        });
    }
    Ok(())
}

/// Shortest interval of anything a node repeats for ever.
pub const SHORTEST_ROUND: Span = Span::from_micros(100);

/// Accepts an interval of rounds: shorter ones would be all that a run does.
///
/// # Errors
/// If it is below [`SHORTEST_ROUND`].
pub fn round_length(field: &'static str, span: Span) -> Result<(), SettingError> {
    if span < SHORTEST_ROUND {
        let message = format!("{span} is too short; expected at least {SHORTEST_ROUND}");
        return Err(SettingError { field, message });
    }
    Ok(())
}

/// Accepts a count from one up.
///
/// # Errors
/// If it is zero.
pub fn at_least_one(field: &'static str, count: u32) -> Result<(), SettingError> {
    if count == 0 {
        return Err(SettingError { field, message: "0 is too few; expected at least 1".into() });
    }
    Ok(())
}
