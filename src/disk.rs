//! Layer 1: the disk as the core sees it. Two twins implement it, `sim::disk` and `real::disk`, and one conformance
//! suite runs against both.
//!
//! The contract:
//!
//! - Files are flat, named by kind and number, and are only ever appended to, truncated, renamed or removed.
//! - What was appended can be read at once; it survives a crash only after a sync of the file. A file's *name*
//!   (after create, publish or remove) survives only after a sync of the directory.
//! - After a crash, of the bytes not yet synced any part may be there, any may be missing; each name change not yet
//!   synced may have happened or not.
//! - A failed sync says nothing about what is on the disk, and is never retried: the caller stops using the file.
//! - Any error leaves the file's readable content a prefix of what was there plus what was asked for.

use core::fmt;

use alloc::vec::Vec;

use crate::base::codec::{Decode, Encode};

/// What a file is for. The order is the order in which `list` gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum FileKind {
    /// Who this node is: cluster, node, generation. Always number 0.
    Identity,
    /// Which manifest is the newest. Always number 0.
    Current,
    /// A log of edits to the set of tables and logs.
    Manifest,
    /// The commit log.
    Wal,
    /// A sorted table.
    Table,
    /// Being written, to be published under another name; removed at boot.
    Temp,
    /// Space that is laid by for the day when the disk is full. Always number 0.
    Reserve,
}

impl FileKind {
    pub const ALL: [FileKind; 7] = [
        FileKind::Identity,
        FileKind::Current,
        FileKind::Manifest,
        FileKind::Wal,
        FileKind::Table,
        FileKind::Temp,
        FileKind::Reserve,
    ];

    /// The stem of the file's name.
    pub const fn stem(self) -> &'static str {
        match self {
            FileKind::Identity => "identity",
            FileKind::Current => "current",
            FileKind::Manifest => "manifest",
            FileKind::Wal => "wal",
            FileKind::Table => "table",
            FileKind::Temp => "temp",
            FileKind::Reserve => "reserve",
        }
    }
}

/// A file's name: `wal-0000000007`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct FileName {
    pub kind: FileKind,
    pub number: u64,
}

impl FileName {
    pub const fn new(kind: FileKind, number: u64) -> FileName {
        FileName { kind, number }
    }

    /// The inverse of `Display`; `None` for a name that is not ours.
    pub fn parse(name: &str) -> Option<FileName> {
        let (stem, digits) = name.split_once('-')?;
        let kind = FileKind::ALL.into_iter().find(|kind| kind.stem() == stem)?;
        if digits.len() < 10 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let file = FileName { kind, number: digits.parse().ok()? };
        (alloc::format!("{file}") == name).then_some(file)
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:010}", self.kind.stem(), self.number)
    }
}

/// What a sync covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SyncTarget {
    /// The bytes of one file.
    File(FileName),
    /// The names: creations, renames and removals so far.
    Directory,
}

/// Why the disk did not do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DiskError {
    /// There is no such file.
    NotFound,
    /// No space left. Space may come back.
    Full,
    /// The device failed to read, write or sync (EIO and all that has no better name).
    Io,
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DiskError::NotFound => "no such file",
            DiskError::Full => "no space left on the device",
            DiskError::Io => "input/output error",
        })
    }
}

/// A node's disk. See the module's contract.
pub trait Disk {
    /// Reads up to `buffer.len()` bytes from `offset`; the answer is the number read, less only at the end of the
    /// file.
    fn read_at(&mut self, file: FileName, offset: u64, buffer: &mut [u8]) -> Result<usize, DiskError>;

    /// The file's length in bytes.
    fn len(&mut self, file: FileName) -> Result<u64, DiskError>;

    /// Appends `data`, creating the file if there is none. Not durable. The answer is the offset of the first byte.
    fn append(&mut self, file: FileName, data: &[u8]) -> Result<u64, DiskError>;

    /// Cuts the file to `len` bytes; `len` is at most its length.
    fn truncate(&mut self, file: FileName, len: u64) -> Result<(), DiskError>;

    /// Renames `from` to `to`, atomically replacing what `to` was.
    fn publish(&mut self, from: FileName, to: FileName) -> Result<(), DiskError>;

    /// Removes the file.
    fn remove(&mut self, file: FileName) -> Result<(), DiskError>;

    /// All files, sorted. Names that are not ours are left out.
    fn list(&mut self) -> Result<Vec<FileName>, DiskError>;

    /// Syncs and waits for it. Only for opening a node and for short, rare writes of identity: everything else asks
    /// the driver by an effect and goes on meanwhile.
    fn sync(&mut self, target: SyncTarget) -> Result<(), DiskError>;
}

/// Reads the whole of `file`. The file must be at most `limit` bytes long; a longer one is an [`DiskError::Io`].
pub fn read_all(disk: &mut dyn Disk, file: FileName, limit: u64) -> Result<Vec<u8>, DiskError> {
    let len = disk.len(file)?;
    if len > limit {
        return Err(DiskError::Io);
    }
    let mut buffer = alloc::vec![0u8; len as usize];
    let read = disk.read_at(file, 0, &mut buffer)?;
    buffer.truncate(read);
    Ok(buffer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_file_name_parses_back_and_nothing_else_does() {
        for kind in FileKind::ALL {
            for number in [0, 7, 9_999_999_999, u64::MAX] {
                let file = FileName::new(kind, number);
                assert_eq!(FileName::parse(&file.to_string()), Some(file));
            }
        }
        for name in ["", "wal", "wal-7", "wal-+000000007", "foo-0000000001", "wal-99999999999999999999999"] {
            assert_eq!(FileName::parse(name), None, "{name}");
        }
    }
}
