//! The simulated disk: what a node wrote, what of it would survive a power loss, and the faults that decide.
//!
//! Every file is known twice, as its readers see it and as the last successful sync left it; the folder is
//! known as its durable names and the list of changes since. A crash makes the first from the second.
//! Contents are kept in shared chunks, so cloning a disk copies no data.

mod content;
mod faulty;

use std::collections::BTreeMap;
use std::vec::Vec;

use self::content::Content;
use crate::base::rng::{Ppm, Stream};
use crate::disk::{Disk, DiskError, FileName, SyncTarget};

use self::faulty::Faulty;
pub use self::faulty::{Asked, Damage, DiskFault, Files, stream};

/// A crash decides for each of these, in bytes, whether it reached the disk.
pub const SECTOR: u64 = 512;

/// What becomes of unsynced bytes and names in a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unsynced {
    /// All are gone.
    Lost,
    /// Each sector and each change of a name survives by a coin; sectors missing below surviving ones read as
    /// zeros.
    Torn,
    /// Nothing: the process was killed, and the system goes on. What is not synced stays readable, and may still be
    /// lost by a later loss of power.
    Kept,
}

/// What was asked of the disk, so that a world can charge time for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Cost {
    pub reads: u64,
    pub read_bytes: u64,
    pub appends: u64,
    pub append_bytes: u64,
    pub syncs: u64,
}

/// A sync that has begun. It covers what was there then, and nothing that comes later.
#[derive(Clone, Debug, Hash)]
pub struct SyncMark {
    /// Crashes before it began.
    epoch: u64,
    ordinal: u64,
    covers: Covers,
}

#[derive(Clone, Debug, Hash)]
enum Covers {
    File {
        inode: u64,
        content: Content,
    },
    /// That many name changes since the disk was made.
    Names(u64),
}

#[derive(Clone, Debug, Default, Hash)]
struct Inode {
    content: Content,
    durable: Content,
    /// Of the sync that made `durable`.
    durable_ordinal: u64,
    /// A sync of it failed. The pages are marked clean all the same, so later syncs report success and write
    /// nothing, as Linux does (Rebello et al. 2020).
    sync_failed: bool,
}

/// A change of names that happens wholly or not at all.
type NameChange = Vec<(FileName, Option<u64>)>;

#[derive(Clone, Debug, Default, Hash)]
pub struct SimDisk {
    inodes: BTreeMap<u64, Inode>,
    names: BTreeMap<FileName, u64>,
    durable_names: BTreeMap<FileName, u64>,
    /// Changes that are not durable yet, and how many came before them.
    name_changes: Vec<NameChange>,
    durable_changes: u64,
    next_inode: u64,
    next_ordinal: u64,
    epoch: u64,
    cost: Cost,
    /// Mutating operations that still succeed, if their number is limited.
    operations_left: Option<u64>,
    /// The limit was exceeded: every operation fails.
    failing: bool,
    /// The next sync of this target fails.
    failing_sync: Option<SyncTarget>,
    /// Bytes that the files may have together.
    capacity: Option<u64>,
    failing_read: Option<FailingRead>,
    faulty: Faulty,
}

/// A place of a file that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct FailingRead {
    file: FileName,
    /// Reads that touch this byte fail.
    offset: u64,
    /// How many of them still do; `None` for all.
    times: Option<u32>,
}

impl SimDisk {
    pub fn new() -> SimDisk {
        SimDisk::default()
    }

    /// What was asked since the last call.
    pub fn take_cost(&mut self) -> Cost {
        std::mem::take(&mut self.cost)
    }

    /// Lets `operations` more mutating operations (appends, truncations, publications, removals, syncs)
    /// succeed; from then on every operation fails until the next crash. The first append that fails leaves
    /// half of its bytes.
    pub fn fail_after(&mut self, operations: Option<u64>) {
        self.operations_left = operations;
    }

    /// Whether the point that [`SimDisk::fail_after`] set has been reached.
    pub fn is_failing(&self) -> bool {
        self.failing
    }

    /// The next sync of `target` fails, and what it covered never becomes durable, whatever later syncs
    /// report.
    pub fn fail_next_sync(&mut self, target: SyncTarget) {
        self.failing_sync = Some(target);
    }

    /// Limits the bytes that all files may have together. What is beyond the limit already stays.
    pub fn set_capacity(&mut self, bytes: Option<u64>) {
        self.capacity = bytes;
    }

    /// Bytes that all files have together.
    pub fn used(&self) -> u64 {
        self.names.values().map(|inode| self.inodes[inode].content.len()).sum()
    }

    /// Reads that touch byte `offset` of `file` fail: the next `times`, or all. Replaces what was set before.
    pub fn fail_reads(&mut self, file: FileName, offset: u64, times: Option<u32>) {
        self.failing_read = Some(FailingRead { file, offset, times });
    }

    /// The faults that were met since the last call, with repetitions.
    pub fn met(&mut self) -> &mut Vec<usize> {
        &mut self.faulty.met
    }

