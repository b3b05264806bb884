//! Newtypes for everything that is identified by a number, so that no two kinds can be exchanged by mistake.

use core::fmt;

use crate::base::codec::{Decode, Encode};
use crate::base::name::Name;

/// A node's durable identity: minted at its first start, stored in its data folder, never used again by another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct NodeId(pub u64);

/// `n3` for the small numbers that simulations use, 16 hex digits for minted ones.
impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 1_000_000 { write!(f, "n{}", self.0) } else { write!(f, "{:016x}", self.0) }
    }
}

/// Which cluster a node belongs to: the checksum of the cluster's name. Frames of another cluster are refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct ClusterId(pub u64);

impl ClusterId {
    pub fn of_name(name: &str) -> ClusterId {
        ClusterId(crate::base::checksum::checksum(0x636c_7573_7465_7221, name.as_bytes()))
    }
}

/// How often a node identity has been started. A peer that shows a lower generation than was seen is stale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Generation(pub u64);

/// Where the peers of a node find it: `host:port` in the real runtime, a node's name in the simulator. The core
/// only stores and forwards it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Address(pub Name);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A failure domain, by name: a rack, a room, a data center.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Zone(pub Name);

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A unit of ownership, transfer and comparison: `0 .. SLOTS`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Slot(pub u16);

/// One request in progress at the node that numbered it. Unique within a run of that node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct OpId(pub u64);

/// The driver's own mark on a client request; the reply carries it back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientTag(pub u64);

/// The name that a client gives to one request, and uses again when it tries that request again: who it is (a random
/// number, its own for ever), and which of its requests this is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct RequestId {
    pub client: u64,
    pub number: u64,
}
