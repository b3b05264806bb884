//! Stand-in until the real disk is merged.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::string::ToString;
use std::sync::{Arc, Mutex};
use std::vec::Vec;

use crate::disk::{Disk, DiskError, FileName, SyncTarget};

#[derive(Clone, Debug)]
pub struct RealDisk {
    dir: Arc<PathBuf>,
    files: Arc<Mutex<BTreeMap<FileName, Arc<File>>>>,
    _lock: Arc<File>,
}

impl RealDisk {
    pub fn open(dir: &Path) -> io::Result<RealDisk> {
        fs::create_dir_all(dir)?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(dir.join("lock"))?;
        lock.try_lock().map_err(|_| io::Error::from(io::ErrorKind::ResourceBusy))?;
        Ok(RealDisk { _lock: Arc::new(lock), dir: Arc::new(dir.to_path_buf()), files: Arc::default() })
    }

    fn path(&self, file: FileName) -> PathBuf {
        self.dir.join(file.to_string())
    }

    fn file(&self, file: FileName, create: bool) -> Result<Arc<File>, DiskError> {
        let mut files = self.files.lock().map_err(|_| DiskError::Io)?;
        if let Some(open) = files.get(&file) {
            return Ok(open.clone());
        }
        let path = self.path(file);
        let open = OpenOptions::new().read(true).write(true).create(create).open(path).map_err(fault)?;
        let open = Arc::new(open);
        files.insert(file, open.clone());
        Ok(open)
    }
}

fn fault(error: io::Error) -> DiskError {
    match error.kind() {
        io::ErrorKind::NotFound => DiskError::NotFound,
        io::ErrorKind::StorageFull => DiskError::Full,
        _ => DiskError::Io,
    }
}

impl Disk for RealDisk {
    fn read_at(&mut self, file: FileName, offset: u64, buffer: &mut [u8]) -> Result<usize, DiskError> {
        self.file(file, false)?.read_at(buffer, offset).map_err(fault)
    }

    fn len(&mut self, file: FileName) -> Result<u64, DiskError> {
        Ok(self.file(file, false)?.metadata().map_err(fault)?.len())
    }

    fn append(&mut self, file: FileName, data: &[u8]) -> Result<u64, DiskError> {
        let open = self.file(file, true)?;
        let end = open.metadata().map_err(fault)?.len();
        open.write_all_at(data, end).map_err(fault)?;
        Ok(end)
    }

    fn truncate(&mut self, file: FileName, len: u64) -> Result<(), DiskError> {
        self.file(file, false)?.set_len(len).map_err(fault)
    }

    fn publish(&mut self, from: FileName, to: FileName) -> Result<(), DiskError> {
        fs::rename(self.path(from), self.path(to)).map_err(fault)?;
        let mut files = self.files.lock().map_err(|_| DiskError::Io)?;
        files.remove(&from);
        files.remove(&to);
        Ok(())
    }

    fn remove(&mut self, file: FileName) -> Result<(), DiskError> {
        self.files.lock().map_err(|_| DiskError::Io)?.remove(&file);
        fs::remove_file(self.path(file)).map_err(fault)
    }

    fn list(&mut self) -> Result<Vec<FileName>, DiskError> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&*self.dir).map_err(fault)? {
            names.extend(entry.map_err(fault)?.file_name().to_str().and_then(FileName::parse));
        }
        names.sort();
        Ok(names)
    }

    fn sync(&mut self, target: SyncTarget) -> Result<(), DiskError> {
        match target {
            SyncTarget::File(file) => self.file(file, false)?.sync_data().map_err(fault),
            SyncTarget::Directory => File::open(&*self.dir).and_then(|dir| dir.sync_all()).map_err(fault),
        }
    }
}
