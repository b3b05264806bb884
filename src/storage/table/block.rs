//! A block: sorted entries with prefix compression, as in LevelDB (`doc/table_format.md`).
//!
//! ```text
//! entry ... entry | restart offset u32 ... | number of restarts u32
//! entry: shared u16 | rest u16 | value length u32 (u32::MAX: deleted) | rest of the key | value
//! ```
//!
//! An entry leaves out the bytes that its key shares with the key before it. Every 16th entry is a restart:
//! its key is whole, so a search can jump there. All integers are little-endian.
//!
//! A block is read only after its checksum was verified. What does not parse nevertheless is [`Malformed`],
//! never a panic.

use alloc::vec::Vec;
use core::ops::Range;

use crate::base::bytes::Bytes;
use crate::base::codec::Malformed;

/// Entries from one whole key to the next.
const RESTART_INTERVAL: u32 = 16;
const ENTRY_HEADER: usize = 8;
const DELETED: u32 = u32::MAX;

#[derive(Clone, Debug, Default, Hash)]
pub struct Builder {
    bytes: Vec<u8>,
    restarts: Vec<u32>,
    since_restart: u32,
    last_key: Vec<u8>,
}

impl Builder {
    /// Appends an entry; keys must come in rising order.
    pub fn push(&mut self, key: &[u8], value: Option<&[u8]>) {
        assert!(self.is_empty() || *key > *self.last_key, "keys come in rising order");
        let shared = if self.is_empty() || self.since_restart == RESTART_INTERVAL {
            self.restarts.push(self.bytes.len() as u32);
            self.since_restart = 0;
            0
        } else {
            key.iter().zip(&self.last_key).take_while(|(a, b)| a == b).count()
        };
        let rest = key.len() - shared;
        assert!(key.len() <= usize::from(u16::MAX), "the engine checks key lengths");
        let value_len = value.map_or(DELETED, |value| value.len() as u32);
        self.bytes.extend_from_slice(&(shared as u16).to_le_bytes());
        self.bytes.extend_from_slice(&(rest as u16).to_le_bytes());
        self.bytes.extend_from_slice(&value_len.to_le_bytes());
        self.bytes.extend_from_slice(&key[shared..]);
        self.bytes.extend_from_slice(value.unwrap_or(&[]));
        self.since_restart += 1;
        self.last_key.clear();
        self.last_key.extend_from_slice(key);
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Its length so far, in bytes.
    pub fn len(&self) -> usize {
        self.bytes.len() + 4 * self.restarts.len() + 4
    }

    pub fn last_key(&self) -> &[u8] {
        &self.last_key
    }

    /// The finished block; the builder is empty again.
    pub fn finish(&mut self) -> Vec<u8> {
        let mut bytes = core::mem::take(&mut self.bytes);
        for restart in &self.restarts {
            bytes.extend_from_slice(&restart.to_le_bytes());
        }
        bytes.extend_from_slice(&(self.restarts.len() as u32).to_le_bytes());
        *self = Builder::default();
        bytes
    }
}

/// A place in a block: on an entry, or behind the last.
#[derive(Clone, Debug, Hash)]
pub struct Cursor {
    block: Bytes,
    /// Where the entries end and the restarts begin.
    restarts_at: usize,
    restarts: usize,
    /// The offset of the next entry.
    next: usize,
    key: Vec<u8>,
    /// Of the current entry; `None` if it is a delete.
    value: Option<Range<usize>>,
    on_entry: bool,
}

impl Cursor {
    /// Before the first entry: [`Cursor::advance`] or [`Cursor::seek`] comes next.
    pub fn new(block: Bytes) -> Result<Cursor, Malformed> {
        let end = block.len().checked_sub(4).ok_or(Malformed)?;
        let restarts = read_u32(&block, end)? as usize;
        let restarts_at = restarts.checked_mul(4).and_then(|len| end.checked_sub(len)).ok_or(Malformed)?;
        Ok(Cursor { block, restarts_at, restarts, next: 0, key: Vec::new(), value: None, on_entry: false })
    }

    pub fn is_on_entry(&self) -> bool {
        self.on_entry
    }

    pub fn key(&self) -> &[u8] {
        &self.key
    }

    pub fn value(&self) -> Option<&[u8]> {
        self.value.clone().and_then(|range| self.block.get(range))
    }

