//! Damage at rest: which keys it makes unknown, and the way back.
//!
//! A block that fails its checksum, or cannot be read, twice, makes the keys that it held unknown: reads that need
//! it fail, and never say "not found". The rest of the store goes on. The engine says which ranges of keys are
//! suspect; the layer above fetches those from other replicas, and hands them in; the table is then written
//! anew without the damaged blocks.

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::{Compaction, Engine, Scrubbing, Status, Work};
use crate::base::bytes::Bytes;
use crate::disk::{Disk, DiskError};
use crate::storage::cache::Place;
use crate::storage::compaction::merge::{Merge, Source};
use crate::storage::error::{Operation, ReadError, RepairError};
use crate::storage::job::{Job, Repair};
use crate::storage::memtable::Memtable;
use crate::storage::table::reader::{self, Run};
use crate::storage::table::{KeyRange, Pages, TableMeta};
use crate::storage::version::Edit;

/// So many bytes from a damaged place on are read to see whether it can be read: more than nearly all blocks have.
const PROBE_MAX: u64 = 1 << 20;

/// A table with damage.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Suspect {
    /// The number of its file.
    pub table: u64,
    /// The keys that are unknown, in order, without overlap. Bounds are keys of the engine.
    pub ranges: Vec<KeyRange>,
    /// The damaged places in the file, in bytes. Grows if more is found.
    places: Vec<u64>,
}

impl Suspect {
    pub fn contains(&self, key: &[u8]) -> bool {
        self.ranges.iter().any(|range| range.contains(key))
    }

    /// Table and offset of each damaged place.
    pub(super) fn places(&self) -> impl Iterator<Item = Place> {
        self.places.iter().map(|offset| (self.table, *offset))
    }
}

impl Engine {
    /// The tables in which damage was found, by reads, compactions or the scrub, now or before a restart; the
    /// deepest levels first, which is the order in which they can be repaired.
    pub fn suspects(&mut self, disk: &mut dyn Disk) -> Vec<Suspect> {
        let mut pages = Pages { disk, cache: Some(&mut self.cache), read: 0 };
        let mut suspects = Vec::new();
        let newest_first: Vec<_> = self.version.tables().collect();
        for table in newest_first.into_iter().rev() {
            let of_table = (table.number, 0)..=(table.number, u64::MAX);
            let places: Vec<u64> = self.damaged.range(of_table).map(|(_, offset)| *offset).collect();
            if !places.is_empty() {
                let ranges = unknown(table, &places, &mut pages);
                suspects.push(Suspect { table: table.number, ranges, places });
            }
        }
        suspects
    }

    /// Whether there is any damage that is known.
    pub fn is_damaged(&self) -> bool {
        !self.damaged.is_empty()
    }

    /// How many tables are known to have damage.
    pub fn damaged_tables(&self) -> u64 {
        let tables: BTreeSet<u64> = self.damaged.iter().map(|(table, _)| *table).collect();
        tables.len() as u64
    }

    /// Whether the table with this number is one of the [`Engine::suspects`].
    pub fn is_suspect(&self, table: u64) -> bool {
        self.damaged.range((table, 0)..=(table, u64::MAX)).next().is_some()
    }

    /// Whether a compaction or a repair is on its way, so that none can begin.
    pub fn is_rewriting(&self) -> bool {
        self.compaction.is_some()
    }

    /// Notes damage, also in the manifest: a restart must not take for whole what was found by a read years ago, and
    /// let newer tables sink below it.
    pub(super) fn note_damage(&mut self, found: impl IntoIterator<Item = ReadError>, disk: &mut dyn Disk) {
        for ReadError { file, offset } in found {
            // A job may have read a table that is gone meanwhile.
            if self.version.tables().any(|table| table.number == file.number)
                && self.damaged.insert((file.number, offset))
            {
                self.settled = false;
                self.unrecorded.push((file.number, offset));
            }
        }
        if self.unrecorded.is_empty() || !matches!(self.status, Status::Open) {
            return;
        }
        let edit = Edit {
            log_floor: self.log_floor,
            flushed: self.flushed.0,
            next_file: self.next_file,
            damaged: self.unrecorded.clone(),
            ..Edit::default()
        };
        match self.manifest.append(&edit, disk) {
            Ok(_) => self.unrecorded.clear(),
            // It is noted with what is found next. Until then only a restart forgets it.
            Err(DiskError::Full) => {}
            Err(why) => drop(self.poison(Operation::Append(self.manifest.file()), why)),
        }
    }

    /// Reads the damaged places once more, and takes for whole those that can be read: the fault was of a cable, or of
    /// a controller that was reset. How many those are. To be called before what they hold is replaced by what others
    /// have, who may have lost it. The manifest goes on to name them; after a restart they are looked at again.
    pub fn look_again(&mut self, disk: &mut dyn Disk) -> usize {
        let mut pages = Pages { disk, cache: None, read: 0 };
        let tables: Vec<_> = self.version.tables().filter(|table| self.is_suspect(table.number)).collect();
        let mut whole = Vec::new();
        for table in tables {
            // This reads footer and index too.
            let Ok(blocks) = reader::blocks(table, &mut pages) else { continue };
            let of_table = (table.number, 0)..=(table.number, u64::MAX);
            whole.extend(self.damaged.range(of_table).filter(|(_, offset)| {
                let block = blocks.iter().find(|block| block.handle.offset == *offset);
                block.is_none_or(|block| pages.fetch(table.file(), block.handle).is_ok())
            }));
        }
        for place in &whole {
            self.damaged.remove(place);
            self.unrecorded.retain(|other| other != place);
            self.settled = false;
        }
        whole.len()
    }

