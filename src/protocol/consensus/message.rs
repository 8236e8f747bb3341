//! Protocol layer: the message and the alarm of votes.

use crate::protocol::vote::{Vote, VoteId};

/// A vote on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message {
    /// Which one.
    pub vote: VoteId,
    /// The lower half of [`Vote::content`].
    pub content: u32,
}

impl Message {
    /// The message that carries a vote.
    #[must_use]
    pub fn of(vote: &Vote) -> Self {
        Self { vote: vote.id, content: vote.content() as u32 }
    }
}

/// Votes that came by gossip are to be looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timer;