    /// Moves to the next entry, or behind the last.
    pub fn advance(&mut self) -> Result<(), Malformed> {
        if self.next >= self.restarts_at {
            self.on_entry = false;
            return Ok(());
        }
        let at = self.next;
        let (shared, rest, value_len) = entry_header(&self.block, at)?;
        let key_end = (at + ENTRY_HEADER).checked_add(rest).ok_or(Malformed)?;
        let value_size = if value_len == DELETED { 0 } else { value_len as usize };
        let end = key_end.checked_add(value_size).filter(|end| *end <= self.restarts_at).ok_or(Malformed)?;
        if shared > self.key.len() {
            return Err(Malformed);
        }
        self.key.truncate(shared);
        self.key.extend_from_slice(self.block.get(at + ENTRY_HEADER..key_end).ok_or(Malformed)?);
        self.value = (value_len != DELETED).then_some(key_end..end);
        self.next = end;
        self.on_entry = true;
        Ok(())
    }

    /// Moves to the first entry whose key is at or after `target`, or behind the last.
    pub fn seek(&mut self, target: &[u8]) -> Result<(), Malformed> {
        // The last restart before the target: its entry, or one of the next 15, is the one we look for.
        let (mut low, mut high) = (0, self.restarts);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.restart_key(middle)? < target { low = middle + 1 } else { high = middle }
        }
        self.next = if low == 0 { 0 } else { self.restart(low - 1)? };
        self.key.clear();
        loop {
            self.advance()?;
            if !self.on_entry || *self.key >= *target {
                return Ok(());
            }
        }
    }

    fn restart(&self, n: usize) -> Result<usize, Malformed> {
        assert!(n < self.restarts, "a search stays within the restarts");
        Ok(read_u32(&self.block, self.restarts_at + 4 * n)? as usize)
    }

    fn restart_key(&self, n: usize) -> Result<&[u8], Malformed> {
        let at = self.restart(n)?;
        let (shared, rest, _) = entry_header(&self.block, at)?;
        let start = at + ENTRY_HEADER;
        if shared != 0 || start + rest > self.restarts_at {
            return Err(Malformed);
        }
        self.block.get(start..start + rest).ok_or(Malformed)
    }
}

fn read_u32(bytes: &[u8], at: usize) -> Result<u32, Malformed> {
    let field = at.checked_add(4).and_then(|end| bytes.get(at..end)).ok_or(Malformed)?;
    Ok(u32::from_le_bytes(field.try_into().map_err(|_| Malformed)?))
}

/// Shared and unshared key length and value length of the entry at `at`.
fn entry_header(bytes: &[u8], at: usize) -> Result<(usize, usize, u32), Malformed> {
    let lengths = read_u32(bytes, at)?;
    let value_len = read_u32(bytes, at + 4)?;
    Ok(((lengths & 0xffff) as usize, (lengths >> 16) as usize, value_len))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use alloc::format;
    use proptest::prelude::*;

    type Model = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

    fn build(model: &Model) -> Bytes {
        let mut builder = Builder::default();
        for (key, value) in model {
            builder.push(key, value.as_deref());
        }
        let expected = builder.len();
        let bytes = builder.finish();
        assert_eq!(bytes.len(), expected);
        Bytes::from(bytes)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_block_gives_back_its_entries_and_finds_every_place(
            model in proptest::collection::btree_map(
                proptest::collection::vec(0u8..4, 0..6),
                proptest::option::of(proptest::collection::vec(any::<u8>(), 0..9)),
                0..80,
            ),
            target in proptest::collection::vec(0u8..4, 0..6),
        ) {
            let mut cursor = Cursor::new(build(&model)).expect("well formed");
            for (key, value) in &model {
                cursor.advance().expect("well formed");
                prop_assert_eq!(cursor.key(), &key[..]);
                prop_assert_eq!(cursor.value(), value.as_deref());
            }
            cursor.advance().expect("well formed");
            prop_assert!(!cursor.is_on_entry());
            cursor.seek(&target).expect("well formed");
            let found = cursor.is_on_entry().then(|| cursor.key().to_vec());
            prop_assert_eq!(found, model.range(target..).next().map(|(key, _)| key.clone()));
        }

        #[test]
        fn no_bytes_make_a_cursor_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(mut cursor) = Cursor::new(Bytes::from(bytes)) {
                let _ = cursor.seek(b"key");
                while cursor.advance().is_ok() && cursor.is_on_entry() {}
            }
        }
    }

    #[test]
    fn shared_prefixes_are_stored_once() {
        let entries = |prefix: &str| -> Model {
            (0..64).map(|n| (format!("{prefix}{n:02}").into_bytes(), None)).collect()
        };
        let growth = build(&entries("a-long-common-prefix/")).len() - build(&entries("")).len();
        assert_eq!(growth, 4 * "a-long-common-prefix/".len(), "once per restart");
    }
}