    fn check_read(&mut self, file: FileName, offset: u64, len: u64) -> Result<(), DiskError> {
        if !self.faulty.is_empty() {
            self.faulty.read(file, offset, len)?;
        }
        let Some(failing) = &mut self.failing_read else { return Ok(()) };
        let touched = offset <= failing.offset && failing.offset - offset < len;
        if failing.file != file || !touched || failing.times == Some(0) {
            return Ok(());
        }
        failing.times = failing.times.map(|times| times - 1);
        Err(DiskError::Io)
    }

    /// How many of `wanted` bytes there is space for.
    fn room(&mut self, wanted: usize) -> usize {
        if !self.faulty.is_empty() {
            let mut faulty = std::mem::take(&mut self.faulty);
            let room = faulty.room(|| self.used(), wanted);
            self.faulty = faulty;
            return room;
        }
        let Some(capacity) = self.capacity else { return wanted };
        let free = capacity.saturating_sub(self.used());
        usize::try_from(free).unwrap_or(usize::MAX).min(wanted)
    }

    /// A write that was meant for another place: `bytes` lie at `offset` of `file`, for readers and durably. What
    /// reaches beyond the end is lost.
    pub fn misdirect(&mut self, file: FileName, offset: u64, bytes: &[u8]) {
        for (at, byte) in (offset..).zip(bytes) {
            let mut there = [0u8];
            if self.content(file).is_ok_and(|content| content.read_at(at, &mut there) == 1) {
                let wrong = there[0] ^ byte;
                let bits = (0..8u64).filter(|bit| wrong & (1 << bit) != 0);
                bits.for_each(|bit| assert!(self.flip_bit(file, at * 8 + bit), "the byte is there"));
            }
        }
    }

    /// Inverts one bit of what is readable and of what is durable. False if the file has no such bit.
    pub fn flip_bit(&mut self, file: FileName, bit: u64) -> bool {
        let Some(inode) = self.names.get(&file).and_then(|inode| self.inodes.get_mut(inode)) else {
            return false;
        };
        let flipped = inode.content.flip_bit(bit);
        inode.durable.flip_bit(bit);
        flipped
    }

    /// A new, empty disk in place of this one. Marks of the old one are worth nothing.
    pub fn wipe(&mut self) {
        *self = SimDisk { epoch: self.epoch + 1, ..SimDisk::default() };
    }

    /// A copy of some disk in place of this one. Marks of this one are worth nothing.
    pub fn replaced_by(&self, copy: SimDisk) -> SimDisk {
        SimDisk { epoch: self.epoch.max(copy.epoch) + 1, faulty: Faulty::default(), ..copy }
    }

    /// Begins a sync. What it covers is fixed now.
    pub fn begin_sync(&mut self, target: SyncTarget) -> Result<SyncMark, DiskError> {
        let inode = match target {
            SyncTarget::File(file) => Some(self.inode(file)?),
            SyncTarget::Directory => None,
        };
        self.mutate()?;
        self.cost.syncs += 1;
        let failing = self.failing_sync.take_if(|failing| *failing == target).is_some();
        if self.faulty.ask(Asked::Sync).is_err() || failing {
            if let Some(inode) = inode.and_then(|inode| self.inodes.get_mut(&inode)) {
                inode.sync_failed = true;
            }
            return Err(DiskError::Io);
        }
        let covers = match inode {
            Some(inode) => Covers::File { inode, content: self.inodes[&inode].content.clone() },
            None => Covers::Names(self.durable_changes + self.name_changes.len() as u64),
        };
        self.next_ordinal += 1;
        Ok(SyncMark { epoch: self.epoch, ordinal: self.next_ordinal, covers })
    }

    /// Ends a sync: what it covers is durable. A mark from before a crash is ignored.
    pub fn finish_sync(&mut self, mark: SyncMark) {
        if mark.epoch != self.epoch {
            return;
        }
        match mark.covers {
            Covers::File { inode, content } => {
                // The file may have been removed meanwhile, or a younger sync may have ended first.
                if let Some(inode) = self.inodes.get_mut(&inode)
                    && inode.durable_ordinal < mark.ordinal
                    && !inode.sync_failed
                {
                    inode.durable = content;
                    inode.durable_ordinal = mark.ordinal;
                }
            }
            Covers::Names(changes) => {
                let count = changes.saturating_sub(self.durable_changes);
                for change in self.name_changes.drain(..count as usize) {
                    apply(&mut self.durable_names, change);
                }
                self.durable_changes += count;
                self.forget_unnamed();
            }
        }
    }

