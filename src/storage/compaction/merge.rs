//! The k-way merge under flushes, compactions and scans. The sources are few (the memtables, the tables of
//! level 0, one run for each other level), so the smallest head is found by looking at all of them.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::storage::error::ReadError;
use crate::storage::memtable;
use crate::storage::record::Record;
use crate::storage::table::Pages;
use crate::storage::table::reader::Run;

#[derive(Clone, Debug, Hash)]
pub enum Source {
    Memory(memtable::Cursor),
    Tables(Box<Run>),
}

impl Source {
    pub fn tables(run: Run) -> Source {
        Source::Tables(Box::new(run))
    }

    fn head(&self) -> Option<Record<'_>> {
        match self {
            Source::Memory(cursor) => cursor.head(),
            Source::Tables(run) => run.head(),
        }
    }

    fn seek(&mut self, from: &[u8], pages: &mut Pages) -> Result<(), ReadError> {
        match self {
            Source::Memory(cursor) => {
                cursor.seek(from);
                Ok(())
            }
            Source::Tables(run) => run.seek(from, pages),
        }
    }

    fn advance(&mut self, pages: &mut Pages) -> Result<(), ReadError> {
        match self {
            Source::Memory(cursor) => {
                cursor.advance();
                Ok(())
            }
            Source::Tables(run) => run.advance(pages),
        }
    }
}

/// Walks the keys of all sources in order, each key once, with the entry of the newest source that knows it.
#[derive(Clone, Debug, Hash)]
pub struct Merge {
    /// Newest first.
    sources: Vec<Source>,
    /// Whose entry was handed out last.
    current: Option<usize>,
}

impl Merge {
    /// Unpositioned: [`Merge::seek`] comes first.
    pub fn new(newest_first: Vec<Source>) -> Merge {
        Merge { sources: newest_first, current: None }
    }

    pub fn seek(&mut self, from: &[u8], pages: &mut Pages) -> Result<(), ReadError> {
        self.current = None;
        self.sources.iter_mut().try_for_each(|source| source.seek(from, pages))
    }

    /// The next entry, deletes included. After an error the walk is over.
    pub fn next(&mut self, pages: &mut Pages) -> Result<Option<Record<'_>>, ReadError> {
        self.leave(pages)?;
        // Of equal keys `min_by` gives the first, which is the newest.
        let heads = self.sources.iter().enumerate().filter_map(|(at, source)| Some((at, source.head()?)));
        let Some((newest, head)) = heads.min_by(|a, b| a.1.0.cmp(b.1.0)) else { return Ok(None) };
        self.current = Some(newest);
        Ok(Some(head))
    }

    /// Moves from the current key to the next, in every source that is on it.
    fn leave(&mut self, pages: &mut Pages) -> Result<(), ReadError> {
        let Some(current) = self.current.take() else { return Ok(()) };
        let (newer, older) = self.sources.split_at_mut(current + 1);
        let Some(current) = newer.last_mut() else { return Ok(()) };
        if let Some((key, _)) = current.head() {
            for source in older {
                if source.head().is_some_and(|head| head.0 == key) {
                    source.advance(pages)?;
                    assert!(source.head().is_none_or(|head| head.0 > key), "keys come in rising order");
                }
            }
        }
        current.advance(pages)
    }
}
