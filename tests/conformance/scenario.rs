//! Whole stories of an engine, told on both disks.

use std::collections::BTreeMap;

use kvsim::disk::{Disk, DiskError, FileKind, SyncTarget};
use kvsim::sim::disk::{SimDisk, Unsynced};
use kvsim::storage::{Config, KEY_MAX, Position, VALUE_MAX, WriteError};

use crate::driver::{Maker, Real, Simulated, Store, small};

/// 400 writes over 60 keys, a quarter of them deletes, all background work done after each.
fn fill<D: Disk>(store: &mut Store<D>) -> BTreeMap<String, String> {
    let mut model = BTreeMap::new();
    for n in 0..400u32 {
        let key = format!("key-{:02}", n.wrapping_mul(7919) % 60);
        if n % 4 == 3 {
            store.put(&key, None);
            model.remove(&key);
        } else {
            let value = format!("value-{n}");
            store.put(&key, Some(&value));
            model.insert(key, value);
        }
        store.pump().expect("the disk works");
    }
    model
}

fn check<D: Disk>(store: &mut Store<D>, model: &BTreeMap<String, String>) {
    for n in 0..60 {
        let key = format!("key-{n:02}");
        assert_eq!(store.get(&key), model.get(&key).cloned(), "{key}");
    }
    assert_eq!(store.all(), model.clone().into_iter().collect::<Vec<_>>());
}

fn what_is_written_is_read_through_flushes_compactions_and_restarts(mut maker: impl Maker) {
    let mut store = Store::must_open(small(), maker.make());
    let model = fill(&mut store);
    check(&mut store, &model);
    assert!(store.files(FileKind::Table) > 1, "tables were written");
    assert!(store.files(FileKind::Table) < 15, "and compacted");
    assert_eq!(store.files(FileKind::Wal), 1, "flushed logs were removed");
    assert_eq!(store.engine.durable(), Position(400));
    store.engine.close(&mut store.disk).expect("the disk works");
    assert_eq!(store.engine.put(b"key", None, &mut store.disk), Err(WriteError::Poisoned));

    let mut store = Store::must_open(small(), maker.reopen(store.disk));
    assert!(store.recovery.clean);
    assert_eq!((store.recovery.torn_bytes, store.recovery.removed_orphans), (0, 0));
    assert_eq!(store.engine.appended(), Position(400));
    check(&mut store, &model);

    let store = Store::must_open(Config::default(), maker.reopen(store.disk));
    let mut store = Store::must_open(small(), maker.reopen(store.disk));
    assert!(!store.recovery.clean, "it was not closed");
    assert_eq!(store.recovery.torn_bytes, 0);
    check(&mut store, &model);
}

fn scans_are_bounded_and_resumable(mut maker: impl Maker) {
    let mut store = Store::must_open(small(), maker.make());
    let model = fill(&mut store);
    let mut seen = Vec::new();
    let mut from = b"key-10".to_vec();
    loop {
        let part = store.engine.scan(&from, b"key-50", 7, &mut store.disk).expect("works");
        assert!(part.len() <= 7);
        let Some((last, _)) = part.last() else { break };
        from = last.to_vec();
        from.push(0);
        seen.extend(part.into_iter().map(|(key, _)| String::from_utf8(key.to_vec()).expect("text")));
    }
    let range = "key-10".to_string().."key-50".to_string();
    assert_eq!(seen, model.range(range).map(|(key, _)| key.clone()).collect::<Vec<_>>());
    assert_eq!(store.engine.scan(b"b", b"a", 7, &mut store.disk), Ok(vec![]));
}

fn values_of_any_size_up_to_the_limit_are_kept(mut maker: impl Maker) {
    let mut store = Store::must_open(small(), maker.make());
    let largest = vec![b'x'; VALUE_MAX];
    let longest_key = vec![b'k'; KEY_MAX];
    let disk = &mut store.disk;
    assert!(store.engine.put(b"large", Some(&largest), disk).is_ok());
    assert!(store.engine.put(&longest_key, Some(b""), disk).is_ok());
    assert!(store.engine.put(b"", Some(b"empty key"), disk).is_ok());
    let one_more = vec![0; VALUE_MAX + 1];
    assert_eq!(store.engine.put(b"larger", Some(&one_more), disk), Err(WriteError::TooLarge));
    assert_eq!(store.engine.put(&[0; KEY_MAX + 1], None, disk), Err(WriteError::TooLarge));
    store.pump().expect("works");
    let mut store = Store::must_open(small(), maker.reopen(store.disk));
    assert_eq!(store.engine.get(b"large", &mut store.disk).expect("works").as_deref(), Some(&largest[..]));
    assert_eq!(store.engine.get(&longest_key, &mut store.disk).expect("works").as_deref(), Some(&b""[..]));
    assert_eq!(store.get("").as_deref(), Some("empty key"));
    assert_eq!(store.get("larger"), None);
}

