//! Real files on a disk that fails: EIO, ENOSPC, failed syncs and short writes, at every operation in turn. The disk is
//! the real one behind a wrapper that fails the operations it is told to; and, where this process may mount one, a file
//! system of one megabyte that is really full.

use std::path::{Path, PathBuf};
use std::process::Command;

use kvsim::base::rng::Stream;
use kvsim::disk::{Disk, DiskError, FileKind, FileName, SyncTarget};
use kvsim::real::disk::RealDisk;
use kvsim::storage::{Config, Operation, WriteError};

use crate::driver::{Maker, Real, Store, small};
use crate::history::History;

/// What kind of operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Append,
    Read,
    Sync,
}

/// Operations of a kind that fail: `times` of them, after `after` that do not.
#[derive(Clone, Copy, Debug)]
struct Failure {
    what: What,
    after: u32,
    times: u32,
    error: DiskError,
}

/// A disk whose operations fail as they are told to. A failed append leaves half of its bytes in the file.
struct Failing {
    disk: RealDisk,
    failure: Option<Failure>,
    /// How many operations have failed.
    failed: u32,
    /// What was synced, in order.
    synced: Vec<SyncTarget>,
}

impl Failing {
    fn new(disk: RealDisk) -> Failing {
        Failing { disk, failure: None, failed: 0, synced: Vec::new() }
    }

    fn check(&mut self, what: What) -> Result<(), DiskError> {
        let Some(failure) = self.failure.as_mut().filter(|failure| failure.what == what) else {
            return Ok(());
        };
        if failure.after > 0 {
            failure.after -= 1;
            return Ok(());
        }
        if failure.times == 0 {
            return Ok(());
        }
        failure.times -= 1;
        self.failed += 1;
        Err(failure.error)
    }
}

impl Disk for Failing {
    fn read_at(&mut self, file: FileName, offset: u64, buffer: &mut [u8]) -> Result<usize, DiskError> {
        self.check(What::Read)?;
        self.disk.read_at(file, offset, buffer)
    }

    fn len(&mut self, file: FileName) -> Result<u64, DiskError> {
        self.disk.len(file)
    }

    fn append(&mut self, file: FileName, data: &[u8]) -> Result<u64, DiskError> {
        if let Err(error) = self.check(What::Append) {
            self.disk.append(file, &data[..data.len() / 2])?;
            return Err(error);
        }
        self.disk.append(file, data)
    }

    fn truncate(&mut self, file: FileName, len: u64) -> Result<(), DiskError> {
        self.disk.truncate(file, len)
    }

    fn publish(&mut self, from: FileName, to: FileName) -> Result<(), DiskError> {
        self.disk.publish(from, to)
    }

    fn remove(&mut self, file: FileName) -> Result<(), DiskError> {
        self.disk.remove(file)
    }

    fn list(&mut self) -> Result<Vec<FileName>, DiskError> {
        self.disk.list()
    }

    fn sync(&mut self, target: SyncTarget) -> Result<(), DiskError> {
        self.check(What::Sync)?;
        self.synced.push(target);
        self.disk.sync(target)
    }
}

/// Many operations and few files: every sync of a real disk costs.
fn config() -> Config {
    Config { memtable_bytes: 1000, ..small() }
}

/// Writes 60 times, syncing after every fourth; false if the engine was poisoned.
fn write(store: &mut Store<Failing>, history: &mut History) -> bool {
    for n in 0..60u32 {
        let key = format!("key-{:02}", n.wrapping_mul(7919) % 20);
        let value = (n % 5 != 4).then(|| format!("value-{n}"));
        if !history.put(store, &key, value) || (n % 4 == 3 && store.pump().is_err()) {
            history.observe(store);
            return false;
        }
    }
    let works = store.pump().is_ok();
    history.observe(store);
    works
}

/// Lets the `after`th operation of a kind fail during the writes; whether there was one, and whether it poisoned.
fn fail_at(real: &mut Real, failure: Failure) -> Option<(Store<Failing>, History, bool)> {
    let mut store = Store::must_open(config(), Failing::new(real.make()));
    let mut history = History::default();
    store.disk.failure = Some(failure);
    let works = write(&mut store, &mut history);
    (store.disk.failed > 0).then_some((store, history, works))
}

