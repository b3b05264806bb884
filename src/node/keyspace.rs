//! How the node divides the one key space of its storage engine. Sibling sets, hints and the layout live in the same
//! log and tables, so one sync and one recovery cover them all.
//!
//! ```text
//! 00 · slot (2, big-endian) · key            the siblings of a key; a slot is one contiguous range
//! 01 · target node (8, big-endian) · key     a hint: siblings that the target has to get
//! 02 · name                                  the node's own notes
//! ```
//!
//! Every value begins with the version of its format. (Version 3: sibling sets hold convergent types and the
//! requests that they were.)

use alloc::vec::Vec;

use crate::base::bytes::Bytes;
use crate::base::codec::{self, BorrowDecode, Encode, Malformed};
use crate::base::id::{NodeId, Slot};
use crate::base::limits::SLOTS;
use crate::causal::siblings::Siblings;
use crate::repair::refetch::{Part, Place};
use crate::ring::token::slot_of;

const DATA: u8 = 0;
const HINT: u8 = 1;
const NOTE: u8 = 2;
const FORMAT: u8 = 3;

/// Where the layout in force is kept.
pub const LAYOUT: &[u8] = &[NOTE, b'l', b'a', b'y', b'o', b'u', b't'];

/// Appends the engine key of `key` in `slot` to `buffer`.
pub fn data_key(slot: Slot, key: &[u8], buffer: &mut Vec<u8>) {
    buffer.push(DATA);
    buffer.extend_from_slice(&slot.0.to_be_bytes());
    buffer.extend_from_slice(key);
}

/// The range of engine keys of one slot.
pub fn slot_range(slot: Slot) -> (Vec<u8>, Vec<u8>) {
    let start = |slot: u16| [&[DATA][..], &slot.to_be_bytes()].concat();
    match slot.0.checked_add(1) {
        Some(next) => (start(slot.0), start(next)),
        None => (start(slot.0), alloc::vec![HINT]),
    }
}

/// The range of all data keys.
pub fn data_range() -> (Vec<u8>, Vec<u8>) {
    (alloc::vec![DATA], alloc::vec![HINT])
}

/// The slot and key in an engine key of the data range.
pub fn parse_data_key(engine_key: &[u8]) -> Option<(Slot, &[u8])> {
    match engine_key {
        [DATA, high, low, key @ ..] => Some((Slot(u16::from_be_bytes([*high, *low])), key)),
        _ => None,
    }
}

/// The part of the data that lies between two engine keys, both included; `None` if no data can lie there.
pub fn part(first: &[u8], last: &[u8]) -> Option<Part> {
    let end = (Slot(SLOTS), Bytes::default());
    let from = match parse_data_key(first) {
        Some((slot, key)) => (slot, Bytes::new(key)),
        None if *first < [DATA, 0, 0][..] => (Slot(0), Bytes::default()),
        None => return None,
    };
    let to = match parse_data_key(last) {
        // The smallest key after the last one is that key and a zero byte.
        Some((slot, key)) => (slot, Bytes::from([key, &[0]].concat())),
        None if *last < [DATA, 0, 0][..] => return None,
        None => end.clone(),
    };
    let to = to.min(end);
    (from < to).then_some(Part { from, to })
}

/// The engine key of a place: a bound for scans.
pub fn place(place: &Place) -> Vec<u8> {
    let mut engine_key = Vec::with_capacity(place.1.len() + 3);
    data_key(place.0, &place.1, &mut engine_key);
    engine_key
}

/// Engine key and value of what is stored of a key.
pub fn entry(key: &[u8], siblings: &Siblings) -> (Bytes, Bytes) {
    let mut value = Vec::new();
    encode_value(siblings, &mut value);
    (Bytes::from(place(&(slot_of(key), Bytes::new(key)))), Bytes::from(value))
}

/// Appends the engine key of the hint for `target` about `key` to `buffer`.
pub fn hint_key(target: NodeId, key: &[u8], buffer: &mut Vec<u8>) {
    buffer.push(HINT);
    buffer.extend_from_slice(&target.0.to_be_bytes());
    buffer.extend_from_slice(key);
}

/// The range of all hints.
pub fn hint_range() -> (Vec<u8>, Vec<u8>) {
    (alloc::vec![HINT], alloc::vec![NOTE])
}

/// The target and key in an engine key of the hint range.
pub fn parse_hint_key(engine_key: &[u8]) -> Option<(NodeId, &[u8])> {
    let (&HINT, rest) = engine_key.split_first()? else { return None };
    let (target, key) = rest.split_first_chunk::<8>()?;
    Some((NodeId(u64::from_be_bytes(*target)), key))
}

/// Appends a value with its format version to `buffer`.
pub fn encode_value<T: Encode>(value: &T, buffer: &mut Vec<u8>) {
    buffer.push(FORMAT);
    codec::encode_into(value, buffer);
}

/// The inverse of [`encode_value`], of a value that may refer to what lies in `bytes`.
pub fn decode_value<'a, T: BorrowDecode<'a, ()>>(bytes: &'a [u8]) -> Result<T, Malformed> {
    match bytes.split_first() {
        Some((&FORMAT, body)) => codec::decode_borrowed(body),
        _ => Err(Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_parse_back_and_lie_in_their_ranges() {
        for slot in [Slot(0), Slot(255), Slot(256), Slot(u16::MAX)] {
            let mut key = Vec::new();
            data_key(slot, b"k", &mut key);
            assert_eq!(parse_data_key(&key), Some((slot, &b"k"[..])));
            let ((from, to), (all_from, all_to)) = (slot_range(slot), data_range());
            assert!(from <= key && key < to && all_from <= key && key < all_to);
        }
        let mut key = Vec::new();
        hint_key(NodeId(7), b"k", &mut key);
        assert_eq!(parse_hint_key(&key), Some((NodeId(7), &b"k"[..])));
        assert!(hint_range().0 <= key && key < hint_range().1);
        assert_eq!(parse_data_key(&key), None);
    }

    #[test]
    fn the_data_between_two_engine_keys_is_a_part_of_the_key_space() {
        let key = |slot: u16, key: &str| place(&(Slot(slot), Bytes::from(key)));
        let of = |first: &[u8], last: &[u8]| part(first, last).map(|part| (part.from, part.to));
        let at = |slot: u16, key: &str| (Slot(slot), Bytes::from(key));
        assert_eq!(of(&key(3, "a"), &key(9, "b")), Some((at(3, "a"), at(9, "b\0"))));
        assert_eq!(of(&[], &key(9, "b")), Some((at(0, ""), at(9, "b\0"))));
        assert_eq!(of(&key(3, "a"), LAYOUT), Some((at(3, "a"), at(SLOTS, ""))));
        assert_eq!(of(&hint_range().0, LAYOUT), None);
        // The whole data: every slot, and nothing beyond the last.
        let all = part(&data_range().0, &data_range().1).expect("there is data");
        assert!(all.is_well_formed() && all.slots().count() == usize::from(SLOTS));
        assert_eq!(part(&key(3, "a"), &key(3, "a")).expect("one key").slots().collect::<Vec<_>>(), [Slot(3)]);
    }

    #[test]
    fn a_value_of_another_format_is_refused() {
        let mut bytes = Vec::new();
        encode_value(&7u64, &mut bytes);
        assert_eq!(decode_value::<u64>(&bytes), Ok(7));
        bytes[0] += 1;
        assert_eq!(decode_value::<u64>(&bytes), Err(Malformed));
        assert_eq!(decode_value::<u64>(&[]), Err(Malformed));
    }
}
