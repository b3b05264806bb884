//! What a client asks of a node, and what it is told.

use alloc::vec::Vec;
use core::fmt;

use crate::base::bytes::Bytes;
use crate::base::codec::{Decode, Encode};
use crate::base::time::{Duration, WallTime};
use crate::causal::dot::Dot;
use crate::quorum::tally::Level;

/// One client request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub struct Request {
    pub key: Bytes,
    pub command: Command,
    pub options: Options,
}

/// What to do with the key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Command {
    Get,
    Put {
        value: Bytes,
        context: Option<Bytes>,
    },
    /// Like a put of nothing: a tombstone with a dot of its own, so that a concurrent put survives.
    Delete {
        context: Option<Bytes>,
    },
}

/// Consistency of one request. `None` takes the node's default.
///
/// Without a context (`None` in the command) a write replaces what its coordinator holds at that moment, as a plain
/// `SET` of a Redis client means it. With an empty one it replaces nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Encode, Decode)]
pub struct Options {
    /// Replicas that must answer a read.
    pub r: Option<Level>,
    /// Replicas that must have a write on their disks.
    pub w: Option<Level>,
    /// Whether stand-ins take hints for replicas that are down.
    pub sloppy: Option<bool>,
    pub timeout: Option<Duration>,
}

/// What is known of a request at its end. Exactly one for each request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Outcome {
    /// The read has its quorum. No values: the key does not exist; more than one: siblings.
    Found { values: Vec<Found>, context: Bytes },
    /// The write has its quorum, on disks. `acks` counts distinct replicas (and hints, where `any` was asked).
    Written { dot: Dot, acks: u8, context: Bytes },
    /// Nothing was applied.
    Rejected(Rejection),
    /// The write may have been applied, now or later: `acks` of `needed` replicas are known to have it.
    Unknown { acks: u8, needed: u8 },
}

/// One value that was read.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub struct Found {
    pub value: Bytes,
    pub stamp: WallTime,
    pub dot: Dot,
}

/// Why nothing was applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Rejection {
    /// The node knows no layout yet: the cluster is forming.
    Forming,
    /// Too few replicas of the key are reachable.
    Unavailable {
        usable: u8,
        needed: u8,
    },
    /// The read did not get its answers in time.
    Timeout {
        answers: u8,
        needed: u8,
    },
    /// The level cannot be met by any set of replicas.
    Impossible {
        level: Level,
        n: u8,
    },
    KeyLength {
        max: u32,
    },
    ValueLength {
        max: u32,
    },
    /// The context is damaged, forged, or of another key or cluster.
    Context,
    /// The key has as many siblings as it may have: read it and write with its context.
    Siblings {
        max: u32,
    },
    /// Too much work is waiting here. Try later, or another node.
    Overloaded,
    /// The coordinator's own copy of the key is damaged.
    Damaged,
    /// The node is stopping.
    Stopping,
    /// The coordinator's disk is full. It still serves reads, and takes writes again when there is space.
    DiskFull,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rejection::Forming => f.write_str("the cluster is still forming"),
            Rejection::Unavailable { usable, needed } => {
                write!(f, "{needed} replicas needed, {usable} reachable")
            }
            Rejection::Timeout { answers, needed } => {
                write!(f, "{needed} answers needed, {answers} came in time")
            }
            Rejection::Impossible { level, n } => write!(f, "level {level} is impossible with {n} replicas"),
            Rejection::KeyLength { max } => write!(f, "a key has 1 to {max} bytes"),
            Rejection::ValueLength { max } => write!(f, "a value has at most {max} bytes"),
            Rejection::Context => f.write_str("the context is not one of this key and cluster"),
            Rejection::Siblings { max } => {
                write!(f, "the key has {max} siblings, read it and write with its context")
            }
            Rejection::Overloaded => f.write_str("too much work is waiting, try later"),
            Rejection::Damaged => f.write_str("the copy of this key here is damaged"),
            Rejection::Stopping => f.write_str("the node is stopping"),
            Rejection::DiskFull => {
                f.write_str("the disk of this node is full, it takes no writes until there is space")
            }
        }
    }
}
