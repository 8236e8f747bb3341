//! World layer: what can go wrong with a world.

use crate::base::id::NodeId;
use crate::base::time::Time;
use crate::scenario::error::ScenarioError;
use crate::scenario::population::selector::SelectorError;
use crate::sim::{Overload, Refused};

/// Why a world cannot be built, or does not do what it was asked for.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WorldError {
    /// Its scenario is wrong.
    #[error("{}", lines(.0))]
    Scenario(Vec<ScenarioError>),
    /// A text is no time.
    #[error("no time: {0}")]
    Time(String),
    /// A text names no nodes.
    #[error("no nodes: {0}")]
    Nodes(SelectorError),
    /// A moment is over, or behind the end.
    #[error("{at} is not between now, {now}, and the end of the scenario, {end} (`duration`)")]
    Moment {
        /// The moment.
        at: Time,
        /// The moment that the world stands before.
        now: Time,
        /// The end of the scenario.
        end: Time,
    },
    /// There is no cut to heal.
    #[error("no cut is in force before {0}; one takes effect when the world goes on")]
    Whole(Time),
    /// The node was crashed before.
    #[error("{0:?} was crashed by hand and not restarted")]
    Down(NodeId),
    /// The node was not crashed.
    #[error("{0:?} was not crashed by hand")]
    Up(NodeId),
    /// The kernel refuses.
    #[error("{0}")]
    Refused(Refused),
    /// Too many events were pending.
    #[error("{0}")]
    Overload(Overload),
    /// So many facts are kept and no more.
    #[error("more than {0} facts happened, which is the limit of a world")]
    TooManyFacts(usize),
}

fn lines(errors: &[ScenarioError]) -> String {
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
