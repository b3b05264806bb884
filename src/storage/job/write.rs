//! Jobs that write tables: flush, compaction, repair. All are a merge into new files.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::disk::{Disk, DiskError, SyncTarget};
use crate::storage::cache::Place;
use crate::storage::compaction::merge::{Merge, Source};
use crate::storage::compaction::pick::Choice;
use crate::storage::config::Config;
use crate::storage::error::Operation;
use crate::storage::job::{JobError, JobOutput, JobResult, Progress};
use crate::storage::memtable::{self, Memtable};
use crate::storage::table::reader::Run;
use crate::storage::table::writer::Writer;
use crate::storage::table::{Pages, TableMeta};
use crate::storage::wal::Position;

/// What a repair works on.
#[derive(Clone, Debug, Hash)]
pub struct Repair {
    /// What takes the place of the damaged blocks.
    pub entries: Arc<Memtable>,
    /// The damaged table with its damaged places; `None` if nothing of it can be read.
    pub survivor: Option<(Arc<TableMeta>, Vec<Place>)>,
    pub newest: u64,
    /// Level 0 is ordered by age, so there the result must be one table.
    pub is_level0: bool,
}

#[derive(Clone, Debug, Hash)]
enum Phase {
    Begin,
    Merge,
    /// Syncs the tables it made, by their place in `made`.
    SyncTable(usize),
    SyncDirectory,
    Done(JobResult),
}

#[derive(Clone, Debug, Hash)]
pub struct Write {
    phase: Phase,
    merge: Merge,
    /// Deletes hide older values in lower levels. In the last level there is nothing to hide, and they are
    /// dropped.
    keep_deletes: bool,
    table_bytes: u64,
    block_bytes: u32,
    /// Not level 0: what is flushed is soon compacted, and the flush is what writes wait for.
    compress: bool,
    /// File numbers reserved for it and not used: `number < number_end`.
    number: u64,
    number_end: u64,
    newest: Position,
    writer: Option<Writer>,
    made: Vec<TableMeta>,
}

impl Write {
    /// Writes a frozen memtable as one table of level 0, in the file with this number.
    pub fn flush(config: &Config, memtable: Arc<Memtable>, newest: Position, number: u64) -> Write {
        Write {
            phase: Phase::Begin,
            merge: Merge::new(alloc::vec![Source::Memory(memtable::Cursor::new(memtable))]),
            keep_deletes: true,
            table_bytes: u64::MAX,
            block_bytes: config.block_bytes,
            compress: false,
            number,
            number_end: number + 1,
            newest,
            writer: None,
            made: Vec::new(),
        }
    }

    /// Merges the chosen tables into tables of the level below, in files of these numbers. Where nothing has to be
    /// merged, the tables are moved: there is nothing to do but to say so in the manifest.
    pub fn compact(config: &Config, choice: &Choice, numbers: core::ops::Range<u64>) -> Write {
        let newest = choice.tables().map(|table| table.newest).max().unwrap_or(0);
        let upper = choice.upper.iter().map(|table| Run::new(alloc::vec![table.clone()]));
        let runs = upper.chain([Run::new(choice.lower.clone())]);
        let moved = choice.is_move().then(|| choice.upper.iter().map(|table| (**table).clone()).collect());
        let done = moved.map(|added| Phase::Done(Ok(JobOutput { added, damaged: Vec::new() })));
        Write {
            phase: done.unwrap_or(Phase::Begin),
            merge: Merge::new(runs.map(Source::tables).collect()),
            keep_deletes: !choice.is_last,
            table_bytes: config.table_bytes,
            block_bytes: config.block_bytes,
            compress: true,
            number: numbers.start,
            number_end: numbers.end,
            newest: Position(newest),
            writer: None,
            made: Vec::new(),
        }
    }

