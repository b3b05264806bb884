//! The engine: what is in memory, and how it follows what is on the disk.

mod background;
pub mod damage;

use alloc::collections::{BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::base::bytes::Bytes;
use crate::base::invariant::{Broken, holds};
use crate::base::time::Duration;
use crate::disk::{Disk, DiskError, FileName, SyncTarget};
use crate::storage::cache::{Cache, Place};
use crate::storage::compaction::merge::{Merge, Source};
use crate::storage::config::{Config, LEVEL0_STALL};
use crate::storage::engine::damage::Suspect;
use crate::storage::error::{OpenError, Operation, Poisoned, ReadError, WriteError};
use crate::storage::job::Job;
use crate::storage::manifest::Manifest;
use crate::storage::memtable::{Cursor, Memtable};
use crate::storage::recovery::{self, Opened, Recovery};
use crate::storage::reserve::{self, Reserve};
use crate::storage::table::reader::{self, Run};
use crate::storage::table::{Pages, TableMeta, filter};
use crate::storage::version::{Edit, Version};
use crate::storage::wal::{Position, Wal};
use crate::storage::{KEY_MAX, VALUE_MAX};

/// See [`Engine::delay`].
pub const DELAY_MAX: Duration = Duration::from_millis(1);

/// Names a sync that the engine asked for. Unique within one run of an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SyncTicket(pub u64);

/// Names a job that the engine handed out. Unique within one run of an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u64);

/// Sync `target` and report with [`Engine::synced`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SyncRequest {
    pub ticket: SyncTicket,
    pub target: SyncTarget,
}

/// How far a piece of background work is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Work {
    Waiting,
    Running(JobId),
    /// Its tables are durable; the edit that names them is on its way.
    Written,
}

/// A memtable that takes no more writes, on its way into a table. Served from memory until the edit is
/// durable.
#[derive(Clone, Debug, Hash)]
struct Frozen {
    memtable: Arc<Memtable>,
    log: FileName,
    last: Position,
    work: Work,
    /// The file numbers reserved for its table.
    numbers: core::ops::Range<u64>,
}

/// A compaction or a repair on its way.
#[derive(Clone, Debug, Hash)]
struct Compaction {
    work: Work,
    /// As long as it waits to be handed out.
    job: Option<Job>,
    inputs: Vec<u64>,
    /// The level of what it makes.
    into: u8,
    /// The file numbers reserved for it.
    numbers: core::ops::Range<u64>,
}

/// A table that is being verified.
#[derive(Clone, Debug, Hash)]
struct Scrubbing {
    table: Arc<TableMeta>,
    work: Work,
}

/// An edit in the manifest that is not durable yet.
#[derive(Clone, Debug, Hash)]
struct Pending {
    number: u64,
    edit: Edit,
    /// Of no use once the edit is durable.
    obsolete: Vec<FileName>,
    is_flush: bool,
}

#[derive(Clone, Debug, Hash)]
enum Status {
    Open,
    Closed,
    Poisoned(Poisoned),
}

/// The storage engine of one node. See the [module](super) for how a write travels.
#[derive(Clone, Debug, Hash)]
pub struct Engine {
    config: Config,
    status: Status,
    /// Shared, so that a scan or a clone of the world costs nothing; copied on the first write after a clone.
    active: Arc<Memtable>,
    frozen: Option<Frozen>,
    version: Version,
    cache: Cache,
    wal: Wal,
    log_sync: Option<SyncRequest>,
    manifest: Manifest,
    /// With the number of the last edit that it covers.
    manifest_sync: Option<(SyncRequest, u64)>,
    pending: VecDeque<Pending>,
    compaction: Option<Compaction>,
    scrub: Option<Scrubbing>,
    /// The number of the table that was scrubbed last.
    scrubbed: u64,
    /// Places (table, offset) that could not be read. Their tables are not compacted.
    damaged: BTreeSet<Place>,
    /// Those of them that no edit in the manifest tells of yet.
    unrecorded: Vec<Place>,
    /// Nothing is to be compacted, as long as neither the tables nor their damage changes.
    settled: bool,
    /// As of the last edit in the manifest.
    log_floor: u64,
    flushed: Position,
    jobs_paused: bool,
    reserve: Reserve,
    next_file: u64,
    next_ticket: u64,
    next_job: u64,
}

