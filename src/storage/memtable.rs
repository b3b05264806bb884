//! The memtable: the newest writes, sorted, in memory.
//!
//! Records lie one behind the other in large chunks, so a write costs no allocation and a whole memtable is freed in
//! a few. What is sorted are slots of 16 bytes: the first 8 bytes of a key, which decide most comparisons without a
//! look at the record, and where the record lies. The slots are in leaves of up to [`LEAF`], and the smallest slot
//! of each leaf stands in one array above them: a B+ tree of two levels (Bayer and McCreight 1972). Inserting moves
//! at most a leaf, and now and then, when a leaf is split, the array; for memtables of some megabytes that array
//! fits into a cache. One owner: a skip list would only help writers on other threads, and there are none.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Ordering;

use crate::storage::record::{self, Record};

/// Slots of a leaf.
const LEAF: usize = 128;
/// Bytes of a chunk. A longer record has one of its own.
const CHUNK: usize = 64 << 10;

/// Where a record lies.
#[derive(Clone, Copy, Debug, Hash)]
struct Slot {
    /// The first bytes of the key, big-endian, filled up with zeros: if two differ, so do the keys, the same way.
    prefix: u64,
    chunk: u32,
    at: u32,
}

#[derive(Clone, Debug, Default, Hash)]
pub struct Memtable {
    chunks: Vec<Vec<u8>>,
    /// In key order. No leaf is empty.
    leaves: Vec<Vec<Slot>>,
    /// A lower bound of each leaf but the first, and an upper bound of the one before.
    bounds: Vec<Slot>,
}

fn prefix(key: &[u8]) -> u64 {
    let mut first = [0u8; 8];
    let len = key.len().min(8);
    first[..len].copy_from_slice(&key[..len]);
    u64::from_be_bytes(first)
}

impl Memtable {
    /// Takes the place of what it had of this key.
    pub fn insert(&mut self, key: &[u8], value: Option<&[u8]>) {
        let slot = self.keep((key, value));
        let Some((leaf, found)) = self.find(key) else {
            self.leaves.push(alloc::vec![slot]);
            self.bounds.push(slot);
            return;
        };
        let slots = &mut self.leaves[leaf];
        let at = match found {
            Ok(at) => {
                slots[at] = slot;
                return;
            }
            Err(at) => at,
        };
        if slots.len() < LEAF {
            slots.insert(at, slot);
            return;
        }
        // Keys that come in order fill every leaf.
        let mut upper = slots.split_off(if at == LEAF { LEAF } else { LEAF / 2 });
        if at < LEAF / 2 {
            slots.insert(at, slot);
        } else {
            upper.insert(at - slots.len(), slot);
        }
        self.bounds.insert(leaf + 1, upper[0]);
        self.leaves.insert(leaf + 1, upper);
        assert_eq!(self.bounds.len(), self.leaves.len(), "each leaf has its bound");
    }

    /// `None` if it knows nothing of the key, `Some(None)` if the key was deleted.
    pub fn get(&self, key: &[u8]) -> Option<Option<&[u8]>> {
        let (leaf, found) = self.find(key)?;
        let (_, value) = self.record(self.leaves[leaf][found.ok()?]);
        Some(value)
    }

    pub fn is_empty(&self) -> bool {
        self.leaves.is_empty()
    }

    /// Copies a record into the chunks.
    fn keep(&mut self, record: Record) -> Slot {
        let len = record::len(record);
        if self.chunks.last().is_none_or(|chunk| chunk.len() + len > CHUNK && !chunk.is_empty()) {
            // The first grows as it needs to: most memtables of a simulated cluster stay small.
            let is_first = self.chunks.is_empty();
            self.chunks.push(if is_first { Vec::new() } else { Vec::with_capacity(CHUNK.max(len)) });
        }
        let chunk = self.chunks.len() - 1;
        let bytes = &mut self.chunks[chunk];
        let at = bytes.len() as u32;
        record::push(bytes, record);
        Slot { prefix: prefix(record.0), chunk: chunk as u32, at }
    }

