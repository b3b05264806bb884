//! Starting: whose folder it is, and what a restart keeps.

use kvsim::base::id::{ClusterId, Generation, NodeId};
use kvsim::base::time::Duration;
use kvsim::disk::{Disk, FileKind, FileName};
use kvsim::node::fact::Fact;
use kvsim::node::message::Message;
use kvsim::node::outbox::Halt;
use kvsim::node::request::{Outcome, Rejection};
use kvsim::node::step::OpenError;
use kvsim::node::wire::Sender;

use crate::table::{Table, config};

#[test]
fn a_restarted_node_has_its_data_its_layout_and_a_new_epoch() {
    let mut table = Table::new(3);
    let Some(Outcome::Written { dot: before, .. }) = table.put(1, "key", "value") else { panic!() };
    let config = table.crash(1);
    table.boot(config).expect("it opens again");
    assert_eq!(table.nodes[&1].status().layout, 1);
    assert_eq!(table.nodes[&1].status().generation, Generation(2));
    assert_eq!(table.peek(1, "key").versions().len(), 1);
    assert!(table.count(Fact::Recovered) > 0);
    table.advance(Duration::from_secs(2));
    let Some(Outcome::Written { dot: after, .. }) = table.put(1, "key", "again") else { panic!() };
    assert_eq!(before.actor.node, after.actor.node);
    assert_ne!(before.actor.epoch, after.actor.epoch);
}

/// Losing a whole disk loses the count of generations too; the dots must differ all the same, or replicas would take a
/// new write for one that they know.
#[test]
fn a_node_that_lost_its_disk_reuses_no_dot() {
    let mut table = Table::new(3);
    let Some(Outcome::Written { dot: before, .. }) = table.put(1, "key", "value") else { panic!() };
    let config = table.crash(1);
    table.disks.insert(1, kvsim::sim::disk::SimDisk::new());
    table.boot(config).expect("an empty disk is a fresh start");
    table.advance(Duration::from_secs(12));
    let Some(Outcome::Written { dot: after, .. }) = table.put(1, "other", "value") else { panic!() };
    assert_ne!(before.actor, after.actor);
    assert_eq!(table.get(2, "key").0, ["value"], "what the others have is still there");
}

/// It lost its disk, and then learns from the others what it once wrote itself: that must not make it go on counting
/// where its former self left off, or the others would take its next write for one that they know.
#[test]
fn a_node_that_learns_its_own_old_writes_from_others_reuses_no_dot() {
    let mut table = Table::new(3);
    let Some(Outcome::Written { dot: before, .. }) = table.put(1, "key", "old") else { panic!() };
    let config = table.crash(1);
    table.disks.insert(1, kvsim::sim::disk::SimDisk::new());
    table.boot(config).expect("an empty disk is a fresh start");
    table.advance(Duration::from_secs(12));
    assert!(table.peek(1, "key").clock().covers(before), "it knows its old write again");
    let Some(Outcome::Written { dot: after, .. }) = table.put(1, "key", "new") else { panic!() };
    assert_ne!(before.actor, after.actor);
    assert!((1..=3).all(|node| table.get(node, "key").0 == ["new"]));
}

/// Peers refuse generations below the one that they know. A new disk has none, and an old copy one that was raised
/// before: either node learns from its peers how far its earlier life had come.
#[test]
fn a_node_with_a_new_disk_or_an_old_copy_is_heard_again_and_reuses_no_dot() {
    for copy in [false, true] {
        let mut table = Table::new(3);
        table.crash(1);
        table.boot(config(1, 3)).expect("a second life");
        let old = table.disks[&1].clone();
        table.crash(1);
        table.boot(config(1, 3)).expect("a third life");
        table.advance(Duration::from_secs(5));
        let Some(Outcome::Written { dot: before, .. }) = table.put(1, "key", "value") else { panic!() };
        table.crash(1);
        table.disks.insert(1, if copy { old } else { kvsim::sim::disk::SimDisk::new() });
        table.boot(config(1, 3)).expect("it opens");
        table.advance(Duration::from_secs(12));
        assert!(table.count(Fact::GenerationRaised) > 0, "copy: {copy}");
        assert!(table.nodes[&1].status().generation > Generation(3));
        let up = |of: u64| table.nodes[&of].status().members.iter().all(|member| member.up);
        assert!(up(1) && up(2) && up(3), "copy: {copy}");
        let Some(Outcome::Written { dot: after, .. }) = table.put(1, "other", "value") else { panic!() };
        assert_ne!(before.actor, after.actor, "copy: {copy}");
    }
}

