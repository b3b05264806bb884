//! What is wrong with a disk: errors for a time, and damage for good.

use std::format;
use std::vec::Vec;

use super::{SECTOR, SimDisk};
use crate::base::rng::{Ppm, Stream};
use crate::disk::{DiskError, FileKind, FileName};

/// What an error is an answer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Asked {
    Read,
    Write,
    Sync,
}

/// What a disk fails at for a time. What is on it stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DiskFault {
    /// A share of what is asked is answered with EIO.
    Error { on: Asked, share: Ppm },
    /// So many bytes more, and it is full.
    Full { free: u64 },
    /// So many sectors cannot be read.
    Unreadable { sectors: u32 },
}

impl DiskFault {
    pub fn kind(&self) -> &'static str {
        match self {
            DiskFault::Error { .. } => "error",
            DiskFault::Full { .. } => "full",
            DiskFault::Unreadable { .. } => "unreadable",
        }
    }
}

/// What changes on a disk behind everybody's back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Damage {
    /// So many bits invert.
    Rot { bits: u32 },
    /// So many sectors never got what was written to them: zeros.
    LostWrite { sectors: u32 },
    /// What was written to one sector lies in another, and zeros where it should be.
    Misdirect,
}

impl Damage {
    pub fn kind(&self) -> &'static str {
        match self {
            Damage::Rot { .. } => "rot",
            Damage::LostWrite { .. } => "lost_write",
            Damage::Misdirect => "misdirect",
        }
    }
}

/// Which files damage falls on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Files {
    /// Tables: cold data, which nobody looks at for long.
    #[default]
    Tables,
    /// All: logs, manifests and the identity too.
    Any,
}

#[derive(Clone, Debug, Hash)]
struct Active {
    fault: usize,
    what: DiskFault,
    stream: Stream,
    /// Bytes that all files may have together.
    capacity: u64,
    unreadable: Vec<(FileName, u64)>,
}

/// The faults in force on one disk.
#[derive(Clone, Debug, Default, Hash)]
pub struct Faulty {
    active: Vec<Active>,
    /// Faults that were met since they were last asked for, with repetitions.
    pub met: Vec<usize>,
}

impl Faulty {
    /// An error instead of what was asked, if a fault says so.
    pub fn ask(&mut self, asked: Asked) -> Result<(), DiskError> {
        let mut failed = Ok(());
        for Active { fault, what, stream, .. } in &mut self.active {
            if let DiskFault::Error { on, share } = *what
                && on == asked
                && stream.chance(share)
            {
                self.met.push(*fault);
                failed = Err(DiskError::Io);
            }
        }
        failed
    }

    /// An error if one of these bytes cannot be read.
    pub fn read(&mut self, file: FileName, offset: u64, len: u64) -> Result<(), DiskError> {
        self.ask(Asked::Read)?;
        let touches = |place: &(FileName, u64)| {
            place.0 == file && place.1 < offset.saturating_add(len) && offset < place.1 + SECTOR
        };
        let of = self.active.iter().find(|active| active.unreadable.iter().any(touches));
        match of.map(|active| active.fault) {
            Some(fault) => {
                self.met.push(fault);
                Err(DiskError::Io)
            }
            None => Ok(()),
        }
    }

    /// How many of `wanted` bytes there is space for, when `used` are taken.
    pub fn room(&mut self, used: impl Fn() -> u64, wanted: usize) -> usize {
        let mut room = wanted;
        for active in &self.active {
            if let DiskFault::Full { .. } = active.what {
                let free = active.capacity.saturating_sub(used());
                let left = usize::try_from(free).unwrap_or(usize::MAX).min(wanted);
                if left < wanted {
                    self.met.push(active.fault);
                }
                room = room.min(left);
            }
        }
        room
    }

    pub fn is_empty(&self) -> bool {
        self.active.is_empty()
    }
}

/// Faults.
impl SimDisk {
    /// From now on the disk fails, by `fault`. All that is drawn for it comes from `stream`. The answer is how many
    /// sectors cannot be read because of it.
    pub fn begin_fault(&mut self, fault: usize, what: DiskFault, mut stream: Stream) -> usize {
        let mut active = Active { fault, what, stream: stream.clone(), capacity: 0, unreadable: Vec::new() };
        match what {
            DiskFault::Error { .. } => {}
            DiskFault::Full { free } => active.capacity = self.used() + free,
            DiskFault::Unreadable { sectors } => {
                let places = (0..sectors).filter_map(|_| self.place(Files::Tables, &mut stream));
                active.unreadable = places.map(|(file, offset)| (file, offset / SECTOR * SECTOR)).collect();
            }
        }
        active.stream = stream;
        let unreadable = active.unreadable.len();
        self.faulty.active.push(active);
        unreadable
    }