    /// Whether some of the damage may pass by itself: what cannot be read. What can be read, and is not what was
    /// written, has changed on the disk. To be asked behind [`Engine::look_again`].
    pub fn may_pass(&self, disk: &mut dyn Disk) -> bool {
        self.damaged.iter().any(|(number, offset)| {
            let Some(table) = self.version.tables().find(|table| table.number == *number) else {
                return false;
            };
            let len = table.size().saturating_sub(*offset).min(PROBE_MAX);
            disk.read_at(table.file(), *offset, &mut alloc::vec![0; len as usize]).is_err()
        })
    }

    /// Writes the table of `suspect` anew: `entries` take the place of what was damaged, and all else in it stays.
    /// They must be everything that the replicas have in those ranges: a key that is not among them will not
    /// be found, even if an older table has it, or deleted keys would come back. Newer writes win over them.
    ///
    /// The work is a job like others; when it is done, [`Engine::suspects`] no longer lists the table. What was
    /// lost may include writes that this node had numbered and nobody else has; so the node numbers on under a new
    /// epoch, as after a restart. The caller sees to that.
    pub fn repair(
        &mut self,
        suspect: &Suspect,
        entries: &[(Bytes, Bytes)],
        disk: &mut dyn Disk,
    ) -> Result<(), RepairError> {
        if !matches!(self.status, Status::Open) {
            return Err(RepairError::Poisoned);
        }
        if self.compaction.is_some() {
            return Err(RepairError::Busy);
        }
        let current = self.suspects(disk);
        if !current.contains(suspect) {
            return Err(RepairError::Outdated);
        }
        if !entries.iter().all(|(key, _)| suspect.contains(key)) {
            return Err(RepairError::Outside);
        }
        let (level, table) = self.find(suspect.table).expect("suspects are tables of the version");
        let mut memtable = self.shadows(level, &table, &suspect.ranges, disk)?;
        entries.iter().for_each(|(key, value)| memtable.insert(key, Some(&**value)));

        let is_lost = suspect.ranges.first().is_some_and(|range| range.is_of(&table));
        let bytes =
            table.size() + entries.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>() as u64;
        let numbers = self.take_files(self.outputs(bytes));
        let repair = Repair {
            entries: Arc::new(memtable),
            survivor: (!is_lost).then(|| (table.clone(), suspect.places().collect())),
            newest: table.newest,
            is_level0: level == 0,
        };
        let job = Job::repair(&self.config, repair, numbers.clone());
        let inputs = alloc::vec![table.number];
        self.compaction =
            Some(Compaction { work: Work::Waiting, job: Some(job), inputs, into: level, numbers });
        Ok(())
    }

    fn find(&self, number: u64) -> Option<(u8, Arc<TableMeta>)> {
        self.version.levels().find_map(|(level, tables)| {
            Some((level, tables.iter().find(|table| table.number == number)?.clone()))
        })
    }

    /// A delete for each key in `ranges` that an older table than `table` has: the damaged blocks hid them, by
    /// newer values or by deletes, and nobody knows any more which.
    fn shadows(
        &mut self,
        level: u8,
        table: &TableMeta,
        ranges: &[KeyRange],
        disk: &mut dyn Disk,
    ) -> Result<Memtable, RepairError> {
        let older = self.version.levels().filter(|(other, _)| *other >= level);
        let older = older.flat_map(|(other, tables)| {
            let is_older = move |other_table: &&Arc<TableMeta>| {
                other > level || (level == 0 && other_table.newest < table.newest)
            };
            tables.iter().filter(is_older).filter(|other| other.overlaps(&table.first, &table.last))
        });
        let sources = older.map(|table| Source::tables(Run::new(alloc::vec![table.clone()]))).collect();
        let mut merge = Merge::new(sources);
        let mut pages = Pages { disk, cache: None, read: 0 };
        let mut deletes = Memtable::default();
        for range in ranges {
            if let Err(error) = shadow(&mut merge, range, &mut pages, &mut deletes) {
                self.note_damage([error], disk);
                return Err(RepairError::Deeper);
            }
        }
        Ok(deletes)
    }

    /// Asks for the scrub of one table, the next in turn; the job is handed out by [`Engine::poll_job`]. Does nothing
    /// if one is on its way. How often this is called decides how old damage can become before it is found.
    pub fn scrub(&mut self) {
        if self.scrub.is_none() {
            let by_number = |table: &&Arc<TableMeta>| table.number;
            let after =
                self.version.tables().filter(|table| table.number > self.scrubbed).min_by_key(by_number);
            let next = after.or_else(|| self.version.tables().min_by_key(by_number)).cloned();
            self.scrub = next.map(|table| Scrubbing { table, work: Work::Waiting });
        }
    }
}

/// A delete for each key in `range` that `merge` walks over.
fn shadow(
    merge: &mut Merge,
    range: &KeyRange,
    pages: &mut Pages,
    deletes: &mut Memtable,
) -> Result<(), ReadError> {
    merge.seek(&range.first, pages)?;
    while let Some((key, _)) = merge.next(pages)? {
        if !range.contains(key) {
            break;
        }
        deletes.insert(key, None);
    }
    Ok(())
}

/// The ranges of the keys in the damaged blocks; all keys of the table if it is not its data blocks that are damaged.
fn unknown(table: &TableMeta, places: &[u64], pages: &mut Pages) -> Vec<KeyRange> {
    let all = || alloc::vec![KeyRange { first: table.first.clone(), last: table.last.clone() }];
    let Ok(blocks) = reader::blocks(table, pages) else { return all() };
    let hit: Vec<KeyRange> = blocks
        .into_iter()
        .filter(|block| places.contains(&block.handle.offset))
        .map(|block| block.keys)
        .collect();
    if hit.len() == places.len() { hit } else { all() }
}
