//! Read repair and the Merkle exchange.

use kvsim::base::time::Duration;
use kvsim::node::fact::Fact;
use kvsim::node::message::Message;
use kvsim::node::request::Request;

use crate::table::{Table, put};

fn strict(mut request: Request) -> Request {
    request.options.sloppy = Some(false);
    request
}

/// A table on which `away` has missed one write that left no hint.
fn with_a_stale_replica() -> (Table, u64, u64) {
    let mut table = Table::new(5);
    let (replicas, _) = table.replicas("key");
    let (here, away) = (replicas[0], replicas[2]);
    table.put(here, "key", "old");
    table.partition(&[away]);
    assert!(table.request(here, strict(put("key", "new"))).is_some());
    table.heal();
    assert_ne!(table.peek(away, "key"), table.peek(here, "key"));
    (table, here, away)
}

#[test]
fn a_read_repairs_the_replica_that_is_behind() {
    let (mut table, here, away) = with_a_stale_replica();
    let reader = table.replicas("key").1[0];
    assert_eq!(table.get(reader, "key").0, ["new"]);
    table.deliver();
    assert_eq!(table.peek(away, "key"), table.peek(here, "key"));
    assert!(table.count(Fact::ReadRepaired) >= 1);
}

/// Two replicas that agree are not right against one that knows more.
#[test]
fn repair_is_by_causality_and_not_by_vote() {
    let mut table = Table::new(3);
    let (replicas, _) = table.replicas("key");
    table.put(replicas[0], "key", "old");
    table.partition(&[replicas[0]]);
    table.ask(replicas[0], strict(put("key", "new")));
    table.heal();
    assert_eq!(table.get(replicas[1], "key").0, ["new"]);
    table.deliver();
    for node in replicas {
        assert_eq!(table.peek(node, "key").versions()[0].value.as_deref(), Some(&b"new"[..]), "n{node}");
    }
}

#[test]
fn a_merkle_exchange_repairs_what_nobody_reads() {
    let (mut table, here, away) = with_a_stale_replica();
    table.advance(Duration::from_secs(20));
    assert_eq!(table.peek(away, "key"), table.peek(here, "key"));
    assert_eq!(table.count(Fact::ReadRepaired), 0);
    assert!(table.count(Fact::Repaired) >= 1);
}

/// The cost follows the difference: replicas that agree exchange one message a round and nothing else.
#[test]
fn replicas_that_agree_exchange_one_message_a_round() {
    let mut table = Table::new(3);
    for key in 0..200 {
        table.put(1, &format!("key{key}"), "value");
    }
    table.advance(Duration::from_secs(10));
    table.delivered.clear();
    table.facts.clear();
    table.advance(Duration::from_secs(10));
    let exchanges = table.delivered.iter().filter(|sent| matches!(sent.2, Message::Exchange(_))).count();
    assert!((25..=35).contains(&exchanges), "three nodes, ten rounds: {exchanges}");
    assert_eq!(table.count(Fact::ExchangeDiffered), 0);
}

#[test]
fn one_missing_key_among_many_moves_alone() {
    let mut table = Table::new(3);
    for key in 0..200 {
        table.put(1, &format!("key{key}"), "value");
    }
    table.partition(&[3]);
    table.request(1, strict(put("key7", "new")));
    table.heal();
    table.delivered.clear();
    table.advance(Duration::from_secs(10));
    let stores = table.delivered.iter().filter(|sent| matches!(sent.2, Message::Store { .. })).count();
    assert!((1..=4).contains(&stores), "{stores} stores for one key");
    let reader = table.get(3, "key7").0;
    assert_eq!(reader, ["new"]);
}
