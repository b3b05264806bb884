//! The scrub: reads a table that nobody may have asked for in years. Bits rot in silence, and a copy that is
//! found rotten only when the other copies are gone is no copy (Bairavasundaram et al., "An Analysis of Data
//! Corruption in the Storage Stack", FAST 2008).
//!
//! A filter is not looked at: a damaged one costs time, not keys, and the next compaction writes it anew.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::disk::Disk;
use crate::storage::error::ReadError;
use crate::storage::job::{JobOutput, Progress};
use crate::storage::table::reader::{self, Span};
use crate::storage::table::{Pages, TableMeta};

#[derive(Clone, Debug, Hash)]
pub struct Scrub {
    table: Arc<TableMeta>,
    /// The blocks still to be read, the last first; `None` before the index was read.
    blocks: Option<Vec<Span>>,
    damaged: Vec<ReadError>,
}

impl Scrub {
    pub fn new(table: Arc<TableMeta>) -> Scrub {
        Scrub { table, blocks: None, damaged: Vec::new() }
    }

    pub fn step(&mut self, disk: &mut dyn Disk, budget: u32) -> Progress {
        let mut pages = Pages { disk, cache: None, read: 0 };
        if self.blocks.is_none() {
            let mut blocks = reader::blocks(&self.table, &mut pages).unwrap_or_else(|error| {
                self.damaged.push(error);
                Vec::new()
            });
            blocks.reverse();
            self.blocks = Some(blocks);
        }
        let blocks = self.blocks.as_mut().expect("just read");
        while pages.read < u64::from(budget) {
            let Some(block) = blocks.pop() else {
                return Progress::Done(Ok(JobOutput { added: Vec::new(), damaged: self.damaged.clone() }));
            };
            if let Err(error) = pages.fetch(self.table.file(), block.handle) {
                self.damaged.push(error);
            }
        }
        Progress::More
    }
}