#[test]
fn a_folder_of_another_cluster_or_node_is_refused_and_not_touched() {
    let mut table = Table::new(3);
    let mine = table.crash(1);
    let before = table.disks[&1].clone();
    let mut foreign = mine.clone();
    foreign.cluster = ClusterId::of_name("another");
    assert_eq!(table.boot(foreign), Err(OpenError::OtherCluster { found: mine.cluster }));
    let disk = table.disks[&1].clone();
    table.disks.insert(2, disk);
    table.nodes.remove(&2);
    assert_eq!(table.boot(config(2, 3)), Err(OpenError::OtherNode { found: NodeId(1) }));
    for node in [1, 2] {
        let files = |disk: &mut kvsim::sim::disk::SimDisk| disk.list().expect("whole");
        assert_eq!(
            files(&mut table.disks.get_mut(&node).expect("a disk").clone()),
            files(&mut before.clone())
        );
    }
    table.boot(mine).expect("its own node opens it");
}

#[test]
fn a_damaged_or_missing_identity_is_refused() {
    let mut table = Table::new(3);
    let mine = table.crash(1);
    let whole = table.disks[&1].clone();
    let identity = FileName::new(FileKind::Identity, 0);
    let bits = whole.clone().len(identity).expect("there is one") * 8;
    for bit in 0..bits {
        let mut disk = whole.clone();
        disk.flip_bit(identity, bit);
        table.disks.insert(1, disk);
        assert!(matches!(table.boot(mine.clone()), Err(OpenError::Identity(_))), "bit {bit}");
    }
    let mut disk = whole.clone();
    disk.remove(identity).expect("there is one");
    table.disks.insert(1, disk);
    assert!(matches!(table.boot(mine), Err(OpenError::Identity(_))));
}

#[test]
fn a_stale_generation_is_refused() {
    let mut table = Table::new(3);
    let old = table.nodes[&1].sender();
    let config = table.crash(1);
    table.boot(config).expect("it opens again");
    table.advance(Duration::from_secs(4));
    let before = table.count(Fact::StaleFrame);
    let message = Message::LayoutWanted;
    table.step(2, kvsim::node::input::Input::Peer { from: old, message });
    assert_eq!(table.count(Fact::StaleFrame), before + 1);
}

/// Somebody copied the folder and started the copy: two processes with one name. The older one gives way.
#[test]
fn a_node_that_meets_its_own_newer_self_halts() {
    let mut table = Table::new(3);
    let newer = Sender { generation: Generation(9), ..table.nodes[&1].sender() };
    table.step(1, kvsim::node::input::Input::Peer { from: newer, message: Message::LayoutWanted });
    assert_eq!(table.halts[&1], Halt::Superseded);
}

/// The founder lost its disk, and cannot be told the layout for a while, though it hears that there is one. A second
/// first layout, made of whoever is up, would put keys where nobody else looks for them.
#[test]
fn a_founder_that_lost_its_disk_founds_no_second_cluster() {
    let mut table = Table::new(3);
    assert_eq!(table.count(Fact::ClusterFounded), 1);
    let config = table.crash(1);
    table.disks.insert(1, kvsim::sim::disk::SimDisk::new());
    table.cut.extend([(1, 2), (1, 3)]);
    table.boot(config).expect("an empty disk is a fresh start");
    table.advance(Duration::from_secs(10));
    assert_eq!(table.nodes[&1].status().members.len(), 3, "it has heard of all");
    assert_eq!(table.nodes[&1].status().layout, 0);
    assert_eq!(table.count(Fact::ClusterFounded), 1);
    table.heal();
    table.advance(Duration::from_secs(10));
    assert_eq!(table.nodes[&1].status().layout, 1);
}