    fn record(&self, slot: Slot) -> Record<'_> {
        let mut bytes = &self.chunks[slot.chunk as usize][slot.at as usize..];
        record::take(&mut bytes).expect("slots point to records")
    }

    fn compare(&self, slot: Slot, prefix: u64, key: &[u8]) -> Ordering {
        slot.prefix.cmp(&prefix).then_with(|| self.record(slot).0.cmp(key))
    }

    /// The leaf that has the key, or should have it, and where in it, as a binary search puts it. `None` only if there
    /// are no leaves.
    fn find(&self, key: &[u8]) -> Option<(usize, Result<usize, usize>)> {
        let prefix = prefix(key);
        let at_or_before =
            self.bounds.partition_point(|bound| self.compare(*bound, prefix, key) != Ordering::Greater);
        let leaf = at_or_before.saturating_sub(1);
        let slots = self.leaves.get(leaf)?;
        Some((leaf, slots.binary_search_by(|slot| self.compare(*slot, prefix, key))))
    }
}

/// Walks a memtable that does not change meanwhile. Holds no borrow, so that a job can keep it between
/// slices.
#[derive(Clone, Debug, Hash)]
pub struct Cursor {
    table: Arc<Memtable>,
    leaf: usize,
    at: usize,
}

impl Cursor {
    /// At the first key.
    pub fn new(table: Arc<Memtable>) -> Cursor {
        Cursor { table, leaf: 0, at: 0 }
    }

    pub fn head(&self) -> Option<Record<'_>> {
        let slot = self.table.leaves.get(self.leaf)?.get(self.at)?;
        Some(self.table.record(*slot))
    }

    /// Moves to the first key at or after `from`.
    pub fn seek(&mut self, from: &[u8]) {
        let (leaf, found) = self.table.find(from).unwrap_or((0, Err(0)));
        (self.leaf, self.at) = (leaf, found.unwrap_or_else(|at| at));
        self.settle();
    }

    pub fn advance(&mut self) {
        self.at += 1;
        self.settle();
    }

    /// From the end of a leaf to the start of the next.
    fn settle(&mut self) {
        if self.table.leaves.get(self.leaf).is_some_and(|slots| self.at >= slots.len()) {
            (self.leaf, self.at) = (self.leaf + 1, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use proptest::prelude::*;

    type Model = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

    fn walk(mut cursor: Cursor) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
        let mut found = Vec::new();
        while let Some((key, value)) = cursor.head() {
            found.push((key.to_vec(), value.map(<[u8]>::to_vec)));
            cursor.advance();
        }
        found
    }

    fn check(table: Memtable, model: &Model, targets: &[Vec<u8>]) {
        for (leaf, bound) in table.leaves.iter().zip(&table.bounds).skip(1) {
            assert!(table.record(*bound).0 <= table.record(leaf[0]).0 && leaf.len() <= LEAF);
        }
        let cursor = Cursor::new(Arc::new(table));
        let owned = |(key, value): (&Vec<u8>, &Option<Vec<u8>>)| (key.clone(), value.clone());
        assert_eq!(walk(cursor.clone()), model.iter().map(owned).collect::<Vec<_>>());
        for target in targets {
            let found = cursor.table.get(target).map(|value| value.map(<[u8]>::to_vec));
            assert_eq!(found.as_ref(), model.get(target));
            let mut cursor = cursor.clone();
            cursor.seek(target);
            assert_eq!(walk(cursor), model.range(target.clone()..).map(owned).collect::<Vec<_>>());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Keys that are prefixes of each other, with zeros, around the 8 bytes that slots hold.
        #[test]
        fn a_memtable_is_a_sorted_map(
            writes in proptest::collection::vec(
                (proptest::collection::vec(0u8..3, 0..11), proptest::option::of(any::<u8>())),
                0..900,
            ),
            targets in proptest::collection::vec(proptest::collection::vec(0u8..3, 0..11), 8),
        ) {
            let (mut table, mut model) = (Memtable::default(), Model::new());
            for (key, value) in writes {
                let value = value.map(|byte| alloc::vec![byte; usize::from(byte)]);
                table.insert(&key, value.as_deref());
                model.insert(key, value);
            }
            check(table, &model, &targets);
        }
    }

    #[test]
    fn rising_and_falling_keys_and_long_values_are_kept() {
        for falling in [false, true] {
            let (mut table, mut model) = (Memtable::default(), Model::new());
            for n in 0..2000u32 {
                let key = if falling { 2000 - n } else { n }.to_be_bytes();
                let value = alloc::vec![n as u8; if n % 500 == 0 { 2 * CHUNK } else { 100 }];
                table.insert(&key, Some(&value));
                model.insert(key.to_vec(), Some(value));
            }
            assert_eq!(table.leaves.len(), if falling { 31 } else { 2000usize.div_ceil(LEAF) });
            let targets: Vec<_> = (0..2000u32).step_by(97).map(|n| n.to_be_bytes().to_vec()).collect();
            check(table, &model, &targets);
        }
    }
}
