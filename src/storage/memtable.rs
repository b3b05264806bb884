//! The memtable: the newest writes, sorted, in memory. One owner and a B-tree; a skip list would only help
//! readers on other threads, and there are none.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::ops::Bound;

use crate::base::bytes::Bytes;

/// A key with its value, or with `None` where it was deleted.
pub type Entry = (Bytes, Option<Bytes>);

#[derive(Clone, Debug, Default, Hash)]
pub struct Memtable {
    entries: BTreeMap<Bytes, Option<Bytes>>,
}

impl Memtable {
    pub fn insert(&mut self, key: Bytes, value: Option<Bytes>) {
        self.entries.insert(key, value);
    }

    /// `None` if it knows nothing of the key, `Some(None)` if the key was deleted.
    pub fn get(&self, key: &[u8]) -> Option<Option<Bytes>> {
        self.entries.get(key).cloned()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// Walks a memtable that does not change meanwhile. Holds no borrow, so that a job can keep it between
/// slices.
#[derive(Clone, Debug, Hash)]
pub struct Cursor {
    table: Arc<Memtable>,
    head: Option<Entry>,
}

impl Cursor {
    pub fn new(table: Arc<Memtable>) -> Cursor {
        Cursor { table, head: None }
    }

    pub fn head(&self) -> Option<&Entry> {
        self.head.as_ref()
    }

    /// Moves to the first key at or after `from`.
    pub fn seek(&mut self, from: &[u8]) {
        self.head = self.first_after(Bound::Included(from));
    }

    pub fn advance(&mut self) {
        if let Some((key, _)) = self.head.take() {
            self.head = self.first_after(Bound::Excluded(&key));
        }
    }

    fn first_after(&self, from: Bound<&[u8]>) -> Option<Entry> {
        let mut range = self.table.entries.range::<[u8], _>((from, Bound::Unbounded));
        range.next().map(|(key, value)| (key.clone(), value.clone()))
    }
}
