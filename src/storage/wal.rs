//! The commit log: every write, in order, in frames, before it is in any table.
//!
//! A log belongs to one memtable. When the memtable is frozen the log is closed and the next one begins with
//! a start frame. The numbers `appended >= written >= syncing >= durable` run through all logs, and so does the
//! promise in every frame (`synced`), so recovery can tell a torn tail from damage across files too.
//!
//! **Writes gather in a group** in memory, which becomes one frame: one header, one checksum, one call to the
//! disk. It is written when a sync is about to begin, when it is [`GROUP_BYTES`] long, and when the log is
//! closed. While a sync is in flight it grows, and the file is left alone: a file system may let a write wait
//! for the sync of its file. The price: a process that is killed loses what it had not written, as a machine
//! that loses power does. Nobody was told that any of it is durable. The payload of a data frame is the records of its
//! writes, one behind the other ([`super::record`]).
//!
//! **One sync in flight, in log order.** The next sync covers all that gathered meanwhile: that is group
//! commit. The records of a new log must never become durable before those of the old one, or a crash would
//! leave a hole (LevelDB issue 193). So after a rotation the syncs go: the old log, then the folder (the new
//! log's name), then the new log; `durable` moves over a record only after the sync of its own log.

use alloc::vec::Vec;

use crate::base::codec::{Decode, Encode};
use crate::base::invariant::{Broken, holds};
use crate::disk::{Disk, DiskError, FileKind, FileName, SyncTarget};
use crate::storage::error::Operation;
use crate::storage::frame::{Appender, HEADER_LEN, Head, Kind};
use crate::storage::record::{self, Record};

/// A group of so many bytes is written although no sync is about to begin.
pub const GROUP_BYTES: usize = 64 << 10;

/// The sequence number of a write: 1 for the first that a store ever took, 0 for "none". Durability is a
/// position: all writes up to it are durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Position(pub u64);

impl Position {
    pub fn next(self) -> Position {
        Position(self.0.checked_add(1).expect("2^64 writes take longer than anybody waits"))
    }
}

pub fn file(number: u64) -> FileName {
    FileName::new(FileKind::Wal, number)
}

/// The payload of a start frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub struct LogStart {
    /// The manifest that was the newest when the log was begun. A log of another manifest is the orphan of an
    /// open that crashed before it published its own.
    pub manifest: u64,
}

/// Writes that are in no file yet.
#[derive(Clone, Debug, Default, Hash)]
struct Group {
    /// Room for a frame's header, then the writes; nothing if there are none.
    bytes: Vec<u8>,
    count: u32,
    /// The last time that it was to be written there was no space for it.
    is_stuck: bool,
}

impl Group {
    fn push(&mut self, record: Record) {
        if self.bytes.is_empty() {
            self.bytes.resize(HEADER_LEN, 0);
        }
        record::push(&mut self.bytes, record);
        self.count += 1;
    }

    /// Empty again. Keeps its memory, unless that is more than groups usually need.
    fn clear(&mut self) {
        self.count = 0;
        self.is_stuck = false;
        self.bytes.clear();
        self.bytes.shrink_to(2 * GROUP_BYTES);
    }
}

/// A closed log whose sync has not succeeded yet.
#[derive(Clone, Debug, Hash)]
struct Closed {
    file: FileName,
    last: Position,
}

/// What a successful sync will mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Covers {
    /// The name of the active log.
    Name,
    Writes(Position),
}

#[derive(Clone, Debug, Hash)]
pub struct Wal {
    active: Appender,
    manifest: u64,
    name_durable: bool,
    closed: Option<Closed>,
    in_flight: Option<Covers>,
    group: Group,
    appended: Position,
    written: Position,
    syncing: Position,
    durable: Position,
}

