//! The k-way merge under flushes, compactions and scans. The sources are few (the memtables, the tables of
//! level 0, one run for each other level), so the smallest head is found by looking at all of them.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::storage::error::ReadError;
use crate::storage::memtable::{self, Entry};
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

    fn head(&self) -> Option<&Entry> {
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
}

impl Merge {
    /// Unpositioned: [`Merge::seek`] comes first.
    pub fn new(newest_first: Vec<Source>) -> Merge {
        Merge { sources: newest_first }
    }

    pub fn seek(&mut self, from: &[u8], pages: &mut Pages) -> Result<(), ReadError> {
        self.sources.iter_mut().try_for_each(|source| source.seek(from, pages))
    }

    /// The next entry, deletes included. After an error the walk is over.
    pub fn next(&mut self, pages: &mut Pages) -> Result<Option<Entry>, ReadError> {
        // Of equal keys `min_by` gives the first, which is the newest.
        let heads = self.sources.iter().enumerate().filter_map(|(at, source)| Some((at, source.head()?)));
        let Some((newest, (key, value))) = heads.min_by(|a, b| a.1.0.cmp(&b.1.0)) else { return Ok(None) };
        let (key, value) = (key.clone(), value.clone());
        for source in self.sources.iter_mut().skip(newest) {
            if source.head().is_some_and(|head| head.0 == key) {
                source.advance(pages)?;
                assert!(source.head().is_none_or(|head| head.0 > key), "keys come in rising order");
            }
        }
        Ok(Some((key, value)))
    }
}
