//! Damage at rest: found by reads and by the scrub, named by key range, repaired from outside.

use kvsim::base::bytes::Bytes;
use kvsim::base::rng::Stream;
use kvsim::disk::{Disk, FileKind, FileName};
use kvsim::sim::disk::{SimDisk, Unsynced};
use kvsim::storage::RepairError;

use crate::driver::{Store, small};
use crate::history::{History, Model};

/// Several levels of tables, with overwritten and deleted keys in most of them, and writes in memory.
fn filled() -> (Store<SimDisk>, History) {
    let mut store = Store::must_open(small(), SimDisk::new());
    let mut history = History::default();
    for n in 0..1230u32 {
        let key = format!("key-{:03}", n.wrapping_mul(7919) % 300);
        let value = (n % 4 != 3).then(|| format!("value-{n}"));
        assert!(history.put(&mut store, &key, value));
        store.pump().expect("works");
    }
    history.observe(&store);
    (store, history)
}

fn tables(store: &mut Store<SimDisk>) -> Vec<FileName> {
    let files = store.disk.list().expect("works");
    files.into_iter().filter(|file| file.kind == FileKind::Table).collect()
}

fn scrub_all(store: &mut Store<SimDisk>) {
    for _ in tables(store) {
        store.engine.scrub();
        store.pump().expect("a scrub poisons nothing");
    }
}

/// What the replicas would send for the suspect ranges.
fn entries(model: &Model, suspect: &kvsim::storage::Suspect) -> Vec<(Bytes, Bytes)> {
    let inside = |key: &str| suspect.ranges.iter().any(|range| range.contains(key.as_bytes()));
    let found = model.iter().filter(|(key, _)| inside(key));
    found.map(|(key, value)| (Bytes::from(key.as_str()), Bytes::from(value.as_str()))).collect()
}

/// Repairs until nothing is suspect, as the layer above would.
fn repair_all(store: &mut Store<SimDisk>, history: &History) {
    let model = history.after(history.writes.len());
    for _ in 0..100 {
        let suspects = store.engine.suspects(&mut store.disk);
        let Some(suspect) = suspects.first() else { return };
        match store.engine.repair(suspect, &entries(&model, suspect), &mut store.disk) {
            Ok(()) | Err(RepairError::Deeper) => {}
            Err(error) => panic!("{error}"),
        }
        store.pump().expect("works");
    }
    panic!("still suspect: {:?}", store.engine.suspects(&mut store.disk));
}

/// EIO comes and goes: a cable, a controller that was reset. Giving up the block at the first would make the node
/// fetch from its replicas what it has.
#[test]
fn a_read_that_fails_once_is_tried_once_more() {
    let (mut store, history) = filled();
    for table in tables(&mut store) {
        for (times, is_lost) in [(1, false), (2, true)] {
            let mut store = Store::must_open(small(), store.disk.clone());
            store.disk.fail_reads(table, 3, Some(times));
            assert_eq!(history.check_damaged(&mut store) > 0, is_lost, "{table} fails {times} times");
        }
    }
}

/// One sector of a table is gone. The keys of its block are unknown, never "not found"; all others are read; the
/// engine names the range.
#[test]
fn pitfall_13_a_block_that_cannot_be_read_makes_its_key_range_unknown_and_nothing_else() {
    let (store, history) = filled();
    let model = history.after(history.writes.len());
    let mut lost = 0;
    let files = tables(&mut Store::must_open(small(), store.disk.clone()));
    for table in files {
        let mut store = Store::must_open(small(), store.disk.clone());
        let Ok(len) = store.disk.len(table) else { continue };
        store.disk.fail_reads(table, len / 3, None);
        history.check_damaged(&mut store);
        let suspects = store.engine.suspects(&mut store.disk);
        for (key, _) in &history.writes {
            let is_suspect = suspects.iter().any(|s| s.ranges.iter().any(|r| r.contains(key.as_bytes())));
            match store.engine.get(key.as_bytes(), &mut store.disk) {
                Ok(value) => assert_eq!(value.as_deref(), model.get(key).map(String::as_bytes)),
                Err(error) => {
                    assert!(is_suspect && error.file == table, "{error}");
                    lost += 1;
                }
            }
        }
        // A scan around the damage gives all the rest, and nothing that an older table has of the suspect keys.
        let around = store.engine.scan_around(b"", b"\xff", usize::MAX, &mut store.disk).expect("works");
        let known = model.iter().filter(|(key, _)| !suspects.iter().any(|s| s.contains(key.as_bytes())));
        let known: Vec<_> = known.map(|(key, value)| (Bytes::from(&**key), Bytes::from(&**value))).collect();
        assert_eq!(around, known);
        let unknown = suspects.iter().map(|s| s.ranges.len()).sum::<usize>();
        assert!(unknown <= 1, "one block is one range: {suspects:?}");
    }
    assert!(lost > 20, "{lost}");
}