impl Engine {
    /// Opens the store on this disk, or begins one on an empty disk. Blocks on syncs. All that was recovered
    /// is durable when this returns. An error changes nothing that an earlier or later open would miss. On a
    /// full disk it opens with the reserve's space, and takes no writes until there is more.
    pub fn open(config: Config, disk: &mut dyn Disk) -> Result<(Engine, Recovery), OpenError> {
        assert!(config.level0_tables > 0 && config.table_bytes > 0, "the configuration was checked");
        let Opened { version, wal, manifest, next_file, damaged, recovery } = recovery::open(&config, disk)?;
        let reserve = Reserve::open(config.reserve_bytes, disk)?;
        let engine = Engine {
            status: Status::Open,
            active: Arc::new(Memtable::default()),
            frozen: None,
            version,
            cache: Cache::new(config.cache_bytes),
            log_floor: wal.active().number,
            flushed: wal.appended(),
            wal,
            log_sync: None,
            manifest,
            manifest_sync: None,
            pending: VecDeque::new(),
            compaction: None,
            scrub: None,
            scrubbed: 0,
            damaged,
            unrecorded: Vec::new(),
            settled: false,
            jobs_paused: false,
            reserve,
            next_file,
            next_ticket: 0,
            next_job: 0,
            config,
        };
        assert_eq!(engine.durable(), engine.appended(), "what was recovered is durable");
        Ok((engine, recovery))
    }

    /// The last write that was taken.
    pub fn appended(&self) -> Position {
        self.wal.appended()
    }

    /// The last write that survives the end of the process, though not of the machine.
    pub fn written(&self) -> Position {
        self.wal.written()
    }

    /// The last write that survives a crash, with all before it.
    pub fn durable(&self) -> Position {
        self.wal.durable()
    }

    /// What holds between any two calls, as long as the engine is not poisoned.
    pub fn invariants(&self) -> Result<(), Broken> {
        self.wal.invariants()?;
        self.cache.invariants()?;
        let appended = self.appended();
        holds(self.flushed <= appended, "what is in tables was written")?;
        holds(self.log_floor <= self.wal.active().number, "the active log is needed")?;
        let frozen = self.frozen.as_ref();
        holds(frozen.is_none_or(|frozen| frozen.last <= appended), "what is frozen was written")?;
        let reserved = frozen.map(|frozen| frozen.numbers.end);
        let reserved = [reserved, self.compaction.as_ref().map(|compaction| compaction.numbers.end)];
        let given = reserved.into_iter().flatten().all(|end| end <= self.next_file);
        holds(given, "jobs write only files whose numbers were given to them")
    }

    /// Why the engine takes nothing any more, if so.
    pub fn poisoned(&self) -> Option<Poisoned> {
        match self.status {
            Status::Poisoned(poisoned) => Some(poisoned),
            Status::Open | Status::Closed => None,
        }
    }

    pub fn is_poisoned(&self) -> bool {
        self.poisoned().is_some()
    }

    /// The value of `key`, or `None` if it does not exist or was deleted. An error says that this is not known;
    /// the damage is then among the [`Engine::suspects`].
    pub fn get(&mut self, key: &[u8], disk: &mut dyn Disk) -> Result<Option<Bytes>, ReadError> {
        self.get_with(key, disk, Bytes::new)
    }

    /// The same, of what `take` makes of the value where it lies: whoever decodes it needs no copy.
    pub fn get_with<T>(
        &mut self,
        key: &[u8],
        disk: &mut dyn Disk,
        take: impl FnOnce(&[u8]) -> T,
    ) -> Result<Option<T>, ReadError> {
        let found = self.lookup(key, disk, take);
        found.inspect_err(|error| self.note_damage([*error], disk))
    }

    fn lookup<T>(
        &mut self,
        key: &[u8],
        disk: &mut dyn Disk,
        take: impl FnOnce(&[u8]) -> T,
    ) -> Result<Option<T>, ReadError> {
        let frozen = self.frozen.as_ref().map(|frozen| &frozen.memtable);
        if let Some(found) = core::iter::once(&self.active).chain(frozen).find_map(|table| table.get(key)) {
            return Ok(found.map(take));
        }
        let mut pages = Pages { disk, cache: Some(&mut self.cache), read: 0 };
        let hash = filter::hash(key);
        for table in self.version.candidates(key) {
            if let Some(block) = reader::find(table, key, hash, &mut pages)? {
                return Ok(block.value().map(take));
            }
        }
        Ok(None)
    }

    /// The live entries with `from <= key < to`, in key order, at most `limit` of them. To go on, scan from
    /// the last key with a zero byte appended.
    pub fn scan(
        &mut self,
        from: &[u8],
        to: &[u8],
        limit: usize,
        disk: &mut dyn Disk,
    ) -> Result<Vec<(Bytes, Bytes)>, ReadError> {
        let found = self.walk(from, to, limit, (&[], true), disk);
        found.inspect_err(|error| self.note_damage([*error], disk))
    }

