//! The contract of `disk.rs`, as far as a caller can see it without a crash; then the crashes of the
//! simulated disk.

use kvsim::base::rng::Stream;
use kvsim::disk::{Disk, DiskError, FileKind, FileName, SyncTarget, read_all};
use kvsim::real::disk::RealDisk;
use kvsim::sim::disk::{SimDisk, Unsynced};

use crate::driver::{Maker, Real, Simulated};

const LOG: FileName = FileName::new(FileKind::Wal, 7);
const TEMP: FileName = FileName::new(FileKind::Temp, 8);
const CURRENT: FileName = FileName::new(FileKind::Current, 0);

fn content(disk: &mut dyn Disk, file: FileName) -> Vec<u8> {
    read_all(disk, file, 1 << 20).expect("the file is there")
}

fn appends_are_read_back_at_once(mut maker: impl Maker) {
    let mut disk = maker.make();
    assert_eq!(disk.append(LOG, b"hello "), Ok(0));
    assert_eq!(disk.append(LOG, b"world"), Ok(6));
    assert_eq!(disk.len(LOG), Ok(11));
    assert_eq!(content(&mut disk, LOG), b"hello world");
    let mut buffer = [0; 4];
    assert_eq!(disk.read_at(LOG, 9, &mut buffer), Ok(2), "less only at the end");
    assert_eq!(&buffer[..2], b"ld");
    assert_eq!(disk.read_at(LOG, 11, &mut buffer), Ok(0));
    assert_eq!(disk.read_at(LOG, 99, &mut buffer), Ok(0));
    let large = vec![7; 100_000];
    assert_eq!(disk.append(LOG, &large), Ok(11));
    assert_eq!(content(&mut disk, LOG)[11..], large);
    let mut disk = maker.reopen(disk);
    assert_eq!(disk.len(LOG), Ok(100_011));
    assert_eq!(disk.append(LOG, b"!"), Ok(100_011));
}

fn what_is_not_there_is_not_found(mut maker: impl Maker) {
    let mut disk = maker.make();
    assert_eq!(disk.len(LOG), Err(DiskError::NotFound));
    assert_eq!(disk.read_at(LOG, 0, &mut [0]), Err(DiskError::NotFound));
    assert_eq!(disk.truncate(LOG, 0), Err(DiskError::NotFound));
    assert_eq!(disk.publish(LOG, TEMP), Err(DiskError::NotFound));
    assert_eq!(disk.remove(LOG), Err(DiskError::NotFound));
    assert_eq!(disk.sync(SyncTarget::File(LOG)), Err(DiskError::NotFound));
    assert_eq!(disk.list(), Ok(vec![]), "asking made no file");
}

fn a_truncated_file_goes_on_where_it_was_cut(mut maker: impl Maker) {
    let mut disk = maker.make();
    disk.append(LOG, b"hello world").expect("works");
    assert_eq!(disk.truncate(LOG, 5), Ok(()));
    assert_eq!(disk.append(LOG, b"!"), Ok(5));
    assert_eq!(content(&mut disk, LOG), b"hello!");
}

fn publish_replaces_and_remove_removes(mut maker: impl Maker) {
    let mut disk = maker.make();
    disk.append(CURRENT, b"old").expect("works");
    disk.append(TEMP, b"new").expect("works");
    assert_eq!(disk.publish(TEMP, CURRENT), Ok(()));
    assert_eq!(disk.list(), Ok(vec![CURRENT]));
    assert_eq!(content(&mut disk, CURRENT), b"new");
    assert_eq!(disk.append(CURRENT, b"er"), Ok(3), "the file kept its length under its new name");
    assert_eq!(disk.append(TEMP, b"x"), Ok(0), "the old name is free");
    assert_eq!(disk.remove(TEMP), Ok(()));
    assert_eq!(disk.list(), Ok(vec![CURRENT]));
    assert_eq!(disk.append(TEMP, b"yz"), Ok(0), "a removed file is gone");
    assert_eq!(content(&mut disk, TEMP), b"yz");
}

fn files_are_listed_in_order(mut maker: impl Maker) {
    let mut disk = maker.make();
    let table = |number| FileName::new(FileKind::Table, number);
    for file in [table(10), LOG, table(9), CURRENT] {
        disk.append(file, b"x").expect("works");
    }
    assert_eq!(disk.list(), Ok(vec![CURRENT, LOG, table(9), table(10)]));
    assert_eq!(disk.sync(SyncTarget::File(LOG)), Ok(()));
    assert_eq!(disk.sync(SyncTarget::Directory), Ok(()));
}