    /// As it would be if what cannot be read were lost.
    pub fn without_unreadable(&self) -> SimDisk {
        let mut disk = self.clone();
        for (file, offset) in self.faulty.active.iter().flat_map(|active| &active.unreadable) {
            disk.overwrite(*file, *offset, None);
        }
        disk
    }

    /// The disk no longer fails by `fault`.
    pub fn end_fault(&mut self, fault: usize) {
        self.faulty.active.retain(|active| active.fault != fault);
    }

    /// The disk fails no longer at all.
    pub fn end_faults(&mut self) {
        self.faulty = Faulty::default();
    }

    /// Changes what is on the disk. The answer is how many bits are wrong now.
    pub fn damage(&mut self, what: Damage, files: Files, stream: &mut Stream) -> u64 {
        match what {
            Damage::Rot { bits } => (0..bits)
                .filter(|_| {
                    let (place, bit) = (self.place(files, stream), stream.below(8));
                    place.is_some_and(|(file, offset)| self.flip_bit(file, offset * 8 + bit))
                })
                .count() as u64,
            Damage::LostWrite { sectors } => (0..sectors)
                .map(|_| {
                    let place = self.place(files, stream);
                    place.map_or(0, |(file, offset)| self.overwrite(file, offset / SECTOR * SECTOR, None))
                })
                .sum(),
            Damage::Misdirect => {
                let sector = |(file, offset): (FileName, u64)| (file, offset / SECTOR * SECTOR);
                let from = self.place(files, stream).map(sector);
                let other = |_| self.place(files, stream).map(sector).filter(|to| Some(*to) != from);
                let (Some((file, offset)), Some((other, there))) = (from, (0..8).find_map(other)) else {
                    return 0;
                };
                let mut sector = std::vec![0; SECTOR as usize];
                let read = self.content(file).map_or(0, |content| content.read_at(offset, &mut sector));
                sector.truncate(read);
                self.overwrite(other, there, Some(&sector)) + self.overwrite(file, offset, None)
            }
        }
    }

    /// Puts other bytes, or zeros, into the sector at `offset`. The answer is how many bits that changes.
    fn overwrite(&mut self, file: FileName, offset: u64, bytes: Option<&[u8]>) -> u64 {
        let mut before = std::vec![0; SECTOR as usize];
        let read = self.content(file).map_or(0, |content| content.read_at(offset, &mut before));
        before.truncate(read);
        let zeros = std::vec![0; read];
        let after = bytes.unwrap_or(&zeros);
        let changed = before.iter().zip(after).map(|(one, other)| u64::from((one ^ other).count_ones()));
        let changed = changed.sum();
        self.misdirect(file, offset, &after[..after.len().min(read)]);
        changed
    }

    /// A byte of the files, each as likely as the other. Draws once.
    fn place(&self, files: Files, stream: &mut Stream) -> Option<(FileName, u64)> {
        let is_meant = |file: &FileName| match files {
            Files::Tables => file.kind == FileKind::Table,
            Files::Any => !matches!(file.kind, FileKind::Temp | FileKind::Reserve),
        };
        let sizes = self.names.iter().filter(|(file, _)| is_meant(file));
        let sizes: Vec<(FileName, u64)> =
            sizes.map(|(file, inode)| (*file, self.inodes[inode].durable.len())).collect();
        let total: u64 = sizes.iter().map(|(_, size)| size).sum();
        let mut at = stream.below(total.max(1));
        sizes.into_iter().find_map(|(file, size)| {
            let found = (at < size).then_some((file, at));
            at = at.saturating_sub(size);
            found
        })
    }
}

