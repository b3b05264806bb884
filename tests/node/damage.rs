//! Damage at rest: what a node does when its disk has lost what it held.

use std::collections::BTreeSet;

use kvsim::base::rng::{Ppm, Stream};
use kvsim::base::time::Duration;
use kvsim::disk::{Disk, DiskError, FileKind, FileName};
use kvsim::node::fact::Fact;
use kvsim::node::message::Message;
use kvsim::node::outbox::Halt;
use kvsim::node::request::{Outcome, Rejection};
use kvsim::repair::exchange::Exchange;
use kvsim::sim::disk::{Asked, DiskFault};

use crate::table::{Table, put};

const KEYS: u64 = 120;

fn key(number: u64) -> String {
    format!("key{number}")
}

/// Three replicas with small blocks and next to no cache, so that what is on the disk is what is read.
fn table(memtable_bytes: u64) -> Table {
    let mut table = Table::with(3, |config| {
        config.storage.memtable_bytes = memtable_bytes;
        config.storage.block_bytes = 150;
        config.storage.cache_bytes = 500;
    });
    for number in 0..KEYS {
        table.put(1 + number % 3, &key(number), "value");
    }
    table
}

/// Starts `node` again, which brings all that it has into a table.
fn restart(table: &mut Table, node: u64) {
    let config = table.crash(node);
    table.boot(config).expect("its disk is whole");
}

/// Flips bits in all tables of `node`, one in each `step` bytes. How many there were.
fn rot(table: &mut Table, node: u64, step: usize) -> usize {
    let disk = table.disks.get_mut(&node).expect("a disk");
    let files: Vec<FileName> = disk.list().expect("works");
    let mut flipped = 0;
    for file in files.into_iter().filter(|file| file.kind == FileKind::Table) {
        // Filter, index and footer are spared: they lie at the end.
        let data = disk.len(file).expect("there") * 8 / 2;
        flipped += (400..data).step_by(step * 8).filter(|&bit| disk.flip_bit(file, bit)).count();
    }
    flipped
}

/// The keys that `node` cannot tell anything about. All others must be there: nothing is ever "not found".
fn unknown(table: &mut Table, node: u64) -> BTreeSet<String> {
    let disk = table.disks.get_mut(&node).expect("a disk");
    let node = table.nodes.get_mut(&node).expect("it runs");
    let mut unknown = BTreeSet::new();
    for number in 0..KEYS {
        match node.peek(key(number).as_bytes(), disk) {
            Ok(siblings) => assert!(!siblings.is_empty(), "{} is said to be missing", key(number)),
            Err(Rejection::Damaged) => drop(unknown.insert(key(number))),
            Err(other) => panic!("{other:?}"),
        }
    }
    unknown
}

fn damaged_tables(table: &Table, node: u64) -> u64 {
    table.nodes[&node].status().damaged_tables
}

/// One replica is away. It may be the only one that has what this node promised to have; so the keys stay unknown until
/// it is back, and then all is as it was.
#[test]
fn pitfall_14_a_damaged_range_is_known_again_only_when_all_replicas_have_told_what_they_have() {
    let mut table = table(8 << 20);
    restart(&mut table, 1);
    assert!(rot(&mut table, 1, 1000) > 0);
    // Its trees are built without what it cannot read.
    restart(&mut table, 1);
    let lost = unknown(&mut table, 1);
    assert!(!lost.is_empty() && lost.len() < KEYS as usize, "{lost:?}");
    table.partition(&[3]);
    table.advance(Duration::from_secs(20));
    assert_eq!(unknown(&mut table, 1), lost);
    assert!(table.count(Fact::DamageFound) > 0 && table.count(Fact::DamageRepaired) == 0);
    table.heal();
    table.advance(Duration::from_secs(20));
    assert_eq!(unknown(&mut table, 1), BTreeSet::new());
    assert_eq!(damaged_tables(&table, 1), 0);
    assert!(table.count(Fact::DamageRefetched) > 0 && table.count(Fact::DamageRepaired) > 0);
    for number in 0..KEYS {
        assert_eq!(table.peek(1, &key(number)), table.peek(2, &key(number)), "{}", key(number));
    }
    // The trees agree with what is stored: nobody finds a difference any more.
    table.facts.clear();
    table.advance(Duration::from_secs(20));
    assert_eq!(table.count(Fact::ExchangeDiffered), 0);
    restart(&mut table, 1);
    assert_eq!(unknown(&mut table, 1), BTreeSet::new());
}