/// Cold damage: nobody reads the key for years, and meanwhile the other copies go.
#[test]
fn the_scrub_finds_damage_that_nobody_reads() {
    let (mut store, _) = filled();
    scrub_all(&mut store);
    assert_eq!(store.engine.suspects(&mut store.disk), []);
    let files = tables(&mut store);
    for table in &files {
        assert!(store.disk.flip_bit(*table, 100));
    }
    assert_eq!(store.engine.suspects(&mut store.disk), []);
    scrub_all(&mut store);
    let mut found: Vec<u64> = store.engine.suspects(&mut store.disk).iter().map(|s| s.table).collect();
    found.sort_unstable();
    assert_eq!(found, files.iter().map(|file| file.number).collect::<Vec<_>>());
}

/// The damaged block held the deletes of keys that a deeper table still has. The replicas have nothing to send for
/// them; a repair that only wrote what they send would bring the keys back.
#[test]
fn pitfall_14_a_repair_brings_nothing_back_that_was_deleted() {
    let mut history = History::default();
    let mut disk = SimDisk::new();
    let config = kvsim::storage::Config { level0_tables: 50, ..small() };
    for value in [Some("old".to_string()), None] {
        let mut store = Store::must_open(config.clone(), disk);
        for n in 0..20 {
            assert!(history.put(&mut store, &format!("key-{n:02}"), value.clone()));
        }
        store.pump().expect("works");
        disk = store.disk;
    }
    // Every open writes a table of what it finds in the log.
    let mut store = Store::must_open(config, disk);
    let deletes = *tables(&mut store).last().expect("the second");
    assert!(store.disk.flip_bit(deletes, 100));
    assert!(history.check_damaged(&mut store) > 0);
    repair_all(&mut store, &history);
    history.check(&mut store);
}

/// Whatever block of whatever table it was: afterwards everything is as it was.
#[test]
fn a_repaired_store_is_what_the_replicas_have() {
    let (mut store, history) = filled();
    let files = tables(&mut store);
    let mut rng = Stream::new(2, "test.flip", 0);
    let mut repaired = 0;
    let places = files.iter().flat_map(|file| (0..12).map(move |block| (*file, 400 + block * 150 * 8)));
    for (round, (file, bit)) in places.enumerate() {
        let mut disk = store.disk.clone();
        // Sometimes another block of whatever table is damaged too.
        let other = *rng.pick(&files).expect("there are tables");
        let other_bit = rng.below(disk.len(other).expect("there") * 8);
        if !disk.flip_bit(file, bit) || (round % 3 == 0 && !disk.flip_bit(other, other_bit)) {
            continue;
        }
        let mut store = Store::must_open(small(), disk);
        scrub_all(&mut store);
        repaired += usize::from(!store.engine.suspects(&mut store.disk).is_empty());
        repair_all(&mut store, &history);
        history.check(&mut store);
        let mut store = Store::must_open(small(), store.disk);
        history.check(&mut store);
        scrub_all(&mut store);
        assert_eq!(store.engine.suspects(&mut store.disk), []);
    }
    assert!(repaired > 20, "{repaired}");
}

/// The power fails at any operation of a repair: the damaged table is still there, or the new one is.
#[test]
fn a_crash_at_any_operation_of_a_repair_leaves_the_damage_or_the_repair() {
    let (mut store, history) = filled();
    let table = *tables(&mut store).last().expect("there are tables");
    assert!(store.disk.flip_bit(table, 100));
    let (mut still, mut healed) = (0, 0);
    for n in 0.. {
        let mut store = Store::must_open(small(), store.disk.clone());
        scrub_all(&mut store);
        let suspects = store.engine.suspects(&mut store.disk);
        let Some(suspect) = suspects.first() else { panic!("the damage was found") };
        let model = history.after(history.writes.len());
        let replicas = entries(&model, suspect);
        store.disk.fail_after(Some(n));
        store.engine.repair(suspect, &replicas, &mut store.disk).expect("it begins");
        let done = store.pump().is_ok();
        let mut disk = store.disk;
        disk.crash(Unsynced::Torn, &mut Stream::new(n, "test.crash", 0));
        let mut store = Store::must_open(small(), disk);
        match history.check_damaged(&mut store) {
            0 => healed += 1,
            _ => still += 1,
        }
        if done {
            break;
        }
    }
    assert!(still > 3 && healed > 0, "{still} {healed}");
}

