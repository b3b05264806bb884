//! The Bloom filter of a table (Bloom 1970): answers "certainly not here" for most keys that are not, from 10
//! bits per key. 7 probes by double hashing (Kirsch and Mitzenmacher, "Less Hashing, Same Performance",
//! 2006).
//!
//! Format: one byte for the number of probes, then the bits.

use alloc::vec::Vec;

use crate::base::checksum::checksum;

const BITS_PER_KEY: usize = 10;
/// ln 2 times the bits per key, rounded.
const PROBES: u8 = 7;
/// Part of the format: other seeds set other bits.
const SEED: u64 = 0x6b76_666c_7472;

/// What a filter remembers of a key.
pub fn hash(key: &[u8]) -> u64 {
    checksum(SEED, key)
}

/// The filter of the keys with these hashes.
pub fn build(hashes: &[u64]) -> Vec<u8> {
    let bytes = (hashes.len() * BITS_PER_KEY).div_ceil(8).max(8);
    let mut filter = alloc::vec![0u8; 1 + bytes];
    filter[0] = PROBES;
    for hash in hashes {
        for bit in probes(*hash, PROBES, bytes as u64 * 8) {
            filter[1 + (bit / 8) as usize] |= 1 << (bit % 8);
        }
    }
    filter
}

/// False only if no key with this hash is in the table.
pub fn may_contain(filter: &[u8], hash: u64) -> bool {
    let Some((probe_count, bits)) = filter.split_first() else { return true };
    probes(hash, *probe_count, bits.len() as u64 * 8)
        .all(|bit| bits.get((bit / 8) as usize).is_none_or(|byte| byte & (1 << (bit % 8)) != 0))
}

/// The bits of a key: positions in `0..bits`.
fn probes(hash: u64, count: u8, bits: u64) -> impl Iterator<Item = u64> {
    let step = hash.rotate_left(32) | 1;
    (0..u64::from(count)).map(move |n| {
        let point = hash.wrapping_add(step.wrapping_mul(n));
        ((u128::from(point) * u128::from(bits)) >> 64) as u64
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashes(range: core::ops::Range<u64>) -> Vec<u64> {
        range.map(|n| hash(&n.to_le_bytes())).collect()
    }

    #[test]
    fn what_is_in_the_filter_is_found() {
        for count in [0, 1, 2, 100, 5_000] {
            let filter = build(&hashes(0..count));
            assert!(hashes(0..count).iter().all(|hash| may_contain(&filter, *hash)));
        }
    }

    #[test]
    fn at_most_one_percent_of_other_keys_pass() {
        let filter = build(&hashes(0..20_000));
        let passed = hashes(1_000_000..1_100_000).iter().filter(|hash| may_contain(&filter, **hash)).count();
        assert!(passed <= 1_000, "{passed} of 100,000");
        assert!(passed >= 500, "{passed} of 100,000: too good to be a filter of 10 bits per key");
    }

    #[test]
    fn an_empty_filter_forbids_nothing_and_a_filter_of_nothing_forbids_all() {
        assert!(may_contain(&[], 7));
        assert!(!may_contain(&build(&[]), 7));
    }

    /// Golden: filters are on disks.
    #[test]
    fn golden_filter() {
        assert_eq!(build(&[hash(b"kvsim")]), [7, 4, 64, 1, 16, 0, 1, 80, 0]);
    }
}