macro_rules! on_both_disks {
    ($($name:ident),*) => {
        mod simulated {
            $(#[test] fn $name() { super::$name(super::Simulated) })*
        }
        mod real {
            $(#[test] fn $name() { super::$name(super::Real::new()) })*
        }
    };
}

on_both_disks!(
    appends_are_read_back_at_once,
    what_is_not_there_is_not_found,
    a_truncated_file_goes_on_where_it_was_cut,
    publish_replaces_and_remove_removes,
    files_are_listed_in_order
);

#[test]
fn a_folder_is_open_once_and_ignores_names_that_are_not_ours() {
    let real = Real::new();
    let mut disk = RealDisk::open(&real.path).expect("a temporary folder");
    std::fs::write(real.path.join("notes.txt"), "x").expect("works");
    assert_eq!(disk.list(), Ok(vec![]));
    let error = RealDisk::open(&real.path).expect_err("locked");
    assert_eq!(error.kind(), std::io::ErrorKind::ResourceBusy);
}

#[test]
fn handles_of_a_real_folder_share_their_files_and_many_files_can_be_open() {
    let mut real = Real::new();
    let mut disk = real.make();
    let mut other = disk.clone();
    for number in 0..1500 {
        let file = FileName::new(FileKind::Table, number);
        assert_eq!(disk.append(file, b"a"), Ok(0));
        assert_eq!(other.append(file, b"b"), Ok(1));
        if number % 700 == 0 {
            other.sync(SyncTarget::File(file)).expect("works");
        } else {
            other.remove(file).expect("works");
        }
    }
    assert_eq!(disk.len(FileName::new(FileKind::Table, 700)), Ok(2));
}

/// The crashes. Every case says what must survive, whatever the coins say.
fn crash(disk: &SimDisk, unsynced: Unsynced, seed: u64) -> SimDisk {
    let mut disk = disk.clone();
    disk.crash(unsynced, &mut Stream::new(seed, "test.crash", 0));
    disk
}

#[test]
fn unsynced_names_and_bytes_are_lost() {
    let mut disk = SimDisk::new();
    disk.append(LOG, b"synced").expect("works");
    disk.sync(SyncTarget::File(LOG)).expect("works");
    assert_eq!(crash(&disk, Unsynced::Lost, 0).list(), Ok(vec![]), "the name was not synced");
    disk.sync(SyncTarget::Directory).expect("works");
    disk.append(LOG, b" unsynced").expect("works");
    disk.append(TEMP, b"x").expect("works");
    let mut after = crash(&disk, Unsynced::Lost, 0);
    assert_eq!(after.list(), Ok(vec![LOG]));
    assert_eq!(content(&mut after, LOG), b"synced");
    assert_eq!(content(&mut disk, LOG), b"synced unsynced", "the clone crashed, not the original");
}

#[test]
fn a_torn_crash_loses_some_sectors_and_some_names_but_nothing_synced() {
    let mut disk = SimDisk::new();
    disk.append(LOG, &[1; 600]).expect("works");
    disk.append(CURRENT, b"old").expect("works");
    disk.sync(SyncTarget::File(LOG)).expect("works");
    disk.sync(SyncTarget::File(CURRENT)).expect("works");
    disk.sync(SyncTarget::Directory).expect("works");
    disk.append(LOG, &[2; 2000]).expect("works");
    disk.append(TEMP, b"new").expect("works");
    disk.sync(SyncTarget::File(TEMP)).expect("works");
    disk.publish(TEMP, CURRENT).expect("works");
    let (mut holes, mut published, mut both) = (0, 0, 0);
    for seed in 0..200 {
        let mut after = crash(&disk, Unsynced::Torn, seed);
        let log = content(&mut after, LOG);
        assert_eq!(log[..600], [1; 600]);
        assert!(log[600..].iter().all(|byte| [0, 2].contains(byte)));
        holes += usize::from(log[600..].contains(&0) && log.ends_with(&[2]));
        match &content(&mut after, CURRENT)[..] {
            b"new" => published += 1,
            other => assert_eq!(other, b"old"),
        }
        both += usize::from(after.list().expect("works").contains(&TEMP));
    }
    assert!(holes > 20 && published > 20 && both > 20, "{holes} {published} {both}");
}

#[test]
fn a_sync_covers_what_was_there_when_it_began() {
    let mut disk = SimDisk::new();
    disk.append(LOG, b"before").expect("works");
    let names = disk.begin_sync(SyncTarget::Directory).expect("works");
    let mark = disk.begin_sync(SyncTarget::File(LOG)).expect("works");
    disk.append(LOG, b" after").expect("works");
    disk.append(TEMP, b"x").expect("works");
    let unfinished = disk.clone();
    disk.finish_sync(mark.clone());
    disk.finish_sync(names);
    let mut after = crash(&disk, Unsynced::Lost, 0);
    assert_eq!(content(&mut after, LOG), b"before");
    assert_eq!(after.list(), Ok(vec![LOG]));

    let mut crashed = crash(&unfinished, Unsynced::Lost, 0);
    crashed.append(LOG, b"new life").expect("works");
    crashed.sync(SyncTarget::Directory).expect("works");
    crashed.finish_sync(mark);
    assert_eq!(
        content(&mut crash(&crashed, Unsynced::Lost, 0), LOG),
        b"",
        "a mark from before a crash is ignored"
    );
}

#[test]
fn an_older_sync_that_ends_late_takes_nothing_back() {
    let mut disk = SimDisk::new();
    disk.append(LOG, b"one").expect("works");
    disk.sync(SyncTarget::Directory).expect("works");
    let older = disk.begin_sync(SyncTarget::File(LOG)).expect("works");
    disk.append(LOG, b" two").expect("works");
    let younger = disk.begin_sync(SyncTarget::File(LOG)).expect("works");
    disk.finish_sync(younger);
    disk.finish_sync(older);
    assert_eq!(content(&mut crash(&disk, Unsynced::Lost, 0), LOG), b"one two");
}

#[test]
fn after_a_failed_sync_later_ones_report_success_and_write_nothing() {
    let mut disk = SimDisk::new();
    disk.append(LOG, b"one").expect("works");
    disk.sync(SyncTarget::Directory).expect("works");
    disk.fail_next_sync(SyncTarget::File(LOG));
    assert_eq!(disk.sync(SyncTarget::Directory), Ok(()), "another target does not fail");
    assert_eq!(disk.sync(SyncTarget::File(LOG)), Err(DiskError::Io));
    assert_eq!(disk.sync(SyncTarget::File(LOG)), Ok(()));
    assert_eq!(content(&mut disk, LOG), b"one");
    assert_eq!(content(&mut crash(&disk, Unsynced::Lost, 0), LOG), b"");
}

#[test]
fn from_the_crash_point_on_everything_fails_until_the_crash() {
    let mut disk = SimDisk::new();
    disk.append(LOG, b"one").expect("works");
    disk.fail_after(Some(2));
    assert_eq!(disk.append(LOG, b"two"), Ok(3));
    assert_eq!(disk.sync(SyncTarget::Directory), Ok(()));
    assert_eq!(disk.append(LOG, b"four"), Err(DiskError::Io));
    assert!(disk.is_failing());
    assert_eq!(disk.len(LOG), Err(DiskError::Io));
    assert_eq!(disk.sync(SyncTarget::File(LOG)), Err(DiskError::Io));
    let mut after = crash(&disk, Unsynced::Lost, 0);
    assert_eq!(after.append(LOG, b"new"), Ok(0));
}

#[test]
fn costs_are_counted_once_and_a_wiped_disk_is_empty() {
    let mut disk = SimDisk::new();
    disk.append(LOG, b"hello").expect("works");
    content(&mut disk, LOG);
    disk.sync(SyncTarget::File(LOG)).expect("works");
    let cost = disk.take_cost();
    assert_eq!((cost.reads, cost.read_bytes), (1, 5));
    assert_eq!((cost.appends, cost.append_bytes, cost.syncs), (1, 5, 1));
    assert_eq!(disk.take_cost(), Default::default());
    assert!(disk.flip_bit(LOG, 0));
    assert!(!disk.flip_bit(LOG, 40));
    assert_eq!(content(&mut disk, LOG), b"iello");
    disk.wipe();
    assert_eq!(disk.list(), Ok(vec![]));
}
