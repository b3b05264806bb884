//! How a part of a table is stored: as it is, or compressed with LZ4 where that saves at least an eighth (less
//! is not worth the time of every read).
//!
//! ```text
//! as it is:   bytes | 0 u8
//! compressed: LZ4 block | length of the bytes u32 | 1 u8
//! ```

use alloc::vec::Vec;

use crate::base::codec::Malformed;
use crate::storage::table::BLOCK_MAX;

const PLAIN: u8 = 0;
const LZ4: u8 = 1;

/// The stored form of `bytes`.
pub fn pack(mut bytes: Vec<u8>, compress: bool) -> Vec<u8> {
    if compress {
        let mut packed = lz4_flex::block::compress(&bytes);
        if packed.len() + 4 <= bytes.len() - bytes.len() / 8 {
            packed.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
            packed.push(LZ4);
            return packed;
        }
    }
    bytes.push(PLAIN);
    bytes
}

/// The bytes whose stored form this is. Allocates at most [`BLOCK_MAX`].
pub fn unpack(mut stored: Vec<u8>) -> Result<Vec<u8>, Malformed> {
    match stored.pop() {
        Some(PLAIN) => Ok(stored),
        Some(LZ4) => {
            let (packed, len) = stored.split_last_chunk::<4>().ok_or(Malformed)?;
            let len = u32::from_le_bytes(*len);
            if len > BLOCK_MAX {
                return Err(Malformed);
            }
            let bytes = lz4_flex::block::decompress(packed, len as usize).map_err(|_| Malformed)?;
            if bytes.len() == len as usize { Ok(bytes) } else { Err(Malformed) }
        }
        _ => Err(Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_compresses_well_is_compressed_and_nothing_else() {
        let repeated: Vec<u8> = (0..4096u32).map(|n| (n % 50) as u8).collect();
        let random: Vec<u8> =
            (0..512u64).flat_map(|n| crate::base::checksum::mix(0, n).to_le_bytes()).collect();
        assert!(pack(repeated.clone(), true).len() < 300);
        assert_eq!(pack(repeated.clone(), false).len(), 4097);
        assert_eq!(pack(random.clone(), true).len(), 4097);
        for bytes in [repeated, random, Vec::new()] {
            assert_eq!(unpack(pack(bytes.clone(), true)), Ok(bytes.clone()));
            assert_eq!(unpack(pack(bytes.clone(), false)), Ok(bytes));
        }
    }

    /// Golden: blocks are on disks.
    #[test]
    fn golden_block() {
        let packed = pack(b"kvsim kvsim kvsim kvsim kvsim kvsim ".to_vec(), true);
        assert_eq!(packed, *b"okvsim \x06\0\x05\x60kvsim \x24\0\0\0\x01");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn no_stored_bytes_make_it_panic(mut stored in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = unpack(stored.clone());
            stored.extend([40, 0, 0, 0, LZ4]);
            let _ = unpack(stored);
        }
    }
}
