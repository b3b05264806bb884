//! Reads tables: one key, or a walk.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::base::bytes::Bytes;
use crate::base::codec::{self, Malformed};
use crate::storage::cache::Place;
use crate::storage::error::ReadError;
use crate::storage::record::Record;
use crate::storage::table::{Footer, Handle, KeyRange, Pages, TableMeta, block};

/// The block of the table that knows of the key with this [hash](super::filter::hash), at the entry that tells its
/// value or that it was deleted. `None`: the table knows nothing of it.
pub fn find(
    table: &TableMeta,
    key: &[u8],
    hash: u64,
    pages: &mut Pages,
) -> Result<Option<block::Cursor>, ReadError> {
    if !pages.may_contain(table, hash)? {
        return Ok(None);
    }
    let footer = pages.footer(table)?;
    let mut cursor = Cursor::open(table, &footer, pages)?;
    cursor.seek(table, key, pages)?;
    Ok(cursor.block.filter(|block| block.is_on_entry() && block.key() == key))
}

fn damaged(table: &TableMeta, part: Handle) -> ReadError {
    ReadError { file: table.file(), offset: part.offset }
}

/// Whether the filter is whole.
pub fn check_filter(table: &TableMeta, pages: &mut Pages) -> Result<(), ReadError> {
    let footer = pages.footer(table)?;
    pages.fetch(table.file(), footer.filter).map(drop)
}

/// A data block, and the keys that can be in it.
#[derive(Clone, Debug, Hash)]
pub struct Span {
    pub handle: Handle,
    pub keys: KeyRange,
}

/// The data blocks of a table, in key order.
pub fn blocks(table: &TableMeta, pages: &mut Pages) -> Result<Vec<Span>, ReadError> {
    let footer = pages.footer(table)?;
    let bad_index = damaged(table, footer.index);
    let bytes = pages.fetch(table.file(), footer.index)?;
    let mut index = block::Cursor::new(bytes).map_err(|Malformed| bad_index)?;
    let mut first = table.first.clone();
    let mut spans = Vec::new();
    loop {
        index.advance().map_err(|Malformed| bad_index)?;
        if !index.is_on_entry() {
            return Ok(spans);
        }
        let handle = codec::decode(index.value().ok_or(bad_index)?).map_err(|Malformed| bad_index)?;
        let last = Bytes::new(index.key());
        // The next block begins with the smallest key behind this one's last, or later.
        let next = Bytes::from([index.key(), &[0]].concat());
        spans.push(Span { handle, keys: KeyRange { first: core::mem::replace(&mut first, next), last } });
    }
}

/// A place in one table.
#[derive(Clone, Debug, Hash)]
struct Cursor {
    index_handle: Handle,
    index: block::Cursor,
    /// The data block that the index is at; `None` behind the last.
    block: Option<block::Cursor>,
    /// Offsets of blocks that are passed over.
    skipped: Vec<u64>,
}

impl Cursor {
    fn open(table: &TableMeta, footer: &Footer, pages: &mut Pages) -> Result<Cursor, ReadError> {
        let bytes = pages.fetch(table.file(), footer.index)?;
        let index = block::Cursor::new(bytes).map_err(|Malformed| damaged(table, footer.index))?;
        Ok(Cursor { index_handle: footer.index, index, block: None, skipped: Vec::new() })
    }

    /// Moves to the first entry at or after `target`.
    fn seek(&mut self, table: &TableMeta, target: &[u8], pages: &mut Pages) -> Result<(), ReadError> {
        self.index.seek(target).map_err(|Malformed| damaged(table, self.index_handle))?;
        self.enter(table, target, pages)
    }

    fn advance(&mut self, table: &TableMeta, pages: &mut Pages) -> Result<(), ReadError> {
        let Some(block) = &mut self.block else { return Ok(()) };
        block.advance().map_err(|Malformed| damaged(table, self.index_handle))?;
        if block.is_on_entry() {
            return Ok(());
        }
        self.index.advance().map_err(|Malformed| damaged(table, self.index_handle))?;
        self.enter(table, &[], pages)
    }

