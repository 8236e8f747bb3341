//! Protocol layer: the settings of Turbine, block propagation in shreds.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::tree::{self, Tree};
use crate::base::quantity::Bytes;
use crate::base::time::Span;
use crate::protocol::block::{Cut, Erasure};
use crate::protocol::blockstore::Limits;
use crate::protocol::setting::SettingError;

/// In which order shreds leave a node that has several receivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// A shred goes to all its receivers before the next one.
    #[default]
    ChunkMajor,
    /// The first receiver of each shred is served at once, the others one after the other when the
    /// block is whole; the leader serves receiver after receiver.
    ChildMajor,
    /// Nothing is passed on before the block is whole, and then receiver after receiver: store and
    /// forward of whole blocks.
    WholeBlock,
}

/// When the leader sends the shreds of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Emission {
    /// All at once: when the block is made, or with slots.start = "poh" at the end of the slot, as
    /// a block is not finished before its last tick.
    #[default]
    AtOnce,
    /// Each FEC set when its share of the slot has passed: set i of S after (i + 1) / S of it.
    BySet,
    /// Each shred at its share of the slot: shred i of S after i / S of it.
    ByShred,
}

/// Counts of an erasure code, written "DATA:CODING"; "none" for no coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// No coding shreds: every data shred is needed.
    None,
    /// Any `data` shreds of a set decode it.
    Sets {
        /// Data shreds of a set.
        data: u16,
        /// Coding shreds of a set.
        coding: u16,
    },
}

/// Turbine: how a block is cut into shreds and how these reach everybody (`[turbine]`).
// No deny_unknown_fields: serde cannot combine it with flatten; the reader refuses unknown keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(extend("additionalProperties" = false))]
pub struct Config {
    /// Who sends each shred to whom.
    #[serde(flatten)]
    pub trees: tree::Config,
    /// Bytes of the block in one data shred.
    pub chunk_size: Bytes,
    /// The same in the last FEC set, if there is less room in it (Solana: 899 B in place of 963);
    /// without it as in all others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_chunk_size: Option<Bytes>,
    /// Bytes of a data shred beside its part of the block.
    pub data_overhead: Bytes,
    /// Bytes of a coding shred beside those of a chunk.
    pub coding_overhead: Bytes,
    /// Erasure coding, data and coding shreds of a FEC set: "32:32", for instance; "none" for none.
    pub coding: Coding,
    /// Whether the bytes of shreds exist. A run is the same either way, but takes longer with
    /// "real", and the blocks that nodes keep take memory, at most 1 GiB.
    pub erasure: Erasure,
    /// In which order shreds leave a node.
    pub order: Order,
    /// When the leader sends them.
    pub emission: Emission,
    /// Whether a node passes shreds on; if not, only the leader sends.
    pub forward_received: bool,
    /// Whether shreds that decoding gave are passed on like received ones.
    pub forward_recovered: bool,
    /// Whether the leader announces each block (slot, hash, parent, number of shreds) to all its
    /// peers ahead of the shreds.
    pub proposals: bool,
    /// Whether the leader sends every shred also to the leader four slots later (Agave 4.4).
    pub next_leader: bool,
    /// Most incomplete blocks of a node at a time; beyond it the oldest is given up.
    #[schemars(range(min = 1, max = 65_536))]
    pub partial_blocks: u32,
    /// How long after its first shred an incomplete block is given up.
    pub expiry: Span,
    /// How many whole blocks a node keeps for others to ask for.
    #[schemars(range(min = 1, max = 65_536))]
    pub history: u32,
    /// Whether trees, which are the same for all nodes, are worked out once and shared; switching
    /// it off changes nothing but the time a run takes.
    pub memo: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            trees: tree::Config::default(),
            chunk_size: Bytes(1_024),
            last_chunk_size: None,
            data_overhead: Bytes(0),
            coding_overhead: Bytes(0),
            coding: Coding::None,
            erasure: Erasure::default(),
            order: Order::default(),
            emission: Emission::default(),
            forward_received: true,
            forward_recovered: true,
            proposals: false,
            next_leader: false,
            partial_blocks: 64,
            expiry: Span::from_secs(30),
            history: 512,
            memo: true,
        }
    }
}

/// Data shreds of a set where there is no coding: sets are what repair thinks in (Agave: 32).
const UNCODED_SET: u16 = 32;

/// Most shreds of a set: Reed-Solomon codes over bytes have no more than 256 symbols.
const WIDEST_SET: u16 = 256;

/// Largest chunk: a shred that takes longer would be no shred.
const LARGEST_CHUNK: u64 = 1 << 30;