/// What the next process finds.
fn restart(real: &mut Real, store: Store<Failing>) -> Store<Failing> {
    let disk = real.reopen(store.disk.disk);
    drop(store.engine);
    Store::must_open(config(), Failing::new(disk))
}

/// EIO at every append and every sync, wherever it is: nothing is taken after it, what was reported durable comes back,
/// and so does nothing but a prefix of the writes.
#[test]
fn a_failed_append_or_sync_poisons_and_the_next_start_recovers_a_prefix() {
    for what in [What::Append, What::Sync] {
        let mut hit = 0;
        for after in (0..).step_by(3) {
            let mut real = Real::new();
            let failure = Failure { what, after, times: 1, error: DiskError::Io };
            let Some((mut store, mut history, works)) = fail_at(&mut real, failure) else { break };
            hit += 1;
            assert!(!works, "{what:?} {after}");
            let put = store.engine.put(b"later", Some(b"value"), &mut store.disk);
            assert_eq!(put, Err(WriteError::Poisoned));
            assert!(store.engine.poll_sync(&mut store.disk).is_err());
            assert!(store.engine.poll_job().is_none());
            let mut store = restart(&mut real, store);
            history.recovered(&mut store);
        }
        assert!(hit > 5, "{what:?}: {hit}");
    }
}

/// fsync fails, the process ends, and the next one reads the writes from the page cache, where the kernel has marked
/// them clean. Before it serves them they are copied into a new file, and that one is synced; the old log never again.
#[test]
fn pitfall_4_after_a_failed_sync_the_tail_is_copied_to_a_new_synced_file_before_it_is_served() {
    let mut real = Real::new();
    let mut store = Store::must_open(config(), Failing::new(real.make()));
    store.put("safe", Some("1"));
    store.pump().expect("works");
    store.put("unsafe", Some("2"));
    store.disk.failure = Some(Failure { what: What::Sync, after: 0, times: 1, error: DiskError::Io });
    let poisoned = store.pump().expect_err("the sync failed");
    let Operation::Sync(SyncTarget::File(log)) = poisoned.operation else { panic!("{poisoned}") };
    assert_eq!((log.kind, poisoned.why), (FileKind::Wal, DiskError::Io));

    let mut store = restart(&mut real, store);
    let synced = store.disk.synced.clone();
    assert!(!synced.contains(&SyncTarget::File(log)), "its pages may be clean and not on the disk");
    let copy = synced
        .iter()
        .position(|target| matches!(target, SyncTarget::File(file) if file.kind == FileKind::Table));
    let copy = copy.expect("the tail is in a new table");
    assert!(synced[copy..].contains(&SyncTarget::Directory), "{synced:?}");
    assert_eq!(store.get("unsafe").as_deref(), Some("2"));
    assert_eq!(store.disk.len(log), Err(DiskError::NotFound));
}

/// ENOSPC at every append, once or for a while: half a frame lies in the file. Writes are refused and taken again by
/// themselves, reads go on, and nothing is lost.
#[test]
fn pitfall_6_a_full_disk_of_real_files_refuses_writes_and_resumes_by_itself() {
    let mut refused = 0;
    for after in 0.. {
        let mut real = Real::new();
        let failure = Failure { what: What::Append, after, times: 1 + after % 5, error: DiskError::Full };
        let Some((mut store, mut history, works)) = fail_at(&mut real, failure) else { break };
        assert!(works, "a full disk does not poison ({after})");
        refused += usize::from(history.writes.len() < 60);
        history.check(&mut store);
        // Space is back: refused writes find it out.
        let before = history.writes.len();
        for n in 0..10 {
            assert!(history.put(&mut store, &format!("resumed-{n}"), Some("value".to_string())));
            store.pump().expect("works");
        }
        history.observe(&store);
        assert!(history.writes.len() > before, "not resumed after {after}");
        let mut store = restart(&mut real, store);
        history.recovered(&mut store);
    }
    assert!(refused > 5, "{refused}");
}