/// The lost block held a write that this node had numbered and that nobody else has yet. Its number comes back with a
/// frame that was late; a new write of the same number would pass for it, and be dropped.
#[test]
fn after_a_repair_no_dot_is_given_twice() {
    let mut table = table(8 << 20);
    restart(&mut table, 1);
    let actors = |table: &mut Table, key: &str| -> BTreeSet<u64> {
        let held = table.peek(1, key);
        let own = held.versions().iter().filter(|version| version.dot.actor.node.0 == 1);
        own.map(|version| version.dot.actor.epoch).collect()
    };
    table.advance(Duration::from_secs(3));
    // The actor of this start, by a write to a key of its own.
    table.put(1, "before", "value");
    let before = actors(&mut table, "before");
    assert!(rot(&mut table, 1, 1000) > 0);
    assert!(!unknown(&mut table, 1).is_empty());
    table.advance(Duration::from_secs(20));
    assert_eq!(unknown(&mut table, 1), BTreeSet::new());
    table.put(1, "after", "value");
    let after = actors(&mut table, "after");
    assert!(before.len() == 1 && after.len() == 1 && before != after, "{before:?} {after:?}");
}

/// What both had and the third has not is lost; to wait for each other would bring nothing of it back. They believe the
/// third, and say that they did.
#[test]
fn two_replicas_with_the_same_damage_believe_the_third_and_tell_of_it() {
    let mut table = table(4000);
    for node in [1, 2] {
        assert!(rot(&mut table, node, 100) > 10);
    }
    assert!(!unknown(&mut table, 1).is_empty() && !unknown(&mut table, 2).is_empty());
    table.advance(Duration::from_secs(60));
    assert_eq!((unknown(&mut table, 1), unknown(&mut table, 2)), (BTreeSet::new(), BTreeSet::new()));
    assert!(table.count(Fact::DamageShared) > 0);
    for number in 0..KEYS {
        assert_eq!(table.peek(1, &key(number)), table.peek(3, &key(number)));
    }
}

/// A newer table is damaged, and its unknown range covers a key that an older one has whole. The third replica never got
/// that key. If what can be read is not told, the new tables of the two hide the only copies that there are.
#[test]
fn what_can_be_read_beside_the_damage_is_not_lost_with_it() {
    for seed in 0..8u64 {
        let mut table = table(8 << 20);
        [1, 2].into_iter().for_each(|node| restart(&mut table, node));
        table.advance(Duration::from_millis(3_000 + 100 * seed));
        table.partition(&[3]);
        let mut request = put("precious", "value");
        request.options.sloppy = Some(false);
        assert!(matches!(table.request(1, request), Some(Outcome::Written { acks: 2, .. })));
        [1, 2].into_iter().for_each(|node| restart(&mut table, node));
        table.advance(Duration::from_secs(3));
        for number in 0..KEYS {
            table.put(1, &key(number), "newer");
        }
        for node in [1, 2] {
            restart(&mut table, node);
            let disk = table.disks.get_mut(&node).expect("a disk");
            let files = disk.list().expect("works");
            let newest = files.into_iter().rfind(|file| file.kind == FileKind::Table).expect("tables");
            let data = disk.len(newest).expect("there") * 8 / 2;
            assert!((400..data).step_by(800).filter(|&bit| disk.flip_bit(newest, bit)).count() > 10);
            restart(&mut table, node);
            unknown(&mut table, node);
        }
        table.heal();
        table.advance(Duration::from_secs(60));
        assert_eq!(table.get(3, "precious").0, ["value"]);
        for node in [1, 2, 3] {
            assert!(!table.peek(node, "precious").is_empty(), "n{node}");
        }
    }
}

/// Nobody is left to believe. As long as a disk cannot be read, that may pass, and nobody says "not found".
#[test]
fn three_replicas_with_the_same_damage_say_unknown_as_long_as_it_may_pass() {
    let mut table = table(4000);
    for node in [1, 2, 3] {
        let fault = DiskFault::Error { on: Asked::Read, share: Ppm::ALWAYS };
        let disk = table.disks.get_mut(&node).expect("a disk");
        disk.begin_fault(0, fault, Stream::new(1, "error", node));
    }
    let lost = [1, 2, 3].map(|node| unknown(&mut table, node));
    assert!(lost.iter().all(|keys| !keys.is_empty()));
    table.advance(Duration::from_secs(30));
    assert_eq!([1, 2, 3].map(|node| unknown(&mut table, node)), lost);
    assert_eq!(table.count(Fact::DamageRepaired), 0);
    for node in [1, 2, 3] {
        table.disks.get_mut(&node).expect("a disk").end_fault(0);
    }
    table.advance(Duration::from_secs(30));
    assert_eq!([1, 2, 3].map(|node| unknown(&mut table, node)), [const { BTreeSet::new() }; 3]);
    assert!(table.count(Fact::DamagePassed) > 0);
}

