//! Positions: which slot a key is in, and where slots and nodes lie on the ring of 2^64 tokens.

use crc::{CRC_16_XMODEM, Crc};

use crate::base::checksum::mix;
use crate::base::id::{NodeId, Slot};
use crate::base::limits::SLOTS;

/// Virtual nodes per unit of capacity. More even out the load and cost memory; `placement` says how even this is.
pub const TOKENS_PER_CAPACITY: u16 = 128;

const CRC: Crc<u16> = Crc::<u16>::new(&CRC_16_XMODEM);

/// Golden: changing it moves all data of every cluster.
const NODE_TOKEN_SEED: u64 = 0x6b76_7369_6d2d_7231;

const _: () = assert!(SLOTS.is_power_of_two() && SLOTS > 1);

/// A position on the ring, which runs clockwise from 0 to `u64::MAX` and around.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// The slot of `key`: CRC16/XMODEM modulo 16,384 of the hash tag, or of the whole key if there is none (Redis Cluster
/// specification, "Hash tags"), so that cluster-aware Redis clients compute the same.
pub fn slot_of(key: &[u8]) -> Slot {
    Slot(CRC.checksum(hash_tag(key)) % SLOTS)
}

/// What stands between the first `{` and the first `}` after it, unless that is nothing; else the whole key.
fn hash_tag(key: &[u8]) -> &[u8] {
    let tag = key.iter().position(|&byte| byte == b'{').and_then(|open| {
        let rest = key.get(open + 1..)?;
        let close = rest.iter().position(|&byte| byte == b'}')?;
        rest.get(..close)
    });
    tag.filter(|tag| !tag.is_empty()).unwrap_or(key)
}

/// The fixed position of a slot: the slots lie evenly.
pub fn slot_token(slot: Slot) -> Token {
    assert!(slot.0 < SLOTS, "no such slot");
    Token(u64::from(slot.0) << (64 - SLOTS.trailing_zeros()))
}

/// The positions of a node. A larger capacity adds tokens and moves none.
pub fn node_tokens(node: NodeId, capacity: u16) -> impl Iterator<Item = Token> {
    let count = u64::from(capacity) * u64::from(TOKENS_PER_CAPACITY);
    (0..count).map(move |ordinal| Token(mix(mix(NODE_TOKEN_SEED, node.0), ordinal)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// The values that Redis Cluster's specification and `CLUSTER KEYSLOT` give.
    #[test]
    fn slots_are_those_of_redis_cluster() {
        assert_eq!(slot_of(b"123456789"), Slot(0x31c3));
        assert_eq!(slot_of(b"foo"), Slot(12_182));
        assert_eq!(slot_of(b"bar"), Slot(5_061));
        assert_eq!(slot_of(b""), Slot(0));
    }

    #[test]
    fn hash_tags_are_those_of_redis_cluster() {
        assert_eq!(slot_of(b"{user1000}.following"), slot_of(b"{user1000}.followers"));
        assert_eq!(slot_of(b"{user1000}.following"), slot_of(b"user1000"));
        assert_eq!(hash_tag(b"foo{}{bar}"), b"foo{}{bar}");
        assert_eq!(hash_tag(b"foo{{bar}}zap"), b"{bar");
        assert_eq!(hash_tag(b"foo{bar}{zap}"), b"bar");
        assert_eq!(hash_tag(b"foo{bar"), b"foo{bar");
        assert_eq!(hash_tag(b"foo}bar{"), b"foo}bar{");
    }

    /// Golden: the places of a deployed cluster's data.
    #[test]
    fn tokens_never_change() {
        let tokens: Vec<Token> = node_tokens(NodeId(1), 1).take(2).collect();
        assert_eq!(tokens, [Token(1_370_358_559_209_329_778), Token(16_820_188_948_908_649_863)]);
        assert_eq!(slot_token(Slot(0)), Token(0));
        assert_eq!(slot_token(Slot(1)), Token(1 << 50));
        assert_eq!(slot_token(Slot(SLOTS - 1)), Token(u64::MAX << 50));
    }

    #[test]
    fn more_capacity_adds_tokens_and_moves_none() {
        let small: Vec<Token> = node_tokens(NodeId(9), 1).collect();
        let large: Vec<Token> = node_tokens(NodeId(9), 3).collect();
        assert_eq!(small.len(), usize::from(TOKENS_PER_CAPACITY));
        assert_eq!(large.len(), 3 * small.len());
        assert_eq!(large[..small.len()], small);
    }
}
