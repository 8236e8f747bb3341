//! Protocol layer: where in a shred's tree a receiver stands, as far as its sender worked it out.

use crate::base::id::NodeId;
use crate::sim::protocol::{Label, Receiver};

/// The position of a shred's receiver in the tree, from the root at zero. Sender and receiver work
/// it out from the same public data, so it travels as the message's [`Label`] instead of having
/// every receiver look for itself. Unknown where a shred came by another way than down its tree,
/// and in trees of more than 65,535 nodes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Position(u16);

impl Position {
    /// Still to be looked for.
    pub const UNKNOWN: Self = Self(u16::MAX);

    /// This one, if there is room to say so.
    #[inline]
    #[must_use]
    pub const fn of(position: usize) -> Self {
        if position < u16::MAX as usize { Self(position as u16) } else { Self::UNKNOWN }
    }

    /// What the label of a message says.
    #[inline]
    #[must_use]
    pub const fn of_label(label: Label) -> Self {
        if label.0 == Label::NONE.0 { Self::UNKNOWN } else { Self(label.0) }
    }

    /// The position, if it is known.
    #[inline]
    #[must_use]
    pub const fn known(self) -> Option<usize> {
        if self.0 == u16::MAX { None } else { Some(self.0 as usize) }
    }
}

/// A receiver of a shred and its position.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Branch {
    /// Who gets the shred.
    pub to: NodeId,
    /// Where it stands in the tree.
    pub at: Position,
}

impl Branch {
    /// The same for the kernel.
    #[inline]
    #[must_use]
    pub const fn receiver(&self) -> Receiver {
        let label = match self.at.known() {
            Some(at) => Label(at as u16),
            None => Label::NONE,
        };
        Receiver { to: self.to, label }
    }

    /// A receiver whose position nobody has worked out.
    #[must_use]
    pub const fn to(to: NodeId) -> Self {
        Self { to, at: Position::UNKNOWN }
    }
}