impl Wal {
    /// Begins the first log of an opened store. All writes up to `recovered` are durable elsewhere. The
    /// caller syncs the name with those of its other new files; the start frame becomes durable with the
    /// first write.
    pub fn create(
        number: u64,
        manifest: u64,
        recovered: Position,
        disk: &mut dyn Disk,
    ) -> Result<Wal, DiskError> {
        let mut wal = Wal {
            active: Appender::new(file(number)),
            manifest,
            name_durable: true,
            closed: None,
            in_flight: None,
            group: Group::default(),
            appended: recovered,
            written: recovered,
            syncing: recovered,
            durable: recovered,
        };
        wal.active = wal.start(number, disk)?;
        Ok(wal)
    }

    /// Begins the log with this number.
    fn start(&self, number: u64, disk: &mut dyn Disk) -> Result<Appender, DiskError> {
        let mut log = Appender::new(file(number));
        let head =
            Head { kind: Kind::Start, count: 0, first: self.appended.next().0, synced: self.durable.0 };
        log.append(head, &LogStart { manifest: self.manifest }, disk)?;
        Ok(log)
    }

    pub fn active(&self) -> FileName {
        self.active.file
    }

    /// Bytes in the active log, with those that are about to be.
    pub fn len(&self) -> u64 {
        self.active.len + self.group.bytes.len() as u64
    }

    pub fn appended(&self) -> Position {
        self.appended
    }

    pub fn durable(&self) -> Position {
        self.durable
    }

    /// The last write that is in a file.
    pub fn written(&self) -> Position {
        self.written
    }

    /// Enters one write into the group.
    pub fn append(&mut self, record: Record) -> Position {
        self.group.push(record);
        self.appended = self.appended.next();
        self.appended
    }

    /// Whether the group is so long that it should be written.
    pub fn is_group_full(&self) -> bool {
        self.group.bytes.len() >= GROUP_BYTES
    }

    /// Whether the group should be written because a sync can begin.
    pub fn is_group_due(&self) -> bool {
        self.in_flight.is_none() && self.written < self.appended
    }

    /// Whether the group waits for space on the disk.
    pub fn is_group_stuck(&self) -> bool {
        self.group.is_stuck
    }

    /// Writes the group into the active log. After an error other than [`DiskError::Full`], which changes nothing,
    /// the log must not be used any more.
    pub fn write_group(&mut self, disk: &mut dyn Disk) -> Result<(), DiskError> {
        if self.group.count == 0 {
            return Ok(());
        }
        let (count, first) = (self.group.count, self.written.next().0);
        let head = Head { kind: Kind::Data, count, first, synced: self.durable.0 };
        let appended = self.active.append_built(head, &mut self.group.bytes, disk);
        self.group.is_stuck = appended == Err(DiskError::Full);
        appended?;
        self.group.clear();
        self.written = self.appended;
        Ok(())
    }

    /// Closes the active log and begins the next. After an error other than [`DiskError::Full`], which leaves the
    /// active log as it is, the log must not be used any more.
    pub fn rotate(&mut self, number: u64, disk: &mut dyn Disk) -> Result<(), DiskError> {
        assert!(self.closed.is_none(), "a memtable is frozen only after the log of the last one is durable");
        self.write_group(disk)?;
        let next = self.start(number, disk)?;
        if self.durable < self.appended {
            self.closed = Some(Closed { file: self.active.file, last: self.appended });
        }
        self.active = next;
        self.name_durable = false;
        Ok(())
    }

    /// What holds between any two calls.
    pub fn invariants(&self) -> Result<(), Broken> {
        let Wal { appended, written, syncing, durable, in_flight, closed, group, .. } = self;
        let in_order = durable <= syncing && syncing <= written && written <= appended;
        holds(in_order, "durable <= syncing <= written <= appended")?;
        let gathered = appended.0.checked_sub(written.0) == Some(u64::from(group.count));
        holds(gathered, "the group holds what is not written")?;
        match in_flight {
            Some(Covers::Writes(position)) => {
                holds(durable < position && position == syncing, "a sync is on its way to new writes")?;
            }
            Some(Covers::Name) | None => holds(durable == syncing, "what is syncing has a sync on its way")?,
        }
        let bounded = closed.as_ref().is_none_or(|closed| *durable < closed.last && closed.last <= *written);
        holds(bounded, "a closed log is kept in mind until it is durable, and no longer")
    }