    /// The power fails and comes back.
    pub fn crash(&mut self, unsynced: Unsynced, rng: &mut Stream) {
        self.operations_left = None;
        self.failing = false;
        if unsynced == Unsynced::Kept {
            return;
        }
        let half = Ppm(500_000);
        for change in std::mem::take(&mut self.name_changes) {
            self.durable_changes += 1;
            if unsynced == Unsynced::Torn && rng.chance(half) {
                apply(&mut self.durable_names, change);
            }
        }
        self.names = self.durable_names.clone();
        self.forget_unnamed();
        for inode in self.inodes.values_mut() {
            if unsynced == Unsynced::Torn && !inode.sync_failed {
                inode.durable = inode.content.torn(&inode.durable, || rng.chance(half));
            }
            inode.content = inode.durable.clone();
            inode.sync_failed = false;
        }
        self.epoch += 1;
        self.failing_sync = None;
    }

    fn inode(&self, file: FileName) -> Result<u64, DiskError> {
        self.names.get(&file).copied().ok_or(DiskError::NotFound)
    }

    fn content(&self, file: FileName) -> Result<&Content, DiskError> {
        Ok(&self.inodes[&self.inode(file)?].content)
    }

    fn content_mut(&mut self, file: FileName) -> Result<&mut Content, DiskError> {
        let inode = self.inode(file)?;
        Ok(&mut self.inodes.get_mut(&inode).expect("what has a name exists").content)
    }

    fn alive(&self) -> Result<(), DiskError> {
        if self.failing { Err(DiskError::Io) } else { Ok(()) }
    }

    /// Counts a mutating operation towards the crash point.
    fn mutate(&mut self) -> Result<(), DiskError> {
        match &mut self.operations_left {
            Some(0) => self.failing = true,
            Some(left) => *left -= 1,
            None => {}
        }
        self.alive()
    }

    fn change_names(&mut self, change: NameChange) {
        apply(&mut self.names, change.clone());
        self.name_changes.push(change);
    }

    /// Drops the files that no name leads to, and none could after a crash.
    fn forget_unnamed(&mut self) {
        let changes = self.name_changes.iter().flatten().filter_map(|(_, inode)| inode.as_ref());
        let named: std::collections::BTreeSet<u64> =
            self.names.values().chain(self.durable_names.values()).chain(changes).copied().collect();
        self.inodes.retain(|inode, _| named.contains(inode));
    }
}

fn apply(names: &mut BTreeMap<FileName, u64>, change: NameChange) {
    for (name, inode) in change {
        match inode {
            Some(inode) => drop(names.insert(name, inode)),
            None => drop(names.remove(&name)),
        }
    }
}

impl Disk for SimDisk {
    fn read_at(&mut self, file: FileName, offset: u64, buffer: &mut [u8]) -> Result<usize, DiskError> {
        self.alive()?;
        self.check_read(file, offset, buffer.len() as u64)?;
        let read = self.content(file)?.read_at(offset, buffer);
        self.cost.reads += 1;
        self.cost.read_bytes += read as u64;
        Ok(read)
    }

    fn len(&mut self, file: FileName) -> Result<u64, DiskError> {
        self.alive()?;
        Ok(self.content(file)?.len())
    }

    fn append(&mut self, file: FileName, data: &[u8]) -> Result<u64, DiskError> {
        self.alive()?;
        let fate = self.mutate().and_then(|()| self.faulty.ask(Asked::Write));
        if fate.is_ok() && self.inode(file).is_err() {
            self.next_inode += 1;
            self.inodes.insert(self.next_inode, Inode::default());
            self.change_names(std::vec![(file, Some(self.next_inode))]);
        }
        let room = self.room(data.len());
        let fate = if fate.is_ok() && room < data.len() { Err(DiskError::Full) } else { fate };
        let data = match fate {
            Ok(()) => data,
            Err(DiskError::Full) => &data[..room],
            Err(_) => &data[..data.len() / 2],
        };
        self.cost.appends += 1;
        self.cost.append_bytes += data.len() as u64;
        if let Ok(content) = self.content_mut(file) {
            let offset = content.len();
            content.append(data);
            fate.map(|()| offset)
        } else {
            Err(DiskError::Io)
        }
    }

    fn truncate(&mut self, file: FileName, len: u64) -> Result<(), DiskError> {
        self.mutate()?;
        let content = self.content_mut(file)?;
        assert!(len <= content.len(), "a file is not truncated to more than it has");
        content.truncate(len);
        Ok(())
    }

    fn publish(&mut self, from: FileName, to: FileName) -> Result<(), DiskError> {
        self.mutate()?;
        let inode = self.inode(from)?;
        self.change_names(std::vec![(from, None), (to, Some(inode))]);
        Ok(())
    }

    fn remove(&mut self, file: FileName) -> Result<(), DiskError> {
        self.mutate()?;
        self.inode(file)?;
        self.change_names(std::vec![(file, None)]);
        Ok(())
    }

    fn list(&mut self) -> Result<Vec<FileName>, DiskError> {
        self.alive()?;
        Ok(self.names.keys().copied().collect())
    }

    fn sync(&mut self, target: SyncTarget) -> Result<(), DiskError> {
        let mark = self.begin_sync(target)?;
        self.finish_sync(mark);
        Ok(())
    }
}
