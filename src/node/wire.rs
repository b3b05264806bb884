//! Frames between nodes. The simulated network carries the same bytes as TCP, so this code is always under test.
//!
//! ```text
//! offset  bytes  little-endian
//!      0      4  length of the whole frame, header included
//!      4      2  magic "kv"
//!      6      1  version of the format
//!      7      1  zero
//!      8      8  cluster
//!     16      8  sender
//!     24      8  sender's generation
//!     32      8  checksum of all other bytes
//!     40      …  the encoded message
//! ```
//!
//! The length is checked before anything is allocated, the checksum before anything is decoded, and the decoded
//! message against its own rules ([`Message::is_valid`]) before anybody sees it.

use core::fmt;

use alloc::vec::Vec;

use crate::base::checksum::{checksum, mix};
use crate::base::codec;
use crate::base::id::{ClusterId, Generation, NodeId};
use crate::base::limits::FRAME_MAX;
use crate::node::message::Message;

/// Bytes before the message.
pub const HEADER: usize = 40;
const MAGIC: [u8; 2] = *b"kv";
const VERSION: u8 = 8;
const SUM_AT: usize = 32;

/// Who sent a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sender {
    pub node: NodeId,
    pub generation: Generation,
}

/// Why a frame is refused. The connection that brought it should be closed: nothing after it can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WireError {
    /// Shorter than a header, longer than a frame may be, or not as long as it says.
    Length,
    /// Not our protocol at all.
    Magic,
    /// A version of the format that this build does not know.
    Version(u8),
    /// A node of another cluster.
    Cluster,
    /// Damaged on the way.
    Checksum,
    /// Whole, but not a message that a correct node sends.
    Message,
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WireError::Length => f.write_str("impossible frame length"),
            WireError::Magic => f.write_str("not a kvsim frame"),
            WireError::Version(version) => write!(f, "frame version {version}, this build speaks {VERSION}"),
            WireError::Cluster => f.write_str("a frame of another cluster"),
            WireError::Checksum => f.write_str("frame checksum does not match"),
            WireError::Message => f.write_str("a message that no correct node sends"),
        }
    }
}

/// Appends the frame of `message` to `buffer`. The answer is the frame's checksum, a fingerprint for traces.
pub fn encode(cluster: ClusterId, sender: Sender, message: &Message, buffer: &mut Vec<u8>) -> u64 {
    let start = buffer.len();
    buffer.extend_from_slice(&[0; HEADER]);
    codec::encode_into(message, buffer);
    let frame = &mut buffer[start..];
    let length = frame.len();
    assert!(length <= FRAME_MAX, "a frame of {length} bytes: some message has no bound");
    frame[0..4].copy_from_slice(&(length as u32).to_le_bytes());
    frame[4..6].copy_from_slice(&MAGIC);
    frame[6] = VERSION;
    frame[8..16].copy_from_slice(&cluster.0.to_le_bytes());
    frame[16..24].copy_from_slice(&sender.node.0.to_le_bytes());
    frame[24..32].copy_from_slice(&sender.generation.0.to_le_bytes());
    let sum = frame_sum(frame);
    frame[SUM_AT..HEADER].copy_from_slice(&sum.to_le_bytes());
    sum
}

/// How long the frame is that begins with `head`; `None` while `head` is too short to tell.
pub fn frame_length(head: &[u8]) -> Result<Option<usize>, WireError> {
    let Some((length, rest)) = head.split_first_chunk::<4>() else { return Ok(None) };
    if rest.len() >= 2 && rest[..2] != MAGIC {
        return Err(WireError::Magic);
    }
    match u32::from_le_bytes(*length) as usize {
        length if (HEADER..=FRAME_MAX).contains(&length) => Ok(Some(length)),
        _ => Err(WireError::Length),
    }
}

/// Checks and decodes one whole frame. Any bytes are safe.
pub fn decode(cluster: ClusterId, frame: &[u8]) -> Result<(Sender, Message), WireError> {
    if frame.len() < HEADER || frame_length(frame)? != Some(frame.len()) {
        return Err(WireError::Length);
    }
    if frame[6] != VERSION {
        return Err(WireError::Version(frame[6]));
    }
    if word(frame, SUM_AT) != frame_sum(frame) {
        return Err(WireError::Checksum);
    }
    if word(frame, 8) != cluster.0 {
        return Err(WireError::Cluster);
    }
    let sender = Sender { node: NodeId(word(frame, 16)), generation: Generation(word(frame, 24)) };
    let message: Message = codec::decode(&frame[HEADER..]).map_err(|_| WireError::Message)?;
    if message.is_valid() { Ok((sender, message)) } else { Err(WireError::Message) }
}

fn word(frame: &[u8], at: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&frame[at..at + 8]);
    u64::from_le_bytes(bytes)
}

/// Over all bytes but the checksum's own.
fn frame_sum(frame: &[u8]) -> u64 {
    mix(checksum(1, &frame[..SUM_AT]), checksum(2, &frame[HEADER..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::bytes::Bytes;
    use crate::base::id::OpId;
    use proptest::prelude::*;

    const CLUSTER: ClusterId = ClusterId(7);
    const SENDER: Sender = Sender { node: NodeId(3), generation: Generation(5) };

    fn frame() -> (Message, Vec<u8>) {
        let message = Message::Fetch { op: OpId(9), key: Bytes::from("key"), digest: false };
        let mut buffer = Vec::new();
        encode(CLUSTER, SENDER, &message, &mut buffer);
        (message, buffer)
    }

    #[test]
    fn a_frame_comes_back_as_it_was_sent() {
        let (message, frame) = frame();
        assert_eq!(frame_length(&frame[..3]), Ok(None));
        assert_eq!(frame_length(&frame), Ok(Some(frame.len())));
        assert_eq!(decode(CLUSTER, &frame), Ok((SENDER, message)));
        assert_eq!(decode(ClusterId(8), &frame), Err(WireError::Cluster));
    }

    /// Golden: nodes of different builds speak this to each other. A change needs a new version.
    #[test]
    fn the_format_is_what_it_was() {
        let mut text = alloc::string::String::new();
        for byte in frame().1 {
            text += &alloc::format!("{byte:02x}");
        }
        assert_eq!(
            text,
            concat!(
                "2f0000006b760800",
                "0700000000000000",
                "0300000000000000",
                "0500000000000000",
                "c4a9817d97554fc4",
                "0909036b657900",
            )
        );
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let (_, frame) = frame();
        for bit in 0..frame.len() * 8 {
            let mut damaged = frame.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(CLUSTER, &damaged).is_err(), "bit {bit}");
        }
    }

    proptest! {
        /// Garbage, and garbage under a right header and checksum: whatever a peer sends, it is refused or decoded.
        #[test]
        fn no_bytes_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(CLUSTER, &body);
            let mut forged = alloc::vec![0; HEADER];
            forged.extend_from_slice(&body);
            let length = forged.len() as u32;
            forged[0..4].copy_from_slice(&length.to_le_bytes());
            forged[4..6].copy_from_slice(&MAGIC);
            forged[6] = VERSION;
            forged[8..16].copy_from_slice(&CLUSTER.0.to_le_bytes());
            let sum = frame_sum(&forged);
            forged[SUM_AT..HEADER].copy_from_slice(&sum.to_le_bytes());
            if let Ok((_, message)) = decode(CLUSTER, &forged) {
                prop_assert!(message.is_valid());
            }
        }
    }
}
