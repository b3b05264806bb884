//! [`Part`]: what one write left in a value of a convergent type.

use alloc::vec::Vec;
use core::fmt;

use crate::base::bytes::Bytes;
use crate::base::codec::{Decode, Encode};
use crate::base::id::RequestId;
use crate::base::limits::{KEY_MAX, VALUE_MAX};
use crate::base::time::WallTime;
use crate::causal::dot::Dot;
use crate::causal::types::counter::{Cleared, Counted};

/// One part, named by its dot.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub struct Part {
    pub dot: Dot,
    /// The coordinator's hybrid clock at the write. It decides which of concurrent assignments shows, and nothing else.
    pub stamp: WallTime,
    /// The field of the map that it belongs to; `None` where the key itself is a counter, set or register.
    pub field: Option<Bytes>,
    pub content: Content,
}

/// What is in a part.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Content {
    /// A member of a set.
    Member(Bytes),
    /// The value of a register.
    Assigned(Bytes),
    /// All that one actor counted.
    Counted(Counted),
    /// What had been counted when the counter was deleted, sorted by actor.
    Cleared(Vec<Cleared>),
}

/// The type of one field, or of a key that is no map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum Kind {
    Counter,
    Set,
    Register,
}

/// What a key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum Holds {
    /// Values that only clients can merge.
    Plain,
    Leaf(Kind),
    Map,
}

/// Bytes that a part may need besides what its field and content hold: dot, stamp, tags and lengths.
pub const OVERHEAD: usize = 64;

impl Part {
    pub fn kind(&self) -> Kind {
        match self.content {
            Content::Member(_) => Kind::Set,
            Content::Assigned(_) => Kind::Register,
            Content::Counted(_) | Content::Cleared(_) => Kind::Counter,
        }
    }

    /// The step of a counter that was this request.
    pub fn step(&self, id: RequestId) -> Option<Dot> {
        let Content::Counted(counted) = &self.content else { return None };
        let step = counted.recent.iter().find(|step| step.id == id)?;
        Some(Dot { actor: self.dot.actor, counter: step.counter })
    }

    /// An upper bound of the encoded size, in bytes: how parts count towards the limits of a key.
    pub fn weight(&self) -> usize {
        let content = match &self.content {
            Content::Member(bytes) | Content::Assigned(bytes) => bytes.len(),
            Content::Counted(counted) => counted.recent.len() * OVERHEAD,
            Content::Cleared(cleared) => cleared.len() * OVERHEAD,
        };
        OVERHEAD + self.field.as_ref().map_or(0, |field| field.len()) + content
    }

    /// Whether a correct node could have made it. False for parts that were decoded from foreign bytes.
    pub fn is_valid(&self) -> bool {
        let content = match &self.content {
            Content::Member(bytes) | Content::Assigned(bytes) => bytes.len() <= VALUE_MAX,
            Content::Counted(counted) => counted.is_valid(self.dot),
            Content::Cleared(cleared) => {
                cleared.windows(2).all(|pair| pair[0].actor < pair[1].actor)
                    && cleared.iter().all(Cleared::is_valid)
            }
        };
        self.dot.counter > 0 && self.field.as_ref().is_none_or(|field| field.len() <= KEY_MAX) && content
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Counter => "a counter",
            Kind::Set => "a set",
            Kind::Register => "a register",
        })
    }
}

impl fmt::Display for Holds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Holds::Plain => f.write_str("a plain value"),
            Holds::Leaf(kind) => kind.fmt(f),
            Holds::Map => f.write_str("a map"),
        }
    }
}
