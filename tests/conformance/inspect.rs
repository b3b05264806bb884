//! `kvnode data`: reads a folder that no node has open, whole or damaged, and changes nothing.

use kvsim::base::rng::Stream;
use kvsim::disk::{Disk, FileKind};
use kvsim::real::data;
use kvsim::sim::disk::SimDisk;
use kvsim::storage::inspect::inspect;

use crate::driver::{Maker, Real, Store, small};

fn fill<D: Disk>(store: &mut Store<D>) {
    for n in 0..400u32 {
        store.put(&format!("key-{:03}", n.wrapping_mul(7919) % 150), Some(&format!("value-{n}")));
        store.pump().expect("works");
    }
    store.put("last", Some("in the log"));
    store.pump().expect("works");
}

#[test]
fn a_sound_store_is_sound_and_every_flip_is_found_without_a_change() {
    let mut store = Store::must_open(small(), SimDisk::new());
    fill(&mut store);
    let mut disk = store.disk;
    let found = inspect(true, &mut disk).expect("it reads");
    assert_eq!(found.findings, []);
    assert!(found.tables.len() > 2 && found.recovery.expect("a log").replayed > 0);
    let tables: u64 = found.tables.iter().map(|table| table.bytes).sum();
    let framed = |kind| matches!(kind, FileKind::Wal | FileKind::Manifest | FileKind::Current);
    let frames: u64 = found.files.iter().filter(|(file, _)| framed(file.kind)).map(|(_, len)| len).sum();
    assert_eq!(found.verified_bytes, tables + frames, "every byte but the reserve's");

    let mut rng = Stream::new(3, "test.flip", 0);
    let mut torn = 0;
    for (file, bytes) in found.files.iter().filter(|(file, _)| file.kind != FileKind::Reserve) {
        for _ in 0..12 {
            let mut disk = disk.clone();
            assert!(disk.flip_bit(*file, rng.below(bytes * 8)));
            let before = disk.list();
            let found = inspect(true, &mut disk).expect("it reads on");
            assert_eq!(disk.list(), before);
            // The end of the log is the one place where damage cannot be told from a torn write.
            let is_torn = found.recovery.is_some_and(|recovery| recovery.torn_bytes > 0);
            torn += usize::from(is_torn);
            assert!(is_torn || !found.findings.is_empty(), "{file}");
            // Damage to the last edit of a manifest shows in the files that it made obsolete: they are gone.
            let is_named = found.findings.iter().any(|finding| finding.file == *file);
            assert!(is_torn || is_named || file.kind == FileKind::Manifest, "{:?}", found.findings);
        }
    }
    assert!(torn < 8, "{torn}");
}

#[test]
fn a_folder_is_verified_and_dumped_as_text_and_as_json() {
    let mut real = Real::new();
    let mut store = Store::must_open(small(), real.make());
    fill(&mut store);
    let busy = data::look(&real.path, true, false).expect_err("its node runs");
    assert_eq!(busy.kind(), std::io::ErrorKind::ResourceBusy);
    drop(store);
    let report = data::look(&real.path, true, false).expect("it reads");
    assert!(report.is_sound && report.text.contains("0 bytes of a torn tail\n"), "{}", report.text);
    let dump = data::look(&real.path, false, true).expect("it reads");
    let json: serde_json::Value = serde_json::from_str(&dump.text).expect("one object");
    assert_eq!(json["sound"], true);
    let table = json["tables"][0]["file"].as_str().expect("a table").to_string();

    let path = real.path.join(&table);
    let mut bytes = std::fs::read(&path).expect("there");
    bytes[20] ^= 1;
    std::fs::write(&path, bytes).expect("works");
    let report = data::look(&real.path, true, false).expect("it reads on");
    assert!(
        !report.is_sound && report.text.contains(&format!("DAMAGED {table} at byte 0")),
        "{}",
        report.text
    );
    assert!(report.text.contains("keys key-"), "{}", report.text);
    assert!(data::look(&real.path, false, false).expect("it does not look there").is_sound);
    assert!(data::look(&real.path.join("nowhere"), true, false).is_err());
}
