//! What a client asks of a node, and what it is told.

use alloc::vec::Vec;
use core::fmt;

use crate::base::bytes::Bytes;
use crate::base::codec::{Decode, Encode};
use crate::base::few::Few;
use crate::base::id::RequestId;
use crate::base::time::WallTime;
use crate::causal::dot::Dot;
use crate::causal::types::edit::{Edit, EditError};
use crate::causal::types::part::Holds;
use crate::causal::types::view::View;
use crate::quorum::need::{Knob, Shortfall};
use crate::quorum::tally::Impossible;

pub use crate::node::consistency::Options;

/// One client request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub struct Request {
    pub key: Bytes,
    pub command: Command,
    pub options: Options,
    /// The client's name for a write. Whoever gets it a second time, from the same client or another coordinator, does
    /// not write again, as long as the key remembers it ([`Done`](crate::causal::done::Done)).
    pub id: Option<RequestId>,
}

/// What to do with the key.
///
/// Without a context (`None`) a write replaces what its coordinator holds at that moment, as a plain `SET` of a Redis
/// client means it. With an empty one it replaces nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Command {
    /// With a context, the read never shows less than that covers (session guarantee *monotonic reads*, Terry et
    /// al. 1994): it waits for replicas that know as much.
    Get {
        context: Option<Bytes>,
    },
    Put {
        value: Bytes,
        context: Option<Bytes>,
    },
    /// Like a put of nothing: a tombstone with a dot of its own, so that a concurrent put survives.
    Delete {
        context: Option<Bytes>,
    },
    /// Changes to a value of a convergent type, all or none. They replace what their coordinator knows, and what it
    /// does not know survives beside them, so they take no context.
    Edit {
        edits: Vec<Edit>,
    },
}

impl Command {
    pub fn is_write(&self) -> bool {
        !matches!(self, Command::Get { .. })
    }
}

/// What is known of a request at its end. Exactly one for each request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Outcome {
    /// The read has its quorum. No values: the key does not exist; more than one: siblings.
    Found { values: Few<Found, 1>, context: Bytes },
    /// The same of a key that holds a convergent type.
    Typed { view: View, context: Bytes },
    /// The write has what was asked for. `acks` counts distinct replicas (and hints, where `any` was asked); `durable`
    /// are the replicas among them that have it on disk: all, unless DW asked for less. `result` is of edits, as their
    /// coordinator saw it ([`Edited`](crate::causal::types::edit::Edited)).
    Written { dot: Dot, acks: u8, durable: u8, context: Bytes, result: i64 },
    /// Nothing was applied.
    Rejected(Rejection),
    /// The write may have been applied, now or later: `acks` nodes are known to have it. The first knob that is not
    /// satisfied needs `needed` of its kind. `write` is its name and the context that it would have given, if that is
    /// known here.
    Unknown { acks: u8, needed: u8, unmet: Knob, write: Option<(Dot, Bytes)> },
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
    /// Too few replicas of the kind that `knob` counts are reachable.
    Unavailable {
        knob: Knob,
        usable: u8,
        needed: u8,
    },
    /// The read did not get, in time, the answers that `knob` needs.
    Timeout {
        knob: Knob,
        answers: u8,
        needed: u8,
    },
    /// The replicas that answered know less than the read's context covers.
    Behind,
    /// What is asked for at `knob` cannot be met by any set of replicas.
    Impossible {
        knob: Knob,
        why: Impossible,
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
    /// The value of a convergent type would be larger than it may be.
    Large {
        max: u32,
    },
    /// As many actors have written the key as a clock may name.
    Actors {
        max: u32,
    },
    /// More edits, or larger ones, than one request may have.
    Edits {
        max: u32,
        bytes: u32,
    },
    /// The key, or the field of it, holds another type than was asked for, or more than one.
    Type {
        holds: Holds,
    },
    /// The counter would leave the range of 64-bit integers.
    Overflow,
    /// The context covers writes of a convergent type that this coordinator does not know yet.
    Unseen,
    /// Too much work is waiting here. Try later, or another node.
    Overloaded,
    /// The coordinator's own copy of the key is damaged.
    Damaged,
    /// The coordinator has lost its disk, and has not been told yet what the other replicas have.
    Amnesiac,
    /// The node is stopping.
    Stopping,
    /// The coordinator's disk is full. It still serves reads, and takes writes again when there is space.
    DiskFull,
}

impl Rejection {
    /// Whether nothing but the state of the coordinator's own disk is in the way: another replica may well take it.
    pub(super) fn is_of_one_disk(&self) -> bool {
        matches!(self, Rejection::Damaged | Rejection::Amnesiac | Rejection::DiskFull)
    }

    /// Told before anything is asked of anybody.
    pub(super) fn unavailable(short: Shortfall) -> Rejection {
        Rejection::Unavailable { knob: short.knob, usable: short.have, needed: short.needed }
    }
}

impl From<EditError> for Rejection {
    fn from(error: EditError) -> Rejection {
        match error {
            EditError::Type { holds } => Rejection::Type { holds },
            EditError::Overflow => Rejection::Overflow,
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rejection::Forming => f.write_str("the cluster is still forming"),
            Rejection::Unavailable { knob, usable, needed } => {
                write!(f, "{knob} needs {needed}, {usable} reachable")
            }
            Rejection::Timeout { knob, answers, needed } => {
                write!(f, "{knob} needs {needed}, {answers} came in time")
            }
            Rejection::Behind => f.write_str("no replica that answered knows what the context covers"),
            Rejection::Impossible { knob, why } => write!(f, "{knob} is impossible: {why}"),
            Rejection::KeyLength { max } => write!(f, "a key has 1 to {max} bytes"),
            Rejection::ValueLength { max } => write!(f, "a value has at most {max} bytes"),
            Rejection::Context => f.write_str("the context is not one of this key and cluster"),
            Rejection::Siblings { max } => {
                write!(f, "the key has {max} siblings, read it and write with its context")
            }
            Rejection::Large { max } => write!(f, "the value would need more than {max} bytes"),
            Rejection::Actors { max } => {
                write!(
                    f,
                    "{max} starts of nodes have numbered writes of this key, which is the most it can hold"
                )
            }
            Rejection::Edits { max, bytes } => {
                write!(
                    f,
                    "a request has 1 to {max} edits of {bytes} bytes together, each as large as a value may be"
                )
            }
            Rejection::Type { holds } => write!(f, "the key holds {holds}"),
            Rejection::Overflow => f.write_str("the counter would leave the range of 64-bit integers"),
            Rejection::Unseen => f.write_str("what the context covers is not known here yet, try again"),
            Rejection::Overloaded => f.write_str("too much work is waiting, try later"),
            Rejection::Damaged => f.write_str("the copy of this key here is damaged"),
            Rejection::Amnesiac => {
                f.write_str("this node has lost its disk, and is asking others for what it held")
            }
            Rejection::Stopping => f.write_str("the node is stopping"),
            Rejection::DiskFull => {
                f.write_str("the disk of this node is full, it takes no writes until there is space")
            }
        }
    }
}