/// ENOSPC at every sync, as file systems say it that give out space late. A table that cannot be synced is written
/// again; of the log, the manifest and the folder nobody knows what is on the disk, as after any failed sync.
#[test]
fn pitfall_6_a_disk_that_is_full_at_a_sync_stops_only_what_was_promised() {
    let (mut went_on, mut stopped) = (0, 0);
    for after in 0.. {
        let mut real = Real::new();
        let failure = Failure { what: What::Sync, after, times: 1, error: DiskError::Full };
        let Some((mut store, mut history, works)) = fail_at(&mut real, failure) else { break };
        if works {
            went_on += 1;
            history.check(&mut store);
        } else {
            stopped += 1;
            let operation = store.engine.poisoned().expect("it was").operation;
            let is_table = |file: FileName| file.kind == FileKind::Table;
            assert!(
                !matches!(operation, Operation::Sync(SyncTarget::File(file)) if is_table(file)),
                "{operation:?}"
            );
        }
        let mut store = restart(&mut real, store);
        history.recovered(&mut store);
    }
    assert!(went_on > 2 && stopped > 5, "{went_on} {stopped}");
}

/// EIO on read, once: it is read again. Twice: the keys of that block are unknown, all others are read, and the next
/// start remembers.
#[test]
fn pitfall_13_a_real_block_that_cannot_be_read_costs_its_keys_and_nothing_else() {
    let (mut reread, mut unknown) = (0, 0);
    for after in 0..40 {
        for times in [1, 2] {
            let mut real = Real::new();
            let mut store =
                Store::must_open(Config { cache_bytes: 0, ..config() }, Failing::new(real.make()));
            let mut history = History::default();
            assert!(write(&mut store, &mut history));
            store.disk.failure = Some(Failure { what: What::Read, after, times, error: DiskError::Io });
            let model = history.after(history.writes.len());
            let mut failed = 0;
            for (key, _) in &history.writes {
                match store.engine.get(key.as_bytes(), &mut store.disk) {
                    Ok(value) => assert_eq!(value.as_deref(), model.get(key).map(String::as_bytes), "{key}"),
                    Err(_) => failed += 1,
                }
            }
            if store.disk.failed < times {
                continue;
            }
            if failed == 0 {
                reread += 1;
                continue;
            }
            assert_eq!(times, 2, "one failure is tried once more");
            unknown += 1;
            let suspects = store.engine.suspects(&mut store.disk);
            assert_eq!(suspects.len(), 1, "{suspects:?}");
            assert!(failed < history.writes.len(), "others go on");
            store.pump().expect("works");
            let mut store = restart(&mut real, store);
            assert_eq!(store.engine.suspects(&mut store.disk), suspects);
        }
        if unknown > 5 {
            break;
        }
    }
    assert!(reread > 3 && unknown > 3, "{reread} {unknown}");
}

/// A backup reads everything once, and the clients' next reads must not pay for it.
#[test]
fn a_scan_of_everything_leaves_the_blocks_in_the_cache_that_are_in_use() {
    let mut real = Real::new();
    let config = Config { cache_bytes: 16_000, memtable_bytes: 3000, ..small() };
    let mut store = Store::must_open(config, Failing::new(real.make()));
    for n in 0..800 {
        store.put(&format!("key-{n:03}"), Some(&format!("{n:040}")));
        store.pump().expect("works");
    }
    // Nothing fails, but reads are counted.
    let reads = |store: &mut Store<Failing>, work: &dyn Fn(&mut Store<Failing>)| {
        let (after, error) = (1_000_000, DiskError::Io);
        store.disk.failure = Some(Failure { what: What::Read, after, times: 0, error });
        work(store);
        after - store.disk.failure.map_or(after, |failure| failure.after)
    };
    let hot = |store: &mut Store<Failing>| {
        (0..700)
            .step_by(70)
            .for_each(|n| assert_eq!(store.get(&format!("key-{n:03}")), Some(format!("{n:040}"))));
    };
    (0..3).for_each(|_| hot(&mut store));
    assert_eq!(reads(&mut store, &hot), 0);
    let scanned = reads(&mut store, &|store| assert_eq!(store.all().len(), 800));
    assert!(scanned > 100, "{scanned} blocks: the store is larger than the cache");
    assert_eq!(reads(&mut store, &hot), 0, "the scan has pushed them out");
}

