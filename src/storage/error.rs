//! What can go wrong, by who must act: the operator ([`OpenError`]), the replicas ([`ReadError`]),
//! the client ([`WriteError`]), or nobody any more ([`Poisoned`]).

use core::fmt;

use crate::disk::{DiskError, FileName, SyncTarget};

/// Why a node's folder cannot be opened. Nothing that it needs was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OpenError {
    /// The disk failed. Opening again may help.
    Disk(DiskError),
    /// Bytes that were promised durable are not there, or are not what was written. Opening again will not
    /// help.
    Corrupt { file: FileName, offset: u64, what: &'static str },
    /// The file is whole, but written in a format that this program does not know.
    Version { file: FileName, version: u16 },
}

impl From<DiskError> for OpenError {
    fn from(error: DiskError) -> OpenError {
        OpenError::Disk(error)
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Disk(error) => write!(f, "cannot open the store: {error}"),
            OpenError::Corrupt { file, offset, what } => write!(
                f,
                "cannot open the store: {file} is damaged at byte {offset}: {what}. Nothing was changed. Put \
                 the file back from a copy, or give this node an empty folder and let its replicas fill it"
            ),
            OpenError::Version { file, version } => write!(
                f,
                "cannot open the store: {file} has format version {version}, and this program knows version \
                 {}. Run the program that wrote it",
                super::frame::FORMAT_VERSION
            ),
        }
    }
}

impl core::error::Error for OpenError {}

/// Why a read has no answer: the block at `offset` (bytes) of `file` is not what was written there, or cannot be
/// read. That says nothing about whether the key exists. The replicas have its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReadError {
    pub file: FileName,
    pub offset: u64,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot read: {} is damaged in its block at byte {}", self.file, self.offset)
    }
}

impl core::error::Error for ReadError {}

/// Why a write was not taken. Nothing has changed, except with `Poisoned`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WriteError {
    /// The engine is poisoned or closed. The write that poisoned it may be found after a restart, or may not.
    Poisoned,
    /// Too much is waiting to be flushed or compacted. Try again later.
    Overloaded,
    /// The disk is full. Reads go on, and writes are taken again as soon as there is space.
    Full,
    /// The key is longer than [`super::KEY_MAX`] or the value than [`super::VALUE_MAX`].
    TooLarge,
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WriteError::Poisoned => "the store takes no more writes since its disk failed",
            WriteError::Overloaded => "the store is behind with flushing or compacting",
            WriteError::Full => "the disk is full",
            WriteError::TooLarge => "the key or the value is too large",
        })
    }
}

impl core::error::Error for WriteError {}

/// Why a repair did not begin. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RepairError {
    /// A compaction or another repair is on its way. Try again when it is done.
    Busy,
    /// More damage was found in the table, or it is gone: ask for the suspects again.
    Outdated,
    /// An entry lies outside of the suspect ranges.
    Outside,
    /// An older table with keys of these ranges is damaged too. Repair that one first.
    Deeper,
    /// The engine takes no more work.
    Poisoned,
}

impl fmt::Display for RepairError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RepairError::Busy => "tables are being rewritten",
            RepairError::Outdated => "the damage is not what it was",
            RepairError::Outside => "an entry lies outside of what is damaged",
            RepairError::Deeper => "an older table is damaged too",
            RepairError::Poisoned => "the store takes no more work since its disk failed",
        })
    }
}

impl core::error::Error for RepairError {}

/// What the engine was doing when the disk failed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    Append(FileName),
    Sync(SyncTarget),
}

/// The engine cannot go on: what is on the disk is no longer known. Restart and recover, or replace the disk.
///
/// There is no way back, because a sync that failed once may succeed when tried again without having written
/// anything: the kernel has dropped or cleaned the pages (Rebello et al., "Can Applications Recover from
/// fsync Failures?", USENIX ATC 2020).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Poisoned {
    pub why: DiskError,
    pub operation: Operation,
}

impl fmt::Display for Poisoned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the store stopped: ")?;
        match self.operation {
            Operation::Append(file) => write!(f, "appending to {file} failed")?,
            Operation::Sync(SyncTarget::File(file)) => write!(f, "syncing {file} failed")?,
            Operation::Sync(SyncTarget::Directory) => write!(f, "syncing the folder failed")?,
        }
        write!(f, ": {}", self.why)
    }
}

impl core::error::Error for Poisoned {}
