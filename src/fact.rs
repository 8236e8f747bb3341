//! Layer 0': the closed list of things worth observing, and who may listen.
//!
//! The kernel states transport facts, protocols state the rest. Metrics and checkers listen; they
//! return nothing and hold no reference to a simulation, so they cannot steer it.

use crate::base::flight::FlightCode;
use crate::base::id::NodeId;
use crate::base::slot::Slot;
use crate::base::time::Time;

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
}

impl ValueKind {
    /// All kinds in the order of their numbers.
    pub const ALL: [Self; 5] =
        [Self::ContactInfo, Self::Vote, Self::EpochSlots, Self::LowestSlot, Self::Rumor];

    /// The name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ContactInfo => "contact_info",
            Self::Vote => "vote",
            Self::EpochSlots => "epoch_slots",
            Self::LowestSlot => "lowest_slot",
            Self::Rumor => "rumor",
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

/// Something that happened and is worth observing. Times are told beside it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fact {
    /// A node handed a message to its network.
    Sent(Transit),
    /// The network made a second copy of a message.
    Duplicated(Transit),
    /// A message reached its receiver's protocol.
    Delivered {
        /// The message.
        message: Transit,
        /// Time from hand-over to delivery, all queues included.
        flight: FlightCode,
    },
    /// A message ended undelivered.
    Dropped {
        /// The message.
        message: Transit,
        /// Why.
        reason: DropReason,
    },
    /// A node started, or came back.
    NodeUp {
        /// The node.
        node: NodeId,
    },
    /// A node crashed or left.
    NodeDown {
        /// The node.
        node: NodeId,
        /// Whether it forgets everything but its identity.
        forgets: bool,
    },
    /// A fault of the scenario began.
    FaultBegan {
        /// Its place in the plan.
        fault: u32,
    },
    /// A fault of the scenario ended.
    FaultEnded {
        /// Its place in the plan.
        fault: u32,
    },
    /// A node took another into its peers.
    PeerAdded {
        /// Whose peers.
        node: NodeId,
        /// The new one.
        peer: NodeId,
    },
    /// A node gave up on a peer that no longer answered.
    PeerDropped {
        /// Whose peers.
        node: NodeId,
        /// The one that fell silent.
        peer: NodeId,
    },
    /// A validator published a new version of its registry entry.
    Published {
        /// The validator.
        node: NodeId,
        /// The version, from 1.
        version: u32,
    },
    /// A node learned of a validator, or of a newer version of its entry.
    Learned {
        /// Who learned.
        node: NodeId,
        /// About whom.
        about: NodeId,
        /// Which version.
        version: u32,
        /// From whom.
        from: NodeId,
    },
    /// The workload had something for a node that was down, whose inbox was full, or that did not
    /// get to it before it crashed or the run was over.
    InputMissed {
        /// The node.
        node: NodeId,
    },
    /// The rumor workload gave a node something to spread.
    RumorInjected {
        /// Where.
        node: NodeId,
        /// The rumor's number.
        rumor: u32,
        /// Payload bytes.
        size: u32,
        /// Nodes it is meant for, the origin not counted.
        audience: u32,
        /// Whether it is meant for its receiver alone, even where there is no other node.
        direct: bool,
    },
    /// A rumor reached a node.
    RumorReceived {
        /// Who received it.
        node: NodeId,
        /// The rumor's number.
        rumor: u32,
        /// From whom.
        from: NodeId,
        /// Links travelled since the injection.
        hops: u16,
        /// Whether the node did not have it yet.
        first: bool,
    },
    /// A node made a new value of Solana's gossip.
    ValuePublished {
        /// Which node.
        node: NodeId,
        /// The value's number, from zero in the order of the run; after 2^32 they begin again.
        value: u32,
        /// Its kind.
        kind: ValueKind,
        /// Counts the values of this origin, kind and index.
        version: u32,
        /// Bytes of the value.
        size: u32,
    },
    /// A value of Solana's gossip reached a node: every push of it, and a pull that brought it
    /// first.
    ValueReceived {
        /// Who received it.
        node: NodeId,
        /// The value's number.
        value: u32,
        /// From whom.
        from: NodeId,
        /// Links travelled; 63 stands for any more.
        hops: u8,
        /// Whether it was pushed; pulled otherwise.
        pushed: bool,
        /// Whether the node did not have it, or a later one in its place.
        first: bool,
    },
    /// A node asked a peer to push it no more values of some origins.
    PruneSent {
        /// Who asked.
        node: NodeId,
        /// Whom.
        peer: NodeId,
        /// How many origins.
        origins: u32,
    },
    /// A leader made a block.
    BlockMade {
        /// The leader.
        node: NodeId,
        /// The slot.
        slot: Slot,
        /// The first 64 bits of the block's hash.
        block: u64,
        /// The same of the block it stands on.
        parent: u64,
        /// Blocks from genesis to it.
        height: u32,
    },
    /// The size of the block that was just made.
    BlockSize {
        /// The block.
        block: u64,
        /// Bytes, serialised.
        bytes: u32,
        /// Data shreds.
        data: u32,
        /// Coding shreds.
        coding: u32,
        /// Transactions in it.
        transactions: u32,
    },
    /// A node could have led a slot and did not.
    LeadDeclined {
        /// The node.
        node: NodeId,
        /// The slot.
        slot: Slot,
        /// Why.
        reason: Decline,
    },
    /// The first shred of a block reached a node.
    BlockFirstShred {
        /// The node.
        node: NodeId,
        /// The slot.
        slot: Slot,
        /// The block.
        block: u64,
    },
    /// A node can put a block together.
    BlockWhole {
        /// The node.
        node: NodeId,
        /// The slot.
        slot: Slot,
        /// The block.
        block: u64,
        /// When its first shred came.
        first: Time,
    },
    /// Shreds of a block that a node has at the moment: when it is whole, or is given up. Stated
    /// right after the fact that says so.
    ShredsCounted {
        /// The node.
        node: NodeId,
        /// The block.
        block: u64,
        /// From the leader or down a tree, for the first time.
        turbine: u32,
        /// Worked out from others of their set.
        recovered: u32,
        /// As the answer to a repair request, for the first time.
        repaired: u32,
        /// Again, in whatever way.
        duplicate: u32,
    },
    /// A node gave an incomplete block up.
    BlockExpired {
        /// The node.
        node: NodeId,
        /// The slot.
        slot: Slot,
        /// The block.
        block: u64,
    },
    /// A node decoded a FEC set from the bytes of its shreds and got others than the leader had
    /// coded, and so refuses the block: an error of the program, whatever the scenario.
    BlockMiscoded {
        /// The node.
        node: NodeId,
        /// The slot.
        slot: Slot,
        /// The block.
        block: u64,
        /// The set.
        set: u16,
    },
    /// A node builds on another block now.
    HeadChanged {
        /// The node.
        node: NodeId,
        /// The new head.
        block: u64,
        /// Blocks from genesis to it.
        height: u32,
        /// How many blocks of its former chain it left; zero if the new head stands on the old.
        reorganised: u32,
    },
    /// A node asked a peer for something that it lacks.
    RepairRequested {
        /// The node.
        node: NodeId,
        /// The slot; `None` if it only knows the block's name.
        slot: Option<Slot>,
        /// What it asked for.
        kind: RepairKind,
        /// How many shreds it named.
        shreds: u32,
    },
    /// A node answered a repair request.
    RepairServed {
        /// The node that answered.
        node: NodeId,
        /// Shreds in the answer.
        shreds: u32,
        /// Their payload bytes.
        bytes: u32,
    },
    /// A node left a repair request without an answer.
    RepairRefused {
        /// The node that was asked.
        node: NodeId,
        /// Why.
        reason: Refusal,
    },
    /// A shred reached a node in answer to a repair request.
    RepairAnswered {
        /// The node that had asked.
        node: NodeId,
        /// Whether it did not have the shred yet.
        fresh: bool,
    },
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
pub enum Refusal {
    /// The node has nothing of what was asked for.
    Unknown,
    /// Its budget for answers was used up.
    Budget,
    /// It had looked at as many requests as it does in one go.
    Overload,
}

impl Refusal {
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
}

impl Decline {
    /// All reasons in the order of their numbers.
    pub const ALL: [Self; 2] = [Self::Passed, Self::HasShreds];