    /// Copies what can be read of a damaged table, with other entries in place of what cannot.
    pub fn repair(config: &Config, repair: Repair, numbers: core::ops::Range<u64>) -> Write {
        let entries = Source::Memory(memtable::Cursor::new(repair.entries));
        let survivor =
            repair.survivor.map(|(table, damaged)| Source::tables(Run::around(alloc::vec![table], damaged)));
        Write {
            phase: Phase::Begin,
            merge: Merge::new([entries].into_iter().chain(survivor).collect()),
            keep_deletes: true,
            table_bytes: if repair.is_level0 { u64::MAX } else { config.table_bytes },
            block_bytes: config.block_bytes,
            compress: !repair.is_level0,
            number: numbers.start,
            number_end: numbers.end,
            newest: Position(repair.newest),
            writer: None,
            made: Vec::new(),
        }
    }

    pub fn step(&mut self, disk: &mut dyn Disk, budget: u32) -> Progress {
        self.run(disk, budget).unwrap_or_else(|error| {
            self.phase = Phase::Done(Err(error));
            Progress::Done(Err(error))
        })
    }

    fn run(&mut self, disk: &mut dyn Disk, budget: u32) -> Result<Progress, JobError> {
        match &self.phase {
            Phase::Begin | Phase::Merge => {
                if self.merge_slice(disk, u64::from(budget))? {
                    self.phase = if self.made.is_empty() {
                        Phase::Done(Ok(self.output()))
                    } else {
                        Phase::SyncTable(0)
                    };
                }
                Ok(Progress::More)
            }
            Phase::SyncTable(at) => {
                let table = self.made.get(*at).expect("only tables that were made are synced");
                Ok(Progress::Sync(SyncTarget::File(table.file())))
            }
            Phase::SyncDirectory => Ok(Progress::Sync(SyncTarget::Directory)),
            Phase::Done(result) => Ok(Progress::Done(result.clone())),
        }
    }

    /// The sync that [`Progress::Sync`] asked for has ended.
    pub fn synced(&mut self, result: Result<(), DiskError>) {
        let (target, next) = match &self.phase {
            Phase::SyncTable(at) => {
                let table = self.made.get(*at).expect("only tables that were made are synced");
                let next =
                    if at + 1 < self.made.len() { Phase::SyncTable(at + 1) } else { Phase::SyncDirectory };
                (SyncTarget::File(table.file()), next)
            }
            Phase::SyncDirectory => (SyncTarget::Directory, Phase::Done(Ok(self.output()))),
            // Nobody waits for it.
            Phase::Begin | Phase::Merge | Phase::Done(_) => return,
        };
        self.phase = match result {
            Ok(()) => next,
            Err(why) => Phase::Done(Err(JobError::Write { operation: Operation::Sync(target), why })),
        };
    }

    fn output(&self) -> JobOutput {
        JobOutput { added: self.made.clone(), damaged: Vec::new() }
    }

    /// Merges until the budget is used up; true when all is merged.
    fn merge_slice(&mut self, disk: &mut dyn Disk, budget: u64) -> Result<bool, JobError> {
        let mut pages = Pages { disk, cache: None, read: 0 };
        let mut written = 0;
        if let Phase::Begin = self.phase {
            self.merge.seek(&[], &mut pages)?;
            self.phase = Phase::Merge;
        }
        while pages.read + written < budget {
            let Some((key, value)) = self.merge.next(&mut pages)? else {
                self.finish_table(pages.disk)?;
                return Ok(true);
            };
            if value.is_none() && !self.keep_deletes {
                continue;
            }
            if self.writer.is_none() {
                assert!(
                    self.number < self.number_end,
                    "a table is ended only if there is a number for the next"
                );
                self.writer = Some(Writer::new(self.number, self.block_bytes, self.compress));
                self.number += 1;
            }
            let writer = self.writer.as_mut().expect("just made");
            let before = writer.len();
            let append = Operation::Append(writer.file());
            let pushed = writer.push(key, value, pages.disk);
            pushed.map_err(|why| JobError::Write { operation: append, why })?;
            written += writer.len() - before;
            if writer.len() >= self.table_bytes && self.number < self.number_end {
                self.finish_table(pages.disk)?;
            }
        }
        Ok(false)
    }

    fn finish_table(&mut self, disk: &mut dyn Disk) -> Result<(), JobError> {
        if let Some(writer) = self.writer.take() {
            let operation = Operation::Append(writer.file());
            let table =
                writer.finish(self.newest.0, disk).map_err(|why| JobError::Write { operation, why })?;
            self.made.push(table);
        }
        Ok(())
    }
}
