//! Layer 0': the words that facts are stated in: kinds of messages, of values and of requests, and
//! the reasons for what did not happen. All lists are closed, and their numbers part of the digest.

use crate::base::id::NodeId;

/// What a message is about; the names in every table and report.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum MessageKind {
    /// "Here I am", and lists of peers in answer to a request.
    PeerDiscovery,
    /// Asks a peer whom it knows.
    PeerRequest,
    /// Asks whether a peer is alive.
    Ping,
    /// Says so.
    Pong,
    /// The classroom's validator registry.
    GossipValidators,
    /// New validator entries or rumors, pushed.
    GossipPush,
    /// Asks for what the sender does not know.
    GossipPullRequest,
    /// Answers a pull request.
    GossipPullResponse,
    /// Asks a peer to stop pushing an origin's values.
    GossipPrune,
    /// A payload of the rumor workload.
    Rumor,
    /// A transaction on its way to a leader.
    Transaction,
    /// A leader's announcement of a block.
    BlockProposal,
    /// A shred of a block.
    BlockChunk,
    /// Asks for a missing shred.
    RepairRequest,
    /// Answers a repair request.
    RepairResponse,
    /// A vote.
    Vote,
}

impl MessageKind {
    /// All kinds in the order of their numbers.
    pub const ALL: [Self; 16] = [
        Self::PeerDiscovery,
        Self::PeerRequest,
        Self::Ping,
        Self::Pong,
        Self::GossipValidators,
        Self::GossipPush,
        Self::GossipPullRequest,
        Self::GossipPullResponse,
        Self::GossipPrune,
        Self::Rumor,
        Self::Transaction,
        Self::BlockProposal,
        Self::BlockChunk,
        Self::RepairRequest,
        Self::RepairResponse,
        Self::Vote,
    ];

    /// The name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PeerDiscovery => "peer_discovery",
            Self::PeerRequest => "peer_request",
            Self::Ping => "ping",
            Self::Pong => "pong",
            Self::GossipValidators => "gossip_validators",
            Self::GossipPush => "gossip_push",
            Self::GossipPullRequest => "gossip_pull_request",
            Self::GossipPullResponse => "gossip_pull_response",
            Self::GossipPrune => "gossip_prune",
            Self::Rumor => "rumor",
            Self::Transaction => "transaction",
            Self::BlockProposal => "block_proposal",
            Self::BlockChunk => "block_chunk",
            Self::RepairRequest => "repair_request",
            Self::RepairResponse => "repair_response",
            Self::Vote => "vote",
        }
    }
}

/// Why a message was not delivered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum DropReason {
    /// Larger than `network.message_limit`.
    TooLarge,
    /// The sender's uplink buffer was full.
    UplinkFull,
    /// The buffer of a link with a rate of its own was full.
    LinkFull,
    /// The receiver's downlink buffer was full.
    DownlinkFull,
    /// The receiver's inbox was full.
    InboxFull,
    /// Lost by the loss model of the link.
    Loss,
    /// Lost by a loss fault.
    LossFault,
    /// The buffer of a throttle fault was full.
    Throttle,
    /// Sender and receiver were on different sides of a partition.
    Partition,
    /// The sender was mute.
    Mute,
    /// The receiver was deaf.
    Deaf,
    /// The receiver was down.
    ReceiverDown,
    /// The sender crashed before the message had left its uplink.
    SenderCrashed,
    /// Arrived damaged, and was discarded by the receiver.
    Corrupted,
}

impl DropReason {
    /// All reasons in the order of their numbers.
    pub const ALL: [Self; 14] = [
        Self::TooLarge,
        Self::UplinkFull,
        Self::LinkFull,
        Self::DownlinkFull,
        Self::InboxFull,
        Self::Loss,
        Self::LossFault,
        Self::Throttle,
        Self::Partition,
        Self::Mute,
        Self::Deaf,
        Self::ReceiverDown,
        Self::SenderCrashed,
        Self::Corrupted,
    ];