    /// Like [`Engine::scan`], but passes over the keys that damage has made unknown. Fails only if the disk reads
    /// nothing any more.
    pub fn scan_around(
        &mut self,
        from: &[u8],
        to: &[u8],
        limit: usize,
        disk: &mut dyn Disk,
    ) -> Result<Vec<(Bytes, Bytes)>, ReadError> {
        self.scan_past(from, to, limit, true, disk)
    }

    /// Like [`Engine::scan_around`], but with what can be read of the unknown keys: the newest that is left. The damage
    /// may hide something newer, so this is for those only to whom something old does no harm.
    pub fn scan_beside(
        &mut self,
        from: &[u8],
        to: &[u8],
        limit: usize,
        disk: &mut dyn Disk,
    ) -> Result<Vec<(Bytes, Bytes)>, ReadError> {
        self.scan_past(from, to, limit, false, disk)
    }

    fn scan_past(
        &mut self,
        from: &[u8],
        to: &[u8],
        limit: usize,
        hides: bool,
        disk: &mut dyn Disk,
    ) -> Result<Vec<(Bytes, Bytes)>, ReadError> {
        loop {
            let suspects = if self.damaged.is_empty() { Vec::new() } else { self.suspects(disk) };
            let error = match self.walk(from, to, limit, (&suspects, hides), disk) {
                Ok(found) => return Ok(found),
                Err(error) => error,
            };
            // Every round finds another damaged place, of which there are so many and no more.
            if self.damaged.contains(&(error.file.number, error.offset)) {
                return Err(error);
            }
            self.note_damage([error], disk);
        }
    }

    /// Walks around the damage, and passes over the keys that it `hides`.
    fn walk(
        &mut self,
        from: &[u8],
        to: &[u8],
        limit: usize,
        (around, hides): (&[Suspect], bool),
        disk: &mut dyn Disk,
    ) -> Result<Vec<(Bytes, Bytes)>, ReadError> {
        let memtables =
            core::iter::once(&self.active).chain(self.frozen.as_ref().map(|frozen| &frozen.memtable));
        let mut sources: Vec<Source> =
            memtables.map(|table| Source::Memory(Cursor::new(table.clone()))).collect();
        let places: Vec<Place> = around.iter().flat_map(Suspect::places).collect();
        let level0 = self.version.level(0).iter().map(|table| alloc::vec![table.clone()]);
        let deeper = self.version.levels().skip(1).filter(|(_, tables)| !tables.is_empty());
        let deeper = deeper.map(|(_, tables)| tables.to_vec());
        let runs = level0.chain(deeper).map(|tables| Run::around(tables, places.clone()));
        sources.extend(runs.map(Source::tables));

        let mut pages = Pages { disk, cache: Some(&mut self.cache), read: 0 };
        let mut merge = Merge::new(sources);
        merge.seek(from, &mut pages)?;
        let mut found = Vec::new();
        while found.len() < limit {
            match merge.next(&mut pages)? {
                Some((key, _)) if key >= to => break,
                // What an older table has of a suspect key is no answer.
                Some((key, _)) if hides && around.iter().any(|suspect| suspect.contains(key)) => {}
                Some((key, Some(value))) => found.push((Bytes::new(key), Bytes::new(value))),
                Some((_, None)) => {}
                None => break,
            }
        }
        Ok(found)
    }

    /// Sets `key` to a value, or deletes it (`None`). Visible at once; durable when [`Engine::durable`] has
    /// reached the position in the answer. Never waits: it refuses when background work is too far behind. A write
    /// that is taken just before the disk turns out to be full becomes durable when there is space again.
    pub fn put(
        &mut self,
        key: &[u8],
        value: Option<&[u8]>,
        disk: &mut dyn Disk,
    ) -> Result<Position, WriteError> {
        if !matches!(self.status, Status::Open) {
            return Err(WriteError::Poisoned);
        }
        if key.len() > KEY_MAX || value.is_some_and(|value| value.len() > VALUE_MAX) {
            return Err(WriteError::TooLarge);
        }
        if !self.reserve.takes_writes() && (self.is_working() || !self.reserve.restore(disk)) {
            return Err(WriteError::Full);
        }
        // What waits for space comes first.
        if self.wal.is_group_stuck() && self.write_group(disk).is_err() {
            return Err(WriteError::Poisoned);
        }
        if self.wal.is_group_stuck() {
            return Err(WriteError::Full);
        }
        self.make_room(disk)?;
        let position = self.wal.append((key, value));
        Arc::make_mut(&mut self.active).insert(key, value);
        // If there is no space for the group it waits in memory, as it would for a sync.
        if self.wal.is_group_full() && self.write_group(disk).is_err() {
            return Err(WriteError::Poisoned);
        }
        Ok(position)
    }

