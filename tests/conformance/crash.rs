//! A crash at every single disk operation of a workload, and at every one of the recovery after it.

use kvsim::base::rng::Stream;
use kvsim::disk::{Disk, FileKind};
use kvsim::sim::disk::{SimDisk, Unsynced};
use kvsim::storage::OpenError;

use crate::driver::{Store, small};
use crate::history::History;

/// Runs the workload until the disk fails; false if it did not.
fn run(store: &mut Store<SimDisk>, history: &mut History) -> bool {
    for n in 0..90u32 {
        let key = format!("key-{:02}", n.wrapping_mul(7919) % 30);
        let value = (n % 5 != 4).then(|| format!("value-{n}"));
        if !history.put(store, &key, value) {
            return true;
        }
        // Not after every write, so that some gather unsynced and a flush falls in between.
        if n % 3 == 0 {
            let pumped = store.pump();
            history.observe(store);
            if pumped.is_err() {
                return true;
            }
        }
    }
    false
}

/// A store in the state that the workload was in when the disk failed for the `n`-th time, after the crash.
fn crashed_at(n: u64, unsynced: Unsynced) -> Option<(SimDisk, History)> {
    let mut disk = SimDisk::new();
    let mut history = History::default();
    disk.fail_after(Some(n));
    let mut disk = match Store::open(small(), disk) {
        Err((OpenError::Disk(_), disk)) => disk,
        Err((error, _)) => panic!("{error}"),
        Ok(mut store) => {
            if !run(&mut store, &mut history) && !store.disk.is_failing() {
                return None;
            }
            store.disk
        }
    };
    disk.crash(unsynced, &mut Stream::new(n, "test.crash", 0));
    Some((disk, history))
}

fn crash_everywhere(unsynced: Unsynced) {
    let mut operations = 0;
    while let Some((disk, mut history)) = crashed_at(operations, unsynced) {
        let mut store = Store::must_open(small(), disk);
        history.recovered(&mut store);
        // What it serves now it never loses again, and it goes on as if nothing had been.
        let mut disk = store.disk;
        disk.crash(unsynced, &mut Stream::new(operations, "test.crash", 1));
        let mut store = Store::must_open(small(), disk);
        history.recovered(&mut store);
        run(&mut store, &mut history);
        history.check(&mut store);
        operations += 1;
    }
    assert!(operations > 200, "only {operations} operations: the workload does too little");
}

#[test]
fn a_crash_at_any_operation_that_loses_all_unsynced_keeps_what_was_synced() {
    crash_everywhere(Unsynced::Lost);
}

#[test]
fn a_crash_at_any_operation_that_tears_the_unsynced_keeps_what_was_synced() {
    crash_everywhere(Unsynced::Torn);
}

#[test]
fn a_crash_at_any_operation_of_a_recovery_changes_nothing() {
    for unsynced in [Unsynced::Lost, Unsynced::Torn] {
        for n in (0..).step_by(13) {
            let Some((disk, history)) = crashed_at(n, unsynced) else { break };
            for m in 0.. {
                let mut history = history.clone();
                let mut disk = disk.clone();
                disk.fail_after(Some(m));
                let (mut disk, opened) = match Store::open(small(), disk) {
                    Err((OpenError::Disk(_), disk)) => (disk, false),
                    Err((error, _)) => panic!("{error}"),
                    Ok(store) => (store.disk, true),
                };
                disk.crash(unsynced, &mut Stream::new(m, "test.crash", n));
                history.recovered(&mut Store::must_open(small(), disk));
                if opened {
                    break;
                }
            }
        }
    }
}

#[test]
fn a_crash_leaves_orphans_that_the_next_open_removes() {
    let mut orphans = 0;
    for n in (100..200).step_by(3) {
        let Some((disk, _)) = crashed_at(n, Unsynced::Torn) else { break };
        let mut store = Store::must_open(small(), disk);
        orphans += store.recovery.removed_orphans;
        for kind in [FileKind::Wal, FileKind::Manifest, FileKind::Current] {
            assert_eq!(store.files(kind), 1, "{kind:?}");
        }
        assert_eq!(store.files(FileKind::Temp), 0);
        let tables = store.files(FileKind::Table);
        let files = store.disk.list().expect("works").len();
        let again = Store::must_open(small(), store.disk);
        assert_eq!(again.recovery.removed_orphans, 0, "the first open left orphans");
        assert!(files == tables + 3);
    }
    assert!(orphans > 0, "no crash left an orphan");
}
