//! Too much work is refused at once, not after a time-out.

use kvsim::base::time::Duration;
use kvsim::node::fact::Fact;
use kvsim::node::request::{Outcome, Rejection};
use kvsim::quorum::tally::Level;

use crate::table::{Table, at, get, put};

const OVERLOADED: Outcome = Outcome::Rejected(Rejection::Overloaded);

#[test]
fn requests_beyond_the_bound_on_operations_are_refused_at_once() {
    let mut table = Table::with(3, |config| config.ops_max = 4);
    let (replicas, _) = table.replicas("key");
    table.partition(&replicas[..1]);
    let open: Vec<u64> = (0..4).map(|_| table.ask(replicas[0], get("key"))).collect();
    assert_eq!(table.request(replicas[0], get("key")), Some(OVERLOADED));
    assert_eq!(table.put(replicas[0], "key", "value"), Some(OVERLOADED));
    assert!(open.iter().all(|tag| !table.replies.contains_key(tag)), "the others go on");
    table.heal();
    table.advance(Duration::from_secs(3));
    assert!(matches!(table.put(replicas[0], "key", "value"), Some(Outcome::Written { .. })));
}

#[test]
fn writes_beyond_the_bound_on_waiting_for_the_disk_are_refused_with_nothing_applied() {
    let mut table = Table::with(3, |config| config.backlog_max = 4);
    let (replicas, _) = table.replicas("key");
    table.slow_disks.insert(replicas[0]);
    let tags: Vec<u64> =
        (0..4).map(|n| table.ask(replicas[0], at(put(&format!("{{key}}{n}"), "v"), Level::All))).collect();
    table.deliver();
    assert_eq!(table.put(replicas[0], "{key}4", "value"), Some(OVERLOADED));
    for &node in &replicas {
        assert!(table.peek(node, "{key}4").is_empty(), "n{node}");
    }
    assert!(table.request(replicas[0], get("{key}4")).is_some(), "what is on the disk can be read");
    table.release_syncs(replicas[0], Ok(()));
    assert!(tags.iter().all(|tag| matches!(table.replies[tag], Outcome::Written { .. })));
    assert!(matches!(table.put(replicas[0], "{key}4", "value"), Some(Outcome::Written { .. })));
}

/// A replica whose disk is behind says so, and the coordinator need not wait for its time-out to know. The share of one
/// coordinator is not that of another.
#[test]
fn a_replica_that_is_behind_refuses_a_coordinator_beyond_its_share() {
    let mut table = Table::with(3, |config| config.backlog_max = 4);
    let (replicas, _) = table.replicas("key");
    table.slow_disks.insert(replicas[2]);
    for n in 0..4 {
        assert!(matches!(table.put(replicas[0], &format!("{{key}}{n}"), "v"), Some(Outcome::Written { .. })));
    }
    let refused = table.request(replicas[0], at(put("{key}4", "v"), Level::All));
    assert!(matches!(refused, Some(Outcome::Unknown { acks: 2, needed: 3, .. })), "{refused:?}");
    let tag = table.ask(replicas[1], at(put("{key}5", "v"), Level::All));
    table.deliver();
    assert!(!table.replies.contains_key(&tag), "taken, and waiting");
    table.release_syncs(replicas[2], Ok(()));
    assert!(matches!(table.replies[&tag], Outcome::Written { acks: 3, .. }));
    // Whoever was refused is owed the write, and gets it by hint.
    assert!(table.peek(replicas[2], "{key}4").is_empty());
    table.advance(Duration::from_secs(5));
    assert!(table.count(Fact::HintDelivered) > 0);
    assert_eq!(table.peek(replicas[2], "{key}4"), table.peek(replicas[0], "{key}4"));
}

#[test]
fn reads_of_what_is_not_on_the_disk_yet_are_bounded_as_well() {
    let mut table = Table::with(3, |config| config.backlog_max = 4);
    let (replicas, _) = table.replicas("key");
    table.slow_disks.extend(&replicas);
    table.ask(replicas[0], put("key", "value"));
    table.deliver();
    let one = || at(get("key"), Level::One);
    let open: Vec<u64> = (0..3).map(|_| table.ask(replicas[0], one())).collect();
    table.deliver();
    assert!(open.iter().all(|tag| !table.replies.contains_key(tag)));
    // Three reads wait at each of the others, with one write: their share for this coordinator is used up.
    let refused = table.request(replicas[0], one());
    assert!(matches!(refused, Some(Outcome::Rejected(Rejection::Timeout { .. }))), "{refused:?}");
    table.release_syncs(replicas[1], Ok(()));
    assert!(open.iter().all(|tag| matches!(table.replies[tag], Outcome::Found { .. })));
}

/// With one node down, requests must not pile up until their deadlines: the bound would be reached at a few thousand a
/// second, with nobody overloaded.
#[test]
fn a_request_is_over_when_all_who_are_up_have_answered() {
    let mut table = Table::new(3);
    let (replicas, _) = table.replicas("key");
    table.partition(&replicas[2..]);
    let open = |table: &Table| table.nodes[&replicas[0]].status().open_ops;
    let mut strict = put("key", "strict");
    strict.options.sloppy = Some(false);
    for request in [get("key"), put("key", "sloppy"), strict.clone()] {
        assert!(table.request(replicas[0], request).is_some());
    }
    assert_eq!(open(&table), 3, "it may still answer");
    table.advance(Duration::from_secs(8));
    let hints = table.count(Fact::HintStored);
    for request in [get("key"), put("key", "sloppy"), strict] {
        assert!(table.request(replicas[0], request).is_some());
    }
    assert_eq!(open(&table), 0, "it is known to be down");
    assert_eq!(
        table.count(Fact::HintStored),
        hints + 1,
        "there is no stand-in, so the coordinator keeps the hint"
    );
}
