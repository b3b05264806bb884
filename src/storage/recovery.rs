//! Opening a store: from what a crash left to a state that may be served.
//!
//! 1. `current` names the manifest, the manifest the live tables and the first live log.
//! 2. The live logs are replayed into a memtable: all frames, in order, up to the first that is torn.
//! 3. The memtable is written as a table of level 0 and synced; a new log is begun; a new manifest is
//!    written and synced; `current` is published. Then the store is open, and files that nothing refers to
//!    are removed.
//!
//! Step 3 is why a restarted process never serves a write that it could lose again. When a sync failed and
//! the process was restarted, the kernel may show it the failed bytes from the page cache, marked clean, with
//! nothing on the disk; syncing the old log again would succeed without writing them (Rebello et al. 2020).
//! So the surviving tail is *copied* into new files, and those are synced. A table is the copy that is needed
//! sooner or later anyway. The cost is one small table per restart, which compaction takes away.
//!
//! A crash at any point of this leaves the old `current`, and with it everything as it was, plus files that
//! nothing refers to. Their numbers are never used again: numbering goes on above every file that was ever
//! seen.

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::base::codec;
use crate::disk::{Disk, DiskError, FileKind, FileName, SyncTarget};
use crate::storage::NUMBER_MAX;
use crate::storage::cache::Place;
use crate::storage::config::Config;
use crate::storage::error::OpenError;
use crate::storage::frame::{Frame, HEADER_LEN, Kind, Look, Reader};
use crate::storage::job::{Job, JobError, Progress};
use crate::storage::manifest::{self, CURRENT, Contents, Manifest};
use crate::storage::memtable::Memtable;
use crate::storage::record;
use crate::storage::reserve;
use crate::storage::table::TableMeta;
use crate::storage::version::{Edit, Version};
use crate::storage::wal::{self, LogStart, Position, Wal};

/// What an open found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Recovery {
    /// Writes that were replayed from the log.
    pub replayed: u64,
    /// Bytes at the end of the log that were cut off. None of them was provably synced, but when this is not
    /// zero, damage to the very last synced writes cannot be told from torn ones: a careful node compares itself
    /// with its replicas soon.
    pub torn_bytes: u64,
    /// The store was closed in good order, so nothing can be missing.
    pub clean: bool,
    /// Files that nothing referred to, removed.
    pub removed_orphans: u64,
}

impl Recovery {
    /// Whether the end of the log was cut. See [`Recovery::torn_bytes`].
    pub fn is_tail_uncertain(&self) -> bool {
        self.torn_bytes > 0
    }
}

/// An opened store, as the engine needs it.
pub struct Opened {
    pub version: Version,
    pub wal: Wal,
    pub manifest: Manifest,
    pub next_file: u64,
    /// Places in tables of the version that are known to be damaged.
    pub damaged: BTreeSet<Place>,
    pub recovery: Recovery,
}

/// Recovers the store. If the disk is full, once more with the space of the reserve.
pub fn open(config: &Config, disk: &mut dyn Disk) -> Result<Opened, OpenError> {
    let before = disk.list()?;
    match attempt(config, disk) {
        Err(OpenError::Disk(DiskError::Full)) if reserve::release(disk) => {
            // What the first attempt wrote is of no use, and in the way. Whatever it removed was of no use
            // either.
            for file in disk.list()?.into_iter().filter(|file| !before.contains(file)) {
                disk.remove(file)?;
            }
            attempt(config, disk)
        }
        result => result,
    }
}

fn attempt(config: &Config, disk: &mut dyn Disk) -> Result<Opened, OpenError> {
    let files = disk.list()?;
    let mut numbers = Numbers::above(&files)?;
    let Found { contents, replay, live, has_all_tables } = read(&files, disk)?;
    let mut version = contents.version;
    numbers.next = numbers.next.max(contents.rest.next_file);
    let recovered = replay.position;
    if !replay.memtable.is_empty() {
        let table = flush(config, replay.memtable, recovered, numbers.take(), disk)?;
        let added = table.into_iter().map(|table| (0, table)).collect();
        let edit = Edit { added, ..Edit::default() };
        version = version.apply(&edit).expect("a new table fits into level 0");
    }
    let (log, manifest, temp) = (numbers.take(), numbers.take(), numbers.take());
    let wal = Wal::create(log, manifest, recovered, disk)?;
    let damaged = contents.rest.damaged;
    let rest =
        Edit { log_floor: log, flushed: recovered.0, next_file: numbers.next, damaged, ..Edit::default() };
    let manifest = Manifest::create(manifest, &version, &rest, disk)?;
    disk.sync(SyncTarget::Directory)?;
    manifest.publish(FileName::new(FileKind::Temp, temp), disk)?;

    let orphan = |file: &&FileName| !live.contains(file) && !is_kept(**file);
    // Where tables are missing, somebody may still want to look at what else lies about.
    let is_useless = |file: &FileName| has_all_tables || file.kind != FileKind::Table;
    let files: Vec<FileName> = files.into_iter().filter(is_useless).collect();
    let removed_orphans = files.iter().filter(orphan).count() as u64;
    remove_unused(&files, &version, disk)?;
    let recovery = Recovery { removed_orphans, ..replay.found };
    let damaged = rest.damaged.into_iter().collect();
    Ok(Opened { version, wal, manifest, next_file: numbers.next, damaged, recovery })
}

