//! The reserve: a file that holds nothing but space (a ballast), given back when the disk is full.
//!
//! The crash story: a full disk stops a store in the middle of something. Without a reserve, the flush that
//! would free a log has no room, the edit that would name its table has none either, and after a restart not
//! even recovery has, although all data is there. So the first write that finds the disk full gives the
//! reserve back and is refused; what is under way ends in the reserve's space; reads go on. From then on every
//! refused write tries to lay the reserve by again, a piece at a time, and when it is whole, writes are taken
//! again: space is proved to be back by taking it, and nobody has to restart anything (RocksDB issues 919,
//! 8217, 9762, 11643 are people whose store stayed stuck).
//!
//! A compaction that needs more than there is would be tried anew whenever the reserve is whole; the node lets it wait,
//! twice as long each time ([`super::Engine::pause_jobs`]).

use alloc::vec::Vec;

use crate::base::checksum::mix;
use crate::disk::{Disk, DiskError, FileKind, FileName, SyncTarget};

pub const FILE: FileName = FileName::new(FileKind::Reserve, 0);

/// Bytes that one refused write lays by: so many cost it less than a millisecond.
const PIECE: u64 = 64 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum State {
    /// Laid by: all goes as usual.
    Whole,
    /// Given back, so that what is under way can end. No new writes.
    Released,
    /// A job failed even so. None is tried again until space is back.
    Exhausted,
}

#[derive(Clone, Debug, Hash)]
pub struct Reserve {
    target: u64,
    len: u64,
    state: State,
}

impl Reserve {
    /// Lays by `target` bytes, if they are not there yet. On a full disk the answer is a reserve that is not
    /// whole.
    pub fn open(target: u64, disk: &mut dyn Disk) -> Result<Reserve, DiskError> {
        let mut reserve = Reserve { target, len: 0, state: State::Whole };
        match disk.len(FILE) {
            Ok(len) if len == target => {
                reserve.len = len;
                return Ok(reserve);
            }
            Ok(_) => disk.remove(FILE)?,
            Err(DiskError::NotFound) => {}
            Err(error) => return Err(error),
        }
        while reserve.len < target {
            match reserve.lay_by(disk) {
                Ok(()) => {}
                Err(DiskError::Full) => {
                    reserve.ran_out(disk);
                    return Ok(reserve);
                }
                Err(error) => return Err(error),
            }
        }
        // Some file systems find out only now that they are full.
        match disk.sync(SyncTarget::File(FILE)) {
            Err(DiskError::Full) => reserve.ran_out(disk),
            Err(DiskError::NotFound) => assert_eq!(target, 0, "a file was just written"),
            // The name too: it is at a restart that the space is needed most.
            result => result.and_then(|()| disk.sync(SyncTarget::Directory))?,
        }
        Ok(reserve)
    }

    pub fn takes_writes(&self) -> bool {
        self.state == State::Whole
    }

    pub fn takes_jobs(&self) -> bool {
        self.state != State::Exhausted
    }

    /// The disk was full. The first time, the reserve is given back; then there is nothing more to give.
    pub fn ran_out(&mut self, disk: &mut dyn Disk) {
        self.state = match self.state {
            State::Whole => State::Released,
            State::Released | State::Exhausted => State::Exhausted,
        };
        self.len = 0;
        // If it cannot be removed there is no more space than before, which is found out soon enough.
        let _ = disk.remove(FILE);
    }

    /// Lays a piece by. True when the reserve is whole again; if the disk is still full, it is given back.
    pub fn restore(&mut self, disk: &mut dyn Disk) -> bool {
        if self.state == State::Whole {
            return true;
        }
        if self.len < self.target && self.lay_by(disk).is_err() {
            self.ran_out(disk);
            return false;
        }
        if self.len == self.target {
            self.state = State::Whole;
        }
        self.state == State::Whole
    }

    /// The bytes look random, so that no file system stores them in less space.
    fn lay_by(&mut self, disk: &mut dyn Disk) -> Result<(), DiskError> {
        assert!(self.len < self.target, "there is something to lay by");
        let piece = (self.target - self.len).min(PIECE) as usize;
        let words = piece.div_ceil(8) as u64;
        let mut bytes: Vec<u8> = (0..words).flat_map(|word| mix(self.len, word).to_le_bytes()).collect();
        bytes.truncate(piece);
        disk.append(FILE, &bytes)?;
        self.len += piece as u64;
        Ok(())
    }
}

/// Gives the reserve back before there is an engine: an open needs space too. False if there was none.
pub fn release(disk: &mut dyn Disk) -> bool {
    disk.remove(FILE).is_ok()
}
