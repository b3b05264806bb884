//! Writes of which no replica can be reached, at `any`.

use kvsim::base::bytes::Bytes;
use kvsim::base::time::Duration;
use kvsim::causal::dot::Dot;
use kvsim::node::fact::Fact;
use kvsim::node::request::{Outcome, Rejection};
use kvsim::quorum::need::Knob;
use kvsim::quorum::tally::Level;

use crate::table::{Table, at, put, put_with};

/// Five nodes of which the two that are no replicas of "key" are alone, and know it. Nothing is repaired by itself.
fn alone() -> (Table, Vec<u64>, Vec<u64>) {
    let mut table = Table::with(5, |config| config.exchange_every = Duration::from_secs(100_000));
    let (replicas, others) = table.replicas("key");
    cut_off(&mut table, &others);
    (table, replicas, others)
}

fn cut_off(table: &mut Table, others: &[u64]) {
    table.partition(others);
    table.advance(Duration::from_secs(8));
}

fn hints(table: &Table, nodes: &[u64]) -> Vec<u64> {
    nodes.iter().map(|node| table.nodes[node].status().hints).collect()
}

/// Heals the network until everything is handed over.
fn hand_over(table: &mut Table, others: &[u64]) {
    table.heal();
    table.advance(Duration::from_secs(10));
    assert_eq!(hints(table, others), [0, 0]);
}

fn written(outcome: Option<Outcome>) -> (Dot, Bytes) {
    match outcome {
        Some(Outcome::Written { dot, context, durable: 0, acks: 1.., .. }) => (dot, context),
        other => panic!("no replica has it: {other:?}"),
    }
}

#[test]
fn any_disk_takes_a_write_of_which_no_replica_can_be_reached() {
    let (mut table, replicas, others) = alone();
    written(table.request(others[0], at(put("key", "value"), Level::Any)));
    assert_eq!(hints(&table, &others), [2, 1], "its own, the other's, and one for which nobody is left");
    assert_eq!(table.count(Fact::StoodIn), 1);
    hand_over(&mut table, &others);
    for replica in replicas {
        assert_eq!(table.peek(replica, "key").versions().len(), 1, "{replica}");
    }
    assert_eq!(table.get(others[1], "key").0, ["value"]);
}

/// It is the client that says whether a disk of a replica is needed.
#[test]
fn without_replicas_whatever_needs_one_is_refused() {
    let (mut table, _, others) = alone();
    let unavailable =
        |knob, needed| Some(Outcome::Rejected(Rejection::Unavailable { knob, usable: 0, needed }));
    let one = table.request(others[0], at(put("key", "value"), Level::One));
    assert_eq!(one, unavailable(Knob::W, 1));
    let mut floor = at(put("key", "value"), Level::Any);
    floor.options.pw = Some(Level::Count(1));
    assert_eq!(table.request(others[0], floor), unavailable(Knob::Pw, 1));
    let mut zoned = at(put("key", "value"), Level::Any);
    zoned.options.zones = Some(1);
    assert_eq!(table.request(others[0], zoned), unavailable(Knob::Zones, 1));
    assert_eq!((hints(&table, &others), table.count(Fact::StoodIn)), (vec![0, 0], 0));
}

/// As long as one can be reached, it takes the write.
#[test]
fn a_replica_that_can_be_reached_goes_first() {
    let mut table = Table::new(5);
    let (replicas, others) = table.replicas("key");
    table.partition(&replicas[1..]);
    table.advance(Duration::from_secs(8));
    let outcome = table.request(others[0], at(put("key", "value"), Level::Any));
    assert!(matches!(outcome, Some(Outcome::Written { durable: 1, .. })), "{outcome:?}");
    assert_eq!(table.count(Fact::StoodIn), 0);
}

