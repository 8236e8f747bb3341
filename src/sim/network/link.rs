//! Kernel layer: what a directed link does to a message: latency, jitter, loss, duplication,
//! corruption. Links are described by profiles of pairs of node classes, so that a cluster of any
//! size needs no table of node pairs; a sparse table adds links of their own.

use super::loss::Loss;
use crate::base::distribution::Distribution;
use crate::base::id::{NodeId, NodeMap};
use crate::base::quantity::Chance;
use crate::base::time::{Span, Time};
use crate::fact::{MessageKind, Transit};

/// A message at the moment a link takes it.
#[derive(Clone, Copy, Debug)]
pub struct Passage {
    /// When.
    pub at: Time,
    /// The sender.
    pub from: NodeId,
    /// The receiver.
    pub to: NodeId,
    /// What it is about.
    pub kind: MessageKind,
    /// Bytes on the wire.
    pub size: u32,
    /// Tells it from others of its kind between the same nodes.
    pub serial: u64,
    /// Depends on the content alone.
    pub content: u64,
}

impl Passage {
    /// What facts say of it.
    #[inline]
    #[must_use]
    pub const fn transit(&self) -> Transit {
        Transit { from: self.from, to: self.to, size: self.size, kind: self.kind }
    }
}

/// One-way latency of a link, without jitter.
#[derive(Clone, Debug)]
pub enum Latency {
    /// The same for every link.
    Constant(Span),
    /// Drawn once for each directed link.
    PerLink(Distribution),
    /// Drawn for each message.
    PerMessage(Distribution),
    /// A model of one's own: a pure function of the passage.
    Function(fn(&Passage) -> Span),
}

/// Everything a link does to a message.
#[derive(Clone, Debug)]
pub struct Profile {
    /// One-way latency.
    pub latency: Latency,
    /// Added to the latency, drawn for each message.
    pub jitter: Option<Distribution>,
    /// Loss of messages.
    pub loss: Loss,
    /// Probability of a second copy, with a jitter of its own.
    pub duplicate: Chance,
    /// Probability that a message arrives damaged.
    pub corrupt: Chance,
    /// Whether messages arrive in the order they were handed over.
    pub in_order: bool,
}

impl Profile {
    /// A link that only takes time.
    #[must_use]
    pub const fn plain(latency: Latency) -> Self {
        Self {
            latency,
            jitter: None,
            loss: Loss::None,
            duplicate: Chance::NEVER,
            corrupt: Chance::NEVER,
            in_order: false,
        }
    }

    /// How long a message typically takes: means of latency and jitter. Zero for a latency that is
    /// a function of the message.
    fn typical(&self) -> Span {
        let base = match &self.latency {
            Latency::Constant(span) => *span,
            Latency::PerLink(drawn) | Latency::PerMessage(drawn) => drawn.mean(),
            Latency::Function(_) => Span::ZERO,
        };
        base.saturating_add(self.jitter.as_ref().map_or(Span::ZERO, Distribution::mean))
    }
}

/// The profile of every directed pair of nodes.
#[derive(Clone, Debug)]
pub struct LinkTable {
    class_of: NodeMap<u16>,
    classes: usize,
    profile_of: Vec<u32>,
    profiles: Vec<Profile>,
}

impl LinkTable {
    /// One profile for all pairs of `nodes` nodes.
    #[must_use]
    pub fn uniform(nodes: usize, profile: Profile) -> Self {
        Self {
            class_of: NodeMap::filled(nodes, 0),
            classes: 1,
            profile_of: vec![0],
            profiles: vec![profile],
        }
    }

    /// A profile for every pair of node classes: `profile_of[from * classes + to]` is a place in
    /// `profiles`.
    ///
    /// # Panics
    /// If the table is not square over the classes in use or names a missing profile.
    #[must_use]
    pub fn of_classes(
        class_of: NodeMap<u16>,
        profile_of: Vec<u32>,
        profiles: Vec<Profile>,
    ) -> Self {
        let classes = profile_of.len().isqrt();
        assert_eq!(classes * classes, profile_of.len(), "the table of classes is square");
        assert!(class_of.values().all(|&class| usize::from(class) < classes), "classes exist");
        assert!(
            profile_of.iter().all(|&place| (place as usize) < profiles.len()),
            "profiles exist"
        );
        Self { class_of, classes, profile_of, profiles }
    }

    /// All profiles.
    #[must_use]
    pub fn profiles(&self) -> &[Profile] {
        &self.profiles
    }

    /// How long a message typically takes from one node to another: see [`Profile::typical`].
    pub fn typical(&self) -> impl Fn(NodeId, NodeId) -> Span + '_ {
        let of_profile: Vec<Span> = self.profiles.iter().map(Profile::typical).collect();
        move |from, to| of_profile[self.place(from, to)]
    }

    /// The profile of a directed pair.
    #[inline(always)]
    #[must_use]
    pub fn profile(&self, from: NodeId, to: NodeId) -> &Profile {
        &self.profiles[self.place(from, to)]
    }

    #[inline(always)]
    fn place(&self, from: NodeId, to: NodeId) -> usize {
        let row = usize::from(self.class_of[from]) * self.classes;
        self.profile_of[row + usize::from(self.class_of[to])] as usize
    }
}
