//! Pitfalls of storage engines that have no other test here; the others carry their number in their name. The list is
//! that of the faults by which engines in use lose data, each with its story:
//!
//! 1 torn tail, 7 names not synced, 15 crash in recovery (`crash`) · 2 damage before a promise, 3 flips in the log,
//! 10 manifest and `current` (`flips`) · 4 failed sync, 9 old log after new (`scenario`) · 5 failed append, 8 early
//! removal, 11 misdirected and lost writes, 12 stale bytes (here) · 6 full disk (`full`) · 13 damage in a table,
//! 14 repair (`damage`; by the node: `tests/node/damage.rs`) · 4, 6 and 13 on real files (`failing`).

use kvsim::disk::{Disk, DiskError, FileKind, FileName, SyncTarget, read_all};
use kvsim::sim::disk::SimDisk;
use kvsim::storage::{OpenError, Operation, Progress, WriteError};

use crate::driver::{Store, small};
use crate::history::History;

fn files(disk: &mut SimDisk, kind: FileKind) -> Vec<FileName> {
    disk.list().expect("works").into_iter().filter(|file| file.kind == kind).collect()
}

/// Half a frame lies in the log, and the engine goes on behind it: at the next open everything after the half frame is
/// cut off as torn, although it was acknowledged (fjall issue 308). Nothing may come behind a failed append.
#[test]
fn pitfall_5_after_a_failed_append_nothing_is_taken() {
    let mut store = Store::must_open(small(), SimDisk::new());
    let mut history = History::default();
    assert!(history.put(&mut store, "before", Some("1".to_string())));
    store.pump().expect("works");
    history.observe(&store);
    store.disk.fail_after(Some(0));
    assert!(history.put(&mut store, "failed", Some("2".to_string())), "it gathers in memory");
    let engine = &mut store.engine;
    let poisoned = engine.poll_sync(&mut store.disk).expect_err("it is written before it is synced");
    assert!(matches!(poisoned.operation, Operation::Append(file) if file.kind == FileKind::Wal));
    // The device is fine again. The engine is not.
    let mut disk = store.disk;
    disk.fail_after(None);
    assert_eq!(engine.put(b"after", Some(b"3"), &mut disk), Err(WriteError::Poisoned));
    assert!(engine.is_poisoned() && engine.poll_job().is_none());
    assert_eq!(engine.poll_sync(&mut disk), Err(poisoned));
    disk.crash(kvsim::sim::disk::Unsynced::Torn, &mut kvsim::base::rng::Stream::new(0, "test.crash", 0));
    history.recovered(&mut Store::must_open(small(), disk));
}

/// The inputs of a compaction are removed before the edit that replaces them is durable, and the power fails: the old
/// manifest names tables that are gone (LevelDB issue 195). They stay until the sync of the edit has succeeded.
#[test]
fn pitfall_8_nothing_is_removed_before_the_edit_that_replaces_it_is_durable() {
    let mut store = Store::must_open(small(), SimDisk::new());
    let mut removals = 0;
    for n in 0..300 {
        store.put(&format!("key-{:02}", n % 40), Some(&format!("value-{n}")));
        loop {
            if let Some(request) = store.engine.poll_sync(&mut store.disk).expect("works") {
                let before = store.disk.list().expect("works");
                store.disk.sync(request.target).expect("works");
                store.engine.synced(request.ticket, Ok(()), &mut store.disk).expect("works");
                let after = store.disk.list().expect("works");
                let removed = before.iter().filter(|file| !after.contains(file)).count();
                let is_manifest =
                    matches!(request.target, SyncTarget::File(f) if f.kind == FileKind::Manifest);
                assert!(removed == 0 || is_manifest, "removed after the sync of {:?}", request.target);
                removals += removed;
            } else if let Some((id, mut job)) = store.engine.poll_job() {
                let before = store.disk.list().expect("works");
                let result = loop {
                    match job.step(&mut store.disk, 500) {
                        Progress::More => {}
                        Progress::Sync(target) => job.synced(store.disk.sync(target)),
                        Progress::Done(result) => break result,
                    }
                };
                store.engine.job_done(id, result, &mut store.disk).expect("works");
                let after = store.disk.list().expect("works");
                assert!(before.iter().all(|file| after.contains(file)), "removed before the edit was synced");
            } else {
                break;
            }
        }
    }
    assert!(removals > 20, "{removals}");
}

