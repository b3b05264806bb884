//! What nodes tell each other about each other: heartbeat counters (van Renesse, Minsky, Hayden: "A Gossip-Style
//! Failure Detection Service", 1998), and who is accused of being silent.

use alloc::vec::Vec;

use crate::base::codec::{Decode, Encode};
use crate::base::id::{Address, Generation, NodeId, Zone};
use crate::base::limits::CAPACITY_MAX;

/// Members that one message tells of, besides its sender. Bounds the cost of gossip whatever the cluster's size.
pub const NEWS_MAX: usize = 64;
/// Members that one message asks about by name.
pub const WANTED_MAX: usize = 16;
/// Accusations in one message.
pub const ACCUSATIONS_MAX: usize = 64;

/// What a member says of itself. It does not change within a generation.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub struct Card {
    pub node: NodeId,
    pub generation: Generation,
    /// That of its disk: see `node::amnesia`.
    pub birth: u64,
    pub address: Address,
    pub zone: Zone,
    pub capacity: u16,
}

/// A member's card, and its highest heartbeat that the teller knows.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub struct News {
    pub card: Card,
    pub heartbeat: u64,
}

/// "I vouch that the heartbeat of `accused` has not risen above `heartbeat` for too long." Whoever sends it speaks for
/// itself: it is an observer of that silence, or it was told of it by enough others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Accusation {
    pub accused: NodeId,
    pub generation: Generation,
    pub heartbeat: u64,
}

/// One message of gossip.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub struct Gossip {
    pub sender: News,
    pub others: Vec<News>,
    pub accusations: Vec<Accusation>,
    /// The version of the layout that the sender has in force; zero for none.
    pub layout: u64,
    /// Whether the sender wants to be told in return.
    pub wants_reply: bool,
    /// Members of whom the sender knows nothing but their names, to be told of with the reply.
    pub wanted: Vec<NodeId>,
}

impl Gossip {
    /// Whether a correct node could have sent this.
    pub fn is_valid(&self) -> bool {
        self.others.len() <= NEWS_MAX
            && self.accusations.len() <= ACCUSATIONS_MAX
            && self.wanted.len() <= if self.wants_reply { WANTED_MAX } else { 0 }
            && self.others.iter().chain([&self.sender]).all(|news| news.card.is_valid())
    }
}

impl Card {
    fn is_valid(&self) -> bool {
        (1..=CAPACITY_MAX).contains(&self.capacity) && self.address.0.is_valid() && self.zone.0.is_valid()
    }
}
