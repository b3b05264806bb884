//! Sloppy quorums and hinted handoff.

use kvsim::base::time::Duration;
use kvsim::node::fact::Fact;
use kvsim::node::request::Outcome;
use kvsim::quorum::tally::Level;

use crate::table::{Table, at, is_unknown, put};

fn hints(table: &Table) -> u64 {
    table.nodes.values().map(|node| node.status().hints).sum()
}

#[test]
fn a_replica_that_was_away_gets_its_writes_by_hint() {
    let mut table = Table::new(5);
    let (replicas, _) = table.replicas("key");
    table.partition(&[replicas[2]]);
    table.advance(Duration::from_secs(8));
    table.put(replicas[0], "key", "value");
    table.advance(Duration::from_secs(3));
    assert!(hints(&table) > 0);
    assert!(table.peek(replicas[2], "key").is_empty());
    table.heal();
    // Long before a read or an exchange could bring it, if those were asked; see below for the sole cause.
    table.advance(Duration::from_secs(5));
    assert_eq!(table.peek(replicas[2], "key"), table.peek(replicas[0], "key"));
    assert_eq!(hints(&table), 0);
    assert!(table.count(Fact::HintDelivered) > 0);
}

/// One replica is down, and its stand-in has the write durably; another has it, but not yet on its disk. That is one
/// acknowledgement.
#[test]
fn a_hint_never_counts_towards_w() {
    let mut table = Table::new(5);
    let (replicas, _) = table.replicas("key");
    table.partition(&[replicas[2]]);
    table.advance(Duration::from_secs(8));
    table.slow_disks.insert(replicas[1]);
    let tag = table.ask(replicas[0], put("key", "value"));
    table.deliver();
    assert_eq!(hints(&table), 1, "the stand-in has it");
    assert!(!table.replies.contains_key(&tag));
    table.release_syncs(replicas[1], Ok(()));
    assert!(matches!(table.replies[&tag], Outcome::Written { acks: 2, .. }));
}

/// Cut off so recently that nobody is suspected: nothing is hinted at first, and all that is missing at the deadline.
#[test]
fn whoever_has_not_acknowledged_by_the_deadline_gets_a_hint() {
    let mut table = Table::new(5);
    let (replicas, _) = table.replicas("key");
    table.partition(&replicas[1..]);
    let tag = table.ask(replicas[0], put("key", "value"));
    table.deliver();
    assert_eq!(hints(&table), 0);
    table.advance(Duration::from_secs(3));
    assert!(is_unknown(&table.replies[&tag], 1, 2));
    assert_eq!(hints(&table), 2);
}

#[test]
fn a_hint_counts_where_any_was_asked() {
    let mut table = Table::new(5);
    let (replicas, _) = table.replicas("key");
    table.partition(&replicas[1..]);
    table.advance(Duration::from_secs(8));
    table.slow_disks.insert(replicas[0]);
    let outcome = table.request(replicas[0], at(put("key", "value"), Level::Any));
    assert!(matches!(outcome, Some(Outcome::Written { acks: 1, .. })), "by a stand-in: {outcome:?}");
}

#[test]
fn a_strict_write_leaves_no_hint() {
    let mut table = Table::new(5);
    let (replicas, _) = table.replicas("key");
    table.partition(&[replicas[2]]);
    table.advance(Duration::from_secs(8));
    let mut request = put("key", "value");
    request.options.sloppy = Some(false);
    assert!(matches!(table.request(replicas[0], request), Some(Outcome::Written { .. })));
    table.advance(Duration::from_secs(3));
    assert_eq!(hints(&table), 0);
    assert_eq!(table.count(Fact::HintStored), 0);
}

#[test]
fn hints_survive_a_crash_of_their_keeper() {
    let mut table = Table::new(3);
    let (replicas, _) = table.replicas("key");
    let (keeper, away) = (replicas[0], replicas[2]);
    table.partition(&[away]);
    table.put(keeper, "key", "value");
    table.advance(Duration::from_secs(3));
    assert_eq!(table.nodes[&keeper].status().hints, 1);
    let config = table.crash(keeper);
    table.boot(config).expect("it opens again");
    assert_eq!(table.nodes[&keeper].status().hints, 1);
    table.heal();
    table.advance(Duration::from_secs(8));
    assert_eq!(hints(&table), 0);
    assert_eq!(table.peek(away, "key"), table.peek(keeper, "key"));
}

/// Deleting a hint when it is sent, or when it arrives in memory, would lose it with a crash of the target.
#[test]
fn a_hint_is_kept_until_its_target_has_it_on_disk() {
    let mut table = Table::new(3);
    let (replicas, _) = table.replicas("key");
    let (keeper, away) = (replicas[0], replicas[2]);
    table.partition(&[away]);
    table.put(keeper, "key", "value");
    table.advance(Duration::from_secs(3));
    table.heal();
    table.slow_disks.insert(away);
    table.advance(Duration::from_secs(6));
    assert_eq!(table.nodes[&keeper].status().hints, 1);
    table.release_syncs(away, Ok(()));
    table.advance(Duration::from_secs(3));
    assert_eq!(table.nodes[&keeper].status().hints, 0);
}