mod simulated {
    use super::*;

    #[test]
    fn what_is_written_is_read_through_flushes_compactions_and_restarts() {
        super::what_is_written_is_read_through_flushes_compactions_and_restarts(Simulated);
    }

    #[test]
    fn scans_are_bounded_and_resumable() {
        super::scans_are_bounded_and_resumable(Simulated);
    }

    #[test]
    fn values_of_any_size_up_to_the_limit_are_kept() {
        super::values_of_any_size_up_to_the_limit_are_kept(Simulated);
    }
}

mod real {
    use super::*;

    #[test]
    fn what_is_written_is_read_through_flushes_compactions_and_restarts() {
        super::what_is_written_is_read_through_flushes_compactions_and_restarts(Real::new());
    }

    #[test]
    fn scans_are_bounded_and_resumable() {
        super::scans_are_bounded_and_resumable(Real::new());
    }

    #[test]
    fn values_of_any_size_up_to_the_limit_are_kept() {
        super::values_of_any_size_up_to_the_limit_are_kept(Real::new());
    }
}

fn new_store() -> Store<SimDisk> {
    Store::must_open(small(), SimDisk::new())
}

fn crash(mut disk: SimDisk) -> SimDisk {
    disk.crash(Unsynced::Lost, &mut kvsim::base::rng::Stream::new(0, "test.crash", 0));
    disk
}

#[test]
fn deleted_keys_leave_nothing_behind() {
    let mut store = new_store();
    for n in 0..600 {
        store.put(&format!("key-{:03}", n % 300), (n < 300).then_some("value"));
        store.pump().expect("works");
    }
    for n in 0..100 {
        store.put("last", Some(&format!("{n}")));
        store.pump().expect("works");
    }
    let bytes = table_bytes(&mut store);
    assert!(bytes < 1500, "{bytes} bytes of tables for one key");
    assert_eq!(store.all(), [("last".to_string(), "99".to_string())]);
}

#[test]
fn one_sync_is_in_flight_and_the_next_covers_all_that_gathered() {
    let mut store = new_store();
    assert_eq!(store.engine.poll_sync(&mut store.disk).expect("works"), None, "nothing to sync");
    store.put("a", Some("1"));
    let first = store.engine.poll_sync(&mut store.disk).expect("works").expect("a write waits");
    assert!(matches!(first.target, SyncTarget::File(file) if file.kind == FileKind::Wal));
    store.put("b", Some("2"));
    store.put("c", Some("3"));
    assert_eq!(store.engine.poll_sync(&mut store.disk).expect("works"), None, "one is in flight");
    assert_eq!(store.engine.durable(), Position(0));
    store.engine.synced(first.ticket, Ok(()), &mut store.disk).expect("works");
    assert_eq!(store.engine.durable(), Position(1), "a sync covers what was there when it began");
    store
        .engine
        .synced(first.ticket, Err(DiskError::Io), &mut store.disk)
        .expect("a stale ticket is ignored");
    let second = store.engine.poll_sync(&mut store.disk).expect("works").expect("two writes wait");
    store.engine.synced(second.ticket, Ok(()), &mut store.disk).expect("works");
    assert_eq!(store.engine.durable(), Position(3));
    assert_eq!(store.engine.poll_sync(&mut store.disk).expect("works"), None);
}

