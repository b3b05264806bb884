//! Sorted tables: files that are written once, in key order, and never change.
//!
//! ```text
//! data block ... data block | filter | index block | footer
//! ```
//!
//! Every part is reached by a [`Handle`] that lies in its parent: the manifest holds the footer's, the footer
//! those of filter and index, the index those of the data blocks. A handle carries the checksum of what it
//! points to, so a block that was never written, or written elsewhere, or is of an older file, fails as
//! surely as a flipped bit (the parent keeps the checksum, as in ZFS; Bonwick and Moore). The price: a table
//! cannot be read without its manifest.

pub mod block;
pub mod filter;
mod pack;
pub mod reader;
pub mod writer;

use alloc::vec::Vec;

use crate::base::bytes::Bytes;
use crate::base::checksum::checksum;
use crate::base::codec::{self, Decode, Encode, Malformed};
use crate::disk::{Disk, FileKind, FileName};
use crate::storage::cache::Cache;
use crate::storage::error::ReadError;
use crate::storage::frame::context;

/// The version of everything in a table file. Stored in its footer.
/// 2: every part says whether it is compressed.
pub const TABLE_VERSION: u16 = 2;
/// No block, filter or index is longer, in bytes: a longer handle is damage.
const BLOCK_MAX: u32 = 64 << 20;

/// Where a part of a table lies, and what it must contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub struct Handle {
    /// In bytes from the beginning of the file.
    pub offset: u64,
    /// In bytes.
    pub len: u32,
    /// XXH3 of the part, bound to file and offset.
    pub checksum: u64,
}

/// The last part of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub struct Footer {
    pub version: u16,
    pub filter: Handle,
    pub index: Handle,
}

/// Keys from `first` to `last`, both included.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyRange {
    pub first: Bytes,
    pub last: Bytes,
}

impl KeyRange {
    pub fn contains(&self, key: &[u8]) -> bool {
        *self.first <= *key && *key <= *self.last
    }

    /// Whether these are all keys of the table.
    pub fn is_of(&self, table: &TableMeta) -> bool {
        self.first == table.first && self.last == table.last
    }
}

/// What the manifest knows of a table.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub struct TableMeta {
    pub number: u64,
    pub footer: Handle,
    /// Its smallest and its largest key.
    pub first: Bytes,
    pub last: Bytes,
    /// The position of the newest write that can be in it. Orders the tables of level 0.
    pub newest: u64,
    /// Keys in it, deleted ones included.
    pub entries: u64,
    /// Deleted ones.
    pub deletes: u64,
}

impl TableMeta {
    pub fn file(&self) -> FileName {
        FileName::new(FileKind::Table, self.number)
    }

    /// The length of the file, in bytes.
    pub fn size(&self) -> u64 {
        self.footer.offset.saturating_add(u64::from(self.footer.len))
    }

    /// Whether a key in `first..=last` (of another table, say) can be in this one.
    pub fn overlaps(&self, first: &[u8], last: &[u8]) -> bool {
        *self.first <= *last && *self.last >= *first
    }
}

/// The way to the blocks of all tables: through the cache where there is one, past it for jobs, which read
/// every block once and would only push out what clients read.
pub struct Pages<'a> {
    pub disk: &'a mut dyn Disk,
    pub cache: Option<&'a mut Cache>,
    /// Bytes that came from the disk.
    pub read: u64,
}

impl Pages<'_> {
    /// The verified bytes behind a handle. Verifies on every read from disk, so the cache holds only good
    /// blocks. What fails is read once more, since not every failure is on the platter; then it is damage, however
    /// the disk put it.
    pub fn fetch(&mut self, file: FileName, handle: Handle) -> Result<Bytes, ReadError> {
        let place = (file.number, handle.offset);
        if let Some(block) = self.cache.as_deref_mut().and_then(|cache| cache.get(place)) {
            return Ok(block);
        }
        let block = self.read(file, handle).or_else(|_first| self.read(file, handle))?;
        if let Some(cache) = self.cache.as_deref_mut() {
            cache.insert(place, block.clone());
        }
        Ok(block)
    }

    fn read(&mut self, file: FileName, handle: Handle) -> Result<Bytes, ReadError> {
        let damaged = ReadError { file, offset: handle.offset };
        if handle.len > BLOCK_MAX {
            return Err(damaged);
        }
        let mut buffer: Vec<u8> = alloc::vec![0u8; handle.len as usize];
        let read = self.disk.read_at(file, handle.offset, &mut buffer).map_err(|_| damaged)?;
        self.read += read as u64;
        let is_whole =
            read == buffer.len() && checksum(context(file, handle.offset), &buffer) == handle.checksum;
        if !is_whole {
            return Err(damaged);
        }
        pack::unpack(buffer).map(Bytes::from).map_err(|Malformed| damaged)
    }

    /// The footer of a table. Those that were read once are kept, outside of the cache's weight: they are small, and
    /// every look-up begins with one.
    pub fn footer(&mut self, table: &TableMeta) -> Result<Footer, ReadError> {
        if let Some(footer) = self.cache.as_deref().and_then(|cache| cache.footer(table.number)) {
            return Ok(footer);
        }
        let damaged = ReadError { file: table.file(), offset: table.footer.offset };
        let bytes =
            self.read(table.file(), table.footer).or_else(|_first| self.read(table.file(), table.footer))?;
        let footer: Footer = codec::decode(&bytes).map_err(|Malformed| damaged)?;
        if footer.version != TABLE_VERSION {
            return Err(damaged);
        }
        if let Some(cache) = self.cache.as_deref_mut() {
            cache.keep_footer(table.number, footer);
        }
        Ok(footer)
    }

    /// False only if no key with this [`filter::hash`] is in the table.
    pub fn may_contain(&mut self, table: &TableMeta, hash: u64) -> Result<bool, ReadError> {
        if let Some(kept) = self.cache.as_deref().and_then(|cache| cache.filter(table.number)) {
            return Ok(filter::may_contain(kept, hash));
        }
        let footer = self.footer(table)?;
        Ok(filter::may_contain(&self.filter(table.file(), footer.filter), hash))
    }

    /// The filter behind a handle, or an empty one, which forbids nothing, in place of a damaged one: it costs
    /// time, not keys. Remembered, so that the damage is met only once.
    fn filter(&mut self, file: FileName, handle: Handle) -> Bytes {
        let place = (file.number, handle.offset);
        if let Some(filter) = self.cache.as_deref_mut().and_then(|cache| cache.get(place)) {
            return filter;
        }
        let read = self.read(file, handle).or_else(|_first| self.read(file, handle));
        let filter = read.unwrap_or_default();
        if let Some(cache) = self.cache.as_deref_mut()
            && !cache.keep_filter(file.number, &filter)
        {
            cache.insert(place, filter.clone());
        }
        filter
    }
}