/// What a folder says, before anything is changed.
struct Found {
    contents: Contents,
    replay: Replay,
    /// The files that make up the store.
    live: BTreeSet<FileName>,
    has_all_tables: bool,
}

fn read(files: &[FileName], disk: &mut dyn Disk) -> Result<Found, OpenError> {
    let Some(current) = manifest::read_current(disk)? else {
        check_is_new(files, disk)?;
        let contents = Contents { version: Version::default(), rest: Edit::default(), is_torn: false };
        let (replay, live) = (Replay::default(), BTreeSet::new());
        return Ok(Found { contents, replay, live, has_all_tables: true });
    };
    let mut contents = manifest::read(current, disk)?;
    let has_all_tables = check_tables(&mut contents, disk)?;
    let mut replay = Replay { position: Position(contents.rest.flushed), ..Replay::default() };
    let mut live = replay.run(current.manifest, contents.rest.log_floor, files, disk)?;
    live.insert(FileName::new(FileKind::Manifest, current.manifest));
    live.extend(contents.version.tables().map(|table| table.file()));
    Ok(Found { contents, replay, live, has_all_tables })
}

/// What an open would find.
pub struct Examined {
    pub version: Version,
    pub recovery: Recovery,
}

/// Reads what an open reads and changes nothing. `None` if there is no store yet.
pub fn examine(disk: &mut dyn Disk) -> Result<Option<Examined>, OpenError> {
    let files = disk.list()?;
    Numbers::above(&files)?;
    let Found { contents, replay, live, .. } = read(&files, disk)?;
    let recovery = replay.found;
    Ok((!live.is_empty()).then_some(Examined { version: contents.version, recovery }))
}

/// Hands out file numbers above all that exist.
struct Numbers {
    next: u64,
}

impl Numbers {
    fn above(files: &[FileName]) -> Result<Numbers, OpenError> {
        let mut next = 1;
        for file in files {
            if file.number >= NUMBER_MAX {
                return Err(OpenError::Corrupt { file: *file, offset: 0, what: "no file has such a number" });
            }
            next = next.max(file.number + 1);
        }
        Ok(Numbers { next })
    }

    fn take(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }
}

/// Without `current` the folder must be that of a store whose first open crashed: no tables, and no log with
/// a write in it. Anything else is a store whose `current` was lost, and starting afresh would lose all its
/// data.
fn check_is_new(files: &[FileName], disk: &mut dyn Disk) -> Result<(), OpenError> {
    let what = "the file is missing, although there is data";
    let lost = OpenError::Corrupt { file: CURRENT, offset: 0, what };
    for file in files {
        let has_data = match file.kind {
            FileKind::Table => true,
            // A start frame: the header and a number.
            FileKind::Wal => disk.len(*file)? > 2 * HEADER_LEN as u64,
            _ => false,
        };
        if has_data {
            return Err(lost);
        }
    }
    Ok(())
}

/// Whether all tables are there, in full length. Of one that is not, all keys are unknown: that should cost its keys,
/// not the store, as one bad block does (blocks are verified when they are read).
///
/// If the manifest has lost its end too, it may have been that end which made the table obsolete, as part of an edit
/// that was synced. Then other tables may be obsolete as well, and others missing from the version: nothing may be
/// served.
fn check_tables(contents: &mut Contents, disk: &mut dyn Disk) -> Result<bool, OpenError> {
    let mut has_all = true;
    for table in contents.version.tables() {
        // What fails is tried once more, as reads are.
        let len = disk.len(table.file()).or_else(|_first| disk.len(table.file()));
        if len == Ok(table.size()) {
            continue;
        }
        if contents.is_torn {
            let what = "the file is missing or has another length, and the end of the manifest is damaged";
            return Err(OpenError::Corrupt { file: table.file(), offset: 0, what });
        }
        has_all = false;
        let place = (table.number, table.footer.offset);
        if !contents.rest.damaged.contains(&place) {
            contents.rest.damaged.push(place);
        }
    }
    Ok(has_all)
}

/// The replay of the logs.
#[derive(Default)]
struct Replay {
    memtable: Memtable,
    /// The last write that was recovered.
    position: Position,
    found: Recovery,
}

/// How a log ended.
enum LogEnd {
    Whole,
    /// From this offset on there are no writes that follow.
    Torn(u64),
}

impl Replay {
    /// Replays the logs of `manifest` from `floor` on; the answer is their names.
    fn run(
        &mut self,
        manifest: u64,
        floor: u64,
        files: &[FileName],
        disk: &mut dyn Disk,
    ) -> Result<BTreeSet<FileName>, OpenError> {
        let mut logs = Vec::new();
        for file in files.iter().filter(|file| file.kind == FileKind::Wal && file.number >= floor) {
            if begun_under(*file, disk)?.is_none_or(|begun| begun == manifest) {
                logs.push(*file);
            }
        }
        if logs.first() != Some(&wal::file(floor)) {
            let what = "the file is missing, or belongs to another manifest";
            return Err(OpenError::Corrupt { file: wal::file(floor), offset: 0, what });
        }
        for (at, log) in logs.iter().enumerate() {
            if let LogEnd::Torn(offset) = self.replay(*log, disk)? {
                self.cut(*log, offset, &logs[at + 1..], disk)?;
                break;
            }
        }
        Ok(logs.into_iter().collect())
    }

