//! Failure domains: where replicas lie, and what is left when a zone goes dark.

use kvsim::base::time::Duration;
use kvsim::node::request::{Outcome, Rejection};
use kvsim::quorum::need::Knob;
use kvsim::quorum::tally::{Impossible, Level};

use crate::table::{Table, at, get, put, zone};

const KEYS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// Six nodes in three zones.
fn three_zones() -> Table {
    Table::zoned(6, 3, |_| {})
}

fn in_zone(number: u64) -> Vec<u64> {
    (1..=6).filter(|&node| zone(node, 3) == zone(number, 3)).collect()
}

#[test]
fn the_replicas_of_a_key_lie_in_distinct_zones() {
    let table = three_zones();
    for key in KEYS {
        let mut zones: Vec<_> = table.replicas(key).0.into_iter().map(|node| zone(node, 3)).collect();
        zones.sort();
        zones.dedup();
        assert_eq!(zones.len(), 3, "{key}");
    }
}

/// A zone goes dark: nobody elsewhere sees an error, neither in the seconds before it is noticed nor after.
#[test]
fn one_dark_zone_leaves_quorum_and_local_quorum_to_the_others() {
    let mut table = three_zones();
    let dark = in_zone(0);
    let alive: Vec<u64> = (1..=6).filter(|node| !dark.contains(node)).collect();
    table.partition(&dark);
    for noticed in [false, true] {
        for (&node, key) in alive.iter().flat_map(|node| KEYS.map(|key| (node, key))) {
            for level in [Level::Quorum, Level::LocalQuorum] {
                let value = format!("{key} by {node}");
                let written = table.request(node, at(put(key, &value), level));
                assert!(matches!(written, Some(Outcome::Written { .. })), "{level}, {noticed}: {written:?}");
                let read = table.request(node, at(get(key), level));
                let Some(Outcome::Found { values, .. }) = read else {
                    panic!("{level}, {noticed}: {read:?}")
                };
                assert_eq!(values[0].value[..], *value.as_bytes());
            }
        }
        table.advance(Duration::from_secs(10));
    }
    table.heal();
    table.advance(Duration::from_secs(30));
    for key in KEYS {
        let (replicas, _) = table.replicas(key);
        let held: Vec<_> = replicas.iter().map(|&node| table.peek(node, key)).collect();
        assert!(!held[0].is_empty() && held.iter().all(|siblings| *siblings == held[0]), "{key}");
    }
}

/// The only replica near the client cannot be reached from the node that it asks, and everybody else reaches it, so a
/// replica of another zone coordinates the write. A quorum of *its* zone is not what was asked for.
#[test]
fn a_local_quorum_is_one_of_the_clients_zone_whoever_coordinates() {
    let mut table = three_zones();
    let (mut acknowledged, mut refused) = (0, 0);
    for asked in 1..=6 {
        let near = in_zone(asked).into_iter().find(|&node| node != asked).expect("two to a zone");
        table.cut.extend([(asked, near), (near, asked)]);
        table.slow_disks.insert(near);
        let far = KEYS.into_iter().filter(|key| !table.replicas(key).0.contains(&asked));
        for key in far.collect::<Vec<_>>() {
            for _ in 0..2 {
                let tag = table.ask(asked, at(put(key, "v"), Level::LocalQuorum));
                table.advance(Duration::from_secs(3));
                match &table.replies[&tag] {
                    Outcome::Written { .. } => acknowledged += 1,
                    _ => refused += 1,
                }
            }
        }
        table.release_syncs(near, Ok(()));
        table.heal();
        table.advance(Duration::from_secs(10));
    }
    assert!(refused > 6, "{refused}");
    assert_eq!(acknowledged, 0, "the disk of the only near replica has not ended any sync");
}

/// All zones are cut off from each other: each can still be asked for what needs nobody else, and for nothing more.
#[test]
fn local_quorum_needs_no_other_zone() {
    let mut table = three_zones();
    (0..3).for_each(|number| table.partition(&in_zone(number)));
    for (number, key) in (0..3).flat_map(|number| KEYS.map(|key| (number, key))) {
        for node in in_zone(number) {
            let written = table.request(node, at(put(key, "v"), Level::LocalQuorum));
            assert!(matches!(written, Some(Outcome::Written { acks: 1, .. })), "{written:?}");
            assert!(table.request(node, at(get(key), Level::LocalQuorum)).is_some());
            assert!(table.request(node, at(get(key), Level::Quorum)).is_none());
        }
    }
}

/// Two replicas elsewhere have it on disk. That is a quorum, but not a local one.
#[test]
fn local_quorum_is_not_met_by_other_zones() {
    let mut table = three_zones();
    let (replicas, _) = table.replicas("key");
    table.slow_disks.insert(replicas[0]);
    let tag = table.ask(replicas[0], at(put("key", "value"), Level::LocalQuorum));
    table.deliver();
    assert!(!table.replies.contains_key(&tag));
    table.release_syncs(replicas[0], Ok(()));
    assert!(matches!(table.replies[&tag], Outcome::Written { acks: 3, .. }));
}

#[test]
fn each_quorum_is_unavailable_with_one_zone_dark_and_says_so() {
    let mut table = three_zones();
    let (replicas, _) = table.replicas("key");
    assert!(matches!(
        table.request(replicas[0], at(put("key", "before"), Level::EachQuorum)),
        Some(Outcome::Written { acks: 3, .. })
    ));
    let dark = (0..3).map(in_zone).find(|zone| zone.contains(&replicas[2])).expect("it has a zone");
    table.partition(&dark);
    table.advance(Duration::from_secs(10));
    for (request, knob) in [(put("key", "after"), Knob::W), (get("key"), Knob::R)] {
        let outcome = table.request(replicas[0], at(request, Level::EachQuorum));
        let rejection = Rejection::Unavailable { knob, usable: 2, needed: 3 };
        assert_eq!(outcome, Some(Outcome::Rejected(rejection)));
    }
    assert_eq!(table.get(replicas[0], "key").0, ["before"], "nothing was applied");
}

#[test]
fn local_quorum_is_impossible_where_no_replica_lies() {
    let mut table = Table::zoned(5, 5, |_| {});
    let (replicas, others) = table.replicas("key");
    let why = Impossible::NoLocalReplica;
    let reads = table.request(others[0], at(get("key"), Level::LocalQuorum));
    assert_eq!(reads, Some(Outcome::Rejected(Rejection::Impossible { knob: Knob::R, why })));
    let writes = table.request(others[0], at(put("key", "v"), Level::LocalQuorum));
    assert_eq!(writes, Some(Outcome::Rejected(Rejection::Impossible { knob: Knob::W, why })));
    assert!(table.request(replicas[0], at(get("key"), Level::LocalQuorum)).is_some());
}
