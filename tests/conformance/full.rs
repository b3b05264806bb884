//! The full disk: found at every byte, in the log, a table, the manifest or during recovery. Writes are refused,
//! reads go on, nothing is poisoned, and writes resume by themselves.

use kvsim::base::rng::Stream;
use kvsim::disk::{Disk, FileKind, FileName};
use kvsim::sim::disk::{SimDisk, Unsynced};
use kvsim::storage::WriteError;

use crate::driver::{Store, small};
use crate::history::History;

fn write(store: &mut Store<SimDisk>, history: &mut History, range: std::ops::Range<u32>) {
    try_write(store, history, range);
    assert_eq!(history.durable, history.writes.len(), "what was taken before can still be synced");
}

fn try_write(store: &mut Store<SimDisk>, history: &mut History, range: std::ops::Range<u32>) {
    for n in range {
        let key = format!("key-{:02}", n.wrapping_mul(7919) % 30);
        let value = (n % 5 != 4).then(|| format!("value-{n}"));
        assert!(history.put(store, &key, value), "a full disk does not poison");
        store.pump().expect("nor does it in the background");
    }
    history.observe(store);
}

/// Puts until one is taken: refused writes lay the reserve by.
fn resume(store: &mut Store<SimDisk>, history: &mut History) {
    let before = history.writes.len();
    for _ in 0..20 {
        assert!(history.put(store, "resumed", Some("yes".to_string())));
        store.pump().expect("the disk works");
    }
    assert!(history.writes.len() > before, "writes did not resume although there is space");
}

fn is_full(store: &mut Store<SimDisk>) -> bool {
    // So large that the disk cannot have that much left without knowing.
    let put = store.engine.put(b"probe", Some(&[7; 3000]), &mut store.disk);
    assert!(matches!(put, Ok(_) | Err(WriteError::Full)), "{put:?}");
    put.is_err()
}

/// ENOSPC at every place: whichever append it was, half of its bytes lay in the file. With fjall and RocksDB
/// the store takes no more writes until it is restarted, even when space is back.
#[test]
fn pitfall_6_a_disk_that_fills_up_refuses_writes_and_resumes_by_itself() {
    let mut hit = 0;
    for step in 0..220 {
        let mut store = Store::must_open(small(), SimDisk::new());
        let mut history = History::default();
        let capacity = store.disk.used() + step * 37;
        store.disk.set_capacity(Some(capacity));
        write(&mut store, &mut history, 0..150);
        assert!(store.disk.used() <= capacity);
        history.check(&mut store);
        let refused = history.writes.len() < 150;
        hit += usize::from(refused);

        // The power fails while the disk is full: it opens, and has everything.
        let mut disk = store.disk.clone();
        disk.crash(Unsynced::Torn, &mut Stream::new(step, "test.crash", 0));
        let mut restarted = Store::must_open(small(), disk);
        history.clone().recovered(&mut restarted);

        for mut store in [store, restarted] {
            let mut history = history.clone();
            store.disk.set_capacity(Some(capacity + 100_000));
            resume(&mut store, &mut history);
            write(&mut store, &mut history, 150..200);
            history.check(&mut store);
            let history = history;
            let mut store = Store::must_open(small(), store.disk);
            history.clone().recovered(&mut store);
        }
    }
    assert!(hit > 80, "only {hit} disks were too small");
}

/// A node that crashed with a full disk must be able to come back and serve what it has.
#[test]
fn recovery_on_a_full_disk_uses_the_reserve() {
    let mut store = Store::must_open(small(), SimDisk::new());
    let mut history = History::default();
    for n in 0..12u32 {
        assert!(history.put(&mut store, &format!("key-{n}"), Some(format!("value-{n}"))));
    }
    while let Some(request) = store.engine.poll_sync(&mut store.disk).expect("works") {
        let result = store.disk.sync(request.target);
        store.engine.synced(request.ticket, result, &mut store.disk).expect("works");
    }
    history.observe(&store);
    let mut disk = store.disk;
    disk.set_capacity(Some(disk.used()));
    let mut store = Store::must_open(small(), disk);
    history.recovered(&mut store);
    assert!(is_full(&mut store));
    assert!(store.disk.len(FileName::new(FileKind::Reserve, 0)).is_err(), "it was given back");
    store.disk.set_capacity(None);
    resume(&mut store, &mut history);
    assert_eq!(store.disk.len(FileName::new(FileKind::Reserve, 0)), Ok(small().reserve_bytes));
}