    /// Writes the group of the log, if need be into the space of the reserve. Without space the group waits, and the
    /// next call tries again.
    fn write_group(&mut self, disk: &mut dyn Disk) -> Result<(), Poisoned> {
        let mut written = self.wal.write_group(disk);
        if written == Err(DiskError::Full) && self.reserve.takes_writes() {
            self.reserve.ran_out(disk);
            written = self.wal.write_group(disk);
        }
        match written {
            Ok(()) | Err(DiskError::Full) => Ok(()),
            // Half a frame may lie in the log. Whatever came behind it would be lost at the next open (fjall
            // issue 308), so nothing does.
            Err(why) => Err(self.poison(Operation::Append(self.wal.active()), why)),
        }
    }

    /// How long whoever calls [`Engine::put`] should let the next write wait, so that background work keeps up: in
    /// proportion to how far it is behind, from nothing to [`DELAY_MAX`], beyond which writes are refused. Without
    /// it writes would run at full speed into a wall.
    pub fn delay(&self) -> Duration {
        let share = |value: u64, from: u64, until: u64| {
            let over = value.saturating_sub(from).min(until.saturating_sub(from));
            DELAY_MAX.as_nanos().saturating_mul(over) / until.saturating_sub(from).max(1)
        };
        let trigger = u64::from(self.config.level0_tables);
        let stall = trigger.saturating_mul(u64::from(LEVEL0_STALL));
        let tables = share(self.version.level(0).len() as u64, trigger.saturating_mul(2), stall);
        let full = self.config.memtable_bytes;
        let memory =
            if self.frozen.is_some() { share(self.wal.len(), full, full.saturating_mul(2)) } else { 0 };
        Duration(tables.max(memory))
    }

    /// Freezes a full memtable, or refuses if the one before it is still there and this one is twice its
    /// size.
    fn make_room(&mut self, disk: &mut dyn Disk) -> Result<(), WriteError> {
        let stall = self.config.level0_tables.saturating_mul(LEVEL0_STALL);
        let behind = self.version.level(0).len() >= stall as usize;
        if behind && (self.compaction.is_some() || self.pick().is_some()) {
            return Err(WriteError::Overloaded);
        }
        if self.wal.len() < self.config.memtable_bytes || self.active.is_empty() {
            return Ok(());
        }
        if self.frozen.is_some() {
            let limit = self.config.memtable_bytes.saturating_mul(2);
            return if self.wal.len() >= limit { Err(WriteError::Overloaded) } else { Ok(()) };
        }
        let (log, last) = (self.wal.active(), self.wal.appended());
        let number = self.take_files(1).start;
        match self.wal.rotate(number, disk) {
            Ok(()) => {}
            Err(DiskError::Full) => {
                self.reserve.ran_out(disk);
                return Err(WriteError::Full);
            }
            Err(why) => {
                self.poison(Operation::Append(self.wal.active()), why);
                return Err(WriteError::Poisoned);
            }
        }
        let memtable = core::mem::take(&mut self.active);
        self.frozen = Some(Frozen { memtable, log, last, work: Work::Waiting, numbers: 0..0 });
        Ok(())
    }

    /// Whether a job runs, which may be about to free space and should have what there is.
    fn is_working(&self) -> bool {
        let flush = self.frozen.as_ref().map(|frozen| frozen.work);
        let compaction = self.compaction.as_ref().map(|compaction| compaction.work);
        [flush, compaction].into_iter().flatten().any(|work| work != Work::Waiting)
    }

    fn take_files(&mut self, count: u64) -> core::ops::Range<u64> {
        let first = self.next_file;
        self.next_file += count;
        first..self.next_file
    }

    fn poison(&mut self, operation: Operation, why: DiskError) -> Poisoned {
        let poisoned = Poisoned { why, operation };
        self.status = Status::Poisoned(poisoned);
        poisoned
    }

    /// Ends the log in good order: makes all writes durable and says so on the disk. Blocks on syncs. The
    /// engine takes no more writes; jobs still running leave orphans.
    pub fn close(&mut self, disk: &mut dyn Disk) -> Result<(), Poisoned> {
        match self.status {
            Status::Open => {}
            Status::Closed => return Ok(()),
            Status::Poisoned(poisoned) => return Err(poisoned),
        }
        if !self.reserve.takes_writes() {
            // Whatever was laid by of it, the end frame needs it more.
            reserve::release(disk);
        }
        self.wal.end(disk).map_err(|(operation, why)| self.poison(operation, why))?;
        self.status = Status::Closed;
        Ok(())
    }
}
