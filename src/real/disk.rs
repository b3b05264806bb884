//! The real disk: one folder, files by name, `std::fs`.
//!
//! All handles of a folder share one table of open files, so the thread that syncs uses the very descriptor
//! that the appender wrote through. The kernel reports a failed write-back once to each descriptor that was
//! open when it failed; a descriptor opened only for the sync could miss it and report success. So a file
//! that was written since its last sync is not closed before it is removed.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::vec::Vec;

use crate::disk::{Disk, DiskError, FileName, SyncTarget};
use crate::real::close::Closer;

/// Files kept open, beyond those that were written since their last sync. Half of the usual limit of a
/// process.
const OPEN_MAX: usize = 512;

/// An open file.
#[derive(Debug)]
struct Open {
    file: File,
    /// The length as we know it. Held while appending, so that appends do not mix.
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    len: u64,
    /// Counts the changes, so that a sync can tell whether it covered the last one.
    changes: u64,
    synced: u64,
}

/// What all handles of a folder share. The table's lock is held for look-ups only, never during reads, writes
/// or syncs.
#[derive(Debug)]
struct Folder {
    path: PathBuf,
    open: Mutex<BTreeMap<FileName, Arc<Open>>>,
    closer: Closer<Arc<Open>>,
    /// Locked as long as any handle lives.
    _lock: File,
}

/// A handle of a folder. Clones share everything, and may be used from several threads at once.
#[derive(Clone, Debug)]
pub struct RealDisk {
    folder: Arc<Folder>,
}

impl RealDisk {
    /// Opens the folder, making it if there is none. Fails with [`ErrorKind::ResourceBusy`] if another
    /// process has it open.
    pub fn open(path: &Path) -> io::Result<RealDisk> {
        fs::create_dir_all(path)?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(path.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::Error(error)) => return Err(error),
            Err(fs::TryLockError::WouldBlock) => {
                let text = std::format!("another process has {} open", path.display());
                return Err(io::Error::new(ErrorKind::ResourceBusy, text));
            }
        }
        let (open, closer) = (Mutex::new(BTreeMap::new()), Closer::spawn()?);
        Ok(RealDisk { folder: Arc::new(Folder { path: path.to_path_buf(), open, closer, _lock: lock }) })
    }

    fn path(&self, file: FileName) -> PathBuf {
        self.folder.path.join(std::format!("{file}"))
    }

    /// The open file; `create` makes one where there is none.
    fn file(&self, name: FileName, create: bool) -> Result<Arc<Open>, DiskError> {
        let mut table = lock(&self.folder.open);
        if let Some(open) = table.get(&name) {
            return Ok(open.clone());
        }
        let options = OpenOptions::new().read(true).append(true).create(create).clone();
        let file = options.open(self.path(name)).map_err(disk_error)?;
        let len = file.metadata().map_err(disk_error)?.len();
        if table.len() >= OPEN_MAX {
            // Whoever holds it may be about to write. Nobody can take hold of it while we have the table.
            let is_idle = |open: &Arc<Open>| {
                let state = lock(&open.state);
                Arc::strong_count(open) == 1 && state.changes == state.synced
            };
            // Any will do: what is read often lies in the engine's block cache.
            if let Some(idle) = table.iter().find(|(_, open)| is_idle(open)).map(|(name, _)| *name) {
                table.remove(&idle);
            }
        }
        let open = Arc::new(Open { file, state: Mutex::new(State { len, changes: 0, synced: 0 }) });
        table.insert(name, open.clone());
        Ok(open)
    }

    /// Writes all of it. Space that removed files have not given back yet counts as there.
    fn write(&self, mut file: &File, mut data: &[u8]) -> io::Result<()> {
        let mut has_waited = false;
        while !data.is_empty() {
            match file.write(data) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => data = &data[count..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::StorageFull && !has_waited => {
                    self.folder.closer.wait();
                    has_waited = true;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// The data behind our locks is consistent between any two statements, so a panic of another thread spoils
/// nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn disk_error(error: io::Error) -> DiskError {
    match error.kind() {
        ErrorKind::NotFound => DiskError::NotFound,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => DiskError::Full,
        _ => DiskError::Io,
    }
}

impl Disk for RealDisk {
    fn read_at(&mut self, file: FileName, offset: u64, buffer: &mut [u8]) -> Result<usize, DiskError> {
        let open = self.file(file, false)?;
        let mut read = 0;
        while read < buffer.len() {
            match open.file.read_at(&mut buffer[read..], offset.saturating_add(read as u64)) {
                Ok(0) => break,
                Ok(count) => read += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(disk_error(error)),
            }
        }
        Ok(read)
    }

    fn len(&mut self, file: FileName) -> Result<u64, DiskError> {
        let open = self.file(file, false)?;
        let len = lock(&open.state).len;
        Ok(len)
    }

    fn append(&mut self, file: FileName, data: &[u8]) -> Result<u64, DiskError> {
        let open = self.file(file, true)?;
        let mut state = lock(&open.state);
        let offset = state.len;
        state.changes += 1;
        match self.write(&open.file, data) {
            Ok(()) => {
                state.len += data.len() as u64;
                Ok(offset)
            }
            Err(error) => {
                // Part of it may have been written.
                state.len = open.file.metadata().map_err(disk_error)?.len();
                Err(disk_error(error))
            }
        }
    }

    fn truncate(&mut self, file: FileName, len: u64) -> Result<(), DiskError> {
        let open = self.file(file, false)?;
        let mut state = lock(&open.state);
        assert!(len <= state.len, "a file is not truncated to more than it has");
        state.changes += 1;
        open.file.set_len(len).map_err(disk_error)?;
        state.len = len;
        Ok(())
    }

    fn publish(&mut self, from: FileName, to: FileName) -> Result<(), DiskError> {
        let mut table = lock(&self.folder.open);
        fs::rename(self.path(from), self.path(to)).map_err(disk_error)?;
        table.remove(&to);
        if let Some(open) = table.remove(&from) {
            table.insert(to, open);
        }
        Ok(())
    }

    fn remove(&mut self, file: FileName) -> Result<(), DiskError> {
        // Opened if it is not: of a file that nobody has open the blocks are freed by whoever removes the name.
        let open = self.file(file, false).ok();
        let mut table = lock(&self.folder.open);
        fs::remove_file(self.path(file)).map_err(disk_error)?;
        table.remove(&file);
        drop(table);
        if let Some(open) = open {
            self.folder.closer.close(open);
        }
        Ok(())
    }

    fn list(&mut self) -> Result<Vec<FileName>, DiskError> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder.path).map_err(disk_error)? {
            let name = entry.map_err(disk_error)?.file_name();
            files.extend(name.to_str().and_then(FileName::parse));
        }
        files.sort_unstable();
        Ok(files)
    }

    fn sync(&mut self, target: SyncTarget) -> Result<(), DiskError> {
        match target {
            SyncTarget::File(file) => {
                let open = self.file(file, false)?;
                let covered = lock(&open.state).changes;
                // A change of length is part of the data for fdatasync; the times of the file are not.
                open.file.sync_data().map_err(disk_error)?;
                let mut state = lock(&open.state);
                state.synced = state.synced.max(covered);
                Ok(())
            }
            SyncTarget::Directory => {
                File::open(&self.folder.path).and_then(|folder| folder.sync_all()).map_err(disk_error)
            }
        }
    }
}