/// The stream of a fault on the disk of a node: `ordinal` is the fault's place among those of its kind.
pub fn stream(seed: u64, kind: &str, ordinal: u64, node: usize) -> Stream {
    Stream::new(seed, &format!("fault.{kind}.{ordinal}"), node as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{Disk, SyncTarget};

    const LOG: FileName = FileName::new(FileKind::Wal, 1);
    const TABLE: FileName = FileName::new(FileKind::Table, 2);

    fn disk() -> SimDisk {
        let mut disk = SimDisk::new();
        for file in [LOG, TABLE] {
            disk.append(file, &[0xa5; 5000]).expect("there is space");
            disk.sync(SyncTarget::File(file)).expect("a good disk");
        }
        disk.sync(SyncTarget::Directory).expect("a good disk");
        disk
    }

    fn read(disk: &mut SimDisk, file: FileName) -> Result<Vec<u8>, DiskError> {
        let mut bytes = std::vec![0; 6000];
        let read = disk.read_at(file, 0, &mut bytes)?;
        bytes.truncate(read);
        Ok(bytes)
    }

    fn draws() -> Stream {
        stream(42, "test", 0, 0)
    }

    #[test]
    fn errors_hit_what_they_are_for_and_only_for_their_time() {
        for on in [Asked::Read, Asked::Write, Asked::Sync] {
            let mut disk = disk();
            disk.begin_fault(3, DiskFault::Error { on, share: Ppm::ALWAYS }, draws());
            let outcomes = |disk: &mut SimDisk| {
                [
                    (Asked::Read, read(disk, TABLE).is_err()),
                    (Asked::Write, disk.append(LOG, b"more").is_err()),
                    (Asked::Sync, disk.sync(SyncTarget::File(TABLE)).is_err()),
                ]
            };
            assert!(outcomes(&mut disk).iter().all(|(asked, failed)| *failed == (*asked == on)), "{on:?}");
            assert_eq!(core::mem::take(&mut disk.faulty.met), [3]);
            disk.end_fault(3);
            assert!(outcomes(&mut disk).iter().all(|(_, failed)| !failed));
        }
    }

    #[test]
    fn space_comes_back() {
        let mut disk = disk();
        disk.begin_fault(3, DiskFault::Full { free: 100 }, draws());
        assert!(disk.append(LOG, &[1; 60]).is_ok());
        assert_eq!(disk.append(LOG, &[2; 60]), Err(DiskError::Full));
        assert_eq!((disk.used(), disk.faulty.met.as_slice()), (10_100, &[3][..]));
        disk.end_fault(3);
        assert!(disk.append(LOG, &[3; 60]).is_ok());
    }

    #[test]
    fn sectors_that_cannot_be_read_lie_in_tables_and_the_rest_can() {
        let mut disk = disk();
        assert_eq!(disk.begin_fault(3, DiskFault::Error { on: Asked::Sync, share: Ppm::NEVER }, draws()), 0);
        assert_eq!(disk.begin_fault(3, DiskFault::Unreadable { sectors: 1 }, draws()), 1);
        let mut lost = disk.without_unreadable();
        lost.end_faults();
        let zeros = read(&mut lost, TABLE).expect("it can be read").iter().filter(|byte| **byte == 0).count();
        assert!((1..=SECTOR as usize).contains(&zeros), "{zeros}");
        assert!(read(&mut disk, TABLE).is_err() && read(&mut disk, LOG).is_ok());
        let mut byte = [0];
        let readable = (0..5000).filter(|at| disk.read_at(TABLE, *at, &mut byte).is_ok()).count();
        assert!(readable >= 5000 - SECTOR as usize && readable < 5000, "{readable}");
        disk.end_fault(3);
        assert!(read(&mut disk, TABLE).is_ok());
    }

    #[test]
    fn damage_changes_what_it_says_and_outlives_a_crash() {
        for what in [Damage::Rot { bits: 3 }, Damage::LostWrite { sectors: 1 }, Damage::Misdirect] {
            let mut disk = disk();
            let wrong = disk.damage(what, Files::Tables, &mut draws());
            let found = read(&mut disk, TABLE).expect("it can be read");
            let bits: u64 = found.iter().map(|byte| u64::from((byte ^ 0xa5).count_ones())).sum();
            assert!(wrong > 0 && bits == wrong, "{what:?}: {bits} {wrong}");
            assert_eq!(read(&mut disk, LOG), Ok(std::vec![0xa5; 5000]));
            disk.crash(super::super::Unsynced::Lost, &mut draws());
            assert_eq!(read(&mut disk, TABLE), Ok(found), "{what:?}");
        }
    }
}
