//! A small synchronous driver: one engine, its disk, and the jobs and syncs in between.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use kvsim::disk::{Disk, FileKind};
use kvsim::real::disk::RealDisk;
use kvsim::sim::disk::SimDisk;
use kvsim::storage::{Config, Engine, Job, JobId, OpenError, Poisoned, Progress, Recovery};

/// Sizes at which a few dozen writes flush and compact.
pub fn small() -> Config {
    Config {
        memtable_bytes: 1500,
        table_bytes: 700,
        block_bytes: 150,
        cache_bytes: 1000,
        level0_tables: 2,
        reserve_bytes: 4000,
    }
}

/// A kind of disk: how to make a new, empty one, and how to come back to it in a new process.
pub trait Maker {
    type Disk: Disk;
    fn make(&mut self) -> Self::Disk;
    fn reopen(&mut self, disk: Self::Disk) -> Self::Disk;
}

pub struct Simulated;

impl Maker for Simulated {
    type Disk = SimDisk;

    fn make(&mut self) -> SimDisk {
        SimDisk::new()
    }

    fn reopen(&mut self, disk: SimDisk) -> SimDisk {
        disk
    }
}

/// Real disks in a folder of the system's temporary folder that is removed at the end.
pub struct Real {
    pub path: PathBuf,
}

impl Real {
    pub fn new() -> Real {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("kvsim-conformance-{}-{n}", std::process::id()));
        Real { path }
    }
}

impl Maker for Real {
    type Disk = RealDisk;

    fn make(&mut self) -> RealDisk {
        RealDisk::open(&self.path).expect("a temporary folder")
    }

    fn reopen(&mut self, disk: RealDisk) -> RealDisk {
        drop(disk);
        RealDisk::open(&self.path).expect("the folder is free again")
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// An engine on its disk.
pub struct Store<D> {
    pub engine: Engine,
    pub disk: D,
    pub recovery: Recovery,
}

impl<D: Disk> Store<D> {
    pub fn open(config: Config, mut disk: D) -> Result<Store<D>, (OpenError, D)> {
        match Engine::open(config, &mut disk) {
            Ok((engine, recovery)) => Ok(Store { engine, disk, recovery }),
            Err(error) => Err((error, disk)),
        }
    }

    /// Opens a store that must be sound.
    pub fn must_open(config: Config, disk: D) -> Store<D> {
        Store::open(config, disk).unwrap_or_else(|(error, _)| panic!("{error}"))
    }

    pub fn put(&mut self, key: &str, value: Option<&str>) {
        let value = value.map(str::as_bytes);
        self.engine.put(key.as_bytes(), value, &mut self.disk).expect("the write is taken");
    }

    pub fn get(&mut self, key: &str) -> Option<String> {
        let value = self.engine.get(key.as_bytes(), &mut self.disk).expect("the read works");
        value.map(|value| String::from_utf8(value.to_vec()).expect("text"))
    }

    pub fn all(&mut self) -> Vec<(String, String)> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
        let found = self.engine.scan(b"", b"\xff", usize::MAX, &mut self.disk).expect("the scan works");
        found.iter().map(|(key, value)| (text(key), text(value))).collect()
    }

    /// Runs syncs and jobs until there are none.
    pub fn pump(&mut self) -> Result<(), Poisoned> {
        loop {
            if let Some(request) = self.engine.poll_sync(&mut self.disk)? {
                let result = self.disk.sync(request.target);
                self.engine.synced(request.ticket, result, &mut self.disk)?;
            } else if let Some((id, job)) = self.engine.poll_job() {
                self.run(id, job)?;
            } else {
                return Ok(());
            }
        }
    }

    /// Runs one job to its end.
    pub fn run(&mut self, id: JobId, mut job: Job) -> Result<(), Poisoned> {
        let result = loop {
            match job.step(&mut self.disk, 200) {
                Progress::More => {}
                Progress::Sync(target) => job.synced(self.disk.sync(target)),
                Progress::Done(result) => break result,
            }
        };
        self.engine.job_done(id, result, &mut self.disk)
    }

    /// Runs syncs, and no jobs, until there are none.
    pub fn sync(&mut self) -> Result<(), Poisoned> {
        while let Some(request) = self.engine.poll_sync(&mut self.disk)? {
            let result = self.disk.sync(request.target);
            self.engine.synced(request.ticket, result, &mut self.disk)?;
        }
        Ok(())
    }

    pub fn files(&mut self, kind: FileKind) -> usize {
        self.disk.list().expect("the disk works").iter().filter(|file| file.kind == kind).count()
    }
}