    /// The name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::UplinkFull => "uplink_full",
            Self::LinkFull => "link_full",
            Self::DownlinkFull => "downlink_full",
            Self::InboxFull => "inbox_full",
            Self::Loss => "loss",
            Self::LossFault => "loss_fault",
            Self::Throttle => "throttle",
            Self::Partition => "partition",
            Self::Mute => "mute",
            Self::Deaf => "deaf",
            Self::ReceiverDown => "receiver_down",
            Self::SenderCrashed => "sender_crashed",
            Self::Corrupted => "corrupted",
        }
    }
}

/// What a value of Solana's gossip says; the names in every table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum ValueKind {
    /// Where a node is reached.
    ContactInfo,
    /// A vote.
    Vote,
    /// Slots that a node has whole.
    EpochSlots,
    /// The lowest slot that a node has.
    LowestSlot,
    /// A payload of the rumor workload.
    Rumor,
    /// A part of the proof that a leader made two blocks for one slot.
    DuplicateShred,
}

impl ValueKind {
    /// All kinds in the order of their numbers.
    pub const ALL: [Self; 6] = [
        Self::ContactInfo,
        Self::Vote,
        Self::EpochSlots,
        Self::LowestSlot,
        Self::Rumor,
        Self::DuplicateShred,
    ];

    /// The name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ContactInfo => "contact_info",
            Self::Vote => "vote",
            Self::EpochSlots => "epoch_slots",
            Self::LowestSlot => "lowest_slot",
            Self::Rumor => "rumor",
            Self::DuplicateShred => "duplicate_shred",
        }
    }
}

/// A message as the network sees it, in a transport fact.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Transit {
    /// The sender.
    pub from: NodeId,
    /// The receiver.
    pub to: NodeId,
    /// Bytes on the wire, header included.
    pub size: u32,
    /// What it is about.
    pub kind: MessageKind,
}

/// What a repair request asks for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum RepairKind {
    /// All that is missing of a block (the classroom's style).
    Chunks,
    /// A whole block (the classroom's style).
    Block,
    /// One data shred of a slot.
    Window,
    /// The last data shred of a slot that the other has.
    Highest,
    /// The highest shreds of a slot and of its ancestors.
    Orphan,
}

impl RepairKind {
    /// All kinds in the order of their numbers.
    pub const ALL: [Self; 5] =
        [Self::Chunks, Self::Block, Self::Window, Self::Highest, Self::Orphan];
}

/// Why a repair request got no answer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum RepairRefusal {
    /// The node has nothing of what was asked for.
    Unknown,
    /// Its budget for answers was used up.
    Budget,
    /// It had looked at as many requests as it does in one go.
    Overload,
}

impl RepairRefusal {
    /// All reasons in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Unknown, Self::Budget, Self::Overload];
}

/// Why a node did not lead a slot of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Decline {
    /// Its chain had reached that slot or a later one.
    Passed,
    /// It had shreds of a block of that slot.
    HasShreds,
    /// Its own block before, upon which it would build, has not reached enough of the stake.
    Unpropagated,
    /// It is silent against the rules.
    Silent,
    /// It has lost its memory and rooted nothing since that lies after all that it may have
    /// promised before.
    NothingRooted,
}

impl Decline {
    /// All reasons in the order of their numbers.
    pub const ALL: [Self; 5] =
        [Self::Passed, Self::HasShreds, Self::Unpropagated, Self::Silent, Self::NothingRooted];

    /// The name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::HasShreds => "has_shreds",
            Self::Unpropagated => "unpropagated",
            Self::Silent => "silent",
            Self::NothingRooted => "nothing_rooted",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_and_reason_stands_at_its_number() {
        for (i, kind) in MessageKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, i);
        }
        for (i, kind) in ValueKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, i);
        }
        for (i, reason) in DropReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, i);
        }
        for (i, kind) in RepairKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, i);
        }
        for (i, reason) in RepairRefusal::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, i);
        }
    }
}