    fn replay(&mut self, log: FileName, disk: &mut dyn Disk) -> Result<LogEnd, OpenError> {
        let mut reader = Reader::open(log, disk)?;
        let corrupt = |offset, what| Err(OpenError::Corrupt { file: log, offset, what });
        let mut offset = 0;
        loop {
            let Frame { head, payload, end } = match reader.look(offset)? {
                Look::Frame(frame) => frame,
                Look::Version(version) => return Err(OpenError::Version { file: log, version }),
                Look::End if offset > 0 => return Ok(LogEnd::Whole),
                Look::End | Look::Bad => return Ok(LogEnd::Torn(offset)),
            };
            if (head.kind == Kind::Start) != (offset == 0) {
                return corrupt(offset, "a start frame is not at the start");
            }
            if head.first != self.position.next().0 {
                // At the start of a log, writes before it are missing: the tail of the log before was lost at
                // the edge of a frame. Whether that was allowed, the promises tell. Inside a log it cannot
                // be.
                let hole = head.kind == Kind::Start && head.first > self.position.next().0;
                return if hole { Ok(LogEnd::Torn(0)) } else { corrupt(offset, "writes are out of order") };
            }
            self.found.clean = head.kind == Kind::End;
            if head.kind == Kind::Data {
                let mut count = 0;
                let mut payload = &payload[..];
                while !payload.is_empty() {
                    let Ok((key, value)) = record::take(&mut payload) else {
                        return corrupt(offset, "a write does not decode");
                    };
                    self.memtable.insert(key, value);
                    self.position = self.position.next();
                    count += 1;
                }
                if count != head.count {
                    return corrupt(offset, "a frame has another number of writes than it says");
                }
                self.found.replayed += u64::from(count);
            }
            offset = end;
        }
    }

    /// Cuts everything from `offset` of `log` on, if nobody was ever told that it is safe. Behind the end of
    /// a log that was closed nothing is missed.
    fn cut(
        &mut self,
        log: FileName,
        offset: u64,
        later: &[FileName],
        disk: &mut dyn Disk,
    ) -> Result<(), OpenError> {
        for (file, from) in core::iter::once((log, offset)).chain(later.iter().map(|file| (*file, 0))) {
            let mut reader = Reader::open(file, disk)?;
            if reader.furthest_promise(from)? > self.position.0 {
                let what = "a write that was synced is damaged or missing";
                return Err(OpenError::Corrupt { file: log, offset, what });
            }
            if !self.found.clean {
                self.found.torn_bytes += reader.len - from;
            }
        }
        Ok(())
    }
}

/// The manifest under which the log was begun; `None` if its start is torn.
fn begun_under(log: FileName, disk: &mut dyn Disk) -> Result<Option<u64>, OpenError> {
    match Reader::open(log, disk)?.look(0)? {
        Look::Frame(frame) if frame.head.kind == Kind::Start => {
            let start: Result<LogStart, _> = codec::decode(&frame.payload);
            let corrupt = OpenError::Corrupt { file: log, offset: 0, what: "its start does not decode" };
            Ok(Some(start.map_err(|_| corrupt)?.manifest))
        }
        _ => Ok(None),
    }
}

/// Writes the recovered writes as a table and syncs it, but not its name.
fn flush(
    config: &Config,
    memtable: Memtable,
    newest: Position,
    number: u64,
    disk: &mut dyn Disk,
) -> Result<Option<TableMeta>, OpenError> {
    let mut job = Job::flush(config, Arc::new(memtable), newest, number);
    loop {
        match job.step(disk, u32::MAX) {
            Progress::More => {}
            Progress::Sync(target) => {
                let result = disk.sync(target);
                job.synced(result);
            }
            Progress::Done(Ok(output)) => return Ok(output.added.into_iter().next()),
            Progress::Done(Err(JobError::Write { why, .. })) => return Err(OpenError::Disk(why)),
            Progress::Done(Err(JobError::Read(_))) => unreachable!("a flush reads no tables"),
        }
    }
}

/// Files that are not the engine's to remove.
fn is_kept(file: FileName) -> bool {
    matches!(file.kind, FileKind::Identity | FileKind::Current | FileKind::Reserve)
}

/// Removes, of the files that were there before, all that the new manifest does not need. What a crash leaves
/// here, or brings back because the removal was not synced, the next open removes.
fn remove_unused(files: &[FileName], version: &Version, disk: &mut dyn Disk) -> Result<(), OpenError> {
    let tables: BTreeSet<FileName> = version.tables().map(|table| table.file()).collect();
    for file in files {
        if !is_kept(*file) && !tables.contains(file) {
            disk.remove(*file)?;
        }
    }
    Ok(())
}