impl Config {
    /// How blocks are cut.
    #[must_use]
    pub fn cut(&self) -> Cut {
        let bytes = |bytes: Bytes| u32::try_from(bytes.0).unwrap_or(u32::MAX);
        let (set_data, set_coding) = match self.coding {
            Coding::None => (UNCODED_SET, 0),
            Coding::Sets { data, coding } => (data, coding),
        };
        Cut {
            chunk: bytes(self.chunk_size),
            last_chunk: bytes(self.last_chunk_size.unwrap_or(self.chunk_size)),
            set_data,
            set_coding,
            data_overhead: bytes(self.data_overhead),
            coding_overhead: bytes(self.coding_overhead),
        }
    }

    /// The limits of a node's block store.
    #[must_use]
    pub const fn limits(&self) -> Limits {
        Limits {
            partial: self.partial_blocks as usize,
            expiry: self.expiry,
            history: self.history as usize,
        }
    }

    /// Checks what can be checked without knowing the network.
    ///
    /// # Errors
    /// If a chunk is empty or absurdly large, or a FEC set impossible.
    pub fn check(&self) -> Result<(), SettingError> {
        let refuse = |field, message| Err(SettingError { field, message });
        self.trees.check()?;
        let last = self.last_chunk_size.unwrap_or(self.chunk_size);
        for (field, size) in [("chunk_size", self.chunk_size), ("last_chunk_size", last)] {
            if size.0 == 0 || size.0 > LARGEST_CHUNK {
                let most = Bytes(LARGEST_CHUNK);
                return refuse(
                    field,
                    format!("{size} is no size of a chunk; expected 1B to {most}"),
                );
            }
        }
        if last > self.chunk_size {
            let most = self.chunk_size;
            let message = format!("{last} is more than chunk_size, {most}");
            return refuse("last_chunk_size", message);
        }
        for (field, size) in
            [("data_overhead", self.data_overhead), ("coding_overhead", self.coding_overhead)]
        {
            if size.0 > LARGEST_CHUNK {
                let most = Bytes(LARGEST_CHUNK);
                return refuse(field, format!("{size} is too large; expected at most {most}"));
            }
        }
        self.check_order()?;
        if self.expiry.is_zero() {
            return refuse("expiry", "0s is too short; expected more than 0s".into());
        }
        if self.partial_blocks == 0 {
            return refuse("partial_blocks", "0 is too few; expected at least 1".into());
        }
        self.check_coding()
    }

    /// With a tree of its own for every shred, a node that waits for the whole block waits for
    /// shreds that others hold back for the same reason; unless coding gives it the rest of what
    /// comes at once.
    fn check_order(&self) -> Result<(), SettingError> {
        let one_tree = matches!(self.trees.tree, Tree::Star | Tree::Kary);
        let coded = self.coding != Coding::None && self.trees.tree != Tree::Relay;
        let fits = match self.order {
            Order::ChunkMajor => true,
            Order::ChildMajor => one_tree || coded,
            Order::WholeBlock => one_tree,
        };
        if fits {
            return Ok(());
        }
        let message = "nodes would wait for each other for ever; expected tree = \"kary\" or \
                       \"star\", or order = \"chunk-major\"";
        Err(SettingError { field: "order", message: message.into() })
    }

    fn check_coding(&self) -> Result<(), SettingError> {
        let Coding::Sets { data, coding } = self.coding else { return Ok(()) };
        let message = if data == 0 {
            "a FEC set needs at least 1 data shred".into()
        } else if coding == 0 {
            "0 coding shreds are no coding; expected coding = \"none\" or at least 1".into()
        } else if data.saturating_add(coding) > WIDEST_SET {
            too_wide(data.into(), coding.into())
        } else {
            return Ok(());
        };
        Err(SettingError { field: "coding", message })
    }
}

/// The sentence about a set with more shreds than a code has symbols.
fn too_wide(data: u32, coding: u32) -> String {
    format!(
        "a FEC set of {data} + {coding} shreds is too large; the limit is {WIDEST_SET}, the \
         symbols of a Reed-Solomon code over bytes"
    )
}

impl fmt::Display for Coding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Sets { data, coding } => write!(f, "{data}:{coding}"),
        }
    }
}

impl std::str::FromStr for Coding {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self::None);
        }
        let counts = text.split_once(':').and_then(|(data, coding)| {
            Some((data.trim().parse().ok()?, coding.trim().parse().ok()?))
        });
        let (data, coding): (u32, u32) = counts.ok_or_else(|| {
            format!("{text:?} is no coding; expected \"none\" or counts such as \"32:32\"")
        })?;
        match (u16::try_from(data), u16::try_from(coding)) {
            (Ok(data), Ok(coding)) => Ok(Self::Sets { data, coding }),
            _ => Err(too_wide(data, coding)),
        }
    }
}

impl Serialize for Coding {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Coding {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Coding {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Coding".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "format": "coding",
            "pattern": r"^(none|[0-9]+ *: *[0-9]+)$",
            "examples": ["32:32", "none"],
        })
    }
}
