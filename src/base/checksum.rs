//! Checksums and hashes with one meaning on every machine.
//!
//! - [`checksum`]: 64-bit XXH3 with a context as its seed. Detects accidents, not attackers.
//! - [`StableHasher`]: what `#[derive(Hash)]` is fed into, with every integer as 64 bits, so that a hash of a whole
//!   state is equal on every platform (of little-endian order: slices of integers come as raw bytes) and build.
//! - [`Digest`]: BLAKE3 cut to 128 bits, where a collision would hide a divergence (Merkle leaves).

use core::hash::{Hash, Hasher};

use arrayvec::ArrayVec;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// XXH3-64 of `bytes`, bound to `context` (a file id and offset, say), so that right bytes in a wrong place fail.
pub fn checksum(context: u64, bytes: &[u8]) -> u64 {
    xxh3_64_with_seed(bytes, context)
}

/// Bytes that a [`Digest`] gathers before it hashes them: most of what is hashed is shorter.
const GATHERED: usize = 256;

/// BLAKE3 of bytes that come in pieces, cut to 128 bits. The pieces are small, a number each, and BLAKE3 takes in
/// blocks: so they are gathered first.
#[derive(Clone, Debug, Default)]
pub struct Digest {
    gathered: ArrayVec<u8, GATHERED>,
    /// What came before, if it was too much to gather.
    before: Option<blake3::Hasher>,
}

impl Digest {
    pub fn update(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(GATHERED) {
            if self.gathered.try_extend_from_slice(piece).is_err() {
                self.before.get_or_insert_default().update(&self.gathered);
                self.gathered.clear();
                self.gathered.extend(piece.iter().copied());
            }
        }
    }

    pub fn finish(self) -> u128 {
        let hash = match self.before {
            Some(mut before) => before.update(&self.gathered).finalize(),
            None => blake3::hash(&self.gathered),
        };
        let mut head = [0u8; 16];
        head.copy_from_slice(&hash.as_bytes()[..16]);
        u128::from_le_bytes(head)
    }
}

/// Mixes one word into a rolling 64-bit hash (the finaliser of SplitMix64 over a xor: every bit moves every bit).
pub const fn mix(state: u64, word: u64) -> u64 {
    let mut z = (state ^ word).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The hash of any state, equal on every platform.
pub fn state_hash<T: Hash + ?Sized>(state: &T) -> u64 {
    let mut hasher = StableHasher::default();
    state.hash(&mut hasher);
    hasher.finish()
}

/// Bytes from which on XXH3 takes them in at once.
const LONG: usize = 32;

/// A platform-independent [`Hasher`]: every integer is one word of [`mix`], long strings of bytes are one word of XXH3.
/// Whole states are hashed at checkpoints, and consist of small integers; a streaming XXH3 spent most of its time on
/// copying those into its buffer.
#[derive(Default)]
pub struct StableHasher(u64);

impl Hasher for StableHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if bytes.len() >= LONG {
            return self.write_u64(xxh3_64_with_seed(bytes, 0));
        }
        // The rest of a word is zeros: whoever hashes strings of several lengths hashes their lengths first.
        for part in bytes.chunks(8) {
            let mut word = [0u8; 8];
            word[..part.len()].copy_from_slice(part);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, n: u8) {
        self.write_u64(n.into());
    }

    fn write_u16(&mut self, n: u16) {
        self.write_u64(n.into());
    }

    fn write_u32(&mut self, n: u32) {
        self.write_u64(n.into());
    }

    fn write_u64(&mut self, n: u64) {
        self.0 = mix(self.0, n);
    }

    fn write_u128(&mut self, n: u128) {
        self.write_u64(n as u64);
        self.write_u64((n >> 64) as u64);
    }

    fn write_usize(&mut self, n: usize) {
        self.write_u64(n as u64);
    }

    fn write_i8(&mut self, n: i8) {
        self.write_u64(n as u64);
    }

    fn write_i16(&mut self, n: i16) {
        self.write_u64(n as u64);
    }

    fn write_i32(&mut self, n: i32) {
        self.write_u64(n as u64);
    }

    fn write_i64(&mut self, n: i64) {
        self.write_u64(n as u64);
    }

    fn write_i128(&mut self, n: i128) {
        self.write_u128(n as u128);
    }

    fn write_isize(&mut self, n: isize) {
        self.write_u64(n as i64 as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_is_bound_to_its_context() {
        assert_ne!(checksum(1, b"block"), checksum(2, b"block"));
        assert_ne!(checksum(1, b"block"), checksum(1, b"blocl"));
    }

    /// Golden: these values are on disks and wires, and must never change.
    #[test]
    fn golden_values() {
        assert_eq!(checksum(0, b"kvsim"), 0xd2c0_f125_05f2_a177);
        let mut digest = Digest::default();
        digest.update(b"kv");
        digest.update(b"sim");
        assert_eq!(digest.finish(), 0x8b90_c343_9215_fe6d_8a27_d5b4_c187_7fd0);
        assert_eq!(mix(0, 1), 0x910a_2dec_8902_5cc1);
    }

    #[test]
    fn a_digest_is_that_of_all_its_pieces() {
        let bytes: std::vec::Vec<u8> = (0..4 * GATHERED).map(|n| (n % 251) as u8).collect();
        for (size, len) in
            [(1, 700), (100, GATHERED), (GATHERED, 2 * GATHERED), (3 * GATHERED + 1, 4 * GATHERED)]
        {
            let mut digest = Digest::default();
            bytes[..len].chunks(size).for_each(|piece| digest.update(piece));
            let expected = blake3::hash(&bytes[..len]);
            assert_eq!(digest.finish().to_le_bytes(), expected.as_bytes()[..16], "{len} by {size}");
        }
    }

    #[test]
    fn state_hashes_see_every_field() {
        assert_ne!(state_hash(&(1u8, 2usize)), state_hash(&(1u8, 3usize)));
        assert_ne!(state_hash(&Some(1u8)), state_hash(&None::<u8>));
        assert_ne!(state_hash(&("a", "b")), state_hash(&("b", "a")));
        let bytes = [7u8; 3 * LONG];
        for len in 0..bytes.len() {
            let (whole, mut flipped) = (&bytes[..len], bytes);
            assert_ne!(state_hash(whole), state_hash(&bytes[..len + 1]), "{len}");
            flipped[len / 2] ^= 1;
            assert!(len == 0 || state_hash(whole) != state_hash(&flipped[..len]), "{len}");
        }
    }
}