/// The disk fills up while a sync is in flight, so the writes that gather meanwhile are taken before anybody knows. They
/// go into the space of the reserve, and become durable; later ones are refused.
#[test]
fn a_group_that_finds_the_disk_full_takes_the_space_of_the_reserve() {
    let mut store = Store::must_open(small(), SimDisk::new());
    let mut history = History::default();
    assert!(history.put(&mut store, "first", Some("1".to_string())));
    let sync = store.engine.poll_sync(&mut store.disk).expect("works").expect("a write waits");
    store.disk.set_capacity(Some(store.disk.used()));
    for n in 0..8 {
        assert!(history.put(&mut store, &format!("key-{n}"), Some(format!("value-{n}"))));
    }
    assert_eq!(history.writes.len(), 9, "all are taken");
    assert_eq!(store.engine.written().0, 1);
    let result = store.disk.sync(sync.target);
    store.engine.synced(sync.ticket, result, &mut store.disk).expect("works");
    store.pump().expect("works");
    history.observe(&store);
    assert_eq!(history.durable, 9);
    assert!(is_full(&mut store));
    let mut disk = store.disk.clone();
    disk.crash(Unsynced::Lost, &mut Stream::new(0, "test.crash", 0));
    history.recovered(&mut Store::must_open(small(), disk));
}

/// A group that found no space is in no file, so no sync of the log covers it: it would be acknowledged and lost.
#[test]
fn a_sync_covers_no_group_that_waits_for_space() {
    let config = kvsim::storage::Config { reserve_bytes: 0, ..small() };
    let mut store = Store::must_open(config, SimDisk::new());
    while store.files(FileKind::Wal) == 1 {
        store.put("key", Some("value"));
    }
    let begin = |store: &mut Store<SimDisk>| {
        let request = store.engine.poll_sync(&mut store.disk).expect("works").expect("there is one");
        let result = store.disk.sync(request.target);
        (request, result)
    };
    let end = |store: &mut Store<SimDisk>, (request, result): (kvsim::storage::SyncRequest, _)| {
        store.engine.synced(request.ticket, result, &mut store.disk).expect("works");
    };
    // First the closed log, then the folder; while that sync is in flight another write comes, and the disk is full.
    let closed = begin(&mut store);
    end(&mut store, closed);
    let folder = begin(&mut store);
    assert_eq!(folder.0.target, kvsim::disk::SyncTarget::Directory);
    store.put("late", Some("value"));
    store.disk.set_capacity(Some(store.disk.used()));
    end(&mut store, folder);
    let active = begin(&mut store);
    end(&mut store, active);
    let late = store.engine.appended();
    assert_eq!((store.engine.written().next(), store.engine.durable().next()), (late, late));
    store.disk.set_capacity(None);
    store.pump().expect("works");
    assert_eq!(store.engine.durable(), late);
}

/// Without a reserve the store is as consistent; only what needs space has to wait: the group in which the end of the
/// disk was found too, which was taken and is not durable. Nothing is taken behind it.
#[test]
fn a_store_without_a_reserve_refuses_and_resumes_too() {
    let config = kvsim::storage::Config { reserve_bytes: 0, ..small() };
    let mut store = Store::must_open(config, SimDisk::new());
    let mut history = History::default();
    let capacity = store.disk.used() + 2500;
    store.disk.set_capacity(Some(capacity));
    try_write(&mut store, &mut history, 0..60);
    assert!(history.writes.len() < 60, "it was not full");
    assert_eq!(history.durable, history.writes.len() - 1, "one write waits for space");
    assert_eq!(store.files(FileKind::Reserve), 0);
    history.check(&mut store);
    let mut crashed = store.disk.clone();
    crashed.crash(Unsynced::Torn, &mut Stream::new(0, "test.crash", 0));
    crashed.set_capacity(None);
    history.clone().recovered(&mut Store::must_open(small(), crashed));

    store.disk.set_capacity(None);
    store.pump().expect("works");
    history.observe(&store);
    assert_eq!(history.durable, history.writes.len(), "it became durable by itself");
    resume(&mut store, &mut history);
    write(&mut store, &mut history, 60..120);
    history.check(&mut store);
}

/// The reserve is as large as configured, whatever an earlier configuration said, and is made again if a crash
/// took some of it.
#[test]
fn the_reserve_follows_its_configuration() {
    let reserve = FileName::new(FileKind::Reserve, 0);
    let mut disk = SimDisk::new();
    for bytes in [4000, 100_000, 300, 0] {
        let config = kvsim::storage::Config { reserve_bytes: bytes, ..small() };
        let mut store = Store::must_open(config, disk);
        assert_eq!(store.disk.len(reserve).unwrap_or(0), bytes);
        disk = store.disk;
    }
    disk.append(reserve, b"torn").expect("works");
    let mut store = Store::must_open(small(), disk);
    assert_eq!(store.disk.len(reserve), Ok(small().reserve_bytes));
}
