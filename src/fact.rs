//! Layer 0': the closed list of things worth observing, and who may listen.
//!
//! The kernel states transport facts, protocols state the rest. Metrics and checkers listen; they
//! return nothing and hold no reference to a simulation, so they cannot steer it.

mod adversary;
mod consensus;
mod kind;
mod ledger;
mod listen;

pub use self::adversary::{Lie, Offence, SPAM};
pub use self::consensus::{Abstention, Level};
pub use self::kind::{
    Decline, DropReason, MessageKind, RepairKind, RepairRefusal, Transit, ValueKind,
};
pub use self::listen::{Both, Census, Deaf, Observer, Status, World};
use crate::base::flight::FlightCode;
use crate::base::id::NodeId;
use crate::base::slot::Slot;
use crate::base::time::Time;

pub use self::ledger::{Audit, Flaw, Loss, Refusal, Step};

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
    /// The workload had a rumor for a node that was down, whose inbox was full, or that did not
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
    /// What an audit of a block found, from its bytes and the balances before and after it: done
    /// once, when it is made, as everybody who has it has the same.
    BlockAudited {
        /// Who made it.
        node: NodeId,
        /// The block.
        block: u64,
        /// The findings.
        audit: Audit,
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
        /// Most links that any of them travelled down a tree, from the leader on.
        hops: u8,
    },
    /// A leader has sent all shreds of its block.
    BlockSent {
        /// The leader.
        node: NodeId,
        /// The block.
        block: u64,
        /// Messages with shreds.
        messages: u32,
        /// Their payload bytes.
        bytes: u64,
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
        reason: RepairRefusal,
    },
    /// A shred reached a node in answer to a repair request.
    RepairAnswered {
        /// The node that had asked.
        node: NodeId,
        /// Whether it did not have the shred yet.
        fresh: bool,
    },
    /// A node refused a whole block.
    BlockRefused {
        /// The node.
        node: NodeId,
        /// The slot.
        slot: Slot,
        /// The block.
        block: u64,
        /// Why.
        reason: Flaw,
    },
    /// Something happened to a transaction at a node.
    Transaction {
        /// The node.
        node: NodeId,
        /// The transaction's number: 0, 1, 2 ... in the order of the workload.
        transaction: u32,
        /// What.
        step: Step,
    },
    /// A validator voted.
    VoteCast {
        /// Who.
        node: NodeId,
        /// The slot of the block.
        slot: Slot,
        /// The block.
        block: u64,
        /// Whether it left the fork of its last vote.
        switched: bool,
    },
    /// A validator did not vote for a block that it considered; stated once per block and reason.
    VoteWithheld {
        /// Who.
        node: NodeId,
        /// The slot of the block.
        slot: Slot,
        /// The block.
        block: u64,
        /// Why not.
        reason: Abstention,
    },
    /// A leader put a vote into the block that it just made.
    VoteLanded {
        /// The block.
        block: u64,
        /// Whose vote.
        voter: NodeId,
        /// The slot voted for.
        slot: Slot,
        /// Slots from there to the block.
        delay: u32,
    },
    /// A validator has a new root: it will never leave this block.
    Rooted {
        /// Who.
        node: NodeId,
        /// The slot of the block.
        slot: Slot,
        /// The block.
        block: u64,
    },
    /// A block has reached a level of confirmation in a node's eyes.
    BlockConfirmed {
        /// The node.
        node: NodeId,
        /// The slot.
        slot: Slot,
        /// The block.
        block: u64,
        /// Which level.
        level: Level,
    },
    /// A node holds shreds of two blocks that one leader made for the same slot.
    EquivocationProven {
        /// The node.
        node: NodeId,
        /// The slot.
        slot: Slot,
        /// The leader.
        leader: NodeId,
    },
    /// An adversary of the scenario did what it is there for.
    Lied {
        /// Which node.
        node: NodeId,
        /// The adversary's place in the plan.
        adversary: u32,
        /// What it did.
        lie: Lie,
        /// How often, all at once.
        count: u32,
    },
    /// A node caught another at something that the rules forbid.
    OffenceNoticed {
        /// Who noticed.
        node: NodeId,
        /// Who did it.
        culprit: NodeId,
        /// What.
        offence: Offence,
    },
    /// A node with a transaction to send on worked out who leads a coming slot.
    LeaderPredicted {
        /// The node.
        node: NodeId,
        /// The slot.
        slot: Slot,
        /// Its leader, in this node's eyes.
        leader: NodeId,
    },
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
            // What a liar does is a record already.
            Self::LeadDeclined { reason: Decline::Silent, .. } => return None,
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
            Self::BlockRefused { node, slot, block, reason } => {
                [of_slot(node, slot), tagged(0xB8, reason as u32), block]
            }
            Self::Transaction { node, transaction, step } => {
                let (tag, what) = step.canonical()?;
                [pair(node, node), tagged(tag, transaction), what]
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
            _ => return self.canonical_vote(),
        })
    }

    /// The same of facts about votes and those who lie.
    fn canonical_vote(&self) -> Option<[u64; 3]> {
        let pair = |a: NodeId, b: NodeId| u64::from(a.number()) << 32 | u64::from(b.number());
        let of_slot =
            |node: NodeId, slot: Slot| u64::from(node.number()) << 32 | u64::from(slot.number());
        let tagged = |tag: u64, value: u32| tag << 56 | u64::from(value);
        Some(match *self {
            Self::VoteCast { node, slot, block, switched } => {
                [of_slot(node, slot), tagged(0xF0, switched.into()), block]
            }
            Self::VoteWithheld { node, slot, block, reason } => {
                [of_slot(node, slot), tagged(0xF1, reason as u32), block]
            }
            Self::VoteLanded { block, voter, slot, .. } => {
                [of_slot(voter, slot), tagged(0xF2, 0), block]
            }
            Self::Rooted { node, slot, block } => [of_slot(node, slot), tagged(0xF3, 0), block],
            Self::BlockConfirmed { node, slot, block, level } => {
                [of_slot(node, slot), tagged(0xF4, level as u32), block]
            }
            Self::EquivocationProven { node, slot, leader } => {
                [of_slot(node, slot), tagged(0xF5, 0), leader.number().into()]
            }
            Self::Lied { node, adversary, lie, count } => {
                let what = u64::from(count) << 8 | u64::from(lie as u8);
                [pair(node, node), tagged(0xFA, adversary), what]
            }
            Self::OffenceNoticed { node, culprit, offence } => {
                [pair(node, culprit), tagged(0xFB, offence as u32), 0]
            }
            // Repair answers that arrive are message outcomes already, and what an audit finds
            // follows from the block.
            _ => return None,
        })
    }
}