/// What all of them can read is not what was written: it is lost, and the keys are free again. It is said.
#[test]
fn what_rots_on_all_replicas_is_lost_and_its_keys_can_be_written_again() {
    let mut table = table(4000);
    for node in [1, 2, 3] {
        assert!(rot(&mut table, node, 100) > 10);
    }
    let lost = unknown(&mut table, 1);
    table.advance(Duration::from_secs(60));
    assert!((1..=3).all(|node| damaged_tables(&table, node) == 0));
    assert!(table.count(Fact::DamageShared) > 0 && table.count(Fact::DamageRepaired) > 0);
    for key in lost {
        assert!(matches!(table.put(1, &key, "again"), Some(Outcome::Written { .. })), "{key}");
        assert_eq!(table.get(2, &key).0, ["again"]);
    }
}

/// The end of the log is no frame. That may be a write that was never synced, or one that was, and rotted: the replicas
/// are asked at once, all of them.
#[test]
fn after_a_torn_tail_every_other_replica_is_compared_with_in_the_next_round() {
    for torn in [false, true] {
        let mut table = Table::with(5, |config| config.exchange_every = Duration::from_secs(3));
        for number in 0..KEYS {
            table.put(1, &key(number), "value");
        }
        let config = table.crash(1);
        let disk = table.disks.get_mut(&1).expect("a disk");
        let log = disk.list().expect("works").into_iter().rfind(|file| file.kind == FileKind::Wal);
        if torn {
            disk.append(log.expect("it has a log"), b"half a frame").expect("works");
        }
        table.facts.clear();
        table.boot(config).expect("a torn tail is cut");
        table.delivered.clear();
        table.advance(Duration::from_secs(6));
        let opens = |exchange: &Exchange| matches!(exchange, Exchange::Groups { .. });
        let is_opening =
            |message: &Message| matches!(message, Message::Exchange(exchange) if opens(exchange));
        let openings = table.delivered.iter().filter(|sent| sent.0 == 1 && is_opening(&sent.2));
        let met: BTreeSet<u64> = openings.map(|sent| sent.1).collect();
        let expected = usize::from(torn);
        assert_eq!(met.len() == 4, torn, "{met:?}");
        assert_eq!((table.count(Fact::TornTailCut), table.count(Fact::TailExchanged)), (expected, expected));
    }
}

/// Half a frame lies in the log, and no sync is under way whose failure would tell. The node must not go on refusing
/// writes for ever: it says what is known, and stops, so that its next start recovers.
#[test]
fn a_node_whose_log_fails_halts_at_once() {
    let mut table = Table::new(3);
    table.put(1, "key", "value");
    table.disks.get_mut(&1).expect("a disk").fail_after(Some(0));
    let outcome = table.put(1, "key", "lost");
    assert!(!matches!(outcome, Some(Outcome::Written { acks: 3, .. })), "{outcome:?}");
    assert_eq!(table.halts.get(&1), Some(&Halt::Storage(DiskError::Io)), "{outcome:?}");
}

/// A hint has no other copy. It is dropped, visibly, and repair brings its write to whom it was for.
#[test]
fn a_hint_in_a_damaged_block_is_dropped_and_its_write_arrives_by_repair() {
    let mut table = table(8 << 20);
    table.partition(&[3]);
    table.advance(Duration::from_secs(10));
    for number in 0..KEYS {
        table.request(1, put(&key(number), "new"));
    }
    let hints = |table: &Table| table.nodes[&1].status().hints + table.nodes[&2].status().hints;
    assert!(hints(&table) > 0);
    // Only node 1 keeps hints where data and hints share a table.
    restart(&mut table, 1);
    let own = table.nodes[&1].status().hints;
    rot(&mut table, 1, 140);
    table.advance(Duration::from_secs(2));
    table.heal();
    table.advance(Duration::from_secs(60));
    assert_eq!(hints(&table), 0);
    assert!(own == 0 || table.count(Fact::HintDropped) > 0, "{own} hints, none dropped");
    for number in 0..KEYS {
        assert_eq!(table.peek(3, &key(number)), table.peek(2, &key(number)));
    }
    assert_eq!(unknown(&mut table, 1), BTreeSet::new());
}
