//! A client that has no answer asks again: through the same coordinator, or another, which may or may not know.

use kvsim::base::bytes::Bytes;
use kvsim::base::id::RequestId;
use kvsim::base::rng::Stream;
use kvsim::base::time::Duration;
use kvsim::causal::types::edit::Update;
use kvsim::causal::types::view::{Leaf, View};
use kvsim::node::fact::Fact;
use kvsim::node::request::{Outcome, Request};
use kvsim::quorum::tally::Level;

use crate::table::{Table, at, edit, get, put, put_with};

fn named(request: Request, number: u64) -> Request {
    Request { id: Some(RequestId { client: 9, number }), ..request }
}

fn count(number: u64, step: i64) -> Request {
    named(edit("hits", None, Update::Count(step)), number)
}

fn counter(table: &mut Table, node: u64) -> i64 {
    match table.request(node, get("hits")) {
        Some(Outcome::Typed { view: View::Leaf(Leaf::Counter(value)), .. }) => value,
        other => panic!("{other:?}"),
    }
}

fn dot(outcome: Option<Outcome>) -> kvsim::causal::dot::Dot {
    match outcome {
        Some(Outcome::Written { dot, .. }) => dot,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_retry_is_the_write_that_it_was_through_whichever_replica_it_comes() {
    let mut table = Table::new(5);
    let (replicas, others) = table.replicas("key");
    let first = dot(table.request(replicas[0], named(put("key", "value"), 1)));
    for node in replicas.iter().chain(&others) {
        assert_eq!(dot(table.request(*node, named(put("key", "value"), 1))), first, "through n{node}");
    }
    assert_eq!(table.count(Fact::RequestRepeated), 5);
    assert_eq!(table.get(others[0], "key").0, ["value"]);
    // Nor does it come back after somebody has replaced it.
    dot(table.put(replicas[1], "key", "newer"));
    assert_eq!(dot(table.request(replicas[2], named(put("key", "value"), 1))), first);
    assert_eq!(table.get(replicas[0], "key").0, ["newer"]);
    assert_ne!(dot(table.request(replicas[0], named(put("key", "value"), 2))), first, "another request");
}

/// The first try reached one disk, and its client was told so. The retry must not be told "done" before W have it.
#[test]
fn a_retry_completes_what_the_first_try_did_not() {
    let mut table = Table::new(3);
    let (replicas, _) = table.replicas("key");
    table.partition(&[replicas[0]]);
    let request = named(put("key", "value"), 1);
    let tag = table.ask(replicas[0], request.clone());
    table.advance(Duration::from_secs(3));
    let Outcome::Unknown { acks: 1, write: Some((first, context)), .. } = table.replies[&tag].clone() else {
        panic!("{:?}", table.replies[&tag]);
    };
    let again = table.ask(replicas[0], request.clone());
    table.deliver();
    assert!(!table.replies.contains_key(&again), "it is on one disk still");
    table.heal();
    assert_eq!(dot(table.request(replicas[0], request)), first);
    assert_eq!(table.get(replicas[1], "key").0, ["value"]);
    // What the client was told of its unknown write is enough to replace it.
    table.request(replicas[1], put_with("key", "after", Some(context)));
    assert_eq!(table.get(replicas[2], "key").0, ["after"]);
}

/// The coordinator took the write, told nobody, and was gone when the client tried again elsewhere.
#[test]
fn two_coordinators_that_did_not_know_of_each_other_make_one_write_of_one_request() {
    let mut table = Table::new(3);
    let (replicas, _) = table.replicas("hits");
    table.partition(&[replicas[0]]);
    table.request(replicas[0], at(count(1, 5), Level::One));
    table.request(replicas[0], at(named(put("key", "value"), 1), Level::One));
    dot(table.request(replicas[1], count(1, 5)));
    let (values, _) = {
        dot(table.request(replicas[1], named(put_with("key", "value", Some(Bytes::default())), 1)));
        table.heal();
        table.advance(Duration::from_secs(8));
        table.get(replicas[2], "key")
    };
    assert_eq!(values, ["value"], "no siblings of one request");
    for &node in &replicas {
        assert_eq!(counter(&mut table, node), 5, "at n{node}");
    }
    // And so it stays, whoever counts next.
    for (number, node) in (2..).zip(&replicas) {
        dot(table.request(*node, count(number, 1)));
    }
    assert_eq!(counter(&mut table, replicas[0]), 8);
}

/// The same, but before the first coordinator is back somebody replaces what was acknowledged. What it kept must not
/// come to light again: neither as a sibling, nor as a member, on whichever replica.
#[test]
fn a_first_try_does_not_come_back_when_the_retry_has_been_replaced() {
    let mut table = Table::new(3);
    let (replicas, _) = table.replicas("key");
    let value = named(put_with("key", "value", Some(Bytes::default())), 1);
    let member = named(edit("{key}set", None, Update::Add(Bytes::from("member"))), 2);
    table.partition(&[replicas[0]]);
    for request in [&value, &member] {
        dot(table.request(replicas[0], at(request.clone(), Level::One)));
        dot(table.request(replicas[1], request.clone()));
    }
    let (_, context) = table.get(replicas[1], "key");
    dot(table.request(replicas[2], put_with("key", "newer", Some(context))));
    dot(table.request(replicas[2], edit("{key}set", None, Update::TakeOut(Bytes::from("member")))));
    table.heal();
    for &node in &replicas {
        assert_eq!(table.get(node, "key").0, ["newer"], "at n{node}");
        let set = table.request(node, get("{key}set"));
        assert!(matches!(&set, Some(Outcome::Found { values, .. }) if values.is_empty()), "{set:?}");
    }
    table.advance(Duration::from_secs(30));
    let held: Vec<_> = replicas.iter().map(|&node| table.peek(node, "key")).collect();
    assert!(held.windows(2).all(|pair| pair[0] == pair[1]), "{held:?}");
}

#[test]
fn without_an_id_every_try_is_a_write() {
    let mut table = Table::new(3);
    let step = edit("hits", None, Update::Count(1));
    assert_ne!(dot(table.request(1, step.clone())), dot(table.request(1, step)));
    assert_eq!(counter(&mut table, 2), 2);
}

/// Clients that count, time out, and try again elsewhere, amid splits and crashes: in the end every request that was
/// acknowledged counts once, and every other one at most once.
#[test]
fn a_counter_is_exact_through_splits_crashes_and_retries() {
    for seed in 0..6 {
        let mut table = Table::new(3);
        let mut rng = Stream::new(seed, "retries", 0);
        let (mut sure, mut maybe) = (0, 0);
        for number in 0..30u64 {
            match rng.below(4) {
                0 => table.partition(&[1 + rng.below(3)]),
                1 => {
                    let node = 1 + rng.below(3);
                    let config = table.crash(node);
                    table.boot(config).expect("it opens again");
                }
                _ => table.heal(),
            }
            let mut done = false;
            // A power of two for each request tells in the end which of them counted, and how often.
            let request = count(number, 1 << number);
            for _ in 0..3 {
                let level = if rng.below(2) == 0 { Level::One } else { Level::Quorum };
                let tag = table.ask(1 + rng.below(3), at(request.clone(), level));
                table.advance(Duration::from_millis(rng.below(2500)));
                done = matches!(table.replies.get(&tag), Some(Outcome::Written { .. }));
                if done {
                    break;
                }
            }
            *(if done { &mut sure } else { &mut maybe }) |= 1i64 << number;
        }
        table.heal();
        table.advance(Duration::from_secs(30));
        let held: Vec<_> = (1..=3).map(|node| table.peek(node, "hits")).collect();
        assert!(held.windows(2).all(|pair| pair[0] == pair[1]), "seed {seed}: not the same everywhere");
        let value = counter(&mut table, 1);
        assert_eq!(value & sure, sure, "seed {seed}: an acknowledged step is missing");
        assert_eq!(value & !(sure | maybe), 0, "seed {seed}: {value:b}, something counted twice");
    }
}