/// What gathers becomes one frame: one header, one checksum, one append. While a sync is in flight the log is left alone.
#[test]
fn writes_gather_in_a_group_until_a_sync_can_begin() {
    let mut store = new_store();
    let log = store.disk.list().expect("works").into_iter().find(|file| file.kind == FileKind::Wal);
    let log = log.expect("there");
    let before = store.disk.len(log).expect("there");
    store.disk.take_cost();
    for n in 0..10 {
        store.put(&format!("{n}"), Some("value"));
    }
    assert_eq!((store.engine.appended(), store.engine.written()), (Position(10), Position(0)));
    let sync = store.engine.poll_sync(&mut store.disk).expect("works").expect("writes wait");
    assert_eq!(store.engine.written(), Position(10));
    assert_eq!(store.disk.take_cost().appends, 1);
    let bytes = 56 + 10 * ("n".len() + "value".len() + 6) as u64;
    assert_eq!(store.disk.len(log), Ok(before + bytes.next_multiple_of(8)), "one header for all");

    store.put("meanwhile", Some("value"));
    assert_eq!(store.engine.poll_sync(&mut store.disk), Ok(None));
    assert_eq!(store.engine.written(), Position(10), "a sync is in flight");
    store.engine.synced(sync.ticket, Ok(()), &mut store.disk).expect("works");
    store.put("and then", Some("value"));
    assert!(store.engine.poll_sync(&mut store.disk).expect("works").is_some());
    assert_eq!(store.engine.written(), Position(12));
}

/// The group is bounded, whatever the syncs do.
#[test]
fn a_long_group_is_written_without_a_sync() {
    let mut store = Store::must_open(Config::default(), SimDisk::new());
    let mut most = 0;
    for n in 0..3000u64 {
        store.put(&format!("{n:04}"), Some(&"v".repeat(90)));
        most = most.max(n + 1 - store.engine.written().0);
    }
    assert_eq!(most, ((64 << 10) - 56) / 100, "writes of 100 bytes in a group of 64 KiB with its header");
    let (size, before) = (3 << 20, store.engine.written());
    store.put("large", Some(&"v".repeat(size)));
    assert_eq!(store.engine.written(), store.engine.appended(), "a group of one");
    assert!(before < store.engine.written());
    let mut store = Store::must_open(Config::default(), store.disk);
    assert_eq!((store.all().len(), store.recovery.replayed), (3001, 3001));
}

/// The new log becomes durable before the old one, and the power fails: a hole in the middle of the writes (LevelDB
/// issue 193).
#[test]
fn pitfall_9_the_old_log_is_durable_before_anything_in_the_new_one() {
    let mut store = new_store();
    let old = store.disk.list().expect("works").into_iter().find(|file| file.kind == FileKind::Wal);
    let mut writes = 0;
    while store.files(FileKind::Wal) == 1 {
        store.put(&format!("key-{writes}"), Some("value"));
        writes += 1;
    }
    assert!(store.engine.poll_job().is_none(), "a flush waits for its log");
    let mut targets = Vec::new();
    let mut durable = vec![store.engine.durable()];
    while let Some(request) = store.engine.poll_sync(&mut store.disk).expect("works") {
        targets.push(request.target);
        let result = store.disk.sync(request.target);
        store.engine.synced(request.ticket, result, &mut store.disk).expect("works");
        durable.push(store.engine.durable());
    }
    let new = store.disk.list().expect("works").into_iter().rfind(|file| file.kind == FileKind::Wal);
    let file = |file: Option<_>| SyncTarget::File(file.expect("there"));
    assert_eq!(targets, [file(old), SyncTarget::Directory, file(new)]);
    assert_eq!(durable, [0, writes - 1, writes - 1, writes].map(Position));
}

/// Bytes of all tables.
fn table_bytes(store: &mut Store<SimDisk>) -> u64 {
    let files = store.disk.list().expect("works").into_iter().filter(|file| file.kind == FileKind::Table);
    files.map(|file| store.disk.len(file).expect("works")).sum()
}

#[test]
fn many_levels_hold_what_was_written_and_little_more() {
    let mut store = new_store();
    let mut model = BTreeMap::new();
    for n in 0..6000u32 {
        let key = format!("key-{:04}", n.wrapping_mul(7919) % 2000);
        store.put(&key, Some(&format!("value-{n}")));
        model.insert(key, format!("value-{n}"));
        if n % 10 == 0 {
            store.pump().expect("works");
        }
    }
    store.pump().expect("works");
    assert_eq!(store.all(), model.iter().map(|(k, v)| (k.clone(), v.clone())).collect::<Vec<_>>());
    for (key, value) in model.iter().step_by(7) {
        assert_eq!(store.get(key).as_ref(), Some(value));
    }
    let bytes = table_bytes(&mut store);
    let once: usize = model.iter().map(|(key, value)| key.len() + value.len()).sum();
    assert!(bytes < 2 * once as u64, "{bytes} bytes for {once} of data written three times");
}

