//! [`Dot`]: the name of one write.

use core::fmt;

use crate::base::codec::{Decode, Encode};
use crate::base::id::NodeId;

/// Who numbers writes: a node in one of its epochs.
///
/// The epoch changes whenever the node may have forgotten writes that it numbered (see `node::identity`), so a node
/// that lost data never gives the same name to two writes, and never claims to have seen writes that it forgot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Actor {
    pub node: NodeId,
    pub epoch: u64,
}

impl Actor {
    /// The generation of its node in which it began, up to 32 bits: how old it is among those of its node.
    pub fn generation(self) -> u64 {
        self.epoch & 0xffff_ffff
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{:x}", self.node, self.epoch)
    }
}

/// One write of one key: the `counter`-th that `actor` coordinated for that key. Counters begin at 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Dot {
    pub actor: Actor,
    pub counter: u64,
}

impl fmt::Display for Dot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.actor, self.counter)
    }
}