    /// The name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::HasShreds => "has_shreds",
        }
    }
}

impl Fact {
    /// The fact as canonical words for the digest, or `None` for facts that stand outside it: the
    /// kernel records message outcomes itself, and begin and end of faults and nodes follow from
    /// the plan.
    #[must_use]
    pub fn canonical(&self) -> Option<[u64; 3]> {
        let pair = |a: NodeId, b: NodeId| u64::from(a.number()) << 32 | u64::from(b.number());
        let of_slot =
            |node: NodeId, slot: Slot| u64::from(node.number()) << 32 | u64::from(slot.number());
        let tagged = |tag: u64, value: u32| tag << 56 | u64::from(value);
        Some(match *self {
            Self::PeerAdded { node, peer } => [pair(node, peer), tagged(0xA1, 0), 0],
            Self::PeerDropped { node, peer } => [pair(node, peer), tagged(0xA2, 0), 0],
            Self::Published { node, version } => [pair(node, node), tagged(0xA3, version), 0],
            Self::Learned { node, about, version, from } => {
                [pair(node, about), tagged(0xA4, version), from.number().into()]
            }
            Self::RumorInjected { node, rumor, size, .. } => {
                [pair(node, node), tagged(0xA5, rumor), size.into()]
            }
            // Later copies are message outcomes already.
            Self::RumorReceived { node, rumor, from, hops, first: true } => {
                [pair(node, from), tagged(0xA6, rumor), hops.into()]
            }
            // Values are message outcomes once they are sent, and nobody's business before.
            Self::PruneSent { node, peer, origins } => [pair(node, peer), tagged(0xC0, origins), 0],
            Self::BlockMade { node, slot, block, height, .. } => {
                [of_slot(node, slot), tagged(0xB1, height), block]
            }
            Self::BlockFirstShred { node, slot, block } => {
                [of_slot(node, slot), tagged(0xB2, 0), block]
            }
            Self::BlockWhole { node, slot, block, .. } => {
                [of_slot(node, slot), tagged(0xB3, 0), block]
            }
            Self::LeadDeclined { node, slot, reason } => {
                [of_slot(node, slot), tagged(0xB4, reason as u32), 0]
            }
            Self::BlockExpired { node, slot, block } => {
                [of_slot(node, slot), tagged(0xB5, 0), block]
            }
            Self::BlockMiscoded { node, slot, block, set } => {
                [of_slot(node, slot), tagged(0xB9, set.into()), block]
            }
            Self::HeadChanged { node, block, height, .. } => {
                [pair(node, node), tagged(0xB6, height), block]
            }
            Self::ShredsCounted { node, turbine, recovered, repaired, .. } => {
                let others = u64::from(recovered) << 32 | u64::from(repaired);
                [pair(node, node), tagged(0xB7, turbine), others]
            }
            Self::RepairRequested { node, slot, kind, shreds } => {
                let slot = slot.map_or(u64::from(u32::MAX), |slot| slot.number().into());
                let what = slot << 8 | u64::from(kind as u8);
                [pair(node, node), tagged(0xD0, shreds), what]
            }
            Self::RepairServed { node, shreds, bytes } => {
                [pair(node, node), tagged(0xD1, shreds), bytes.into()]
            }
            Self::RepairRefused { node, reason } => {
                [pair(node, node), tagged(0xD2, reason as u32), 0]
            }
            // Repair answers that arrive are message outcomes already.
            _ => return None,
        })
    }
}