#[test]
fn the_delay_grows_with_the_debt_and_ends_with_it() {
    let mut store = new_store();
    let mut delays = vec![store.engine.delay()];
    while store.engine.put(b"key", Some(&[0; 50]), &mut store.disk) != Err(WriteError::Overloaded) {
        delays.push(store.engine.delay());
    }
    assert!(delays.is_sorted());
    assert_eq!(delays[delays.len() / 2].as_nanos(), 0, "one memtable that waits is no debt");
    assert!(delays.last().expect("some").as_nanos() > 900_000, "{delays:?}");
    store.pump().expect("works");
    assert_eq!(store.engine.delay().as_nanos(), 0);
}

#[test]
fn writes_are_refused_when_the_flush_is_too_far_behind() {
    let mut store = new_store();
    let mut taken = 0;
    let refused = loop {
        match store.engine.put(format!("{taken}").as_bytes(), Some(&[0; 50]), &mut store.disk) {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
        assert!(taken < 1000, "it takes writes without end");
    };
    assert_eq!(refused, WriteError::Overloaded);
    assert_eq!(store.engine.appended(), Position(taken));
    store.pump().expect("works");
    store.put("now", Some("it is taken"));
}

/// fsync fails once and then succeeds without having written anything: the kernel has marked the pages clean (Rebello
/// et al. 2020). Whoever tries it again acknowledges what is not on the disk.
#[test]
fn pitfall_4_after_a_failed_sync_nothing_is_taken_and_nothing_unsynced_is_served_twice() {
    let mut store = new_store();
    store.put("safe", Some("1"));
    store.pump().expect("works");
    store.put("unsafe", Some("2"));
    let request = store.engine.poll_sync(&mut store.disk).expect("works").expect("a write waits");
    store.disk.fail_next_sync(request.target);
    let result = store.disk.sync(request.target);
    let poisoned = store.engine.synced(request.ticket, result, &mut store.disk).expect_err("it failed");
    assert_eq!(poisoned.why, DiskError::Io);
    assert!(store.engine.is_poisoned());
    assert_eq!(store.engine.put(b"key", None, &mut store.disk), Err(WriteError::Poisoned));
    assert_eq!(store.engine.poll_sync(&mut store.disk), Err(poisoned));
    assert!(store.engine.poll_job().is_none());
    assert_eq!(store.engine.close(&mut store.disk), Err(poisoned));
    assert_eq!(store.engine.durable(), Position(1));

    // Only the process restarts. The page cache still shows the write, but syncing its file again writes
    // nothing. If the restarted store shows it, then it must be safe now.
    let mut store = Store::must_open(small(), store.disk);
    assert_eq!(store.get("unsafe").as_deref(), Some("2"));
    let mut store = Store::must_open(small(), crash(store.disk));
    assert_eq!(store.get("safe").as_deref(), Some("1"));
    assert_eq!(store.get("unsafe").as_deref(), Some("2"), "it was served after the restart, and then lost");
}

#[test]
fn a_store_without_its_current_file_is_refused() {
    let mut store = new_store();
    store.put("a", Some("1"));
    store.pump().expect("works");
    let current = store.disk.list().expect("works").into_iter().find(|file| file.kind == FileKind::Current);
    store.disk.remove(current.expect("there")).expect("works");
    let (error, mut disk) = Store::open(small(), store.disk).err().expect("its data would be lost");
    assert!(error.to_string().contains("current-0000000000 is damaged"), "{error}");
    assert!(disk.list().expect("works").iter().any(|file| file.kind == FileKind::Wal));
}

#[test]
fn results_of_unknown_jobs_are_ignored() {
    let mut store = new_store();
    while store.engine.poll_job().is_none() {
        store.put("key", Some("value"));
        while let Some(request) = store.engine.poll_sync(&mut store.disk).expect("works") {
            let result = store.disk.sync(request.target);
            store.engine.synced(request.ticket, result, &mut store.disk).expect("works");
        }
    }
    assert!(store.engine.poll_job().is_none(), "it is handed out once");
    let failed = Err(kvsim::storage::JobError::Write {
        operation: kvsim::storage::Operation::Sync(SyncTarget::Directory),
        why: DiskError::Full,
    });
    let other = kvsim::storage::JobId(u64::MAX);
    assert_eq!(store.engine.job_done(other, failed.clone(), &mut store.disk), Ok(()));
    let poisoned = store.engine.job_done(kvsim::storage::JobId(1), failed, &mut store.disk);
    assert_eq!(poisoned.expect_err("a flush that cannot be written").why, DiskError::Full);
}