#[test]
fn it_is_acknowledged_when_a_hint_is_on_disk_and_survives_a_crash_then() {
    let (mut table, replicas, others) = alone();
    others.iter().for_each(|&node| assert!(table.slow_disks.insert(node)));
    let tag = table.ask(others[0], at(put("key", "value"), Level::Any));
    table.deliver();
    assert!(!table.replies.contains_key(&tag), "nothing is on a disk yet");
    table.end_syncs(others[0]);
    written(table.replies.get(&tag).cloned());
    for &node in &others {
        table.slow_disks.remove(&node);
        let config = table.crash(node);
        table.boot(config).expect("it opens again");
    }
    assert_eq!(hints(&table, &others), [2, 0], "the other had not got it onto its disk");
    hand_over(&mut table, &others);
    assert!(replicas.iter().any(|&replica| table.peek(replica, "key").versions().len() == 1));
    assert_eq!(table.get(replicas[0], "key").0, ["value"]);
}

/// The stand-in knows its own writes as long as it keeps them, and what their clients tell of them. It never gives a
/// name twice, though what it has handed over is forgotten.
#[test]
fn a_write_replaces_what_its_stand_in_keeps_or_its_client_has_seen_and_nothing_else() {
    let (mut table, replicas, others) = alone();
    let any = |value: &str, context| at(put_with("key", value, context), Level::Any);
    let (first, _) = written(table.request(others[0], any("first", None)));
    let (second, context) = written(table.request(others[0], any("second", None)));
    assert_eq!((first.actor, first.counter + 1), (second.actor, second.counter));
    hand_over(&mut table, &others);
    assert_eq!(table.get(replicas[0], "key").0, ["second"]);

    cut_off(&mut table, &others);
    let (third, _) = written(table.request(others[0], any("third", Some(context))));
    assert_eq!((third.actor, third.counter), (second.actor, second.counter + 1), "the context tells of it");
    hand_over(&mut table, &others);
    assert_eq!(table.get(replicas[0], "key").0, ["third"]);

    cut_off(&mut table, &others);
    let (fourth, _) = written(table.request(others[0], any("fourth", None)));
    assert_ne!(fourth.actor, third.actor, "nothing is known here any more");
    hand_over(&mut table, &others);
    let mut values = table.get(replicas[0], "key").0;
    values.sort();
    assert_eq!(values, ["fourth", "third"]);
    assert_eq!(table.count(Fact::ActorRenewed), 0, "nothing was lost");
}

/// What a stand-in has handed over it does not know any more, and a client that holds on to an old context tells it of
/// an earlier write only. To go on from there would name two writes alike, and lose one of them.
#[test]
fn a_stale_context_makes_no_stand_in_give_a_name_twice() {
    let (mut table, replicas, others) = alone();
    let any = |value: &str, context| at(put_with("key", value, context), Level::Any);
    let (first, stale) = written(table.request(others[0], any("first", None)));
    let (second, _) = written(table.request(others[0], any("second", None)));
    hand_over(&mut table, &others);
    cut_off(&mut table, &others);
    let (third, _) = written(table.request(others[0], any("third", Some(stale))));
    assert!(third != first && third != second, "{third} is not {second}");
    hand_over(&mut table, &others);
    let mut values = table.get(replicas[0], "key").0;
    values.sort();
    assert_eq!(values, ["second", "third"], "its client had not seen the second");
}

/// A restart forgets which names were given last, but not the hints.
#[test]
fn after_a_restart_a_stand_in_takes_a_new_name_and_replaces_what_it_keeps() {
    let (mut table, replicas, others) = alone();
    let (first, _) = written(table.request(others[0], at(put("key", "first"), Level::Any)));
    let config = table.crash(others[0]);
    table.boot(config).expect("it opens again");
    cut_off(&mut table, &others);
    let (second, _) = written(table.request(others[0], at(put("key", "second"), Level::Any)));
    assert_ne!(first.actor, second.actor);
    hand_over(&mut table, &others);
    assert_eq!(table.get(replicas[0], "key").0, ["second"]);
}