/// A full disk stops writes, with an answer that says so; everything else goes on, and so do writes when there is space.
/// (There is no other replica here that could take them instead.)
#[test]
fn a_node_with_a_full_disk_serves_reads_and_refuses_writes_until_there_is_space() {
    let mut table = Table::with(1, |config| config.n = 1);
    assert!(matches!(table.put(1, "key", "value"), Some(Outcome::Written { .. })));
    let config = table.crash(1);
    let used = table.disks[&1].used();
    table.disks.get_mut(&1).expect("there").set_capacity(Some(used));
    table.boot(config).expect("it starts with the space of the reserve");
    table.advance(Duration::from_secs(2));
    let refused = Some(Outcome::Rejected(Rejection::DiskFull));
    // What the start left of the reserve's space is used up first.
    let filled = (0..200).any(|n| table.put(1, "filler", &"x".repeat(10_000 - n)) == refused);
    assert!(filled, "a write was refused");
    assert_eq!(table.put(1, "key", &"y".repeat(10_000)), refused);
    assert!(table.count(Fact::DiskFull) >= 2);
    assert_eq!(table.get(1, "key").0, ["value"]);
    assert!(table.halts.is_empty());
    table.disks.get_mut(&1).expect("there").set_capacity(None);
    let resumed = (0..100).any(|_| matches!(table.put(1, "key", "again"), Some(Outcome::Written { .. })));
    assert!(resumed, "without a restart");
}

/// The other replicas have space, so the write is theirs; the reader sees one cluster.
#[test]
fn a_node_with_a_full_disk_hands_writes_on_to_another_replica() {
    let mut table = Table::new(3);
    let config = table.crash(1);
    let used = table.disks[&1].used();
    table.disks.get_mut(&1).expect("there").set_capacity(Some(used));
    table.boot(config).expect("it starts with the space of the reserve");
    table.advance(Duration::from_secs(2));
    let mut by_others = 0;
    for n in 0..200 {
        let outcome = table.put(1, "filler", &"x".repeat(10_000 - n));
        let Some(Outcome::Written { dot, acks, .. }) = outcome else { panic!("{outcome:?}") };
        by_others += usize::from(dot.actor.node != NodeId(1) && acks == 2);
    }
    assert!(by_others > 0 && table.count(Fact::DiskFull) > 0);
    // Where all are full, the reason is told.
    for node in [2, 3] {
        let disk = table.disks.get_mut(&node).expect("there");
        disk.set_capacity(Some(disk.used()));
    }
    let refused = Some(Outcome::Rejected(Rejection::DiskFull));
    assert!((0..200).any(|n| table.put(1, "filler", &"x".repeat(10_000 - n)) == refused));
}

/// Whoever is away for longer than it takes to be convicted is told of in no gossip, and what it says itself is refused:
/// it would never hear that it had an earlier life.
#[test]
fn a_node_that_lost_its_disk_and_was_taken_for_dead_is_heard_again() {
    for old_copy in [false, true] {
        let mut table = Table::new(5);
        let first = table.crash(1);
        table.boot(first).expect("it opens again");
        table.advance(Duration::from_secs(5));
        let copy = table.disks[&1].clone();
        for _ in 0..3 {
            let config = table.crash(1);
            table.boot(config).expect("it opens again");
            table.advance(Duration::from_secs(5));
        }
        table.put(2, "key", "value");
        let config = table.crash(1);
        table.disks.insert(1, if old_copy { copy } else { kvsim::sim::disk::SimDisk::new() });
        table.advance(Duration::from_secs(20));
        assert!(table.nodes.values().all(|node| node.down().any(|down| down == NodeId(1))));
        table.boot(config).expect("it starts");
        table.advance(Duration::from_secs(10));
        assert!(table.count(Fact::GenerationRaised) > 0, "old copy: {old_copy}");
        assert!(table.nodes.values().all(|node| node.down().next().is_none()));
        let status = table.nodes[&1].status();
        assert!(status.layout == 1 && !status.amnesiac && table.count(Fact::Recalled) > 0);
    }
}

