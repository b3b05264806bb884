//! Flipped bits in files at rest: detected, or provably harmless, never a synced write lost without a word.

use kvsim::base::rng::Stream;
use kvsim::disk::{Disk, FileKind, FileName, SyncTarget};
use kvsim::sim::disk::{SimDisk, Unsynced};
use kvsim::storage::OpenError;

use crate::driver::{Store, small};
use crate::history::History;

/// How the store was left before the bits flip.
#[derive(Clone, Copy, PartialEq)]
enum Left {
    Crashed,
    Closed,
    /// Opened once more, so that its manifest is a snapshot without edits.
    Reopened,
}

/// A store with tables in both levels, edits in its manifest and two live logs, all synced.
fn filled(left: Left) -> (SimDisk, History) {
    let mut store = Store::must_open(small(), SimDisk::new());
    let mut history = History::default();
    for n in 0..150u32 {
        assert!(history.put(&mut store, &format!("key-{:02}", n * 7 % 40), Some(format!("value-{n}"))));
        store.pump().expect("works");
    }
    // From here on nothing is flushed, so that logs pile up.
    for n in 0..25u32 {
        let value = (n % 3 != 0).then(|| format!("late-{n}"));
        assert!(history.put(&mut store, &format!("key-{:02}", n * 11 % 40), value));
        while let Some(request) = store.engine.poll_sync(&mut store.disk).expect("works") {
            let result = store.disk.sync(request.target);
            store.engine.synced(request.ticket, result, &mut store.disk).expect("works");
        }
    }
    history.observe(&store);
    assert_eq!(history.durable, 175);
    if left == Left::Closed {
        store.engine.close(&mut store.disk).expect("works");
    }
    if left == Left::Reopened {
        store = Store::must_open(small(), store.disk);
    }
    let mut disk = store.disk;
    disk.sync(SyncTarget::Directory).expect("works");
    disk.crash(Unsynced::Lost, &mut Stream::new(0, "test.crash", 0));
    (disk, history)
}

#[derive(Debug, Default)]
struct Tally {
    flips: usize,
    refused: usize,
    unread: usize,
    cut: usize,
    harmless: usize,
}

/// Flips one bit and looks at everything.
fn flip(disk: &SimDisk, history: &History, file: FileName, bit: u64, tally: &mut Tally) {
    tally.flips += 1;
    let mut disk = disk.clone();
    assert!(disk.flip_bit(file, bit));
    let before = disk.list();
    let mut store = match Store::open(small(), disk) {
        Ok(store) => store,
        Err((OpenError::Disk(error), _)) => panic!("{file} bit {bit}: {error}"),
        Err((_, mut disk)) => {
            assert_eq!(disk.list(), before, "{file} bit {bit}: a refused store was changed");
            tally.refused += 1;
            return;
        }
    };
    let mut history = history.clone();
    if store.engine.appended().0 as usize != history.writes.len() {
        // Undecidable: the last synced frame looks torn. The open has said that it cut something.
        assert!(
            store.recovery.torn_bytes > 0 && !store.recovery.clean,
            "{file} bit {bit}: lost without a word"
        );
        history.durable = 0;
        history.writes.truncate(store.engine.appended().0 as usize);
        tally.cut += 1;
    }
    let failed = history.check_damaged(&mut store);
    if failed > 0 {
        tally.unread += 1;
    } else {
        tally.harmless += 1;
    }
    // Compactions that meet the damage must not launder it, nor stop the store.
    for n in 0..40u32 {
        assert!(history.put(&mut store, &format!("key-{:02}", n * 3 % 40), Some(format!("new-{n}"))));
        store.pump().expect("damage at rest does not poison");
    }
    history.check_damaged(&mut store);
}

/// Flips `count` bits by chance; every one of the kind's files if `KVSIM_ALL_BITS` is set (the nightly sweep).
fn flip_sample(left: Left, kind: FileKind, count: u64) -> Tally {
    let (mut disk, history) = filled(left);
    let mut rng = Stream::new(1, "test.flip", kind as u64);
    let files: Vec<FileName> =
        disk.list().expect("works").into_iter().filter(|file| file.kind == kind).collect();
    let mut tally = Tally::default();
    if std::env::var_os("KVSIM_ALL_BITS").is_some() {
        for file in files {
            let bits = disk.len(file).expect("works") * 8;
            (0..bits).for_each(|bit| flip(&disk, &history, file, bit, &mut tally));
        }
        println!("every bit of {kind:?}: {tally:?}");
        return tally;
    }
    for _ in 0..count {
        let file = *rng.pick(&files).expect("there are such files");
        let bits = disk.len(file).expect("works") * 8;
        flip(&disk, &history, file, rng.below(bits), &mut tally);
    }
    tally
}

/// A bit flips in a length, a sequence number or a type. fjall's checksum covers items but not the start marker, so a
/// flipped sequence number goes unnoticed; a flipped type byte cuts half of the log off. Here every bit is covered.
#[test]
fn pitfall_3_a_flip_in_the_log_of_a_closed_store_is_always_refused_or_harmless() {
    let tally = flip_sample(Left::Closed, FileKind::Wal, 150);
    assert_eq!((tally.cut, tally.unread), (0, 0), "{tally:?}");
    assert!(tally.refused * 3 > tally.flips * 2 && tally.harmless > 0, "{tally:?}");
}