/// The device writes a block to the wrong place, or not at all. What lies there is whole, with a right checksum of its
/// own, so a checksum inside the block proves nothing. Ours lies in the parent and is bound to file and offset.
#[test]
fn pitfall_11_a_misdirected_or_lost_write_is_damage() {
    let mut store = Store::must_open(small(), SimDisk::new());
    let mut history = History::default();
    for n in 0..900u32 {
        assert!(history.put(&mut store, &format!("key-{:03}", n * 7 % 400), Some(format!("value-{n}"))));
        store.pump().expect("works");
    }
    history.observe(&store);
    let tables = files(&mut store.disk, FileKind::Table);
    assert!(tables.len() > 2);
    let mut lost = 0;
    for pair in tables.windows(2) {
        for offset in [0u64, 512] {
            let mut disk = store.disk.clone();
            // The same offset of another file: what differs is only whose block it is.
            let other = read_all(&mut disk, pair[1], 1 << 20).expect("there");
            let Some(block) = other.get(offset as usize..).map(|rest| &rest[..rest.len().min(512)]) else {
                continue;
            };
            disk.misdirect(pair[0], offset, block);
            let mut store = Store::must_open(small(), disk);
            lost += usize::from(history.check_damaged(&mut store) > 0);
            // And a write that never came: what was there before, zeros say.
            let mut disk = store.disk;
            disk.misdirect(pair[1], offset, &[0; 512]);
            history.check_damaged(&mut Store::must_open(small(), disk));
        }
    }
    assert!(lost > 2, "{lost}");
}

/// A log takes over blocks of a log that was removed, and a crash shows their old bytes behind its end: whole frames, of
/// old writes. Engines that recycle logs without a file number in the checksum replay them.
#[test]
fn pitfall_12_stale_bytes_of_another_log_are_not_replayed() {
    let mut store = Store::must_open(small(), SimDisk::new());
    for n in 0..5 {
        store.put(&format!("old-{n}"), Some("old"));
    }
    store.pump().expect("works");
    let log = files(&mut store.disk, FileKind::Wal)[0];
    let stale = read_all(&mut store.disk, log, 1 << 20).expect("there");
    let mut store = Store::must_open(small(), store.disk);
    for n in 0..5 {
        store.put(&format!("old-{n}"), None);
    }
    store.pump().expect("works");
    let log = files(&mut store.disk, FileKind::Wal)[0];
    let len = store.disk.len(log).expect("there") as usize;
    assert!(len < stale.len(), "the stale frames reach further");
    store.disk.append(log, &stale[len..]).expect("works");
    let mut store = Store::must_open(small(), store.disk);
    assert!(store.recovery.torn_bytes > 0);
    assert_eq!(store.all(), []);
}

/// The newest log is removed whole. Nothing that is left names it, unless a table or a later file does; the oldest
/// live log is named by the manifest, and missed.
#[test]
fn a_removed_log_is_missed_where_the_manifest_names_it() {
    let mut store = Store::must_open(small(), SimDisk::new());
    store.put("key", Some("value"));
    store.pump().expect("works");
    let log = files(&mut store.disk, FileKind::Wal)[0];
    store.disk.remove(log).expect("works");
    let (error, _) = Store::open(small(), store.disk).err().expect("its writes would be lost");
    assert!(matches!(error, OpenError::Corrupt { file, .. } if file == log), "{error}");
    assert_ne!(error, OpenError::Disk(DiskError::NotFound));
}