    /// Loads the data block that the index is at, and moves to its first entry at or after `target`. The
    /// index holds the last key of each block, so there is one.
    fn enter(&mut self, table: &TableMeta, target: &[u8], pages: &mut Pages) -> Result<(), ReadError> {
        self.block = None;
        let bad_index = damaged(table, self.index_handle);
        let handle: Handle = loop {
            if !self.index.is_on_entry() {
                return Ok(());
            }
            let handle: Handle =
                codec::decode(self.index.value().ok_or(bad_index)?).map_err(|Malformed| bad_index)?;
            if !self.skipped.contains(&handle.offset) {
                break handle;
            }
            self.index.advance().map_err(|Malformed| bad_index)?;
        };
        let bytes = pages.fetch(table.file(), handle)?;
        let mut block = block::Cursor::new(bytes).map_err(|Malformed| damaged(table, handle))?;
        block.seek(target).map_err(|Malformed| damaged(table, handle))?;
        if !block.is_on_entry() {
            return Err(bad_index);
        }
        self.block = Some(block);
        Ok(())
    }
}

/// A walk over tables that follow each other in key order without overlap: a level, or a single table. A
/// table is opened when the walk reaches it.
#[derive(Clone, Debug, Hash)]
pub struct Run {
    tables: Vec<Arc<TableMeta>>,
    at: usize,
    cursor: Option<Cursor>,
    /// Places (table, offset) that are passed over: data blocks, or whole tables by their index or footer.
    skipped: Vec<Place>,
}

impl Run {
    pub fn new(tables: Vec<Arc<TableMeta>>) -> Run {
        assert!(
            tables.windows(2).all(|pair| pair[0].last < pair[1].first),
            "the tables of a run do not overlap"
        );
        Run { tables, at: 0, cursor: None, skipped: Vec::new() }
    }

    /// A walk that passes over these places (table, offset): data blocks, or whole tables by their index or footer.
    pub fn around(tables: Vec<Arc<TableMeta>>, skipped: Vec<Place>) -> Run {
        Run { skipped, ..Run::new(tables) }
    }

    pub fn head(&self) -> Option<Record<'_>> {
        let block = self.cursor.as_ref()?.block.as_ref()?;
        Some((block.key(), block.value()))
    }

    /// Moves to the first entry at or after `from`.
    pub fn seek(&mut self, from: &[u8], pages: &mut Pages) -> Result<(), ReadError> {
        self.at = self.tables.partition_point(|table| *table.last < *from);
        self.cursor = None;
        self.settle(from, pages)
    }

    pub fn advance(&mut self, pages: &mut Pages) -> Result<(), ReadError> {
        if let Some(table) = self.tables.get(self.at)
            && let Some(cursor) = &mut self.cursor
        {
            cursor.advance(table, pages)?;
        }
        self.settle(&[], pages)
    }

    /// Goes on to the next table where one has ended.
    fn settle(&mut self, from: &[u8], pages: &mut Pages) -> Result<(), ReadError> {
        while let Some(table) = self.tables.get(self.at) {
            match &self.cursor {
                Some(cursor) if cursor.block.is_some() => return Ok(()),
                Some(_) => {
                    self.cursor = None;
                    self.at += 1;
                }
                None => match self.open(table, from, pages) {
                    Ok(cursor) => self.cursor = Some(cursor),
                    Err(error) if self.skipped.contains(&(table.number, error.offset)) => self.at += 1,
                    Err(error) => return Err(error),
                },
            }
        }
        Ok(())
    }

    fn open(&self, table: &TableMeta, from: &[u8], pages: &mut Pages) -> Result<Cursor, ReadError> {
        let footer = pages.footer(table)?;
        let mut cursor = Cursor::open(table, &footer, pages)?;
        let of_table = self.skipped.iter().filter(|(number, _)| *number == table.number);
        cursor.skipped.extend(of_table.map(|(_, offset)| *offset));
        cursor.seek(table, from, pages)?;
        Ok(cursor)
    }
}
