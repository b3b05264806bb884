//! Convergent types: what several coordinators do at the same time to a counter, a set, a register, a map.

use kvsim::base::bytes::Bytes;
use kvsim::base::limits::EDITS_MAX;
use kvsim::base::time::Duration;
use kvsim::causal::types::edit::{Edit, Update};
use kvsim::causal::types::part::{Holds, Kind};
use kvsim::causal::types::view::{Leaf, View};
use kvsim::node::fact::Fact;
use kvsim::node::request::{Command, Options, Outcome, Rejection, Request};
use kvsim::quorum::tally::Level;

use crate::table::{Table, at, edit, get, put, put_with};

fn count(key: &str, step: i64) -> Request {
    edit(key, None, Update::Count(step))
}

fn add(key: &str, member: &str) -> Request {
    edit(key, None, Update::Add(Bytes::from(member)))
}

fn delete(key: &str, context: Option<Bytes>) -> Request {
    let command = Command::Delete { context };
    Request { key: Bytes::from(key), command, options: Options::default(), id: None }
}

fn shown(table: &mut Table, node: u64, key: &str) -> Option<(View, Bytes)> {
    match table.request(node, get(key)) {
        Some(Outcome::Typed { view, context }) => Some((view, context)),
        Some(Outcome::Found { values, .. }) if values.is_empty() => None,
        other => panic!("{other:?}"),
    }
}

fn leaf(table: &mut Table, node: u64, key: &str) -> Option<Leaf> {
    match shown(table, node, key) {
        Some((View::Leaf(leaf), _)) => Some(leaf),
        None => None,
        other => panic!("{other:?}"),
    }
}

fn set(members: &[&str]) -> Option<Leaf> {
    Some(Leaf::Set(members.iter().map(|&member| Bytes::from(member)).collect()))
}

fn result(outcome: Option<Outcome>) -> i64 {
    match outcome {
        Some(Outcome::Written { result, .. }) => result,
        other => panic!("{other:?}"),
    }
}

/// A table on which `last` is cut off from the other two replicas of the key.
fn split(key: &str) -> (Table, Vec<u64>) {
    let mut table = Table::new(3);
    let (replicas, _) = table.replicas(key);
    table.partition(&[replicas[2]]);
    (table, replicas)
}

fn heal(table: &mut Table) {
    table.heal();
    table.advance(Duration::from_secs(8));
}

#[test]
fn counts_on_both_sides_of_a_split_add_up_and_leave_no_siblings() {
    let (mut table, replicas) = split("hits");
    assert_eq!(result(table.request(replicas[0], count("hits", 5))), 5);
    assert_eq!(result(table.request(replicas[1], count("hits", -2))), 3);
    assert_eq!(result(table.request(replicas[2], at(count("hits", 100), Level::One))), 100);
    heal(&mut table);
    for node in replicas {
        assert_eq!(leaf(&mut table, node, "hits"), Some(Leaf::Counter(103)), "at n{node}");
        assert_eq!(table.peek(node, "hits").parts().len(), 3, "one part for each that counted");
    }
}

#[test]
fn a_member_that_is_added_again_beside_its_removal_stays() {
    let (mut table, replicas) = split("tags");
    table.heal();
    table.request(replicas[0], add("tags", "a"));
    table.request(replicas[0], add("tags", "b"));
    table.partition(&[replicas[2]]);
    let take = |member: &str| edit("tags", None, Update::TakeOut(Bytes::from(member)));
    assert_eq!(result(table.request(replicas[0], take("a"))), 1);
    assert_eq!(result(table.request(replicas[0], take("b"))), 1);
    assert_eq!(result(table.request(replicas[2], at(add("tags", "b"), Level::One))), 0, "there already");
    heal(&mut table);
    for node in replicas {
        assert_eq!(leaf(&mut table, node, "tags"), set(&["b"]), "at n{node}");
        assert_eq!(table.peek(node, "tags").parts().len(), 1, "no tombstone at n{node}");
    }
}

#[test]
fn maps_merge_field_by_field_and_a_delete_spares_what_ran_beside_it() {
    let (mut table, replicas) = split("user");
    table.heal();
    let assign = |value: &str| edit("user", Some("name"), Update::Assign(Bytes::from(value)));
    table.request(replicas[0], assign("ann"));
    // By the one that will not hear of the delete, and whose next step holds all its past.
    table.request(replicas[2], edit("user", Some("visits"), Update::Count(10)));
    table.partition(&[replicas[2]]);
    assert!(matches!(table.request(replicas[0], delete("user", None)), Some(Outcome::Written { .. })));
    assert_eq!(leaf(&mut table, replicas[0], "user"), None);
    table.request(replicas[2], at(edit("user", Some("visits"), Update::Count(1)), Level::One));
    table.request(replicas[2], at(edit("user", Some("tags"), Update::Add(Bytes::from("x"))), Level::One));
    heal(&mut table);
    let fields = vec![
        (Bytes::from("tags"), Leaf::Set(vec![Bytes::from("x")])),
        (Bytes::from("visits"), Leaf::Counter(1)),
    ];
    for node in replicas {
        let (view, _) = shown(&mut table, node, "user").expect("what ran beside the delete");
        assert_eq!(view, View::Map(fields.clone()), "at n{node}");
    }
}