/// A repair of a table of level 0 ends while a memtable waits for its flush. Both end with an edit for level 0; were
/// one taken for the other, the frozen memtable would be forgotten, and no compaction would ever run again.
#[test]
fn a_repair_in_level_0_is_not_taken_for_a_flush() {
    let config = kvsim::storage::Config { level0_tables: 50, ..small() };
    let mut store = Store::must_open(config.clone(), SimDisk::new());
    let mut history = History::default();
    for n in 0..20 {
        assert!(history.put(&mut store, &format!("key-{n:02}"), Some("old".to_string())));
    }
    store.pump().expect("works");
    // Every open writes a table of what it finds in the log.
    let mut store = Store::must_open(config, store.disk);
    let table = tables(&mut store)[0];
    assert!(store.disk.flip_bit(table, 100));
    assert!(history.check_damaged(&mut store) > 0);
    let (flush, job) = (0..)
        .find_map(|n| {
            assert!(history.put(&mut store, &format!("new-{n}"), Some("new".to_string())));
            store.sync().expect("works");
            store.engine.poll_job()
        })
        .expect("a full memtable is flushed");
    let suspect = store.engine.suspects(&mut store.disk).remove(0);
    let replicas = entries(&history.after(history.writes.len()), &suspect);
    store.engine.repair(&suspect, &replicas, &mut store.disk).expect("it begins");
    let (repair, work) = store.engine.poll_job().expect("the repair");
    store.run(repair, work).expect("works");
    store.sync().expect("works");
    assert!(!store.engine.is_damaged() && !store.engine.is_rewriting());
    history.check(&mut store);
    store.run(flush, job).expect("works");
    store.pump().expect("works");
    history.check(&mut store);
    history.recovered(&mut Store::must_open(small(), store.disk));
}

/// A read finds damage, and the node restarts before anything was repaired. Were it forgotten, compactions would go on
/// until they meet it, and the replicas would be asked for it only when a client stumbles over it again.
#[test]
fn a_restart_does_not_forget_what_is_damaged() {
    let (store, history) = filled();
    for table in tables(&mut Store::must_open(small(), store.disk.clone())) {
        let mut store = Store::must_open(small(), store.disk.clone());
        assert!(store.disk.flip_bit(table, 400));
        assert!(history.check_damaged(&mut store) > 0);
        let suspects = store.engine.suspects(&mut store.disk);
        assert!(!suspects.is_empty());
        store.sync().expect("works");
        // Twice: from the edit that noted it, and from the snapshot that the first open made of it.
        for seed in 0..2 {
            store.disk.crash(Unsynced::Torn, &mut Stream::new(seed, "test.crash", 0));
            store = Store::must_open(small(), store.disk);
            assert_eq!(store.engine.suspects(&mut store.disk), suspects);
        }
        repair_all(&mut store, &history);
        let mut store = Store::must_open(small(), store.disk);
        assert!(!store.engine.is_damaged());
        history.check(&mut store);
    }
}

/// Somebody, or fsck, has removed a table, or cut it. That costs its keys: the rest of the store is served, and the
/// replicas have the lost ones.
#[test]
fn a_table_that_is_gone_or_cut_costs_its_keys_and_not_the_store() {
    let (store, history) = filled();
    let mut store = Store::must_open(small(), store.disk);
    let all = tables(&mut store);
    for (round, table) in all.iter().enumerate() {
        let mut disk = store.disk.clone();
        if round % 2 == 0 {
            disk.remove(*table).expect("it is there");
        } else {
            disk.truncate(*table, 200).expect("it is there");
        }
        let mut store = Store::must_open(small(), disk);
        let suspects = store.engine.suspects(&mut store.disk);
        assert_eq!(suspects.iter().map(|suspect| suspect.table).collect::<Vec<_>>(), [table.number]);
        let known = history.writes.iter().filter(|(key, _)| !suspects[0].contains(key.as_bytes()));
        let known: Vec<_> = known.map(|(key, _)| key.clone()).collect();
        assert!(history.check_damaged(&mut store) > 0);
        let model = history.after(history.writes.len());
        for key in &known {
            assert_eq!(store.get(key).as_ref(), model.get(key), "{key} is not of the lost table");
        }
        repair_all(&mut store, &history);
        history.check(&mut store);
        let mut store = Store::must_open(small(), store.disk);
        assert!(!store.engine.is_damaged());
        history.check(&mut store);
    }
}

#[test]
fn repairs_that_do_not_fit_are_refused() {
    let (mut store, history) = filled();
    let files = tables(&mut store);
    let damaged = *files.last().expect("there are tables");
    assert!(store.disk.flip_bit(damaged, 100));
    scrub_all(&mut store);
    let suspect = store.engine.suspects(&mut store.disk).remove(0);
    let stranger = [(Bytes::from("zzz"), Bytes::from("value"))];
    assert_eq!(store.engine.repair(&suspect, &stranger, &mut store.disk), Err(RepairError::Outside));
    let bits = store.disk.len(damaged).expect("there") * 8;
    let more = (0..bits / 2).step_by(800).skip(3);
    more.for_each(|bit| assert!(store.disk.flip_bit(damaged, bit)));
    scrub_all(&mut store);
    assert_eq!(store.engine.repair(&suspect, &[], &mut store.disk), Err(RepairError::Outdated));
    let suspect = store.engine.suspects(&mut store.disk).remove(0);
    let replicas = entries(&history.after(history.writes.len()), &suspect);
    assert_eq!(store.engine.repair(&suspect, &replicas, &mut store.disk), Ok(()));
    assert_eq!(store.engine.repair(&suspect, &replicas, &mut store.disk), Err(RepairError::Busy));
    store.pump().expect("works");
    assert_eq!(store.engine.suspects(&mut store.disk), []);
    history.check(&mut store);
}