/// A file system in memory of so many kilobytes, unmounted at the end.
struct Tmpfs(PathBuf);

impl Tmpfs {
    fn mount(path: &Path, kilobytes: u32) -> Result<Tmpfs, String> {
        std::fs::create_dir_all(path).map_err(|error| error.to_string())?;
        let size = format!("size={kilobytes}k");
        run(&["mount", "-t", "tmpfs", "-o", &size, "none", &path.to_string_lossy()])?;
        Ok(Tmpfs(path.to_path_buf()))
    }

    fn resize(&self, kilobytes: u32) -> Result<(), String> {
        run(&["mount", "-o", &format!("remount,size={kilobytes}k"), &self.0.to_string_lossy()])
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = run(&["umount", &self.0.to_string_lossy()]);
    }
}

fn run(command: &[&str]) -> Result<(), String> {
    let output = Command::new(command[0]).args(&command[1..]).output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stderr).trim().to_string();
    if output.status.success() { Ok(()) } else { Err(text) }
}

/// Removed files are closed on a thread of their own; who finds the disk full has their space all the same.
#[test]
fn the_space_of_a_removed_file_is_there_at_once() {
    let mut real = Real::new();
    let Ok(tmpfs) = Tmpfs::mount(&real.path, 64 << 10) else {
        return println!("skipped: cannot mount a tmpfs");
    };
    let mut disk = real.make();
    let large = vec![1u8; 40 << 20];
    for number in 0..20 {
        let file = FileName::new(FileKind::Table, number);
        assert_eq!(disk.append(file, &large), Ok(0), "{number}");
        assert_eq!(disk.remove(file), Ok(()));
    }
    let file = FileName::new(FileKind::Table, 20);
    disk.append(file, &large).expect("there is space");
    assert_eq!(disk.append(file, &large), Err(DiskError::Full), "what is not removed is not waited for");
    drop(disk);
    drop(tmpfs);
}

/// No wrapper says so here: the file system is full.
#[test]
fn pitfall_6_a_file_system_that_is_full_refuses_writes_and_resumes_when_it_grows() {
    let mut real = Real::new();
    let tmpfs = match Tmpfs::mount(&real.path, 1024) {
        Ok(tmpfs) => tmpfs,
        Err(why) => {
            return println!("skipped: cannot mount a tmpfs ({why}); the variants with a wrapper ran");
        }
    };
    let config = Config { memtable_bytes: 60_000, table_bytes: 60_000, reserve_bytes: 200_000, ..small() };
    let mut store = Store::must_open(config.clone(), real.make());
    let mut history = History::default();
    let fill = |store: &mut Store<RealDisk>, history: &mut History, writes: usize| {
        let before = history.writes.len();
        for n in 0..writes {
            // Nothing that could be compressed.
            let mut rng = Stream::new(n as u64, "test.value", before as u64);
            let value = (0..40).map(|_| format!("{:016x}", rng.next())).collect();
            assert!(history.put(store, &format!("key-{n}"), Some(value)));
            store.pump().expect("a full disk does not poison");
        }
        history.observe(store);
        history.writes.len() - before
    };
    let taken = fill(&mut store, &mut history, 2500);
    assert!(taken < 2500, "it was not full");
    history.check(&mut store);
    // The process ends while it is full, and comes back.
    let mut store = Store::must_open(config, real.reopen(store.disk));
    history.recovered(&mut store);
    tmpfs.resize(8192).expect("it was mounted by us");
    let resumed = fill(&mut store, &mut history, 200);
    assert!(resumed > 150, "{resumed} of 200 writes were taken after space came back");
    history.check(&mut store);
    drop(store);
    drop(tmpfs);
}