#[test]
fn another_type_is_refused_and_a_mix_that_two_sides_made_can_be_seen_and_overwritten() {
    let (mut table, replicas) = split("key");
    table.request(replicas[0], count("key", 1));
    let holds = Holds::Leaf(Kind::Counter);
    let refused = Some(Outcome::Rejected(Rejection::Type { holds }));
    assert_eq!(table.request(replicas[0], add("key", "m")), refused);
    let beside = table.request(replicas[0], put_with("key", "plain", Some(Bytes::default())));
    assert_eq!(beside, refused, "a plain value that replaces nothing would stand beside the counter");
    table.request(replicas[2], at(put("key", "plain"), Level::One));
    heal(&mut table);
    for &node in &replicas {
        assert_eq!(table.request(node, get("key")), refused, "at n{node}");
    }
    assert_eq!(table.count(Fact::TypesMixed), 3);
    assert!(matches!(table.put(replicas[1], "key", "new"), Some(Outcome::Written { .. })));
    assert_eq!(table.get(replicas[0], "key").0, ["new"]);
    assert!(matches!(table.request(replicas[0], delete("key", None)), Some(Outcome::Written { .. })));
    assert_eq!(result(table.request(replicas[1], count("key", 4))), 4, "a deleted key has no type");
}

/// A client saw the counter through a quorum; its delete goes to a replica that has not. What that one cannot name, it
/// could not keep from coming back with the next count.
#[test]
fn a_delete_by_context_waits_until_its_coordinator_knows_the_counter() {
    let (mut table, replicas) = split("hits");
    table.request(replicas[0], count("hits", 10));
    let (_, context) = shown(&mut table, replicas[0], "hits").expect("a counter");
    let ask = at(delete("hits", Some(context)), Level::One);
    let unseen = table.request(replicas[2], ask.clone());
    assert_eq!(unseen, Some(Outcome::Rejected(Rejection::Unseen)));
    heal(&mut table);
    assert!(matches!(table.request(replicas[2], ask), Some(Outcome::Written { .. })));
    table.request(replicas[0], count("hits", 1));
    assert_eq!(leaf(&mut table, replicas[1], "hits"), Some(Leaf::Counter(1)));
}

#[test]
fn the_context_of_an_edit_covers_the_edit_and_nothing_else() {
    let mut table = Table::new(3);
    let (replicas, _) = table.replicas("tags");
    table.request(replicas[0], add("tags", "theirs"));
    let Some(Outcome::Written { context, .. }) = table.request(replicas[1], add("tags", "mine")) else {
        panic!()
    };
    table.request(replicas[2], delete("tags", Some(context)));
    assert_eq!(leaf(&mut table, replicas[0], "tags"), set(&["theirs"]));
}

#[test]
fn what_would_be_too_much_is_refused_whole() {
    let mut table = Table::new(3);
    let edits = |count: usize, bytes: usize| {
        let edit =
            |n: usize| Edit { field: None, update: Update::Add(format!("{n:bytes$}").as_str().into()) };
        let command = Command::Edit { edits: (0..count).map(edit).collect() };
        Request { key: Bytes::from("tags"), command, options: Options::default(), id: None }
    };
    for (count, bytes) in [(EDITS_MAX + 1, 1), (200, 2000), (0, 0)] {
        let outcome = table.request(1, edits(count, bytes));
        assert!(matches!(outcome, Some(Outcome::Rejected(Rejection::Edits { .. }))), "{outcome:?}");
    }
    let outcome = table.request(1, edits(1, 11 << 10));
    assert!(matches!(outcome, Some(Outcome::Rejected(Rejection::ValueLength { .. }))), "{outcome:?}");
    let mut members = 0;
    let refused = (0..).find_map(|round: usize| {
        let edit = |n: usize| add("tags", &format!("{:9000}", round * 20 + n));
        match table.request(1, edit(0)) {
            Some(Outcome::Written { .. }) => members += 1,
            other => return other,
        }
        None
    });
    assert!(matches!(refused, Some(Outcome::Rejected(Rejection::Large { .. }))), "{refused:?}");
    assert!(matches!(leaf(&mut table, 1, "tags"), Some(Leaf::Set(all)) if all.len() == members));
    table.request(1, count("most", i64::MAX));
    assert_eq!(table.request(1, count("most", 1)), Some(Outcome::Rejected(Rejection::Overflow)));
}

#[test]
fn what_edits_left_survives_a_crash_of_all() {
    let mut table = Table::new(3);
    table.request(1, count("hits", 7));
    table.request(2, add("tags", "a"));
    let configs: Vec<_> = (1..=3).map(|node| table.crash(node)).collect();
    configs.into_iter().for_each(|config| table.boot(config).expect("it opens again"));
    table.advance(Duration::from_secs(4));
    assert_eq!(leaf(&mut table, 3, "hits"), Some(Leaf::Counter(7)));
    assert_eq!(leaf(&mut table, 3, "tags"), set(&["a"]));
    assert_eq!(result(table.request(1, count("hits", 1))), 8);
}
