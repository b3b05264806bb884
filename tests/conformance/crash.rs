//! A crash at every single disk operation of a workload, and at every one of the recovery after it.

use kvsim::base::rng::Stream;
use kvsim::disk::{Disk, FileKind};
use kvsim::sim::disk::{SimDisk, Unsynced};
use kvsim::storage::OpenError;

use crate::driver::{Store, small};
use crate::history::History;

/// Runs the workload until the disk fails; false if it did not.
fn run(store: &mut Store<SimDisk>, history: &mut History) -> bool {
    for n in 0..190u32 {
        let key = format!("key-{:02}", n.wrapping_mul(7919) % 30);
        let value = (n % 5 != 4).then(|| format!("value-{n}"));
        if !history.put(store, &key, value) {
            return true;
        }
        // Not after every write, so that some gather in a group and a flush falls in between.
        if n % 3 == 0 {
            let pumped = store.pump();
            history.observe(store);
            if pumped.is_err() {
                return true;
            }
        }
    }
    // Some writes are still unsynced here.
    store.engine.close(&mut store.disk).is_err()
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

/// Files are created, published and removed without a sync of the folder, and the power fails: every such name is
/// lost. LevelDB (issues 195, 189) lost whole stores to a rename that was not durable when old files went.
#[test]
fn pitfall_7_names_that_were_not_synced_are_lost_and_nothing_that_was_synced_with_them() {
    crash_everywhere(Unsynced::Lost);
}

/// The power fails in the middle of a write: of its sectors some are there and some are not, in any order. That tail
/// was promised to nobody, and is cut; what was synced before it stays.
#[test]
fn pitfall_1_a_torn_tail_is_cut_and_what_was_synced_stays() {
    crash_everywhere(Unsynced::Torn);
}

/// The power comes back, and fails again while the node recovers; and again.
#[test]
fn pitfall_15_a_crash_at_any_operation_of_a_recovery_changes_nothing() {
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

/// A process that restarts reads what is in the page cache. If it crashes on the way, less may be left than
/// it saw.
#[test]
fn a_recovery_that_crashed_promises_nothing() {
    let mut store = Store::must_open(small(), SimDisk::new());
    let mut history = History::default();
    for n in 0..12 {
        assert!(history.put(&mut store, &format!("key-{n}"), Some("value".to_string())));
        if n == 5 {
            store.pump().expect("works");
            history.observe(&store);
        }
    }
    let mut lost = 0;
    for (m, seed) in (0..20).flat_map(|m| (0..20).map(move |seed| (m, seed))) {
        let mut disk = store.disk.clone();
        disk.fail_after(Some(m));
        let mut disk = match Store::open(small(), disk) {
            Ok(store) => store.disk,
            Err((_, disk)) => disk,
        };
        disk.crash(Unsynced::Torn, &mut Stream::new(seed, "test.crash", m));
        let mut store = Store::must_open(small(), disk);
        history.clone().recovered(&mut store);
        lost += usize::from(store.engine.appended().0 == 6);
    }
    assert!(lost > 0, "no crash lost what the recovery had seen");
}

/// The end of a log is lost at the edge of a frame, and the next log is there: a hole, which must be cut.
#[test]
fn a_hole_between_two_logs_is_cut() {
    let mut store = Store::must_open(small(), SimDisk::new());
    let mut history = History::default();
    let value = || Some("v".repeat(300));
    assert!(history.put(&mut store, "synced", value()));
    store.pump().expect("works");
    history.observe(&store);
    while store.files(FileKind::Wal) == 1 || history.writes.len() < 8 {
        let key = format!("key-{}", history.writes.len());
        assert!(history.put(&mut store, &key, value()));
    }
    let mut cut = 0;
    for seed in 0..400 {
        let mut disk = store.disk.clone();
        disk.crash(Unsynced::Torn, &mut Stream::new(seed, "test.crash", 0));
        let logs = disk.list().expect("works").into_iter().filter(|file| file.kind == FileKind::Wal).count();
        let mut store = Store::must_open(small(), disk);
        history.clone().recovered(&mut store);
        cut += usize::from(logs == 2 && store.engine.appended().0 == 1);
    }
    assert!(cut > 10, "{cut}: the hole never happened");
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
        assert!(files == tables + 4, "and the reserve");
    }
    assert!(orphans > 0, "no crash left an orphan");
}