/// A seed moves to another address while this node cannot be reached. Whoever sits at the old address is a stranger
/// again, and is asked for ever.
#[test]
fn the_address_of_a_seed_that_has_moved_is_asked_again() {
    let mut table = Table::new(3);
    table.advance(Duration::from_secs(5));
    let asked = |table: &mut Table| {
        table.delivered.clear();
        table.advance(Duration::from_secs(5));
        let at_two = |sent: &&(u64, u64, Message)| sent.0 == 1 && sent.1 == 2;
        table.delivered.iter().filter(at_two).count()
    };
    let before = asked(&mut table);
    let mut config = table.crash(2);
    config.address = kvsim::base::id::Address("n9".into());
    table.boot(config).expect("it starts");
    assert!(asked(&mut table) > before, "as a member, and as a stranger at its old address");
}

/// A flush or a compaction that has no space is tried again ever more rarely. Tried at once, it would write the same
/// bytes all day long and throw them away.
#[test]
fn a_job_that_finds_the_disk_full_is_tried_again_ever_more_rarely() {
    let mut table = Table::with(1, |config| {
        config.n = 1;
        config.storage.memtable_bytes = 40_000;
        config.storage.reserve_bytes = 20_000;
    });
    let disk = table.disks.get_mut(&1).expect("there");
    disk.set_capacity(Some(disk.used() + 70_000));
    let refused = Some(Outcome::Rejected(Rejection::DiskFull));
    // 20 seconds of clients that do not give up.
    let mut refusals = 0;
    for n in 0..2_000 {
        refusals += usize::from(table.put(1, &format!("key-{}", n % 50), &"x".repeat(1_000)) == refused);
        table.advance(Duration::from_millis(10));
    }
    let pauses = table.count(Fact::JobsPaused);
    assert!(refusals > 500, "{refusals}");
    // Doubling from 100 ms to 6.4 s fills 20 s with 8 or 9 of them.
    assert!((2..=10).contains(&pauses), "{pauses} attempts");
    table.disks.get_mut(&1).expect("there").set_capacity(None);
    let before = table.count(Fact::MemtableFlushed);
    for n in 0..1_000 {
        table.put(1, &format!("key-{}", n % 50), &"y".repeat(1_000));
        table.advance(Duration::from_millis(10));
    }
    assert!(table.count(Fact::MemtableFlushed) > before, "without a restart");
    assert!(matches!(table.put(1, "key", "again"), Some(Outcome::Written { .. })));
}

/// One rotten block must not keep a node from starting: it costs the keys it held, and those the replicas have.
#[test]
fn a_node_with_a_damaged_table_starts_and_serves_what_the_others_have() {
    let mut table = Table::new(3);
    for n in 0..50 {
        let put = table.put(1, &format!("key-{n}"), "value");
        assert!(matches!(put, Some(Outcome::Written { .. })), "{put:?}");
    }
    let config = table.crash(1);
    table.boot(config).expect("it starts, and writes a table of what it recovers");
    let config = table.crash(1);
    let disk = table.disks.get_mut(&1).expect("there");
    let found = disk.list().expect("whole").into_iter().find(|file| file.kind == FileKind::Table);
    assert!(disk.flip_bit(found.expect("it wrote one"), 4000));
    table.boot(config).expect("it starts");
    let unknown = (0..50).filter(|n| {
        table
            .nodes
            .get_mut(&1)
            .expect("it runs")
            .peek(format!("key-{n}").as_bytes(), table.disks.get_mut(&1).expect("there"))
            .is_err()
    });
    assert!(unknown.count() > 0, "the damage hit some keys");
    table.advance(Duration::from_secs(2));
    for n in 0..50 {
        assert_eq!(table.get(1, &format!("key-{n}")).0, ["value"], "key-{n}");
    }
}
