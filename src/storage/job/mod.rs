//! Long work as plain values. A driver runs a job in slices, on a thread pool or one slice per simulated event;
//! a crash or a fork of the world can fall between any two slices. A job touches no engine state: it reads
//! tables (or a frozen memtable), and writes files whose numbers were reserved for it.

mod scrub;
mod write;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::disk::{Disk, DiskError, SyncTarget};
use crate::storage::compaction::pick::Choice;
use crate::storage::config::Config;
use crate::storage::error::{Operation, ReadError};
use crate::storage::job::scrub::Scrub;
use crate::storage::job::write::Write;
use crate::storage::memtable::Memtable;
use crate::storage::table::TableMeta;
use crate::storage::wal::Position;

pub use crate::storage::job::write::Repair;

/// What a finished job made or found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct JobOutput {
    /// Whole, durable tables that nothing refers to yet.
    pub(super) added: Vec<TableMeta>,
    /// Where bytes are not what was written.
    pub(super) damaged: Vec<ReadError>,
}

impl JobOutput {
    /// Whether tables were written.
    pub fn has_tables(&self) -> bool {
        !self.added.is_empty()
    }
}

/// Why a job could not finish. What it wrote is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobError {
    /// An input could not be read. Reads of those keys fail too, but the rest of the store is sound.
    Read(ReadError),
    /// The disk took no more.
    Write { operation: Operation, why: DiskError },
}

impl From<ReadError> for JobError {
    fn from(error: ReadError) -> JobError {
        JobError::Read(error)
    }
}

pub type JobResult = Result<JobOutput, JobError>;

/// What a driver does after a slice.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Progress {
    /// Call [`Job::step`] again.
    More,
    /// Sync this, report with [`Job::synced`], then step again.
    Sync(SyncTarget),
    /// Hand this to the engine.
    Done(JobResult),
}

/// A flush, a compaction, a repair or a scrub in progress.
#[derive(Clone, Debug, Hash)]
pub struct Job(Task);

#[derive(Clone, Debug, Hash)]
enum Task {
    Write(Box<Write>),
    Scrub(Scrub),
}

impl Job {
    /// Writes a frozen memtable as one table of level 0, in the file with this number.
    pub(super) fn flush(config: &Config, memtable: Arc<Memtable>, newest: Position, number: u64) -> Job {
        Job(Task::Write(Box::new(Write::flush(config, memtable, newest, number))))
    }

    /// Merges the chosen tables into tables of the level below, in files of these numbers; or only moves them.
    pub(super) fn compact(config: &Config, choice: &Choice, numbers: core::ops::Range<u64>) -> Job {
        Job(Task::Write(Box::new(Write::compact(config, choice, numbers))))
    }

    /// Writes a damaged table anew, in files of these numbers.
    pub(super) fn repair(config: &Config, repair: Repair, numbers: core::ops::Range<u64>) -> Job {
        Job(Task::Write(Box::new(Write::repair(config, repair, numbers))))
    }

    /// Reads a table and verifies every block that holds data.
    pub(super) fn scrub(table: Arc<TableMeta>) -> Job {
        Job(Task::Scrub(Scrub::new(table)))
    }

    /// Reads and writes about `budget` bytes (at least 1). A slice ends with a whole block, and the slice
    /// that ends a table writes its filter and index too.
    pub fn step(&mut self, disk: &mut dyn Disk, budget: u32) -> Progress {
        assert!(budget > 0, "without a budget a job never ends");
        match &mut self.0 {
            Task::Write(write) => write.step(disk, budget),
            Task::Scrub(scrub) => scrub.step(disk, budget),
        }
    }

    /// The sync that [`Progress::Sync`] asked for has ended.
    pub fn synced(&mut self, result: Result<(), DiskError>) {
        match &mut self.0 {
            Task::Write(write) => write.synced(result),
            Task::Scrub(_) => {}
        }
    }
}