    /// The next sync that durability waits for, if there is one and none is in flight.
    pub fn poll_sync(&mut self) -> Option<SyncTarget> {
        assert!(self.appended >= self.written && self.written >= self.syncing, "writes come in order");
        assert!(self.syncing >= self.durable, "syncs follow the writes");
        if self.in_flight.is_some() || self.durable == self.written {
            return None;
        }
        let (target, covers) = match &self.closed {
            Some(closed) => (SyncTarget::File(closed.file), Covers::Writes(closed.last)),
            None if !self.name_durable => (SyncTarget::Directory, Covers::Name),
            None => (SyncTarget::File(self.active.file), Covers::Writes(self.written)),
        };
        if let Covers::Writes(position) = covers {
            self.syncing = position;
        }
        self.in_flight = Some(covers);
        Some(target)
    }

    /// The sync in flight has succeeded.
    pub fn synced(&mut self) {
        match self.in_flight.take().expect("the engine matches tickets before it calls") {
            Covers::Name => self.name_durable = true,
            Covers::Writes(position) => {
                assert!(self.durable < position && position <= self.written, "durability moves forward");
                self.durable = position;
                if self.closed.as_ref().is_some_and(|closed| closed.last <= position) {
                    self.closed = None;
                }
            }
        }
    }

    /// Makes everything durable and ends the log, blocking. The end frame promises all that is before it, so
    /// it may be written only when that is durable.
    pub fn end(&mut self, disk: &mut dyn Disk) -> Result<(), (Operation, DiskError)> {
        let sync =
            |target, disk: &mut dyn Disk| disk.sync(target).map_err(|why| (Operation::Sync(target), why));
        let file = self.active.file;
        self.write_group(disk).map_err(|why| (Operation::Append(file), why))?;
        if let Some(closed) = self.closed.take() {
            sync(SyncTarget::File(closed.file), disk)?;
        }
        sync(SyncTarget::Directory, disk)?;
        sync(SyncTarget::File(file), disk)?;
        self.in_flight = None;
        self.name_durable = true;
        self.syncing = self.appended;
        self.durable = self.appended;
        let head = Head { kind: Kind::End, count: 0, first: self.appended.next().0, synced: self.appended.0 };
        self.active.append(head, &(), disk).map_err(|why| (Operation::Append(file), why))?;
        sync(SyncTarget::File(file), disk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound() -> Wal {
        Wal {
            active: Appender::new(file(2)),
            manifest: 1,
            name_durable: true,
            closed: Some(Closed { file: file(1), last: Position(5) }),
            in_flight: Some(Covers::Writes(Position(5))),
            appended: Position(9),
            written: Position(9),
            group: Group::default(),
            syncing: Position(5),
            durable: Position(3),
        }
    }

    #[test]
    fn a_log_whose_numbers_do_not_fit_is_found() {
        assert_eq!(sound().invariants(), Ok(()));
        let broken = |how: fn(&mut Wal)| {
            let mut wal = sound();
            how(&mut wal);
            wal.invariants().is_err()
        };
        assert!(broken(|wal| wal.durable = Position(6)));
        assert!(broken(|wal| wal.appended = Position(4)));
        assert!(broken(|wal| wal.appended = Position(10)));
        assert!(broken(|wal| wal.written = Position(8)));
        assert!(broken(|wal| wal.in_flight = None));
        assert!(broken(|wal| wal.in_flight = Some(Covers::Writes(Position(9)))));
        assert!(broken(|wal| wal.closed = Some(Closed { file: file(1), last: Position(3) })));
    }
}
