//! The context token: what a client has seen, as opaque bytes that it hands back with its next write.
//!
//! Layout: version (1 byte) · encoded [`Clock`] · checksum (8 bytes, little-endian), the checksum bound to cluster and
//! key. (Version 2 says that the key held a convergent type, of which a write needs to know all that it
//! replaces.) A token of another key or cluster, a damaged one or an invented one is refused: taken as it stands, it
//! would silently discard writes that its client never saw.

use crate::base::bytes::Bytes;
use crate::base::checksum::checksum;
use crate::base::codec::{self, Malformed};
use crate::base::few::Few;
use crate::base::id::ClusterId;
use crate::causal::clock::Clock;

const PLAIN: u8 = 1;
const TYPED: u8 = 2;
const CHECKSUM_BYTES: usize = 8;

/// The token for a client that has seen `clock` of `key`.
pub fn seal(cluster: ClusterId, key: &[u8], clock: &Clock) -> Bytes {
    seal_as(PLAIN, cluster, key, clock)
}

/// The same, of a key that holds a convergent type.
pub fn seal_typed(cluster: ClusterId, key: &[u8], clock: &Clock) -> Bytes {
    seal_as(TYPED, cluster, key, clock)
}

/// Whether a token says that its key held a convergent type.
pub fn is_typed(token: &[u8]) -> bool {
    token.first() == Some(&TYPED)
}

fn seal_as(version: u8, cluster: ClusterId, key: &[u8], clock: &Clock) -> Bytes {
    // Room for six entries: two numbers of up to nine bytes for each, and the node's, which is small.
    let mut token: Few<u8, 160> = [version].into();
    codec::encode_with(clock, |bytes| token.extend_from_slice(bytes));
    let sum = checksum(binding(cluster, key), &token);
    token.extend_from_slice(&sum.to_le_bytes());
    Bytes::new(&token)
}

/// The clock in a token. An empty token is the empty clock: "I have seen nothing".
pub fn open(cluster: ClusterId, key: &[u8], token: &[u8]) -> Result<Clock, Malformed> {
    if token.is_empty() {
        return Ok(Clock::EMPTY);
    }
    let at = token.len().checked_sub(CHECKSUM_BYTES).ok_or(Malformed)?;
    let (body, sum) = token.split_at(at);
    if checksum(binding(cluster, key), body).to_le_bytes() != sum {
        return Err(Malformed);
    }
    match body.split_first() {
        Some((&(PLAIN | TYPED), clock)) => codec::decode::<Clock>(clock)
            .and_then(|clock| if clock.is_valid() { Ok(clock) } else { Err(Malformed) }),
        _ => Err(Malformed),
    }
}

fn binding(cluster: ClusterId, key: &[u8]) -> u64 {
    checksum(cluster.0, key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::NodeId;
    use crate::causal::dot::{Actor, Dot};

    fn clock() -> Clock {
        let mut clock = Clock::EMPTY;
        clock.record(Dot { actor: Actor { node: NodeId(1), epoch: 2 }, counter: 3 });
        clock
    }

    #[test]
    fn a_token_opens_for_its_own_key_and_cluster_only() {
        let (here, there) = (ClusterId(1), ClusterId(2));
        let token = seal(here, b"key", &clock());
        assert_eq!(open(here, b"key", &token), Ok(clock()));
        assert_eq!(open(here, b"yek", &token), Err(Malformed));
        assert_eq!(open(there, b"key", &token), Err(Malformed));
        assert_eq!(open(here, b"key", b""), Ok(Clock::EMPTY));
        let typed = seal_typed(here, b"key", &clock());
        assert_eq!(open(here, b"key", &typed), Ok(clock()));
        assert!(is_typed(&typed) && !is_typed(&token) && !is_typed(b""));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_refused() {
        let token = seal(ClusterId(1), b"key", &clock()).to_vec();
        for bit in 0..token.len() * 8 {
            let mut forged = token.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(open(ClusterId(1), b"key", &forged), Err(Malformed), "bit {bit}");
        }
        (1..token.len())
            .for_each(|len| assert_eq!(open(ClusterId(1), b"key", &token[..len]), Err(Malformed)));
    }
}