#[test]
fn a_flip_in_the_log_of_a_crashed_store_is_refused_unless_it_looks_torn() {
    let tally = flip_sample(Left::Crashed, FileKind::Wal, 150);
    assert_eq!(tally.unread, 0, "{tally:?}");
    assert!(
        tally.refused * 3 > tally.flips * 2 && tally.cut * 10 < tally.flips && tally.cut > 0,
        "{tally:?}"
    );
}

#[test]
fn a_flip_in_the_manifest_is_refused_unless_nothing_was_built_on_the_edit() {
    let tally = flip_sample(Left::Crashed, FileKind::Manifest, 150);
    assert_eq!((tally.cut, tally.unread), (0, 0), "{tally:?}");
    assert!(tally.refused == tally.flips, "{tally:?}");
}

#[test]
fn a_flip_in_a_snapshot_is_refused() {
    let tally = flip_sample(Left::Reopened, FileKind::Manifest, 100);
    assert_eq!(tally.refused, tally.flips, "{tally:?}");
}

#[test]
fn a_flip_in_an_edit_that_is_not_the_last_is_named() {
    let (mut disk, _) = filled(Left::Crashed);
    let manifest = disk.list().expect("works").into_iter().find(|file| file.kind == FileKind::Manifest);
    let manifest = manifest.expect("there");
    let bits = disk.len(manifest).expect("works") * 8;
    for bit in (0..bits / 2).step_by(101) {
        let mut disk = disk.clone();
        disk.flip_bit(manifest, bit);
        let error = Store::open(small(), disk).err().expect("it was promised").0;
        assert!(matches!(error, OpenError::Corrupt { file, .. } if file == manifest), "{error}");
    }
}

/// A manifest that rots, or a `current` that lies about it. fjall stores a checksum in `current` and never looks at it.
#[test]
fn pitfall_10_a_flip_in_current_is_refused() {
    let tally = flip_sample(Left::Crashed, FileKind::Current, 60);
    assert_eq!(tally.refused, tally.flips, "{tally:?}");
}

#[test]
fn a_flip_in_a_table_costs_only_the_keys_it_hits() {
    let tally = flip_sample(Left::Crashed, FileKind::Table, 250);
    assert_eq!((tally.cut, tally.refused), (0, 0), "{tally:?}");
    assert!(tally.unread * 4 > tally.flips * 3, "{tally:?}");
}

/// One bit flips in the middle of a log of synced writes. RocksDB opens without a word and drops everything behind it,
/// 3,200 acknowledged records of 6,400. A frame after the damage promises that the place had been synced, so it is
/// damage and no torn tail: the store refuses, names the place, and cuts nothing.
#[test]
fn pitfall_2_damage_before_a_promise_is_named_and_damage_behind_the_last_is_cut_and_counted() {
    let mut store = Store::must_open(small(), SimDisk::new());
    let log = store.disk.list().expect("works").into_iter().find(|file| file.kind == FileKind::Wal);
    let log = log.expect("there");
    let mut starts = Vec::new();
    for key in ["a", "b", "c"] {
        starts.push(store.disk.len(log).expect("works"));
        store.put(key, Some("1"));
        store.pump().expect("works");
    }
    for (n, start) in starts.iter().enumerate() {
        let mut disk = store.disk.clone();
        disk.flip_bit(log, start * 8 + 500);
        let opened = Store::open(small(), disk);
        if n < 2 {
            let (error, _) = opened.err().expect("it was promised");
            assert!(
                matches!(error, OpenError::Corrupt { file, offset, .. } if (file, offset) == (log, *start))
            );
        } else {
            let recovery = opened.unwrap_or_else(|(error, _)| panic!("{error}")).recovery;
            assert_eq!((recovery.replayed, recovery.torn_bytes > 0), (2, true));
        }
    }
}

#[test]
fn lost_files_are_missed() {
    let (mut disk, history) = filled(Left::Crashed);
    for file in disk.list().expect("works") {
        let mut disk = disk.clone();
        disk.remove(file).expect("works");
        match Store::open(small(), disk) {
            Err((OpenError::Corrupt { file: named, .. }, _)) => assert_eq!(named, file),
            Err((error, _)) => panic!("{error}"),
            Ok(mut store) => {
                if file.kind == FileKind::Reserve {
                    history.check(&mut store);
                    continue;
                }
                if file.kind == FileKind::Table {
                    // It costs its keys, and the engine says which.
                    assert!(store.engine.is_suspect(file.number));
                    assert!(history.check_damaged(&mut store) > 0);
                    continue;
                }
                // The newest log cannot be missed: nothing that is left names it.
                assert_eq!(file.kind, FileKind::Wal);
                assert!(store.engine.appended().0 > 150);
                let mut history = history.clone();
                history.durable = 0;
                history.recovered(&mut store);
            }
        }
    }
}
