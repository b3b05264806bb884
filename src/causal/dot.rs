//! [`Dot`]: the name of one write.

use core::fmt;

use crate::base::codec::{Decode, Encode};
use crate::base::id::{Generation, NodeId};

/// Who numbers writes of a key: a node in one of its epochs.
///
/// An epoch is of one *life* of its node, which ends whenever the node may have forgotten writes that it numbered (see
/// `node::identity`), and of one key: so a node that lost data never gives the same name to two writes, and never
/// claims to have seen writes that it forgot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Actor {
    pub node: NodeId,
    pub epoch: u64,
}

/// Of an epoch, from below: the generation of its node, then chance that tells lives of equal generations apart (a node
/// that lost its disk counts them again), then chance that tells keys apart.
const GENERATION_BITS: u32 = 24;
const LIFE_BITS: u32 = 48;

impl Actor {
    /// A life of `node` that began in `generation`.
    pub fn of_life(node: NodeId, generation: Generation, chance: u64) -> Actor {
        let generation = generation.0 & low(GENERATION_BITS);
        Actor { node, epoch: (chance << GENERATION_BITS | generation) & low(LIFE_BITS) }
    }

    /// The one of the same life that numbers a key that nothing of that life is known of. It is another one each time:
    /// if the key was written before, and its copy here was lost without a trace, the names of then are not given
    /// again. (Of 65,536 such keys, one gets its former names.)
    pub fn for_key(self, chance: u64) -> Actor {
        Actor { node: self.node, epoch: chance << LIFE_BITS | self.epoch & low(LIFE_BITS) }
    }

    /// Whether both are of the same life of the same node.
    pub fn shares_life(self, other: Actor) -> bool {
        self.node == other.node && (self.epoch ^ other.epoch) & low(LIFE_BITS) == 0
    }

    /// The generation of its node in which it began, up to 24 bits: how old it is among those of its node.
    pub fn generation(self) -> u64 {
        self.epoch & low(GENERATION_BITS)
    }
}

fn low(bits: u32) -> u64 {
    (1 << bits) - 1
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_one_life_have_actors_of_their_own() {
        let life = Actor::of_life(NodeId(1), Generation(3), 0xabcdef);
        let (one, other) = (life.for_key(1), life.for_key(2));
        assert_ne!(one, other);
        assert!(one.shares_life(other) && one.shares_life(life));
        assert_eq!((one.generation(), one.epoch), (3, 0x0001_abcd_ef00_0003));
        assert_eq!(life.for_key(u64::MAX).for_key(1), one);
    }

    #[test]
    fn lives_differ_by_node_generation_and_chance() {
        let life = |node, generation, chance| Actor::of_life(NodeId(node), Generation(generation), chance);
        let one = life(1, 3, 5);
        assert!([life(2, 3, 5), life(1, 4, 5), life(1, 3, 6)].iter().all(|other| !one.shares_life(*other)));
        assert_eq!(life(1, u64::MAX, u64::MAX).epoch, low(LIFE_BITS), "what has no room is cut off");
    }
}