/// What one node says of itself when it is asked at a sample.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Status {
    /// Peers it knows.
    pub peers: u32,
    /// Validators it knows, itself included.
    pub validators: u32,
    /// Rumors it has.
    pub rumors: u32,
    /// The slot of the block it builds on; zero on the genesis block.
    pub slot: u32,
    /// Blocks from genesis to that block.
    pub height: u32,
    /// Blocks of which it has some shreds, but not enough.
    pub partial_blocks: u32,
    /// Transactions that wait to be put into a block.
    pub mempool: u32,
    /// Newcomers that it refused because it had as many peers as it may.
    pub refused: u32,
    /// Dropped peers that it gave up for good because it was trying enough others again.
    pub forgotten: u32,
}

/// The state of the simulated world at a sample.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct World {
    /// Events still to come.
    pub pending: u64,
    /// Messages between hand-over and outcome.
    pub in_flight: u64,
    /// Their bytes.
    pub in_flight_bytes: u64,
    /// Nodes that are up.
    pub up: u32,
    /// Partitions in force.
    pub partitions: u32,
    /// Faults in force, partitions included.
    pub faults: u32,
}

/// Read-only questions to all nodes of the cluster at a sample.
pub trait Census {
    /// What a node says of itself; `None` while it is down.
    fn status(&self, node: NodeId) -> Option<Status>;
    /// Calls `each` for every peer of a node, in increasing order.
    fn peers(&self, node: NodeId, each: &mut dyn FnMut(NodeId));
}

/// Listens to a simulation and cannot steer it.
pub trait Observer {
    /// Something happened at `at`.
    fn on_fact(&mut self, at: Time, fact: &Fact);
    /// When the observer wants to look at the world next; asked again after every sample.
    fn next_sample(&self) -> Option<Time>;
    /// The world at that moment: all boundaries of the instant are crossed, no event of it has
    /// happened.
    fn on_sample(&mut self, at: Time, world: &World, census: &dyn Census);
}

/// Listens to nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Deaf;

impl Observer for Deaf {
    fn on_fact(&mut self, _: Time, _: &Fact) {}
    fn next_sample(&self) -> Option<Time> {
        None
    }
    fn on_sample(&mut self, _: Time, _: &World, _: &dyn Census) {}
}

/// Two listeners, one after the other.
#[derive(Clone, Copy, Debug, Default)]
pub struct Both<A, B>(pub A, pub B);

impl<A: Observer, B: Observer> Observer for Both<A, B> {
    #[inline]
    fn on_fact(&mut self, at: Time, fact: &Fact) {
        self.0.on_fact(at, fact);
        self.1.on_fact(at, fact);
    }
    fn next_sample(&self) -> Option<Time> {
        let (first, second) = (self.0.next_sample(), self.1.next_sample());
        first.into_iter().chain(second).min()
    }
    fn on_sample(&mut self, at: Time, world: &World, census: &dyn Census) {
        // Each looks only when it asked to.
        if self.0.next_sample() == Some(at) {
            self.0.on_sample(at, world, census);
        }
        if self.1.next_sample() == Some(at) {
            self.1.on_sample(at, world, census);
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
        for (i, reason) in Refusal::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, i);
        }
    }
}
