//! A write as bytes, the same in the groups of the commit log and in the memtable.
//!
//! ```text
//! key length u16 | value length u32 (u32::MAX: deleted) | key | value      (little-endian)
//! ```

use alloc::vec::Vec;

use crate::base::codec::Malformed;

/// The length of a value that is none.
const DELETED: u32 = u32::MAX;
const HEADER_LEN: usize = 6;

/// A key with its value, or with `None` where it was deleted.
pub type Record<'a> = (&'a [u8], Option<&'a [u8]>);

/// The bytes that a record takes.
pub fn len((key, value): Record) -> usize {
    HEADER_LEN + key.len() + value.map_or(0, <[u8]>::len)
}

/// Appends a record to `bytes`.
pub fn push(bytes: &mut Vec<u8>, (key, value): Record) {
    assert!(key.len() <= usize::from(u16::MAX), "the engine checks key lengths");
    let mut header = [0u8; HEADER_LEN];
    header[..2].copy_from_slice(&(key.len() as u16).to_le_bytes());
    header[2..].copy_from_slice(&value.map_or(DELETED, |value| value.len() as u32).to_le_bytes());
    bytes.reserve(len((key, value)));
    bytes.extend_from_slice(&header);
    bytes.extend_from_slice(key);
    bytes.extend_from_slice(value.unwrap_or_default());
}

/// Takes the record at the front of `bytes`.
pub fn take<'a>(bytes: &mut &'a [u8]) -> Result<Record<'a>, Malformed> {
    let (key_len, rest) = bytes.split_first_chunk().ok_or(Malformed)?;
    let (value_len, rest) = rest.split_first_chunk().ok_or(Malformed)?;
    let (key, rest) = rest.split_at_checked(u16::from_le_bytes(*key_len).into()).ok_or(Malformed)?;
    let (value, rest) = match u32::from_le_bytes(*value_len) {
        DELETED => (None, rest),
        len => {
            let (value, rest) = rest.split_at_checked(len as usize).ok_or(Malformed)?;
            (Some(value), rest)
        }
    };
    *bytes = rest;
    Ok((key, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Owned = Vec<(Vec<u8>, Option<Vec<u8>>)>;

    fn take_all(mut bytes: &[u8]) -> Result<Owned, Malformed> {
        let mut found = Vec::new();
        while !bytes.is_empty() {
            let (key, value) = take(&mut bytes)?;
            found.push((key.to_vec(), value.map(<[u8]>::to_vec)));
        }
        Ok(found)
    }

    /// Golden: records are on disks.
    #[test]
    fn golden_records() {
        let mut bytes = Vec::new();
        push(&mut bytes, (b"key", Some(b"value")));
        push(&mut bytes, (b"gone", None));
        push(&mut bytes, (b"", Some(b"")));
        assert_eq!(bytes, *b"\x03\0\x05\0\0\0keyvalue\x04\0\xff\xff\xff\xffgone\0\0\0\0\0\0");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn records_are_given_back_and_no_shorter_bytes_hold_them(
            expected in proptest::collection::vec(
                (
                    proptest::collection::vec(any::<u8>(), 0..6),
                    proptest::option::of(proptest::collection::vec(any::<u8>(), 0..9)),
                ),
                1..20,
            ),
        ) {
            let mut bytes = Vec::new();
            for (key, value) in &expected {
                let before = bytes.len();
                push(&mut bytes, (key, value.as_deref()));
                prop_assert_eq!(bytes.len() - before, len((key, value.as_deref())));
            }
            prop_assert_eq!(take_all(&bytes), Ok(expected.clone()));
            for len in 0..bytes.len() {
                let shorter = take_all(&bytes[..len]);
                prop_assert!(shorter.is_err() || shorter.is_ok_and(|records| records.len() < expected.len()));
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = take_all(&bytes);
        }
    }
}
