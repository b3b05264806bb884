//! Concurrent writes, contexts, deletes.

use kvsim::base::bytes::Bytes;
use kvsim::base::time::Duration;
use kvsim::node::consistency::OnSiblings;
use kvsim::node::fact::Fact;
use kvsim::node::request::{Command, Options, Outcome, Request};
use kvsim::quorum::tally::Level;

use crate::table::{Table, at, get, put, put_with};

/// A table on which one key was written on both sides of a partition that has healed.
fn with_siblings() -> (Table, Vec<u64>) {
    let mut table = Table::new(3);
    let (replicas, _) = table.replicas("cart");
    table.partition(&[replicas[2]]);
    assert!(matches!(table.put(replicas[0], "cart", "milk"), Some(Outcome::Written { .. })));
    table.request(replicas[2], at(put("cart", "eggs"), Level::One));
    table.heal();
    table.advance(Duration::from_secs(5));
    (table, replicas)
}

#[test]
fn concurrent_writes_are_both_kept_and_a_context_reconciles_them() {
    let (mut table, replicas) = with_siblings();
    let (mut values, context) = table.get(replicas[1], "cart");
    values.sort();
    assert_eq!(values, ["eggs", "milk"]);
    assert!(table.count(Fact::SiblingsRead) > 0);
    table.request(replicas[1], put_with("cart", "milk and eggs", Some(context)));
    assert_eq!(table.get(replicas[2], "cart").0, ["milk and eggs"]);
}

#[test]
fn a_write_without_a_context_replaces_what_its_coordinator_holds() {
    let (mut table, replicas) = with_siblings();
    table.put(replicas[0], "cart", "bread");
    assert_eq!(table.get(replicas[1], "cart").0, ["bread"]);
}

#[test]
fn a_write_with_the_empty_context_replaces_nothing() {
    let (mut table, replicas) = with_siblings();
    table.request(replicas[0], put_with("cart", "bread", Some(Bytes::default())));
    assert_eq!(table.get(replicas[1], "cart").0.len(), 3);
}

/// The context of a put covers what its client had seen and that put, but not a sibling that it never saw: else its
/// next write would discard that.
#[test]
fn the_context_of_a_write_does_not_cover_what_its_client_never_saw() {
    let mut table = Table::new(3);
    table.request(1, put_with("key", "theirs", Some(Bytes::default())));
    let mut context = Bytes::default();
    for round in 0..5 {
        let outcome = table.request(1, put_with("key", &format!("mine {round}"), Some(context)));
        let Some(Outcome::Written { context: next, .. }) = outcome else { panic!("{outcome:?}") };
        context = next;
        let (mut values, _) = table.get(2, "key");
        values.sort();
        assert_eq!(values, [format!("mine {round}"), "theirs".into()]);
    }
}

#[test]
fn a_deleted_key_stays_deleted_when_an_old_replica_returns() {
    let mut table = Table::new(3);
    table.put(1, "key", "value");
    table.partition(&[3]);
    let (_, context) = table.get(1, "key");
    let command = Command::Delete { context: Some(context) };
    table.request(1, Request { key: Bytes::from("key"), command, options: Options::default(), id: None });
    table.heal();
    table.advance(Duration::from_secs(8));
    for node in 1..=3 {
        assert!(table.get(node, "key").0.is_empty());
        let one = table.request(node, at(get("key"), Level::One));
        assert!(matches!(one, Some(Outcome::Found { values, .. }) if values.is_empty()), "at n{node}");
    }
}

fn lww(mut request: Request) -> Request {
    request.options.siblings = Some(OnSiblings::LastWriter);
    request
}

/// The last writer by the clock wins, wherever it is read, and a write with that read's context reconciles all.
#[test]
fn a_read_that_wants_the_last_writer_gets_one_value_and_a_context_of_all() {
    let (mut table, replicas) = with_siblings();
    for &node in &replicas {
        let Some(Outcome::Found { values, context }) = table.request(node, lww(get("cart"))) else {
            panic!()
        };
        assert_eq!(values.len(), 1);
        assert_eq!(values[0].value, Bytes::from("eggs"), "written after the milk");
        assert_eq!(context, table.get(node, "cart").1);
    }
    let command = Command::Delete { context: Some(Bytes::default()) };
    table.request(replicas[0], Request { command, ..get("cart") });
    let outcome = table.request(replicas[1], lww(get("cart")));
    assert!(
        matches!(outcome, Some(Outcome::Found { values, .. }) if values.is_empty()),
        "the delete came last"
    );
    assert_eq!(
        table.get(replicas[1], "cart").0.len(),
        2,
        "who asks for all sees what the delete did not know of"
    );
}

fn stamps(table: &mut Table, node: u64) -> Vec<u64> {
    table.peek(node, "key").versions().iter().map(|version| version.stamp.0).collect()
}

/// Within the bound, a stamp is adopted, so that stamps follow causality; beyond it, one broken clock would make all
/// clocks wrong for ever.
#[test]
fn a_stamp_from_the_far_future_does_not_move_other_clocks() {
    let mut table = Table::new(3);
    table.ahead.insert(1, Duration::from_millis(900));
    table.put(1, "key", "ahead");
    table.put(2, "key", "after");
    assert_eq!(stamps(&mut table, 2), [table.now.0 + 900_000_001], "just above what it replaces");
    assert_eq!(table.count(Fact::StampRefused), 0);
    table.advance(Duration::from_secs(5));
    table.ahead.insert(1, Duration::from_secs(3600));
    table.put(1, "key", "far ahead");
    table.put(2, "key", "after that");
    assert_eq!(stamps(&mut table, 2), [table.now.0]);
    assert_eq!(table.get(3, "key").0, ["after that"], "causality decides, not stamps");
    assert_eq!(table.count(Fact::StampRefused), 1);
    table.ahead.clear();
    table.put(1, "key", "put right");
    assert_eq!(stamps(&mut table, 1), [table.now.0 + 1], "its own far stamp does not bind it either");
}
